//! Rolls that come in another order than that of their days.

use proptest::prelude::*;

use crate::authority::{A, Authority, B, SCHOOLS, roll, said, started, week};
use crate::property::{cases, hold};

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
    assert_eq!(authority.ask(doubts, &[]), ["missing_from_roll", "older_roll"]);
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
fn what_rolls_say_of_a_child_who_is_gone_stands_whenever_the_newest_came() {
    let header = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingDate,Destination,SnapshotDate\n";
    let days = ["2026-09-07", "2026-09-09", "2026-09-11", "2026-09-14"];
    // What each roll says of a child: year, entry, leaving and destination; nothing where the child is not on it.
    let first = "4,2026-09-01,,";
    let children = [
        [first, first, first, first],
        // The second roll says more of the stint, or that it began on another day, or that it ended.
        [first, "5,2026-09-01,,", "", ""],
        [first, "4,2026-09-03,,", "", ""],
        [first, "4,2026-09-01,2026-09-08,140002", "", ""],
        // Away, and back.
        [first, "", "5,2026-09-10,,", ""],
        [first, "", "5,2026-09-01,,", ""],
    ];
    let roll = |nth: usize| {
        let of_child = |(child, story): (usize, &[&str; 4])| match story[nth] {
            "" => String::new(),
            said => format!("140001,A85020072{child:04},Made,Up,2016-01-01,F,{said},{}\n", days[nth]),
        };
        header.to_owned() + &children.iter().enumerate().map(of_child).collect::<String>()
    };
    let stints =
        "SELECT upn, entry_date, last_day, leaving_date, missing_since, nc_year, destination FROM tables.enrolment";
    let mut told = None;
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [3, 0, 1, 2], [0, 3, 1, 2], [0, 1, 3, 2]] {
        let authority = Authority::new();
        authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS)]);
        for (hour, nth) in order.iter().enumerate() {
            authority.receive(&format!("2026-10-01T{hour:02}:00:00Z"), &[("roll.csv", &roll(*nth))]);
        }
        let said = authority.ask(stints, &[]);
        assert_eq!(said.len(), 7);
        assert_eq!(&said, told.get_or_insert_with(|| said.clone()), "{order:?}");
    }
}

#[test]
fn rolls_that_waited_for_their_school_know_of_one_another() {
    let authority = Authority::new();
    authority.receive("2026-09-01T05:00:00Z", &[("gias.csv", SCHOOLS)]);
    let newer = roll_of(149999, "2026-10-01", &[(A, "2026-09-01")]);
    let older = roll_of(149999, "2026-09-15", &[(A, "2026-09-01"), (B, "2026-09-01")]);
    authority.receive("2026-10-01T05:00:00Z", &[("r.csv", &newer)]);
    authority.receive("2026-10-05T05:00:00Z", &[("r.csv", &older)]);
    let gias = SCHOOLS.replace("140003,850,Hampshire,4003", "149999,850,Hampshire,4999");
    authority.receive("2026-10-06T05:00:00Z", &[("gias.csv", &gias)]);
    let stints = "SELECT upn, missing_since FROM tables.enrolment";
    assert_eq!(authority.ask(stints, &[]), [format!("{B},2026-10-01"), format!("{A},")]);
    // They are heard again where an older one comes once the school is known.
    let third = "A850200720001";
    let rows = [(A, "2026-09-01"), (B, "2026-09-01"), (third, "2026-09-01")];
    let oldest = roll_of(149999, "2026-09-08", &rows);
    let out = authority.receive("2026-10-07T05:00:00Z", &[("r.csv", &oldest)]);
    assert!(out.status.success(), "{}", said(&out));
    let all = [format!("{third},2026-09-15"), format!("{B},2026-10-01"), format!("{A},")];
    assert_eq!(authority.ask(stints, &[]), all);
}

