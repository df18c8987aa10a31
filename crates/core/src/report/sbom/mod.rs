//! A software bill of materials in SPDX 2.3's JSON form
//! (spdx.github.io/spdx-spec/v2.3): what is in an image, for scanners and
//! lawyers.
//!
//! The same components give the same bytes: the only date is the one given, and
//! the document's address is made from its content.

pub mod licenses;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use whit_oci::Digest;

pub use licenses::Licenses;

/// One thing that is in the image, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    pub name: String,
    /// Empty if it has none.
    pub version: String,
    pub kind: ComponentKind,
    /// An SPDX expression, see [`licenses`].
    pub license: Option<String>,
    /// What is said of the licence besides.
    pub license_comment: Option<String>,
    /// Files with the licence's text: paths in the image, or, where that has
    /// none, of the package.
    pub license_files: Vec<String>,
    /// What it was built from: `openssl 3.0.15-1`, an address.
    pub source: Option<String>,
}

/// What kind of thing it is, which decides what its name means to scanners.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComponentKind {
    /// A binary package of Debian.
    Debian {
        architecture: String,
        /// `bookworm`
        suite: Option<String>,
    },
    /// A source package of Debian that was compiled into the program.
    DebianSource {
        suite: Option<String>,
    },
    /// A Python distribution.
    Python,
    /// A crate that was compiled into the program.
    Crate,
    Node,
    Alpine {
        architecture: String,
    },
    /// Anything else that has a name.
    Other,
}

/// How it got in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// As files.
    Contained,
    /// Linked into an executable.
    Linked,
}

/// What a bill is written for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The image as the user named it.
    pub name: &'a str,
    /// Digest of its manifest, or of the executable.
    pub digest: Option<&'a Digest>,
    /// Seconds since the epoch.
    pub date: i64,
    /// The version of whit.
    pub whit: &'a str,
}

const NOASSERTION: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";

/// The bill as JSON, with a line feed at its end.
pub fn spdx(subject: Subject<'_>, components: &[(Component, Presence)]) -> Vec<u8> {
    let sorted: BTreeSet<&(Component, Presence)> = components.iter().collect();
    let mut ids = Ids::default();
    let mut packages = vec![subject_package(subject)];
    let mut relationships = vec![Relationship {
        from: DOCUMENT.into(),
        kind: "DESCRIBES",
        to: IMAGE.into(),
    }];
    for (component, presence) in sorted {
        let package = package(component, &mut ids);
        relationships.push(Relationship {
            from: IMAGE.into(),
            kind: match presence {
                Presence::Contained => "CONTAINS",
                Presence::Linked => "STATIC_LINK",
            },
            to: package.id.clone(),
        });
        packages.push(package);
    }
    let mut document = Document {
        version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: subject.name.to_owned(),
        namespace: String::new(),
        creation: Creation {
            created: date(subject.date),
            creators: vec![format!("Tool: whit-{}", subject.whit)],
        },
        extracted: extracted(components),
        packages,
        relationships,
    };
    document.namespace = address(&Digest::of(&document.to_json()));
    document.to_json()
}

