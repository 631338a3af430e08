//! Registers of the weeks before the newest, gathered once and kept in the lake: a day brings lines of the newest
//! week, and of the others the files stay what they were.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{AsArray, BinaryViewArray, FixedSizeBinaryArray, RecordBatch, UInt32Array};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use datafusion::arrow::ipc::reader::StreamDecoder;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::{DataFusionError, Result, exec_err};
use futures::TryStreamExt;
use futures::future::join_all;
use lake::path::hex;
use lake::{DataFile, Lake};
use model::SESSIONS_A_WEEK;
use object_store::path::Path;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::{Lines, Shared, outside, registers, schema};
use crate::line_book::{Line, LineBook};
use crate::register::Register;

/// How many are kept: this week's, and the last one's for whoever reads it.
const KEPT: usize = 2;

/// Bytes before the lines: their length, and what lets all that follows lie as it does in memory.
const HEAD: usize = 64;

/// The files of the weeks before the newest, and where their registers are kept.
#[derive(Debug)]
pub(super) struct Files {
    lake: Lake,
    files: Vec<DataFile>,
    place: Path,
}

impl Files {
    /// Those of some files, and the files of the newest week; none where the newest week does not lie apart, or the
    /// last day asked for comes before it.
    pub fn of(
        lake: &Lake,
        files: &[DataFile],
        last_day: i32,
        joined: &HashMap<i64, i64>,
    ) -> Option<(Self, Vec<DataFile>)> {
        let weeks: Vec<(i32, i32)> = files.iter().map(|f| f.weeks).collect::<Option<_>>()?;
        let newest = weeks.iter().map(|(_, last)| *last).max().filter(|newest| *newest <= last_day)?;
        let (mut earlier, mut apart) = (Vec::new(), Vec::new());
        for (file, (first, last)) in files.iter().zip(weeks) {
            match (first == newest, last == newest) {
                (true, _) => apart.push(file.clone()),
                (false, false) => earlier.push(file.clone()),
                (false, true) => return None,
            }
        }
        if earlier.is_empty() {
            return None;
        }
        earlier.sort();
        let mut hash = Sha256::new();
        hash.update(crate::PROGRAM);
        for file in &earlier {
            hash.update(&file.path);
            hash.update([0]);
        }
        let mut joined: Vec<_> = joined.iter().collect();
        joined.sort_unstable();
        for (key, root) in joined {
            hash.update(key.to_le_bytes());
            hash.update(root.to_le_bytes());
        }
        let place = lake::path::gathered(&hex(&hash.finalize()));
        Some((Self { lake: lake.clone(), files: earlier, place }, apart))
    }

    /// Their registers: as they were kept, else gathered now and kept.
    pub async fn registers(&self, shared: &Shared) -> Result<Earlier> {
        // What is damaged is as good as none: it can be made again.
        let kept = self.lake.read(&self.place).await.map_err(outside)?;
        if let Some(Ok(earlier)) = kept.map(|bytes| Earlier::read(bytes, &shared.book)) {
            return Ok(earlier);
        }
        let theirs = Arc::new(Shared::of(shared, Lines::Files(self.lake.clone(), self.files.clone())));
        let gathering = (0..theirs.parts).map(|nth| {
            let (runtime, part) = (Handle::current(), registers(Arc::clone(&theirs), nth));
            tokio::task::spawn_blocking(move || runtime.block_on(part.try_collect::<Vec<_>>()))
        });
        let mut batches = Vec::new();
        for part in join_all(gathering.collect::<Vec<_>>()).await {
            batches.extend(part.map_err(|e| DataFusionError::External(Box::new(e)))??);
        }
        let earlier = Earlier::of(&concat_batches(&schema(), &batches)?)?;
        let written = earlier.written(shared.book.read().lines())?;
        self.lake.put(&self.place, written).await.map_err(outside)?;
        self.lake.forget_older(&self.place, KEPT).await.map_err(outside)?;
        Ok(earlier)
    }
}

/// The columns of the lines beside them.
fn line_schema() -> SchemaRef {
    let line = Field::new("line", DataType::FixedSizeBinary(SESSIONS_A_WEEK as i32), false);
    Arc::new(Schema::new(vec![line]))
}

/// Registers in order of (urn, pupil_key), their lines numbered.
pub(super) struct Earlier {
    rows: RecordBatch,
    /// The session's number of each of their lines; none: they are its own.
    numbers: Option<Vec<u32>>,
}

impl Earlier {
    pub fn of(rows: &RecordBatch) -> Result<Self> {
        let mut earlier = Self { rows: rows.clone(), numbers: None };
        // Children of a changed UPN come at the end of their school.
        let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
        if !order.is_sorted_by_key(|row| earlier.at(*row as usize)) {
            order.sort_by_key(|row| earlier.at(*row as usize));
            earlier.rows = take_record_batch(rows, &UInt32Array::from(order))?;
        }
        Ok(earlier)
    }

    fn written(&self, lines: &[Line]) -> Result<Bytes> {
        let all = FixedSizeBinaryArray::try_from_iter(lines.iter())?;
        let lines = RecordBatch::try_new(line_schema(), vec![Arc::new(all)])?;
        let mut bytes = vec![0; HEAD];
        let stream = |batch: &RecordBatch, bytes: &mut Vec<u8>| -> Result<()> {
            let mut writer = StreamWriter::try_new(&mut *bytes, batch.schema_ref())?;
            writer.write(batch)?;
            Ok(writer.finish()?)
        };
        stream(&lines, &mut bytes)?;
        bytes.resize(bytes.len().next_multiple_of(HEAD), 0);
        let begun = bytes.len() as u64;
        stream(&self.rows, &mut bytes)?;
        bytes[..8].copy_from_slice(&begun.to_le_bytes());
        Ok(bytes.into())
    }

