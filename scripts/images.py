#!/usr/bin/env python3
"""Shrinks what people really run, without flags, and checks fat and small.

    scripts/images.py [--whit PROGRAM] [--user NAME] [--jobs N] [--write FILE] [NAME…]

NAME is a folder below images/: a Dockerfile over a base image that
scripts/base-images.sh makes, and a checks.py. Each is built by Docker, shrunk by
`whit shrink` from the saved archive, and both images are run in Docker, where
checks.py asks the same of them. Prints a table; --write keeps it as Markdown.
--user runs whit as that unprivileged user; --jobs says how many images at a time (2). Exit code 1 if a check fails or an
image is not smaller, 2 if something could not be built.

checks.py has one generator:

    def checks(image):
        with image.serving(80) as app:
            answer = app.get("/")
            yield "the index", answer.status == 200 or answer

What is yielded is a name and True, or else the evidence of what was wrong.
An optional SHRINK = ["--start-timeout", "120"] gives flags, which have to be
explained there; LIMIT = 9.0 is the most MB (10^6 bytes) that the small one may have.
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "images"
# Two images may stand on the same base.
BASES = threading.Lock()
START_SECONDS = 60
CHECK_SECONDS = 60
LOG_SECONDS = 10


@dataclass
class Result:
    """How a program ended."""

    status: int
    out: str
    err: str


@dataclass
class Answer:
    """An HTTP answer; `body` is its text, `bytes` are its bytes."""

    status: int
    headers: dict
    bytes: bytes = field(repr=False)

    @property
    def body(self):
        return self.bytes.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.bytes)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def fields(answer):
    """Headers by name; those that come several times, as cookies do, a line each."""
    return {name: "\n".join(answer.headers.get_all(name)) for name in answer.headers}


class KeepRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class App:
    """A container that serves."""

    def __init__(self, container, port):
        self.container = container
        self.port = port

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def request(self, method, path, body=None, document=None, headers=None):
        """`document` is sent as JSON. Names of headers may be written with _ for -; redirects are not followed."""
        headers = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        if document is not None:
            body = json.dumps(document).encode()
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=body, headers=headers, method=method
        )
        opener = urllib.request.build_opener(KeepRedirects, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=CHECK_SECONDS) as answer:
                return Answer(answer.status, fields(answer), answer.read())
        except urllib.error.HTTPError as answer:
            return Answer(answer.code, fields(answer), answer.read())

    def exec(self, *args, options=()):
        """Runs a program in the container, as `docker exec` does."""
        return run("docker", "exec", *options, self.container, *args)

    def log(self):
        result = run("docker", "logs", self.container)
        return result.out + result.err

    def said(self, text):
        """True once the log has a text: an engine writes it a moment later."""
        end = time.monotonic() + LOG_SECONDS
        while text not in self.log() and time.monotonic() < end:
            time.sleep(0.1)
        return text in self.log()

    def stop(self):
        """Stops the container as its STOPSIGNAL says; gives its exit status."""
        run("docker", "stop", "--time", "20", self.container)
        return int(inspect(self.container, "{{.State.ExitCode}}"))

    def running(self):
        return inspect(self.container, "{{.State.Running}}") == "true"

    def health(self):
        return inspect(self.container, "{{.State.Health.Status}}")


class Image:
    """An image in Docker."""

    def __init__(self, reference):
        self.reference = reference
        described = json.loads(docker("image", "inspect", reference))[0]
        self.config = described["Config"]
        self.size = described["Size"]

    def run(self, *args, options=(), stdin="", entrypoint=None):
        """Runs a container to its end. `args` replace the command."""
        entry = ["--entrypoint", entrypoint] if entrypoint is not None else []
        return run(
            "docker", "run", "--rm", "--interactive", *entry, *options, self.reference, *args,
            stdin=stdin,
        )

    @contextlib.contextmanager
    def serving(self, port, *args, options=(), ready="/", seconds=START_SECONDS):
        """A container that listens on `port`: an HTTP answer to GET `ready` of any
        status is awaited, or with ready=None a TCP connection only, or with a
        function of the app, until it is true."""
        container = docker(
            "run", "--detach", "--publish", f"127.0.0.1::{port}", *options, self.reference, *args
        ).strip()
        try:
            published = docker("port", container, f"{port}/tcp").split()[0]
            app = App(container, int(published.rsplit(":", 1)[1]))
            await_ready(app, ready, seconds)
            yield app
        finally:
            run("docker", "rm", "--force", "--volumes", container)

    @contextlib.contextmanager
    def running(self, *args, options=()):
        """A container that listens on nothing."""
        container = docker("run", "--detach", *options, self.reference, *args).strip()
        try:
            yield App(container, None)
        finally:
            run("docker", "rm", "--force", "--volumes", container)


def await_ready(app, ready, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not app.running():
            raise RuntimeError(f"the container has ended: {app.log()[-2000:]}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if callable(ready):
                if ready(app):
                    return
            elif ready is not None:
                app.get(ready)
                return
            else:
                with socket.create_connection(("127.0.0.1", app.port), 2) as line:
                    line.settimeout(0.3)
                    # Docker's proxy accepts before the app listens, and hangs up.
                    with contextlib.suppress(TimeoutError):
                        if not line.recv(1):
                            raise OSError
                    return
        time.sleep(0.1)
    raise RuntimeError(f"not ready after {seconds} s: {app.log()[-2000:]}")


@contextlib.contextmanager
def volume():
    """A fresh volume of Docker, by name."""
    name = docker("volume", "create").strip()
    try:
        yield name
    finally:
        run("docker", "volume", "rm", "--force", name)


def run(*command, stdin=""):
    done = subprocess.run(
        command, input=stdin.encode(), capture_output=True, timeout=10 * CHECK_SECONDS
    )
    text = lambda data: data.decode("utf-8", "replace")
    return Result(done.returncode, text(done.stdout), text(done.stderr))


def docker(*args):
    result = run("docker", *args)
    if result.status != 0:
        raise RuntimeError(f"docker {args[0]} failed: {(result.err or result.out)[-2000:]}")
    return result.out


def inspect(container, template):
    return docker("inspect", "--format", template, container).strip()


@dataclass
class Row:
    name: str
    fat: int
    small: int
    gzip: int
    passed: int
    checks: int
    seconds: float
    problems: list


def judge(module, image):
    """Names of the checks that passed, and the problems of the others."""
    passed, problems = [], []
    try:
        for name, verdict in module.checks(image):
            if verdict is True:
                passed.append(name)
            else:
                problems.append(f"{name}: {verdict!r}")
    except Exception as error:
        problems.append(f"after {(passed or ['the start'])[-1]!r}: {error}")
    return passed, problems


def shrink(whit, user, archive, out, tag, flags, work):
    report = work / "report.json"
    command = [str(whit.resolve()), "shrink", f"docker-archive:{archive}", "-o", f"docker-archive:{out}:{tag}"]
    command += ["--report", str(report), *flags]
    if user:
        command = ["runuser", "-u", user, "--", *command]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, cwd=work)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise RuntimeError(f"whit shrink ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return json.loads(report.read_text()), seconds


def examine(name, options, work):
    spec = importlib.util.spec_from_file_location(f"checks_{name}", IMAGES / name / "checks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    fat_tag, small_tag = f"whit-images/{name}:fat", f"whit-images/{name}:small"
    bases = re.findall(r"^FROM (\S+)", (IMAGES / name / "Dockerfile").read_text(), re.MULTILINE)
    stages = re.findall(r"^FROM \S+ AS (\S+)", (IMAGES / name / "Dockerfile").read_text(), re.M | re.I)
    wanted = [base for base in bases if base != "scratch" and base not in stages]
    with BASES:
        subprocess.run([ROOT / "scripts/base-images.sh", *wanted], check=True, stdout=sys.stderr)
    docker("build", "--quiet", "--network", "host", "-t", fat_tag, str(IMAGES / name))
    archive, out = work / "fat.tar", work / "small.tar"
    docker("save", "--output", str(archive), fat_tag)
    archive.chmod(0o644)

    report, seconds = shrink(
        options.whit, options.user, archive, out, small_tag, getattr(module, "SHRINK", []), work
    )
    docker("load", "--quiet", "--input", str(out))
    fat, small = Image(fat_tag), Image(small_tag)
    passed, problems = judge(module, fat)
    problems = [f"fat: {problem}" for problem in problems]
    small_passed, small_problems = judge(module, small)
    problems += [f"small: {problem}" for problem in small_problems]
    limit = getattr(module, "LIMIT", None)
    if limit is not None and small.size > limit * 1e6:
        problems.append(f"{small.size / 1e6:.1f} MB are more than {limit} MB")
    if small.size >= fat.size:
        problems.append("the small image is not smaller")
    gzip = report["after"]["compressed"]
    total = max(len(passed), len(small_passed) + len(small_problems))
    return Row(name, fat.size, small.size, gzip, len(small_passed), total, seconds, problems)


def examine_apart(name, options):
    """Examines an image in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="whit-images-") as folder:
        work = Path(folder)
        if options.user:
            shutil.chown(work, options.user)
        return examine(name, options, work)


def table(rows):
    lines = [
        "| image | fat MB | small MB | gzip MB | checks | shrunk in s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row.name} | {row.fat / 1e6:.1f} | {row.small / 1e6:.1f} | {row.gzip / 1e6:.1f} "
            f"| {row.passed}/{row.checks} | {row.seconds:.1f} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whit", type=Path, default=ROOT / "target/release/whit")
    parser.add_argument("--user")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    names = options.names or sorted(path.parent.name for path in IMAGES.glob("*/checks.py"))
    os.environ["DOCKER_BUILDKIT"] = "0"
    sys.modules["images"] = sys.modules["__main__"]

    rows, failed = [], 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = [(name, pool.submit(examine_apart, name, options)) for name in names]
        for name, run in runs:
            try:
                row = run.result()
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed = 2
                continue
            rows.append(row)
            print(table([row]).splitlines()[-1], flush=True)
            for problem in row.problems:
                print(f"    {problem}", file=sys.stderr)
            failed = failed or bool(row.problems)
    print("\n" + table(rows))
    if options.write:
        page = (IMAGES / "README.md").read_text()
        Path(options.write).write_text(f"{page}\n{table(rows)}\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
