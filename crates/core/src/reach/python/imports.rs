//! What a Python source file may load: its text in, facts out.
//!
//! The reader never runs anything and never fails: source with syntax errors
//! (Python 2, templates) is read as far as the parser recovers.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

use super::marshal;
use super::nesting;
use super::walk::Walk;

/// Files larger than this are read line by line only.
const LARGEST_PARSED: usize = 16 << 20;
/// Syntax nested deeper than this is read line by line only. CPython's own
/// parser gives up at 6,000 levels, its compiler earlier.
const DEEPEST_PARSED: usize = 3_000;
/// The same for one line of a file that is read line by line.
const DEEPEST_LINE: usize = 50;

/// Everything that a file's text says about what it may load.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Imports {
    pub references: Vec<Reference>,
    /// Pieces of code that run under a condition of their own; the first one
    /// is the module's body.
    pub scopes: Vec<Scope>,
    /// The imports of `try` bodies, as positions in `references`; see
    /// [`Reference::fallback_of`].
    pub attempts: Vec<Vec<usize>>,
    /// Names bound at the top level of the module.
    pub bindings: BTreeSet<Box<str>>,
    /// The strings of `__all__`.
    pub exports: BTreeSet<Box<str>>,
    /// The file imports what it finds next to itself: `pkgutil.iter_modules`,
    /// or a computed import beside `__file__` or `__path__`.
    pub scans_siblings: bool,
    /// The file reads the source of modules (`inspect.getsource`), as lazy
    /// loaders do that take their imports from the blocks for type checkers.
    pub reads_source: bool,
    /// The source has errors; imports behind one may be unseen.
    pub broken: bool,
}

/// One thing that a file may load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Position in [`Imports::scopes`] of the code that loads it.
    pub scope: u32,
    pub target: Target,
    /// It stands in the `except ImportError` of the attempt with this
    /// position, whose body holds nothing but imports.
    pub fallback_of: Option<u32>,
    /// It stands in a `try` or a function: the module runs without it.
    pub sheltered: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `import module` (no names, level 0) or `from ..module import names`.
    Import {
        module: String,
        level: u32,
        names: Vec<String>,
        star: bool,
    },
    /// A string handed to something that imports: one word or a dotted path,
    /// relative with leading dots, with `:attribute` or not.
    Dynamic(String),
    /// Every direct submodule of this package may be imported: the name was
    /// computed (`import_module("pkg." + name)`). Empty for the file's own.
    Below(String),
    /// This path below some package may be imported, or, where `below`, every
    /// submodule of it: the package's name is computed
    /// (`import_module("%s.models" % app)`).
    Suffix {
        path: String,
        below: bool,
    },
    /// A string that looks like a dotted module or `module:attribute`.
    Text(String),
    /// A word or `.word` of a file with a lazy loader: perhaps a submodule.
    Sibling(String),
    /// `python -m module`, from a literal command.
    Main(String),
    /// A command: the words of a list, or a line for the shell.
    Command(Vec<String>),
    Shell(String),
    /// A program that is looked for in `PATH`.
    Which(String),
    /// A distribution whose metadata is read.
    Metadata(String),
    /// A shared library by name or path, for `dlopen`; `search` when it goes
    /// through `ctypes.util.find_library`.
    Library {
        name: String,
        search: bool,
    },
    /// The entry points of a group.
    EntryPoints(String),
}

/// A piece of code and what has to happen for it to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    pub parent: Option<u32>,
    pub gate: Gate,
    /// Names that the code mentions: variables, attributes, strings that are
    /// identifiers.
    pub mentions: BTreeSet<Box<str>>,
    /// Beginnings (`"visit_" + x`) and ends (`x + "_open"`) of computed names.
    pub prefixes: BTreeSet<Box<str>>,
    pub suffixes: BTreeSet<Box<str>>,
}

/// When the code of a scope can run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Gate {
    /// Whenever the code around it has run.
    #[default]
    Open,
    /// When something names it: a function or class.
    Named(Box<str>),
    /// When another file names one of these: a branch of a module's
    /// `__getattr__`, or an entry of its table.
    NamedElsewhere(Vec<Box<str>>),
    /// When the file is run as a program.
    Main,
    /// Never; but packages that read their own source may find there what to
    /// load lazily (`if TYPE_CHECKING:`).
    TypeChecking,
}

/// The platform for which conditions are decided: Linux and a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    pub version: (u8, u8),
}

