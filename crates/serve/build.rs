//! Readies GOV.UK Frontend's style sheet to travel inside the binary, without GOV.UK's typeface, which may be
//! used on gov.uk only; and says what to do when it has not been fetched.

use std::path::Path;
use std::{env, fs};

const STYLE: &str = "web/node_modules/govuk-frontend/dist/govuk/govuk-frontend.min.css";
const TYPEFACE: &str = "GDS Transport";

fn main() {
    println!("cargo::rerun-if-changed={STYLE}");
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(why) = ready() {
        println!("cargo::error={why}");
    }
}

fn ready() -> Result<(), String> {
    let style = fs::read_to_string(STYLE).map_err(|why| {
        format!(
            "crates/serve/{STYLE}: {why}. Run `npm ci` in crates/serve/web, or infra/demo or infra/check, \
             which do it."
        )
    })?;
    let style = without_typeface(&style)?;
    let to = env::var_os("OUT_DIR").ok_or("cargo says no OUT_DIR")?;
    let to = Path::new(&to).join("govuk-frontend.min.css");
    fs::write(&to, style).map_err(|why| format!("{}: {why}", to.display()))
}

/// Takes out each `@font-face` of the typeface and names Arial wherever it was asked for.
fn without_typeface(style: &str) -> Result<String, String> {
    let mut pieces = style.split("@font-face{");
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (face, rest) = piece.split_once('}').ok_or_else(|| format!("{STYLE}: a @font-face that does not end"))?;
        if !face.contains(TYPEFACE) {
            return Err(format!("{STYLE}: a @font-face of another typeface: {face}"));
        }
        kept.push_str(rest);
    }
    let kept = kept.replace(&format!("{TYPEFACE},arial,"), "Arial,Helvetica,");
    if kept.contains(TYPEFACE) {
        return Err(format!("{STYLE} names {TYPEFACE} in a way that build.rs does not know: look at it"));
    }
    Ok(kept)
}
