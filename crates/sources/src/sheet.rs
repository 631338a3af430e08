//! Excel workbooks: each sheet that can be seen, as the CSV it would have been saved as, so that one decoder judges
//! both.

use std::collections::HashSet;
use std::io::Cursor;

use calamine::{Data, DataRef, Reader, SheetType, SheetVisible, Xlsx};

use crate::csv_rows::ROW_LIMIT;
use crate::unpack::TOO_LARGE;

/// What a sheet can hold; a cell beyond is of no workbook.
const SHEET: (u32, u32) = (1_048_576, 16_384);

/// More formulas than a sheet of marks has cells.
const FORMULAS: usize = 4_000_000;

/// The sheets that hold rows, by name, as CSV; a sheet's row numbers are the CSV's line numbers. Cells are read one
/// by one, since a sheet with one far cell would fill memory as a table. `limit` is what they may come to in bytes.
pub fn as_csv(workbook: &[u8], limit: u64) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(workbook)).map_err(|e| e.to_string())?;
    let seen = |s: &&calamine::Sheet| s.typ == SheetType::WorkSheet && s.visible == SheetVisible::Visible;
    let names: Vec<String> = book.sheets_metadata().iter().filter(seen).map(|s| s.name.clone()).collect();
    let mut sheets = Vec::new();
    let mut left = limit;
    for name in names {
        let csv = rows(&mut book, &name, left)?;
        left -= csv.len() as u64;
        if !csv.is_empty() {
            sheets.push((name, csv));
        }
    }
    if sheets.is_empty() {
        return Err("no sheet that can be seen holds any rows".to_owned());
    }
    Ok(sheets)
}

/// The cells of a sheet whose value is worked out.
fn formulas(book: &mut Xlsx<Cursor<&[u8]>>, name: &str) -> Result<HashSet<(u32, u32)>, String> {
    let mut cells = book.worksheet_cells_reader(name).map_err(|e| e.to_string())?;
    let mut found = HashSet::new();
    while let Some(cell) = cells.next_formula().map_err(|e| e.to_string())? {
        if !cell.get_value().is_empty() {
            found.insert(cell.get_position());
        }
        if FORMULAS < found.len() {
            return Err(TOO_LARGE.to_owned());
        }
    }
    Ok(found)
}

fn rows(book: &mut Xlsx<Cursor<&[u8]>>, name: &str, limit: u64) -> Result<Vec<u8>, String> {
    let formulas = formulas(book, name)?;
    let mut cells = book.worksheet_cells_reader(name).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    let mut row: Vec<String> = Vec::new();
    // Every row is as wide as the first one at least: blank cells at its end are not written.
    let mut width = 0;
    let mut number = 0;
    // Bytes of the row that is being read.
    let mut pending = 0;
    while let Some(cell) = cells.next_cell().map_err(|e| e.to_string())? {
        let (at, column) = cell.get_position();
        if SHEET.0 <= at || SHEET.1 <= column || at < number {
            return Err("a cell where no sheet has one".to_owned());
        }
        // A program that writes workbooks leaves out what Excel would have worked out: not known is not blank.
        if matches!(cell.get_value(), DataRef::Empty) && formulas.contains(&(at, column)) {
            return Err("a formula without its result: open the workbook in Excel and save it".to_owned());
        }
        let text = text(cell.get_value().clone());
        if text.is_empty() {
            continue;
        }
        if number < at {
            write(&mut out, &mut row, &mut width)?;
            pending = 0;
            out.extend(std::iter::repeat_n(b'\n', (at - number - 1) as usize));
            number = at;
        }
        let column = column as usize;
        row.resize(row.len().max(column + 1), String::new());
        // A row that is too long is refused as one: no more of it is held than shows that it is.
        if pending <= ROW_LIMIT {
            pending += text.len();
            // A line broken within a cell would move the numbers of all rows below it.
            let in_one_line = |c: char| if matches!(c, '\n' | '\r') { ' ' } else { c };
            row[column] = text.chars().take(ROW_LIMIT + 1).map(in_one_line).collect();
        }
        if limit < out.len() as u64 {
            return Err(TOO_LARGE.to_owned());
        }
    }
    if row.is_empty() && width == 0 {
        return Ok(Vec::new());
    }
    write(&mut out, &mut row, &mut width)?;
    if limit < out.len() as u64 {
        return Err(TOO_LARGE.to_owned());
    }
    Ok(out)
}

/// Writes a row; a row without cells is an empty line.
fn write(out: &mut Vec<u8>, row: &mut Vec<String>, width: &mut usize) -> Result<(), String> {
    if row.is_empty() {
        out.push(b'\n');
        return Ok(());
    }
    if *width == 0 {
        *width = row.len();
    }
    row.resize(row.len().max(*width), String::new());
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(out);
    writer.write_record(row.iter()).map_err(|e| e.to_string())?;
    row.clear();
    writer.flush().map_err(|e| e.to_string())
}

/// A cell as the text a school would have typed.
fn text(cell: DataRef<'_>) -> String {
    match Data::from(cell) {
        Data::DateTime(when) => match when.as_datetime() {
            Some(at) => at.format("%Y-%m-%d %H:%M:%S").to_string(),
            None => when.as_f64().to_string(),
        },
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Data::Bool(true) => "Y".to_owned(),
        Data::Bool(false) => "N".to_owned(),
        Data::Empty => String::new(),
        // As the sheet shows it, `#N/A`: what could not be worked out is not a blank.
        other => other.to_string(),
    }
}
