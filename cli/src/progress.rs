//! A progress bar over all runs of an experiment; only on a terminal.

use ::scenarios::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Mutex;

/// Steps of the bar for one run.
const STEPS: u32 = 100;

/// A bar that many threads move.
pub(crate) struct Bar {
    bar: ProgressBar,
    /// Steps that each run has told of.
    told: Mutex<Vec<u64>>,
}

impl Bar {
    /// A bar over `jobs` runs, drawn on standard error if that is a terminal.
    pub(crate) fn new(jobs: usize) -> Self {
        let length = u64::from(STEPS) * jobs as u64;
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let style = "{bar:40.cyan/blue} {percent:>3} %  {elapsed} gone, {eta} to go  {msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("a fixed template"));
        Self { bar, told: Mutex::new(vec![0; jobs]) }
    }

    /// Moves on.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    pub(crate) fn tell(&self, progress: Progress<'_>) {
        let now = (progress.fraction * f64::from(STEPS)) as u64;
        // A poisoned lock means that a run panicked: the bar is the least of the troubles.
        let Ok(mut told) = self.told.lock() else { return };
        let before = std::mem::replace(&mut told[progress.job], now);
        self.bar.inc(now.saturating_sub(before));
        self.bar.set_message(format!("{} run {}", progress.stack, progress.run));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
