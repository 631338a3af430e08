//! A lake on a real Azure Blob store: the same commands and the same answers as on a disk, also while one request in
//! ten fails.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use crate::authority::{A, Authority, B, SCHOOLS, roll, rollcall, said, week};
use crate::ledger::{BELIEF, FIGURES};

/// A store that ends with the test.
struct Store {
    child: Child,
    url: String,
}

impl Drop for Store {
    fn drop(&mut self) {
        // It ends by itself once nothing holds its input, and takes the emulator with it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A store of which one request in so many fails; 0: none.
fn store(one_in: u32) -> Store {
    let azurite = std::env::var_os("AZURITE").expect("run infra/check, which installs Azurite and names it");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/azure/store.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .arg(azurite)
        .args(["lake", &one_in.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    assert!(url.starts_with("http://"), "{url}");
    Store { child, url: url.trim().to_owned() }
}

/// An authority whose lake is on a store.
struct Remote {
    authority: Authority,
    store: Store,
    failed: std::cell::Cell<u32>,
}

impl Remote {
    fn on(store: Store) -> Self {
        let authority = Authority::new();
        let config = authority.lake().join("rollcall.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("\nlake = \"lake\"\n", "\nlake = \"az://lake/850\"\n")).unwrap();
        std::fs::remove_dir_all(authority.lake().join("lake")).unwrap();
        Self { authority, store, failed: std::cell::Cell::new(0) }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        rollcall()
            .args(arguments)
            .current_dir(self.authority.lake())
            .env("AZURE_STORAGE_USE_EMULATOR", "true")
            .env("AZURITE_BLOB_STORAGE_URL", &self.store.url)
            .output()
            .unwrap()
    }

    /// Runs a command until it succeeds; whenever it does not, it says of what it failed and no more.
    fn ok(&self, arguments: &[&str]) -> String {
        for _ in 0..20 {
            let out = self.run(arguments);
            if out.status.success() {
                return String::from_utf8(out.stdout).unwrap();
            }
            let told = said(&out);
            assert!(told.starts_with("rollcall: ") && !told.contains("panicked"), "{arguments:?}: {told}");
            self.failed.set(self.failed.get() + 1);
        }
        panic!("{arguments:?} fails for ever");
    }
}

/// What is known of two weeks, one of them corrected.
const ASKED: [&str; 3] = [
    BELIEF,
    "SELECT source, urn, sha256, received_at, rows_in, rows_kept, rows_refused, status FROM ledger.return",
    FIGURES,
];

/// The commands of two weeks, in order: files taken in, a step of the night, a rebuild, and what they come to.
fn two_weeks(authority: &Authority, run: impl Fn(&[&str]) -> String) -> Vec<String> {
    let pipelines = authority.lake().join("pipelines");
    std::fs::create_dir_all(&pipelines).unwrap();
    let steps = "about = \"x\"\n[[step]]\npublish = \"metrics\"\n[[step]]\nvacuum_after_days = 30\n";
    std::fs::write(pipelines.join("p.toml"), steps).unwrap();
    let ill = week(140001, "2026-09-07", &[(A, "OOOOOOOOOO"), (B, "/\\/\\/\\/\\/\\")]);
    let zipped = {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("m.csv", zip::write::SimpleFileOptions::default()).unwrap();
        let marks = week(140001, "2026-09-14", &[(A, "OOOOOOOOOO"), (B, "/\\??/\\/\\/\\")]);
        std::io::Write::write_all(&mut zip, marks.as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    };
    let arrivals = [
        ("2026-09-02T05:00:00Z", vec![("gias.csv", Vec::from(SCHOOLS)), ("roll.csv", roll(140001, &[A, B]).into())]),
        ("2026-09-11T18:00:00Z", vec![("m.csv", ill.clone().into())]),
        ("2026-09-18T18:00:00Z", vec![("m.zip", zipped)]),
        ("2026-09-21T18:00:00Z", vec![("m.csv", ill.replace("AM,O", "AM,I").into())]),
    ];
    for (at, files) in arrivals {
        let folder = authority.files().join(at.replace(':', ""));
        std::fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
        run(&["ingest", folder.to_str().unwrap(), "--received-at", at]);
    }
    run(&["run", "p", "--as-of", "2026-09-21"]);
    let ask = || {
        let known = [&["--as-of", "2026-09-18"][..], &["--as-of", "2026-09-18", "--known-at", "2026-09-19"]];
        let asked =
            ASKED.iter().flat_map(|sql| known.map(|known| [&["query", sql, "--format", "csv"], known].concat()));
        let mut rows: Vec<String> =
            asked.flat_map(|asked| run(&asked).lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        rows.sort();
        rows
    };
    let told = ask();
    assert!(run(&["doctor"]).contains("receipts        4, each whole"));
    run(&["replay"]);
    assert_eq!(ask(), told);
    told
}

#[test]
fn a_lake_on_azure_says_what_one_on_a_disk_says_also_where_one_request_in_ten_fails() {
    let on_disk = Authority::new();
    let told = two_weeks(&on_disk, |arguments| on_disk.ok(arguments));
    for says in ["unknown_code", "open retracted", ",IOIOIOIOIO....,"] {
        assert!(told.iter().any(|row| row.contains(says)), "{says}: {told:#?}");
    }
    for one_in in [0, 10] {
        let remote = Remote::on(store(one_in));
        assert_eq!(two_weeks(&remote.authority, |arguments| remote.ok(arguments)), told, "one in {one_in} fails");
        assert!(one_in == 10 || remote.failed.get() == 0);
    }
}
