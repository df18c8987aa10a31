//! Finding out whether an image is a service or a command.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use whit_sandbox::Exit;

use super::app::{App, reachable};
use super::{Error, Stage};

/// How often ports and the program's end are looked for.
const TICK: Duration = Duration::from_millis(20);
/// How long the set of ports must stay the same before it counts as whole.
const SETTLED: Duration = Duration::from_millis(100);
/// How long a service must touch nothing new before it is stopped.
const CALM: Duration = Duration::from_millis(200);
/// How long an exposed port is waited for once another one is open.
const GRACE: Duration = Duration::from_secs(3);

/// How long what listens on nothing must touch nothing new, and wait for most
/// of that time, before it counts as at rest.
const REST: Duration = Duration::from_secs(3);

/// Ports from here on are the kernel's choice (`ip_local_port_range`, Linux's
/// default). Nobody could call them from outside: a program that has no other
/// most likely talks to itself, and is given [`GRACE`] to come to its end.
const EPHEMERAL: u16 = 32_768;

/// What a program turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// It listens: addresses by port, and when the first one opened.
    Listening {
        ports: BTreeMap<u16, SocketAddr>,
        after: Duration,
    },
    /// It ended before it listened.
    Ended(Exit),
    /// It listens on nothing and is at rest.
    Resting,
    /// None of these in time.
    Neither,
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awaited<'a> {
    /// Ports of an earlier run, or else the exposed ones.
    pub ports: &'a [u16],
    /// True if `ports` are only a wish: images inherit `EXPOSE` lines that
    /// their program does not care for.
    pub wish: bool,
    /// True if the program may listen on nothing and run on.
    pub worker: bool,
    pub at_most: Duration,
}

/// Waits until the program listens, ends or, where that is accepted, rests.
/// Only the expected ports are returned, if any of them is open.
pub(super) fn wait_ready(
    app: &mut dyn App,
    awaited: &Awaited<'_>,
    cancel: &AtomicBool,
) -> Result<Ready, Error> {
    let Awaited {
        ports: expected,
        wish,
        worker,
        at_most,
    } = *awaited;
    let started = Instant::now();
    let mut rest = Rest::of(app);
    let mut ports = BTreeMap::new();
    let mut opened = None;
    let mut changed = started;
    while started.elapsed() < at_most {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        if let Some(exit) = app.wait(TICK)? {
            return Ok(Ready::Ended(exit));
        }
        let seen: BTreeMap<u16, SocketAddr> = app
            .listening()?
            .into_iter()
            .map(|address| (address.port(), reachable(address)))
            .collect();
        if seen != ports {
            ports = seen;
            changed = Instant::now();
        }
        if ports.is_empty() {
            if worker && rest.is_reached(app) {
                return Ok(Ready::Resting);
            }
            continue;
        }
        let first = *opened.get_or_insert_with(|| started.elapsed());
        let open = |port: &u16| ports.contains_key(port);
        let enough = match (wish, expected) {
            (_, []) => true,
            (true, wished) => wished.iter().any(open) || started.elapsed() > first + GRACE,
            (false, needed) => needed.iter().all(open),
        };
        let lasting = ports
            .keys()
            .any(|port| *port < EPHEMERAL || expected.contains(port))
            || started.elapsed() > first + GRACE;
        if enough && lasting && changed.elapsed() >= SETTLED {
            break;
        }
    }
    Ok(match opened {
        Some(after) if !ports.is_empty() => Ready::Listening {
            ports: chosen(ports, expected),
            after,
        },
        _ => Ready::Neither,
    })
}

/// How long a program has been at rest.
struct Rest {
    touched: usize,
    since: Instant,
    /// Looks since then, and how many found it busy. A machine with too few
    /// processors keeps a program from touching anything while it would.
    looks: usize,
    busy: usize,
}

impl Rest {
    fn of(app: &dyn App) -> Self {
        Self {
            touched: app.touched(),
            since: Instant::now(),
            looks: 0,
            busy: 0,
        }
    }

    fn is_reached(&mut self, app: &dyn App) -> bool {
        if app.touched() != self.touched {
            *self = Self::of(app);
        }
        self.looks += 1;
        self.busy += usize::from(app.is_busy());
        if self.since.elapsed() < REST {
            return false;
        }
        if self.busy * 2 < self.looks {
            return true;
        }
        *self = Self::of(app);
        false
    }
}

/// Waits until a service that has answered touches no new paths: what is
/// stopped in the midst of an import says so in a traceback, and does it in one
/// run and not in the next.
pub(super) fn settle(app: &mut dyn App, cancel: &AtomicBool) -> Result<Option<Exit>, Error> {
    let started = Instant::now();
    let mut touched = app.touched();
    let mut changed = started;
    while changed.elapsed() < CALM && started.elapsed() < GRACE {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        if let Some(exit) = app.wait(TICK)? {
            return Ok(Some(exit));
        }
        if app.touched() != touched {
            touched = app.touched();
            changed = Instant::now();
        }
    }
    Ok(None)
}

/// The expected ports among the open ones; all of them if there is none.
fn chosen(ports: BTreeMap<u16, SocketAddr>, expected: &[u16]) -> BTreeMap<u16, SocketAddr> {
    if !ports.keys().any(|port| expected.contains(port)) {
        return ports;
    }
    ports
        .into_iter()
        .filter(|(port, _)| expected.contains(port))
        .collect()
}

