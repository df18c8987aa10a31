//! Where a registry answers.

use std::net::IpAddr;
use std::str::FromStr;

use super::RegistryError;
use crate::ImageName;
use crate::name::{DOCKER_HUB, split_port};

/// A registry's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// As in names of images and in files with logins: `docker.io`.
    pub name: String,
    /// `https://registry-1.docker.io`.
    pub base: String,
    pub loopback: bool,
}

impl Host {
    /// `insecure` allows plain HTTP, and only with registries on this machine:
    /// on a wire, passwords and images would be anybody's.
    pub fn new(name: &str, insecure: bool) -> Self {
        let loopback = is_loopback(name);
        let scheme = match insecure && loopback {
            true => "http",
            false => "https",
        };
        let authority = match name {
            DOCKER_HUB => "registry-1.docker.io",
            name => name,
        };
        Self {
            name: name.to_owned(),
            base: format!("{scheme}://{authority}"),
            loopback,
        }
    }

    pub fn is_plain(&self) -> bool {
        self.base.starts_with("http:")
    }
}

/// True for an address that never leaves this machine.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let (host, _) = split_port(authority);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Another place with the images of a registry: `[REGISTRY=]HOST[/FOLDER]`,
/// where `REGISTRY` is `docker.io` if it is not named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryMirror {
    registry: String,
    host: String,
    /// What comes before the repository's own name.
    folder: Option<String>,
}

impl RegistryMirror {
    /// Where the mirror has an image: its host and the repository there.
    pub(super) fn place(&self, name: &ImageName) -> Option<(&str, String)> {
        let repository = match &self.folder {
            Some(folder) => format!("{folder}/{}", name.repository),
            None => name.repository.clone(),
        };
        (name.registry == self.registry).then_some((&self.host, repository))
    }
}

impl FromStr for RegistryMirror {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let wrong = || RegistryError::Mirror(text.to_owned());
        let (registry, place) = text.split_once('=').unwrap_or((DOCKER_HUB, text));
        let place = place.trim_end_matches('/');
        // A mirror is written as the name of an image is: with something
        // behind the host, the one grammar reads both.
        let name: ImageName = format!("{place}/x").parse().map_err(|_| wrong())?;
        let known: ImageName = format!("{registry}/x/x").parse().map_err(|_| wrong())?;
        let (host, folder) = match place.split_once('/') {
            Some((host, folder)) => (host, Some(folder.to_owned())),
            None => (place, None),
        };
        if name.registry != host || known.registry != registry {
            return Err(wrong());
        }
        Ok(Self {
            registry: registry.to_owned(),
            host: host.to_owned(),
            folder,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (name, base) in [
            ("localhost:5000", "http://localhost:5000"),
            ("127.0.0.2", "http://127.0.0.2"),
            ("[::1]:5000", "http://[::1]:5000"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000"),
            ("localhost.example", "https://localhost.example"),
            ("127.0.0.1.example", "https://127.0.0.1.example"),
            ("docker.io", "https://registry-1.docker.io"),
        ] {
            assert_eq!(Host::new(name, true).base, base);
            assert!(Host::new(name, false).base.starts_with("https://"));
        }
    }

    #[test]
    fn mirrors() {
        let place = |mirror: &str, name: &str| {
            let mirror: RegistryMirror = mirror.parse().unwrap();
            mirror
                .place(&name.parse().unwrap())
                .map(|(host, repository)| format!("{host}/{repository}"))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(place("m.example", "app"), some("m.example/library/app"));
        assert_eq!(place("m.example", "r.io/app"), None);
        assert_eq!(
            place("r.io=localhost:5000/hub/", "r.io/a/b"),
            some("localhost:5000/hub/a/b")
        );
        for wrong in [
            "",
            "mirror",
            "https://m.example",
            "m.example/A",
            "x y=m.example",
        ] {
            assert!(wrong.parse::<RegistryMirror>().is_err(), "{wrong}");
        }
    }
}
