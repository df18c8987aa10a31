//! What one Python file would do: which web applications it makes, and
//! whether it runs something when it is started.

use std::collections::BTreeMap;

use ruff_python_ast::{Expr, Parameters, Stmt, StmtFunctionDef};
use ruff_python_parser::parse_module;

/// Larger files are generated, not written to be started, bytes.
const MAX_SOURCE: usize = 1 << 20;

/// The stack for parsing, bytes: the parser grows it by itself, but a tree
/// that is nested a million deep is also torn down recursively.
const STACK: usize = 512 << 20;

/// How a web application is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    Asgi,
    Wsgi,
}

/// What a name at a module's top level is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// A web application. `made_by` is the class or function that makes it:
    /// `FastAPI`.
    App {
        interface: Interface,
        made_by: String,
    },
    /// A function without required parameters that returns one.
    Factory {
        interface: Interface,
        made_by: String,
    },
    /// The same thing as `name` of another module.
    Alias { module: String, name: String },
    /// What a call of `name` of another module returns.
    CallOf { module: String, name: String },
}

/// The facts of one file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ModuleFacts {
    /// By name, in the order of the file.
    pub bindings: Vec<(String, Binding)>,
    /// It has `if __name__ == "__main__":`.
    pub main_guard: bool,
    /// It does something at top level besides defining: a call, a loop.
    pub acts: bool,
    /// The first components of everything it imports, absolute imports only.
    pub imports: Vec<String>,
    /// `DJANGO_SETTINGS_MODULE` set by `os.environ.setdefault`.
    pub django_settings: Option<String>,
}

/// Reads a file's text; `None` if it is no Python. `module` is its dotted
/// name and `is_package` tells if it is an `__init__.py`: relative imports are
/// resolved against them.
pub fn read(source: &str, module: &str, is_package: bool) -> Option<ModuleFacts> {
    with_syntax(source, |body| facts(body, module, is_package))
}

/// Parses `source` and hands its statements to `read`, on a stack that is deep
/// enough for whatever is in the file.
pub fn with_syntax<T: Send>(source: &str, read: impl FnOnce(&[Stmt]) -> T + Send) -> Option<T> {
    if source.len() > MAX_SOURCE {
        return None;
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || {
                let parsed = parse_module(source).ok()?;
                Some(read(&parsed.syntax().body))
            })
            .ok()?
            .join()
            .ok()
            .flatten()
    })
}

/// Everything that makes an application object.
const MAKERS: &[(&str, Interface)] = &[
    ("fastapi.FastAPI", Interface::Asgi),
    ("fastapi.applications.FastAPI", Interface::Asgi),
    ("starlette.applications.Starlette", Interface::Asgi),
    ("falcon.asgi.App", Interface::Asgi),
    ("quart.Quart", Interface::Asgi),
    ("litestar.Litestar", Interface::Asgi),
    ("blacksheep.Application", Interface::Asgi),
    ("django.core.asgi.get_asgi_application", Interface::Asgi),
    ("channels.routing.ProtocolTypeRouter", Interface::Asgi),
    ("connexion.AsyncApp", Interface::Asgi),
    ("socketio.ASGIApp", Interface::Asgi),
    ("flask.Flask", Interface::Wsgi),
    ("apiflask.APIFlask", Interface::Wsgi),
    ("falcon.App", Interface::Wsgi),
    ("falcon.API", Interface::Wsgi),
    ("bottle.Bottle", Interface::Wsgi),
    ("bottle.default_app", Interface::Wsgi),
    ("bottle.app", Interface::Wsgi),
    ("django.core.wsgi.get_wsgi_application", Interface::Wsgi),
    ("connexion.FlaskApp", Interface::Wsgi),
    ("pyramid.config.Configurator.make_wsgi_app", Interface::Wsgi),
];

fn facts(body: &[Stmt], module: &str, is_package: bool) -> ModuleFacts {
    let mut reader = Reader {
        module,
        is_package,
        names: BTreeMap::new(),
        facts: ModuleFacts::default(),
    };
    reader.block(body);
    reader.facts.imports.sort();
    reader.facts.imports.dedup();
    reader.facts
}

struct Reader<'a> {
    module: &'a str,
    is_package: bool,
    /// What each imported name stands for, dotted.
    names: BTreeMap<String, String>,
    facts: ModuleFacts,
}

