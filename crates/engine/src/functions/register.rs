//! Functions over a child's whole register as one value: the Monday of its first week (four bytes, least first)
//! and for each week from there the number of its line in the session's [`LineBook`] (the same). A register is
//! made by `believed.register`, `register` and `register_union`.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::make_view;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, Date32Array, Int32Array, StructArray,
};
use datafusion::arrow::buffer::{Buffer, NullBuffer};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Fields, Int32Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;
use model::{BLANK, CodeTable};

use super::boxes::{WHOLE_WEEK, between, kept, named_set};
use super::lists::{Lists, column};
use super::spells::{MarkedWeeks, Reached, Run, in_weeks, nth_box, runs};
use super::stints::Stints;
use super::tally::Tally;
use super::union::greater_of;
use super::{Named, Scalar, day_or, scalar, scalar_of_set};
use crate::line_book::{BLANK_LINE, LETTERS, Line, LineBook, NumberedLines};
use crate::register::{MOST_WEEKS, Register, write_register};

impl Register<'_> {
    /// The weeks that lie wholly from `first` to `last`, both included, and the two at their ends that may do in
    /// part, each with those of its boxes that do.
    fn between(self, first: i32, last: i32) -> (Range<usize>, impl Iterator<Item = (usize, i32)>) {
        let days = |day: i64| day - i64::from(self.first_week);
        let weeks = self.weeks() as i64;
        let (begun, ended) = (days(first.into()), days(i64::from(last) + 1));
        let from = (begun + 6).div_euclid(7).clamp(0, weeks);
        let whole = from..ended.div_euclid(7).clamp(from, weeks);
        let ends = [begun.div_euclid(7), ended.div_euclid(7)].map(|nth| {
            let is_apart = (0..weeks).contains(&nth) && !whole.contains(&nth);
            is_apart.then(|| (nth as usize, between(self.monday(nth as usize), first, last)))
        });
        let ends = if ends[0] == ends[1] { [ends[0], None] } else { ends };
        (whole.start as usize..whole.end as usize, ends.into_iter().flatten())
    }

    /// How many boxes of a mask for each line lie from `first` to `last`, both included.
    fn count(self, (first, last): (i32, i32), boxes_of: impl Fn(u32) -> u16) -> i32 {
        let (whole, ends) = self.between(first, last);
        let within: u32 = self.slice(whole).numbers().map(|number| boxes_of(number).count_ones()).sum();
        let in_part = |(nth, boxes)| Some((boxes_of(self.number(nth)?) & boxes as u16).count_ones());
        (within + ends.filter_map(in_part).sum::<u32>()) as i32
    }

    /// Which of its boxes hold a mark, written in `room`.
    fn marked<'r>(self, known: &NumberedLines, room: &'r mut Vec<u16>) -> MarkedWeeks<'r> {
        room.clear();
        room.extend(self.numbers().map(|number| known.marked(number)));
        MarkedWeeks { first_week: self.first_week, boxes: room }
    }

    /// Its boxes, spread out in `room`.
    pub(super) fn boxes<'r>(self, known: &NumberedLines, room: &'r mut Vec<u8>) -> &'r [u8] {
        room.clear();
        self.numbers().for_each(|number| room.extend_from_slice(known.line(number)));
        room
    }
}

