//! The bill of materials of a small image: its packages, and what was compiled
//! into its executable.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use whit_oci::ImagePath;

use super::{Attempt, Error, Wish};
use crate::index::{PackageId, PackageKind};
use crate::report::sbom::{self, Component, ComponentKind, Licenses, Presence, Subject, licenses};
use crate::single::Ingredient;
use crate::source::FatRoot;

/// Writes the bill as SPDX.
pub(super) fn write(
    place: &Path,
    original: &FatRoot,
    attempt: &Attempt,
    wish: &Wish,
) -> Result<(), Error> {
    let mut components: Vec<(Component, Presence)> = contained(original, attempt)
        .into_iter()
        .map(|component| (component, Presence::Contained))
        .collect();
    components.extend(
        linked(original, attempt)
            .into_iter()
            .map(|component| (component, Presence::Linked)),
    );
    let digest = attempt.staged.manifest_digest();
    let subject = Subject {
        name: &wish.provenance.title,
        digest: Some(&digest).filter(|_| wish.executable.is_none()),
        date: wish.epoch,
        whit: env!("CARGO_PKG_VERSION"),
    };
    let named = |cause| Error::Bill {
        place: place.display().to_string(),
        cause,
    };
    fs::write(place, sbom::spdx(subject, &components)).map_err(named)
}

/// The packages of which something is left.
fn contained(original: &FatRoot, attempt: &Attempt) -> Vec<Component> {
    let tree = &original.tree;
    // What was linked in is told of by its sources.
    let there = match &attempt.single {
        Some(made) => &made.kept,
        None => &attempt.small,
    };
    let files = there.files.values();
    let kept: BTreeSet<PackageId> = files
        .filter_map(|file| tree.node(file.origin?).package)
        .collect();
    kept.into_iter().map(|id| component(original, id)).collect()
}

fn component(original: &FatRoot, id: PackageId) -> Component {
    let package = original.tree.package(id);
    let kind = match package.kind {
        PackageKind::Dpkg => ComponentKind::Debian {
            architecture: package.field("Architecture").unwrap_or("all").to_owned(),
            suite: None,
        },
        PackageKind::Apk => ComponentKind::Alpine {
            architecture: package.field("A").unwrap_or_default().to_owned(),
        },
        PackageKind::Python => ComponentKind::Python,
        PackageKind::Node => ComponentKind::Node,
    };
    let (license, files) = match package.kind {
        PackageKind::Dpkg => of_debian(original, &package.name),
        PackageKind::Python => of_python(original, id),
        PackageKind::Apk | PackageKind::Node => (Licenses::default(), Vec::new()),
    };
    Component {
        name: package.name.clone(),
        version: package.version.clone(),
        kind,
        license: license.expression,
        license_comment: license.comment,
        license_files: files,
        source: (package.kind == PackageKind::Dpkg).then(|| package.source().to_owned()),
    }
}

/// What Debian's source packages were compiled into the executable, and the C
/// library.
fn linked(original: &FatRoot, attempt: &Attempt) -> Vec<Component> {
    let made = attempt.single.iter();
    made.flat_map(|made| &made.ingredients)
        .map(
            |Ingredient {
                 source, version, ..
             }| {
                let package = original
                    .tree
                    .packages()
                    .find(|(_, package)| package.source() == source);
                let (license, files) = match package {
                    Some((_, package)) => of_debian(original, &package.name),
                    None => (Licenses::default(), Vec::new()),
                };
                Component {
                    name: source.clone(),
                    version: version.clone(),
                    kind: ComponentKind::DebianSource { suite: None },
                    license: license.expression,
                    license_comment: license.comment,
                    license_files: files,
                    source: None,
                }
            },
        )
        .collect()
}

/// The source package of a binary one.
fn of_debian(original: &FatRoot, name: &str) -> (Licenses, Vec<String>) {
    let path = ImagePath::from("usr/share/doc")
        .join(name)
        .join("copyright");
    let text = read(original, &path);
    let license = text.as_deref().map(licenses::of_debian);
    let files = text.map(|_| path.to_string());
    (license.unwrap_or_default(), files.into_iter().collect())
}

fn of_python(original: &FatRoot, id: PackageId) -> (Licenses, Vec<String>) {
    let distributions = original.tree.python_distributions().iter();
    let metadata = distributions
        .filter(|distribution| distribution.package == Some(id))
        .find_map(|distribution| read(original, &distribution.dist_info.join("METADATA")));
    let license = metadata.as_deref().map(licenses::of_python);
    (license.unwrap_or_default(), Vec::new())
}

fn read(original: &FatRoot, path: &ImagePath) -> Option<String> {
    let file = original.tree.lookup(path)?;
    let bytes = fs::read(original.content(file)?).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
