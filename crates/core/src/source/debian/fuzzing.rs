//! A door for fuzzers to the readers that are private otherwise.

use std::io::{self, Read};
use std::path::Path;

use super::deb::Deb;
use super::decompress::Compression;
use super::keyring::{Keyring, Verified};
use super::release::Release;
use super::{
    index::Index, paragraph, relation, source_index::SourceIndex, source_packages::SourceWanted,
    sources, version,
};

/// No input of a fuzzer has a reason to unpack to more.
const MAX_UNPACKED: u64 = 16 << 20;

/// Everything that reads text of an archive.
pub fn text(text: &str) {
    if let Ok(index) = Index::build(text.as_bytes()) {
        look_up(&index);
        let again = Index::read(index.as_text().to_owned());
        assert!(again.is_ok(), "what was boiled down can be read");
    }
    if let Ok(index) = Index::read(text.to_owned()) {
        look_up(&index);
    }
    if let Ok(index) = SourceIndex::build(text.as_bytes()) {
        let kept = SourceIndex::read(index.as_text().to_owned());
        let kept = kept.expect("what was boiled down can be read");
        for name in kept.names().take(64) {
            assert!(kept.named(name).count() > 0, "{name:?} is found");
        }
    }
    if let Ok(index) = SourceIndex::read(text.to_owned()) {
        let names: Vec<&str> = index.names().take(64).collect();
        names
            .iter()
            .for_each(|name| index.named(name).for_each(drop));
    }
    SourceWanted::of_binary(text);
    for paragraph in paragraph::parse(text) {
        for name in ["Depends", "Provides", "Breaks"] {
            paragraph.lines(name).iter().for_each(|line| relate(line));
        }
    }
    text.lines().for_each(relate);
    sources::parse_list(text);
    sources::parse_sources(text);
    let _ = Release::parse(&Verified::unchecked(text));
}

fn look_up(index: &Index) {
    for name in index.names().take(64) {
        for listing in index.named(name) {
            relate(listing.depends);
            relate(listing.provides);
        }
        index.providers(name).for_each(drop);
    }
}

fn relate(field: &str) {
    for relation in relation::parse(field).flatten() {
        relation.accepts(relation.name);
        let shown = relation.to_string();
        assert!(relation::parse(&shown).count() <= 1, "{shown:?} is one");
        if let Some((_, bound)) = relation.version {
            let order = version::compare(bound, relation.name);
            assert_eq!(version::compare(relation.name, bound), order.reverse());
        }
    }
}

/// A signed text against a keyring.
pub fn signed(keyring: &Keyring, text: &str, now: i64) {
    if let Ok(verified) = keyring.verify(text, now) {
        let _ = Release::parse(&verified);
    }
}

/// Certificates.
pub fn keys(bytes: &[u8]) {
    let _ = Keyring::default().add(bytes);
}

/// A package file with all that is in it.
pub fn deb(path: &Path) -> io::Result<()> {
    let deb = Deb::open(path)?;
    let control = deb.control();
    let mut data = deb.data()?.take(MAX_UNPACKED);
    let mut reader = whit_oci::LayerReader::new(&mut data, "data.tar");
    while let Ok(Some(_)) = reader.next() {}
    io::copy(&mut data, &mut io::sink())?;
    control.map(drop)
}

/// The same bytes in every compression that an archive may use.
pub fn unpack(bytes: &[u8]) {
    for compression in [Compression::Gzip, Compression::Xz, Compression::Zstd] {
        let _ = compression
            .reader(bytes, MAX_UNPACKED)
            .and_then(|mut content| io::copy(&mut content, &mut io::sink()));
    }
}
