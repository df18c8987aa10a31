//! The ways in which people ship a Python app.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::index::PackageKind;
use crate::source::debian::Suite;

/// One way to an image, the heaviest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// A full distribution with pip and what it builds with.
    Common,
    /// The same without compilers: a `-slim` image.
    Magic,
    /// The interpreter and its libraries alone: distroless.
    Rare,
    /// Alpine's packages on musl.
    Epic,
    /// `FROM scratch`, what the code can reach.
    Legendary,
    /// `FROM scratch`, what its runs touched.
    Tight,
    /// `FROM scratch`, one executable.
    #[serde(rename = "one-file")]
    OneFile,
}

/// What `debootstrap --variant=minbase` makes of Debian: essential packages
/// and what they need, with apt. Those that others depend on come by
/// themselves.
const MINBASE: [&str; 32] = [
    "adduser",
    "apt",
    "base-files",
    "base-passwd",
    "bash",
    "bsdutils",
    "coreutils",
    "dash",
    "debconf",
    "debian-archive-keyring",
    "debianutils",
    "diffutils",
    "dpkg",
    "findutils",
    "gpgv",
    "grep",
    "gzip",
    "hostname",
    "init-system-helpers",
    "libc-bin",
    "login",
    "mawk",
    "mount",
    "ncurses-base",
    "ncurses-bin",
    "passwd",
    "perl-base",
    "sed",
    "sysvinit-utils",
    "tar",
    "tzdata",
    "util-linux",
];

/// What a distroless image for Python has besides the interpreter: no shell,
/// no package manager.
const DISTROLESS: [&str; 6] = [
    "base-files",
    "ca-certificates",
    "libc6",
    "libgcc-s1",
    "netbase",
    "tzdata",
];

impl Strategy {
    pub const ALL: [Self; 7] = [
        Self::Common,
        Self::Magic,
        Self::Rare,
        Self::Epic,
        Self::Legendary,
        Self::Tight,
        Self::OneFile,
    ];

    /// What it is made from, in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Common => "full Debian, pip, compilers",
            Self::Magic => "slim Debian, pip",
            Self::Rare => "distroless's packages",
            Self::Epic => "Alpine, musl",
            Self::Legendary => "scratch, by whit",
            Self::Tight => "scratch, by whit --policy tight",
            Self::OneFile => "scratch, one executable, by whit --single",
        }
    }

    /// True where there is an image without an engine.
    pub fn is_whits(self) -> bool {
        self != Self::Epic
    }

    /// The Debian packages that whit puts together for it; `None` where it
    /// is not made of a list of packages.
    pub fn packages(self, suite: Suite) -> Option<Vec<&'static str>> {
        let python = match suite {
            Suite::Bookworm => ["python3.11", "python3.11-venv"],
            Suite::Trixie => ["python3.13", "python3.13-venv"],
        };
        let full = [
            "python3",
            "python-is-python3",
            "python3-pip",
            "ca-certificates",
        ];
        Some(match self {
            Self::Common => [
                &MINBASE[..],
                &python,
                &full,
                &["build-essential", "python3-dev"],
            ]
            .concat(),
            Self::Magic => [&MINBASE[..], &python, &full].concat(),
            Self::Rare => [
                &DISTROLESS[..],
                &python[..1],
                &["python3-minimal", "python-is-python3"],
            ]
            .concat(),
            Self::Epic | Self::Legendary | Self::Tight | Self::OneFile => return None,
        })
    }

    /// Whose modules come with bytecode: Debian's scripts and pip compile what
    /// they install, and distroless runs no scripts.
    pub fn compiles(self, kind: PackageKind) -> bool {
        match self {
            Self::Rare => kind == PackageKind::Python,
            _ => true,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Common => "common",
            Self::Magic => "magic",
            Self::Rare => "rare",
            Self::Epic => "epic",
            Self::Legendary => "legendary",
            Self::Tight => "tight",
            Self::OneFile => "one-file",
        })
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::ALL;
        all.into_iter()
            .find(|strategy| strategy.to_string() == text)
            .ok_or_else(|| {
                let names: Vec<String> = all.iter().map(ToString::to_string).collect();
                format!("it is none of {}", names.join(", "))
            })
    }
}