#[test]
fn an_older_roll_announces_a_child_and_mends_no_later_absence() {
    let authority = Authority::new();
    authority.receive("2026-08-20T05:00:00Z", &[("gias.csv", SCHOOLS)]);
    authority.receive("2026-09-20T05:00:00Z", &[("r.csv", &roll_of(140001, "2026-09-08", &[(A, "2026-09-01")]))]);
    let announced = [(A, "2026-09-01"), (B, "2026-09-15")];
    authority.receive("2026-09-21T05:00:00Z", &[("r.csv", &roll_of(140001, "2026-09-01", &announced))]);
    let stints = "SELECT upn, entry_date, last_day FROM tables.enrolment";
    assert_eq!(authority.ask(stints, &[]), [format!("{B},2026-09-15,"), format!("{A},2026-09-01,")]);
    // Missing since October: a roll of September says nothing of it.
    authority.receive("2026-10-01T05:00:00Z", &[("r.csv", &roll(140001, &[A]))]);
    let open = "SELECT rule FROM quality.problem WHERE rule = 'missing_from_roll' AND fixed_by IS NULL";
    assert_eq!(authority.ask(open, &[]).len(), 1);
    authority.receive("2026-10-02T05:00:00Z", &[("r.csv", &roll_of(140001, "2026-09-16", &announced))]);
    assert_eq!(authority.ask(open, &[]).len(), 1);
    authority.receive("2026-10-03T05:00:00Z", &[("r.csv", &roll(140001, &[A, B]))]);
    assert_eq!(authority.ask(open, &[]), [""; 0]);
    // Nor does it mend what was wrong with a later one.
    let nobody = roll(140001, &[A, B]) + &format!("140001,{},,Made,Up,2016-01-01,F,5,2026-09-01,,\n", &B[..12]);
    let refused = "SELECT rule FROM quality.problem WHERE rule = 'upn_shape' AND fixed_by IS NULL";
    authority.receive("2026-10-04T05:00:00Z", &[("r.csv", &nobody)]);
    authority.receive("2026-10-05T05:00:00Z", &[("r.csv", &roll_of(140001, "2026-09-17", &announced))]);
    assert_eq!(authority.ask(refused, &[]), ["upn_shape"]);
    authority.receive("2026-10-06T05:00:00Z", &[("r.csv", &roll(140001, &[A, B]))]);
    assert_eq!(authority.ask(refused, &[]), [""; 0]);
}

#[test]
fn a_child_of_the_newest_roll_stays_on_it_whatever_older_ones_tell_of_its_upns() {
    let (x, y, z) = ("A850200720001", "A850200720002", B);
    let header = "URN,UPN,FormerUPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,SnapshotDate\n";
    let of_day = |day: &str, upn: &str, former: &str| {
        let row = |upn, former| format!("140001,{upn},{former},Made,Up,2016-01-01,F,5,2026-09-01,{day}\n");
        header.to_owned() + &row(A, "") + &row(upn, former)
    };
    let rolls = [of_day("2026-09-02", x, ""), of_day("2026-10-01", y, x), of_day("2026-11-01", z, y)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let authority = Authority::new();
        authority.receive("2026-11-01T05:00:00Z", &[("gias.csv", SCHOOLS)]);
        for (hour, nth) in order.iter().enumerate() {
            authority.receive(&format!("2026-11-02T{hour:02}:00:00Z"), &[("r.csv", &rolls[*nth])]);
        }
        let stints = "SELECT upn, entry_date, last_day FROM tables.enrolment";
        let both = [format!("{z},2026-09-01,"), format!("{A},2026-09-01,")];
        assert_eq!(authority.ask(stints, &[]), both, "{order:?}");
    }
}

/// What a roll states of a child: days of entry and of leaving, or a row that cannot be read.
#[derive(Clone, Debug)]
enum Row {
    Stint(&'static str, &'static str),
    Unread(&'static str),
}

/// The rows of a roll for each of three children.
fn rows() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let entry = || proptest::sample::select(vec!["2026-09-01", "2026-09-09", "2026-09-21"]);
    let stint = (entry(), proptest::sample::select(vec!["", "", "", "2026-09-18", "2026-10-16"]))
        .prop_map(|(entry, left)| Row::Stint(entry, if entry < left { left } else { "" }));
    let row = prop_oneof![6 => stint, 1 => entry().prop_map(Row::Unread)];
    proptest::collection::vec(proptest::collection::vec(row, 0..3), 3)
}

