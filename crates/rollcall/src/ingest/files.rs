//! A receipt's files: what each is, and decoding them on all cores.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use chrono::{DateTime, Days, NaiveDate, Utc};
use engine::Library;
use futures::StreamExt;
use lake::RunRecord;
use lake::landing::{self, Landing, Receipt, ReceiptFile};
use model::{AcademicYear, Problem};
use sources::arrival::Offered;
use sources::locate::{Again, Place};
use sources::{Content, Decoded, Decoder, Kind, Mapping, Origin, Packed, Shelf, decode};

use super::{Ahead, Ingest};

/// Enough of a file to read its header and its first row.
const LOOK: u64 = 16 * 1024;
/// A file up to this size is read whole; a larger one as a stream.
const WHOLE: u64 = 32 * 1024 * 1024;

/// A receipt's files by what has to be done with them.
pub(super) struct LookedAt {
    /// Everything but plain marks files.
    pub small: Vec<ReceiptFile>,
    /// Marks files, with the school of their first row, in order of school and name.
    pub marks: Vec<(i32, ReceiptFile)>,
}

impl Ingest<'_> {
    /// Lands one file. Plain marks are decoded as they pass, since they are nearly all there is and would be read
    /// twice, and wait on the shelf; but no more of them than whose pupils a sixteenth of the memory holds, counted in
    /// `held`.
    pub(super) async fn land(
        &self,
        source: &str,
        received_at: DateTime<Utc>,
        file: Offered,
        shelf: Option<Arc<Shelf>>,
        held: Arc<AtomicUsize>,
    ) -> Result<(ReceiptFile, Option<Packed>)> {
        let landing = Landing::begin(self.lake, source, received_at, &file.path)?;
        let decoding = self.decoding(source, received_at, &file.name);
        let room = self.config.memory_mib * 1024 * 1024 / 16;
        let (of, name, path) = (source.to_owned(), file.name, file.path.clone());
        let landed = tokio::task::spawn_blocking(move || {
            let mut head = Vec::new();
            let read = std::fs::File::open(&path).and_then(|f| f.take(LOOK).read_to_end(&mut head));
            let is_marks = read.is_ok_and(|_| {
                matches!(sources::decode::first_school(&decoding.mapping, &head), Some((Kind::Marks, _)))
            });
            let Some(shelf) = shelf.filter(|_| is_marks && held.load(Ordering::Relaxed) < room) else {
                return Ok((landing.finish(&name)?, None));
            };
            let landing = Arc::new(Mutex::new(Some(landing)));
            let unhashed = Origin { source: &of, name: &name, sha256: "" };
            let decoded = decoding.decode(unhashed, Box::new(Passing(Arc::clone(&landing))));
            let landing = landing.lock().ok().and_then(|mut landing| landing.take());
            let file = landing.context("a file was not landed")?.finish(&name)?;
            let mut decoded = decoded.into_iter().filter(|d| matches!(d.content, Content::Marks(_)));
            let ahead = decoded.next().and_then(|mut decoded| {
                decoded.sha256.clone_from(&file.sha256);
                decoded.return_id = Origin { sha256: &file.sha256, ..unhashed }.return_id(received_at);
                // What finds no room is decoded again when its turn comes.
                Packed::of(decoded, shelf).ok()
            });
            held.fetch_add(ahead.as_ref().map_or(0, Packed::size), Ordering::Relaxed);
            anyhow::Ok((file, ahead))
        })
        .await
        .context("a file could not be landed")??;
        if self.lake.on_disk(&Default::default()).is_none() {
            landing::upload(self.lake, source, received_at, &landed.0, &file.path).await?;
        }
        Ok(landed)
    }

    /// Tells marks files from the rest by their header. An archive is opened with the rest.
    pub(super) async fn look_at(&self, receipt: &Receipt, ahead: &Ahead) -> Result<LookedAt> {
        let mut found = LookedAt { small: Vec::new(), marks: Vec::new() };
        let day = receipt.received_at.date_naive();
        let mut unread = Vec::new();
        for file in &receipt.files {
            match ahead.get(&number(receipt, file)) {
                Some(packed) => found.marks.push((packed.first_school().unwrap_or(0), file.clone())),
                None => unread.push(file),
            }
        }
        let looks = futures::stream::iter(unread.into_iter().map(|file| async move {
            let place = lake::path::landed(&receipt.source, day, &file.sha256);
            let end = file.bytes.min(LOOK);
            let head = match end {
                0 => Bytes::new(),
                _ => object_store::ObjectStoreExt::get_range(&self.lake.store(), &place, 0..end)
                    .await
                    .with_context(|| format!("the landed bytes of {} cannot be read", file.name))?,
            };
            anyhow::Ok((file, head))
        }))
        .buffered(16)
        .collect::<Vec<_>>()
        .await;
        for look in looks {
            let (file, head) = look?;
            let mapping = self.config.mapping(&receipt.source, &file.name);
            match sources::decode::first_school(&mapping, &head) {
                Some((Kind::Marks, urn)) => found.marks.push((urn, file.clone())),
                _ => found.small.push(file.clone()),
            }
        }
        found.marks.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
        Ok(found)
    }

    /// Decodes files on all cores; the answers stand in the order of the files.
    pub(super) async fn decode_all(&self, receipt: &Receipt, files: Vec<ReceiptFile>) -> Result<Vec<Decoded>> {
        let mut decoded = futures::stream::iter(files.into_iter().map(|file| self.decode(receipt, file)))
            .buffered(self.config.cores());
        let mut all = Vec::new();
        while let Some(files) = decoded.next().await {
            all.extend(files?);
        }
        Ok(all)
    }

    /// Decodes one file; an archive may hold several.
    pub(super) async fn decode(&self, receipt: &Receipt, file: ReceiptFile) -> Result<Vec<Decoded>> {
        self.decode_as_of(receipt, file, receipt.received_at).await
    }

    /// Decodes one file as a return of a later arrival. What it says is judged by the day on which it came.
    async fn decode_as_of(&self, receipt: &Receipt, file: ReceiptFile, at: DateTime<Utc>) -> Result<Vec<Decoded>> {
        let input = self.landed(receipt, &file).await?;
        let decoding = Decoding { received_at: at, ..self.decoding(&receipt.source, receipt.received_at, &file.name) };
        let source = receipt.source.clone();
        tokio::task::spawn_blocking(move || {
            let origin = Origin { source: &source, name: &file.name, sha256: &file.sha256 };
            decoding.decode(origin, input)
        })
        .await
        .context("a file could not be decoded")
    }

    /// Decodes those files of an earlier arrival again that hold one of the returns `wanted`, whose numbers are those of
    /// an arrival of `numbered`, as returns of an arrival of `at`. An archive is no return itself, has one for each file
    /// in it, and tells which once it is open.
    pub(super) async fn decode_again(
        &self,
        run: &RunRecord,
        receipt: &Receipt,
        wanted: &HashSet<i64>,
        (numbered, at): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<Decoded>> {
        let all = self.return_ids(run, receipt).await?;
        let id = |name: &str, sha256: &str| Origin { source: &receipt.source, name, sha256 }.return_id(numbered);
        let mut found = Vec::new();
        for file in &receipt.files {
            let is_return = all.contains(&number(receipt, file));
            if wanted.contains(&id(&file.name, &file.sha256)) || !is_return {
                let decoded = self.decode_as_of(receipt, file.clone(), at).await?;
                found.extend(decoded.into_iter().filter(|of| wanted.contains(&id(&of.name, &of.sha256))));
            }
        }
        Ok(found)
    }

    fn decoding(&self, source: &str, received_at: DateTime<Utc>, name: &str) -> Decoding {
        Decoding {
            library: Arc::clone(self.library),
            mapping: self.config.mapping(source, name),
            received_at,
            came_on: received_at.date_naive(),
            earliest: AcademicYear(self.config.earliest_year).first_day(),
            unpacked_limit: self.config.unpacked_limit_mib * 1024 * 1024,
        }
    }
}

