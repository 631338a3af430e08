//! What the ledger promises: the same belief whatever the order, the same answer whenever it is asked,
//! all of a run or none of it.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::authority::{Authority, SCHOOLS, roll, rollcall, said, week};

const PUPILS: [&str; 3] = ["Q850200120003", "H850200723000", "T20110001804V"];
const BELIEF: &str = "SELECT urn, pupil_key, week_start, marks, known_from, known_to FROM ledger.register_week";
const FIGURES: &str = "SELECT * FROM metrics.pupil_year";

/// One arrival: when, and what each of two schools says of a week, of two months.
#[derive(Clone, Debug)]
struct Sent {
    day: u32,
    files: Vec<(String, String)>,
}

impl Sent {
    fn at(&self) -> String {
        let first = chrono::NaiveDate::from_ymd_opt(2026, 10, 20).unwrap();
        format!("{}T18:00:00Z", first + chrono::Days::new(self.day.into()))
    }

    fn offer(&self, authority: &Authority) -> std::path::PathBuf {
        let files: Vec<(&str, &str)> = self.files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        authority.offer(&self.at(), &files)
    }

    fn receive(&self, authority: &Authority) {
        let folder = self.offer(authority);
        authority.ok(&["ingest", folder.to_str().unwrap(), "--received-at", &self.at()]);
    }
}

fn marks() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(vec!['/', '\\', 'I', 'O', 'N', '.', '#', 'D', 'L']), 10)
        .prop_map(|m| m.into_iter().collect())
}

fn arrivals() -> impl Strategy<Value = Vec<Sent>> {
    let file = (0u64..6, 140001u32..140003, marks(), marks(), 0usize..3).prop_map(|(n, urn, a, b, pupils)| {
        let monday = chrono::NaiveDate::from_ymd_opt(2026, 9, 7).unwrap() + chrono::Days::new(7 * n);
        let rows: Vec<(&str, &str)> =
            [(PUPILS[0], a.as_str()), (PUPILS[1], b.as_str())].into_iter().take(1 + pupils.min(1)).collect();
        (format!("marks_{urn}_{monday}.csv"), week(urn, &monday.to_string(), &rows))
    });
    proptest::collection::vec(proptest::collection::vec(file, 1..3), 1..5)
        .prop_map(|all| all.into_iter().enumerate().map(|(i, files)| Sent { day: i as u32, files }).collect())
}

fn started() -> Authority {
    let authority = Authority::new();
    let rolls = [
        ("gias.csv", SCHOOLS.to_owned()),
        ("roll_1.csv", roll(140001, &PUPILS)),
        ("roll_2.csv", roll(140002, &PUPILS)),
    ];
    let files: Vec<(&str, &str)> = rolls.iter().map(|(n, t)| (*n, t.as_str())).collect();
    let out = authority.receive("2026-09-02T05:00:00Z", &files);
    assert!(out.status.success(), "{}", said(&out));
    authority
}

/// Runs a property on so many cases. A seed that failed is printed by proptest and can be fed back to it.
fn hold<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 24, ..Config::default() };
    TestRunner::new(config).run(strategy, property).unwrap();
}

