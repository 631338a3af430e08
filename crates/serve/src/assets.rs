//! The files that pages need, inside the binary: GOV.UK Frontend's style sheet as `build.rs` readies it, ours,
//! and the icon. No typeface and no image of GOV.UK: those may be used on gov.uk only.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A file inside the binary.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its name below `/assets/`.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

static ASSETS: [Asset; 3] = [
    Asset {
        name: "govuk-frontend.min.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!(concat!(env!("OUT_DIR"), "/govuk-frontend.min.css")),
    },
    Asset { name: "rollcall.css", media_type: "text/css; charset=utf-8", bytes: include_bytes!("../web/rollcall.css") },
    Asset { name: "rollcall.svg", media_type: "image/svg+xml", bytes: include_bytes!("../web/rollcall.svg") },
];

/// The file of this name.
pub fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

impl Asset {
    /// A tag that changes with its content, as HTTP writes it.
    pub fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.bytes.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_and_has_its_own_tag() {
        let tags: Vec<_> = ASSETS.iter().map(|asset| find(asset.name).unwrap().etag()).collect();
        assert!(tags[0] != tags[1] && tags[1] != tags[2]);
        assert!(find("../Cargo.toml").is_none() && find("").is_none());
    }

    #[test]
    fn no_typeface_of_gov_uk_is_asked_for() {
        let govuk = std::str::from_utf8(find("govuk-frontend.min.css").unwrap().bytes).unwrap();
        assert!(govuk.len() > 100_000 && !govuk.contains("@font-face") && !govuk.contains("GDS Transport"));
    }

    #[test]
    fn our_own_style_asks_for_nothing_elsewhere() {
        let own = std::str::from_utf8(find("rollcall.css").unwrap().bytes).unwrap();
        assert!(!own.contains("url(") && !own.contains("@import"));
    }
}
