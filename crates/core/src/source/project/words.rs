//! Command lines that were written for another place: a Dockerfile with its
//! own virtual environment, a Procfile, a developer's shell.

use crate::settings::Port;

/// What `tidy` made of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tidy {
    pub words: Vec<String>,
    /// What was changed, in words.
    pub changes: Vec<String>,
}

/// Adapts a command to an image in which the programs of the dependencies are
/// on the `PATH` and nothing else is.
pub fn tidy(words: &[String]) -> Tidy {
    let mut words = words.to_vec();
    let mut changes = Vec::new();
    if let Some(taken) = runner(&words) {
        let gone = words.drain(..taken).collect::<Vec<_>>().join(" ");
        changes.push(format!(
            "without `{gone}`, which is not needed in the image"
        ));
    }
    if let Some(first) = words.first_mut()
        && let Some(name) = moved_program(first)
    {
        changes.push(format!("{first} is {name} here"));
        *first = name;
    }
    Tidy { words, changes }
}

/// How many words at the front only find the right virtual environment:
/// `poetry run`, `uv run --no-sync`, ...
fn runner(words: &[String]) -> Option<usize> {
    let tools = ["poetry", "uv", "pipenv", "pdm", "rye", "hatch"];
    let [tool, run, rest @ ..] = words else {
        return None;
    };
    if !tools.contains(&tool.as_str()) || run != "run" {
        return None;
    }
    let mut taken = 2;
    let mut rest = rest.iter().peekable();
    while let Some(flag) = rest.next_if(|word| word.starts_with('-')) {
        taken += 1;
        // The flags of `uv run` that take a value of their own word.
        let valued = [
            "--with",
            "--extra",
            "--group",
            "--python",
            "-p",
            "--env-file",
            "--project",
            "--directory",
        ];
        if valued.contains(&flag.as_str()) && rest.next().is_some() {
            taken += 1;
        }
    }
    (taken < words.len()).then_some(taken)
}

/// The bare name of a program that is given by a path which another image has:
/// a virtual environment, `/usr/local/bin`, pip's user folder, or by an exact
/// Python version.
fn moved_program(program: &str) -> Option<String> {
    let (folder, name) = match program.rsplit_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, program),
    };
    let versioned = name
        .strip_prefix("python3.")
        .is_some_and(|minor| minor.chars().all(|c| c.is_ascii_digit()));
    let bare = if versioned { "python3" } else { name };
    let moved = folder.is_some_and(|folder| {
        folder.ends_with("venv/bin")
            || folder.ends_with("env/bin")
            || folder.ends_with(".local/bin")
            || folder == "/usr/local/bin"
            || (folder == "/usr/bin" && bare.starts_with("python"))
    });
    (moved || versioned).then(|| bare.to_owned())
}

/// The words of a shell text that needs no shell: no variables, no operators,
/// no globs. A leading `exec` is dropped.
pub fn without_shell(text: &str) -> Option<Vec<String>> {
    if text.contains([
        '$', '`', '|', '&', ';', '<', '>', '*', '?', '~', '(', ')', '{', '[', '\n',
    ]) {
        return None;
    }
    let mut words = shlex::split(text)?;
    if words.first().is_some_and(|word| word == "exec") {
        words.remove(0);
    }
    let first = words.first()?;
    // An assignment in front, or a word that only a shell knows.
    let builtin = [
        "cd", ".", "source", "set", "export", "test", "if", "for", "while", "until", "case", "!",
        "time",
    ];
    (!first.contains('=') && !builtin.contains(&first.as_str())).then_some(words)
}

/// The ports on which a command line says it will listen.
pub fn ports(words: &[String]) -> Vec<Port> {
    let mut found = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let value = match word.split_once('=') {
            Some((flag, value)) if is_port_flag(flag) => Some(value),
            _ if is_port_flag(word) => words.peek().map(|next| next.as_str()),
            // `runserver 0.0.0.0:8000`
            _ if word.starts_with("0.0.0.0:") || word.starts_with("[::]:") => Some(word.as_str()),
            _ => None,
        };
        if let Some(port) = value.and_then(|value| value.rsplit(':').next()?.parse().ok()) {
            found.push(port);
        }
    }
    found.sort();
    found.dedup();
    found
}

fn is_port_flag(word: &str) -> bool {
    matches!(
        word,
        "--port" | "-p" | "-b" | "--bind" | "--http" | "--http-socket" | "--listen"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        shlex::split(text).unwrap()
    }

    #[test]
    fn commands_from_elsewhere() {
        for (given, wanted) in [
            ("poetry run uvicorn a:b", "uvicorn a:b"),
            ("uv run --no-sync --with x python -m a", "python -m a"),
            ("uv run", "uv run"),
            ("/app/.venv/bin/gunicorn a:b", "gunicorn a:b"),
            ("/usr/local/bin/python app.py", "python app.py"),
            ("python3.12 app.py", "python3 app.py"),
            ("/root/.local/bin/uvicorn a:b", "uvicorn a:b"),
            ("/app/bin/run x", "/app/bin/run x"),
            ("./entrypoint.sh serve", "./entrypoint.sh serve"),
        ] {
            assert_eq!(tidy(&split(given)).words, split(wanted), "{given}");
        }
    }

    #[test]
    fn when_a_shell_is_needed() {
        for (text, plain) in [
            ("uvicorn a:b --port 80", Some("uvicorn a:b --port 80")),
            ("exec gunicorn 'a:b'", Some("gunicorn a:b")),
            ("gunicorn a:b -b :$PORT", None),
            ("a && b", None),
            ("A=1 python x", None),
            ("cd x", None),
            ("", None),
        ] {
            assert_eq!(without_shell(text), plain.map(split), "{text}");
        }
    }

    #[test]
    fn listening_ports() {
        let all = |text: &str| -> Vec<u16> {
            ports(&split(text)).iter().map(|port| port.number).collect()
        };
        assert_eq!(all("uvicorn a:b --host 0.0.0.0 --port 80"), [80]);
        assert_eq!(
            all("gunicorn -b 0.0.0.0:8080 -b [::]:8081 a:b"),
            [8080, 8081]
        );
        assert_eq!(all("gunicorn --bind=:5000 a:b"), [5000]);
        assert_eq!(all("python manage.py runserver 0.0.0.0:8000"), [8000]);
        assert_eq!(all("mkdir -p /x"), [] as [u16; 0]);
        assert_eq!(all("uvicorn a:b --port $PORT"), [] as [u16; 0]);
    }
}
