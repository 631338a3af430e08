//! A made-up authority from end to end, and its page in a real browser.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::authority::{rollcall, said};
use crate::examples::doubles;

/// A server that ends with the test.
struct Served {
    child: Child,
    address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(lake: &Path) -> Served {
    let mut child = rollcall()
        .args(["serve", "--address", "127.0.0.1:0", "--as-of", "2026-11-06"])
        .current_dir(lake)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find(|w| w.starts_with("http://")).unwrap_or_default().to_owned();
    assert!(!address.is_empty(), "{line}");
    Served { child, address }
}

/// What an address answers.
fn fetched(address: &str, path: &str) -> Value {
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{head}");
    serde_json::from_str(body).unwrap()
}

/// Every figure of the page under its own name, also as known earlier.
fn the_page_says_what_the_ledger_says(address: &str, known_at: Option<&str>, ask: &dyn Fn(&str) -> Value) {
    let known = known_at.map(|at| format!("?known_at={at}")).unwrap_or_default();
    let page = fetched(address, &format!("/api/overview.json{known}"));
    let same = |part: &str, question: &str, names: &[(&str, &str)]| {
        let (said, held) = (page[part].as_array().unwrap(), ask(question));
        let held = held.as_array().unwrap();
        assert!(!held.is_empty() && said.len() == held.len(), "{part}");
        for said in said {
            // In whatever order: the first name is the key.
            let is_its = |held: &&Value| said[names[0].0] == held[names[0].1];
            let held = held.iter().find(is_its).unwrap_or_else(|| panic!("{part}: {said}"));
            for (name, column) in names {
                assert_eq!(said[*name], held[*column], "{part}.{name}");
            }
        }
    };
    let alike = |names: &'static [&'static str]| names.iter().map(|name| (*name, *name)).collect::<Vec<_>>();
    let rates = ["absence_percent", "persistent_percent", "severe_percent"];
    let of_phase = alike(&[
        "phase",
        "schools_received",
        "schools_expected",
        "enrolments",
        "absence_percent",
        "authorised_percent",
        "unauthorised_percent",
        "persistent_percent",
        "severe_percent",
    ]);
    same("phases", "SELECT * FROM serving.overview_phase ORDER BY phase", &of_phase);
    let of_school = alike(&[
        "urn",
        "name",
        "phase",
        "enrolments",
        "absence_percent",
        "persistent",
        "persistent_percent",
        "severe",
        "severe_percent",
        "refused_rows",
    ]);
    same("schools", "SELECT * FROM serving.overview_school ORDER BY urn", &of_school);
    let of_week = [
        ("week_start", "week_start"),
        ("area", "absence_percent"),
        ("england", "england_percent"),
        ("settled", "is_settled"),
        ("schools_received", "schools_received"),
        ("schools_expected", "schools_expected"),
    ];
    same("weeks", "SELECT * FROM serving.overview_week ORDER BY week_start", &of_week);
    same(
        "alerts",
        "SELECT * FROM serving.overview_alert ORDER BY rule",
        &alike(&["rule", "standing", "new", "retracted"]),
    );
    let total = &ask("SELECT * FROM metrics.area_year WHERE phase = 'Total'")[0];
    let said = page["headlines"].as_array().unwrap();
    for (measure, rate) in ["Overall absence", "Persistent absence", "Severe absence"].iter().zip(rates) {
        let headline = said.iter().find(|headline| headline["measure"] == *measure).unwrap();
        assert_eq!(headline["value"], total[rate], "{measure}");
    }
    let unauthorised = said.iter().find(|headline| headline["measure"] == "Unauthorised absence").unwrap();
    let part = 100.0 * total["unauthorised"].as_f64().unwrap() / total["possible"].as_f64().unwrap();
    assert!((unauthorised["value"].as_f64().unwrap() - part).abs() < 1e-9);
    if let Some(at) = known_at {
        assert_eq!(page["stamp"]["known_at"], at);
    }
}

