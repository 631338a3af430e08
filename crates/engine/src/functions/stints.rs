//! `stint(first_day, last_day)`: the days of a stint as one value; `stints(first_day, last_day)`: those of several
//! together.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BinaryBuilder};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::common::Result;
use datafusion::logical_expr::{AggregateUDF, EmitTo, ScalarUDF};

use super::aggregate::{Groups, Rows, aggregate, of_each_row};
use super::day_or;

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

/// `stint`, which says what `stints` says of one alone.
pub(super) fn scalar() -> ScalarUDF {
    super::scalar("stint", vec![DataType::Date32, DataType::Date32], DataType::Binary, |days, _| {
        of_each_row(Stretches::default(), days)
    })
}

/// `stints`. No first or last day: no bound on that side. A stretch that ends before it begins is none; null where
/// there is none at all.
pub(super) fn of_several() -> AggregateUDF {
    aggregate("stints", vec![DataType::Date32, DataType::Date32], DataType::Binary, Stretches::default)
}

/// The first stretch of each group, and the few further ones: nearly every child has one stint.
#[derive(Default)]
struct Stretches {
    first: Vec<Option<(i32, i32)>>,
    more: Vec<(usize, (i32, i32))>,
}

impl Stretches {
    fn stretch(&mut self, group: usize, days: (i32, i32)) {
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

impl Groups for Stretches {
    fn grow(&mut self, groups: usize) {
        self.first.resize(groups, None);
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let (first, last) = (values[0].as_primitive::<Date32Type>(), values[1].as_primitive::<Date32Type>());
        for (row, group) in rows.each() {
            self.stretch(group, (day_or(first, row, i32::MIN), day_or(last, row, i32::MAX)));
        }
        Ok(())
    }

    fn add_states(&mut self, states: &ArrayRef, rows: Rows<'_>) -> Result<()> {
        for (state, group) in rows.states(states) {
            Stints::read(state).for_each(|days| self.stretch(group, days));
        }
        Ok(())
    }

    fn states(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        Ok(self.take(taken))
    }

    fn values(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        Ok(self.take(taken))
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
        let mut groups = Stretches { first: vec![None; 3], more: Vec::new() };
        for (group, days) in [(2, (5, 9)), (0, (1, 3)), (2, (1, 5)), (1, (4, 2)), (2, (11, 12)), (0, (2, 2))] {
            groups.stretch(group, days);
        }
        let first = groups.take(EmitTo::First(1));
        let rest = groups.take(EmitTo::All);
        let read = |array: &ArrayRef, i: usize| Stints::read(array.as_binary::<i32>().value(i)).collect::<Vec<_>>();
        assert_eq!(read(&first, 0), [(1, 3)]);
        assert!(rest.is_null(0));
        assert_eq!(read(&rest, 1), [(1, 9), (11, 12)]);
    }
}
