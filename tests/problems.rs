//! What is wrong with what came: refused or told, by file and line, until something mends it.

use crate::authority::{A, Authority, B, SCHOOLS, roll, said, started, week};

#[test]
fn bad_rows_are_refused_by_line_and_change_nothing() {
    let authority = started();
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    let bad = format!(
        "URN,UPN,Date,Session,Mark\n140001,{A},2026-09-07,AM,QQ\n140001,{A},2026-09-31,AM,/\n140001,{A},2026-09-08,EVE,/\n\
         140001,NOTAUPN,2026-09-08,AM,/\n1.40E+05,{A},2026-09-08,AM,/\n140001,{A},2027-09-08,AM,/\n140001,{A},1999-09-08,AM,/\n\
         140001,{A},2026-09-08,AM\n140001,{A},2026-09-08,AM,I\n140001,{A},2026-09-08,AM,O\n999999,{A},2026-09-08,PM,/\nURN,UPN,Date,Session,Mark\n"
    );
    let out = authority.receive("2026-09-12T18:00:00Z", &[("bad.csv", &bad)]);
    let text = said(&out);
    assert!(out.status.success(), "{text}");
    assert!(text.contains("11 rows in = 1 kept + 10 refused"), "{text}");
    for line in ["line 2", "line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9", "line 11"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("NOTAUPN") && text.contains("AAAAAAA (7 characters)"), "{text}");
    let marks = authority.ask("SELECT marks FROM ledger.register_week WHERE known_to IS NULL", &[]);
    assert_eq!(marks, ["/\\I\\/\\/\\/\\...."]);
    // What is late, and how much is open, is told by the doctor.
    let told: serde_json::Value = serde_json::from_str(&authority.ok(&["doctor", "--json"])).unwrap();
    let open = authority.ask("SELECT count(*) FROM quality.problem WHERE fixed_by IS NULL", &[]);
    assert_eq!((told["open_problems"].to_string(), &told["newest_marks"]), (open[0].clone(), &"2026-09-11".into()));
    assert_eq!((&told["arrivals"], &told["expected_schools"], &told["version"]), (&3.into(), &3.into(), &3.into()));
    assert!(told["silent_schools"].as_array().unwrap().contains(&140_003.into()), "{told}");
    // A later return of that day mends what it covers.
    authority.receive("2026-09-14T18:00:00Z", &[("good.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    let open = authority.ask("SELECT rule FROM quality.problem WHERE fixed_by IS NULL AND rule = 'unknown_code'", &[]);
    assert_eq!(open, [""; 0]);
    let mended =
        authority.ask("SELECT rule FROM quality.problem WHERE fixed_by IS NOT NULL AND rule = 'unknown_code'", &[]);
    assert_eq!(mended, ["unknown_code"]);
}

#[test]
fn what_harms_nothing_is_told_once() {
    let authority = started();
    let header = "URN,UPN,Date,Session,Mark\n";
    let marks = week(140001, "2026-09-07", &[(A, "/\\/\\II/\\/\\")]);
    let rows = marks.strip_prefix(header).unwrap();
    // Two exports put together: the header again, and all rows again.
    let out = authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &format!("{marks}{header}{rows}"))]);
    assert!(said(&out).contains("20 rows in = 20 kept + 0 refused"), "{}", said(&out));
    let told = authority.ask("SELECT rule, severity, line, found FROM quality.problem", &[]);
    let of = |rule: &str| told.iter().filter(|row| row.starts_with(rule)).cloned().collect::<Vec<_>>();
    assert_eq!(of("repeated_header"), ["repeated_header,warn,12,the header again"]);
    let again =
        [("13", "/"), ("14", "\\"), ("17", "I")].map(|(line, mark)| format!("duplicate_same_mark,warn,{line},{mark}"));
    assert_eq!(of("duplicate_same_mark"), again);
    assert_eq!(authority.ask("SELECT marks FROM ledger.register_week", &[]), ["/\\/\\II/\\/\\...."]);
}

