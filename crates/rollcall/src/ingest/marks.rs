//! Marks: wave after wave of schools, decoded on all cores, judged, and merged month by month.
//!
//! Schools are merged in order of URN, so that each month's lines are read and written once, whatever the
//! number of schools; a wave holds so many bytes of files that memory does not grow with it either.

mod judging;
mod rewriting;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, new_null_array};
use futures::StreamExt;
use lake::Table;
use lake::landing::{Receipt, ReceiptFile};
use lake::register::{Roots, Stated, Withdrawn, by_child, root_of};
use lake::table::stamped;
use model::line::{day_of, days_from_epoch};
use model::{Problem, Session};
use sources::grid::{Detail, overlay};
use sources::{Content, Decoded, SchoolGrid};
use tokio::sync::{Semaphore, mpsc};

pub(super) use self::judging::judge;
use self::rewriting::Rewriting;
use super::coverage::Coverage;
use super::files::number;
use super::{Ahead, Ingest, Staged, Summary, Taken};
use super::{tables, versions};

/// Bytes of marks files decoded before they are merged.
const WAVE: u64 = 96 * 1024 * 1024;

/// So many files a core are begun or laid by.
const LAID_BY: usize = 8;

/// What became of the marks files.
#[derive(Default)]
pub(super) struct Registers {
    /// The returns.
    pub taken: Vec<Taken>,
    /// What each school stated.
    pub stated: HashMap<i32, Vec<Coverage>>,
    /// In which files and returns each school was merged.
    merged: HashMap<i32, BTreeSet<(String, i64)>>,
}

/// A school's statements of one file, waiting for its turn.
pub(super) struct Waiting {
    /// Which arrival it came with, of those that are taken together.
    pub arrival: usize,
    pub name: String,
    pub return_id: i64,
    pub grid: SchoolGrid,
}

/// Some marks files, decoded.
pub(super) struct Wave {
    files: Vec<Decoded>,
    /// How many files are decoded with it, of how many.
    done: (u64, u64),
    /// The school of the first file that comes after; none after the last.
    next_urn: Option<i32>,
}

/// What is decoded of an arrival's marks.
pub(super) struct Decoding {
    /// Files of earlier arrivals that are taken with it, in order of receipt.
    pub again: Vec<(Receipt, Vec<Decoded>)>,
    /// Files that came in an archive or a workbook.
    pub unpacked: Vec<Decoded>,
    /// All others.
    pub waves: mpsc::Receiver<Wave>,
}

/// Its own files stand over those of earlier arrivals.
const OWN: usize = usize::MAX;

/// Decodes marks files that are not decoded already on all cores, in order of school, and hands all on wave by wave. So
/// that no core waits for a turn, more files than cores are begun, and while a large one is decoded those after it are
/// laid by; no more than a wave lies ready, so that memory does not grow.
pub(super) async fn decode(
    ingest: &Ingest<'_>,
    receipt: &Receipt,
    files: Vec<(i32, ReceiptFile)>,
    mut ahead: Ahead,
    waves: mpsc::Sender<Wave>,
) -> Result<()> {
    let offered: Vec<(i32, u64)> = files.iter().map(|(urn, file)| (*urn, file.bytes)).collect();
    let turns = Semaphore::new(2 * ingest.config.cores());
    let decoding = files.into_iter().map(|(_, file)| {
        let (decoded, turns) = (ahead.remove(&number(receipt, &file)), &turns);
        async move {
            match decoded {
                Some(packed) => Ok(vec![packed.unpacked().context("what was decoded of a file was spoilt")?]),
                None => {
                    let _turn = turns.acquire().await?;
                    ingest.decode(receipt, file).await
                }
            }
        }
    });
    let mut decoding = futures::stream::iter(decoding).buffered(LAID_BY * ingest.config.cores()).enumerate();
    let (mut wave, mut bytes) = (Vec::new(), 0);
    while let Some((i, decoded)) = decoding.next().await {
        wave.extend(decoded?);
        bytes += offered[i].1;
        let next = offered.get(i + 1);
        if next.is_none_or(|(_, next_bytes)| WAVE < bytes + next_bytes) {
            let (files, done) = (std::mem::take(&mut wave), (i as u64 + 1, offered.len() as u64));
            if waves.send(Wave { files, done, next_urn: next.map(|(urn, _)| *urn) }).await.is_err() {
                break;
            }
            bytes = 0;
        }
    }
    Ok(())
}

