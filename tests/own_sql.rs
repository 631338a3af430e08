//! Definitions of one's own, laid over the product's: they are checked before they are asked, and stand beside ours.

use crate::authority::{Authority, SCHOOLS, roll, rollcall, said, week};

const CHILD: &str = "Q850200120003";

/// An authority of one child who was late on three days, with a folder of SQL named in its configuration.
pub fn authority() -> Authority {
    let authority = Authority::new();
    let config = authority.lake().join("rollcall.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("# sql = \"sql\"", "sql = \"own\"")).unwrap();
    std::fs::create_dir_all(authority.lake().join("own/alerts")).unwrap();
    let files = [("gias.csv", SCHOOLS.to_owned()), ("roll.csv", roll(140001, &[CHILD]))];
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
    authority.receive("2026-09-02T05:00:00Z", &files);
    authority
}

/// Writes a definition below that folder.
pub fn write(authority: &Authority, path: &str, header: &str, statement: &str) {
    let path = authority.lake().join("own").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("/*\nabout = \"Made for a test.\"\n{header}\n*/\n{statement}\n")).unwrap();
}

const OFTEN_LATE: &str = "SELECT stable_id('often_late ' || CAST(pupil_key AS VARCHAR)) AS alert_id, 'often_late' AS rule, upn, \
    pupil_key, urn, nth_day(register, 'late', CAST($days AS INT)) AS raised_on, nth_day(register, 'late', 1) AS event_from, \
    last_day_with(register, 'late') AS event_to, late AS sessions, 'open' AS status \
    FROM tables.register_year WHERE $days <= days_with(register, 'late', NULL, NULL)";

#[test]
fn an_alert_of_ones_own_is_raised_and_retracted_like_ours() {
    let authority = authority();
    write(&authority, "alerts/often_late.sql", "raises = true\n[params]\ndays = 3", OFTEN_LATE);
    authority.ok(&["check"]);
    let sent = |at: &str, marks: &str| {
        let out = authority.receive(at, &[("m.csv", &week(140001, "2026-09-07", &[(CHILD, marks)]))]);
        assert!(out.status.success(), "{}", said(&out));
    };
    let current = "SELECT rule, urn, raised_on, event_to, sessions, status FROM alerts.current";
    let history = "SELECT from_status, to_status FROM alerts.history ORDER BY changed_at";
    sent("2026-09-11T18:00:00Z", "L\\L\\/\\/\\L\\");
    assert_eq!(authority.ask(current, &["--as-of", "2026-09-11"]), ["often_late,140001,2026-09-11,2026-09-11,3,open"]);
    sent("2026-09-12T18:00:00Z", "L\\L\\/\\/\\/\\");
    assert_eq!(authority.ask(current, &["--as-of", "2026-09-12"]), [""; 0]);
    assert_eq!(authority.ask(history, &[]), [",open", "open,retracted"]);
}

const NO_D: &str = "outcome = \"refuse_row\"\nexpected = \"no D here\"";

