//! Gathering: the lines of all files come up a child at a time, and are laid side by side as one register.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Date32Array, Int32Array, Int64Array, RecordBatch,
    TimestampMicrosecondArray, make_view,
};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use datafusion::common::{DataFusionError, Result};
use lake::{DataFile, Table};
use model::{BLANK, SESSIONS_A_WEEK};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::statistics::Statistics;

use super::earlier::Earlier;
use super::{Lines, Shared, outside, place, schema};
use crate::line_book::LineBook;
use crate::register::MOST_WEEKS;

/// Lines read at a time from each file.
const LINES: usize = 8 * 1024;
/// Registers given on at a time: under two megabytes of a year's.
const REGISTERS: usize = 2 * 1024;
/// Least and greatest URN of a row group.
pub(super) fn urns_of(group: &RowGroupMetaData) -> (i32, i32) {
    match group.column(0).statistics() {
        Some(Statistics::Int32(s)) => {
            (s.min_opt().copied().unwrap_or(i32::MIN), s.max_opt().copied().unwrap_or(i32::MAX))
        }
        _ => (i32::MIN, i32::MAX),
    }
}

/// Files that follow one another in order of URN, read one line after another.
struct Chain {
    waiting: VecDeque<DataFile>,
    reader: Option<ParquetRecordBatchReader>,
    /// Whether lines of the file being read may have been learnt, or given up, after the time asked for.
    doubtful: bool,
    batch: Batch,
    row: usize,
}

/// The columns of a batch, taken apart once.
struct Batch {
    urn: Int32Array,
    pupil_key: Int64Array,
    week: Date32Array,
    /// Which line each row has: its place in `numbers`.
    line: Int32Array,
    lines: ArrayRef,
    numbers: Arc<[u32]>,
    known_from: Option<TimestampMicrosecondArray>,
    known_to: Option<TimestampMicrosecondArray>,
}

impl Batch {
    /// `before` is the batch before: pages share their lines, which are numbered once.
    fn of(batch: &RecordBatch, book: &LineBook, before: Option<&Self>) -> Result<Self> {
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .ok_or_else(|| DataFusionError::Execution(format!("register_week has no column {name}")))
        };
        let stamp = |name: &str| {
            batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>()).cloned()
        };
        let marks = cast(column("marks")?, &lines_type())?;
        let marks = marks.as_dictionary::<Int32Type>();
        let lines = Arc::clone(marks.values());
        let numbers = match before.filter(|b| b.lines.to_data().ptr_eq(&lines.to_data())) {
            Some(before) => Arc::clone(&before.numbers),
            None => {
                let boxes = lines.as_string::<i32>();
                let (lines, rest) = boxes.value_data().as_chunks::<SESSIONS_A_WEEK>();
                if lines.len() != boxes.len() || !rest.is_empty() {
                    return Err(DataFusionError::Execution("a line of other than fourteen boxes".to_owned()));
                }
                book.number(lines).into()
            }
        };
        Ok(Self {
            urn: column("urn")?.as_primitive::<Int32Type>().clone(),
            pupil_key: column("pupil_key")?.as_primitive::<Int64Type>().clone(),
            week: column("week_start")?.as_primitive::<Date32Type>().clone(),
            line: marks.keys().clone(),
            lines,
            numbers,
            known_from: stamp("known_from"),
            known_to: stamp("known_to"),
        })
    }
}

