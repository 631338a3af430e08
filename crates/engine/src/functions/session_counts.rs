//! Each session's marks by measure as one value, which `session_counts(register)` gives, and what is read from it:
//! `counts_by_session(counts)`, `counts_by_week(counts)`, `counts_by_weekday(counts)`. The value is the Monday of the
//! first week (four bytes, least first), how many weeks follow (two bytes), and for each of them which of its fourteen
//! boxes have any mark (a mask of two bytes) and the [`MEASURES`] of those: most are small, and half the boxes empty.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::ScalarUDF;
use model::SESSIONS_A_WEEK;

use super::lists::{Lists, column};
use super::scalar;
use super::tally::TALLIED;
use crate::line_book::MEASURES;

/// A session's marks by measure.
type BoxCounts = [u32; MEASURES.len()];

/// Those of a week's fourteen boxes.
pub(super) type WeekCounts = [BoxCounts; SESSIONS_A_WEEK];

/// Where marks of any kind are counted, and where N.
const RECORDED: usize = MEASURES.len() - 2;
const N: usize = MEASURES.len() - 1;

/// Writes a value.
pub(super) fn write_counts<'a>(
    first_week: i32,
    weeks: impl ExactSizeIterator<Item = &'a WeekCounts>,
    into: &mut Vec<u8>,
) {
    into.extend_from_slice(&first_week.to_le_bytes());
    into.extend_from_slice(&(weeks.len() as u16).to_le_bytes());
    for week in weeks {
        let counted = || week.iter().enumerate().filter(|(_, counts)| **counts != BoxCounts::default());
        into.extend_from_slice(&counted().fold(0u16, |mask, (place, _)| mask | 1 << place).to_le_bytes());
        counted().flat_map(|(_, counts)| counts).for_each(|count| write_number(*count, into));
    }
}

/// Seven bits a byte, least first; the highest says that more follow.
fn write_number(mut number: u32, into: &mut Vec<u8>) {
    while 0x7f < number {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..u32::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// A value, read.
#[derive(Clone, Copy)]
pub(super) struct SessionCounts<'a> {
    /// The Monday of its first week.
    pub(super) first_week: i32,
    /// How many weeks it has.
    pub(super) len: usize,
    weeks: &'a [u8],
}

impl<'a> SessionCounts<'a> {
    /// Reads a value; none where it does not even say how many weeks it has.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (monday, rest) = bytes.split_first_chunk::<4>()?;
        let (len, weeks) = rest.split_first_chunk::<2>()?;
        Some(Self { first_week: i32::from_le_bytes(*monday), len: u16::from_le_bytes(*len).into(), weeks })
    }

    /// Each week's counts.
    pub(super) fn weeks(self) -> impl Iterator<Item = WeekCounts> + 'a {
        let mut rest = self.weeks;
        (0..self.len).map_while(move |_| {
            let mut week = WeekCounts::default();
            let (mask, counted) = rest.split_first_chunk::<2>()?;
            rest = counted;
            let mask = u16::from_le_bytes(*mask);
            for (_, counts) in week.iter_mut().enumerate().filter(|(place, _)| mask >> place & 1 == 1) {
                for count in counts {
                    *count = read_number(&mut rest)?;
                }
            }
            Some(week)
        })
    }

    /// Each week's Monday and counts, as far as anything is counted in it.
    fn marked(self) -> impl Iterator<Item = (i32, WeekCounts)> + 'a {
        let weeks = self.weeks().enumerate().map(move |(nth, week)| (self.first_week + 7 * nth as i32, week));
        weeks.filter(|(_, week)| *week != WeekCounts::default())
    }
}

fn add(to: &mut [i64; RECORDED], counts: &BoxCounts) {
    to.iter_mut().zip(counts).for_each(|(to, count)| *to += i64::from(*count));
}

fn session_of(place: usize) -> &'static str {
    if place.is_multiple_of(2) { "AM" } else { "PM" }
}

fn day_of(monday: i32, place: usize) -> i32 {
    monday + (place / 2) as i32
}

