//! The overview's figures, from the SQL of `sql/serving/`.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};
use engine::Engine;
use engine::session::Session;
use model::{AcademicYear, AsOf};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::page::ask::Ask;
use crate::page::date;
use crate::page::{
    AlertLine, Benchmark, Coverage, Definition, Headline, Overview, Part, PhaseRow, ProblemRow, SchoolRow, Severity,
    SilentSchool, Stamp, WeekPoint, in_words,
};
use crate::web::{PageError, Source};

/// The clock, given from above.
pub type Clock = fn() -> DateTime<Utc>;

/// One lake behind the page.
#[derive(Clone)]
pub struct LedgerSource {
    /// Answers the questions.
    pub engine: Engine,
    /// The authority's name.
    pub authority: String,
    /// Whether the figures are made up, and the page says so.
    pub made_up: bool,
    /// The last school day, where nothing is asked for; none: today.
    pub as_of: Option<NaiveDate>,
    /// The clock.
    pub clock: Clock,
    /// How many pages may be worked out at once: each may take the memory of the configuration.
    pub turns: Arc<Semaphore>,
}

type Row = Map<String, Value>;

fn text(row: &Row, name: &str) -> Option<String> {
    row.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn words(row: &Row, name: &str) -> String {
    text(row, name).unwrap_or_default()
}

fn number(row: &Row, name: &str) -> Option<f64> {
    row.get(name).and_then(Value::as_f64)
}

fn whole(row: &Row, name: &str) -> Option<u64> {
    row.get(name).and_then(Value::as_u64)
}

fn urn(row: &Row) -> u32 {
    whole(row, "urn").and_then(|n| u32::try_from(n).ok()).unwrap_or_default()
}

/// An instant as the ledger writes it, as RFC 3339.
fn instant(row: &Row, name: &str) -> Option<String> {
    let text = text(row, name)?;
    Some(if text.ends_with('Z') { text } else { format!("{text}Z") })
}

impl Source for LedgerSource {
    async fn overview(&self, ask: Ask) -> Result<Overview, PageError> {
        let now = (self.clock)();
        let as_of = ask.as_of.as_deref().and_then(date::day).or(self.as_of).unwrap_or_else(|| now.date_naive());
        let known_at = ask.known_at.as_deref().and_then(model::known_at).unwrap_or(now);
        let run = self.engine.newest().await.map_err(PageError::failed)?;
        if run.n == 0 {
            return Err(PageError::Nothing("Nothing has been taken in yet. Run rollcall ingest first.".to_owned()));
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(PageError::failed)?;
        let source = self.clone();
        // Work that has begun goes on, and takes its memory, though whoever asked has gone: so does its turn.
        let filling = tokio::spawn(async move {
            let _turn = turn;
            let session = source.engine.session(&run, AsOf { as_of, known_at }).await?;
            source.filled(&session).await
        });
        filling.await.map_err(PageError::failed)?.map_err(PageError::failed)
    }
}

impl LedgerSource {
    async fn filled(&self, session: &Session) -> Result<Overview, engine::EngineError> {
        let AsOf { as_of, known_at } = session.as_of();
        let year = AcademicYear::of(as_of);
        let weeks = session.objects("SELECT * FROM serving.overview_week ORDER BY week_start").await?;
        let schools = session.objects("SELECT * FROM serving.overview_school ORDER BY urn").await?;
        let phases = session.objects("SELECT * FROM serving.overview_phase ORDER BY phase").await?;
        let alerts = session.objects("SELECT * FROM serving.overview_alert ORDER BY rule").await?;
        let problems = session.objects("SELECT * FROM serving.overview_problem ORDER BY severity, rule").await?;
        // Of a week in which no school was open nothing can move.
        let open: Vec<&Row> = weeks.iter().filter(|w| number(w, "absence_percent").is_some()).collect();
        let last = open.last();
        let silent_schools = silent(&schools);
        let settled = open.iter().take_while(|w| w.get("is_settled") == Some(&Value::Bool(true)));
        let settled_to = settled.last().and_then(|w| date::day(&words(w, "week_start")));
        let friday = Days::new(session.library().number("last_weekday").unwrap_or(0));
        let total = phases.iter().find(|p| words(p, "phase") == "Total");
        let england_years: BTreeSet<u64> = weeks.iter().filter_map(|w| whole(w, "england_year")).collect();
        Ok(Overview {
            authority: self.authority.clone(),
            demo: self.made_up,
            stamp: Stamp {
                academic_year: year.label(),
                from: year.first_day().to_string(),
                as_of: as_of.to_string(),
                known_at: known_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                ledger_version: session.run().n,
            },
            coverage: Coverage {
                schools_received: if last.is_some() { (schools.len() - silent_schools.len()) as u64 } else { 0 },
                schools_expected: schools.len() as u64,
                received_for: last.map_or_else(
                    || "this school year".to_owned(),
                    |w| format!("the week beginning {}", date::day_in_words(&words(w, "week_start"))),
                ),
                settled_to: settled_to.map(|monday| (monday + friday).to_string()),
            },
            alerts: alerts.iter().map(|a| self.alert(a)).collect(),
            silent_schools,
            headlines: total.map(|t| headlines(t, &self.authority, as_of)).unwrap_or_default(),
            weeks: weeks
                .iter()
                .map(|w| WeekPoint {
                    week_start: words(w, "week_start"),
                    area: number(w, "absence_percent"),
                    england: number(w, "england_percent"),
                    settled: w.get("is_settled") == Some(&Value::Bool(true)),
                    schools_received: whole(w, "schools_received").unwrap_or(0),
                    schools_expected: whole(w, "schools_expected").unwrap_or(0),
                })
                .collect(),
            benchmark: benchmark(&england_years),
            phases: phases.iter().map(phase).collect(),
            schools: schools.iter().map(school).collect(),
            problems: problems.iter().map(|p| self.problem(p)).collect(),
            definitions: self.definitions(),
        })
    }

    fn about(&self, name: &str) -> String {
        let library = self.engine.library();
        let short = name.rsplit('.').next().unwrap_or(name);
        library
            .get(name)
            .map(|d| d.header.about.clone())
            .or_else(|| library.fields.get(short).map(|f| f.about.clone()))
            .unwrap_or_default()
    }

    fn alert(&self, row: &Row) -> AlertLine {
        let rule = words(row, "rule");
        AlertLine {
            title: in_words(&rule),
            about: self.about(&format!("alerts.{rule}")),
            standing: whole(row, "standing").unwrap_or(0),
            new: whole(row, "new").unwrap_or(0),
            retracted: whole(row, "retracted").unwrap_or(0),
            schools: whole(row, "schools"),
            oldest: text(row, "oldest"),
            rule,
        }
    }

    fn problem(&self, row: &Row) -> ProblemRow {
        let rule = words(row, "rule");
        ProblemRow {
            about: self.about(&format!("rules.{rule}")),
            severity: match words(row, "severity").as_str() {
                "refuse_file" => Severity::RefuseFile,
                "refuse_row" => Severity::RefuseRow,
                _ => Severity::Warn,
            },
            schools: whole(row, "schools").unwrap_or(0),
            rows: whole(row, "rows").unwrap_or(0),
            expected: words(row, "expected"),
            rule,
        }
    }

    fn definitions(&self) -> Vec<Definition> {
        // What a part speaks of is a view, or some of its columns.
        let shown: [(Part, &str, &[&str]); 7] = [
            (Part::Coverage, "metrics.area_week", &["schools_expected", "schools_received", "is_settled"]),
            (Part::Alerts, "alerts.current", &[]),
            (Part::Headlines, "metrics.area_year", &[]),
            (Part::Weeks, "serving.overview_week", &[]),
            (Part::Phases, "metrics.area_year", &[]),
            (Part::Schools, "metrics.school_year", &[]),
            (Part::Problems, "quality.problem", &[]),
        ];
        shown
            .into_iter()
            .filter_map(|(part, name, columns)| {
                let header = &self.engine.library().get(name)?.header;
                let told = |name: &&str| Some(format!("{}: {}.", in_words(name), header.columns.get(*name)?.doc));
                let about = match columns {
                    [] => header.about.clone(),
                    columns => columns.iter().filter_map(told).collect::<Vec<_>>().join(" "),
                };
                Some(Definition {
                    part,
                    name: name.to_owned(),
                    about,
                    source: header.source.trim_end_matches('.').to_owned(),
                    version: u64::from(header.version),
                })
            })
            .collect()
    }
}

/// Schools of which the newest week holds nothing, those silent longest first.
fn silent(schools: &[Row]) -> Vec<SilentSchool> {
    let mut silent: Vec<SilentSchool> = schools
        .iter()
        .filter(|s| s.get("is_silent") == Some(&Value::Bool(true)))
        .map(|s| SilentSchool {
            urn: urn(s),
            name: words(s, "name"),
            phase: words(s, "phase"),
            last_sent: instant(s, "last_sent"),
            school_days: whole(s, "school_days_silent"),
        })
        .collect();
    silent.sort_by(|a, b| (&a.last_sent, a.urn).cmp(&(&b.last_sent, b.urn)));
    silent
}

fn phase(row: &Row) -> PhaseRow {
    PhaseRow {
        phase: words(row, "phase"),
        schools_received: whole(row, "schools_received").unwrap_or(0),
        schools_expected: whole(row, "schools_expected").unwrap_or(0),
        enrolments: whole(row, "enrolments"),
        absence_percent: number(row, "absence_percent"),
        authorised_percent: number(row, "authorised_percent"),
        unauthorised_percent: number(row, "unauthorised_percent"),
        persistent_percent: number(row, "persistent_percent"),
        severe_percent: number(row, "severe_percent"),
    }
}

fn school(row: &Row) -> SchoolRow {
    SchoolRow {
        urn: urn(row),
        name: words(row, "name"),
        phase: words(row, "phase"),
        trust: text(row, "trust_name"),
        enrolments: whole(row, "enrolments"),
        absence_percent: number(row, "absence_percent"),
        persistent: whole(row, "persistent"),
        persistent_percent: number(row, "persistent_percent"),
        severe: whole(row, "severe"),
        severe_percent: number(row, "severe_percent"),
        last_sent: instant(row, "last_sent"),
        refused_rows: whole(row, "refused_rows").unwrap_or(0),
    }
}

/// What the figures of England are that stand beside the weeks, which are of these calendar years.
fn benchmark(years: &BTreeSet<u64>) -> Option<Benchmark> {
    let named: Vec<String> = years.iter().rev().map(u64::to_string).collect();
    let (newest, older) = named.split_first()?;
    let source = format!("DfE, Pupil attendance in schools, same week of {newest}");
    Some(match older.is_empty() {
        true => Benchmark { label: format!("England, {newest}"), source },
        false => Benchmark {
            label: format!("England, {}", named.join(" or ")),
            source: format!("{source}, or of {} where none is published of that", older.join(" or ")),
        },
    })
}

/// Four sentences: absence, unauthorised absence, persistent and severe absence, this school year so far.
fn headlines(total: &Row, authority: &str, as_of: NaiveDate) -> Vec<Headline> {
    let until = date::day_in_words(&as_of.to_string());
    let said = |measure: &str, column: &str, of: &str| {
        let value = number(total, column);
        let sentence = match value {
            Some(value) => format!("{value:.1}% of {of} in {authority} from 1 September to {until}."),
            None => format!("No figure is held for {of} in {authority} from 1 September to {until}."),
        };
        Headline { measure: measure.to_owned(), value, sentence }
    };
    vec![
        said("Overall absence", "absence_percent", "possible sessions were missed"),
        said("Unauthorised absence", "unauthorised_percent", "possible sessions were missed without authority"),
        said("Persistent absence", "persistent_percent", "pupils missed one session in ten or more"),
        said("Severe absence", "severe_percent", "pupils missed half of their sessions or more"),
    ]
}
