//! The progress of a run over files, on a terminal.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};
use leitmotif::source::Progress;

/// Drawn on stderr, or nothing at all.
pub struct Bar(Option<ProgressBar>);

impl Bar {
    /// A bar when it is known how much there is, someone is looking, and no rows are written to the same screen.
    pub fn new(progress: Option<Progress>, rows_on_terminal: bool) -> Bar {
        let total = progress.map_or(0, |progress| progress.total);
        if total == 0 || rows_on_terminal || !std::io::stderr().is_terminal() {
            return Bar(None);
        }
        let bar = ProgressBar::new(total);
        let style = ProgressStyle::with_template(
            "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left",
        );
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Bar(Some(bar))
    }

    /// Draws, at most a few times a second.
    pub fn at(&self, progress: Option<Progress>) {
        if let (Some(bar), Some(progress)) = (&self.0, progress) {
            bar.set_position(progress.done);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
