//! The platform an image is made for.

use std::fmt;
use std::str::FromStr;

/// Operating system and processor in Go's names (OCI image spec,
/// image-index.md): `linux/amd64`, `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: Option<String>,
}

/// A text that is not `OS/ARCHITECTURE[/VARIANT]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform: write it as linux/amd64, linux/arm64 or linux/arm/v7")]
pub struct PlatformError(String);

impl Platform {
    /// The platform that whit itself runs on.
    pub fn host() -> Self {
        Self::new("linux", std::env::consts::ARCH, None)
    }

    /// A platform by its parts; the kernel's names of processors become Go's.
    pub(crate) fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let (architecture, variant) = match (architecture, variant) {
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("aarch64" | "arm64", None | Some("v8" | "8")) => ("arm64", None),
            ("x86" | "i686" | "i386", variant) => ("386", variant),
            ("powerpc64", variant) => ("ppc64le", variant),
            other => other,
        };
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.filter(|v| !v.is_empty()).map(str::to_owned),
        }
    }

    /// How well an image for `self` runs where `wanted` is asked for: `None`
    /// if it does not, else lower is better.
    pub(crate) fn distance(&self, wanted: &Platform) -> Option<u32> {
        if self.os != wanted.os || self.architecture != wanted.architecture {
            return None;
        }
        if self.variant == wanted.variant {
            return Some(0);
        }
        match (level(&self.variant), level(&wanted.variant)) {
            // Nothing asked for: the image without a variant, else the newest
            // ARM (which is what its users have), else the lowest x86.
            (Some(has), None) if self.architecture == "arm" => Some(100 - has.min(99)),
            (Some(has), None) => Some(has),
            (None, Some(_)) => Some(50),
            // An older variant runs on a newer processor.
            (Some(has), Some(wants)) if has <= wants => Some(wants - has),
            _ => None,
        }
    }
}

fn level(variant: &Option<String>) -> Option<u32> {
    variant.as_deref()?.trim_start_matches('v').parse().ok()
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let mut parts = text.split('/');
        let wrong = || PlatformError(text.to_owned());
        let os = parts.next().filter(|p| !p.is_empty()).ok_or_else(wrong)?;
        let architecture = parts.next().filter(|p| !p.is_empty()).ok_or_else(wrong)?;
        let variant = parts.next();
        if parts.next().is_some() || variant == Some("") {
            return Err(wrong());
        }
        Ok(Self::new(os, architecture, variant))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_normalized() {
        assert_eq!(platform("linux/x86_64").to_string(), "linux/amd64");
        assert_eq!(platform("linux/arm64/v8").to_string(), "linux/arm64");
        assert_eq!(platform("linux/arm/v7").to_string(), "linux/arm/v7");
        for wrong in ["", "linux", "linux/", "linux/arm/", "linux/arm/v7/x"] {
            assert!(wrong.parse::<Platform>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_older_variant_runs_on_a_newer_processor() {
        let v7 = platform("linux/arm/v7");
        assert_eq!(v7.distance(&v7), Some(0));
        assert!(platform("linux/arm/v6").distance(&v7).is_some());
        assert_eq!(v7.distance(&platform("linux/arm/v6")), None);
        assert_eq!(v7.distance(&platform("linux/arm64")), None);
        // Without a wish the newest wins.
        let any = platform("linux/arm");
        assert!(v7.distance(&any) < platform("linux/arm/v5").distance(&any));
    }
}
