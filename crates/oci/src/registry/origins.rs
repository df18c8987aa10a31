//! Which repositories have a blob: from there a registry can mount it into
//! another one, and nothing is sent.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::Digest;

/// Repositories that are remembered per blob.
const MOST: usize = 8;

/// What was fetched from where and sent to where, one small file per blob.
/// Nothing but time is lost without it, so that it may fail in silence.
#[derive(Debug, Clone)]
pub(super) struct Origins {
    folder: PathBuf,
}

impl Origins {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Repositories of `registry` that had the blob, the last one first.
    pub fn of(&self, digest: &Digest, registry: &str) -> Vec<String> {
        self.lines(digest)
            .iter()
            .rev()
            .filter_map(|line| line.split_once(' '))
            .filter(|(host, _)| *host == registry)
            .map(|(_, repository)| repository.to_owned())
            .collect()
    }

    pub fn remember(&self, digest: &Digest, registry: &str, repository: &str) {
        let line = format!("{registry} {repository}");
        let mut lines = self.lines(digest);
        if lines.last() == Some(&line) {
            return;
        }
        lines.retain(|known| *known != line);
        lines.push(line);
        let skip = lines.len().saturating_sub(MOST);
        let text = lines[skip..].join("\n");
        let _ = fs::create_dir_all(&self.folder);
        let _ = tempfile::NamedTempFile::new_in(&self.folder).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.persist(self.path(digest))
                .map(drop)
                .map_err(|failed| failed.error)
        });
    }

    fn lines(&self, digest: &Digest) -> Vec<String> {
        let text = fs::read_to_string(self.path(digest)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let origins = Origins::new(dir.path().join("origins"));
        let digest = Digest::of(b"x");
        assert!(origins.of(&digest, "r.io").is_empty());
        for i in 0..10 {
            origins.remember(&digest, "r.io", &format!("a{i}"));
        }
        origins.remember(&digest, "other.io", "b");
        origins.remember(&digest, "r.io", "a5");
        let found = origins.of(&digest, "r.io");
        assert_eq!(found, ["a5", "a9", "a8", "a7", "a6", "a4", "a3"]);
        assert_eq!(origins.of(&digest, "other.io"), ["b"]);
    }
}
