//! One walk over a syntax tree, gathering what [`Imports`] tells.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    self as ast, ExceptHandler, Expr, InterpolatedStringElement, Stmt, StmtClassDef,
    StmtFunctionDef, StmtIf, StmtTry,
};

use super::calls::{self, Call};
use super::constants::{self, Context};
use super::imports::{
    Aliases, Gate, Imports, Platform, Reference, Scope, Target, is_dotted, is_identifier,
};

/// Decorators that leave a function as callable by its own name as it was.
/// Anything else may have registered the function somewhere: it counts as
/// called.
const PLAIN_DECORATORS: &[&str] = &[
    "_check_name",
    "abstractmethod",
    "asynccontextmanager",
    "cache",
    "cached_property",
    "classmethod",
    "contextmanager",
    "coroutine",
    "dataclass",
    "deleter",
    "final",
    "getter",
    "lru_cache",
    "override",
    "property",
    "setter",
    "singledispatch",
    "staticmethod",
    "total_ordering",
    "unique",
    "wraps",
];

pub(super) struct Walk {
    context: Context,
    imports: Imports,
    /// The scope whose code is being read.
    scope: u32,
    /// The scope around the next function: like `scope`, but a class counts.
    around: u32,
    /// Depth of functions; 0 is the module or a class body in it.
    depth: u32,
    /// How many `try` bodies and functions are around.
    tries: u32,
    functions: u32,
    fallback_of: Option<u32>,
    in_annotation: bool,
    /// The parameter of the module-level `__getattr__` being read.
    lazy_name: Option<String>,
    lazy: bool,
    sees_own_place: bool,
    imports_computed: bool,
    uses_six: bool,
    /// Words that are submodules if the file turns out to load lazily.
    words: BTreeSet<(u32, String)>,
    /// Beginnings of computed text that are packages, if the file imports
    /// computed names.
    packages: BTreeSet<(u32, String)>,
    suffixes: Vec<(u32, Target)>,
}

impl Walk {
    pub(super) fn new(platform: Platform) -> Self {
        Self {
            context: Context {
                platform,
                aliases: Aliases::new(),
                flags: Default::default(),
            },
            imports: Imports {
                scopes: vec![Scope::default()],
                ..Imports::default()
            },
            scope: 0,
            around: 0,
            depth: 0,
            tries: 0,
            functions: 0,
            fallback_of: None,
            in_annotation: false,
            lazy_name: None,
            lazy: false,
            sees_own_place: false,
            imports_computed: false,
            uses_six: false,
            words: BTreeSet::new(),
            packages: BTreeSet::new(),
            suffixes: Vec::new(),
        }
    }

    pub(super) fn read(mut self, body: &[Stmt]) -> Imports {
        self.visit_body(body);
        if self.lazy {
            for (scope, word) in std::mem::take(&mut self.words) {
                self.sibling(scope, word);
            }
        }
        if self.imports_computed {
            for (scope, package) in std::mem::take(&mut self.packages) {
                self.refer_in(scope, Target::Below(package));
            }
            for (scope, suffix) in std::mem::take(&mut self.suffixes) {
                self.refer_in(scope, suffix);
            }
        }
        if self.imports.scans_siblings {
            // `walk_packages(import_module(NAME).__path__)`: what is listed may
            // be any package that the file names.
            let named: Vec<(u32, Target)> = self
                .imports
                .references
                .iter()
                .filter_map(|reference| match &reference.target {
                    Target::Text(text) => Some((reference.scope, Target::Below(text.clone()))),
                    _ => None,
                })
                .collect();
            for (scope, target) in named {
                self.refer_in(scope, target);
            }
        }
        self.imports.scans_siblings |= self.sees_own_place && self.imports_computed;
        self.imports
    }

    /// A word in a file that loads lazily: perhaps a submodule, wanted when
    /// another file names it. What `.word` stands for has a name elsewhere.
    fn sibling(&mut self, scope: u32, word: String) {
        let scope = if word.starts_with('.') {
            scope
        } else {
            self.imports.scopes.push(Scope {
                parent: Some(scope),
                gate: Gate::NamedElsewhere(vec![word.as_str().into()]),
                ..Scope::default()
            });
            self.imports.scopes.len() as u32 - 1
        };
        self.refer_in(scope, Target::Sibling(word));
    }

