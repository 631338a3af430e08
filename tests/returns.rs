//! What comes in: its forms, its order, what it takes back, what is taken once.

use std::os::unix::fs::MetadataExt;

use crate::authority::{A, Authority, B, SCHOOLS, all_files, roll, rollcall, said, started, week};

/// Every child's lines as they are believed.
fn believed(authority: &Authority) -> Vec<String> {
    authority.ask("SELECT upn_of(pupil_key), marks FROM ledger.register_week WHERE known_to IS NULL", &[])
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
fn a_row_that_does_not_say_whose_it_is_withdraws_nothing() {
    let authority = started();
    let whole = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")]);
    let held = || believed(&authority);
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
    assert_eq!(
        authority.ask(told, &[]),
        ["\"5 sessions of which a mark was held: 1 with a row that is blank or deleted, the others without one\",5"]
    );
    assert!(said(&out).contains("marks_withdrawn"), "{}", said(&out));
    authority.receive("2026-09-13T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    assert_eq!(authority.ask(told, &[]), [""; 0]);
}

#[test]
fn the_night_takes_a_file_once_and_undoes_no_correction() {
    let authority = started();
    let drop = authority.lake().join("drop");
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
fn what_cannot_be_read_in_a_folder_keeps_nothing_else_back() {
    let authority = started();
    let drop = authority.lake().join("drop");
    std::fs::write(drop.join("m.csv"), week(140001, "2026-09-07", &[(A, "OOOOOOOOOO")])).unwrap();
    std::os::unix::fs::symlink("/nowhere", drop.join("gone.csv")).unwrap();
    let out = authority.run(&["run", "nightly", "--as-of", "2026-09-12"]);
    assert!(!out.status.success() && said(&out).contains("gone.csv: No such file"), "{}", said(&out));
    assert_eq!(authority.ask("SELECT DISTINCT code FROM ledger.mark", &[]), ["O"]);
    // Of one arrival that somebody asks for, nothing is taken before all of it can be.
    let out = authority.run(&["ingest", drop.to_str().unwrap()]);
    assert!(!out.status.success() && said(&out).contains("nothing was taken in"), "{}", said(&out));
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

#[test]
fn a_refused_row_takes_no_mark_away_whatever_is_wrong_with_it() {
    let authority = started();
    let whole = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")]);
    let held = || believed(&authority);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &whole)]);
    let before = held();
    let row = format!("140001,{A},2026-09-09,PM,\\");
    let endless = format!("140001,{A},2026-09-09,PM,\"{}", "I".repeat(70_000));
    for (hour, (damaged, rule)) in [
        (format!("140001,{A},2026-09-30,PM,\\"), "date_in_future"),
        (format!("140001,{A},1999-09-09,PM,\\"), "date_before_year"),
        (format!("149999,{A},2026-09-09,PM,\\"), "unknown_urn"),
        (format!("140001,{A},2026-09-09,PM,\"I"), "line_too_long"),
        (endless, "line_too_long"),
    ]
    .into_iter()
    .enumerate()
    {
        let out =
            authority.receive(&format!("2026-09-12T{hour:02}:00:00Z"), &[("m.csv", &whole.replace(&row, &damaged))]);
        assert!(said(&out).contains(rule) && !said(&out).contains("marks_withdrawn"), "{}", said(&out));
        assert_eq!(held(), before, "{rule}");
    }
}

#[test]
fn an_arrival_set_aside_is_not_taken_with_gias() {
    let authority = Authority::new();
    let known = SCHOOLS.lines().filter(|line| !line.starts_with("140002")).map(|line| format!("{line}\n"));
    authority.receive("2026-09-01T05:00:00Z", &[("gias.csv", &known.collect::<String>())]);
    authority.receive("2026-09-02T05:00:00Z", &[("roll.csv", &roll(140002, &[A, B]))]);
    let gias = authority.offer("2026-09-03T05:00:00Z", &[("gias.csv", SCHOOLS)]);
    let mut ingest = rollcall();
    ingest.args(["ingest", gias.to_str().unwrap(), "--received-at", "2026-09-03T05:00:00Z"]);
    ingest.current_dir(authority.lake()).env("ROLLCALL_CRASH_AT", "after the run record");
    assert!(!ingest.output().unwrap().status.success());
    let on_roll = "SELECT count(*) FROM believed.enrolment WHERE known_to IS NULL";
    // The one commit point holds GIAS and what waited for it.
    assert_eq!(authority.ask(on_roll, &[]), ["2"]);
    // A roll is of the day on which it first came.
    let day = "SELECT CAST(last_day AS VARCHAR) FROM tables.return_school WHERE kind = 'roll' AND 0 < rows_kept";
    assert_eq!(authority.ask(day, &[]), ["2026-09-02"]);
    assert!(said(&authority.run(&["set-aside", "2", "--reason", " "])).contains("say why"));
    authority.ok(&["set-aside", "2", "--reason", "a trial"]);
    assert_eq!(authority.ask(on_roll, &[]), ["0"]);
    assert!(said(&authority.run(&["set-aside", "2", "--reason", "once more"])).contains("set aside already"));
}

#[test]
fn a_later_file_stands_over_one_of_many_schools_that_comes_out_of_turn() {
    let authority = started();
    let marks = |line: &str| week(140001, "2026-09-07", &[(A, line)]);
    // Files are taken in order of their first school, so many bytes at a time: what lies between parts the two.
    let between = {
        let week = week(140002, "2026-09-07", &[(B, "/\\/\\/\\/\\/\\")]);
        let (header, rows) = week.split_once('\n').unwrap();
        let wide = "x".repeat(60_000);
        let rows = rows.lines().map(|row| format!("{row},{wide}\n")).collect::<String>();
        format!("{header},Padding\n{}", rows.repeat(180))
    };
    let many =
        week(140003, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]) + marks("/\\/\\/\\/\\/\\").split_once('\n').unwrap().1;
    let out = authority.receive(
        "2026-09-11T18:00:00Z",
        &[("many.csv", &many), ("n.csv", &between), ("one.csv", &marks("OO/\\/\\/\\.."))],
    );
    let believed = authority.ask("SELECT marks FROM ledger.register_week WHERE urn = 140001 AND known_to IS NULL", &[]);
    assert_eq!(believed, ["OO/\\/\\/\\/\\...."], "{}", said(&out));
    let problems = authority.ask("SELECT file, found FROM quality.problem WHERE rule = 'files_disagree'", &[]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("one.csv,2 sessions"), "{problems:?}");
}

