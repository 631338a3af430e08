//! Children whose UPN changes: two keys that are one child, and two that are not.

use crate::authority::{Authority, SCHOOLS, roll, week};
use crate::ledger::{BELIEF, PUPILS, started};

#[test]
fn a_changed_upn_is_one_child() {
    let authority = started();
    let (old, new) = (PUPILS[2], "X00180001701A");
    authority.receive("2026-09-11T18:00:00Z", &[("m1.csv", &week(140001, "2026-09-07", &[(old, "OOOOOOOOOO")]))]);
    // A code of two characters is one box.
    let two = week(140001, "2026-08-31", &[(old, "######Y./\\")]).replace(",Y\n", ",Y1\n");
    authority.receive("2026-09-11T19:00:00Z", &[("m0.csv", &two)]);
    let changed = roll(140001, &[PUPILS[0], PUPILS[1], new]).replace(&format!("{new},,"), &format!("{new},{old},"));
    // The new UPN comes in the middle of a week, after marks under it.
    authority.receive("2026-09-16T18:00:00Z", &[("m2.csv", &week(140001, "2026-09-14", &[(old, "OOOO......")]))]);
    authority.receive("2026-09-17T18:00:00Z", &[("m3.csv", &week(140001, "2026-09-14", &[(new, "....OOOO..")]))]);
    authority.receive("2026-09-18T18:00:00Z", &[("roll.csv", &changed)]);
    let year = authority.ask(
        "SELECT upn, possible, unauthorised FROM metrics.pupil_year WHERE 0 < possible",
        &["--as-of", "2026-09-18"],
    );
    assert_eq!(year, [format!("{new},20,18")]);
    // Each mark is as old as when it was told, whatever became of the UPN, and is found under the child's one key.
    let key = authority.ask("SELECT DISTINCT pupil_key FROM metrics.pupil_year WHERE 0 < possible", &[]);
    let marks = "SELECT known_from, known_to, count(*) FROM ledger.mark";
    let told =
        ["2026-09-11T18:00:00Z,,10", "2026-09-11T19:00:00Z,,9", "2026-09-16T18:00:00Z,,4", "2026-09-17T18:00:00Z,,4"];
    assert_eq!(authority.ask(&format!("{marks} GROUP BY 1, 2"), &[]), told);
    assert_eq!(authority.ask(&format!("{marks} WHERE pupil_key = {} GROUP BY 1, 2", key[0]), &[]), told);
    let code = "SELECT code FROM ledger.mark WHERE session_date = '2026-09-03'";
    assert_eq!(authority.ask(code, &[]), ["Y1"]);
    let versions = "SELECT marks, known_from, known_to FROM ledger.register_week WHERE week_start = '2026-09-14'";
    assert_eq!(
        authority.ask(&format!("{versions} AND pupil_key = {}", key[0]), &[]),
        [
            "OOOO..........,2026-09-16T18:00:00Z,2026-09-17T18:00:00Z",
            "OOOOOOOO......,2026-09-17T18:00:00Z,2026-09-18T18:00:00Z",
            "OOOOOOOO......,2026-09-18T18:00:00Z,",
        ]
    );
    // Old weeks restated under the new UPN change nothing.
    let before = authority.ask(BELIEF, &[]);
    authority.receive("2026-09-19T18:00:00Z", &[("m4.csv", &week(140001, "2026-09-07", &[(new, "OOOOOOOOOO")]))]);
    assert_eq!(authority.ask(BELIEF, &[]), before);
}

