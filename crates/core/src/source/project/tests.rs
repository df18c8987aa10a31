//! Detection on small trees.

use super::*;
use crate::settings::Layers;

/// A project in a folder called `demo`.
struct Demo {
    _keep: tempfile::TempDir,
    path: PathBuf,
}

impl Demo {
    fn path(&self) -> &Path {
        &self.path
    }
}

fn folder(files: &[(&str, &str)]) -> Demo {
    let keep = tempfile::tempdir().unwrap();
    let demo = keep.path().join("demo");
    for (name, text) in files {
        let path = demo.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Demo {
        _keep: keep,
        path: demo,
    }
}

fn detected(files: &[(&str, &str)]) -> Result<Project, ProjectError> {
    let dir = folder(files);
    let read = || {
        Layers::new(Settings::default(), &BTreeMap::new(), dir.path())
            .unwrap()
            .merged()
    };
    let project = detect(dir.path(), &read(), None)?;

    // A file that says what was found changes nothing.
    std::fs::write(dir.path().join("whit.toml"), project.draft()).unwrap();
    let again = detect(dir.path(), &read(), None)?;
    let shown = |project: &Project| {
        let mut project = project.clone();
        project.detected.clear();
        // What is said of the command, and what of it is in other fields too.
        project.command.detected = again.command.detected.clone();
        project.command.ports.clear();
        project.command.env.clear();
        format!("{project:#?}")
    };
    assert_eq!(shown(&again), shown(&project), "{}", project.draft());
    Ok(project)
}

/// The whole command line, or the error and its hint.
fn command(files: &[(&str, &str)]) -> String {
    match detected(files) {
        Ok(project) => project.command.detected.value,
        Err(error) => format!("{error} | {}", error.hint().unwrap_or_default()),
    }
}

const FASTAPI: &str = "from fastapi import FastAPI\napp = FastAPI()\n";
const FLASK: &str = "from flask import Flask\napp = Flask(__name__)\n";
const GUARD: &str = "def main(): pass\nif __name__ == '__main__':\n    main()\n";

fn python(project: &Project) -> &PythonApp {
    match &project.language {
        Language::Python(app) => app,
        Language::Other(craft) => panic!("{}", craft.language),
    }
}

#[test]
fn commands() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        // Web applications and their servers.
        (
            &[
                ("app/main.py", FASTAPI),
                ("requirements.txt", "fastapi\nuvicorn[standard]\n"),
            ],
            "uvicorn app.main:app --host 0.0.0.0 --port 8000",
        ),
        (
            &[
                ("main.py", FASTAPI),
                ("requirements.txt", "fastapi[standard]\n"),
            ],
            "uvicorn main:app --host 0.0.0.0 --port 8000",
        ),
        (
            &[("app.py", FLASK), ("requirements.txt", "flask\ngunicorn\n")],
            "gunicorn app:app -b 0.0.0.0:8000",
        ),
        (
            &[("app.py", FLASK), ("requirements.txt", "flask\nwaitress\n")],
            "waitress-serve '--listen=0.0.0.0:8000' app:app",
        ),
        (
            &[("src/main.py", FASTAPI), ("requirements.txt", "uvicorn\n")],
            "uvicorn main:app --host 0.0.0.0 --port 8000 --app-dir src",
        ),
        (
            &[
                (
                    "src/main.py",
                    "from src.x import y\nfrom fastapi import FastAPI\napp = FastAPI()\n",
                ),
                ("requirements.txt", "uvicorn\n"),
            ],
            "uvicorn src.main:app --host 0.0.0.0 --port 8000",
        ),
        (
            &[
                (
                    "wsgi.py",
                    "from web import create_app\napplication = create_app()\n",
                ),
                (
                    "web/__init__.py",
                    "from flask import Flask\ndef create_app():\n    return Flask('x')\n",
                ),
                ("requirements.txt", "gunicorn\n"),
            ],
            "gunicorn wsgi:application -b 0.0.0.0:8000",
        ),
        (
            &[
                (
                    "web/__init__.py",
                    "from flask import Flask\ndef create_app():\n    return Flask('x')\n",
                ),
                ("requirements.txt", "gunicorn\n"),
            ],
            "gunicorn 'web:create_app()' -b 0.0.0.0:8000",
        ),
        (
            &[
                (
                    "service/app.py",
                    "import falcon\napplication = falcon.App()\n",
                ),
                ("requirements.txt", "falcon\ngunicorn\n"),
            ],
            "gunicorn service.app:application -b 0.0.0.0:8000",
        ),
        // Without a server.
        (
            &[
                ("main.py", &format!("{FASTAPI}{GUARD}")),
                ("requirements.txt", "fastapi\n"),
            ],
            "python main.py",
        ),
        // Django.
        (
            &[
                (
                    "manage.py",
                    "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n",
                ),
                (
                    "site1/wsgi.py",
                    "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
                ),
                ("requirements.txt", "django\ngunicorn\n"),
            ],
            "gunicorn site1.wsgi:application -b 0.0.0.0:8000",
        ),
        (
            &[("manage.py", "x = 1\n"), ("requirements.txt", "django\n")],
            "python manage.py runserver 0.0.0.0:8000 --noreload",
        ),
        // Scripts and modules.
        (&[("hello.py", GUARD)], "python hello.py"),
        (
            &[("demo.py", "print('x')\n"), ("other.py", "print('y')\n")],
            "python demo.py",
        ),
        (&[("__main__.py", ""), ("x.py", "")], "python ."),
        (
            &[("demo/__main__.py", ""), ("main.py", GUARD)],
            "python -m demo",
        ),
        (
            &[(
                "pyproject.toml",
                "[build-system]\nrequires = []\n[project]\nname = 'tool'\n[project.scripts]\ntl = 'tool:main'\n",
            )],
            "tl",
        ),
        (
            &[(
                "pyproject.toml",
                "[build-system]\nrequires = []\n[project]\nname = 'my_tool'\n[project.scripts]\na = 'x:y'\nmy-tool = 'x:z'\n",
            )],
            "my-tool",
        ),
        (
            &[(
                "pyproject.toml",
                "[tool.poetry]\nname = 'p'\nversion = '1'\n[tool.poetry.scripts]\nserve = 'p:main'\ntest = 'p:test'\n[build-system]\nrequires = []\n",
            )],
            "serve",
        ),
        // Files that say it.
        (
            &[
                (
                    "Procfile",
                    "release: x\nweb: gunicorn a:b --bind 0.0.0.0:$PORT\n",
                ),
                ("a.py", ""),
            ],
            "/bin/sh -c 'exec gunicorn a:b --bind 0.0.0.0:$PORT'",
        ),
        (
            &[
                (
                    "Dockerfile",
                    "FROM python:3.12\nCMD [\"poetry\", \"run\", \"python\", \"a.py\"]\n",
                ),
                ("a.py", ""),
            ],
            "python a.py",
        ),
        (
            &[
                (
                    "Dockerfile",
                    "FROM python:3.12\nENTRYPOINT [\"python\"]\nCMD [\"a.py\"]\n",
                ),
                ("a.py", ""),
                ("main.py", GUARD),
            ],
            "python a.py",
        ),
        (
            &[
                ("Dockerfile", "FROM python:3.12\nCMD [\"bash\"]\n"),
                ("main.py", GUARD),
            ],
            "python main.py",
        ),
        (
            &[
                ("whit.toml", "command = 'python other.py'\n"),
                ("main.py", GUARD),
                ("Procfile", "web: x\n"),
            ],
            "python other.py",
        ),
        (
            &[
                ("pyproject.toml", "[tool.whit]\nentrypoint = ['a', 'b c']\n"),
                ("main.py", GUARD),
            ],
            "a 'b c'",
        ),
    ];
    for (files, wanted) in cases {
        assert_eq!(command(files), *wanted, "{files:?}");
    }
}

