//! Functions over a child's whole register as one value: the Monday of its first week and fourteen boxes for
//! each week from there. A register is made by `believed.register`, `register` and `register_union`.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::make_view;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, Date32Array, Date32Builder, Int32Array, Int32Builder,
    ListArray, StructArray,
};
use datafusion::arrow::buffer::{Buffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Fields, Int32Type};
use datafusion::logical_expr::ScalarUDF;
use model::{BLANK, CodeTable, SESSIONS_A_WEEK};

use super::boxes::named_set;
use super::spells::{Reached, Run, days_inside, in_weeks, runs};
use super::stints::Stints;
use super::tally::Tally;
use super::{day_or, scalar};

/// A gathered register, read.
#[derive(Clone, Copy)]
pub(super) struct Register<'a> {
    pub(super) first_day: i32,
    pub(super) boxes: &'a [u8],
}

impl<'a> Register<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (week, boxes) = bytes.split_first_chunk::<4>()?;
        Some(Self { first_day: i32::from_le_bytes(*week), boxes })
    }

    /// Each day and its two boxes.
    pub(super) fn days(self) -> impl Iterator<Item = (i32, [u8; 2])> {
        let pairs = self.boxes.chunks_exact(2);
        pairs.enumerate().map(move |(i, b)| (self.first_day + i as i32, [b[0], b[1]]))
    }

    /// Which boxes lie from `first` to `last`, both included.
    fn places(self, first: i32, last: i32) -> Range<usize> {
        let all = self.boxes.len();
        let at = |day: i64| usize::try_from((day - i64::from(self.first_day)) * 2).map_or(0, |at| at.min(all));
        let (from, to) = (at(i64::from(first)), at(i64::from(last) + 1));
        from..to.max(from)
    }

    /// The same without the days outside.
    fn between(self, first: i32, last: i32) -> Self {
        let places = self.places(first, last);
        Self { first_day: self.first_day + (places.start / 2) as i32, boxes: &self.boxes[places] }
    }
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

/// Registers with all but some boxes blank. `keep` is told which, in order. A register of which nothing is cut
/// off is given on without being copied.
fn cut<'a>(
    registers: &'a BinaryViewArray,
    keep: impl Fn(usize, Register<'a>, &mut dyn FnMut(Range<usize>)),
) -> datafusion::common::Result<ArrayRef> {
    let block = registers.data_buffers().len() as u32;
    let (mut views, mut cut): (Vec<u128>, Vec<u8>) = (registers.views().to_vec(), Vec::new());
    for (i, view) in views.iter_mut().enumerate() {
        let Some(register) = registers.is_valid(i).then(|| Register::read(registers.value(i))).flatten() else {
            continue;
        };
        let mut until = 0;
        let mut whole = true;
        let mut is_cut = |from: usize, to: usize| whole &= register.boxes[from..to].iter().all(|b| *b == BLANK);
        keep(i, register, &mut |places| {
            is_cut(until, places.start.max(until));
            until = places.end.max(until);
        });
        is_cut(until, register.boxes.len());
        if whole {
            continue;
        }
        let begun = cut.len();
        cut.extend_from_slice(&register.first_day.to_le_bytes());
        let boxes = cut.len();
        cut.resize(boxes + register.boxes.len(), BLANK);
        keep(i, register, &mut |places| cut[boxes..][places.clone()].copy_from_slice(&register.boxes[places]));
        *view = make_view(&cut[begun..], block, begun as u32);
    }
    let buffers: Arc<[Buffer]> = registers.data_buffers().iter().cloned().chain([Buffer::from_vec(cut)]).collect();
    Ok(Arc::new(BinaryViewArray::try_new(views.into(), buffers, registers.nulls().cloned())?))
}

