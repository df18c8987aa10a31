//! Paths inside an image.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A normalized path inside an image, relative to its root.
///
/// It has no leading or trailing slash and no `.` or `..` component; the root
/// itself is the empty path. It is a type of its own so that an image's path
/// can never open a file of the host by accident: only [`ImagePath::under`]
/// makes a host path of it. Linux paths are bytes, so it need not be UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ImagePath(Box<[u8]>);

/// Why a path cannot be a path inside an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("path {0:?} climbs out of the image with `..`")]
    Climbs(String),
    #[error("path {0:?} contains a NUL byte")]
    Nul(String),
}

impl ImagePath {
    /// The root of the image.
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads a path as it stands in a layer, a package's file list or a
    /// configuration: `/usr/bin`, `./usr/bin/`, `usr//bin` are the same.
    ///
    /// `..` is resolved lexically and refused where it would leave the root.
    pub fn parse(raw: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let raw = raw.as_ref();
        if raw.contains(&0) {
            return Err(PathError::Nul(String::from_utf8_lossy(raw).into_owned()));
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in raw.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    if parts.pop().is_none() {
                        return Err(PathError::Climbs(String::from_utf8_lossy(raw).into_owned()));
                    }
                }
                part => parts.push(part),
            }
        }
        Ok(Self(parts.join(&b'/').into_boxed_slice()))
    }

    /// Like [`ImagePath::parse`], but `..` at the root stays at the root, as
    /// the kernel resolves it.
    pub fn clamped(raw: impl AsRef<[u8]>) -> Self {
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in raw.as_ref().split(|b| *b == b'/' || *b == 0) {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        Self(parts.join(&b'/').into_boxed_slice())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as text, where it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or_default()
    }

    /// What follows the last dot of the name, without the dot.
    pub fn extension(&self) -> Option<&[u8]> {
        let name = self.name();
        let dot = name.iter().rposition(|b| *b == b'.')?;
        (dot > 0).then(|| &name[dot + 1..])
    }

    /// The folder that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<ImagePath> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        Some(Self(self.0[..cut].into()))
    }

    /// Every folder above this path, nearest first, the root last.
    pub fn ancestors(&self) -> impl Iterator<Item = ImagePath> {
        std::iter::successors(self.parent(), ImagePath::parent)
    }

    /// The components from the root down.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/').filter(|part| !part.is_empty())
    }

    /// Resolves `raw` the way a path in a file of folder `self` is meant: an
    /// absolute one from the root, a relative one from here.
    pub fn join(&self, raw: impl AsRef<[u8]>) -> ImagePath {
        let raw = raw.as_ref();
        if raw.first() == Some(&b'/') {
            return Self::clamped(raw);
        }
        let mut whole = self.0.to_vec();
        whole.push(b'/');
        whole.extend_from_slice(raw);
        Self::clamped(whole)
    }

    /// True if `self` is `folder` or lies below it.
    pub fn starts_with(&self, folder: &ImagePath) -> bool {
        folder.is_root()
            || (self.0.starts_with(&folder.0)
                && (self.0.len() == folder.0.len() || self.0[folder.0.len()] == b'/'))
    }

    /// What follows `folder/`; `None` if the path does not lie below it.
    pub fn strip_prefix(&self, folder: &ImagePath) -> Option<&[u8]> {
        if folder.is_root() {
            return Some(&self.0);
        }
        let rest = self.0.strip_prefix(&*folder.0)?;
        if rest.is_empty() {
            return Some(rest);
        }
        rest.strip_prefix(b"/")
    }

    /// The host path of this file below an extracted root.
    pub fn under(&self, root: &Path) -> PathBuf {
        if self.is_root() {
            root.to_path_buf()
        } else {
            root.join(OsStr::from_bytes(&self.0))
        }
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Ordered and compared like its bytes, so that maps can be asked with a
/// slice.
impl std::borrow::Borrow<[u8]> for ImagePath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for ImagePath {
    fn from(raw: &str) -> Self {
        Self::clamped(raw)
    }
}

impl serde::Serialize for ImagePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_are_equal() {
        for raw in ["/usr/bin", "./usr/bin/", "usr//bin", "usr/lib/../bin"] {
            assert_eq!(ImagePath::parse(raw).unwrap(), ImagePath::from("usr/bin"));
        }
    }

    #[test]
    fn climbing_out_is_refused() {
        assert!(matches!(
            ImagePath::parse("usr/../../etc"),
            Err(PathError::Climbs(_))
        ));
    }

    #[test]
    fn relatives() {
        let path = ImagePath::from("usr/lib/libz.so.1");
        assert_eq!(path.name(), b"libz.so.1");
        assert_eq!(path.extension(), Some(&b"1"[..]));
        assert_eq!(path.parent(), Some("usr/lib".into()));
        assert_eq!(path.ancestors().count(), 3);
        assert_eq!(ImagePath::from("a/b").join("../../../x"), "x".into());
        assert!(path.starts_with(&"usr/lib".into()));
        assert!(!ImagePath::from("usr/library").starts_with(&"usr/lib".into()));
    }
}