#[test]
fn no_command_shows_the_command_to_type() {
    let text = command(&[("main.py", FASTAPI), ("requirements.txt", "fastapi\n")]);
    assert!(text.contains("no server (uvicorn)"), "{text}");
    assert!(text.contains("-- uvicorn main:app --host"), "{text}");
    let text = command(&[("lib.py", "def f(): pass\n"), ("b.py", "")]);
    assert!(text.contains("demo -- python b.py"), "{text}");
    let text = command(&[(
        "pyproject.toml",
        "[build-system]\nrequires = []\n[project]\nname = 'x'\n[project.scripts]\na = 'x:y'\nb = 'x:z'\n",
    )]);
    assert!(
        text.contains("a, b") && text.contains("demo -- a"),
        "{text}"
    );
    let text = command(&[("package.json", "{}")]);
    assert!(text.contains("no project in"), "{text}");
}

#[test]
fn the_dockerfile_gives_the_rest() {
    let project = detected(&[
        ("app/main.py", FASTAPI),
        ("run.sh", "#!/usr/bin/env bash\nexec \"$@\"\n"),
        ("requirements.txt", "fastapi\nuvicorn\n"),
        (
            "Dockerfile",
            "FROM python:3.13-slim\nENV MODE=prod PIP_NO_CACHE_DIR=1 PATH=/code/bin:$PATH\nWORKDIR /code\nCOPY ./app /code/app\nCOPY run.sh .\nEXPOSE 80\nUSER web\nENTRYPOINT [\"./run.sh\"]\nCMD [\"uvicorn\", \"app.main:app\", \"--port\", \"80\"]\n",
        ),
    ])
    .unwrap();
    assert_eq!(python(&project).python.suite, Some("trixie"));
    assert_eq!(project.workdir.to_string(), "/code");
    assert_eq!(project.account.id(), "65532:65532");
    assert_eq!(project.account.name, "web");
    assert_eq!(project.debian, ["bash"]);
    let config = project.image_config("amd64", true);
    assert_eq!(config.entrypoint(), ["./run.sh"]);
    assert_eq!(config.exposed_ports(), [80]);
    let env: Vec<String> = config
        .env()
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(
        env,
        [
            "PATH=/opt/venv/bin:/code/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "MODE=prod",
            "PYTHONDONTWRITEBYTECODE=1",
            "PYTHONUNBUFFERED=1",
            "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
        ]
    );
}

