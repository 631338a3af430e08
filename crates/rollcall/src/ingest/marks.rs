//! Marks: wave after wave of schools, decoded on all cores, judged, and merged month by month.
//!
//! Schools are merged in order of URN, so that each month's lines are read and written once, whatever the
//! number of schools; a wave holds so many bytes of files that memory does not grow with it either.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{
    ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type};
use chrono::NaiveDate;
use engine::Incoming;
use lake::landing::{Receipt, ReceiptFile};
use lake::register::{Changed, Month, Roots, Stated, UNSTATED, month_of};
use lake::{Table, TableState};
use model::line::{day_of, days_from_epoch};
use model::{BLANK, Outcome, Problem, SESSIONS_A_WEEK, Session};
use sources::marks::{Detail, overlay};
use sources::{Content, Decoded, SchoolGrid};

use super::tables::{self, FileSchool};
use super::{Ingest, Staged, Summary, Taken};

/// Bytes of marks files decoded before they are merged.
const WAVE: u64 = 128 * 1024 * 1024;

/// What a school has stated in this arrival: for which days, of which children.
#[derive(Clone, Debug)]
pub(super) struct Coverage {
    /// First and last day.
    pub days: (NaiveDate, NaiveDate),
    /// The children.
    pub pupils: HashSet<i64>,
}

/// What became of the marks files.
#[derive(Default)]
pub(super) struct Registers {
    /// The returns.
    pub taken: Vec<Taken>,
    /// What each school stated.
    pub stated: HashMap<i32, Coverage>,
}

/// A school's statements of one file, waiting for its turn.
struct Waiting {
    name: String,
    return_id: i64,
    grid: SchoolGrid,
}

/// Merges marks files into the register ledger: those `unpacked` already, and `files`.
#[allow(clippy::too_many_arguments)]
pub(super) async fn merge(
    ingest: &Ingest<'_>,
    staged: &mut Staged,
    receipt: &Receipt,
    files: Vec<(i32, ReceiptFile)>,
    mut unpacked: Vec<Decoded>,
    joined: Vec<(i64, i64, i64)>,
    taken_before: &HashSet<i64>,
    summary: &mut Summary,
) -> Result<Registers> {
    let at = receipt.received_at.timestamp_micros();
    let mut registers = Registers::default();
    let mut rewriting = Rewriting { months: BTreeMap::new(), last: i32::MIN };
    let mut pending: BTreeMap<i32, Vec<Waiting>> = BTreeMap::new();
    for (urn, lines) in doubled(ingest, staged, receipt, &joined).await? {
        // A child whose two keys both have lines of a week: stated anew, with nothing changed.
        rewriting.merge(ingest, staged, urn, lines, at).await?;
    }
    rewriting.finish_round(ingest, staged, summary).await?;

    // Who is on roll is the same for every wave.
    let session = ingest.session(&staged.run, receipt).await?;
    if !unpacked.is_empty() || !files.is_empty() {
        session.build("tables.enrolment", false).await?;
    }
    judge(ingest, &session, receipt, &mut unpacked).await?;
    unpacked.into_iter().for_each(|file| file_away(file, &mut pending, &mut registers));
    let total = files.len() as u64;
    let mut done = 0;
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() {
        let (mut wave, mut bytes) = (Vec::new(), 0);
        while let Some((_, file)) = files.next_if(|(_, f)| wave.is_empty() || bytes + f.bytes <= WAVE) {
            bytes += file.bytes;
            wave.push(file);
        }
        done += wave.len() as u64;
        let decoded = ingest.decode_all(receipt, wave).await?;
        ingest.progress.step("reading", done, total);
        let mut decoded: Vec<Decoded> = decoded.into_iter().filter(|d| !taken_before.contains(&d.return_id)).collect();
        judge(ingest, &session, receipt, &mut decoded).await?;
        decoded.into_iter().for_each(|file| file_away(file, &mut pending, &mut registers));
        // Schools that no later file begins with have all they will get, unless a file holds many schools.
        let next = files.peek().map_or(i32::MAX, |(urn, _)| *urn);
        merge_pending(ingest, staged, &mut pending, next, &mut rewriting, &mut registers, at, summary).await?;
        ingest.progress.step("merging", done, total);
    }
    merge_pending(ingest, staged, &mut pending, i32::MAX, &mut rewriting, &mut registers, at, summary).await?;
    rewriting.finish_round(ingest, staged, summary).await?;
    Ok(registers)
}

