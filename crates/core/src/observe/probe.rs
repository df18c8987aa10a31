//! Questions that are put to an app.
//!
//! # Grammar of an HTTP probe
//!
//! ```text
//! probe  = [ METHOD ] target *( field )
//! METHOD = upper-case letters; GET if left out
//! target = "/path?query" | ":port/path?query"
//! field  = "json=" one JSON value, spaces and all
//!        | "form=" text     sent as application/x-www-form-urlencoded
//!        | "body=" text     sent as it is
//!        | "body=@" file    the file's bytes, 16 MiB at most
//!        | "header=" Name ":" text
//! text   = anything up to a space | '"' ... '"', with \" and \\ inside
//! ```
//!
//! Quotes are not a shell's: `POST /items json={"name": "a b"}` needs no
//! escaping beyond the one pair of single quotes on the command line.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// A request to the running service.
    Http(HttpProbe),
    /// A program in a sandbox of its own, made from the same image.
    Exec(ExecProbe),
    /// A program of the host's that talks to the running service through
    /// `WHIT_BASE_URL`, and succeeds with exit code 0.
    Script(PathBuf),
}

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct HttpProbe {
    pub method: String,
    /// Path and query, percent-encoded, with the slash in front.
    pub target: String,
    /// The service's first port where none is given.
    pub port: Option<u16>,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

/// What a request carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Body {
    #[default]
    None,
    Bytes(Vec<u8>),
    /// A file of the host, read when the request is sent.
    File(PathBuf),
}

/// One run of a program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ExecProbe {
    /// `None` for what the image itself starts.
    pub argv: Option<Vec<String>>,
    /// A file of the host; `/dev/null` without.
    pub stdin: Option<PathBuf>,
}

/// Why a probe could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("probe {probe:?}: {why}")]
pub struct ProbeError {
    probe: String,
    why: String,
    hint: String,
}

impl ProbeError {
    /// What to type instead.
    pub fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

impl Probe {
    /// A `GET` of a path.
    pub fn get(target: impl Into<String>) -> Self {
        Probe::Http(HttpProbe {
            method: "GET".to_owned(),
            target: target.into(),
            ..HttpProbe::default()
        })
    }

    /// Reads `--probe TEXT`; the grammar stands at the head of this module.
    pub fn http(text: &str) -> Result<Self, ProbeError> {
        let fail = |why: String, hint: &str| ProbeError {
            probe: text.to_owned(),
            why,
            hint: hint.to_owned(),
        };
        let mut rest = text.trim();
        let mut probe = HttpProbe {
            method: "GET".to_owned(),
            ..HttpProbe::default()
        };
        if !rest.starts_with(['/', ':']) {
            let (method, after) = rest.split_once(' ').unwrap_or((rest, ""));
            if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
                let hint = "write METHOD and path, as in 'GET /page?name=Bob'";
                return Err(fail(format!("{method:?} is not an HTTP method"), hint));
            }
            probe.method = method.to_owned();
            rest = after.trim_start();
        }
        let (target, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        (probe.port, probe.target) = read_target(target).map_err(|why| {
            fail(
                why,
                "write a path with its slash, as in 'GET /page' or 'GET :9090/metrics'",
            )
        })?;
        rest = after.trim_start();
        while !rest.is_empty() {
            rest = read_field(&mut probe, rest)
                .map_err(|(why, hint)| fail(why, hint))?
                .trim_start();
        }
        Ok(Probe::Http(probe))
    }

    /// Reads `--exec COMMAND`: words as a shell splits them, but no shell runs.
    pub fn exec(text: &str) -> Result<Self, ProbeError> {
        let fail = |why: &str, hint: &str| ProbeError {
            probe: text.to_owned(),
            why: why.to_owned(),
            hint: hint.to_owned(),
        };
        match shlex::split(text) {
            Some(argv) if !argv.is_empty() => Ok(Probe::Exec(ExecProbe {
                argv: Some(argv),
                stdin: None,
            })),
            Some(_) => Err(fail(
                "no command",
                "write a program, as in 'python -m app --version'",
            )),
            None => Err(fail(
                "a quote is not closed",
                "close it, or escape it with \\",
            )),
        }
    }

