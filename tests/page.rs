//! A made-up authority from end to end, and its page in a real browser.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
        .args(["serve", "--address", "127.0.0.1:0", "--as-of", "2026-10-16"])
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

#[test]
fn the_demo_and_its_page_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let out = rollcall()
        .args(["demo", "--no-serve", "--schools", "8", "--pupils", "1600", "--until", "2026-10-16", "--dir", "demo"])
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
            let mut arguments = vec!["query", sql.as_str(), "--format", "csv", "--as-of", "2026-10-16"];
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
    assert_eq!(run(&["query", &sql, "--format", "csv", "--as-of", "2026-10-16"]).trim(), "name");
    let fresh = ask(&["--fresh"]);
    // The last arrival was of that day: it left every figure behind, and nothing is left to build.
    let built = run(&["build", "--as-of", "2026-10-16"]);
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
    let first = run(&["run", "nightly", "--as-of", "2026-10-16"]);
    assert!(first.contains("10 tables") && first.contains("made_up_attendance_open_data_850_202627.csv"), "{first}");
    assert!(run(&["submission", "attendance_open_data", "--as-of", "2026-10-16"]).contains("the same as before"));

    let csv = |question: &str| run(&["query", question, "--format", "csv", "--as-of", "2026-10-16"]);
    crate::golden::holds(&String::from_utf8_lossy(&out.stdout), &lake, &csv);

    let served = serve(&lake);
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
