//! Counts over many registers as one value: `code_counts(register)`, how often each letter stands, and
//! `session_counts(register)`, each session's marks by measure.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Date32Array, Int32Array, Int64Array, ListArray,
    StringArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, exec_err, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ScalarUDF, Signature, Volatility,
};
use model::{CodeTable, SESSIONS_A_WEEK};

use super::register::Register;
use super::tally::{BLANK_WEEKEND, TALLIED, week_of};
use super::{counts, scalar};
use crate::registers::MOST_WEEKS;

/// Letters a line may hold.
const LETTERS: usize = 128;
/// Counters of a session: the measures of [`TALLIED`] and how often N stands.
const MEASURES: usize = TALLIED.len() + 1;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Letters,
    Sessions,
}

/// `code_counts` and `session_counts`.
pub fn aggregates(codes: &Arc<CodeTable>) -> Vec<AggregateUDF> {
    let of = |counted| {
        AggregateUDF::from(CountersAggregate {
            counted,
            codes: Codes(Arc::clone(codes)),
            signature: Signature::exact(vec![DataType::BinaryView], Volatility::Immutable),
        })
    };
    vec![of(Counted::Letters), of(Counted::Sessions)]
}

/// `count_of(code_counts, letter)`.
pub fn scalars() -> Vec<ScalarUDF> {
    let takes = vec![DataType::Binary, DataType::Utf8];
    vec![scalar("count_of", takes, DataType::Int64, |a: &[ArrayRef], _| {
        let letters = a[1].as_string::<i32>();
        let count = |(i, bytes): (usize, Option<&[u8]>)| {
            let place = usize::from(*letters.value(i).as_bytes().first()?);
            let at = bytes?.get(place * 8..place * 8 + 8)?;
            Some(i64::from_le_bytes(at.try_into().ok()?))
        };
        Ok(Arc::new(a[0].as_binary::<i32>().iter().enumerate().map(count).collect::<Int64Array>()))
    })]
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
            Counted::Sessions => "session_counts",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.counted {
            Counted::Letters => DataType::Binary,
            Counted::Sessions => DataType::List(session_field()),
        })
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
        Ok(match self.counted {
            Counted::Letters => Box::new(Letters::default()),
            Counted::Sessions => Box::new(Sessions::of(&self.codes.0)),
        })
    }
}

/// The registers of the rows that count, with their groups.
fn registers<'a>(
    values: &'a ArrayRef,
    group_indices: &'a [usize],
    filter: Option<&'a BooleanArray>,
) -> impl Iterator<Item = (usize, Register<'a>)> {
    let registers = values.as_binary_view();
    group_indices.iter().enumerate().filter_map(move |(row, group)| {
        let is_there = registers.is_valid(row) && counts(filter, row);
        Some((*group, is_there.then(|| Register::read(registers.value(row))).flatten()?))
    })
}

/// A group's counters of letters. Neighbouring boxes often hold one letter: four tables, so that no count waits for
/// the one before.
type Tables = [[u64; LETTERS]; 4];

/// Counters of letters, 128 a group.
#[derive(Default)]
struct Letters {
    groups: Vec<Tables>,
}

impl Letters {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, [[0; LETTERS]; 4]);
    }

    fn take(&mut self, emit: EmitTo) -> BinaryArray {
        let mut out = BinaryBuilder::new();
        for tables in emit.take_needed(&mut self.groups) {
            let count = |letter: usize| tables.iter().map(|t| t[letter] as i64).sum::<i64>();
            out.append_value((0..LETTERS).flat_map(|letter| count(letter).to_le_bytes()).collect::<Vec<u8>>());
        }
        out.finish()
    }
}

