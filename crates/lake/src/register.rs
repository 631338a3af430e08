//! Merging a run's statements into the register ledger, school by school.
//!
//! A month's believed lines lie in few files ordered by (urn, pupil_key, week_start). A run rewrites the
//! months it touches in one pass: lines of schools it says nothing about are copied as they are; lines it
//! restates otherwise are closed into the month's past files and opened anew.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use futures::future::join_all;
use model::line::day_of;
use model::{BLANK, Line, PupilKey, SESSIONS_A_WEEK, Urn};

use crate::parquet_file::{FileWriter, join, read};
use crate::run::{DataFile, TableState};
use crate::table::{CURRENT, PAST};
use crate::{Lake, LakeError, Table, append, path};
use tokio::task::JoinSet;

/// A box of a statement that says nothing about its session.
pub const UNSTATED: u8 = 0;
/// A box of a whole register that has no row for its session: no mark is held, and one that was is withdrawn.
pub const UNSENT: u8 = 2;
/// A believed file is ended at the next school once it holds so many lines.
const FILE_ROWS: u64 = 2_000_000;
/// Lines gathered before they go to the Parquet writer.
const BATCH_ROWS: usize = 32 * 1024;

/// What a run says about one pupil's week: a box holds a letter, [`BLANK`] (no mark is held),
/// [`UNSENT`] or [`UNSTATED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stated {
    /// The key under which it came.
    pub pupil_key: PupilKey,
    /// The week's Monday, days from the epoch.
    pub week: i32,
    /// The boxes.
    pub boxes: Line,
    /// The return that says so.
    pub return_id: i64,
}

impl Stated {
    /// What is said of one child under this key and another: that the other has no mark of a session, or that what it
    /// says was refused, takes no mark away.
    fn joined_with(&self, other: &Self) -> Self {
        let mut boxes = other.boxes;
        for (now, said) in boxes.iter_mut().zip(self.boxes) {
            *now = match (said, *now) {
                (mark, UNSTATED | UNSENT | BLANK) if !matches!(mark, UNSTATED | UNSENT | BLANK) => mark,
                (UNSTATED, UNSENT | BLANK) => UNSTATED,
                (_, now) => now,
            };
        }
        Self { boxes, ..*other }
    }
}

/// Which keys are one child: a key to the root of its chain. Keys that were never joined are absent.
pub type Roots = HashMap<PupilKey, PupilKey>;

/// What is said of each child of several keys in each week, by the root of its keys.
pub fn by_child(stated: &[Stated], roots: &Roots) -> BTreeMap<(PupilKey, i32), Stated> {
    let mut of_child: BTreeMap<(PupilKey, i32), Stated> = BTreeMap::new();
    for line in stated {
        if let Some(root) = roots.get(&line.pupil_key) {
            let child = of_child.entry((*root, line.week));
            child.and_modify(|said| *said = said.joined_with(line)).or_insert(*line);
        }
    }
    of_child
}

/// How many lines a run opened and closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Versions opened.
    pub opened: u64,
    /// Versions closed.
    pub closed: u64,
}

/// Marks that were believed of a school, and of which a whole register has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The school.
    pub urn: Urn,
    /// The return that has no row.
    pub return_id: i64,
    /// The child of the first of them.
    pub pupil_key: PupilKey,
    /// Its week, and its box in it.
    pub first: (i32, usize),
    /// How many they are.
    pub sessions: u64,
}

/// Columns of lines in memory.
#[derive(Default)]
struct Columns {
    urn: Vec<i32>,
    pupil_key: Vec<i64>,
    week: Vec<i32>,
    marks: Vec<u8>,
    known_from: Vec<i64>,
    known_to: Vec<Option<i64>>,
    return_id: Vec<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    pupil_key: i64,
    week: i32,
    marks: Line,
    known_from: i64,
    return_id: i64,
}

impl Columns {
    fn len(&self) -> usize {
        self.urn.len()
    }

    fn push(&mut self, urn: Urn, line: &Held, known_to: Option<i64>) {
        self.urn.push(urn);
        self.pupil_key.push(line.pupil_key);
        self.week.push(line.week);
        self.marks.extend_from_slice(&line.marks);
        self.known_from.push(line.known_from);
        self.known_to.push(known_to);
        self.return_id.push(line.return_id);
    }

