//! One run of an app, from its start to its stop.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use whit_sandbox::{Command, Stdin, Trace};

use super::agenda::{Agenda, Crawl};
use super::app::{App, Launch};
use super::automatic::{self, Awaited, Ready};
use super::emulation;
use super::http::{self, HttpError, Patience, Request};
use super::{
    Answer, Body, Error, ExecProbe, HttpProbe, Kind, Observation, Outcome, Output, Probe,
    ProbePlan, Stage, Stop, exec, original,
};

/// Bodies of more bytes are remembered by their digest only.
const MAX_KEPT: usize = 512 << 10;

/// Observes once. The stage's program may fail in any way: that is what is
/// observed.
///
/// # Errors
/// What keeps the sandbox itself from working, a user's file that cannot be
/// read, and [`Error::Cancelled`] soon after `cancel` was set.
pub fn observe(
    stage: &Stage,
    plan: &ProbePlan,
    trace: bool,
    cancel: &AtomicBool,
) -> Result<Observation, Error> {
    run(&Run::new(stage, &stage.spec(), plan, trace, cancel), None)
}

/// Observes the original twice, at the same time: the first run finds the
/// questions, the second follows it, so that both asked the same.
///
/// # Errors
/// Those of [`observe`], and [`Error::Original`] if the original does not
/// work: it crashes, it never listens, its command fails.
pub fn observe_twice(
    stage: &Stage,
    plan: &ProbePlan,
    trace: bool,
    cancel: &AtomicBool,
) -> Result<[Observation; 2], Error> {
    twice(&Run::new(stage, &stage.spec(), plan, trace, cancel))
}

pub(super) fn twice(run_: &Run<'_>) -> Result<[Observation; 2], Error> {
    let (tell, hear) = mpsc::channel();
    let (first, second) = thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let probes = Box::new(hear.into_iter());
            run(run_, Some(Agenda::Fixed(probes)))
        });
        let agenda = Agenda::Growing(run_.crawl(Some(tell)));
        let first = run(run_, Some(agenda));
        let second = follower.join().unwrap_or_else(|_| {
            Err(Error::Io {
                context: "the second run".to_owned(),
                source: io::Error::other("its thread ended early"),
            })
        });
        (first, second)
    });
    let runs = [first?, second?];
    for observed in &runs {
        original::require_working(run_.stage, run_.plan, observed)?;
    }
    if let Some(what) = original::unlike(&runs[0].kind, &runs[1].kind) {
        return Err(original::failed(&runs[1], what, None));
    }
    Ok(runs)
}

/// Everything that a run is given.
pub(super) struct Run<'a> {
    stage: &'a Stage,
    launch: &'a dyn Launch,
    plan: &'a ProbePlan,
    trace: bool,
    cancel: &'a AtomicBool,
}

/// The service while it runs.
struct Service {
    app: Box<dyn App>,
    ports: BTreeMap<u16, SocketAddr>,
    /// The one that probes without a port go to.
    primary: u16,
    /// Ports that once did not let us in.
    closed: BTreeSet<u16>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        stage: &'a Stage,
        launch: &'a dyn Launch,
        plan: &'a ProbePlan,
        trace: bool,
        cancel: &'a AtomicBool,
    ) -> Self {
        Self {
            stage,
            launch,
            plan,
            trace,
            cancel,
        }
    }

    fn crawl(&self, listener: Option<mpsc::Sender<Probe>>) -> Crawl {
        Crawl::new(&self.plan.limits, self.plan.discover, listener)
    }
}

