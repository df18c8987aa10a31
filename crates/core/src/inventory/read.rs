//! Reading an image into an inventory.

use std::collections::HashMap;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use whit_oci::{
    Chunk, Compression, Digest, Entry, Image, ImagePath, Kind, LayerReader, LayerStream,
};

use super::symbols::Ends;
use super::tap::Tap;
use super::waste::{Fate, Waste};
use super::{Content, Detail, FileType, Inventory, InventoryError, Layer, Wire};
use crate::index::{self, Builder, Placed, Removed};

/// Bytes of databases of package managers that are held at most. A whole
/// Debian desktop has 60 MB of them; beyond, files are nobody's.
const MAX_HELD: usize = 64 << 20;
const BUFFER: usize = 256 << 10;
/// A hole is hashed as the zeros that it stands for; a longer one, which no
/// file can be a copy of, by its length.
const MAX_HASHED_HOLE: u64 = 64 << 20;

/// Reads all layers of `image` once. `cancelled` is asked all the time.
pub fn read(
    image: &Image,
    detail: &Detail,
    cancelled: &dyn Fn() -> bool,
) -> Result<Inventory, InventoryError> {
    let mut reader = Reader {
        detail,
        cancelled,
        builder: Builder::new(),
        contents: HashMap::new(),
        databases: HashMap::new(),
        held: 0,
        waste: Vec::new(),
        buffer: vec![0; BUFFER],
    };
    let history = history(image);
    let mut layers = Vec::new();
    for (number, found) in image.layers().iter().enumerate() {
        let Some(stream) = image.open_layer(number) else {
            break;
        };
        let mut layer = reader.layer(number, &image.layer_name(number), found, stream?)?;
        layer.created_by = history.get(number).cloned().unwrap_or_default();
        layers.push(layer);
    }
    let databases = reader.databases;
    let tree = reader
        .builder
        .finish(&|path| databases.get(path).map(|bytes| bytes.to_vec()));
    Ok(Inventory {
        config: image.config().clone(),
        layers,
        tree,
        contents: reader.contents,
        waste: reader.waste,
    })
}

/// What made each layer (OCI image spec, config.md, `history`).
fn history(image: &Image) -> Vec<String> {
    let steps = image.config().get("history").and_then(|h| h.as_array());
    steps
        .into_iter()
        .flatten()
        .filter(|step| step.get("empty_layer").and_then(|e| e.as_bool()) != Some(true))
        .map(|step| {
            let text = step.get("created_by").and_then(|c| c.as_str());
            text.unwrap_or_default().to_owned()
        })
        .collect()
}

/// Where an entry's content is.
struct Held {
    path: ImagePath,
    /// The name that a hard link is one more of.
    link: Option<ImagePath>,
}