    fn take(&mut self) -> Result<RecordBatch, LakeError> {
        let columns = std::mem::take(self);
        let rows = columns.len();
        let stamps =
            |v: Vec<Option<i64>>| Arc::new(TimestampMicrosecondArray::from(v).with_timezone("UTC")) as ArrayRef;
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(SESSIONS_A_WEEK, rows));
        let marks = StringArray::try_new(offsets, Buffer::from_vec(columns.marks), None)?;
        Ok(RecordBatch::try_new(
            Table::RegisterWeek.schema(),
            vec![
                Arc::new(Int32Array::from(columns.urn)),
                Arc::new(Int64Array::from(columns.pupil_key)),
                Arc::new(Date32Array::from(columns.week)),
                Arc::new(marks),
                stamps(columns.known_from.into_iter().map(Some).collect()),
                stamps(columns.known_to),
                Arc::new(Int64Array::from(columns.return_id)),
            ],
        )?)
    }
}

/// Lines read back, a school at a time.
struct Lines {
    batch: RecordBatch,
    row: usize,
}

impl Lines {
    fn held(&self) -> Held {
        let text = self.batch.column(3).as_string::<i32>().value(self.row).as_bytes();
        Held {
            pupil_key: self.batch.column(1).as_primitive::<Int64Type>().value(self.row),
            week: self.batch.column(2).as_primitive::<Date32Type>().value(self.row),
            marks: text.try_into().unwrap_or([BLANK; SESSIONS_A_WEEK]),
            known_from: self.batch.column(4).as_primitive::<TimestampMicrosecondType>().value(self.row),
            return_id: self.batch.column(6).as_primitive::<Int64Type>().value(self.row),
        }
    }
}

/// The rewriting of one month, or of some of its schools.
pub struct Month {
    name: String,
    /// Its schools, from the least to the greatest URN.
    schools: (Urn, Urn),
    /// Believed files not yet read, in order of URN.
    waiting: VecDeque<Bytes>,
    reader: Option<parquet::arrow::arrow_reader::ParquetRecordBatchReader>,
    lines: Option<Lines>,
    open: Columns,
    writer: Option<FileWriter>,
    done: Vec<FileWriter>,
    closed: Columns,
    closed_batches: Vec<RecordBatch>,
    changed: Changed,
}

/// The month a line belongs to: that of its Monday.
pub fn month_of(week: i32) -> String {
    day_of(week).format("%Y-%m").to_string()
}

fn partition(month: &str, belief: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("month".to_owned(), month.to_owned()), ("belief".to_owned(), belief.to_owned())])
}

/// Ends the rewriting of a month, whose parts hold all schools between them. Says which files it has now.
pub async fn finish(
    lake: &Lake,
    state: &TableState,
    month: &str,
    mut parts: Vec<Month>,
) -> Result<(Vec<DataFile>, Changed), LakeError> {
    parts.sort_by_key(|part| part.schools);
    let copying = parts.into_iter().map(|part| tokio::task::spawn_blocking(|| part.copied()));
    let (mut writers, mut closed, mut changed) = (Vec::new(), Vec::new(), Changed::default());
    for part in join_all(copying.collect::<Vec<_>>()).await {
        let mut part = part.map_err(|e| LakeError::stopped(month, &e))??;
        writers.append(&mut part.done);
        closed.append(&mut part.closed_batches);
        changed.opened += part.changed.opened;
        changed.closed += part.changed.closed;
    }
    // What is believed and what was are written at once.
    let root = path::table(Table::RegisterWeek);
    let mut writing = JoinSet::new();
    for writer in writers {
        let (lake, root, partition) = (lake.clone(), root.clone(), partition(month, CURRENT));
        writing.spawn(async move { writer.put(&lake, &root, partition).await });
    }
    let closed = arrow::compute::concat_batches(&Table::RegisterWeek.schema(), &closed)?;
    let past = state.of_belief(PAST).filter(|f| f.partition.get("month").is_some_and(|m| m == month)).cloned();
    let mut files = append::append(lake, Table::RegisterWeek, partition(month, PAST), past.collect(), &closed).await?;
    while let Some(written) = writing.join_next().await {
        files.extend(written.map_err(|e| LakeError::stopped(month, &e))??);
    }
    files.sort();
    Ok((files, changed))
}

