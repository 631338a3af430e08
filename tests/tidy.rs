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
const PLAIN: [&str; 4] = ["0", "1", "100", "100.0"];

/// What is no policy: half days of a day, and the month in which a school year begins.
const ARITHMETIC: [(&str, &[&str]); 2] = [("tables.closed_week", &["2"]), ("tables.enrolment_year", &["9"])];

fn policy_numbers(name: &str, body: &str) -> Vec<String> {
    // `GROUP BY 1, 2` counts columns.
    let is_of_list = |c: char| c.is_ascii_digit() || matches!(c, ',' | ' ');
    let without = strip_comments(body);
    let without: String = without.split("GROUP BY ").map(|part| part.trim_start_matches(is_of_list)).collect();
    let plain = ARITHMETIC.iter().filter(|(of, _)| *of == name).flat_map(|(_, numbers)| *numbers).chain(&PLAIN);
    let plain: Vec<&str> = plain.copied().collect();
    let dates = body.split("DATE '").skip(1).filter_map(|rest| rest.split_once('\'')).map(|(date, _)| date.to_owned());
    let numbers = numbers_in(&without).into_iter().filter(|n| !plain.contains(&n.as_str()));
    numbers.chain(dates).map(|n| format!("{name}: {n}")).collect()
}

fn library() -> Library {
    Library::load(None).unwrap()
}

#[test]
fn policy_numbers_stand_in_params_or_reference() {
    let library = library();
    let found: Vec<String> = library.in_order().flat_map(|d| policy_numbers(&d.name, &d.body)).collect();
    assert_eq!(found, [""; 0]);
    let broken = "SELECT 10 * absent >= possible, '50', DATE '2024-08-19' -- 15\n";
    assert_eq!(policy_numbers("x", broken), ["x: 10", "x: 2024-08-19"]);
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

/// Whether examples ask a definition, and are given at least one row of it. A rule is asked by the name of its problem.
fn is_example_of(name: &str, slt: &str) -> bool {
    let asks = |statement: &&str| statement.contains(name) && statement.starts_with("query");
    let answers = slt.split("\n\n").map(str::trim_start).filter(asks);
    answers.filter_map(|statement| statement.split_once("----\n")).any(|(_, rows)| !rows.trim().is_empty())
}

fn without_example(names: impl Iterator<Item = String>, slt: impl Fn(&str) -> String) -> Vec<String> {
    names.filter(|name| !is_example_of(name, &slt(name))).collect()
}

#[test]
fn every_metric_alert_and_rule_has_its_examples() {
    let library = library();
    let judged = library.in_order().filter(|d| matches!(d.folder(), "metrics" | "alerts" | "rules" | "quality"));
    let names: Vec<String> = judged.map(|d| d.name.clone()).collect();
    let slt = |name: &str| {
        std::fs::read_to_string(sql_folder().join(name.replacen('.', "/", 1) + ".slt")).unwrap_or_default()
    };
    assert_eq!(without_example(names.into_iter(), slt), [""; 0]);
    for broken in ["", "query I\nSELECT 1\n----\n1\n", "query I\nSELECT x FROM a.b\n----\n"] {
        assert_eq!(without_example(["a.b".to_owned()].into_iter(), |_| broken.to_owned()), ["a.b"], "{broken}");
    }
    assert!(is_example_of("a.b", "query I\nSELECT x FROM a.b\n----\n1\n"));
}

/// Measures that outsiders read as whole numbers.
const COUNTS: [&str; 14] = [
    "possible",
    "attended",
    "absent",
    "authorised",
    "unauthorised",
    "late",
    "missing_marks",
    "enrolments",
    "persistent",
    "severe",
    "sessions",
    "schools_expected",
    "schools_received",
    "received",
];

/// Columns that are not of the type outsiders rely on: rates are DOUBLE, counts BIGINT.
fn wrong_types(name: &str, columns: &arrow::datatypes::Schema) -> Vec<String> {
    use arrow::datatypes::DataType;
    let is_wrong = |field: &arrow::datatypes::Field| match field.name().as_str() {
        rate if rate.contains("percent") => *field.data_type() != DataType::Float64,
        count if COUNTS.contains(&count) => *field.data_type() != DataType::Int64,
        _ => false,
    };
    let wrong = columns.fields().iter().filter(|field| is_wrong(field));
    wrong.map(|field| format!("{name}.{} is {}", field.name(), field.data_type())).collect()
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
            if matches!(definition.folder(), "metrics" | "alerts" | "quality") {
                wrong.extend(wrong_types(&definition.name, &columns));
            }
        }
    });
    assert_eq!(wrong, [""; 0]);
    let broken = ["late", "absence_percent"]
        .map(|name| arrow::datatypes::Field::new(name, arrow::datatypes::DataType::Int32, true));
    assert_eq!(wrong_types("x", &arrow::datatypes::Schema::new(broken.to_vec())).len(), 2);
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
        let (name, kind) = line.trim().split_once(": ").unwrap_or_default();
        let name = name.rsplit(' ').next().unwrap_or_default();
        let is_of_child =
            ["pupil_key", "pupil", "pupils", "child", "children", "unread", "key", "keys", "upns", "comment"];
        is_of_child.contains(&name) && ["i64", "Upn", "PupilKey", "String"].iter().any(|of| kind.contains(of))
            || kind.contains("RecordBatch")
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
    for field in
        ["pub(super) children: Vec<(i64, Option<i32>)>", "unread: HashSet<i64>", "pub child: i64", "rows: RecordBatch"]
    {
        assert_eq!(shown_children(&broken.replace("pub pupil_key: i64", field)), ["pub struct Seen {"], "{field}");
    }
}

