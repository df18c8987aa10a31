//! Packages: who put a file into the image.

/// Index of a package in its [`super::Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId(pub u32);

/// Which package manager owns a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    Dpkg,
    Apk,
    Python,
    Node,
}

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    pub kind: PackageKind,
    pub name: String,
    pub version: String,
    /// Names of the packages that this one says it needs (no versions, no
    /// alternatives beyond the installed one).
    pub depends: Vec<String>,
    /// For dpkg and apk: the paragraph of the database as written. Empty else.
    pub record: String,
}

impl Package {
    /// A field of the record.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.record.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            (field == name).then(|| value.trim())
        })
    }

    /// For dpkg: the source package, whose name is left out where it is the
    /// package's own.
    pub fn source(&self) -> &str {
        self.field("Source")
            .and_then(|source| source.split_whitespace().next())
            .unwrap_or(&self.name)
    }
}
