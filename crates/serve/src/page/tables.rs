//! The tables of the overview, from its figures.

use super::ask::{Ask, Phase, SortBy};
use super::table::{Cell, Column, Row, Sort, Table};
use super::{Overview, PhaseRow, SchoolRow, Severity, SilentSchool, WeekPoint, count, date, in_words, schools};

/// `1 September 2026 to 20 November 2026`.
pub(super) fn period(overview: &Overview) -> String {
    format!("{} to {}", date::day_in_words(&overview.stamp.from), date::day_in_words(&overview.stamp.as_of))
}

pub(super) fn alerts(overview: &Overview) -> Table {
    Table {
        id: "alerts-table",
        caption: format!(
            "Alerts by rule, as at {}; new and taken back in the seven days before",
            date::day_in_words(&overview.stamp.as_of)
        ),
        columns: vec![
            Column::text("Rule"),
            Column::number("Standing"),
            Column::number("New"),
            Column::number("Taken back"),
            Column::number("Schools"),
            Column::text("Oldest raised"),
        ],
        rows: overview
            .alerts
            .iter()
            .map(|line| {
                let schools = line.schools.or((line.standing == 0).then_some(0));
                Row::of([
                    Cell::noted(&line.title, &line.about),
                    Cell::count(line.standing),
                    Cell::count(line.new),
                    Cell::count(line.retracted),
                    schools.map_or_else(|| Cell::text("spans schools"), Cell::count),
                    Cell::day(line.oldest.as_deref(), "none stands"),
                ])
            })
            .collect(),
    }
}

/// Schools that sent nothing; a second table of them says that it goes on.
pub(super) fn silent(overview: &Overview, id: &'static str, goes_on: &str, schools: &[SilentSchool]) -> Table {
    Table {
        id,
        caption: format!("Schools without marks for {}{goes_on}", overview.coverage.received_for),
        columns: vec![
            Column::text("School"),
            Column::text("Phase"),
            Column::text("Last sent"),
            Column::number("School days silent"),
        ],
        rows: schools
            .iter()
            .map(|school| {
                Row::of([
                    Cell::noted(&school.name, format!("URN {}", school.urn)),
                    Cell::text(&school.phase),
                    Cell::day(school.last_sent.as_deref(), "never"),
                    school.school_days.map_or_else(|| Cell::unknown("not known"), Cell::count),
                ])
            })
            .collect(),
    }
}

pub(super) fn weeks(overview: &Overview, weeks: &[WeekPoint], england: Option<&str>) -> Table {
    let absence = |name: &str| Column::number(format!("Absence, {name}"));
    let mut columns = vec![Column::text("Week beginning"), absence(&overview.authority)];
    columns.extend(england.map(absence));
    columns.extend([Column::number("Schools received"), Column::number("Schools expected"), Column::text("State")]);
    Table {
        id: "weeks-table",
        caption: match england {
            Some(label) => {
                format!("Absence by week, {} and {label} (published), {}", overview.authority, period(overview))
            }
            None => format!("Absence by week, {}, {}", overview.authority, period(overview)),
        },
        columns,
        rows: weeks
            .iter()
            .map(|week| {
                let mut cells = vec![Cell::text(date::day_in_words(&week.week_start)), Cell::percent(week.area)];
                if england.is_some() {
                    cells.push(Cell::percent(week.england));
                }
                cells.extend([
                    Cell::count(week.schools_received),
                    Cell::count(week.schools_expected),
                    match (week.settled, week.area) {
                        (true, _) => Cell::text("Settled"),
                        (false, Some(_)) => Cell::tagged("Not settled", "yellow"),
                        (false, None) => Cell::unknown("no data"),
                    },
                ]);
                Row { cells, strong: false }
            })
            .collect(),
    }
}

