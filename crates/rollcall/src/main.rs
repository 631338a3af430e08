//! Rollcall: from schools' registers to figures that can be proved.

mod ask;
mod config;
mod crash;
mod demo;
mod doctor;
mod ingest;
mod pipeline;
mod progress;
mod publish;
mod submission;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, NaiveDate, Utc};
use clap::{Parser, Subcommand};
use engine::{Engine, Library, Settings};
use lake::{Lake, RunRecord};
use model::AsOf;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Config;
use crate::ingest::Ingest;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Attendance returns from every school, kept for ever, with figures that can be proved.
#[derive(Parser)]
#[command(version, about, propagate_version = true)]
struct Cli {
    /// The configuration.
    #[arg(long, global = true, default_value = "rollcall.toml")]
    config: PathBuf,
    /// Answer in JSON, for machines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A commented configuration and an empty lake to start from.
    Init {
        /// Where; made if it is not there.
        dir: PathBuf,
        /// The authority's three-digit code.
        #[arg(long)]
        la_code: u16,
    },
    /// Load files or folders of files now, as one arrival.
    Ingest {
        /// Files and folders. None: takes what has landed and was not taken.
        paths: Vec<PathBuf>,
        /// When the authority had them, e.g. 2026-09-04T18:00:00Z (default: now).
        #[arg(long, value_parser = instant)]
        received_at: Option<DateTime<Utc>>,
        /// Which configured source they came from.
        #[arg(long, value_parser = config::source_name)]
        source: Option<String>,
    },
    /// Ask in SQL.
    Query {
        /// A SELECT over the published views.
        sql: String,
        /// table (default), csv, json or parquet.
        #[arg(long, value_enum)]
        format: Option<ask::Form>,
        /// Up to which school day (default: today).
        #[arg(long, value_parser = day)]
        as_of: Option<NaiveDate>,
        /// What had been told by then: a time, or a day for its end (default: everything).
        #[arg(long, value_parser = known_at)]
        known_at: Option<DateTime<Utc>>,
        /// Work every figure out from the lines, whatever results are kept.
        #[arg(long)]
        fresh: bool,
    },
    /// What a figure means, what it reads, who may see it, what was run to make it.
    Explain {
        /// Its name, e.g. metrics.pupil_year.
        name: String,
        /// Up to which school day (default: today).
        #[arg(long, value_parser = day)]
        as_of: Option<NaiveDate>,
        /// What had been told by then (default: everything).
        #[arg(long, value_parser = known_at)]
        known_at: Option<DateTime<Utc>>,
    },
    /// Configuration and SQL all parse and plan; no data is read.
    Check,
    /// Rebuild the ledger from landing, so that what was refused is judged again.
    Replay {
        /// Begin with the first arrival of this source (default: of any).
        source: Option<String>,
        /// Begin with the first arrival received on this day or later (default: the very first).
        #[arg(long, value_parser = day)]
        from: Option<NaiveDate>,
    },
    /// Pass over an arrival that cannot be taken or should not have been; it stays in landing.
    SetAside {
        /// Its number; none: the newest arrivals are listed.
        arrival: Option<u64>,
        /// Why, for whoever asks later.
        #[arg(long, requires = "arrival")]
        reason: Option<String>,
    },
    /// Compute every metric and alert.
    Build {
        /// Up to which school day (default: today).
        #[arg(long, value_parser = day)]
        as_of: Option<NaiveDate>,
        /// What had been told by then (default: everything).
        #[arg(long, value_parser = known_at)]
        known_at: Option<DateTime<Utc>>,
        /// Work everything out from nothing, and keep nothing.
        #[arg(long)]
        no_keep: bool,
    },
    /// Can it reach its lake? Is every receipt whole? What is late?
    Doctor,
    /// Alerts as they stand, or all that is known of one.
    Alerts {
        #[command(subcommand)]
        what: Option<Alerts>,
        /// Up to which school day (default: today).
        #[arg(long, value_parser = day, global = true)]
        as_of: Option<NaiveDate>,
        /// What had been told by then (default: everything).
        #[arg(long, value_parser = known_at, global = true)]
        known_at: Option<DateTime<Utc>>,
    },
    /// One run of a pipeline now.
    Run {
        /// Its name: nightly, or a file of pipelines/ beside the configuration.
        pipeline: String,
        /// Up to which school day (default: today).
        #[arg(long, value_parser = day)]
        as_of: Option<NaiveDate>,
        /// What had been told by then (default: everything).
        #[arg(long, value_parser = known_at)]
        known_at: Option<DateTime<Utc>>,
    },
    /// What is sent to the DfE.
    Submission {
        #[command(subcommand)]
        what: Submission,
    },
    /// The dashboard.
    Serve {
        /// Where it listens. Port 0: any free one.
        #[arg(long, default_value = "127.0.0.1:8080")]
        address: String,
        /// Up to which school day, where the page is not asked for another (default: today).
        #[arg(long, value_parser = day)]
        as_of: Option<NaiveDate>,
    },
    /// Write the files of a made-up authority, in the order in which they would arrive.
    DemoFiles(demo::command::Files),
    /// A made-up authority, end to end, on this machine.
    Demo(demo::command::Demo),
}

