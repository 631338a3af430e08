//! Where weeks and values stand on the axes.

use crate::page::{WeekPoint, date};

use super::{finite, week_after};

/// Places along the axis, one a week, so that a week nobody sent leaves its gap.
pub(super) struct Slots {
    /// How many.
    pub count: usize,
    /// The place of each point.
    pub of_points: Vec<usize>,
    first: Option<chrono::NaiveDate>,
    labels: Vec<String>,
}

/// Two school years and more: what lies further apart is not one trend.
const MOST_WEEKS: usize = 120;

impl Slots {
    /// By date where every point has one and they ascend; else one place after the other.
    pub fn of(points: &[WeekPoint]) -> Self {
        let days: Option<Vec<_>> = points.iter().map(|point| date::day(&point.week_start)).collect();
        let by_date = days.as_deref().and_then(|days| {
            let first = *days.first()?;
            let places: Vec<usize> =
                days.iter().map(|day| usize::try_from((*day - first).num_days() / 7).ok()).collect::<Option<_>>()?;
            let in_order = places.windows(2).all(|pair| pair[0] < pair[1]);
            let last = *places.last()?;
            (in_order && last < MOST_WEEKS).then_some((first, places, last))
        });
        match by_date {
            Some((first, of_points, last)) => {
                Slots { count: last + 1, of_points, first: Some(first), labels: Vec::new() }
            }
            None => Slots {
                count: points.len().max(1),
                of_points: (0..points.len()).collect(),
                first: None,
                labels: points.iter().map(|point| point.week_start.clone()).collect(),
            },
        }
    }

    /// `7 Sep`.
    pub fn label(&self, slot: usize) -> String {
        match self.first.and_then(|first| week_after(first, slot)) {
            Some(day) => day.format("%-d %b").to_string(),
            None => self.labels.get(slot).cloned().unwrap_or_default(),
        }
    }
}

/// The values on the upright axis: from nought, or, where that would press both lines flat, from a round
/// number below them, which the chart then says.
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    step: f64,
}

impl Scale {
    /// Nothing if no point has a value.
    pub fn of(points: &[WeekPoint]) -> Option<Self> {
        let values = || points.iter().flat_map(|point| [finite(point.area), finite(point.england)]).flatten();
        let (least, most) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        let starts_at_nought = least < most / 2.0 || most < 2.0;
        let (from, to) = if starts_at_nought { (0.0, most.max(1.0)) } else { (least, most.max(least + 2.0)) };
        let step = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 25.0, 50.0].into_iter().find(|step| (to - from) / step <= 5.0)?;
        // A little air, so that a line neither lies on the axis nor touches the top.
        let air = step * 0.2;
        let low = if starts_at_nought { 0.0 } else { (((from - air) / step).floor() * step).max(0.0) };
        let high = ((to + air) / step).ceil() * step;
        Some(Scale { low, high: if most <= 100.0 { high.min(100.0) } else { high }, step })
    }

    /// The round values from the lowest to the highest.
    pub fn ticks(&self) -> impl Iterator<Item = f64> + '_ {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|at| self.low + at as f64 * self.step)
    }

    /// `7%` or `7.5%`.
    pub fn tick(&self, value: f64) -> String {
        if self.step.fract() == 0.0 { format!("{value:.0}%") } else { format!("{value:.1}%") }
    }
}
