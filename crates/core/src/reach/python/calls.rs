//! Calls that load something by name.

use ruff_python_ast::{self as ast, Expr, InterpolatedStringElement, Operator};

use super::constants::{Context, path};
use super::imports::{Target, is_dotted};
use super::modules::absolute;

/// What a call does, as far as loading goes.
#[derive(Debug)]
pub enum Call<'a> {
    /// Nothing special: its strings are read like any others.
    Plain,
    /// Its strings are names of loggers, types, modules to look at: they load
    /// nothing.
    NamesNothing,
    /// `getattr(x, EXPRESSION)`.
    ComputedName(&'a Expr),
    Loads(Vec<Target>),
    /// It imports a name that is put together while running; the targets are
    /// what the literal part of it tells.
    ImportsComputed(Vec<Target>),
    /// It lists the modules next to the file.
    ScansSiblings,
    /// It sets up a lazy loader: words in this file may be submodules.
    LazyTable(Vec<Target>),
}

/// Functions that import what their string argument names, besides every one
/// that has `import` in its name.
const IMPORTERS: &[&str] = &[
    "find_spec",
    "find_loader",
    "resolve_name",
    "run_module",
    "load_class",
    "load_object",
    "symbol_by_name",
    "locate",
    "LazyLoader",
    "LazyModule",
    "lazy_module",
    // They import the package whose data they read.
    "files",
    "as_file",
    "get_data",
    "open_text",
    "open_binary",
    "read_text",
    "read_binary",
    "resource_filename",
    "resource_string",
    "resource_stream",
    "resource_listdir",
    "resource_exists",
    "PackageLoader",
];

/// Names that contain `import` and do not import.
const NO_IMPORTERS: &[&str] = &["ImportError", "reimport", "importorskip", "is_import"];

/// True for `inspect.getsource(module)` and its kin, where what is read is a
/// whole module: a package that does so reads itself. Where it is a function
/// or class that came from outside, it is the app's, whose source stays.
pub fn reads_own_source(call: &ast::ExprCall) -> bool {
    let name = match &*call.func {
        Expr::Attribute(method) => method.attr.as_str(),
        Expr::Name(name) => name.id.as_str(),
        _ => return false,
    };
    matches!(name, "getsource" | "getsourcelines" | "findsource")
        && match call.arguments.args.first() {
            Some(Expr::Name(name)) => name.id.contains("mod"),
            Some(Expr::Subscript(_) | Expr::Call(_) | Expr::Attribute(_)) => true,
            _ => false,
        }
}

/// Tells what a call does.
pub fn recognise<'a>(call: &'a ast::ExprCall, context: &Context) -> Call<'a> {
    let Some(whole) = path(&call.func, &context.aliases) else {
        return match &*call.func {
            Expr::Attribute(method) if method.attr.as_str() == "select" => entry_points(call),
            _ => Call::Plain,
        };
    };
    let last = whole.rsplit('.').next().unwrap_or(&whole);
    match last {
        "getattr" | "hasattr" | "setattr" | "methodcaller" | "attrgetter" => {
            let at = usize::from(!matches!(last, "methodcaller" | "attrgetter"));
            return match call.arguments.args.get(at) {
                Some(name @ (Expr::BinOp(_) | Expr::FString(_) | Expr::Call(_))) => {
                    Call::ComputedName(name)
                }
                _ => Call::Plain,
            };
        }
        "getLogger" | "get_logger" | "cast" | "TypeVar" | "NewType" | "ParamSpec"
        | "set_module" | "filterwarnings" | "simplefilter" => return Call::NamesNothing,
        "get" | "pop" if whole == format!("sys.modules.{last}") => return Call::NamesNothing,
        "entry_points" | "iter_entry_points" | "select" => return entry_points(call),
        "iter_modules" | "walk_packages" => return Call::ScansSiblings,
        "attach" | "attach_stub" | "_LazyModule" => {
            return Call::LazyTable(Vec::new());
        }
        "CDLL" | "PyDLL" | "LoadLibrary" | "dlopen" | "find_library" => {
            let search = last == "find_library";
            return match first_text(call) {
                Some(name) => Call::Loads(vec![Target::Library { name, search }]),
                None => Call::Plain,
            };
        }
        "which" if whole.starts_with("shutil.") => {
            return match first_text(call) {
                Some(program) => Call::Loads(vec![Target::Which(program)]),
                None => Call::Plain,
            };
        }
        "version" | "distribution" | "metadata" | "requires" | "get_distribution"
            if whole.contains("metadata.") || whole.contains("pkg_resources") =>
        {
            return match first_text(call) {
                Some(name) => Call::Loads(vec![Target::Metadata(name)]),
                None => Call::Plain,
            };
        }
        _ => {}
    }
    if let Some(targets) = command(call, &whole, last) {
        return Call::Loads(targets);
    }
    let imports = last.to_ascii_lowercase().contains("import") && !NO_IMPORTERS.contains(&last);
    if imports || IMPORTERS.contains(&last) {
        return import_like(call);
    }
    Call::Plain
}

