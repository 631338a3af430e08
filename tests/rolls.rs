//! Rolls: what they say of a child, and what they leave unsaid.

use crate::authority::{A, Authority, B, SCHOOLS, roll, said, started, week};

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
        authority.receive(&format!("2026-09-{}T06:00:00Z", 14 + day), &[("roll.csv", &whole)]);
        assert_eq!(rules(), [""; 0]);
    }

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
    assert_eq!(rules(), ["missing_from_roll,", "roll_lost_most,"]);
    authority
        .receive("2026-09-25T05:00:00Z", &[("roll_a.csv", &roll(140001, &[A])), ("roll_b.csv", &roll(140001, &[B]))]);
    assert_eq!((left(), rules()), (vec![], vec!["several_rolls,".to_owned()]));
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
fn what_cannot_be_meant_by_a_roll_is_refused_and_takes_nobody_off_it() {
    let authority = started();
    let rows = roll(140001, &[A, B]);
    let of_b = rows.lines().nth(2).unwrap();
    let left = || authority.ask("SELECT count(*) FROM tables.enrolment WHERE missing_since IS NOT NULL", &[]);
    let ask = |sql: &str| authority.ask(sql, &[]);
    let problems = || ask("SELECT rule FROM quality.problem WHERE rule <> 'upn_check_letter' AND fixed_by IS NULL");
    authority.receive("2026-09-07T05:00:00Z", &[("r.csv", &rows.replace(of_b, &of_b.replace("140001", "149999")))]);
    assert_eq!((problems(), left()), (vec!["unknown_urn".to_owned()], vec!["0".to_owned()]));
    // A day far ahead would stand over all rolls until then.
    let dated = |day: &str| {
        rows.lines()
            .enumerate()
            .map(|(i, row)| format!("{row},{}\n", if i == 0 { "SnapshotDate" } else { day }))
            .collect::<String>()
    };
    authority.receive("2026-09-08T05:00:00Z", &[("r.csv", &dated("2027-09-08"))]);
    assert!(problems().contains(&"roll_of_far_day".to_owned()));
    authority.receive("2026-09-09T05:00:00Z", &[("r.csv", &dated("2026-09-09"))]);
    assert_eq!((problems(), left()), (vec!["unknown_urn".to_owned()], vec!["0".to_owned()]));
    // Two children under one UPN: the first stands.
    let twice = format!("{rows}{}\n", of_b.replace("2016-01-01", "2012-02-03"));
    authority.receive("2026-09-10T05:00:00Z", &[("r.csv", &twice)]);
    assert!(problems().contains(&"two_pupils_one_upn".to_owned()));
    assert_eq!(ask("SELECT DISTINCT CAST(dob AS VARCHAR) FROM tables.enrolment"), ["2016-01-01"]);
}

#[test]
fn a_former_upn_of_a_child_with_another_birthday_joins_nobody() {
    let authority = started();
    let new = "A850200720001";
    let other = roll(140002, &[new]);
    let other = other.replace(&format!("{new},,"), &format!("{new},{A},"));
    authority.receive("2026-09-03T05:00:00Z", &[("r.csv", &other.replace("2016-01-01", "2011-01-01"))]);
    let children = || authority.ask("SELECT count(DISTINCT pupil_key) FROM tables.enrolment", &[]);
    let told = "SELECT rule FROM quality.problem WHERE rule LIKE 'former%' AND fixed_by IS NULL";
    assert_eq!(
        (children(), authority.ask(told, &[])),
        (vec!["3".to_owned()], vec!["former_upn_of_another".to_owned()])
    );
    // With one birthday it is one child.
    authority.receive("2026-09-04T05:00:00Z", &[("r.csv", &other)]);
    assert_eq!((children(), authority.ask(told, &[])), (vec!["2".to_owned()], vec![]));
}

