//! The commands of a `RUN`, with their places in the file, and where to put
//! one more.

use std::ops::Range;

use super::finding::Edit;
use crate::reach::shell::{Script as Shell, Token, Tokens};

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What is run: `apt-get` of `sudo /usr/bin/apt-get`, `pip` of
    /// `python3.11 -m pip`.
    pub program: String,
    pub args: Vec<String>,
    /// Where the arguments are in the file; empty if they cannot be edited.
    places: Vec<Range<usize>>,
}

impl Command {
    /// `words` as written, and where they are. `None` without a program.
    fn new(mut words: Vec<String>, mut places: Vec<Range<usize>>) -> Option<Self> {
        let mut used = prefix(&words);
        let program = name(words.get(used)?);
        let module = words.get(used + 1).is_some_and(|word| word == "-m");
        let program = match (program.starts_with("python"), module) {
            (true, true) if words.len() > used + 2 => {
                used += 2;
                words[used].clone()
            }
            _ => program,
        };
        words.drain(..=used);
        places.drain(..places.len().min(used + 1));
        Some(Self {
            program,
            args: words,
            places,
        })
    }

    pub fn is(&self, programs: &[&str]) -> bool {
        programs.contains(&self.program.as_str())
    }

    pub fn has(&self, flags: &[&str]) -> bool {
        self.args.iter().any(|arg| {
            let name = arg.split_once('=').map_or(arg.as_str(), |(name, _)| name);
            flags.contains(&arg.as_str()) || flags.contains(&name)
        })
    }

    /// Where among the arguments the verb is, if it is one of these: the
    /// first argument that is neither an option nor the value of one.
    pub fn verb(&self, verbs: &[&str]) -> Option<usize> {
        let at = self.operands().next()?;
        verbs.contains(&self.args[at].as_str()).then_some(at)
    }

    /// What the verb at `verb` is about: arguments that are no options.
    pub fn operands_after(&self, verb: usize) -> impl Iterator<Item = &str> {
        self.operands()
            .filter(move |at| *at > verb)
            .map(|at| self.args[at].as_str())
    }

    fn operands(&self) -> impl Iterator<Item = usize> {
        /// Options with a value of their own, of the programs that rules know.
        const VALUED: [&str; 17] = [
            "-o",
            "-t",
            "--target-release",
            "--default-release",
            "--virtual",
            "--prefix",
            "-C",
            "--cwd",
            "--repository",
            "-X",
            "-c",
            "-n",
            "--name",
            "-r",
            "--requirement",
            "--loglevel",
            "--index-url",
        ];
        let mut value = false;
        self.args.iter().enumerate().filter_map(move |(at, arg)| {
            let is_value = std::mem::replace(&mut value, VALUED.contains(&arg.as_str()));
            (!is_value && !arg.starts_with('-') && !arg.starts_with('+')).then_some(at)
        })
    }

    /// The values of an option: `-r FILE`, `--requirement=FILE`, `-rFILE`.
    pub fn values(&self, short: &str, long: &str) -> Vec<&str> {
        let mut values = Vec::new();
        for (at, arg) in self.args.iter().enumerate() {
            if arg == short || arg == long {
                values.extend(self.args.get(at + 1).map(String::as_str));
            } else if let Some(value) = arg.strip_prefix(long).and_then(|v| v.strip_prefix('=')) {
                values.push(value);
            } else if !arg.starts_with("--") && short.len() == 2 && arg.len() > 2 {
                values.extend(arg.strip_prefix(short));
            }
        }
        values
    }

    /// Puts a word behind an argument.
    pub fn insert_after(&self, arg: usize, word: &str) -> Option<Edit> {
        let place = self.places.get(arg)?;
        Some(Edit::insert(place.end, format!(" {word}")))
    }
}

fn name(word: &str) -> String {
    word.rsplit('/').next().unwrap_or(word).to_owned()
}

/// How many words come before the program: `sudo -E`, `env A=1` ...
fn prefix(words: &[String]) -> usize {
    let mut at = 0;
    let mut inside = false;
    while let Some(word) = words.get(at) {
        let wraps = matches!(
            name(word).as_str(),
            "sudo"
                | "env"
                | "exec"
                | "command"
                | "eatmydata"
                | "nice"
                | "nohup"
                | "busybox"
                | "corepack"
        );
        let belongs = inside && (word.starts_with('-') || word.contains('='));
        if !wraps && !belongs {
            break;
        }
        inside = true;
        at += 1;
    }
    at
}

/// What a `RUN` does.
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub commands: Vec<Command>,
    /// Its text without continued lines and comments.
    pub text: String,
    form: Form,
}

