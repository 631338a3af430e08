//! What the ledger promises: the same belief whatever the order, the same answer whenever it is asked,
//! all of a run or none of it.

use lake::Table;
use proptest::prelude::*;

use crate::authority::{Authority, SCHOOLS, all_files, roll, rollcall, said, week};
use crate::property::{cases, hold};

pub const PUPILS: [&str; 3] = ["Q850200120003", "H850200723000", "T20110001804V"];
pub const BELIEF: &str = "SELECT urn, pupil_key, week_start, marks, known_from, known_to FROM ledger.register_week";
/// What is made of the belief: figures, days, alerts with their changes, and problems, a line a row.
pub const FIGURES: &str = "SELECT concat_ws(' ', 'pupil', pupil_key, urn, possible, attended, absent, authorised, unauthorised, late, missing_marks) FROM metrics.pupil_year \
    UNION ALL SELECT concat_ws(' ', 'week', week_start, phase, schools_expected, schools_received, possible, absent, late, is_settled) FROM metrics.area_week \
    UNION ALL SELECT concat_ws(' ', 'code', urn, code, sessions) FROM metrics.school_code_year \
    UNION ALL SELECT concat_ws(' ', 'day', urn, date, expected, received, missing_marks, stale_n, returned_at, is_late) FROM quality.school_day \
    UNION ALL SELECT concat_ws(' ', 'alert', alert_id, rule, pupil_key, urn, raised_on, status, evidence) FROM alerts.current \
    UNION ALL SELECT concat_ws(' ', 'change', alert_id, changed_at, from_status, to_status, reason) FROM alerts.history \
    UNION ALL SELECT concat_ws(' ', 'problem', problem_id, urn, file, line, rule, found, first_seen, fixed_by) FROM quality.problem";

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
    // Some of O alone, or nearly, so that alerts are raised and taken back; `?` is no code.
    let any = proptest::sample::select(vec!['/', '\\', 'I', 'O', 'N', '.', '#', 'D', 'L', '?']);
    let often = proptest::sample::select(vec!['O', 'O', 'O', 'O', 'O', 'O', 'O', 'O', '.', 'G']);
    prop_oneof![proptest::collection::vec(any, 10), proptest::collection::vec(often, 10)]
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

pub fn started() -> Authority {
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

#[test]
fn reordered_doubled_and_replayed_arrivals_end_in_the_same_belief() {
    hold(cases(4), &(arrivals(), any::<u64>()), |(sent, seed)| {
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
        }
        prop_assert_eq!(&in_order.ask(FIGURES, &["--as-of", "2026-10-30"]), &figures);
        Ok(())
    });
}