/// How many cases a property is tried on: a few here, thousands by hand with PROPERTY_CASES.
fn cases(few: u32) -> u32 {
    std::env::var("PROPERTY_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

#[test]
fn reordered_doubled_and_replayed_arrivals_end_in_the_same_belief() {
    hold(cases(6), &(arrivals(), any::<u64>()), |(sent, seed)| {
        let in_order = started();
        sent.iter().for_each(|s| s.receive(&in_order));
        let belief = in_order.ask(BELIEF, &[]);
        let figures = in_order.ask(FIGURES, &["--as-of", "2026-10-30"]);
        prop_assert_eq!(&in_order.ask(FIGURES, &["--as-of", "2026-10-30", "--fresh"]), &figures);

        let shuffled = started();
        let mut order: Vec<usize> = (0..sent.len()).collect();
        order.sort_by_key(|i| (seed.rotate_left(*i as u32 * 7)) ^ (*i as u64 * 0x9e37));
        for i in order {
            sent[i].receive(&shuffled);
            sent[i].receive(&shuffled);
        }
        prop_assert_eq!(&shuffled.ask(BELIEF, &[]), &belief);
        prop_assert_eq!(&shuffled.ask(FIGURES, &["--as-of", "2026-10-30"]), &figures);
        prop_assert_eq!(
            shuffled.ask("SELECT * FROM ledger.return", &[]),
            in_order.ask("SELECT * FROM ledger.return", &[])
        );

        // From the very first, and from where an earlier run stands.
        let last = sent.last().map_or(String::new(), |s| s.at()[..10].to_owned());
        for replay in [&["replay"][..], &["replay", "drop"], &["replay", "--from", &last]] {
            in_order.ok(replay);
            prop_assert_eq!(&in_order.ask(BELIEF, &[]), &belief);
            prop_assert_eq!(&in_order.ask(FIGURES, &["--as-of", "2026-10-30"]), &figures);
        }
        Ok(())
    });
}

#[test]
fn as_known_at_a_time_is_the_ledger_stopped_at_that_time() {
    hold(cases(6), &arrivals(), |sent| {
        let whole = started();
        let stopped = started();
        let mut then = Vec::new();
        for one in &sent {
            one.receive(&stopped);
            then.push((one.at(), stopped.ask(FIGURES, &["--as-of", "2026-10-30"])));
        }
        sent.iter().for_each(|s| s.receive(&whole));
        for (at, figures) in then {
            prop_assert_eq!(whole.ask(FIGURES, &["--as-of", "2026-10-30", "--known-at", &at]), figures);
        }
        Ok(())
    });
}

#[test]
fn rows_in_are_rows_kept_and_refused_whatever_the_bytes() {
    let base = week(140001, "2026-09-07", &[(PUPILS[0], "/\\/\\NN/\\I."), (PUPILS[1], "/\\/\\/\\/\\/\\")]).into_bytes();
    let mutations = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0u8..3), 0..30);
    let authority = started();
    let n = std::cell::Cell::new(0u32);
    hold(cases(30), &mutations, |mutations| {
        let mut bytes = base.clone();
        for (at, byte, what) in mutations {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        n.set(n.get() + 1);
        let folder = authority.offer(&format!("fuzz-{}", n.get()), &[]);
        std::fs::write(folder.join("m.csv"), &bytes).unwrap();
        let at = format!("2026-10-{:02}T{:02}:{:02}:00Z", 1 + n.get() / 1440, n.get() / 60 % 24, n.get() % 60);
        let out = authority.run(&["ingest", folder.to_str().unwrap(), "--received-at", &at]);
        prop_assert!(out.status.success(), "{}", said(&out));
        Ok(())
    });
    assert_eq!(
        authority.ask("SELECT count(*) FROM ledger.return WHERE rows_in <> rows_kept + rows_refused", &[]),
        ["0"]
    );
}

#[test]
fn a_run_that_is_cut_off_is_finished_and_nothing_is_doubled() {
    let sent = Sent {
        day: 0,
        files: vec![("marks_140001.csv".to_owned(), week(140001, "2026-09-07", &[(PUPILS[0], "/\\/\\NN/\\HI")]))],
    };
    let whole = started();
    sent.receive(&whole);
    let points = ["register_week", "return", "problem", "alert_event", "before the run record", "after the run record"];
    for point in points {
        let authority = started();
        let folder = sent.offer(&authority);
        let out = rollcall()
            .args(["ingest", folder.to_str().unwrap(), "--received-at", &sent.at()])
            .env("ROLLCALL_CRASH_AT", point)
            .current_dir(authority.lake())
            .output()
            .unwrap();
        let reached = !out.status.success();
        assert!(reached || point == "alert_event", "{point} was not reached");
        // Readers see none of it, or all of it.
        let seen = authority.ask(BELIEF, &[]);
        assert!(seen.is_empty() || seen == whole.ask(BELIEF, &[]), "{point}");
        // The next run finishes it first; the same arrival again changes nothing.
        sent.receive(&authority);
        for view in
            [BELIEF, "SELECT * FROM ledger.return", "SELECT * FROM quality.problem", "SELECT * FROM alerts.history"]
        {
            assert_eq!(authority.ask(view, &[]), whole.ask(view, &[]), "{point}: {view}");
        }
    }
}

/// What readers are shown of a ledger and its runs.
const SHOWN: [&str; 4] =
    [BELIEF, "SELECT * FROM ledger.return", "SELECT * FROM quality.problem", "SELECT * FROM alerts.history"];

/// An arrival of several tables, two schools and three months, with something to refuse.
fn sent_by_all() -> Sent {
    let marks = |urn: u32| -> String {
        let weeks = ["2026-09-07", "2026-09-14", "2026-10-05"];
        let rows = [(PUPILS[0], "OOOOOOOOOO"), (PUPILS[1], "/\\/\\NN/\\/\\"), (PUPILS[2], "IIIIII@\\/\\")];
        weeks.iter().map(|monday| week(urn, monday, &rows)).collect::<Vec<_>>().join("")
    };
    let roll = roll(140002, &PUPILS[..2]);
    let files = [("marks_140001.csv", marks(140001)), ("marks_140002.csv", marks(140002)), ("roll_2.csv", roll)];
    Sent { day: 40, files: files.map(|(name, text)| (name.to_owned(), text)).to_vec() }
}

fn file_count(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|e| if e.path().is_dir() { file_count(&e.path()) } else { 1 }).sum()
}