#[test]
fn a_child_who_is_gone_before_an_announced_day_has_left_without_explanation() {
    let authority = started();
    let announced = roll(140001, &[A, B]).replacen("2026-09-01,,", "2026-09-01,2026-10-16,g", 1);
    authority.receive("2026-09-07T05:00:00Z", &[("r.csv", &announced)]);
    authority.receive("2026-09-14T05:00:00Z", &[("r.csv", &roll(140001, &[B]))]);
    let last = format!("SELECT CAST(last_day AS VARCHAR) FROM tables.enrolment WHERE upn = '{A}'");
    let told = "SELECT rule FROM quality.problem WHERE rule = 'missing_from_roll' AND fixed_by IS NULL";
    assert_eq!(
        (authority.ask(&last, &[]), authority.ask(told, &[])),
        (vec!["2026-09-13".to_owned()], vec!["missing_from_roll".to_owned()])
    );
    // A roll without the child mends nothing; one with it does.
    authority.receive("2026-09-15T05:00:00Z", &[("r.csv", &roll(140001, &[B]))]);
    assert_eq!(authority.ask(told, &[]).len(), 1);
    authority.receive("2026-09-16T05:00:00Z", &[("r.csv", &announced)]);
    assert_eq!((authority.ask(&last, &[]), authority.ask(told, &[])), (vec!["2026-10-16".to_owned()], vec![]));
}

#[test]
fn a_roll_of_september_moves_nobody_up_in_the_year_before() {
    let authority = Authority::new();
    let header = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,SnapshotDate\n";
    let row = |upn, year, entry, day| format!("140001,{upn},Made,Up,2016-01-01,F,{year},{entry},{day}\n");
    let first = format!("{header}{}{}", row(A, 4, "2022-09-01", ""), row(B, 4, "2022-09-01", ""));
    // One with another day of entry, as a change of system states them.
    let next = format!("{header}{}{}", row(A, 5, "2022-09-01", "2026-09-01"), row(B, 5, "2022-09-05", "2026-09-01"));
    authority.receive("2026-06-01T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &first)]);
    let marks = week(140001, "2026-07-13", &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")]);
    authority.receive("2026-07-17T18:00:00Z", &[("m.csv", &marks)]);
    authority.receive("2026-07-20T05:00:00Z", &[("roll.csv", &next)]);
    let years = "SELECT academic_year, nc_year FROM metrics.pupil_year";
    for day in ["2026-07-20", "2026-09-10"] {
        let of_then: Vec<String> =
            authority.ask(years, &["--as-of", day]).into_iter().filter(|row| row.starts_with("202526")).collect();
        assert_eq!(of_then, ["202526,4", "202526,4"], "{day}");
    }
    let now = "SELECT DISTINCT nc_year FROM tables.enrolled WHERE academic_year = '202627'";
    assert_eq!(authority.ask(now, &["--as-of", "2026-09-10"]), ["5"]);
}

#[test]
fn a_refused_row_takes_no_stint_of_its_child_away_under_either_upn() {
    let authority = Authority::new();
    let header = "URN,UPN,FormerUPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingDate\n";
    let row = |upn, former, entry, left| format!("140001,{upn},{former},Made,Up,2016-01-01,F,5,{entry},{left}\n");
    let first = row(A, "", "2025-09-01", "2026-01-10") + &row(A, "", "2026-02-02", "") + &row(B, "", "2025-09-01", "");
    authority.receive("2026-06-01T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &format!("{header}{first}"))]);
    let stints = "SELECT upn, entry_date, last_day FROM tables.enrolment";
    let before = authority.ask(stints, &[]);
    assert_eq!(before.len(), 3);
    let new = "A850200720001";
    let spoilt = [
        row(A, "", "2025-09-01", "2026-01-10") + &row(A, "", "2026-02-31", "") + &row(B, "", "2025-09-01", ""),
        row(A, "", "2025-09-01", "2026-01-10")
            + &row("8.502E+12", "", "2026-02-02", "")
            + &row(B, "", "2025-09-01", ""),
        row(new, A, "", "") + &row(B, "", "2025-09-01", ""),
    ];
    for (hour, rows) in spoilt.iter().enumerate() {
        let out = authority.receive(&format!("2026-06-02T{hour:02}:00:00Z"), &[("r.csv", &format!("{header}{rows}"))]);
        assert!(said(&out).contains("1 refused"), "{}", said(&out));
        assert_eq!(authority.ask(stints, &[]), before, "{}", said(&out));
    }
    // Nor does one of a school that nobody knows say whose UPN has changed.
    let unknown = row(new, A, "2026-09-01", "").replace("140001", "149999");
    authority.receive("2026-06-03T05:00:00Z", &[("other.csv", &format!("{header}{unknown}"))]);
    assert_eq!(authority.ask("SELECT line_key FROM believed.joined_key", &[]), [""; 0]);
}

#[test]
fn of_two_keys_that_are_one_child_the_one_on_roll_stands() {
    for (first, second) in [("E850200120004", "A850200120009"), ("A850200120009", "E850200120004")] {
        let authority = Authority::new();
        authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &roll(140001, &[first]))]);
        authority.receive("2026-09-18T05:00:00Z", &[("roll.csv", &roll(140001, &[second]))]);
        let told = roll(140002, &[second]).replace(&format!("{second},,"), &format!("{second},{first},"));
        authority.receive("2026-09-19T05:00:00Z", &[("roll.csv", &told)]);
        let on_roll = "SELECT urn FROM tables.enrolment WHERE last_day IS NULL";
        assert_eq!(authority.ask(on_roll, &[]), ["140001", "140002"], "{first}");
    }
}

