//! Files as they come damaged, or made to do harm: none breaks anything, is read without end or fills memory.

use std::io::{Cursor, Read, Write};

use proptest::prelude::*;

use super::workbooks::{cells, workbook};
use super::*;

fn mark_file() -> impl Strategy<Value = String> {
    let upn = proptest::sample::select(vec![
        "Q850200120003",
        "H850200723000",
        "T20110001804V",
        "NOTAUPN",
        "I850200120003",
        "Q85020012000 ",
    ]);
    let date = proptest::sample::select(vec![
        "2026-09-07",
        "2026-09-08",
        "2026-09-31",
        "2027-01-01",
        "2001-01-01",
        " 026-09-07",
        "",
    ]);
    let session = proptest::sample::select(vec!["AM", "PM", "am", "EVE", " A", ""]);
    let mark = proptest::sample::select(vec!["/", "\\", "I", "C1", "Y7", "QQ", "", "-", "--", "h", "N"]);
    let urn = proptest::sample::select(vec!["140001", "140002", "14000", "14000 ", "1.4E+05"]);
    let fields = proptest::sample::select(vec![5, 5, 5, 5, 4, 3, 2, 1]);
    proptest::collection::vec((urn, upn, date, session, mark, fields), 0..60).prop_map(|rows| {
        let row = |(urn, upn, date, session, mark, fields): (&str, &str, &str, &str, &str, usize)| {
            [urn, upn, date, session, mark][..fields].join(",") + "\n"
        };
        "URN,UPN,Date,Session,Mark\n".to_owned() + &rows.into_iter().map(row).collect::<String>()
    })
}

