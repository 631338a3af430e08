//! Landing: the bytes as they came, by their content, and one receipt an arrival.
//!
//! Receipts are numbered from 1 and each holds the SHA-256 of the one before, so a receipt that was
//! altered, added or taken out between two others shows. A file that no receipt names was not received.

use std::io::{Read, Seek};
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
/// The path is the content's hash, so a file is read twice: once to name it, once to copy it; the second
/// time from memory, where the system keeps what it has just read. Neither time is it held as a whole.
pub async fn land(
    lake: &Lake,
    source: &str,
    received_at: DateTime<Utc>,
    name: &str,
    from: &FilePath,
) -> Result<ReceiptFile, LakeError> {
    let unreadable = |source| LakeError::Input { path: from.display().to_string(), source };
    let mut chunk = vec![0u8; 256 * 1024];
    let mut input = std::fs::File::open(from).map_err(unreadable)?;
    let (mut hash, mut total) = (Sha256::new(), 0u64);
    loop {
        match input.read(&mut chunk).map_err(unreadable)? {
            0 => break,
            n => {
                hash.update(&chunk[..n]);
                total += n as u64;
            }
        }
    }
    let file = ReceiptFile { name: name.to_owned(), sha256: hex(&hash.finalize()), bytes: total };
    let place = path::landed(source, received_at.date_naive(), &file.sha256);
    if let Some(disk) = lake.on_disk(&place) {
        // The disk copies by itself; the name appears once every byte is there.
        let unwritable = |source| LakeError::Input { path: place.to_string(), source };
        let folder = disk.parent().unwrap_or(&disk);
        std::fs::create_dir_all(folder).map_err(unwritable)?;
        let partial = folder.join(format!(".{}.{}", file.sha256, uuid::Uuid::new_v4()));
        let copied = std::fs::copy(from, &partial).map_err(unwritable)?;
        if copied != total {
            let changed = std::io::Error::other("it changed while it was being taken in; take it in again");
            return Err(unreadable(changed));
        }
        std::fs::rename(&partial, &disk).map_err(unwritable)?;
        return Ok(file);
    }
    let upload = lake.store().put_multipart_opts(&place, Default::default()).await.map_err(at(&place))?;
    let mut upload = WriteMultipart::new(upload);
    input.rewind().map_err(unreadable)?;
    loop {
        let n = input.read(&mut chunk).map_err(unreadable)?;
        if n == 0 {
            break;
        }
        upload.wait_for_capacity(2).await.map_err(at(&place))?;
        upload.write(&chunk[..n]);
    }
    upload.finish().await.map_err(at(&place))?;
    Ok(file)
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
        for file in receipt.files.iter().filter(|_| deep) {
            let place = path::landed(&receipt.source, receipt.received_at.date_naive(), &file.sha256);
            let found = hex(&Sha256::digest(lake.read_existing(&place).await?));
            if found != file.sha256 {
                return Err(LakeError::Damaged {
                    path: place.to_string(),
                    reason: "its bytes have changed".to_owned(),
                });
            }
        }
        previous = hex(&Sha256::digest(&bytes));
    }
    Ok(last)
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