/// The functions of this file. `stints` is what the aggregate `stints(first_day, last_day)` gives.
pub fn scalars(codes: &Arc<CodeTable>) -> Vec<ScalarUDF> {
    use DataType::{BinaryView, Date32, Int32, Utf8};
    let within = scalar("register_within", vec![BinaryView, DataType::Binary], BinaryView, |a: &[ArrayRef], _| {
        let stints = a[1].as_binary::<i32>();
        let days = |i: usize| Stints::read(if stints.is_null(i) { &[] } else { stints.value(i) });
        cut(a[0].as_binary_view(), |i, register, keep| {
            days(i).for_each(|(first, last)| keep(register.places(first, last)));
        })
    });
    let outside = scalar("register_outside", vec![BinaryView, DataType::Binary], BinaryView, |a: &[ArrayRef], _| {
        let stints = a[1].as_binary::<i32>();
        cut(a[0].as_binary_view(), |i, register, keep| {
            let mut until = 0;
            for (first, last) in Stints::read(if stints.is_null(i) { &[] } else { stints.value(i) }) {
                let within = register.places(first, last);
                keep(until..within.start.max(until));
                until = within.end.max(until);
            }
            keep(until..register.boxes.len());
        })
    });
    let between = scalar("register_between", vec![BinaryView, Date32, Date32], BinaryView, |a: &[ArrayRef], _| {
        let (first, last) = (a[1].as_primitive::<Date32Type>(), a[2].as_primitive::<Date32Type>());
        // No first or last day: no bound on that side.
        cut(a[0].as_binary_view(), |i, register, keep| {
            keep(register.places(day_or(first, i, i32::MIN), day_or(last, i, i32::MAX)));
        })
    });
    let with_codes = Arc::clone(codes);
    let only = scalar("only", vec![BinaryView, Utf8], BinaryView, move |a: &[ArrayRef], _| {
        let inside = named_set(&with_codes, &a[1])?;
        let registers = a[0].as_binary_view();
        let mut out = BinaryViewBuilder::with_capacity(registers.len()).with_fixed_block_size(256 * 1024);
        let mut value = Vec::new();
        for bytes in registers {
            let Some(register) = bytes.and_then(Register::read) else {
                out.append_null();
                continue;
            };
            value.clear();
            value.extend_from_slice(&register.first_day.to_le_bytes());
            value.extend(register.boxes.iter().map(|b| if inside[usize::from(*b & 127)] { *b } else { BLANK }));
            out.try_append_value(&value)?;
        }
        Ok(Arc::new(out.finish()))
    });
    let missing = scalar("missing", vec![BinaryView, BinaryView, DataType::Binary], Int32, |a: &[ArrayRef], rows| {
        let (registers, calendars) = (a[0].as_binary_view(), a[1].as_binary_view());
        let stints = a[2].as_binary::<i32>();
        let counts: Int32Array = (0..rows)
            .map(|i| {
                let calendar = calendars.is_valid(i).then(|| Register::read(calendars.value(i))).flatten();
                let (Some(calendar), true) = (calendar, stints.is_valid(i)) else { return Some(0) };
                let register = registers.is_valid(i).then(|| Register::read(registers.value(i))).flatten();
                let days = Stints::read(stints.value(i));
                Some(days.map(|(first, last)| unmarked(calendar.between(first, last), register)).sum())
            })
            .collect();
        Ok(Arc::new(counts))
    });
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Struct(run_fields()), true)));
    let neutral = codes.set("administrative").unwrap_or([false; 128]);
    let with_codes = Arc::clone(codes);
    let runs_udf = scalar("runs", vec![BinaryView, Utf8, Int32], list, move |a: &[ArrayRef], _| {
        let inside = named_set(&with_codes, &a[1])?;
        let least = a[2].as_primitive::<Int32Type>();
        let found = a[0].as_binary_view().iter().enumerate().map(|(i, bytes)| {
            let register = bytes.and_then(Register::read);
            register.map_or_else(Vec::new, |r| runs(r, &inside, &neutral, least.value(i)))
        });
        Ok(as_list(found.collect()))
    });
    let with_codes = Arc::clone(codes);
    let nth_day = scalar("nth_day", vec![BinaryView, Utf8, Int32], Date32, move |a: &[ArrayRef], _| {
        let inside = named_set(&with_codes, &a[1])?;
        let n = a[2].as_primitive::<Int32Type>();
        let registers = a[0].as_binary_view().iter().enumerate();
        let days: Date32Array = registers
            .map(|(i, bytes)| {
                let nth = usize::try_from(n.value(i) - 1).ok()?;
                days_inside(Register::read(bytes?)?, &inside).map(|(day, _)| day).nth(nth)
            })
            .collect();
        Ok(Arc::new(days))
    });
    let with_codes = Arc::clone(codes);
    let last_day = scalar("last_day_with", vec![BinaryView, Utf8], Date32, move |a: &[ArrayRef], _| {
        let inside = named_set(&with_codes, &a[1])?;
        let last = |bytes: Option<&[u8]>| {
            let register = Register::read(bytes?)?;
            let at = register.boxes.iter().rposition(|b| inside[usize::from(*b & 127)])?;
            Some(register.first_day + (at / 2) as i32)
        };
        Ok(Arc::new(a[0].as_binary_view().iter().map(last).collect::<Date32Array>()))
    });
    let counted = |name: &'static str, count: fn(Register<'_>, &[bool; 128]) -> i32| {
        let codes = Arc::clone(codes);
        scalar(name, vec![BinaryView, Utf8, Date32, Date32], Int32, move |a: &[ArrayRef], _| {
            let inside = named_set(&codes, &a[1])?;
            let (first, last) = (a[2].as_primitive::<Date32Type>(), a[3].as_primitive::<Date32Type>());
            let registers = a[0].as_binary_view().iter().enumerate();
            let counts: Int32Array = registers
                .map(|(i, bytes)| {
                    let register = Register::read(bytes?)?;
                    let days = register.between(day_or(first, i, i32::MIN), day_or(last, i, i32::MAX));
                    Some(count(days, &inside))
                })
                .collect();
            Ok(Arc::new(counts))
        })
    };
    let days_with = counted("days_with", |register, inside| days_inside(register, inside).count() as i32);
    let sessions_with = counted("sessions_with", |register, inside| {
        register.boxes.iter().map(|b| i32::from(inside[usize::from(*b & 127)])).sum()
    });
    let in_weeks_udf = scalar(
        "in_weeks",
        vec![BinaryView, BinaryView, Int32, Int32, Date32],
        DataType::Struct(reached_fields()),
        |a: &[ArrayRef], rows| {
            let (marks, open) = (a[0].as_binary_view(), a[1].as_binary_view());
            let (least, weeks) = (a[2].as_primitive::<Int32Type>(), a[3].as_primitive::<Int32Type>());
            let from = a[4].as_primitive::<Date32Type>();
            let found: Vec<Option<Reached>> = (0..rows)
                .map(|i| {
                    let marks = marks.is_valid(i).then(|| Register::read(marks.value(i)))??;
                    let open = open.is_valid(i).then(|| Register::read(open.value(i))).flatten();
                    let weeks = usize::try_from(weeks.value(i)).ok()?;
                    in_weeks(marks, open, least.value(i), weeks, from.value(i))
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
    let tallies = Tally::of(codes);
    let tally = {
        let tallies = tallies.clone();
        scalar("tally", vec![BinaryView], DataType::Struct(Tally::fields()), move |a: &[ArrayRef], rows| {
            let mut counts = tallies.columns(rows);
            for bytes in a[0].as_binary_view() {
                let register = bytes.and_then(Register::read);
                tallies.count(register.map_or(&[], |r| r.boxes)).push_to(&mut counts);
            }
            Ok(Arc::new(Tally::array(counts)))
        })
    };
    let mask_fields =
        Fields::from(vec![Field::new("week_start", Date32, false), Field::new("boxes", DataType::Int32, false)]);
    let mask_field = Arc::new(Field::new_list_field(DataType::Struct(mask_fields.clone()), true));
    let gives = DataType::List(Arc::clone(&mask_field));
    let marked_weeks = scalar("marked_weeks", vec![BinaryView], gives, move |a: &[ArrayRef], _| {
        let (mut weeks, mut masks, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(a[0].len()));
        for bytes in a[0].as_binary_view() {
            let before = weeks.len();
            if let Some(register) = bytes.and_then(Register::read) {
                for (i, line) in register.boxes.chunks(SESSIONS_A_WEEK).enumerate() {
                    let mask = line.iter().enumerate().fold(0, |m, (at, b)| m | i32::from(*b != BLANK) << at);
                    if mask != 0 {
                        weeks.push(register.first_day + 7 * i as i32);
                        masks.push(mask);
                    }
                }
            }
            lengths.push(weeks.len() - before);
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(Date32Array::from(weeks)), Arc::new(Int32Array::from(masks))];
        let values = StructArray::new(mask_fields.clone(), columns, None);
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::new(Arc::clone(&mask_field), offsets, Arc::new(values), None)))
    });
    let week_fields = Fields::from_iter(
        std::iter::once(Arc::new(Field::new("week_start", Date32, false))).chain(Tally::fields().iter().cloned()),
    );
    let week_field = Arc::new(Field::new_list_field(DataType::Struct(week_fields.clone()), true));
    let weekly =
        scalar("weekly", vec![BinaryView], DataType::List(Arc::clone(&week_field)), move |a: &[ArrayRef], _| {
            let (mut weeks, mut lengths) = (Vec::new(), Vec::with_capacity(a[0].len()));
            let mut counts = tallies.columns(0);
            for bytes in a[0].as_binary_view() {
                let before = weeks.len();
                if let Some(register) = bytes.and_then(Register::read) {
                    for (i, line) in register.boxes.chunks(SESSIONS_A_WEEK).enumerate() {
                        if line.iter().any(|b| *b != BLANK) {
                            weeks.push(register.first_day + 7 * i as i32);
                            tallies.count(line).push_to(&mut counts);
                        }
                    }
                }
                lengths.push(weeks.len() - before);
            }
            let (_, columns, _) = Tally::array(counts).into_parts();
            let columns = std::iter::once(Arc::new(Date32Array::from(weeks)) as ArrayRef).chain(columns).collect();
            let values = StructArray::new(week_fields.clone(), columns, None);
            let offsets = OffsetBuffer::from_lengths(lengths);
            Ok(Arc::new(ListArray::new(Arc::clone(&week_field), offsets, Arc::new(values), None)))
        });
    vec![
        within,
        outside,
        between,
        only,
        missing,
        in_weeks_udf,
        runs_udf,
        nth_day,
        last_day,
        days_with,
        sessions_with,
        tally,
        weekly,
        marked_weeks,
    ]
}

/// Open sessions of the calendar without a mark in the register.
fn unmarked(calendar: Register<'_>, register: Option<Register<'_>>) -> i32 {
    let open = |boxes: &[u8]| boxes.iter().map(|b| i32::from(*b != BLANK)).sum::<i32>();
    let last_day = calendar.first_day + (calendar.boxes.len() / 2) as i32 - 1;
    let Some(register) = register.filter(|_| !calendar.boxes.is_empty()) else { return open(calendar.boxes) };
    let marked = register.between(calendar.first_day, last_day);
    if marked.boxes.is_empty() {
        return open(calendar.boxes);
    }
    let marked_until = marked.first_day + (marked.boxes.len() / 2) as i32 - 1;
    let both = calendar.between(marked.first_day, marked_until);
    let held: i32 = both.boxes.iter().zip(marked.boxes).map(|(o, m)| i32::from((*o != BLANK) & (*m != BLANK))).sum();
    open(calendar.boxes) - held
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

    #[test]
    fn days_outside_are_cut_off() {
        let register = Register { first_day: 7, boxes: b"/\\/\\/\\/\\/\\....II............" };
        assert_eq!(register.between(8, 8).boxes, b"/\\");
        assert_eq!(register.between(i32::MIN, 7).boxes, b"/\\");
        assert_eq!(register.between(14, i32::MAX).boxes, b"II............");
        assert_eq!(register.between(30, 40).boxes, b"");
        assert_eq!(register.between(9, 3).boxes, b"");
    }

    #[test]
    fn open_sessions_without_a_mark() {
        let calendar = Register { first_day: 7, boxes: b"////..////....//............" };
        assert_eq!(unmarked(calendar, None), 10);
        assert_eq!(unmarked(calendar, Some(Register { first_day: 14, boxes: b"I............." })), 9);
        assert_eq!(unmarked(calendar, Some(Register { first_day: 0, boxes: b"/\\............/\\/......#...." })), 6);
        assert_eq!(unmarked(calendar.between(14, 20), Some(Register { first_day: 0, boxes: b"/\\............" })), 2);
    }
}