/// What is asked of alerts.
#[derive(Subcommand)]
enum Alerts {
    /// Every alert that the marks known support, as without a word.
    List,
    /// One alert: what it rests on, and when its status changed.
    Show {
        /// Its alert_id, as `list` gives it.
        alert_id: String,
    },
}

/// What is done with submissions.
#[derive(Subcommand)]
enum Submission {
    /// Which there are.
    List,
    /// Build one, twice, screen it and write it.
    Build {
        /// Its name: attendance_open_data.
        name: String,
        /// The folder it is written to.
        #[arg(long, default_value = "submissions")]
        to: PathBuf,
        /// Up to which school day (default: today).
        #[arg(long, value_parser = day)]
        as_of: Option<NaiveDate>,
        /// What had been told by then (default: everything).
        #[arg(long, value_parser = known_at)]
        known_at: Option<DateTime<Utc>>,
    },
}

/// A day as the command line has it.
pub(crate) fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "expected a day that exists, as YYYY-MM-DD, e.g. 2026-11-20".to_owned())
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    text.parse().map_err(|_| "expected a time with its zone, e.g. 2026-09-04T18:00:00Z".to_owned())
}

fn known_at(text: &str) -> Result<DateTime<Utc>, String> {
    model::known_at(text)
        .ok_or_else(|| "expected a time such as 2026-11-21T00:00:00Z or a day such as 2026-11-21".to_owned())
}

/// The crates that say nothing of people in what they log.
const OURS: [&str; 7] = ["model", "lake", "sources", "engine", "outputs", "serve", "rollcall"];

/// The source of files that are not said to be of any.
const DROP: &str = "drop";

fn main() -> ExitCode {
    // Whoever reads our output may have had enough of it: `rollcall … | head` is no fault.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|p| p.starts_with("failed printing to stdout")) {
            std::process::exit(0);
        }
        // What a panic says may quote what a file holds: its place is told, its words only to who asks for them.
        match std::env::var_os("RUST_BACKTRACE") {
            Some(_) => told(panic),
            None => tracing::error!(at = panic.location().map(tracing::field::display), "a fault of the program"),
        }
    }));
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("ROLLCALL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,buoyant_kernel=off,delta_kernel=off"));
    // What libraries say below a warning quotes what they are given: questions, and so who is asked about.
    let ours = tracing_subscriber::filter::filter_fn(|told| {
        let of = told.target().split("::").next().unwrap_or_default();
        *told.level() <= tracing::Level::WARN || OURS.contains(&of)
    });
    let told = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(ours);
    tracing_subscriber::registry().with(filter).with(told).init();
    let json = cli.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let words = model::id::words_of(error.as_ref());
            if json {
                println!("{}", serde_json::json!({ "error": words }));
            } else {
                eprintln!("rollcall: {words}");
            }
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|e| e.downcast_ref::<std::io::Error>());
    io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Init { dir, la_code } => init(&dir, la_code, cli.json),
            Command::DemoFiles(files) => demo::command::files(&files, cli.json),
            Command::Demo(demo) => demo::command::demo(demo, cli.json).await,
            command => House::open(&cli.config)?.run(command, cli.json).await,
        }
    });
    // Threads end with the process: none has anything left to do.
    runtime.shutdown_background();
    done
}

