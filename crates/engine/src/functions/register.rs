//! Functions over a child's whole register: lines gathered into one value, in any order, and read as days.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Date32Array, Date32Builder, Int32Array,
    Int32Builder, ListArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Fields, Int32Type};
use datafusion::common::{Result, exec_err, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ScalarUDF, Signature, Volatility,
};
use model::{BLANK, CodeTable, SESSIONS_A_WEEK};

use super::boxes::named_set;
use super::scalar;

/// More weeks than any register has: a date that went wrong is refused, not allocated.
const MOST_WEEKS: i32 = 53 * 30;

/// A register while it is gathered: the Monday of its first week, and a line a week.
#[derive(Clone, Default)]
struct Gathered {
    first_week: i32,
    lines: Vec<u8>,
}

impl Gathered {
    fn add(&mut self, week: i32, marks: &[u8]) -> Result<()> {
        if self.lines.is_empty() {
            self.first_week = week;
        }
        if week < self.first_week {
            let weeks = (self.first_week - week) / 7;
            if MOST_WEEKS < weeks {
                return exec_err!("a register of more than {MOST_WEEKS} weeks");
            }
            let mut lines = vec![BLANK; weeks as usize * SESSIONS_A_WEEK];
            lines.append(&mut self.lines);
            (self.first_week, self.lines) = (week, lines);
        }
        let at = (week - self.first_week) / 7;
        if MOST_WEEKS < at {
            return exec_err!("a register of more than {MOST_WEEKS} weeks");
        }
        let at = at as usize * SESSIONS_A_WEEK;
        if self.lines.len() < at + marks.len() {
            self.lines.resize(at + marks.len().next_multiple_of(SESSIONS_A_WEEK), BLANK);
        }
        for (now, mark) in self.lines[at..].iter_mut().zip(marks) {
            if *mark != BLANK {
                *now = *mark;
            }
        }
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = self.first_week.to_le_bytes().to_vec();
        out.extend_from_slice(&self.lines);
        out
    }
}

/// A gathered register, read.
#[derive(Clone, Copy)]
struct Register<'a> {
    first_day: i32,
    boxes: &'a [u8],
}

impl<'a> Register<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (week, boxes) = bytes.split_first_chunk::<4>()?;
        Some(Self { first_day: i32::from_le_bytes(*week), boxes })
    }

    /// Each day and its two boxes.
    fn days(self) -> impl Iterator<Item = (i32, [u8; 2])> {
        let pair = |b: &[u8]| [b[0], *b.get(1).unwrap_or(&BLANK)];
        self.boxes.chunks(2).enumerate().map(move |(i, b)| (self.first_day + i as i32, pair(b)))
    }
}

/// A run of school days on which every mark lies in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first_day: i32,
    last_day: i32,
    /// The day on which it became as long as asked for.
    reached_on: i32,
    days: i32,
    sessions: i32,
    /// The day on which another mark ended it; none: nothing after it yet.
    ended_on: Option<i32>,
}

/// Runs of at least `least` days. Blanks and marks that are administrative are passed over, and so is a day
/// on which nothing else is left; any other mark ends the run.
fn runs(register: Register<'_>, inside: &[bool; 128], neutral: &[bool; 128], least: i32) -> Vec<Run> {
    let mut found = Vec::new();
    let mut now: Option<Run> = None;
    for (day, boxes) in register.days() {
        let mut sessions = 0;
        let mut broken = false;
        for mark in boxes {
            if mark == BLANK || neutral[usize::from(mark & 127)] {
                continue;
            }
            if inside[usize::from(mark & 127)] {
                sessions += 1;
            } else {
                broken = true;
            }
        }
        if broken {
            if let Some(run) = now.take().filter(|r| least <= r.days) {
                found.push(Run { ended_on: Some(day), ..run });
            }
        } else if 0 < sessions {
            let run = now.get_or_insert(Run {
                first_day: day,
                last_day: day,
                reached_on: day,
                days: 0,
                sessions: 0,
                ended_on: None,
            });
            run.last_day = day;
            run.days += 1;
            run.sessions += sessions;
            if run.days <= least {
                run.reached_on = day;
            }
        }
    }
    found.extend(now.filter(|r| least <= r.days));
    found
}

/// So many sessions within so many school weeks in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reached {
    /// The day of the session that made it enough.
    reached_on: i32,
    /// The first session of that window.
    first_day: i32,
    /// The last session of the last window that has enough.
    last_day: i32,
    /// Sessions of the fullest window.
    sessions: i32,
}

