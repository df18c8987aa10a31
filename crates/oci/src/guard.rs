//! Programs of the host that end with whit, however whit ends.
//!
//! Whoever is killed by `kill -9` kills nobody himself. So a shell waits at a
//! pipe whose other end only whit has; when that is gone, the shell ends the
//! program's whole process group.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// First asked, so that an engine can tidy up, then killed.
const WAIT: &str = "read -r _; kill -s TERM -- \"-$1\"; sleep 3; kill -s KILL -- \"-$1\"";

/// Guards a process group as long as it is there.
#[derive(Debug)]
pub struct Guard {
    sentry: Child,
}

impl Guard {
    /// Of the group that `leader` leads.
    pub fn of(leader: &Child) -> io::Result<Self> {
        let sentry = Command::new("/bin/sh")
            .args(["-c", WAIT, "sh", &leader.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is not meant for it.
            .process_group(0)
            .spawn()?;
        Ok(Self { sentry })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before its pipe is closed.
        let _ = self.sentry.kill();
        let _ = self.sentry.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    #[test]
    fn the_group_ends_with_the_pipe_and_not_with_the_guard() {
        let group = || {
            Command::new("/bin/sh")
                .args(["-c", "sleep 600 & echo there; wait"])
                .stdout(Stdio::piped())
                .process_group(0)
                .spawn()
                .unwrap()
        };
        let mut left = group();
        drop(Guard::of(&left).unwrap());
        assert!(left.try_wait().unwrap().is_none());
        let mut lines = BufReader::new(left.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "there");
        let mut guard = Guard::of(&left).unwrap();
        // As the kernel closes it when whit dies.
        drop(guard.sentry.stdin.take());
        // The end comes when nobody holds the pipe, `sleep` neither.
        assert!(lines.next().is_none());
        assert!(!left.wait().unwrap().success());
    }
}
