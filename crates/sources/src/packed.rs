//! Marks that wait: decoded as they landed, and their turn comes once who is on roll is known. Meanwhile their lines lie
//! on a shelf: memory does not grow with the number of schools.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{SESSIONS_A_WEEK, Urn};

use crate::decoded::{Content, Decoded};
use crate::grid::SchoolGrid;

/// Where lines lie that wait: a file of the system's temporary folder, which has no name and goes with the last that
/// reads it.
#[derive(Debug)]
pub struct Shelf {
    file: File,
    end: AtomicU64,
}

impl Shelf {
    /// An empty one.
    ///
    /// # Errors
    /// Where the temporary folder takes no file.
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, end: AtomicU64::new(0) })
    }

    /// Lays bytes by, and says where.
    fn lay(&self, bytes: &[u8]) -> io::Result<u64> {
        let place = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(bytes, place)?;
        Ok(place)
    }

    fn take(&self, place: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, place)?;
        Ok(bytes)
    }
}

/// A decoded marks file, its lines on a shelf.
#[derive(Debug)]
pub struct Packed {
    /// The file, its registers without lines.
    decoded: Decoded,
    shelf: Arc<Shelf>,
    lines: Vec<Lines>,
}

/// The lines of a register: they repeat themselves, and take a tenth of their room compressed.
#[derive(Debug)]
struct Lines {
    /// Each week's Monday and number of lines.
    weeks: Vec<(i32, usize)>,
    /// Where on the shelf.
    place: u64,
    /// Compressed, in bytes.
    length: usize,
}

impl Packed {
    /// Of a file of other than marks nothing is laid by.
    ///
    /// # Errors
    /// Where the shelf has no room left.
    pub fn of(mut decoded: Decoded, shelf: Arc<Shelf>) -> io::Result<Self> {
        let grids = match &mut decoded.content {
            Content::Marks(grids) => grids.as_mut_slice(),
            _ => &mut [],
        };
        let lines = grids.iter_mut().map(|grid| {
            let weeks = grid.take_lines();
            let boxes: Vec<u8> = weeks.iter().flat_map(|(_, lines)| lines.as_flattened()).copied().collect();
            let weeks = weeks.iter().map(|(monday, lines)| (*monday, lines.len())).collect();
            let compressed = lz4_flex::block::compress(&boxes);
            Ok(Lines { weeks, place: shelf.lay(&compressed)?, length: compressed.len() })
        });
        let lines = lines.collect::<io::Result<_>>()?;
        Ok(Self { decoded, shelf, lines })
    }

    /// The number of its return.
    pub fn return_id(&self) -> i64 {
        self.decoded.return_id
    }

    /// The school of its first row.
    pub fn first_school(&self) -> Option<Urn> {
        let Content::Marks(grids) = &self.decoded.content else { return None };
        grids.first().map(|grid| grid.urn)
    }

    /// Bytes it holds in memory, nearly.
    pub fn size(&self) -> usize {
        let Content::Marks(grids) = &self.decoded.content else { return 0 };
        grids.iter().map(SchoolGrid::size).sum()
    }

    /// The file as it was.
    ///
    /// # Errors
    /// Where the shelf cannot be read, or its bytes did not stay what they were.
    pub fn unpacked(self) -> io::Result<Decoded> {
        let Self { mut decoded, shelf, lines } = self;
        if let Content::Marks(grids) = &mut decoded.content {
            for (grid, Lines { weeks, place, length }) in grids.iter_mut().zip(lines) {
                let size = weeks.iter().map(|(_, lines)| lines * SESSIONS_A_WEEK).sum();
                let boxes = lz4_flex::block::decompress(&shelf.take(place, length)?, size).map_err(io::Error::other)?;
                let mut rest = boxes.as_chunks().0.iter().copied();
                let weeks = weeks.into_iter().map(|(monday, lines)| (monday, rest.by_ref().take(lines).collect()));
                grid.give_lines(weeks.collect());
            }
        }
        Ok(decoded)
    }
}