#[test]
fn a_run_that_is_killed_at_any_moment_is_finished_and_nothing_is_doubled() {
    let sent = sent_by_all();
    let whole = started();
    sent.receive(&whole);
    let shown: Vec<_> = SHOWN.iter().map(|view| whole.ask(view, &[])).collect();
    let killed = std::cell::Cell::new(0);
    hold(cases(8), &(0usize..40, 0u32..2000), |(files, spins)| {
        let authority = started();
        let folder = sent.offer(&authority);
        let before = file_count(&authority.lake());
        let mut child = rollcall()
            .args(["ingest", folder.to_str().unwrap(), "--received-at", &sent.at()])
            .current_dir(authority.lake())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // The moment is told by what has been written so far, and a little more.
        while child.try_wait().unwrap().is_none() {
            if before + files <= file_count(&authority.lake()) {
                (0..spins).for_each(|_| std::hint::spin_loop());
                child.kill().unwrap();
                break;
            }
        }
        killed.set(killed.get() + u32::from(!child.wait().unwrap().success()));
        let belief = authority.ask(BELIEF, &[]);
        prop_assert!(belief.is_empty() || belief == shown[0], "half a run is shown");
        sent.receive(&authority);
        for (view, shown) in SHOWN.iter().zip(&shown) {
            prop_assert_eq!(&authority.ask(view, &[]), shown, "{}", view);
        }
        Ok(())
    });
    assert!(0 < killed.get(), "no run was killed before its end");
}

#[test]
fn a_disk_that_is_full_is_said_and_loses_nothing() {
    let sent = sent_by_all();
    let whole = started();
    sent.receive(&whole);
    let mut refused = 0;
    // No file may grow beyond so many blocks of 512 bytes, as on a disk with no more room.
    for blocks in [0, 1, 2, 4, 6, 8, 12, 16] {
        let authority = started();
        let folder = sent.offer(&authority);
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let out = std::process::Command::new("sh")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_rollcall"), "ingest", folder.to_str().unwrap()])
            .args(["--received-at", &sent.at()])
            .current_dir(authority.lake())
            .output()
            .unwrap();
        let told = said(&out);
        assert!(!told.contains("panicked"), "{blocks} blocks: {told}");
        if !out.status.success() {
            refused += 1;
            assert!(told.contains("too large") || told.contains("No space"), "{blocks} blocks: {told}");
        }
        let belief = authority.ask(BELIEF, &[]);
        assert!(belief.is_empty() || belief == whole.ask(BELIEF, &[]), "{blocks} blocks: half a run is shown");
        sent.receive(&authority);
        for view in SHOWN {
            assert_eq!(authority.ask(view, &[]), whole.ask(view, &[]), "{blocks} blocks: {view}");
        }
    }
    assert!(3 < refused, "the limit was never met");
}

#[test]
fn a_problem_that_was_mended_stays_mended_when_the_same_bytes_come_again() {
    let authority = started();
    let faulty = week(140001, "2026-09-07", &[(PUPILS[0], "/\\/@/\\/\\/\\")]);
    let right = faulty.replace("@", "I");
    let open =
        || authority.ask("SELECT rule FROM quality.problem WHERE fixed_by IS NULL AND rule = 'unknown_code'", &[]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &faulty)]);
    assert_eq!(open(), ["unknown_code"]);
    authority.receive("2026-09-12T18:00:00Z", &[("m.csv", &right)]);
    assert_eq!(open(), [""; 0]);
    authority.receive("2026-09-13T18:00:00Z", &[("m.csv", &faulty), ("n.csv", &right)]);
    assert_eq!(open(), [""; 0]);
    assert_eq!(authority.ask("SELECT count(*) FROM quality.problem WHERE rule = 'unknown_code'", &[]), ["1"]);
}

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

