//! Functions over a child's whole register as one value: the Monday of its first week (four bytes, least first)
//! and for each week from there the number of its line in the session's [`LineBook`] (the same). A register is
//! made by `believed.register`, `register` and `register_union`.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::make_view;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, Date32Array, Date32Builder, Int32Array, Int32Builder,
    ListArray, StructArray,
};
use datafusion::arrow::buffer::{Buffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Fields, Int32Type};
use datafusion::common::HashMap;
use datafusion::logical_expr::ScalarUDF;
use model::{BLANK, CodeTable};

use super::boxes::{WHOLE_WEEK, between, kept, named_set};
use super::spells::{MarkedWeeks, Reached, Run, days_inside, in_weeks, runs};
use super::stints::Stints;
use super::tally::Tally;
use super::{Scalar, day_or, scalar};
use crate::line_book::{BLANK_LINE, LETTERS, Line, LineBook, NumberedLines, write_register};

/// A register, read: the numbers of its lines, a week each.
#[derive(Clone, Copy)]
pub(super) struct Register<'a> {
    pub(super) first_week: i32,
    numbers: &'a [[u8; 4]],
}

impl<'a> Register<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (week, numbers) = bytes.split_first_chunk::<4>()?;
        Some(Self { first_week: i32::from_le_bytes(*week), numbers: numbers.as_chunks().0 })
    }

    /// How many weeks it spans.
    pub(super) fn weeks(self) -> usize {
        self.numbers.len()
    }

    /// Each week's line.
    pub(super) fn numbers(self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator + 'a {
        self.numbers.iter().map(|number| u32::from_le_bytes(*number))
    }

    /// Each week's Monday and line.
    fn lines(self) -> impl DoubleEndedIterator<Item = (i32, u32)> + ExactSizeIterator + 'a {
        self.numbers().enumerate().map(move |(nth, number)| (self.first_week + 7 * nth as i32, number))
    }

    /// Which of its boxes hold a mark, written in `room`.
    fn marked<'r>(self, known: &NumberedLines, room: &'r mut Vec<u16>) -> MarkedWeeks<'r> {
        room.clear();
        room.extend(self.numbers().map(|number| known.marked(number)));
        MarkedWeeks { first_week: self.first_week, boxes: room }
    }

    /// Its boxes, spread out in `room`.
    pub(super) fn boxes<'r>(self, known: &NumberedLines, room: &'r mut Vec<u8>) -> Boxes<'r> {
        room.clear();
        self.numbers().for_each(|number| room.extend_from_slice(known.line(number)));
        Boxes { first_day: self.first_week, boxes: room }
    }
}

/// A register's days, two boxes each.
#[derive(Clone, Copy)]
pub(super) struct Boxes<'a> {
    pub(super) first_day: i32,
    pub(super) boxes: &'a [u8],
}

impl Boxes<'_> {
    /// Each day and its two boxes.
    pub(super) fn days(self) -> impl Iterator<Item = (i32, [u8; 2])> {
        let pairs = self.boxes.chunks_exact(2);
        pairs.enumerate().map(move |(i, b)| (self.first_day + i as i32, [b[0], b[1]]))
    }
}

/// How many of a line's boxes, or of its days, hold a letter of a set; asked of each line once.
struct CountOfLine<'a> {
    known: &'a NumberedLines,
    count: fn(&Line, &[bool; LETTERS]) -> u8,
    inside: [bool; LETTERS],
    counts: Vec<Option<u8>>,
}

impl<'a> CountOfLine<'a> {
    fn new(known: &'a NumberedLines, count: fn(&Line, &[bool; LETTERS]) -> u8, inside: [bool; LETTERS]) -> Self {
        Self { known, count, inside, counts: vec![None; known.len()] }
    }

    fn of(&mut self, number: u32) -> i32 {
        let (known, count, inside) = (self.known, self.count, &self.inside);
        let counted = self.counts.get_mut(number as usize);
        counted.map_or(0, |counted| i32::from(*counted.get_or_insert_with(|| count(known.line(number), inside))))
    }