impl Month {
    /// Begins to rewrite a month for the schools from `least` to `greatest`. Nobody else may rewrite them meanwhile.
    pub async fn begin(
        lake: &Lake,
        state: &TableState,
        name: String,
        (least, greatest): (Urn, Urn),
    ) -> Result<Self, LakeError> {
        let urns = |f: &DataFile| f.urns.unwrap_or((Urn::MIN, Urn::MAX));
        let mine =
            |f: &&DataFile| f.partition.get("month") == Some(&name) && least <= urns(f).1 && urns(f).0 <= greatest;
        let mut current: Vec<&DataFile> = state.of_belief(CURRENT).filter(mine).collect();
        current.sort_by_key(|f| f.urns);
        let mut waiting = VecDeque::new();
        for file in current {
            waiting.push_back(lake.read_existing(&join(&path::table(Table::RegisterWeek), &file.path)).await?);
        }
        Ok(Self {
            name,
            schools: (least, greatest),
            waiting,
            reader: None,
            lines: None,
            open: Columns::default(),
            writer: None,
            done: Vec::new(),
            closed: Columns::default(),
            closed_batches: Vec::new(),
            changed: Changed::default(),
        })
    }

    /// Whether a school is one of those it is begun for.
    pub fn holds(&self, urn: Urn) -> bool {
        self.schools.0 <= urn && urn <= self.schools.1
    }

    /// Merges one school's statements of this month. Schools come in order of URN; statements in order of
    /// (pupil_key, week), one for each. Says which marks it withdraws for want of a row, return by return.
    pub fn merge_school(
        &mut self,
        urn: Urn,
        stated: &[Stated],
        roots: &Roots,
        at_micros: i64,
    ) -> Result<Vec<Withdrawn>, LakeError> {
        self.copy_until(Some(urn))?;
        self.end_file_if_large();
        let mut held = Vec::new();
        while self.next_line()?.is_some_and(|next| next == urn) {
            if let Some(lines) = &mut self.lines {
                held.push(lines.held());
                lines.row += 1;
            }
        }
        let merged = merge_lines(&held, stated, roots, at_micros);
        for line in &merged.closed {
            self.closed.push(urn, line, Some(at_micros));
        }
        self.changed.opened += merged.opened;
        self.changed.closed += merged.closed.len() as u64;
        for line in &merged.open {
            self.open.push(urn, line, None);
        }
        if BATCH_ROWS <= self.closed.len() {
            self.closed_batches.push(self.closed.take()?);
        }
        self.flush(BATCH_ROWS)?;
        let mut of_return: BTreeMap<i64, Withdrawn> = BTreeMap::new();
        for (line, place) in merged.withdrawn {
            let first = Withdrawn {
                urn,
                return_id: line.return_id,
                pupil_key: line.pupil_key,
                first: (line.week, place),
                sessions: 0,
            };
            of_return.entry(line.return_id).or_insert(first).sessions += 1;
        }
        Ok(of_return.into_values().collect())
    }

    /// The part with what is left copied: all its files are ready to be put.
    fn copied(mut self) -> Result<Self, LakeError> {
        self.copy_until(None)?;
        self.flush(1)?;
        self.done.extend(self.writer.take());
        self.closed_batches.push(self.closed.take()?);
        Ok(self)
    }

    /// The URN of the next believed line; none at the end.
    fn next_line(&mut self) -> Result<Option<Urn>, LakeError> {
        let (least, greatest) = self.schools;
        loop {
            if let Some(lines) = &mut self.lines {
                let urns = lines.batch.column(0).as_primitive::<Int32Type>().values();
                if urns.get(lines.row).is_some_and(|urn| *urn < least) {
                    lines.row = urns.partition_point(|urn| *urn < least);
                }
                match urns.get(lines.row) {
                    Some(urn) if *urn <= greatest => return Ok(Some(*urn)),
                    // The next file may begin anew, with the schools of another part.
                    Some(_) => (self.lines, self.reader) = (None, None),
                    None => self.lines = None,
                }
            }
            if let Some(reader) = &mut self.reader {
                match reader.next() {
                    Some(batch) => {
                        self.lines = Some(Lines { batch: batch?, row: 0 });
                        continue;
                    }
                    None => self.reader = None,
                }
            }
            match self.waiting.pop_front() {
                Some(bytes) => self.reader = Some(read(bytes, BATCH_ROWS)?),
                None => return Ok(None),
            }
        }
    }

