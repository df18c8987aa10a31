//! Node: which packages an app can reach.
//!
//! Packages stay whole but for their ballast, so what has to be found out is
//! which package names which other one, not which file: see [`Mentions`] for how
//! and [`Modules`] for where Node looks. What makes a package reachable:
//!
//! - *The user's code* names it: a package for production in any string
//!   (`app.set("view engine", "ejs")`), one for development only where it is
//!   loaded, and not from the configuration of a tool.
//! - *A package's code* names it in any string and the package declares it, or
//!   loads it without declaring it. Its optional dependencies come with it:
//!   they are found by computed names.
//! - Code that computes names from nothing that can be seen may load all that
//!   its package and the project declare for production.
//! - A file of it was touched, is linked to, or is run.
//!
//! Where the image says `NODE_ENV=production`, packages for development are
//! for nobody's code but each other's.

mod ballast;
#[doc(hidden)]
pub mod fuzzing;
mod manifest;
mod mentions;
mod modules;
mod scripts;

use std::collections::BTreeSet;

use whit_oci::ImagePath;

pub use mentions::Mentions;

use ballast::Platform;
use modules::{ModuleId, Modules, Project};

use super::shell::{self, Programs};
use super::{Analyzer, Cause, Found, How, reach_path};
use crate::index::{FileId, Tree};
use crate::source::FatRoot;

/// Bytes of a source that are read. Bundles of whole servers have some 10 MB.
const MAX_SOURCE: u64 = 32 << 20;

/// Bytes of a shell script that are read.
const MAX_SCRIPT: u64 = 1 << 20;

/// Follows JavaScript.
pub struct Node<'a> {
    root: &'a FatRoot,
    modules: Modules<'a>,
    programs: Programs<'a>,
    platform: Platform,
    /// The image is for production, by its own word.
    production: bool,
    command: Vec<Vec<String>>,
}

impl<'a> Node<'a> {
    /// `None` where the image has no Node. `commands` are those that the image
    /// starts.
    pub fn new(root: &'a FatRoot, commands: Vec<Vec<String>>) -> Option<Self> {
        let tree = &root.tree;
        let is_node = |name: &[u8]| matches!(name, b"node" | b"nodejs" | b"bun" | b"deno");
        tree.iter()
            .find(|(_, node)| node.is_executable() && is_node(node.path.name()))?;
        let arch = match root.config.architecture() {
            "arm64" => "arm64",
            _ => "x64",
        };
        let env = root.config.env();
        Some(Self {
            root,
            modules: Modules::of(root),
            programs: Programs::new(root),
            platform: Platform {
                arch,
                musl: tree
                    .iter()
                    .any(|(_, node)| node.path.name().starts_with(b"ld-musl-")),
            },
            production: env.contains(&("NODE_ENV".to_owned(), "production".to_owned())),
            command: commands,
        })
    }

