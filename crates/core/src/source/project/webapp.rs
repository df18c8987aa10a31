//! Finds the file of a project that makes a web application.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::module::{self, Binding, Interface, ModuleFacts};
use super::server::WebApp;
use super::{Folder, ProjectError};

/// A name that leads to another module, that to another ...: no further.
const MAX_HOPS: u32 = 6;

/// Files in which an application is looked for, by rank.
const FILES: &[&str] = &[
    "main.py",
    "app.py",
    "asgi.py",
    "wsgi.py",
    "application.py",
    "server.py",
    "api.py",
    "__init__.py",
    "run.py",
];

/// Names under which an application is bound, by rank; any other comes after.
const OBJECTS: &[&str] = &[
    "app",
    "application",
    "api",
    "asgi_app",
    "wsgi_app",
    "server",
];

/// Folders that hold no application.
const OTHER_FOLDERS: &[&str] = &[
    "tests",
    "test",
    "docs",
    "doc",
    "examples",
    "scripts",
    "migrations",
    "alembic",
    "templates",
    "static",
    "node_modules",
    "venv",
    "env",
    "build",
    "dist",
    "src",
];

/// The modules of a project, each read once.
pub struct Modules<'a> {
    folder: &'a Folder,
    /// The project is installed, so that `src` needs no mention.
    installed: bool,
    read: RefCell<BTreeMap<String, Option<ModuleFacts>>>,
}

impl<'a> Modules<'a> {
    pub fn new(folder: &'a Folder, installed: bool) -> Self {
        Self {
            folder,
            installed,
            read: RefCell::default(),
        }
    }

    /// The facts of a file, by its path relative to the project.
    pub fn facts(&self, file: &str) -> Result<Option<ModuleFacts>, ProjectError> {
        if let Some(known) = self.read.borrow().get(file) {
            return Ok(known.clone());
        }
        let text = self.folder.read(file)?;
        let name = module_name(file.strip_prefix("src/").unwrap_or(file));
        let facts = text.and_then(|text| module::read(&text, &name, file.ends_with("__init__.py")));
        self.read
            .borrow_mut()
            .insert(file.to_owned(), facts.clone());
        Ok(facts)
    }

    /// Every file that may hold the application, the likeliest first. `name`
    /// is the project's.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        let mut files = Vec::new();
        for root in ["", "src/"] {
            files.extend(FILES.iter().map(|file| format!("{root}{file}")));
        }
        for root in ["", "src/"] {
            for package in self.packages(root, name) {
                files.extend(FILES.iter().map(|file| format!("{root}{package}/{file}")));
            }
        }
        files.retain(|file| self.folder.has_file(file));
        files
    }

    /// Folders with Python files in them, that of the project's name first.
    pub fn packages(&self, root: &str, name: &str) -> Vec<String> {
        let own = name.replace(['-', '.'], "_").to_lowercase();
        let mut packages: Vec<String> = self
            .folder
            .names(root)
            .into_iter()
            .filter(|folder| {
                !folder.starts_with(['.', '_'])
                    && !OTHER_FOLDERS.contains(&folder.as_str())
                    && self.folder.has_dir(&format!("{root}{folder}"))
            })
            .collect();
        packages.sort_by_key(|folder| {
            let rank = match folder.as_str() {
                folder if folder == own => 0,
                "app" => 1,
                "api" | "server" | "web" | "backend" => 2,
                _ => 3,
            };
            (rank, folder.clone())
        });
        packages
    }

    /// The web application of a file, if it has one.
    pub fn web_app(&self, file: &str) -> Result<Option<WebApp>, ProjectError> {
        let Some(facts) = self.facts(file)? else {
            return Ok(None);
        };
        let mut names: Vec<&String> = facts.bindings.iter().map(|(name, _)| name).collect();
        names.sort_by_key(|name| OBJECTS.iter().position(|known| known == name).unwrap_or(99));
        let mut factory = None;
        for name in names {
            match self.resolve(&facts, name, 0)? {
                Some(Binding::App { interface, made_by }) => {
                    return Ok(Some(
                        self.app(file, &facts, name, interface, made_by, false),
                    ));
                }
                Some(Binding::Factory { interface, made_by }) if factory.is_none() => {
                    factory = Some(self.app(file, &facts, name, interface, made_by, true));
                }
                _ => {}
            }
        }
        Ok(factory)
    }

    fn app(
        &self,
        file: &str,
        facts: &ModuleFacts,
        object: &str,
        interface: Interface,
        made_by: String,
        factory: bool,
    ) -> WebApp {
        let below = file.strip_prefix("src/");
        // `from src.x import y` in the file means that `src` is a package for
        // its author.
        let src_is_package = facts.imports.iter().any(|name| name == "src")
            || self.folder.has_file("src/__init__.py");
        let (module, folder) = match below {
            Some(_) if src_is_package => (module_name(file), None),
            Some(below) if self.installed => (module_name(below), None),
            Some(below) => (module_name(below), Some("src")),
            None => (module_name(file), None),
        };
        WebApp {
            module,
            object: object.to_owned(),
            factory,
            interface,
            made_by,
            file: file.to_owned(),
            folder,
        }
    }

    /// What a name of a module finally stands for.
    fn resolve(
        &self,
        facts: &ModuleFacts,
        name: &str,
        hops: u32,
    ) -> Result<Option<Binding>, ProjectError> {
        let binding = facts.bindings.iter().find(|(known, _)| known == name);
        let (module, other, called) = match binding.map(|(_, binding)| binding) {
            Some(Binding::Alias { module, name }) => (module, name, false),
            Some(Binding::CallOf { module, name }) => (module, name, true),
            known => return Ok(known.cloned()),
        };
        if hops == MAX_HOPS {
            return Ok(None);
        }
        let Some(file) = self.file_of(module) else {
            return Ok(None);
        };
        let Some(there) = self.facts(&file)? else {
            return Ok(None);
        };
        Ok(match (self.resolve(&there, other, hops + 1)?, called) {
            (Some(Binding::Factory { interface, made_by }), true) => {
                Some(Binding::App { interface, made_by })
            }
            (found, false) => found,
            _ => None,
        })
    }

    /// The file of a dotted module of the project.
    fn file_of(&self, module: &str) -> Option<String> {
        if module.is_empty() || module.contains('/') {
            return None;
        }
        let path = module.replace('.', "/");
        ["", "src/"]
            .iter()
            .flat_map(|root| {
                [
                    format!("{root}{path}.py"),
                    format!("{root}{path}/__init__.py"),
                ]
            })
            .find(|file| self.folder.has_file(file))
    }
}

/// `app.main` of `app/main.py`, `app` of `app/__init__.py`.
pub fn module_name(file: &str) -> String {
    let stem = file.strip_suffix(".py").unwrap_or(file);
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    stem.replace('/', ".")
}
