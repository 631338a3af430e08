//! Other readers: the ledger's Delta tables in `deltalake` and Polars, from Python.

use crate::authority::{Authority, SCHOOLS, roll, said, week};

/// The Python with the readers, made by `infra/check`.
fn python() -> std::path::PathBuf {
    let named = std::env::var_os("READERS_PYTHON").expect("run infra/check, which makes the readers and names them");
    named.into()
}

#[test]
fn delta_tables_open_in_deltalake_and_polars() {
    let authority = Authority::new();
    let upn = "Q850200120003";
    authority.receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll.csv", &roll(140001, &[upn]))]);
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(upn, "/\\/\\NN/\\/\\")]))]);
    authority.receive("2026-09-12T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(upn, "/\\/\\II/\\/\\")]))]);
    let table = authority.lake().join("lake/tables/register_week");
    let program = "import sys, deltalake, polars\n\
        rows = polars.from_arrow(deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table()) if hasattr(deltalake.DeltaTable, 'to_pyarrow_table') and False else polars.read_delta(sys.argv[1])\n\
        rows = rows.sort('known_from')\n\
        print(deltalake.DeltaTable(sys.argv[1]).version(), rows['marks'].to_list(), rows['belief'].to_list())\n";
    let out = std::process::Command::new(python()).arg("-c").arg(program).arg(&table).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    let text = String::from_utf8_lossy(&out.stdout).replace("\\\\", "\\");
    assert!(text.contains(r"['/\/\NN/\/\....', '/\/\II/\/\....'] ['past', 'current']"), "{text}");
}