    /// Of the days from `first` to `last`, both included.
    fn between(&mut self, register: Register<'_>, first: i32, last: i32) -> i32 {
        let of = |(monday, number): (i32, u32)| match between(monday, first, last) {
            0 => 0,
            WHOLE_WEEK => self.of(number),
            boxes => i32::from((self.count)(&kept_line(self.known.line(number), boxes), &self.inside)),
        };
        register.lines().map(of).sum()
    }
}

fn sessions_inside(line: &Line, inside: &[bool; LETTERS]) -> u8 {
    line.iter().map(|mark| u8::from(inside[usize::from(mark & 127)])).sum()
}

fn days_inside_of(line: &Line, inside: &[bool; LETTERS]) -> u8 {
    days_inside(Boxes { first_day: 0, boxes: line }, inside).count() as u8
}

/// A line's boxes of a mask; the others blank.
fn kept_line(line: &Line, boxes: i32) -> Line {
    let mut out = BLANK_LINE;
    out.iter_mut().zip(kept(line, boxes)).for_each(|(now, mark)| *now = mark);
    out
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

/// Registers with all boxes blank but those of some days, or with those blank. A register of which nothing is
/// cut off is given on without being copied.
fn cut(
    book: &LineBook,
    registers: &BinaryViewArray,
    is_outside: bool,
    days_of: impl Fn(usize, &mut Vec<(i32, i32)>),
) -> datafusion::common::Result<ArrayRef> {
    let (mut cut, mut copies): (Vec<u8>, Vec<(usize, Range<usize>)>) = (Vec::new(), Vec::new());
    let (mut lines, mut places): (Vec<Line>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut days = Vec::new();
    let known = book.read();
    for i in 0..registers.len() {
        let bytes = if registers.is_valid(i) { registers.value(i) } else { &[] };
        let Some(register) = Register::read(bytes) else { continue };
        days.clear();
        days_of(i, &mut days);
        let begun = cut.len();
        for (nth, (monday, number)) in register.lines().enumerate() {
            let kept_days = days.iter().fold(0, |boxes, (first, last)| boxes | between(monday, *first, *last));
            let boxes = if is_outside { WHOLE_WEEK & !kept_days } else { kept_days };
            if i32::from(known.marked(number)) & !boxes == 0 {
                continue;
            }
            if cut.len() == begun {
                cut.extend_from_slice(bytes);
            }
            places.push(begun + 4 + 4 * nth);
            lines.push(kept_line(known.line(number), boxes));
        }
        if begun < cut.len() {
            copies.push((i, begun..cut.len()));
        }
    }
    drop(known);
    for (place, number) in places.into_iter().zip(book.number(&lines)) {
        cut[place..place + 4].copy_from_slice(&number.to_le_bytes());
    }
    let block = registers.data_buffers().len() as u32;
    let mut views: Vec<u128> = registers.views().to_vec();
    for (i, bytes) in copies {
        let begun = bytes.start as u32;
        views[i] = make_view(&cut[bytes], block, begun);
    }
    let buffers: Arc<[Buffer]> = registers.data_buffers().iter().cloned().chain([Buffer::from_vec(cut)]).collect();
    Ok(Arc::new(BinaryViewArray::try_new(views.into(), buffers, registers.nulls().cloned())?))
}

/// What a register's days are asked for, spread out: one answer a row.
fn each<T>(
    book: &LineBook,
    registers: &ArrayRef,
    mut ask: impl FnMut(usize, Option<Boxes<'_>>) -> T,
) -> impl Iterator<Item = T> {
    let known = book.read();
    let mut room = Vec::new();
    let registers = registers.as_binary_view();
    let answers: Vec<T> = (0..registers.len())
        .map(|i| {
            let register = registers.is_valid(i).then(|| Register::read(registers.value(i))).flatten();
            ask(i, register.map(|r| r.boxes(&known, &mut room)))
        })
        .collect();
    answers.into_iter()
}

/// The functions of this file. `stints` is what the aggregate `stints(first_day, last_day)` gives.
pub(super) fn scalars(codes: &Arc<CodeTable>, book: &Arc<LineBook>) -> Vec<ScalarUDF> {
    let mut all = parts(codes, book);
    all.extend(days(codes, book));
    all.extend(counts(codes, book));
    all
}

/// A register with part of it blank.
fn parts(codes: &Arc<CodeTable>, book: &Arc<LineBook>) -> Vec<ScalarUDF> {
    use DataType::{BinaryView, Date32, Utf8};
    let of_stints = |name: &'static str, is_outside: bool| {
        let book = Arc::clone(book);
        scalar(name, vec![BinaryView, DataType::Binary], BinaryView, move |a: &[ArrayRef], _| {
            let stints = a[1].as_binary::<i32>();
            cut(&book, a[0].as_binary_view(), is_outside, |i, days| {
                days.extend(Stints::read(if stints.is_null(i) { &[] } else { stints.value(i) }));
            })
        })
    };
    let with_book = Arc::clone(book);
    let between = scalar("register_between", vec![BinaryView, Date32, Date32], BinaryView, move |a: &[ArrayRef], _| {
        let (first, last) = (a[1].as_primitive::<Date32Type>(), a[2].as_primitive::<Date32Type>());
        // No first or last day: no bound on that side.
        cut(&with_book, a[0].as_binary_view(), false, |i, days| {
            days.push((day_or(first, i, i32::MIN), day_or(last, i, i32::MAX)));
        })
    });
    let (with_codes, with_book) = (Arc::clone(codes), Arc::clone(book));
    let only = scalar("only", vec![BinaryView, Utf8], BinaryView, move |a: &[ArrayRef], _| {
        let inside = named_set(&with_codes, &a[1])?;
        let registers = a[0].as_binary_view();
        let read = || registers.iter().map(|bytes| bytes.and_then(Register::read));
        // Each line once: where in `lines` its marks of the set alone stand.
        let (mut lines, mut place_of) = (Vec::new(), HashMap::new());
        {
            let known = with_book.read();
            for number in read().flatten().flat_map(Register::numbers) {
                place_of.entry(number).or_insert_with(|| {
                    lines.push(
                        known.line(number).map(|mark| if inside[usize::from(mark & 127)] { mark } else { BLANK }),
                    );
                    lines.len() - 1
                });
            }
        }
        let numbers = with_book.number(&lines);
        let mut out = BinaryViewBuilder::with_capacity(registers.len()).with_fixed_block_size(256 * 1024);
        let mut value = Vec::new();
        for register in read() {
            let Some(register) = register else {
                out.append_null();
                continue;
            };
            value.clear();
            write_register(
                register.first_week,
                register.numbers().map(|number| numbers[place_of[&number]]),
                &mut value,
            );
            out.try_append_value(&value)?;
        }
        Ok(Arc::new(out.finish()))
    });
    vec![of_stints("register_within", false), of_stints("register_outside", true), between, only]
}

/// Which days of a register.
fn days(codes: &Arc<CodeTable>, book: &Arc<LineBook>) -> Vec<ScalarUDF> {
    use DataType::{BinaryView, Date32, Int32, Utf8};
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Struct(run_fields()), true)));
    let neutral = codes.set("administrative").unwrap_or([false; LETTERS]);
    let (with_codes, with_book) = (Arc::clone(codes), Arc::clone(book));
    let runs_udf = scalar("runs", vec![BinaryView, Utf8, Int32], list, move |a: &[ArrayRef], _| {
        let inside = named_set(&with_codes, &a[1])?;
        let least = a[2].as_primitive::<Int32Type>();
        let of =
            |i, boxes: Option<Boxes<'_>>| boxes.map_or_else(Vec::new, |b| runs(b, &inside, &neutral, least.value(i)));
        Ok(as_list(each(&with_book, &a[0], of).collect()))
    });
    let (with_codes, with_book) = (Arc::clone(codes), Arc::clone(book));
    let nth_day = scalar("nth_day", vec![BinaryView, Utf8, Int32], Date32, move |a: &[ArrayRef], _| {
        let inside = named_set(&with_codes, &a[1])?;
        let n = a[2].as_primitive::<Int32Type>();
        let of = |i, boxes: Option<Boxes<'_>>| {
            let nth = usize::try_from(n.value(i) - 1).ok()?;
            days_inside(boxes?, &inside).map(|(day, _)| day).nth(nth)
        };
        Ok(Arc::new(each(&with_book, &a[0], of).collect::<Date32Array>()))
    });
    let (with_codes, with_book) = (Arc::clone(codes), Arc::clone(book));
    let last_day = scalar("last_day_with", vec![BinaryView, Utf8], Date32, move |a: &[ArrayRef], _| {
        let inside = named_set(&with_codes, &a[1])?;
        let known = with_book.read();
        let last = |bytes: Option<&[u8]>| {
            let at = |number| known.line(number).iter().rposition(|mark| inside[usize::from(mark & 127)]);
            let mut lines = Register::read(bytes?)?.lines().rev();
            lines.find_map(|(monday, number)| Some(monday + (at(number)? / 2) as i32))
        };
        Ok(Arc::new(a[0].as_binary_view().iter().map(last).collect::<Date32Array>()))
    });
    let with_book = Arc::clone(book);
    let in_weeks_udf = Scalar::new(
        "in_weeks",
        vec![BinaryView, BinaryView, Int32, Int32, Date32],
        DataType::Struct(reached_fields()),
        Box::new(move |a: &[ArrayRef], rows| {
            let known = with_book.read();
            let (mut room, mut open_room) = (Vec::new(), Vec::new());
            let (marks, open) = (a[0].as_binary_view(), a[1].as_binary_view());
            let (least, weeks) = (a[2].as_primitive::<Int32Type>(), a[3].as_primitive::<Int32Type>());
            let from = a[4].as_primitive::<Date32Type>();
            let found: Vec<Option<Reached>> = (0..rows)
                .map(|i| {
                    let marks = marks.is_valid(i).then(|| Register::read(marks.value(i)))??;
                    let open = open.is_valid(i).then(|| Register::read(open.value(i))).flatten();
                    let weeks = usize::try_from(weeks.value(i)).ok()?;
                    let open = open.map(|open| open.marked(&known, &mut open_room));
                    in_weeks(marks.marked(&known, &mut room), open, least.value(i), weeks, from.value(i))
                })
                .collect();
            let day = |f: fn(&Reached) -> i32| {
                Arc::new(found.iter().map(|r| r.as_ref().map(f)).collect::<Date32Array>()) as ArrayRef
            };
            let sessions = Arc::new(found.iter().map(|r| r.map(|r| r.sessions)).collect::<Int32Array>()) as ArrayRef;
            let columns = vec![day(|r| r.reached_on), day(|r| r.first_day), day(|r| r.last_day), sessions];
            Ok(Arc::new(StructArray::new(reached_fields(), columns, None)))
        }),
    );
    vec![runs_udf, nth_day, last_day, ScalarUDF::from(in_weeks_udf.once())]
}

