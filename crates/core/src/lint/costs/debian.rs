//! Debian's packages: what they need, and what they recommend.

/// What a package adds to a minimal system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of itself and what it depends on.
    pub own: u64,
    /// Bytes that its recommendations add to that.
    pub recommends: u64,
}

pub fn apt(package: &str) -> Option<Cost> {
    let at = PACKAGES.binary_search_by_key(&package, |(name, ..)| name).ok()?;
    let (_, own, recommends) = PACKAGES[at];
    Some(Cost {
        own: own * 1024,
        recommends: recommends * 1024,
    })
}

/// Name, kB without recommendations, kB that recommendations add: bookworm on
/// amd64 on top of what `debian:bookworm-slim` holds, by Installed-Size, as
/// `scripts/lint-costs.py` prints it. Sorted.
#[rustfmt::skip]
static PACKAGES: &[(&str, u64, u64)] = &[
];
