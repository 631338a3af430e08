//! The date forms a file may use, one form throughout.

use chrono::NaiveDate;

/// How a file writes its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateForm {
    /// `2026-09-07`, optionally followed by a midnight time.
    Iso,
    /// `07/09/2026`.
    Slashed,
    /// `07-09-2026`, as GIAS writes it.
    Dashed,
}

impl DateForm {
    /// How it is spoken of.
    fn name(self) -> &'static str {
        match self {
            Self::Iso => "YYYY-MM-DD",
            Self::Slashed => "DD/MM/YYYY",
            Self::Dashed => "DD-MM-YYYY",
        }
    }
}

/// The forms in which a file's dates are written, each with the line on which it was met first.
#[derive(Debug, Default)]
pub struct DateForms {
    /// The line being read.
    pub line: u64,
    met: Vec<(DateForm, u64)>,
}

impl DateForms {
    /// A date of this form.
    pub fn meet(&mut self, form: DateForm) {
        if !self.met.iter().any(|(met, _)| *met == form) {
            self.met.push((form, self.line));
        }
    }

    /// The line of the first date of another form than those before it, and what was found; none where all are alike.
    pub fn mixed(&self) -> Option<(u64, String)> {
        let [(first, _), (second, line), ..] = self.met[..] else { return None };
        Some((line, format!("a date as {} after dates as {}", second.name(), first.name())))
    }
}

/// A date and the form it was written in. None where it is not a date that exists.
pub fn parse(text: &str) -> Option<(NaiveDate, DateForm)> {
    let b = text.as_bytes();
    // Databases and Excel add a midnight; anything but midnight is not a date.
    let b = match b {
        [day @ .., b' ' | b'T', b'0', b'0', b':', b'0', b'0', b':', b'0', b'0'] => day,
        _ => b,
    };
    let number =
        |part: &[u8]| part.iter().try_fold(0u32, |n, d| d.is_ascii_digit().then(|| n * 10 + u32::from(d - b'0')));
    let (y, m, d, form) = match b {
        [y @ .., b'-', m1, m2, b'-', d1, d2] if y.len() == 4 => (y, [*m1, *m2], [*d1, *d2], DateForm::Iso),
        [d1, d2, b'/', m1, m2, b'/', y @ ..] if y.len() == 4 => (y, [*m1, *m2], [*d1, *d2], DateForm::Slashed),
        [d1, d2, b'-', m1, m2, b'-', y @ ..] if y.len() == 4 => (y, [*m1, *m2], [*d1, *d2], DateForm::Dashed),
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(number(y)? as i32, number(&m)?, number(&d)?)?;
    Some((date, form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_nothing_else() {
        let day = NaiveDate::from_ymd_opt(2026, 9, 7).unwrap();
        assert_eq!(parse("2026-09-07"), Some((day, DateForm::Iso)));
        assert_eq!(parse("2026-09-07 00:00:00"), Some((day, DateForm::Iso)));
        assert_eq!(parse("07/09/2026"), Some((day, DateForm::Slashed)));
        assert_eq!(parse("07-09-2026"), Some((day, DateForm::Dashed)));
        for wrong in [
            "",
            "7/9/26",
            "2026-02-30",
            "31/09/2026",
            "2026-09-07 10:00:00",
            "２０２６-09-07",
            "2026/09/07",
            "-",
            "46272",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