impl Reader<'_> {
    /// The statements that run when the module is loaded, `try` and `if`
    /// included.
    fn block(&mut self, body: &[Stmt]) {
        // Blocks nest as deep as the source does; each level here is a
        // level of indentation, and the source is at most MAX_SOURCE long.
        for statement in body {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let dotted = alias.name.as_str();
                    let first = dotted.split('.').next().unwrap_or_default();
                    self.facts.imports.push(first.to_owned());
                    match &alias.asname {
                        Some(name) => self.names.insert(name.to_string(), dotted.to_owned()),
                        None => self.names.insert(first.to_owned(), first.to_owned()),
                    };
                }
            }
            Stmt::ImportFrom(import) => {
                let from = self.absolute(
                    import.module.as_ref().map(|module| module.as_str()),
                    import.level,
                );
                if import.level == 0
                    && let Some(first) = from.split('.').next()
                {
                    self.facts.imports.push(first.to_owned());
                }
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name).to_string();
                    self.names
                        .insert(bound.clone(), format!("{from}.{}", alias.name));
                    self.bind(
                        bound,
                        Binding::Alias {
                            module: from.clone(),
                            name: alias.name.to_string(),
                        },
                    );
                }
            }
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    if let Expr::Name(name) = target {
                        self.assign(name.id.as_str(), &assign.value);
                    }
                }
            }
            Stmt::AnnAssign(assign) => {
                if let (Expr::Name(name), Some(value)) = (&*assign.target, &assign.value) {
                    self.assign(name.id.as_str(), value);
                }
            }
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::If(branch) => {
                if is_main_guard(&branch.test) {
                    self.facts.main_guard = true;
                } else {
                    self.block(&branch.body);
                    for clause in &branch.elif_else_clauses {
                        self.block(&clause.body);
                    }
                }
            }
            Stmt::Try(block) => {
                self.block(&block.body);
                self.block(&block.orelse);
                self.block(&block.finalbody);
            }
            Stmt::With(with) => {
                self.facts.acts = true;
                self.block(&with.body);
            }
            Stmt::For(_) | Stmt::While(_) => self.facts.acts = true,
            Stmt::Expr(expression) => {
                if let Expr::Call(call) = &*expression.value {
                    self.django(call);
                    // Set-up calls (`logging.basicConfig()`, `app.mount()`) are
                    // no reason to start a file; a bare name or a `run` is.
                    self.facts.acts |= match &*call.func {
                        Expr::Name(_) => true,
                        Expr::Attribute(attribute) => {
                            matches!(
                                attribute.attr.as_str(),
                                "run"
                                    | "main"
                                    | "serve"
                                    | "serve_forever"
                                    | "start"
                                    | "exit"
                                    | "cli"
                            )
                        }
                        _ => true,
                    };
                }
            }
            _ => {}
        }
    }

    fn assign(&mut self, name: &str, value: &Expr) {
        let binding = match value {
            Expr::Call(call) => self.call(&call.func),
            // `application = app`
            Expr::Name(other) => self.binding(other.id.as_str()).cloned(),
            _ => None,
        };
        // `app = Wrapper(app)`: what it was before, it still is in kind.
        let wraps = match value {
            Expr::Call(call) => call
                .arguments
                .args
                .iter()
                .any(|arg| matches!(arg, Expr::Name(arg) if arg.id.as_str() == name)),
            _ => false,
        };
        match binding {
            Some(binding @ Binding::App { .. }) => self.bind(name.to_owned(), binding),
            _ if wraps && self.binding(name).is_some() => {}
            Some(binding) => self.bind(name.to_owned(), binding),
            None => self.facts.bindings.retain(|(known, _)| known != name),
        }
    }

    /// What the call of `function` makes.
    fn call(&self, function: &Expr) -> Option<Binding> {
        let dotted = self.dotted(function)?;
        let made_by = dotted.rsplit('.').next().unwrap_or_default().to_owned();
        if let Some((_, interface)) = MAKERS.iter().find(|(maker, _)| *maker == dotted) {
            return Some(Binding::App {
                interface: *interface,
                made_by,
            });
        }
        // `Configurator(...).make_wsgi_app()`, `config.make_wsgi_app()`
        if made_by == "make_wsgi_app" {
            return Some(Binding::App {
                interface: Interface::Wsgi,
                made_by,
            });
        }
        if let Expr::Name(name) = function
            && let Some(Binding::Factory { interface, made_by }) = self.binding(name.id.as_str())
        {
            return Some(Binding::App {
                interface: *interface,
                made_by: made_by.clone(),
            });
        }
        let (module, name) = dotted.rsplit_once('.')?;
        let root = function_root(function)?;
        self.names.contains_key(root).then(|| Binding::CallOf {
            module: module.to_owned(),
            name: name.to_owned(),
        })
    }

    fn function(&mut self, function: &StmtFunctionDef) {
        let name = function.name.as_str();
        let binding = if is_wsgi_callable(function) {
            Some(Binding::App {
                interface: Interface::Wsgi,
                made_by: "function".to_owned(),
            })
        } else if is_asgi_callable(function) {
            Some(Binding::App {
                interface: Interface::Asgi,
                made_by: "function".to_owned(),
            })
        } else {
            self.factory(function)
        };
        if let Some(binding) = binding {
            self.bind(name.to_owned(), binding);
        }
    }

    /// A function that can be called without arguments, is named like one
    /// that makes an app, and makes one.
    fn factory(&self, function: &StmtFunctionDef) -> Option<Binding> {
        let known = [
            "create_app",
            "make_app",
            "get_app",
            "app_factory",
            "build_app",
            "create_application",
            "get_application",
        ];
        if !known.contains(&function.name.as_str())
            || function.is_async
            || !callable_without_arguments(&function.parameters)
        {
            return None;
        }
        let mut inner = Reader {
            module: self.module,
            is_package: self.is_package,
            names: self.names.clone(),
            facts: ModuleFacts::default(),
        };
        inner.block(&function.body);
        let returned = function.body.iter().find_map(|statement| match statement {
            Stmt::Return(returned) => match returned.value.as_deref()? {
                Expr::Call(call) => inner.call(&call.func),
                Expr::Name(name) => inner.binding(name.id.as_str()).cloned(),
                _ => None,
            },
            _ => None,
        });
        match returned {
            Some(Binding::App { interface, made_by }) => {
                Some(Binding::Factory { interface, made_by })
            }
            _ => None,
        }
    }

    /// `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")`
    fn django(&mut self, call: &ruff_python_ast::ExprCall) {
        let [Expr::StringLiteral(key), Expr::StringLiteral(value)] = &*call.arguments.args else {
            return;
        };
        if key.value.to_str() == "DJANGO_SETTINGS_MODULE" {
            self.facts.django_settings = Some(value.value.to_str().to_owned());
        }
    }

    fn bind(&mut self, name: String, binding: Binding) {
        self.facts.bindings.retain(|(known, _)| *known != name);
        self.facts.bindings.push((name, binding));
    }

    fn binding(&self, name: &str) -> Option<&Binding> {
        self.facts
            .bindings
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, binding)| binding)
    }

    /// `falcon.asgi.App` of the expression `asgi.App` after
    /// `from falcon import asgi`.
    fn dotted(&self, expression: &Expr) -> Option<String> {
        let mut parts = Vec::new();
        let mut here = expression;
        loop {
            match here {
                Expr::Attribute(attribute) => {
                    parts.push(attribute.attr.to_string());
                    here = &attribute.value;
                }
                Expr::Name(name) => {
                    let name = name.id.as_str();
                    parts.push(
                        self.names
                            .get(name)
                            .cloned()
                            .unwrap_or_else(|| name.to_owned()),
                    );
                    break;
                }
                // `Configurator().make_wsgi_app()`
                Expr::Call(call) => here = &call.func,
                _ => return None,
            }
        }
        parts.reverse();
        Some(parts.join("."))
    }

    fn absolute(&self, module: Option<&str>, level: u32) -> String {
        let module = module.unwrap_or_default();
        if level == 0 {
            return module.to_owned();
        }
        let mut parts: Vec<&str> = self.module.split('.').collect();
        let up = level as usize - usize::from(self.is_package);
        parts.truncate(parts.len().saturating_sub(up));
        if !module.is_empty() {
            parts.push(module);
        }
        parts.join(".")
    }
}