/// The image's command asked for help: the entrypoint, or, without one, the
/// command, with `--help` behind it. `None` for a shell's `-c`, where it would
/// not reach the program.
pub(super) fn help_command(stage: &Stage) -> Option<Vec<String>> {
    let entrypoint = stage.config().entrypoint();
    let mut argv = if entrypoint.is_empty() || stage.is_replaced() {
        stage.argv().to_vec()
    } else {
        entrypoint
    };
    let program = argv.first()?.rsplit('/').next()?;
    let shell = matches!(program, "sh" | "bash" | "dash" | "ash" | "busybox");
    let asks = argv.iter().any(|arg| arg == "--help" || arg == "-h");
    if asks || shell && argv.iter().any(|arg| arg == "-c") {
        return None;
    }
    argv.push("--help".to_owned());
    Some(argv)
}

/// The number of a stop signal as `STOPSIGNAL` writes it: `SIGTERM`, `TERM`,
/// `15`, `SIGRTMIN+3`. `SIGTERM` where it is missing or not understood, as
/// engines do.
pub(super) fn stop_signal(name: Option<&str>) -> i32 {
    const SIGTERM: i32 = 15;
    const SIGRTMIN: i32 = 34;
    let name = name.unwrap_or_default().trim().to_ascii_uppercase();
    if let Ok(number) = name.parse::<i32>() {
        return if (1..=64).contains(&number) {
            number
        } else {
            SIGTERM
        };
    }
    let short = name.strip_prefix("SIG").unwrap_or(&name);
    if let Some(offset) = short.strip_prefix("RTMIN") {
        let offset = offset.trim_start_matches('+').parse().unwrap_or(0);
        return match SIGRTMIN.checked_add(offset) {
            Some(number @ SIGRTMIN..=64) => number,
            _ => SIGTERM,
        };
    }
    match short {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ABRT" => 6,
        "KILL" => 9,
        "USR1" => 10,
        "USR2" => 12,
        "CONT" => 18,
        "WINCH" => 28,
        "PWR" => 30,
        _ => SIGTERM,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use whit_sandbox::{Outcome, Result};

    use super::*;

    /// Touches a new path with each tick, `paths` of them.
    struct Busy {
        paths: usize,
        touched: usize,
        ends: bool,
        computes: bool,
    }

    impl App for Busy {
        fn listening(&self) -> Result<Vec<SocketAddr>> {
            Ok(Vec::new())
        }
        fn connect(&self, _to: SocketAddr, _timeout: Duration) -> Result<TcpStream> {
            unreachable!("nothing is asked")
        }
        fn touched(&self) -> usize {
            self.touched
        }
        fn is_busy(&self) -> bool {
            self.computes
        }
        fn signal(&self, _signal: i32) -> Result<()> {
            unreachable!("nothing is stopped")
        }
        fn wait(&mut self, _at_most: Duration) -> Result<Option<Exit>> {
            std::thread::sleep(Duration::from_millis(1));
            self.touched = self.paths.min(self.touched + 1);
            let over = self.ends && self.touched == self.paths;
            Ok(over.then_some(Exit::Code(3)))
        }
        fn finish(self: Box<Self>) -> Result<Outcome> {
            unreachable!("nothing is finished")
        }
    }

    #[test]
    fn what_is_busy_is_waited_for() {
        for (ends, exit) in [(false, None), (true, Some(Exit::Code(3)))] {
            let mut app = Busy {
                paths: 30,
                touched: 0,
                ends,
                computes: false,
            };
            let settled = settle(&mut app, &AtomicBool::new(false)).unwrap();
            assert_eq!((settled, app.touched), (exit, 30));
        }
    }

    #[test]
    fn what_computes_is_not_at_rest() {
        for (computes, ready) in [(false, Ready::Resting), (true, Ready::Neither)] {
            let mut app = Busy {
                paths: 30,
                touched: 0,
                ends: false,
                computes,
            };
            let awaited = Awaited {
                ports: &[],
                wish: true,
                worker: true,
                at_most: REST * 2,
            };
            let seen = wait_ready(&mut app, &awaited, &AtomicBool::new(false)).unwrap();
            assert_eq!((seen, app.touched), (ready, 30));
        }
    }

    #[test]
    fn stop_signals() {
        for (name, number) in [
            (None, 15),
            (Some(""), 15),
            (Some("SIGQUIT"), 3),
            (Some("winch"), 28),
            (Some("9"), 9),
            (Some("0"), 15),
            (Some("99"), 15),
            (Some("SIGRTMIN+3"), 37),
            (Some("RTMIN"), 34),
            (Some("RTMIN+2000000000"), 15),
            (Some("NONSENSE"), 15),
        ] {
            assert_eq!(stop_signal(name), number, "{name:?}");
        }
    }

    #[test]
    fn expected_ports_go_first() {
        let ports = |list: &[u16]| -> BTreeMap<u16, SocketAddr> {
            let address = |port: &u16| (*port, SocketAddr::from(([127, 0, 0, 1], *port)));
            list.iter().map(address).collect()
        };
        assert_eq!(chosen(ports(&[80, 9000]), &[80, 443]), ports(&[80]));
        assert_eq!(chosen(ports(&[80, 9000]), &[1]), ports(&[80, 9000]));
        assert_eq!(chosen(ports(&[80]), &[]), ports(&[80]));
    }
}