    fn refer(&mut self, target: Target) {
        self.refer_in(self.scope, target);
    }

    fn refer_in(&mut self, scope: u32, target: Target) {
        self.imports.references.push(Reference {
            scope,
            target,
            fallback_of: self.fallback_of,
            sheltered: self.tries > 0 || self.functions > 0,
        });
    }

    fn mention(&mut self, name: &str) {
        let mentions = &mut self.imports.scopes[self.scope as usize].mentions;
        if !mentions.contains(name) {
            mentions.insert(name.into());
        }
    }

    fn bind(&mut self, name: &str) {
        if self.depth == 0 {
            self.imports.bindings.insert(name.into());
        }
    }

    /// Opens a scope, reads into it, closes it.
    fn within(&mut self, gate: Gate, is_class: bool, read: impl FnOnce(&mut Self)) {
        let id = self.imports.scopes.len() as u32;
        self.imports.scopes.push(Scope {
            parent: Some(self.around),
            gate,
            ..Scope::default()
        });
        let before = (self.scope, self.around);
        self.around = id;
        if !is_class {
            self.scope = id;
        }
        read(self);
        (self.scope, self.around) = before;
    }

    fn import(&mut self, import: &ast::StmtImport) {
        for alias in &import.names {
            let module = alias.name.as_str();
            self.uses_six |= module.contains("six");
            let local = match &alias.asname {
                Some(local) => {
                    self.context
                        .aliases
                        .insert(local.to_string(), module.to_owned());
                    local.as_str()
                }
                None => module.split('.').next().unwrap_or(module),
            };
            self.bind(local);
            for part in module.split('.') {
                self.mention(part);
            }
            self.refer(Target::Import {
                module: module.to_owned(),
                level: 0,
                names: Vec::new(),
                star: false,
            });
        }
    }

    fn import_from(&mut self, import: &ast::StmtImportFrom) {
        let module = import.module.as_ref().map_or("", |name| name.as_str());
        let mut names = Vec::new();
        for alias in &import.names {
            let name = alias.name.as_str();
            self.uses_six |= name == "six" || module.ends_with("six");
            let local = alias.asname.as_ref().map_or(name, |local| local.as_str());
            self.bind(local);
            self.mention(name);
            if is_common(name) {
                self.mention(&format!("{module}.{name}"));
            }
            if import.level == 0 {
                self.context
                    .aliases
                    .insert(local.to_owned(), format!("{module}.{name}"));
            }
            names.push(name.to_owned());
        }
        for part in module.split('.') {
            self.mention(part);
        }
        let star = names.iter().any(|name| name == "*");
        names.retain(|name| name != "*");
        self.refer(Target::Import {
            module: module.to_owned(),
            level: import.level,
            names,
            star,
        });
    }

    fn function(&mut self, function: &StmtFunctionDef) {
        self.bind(&function.name);
        for decorator in &function.decorator_list {
            self.visit_decorator(decorator);
        }
        self.visit_parameters(&function.parameters);
        if let Some(returns) = &function.returns {
            self.visit_annotation(returns);
        }
        let name = function.name.as_str();
        let dunder = name.starts_with("__") && name.ends_with("__");
        let plain = function.decorator_list.iter().all(|decorator| {
            let callee = match &decorator.expression {
                Expr::Call(call) => &*call.func,
                other => other,
            };
            constants::path(callee, &Aliases::new())
                .and_then(|path| path.rsplit('.').next().map(str::to_owned))
                .is_some_and(|last| PLAIN_DECORATORS.contains(&last.as_str()))
        });
        let gate = if dunder || !plain {
            Gate::Open
        } else {
            Gate::Named(name.into())
        };
        let module_getattr = self.depth == 0 && self.around == 0 && name == "__getattr__";
        self.within(gate, false, |walk| {
            walk.depth += 1;
            walk.functions += 1;
            let outer = walk.lazy_name.take();
            if module_getattr {
                walk.lazy = true;
                walk.lazy_name = function
                    .parameters
                    .iter_non_variadic_params()
                    .next()
                    .map(|parameter| parameter.parameter.name.to_string());
            }
            walk.visit_body(&function.body);
            walk.lazy_name = outer;
            walk.functions -= 1;
            walk.depth -= 1;
        });
    }

