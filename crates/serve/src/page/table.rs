//! A table of the page: one heading row, no merged and no empty cells.

use askama::Template;

use super::{NO_DATA, count, date, percent};

/// A table, ready to be written.
#[derive(Template)]
#[template(path = "table.html")]
pub(super) struct Table {
    /// Anchor of its caption.
    pub id: &'static str,
    /// What, where, when.
    pub caption: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

pub(super) struct Column {
    pub label: String,
    pub numeric: bool,
    pub sort: Option<Sort>,
}

/// The link in a heading that orders the rows by it.
pub(super) struct Sort {
    pub href: String,
    /// What following it does.
    pub hint: &'static str,
    /// As `aria-sort` says it, where the rows stand in this order now.
    pub now: Option<&'static str>,
}

pub(super) struct Row {
    pub cells: Vec<Cell>,
    /// A total.
    pub strong: bool,
}

pub(super) struct Cell {
    pub text: String,
    /// A second, smaller line.
    pub note: Option<String>,
    /// Colour of the tag in which the text stands; the text says the same.
    pub tag: Option<&'static str>,
    /// Nothing is known here.
    pub unknown: bool,
    /// It stays on one line.
    pub whole: bool,
}

impl Column {
    pub fn text(label: impl Into<String>) -> Self {
        Column { label: label.into(), numeric: false, sort: None }
    }

    pub fn number(label: impl Into<String>) -> Self {
        Column { label: label.into(), numeric: true, sort: None }
    }

    pub fn sorted(self, sort: Sort) -> Self {
        Column { sort: Some(sort), ..self }
    }
}

impl Row {
    pub fn of<const N: usize>(cells: [Cell; N]) -> Self {
        Row { cells: cells.into(), strong: false }
    }
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Cell { text: text.into(), note: None, tag: None, unknown: false, whole: false }
    }

    pub fn noted(text: impl Into<String>, note: impl Into<String>) -> Self {
        Cell { note: Some(note.into()), ..Cell::text(text) }
    }

    pub fn tagged(text: impl Into<String>, tag: &'static str) -> Self {
        Cell { tag: Some(tag), ..Cell::text(text) }
    }

    pub fn unknown(words: &str) -> Self {
        Cell { unknown: true, ..Cell::text(words) }
    }

    pub fn count(value: u64) -> Self {
        Cell::text(count(value))
    }

    pub fn count_if_known(value: Option<u64>) -> Self {
        value.map_or_else(|| Cell::unknown(NO_DATA), Cell::count)
    }

    pub fn percent(value: Option<f64>) -> Self {
        Cell { unknown: !value.is_some_and(f64::is_finite), ..Cell::text(percent(value)) }
    }

    pub fn day(value: Option<&str>, never: &str) -> Self {
        value.map_or_else(|| Cell::unknown(never), |day| Cell { whole: true, ..Cell::text(date::day_in_brief(day)) })
    }
}
