//! What a project's Dockerfile tells about the image that it makes: the
//! metadata of its final stage, and where it puts the project's files.

use std::path::Path;

use parse_dockerfile::{
    Command, Flag, HealthcheckArguments, Instruction, JsonOrStringArray, Source, Stage,
};
use serde_json::{Value, json};

use super::ProjectError;
use super::docker_words::{Variables, expand, pairs, split};
use crate::settings::Port;

/// A stage that is built on a stage that is built on ...: no more than this.
const MAX_STAGES: usize = 64;

/// The facts of the final stage, those that it inherits from earlier stages
/// included.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct DockerFacts {
    pub entrypoint: Option<Invocation>,
    pub cmd: Option<Invocation>,
    /// What `SHELL` set, for the shell forms.
    pub shell: Vec<String>,
    pub env: Vec<(String, String)>,
    pub workdir: Option<String>,
    pub expose: Vec<Port>,
    pub user: Option<String>,
    pub labels: Vec<(String, String)>,
    pub stop_signal: Option<String>,
    /// As the image configuration writes it.
    pub healthcheck: Option<Value>,
    pub volumes: Vec<String>,
    /// `COPY` and `ADD` from the project, in order.
    pub copies: Vec<Copy>,
    /// `COPY --from` of an earlier stage, with the paths that the project's files
    /// have here; no source where it is about something else.
    pub stage_copies: Vec<Copy>,
    /// The tag of the first `python:` image among all stages: `3.12-slim`.
    pub python_tag: Option<String>,
    /// Requirements files that a `RUN` of any stage names with `-r`.
    pub requirements: Vec<String>,
}

/// `CMD` or `ENTRYPOINT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    Exec(Vec<String>),
    Shell(String),
}

/// One `COPY` from the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Relative to the project, variables replaced.
    pub sources: Vec<String>,
    /// Absolute; ends in `/` where the Dockerfile's did.
    pub dest: String,
}

/// Reads a Dockerfile; `path` is for messages only.
pub fn parse(text: &str, path: &Path) -> Result<DockerFacts, ProjectError> {
    let fail = |problem: String| ProjectError::Syntax {
        path: path.to_owned(),
        problem,
    };
    let file = parse_dockerfile::parse(text).map_err(|error| fail(error.to_string()))?;
    let mut globals = Variables::new();
    for arg in file.global_args() {
        set_args(&arg.arguments.value, &mut globals);
    }
    let stages: Vec<Stage<'_, '_>> = file.stages().collect();
    let Some(last) = stages.len().checked_sub(1) else {
        return Err(fail("it has no FROM".to_owned()));
    };
    let mut facts = DockerFacts {
        shell: vec!["/bin/sh".to_owned(), "-c".to_owned()],
        ..DockerFacts::default()
    };
    for stage in &stages {
        let image = expand(&stage.from.image.value, &globals);
        if facts.python_tag.is_none() {
            facts.python_tag = python_tag(&image);
        }
        facts.requirements.extend(requirements(stage));
    }
    let mut variables = Variables::new();
    for index in lineage(&stages, last, &globals) {
        for instruction in stages[index].instructions {
            apply(instruction, &mut facts, &mut variables, &globals);
            if let Instruction::Copy(copy) = instruction {
                let workdir = facts.workdir.clone();
                let place = (copy.dest.value.as_ref(), workdir.as_deref());
                let found =
                    stage_copy(&stages[..last], &copy.options, &copy.src, place, &variables);
                facts.stage_copies.extend(found);
            }
        }
    }
    Ok(facts)
}

