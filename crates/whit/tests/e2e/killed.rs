//! whit ends at any moment, gently or not: nothing is left that the next run
//! does not clear, and no registry has half an image.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::crafted::{Layer, image, tiny_program};
use crate::registry::{Guard, Registry};
use crate::support::{Bench, Finished, drafts, have, processes, soon, tool};

/// A moment: so long after a line that begins like this was printed.
#[derive(Debug, Clone, Copy)]
struct Moment {
    line: &'static str,
    later: Duration,
}

/// Every phase of `shrink` from a registry to a registry.
const PHASES: [&str; 10] = [
    "unpacking the original",
    "fetching and unpacking",
    "running the original, twice",
    "following what the code can reach",
    "stripping and compiling",
    "writing layers",
    "running the small image",
    "writing the report",
    "sending docker://",
    // What `run` prints when the program is there.
    "serving",
];

/// Milliseconds after the beginning of a phase.
const LATER: [u64; 4] = [0, 3, 30, 250];

const SIGNALS: [(&str, i32); 3] = [("KILL", 9), ("TERM", 15), ("INT", 2)];

/// Enough to take a moment to fetch, to unpack, to compress and to send.
const DATA: u64 = 24_000_000;

struct Trial {
    bench: Bench,
    registry: Registry,
    original: String,
}

const MARK: &str = "killed-anywhere";

impl Trial {
    fn new() -> Self {
        let bench = Bench::new();
        let registry = Registry::start(&bench, Guard::Nobody);
        let mut state = 1u32;
        let noise: Vec<u8> = (0..DATA)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let layers = [
            Layer::default().file("app/doomed", tiny_program()).bytes(),
            Layer::default().file("app/model", &noise).bytes(),
        ];
        let archive = image(
            &layers,
            json!({ "Entrypoint": ["/app/doomed"], "Cmd": ["serve"] }),
        );
        std::fs::write(bench.path("service.tar"), archive).unwrap();
        let original = format!("docker://{}/service:1", registry.address);
        let from = format!("docker-archive:{}", bench.path("service.tar").display());
        let copy = ["copy", "-q", "--dest-tls-verify=false", &from, &original];
        tool("skopeo", &copy);
        Self {
            bench,
            registry,
            original,
        }
    }

    fn cache(&self) -> PathBuf {
        self.bench.path("cache")
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.bench.command(arguments);
        command
            .env("XDG_CACHE_HOME", self.cache())
            .env("WHIT_TEST_MARK", MARK)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Sends a signal at a moment. True if whit was still there to get it.
    fn signalled(&self, arguments: &[&str], moment: Moment, signal: (&str, i32)) -> bool {
        let mut child = self.start(arguments);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let came = lines.any(|line| line.unwrap().starts_with(moment.line));
        thread::sleep(moment.later);
        let alive = child.try_wait().unwrap().is_none();
        if alive {
            tool("kill", &["-s", signal.0, &child.id().to_string()]);
        }
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let status = child.wait().unwrap();
        assert!(came, "{moment:?} of {arguments:?} never came: {rest:?}");
        use std::os::unix::process::ExitStatusExt;
        let ended_by_it = match signal.0 {
            "KILL" => status.signal() == Some(9),
            _ => status.code() == Some(128 + signal.1),
        };
        let done = status.success();
        assert!(
            ended_by_it || done,
            "{moment:?} {signal:?}: {status:?} {rest:?}"
        );
        alive && ended_by_it
    }

    /// Neither a process nor a mount, at once; no half-made file and no folder
    /// after the next run.
    fn left_nothing(&self, what: &str, killed: bool) {
        let mark = format!("WHIT_TEST_MARK={MARK}");
        let gone = soon(|| processes(&mark).is_empty());
        assert!(gone, "left {:?} after {what}", processes(&mark));
        // In a sandbox, the environment is the image's.
        assert!(soon(|| !runs("/app/doomed")), "it runs after {what}");
        let cache = self.cache();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(cache.to_str().unwrap()), "{what}");
        if killed {
            let mut next = self.bench.command(&["run", "missing.tar"]);
            next.env("XDG_CACHE_HOME", &cache);
            Finished::of(next, "whit run").exits(2);
        }
        assert_eq!(drafts(&cache), "", "after {what}");
    }

    /// What the registry has of the repository `small`: tags.
    fn tags(&self) -> BTreeSet<String> {
        let mut stream = TcpStream::connect(&self.registry.address).unwrap();
        let request = "GET /v2/small/tags/list HTTP/1.0\r\nHost: registry\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let document: Value = serde_json::from_str(body).unwrap();
        let tags = document["tags"].as_array().into_iter().flatten();
        tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
    }

    /// A tag that is there has everything behind it.
    fn whole(&self, tag: &str) {
        let name = format!("docker://{}/small:{tag}", self.registry.address);
        let mut command = self.bench.command(&["size", &name, "--insecure", "--json"]);
        command.env("XDG_CACHE_HOME", self.bench.path("other-cache"));
        Finished::of(command, "whit size").succeeds();
    }
}

/// True if a process was started as `program`.
fn runs(program: &str) -> bool {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.starts_with(program.as_bytes()))
}

#[test]
fn a_death_at_any_moment_leaves_nothing() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let trial = Trial::new();
    let mut hit = BTreeSet::new();
    for (round, line) in PHASES
        .iter()
        .copied()
        .cycle()
        .take(3 * PHASES.len())
        .enumerate()
    {
        let signal = SIGNALS[round / PHASES.len()];
        let later = Duration::from_millis(LATER[(round + round / LATER.len()) % LATER.len()]);
        let moment = Moment { line, later };
        let tag = format!("t{round}");
        let small = format!("docker://{}/small:{tag}", trial.registry.address);
        let original = trial.original.as_str();
        let shrink = [
            "shrink",
            original,
            "--insecure",
            "-o",
            &small,
            "--compress",
            "gzip:1",
        ];
        let run = ["run", original, "--insecure", "--", "announce"];
        let arguments: &[&str] = if line == "serving" { &run } else { &shrink };
        // So that everything is fetched and made again.
        let _ = std::fs::remove_dir_all(trial.cache());
        let what = format!("SIG{} {later:?} after {line:?}", signal.0);
        if trial.signalled(arguments, moment, signal) {
            hit.insert((line, signal.0));
        }
        trial.left_nothing(&what, signal.0 == "KILL");
        if trial.tags().contains(&tag) {
            trial.whole(&tag);
        }
    }
    // Some moments pass before the signal is there, but not most of them.
    assert!(hit.len() >= 2 * PHASES.len(), "{hit:?}");
}

#[test]
fn a_draft_beside_its_place_goes_with_the_next_run() {
    let bench = Bench::new();
    let layers = [Layer::default().file("app/tiny", tiny_program()).bytes()];
    let archive = image(
        &layers,
        json!({ "Entrypoint": ["/app/tiny"], "Cmd": ["serve"] }),
    );
    std::fs::write(bench.path("service.tar"), archive).unwrap();
    let parts = || {
        let names = bench.names();
        names.iter().filter(|name| name.ends_with(".part")).count()
    };
    for output in ["small.tar", "oci:small", "oci-archive:small.oci"] {
        let shrink = ["shrink", "service.tar", "-o", output];
        let mut command: Command = bench.command(&shrink);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let _ = lines
            .map_while(Result::ok)
            .find(|line| line == "running the small image");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(parts(), 1, "{output}: {:?}", bench.names());
        bench.whit(&shrink).succeeds();
        assert_eq!(parts(), 0, "{output}: {:?}", bench.names());
    }
}