#[test]
fn a_row_of_nobody_keeps_no_stint_that_another_replaces() {
    let authority = Authority::new();
    let header = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingDate\n";
    let row = |upn, entry, left| format!("140001,{upn},Made,Up,2016-01-01,F,5,{entry},{left}\n");
    let first = format!("{header}{}", row(A, "2026-09-01", ""));
    authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("r.csv", &first)]);
    let second = format!("{header}{}{}", row(A, "2026-09-14", "2026-10-02"), row("", "2026-09-01", ""));
    authority.receive("2026-10-05T05:00:00Z", &[("r.csv", &second)]);
    let stints = "SELECT entry_date, last_day FROM tables.enrolment";
    assert_eq!(authority.ask(stints, &[]), ["2026-09-14,2026-10-02"]);
}

#[test]
fn a_former_upn_that_two_pupils_share_joins_nobody() {
    let authority = Authority::new();
    let former = "T850200999999";
    let rows = |formers: [&str; 2]| {
        let rows = roll(140001, &[A, B]).replacen("2016-01-01", "2016-03-04", 1);
        rows.replace(&format!("{A},,"), &format!("{A},{},", formers[0]))
            .replace(&format!("{B},,"), &format!("{B},{},", formers[1]))
    };
    authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("r.csv", &rows(["", ""]))]);
    let children = || authority.ask("SELECT count(DISTINCT pupil_key) FROM tables.enrolment", &[]);
    let told = || authority.ask("SELECT rule FROM quality.problem WHERE rule LIKE 'former%' AND fixed_by IS NULL", &[]);
    // Of two in one roll neither is believed, however often it comes.
    for day in 3..5 {
        authority.receive(&format!("2026-09-0{day}T05:00:00Z"), &[("r.csv", &rows([former, former]))]);
        assert_eq!((children(), told().len()), (vec!["2".to_owned()], 2));
    }
    // Of two that come one after the other the second is not: a child of the same roll, or of another birthday.
    authority.receive("2026-09-05T05:00:00Z", &[("r.csv", &rows([former, ""]))]);
    authority.receive("2026-09-06T05:00:00Z", &[("r.csv", &rows(["", former]))]);
    assert_eq!(children(), ["2"]);
    let other = "A850200720001";
    let of_other = |former: &str, birth: &str| {
        roll(140003, &[other])
            .replace(&format!("{other},,"), &format!("{other},{former},"))
            .replace("2016-01-01", birth)
    };
    authority.receive("2026-09-07T05:00:00Z", &[("o.csv", &of_other(former, "2012-01-01"))]);
    assert_eq!(children(), ["3"]);
    // Nor is one whose own date of birth nobody knows.
    authority.receive("2026-09-08T05:00:00Z", &[("o.csv", &of_other(B, ""))]);
    assert_eq!(children(), ["3"]);
}