    fn read(bytes: Bytes, book: &LineBook) -> Result<Self> {
        let begun = bytes.first_chunk::<8>().map_or(0, |begun| u64::from_le_bytes(*begun)) as usize;
        if !(HEAD..bytes.len()).contains(&begun) {
            return exec_err!("kept registers that do not say where they begin");
        }
        let decoded = |bytes: Bytes| -> Result<RecordBatch> {
            let mut buffer = Buffer::from(bytes);
            match StreamDecoder::new().decode(&mut buffer)? {
                Some(batch) => Ok(batch),
                None => exec_err!("kept registers that end too soon"),
            }
        };
        let (lines, rows) = (decoded(bytes.slice(HEAD..begun))?, decoded(bytes.slice(begun..))?);
        if *lines.schema_ref() != line_schema() || *rows.schema_ref() != schema() {
            return exec_err!("kept registers of another form");
        }
        book.reserve(lines.num_rows());
        let numbers = book.number(lines.column(0).as_fixed_size_binary().value_data().as_chunks().0);
        let are_its_own = numbers.iter().enumerate().all(|(nth, number)| *number as usize == nth);
        Ok(Self { rows, numbers: (!are_its_own).then_some(numbers) })
    }

    /// Its schools, in order, a row each register.
    pub fn urns(&self) -> &[i32] {
        self.rows.column(0).as_primitive::<Int32Type>().values()
    }

    /// Whose register a row is.
    pub fn at(&self, row: usize) -> (i32, i64) {
        (self.urns()[row], self.rows.column(1).as_primitive::<Int64Type>().value(row))
    }

    /// The rows of the schools after one and up to another.
    pub fn of_schools(&self, (after, last): (i32, i32)) -> Range<usize> {
        let urns = self.urns();
        urns.partition_point(|urn| *urn <= after)..urns.partition_point(|urn| *urn <= last)
    }

    fn registers(&self) -> &BinaryViewArray {
        self.rows.column(2).as_binary_view()
    }

    /// A row's register, its lines numbered as they were kept.
    pub fn register(&self, row: usize) -> Register<'_> {
        Register::read(self.registers().value(row)).unwrap_or(Register::empty(0))
    }

    /// Each week of a row, with its line.
    pub fn lines(&self, row: usize) -> impl Iterator<Item = Result<(i32, u32)>> {
        self.register(row).lines().map(|(monday, line)| Ok((monday, self.number(line)?)))
    }

    /// Writes a row's register at the end of `values`.
    pub fn write(&self, row: usize, values: &mut Vec<u8>) -> Result<()> {
        let kept = self.registers().value(row);
        if self.numbers.is_none() {
            values.extend_from_slice(kept);
            return Ok(());
        }
        let register = self.register(row);
        values.extend_from_slice(&register.first_week.to_le_bytes());
        for line in register.numbers() {
            values.extend_from_slice(&self.number(line)?.to_le_bytes());
        }
        Ok(())
    }

    /// The session's number of a line.
    fn number(&self, line: u32) -> Result<u32> {
        let Some(numbers) = &self.numbers else { return Ok(line) };
        match numbers.get(line as usize) {
            Some(number) => Ok(*number),
            None => exec_err!("a kept register with a line that is not kept"),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Array, Int32Array, Int64Array};

    use super::*;

    #[test]
    fn what_is_kept_says_the_same_in_another_session() {
        let codes = model::CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        let (book, other) = (LineBook::of(&codes), LineBook::of(&codes));
        let lines = [*b"/\\............", *b"OO............", *b"II............"];
        other.number(&[lines[2]]);
        let registers =
            [(9, 5, [1, 2]), (9, 3, [2, 0]), (7, 5, [3, 3])].map(|(urn, key, weeks): (i32, i64, [u32; 2])| {
                let bytes = [70i32.to_le_bytes(), weeks[0].to_le_bytes(), weeks[1].to_le_bytes()].concat();
                (urn, key, bytes)
            });
        book.number(&lines);
        let column = |i: usize| -> Arc<dyn Array> {
            match i {
                0 => Arc::new(Int32Array::from_iter_values(registers.iter().map(|r| r.0))),
                1 => Arc::new(Int64Array::from_iter_values(registers.iter().map(|r| r.1))),
                _ => Arc::new(BinaryViewArray::from_iter_values(registers.iter().map(|r| &r.2))),
            }
        };
        let rows = RecordBatch::try_new(schema(), (0..3).map(column).collect()).unwrap();
        let made = Earlier::of(&rows).unwrap();
        let bytes = made.written(book.read().lines()).unwrap();
        let said = |earlier: &Earlier, book: &LineBook| {
            let known = book.read();
            let line = |row| earlier.lines(row).map(|l| l.map(|(monday, n)| (monday, *known.line(n)))).collect();
            (0..3)
                .map(|row| (earlier.at(row), line(row)))
                .map(|(at, l): (_, Result<Vec<_>>)| (at, l.unwrap()))
                .collect()
        };
        let before: Vec<_> = said(&made, &book);
        assert_eq!(before[0], ((7, 5), vec![(70, lines[2]), (77, lines[2])]));
        assert_eq!(before[1].0, (9, 3));
        for book in [&book, &other] {
            let read = Earlier::read(bytes.clone(), book).unwrap();
            assert_eq!(said(&read, book), before);
            assert_eq!(read.of_schools((7, i32::MAX)), 1..3);
        }
        // Cut short or spoilt at its beginning it is refused.
        for end in [0, 7, HEAD, HEAD + 10, bytes.len() / 2] {
            assert!(Earlier::read(bytes.slice(..end), &other).is_err(), "{end}");
        }
        assert!(Earlier::read(Bytes::from(vec![255; 4096]), &other).is_err());
    }
}
