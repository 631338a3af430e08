//! What was built and handed on, and how it differs from the time before.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::attendance_open_data::{self, Built};

/// The ledger's entry of one built submission: from it the same bytes can be built again and told
/// from any others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Which submission, e.g. `attendance_open_data`.
    pub name: String,
    /// Six digits, e.g. `202627`.
    pub academic_year: String,
    /// Version of the ledger that the figures were read from.
    pub ledger_version: u64,
    /// The last school day in the figures.
    pub as_of: NaiveDate,
    /// What had been told by then is in the figures, nothing later.
    pub known_at: DateTime<Utc>,
    /// Whether the figures are made up.
    #[serde(default)]
    pub made_up: bool,
    /// Every file of the submission.
    pub files: Vec<SubmittedFile>,
}

/// One file of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmittedFile {
    /// File name, without a folder.
    pub name: String,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

impl SubmittedFile {
    /// The entry of a file with this content.
    pub fn of(name: &str, content: &[u8]) -> SubmittedFile {
        SubmittedFile { name: name.to_string(), sha256: attendance_open_data::sha256(content) }
    }
}

impl Submission {
    /// The entry of an attendance file.
    pub fn of_attendance(
        built: &Built,
        academic_year: &str,
        ledger_version: u64,
        as_of: NaiveDate,
        known_at: DateTime<Utc>,
        made_up: bool,
    ) -> Submission {
        Submission {
            name: attendance_open_data::NAME.to_string(),
            academic_year: academic_year.to_string(),
            ledger_version,
            as_of,
            known_at,
            made_up,
            files: vec![
                SubmittedFile::of(&built.data_name, &built.data),
                SubmittedFile::of(&built.meta_name, &built.meta),
            ],
        }
    }
}

/// How two attendance open data files differ, one line for each difference, in the order of the new
/// file: `Primary: overall_absence 12,345 -> 12,401`. Nothing where they say the same.
///
/// A row is known by its period, its place and its phase; period and place are named where the
/// files hold more than one.
pub fn diff(old: &[u8], new: &[u8]) -> Vec<String> {
    let (old, new) = match (Table::read(old), Table::read(new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(why), _) => return vec![format!("the old file can't be compared: {why}")],
        (_, Err(why)) => return vec![format!("the new file can't be compared: {why}")],
    };
    let mut lines = Vec::new();
    let gone = old.columns.iter().filter(|column| !new.columns.contains(column));
    lines.extend(gone.map(|column| format!("column {column} is gone")));
    let added = new.columns.iter().filter(|column| !old.columns.contains(column));
    lines.extend(added.map(|column| format!("column {column} is new")));

    let known_by = KEY.into_iter().filter(|column| {
        let mut values = old.rows.iter().chain(&new.rows).map(|row| row.value(column));
        let first = values.next();
        *column == "education_phase" || values.any(|value| Some(value) != first)
    });
    let known_by: Vec<&str> = known_by.collect();
    let before: HashMap<&[String], &Row> = old.rows.iter().map(|row| (&row.key[..], row)).collect();
    let after: HashMap<&[String], &Row> = new.rows.iter().map(|row| (&row.key[..], row)).collect();
    for row in &new.rows {
        let title = row.title(&known_by);
        let Some(before) = before.get(&row.key[..]) else {
            lines.push(format!("{title}: new row"));
            continue;
        };
        for column in new.columns.iter().filter(|column| old.columns.contains(column)) {
            let (from, to) = (before.value(column), row.value(column));
            if from != to {
                let (from, to) = in_words(from, to);
                lines.push(format!("{title}: {column} {from} -> {to}"));
            }
        }
    }
    let gone = old.rows.iter().filter(|row| !after.contains_key(&row.key[..]));
    lines.extend(gone.map(|row| format!("{}: row is gone", row.title(&known_by))));
    lines
}

/// What a row is known by, in the order in which it is named.
const KEY: [&str; 5] = ["time_period", "time_identifier", "geographic_level", "old_la_code", "education_phase"];

struct Table {
    columns: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    key: Vec<String>,
    cells: BTreeMap<String, String>,
}

impl Table {
    fn read(bytes: &[u8]) -> Result<Table, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::Reader::from_reader(bytes);
        let header = reader.headers().map_err(|error| error.to_string())?.clone();
        if !header.iter().any(|column| column == "education_phase") {
            return Err("it has no column education_phase".to_string());
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let cells = header.iter().map(str::to_string).zip(record.iter().map(str::to_string));
            let mut row = Row { key: Vec::new(), cells: cells.collect() };
            row.key = KEY.iter().map(|column| row.value(column).to_string()).collect();
            rows.push(row);
        }
        Ok(Table { columns: header.iter().map(str::to_string).collect(), rows })
    }
}

