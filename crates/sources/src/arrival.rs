//! What one `ingest` was given: files and folders, as the files of one arrival in order of name.

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
        if std::fs::metadata(path).map_err(named)?.is_dir() {
            walk(path, path, &mut found).map_err(named)?;
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push(Offered { name, path: path.clone() });
        }
    }
    found.sort();
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
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.push(Offered { name, path });
        }
    }
    Ok(())
}
