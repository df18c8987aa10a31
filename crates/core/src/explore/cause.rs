//! What bytes are wasted on, and what would get rid of them.

use serde::Serialize;
use whit_oci::ImagePath;

use crate::inventory::FileType;
use crate::plan;

/// Why bytes are there for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A later layer has something else at the path.
    Replaced,
    /// A later layer has the same content with another owner, mode or time.
    Repeated,
    /// A later layer deletes it.
    Deleted,
    /// Another file has the same content.
    Duplicate,
    /// Compiled code whose source lies beside it.
    Bytecode,
    /// What only a debugger reads.
    Symbols,
    Cache,
    Documentation,
}

impl Cause {
    pub const ALL: [Self; 8] = [
        Self::Replaced,
        Self::Repeated,
        Self::Deleted,
        Self::Duplicate,
        Self::Bytecode,
        Self::Symbols,
        Self::Cache,
        Self::Documentation,
    ];

    /// What the cause is called in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replaced => "replaced in a later layer",
            Self::Repeated => "owner or mode changed in a later layer",
            Self::Deleted => "deleted in a later layer",
            Self::Duplicate => "duplicates",
            Self::Bytecode => "bytecode beside its source",
            Self::Symbols => "debug symbols",
            Self::Cache => "caches, logs and leftovers",
            Self::Documentation => "documentation and translations",
        }
    }

    /// What would get rid of it, besides `whit shrink`.
    pub fn mend(self) -> &'static str {
        match self {
            Self::Replaced => {
                "write the file once: join the steps, or COPY the final version first"
            }
            Self::Repeated => {
                "COPY --chown=… --chmod=…, not RUN chown or chmod in a layer of its own"
            }
            Self::Deleted => "delete it in the RUN that makes it, or build in a stage before",
            Self::Duplicate => "keep one and make the others links (ln), or COPY it only once",
            Self::Bytecode => {
                "pip install --no-compile with PYTHONDONTWRITEBYTECODE=1, or ship bytecode alone"
            }
            Self::Symbols => "strip --strip-unneeded in the build stage; no -dbg packages",
            Self::Cache => {
                "RUN --mount=type=cache, pip --no-cache-dir, rm -rf /var/lib/apt/lists/* in the same RUN"
            }
            Self::Documentation => {
                "path-exclude=/usr/share/doc/* (man, locale) in /etc/dpkg/dpkg.cfg.d; no -doc packages"
            }
        }
    }

    /// Whether a later layer hides the file, so that no process sees it.
    pub fn hides(self) -> bool {
        matches!(self, Self::Replaced | Self::Repeated | Self::Deleted)
    }

    /// The cause that a path alone tells.
    pub(super) fn of(path: &ImagePath, file_type: FileType) -> Option<Self> {
        if plan::litter(path).is_some() {
            return Some(Self::Cache);
        }
        if debug_file(path) {
            return Some(Self::Symbols);
        }
        match file_type {
            // A licence has to go with what it is the licence of.
            FileType::Documentation | FileType::Locale if !legal(path) && !needed(path) => {
                Some(Self::Documentation)
            }
            _ => None,
        }
    }
}

/// Where separate debug files lie (GDB's manual, "Separate Debug Files").
fn debug_file(path: &ImagePath) -> bool {
    path.as_bytes().starts_with(b"usr/lib/debug/") || path.extension() == Some(b"debug")
}

/// The locale of programs that ask for none but UTF-8.
fn needed(path: &ImagePath) -> bool {
    path.as_bytes().starts_with(b"usr/lib/locale/C.")
}

fn legal(path: &ImagePath) -> bool {
    const NAMES: [&[u8]; 4] = [b"copyright", b"licen", b"notice", b"copying"];
    let name = path.name().to_ascii_lowercase();
    NAMES.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell() {
        use FileType::{Documentation, Library, Locale, Other};
        for (path, file_type, want) in [
            ("var/cache/apt/pkgcache.bin", Other, Some(Cause::Cache)),
            ("usr/lib/debug/.build-id/ab/c", Other, Some(Cause::Symbols)),
            (
                "usr/share/doc/x/changelog.gz",
                Documentation,
                Some(Cause::Documentation),
            ),
            ("usr/share/doc/x/copyright", Documentation, None),
            (
                "usr/share/locale/de/x.mo",
                Locale,
                Some(Cause::Documentation),
            ),
            ("usr/lib/locale/C.utf8/LC_CTYPE", Locale, None),
            ("usr/lib/libc.so.6", Library, None),
        ] {
            assert_eq!(Cause::of(&path.into(), file_type), want, "{path}");
        }
    }
}
