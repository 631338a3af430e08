//! What one `ingest` was given: files and folders, as the files of one arrival in order of name.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file to take in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offered {
    /// Its name below the path given.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// What lies below some paths.
#[derive(Debug, Default)]
pub struct Offer {
    /// Files to take in, in order of name.
    pub files: Vec<Offered>,
    /// What cannot be taken in, and why.
    pub faults: Vec<String>,
}

/// All files below the paths. Hidden files are left alone.
pub fn offered(paths: &[PathBuf]) -> Offer {
    let mut offer = Offer::default();
    for path in paths {
        offer.add(path, path);
    }
    offer.files.sort();
    offer.faults.sort();
    // One that is named twice comes once.
    let mut met = BTreeSet::new();
    offer.files.retain(|file| met.insert(file.path.canonicalize().unwrap_or_else(|_| file.path.clone())));
    offer
}

impl Offer {
    /// Adds a path and all that lies below it. One that cannot be taken keeps no other.
    fn add(&mut self, root: &Path, path: &Path) {
        if let Err(why) = self.try_add(root, path) {
            self.faults.push(model::id::without_upns(&format!("{}: {why}", path.display())));
        }
    }

    fn try_add(&mut self, root: &Path, path: &Path) -> std::io::Result<()> {
        let is_below = path != root;
        if is_below && std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            // Taken away since its folder was read.
            return Ok(());
        }
        let metadata = std::fs::metadata(path)?;
        if metadata.is_file() {
            // Whether it can be read shows before anything is landed.
            std::fs::File::open(path)?;
            let name = if is_below { path.strip_prefix(root).ok() } else { path.file_name().map(Path::new) };
            self.files.push(Offered { name: name_of(name.unwrap_or(path)), path: path.to_owned() });
        } else if metadata.is_dir() {
            if is_below && path.is_symlink() {
                // Following it might never end; passing it over would lose what lies there.
                return Err(std::io::Error::other("a link to a folder; name that folder itself"));
            }
            for entry in std::fs::read_dir(path)? {
                let entry = entry?;
                if !entry.file_name().to_string_lossy().starts_with('.') {
                    self.add(root, &entry.path());
                }
            }
        } else if !is_below {
            return Err(std::io::Error::other("it is neither a file nor a folder"));
        }
        Ok(())
    }
}

/// A file's name as it is kept and shown: a UPN in it is a child's.
fn name_of(path: &Path) -> String {
    model::id::without_upns(&path.to_string_lossy())
}
