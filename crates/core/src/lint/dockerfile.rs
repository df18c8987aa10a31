//! A Dockerfile as the rules see it: steps of stages, and which of them end
//! in the final image.

use std::collections::BTreeSet;
use std::ops::Range;

use parse_dockerfile::{Command as Words, Flag, Instruction, RunInstruction, Source};

use super::LintError;
use super::heredoc::{self, HereDoc};
use super::script::{Script, is_posix};
use crate::source::project::docker_words::{Variables, expand, pairs};

/// A Dockerfile and the stages that its final image consists of.
#[derive(Debug)]
pub struct Dockerfile {
    pub stages: Vec<Stage>,
    /// All steps, in the file's order.
    pub steps: Vec<Step>,
    /// The stages that end in the final image, the lowest first.
    pub chain: Vec<usize>,
}

#[derive(Debug, Clone)]
pub struct Stage {
    pub name: Option<String>,
    /// The image or stage that it begins with, variables replaced.
    pub base: String,
    /// Where the base is written.
    pub base_place: Range<usize>,
    /// The stage that it begins with, if it is one.
    pub parent: Option<usize>,
    pub line: usize,
    /// What `# whit: ignore=` above its `FROM` names.
    pub ignored: BTreeSet<String>,
}

/// An instruction of a stage, and the state that it finds.
#[derive(Debug, Clone)]
pub struct Step {
    pub stage: usize,
    pub line: usize,
    /// From its keyword to its last argument.
    pub place: Range<usize>,
    pub kind: Kind,
    pub ignored: BTreeSet<String>,
    /// `ENV` and `ARG` so far.
    pub variables: Variables,
    pub workdir: String,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Run(Run),
    Copy(Copy),
    /// `CMD` or `ENTRYPOINT`: its words.
    Start(Vec<String>),
    Workdir,
    Other,
}

#[derive(Debug, Clone)]
pub struct Run {
    pub script: Script,
    pub mounts: Vec<Mount>,
    /// False if there are here-documents or options, which no other command
    /// line may join.
    pub plain: bool,
}

/// A `RUN --mount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub kind: String,
    pub target: String,
}

/// A `COPY` or `ADD`.
#[derive(Debug, Clone)]
pub struct Copy {
    pub is_add: bool,
    /// Where its keyword ends.
    pub keyword_end: usize,
    pub from: Option<String>,
    pub has_owner: bool,
    pub sources: Vec<String>,
    /// Absolute; ends in `/` if it names a folder for sure.
    pub dest: String,
}

impl Copy {
    pub fn is_from_context(&self) -> bool {
        self.from.is_none()
    }

    /// Where a source goes.
    pub fn target(&self, source: &str) -> String {
        match self.dest.strip_suffix('/') {
            Some(folder) => format!("{folder}/{}", source.rsplit('/').next().unwrap_or(source)),
            None => self.dest.clone(),
        }
    }
}

impl Dockerfile {
    /// Reads a Dockerfile; `target` names the final stage, if it is not the
    /// last.
    pub fn parse(text: &str, target: Option<&str>) -> Result<Self, LintError> {
        let escape = escape(text);
        let documents = heredoc::find(text, escape);
        let masked = heredoc::mask(text, &documents);
        let file = parse_dockerfile::parse(&masked).map_err(LintError::syntax)?;
        let mut reader = Reader {
            text,
            escape,
            documents,
            globals: Variables::new(),
            file: Self {
                stages: Vec::new(),
                steps: Vec::new(),
                chain: Vec::new(),
            },
            ends: Vec::new(),
            state: State::default(),
        };
        for instruction in &file.instructions {
            reader.instruction(instruction);
        }
        reader.finish();
        let mut file = reader.file;
        let last = match target {
            None => file.stages.len().checked_sub(1),
            Some(name) => file.stages.iter().position(|stage| {
                let named = |own: &String| own.eq_ignore_ascii_case(name);
                stage.name.as_ref().is_some_and(named)
            }),
        };
        let Some(last) = last else {
            return Err(LintError::NoStage {
                name: target.unwrap_or_default().to_owned(),
                stages: file.stages.into_iter().filter_map(|s| s.name).collect(),
            });
        };
        let mut at = Some(last);
        while let Some(stage) = at {
            file.chain.push(stage);
            // A stage begins with an earlier one, so that this ends.
            at = file.stages[stage].parent;
        }
        file.chain.reverse();
        Ok(file)
    }

    /// The steps that end in the final image, with their index.
    pub fn final_steps(&self) -> impl Iterator<Item = (usize, &Step)> {
        let steps = self.steps.iter().enumerate();
        // Stages begin with earlier ones: the file's order is the chain's.
        steps.filter(|(_, step)| self.chain.contains(&step.stage))
    }

    /// The `RUN`s that end in the final image.
    pub fn final_runs(&self) -> impl Iterator<Item = (usize, &Step, &Run)> {
        self.final_steps()
            .filter_map(|(at, step)| match &step.kind {
                Kind::Run(run) => Some((at, step, run)),
                _ => None,
            })
    }

