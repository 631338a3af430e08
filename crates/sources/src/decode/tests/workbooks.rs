//! Excel workbooks, as Excel and other programs write them.

use std::io::{Cursor, Write};

use super::*;

/// A workbook of these sheets: name, state, and cells as XML rows.
pub(super) fn workbook(sheets: &[(&str, &str, &str)]) -> Vec<u8> {
    workbook_with(sheets, &[])
}

/// The same, with these further parts.
fn workbook_with(sheets: &[(&str, &str, &str)], parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, text: String| {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    };
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let (mut list, mut relations) = (String::new(), String::new());
    for (i, (name, state, rows)) in sheets.iter().enumerate() {
        list += &format!("<sheet name=\"{name}\" sheetId=\"{0}\" state=\"{state}\" r:id=\"r{0}\"/>", i + 1);
        relations +=
            &format!("<Relationship Id=\"r{0}\" Type=\"{office}/worksheet\" Target=\"worksheets/s{0}.xml\"/>", i + 1);
        put(
            &format!("xl/worksheets/s{}.xml", i + 1),
            format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>"),
        );
    }
    parts.iter().for_each(|(name, text)| put(name, (*text).to_owned()));
    put(
        "xl/workbook.xml",
        format!("<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets>{list}</sheets></workbook>"),
    );
    let package = "http://schemas.openxmlformats.org/package/2006/relationships";
    let whole = format!("<Relationship Id=\"r1\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/>");
    put("_rels/.rels", format!("<Relationships xmlns=\"{package}\">{whole}</Relationships>"));
    put("xl/_rels/workbook.xml.rels", format!("<Relationships xmlns=\"{package}\">{relations}</Relationships>"));
    zip.finish().unwrap().into_inner()
}

/// A row of text cells from column A on; `-` for no cell.
pub(super) fn cells(row: u32, texts: &str) -> String {
    let cell = |(i, text): (usize, &str)| match text {
        "-" => String::new(),
        text => format!("<c r=\"{}{row}\" t=\"inlineStr\"><is><t>{text}</t></is></c>", (b'A' + i as u8) as char),
    };
    let cells: String = texts.split(' ').enumerate().map(cell).collect();
    format!("<row r=\"{row}\">{cells}</row>")
}

/// Texts that cells share, as many as it says.
fn shared(texts: &[&str], count: &str) -> String {
    let texts: String = texts.iter().map(|text| format!("<si><t>{text}</t></si>")).collect();
    format!(
        "<sst xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" uniqueCount=\"{count}\">{texts}</sst>"
    )
}

#[test]
fn a_workbook_as_excel_writes_it_is_read() {
    // Style 1 is a date.
    let styles = "<styleSheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">\
                  <cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>";
    let texts =
        ["URN", "UPN", "Date", "Session", "Mark", "IsDeleted", "Q850200120003", "AM", "PM", "I", "H850200723000"];
    let header: String = (0..6).map(|i| format!("<c t=\"s\"><v>{i}</v></c>")).collect();
    // A number, a text that is shared, a date with its style, and whether something is so: 46272 is 7 September 2026.
    let row = |upn: u8, session: u8, date: &str, deleted: &str| {
        format!(
            "<row><c><v>140001</v></c><c t=\"s\"><v>{upn}</v></c>{date}<c t=\"s\"><v>{session}</v></c><c t=\"s\"><v>9</v></c>{deleted}</row>"
        )
    };
    let rows = [
        format!("<row>{header}</row>"),
        row(6, 7, "<c s=\"1\"><v>46272</v></c>", "<c t=\"b\"><v>0</v></c>"),
        row(6, 8, "<c s=\"1\"><v>46272</v></c>", "<c t=\"b\"><v>1</v></c>"),
        row(10, 7, "<c t=\"e\"><v>#N/A</v></c>", ""),
    ];
    let parts = [("xl/sharedStrings.xml", shared(&texts, "11")), ("xl/styles.xml", styles.to_owned())];
    let parts: Vec<(&str, &str)> = parts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let book = workbook_with(&[("One", "visible", &rows.concat())], &parts);
    let files = read(bytes(book), &Mapping { changes_only: true, ..Mapping::default() }, 1 << 20);
    let file = &files[0];
    let Content::Marks(schools) = &file.content else { panic!("{file:?}") };
    assert_eq!((schools[0].urn, shown(&schools[0]).as_str()), (140_001, "I.            "));
    assert_eq!((file.rows_kept, file.rows_refused, file.problems[0].found.as_str()), (2, 1, "#A/A (4 characters)"));
}

