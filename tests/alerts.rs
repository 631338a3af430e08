//! Alerts: raised, ended, replaced, and retracted when marks are corrected.

use crate::authority::{Authority, SCHOOLS, roll, said, week};
use crate::ledger::{PUPILS, started};

#[test]
fn an_alert_is_raised_ended_and_retracted() {
    let authority = started();
    let weeks = ["2026-09-07", "2026-09-14"];
    for (i, monday) in weeks.iter().enumerate() {
        let marks = week(140001, monday, &[(PUPILS[0], "OOOOOOOOOO")]);
        authority.receive(&format!("2026-09-{}T18:00:00Z", 11 + 7 * i), &[("m.csv", &marks)]);
    }
    let history =
        "SELECT changed_at, rule, from_status, to_status FROM alerts.history WHERE rule = 'unauthorised_10_days'";
    assert_eq!(authority.ask(history, &[]).len(), 1);
    authority
        .receive("2026-09-25T18:00:00Z", &[("m.csv", &week(140001, "2026-09-21", &[(PUPILS[0], "/\\/\\/\\/\\/\\")]))]);
    authority.receive("2026-09-28T18:00:00Z", &[("m.csv", &week(140001, "2026-09-14", &[(PUPILS[0], "OOOOIIOOOO")]))]);
    let told: Vec<String> =
        authority.ask(history, &[]).iter().map(|r| r.rsplit(',').next().unwrap().to_owned()).collect();
    assert_eq!(told, ["open", "ended", "retracted"]);
    let then = authority.ask(
        "SELECT rule FROM alerts.current WHERE rule = 'unauthorised_10_days'",
        &["--as-of", "2026-09-28", "--known-at", "2026-09-26"],
    );
    assert_eq!(then, ["unauthorised_10_days"]);
    let listed = |more: &[&str]| authority.ok(&[&["alerts", "--as-of", "2026-09-28"], more].concat());
    assert!(listed(&["--known-at", "2026-09-26"]).contains("unauthorised_10_days"));
    assert!(!listed(&[]).contains("unauthorised_10_days"));
    let objects = listed(&["--known-at", "2026-09-26", "--json"]);
    let rule = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["rule"].clone();
    assert!(objects.lines().any(|line| rule(line) == "unauthorised_10_days"), "{objects}");
    let now = authority
        .ask("SELECT rule FROM alerts.current WHERE rule = 'unauthorised_10_days'", &["--as-of", "2026-09-28"]);
    assert_eq!(now, [""; 0]);

    // Known only once the child was back, it is new all the same: what the law asks for is still to be done.
    let week = "SELECT standing, new FROM serving.overview_alert WHERE rule = 'unauthorised_10_days'";
    assert_eq!(authority.ask(week, &["--as-of", "2026-09-23", "--known-at", "2026-09-26"]), ["0,1"]);
    assert_eq!(authority.ask(week, &["--as-of", "2026-09-25", "--known-at", "2026-09-26"]), ["0,0"]);

    // One by its id: as it stood, and when it changed.
    let of_rule = |objects: &str| {
        let found = objects.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        found.into_iter().find(|alert| alert["rule"] == "unauthorised_10_days").unwrap()
    };
    let id = of_rule(&authority.ok(&["alerts", "list", "--json", "--as-of", "2026-09-28", "--known-at", "2026-09-26"]));
    let id = id["alert_id"].as_str().unwrap();
    let then = authority.ok(&["alerts", "show", id, "--as-of", "2026-09-28", "--known-at", "2026-09-26"]);
    for says in
        ["status         ended", "urn            140001", "2026-09-07 to 2026-09-18", " → open  ", "open → ended  "]
    {
        assert!(then.contains(says), "{says}: {then}");
    }
    let now = authority.ok(&["alerts", "show", id, "--as-of", "2026-09-28"]);
    assert!(now.contains("do not support it") && now.contains("ended → retracted"), "{now}");
    let json: serde_json::Value =
        serde_json::from_str(&authority.ok(&["alerts", "show", id, "--as-of", "2026-09-28", "--json"])).unwrap();
    assert!(json["current"].is_null() && json["history"].as_array().unwrap().len() == 3, "{json}");
    let none = authority.run(&["alerts", "show", "it's none"]);
    assert!(!none.status.success() && said(&none).contains("there is no such alert"), "{}", said(&none));
}

