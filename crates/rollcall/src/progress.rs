//! Progress on long work, on the terminal only.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that is drawn where someone looks.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar; hidden for machines and where there is no terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg:>12} {bar:40} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl crate::ingest::Progress for Bar {
    fn step(&self, stage: &'static str, done: u64, of: u64) {
        self.0.set_message(stage);
        self.0.set_length(of);
        self.0.set_position(done);
    }
}