#[test]
fn what_was_refused_is_taken_once_the_mapping_is_there() {
    let authority = started();
    let plain = week(140001, "2026-09-07", &[(A, "/\\/\\I./\\/\\"), (B, "/\\/\\/\\/\\/\\")]);
    let theirs = plain.replace("AM,I", "AM,ill");
    authority.receive("2026-09-11T18:00:00Z", &[("marks_140001.csv", &theirs)]);
    let other = week(140001, "2026-09-14", &[(A, "/\\/\\/\\/\\/\\")]).replace("URN,UPN", "Our number,UPN");
    authority.receive("2026-09-18T18:00:00Z", &[("marks_140001_b.csv", &other)]);
    let refused = "SELECT sum(rows_refused) FROM ledger.return";
    let marks = "SELECT urn, session_date, session, code FROM ledger.mark WHERE known_to IS NULL";
    let year = "SELECT upn, possible, absent, missing_marks FROM metrics.pupil_year";
    let without = authority.ask(marks, &[]);
    assert_ne!(authority.ask(refused, &[]), ["0"]);

    let path = authority.lake().join("rollcall.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text += "\n[sources.drop.codes]\n\"ill\" = \"I\"\n[sources.drop.columns]\n\"Our number\" = \"URN\"\n";
    std::fs::write(&path, text).unwrap();
    // Only what came on the day asked for and since is judged again.
    authority.ok(&["replay", "--from", "2026-09-12"]);
    assert_eq!(authority.ask(refused, &[]), ["1"]);
    let said = authority.ok(&["replay", "drop", "--from", "2026-09-10"]);
    assert!(said.contains("2 files"), "{said}");
    assert_eq!(authority.ask(refused, &[]), ["0"]);
    let with = authority.ask(marks, &[]);
    assert_eq!(with.len(), without.len() + 1 + 10);
    assert!(with.contains(&"140001,2026-09-09,AM,I".to_owned()), "{with:?}");
    let figures = authority.ask(year, &["--as-of", "2026-09-18"]);
    assert_eq!(figures, [format!("{B},10,0,10"), format!("{A},19,1,1")]);
    assert_eq!(authority.ask("SELECT rule FROM quality.problem WHERE rule = 'unknown_code'", &[]), [""; 0]);

    // The same where the files of earlier runs are gone.
    std::fs::create_dir_all(authority.lake().join("pipelines")).unwrap();
    let pipeline = "about = 'Tidy up.'\n[[step]]\nvacuum_after_days = 0\n";
    std::fs::write(authority.lake().join("pipelines/tidy.toml"), pipeline).unwrap();
    let said = authority.ok(&["run", "tidy"]);
    assert!(!said.contains(" 0 files"), "{said}");
    assert_eq!(authority.ask(marks, &["--fresh"]), with);
    authority.ok(&["replay", "drop", "--from", "2026-09-12"]);
    assert_eq!(authority.ask(marks, &["--fresh"]), with);
    assert_eq!(authority.ask(year, &["--as-of", "2026-09-18", "--fresh"]), figures);

    let out = authority.run(&["replay", "wonde"]);
    assert!(!out.status.success() && crate::authority::said(&out).contains("arrivals of drop"));
}

#[test]
fn whole_files_that_cannot_be_trusted_are_refused_whole() {
    let authority = started();
    let good = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]);
    let mixed = good.replacen("2026-09-08", "08/09/2026", 1);
    let cut = good.replace(",Mark\n", "\n");
    let files = [
        ("marks_140002.csv", good.as_str(), "140001 in a file named after 140002"),
        ("mixed.csv", &mixed, "a date as DD/MM/YYYY after dates as YYYY-MM-DD"),
        ("cut.csv", &cut, "no Mark"),
        ("letter.csv", "Dear council,\nhere is our register\n", "expected the header"),
        ("empty.csv", "", "an empty file"),
        ("not.xlsx", "PK\u{3}\u{4}not a workbook", "expected a CSV file"),
    ];
    let arrival: Vec<(&str, &str)> = files.iter().map(|(name, text, _)| (*name, *text)).collect();
    let text = said(&authority.receive("2026-09-11T18:00:00Z", &arrival));
    for (name, _, says) in files {
        assert!(text.contains(name) && text.contains(says), "{name}: {text}");
    }
    assert!(text.contains("missing_column: 1 file;") && text.contains("unknown_header: 1 file;"), "{text}");
    assert_eq!(authority.ask("SELECT count(*) FROM ledger.register_week", &[]), ["0"]);
    // Rows below a header that nobody can read are refused too.
    let rows = "SELECT sum(rows_in), sum(rows_refused) FROM ledger.return WHERE received_at > '2026-09-10'";
    assert_eq!(authority.ask(rows, &[]), ["31,31"]);
    assert_eq!(
        authority.ask("SELECT count(*) FROM ledger.return WHERE rows_in <> rows_kept + rows_refused", &[]),
        ["0"]
    );
}

