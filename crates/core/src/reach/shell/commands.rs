//! Which commands a shell text has: text to words, nothing looked up.

use std::collections::BTreeSet;
use std::ops::Range;

use super::words::{Token, Tokens};

/// Depth to which commands inside of words are followed.
const MAX_DEPTH: usize = 16;
/// Bytes of a text that are read.
const MAX_TEXT: usize = 1 << 20;

/// What a shell text says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// The words of every simple command, assignments before it and
    /// redirections left out. The first word is the command's name.
    pub commands: Vec<Vec<String>>,
    /// Where the words of `commands` are in the text, for those that are not
    /// inside of words: those come last.
    pub places: Vec<Vec<Range<usize>>>,
    /// All other words: values, lists of loops, patterns, files of
    /// redirections.
    pub words: Vec<String>,
    /// Names of functions that it defines.
    pub functions: BTreeSet<String>,
}

impl Script {
    pub fn parse(text: &str) -> Self {
        let mut script = Self::default();
        script.read(text, 0);
        script
    }

    fn read(&mut self, text: &str, depth: usize) {
        let mut end = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let Tokens { tokens, nested } = Tokens::read(&text[..end]);
        let mut parser = Parser {
            script: self,
            command: Vec::new(),
            words: Vec::new(),
            places: Vec::new(),
            place: 0..0,
            expects: Expects::Command,
            cases: 0,
        };
        let mut tokens = tokens.into_iter().peekable();
        while let Some((token, place)) = tokens.next() {
            let followed_by_open = matches!(tokens.peek(), Some((Token::Open, _)));
            parser.place = place;
            parser.token(token, followed_by_open);
        }
        parser.end();
        if depth == 0 {
            self.places = std::mem::take(&mut parser.places);
        }
        if depth < MAX_DEPTH {
            for inner in nested {
                // Shorter than the whole, so that this ends.
                if inner.len() < text.len() {
                    self.read(&inner, depth + 1);
                }
            }
        }
    }
}

/// The simple commands of a shell text, those in `$(...)` and the like
/// included: `if a; then b | c "$(d)"; fi` gives `a`, `b`, `c $()` and `d`.
/// Words hold expansions as written: whoever needs a literal looks for `$`.
pub fn commands(text: &str) -> Vec<Vec<String>> {
    Script::parse(text).commands
}

/// What the next word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// A command's name, a reserved word or an assignment.
    Command,
    Argument,
    /// The file of a redirection; afterwards, what was expected before.
    File(bool),
    /// The name of a function behind `function`.
    Function,
    /// The words of a loop, up to a separator.
    List,
    /// The values of an array, up to `)`.
    Array,
    /// The inside of `[[ ]]`.
    Test,
    /// The subject of `case`, up to `in`.
    Subject,
    /// A pattern of `case`.
    Pattern,
}

struct Parser<'s> {
    script: &'s mut Script,
    command: Vec<String>,
    /// Where the words of `command` are, and those of the commands before it.
    words: Vec<Range<usize>>,
    places: Vec<Vec<Range<usize>>>,
    /// Where the current token is.
    place: Range<usize>,
    expects: Expects,
    cases: usize,
}

impl Parser<'_> {
    fn token(&mut self, token: Token, followed_by_open: bool) {
        match token {
            Token::Word(word) => self.word(word, followed_by_open),
            Token::Redirect => {
                self.expects = match self.expects {
                    Expects::Command => Expects::File(true),
                    Expects::Argument => Expects::File(false),
                    other => other,
                };
            }
            Token::Separator => match self.expects {
                Expects::Subject | Expects::Pattern | Expects::Array | Expects::Test => {}
                _ => self.end(),
            },
            Token::Break => {
                self.end();
                if self.cases > 0 {
                    self.expects = Expects::Pattern;
                }
            }
            Token::Open => match self.expects {
                // `name()`
                Expects::Argument if self.command.len() == 1 => {
                    self.script.functions.extend(self.command.pop());
                    self.words.clear();
                    self.expects = Expects::Command;
                }
                Expects::Pattern | Expects::Array | Expects::Test => {}
                _ => self.end(),
            },
            Token::Close => match self.expects {
                Expects::Test => {}
                _ => self.end(),
            },
        }
    }

    fn word(&mut self, word: String, followed_by_open: bool) {
        match self.expects {
            Expects::Command => self.first(word, followed_by_open),
            Expects::Argument => self.push(word),
            Expects::File(before_command) => {
                self.script.words.push(word);
                self.expects = if before_command {
                    Expects::Command
                } else {
                    Expects::Argument
                };
            }
            Expects::Function => {
                self.script.functions.insert(word);
                self.expects = Expects::Command;
            }
            Expects::List | Expects::Array => self.script.words.push(word),
            Expects::Test if word == "]]" => self.expects = Expects::Argument,
            Expects::Subject if word == "in" => self.expects = Expects::Pattern,
            Expects::Pattern if word == "esac" => {
                self.cases = self.cases.saturating_sub(1);
                self.expects = Expects::Command;
            }
            Expects::Test | Expects::Subject | Expects::Pattern => self.script.words.push(word),
        }
    }

    fn first(&mut self, word: String, followed_by_open: bool) {
        match word.as_str() {
            "if" | "then" | "elif" | "else" | "fi" | "do" | "done" | "while" | "until" | "!"
            | "{" | "}" | "time" | "coproc" => {}
            "case" => {
                self.cases += 1;
                self.expects = Expects::Subject;
            }
            "esac" => self.cases = self.cases.saturating_sub(1),
            "for" | "select" => self.expects = Expects::List,
            "function" => self.expects = Expects::Function,
            "[[" => self.expects = Expects::Test,
            _ => match assignment(&word) {
                Some(value) if value.is_empty() && followed_by_open => {
                    self.expects = Expects::Array;
                }
                Some(value) => self.script.words.push(value.to_owned()),
                None => {
                    self.push(word);
                    self.expects = Expects::Argument;
                }
            },
        }
    }

    fn push(&mut self, word: String) {
        self.command.push(word);
        self.words.push(self.place.clone());
    }

    fn end(&mut self) {
        if !self.command.is_empty() {
            self.script.commands.push(std::mem::take(&mut self.command));
            self.places.push(std::mem::take(&mut self.words));
        }
        self.expects = Expects::Command;
    }
}

