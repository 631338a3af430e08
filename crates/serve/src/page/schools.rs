//! Which schools are shown, and in what order.

use std::cmp::Ordering;

use super::SchoolRow;
use super::ask::{Ask, Direction, SortBy};

/// The schools asked for, in the order asked for. What is not known comes last whichever end is first, and
/// equals stand by name.
pub fn arrange<'a>(schools: &'a [SchoolRow], ask: &Ask) -> Vec<&'a SchoolRow> {
    let mut chosen: Vec<&SchoolRow> =
        schools.iter().filter(|school| ask.phase.is_none_or(|phase| school.phase == phase.title())).collect();
    let direction = ask.direction();
    chosen.sort_by(|a, b| compare(a, b, ask.sort, direction).then_with(|| by_name(a, b)).then(a.urn.cmp(&b.urn)));
    chosen
}

fn compare(a: &SchoolRow, b: &SchoolRow, sort: SortBy, direction: Direction) -> Ordering {
    let known = |a: Option<f64>, b: Option<f64>| last_if_none(a, b, direction, f64::total_cmp);
    let number = |a: Option<u64>, b: Option<u64>| last_if_none(a, b, direction, u64::cmp);
    let text = |a: Option<&str>, b: Option<&str>| {
        last_if_none(a, b, direction, |a, b| a.to_lowercase().cmp(&b.to_lowercase()))
    };
    match sort {
        SortBy::Name => turned(by_name(a, b), direction),
        SortBy::Phase => text(Some(&a.phase), Some(&b.phase)),
        SortBy::Trust => text(a.trust.as_deref(), b.trust.as_deref()),
        SortBy::Enrolments => number(a.enrolments, b.enrolments),
        SortBy::Absence => known(a.absence_percent, b.absence_percent),
        SortBy::Persistent => number(a.persistent, b.persistent),
        SortBy::PersistentPercent => known(a.persistent_percent, b.persistent_percent),
        SortBy::Severe => number(a.severe, b.severe),
        SortBy::SeverePercent => known(a.severe_percent, b.severe_percent),
        // Never is the longest ago, not unknown.
        SortBy::LastSent => turned(a.last_sent.cmp(&b.last_sent), direction),
        SortBy::RefusedRows => turned(a.refused_rows.cmp(&b.refused_rows), direction),
    }
}

fn by_name(a: &SchoolRow, b: &SchoolRow) -> Ordering {
    a.name.to_lowercase().cmp(&b.name.to_lowercase())
}

fn turned(order: Ordering, direction: Direction) -> Ordering {
    match direction {
        Direction::Ascending => order,
        Direction::Descending => order.reverse(),
    }
}

fn last_if_none<T>(a: Option<T>, b: Option<T>, direction: Direction, order: impl Fn(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => turned(order(&a, &b), direction),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::ask::Phase;

    fn school(urn: u32, name: &str, phase: &str, absence_percent: Option<f64>) -> SchoolRow {
        SchoolRow { urn, name: name.into(), phase: phase.into(), absence_percent, ..SchoolRow::default() }
    }

    fn names(schools: &[SchoolRow], ask: &Ask) -> Vec<String> {
        arrange(schools, ask).into_iter().map(|school| school.name.clone()).collect()
    }

    fn some_schools() -> Vec<SchoolRow> {
        vec![
            school(3, "cedar", "Primary", None),
            school(1, "Beech", "Primary", Some(7.0)),
            school(2, "Ash", "Secondary", Some(9.0)),
            school(4, "Alder", "Primary", Some(7.0)),
        ]
    }

    #[test]
    fn by_name_unless_asked() {
        assert_eq!(names(&some_schools(), &Ask::default()), ["Alder", "Ash", "Beech", "cedar"]);
    }

    #[test]
    fn the_unknown_comes_last_both_ways() {
        let mut ask = Ask { sort: SortBy::Absence, ..Ask::default() };
        assert_eq!(names(&some_schools(), &ask), ["Ash", "Alder", "Beech", "cedar"]);
        ask.direction = Some(Direction::Ascending);
        assert_eq!(names(&some_schools(), &ask), ["Alder", "Beech", "Ash", "cedar"]);
    }

    #[test]
    fn never_sent_is_the_longest_silent() {
        let mut schools = some_schools();
        schools[0].last_sent = Some("2026-11-20".into());
        schools[1].last_sent = Some("2026-10-02".into());
        let ask = Ask { sort: SortBy::LastSent, ..Ask::default() };
        assert_eq!(names(&schools, &ask), ["Alder", "Ash", "Beech", "cedar"]);
    }

    #[test]
    fn only_the_phase_asked_for() {
        let ask = Ask { phase: Some(Phase::Secondary), ..Ask::default() };
        assert_eq!(names(&some_schools(), &ask), ["Ash"]);
        assert!(names(&some_schools(), &Ask { phase: Some(Phase::Special), ..Ask::default() }).is_empty());
    }

    #[test]
    fn every_order_takes_every_school() {
        let schools = some_schools();
        for sort in SortBy::ALL {
            for direction in Direction::ALL {
                let ask = Ask { sort, direction: Some(direction), ..Ask::default() };
                assert_eq!(arrange(&schools, &ask).len(), schools.len());
            }
        }
    }
}