/// Puts a decoded file's schools where they wait for their turn.
fn file_away(mut file: Decoded, pending: &mut BTreeMap<i32, Vec<Waiting>>, registers: &mut Registers) {
    if let Content::Marks(schools) = std::mem::replace(&mut file.content, Content::Nothing) {
        for grid in schools {
            let waiting = Waiting { name: file.name.clone(), return_id: file.return_id, grid };
            pending.entry(waiting.grid.urn).or_default().push(waiting);
        }
    }
    registers.taken.push(tables::into_taken(file));
}

#[allow(clippy::too_many_arguments)]
async fn merge_pending(
    ingest: &Ingest<'_>,
    staged: &mut Staged,
    pending: &mut BTreeMap<i32, Vec<Waiting>>,
    before: i32,
    rewriting: &mut Rewriting,
    registers: &mut Registers,
    at: i64,
    summary: &mut Summary,
) -> Result<()> {
    let later = pending.split_off(&before);
    let ready = std::mem::replace(pending, later);
    let mut details = Vec::new();
    let mut schools = Vec::with_capacity(ready.len());
    for (urn, mut files) in ready {
        if urn <= rewriting.last {
            // Out of turn: a file that holds many schools came after files of single ones.
            rewriting.merge_all(ingest, staged, std::mem::take(&mut schools), at).await?;
            rewriting.finish_round(ingest, staged, summary).await?;
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let mut lines: Vec<Stated> = Vec::new();
        for file in files {
            cover(registers, urn, &file.grid);
            details.extend(file.grid.details.iter().map(|d| (urn, d.clone(), file.return_id)));
            let stated = file.grid.stated(file.return_id);
            if lines.is_empty() {
                lines = stated;
                continue;
            }
            let (merged, disagreed) = overlay(lines, stated);
            lines = merged;
            if let (Some((first, place)), Some(taken)) =
                (disagreed.first(), registers.taken.iter_mut().find(|t| t.return_id == file.return_id))
            {
                let session = if place % 2 == 0 { Session::Am } else { Session::Pm };
                taken.problems.push(Problem {
                    rule: "files_disagree".to_owned(),
                    outcome: Outcome::Warn,
                    urn: Some(urn),
                    line: None,
                    found: format!("{} sessions stated otherwise by an earlier file of the arrival", disagreed.len()),
                    expected: "one file for a school and day in an arrival; the later by name stands".to_owned(),
                    rows: disagreed.len() as u64,
                    pupil_key: Some(first.pupil_key),
                    session: Some((day_of(first.week + *place as i32 / 2), session)),
                });
            }
        }
        rewriting.last = urn;
        schools.push((urn, lines));
    }
    rewriting.merge_all(ingest, staged, schools, at).await?;
    state_details(ingest, staged, details, at).await
}

fn cover(registers: &mut Registers, urn: i32, grid: &SchoolGrid) {
    let Some((first, last)) = grid.days else { return };
    let days = (day_of(first), day_of(last));
    let coverage = registers.stated.entry(urn).or_insert_with(|| Coverage { days, pupils: HashSet::new() });
    coverage.days = (coverage.days.0.min(days.0), coverage.days.1.max(days.1));
    coverage.pupils.extend(grid.pupils().map(|u| u.key()));
}

/// The months being rewritten.
struct Rewriting {
    months: BTreeMap<String, Month>,
    /// The school merged last; the next must come after it.
    last: i32,
}

impl Rewriting {
    async fn merge(
        &mut self,
        ingest: &Ingest<'_>,
        staged: &Staged,
        urn: i32,
        lines: Vec<Stated>,
        at: i64,
    ) -> Result<()> {
        self.last = urn;
        self.merge_all(ingest, staged, vec![(urn, lines)], at).await
    }

    /// Merges schools in order of URN, each month on a core of its own.
    async fn merge_all(
        &mut self,
        ingest: &Ingest<'_>,
        staged: &Staged,
        schools: Vec<(i32, Vec<Stated>)>,
        at: i64,
    ) -> Result<()> {
        let mut by_month: BTreeMap<String, Vec<(i32, Vec<Stated>)>> = BTreeMap::new();
        let mut names: HashMap<i32, String> = HashMap::new();
        for (urn, lines) in schools {
            for line in lines {
                let month = names.entry(line.week).or_insert_with(|| month_of(line.week));
                let schools = match by_month.get_mut(month) {
                    Some(schools) => schools,
                    None => by_month.entry(month.clone()).or_default(),
                };
                match schools.last_mut() {
                    Some((last, lines)) if *last == urn => lines.push(line),
                    _ => schools.push((urn, vec![line])),
                }
            }
        }
        let state = staged.run.table(Table::RegisterWeek);
        let roots: Arc<Roots> = Arc::new(staged.roots.clone());
        let mut waiting = by_month.into_iter();
        let mut working = tokio::task::JoinSet::new();
        loop {
            while working.len() < ingest.config.cores() {
                let Some((name, schools)) = waiting.next() else { break };
                let mut month = match self.months.remove(&name) {
                    Some(month) => month,
                    None => Month::begin(ingest.lake, &state, name.clone(), (i32::MIN, i32::MAX)).await?,
                };
                let roots = Arc::clone(&roots);
                working.spawn_blocking(move || {
                    for (urn, lines) in &schools {
                        month.merge_school(*urn, lines, &roots, at)?;
                    }
                    Ok::<_, lake::LakeError>((name, month))
                });
            }
            let Some(done) = working.join_next().await else { break };
            let (name, month) = done.context("a month could not be merged")??;
            self.months.insert(name, month);
        }
        Ok(())
    }

    /// Writes the months begun; the next school may be any.
    async fn finish_round(&mut self, ingest: &Ingest<'_>, staged: &mut Staged, summary: &mut Summary) -> Result<()> {
        self.last = i32::MIN;
        let state = staged.run.table(Table::RegisterWeek);
        let months = std::mem::take(&mut self.months);
        let mut files: Vec<_> = state
            .files
            .iter()
            .filter(|f| f.partition.get("month").is_none_or(|m| !months.contains_key(m)))
            .cloned()
            .collect();
        let mut waiting = months.into_values();
        let mut working = tokio::task::JoinSet::new();
        loop {
            while working.len() < ingest.config.cores() {
                let Some(month) = waiting.next() else { break };
                let lake = ingest.lake.clone();
                working.spawn(async move { month.finish(&lake).await });
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

/// Where a child's keys have just been joined and both have a line of one week at a school: that week,
/// stated under the newer key with nothing changed, so that the two become one.
async fn doubled(
    ingest: &Ingest<'_>,
    staged: &Staged,
    receipt: &Receipt,
    joined: &[(i64, i64, i64)],
) -> Result<BTreeMap<i32, Vec<Stated>>> {
    let mut found: BTreeMap<i32, Vec<Stated>> = BTreeMap::new();
    if joined.is_empty() {
        return Ok(found);
    }
    let mut newest: HashMap<i64, (i64, i64)> = HashMap::new();
    for (_, now, return_id) in joined {
        if let Some(root) = staged.roots.get(now) {
            newest.insert(*root, (*now, *return_id));
        }
    }
    let keys: Vec<String> =
        staged.roots.iter().filter(|(_, root)| newest.contains_key(root)).map(|(key, _)| key.to_string()).collect();
    let session = ingest.session(&staged.run, receipt).await?;
    let sql = format!(
        "SELECT urn, pupil_key, week_start FROM believed.register_week WHERE known_to IS NULL AND pupil_key IN ({})",
        keys.join(", ")
    );
    let mut weeks: BTreeMap<(i32, i64, i32), u32> = BTreeMap::new();
    for batch in session.rows(&sql).await? {
        let (urns, keys, starts) = (
            batch.column(0).as_primitive::<Int32Type>(),
            batch.column(1).as_primitive::<Int64Type>(),
            batch.column(2).as_primitive::<Date32Type>(),
        );
        for i in 0..batch.num_rows() {
            if let Some(root) = staged.roots.get(&keys.value(i)) {
                *weeks.entry((urns.value(i), *root, starts.value(i))).or_default() += 1;
            }
        }
    }
    for ((urn, root, week), lines) in weeks {
        if let (true, Some((pupil_key, return_id))) = (1 < lines, newest.get(&root)) {
            found.entry(urn).or_default().push(Stated {
                pupil_key: *pupil_key,
                week,
                boxes: [UNSTATED; SESSIONS_A_WEEK],
                return_id: *return_id,
            });
        }
    }
    for lines in found.values_mut() {
        lines.sort();
    }
    Ok(found)
}

/// Runs the rules over a wave, and takes out what they refuse.
async fn judge(
    ingest: &Ingest<'_>,
    session: &engine::session::Session,
    receipt: &Receipt,
    files: &mut [Decoded],
) -> Result<()> {
    let mut schools = Vec::new();
    let mut lines = Lines::default();
    for (i, file) in files.iter().enumerate() {
        let Content::Marks(grids) = &file.content else { continue };
        for grid in grids {
            let day = |d: (i32, i32)| (day_of(d.0), day_of(d.1));
            schools.push(FileSchool {
                file_id: i as i64,
                name: &file.name,
                kind: "marks",
                urn: Some(grid.urn),
                rows: grid.rows_kept,
                days: grid.days.map(day),
                of_many: 1 < grids.len(),
            });
            lines.add(i as i64, grid);
        }
    }
    if schools.is_empty() {
        return Ok(());
    }
    let incoming = Incoming { files: tables::incoming_files(&schools)?, lines: lines.finish()? };
    let found = engine::rules::judge(session, incoming, |_| true).await?;
    let mut unplaced: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for found in found {
        let Some(i) = usize::try_from(found.file_id).ok().filter(|i| *i < files.len()) else { continue };
        let file = &mut files[i];
        file.problems.push(tables::as_problem(&found));
        if found.pupil_key.is_some() && found.session.is_some() {
            unplaced.entry(i).or_default().push(file.problems.len() - 1);
        }
        match found.outcome {
            Outcome::Warn => {}
            Outcome::RefuseFile => file.refuse(),
            Outcome::RefuseRow => {
                if let Content::Marks(grids) = &mut file.content {
                    let refused: u64 = grids.iter().filter(|g| Some(g.urn) == found.urn).map(|g| g.rows_kept).sum();
                    grids.retain(|g| Some(g.urn) != found.urn);
                    file.rows_kept -= refused;
                    file.rows_refused += refused;
                }
            }
        }
    }
    for (i, problems) in unplaced {
        ingest.place(receipt, &mut files[i], &problems).await?;
    }
    Ok(())
}

/// Lines of `incoming.line` being gathered.
#[derive(Default)]
struct Lines {
    file_id: Vec<i64>,
    urn: Vec<i32>,
    key: Vec<i64>,
    week: Vec<i32>,
    marks: Vec<u8>,
}

impl Lines {
    fn add(&mut self, file_id: i64, grid: &SchoolGrid) {
        for line in grid.stated(0) {
            let boxes = line.boxes.map(|b| if b == UNSTATED { BLANK } else { b });
            if boxes == [BLANK; SESSIONS_A_WEEK] {
                continue;
            }
            self.file_id.push(file_id);
            self.urn.push(grid.urn);
            self.key.push(line.pupil_key);
            self.week.push(line.week);
            self.marks.extend_from_slice(&boxes);
        }
    }

    fn finish(self) -> Result<RecordBatch> {
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(SESSIONS_A_WEEK, self.urn.len()));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.file_id)),
            Arc::new(Int32Array::from(self.urn)),
            Arc::new(Int64Array::from(self.key)),
            Arc::new(Date32Array::from(self.week)),
            Arc::new(StringArray::try_new(offsets, Buffer::from_vec(self.marks), None)?),
        ];
        Ok(RecordBatch::try_new(engine::rules::line_schema(), columns)?)
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
            Arc::new(TimestampMicrosecondArray::from(vec![at; details.len()]).with_timezone("UTC")),
            new_null_array(schema.field(7).data_type(), details.len()),
            Arc::new(Int64Array::from_iter_values(details.iter().map(|d| d.2))),
        ],
    )?;
    tables::state(ingest, &mut staged.run, Table::MarkDetail, rows, None, &[], at).await
}
