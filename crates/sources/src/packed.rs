//! Marks that wait: decoded as they landed, and their turn comes once who is on roll is known. Registers repeat
//! themselves, so lines take a tenth of their room compressed.

use model::{SESSIONS_A_WEEK, Urn};

use crate::decoded::{Content, Decoded};
use crate::grid::SchoolGrid;

/// A decoded marks file, its lines compressed.
#[derive(Debug)]
pub struct Packed {
    /// The file, its registers without lines.
    decoded: Decoded,
    lines: Vec<Lines>,
}

/// The lines of a register.
#[derive(Debug)]
struct Lines {
    /// Each week's Monday and number of lines.
    weeks: Vec<(i32, usize)>,
    compressed: Vec<u8>,
}

impl Packed {
    /// Of a file of other than marks nothing is compressed.
    pub fn of(mut decoded: Decoded) -> Self {
        let grids = match &mut decoded.content {
            Content::Marks(grids) => grids.as_mut_slice(),
            _ => &mut [],
        };
        let lines = grids.iter_mut().map(|grid| {
            let weeks = grid.take_lines();
            let boxes: Vec<u8> = weeks.iter().flat_map(|(_, lines)| lines.as_flattened()).copied().collect();
            let weeks = weeks.iter().map(|(monday, lines)| (*monday, lines.len())).collect();
            Lines { weeks, compressed: lz4_flex::block::compress(&boxes) }
        });
        let lines = lines.collect();
        Self { decoded, lines }
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

    /// Bytes it holds, nearly.
    pub fn size(&self) -> usize {
        let Content::Marks(grids) = &self.decoded.content else { return 0 };
        grids.iter().map(SchoolGrid::size).chain(self.lines.iter().map(|of| of.compressed.len())).sum()
    }

    /// The file as it was. Fails where its bytes did not stay what they were.
    pub fn unpacked(self) -> std::io::Result<Decoded> {
        let Self { mut decoded, lines } = self;
        if let Content::Marks(grids) = &mut decoded.content {
            for (grid, Lines { weeks, compressed }) in grids.iter_mut().zip(lines) {
                let size = weeks.iter().map(|(_, lines)| lines * SESSIONS_A_WEEK).sum();
                let boxes = lz4_flex::block::decompress(&compressed, size).map_err(std::io::Error::other)?;
                let mut rest = boxes.as_chunks().0.iter().copied();
                let weeks = weeks.into_iter().map(|(monday, lines)| (monday, rest.by_ref().take(lines).collect()));
                grid.give_lines(weeks.collect());
            }
        }
        Ok(decoded)
    }
}