/// The number of a file's return.
pub(super) fn number(receipt: &Receipt, file: &ReceiptFile) -> i64 {
    let origin = Origin { source: &receipt.source, name: &file.name, sha256: &file.sha256 };
    origin.return_id(receipt.received_at)
}

/// What decoding a file needs to know, wherever it is done.
struct Decoding {
    library: Arc<Library>,
    mapping: Mapping,
    received_at: DateTime<Utc>,
    came_on: NaiveDate,
    earliest: NaiveDate,
    unpacked_limit: u64,
}

impl Decoding {
    fn decode(&self, origin: Origin<'_>, input: Box<dyn Read + Send>) -> Vec<Decoded> {
        let ahead = |param: &str| self.came_on + Days::new(self.library.number(param).unwrap_or(0));
        let decoder = Decoder {
            codes: &self.library.codes,
            rules: &self.library.fields,
            interventions: &self.library.interventions,
            mapping: &self.mapping,
            received_at: self.received_at,
            received_on: self.came_on,
            roll_until: ahead("roll_days_ahead"),
            calendar_until: ahead("calendar_days_ahead"),
            years_apart: self.library.number("years_apart").and_then(|n| i32::try_from(n).ok()).unwrap_or(i32::MAX),
            earliest: self.earliest,
            unpacked_limit: self.unpacked_limit,
        };
        decode(&decoder, origin, input)
    }
}