struct Reader<'a> {
    detail: &'a Detail,
    cancelled: &'a dyn Fn() -> bool,
    builder: Builder,
    /// By path; every name of a hard link has it.
    contents: HashMap<ImagePath, Content>,
    /// What package managers wrote down, by path.
    databases: HashMap<ImagePath, Rc<[u8]>>,
    /// Bytes of them.
    held: usize,
    waste: Vec<Waste>,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    fn layer(
        &mut self,
        number: usize,
        name: &str,
        found: &whit_oci::Layer,
        stream: LayerStream,
    ) -> Result<Layer, InventoryError> {
        let failed = |source| InventoryError::Compress {
            layer: name.to_owned(),
            source,
        };
        let plain = found.is_plain()?;
        let mut ways = self.detail.recompress.clone();
        let in_addition = plain && self.detail.measure_plain && !ways.iter().any(is_gzip);
        if in_addition {
            ways.push(Compression::default());
        }
        let sample = (plain && !ways.iter().any(is_gzip)).then_some(found.size);
        let mut tap = Tap::new(stream, sample, &ways).map_err(failed)?;
        let mut layer = Layer {
            digest: found.digest,
            diff_id: found.diff_id,
            stored: found.size,
            tar: 0,
            bytes: 0,
            link_bytes: 0,
            entries: 0,
            created_by: String::new(),
            wire: Wire {
                bytes: found.size,
                estimated: false,
            },
            recompressed: Vec::new(),
        };
        // The number of layers is bounded far below 65,536 when an image is
        // opened.
        let index = u16::try_from(number).unwrap_or(u16::MAX);
        let mut reader = LayerReader::new(&mut tap, name);
        let mut starts = Vec::new();
        let mut placed = Vec::new();
        while let Some(entry) = reader.next()? {
            if (self.cancelled)() {
                return Err(InventoryError::Cancelled);
            }
            count(&mut layer, &entry);
            starts.push(reader.start());
            placed.push(self.entry(index, name, &entry, &mut reader)?);
        }
        if !plain {
            let offsets = reader.source().source().offsets();
            self.share(&offsets.shares(&starts, reader.start()), placed);
        }
        drop(reader);
        let seen = tap.finish().map_err(failed)?;
        layer.tar = seen.bytes;
        let gzip = seen.recompressed.iter().find(|(how, _)| is_gzip(how));
        if plain {
            layer.wire = Wire {
                bytes: seen
                    .estimate
                    .or(gzip.map(|(_, bytes)| *bytes))
                    .unwrap_or(layer.stored),
                estimated: seen.estimate.is_some(),
            };
        }
        layer.recompressed = seen.recompressed;
        if in_addition {
            layer.recompressed.pop();
        }
        Ok(layer)
    }

    /// Writes the shares of the stored layer down, one per entry.
    fn share(&mut self, shares: &[u64], placed: Vec<Option<Held>>) {
        for (share, held) in shares.iter().zip(placed) {
            let Some(held) = held else { continue };
            let wire = match &held.link {
                Some(target) => self.contents.get(target).and_then(|content| content.wire),
                None => Some(*share),
            };
            if let Some(content) = self.contents.get_mut(&held.path) {
                content.wire = wire;
            }
        }
    }

    fn entry<R: std::io::Read>(
        &mut self,
        layer: u16,
        name: &str,
        entry: &Entry,
        reader: &mut LayerReader<R>,
    ) -> Result<Option<Held>, InventoryError> {
        let change = self
            .builder
            .apply(layer, entry)
            .map_err(|source| InventoryError::Index {
                layer: name.to_owned(),
                source,
            })?;
        let covers = matches!(entry.kind, Kind::Whiteout | Kind::Opaque);
        let removed: Vec<Waste> = change
            .removed
            .into_iter()
            .filter_map(|removed| self.forget(layer, covers, removed))
            .collect();
        let content = match &change.placed {
            Placed::File => {
                let wanted = index::wants(&change.path);
                let (content, held) = self.content(&change.path, wanted, reader)?;
                if let Some(held) = held {
                    self.held += held.len();
                    self.databases.insert(change.path.clone(), held.into());
                }
                Some(content)
            }
            Placed::Link(target) => {
                if let Some(held) = self.databases.get(target).cloned() {
                    self.databases.insert(change.path.clone(), held);
                }
                self.contents.get(target).copied()
            }
            _ => None,
        };
        if let Some(content) = content {
            self.contents.insert(change.path.clone(), content);
        }
        // The same bytes once more: only owner, mode or time are new.
        self.waste.extend(removed.into_iter().map(|mut waste| {
            let digest = content.and_then(|content| content.digest);
            if waste.path == change.path && digest.is_some() && digest == waste.content.digest {
                waste.fate = Fate::Repeated;
            }
            waste
        }));
        Ok(content.map(|_| Held {
            path: change.path,
            link: match change.placed {
                Placed::Link(target) => Some(target),
                _ => None,
            },
        }))
    }

    /// Takes note of what `layer` took away; `None` if no content was lost.
    fn forget(&mut self, layer: u16, covers: bool, removed: Removed) -> Option<Waste> {
        if let Some(bytes) = self.databases.remove(&removed.path) {
            self.held = self.held.saturating_sub(bytes.len());
        }
        let content = self.contents.remove(&removed.path)?;
        (removed.lost > 0).then_some(Waste {
            path: removed.path,
            bytes: removed.lost,
            layer: removed.layer,
            by: layer,
            fate: if covers {
                Fate::Deleted
            } else {
                Fate::Replaced
            },
            content,
        })
    }

    /// Reads a file's content as far as it is of interest, and holds it if
    /// `wanted`.
    fn content<R: std::io::Read>(
        &mut self,
        path: &ImagePath,
        wanted: bool,
        reader: &mut LayerReader<R>,
    ) -> Result<(Content, Option<Vec<u8>>), InventoryError> {
        let mut hash = self.detail.digests.then(Sha256::new);
        let mut held = wanted.then(Vec::new);
        let mut ends = Ends::default();
        let mut sparse = false;
        let mut head = Vec::new();
        loop {
            let bytes = match reader.read_chunk(&mut self.buffer)? {
                Chunk::Data(count) => &self.buffer[..count],
                Chunk::Hole(length) => {
                    // A database with holes is none.
                    held = None;
                    if let Some(hash) = &mut hash {
                        hash_hole(hash, length);
                    }
                    sparse = true;
                    continue;
                }
                Chunk::End => break,
            };
            let missing = FileType::HEAD.saturating_sub(head.len());
            head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
            if let Some(hash) = &mut hash {
                hash.update(bytes);
                if ends.is_elf() {
                    ends.see(bytes);
                }
            }
            if let Some(text) = &mut held {
                if self.held + text.len() + bytes.len() > MAX_HELD {
                    held = None;
                } else {
                    text.extend_from_slice(bytes);
                }
            }
            if (self.cancelled)() {
                return Err(InventoryError::Cancelled);
            }
            // What nobody asked for is skipped.
            if hash.is_none() && held.is_none() && head.len() == FileType::HEAD {
                break;
            }
        }
        let content = Content {
            file_type: FileType::detect(path, &head),
            digest: hash.map(Digest::from_hasher),
            wire: None,
            symbols: if sparse { 0 } else { ends.symbols() },
        };
        Ok((content, held))
    }
}

fn is_gzip(how: &Compression) -> bool {
    matches!(how, Compression::Gzip { .. })
}

fn count(layer: &mut Layer, entry: &Entry) {
    match &entry.kind {
        Kind::Whiteout | Kind::Opaque => return,
        Kind::File { size } => layer.bytes = layer.bytes.saturating_add(*size),
        Kind::Symlink { target } => layer.link_bytes += target.len() as u64,
        _ => {}
    }
    layer.entries += 1;
}

fn hash_hole(hash: &mut Sha256, length: u64) {
    const ZEROS: [u8; 4096] = [0; 4096];
    if length > MAX_HASHED_HOLE {
        hash.update(length.to_le_bytes());
        return;
    }
    let mut left = length as usize;
    while left > 0 {
        let part = left.min(ZEROS.len());
        hash.update(&ZEROS[..part]);
        left -= part;
    }
}