/// How lines are read: a number for each, and the lines themselves once.
fn lines_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The columns of a file, with `marks` as [`lines_type`].
fn file_schema() -> SchemaRef {
    let schema = Table::RegisterWeek.schema();
    let fields = schema.fields().iter().map(|f| match f.name().as_str() {
        "marks" => Arc::new(f.as_ref().clone().with_data_type(lines_type())),
        _ => Arc::clone(f),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The lines of these schools in a file, in batches of these columns.
fn lines_of<R: ChunkReader + 'static>(
    file: R,
    (after, last): (i32, i32),
    names: &[&'static str],
) -> Result<ParquetRecordBatchReader> {
    let options = ArrowReaderOptions::new().with_schema(file_schema());
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
    let groups = builder.metadata().row_groups().iter().enumerate();
    let ours = |g: &RowGroupMetaData| {
        let (least, greatest) = urns_of(g);
        after < greatest && least <= last
    };
    let groups = groups.filter(|(_, g)| ours(g)).map(|(i, _)| i).collect();
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
    Ok(builder.with_row_groups(groups).with_projection(mask).with_batch_size(LINES).build()?)
}

impl Chain {
    fn of_files(files: VecDeque<DataFile>, book: &LineBook) -> Result<Self> {
        let nothing = Batch::of(&RecordBatch::new_empty(Table::RegisterWeek.schema()), book, None)?;
        Ok(Self { waiting: files, reader: None, doubtful: false, batch: nothing, row: 0 })
    }

    /// Goes to the next line of these schools; `false` at the end.
    async fn is_at_line(&mut self, shared: &Shared, (after, last): (i32, i32)) -> Result<bool> {
        loop {
            let urns = self.batch.urn.values();
            if self.row < urns.len() && urns[self.row] <= after {
                self.row = urns.partition_point(|urn| *urn <= after);
            }
            if self.row < urns.len() {
                return Ok(urns[self.row] <= last);
            }
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                (self.batch, self.row) = (Batch::of(&batch?, &shared.book, Some(&self.batch))?, 0);
                continue;
            }
            let (Some(file), Lines::Files(lake, _)) = (self.waiting.pop_front(), &shared.belief.lines) else {
                self.reader = None;
                return Ok(false);
            };
            let known_at = shared.belief.as_of.known_at.timestamp_micros();
            let is_current = file.partition.get("belief").is_some_and(|b| b == lake::table::CURRENT);
            let known = file.known_from.is_some_and(|(_, newest)| newest <= known_at);
            self.doubtful = !(is_current && (shared.belief.newest || known));
            let mut names = vec!["urn", "pupil_key", "week_start", "marks"];
            if self.doubtful || !shared.belief.joined.is_empty() {
                names.push("known_from");
            }
            if self.doubtful {
                names.push("known_to");
            }
            // On a disk a page at a time: all files are open at once.
            self.reader = Some(match lake.on_disk(&place(&file)).map(File::open) {
                Some(Ok(opened)) => lines_of(opened, (after, last), &names)?,
                _ => lines_of(lake.read_existing(&place(&file)).await.map_err(outside)?, (after, last), &names)?,
            });
        }
    }

    fn at(&self) -> (i32, i64) {
        (self.batch.urn.value(self.row), self.batch.pupil_key.value(self.row))
    }
}

/// One line of a child whose UPN has changed.
struct Joined {
    known_from: i64,
    line_key: i64,
    week: i32,
    number: u32,
}

/// The schools of one part, a child at a time.
pub(super) struct Gathering {
    shared: Arc<Shared>,
    schools: (i32, i32),
    chains: Vec<Chain>,
    /// Registers of earlier weeks, and which of them are still to come.
    earlier: Option<(Arc<Earlier>, Range<usize>)>,
    /// Lines of this school's children whose UPN has changed, by the first key of the chain.
    joined: BTreeMap<i64, Vec<Joined>>,
    school: i32,
    last_day: i32,
    known_at: i64,
    urn: Vec<i32>,
    pupil_key: Vec<i64>,
    views: Vec<u128>,
    values: Vec<u8>,
    /// The child's lines so far.
    lines: Vec<(i32, u32)>,
    /// The lines of the last day's week, and what is left of them up to that day.
    cut: HashMap<u32, u32>,
}

/// Lines as one value at the end of `values`, later ones laid over earlier. Says where it begins; nothing is
/// written where there are no lines.
fn write(lines: &mut Vec<(i32, u32)>, book: &LineBook, values: &mut Vec<u8>) -> Result<usize> {
    let begun = values.len();
    let first = lines.iter().map(|l| l.0).min();
    let last = lines.iter().map(|l| l.0).max();
    if let (Some(first), Some(last)) = (first, last) {
        let weeks = (i64::from(last) - i64::from(first)) / 7;
        if i64::from(MOST_WEEKS) <= weeks {
            return Err(DataFusionError::Execution(format!("a register of more than {MOST_WEEKS} weeks")));
        }
        values.extend_from_slice(&first.to_le_bytes());
        // The blank line is number 0.
        values.resize(begun + 4 + (weeks as usize + 1) * 4, 0);
        let (weeks, _) = values[begun + 4..].as_chunks_mut::<4>();
        for (week, number) in lines.iter() {
            let now = &mut weeks[((week - first) / 7) as usize];
            *now = match u32::from_le_bytes(*now) {
                0 => *number,
                before => laid_over(book, before, *number),
            }
            .to_le_bytes();
        }
    }
    lines.clear();
    Ok(begun)
}

/// A register of earlier weeks with the lines after them, as one value at the end of `values`. `false`, and nothing
/// is written: the lines do not all follow it, one week after another.
fn go_on(earlier: &Earlier, row: usize, lines: &mut Vec<(i32, u32)>, values: &mut Vec<u8>) -> Result<bool> {
    let register = earlier.register(row);
    let (first, mut end) = (register.first_week, register.monday(register.weeks()));
    let weeks = lines.last().map_or(0, |(last, _)| (i64::from(*last) - i64::from(first)) / 7);
    let follow = lines.first().is_none_or(|(week, _)| end <= *week) && lines.is_sorted_by(|a, b| a.0 < b.0);
    if !follow || register.weeks() == 0 || i64::from(MOST_WEEKS) <= weeks {
        return Ok(false);
    }
    earlier.write(row, values)?;
    for (week, number) in lines.drain(..) {
        // The blank line is number 0.
        (end..week).step_by(7).for_each(|_| values.extend_from_slice(&0u32.to_le_bytes()));
        values.extend_from_slice(&number.to_le_bytes());
        end = week + 7;
    }
    Ok(true)
}

/// The later line's marks where it has any, else the earlier's.
fn laid_over(book: &LineBook, earlier: u32, later: u32) -> u32 {
    let known = book.read();
    let mut line = *known.line(earlier);
    for (now, mark) in line.iter_mut().zip(known.line(later)) {
        *now = if *mark == BLANK { *now } else { *mark };
    }
    drop(known);
    book.number(&[line])[0]
}

impl Gathering {
    pub async fn begin(shared: Arc<Shared>, earlier: Option<Arc<Earlier>>, schools: (i32, i32)) -> Result<Self> {
        let chains = match &shared.belief.lines {
            Lines::Files(_, files) => chained(files, schools, &shared.book)?,
            Lines::Rows(rows) => {
                let rows = lake::append::sorted(Table::RegisterWeek, rows).map_err(outside)?;
                let mut chain = Chain::of_files(VecDeque::new(), &shared.book)?;
                (chain.batch, chain.doubtful) = (Batch::of(&rows, &shared.book, None)?, true);
                vec![chain]
            }
        };
        let mut at_lines = Vec::with_capacity(chains.len());
        for mut chain in chains {
            if chain.is_at_line(&shared, schools).await? {
                at_lines.push(chain);
            }
        }
        let last_day = model::line::days_from_epoch(shared.belief.as_of.as_of);
        let known_at = shared.belief.as_of.known_at.timestamp_micros();
        Ok(Self {
            schools,
            chains: at_lines,
            earlier: earlier.map(|earlier| (Arc::clone(&earlier), earlier.of_schools(schools))),
            joined: BTreeMap::new(),
            school: i32::MIN,
            last_day,
            known_at,
            urn: Vec::with_capacity(REGISTERS),
            pupil_key: Vec::with_capacity(REGISTERS),
            views: Vec::with_capacity(REGISTERS),
            values: Vec::new(),
            lines: Vec::new(),
            cut: HashMap::new(),
            shared,
        })
    }

    /// The next registers; none at the end.
    pub async fn batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.urn.len() < REGISTERS {
            let Some(at) = self.chains.iter().map(Chain::at).chain(self.next_earlier()).min() else {
                self.end_school()?;
                break;
            };
            if at.0 != self.school {
                self.end_school()?;
                self.school = at.0;
            }
            self.child(at).await?;
        }
        if self.urn.is_empty() {
            return Ok(None);
        }
        // Batches are much alike: the next one gets the room that this one took, and none is held for nothing.
        let mut values = std::mem::take(&mut self.values);
        values.shrink_to_fit();
        self.values.reserve_exact(values.len() + values.len() / 64);
        let views = std::mem::take(&mut self.views);
        let buffers: Arc<[Buffer]> = Arc::new([Buffer::from_vec(values)]);
        let registers = BinaryViewArray::try_new(views.into(), buffers, None)?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(std::mem::take(&mut self.urn))),
            Arc::new(Int64Array::from(std::mem::take(&mut self.pupil_key))),
            Arc::new(registers),
        ];
        Ok(Some(RecordBatch::try_new(schema(), columns)?))
    }

    /// Whose register of earlier weeks comes next.
    fn next_earlier(&self) -> Option<(i32, i64)> {
        let (earlier, rows) = self.earlier.as_ref()?;
        (!rows.is_empty()).then(|| earlier.at(rows.start))
    }

    /// Takes up all lines of one key.
    async fn child(&mut self, at: (i32, i64)) -> Result<()> {
        let root = self.shared.belief.joined.get(&at.1).copied();
        let mut begun = None;
        if self.next_earlier() == Some(at)
            && let Some((earlier, rows)) = &mut self.earlier
            && let Some(row) = rows.next()
        {
            match root {
                None => begun = Some(row),
                // Whatever was learnt when: of the weeks to come it says nothing.
                Some(root) => {
                    for line in earlier.lines(row) {
                        let (week, number) = line?;
                        let line = Joined { known_from: i64::MIN, line_key: at.1, week, number };
                        self.joined.entry(root).or_default().push(line);
                    }
                }
            }
        }
        let mut i = 0;
        while i < self.chains.len() {
            let chain = &mut self.chains[i];
            let mut is_left = true;
            while is_left && chain.at() == at {
                let batch = &chain.batch;
                let (urns, keys) = (batch.urn.values(), batch.pupil_key.values());
                while chain.row < urns.len() && (urns[chain.row], keys[chain.row]) == at {
                    let row = chain.row;
                    chain.row += 1;
                    let week = batch.week.value(row);
                    if self.last_day < week || chain.doubtful && !is_believed(batch, row, self.known_at) {
                        continue;
                    }
                    let Some(mut number) = batch.numbers.get(batch.line.value(row) as usize).copied() else { continue };
                    if self.last_day < week + 6 {
                        // One week holds the last day: its lines are cut once each.
                        let book = &self.shared.book;
                        let days = (self.last_day - week + 1) as usize;
                        number = *self.cut.entry(number).or_insert_with(|| cut(book, number, days));
                    }
                    match root {
                        None => self.lines.push((week, number)),
                        Some(root) => {
                            let known_from = batch.known_from.as_ref().map_or(0, |k| k.value(row));
                            let line = Joined { known_from, line_key: at.1, week, number };
                            self.joined.entry(root).or_default().push(line);
                        }
                    }
                }
                if chain.row == urns.len() {
                    is_left = chain.is_at_line(&self.shared, self.schools).await?;
                }
            }
            // Past the last school of this part a chain has ended too.
            if is_left && self.chains[i].at().0 <= self.schools.1 {
                i += 1;
            } else {
                self.chains.swap_remove(i);
            }
        }
        if let (Some(row), Some((earlier, _))) = (begun, &self.earlier) {
            let begun = self.values.len();
            if go_on(earlier, row, &mut self.lines, &mut self.values)? {
                self.push(at, begun);
                return Ok(());
            }
            self.lines.splice(0..0, earlier.lines(row).collect::<Result<Vec<_>>>()?);
        }
        self.give(at)
    }

    /// Ends a school: its children whose UPN has changed have come together.
    fn end_school(&mut self) -> Result<()> {
        for (root, mut lines) in std::mem::take(&mut self.joined) {
            // What was learnt last stands, as in the merge itself.
            lines.sort_by_key(|l| (l.known_from, l.line_key));
            self.lines.extend(lines.into_iter().map(|l| (l.week, l.number)));
            self.give((self.school, root))?;
        }
        Ok(())
    }

    fn give(&mut self, at: (i32, i64)) -> Result<()> {
        let begun = write(&mut self.lines, &self.shared.book, &mut self.values)?;
        if begun < self.values.len() {
            self.push(at, begun);
        }
        Ok(())
    }

    /// Whose the value is that begins there.
    fn push(&mut self, (urn, pupil_key): (i32, i64), begun: usize) {
        self.views.push(make_view(&self.values[begun..], 0, begun as u32));
        self.urn.push(urn);
        self.pupil_key.push(pupil_key);
    }
}

