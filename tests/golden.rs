//! The golden run: a small made-up authority to exact bytes. What it came to was read by people and is kept beside
//! this file; whoever changes it means to, writes it anew with `GOLDEN=write` and reviews the difference.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Up to so many rows a view is kept as it is, of others their number and hash.
const READABLE: usize = 250;

/// Holds the printed demo, every view and the submission of its lake to what is kept.
pub fn holds(printed: &str, lake: &Path, ask: &dyn Fn(&str) -> String) {
    let mut texts = vec![("demo.txt".to_owned(), printed.to_owned())];
    let library = engine::Library::load(None).unwrap();
    let mut hashes = Vec::new();
    // A rule reads what has just come in, the catalogue is the SQL itself, and lines are numbered as they are met.
    for view in library.in_order().filter(|d| !["rules", "catalogue", "tables"].contains(&d.folder())) {
        let answer = ask(&format!("SELECT * FROM {}", view.name));
        let mut lines: Vec<&str> = answer.lines().collect();
        let rows = lines.len() - 1;
        lines[1..].sort_unstable();
        let text = lines.join("\n") + "\n";
        hashes.push(format!("{} {rows} {}\n", view.name, hash(text.as_bytes())));
        if view.folder() == "metrics" && 0 < rows && rows <= READABLE {
            texts.push((format!("{}.csv", view.name), text));
        }
    }
    hashes.sort_unstable();
    texts.push(("views.txt".to_owned(), hashes.concat()));
    for (name, question) in [
        ("alerts.csv", "SELECT rule, status, count(*) AS alerts FROM alerts.current GROUP BY 1, 2 ORDER BY 1, 2"),
        ("events.csv", "SELECT rule, to_status, count(*) AS events FROM alerts.history GROUP BY 1, 2 ORDER BY 1, 2"),
        (
            "problems.csv",
            "SELECT rule, severity, fixed_by IS NULL AS open, count(*) AS problems, sum(rows) AS rows \
             FROM quality.problem GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        ),
    ] {
        texts.push((name.to_owned(), ask(question)));
    }
    let submission = "made_up_attendance_open_data_850_202627.csv";
    texts.push((submission.to_owned(), std::fs::read_to_string(lake.join("submissions").join(submission)).unwrap()));

    let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    if std::env::var_os("GOLDEN").is_some_and(|how| how == "write") {
        std::fs::create_dir_all(&kept).unwrap();
        texts.iter().for_each(|(name, text)| std::fs::write(kept.join(name), text).unwrap());
    }
    let mut names: Vec<String> =
        std::fs::read_dir(&kept).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    texts.sort_unstable();
    assert_eq!(names, texts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    for (name, text) in texts {
        let before = std::fs::read_to_string(kept.join(&name)).unwrap();
        let differ = before.lines().zip(text.lines()).find(|(before, now)| before != now);
        assert!(before == text, "{name} is not what it was; the first line that differs: {differ:?}");
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|b| format!("{b:02x}")).collect()
}