    /// Copies believed lines of schools before `urn` (of all its schools left, where none) as they are.
    fn copy_until(&mut self, urn: Option<Urn>) -> Result<(), LakeError> {
        while let Some(next) = self.next_line()? {
            if urn.is_some_and(|urn| urn <= next) {
                break;
            }
            let Some(lines) = &mut self.lines else { break };
            let urns = lines.batch.column(0).as_primitive::<Int32Type>().values();
            let is_before = |u: &Urn| urn.map_or(*u <= self.schools.1, |urn| *u < urn);
            let count = urns[lines.row..].partition_point(is_before);
            let slice = lines.batch.slice(lines.row, count);
            lines.row += count;
            self.flush(1)?;
            self.writer()?.write(&slice)?;
            self.end_file_if_large();
        }
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut FileWriter, LakeError> {
        if self.writer.is_none() {
            self.writer = Some(FileWriter::new(Table::RegisterWeek.schema())?);
        }
        self.writer
            .as_mut()
            .ok_or_else(|| LakeError::Damaged { path: self.name.clone(), reason: "no writer".to_owned() })
    }

    fn flush(&mut self, at_least: usize) -> Result<(), LakeError> {
        if at_least <= self.open.len() {
            let batch = self.open.take()?;
            self.writer()?.write(&batch)?;
        }
        Ok(())
    }

    fn end_file_if_large(&mut self) {
        if self.open.len() == 0 && self.writer.as_ref().is_some_and(|w| FILE_ROWS <= w.rows()) {
            self.done.extend(self.writer.take());
        }
    }
}

struct MergedLines {
    /// All believed lines of the school and month, in order.
    open: Vec<Held>,
    closed: Vec<Held>,
    opened: u64,
    /// Statements without a row for a session of which a mark was believed, and its place.
    withdrawn: Vec<(Stated, usize)>,
}

/// What is believed of one school's month after `stated`.
fn merge_lines(held: &[Held], stated: &[Stated], roots: &Roots, at_micros: i64) -> MergedLines {
    let mut merged =
        MergedLines { open: Vec::with_capacity(held.len()), closed: Vec::new(), opened: 0, withdrawn: Vec::new() };
    let joined = |key: i64| !roots.is_empty() && roots.contains_key(&key);
    // Lines of children with one key meet in order; those of children with several by their root.
    let mut by_root: BTreeMap<(i64, i32), Vec<Held>> = BTreeMap::new();
    let mut i = 0;
    let mut disordered = false;
    for line in stated {
        if joined(line.pupil_key) {
            continue;
        }
        while i < held.len() && (held[i].pupil_key, held[i].week) < (line.pupil_key, line.week) {
            keep(&held[i], roots, &mut merged.open, &mut by_root);
            i += 1;
        }
        let same = i < held.len() && (held[i].pupil_key, held[i].week) == (line.pupil_key, line.week);
        let before = same.then(|| held[i]);
        i += usize::from(same);
        change(before.as_slice(), line, at_micros, &mut merged);
    }
    for line in &held[i..] {
        keep(line, roots, &mut merged.open, &mut by_root);
    }
    for (root, line) in by_child(stated, roots) {
        let before = by_root.remove(&root).unwrap_or_default();
        change(&before, &line, at_micros, &mut merged);
        disordered = true;
    }
    for line in by_root.into_values().flatten() {
        merged.open.push(line);
        disordered = true;
    }
    if disordered {
        merged.open.sort_by_key(|l| (l.pupil_key, l.week));
    }
    merged
}

fn keep(line: &Held, roots: &Roots, open: &mut Vec<Held>, by_root: &mut BTreeMap<(i64, i32), Vec<Held>>) {
    match roots.get(&line.pupil_key) {
        Some(root) => by_root.entry((*root, line.week)).or_default().push(*line),
        None => open.push(*line),
    }
}

/// One statement against the versions believed of its child and week: usually none or one; several
/// where two keys have just turned out to be one child.
fn change(before: &[Held], stated: &Stated, at_micros: i64, merged: &mut MergedLines) {
    let mut believed = [BLANK; SESSIONS_A_WEEK];
    let mut in_order = before.to_vec();
    in_order.sort_by_key(|l| (l.known_from, l.pupil_key));
    for line in &in_order {
        for (now, mark) in believed.iter_mut().zip(line.marks) {
            if mark != BLANK {
                *now = mark;
            }
        }
    }
    let mut marks = believed;
    for (place, (now, said)) in marks.iter_mut().zip(stated.boxes).enumerate() {
        match said {
            UNSTATED => {}
            UNSENT => {
                if *now != BLANK {
                    merged.withdrawn.push((*stated, place));
                }
                *now = BLANK;
            }
            said => *now = said,
        }
    }
    match before {
        [] if marks == [BLANK; SESSIONS_A_WEEK] => return,
        [one] if one.marks == marks => {
            merged.open.push(*one);
            return;
        }
        _ => {}
    }
    // A version that was believed for no time at all is replaced, not closed.
    merged.closed.extend(before.iter().filter(|l| l.known_from < at_micros));
    merged.opened += 1;
    merged.open.push(Held {
        pupil_key: stated.pupil_key,
        week: stated.week,
        marks,
        known_from: at_micros,
        return_id: stated.return_id,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        text.replace(' ', "\0").as_bytes().try_into().unwrap()
    }

    fn held(pupil_key: i64, marks: &str, known_from: i64) -> Held {
        Held { pupil_key, week: 0, marks: line(marks), known_from, return_id: 1 }
    }

    fn stated(pupil_key: i64, boxes: &str) -> Stated {
        Stated { pupil_key, week: 0, boxes: line(boxes), return_id: 2 }
    }

    fn shown(lines: &[Held]) -> Vec<(i64, String, i64)> {
        lines.iter().map(|l| (l.pupil_key, String::from_utf8_lossy(&l.marks).into_owned(), l.known_from)).collect()
    }

    #[test]
    fn what_is_not_stated_stands_and_what_is_withdrawn_is_blank() {
        let merged = merge_lines(
            &[held(1, "/\\NN..........", 5), held(2, "/\\............", 5)],
            &[stated(1, "  I.          ")],
            &Roots::new(),
            9,
        );
        assert_eq!(shown(&merged.open), [(1, "/\\I...........".to_owned(), 9), (2, "/\\............".to_owned(), 5)]);
        assert_eq!(shown(&merged.closed), [(1, "/\\NN..........".to_owned(), 5)]);
    }

    #[test]
    fn the_same_again_and_nothing_at_all_change_nothing() {
        let merged = merge_lines(
            &[held(1, "/\\............", 5)],
            &[stated(1, "/\\            "), stated(3, "..............")],
            &Roots::new(),
            9,
        );
        assert_eq!((merged.open.len(), merged.closed.len(), merged.opened), (1, 0, 0));
    }

    #[test]
    fn old_weeks_restated_under_a_new_upn_change_nothing() {
        let roots = Roots::from([(1, 1), (7, 1)]);
        let merged = merge_lines(&[held(1, "/\\............", 5)], &[stated(7, "/\\            ")], &roots, 9);
        assert_eq!(shown(&merged.open), [(1, "/\\............".to_owned(), 5)]);
        let merged = merge_lines(&[held(1, "/\\............", 5)], &[stated(7, "/I            ")], &roots, 9);
        assert_eq!(shown(&merged.open), [(7, "/I............".to_owned(), 9)]);
        assert_eq!(merged.closed.len(), 1);
    }

    #[test]
    fn a_child_under_two_keys_of_one_file_says_all_that_both_say() {
        let roots = Roots::from([(1, 1), (7, 1)]);
        let believed = [held(1, "O\\O...........", 5)];
        // Under the old key the third session was refused, under the new one it has no row.
        let said = [stated(1, "O\\ .          "), stated(7, "....OO........")];
        let merged = merge_lines(&believed, &said, &roots, 9);
        assert_eq!(shown(&merged.open), [(7, "O\\O.OO........".to_owned(), 9)]);
        assert_eq!(merged.closed.len(), 1);
    }

    #[test]
    fn two_keys_that_turn_out_to_be_one_child_become_one_line() {
        let roots = Roots::from([(1, 1), (7, 1)]);
        let both = [held(1, "/\\............", 5), held(7, "..//..........", 6)];
        let merged = merge_lines(&both, &[stated(7, "              ")], &roots, 9);
        assert_eq!(shown(&merged.open), [(7, "/\\//..........".to_owned(), 9)]);
        assert_eq!(merged.closed.len(), 2);
    }
}