fn init(dir: &std::path::Path, la_code: u16, json: bool) -> Result<()> {
    let path = begin(dir, &config::commented(la_code))?;
    if json {
        println!("{}", serde_json::json!({ "configuration": path }));
        return Ok(());
    }
    eprintln!("{} is ready. Next: cd {} && rollcall ingest FILES", path.display(), dir.display());
    Ok(())
}

/// Puts a configuration into a folder and makes the lake it names. Says where the configuration is.
pub(crate) fn begin(dir: &std::path::Path, config: &str) -> Result<PathBuf> {
    let path = dir.join("rollcall.toml");
    if path.exists() {
        bail!("{} is there already; nothing was changed", path.display());
    }
    let is_new = !dir.exists();
    std::fs::create_dir_all(dir).with_context(|| format!("{} could not be made", dir.display()))?;
    std::fs::write(&path, config).with_context(|| format!("{}", path.display()))?;
    let config = Config::read(&path).inspect_err(|_| {
        // A configuration that cannot be read back is of no use to anyone.
        let _ = std::fs::remove_file(&path);
        if is_new {
            let _ = std::fs::remove_dir(dir);
        }
    })?;
    Lake::make(&config.lake_address()?)?;
    // Where `nightly` looks for what schools send.
    let drop = dir.join("drop");
    std::fs::create_dir_all(&drop).with_context(|| format!("{} could not be made", drop.display()))?;
    Ok(path)
}

/// Everything a command works with.
pub(crate) struct House {
    config: Config,
    lake: Lake,
    library: Arc<Library>,
    engine: Engine,
}

impl House {
    /// Opens what a configuration names.
    pub(crate) fn open(path: &std::path::Path) -> Result<Self> {
        let config = Config::read(path)?;
        let library = Library::load(config.sql.as_deref());
        let library = Arc::new(match &config.sql {
            Some(own) => library.with_context(|| format!("with {} laid over the product's own sql/", own.display()))?,
            None => library?,
        });
        config.check_codes(&library.codes)?;
        let lake = Lake::open(&config.lake_address()?)?;
        let settings = Settings::within(config.memory_mib * 1024 * 1024, config.cores(), i32::from(config.la_code));
        let engine = Engine::new(lake.clone(), Arc::clone(&library), settings);
        Ok(Self { config, lake, library, engine })
    }

    /// The right to write the lake, once no other command does.
    async fn turn(&self) -> Result<lake::Turn> {
        Ok(self.lake.turn(|| eprintln!("Another command writes this lake; this one waits for it.")).await?)
    }

    /// Whatever writes the ledger, once no other command does.
    async fn ingest<'a>(&'a self, progress: &'a progress::Bar) -> Result<Ingest<'a>> {
        let _turn = self.turn().await?;
        let Self { config, lake, library, engine } = self;
        Ok(Ingest { config, lake, library, engine, progress, _turn })
    }

    /// Takes arrivals that have landed and that no run has taken. Says how many there were.
    pub(crate) async fn take_what_has_landed(&self, bar: &progress::Bar) -> Result<u64> {
        let before = RunRecord::newest(&self.lake).await?;
        let after = self.ingest(bar).await?.finish_what_was_cut_off().await?;
        bar.finish();
        // What was set aside and not passed over yet is work of a run too.
        Ok(after.arrivals.saturating_sub(before.arrivals).max(u64::from(before.n < after.n)))
    }