    /// The stage that is the image, and the one with the outside base.
    pub fn top(&self) -> Option<&Stage> {
        self.chain.last().map(|at| &self.stages[*at])
    }

    pub fn bottom(&self) -> Option<&Stage> {
        self.chain.first().map(|at| &self.stages[*at])
    }
}

/// What the parser does not tell: the `escape` directive (docs.docker.com,
/// "Dockerfile reference", "Parser directives").
fn escape(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    for (name, value) in directives.map_while(|line| line.split_once('=')) {
        if name.trim().eq_ignore_ascii_case("escape") && value.trim() == "`" {
            return '`';
        }
    }
    '\\'
}

#[derive(Debug, Clone)]
struct State {
    variables: Variables,
    workdir: String,
    posix: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            variables: Variables::new(),
            workdir: "/".to_owned(),
            posix: true,
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    escape: char,
    documents: Vec<HereDoc>,
    globals: Variables,
    file: Dockerfile,
    /// The state at the end of each stage.
    ends: Vec<State>,
    state: State,
}

impl Reader<'_> {
    fn instruction(&mut self, instruction: &Instruction<'_>) {
        let (place, kind) = match instruction {
            Instruction::From(from) => return self.from(from),
            Instruction::Arg(arg) => {
                return self.arg(&arg.arguments.value);
            }
            Instruction::Env(env) => {
                for (name, value) in pairs(&env.arguments.value, &self.state.variables) {
                    let value = value.unwrap_or_default();
                    self.state.variables.insert(name, value);
                }
                (env.env.span.start..env.arguments.span.end, Kind::Other)
            }
            Instruction::Workdir(workdir) => {
                let dir = expand(workdir.arguments.value.trim(), &self.state.variables);
                self.state.workdir = absolute(&dir, &self.state.workdir);
                let place = workdir.workdir.span.start..workdir.arguments.span.end;
                (place, Kind::Workdir)
            }
            Instruction::Shell(shell) => {
                let words: Vec<String> = shell
                    .arguments
                    .iter()
                    .map(|word| word.value.to_string())
                    .collect();
                self.state.posix = is_posix(&words);
                (shell.shell.span.clone(), Kind::Other)
            }
            Instruction::Run(run) => self.run(run),
            Instruction::Copy(copy) => {
                let keyword = copy.copy.span.clone();
                self.copy(false, keyword, &copy.options, &copy.src, &copy.dest)
            }
            Instruction::Add(add) => {
                let keyword = add.add.span.clone();
                self.copy(true, keyword, &add.options, &add.src, &add.dest)
            }
            Instruction::Cmd(cmd) => (cmd.cmd.span.clone(), start(&cmd.arguments)),
            Instruction::Entrypoint(entry) => {
                (entry.entrypoint.span.clone(), start(&entry.arguments))
            }
            // `ONBUILD` runs in the images that are built on this one.
            _ => return,
        };
        let Some(stage) = self.file.stages.len().checked_sub(1) else {
            return;
        };
        self.file.steps.push(Step {
            stage,
            line: self.line(place.start),
            ignored: self.ignored(place.start),
            place,
            kind,
            variables: self.state.variables.clone(),
            workdir: self.state.workdir.clone(),
        });
    }

    fn from(&mut self, from: &parse_dockerfile::FromInstruction<'_>) {
        self.finish();
        let base = expand(&from.image.value, &self.globals);
        let parent = self.file.stages.iter().rposition(|stage| {
            let named = |name: &String| name.eq_ignore_ascii_case(&base);
            stage.name.as_ref().is_some_and(named)
        });
        self.state = parent.map(|at| self.ends[at].clone()).unwrap_or_default();
        if parent.is_none() && is_windows(&base) {
            self.state.posix = false;
        }
        self.file.stages.push(Stage {
            name: from.as_.as_ref().map(|(_, name)| name.value.to_string()),
            base,
            base_place: from.image.span.clone(),
            parent,
            line: self.line(from.from.span.start),
            ignored: self.ignored(from.from.span.start),
        });
    }

    /// Puts the state of the stage that ends here aside.
    fn finish(&mut self) {
        if self.ends.len() < self.file.stages.len() {
            self.ends.push(std::mem::take(&mut self.state));
        }
    }

    fn arg(&mut self, text: &str) {
        let outside = self.file.stages.is_empty();
        let known = if outside {
            &self.globals
        } else {
            &self.state.variables
        };
        for (name, value) in pairs(text, known) {
            let value = value.or_else(|| self.globals.get(&name).cloned());
            let Some(value) = value else { continue };
            let variables = if outside {
                &mut self.globals
            } else {
                &mut self.state.variables
            };
            variables.entry(name).or_insert(value);
        }
    }

    fn run(&self, run: &RunInstruction<'_>) -> (Range<usize>, Kind) {
        let start = run.run.span.start;
        let mut mounts = Vec::new();
        for option in &run.options {
            if option.name.value == "mount"
                && let Some(value) = &option.value
            {
                mounts.push(mount(&expand(&value.value, &self.state.variables)));
            }
        }
        let (place, script, plain) = match &run.arguments {
            Words::Exec(words) => {
                let list = words.value.iter().map(|word| word.value.to_string());
                (words.span.clone(), Script::exec(list.collect()), false)
            }
            Words::Shell(line) => self.shell_form(&line.span),
            _ => (run.run.span.clone(), Script::default(), false),
        };
        let run = Run {
            script,
            mounts,
            plain: plain && run.options.is_empty(),
        };
        (start..place.end, Kind::Run(run))
    }

    /// A command line, or the here-document that it hands to a shell.
    fn shell_form(&self, line: &Range<usize>) -> (Range<usize>, Script, bool) {
        let mut documents = self
            .documents
            .iter()
            .filter(|document| line.contains(&document.mark))
            .peekable();
        let Some(first) = documents.peek().copied() else {
            let script = match self.state.posix {
                true => Script::line(self.text, line.clone(), self.escape),
                false => Script::default(),
            };
            return (line.clone(), script, true);
        };
        let end = documents.last().map_or(line.end, |last| last.body.end);
        let before = self.text[line.start..first.mark].trim();
        let by_shell = match before.is_empty() {
            true => self.state.posix,
            false => is_posix(&[before
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()]),
        };
        let body = &self.text[first.body.clone()];
        let other = body.starts_with("#!")
            && !is_posix(&[body.lines().next().unwrap_or_default().to_owned()]);
        let script = if by_shell && !other {
            Script::here_doc(self.text, first.body.clone())
        } else if self.state.posix && !before.is_empty() {
            Script::line(self.text, line.clone(), self.escape)
        } else {
            Script::default()
        };
        (line.start..end, script, false)
    }

    fn copy(
        &self,
        is_add: bool,
        keyword: Range<usize>,
        options: &[Flag<'_>],
        sources: &[Source<'_>],
        dest: &parse_dockerfile::UnescapedString<'_>,
    ) -> (Range<usize>, Kind) {
        let variables = &self.state.variables;
        let option = |name: &str| options.iter().find(|flag| flag.name.value == name);
        let from = option("from").and_then(|flag| flag.value.as_ref());
        let paths = sources.iter().filter_map(|source| match source {
            Source::Path(path) => Some(expand(&path.value, variables)),
            _ => None,
        });
        let written = expand(&dest.value, variables);
        let mut full = absolute(&written, &self.state.workdir);
        let is_folder = written.ends_with('/') || written == "." || written.ends_with("/.");
        if is_folder && !full.ends_with('/') {
            full.push('/');
        }
        let copy = Copy {
            is_add,
            keyword_end: keyword.end,
            from: from.map(|value| expand(&value.value, variables)),
            has_owner: option("chown").is_some(),
            sources: paths.collect(),
            dest: full,
        };
        (keyword.start..dest.span.end, Kind::Copy(copy))
    }

    fn line(&self, at: usize) -> usize {
        1 + memchr::memchr_iter(b'\n', &self.text.as_bytes()[..at]).count()
    }

    /// The rules that `# whit: ignore=A,B` names in the comments right above.
    fn ignored(&self, at: usize) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let above = self.text[..at].trim_end_matches([' ', '\t']);
        for line in above.lines().rev() {
            let Some(comment) = line.trim().strip_prefix('#') else {
                break;
            };
            let Some(list) = comment.trim().strip_prefix("whit:") else {
                continue;
            };
            let Some(list) = list.trim().strip_prefix("ignore=") else {
                continue;
            };
            let list = list.split_whitespace().next().unwrap_or_default();
            names.extend(list.split(',').map(str::to_owned));
        }
        names
    }
}

fn start(words: &Words<'_>) -> Kind {
    Kind::Start(match words {
        Words::Exec(words) => words
            .value
            .iter()
            .map(|word| word.value.to_string())
            .collect(),
        Words::Shell(text) => text.value.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    })
}

fn mount(text: &str) -> Mount {
    let mut mount = Mount {
        kind: "bind".to_owned(),
        target: String::new(),
    };
    for (name, value) in text.split(',').filter_map(|part| part.split_once('=')) {
        match name {
            "type" => mount.kind = value.to_owned(),
            "target" | "dst" | "destination" => mount.target = value.to_owned(),
            _ => {}
        }
    }
    mount
}

/// Windows has no POSIX shell unless `SHELL` says so.
fn is_windows(base: &str) -> bool {
    ["windows", "nanoserver", "servercore"]
        .iter()
        .any(|word| base.contains(word))
}

/// `path` below `base`, unless it is absolute.
pub fn absolute(path: &str, base: &str) -> String {
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{base}/{path}"),
    };
    format!(
        "/{}",
        whit_oci::ImagePath::clamped(&path)
            .to_string()
            .trim_matches('/')
    )
}