pub(super) fn phases(overview: &Overview) -> Table {
    let place =
        |row: &PhaseRow| Phase::ALL.iter().position(|phase| phase.title() == row.phase).unwrap_or(Phase::ALL.len());
    let mut rows: Vec<&PhaseRow> = overview.phases.iter().collect();
    rows.sort_by_key(|row| (row.phase == TOTAL, place(row)));
    Table {
        id: "phases-table",
        caption: format!("Absence by phase, {}, {}", overview.authority, period(overview)),
        columns: vec![
            Column::text("Phase"),
            Column::number("Schools received, of expected"),
            Column::number("Enrolments"),
            Column::number("Absence"),
            Column::number("Authorised"),
            Column::number("Unauthorised"),
            Column::number("Persistently absent, %"),
            Column::number("Severely absent, %"),
        ],
        rows: rows
            .into_iter()
            .map(|row| Row {
                strong: row.phase == TOTAL,
                ..Row::of([
                    Cell::text(if row.phase == TOTAL { "Primary, secondary and special" } else { &row.phase }),
                    Cell::text(format!("{} of {}", count(row.schools_received), count(row.schools_expected))),
                    Cell::count_if_known(row.enrolments),
                    Cell::percent(row.absence_percent),
                    Cell::percent(row.authorised_percent),
                    Cell::percent(row.unauthorised_percent),
                    Cell::percent(row.persistent_percent),
                    Cell::percent(row.severe_percent),
                ])
            })
            .collect(),
    }
}

const TOTAL: &str = "Total";

pub(super) fn schools(overview: &Overview, ask: &Ask) -> Table {
    let order = [
        (SortBy::Name, Column::text("School")),
        (SortBy::Phase, Column::text("Phase")),
        (SortBy::Trust, Column::text("Trust")),
        (SortBy::Enrolments, Column::number("Enrolments")),
        (SortBy::Absence, Column::number("Absence")),
        (SortBy::Persistent, Column::number("Persistently absent")),
        (SortBy::PersistentPercent, Column::number("Persistently absent, %")),
        (SortBy::Severe, Column::number("Severely absent")),
        (SortBy::SeverePercent, Column::number("Severely absent, %")),
        (SortBy::LastSent, Column::text("Last sent")),
        (SortBy::RefusedRows, Column::number("Rows refused")),
    ];
    let of_phase = ask.phase.map_or_else(String::new, |phase| format!("{} phase, ", phase.title()));
    Table {
        id: "schools-table",
        caption: format!("Schools in {}, {of_phase}{}", overview.authority, period(overview)),
        columns: order.into_iter().map(|(sort, column)| column.sorted(sort_link(sort, ask))).collect(),
        rows: schools::arrange(&overview.schools, ask).into_iter().map(school).collect(),
    }
}

fn school(school: &SchoolRow) -> Row {
    Row::of([
        Cell::noted(&school.name, format!("URN {}", school.urn)),
        Cell::text(&school.phase),
        Cell::text(school.trust.as_deref().unwrap_or("no trust")),
        Cell::count_if_known(school.enrolments),
        Cell::percent(school.absence_percent),
        Cell::count_if_known(school.persistent),
        Cell::percent(school.persistent_percent),
        Cell::count_if_known(school.severe),
        Cell::percent(school.severe_percent),
        Cell::day(school.last_sent.as_deref(), "never"),
        Cell::count(school.refused_rows),
    ])
}

fn sort_link(sort: SortBy, ask: &Ask) -> Sort {
    let is_now = ask.sort == sort;
    let natural = sort.natural_direction();
    let next = if is_now { ask.direction().reversed() } else { natural };
    let link = Ask { sort, direction: (next != natural).then_some(next), ..ask.clone() };
    Sort {
        href: format!("/{}#schools", link.query()),
        hint: match next {
            super::Direction::Ascending => "sort ascending",
            super::Direction::Descending => "sort descending",
        },
        now: is_now.then(|| match ask.direction() {
            super::Direction::Ascending => "ascending",
            super::Direction::Descending => "descending",
        }),
    }
}

pub(super) fn problems(overview: &Overview) -> Table {
    Table {
        id: "problems-table",
        caption: format!("Open problems in what schools sent, {}", period(overview)),
        columns: vec![
            Column::text("What is wrong"),
            Column::text("What is expected"),
            Column::text("What became of it"),
            Column::number("Schools"),
            Column::number("Rows or files"),
        ],
        rows: overview
            .problems
            .iter()
            .map(|problem| {
                Row::of([
                    Cell::noted(in_words(&problem.rule), &problem.about),
                    Cell::text(&problem.expected),
                    match problem.severity {
                        Severity::RefuseFile => Cell::tagged("File refused", "red"),
                        Severity::RefuseRow => Cell::tagged("Row refused", "orange"),
                        Severity::Warn => Cell::tagged("Kept and listed", "grey"),
                    },
                    Cell::count(problem.schools),
                    Cell::count(problem.rows),
                ])
            })
            .collect(),
    }
}
