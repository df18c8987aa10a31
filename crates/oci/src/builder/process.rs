//! A program that talks, and that goes with all its children when asked.

use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::offspring::Offspring;

/// How often somebody looks whether it shall end.
const TICK: Duration = Duration::from_millis(50);
/// How long it may take to tidy up when asked.
const GRACE: Duration = Duration::from_secs(5);
/// What a child that outlives its parent may still say.
const AFTERWARDS: Duration = Duration::from_secs(1);
/// The log's end is what matters: more of it than this is not kept.
const KEPT: usize = 4 << 20;
/// A line without an end is cut.
const LINE: u64 = 64 << 10;

/// A program that ended.
pub(super) struct Ended {
    pub success: bool,
    /// What it said, on both streams, without colours.
    pub log: String,
}

/// Runs a program in a process group of its own, so that Ctrl-C reaches it
/// through `cancel` only and it is waited for.
pub(super) fn run(
    mut command: Command,
    cancel: &AtomicBool,
    watch: &dyn Fn(&str),
) -> io::Result<Ended> {
    let (reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let child = command.spawn()?;
    // It holds the pipe's other end.
    drop(command);
    let mut group = Group { child };
    let lines = reading(reader);
    let mut log = Log::default();
    let mut asked: Option<Asked> = None;
    let mut offspring = Offspring::default();
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        let open = match lines.recv_timeout(TICK) {
            Ok(line) => {
                watch(&line);
                log.add(&line);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        };
        if ended.is_none() {
            ended = group
                .child
                .try_wait()?
                .map(|status| (status, Instant::now()));
        }
        match ended {
            Some((status, since)) if !open || since.elapsed() > AFTERWARDS => {
                offspring.kill();
                return Ok(Ended {
                    success: status.success(),
                    log: log.text,
                });
            }
            _ => {}
        }
        if cancel.load(Ordering::Relaxed) {
            offspring.look(group.id());
            asked = Some(match asked {
                None => match offspring.kill_outside() {
                    true => Asked::Step(Instant::now()),
                    false => group.terminate(),
                },
                Some(Asked::Step(since)) if since.elapsed() > GRACE => group.terminate(),
                Some(Asked::Program(since)) if since.elapsed() > GRACE => {
                    group.signal(Signal::KILL);
                    Asked::Program(since)
                }
                Some(asked) => asked,
            });
        }
        if !open {
            std::thread::sleep(TICK);
        }
    }
}

/// Who was asked to end, and when.
enum Asked {
    /// What it started, so that it clears up.
    Step(Instant),
    Program(Instant),
}

/// Lines of both streams, as they come.
fn reading(reader: PipeReader) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = io::Read::take(&mut reader, LINE);
            match limited.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if sender.send(plain(&line)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A line as it reads on paper: no colours, and of what overwrites itself the
/// last.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\n', '\r']);
    let text = text.rsplit('\r').next().unwrap_or_default();
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        // ECMA-48, 5.4: CSI ends with a byte of @ to ~.
        if c == '\u{1b}' {
            if chars.next() == Some('[') {
                for c in chars.by_ref() {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            }
        } else if c == '\t' || !c.is_control() {
            plain.push(c);
        }
    }
    plain
}

/// The end of a log.
#[derive(Default)]
struct Log {
    text: String,
}

impl Log {
    fn add(&mut self, line: &str) {
        if self.text.len() + line.len() > KEPT {
            let half = self.text.len() / 2;
            let cut = self.text[..].bytes().skip(half).position(|b| b == b'\n');
            self.text
                .drain(..cut.map_or(self.text.len(), |at| half + at + 1));
        }
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// A program and all that it started; killed unless it was waited for.
struct Group {
    child: Child,
}

impl Group {
    fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    fn terminate(&self) -> Asked {
        self.signal(Signal::TERM);
        Asked::Program(Instant::now())
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.id()) {
            // There may be nobody left.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_in_order() {
        let ended = run(
            shell("echo one; echo two >&2; printf '\\033[91mthree\\033[0m'; exit 3"),
            &AtomicBool::new(false),
            &|_| {},
        )
        .unwrap();
        assert!(!ended.success);
        assert_eq!(ended.log, "one\ntwo\nthree\n");
    }

    #[test]
    fn it_goes_with_its_children() {
        let cancel = AtomicBool::new(false);
        let child = std::cell::Cell::new(0);
        let ended = run(shell("sleep 1000 & echo $!; wait"), &cancel, &|line| {
            child.set(line.parse().unwrap());
            cancel.store(true, Ordering::Relaxed);
        })
        .unwrap();
        assert!(!ended.success);
        let gone = |id: i32| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        let start = Instant::now();
        while !gone(child.get()) {
            assert!(start.elapsed() < Duration::from_secs(10), "it still sleeps");
            std::thread::sleep(TICK);
        }
    }

    #[test]
    fn what_overwrites_itself() {
        assert_eq!(plain(b"Sending 1 kB\rSending 2 kB\r\r\n"), "Sending 2 kB");
        assert_eq!(plain(b"a\x1b[1;31mb\x1b[0m\tc\x07\n"), "ab\tc");
    }

    #[test]
    fn a_long_log_keeps_its_end() {
        let mut log = Log::default();
        for number in 0..1_000_000 {
            log.add(&format!("line {number}"));
        }
        assert!(log.text.len() <= KEPT);
        assert!(log.text.starts_with("line "));
        assert!(log.text.ends_with("line 999999\n"));
    }
}