#[test]
fn what_came_before_gias_knew_its_school_is_known_with_it_in_any_order() {
    let without = SCHOOLS.lines().filter(|line| !line.starts_with("140002")).map(|line| format!("{line}\n"));
    let without = without.collect::<String>();
    let marks = |line: &str| week(140002, "2026-08-31", &[(A, line)]);
    let (first, second, other) =
        (marks("....NNNNNN"), marks("....IIIIII"), week(140002, "2026-08-31", &[(B, "....OOOOOO")]));
    let arrivals = [
        ("2026-09-05T18:00:00Z", vec![("a.csv", first.as_str()), ("b.csv", &other)]),
        ("2026-09-06T05:00:00Z", vec![("gias.csv", SCHOOLS), ("a.csv", &second)]),
        ("2026-09-07T18:00:00Z", vec![("gias.csv", &without)]),
    ];
    let held = "SELECT upn_of(pupil_key), marks, known_from FROM ledger.register_week";
    let right =
        ["H850200723000,....OOOOOO....,2026-09-06T05:00:00Z", "Q850200120003,....IIIIII....,2026-09-06T05:00:00Z"];
    let open = "SELECT rule FROM quality.problem WHERE rule = 'unknown_urn' AND fixed_by IS NULL";
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1]] {
        let authority = Authority::new();
        authority.receive("2026-09-01T05:00:00Z", &[("gias.csv", &without)]);
        for (at, files) in order.map(|i| &arrivals[i]) {
            authority.receive(at, files);
        }
        assert_eq!(authority.ask(held, &[]), right, "{order:?}");
        assert_eq!(authority.ask(open, &[]), [""; 0], "{order:?}");
        authority.ok(&["replay"]);
        assert_eq!(authority.ask(held, &[]), right, "{order:?}");
        // Without the file that tells of the school nothing of it was ever known, and with another like it all is.
        let n = 2 + order.iter().position(|i| *i == 1).unwrap();
        authority.ok(&["set-aside", &n.to_string(), "--reason", "another's"]);
        assert_eq!(authority.ask(held, &[]), [""; 0], "{order:?}");
        authority.receive("2026-09-09T05:00:00Z", &[("gias.csv", SCHOOLS)]);
        let as_first_sent =
            ["H850200723000,....OOOOOO....,2026-09-09T05:00:00Z", "Q850200120003,....NNNNNN....,2026-09-09T05:00:00Z"];
        assert_eq!(authority.ask(held, &[]), as_first_sent, "{order:?}");
    }
}

#[test]
fn of_a_child_whose_rows_were_all_refused_nothing_is_withdrawn() {
    let authority = started();
    let whole = |upn| week(140001, "2026-09-07", &[(upn, "/\\/\\/\\/\\/\\")]);
    let of_b = whole(B);
    authority.receive("2026-09-11T18:00:00Z", &[("a.csv", &whole(A)), ("b.csv", &of_b)]);
    let before = believed(&authority);
    for (hour, row) in ["2026-09-07,AM,@", "2026-09-07,XX,/"].iter().enumerate() {
        let files = format!("{}140001,{B},{row}\n", whole(A));
        let out = authority.receive(&format!("2026-09-12T{hour:02}:00:00Z"), &[("m.csv", &files)]);
        assert!(
            said(&out).contains("10 kept + 1 refused") && !said(&out).contains("marks_withdrawn"),
            "{}",
            said(&out)
        );
        assert_eq!(believed(&authority), before);
    }
}

