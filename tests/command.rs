//! The command as a new user meets it: what works, and what each wrong word, file or configuration says.

use std::os::unix::fs::MetadataExt;

use crate::authority::{Authority, SCHOOLS, all_files, roll, rollcall, said, week};

const A: &str = "Q850200120003";
const B: &str = "H850200723000";

fn started() -> Authority {
    let authority = Authority::new();
    let out = authority
        .receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll_140001.csv", &roll(140001, &[A, B]))]);
    assert!(out.status.success(), "{}", said(&out));
    authority
}

#[test]
fn a_first_week_from_files_to_figures() {
    let authority = started();
    let marks = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\I."), (B, "/\\/\\/\\/\\/\\")]);
    let out = authority.receive("2026-09-11T18:00:00Z", &[("marks_140001.csv", &marks)]);
    assert!(said(&out).contains("19 rows in = 19 kept + 0 refused"), "{}", said(&out));
    let year = "SELECT upn, possible, absent, missing_marks FROM metrics.pupil_year";
    assert_eq!(authority.ask(year, &["--as-of", "2026-09-11"]), [format!("{B},10,0,0"), format!("{A},9,1,1")]);
    // As known before the marks came, and up to the day before the last.
    assert_eq!(
        authority.ask(year, &["--as-of", "2026-09-11", "--known-at", "2026-09-10"]),
        [format!("{B},0,0,0"), format!("{A},0,0,0")]
    );
    assert_eq!(authority.ask(year, &["--as-of", "2026-09-10"]), [format!("{B},8,0,0"), format!("{A},8,0,0")]);
    assert!(authority.ok(&["explain", "metrics.pupil_year"]).contains("one row for each"));
    assert!(authority.ok(&["check"]).contains("plan"));
    assert!(authority.ok(&["doctor"]).contains("each whole"));
}

