//! Files made to fill memory: a run takes no more of it than its budget.

use std::io::Write;

use crate::authority::{A, Authority, rollcall, said, started};
use crate::readers::python;

/// The most memory of a run of the command in a lake, in megabytes, and what it said.
fn peak_of(authority: &Authority, arguments: &[&str]) -> (u64, String) {
    let program = "import resource, subprocess, sys\n\
        done = subprocess.run(sys.argv[1:])\n\
        print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n\
        sys.exit(done.returncode)\n";
    let out = std::process::Command::new(python())
        .args(["-c", program])
        .arg(rollcall().get_program())
        .args(arguments)
        .current_dir(authority.lake())
        .output()
        .unwrap();
    let told = said(&out);
    assert!(out.status.success(), "{told}");
    let peak = told.lines().find_map(|line| line.strip_prefix("peak ")?.parse().ok()).unwrap();
    (peak, told)
}

#[test]
fn what_is_made_to_fill_memory_does_not() {
    const MANY: u64 = 500 << 20;
    let authority = started();
    let offered = |name: &str| {
        let folder = authority.files().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(format!("{name}.csv"))
    };
    let ingest = |path: &std::path::Path, at: &str| {
        peak_of(&authority, &["ingest", path.parent().unwrap().to_str().unwrap(), "--received-at", at])
    };
    // A line without end, which takes no room on the disk it is sent from.
    let line = offered("line");
    let file = std::fs::File::create(&line).unwrap();
    (&file).write_all(b"URN,UPN,Date,Session,Mark\n").unwrap();
    file.set_len(MANY).unwrap();
    let (peak, told) = ingest(&line, "2026-09-11T18:00:00Z");
    assert!(told.contains("1 rows in = 0 kept + 1 refused") && peak < 300, "{peak} MB: {told}");

    // An archive of little that unpacks to much: one row, again and again.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bomb.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"URN,UPN,Date,Session,Mark\n").unwrap();
    let row = format!("140001,{A},2026-09-07,AM,/\n").repeat(32 * 1024);
    (0..MANY / row.len() as u64).for_each(|_| zip.write_all(row.as_bytes()).unwrap());
    let bomb = offered("bomb");
    std::fs::write(&bomb, zip.finish().unwrap().into_inner()).unwrap();
    let (peak, told) = ingest(&bomb, "2026-09-12T18:00:00Z");
    assert!(told.contains(" kept + 0 refused") && peak < 300, "{peak} MB: {told}");

    // A workbook of as many texts as its limit lets in, and of as many as it does not.
    for (texts, is_read, at) in [(4_500_000, true, "2026-09-13T18:00:00Z"), (10_000_000, false, "2026-09-14T18:00:00Z")]
    {
        let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let package = "http://schemas.openxmlformats.org/package/2006/relationships";
        let sheet = "<sheet name=\"One\" sheetId=\"1\" r:id=\"r1\"/>";
        let parts = [
            (
                "_rels/.rels",
                format!(
                    "<Relationships xmlns=\"{package}\"><Relationship Id=\"r1\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!(
                    "<Relationships xmlns=\"{package}\"><Relationship Id=\"r1\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
                ),
            ),
            (
                "xl/workbook.xml",
                format!("<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets>{sheet}</sheets></workbook>"),
            ),
            (
                "xl/worksheets/sheet1.xml",
                format!("<worksheet xmlns=\"{main}\"><sheetData><row><c><v>1</v></c></row></sheetData></worksheet>"),
            ),
        ];
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in parts {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(format!("<sst xmlns=\"{main}\">").as_bytes()).unwrap();
        let some = "<si><t/></si>".repeat(10_000);
        (0..texts / 10_000).for_each(|_| zip.write_all(some.as_bytes()).unwrap());
        zip.write_all(b"</sst>").unwrap();
        let book = offered(&format!("book{texts}"));
        std::fs::write(&book, zip.finish().unwrap().into_inner()).unwrap();
        let (peak, told) = ingest(&book, at);
        assert!(told.contains(if is_read { "unknown_header" } else { "too_large" }) && peak < 600, "{peak} MB: {told}");
    }
}
