//! How long whit waits when the network fails, and how often.

use std::thread;
use std::time::Duration;

use super::{Error, Result};

/// The pauses before the second, third, ... try.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(8),
];

/// The longest pause that a server can ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// The pauses that are left.
#[derive(Debug)]
pub(crate) struct Patience {
    pauses: std::slice::Iter<'static, Duration>,
}

impl Patience {
    pub fn new() -> Self {
        Self {
            pauses: PAUSES.iter(),
        }
    }

    /// For questions whose answer a person waits for.
    pub fn short() -> Self {
        Self {
            pauses: PAUSES[..2].iter(),
        }
    }

    /// How long to wait before the next try, where a server may have asked for
    /// more (`Retry-After`); `None` if there is to be no other try.
    pub fn pause(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let pause = *self.pauses.next()?;
        let asked = asked.unwrap_or_default();
        (asked <= LONGEST).then(|| pause.max(asked))
    }
}

/// Sleeps in short steps so that a cancellation is heard.
pub(crate) fn wait(pause: Duration, halted: &dyn Fn() -> bool) -> Result<()> {
    let step = Duration::from_millis(50);
    let mut left = pause;
    while !left.is_zero() {
        if halted() {
            return Err(Error::Cancelled);
        }
        let now = left.min(step);
        thread::sleep(now);
        left -= now;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_ask_for_more_but_not_for_ever() {
        let mut patience = Patience::short();
        assert_eq!(patience.pause(None), Some(PAUSES[0]));
        let asked = Some(Duration::from_secs(20));
        assert_eq!(patience.pause(asked), asked);
        assert_eq!(patience.pause(None), None);
        assert_eq!(Patience::new().pause(Some(Duration::from_secs(3600))), None);
    }
}
