//! The rules on marks, run over those that have come in.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{ArrayRef, BinaryViewArray, Int32Array, Int64Array, RecordBatch, make_view};
use arrow::buffer::Buffer;
use engine::Incoming;
use futures::{StreamExt, TryStreamExt};
use lake::landing::{Receipt, ReceiptFile};
use model::Outcome;
use sources::{Content, Decoded, SchoolGrid};

use crate::ingest::{Ingest, tables};

/// So many bytes of registers are put together at once, or those of one file: an archive may hold an authority's year.
const AT_ONCE: usize = 64 * 1024 * 1024;

/// Runs the rules over files, and takes out what they refuse.
pub(in crate::ingest) async fn judge(
    ingest: &Ingest<'_>,
    session: &Arc<engine::session::Session>,
    receipt: &Receipt,
    files: Vec<Decoded>,
) -> Result<Vec<Decoded>> {
    let (mut judged, mut part, mut bytes) = (Vec::with_capacity(files.len()), Vec::new(), 0);
    for file in files {
        if let Content::Marks(grids) = &file.content {
            bytes += grids.iter().map(SchoolGrid::registers_size).sum::<usize>();
        }
        part.push(file);
        if AT_ONCE <= bytes {
            judged.extend(judge_part(ingest, session, receipt, std::mem::take(&mut part)).await?);
            bytes = 0;
        }
    }
    if !part.is_empty() {
        judged.extend(judge_part(ingest, session, receipt, part).await?);
    }
    Ok(judged)
}

async fn judge_part(
    ingest: &Ingest<'_>,
    session: &Arc<engine::session::Session>,
    receipt: &Receipt,
    files: Vec<Decoded>,
) -> Result<Vec<Decoded>> {
    let putting = {
        let (session, of_source) = (Arc::clone(session), ingest.config.school_of(&receipt.source));
        tokio::task::spawn_blocking(move || {
            Incoming { files: tables::incoming_files(&files, of_source)?, registers: incoming_registers(&files)? }
                .put(&session)?;
            anyhow::Ok(files)
        })
    };
    let of_marks = |rule: &engine::Definition| !rule.header.of_held;
    engine::rules::ready(session, of_marks).await?;
    let mut files = putting.await.context("what has come in could not be put together")??;
    let found = engine::rules::judge(session, of_marks).await?;
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
                    let of_school = |grid: &SchoolGrid| Some(grid.urn) == found.urn;
                    let refused: u64 = match found.pupil_key {
                        Some(key) => {
                            grids.iter_mut().filter(|g| of_school(g)).map(|g| g.refuse(key, found.session)).sum()
                        }
                        None => {
                            let gone: Vec<SchoolGrid> = grids.extract_if(.., |g| of_school(g)).collect();
                            grids.iter_mut().for_each(|g| gone.iter().for_each(|gone| g.leave_alone_what(gone)));
                            gone.iter().map(|g| g.rows_kept).sum()
                        }
                    };
                    file.rows_kept -= refused;
                    file.rows_refused += refused;
                }
            }
        }
    }
    // An archive is read once for all that it holds.
    let mut of_landed: BTreeMap<usize, Vec<(&mut Decoded, Vec<usize>)>> = BTreeMap::new();
    for (i, file) in files.iter_mut().enumerate() {
        let is_its = |landed: &ReceiptFile| landed.sha256 == file.sha256 && file.name.starts_with(&landed.name);
        if let (Some(problems), Some(nth)) = (unplaced.remove(&i), receipt.files.iter().position(is_its)) {
            of_landed.entry(nth).or_default().push((file, problems));
        }
    }
    let placed = of_landed.into_iter().map(|(nth, of)| ingest.place(receipt, receipt.files[nth].clone(), of));
    futures::stream::iter(placed).buffer_unordered(ingest.config.cores()).try_collect::<()>().await?;
    Ok(files)
}

/// The rows of `incoming.register`.
fn incoming_registers(files: &[Decoded]) -> Result<RecordBatch> {
    let mut grids: Vec<(i64, &SchoolGrid)> = Vec::new();
    for (i, file) in files.iter().enumerate() {
        if let Content::Marks(of_file) = &file.content {
            grids.extend(of_file.iter().map(|grid| (i as i64, grid)));
        }
    }
    let rows = grids.iter().map(|(_, grid)| grid.pupils().count()).sum();
    let bytes = grids.iter().map(|(_, grid)| grid.registers_size()).sum();
    let (mut file_ids, mut urns, mut keys) =
        (Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(rows));
    let (mut views, mut values): (Vec<u128>, Vec<u8>) = (Vec::with_capacity(rows), Vec::with_capacity(bytes));
    for (file_id, grid) in grids {
        grid.registers(|key, register| {
            file_ids.push(file_id);
            urns.push(grid.urn);
            keys.push(key);
            views.push(make_view(register, 0, values.len() as u32));
            values.extend_from_slice(register);
        });
    }
    let buffers: Arc<[Buffer]> = Arc::new([Buffer::from_vec(values)]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(file_ids)),
        Arc::new(Int32Array::from(urns)),
        Arc::new(Int64Array::from(keys)),
        Arc::new(BinaryViewArray::try_new(views.into(), buffers, None)?),
    ];
    Ok(RecordBatch::try_new(engine::rules::register_schema(), columns)?)
}