/// What `COPY --from=STAGE` takes, as paths of the project: an earlier stage has
/// the project in its working directory.
fn stage_copy(
    stages: &[Stage<'_, '_>],
    options: &[Flag<'_>],
    sources: &[Source<'_>],
    (dest, workdir): (&str, Option<&str>),
    variables: &Variables,
) -> Option<Copy> {
    let from = options.iter().find(|flag| flag.name.value == "from")?;
    let name = expand(&from.value.as_ref()?.value, variables);
    let by_name = |stage: &Stage<'_, '_>| {
        let known = stage.from.as_.as_ref();
        known.is_some_and(|(_, known)| known.value.eq_ignore_ascii_case(&name))
    };
    let index = stages
        .iter()
        .position(by_name)
        .or_else(|| name.parse().ok());
    let home = index.and_then(|index| workdir_of(stages, index))?;
    let home = whit_oci::ImagePath::clamped(&home);
    let sources = sources.iter().filter_map(|source| {
        let Source::Path(path) = source else {
            return None;
        };
        let path = whit_oci::ImagePath::clamped(expand(&path.value, variables));
        match std::str::from_utf8(path.strip_prefix(&home)?).ok()? {
            "" => Some(".".to_owned()),
            below => Some(below.to_owned()),
        }
    });
    let sources: Vec<String> = sources.collect();
    let dest = expand(dest, variables);
    let mut full = absolute(&dest, workdir);
    if dest.ends_with('/') || dest == "." {
        full.push('/');
    }
    Some(Copy {
        sources,
        dest: full,
    })
}

/// The working directory at the end of a stage.
fn workdir_of(stages: &[Stage<'_, '_>], index: usize) -> Option<String> {
    let stage = stages.get(index)?;
    let mut workdir = None;
    for instruction in stage.instructions {
        if let Instruction::Workdir(found) = instruction {
            let dir = expand(found.arguments.value.trim(), &Variables::new());
            workdir = Some(absolute(&dir, workdir.as_deref()));
        }
    }
    // Without one, `COPY . .` fills the root, or Go's and Cargo's images' own.
    Some(workdir.unwrap_or_else(|| "/".to_owned()))
}

/// The stages that make up stage `last`, the lowest first.
fn lineage(stages: &[Stage<'_, '_>], last: usize, globals: &Variables) -> Vec<usize> {
    let mut chain = vec![last];
    let mut at = last;
    while chain.len() < MAX_STAGES {
        let image = expand(&stages[at].from.image.value, globals);
        // A stage can only be built on an earlier one.
        let parent = stages[..at].iter().rposition(|stage| {
            stage
                .from
                .as_
                .as_ref()
                .is_some_and(|(_, name)| name.value.eq_ignore_ascii_case(&image))
        });
        match parent {
            Some(parent) => {
                chain.push(parent);
                at = parent;
            }
            None => break,
        }
    }
    chain.reverse();
    chain
}

fn set_args(text: &str, variables: &mut Variables) {
    for (name, value) in pairs(text, variables) {
        if let Some(value) = value {
            variables.insert(name, value);
        }
    }
}

fn apply(
    instruction: &Instruction<'_>,
    facts: &mut DockerFacts,
    variables: &mut Variables,
    globals: &Variables,
) {
    match instruction {
        Instruction::Arg(arg) => {
            for (name, value) in pairs(&arg.arguments.value, variables) {
                // `ENV` wins over an `ARG` of the same name.
                let is_env = facts.env.iter().any(|(known, _)| *known == name);
                if let Some(value) = value.or_else(|| globals.get(&name).cloned())
                    && !is_env
                {
                    variables.insert(name, value);
                }
            }
        }
        Instruction::Env(env) => {
            for (name, value) in pairs(&env.arguments.value, variables) {
                let value = value.unwrap_or_default();
                variables.insert(name.clone(), value.clone());
                put(&mut facts.env, name, value);
            }
        }
        Instruction::Label(label) => {
            for (name, value) in pairs(&label.arguments.value, variables) {
                put(&mut facts.labels, name, value.unwrap_or_default());
            }
        }
        Instruction::Workdir(workdir) => {
            let dir = expand(workdir.arguments.value.trim(), variables);
            facts.workdir = Some(absolute(&dir, facts.workdir.as_deref()));
        }
        Instruction::Expose(expose) => {
            for word in &expose.arguments {
                facts.expose.extend(ports(&expand(&word.value, variables)));
            }
        }
        Instruction::User(user) => {
            let user = expand(user.arguments.value.trim(), variables);
            facts.user = Some(user).filter(|user| !user.is_empty());
        }
        Instruction::Stopsignal(signal) => {
            facts.stop_signal = Some(expand(signal.arguments.value.trim(), variables));
        }
        Instruction::Volume(volume) => {
            let list = match &volume.arguments {
                JsonOrStringArray::Json(list) => &list.value,
                JsonOrStringArray::String(list) => list,
            };
            facts
                .volumes
                .extend(list.iter().map(|word| expand(&word.value, variables)));
        }
        Instruction::Shell(shell) => {
            facts.shell = shell
                .arguments
                .iter()
                .map(|word| word.value.to_string())
                .collect();
        }
        Instruction::Cmd(cmd) => facts.cmd = invocation(&cmd.arguments),
        Instruction::Entrypoint(entrypoint) => {
            facts.entrypoint = invocation(&entrypoint.arguments);
        }
        Instruction::Healthcheck(check) => {
            facts.healthcheck = healthcheck(&check.options, &check.arguments);
        }
        Instruction::Copy(copy) => {
            facts.copies.extend(context_copy(
                &copy.options,
                &copy.src,
                &copy.dest.value,
                facts.workdir.as_deref(),
                variables,
            ));
        }
        Instruction::Add(add) => {
            facts.copies.extend(context_copy(
                &add.options,
                &add.src,
                &add.dest.value,
                facts.workdir.as_deref(),
                variables,
            ));
        }
        _ => {}
    }
}

fn put(pairs: &mut Vec<(String, String)>, name: String, value: String) {
    match pairs.iter_mut().find(|(known, _)| *known == name) {
        Some(pair) => pair.1 = value,
        None => pairs.push((name, value)),
    }
}

/// `path` below `base` (`/` if there is none), unless it is absolute.
fn absolute(path: &str, base: Option<&str>) -> String {
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{path}", base.unwrap_or("/")),
    };
    whit_oci::ImagePath::clamped(&path).to_string()
}

/// `8000`, `8000/udp` or `8000-8010`; a range has at most 100 ports here.
fn ports(text: &str) -> Vec<Port> {
    let (range, protocol) = match text.split_once('/') {
        Some((range, protocol)) => (range, Some(protocol)),
        None => (text, None),
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
        return Vec::new();
    };
    (first..=last)
        .take(100)
        .filter_map(|number| match protocol {
            Some(protocol) => format!("{number}/{protocol}").parse().ok(),
            None => number.to_string().parse().ok(),
        })
        .collect()
}

fn invocation(command: &Command<'_>) -> Option<Invocation> {
    match command {
        Command::Exec(words) => Some(Invocation::Exec(
            words
                .value
                .iter()
                .map(|word| word.value.to_string())
                .collect(),
        )),
        Command::Shell(text) => Some(Invocation::Shell(join_lines(text.value))),
        _ => None,
    }
}

/// The parser leaves line continuations in shell forms.
fn join_lines(text: &str) -> String {
    let mut joined = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        joined.push_str(line.strip_suffix('\\').unwrap_or(line).trim_end());
        joined.push(' ');
    }
    joined.trim().to_owned()
}

