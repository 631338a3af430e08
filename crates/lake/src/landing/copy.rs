//! A copy of a file on this machine's disk, written as the file is read.
//!
//! A year of returns is gigabytes that nobody reads again soon. A large copy goes past the page cache, so that it
//! neither takes memory from the work nor waits for the kernel to find some; a small one, or one on a file system
//! that will not have it, is written as usual.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes written at a time.
const CHUNK: usize = 1024 * 1024;
/// What places and lengths of direct writes must be multiples of, on every disk there is.
const ALIGNED: usize = 4096;

thread_local! {
    /// The buffer of the copy before, on this thread.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A file that is not all there; it goes with its owner unless it has been given its name.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A copy in the making.
pub(super) struct Copying {
    partial: Partial,
    file: File,
    direct: Option<Direct>,
}

/// Bytes that wait for a whole chunk, at an aligned place.
struct Direct {
    buffer: Vec<u8>,
    begins: usize,
    filled: usize,
}

impl Drop for Direct {
    fn drop(&mut self) {
        SPARE.set(std::mem::take(&mut self.buffer));
    }
}

impl Direct {
    fn new() -> Self {
        let mut buffer = SPARE.take();
        buffer.resize(CHUNK + ALIGNED, 0);
        let begins = buffer.as_ptr().align_offset(ALIGNED);
        Self { buffer, begins, filled: 0 }
    }

    fn waiting(&self) -> &[u8] {
        &self.buffer[self.begins..self.begins + self.filled]
    }
}

impl Copying {
    /// Begins a copy of a file of about so many bytes beside where it will stand.
    pub(super) fn begin(folder: &Path, bytes: u64) -> std::io::Result<Self> {
        let partial = Partial(folder.join(format!(".{}", uuid::Uuid::new_v4())));
        if CHUNK as u64 <= bytes
            && let Some(file) = past_the_cache(&partial.0)
        {
            return Ok(Self { partial, file, direct: Some(Direct::new()) });
        }
        let file = File::options().write(true).create(true).truncate(true).open(&partial.0)?;
        Ok(Self { partial, file, direct: None })
    }

    /// Writes what comes next.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        while let (false, Some(direct)) = (bytes.is_empty(), &mut self.direct) {
            let n = bytes.len().min(CHUNK - direct.filled);
            let at = direct.begins + direct.filled;
            direct.buffer[at..at + n].copy_from_slice(&bytes[..n]);
            direct.filled += n;
            bytes = &bytes[n..];
            if direct.filled == CHUNK {
                self.flush(CHUNK)?;
            }
        }
        self.file.write_all(bytes)
    }

    /// Writes so many of the bytes that wait; the rest waits on.
    fn flush(&mut self, bytes: usize) -> std::io::Result<()> {
        let Some(direct) = &mut self.direct else { return Ok(()) };
        let written = self.file.write_all(&direct.waiting()[..bytes]);
        match written {
            Ok(()) => {
                let (from, to) = (direct.begins + bytes, direct.begins + direct.filled);
                direct.buffer.copy_within(from..to, direct.begins);
                direct.filled -= bytes;
                Ok(())
            }
            // A file system that takes the flag and not the writes: from here on as usual.
            Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => self.as_usual(),
            Err(e) => Err(e),
        }
    }

    /// Writes what waits through the page cache, and all that follows.
    fn as_usual(&mut self) -> std::io::Result<()> {
        if let Some(direct) = self.direct.take() {
            self.file = File::options().append(true).open(&self.partial.0)?;
            self.file.write_all(direct.waiting())?;
        }
        Ok(())
    }

    /// Writes the last bytes and gives the copy its name: it appears once every byte is there.
    pub(super) fn finish(mut self, name: &Path) -> std::io::Result<()> {
        if let Some(direct) = &self.direct {
            self.flush(direct.filled / ALIGNED * ALIGNED)?;
        }
        self.as_usual()?;
        std::fs::rename(&self.partial.0, name)
    }
}

/// A new file whose writes go past the page cache, where that can be had.
#[cfg(target_os = "linux")]
fn past_the_cache(path: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create_new(true).custom_flags(rustix::fs::OFlags::DIRECT.bits() as i32).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
fn past_the_cache(_: &Path) -> Option<File> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_any_length_in_pieces_of_any_length_is_the_file() {
        let folder = tempfile::tempdir().unwrap();
        for (bytes, piece) in [(0, 1), (5, 2), (CHUNK, CHUNK), (CHUNK + 1, 7777), (3 * CHUNK + 4097, 300_000)] {
            let whole: Vec<u8> = (0..bytes).map(|i| (i * 31 % 251) as u8).collect();
            let mut copy = Copying::begin(folder.path(), bytes as u64).unwrap();
            for piece in whole.chunks(piece) {
                copy.write(piece).unwrap();
            }
            let name = folder.path().join(bytes.to_string());
            copy.finish(&name).unwrap();
            assert_eq!(std::fs::read(&name).unwrap(), whole);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
    }

    #[test]
    fn a_copy_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut copy = Copying::begin(folder.path(), 2 * CHUNK as u64).unwrap();
        copy.write(&vec![1; CHUNK + 1]).unwrap();
        drop(copy);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