#[test]
fn rolls_end_in_the_same_belief_in_whatever_order_they_come() {
    const DAYS: [&str; 4] = ["2026-09-10", "2026-09-22", "2026-10-05", "2026-10-19"];
    let upns = [A, B, "A850200720001"];
    let rolls = proptest::collection::vec(rows(), DAYS.len());
    let order = Just((0..DAYS.len()).collect::<Vec<_>>()).prop_shuffle();
    hold(cases(10), &(rolls, order), |(rolls, order)| {
        let text = |nth: usize| {
            let mut text = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingDate,SnapshotDate\n".to_owned();
            for (upn, rows) in upns.iter().zip(&rolls[nth]) {
                for row in rows {
                    let (entry, left) = match row {
                        Row::Stint(entry, left) => ((*entry).to_owned(), *left),
                        Row::Unread(entry) => (entry.replace("2026-09", "2026-19"), ""),
                    };
                    text += &format!("140001,{upn},Made,Up,2016-01-01,F,5,{entry},{left},{}\n", DAYS[nth]);
                }
            }
            text
        };
        let told = |order: &[usize]| {
            let authority = Authority::new();
            authority.receive("2026-11-01T05:00:00Z", &[("gias.csv", SCHOOLS)]);
            for (hour, nth) in order.iter().enumerate() {
                authority.receive(&format!("2026-11-02T{hour:02}:00:00Z"), &[("r.csv", &text(*nth))]);
            }
            let stints = "SELECT upn, entry_date, leaving_date, missing_since FROM tables.enrolment";
            let missing = "SELECT DISTINCT p.pupil_key FROM quality.problem q \
                           JOIN believed.problem p ON p.problem_id = q.problem_id \
                           WHERE q.rule = 'missing_from_roll' AND q.fixed_by IS NULL";
            [authority.ask(stints, &[]), authority.ask(missing, &[])]
        };
        let [stints, missing] = told(&[0, 1, 2, 3]);
        let [same, listed] = told(&order);
        prop_assert_eq!(&stints, &same, "{:?}", &order);
        prop_assert_eq!(missing, listed, "{:?}", &order);
        Ok(())
    });
}

#[test]
fn a_roll_of_several_schools_is_heard_again_school_by_school() {
    let (third, fourth) = ("A850200720001", "A850200720002");
    let both = |day: &str, first: &[(&str, &str)], second: &[(&str, &str)]| {
        let second = roll_of(140002, day, second);
        roll_of(140001, day, first) + second.split_once('\n').unwrap().1
    };
    let authority = Authority::new();
    authority.receive("2026-09-01T05:00:00Z", &[("gias.csv", SCHOOLS)]);
    let newer = both("2026-10-01", &[(A, "2026-09-01")], &[(B, "2026-09-01")]);
    authority.receive("2026-10-01T05:00:00Z", &[("r.csv", &newer)]);
    let of_one = roll_of(140002, "2026-10-12", &[(B, "2026-09-01"), (fourth, "2026-10-05")]);
    authority.receive("2026-10-12T05:00:00Z", &[("r.csv", &of_one)]);
    let rows = [(B, "2026-09-01"), (fourth, "2026-09-01")];
    let older = both("2026-09-15", &[(A, "2026-09-01"), (third, "2026-09-01")], &rows);
    let out = authority.receive("2026-10-13T05:00:00Z", &[("r.csv", &older)]);
    assert!(out.status.success(), "{}", said(&out));
    let stints = "SELECT urn, upn, entry_date, missing_since FROM tables.enrolment";
    // The fourth child was gone in between, and came back.
    let expected = [
        format!("140001,{third},2026-09-01,2026-10-01"),
        format!("140001,{A},2026-09-01,"),
        format!("140002,{fourth},2026-09-01,2026-10-01"),
        format!("140002,{fourth},2026-10-05,"),
        format!("140002,{B},2026-09-01,"),
    ];
    assert_eq!(authority.ask(stints, &[]), expected);
}

