//! Runs against apps made up in the test, which listen on the host's loopback.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use whit_oci::ImageConfig;
use whit_sandbox::{Access, Command, Exit, Outcome as Ended, Result, Stdin, Touch, Trace};

use super::app::{App, Launch};
use super::run::{Run, run, twice};
use super::*;
use crate::index::Tree;

/// How a made-up program behaves.
#[derive(Clone)]
struct Play {
    /// Listens on this port after so long.
    listens: Option<(u16, Duration)>,
    /// Ends by itself after so long.
    ends: Option<(Exit, Duration)>,
    /// Ends like this when it is signalled; stays if `None`.
    stops: Option<Exit>,
    stdout: &'static str,
    stderr: &'static str,
    answer: fn(path: &str) -> String,
}

const NOW: Duration = Duration::ZERO;

fn page(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Play {
    fn service() -> Self {
        Self {
            listens: Some((8000, NOW)),
            ends: None,
            stops: Some(Exit::Code(0)),
            stdout: "",
            stderr: "started\n",
            answer: |path| match path {
                "/" => page("<a href=/next>next</a>"),
                path => page(path),
            },
        }
    }

    fn command(exit: Exit, stderr: &'static str) -> Self {
        Self {
            listens: None,
            ends: Some((exit, Duration::from_millis(50))),
            stderr,
            ..Self::service()
        }
    }
}

struct FakeApp {
    play: Play,
    started: Instant,
    listener: Option<TcpListener>,
    stopped: AtomicBool,
}

impl FakeApp {
    fn start(play: Play) -> Self {
        let listener = play.listens.map(|_| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let server = listener.try_clone().unwrap();
            let answer = play.answer;
            thread::spawn(move || {
                while let Ok((mut stream, _)) = server.accept() {
                    let mut chunk = [0; 4096];
                    let n = stream.read(&mut chunk).unwrap_or(0);
                    let text = String::from_utf8_lossy(&chunk[..n]).into_owned();
                    let path = text.split(' ').nth(1).unwrap_or("/");
                    let _ = stream.write_all(answer(path).as_bytes());
                }
            });
            listener
        });
        Self {
            play,
            started: Instant::now(),
            listener,
            stopped: AtomicBool::new(false),
        }
    }

    fn exit(&self) -> Option<Exit> {
        if self.stopped.load(Ordering::Relaxed) && self.play.stops.is_some() {
            return self.play.stops;
        }
        let (exit, after) = self.play.ends?;
        (self.started.elapsed() >= after).then_some(exit)
    }
}

impl App for FakeApp {
    fn listening(&self) -> Result<Vec<SocketAddr>> {
        Ok(match self.play.listens {
            Some((port, after)) if self.started.elapsed() >= after => {
                vec![SocketAddr::from(([0, 0, 0, 0], port))]
            }
            _ => Vec::new(),
        })
    }

    fn connect(&self, to: SocketAddr, _timeout: Duration) -> Result<TcpStream> {
        let refused = |source| whit_sandbox::Error::Io {
            context: format!("connecting to {to}"),
            source,
        };
        match (&self.listener, self.play.listens, self.exit()) {
            (Some(listener), Some((port, _)), None) if port == to.port() => {
                TcpStream::connect(listener.local_addr().unwrap()).map_err(refused)
            }
            _ => Err(refused(std::io::ErrorKind::ConnectionRefused.into())),
        }
    }

    fn touched(&self) -> usize {
        0
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn signal(&self, _signal: i32) -> Result<()> {
        self.stopped.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) -> Result<Option<Exit>> {
        if self.exit().is_none() {
            thread::sleep(at_most.min(Duration::from_millis(20)));
        }
        Ok(self.exit())
    }

    fn finish(self: Box<Self>) -> Result<Ended> {
        Ok(Ended {
            exit: self.exit().unwrap_or(Exit::Signal(9)),
            stdout: self.play.stdout.into(),
            stderr: self.play.stderr.into(),
            truncated: false,
            trace: Trace::from([Touch {
                path: "/touched".into(),
                access: Access::Read,
            }]),
            elapsed: self.started.elapsed(),
            peak_memory: 7,
        })
    }
}

/// Starts the first play for the image's command, the second for everything
/// else; remembers what was started.
struct Theatre {
    own: Vec<Play>,
    other: Play,
    count: AtomicUsize,
    started: Mutex<Vec<(Vec<String>, bool)>>,
}

impl Theatre {
    fn new(own: Play) -> Self {
        Self {
            own: vec![own],
            other: Play {
                stdout: "help\n",
                ..Play::command(Exit::Code(0), "")
            },
            count: AtomicUsize::new(0),
            started: Mutex::new(Vec::new()),
        }
    }