/// The story of a run. Without an agenda the plan makes one.
pub(super) fn run(run: &Run<'_>, agenda: Option<Agenda<'_>>) -> Result<Observation, Error> {
    let started = Instant::now();
    let mut agenda = agenda.unwrap_or_else(|| run.agenda());
    let mut observed = Observation {
        kind: Kind::Silent,
        own: Output::default(),
        outcomes: Vec::new(),
        startup: None,
        stop: None,
        trace: Trace::new(),
        peak_memory: 0,
        elapsed: Duration::ZERO,
    };
    let mut command = run.stage.own_command()?;
    command.trace = run.trace;
    let mut app = match run.launch.launch(&command) {
        Ok(app) => app,
        Err(err @ whit_sandbox::Error::Start { .. }) => {
            observed.kind = Kind::NotStarted(err.to_string());
            observed.elapsed = started.elapsed();
            return Ok(observed);
        }
        Err(err) => return Err(err.into()),
    };
    match run.wait_ready(app.as_mut())? {
        Ready::Listening { ports, after } => {
            observed.kind = Kind::Service {
                ports: ports.keys().copied().collect(),
            };
            observed.startup = Some(after);
            let mut service = Service::new(app, ports);
            run.seed(&mut agenda, Some(&service), false);
            run.ask_all(agenda, Some(&mut service), &mut observed)?;
            app = service.app;
            match automatic::settle(app.as_mut(), run.cancel)? {
                Some(exit) => observed.own.exit = Some(exit),
                None => observed.stop = Some(run.stop(app.as_mut())?),
            }
            run.note_own(app, &mut observed)?;
        }
        Ready::Ended(exit) => {
            observed.kind = Kind::Command;
            observed.own.exit = Some(exit);
            run.note_own(app, &mut observed)?;
            run.seed(&mut agenda, None, true);
            run.ask_all(agenda, None, &mut observed)?;
        }
        Ready::Resting => {
            observed.kind = Kind::Worker;
            run.seed(&mut agenda, None, false);
            run.ask_all(agenda, None, &mut observed)?;
            match app.wait(Duration::ZERO)? {
                Some(exit) => observed.own.exit = Some(exit),
                None => observed.stop = Some(run.stop(app.as_mut())?),
            }
            run.note_own(app, &mut observed)?;
        }
        Ready::Neither => run.note_own(app, &mut observed)?,
    }
    if run.stage.is_foreign() {
        observed
            .trace
            .retain(|touch| !emulation::is_emulators(&touch.path));
    }
    observed.elapsed = started.elapsed();
    Ok(observed)
}

impl Service {
    fn new(app: Box<dyn App>, ports: BTreeMap<u16, SocketAddr>) -> Self {
        Self {
            app,
            primary: ports.keys().next().copied().unwrap_or_default(),
            ports,
            closed: BTreeSet::new(),
        }
    }

    fn address(&self, port: Option<u16>) -> SocketAddr {
        let port = port.unwrap_or(self.primary);
        let loopback = SocketAddr::from(([127, 0, 0, 1], port));
        self.ports.get(&port).copied().unwrap_or(loopback)
    }
}