/// The value of `NAME=VALUE` or `NAME+=VALUE`.
pub(super) fn assignment(word: &str) -> Option<&str> {
    let (name, value) = word.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let first = name.bytes().next()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    ((first.is_ascii_alphabetic() || first == b'_') && name.bytes().all(plain)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        commands(text).iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn pipes_lists_and_assignments() {
        assert_eq!(
            lines("A=1 B=\"x y\" cat <in 2>/dev/null | grep -q 'a b' && echo \"it's\"; sleep 1 &"),
            ["cat", "grep -q a b", "echo it's", "sleep 1"]
        );
    }

    #[test]
    fn control_structures() {
        let text = "
            if [ -f /etc/x ]; then . /etc/x; elif ! test -d y; then a; else b; fi
            for f in *.conf /etc/z; do c \"$f\"; done
            while read -r line; do d; done < /etc/list
            case \"$1\" in
              start|run) e ;;
              -*) set -- f \"$@\" ;;
              *) exec \"$@\"
            esac
            [[ -n $X && $Y == (a|b) ]] && g
            run() { h; }
            function walk { i; }
            ( j; k ) && { l; }
            (( n = 1 + 2 ))
            arr=(one two); m";
        assert_eq!(
            lines(text),
            [
                "[ -f /etc/x ]",
                ". /etc/x",
                "test -d y",
                "a",
                "b",
                "c $f",
                "read -r line",
                "d",
                "e",
                "set -- f $@",
                "exec $@",
                "g",
                "h",
                "i",
                "j",
                "k",
                "l",
                "m"
            ]
        );
        let script = Script::parse(text);
        assert_eq!(Vec::from_iter(script.functions), ["run", "walk"]);
        assert!(script.words.contains(&"/etc/list".to_owned()));
        assert!(script.words.contains(&"/etc/z".to_owned()));
    }

    #[test]
    fn commands_inside_of_words() {
        assert_eq!(
            lines(
                "x=\"$(date +%s)\" y=`id -u` z=${A:-$(hostname)} diff <(sort a) \"$(b \"$(c)\")\""
            ),
            [
                "diff $() $()",
                "date +%s",
                "id -u",
                "hostname",
                "sort a",
                "b $()",
                "c"
            ]
        );
    }

    #[test]
    fn words_know_their_place() {
        let text = "A=1 apt-get  \"$(x)\" >/dev/null && \\\n  b 'c d' | e";
        let script = Script::parse(text);
        let place = |words: &Vec<Range<usize>>| -> Vec<&str> {
            words.iter().map(|word| &text[word.clone()]).collect()
        };
        let places: Vec<_> = script.places.iter().map(place).collect();
        assert_eq!(
            places,
            [vec!["apt-get", "\"$(x)\""], vec!["b", "'c d'"], vec!["e"]]
        );
        assert_eq!(script.commands.len(), 4);
    }

    #[test]
    fn here_documents_are_text() {
        assert_eq!(
            lines("cat <<EOF > /out; after\nnot a command $(inner)\nEOF\nlast"),
            ["cat", "after", "last", "inner"]
        );
        assert_eq!(lines("cat <<-'X'\n\trm $(y)\n\tX\nz 2>&1"), ["cat", "z"]);
    }

    #[test]
    fn comments_and_continued_lines() {
        assert_eq!(lines("a \\\n  b # c\n#d\ne#f"), ["a b", "e#f"]);
    }

    #[test]
    fn nonsense_ends() {
        for text in [
            "$(", "`", "\"", "'", "${", "((", "case", "<<", "2>", "a <", "$((1)", "\\", ">&",
        ] {
            commands(text);
        }
        let deep = "$(".repeat(5_000);
        commands(&deep);
        commands(&"${".repeat(100_000));
    }
}
