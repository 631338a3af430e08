//! What is said of schools that close, open and send late: the DfE's file, the page, and what alerts say of them.

use crate::authority::{A, Authority, B, roll, said, week};

const HEADER: &str = "URN,LA (code),LA (name),EstablishmentNumber,EstablishmentName,TypeOfEstablishment (code),\
EstablishmentStatus (code),PhaseOfEducation (name),Trusts (code),Trusts (name),OpenDate,CloseDate\n";
const PRESENT: &str = "/\\/\\/\\/\\/\\";
const C: &str = "A850200720001";

/// Schools as GIAS states them: URN, type, status, phase, first and last day.
fn gias(schools: &[(u32, &str, u32, &str, &str, &str)]) -> String {
    let row = |(urn, kind, status, phase, open, close): &(u32, &str, u32, &str, &str, &str)| {
        format!("{urn},850,Hampshire,{},School {urn},{kind},{status},{phase},,,{open},{close}\n", urn % 10_000)
    };
    HEADER.to_owned() + &schools.iter().map(row).collect::<String>()
}

const FILE: &str =
    "SELECT DISTINCT phase, schools_received, schools_open, on_roll FROM submissions.attendance_open_data";

#[test]
fn children_of_a_school_that_closed_before_the_year_are_on_roll_once() {
    let authority = Authority::new();
    let schools = gias(&[
        (140001, "01", 2, "Primary", "", "31-08-2026"),
        (140009, "34", 1, "Primary", "01-09-2026", ""),
        (140002, "01", 1, "Primary", "", ""),
    ]);
    let of_last_year = |urn, pupils: &[&str]| roll(urn, pupils).replace("2026-09-01", "2025-09-01");
    authority.receive(
        "2026-07-18T05:00:00Z",
        &[
            ("gias.csv", &schools),
            ("r1.csv", &of_last_year(140001, &[A, B])),
            ("r2.csv", &of_last_year(140002, &[C])),
            ("m1.csv", &week(140001, "2026-07-13", &[(A, PRESENT), (B, PRESENT)])),
            ("m2.csv", &week(140002, "2026-07-13", &[(C, PRESENT)])),
        ],
    );
    authority.receive(
        "2026-09-12T05:00:00Z",
        &[
            ("r9.csv", &roll(140009, &[A, B])),
            ("m9.csv", &week(140009, "2026-09-07", &[(A, PRESENT), (B, PRESENT)])),
            ("m2.csv", &week(140002, "2026-09-07", &[(C, PRESENT)])),
        ],
    );
    assert_eq!(authority.ask(FILE, &["--as-of", "2026-09-11"]), ["Primary,2,2,3"]);
}

#[test]
fn a_closed_school_that_sends_neither_stops_the_file_nor_stands_in_for_a_silent_one() {
    let authority = Authority::new();
    let schools = gias(&[
        (140001, "01", 2, "Primary", "", "31-12-2026"),
        (140009, "34", 1, "Primary", "01-01-2027", ""),
        (140002, "01", 1, "Primary", "", ""),
        (140003, "07", 2, "Not applicable", "", "31-08-2026"),
        (140004, "44", 1, "Not applicable", "01-09-2026", ""),
    ]);
    authority.receive(
        "2027-01-16T05:00:00Z",
        &[
            ("gias.csv", &schools),
            ("r1.csv", &roll(140001, &[A]).replace("2026-09-01,", "2026-09-01,2026-12-31")),
            ("r9.csv", &roll(140009, &[A]).replace("2026-09-01", "2027-01-01")),
            ("r3.csv", &roll(140003, &[B])),
            ("m1.csv", &week(140001, "2026-12-07", &[(A, PRESENT)])),
            ("m9.csv", &week(140009, "2027-01-11", &[(A, PRESENT)])),
            ("m3.csv", &week(140003, "2027-01-11", &[(B, "OOOOOOOOOO")])),
        ],
    );
    let told = authority.ask(FILE, &["--as-of", "2027-01-15"]);
    assert_eq!(told, ["Primary,1,2,2", "Special,1,1,1"]);
    let out = authority.run(&["submission", "build", "attendance_open_data", "--as-of", "2027-01-15"]);
    assert!(out.status.success(), "{}", said(&out));
}

#[test]
fn the_page_knows_who_has_sent_the_newest_week() {
    let authority = Authority::new();
    let schools = gias(&[
        (140001, "01", 1, "Primary", "", ""),
        (140002, "01", 1, "Primary", "", ""),
        (140003, "14", 1, "Not applicable", "", ""),
    ]);
    authority.receive(
        "2026-09-26T05:00:00Z",
        &[
            ("gias.csv", &schools),
            ("r1.csv", &roll(140001, &[A])),
            ("r2.csv", &roll(140002, &[B])),
            ("r3.csv", &roll(140003, &[C])),
            ("m1.csv", &week(140001, "2026-09-14", &[(A, PRESENT)])),
            // Blank: no mark is recorded.
            ("m2.csv", &week(140002, "2026-09-14", &[(B, "          ")])),
            ("m3.csv", &week(140003, "2026-09-21", &[(C, PRESENT)])),
        ],
    );
    let silent = "SELECT urn, is_silent, last_day FROM serving.overview_school";
    // Alternative provision is not in the Total: its week is not the newest. Received after the day asked for, and known.
    for day in ["2026-09-25", "2026-09-18"] {
        let told = authority.ask(silent, &["--as-of", day]);
        assert_eq!(told[..2], ["140001,false,2026-09-18".to_owned(), "140002,true,2026-09-18".to_owned()], "{day}");
    }
    // Before any week of the year nobody has sent.
    assert_eq!(
        authority.ask("SELECT count(*) FROM serving.overview_school WHERE is_silent", &["--as-of", "2026-09-04"]),
        ["3"]
    );
}

#[test]
fn the_dfes_file_tells_who_has_sent_from_who_is_there() {
    let authority = Authority::new();
    let schools = gias(&[
        (140001, "01", 1, "Primary", "", ""),
        (140002, "01", 1, "Primary", "", ""),
        (140003, "01", 1, "Primary", "", ""),
    ]);
    authority.receive(
        "2026-09-12T05:00:00Z",
        &[
            ("gias.csv", &schools),
            ("r1.csv", &roll(140001, &[A])),
            ("r2.csv", &roll(140002, &[B])),
            ("r3.csv", &roll(140003, &[C])),
            ("m1.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\OO")])),
            ("m2.csv", &week(140002, "2026-09-07", &[(B, PRESENT)])),
        ],
    );
    authority.ok(&["submission", "build", "attendance_open_data", "--as-of", "2026-09-11"]);
    let file = authority.lake().join("submissions/attendance_open_data_850_202627.csv");
    let text = std::fs::read_to_string(file).unwrap();
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let row: Vec<&str> = text.lines().find(|row| row.contains(",Primary,")).unwrap().split(',').collect();
    let of = |name: &str| {
        row[header.iter().position(|column| *column == name).unwrap_or_else(|| panic!("{name}: {header:?}"))]
    };
    let told = ["num_schools", "total_num_schools", "enrolments", "total_enrolments"].map(of);
    assert_eq!(told, ["2", "3", "2", "3"]);
}