    fn tree(&self) -> &'a Tree {
        &self.root.tree
    }

    /// What the image's commands need: scripts that package managers run by
    /// name, and packages among the options of Node.
    pub fn roots(&self) -> Vec<(FileId, How)> {
        let cwd = ImagePath::clamped(self.root.config.working_dir());
        let mut found = Found::default();
        let mut words: BTreeSet<String> = BTreeSet::new();
        let options = self.root.config.env().into_iter();
        for (_, value) in options.filter(|(name, _)| name == "NODE_OPTIONS") {
            words.extend(value.split([' ', '=']).map(str::to_owned));
        }
        for command in &self.command {
            words.extend(command.iter().cloned());
            // `sh -c "npm start"`
            let inner = command.iter().flat_map(|word| shell::commands(word));
            for command in inner.chain([command.clone()]) {
                for project in self.modules.projects_around(&cwd) {
                    self.scripts(project, &command, &mut words, &mut found);
                }
            }
        }
        for word in words {
            self.load(&cwd, &word, &mut found);
        }
        found
            .edges
            .into_iter()
            .map(|(id, _)| (id, How::Command))
            .collect()
    }

    fn scripts(
        &self,
        project: &Project,
        command: &[String],
        words: &mut BTreeSet<String>,
        found: &mut Found,
    ) {
        for text in scripts::texts(&project.manifest, command) {
            found.reach(self.tree(), &"bin/sh".into(), How::Runs("sh".to_owned()));
            found.edges.extend(self.programs.of_text(&text));
            for command in shell::commands(&text) {
                // npm puts this folder before `PATH`.
                let bin = project.folder.join("node_modules/.bin");
                for word in &command {
                    if !word.contains('/') {
                        found.reach(self.tree(), &bin.join(word), How::Runs(word.clone()));
                    }
                    words.insert(word.clone());
                }
            }
        }
    }

    /// The package that a name leads to.
    fn load(&self, folder: &ImagePath, name: &str, found: &mut Found) -> Option<ModuleId> {
        let (links, id) = self.modules.resolve(folder, name)?;
        self.import(links, id, name, found);
        Some(id)
    }

    fn import(&self, links: Vec<FileId>, id: ModuleId, name: &str, found: &mut Found) {
        found
            .edges
            .extend(links.into_iter().map(|link| (link, How::Link)));
        let how = How::Import(name.to_owned());
        found.edges.push((self.modules.get(id).file, how));
    }

    /// Everything that stays of a package, and what it needs in any case.
    fn whole(&self, id: ModuleId, found: &mut Found) {
        let module = self.modules.get(id);
        let how = How::PackageData(module.manifest.name.clone());
        let stays = |file: &&FileId| self.stays(id, self.tree().path(**file));
        let files = module.files.iter().filter(stays);
        found.edges.extend(files.map(|file| (*file, how.clone())));
        for name in &module.manifest.optional {
            if let Some((links, id)) = self.modules.resolve(&module.folder, name) {
                let how = How::Depends(module.manifest.name.clone());
                found
                    .edges
                    .extend(links.into_iter().map(|link| (link, How::Link)));
                found.edges.push((self.modules.get(id).file, how));
            }
        }
        for entry in &module.manifest.entries {
            self.relative(id, &module.folder, entry, found);
        }
    }

    fn stays(&self, id: ModuleId, path: &ImagePath) -> bool {
        let module = self.modules.get(id);
        let inside = ImagePath::clamped(path.strip_prefix(&module.folder).unwrap_or_default());
        !ballast::is_ballast(&inside, &module.manifest.name, self.platform)
    }

    /// A file that is named by its path and would go as ballast: its package's
    /// code loads it.
    fn relative(&self, id: ModuleId, folder: &ImagePath, text: &str, found: &mut Found) {
        const ENDINGS: [&str; 9] = [
            "",
            ".js",
            ".cjs",
            ".mjs",
            ".json",
            ".node",
            "/index.js",
            "/index.mjs",
            "/package.json",
        ];
        let path = folder.join(text);
        if self.stays(id, &path.join("index.js")) || !path.starts_with(&self.modules.get(id).folder)
        {
            return;
        }
        for ending in ENDINGS {
            let path = ImagePath::clamped([path.as_bytes(), ending.as_bytes()].concat());
            let file = self.tree().lookup(&path);
            if file.is_some_and(|id| self.tree().node(id).is_file()) {
                found.reach(self.tree(), &path, How::Import(text.to_owned()));
            }
        }
    }

    /// What a source of a package needs.
    fn packages_code(
        &self,
        id: ModuleId,
        folder: &ImagePath,
        mentions: &Mentions,
        found: &mut Found,
    ) {
        let module = self.modules.get(id);
        let declared = |name: &str| {
            modules::package_name(name).is_some_and(|name| {
                module.manifest.required.contains(name) || module.manifest.optional.contains(name)
            })
        };
        for name in &mentions.names {
            let Some((links, other)) = self.modules.resolve(folder, name) else {
                continue;
            };
            // What a package loads without declaring it, and finds only in a
            // global folder, it would not find elsewhere either.
            let astray = self.modules.is_global(other) && !self.modules.is_global(id);
            let loads =
                mentions.loaded.contains(name) && !astray && !self.modules.is_development(other);
            if other != id && (declared(name) || loads) {
                self.import(links, other, name, found);
            }
        }
        for name in self.begun(folder, mentions) {
            if declared(&name) {
                self.load(folder, &name, found);
            }
        }
        if mentions.computed {
            self.all_declared(
                &module.folder,
                &module.manifest.required,
                &module.manifest.name,
                found,
            );
            self.projects(folder, found);
        }
        for text in &mentions.relative {
            self.relative(id, folder, text, found);
        }
        if mentions.starts_programs {
            self.own_scripts(id, mentions, found);
        }
    }

    /// The shell scripts of a package that its code names, by their names alone.
    fn own_scripts(&self, id: ModuleId, mentions: &Mentions, found: &mut Found) {
        let named: BTreeSet<&[u8]> = [&mentions.names, &mentions.relative]
            .into_iter()
            .flatten()
            .filter(|name| name.ends_with(".sh"))
            .filter_map(|name| name.rsplit('/').next())
            .map(str::as_bytes)
            .collect();
        if named.is_empty() {
            return;
        }
        for file in &self.modules.get(id).files {
            let path = self.tree().path(*file);
            let small = self.tree().node(*file).size() <= MAX_SCRIPT;
            let host = self.root.content(*file).filter(|_| small);
            if named.contains(path.name())
                && let Some(bytes) = host.and_then(|host| std::fs::read(host).ok())
            {
                let folder = path.parent().unwrap_or_default();
                let script = shell::Script::parse(&String::from_utf8_lossy(&bytes));
                found
                    .edges
                    .extend(self.programs.of_script(&script, &folder));
                if let Some(first) = shell::shebang(&bytes) {
                    found.edges.extend(self.programs.interpreter(&first));
                }
            }
        }
    }

    /// What a source of the user needs.
    fn users_code(&self, path: &ImagePath, mentions: &Mentions, found: &mut Found) {
        let folder = path.parent().unwrap_or_default();
        let develops = self.production || is_for_tools(path);
        let begun = self.begun(&folder, mentions);
        for name in mentions.names.iter().chain(&begun) {
            let Some((links, id)) = self.modules.resolve(&folder, name) else {
                continue;
            };
            let loads = mentions.loaded.contains(name) && !develops;
            if !self.modules.is_development(id) || loads {
                self.import(links, id, name, found);
            }
        }
        if mentions.computed {
            self.projects(&folder, found);
        }
    }

    fn begun(&self, folder: &ImagePath, mentions: &Mentions) -> Vec<String> {
        let all = mentions.beginnings.iter();
        all.flat_map(|beginning| self.modules.beginning(folder, beginning))
            .collect()
    }

    /// What the projects around declare for production.
    fn projects(&self, folder: &ImagePath, found: &mut Found) {
        for project in self.modules.projects_around(folder) {
            let manifest = &project.manifest;
            for names in [&manifest.required, &manifest.optional] {
                self.all_declared(&project.folder, names, &manifest.name, found);
            }
        }
    }

    fn all_declared(
        &self,
        folder: &ImagePath,
        names: &BTreeSet<String>,
        by: &str,
        found: &mut Found,
    ) {
        for name in names {
            if let Some((links, id)) = self.modules.resolve(folder, name) {
                found
                    .edges
                    .extend(links.into_iter().map(|link| (link, How::Link)));
                let how = How::Depends(by.to_owned());
                found.edges.push((self.modules.get(id).file, how));
            }
        }
    }

    /// The programs that a source starts.
    fn started(&self, mentions: &Mentions, found: &mut Found) {
        for text in &mentions.shell {
            let needs = self.programs.of_text(text);
            if !needs.is_empty() {
                found.reach(self.tree(), &"bin/sh".into(), How::Runs("sh".to_owned()));
            }
            found.edges.extend(needs);
        }
        for words in &mentions.commands {
            found.edges.extend(self.programs.of_argv(words));
        }
    }

    /// What a program of the user may start under a name that stands in one of
    /// its strings.
    fn perhaps_started(&self, mentions: &Mentions, found: &mut Found) {
        if !mentions.starts_programs {
            return;
        }
        found.reach(self.tree(), &"bin/sh".into(), How::Runs("sh".to_owned()));
        for name in mentions.names.iter().filter(|name| name.len() > 1) {
            if let Some(program) = self.programs.resolve(name) {
                found
                    .edges
                    .extend(reach_path(self.tree(), &program, How::Runs(name.clone())));
            }
        }
    }

    /// The content of a source or of data that may name packages, and whether
    /// it is code.
    fn read(&self, file: FileId) -> Option<(Vec<u8>, bool)> {
        let node = self.tree().node(file);
        let is_code = match node.path.extension() {
            Some(
                b"js" | b"cjs" | b"mjs" | b"jsx" | b"ts" | b"cts" | b"mts" | b"tsx" | b"vue"
                | b"svelte",
            ) => true,
            Some(b"json") => false,
            // `#!/usr/bin/env node`
            None if node.is_executable() => true,
            _ => return None,
        };
        if node.size() > MAX_SOURCE {
            return None;
        }
        let bytes = std::fs::read(self.root.content(file)?).ok()?;
        // Of what has no ending only scripts.
        (node.path.extension().is_some() || bytes.starts_with(b"#!")).then_some((bytes, is_code))
    }
}

