//! Other readers: the ledger's Delta tables in `deltalake` and Polars, from Python.

use std::path::Path;

use crate::authority::{Authority, SCHOOLS, roll, said, week};
use crate::own_sql;

/// The Python with the readers, made by `infra/check`.
pub fn python() -> std::path::PathBuf {
    let named = std::env::var_os("READERS_PYTHON").expect("run infra/check, which makes the readers and names them");
    named.into()
}

/// What a Python program says of a folder.
fn read(program: &str, folder: &Path) -> String {
    let out = std::process::Command::new(python()).arg("-c").arg(program).arg(folder).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn delta_tables_open_in_deltalake_and_polars() {
    let authority = Authority::new();
    let upn = "Q850200120003";
    authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &roll(140001, &[upn]))]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(upn, "/\\/\\NN/\\/\\")]))]);
    authority.receive("2026-09-12T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(upn, "/\\/\\II/\\/\\")]))]);
    let program = "import sys, deltalake, polars\n\
        rows = polars.read_delta(sys.argv[1]).sort('known_from')\n\
        table = deltalake.DeltaTable(sys.argv[1])\n\
        print(table.transaction_version('rollcall'), rows['marks'].to_list(), rows['belief'].to_list())\n";
    let text = read(program, &authority.lake().join("lake/tables/register_week")).replace("\\\\", "\\");
    // The run that wrote its newest version: the third.
    assert!(text.starts_with("3 "), "{text}");
    assert!(text.contains(r"['/\/\NN/\/\....', '/\/\II/\/\....'] ['past', 'current']"), "{text}");
}

#[test]
fn what_is_published_says_in_polars_what_a_query_says() {
    let authority = own_sql::authority();
    let pipelines = authority.lake().join("pipelines");
    std::fs::create_dir_all(&pipelines).unwrap();
    std::fs::write(pipelines.join("p.toml"), "about = \"x\"\n[[step]]\npublish = \"metrics\"\n").unwrap();
    let upns = ["Q850200120003", "H850200723000"];
    authority.receive("2026-09-03T05:00:00Z", &[("roll.csv", &roll(140001, &upns))]);
    // All rows of each table, a line each: the table, its columns, and each row's values as JSON.
    let program = "import sys, json, pathlib, polars\n\
        for table in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n    \
            rows = polars.read_delta(str(table))\n    \
            for row in sorted(json.dumps(row, default=str, sort_keys=True) for row in rows.to_dicts()):\n        \
                print(table.name, row)\n";
    let published = || {
        let mut tables: std::collections::BTreeMap<String, Vec<serde_json::Value>> = Default::default();
        for line in read(program, &authority.lake().join("lake/published")).lines() {
            let (table, row) = line.split_once(' ').unwrap();
            tables.entry(table.to_owned()).or_default().push(serde_json::from_str(row).unwrap());
        }
        tables
    };
    // A definition that gains a column, and one whose rows change.
    for (day, columns, marks) in
        [("11", "urn", "/\\/\\NN/\\/\\"), ("12", "urn, count(*) AS children", "/\\/\\II/\\/\\")]
    {
        let statement = format!("SELECT {columns} FROM metrics.pupil_year GROUP BY urn");
        own_sql::write(&authority, "metrics/mine.sql", "grain = [\"urn\"]", &statement);
        let marks = week(140001, "2026-09-07", &[(upns[0], marks), (upns[1], "/\\/\\/\\/\\/\\")]);
        authority.receive(&format!("2026-09-{day}T18:00:00Z"), &[("m.csv", &marks)]);
        authority.ok(&["run", "p", "--as-of", "2026-09-11"]);
        let tables = published();
        assert!(
            tables.contains_key("metrics.mine") && tables.contains_key("metrics.pupil_week"),
            "{:?}",
            tables.keys()
        );
        for (table, mut rows) in tables {
            let asked = authority.ok(&[
                "query",
                &format!("SELECT * FROM {table}"),
                "--format",
                "json",
                "--as-of",
                "2026-09-11",
            ]);
            let mut asked: Vec<serde_json::Value> =
                asked.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
            for rows in [&mut asked, &mut rows] {
                rows.sort_by_key(|row| row.to_string());
            }
            assert_eq!(rows, asked, "{table}");
        }
    }
}
