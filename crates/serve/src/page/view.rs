//! The overview and the error pages as HTML.

use askama::Template;

use crate::chart::{self, Names, Shape};

use super::ask::{Ask, Phase};
use super::table::Table;
use super::{Definition, NO_DATA, Overview, Part, count, date, percent, tables};

/// The overview as a page.
pub fn overview_page(overview: &Overview, ask: &Ask) -> askama::Result<String> {
    Page::of(overview, ask).render()
}

/// What an error page says.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "fault.html")]
pub struct PageFault {
    /// What happened, as a heading.
    pub heading: String,
    /// What it means, and what to do.
    pub paragraphs: Vec<String>,
}

/// An error page.
pub fn error_page(fault: &PageFault) -> askama::Result<String> {
    fault.render()
}

impl PageFault {
    fn demo(&self) -> bool {
        false
    }
}

/// Of schools that sent nothing, so many are shown at once; the others unfold.
const SILENT_SHOWN: usize = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page<'a> {
    overview: &'a Overview,
    period: String,
    facts: Vec<Fact>,
    missing: Option<String>,
    alerts: Option<Table>,
    silent: Option<Table>,
    silent_rest: Option<Table>,
    headlines: Vec<Tile<'a>>,
    trend_title: String,
    trend_subtitle: String,
    charts: [String; 2],
    weeks: Table,
    phases: Table,
    schools: Table,
    shown: String,
    choices: Vec<Choice>,
    mixed_ranking: bool,
    problems: Option<Table>,
    query: String,
    /// What a form must say again, so that choosing another day keeps the rest.
    kept: Vec<(&'static str, String)>,
}

struct Fact {
    name: &'static str,
    value: String,
    note: String,
}

struct Tile<'a> {
    measure: &'a str,
    value: String,
    known: bool,
    sentence: &'a str,
}

struct Choice {
    title: &'static str,
    href: String,
    schools: usize,
    is_now: bool,
}

/// Definitions to unfold beside figures.
#[derive(Template)]
#[template(path = "meaning.html")]
struct Meaning<'a> {
    summary: &'static str,
    definitions: Vec<&'a Definition>,
}

impl<'a> Page<'a> {
    fn of(overview: &'a Overview, ask: &Ask) -> Self {
        let names = Names::of(overview);
        let england = overview.benchmark.as_ref().map(|benchmark| benchmark.label.as_str());
        let schools = tables::schools(overview, ask);
        let (first, rest) = overview.silent_schools.split_at(overview.silent_schools.len().min(SILENT_SHOWN));
        let table_of =
            |id, goes_on, schools: &[_]| (!schools.is_empty()).then(|| tables::silent(overview, id, goes_on, schools));
        Page {
            overview,
            period: tables::period(overview),
            facts: facts(overview),
            missing: missing(overview),
            alerts: (!overview.alerts.is_empty()).then(|| tables::alerts(overview)),
            silent: table_of("silent-table", "", first),
            silent_rest: table_of("silent-rest-table", ", continued", rest),
            headlines: overview.headlines.iter().map(Tile::of).collect(),
            trend_title: chart::title(&overview.weeks),
            trend_subtitle: trend_subtitle(overview, england),
            charts: [Shape::Wide, Shape::Narrow].map(|shape| chart::weeks(&overview.weeks, names, shape)),
            weeks: tables::weeks(overview, &overview.weeks, england),
            phases: tables::phases(overview),
            shown: format!(
                "{} of {} schools shown",
                count(schools.rows.len() as u64),
                count(overview.schools.len() as u64)
            ),
            schools,
            choices: choices(overview, ask),
            mixed_ranking: ask.phase.is_none() && ask.sort.is_rate(),
            problems: (!overview.problems.is_empty()).then(|| tables::problems(overview)),
            query: ask.query(),
            kept: ask.pairs().into_iter().filter(|(name, _)| *name != "as_of").collect(),
        }
    }

    fn demo(&self) -> bool {
        self.overview.demo
    }

    fn meaning(&self, part: Part, summary: &'static str) -> Meaning<'_> {
        let definitions = self.overview.definitions.iter().filter(|definition| definition.part == part).collect();
        Meaning { summary, definitions }
    }
}

impl<'a> Tile<'a> {
    fn of(headline: &'a super::Headline) -> Self {
        let value = percent(headline.value);
        Tile { measure: &headline.measure, known: value != NO_DATA, value, sentence: &headline.sentence }
    }
}

fn facts(overview: &Overview) -> Vec<Fact> {
    let (stamp, coverage) = (&overview.stamp, &overview.coverage);
    vec![
        Fact {
            name: "Figures up to",
            value: date::weekday_in_words(&stamp.as_of),
            note: format!("from {}", date::day_in_words(&stamp.from)),
        },
        Fact {
            name: "Settled to",
            value: coverage.settled_to.as_deref().map_or_else(|| "no week yet".to_owned(), date::day_in_words),
            note: if coverage.settled_to.is_some() {
                "later figures may still move"
            } else {
                "every figure may still move"
            }
            .to_owned(),
        },
        Fact {
            name: "Schools received",
            value: format!("{} of {}", count(coverage.schools_received), count(coverage.schools_expected)),
            note: if coverage.received_for.is_empty() {
                String::new()
            } else {
                format!("for {}", coverage.received_for)
            },
        },
        Fact {
            name: "As known at",
            value: date::instant_in_words(&stamp.known_at),
            note: format!("UK time; ledger version {}", count(stamp.ledger_version)),
        },
    ]
}

fn missing(overview: &Overview) -> Option<String> {
    let coverage = &overview.coverage;
    match coverage.schools_expected.saturating_sub(coverage.schools_received) {
        0 => None,
        1 => Some("1 school is missing: figures for the area leave out what it has not sent.".to_owned()),
        more => Some(format!(
            "{} schools are missing: figures for the area leave out what they have not sent.",
            count(more)
        )),
    }
}

fn trend_subtitle(overview: &Overview, england: Option<&str>) -> String {
    let against = england.map_or_else(String::new, |label| format!(" and {label}"));
    let weeks = match (overview.weeks.first(), overview.weeks.last()) {
        (Some(first), Some(last)) if first != last => format!(
            "weeks beginning {} to {}",
            date::day_in_words(&first.week_start),
            date::day_in_words(&last.week_start)
        ),
        (Some(first), _) => format!("week beginning {}", date::day_in_words(&first.week_start)),
        _ => tables::period(overview),
    };
    format!("Sessions missed as a percentage of possible sessions, {}{against}, {weeks}", overview.authority)
}

fn choices(overview: &Overview, ask: &Ask) -> Vec<Choice> {
    let link = |phase| format!("/{}#schools", Ask { phase, ..ask.clone() }.query());
    let all =
        Choice { title: "All phases", href: link(None), schools: overview.schools.len(), is_now: ask.phase.is_none() };
    let of_phase = Phase::ALL.into_iter().filter_map(|phase| {
        let schools = overview.schools.iter().filter(|school| school.phase == phase.title()).count();
        let is_now = ask.phase == Some(phase);
        (schools > 0 || is_now).then(|| Choice { title: phase.title(), href: link(Some(phase)), schools, is_now })
    });
    std::iter::once(all).chain(of_phase).collect()
}

#[cfg(test)]
mod tests;