impl Document {
    fn to_json(&self) -> Vec<u8> {
        // Strings and lists only: this cannot fail.
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// `2026-07-11T10:16:37Z`; the epoch for a time that no calendar has.
fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

/// A name of its own for each content (RFC 9562, version 8).
fn address(digest: &Digest) -> String {
    let hex = digest.hex();
    format!(
        "urn:uuid:{}-{}-8{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..32]
    )
}

fn subject_package(subject: Subject<'_>) -> Package {
    Package {
        name: subject.name.to_owned(),
        id: IMAGE.into(),
        version: subject.digest.map(Digest::to_string),
        purpose: Some("CONTAINER"),
        checksums: subject
            .digest
            .map(|digest| Checksum {
                algorithm: "SHA256",
                value: digest.hex(),
            })
            .into_iter()
            .collect(),
        ..Package::default()
    }
}

fn package(component: &Component, ids: &mut Ids) -> Package {
    let files = match component.license_files.as_slice() {
        [] => None,
        files => Some(format!("licence files: {}", files.join(", "))),
    };
    let comments: Vec<String> = component
        .license_comment
        .iter()
        .map(|text| format!("the package says: {text}"))
        .chain(files)
        .collect();
    Package {
        name: component.name.clone(),
        id: ids.of(component),
        version: Some(component.version.clone()).filter(|version| !version.is_empty()),
        supplier: match component.kind {
            ComponentKind::Debian { .. } | ComponentKind::DebianSource { .. } => {
                Some("Organization: Debian")
            }
            ComponentKind::Alpine { .. } => Some("Organization: Alpine Linux"),
            _ => None,
        },
        license: component
            .license
            .clone()
            .unwrap_or_else(|| NOASSERTION.into()),
        license_comments: (!comments.is_empty()).then(|| comments.join("; ")),
        source: component
            .source
            .as_ref()
            .map(|source| format!("built from {source}")),
        references: purl(component)
            .map(|locator| Reference {
                category: "PACKAGE-MANAGER",
                kind: "purl",
                locator,
            })
            .into_iter()
            .collect(),
        ..Package::default()
    }
}

/// The name by which scanners of vulnerabilities look a package up
/// (github.com/package-url/purl-spec).
fn purl(component: &Component) -> Option<String> {
    let (space, qualifiers) = match &component.kind {
        ComponentKind::Debian {
            architecture,
            suite,
        } => (
            "deb/debian",
            [
                ("arch", Some(architecture.as_str())),
                ("distro", suite.as_deref()),
            ],
        ),
        ComponentKind::DebianSource { suite } => (
            "deb/debian",
            [("arch", Some("source")), ("distro", suite.as_deref())],
        ),
        ComponentKind::Alpine { architecture } => (
            "apk/alpine",
            [("arch", Some(architecture.as_str())), ("distro", None)],
        ),
        ComponentKind::Python => ("pypi", [("", None); 2]),
        ComponentKind::Crate => ("cargo", [("", None); 2]),
        ComponentKind::Node => ("npm", [("", None); 2]),
        ComponentKind::Other => return None,
    };
    let mut purl = format!("pkg:{space}");
    // `@scope/name` of npm is a path of two.
    for part in component.name.split('/') {
        purl.push('/');
        purl.push_str(&escape(part));
    }
    if !component.version.is_empty() {
        purl.push('@');
        purl.push_str(&escape(&component.version));
    }
    let set = qualifiers
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", escape(value?))));
    for (nth, qualifier) in set.enumerate() {
        purl.push(if nth == 0 { '?' } else { '&' });
        purl.push_str(&qualifier);
    }
    Some(purl)
}

/// Percent-encoding as the specification of package URLs wants it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Licences that are not on SPDX's list have to be told of.
fn extracted(components: &[(Component, Presence)]) -> Vec<Extracted> {
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (component, _) in components {
        for id in licenses::identifiers(component.license.as_deref().unwrap_or_default()) {
            let Some(name) = id.strip_prefix("LicenseRef-") else {
                continue;
            };
            let files = &component.license_files;
            let place = match files.is_empty() {
                true => format!("as {} {} has it", component.name, component.version),
                false => files.join(", "),
            };
            if !name.is_empty() {
                used.entry(id).or_default().insert(place);
            }
        }
    }
    used.into_iter()
        .map(|(id, places)| Extracted {
            id: id.to_owned(),
            name: id
                .trim_start_matches("LicenseRef-")
                .trim_start_matches("Debian-")
                .to_owned(),
            text: format!(
                "The text is in: {}",
                places.into_iter().collect::<Vec<_>>().join(", ")
            ),
        })
        .collect()
}

/// Identifiers of packages: each once.
#[derive(Default)]
struct Ids {
    taken: BTreeSet<String>,
}

impl Ids {
    fn of(&mut self, component: &Component) -> String {
        let kind = match component.kind {
            ComponentKind::Debian { .. } => "Debian",
            ComponentKind::DebianSource { .. } => "DebianSource",
            ComponentKind::Python => "Python",
            ComponentKind::Crate => "Crate",
            ComponentKind::Node => "Node",
            ComponentKind::Alpine { .. } => "Alpine",
            ComponentKind::Other => "Other",
        };
        let mut id = format!("SPDXRef-{kind}-");
        for c in component.name.chars() {
            match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => id.push(c),
                _ => id.push('-'),
            }
        }
        let mut unique = id.clone();
        let mut nth = 2;
        while !self.taken.insert(unique.clone()) {
            unique = format!("{id}-{nth}");
            nth += 1;
        }
        unique
    }
}

#[derive(Serialize)]
struct Document {
    #[serde(rename = "spdxVersion")]
    version: &'static str,
    #[serde(rename = "dataLicense")]
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    #[serde(rename = "documentNamespace")]
    namespace: String,
    #[serde(rename = "creationInfo")]
    creation: Creation,
    packages: Vec<Package>,
    relationships: Vec<Relationship>,
    #[serde(
        rename = "hasExtractedLicensingInfos",
        skip_serializing_if = "Vec::is_empty"
    )]
    extracted: Vec<Extracted>,
}

