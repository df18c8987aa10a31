//! The linked form: one static executable of the interpreter and the modules
//! that the app reaches, compiled from Debian's sources.
//!
//! Extension modules stay where the import system finds them, as empty files of
//! the archive; the interpreter is told by their number which one is meant.
//! Modules that Debian's interpreter has inside are inside of this one, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use whit_oci::{ImagePath, Meta};

use super::archive::{Member, MemberKind};
use super::extensions::CXX_ON_MUSL;
use super::foreign::{self, Compiler, Foreign};
use super::forge::{Forge, ForgeError, Job};
use super::split::Extension;
use super::{Libc, SingleError, runtime};
use crate::index::{FileId, PackageKind};
use crate::pipeline::Tools;
use crate::reach::elf::Elf;
use crate::reach::python::Facts;
use crate::source::FatRoot;

/// A library of C that modules of the standard library stand on.
struct Library {
    /// Debian's source package, and the kit's script.
    source: &'static str,
    /// Debian's package with the static library for glibc.
    package: &'static str,
    script: &'static str,
    /// Libraries that have to be there before.
    after: &'static [&'static str],
    modules: &'static [&'static str],
}

const LIBRARIES: [Library; 11] = [
    Library {
        source: "zlib",
        package: "zlib1g-dev",
        script: include_str!("kit/zlib.sh"),
        after: &[],
        modules: &["zlib"],
    },
    Library {
        source: "bzip2",
        package: "libbz2-dev",
        script: include_str!("kit/bzip2.sh"),
        after: &[],
        modules: &["_bz2"],
    },
    Library {
        source: "xz-utils",
        package: "liblzma-dev",
        script: include_str!("kit/xz-utils.sh"),
        after: &[],
        modules: &["_lzma"],
    },
    Library {
        source: "openssl",
        package: "libssl-dev",
        script: include_str!("kit/openssl.sh"),
        after: &[],
        modules: &["_ssl", "_hashlib"],
    },
    Library {
        source: "expat",
        package: "libexpat1-dev",
        script: include_str!("kit/expat.sh"),
        after: &[],
        modules: &["pyexpat", "_elementtree"],
    },
    Library {
        source: "libffi",
        package: "libffi-dev",
        script: include_str!("kit/libffi.sh"),
        after: &[],
        modules: &["_ctypes"],
    },
    Library {
        source: "sqlite3",
        package: "libsqlite3-dev",
        script: include_str!("kit/sqlite3.sh"),
        after: &[],
        modules: &["_sqlite3"],
    },
    Library {
        source: "util-linux",
        package: "uuid-dev",
        script: include_str!("kit/util-linux.sh"),
        after: &[],
        modules: &["_uuid"],
    },
    Library {
        source: "ncurses",
        package: "libncurses-dev",
        script: include_str!("kit/ncurses.sh"),
        after: &[],
        modules: &["_curses", "_curses_panel"],
    },
    Library {
        source: "readline",
        package: "libreadline-dev",
        script: include_str!("kit/readline.sh"),
        after: &["ncurses"],
        modules: &["readline"],
    },
    Library {
        source: "db5.3",
        package: "libdb5.3-dev",
        script: include_str!("kit/db5.3.sh"),
        after: &[],
        modules: &["_dbm"],
    },
];

/// What every script of the kit begins with.
const ENV: &str = include_str!("kit/env.sh");

/// Sources for which nothing has to be built: Debian has the static library.
const FOR_MUSL: Libc = Libc::Musl;

impl Libc {
    fn name(self) -> &'static str {
        match self {
            Libc::Musl => "musl",
            Libc::Glibc => "glibc",
        }
    }

    /// Debian's package with the static library.
    pub fn package(self) -> &'static str {
        match self {
            Libc::Musl => "musl-dev",
            Libc::Glibc => "libc6-dev",
        }
    }
}

/// What is to be linked.
pub struct Plan<'a> {
    pub libc: Libc,
    /// Rather fast to start than small.
    pub is_fast: bool,
    pub facts: &'a Facts,
    pub original: &'a FatRoot,
    pub elf: &'a Elf<'a>,
    /// Packages whose modules may be left out.
    pub fallbacks: &'a [String],
    /// Modules of Debian's interpreter itself that the app imports.
    pub builtins: &'a BTreeSet<String>,
    pub extensions: &'a [Extension],
}

/// The executable without its archive.
pub struct Linked {
    pub program: PathBuf,
    /// Extension modules as the archive has them.
    pub members: BTreeMap<ImagePath, Member>,
    /// The names of the modules that are in it, by path.
    pub names: BTreeMap<ImagePath, String>,
    /// Modules that packages have in Python, too.
    pub left_out: Vec<FileId>,
}