#[test]
fn two_files_of_one_day_are_told_apart_by_what_the_later_leaves_out() {
    let authority = started();
    let half = |session: &str, mark: &str| {
        format!(
            "URN,UPN,Date,Session,Mark\n140001,{A},2026-09-07,{session},{mark}\n140001,{B},2026-09-07,{session},{mark}\n"
        )
    };
    authority.receive("2026-09-07T18:00:00Z", &[("am.csv", &half("AM", "/")), ("pm.csv", &half("PM", "\\"))]);
    // Each states the whole day: the later has no mornings, and only those are lost.
    let found = authority.ask("SELECT rule, file, rows FROM quality.problem WHERE rule = 'files_disagree'", &[]);
    assert_eq!(found, ["files_disagree,pm.csv,2"]);
    assert_eq!(authority.ask("SELECT DISTINCT session FROM ledger.mark", &[]), ["PM"]);
}

#[test]
fn a_problem_of_a_child_at_two_schools_has_its_own_line() {
    let authority = started();
    authority.receive("2026-09-04T18:00:00Z", &[("roll.csv", &roll(140001, &[B]))]);
    let marks = format!("URN,UPN,Date,Session,Mark\n140001,{A},2026-09-07,AM,/\n140002,{A},2026-09-07,AM,/\n");
    authority.receive("2026-09-07T18:00:00Z", &[("all.csv", &marks)]);
    let lines = "SELECT urn, line FROM quality.problem WHERE rule IN ('pupil_not_on_roll', 'mark_outside_enrolment')";
    assert_eq!(authority.ask(lines, &[]), ["140001,2", "140002,3"]);
}

#[test]
fn the_overview_counts_refused_rows_of_the_year_by_school() {
    let authority = started();
    let bad = |urn: i32, day: &str| format!("{urn},{A},{day},AM,QQ\n");
    let header = "URN,UPN,Date,Session,Mark\n";
    let before = format!("{header}{}", bad(140001, "2026-07-06"));
    authority.receive("2026-07-06T18:00:00Z", &[("m_140001.csv", &before)]);
    // A file of one school, and one of two.
    let one = format!("{header}{}", bad(140001, "2026-09-07"));
    let two =
        format!("{header}{}{}{}", bad(140001, "2026-09-08"), bad(140002, "2026-09-08"), bad(140002, "2026-09-09"));
    authority.receive("2026-09-09T18:00:00Z", &[("m_140001.csv", &one), ("all.csv", &two)]);
    let refused = "SELECT urn, refused_rows FROM serving.overview_school WHERE 0 < refused_rows";
    assert_eq!(authority.ask(refused, &["--as-of", "2026-09-11"]), ["140001,2", "140002,2"]);
    assert_eq!(authority.ask(refused, &["--as-of", "2026-07-10"]), ["140001,1"]);
}