impl Analyzer for Node<'_> {
    fn follow(&self, file: FileId) -> Found {
        let mut found = Found::default();
        let node = self.tree().node(file);
        if !node.is_file() {
            return found;
        }
        let module = self.modules.around(file);
        if let Some(id) = module {
            let manifest = self.modules.get(id).file;
            if file == manifest {
                self.whole(id, &mut found);
                return found;
            }
            let name = self.modules.get(id).manifest.name.clone();
            found.edges.push((manifest, How::PackageMetadata(name)));
        }
        if is_a_manifest(&node.path) {
            return found;
        }
        let Some((bytes, is_code)) = self.read(file) else {
            return found;
        };
        let folder = node.path.parent().unwrap_or_default();
        match module {
            Some(id) if is_code => {
                let mentions = Mentions::of_code(&bytes);
                self.packages_code(id, &folder, &mentions, &mut found);
                self.started(&mentions, &mut found);
            }
            None if is_code => {
                let mentions = Mentions::of_code(&bytes);
                self.users_code(&node.path, &mentions, &mut found);
                self.started(&mentions, &mut found);
                self.perhaps_started(&mentions, &mut found);
            }
            None => self.users_code(&node.path, &Mentions::of_data(&bytes), &mut found),
            Some(_) => {}
        }
        found
    }

    /// A file of a package that a run only looked for says nothing about the
    /// package.
    fn follow_caused(&self, file: FileId, cause: &Cause) -> Found {
        let only_seen = matches!(
            &cause.how,
            How::Observed(access) | How::ObservedOf(access, _) if access == "looked up"
        );
        if only_seen && self.tree().path(file).name() != b"package.json" {
            return Found::default();
        }
        self.follow(file)
    }
}

/// Manifests and lock files name everything.
fn is_a_manifest(path: &ImagePath) -> bool {
    matches!(
        path.name(),
        b"package.json" | b"package-lock.json" | b".package-lock.json" | b"npm-shrinkwrap.json"
    )
}

/// Configuration of tools, and tests: they run where the app is developed.
fn is_for_tools(path: &ImagePath) -> bool {
    let name = String::from_utf8_lossy(path.name());
    let parts: Vec<&str> = name.split('.').collect();
    let marked = |mark: &str| parts.len() > 2 && parts[1..parts.len() - 1].contains(&mark);
    marked("config")
        || marked("test")
        || marked("spec")
        || name.starts_with('.')
        || name.starts_with("tsconfig")
        || matches!(parts[0], "Gruntfile" | "gulpfile" | "Gulpfile")
        || path.components().any(|part| {
            matches!(
                part,
                b"test" | b"tests" | b"__tests__" | b"cypress" | b"e2e"
            )
        })
}

#[cfg(test)]
mod tests;