/// Links an interpreter.
pub fn link(plan: &Plan<'_>, forge: &Forge<'_>, tools: &Tools<'_>) -> Result<Linked, SingleError> {
    let (standard, others): (Vec<&Extension>, Vec<&Extension>) = plan
        .extensions
        .iter()
        .partition(|extension| is_standard(plan.facts, extension));
    let others = foreign::by_distribution(&plan.original.tree, &others)?;
    let smith = Smith {
        libc: plan.libc,
        forge,
        tools,
    };
    let python = smith.python(plan.original)?;
    let core = fs::read_to_string(python.join("python/Modules/config.c"))?;
    let inside: Vec<&str> = plan
        .builtins
        .iter()
        .map(String::as_str)
        .filter(|name| !core.contains(&format!("\"{name}\"")))
        .collect();
    // Packages first: what cannot be linked is best known before minutes are
    // spent on libraries.
    let mut kits = vec![python];
    if plan.libc == Libc::Musl {
        let libraries: BTreeSet<&str> = others
            .keys()
            .filter_map(|name| foreign::wanted_library(name))
            .collect();
        for name in libraries {
            kits.push(smith.build(name, script_of(name), &[])?);
        }
    }
    let compiler = Compiler {
        libc: plan.libc,
        original: plan.original,
        elf: plan.elf,
        fallbacks: plan.fallbacks,
        kits: &kits,
        forge,
        tools,
    };
    let Foreign { objects, left_out } = compiler.compile(&others)?;
    let of_others = compiler.packages(&others);

    let mut wanted: BTreeSet<&str> = standard.iter().map(|e| e.name.as_str()).collect();
    wanted.extend(&inside);
    kits.extend(smith.libraries(&wanted)?);
    kits.extend(smith.modules(&wanted, &kits)?);
    kits.push(smith.build("libzstd", include_str!("kit/libzstd.sh"), &[])?);
    if plan.libc == Libc::Musl {
        kits.push(smith.build("mimalloc", include_str!("kit/mimalloc.sh"), &[])?);
    }

    let mut symbols = Vec::new();
    let mut members = BTreeMap::new();
    let mut linked = BTreeMap::new();
    for extension in plan.extensions {
        if left_out.contains(&extension.file) {
            continue;
        }
        let number = u32::try_from(symbols.len()).map_err(std::io::Error::other)?;
        symbols.push(match objects.get(&extension.path) {
            Some(object) => object.symbol.clone(),
            None => format!("PyInit_{}", last(&extension.name)),
        });
        members.insert(extension.path.clone(), stub(number));
        linked.insert(extension.path.clone(), extension.name.clone());
    }
    let mut object_files = Vec::new();
    let mut libraries: BTreeSet<String> = BTreeSet::new();
    let mut inputs = runtime::linked(plan.libc == Libc::Musl);
    inputs.insert("inittab.c".to_owned(), inittab(&core, &inside).into_bytes());
    inputs.insert("modules.c".to_owned(), table(&symbols).into_bytes());
    inputs.insert("modules.h".to_owned(), suffixes(plan.facts).into_bytes());
    for (number, object) in objects.values().enumerate() {
        let name = format!("foreign-{number}.o");
        inputs.insert(name.clone(), fs::read(&object.file)?);
        object_files.push(format!("$IN/{name}"));
        libraries.extend(object.libraries.iter().map(|name| format!("-l{name}")));
    }
    if plan.libc == Libc::Musl && libraries.contains("-lstdc++") {
        inputs.insert("cxx_on_musl.c".to_owned(), CXX_ON_MUSL.into());
    }
    libraries.insert("-lzstd".to_owned());
    let names: Vec<&str> = wanted.into_iter().collect();
    let mut packages = smith.packages(&names);
    packages.extend(of_others);
    let job = Job {
        phase: format!("linking with {}", plan.libc.name()),
        packages,
        sources: Vec::new(),
        kits,
        inputs,
        variables: vec![
            ("LIBC", plan.libc.name().to_owned()),
            ("MODULES", names.join(" ")),
            (
                "FROZEN",
                if plan.is_fast { "deep" } else { "data" }.to_owned(),
            ),
            ("LIBS", libraries.into_iter().collect::<Vec<_>>().join(" ")),
            ("WRAP", calls(plan.libc)),
        ],
        script: format!(
            "{ENV}\nRUNTIME=$IN EXE=$OUT/program OBJECTS=\"{}\"\n{}",
            object_files.join(" "),
            include_str!("kit/link.sh")
        ),
    };
    let made = smith.make(&job)?;
    for package in &job.packages {
        forge.add_library_of(package);
    }
    forge.add_library_of(plan.libc.package());
    Ok(Linked {
        program: made.join("program"),
        members,
        names: linked,
        left_out,
    })
}

