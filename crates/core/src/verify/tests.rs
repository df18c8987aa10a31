use std::collections::BTreeSet;

use whit_sandbox::{Touch, Trace};

use super::*;
use crate::observe::http::Response;
use crate::observe::{Output, Stop};

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Answer::Http(Response {
        status,
        headers: headers.iter().map(own).collect(),
        body: body.as_bytes().to_vec(),
    })
}

fn output(code: i32, stdout: &str, stderr: &str) -> Output {
    Output {
        exit: Some(Exit::Code(code)),
        stdout: stdout.as_bytes().to_vec(),
        stderr: stderr.as_bytes().to_vec(),
        truncated: false,
    }
}

/// A service that was asked for pages and stopped well.
fn service(log: &str, answers: Vec<(&str, Answer)>) -> Observation {
    Observation {
        kind: Kind::Service { ports: vec![8000] },
        own: Output {
            exit: None,
            ..output(0, "", log)
        },
        outcomes: answers
            .into_iter()
            .map(|(target, answer)| Outcome {
                probe: Probe::get(target),
                answer,
                elapsed: Duration::ZERO,
            })
            .collect(),
        startup: Some(Duration::from_millis(300)),
        stop: Some(Stop {
            exit: Some(Exit::Code(0)),
            elapsed: Duration::from_millis(100),
        }),
        trace: Trace::new(),
        peak_memory: 0,
        elapsed: Duration::ZERO,
    }
}

fn command(own: Output) -> Observation {
    Observation {
        kind: Kind::Command,
        own,
        startup: None,
        stop: None,
        ..service("", Vec::new())
    }
}

fn judge(original: [Observation; 2], small: &Observation) -> Comparison {
    compare(&original, small, &|_| false)
}

/// The one difference between responses to `GET /`.
fn difference(original: [Answer; 2], small: Answer) -> Option<String> {
    let found = judge(
        original.map(|answer| service("", vec![("/", answer)])),
        &service("", vec![("/", small)]),
    );
    assert!(found.differences.len() < 2, "{:?}", found.differences);
    assert_eq!(found.proven.len(), 1 - found.differences.len());
    found.differences.into_iter().next().map(|e| e.what)
}

#[test]
fn answers_that_are_alike() {
    for (a, b, c) in [
        (
            response(200, &[], "x"),
            response(200, &[], "x"),
            response(200, &[], "x"),
        ),
        (
            response(
                200,
                &[("date", "now"), ("etag", "\"1\""), ("server", "u")],
                "n 1",
            ),
            response(
                200,
                &[("date", "then"), ("etag", "\"1\""), ("server", "u")],
                "n 2",
            ),
            response(
                200,
                &[("date", "later"), ("etag", "\"9\""), ("server", "u")],
                "n 3",
            ),
        ),
        (
            response(
                200,
                &[("set-cookie", "s=a1b2c3d4e5; Path=/")],
                "{\"id\": 1}",
            ),
            response(
                200,
                &[("set-cookie", "s=f6a7b8c9d0; Path=/")],
                "{\"id\": 2}",
            ),
            response(
                200,
                &[("set-cookie", "s=0011223344; Path=/")],
                "{\"id\": 3}",
            ),
        ),
        (
            response(200, &[("content-length", "9")], "x"),
            response(200, &[("content-length", "9")], "x"),
            response(200, &[("content-length", "9")], "x"),
        ),
    ] {
        assert_eq!(difference([a, b], c), None);
    }
}

#[test]
fn answers_that_differ() {
    let same = |answer: Answer| [answer.clone(), answer];
    for (original, small, what) in [
        (
            same(response(200, &[], "x")),
            response(404, &[], "y"),
            "status",
        ),
        (
            same(response(200, &[], "x")),
            response(200, &[], "y"),
            "body",
        ),
        (
            same(response(200, &[], "{\"a\":1}")),
            response(200, &[], "{\"a\":2}"),
            "body at /a",
        ),
        (
            same(response(200, &[("x-a", "1")], "")),
            response(200, &[], ""),
            "header x-a",
        ),
        (
            same(response(200, &[], "")),
            response(200, &[("x-a", "1")], ""),
            "header x-a",
        ),
        (
            same(response(200, &[("content-type", "text/css")], "")),
            response(200, &[("content-type", "text/plain")], ""),
            "header content-type",
        ),
        (
            same(response(200, &[], "x")),
            Answer::Failed("closed".into()),
            "answer",
        ),
    ] {
        assert_eq!(difference(original, small).as_deref(), Some(what));
    }
}