    /// The program that it starts, besides the image's own.
    pub fn program(&self) -> Option<&[String]> {
        match self {
            Probe::Exec(exec) => exec.argv.as_deref(),
            Probe::Http(_) | Probe::Script(_) => None,
        }
    }

    /// `--stdin FILE`: the image's own command, fed with a file.
    pub fn stdin(file: PathBuf) -> Self {
        Probe::Exec(ExecProbe {
            argv: None,
            stdin: Some(file),
        })
    }
}

/// `[:port]/path?query`, encoded so that it can stand in a request line.
fn read_target(target: &str) -> Result<(Option<u16>, String), String> {
    let (port, path) = match target.strip_prefix(':') {
        None => (None, target),
        Some(rest) => {
            let cut = rest.find('/').unwrap_or(rest.len());
            let port = rest[..cut]
                .parse::<u16>()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| format!("{:?} is not a port", &rest[..cut]))?;
            (Some(port), &rest[cut..])
        }
    };
    if !path.starts_with('/') {
        return Err(format!("{path:?} is not a path"));
    }
    Ok((port, encode_target(path)))
}

/// Percent-encodes what cannot stand in a request line and drops the fragment.
pub(super) fn encode_target(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            0x21..=0x7e if !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`') => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// Reads one field off the front; the rest comes back.
fn read_field<'a>(probe: &mut HttpProbe, text: &'a str) -> Result<&'a str, (String, &'static str)> {
    const FIELDS: &str = "fields are json=, form=, body=, body=@FILE and header=Name:Value";
    let Some((name, rest)) = text.split_once('=') else {
        return Err((format!("{text:?} is not a field"), FIELDS));
    };
    if matches!(name, "json" | "form" | "body") && probe.body != Body::None {
        return Err(("there are two bodies".to_owned(), "keep one of them"));
    }
    match name {
        "json" => {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            match values.next() {
                Some(Ok(_)) => {}
                Some(Err(err)) => {
                    return Err((
                        format!("this is not JSON: {err}"),
                        "put the whole probe in single quotes, as in 'POST /items json={\"name\": \"a\"}'",
                    ));
                }
                None => return Err(("json= is empty".to_owned(), "write json={} or leave it out")),
            }
            let end = values.byte_offset();
            // As typed, not as parsed: key order is a matter of the test.
            probe.body = Body::Bytes(rest[..end].trim().as_bytes().to_vec());
            default_type(probe, "application/json");
            Ok(&rest[end..])
        }
        "form" => {
            let (value, rest) = read_text(rest)?;
            probe.body = Body::Bytes(value.replace(' ', "+").into_bytes());
            default_type(probe, "application/x-www-form-urlencoded");
            Ok(rest)
        }
        "body" => {
            let (value, rest) = read_text(rest)?;
            probe.body = match value.strip_prefix('@') {
                Some("") => {
                    return Err(("body=@ names no file".to_owned(), "write body=@FILE"));
                }
                Some(file) => Body::File(PathBuf::from(file)),
                None => Body::Bytes(value.into_bytes()),
            };
            Ok(rest)
        }
        "header" => {
            let (value, rest) = read_text(rest)?;
            let (name, value) = read_header(&value)?;
            probe
                .headers
                .retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            probe.headers.push((name, value));
            Ok(rest)
        }
        other => Err((format!("{other:?} is not a field"), FIELDS)),
    }
}

/// A content type, unless the user names one.
fn default_type(probe: &mut HttpProbe, kind: &str) {
    let given = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
    if !probe.headers.iter().any(given) {
        probe
            .headers
            .push(("Content-Type".to_owned(), kind.to_owned()));
    }
}

/// A word, or a text in double quotes.
fn read_text(text: &str) -> Result<(String, &str), (String, &'static str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return Ok((word.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    Err((
        "a double quote is not closed".to_owned(),
        "close it, or write \\\" for one inside",
    ))
}

fn read_header(text: &str) -> Result<(String, String), (String, &'static str)> {
    const HINT: &str = "write header=Name:Value, or header=\"Name: a longer value\"";
    let Some((name, value)) = text.split_once(':') else {
        return Err((format!("{text:?} is not a header"), HINT));
    };
    let (name, value) = (name.trim(), value.trim());
    // RFC 9110, 5.6.2: token.
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err((format!("{name:?} cannot be a header's name"), HINT));
    }
    if value.bytes().any(|b| b < b' ' && b != b'\t' || b == 0x7f) {
        let why = format!("the value of {name} has a control character");
        return Err((why, HINT));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A `[[probe]]` table: exactly one of `http`, `exec` and `test`, or `stdin`
/// alone.
#[derive(
    Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProbeTable {
    /// A request: `GET /page`, `POST /items json={"a":1}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// A command to run in the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<String>,
    /// A script on this machine that tests the service, which is at
    /// `WHIT_BASE_URL`. Relative to the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// A file that is the standard input of `exec`; without one, of the
    /// image's command. Relative to the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<PathBuf>,
}

