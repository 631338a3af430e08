//! Problems are closed by the return that mends them, and by no other.

use crate::authority::{A, Authority, B, SCHOOLS, roll, said, started, week};

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
fn a_file_of_that_name_of_another_school_mends_nothing() {
    let authority = started();
    authority.receive("2026-09-03T05:00:00Z", &[("r.csv", &roll(149999, &[A]))]);
    authority.receive("2026-09-04T05:00:00Z", &[("r.csv", &roll(140001, &[A, B]))]);
    let open = "SELECT urn FROM quality.problem WHERE rule = 'unknown_urn' AND fixed_by IS NULL";
    assert_eq!(authority.ask(open, &[]), ["149999"]);
}

#[test]
fn a_return_of_other_days_or_children_mends_nothing() {
    let authority = started();
    let both = [(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")];
    // A UPN a character short on Friday.
    let week_of = week(140001, "2026-09-07", &both);
    let faulty = format!("{week_of}140001,{},2026-09-11,AM,O\n", &B[..12]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &faulty)]);
    let open =
        || authority.ask("SELECT rule FROM quality.problem WHERE fixed_by IS NULL AND severity = 'refuse_row'", &[]);
    assert_eq!(open(), ["upn_shape"]);
    let monday = week(140001, "2026-09-07", &[(A, "/\\........"), (B, "/\\........")]);
    authority.receive("2026-09-12T18:00:00Z", &[("monday.csv", &monday)]);
    assert_eq!(open(), ["upn_shape"]);
    authority.receive("2026-09-13T18:00:00Z", &[("m_2.csv", &week_of)]);
    assert_eq!(open(), [""; 0]);
    // A notice of another month says nothing of one that was refused.
    let notice = |day: &str, upn: &str| format!("URN,UPN,Type,Date\n140001,{upn},penalty_notice_issued,{day}\n");
    authority.receive("2026-09-14T18:00:00Z", &[("september.csv", &notice("2026-09-31", B))]);
    authority.receive("2026-09-15T18:00:00Z", &[("october.csv", &notice("2026-09-15", A))]);
    assert_eq!(open().len(), 1);
    authority.receive("2026-09-16T18:00:00Z", &[("september.csv", &notice("2026-09-30", B))]);
    assert_eq!(open(), [""; 0]);
}

#[test]
fn what_is_wrong_with_a_calendar_is_mended_by_one_of_all_its_days() {
    let authority = Authority::new();
    let calendar = |rows: &[&str]| {
        let rows: String = rows.iter().map(|row| format!("140001,{row}\n")).collect();
        format!("URN,Date,Session,Open\n{rows}")
    };
    let days = ["2026-09-02,AM,Y", "2026-09-02,PM,Y", "2026-09-03,AM,Y", "2026-09-03,PM,Y"];
    let spoilt = calendar(&[days[0], "2026-09-02,XM,Y", days[2], days[3]]);
    authority.receive("2026-08-03T05:00:00Z", &[("gias.csv", SCHOOLS), ("c.csv", &spoilt)]);
    let open = "SELECT rule FROM quality.problem WHERE fixed_by IS NULL";
    assert_eq!(authority.ask(open, &[]), ["unknown_session"]);
    // Of the same name, and of another day; of that day, and of no other. Neither is as short as another of its days.
    authority.receive("2026-09-08T05:00:00Z", &[("c.csv", &calendar(&["2026-09-16,AM,N"]))]);
    authority.receive("2026-09-09T05:00:00Z", &[("c.csv", &calendar(&["2026-09-02,PM,N"]))]);
    assert_eq!(authority.ask(open, &[]), ["unknown_session"]);
    authority.receive("2026-09-10T05:00:00Z", &[("new.csv", &calendar(&days))]);
    assert_eq!(authority.ask(open, &[]), [""; 0]);
}

