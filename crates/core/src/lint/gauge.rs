//! What findings cost in an image that was built from the Dockerfile.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use whit_oci::{Image, ImagePath, Kind as EntryKind};

use super::LintError;
use super::dockerfile::{Dockerfile, Kind, Step};
use super::finding::{Bytes, Finding, Gauge};
use super::paths::{home, is_below};

/// Bytes: a file here or there is deleted by many a base's clean-up.
const WORTH_TELLING: u64 = 1_000_000;

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

    /// What the image shows and no rule saw: layers of which a good deal is
    /// deleted above.
    pub(super) fn hidden(&self, file: &Dockerfile, findings: &[Finding]) -> Vec<Finding> {
        let told = |step: usize| {
            findings.iter().any(|finding| match &finding.gauge {
                Some(Gauge::Below(at, _) | Gauge::Rewritten(at)) => *at == step,
                None => false,
            })
        };
        let layers = self.by_step.iter().filter(|(step, _)| !told(**step));
        layers
            .map(|(step, layer)| (*step, self.layers[*layer].deleted_later))
            .filter(|(_, bytes)| *bytes >= WORTH_TELLING)
            .map(|(step, bytes)| Finding {
                rule: "deleted-later",
                line: file.steps[step].line,
                message: "a later layer deletes files of this one, which stay in it".to_owned(),
                advice: "delete them in this RUN, or make them in another stage".to_owned(),
                bytes: Bytes::Measured(bytes),
                mend: None,
                gauge: None,
            })
            .collect()
    }

    fn count(&self, gauge: &Gauge) -> Option<u64> {
        let layer = |step: &usize| self.by_step.get(step).copied();
        match gauge {
            Gauge::Rewritten(step) => Some(self.layers[layer(step)?].rewritten),
            Gauge::Below(step, folders) => {
                let content = &self.contents[layer(step)?];
                let inside = content.files.iter().filter(|(path, _)| {
                    let path = home(path);
                    folders
                        .iter()
                        .any(|folder| path == *folder || is_below(&path, folder))
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
        let again = content
            .files
            .iter()
            .filter(|(path, _)| below.contains(path.as_str()));
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
        let by = entry
            .get("created_by")
            .and_then(Value::as_str)
            .unwrap_or_default();
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
    let mut entries = entries
        .into_iter()
        .rev()
        .filter(|(made, ..)| *made != Made::Other);
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
            LintError::OtherImage(format!(
                "line {} is `{line}`, its layer was made by `{by}`",
                step.line
            ))
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sha2::{Digest, Sha256};
    use whit_oci::{Limits, Options, Reference};

    use super::super::{Context, lint};
    use super::*;

    const DOCKERFILE: &str = "\
FROM debian:bookworm-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends tini
COPY app /app
ENV A=1
RUN pip install flask
RUN chown -R 1000 /app
RUN rm -rf /root/.cache
";

    fn tar(files: &[(&str, usize)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, size) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(*size as u64);
            header.set_mode(if name.ends_with("su") { 0o4755 } else { 0o644 });
            builder
                .append_data(&mut header, name, vec![7u8; *size].as_slice())
                .unwrap();
        }
        builder.into_inner().unwrap()
    }

    /// A `docker save` of these layers, each with who made it.
    fn image(folder: &std::path::Path, layers: &[(&str, &[(&str, usize)])]) -> Image {
        let tars: Vec<Vec<u8>> = layers.iter().map(|(_, files)| tar(files)).collect();
        let ids = tars
            .iter()
            .map(|tar| format!("sha256:{}", hex::encode(Sha256::digest(tar))));
        let mut history = vec![json!({ "created_by": "ENV A=1", "empty_layer": true })];
        history.extend(layers.iter().map(|(by, _)| json!({ "created_by": by })));
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {}, "history": history,
            "rootfs": { "type": "layers", "diff_ids": ids.collect::<Vec<_>>() },
        })
        .to_string();
        let names: Vec<String> = (0..tars.len()).map(|at| format!("{at}.tar")).collect();
        let manifest =
            json!([{ "Config": "c.json", "RepoTags": null, "Layers": names }]).to_string();
        let mut archive = tar::Builder::new(Vec::new());
        let mut put = |name: &str, content: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, content).unwrap();
        };
        put("c.json", config.as_bytes());
        put("manifest.json", manifest.as_bytes());
        for (name, tar) in names.iter().zip(&tars) {
            put(name, tar);
        }
        let file = folder.join("image.tar");
        std::fs::write(&file, archive.into_inner().unwrap()).unwrap();
        let options = Options {
            platform: None,
            scratch: folder.to_owned(),
            limits: Limits::default(),
            transports: whit_oci::Transports::default(),
        };
        Image::open(&Reference::DockerArchive { file, name: None }, &options).unwrap()
    }

    const LAYERS: &[(&str, &[(&str, usize)])] = &[
        (
            "/bin/sh -c #(nop) ADD file:1 in / ",
            &[("bin/sh", 10), ("bin/su", 5)],
        ),
        (
            "RUN /bin/sh -c apt-get update  && apt-get install -y --no-install-recommends tini # buildkit",
            &[("var/lib/apt/lists/a", 300), ("usr/bin/tini", 4)],
        ),
        ("COPY app /app # buildkit", &[("app/a", 70)]),
        (
            "RUN /bin/sh -c pip install flask # buildkit",
            &[("root/.cache/pip/x", 40)],
        ),
        (
            "RUN /bin/sh -c chown -R 1000 /app # buildkit",
            &[("app/a", 70)],
        ),
        (
            "RUN /bin/sh -c rm -rf /root/.cache # buildkit",
            &[("root/.wh..cache", 0)],
        ),
    ];

    #[test]
    fn an_image_tells_what_habits_cost() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path(), LAYERS);
        let (findings, measured) =
            lint(DOCKERFILE, None, &Context::default(), Some(&image)).unwrap();
        let costs: Vec<_> = findings.iter().map(|f| (f.line, f.rule, f.bytes)).collect();
        assert_eq!(
            costs,
            [
                (2, "apt-lists", Bytes::Measured(300)),
                (7, "chown-layer", Bytes::Measured(70)),
                (8, "deleted-later", Bytes::Measured(40)),
            ]
        );
        let layers = measured.unwrap().layers;
        assert_eq!((layers[0].line, layers[0].setuid), (None, 1));
        assert_eq!((layers[3].line, layers[3].deleted_later), (Some(6), 40));
    }

    #[test]
    fn what_a_later_layer_deletes_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut layers = LAYERS.to_vec();
        layers[2].1 = &[("root/.cache/big", 2_000_000)];
        let image = image(folder.path(), &layers);
        let findings = lint(DOCKERFILE, None, &Context::default(), Some(&image))
            .unwrap()
            .0;
        let found = findings.iter().find(|finding| finding.line == 4).unwrap();
        assert_eq!(
            (found.rule, found.bytes),
            ("deleted-later", Bytes::Measured(2_000_000))
        );
    }

    #[test]
    fn what_costs_nothing_in_the_image_is_no_finding() {
        let folder = tempfile::tempdir().unwrap();
        let mut layers = LAYERS.to_vec();
        layers[1].1 = &[("usr/bin/tini", 4)];
        let image = image(folder.path(), &layers);
        let findings = lint(DOCKERFILE, None, &Context::default(), Some(&image))
            .unwrap()
            .0;
        assert!(findings.iter().all(|finding| finding.rule != "apt-lists"));
    }

    #[test]
    fn an_image_of_another_dockerfile_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut layers = LAYERS.to_vec();
        layers[3].0 = "RUN /bin/sh -c pip install django # buildkit";
        let image = image(folder.path(), &layers);
        let error = lint(DOCKERFILE, None, &Context::default(), Some(&image)).unwrap_err();
        assert!(error.to_string().contains("line 6"), "{error}");
    }
}
