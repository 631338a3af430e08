//! Functions over one line.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int32Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Int32Type};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::ScalarUDF;
use model::line::{box_of, day_of};
use model::{BLANK, CodeTable, SESSIONS_A_WEEK, Session};

use super::scalar;

/// All boxes of a line.
pub(super) const WHOLE_WEEK: i32 = (1 << SESSIONS_A_WEEK) - 1;

/// The set a literal argument names.
pub(super) fn named_set(codes: &CodeTable, names: &ArrayRef) -> Result<[bool; 128]> {
    let names = names.as_string::<i32>();
    if names.is_empty() || names.is_null(0) {
        return Ok([false; 128]);
    }
    set_of(codes, names.value(0))
}

/// The set of a name.
pub(super) fn set_of(codes: &CodeTable, name: &str) -> Result<[bool; 128]> {
    match codes.set(name) {
        Some(set) => Ok(set),
        None => plan_err!("`{name}` is neither a class of codes, a measure, nor `codes:` and a list of codes"),
    }
}

/// Boxes of the week that begins on day `week` which lie from `first` to `last`, both included.
pub(super) fn between(week: i32, first: i32, last: i32) -> i32 {
    let from = (first.saturating_sub(week)).clamp(0, 7) * 2;
    let to = (last.saturating_sub(week).saturating_add(1)).clamp(0, 7) * 2;
    if to <= from { 0 } else { (WHOLE_WEEK >> (SESSIONS_A_WEEK as i32 - (to - from))) << from }
}

/// The functions of this file.
pub fn all(codes: &Arc<CodeTable>) -> Vec<ScalarUDF> {
    use DataType::{Date32, Int32, Utf8};
    let session_box = scalar("session_box", vec![Date32, Utf8], Int32, |a, _| {
        let days = a[0].as_primitive::<Date32Type>().iter();
        let masks = days.zip(a[1].as_string::<i32>()).map(|(day, session)| {
            let session = Session::parse(session?)?;
            Some(1 << box_of(day_of(day?), session))
        });
        Ok(Arc::new(masks.collect::<Int32Array>()))
    });
    let line_of = scalar("line_of", vec![Int32, Utf8], Utf8, |a, rows| {
        let masks = a[0].as_primitive::<Int32Type>();
        let letters = a[1].as_string::<i32>();
        let lines: StringArray = (0..rows)
            .map(|i| (!masks.is_null(i)).then(|| kept_text(&letters.value(i).repeat(SESSIONS_A_WEEK), masks.value(i))))
            .collect();
        Ok(Arc::new(lines))
    });
    let mark_at = {
        let codes = Arc::clone(codes);
        scalar("mark_at", vec![Utf8, Int32], Utf8, move |a, rows| {
            let (marks, places) = (a[0].as_string::<i32>(), a[1].as_primitive::<Int32Type>());
            let found: StringArray = (0..rows)
                .map(|i| {
                    let mark = (!marks.is_null(i) && !places.is_null(i))
                        .then(|| marks.value(i).as_bytes().get(places.value(i) as usize).copied())??;
                    codes.letter(mark).map(|c| c.code.clone())
                })
                .collect();
            Ok(Arc::new(found))
        })
    };
    let first_box_day = scalar("first_box_day", vec![Date32, Int32], Date32, |a, rows| {
        let (week, masks) = (a[0].as_primitive::<Date32Type>(), a[1].as_primitive::<Int32Type>());
        let days: Date32Array = (0..rows)
            .map(|i| {
                let mask = (!week.is_null(i) && !masks.is_null(i)).then(|| masks.value(i) & WHOLE_WEEK)?;
                (mask != 0).then(|| week.value(i) + mask.trailing_zeros() as i32 / 2)
            })
            .collect();
        Ok(Arc::new(days))
    });
    let add_days = scalar("add_days", vec![Date32, Int32], Date32, |a, rows| {
        let (days, more) = (a[0].as_primitive::<Date32Type>(), a[1].as_primitive::<Int32Type>());
        let later: Date32Array = (0..rows)
            .map(|i| (!days.is_null(i) && !more.is_null(i)).then(|| days.value(i).saturating_add(more.value(i))))
            .collect();
        Ok(Arc::new(later))
    });
    vec![add_days, session_box, line_of, mark_at, first_box_day]
}

/// The marks of the boxes in a mask; the others blank.
pub(super) fn kept(marks: &[u8], mask: i32) -> impl Iterator<Item = u8> {
    let byte = move |(i, b): (usize, &u8)| if mask >> i & 1 == 1 { b & 127 } else { BLANK };
    marks.iter().take(SESSIONS_A_WEEK).enumerate().map(byte)
}

fn kept_text(marks: &str, mask: i32) -> String {
    kept(marks.as_bytes(), mask).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_between_two_days() {
        assert_eq!(between(0, i32::MIN, i32::MAX), WHOLE_WEEK);
        assert_eq!(between(0, 1, 1), 0b1100);
        assert_eq!(between(0, 7, 9), 0);
        assert_eq!(between(0, -5, -1), 0);
        assert_eq!(between(0, 6, 100), 0b11 << 12);
        assert_eq!(between(0, 5, 2), 0);
    }

    #[test]
    fn what_lies_outside_is_blank() {
        assert_eq!(kept_text("/\\/\\/\\/\\/\\....", between(0, 1, 2)), "../\\/\\........");
    }
}