    fn class(&mut self, class: &StmtClassDef) {
        self.bind(&class.name);
        for decorator in &class.decorator_list {
            self.visit_decorator(decorator);
        }
        if let Some(arguments) = &class.arguments {
            self.visit_arguments(arguments);
        }
        let gate = if class.decorator_list.is_empty() {
            Gate::Named(class.name.as_str().into())
        } else {
            Gate::Open
        };
        // The body runs with the code around; methods wait for the class.
        self.within(gate, true, |walk| {
            walk.depth += 1;
            walk.visit_body(&class.body);
            walk.depth -= 1;
        });
    }

    fn branch(&mut self, branch: &StmtIf) {
        let mut arms: Vec<(Option<&Expr>, &[Stmt])> = vec![(Some(&branch.test), &branch.body)];
        for clause in &branch.elif_else_clauses {
            arms.push((clause.test.as_ref(), &clause.body));
        }
        for (test, body) in arms {
            let Some(test) = test else {
                self.visit_body(body);
                return;
            };
            match constants::decide(test, &self.context) {
                Some(true) => {
                    self.visit_body(body);
                    return;
                }
                Some(false) => {
                    if constants::is_type_checking(test) {
                        self.within(Gate::TypeChecking, false, |walk| walk.visit_body(body));
                    }
                    continue;
                }
                None => {}
            }
            if is_main_test(test) {
                self.within(Gate::Main, false, |walk| walk.visit_body(body));
                continue;
            }
            if let Some(names) = self.lazy_names(test) {
                self.within(Gate::NamedElsewhere(names), false, |walk| {
                    walk.visit_body(body);
                });
                continue;
            }
            self.visit_expr(test);
            self.visit_body(body);
        }
    }

    /// For `if name == "x"` and `if name in {"x", "y"}` in a module's
    /// `__getattr__(name)`: the names for which the branch is taken.
    fn lazy_names(&self, test: &Expr) -> Option<Vec<Box<str>>> {
        let parameter = self.lazy_name.as_deref()?;
        let Expr::Compare(compare) = test else {
            return None;
        };
        let ([op], [right]) = (&*compare.ops, &*compare.comparators) else {
            return None;
        };
        if !matches!(&*compare.left, Expr::Name(name) if name.id.as_str() == parameter) {
            return None;
        }
        let items: Vec<&Expr> = match (op, right) {
            (ast::CmpOp::Eq, one @ Expr::StringLiteral(_)) => vec![one],
            (ast::CmpOp::In, Expr::Set(set)) => set.elts.iter().collect(),
            (ast::CmpOp::In, Expr::Tuple(tuple)) => tuple.elts.iter().collect(),
            (ast::CmpOp::In, Expr::List(list)) => list.elts.iter().collect(),
            _ => return None,
        };
        items
            .into_iter()
            .map(|item| match item {
                Expr::StringLiteral(text) => Some(text.value.to_str().into()),
                _ => None,
            })
            .collect()
    }

    fn attempt(&mut self, attempt: &StmtTry) {
        let before = self.imports.references.len();
        self.tries += 1;
        self.visit_body(&attempt.body);
        self.tries -= 1;
        let only_imports = attempt
            .body
            .iter()
            .all(|stmt| matches!(stmt, Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::Pass(_)));
        let tried: Vec<usize> = (before..self.imports.references.len()).collect();
        let id = self.imports.attempts.len() as u32;
        let guards = only_imports && !tried.is_empty();
        if guards {
            self.imports.attempts.push(tried);
        }
        for handler in &attempt.handlers {
            let ExceptHandler::ExceptHandler(handler) = handler;
            let outer = self.fallback_of;
            if guards && catches_import_error(handler.type_.as_deref()) {
                self.fallback_of = Some(id);
            }
            if let Some(type_) = &handler.type_ {
                self.visit_expr(type_);
            }
            self.tries += 1;
            self.visit_body(&handler.body);
            self.tries -= 1;
            self.fallback_of = outer;
        }
        self.visit_body(&attempt.orelse);
        self.visit_body(&attempt.finalbody);
    }

