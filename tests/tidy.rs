//! The house rules, held over the tree itself. Each check is a function of what it looks at, and is shown
//! failing on a broken example beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use datafusion_free::{numbers_in, strip_comments};
use engine::Library;

use crate::examples::{files, sql_folder};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Which of our crates each may name; anything else is an arrow that the house does not have.
const ARROWS: [(&str, &[&str]); 7] = [
    ("model", &[]),
    ("lake", &["model"]),
    ("sources", &["lake", "model"]),
    ("engine", &["lake", "model"]),
    ("outputs", &["model"]),
    ("serve", &["engine", "model"]),
    ("rollcall", &["model", "lake", "sources", "engine", "outputs", "serve"]),
];
/// Who alone may name a library, by the beginning of its name.
const ONLY: [(&str, &[&str]); 5] = [
    ("datafusion", &["engine"]),
    ("axum", &["serve"]),
    ("tower-http", &["serve"]),
    ("deltalake", &["lake"]),
    ("calamine", &["sources"]),
];

fn wrong_arrows(dependencies: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (krate, needs) in dependencies {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == krate) else {
            wrong.push(format!("{krate} is not a crate of the house"));
            continue;
        };
        for need in needs {
            let ours = ARROWS.iter().any(|(name, _)| name == need);
            if ours && !allowed.contains(&need.as_str()) {
                wrong.push(format!("{krate} -> {need}"));
            }
            for (library, owners) in ONLY {
                if need.starts_with(library) && !owners.contains(&krate.as_str()) {
                    wrong.push(format!("{krate} names {need}"));
                }
            }
        }
    }
    wrong
}

fn metadata() -> BTreeMap<String, BTreeSet<String>> {
    let out = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let all: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let name = |v: &serde_json::Value| v["name"].as_str().unwrap_or_default().to_owned();
    let packages = all["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|p| {
            // Tests may use anything; the arrows are those of the product.
            let needs = p["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"].is_null()).map(&name);
            (name(p), needs.collect())
        })
        .collect()
}

#[test]
fn the_arrows_of_the_house() {
    let found = metadata();
    assert_eq!(found.len(), ARROWS.len());
    assert_eq!(wrong_arrows(&found), [""; 0]);
    let broken = BTreeMap::from([
        ("lake".to_owned(), BTreeSet::from(["engine".to_owned()])),
        ("outputs".to_owned(), BTreeSet::from(["datafusion-sql".to_owned()])),
        ("helpers".to_owned(), BTreeSet::new()),
    ]);
    assert_eq!(wrong_arrows(&broken).len(), 3);
}

/// What SQL text may not hold, without its comments and quotes.
mod datafusion_free {
    /// The text without `--` and `/* */` comments and without quoted strings.
    pub fn strip_comments(sql: &str) -> String {
        let mut out = String::new();
        let mut rest = sql;
        while !rest.is_empty() {
            let skip = if rest.starts_with("--") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |n| n + 2)
            } else if let Some(after) = rest.strip_prefix('\'') {
                after.find('\'').map_or(rest.len(), |n| n + 2)
            } else {
                let c = rest.chars().next().unwrap_or(' ');
                out.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            };
            out.push(' ');
            rest = &rest[skip..];
        }
        out
    }

    /// Numbers that stand by themselves, not as part of a name.
    pub fn numbers_in(sql: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut word = String::new();
        for c in sql.chars().chain([' ']) {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.') {
                word.push(c);
                continue;
            }
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                found.push(word.clone());
            }
            word.clear();
        }
        found
    }
}

/// Numbers a definition may write: everything else is policy, and stands in `[params]` or `reference/`.
const PLAIN: [&str; 5] = ["0", "1", "100", "100.0", "2"];

fn policy_numbers(name: &str, body: &str) -> Vec<String> {
    // `GROUP BY 1, 2` counts columns.
    let body = strip_comments(body).replace("GROUP BY 1, 2", "");
    numbers_in(&body).into_iter().filter(|n| !PLAIN.contains(&n.as_str())).map(|n| format!("{name}: {n}")).collect()
}

