//! Servers that run a web application, and how each is started.

use std::collections::BTreeSet;

use super::module::Interface;

/// The port that a server gets when nobody names one.
pub const PORT: u16 = 8000;

/// A web application as a server names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebApp {
    /// `app.main`.
    pub module: String,
    /// `app`, or the name of the function that makes it.
    pub object: String,
    pub factory: bool,
    pub interface: Interface,
    /// `FastAPI`.
    pub made_by: String,
    /// The file, relative to the project.
    pub file: String,
    /// A folder that must be on the module search path besides the working
    /// directory: `src`.
    pub folder: Option<&'static str>,
}

/// The name of the server among the dependencies that fits, and its command.
pub fn command(
    app: &WebApp,
    dependencies: &BTreeSet<String>,
) -> Option<(&'static str, Vec<String>)> {
    let known: &[&'static str] = match app.interface {
        Interface::Asgi => &["uvicorn", "hypercorn", "granian", "daphne"],
        Interface::Wsgi => &["gunicorn", "waitress", "uwsgi", "granian", "hypercorn"],
    };
    known
        .iter()
        .filter(|server| dependencies.contains(**server))
        .find_map(|server| Some((*server, words(server, app)?)))
}

/// What would have to be a dependency.
pub fn wanted(interface: Interface) -> &'static str {
    match interface {
        Interface::Asgi => "uvicorn",
        Interface::Wsgi => "gunicorn",
    }
}

fn words(server: &str, app: &WebApp) -> Option<Vec<String>> {
    let plain = format!("{}:{}", app.module, app.object);
    let called = match app.factory {
        true => format!("{plain}()"),
        false => plain.clone(),
    };
    let port = PORT.to_string();
    let all = format!("0.0.0.0:{PORT}");
    let text: Vec<&str> = match server {
        "uvicorn" => {
            let mut words = vec!["uvicorn", &plain, "--host", "0.0.0.0", "--port", &port];
            words.extend(app.factory.then_some("--factory"));
            words.extend(app.folder.iter().flat_map(|folder| ["--app-dir", *folder]));
            words
        }
        "gunicorn" => {
            let mut words = vec!["gunicorn", &called, "-b", &all];
            words.extend(
                app.folder
                    .iter()
                    .flat_map(|folder| ["--pythonpath", *folder]),
            );
            words
        }
        // The others cannot be told of a folder.
        _ if app.folder.is_some() => return None,
        "hypercorn" => vec!["hypercorn", &called, "--bind", &all],
        "granian" => {
            let interface = match app.interface {
                Interface::Asgi => "asgi",
                Interface::Wsgi => "wsgi",
            };
            let mut words = vec!["granian", "--interface", interface];
            words.extend(app.factory.then_some("--factory"));
            words.extend(["--host", "0.0.0.0", "--port", &port, &plain]);
            words
        }
        "daphne" if !app.factory => vec!["daphne", "-b", "0.0.0.0", "-p", &port, &plain],
        "waitress" => {
            let listen = format!("--listen={all}");
            let mut words = vec!["waitress-serve".to_owned(), listen];
            words.extend(app.factory.then(|| "--call".to_owned()));
            words.push(plain);
            return Some(words);
        }
        "uwsgi" => vec!["uwsgi", "--http", &all, "--master", "--module", &called],
        _ => return None,
    };
    Some(text.into_iter().map(str::to_owned).collect())
}