#[test]
fn dockerfile_places_the_files() {
    let dir = folder(&[
        ("app/main.py", FASTAPI),
        ("notes.md", ""),
        ("requirements.txt", "uvicorn\n"),
        (
            "Dockerfile",
            "FROM python:3.11\nWORKDIR /code\nCOPY requirements.txt /tmp/\nCOPY ./app ./app\nCMD [\"uvicorn\", \"app.main:app\"]\n",
        ),
    ]);
    let project = detect(dir.path(), &Settings::default(), None).unwrap();
    let places: Vec<String> = project
        .files(&[])
        .unwrap()
        .placed
        .iter()
        .map(|one| one.inside.to_string())
        .collect();
    assert_eq!(places, ["/code/app", "/code/app/main.py"]);
}

#[test]
fn a_single_script() {
    let dir = folder(&[
        (
            "tool.py",
            "#!/usr/bin/env python3\n# /// script\n# requires-python = \">=3.12\"\n# dependencies = [\"requests<3\"]\n# ///\nprint(1)\n",
        ),
        ("other.py", ""),
    ]);
    let project = detect(&dir.path().join("tool.py"), &Settings::default(), None).unwrap();
    assert_eq!(project.name, "tool");
    assert_eq!(python(&project).python.version, "3.13");
    assert_eq!(
        python(&project).requirements,
        Requirements::Lines(vec!["requests<3".into()])
    );
    assert_eq!(project.command.detected.value, "python tool.py");
    let files = project.files(&[]).unwrap().placed;
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].inside.to_string(), "/app/tool.py");
    let text = dir.path().join("x.txt");
    std::fs::write(&text, "").unwrap();
    assert!(detect(&text, &Settings::default(), None).is_err());
    assert!(detect(&dir.path().join("none"), &Settings::default(), None).is_err());
}

#[test]
fn every_decision_has_a_line() {
    let project = detected(&[
        ("app/main.py", FASTAPI),
        ("requirements.txt", "fastapi\nuvicorn\n"),
    ])
    .unwrap();
    let lines: Vec<String> = project
        .detected
        .iter()
        .map(|line| format!("{}: {} because {}", line.what, line.value, line.because))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    python: 3.11 (Debian bookworm) because every requirement allows it, and nearly every wheel is built for it
    dependencies: requirements.txt because it is there
    command: uvicorn app.main:app --host 0.0.0.0 --port 8000 because app/main.py makes a FastAPI object and uvicorn is a dependency
    port: 8000/tcp because the command listens there
    user: 65532:65532 (nonroot) because an image need not run as root; `user` changes it
    ");
}
