//! How big and how long.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

use crate::emit::Layer;
use crate::index::NodeKind;
use crate::report::{LayerLine, PhaseLine, Sizes};
use crate::source::FatRoot;

/// Adds up what each phase took.
#[derive(Debug, Default)]
pub struct Stopwatch {
    phases: Vec<(&'static str, Duration)>,
}

impl Stopwatch {
    /// Runs a step and books its time on a phase.
    pub fn time<T>(&mut self, phase: &'static str, step: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = step();
        let took = start.elapsed();
        match self.phases.iter_mut().find(|(name, _)| *name == phase) {
            Some((_, sum)) => *sum += took,
            None => self.phases.push((phase, took)),
        }
        done
    }

    /// Everything that was timed, in seconds.
    pub fn total(&self) -> f64 {
        let sum: Duration = self.phases.iter().map(|(_, took)| *took).sum();
        sum.as_secs_f64()
    }

    pub fn lines(&self) -> Vec<PhaseLine> {
        self.phases
            .iter()
            .map(|(name, took)| PhaseLine {
                name: (*name).to_owned(),
                seconds: took.as_secs_f64(),
            })
            .collect()
    }
}

/// Bytes of samples that an unknown compressed size is extrapolated from.
const SAMPLES: u64 = 12 << 20;

/// The original. Its size on the wire is that of its layers where they are
/// compressed; else it is extrapolated from files spread over the whole tree.
pub fn fat(root: &FatRoot) -> Sizes {
    let mut counted = BTreeSet::new();
    let mut bytes = 0;
    for (_, node) in root.tree.iter() {
        if let NodeKind::File { size, content } = &node.kind
            && counted.insert(content)
        {
            bytes += size;
        }
    }
    Sizes {
        bytes,
        compressed: root.stored.unwrap_or_else(|| estimate(root, bytes)),
        estimated: root.stored.is_none(),
        files: root.tree.len().saturating_sub(1) as u64,
    }
}

fn estimate(root: &FatRoot, bytes: u64) -> u64 {
    const PIECE: u64 = 64 << 10;
    let stride = (bytes / SAMPLES).max(1) * PIECE;
    // One piece of each stride of the concatenation of all files.
    let mut pieces = Vec::new();
    let mut offset: u64 = 0;
    for (id, node) in root.tree.iter() {
        let size = node.size();
        let mut next = offset.next_multiple_of(stride) - offset;
        while next < size {
            pieces.push((id, next));
            next += stride;
        }
        offset += size;
    }
    let (sampled, packed) = pieces
        .par_iter()
        .filter_map(|(id, from)| {
            let mut file = std::fs::File::open(root.content(*id)?).ok()?;
            std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(*from)).ok()?;
            let mut piece = Vec::new();
            file.take(PIECE).read_to_end(&mut piece).ok()?;
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
            encoder.write_all(&piece).ok()?;
            Some((piece.len() as u64, encoder.finish().ok()?.len() as u64))
        })
        .reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    match sampled {
        0 => bytes,
        sampled => (bytes as f64 * packed as f64 / sampled as f64) as u64,
    }
}

/// The small image, by its layers.
pub fn small(layers: &[Layer]) -> Sizes {
    Sizes {
        bytes: layers.iter().map(|layer| layer.bytes).sum(),
        compressed: layers.iter().map(|layer| layer.written.size).sum(),
        estimated: false,
        files: layers.iter().map(|layer| layer.files).sum(),
    }
}

pub fn layers(layers: &[Layer]) -> Vec<LayerLine> {
    layers
        .iter()
        .map(|layer| LayerLine {
            name: layer.name.clone(),
            digest: layer.written.digest.to_string(),
            bytes: layer.bytes,
            compressed: layer.written.size,
            files: layer.files,
        })
        .collect()
}
