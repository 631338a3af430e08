//! Says what to do when the style sheet that travels inside the binary has not been fetched.

use std::path::Path;

fn main() {
    let style = "web/node_modules/govuk-frontend/dist/govuk/govuk-frontend.min.css";
    println!("cargo::rerun-if-changed={style}");
    println!("cargo::rerun-if-changed=build.rs");
    if !Path::new(style).is_file() {
        println!(
            "cargo::error=crates/serve/{style} is missing. Run `npm ci --omit=dev` in crates/serve/web, \
             or infra/demo or infra/check, which do it."
        );
    }
}