impl fmt::Display for ProbeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let parts = [
            ("http", self.http.clone()),
            ("exec", self.exec.clone()),
            ("test", file(&self.test)),
            ("stdin", file(&self.stdin)),
        ];
        let said: Vec<String> = parts
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key} {}", value?)))
            .collect();
        f.write_str(&said.join(", "))
    }
}

impl TryFrom<ProbeTable> for Probe {
    type Error = ProbeError;

    fn try_from(table: ProbeTable) -> Result<Self, ProbeError> {
        match table {
            ProbeTable {
                http: Some(http),
                exec: None,
                test: None,
                stdin: None,
            } => Probe::http(&http),
            ProbeTable {
                http: None,
                exec: Some(exec),
                test: None,
                stdin,
            } => Ok(match Probe::exec(&exec)? {
                Probe::Exec(exec) => Probe::Exec(ExecProbe { stdin, ..exec }),
                other => other,
            }),
            ProbeTable {
                http: None,
                exec: None,
                test: Some(script),
                stdin: None,
            } => Ok(Probe::Script(script)),
            ProbeTable {
                http: None,
                exec: None,
                test: None,
                stdin: Some(file),
            } => Ok(Probe::stdin(file)),
            other => Err(ProbeError {
                probe: other.to_string(),
                why: "a [[probe]] table asks one question".to_owned(),
                hint: "give it one of http, exec, test; stdin goes with exec or alone".to_owned(),
            }),
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Probe::Http(probe) => write!(f, "{probe}"),
            Probe::Exec(probe) => write!(f, "{probe}"),
            Probe::Script(script) => write!(f, "test {}", script.display()),
        }
    }
}

impl fmt::Display for HttpProbe {
    /// Everything but long bodies; text from an image, so escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.target.escape_debug())?;
        match &self.body {
            Body::None => Ok(()),
            Body::File(file) => write!(f, " body=@{}", file.display()),
            Body::Bytes(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
                let more = if text.chars().nth(60).is_some() {
                    "..."
                } else {
                    ""
                };
                write!(f, " body={short}{more}")
            }
        }
    }
}

impl fmt::Display for ExecProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.argv {
            None => write!(f, "the image's command")?,
            Some(argv) => {
                let words: Vec<String> = argv.iter().map(|word| quote(word)).collect();
                write!(f, "exec {}", words.join(" "))?;
            }
        }
        match &self.stdin {
            None => Ok(()),
            Some(file) => write!(f, " < {}", file.display()),
        }
    }
}

