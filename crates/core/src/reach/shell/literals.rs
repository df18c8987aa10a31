//! Commands in the user's code, in languages that are not read: what stands
//! in backticks, or in quotes behind a word that runs programs.

use whit_oci::ImagePath;

/// Extensions of such code.
const EXTENSIONS: [&[u8]; 12] = [
    b"cgi", b"erb", b"lua", b"php", b"pl", b"pm", b"psgi", b"rake", b"rb", b"ru", b"tcl", b"t",
];

/// Words that run the text behind them, in Perl, Ruby, PHP, Lua and Tcl.
const RUNNERS: [&str; 9] = [
    "system",
    "exec",
    "qx",
    "popen",
    "shell_exec",
    "passthru",
    "proc_open",
    "spawn",
    "capture",
];

/// Longest command that is looked at.
const MAX_COMMAND: usize = 4096;

/// True for code in a language that is not read.
pub fn is_code(path: &ImagePath) -> bool {
    path.extension()
        .is_some_and(|extension| EXTENSIONS.contains(&extension))
}

/// The commands that a text of code runs, as far as they are literals.
pub fn commands(code: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for runner in RUNNERS {
        for (at, _) in code.match_indices(runner) {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let before = code[..at].chars().next_back();
            let behind = &code[at + runner.len()..];
            // `%x` and `qx` may be followed by any bracket at once.
            if before.is_none_or(|c| !is_word(c)) && !behind.starts_with(is_word) {
                let behind = behind.trim_start();
                let behind = behind.strip_prefix('(').unwrap_or(behind).trim_start();
                found.extend(quoted(behind));
            }
        }
    }
    found.extend(code.split('`').skip(1).step_by(2));
    found.retain(|command| command.len() <= MAX_COMMAND);
    found
}

/// The text up to the quote that closes the one at the beginning; behind a
/// bracket that was stepped over, up to the closing one.
fn quoted(text: &str) -> Option<&str> {
    let open = text.chars().next()?;
    let close = match open {
        '"' | '\'' | '/' | '|' | '!' => open,
        '{' => '}',
        '[' => return quoted(text[1..].trim_start()),
        '<' => '>',
        _ => return None,
    };
    let inner = &text[open.len_utf8()..];
    Some(&inner[..inner.find(close)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_programs() {
        let code = "my $x = qx{expr 6 '*' 7}; system('date'); exec \"ls -l\";\n\
            my %system = (a => 'never'); execute('never');\n\
            $y = `uname -r`; IO.popen(['id', '-u']); system($never);";
        assert_eq!(
            commands(code),
            ["date", "ls -l", "expr 6 '*' 7", "id", "uname -r"]
        );
    }

    #[test]
    fn nonsense_ends() {
        for code in ["system(", "qx{", "`", "exec 'é", "system[[["] {
            commands(code);
        }
    }
}