/// What starts a compressed program.
pub fn unpacker(forge: &Forge<'_>, tools: &Tools<'_>) -> Result<PathBuf, SingleError> {
    let libc = Libc::Musl;
    let smith = Smith { libc, forge, tools };
    let decoder = smith.build("libzstd", include_str!("kit/libzstd.sh"), &[])?;
    let made = smith.make(&Job {
        phase: "compiling the unpacker".to_owned(),
        packages: Vec::new(),
        sources: Vec::new(),
        kits: vec![decoder],
        inputs: runtime::files(),
        variables: vec![("LIBC", libc.name().to_owned())],
        script: format!("{ENV}\nRUNTIME=$IN\n{}", include_str!("kit/unpacker.sh")),
    })?;
    forge.add_library_of(libc.package());
    Ok(made.join("unpacker"))
}

struct Smith<'a> {
    libc: Libc,
    forge: &'a Forge<'a>,
    tools: &'a Tools<'a>,
}

impl Smith<'_> {
    /// What does not compile or link may do so in another form.
    fn make(&self, job: &Job<'_>) -> Result<PathBuf, SingleError> {
        self.forge
            .make(job, self.tools)
            .map_err(|error| match error {
                ForgeError::Failed { phase, last, .. } => {
                    SingleError::Unfit(format!("{phase} failed: {last}"))
                }
                error => error.into(),
            })
    }

    fn build(&self, source: &str, script: &str, kits: &[PathBuf]) -> Result<PathBuf, SingleError> {
        self.make(&Job {
            phase: format!("compiling {source} with {}", self.libc.name()),
            packages: match source {
                // SQLite's source is put together by a program in Tcl.
                "sqlite3" => vec!["tcl"],
                _ => Vec::new(),
            },
            sources: vec![source],
            kits: kits.to_vec(),
            inputs: BTreeMap::new(),
            variables: vec![("LIBC", self.libc.name().to_owned())],
            script: format!("{ENV}\n{script}"),
        })
    }

    fn python(&self, original: &FatRoot) -> Result<PathBuf, SingleError> {
        let python = format!("python{}", self.forge.suite.python());
        let compiled = self.forge.source_version(&python)?;
        let name = format!("{python}-minimal");
        let installed = original
            .tree
            .packages()
            .find(|(_, package)| package.kind == PackageKind::Dpkg && package.name == name)
            .map(|(_, package)| &package.version);
        if let Some(installed) = installed.filter(|installed| **installed != compiled) {
            return Err(SingleError::Unfit(format!(
                "whit.lock has {python} {installed}, and only {compiled} can be compiled; \
                 without the lock, that one is taken"
            )));
        }
        self.make(&Job {
            phase: format!("compiling {python} with {}", self.libc.name()),
            packages: vec!["libexpat1-dev", "libffi-dev"],
            sources: vec![&python],
            kits: Vec::new(),
            inputs: BTreeMap::new(),
            variables: vec![
                ("LIBC", self.libc.name().to_owned()),
                ("PYTHON", python.clone()),
            ],
            script: format!("{ENV}\n{}", include_str!("kit/python.sh")),
        })
    }

    /// The static libraries that modules stand on; glibc's are Debian's own.
    fn libraries(&self, modules: &BTreeSet<&str>) -> Result<Vec<PathBuf>, SingleError> {
        if self.libc != FOR_MUSL {
            return Ok(Vec::new());
        }
        let mut made: BTreeMap<&str, PathBuf> = BTreeMap::new();
        for library in needed(modules) {
            let mut before = Vec::new();
            for name in library.after {
                let other = LIBRARIES.iter().find(|other| other.source == *name);
                if let (Some(other), false) = (other, made.contains_key(name)) {
                    made.insert(other.source, self.build(name, other.script, &[])?);
                }
                before.extend(made.get(name).cloned());
            }
            let kit = self.build(library.source, library.script, &before)?;
            made.insert(library.source, kit);
        }
        Ok(made.into_values().collect())
    }

    /// Debian's packages of the libraries that these modules stand on.
    fn packages(&self, modules: &[&str]) -> Vec<&'static str> {
        let wanted = modules.iter().copied().collect();
        match self.libc {
            Libc::Glibc => needed(&wanted).map(|library| library.package).collect(),
            Libc::Musl => Vec::new(),
        }
    }

    /// Those of the standard library: all that need no library at once, the
    /// others one by one, and what hardly any app imports only where one does.
    fn modules(
        &self,
        wanted: &BTreeSet<&str>,
        kits: &[PathBuf],
    ) -> Result<Vec<PathBuf>, SingleError> {
        let with_library: Vec<&str> = LIBRARIES
            .iter()
            .flat_map(|library| library.modules)
            .copied()
            .filter(|module| wanted.contains(module))
            .collect();
        let mut made = vec![self.compile("*", kits, &[])?];
        for module in with_library {
            made.push(self.compile(module, kits, &[module])?);
        }
        for module in wanted {
            let link = format!("modules/{module}.link");
            if !made.iter().any(|kit| kit.join(&link).exists()) {
                made.push(self.compile(module, kits, &[])?);
            }
        }
        Ok(made)
    }

    fn compile(
        &self,
        modules: &str,
        kits: &[PathBuf],
        needing: &[&str],
    ) -> Result<PathBuf, SingleError> {
        let what = match modules {
            "*" => "modules",
            name => name,
        };
        self.make(&Job {
            phase: format!("compiling {what} with {}", self.libc.name()),
            // Debian's sockets know Bluetooth, for which headers are enough.
            packages: self
                .packages(needing)
                .into_iter()
                .chain(["libbluetooth-dev"])
                .collect(),
            sources: Vec::new(),
            kits: kits.to_vec(),
            inputs: BTreeMap::new(),
            variables: vec![
                ("LIBC", self.libc.name().to_owned()),
                ("MODULES", modules.to_owned()),
            ],
            script: format!("{ENV}\n{}", include_str!("kit/python-modules.sh")),
        })
    }
}

