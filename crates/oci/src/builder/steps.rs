//! Which step of a Dockerfile failed, read off the log of a build.
//!
//! Each builder has its own words: Docker's legacy one (`Step 2/4 : RUN …`),
//! BuildKit (`Dockerfile:3`, `>>> RUN …`), Podman and Buildah
//! (`[1/2] STEP 2/3: RUN …`).

use super::{FailedStep, last_words};

/// The step that a line of a log begins: `Step 2/4 : RUN …`.
pub fn step_of(line: &str) -> Option<&str> {
    let line = line.trim_end();
    let of_podman = |line: &str| line.starts_with("STEP ");
    let of_buildkit = || {
        let (number, rest) = line.strip_prefix('#')?.split_once(" [")?;
        (number.parse::<u32>().is_ok() && !rest.starts_with("internal]")).then_some(())
    };
    let begins = line.starts_with("Step ")
        || of_podman(line)
        || line
            .split_once("] ")
            .is_some_and(|(_, rest)| of_podman(rest))
        || of_buildkit().is_some();
    begins.then_some(line)
}

/// Reads the end of the log of a failed build of the Dockerfile `text`.
pub(super) fn failed(text: &str, log: &str) -> FailedStep {
    let mut step = syntax(log)
        .or_else(|| buildkit(log))
        .or_else(|| podman(text, log))
        .or_else(|| legacy(text, log))
        .unwrap_or_else(|| FailedStep {
            said: last_words(log),
            ..FailedStep::default()
        });
    for noise in ["Error response from daemon: ", "Error: ", "ERROR: "] {
        if let Some(rest) = step.said.strip_prefix(noise) {
            step.said = rest.to_owned();
        }
    }
    // Podman shows its own innards.
    if let Some((words, _)) = step.said.split_once(" &imagebuilder.") {
        step.said = words.to_owned();
    }
    step
}

/// `dockerfile parse error [on] line 2: unknown instruction: FOO`
fn syntax(log: &str) -> Option<FailedStep> {
    let line = log.lines().rfind(|line| line.contains("parse error"))?;
    let (_, rest) = line.split_once("parse error")?;
    let (_, rest) = rest.split_once("line ")?;
    let (number, said) = rest.split_once(':')?;
    Some(FailedStep {
        line: Some(number.trim().parse().ok()?),
        said: said.trim().to_owned(),
        ..FailedStep::default()
    })
}

fn legacy(text: &str, log: &str) -> Option<FailedStep> {
    let lines: Vec<&str> = log.lines().collect();
    let read = |line: &str| {
        let (number, instruction) = line.strip_prefix("Step ")?.split_once(" : ")?;
        let number: usize = number.split_once('/')?.0.parse().ok()?;
        Some((number, instruction.to_owned()))
    };
    let at = lines.iter().rposition(|line| read(line).is_some())?;
    let (number, instruction) = read(lines[at])?;
    let exit_code = number_after(log, "returned a non-zero code: ");
    let ours = [
        "The command '",
        " ---> ",
        "Removing intermediate container ",
    ];
    Some(FailedStep {
        line: instructions(text)
            .get(number.checked_sub(1)?)
            .map(|one| one.line),
        instruction: Some(squeezed(&instruction)),
        said: said(&lines[at + 1..], &ours),
        exit_code,
    })
}

fn podman(text: &str, log: &str) -> Option<FailedStep> {
    let lines: Vec<&str> = log.lines().collect();
    let read = |line: &str| {
        let (stage, rest) = match line.strip_prefix('[') {
            Some(rest) => {
                let (place, rest) = rest.split_once("] ")?;
                (place.split_once('/')?.0.parse().ok()?, rest)
            }
            None => (1, line),
        };
        let (number, instruction) = rest.strip_prefix("STEP ")?.split_once(": ")?;
        let number: usize = number.split_once('/')?.0.parse().ok()?;
        Some((stage, number, instruction.to_owned()))
    };
    let at = lines.iter().rposition(|line| read(line).is_some())?;
    let (stage, number, instruction): (usize, usize, _) = read(lines[at])?;
    let line = instructions(text)
        .into_iter()
        .filter(|one| one.stage == stage)
        .nth(number.checked_sub(1)?)
        .map(|one| one.line);
    let exit_code = number_after(log, "exit status ");
    let last = last_words(log);
    let said = match exit_code {
        // The engine's own complaint stands behind the step that it repeats.
        None => {
            let behind = last
                .split_once("building at STEP ")
                .and_then(|(_, rest)| rest.split_once("\": "));
            behind.map_or(last.as_str(), |(_, said)| said).to_owned()
        }
        Some(_) => said(&lines[at + 1..], &["Error: building at STEP ", "--> "]),
    };
    Some(FailedStep {
        line,
        instruction: Some(squeezed(&instruction)),
        said,
        exit_code,
    })
}

