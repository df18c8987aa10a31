//! The name of an image in a registry.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::Digest;

/// Where a name without a registry is looked for.
pub(crate) const DOCKER_HUB: &str = "docker.io";

/// `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`, completed as Docker does: without a
/// registry `docker.io`, there without a folder `library/` (distribution's
/// package `reference`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    /// `HOST[:PORT]`.
    pub registry: String,
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

/// A text that is no name of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a name for an image{why}")]
pub struct NameError {
    text: String,
    why: &'static str,
}

impl NameError {
    /// What a name looks like.
    pub fn hint(&self) -> String {
        "use lower-case letters, digits and . _ - /, then :TAG; for example shop/api:1.2".to_owned()
    }
}

impl ImageName {
    /// The tag that is meant: `latest` where neither tag nor digest is given.
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }

    /// The last word of the repository: `api` of `shop/api:1.2`.
    pub fn base(&self) -> &str {
        self.repository
            .rsplit_once('/')
            .map_or(&self.repository, |(_, base)| base)
    }

    /// Everything, the parts that people leave out too: what containerd and
    /// annotations want.
    pub fn full(&self) -> String {
        format!("{}/{}{}", self.registry, self.repository, self.suffix())
    }

    /// The name with `latest` where it has no tag, and nothing else added: the
    /// names of `docker save`.
    pub fn tagged(&self) -> String {
        format!("{}:{}", self.short(), self.tag_or_latest())
    }

    /// The image under another tag.
    pub fn with_tag(&self, tag: String) -> Self {
        Self {
            tag: Some(tag),
            digest: None,
            ..self.clone()
        }
    }

    /// Registry and repository without what Docker leaves out.
    fn short(&self) -> String {
        if self.registry != DOCKER_HUB {
            return format!("{}/{}", self.registry, self.repository);
        }
        self.repository
            .strip_prefix("library/")
            .filter(|rest| !rest.contains('/'))
            .unwrap_or(&self.repository)
            .to_owned()
    }

    fn suffix(&self) -> String {
        let tag = self.tag.iter().map(|tag| format!(":{tag}"));
        tag.chain(self.digest.iter().map(|digest| format!("@{digest}")))
            .collect()
    }
}

impl FromStr for ImageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |why| NameError {
            text: text.to_owned(),
            why,
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest
                    .parse()
                    .map_err(|_| wrong(": behind @ comes sha256: and 64 hexadecimal digits"))?;
                (rest, Some(digest))
            }
            None => (text, None),
        };
        // A colon belongs to a tag only behind the last slash.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong(""));
        }
        let (registry, repository) = match name.split_once('/') {
            Some((host, rest)) if is_host(host) => (host, rest.to_owned()),
            _ if name.contains('/') => (DOCKER_HUB, name.to_owned()),
            _ => (DOCKER_HUB, format!("library/{name}")),
        };
        let (registry, repository) = match registry {
            // The names under which old clients knew it.
            "index.docker.io" | "registry-1.docker.io" => (DOCKER_HUB, repository),
            _ => (registry, repository),
        };
        let repository = match registry == DOCKER_HUB && !repository.contains('/') {
            true => format!("library/{repository}"),
            false => repository,
        };
        if name.len() > 255 || !repository.split('/').all(is_component) {
            return Err(wrong(""));
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository,
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.short(), self.suffix())
    }
}

fn is_tag(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && !text.starts_with(['.', '-'])
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// True for what Docker takes for a registry and not for part of a name:
/// `localhost`, or something with a dot or a port in it.
fn is_host(text: &str) -> bool {
    let (host, port) = split_port(text);
    let port_fits =
        port.is_none_or(|port| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()));
    let v6 = |host: &str| -> Option<Ipv6Addr> {
        host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
    };
    port_fits
        && (v6(host).is_some()
            || (host == "localhost" || text.contains(['.', ':']))
                && !host.is_empty()
                && host
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)))
}

/// `HOST:PORT` in its two parts; an IPv6 address has its colons in brackets.
pub(crate) fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// Lower-case letters and digits, joined by `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(word)
        && text.ends_with(word)
        && text
            .split(word)
            .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.chars().all(|c| c == '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ImageName {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_completed_as_docker_does() {
        for (text, full) in [
            ("app", "docker.io/library/app"),
            ("app:1", "docker.io/library/app:1"),
            ("shop/app:1", "docker.io/shop/app:1"),
            ("docker.io/app", "docker.io/library/app"),
            ("index.docker.io/library/app", "docker.io/library/app"),
            ("r.io/app:1", "r.io/app:1"),
            ("localhost/app:1", "localhost/app:1"),
            ("localhost:5000/a/b", "localhost:5000/a/b"),
            ("[::1]:5000/a", "[::1]:5000/a"),
            ("r.io/a__b/c--d:V1.2", "r.io/a__b/c--d:V1.2"),
        ] {
            assert_eq!(name(text).full(), full, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_reads_back() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for text in [
            "app".to_owned(),
            "app:1".to_owned(),
            "shop/app:1".to_owned(),
            "r.io:5000/app:1".to_owned(),
            format!("app:1@{digest}"),
            format!("r.io/app@{digest}"),
        ] {
            assert_eq!(name(&text).to_string(), text);
        }
        assert_eq!(name("app").tagged(), "app:latest");
        assert_eq!(name("r.io/shop/api:1").base(), "api");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "App",
            "a:",
            "a:-x",
            "a..b",
            "a/",
            "/a",
            "r.io:port/a",
            "a@sha256:12",
            "a b",
            "a/../b",
        ] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
    }
}