impl GroupsAccumulator for Letters {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        for (group, register) in registers(&values[0], group_indices, filter) {
            let tables = &mut self.groups[group];
            let (lines, _) = register.boxes.as_chunks::<SESSIONS_A_WEEK>();
            for line in lines {
                let (days, weekend) = week_of(line);
                for (i, b) in days.iter().enumerate() {
                    tables[i % 4][usize::from(b & 127)] += 1;
                }
                if *weekend != BLANK_WEEKEND {
                    weekend.iter().for_each(|b| tables[0][usize::from(b & 127)] += 1);
                }
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.resize(total_num_groups);
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate().filter(|(row, _)| states.is_valid(*row)) {
            let counts = &mut self.groups[*group][0];
            for (count, bytes) in counts.iter_mut().zip(states.value(row).chunks_exact(8)) {
                *count += u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(self.take(emit_to)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(self.take(emit_to))])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self::default();
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Tables>()
    }
}

fn session_fields() -> Fields {
    let count = |name: &&str| Field::new(*name, DataType::Int32, false);
    Fields::from_iter(
        [
            Field::new("week_start", DataType::Date32, false),
            Field::new("date", DataType::Date32, false),
            Field::new("session", DataType::Utf8, false),
        ]
        .into_iter()
        .chain(TALLIED.iter().map(count))
        .chain([Field::new("n", DataType::Int32, false)]),
    )
}

fn session_field() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(session_fields()), true))
}

/// A group's counters: from its first Monday, [`MEASURES`] for each box.
#[derive(Clone, Default)]
struct Days {
    first_week: i32,
    boxes: Vec<[u32; MEASURES]>,
    /// What the registers since the last carry add: half as wide, so that a box's counters are added at once.
    recent: Vec<[u16; MEASURES]>,
    added: u16,
}

impl Days {
    /// Makes room for so many boxes from a Monday on, and says where they begin.
    fn room(&mut self, week: i32, boxes: usize) -> Result<usize> {
        if boxes == 0 {
            return Ok(self.boxes.len());
        }
        if self.boxes.is_empty() {
            self.first_week = week;
        }
        let most = MOST_WEEKS as usize * SESSIONS_A_WEEK;
        let before = (i64::from(self.first_week) - i64::from(week)).max(0) as usize / 7 * SESSIONS_A_WEEK;
        let at = (i64::from(week) - i64::from(self.first_week)).max(0) as usize / 7 * SESSIONS_A_WEEK;
        if most < before + self.boxes.len() || most < at + boxes {
            return exec_err!("a register of more than {MOST_WEEKS} weeks");
        }
        if 0 < before {
            self.boxes.splice(0..0, std::iter::repeat_n([0; MEASURES], before));
            self.recent.splice(0..0, std::iter::repeat_n([0; MEASURES], before));
            self.first_week = week;
        }
        if self.boxes.len() < at + boxes {
            self.boxes.resize(at + boxes, [0; MEASURES]);
            self.recent.resize(at + boxes, [0; MEASURES]);
        }
        Ok(at)
    }

    fn carry(&mut self) {
        for (counts, recent) in self.boxes.iter_mut().zip(&mut self.recent) {
            for (count, recent) in counts.iter_mut().zip(std::mem::take(recent)) {
                *count += u32::from(recent);
            }
        }
        self.added = 0;
    }
}

/// Counters of sessions.
struct Sessions {
    /// What each letter adds.
    adds: [[u16; MEASURES]; LETTERS],
    groups: Vec<Days>,
}

impl Sessions {
    fn of(codes: &CodeTable) -> Self {
        let mut adds = [[0u16; MEASURES]; LETTERS];
        for (place, name) in TALLIED.iter().copied().chain(["codes:N"]).enumerate() {
            for (letter, inside) in codes.set(name).unwrap_or([false; LETTERS]).iter().enumerate() {
                adds[letter][place] = u16::from(*inside);
            }
        }
        Self { adds, groups: Vec::new() }
    }

    fn taken(&mut self, emit: EmitTo) -> Vec<Days> {
        let mut taken = emit.take_needed(&mut self.groups);
        taken.iter_mut().for_each(Days::carry);
        taken
    }
}