/// The windows of `weeks` successive school weeks with at least `least` marks, as far as their last mark is on
/// or after day `from`. A school week is one with a box in `open` (or a mark); the others do not count.
fn in_weeks(marks: Register<'_>, open: Option<Register<'_>>, least: i32, weeks: usize, from: i32) -> Option<Reached> {
    let mut by_week: std::collections::BTreeMap<i32, Vec<i32>> = std::collections::BTreeMap::new();
    let lines = |r: Register<'_>| -> Vec<(i32, Vec<i32>)> {
        let days = |(i, line): (usize, &[u8])| {
            let week = r.first_day + 7 * i as i32;
            (week, line.iter().enumerate().filter(|(_, b)| **b != BLANK).map(|(at, _)| week + at as i32 / 2).collect())
        };
        r.boxes.chunks(SESSIONS_A_WEEK).enumerate().map(days).collect()
    };
    for (week, days) in open.map(lines).unwrap_or_default() {
        if !days.is_empty() {
            by_week.insert(week, Vec::new());
        }
    }
    for (week, days) in lines(marks).into_iter().filter(|(_, days)| !days.is_empty()) {
        by_week.insert(week, days);
    }
    let school_weeks: Vec<&Vec<i32>> = by_week.values().collect();
    let mut found: Option<Reached> = None;
    for (i, this) in school_weeks.iter().enumerate() {
        let window = &school_weeks[(i + 1).saturating_sub(weeks)..=i];
        let sessions: i32 = window.iter().map(|days| days.len() as i32).sum();
        let Some(last) = this.last().copied().filter(|last| from <= *last && least <= sessions) else { continue };
        let before = sessions - this.len() as i32;
        let nth = usize::try_from(least - before - 1).unwrap_or(0);
        let first = window.iter().flat_map(|days| days.iter()).next().copied().unwrap_or(last);
        let reached = found.get_or_insert(Reached {
            reached_on: this.get(nth).copied().unwrap_or(last),
            first_day: first,
            last_day: last,
            sessions,
        });
        reached.last_day = last;
        reached.sessions = reached.sessions.max(sessions);
    }
    found
}

fn reached_fields() -> Fields {
    let day = |name: &str| Field::new(name, DataType::Date32, true);
    Fields::from(vec![
        day("reached_on"),
        day("first_day"),
        day("last_day"),
        Field::new("sessions", DataType::Int32, true),
    ])
}

fn run_fields() -> Fields {
    Fields::from(vec![
        Field::new("first_day", DataType::Date32, true),
        Field::new("last_day", DataType::Date32, true),
        Field::new("reached_on", DataType::Date32, true),
        Field::new("days", DataType::Int32, true),
        Field::new("sessions", DataType::Int32, true),
        Field::new("ended_on", DataType::Date32, true),
    ])
}