fn library() -> Library {
    Library::load(None).unwrap()
}

#[test]
fn policy_numbers_stand_in_params_or_reference() {
    let library = library();
    let judged = library.in_order().filter(|d| matches!(d.folder(), "metrics" | "alerts" | "rules" | "quality"));
    let found: Vec<String> = judged.flat_map(|d| policy_numbers(&d.name, &d.body)).collect();
    assert_eq!(found, [""; 0]);
    assert_eq!(policy_numbers("x", "SELECT 10 * absent >= possible, '50' -- 15\n"), ["x: 10"]);
}

const CLOCKS: [&str; 6] = ["now(", "current_date", "current_timestamp", "current_time", "random(", "uuid("];

fn clocks(body: &str) -> Vec<&'static str> {
    let body = strip_comments(body).to_ascii_lowercase();
    CLOCKS.into_iter().filter(|c| body.contains(c)).collect()
}

#[test]
fn no_clock_in_sql() {
    for definition in library().in_order() {
        assert_eq!(clocks(&definition.body), [""; 0], "{}", definition.name);
    }
    assert_eq!(clocks("SELECT CURRENT_DATE, now()"), ["now(", "current_date"]);
}

fn without_example(names: impl Iterator<Item = String>, has: impl Fn(&str) -> bool) -> Vec<String> {
    names.filter(|name| !has(name)).collect()
}

#[test]
fn every_metric_alert_and_rule_has_its_examples() {
    let library = library();
    let judged = library.in_order().filter(|d| matches!(d.folder(), "metrics" | "alerts" | "rules" | "quality"));
    let names: Vec<String> = judged.map(|d| d.name.clone()).collect();
    let has = |name: &str| sql_folder().join(name.replacen('.', "/", 1) + ".slt").exists();
    assert_eq!(without_example(names.into_iter(), has), [""; 0]);
    assert_eq!(without_example(["a".to_owned()].into_iter(), |_| false), ["a"]);
}

/// What a definition says otherwise than its columns are, or not at all.
fn wrong_columns(definition: &engine::Definition, real: &BTreeSet<String>) -> Vec<String> {
    let (name, mut wrong) = (&definition.name, Vec::new());
    let said: BTreeSet<String> = definition.header.columns.keys().cloned().collect();
    if *real != said {
        wrong.push(format!("{name}: has {real:?}, says {said:?}"));
    }
    if definition.header.grain.is_empty() || !definition.header.grain.iter().all(|g| real.contains(g)) {
        wrong.push(format!("{name}: its grain is not of its columns"));
    }
    for (column, says) in &definition.header.columns {
        if !matches!(says.visibility.as_str(), "pupil" | "school" | "area" | "public") || says.doc.is_empty() {
            wrong.push(format!("{name}.{column}: who may see it, and what is it?"));
        }
    }
    wrong
}

#[test]
fn every_view_says_its_grain_and_every_column_who_may_see_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let address = url::Url::from_directory_path(folder.path()).unwrap();
    let lake = lake::Lake::open(address.as_str()).unwrap();
    let library = std::sync::Arc::new(library());
    let settings = engine::Settings::within(64 << 20, 1, 850);
    let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
    let as_of = model::AsOf { as_of: day, known_at: day.and_hms_opt(0, 0, 0).unwrap().and_utc() };
    let mut wrong = Vec::new();
    runtime.block_on(async {
        let engine = engine::Engine::new(lake, std::sync::Arc::clone(&library), settings);
        let session = engine.session(&lake::RunRecord::default(), as_of).await.unwrap();
        for definition in library.in_order().filter(|d| d.folder() != "rules") {
            let columns = session.columns(&definition.name).await.unwrap();
            let real = columns.fields().iter().map(|f| f.name().clone()).collect();
            wrong.extend(wrong_columns(definition, &real));
        }
    });
    assert_eq!(wrong, [""; 0]);
    let broken =
        "/*\nabout = \"x\"\ngrain = [\"b\"]\n[columns]\na = { doc = \"\", visibility = \"all\" }\n*/\nSELECT 1 AS c";
    let broken = engine::Definition::parse("metrics/x.sql", broken).unwrap();
    assert_eq!(wrong_columns(&broken, &BTreeSet::from(["c".to_owned()])).len(), 3);
}

