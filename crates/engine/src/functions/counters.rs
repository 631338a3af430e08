//! Counts of letters or of boxes over many lines, as one value: a row of counters.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, Int64Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::{Result, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ScalarUDF, Signature, Volatility,
};
use model::{CodeTable, SESSIONS_A_WEEK};

use super::boxes::named_set;
use super::scalar;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    /// `code_counts(marks, mask)`: each letter, in 128 counters.
    Letters,
    /// `box_counts(marks, mask, set)`: marks of a set, by box, in 14 counters.
    Boxes,
}

impl Counted {
    fn width(self) -> usize {
        match self {
            Self::Letters => 128,
            Self::Boxes => SESSIONS_A_WEEK,
        }
    }
}

/// `code_counts` and `box_counts`.
pub fn aggregates(codes: &Arc<CodeTable>) -> Vec<AggregateUDF> {
    let of = |counted, takes| {
        AggregateUDF::from(CountersAggregate {
            counted,
            codes: Codes(Arc::clone(codes)),
            signature: Signature::exact(takes, Volatility::Immutable),
        })
    };
    vec![
        of(Counted::Letters, vec![DataType::Utf8, DataType::Int32]),
        of(Counted::Boxes, vec![DataType::Utf8, DataType::Int32, DataType::Utf8]),
    ]
}

/// `count_of(counters, letter)` and `count_at(counters, place)`.
pub fn scalars() -> Vec<ScalarUDF> {
    let counter = |bytes: &[u8], place: usize| {
        let at = bytes.get(place * 8..place * 8 + 8)?;
        Some(i64::from_le_bytes(at.try_into().ok()?))
    };
    let count_of =
        scalar("count_of", vec![DataType::Binary, DataType::Utf8], DataType::Int64, move |a: &[ArrayRef], _| {
            let letters = a[1].as_string::<i32>();
            let counts: Int64Array = a[0]
                .as_binary::<i32>()
                .iter()
                .enumerate()
                .map(|(i, bytes)| counter(bytes?, usize::from(*letters.value(i).as_bytes().first()?)))
                .collect();
            Ok(Arc::new(counts))
        });
    let count_at =
        scalar("count_at", vec![DataType::Binary, DataType::Int32], DataType::Int64, move |a: &[ArrayRef], _| {
            let places = a[1].as_primitive::<Int32Type>();
            let counts: Int64Array = a[0]
                .as_binary::<i32>()
                .iter()
                .enumerate()
                .map(|(i, bytes)| counter(bytes?, usize::try_from(places.value(i)).ok()?))
                .collect();
            Ok(Arc::new(counts))
        });
    vec![count_of, count_at]
}

/// The code table, equal to any other: there is one a session.
#[derive(Clone, Debug)]
struct Codes(Arc<CodeTable>);

impl PartialEq for Codes {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Codes {}

impl std::hash::Hash for Codes {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CountersAggregate {
    counted: Counted,
    codes: Codes,
    signature: Signature,
}

impl AggregateUDFImpl for CountersAggregate {
    fn name(&self) -> &str {
        match self.counted {
            Counted::Letters => "code_counts",
            Counted::Boxes => "box_counts",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[counters]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("{}() without GROUP BY", self.name())
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Counters { counted: self.counted, codes: Arc::clone(&self.codes.0), counts: Vec::new() }))
    }
}

struct Counters {
    counted: Counted,
    codes: Arc<CodeTable>,
    counts: Vec<i64>,
}

impl Counters {
    fn grow(&mut self, groups: usize) {
        self.counts.resize(groups * self.counted.width(), 0);
    }

    fn take(&mut self, emit: EmitTo) -> ArrayRef {
        let width = self.counted.width();
        let emit = match emit {
            EmitTo::All => EmitTo::All,
            EmitTo::First(n) => EmitTo::First(n * width),
        };
        let taken = emit.take_needed(&mut self.counts);
        let mut out = BinaryBuilder::new();
        for group in taken.chunks(width) {
            out.append_value(group.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>());
        }
        Arc::new(out.finish())
    }
}

impl GroupsAccumulator for Counters {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        let width = self.counted.width();
        let marks = values[0].as_string::<i32>();
        let masks = values[1].as_primitive::<Int32Type>();
        let set = match self.counted {
            Counted::Letters => [true; 128],
            Counted::Boxes => named_set(&self.codes, &values[2])?,
        };
        for (row, group) in group_indices.iter().enumerate() {
            if filter.is_some_and(|f| f.is_null(row) || !f.value(row)) || marks.is_null(row) || masks.is_null(row) {
                continue;
            }
            let mask = masks.value(row);
            let counts = &mut self.counts[group * width..(group + 1) * width];
            for (place, b) in marks.value(row).bytes().take(SESSIONS_A_WEEK).enumerate() {
                let letter = usize::from(b & 127);
                let counter = match self.counted {
                    Counted::Letters => letter,
                    Counted::Boxes => place,
                };
                counts[counter] += i64::from(mask >> place & 1 == 1 && set[letter]);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.grow(total_num_groups);
        let width = self.counted.width();
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate().filter(|(row, _)| states.is_valid(*row)) {
            let counts = &mut self.counts[group * width..(group + 1) * width];
            for (count, bytes) in counts.iter_mut().zip(states.value(row).chunks_exact(8)) {
                *count += i64::from_le_bytes(bytes.try_into().unwrap_or_default());
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(self.take(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(emit_to)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self { counted: self.counted, codes: Arc::clone(&self.codes), counts: Vec::new() };
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.counts.capacity() * 8
    }
}