fn entry_points(call: &ast::ExprCall) -> Call<'_> {
    let group = call
        .arguments
        .find_keyword("group")
        .and_then(|keyword| text(&keyword.value))
        .or_else(|| first_text(call));
    match group {
        Some(group) => Call::Loads(vec![Target::EntryPoints(group)]),
        None => Call::Plain,
    }
}

/// The strings of a call that imports: literal ones as they stand, computed
/// ones as far as they are literal.
fn import_like(call: &ast::ExprCall) -> Call<'_> {
    let mut targets = Vec::new();
    let mut computed = false;
    // `import_module(".x", "pkg")` is `pkg.x`.
    let package = call
        .arguments
        .find_argument_value("package", 1)
        .and_then(text)
        .filter(|package| is_dotted(package));
    let keywords = call
        .arguments
        .keywords
        .iter()
        .filter(|keyword| {
            keyword.arg.as_ref().is_some_and(|arg| {
                matches!(arg.as_str(), "name" | "module" | "dotted_path" | "package")
            })
        })
        .map(|keyword| &keyword.value);
    if let [name, package] = &*call.arguments.args
        && !matches!(name, Expr::StringLiteral(_))
    {
        // A computed name, relative to a package that is known.
        match package {
            Expr::StringLiteral(package) if is_dotted(package.value.to_str()) => {
                targets.push(Target::Below(package.value.to_str().to_owned()));
            }
            other if own_package_first(other) => targets.push(Target::Below(String::new())),
            _ => {}
        }
    }
    for argument in call.arguments.args.iter().chain(keywords) {
        match argument {
            Expr::StringLiteral(literal) => {
                let word = literal.value.to_str();
                if let Some(package) = &package
                    && word.starts_with('.')
                {
                    let dots = word.len() - word.trim_start_matches('.').len();
                    let whole = absolute(package, true, dots as u32, &word[dots..]);
                    targets.extend(whole.map(Target::Dynamic));
                    continue;
                }
                let bare = word.trim_start_matches('.').replace(':', ".");
                if is_dotted(&bare) {
                    targets.push(Target::Dynamic(word.to_owned()));
                }
            }
            Expr::BinOp(_) | Expr::FString(_) | Expr::Call(_) => {
                computed = true;
                targets.extend(below(argument));
                targets.extend(suffix_after(argument));
            }
            Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_) => computed = true,
            _ => {}
        }
    }
    if computed {
        Call::ImportsComputed(targets)
    } else {
        Call::Loads(targets)
    }
}

/// `"pkg.sub." + x` may be any submodule of `pkg.sub`; `__name__ + "." + x` and
/// `"." + x` any of the file's own package.
fn below(name: &Expr) -> Option<Target> {
    if own_package_first(name) {
        return Some(Target::Below(String::new()));
    }
    let (head, _) = literal_ends(name);
    let head = head?;
    if head.starts_with('.') {
        return Some(Target::Below(String::new()));
    }
    let (package, _) = head.rsplit_once('.')?;
    is_dotted(package).then(|| Target::Below(package.to_owned()))
}

/// The package in computed text that begins like a module: `pkg.sub.` + x.
pub fn package_before(name: &Expr) -> Option<String> {
    let head = literal_ends(name).0?;
    let package = head.strip_suffix('.')?;
    is_dotted(package).then(|| package.to_owned())
}

/// What computed text has behind a package's name: `x + ".models"` is
/// `models`, `"%s.management.commands.%s" % (x, y)` everything in
/// `management.commands`.
pub fn suffix_after(name: &Expr) -> Option<Target> {
    let after = match name {
        Expr::BinOp(op) if op.op == Operator::Mod => text(&op.left)?.strip_prefix("%s")?.to_owned(),
        Expr::BinOp(op) if op.op == Operator::Add => text(&op.right)?,
        Expr::FString(string) => {
            let mut elements = string.value.elements();
            match (elements.next()?, elements.next()?) {
                (
                    InterpolatedStringElement::Interpolation(_),
                    InterpolatedStringElement::Literal(literal),
                ) => match elements.next() {
                    Some(_) => format!("{}%", literal.value),
                    None => literal.value.to_string(),
                },
                _ => return None,
            }
        }
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(method) if method.attr.as_str() == "format" => {
                let format = text(&method.value)?;
                let (first, rest) = format.split_once('}')?;
                if !first.starts_with('{') {
                    return None;
                }
                rest.replace('{', "%")
            }
            _ => return None,
        },
        _ => return None,
    };
    let path = after.strip_prefix('.')?;
    let (path, below) = match path.split_once('%') {
        Some((path, _)) => (path.strip_suffix('.')?, true),
        None => (path, false),
    };
    is_dotted(path).then(|| Target::Suffix {
        path: path.to_owned(),
        below,
    })
}