impl Run<'_> {
    fn agenda(&self) -> Agenda<'_> {
        if self.plan.discover {
            Agenda::Growing(self.crawl(None))
        } else {
            Agenda::Fixed(Box::new(self.plan.given.iter().cloned()))
        }
    }

    fn wait_ready(&self, app: &mut dyn App) -> Result<Ready, Error> {
        let exposed = self.stage.config().exposed_ports();
        let (ports, wish) = match self.plan.ports.as_slice() {
            [] => (exposed.as_slice(), true),
            ports => (ports, false),
        };
        let awaited = Awaited {
            ports,
            wish,
            worker: self.plan.worker,
            at_most: self.plan.limits.start,
        };
        automatic::wait_ready(app, &awaited, self.cancel)
    }

    /// The first questions; the others grow from their answers. What ends by
    /// itself is asked for `help`, too.
    fn seed(&self, agenda: &mut Agenda<'_>, service: Option<&Service>, help: bool) {
        let Agenda::Growing(crawl) = agenda else {
            return;
        };
        let ports = service.iter().flat_map(|service| service.ports.keys());
        for port in ports {
            let root = HttpProbe {
                method: "GET".to_owned(),
                target: "/".to_owned(),
                port: Some(*port),
                ..HttpProbe::default()
            };
            crawl.suggest(root, 0);
        }
        for probe in &self.plan.given {
            crawl.give(probe.clone());
        }
        if help
            && self.plan.discover
            && let Some(argv) = automatic::help_command(self.stage)
        {
            crawl.give(Probe::Exec(ExecProbe {
                argv: Some(argv),
                stdin: None,
            }));
        }
    }

    /// Asks until the agenda is empty or the service is gone. Takes the agenda,
    /// so that a run that follows this one knows that no more is to come.
    fn ask_all(
        &self,
        mut agenda: Agenda<'_>,
        mut service: Option<&mut Service>,
        observed: &mut Observation,
    ) -> Result<(), Error> {
        let mut spoke = false;
        let mut unanswered = 0;
        while let Some(probe) = agenda.next() {
            let begun = Instant::now();
            let (probe, answer) = match (probe, service.as_deref_mut()) {
                (Probe::Http(mut http), Some(service)) => {
                    http.port = http.port.or(Some(service.primary));
                    let answer = self.ask(service, &http)?;
                    if let Answer::Http(response) = &answer {
                        if !spoke {
                            // Probes without a port are meant for the first
                            // one that speaks HTTP.
                            service.primary = http.port.unwrap_or(service.primary);
                            spoke = true;
                        }
                        agenda.tell(&Probe::Http(http.clone()));
                        agenda.learn(&http, response);
                    }
                    (Probe::Http(http), remembered(answer))
                }
                (Probe::Script(script), Some(service)) => {
                    agenda.tell(&Probe::Script(script.clone()));
                    let answer = self.test(service, &script)?;
                    (Probe::Script(script), answer)
                }
                (probe @ (Probe::Http(_) | Probe::Script(_)), None) => {
                    let why = "the app ended before it listened on a port".to_owned();
                    (probe, Answer::Failed(why))
                }
                (Probe::Exec(exec), _) => {
                    agenda.tell(&Probe::Exec(exec.clone()));
                    let answer = self.exec(&exec, observed)?;
                    (Probe::Exec(exec), answer)
                }
            };
            unanswered = match answer {
                Answer::Failed(_) => unanswered + 1,
                _ => 0,
            };
            observed.outcomes.push(Outcome {
                probe,
                answer,
                elapsed: begun.elapsed(),
            });
            if unanswered >= self.plan.limits.unanswered {
                break;
            }
            if let Some(service) = service.as_deref_mut()
                && service.app.wait(Duration::ZERO)?.is_some()
            {
                break;
            }
        }
        Ok(())
    }

    fn ask(&self, service: &mut Service, probe: &HttpProbe) -> Result<Answer, Error> {
        let body = self.body(probe)?;
        let address = service.address(probe.port);
        let deadline = Instant::now() + self.plan.limits.request;
        let stream = loop {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match service.app.connect(address, left) {
                Ok(stream) => break stream,
                Err(err) => {
                    // A port may open a little after the first one did; it is
                    // waited for once.
                    let ended = service.app.wait(Duration::from_millis(50))?.is_some();
                    if ended || left.is_zero() || service.closed.contains(&address.port()) {
                        service.closed.insert(address.port());
                        return Ok(Answer::Failed(format!("cannot connect: {err}")));
                    }
                }
            }
        };
        let request = Request {
            method: &probe.method,
            target: &probe.target,
            host: &format!("localhost:{}", address.port()),
            headers: &probe.headers,
            body: &body,
        };
        let patience = Patience {
            deadline,
            max_body: self.plan.limits.body,
            cancel: self.cancel,
        };
        match http::exchange(stream, &request, patience) {
            Ok(response) => Ok(Answer::Http(response)),
            Err(HttpError::Cancelled) => Err(Error::Cancelled),
            Err(err) => Ok(Answer::Failed(err.to_string())),
        }
    }

    fn body(&self, probe: &HttpProbe) -> Result<Vec<u8>, Error> {
        let path = match &probe.body {
            Body::None => return Ok(Vec::new()),
            Body::Bytes(bytes) => return Ok(bytes.clone()),
            Body::File(path) => path,
        };
        let limit = self.plan.limits.body as u64;
        let mut bytes = Vec::new();
        fs::File::open(path)
            .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
            .and_then(|read| match read as u64 > limit {
                true => Err(io::Error::other(format!("it has more than {limit} bytes"))),
                false => Ok(()),
            })
            .map_err(|source| Error::ProbeFile {
                path: path.clone(),
                source,
            })?;
        Ok(bytes)
    }

    fn test(&self, service: &Service, script: &Path) -> Result<Answer, Error> {
        let address = service.address(None);
        let app = service.app.as_ref();
        let tested = exec::test(script, app, address, &self.plan.limits, self.cancel)?;
        Ok(match tested.exit {
            Some(exit) => Answer::Script {
                exit,
                output: tested.output,
            },
            None => Answer::Failed(format!(
                "the test did not end within {} s",
                self.plan.limits.script.as_secs()
            )),
        })
    }

    fn exec(&self, probe: &ExecProbe, observed: &mut Observation) -> Result<Answer, Error> {
        let mut command = match &probe.argv {
            Some(argv) => self.stage.command(argv)?,
            None => self.stage.own_command()?,
        };
        command.trace = self.trace;
        if let Some(file) = &probe.stdin {
            fs::metadata(file).map_err(|source| Error::ProbeFile {
                path: file.clone(),
                source,
            })?;
            command.stdin = Stdin::File(file.clone());
        }
        let (outcome, ended) = match self.run_program(&command) {
            Ok(ran) => ran,
            Err(Error::Sandbox(err @ whit_sandbox::Error::Start { .. })) => {
                return Ok(Answer::Failed(err.to_string()));
            }
            Err(err) => return Err(err),
        };
        observed.trace.extend(outcome.trace);
        observed.peak_memory = observed.peak_memory.max(outcome.peak_memory);
        if !ended {
            return Ok(Answer::Failed(format!(
                "it did not end within {} s",
                self.plan.limits.exec.as_secs()
            )));
        }
        Ok(Answer::Exec(Output {
            exit: Some(outcome.exit),
            stdout: outcome.stdout,
            stderr: outcome.stderr,
            truncated: outcome.truncated,
        }))
    }

    fn run_program(&self, command: &Command) -> Result<(whit_sandbox::Outcome, bool), Error> {
        exec::run(self.launch, command, self.plan.limits.exec, self.cancel)
    }

    /// Sends the stop signal and watches.
    fn stop(&self, app: &mut dyn App) -> Result<Stop, Error> {
        let begun = Instant::now();
        app.signal(automatic::stop_signal(self.stage.config().stop_signal()))?;
        let exit = exec::wait_end(app, self.plan.limits.stop, self.cancel)?;
        Ok(Stop {
            exit,
            elapsed: begun.elapsed(),
        })
    }

    /// Takes over what the image's own command left behind.
    fn note_own(&self, app: Box<dyn App>, observed: &mut Observation) -> Result<(), Error> {
        let outcome = app.finish()?;
        observed.own.stdout = outcome.stdout;
        observed.own.stderr = outcome.stderr;
        observed.own.truncated = outcome.truncated;
        observed.trace.extend(outcome.trace);
        observed.peak_memory = observed.peak_memory.max(outcome.peak_memory);
        Ok(())
    }
}

/// An answer as it is kept. A large body is remembered by its digest: whole
/// answers of several runs would not fit into the memory that whit may take,
/// and what is that large is hardly ever put together by the request.
fn remembered(answer: Answer) -> Answer {
    match answer {
        Answer::Http(mut response) if response.body.len() > MAX_KEPT => {
            let length = response.body.len();
            let digest = whit_oci::Digest::of(&response.body);
            response.body = format!("{length} bytes, {digest}").into_bytes();
            Answer::Http(response)
        }
        answer => answer,
    }
}