#[test]
fn as_known_at_a_time_is_the_ledger_stopped_at_that_time() {
    hold(cases(4), &arrivals(), |sent| {
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
fn days_upon_days_leave_few_files() {
    let authority = started();
    let config = authority.lake().join("lake/runs");
    let named = || {
        let newest = all_files(&config)
            .into_iter()
            .max_by_key(|(path, _)| path.file_stem().unwrap().to_string_lossy().parse::<u64>().unwrap());
        let run: serde_json::Value = serde_json::from_slice(&newest.unwrap().1).unwrap();
        let tables = run["tables"].as_object().unwrap();
        tables.iter().map(|(name, table)| (name.clone(), table["files"].as_array().unwrap().len())).collect::<Vec<_>>()
    };
    // Every school day sends its week so far, with the morning of the day before put right.
    let first = chrono::NaiveDate::from_ymd_opt(2026, 9, 7).unwrap();
    let days = first.iter_days().filter(|day| chrono::Datelike::weekday(day).num_days_from_monday() < 5);
    let mut counted = Vec::new();
    for (n, day) in days.take(24).enumerate() {
        let in_week = chrono::Datelike::weekday(&day).num_days_from_monday() as usize;
        let monday = (day - chrono::Days::new(in_week as u64)).to_string();
        let marks = "/\\".repeat(in_week) + "N\\" + &"..".repeat(4 - in_week);
        let rows = [(PUPILS[0], marks.as_str()), (PUPILS[1], marks.as_str())];
        let files =
            [("a.csv", week(140001, &monday, &rows)), ("b.csv", week(140002, &monday, &rows) + "140002,bad,,,\n")];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        authority.receive(&format!("{day}T18:00:00Z"), &files);
        if n % 12 == 11 {
            counted.push(named());
        }
    }
    // Registers lie by month: a few files each, however many days have been sent; all else in a few.
    for (months, tables) in (1..).zip(&counted) {
        let is_few =
            |(name, files): &(String, usize)| *files <= if name == "register_week" { 6 + 6 * months } else { 8 };
        assert!(tables.iter().all(is_few), "{counted:?}");
    }
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
fn what_was_tampered_with_is_told_and_nothing_is_made_of_it() {
    let authority = started();
    authority
        .receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(PUPILS[0], "/\\/\\/\\/\\/\\")]))]);
    authority.ok(&["doctor"]);
    let belief = authority.ask(BELIEF, &[]);
    let lake = authority.lake().join("lake");
    let written = all_files(&lake);
    let restore = || {
        std::fs::remove_dir_all(&lake).unwrap();
        for (path, bytes) in &written {
            std::fs::create_dir_all(lake.join(path).parent().unwrap()).unwrap();
            std::fs::write(lake.join(path), bytes).unwrap();
        }
    };
    let below = |folder: &str, ending: &str| -> Vec<&(std::path::PathBuf, Vec<u8>)> {
        let is_of = |path: &std::path::Path| path.starts_with(folder) && path.to_string_lossy().ends_with(ending);
        written.iter().filter(|(path, _)| is_of(path)).collect()
    };
    let changed = |(path, bytes): &(std::path::PathBuf, Vec<u8>), from: &str, to: &str| {
        let text = String::from_utf8_lossy(bytes);
        assert!(text.contains(from), "{}", path.display());
        std::fs::write(lake.join(path), text.replacen(from, to, 1)).unwrap();
    };
    let receipts = below("landing/receipts", ".json");
    let marks =
        below("landing/drop", "").into_iter().find(|(_, bytes)| bytes.starts_with(b"URN,UPN,Date,Session,Mark"));
    let tampered: [(&str, &dyn Fn()); 3] = [
        ("are not those that landed", &|| changed(marks.unwrap(), "AM,/", "AM,O")),
        ("does not name the receipt before it", &|| changed(receipts[0], "05:00:00", "06:00:00")),
        ("have a receipt", &|| std::fs::remove_file(lake.join(&receipts[1].0)).unwrap()),
    ];
    for (says, tamper) in tampered {
        tamper();
        for command in ["doctor", "replay"] {
            let out = authority.run(&[command]);
            assert!(!out.status.success() && said(&out).contains(says), "{command}: {}", said(&out));
        }
        assert_eq!(all_files(&lake.join("runs")).len(), 2, "{says}");
        restore();
    }
    // What is made of landing can be made again.
    let (path, mut bytes) = below("tables/register_week", ".parquet")[0].clone();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(lake.join(path), bytes).unwrap();
    let out = authority.run(&["doctor"]);
    assert!(!out.status.success() && said(&out).contains("its content has changed"), "{}", said(&out));
    authority.ok(&["replay"]);
    authority.ok(&["doctor"]);
    assert_eq!(authority.ask(BELIEF, &[]), belief);
}

#[test]
fn a_run_that_is_cut_off_is_finished_and_nothing_is_doubled() {
    let faulty = week(140001, "2026-08-31", &[(PUPILS[0], "..../\\/@/\\")]);
    let begun = || {
        let authority = started();
        authority.receive("2026-09-05T18:00:00Z", &[("faulty.csv", &faulty)]);
        authority
    };
    let sent = sent_to_every_table(&faulty.replace('@', "I"));
    let (none, whole) = (begun(), begun());
    sent.receive(&whole);
    let beliefs = [&none, &whole].map(|authority| authority.ask(BELIEF, &[]));
    let shown = SHOWN.map(|view| whole.ask(view, &[]));
    let tables = Table::ALL.map(Table::name);
    for point in tables.into_iter().chain(["before the run record", "after the run record"]) {
        let authority = begun();
        let folder = sent.offer(&authority);
        let out = rollcall()
            .args(["ingest", folder.to_str().unwrap(), "--received-at", &sent.at()])
            .env("ROLLCALL_CRASH_AT", point)
            .current_dir(authority.lake())
            .output()
            .unwrap();
        assert!(!out.status.success(), "{point} was not reached");
        // Readers see none of it, or all of it.
        assert!(beliefs.contains(&authority.ask(BELIEF, &[])), "{point}");
        // The next run finishes it first; the same arrival again changes nothing.
        sent.receive(&authority);
        for (view, shown) in SHOWN.iter().zip(&shown) {
            assert_eq!(authority.ask(view, &[]), *shown, "{point}: {view}");
        }
    }
}