impl Imports {
    /// Reads one file.
    pub fn of(source: &[u8], platform: Platform) -> Imports {
        let text = decode(source);
        if text.len() > LARGEST_PARSED || nesting::depth(&text) > DEEPEST_PARSED {
            return by_line(&text, platform);
        }
        // Syntax trees are walked and dropped recursively.
        stacker::maybe_grow(4 << 20, 16 << 20, || parse(&text, platform))
    }

    /// Reads bytecode without a source. What is imported cannot be told from
    /// other names there: every name that is a module counts as one.
    pub fn of_bytecode(pyc: &[u8], platform: Platform) -> Imports {
        let code = pyc
            .get(16..)
            .and_then(|code| marshal::read(code, platform.version, marshal::Columns::Keep).ok())
            .unwrap_or_default();
        let mut references = Vec::new();
        for (i, name) in code.names.iter().enumerate() {
            // `from name import a, b` has its names behind it.
            let names: Vec<String> = code.names[i + 1..].iter().take(8).cloned().collect();
            for level in 0..3 {
                let bare = level > 0 && name.is_empty();
                if bare || is_dotted(name) {
                    references.push(Reference {
                        scope: 0,
                        target: Target::Import {
                            module: name.clone(),
                            level,
                            names: names.clone(),
                            star: false,
                        },
                        fallback_of: None,
                        sheltered: false,
                    });
                }
            }
        }
        let texts = code.strings.iter().filter(|text| text.contains('.'));
        references.extend(texts.filter(|text| is_dotted(text)).map(|text| Reference {
            scope: 0,
            target: Target::Text(text.clone()),
            fallback_of: None,
            sheltered: false,
        }));
        let words = code.strings.iter().chain(&code.names);
        Imports {
            bindings: code.names.iter().map(|name| name.as_str().into()).collect(),
            scopes: vec![Scope {
                mentions: words
                    .filter(|word| is_identifier(word))
                    .map(|word| word.as_str().into())
                    .collect(),
                ..Scope::default()
            }],
            broken: code.canonical.is_empty(),
            references,
            ..Imports::default()
        }
    }

    /// Facts about a compiled module: it imports `modules` and names `words`.
    pub(super) fn of_words(modules: BTreeSet<String>, words: BTreeSet<String>) -> Imports {
        Imports {
            references: modules
                .into_iter()
                .map(|module| Reference {
                    scope: 0,
                    target: if module.contains('.') {
                        Target::Text(module)
                    } else {
                        Target::Dynamic(module)
                    },
                    fallback_of: None,
                    sheltered: false,
                })
                .collect(),
            scopes: vec![Scope {
                mentions: words.into_iter().map(String::into_boxed_str).collect(),
                ..Scope::default()
            }],
            ..Imports::default()
        }
    }
}

fn parse(text: &str, platform: Platform) -> Imports {
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    let broken = !parsed.errors().is_empty();
    let module = parsed.into_syntax();
    let mut imports = match module.as_module() {
        Some(module) => Walk::new(platform).read(&module.body),
        None => Imports::default(),
    };
    imports.broken = broken;
    imports
}

/// Reads each line that begins an import as a file of its own.
pub(super) fn by_line(text: &str, platform: Platform) -> Imports {
    let mut whole = Imports {
        scopes: vec![Scope::default()],
        broken: true,
        ..Imports::default()
    };
    for line in text.lines().map(str::trim_start) {
        if line.len() < 4_096
            && (line.starts_with("import ") || line.starts_with("from "))
            && nesting::depth(line) <= DEEPEST_LINE
        {
            let one = parse(line, platform);
            whole.references.extend(
                one.references
                    .into_iter()
                    .filter(|reference| reference.scope == 0),
            );
        }
    }
    whole
}

/// Source as text: a byte order mark goes, bytes that are not UTF-8 are read as
/// Latin-1 (import statements are ASCII in practice, whatever the encoding).
pub(super) fn decode(source: &[u8]) -> std::borrow::Cow<'_, str> {
    let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    match std::str::from_utf8(source) {
        Ok(text) => text.into(),
        Err(_) => source
            .iter()
            .map(|b| char::from(*b))
            .collect::<String>()
            .into(),
    }
}

/// Names of locals that stand for something imported: `np` → `numpy`.
pub(super) type Aliases = BTreeMap<String, String>;

/// True for one Python identifier in ASCII.
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// True for identifiers joined by dots.
pub fn is_dotted(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text.split('.').all(is_identifier)
}
