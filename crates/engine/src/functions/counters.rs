//! Counts over many registers as one value: `code_counts(register)`, how often each letter stands, and
//! `session_counts(register)`, each session's marks by measure, to be read by week, weekday or session.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BinaryViewBuilder, Int64Array, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::logical_expr::{AggregateUDF, EmitTo};
use model::SESSIONS_A_WEEK;

use super::aggregate::{Groups, Rows, aggregate};
use super::lists::Lists;
use super::session_counts::{SessionCounts, WeekCounts, write_counts};
use super::weeks::Weeks;
use crate::line_book::{LETTERS, LineBook, NumberedLines};
use crate::register::Register;

/// Bytes of a block of counts: some schools' years.
const COUNTS_BLOCK: u32 = 2 << 20;

/// `code_counts` and `session_counts`.
pub(super) fn aggregates(book: &Arc<LineBook>) -> Vec<AggregateUDF> {
    let (of_letters, of_sessions) = (Arc::clone(book), Arc::clone(book));
    let takes = vec![DataType::BinaryView];
    vec![
        aggregate("code_counts", takes.clone(), letters().data_type(), move || Letters::of(&of_letters)),
        aggregate("session_counts", takes, DataType::BinaryView, move || Sessions::of(&of_sessions)),
    ]
}

/// The registers of the rows that count, with their groups.
fn registers<'a>(values: &'a [ArrayRef], rows: Rows<'a>) -> impl Iterator<Item = (usize, Register<'a>)> {
    let registers = values[0].as_binary_view();
    rows.each().filter_map(move |(row, group)| {
        let is_there = registers.is_valid(row);
        Some((group, is_there.then(|| Register::read(registers.value(row))).flatten()?))
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

    /// Spells the lines counted out to a group.
    fn spell(&mut self, known: &NumberedLines, group: usize) {
        let letters = &mut self.groups[group];
        for number in self.lines.drain(..) {
            let times = u64::from(std::mem::take(&mut self.of_line[number as usize]));
            known.line(number).iter().for_each(|mark| letters[usize::from(mark & 127)] += times);
        }
    }
}

impl Groups for Letters {
    fn grow(&mut self, groups: usize) {
        self.groups.resize(groups, [0; LETTERS]);
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let book = Arc::clone(&self.book);
        let known = book.read();
        self.of_line.resize(known.len(), 0);
        let mut at_hand = None;
        for (group, register) in registers(values, rows) {
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

    fn add_states(&mut self, states: &ArrayRef, rows: Rows<'_>) -> Result<()> {
        for (state, group) in rows.states(states) {
            for (count, bytes) in self.groups[group].iter_mut().zip(state.chunks_exact(8)) {
                *count += u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The letters that stand anywhere, in order.
    fn values(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        let (mut found, mut sessions, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for counts in taken.take_needed(&mut self.groups) {
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

    fn states(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        let mut out = BinaryBuilder::new();
        for letters in taken.take_needed(&mut self.groups) {
            out.append_value(letters.map(u64::to_le_bytes).as_flattened());
        }
        Ok(Arc::new(out.finish()))
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

    /// Ends a batch: puts by the groups of which it has nothing.
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

impl Groups for Sessions {
    fn grow(&mut self, groups: usize) {
        self.groups.resize(groups, Group::default());
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        self.batch += 1;
        let book = Arc::clone(&self.book);
        let known = book.read();
        for (group, register) in registers(values, rows) {
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

    fn add_states(&mut self, states: &ArrayRef, rows: Rows<'_>) -> Result<()> {
        self.batch += 1;
        for (state, group) in rows.states(states) {
            self.group(group)?.add(state)?;
        }
        self.end();
        Ok(())
    }

    fn values(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        let values = self.taken(taken);
        let mut out = BinaryViewBuilder::with_capacity(values.len()).with_fixed_block_size(COUNTS_BLOCK);
        for value in values {
            out.try_append_value(value)?;
        }
        Ok(Arc::new(out.finish()))
    }

    fn states(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(BinaryArray::from_iter_values(self.taken(taken))))
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
            sessions.grow(2);
            sessions.add(&[registers.slice(from, rows)], Rows::all(&vec![0; rows])).unwrap();
            sessions.add(&[registers.slice(0, 1)], Rows::all(&[1])).unwrap();
            assert!(sessions.groups[0].weeks.each.is_empty());
        }
        elsewhere.grow(1);
        elsewhere.add(&[registers.slice(500, 500)], Rows::all(&[0; 500])).unwrap();
        sessions.add_states(&elsewhere.states(EmitTo::All).unwrap(), Rows::all(&[0])).unwrap();
        let counted = sessions.values(EmitTo::First(1)).unwrap();
        let of_other = sessions.values(EmitTo::All).unwrap();
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
