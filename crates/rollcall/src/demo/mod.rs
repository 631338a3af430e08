//! A made-up authority: schools, rolls and a year of attendance marks that look like the real thing.
//!
//! Nobody in it exists. Rates, reasons and their spread over pupils, days and schools follow the
//! published national figures. The same plan writes the same bytes; a plan with a later last day
//! continues what one with an earlier day wrote.

mod authority;
mod calendar;
pub(crate) mod command;
mod dialect;
mod gias;
mod mark;
mod marks_file;
mod movement;
mod names;
mod normal;
mod overlay;
mod pieces;
mod post;
mod propensity;
mod register;
mod roll_file;
mod roster;
mod seasons;
#[cfg(test)]
mod tests;
mod upn;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{anyhow, ensure};

use authority::Authority;
use post::{Post, Sender};
use register::Register;

/// What to make up.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Two plans that differ in nothing but the seed are two different authorities.
    pub seed: u64,
    /// Three-digit code of the local authority, e.g. 850.
    pub la_code: u16,
    /// Schools that send files, 8 to 30,000.
    pub schools: usize,
    /// Pupils on roll in all schools together, about.
    pub pupils: usize,
    /// Starting year of the academic year: 2026 for 202627.
    pub academic_year: i32,
    /// Last school day with marks.
    pub until: chrono::NaiveDate,
    /// How often schools send their marks.
    pub cadence: Cadence,
    /// Share (0 to 1) of mark rows made wrong: unknown code, impossible date, bad session, bad UPN.
    pub dirt: f64,
    /// Schools write in several dialects; otherwise all write plain UTF-8 with ISO dates.
    pub dialects: bool,
    /// Corrections, late returns, movers, leavers, changed UPNs, dual registration, a conversion.
    pub events: bool,
}

/// How often schools send their marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cadence {
    /// One file a school for all dates.
    Year,
    /// One file a school a week.
    Week,
    /// One file a school a day, which states its week so far.
    Day,
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Folders of files that arrive together.
    pub arrivals: usize,
    /// Files in them.
    pub files: usize,
    /// Children, each counted once whatever schools it is at.
    pub pupils: usize,
    /// Rows of marks files, restated ones counted again.
    pub mark_rows: u64,
    /// Size of all files.
    pub bytes: u64,
}

impl Written {
    fn add(&mut self, other: &Written) {
        self.arrivals += other.arrivals;
        self.files += other.files;
        self.pupils += other.pupils;
        self.mark_rows += other.mark_rows;
        self.bytes += other.bytes;
    }
}

/// Threads that write; each holds one school at a time.
const THREADS: usize = 2;

/// Writes `dir/arrivals/<number>_<received-at>/…` in the order in which the files would arrive.
///
/// Files of an earlier, different plan in the same folder are left: give it an empty one.
pub fn write(plan: &Plan, dir: &Path) -> anyhow::Result<Written> {
    check(plan)?;
    let authority = Authority::new(plan);
    ensure!(
        plan.until >= authority.terms.first_day(),
        "the last day {} is before the first day of term {}",
        plan.until,
        authority.terms.first_day()
    );
    let post = Post::new(plan, &authority.terms, dir)?;
    let mut written = put_establishments(plan, &authority, &post)?;
    written.arrivals = post.arrivals.len();

    let done = AtomicUsize::new(0);
    let work = || -> anyhow::Result<Written> {
        let mut written = Written::default();
        let mut buffer = Vec::new();
        loop {
            // The largest schools have the highest numbers and go first, so that both threads end
            // at about the same time.
            let taken = done.fetch_add(1, Ordering::Relaxed);
            let Some(school) = authority.schools.iter().rev().nth(taken) else {
                return Ok(written);
            };
            let register = Register::fill(&authority, school);
            let sent = Sender::new(&authority, &post, &register, &mut buffer).send()?;
            written.add(&sent);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let part = thread.join().map_err(|_| anyhow!("a writing thread failed"))??;
            written.add(&part);
        }
        Ok(written)
    })
}

fn check(plan: &Plan) -> anyhow::Result<()> {
    ensure!((8..=30_000).contains(&plan.schools), "an authority has 8 to 30,000 schools, not {}", plan.schools);
    ensure!(
        (20..=1_500).contains(&(plan.pupils / plan.schools)),
        "{} pupils for {} schools: a school has 20 to 1,500 on average",
        plan.pupils,
        plan.schools
    );
    ensure!((100..=999).contains(&plan.la_code), "a local authority code has three digits, not {}", plan.la_code);
    ensure!((0.0..=0.5).contains(&plan.dirt), "the share of wrong rows is 0 to 0.5, not {}", plan.dirt);
    ensure!((2010..=2060).contains(&plan.academic_year), "no term dates for {}", plan.academic_year);
    Ok(())
}

/// The register of schools, and the calendars of those new in it: with the opening arrival, and again once a school
/// has become an academy.
fn put_establishments(plan: &Plan, authority: &Authority, post: &Post) -> anyhow::Result<Written> {
    let converted = post.arrivals.iter().position(|arrival| plan.events && arrival.on > authority.conversion_eve());
    let mut written = Written::default();
    for arrival in std::iter::once(0).chain(converted) {
        let on = post.arrivals[arrival].on;
        let stamp = on.format("%Y%m%d");
        let establishments = gias::establishments(authority, plan.la_code, on);
        let links = gias::links(authority, on);
        let mut calendars = String::from("URN,Date,Session,Open,Reason\n");
        let opening = arrival == 0;
        for school in &authority.schools {
            let Some(urn) = (if opening { Some(school.urn) } else { school.later_urn }) else { continue };
            for day in authority.terms.breaks(&school.habits) {
                calendars += &format!("{urn},{day},AM,No,Holiday\n{urn},{day},PM,No,Holiday\n");
            }
        }
        for (name, bytes) in [
            (format!("edubasealldata{stamp}.csv"), establishments),
            (format!("links_edubasealldata{stamp}.csv"), links),
            (format!("calendars_{stamp}.csv"), calendars.into_bytes()),
        ] {
            written.add(&post.put(arrival, &name, &bytes)?);
        }
    }
    Ok(written)
}