    fn observe(
        &self,
        config: &ImageConfig,
        plan: &ProbePlan,
    ) -> std::result::Result<Observation, Error> {
        let (stage, _scratch) = stage(config);
        run(
            &Run::new(&stage, self, plan, true, &AtomicBool::new(false)),
            None,
        )
    }

    fn twice(
        &self,
        config: &ImageConfig,
        plan: &ProbePlan,
    ) -> std::result::Result<[Observation; 2], Error> {
        let (stage, _scratch) = stage(config);
        twice(&Run::new(&stage, self, plan, true, &AtomicBool::new(false)))
    }
}

impl Launch for Theatre {
    fn launch(&self, command: &Command) -> Result<Box<dyn App>> {
        let argv: Vec<String> = command
            .argv
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect();
        let fed = matches!(command.stdin, Stdin::File(_));
        let own = argv == ["/app"] && !fed;
        self.started.lock().unwrap().push((argv, fed));
        let play = if own {
            &self.own[self.count.fetch_add(1, Ordering::Relaxed) % self.own.len()]
        } else {
            &self.other
        };
        Ok(Box::new(FakeApp::start(play.clone())))
    }
}

fn config() -> ImageConfig {
    let mut config = ImageConfig::new("amd64");
    config.set_exec("Cmd", json!(["/app"]));
    config
}

fn stage(config: &ImageConfig) -> (Stage, tempfile::TempDir) {
    let scratch = tempfile::tempdir().unwrap();
    let tree = Tree::new(Default::default(), Vec::new());
    (
        Stage::new(&[], config, &tree, scratch.path()).unwrap(),
        scratch,
    )
}

fn quick() -> ProbePlan {
    ProbePlan {
        limits: Limits {
            start: Duration::from_millis(700),
            request: Duration::from_millis(700),
            stop: Duration::from_millis(300),
            exec: Duration::from_millis(500),
            script: Duration::from_secs(5),
            ..Limits::default()
        },
        ..ProbePlan::new(Vec::new())
    }
}

fn asked(observed: &Observation) -> Vec<String> {
    observed
        .outcomes
        .iter()
        .map(|outcome| outcome.probe.to_string())
        .collect()
}

#[test]
fn a_service_is_asked_and_stopped() {
    let theatre = Theatre::new(Play {
        listens: Some((8000, Duration::from_millis(200))),
        ..Play::service()
    });
    let plan = ProbePlan {
        given: vec![
            Probe::http("POST /items json={}").unwrap(),
            Probe::exec("tool").unwrap(),
        ],
        ..quick()
    };
    let observed = theatre.observe(&config(), &plan).unwrap();
    assert_eq!(observed.kind, Kind::Service { ports: vec![8000] });
    assert!(observed.startup.unwrap() >= Duration::from_millis(190));
    assert_eq!(
        asked(&observed),
        [
            "GET :8000/",
            "POST :8000/items body={}",
            "exec tool",
            "GET :8000/openapi.json",
            "GET :8000/next",
            "GET :8000/openapi",
            "GET :8000/swagger.json",
        ]
    );
    assert!(
        observed
            .outcomes
            .iter()
            .all(|o| !matches!(o.answer, Answer::Failed(_)))
    );
    assert_eq!(observed.stop.as_ref().unwrap().exit, Some(Exit::Code(0)));
    assert_eq!((observed.own.exit, observed.peak_memory), (None, 7));
    assert_eq!(observed.trace.len(), 1);

    let replay = plan.replay(&observed);
    let again = theatre.observe(&config(), &replay).unwrap();
    assert_eq!(asked(&again), asked(&observed));
    let patient = ProbePlan::new(Vec::new()).replay(&observed).limits;
    assert!(patient.exec < Limits::default().exec, "{patient:?}");
    assert!(patient.start < Limits::default().start, "{patient:?}");
    assert_eq!(replay.limits.request, quick().limits.request);

    // What leaves questions unanswered is not waited for to the last one.
    let mute = Theatre::new(Play {
        answer: |_| "nonsense\r\n".to_owned(),
        ..Play::service()
    });
    let silence = mute.observe(&config(), &replay).unwrap();
    assert_eq!(asked(&silence), asked(&observed)[..2]);
}

#[test]
fn two_runs_ask_the_same() {
    let theatre = Theatre::new(Play::service());
    let [first, second] = theatre.twice(&config(), &quick()).unwrap();
    assert_eq!(asked(&first).len(), 5);
    assert_eq!(asked(&first), asked(&second));
    assert!(
        crate::verify::compare(&[first], &second, &|_| false)
            .differences
            .is_empty()
    );
}

#[test]
fn a_command_is_run_and_asked_for_help() {
    let theatre = Theatre::new(Play {
        stdout: "done\n",
        ..Play::command(Exit::Code(0), "")
    });
    let plan = ProbePlan {
        given: vec![Probe::stdin("/dev/null".into())],
        ..quick()
    };
    let [first, second] = theatre.twice(&config(), &plan).unwrap();
    assert_eq!(first.kind, Kind::Command);
    assert_eq!(first.own.stdout, b"done\n");
    assert_eq!(
        asked(&first),
        ["the image's command < /dev/null", "exec /app --help"]
    );
    assert_eq!(asked(&first), asked(&second));
    assert!(
        theatre
            .started
            .lock()
            .unwrap()
            .contains(&(vec!["/app".into()], true))
    );
}

#[test]
fn help_goes_to_the_entrypoint() {
    let help = |entrypoint: &[&str], cmd: &[&str]| {
        let mut config = ImageConfig::new("amd64");
        config.set_exec("Entrypoint", json!(entrypoint));
        config.set_exec("Cmd", json!(cmd));
        let (stage, _scratch) = stage(&config);
        automatic::help_command(&stage).map(|argv| argv.join(" "))
    };
    assert_eq!(help(&["app"], &["run"]).as_deref(), Some("app --help"));
    assert_eq!(
        help(&[], &["python", "x.py"]).as_deref(),
        Some("python x.py --help")
    );
    assert_eq!(help(&[], &["/bin/sh", "-c", "x"]), None);
    assert_eq!(help(&[], &["app", "--help"]), None);
    assert_eq!(help(&[], &[]), None);
}

/// The message of an original that does not work.
fn refusal(own: Play, plan: &ProbePlan) -> String {
    match Theatre::new(own).twice(&config(), plan) {
        Err(err @ Error::Original { .. }) => err.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn originals_that_do_not_work() {
    let crash = Play::command(
        Exit::Code(1),
        "Traceback (most recent call last):\nE: no database\n",
    );
    let text = refusal(crash, &quick());
    assert!(
        text.contains("ended with exit code 1") && text.contains("E: no database"),
        "{text}"
    );

    let killed = Play::command(Exit::Signal(11), "");
    assert!(refusal(killed, &quick()).contains("signal 11; it wrote nothing"));

    let silent = Play {
        listens: None,
        ..Play::service()
    };
    let text = refusal(silent, &quick());
    assert!(
        text.contains("neither listened") && text.contains("started"),
        "{text}"
    );

    let dying = Play {
        ends: Some((Exit::Code(3), Duration::from_millis(250))),
        answer: |_| {
            thread::sleep(Duration::from_millis(300));
            String::new()
        },
        ..Play::service()
    };
    assert!(refusal(dying, &quick()).contains("ended with exit code 3 by itself"));

    let asked = ProbePlan {
        given: vec![Probe::get("/")],
        ..quick()
    };
    let no_service = Play::command(Exit::Code(0), "bye\n");
    assert!(refusal(no_service, &asked).contains("probes that need one"));
}

#[test]
fn a_worker_is_asked_and_stopped() {
    let worker = Play {
        listens: None,
        stops: Some(Exit::Code(0)),
        ..Play::service()
    };
    let plan = ProbePlan {
        given: vec![Probe::exec("tool").unwrap()],
        worker: true,
        limits: Limits {
            start: Duration::from_secs(30),
            ..quick().limits
        },
        ..quick()
    };
    let [first, second] = Theatre::new(worker).twice(&config(), &plan).unwrap();
    assert_eq!((&first.kind, &second.kind), (&Kind::Worker, &Kind::Worker));
    assert_eq!(first.stop.as_ref().unwrap().exit, Some(Exit::Code(0)));
    // Help is asked of what ends by itself.
    assert_eq!(asked(&first), ["exec tool"]);
    assert_eq!(asked(&second), ["exec tool"]);
}

#[test]
fn exits_that_are_answers() {
    let usage = || Play::command(Exit::Code(2), "usage: app COMMAND\n");
    assert!(Theatre::new(usage()).twice(&config(), &quick()).is_ok());
    let failing = || Play::command(Exit::Code(1), "cannot find anything\n");
    assert!(Theatre::new(failing()).twice(&config(), &quick()).is_err());
    let plan = ProbePlan {
        allow_failure: true,
        ..quick()
    };
    assert!(Theatre::new(failing()).twice(&config(), &plan).is_ok());
}

#[test]
fn an_exposed_port_must_open() {
    let mut config = config();
    config.set_exec("ExposedPorts", json!({"8000/tcp": {}}));
    let ends = || Theatre::new(Play::command(Exit::Code(0), "bye\n"));
    let err = ends().twice(&config, &quick()).unwrap_err();
    assert!(err.to_string().contains("exposes port 8000"), "{err}");
    let plan = ProbePlan {
        given: vec![Probe::exec("tool").unwrap()],
        ..quick()
    };
    assert!(ends().twice(&config, &plan).is_ok());
}

#[test]
fn an_app_that_behaves_differently_each_time() {
    let theatre = Theatre {
        own: vec![Play::service(), Play::command(Exit::Code(0), "")],
        ..Theatre::new(Play::service())
    };
    let err = theatre.twice(&config(), &quick()).unwrap_err();
    assert!(err.to_string().contains("of two runs"), "{err}");
}

#[test]
fn a_small_image_may_fail_in_any_way() {
    let original = Theatre::new(Play::service())
        .observe(&config(), &quick())
        .unwrap();
    let replay = quick().replay(&original);
    for (play, kind) in [
        (Play::command(Exit::Code(1), "no module"), Kind::Command),
        (
            Play {
                listens: Some((9, NOW)),
                ..Play::service()
            },
            Kind::Service { ports: vec![9] },
        ),
        (
            Play {
                listens: None,
                ..Play::service()
            },
            Kind::Silent,
        ),
    ] {
        let observed = Theatre::new(play).observe(&config(), &replay).unwrap();
        assert_eq!(observed.kind, kind);
        assert!(
            observed
                .outcomes
                .iter()
                .all(|o| matches!(o.answer, Answer::Failed(_)))
        );
    }
}

#[test]
fn a_service_that_does_not_stop_is_killed() {
    let stubborn = Play {
        stops: None,
        ..Play::service()
    };
    let observed = Theatre::new(stubborn).observe(&config(), &quick()).unwrap();
    let stop = observed.stop.unwrap();
    assert_eq!(stop.exit, None);
    assert!(stop.elapsed >= Duration::from_millis(300));
}

#[test]
fn ports_without_http_are_told_apart() {
    let redis = Play {
        answer: |_| "-ERR wrong\r\n".to_owned(),
        ..Play::service()
    };
    let observed = Theatre::new(redis).observe(&config(), &quick()).unwrap();
    assert_eq!(asked(&observed), ["GET :8000/"]);
    assert!(
        matches!(&observed.outcomes[0].answer, Answer::Failed(why) if why.contains("not HTTP"))
    );
    assert!(quick().replay(&observed).given.is_empty());
}

#[test]
fn an_interrupt_ends_every_wait() {
    let (stage, _scratch) = stage(&config());
    let plan = ProbePlan {
        limits: Limits::default(),
        ..ProbePlan::new(Vec::new())
    };
    for play in [
        Play {
            listens: None,
            ..Play::service()
        },
        Play {
            answer: |_| {
                thread::sleep(Duration::from_secs(3));
                String::new()
            },
            ..Play::service()
        },
        Play {
            stops: None,
            ..Play::service()
        },
    ] {
        let theatre = Theatre::new(play);
        let cancel = AtomicBool::new(false);
        thread::scope(|scope| {
            let run = scope.spawn(|| twice(&Run::new(&stage, &theatre, &plan, false, &cancel)));
            thread::sleep(Duration::from_millis(500));
            let asked = Instant::now();
            cancel.store(true, Ordering::Relaxed);
            assert!(matches!(run.join().unwrap(), Err(Error::Cancelled)));
            assert!(asked.elapsed() < Duration::from_secs(1));
        });
    }
}

#[test]
fn tests_reach_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    // Bash's own sockets, so that the test needs no other program.
    let good = script(
        "good",
        "#!/bin/bash\naddress=${WHIT_BASE_URL#http://}\n\
         exec 3<>/dev/tcp/${address%:*}/${address#*:}\n\
         printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' >&3\ngrep -q /hello <&3\n",
    );
    let bad = script("bad", "#!/bin/sh\necho broken >&2\nexit 3\n");
    let endless = script("endless", "#!/bin/sh\nsleep 100 & wait\n");
    let plan = ProbePlan {
        given: [good, bad, endless].map(Probe::Script).into(),
        discover: false,
        limits: Limits {
            script: Duration::from_secs(2),
            ..quick().limits
        },
        ..quick()
    };
    let observed = Theatre::new(Play::service())
        .observe(&config(), &plan)
        .unwrap();
    let answers: Vec<&Answer> = observed.outcomes.iter().map(|o| &o.answer).collect();
    assert!(
        matches!(
            answers[0],
            Answer::Script {
                exit: Exit::Code(0),
                ..
            }
        ),
        "{answers:?}"
    );
    assert!(
        matches!(answers[1], Answer::Script { exit: Exit::Code(3), output } if output == b"broken\n")
    );
    assert!(matches!(answers[2], Answer::Failed(_)));

    let plan = ProbePlan {
        given: vec![Probe::Script(folder.path().join("nowhere"))],
        ..plan
    };
    let result = Theatre::new(Play::service()).observe(&config(), &plan);
    assert!(matches!(result, Err(Error::Script { .. })));
}
