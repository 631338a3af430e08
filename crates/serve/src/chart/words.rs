//! What the chart says in words: its title, and itself for those who do not see it.

use crate::page::{WeekPoint, date, percent};

use super::{Names, finite, is_unsettled};

/// What the chart shows, for those who do not see it.
pub fn in_words(points: &[WeekPoint], names: Names<'_>) -> String {
    let said = |name: &str, of: fn(&WeekPoint) -> Option<f64>| {
        let known: Vec<_> = points.iter().filter_map(|point| Some((point, finite(of(point))?))).collect();
        let (Some(first), Some(last)) = (known.first(), known.last()) else { return format!("{name}: no data.") };
        if known.len() == 1 {
            return format!(
                "{name}: {} in the week beginning {}.",
                percent(Some(first.1)),
                date::day_in_words(&first.0.week_start)
            );
        }
        let highest = known.iter().fold(first, |best, at| if at.1 > best.1 { at } else { best });
        let lowest = known.iter().fold(first, |best, at| if at.1 < best.1 { at } else { best });
        format!(
            "{name}: {} in the week beginning {}, {} in the week beginning {}; between {} (week beginning {}) and {} (week beginning {}).",
            percent(Some(first.1)),
            date::day_in_words(&first.0.week_start),
            percent(Some(last.1)),
            date::day_in_words(&last.0.week_start),
            percent(Some(lowest.1)),
            date::day_in_words(&lowest.0.week_start),
            percent(Some(highest.1)),
            date::day_in_words(&highest.0.week_start),
        )
    };
    let unsettled: Vec<_> =
        points.iter().filter(|point| is_unsettled(point)).map(|point| date::day_in_words(&point.week_start)).collect();
    let unsettled = match unsettled.as_slice() {
        [] => String::new(),
        weeks => format!(" Not settled yet, hatched: week beginning {}.", weeks.join(", ")),
    };
    format!(
        "Line chart of absence by week as a percentage of possible sessions. {} {}{unsettled} The same figures are in the table below it.",
        said(names.area, |point| point.area),
        said(names.england, |point| point.england),
    )
}

/// The finding, in a sentence of ten words at most. Weeks that are not settled carry no finding.
pub fn title(points: &[WeekPoint]) -> String {
    let settled: Vec<_> = points.iter().filter(|point| point.settled && finite(point.area).is_some()).collect();
    let compared =
        settled.iter().rev().find_map(|point| Some((&point.week_start, finite(point.area)?, finite(point.england)?)));
    if let Some((week_start, area, england)) = compared {
        let was = match tenths(area).cmp(&tenths(england)) {
            std::cmp::Ordering::Greater => "Absence was above England’s",
            std::cmp::Ordering::Less => "Absence was below England’s",
            std::cmp::Ordering::Equal => "Absence equalled England’s",
        };
        // England's figures come later, or not at all.
        let is_latest = settled.last().is_some_and(|last| last.week_start == *week_start);
        return match is_latest {
            true => format!("{was} in the latest settled week"),
            false => format!("{was} in the week beginning {}", date::day_and_month(week_start)),
        };
    }
    let mut newest = settled.iter().rev().filter_map(|point| finite(point.area)).map(tenths);
    match (newest.next(), newest.next()) {
        (Some(now), Some(before)) if now > before => "Absence rose in the latest settled week".to_owned(),
        (Some(now), Some(before)) if now < before => "Absence fell in the latest settled week".to_owned(),
        (Some(_), Some(_)) => "Absence held level in the latest settled week".to_owned(),
        (Some(_), None) => "One week of absence figures is settled".to_owned(),
        (None, _) => "No week of absence figures is settled yet".to_owned(),
    }
}

fn tenths(value: f64) -> i64 {
    (value * 10.0).round() as i64
}