#[test]
fn a_rule_of_ones_own_refuses_the_rows_it_names_and_no_others() {
    let authority = authority();
    let marks = |marks: &str| week(140001, "2026-09-07", &[(CHILD, marks)]);
    authority.receive("2026-09-08T18:00:00Z", &[("m.csv", &marks("/\\........"))]);
    let statement = "SELECT file_id, urn, line_key AS pupil_key, nth_day(register, 'codes:D', 1) AS session_date, 'AM' AS session, \
                     'D' AS found FROM incoming.register WHERE 0 < days_with(register, 'codes:D', NULL, NULL)";
    write(&authority, "rules/no_d.sql", NO_D, statement);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &marks("D\\/\\IIDD/\\"))]);
    let held = "SELECT marks FROM ledger.register_week WHERE known_to IS NULL";
    assert_eq!(authority.ask(held, &[]), ["/\\/\\IIDD/\\...."]);
    let rows = "SELECT rows_in, rows_kept, rows_refused FROM ledger.return WHERE received_at > '2026-09-10'";
    assert_eq!(authority.ask(rows, &[]), ["10,9,1"]);
    let problem = "SELECT urn, line, found, expected FROM quality.problem WHERE rule = 'no_d'";
    assert_eq!(authority.ask(problem, &[]), ["140001,2,D,no D here"]);
    // One that is not as it should be takes nothing in, instead of nothing out.
    for (nth, (header, statement, says)) in [
        (NO_D, statement.replace("AS pupil_key", "AS child"), "`child` is no column of a rule"),
        (NO_D, statement.replace("file_id, ", ""), "it must give `file_id`"),
        ("", statement.to_owned(), "must say `outcome`"),
    ]
    .into_iter()
    .enumerate()
    {
        write(&authority, "rules/no_d.sql", header, &statement);
        let out = authority.receive("2026-09-12T17:00:00Z", &[("m.csv", &marks("D\\..OOOO/\\"))]);
        assert!(!out.status.success() && said(&out).contains(says), "{}", said(&out));
        assert!(!authority.run(&["check"]).status.success(), "{says}");
        let again = authority.run(&["ingest"]);
        assert!(said(&again).contains("not at fault") && !said(&again).contains("set-aside"), "{}", said(&again));
        assert_eq!(authority.ask(held, &[]), ["/\\/\\IIDD/\\...."]);
        write(&authority, "rules/no_d.sql", NO_D, "SELECT file_id FROM incoming.file WHERE false");
        authority.ok(&["set-aside", &(4 + nth).to_string(), "--reason", "a test"]);
    }
    // Of a child without a session: all of the child's rows.
    let whole = statement.replace("nth_day(register, 'codes:D', 1) AS session_date, 'AM' AS session, ", "");
    write(&authority, "rules/no_d.sql", NO_D, &whole);
    authority.receive("2026-09-12T18:00:00Z", &[("m.csv", &marks("D\\..OOOO/\\"))]);
    assert_eq!(authority.ask(held, &[]), ["/\\/\\IIDD/\\...."]);
}

#[test]
fn a_definition_that_would_fail_or_deceive_later_is_told_by_check() {
    let authority = authority();
    let cases = [
        (
            "metrics/a.sql",
            "",
            "SELECT urn, days_with(register, 'codes:I QQ', NULL, NULL) AS n FROM tables.register_year",
            "`codes:I QQ`",
        ),
        ("metrics/a.sql", "", "SELECT urn, now() AS at FROM tables.school", "now() says something else each time"),
        ("metrics/a.sql", "", "SELECT urn FROM tables.school WHERE urn IN (SELECT CAST(random() AS INT))", "random()"),
        ("metrics/a.sql", "grain = [\"nobody\"]", "SELECT urn FROM tables.school", "`nobody`"),
        ("alerts/a.sql", "raises = true", "SELECT urn FROM tables.school", "it must give `alert_id`"),
        ("alerts/a.sql", "[params]\ndays = 3", OFTEN_LATE, "does not say `raises = true`"),
        (
            "alerts/a.sql",
            "raises = true\n[params]\ndays = 3",
            &OFTEN_LATE.replace("last_day_with(register, 'late') AS", "'today' AS"),
            "`event_to` is Utf8",
        ),
        ("rules/a.sql", "outcome = \"warn\"", "SELECT urn FROM incoming.register", "it must give `file_id`"),
    ];
    for (path, header, statement, says) in cases {
        write(&authority, path, header, statement);
        let out = authority.run(&["check"]);
        assert!(!out.status.success() && said(&out).contains(says), "{path}: {}", said(&out));
        std::fs::remove_file(authority.lake().join("own").join(path)).unwrap();
    }
    authority.ok(&["check"]);
    // What a question asks may be of this moment: it is kept by nobody.
    authority.ok(&["query", "SELECT now() IS NOT NULL"]);
    let out = rollcall()
        .args(["query", "SELECT only(register, 'codes:QQ') FROM tables.register"])
        .current_dir(authority.lake())
        .output()
        .unwrap();
    assert!(!out.status.success() && said(&out).contains("`codes:QQ`"), "{}", said(&out));
}
