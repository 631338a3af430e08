//! Gives the source of what answers questions a name, so that a result that is kept is not taken up by a program that
//! would say something else.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let mut hash = DefaultHasher::new();
    // The lock names the version of the engine below.
    for place in ["src", "../lake/src", "../model/src", "../../Cargo.lock"] {
        println!("cargo::rerun-if-changed={place}");
        let mut files = BTreeSet::new();
        gather(Path::new(place), &mut files)?;
        for file in files {
            hash.write(&std::fs::read(file)?);
        }
    }
    println!("cargo::rustc-env=ENGINE_SOURCE={:016x}", hash.finish());
    Ok(())
}

fn gather(place: &Path, files: &mut BTreeSet<PathBuf>) -> std::io::Result<()> {
    if place.is_dir() {
        for entry in std::fs::read_dir(place)? {
            gather(&entry?.path(), files)?;
        }
    } else {
        files.insert(place.to_owned());
    }
    Ok(())
}
