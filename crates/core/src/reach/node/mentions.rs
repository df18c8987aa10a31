//! Which packages, files and commands a JavaScript text names: bytes to facts,
//! nothing looked up.
//!
//! There is no parser behind it. Every quote is taken for the beginning of a
//! string; what follows up to the same quote is a mention if it is made of the
//! characters that names of packages and paths have. So nothing can hide behind
//! a construct that a lexer reads wrongly (a quote in a regular expression),
//! minified bundles are as good as sources, and a name in a comment counts too
//! many. As packages stay whole, names are all that is asked for.

use std::collections::BTreeSet;

/// Longest name that is looked for. npm allows 214 characters for a package.
const MAX_NAME: usize = 512;
/// Longest command that is looked for.
const MAX_COMMAND: usize = 4096;
/// Words of one command.
const MAX_WORDS: usize = 64;

/// What one file names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Strings that could be a package, with or without a path in it.
    pub names: BTreeSet<String>,
    /// Those among `names` that are loaded: `require("x")`, `import("x")`,
    /// `from "x"`, `import "x"`.
    pub loaded: BTreeSet<String>,
    /// Beginnings of names that are computed: `"babel-plugin-" + name`.
    pub beginnings: BTreeSet<String>,
    /// Relative paths: `./x`, `../x`.
    pub relative: BTreeSet<String>,
    /// A name that is computed from nothing that can be seen is loaded.
    pub computed: bool,
    /// Texts given to a shell: `exec("…")`.
    pub shell: BTreeSet<String>,
    /// Programs with their literal arguments: `spawn("x", ["y"])`.
    pub commands: BTreeSet<Vec<String>>,
    /// It starts programs.
    pub starts_programs: bool,
}

impl Mentions {
    /// Reads a JavaScript or TypeScript text. Time and space are linear in its
    /// length.
    pub fn of_code(text: &[u8]) -> Self {
        let mut mentions = Self {
            starts_programs: memchr::memmem::find(text, b"child_process").is_some()
                || memchr::memmem::find(text, b"execa").is_some(),
            ..Self::default()
        };
        mentions.strings(text);
        mentions.calls(text);
        mentions
    }

    /// Reads data, such as JSON: only strings.
    pub fn of_data(text: &[u8]) -> Self {
        let mut mentions = Self::default();
        mentions.strings(text);
        mentions
    }

    fn strings(&mut self, text: &[u8]) {
        for start in memchr::memchr3_iter(b'"', b'\'', b'`', text) {
            let quote = text[start];
            let rest = &text[start + 1..];
            let length = rest
                .iter()
                .take(MAX_NAME)
                .take_while(|b| is_name(**b))
                .count();
            let (name, after) = rest.split_at(length);
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            if name.is_empty() {
                continue;
            }
            let closes = after.first() == Some(&quote);
            if !closes {
                // `@img/sharp-${platform}`
                if quote == b'`' && after.starts_with(b"${") && is_beginning(name) {
                    self.beginnings.insert(name.to_owned());
                }
                continue;
            }
            if name.starts_with("./") || name.starts_with("../") {
                self.relative.insert(name.to_owned());
                continue;
            }
            if name.starts_with(['.', '/']) {
                continue;
            }
            let next = skip_space(&after[1..]).first();
            if is_beginning(name) && matches!(next, Some(b'+' | b'.')) {
                self.beginnings.insert(name.to_owned());
                continue;
            }
            self.names.insert(name.to_owned());
            if is_loaded(&text[..start]) {
                self.loaded.insert(name.to_owned());
            }
        }
    }

    /// `require(x)`, `import(x)`, and calls that start programs.
    fn calls(&mut self, text: &[u8]) {
        for open in memchr::memchr_iter(b'(', text) {
            let callee = last_word(trim_end(&text[..open]));
            let arguments = &text[open + 1..text.len().min(open + 1 + 2 * MAX_COMMAND)];
            match callee {
                b"require" | b"import" => self.computed |= is_computed(arguments),
                b"exec" | b"execSync" if self.starts_programs => {
                    self.shell
                        .extend(literal(skip_space(arguments)).map(|(text, _)| text));
                }
                b"spawn" | b"spawnSync" | b"execFile" | b"execFileSync" | b"execa"
                | b"execaSync"
                    if self.starts_programs =>
                {
                    self.commands.extend(argv(arguments));
                }
                _ => {}
            }
        }
    }
}

/// Characters of package names and of paths in packages.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"@/._~-+".contains(&byte)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

/// True for the beginning of a package's name that says enough.
fn is_beginning(name: &str) -> bool {
    name.len() > 2 && name.ends_with(['-', '/']) && name.as_bytes()[0] != b'/'
}

fn skip_space(text: &[u8]) -> &[u8] {
    let mut rest = text.trim_ascii_start();
    // `import(/* webpackIgnore: true */ "x")`
    while let Some(comment) = rest.strip_prefix(b"/*") {
        let Some(end) = memchr::memmem::find(comment, b"*/") else {
            return b"";
        };
        rest = comment[end + 2..].trim_ascii_start();
    }
    rest
}

/// Without the space at the end, and the comment before it if there is one
/// (`import(/* webpackIgnore: true */ "x")`). Both are short.
fn trim_end(text: &[u8]) -> &[u8] {
    let text = trim_space(text);
    let tail = &text[text.len().saturating_sub(256)..];
    match memchr::memmem::rfind(tail, b"/*") {
        Some(start) if tail.ends_with(b"*/") => {
            trim_space(&text[..text.len() - tail.len() + start])
        }
        _ => text,
    }
}