/// `in_weeks`, `runs`, `nth_day`, `days_with` and `sessions_with`.
pub fn scalars(codes: &Arc<CodeTable>) -> Vec<ScalarUDF> {
    let neutral = codes.set("administrative").unwrap_or([false; 128]);
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Struct(run_fields()), true)));
    let with_codes = Arc::clone(codes);
    let runs_udf =
        scalar("runs", vec![DataType::Binary, DataType::Utf8, DataType::Int32], list, move |a: &[ArrayRef], _| {
            let inside = named_set(&with_codes, &a[1])?;
            let least = a[2].as_primitive::<Int32Type>();
            let found = a[0].as_binary::<i32>().iter().enumerate().map(|(i, bytes)| {
                let register = bytes.and_then(Register::read);
                register.map_or_else(Vec::new, |r| runs(r, &inside, &neutral, least.value(i)))
            });
            Ok(as_list(found.collect()))
        });
    let with_codes = Arc::clone(codes);
    let nth_day = scalar(
        "nth_day",
        vec![DataType::Binary, DataType::Utf8, DataType::Int32],
        DataType::Date32,
        move |a: &[ArrayRef], _| {
            let inside = named_set(&with_codes, &a[1])?;
            let n = a[2].as_primitive::<Int32Type>();
            let days: Date32Array = a[0]
                .as_binary::<i32>()
                .iter()
                .enumerate()
                .map(|(i, bytes)| {
                    let nth = usize::try_from(n.value(i) - 1).ok()?;
                    days_inside(Register::read(bytes?)?, &inside).map(|(day, _)| day).nth(nth)
                })
                .collect();
            Ok(Arc::new(days))
        },
    );
    let counted = |name: &'static str, count_days: bool| {
        let codes = Arc::clone(codes);
        scalar(
            name,
            vec![DataType::Binary, DataType::Utf8, DataType::Date32, DataType::Date32],
            DataType::Int32,
            move |a: &[ArrayRef], _| {
                let inside = named_set(&codes, &a[1])?;
                let (first, last) = (a[2].as_primitive::<Date32Type>(), a[3].as_primitive::<Date32Type>());
                let counts: Int32Array = a[0]
                    .as_binary::<i32>()
                    .iter()
                    .enumerate()
                    .map(|(i, bytes)| {
                        let first = if first.is_null(i) { i32::MIN } else { first.value(i) };
                        let last = if last.is_null(i) { i32::MAX } else { last.value(i) };
                        let days = days_inside(Register::read(bytes?)?, &inside);
                        let days = days.filter(|(day, _)| first <= *day && *day <= last);
                        Some(days.map(|(_, sessions)| if count_days { 1 } else { sessions }).sum())
                    })
                    .collect();
                Ok(Arc::new(counts))
            },
        )
    };
    let in_weeks_udf = scalar(
        "in_weeks",
        vec![DataType::Binary, DataType::Binary, DataType::Int32, DataType::Int32, DataType::Date32],
        DataType::Struct(reached_fields()),
        |a: &[ArrayRef], rows| {
            let (marks, open) = (a[0].as_binary::<i32>(), a[1].as_binary::<i32>());
            let (least, weeks) = (a[2].as_primitive::<Int32Type>(), a[3].as_primitive::<Int32Type>());
            let from = a[4].as_primitive::<Date32Type>();
            let found: Vec<Option<Reached>> = (0..rows)
                .map(|i| {
                    let register = |b: &BinaryArray| b.is_valid(i).then(|| b.value(i).to_vec());
                    let (marks, open) = (register(marks)?, register(open));
                    let open = open.as_deref().and_then(Register::read);
                    let weeks = usize::try_from(weeks.value(i)).ok()?;
                    in_weeks(Register::read(&marks)?, open, least.value(i), weeks, from.value(i))
                })
                .collect();
            let day = |f: fn(&Reached) -> i32| {
                Arc::new(found.iter().map(|r| r.as_ref().map(f)).collect::<Date32Array>()) as ArrayRef
            };
            let sessions = Arc::new(found.iter().map(|r| r.map(|r| r.sessions)).collect::<Int32Array>()) as ArrayRef;
            let columns = vec![day(|r| r.reached_on), day(|r| r.first_day), day(|r| r.last_day), sessions];
            Ok(Arc::new(StructArray::new(reached_fields(), columns, None)))
        },
    );
    vec![in_weeks_udf, runs_udf, nth_day, counted("days_with", true), counted("sessions_with", false)]
}

/// Days with at least one mark in a set, and how many.
fn days_inside<'a>(register: Register<'a>, inside: &'a [bool; 128]) -> impl Iterator<Item = (i32, i32)> + 'a {
    register
        .days()
        .map(|(day, boxes)| (day, boxes.iter().filter(|b| inside[usize::from(**b & 127)]).count() as i32))
        .filter(|(_, sessions)| 0 < *sessions)
}

fn as_list(found: Vec<Vec<Run>>) -> ArrayRef {
    let offsets = OffsetBuffer::from_lengths(found.iter().map(Vec::len));
    let (mut first, mut last, mut reached, mut ended) =
        (Date32Builder::new(), Date32Builder::new(), Date32Builder::new(), Date32Builder::new());
    let (mut days, mut sessions) = (Int32Builder::new(), Int32Builder::new());
    for run in found.iter().flatten() {
        first.append_value(run.first_day);
        last.append_value(run.last_day);
        reached.append_value(run.reached_on);
        days.append_value(run.days);
        sessions.append_value(run.sessions);
        ended.append_option(run.ended_on);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(first.finish()),
        Arc::new(last.finish()),
        Arc::new(reached.finish()),
        Arc::new(days.finish()),
        Arc::new(sessions.finish()),
        Arc::new(ended.finish()),
    ];
    let values = StructArray::new(run_fields(), columns, None);
    let field = Arc::new(Field::new_list_field(DataType::Struct(run_fields()), true));
    Arc::new(ListArray::new(field, offsets, Arc::new(values), None))
}