#[test]
fn what_a_school_sent_before_gias_knew_it_is_taken_once_it_does() {
    let authority = started();
    let there = "/\\/\\/\\/\\/\\";
    let one_week = |marks| week(140009, "2026-09-07", &[(PUPILS[0], marks)]);
    let of_two = |marks| {
        week(140001, "2026-09-14", &[(PUPILS[0], marks)]) + &week(140009, "2026-09-14", &[(PUPILS[0], "INNNNNNNNN")])
    };
    authority.receive("2026-09-04T18:00:00Z", &[("roll.csv", &roll(140009, &PUPILS[..2]))]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &one_week("OOOOOOOOOO"))]);
    authority.receive("2026-09-12T18:00:00Z", &[("m.csv", &one_week("OOOOOOOO/@"))]);
    authority.receive("2026-09-18T18:00:00Z", &[("two.csv", &of_two("OOOOOOOOOO"))]);
    authority.receive("2026-09-19T18:00:00Z", &[("one.csv", &week(140001, "2026-09-14", &[(PUPILS[0], there)]))]);
    let believed = "SELECT urn, week_start, marks FROM ledger.register_week WHERE known_to IS NULL";
    let of_the_other = "140001,2026-09-14,/\\/\\/\\/\\/\\....";
    assert_eq!(authority.ask(believed, &[]), [of_the_other]);
    let open = "SELECT count(*) FROM quality.problem WHERE fixed_by IS NULL AND rule = 'unknown_urn'";
    assert_ne!(authority.ask(open, &[]), ["0"]);

    let told = SCHOOLS.to_owned() + "140009,850,Hampshire,4009,Dogwood Academy,34,1,Secondary,16501,Trees Trust\n";
    authority.receive("2026-09-20T18:00:00Z", &[("gias.csv", &told)]);
    let all = [of_the_other, "140009,2026-09-07,OOOOOOOO/O....", "140009,2026-09-14,INNNNNNNNN...."];
    assert_eq!(authority.ask(believed, &[]), all);
    assert_eq!(authority.ask(believed, &["--known-at", "2026-09-19"]), [of_the_other]);
    assert_eq!(authority.ask(open, &[]), ["0"]);
    let enrolled = "SELECT count(*) FROM metrics.pupil_year WHERE urn = 140009 AND 0 < possible";
    assert_eq!(authority.ask(enrolled, &[]), ["1"]);
    let uneven = "SELECT count(*) FROM ledger.return WHERE rows_in <> rows_kept + rows_refused";
    assert_eq!(authority.ask(uneven, &[]), ["0"]);
    // A row that was refused for another reason is refused again, and what is wrong with it listed.
    let rules = "SELECT rule FROM quality.problem WHERE fixed_by IS NULL AND urn = 140009 AND severity = 'refuse_row'";
    assert_eq!(authority.ask(rules, &[]), ["unknown_code"]);

    // Nothing is taken a third time, and a rebuild gives the same.
    let before = SHOWN.map(|view| authority.ask(view, &[]));
    authority.receive("2026-09-21T18:00:00Z", &[("gias.csv", &told.replace("Dogwood", "Elder"))]);
    assert_eq!(authority.ask(believed, &[]), all);
    authority.ok(&["replay"]);
    for (view, before) in SHOWN.iter().zip(before).filter(|(view, _)| !view.contains("return")) {
        assert_eq!(authority.ask(view, &[]), before, "{view}");
    }
}

