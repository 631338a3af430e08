//! A small authority to test on: files of a few schools and weeks, taken in through the command or the
//! program's own door.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program: another build of it where `PROPERTY_BINARY` names one, for thousands of cases by hand.
pub fn rollcall() -> Command {
    let built = env!("CARGO_BIN_EXE_rollcall");
    let mut command = Command::new(std::env::var_os("PROPERTY_BINARY").unwrap_or(built.into()));
    command.env_remove("ROLLCALL_CRASH_AT");
    command
}

/// A lake made by `rollcall init`, and the folder it lies in.
pub struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rollcall().args(["init", "--la-code", "850"]).arg(folder.path().join("lake")).output().unwrap();
        assert!(made.status.success(), "{}", said(&made));
        Self { folder }
    }

    /// The folder of the configuration.
    pub fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    /// A place for files.
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// Runs the command in the lake.
    pub fn run(&self, arguments: &[&str]) -> Output {
        rollcall().args(arguments).current_dir(self.lake()).output().unwrap()
    }

    /// Runs the command, which must succeed, and gives its output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let out = self.run(arguments);
        assert!(out.status.success(), "rollcall {arguments:?}: {}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Writes files and takes them in as one arrival.
    pub fn receive(&self, at: &str, files: &[(&str, &str)]) -> Output {
        let folder = self.offer(at, files);
        self.run(&["ingest", folder.to_str().unwrap(), "--received-at", at])
    }

    /// Writes an arrival's files.
    pub fn offer(&self, at: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.files().join(at.replace(':', ""));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        folder
    }

    /// A question's rows as CSV, without the header, sorted.
    pub fn ask(&self, sql: &str, more: &[&str]) -> Vec<String> {
        let mut arguments = vec!["query", sql, "--format", "csv"];
        arguments.extend(more);
        let mut rows: Vec<String> = self.ok(&arguments).lines().skip(1).map(str::to_owned).collect();
        rows.sort();
        rows
    }
}

/// What a run said, on both channels.
pub fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// GIAS with three schools.
pub const SCHOOLS: &str = "URN,LA (code),LA (name),EstablishmentNumber,EstablishmentName,TypeOfEstablishment (code),EstablishmentStatus (code),PhaseOfEducation (name),Trusts (code),Trusts (name)\n\
140001,850,Hampshire,2001,Ash Primary School,01,1,Primary,,\n\
140002,850,Hampshire,2002,Birch Primary School,28,1,Primary,16501,Trees Trust\n\
140003,850,Hampshire,4003,Cedar School,01,1,Secondary,,\n";

/// A roll of two pupils at a school.
pub fn roll(urn: u32, pupils: &[&str]) -> String {
    let mut text =
        String::from("URN,UPN,FormerUPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingDate,LeavingGround\n");
    for upn in pupils {
        text += &format!("{urn},{upn},,Made,Up,2016-01-01,F,5,2026-09-01,,\n");
    }
    text
}

/// A week of marks: for each pupil ten codes, Monday AM to Friday PM, `.` for no row.
pub fn week(urn: u32, monday: &str, pupils: &[(&str, &str)]) -> String {
    let monday: chrono::NaiveDate = monday.parse().unwrap();
    let mut text = String::from("URN,UPN,Date,Session,Mark\n");
    for day in 0..5 {
        let date = monday + chrono::Days::new(day);
        for (upn, marks) in pupils {
            for (i, session) in ["AM", "PM"].iter().enumerate() {
                let mark = marks.as_bytes()[day as usize * 2 + i] as char;
                if mark != '.' {
                    text += &format!("{urn},{upn},{date},{session},{mark}\n");
                }
            }
        }
    }
    text
}

/// A pupil of 140001, once its roll is there.
pub const A: &str = "Q850200120003";
/// Another.
pub const B: &str = "H850200723000";

/// An authority that knows its schools, and the roll of one.
pub fn started() -> Authority {
    let authority = Authority::new();
    let out = authority
        .receive("2026-09-02T05:00:00Z", &[("gias.csv", SCHOOLS), ("roll_140001.csv", &roll(140001, &[A, B]))]);
    assert!(out.status.success(), "{}", said(&out));
    authority
}

/// All files below a folder with their bytes, for comparing two.
pub fn all_files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(at) = waiting.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