#[test]
fn a_formula_without_its_result_is_no_blank() {
    let of = |mark: &str| {
        let row = "140001 Q850200120003 2026-09-07 AM -".to_owned();
        let row = cells(2, &row).replace("</row>", &format!("<c r=\"E2\"{mark}</c></row>"));
        let rows = cells(1, "URN UPN Date Session Mark") + &row;
        read(bytes(workbook(&[("One", "visible", &rows)])), &Mapping::default(), 1 << 20).remove(0)
    };
    let Content::Marks(schools) = &of(" t=\"str\"><f>\"I\"</f><v>I</v>").content else { panic!("no marks") };
    assert_eq!(&shown(&schools[0])[..1], "I");
    // One whose result is blank is blank.
    let blank = of(" t=\"str\"><f>\"\"</f><v></v>");
    assert_eq!((blank.rows_kept, blank.status()), (1, "taken"));
    for without in ["><f>\"I\"</f>", "><f>\"I\"</f><v/>", " t=\"str\"><f>\"I\"</f>"] {
        let file = of(without);
        assert_eq!((file.rows_in, file.problems[0].rule.as_str()), (0, "unreadable_file"), "{without}: {file:?}");
        assert!(file.problems[0].found.contains("open the workbook in Excel"), "{file:?}");
    }
}

#[test]
fn a_workbook_that_says_it_has_more_than_it_holds_is_refused_unread() {
    let rows = cells(1, "URN UPN Date Session Mark") + &cells(2, "140001 Q850200120003 2026-09-07 AM I");
    let of = |count: &str, place: &str| {
        let book = workbook_with(&[("One", "visible", &rows)], &[(place, &shared(&["a", "b"], count))]);
        let files = read(bytes(book), &Mapping::default(), 1 << 20);
        (files[0].rows_kept, files[0].problems.first().map(|problem| problem.found.clone()))
    };
    assert_eq!(of("2", "xl/sharedStrings.xml"), (1, None));
    let more = Some("a part that says it has more than it holds".to_owned());
    for count in ["1000000000000000", "+1000000000000000", "99999999999999999999999"] {
        assert_eq!(of(count, "xl/sharedStrings.xml"), (0, more.clone()), "{count}");
        assert_eq!(of(count, "xl/SHAREDSTRINGS.XML"), (0, more.clone()), "{count}");
        // Wherever it says that its parts are.
        assert_eq!(of(count, ".xl/sharedStrings.xml"), (0, more.clone()), "{count}");
    }
}

#[test]
fn every_sheet_that_can_be_seen_is_read_and_none_fills_memory() {
    let header = cells(1, "URN UPN Date Session Mark");
    let sheet = |rows: &[String]| header.clone() + &rows.concat();
    let autumn = sheet(&[
        cells(2, "140001 Q850200120003 2026-09-07 AM I"),
        // A blank mark at the end of a row, and a line left out.
        cells(4, "140001 Q850200120003 2026-09-07 PM -"),
    ]);
    let spring = sheet(&[cells(2, "140001 Q850200120003 2026-09-14 AM O")]);
    let hidden = sheet(&[cells(2, "140001 Q850200120003 2026-09-21 AM N")]);
    let book = workbook(&[("Old", "hidden", &hidden), ("One", "visible", &autumn), ("Two", "visible", &spring)]);
    let mapping = Mapping::default();
    let files = read(bytes(book.clone()), &mapping, 1 << 20);
    let seen: Vec<_> = files.iter().map(|f| (f.name.as_str(), f.rows_kept, f.rows_refused)).collect();
    assert_eq!(seen, [("m.csv/One", 2, 0), ("m.csv/Two", 1, 0)], "{:?}", files[0].problems);

    // In an archive too, beside a file of the same name.
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["a.xlsx", "b.csv"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(if name == "b.csv" { b"nothing" } else { &book }).unwrap();
    }
    let names: Vec<_> = read(bytes(zip.finish().unwrap().into_inner()), &mapping, 1 << 20)
        .into_iter()
        .map(|f| (f.name.clone(), f.rows_in, f.status()))
        .collect();
    assert_eq!(
        names,
        [
            ("m.csv/a.xlsx/One".to_owned(), 2, "taken"),
            ("m.csv/a.xlsx/Two".to_owned(), 1, "taken"),
            ("m.csv/b.csv".to_owned(), 0, "refused"),
        ]
    );

    // Together they unpack to no more than an archive may.
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["a.xlsx", "b.xlsx", "c.csv"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(if name == "c.csv" { b"URN,UPN,Date,Session,Mark\n" } else { &book }).unwrap();
    }
    let archive = zip.finish().unwrap().into_inner();
    let rows_of = |limit: u64| -> Vec<u64> {
        read(bytes(archive.clone()), &mapping, limit).iter().map(|file| file.rows_in).collect()
    };
    assert_eq!(rows_of(1 << 20), [2, 1, 2, 1, 0]);
    assert_eq!(rows_of(5 << 10), [2, 1, 0, 0]);

    // One far cell makes no table; one beyond every sheet is no cell.
    for (far, kept) in [("XFD1048576", 1), ("ALL90000", 1), ("A99999999999", 0)] {
        let cell = format!("<row><c r=\"{far}\" t=\"inlineStr\"><is><t>x</t></is></c></row>");
        let rows = sheet(&[cells(2, "140001 Q850200120003 2026-09-07 AM I"), cell]);
        let files = read(bytes(workbook(&[("One", "visible", &rows)])), &mapping, 4 << 20);
        assert_eq!(files[0].rows_kept, kept, "{far}: {:?}", files[0].problems);
    }
}
