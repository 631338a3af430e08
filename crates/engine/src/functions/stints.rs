//! `stint(first_day, last_day)`: the days of a stint as one value; `stints(first_day, last_day)`: those of several
//! together.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, FieldRef};
use datafusion::common::{Result, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ScalarUDF, Signature, Volatility,
};

use super::{counts, day_or};

/// Stretches of days as a value: pairs of first and last day, four bytes each, least first, in order and apart
/// from one another.
pub struct Stints;

impl Stints {
    /// The stretches of a value.
    pub fn read(bytes: &[u8]) -> impl Iterator<Item = (i32, i32)> + '_ {
        let day = |b: &[u8]| i32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        bytes.chunks_exact(8).map(move |pair| (day(&pair[..4]), day(&pair[4..])))
    }

    pub(super) fn value(days: &mut [(i32, i32)]) -> Vec<u8> {
        days.sort_unstable();
        let mut apart: Vec<(i32, i32)> = Vec::with_capacity(days.len());
        for (first, last) in days.iter().copied() {
            match apart.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => apart.push((first, last)),
            }
        }
        apart.iter().flat_map(|(first, last)| [first.to_le_bytes(), last.to_le_bytes()]).flatten().collect()
    }
}

/// The function of one stint, which says what the aggregate says of it alone.
pub fn scalar() -> ScalarUDF {
    super::scalar("stint", vec![DataType::Date32, DataType::Date32], DataType::Binary, |days, _| {
        let each = Groups::default().convert_to_state(days, None)?;
        Ok(Arc::clone(&each[0]))
    })
}

/// The aggregate. No first or last day: no bound on that side. A stretch that ends before it begins is none; null
/// where there is none at all.
pub fn aggregate() -> AggregateUDF {
    AggregateUDF::from(StintsAggregate {
        signature: Signature::exact(vec![DataType::Date32, DataType::Date32], Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StintsAggregate {
    signature: Signature,
}

impl AggregateUDFImpl for StintsAggregate {
    fn name(&self) -> &str {
        "stints"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[stints]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("stints() without GROUP BY")
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::default()))
    }
}

/// The first stretch of each group, and the few further ones: nearly every child has one stint.
#[derive(Default)]
struct Groups {
    first: Vec<Option<(i32, i32)>>,
    more: Vec<(usize, (i32, i32))>,
}

impl Groups {
    fn add(&mut self, group: usize, days: (i32, i32)) {
        if days.1 < days.0 {
            return;
        }
        match self.first[group] {
            None => self.first[group] = Some(days),
            Some(_) => self.more.push((group, days)),
        }
    }

    fn take(&mut self, emit: EmitTo) -> ArrayRef {
        let firsts = emit.take_needed(&mut self.first);
        self.more.sort_unstable();
        let taken = self.more.partition_point(|(group, _)| *group < firsts.len());
        let mut more = self.more.drain(..taken).peekable();
        let mut out = BinaryBuilder::with_capacity(firsts.len(), firsts.len() * 8);
        for (group, first) in firsts.iter().enumerate() {
            let mut days: Vec<(i32, i32)> = first.iter().copied().collect();
            while let Some((_, further)) = more.next_if(|(of, _)| *of == group) {
                days.push(further);
            }
            match days.is_empty() {
                true => out.append_null(),
                false => out.append_value(Stints::value(&mut days)),
            }
        }
        drop(more);
        for (group, _) in &mut self.more {
            *group -= firsts.len();
        }
        Arc::new(out.finish())
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.first.resize(total_num_groups, None);
        let (first, last) = (values[0].as_primitive::<Date32Type>(), values[1].as_primitive::<Date32Type>());
        for (row, group) in group_indices.iter().enumerate() {
            if counts(filter, row) {
                self.add(*group, (day_or(first, row, i32::MIN), day_or(last, row, i32::MAX)));
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.first.resize(total_num_groups, None);
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate().filter(|(row, _)| states.is_valid(*row)) {
            for days in Stints::read(states.value(row)) {
                self.add(*group, days);
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
        let mut each = Self::default();
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.first.capacity() * size_of::<Option<(i32, i32)>>()
            + self.more.capacity() * size_of::<(usize, (i32, i32))>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stints_that_touch_the_same_day_are_one_and_empty_ones_none() {
        let mut groups = Groups { first: vec![None; 3], more: Vec::new() };
        for (group, days) in [(2, (5, 9)), (0, (1, 3)), (2, (1, 5)), (1, (4, 2)), (2, (11, 12)), (0, (2, 2))] {
            groups.add(group, days);
        }
        let first = groups.take(EmitTo::First(1));
        let rest = groups.take(EmitTo::All);
        let read = |array: &ArrayRef, i: usize| Stints::read(array.as_binary::<i32>().value(i)).collect::<Vec<_>>();
        assert_eq!(read(&first, 0), [(1, 3)]);
        assert!(rest.is_null(0));
        assert_eq!(read(&rest, 1), [(1, 9), (11, 12)]);
    }
}
