//! Months of the register ledger, rewritten as schools are merged into them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use lake::register::month::{Month, finish, reaches};
use lake::register::{Changed, Roots};
use lake::{Table, TableState};

use super::{Doubt, School};
use crate::ingest::{Ingest, Staged, Summary};

/// The months being rewritten.
pub(super) struct Rewriting {
    /// Each month's parts, which hold all schools between them.
    pub months: BTreeMap<String, Vec<Month>>,
    /// The school merged last; the next must come after it.
    pub last: i32,
}

impl Rewriting {
    /// Merges schools in order of URN, each part of a month on a core of its own. Says what they leave in doubt.
    pub async fn merge_all(
        &mut self,
        ingest: &Ingest<'_>,
        staged: &mut Staged,
        schools: Vec<School>,
        at: i64,
        summary: &mut Summary,
    ) -> Result<Vec<Doubt>> {
        let mut weeks: BTreeSet<i32> = BTreeSet::new();
        for school in &schools {
            weeks.extend(school.lines.iter().map(|l| l.week));
            weeks.extend(school.files.iter().flat_map(|f| f.grid.mondays()));
        }
        let mut state = staged.run.table(Table::RegisterWeek);
        let mut by_month = reaches(&state, &weeks);
        let is_out_of_reach = |(month, (_, weeks)): (&String, &(_, BTreeSet<i32>))| {
            self.months.get(month).and_then(|parts| parts.first()).is_some_and(|part| !part.reach().holds(weeks))
        };
        if by_month.iter().any(is_out_of_reach) {
            let last = self.last;
            self.finish_round(ingest, staged, summary).await?;
            self.last = last;
            state = staged.run.table(Table::RegisterWeek);
            by_month = reaches(&state, &weeks);
        }
        let (roots, schools) = (Arc::new(staged.roots.clone()), Arc::new(schools));
        // A day touches a month or two, and cores would wait for them: each is cut in parts of about as many children.
        let parts = ingest.config.cores().div_ceil(by_month.len().max(1));
        let last_urns = last_urns(&schools, parts);
        let mut to_do = Vec::new();
        for (name, (reach, weeks)) in by_month {
            let mut of_month = self.months.remove(&name).unwrap_or_default();
            if of_month.is_empty() {
                let mut least = i32::MIN;
                for greatest in last_urns.iter().copied().chain([i32::MAX]) {
                    of_month.push(Month::begin(ingest.lake, &state, &name, reach, (least, greatest)).await?);
                    least = greatest.saturating_add(1);
                }
            }
            let weeks = Arc::new(weeks);
            to_do.extend(of_month.into_iter().map(|part| (name.clone(), Arc::clone(&weeks), part)));
        }
        let mut waiting = to_do.into_iter();
        let mut working = tokio::task::JoinSet::new();
        let mut doubts = Vec::new();
        loop {
            while working.len() < ingest.config.cores() {
                let Some((name, weeks, mut part)) = waiting.next() else { break };
                let (roots, schools): (Arc<Roots>, _) = (Arc::clone(&roots), Arc::clone(&schools));
                working.spawn_blocking(move || {
                    let mut doubts = Vec::new();
                    for school in schools.iter() {
                        if !part.holds(school.urn) {
                            continue;
                        }
                        let lines = school.stated(&weeks, &roots, &mut doubts);
                        if !lines.is_empty() {
                            let withdrawn = part.merge_school(school.urn, &lines, &roots, at)?;
                            doubts.extend(withdrawn.into_iter().map(Doubt::from));
                        }
                    }
                    Ok::<_, lake::LakeError>((name, part, doubts))
                });
            }
            let Some(done) = working.join_next().await else { break };
            let (name, part, found) = done.context("a month could not be merged")??;
            self.months.entry(name).or_default().push(part);
            doubts.extend(found);
        }
        Ok(doubts)
    }

    /// Writes the months begun; the next school may be any.
    pub async fn finish_round(
        &mut self,
        ingest: &Ingest<'_>,
        staged: &mut Staged,
        summary: &mut Summary,
    ) -> Result<()> {
        self.last = i32::MIN;
        let state = staged.run.table(Table::RegisterWeek);
        let months = std::mem::take(&mut self.months);
        let mut files: Vec<_> = state
            .files
            .iter()
            .filter(|f| f.partition.get("month").is_none_or(|m| !months.contains_key(m)))
            .cloned()
            .collect();
        let mut waiting = months.into_iter();
        let mut working = tokio::task::JoinSet::new();
        loop {
            while working.len() < ingest.config.cores() {
                let Some((name, parts)) = waiting.next() else { break };
                let (lake, state) = (ingest.lake.clone(), state.clone());
                working.spawn(async move { finish(&lake, &state, &name, parts).await });
            }
            let Some(done) = working.join_next().await else { break };
            let (written, Changed { opened, closed }) = done.context("a month could not be written")??;
            files.extend(written);
            summary.changed.opened += opened;
            summary.changed.closed += closed;
        }
        files.sort();
        let state = TableState { version: state.version, files };
        staged.run.tables.insert(Table::RegisterWeek.name().to_owned(), state);
        Ok(())
    }
}

/// The last school of each part but the last, where schools in order of URN are cut in so many parts of about as many
/// children; fewer where there are not as many schools.
fn last_urns(schools: &[School], parts: usize) -> Vec<i32> {
    let children =
        |school: &School| school.lines.len() + school.files.iter().map(|f| f.grid.pupils().count()).sum::<usize>();
    let all: usize = schools.iter().map(children).sum();
    let (mut last_urns, mut before) = (Vec::new(), 0);
    for two in schools.windows(2) {
        before += children(&two[0]);
        if last_urns.len() + 1 < parts && (last_urns.len() + 1) * all <= before * parts {
            last_urns.push(two[0].urn);
        }
    }
    last_urns
}
