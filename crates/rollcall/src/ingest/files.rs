//! A receipt's files: what each is, and decoding them on all cores.

use std::io::Read;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::StreamExt;
use lake::landing::{Receipt, ReceiptFile};
use model::AcademicYear;
use sources::{Decoded, Decoder, Kind, decode};

use super::Ingest;

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
    /// Tells marks files from the rest by their header. An archive is opened with the rest.
    pub(super) async fn look_at(&self, receipt: &Receipt) -> Result<LookedAt> {
        let mut found = LookedAt { small: Vec::new(), marks: Vec::new() };
        let day = receipt.received_at.date_naive();
        let looks = futures::stream::iter(receipt.files.iter().map(|file| async move {
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
        let input = self.landed(receipt, &file).await?;
        let mapping = self.config.mapping(&receipt.source, &file.name);
        let library = std::sync::Arc::clone(self.library);
        let (source, received_at) = (receipt.source.clone(), receipt.received_at);
        let unpacked_limit = self.config.unpacked_limit_mib * 1024 * 1024;
        let earliest = AcademicYear(self.config.earliest_year).first_day();
        tokio::task::spawn_blocking(move || {
            let decoder = Decoder {
                codes: &library.codes,
                rules: &library.fields,
                mapping: &mapping,
                received_at,
                received_on: received_at.date_naive(),
                earliest,
                unpacked_limit,
            };
            decode(&decoder, &source, &file.name, &file.sha256, input)
        })
        .await
        .context("a file could not be decoded")
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

    /// Finds the lines of a file on which problems that a rule found stand: lines are not kept for rows
    /// that were read without fault, so the file is read once more.
    pub(super) async fn place(&self, receipt: &Receipt, decoded: &mut Decoded, problems: Vec<usize>) -> Result<()> {
        let Some(file) = receipt.files.iter().find(|f| f.name == decoded.name) else { return Ok(()) };
        let wanted: std::collections::HashSet<_> = problems
            .iter()
            .filter_map(|i| {
                let problem = &decoded.problems[*i];
                let (date, session) = problem.session?;
                Some((problem.pupil_key?, date, session))
            })
            .collect();
        let input = self.landed(receipt, file).await?;
        let mapping = self.config.mapping(&receipt.source, &file.name);
        let lines = tokio::task::spawn_blocking(move || sources::locate::lines(&mapping, input, &wanted))
            .await
            .context("a file could not be read again")?;
        for i in problems {
            let problem = &mut decoded.problems[i];
            if let (Some(key), Some((date, session))) = (problem.pupil_key, problem.session) {
                problem.line = lines.get(&(key, date, session)).copied();
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