/// Whether computed text begins with `__name__` or `__package__`.
fn own_package_first(name: &Expr) -> bool {
    match name {
        Expr::Name(name) => matches!(name.id.as_str(), "__name__" | "__package__"),
        Expr::BinOp(op) if op.op == Operator::Add => own_package_first(&op.left),
        Expr::BinOp(op) if op.op == Operator::Mod => match &*op.right {
            Expr::Tuple(tuple) => tuple.elts.first().is_some_and(own_package_first),
            other => own_package_first(other),
        },
        Expr::FString(string) => match string.value.elements().next() {
            Some(InterpolatedStringElement::Interpolation(first)) => {
                own_package_first(&first.expression)
            }
            _ => false,
        },
        _ => false,
    }
}

/// The literal beginning and end of computed text, where it has them.
pub fn literal_ends(name: &Expr) -> (Option<String>, Option<String>) {
    let found = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    match name {
        Expr::BinOp(op) if op.op == Operator::Add => {
            let mut left = &*op.left;
            while let Expr::BinOp(inner) = left {
                left = &inner.left;
            }
            (text(left), text(&op.right))
        }
        Expr::BinOp(op) if op.op == Operator::Mod => match text(&op.left) {
            Some(format) => (
                format.split('%').next().and_then(found),
                format.rsplit_once("%s").and_then(|(_, tail)| found(tail)),
            ),
            None => (None, None),
        },
        Expr::FString(string) => {
            let literal = |element: Option<&InterpolatedStringElement>| match element {
                Some(InterpolatedStringElement::Literal(literal)) => found(&literal.value),
                _ => None,
            };
            (
                literal(string.value.elements().next()),
                literal(string.value.elements().last()),
            )
        }
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(method) if method.attr.as_str() == "format" => {
                match text(&method.value) {
                    Some(format) => (
                        format.split('{').next().and_then(found),
                        format.rsplit('}').next().and_then(found),
                    ),
                    None => (None, None),
                }
            }
            _ => (None, None),
        },
        _ => (None, None),
    }
}

/// The command of a call that starts a program or looks for one.
fn command(call: &ast::ExprCall, whole: &str, last: &str) -> Option<Vec<Target>> {
    let shell_line = match last {
        "system" | "popen" => whole.starts_with("os."),
        "getoutput" | "getstatusoutput" | "create_subprocess_shell" => true,
        _ => false,
    };
    let starts = shell_line
        || match last {
            "Popen" | "check_call" | "check_output" | "create_subprocess_exec" => true,
            "run" | "call" => whole.starts_with("subprocess."),
            "spawn" => whole.starts_with("pexpect.") || whole.starts_with("pty."),
            _ => {
                whole.starts_with("os.")
                    && (last.starts_with("exec")
                        || last.starts_with("spawn")
                        || last.starts_with("posix_spawn"))
            }
        };
    if !starts {
        return None;
    }
    let shell = shell_line
        || call
            .arguments
            .find_keyword("shell")
            .is_some_and(|keyword| matches!(&keyword.value, Expr::BooleanLiteral(b) if b.value));
    // `os.spawnlp(mode, file, ...)` has the program second.
    let at = usize::from(whole.starts_with("os.spawn"));
    let first = call.arguments.args.get(at).or_else(|| {
        call.arguments
            .find_keyword("args")
            .map(|keyword| &keyword.value)
    })?;
    let words: Vec<&Expr> = match first {
        Expr::List(list) => list.elts.iter().collect(),
        Expr::Tuple(tuple) => tuple.elts.iter().collect(),
        _ if last == "create_subprocess_exec" => call.arguments.args.iter().collect(),
        one => vec![one],
    };
    let mut targets = Vec::new();
    let literal: Vec<Option<String>> = words.iter().map(|word| text(word)).collect();
    if shell {
        // Without a literal the shell itself is still needed.
        let line = match first {
            Expr::FString(_) | Expr::BinOp(_) | Expr::Call(_) => literal_ends(first).0,
            _ => literal.first().cloned().flatten(),
        };
        targets.push(Target::Shell(line.unwrap_or_default()));
    } else if let Some(Some(program)) = literal.first() {
        let mut argv = vec![program.clone()];
        argv.extend(literal.iter().skip(1).map_while(Clone::clone));
        targets.push(Target::Command(argv));
    }
    let mut pairs = literal.windows(2);
    if let Some([_, Some(module)]) =
        pairs.find(|pair| pair[0].as_deref() == Some("-m") && pair[1].is_some())
        && is_dotted(module)
    {
        targets.push(Target::Main(module.clone()));
    }
    Some(targets)
}

fn first_text(call: &ast::ExprCall) -> Option<String> {
    text(call.arguments.args.first()?)
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
        _ => None,
    }
}