#[test]
fn what_came_of_an_unknown_school_is_taken_whatever_comes_with_gias_and_in_whatever_order() {
    let gias = SCHOOLS.to_owned() + "140009,850,Hampshire,4009,Dogwood Academy,34,1,Secondary,16501,Trees Trust\n";
    let of = |monday, marks| week(140009, monday, &[(PUPILS[0], marks)]);
    let first = ("2026-09-11T18:00:00Z", vec![("m.csv", of("2026-09-07", "OOOOOOOOOO"))]);
    let other = ("2026-09-18T18:00:00Z", vec![("m.csv", of("2026-09-14", "IIIIIIIIII"))]);
    let known = (
        "2026-09-19T18:00:00Z",
        vec![("gias.csv", gias), ("roll.csv", roll(140009, &PUPILS[..1])), ("m.csv", of("2026-09-07", "OOOOOOOO/\\"))],
    );
    let later = ("2026-09-20T18:00:00Z", vec![("m.csv", of("2026-09-14", "IIIIIIII/\\"))]);
    let believed = "SELECT week_start, marks FROM ledger.register_week WHERE urn = 140009 AND known_to IS NULL";
    let open = "SELECT count(*) FROM quality.problem WHERE fixed_by IS NULL AND rule = 'unknown_urn'";
    // In turn; the school known first; what came first last of all, after what came after it.
    for order in [[&first, &other, &known, &later], [&known, &first, &other, &later], [&known, &later, &other, &first]]
    {
        let authority = started();
        for (at, files) in order {
            let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
            let out = authority.receive(at, &files);
            assert!(out.status.success(), "{}", said(&out));
        }
        let all = ["2026-09-07,OOOOOOOO/\\....", "2026-09-14,IIIIIIII/\\...."];
        assert_eq!(authority.ask(believed, &[]), all);
        assert_eq!(authority.ask(open, &[]), ["0"]);
        authority.ok(&["replay"]);
        assert_eq!(authority.ask(believed, &[]), all);
    }
}

#[test]
fn a_problem_without_a_day_is_mended_by_a_return_of_all_its_days() {
    let authority = started();
    let of = |monday: &str| week(140001, monday, &[(PUPILS[0], "/\\/\\/\\/\\/\\"), (PUPILS[1], "IIIIIIIIII")]);
    let open = || {
        authority
            .ask("SELECT DISTINCT rule FROM quality.problem WHERE fixed_by IS NULL AND severity = 'refuse_row'", &[])
    };
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &of("2026-09-07").replace(PUPILS[1], "H85020072"))]);
    assert_eq!(open(), ["upn_shape"]);
    authority.receive("2026-09-18T18:00:00Z", &[("m.csv", &of("2026-09-14"))]);
    assert_eq!(open(), ["upn_shape"]);
    authority.receive("2026-09-19T18:00:00Z", &[("m.csv", &of("2026-09-07"))]);
    assert_eq!(open(), [""; 0]);
}

#[test]
fn a_file_that_nothing_can_be_said_of_is_mended_by_the_one_in_its_place() {
    let authority = started();
    let good = week(140001, "2026-09-07", &[(PUPILS[0], "/\\/\\/\\/\\/\\")]);
    let open =
        || authority.ask("SELECT rule, rows FROM quality.problem WHERE fixed_by IS NULL AND severity <> 'warn'", &[]);
    let faults = [
        (good.replace("Mark\n", "Attendance\n"), "missing_column,1"),
        (good.replace("URN,UPN,Date,Session,Mark", "A,B,C,D,E"), "unknown_header,1"),
        (good.replace("140001,", "1.4E+05,"), "damaged_by_spreadsheet,10"),
        // Every row is counted, though morning and afternoon have the same fault.
        (good.replace("2026-09-", "2027-09-"), "date_in_future,10"),
    ];
    for (i, (text, told)) in faults.iter().enumerate() {
        authority.receive(&format!("2026-09-2{i}T06:00:00Z"), &[("a.csv", text)]);
        let problems = open();
        let rows: u64 = problems.iter().map(|p| p.rsplit(',').next().unwrap().parse::<u64>().unwrap()).sum();
        let (rule, expected) = told.split_once(',').unwrap();
        assert!(problems.iter().all(|p| p.starts_with(rule)), "{problems:?}");
        assert_eq!(rows.to_string(), expected, "{problems:?}");
        authority.receive(&format!("2026-09-2{i}T12:00:00Z"), &[("b.csv", &good)]);
        assert!(!open().is_empty(), "another file mends {told}");
        authority.receive(&format!("2026-09-2{i}T18:00:00Z"), &[("a.csv", &good)]);
        assert_eq!(open(), [""; 0], "{told}");
    }
}

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
    let now = authority
        .ask("SELECT rule FROM alerts.current WHERE rule = 'unauthorised_10_days'", &["--as-of", "2026-09-28"]);
    assert_eq!(now, [""; 0]);
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
