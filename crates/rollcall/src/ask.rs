//! Answers on the terminal: rows in four forms, explanations, summaries.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

use anyhow::{Result, bail};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use clap::ValueEnum;
use engine::Work;
use engine::session::{SendableRecordBatchStream, Session};
use futures::StreamExt;
use lake::Lake;
use lake::landing::{self, Receipt};
use model::Outcome;

use crate::ingest::{Progress, Summary};

/// What `rollcall alerts` lists.
pub(crate) const ALERTS: &str = "SELECT alert_id, rule, upn, urn, raised_on, event_from, event_to, sessions, last_seen_on, status \
     FROM alerts.current ORDER BY rule, raised_on, upn";

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For reading.
    Table,
    /// With a header.
    Csv,
    /// One object a line.
    Json,
    /// A Parquet file on standard output.
    Parquet,
}

/// Writes rows to standard output as they are made. An answer without rows has its columns all the same.
pub(crate) async fn print(mut rows: SendableRecordBatchStream, form: Form) -> Result<()> {
    let schema = rows.schema();
    let mut out = std::io::BufWriter::new(std::io::stdout());
    match form {
        Form::Table => {
            let mut all = Vec::new();
            while let Some(batch) = rows.next().await {
                all.push(batch?);
            }
            writeln!(out, "{}", arrow::util::pretty::pretty_format_batches_with_schema(schema, &all)?)?;
        }
        Form::Csv => {
            let mut csv = arrow::csv::WriterBuilder::new().with_header(true).build(&mut out);
            csv.write(&RecordBatch::new_empty(schema))?;
            while let Some(batch) = rows.next().await {
                csv.write(&batch?)?;
            }
        }
        Form::Json => {
            // A column without a value is there all the same.
            let mut json = arrow::json::WriterBuilder::new()
                .with_explicit_nulls(true)
                .build::<_, arrow::json::writer::LineDelimited>(&mut out);
            while let Some(batch) = rows.next().await {
                json.write(&batch?)?;
            }
            json.finish()?;
        }
        Form::Parquet => {
            let mut parquet = parquet::arrow::ArrowWriter::try_new(&mut out, schema, None)?;
            while let Some(batch) = rows.next().await {
                parquet.write(&batch?)?;
            }
            parquet.close()?;
        }
    }
    out.flush()?;
    Ok(())
}

/// All that is known of an alert: how it stands, if it does, and when its status changed.
pub(crate) async fn show_alert(session: &Session, alert_id: &str, json: bool) -> Result<()> {
    let id = format!("'{}'", alert_id.replace('\'', "''"));
    let current = session.objects(&format!("SELECT * FROM alerts.current WHERE alert_id = {id}")).await?;
    let changes = "SELECT changed_at, from_status, to_status, \"by\", reason FROM alerts.history";
    let history = session.objects(&format!("{changes} WHERE alert_id = {id} ORDER BY changed_at")).await?;
    if current.is_empty() && history.is_empty() {
        bail!(
            "there is no such alert, and never was as known then; `rollcall alerts` lists the ids of those there are"
        );
    }
    if json {
        println!("{}", serde_json::json!({ "alert_id": alert_id, "current": current.first(), "history": history }));
        return Ok(());
    }
    let shown = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match current.first() {
        Some(alert) => alert.iter().for_each(|(name, value)| println!("{name:<14} {}", shown(value))),
        None => {
            // Listed are those of the school year up to a day; what is told here is all that was ever known.
            let last = history.last().and_then(|change| change.get("to_status")).map(shown).unwrap_or_default();
            let why = match last.as_str() {
                "retracted" | "replaced" => format!("{last}: the marks known do not support it"),
                _ => format!(
                    "{last} when last told; not listed up to {}: --as-of names another day",
                    session.as_of().as_of
                ),
            };
            println!("{:<14} {alert_id}\n{:<14} {why}", "alert_id", "status");
        }
    }
    println!("\nAs it was told, whatever --as-of says:");
    for change in &history {
        let of = |name: &str| change.get(name).map(shown).unwrap_or_default();
        let before = Some(of("from_status")).filter(|status| !status.is_empty());
        let before = before.as_deref().unwrap_or("new");
        println!("{}  {before} → {}  {}", of("changed_at"), of("to_status"), of("reason"));
    }
    Ok(())
}

/// The one number of a question.
pub(crate) async fn number(session: &Session, sql: &str) -> Result<i64> {
    let rows = session.rows(sql).await?;
    let Some(batch) = rows.iter().find(|b| 0 < b.num_rows()) else { return Ok(0) };
    Ok(batch.column(0).as_primitive_opt::<Int64Type>().map_or(0, |c| c.value(0)))
}

