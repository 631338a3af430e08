//! The tables of the page as CSV: the same figures, unrounded, each row stamped with its moment. Blank is
//! "no data".

use crate::page::schools::arrange;
use crate::page::{Ask, Overview};

const STAMP: [&str; 4] = ["academic_year", "as_of", "known_at", "ledger_version"];

/// Absence by week.
pub(super) fn weeks(overview: &Overview) -> String {
    let names = [
        "week_start",
        "absence_percent",
        "england_absence_percent",
        "schools_received",
        "schools_expected",
        "is_settled",
    ];
    let rows = overview.weeks.iter().map(|week| {
        [
            text(&week.week_start),
            number(week.area),
            number(week.england),
            week.schools_received.to_string(),
            week.schools_expected.to_string(),
            week.settled.to_string(),
        ]
    });
    table(overview, names, rows)
}

/// The schools asked for, in the order asked for.
pub(super) fn schools(overview: &Overview, ask: &Ask) -> String {
    let names = [
        "urn",
        "school",
        "phase",
        "trust",
        "enrolments",
        "absence_percent",
        "persistent",
        "persistent_percent",
        "severe",
        "severe_percent",
        "last_sent",
        "rows_refused",
    ];
    let rows = arrange(&overview.schools, ask).into_iter().map(|school| {
        [
            school.urn.to_string(),
            text(&school.name),
            text(&school.phase),
            text(school.trust.as_deref().unwrap_or_default()),
            whole(school.enrolments),
            number(school.absence_percent),
            whole(school.persistent),
            number(school.persistent_percent),
            whole(school.severe),
            number(school.severe_percent),
            text(school.last_sent.as_deref().unwrap_or_default()),
            school.refused_rows.to_string(),
        ]
    });
    table(overview, names, rows)
}

fn table<const N: usize>(overview: &Overview, names: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let stamp = &overview.stamp;
    let stamp =
        [text(&stamp.academic_year), text(&stamp.as_of), text(&stamp.known_at), stamp.ledger_version.to_string()]
            .join(",");
    let mut csv = format!("{},{}\r\n", STAMP.join(","), names.join(","));
    for row in rows {
        csv.push_str(&stamp);
        for value in row {
            csv.push(',');
            csv.push_str(&value);
        }
        csv.push_str("\r\n");
    }
    csv
}

fn whole(value: Option<u64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(|value| value.to_string()).unwrap_or_default()
}

/// Quoted where it must be; what a spreadsheet would take for a formula is made text by an apostrophe.
fn text(value: &str) -> String {
    let guarded =
        if value.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{value}") } else { value.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_and_never_a_formula() {
        assert_eq!(text("St Mary's"), "St Mary's");
        assert_eq!(text("Ash, Elm and \"Oak\""), "\"Ash, Elm and \"\"Oak\"\"\"");
        assert_eq!(text("=1+1"), "'=1+1");
    }

    #[test]
    fn unknown_is_blank_and_nought_is_nought() {
        assert_eq!(
            (number(None), number(Some(f64::NAN)), number(Some(0.0))),
            (String::new(), String::new(), "0".into())
        );
        assert_eq!((whole(None), whole(Some(0))), (String::new(), "0".into()));
    }

    #[test]
    fn every_row_has_every_column() {
        let overview = crate::page::sample::overview();
        for csv in [weeks(&overview), schools(&overview, &Ask::default())] {
            let columns: Vec<_> = csv.lines().map(|line| line.matches(',').count()).collect();
            assert!(columns.len() > 5 && columns.windows(2).all(|pair| pair[0] == pair[1]), "{csv}");
        }
    }
}