#[test]
fn what_is_doubtful_is_said_and_no_child_with_it() {
    let authority = started();
    let saturday = format!("URN,UPN,Date,Session,Mark\n140001,{A},2026-09-12,AM,/\n");
    let twice = format!("URN,UPN,Date,Session,Mark,Mark\n140001,{A},2026-09-11,AM,/,I\n");
    let (named, text) = (format!("Up {A}.csv"), week(140001, "2026-09-07", &[(B, "/\\/\\/\\/\\/\\")]));
    let files = [("a.csv", saturday.as_str()), ("b.csv", twice.as_str()), (named.as_str(), text.as_str())];
    let out = said(&authority.receive("2026-09-14T18:00:00Z", &files));
    for words in ["weekend_session", "Mark twice in the header", "found "] {
        assert!(out.contains(words), "{words}: {out}");
    }
    assert!(!out.contains(A), "{out}");
    let listed = "SELECT file, rule FROM quality.problem WHERE rule IN ('weekend_session', 'doubled_column')";
    assert_eq!(authority.ask(listed, &[]), ["a.csv,weekend_session", "b.csv,doubled_column"]);
    assert!(authority.ask("SELECT file FROM ledger.return", &[]).contains(&"Up A999999999999.csv".to_owned()));
    let asked =
        said(&authority.run(&["query", "SELECT CAST(upn AS BIGINT) FROM metrics.pupil_year", "--as-of", "2026-10-30"]));
    assert!(asked.contains("A999999999999") && !asked.contains(A) && !asked.contains(B), "{asked}");
    // What the lake is made of is no return, and a link may lead anywhere.
    let own = authority.run(&["ingest", "."]);
    assert!(!own.status.success() && said(&own).contains("the lake itself"), "{}", said(&own));
    let linked = authority.files().join("linked");
    std::fs::create_dir_all(&linked).unwrap();
    std::os::unix::fs::symlink("/etc", linked.join("etc")).unwrap();
    let out = authority.run(&["ingest", linked.to_str().unwrap()]);
    assert!(!out.status.success() && said(&out).contains("a link to a folder"), "{}", said(&out));
}

#[test]
fn a_notice_to_each_parent_is_a_notice() {
    let authority = started();
    let notices = ["P1", "P2"].map(|parent| format!("140001,{A},penalty_notice_issued,2026-09-07,{parent}\n")).concat();
    authority.receive("2026-09-08T18:00:00Z", &[("n.csv", &format!("URN,UPN,Type,Date,ParentRef\n{notices}"))]);
    let held = "SELECT parent_ref FROM believed.intervention WHERE known_to IS NULL";
    assert_eq!(authority.ask(held, &[]), ["P1", "P2"]);
}

#[test]
fn what_waited_for_its_school_is_taken_once() {
    let authority = Authority::new();
    let known = SCHOOLS.lines().filter(|line| !line.starts_with("140002")).map(|line| format!("{line}\n"));
    let rolls = [("r1.csv", &*roll(140001, &[A])), ("r2.csv", &*roll(140002, &[B]))];
    authority.receive("2026-09-01T05:00:00Z", &[("gias.csv", &known.collect::<String>())]);
    authority.receive("2026-09-01T06:00:00Z", &rolls);
    // One file of both schools, of which the known one speaks of a longer time.
    let of_both = week(140001, "2026-08-31", &[(A, "../\\/\\/\\/\\")])
        + &week(140002, "2026-09-07", &[(B, "/\\/\\......")])
            .lines()
            .skip(1)
            .map(|l| format!("{l}\n"))
            .collect::<String>();
    authority.receive("2026-09-08T18:00:00Z", &[("m.csv", &of_both)]);
    authority.receive("2026-09-09T05:00:00Z", &[("gias.csv", SCHOOLS)]);
    let open = "SELECT urn FROM quality.problem WHERE rule = 'unknown_urn' AND fixed_by IS NULL";
    assert_eq!(authority.ask(open, &[]), [""; 0]);
    let arrivals = || std::fs::read_dir(authority.lake().join("lake/landing/receipts")).unwrap().count();
    let before = arrivals();
    authority.receive("2026-09-10T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\....")]))]);
    assert_eq!(arrivals(), before + 1);
    let possible = "SELECT urn, possible FROM metrics.school_year";
    assert_eq!(authority.ask(possible, &["--as-of", "2026-09-10"]), ["140001,14", "140002,4"]);
}

