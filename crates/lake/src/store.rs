//! The lake itself: one object store, whatever it is made of.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;

use crate::error::{LakeError, at};

/// An opened lake. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    url: Url,
}

/// Whether a folder holds nothing that is not hidden, or something of a lake's.
fn is_a_lake_or_empty(folder: &std::path::Path) -> std::io::Result<bool> {
    let mut is_empty = true;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if ["landing", "runs", "tables"].contains(&name.as_ref()) {
            return Ok(true);
        }
        is_empty &= name.starts_with('.');
    }
    Ok(is_empty)
}

/// Writes out all that a folder's file system still holds in memory.
#[cfg(target_os = "linux")]
fn flush(folder: &std::fs::File) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

#[cfg(not(target_os = "linux"))]
fn flush(_: &std::fs::File) -> std::io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

impl Lake {
    /// Opens a lake by its address; a local folder is made where it is missing.
    pub fn make(address: &str) -> Result<Self, LakeError> {
        if let Some(folder) = Url::parse(address).ok().and_then(|url| url.to_file_path().ok()) {
            let refuse = |e: std::io::Error| LakeError::Address { url: address.to_owned(), reason: e.to_string() };
            std::fs::create_dir_all(&folder).map_err(refuse)?;
        }
        Self::open(address)
    }

    /// Opens a lake by its address. A local folder must be there: a lake that is misspelt is not a new one.
    pub fn open(address: &str) -> Result<Self, LakeError> {
        let refuse = |reason: String| LakeError::Address { url: address.to_owned(), reason };
        let mut url = Url::parse(address).map_err(|e| refuse(e.to_string()))?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        if url.scheme() == "file" {
            let folder = url.to_file_path().map_err(|()| refuse("not a local path".to_owned()))?;
            if !folder.is_dir() {
                return Err(refuse("no such folder; correct `lake`, or make the folder if the lake is new".to_owned()));
            }
            if !is_a_lake_or_empty(&folder).map_err(|e| refuse(e.to_string()))? {
                return Err(refuse("the folder holds other things and no lake; correct `lake`".to_owned()));
            }
            let store =
                object_store::local::LocalFileSystem::new_with_prefix(&folder).map_err(|e| refuse(e.to_string()))?;
            return Ok(Self { store: Arc::new(store), url });
        }
        let environment = std::env::vars().map(|(k, v)| (k.to_ascii_lowercase(), v));
        let (store, prefix) = object_store::parse_url_opts(&url, environment).map_err(|e| refuse(e.to_string()))?;
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)), url })
    }

    /// A lake over any store (tests wrap one that fails).
    pub fn over(store: Arc<dyn ObjectStore>, url: Url) -> Self {
        Self { store, url }
    }

    /// The store, rooted at the lake.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// The address, ending in `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where a path lies on this machine's disk; none where the lake is elsewhere.
    pub fn on_disk(&self, path: &Path) -> Option<std::path::PathBuf> {
        let root = (self.url.scheme() == "file").then(|| self.url.to_file_path().ok())??;
        Some(path.parts().fold(root, |at, part| at.join(part.as_ref())))
    }

    /// Waits until a power cut can take away nothing that has been written so far. A store that is not a disk of this
    /// machine promises as much of every write.
    pub async fn settle(&self) -> Result<(), LakeError> {
        let Some(root) = self.on_disk(&Path::default()) else { return Ok(()) };
        let fault = |source| LakeError::Output { path: root.display().to_string(), source };
        let folder = std::fs::File::open(&root).map_err(fault)?;
        match tokio::task::spawn_blocking(move || flush(&folder)).await {
            Ok(settled) => settled.map_err(fault),
            Err(e) => Err(LakeError::stopped("the lake", &e)),
        }
    }

    /// All bytes at a path; none where nothing is there.
    pub async fn read(&self, path: &Path) -> Result<Option<Bytes>, LakeError> {
        match self.store.get(path).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(at(path))?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(at(path)(e)),
        }
    }

    /// All bytes at a path that must be there.
    pub async fn read_existing(&self, path: &Path) -> Result<Bytes, LakeError> {
        self.store.get(path).await.map_err(at(path))?.bytes().await.map_err(at(path))
    }

    /// Puts bytes, whatever was there. For content-addressed paths only.
    pub async fn put(&self, path: &Path, bytes: Bytes) -> Result<(), LakeError> {
        self.store.put(path, bytes.into()).await.map_err(at(path))?;
        Ok(())
    }

    /// Puts bytes where nothing is yet; `false` where another was first.
    pub async fn put_new(&self, path: &Path, bytes: Bytes) -> Result<bool, LakeError> {
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(path, bytes.into(), create).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(e) => Err(at(path)(e)),
        }
    }

    /// What lies below a path.
    pub async fn list(&self, below: &Path) -> Result<Vec<ObjectMeta>, LakeError> {
        use futures::TryStreamExt;
        self.store.list(Some(below)).try_collect().await.map_err(at(below))
    }

    /// Takes away what lies beside a path, but for the newest few. For what can be made again only.
    pub async fn forget_older(&self, path: &Path, few: usize) -> Result<(), LakeError> {
        let parts: Vec<_> = path.parts().collect();
        let folder = Path::from_iter(parts.iter().take(parts.len().saturating_sub(1)).cloned());
        let mut beside = self.list(&folder).await?;
        if beside.len() <= few {
            return Ok(());
        }
        beside.sort_by(|a, b| (b.last_modified, &b.location).cmp(&(a.last_modified, &a.location)));
        let older = beside.into_iter().skip(few).map(|entry| entry.location).filter(|other| other != path);
        self.take_away(&folder, older).await
    }

    /// Where data files of the ledger are, whether or not a run names them.
    pub async fn data_files(&self) -> Result<HashSet<Path>, LakeError> {
        Ok(self.list(&crate::path::tables()).await?.into_iter().map(|entry| entry.location).collect())
    }

    /// Takes files away from below a path; one that is gone already is no fault.
    pub(crate) async fn take_away(&self, below: &Path, paths: impl IntoIterator<Item = Path>) -> Result<(), LakeError> {
        use futures::StreamExt;
        let paths: Vec<_> = paths.into_iter().map(Ok).collect();
        let mut taken_away = self.store.delete_stream(futures::stream::iter(paths).boxed());
        while let Some(done) = taken_away.next().await {
            match done {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(at(below)(e)),
            }
        }
        Ok(())
    }

    /// The highest number among the `<number>.json` files below a path; 0 where there is none.
    pub async fn highest(&self, below: &Path) -> Result<u64, LakeError> {
        let numbers = self.list(below).await?;
        Ok(numbers.iter().filter_map(|entry| crate::path::number(&entry.location)).max().unwrap_or(0))
    }
}