fn healthcheck(options: &[Flag<'_>], arguments: &HealthcheckArguments<'_>) -> Option<Value> {
    let test = match arguments {
        HealthcheckArguments::None { .. } => json!(["NONE"]),
        HealthcheckArguments::Cmd { arguments, .. } => match invocation(arguments)? {
            Invocation::Exec(words) => {
                let mut test = vec!["CMD".to_owned()];
                test.extend(words);
                json!(test)
            }
            Invocation::Shell(text) => json!(["CMD-SHELL", text]),
        },
        _ => return None,
    };
    let mut check = json!({ "Test": test });
    for option in options {
        let Some(value) = &option.value else { continue };
        let (key, number) = match option.name.value.as_ref() {
            "interval" => ("Interval", nanoseconds(&value.value)),
            "timeout" => ("Timeout", nanoseconds(&value.value)),
            "start-period" => ("StartPeriod", nanoseconds(&value.value)),
            "start-interval" => ("StartInterval", nanoseconds(&value.value)),
            "retries" => ("Retries", value.value.parse().ok()),
            _ => continue,
        };
        if let Some(number) = number {
            check[key] = json!(number);
        }
    }
    Some(check)
}

/// Go's durations: `1m30s`, `500ms`, `1.5h`.
fn nanoseconds(text: &str) -> Option<u64> {
    let mut total = 0f64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let (unit, factor) = [
            ("ns", 1f64),
            ("us", 1e3),
            ("ms", 1e6),
            ("s", 1e9),
            ("m", 60e9),
            ("h", 3600e9),
        ]
        .into_iter()
        .find(|(unit, _)| rest.starts_with(unit))?;
        total += number * factor;
        rest = &rest[unit.len()..];
    }
    Some(total as u64)
}