#[test]
fn every_dialect_says_the_same() {
    let plain = week(140001, "2026-09-07", &[(A, "/\\/\\NN/\\I."), (B, "/\\/\\/\\/\\/\\")]);
    let slashed = {
        let swap = |line: &str| {
            let f: Vec<&str> = line.split(',').collect();
            let d: Vec<&str> = f[2].split('-').collect();
            if d.len() == 3 {
                format!("{},{},{}/{}/{},{},{}", f[0], f[1], d[2], d[1], d[0], f[3], f[4])
            } else {
                line.to_owned()
            }
        };
        plain.lines().map(swap).collect::<Vec<_>>().join("\n")
    };
    let quoted = plain
        .lines()
        .map(|l| l.split(',').map(|f| format!("\"{f}\"")).collect::<Vec<_>>().join(","))
        .collect::<Vec<_>>()
        .join("\r\n");
    let reordered = plain
        .lines()
        .map(|l| {
            let f: Vec<&str> = l.split(',').collect();
            format!("{},{},x,{},{},{}", f[4], f[3], f[2], f[1], f[0])
        })
        .collect::<Vec<_>>()
        .join("\n");
    let dialects = [
        plain.clone(),
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        plain.replace("URN,UPN,Date,Session,Mark", "urn, U_pn ,DATE,session ,mark"),
        slashed,
        quoted,
        reordered,
    ];
    let mut beliefs = Vec::new();
    for dialect in &dialects {
        let authority = started();
        let out = authority.receive("2026-09-11T18:00:00Z", &[("marks.csv", dialect)]);
        assert!(said(&out).contains("19 rows in = 19 kept + 0 refused"), "{dialect}\n{}", said(&out));
        beliefs.push(authority.ask("SELECT pupil_key, week_start, marks FROM ledger.register_week", &[]));
    }
    for belief in &beliefs {
        assert_eq!(belief, &beliefs[0]);
    }
}

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
    // A later return of that day mends what it covers.
    authority.receive("2026-09-14T18:00:00Z", &[("good.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    let open = authority.ask("SELECT rule FROM quality.problem WHERE fixed_by IS NULL AND rule = 'unknown_code'", &[]);
    assert_eq!(open, [""; 0]);
    let mended =
        authority.ask("SELECT rule FROM quality.problem WHERE fixed_by IS NOT NULL AND rule = 'unknown_code'", &[]);
    assert_eq!(mended, ["unknown_code"]);
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
fn packed_files_and_workbooks() {
    use std::io::Write;
    let authority = started();
    let marks = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]);
    let folder = authority.offer("2026-09-11T18:00:00Z", &[]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(marks.as_bytes()).unwrap();
    std::fs::write(folder.join("a.csv.gz"), gz.finish().unwrap()).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("inner.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(week(140001, "2026-09-14", &[(A, "/\\/\\/\\/\\/\\")]).as_bytes()).unwrap();
    std::fs::write(folder.join("b.zip"), zip.finish().unwrap().into_inner()).unwrap();
    let out = authority.run(&["ingest", folder.to_str().unwrap(), "--received-at", "2026-09-18T18:00:00Z"]);
    assert!(said(&out).contains("20 rows in = 20 kept + 0 refused"), "{}", said(&out));
    assert_eq!(authority.ask("SELECT count(*) FROM ledger.register_week", &[]), ["2"]);
}

#[test]
fn a_file_of_several_schools_counts_as_a_return_of_each() {
    let authority = started();
    authority.receive("2026-09-03T05:00:00Z", &[("roll_140002.csv", &roll(140002, &["A850200720001"]))]);
    let ash = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\?."), (B, "/\\/\\/\\/\\/\\")]);
    authority.receive("2026-09-11T18:00:00Z", &[("ash.csv", &ash)]);
    let open = "SELECT count(*) FROM quality.problem WHERE rule = 'unknown_code' AND fixed_by IS NULL";
    assert_eq!(authority.ask(open, &[]), ["1"]);
    let birch = week(140002, "2026-09-07", &[("A850200720001", "/\\/\\/\\/\\/\\")]);
    let both = ash.replace(",?\n", ",I\n") + birch.split_once('\n').unwrap().1;
    authority.receive("2026-09-18T18:00:00Z", &[("both.csv", &both)]);
    assert_eq!(
        authority.ask("SELECT urn, returned_at, is_late FROM quality.school_day WHERE date = '2026-09-07'", &[]),
        ["140001,2026-09-11T18:00:00Z,false", "140002,2026-09-18T18:00:00Z,true"]
    );
    assert_eq!(authority.ask(open, &[]), ["0"]);
}

#[test]
fn a_later_roll_mends_what_was_wrong_for_want_of_it() {
    let authority = started();
    let stranger = "A850200720001";
    let marks = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\"), (stranger, "/\\/\\/\\/\\/\\")]);
    authority.receive("2026-09-11T18:00:00Z", &[("marks.csv", &marks)]);
    let open = "SELECT rule FROM quality.problem WHERE rule <> 'upn_check_letter' AND fixed_by IS NULL";
    assert_eq!(authority.ask(open, &[]), ["pupil_not_on_roll"]);
    // Entered after those marks: they stay outside.
    let late = roll(140001, &[A, B]) + &format!("140001,{stranger},,Made,Up,2016-01-01,F,5,2026-09-21,,\n");
    authority.receive("2026-09-22T05:00:00Z", &[("roll.csv", &late)]);
    assert_eq!(authority.ask(open, &[]), ["pupil_not_on_roll"]);
    authority.receive("2026-09-23T05:00:00Z", &[("roll.csv", &roll(140001, &[A, B, stranger]))]);
    assert_eq!(authority.ask(open, &[]), [""; 0]);
}

#[test]
fn marks_that_a_roll_leaves_outside_are_listed_whichever_came_first() {
    let week = |a: &str| week(140001, "2026-09-07", &[(A, a), (B, "/\\/\\/\\/\\/\\")]);
    let from = |entry: &str| roll(140001, &[A, B]).replacen("2026-09-01", entry, 1);
    let open = "SELECT rule, rows, found FROM quality.problem \
                WHERE rule NOT IN ('upn_check_letter', 'marks_withdrawn') AND fixed_by IS NULL";
    let possible = "SELECT possible FROM metrics.child_year ORDER BY possible";

    // The roll first: the marks are found outside when they come, and the roll sent again finds them no second time.
    let authority = started();
    authority.receive("2026-09-08T05:00:00Z", &[("roll.csv", &from("2026-09-09"))]);
    authority.receive("2026-09-11T18:00:00Z", &[("marks.csv", &week("/\\/\\/\\/\\/\\"))]);
    assert_eq!(authority.ask(open, &[]), ["mark_outside_enrolment,4,4 marks outside the enrolment"]);
    authority.receive("2026-09-14T05:00:00Z", &[("roll.csv", &(from("2026-09-09") + "\n"))]);
    assert_eq!(authority.ask(open, &[]), ["mark_outside_enrolment,4,4 marks outside the enrolment"]);
    assert_eq!(authority.ask(possible, &["--as-of", "2026-09-14"]), ["10", "6"]);

    // The marks first: the roll that leaves them outside says so, until a roll holds the child on those days.
    let authority = started();
    let held = ["held_mark_outside_enrolment,4,4 marks held outside the enrolment"];
    authority.receive("2026-09-11T18:00:00Z", &[("marks.csv", &week("/\\/\\/\\/\\/\\"))]);
    assert_eq!(authority.ask(open, &[]), [""; 0]);
    authority.receive("2026-09-14T05:00:00Z", &[("roll_1.csv", &from("2026-09-09"))]);
    assert_eq!(authority.ask(open, &[]), held);
    assert_eq!(authority.ask(possible, &["--as-of", "2026-09-14"]), ["10", "6"]);
    authority.receive("2026-09-15T05:00:00Z", &[("roll_2.csv", &from("2026-09-09"))]);
    assert_eq!(
        authority.ask("SELECT first_seen, fixed_by FROM quality.problem WHERE rows = 4", &[]),
        ["2026-09-14T05:00:00Z,"]
    );
    authority.receive("2026-09-16T05:00:00Z", &[("roll_3.csv", &from("2026-09-07"))]);
    assert_eq!(authority.ask(open, &[]), [""; 0]);
    // A child that left before its last marks; the marks sent again without those days mend it too.
    let left = roll(140001, &[A, B]).replacen("2026-09-01,", "2026-09-07,2026-09-10", 1);
    authority.receive("2026-09-17T05:00:00Z", &[("roll_4.csv", &left)]);
    assert_eq!(authority.ask(open, &[]), ["held_mark_outside_enrolment,2,2 marks held outside the enrolment"]);
    authority.receive("2026-09-18T05:00:00Z", &[("marks_2.csv", &week("/\\/\\/\\/\\.."))]);
    assert_eq!(authority.ask(open, &[]), [""; 0]);
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
fn a_file_refused_whole_is_mended_by_marks_of_its_days_alone() {
    let authority = started();
    let marks = |day: &str| format!("URN,UPN,Date,Session,Mark\n140002,{B},{day},AM,/\n");
    let open = "SELECT rule, line FROM quality.problem WHERE rule = 'file_for_another_school' AND fixed_by IS NULL";
    authority.receive("2026-09-07T18:00:00Z", &[("m_140001.csv", &marks("2026-09-07"))]);
    assert_eq!(authority.ask(open, &[]), ["file_for_another_school,"]);
    authority.receive("2026-09-08T18:00:00Z", &[("m_140002.csv", &marks("2026-09-08"))]);
    assert_eq!(authority.ask(open, &[]), ["file_for_another_school,"]);
    authority.receive("2026-09-09T18:00:00Z", &[("m_140002.csv", &marks("2026-09-07"))]);
    assert_eq!(authority.ask(open, &[]), [""; 0]);
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
fn tables_that_were_taken_away_begin_anew() {
    let authority = started();
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\I.")]))]);
    let marks = || authority.ask("SELECT count(*) FROM ledger.mark", &[]);
    let before = marks();
    let tables = authority.lake().join("lake/tables");
    std::fs::remove_dir_all(&tables).unwrap();
    authority.ok(&["replay"]);
    assert_eq!(marks(), before);
    // Another reader finds a log that begins at its beginning.
    let logs = std::fs::read_dir(&tables).unwrap().map(|table| table.unwrap().path().join("_delta_log"));
    let logs: Vec<_> = logs.filter(|log| log.is_dir()).collect();
    assert!(logs.len() > 3 && logs.iter().all(|log| log.join("00000000000000000000.json").is_file()), "{logs:?}");
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
fn rows_of_an_unnested_list_are_told_apart_by_what_is_grouped_after() {
    let authority = started();
    let marks = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\II/\\/\\..")]);
    authority.receive("2026-09-11T18:00:00Z", &[("marks.csv", &marks)]);
    let ask = |sql: &str| authority.ask(sql, &["--as-of", "2026-09-11"]);
    // A child is one of a school's list, a day one of its sessions'; neither is needed but to be counted.
    let children = "SELECT count(*) FROM (SELECT urn, x FROM (SELECT urn, unnest(array_agg(pupil_key)) AS x \
                    FROM tables.enrolment GROUP BY urn) GROUP BY urn, x)";
    assert_eq!(ask(children), ["2"]);
    assert_eq!(ask(&format!("SELECT ({children}) AS n")), ["2"]);
    let days = "SELECT count(*) FROM (SELECT DISTINCT urn, academic_year, in_cohort, date FROM tables.school_session)";
    assert_eq!(ask(days), ["5"]);
    let days = "SELECT count(*) FROM (SELECT DISTINCT urn, s['date'] FROM (SELECT urn, unnest(counts_by_session(session_counts(register))) AS s \
                FROM tables.register_year GROUP BY urn))";
    assert_eq!(ask(days), ["5"]);
}

#[test]
fn a_marks_history_is_told_as_known_then_and_by_the_child() {
    let authority = started();
    let monday =
        |upn: &str, rest: &str| format!("URN,UPN,Date,Session,Mark,MinutesLate\n140001,{upn},2026-09-07,AM,{rest}\n");
    authority.receive("2026-09-07T18:00:00Z", &[("m.csv", &monday(A, "L,12"))]);
    authority.receive("2026-09-08T18:00:00Z", &[("m.csv", &monday(A, "/,"))]);
    let history = "SELECT code, minutes_late, known_from, known_to FROM ledger.mark";
    assert_eq!(authority.ask(history, &["--known-at", "2026-09-07"]), ["L,12,2026-09-07T18:00:00Z,"]);
    assert_eq!(
        authority.ask(history, &[]),
        ["/,,2026-09-08T18:00:00Z,", "L,12,2026-09-07T18:00:00Z,2026-09-08T18:00:00Z"]
    );
    // The child gets another UPN, and the school states the week under it: the mark is as old as it was.
    let new = roll(140001, &[B]).trim_end().to_owned()
        + &format!("\n140001,A850200720001,{A},Made,Up,2016-01-01,F,5,2026-09-01,,\n");
    authority.receive("2026-09-09T05:00:00Z", &[("roll.csv", &new)]);
    authority.receive("2026-09-09T18:00:00Z", &[("m.csv", &monday("A850200720001", "/,"))]);
    let now = "SELECT p.upn, m.code, m.known_from FROM ledger.mark m JOIN metrics.pupil_year p \
               ON p.pupil_key = m.pupil_key AND p.urn = m.urn WHERE m.known_to IS NULL";
    assert_eq!(authority.ask(now, &["--as-of", "2026-09-09"]), ["A850200720001,/,2026-09-08T18:00:00Z"]);
    // Minutes are those said last of that mark; another number is no other mark.
    for (day, rest) in [(10, "L,5"), (11, "L,7")] {
        authority.receive(&format!("2026-09-{day}T18:00:00Z"), &[("m.csv", &monday("A850200720001", rest))]);
    }
    let minutes = "SELECT known_from, minutes_late FROM ledger.mark WHERE code = 'L'";
    let first = "2026-09-07T18:00:00Z,12";
    assert_eq!(authority.ask(minutes, &["--known-at", "2026-09-10"]), [first, "2026-09-10T18:00:00Z,5"]);
    assert_eq!(authority.ask(minutes, &[]), [first, "2026-09-10T18:00:00Z,7"]);
}

#[test]
fn wrong_words_say_what_to_do() {
    let authority = started();
    let cases: [(&[&str], &str); 9] = [
        (&["query", "SELECT * FROM metrics.pupil_yaer"], "the nearest is metrics.pupil_year"),
        (&["query", "SELECT * FROM ledger.problem"], "the nearest is quality.problem"),
        (&["query", "DROP TABLE metrics.pupil_year"], "only a SELECT is answered"),
        (&["query", "SELECT (1"], "cannot be read as SQL: Expected: )"),
        (&["query", "SELECT 1; SELECT 2"], "2 statements"),
        (&["explain", "metrics.nothing"], "lists what there is"),
        (&["explain", "reference.attendance_cod"], "the nearest is reference.attendance_code"),
        (&["ingest", "/no/such/folder"], "/no/such/folder"),
        (&["query", "SELECT 1", "--known-at", "yesterday"], "2026-11-21"),
    ];
    for (arguments, says) in cases {
        let out = authority.run(arguments);
        assert!(!out.status.success(), "{arguments:?}");
        assert!(said(&out).contains(says), "{arguments:?}: {}", said(&out));
        assert!(!said(&out).contains("panicked"), "{arguments:?}: {}", said(&out));
    }
    // A definition of one's own that does not plan is told once, whatever the errors of a library quote.
    let overlay = authority.lake().join("own/metrics");
    std::fs::create_dir_all(&overlay).unwrap();
    let sql = include_str!("../sql/metrics/area_year.sql").replace("la_code", "la_kode");
    std::fs::write(overlay.join("mine.sql"), sql).unwrap();
    let out = rollcall().arg("check").current_dir(authority.lake()).env("ROLLCALL_SQL", "own").output().unwrap();
    let told = said(&out);
    assert!(!out.status.success() && told.contains("metrics.mine cannot be planned"), "{told}");
    assert_eq!(told.matches("No field named").count(), 1, "{told}");

    let nowhere = tempfile::tempdir().unwrap();
    let out = rollcall().arg("check").current_dir(nowhere.path()).output().unwrap();
    assert!(!out.status.success() && said(&out).contains("rollcall init"), "{}", said(&out));
    let out = rollcall().args(["init", "--la-code", "7"]).arg(nowhere.path().join("x")).output().unwrap();
    assert!(!out.status.success() && said(&out).contains("three digits"), "{}", said(&out));
    std::fs::write(authority.lake().join("rollcall.toml"), "la_code = 850\nmemroy_mib = 5\n").unwrap();
    assert!(said(&authority.run(&["check"])).contains("nearest known key is `memory_mib`"));
}

#[test]
fn a_question_cannot_write_or_read_files() {
    let authority = started();
    for sql in [
        "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/x.parquet'",
        "INSERT INTO believed.school SELECT * FROM believed.school",
        "SET datafusion.execution.target_partitions = 1",
        "CREATE VIEW x AS SELECT 1",
    ] {
        assert!(!authority.run(&["query", sql]).status.success(), "{sql}");
    }
}

#[test]
fn no_child_stands_in_logs_messages_or_file_names() {
    let authority = started();
    let bad = format!("URN,UPN,Date,Session,Mark\n140001,{A},2026-09-07,AM,QQ\n140001,{A}X,2026-09-07,AM,/\n");
    let folder = authority.offer("2026-09-11T18:00:00Z", &[("m.csv", &bad)]);
    let out = rollcall()
        .args(["ingest", folder.to_str().unwrap(), "--received-at", "2026-09-11T18:00:00Z"])
        .env("ROLLCALL_LOG", "trace")
        .current_dir(authority.lake())
        .output()
        .unwrap();
    assert!(!said(&out).contains(A) && !said(&out).contains("Made"), "a child in the output");
    for (path, bytes) in all_files(&authority.lake()) {
        assert!(!path.to_string_lossy().contains(A), "{}", path.display());
        let receipt = path.extension().is_some_and(|e| e == "json");
        assert!(!receipt || !String::from_utf8_lossy(&bytes).contains(A), "{}", path.display());
    }
}

#[test]
fn what_a_roll_does_not_say_changes_nothing() {
    let authority = started();
    let marks = |monday: &str| week(140001, monday, &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")]);
    authority.receive("2026-09-11T18:00:00Z", &[("marks.csv", &marks("2026-09-07"))]);
    let figures = || authority.ask("SELECT upn, possible FROM metrics.pupil_year", &["--as-of", "2026-10-30"]);
    let left = || authority.ask("SELECT rule FROM alerts.current", &["--as-of", "2026-10-30"]);
    let rules = || {
        let sql = "SELECT rule, line FROM quality.problem WHERE rule <> 'upn_check_letter' AND fixed_by IS NULL";
        authority.ask(sql, &[])
    };
    let both = [format!("{B},10"), format!("{A},10")];
    let whole = roll(140001, &[A, B]);
    let row_of_a = whole.lines().nth(1).unwrap();
    let cases = [
        // The day of entry of a child who is named cannot be read.
        (whole.replace(row_of_a, &row_of_a.replace("2026-09-01", "")), vec!["impossible_date,2"]),
        // A stint ends before it begins.
        (
            whole.replace(row_of_a, &row_of_a.replace("2026-09-01,,", "2026-09-01,2026-08-01,")),
            vec!["leaving_before_entry,2"],
        ),
        // A row does not say whose it is: either may be meant.
        (whole.replace(A, "Q85020012"), vec!["roll_not_whole,", "upn_shape,2"]),
        // A date of birth cannot be read, is blank or to come.
        (whole.replace(row_of_a, &row_of_a.replace("2016-01-01", "31/13/2016")), vec!["no_date_of_birth,2"]),
        (whole.replace(row_of_a, &row_of_a.replace("2016-01-01", "")), vec!["no_date_of_birth,2"]),
        (whole.replace(row_of_a, &row_of_a.replace("2016-01-01", "2031-01-01")), vec!["no_date_of_birth,2"]),
    ];
    for (day, (text, said)) in cases.iter().enumerate() {
        authority.receive(&format!("2026-09-{}T05:00:00Z", 14 + day), &[("roll.csv", text)]);
        assert_eq!(rules(), *said);
        assert_eq!((figures(), left()), (both.to_vec(), Vec::new()));
    }
    authority.receive("2026-09-21T05:00:00Z", &[("roll.csv", &whole)]);
    assert_eq!(rules(), [""; 0]);

    // Of two rolls of an arrival the newer says who is missing; rolls of one day are taken together.
    let of_day = |day: &str, pupils: &[&str]| {
        let mut lines = roll(140001, pupils).lines().map(|l| format!("{l},{day}\n")).collect::<String>();
        lines.replace_range(
            ..lines.find('\n').unwrap(),
            "URN,UPN,FormerUPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingDate,LeavingGround,SnapshotDate",
        );
        lines
    };
    let (older, newer) = (of_day("2026-09-22", &[A, B]), of_day("2026-09-23", &[A]));
    authority.receive("2026-09-24T05:00:00Z", &[("roll_a.csv", &newer), ("roll_b.csv", &older)]);
    assert_eq!(left(), ["off_roll_no_destination"]);
    assert_eq!(rules(), ["roll_lost_most,"]);
    authority
        .receive("2026-09-25T05:00:00Z", &[("roll_a.csv", &roll(140001, &[A])), ("roll_b.csv", &roll(140001, &[B]))]);
    assert_eq!((left(), rules()), (vec![], vec!["several_rolls,".to_owned()]));
}

#[test]
fn a_row_that_does_not_say_whose_it_is_withdraws_nothing() {
    let authority = started();
    let whole = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")]);
    let held =
        || authority.ask("SELECT upn_of(pupil_key), marks FROM ledger.register_week WHERE known_to IS NULL", &[]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &whole)]);
    let before = held();
    // Without its row of Monday morning, and with one of that session that may have been its.
    let row = format!("140001,{A},2026-09-07,AM,/\n");
    for (hour, damaged) in [
        "140001,8.502E+12,2026-09-07,AM,/",
        "140001,Q85,2026-09-07,XX,/",
        "140001,Q85,7.9.26,AM,/",
        "140001,Q85,2026-09-07,AM,/,,",
        "14OOO1,Q850200120003,2026-09-07,AM,/",
    ]
    .iter()
    .enumerate()
    {
        authority.receive(
            &format!("2026-09-12T{hour:02}:00:00Z"),
            &[("m.csv", &whole.replace(&row, &format!("{damaged}\n")))],
        );
        assert_eq!(held(), before, "{damaged}");
    }
    authority.receive("2026-09-12T03:00:00Z", &[("m.csv", &whole.replace(&row, "140001,Q85,2026-09-08,AM,/\n"))]);
    assert_eq!(held()[1], before[1].replacen('/', ".", 1));
}

#[test]
fn a_register_of_the_mornings_says_what_it_takes_away() {
    let authority = started();
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    // One mark is withdrawn in so many words, four for want of a row.
    let mornings = week(140001, "2026-09-07", &[(A, "/-/./././.")]);
    let out = authority.receive("2026-09-12T18:00:00Z", &[("m.csv", &mornings)]);
    let told = "SELECT found, rows FROM quality.problem WHERE rule = 'marks_withdrawn' AND fixed_by IS NULL";
    assert_eq!(authority.ask(told, &[]), ["\"4 sessions without a row, of which a mark was held\",4"]);
    assert!(said(&out).contains("marks_withdrawn"), "{}", said(&out));
    authority.receive("2026-09-13T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    assert_eq!(authority.ask(told, &[]), [""; 0]);
}

#[test]
fn the_night_takes_a_file_once_and_undoes_no_correction() {
    let authority = started();
    let drop = authority.lake().join("drop");
    std::fs::create_dir(&drop).unwrap();
    let wrong = week(140001, "2026-09-07", &[(A, "OOOOOOOOOO")]);
    std::fs::write(drop.join("m.csv"), &wrong).unwrap();
    let code = "SELECT DISTINCT code FROM ledger.mark WHERE known_to IS NULL";
    authority.run(&["run", "nightly"]);
    assert_eq!(authority.ask(code, &[]), ["O"]);
    let right = authority.files().join("right.csv");
    std::fs::create_dir_all(authority.files()).unwrap();
    std::fs::write(&right, wrong.replace(",O\n", ",I\n")).unwrap();
    authority.ok(&["ingest", right.to_str().unwrap()]);
    // Each file that landed, and whether it is still the one that was written.
    let landed = || -> Vec<(std::path::PathBuf, u64)> {
        let landing = authority.lake().join("lake/landing");
        let inode = |path: &std::path::Path| std::fs::metadata(landing.join(path)).unwrap().ino();
        all_files(&landing).into_iter().map(|(path, _)| (path.clone(), inode(&path))).collect()
    };
    let before = landed();
    assert!(said(&authority.run(&["run", "nightly"])).contains("nothing new"));
    assert_eq!(landed(), before, "what is not taken was copied");
    assert_eq!(authority.ask(code, &[]), ["I"]);
    // The same name with other bytes is new, and so are the old bytes after them.
    for (text, is) in [(wrong.replace(",O\n", ",G\n"), "G"), (wrong.clone(), "O")] {
        std::fs::write(drop.join("m.csv"), text).unwrap();
        authority.run(&["run", "nightly"]);
        assert_eq!(authority.ask(code, &[]), [is]);
    }
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
fn an_older_roll_that_comes_late_changes_nothing_that_a_newer_one_says() {
    let authority = started();
    let header = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,SnapshotDate\n";
    let of_day = |day: &str, pupils: &[(&str, &str)]| {
        let row = |(upn, year): &(&str, &str)| format!("140001,{upn},Made,Up,2016-01-01,F,{year},2026-09-01,{day}\n");
        header.to_owned() + &pupils.iter().map(row).collect::<String>()
    };
    let stranger = "A850200720001";
    let both = [(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")];
    authority.receive("2026-09-14T05:00:00Z", &[("roll.csv", &of_day("2026-09-14", &[(A, "5"), (B, "5")]))]);
    authority.receive("2026-09-18T18:00:00Z", &[("marks.csv", &week(140001, "2026-09-14", &both))]);
    authority.receive("2026-09-18T19:00:00Z", &[("roll.csv", &of_day("2026-09-11", &[(B, "4"), (stranger, "4")]))]);
    let figures = "SELECT upn, nc_year, possible FROM metrics.pupil_year WHERE 0 < possible";
    assert_eq!(authority.ask(figures, &["--as-of", "2026-09-18"]), [format!("{B},5,10"), format!("{A},5,10")]);
    // Who was on the older roll alone has left since.
    let left = "SELECT upn, event_from FROM alerts.current WHERE rule = 'off_roll_no_destination'";
    assert_eq!(authority.ask(left, &["--as-of", "2026-09-18"]), [format!("{stranger},2026-09-13")]);
    let doubts = "SELECT rule FROM quality.problem WHERE fixed_by IS NULL AND rule <> 'upn_check_letter'";
    assert_eq!(authority.ask(doubts, &[]), ["older_roll"]);
}

#[test]
fn since_when_a_child_is_missing_does_not_depend_on_the_order_of_rolls() {
    let rolls = [
        ("2026-09-14", vec![A, B]),
        ("2026-09-17", vec![A]),
        ("2026-09-18", vec![A, B]),
        ("2026-09-21", vec![A]),
        ("2026-09-22", vec![A]),
    ];
    let orders = [vec![0, 1, 2, 3, 4], vec![0, 4, 3, 2, 1], vec![0, 3, 1, 4], vec![0, 4, 1, 2, 3], vec![4, 2, 0, 1, 3]];
    for order in orders {
        let authority = Authority::new();
        authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS)]);
        for (nth, roll) in order.iter().enumerate() {
            let (day, pupils) = &rolls[*roll];
            let header = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,SnapshotDate\n".to_owned();
            let row = |upn: &&str| format!("140001,{upn},Made,Up,2016-01-01,F,5,2026-09-01,{day}\n");
            let text = header + &pupils.iter().map(row).collect::<String>();
            authority.receive(&format!("2026-10-01T{nth:02}:00:00Z"), &[("roll.csv", &text)]);
        }
        let left = authority.ask("SELECT upn, event_from FROM alerts.current", &["--as-of", "2026-10-02"]);
        let last_day = if order.contains(&2) { "2026-09-20" } else { "2026-09-16" };
        assert_eq!(left, [format!("{B},{last_day}")], "{order:?}");
    }
}

#[test]
fn a_child_who_was_missing_and_enters_again_keeps_the_marks_of_before() {
    let authority = started();
    let of_week = |monday| week(140001, monday, &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &of_week("2026-09-07"))]);
    authority.receive("2026-09-14T05:00:00Z", &[("roll.csv", &roll(140001, &[B]))]);
    let again = roll(140001, &[A, B]).replacen("2026-09-01", "2026-09-21", 1);
    authority.receive("2026-09-21T05:00:00Z", &[("roll.csv", &again)]);
    authority.receive("2026-09-25T18:00:00Z", &[("m.csv", &of_week("2026-09-21"))]);
    let years = authority.ask("SELECT upn, possible FROM metrics.pupil_year", &["--as-of", "2026-09-25"]);
    assert_eq!(years, [format!("{B},20"), format!("{A},20")]);
    assert_eq!(authority.ask("SELECT rule FROM alerts.current", &["--as-of", "2026-09-25"]), [""; 0]);
}

#[test]
fn a_year_that_is_over_keeps_the_children_it_had() {
    let authority = Authority::new();
    authority.receive("2026-06-01T05:00:00Z", &[("gias.csv", SCHOOLS)]);
    let of = |year: u32, fsm: &str| {
        format!(
            "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,FSM\n140001,{A},Made,Up,2016-01-01,F,{year},2025-09-01,{fsm}\n"
        )
    };
    authority.receive("2026-07-03T05:00:00Z", &[("roll.csv", &of(5, "Y"))]);
    authority.receive("2026-07-10T18:00:00Z", &[("m.csv", &week(140001, "2026-07-06", &[(A, "/\\/\\/\\/\\/\\")]))]);
    authority.receive("2026-09-04T05:00:00Z", &[("roll.csv", &of(6, "N"))]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    let years = "SELECT academic_year, nc_year, possible FROM metrics.pupil_year";
    let told = ["202526,5,10", "202627,6,10"];
    assert_eq!(authority.ask(years, &["--as-of", "2026-09-11"]), told);
    let meals = "SELECT academic_year, value FROM metrics.cohort_year WHERE cohort = 'FSM' AND phase = 'Total'";
    assert_eq!(authority.ask(meals, &["--as-of", "2026-09-11"]), ["202526,Eligible", "202627,Not eligible"]);
    // As known then, nothing else was known; and asked up to a day of last year, September's roll says nothing of it.
    assert_eq!(authority.ask(years, &["--as-of", "2026-07-31"]), ["202526,5,10"]);
}

#[test]
fn an_arrival_that_should_not_have_been_is_set_aside() {
    let authority = started();
    let said_of = |marks: &str| week(140001, "2026-09-07", &[(A, marks)]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &said_of("/\\/\\/\\/\\/\\"))]);
    let belief = "SELECT marks, known_from, known_to FROM ledger.register_week";
    let before = authority.ask(belief, &[]);
    let out = authority.receive("2036-09-12T18:00:00Z", &[("m.csv", &said_of("OOOOOOOOOO"))]);
    assert!(said(&out).contains("in the future"), "{}", said(&out));
    assert_ne!(authority.ask(belief, &[]), before);
    assert!(!authority.run(&["set-aside", "3"]).status.success());
    assert!(said(&authority.run(&["set-aside", "9", "--reason", "x"])).contains("there are 3"));
    authority.ok(&["set-aside", "3", "--reason", "received in 2026, not in 2036"]);
    assert_eq!(authority.ask(belief, &[]), before);
    assert!(authority.ok(&["set-aside"]).contains("1 files  set aside"));
    // It stays out, whatever is taken or rebuilt afterwards.
    authority.receive("2026-09-18T18:00:00Z", &[("m.csv", &said_of("/\\/\\/\\/\\/I"))]);
    let after = authority.ask(belief, &[]);
    for replay in [&["replay"][..], &["replay", "--from", "2026-09-18"]] {
        authority.ok(replay);
        assert_eq!(authority.ask(belief, &[]), after);
    }
    assert_eq!(after.len(), 2);
}

#[test]
fn whether_a_mark_was_taken_back_is_never_guessed() {
    let authority = started();
    authority.receive("2026-09-07T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\........")]))]);
    let header = "URN,UPN,Date,Session,Mark,IsDeleted\n";
    let rows = format!("140001,{A},2026-09-07,AM,I,maybe\n140001,{A},2026-09-07,PM,\\,yes\n");
    let text = said(&authority.receive("2026-09-08T18:00:00Z", &[("m.csv", &format!("{header}{rows}"))]));
    assert!(text.contains("2 rows in = 1 kept + 1 refused") && text.contains("unknown_deletion: 1 row;"), "{text}");
    let held = "SELECT marks FROM ledger.register_week WHERE known_to IS NULL";
    assert_eq!(authority.ask(held, &[]), ["/............."]);
    // An export that came out empty is told.
    let text = said(&authority.receive("2026-09-09T18:00:00Z", &[("m.csv", header)]));
    assert!(text.contains("no_rows: 1 row;") && text.contains("a header and nothing below it"), "{text}");
}