    /// The newest ledger version at the times asked for; today and everything, where none are given.
    async fn session(
        &self,
        as_of: Option<NaiveDate>,
        known_at: Option<DateTime<Utc>>,
    ) -> Result<engine::session::Session> {
        let run = RunRecord::newest(&self.lake).await?;
        let arrivals = if run.n == 0 { lake::landing::arrivals(&self.lake).await? } else { 0 };
        if 0 < arrivals {
            bail!("{arrivals} arrivals have landed and no run has taken them; `rollcall replay` does");
        }
        // Everything: also what bears a later time than this machine's clock.
        let known_at = known_at.unwrap_or_else(|| now().max(run.known_at));
        let as_of = AsOf { as_of: as_of.unwrap_or_else(today), known_at };
        Ok(self.engine.session(&run, as_of).await?)
    }

    async fn run(&self, command: Command, json: bool) -> Result<()> {
        match command {
            Command::Init { .. } | Command::DemoFiles(_) | Command::Demo(_) => Ok(()),
            Command::Ingest { paths, received_at, source } => {
                let bar = progress::Bar::new(json);
                if paths.is_empty() {
                    let said = match self.take_what_has_landed(&bar).await? {
                        0 => bail!("name the files or folders to take in; nothing that has landed waits to be taken"),
                        n => format!("{n} arrivals that had landed are taken"),
                    };
                    println!("{}", if json { serde_json::json!({ "said": said }).to_string() } else { said });
                    return Ok(());
                }
                let sources = &self.config.sources;
                let known = sources.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let source = match source {
                    // Taken as another's, a file may withdraw what this one's leaves alone.
                    Some(source) if !sources.is_empty() && !sources.contains_key(&source) => bail!(
                        "rollcall.toml has no [sources.{source}]; it has {known}. An empty [sources.{source}] says that it sends the published layout"
                    ),
                    Some(source) => source,
                    None => DROP.to_owned(),
                };
                if !sources.is_empty() && !sources.contains_key(&source) && !json {
                    eprintln!(
                        "rollcall.toml has no [sources.{source}] (it has {known}); the published headers and codes are expected"
                    );
                }
                if received_at.is_some_and(|at| now() < at) && !json {
                    eprintln!(
                        "--received-at lies in the future: whatever is received before then will stand behind this arrival"
                    );
                }
                let summary =
                    self.ingest(&bar).await?.arrival(&source, &paths, received_at.unwrap_or_else(now)).await?;
                bar.finish();
                ask::print_summary(&summary, json);
                if let Some(newest) = summary.fitted_in_before.filter(|_| !json) {
                    let newest = newest.format("%Y-%m-%dT%H:%M:%SZ");
                    eprintln!(
                        "An arrival received at {newest} is taken already: this one is fitted in before it, and what later \
                         ones say of the same sessions stands. `rollcall set-aside` passes one over that bears a wrong time."
                    );
                }
                if !json && !summary.returns.is_empty() && summary.returns.iter().all(|r| r.refused) {
                    eprintln!("Every file was refused, and the ledger holds what it held. Send them again mended.");
                }
                Ok(())
            }
            Command::Query { sql, format, as_of, known_at, fresh } => {
                let format = match (json, format) {
                    (true, Some(format)) if format != ask::Form::Json => {
                        bail!("--json and --format ask for two forms of answer; give one of them")
                    }
                    (true, _) => ask::Form::Json,
                    (false, format) => format.unwrap_or(ask::Form::Table),
                };
                let session = self.session(as_of, known_at).await?;
                let session = if fresh { session.afresh().await? } else { session };
                ask::print(session.stream(&sql).await?, format).await
            }
            Command::Explain { name, as_of, known_at } => {
                let session = self.session(as_of, known_at).await?;
                ask::explain(&session, &name, json).await
            }
            Command::Check => {
                let session = self.session(None, None).await?;
                engine::Incoming::nothing().put(&session)?;
                let planned = session.check().await?;
                let pipelines = pipeline::check(self)?;
                let said = format!(
                    "{planned} definitions plan, {pipelines} {} can be read; {} is in order",
                    if pipelines == 1 { "pipeline" } else { "pipelines" },
                    self.config.folder.display()
                );
                if json {
                    println!("{}", serde_json::json!({ "definitions": planned, "pipelines": pipelines }));
                } else {
                    println!("{said}");
                }
                Ok(())
            }
            Command::Replay { source, from } => {
                let bar = progress::Bar::new(json);
                let from = from.map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
                let summary = self.ingest(&bar).await?.replay(source.as_deref(), from).await?;
                bar.finish();
                ask::print_summary(&summary, json);
                Ok(())
            }
            Command::SetAside { arrival, reason } => {
                let Some(n) = arrival else { return ask::print_arrivals(&self.lake, json).await };
                let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) else {
                    bail!("say why with --reason \"…\": it is kept with the arrival");
                };
                let bar = progress::Bar::new(json);
                let summary = self.ingest(&bar).await?.set_aside(n, model::id::without_upns(&reason), now()).await?;
                bar.finish();
                let said = format!("Arrival {n} is set aside, for good. Ledger version {}.", summary.version);
                println!("{}", if json { serde_json::json!({ "version": summary.version }).to_string() } else { said });
                Ok(())
            }
            Command::Build { as_of, known_at, no_keep } => {
                let session = self.session(as_of, known_at).await?;
                let session = if no_keep { session.afresh().await? } else { session };
                let bar = progress::Bar::new(json);
                let built = ask::build(&session, !no_keep, &bar).await?;
                bar.finish();
                ask::print_built(&built, json);
                Ok(())
            }
            Command::Run { pipeline, as_of, known_at } => pipeline::run(self, &pipeline, as_of, known_at, json).await,
            Command::Submission { what: Submission::List } => {
                for definition in self.library.of_folder("submissions") {
                    let name = definition.name.rsplit('.').next().unwrap_or(&definition.name);
                    let about = &definition.header.about;
                    match json {
                        true => println!("{}", serde_json::json!({ "name": name, "about": about })),
                        false => println!("{name}  {about}"),
                    }
                }
                Ok(())
            }
            Command::Submission { what: Submission::Build { name, to, as_of, known_at } } => {
                let session = self.session(as_of, known_at).await?;
                let said = submission::write(&submission::build(self, &session, &name).await?, &to)?;
                println!("{}", if json { serde_json::json!({ "submission": said }).to_string() } else { said });
                Ok(())
            }
            Command::Serve { address, as_of } => self.serve(&address, as_of, json).await,
            Command::Doctor => self.doctor(json).await,
            Command::Alerts { what, as_of, known_at } => {
                let session = self.session(as_of, known_at).await?;
                match what {
                    None | Some(Alerts::List) => {
                        let form = if json { ask::Form::Json } else { ask::Form::Table };
                        ask::print(session.stream(ask::ALERTS).await?, form).await
                    }
                    Some(Alerts::Show { alert_id }) => ask::show_alert(&session, &alert_id, json).await,
                }
            }
        }
    }

    /// Serves the dashboard until it is interrupted.
    async fn serve(&self, address: &str, as_of: Option<NaiveDate>, json: bool) -> Result<()> {
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| {
            format!("{address} cannot be listened on; name another with --address, e.g. 127.0.0.1:0")
        })?;
        let published = outputs::local_authority::find(self.config.la_code);
        let authority = match (self.config.la_name.as_str(), published) {
            ("", Some(published)) => published.la_name.clone(),
            ("", None) => format!("Local authority {}", self.config.la_code),
            (name, _) => name.to_owned(),
        };
        let source = serve::LedgerSource {
            engine: self.engine.clone(),
            authority,
            made_up: self.config.made_up,
            as_of,
            clock: now,
            turns: Arc::new(tokio::sync::Semaphore::new(1)),
        };
        let url = format!("http://{}/", listener.local_addr()?);
        match json {
            true => println!("{}", serde_json::json!({ "url": url })),
            false => println!("The dashboard is at {url} (end with Ctrl-C)"),
        }
        let stop = async {
            let _ = tokio::signal::ctrl_c().await;
        };
        serve::web::serve(listener, serve::router(source), stop).await.context("the dashboard ended")
    }
}

/// The clock. Nothing below this crate reads it.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

fn today() -> NaiveDate {
    now().date_naive()
}