    fn assign(&mut self, targets: &[Expr], value: &Expr) {
        if let [Expr::Name(name)] = targets {
            if name.id.as_str() == "__all__" {
                self.export(value);
                return;
            }
            if self.depth == 0
                && !matches!(value, Expr::BooleanLiteral(_) | Expr::NumberLiteral(_))
                && let Some(outcome) = constants::decide(value, &self.context)
            {
                self.context.flags.insert(name.id.to_string(), outcome);
            }
            // `__module__ = "pkg.mod"` says where a thing pretends to live.
            if name.id.as_str() == "__module__" {
                return;
            }
        }
        for target in targets {
            self.bind_target(target);
            self.visit_expr(target);
        }
        self.visit_expr(value);
    }

    fn bind_target(&mut self, target: &Expr) {
        match target {
            Expr::Name(name) => self.bind(&name.id),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| self.bind_target(item)),
            Expr::List(list) => list.elts.iter().for_each(|item| self.bind_target(item)),
            _ => {}
        }
    }

    /// `__all__ = [...]`: what `import *` takes; naming it there is no use of
    /// it.
    fn export(&mut self, value: &Expr) {
        let items: &[Expr] = match value {
            Expr::List(list) => &list.elts,
            Expr::Tuple(tuple) => &tuple.elts,
            Expr::StringLiteral(text) => {
                self.imports.exports.insert(text.value.to_str().into());
                return;
            }
            other => return self.visit_expr(other),
        };
        for item in items {
            match item {
                Expr::StringLiteral(text) => {
                    self.imports.exports.insert(text.value.to_str().into());
                }
                other => self.visit_expr(other),
            }
        }
    }

    /// A table `{"name": ("pkg.mod", "attr"), ...}` of a file that may load
    /// lazily: what an entry loads waits for somebody to name the entry.
    fn table(&mut self, dict: &ast::ExprDict) {
        for item in &dict.items {
            match &item.key {
                Some(Expr::StringLiteral(key)) if is_identifier(key.value.to_str()) => {
                    self.text(key.value.to_str());
                    self.visit_expr(&item.value);
                }
                Some(key) => {
                    self.visit_expr(key);
                    self.visit_expr(&item.value);
                }
                None => self.visit_expr(&item.value),
            }
        }
    }

    /// A string that is neither a docstring nor the argument of a known call.
    fn text(&mut self, text: &str) {
        if text.len() > 200 || text.is_empty() {
            return;
        }
        if is_identifier(text) {
            self.mention(text);
            self.words.insert((self.scope, text.to_owned()));
        } else if !self.in_annotation {
            let path = text.strip_prefix("ext://").unwrap_or(text);
            if let Some(rest) = path.strip_prefix('.') {
                if is_dotted(rest.trim_start_matches('.')) {
                    self.words.insert((self.scope, path.to_owned()));
                }
            } else {
                let (module, attribute) = path.split_once(':').unwrap_or((path, "x"));
                if is_dotted(module) && is_dotted(attribute) {
                    // Each part may name what runs: `getattr(mod, "f")`.
                    for part in path.split(['.', ':']) {
                        self.mention(part);
                    }
                    self.refer(Target::Text(path.to_owned()));
                }
            }
        }
        // `"pkg.locale.%s"`, to be filled in later.
        if let Some(at) = text.find(".%s").or_else(|| text.find(".{"))
            && is_dotted(&text[..at])
        {
            self.packages.insert((self.scope, text[..at].to_owned()));
        }
        self.part(text);
    }

    /// A piece of text that may be the beginning or the end of a name:
    /// `"visit_" + x`, `"%s_open"`, `f"do_{x}"`.
    fn part(&mut self, text: &str) {
        let head = text.split(['%', '{']).next().unwrap_or_default();
        let tail = text.rsplit(['s', '}']).next().unwrap_or_default();
        let scope = &mut self.imports.scopes[self.scope as usize];
        if head.len() > 2 && head.ends_with('_') && is_identifier(head) {
            scope.prefixes.insert(head.into());
        }
        for tail in [text, tail] {
            if tail.len() > 2
                && tail.starts_with('_')
                && !tail.starts_with("__")
                && is_identifier(tail)
            {
                scope.suffixes.insert(tail.into());
            }
        }
    }

    fn package(&mut self, text: &Expr) {
        if let Some(package) = calls::package_before(text) {
            self.packages.insert((self.scope, package));
        }
        if let Some(suffix) = calls::suffix_after(text) {
            self.suffixes.push((self.scope, suffix));
        }
    }

    /// `getattr(self, "on" + name)`: the literal part is a beginning or an
    /// end, whether there is an underscore or not.
    fn computed_name(&mut self, name: &Expr) {
        let (head, tail) = calls::literal_ends(name);
        let scope = &mut self.imports.scopes[self.scope as usize];
        if let Some(head) = head.filter(|head| is_identifier(head)) {
            scope.prefixes.insert(head.into());
        }
        if let Some(tail) = tail.filter(|tail| is_identifier(&format!("x{tail}"))) {
            scope.suffixes.insert(tail.into());
        }
    }

    fn call(&mut self, call: &ast::ExprCall) {
        match &*call.func {
            // `__all__.extend([...])`, `__all__.append("x")`
            Expr::Attribute(method) if matches!(&*method.value, Expr::Name(name) if name.id.as_str() == "__all__") =>
            {
                for argument in &call.arguments.args {
                    self.export(argument);
                }
                return;
            }
            // The call of a builtin is told from other uses of its name.
            Expr::Name(name) if matches!(name.id.as_str(), "help" | "breakpoint") => {
                self.mention(&format!("{}()", name.id));
            }
            _ => {}
        }
        if calls::reads_own_source(call) {
            self.imports.reads_source = true;
        }
        let facts = calls::recognise(call, &self.context);
        match facts {
            Call::Plain => {
                self.arguments(call);
                return;
            }
            Call::NamesNothing => {
                self.visit_expr(&call.func);
                for argument in &call.arguments.args {
                    if !matches!(argument, Expr::StringLiteral(_)) {
                        self.visit_expr(argument);
                    }
                }
                for keyword in &call.arguments.keywords {
                    if !matches!(keyword.value, Expr::StringLiteral(_)) {
                        self.visit_expr(&keyword.value);
                    }
                }
                return;
            }
            Call::ComputedName(name) => self.computed_name(name),
            Call::Loads(targets) => {
                for target in targets {
                    self.refer(target);
                }
            }
            Call::ImportsComputed(targets) => {
                self.imports_computed = true;
                for target in targets {
                    self.refer(target);
                }
            }
            Call::ScansSiblings => self.imports.scans_siblings = true,
            Call::LazyTable(targets) => {
                self.lazy = true;
                for target in targets {
                    self.refer(target);
                }
            }
        }
        self.arguments(call);
    }
}