/// `register(marks, week_start)`: lines of one group as one value. Order does not matter.
pub fn aggregate() -> AggregateUDF {
    AggregateUDF::from(RegisterAggregate {
        signature: Signature::exact(vec![DataType::Utf8, DataType::Date32], Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RegisterAggregate {
    signature: Signature,
}

impl AggregateUDFImpl for RegisterAggregate {
    fn name(&self) -> &str {
        "register"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[register]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("register() without GROUP BY")
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Registers::default()))
    }
}

#[derive(Default)]
struct Registers {
    groups: Vec<Gathered>,
    bytes: usize,
}

impl Registers {
    fn add(&mut self, group: usize, week: i32, marks: &[u8]) -> Result<()> {
        let before = self.groups[group].lines.capacity();
        self.groups[group].add(week, marks)?;
        // A register that was given an earlier first week is a new vector, perhaps a tighter one.
        self.bytes = (self.bytes + self.groups[group].lines.capacity()).saturating_sub(before);
        Ok(())
    }

    fn take(&mut self, emit: EmitTo) -> BinaryArray {
        let groups = emit.take_needed(&mut self.groups);
        let mut out = BinaryBuilder::new();
        for group in &groups {
            self.bytes = self.bytes.saturating_sub(group.lines.capacity());
            if group.lines.is_empty() {
                out.append_null();
            } else {
                out.append_value(group.bytes());
            }
        }
        out.finish()
    }
}

impl GroupsAccumulator for Registers {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize(total_num_groups, Gathered::default());
        let marks = values[0].as_string::<i32>();
        let weeks = values[1].as_primitive::<Date32Type>();
        for (row, group) in group_indices.iter().enumerate() {
            let counts = filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if counts && marks.is_valid(row) && weeks.is_valid(row) {
                self.add(*group, weeks.value(row), marks.value(row).as_bytes())?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize(total_num_groups, Gathered::default());
        for (row, group) in group_indices.iter().enumerate() {
            let bytes = values[0].as_binary::<i32>();
            if bytes.is_valid(row)
                && let Some(register) = Register::read(bytes.value(row))
            {
                for (i, line) in register.boxes.chunks(SESSIONS_A_WEEK).enumerate() {
                    self.add(*group, register.first_day + 7 * i as i32, line)?;
                }
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
        self.bytes + self.groups.capacity() * size_of::<Gathered>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets() -> ([bool; 128], [bool; 128]) {
        let codes = CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        (codes.set("codes:G N O U").unwrap(), codes.set("administrative").unwrap())
    }

    fn found(lines: &[&str], least: i32) -> Vec<(i32, i32, i32, i32, Option<i32>)> {
        let boxes = lines.concat();
        let (inside, neutral) = sets();
        runs(Register { first_day: 0, boxes: boxes.as_bytes() }, &inside, &neutral, least)
            .iter()
            .map(|r| (r.first_day, r.last_day, r.days, r.sessions, r.ended_on))
            .collect()
    }

    #[test]
    fn closures_blanks_and_weekends_are_passed_over() {
        assert_eq!(found(&["OOOOOOOOOO....", "##OOOO.O//...."], 5), [(0, 10, 8, 15, Some(11))]);
        assert_eq!(found(&["OOOOOOOO......"], 5), []);
        assert_eq!(found(&["OOOOOOOOOO...."], 5), [(0, 4, 5, 10, None)]);
    }

    #[test]
    fn any_other_mark_ends_a_run() {
        assert_eq!(found(&["OOOOOIOOOO...."], 2), [(0, 1, 2, 4, Some(2)), (3, 4, 2, 4, None)]);
        assert_eq!(found(&["OOOaOOOOOO...."], 3), [(2, 4, 3, 6, None)]);
    }

    #[test]
    fn school_weeks_alone_count() {
        let marks = "OO............".repeat(4) + "..............";
        let marks = marks + "OO............";
        let open = ["/.............".repeat(4), "..............".to_owned(), "/.............".to_owned()].concat();
        let read = |boxes| Register { first_day: 0, boxes };
        let found = |least, weeks| in_weeks(read(marks.as_bytes()), Some(read(open.as_bytes())), least, weeks, 0);
        assert_eq!(found(10, 5), Some(Reached { reached_on: 35, first_day: 0, last_day: 35, sessions: 10 }));
        assert_eq!(found(10, 4), None);
        assert_eq!(found(3, 2), Some(Reached { reached_on: 7, first_day: 0, last_day: 35, sessions: 4 }));
    }

    #[test]
    fn lines_in_any_order_make_one_register() {
        let mut forth = Gathered::default();
        let mut back = Gathered::default();
        for (week, line) in [(0, b"/\\............"), (14, b"OO............"), (7, b"II............")] {
            forth.add(week, line).unwrap();
        }
        for (week, line) in [(7, b"II............"), (14, b"OO............"), (0, b"/\\............")] {
            back.add(week, line).unwrap();
        }
        assert_eq!(forth.bytes(), back.bytes());
        assert!(forth.add(i32::MAX - 7, b"/\\............").is_err());
    }
}
