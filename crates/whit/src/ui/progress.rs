//! What is going on, on stderr.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use whit_core::progress::Progress;

/// A spinner or bar on a terminal; a line per phase elsewhere; nothing with
/// `--quiet`.
pub struct Screen {
    mode: Mode,
    bar: Mutex<ProgressBar>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Quiet,
    Lines,
    Terminal,
}

impl Screen {
    pub fn new(quiet: bool) -> Self {
        let mode = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Terminal,
            (false, false) => Mode::Lines,
        };
        Self {
            mode,
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }

    /// Takes the bar away, so that results stand alone.
    pub fn clear(&self) {
        self.with_bar(|bar| bar.finish_and_clear());
    }

    fn with_bar(&self, f: impl FnOnce(&mut ProgressBar)) {
        // A poisoned bar is still a bar.
        f(&mut self.bar.lock().unwrap_or_else(|poison| poison.into_inner()));
    }
}

impl Progress for Screen {
    fn phase(&self, name: &str, total: Option<u64>) {
        match self.mode {
            Mode::Quiet => {}
            Mode::Lines => anstream::eprintln!("{name}"),
            Mode::Terminal => self.with_bar(|bar| {
                bar.finish_and_clear();
                *bar = match total {
                    Some(total) => ProgressBar::new(total)
                        .with_style(style("{spinner} {msg} {bar:30} {bytes} of {total_bytes}")),
                    None => {
                        ProgressBar::new_spinner().with_style(style("{spinner} {msg} {elapsed}"))
                    }
                };
                bar.set_message(name.to_owned());
                bar.enable_steady_tick(Duration::from_millis(100));
            }),
        }
    }

    fn advance(&self, n: u64) {
        if self.mode == Mode::Terminal {
            self.with_bar(|bar| bar.inc(n));
        }
    }

    fn note(&self, text: &str) {
        match self.mode {
            Mode::Quiet => {}
            Mode::Lines => anstream::eprintln!("  {text}"),
            Mode::Terminal => self.with_bar(|bar| bar.suspend(|| anstream::eprintln!("  {text}"))),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
