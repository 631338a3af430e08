//! Landing: the bytes as they came, by their content, and one receipt an arrival.
//!
//! Receipts are numbered from 1 and each holds the SHA-256 of the one before, so a receipt that was
//! altered, added or taken out between two others shows. A file that no receipt names was not received.

use std::io::{Read, Write};
use std::path::Path as FilePath;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::WriteMultipart;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{LakeError, at};
use crate::{Lake, path};

/// What one arrival brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Number of the arrival, from 1.
    pub n: u64,
    /// Which configured source it came from.
    pub source: String,
    /// When the authority had it.
    pub received_at: DateTime<Utc>,
    /// The files, in order of name.
    pub files: Vec<ReceiptFile>,
    /// SHA-256 of the receipt before, empty for the first.
    pub previous: String,
}

/// One file of an arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptFile {
    /// Its name below the arrival's folder.
    pub name: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Copies one file into landing. Nothing is received until [`give_receipt`] names it.
///
/// The path is the content's hash. A disk takes the bytes under another name while they are hashed, so what is
/// kept is what was hashed; elsewhere a file is read twice, once to name it. Neither way is it held as a whole.
pub async fn land(
    lake: &Lake,
    source: &str,
    received_at: DateTime<Utc>,
    name: &str,
    from: &FilePath,
) -> Result<ReceiptFile, LakeError> {
    let day = received_at.date_naive();
    let mut input = Hashing::open(from)?;
    if let Some(folder) = lake.on_disk(&path::landed_on(source, day)) {
        let unwritable = |source| LakeError::Input { path: folder.display().to_string(), source };
        std::fs::create_dir_all(&folder).map_err(unwritable)?;
        let partial = Partial(folder.join(format!(".{}", uuid::Uuid::new_v4())));
        let mut copy = std::fs::File::create_new(&partial.0).map_err(unwritable)?;
        while let Some(chunk) = input.next()? {
            copy.write_all(chunk).map_err(unwritable)?;
        }
        let file = input.named(name);
        // The name appears once every byte is there.
        std::fs::rename(&partial.0, folder.join(&file.sha256)).map_err(unwritable)?;
        return Ok(file);
    }
    while input.next()?.is_some() {}
    let file = input.named(name);
    let place = path::landed(source, day, &file.sha256);
    let upload = lake.store().put_multipart_opts(&place, Default::default()).await.map_err(at(&place))?;
    let mut upload = WriteMultipart::new(upload);
    let mut input = Hashing::open(from)?;
    while let Some(chunk) = input.next()? {
        upload.wait_for_capacity(2).await.map_err(at(&place))?;
        upload.write(chunk);
    }
    if input.named(name) != file {
        upload.abort().await.map_err(at(&place))?;
        let source = std::io::Error::other("it changed while it was being taken in; take it in again");
        return Err(LakeError::Input { path: from.display().to_string(), source });
    }
    upload.finish().await.map_err(at(&place))?;
    Ok(file)
}

/// A file read in chunks that are hashed as they pass.
struct Hashing<'a> {
    path: &'a FilePath,
    input: std::fs::File,
    chunk: Vec<u8>,
    hash: Sha256,
    bytes: u64,
}

impl<'a> Hashing<'a> {
    fn open(path: &'a FilePath) -> Result<Self, LakeError> {
        let unreadable = |source| LakeError::Input { path: path.display().to_string(), source };
        let input = std::fs::File::open(path).map_err(unreadable)?;
        Ok(Self { path, input, chunk: vec![0; 256 * 1024], hash: Sha256::new(), bytes: 0 })
    }

    fn next(&mut self) -> Result<Option<&[u8]>, LakeError> {
        let read = self.input.read(&mut self.chunk);
        let n = read.map_err(|source| LakeError::Input { path: self.path.display().to_string(), source })?;
        self.hash.update(&self.chunk[..n]);
        self.bytes += n as u64;
        Ok((0 < n).then_some(&self.chunk[..n]))
    }

    fn named(self, name: &str) -> ReceiptFile {
        ReceiptFile { name: name.to_owned(), sha256: hex(&self.hash.finalize()), bytes: self.bytes }
    }
}

/// A file that is not all there; it goes with its owner unless it has been given its name.
struct Partial(std::path::PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Puts the receipt of an arrival whose files have all landed. From here on it was received.
pub async fn give_receipt(
    lake: &Lake,
    source: &str,
    received_at: DateTime<Utc>,
    files: Vec<ReceiptFile>,
) -> Result<Receipt, LakeError> {
    let mut n = lake.highest(&path::receipts()).await? + 1;
    loop {
        let previous = match n {
            1 => String::new(),
            _ => hex(&Sha256::digest(lake.read_existing(&path::receipt(n - 1)).await?)),
        };
        let receipt = Receipt { n, source: source.to_owned(), received_at, files: files.clone(), previous };
        let bytes = Bytes::from(serde_json::to_vec_pretty(&receipt).unwrap_or_default());
        if lake.put_new(&path::receipt(n), bytes).await? {
            return Ok(receipt);
        }
        n += 1;
    }
}

/// The receipt of arrival n.
pub async fn receipt(lake: &Lake, n: u64) -> Result<Receipt, LakeError> {
    let place = path::receipt(n);
    let bytes = lake.read_existing(&place).await?;
    serde_json::from_slice(&bytes).map_err(|e| LakeError::Damaged { path: place.to_string(), reason: e.to_string() })
}

/// How many arrivals have a receipt.
pub async fn arrivals(lake: &Lake) -> Result<u64, LakeError> {
    lake.highest(&path::receipts()).await
}

/// Walks the chain of receipts, and the bytes they name where `deep`; the first fault is an error.
pub async fn verify(lake: &Lake, deep: bool) -> Result<u64, LakeError> {
    let last = arrivals(lake).await?;
    let mut previous = String::new();
    for n in 1..=last {
        let place = path::receipt(n);
        let damaged = |reason: String| LakeError::Damaged { path: place.to_string(), reason };
        let bytes = lake.read_existing(&place).await?;
        let receipt: Receipt = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if receipt.previous != previous || receipt.n != n {
            return Err(damaged("it does not name the receipt before it".to_owned()));
        }
        if deep {
            verify_files(lake, &receipt).await?;
        }
        previous = hex(&Sha256::digest(&bytes));
    }
    Ok(last)
}

/// Whether the bytes that a receipt names are those that landed; the first that are not is an error.
pub async fn verify_files(lake: &Lake, receipt: &Receipt) -> Result<(), LakeError> {
    for file in &receipt.files {
        let place = path::landed(&receipt.source, receipt.received_at.date_naive(), &file.sha256);
        if hex(&Sha256::digest(lake.read_existing(&place).await?)) != file.sha256 {
            let reason = "its bytes are not those that landed; put them back from a copy".to_owned();
            return Err(LakeError::Damaged { path: place.to_string(), reason });
        }
    }
    Ok(())
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
