//! Excel workbooks: the first sheet with rows, as the CSV it would have been saved as, so that one
//! decoder judges both.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};

/// The sheet's rows as CSV; the sheet's row numbers are the CSV's line numbers.
pub fn as_csv(workbook: &[u8]) -> Result<Vec<u8>, String> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(workbook)).map_err(|e| e.to_string())?;
    for name in book.sheet_names() {
        let range = book.worksheet_range(&name).map_err(|e| e.to_string())?;
        let Some((first_row, _)) = range.start() else { continue };
        let mut out = csv::WriterBuilder::new().flexible(true).from_writer(vec![b'\n'; first_row as usize]);
        for row in range.rows() {
            let cells = row.iter().map(text);
            out.write_record(cells).map_err(|e| e.to_string())?;
        }
        return out.into_inner().map_err(|e| e.to_string());
    }
    Err("no sheet holds any rows".to_owned())
}

/// A cell as the text a school would have typed.
fn text(cell: &Data) -> String {
    match cell {
        Data::DateTime(when) => match when.as_datetime() {
            Some(at) => at.format("%Y-%m-%d %H:%M:%S").to_string(),
            None => when.as_f64().to_string(),
        },
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Data::Bool(true) => "Y".to_owned(),
        Data::Bool(false) => "N".to_owned(),
        Data::Empty | Data::Error(_) => String::new(),
        other => other.to_string(),
    }
}
