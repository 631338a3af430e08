//! Rows of every kind of file but marks: typed columns of the table they go to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, BooleanBuilder, Date32Builder, Int32Builder, Int64Array, Int64Builder, RecordBatch,
    StringBuilder, new_null_array,
};
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use lake::table::stamped;
use model::line::days_from_epoch;
use model::{Session, Upn, Urn};

use crate::csv_rows::Row;
use crate::date::{self, DateForms};
use crate::decoded::{Content, Unread};
use crate::decoder::Decoder;
use crate::findings::Findings;
use crate::header::{Header, folded};
use crate::kind::{Column, Kind, Value, damaged, yes_no};
use crate::roll_rows::{RollRow, RollRows, TWO_PUPILS};

/// A column being filled.
enum Filled {
    Text(StringBuilder),
    Flag(BooleanBuilder),
    Day(Date32Builder),
    Number(Int32Builder),
    Key(Int64Builder),
}

/// Rows of a table-like file.
pub(crate) struct TableRows {
    kind: Kind,
    columns: Vec<Filled>,
    former: BTreeSet<(Option<Urn>, i64, i64)>,
    pub(crate) forms: DateForms,
    pub(crate) unread: Unread,
    /// Keys already warned about.
    warned: BTreeSet<i64>,
    roll: RollRows,
    /// The line that first states each session of a calendar, and whether the school is open then.
    sessions: HashMap<(Urn, NaiveDate, String), (Option<bool>, u64)>,
}

/// One field, read.
#[derive(Clone)]
enum Cell {
    Null,
    Text(String),
    Flag(bool),
    Day(NaiveDate),
    Number(i32),
    Key(i64),
}

impl TableRows {
    pub(crate) fn new(kind: Kind) -> Self {
        let columns = kind
            .columns()
            .iter()
            .map(|c| match c.value {
                Value::Text | Value::YearGroup | Value::Sex | Value::OneOf(_) | Value::Session => {
                    Filled::Text(StringBuilder::new())
                }
                Value::YesNo => Filled::Flag(BooleanBuilder::new()),
                Value::Date => Filled::Day(Date32Builder::new()),
                Value::Whole | Value::Urn => Filled::Number(Int32Builder::new()),
                Value::Upn => Filled::Key(Int64Builder::new()),
            })
            .collect();
        Self {
            kind,
            columns,
            former: BTreeSet::new(),
            forms: DateForms::default(),
            unread: Unread::default(),
            warned: BTreeSet::new(),
            roll: RollRows::default(),
            sessions: HashMap::new(),
        }
    }