fn buildkit(log: &str) -> Option<FailedStep> {
    let problem = log
        .lines()
        .rfind(|line| line.contains("failed to solve: "))?;
    let (_, problem) = problem.split_once("failed to solve: ")?;
    let exit_code = number_after(problem, "exit code: ");
    // `   3 | >>> RUN false`
    let marked = log.lines().find_map(|line| {
        let (number, rest) = line.split_once(" | >>> ")?;
        Some((number.trim().parse().ok()?, squeezed(rest)))
    });
    // ` > [stage 2/3] RUN false:`, and what it printed.
    let mut quoted = log.lines().skip_while(|line| !line.starts_with(" > ["));
    let title = quoted
        .next()
        .and_then(|line| line.split_once("] "))
        .map(|(_, title)| squeezed(title.trim_end_matches(':')));
    let output: Vec<&str> = quoted
        .take_while(|line| !line.starts_with("------"))
        .map(without_time)
        .collect();
    let said = match exit_code {
        Some(_) => said(&output, &[]),
        None => problem.to_owned(),
    };
    Some(FailedStep {
        line: marked.as_ref().map(|(line, _)| *line),
        instruction: title.or(marked.map(|(_, text)| text)),
        said,
        exit_code,
    })
}

/// `0.512 E: Unable to locate package foo`, without the seconds.
fn without_time(line: &str) -> &str {
    match line.split_once(' ') {
        Some((time, rest)) if time.contains('.') && time.parse::<f64>().is_ok() => rest,
        _ => line,
    }
}

/// What a step said that is not the builder's: its first error, or else its
/// last words.
fn said(lines: &[&str], of_builder: &[&str]) -> String {
    let own = lines.iter().filter(|line| {
        let by_builder = of_builder.iter().any(|start| line.starts_with(start));
        !line.trim().is_empty() && !by_builder
    });
    let is_error = |line: &&&str| {
        line.starts_with("E: ") || line.starts_with("ERROR") || line.contains("error: ")
    };
    let line = own.clone().find(is_error).or_else(|| own.last());
    line.map_or("it failed without a word", |line| line.trim())
        .to_owned()
}

fn number_after(text: &str, words: &str) -> Option<i32> {
    let (_, rest) = text.rsplit_once(words)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    rest[..digits.unwrap_or(rest.len())].parse().ok()
}

/// One blank where there are several.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An instruction's place in the file.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    /// The number of its stage, from 1; 0 above the first `FROM`.
    stage: usize,
}

/// Where the instructions begin, in their order (docs.docker.com, "Dockerfile
/// reference", "Format", "Parser directives" and "Here-documents").
fn instructions(text: &str) -> Vec<Place> {
    let directive = text
        .lines()
        .map_while(|line| line.trim().strip_prefix('#'))
        .filter_map(|line| line.split_once('='))
        .any(|(name, value)| name.trim().eq_ignore_ascii_case("escape") && value.trim() == "`");
    let escape = if directive { '`' } else { '\\' };
    let mut places: Vec<Place> = Vec::new();
    let mut stage = 0;
    let mut goes_on = false;
    let mut documents: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(end) = documents.first() {
            if line.trim_start_matches('\t') == end {
                documents.remove(0);
            }
            continue;
        }
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let keyword = trimmed.split_whitespace().next().unwrap_or_default();
        if !goes_on {
            stage += usize::from(keyword.eq_ignore_ascii_case("FROM"));
            places.push(Place {
                line: number + 1,
                stage,
            });
        }
        goes_on = trimmed.ends_with(escape);
        let takes_documents = ["RUN", "COPY", "ADD"]
            .iter()
            .any(|one| keyword.eq_ignore_ascii_case(one));
        if takes_documents {
            documents.extend(document_ends(trimmed, text));
        }
    }
    places
}