/// Merges marks files into the register ledger: those decoded already, and wave after wave of others. A wave
/// is judged while the one before it is merged and the one after it decoded.
#[allow(clippy::too_many_arguments)]
pub(super) async fn merge(
    ingest: &Ingest<'_>,
    staged: &mut Staged,
    receipt: &Receipt,
    Decoding { again, unpacked, mut waves }: Decoding,
    retold: BTreeMap<i32, Vec<Stated>>,
    taken_before: &HashSet<i64>,
    summary: &mut Summary,
) -> Result<Registers> {
    let rewriting = Rewriting { months: BTreeMap::new(), last: i32::MIN };
    let (pending, registers) = (BTreeMap::new(), Registers::default());
    let mut merging = Merging { ingest, receipt, staged, summary, rewriting, pending, registers };
    for (urn, lines) in retold {
        merging.rewriting.last = urn;
        merging.merge_all(vec![School { urn, lines, files: Vec::new() }]).await?;
    }
    merging.finish_round().await?;

    // Who is on roll is the same for every wave.
    let session = Arc::new(ingest.session(&merging.staged.run, receipt).await?);
    for (arrival, (earlier, files)) in again.into_iter().enumerate() {
        let files = judge(ingest, &session, &earlier, files).await?;
        files.into_iter().for_each(|file| merging.file_away(file, arrival));
    }
    let unpacked = judge(ingest, &session, receipt, unpacked).await?;
    unpacked.into_iter().for_each(|file| merging.file_away(file, OWN));
    let (judged, mut to_merge) = mpsc::channel::<Wave>(1);
    let judging = async move {
        while let Some(mut wave) = waves.recv().await {
            wave.files.retain(|d| !taken_before.contains(&d.return_id));
            wave.files = judge(ingest, &session, receipt, wave.files).await?;
            tracing::debug!(arrival = receipt.n, files = wave.done.0, "judged");
            if judged.send(wave).await.is_err() {
                break;
            }
        }
        anyhow::Ok(())
    };
    let merged = async {
        while let Some(wave) = to_merge.recv().await {
            wave.files.into_iter().for_each(|file| merging.file_away(file, OWN));
            // Schools that no later file begins with have all they will get, unless a file holds many schools.
            merging.merge_pending(wave.next_urn.unwrap_or(i32::MAX)).await?;
            tracing::debug!(arrival = receipt.n, files = wave.done.0, "merged");
            ingest.progress.step("merging", wave.done.0, wave.done.1);
        }
        anyhow::Ok(())
    };
    futures::try_join!(judging, merged)?;
    merging.merge_pending(i32::MAX).await?;
    merging.finish_round().await?;
    Ok(merging.registers)
}

/// Marks files on their way into the register ledger.
struct Merging<'a, 'b> {
    ingest: &'a Ingest<'b>,
    receipt: &'a Receipt,
    staged: &'a mut Staged,
    summary: &'a mut Summary,
    rewriting: Rewriting,
    /// What waits for the turn of its school.
    pending: BTreeMap<i32, Vec<Waiting>>,
    registers: Registers,
}

impl Merging<'_, '_> {
    fn at(&self) -> i64 {
        self.receipt.received_at.timestamp_micros()
    }

    async fn merge_all(&mut self, schools: Vec<School>) -> Result<Vec<Doubt>> {
        let at = self.at();
        self.rewriting.merge_all(self.ingest, self.staged, schools, at, self.summary).await
    }

    async fn finish_round(&mut self) -> Result<()> {
        self.rewriting.finish_round(self.ingest, self.staged, self.summary).await
    }

    /// Puts a decoded file's schools where they wait for their turn.
    fn file_away(&mut self, file: Decoded, arrival: usize) {
        let (taken, content) = tables::taken_apart(file);
        if let Content::Marks(schools) = content {
            for grid in schools {
                let waiting = Waiting { arrival, name: taken.file.clone(), return_id: taken.return_id, grid };
                self.pending.entry(waiting.grid.urn).or_default().push(waiting);
            }
        }
        self.registers.taken.push(taken);
    }