fn quote(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), |quoted| quoted.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(text: &str) -> HttpProbe {
        match Probe::http(text) {
            Ok(Probe::Http(probe)) => probe,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn header(probe: &HttpProbe, name: &str) -> Option<String> {
        let found = probe.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    #[test]
    fn targets() {
        for (text, method, port, target) in [
            ("GET /page?name=Bob", "GET", None, "/page?name=Bob"),
            ("/page", "GET", None, "/page"),
            ("  DELETE   /x  ", "DELETE", None, "/x"),
            (":9090/metrics", "GET", Some(9090), "/metrics"),
            ("GET :80/", "GET", Some(80), "/"),
            ("GET /ä#top", "GET", None, "/%C3%A4"),
            ("GET /a%20b", "GET", None, "/a%20b"),
        ] {
            let probe = http(text);
            assert_eq!(
                (probe.method.as_str(), probe.port, probe.target.as_str()),
                (method, port, target),
                "{text}"
            );
        }
    }

    #[test]
    fn bodies() {
        let probe = http(r#"POST /items json={"b": "x y", "a": [1, 2]} header=X-Id:7"#);
        assert_eq!(
            probe.body,
            Body::Bytes(br#"{"b": "x y", "a": [1, 2]}"#.to_vec())
        );
        assert_eq!(header(&probe, "Content-Type").unwrap(), "application/json");
        assert_eq!(header(&probe, "X-Id").unwrap(), "7");

        let probe = http("PUT /x form=a=1&b=2");
        assert_eq!(probe.body, Body::Bytes(b"a=1&b=2".to_vec()));

        let probe = http(r#"POST /x form="a=one two" header="Content-Type: text/plain""#);
        assert_eq!(probe.body, Body::Bytes(b"a=one+two".to_vec()));
        assert_eq!(header(&probe, "Content-Type").unwrap(), "text/plain");
        assert_eq!(probe.headers.len(), 1);

        assert_eq!(
            http("POST /x body=@some/file").body,
            Body::File("some/file".into())
        );
        assert_eq!(
            http(r#"POST /x body="say \"hi\"""#).body,
            Body::Bytes(b"say \"hi\"".to_vec())
        );
        assert_eq!(http("POST /x json=3").body, Body::Bytes(b"3".to_vec()));
    }

    #[test]
    fn what_is_not_a_probe_says_why() {
        for (text, why) in [
            ("", "not an HTTP method"),
            ("get /x", "not an HTTP method"),
            ("http://host/", "not an HTTP method"),
            ("GET", "not a path"),
            ("GET page", "not a path"),
            ("GET :x/", "not a port"),
            ("GET :0/", "not a port"),
            ("GET :70000/", "not a port"),
            ("GET :80", "not a path"),
            ("POST /x json={", "not JSON"),
            ("POST /x json=", "empty"),
            ("POST /x json={} body=y", "two bodies"),
            ("POST /x body=@", "no file"),
            ("POST /x colour=red", "not a field"),
            ("POST /x red", "not a field"),
            ("GET /x header=NoColon", "not a header"),
            ("GET /x header=\"A B: c\"", "cannot be a header"),
            ("GET /x header=\"A: b\nc: d\"", "control character"),
            ("GET /x header=\"A: b", "not closed"),
        ] {
            let err = Probe::http(text).unwrap_err();
            assert!(err.to_string().contains(why), "{text:?}: {err}");
            assert!(err.hint().is_some());
        }
    }

    #[test]
    fn commands_are_split_as_a_shell_does() {
        assert_eq!(
            Probe::exec("python -c 'print(1)'").unwrap(),
            Probe::Exec(ExecProbe {
                argv: Some(vec!["python".into(), "-c".into(), "print(1)".into()]),
                stdin: None,
            })
        );
        assert!(Probe::exec("  ").is_err());
        assert!(Probe::exec("say 'it").is_err());
    }

    #[test]
    fn tables() {
        let probe = |text: &str| -> Result<Probe, ProbeError> {
            Probe::try_from(toml::from_str::<ProbeTable>(text).unwrap())
        };
        assert_eq!(probe("http = 'GET /x'").unwrap(), Probe::get("/x"));
        assert_eq!(
            probe("exec = 'a b'\nstdin = 'f'").unwrap(),
            Probe::Exec(ExecProbe {
                argv: Some(vec!["a".into(), "b".into()]),
                stdin: Some("f".into()),
            })
        );
        assert_eq!(probe("stdin = 'f'").unwrap(), Probe::stdin("f".into()));
        assert_eq!(
            probe("test = 't.sh'").unwrap(),
            Probe::Script("t.sh".into())
        );
        assert!(probe("").is_err());
        assert!(probe("http = '/x'\nexec = 'y'").is_err());
        assert!(toml::from_str::<ProbeTable>("htpp = '/x'").is_err());
    }

    #[test]
    fn probes_read_as_the_user_would_write_them() {
        for (probe, text) in [
            (
                Probe::http(":80/x body=hello").unwrap(),
                "GET :80/x body=hello",
            ),
            (Probe::exec("a 'b c'").unwrap(), "exec a 'b c'"),
            (Probe::stdin("f.csv".into()), "the image's command < f.csv"),
        ] {
            assert_eq!(probe.to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
            let _ = Probe::http(&text);
            let _ = Probe::http(&format!("POST /x {text}"));
            let _ = Probe::exec(&text);
        }
    }
}