impl Walk {
    fn arguments(&mut self, call: &ast::ExprCall) {
        self.visit_expr(&call.func);
        self.visit_arguments(&call.arguments);
    }
}

impl<'a> Visitor<'a> for Walk {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::If(branch) => self.branch(branch),
            Stmt::Try(attempt) => self.attempt(attempt),
            Stmt::Assign(assign) => self.assign(&assign.targets, &assign.value),
            Stmt::AnnAssign(assign) => {
                self.visit_annotation(&assign.annotation);
                if let Some(value) = &assign.value {
                    self.assign(std::slice::from_ref(&assign.target), value);
                } else {
                    self.bind_target(&assign.target);
                }
            }
            Stmt::AugAssign(assign) if matches!(&*assign.target, Expr::Name(name) if name.id.as_str() == "__all__") =>
            {
                self.export(&assign.value);
            }
            // A docstring, or a string that is thrown away.
            Stmt::Expr(expr) if matches!(&*expr.value, Expr::StringLiteral(_)) => {}
            other => visitor::walk_stmt(self, other),
        }
    }

    fn visit_annotation(&mut self, expr: &'a Expr) {
        let before = std::mem::replace(&mut self.in_annotation, true);
        self.visit_expr(expr);
        self.in_annotation = before;
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        stacker::maybe_grow(128 << 10, 1 << 20, || match expr {
            Expr::Name(name) => {
                let text = name.id.as_str();
                if name.ctx != ast::ExprContext::Store {
                    self.mention(text);
                    if is_common(text) {
                        self.mention(&format!(".{text}"));
                    }
                    self.sees_own_place |= matches!(text, "__file__" | "__path__");
                }
            }
            Expr::Attribute(attribute) => {
                let name = attribute.attr.as_str();
                self.mention(name);
                if is_common(name)
                    && let Some(path) = constants::path(expr, &self.context.aliases)
                {
                    self.mention(&path);
                }
                if self.uses_six
                    && let Some(path) = constants::path(expr, &self.context.aliases)
                    && path.contains("six.moves.")
                {
                    self.refer(Target::Dynamic(path));
                }
                self.visit_expr(&attribute.value);
            }
            Expr::StringLiteral(text) => self.text(text.value.to_str()),
            Expr::BinOp(_) => {
                self.package(expr);
                visitor::walk_expr(self, expr);
            }
            Expr::FString(_) => {
                self.package(expr);
                if let Expr::FString(string) = expr {
                    for element in string.value.elements() {
                        if let InterpolatedStringElement::Literal(literal) = element {
                            self.part(&literal.value);
                        }
                    }
                }
                visitor::walk_expr(self, expr);
            }
            Expr::Call(call) => self.call(call),
            Expr::Dict(dict) => self.table(dict),
            Expr::Subscript(subscript)
                if matches!(&*subscript.slice, Expr::StringLiteral(_))
                    && is_sys_modules(&subscript.value) =>
            {
                self.visit_expr(&subscript.value);
            }
            Expr::Compare(compare)
                if matches!(&*compare.left, Expr::StringLiteral(_))
                    && compare.comparators.iter().all(is_sys_modules) => {}
            other => visitor::walk_expr(self, other),
        });
    }

    fn visit_string_literal(&mut self, text: &'a ast::StringLiteral) {
        // Parts of f-strings that are plain strings.
        self.part(&text.value);
    }
}