    /// Merges the schools before `before`: they have all they will get.
    async fn merge_pending(&mut self, before: i32) -> Result<()> {
        let later = self.pending.split_off(&before);
        let ready = std::mem::replace(&mut self.pending, later);
        let mut details = Vec::new();
        let mut schools = Vec::with_capacity(ready.len());
        let mut doubts = Vec::new();
        for (urn, mut files) in ready {
            let stated = files.iter().filter_map(|file| Coverage::of(&file.grid, file.return_id, &self.staged.roots));
            self.registers.stated.entry(urn).or_default().extend(stated);
            if urn <= self.rewriting.last {
                // Out of turn: a file that holds many schools came after files of single ones.
                doubts.extend(self.merge_all(std::mem::take(&mut schools)).await?);
                self.finish_round().await?;
            }
            files.extend(self.standing_over(urn, &files).await?);
            files.sort_by(|a, b| (a.arrival, &a.name).cmp(&(b.arrival, &b.name)));
            let merged = self.registers.merged.entry(urn).or_default();
            for file in &files {
                if file.arrival == OWN {
                    merged.insert((file.name.clone(), file.return_id));
                }
                details.extend(file.grid.details.iter().map(|d| (urn, d.clone(), file.return_id)));
            }
            self.rewriting.last = urn;
            schools.push(School { urn, lines: Vec::new(), files });
        }
        doubts.extend(self.merge_all(schools).await?);
        report(self.ingest, doubts, &mut self.registers.taken);
        let at = self.at();
        state_details(self.ingest, self.staged, details, at).await
    }

    /// What files that are merged already say of a school, where by their names they stand over some of `files`, which
    /// come out of turn: read again, and judged as they were.
    async fn standing_over(&self, urn: i32, files: &[Waiting]) -> Result<Vec<Waiting>> {
        let Some(first) = files.iter().map(|file| &file.name).min() else { return Ok(Vec::new()) };
        let merged = self.registers.merged.get(&urn).into_iter().flatten();
        let later: Vec<&(String, i64)> = merged.filter(|(name, _)| first < name).collect();
        if later.is_empty() {
            return Ok(Vec::new());
        }
        let mut decoded = Vec::new();
        // A file in an archive has the archive's name before its own.
        let holds_one = |file: &&ReceiptFile| later.iter().any(|(name, _)| name.starts_with(&file.name));
        for file in self.receipt.files.iter().filter(holds_one) {
            decoded.extend(self.ingest.decode(self.receipt, file.clone()).await?);
        }
        decoded.retain(|decoded| later.iter().any(|(_, id)| *id == decoded.return_id));
        let session = Arc::new(self.ingest.session(&self.staged.run, self.receipt).await?);
        let mut found = Vec::new();
        for Decoded { name, return_id, content, .. } in judge(self.ingest, &session, self.receipt, decoded).await? {
            let Content::Marks(grids) = content else { continue };
            let of_school = grids.into_iter().filter(|grid| grid.urn == urn);
            found.extend(of_school.map(|grid| Waiting { arrival: OWN, name: name.clone(), return_id, grid }));
        }
        Ok(found)
    }
}

/// Sessions of a school about which a return leaves a doubt.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Doubt {
    return_id: i64,
    rule: &'static str,
    urn: i32,
    /// The child, and the week and box, of the first of them.
    pupil_key: i64,
    first: (i32, usize),
    sessions: u64,
    /// Of them, those that have a row.
    blank: u64,
}

impl From<Withdrawn> for Doubt {
    fn from(Withdrawn { urn, return_id, pupil_key, first, sessions, blank }: Withdrawn) -> Self {
        Self { return_id, rule: "marks_withdrawn", urn, pupil_key, first, sessions, blank }
    }
}

/// One problem for each return, rule and school.
fn report(ingest: &Ingest<'_>, mut doubts: Vec<Doubt>, taken: &mut [Taken]) {
    doubts.sort();
    for alike in doubts.chunk_by(|a, b| (a.return_id, a.rule, a.urn) == (b.return_id, b.rule, b.urn)) {
        let (Some(first), Some(taken)) = (alike.first(), taken.iter_mut().find(|t| t.return_id == alike[0].return_id))
        else {
            continue;
        };
        let [sessions, blank]: [u64; 2] =
            [|d: &Doubt| d.sessions, |d: &Doubt| d.blank].map(|of| alike.iter().map(of).sum());
        let found = match first.rule {
            "files_disagree" => format!(
                "{sessions} sessions that an earlier file of the arrival states otherwise; those without a row here have no mark"
            ),
            _ if blank == 0 => format!("{sessions} sessions without a row, of which a mark was held"),
            _ if blank == sessions => {
                format!("{sessions} sessions whose row is blank or deleted, of which a mark was held")
            }
            _ => format!(
                "{sessions} sessions of which a mark was held: {blank} with a row that is blank or deleted, the others without one"
            ),
        };
        let (week, place) = first.first;
        let session = if place.is_multiple_of(2) { Session::Am } else { Session::Pm };
        taken.problems.push(Problem {
            urn: Some(first.urn),
            rows: sessions,
            pupil_key: Some(first.pupil_key),
            session: Some((day_of(week + place as i32 / 2), session)),
            ..Problem::of(&ingest.library.fields, first.rule, found)
        });
    }
}