#[derive(Serialize)]
struct Creation {
    created: String,
    creators: Vec<String>,
}

#[derive(Serialize)]
struct Package {
    name: String,
    #[serde(rename = "SPDXID")]
    id: String,
    #[serde(rename = "versionInfo", skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<&'static str>,
    #[serde(
        rename = "primaryPackagePurpose",
        skip_serializing_if = "Option::is_none"
    )]
    purpose: Option<&'static str>,
    #[serde(rename = "downloadLocation")]
    location: &'static str,
    #[serde(rename = "filesAnalyzed")]
    analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(rename = "sourceInfo", skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(rename = "licenseConcluded")]
    concluded: &'static str,
    #[serde(rename = "licenseDeclared")]
    license: String,
    #[serde(rename = "licenseComments", skip_serializing_if = "Option::is_none")]
    license_comments: Option<String>,
    #[serde(rename = "copyrightText")]
    copyright: &'static str,
    #[serde(rename = "externalRefs", skip_serializing_if = "Vec::is_empty")]
    references: Vec<Reference>,
}

impl Default for Package {
    /// One of which nothing is known.
    fn default() -> Self {
        Self {
            name: String::new(),
            id: String::new(),
            version: None,
            supplier: None,
            purpose: None,
            location: NOASSERTION,
            analyzed: false,
            checksums: Vec::new(),
            source: None,
            concluded: NOASSERTION,
            license: NOASSERTION.into(),
            license_comments: None,
            copyright: NOASSERTION,
            references: Vec::new(),
        }
    }
}

#[derive(Serialize)]
struct Checksum {
    algorithm: &'static str,
    #[serde(rename = "checksumValue")]
    value: String,
}

#[derive(Serialize)]
struct Reference {
    #[serde(rename = "referenceCategory")]
    category: &'static str,
    #[serde(rename = "referenceType")]
    kind: &'static str,
    #[serde(rename = "referenceLocator")]
    locator: String,
}

#[derive(Serialize)]
struct Relationship {
    #[serde(rename = "spdxElementId")]
    from: String,
    #[serde(rename = "relationshipType")]
    kind: &'static str,
    #[serde(rename = "relatedSpdxElement")]
    to: String,
}

#[derive(Serialize)]
struct Extracted {
    #[serde(rename = "licenseId")]
    id: String,
    name: String,
    #[serde(rename = "extractedText")]
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: i64 = 1_783_764_997;

