//! Packages as a lock file names them: enough to get the same bytes again
//! without an index.

use whit_oci::Digest;

use super::mirror::Mirror;
use super::resolve::DebRef;
use super::suite::Archive;
use whit_oci::download::Wanted;

/// One package, exactly.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct LockedDeb {
    pub name: String,
    pub version: String,
    pub architecture: String,
    pub archive: Archive,
    /// Below the archive's base.
    pub path: String,
    pub sha256: Digest,
    /// Bytes of the `.deb`.
    pub size: u64,
}

impl From<DebRef> for LockedDeb {
    fn from(deb: DebRef) -> Self {
        Self {
            name: deb.name,
            version: deb.version,
            architecture: deb.architecture,
            archive: deb.archive,
            path: deb.filename,
            sha256: deb.sha256,
            size: deb.size,
        }
    }
}

impl LockedDeb {
    /// Where it is on a mirror.
    pub fn wanted(&self, mirror: &Mirror) -> Wanted {
        Wanted {
            urls: addresses(mirror, self.archive, &self.path),
            sha256: self.sha256,
            size: self.size,
        }
    }
}

/// Where a file of the pool may be.
pub(super) fn addresses(mirror: &Mirror, archive: Archive, path: &str) -> Vec<String> {
    let mut urls = mirror.urls(archive, path);
    if archive == Archive::Security {
        // A point release moves what security fixed into the main archive,
        // under the same name: the hash tells if it is the same.
        let path = path.replacen("pool/updates/", "pool/", 1);
        urls.extend(mirror.urls(Archive::Main, &path));
    }
    urls
}

/// The packages of a resolution as a lock keeps them, sorted by name.
pub fn lock(debs: Vec<DebRef>) -> Vec<LockedDeb> {
    let mut locked: Vec<LockedDeb> = debs.into_iter().map(LockedDeb::from).collect();
    locked.sort();
    locked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deb(name: &str, archive: Archive) -> DebRef {
        DebRef {
            name: name.into(),
            version: "1:2-3".into(),
            architecture: "all".into(),
            filename: format!("pool/updates/main/{name}.deb"),
            size: 7,
            sha256: Digest::of(b""),
            archive,
        }
    }

    #[test]
    fn sorted_and_read_again() {
        let locked = lock(vec![deb("b", Archive::Main), deb("a", Archive::Security)]);
        assert_eq!(locked[0].name, "a");
        let text = toml::to_string(&std::collections::BTreeMap::from([("deb", &locked)])).unwrap();
        assert!(text.contains("archive = \"security\""), "{text}");
        let again: std::collections::BTreeMap<String, Vec<LockedDeb>> =
            toml::from_str(&text).unwrap();
        assert_eq!(again["deb"], locked);
    }

    #[test]
    fn security_updates_are_looked_for_in_both_archives() {
        let mirror = Mirror::parse("http://a.example/debian").unwrap();
        let locked = LockedDeb::from(deb("a", Archive::Security));
        assert_eq!(
            locked.wanted(&mirror).urls,
            [
                "http://a.example/debian-security/pool/updates/main/a.deb",
                "http://a.example/debian/pool/main/a.deb"
            ]
        );
    }
}