#[test]
fn the_demo_and_its_page_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let out = rollcall()
        .args(["demo", "--no-serve", "--schools", "8", "--pupils", "1600", "--until", "2026-11-06", "--dir", "demo"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = said(&out);
    assert!(out.status.success(), "{text}");
    for words in ["Three schools to worry about", "Absence by week", "Refused, and why", "penalty_threshold"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let lake = folder.path().join("demo/lake");

    // What is kept is what is worked out afresh, and a rebuild from landing gives the same.
    let ask = |more: &[&str]| {
        let views =
            ["metrics.area_year", "metrics.school_year", "metrics.cohort_year", "alerts.current", "metrics.child_year"];
        views.map(|view| {
            let sql = format!("SELECT * FROM {view}");
            let mut arguments = vec!["query", sql.as_str(), "--format", "csv", "--as-of", "2026-11-06"];
            arguments.extend(more);
            let out = rollcall().args(arguments).current_dir(&lake).output().unwrap();
            assert!(out.status.success(), "{}", said(&out));
            let mut rows: Vec<String> = String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect();
            rows.sort();
            rows
        })
    };
    let run = |arguments: &[&str]| {
        let out = rollcall().args(arguments).current_dir(&lake).output().unwrap();
        assert!(out.status.success(), "{arguments:?}: {}", said(&out));
        said(&out)
    };
    // No view has two rows of its grain.
    let library = engine::Library::load(None).unwrap();
    let views = library.in_order().filter(|d| !d.header.grain.is_empty());
    let counts: Vec<String> = views
        .map(|d| format!("SELECT '{}' AS name, ({}) AS doubles", d.name, doubles(&d.name, &d.header.grain)))
        .collect();
    assert!(40 < counts.len(), "{}", counts.len());
    let sql = format!("SELECT name FROM ({}) WHERE 0 < doubles", counts.join(" UNION ALL "));
    assert_eq!(run(&["query", &sql, "--format", "csv", "--as-of", "2026-11-06"]).trim(), "name");
    let fresh = ask(&["--fresh"]);
    // The last arrival was of that day: it left every figure behind, and nothing is left to build.
    let built = run(&["build", "--as-of", "2026-11-06"]);
    assert!(built.contains("kept already"), "{built}");
    assert!(lake.join("lake/kept/metrics.pupil_year").is_dir());
    assert_eq!(ask(&[]), fresh);
    // Of another day it is not.
    let built = run(&["build", "--as-of", "2026-10-15"]);
    assert!(built.contains("metrics.pupil_year"), "{built}");
    assert_eq!(ask(&[]), fresh);
    run(&["replay"]);
    assert_eq!(ask(&["--fresh"]), fresh);

    // The night's steps: the same file twice.
    let first = run(&["run", "nightly", "--as-of", "2026-11-06"]);
    assert!(first.contains("10 tables") && first.contains("made_up_attendance_open_data_850_202627.csv"), "{first}");
    assert!(
        run(&["submission", "build", "attendance_open_data", "--as-of", "2026-11-06"]).contains("the same as before")
    );

    let csv = |question: &str| run(&["query", question, "--format", "csv", "--as-of", "2026-11-06"]);
    crate::golden::holds(&String::from_utf8_lossy(&out.stdout), &lake, &csv);

    let served = serve(&lake);
    for known_at in [None, Some("2026-10-01T00:00:00Z")] {
        the_page_says_what_the_ledger_says(&served.address, known_at, &|question: &str| {
            let mut arguments = vec!["query", question, "--format", "json", "--as-of", "2026-11-06"];
            arguments.extend(known_at.iter().flat_map(|at| ["--known-at", at]));
            let out = rollcall().args(arguments).current_dir(&lake).output().unwrap();
            String::from_utf8(out.stdout)
                .unwrap()
                .lines()
                .map(|row| serde_json::from_str::<Value>(row).unwrap())
                .collect()
        });
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = Command::new("node")
        .arg("tests/browser/overview.mjs")
        .arg(&served.address)
        .env("DEMO", "1")
        .current_dir(root)
        .output()
        .expect("node is needed: infra/check brings what the browser test uses");
    assert!(out.status.success(), "{}", said(&out));
}