fn trim_space(text: &[u8]) -> &[u8] {
    let space = text
        .iter()
        .rev()
        .take(64)
        .take_while(|b| b.is_ascii_whitespace());
    &text[..text.len() - space.count()]
}

fn last_word(text: &[u8]) -> &[u8] {
    let length = text
        .iter()
        .rev()
        .take(32)
        .take_while(|b| is_word(**b))
        .count();
    &text[text.len() - length..]
}

/// True if what stands before a string loads it.
fn is_loaded(before: &[u8]) -> bool {
    let before = trim_end(before);
    if let Some(call) = before.strip_suffix(b"(") {
        let callee = trim_end(call);
        return match last_word(callee) {
            b"require" | b"import" => true,
            // `require.resolve("x")`, `import.meta.resolve("x")`
            b"resolve" => {
                let owner = &callee[..callee.len() - b"resolve".len()];
                owner.ends_with(b"require.") || owner.ends_with(b"import.meta.")
            }
            _ => false,
        };
    }
    matches!(last_word(before), b"from" | b"import")
}

/// True if the argument of `require(` says nothing of what is loaded: neither
/// a literal, nor the beginning of one, nor a path from the file's own place.
fn is_computed(arguments: &[u8]) -> bool {
    let argument = skip_space(arguments);
    match argument.first() {
        None | Some(b')' | b'"' | b'\'') => false,
        // A template that begins with a variable could be anything.
        Some(b'`') => argument.starts_with(b"`${"),
        Some(_) => {
            // Up to the end of the call: `join(__dirname, "x")` is a place.
            let end = argument
                .iter()
                .take(200)
                .position(|b| *b == b')' || *b == b'\n');
            let argument = &argument[..end.unwrap_or(argument.len().min(200))];
            ![&b"__dirname"[..], b"import.meta", b"__filename"]
                .iter()
                .any(|place| memchr::memmem::find(argument, place).is_some())
        }
    }
}

/// The string literal at the beginning of a text, and what follows it. Of a
/// template only the part before the first variable.
fn literal(text: &[u8]) -> Option<(String, &[u8])> {
    let quote = *text.first().filter(|b| b"\"'`".contains(b))?;
    let rest = &text[1..];
    let end = rest.iter().take(MAX_COMMAND).position(|b| {
        *b == quote || (quote != b'`' && *b == b'\n') || (quote == b'`' && *b == b'$')
    })?;
    let content = std::str::from_utf8(&rest[..end]).ok()?;
    Some((content.to_owned(), &rest[end + 1..]))
}

/// `"program", ["argument", …]`, as far as it is literal.
fn argv(arguments: &[u8]) -> Option<Vec<String>> {
    let (program, mut rest) = literal(skip_space(arguments))?;
    let mut words = vec![program];
    rest = skip_space(rest).strip_prefix(b",").unwrap_or_default();
    rest = skip_space(rest).strip_prefix(b"[").unwrap_or_default();
    while let Some((word, after)) = literal(skip_space(rest)) {
        words.push(word);
        rest = skip_space(after).strip_prefix(b",").unwrap_or_default();
        if words.len() >= MAX_WORDS {
            break;
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Mentions {
        Mentions::of_code(text.as_bytes())
    }

    fn list(names: &BTreeSet<String>) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }

    #[test]
    fn every_way_to_load() {
        let found = of(
            "const a = require('a'); import b from \"b\"; import 'c';export*from'd';\n\
             function f() { return import(/* lazy */ `e/sub`) }\n\
             require.resolve('@s/f'); app.set('view engine', 'ejs'); x = 'a b'; y = 'it\\'s';",
        );
        assert_eq!(list(&found.loaded), ["@s/f", "a", "b", "c", "d", "e/sub"]);
        assert!(found.names.contains("ejs"));
        assert!(!found.computed);
    }

    #[test]
    fn quotes_in_expressions_hide_nothing() {
        assert_eq!(
            list(&of("x.replace(/'/g, '\"'); require('y')").loaded),
            ["y"]
        );
    }

    #[test]
    fn computed_names() {
        for text in [
            "require(name)",
            "import(`${x}/y`)",
            "require( cond ? 'a' : b)",
        ] {
            assert!(of(text).computed, "{text}");
        }
        for text in [
            "require(path.join(__dirname, 'x', f))",
            "require('./x/' + y)",
            "import(`./pages/${x}.js`)",
            "__webpack_require__(x)",
            "import.meta.url",
            "new URL(x, import.meta.url)",
        ] {
            assert!(!of(text).computed, "{text}");
        }
        let found = of("require('plugin-' + x); require(`@img/sharp-${p}/sharp.node`)");
        assert_eq!(list(&found.beginnings), ["@img/sharp-", "plugin-"]);
    }

    #[test]
    fn relative_paths() {
        assert_eq!(
            list(&of("require('../test/x'); import './y.js'").relative),
            ["../test/x", "./y.js"]
        );
    }

    #[test]
    fn programs() {
        let found = of("const { exec, spawn } = require('child_process');\n\
             exec('df -h | tail', cb); spawn('convert', ['-size', \"1x1\", size]); /x/.exec('y');");
        assert_eq!(list(&found.shell), ["df -h | tail", "y"]);
        assert_eq!(
            Vec::from_iter(found.commands),
            [vec!["convert".to_owned(), "-size".into(), "1x1".into()]]
        );
        assert!(of("/x/.exec('y')").shell.is_empty());
    }

    #[test]
    fn nonsense_ends() {
        for text in [
            "'",
            "require(",
            "import(/*",
            "`${",
            "spawn('",
            "require",
            "(",
            "'\u{e9}'",
        ] {
            of(&format!("child_process {text}"));
        }
    }
}
