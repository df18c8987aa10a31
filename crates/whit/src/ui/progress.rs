//! What is going on, on stderr.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use whit_core::progress::Progress;
use whit_oci::Meter;

use super::report::{bytes, seconds};

/// Bytes without a terminal get a line of their own this often.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// A spinner or bar on a terminal; a line per phase elsewhere, and one every
/// other second where bytes are counted; nothing with `--quiet`. Bytes are not
/// told with `--json` either.
pub struct Screen {
    mode: Mode,
    /// Bytes are counted.
    counts: bool,
    current: Arc<Mutex<Current>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Quiet,
    Lines,
    Terminal,
}

/// The phase that goes on.
struct Current {
    bar: ProgressBar,
    began: Instant,
    total: Option<u64>,
    done: u64,
    /// When the last line was printed.
    line: Instant,
}

impl Screen {
    pub fn new(quiet: bool, json: bool) -> Self {
        let mode = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Terminal,
            (false, false) => Mode::Lines,
        };
        let now = Instant::now();
        Self {
            mode,
            counts: mode != Mode::Quiet && !json,
            current: Arc::new(Mutex::new(Current {
                bar: ProgressBar::hidden(),
                began: now,
                total: None,
                done: 0,
                line: now,
            })),
        }
    }

    /// Counts the bytes of the phase that goes on.
    pub fn meter(&self) -> Meter {
        if !self.counts {
            return Meter::default();
        }
        let (mode, current) = (self.mode, Arc::clone(&self.current));
        Meter::new(move |bytes| lock(&current).advance(mode, bytes))
    }

    /// Takes the bar away, so that results stand alone.
    pub fn clear(&self) {
        lock(&self.current).bar.finish_and_clear();
    }
}

impl Progress for Screen {
    fn phase(&self, name: &str, total: Option<u64>) {
        let mut current = lock(&self.current);
        current.began = Instant::now();
        current.line = current.began;
        current.total = total.filter(|_| self.counts);
        current.done = 0;
        match self.mode {
            Mode::Quiet => {}
            Mode::Lines => anstream::eprintln!("{name}"),
            Mode::Terminal => {
                current.bar.finish_and_clear();
                current.bar = match current.total {
                    Some(total) => ProgressBar::new(total).with_style(style(
                        "{spinner} {msg} {bar:30} {decimal_bytes} of {decimal_total_bytes}, \
                         {decimal_bytes_per_sec}",
                    )),
                    None => {
                        ProgressBar::new_spinner().with_style(style("{spinner} {msg} {elapsed}"))
                    }
                };
                current.bar.set_message(name.to_owned());
                current.bar.enable_steady_tick(Duration::from_millis(100));
            }
        }
    }

    fn advance(&self, n: u64) {
        if self.counts {
            lock(&self.current).advance(self.mode, n);
        }
    }

    fn note(&self, text: &str) {
        match self.mode {
            Mode::Quiet => {}
            Mode::Lines => anstream::eprintln!("  {text}"),
            Mode::Terminal => lock(&self.current)
                .bar
                .suspend(|| anstream::eprintln!("  {text}")),
        }
    }
}

impl Current {
    fn advance(&mut self, mode: Mode, bytes: u64) {
        let first = self.done == 0;
        self.done += bytes;
        match mode {
            Mode::Quiet => {}
            Mode::Terminal => {
                if first && self.total.is_none() {
                    self.bar.set_style(style(
                        "{spinner} {msg} {elapsed}, {decimal_bytes}, {decimal_bytes_per_sec}",
                    ));
                }
                self.bar.inc(bytes);
            }
            Mode::Lines if self.line.elapsed() >= LINE_EVERY => {
                self.line = Instant::now();
                let line = so_far(self.done, self.total, self.began.elapsed());
                anstream::eprintln!("  {line}");
            }
            Mode::Lines => {}
        }
    }
}

/// `12.0 MB of 98.2 MB in 2.0 s, 6.0 MB per second`
fn so_far(done: u64, total: Option<u64>, time: Duration) -> String {
    let of = match total {
        Some(total) => format!(" of {}", bytes(total)),
        None => String::new(),
    };
    let rate = done as f64 / time.as_secs_f64().max(0.001);
    format!(
        "{}{of} in {}, {} per second",
        bytes(done),
        seconds(time.as_secs_f64()),
        bytes(rate as u64)
    )
}

/// A poisoned bar is still a bar.
fn lock(current: &Mutex<Current>) -> MutexGuard<'_, Current> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_told_with_its_rate() {
        let two = Duration::from_secs(2);
        assert_eq!(
            so_far(12_000_000, Some(98_200_000), two),
            "12.0 MB of 98.2 MB in 2.0 s, 6.0 MB per second"
        );
        assert_eq!(
            so_far(500, None, Duration::ZERO),
            "500 B in 0 ms, 500.0 kB per second"
        );
    }
}
