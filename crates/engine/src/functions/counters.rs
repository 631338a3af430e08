//! Counts over many registers as one value: `code_counts(register)`, how often each letter stands, and
//! `session_counts(register)`, each session's marks by measure, to be read by week, weekday or session.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BinaryViewBuilder, BooleanArray, Int64Array, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use model::SESSIONS_A_WEEK;

use super::lists::Lists;
use super::session_counts::{SessionCounts, WeekCounts, write_counts};
use super::weeks::Weeks;
use super::{Book, counts};
use crate::line_book::{LETTERS, LineBook, NumberedLines};
use crate::register::Register;

/// Bytes of a block of counts: some schools' years.
const COUNTS_BLOCK: u32 = 2 << 20;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Letters,
    Sessions,
}

/// `code_counts` and `session_counts`.
pub(super) fn aggregates(book: &Arc<LineBook>) -> Vec<AggregateUDF> {
    let of = |counted| {
        AggregateUDF::from(CountersAggregate {
            counted,
            book: Book(Arc::clone(book)),
            signature: Signature::exact(vec![DataType::BinaryView], Volatility::Immutable),
        })
    };
    vec![of(Counted::Letters), of(Counted::Sessions)]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CountersAggregate {
    counted: Counted,
    book: Book,
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
            Counted::Letters => letters().data_type(),
            Counted::Sessions => DataType::BinaryView,
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
            Counted::Letters => Box::new(Letters::of(&self.book.0)),
            Counted::Sessions => Box::new(Sessions::of(&self.book.0)),
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

/// Counters of letters, 128 a group.
struct Letters {
    book: Arc<LineBook>,
    groups: Vec<[u64; LETTERS]>,
    /// How often each line stands in the group at hand, and which lines do: a school's children share most lines,
    /// and each is spelled out once for all of them.
    of_line: Vec<u32>,
    lines: Vec<u32>,
}

impl Letters {
    fn of(book: &Arc<LineBook>) -> Self {
        Self { book: Arc::clone(book), groups: Vec::new(), of_line: Vec::new(), lines: Vec::new() }
    }

    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, [0; LETTERS]);
    }

    /// Spells the lines counted out to a group.
    fn spell(&mut self, known: &NumberedLines, group: usize) {
        let letters = &mut self.groups[group];
        for number in self.lines.drain(..) {
            let times = u64::from(std::mem::take(&mut self.of_line[number as usize]));
            known.line(number).iter().for_each(|mark| letters[usize::from(mark & 127)] += times);
        }
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
        let book = Arc::clone(&self.book);
        let known = book.read();
        self.of_line.resize(known.len(), 0);
        let mut at_hand = None;
        for (group, register) in registers(&values[0], group_indices, filter) {
            if let Some(before) = at_hand.replace(group).filter(|before| *before != group) {
                self.spell(&known, before);
            }
            for number in register.numbers() {
                let Some(times) = self.of_line.get_mut(number as usize) else { continue };
                if *times == 0 {
                    self.lines.push(number);
                }
                *times += 1;
            }
        }
        if let Some(group) = at_hand {
            self.spell(&known, group);
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.resize(total_num_groups);
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate().filter(|(row, _)| states.is_valid(*row)) {
            let counts = &mut self.groups[*group];
            for (count, bytes) in counts.iter_mut().zip(states.value(row).chunks_exact(8)) {
                *count += u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The letters that stand anywhere, in order.
    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (mut found, mut sessions, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for counts in emit_to.take_needed(&mut self.groups) {
            let before = sessions.len();
            for (letter, count) in counts.iter().enumerate().filter(|(_, count)| 0 < **count) {
                found.push(char::from(letter as u8).to_string());
                sessions.push(*count as i64);
            }
            lengths.push(sessions.len() - before);
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(found)), Arc::new(Int64Array::from(sessions))];
        Ok(letters().array(columns, lengths, None))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut out = BinaryBuilder::new();
        for letters in emit_to.take_needed(&mut self.groups) {
            out.append_value(letters.map(u64::to_le_bytes).as_flattened());
        }
        Ok(vec![Arc::new(out.finish())])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self::of(&self.book);
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<[u64; LETTERS]>() + (self.of_line.capacity() + self.lines.capacity()) * 4
    }
}

fn letters() -> Lists {
    Lists::of(vec![Field::new("letter", DataType::Utf8, false), Field::new("sessions", DataType::Int64, false)])
}

/// A week's counters.
#[derive(Clone, Default)]
struct Week {
    boxes: WeekCounts,
    /// What the registers since the last carry add: eight bits a measure, so that a box is added at once.
    recent: [u64; SESSIONS_A_WEEK],
    /// The line of most children, by the votes of all, and of how many registers it has not been added yet.
    common: u32,
    times: u64,
    votes: u32,
}

impl Week {
    fn add(&mut self, number: u32, known: &NumberedLines) {
        if number == self.common {
            self.times += 1;
            self.votes += 1;
        } else if let Some(adds) = known.sessions(number) {
            if self.votes == 0 {
                self.add_common(known);
                (self.common, self.times, self.votes) = (number, 1, 1);
            } else {
                self.votes -= 1;
                self.recent.iter_mut().zip(adds).for_each(|(count, add)| *count += add);
            }
        }
    }

    fn add_common(&mut self, known: &NumberedLines) {
        let times = std::mem::take(&mut self.times);
        if let Some(adds) = known.sessions(self.common) {
            self.recent.iter_mut().zip(adds).for_each(|(count, add)| *count += add * times);
        }
    }

    fn carry(&mut self, known: &NumberedLines) {
        self.add_common(known);
        for (counts, recent) in self.boxes.iter_mut().zip(&mut self.recent) {
            for (count, recent) in counts.iter_mut().zip(std::mem::take(recent).to_le_bytes()) {
                *count += u32::from(recent);
            }
        }
    }
}

/// A group's counters, and for how many registers nothing has been carried; or what they came to, as a value. Counters
/// take five times as much, and registers of one school lie together.
#[derive(Clone, Default)]
struct Group {
    weeks: Weeks<Week>,
    added: u8,
    value: Vec<u8>,
    /// The batch that counted here last.
    batch: u64,
}

impl Group {
    fn carry(&mut self, known: &NumberedLines) {
        self.weeks.each.iter_mut().for_each(|week| week.carry(known));
        self.added = 0;
    }

    /// Makes a value of the counters.
    fn put_by(&mut self, known: &NumberedLines) {
        if self.value.is_empty() {
            self.carry(known);
            let Weeks { first_week, each } = std::mem::take(&mut self.weeks);
            write_counts(first_week, each.iter().map(|week| &week.boxes), &mut self.value);
            self.value.shrink_to_fit();
        }
    }

    /// Adds what a value says.
    fn add(&mut self, value: &[u8]) -> Result<()> {
        let Some(counts) = SessionCounts::read(value) else { return Ok(()) };
        let weeks = self.weeks.from(counts.first_week, counts.len)?;
        for (week, more) in weeks.iter_mut().zip(counts.weeks()) {
            let counts = week.boxes.as_flattened_mut().iter_mut();
            counts.zip(more.as_flattened()).for_each(|(count, more)| *count += more);
        }
        Ok(())
    }
}

/// Counters of sessions.
struct Sessions {
    book: Arc<LineBook>,
    groups: Vec<Group>,
    /// The groups with counters, and how many batches have been counted.
    counting: Vec<usize>,
    batch: u64,
}

impl Sessions {
    fn of(book: &Arc<LineBook>) -> Self {
        Self { book: Arc::clone(book), groups: Vec::new(), counting: Vec::new(), batch: 0 }
    }

    /// A group to count in.
    fn group(&mut self, nth: usize) -> Result<&mut Group> {
        let group = &mut self.groups[nth];
        if group.batch != self.batch {
            group.batch = self.batch;
            let value = std::mem::take(&mut group.value);
            if !value.is_empty() {
                group.add(&value)?;
            }
            self.counting.push(nth);
        }
        Ok(group)
    }

    fn begin(&mut self, groups: usize) {
        self.groups.resize(groups, Group::default());
        self.batch += 1;
    }

    /// Puts by the groups of which this batch has nothing.
    fn end(&mut self) {
        let (known, batch, groups) = (self.book.read(), self.batch, &mut self.groups);
        self.counting.sort_unstable();
        self.counting.dedup();
        self.counting.retain(|nth| {
            let is_counting = groups[*nth].batch == batch;
            if !is_counting {
                groups[*nth].put_by(&known);
            }
            is_counting
        });
    }

    fn taken(&mut self, emit: EmitTo) -> Vec<Vec<u8>> {
        let taken = emit.take_needed(&mut self.groups);
        let counting = std::mem::take(&mut self.counting).into_iter();
        self.counting = counting.filter_map(|nth| nth.checked_sub(taken.len())).collect();
        let known = self.book.read();
        let value = |mut group: Group| {
            group.put_by(&known);
            group.value
        };
        taken.into_iter().map(value).collect()
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
        self.begin(total_num_groups);
        let book = Arc::clone(&self.book);
        let known = book.read();
        for (group, register) in registers(&values[0], group_indices, filter) {
            let group = self.group(group)?;
            let weeks = group.weeks.from(register.first_week, register.weeks())?;
            for (week, number) in weeks.iter_mut().zip(register.numbers()) {
                week.add(number, &known);
            }
            group.added += 1;
            if group.added == u8::MAX {
                group.carry(&known);
            }
        }
        drop(known);
        self.end();
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.begin(total_num_groups);
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate().filter(|(row, _)| states.is_valid(*row)) {
            self.group(*group)?.add(states.value(row))?;
        }
        self.end();
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let values = self.taken(emit_to);
        let mut out = BinaryViewBuilder::with_capacity(values.len()).with_fixed_block_size(COUNTS_BLOCK);
        for value in values {
            out.try_append_value(value)?;
        }
        Ok(Arc::new(out.finish()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(BinaryArray::from_iter_values(self.taken(emit_to)))])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self::of(&self.book);
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        let of_group = |group: &Group| group.weeks.size() + group.value.capacity();
        self.groups.iter().map(of_group).sum::<usize>() + self.groups.capacity() * size_of::<Group>()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::BinaryViewArray;
    use model::CodeTable;

    use super::*;
    use crate::line_book::MEASURES;

    #[test]
    fn a_session_counts_every_register_whatever_line_is_common() {
        let codes = CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        let book = Arc::new(LineBook::of(&codes));
        let lines = [*b"/\\/\\/\\/\\/\\....", *b"/IIU/\\L#......", *b"I.............", *b".............."];
        // One line is common for a time, then another; more of both than eight bits hold.
        let of = |i: usize| match i {
            0..400 if !i.is_multiple_of(3) => 0,
            400.. if !i.is_multiple_of(5) => 1,
            _ => i % 4,
        };
        let registers: BinaryViewArray =
            (0..1_000).map(|i| Some([&7i32.to_le_bytes()[..], &lines[of(i)]].concat())).collect();
        let registers = Arc::new(book.number_registers(&registers).unwrap()) as ArrayRef;
        // In three batches, between which the group rests, and half of it counted elsewhere.
        let (mut sessions, mut elsewhere) = (Sessions::of(&book), Sessions::of(&book));
        for (from, rows) in [(0, 300), (300, 200)] {
            sessions.update_batch(&[registers.slice(from, rows)], &vec![0; rows], None, 2).unwrap();
            sessions.update_batch(&[registers.slice(0, 1)], &[1], None, 2).unwrap();
            assert!(sessions.groups[0].weeks.each.is_empty());
        }
        elsewhere.update_batch(&[registers.slice(500, 500)], &[0; 500], None, 1).unwrap();
        sessions.merge_batch(&elsewhere.state(EmitTo::All).unwrap(), &[0], 2).unwrap();
        let counted = sessions.evaluate(EmitTo::First(1)).unwrap();
        let of_other = sessions.evaluate(EmitTo::All).unwrap();
        assert_eq!(SessionCounts::read(of_other.as_binary_view().value(0)).unwrap().weeks().count(), 1);
        let counted = SessionCounts::read(counted.as_binary_view().value(0)).unwrap();
        let weeks: Vec<WeekCounts> = counted.weeks().collect();
        assert_eq!((counted.first_week, weeks.len()), (7, 1));
        let measure = |name: &str| MEASURES.iter().position(|measure| *measure == name).unwrap();
        for (place, counts) in weeks[0].iter().enumerate() {
            let marked = |marks: &str| (0..1_000).filter(|i| marks.contains(char::from(lines[of(*i)][place]))).count();
            assert_eq!(counts[measure("possible")] as usize, marked("/\\ILU"), "box {place}");
            assert_eq!(counts[measure("unauthorised")] as usize, marked("U"), "box {place}");
        }
    }
}