/// One list a value of what `of` pushes for it; `columns` are made of all that was pushed.
fn lists<T>(
    name: &'static str,
    fields: Vec<Field>,
    of: impl Fn(SessionCounts<'_>, &mut Vec<T>) + Send + Sync + 'static,
    columns: impl Fn(&[T]) -> Vec<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let lists = Lists::of(fields);
    scalar(name, vec![DataType::BinaryView], lists.data_type(), move |a: &[ArrayRef], rows| {
        let values = a[0].as_binary_view();
        let (mut pushed, mut lengths) = (Vec::new(), Vec::with_capacity(rows));
        for row in 0..rows {
            let before = pushed.len();
            if let Some(counts) = values.is_valid(row).then(|| SessionCounts::read(values.value(row))).flatten() {
                of(counts, &mut pushed);
            }
            lengths.push(pushed.len() - before);
        }
        Ok(lists.array(columns(&pushed), lengths, values.nulls().cloned()))
    })
}

fn is_there(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

/// The functions of this file.
pub(super) fn scalars() -> Vec<ScalarUDF> {
    vec![by_session(), by_week(), by_weekday()]
}

/// The sessions of which anything is counted, in order.
fn by_session() -> ScalarUDF {
    type Row = (i32, usize, BoxCounts);
    let mut fields = vec![
        is_there("week_start", DataType::Date32),
        is_there("date", DataType::Date32),
        is_there("session", DataType::Utf8View),
        is_there("box", DataType::Int32),
    ];
    fields.extend(MEASURES[..TALLIED].iter().chain(&["n"]).map(|name| is_there(name, DataType::Int32)));
    let of = |counts: SessionCounts<'_>, rows: &mut Vec<Row>| {
        for (monday, week) in counts.marked() {
            let boxes = week.into_iter().enumerate().map(|(place, counts)| (monday, place, counts));
            rows.extend(boxes.filter(|(.., counts)| *counts != BoxCounts::default()));
        }
    };
    lists("counts_by_session", fields, of, |rows: &[Row]| {
        let mut columns = vec![
            column::<Date32Array, _, _>(rows, |(monday, ..)| Some(*monday)),
            column::<Date32Array, _, _>(rows, |(monday, place, _)| Some(day_of(*monday, *place))),
            column::<StringViewArray, _, _>(rows, |(_, place, _)| Some(session_of(*place))),
            column::<Int32Array, _, _>(rows, |(_, place, _)| Some(1 << place)),
        ];
        columns.extend(
            (0..MEASURES.len())
                .map(|nth| column::<Int32Array, _, _>(rows, move |(.., counts)| Some(counts[nth] as i32))),
        );
        columns
    })
}

/// A week's measures, its boxes with any mark as a mask, and the last day with N.
struct OfWeek {
    monday: i32,
    sent: i32,
    counts: [i64; RECORDED],
    last_n: Option<i32>,
}

/// The weeks of which anything is counted, in order.
fn by_week() -> ScalarUDF {
    let mut fields = vec![is_there("week_start", DataType::Date32), is_there("sent", DataType::Int32)];
    fields.extend(MEASURES[..RECORDED].iter().map(|name| is_there(name, DataType::Int64)));
    fields.push(Field::new("last_n", DataType::Date32, true));
    let of = |counts: SessionCounts<'_>, weeks: &mut Vec<OfWeek>| {
        for (monday, boxes) in counts.marked() {
            let mut week = OfWeek { monday, sent: 0, counts: [0; RECORDED], last_n: None };
            for (place, counts) in boxes.iter().enumerate() {
                add(&mut week.counts, counts);
                week.sent |= i32::from(0 < counts[RECORDED]) << place;
                if 0 < counts[N] {
                    week.last_n = Some(day_of(monday, place));
                }
            }
            weeks.push(week);
        }
    };
    lists("counts_by_week", fields, of, |weeks: &[OfWeek]| {
        let mut columns = vec![
            column::<Date32Array, _, _>(weeks, |week| Some(week.monday)),
            column::<Int32Array, _, _>(weeks, |week| Some(week.sent)),
        ];
        columns.extend((0..RECORDED).map(|nth| column::<Int64Array, _, _>(weeks, move |week| Some(week.counts[nth]))));
        columns.push(column::<Date32Array, _, _>(weeks, |week| week.last_n));
        columns
    })
}

/// The days of a week and their sessions of which anything is counted: Monday is 1.
fn by_weekday() -> ScalarUDF {
    type Row = (usize, [i64; RECORDED]);
    let mut fields = vec![is_there("weekday", DataType::Int64), is_there("session", DataType::Utf8View)];
    fields.extend(MEASURES[..RECORDED].iter().map(|name| is_there(name, DataType::Int64)));
    let of = |counts: SessionCounts<'_>, rows: &mut Vec<Row>| {
        let mut days = [([0; RECORDED], false); SESSIONS_A_WEEK];
        for (_, week) in counts.marked() {
            for ((day, is_counted), counts) in days.iter_mut().zip(&week) {
                add(day, counts);
                *is_counted |= *counts != BoxCounts::default();
            }
        }
        let days = days.into_iter().enumerate().filter(|(_, (_, is_counted))| *is_counted);
        rows.extend(days.map(|(place, (counts, _))| (place, counts)));
    };
    lists("counts_by_weekday", fields, of, |rows: &[Row]| {
        let mut columns = vec![
            column::<Int64Array, _, _>(rows, |(place, _)| Some((1 + place / 2) as i64)),
            column::<StringViewArray, _, _>(rows, |(place, _)| Some(session_of(*place))),
        ];
        columns.extend((0..RECORDED).map(|nth| column::<Int64Array, _, _>(rows, move |(_, counts)| Some(counts[nth]))));
        columns
    })
}