/// What readers are shown of a ledger and its runs.
const SHOWN: [&str; 4] =
    [BELIEF, "SELECT * FROM ledger.return", "SELECT * FROM quality.problem", "SELECT * FROM alerts.history"];

/// An arrival that every table takes rows of: what mends `marks` that came before, and each kind of file.
fn sent_to_every_table(marks: &str) -> Sent {
    let [a, b, _] = PUPILS;
    let former = format!(
        "URN,UPN,FormerUPN,Surname,Forename,DOB,Sex,NCYear,EntryDate\n140002,A850200720001,{b},Made,Up,2016-01-01,F,5,2026-09-01\n"
    );
    let late =
        format!("URN,UPN,Date,Session,Mark,MinutesLate\n140002,{a},2026-09-28,AM,L,9\n140002,{a},2026-09-28,PM,?,\n");
    let files = [
        ("calendar.csv", "URN,Date,Session,Open\n140001,2026-10-26,AM,N\n".to_owned()),
        ("cases.csv", format!("UPN,Kind,Opened\n{a},CME,2026-10-01\n")),
        ("gias.csv", SCHOOLS.replace("Ash Primary", "Ash Tree Primary")),
        ("late.csv", late),
        (
            "links.csv",
            "URN,LinkURN,LinkName,LinkType,LinkEstablishedDate\n140002,140003,Cedar School,Successor,01-09-2026\n"
                .to_owned(),
        ),
        ("marks.csv", marks.to_owned()),
        ("notices.csv", format!("URN,UPN,Type,Date\n140001,{a},penalty_notice_issued,2026-10-05\n")),
        ("roll_2.csv", former),
        ("weeks.csv", sent_by_all().files.swap_remove(0).1),
    ];
    Sent { day: 40, files: files.map(|(name, text)| (name.to_owned(), text)).to_vec() }
}

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

#[test]
fn arrivals_that_come_at_once_are_all_taken() {
    let authority = started();
    let arrivals: Vec<Sent> = (0..4)
        .map(|n| {
            let monday = chrono::NaiveDate::from_ymd_opt(2026, 9, 7).unwrap() + chrono::Days::new(7 * n);
            let text = week(140001, &monday.to_string(), &[(PUPILS[0], "/\\/\\/\\/\\/\\")]);
            Sent { day: n as u32, files: vec![(format!("m_{n}.csv"), text)] }
        })
        .collect();
    let running: Vec<_> = arrivals
        .iter()
        .map(|sent| {
            let folder = sent.offer(&authority);
            let mut command = rollcall();
            command.args(["ingest", folder.to_str().unwrap(), "--received-at", &sent.at()]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.current_dir(authority.lake()).spawn().unwrap()
        })
        .collect();
    for child in running {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", said(&out));
    }
    let one_by_one = started();
    arrivals.iter().for_each(|sent| sent.receive(&one_by_one));
    assert_eq!(authority.ask(BELIEF, &[]), one_by_one.ask(BELIEF, &[]));
    assert_eq!(authority.ask("SELECT count(*) FROM ledger.return", &[]), ["7"]);
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
    let shown = SHOWN.map(|view| whole.ask(view, &[]));
    let killed = std::cell::Cell::new(0);
    let property = |(files, spins): (usize, u32)| {
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
    };
    // As soon as it begins, whatever the seeds are.
    property((0, 0)).unwrap();
    assert_eq!(killed.get(), 1, "no run was killed before its end");
    hold(cases(8), &(0usize..40, 0u32..2000), property);
}

#[test]
fn a_disk_that_is_full_is_said_and_loses_nothing() {
    let sent = sent_by_all();
    let whole = started();
    sent.receive(&whole);
    let shown = SHOWN.map(|view| whole.ask(view, &[]));
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
        assert!(belief.is_empty() || belief == shown[0], "{blocks} blocks: half a run is shown");
        sent.receive(&authority);
        for (view, shown) in SHOWN.iter().zip(&shown) {
            assert_eq!(authority.ask(view, &[]), *shown, "{blocks} blocks: {view}");
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