/// What is to be merged of one school.
pub(super) struct School {
    pub urn: i32,
    /// Statements of the ledger's own, in order of (pupil_key, week).
    pub lines: Vec<Stated>,
    /// Files, in order of name: a later one is laid over an earlier.
    pub files: Vec<Waiting>,
}

impl School {
    /// What it states of some weeks, in order of (pupil_key, week).
    pub fn stated(&self, weeks: &BTreeSet<i32>, roots: &Roots, doubts: &mut Vec<Doubt>) -> Vec<Stated> {
        let mut lines: Vec<Stated> = self.lines.iter().filter(|l| weeks.contains(&l.week)).copied().collect();
        for files in self.files.chunk_by(|a, b| a.arrival == b.arrival) {
            let said = self.said(files, weeks, roots, doubts);
            // What came later corrects what came before it, and leaves no doubt.
            lines = match lines.is_empty() {
                true => said,
                false => overlay(lines, said, |key| root_of(roots, key)).0,
            };
        }
        lines
    }

    /// What files of one arrival state.
    fn said(&self, files: &[Waiting], weeks: &BTreeSet<i32>, roots: &Roots, doubts: &mut Vec<Doubt>) -> Vec<Stated> {
        let mut lines: Vec<Stated> = Vec::new();
        for file in files {
            let mut stated = file.grid.stated(file.return_id, |week| weeks.contains(&week));
            if !roots.is_empty() && stated.iter().any(|line| roots.contains_key(&line.pupil_key)) {
                // A child under two keys of one file, before another file is laid over it.
                let joined = by_child(&stated, roots);
                stated.retain(|line| !roots.contains_key(&line.pupil_key));
                stated.extend(joined.into_values());
                stated.sort_by_key(|line| (line.pupil_key, line.week));
            }
            if lines.is_empty() {
                lines = stated;
            } else if !stated.is_empty() {
                let (merged, differing) = overlay(lines, stated, |key| root_of(roots, key));
                lines = merged;
                doubts.extend(differing.into_iter().map(|(later, place)| Doubt {
                    return_id: later.return_id,
                    rule: "files_disagree",
                    urn: self.urn,
                    pupil_key: later.pupil_key,
                    first: (later.week, place),
                    sessions: 1,
                    blank: 0,
                }));
            }
        }
        lines
    }
}

/// Minutes late and comments.
async fn state_details(
    ingest: &Ingest<'_>,
    staged: &mut Staged,
    details: Vec<(i32, Detail, i64)>,
    at: i64,
) -> Result<()> {
    if details.is_empty() {
        return Ok(());
    }
    let schema = Table::MarkDetail.schema();
    let rows = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(Int32Array::from_iter_values(details.iter().map(|d| d.0))),
            Arc::new(Int64Array::from_iter_values(details.iter().map(|d| d.1.pupil_key))),
            Arc::new(Date32Array::from_iter_values(details.iter().map(|d| days_from_epoch(d.1.date)))),
            Arc::new(StringArray::from_iter_values(details.iter().map(|d| d.1.session.as_str()))),
            Arc::new(details.iter().map(|d| d.1.minutes_late).collect::<Int32Array>()),
            Arc::new(details.iter().map(|d| d.1.comment.clone()).collect::<StringArray>()),
            stamped(at, details.len()),
            new_null_array(schema.field(7).data_type(), details.len()),
            Arc::new(Int64Array::from_iter_values(details.iter().map(|d| d.2))),
        ],
    )?;
    versions::state(ingest, &mut staged.run, Table::MarkDetail, rows, None, &[], at).await
}
