//! Lists of structs, as functions give them.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, StructArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};

/// Lists of structs of certain fields.
#[derive(Clone)]
pub(super) struct Lists {
    fields: Fields,
    each: FieldRef,
}

impl Lists {
    pub(super) fn of(fields: impl Into<Fields>) -> Self {
        let fields = fields.into();
        let each = Arc::new(Field::new_list_field(DataType::Struct(fields.clone()), true));
        Self { fields, each }
    }

    pub(super) fn data_type(&self) -> DataType {
        DataType::List(Arc::clone(&self.each))
    }

    /// Of the structs that `columns` hold, one after another, each list has as many as `lengths` says.
    pub(super) fn array(
        &self,
        columns: Vec<ArrayRef>,
        lengths: impl IntoIterator<Item = usize>,
        nulls: Option<NullBuffer>,
    ) -> ArrayRef {
        let structs = StructArray::new(self.fields.clone(), columns, None);
        Arc::new(ListArray::new(Arc::clone(&self.each), OffsetBuffer::from_lengths(lengths), Arc::new(structs), nulls))
    }
}

/// A column of what `of` says of each row.
pub(super) fn column<A: Array + FromIterator<Option<V>> + 'static, T, V>(
    rows: &[T],
    of: impl Fn(&T) -> Option<V>,
) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<A>())
}