#[test]
fn whom_a_later_roll_could_not_read_is_missing_from_none_of_an_older_one() {
    let spoilt = |row: &str| roll_of(140001, "2026-09-20", &[(A, "2026-09-01")]) + row + "\n";
    // B's own row with a day that does not exist; one of nobody.
    let rows =
        [format!("140001,{B},Made,Up,2016-01-01,F,5,2026-09-31,2026-09-20"), "140001,,Made,Up,,F,5,,2026-09-20".into()];
    let both = roll_of(140001, "2026-09-10", &[(A, "2026-09-01"), (B, "2026-09-01")]);
    let last = roll_of(140001, "2026-10-01", &[(A, "2026-09-01")]);
    let stints = "SELECT upn, missing_since FROM tables.enrolment";
    for row in &rows {
        let authority = Authority::new();
        authority.receive("2026-09-20T05:00:00Z", &[("gias.csv", SCHOOLS), ("r.csv", &spoilt(row))]);
        authority.receive("2026-09-21T05:00:00Z", &[("r.csv", &both)]);
        assert_eq!(authority.ask(stints, &[]), [format!("{B},"), format!("{A},")], "{row}");
        authority.receive("2026-10-01T05:00:00Z", &[("r.csv", &last)]);
        let gone = [format!("{B},2026-10-01"), format!("{A},")];
        assert_eq!(authority.ask(stints, &[]), gone, "{row}");
        // Whichever came first, or together.
        let authority = Authority::new();
        authority.receive("2026-10-01T05:00:00Z", &[("gias.csv", SCHOOLS), ("1.csv", &last), ("2.csv", &spoilt(row))]);
        authority.receive("2026-10-02T05:00:00Z", &[("r.csv", &both)]);
        assert_eq!(authority.ask(stints, &[]), gone, "{row}");
    }
}

/// A roll of a day.
fn roll_of(urn: u32, day: &str, rows: &[(&str, &str)]) -> String {
    let row = |(upn, entry): &(&str, &str)| format!("{urn},{upn},Made,Up,2016-01-01,F,5,{entry},{day}\n");
    let header = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,SnapshotDate\n";
    header.to_owned() + &rows.iter().map(row).collect::<String>()
}

#[test]
fn rolls_of_one_day_that_waited_for_their_school_are_heard_again_one_after_another() {
    let authority = Authority::new();
    authority.receive("2026-09-01T05:00:00Z", &[("gias.csv", SCHOOLS)]);
    let of_day = |rows: &[&str]| {
        let rows: Vec<(&str, &str)> = rows.iter().map(|upn| (*upn, "2026-09-01")).collect();
        roll_of(149999, "2026-10-01", &rows)
    };
    authority.receive("2026-10-01T05:00:00Z", &[("r.csv", &of_day(&[A, B]))]);
    authority.receive("2026-10-02T05:00:00Z", &[("r.csv", &of_day(&[A]))]);
    let gias = SCHOOLS.replace("140003,850,Hampshire,4003", "149999,850,Hampshire,4999");
    authority.receive("2026-10-06T05:00:00Z", &[("gias.csv", &gias)]);
    let stints = "SELECT upn, missing_since FROM tables.enrolment";
    let expected = [format!("{B},2026-10-01"), format!("{A},")];
    assert_eq!(authority.ask(stints, &[]), expected);
    let older = roll_of(149999, "2026-09-08", &[(A, "2026-09-01"), (B, "2026-09-01")]);
    authority.receive("2026-10-07T05:00:00Z", &[("r.csv", &older)]);
    assert_eq!(authority.ask(stints, &[]), expected);
}
