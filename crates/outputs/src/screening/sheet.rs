//! A comma-separated table in memory.

use std::collections::HashMap;

use csv::StringRecord;

/// Header and rows of one file; every row is as wide as the header.
pub(super) struct Sheet {
    header: StringRecord,
    rows: Vec<StringRecord>,
    /// Position of each column; of two with one name, the first.
    positions: HashMap<String, usize>,
}

impl Sheet {
    /// Reads a table, or says why it is none.
    pub(super) fn read(bytes: &[u8]) -> Result<Sheet, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::Reader::from_reader(bytes);
        let wrong = |error: csv::Error| format!("is not a UTF-8 comma-separated table: {error}");
        let header = reader.headers().map_err(wrong)?.clone();
        if header.is_empty() {
            return Err("is empty".to_string());
        }
        let rows = reader.records().collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        if rows.is_empty() {
            return Err("has no row under its header".to_string());
        }
        let mut positions = HashMap::new();
        for (position, name) in header.iter().enumerate() {
            positions.entry(name.to_string()).or_insert(position);
        }
        Ok(Sheet { header, rows, positions })
    }

    pub(super) fn header(&self) -> impl Iterator<Item = &str> {
        self.header.iter()
    }

    pub(super) fn width(&self) -> usize {
        self.header.len()
    }

    /// How many rows there are under the header.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.positions.contains_key(column)
    }

    /// The cell, or nothing where there is no such row or column.
    pub(super) fn cell(&self, row: usize, column: &str) -> &str {
        let cell = self.positions.get(column).and_then(|&at| self.rows.get(row)?.get(at));
        cell.unwrap_or_default()
    }

    /// The column from top to bottom; nothing where there is no such column.
    pub(super) fn values(&self, column: &str) -> impl Iterator<Item = &str> {
        let position = self.positions.get(column).copied();
        self.rows.iter().filter_map(move |row| row.get(position?))
    }

    /// Every row's cells of some columns.
    pub(super) fn select(&self, columns: &[&str]) -> impl Iterator<Item = Vec<&str>> {
        let positions: Vec<Option<usize>> = columns.iter().map(|column| self.positions.get(*column).copied()).collect();
        self.rows.iter().map(move |row| {
            let cell = |at: &Option<usize>| at.and_then(|at| row.get(at)).unwrap_or_default();
            positions.iter().map(cell).collect()
        })
    }

    /// Every cell of every row.
    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().flatten()
    }
}