#[test]
fn lines_may_end_with_a_carriage_return_alone() {
    let many: String = (0..12_000).map(|i| format!("140001,{A},2026-09-07,AM,{}\n", "/".repeat(i % 2 + 1))).collect();
    let text =
        format!("URN,UPN,Date,Session,Mark,Padding\n{many}").replace(",/\n", &format!(",/,{}\n", "x".repeat(200)));
    let [with_lf, with_cr] = [text.clone(), text.replace('\n', "\r")].map(|text| {
        let authority = started();
        assert!(1 << 20 < text.len());
        said(&authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &text)]))
    });
    assert!(with_lf.contains("12000 rows in ="), "{with_lf}");
    assert_eq!(with_lf, with_cr);
}

#[test]
fn a_new_row_takes_the_place_of_a_deleted_one() {
    let header = "URN,UPN,Date,Session,Mark,IsDeleted\n";
    let (gone, new) = (format!("140001,{A},2026-09-07,AM,N,Y\n"), format!("140001,{A},2026-09-07,AM,I,N\n"));
    for rows in [format!("{gone}{new}"), format!("{new}{gone}")] {
        let authority = started();
        authority.receive("2026-09-08T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "N.........")]))]);
        let out = authority.receive("2026-09-09T18:00:00Z", &[("m.csv", &format!("{header}{rows}"))]);
        assert!(said(&out).contains("2 rows in = 2 kept + 0 refused"), "{}", said(&out));
        assert_eq!(believed(&authority), [format!("{A},I.............")]);
    }
}

#[test]
fn of_two_files_that_name_a_child_by_two_upns_the_later_stands() {
    let authority = started();
    let new = "A850200720001";
    let changed = format!(
        "URN,UPN,FormerUPN,Surname,Forename,DOB,Sex,NCYear,EntryDate\n140001,{new},{A},Made,Up,2016-01-01,F,5,2026-09-01\n140001,{B},,Made,Up,2016-01-01,F,5,2026-09-01\n"
    );
    authority.receive("2026-09-03T05:00:00Z", &[("roll.csv", &changed)]);
    let marks = |upn, line: &str| week(140001, "2026-09-07", &[(upn, line)]);
    authority
        .receive("2026-09-11T18:00:00Z", &[("a.csv", &marks(A, "NNNNNNNNNN")), ("b.csv", &marks(new, "II--------"))]);
    assert_eq!(believed(&authority), [format!("{A},II............")]);
    let disagree = "SELECT file, found FROM quality.problem WHERE rule = 'files_disagree'";
    assert_eq!(authority.ask(disagree, &[]).len(), 1);
}

#[test]
fn a_file_named_twice_is_one_return() {
    let authority = started();
    let marks = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]);
    let [one, two] = ["one", "two"].map(|folder| authority.offer(folder, &[("m.csv", &marks)]).join("m.csv"));
    let at = "2026-09-11T18:00:00Z";
    let out = authority.ok(&["ingest", one.to_str().unwrap(), two.to_str().unwrap(), "--received-at", at]);
    assert!(out.contains("1 file: 10 rows in"), "{out}");
    assert_eq!(authority.ask("SELECT count(*) FROM ledger.return WHERE file = 'm.csv'", &[]), ["1"]);
}

#[test]
fn what_waited_for_gias_waits_no_more() {
    let authority = Authority::new();
    let without = SCHOOLS.lines().filter(|line| !line.starts_with("140002")).map(|line| format!("{line}\n"));
    let without = without.collect::<String>();
    let marks = |line: &str| week(140002, "2026-08-31", &[(A, line)]);
    let first = marks("....NNNNNN");
    authority.receive("2026-09-01T05:00:00Z", &[("gias.csv", &without)]);
    authority.receive("2026-09-05T18:00:00Z", &[("m.csv", &first)]);
    // The same file once more, with GIAS; then it is corrected, and a GIAS of another school comes.
    authority.receive("2026-09-06T18:00:00Z", &[("gias.csv", SCHOOLS), ("m.csv", &first)]);
    let open = "SELECT rule FROM quality.problem WHERE rule = 'unknown_urn' AND fixed_by IS NULL";
    assert_eq!(authority.ask(open, &[]), [""; 0]);
    authority.receive("2026-09-07T18:00:00Z", &[("m.csv", &marks("....IIIIII"))]);
    let more = format!("{SCHOOLS}140009,850,Hampshire,4009,Dogwood School,01,1,Secondary,,\n");
    authority.receive("2026-10-01T05:00:00Z", &[("gias.csv", &more)]);
    assert_eq!(believed(&authority), [format!("{A},....IIIIII....")]);
}