#[test]
fn binary_answers() {
    let binary = |bytes: &[u8]| {
        Answer::Http(Response {
            status: 200,
            headers: Vec::new(),
            body: bytes.to_vec(),
        })
    };
    let stable = [binary(b"\xff\x01"), binary(b"\xff\x01")];
    assert_eq!(difference(stable.clone(), binary(b"\xff\x01")), None);
    assert!(difference(stable, binary(b"\xff\x02")).is_some());
    let changing = [binary(b"\xff\x01"), binary(b"\xff\x02")];
    assert_eq!(difference(changing.clone(), binary(b"\xff\x03")), None);
    assert!(difference(changing, binary(b"")).is_some());
}

#[test]
fn what_the_original_cannot_answer_proves_nothing() {
    let run = || {
        service(
            "",
            vec![
                ("/", response(200, &[], "x")),
                ("/broken", response(500, &[], "oops")),
                ("/slow", Answer::Failed("no whole answer in time".into())),
            ],
        )
    };
    let small = service("", vec![("/", response(200, &[], "x"))]);
    let found = judge([run(), run()], &small);
    assert_eq!(found.verdict(), Verdict::Same);
    assert_eq!(found.proven, ["GET /"]);
    let names: Vec<&str> = found.disqualified.iter().map(|(p, _)| p.as_str()).collect();
    assert_eq!(names, ["GET /broken", "GET /slow"]);
}

#[test]
fn a_dead_small_image_is_no_success() {
    let run = || service("", vec![("/", response(200, &[], "x"))]);
    let dead = Observation {
        own: output(1, "", "ModuleNotFoundError: No module named 'x'\n"),
        ..command(Output::default())
    };
    let found = judge([run(), run()], &dead);
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].probe, "start");
    assert!(
        found.differences[0]
            .to_string()
            .contains("No module named 'x'")
    );
    assert!(found.proven.is_empty());

    for kind in [Kind::Silent, Kind::NotStarted("cannot start /bin/x".into())] {
        let small = Observation {
            kind,
            ..command(Output::default())
        };
        assert!(matches!(
            judge([run(), run()], &small).verdict(),
            Verdict::Different(_)
        ));
    }
    // Alive, but it dies while it is asked.
    let small = Observation {
        own: output(139, "", ""),
        stop: None,
        ..run()
    };
    assert!(matches!(
        judge([run(), run()], &small).verdict(),
        Verdict::Different(_)
    ));
}

#[test]
fn another_port_is_another_service() {
    let listening = |port: u16| Observation {
        kind: Kind::Service { ports: vec![port] },
        ..service("", Vec::new())
    };
    assert_eq!(
        judge([listening(80), listening(80)], &listening(80)).verdict(),
        Verdict::Same
    );
    assert_ne!(
        judge([listening(80), listening(80)], &listening(81)).verdict(),
        Verdict::Same
    );
    // Chosen by the kernel.
    assert_eq!(
        judge([listening(40001), listening(40002)], &listening(40003)).verdict(),
        Verdict::Same
    );
}

#[test]
fn commands() {
    let runs = || {
        [
            command(output(0, "a 1\n", "note\n")),
            command(output(0, "a 1\n", "note\n")),
        ]
    };
    let what = |small: Output| -> Vec<String> {
        let found = judge(runs(), &command(small));
        found.differences.into_iter().map(|e| e.what).collect()
    };
    assert!(what(output(0, "a 1\n", "note\n")).is_empty());
    assert_eq!(what(output(1, "a 1\n", "note\n")), ["exit"]);
    assert_eq!(what(output(0, "a 2\n", "note\n")), ["output"]);
    assert_eq!(what(output(0, "a 1\n", "note\nwarning\n")), ["errors"]);
}

#[test]
fn tracebacks_without_library_source_are_the_same() {
    let with = "Traceback (most recent call last):\n  File \"/usr/lib/python3.11/x.py\", line 1, in f\n    g()\nE: no\n";
    let without = "Traceback (most recent call last):\n  File \"/usr/lib/python3.11/x.py\", line 1, in f\nE: no\n";
    let found = judge(
        [command(output(1, "", with)), command(output(1, "", with))],
        &command(output(1, "", without)),
    );
    assert_eq!(found.verdict(), Verdict::Same);
}

#[test]
fn logs_of_services() {
    let log = |text: &str| service(text, Vec::new());
    let runs = || {
        [
            log("start pid 7\nGET / from 127.0.0.1:4001\n"),
            log("start pid 7\nGET / from 127.0.0.1:4002\nreload\n"),
        ]
    };
    for (text, same) in [
        ("GET / from 127.0.0.1:5\nstart pid 9\n", true),
        (
            "start pid 7\nGET / from 127.0.0.1:1\nGET / from 127.0.0.1:2\n",
            true,
        ),
        (
            "start pid 7\nGET / from 127.0.0.1:1\nsomething else\n",
            true,
        ),
        (
            "start pid 7\nGET / from 127.0.0.1:1\nWarning: slow fallback\n",
            false,
        ),
        ("GET / from 127.0.0.1:1\n", false),
    ] {
        let found = judge(runs(), &log(text));
        assert_eq!(found.verdict() == Verdict::Same, same, "{text}: {found:?}");
    }
}