    fn component(name: &str, version: &str, kind: ComponentKind) -> Component {
        Component {
            name: name.into(),
            version: version.into(),
            kind,
            license: None,
            license_comment: None,
            license_files: Vec::new(),
            source: None,
        }
    }

    fn components() -> Vec<(Component, Presence)> {
        let suite = Some("bookworm".to_owned());
        let debian = ComponentKind::Debian {
            architecture: "amd64".into(),
            suite: suite.clone(),
        };
        vec![
            (
                Component {
                    license_comment: Some("BSD".into()),
                    ..component("pyyaml", "6.0.2", ComponentKind::Python)
                },
                Presence::Contained,
            ),
            (
                Component {
                    license: Some("Apache-2.0 AND LicenseRef-Debian-public-domain".into()),
                    license_files: vec!["usr/share/doc/libssl3/copyright".into()],
                    source: Some("openssl 3.0.15-1".into()),
                    ..component("openssl", "3.0.15-1", ComponentKind::DebianSource { suite })
                },
                Presence::Linked,
            ),
            (
                Component {
                    source: Some("gcc-12 12.2.0-14".into()),
                    ..component("libstdc++6", "1:12.2.0-14", debian)
                },
                Presence::Contained,
            ),
        ]
    }

    fn written(components: &[(Component, Presence)]) -> String {
        let subject = Subject {
            name: "app.tar",
            digest: Some(&Digest::of(b"manifest")),
            date: DATE,
            whit: "0.1.0",
        };
        String::from_utf8(spdx(subject, components)).unwrap()
    }