#[test]
fn a_mark_withdrawn_under_a_new_upn_stays_withdrawn_whenever_the_change_is_told() {
    let (old, new) = (PUPILS[2], "X00180001701A");
    let there = "/\\/\\/\\/\\/\\";
    let of = |monday: &str, upn, marks| week(140001, monday, &[(PUPILS[0], there), (upn, marks)]);
    let sent = [
        ("2026-09-11T18:00:00Z", of("2026-09-07", old, "OOOOOOOOOO")),
        ("2026-09-18T18:00:00Z", of("2026-09-14", old, "OOOOOOOOOO")),
        // Two sessions stand, one row is refused, no other session has a row, nor has the week after any.
        ("2026-09-19T18:00:00Z", of("2026-09-07", new, "OO@.......") + &of("2026-09-14", new, "..........")),
        // And one is told again.
        ("2026-09-20T18:00:00Z", of("2026-09-14", new, "I.........")),
    ];
    let roll = roll(140001, &[PUPILS[0], PUPILS[1], new]).replace(&format!("{new},,"), &format!("{new},{old},"));
    for place in 0..=sent.len() {
        let authority = started();
        for (i, (at, marks)) in sent.iter().enumerate() {
            if i == place {
                authority.receive(&at.replace("T18", "T06"), &[("roll.csv", &roll)]);
            }
            authority.receive(at, &[("m.csv", marks)]);
        }
        if place == sent.len() {
            authority.receive("2026-09-21T18:00:00Z", &[("roll.csv", &roll)]);
        }
        let key = authority.ask("SELECT pupil_key FROM metrics.pupil_year WHERE 0 < unauthorised", &[]);
        let believed = format!(
            "SELECT week_start, marks FROM ledger.register_week WHERE known_to IS NULL AND pupil_key = {}",
            key[0]
        );
        let marks = ["2026-09-07,OOO...........", "2026-09-14,I............."];
        assert_eq!(authority.ask(&believed, &[]), marks, "told before return {place}");
        let last = &sent[sent.len() - 1].0;
        if place == sent.len() {
            // Till then they were taken for two children.
            let then = authority.ask(&believed, &["--known-at", last]);
            assert!(then.contains(&"2026-09-14,OOOOOOOOOO....".to_owned()), "{then:?}");
        }
        let belief = authority.ask(BELIEF, &[]);
        authority.ok(&["replay"]);
        assert_eq!(authority.ask(BELIEF, &[]), belief);
    }
}

#[test]
fn a_changed_upn_that_is_told_a_roll_late_leaves_one_child() {
    let authority = Authority::new();
    let (old, new) = (PUPILS[2], "X00180001701A");
    let marks = |monday, upn| week(140001, monday, &[(PUPILS[0], "/\\/\\/\\/\\/\\"), (upn, "OOOO/\\/\\/\\")]);
    let rolled = |upn| roll(140001, &[PUPILS[0], PUPILS[1], upn]);
    let told = rolled(new).replace(&format!("{new},,"), &format!("{new},{old},"));
    authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &rolled(old))]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &marks("2026-09-07", old))]);
    authority.receive("2026-09-12T06:00:00Z", &[("roll.csv", &rolled(new))]);
    let left = "SELECT count(*) FROM alerts.current WHERE rule = 'off_roll_no_destination'";
    assert_eq!(authority.ask(left, &["--as-of", "2026-09-18"]), ["1"]);
    authority.receive("2026-09-18T18:00:00Z", &[("m.csv", &marks("2026-09-14", new)), ("roll.csv", &told)]);
    let of_child =
        format!("SELECT upn, possible, unauthorised FROM metrics.pupil_year WHERE upn IN ('{old}', '{new}')");
    let school = "SELECT enrolments, possible FROM metrics.school_year WHERE urn = 140001";
    for _ in 0..2 {
        assert_eq!(authority.ask(&of_child, &["--as-of", "2026-09-18"]), [format!("{new},20,8")]);
        assert_eq!(authority.ask(school, &["--as-of", "2026-09-18"]), ["2,40"]);
        assert_eq!(authority.ask(left, &["--as-of", "2026-09-18"]), ["0"]);
        authority.receive("2026-09-25T06:00:00Z", &[("roll.csv", &rolled(new))]);
    }
    // As it was known before, they were two.
    let then = authority.ask(&of_child, &["--as-of", "2026-09-18", "--known-at", "2026-09-17"]);
    assert_eq!(then, [format!("{old},10,4"), format!("{new},0,0")]);
}

#[test]
fn two_children_on_one_roll_are_not_taken_for_one() {
    let authority = started();
    let told = roll(140001, &PUPILS).replace(&format!("{},,", PUPILS[1]), &format!("{},{},", PUPILS[1], PUPILS[0]));
    authority.receive("2026-09-11T06:00:00Z", &[("roll.csv", &told)]);
    let marks = [(PUPILS[0], "OOOOOOOOOO"), (PUPILS[1], "IIIIIIIIII")];
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &marks))]);
    let of_child = "SELECT upn, unauthorised, authorised FROM metrics.pupil_year WHERE 0 < possible";
    assert_eq!(authority.ask(of_child, &[]), [format!("{},0,10", PUPILS[1]), format!("{},10,0", PUPILS[0])]);
    assert_eq!(authority.ask("SELECT rule FROM quality.problem WHERE rule = 'former_upn_on_roll'", &[]).len(), 1);
}
