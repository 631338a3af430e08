//! Landing: the bytes as they came, by their content, and one receipt an arrival.
//!
//! Receipts are numbered from 1 and each holds the SHA-256 of the one before, so a receipt that was
//! altered, added or taken out between two others shows. A file that no receipt names was not received.

mod copy;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path as FilePath, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, WriteMultipart};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::copy::Copying;
use crate::error::{LakeError, at};
use crate::path::hex;
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

impl ReceiptFile {
    /// Whether a file on disk has the bytes that landed.
    pub fn is_the_file(&self, path: &FilePath) -> Result<bool, LakeError> {
        let unreadable = |source| LakeError::Input { path: path.display().to_string(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() != self.bytes {
            return Ok(false);
        }
        Ok(hash_of(file).map_err(unreadable)? == self.sha256)
    }
}

/// The SHA-256 of a file, in hexadecimal. No more than a piece of it is held at a time.
fn hash_of(file: std::fs::File) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut std::io::BufReader::with_capacity(256 * 1024, file), &mut hash)?;
    Ok(hex(&hash.finalize()))
}

/// A file on its way into landing. Whoever reads it is given its bytes once they are hashed and copied, so that what
/// is made of a file meanwhile is made of what landed. Nothing is received until [`give_receipt`] names it.
///
/// The path is the content's hash. A disk takes the bytes under another name while they are hashed; elsewhere a file
/// is read twice, once to name it. Neither way is it held as a whole.
pub struct Landing {
    from: PathBuf,
    input: std::fs::File,
    hash: Sha256,
    bytes: u64,
    /// The copy, and the folder in which it will stand, where the lake is on a disk.
    copy: Option<(Copying, PathBuf)>,
    fault: Option<LakeError>,
}

impl Landing {
    /// Begins to land a file.
    pub fn begin(lake: &Lake, source: &str, received_at: DateTime<Utc>, from: &FilePath) -> Result<Self, LakeError> {
        let unreadable = |source| LakeError::Input { path: from.display().to_string(), source };
        let input = std::fs::File::open(from).map_err(unreadable)?;
        let bytes = input.metadata().map_err(unreadable)?.len();
        let copy = match lake.on_disk(&path::landed_on(source, received_at.date_naive())) {
            Some(folder) => {
                let unwritable = |source| LakeError::Output { path: folder.display().to_string(), source };
                std::fs::create_dir_all(&folder).map_err(unwritable)?;
                Some((Copying::begin(&folder, bytes).map_err(unwritable)?, folder))
            }
            None => None,
        };
        Ok(Self { from: from.to_owned(), input, hash: Sha256::new(), bytes: 0, copy, fault: None })
    }

    /// Takes what has not been read yet. On a disk the copy is there afterwards; elsewhere [`upload`] follows.
    pub fn finish(mut self, name: &str) -> Result<ReceiptFile, LakeError> {
        let mut chunk = vec![0; 256 * 1024];
        loop {
            match self.read(&mut chunk) {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let file = ReceiptFile { name: name.to_owned(), sha256: hex(&self.hash.finalize()), bytes: self.bytes };
        if let Some((copy, folder)) = self.copy {
            let unwritable = |source| LakeError::Output { path: folder.display().to_string(), source };
            copy.finish(&folder.join(&file.sha256)).map_err(unwritable)?;
        }
        Ok(file)
    }
}

impl Read for Landing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.fault.is_some() {
            return Err(std::io::Error::other("it could not be landed"));
        }
        let n = match self.input.read(buffer) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => return Err(e),
            Err(source) => {
                self.fault = Some(LakeError::Input { path: self.from.display().to_string(), source });
                return Err(std::io::Error::other("it could not be read"));
            }
            Ok(n) => n,
        };
        self.hash.update(&buffer[..n]);
        self.bytes += n as u64;
        if let Some((copy, folder)) = &mut self.copy
            && let Err(source) = copy.write(&buffer[..n])
        {
            self.fault = Some(LakeError::Output { path: folder.display().to_string(), source });
            return Err(std::io::Error::other("it could not be landed"));
        }
        Ok(n)
    }
}

/// Puts a file that has been named into a landing that is not on a disk.
pub async fn upload(
    lake: &Lake,
    source: &str,
    received_at: DateTime<Utc>,
    file: &ReceiptFile,
    from: &FilePath,
) -> Result<(), LakeError> {
    let unreadable = |source| LakeError::Input { path: from.display().to_string(), source };
    let place = path::landed(source, received_at.date_naive(), &file.sha256);
    let upload = lake.store().put_multipart_opts(&place, Default::default()).await.map_err(at(&place))?;
    let mut upload = WriteMultipart::new(upload);
    let mut input = std::fs::File::open(from).map_err(unreadable)?;
    let (mut chunk, mut hash) = (vec![0; 256 * 1024], Sha256::new());
    loop {
        let n = input.read(&mut chunk).map_err(unreadable)?;
        if n == 0 {
            break;
        }
        hash.update(&chunk[..n]);
        upload.wait_for_capacity(2).await.map_err(at(&place))?;
        upload.write(&chunk[..n]);
    }
    if hex(&hash.finalize()) != file.sha256 {
        upload.abort().await.map_err(at(&place))?;
        return Err(unreadable(std::io::Error::other("it changed while it was being taken in; take it in again")));
    }
    upload.finish().await.map_err(at(&place))?;
    Ok(())
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

/// Why an arrival is passed over. Its receipt and its bytes stay where they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetAside {
    /// Number of the arrival.
    pub n: u64,
    /// Why, in the words of whoever set it aside.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Says of an arrival that it is to be passed over. What was said first stands.
pub async fn set_aside(lake: &Lake, aside: &SetAside) -> Result<(), LakeError> {
    let bytes = Bytes::from(serde_json::to_vec_pretty(aside).unwrap_or_default());
    lake.put_new(&path::set_aside_of(aside.n), bytes).await?;
    Ok(())
}

/// The arrivals that are to be passed over.
pub async fn all_set_aside(lake: &Lake) -> Result<BTreeSet<u64>, LakeError> {
    Ok(lake.list(&path::set_aside()).await?.iter().filter_map(|entry| path::number(&entry.location)).collect())
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
        if hash_of_landed(lake, &place).await? != file.sha256 {
            let reason = "its bytes are not those that landed; put them back from a copy".to_owned();
            return Err(LakeError::Damaged { path: place.to_string(), reason });
        }
    }
    Ok(())
}

/// The same of what has landed, wherever the lake is.
async fn hash_of_landed(lake: &Lake, place: &Path) -> Result<String, LakeError> {
    if let Some(disk) = lake.on_disk(place) {
        let unreadable = |source| LakeError::Input { path: disk.display().to_string(), source };
        let file = std::fs::File::open(&disk).map_err(unreadable)?;
        let hashed = tokio::task::spawn_blocking(move || hash_of(file)).await;
        return hashed.map_err(|e| LakeError::stopped("landing", &e))?.map_err(unreadable);
    }
    let mut pieces = lake.store().get(place).await.map_err(at(place))?.into_stream();
    let mut hash = Sha256::new();
    while let Some(piece) = pieces.try_next().await.map_err(at(place))? {
        hash.update(&piece);
    }
    Ok(hex(&hash.finalize()))
}