#[test]
fn every_rule_says_what_it_does_and_what_would_be_right() {
    let says_both = |rule: &engine::Definition| rule.header.outcome.is_some() && !rule.header.expected.is_empty();
    for rule in library().of_folder("rules") {
        assert!(says_both(rule), "{}", rule.name);
    }
    let broken = "/*\nabout = \"x\"\noutcome = \"warn\"\n*/\nSELECT 1 AS file_id";
    assert!(!says_both(&engine::Definition::parse("rules/x.sql", broken).unwrap()));
    for (name, rule) in &library().fields {
        assert!(!rule.expected.is_empty() && !rule.about.is_empty(), "{name}");
    }
}

fn reads_a_clock(code: &str) -> bool {
    ["Utc::now(", "Local::now(", "SystemTime::now(", "Instant::now("].iter().any(|c| code.contains(c))
}

#[test]
fn no_clock_in_rust_below_the_command() {
    for krate in ["model", "lake", "sources", "engine", "outputs", "serve"] {
        for file in files(&root().join("crates").join(krate).join("src"), "rs") {
            let code = std::fs::read_to_string(&file).unwrap();
            assert!(!reads_a_clock(&code), "{}", file.display());
        }
    }
    assert!(reads_a_clock("let at = chrono::Utc::now();"));
}

/// Names that say what kind of item a file holds and not what it is about.
const KINDS: [&str; 8] = ["utils", "util", "types", "common", "helpers", "manager", "traits", "misc"];

fn is_named_for_its_kind(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| KINDS.iter().any(|kind| stem == *kind))
}

#[test]
fn files_are_named_for_ideas() {
    for file in
        files(&root().join("crates"), "rs").into_iter().filter(|f| !f.to_string_lossy().contains("node_modules"))
    {
        assert!(!is_named_for_its_kind(&file), "{}", file.display());
    }
    assert!(is_named_for_its_kind(Path::new("engine/src/utils.rs")));
}

/// Items whose derived `Debug` would show a child: a field of theirs holds its key, or rows.
fn shown_children(code: &str) -> Vec<&str> {
    let is_of_child = |line: &str| {
        let field = line.trim_start().trim_start_matches("pub ");
        ["pupil_key: ", "pupil: Upn", "upns: ", "comment: "].iter().any(|of| field.starts_with(of))
            || field.contains("RecordBatch") && field.contains(": ")
    };
    let items = code.split("#[derive(").skip(1);
    let derived = items.filter_map(|item| item.split_once(")]\n")).filter(|(derives, _)| derives.contains("Debug"));
    let bodies = derived.map(|(_, body)| body.split_once("\n}").map_or(body, |(body, _)| body));
    let shown = bodies.filter(|body| body.lines().any(is_of_child));
    shown.filter_map(|body| body.lines().find(|line| line.contains("struct ") || line.contains("enum "))).collect()
}

#[test]
fn no_derived_debug_shows_a_child() {
    for file in files(&root().join("crates"), "rs") {
        if !file.to_string_lossy().contains("node_modules") {
            let code = std::fs::read_to_string(&file).unwrap();
            assert_eq!(shown_children(&code), [""; 0], "{}", file.display());
        }
    }
    let broken = "#[derive(Clone, Debug)]\npub struct Seen {\n    pub pupil_key: i64,\n}\n";
    assert_eq!(shown_children(broken), ["pub struct Seen {"]);
    assert_eq!(shown_children(&broken.replace(", Debug", "")), [""; 0]);
}
