//! Layers of the small image, written once and kept by content.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use whit_oci::{
    Compression, Digest, Entry, ImagePath, Kind, LayerWriter, WriteError, WrittenLayer,
};

use crate::index::{NodeKind, Tree};
use crate::transform::{Content, LayerClass, SmallFile, SmallTree};

/// A layer that was written, with what the report says of it.
#[derive(Debug, Clone)]
pub struct Layer {
    pub name: String,
    pub written: WrittenLayer,
    /// Bytes of its regular files, hard links counted once.
    pub bytes: u64,
    /// Files, links and folders.
    pub files: u64,
}

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("cannot read what goes into a layer: {0}")]
    Read(#[from] io::Error),
    #[error("interrupted")]
    Cancelled,
}

/// Writes one layer per class that has files, the runtime first.
///
/// A layer with the same entries, content and compression was perhaps written
/// before: it is taken from `cache`, whatever image it was written for.
/// `cancelled` is asked before each entry.
pub fn write_layers(
    tree: &Tree,
    small: &SmallTree,
    compression: Compression,
    cache: &Path,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Layer>, EmitError> {
    let mut layers = Vec::new();
    for class in LayerClass::ALL {
        let files: BTreeMap<&ImagePath, &SmallFile> = small
            .files
            .iter()
            .filter(|(_, file)| file.class == class)
            .collect();
        if files.is_empty() {
            continue;
        }
        let entries = entries(tree, &files);
        layers.push(write_layer(
            &class.to_string(),
            &entries,
            compression,
            cache,
            cancelled,
        )?);
    }
    Ok(layers)
}

/// Writes one layer of entries with their content.
pub fn write_layer(
    name: &str,
    entries: &[(Entry, Option<Content>)],
    compression: Compression,
    cache: &Path,
    cancelled: &dyn Fn() -> bool,
) -> Result<Layer, EmitError> {
    let known = Known {
        blob: cache.join(key(entries, compression)?.hex()),
    };
    let written = match known.read(compression) {
        Some(written) => written,
        None => known.write(entries, compression, cache, cancelled)?,
    };
    let written = WrittenLayer {
        created_by: format!("whit: {name}"),
        ..written
    };
    let bytes = entries
        .iter()
        .map(|(entry, _)| match entry.kind {
            Kind::File { size } => size,
            _ => 0,
        })
        .sum();
    Ok(Layer {
        name: name.to_owned(),
        written,
        bytes,
        files: entries.len() as u64,
    })
}

/// A layer's place in the cache.
struct Known {
    blob: PathBuf,
}

/// What is remembered beside a blob.
#[derive(Serialize, Deserialize)]
struct Facts {
    digest: Digest,
    diff_id: Digest,
    size: u64,
    uncompressed_size: u64,
}

impl Known {
    fn facts(&self) -> PathBuf {
        self.blob.with_extension("json")
    }

    /// The layer as an earlier run wrote it. Its digest is not checked here:
    /// the proof reads it like any other layer.
    fn read(&self, compression: Compression) -> Option<WrittenLayer> {
        let facts: Facts = serde_json::from_slice(&fs::read(self.facts()).ok()?).ok()?;
        let there = self.blob.metadata().ok()?;
        (there.len() == facts.size).then(|| WrittenLayer {
            path: self.blob.clone(),
            digest: facts.digest,
            diff_id: facts.diff_id,
            size: facts.size,
            uncompressed_size: facts.uncompressed_size,
            media_type: compression.media_type(),
            created_by: String::new(),
        })
    }

    fn write(
        &self,
        entries: &[(Entry, Option<Content>)],
        compression: Compression,
        cache: &Path,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<WrittenLayer, EmitError> {
        let half_done = tempfile::NamedTempFile::new_in(cache)?.into_temp_path();
        let mut writer = LayerWriter::create(&half_done, compression)?;
        for (entry, content) in entries {
            if cancelled() {
                return Err(EmitError::Cancelled);
            }
            match content {
                None => writer.append(entry, &mut io::empty())?,
                Some(Content::Host(host)) => writer.append(entry, &mut File::open(host)?)?,
                Some(Content::Bytes(bytes)) => writer.append(entry, &mut bytes.as_ref())?,
            }
        }
        let written = writer.finish()?;
        half_done.persist(&self.blob).map_err(|error| error.error)?;
        let facts = Facts {
            digest: written.digest,
            diff_id: written.diff_id,
            size: written.size,
            uncompressed_size: written.uncompressed_size,
        };
        let mut file = tempfile::NamedTempFile::new_in(cache)?;
        serde_json::to_writer(&mut file, &facts).map_err(io::Error::from)?;
        file.persist(self.facts()).map_err(|error| error.error)?;
        Ok(WrittenLayer {
            path: self.blob.clone(),
            ..written
        })
    }
}

/// Entries in path order, names of one file of the original as hard links.
fn entries(tree: &Tree, files: &BTreeMap<&ImagePath, &SmallFile>) -> Vec<(Entry, Option<Content>)> {
    let mut first_names: BTreeMap<&ImagePath, (&ImagePath, &SmallFile)> = BTreeMap::new();
    files
        .iter()
        .map(|(path, file)| {
            let content_name = file.origin.and_then(|id| match &tree.node(id).kind {
                NodeKind::File { content, .. } => Some(content),
                _ => None,
            });
            let mut kind = file.kind.clone();
            let mut content = file.content.clone();
            if let Some(name) = content_name {
                match first_names.get(name) {
                    Some((first, twin))
                        if twin.content == file.content && twin.meta == file.meta =>
                    {
                        kind = Kind::Hardlink {
                            target: (*first).clone(),
                        };
                        content = None;
                    }
                    Some(_) => {}
                    None => {
                        first_names.insert(name, (path, file));
                    }
                }
            }
            let entry = Entry {
                path: (*path).clone(),
                kind,
                meta: file.meta.clone(),
            };
            (entry, content)
        })
        .collect()
}

/// Names a layer by everything that decides its bytes.
fn key(entries: &[(Entry, Option<Content>)], compression: Compression) -> io::Result<Digest> {
    /// Changes when the writer would write the same entries differently.
    const FORMAT: &str = "whit layer 2";
    let parts: Vec<String> = entries
        .par_iter()
        .map(|(entry, content)| {
            let content = match content {
                None => None,
                Some(Content::Bytes(bytes)) => Some(Digest::of(bytes)),
                Some(Content::Host(host)) => Some(file_digest(host)?),
            };
            Ok(format!("{:?} {entry:?} {content:?}", entry.path.as_bytes()))
        })
        .collect::<io::Result<_>>()?;
    let mut hasher = sha2::Sha256::new();
    hasher.update(format!("{FORMAT} {compression:?}\n"));
    for part in parts {
        hasher.update(part);
        hasher.update("\n");
    }
    Ok(Digest::from_hasher(hasher))
}

fn file_digest(host: &PathBuf) -> io::Result<Digest> {
    let mut file = File::open(host)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::from_hasher(hasher)),
            n => hasher.update(&buffer[..n]),
        }
    }
}