    pub(crate) fn put(&mut self, decoder: &Decoder<'_>, header: &Header, row: &Row, findings: &mut Findings<'_>) {
        findings.rows_in += 1;
        self.forms.line = row.line;
        let columns = self.kind.columns();
        let mut cells = vec![Cell::Null; columns.len()];
        let urn = columns
            .iter()
            .position(|c| c.name == "URN")
            .and_then(|c| header.columns[c])
            .and_then(|i| self.kind.holder(row.bytes(i).trim_ascii()));
        let key = |fills: &str| {
            let field = columns.iter().position(|c| c.fills == fills).and_then(|c| header.columns[c])?;
            Some(Upn::parse(row.text(field).to_ascii_uppercase().as_bytes()).ok()?.key())
        };
        let pupil_key = || key("pupil_key");
        let keys = || (pupil_key(), key("former_key"));
        for (i, column) in columns.iter().enumerate() {
            let Some(field) = header.columns[i] else { continue };
            let text = row.text(field);
            if text.is_empty() {
                if column.key {
                    let found = format!("{} is blank", column.name);
                    findings.list(rule_for(column.value, b""), row.line, urn, &found, pupil_key(), None);
                    self.leave_alone(urn, keys());
                    return;
                }
                continue;
            }
            match self.read(column, &text) {
                Some(cell) => cells[i] = cell,
                None if column.key => {
                    let found = match column.value {
                        Value::Upn => shown(column, &text),
                        _ => format!("{}: {}", column.name, shown(column, &text)),
                    };
                    let rule = rule_for(column.value, text.as_bytes());
                    findings.list(rule, row.line, urn, &found, pupil_key(), None).of(column);
                    self.leave_alone(urn, keys());
                    return;
                }
                None => {
                    let rule = match column.value {
                        // As if it were blank: the child is of no age.
                        Value::Date if column.name == "DOB" => "no_date_of_birth",
                        Value::Date => "unreadable_date",
                        _ => "unknown_value",
                    };
                    let found = format!("{}: {}", column.name, shown(column, &text));
                    findings.gather(rule, row.line, urn, &found, None).of(column);
                }
            }
            if let (Kind::Interventions, "Type", Cell::Text(text)) = (self.kind, column.name, &cells[i]) {
                let is_it = |word: &str| folded(word) == folded(text);
                match decoder.interventions.iter().find(|(kind, name)| is_it(kind) || is_it(name)) {
                    Some((kind, _)) => cells[i] = Cell::Text(kind.clone()),
                    None => {
                        let expected = decoder.interventions.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                        let expected = format!("one of {expected}");
                        findings.gather("unknown_value", row.line, urn, &shown(column, text), None).expecting(expected);
                    }
                }
            }
            // Taken at its word, a day mistyped by a year would stand over all rolls that come until then.
            if column.name == "SnapshotDate" && matches!(cells[i], Cell::Day(day) if decoder.roll_until < day) {
                let found = format!("{}: {}", column.name, shown(column, &text));
                findings.list("roll_of_far_day", row.line, urn, &found, pupil_key(), None);
                self.leave_alone(urn, keys());
                return;
            }
            // Nothing can be worked out of years that no register is of.
            if let (Kind::Calendar, Cell::Day(day)) = (self.kind, &cells[i])
                && !(decoder.earliest..=decoder.calendar_until).contains(day)
            {
                let rule = if *day < decoder.earliest { "date_before_year" } else { "calendar_of_far_day" };
                findings.refuse(rule, row.line, urn, &format!("{}: {}", column.name, shown(column, &text)));
                return;
            }
            // Nobody on a roll is born later than the roll was received.
            if column.name == "DOB" && matches!(cells[i], Cell::Day(born) if decoder.received_on < born) {
                cells[i] = Cell::Null;
                findings.gather("no_date_of_birth", row.line, urn, "DOB: a day to come", None);
            }
        }
        let cell = |fills: &str| columns.iter().position(|c| c.fills == fills).map(|i| &cells[i]);
        let day = |name: &str| match columns.iter().position(|c| c.name == name).map(|i| &cells[i]) {
            Some(Cell::Day(day)) => Some(*day),
            _ => None,
        };
        if let Some((from, to, rule)) = self.kind.span()
            && let (Some(first), Some(last)) = (day(from), day(to))
            && last < first
        {
            let found = format!("{to} {last}, {from} {first}");
            let found = findings.list(rule, row.line, urn, &found, pupil_key(), None);
            if found.refuses() {
                self.leave_alone(urn, keys());
                return;
            }
        }
        if let (Kind::Roll, Some(urn), Some(key), Some(entry)) = (self.kind, urn, pupil_key(), day("EntryDate")) {
            let year_group = if let Some(Cell::Text(year)) = cell("nc_year") { Some(year.as_str()) } else { None };
            let (line, born, snapshot) = (row.line, day("DOB"), day("SnapshotDate"));
            let stated = RollRow { line, urn, pupil_key: key, entry, born, year_group, snapshot };
            if let Some((rule, found)) = self.roll.refused(&stated) {
                findings.list(rule, line, Some(urn), &found, Some(key), None);
                // Of another child, who may be any, it is where the date of birth differs.
                let is_of_another = rule == TWO_PUPILS;
                self.leave_alone(Some(urn), (Some(key).filter(|_| !is_of_another), keys().1));
                return;
            }
            for (rule, found) in self.roll.take(decoder, &stated) {
                findings.list(rule, line, Some(urn), &found, Some(key), None);
            }
        }
        if let (Kind::Calendar, Some(urn), Some(day)) = (self.kind, urn, day("Date")) {
            let session = if let Some(Cell::Text(session)) = cell("session") { session.clone() } else { String::new() };
            let open = if let Some(Cell::Flag(open)) = cell("open") { Some(*open) } else { None };
            let (first, line) = *self.sessions.entry((urn, day, session)).or_insert((open, row.line));
            if first != open {
                let found = format!("another Open than on line {line}");
                findings.refuse("calendar_session_twice", row.line, Some(urn), &found);
                return;
            }
        }
        self.notice(header, &cells, row, urn, findings);
        for (filled, cell) in self.columns.iter_mut().zip(cells) {
            match (filled, cell) {
                (Filled::Text(b), Cell::Text(v)) => b.append_value(v),
                (Filled::Text(b), _) => b.append_null(),
                (Filled::Flag(b), Cell::Flag(v)) => b.append_value(v),
                (Filled::Flag(b), _) => b.append_null(),
                (Filled::Day(b), Cell::Day(v)) => b.append_value(days_from_epoch(v)),
                (Filled::Day(b), _) => b.append_null(),
                (Filled::Number(b), Cell::Number(v)) => b.append_value(v),
                (Filled::Number(b), _) => b.append_null(),
                (Filled::Key(b), Cell::Key(v)) => b.append_value(v),
                (Filled::Key(b), _) => b.append_null(),
            }
        }
        findings.rows_kept += 1;
    }