fn context_copy(
    options: &[Flag<'_>],
    sources: &[Source<'_>],
    dest: &str,
    workdir: Option<&str>,
    variables: &Variables,
) -> Option<Copy> {
    if options.iter().any(|flag| flag.name.value == "from") {
        return None;
    }
    let mut paths = Vec::new();
    for source in sources {
        match source {
            Source::Path(path) => {
                let path = expand(&path.value, variables);
                if !path.contains("://") && !path.starts_with("git@") {
                    paths.push(path);
                }
            }
            _ => continue,
        }
    }
    let dest = expand(dest, variables);
    let mut full = absolute(&dest, workdir);
    if (dest.ends_with('/') || dest.ends_with("/.") || dest == ".") && !full.ends_with('/') {
        full.push('/');
    }
    (!paths.is_empty()).then_some(Copy {
        sources: paths,
        dest: full,
    })
}

/// `3.12-slim` of `python:3.12-slim`, `docker.io/library/python:3.12@sha256:..`
fn python_tag(image: &str) -> Option<String> {
    let image = image.split('@').next().unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    let tag = name.strip_prefix("python:")?;
    tag.contains("3.").then(|| tag.to_owned())
}

/// The files that `pip install -r FILE` and its kin name.
fn requirements(stage: &Stage<'_, '_>) -> Vec<String> {
    let mut found = Vec::new();
    for instruction in stage.instructions {
        let Instruction::Run(run) = instruction else {
            continue;
        };
        let words: Vec<String> = match invocation(&run.arguments) {
            Some(Invocation::Exec(words)) => words,
            Some(Invocation::Shell(text)) => split(&text),
            None => continue,
        };
        if !words.iter().any(|word| word == "install" || word == "sync") {
            continue;
        }
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let file = match word.as_str() {
                "-r" | "--requirement" => words.next(),
                word => word
                    .strip_prefix("--requirement=")
                    .or_else(|| word.strip_prefix("-r"))
                    .map(str::to_owned),
            };
            found.extend(file);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> DockerFacts {
        parse(text, Path::new("Dockerfile")).unwrap()
    }

    #[test]
    fn what_the_last_stage_takes_of_the_project_from_another() {
        let found = facts(
            "FROM golang AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /out/server\n\
             FROM scratch\nCOPY --from=build /out/server /server\n\
             COPY --from=build /src/static /static\nCOPY --from=0 /src/ /all/\n\
             COPY --from=example.org/x /y /z\nENTRYPOINT [\"/server\"]\n",
        );
        let copies: Vec<(&[String], &str)> = found
            .stage_copies
            .iter()
            .map(|copy| (copy.sources.as_slice(), copy.dest.as_str()))
            .collect();
        assert_eq!(
            copies,
            [
                (&[][..], "/server"),
                (&["static".to_owned()][..], "/static"),
                (&[".".to_owned()][..], "/all/"),
            ]
        );
        assert!(found.copies.is_empty());
    }

    #[test]
    fn the_final_stage_with_what_it_inherits() {
        let facts = facts(
            r#"
ARG PY=3.12
FROM python:${PY}-slim AS base
ENV A=1 PATH="/opt/x/bin:$PATH"
WORKDIR /code
FROM node:20 AS web
RUN npm ci
ENV NOT=here
FROM base AS final
ARG PORT=9000
WORKDIR sub
ENV B="$A b" PORT=$PORT
COPY --from=web /dist ./static
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt && \
    echo done
COPY ./app ./app
EXPOSE $PORT 53/udp
USER 1000:1000
LABEL org.x="y z" v=1
STOPSIGNAL SIGINT
VOLUME ["/data"]
HEALTHCHECK --interval=1m30s --retries=2 CMD curl -f http://localhost/ \
   || exit 1
ENTRYPOINT ["python", "-m"]
CMD ["app"]
"#,
        );
        assert_eq!(facts.python_tag.as_deref(), Some("3.12-slim"));
        assert_eq!(facts.workdir.as_deref(), Some("/code/sub"));
        let env: Vec<String> = facts.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(env, ["A=1", "PATH=/opt/x/bin:", "B=1 b", "PORT=9000"]);
        assert_eq!(facts.user.as_deref(), Some("1000:1000"));
        let ports: Vec<String> = facts.expose.iter().map(Port::to_string).collect();
        assert_eq!(ports, ["9000/tcp", "53/udp"]);
        assert_eq!(facts.labels[0], ("org.x".into(), "y z".into()));
        assert_eq!(facts.stop_signal.as_deref(), Some("SIGINT"));
        assert_eq!(facts.volumes, ["/data"]);
        assert_eq!(
            facts.healthcheck.unwrap(),
            json!({"Test": ["CMD-SHELL", "curl -f http://localhost/ || exit 1"],
                   "Interval": 90_000_000_000u64, "Retries": 2})
        );
        assert_eq!(
            facts.entrypoint,
            Some(Invocation::Exec(vec!["python".into(), "-m".into()]))
        );
        assert_eq!(facts.requirements, ["requirements.txt"]);
        assert_eq!(
            facts.copies,
            [
                Copy {
                    sources: vec!["requirements.txt".into()],
                    dest: "/code/sub/".into()
                },
                Copy {
                    sources: vec!["./app".into()],
                    dest: "/code/sub/app".into()
                },
            ]
        );
    }

    #[test]
    fn shell_form_and_here_documents() {
        let facts = facts(
            "FROM python:3\nCOPY <<EOF /etc/x\nhello\nEOF\nCMD exec gunicorn app:app \\\n  -b :$PORT\n",
        );
        assert_eq!(
            facts.cmd,
            Some(Invocation::Shell("exec gunicorn app:app -b :$PORT".into()))
        );
        assert_eq!(facts.copies, []);
    }

    #[test]
    fn what_is_no_dockerfile() {
        for text in ["", "hello", "RUN x\n", "ARG A\n"] {
            assert!(parse(text, Path::new("Dockerfile")).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(nanoseconds("500ms"), Some(500_000_000));
        assert_eq!(nanoseconds("1.5h"), Some(5_400_000_000_000));
        assert_eq!(nanoseconds("5"), None);
    }
}