/// The row of a month of birth in the table of compulsory school age: from the first of three days on or after the
/// fifth birthday of whoever is born last in it, to the last Friday of June in the school year of the sixteenth.
fn of_compulsory_school_age(year: i32, month: u32) -> String {
    use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
    let born = day(year, month, 1) + Months::new(1) - Days::new(1);
    let fifth = day(born.year() + 5, month, 1) + Months::new(1) - Days::new(1);
    let starts = [day(fifth.year(), 3, 31), day(fifth.year(), 8, 31), day(fifth.year(), 12, 31)];
    let starts = starts.into_iter().find(|start| fifth <= *start).unwrap();
    let leaves = if month < 9 { born.year() + 16 } else { born.year() + 17 };
    let mut ends = day(leaves, 6, 30);
    while ends.weekday() != Weekday::Fri {
        ends = ends - Days::new(1);
    }
    format!("{year},{month},{starts},{ends}")
}

#[test]
fn compulsory_school_age_is_what_the_law_says() {
    let table = include_str!("../sql/reference/compulsory_school_age.csv");
    let months = (1995..2045).flat_map(|year| (1..=12).map(move |month| of_compulsory_school_age(year, month)));
    assert_eq!(table.lines().skip(1).collect::<Vec<_>>(), months.collect::<Vec<_>>());
    // Domain.md 2.1: of those who turn sixteen in that school year the last Friday is 25 June 2027.
    assert_eq!(of_compulsory_school_age(2010, 9), "2010,9,2015-12-31,2027-06-25");
    assert_eq!(of_compulsory_school_age(2021, 3), "2021,3,2026-03-31,2037-06-26");
}

#[test]
fn school_years_in_sql_are_those_of_the_program() {
    let table = include_str!("../sql/reference/academic_year.csv");
    for row in table.lines().skip(1) {
        let [label, first, last, starts] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let year = model::AcademicYear(starts.parse().unwrap());
        assert_eq!((label, first), (year.label().as_str(), year.first_day().to_string().as_str()));
        let next = model::AcademicYear(year.0 + 1).first_day();
        assert_eq!(last, (next - chrono::Days::new(1)).to_string());
        assert_eq!(model::AcademicYear::of(last.parse().unwrap()), year);
    }
}