#[test]
fn an_alert_told_otherwise_is_replaced_and_one_of_last_year_is_retracted() {
    let authority = Authority::new();
    let on_roll = roll(140001, &PUPILS[..2]).replace("2026-09-01", "2022-09-01");
    authority.receive("2026-06-01T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &on_roll)]);
    let runs = |mark: char, mondays: &[&str]| {
        let marks = std::iter::repeat_n(mark, 10).collect::<String>();
        let weeks = mondays.iter().map(|monday| week(140001, monday, &[(PUPILS[0], &marks)]));
        let rows = weeks.map(|week| week.split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default());
        format!("URN,UPN,Date,Session,Mark\n{}", rows.collect::<String>())
    };
    let history = "SELECT event_from, from_status, to_status FROM alerts.history WHERE rule = 'unauthorised_10_days' AND changed_at = ";
    let told = |at: &str| authority.ask(&format!("{history}TIMESTAMP '{at}'"), &["--as-of", "2026-09-30"]);
    authority.receive("2026-06-26T18:00:00Z", &[("m.csv", &runs('O', &["2026-06-15", "2026-06-22"]))]);
    assert_eq!(told("2026-06-26T18:00:00Z"), ["2026-06-15,,open"]);
    // The run is longer than was told.
    authority.receive("2026-07-03T18:00:00Z", &[("m.csv", &runs('O', &["2026-06-08", "2026-06-15", "2026-06-22"]))]);
    assert_eq!(told("2026-07-03T18:00:00Z"), ["2026-06-08,,open", "2026-06-15,open,replaced"]);
    authority
        .receive("2026-09-04T18:00:00Z", &[("m.csv", &week(140001, "2026-08-31", &[(PUPILS[0], "../\\/\\/\\/\\")]))]);
    assert_eq!(told("2026-09-04T18:00:00Z"), ["2026-06-08,open,ended"]);
    // In September all of it turns out to have been illness, and in October not.
    let weeks = ["2026-06-08", "2026-06-15", "2026-06-22"];
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &runs('I', &weeks))]);
    assert_eq!(told("2026-09-11T18:00:00Z"), ["2026-06-08,ended,retracted"]);
    authority.receive("2026-09-18T18:00:00Z", &[("m.csv", &runs('O', &weeks))]);
    assert_eq!(told("2026-09-18T18:00:00Z"), ["2026-06-08,retracted,ended"]);
}

