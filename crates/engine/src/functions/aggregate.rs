//! Aggregates of our own: what each group of rows comes to, worked out in parts that are put together.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::Named;

/// What has been made of each group so far; the groups are numbered from 0.
pub(super) trait Groups: Send + 'static {
    /// There are so many groups now: no fewer than before, less those that were taken.
    fn grow(&mut self, groups: usize);

    /// Adds the rows that count.
    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()>;

    /// Adds what another part made of the groups of these rows, as its [`states`](Self::states) say.
    fn add_states(&mut self, states: &ArrayRef, rows: Rows<'_>) -> Result<()>;

    /// Takes groups out as states to exchange.
    fn states(&mut self, taken: EmitTo) -> Result<ArrayRef>;

    /// Takes groups out as what they come to.
    fn values(&mut self, taken: EmitTo) -> Result<ArrayRef>;

    /// Bytes that are held.
    fn size(&self) -> usize;
}

/// The rows of a batch that count, and the group of each.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    groups: &'a [usize],
    filter: Option<&'a BooleanArray>,
}

impl<'a> Rows<'a> {
    /// Every row, in these groups.
    pub(super) fn all(groups: &'a [usize]) -> Self {
        Self { groups, filter: None }
    }

    /// Each row, with its group.
    pub(super) fn each(self) -> impl Iterator<Item = (usize, usize)> + 'a {
        let counts = move |row: usize| self.filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        self.groups.iter().copied().enumerate().filter(move |(row, _)| counts(*row))
    }

    /// Each state there is, with its group.
    pub(super) fn states(self, states: &'a ArrayRef) -> impl Iterator<Item = (&'a [u8], usize)> {
        let states = states.as_binary::<i32>();
        self.each().filter(|(row, _)| states.is_valid(*row)).map(|(row, group)| (states.value(row), group))
    }
}

type Begin = dyn Fn() -> Box<dyn Groups> + Send + Sync;

/// An aggregate of fixed types.
struct Aggregate {
    gives: DataType,
    signature: Signature,
    begin: Arc<Begin>,
}

/// Makes an aggregate of fixed types known to SQL; `begin` gives it no groups to begin with.
pub(super) fn aggregate<G: Groups>(
    name: &'static str,
    takes: Vec<DataType>,
    gives: DataType,
    begin: impl Fn() -> G + Send + Sync + 'static,
) -> AggregateUDF {
    let signature = Signature::exact(takes, Volatility::Immutable);
    let function = Aggregate { gives, signature, begin: Arc::new(move || Box::new(begin())) };
    AggregateUDF::from(Named { name, function })
}

impl AggregateUDFImpl for Named<Aggregate> {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.function.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.function.gives.clone())
    }

    /// States are contiguous bytes: views share their buffers, and what is exchanged between cores would be counted
    /// once for each of its parts.
    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[{}]", args.name, self.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("{}() without GROUP BY", self.name)
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Grouping { groups: (self.function.begin)(), begin: Arc::clone(&self.function.begin) }))
    }
}

/// Groups as the engine works with them.
struct Grouping {
    groups: Box<dyn Groups>,
    begin: Arc<Begin>,
}

impl GroupsAccumulator for Grouping {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.grow(total_num_groups);
        self.groups.add(values, Rows { groups, filter })
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.grow(total_num_groups);
        self.groups.add_states(&values[0], Rows::all(groups))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.groups.values(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.groups.states(emit_to)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        Ok(vec![each_alone((self.begin)(), values, filter)?])
    }

    fn size(&self) -> usize {
        self.groups.size()
    }
}

/// The state of each row as a group of its own.
fn each_alone(mut groups: Box<dyn Groups>, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<ArrayRef> {
    let rows: Vec<usize> = (0..values.first().map_or(0, |column| column.len())).collect();
    groups.grow(rows.len());
    groups.add(values, Rows { groups: &rows, filter })?;
    groups.states(EmitTo::All)
}

/// What each row alone comes to, of groups whose states are their values.
pub(super) fn of_each_row(groups: impl Groups, values: &[ArrayRef]) -> Result<ArrayRef> {
    each_alone(Box::new(groups), values, None)
}