/// How many sessions or days, and of which weeks.
fn counts(codes: &Arc<CodeTable>, book: &Arc<LineBook>) -> Vec<ScalarUDF> {
    use DataType::{BinaryView, Date32, Int32, Utf8};
    let with_book = Arc::clone(book);
    let missing =
        scalar("missing", vec![BinaryView, BinaryView, DataType::Binary], Int32, move |a: &[ArrayRef], rows| {
            let (registers, calendars) = (a[0].as_binary_view(), a[1].as_binary_view());
            let stints = a[2].as_binary::<i32>();
            let known = with_book.read();
            let counts: Int32Array = (0..rows)
                .map(|i| {
                    let calendar = calendars.is_valid(i).then(|| Register::read(calendars.value(i))).flatten();
                    let (Some(calendar), true) = (calendar, stints.is_valid(i)) else { return Some(0) };
                    let register = registers.is_valid(i).then(|| Register::read(registers.value(i))).flatten();
                    Some(unmarked(&known, calendar, register, stints.value(i)))
                })
                .collect();
            Ok(Arc::new(counts))
        });
    let counted = |name: &'static str, count: fn(&Line, &[bool; LETTERS]) -> u8| {
        let (codes, book) = (Arc::clone(codes), Arc::clone(book));
        scalar(name, vec![BinaryView, Utf8, Date32, Date32], Int32, move |a: &[ArrayRef], _| {
            let known = book.read();
            let mut of_line = CountOfLine::new(&known, count, named_set(&codes, &a[1])?);
            let (first, last) = (a[2].as_primitive::<Date32Type>(), a[3].as_primitive::<Date32Type>());
            let registers = a[0].as_binary_view().iter().enumerate();
            let counts: Int32Array = registers
                .map(|(i, bytes)| {
                    let register = Register::read(bytes?)?;
                    Some(of_line.between(register, day_or(first, i, i32::MIN), day_or(last, i, i32::MAX)))
                })
                .collect();
            Ok(Arc::new(counts))
        })
    };
    let with_book = Arc::clone(book);
    let tally = scalar("tally", vec![BinaryView], DataType::Struct(Tally::fields()), move |a: &[ArrayRef], rows| {
        let known = with_book.read();
        let mut counts = Tally::columns(rows);
        for bytes in a[0].as_binary_view() {
            let register = bytes.and_then(Register::read);
            Tally(register.map_or(0, |r| r.numbers().map(|number| known.tally(number)).sum())).push_to(&mut counts);
        }
        Ok(Arc::new(Tally::array(counts)))
    });
    let mask_fields = Fields::from(vec![Field::new("week_start", Date32, false), Field::new("boxes", Int32, false)]);
    let with_book = Arc::clone(book);
    let marked_weeks = weekly(book, "marked_weeks", &mask_fields, move |numbers| {
        let known = with_book.read();
        let boxes = numbers.iter().map(|number| i32::from(known.marked(*number)));
        vec![Arc::new(boxes.collect::<Int32Array>())]
    });
    let week_fields = Fields::from_iter(
        std::iter::once(Arc::new(Field::new("week_start", Date32, false))).chain(Tally::fields().iter().cloned()),
    );
    let with_book = Arc::clone(book);
    let tallied_weeks = weekly(book, "weekly", &week_fields, move |numbers| {
        let known = with_book.read();
        let mut counts = Tally::columns(numbers.len());
        numbers.iter().for_each(|number| Tally(known.tally(*number)).push_to(&mut counts));
        Tally::array(counts).into_parts().1
    });
    vec![
        missing,
        counted("days_with", days_inside_of),
        counted("sessions_with", sessions_inside),
        tally,
        marked_weeks,
        tallied_weeks,
    ]
}