#[test]
fn the_turn_of_the_year_ends_what_stood_and_retracts_what_the_first_arrival_corrects() {
    let told_after = |june: char| {
        let authority = Authority::new();
        let on_roll = roll(140001, &PUPILS[..2]).replace("2026-09-01", "2022-09-01");
        authority.receive("2026-06-01T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &on_roll)]);
        let of = |monday: &str, mark: char| {
            week(140001, monday, &[(PUPILS[0], &std::iter::repeat_n(mark, 10).collect::<String>())])
        };
        let july = |mark| of("2026-07-06", mark) + of("2026-07-13", mark).split_once('\n').unwrap().1;
        authority.receive("2026-07-17T18:00:00Z", &[("m.csv", &july('O'))]);
        // The absence goes on in September: an alert of its own year.
        authority.receive("2026-09-11T18:00:00Z", &[("a.csv", &july(june)), ("b.csv", &of("2026-09-07", 'O'))]);
        let history = "SELECT to_status FROM alerts.history WHERE rule = 'penalty_threshold' AND from_status = 'open'";
        authority.ask(history, &["--as-of", "2026-09-11"])
    };
    assert_eq!(told_after('O'), ["ended"]);
    assert_eq!(told_after('I'), ["retracted"]);
}

#[test]
fn a_run_that_another_takes_in_is_replaced() {
    let authority = started();
    let upn = PUPILS[0];
    let marks = |day: &str| {
        let weeks = ["2026-09-07", "2026-09-14", "2026-09-21", "2026-09-28", "2026-10-05"];
        let of_week = |(nth, monday): (usize, &&str)| {
            let other = week(140001, monday, &[(PUPILS[1], "/\\/\\/\\/\\/\\")]);
            let boxes = if nth == 2 { format!("{day}OOOOOOOO") } else { "OOOOOOOOOO".to_owned() };
            week(140001, monday, &[(upn, &boxes)]) + other.split_once('\n').unwrap().1
        };
        let all: Vec<String> = weeks.iter().enumerate().map(of_week).collect();
        all[0].clone() + &all[1..].iter().map(|text| text.split_once('\n').unwrap().1).collect::<String>()
    };
    authority.receive("2026-10-09T18:00:00Z", &[("m.csv", &marks("/\\"))]);
    let runs = "SELECT event_from, status FROM alerts.current WHERE rule = 'unauthorised_10_days'";
    assert_eq!(authority.ask(runs, &["--as-of", "2026-10-09"]), ["2026-09-07,ended", "2026-09-22,open"]);
    authority.receive("2026-10-10T18:00:00Z", &[("m.csv", &marks("OO"))]);
    assert_eq!(authority.ask(runs, &["--as-of", "2026-10-09"]), ["2026-09-07,open"]);
    let told = "SELECT h.to_status FROM alerts.history h WHERE CAST(changed_at AS DATE) = '2026-10-10' \
                AND h.alert_id NOT IN (SELECT alert_id FROM alerts.current)";
    let told = authority.ask(told, &["--as-of", "2026-10-09"]);
    assert!(!told.is_empty() && told.iter().all(|status| status == "replaced"), "{told:?}");
}

#[test]
fn a_run_that_went_on_since_it_was_told_is_replaced_by_what_is_left_of_it() {
    let authority = started();
    let mondays = ["2026-09-07", "2026-09-14", "2026-09-21", "2026-09-28"];
    for (monday, friday) in mondays.iter().zip(["09-11", "09-18", "09-25", "10-02"]) {
        let marks = week(140001, monday, &[(PUPILS[0], "OOOOOOOOOO")]);
        authority.receive(&format!("2026-{friday}T18:00:00Z"), &[("m.csv", &marks)]);
    }
    // The first two weeks, after which the alert was told, turn out to have been illness until their last day.
    let ill = week(140001, mondays[0], &[(PUPILS[0], "IIIIIIIIII")])
        + week(140001, mondays[1], &[(PUPILS[0], "IIIIIIIIOO")]).split_once('\n').unwrap().1
        + week(140001, mondays[2], &[(PUPILS[0], "IIOOOOOOOO")]).split_once('\n').unwrap().1
        + week(140001, mondays[3], &[(PUPILS[0], "OOOOOOOOOO")]).split_once('\n').unwrap().1
        + week(140001, "2026-10-05", &[(PUPILS[0], "OOOOOOOOOO")]).split_once('\n').unwrap().1;
    authority.receive("2026-10-09T18:00:00Z", &[("m.csv", &ill)]);
    let history = "SELECT event_from, from_status, to_status FROM alerts.history WHERE rule = 'unauthorised_10_days'";
    let told = ["2026-09-07,,open", "2026-09-07,open,replaced", "2026-09-22,,open"];
    assert_eq!(authority.ask(history, &["--as-of", "2026-10-09"]), told);
}

#[test]
fn an_alert_of_a_roll_says_why_it_stands_no_longer() {
    let with = |leaving: &str| {
        let authority = Authority::new();
        let on_roll = roll(140001, &PUPILS);
        authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &on_roll)]);
        authority.receive("2026-09-15T05:00:00Z", &[("roll.csv", &roll(140001, &PUPILS[1..]))]);
        let header = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingDate,LeavingGround,Destination\n";
        let row = |upn: &str, leaving: &str| format!("140001,{upn},A,A,2016-03-01,F,5,2026-09-01,{leaving}\n");
        let rows = [row(PUPILS[0], leaving), row(PUPILS[1], ",,"), row(PUPILS[2], ",,")].concat();
        authority.receive("2026-09-29T05:00:00Z", &[("roll.csv", &format!("{header}{rows}"))]);
        let history = "SELECT to_status, reason FROM alerts.history WHERE rule = 'off_roll_no_destination' \
                       AND from_status = 'open'";
        authority.ask(history, &["--as-of", "2026-09-30"])
    };
    // Missing from the 15th on: it left on the 14th, as far as anybody knew.
    let goes_on = "\"it goes on as another: its first day, or the UPN, is told otherwise now\"";
    assert_eq!(with("2026-09-21,n,"), [format!("replaced,{goes_on}")]);
    assert_eq!(with("2026-09-14,a,Another School"), ["ended,\"a roll says where the child is, or where it went\""]);
    assert_eq!(with(",,"), ["retracted,the roll says no longer that the child left then"]);
}

#[test]
fn days_that_pass_raise_alerts_though_nothing_new_is_said() {
    let authority = Authority::new();
    let header = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingDate,LeavingGround\n";
    let row = |upn: &str, leaving: &str| format!("140001,{upn},A,A,2016-03-01,F,5,2026-09-01,{leaving}\n");
    let on_roll = [header, &row(PUPILS[0], "2026-09-11,n"), &row(PUPILS[1], ","), &row(PUPILS[2], ",")].concat();
    for day in ["2026-09-04", "2026-09-14"] {
        authority.receive(&format!("{day}T05:00:00Z"), &[("gias.csv", SCHOOLS), ("roll.csv", &on_roll)]);
    }
    let history = "SELECT changed_at, to_status FROM alerts.history";
    assert_eq!(authority.ask(history, &["--as-of", "2026-09-14"]), ["2026-09-14T05:00:00Z,open"]);
}