impl Row {
    fn value(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    fn title(&self, known_by: &[&str]) -> String {
        let parts = known_by.iter().map(|column| self.value(column)).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(" ")
    }
}

/// Both values as people write them: thousands apart, at most as many decimal places as it takes to
/// tell them apart (two at least), symbols spelt out.
fn in_words(from: &str, to: &str) -> (String, String) {
    for places in [2, 4, 6, 9] {
        let (shown_from, shown_to) = (show(from, places), show(to, places));
        if shown_from != shown_to {
            return (shown_from, shown_to);
        }
    }
    (from.to_string(), to.to_string())
}

fn show(value: &str, places: usize) -> String {
    match value {
        "" => return "blank".to_string(),
        "c" => return "c (suppressed)".to_string(),
        "x" => return "x (unavailable)".to_string(),
        "z" => return "z (not applicable)".to_string(),
        _ => {}
    }
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let Some(number) = value.parse::<f64>().ok().filter(|_| is_number) else {
        return value.to_string();
    };
    match value.split_once('.') {
        None => thousands(value),
        Some(_) => {
            let rounded = format!("{number:.places$}");
            let (whole, decimals) = rounded.split_once('.').unwrap_or((&rounded, "0"));
            format!("{}.{decimals}", thousands(whole))
        }
    }
}

fn thousands(digits: &str) -> String {
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "time_period,geographic_level,old_la_code,education_phase,overall_absence,\
        attendance_perc,time_identifier\n\
        202627,Local authority,850,Primary,12345,94.311,Academic year\n\
        202627,Local authority,850,Special,7,c,Academic year\n\
        202627,Local authority,850,Total,12352,94.3,Academic year\n";

    fn diff_after(changes: &[(&str, &str)]) -> Vec<String> {
        let new = changes.iter().fold(OLD.to_string(), |text, (from, to)| text.replace(from, to));
        diff(OLD.as_bytes(), new.as_bytes())
    }

    #[test]
    fn a_changed_figure_is_told_in_plain_words() {
        assert_eq!(diff_after(&[]), [""; 0]);
        assert_eq!(diff_after(&[("12345", "12401")]), ["Primary: overall_absence 12,345 -> 12,401"]);
        assert_eq!(
            diff_after(&[("94.311", "94.319"), ("7,c", "1007,88")]),
            [
                "Primary: attendance_perc 94.31 -> 94.32",
                "Special: overall_absence 7 -> 1,007",
                "Special: attendance_perc c (suppressed) -> 88",
            ]
        );
        // As many places as it takes.
        assert_eq!(diff_after(&[("94.311", "94.3112")]), ["Primary: attendance_perc 94.3110 -> 94.3112"]);
    }

    #[test]
    fn rows_and_columns_that_come_and_go_are_told() {
        assert_eq!(
            diff_after(&[("Special", "Secondary"), ("overall_absence", "absence")]),
            ["column overall_absence is gone", "column absence is new", "Secondary: new row", "Special: row is gone",]
        );
        // Another year: then the year is named.
        let lines = diff_after(&[("202627", "202728")]);
        assert_eq!(lines.first().map(String::as_str), Some("202728 Primary: new row"));
    }

    #[test]
    fn what_is_no_such_file_is_said() {
        assert_eq!(diff(b"\xff\xfe,", OLD.as_bytes()).len(), 1);
        assert_eq!(
            diff(OLD.as_bytes(), b"a,b\n1,2\n"),
            ["the new file can't be compared: it has no column education_phase"]
        );
    }

    #[test]
    fn the_ledger_entry_survives_json() -> Result<(), Box<dyn std::error::Error>> {
        let entry = Submission {
            name: "attendance_open_data".to_string(),
            academic_year: "202627".to_string(),
            ledger_version: 42,
            as_of: "2026-11-20".parse()?,
            known_at: "2026-11-23T06:00:00Z".parse()?,
            made_up: true,
            files: vec![SubmittedFile::of("a.csv", b"abc")],
        };
        let json = serde_json::to_string(&entry)?;
        // The known digest of `abc`.
        assert!(json.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert!(json.contains("\"known_at\":\"2026-11-23T06:00:00Z\""));
        assert_eq!(serde_json::from_str::<Submission>(&json)?, entry);
        Ok(())
    }
}