    /// A refused row, as far as it says whose it is: of a child under either UPN.
    fn leave_alone(&mut self, urn: Option<Urn>, (key, former): (Option<i64>, Option<i64>)) {
        self.unread.add(urn, key);
        if former.is_some() {
            self.unread.add(urn, former);
        }
    }

    /// What a kept row says besides its columns: a former UPN, a doubtful check letter.
    fn notice(&mut self, header: &Header, cells: &[Cell], row: &Row, urn: Option<Urn>, findings: &mut Findings<'_>) {
        let columns = self.kind.columns();
        let cell = |fills: &str| columns.iter().position(|c| c.fills == fills).map(|i| &cells[i]);
        if let (Some(Cell::Key(former)), Some(Cell::Key(now))) = (cell("former_key"), cell("pupil_key"))
            && former != now
        {
            self.former.insert((urn, *former, *now));
        }
        let says = |fills: &str| {
            let field = columns.iter().position(|c| c.fills == fills).and_then(|c| header.columns[c]);
            field.is_some_and(|i| !row.bytes(i).trim_ascii().is_empty())
        };
        if self.kind == Kind::Roll && !says("dob") {
            findings.gather("no_date_of_birth", row.line, urn, "DOB is blank", None);
        }
        if let Some(Cell::Key(key)) = cell("pupil_key")
            && Upn::of_key(*key).is_some_and(|u| !u.check_letter_is_right())
            && self.warned.insert(*key)
        {
            let shape = Upn::of_key(*key).map(|u| model::id::shape_of(u.as_str().as_bytes())).unwrap_or_default();
            findings.list("upn_check_letter", row.line, urn, &shape, Some(*key), None);
        }
    }

    fn read(&mut self, column: &Column, text: &str) -> Option<Cell> {
        match column.value {
            Value::YearGroup => year_group(text).map(Cell::Text),
            Value::Sex => sex(text).map(|sex| Cell::Text(sex.to_owned())),
            Value::Text => Some(Cell::Text(text.chars().take(500).collect())),
            Value::OneOf(values) => {
                values.iter().find(|v| v.eq_ignore_ascii_case(text)).map(|v| Cell::Text((*v).to_owned()))
            }
            Value::YesNo => yes_no(text).map(Cell::Flag),
            Value::Date => date::parse(text).map(|(day, form)| {
                self.forms.meet(form);
                Cell::Day(day)
            }),
            Value::Whole => text.parse().ok().map(Cell::Number),
            Value::Urn => self.kind.holder(text.as_bytes()).map(Cell::Number),
            Value::Upn => Upn::parse(text.to_ascii_uppercase().as_bytes()).ok().map(|u| Cell::Key(u.key())),
            Value::Session => Session::parse(text).map(|s| Cell::Text(s.as_str().to_owned())),
        }
    }

