//! The two commands that make an authority up.

use std::path::PathBuf;

use anyhow::Result;
use chrono::NaiveDate;
use clap::{Args, ValueEnum};

use super::{Cadence, Plan, write};

/// How often schools send.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Every {
    /// One file a school for all days.
    Year,
    /// One file a school and week.
    Week,
    /// One file a school and day, each restating its week so far.
    Day,
}

/// `rollcall demo-files`.
#[derive(Args, Debug)]
pub(crate) struct Files {
    /// Where to; an empty folder.
    dir: PathBuf,
    /// How many schools.
    #[arg(long, default_value_t = 40)]
    schools: usize,
    /// How many pupils in all.
    #[arg(long, default_value_t = 14_000)]
    pupils: usize,
    /// The school year, by its first calendar year.
    #[arg(long, default_value_t = 2026)]
    year: i32,
    /// Last school day with marks.
    #[arg(long, default_value = "2026-12-18")]
    until: NaiveDate,
    /// How often schools send.
    #[arg(long, value_enum, default_value = "week")]
    cadence: Every,
    /// Share of rows that are wrong.
    #[arg(long, default_value_t = 0.0)]
    dirt: f64,
    /// Schools write in several dialects of CSV.
    #[arg(long)]
    dialects: bool,
    /// Corrections, late returns, movers, changed UPNs, dual registration, an academy conversion.
    #[arg(long)]
    events: bool,
    /// The same seed makes the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The authority's code.
    #[arg(long, default_value_t = 850)]
    la_code: u16,
}

/// `rollcall demo`.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How many schools.
    #[arg(long, default_value_t = 40)]
    schools: usize,
    /// How many pupils in all.
    #[arg(long, default_value_t = 14_000)]
    pupils: usize,
    /// The same seed makes the same authority.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Last school day.
    #[arg(long, default_value = "2026-11-20")]
    until: NaiveDate,
    /// Where it is made; must not be there yet.
    #[arg(long, default_value = "rollcall-demo")]
    dir: PathBuf,
    /// Ends after the summary.
    #[arg(long)]
    no_serve: bool,
}

/// Writes a made-up authority's files.
pub(crate) fn files(files: &Files, json: bool) -> Result<()> {
    let plan = Plan {
        seed: files.seed,
        la_code: files.la_code,
        schools: files.schools,
        pupils: files.pupils,
        academic_year: files.year,
        until: files.until,
        cadence: match files.cadence {
            Every::Year => Cadence::Year,
            Every::Week => Cadence::Week,
            Every::Day => Cadence::Day,
        },
        dirt: files.dirt,
        dialects: files.dialects,
        events: files.events,
    };
    let written = write(&plan, &files.dir)?;
    if json {
        println!(
            "{}",
            serde_json::json!({ "arrivals": written.arrivals, "files": written.files, "pupils": written.pupils,
                "mark_rows": written.mark_rows, "bytes": written.bytes })
        );
    } else {
        println!(
            "{} arrivals, {} files, {} pupils, {} rows of marks, {} MB in {}",
            written.arrivals, written.files, written.pupils, written.mark_rows, written.bytes / 1_000_000,
            files.dir.display()
        );
    }
    Ok(())
}

/// Makes an authority up, takes its files in, and says what an officer would read.
pub(crate) async fn demo(demo: Demo, _json: bool) -> Result<()> {
    anyhow::bail!("{demo:?}")
}
