//! An image's configuration as instructions of a Dockerfile.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use whit_oci::ImageConfig;

/// The instructions that give an image made `FROM scratch` this configuration,
/// and what a Dockerfile cannot say.
///
/// See <https://docs.docker.com/reference/dockerfile/> for their forms, which
/// the classic builder, BuildKit and buildah share.
pub(super) fn instructions(config: &ImageConfig) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut unsaid = Vec::new();
    let mut put = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    for (name, value) in config.env() {
        match value.chars().any(char::is_control) {
            true => unsaid.push(format!(
                "The variable {name}: its value has control characters."
            )),
            false => put(format!("ENV {name}={}", quoted(&value))),
        }
    }
    for (name, value) in object(config, "Labels") {
        let value = value.as_str().unwrap_or_default();
        match value.chars().any(char::is_control) {
            true => unsaid.push(format!(
                "The label {name}: its value has control characters."
            )),
            false => put(format!("LABEL {}={}", quoted(&name), quoted(value))),
        }
    }
    for (port, _) in object(config, "ExposedPorts") {
        put(format!("EXPOSE {port}"));
    }
    let volumes: Vec<String> = object(config, "Volumes")
        .into_iter()
        .map(|(p, _)| p)
        .collect();
    if !volumes.is_empty() {
        put(format!("VOLUME {}", json(&volumes)));
    }
    for (field, instruction) in [
        ("User", "USER"),
        ("WorkingDir", "WORKDIR"),
        ("StopSignal", "STOPSIGNAL"),
    ] {
        let value = config.exec(field).and_then(Value::as_str);
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            put(format!("{instruction} {}", escaped(value)));
        }
    }
    if let Some(check) = config.exec("Healthcheck") {
        match healthcheck(check, &config.healthcheck()) {
            Some(line) => put(line),
            None => unsaid.push("The health check, which is of no known form.".to_owned()),
        }
    }
    for (field, instruction) in [
        ("Shell", "SHELL"),
        ("Entrypoint", "ENTRYPOINT"),
        ("Cmd", "CMD"),
    ] {
        if let Some(words @ Value::Array(_)) = config.exec(field) {
            put(format!("{instruction} {words}"));
        }
    }
    if let Some(Value::Array(triggers)) = config.exec("OnBuild") {
        for trigger in triggers.iter().filter_map(Value::as_str) {
            put(format!("ONBUILD {trigger}"));
        }
    }
    (text, unsaid)
}

/// `HEALTHCHECK [OPTIONS] CMD ...`; durations are nanoseconds (Docker image
/// specification 1.2).
fn healthcheck(check: &Value, test: &[String]) -> Option<String> {
    let (form, words) = test.split_first()?;
    if form == "NONE" {
        return Some("HEALTHCHECK NONE".to_owned());
    }
    let mut line = "HEALTHCHECK".to_owned();
    for (field, option) in [
        ("Interval", "interval"),
        ("Timeout", "timeout"),
        ("StartPeriod", "start-period"),
        ("StartInterval", "start-interval"),
    ] {
        let nanoseconds = check.get(field).and_then(Value::as_u64).unwrap_or(0);
        match nanoseconds {
            0 => {}
            n if n % 1_000_000_000 == 0 => {
                let _ = write!(line, " --{option}={}s", n / 1_000_000_000);
            }
            n => {
                let _ = write!(line, " --{option}={n}ns");
            }
        }
    }
    if let Some(retries) = check
        .get("Retries")
        .and_then(Value::as_u64)
        .filter(|n| *n > 0)
    {
        let _ = write!(line, " --retries={retries}");
    }
    let words = match form.as_str() {
        "CMD" => json(words),
        "CMD-SHELL" => {
            let text = words.first().filter(|_| words.len() == 1)?;
            match text.chars().any(char::is_control) {
                true => return None,
                false => text.clone(),
            }
        }
        _ => return None,
    };
    Some(format!("{line} CMD {words}"))
}

fn object(config: &ImageConfig, field: &str) -> Map<String, Value> {
    config
        .exec(field)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn json(words: &[String]) -> String {
    Value::from(words).to_string()
}

/// A word in double quotes.
fn quoted(value: &str) -> String {
    format!("\"{}\"", escaped(value).replace('"', "\\\""))
}

/// Without what a Dockerfile would put variables or an escape for.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('$', "\\$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_said_in_full() {
        let config = ImageConfig::parse(
            br#"{"config":{
                "Env":["PATH=/usr/bin","GREETING=say \"$x\" \\ twice","BAD=a\nb"],
                "Labels":{"a b":"c"},
                "ExposedPorts":{"53/udp":{},"80/tcp":{}},
                "Volumes":{"/data":{}},
                "User":"1000:1000","WorkingDir":"/srv","StopSignal":"SIGQUIT",
                "Healthcheck":{"Test":["CMD-SHELL","curl -f localhost || exit 1"],"Interval":30000000000,"Retries":3},
                "Entrypoint":["/bin/sh","-c","exec \"$@\""],"Cmd":["a"],"OnBuild":null}}"#,
        )
        .unwrap();
        let (text, unsaid) = instructions(&config);
        assert_eq!(
            text,
            r#"ENV PATH="/usr/bin"
ENV GREETING="say \"\$x\" \\ twice"
LABEL "a b"="c"
EXPOSE 53/udp
EXPOSE 80/tcp
VOLUME ["/data"]
USER 1000:1000
WORKDIR /srv
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=30s --retries=3 CMD curl -f localhost || exit 1
ENTRYPOINT ["/bin/sh","-c","exec \"$@\""]
CMD ["a"]
"#
        );
        assert_eq!(
            unsaid,
            ["The variable BAD: its value has control characters."]
        );
    }

    #[test]
    fn health_checks() {
        for (check, line) in [
            (r#"{"Test":["NONE"]}"#, Some("HEALTHCHECK NONE")),
            (
                r#"{"Test":["CMD","/check","a b"],"Timeout":1500000000}"#,
                Some(r#"HEALTHCHECK --timeout=1500000000ns CMD ["/check","a b"]"#),
            ),
            (r#"{"Test":["WHAT"]}"#, None),
        ] {
            let text = format!(r#"{{"config":{{"Healthcheck":{check}}}}}"#);
            let config = ImageConfig::parse(text.as_bytes()).unwrap();
            let (text, unsaid) = instructions(&config);
            assert_eq!(text.lines().next(), line, "{check}");
            assert_eq!(unsaid.is_empty(), line.is_some());
        }
    }
}