    pub(crate) fn finish(self, decoder: &Decoder<'_>, return_id: i64) -> Content {
        let table = self.kind.table();
        let schema = table.schema();
        let names: Vec<&str> = self.kind.columns().iter().map(|c| c.fills).collect();
        let mut by_name: BTreeMap<&str, ArrayRef> = BTreeMap::new();
        let mut rows = 0;
        for (name, filled) in names.into_iter().zip(self.columns) {
            let mut array: ArrayRef = match filled {
                Filled::Text(mut b) => Arc::new(b.finish()),
                Filled::Flag(mut b) => Arc::new(b.finish()),
                Filled::Day(mut b) => Arc::new(b.finish()),
                Filled::Number(mut b) => Arc::new(b.finish()),
                Filled::Key(mut b) => ArrayBuilder::finish(&mut b),
            };
            // Files are small and many: the room they left over would be most of what they hold.
            Arc::get_mut(&mut array).into_iter().for_each(Array::shrink_to_fit);
            rows = array.len();
            by_name.insert(name, array);
        }
        let columns = schema.fields().iter().map(|field| match field.name().as_str() {
            "known_from" => stamped(decoder.received_at.timestamp_micros(), rows),
            "return_id" => Arc::new(Int64Array::from(vec![return_id; rows])),
            name => match by_name.get(name) {
                // A key that a file may leave out is empty text, not unknown.
                Some(array)
                    if !field.is_nullable() && 0 < array.null_count() && field.data_type() == &DataType::Utf8 =>
                {
                    let text = arrow::array::AsArray::as_string::<i32>(array);
                    Arc::new(text.iter().map(|v| Some(v.unwrap_or_default())).collect::<arrow::array::StringArray>())
                }
                Some(array) => Arc::clone(array),
                None => new_null_array(field.data_type(), rows),
            },
        });
        match RecordBatch::try_new(Arc::clone(&schema), columns.collect()) {
            Ok(batch) => {
                let former = self.former.into_iter().collect();
                Content::Rows { rows: batch, former, snapshots: self.roll.days, unread: self.unread }
            }
            Err(_) => Content::Nothing,
        }
    }
}

fn rule_for(value: Value, text: &[u8]) -> &'static str {
    match value {
        Value::Urn | Value::Upn if damaged(text) => "damaged_by_spreadsheet",
        Value::Urn => "urn_shape",
        Value::Upn => "upn_shape",
        Value::Date => "impossible_date",
        Value::Session => "unknown_session",
        _ => "bad_value",
    }
}

/// A field as a message may show it. A date of birth is a child's even where it is impossible, and so may be a date or
/// a short name in the column of something else: a comma too many has moved the fields of its row.
fn shown(column: &Column, text: &str) -> String {
    let has_digit = |text: &str| text.bytes().any(|b| b.is_ascii_digit());
    let is_name = |text: &str| text.chars().nth(1).is_some_and(char::is_lowercase) && !has_digit(text);
    match (column.name, column.value) {
        ("DOB", _) | (_, Value::Upn) => model::id::shape_of(text.as_bytes()),
        _ if is_name(text) => model::id::shape_of(text.as_bytes()),
        (_, Value::Date) => model::id::shown(text),
        _ if 5 < text.len() && has_digit(text) => model::id::shape_of(text.as_bytes()),
        _ => model::id::shown(text),
    }
}

/// A national curriculum year as the DfE's code set writes it: `Year 4` and `Yr 4` are 4, Reception and 0 are R; N, N1
/// and N2 are nursery, E1 and E2 early years, X is no year.
fn year_group(text: &str) -> Option<String> {
    let folded = text.to_ascii_uppercase();
    let name = match folded.as_str() {
        "RECEPTION" | "YR" | "YEAR R" | "0" => "R",
        "NURSERY" => "N",
        _ => ["YEAR", "YR", "Y"].iter().find_map(|word| folded.strip_prefix(word)).map_or(&*folded, str::trim_start),
    };
    let name = if name.len() == 2 { name.trim_start_matches('0') } else { name };
    let is_year = name.parse::<u8>().is_ok_and(|year| (1..=14).contains(&year));
    (is_year || matches!(name, "R" | "N" | "N1" | "N2" | "E1" | "E2" | "X")).then(|| name.to_owned())
}

/// Sex as the DfE's code set writes it.
fn sex(text: &str) -> Option<&'static str> {
    match text.to_ascii_uppercase().as_str() {
        "F" | "FEMALE" => Some("F"),
        "M" | "MALE" => Some("M"),
        _ => None,
    }
}
