//! What returns say of which days and children: a problem is mended by the return that says it anew.

use lake::register::{Roots, root_of};
use model::line::monday_of_day;
use sources::SchoolGrid;

/// What a file has stated of a school: for which days, of which children.
pub(super) struct Coverage {
    /// First and last day.
    days: (i32, i32),
    return_id: i64,
    /// Rows kept, on a day from Monday to Friday.
    rows_a_day: i64,
    /// Whether it states changes alone, and not the whole register of its children.
    changes_only: bool,
    /// The children, by the first key of each, in order; of a file that sends changes alone, with their days.
    children: Vec<(i64, Option<i32>)>,
}

impl Coverage {
    /// What a return's register states; none where no row of it was kept.
    pub fn of(grid: &SchoolGrid, return_id: i64, roots: &Roots) -> Option<Self> {
        let days = grid.days?;
        let mut children: Vec<(i64, Option<i32>)> = match grid.changes_only {
            true => grid.days_with_rows().map(|(key, day)| (key, Some(day))).collect(),
            false => grid.pupils().map(|upn| (upn.key(), None)).collect(),
        };
        children.iter_mut().for_each(|(key, _)| *key = root_of(roots, *key));
        children.sort_unstable();
        let rows_a_day = i64::try_from(grid.rows_kept).unwrap_or(i64::MAX) / weekdays(days);
        Some(Self { days, return_id, rows_a_day, changes_only: grid.changes_only, children })
    }

    /// Whether it states a day of a child, or of the school.
    fn states(&self, child: Option<i64>, day: i32) -> bool {
        let is_its = |child: i64| {
            let of_child = self.children.partition_point(|(other, _)| *other < child);
            let its = self.children[of_child..].iter().take_while(|(other, _)| *other == child);
            its.into_iter().any(|(_, only)| only.is_none_or(|only| only == day))
        };
        let of_school = || self.children.iter().any(|(_, only)| only.is_none_or(|only| only == day));
        self.days.0 <= day && day <= self.days.1 && child.map_or_else(of_school, is_its)
    }

    /// The last of some returns that between them state a first and a last day of a child, or of the school, and all from
    /// Monday to Friday of the weeks between of which they state any: a half term is of none. Of the school they state no
    /// fewer rows a day than the first of two numbers, divided by the second.
    pub fn of_all(files: &[Self], child: Option<i64>, (first, last): (i32, i32), least: (i64, i64)) -> Option<i64> {
        let is_of_week = |day: &i32| {
            let monday = monday_of_day(*day);
            files.iter().any(|file| file.days.0 <= monday + 6 && monday <= file.days.1)
        };
        let is_between = |day: &i32| !is_weekend(*day) && is_of_week(day);
        let mut days = (first..=last).filter(|day| *day == first || *day == last || is_between(day));
        let is_stated = |day: i32| {
            let of_day = || files.iter().filter(|file| file.states(child, day));
            let is_enough = || {
                let rows: i64 = of_day().map(|file| file.rows_a_day).sum();
                of_day().any(|file| file.changes_only) || least.0 <= least.1.saturating_mul(rows)
            };
            of_day().next().is_some() && (child.is_some() || is_enough())
        };
        let mut of_days = files.iter().filter(|file| (first..=last).any(|day| file.states(child, day)));
        days.all(is_stated).then(|| of_days.next_back()).flatten().map(|file| file.return_id)
    }
}

fn is_weekend(day: i32) -> bool {
    monday_of_day(day) + 5 <= day
}

/// How many of some days are from Monday to Friday; one at least.
pub(super) fn weekdays((first, last): (i32, i32)) -> i64 {
    (first..=last).filter(|day| !is_weekend(*day)).count().max(1) as i64
}
