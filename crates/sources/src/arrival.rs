//! What one `ingest` was given: files and folders, as the files of one arrival in order of name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file to take in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offered {
    /// Its name below the path given.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// All files below the paths, in order of name. Hidden files are left alone.
pub fn offered(paths: &[PathBuf]) -> std::io::Result<Vec<Offered>> {
    let mut found = Vec::new();
    for path in paths {
        let named = |e: std::io::Error| std::io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let metadata = std::fs::metadata(path).map_err(named)?;
        if metadata.is_dir() {
            walk(path, path, &mut found).map_err(named)?;
        } else if metadata.is_file() {
            found.push(Offered { name: name_of(path.file_name().map(Path::new).unwrap_or(path)), path: path.clone() });
        } else {
            return Err(named(not_taken("it is neither a file nor a folder")));
        }
    }
    found.sort();
    // One that is named twice comes once.
    let mut met = BTreeSet::new();
    found.retain(|file| met.insert(file.path.canonicalize().unwrap_or_else(|_| file.path.clone())));
    Ok(found)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Offered>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else if std::fs::metadata(&path)?.is_file() {
            found.push(Offered { name: name_of(path.strip_prefix(root).unwrap_or(&path)), path });
        } else if std::fs::metadata(&path)?.is_dir() {
            // Following it might never end; passing it over would lose what lies there.
            return Err(not_taken(&format!("{} is a link to a folder; name that folder itself", path.display())));
        }
    }
    Ok(())
}

/// A file's name as it is kept and shown: a UPN in it is a child's.
fn name_of(path: &Path) -> String {
    model::id::without_upns(&path.to_string_lossy())
}

fn not_taken(why: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidInput, why)
}