fn add(adds: &[[u16; MEASURES]; LETTERS], counts: &mut [u16; MEASURES], mark: u8) {
    for (count, add) in counts.iter_mut().zip(&adds[usize::from(mark & 127)]) {
        *count += add;
    }
}

impl GroupsAccumulator for Sessions {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize(total_num_groups, Days::default());
        for (group, register) in registers(&values[0], group_indices, filter) {
            let group = &mut self.groups[group];
            let at = group.room(register.first_day, register.boxes.len())?;
            let (lines, _) = register.boxes.as_chunks::<SESSIONS_A_WEEK>();
            let (weeks, _) = group.recent[at..].as_chunks_mut::<SESSIONS_A_WEEK>();
            for (counters, line) in weeks.iter_mut().zip(lines) {
                let (days, weekend) = week_of(line);
                for (counts, mark) in counters.iter_mut().zip(days) {
                    add(&self.adds, counts, *mark);
                }
                if *weekend != BLANK_WEEKEND {
                    counters[days.len()..]
                        .iter_mut()
                        .zip(weekend)
                        .for_each(|(counts, mark)| add(&self.adds, counts, *mark));
                }
            }
            group.added += 1;
            if group.added == u16::MAX {
                group.carry();
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize(total_num_groups, Days::default());
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate().filter(|(row, _)| states.is_valid(*row)) {
            let Some((week, counters)) = states.value(row).split_first_chunk::<4>() else { continue };
            let boxes = counters.chunks_exact(4 * MEASURES);
            let group = &mut self.groups[*group];
            let at = group.room(i32::from_le_bytes(*week), boxes.len())?;
            for (counts, bytes) in group.boxes[at..].iter_mut().zip(boxes) {
                for (count, n) in counts.iter_mut().zip(bytes.chunks_exact(4)) {
                    *count += u32::from_le_bytes(n.try_into().unwrap_or_default());
                }
            }
        }
        Ok(())
    }

    /// The sessions of which anything is recorded, in order.
    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (mut weeks, mut dates, mut halves, mut lengths) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut columns: [Vec<i32>; MEASURES] = std::array::from_fn(|_| Vec::new());
        for group in self.taken(emit_to) {
            let before = dates.len();
            for (i, counts) in group.boxes.iter().enumerate().filter(|(_, c)| **c != [0; MEASURES]) {
                weeks.push(group.first_week + (i / SESSIONS_A_WEEK * 7) as i32);
                dates.push(group.first_week + (i / 2) as i32);
                halves.push(if i % 2 == 0 { "AM" } else { "PM" });
                for (column, count) in columns.iter_mut().zip(counts) {
                    column.push(*count as i32);
                }
            }
            lengths.push(dates.len() - before);
        }
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Date32Array::from(weeks)),
            Arc::new(Date32Array::from(dates)),
            Arc::new(StringArray::from(halves)),
        ];
        let counts = columns.into_iter().map(|c| Arc::new(Int32Array::from(c)) as ArrayRef);
        let values = StructArray::new(session_fields(), arrays.into_iter().chain(counts).collect(), None);
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::new(session_field(), offsets, Arc::new(values), None)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut out = BinaryBuilder::new();
        for group in self.taken(emit_to) {
            let mut bytes = Vec::with_capacity(4 + group.boxes.len() * 4 * MEASURES);
            bytes.extend_from_slice(&group.first_week.to_le_bytes());
            bytes.extend(group.boxes.iter().flatten().flat_map(|n| n.to_le_bytes()));
            out.append_value(bytes);
        }
        Ok(vec![Arc::new(out.finish())])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self { adds: self.adds, groups: Vec::new() };
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        let boxes: usize = self.groups.iter().map(|g| g.boxes.capacity()).sum();
        boxes * (size_of::<[u32; MEASURES]>() + size_of::<[u16; MEASURES]>())
            + self.groups.capacity() * size_of::<Days>()
    }
}