/// The bytes of a file as they land, for a decoder that takes its input with it.
struct Passing(Arc<Mutex<Option<Landing>>>);

impl Read for Passing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.lock() {
            Ok(mut landing) => landing.as_mut().map_or(Ok(0), |landing| landing.read(buffer)),
            Err(_) => Err(std::io::Error::other("its reader has stopped")),
        }
    }
}

impl Ingest<'_> {
    /// The bytes of a landed file, as a stream.
    async fn landed(&self, receipt: &Receipt, file: &ReceiptFile) -> Result<Box<dyn Read + Send>> {
        let place = lake::path::landed(&receipt.source, receipt.received_at.date_naive(), &file.sha256);
        if let Some(disk) = self.lake.on_disk(&place) {
            let opened = std::fs::File::open(&disk);
            return Ok(Box::new(opened.with_context(|| format!("the landed bytes of {} cannot be read", file.name))?));
        }
        if file.bytes <= WHOLE {
            return Ok(Box::new(std::io::Cursor::new(self.lake.read_existing(&place).await?)));
        }
        let found = object_store::ObjectStoreExt::get(&self.lake.store(), &place)
            .await
            .with_context(|| format!("the landed bytes of {} cannot be read", file.name))?;
        let handle = tokio::runtime::Handle::current();
        Ok(Box::new(Streamed { stream: found.into_stream(), handle, chunk: Bytes::new() }))
    }

    /// Finds the lines of a landed file on which problems that a rule found stand, in each file that it holds: lines are
    /// not kept for rows that were read without fault, so it is read once more.
    pub(super) async fn place(
        &self,
        receipt: &Receipt,
        landed: ReceiptFile,
        files: Vec<(&mut Decoded, Vec<usize>)>,
    ) -> Result<()> {
        let of = |problem: &Problem| {
            let (date, session) = problem.session?;
            Some((problem.urn?, problem.pupil_key?, date, session))
        };
        let mut wanted: HashMap<String, HashSet<Place>> = HashMap::new();
        for (file, problems) in &files {
            let places = problems.iter().filter_map(|i| of(&file.problems[*i]));
            wanted.entry(file.name.clone()).or_default().extend(places);
        }
        let input = self.landed(receipt, &landed).await?;
        let mapping = self.config.mapping(&receipt.source, &landed.name);
        let unpacked_limit = self.config.unpacked_limit_mib * 1024 * 1024;
        let found = tokio::task::spawn_blocking(move || {
            let again = Again { unpacked_limit, mapping: &mapping, name: &landed.name };
            sources::locate::lines(&again, input, &wanted)
        })
        .await
        .context("a file could not be read again")?;
        for (file, problems) in files {
            let Some(lines) = found.get(&file.name) else { continue };
            for i in problems {
                let problem = &mut file.problems[i];
                problem.line = of(problem).and_then(|place| lines.get(&place).copied());
            }
        }
        Ok(())
    }
}

/// A landed object as a stream of bytes for a decoder that waits.
struct Streamed<S> {
    stream: S,
    handle: tokio::runtime::Handle,
    chunk: Bytes,
}

impl<S: futures::Stream<Item = object_store::Result<Bytes>> + Unpin> Read for Streamed<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.chunk.is_empty() {
            match self.handle.block_on(self.stream.next()) {
                Some(chunk) => self.chunk = chunk.map_err(std::io::Error::other)?,
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.chunk.len());
        buffer[..n].copy_from_slice(&self.chunk.split_to(n));
        Ok(n)
    }
}