#[test]
fn a_source_of_one_school_sends_for_no_other() {
    let authority = started();
    let path = authority.lake().join("rollcall.toml");
    let text = std::fs::read_to_string(&path).unwrap() + "\n[sources.birch]\nurn = 140002\n";
    std::fs::write(&path, text).unwrap();
    let send = |at: &str, urn: u32| {
        let folder = authority.offer(at, &[("m.csv", &week(urn, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
        authority.run(&["ingest", folder.to_str().unwrap(), "--source", "birch", "--received-at", at])
    };
    let out = said(&send("2026-09-11T18:00:00Z", 140001));
    assert!(out.contains("rows of 140001 from a source of 140002"), "{out}");
    assert_eq!(authority.ask("SELECT DISTINCT urn FROM ledger.mark", &[]), [""; 0]);
    send("2026-09-12T18:00:00Z", 140002);
    assert_eq!(authority.ask("SELECT DISTINCT urn FROM ledger.mark", &[]), ["140002"]);
}

/// The rules of open problems, sorted.
fn open(authority: &Authority) -> Vec<String> {
    authority.ask("SELECT rule FROM quality.problem WHERE fixed_by IS NULL", &[])
}

#[test]
fn marks_of_some_children_mend_no_row_that_may_be_of_any() {
    let authority = started();
    let upns: Vec<String> = (0..6).map(|n| format!("A85020072000{n}")).collect();
    let all: Vec<(&str, &str)> = upns.iter().map(|upn| (upn.as_str(), "/\\/\\/\\/\\/\\")).collect();
    let whole = week(140002, "2026-09-07", &all);
    let spoilt = format!("{whole}140002,{},2026-09-11,AM,O\n", &upns[0][..12]);
    let shapes = || open(&authority).iter().filter(|rule| *rule == "upn_shape").count();
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &spoilt)]);
    assert_eq!(shapes(), 1);
    authority.receive("2026-09-14T18:00:00Z", &[("m_2.csv", &week(140002, "2026-09-07", &all[..2]))]);
    assert_eq!(shapes(), 1);
    // Of a file of two schools nothing was kept of this one: whatever states its days mends it.
    let one = week(140001, "2026-09-14", &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")]);
    let both = format!("{one}140002,{},2026-09-14,AM,O\n140002,{},2026-09-18,AM,O\n", &A[..12], &B[..12]);
    authority.receive("2026-09-18T18:00:00Z", &[("both.csv", &both)]);
    assert_eq!(shapes(), 3);
    authority.receive("2026-09-19T18:00:00Z", &[("m_5.csv", &week(140002, "2026-09-14", &all[..1]))]);
    assert_eq!(shapes(), 1);
    // Year group by year group they state the whole between them.
    let parts = [&all[..3], &all[3..]].map(|part| week(140002, "2026-09-07", part));
    authority.receive("2026-09-20T18:00:00Z", &[("m_3.csv", &parts[0]), ("m_4.csv", &parts[1])]);
    assert_eq!(shapes(), 0);
}

#[test]
fn a_notice_that_was_refused_is_mended_by_one_of_that_child_under_whatever_name() {
    let authority = started();
    let notice = |day: &str, upn: &str| format!("140001,{upn},penalty_notice_issued,{day}\n");
    let file = |rows: &[String]| format!("URN,UPN,Type,Date\n{}", rows.concat());
    authority.receive("2026-09-14T18:00:00Z", &[("n.csv", &file(&[notice("2026-09-31", B)]))]);
    authority.receive("2026-09-15T18:00:00Z", &[("n.csv", &file(&[notice("2026-09-10", A)]))]);
    assert_eq!(open(&authority), ["impossible_date"]);
    authority.receive("2026-09-16T18:00:00Z", &[("again.csv", &file(&[notice("2026-09-30", B)]))]);
    assert_eq!(open(&authority), [""; 0]);
    // A row that does not say whose it is: by its file alone, whole.
    let rows = [notice("2026-09-10", &B[..12]), notice("2026-09-10", A)];
    authority.receive("2026-09-17T18:00:00Z", &[("n.csv", &file(&rows))]);
    authority.receive("2026-09-18T18:00:00Z", &[("n.csv", &file(&[notice("2026-09-11", A)]))]);
    assert_eq!(open(&authority), ["upn_shape"]);
    let rows = [notice("2026-09-10", B), notice("2026-09-10", A)];
    authority.receive("2026-09-19T18:00:00Z", &[("n.csv", &file(&rows))]);
    assert_eq!(open(&authority), [""; 0]);
}

#[test]
fn a_case_that_was_refused_is_mended_by_one_of_that_child() {
    let authority = started();
    let case = |upn: &str, opened: &str| format!("UPN,Kind,Opened\n{upn},CME,{opened}\n");
    authority.receive("2026-09-14T18:00:00Z", &[("c.csv", &case(A, "2026-09-31"))]);
    authority.receive("2026-09-15T18:00:00Z", &[("c.csv", &case(B, "2026-09-10"))]);
    assert_eq!(open(&authority), ["impossible_date"]);
    authority.receive("2026-09-16T18:00:00Z", &[("d.csv", &case(A, "2026-09-30"))]);
    assert_eq!(open(&authority), [""; 0]);
}

#[test]
fn a_new_child_whose_row_was_refused_is_not_forgotten_by_a_roll_without_it() {
    let authority = started();
    let third = "A850200720001";
    let spoilt = roll(140001, &[A, B]) + &format!("140001,{third},,Made,Up,2016-01-01,F,5,2026-09-31,,\n");
    authority.receive("2026-09-10T05:00:00Z", &[("r.csv", &spoilt)]);
    authority.receive("2026-09-17T05:00:00Z", &[("r.csv", &roll(140001, &[A, B]))]);
    assert_eq!(open(&authority), ["impossible_date"]);
    authority.receive("2026-09-24T05:00:00Z", &[("r.csv", &roll(140001, &[A, B, third]))]);
    assert!(!open(&authority).contains(&"impossible_date".to_owned()));
}

#[test]
fn a_roll_that_lost_most_is_mended_by_one_that_has_them_or_says_when_they_left() {
    let authority = started();
    let third = "A850200720001";
    let lost = || open(&authority).contains(&"roll_lost_most".to_owned());
    let all = roll(140001, &[A, B, third]);
    authority.receive("2026-09-03T05:00:00Z", &[("r.csv", &all)]);
    authority.receive("2026-09-10T05:00:00Z", &[("r.csv", &roll(140001, &[A]))]);
    assert!(lost());
    authority.receive("2026-09-17T05:00:00Z", &[("r.csv", &roll(140001, &[A]))]);
    assert!(lost());
    authority.receive("2026-09-18T05:00:00Z", &[("r.csv", &roll(140001, &[A, B]))]);
    assert!(lost());
    let left = format!("140001,{third},,Made,Up,2016-01-01,F,5,2026-09-01,2026-09-08,f\n");
    authority.receive("2026-09-24T05:00:00Z", &[("r.csv", &(roll(140001, &[A, B]) + &left))]);
    assert_eq!(open(&authority).iter().filter(|rule| *rule != "upn_check_letter").count(), 0);
}

#[test]
fn marks_held_outside_stay_listed_beside_new_ones() {
    let authority = started();
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    let later = roll(140001, &[A, B]).replace(
        &format!("140001,{A},,Made,Up,2016-01-01,F,5,2026-09-01"),
        &format!("140001,{A},,Made,Up,2016-01-01,F,5,2026-09-21"),
    );
    // A roll that has the child come later, and marks of the week after, also before that day.
    let marks = week(140001, "2026-09-14", &[(A, "/\\/\\/\\/\\/\\")]);
    authority.receive("2026-09-18T18:00:00Z", &[("r.csv", &later), ("m.csv", &marks)]);
    assert_eq!(open(&authority), ["held_mark_outside_enrolment", "mark_outside_enrolment"]);
}