/// A function that gives the weeks with any mark, each with its Monday and the columns that `columns_of` makes of
/// their lines.
fn weekly(
    book: &Arc<LineBook>,
    name: &'static str,
    fields: &Fields,
    columns_of: impl Fn(&[u32]) -> Vec<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let (book, fields) = (Arc::clone(book), fields.clone());
    let field = Arc::new(Field::new_list_field(DataType::Struct(fields.clone()), true));
    scalar(name, vec![DataType::BinaryView], DataType::List(Arc::clone(&field)), move |a: &[ArrayRef], _| {
        let (mut weeks, mut numbers, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(a[0].len()));
        {
            let known = book.read();
            for bytes in a[0].as_binary_view() {
                let before = weeks.len();
                let lines = bytes.and_then(Register::read).into_iter().flat_map(Register::lines);
                for (monday, number) in lines.filter(|(_, number)| known.marked(*number) != 0) {
                    weeks.push(monday);
                    numbers.push(number);
                }
                lengths.push(weeks.len() - before);
            }
        }
        let columns = std::iter::once(Arc::new(Date32Array::from(weeks)) as ArrayRef).chain(columns_of(&numbers));
        let values = StructArray::new(fields.clone(), columns.collect(), None);
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::new(Arc::clone(&field), offsets, Arc::new(values), None)))
    })
}