/// Of a week's boxes, the days that have any: a bit each, that of their first box.
fn days_of(boxes: u16) -> u16 {
    (boxes | boxes >> 1) & 0b01_0101_0101_0101
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
) -> Result<ArrayRef> {
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
        // Of the weeks within a single stretch nothing is cut.
        let whole = match days[..] {
            [(first, last)] if !is_outside => register.between(first, last).0,
            _ => 0..0,
        };
        for nth in (0..whole.start).chain(whole.end..register.weeks()) {
            let Some(number) = register.number(nth) else { continue };
            let monday = register.monday(nth);
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

/// Registers of two columns, each laid over the other: of two marks in one box the letter that is greater stands, as
/// in `register_union`.
fn laid_together(book: &LineBook, one: &BinaryViewArray, other: &BinaryViewArray) -> Result<ArrayRef> {
    let mut values: Vec<u8> = Vec::new();
    let (mut lines, mut places): (Vec<Line>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut ranges = Vec::with_capacity(one.len());
    let known = book.read();
    for i in 0..one.len() {
        let given = [one, other].map(|registers| registers.is_valid(i).then(|| Register::read(registers.value(i)))?);
        let begun = values.len();
        let weeks = || given.iter().flatten().filter(|register| 0 < register.weeks());
        if let Some(first) = weeks().map(|register| register.first_week).min() {
            let end = weeks().map(|register| i64::from(register.monday(register.weeks()))).max().unwrap_or_default();
            let span = (end - i64::from(first)) / 7;
            if i64::from(MOST_WEEKS) < span {
                return exec_err!("a register of more than {MOST_WEEKS} weeks");
            }
            values.extend_from_slice(&first.to_le_bytes());
            for nth in 0..span {
                let number = |register: Register<'_>| {
                    let ahead = (i64::from(register.first_week) - i64::from(first)) / 7;
                    register.number(usize::try_from(nth - ahead).ok()?)
                };
                let [one, other] = given.map(|register| register.and_then(number).unwrap_or_default());
                // The blank line is number 0.
                if one != 0 && other != 0 && one != other {
                    let mut both = *known.line(one);
                    greater_of(&mut both, known.line(other));
                    places.push(values.len());
                    lines.push(both);
                }
                values.extend_from_slice(&one.max(other).to_le_bytes());
            }
        }
        ranges.push(begun..values.len());
    }
    drop(known);
    for (place, number) in places.into_iter().zip(book.number(&lines)) {
        values[place..place + 4].copy_from_slice(&number.to_le_bytes());
    }
    let views: Vec<u128> = ranges.iter().map(|r| make_view(&values[r.clone()], 0, r.start as u32)).collect();
    let is_there: NullBuffer = ranges.iter().map(|range| !range.is_empty()).collect();
    let buffers: Arc<[Buffer]> = Arc::new([Buffer::from_vec(values)]);
    Ok(Arc::new(BinaryViewArray::try_new(views.into(), buffers, Some(is_there))?))
}

/// The functions of this file. `stints` is what the aggregate `stints(first_day, last_day)` gives.
pub(super) fn scalars(codes: &Arc<CodeTable>, book: &Arc<LineBook>) -> Vec<ScalarUDF> {
    let mut all = parts(codes, book);
    all.extend(days(codes, book));
    all.extend(counts(codes, book));
    all
}

/// A register with part of it blank, or with another's marks.
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
    let only = scalar_of_set(codes, "only", vec![BinaryView, Utf8], BinaryView, move |a: &[ArrayRef], _| {
        let only = with_book.only(&named_set(&with_codes, &a[1])?);
        let registers = a[0].as_binary_view();
        let mut out = BinaryViewBuilder::with_capacity(registers.len()).with_fixed_block_size(256 * 1024);
        let mut value = Vec::new();
        for register in registers.iter().map(|bytes| bytes.and_then(Register::read)) {
            let Some(register) = register else {
                out.append_null();
                continue;
            };
            value.clear();
            let numbers = register.numbers().map(|number| only.get(number as usize).copied().unwrap_or_default());
            write_register(register.first_week, numbers, &mut value);
            out.try_append_value(&value)?;
        }
        Ok(Arc::new(out.finish()))
    });
    let with_book = Arc::clone(book);
    let with = scalar("register_with", vec![BinaryView, BinaryView], BinaryView, move |a: &[ArrayRef], _| {
        laid_together(&with_book, a[0].as_binary_view(), a[1].as_binary_view())
    });
    vec![of_stints("register_within", false), of_stints("register_outside", true), between, only, with]
}

/// Which days of a register.
fn days(codes: &Arc<CodeTable>, book: &Arc<LineBook>) -> Vec<ScalarUDF> {
    use DataType::{BinaryView, Date32, Int32, Utf8};
    let lists = Lists::of(run_fields());
    let neutral = codes.set("administrative").unwrap_or([false; LETTERS]);
    let (with_codes, with_book) = (Arc::clone(codes), Arc::clone(book));
    let runs_udf =
        scalar_of_set(codes, "runs", vec![BinaryView, Utf8, Int32], lists.data_type(), move |a: &[ArrayRef], _| {
            let set = named_set(&with_codes, &a[1])?;
            let counts = |letter: usize| letter != usize::from(BLANK) && !neutral[letter];
            let inside = with_book.boxes_with(&std::array::from_fn(|letter| counts(letter) && set[letter]));
            let other = with_book.boxes_with(&std::array::from_fn(|letter| counts(letter) && !set[letter]));
            let least = a[2].as_primitive::<Int32Type>();
            let registers = a[0].as_binary_view().iter().map(|bytes| bytes.and_then(Register::read));
            let of = |(i, register): (usize, Option<Register<'_>>)| {
                let Some(register) = register else { return Vec::new() };
                // Most have not so many such days at all.
                let days: u32 = register.numbers().map(|number| days_of(inside.of(number)).count_ones()).sum();
                if i64::from(days) < i64::from(least.value(i)) {
                    return Vec::new();
                }
                let weeks = register.lines().map(|(monday, number)| (monday, inside.of(number), other.of(number)));
                runs(weeks, least.value(i))
            };
            let found: Vec<Vec<Run>> = registers.enumerate().map(of).collect();
            let lengths: Vec<usize> = found.iter().map(Vec::len).collect();
            let found = found.concat();
            let columns = vec![
                column::<Date32Array, _, _>(&found, |run| Some(run.first_day)),
                column::<Date32Array, _, _>(&found, |run| Some(run.last_day)),
                column::<Date32Array, _, _>(&found, |run| Some(run.reached_on)),
                column::<Int32Array, _, _>(&found, |run| Some(run.days)),
                column::<Int32Array, _, _>(&found, |run| Some(run.sessions)),
                column::<Date32Array, _, _>(&found, |run| run.ended_on),
            ];
            Ok(lists.array(columns, lengths, None))
        });
    let (with_codes, with_book) = (Arc::clone(codes), Arc::clone(book));
    let nth_day = scalar_of_set(codes, "nth_day", vec![BinaryView, Utf8, Int32], Date32, move |a: &[ArrayRef], _| {
        let inside = with_book.boxes_with(&named_set(&with_codes, &a[1])?);
        let n = a[2].as_primitive::<Int32Type>();
        let of = |(i, bytes): (usize, Option<&[u8]>)| {
            let mut before = u32::try_from(n.value(i) - 1).ok()?;
            for (monday, number) in Register::read(bytes?)?.lines() {
                let days = days_of(inside.of(number));
                if before < days.count_ones() {
                    return Some(monday + nth_box(days, before) / 2);
                }
                before -= days.count_ones();
            }
            None
        };
        Ok(Arc::new(a[0].as_binary_view().iter().enumerate().map(of).collect::<Date32Array>()))
    });
    let (with_codes, with_book) = (Arc::clone(codes), Arc::clone(book));
    let last_day = scalar_of_set(codes, "last_day_with", vec![BinaryView, Utf8], Date32, move |a: &[ArrayRef], _| {
        let inside = with_book.boxes_with(&named_set(&with_codes, &a[1])?);
        let last = |bytes: Option<&[u8]>| {
            let mut lines = Register::read(bytes?)?.lines().rev();
            lines.find_map(|(monday, number)| Some(monday + inside.of(number).checked_ilog2()? as i32 / 2))
        };
        Ok(Arc::new(a[0].as_binary_view().iter().map(last).collect::<Date32Array>()))
    });
    let with_book = Arc::clone(book);
    let in_weeks_udf = Scalar::new(
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
    vec![runs_udf, nth_day, last_day, ScalarUDF::from(Named { name: "in_weeks", function: in_weeks_udf.once() })]
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
    let counted = |name: &'static str, unit: fn(u16) -> u16| {
        let (codes, book) = (Arc::clone(codes), Arc::clone(book));
        scalar_of_set(
            &Arc::clone(&codes),
            name,
            vec![BinaryView, Utf8, Date32, Date32],
            Int32,
            move |a: &[ArrayRef], _| {
                let inside = book.boxes_with(&named_set(&codes, &a[1])?);
                let (first, last) = (a[2].as_primitive::<Date32Type>(), a[3].as_primitive::<Date32Type>());
                let of = |(i, bytes): (usize, Option<&[u8]>)| {
                    let days = (day_or(first, i, i32::MIN), day_or(last, i, i32::MAX));
                    Some(Register::read(bytes?)?.count(days, |number| unit(inside.of(number))))
                };
                Ok(Arc::new(a[0].as_binary_view().iter().enumerate().map(of).collect::<Int32Array>()))
            },
        )
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
        counted("days_with", days_of),
        counted("sessions_with", |boxes| boxes),
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
    let (book, lists) = (Arc::clone(book), Lists::of(fields.clone()));
    scalar(name, vec![DataType::BinaryView], lists.data_type(), move |a: &[ArrayRef], _| {
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
        Ok(lists.array(columns.collect(), lengths, None))
    })
}

/// Open sessions of the calendar within the stints and without a mark in the register.
fn unmarked(known: &NumberedLines, calendar: Register<'_>, register: Option<Register<'_>>, stints: &[u8]) -> i32 {
    let register = register.unwrap_or(Register::empty(calendar.first_week));
    let ahead = (i64::from(calendar.first_week) - i64::from(register.first_week)) / 7;
    // The calendar's weeks of which the register speaks.
    let told = (-ahead).max(0)..(register.weeks() as i64 - ahead).max(0);
    let missing_of = |nth: usize, boxes: i32| {
        let marked = register.number((nth as i64 + ahead) as usize).map_or(0, |number| known.marked(number));
        let open = calendar.number(nth).map_or(0, |number| known.marked(number));
        (open & boxes as u16 & !marked).count_ones()
    };
    let mut missing = 0;
    for (first, last) in Stints::read(stints) {
        let (whole, ends) = calendar.between(first, last);
        let both = |weeks: i64| (weeks.max(whole.start as i64) as usize).min(whole.end);
        let told = both(told.start)..both(told.end);
        let open = calendar.slice(told.clone()).numbers();
        let marks = register.slice((told.start as i64 + ahead) as usize..(told.end as i64 + ahead) as usize).numbers();
        let missing_there = |(open, marks)| (known.marked(open) & !known.marked(marks)).count_ones();
        missing += open.zip(marks).map(missing_there).sum::<u32>();
        let untold = (whole.start..told.start).chain(told.end..whole.end);
        missing += untold.map(|nth| missing_of(nth, WHOLE_WEEK)).sum::<u32>();
        missing += ends.map(|(nth, boxes)| missing_of(nth, boxes)).sum::<u32>();
    }
    missing as i32
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
        let spread = |bytes| {
            let boxes = Register::read(bytes).unwrap().boxes(&book.read(), &mut Vec::new()).to_vec();
            String::from_utf8(boxes).unwrap()
        };
        registers.as_binary_view().iter().flatten().map(spread).collect()
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
    fn registers_are_laid_together_as_their_union_is() {
        let book = book();
        let one = numbered(&book, &[(14, "/\\............"), (7, "I.............B............."), (7, ""), (7, "")]);
        let other = numbered(&book, &[(7, "//............"), (14, "AII..........."), (7, "/............."), (7, "")]);
        let [one, other] = [one, other].map(|registers| registers.as_binary_view().clone());
        for both in [laid_together(&book, &one, &other).unwrap(), laid_together(&book, &other, &one).unwrap()] {
            let expected = ["//............/\\............", "I.............BII...........", "/............."];
            assert_eq!(spread(&book, &both), expected);
            assert_eq!((both.as_binary_view().value(0)[0], both.null_count()), (7, 1));
        }
        let [near, far] = [7, 7 + 7 * MOST_WEEKS].map(|monday| numbered(&book, &[(monday, "/.............")]));
        assert!(laid_together(&book, near.as_binary_view(), far.as_binary_view()).is_err());
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
        let codes = CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        let inside = book.boxes_with(&codes.set("codes:I").unwrap());
        let register = Register::read(registers.as_binary_view().value(0)).unwrap();
        let sessions = |days| register.count(days, |number| inside.of(number));
        let days = |days| register.count(days, |number| days_of(inside.of(number)));
        let count = |first, last| (sessions((first, last)), days((first, last)));
        assert_eq!(count(i32::MIN, i32::MAX), (6, 4));
        assert_eq!((count(8, 14), count(8, 13)), ((5, 3), (3, 2)));
        // Within one week, from Monday to Sunday, of no week, backwards.
        assert_eq!((count(9, 10), count(7, 13), count(14, 20)), ((2, 1), (4, 3), (2, 1)));
        assert_eq!((count(21, 99), count(-9, 6), count(14, 9)), ((0, 0), (0, 0), (0, 0)));
    }
}