    #[test]
    fn a_bill() {
        insta::assert_snapshot!(written(&components()), @r#"
        {
          "spdxVersion": "SPDX-2.3",
          "dataLicense": "CC0-1.0",
          "SPDXID": "SPDXRef-DOCUMENT",
          "name": "app.tar",
          "documentNamespace": "urn:uuid:1e1fcc11-b1a5-87e2-a48a-a9db448adfc4",
          "creationInfo": {
            "created": "2026-07-11T10:16:37Z",
            "creators": [
              "Tool: whit-0.1.0"
            ]
          },
          "packages": [
            {
              "name": "app.tar",
              "SPDXID": "SPDXRef-Image",
              "versionInfo": "sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f",
              "primaryPackagePurpose": "CONTAINER",
              "downloadLocation": "NOASSERTION",
              "filesAnalyzed": false,
              "checksums": [
                {
                  "algorithm": "SHA256",
                  "checksumValue": "05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"
                }
              ],
              "licenseConcluded": "NOASSERTION",
              "licenseDeclared": "NOASSERTION",
              "copyrightText": "NOASSERTION"
            },
            {
              "name": "libstdc++6",
              "SPDXID": "SPDXRef-Debian-libstdc--6",
              "versionInfo": "1:12.2.0-14",
              "supplier": "Organization: Debian",
              "downloadLocation": "NOASSERTION",
              "filesAnalyzed": false,
              "sourceInfo": "built from gcc-12 12.2.0-14",
              "licenseConcluded": "NOASSERTION",
              "licenseDeclared": "NOASSERTION",
              "copyrightText": "NOASSERTION",
              "externalRefs": [
                {
                  "referenceCategory": "PACKAGE-MANAGER",
                  "referenceType": "purl",
                  "referenceLocator": "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14?arch=amd64&distro=bookworm"
                }
              ]
            },
            {
              "name": "openssl",
              "SPDXID": "SPDXRef-DebianSource-openssl",
              "versionInfo": "3.0.15-1",
              "supplier": "Organization: Debian",
              "downloadLocation": "NOASSERTION",
              "filesAnalyzed": false,
              "sourceInfo": "built from openssl 3.0.15-1",
              "licenseConcluded": "NOASSERTION",
              "licenseDeclared": "Apache-2.0 AND LicenseRef-Debian-public-domain",
              "licenseComments": "licence files: usr/share/doc/libssl3/copyright",
              "copyrightText": "NOASSERTION",
              "externalRefs": [
                {
                  "referenceCategory": "PACKAGE-MANAGER",
                  "referenceType": "purl",
                  "referenceLocator": "pkg:deb/debian/openssl@3.0.15-1?arch=source&distro=bookworm"
                }
              ]
            },
            {
              "name": "pyyaml",
              "SPDXID": "SPDXRef-Python-pyyaml",
              "versionInfo": "6.0.2",
              "downloadLocation": "NOASSERTION",
              "filesAnalyzed": false,
              "licenseConcluded": "NOASSERTION",
              "licenseDeclared": "NOASSERTION",
              "licenseComments": "the package says: BSD",
              "copyrightText": "NOASSERTION",
              "externalRefs": [
                {
                  "referenceCategory": "PACKAGE-MANAGER",
                  "referenceType": "purl",
                  "referenceLocator": "pkg:pypi/pyyaml@6.0.2"
                }
              ]
            }
          ],
          "relationships": [
            {
              "spdxElementId": "SPDXRef-DOCUMENT",
              "relationshipType": "DESCRIBES",
              "relatedSpdxElement": "SPDXRef-Image"
            },
            {
              "spdxElementId": "SPDXRef-Image",
              "relationshipType": "CONTAINS",
              "relatedSpdxElement": "SPDXRef-Debian-libstdc--6"
            },
            {
              "spdxElementId": "SPDXRef-Image",
              "relationshipType": "STATIC_LINK",
              "relatedSpdxElement": "SPDXRef-DebianSource-openssl"
            },
            {
              "spdxElementId": "SPDXRef-Image",
              "relationshipType": "CONTAINS",
              "relatedSpdxElement": "SPDXRef-Python-pyyaml"
            }
          ],
          "hasExtractedLicensingInfos": [
            {
              "licenseId": "LicenseRef-Debian-public-domain",
              "name": "public-domain",
              "extractedText": "The text is in: usr/share/doc/libssl3/copyright"
            }
          ]
        }
        "#);
    }

    #[test]
    fn the_same_components_give_the_same_bytes() {
        let mut components = components();
        let before = written(&components);
        components.reverse();
        components.push(components[0].clone());
        assert_eq!(written(&components), before);
        components[1].0.version.push('1');
        let namespace = |text: &str| {
            let line = text.lines().find(|line| line.contains("documentNamespace"));
            line.unwrap().to_owned()
        };
        assert_ne!(namespace(&written(&components)), namespace(&before));
    }

    #[test]
    fn identifiers_are_unique() {
        let twice = |version: &str, name: &str| {
            let one = component(name, version, ComponentKind::Python);
            (one, Presence::Contained)
        };
        let text = written(&[twice("1", "a_b"), twice("2", "a_b"), twice("1", "a-b")]);
        for id in ["Python-a-b\"", "Python-a-b-2\"", "Python-a-b-3\""] {
            let declared = format!("\"SPDXID\": \"SPDXRef-{id}");
            assert_eq!(text.matches(&declared).count(), 1, "{id}: {text}");
        }
    }

    #[test]
    fn package_urls() {
        for (name, version, kind, expected) in [
            (
                "@scope/name",
                "1.0",
                ComponentKind::Node,
                Some("pkg:npm/%40scope/name@1.0"),
            ),
            ("a", "", ComponentKind::Python, Some("pkg:pypi/a")),
            (
                "musl",
                "1.2-r0",
                ComponentKind::Alpine {
                    architecture: "x86_64".into(),
                },
                Some("pkg:apk/alpine/musl@1.2-r0?arch=x86_64"),
            ),
            ("thing", "1", ComponentKind::Other, None),
        ] {
            let found = purl(&component(name, version, kind));
            assert_eq!(found.as_deref(), expected);
        }
    }
}