/// What a name means, and what is run to make it.
pub(crate) async fn explain(session: &Session, name: &str, json: bool) -> Result<()> {
    let library = session.library();
    if let Some(text) = name.strip_prefix("reference.").and_then(|short| library.tables.get(short)) {
        return explain_reference(name, text, json);
    }
    let Some(definition) = library.get(name) else { bail!(engine::question::no_such(library, name)) };
    // A rule reads what has just come in: nothing has.
    engine::Incoming::nothing().put(session)?;
    let columns = session.columns(name).await?;
    let bound = session.bound(definition)?;
    let built = session.last_built(definition).await?.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    if json {
        println!(
            "{}",
            serde_json::json!({
                "name": definition.name, "header": definition.header, "reads": definition.reads,
                "sha256": definition.sha256, "fingerprint": library.fingerprint(name), "sql": bound,
                "ledger_version": session.run().n, "last_built": built,
            })
        );
        return Ok(());
    }
    let header = &definition.header;
    println!("{} (version {})\n\n  {}\n", definition.name, header.version, header.about);
    println!("  one row for each  {}", if header.grain.is_empty() { "-".to_owned() } else { header.grain.join(", ") });
    println!("  source            {}", header.source);
    println!("  reads             {}", definition.reads.join(", "));
    if let Some(outcome) = header.outcome {
        println!("  outcome           {}\n  expected          {}", outcome.as_str(), header.expected);
    }
    for (param, value) in &header.params {
        println!("  ${param:<16} {}", value.literal());
    }
    println!("  sha256            {}", definition.sha256);
    println!("  last built        {}", built.as_deref().unwrap_or("not kept: worked out for whoever asks"));
    println!("  ledger version    {}\n\n  columns", session.run().n);
    for field in columns.fields() {
        let column = header.columns.get(field.name());
        let (doc, seen) = column.map_or(("", "pupil"), |c| (c.doc.as_str(), c.visibility.as_str()));
        println!("    {:<22} {:<8} {}", field.name(), seen, doc);
    }
    println!("\n  what is run\n\n{}", bound.lines().map(|l| format!("    {l}")).collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// What a reference table holds, and where it is.
fn explain_reference(name: &str, text: &str, json: bool) -> Result<()> {
    let rows = engine::session::reference_table(text)?;
    let schema = rows.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let file = format!("sql/{}.csv", name.replace('.', "/"));
    if json {
        let told = serde_json::json!({ "name": name, "file": file, "rows": rows.num_rows(), "columns": columns });
        println!("{told}");
        return Ok(());
    }
    println!("{name}\n\n  A reference table of {} rows, from {file} as it is.\n\n  columns", rows.num_rows());
    for column in columns {
        println!("    {column}");
    }
    println!("\n  `rollcall query \"SELECT * FROM {name}\"` lists it.");
    Ok(())
}

/// What one definition came to.
pub(crate) struct Built {
    name: String,
    rows: u64,
    seconds: f64,
}

/// Computes every metric and alert from the lines, each once, and keeps the results.
#[allow(clippy::disallowed_methods)]
pub(crate) async fn build(session: &Session, keep: bool, progress: &dyn Progress) -> Result<Vec<Built>> {
    let names = session.library().figures();
    let (begun, built) = (Mutex::new(BTreeMap::new()), Mutex::new(Vec::new()));
    session
        .build(&names, if keep { &names } else { &[] }, &|work| {
            let (Ok(mut begun), Ok(mut built)) = (begun.lock(), built.lock()) else { return };
            match work {
                Work::Begun(name) => {
                    tracing::debug!(name, "begun");
                    begun.insert(name.to_owned(), std::time::Instant::now());
                }
                Work::Done(name, rows) => {
                    tracing::debug!(name, rows, "worked out");
                    let seconds = begun.get(name).map_or(0.0, |at| at.elapsed().as_secs_f64());
                    built.push(Built { name: name.to_owned(), rows, seconds });
                    let shown = built.iter().filter(|b: &&Built| names.contains(&b.name)).count();
                    progress.step("building", shown as u64, names.len() as u64);
                }
            }
        })
        .await?;
    Ok(built.into_inner().unwrap_or_default())
}

/// So many arrivals are listed, and so many files of each.
const ARRIVALS: u64 = 20;
const NAMES: usize = 3;

/// The newest arrivals, and which of them are set aside.
pub(crate) async fn print_arrivals(lake: &Lake, json: bool) -> Result<()> {
    let (last, aside) = (landing::arrivals(lake).await?, landing::all_set_aside(lake).await?);
    if ARRIVALS < last && !json {
        println!("The newest {ARRIVALS} of {last} arrivals:");
    }
    for n in last.saturating_sub(ARRIVALS) + 1..=last {
        let Receipt { n, source, received_at, files, .. } = landing::receipt(lake, n).await?;
        let is_aside = aside.contains(&n);
        if json {
            let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            println!(
                "{}",
                serde_json::json!({ "arrival": n, "source": source, "received_at": received_at, "files": files.len(),
                    "names": names, "set_aside": is_aside })
            );
        } else {
            let at = received_at.format("%Y-%m-%dT%H:%M:%SZ");
            let mark = if is_aside { "  set aside" } else { "" };
            let names: Vec<&str> = files.iter().take(NAMES).map(|file| file.name.as_str()).collect();
            let more = if NAMES < files.len() { ", …" } else { "" };
            println!("{n:>6}  {at}  {source:<12} {:>5} files{mark}: {}{more}", files.len(), names.join(", "));
        }
    }
    Ok(())
}

/// Says what was built.
pub(crate) fn print_built(built: &[Built], json: bool) {
    if built.is_empty() && !json {
        println!("Every result for this ledger version and these times is kept already.");
    }
    for one in built {
        if json {
            println!("{}", serde_json::json!({ "name": one.name, "rows": one.rows, "seconds": one.seconds }));
        } else {
            println!("{:<28} {:>10} rows {:>8.3} s", one.name, one.rows, one.seconds);
        }
    }
}

/// Problems of one rule that expect the same.
#[derive(Default)]
struct Alike {
    rows: u64,
    problems: u64,
    shown: Vec<String>,
}

fn counted(n: u64, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// So many of them are shown.
const SHOWN: usize = 3;

/// Says what an ingest came to: what was kept, what was refused, and why.
pub(crate) fn print_summary(summary: &Summary, json: bool) {
    let sum = |f: fn(&(u64, u64, u64)) -> u64| summary.returns.iter().map(|r| f(&r.rows)).sum::<u64>();
    let (rows_in, kept, refused) = (sum(|r| r.0), sum(|r| r.1), sum(|r| r.2));
    if json {
        println!(
            "{}",
            serde_json::json!({ "version": summary.version, "files": summary.returns.len(), "taken_again": summary.taken_again, "rows_in": rows_in,
                "rows_kept": kept, "rows_refused": refused, "lines_opened": summary.changed.opened,
                "lines_closed": summary.changed.closed,
                "problems": summary.returns.iter().flat_map(|r| r.problems.iter().map(move |p| serde_json::json!({
                    "file": r.file, "line": p.line, "rule": p.rule, "outcome": p.outcome.as_str(), "urn": p.urn,
                    "rows": p.rows, "found": p.found, "expected": p.expected }))).collect::<Vec<_>>() })
        );
        return;
    }
    let files = summary.returns.len();
    if files == 0 {
        println!(
            "Nothing new: every file was taken before, as received at that time. Ledger version {}.",
            summary.version
        );
        return;
    }
    println!(
        "{}: {rows_in} rows in = {kept} kept + {refused} refused. Ledger version {}.",
        counted(files as u64, "file"),
        summary.version
    );
    if 0 < summary.taken_again {
        println!(
            "  {} of them came earlier, of schools that GIAS knows only now, and were taken again",
            summary.taken_again
        );
    }
    // Gravest first; one rule may expect different things of different files.
    let mut kinds: BTreeMap<(Reverse<Outcome>, &str, &str), Alike> = BTreeMap::new();
    let mut not_shown = 0;
    for (taken, problem) in summary.returns.iter().flat_map(|r| r.problems.iter().map(move |p| (r, p))) {
        let line = problem.line.map(|l| format!(", line {l}")).unwrap_or_default();
        let kind = kinds.entry((Reverse(problem.outcome), &problem.rule, &problem.expected));
        let alike = kind.or_default();
        alike.rows += problem.rows;
        alike.problems += 1;
        if alike.shown.len() < SHOWN {
            alike.shown.push(format!("{}{line}: found {:?}", taken.file, problem.found));
        } else {
            not_shown += 1;
        }
    }
    for ((Reverse(outcome), rule, expected), Alike { rows, problems, shown }) in kinds {
        let many = match outcome {
            Outcome::RefuseFile => counted(problems, "file"),
            _ => counted(rows, "row"),
        };
        println!("  {:<12} {rule}: {many}; expected {expected}", outcome.as_str());
        shown.iter().for_each(|found| println!("    {found}"));
    }
    if 0 < not_shown {
        println!(
            "  {not_shown} more; `rollcall query \"SELECT * FROM quality.problem WHERE fixed_by IS NULL\"` lists all that are open"
        );
    }
}