#[test]
fn what_has_landed_is_taken_before_all_else() {
    let authority = started();
    let folder = authority.offer("late", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    let cut_off = |at: &str| {
        let mut ingest = rollcall();
        ingest.args(["ingest", folder.to_str().unwrap(), "--received-at", at]).current_dir(authority.lake());
        assert!(!ingest.env("ROLLCALL_CRASH_AT", "before the run record").output().unwrap().status.success());
    };
    let out = authority.run(&["ingest"]);
    assert!(!out.status.success() && said(&out).contains("name the files or folders"), "{}", said(&out));
    cut_off("2026-09-11T18:00:00Z");
    assert!(authority.ok(&["ingest"]).contains("1 arrivals that had landed are taken"));
    cut_off("2026-09-12T18:00:00Z");
    let text = authority.ok(&["run", "nightly", "--as-of", "2026-09-12"]);
    assert!(text.contains("1 arrivals that had landed before are taken"), "{text}");
    assert_eq!(authority.ask("SELECT count(*) FROM ledger.return WHERE file LIKE '%m.csv'", &[]), ["2"]);

    // A source that is misspelt is not taken for one that sends the published layout.
    std::fs::write(authority.lake().join("rollcall.toml"), "la_code = 850\n[sources.pings]\nchanges_only = true\n")
        .unwrap();
    let out = authority.run(&["ingest", folder.to_str().unwrap(), "--source", "ping"]);
    assert!(!out.status.success() && said(&out).contains("it has pings"), "{}", said(&out));
}