/// The words that end the here-documents of a line.
fn document_ends(line: &str, text: &str) -> Vec<String> {
    let marks = line.split("<<").skip(1).map(|rest| {
        let rest = rest.trim_start_matches('-');
        let quoted = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
        let end = quoted.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        quoted[..end.unwrap_or(quoted.len())].to_owned()
    });
    // `$((1<<2))` begins no document.
    let ends = |word: &String| {
        text.lines()
            .any(|line| line.trim_start_matches('\t') == *word)
    };
    marks
        .filter(|word| !word.is_empty() && ends(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# escape=\\
ARG X=1

FROM debian AS a
RUN echo one && \\
  # a comment
  echo two
FROM a
COPY x /x
RUN false
";

    fn step(line: usize, instruction: &str, said: &str, exit_code: Option<i32>) -> FailedStep {
        FailedStep {
            line: Some(line),
            instruction: Some(instruction.to_owned()),
            said: said.to_owned(),
            exit_code,
        }
    }

    #[test]
    fn docker_without_buildkit() {
        let log = "\
Sending build context to Docker daemon  3.584kB
Step 1/6 : ARG X=1
Step 2/6 : FROM debian AS a
 ---> 3e57e636f59b
Step 3/6 : RUN echo one &&   echo two
 ---> Running in 5818ae8c0902
E: Unable to locate package foo
Removing intermediate container 5818ae8c0902
The command '/bin/sh -c echo one &&   echo two' returned a non-zero code: 100
";
        assert_eq!(
            failed(FILE, log),
            step(
                5,
                "RUN echo one && echo two",
                "E: Unable to locate package foo",
                Some(100)
            )
        );
        let log = "\
Step 5/6 : COPY x /x
COPY failed: file not found in build context or excluded by .dockerignore: stat x: file does not exist
";
        assert_eq!(
            failed(FILE, log),
            step(
                9,
                "COPY x /x",
                "COPY failed: file not found in build context or excluded by .dockerignore: \
                 stat x: file does not exist",
                None
            )
        );
        let log =
            "Error response from daemon: dockerfile parse error line 2: unknown instruction: FOO\n";
        assert_eq!(
            failed("FROM a\nFOO\n", log),
            FailedStep {
                line: Some(2),
                said: "unknown instruction: FOO".to_owned(),
                ..FailedStep::default()
            }
        );
        let log = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n";
        assert_eq!(failed(FILE, log).said, log.trim_end());
    }

    #[test]
    fn podman_and_buildah() {
        let log = "\
[1/2] STEP 1/2: FROM debian AS a
[1/2] STEP 2/2: RUN echo one &&   echo two
--> 7d942013f0a
[2/2] STEP 1/3: FROM a
[2/2] STEP 2/3: COPY x /x
[2/2] STEP 3/3: RUN false
/bin/sh: foo: not found
Error: building at STEP \"RUN false\": while running runtime: exit status 127
";
        assert_eq!(
            failed(FILE, log),
            step(10, "RUN false", "/bin/sh: foo: not found", Some(127))
        );
        let log = "\
STEP 1/2: FROM scratch
STEP 2/2: COPY nope /x
Error: building at STEP \"COPY nope /x\": checking on sources under \"/c\": copier: stat: \"/nope\": no such file or directory
";
        assert_eq!(
            failed("FROM scratch\n\nCOPY nope /x\n", log),
            step(
                3,
                "COPY nope /x",
                "checking on sources under \"/c\": copier: stat: \"/nope\": \
                 no such file or directory",
                None
            )
        );
    }

    #[test]
    fn buildkit_names_the_line_itself() {
        let log = "\
#6 [a 2/2] RUN apt-get install foo
#6 0.512 E: Unable to locate package foo
#6 ERROR: process \"/bin/sh -c apt-get install foo\" did not complete successfully: exit code: 100
------
 > [a 2/2] RUN apt-get install foo:
0.301 Reading package lists...
0.512 E: Unable to locate package foo
------
Dockerfile:7
--------------------
   5 |     FROM debian AS a
   6 |
   7 | >>> RUN apt-get install \\
   8 | >>>   foo
   9 |
--------------------
ERROR: failed to solve: process \"/bin/sh -c apt-get install foo\" did not complete successfully: exit code: 100
";
        assert_eq!(
            failed(FILE, log),
            step(
                7,
                "RUN apt-get install foo",
                "E: Unable to locate package foo",
                Some(100)
            )
        );
        let log = "\
Dockerfile:2
--------------------
   2 | >>> FROM nosuch:image
--------------------
ERROR: failed to solve: nosuch:image: failed to resolve source metadata: not found
";
        assert_eq!(
            failed(FILE, log),
            step(
                2,
                "FROM nosuch:image",
                "nosuch:image: failed to resolve source metadata: not found",
                None
            )
        );
    }

    #[test]
    fn a_compiler_says_more_after_its_error() {
        let lines = [
            " ---> Running in 5818ae8c0902",
            "x.c: In function 'main':",
            "x.c:2:39: error: expected expression before ';' token",
            "    2 |     return ;;",
            "      |            ^",
        ];
        assert_eq!(
            said(&lines, &[" ---> "]),
            "x.c:2:39: error: expected expression before ';' token"
        );
        assert_eq!(said(&lines[3..4], &[]), "2 |     return ;;");
    }

    #[test]
    fn beginnings_of_steps() {
        for line in [
            "Step 2/4 : RUN x",
            "STEP 1/2: FROM a",
            "[1/2] STEP 1/2: FROM a",
            "#6 [a 2/2] RUN x",
        ] {
            assert_eq!(step_of(line), Some(line));
        }
        for line in ["#1 [internal] load", "#6 0.5 [x]", " ---> 3e57", "Stepping"] {
            assert_eq!(step_of(line), None);
        }
    }

    #[test]
    fn here_documents_are_one_instruction() {
        let text = "FROM a\nRUN <<EOF\nRUN no\nEOF\nRUN echo $((1<<2))\nCMD x\n";
        let lines: Vec<usize> = instructions(text).iter().map(|one| one.line).collect();
        assert_eq!(lines, [1, 2, 5, 6]);
    }
}