/// The line without the days after the first `days`.
fn cut(book: &LineBook, number: u32, days: usize) -> u32 {
    let mut line = *book.read().line(number);
    line[days * 2..].fill(BLANK);
    book.number(&[line])[0]
}

fn is_believed(batch: &Batch, row: usize, known_at: i64) -> bool {
    batch.known_from.as_ref().is_none_or(|k| k.value(row) <= known_at)
        && batch.known_to.as_ref().is_none_or(|k| k.is_null(row) || known_at < k.value(row))
}

/// Files with lines of these schools, in chains: those of a chain follow one another in order of URN.
fn chained(files: &[DataFile], (after, last): (i32, i32), book: &LineBook) -> Result<Vec<Chain>> {
    let is_ours = |f: &&DataFile| after < f.schools().1 && f.schools().0 <= last;
    let chains = DataFile::in_chains(files.iter().filter(is_ours)).into_iter();
    chains.map(|files| Chain::of_files(files.into_iter().cloned().collect(), book)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_any_order_make_one_register() {
        let codes = model::CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        let book = LineBook::of(&codes);
        let numbers = book.number(&[*b"/\\............", *b"OO............", *b"II............"]);
        let lines = [(0, numbers[0]), (14, numbers[1]), (7, numbers[2])];
        let (mut forth, mut back) = (Vec::new(), b"before".to_vec());
        assert_eq!(write(&mut lines.to_vec(), &book, &mut forth).unwrap(), 0);
        assert_eq!(write(&mut lines.iter().rev().copied().collect(), &book, &mut back).unwrap(), 6);
        assert_eq!(forth, [0i32, 1, 3, 2].map(i32::to_le_bytes).as_flattened());
        assert_eq!(forth, back[6..]);
        assert_eq!(write(&mut Vec::new(), &book, &mut forth).unwrap(), forth.len());
        assert!(write(&mut vec![lines[0], (i32::MAX - 7, numbers[0])], &book, &mut forth).is_err());
    }

    #[test]
    fn lines_that_follow_a_kept_register_are_put_after_it_and_others_are_not() {
        let codes = model::CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        let book = LineBook::of(&codes);
        let numbers = book.number(&[*b"/\\............", *b"OO............"]);
        let register = BinaryViewArray::from_iter_values([book.register_of(7, &[*b"/\\............"; 2])]);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int32Array::from(vec![1])), Arc::new(Int64Array::from(vec![1])), Arc::new(register)];
        let earlier = Earlier::of(&RecordBatch::try_new(schema(), columns).unwrap()).unwrap();
        let kept = earlier.lines(0).collect::<Result<Vec<_>>>().unwrap();
        for later in [&[][..], &[(21, numbers[1])], &[(28, numbers[1]), (42, numbers[0])]] {
            let (mut fast, mut careful) = (b"before".to_vec(), b"before".to_vec());
            assert!(go_on(&earlier, 0, &mut later.to_vec(), &mut fast).unwrap());
            write(&mut [&kept[..], later].concat(), &book, &mut careful).unwrap();
            assert_eq!(fast, careful);
        }
        let before = [(14, numbers[1])];
        let twice = [(21, numbers[0]), (21, numbers[1])];
        let never = [(i32::MAX - 7, numbers[0])];
        for other in [&before[..], &twice, &never] {
            let mut values = Vec::new();
            assert!(!go_on(&earlier, 0, &mut other.to_vec(), &mut values).unwrap() && values.is_empty());
        }
    }

    #[test]
    fn a_later_line_is_laid_over_and_days_to_come_are_cut() {
        let codes = model::CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        let book = LineBook::of(&codes);
        let numbers = book.number(&[*b"/\\II..........", *b"..O.L........."]);
        let (both, first_day) = (laid_over(&book, numbers[0], numbers[1]), cut(&book, numbers[0], 1));
        let known = book.read();
        assert_eq!(known.line(both), b"/\\OIL.........");
        assert_eq!(known.line(first_day), b"/\\............");
    }
}