/// So many cases a property: a bounded number here, as many as there is time for with PROPERTY_CASES.
fn cases() -> u32 {
    std::env::var("PROPERTY_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(512)
}

/// A CSV file as the rows of a sheet.
fn sheet(text: &str) -> String {
    (1..).zip(text.lines()).map(|(row, line)| cells(row, &line.replace(',', " "))).collect()
}

/// A whole file of each kind that is read, plain, quoted and packed.
fn sound_files() -> Vec<Vec<u8>> {
    let plain = "URN,UPN,Date,Session,Mark\n140001,Q850200120003,2026-09-07,AM,/\n140001,H850200723000,2026-09-07,AM,I\n140001,Q850200120003,2026-09-07,PM,\\\n140001,H850200723000,2026-09-07,PM,O\n";
    let quoted = "Date,\"Mark\",UPN,Session,URN,Comment\r\n07/09/2026,\"C1\",Q850200120003,\"am\",140001,\"a \"\"word\"\",\r\nand more\"\r\n";
    let roll = "URN,UPN,FormerUPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingDate\n140001,Q850200120003,H850200723000,O\u{2019}Neil,Made,2016-01-01,F,5,2026-09-01,\n";
    let calendar = "URN,Date,Session,Open\n140001,2026-09-07,AM,Y\n140001,07/09/2026,PM,n\n";
    let steps = "URN,UPN,Type,Date,EndDate\n140001,Q850200120003,penalty_notice_paid,2026-09-07,2026-10-07\n";
    let cases = "UPN,Kind,Opened,Closed\nQ850200120003,CME,2026-09-07,\n";
    let schools = "URN,LA (code),EstablishmentName,EstablishmentStatus (code),PhaseOfEducation (name),OpenDate\n140001,850,\"Ash, Primary\",1,Primary,01-09-1990\n";
    let links = "URN,LinkURN,LinkType,LinkEstablishedDate\n140001,140002,Successor,01-09-2026\n";
    let [gz, zip] = packed(plain);
    let texts = [plain, quoted, roll, calendar, steps, cases, schools, links].map(|t| t.as_bytes().to_vec());
    texts.into_iter().chain([gz, zip, workbook(&[("One", "visible", &sheet(plain))])]).collect()
}

fn damaged(mut file: Vec<u8>, damage: Vec<(proptest::sample::Index, u8, u8)>) -> Vec<u8> {
    for (at, byte, what) in damage {
        let at = at.index(file.len().max(1));
        match what {
            _ if file.is_empty() => file.push(byte),
            0 => file[at] = byte,
            1 => file.insert(at, byte),
            2 => {
                file.remove(at);
            }
            _ => file.extend_from_within(at..),
        }
    }
    file.truncate(64 * 1024);
    file
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// A sound file of which some bytes were changed, added, taken out, or repeated.
    #[test]
    fn a_file_that_was_damaged_on_the_way_breaks_nothing(
        which in any::<proptest::sample::Index>(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0u8..4), 1..20),
    ) {
        let files = sound_files();
        let file = damaged(files[which.index(files.len())].clone(), damage);
        read(bytes(file), &Mapping::default(), 1 << 20);
    }

    /// A sound workbook around a sheet that is none.
    #[test]
    fn a_sheet_that_was_damaged_breaks_nothing(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0u8..4), 1..20),
    ) {
        let rows = sheet("URN,UPN,Date,Session,Mark\n140001,Q850200120003,2026-09-07,AM,/\n");
        let rows = String::from_utf8_lossy(&damaged(rows.into_bytes(), damage)).into_owned();
        read(bytes(workbook(&[("One", "visible", &rows)])), &Mapping::default(), 1 << 20);
    }

    /// A plain file is read at fixed places; the same file with one more, empty column is split with care.
    #[test]
    fn the_fast_way_is_the_careful_way(text in mark_file()) {
        let more = |(i, row): (usize, &str)| match (i, row.split(',').count()) {
            (0, _) => format!("{row},Comment\n"),
            (_, 5) => format!("{row},\n"),
            _ => format!("{row}\n"),
        };
        let careful: String = text.lines().enumerate().map(more).collect();
        let mapping = Mapping::default();
        // A row of any length is kept or refused: none is passed over.
        let rows: u64 = read(bytes(text.clone()), &mapping, 1 << 20).iter().map(|file| file.rows_in).sum();
        prop_assert_eq!(rows, text.lines().count() as u64 - 1);
        prop_assert_eq!(meaning(&read(bytes(text.clone()), &mapping, 1 << 20)), meaning(&read(bytes(careful), &mapping, 1 << 20)));
        let quoted: String = text.lines().map(|l| format!("\"{}\"\r\n", l.replace(',', "\",\""))).collect();
        prop_assert_eq!(meaning(&read(bytes(text.clone()), &mapping, 1 << 20)), meaning(&read(bytes(quoted), &mapping, 1 << 20)));
        let windows = text.replace('\n', "\r\n");
        prop_assert_eq!(meaning(&read(bytes(text), &mapping, 1 << 20)), meaning(&read(bytes(windows), &mapping, 1 << 20)));
    }

    /// Any bytes at all, also behind a header that is believed.
    #[test]
    fn no_bytes_are_too_bad(noise in proptest::collection::vec(any::<u8>(), 0..600), head in 0usize..6) {
        let heads: [&[u8]; 6] = [b"", b"URN,UPN,Date,Session,Mark\n", b"\x1f\x8b\x08\x00", b"PK\x03\x04",
            b"URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate\n", b"\xff\xfe"];
        let mapping = Mapping::default();
        read(bytes([heads[head], &noise].concat()), &mapping, 1 << 20);
    }
}

#[test]
fn a_line_without_end_costs_one_row_and_one_buffer() {
    let head = Cursor::new(b"URN,UPN,Date,Session,Mark\n".to_vec());
    let tail = Cursor::new(b"\n140001,Q850200120003,2026-09-07,AM,/\n".to_vec());
    let line = std::io::repeat(b'x').take(200 << 20);
    let files = read(Box::new(head.chain(line).chain(tail)), &Mapping::default(), 1 << 30);
    assert_eq!((files[0].rows_in, files[0].rows_kept), (2, 1));
}

#[test]
fn a_file_that_unpacks_without_end_is_refused() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"URN,UPN,Date,Session,Mark\n").unwrap();
    std::io::copy(&mut std::io::repeat(b'\n').take(64 << 20), &mut gz).unwrap();
    let files = read(bytes(gz.finish().unwrap()), &Mapping::default(), 8 << 20);
    assert_eq!(files[0].status(), "refused");
    assert_eq!(files[0].problems[0].rule, "too_large");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bomb.csv", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::copy(&mut std::io::repeat(b'0').take(64 << 20), &mut zip).unwrap();
    let files = read(bytes(zip.finish().unwrap().into_inner()), &Mapping::default(), 8 << 20);
    assert_eq!((files.len(), files[0].status()), (1, "refused"));
    assert!(files[0].problems.iter().any(|problem| problem.rule == "too_large"), "{files:?}");
}