#[test]
fn rolls_that_waited_for_gias_come_one_after_another() {
    let authority = Authority::new();
    let without = SCHOOLS.lines().filter(|line| !line.starts_with("140002")).map(|line| format!("{line}\n"));
    authority.receive("2026-09-01T05:00:00Z", &[("gias.csv", &without.collect::<String>())]);
    let of_day = |pupils: &[&str]| {
        let text = roll(140002, pupils);
        let mut lines = text.lines();
        let header = format!("{},SnapshotDate\n", lines.next().unwrap());
        lines.fold(header, |text, line| format!("{text}{line},2026-09-01\n"))
    };
    authority.receive("2026-09-02T05:00:00Z", &[("r.csv", &of_day(&[A, B]))]);
    authority.receive("2026-09-05T05:00:00Z", &[("r.csv", &of_day(&[A]))]);
    authority.receive("2026-09-06T05:00:00Z", &[("gias.csv", SCHOOLS)]);
    let on_roll = "SELECT upn FROM tables.enrolment WHERE last_day IS NULL";
    assert_eq!(authority.ask(on_roll, &[]), [A]);
    assert_eq!(authority.ask("SELECT rule FROM quality.problem WHERE rule = 'several_rolls'", &[]), [""; 0]);
}

#[test]
fn a_deletion_takes_its_own_mark_and_what_stands_beside_it() {
    let header = "URN,UPN,Date,Session,Mark,MinutesLate,IsDeleted\n";
    let row = |mark, minutes, deleted| format!("140001,{A},2026-09-07,AM,{mark},{minutes},{deleted}\n");
    let authority = started();
    let rows = row("L", "5", "N") + &row("U", "25", "Y");
    authority.receive("2026-09-08T18:00:00Z", &[("m.csv", &format!("{header}{rows}"))]);
    let held = "SELECT code, minutes_late FROM ledger.mark WHERE known_to IS NULL";
    assert_eq!(authority.ask(held, &[]), ["L,5"]);
    let rows = row("N", "", "N") + &row("N", "", "Y") + &row("I", "", "N");
    authority.receive("2026-09-09T18:00:00Z", &[("m.csv", &format!("{header}{rows}"))]);
    assert!(believed(&authority)[0].ends_with(",I............."), "{:?}", believed(&authority));
    // What is deleted needs no code that anybody knows.
    let out = authority.receive("2026-09-10T18:00:00Z", &[("m.csv", &format!("{header}{}", row("QQ", "", "Y")))]);
    assert!(said(&out).contains("1 kept + 0 refused"), "{}", said(&out));
    assert!(believed(&authority)[0].ends_with(",.............."), "{:?}", believed(&authority));
}

#[test]
fn of_a_blank_row_and_one_with_a_mark_the_mark_stands() {
    let row = |mark: &str| format!("140001,{A},2026-09-07,AM,{mark}\n");
    for rows in [[row(""), row("I")], [row("I"), row("")]] {
        let authority = started();
        let text = format!("URN,UPN,Date,Session,Mark\n{}", rows.concat());
        let out = said(&authority.receive("2026-09-07T18:00:00Z", &[("m.csv", &text)]));
        assert!(out.contains("2 kept"), "{out}");
        assert_eq!(believed(&authority).len(), 1);
        assert!(believed(&authority)[0].contains("I............."), "{:?}", believed(&authority));
    }
}

#[test]
fn of_two_upns_of_a_child_in_one_file_the_newer_stands() {
    for (old, new) in [("E850200120004", "A850200120009"), ("A850200120009", "E850200120004")] {
        let authority = Authority::new();
        let told = roll(140001, &[new]).replace(&format!("{new},,"), &format!("{new},{old},"));
        authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &told)]);
        let both = week(140001, "2026-09-07", &[(old, "OO........"), (new, "I.........")]);
        authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &both)]);
        assert_eq!(
            authority.ask("SELECT marks FROM ledger.register_week WHERE known_to IS NULL", &[]),
            ["IO............"]
        );
    }
}

#[test]
fn a_night_before_anything_has_come_leaves_a_lake_that_opens() {
    let authority = Authority::new();
    let text = said(&authority.run(&["run", "nightly", "--as-of", "2026-09-12"]));
    assert!(text.contains("nothing is held yet"), "{text}");
    authority.ok(&["doctor"]);
    authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("r.csv", &roll(140001, &[A]))]);
    assert_eq!(authority.ask("SELECT upn FROM tables.enrolment", &[]), [A]);
}
