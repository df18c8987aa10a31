//! What findings cost in an image that was built from the Dockerfile.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use whit_oci::{Image, ImagePath, Kind as EntryKind};

use super::LintError;
use super::dockerfile::{Dockerfile, Kind, Step};
use super::finding::{Bytes, Finding, Gauge};
use super::paths::{home, is_below};

/// The layers of an image, told apart by the steps that made them.
#[derive(Debug)]
pub struct Measured {
    /// The lowest first; those of the base image too.
    pub layers: Vec<LayerFacts>,
    contents: Vec<Content>,
    /// Layers by the index of their step.
    by_step: BTreeMap<usize, usize>,
}

/// What a layer holds, in bytes of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFacts {
    /// The line of the instruction that made it; `None` below the Dockerfile.
    pub line: Option<usize>,
    pub bytes: u64,
    /// Deleted by a layer above.
    pub deleted_later: u64,
    /// In a layer below already: written again.
    pub rewritten: u64,
    /// Files that run as their owner, whoever starts them.
    pub setuid: usize,
}

/// The files of a layer, and what it hides of the layers below.
#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<String, u64>,
    hidden: Vec<String>,
    emptied: Vec<String>,
    setuid: usize,
}

impl Measured {
    pub(super) fn read(file: &Dockerfile, text: &str, image: &Image) -> Result<Self, LintError> {
        let by_step = made_by(file, text, image)?;
        let mut contents = Vec::new();
        for index in 0..image.layers().len() {
            contents.push(Content::read(image, index)?);
        }
        let mut layers = facts(&contents);
        for (step, layer) in &by_step {
            if let Some(layer) = layers.get_mut(*layer) {
                layer.line = Some(file.steps[*step].line);
            }
        }
        Ok(Self {
            layers,
            contents,
            by_step,
        })
    }

    /// Counts what findings cost; those that cost nothing here are none.
    pub(super) fn weigh(&self, findings: &mut Vec<Finding>) {
        findings.retain_mut(|finding| {
            let Some(bytes) = finding.gauge.as_ref().and_then(|gauge| self.count(gauge)) else {
                return true;
            };
            finding.bytes = Bytes::Measured(bytes);
            bytes > 0
        });
    }

    fn count(&self, gauge: &Gauge) -> Option<u64> {
        let layer = |step: &usize| self.by_step.get(step).copied();
        match gauge {
            Gauge::Rewritten(step) => Some(self.layers[layer(step)?].rewritten),
            Gauge::Below(step, folders) => {
                let content = &self.contents[layer(step)?];
                let inside = content.files.iter().filter(|(path, _)| {
                    let path = home(path);
                    folders.iter().any(|folder| path == *folder || is_below(&path, folder))
                });
                Some(inside.map(|(_, size)| size).sum())
            }
        }
    }
}

impl Content {
    fn read(image: &Image, index: usize) -> Result<Self, LintError> {
        let mut content = Self::default();
        let Some(reader) = image.read_layer(index) else {
            return Ok(content);
        };
        let mut reader = reader?;
        while let Some(entry) = reader.next()? {
            let path = text(&entry.path);
            match entry.kind {
                EntryKind::File { size } => {
                    content.setuid += usize::from(entry.meta.mode & 0o4000 != 0);
                    content.files.insert(path, size);
                }
                EntryKind::Whiteout => content.hidden.push(path),
                EntryKind::Opaque => content.emptied.push(path),
                _ => {}
            }
        }
        Ok(content)
    }
}

fn text(path: &ImagePath) -> String {
    format!("/{}", path.to_string().trim_matches('/'))
}

fn facts(contents: &[Content]) -> Vec<LayerFacts> {
    let mut layers: Vec<LayerFacts> = Vec::new();
    let mut below: HashSet<&str> = HashSet::new();
    for content in contents {
        let again = content.files.iter().filter(|(path, _)| below.contains(path.as_str()));
        layers.push(LayerFacts {
            line: None,
            bytes: content.files.values().sum(),
            deleted_later: 0,
            rewritten: again.map(|(_, size)| size).sum(),
            setuid: content.setuid,
        });
        below.extend(content.files.keys().map(String::as_str));
    }
    let mut hidden: HashSet<&str> = HashSet::new();
    let mut emptied: HashSet<&str> = HashSet::new();
    for (content, layer) in contents.iter().zip(&mut layers).rev() {
        let gone = |path: &str| {
            hidden.contains(path)
                || folders(path).any(|folder| hidden.contains(folder) || emptied.contains(folder))
        };
        let deleted = content.files.iter().filter(|(path, _)| gone(path));
        layer.deleted_later = deleted.map(|(_, size)| size).sum();
        hidden.extend(content.hidden.iter().map(String::as_str));
        emptied.extend(content.emptied.iter().map(String::as_str));
    }
    layers
}

/// The folders above a path, the nearest first.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(at, _)| &path[..at.max(1)])
}

/// Which layer each step made, by the image's history (OCI image spec,
/// config.md, `history`), from the top down: below the Dockerfile's own
/// entries are the base image's.
fn made_by(
    file: &Dockerfile,
    text: &str,
    image: &Image,
) -> Result<BTreeMap<usize, usize>, LintError> {
    let history = image.config().get("history").and_then(Value::as_array);
    let mut entries: Vec<(Made, String, usize)> = Vec::new();
    let mut layer = 0;
    for entry in history.into_iter().flatten() {
        if entry.get("empty_layer").and_then(Value::as_bool) == Some(true) {
            continue;
        }
        let by = entry.get("created_by").and_then(Value::as_str).unwrap_or_default();
        entries.push((Made::of(by), squeezed(by), layer));
        layer += 1;
    }
    if layer != image.layers().len() {
        return Err(LintError::OtherImage(format!(
            "its history tells of {layer} layers, and it has {}",
            image.layers().len()
        )));
    }
    let mut found = BTreeMap::new();
    let mut entries = entries.into_iter().rev().filter(|(made, ..)| *made != Made::Other);
    let steps: Vec<(usize, &Step)> = file.final_steps().collect();
    for (at, step) in steps.into_iter().rev() {
        let (wanted, words) = match &step.kind {
            Kind::Run(run) => (Made::Run, squeezed(&run.script.text)),
            Kind::Copy(_) => (Made::Copy, String::new()),
            _ => continue,
        };
        let line = text[step.place.clone()].lines().next().unwrap_or_default();
        let other = |by: &str| {
            let by: String = by.chars().take(60).collect();
            LintError::OtherImage(format!("line {} is `{line}`, its layer was made by `{by}`", step.line))
        };
        let (made, by, layer) = entries.next().ok_or_else(|| other("nothing"))?;
        if made != wanted || !by.contains(&words) {
            return Err(other(&by));
        }
        found.insert(at, layer);
    }
    Ok(found)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Run,
    Copy,
    Other,
}

impl Made {
    /// From what BuildKit (`COPY . . # buildkit`) and older builders
    /// (`/bin/sh -c #(nop) COPY file:...`) write.
    fn of(by: &str) -> Self {
        let by = by.trim();
        let by = by.split_once("#(nop)").map_or(by, |(_, rest)| rest.trim());
        match by.split_whitespace().next().unwrap_or_default() {
            "COPY" | "ADD" => Self::Copy,
            "WORKDIR" | "ENV" | "CMD" | "USER" | "LABEL" | "EXPOSE" | "VOLUME" | "ENTRYPOINT"
            | "ARG" | "" => Self::Other,
            _ => Self::Run,
        }
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