fn needed(modules: &BTreeSet<&str>) -> impl Iterator<Item = &'static Library> {
    LIBRARIES.iter().filter(|library| {
        library
            .modules
            .iter()
            .any(|module| modules.contains(module))
    })
}

/// True for a module of the interpreter's own library.
fn is_standard(facts: &Facts, extension: &Extension) -> bool {
    extension
        .path
        .starts_with(&ImagePath::clamped(&facts.stdlib))
        && !extension.name.contains('.')
}

/// The kit's script for a library that only packages want.
fn script_of(library: &str) -> &'static str {
    match library {
        "libyaml" => include_str!("kit/libyaml.sh"),
        _ => include_str!("kit/libffi.sh"),
    }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// An empty file for the import system to find.
fn stub(number: u32) -> Member {
    Member {
        kind: MemberKind::Module(number),
        meta: Meta {
            mode: 0o644,
            ..Meta::default()
        },
        kernel_first: false,
        hot: false,
    }
}

/// The interpreter's own table of modules (`Modules/config.c`), with more.
fn inittab(core: &str, more: &[&str]) -> String {
    let mut declared = String::new();
    let mut entries = String::new();
    for name in more {
        let _ = writeln!(declared, "extern PyObject *PyInit_{name}(void);");
        let _ = writeln!(entries, "    {{\"{name}\", PyInit_{name}}},");
    }
    let table = "struct _inittab _PyImport_Inittab[] = {";
    core.replacen(table, &format!("{declared}\n{table}\n{entries}"), 1)
}

/// What of the C library the runtime stands in for.
fn calls(libc: Libc) -> String {
    let more = match libc {
        Libc::Musl => runtime::CALLS_ON_MUSL,
        Libc::Glibc => "",
    };
    let calls = runtime::CALLS.split_whitespace();
    calls
        .chain(more.split_whitespace())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The functions that make the extension modules, by number.
fn table(symbols: &[String]) -> String {
    let mut text = "#include \"modules.h\"\n\n".to_owned();
    let unique: BTreeSet<&String> = symbols.iter().collect();
    for symbol in unique {
        let _ = writeln!(text, "extern void {symbol}(void);");
    }
    text.push_str("\nvoid (*const whit_modules[])(void) = {\n");
    for symbol in symbols {
        let _ = writeln!(text, "    {symbol},");
    }
    text.push_str("    0,\n};\n");
    text
}

/// How files of extension modules end, for this interpreter.
fn suffixes(facts: &Facts) -> String {
    let list: Vec<String> = facts
        .extension_suffixes
        .iter()
        .map(|suffix| format!("{suffix:?}"))
        .collect();
    format!(
        "#define WHIT_MODULE_SUFFIXES {}\nextern void (*const whit_modules[])(void);\n",
        list.join(", ")
    )
}