#[test]
fn a_calendar_of_no_school_year_is_refused_and_stops_nothing() {
    let authority = started();
    let days = ["1900-01-01", "9999-12-31", "2026-09-07"];
    let calendar = "URN,Date,Session,Open\n".to_owned() + &days.map(|day| format!("140001,{day},AM,N\n")).concat();
    authority.receive("2026-09-08T05:00:00Z", &[("cal.csv", &calendar)]);
    let other = "URN,Date,Session,Open\n140001,07/09/0026,AM,Y\n";
    authority.receive("2026-09-08T06:00:00Z", &[("cal_2.csv", other)]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    let told = "SELECT rule FROM quality.problem WHERE fixed_by IS NULL AND severity = 'refuse_row'";
    assert_eq!(authority.ask(told, &[]), ["calendar_of_far_day", "date_before_year", "date_before_year"]);
    assert_eq!(
        authority.ask("SELECT possible FROM metrics.area_week WHERE phase = 'Total'", &["--as-of", "2026-09-11"]),
        ["10"]
    );
    // A calendar of other days mends none of them.
    authority.receive("2026-09-12T05:00:00Z", &[("cal_3.csv", "URN,Date,Session,Open\n140001,2027-02-15,AM,N\n")]);
    assert_eq!(authority.ask(told, &[]).len(), 3);
}

#[test]
fn a_column_named_after_a_child_is_shown_by_its_shape() {
    let authority = started();
    let pivoted = format!("Date,Session,Smith John,{A},Sesion\n2026-09-07,AM,/,/,/\n");
    let out = said(&authority.receive("2026-09-08T05:00:00Z", &[("p.csv", &pivoted)]));
    assert!(out.contains("Date, Session, ") && out.contains("Sesion"), "{out}");
    assert!(!out.contains("Smith") && !out.contains(A), "{out}");
    let found = authority.ask("SELECT found FROM quality.problem WHERE rule = 'unknown_header'", &[]).concat();
    assert!(!found.contains("Smith") && !found.contains(A), "{found}");
}

#[test]
fn what_a_roll_or_a_calendar_says_twice_over_is_told() {
    let authority = started();
    let said = |file: &str| {
        authority.ask(
            &format!(
                "SELECT rule, line, rows FROM quality.problem WHERE file = '{file}' AND rule <> 'upn_check_letter'"
            ),
            &[],
        )
    };
    // Two days of one school in a roll: the first stands, and nobody is missing for it.
    let row = |upn: &str, year: &str, entry: &str, day: &str| {
        format!("140001,{upn},Made,Up,{year}-01-01,F,5,{entry},{day}\n")
    };
    let header = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,SnapshotDate\n";
    let two = header.to_owned()
        + &row(A, "2016", "2026-09-01", "2026-09-08")
        + &row(A, "2016", "2026-09-01", "2026-10-01")
        + &row(B, "2016", "2026-09-01", "2026-10-01");
    authority.receive("2026-10-01T05:00:00Z", &[("two.csv", &two)]);
    assert_eq!(said("two.csv"), ["several_snapshots,3,1", "several_snapshots,4,1"]);
    let on_roll = "SELECT upn FROM tables.enrolment WHERE last_day IS NULL";
    assert_eq!(authority.ask(on_roll, &[]), [B, A]);
    // Years that no pupil has.
    let odd =
        header.to_owned() + &row(A, "1986", "2026-09-01", "2026-10-02") + &row(B, "2016", "1926-09-01", "2026-10-02");
    authority.receive("2026-10-02T05:00:00Z", &[("odd.csv", &odd)]);
    assert_eq!(said("odd.csv"), ["birth_of_another_year,2,1", "entry_out_of_reach,3,1"]);
    // A session that is open and is not.
    let calendar = "URN,Date,Session,Open\n140001,2026-10-05,AM,Y\n140001,2026-10-05,AM,Y\n140001,2026-10-05,AM,N\n";
    authority.receive("2026-10-03T05:00:00Z", &[("cal.csv", calendar)]);
    assert_eq!(said("cal.csv"), ["calendar_session_twice,4,1"]);
    assert_eq!(
        authority.ask("SELECT open FROM believed.calendar WHERE known_to IS NULL", &["--as-of", "2026-10-05"]),
        ["true"]
    );
}