#[test]
fn stops() {
    let stopping = |exit: Option<Exit>, millis: u64| Observation {
        stop: Some(Stop {
            exit,
            elapsed: Duration::from_millis(millis),
        }),
        ..service("", Vec::new())
    };
    let clean = Some(Exit::Code(0));
    let runs = || [stopping(clean, 100), stopping(clean, 200)];
    for (small, what) in [
        (stopping(clean, 2500), None),
        (stopping(clean, 2700), Some("time")),
        (stopping(Some(Exit::Code(1)), 100), Some("exit")),
        (stopping(Some(Exit::Signal(15)), 100), Some("exit")),
        (stopping(None, 10_000), Some("exit")),
    ] {
        let found = judge(runs(), &small);
        assert_eq!(found.differences.first().map(|e| e.what.as_str()), what);
    }
}

#[test]
fn missing_paths_are_told_even_if_all_is_the_same() {
    let touch = |path: &str, access| Touch {
        path: path.into(),
        access,
    };
    let mut small = service("", Vec::new());
    small.trace = Trace::from([
        touch("/lib/lazy.so", Access::Missing),
        touch("/never/was", Access::Missing),
        touch("/lib/read.so", Access::Read),
    ]);
    let known = |path: &Path| path.starts_with("/lib");
    let runs = [service("", Vec::new()), service("", Vec::new())];
    let found = compare(&runs, &small, &known);
    assert!(found.differences.is_empty());
    assert_eq!(
        found.verdict(),
        Verdict::Missing(BTreeSet::from(["/lib/lazy.so".into()]))
    );
}

#[test]
fn agreement_by_chance_is_looked_at_again() {
    let run = |tags: &str| service("", vec![("/", response(200, &[], tags))]);
    let (ab, ba) = ("[\"a\",\"b\"]", "[\"b\",\"a\"]");
    let known = |_: &Path| false;

    let mut runs = vec![run(ab), run(ab)];
    let mut later = vec![run(ba), run(ab)];
    let mut again = || Ok::<_, ()>(later.pop().unwrap());
    let found = prove(&mut runs, &run(ba), &known, &mut again).unwrap();
    assert_eq!((found.verdict(), runs.len()), (Verdict::Same, 4));

    // What really differs stays different, after a bounded number of runs.
    let mut runs = vec![run(ab), run(ab)];
    let mut again = || Ok::<_, ()>(run(ba));
    let found = prove(&mut runs, &run("[\"x\",\"b\"]"), &known, &mut again).unwrap();
    assert_eq!((found.differences.len(), runs.len()), (1, MAX_RUNS));

    // One that does not start needs no second look.
    let mut runs = vec![run(ab), run(ab)];
    let dead = command(output(1, "", ""));
    let mut never = || Err::<Observation, _>("asked again");
    assert!(prove(&mut runs, &dead, &known, &mut never).is_ok());

    // Nor does one that answers nothing, of which one difference tells all.
    let pages = |answer: &Answer| vec![("/", answer.clone()), ("/a", answer.clone())];
    let mut runs: Vec<_> = [ab, ab]
        .map(|body| service("", pages(&response(200, &[], body))))
        .into();
    let mut mute = service(
        "",
        vec![("/", Answer::Failed("no whole answer in time".into()))],
    );
    mute.own.stderr = b"out of paper\n".to_vec();
    let found = prove(&mut runs, &mute, &known, &mut never).unwrap();
    let told: Vec<String> = found.differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["GET /: answer: expected one, got no whole answer in time\n  out of paper"]
    );
}

#[test]
fn a_question_asked_twice_has_two_answers() {
    let run = |second: &str| {
        let answers = ["n 1", second].map(|body| ("/", response(200, &[], body)));
        service("", answers.into())
    };
    assert_eq!(
        judge([run("n 2"), run("n 2")], &run("n 2")).verdict(),
        Verdict::Same
    );
    assert_ne!(
        judge([run("n 2"), run("n 2")], &run("n 3")).verdict(),
        Verdict::Same
    );
}

#[test]
fn what_the_original_reads_and_the_small_image_does_not_look_for_is_missing() {
    let reading = |paths: &[&str]| {
        let mut run = service("", Vec::new());
        run.trace = paths
            .iter()
            .map(|path| Touch {
                path: path.into(),
                access: Access::Read,
            })
            .collect();
        run
    };
    let known = |path: &Path| path.starts_with("/lib");
    let runs = [
        reading(&["/lib/uvloop.py", "/lib/once.py", "/tmp/made"]),
        reading(&["/lib/uvloop.py", "/tmp/made"]),
    ];
    let found = compare(&runs, &reading(&[]), &known);
    assert_eq!(found.missing, BTreeSet::from(["/lib/uvloop.py".into()]));
}
