//! The files of the register ledger: months of lines, read and rewritten a school at a time.
//!
//! Believed lines lie in few files a month, each in order of (urn, pupil_key, week_start). A run rewrites what it
//! touches in one pass: lines it says nothing about are copied as they are; lines it restates otherwise are closed
//! into the month's past files and opened anew. Most runs restate the newest week alone, so that its lines lie in
//! files of their own, and are written to the others of their month once another week begins.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use futures::future::join_all;
use model::line::day_of;
use model::{BLANK, SESSIONS_A_WEEK, Urn};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use tokio::task::JoinSet;

use super::{Changed, Held, Roots, Stated, Withdrawn, merge_lines};
use crate::parquet_file::{FileWriter, read};
use crate::path::join;
use crate::run::{DataFile, TableState};
use crate::table::{CURRENT, PAST, stamps};
use crate::{Lake, LakeError, Table, append, path};

/// A believed file is ended at the next school once it holds so many lines.
const FILE_ROWS: u64 = 2_000_000;
/// Past files of the newest month of so many lines are folded once their week has ended, not as they gather.
const LARGE: u64 = 64 * 1024;
/// Lines gathered before they go to the Parquet writer.
const BATCH_ROWS: usize = 32 * 1024;

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
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(SESSIONS_A_WEEK, rows));
        let marks = StringArray::try_new(offsets, Buffer::from_vec(columns.marks), None)?;
        Ok(RecordBatch::try_new(
            Table::RegisterWeek.schema(),
            vec![
                Arc::new(Int32Array::from(columns.urn)),
                Arc::new(Int64Array::from(columns.pupil_key)),
                Arc::new(Date32Array::from(columns.week)),
                Arc::new(marks),
                stamps(columns.known_from),
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
    /// The lines of a batch. What is not a line of fourteen boxes was not written by us: it is left for somebody to mend.
    fn of(batch: RecordBatch) -> Result<Self, LakeError> {
        let marks = batch.column(3).as_string::<i32>();
        if marks.iter().any(|line| line.is_none_or(|line| line.len() != SESSIONS_A_WEEK)) {
            let reason = format!("a line of other than {SESSIONS_A_WEEK} boxes");
            return Err(LakeError::Damaged { path: path::table(Table::RegisterWeek).to_string(), reason });
        }
        Ok(Self { batch, row: 0 })
    }

    fn urns(&self) -> &[Urn] {
        self.batch.column(0).as_primitive::<Int32Type>().values()
    }

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

/// The month a line belongs to: that of its Monday.
pub fn month_of(week: i32) -> String {
    day_of(week).format("%Y-%m").to_string()
}

/// Of which weeks the files of a month are rewritten, and which week's lines then lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The first and the last week.
    weeks: (i32, i32),
    apart: i32,
    /// The week of this month that had files of its own until this run.
    ended: Option<i32>,
}

impl Reach {
    /// Whether it takes up a file of believed lines.
    fn takes_up(&self, file: &DataFile) -> bool {
        file.weeks.is_none_or(|(first, last)| self.weeks.0 <= last && first <= self.weeks.1)
    }

    /// Whether these weeks can be merged into what is rewritten.
    pub fn holds(&self, weeks: &BTreeSet<i32>) -> bool {
        weeks.iter().all(|week| (self.weeks.0..=self.weeks.1).contains(week))
    }
}

/// What is to be rewritten where these weeks are stated: the files of the newest week of all, or of those before it,
/// or both of a month. Where another week begins, the newest so far is put to the others of its month.
pub fn reaches(state: &TableState, weeks: &BTreeSet<i32>) -> BTreeMap<String, (Reach, BTreeSet<i32>)> {
    let newest_held = state.of_belief(CURRENT).filter_map(|f| f.weeks).map(|(_, last)| last).max();
    let Some(newest) = weeks.last().copied().max(newest_held) else { return BTreeMap::new() };
    let mut by_month: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for week in weeks {
        by_month.entry(month_of(*week)).or_default().insert(*week);
    }
    let ending = newest_held.filter(|held| *held < newest);
    if let Some(week) = ending {
        by_month.entry(month_of(week)).or_default();
    }
    let reach = |(month, stated): (String, BTreeSet<i32>)| {
        let ended = ending.filter(|week| month_of(*week) == month);
        let weeks = match (stated.first(), stated.last()) {
            _ if ended.is_some() => (i32::MIN, i32::MAX),
            (_, Some(last)) if *last < newest => (i32::MIN, newest - 1),
            (Some(first), _) if *first == newest => (newest, newest),
            _ => (i32::MIN, i32::MAX),
        };
        (month, (Reach { weeks, apart: newest, ended }, stated))
    };
    by_month.into_iter().map(reach).collect()
}

/// Files that follow one another in order of URN, read one line after another.
#[derive(Default)]
struct Stream {
    waiting: VecDeque<Bytes>,
    reader: Option<ParquetRecordBatchReader>,
    lines: Option<Lines>,
}

impl Stream {
    /// The URN of the next line of these schools; none at the end.
    fn next_line(&mut self, (least, greatest): (Urn, Urn)) -> Result<Option<Urn>, LakeError> {
        loop {
            if let Some(lines) = &mut self.lines {
                let urns = lines.urns();
                if urns.get(lines.row).is_some_and(|urn| *urn < least) {
                    lines.row = urns.partition_point(|urn| *urn < least);
                }
                match lines.urns().get(lines.row) {
                    Some(urn) if *urn <= greatest => return Ok(Some(*urn)),
                    // The next file may begin anew, with the schools of another part.
                    Some(_) => (self.lines, self.reader) = (None, None),
                    None => self.lines = None,
                }
            }
            if let Some(reader) = &mut self.reader {
                match reader.next() {
                    Some(batch) => {
                        self.lines = Some(Lines::of(batch?)?);
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
}

/// The rewriting of one month, or of some of its schools.
pub struct Month {
    /// Its schools, from the least to the greatest URN.
    schools: (Urn, Urn),
    reach: Reach,
    streams: Vec<Stream>,
    open: Columns,
    /// The files being written: of the week apart, and of the others.
    writers: [Option<FileWriter>; 2],
    done: Vec<FileWriter>,
    closed: Columns,
    closed_batches: Vec<RecordBatch>,
    changed: Changed,
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
    let Some(reach) = parts.first().map(|part| part.reach) else { return Ok(Default::default()) };
    let copying = parts.into_iter().map(|part| tokio::task::spawn_blocking(|| part.copied()));
    let (mut writers, mut closed, mut changed) = (Vec::new(), Vec::new(), Changed::default());
    for part in join_all(copying.collect::<Vec<_>>()).await {
        let mut part = part.map_err(|e| LakeError::stopped(month, &e))??;
        writers.append(&mut part.done);
        closed.append(&mut part.closed_batches);
        changed.opened += part.changed.opened;
        changed.closed += part.changed.closed;
    }
    let of_month = |f: &&DataFile| f.partition.get("month").is_some_and(|m| m == month);
    let is_left = |f: &&DataFile| !reach.takes_up(f);
    let left: Vec<DataFile> = state.of_belief(CURRENT).filter(of_month).filter(is_left).cloned().collect();
    // What is believed and what was are written at once.
    let root = path::table(Table::RegisterWeek);
    let mut writing = JoinSet::new();
    for writer in writers {
        let (lake, root, partition) = (lake.clone(), root.clone(), partition(month, CURRENT));
        writing.spawn(async move { writer.put(&lake, &root, partition).await });
    }
    let past = state.of_belief(PAST).filter(of_month).cloned();
    let (ended, past): (Vec<_>, Vec<_>) =
        past.partition(|f| reach.ended.is_some_and(|week| f.weeks.is_some_and(|weeks| weeks.1 == week)));
    let (table, its) = (Table::RegisterWeek, partition(month, PAST));
    let large = if month_of(reach.apart) == month { LARGE } else { u64::MAX };
    let mut files = append::append(lake, table, its.clone(), past, closed, large).await?;
    files.extend(match ended.len() {
        0 | 1 => ended,
        _ => append::folded(lake, table, its, ended, Vec::new()).await?,
    });
    files.extend(left);
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
        month: &str,
        reach: Reach,
        (least, greatest): (Urn, Urn),
    ) -> Result<Self, LakeError> {
        let is_mine = |f: &&DataFile| {
            f.partition.get("month").is_some_and(|m| m == month)
                && (least <= f.schools().1 && f.schools().0 <= greatest)
                && reach.takes_up(f)
        };
        let mut streams = Vec::new();
        for chain in DataFile::in_chains(state.of_belief(CURRENT).filter(is_mine)) {
            let mut stream = Stream::default();
            for file in chain {
                let bytes = lake.read_existing(&join(&path::table(Table::RegisterWeek), &file.path)).await?;
                stream.waiting.push_back(bytes);
            }
            streams.push(stream);
        }
        Ok(Self {
            schools: (least, greatest),
            reach,
            streams,
            open: Columns::default(),
            writers: [None, None],
            done: Vec::new(),
            closed: Columns::default(),
            closed_batches: Vec::new(),
            changed: Changed::default(),
        })
    }

    /// Of which weeks it takes up the files.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether a school is one of those it is begun for.
    pub fn holds(&self, urn: Urn) -> bool {
        self.schools.0 <= urn && urn <= self.schools.1
    }

    /// Merges one school's statements of this month. Schools come in order of URN; statements in order of
    /// (pupil_key, week), one for each, of weeks that it reaches. Says which marks it withdraws, return by return.
    pub fn merge_school(
        &mut self,
        urn: Urn,
        stated: &[Stated],
        roots: &Roots,
        at_micros: i64,
    ) -> Result<Vec<Withdrawn>, LakeError> {
        self.copy_until(Some(urn))?;
        self.end_files_if_large();
        let merged = merge_lines(&self.held(urn)?, stated, roots, at_micros);
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
                blank: 0,
            };
            let of_return = of_return.entry(line.return_id).or_insert(first);
            of_return.sessions += 1;
            of_return.blank += u64::from(line.boxes[place] == BLANK);
        }
        Ok(of_return.into_values().collect())
    }

    /// The part with what is left copied: all its files are ready to be put.
    fn copied(mut self) -> Result<Self, LakeError> {
        self.copy_until(None)?;
        self.flush(1)?;
        self.done.extend(self.writers.iter_mut().filter_map(Option::take));
        self.closed_batches.push(self.closed.take()?);
        self.closed_batches = vec![concat_batches(&Table::RegisterWeek.schema(), &self.closed_batches)?];
        Ok(self)
    }

    /// The believed lines of a school, if it is the next, in order.
    fn held(&mut self, urn: Urn) -> Result<Vec<Held>, LakeError> {
        let mut held = Vec::new();
        let mut has_several = false;
        for stream in &mut self.streams {
            let before = held.len();
            while stream.next_line(self.schools)? == Some(urn) {
                if let Some(lines) = &mut stream.lines {
                    held.push(lines.held());
                    lines.row += 1;
                }
            }
            has_several |= 0 < before && before < held.len();
        }
        if has_several {
            held.sort_by_key(|line| (line.pupil_key, line.week));
        }
        Ok(held)
    }

    /// Copies believed lines of schools before `urn` (of all its schools left, where none) as they are.
    fn copy_until(&mut self, urn: Option<Urn>) -> Result<(), LakeError> {
        loop {
            let mut next = Vec::with_capacity(self.streams.len());
            for stream in &mut self.streams {
                next.push(stream.next_line(self.schools)?);
            }
            let Some(first) = next.iter().flatten().copied().min() else { return Ok(()) };
            if urn.is_some_and(|urn| urn <= first) {
                return Ok(());
            }
            let is_first = |next: &Option<Urn>| *next == Some(first);
            if 1 < next.iter().filter(|next| is_first(next)).count() {
                // Streams that both go on with this school are laid into one another.
                for line in self.held(first)? {
                    self.open.push(first, &line, None);
                }
                self.flush(BATCH_ROWS)?;
                continue;
            }
            let others = next.iter().flatten().filter(|next| **next != first).copied();
            let until = others.chain(urn).min();
            let ahead = self.streams.iter_mut().zip(&next).find(|(_, next)| is_first(next));
            let Some(lines) = ahead.and_then(|(stream, _)| stream.lines.as_mut()) else { return Ok(()) };
            let is_before = |u: &Urn| until.map_or(*u <= self.schools.1, |until| *u < until);
            let count = lines.urns()[lines.row..].partition_point(is_before);
            let slice = lines.batch.slice(lines.row, count);
            lines.row += count;
            self.flush(1)?;
            self.write(&slice)?;
            self.end_files_if_large();
        }
    }

    fn flush(&mut self, at_least: usize) -> Result<(), LakeError> {
        if at_least <= self.open.len() {
            let batch = self.open.take()?;
            self.write(&batch)?;
        }
        Ok(())
    }

    fn write(&mut self, lines: &RecordBatch) -> Result<(), LakeError> {
        let weeks = lines.column(2).as_primitive::<Date32Type>().values();
        for (writer, is_apart) in self.writers.iter_mut().zip([true, false]) {
            let is_its =
                BooleanArray::from_iter(weeks.iter().map(|week| Some((*week == self.reach.apart) == is_apart)));
            let its = match is_its.true_count() {
                0 => continue,
                all if all == lines.num_rows() => lines.clone(),
                _ => filter_record_batch(lines, &is_its)?,
            };
            let writing = match writer {
                Some(writing) => writing,
                None => writer.insert(FileWriter::new(Table::RegisterWeek.schema())?),
            };
            writing.write(&its)?;
        }
        Ok(())
    }

    fn end_files_if_large(&mut self) {
        if self.open.len() == 0 {
            let is_large = |writer: &mut FileWriter| FILE_ROWS <= writer.rows();
            self.done.extend(self.writers.iter_mut().filter_map(|writer| writer.take_if(is_large)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mondays of one month and the next.
    const WEEKS: [i32; 5] = [20_703, 20_710, 20_717, 20_724, 20_731];

    fn stated(pupil_key: i64, week: i32, mark: u8) -> Stated {
        let mut boxes = [BLANK; SESSIONS_A_WEEK];
        boxes[0] = mark;
        Stated { pupil_key, week, boxes, return_id: 1 }
    }

    /// Merges what two schools say of some weeks.
    async fn merged(lake: &Lake, state: &TableState, weeks: &[i32], mark: u8, at: i64) -> TableState {
        let mut files = state.files.clone();
        for (month, (reach, weeks)) in reaches(state, &weeks.iter().copied().collect()) {
            let mut part = Month::begin(lake, state, &month, reach, (Urn::MIN, Urn::MAX)).await.unwrap();
            for urn in [100_001, 100_003].into_iter().filter(|_| !weeks.is_empty()) {
                let pupils = [7, 9].into_iter();
                let lines: Vec<_> = pupils.flat_map(|key| weeks.iter().map(move |w| stated(key, *w, mark))).collect();
                part.merge_school(urn, &lines, &Roots::new(), at).unwrap();
            }
            files.retain(|f| f.partition.get("month") != Some(&month));
            files.extend(finish(lake, state, &month, vec![part]).await.unwrap().0);
        }
        TableState { version: None, files }
    }

    /// The believed lines, in order, with their marks; each file's must lie in order.
    async fn believed(lake: &Lake, state: &TableState) -> Vec<(Urn, i64, i32, u8)> {
        let mut all = Vec::new();
        for file in state.of_belief(CURRENT) {
            let bytes = lake.read_existing(&join(&path::table(Table::RegisterWeek), &file.path)).await.unwrap();
            let mut of_file = Vec::new();
            for batch in read(bytes, BATCH_ROWS).unwrap() {
                let mut lines = Lines::of(batch.unwrap()).unwrap();
                while let Some(urn) = lines.urns().get(lines.row).copied() {
                    let held = lines.held();
                    of_file.push((urn, held.pupil_key, held.week, held.marks[0]));
                    lines.row += 1;
                }
            }
            assert!(of_file.is_sorted());
            all.extend(of_file);
        }
        all.sort();
        all
    }

    /// The weeks that each file of a belief spans.
    fn spans_of(state: &TableState, belief: &str) -> Vec<(i32, i32)> {
        let mut spans: Vec<_> = state.of_belief(belief).map(|f| f.weeks.unwrap()).collect();
        spans.sort();
        spans
    }

    fn spans(state: &TableState) -> Vec<(i32, i32)> {
        spans_of(state, CURRENT)
    }

    #[tokio::test]
    async fn the_newest_week_lies_apart_until_another_begins() {
        let lake = Lake::over(Arc::new(object_store::memory::InMemory::new()), "memory:///".parse().unwrap());
        let [a, b, c, d, next] = WEEKS;
        let first = merged(&lake, &TableState::default(), &[a, b], b'/', 1).await;
        assert_eq!(spans(&first), [(a, a), (b, b)]);
        let second = merged(&lake, &first, &[c], b'/', 2).await;
        assert_eq!(spans(&second), [(a, b), (c, c)]);
        // The week restated alone: the others' file stays as it is.
        let third = merged(&lake, &second, &[c], b'O', 3).await;
        assert_eq!(spans(&third), [(a, b), (c, c)]);
        let of_others = |state: &TableState| state.files.iter().find(|f| f.weeks == Some((a, b))).cloned();
        assert_eq!(of_others(&third), of_others(&second));
        // One before it, then both.
        let fourth = merged(&lake, &third, &[a], b'I', 4).await;
        let fifth = merged(&lake, &fourth, &[b, c], b'I', 5).await;
        assert_eq!(spans(&fifth), [(a, b), (c, c)]);
        assert_eq!(spans_of(&fifth, PAST), [(a, a), (b, c), (c, c)]);
        // Another week begins, in the same month and in the next: the past of the ended one is folded.
        let sixth = merged(&lake, &fifth, &[d], b'/', 6).await;
        assert_eq!(spans(&sixth), [(a, c), (d, d)]);
        assert_eq!(spans_of(&sixth, PAST), [(a, a), (b, c)]);
        let seventh = merged(&lake, &sixth, &[next], b'/', 7).await;
        assert_eq!(spans(&seventh), [(a, d), (next, next)]);
        assert_ne!(month_of(d), month_of(next));

        let marks = [(a, b'I'), (b, b'I'), (c, b'I'), (d, b'/'), (next, b'/')];
        let line = |urn, key| marks.map(|(week, mark)| (urn, key, week, mark));
        let all = [line(100_001, 7), line(100_001, 9), line(100_003, 7), line(100_003, 9)].concat();
        assert_eq!(believed(&lake, &seventh).await, all);
        // A file of which the weeks are not known is taken up with any.
        let unknown = |f: &DataFile| DataFile { weeks: None, ..f.clone() };
        let eighth = TableState { version: None, files: seventh.files.iter().map(unknown).collect() };
        assert_eq!(believed(&lake, &merged(&lake, &eighth, &[next], b'/', 8).await).await, all);
    }
}
