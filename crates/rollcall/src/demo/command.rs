//! The two commands that make an authority up.

use std::path::PathBuf;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use arrow::array::RecordBatch;
use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use engine::session::Session;
use model::{AcademicYear, Outcome};

use super::{Cadence, Plan, write};

/// Pupils of a school, on average, where nobody says otherwise: as many as England's schools have.
const A_SCHOOL: usize = 350;

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
    /// How many pupils in all (default: 350 a school).
    #[arg(long)]
    pupils: Option<usize>,
    /// The school year, by its first calendar year.
    #[arg(long, default_value_t = 2026)]
    year: i32,
    /// Last school day with marks.
    #[arg(long, default_value = "2026-12-18", value_parser = crate::day)]
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
    /// How many pupils in all (default: 350 a school).
    #[arg(long)]
    pupils: Option<usize>,
    /// The same seed makes the same authority.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Last school day.
    #[arg(long, default_value = "2026-11-20", value_parser = crate::day)]
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
        pupils: files.pupils.unwrap_or(files.schools * A_SCHOOL),
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
    if std::fs::read_dir(&files.dir).is_ok_and(|mut inside| inside.next().is_some()) {
        bail!("{} is not empty: files of two plans would mix; name a new folder", files.dir.display());
    }
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
            written.arrivals,
            written.files,
            written.pupils,
            written.mark_rows,
            written.bytes / 1_000_000,
            files.dir.display()
        );
    }
    Ok(())
}

/// Makes an authority up, takes its files in through the same door as any other, and says what an officer
/// would read.
pub(crate) async fn demo(demo: Demo, json: bool) -> Result<()> {
    if demo.dir.exists() {
        bail!("{} is there already: take it away, or name another folder with --dir", demo.dir.display());
    }
    let plan = Plan {
        seed: demo.seed,
        la_code: 850,
        schools: demo.schools,
        pupils: demo.pupils.unwrap_or(demo.schools * A_SCHOOL),
        academic_year: AcademicYear::of(demo.until).0,
        until: demo.until,
        cadence: Cadence::Week,
        dirt: 0.0005,
        dialects: true,
        events: true,
    };
    let files = demo.dir.join("files");
    let written = write(&plan, &files)?;
    let lake = demo.dir.join("lake");
    let config = format!("{}la_name = \"Demoshire\"\nmade_up = true\n", top_keys(&crate::config::commented(850)));
    let config = crate::begin(&lake, &config)?;
    let house = crate::House::open(&config)?;
    if !json {
        println!(
            "Made up: {} schools, {} pupils, {} rows of marks in {} files of {} arrivals (seed {}).",
            demo.schools, written.pupils, written.mark_rows, written.files, written.arrivals, demo.seed
        );
    }
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(files.join("arrivals"))?.map(|e| Ok(e?.path())).collect::<Result<_>>()?;
    folders.sort();
    let bar = crate::progress::Bar::new(json);
    let (mut rows, mut refused) = ((0, 0, 0), BTreeMap::new());
    for folder in &folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let received =
            name.split_once('_').map_or("", |(_, at)| at).parse().with_context(|| format!("{name} names no time"))?;
        let summary = house.ingest(&bar).await?.arrival("drop", std::slice::from_ref(folder), received).await?;
        for taken in &summary.returns {
            rows = (rows.0 + taken.rows.0, rows.1 + taken.rows.1, rows.2 + taken.rows.2);
            for problem in taken.problems.iter().filter(|p| p.outcome != Outcome::Warn) {
                let entry = refused.entry(problem.rule.clone()).or_insert((0, problem.expected.clone()));
                entry.0 += problem.rows;
            }
        }
    }
    bar.finish();
    let session = house.session(Some(demo.until), None).await?;
    if json {
        println!("{}", serde_json::json!({ "rows_in": rows.0, "rows_kept": rows.1, "rows_refused": rows.2 }));
    } else {
        println!(
            "Taken in: {} rows = {} kept + {} refused. Ledger version {}.\n",
            rows.0,
            rows.1,
            rows.2,
            session.run().n
        );
        say(&session, &demo).await?;
        println!("\nRefused, and why");
        for (rule, (rows, expected)) in refused {
            println!("  {rows:>6}  {rule}: expected {expected}");
        }
        let lake = lake.display();
        println!("\nAsk more:  cd {lake} && rollcall query \"SELECT * FROM metrics.area_year\" --as-of {}", demo.until);
    }
    if demo.no_serve {
        return Ok(());
    }
    house.serve("127.0.0.1:0", Some(demo.until), json).await
}