fn function_root(expression: &Expr) -> Option<&str> {
    let mut here = expression;
    loop {
        match here {
            Expr::Attribute(attribute) => here = &attribute.value,
            Expr::Call(call) => here = &call.func,
            Expr::Name(name) => return Some(name.id.as_str()),
            _ => return None,
        }
    }
}

fn is_main_guard(test: &Expr) -> bool {
    let Expr::Compare(compare) = test else {
        return false;
    };
    let is_name = |e: &Expr| matches!(e, Expr::Name(name) if name.id.as_str() == "__name__");
    let is_main =
        |e: &Expr| matches!(e, Expr::StringLiteral(text) if text.value.to_str() == "__main__");
    match &*compare.comparators {
        [right] => {
            (is_name(&compare.left) && is_main(right)) || (is_main(&compare.left) && is_name(right))
        }
        _ => false,
    }
}

fn positional(parameters: &Parameters) -> Vec<&str> {
    parameters
        .posonlyargs
        .iter()
        .chain(&parameters.args)
        .map(|parameter| parameter.parameter.name.as_str())
        .collect()
}

fn is_wsgi_callable(function: &StmtFunctionDef) -> bool {
    !function.is_async
        && matches!(
            positional(&function.parameters)[..],
            [env, start] if env.starts_with("env") && start.starts_with("start")
        )
}

fn is_asgi_callable(function: &StmtFunctionDef) -> bool {
    function.is_async && positional(&function.parameters) == ["scope", "receive", "send"]
}