/// Open sessions of the calendar within the stints and without a mark in the register.
fn unmarked(known: &NumberedLines, calendar: Register<'_>, register: Option<Register<'_>>, stints: &[u8]) -> i32 {
    let ahead = register.map_or(0, |r| (i64::from(calendar.first_week) - i64::from(r.first_week)) / 7);
    let marked = |nth: usize| {
        let at = usize::try_from(ahead + nth as i64).ok()?;
        let numbers = register?.numbers;
        Some(known.marked(u32::from_le_bytes(*numbers.get(at)?)))
    };
    let mut missing = 0;
    for (first, last) in Stints::read(stints) {
        for (nth, (monday, number)) in calendar.lines().enumerate() {
            let open = i32::from(known.marked(number)) & between(monday, first, last);
            missing += (open & !i32::from(marked(nth).unwrap_or(0))).count_ones();
        }
    }
    missing as i32
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

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> LineBook {
        LineBook::of(&CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap())
    }

    fn numbered(book: &LineBook, registers: &[(i32, &str)]) -> ArrayRef {
        let bytes = registers.iter().map(|(monday, boxes)| [&monday.to_le_bytes(), boxes.as_bytes()].concat());
        let boxes: BinaryViewArray = bytes.map(Some).collect();
        Arc::new(book.number_registers(&boxes).unwrap())
    }

    fn spread(book: &LineBook, registers: &ArrayRef) -> Vec<String> {
        each(book, registers, |_, boxes| String::from_utf8(boxes.unwrap().boxes.to_vec()).unwrap()).collect()
    }

    #[test]
    fn days_outside_are_cut_off() {
        let book = book();
        let registers = numbered(&book, &[(7, "/\\/\\/\\/\\/\\....II............"); 6]);
        let days = [(8, 8), (i32::MIN, 7), (14, i32::MAX), (30, 40), (9, 3), (7, 14)];
        let within = cut(&book, registers.as_binary_view(), false, |i, kept| kept.push(days[i])).unwrap();
        assert_eq!(
            spread(&book, &within),
            [
                "../\\........................",
                "/\\..........................",
                "..............II............",
                "............................",
                "............................",
                "/\\/\\/\\/\\/\\....II............",
            ]
        );
        let outside = cut(&book, registers.as_binary_view(), true, |i, kept| kept.push(days[i])).unwrap();
        assert_eq!(spread(&book, &outside)[0], "/\\../\\/\\/\\....II............");
        // A register as short as a view holds without a buffer.
        let short = numbered(&book, &[(7, "/\\/\\..........")]);
        let within = cut(&book, short.as_binary_view(), false, |_, kept| kept.push((8, 9))).unwrap();
        assert_eq!(spread(&book, &within), ["../\\.........."]);
    }

    #[test]
    fn open_sessions_without_a_mark() {
        let book = book();
        let registers = numbered(
            &book,
            &[
                (7, "////..////....//............"),
                (14, "I............."),
                (0, "/\\............/\\......#....."),
                (0, "/\\............/\\............"),
                (70, "/\\............"),
            ],
        );
        let registers = registers.as_binary_view();
        let read = |i| Register::read(registers.value(i)).unwrap();
        let known = book.read();
        let missing =
            |register, stints: &[(i32, i32)]| unmarked(&known, read(0), register, &Stints::value(&mut stints.to_vec()));
        let always = [(i32::MIN, i32::MAX)];
        assert_eq!(missing(None, &always), 10);
        assert_eq!(missing(Some(read(1)), &always), 9);
        assert_eq!(missing(Some(read(2)), &always), 7);
        assert_eq!(missing(Some(read(3)), &[(14, 20)]), 2);
        assert_eq!(missing(Some(read(3)), &[(7, 7), (14, 20)]), 2);
        assert_eq!(missing(Some(read(4)), &always), 10);
        assert_eq!(missing(None, &[]), 0);
    }

    #[test]
    fn sessions_and_days_of_a_set() {
        let book = book();
        let registers = numbered(&book, &[(7, "I/.I//II......II............")]);
        let (known, inside) =
            (book.read(), CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")));
        let inside = inside.unwrap().set("codes:I").unwrap();
        let register = Register::read(registers.as_binary_view().value(0)).unwrap();
        let mut sessions = CountOfLine::new(&known, sessions_inside, inside);
        assert_eq!(sessions.between(register, i32::MIN, i32::MAX), 6);
        assert_eq!(sessions.between(register, 8, 14), 5);
        let mut days = CountOfLine::new(&known, days_inside_of, inside);
        assert_eq!(days.between(register, i32::MIN, i32::MAX), 4);
        assert_eq!(days.between(register, 8, 13), 2);
    }
}