/// Names that a module gives to its own self-test or command line (`browse` is
/// the server of `pydoc -b`, and a word of every list of keywords). So many
/// things are called so that only `module.name`, or the bare name in the same
/// file (written `.name`), counts as a mention.
pub(super) fn is_common(name: &str) -> bool {
    matches!(
        name,
        "main" | "_main" | "cli" | "browse" | "test" | "_test" | "demo" | "_demo"
    )
}

fn is_sys_modules(expr: &Expr) -> bool {
    constants::path(expr, &Aliases::new()).is_some_and(|path| path == "sys.modules")
}

/// `__name__ == "__main__"`, either way round.
fn is_main_test(test: &Expr) -> bool {
    let Expr::Compare(compare) = test else {
        return false;
    };
    let [right] = &*compare.comparators else {
        return false;
    };
    let is_name = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id.as_str() == "__name__");
    let is_main = |expr: &Expr| matches!(expr, Expr::StringLiteral(text) if text.value.to_str() == "__main__");
    matches!(&*compare.ops, [ast::CmpOp::Eq])
        && ((is_name(&compare.left) && is_main(right))
            || (is_main(&compare.left) && is_name(right)))
}

fn catches_import_error(type_: Option<&Expr>) -> bool {
    match type_ {
        Some(Expr::Name(name)) => {
            matches!(name.id.as_str(), "ImportError" | "ModuleNotFoundError")
        }
        _ => false,
    }
}