#[test]
fn what_is_not_known_of_a_roll_makes_nobody_a_leaver() {
    let missing = "SELECT upn, missing_since FROM tables.enrolment WHERE missing_since IS NOT NULL";
    // One of its two files is refused whole.
    let authority = Authority::new();
    let first = [("gias.csv", SCHOOLS), ("y5.csv", &roll(140001, &[A])[..]), ("y6.csv", &roll(140001, &[B])[..])];
    authority.receive("2026-09-01T05:00:00Z", &first);
    let mixed = roll(140001, &[B]).replace("2016-01-01", "01/01/2016");
    let out = authority.receive("2026-10-01T05:00:00Z", &[("y5.csv", &roll(140001, &[A])), ("y6.csv", &mixed)]);
    assert!(said(&out).contains("mixed_date_formats") || said(&out).contains("one date format"), "{}", said(&out));
    assert_eq!(authority.ask(missing, &[]), [""; 0]);
    // A row carries the UPN of another child.
    let both = roll(140001, &[A, B]).replacen("2016-01-01", "2016-03-04", 1);
    authority.receive("2026-10-02T05:00:00Z", &[("r.csv", &both)]);
    authority.receive("2026-10-03T05:00:00Z", &[("r.csv", &both.replace(B, A))]);
    assert_eq!(authority.ask(missing, &[]), [""; 0]);
}

#[test]
fn a_child_of_two_upns_on_one_roll_is_one_in_the_year_that_is_over() {
    let authority = Authority::new();
    let header = "URN,UPN,FormerUPN,Surname,Forename,DOB,Sex,NCYear,EntryDate\n";
    let row = |upn, former, year| format!("140001,{upn},{former},Made,Up,2016-01-01,F,{year},2025-09-01\n");
    let both = format!("{header}{}{}", row(A, "", 5), row(B, "", 5));
    authority.receive("2026-06-01T05:00:00Z", &[("gias.csv", SCHOOLS), ("r.csv", &both)]);
    authority.receive("2026-07-10T18:00:00Z", &[("m.csv", &week(140001, "2026-07-06", &[(A, "/\\/\\/\\/\\/\\")]))]);
    authority.receive("2026-09-03T05:00:00Z", &[("r.csv", &format!("{header}{}", row(B, A, 6)))]);
    let years = "SELECT academic_year, nc_year, possible FROM metrics.pupil_year WHERE 0 < possible";
    assert_eq!(authority.ask(years, &["--as-of", "2026-09-03"]), ["202526,5,10"]);
}

#[test]
fn two_upns_that_stood_on_one_roll_and_are_told_to_be_one_childs_are_listed() {
    let authority = Authority::new();
    let header = "URN,UPN,FormerUPN,Surname,Forename,DOB,Sex,NCYear,EntryDate\n";
    let row = |upn, former| format!("140001,{upn},{former},Made,Up,2016-01-01,F,5,2026-09-01\n");
    let both = format!("{header}{}{}", row(A, ""), row(B, ""));
    authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("r.csv", &both)]);
    let listed = "SELECT rule FROM quality.problem WHERE rule LIKE '%upn%' AND rule <> 'upn_check_letter'";
    authority.receive("2026-09-08T05:00:00Z", &[("r.csv", &format!("{header}{}", row(B, A)))]);
    assert_eq!(authority.ask(listed, &[]), ["former_upn_stood_beside"]);
    authority.receive("2026-09-09T05:00:00Z", &[("r.csv", &both)]);
    assert_eq!(authority.ask(listed, &[]), ["former_upn_stood_beside", "two_upns_of_one_child"]);
}