/// A configuration up to its first table or commented table, so that keys may follow.
fn top_keys(config: &str) -> &str {
    config.find("\n# How a source").map_or(config, |at| &config[..=at])
}

/// What an officer would read: the area, its phases, three schools to worry about, the weeks drawn.
async fn say(session: &Session, demo: &Demo) -> Result<()> {
    let year = AcademicYear::of(demo.until).label();
    let area = session
        .rows(&format!(
            "SELECT phase, schools_received, schools_expected, enrolments, absence_percent, persistent_percent, severe_percent \
             FROM metrics.area_year WHERE academic_year = '{year}' ORDER BY phase = 'Total', phase"
        ))
        .await?;
    println!("{year} up to {}     schools    pupils   absence   persistent   severe", demo.until);
    for row in texts(&area)? {
        println!(
            "  {:<24} {:>4} of {:<4} {:>8} {:>8}% {:>11}% {:>7}%",
            row[0],
            row[1],
            row[2],
            row[3],
            one_place(&row[4]),
            one_place(&row[5]),
            one_place(&row[6])
        );
    }
    let schools = session
        .rows(&format!(
            "SELECT s.name, y.phase, y.absence_percent, y.severe_percent, a.absence_percent AS area \
             FROM metrics.school_year y JOIN tables.school s ON s.urn = y.urn \
             JOIN metrics.area_year a ON a.phase = y.phase AND a.academic_year = y.academic_year \
             WHERE y.academic_year = '{year}' ORDER BY y.absence_percent - a.absence_percent DESC LIMIT 3"
        ))
        .await?;
    println!("\nThree schools to worry about");
    for row in texts(&schools)? {
        println!(
            "  {:<40} {:<12} {}% absent ({}% in the area's phase), {}% of pupils severely",
            row[0],
            row[1],
            one_place(&row[2]),
            one_place(&row[4]),
            one_place(&row[3])
        );
    }
    let weeks = session
        .rows(&format!(
            "SELECT week_start, absence_percent, is_settled FROM metrics.area_week \
             WHERE phase = 'Total' AND academic_year = '{year}' AND absence_percent IS NOT NULL ORDER BY week_start"
        ))
        .await?;
    println!("\nAbsence by week, primary, secondary and special (Total) (· not settled yet)");
    for row in texts(&weeks)? {
        let percent: f64 = row[1].parse().unwrap_or(0.0);
        let bar = "█".repeat((percent * 4.0).round() as usize);
        println!("  {}  {:>5}% {}{}", row[0], one_place(&row[1]), bar, if row[2] == "true" { "" } else { " ·" });
    }
    let alerts = session
        .rows("SELECT rule, status, count(*) FROM alerts.current GROUP BY rule, status ORDER BY rule, status")
        .await?;
    println!("\nAlerts");
    for row in texts(&alerts)? {
        println!("  {:>6}  {} ({})", row[2], row[0], row[1]);
    }
    Ok(())
}

fn one_place(number: &str) -> String {
    number.parse::<f64>().map_or_else(|_| "-".to_owned(), |n| format!("{n:.1}"))
}

/// All values of some rows as text.
pub(crate) fn texts(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let value = |c: &arrow::array::ArrayRef| arrow::util::display::array_value_to_string(c, row);
            rows.push(batch.columns().iter().map(value).collect::<Result<Vec<_>, _>>()?);
        }
    }
    Ok(rows)
}