fn callable_without_arguments(parameters: &Parameters) -> bool {
    parameters
        .posonlyargs
        .iter()
        .chain(&parameters.args)
        .chain(&parameters.kwonlyargs)
        .all(|parameter| parameter.default.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(source: &str, name: &str) -> Option<Binding> {
        read(source, "pkg.main", false)
            .unwrap()
            .bindings
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, binding)| binding)
    }

    fn app(interface: Interface, made_by: &str) -> Option<Binding> {
        Some(Binding::App {
            interface,
            made_by: made_by.to_owned(),
        })
    }

    #[test]
    fn applications_in_every_spelling() {
        use Interface::{Asgi, Wsgi};
        for (source, name, interface, made_by) in [
            (
                "from fastapi import FastAPI\napp = FastAPI()",
                "app",
                Asgi,
                "FastAPI",
            ),
            (
                "import fastapi as f\napi: f.FastAPI = f.FastAPI()",
                "api",
                Asgi,
                "FastAPI",
            ),
            (
                "import falcon.asgi\napp = falcon.asgi.App()",
                "app",
                Asgi,
                "App",
            ),
            (
                "from falcon import asgi\napp = asgi.App()",
                "app",
                Asgi,
                "App",
            ),
            ("import falcon\napp = falcon.App()", "app", Wsgi, "App"),
            (
                "from flask import Flask\ntry:\n  app = Flask('x')\nexcept E:\n  pass",
                "app",
                Wsgi,
                "Flask",
            ),
            (
                "from flask import Flask\nif X:\n  app = Flask('x')",
                "app",
                Wsgi,
                "Flask",
            ),
            (
                "from flask import Flask\napp = Flask('x')\napplication = app",
                "application",
                Wsgi,
                "Flask",
            ),
            (
                "from flask import Flask\ndef create_app(x=1):\n  a = Flask('x')\n  return a\napp = create_app()",
                "app",
                Wsgi,
                "Flask",
            ),
            (
                "import bottle\napp = bottle.Bottle()",
                "app",
                Wsgi,
                "Bottle",
            ),
            (
                "def application(environ, start_response): pass",
                "application",
                Wsgi,
                "function",
            ),
            (
                "async def app(scope, receive, send): pass",
                "app",
                Asgi,
                "function",
            ),
            (
                "from pyramid.config import Configurator\nwith Configurator() as c:\n  app = c.make_wsgi_app()",
                "app",
                Wsgi,
                "make_wsgi_app",
            ),
            (
                "from fastapi import FastAPI\nimport m\napp = FastAPI()\napp = m.Wrap(app)",
                "app",
                Asgi,
                "FastAPI",
            ),
        ] {
            assert_eq!(binding(source, name), app(interface, made_by), "{source}");
        }
    }

    #[test]
    fn what_leads_elsewhere() {
        assert_eq!(
            binding("from .factory import create_app\napp = create_app()", "app"),
            Some(Binding::CallOf {
                module: "pkg.factory".into(),
                name: "create_app".into()
            })
        );
        assert_eq!(
            binding("from web import app as application", "application"),
            Some(Binding::Alias {
                module: "web".into(),
                name: "app".into()
            })
        );
        assert_eq!(binding("app = Flask()", "app"), None);
        assert_eq!(
            binding(
                "from flask import Flask\ndef create_app(config): return Flask()",
                "create_app"
            ),
            None
        );
        assert_eq!(
            binding(
                "from flask import Flask\ndef create_app(): return Flask()",
                "create_app"
            ),
            Some(Binding::Factory {
                interface: Interface::Wsgi,
                made_by: "Flask".into()
            })
        );
    }

    #[test]
    fn what_a_start_would_do() {
        let facts = |source: &str| read(source, "m", false).unwrap();
        assert!(facts("if __name__ == '__main__':\n  f()").main_guard);
        assert!(facts("if '__main__' == __name__: f()").main_guard);
        assert!(facts("print('x')").acts);
        assert!(facts("import asyncio\nasyncio.run(f())").acts);
        assert!(facts("while True: pass").acts);
        assert!(!facts("'''doc'''\nimport x\nx.configure()\ndef f(): print()").acts);
        assert_eq!(
            facts("import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'a.b')")
                .django_settings
                .as_deref(),
            Some("a.b")
        );
    }

    #[test]
    fn what_is_no_python_and_what_is_too_deep() {
        assert_eq!(read("def (", "m", false), None);
        assert!(read(&format!("x = {}1", "-".repeat(100_000)), "m", false).is_some());
        let _ = read(&"(".repeat(100_000), "m", false);
        let nested = format!("{}x", "if x:".repeat(3).replace(":", ":\n "));
        let _ = read(&nested, "m", false);
    }
}