/// How a `RUN` is written.
#[derive(Debug, Clone, Default)]
enum Form {
    /// A command line: what of it may be continued.
    Line(Line),
    /// The here-document is the script: where it ends.
    HereDoc { end: usize, newline: &'static str },
    #[default]
    Other,
}

#[derive(Debug, Clone)]
struct Line {
    /// Of the text in the file.
    place: Range<usize>,
    /// Behind the last token; `None` if nothing can follow it.
    end: Option<usize>,
    /// True if the commands are joined by `&&` and `|` only.
    joined: bool,
    /// What joins a command in the style of the others.
    joint: String,
    /// What joins a command on a line of its own.
    break_joint: String,
}

impl Script {
    /// A command line at `place` of `text`, continued by `escape`.
    pub fn line(text: &str, place: Range<usize>, escape: char) -> Self {
        let view = view(&text[place.clone()], escape);
        let mut script = Self::of(&view, Some(place.start));
        script.form = Form::Line(line(text, place, &view, escape));
        script
    }

    /// The body of a here-document at `place` of `text`.
    pub fn here_doc(text: &str, place: Range<usize>) -> Self {
        let mut script = Self::of(&text[place.clone()], Some(place.start));
        script.form = Form::HereDoc {
            end: place.end,
            newline: newline(text),
        };
        script
    }

    /// A command in exec form, or the text of a `sh -c`.
    pub fn exec(words: Vec<String>) -> Self {
        let shell = words.first().is_some_and(|word| is_shell(&name(word)));
        let code = words.iter().position(|word| is_code_flag(word));
        match (shell, code.and_then(|at| words.get(at + 1))) {
            (true, Some(text)) => Self::of(text, None),
            _ => Self {
                text: words.join(" "),
                commands: Command::new(words, Vec::new()).into_iter().collect(),
                form: Form::Other,
            },
        }
    }

    /// `start`: where `text` is in the file, if it is there as it is.
    fn of(text: &str, start: Option<usize>) -> Self {
        let shell = Shell::parse(text);
        let mut places = shell.places.into_iter();
        let mut commands = Vec::new();
        for words in shell.commands {
            let place = places.next().unwrap_or_default();
            let inner = match words.iter().position(|word| is_code_flag(word)) {
                Some(at) if is_shell(&name(&words[0])) => words.get(at + 1).cloned(),
                _ => None,
            };
            let place = match start {
                Some(start) => place
                    .iter()
                    .map(|word| word.start + start..word.end + start)
                    .collect(),
                None => Vec::new(),
            };
            commands.extend(Command::new(words, place));
            // `bash -c '...'` within a command line.
            for words in inner.iter().flat_map(|text| Shell::parse(text).commands) {
                commands.extend(Command::new(words, Vec::new()));
            }
        }
        Self {
            commands,
            text: text.to_owned(),
            form: Form::Other,
        }
    }

    /// True if it sets or exports this variable.
    pub fn sets(&self, variable: &str) -> bool {
        self.text.contains(&format!("{variable}="))
    }

    /// One more command, after all others.
    pub fn append(&self, command: &str) -> Option<Edit> {
        match &self.form {
            Form::Line(line) => Some(Edit::insert(line.end?, format!("{}{command}", line.joint))),
            Form::HereDoc { end, newline } => {
                Some(Edit::insert(*end, format!("{command}{newline}")))
            }
            Form::Other => None,
        }
    }

    /// Makes one command line of this one and the next instruction's.
    pub fn join(&self, next: &Self) -> Option<Edit> {
        let (Form::Line(line), Form::Line(after)) = (&self.form, &next.form) else {
            return None;
        };
        // A comment at the end would be lost.
        let whole = line.end == Some(line.place.end);
        if !(line.joined && after.joined && whole) {
            return None;
        }
        let text = match after.joint.contains('\n') {
            true => &after.joint,
            false => &after.break_joint,
        };
        Some(Edit {
            place: line.place.end..after.place.start,
            text: text.clone(),
        })
    }
}

fn line(text: &str, place: Range<usize>, view: &str, escape: char) -> Line {
    let Tokens { tokens, .. } = Tokens::read(view);
    let mut joined = true;
    let mut separators = String::new();
    let mut end = None;
    for (token, at) in &tokens {
        let raw = &view[at.clone()];
        match token {
            Token::Separator => separators.push_str(raw),
            _ => {
                joined &= matches!(separators.as_str(), "" | "&&" | "|");
                joined &= !matches!(token, Token::Open | Token::Close | Token::Break);
                joined &= !matches!(raw, "if" | "for" | "while" | "until" | "case" | "{" | "!");
                separators.clear();
                end = Some(place.start + at.end);
            }
        }
    }
    // A separator at the end wants no `&&` behind it.
    let end = end.filter(|_| separators.is_empty());
    let joint = joint(text, &place, end.unwrap_or(place.end), escape);
    Line {
        place,
        end,
        joined: joined && separators.is_empty(),
        joint,
        break_joint: format!(" {escape}{}    && ", newline(text)),
    }
}

/// ` && ` on the same line, or on a new one if the others are.
fn joint(text: &str, place: &Range<usize>, end: usize, escape: char) -> String {
    let newline = newline(text);
    let lines: Vec<&str> = text[place.start..end].lines().collect();
    let Some(last) = lines.last().filter(|_| lines.len() > 1) else {
        return " && ".to_owned();
    };
    let indent = &last[..last.len() - last.trim_start().len()];
    let leading = lines
        .iter()
        .filter(|line| line.trim_start().starts_with("&&"));
    let trailing = lines.iter().filter(|line| {
        let line = line.trim_end().trim_end_matches(escape);
        line.trim_end().ends_with("&&")
    });
    let (leading, trailing) = (leading.count(), trailing.count());
    if leading >= trailing {
        // The last line may list packages, deeper than the commands.
        let command = lines
            .iter()
            .rev()
            .find(|line| line.trim_start().starts_with("&&"));
        let indent = command.map_or(indent, |line| &line[..line.len() - line.trim_start().len()]);
        let indent = if indent.is_empty() { "    " } else { indent };
        format!(" {escape}{newline}{indent}&& ")
    } else {
        let command = lines.iter().zip(lines.iter().skip(1)).find(|(line, _)| {
            line.trim_end()
                .trim_end_matches(escape)
                .trim_end()
                .ends_with("&&")
        });
        let indent = command.map_or(indent, |(_, next)| {
            &next[..next.len() - next.trim_start().len()]
        });
        format!(" && {escape}{newline}{indent}")
    }
}

pub fn newline(text: &str) -> &'static str {
    match text.contains("\r\n") {
        true => "\r\n",
        false => "\n",
    }
}

fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh")
}

/// `-c`, `-ec`, `-lc` ...
fn is_code_flag(word: &str) -> bool {
    word.len() < 8 && word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')
}

/// True if words of this `SHELL` or `#!` line are read by a POSIX shell.
pub fn is_posix(words: &[String]) -> bool {
    words.iter().any(|word| {
        let word = word.trim_start_matches("#!");
        word.split_whitespace().any(|word| is_shell(&name(word)))
    })
}

/// A command line as the shell gets it, as long as it was: continued lines
/// are one, and the comments between them are gone.
fn view(text: &str, escape: char) -> String {
    let mut view = String::with_capacity(text.len());
    let blank = |text: &str| " ".repeat(text.len());
    let mut continued = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if continued && (bare.is_empty() || bare.starts_with('#')) {
            view.push_str(&blank(line));
            continue;
        }
        let kept = line.trim_end();
        match kept.strip_suffix(escape) {
            Some(kept) => {
                view.push_str(kept);
                view.push_str(&blank(&line[kept.len()..]));
                continued = true;
            }
            None => {
                view.push_str(line);
                continued = false;
            }
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(text: &str, edit: &Edit) -> String {
        let mut text = text.to_owned();
        text.replace_range(edit.place.clone(), &edit.text);
        text
    }

    fn script(text: &str) -> Script {
        Script::line(text, 0..text.len(), '\\')
    }

    #[test]
    fn programs_and_verbs() {
        let script = script("sudo -E apt-get -o A=b -y install curl && python3 -m pip install x");
        let [apt, pip] = &script.commands[..] else {
            panic!("{script:?}")
        };
        assert_eq!(apt.program, "apt-get");
        let verb = apt.verb(&["install"]).unwrap();
        assert_eq!(Vec::from_iter(apt.operands_after(verb)), ["curl"]);
        assert_eq!(pip.program, "pip");
        assert_eq!(pip.verb(&["install"]), Some(0));
    }

    #[test]
    fn edits_land_where_they_should() {
        let text = "a install \\\n  # why\n  b \\\n  c";
        let script = script(text);
        let edit = script.commands[0].insert_after(0, "--lean").unwrap();
        assert_eq!(
            apply(text, &edit),
            "a install --lean \\\n  # why\n  b \\\n  c"
        );
    }

    #[test]
    fn one_more_command_in_the_style_of_the_others() {
        for (text, expected) in [
            ("a", "a && z"),
            ("a # b", "a && z # b"),
            ("a \\\n && b \\\n    c", "a \\\n && b \\\n    c \\\n && z"),
            ("a && \\\n  b", "a && \\\n  b && \\\n  z"),
            ("if a; then b; fi", "if a; then b; fi && z"),
        ] {
            let edit = script(text).append("z").unwrap();
            assert_eq!(apply(text, &edit), expected);
        }
        assert_eq!(script("a &").append("z"), None);
        let text = "a\nb\nEOF\n";
        let edit = Script::here_doc(text, 0..4).append("z").unwrap();
        assert_eq!(apply(text, &edit), "a\nb\nz\nEOF\n");
    }

    #[test]
    fn exec_form() {
        let words = |text: &str| text.split('|').map(str::to_owned).collect();
        let script = Script::exec(words("/bin/bash|-euxc|a && b c"));
        assert_eq!(script.commands.len(), 2);
        assert_eq!(
            Script::exec(words("pip|install|x")).commands[0].program,
            "pip"
        );
    }
}
