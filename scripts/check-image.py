#!/usr/bin/env python3
"""Runs an image in Docker and puts an example's checks to it.

    scripts/check-image.py [--strict [--no-tmp]] [--without MODULE] ARCHIVE EXAMPLE
    scripts/check-image.py --venv DIR EXAMPLE

EXAMPLE is a folder below examples/; its checks.toml says what to ask and what
must come back. With --strict the container has a read-only root, a tmpfs at
/tmp, no capabilities and the user 65532; with --no-tmp nothing at /tmp, and
TMPDIR=/dev/shm for apps that make temporary files by themselves. With --without
the checks that need a module are left out. With --venv the example itself is run,
by the programs in DIR/bin and without Docker. Prints a line for each check;
exit code 1 if one fails, 2 if the image could not be started at all.

A check is a table [[check]]:

    name, kind     "http" or "exec"
    http           method (GET), path, headers, json or body
    exec           args (behind the image's own command), env, stdin
    status         of the answer (200) or of the process (0)
    contains       texts in the body or on stdout; stderr: texts there
    probed         false for what automatic probing does not ask for
    needs          a module, such as ssl, that can be left out of an image
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
START_SECONDS = 30
CHECK_SECONDS = 60
STRICT = ["--user", "65532", "--read-only", "--cap-drop", "ALL"]
WITH_TMP = ["--tmpfs", "/tmp"]
# For what asks for temporary files by itself: Docker's own memory file system.
WITHOUT_TMP = ["--env=TMPDIR=/dev/shm"]


class Unusable(Exception):
    """The image or the surroundings are at fault, not a single check."""


class DockerImage:
    """An image in Docker, started as it says itself."""

    def __init__(self, archive, strict, tmp):
        self.options = STRICT + (WITH_TMP if tmp else WITHOUT_TMP) if strict else []
        loaded = docker("load", "--quiet", "--input", archive)
        match = re.search(r"Loaded image(?: ID)?: (\S+)", loaded)
        if not match:
            raise Unusable(f"docker load said {loaded!r}")
        self.image = match[1]
        config = json.loads(docker("image", "inspect", self.image))[0]["Config"]
        # Behind an entry point, arguments replace the command.
        self.prefix = [] if config.get("Entrypoint") else config.get("Cmd") or []

    def execute(self, args, env, stdin):
        words = self.prefix + args if args else []
        variables = [f"--env={name}={value}" for name, value in env.items()]
        return run(
            ["docker", "run", "--rm", "--interactive", *self.options, *variables, self.image, *words],
            stdin,
        )

    @contextlib.contextmanager
    def serving(self, port):
        container = docker(
            "run", "--detach", *self.options, "--publish", f"127.0.0.1::{port}", self.image
        ).strip()
        try:
            published = docker("port", container, f"{port}/tcp").split()[0]
            yield int(published.rsplit(":", 1)[1]), lambda: self.trouble(container)
        finally:
            docker("rm", "--force", "--volumes", container)

    def trouble(self, container):
        """The log of a container that has ended, None while it runs."""
        state = docker("inspect", "--format", "{{.State.Running}}", container).strip()
        if state == "true":
            return None
        return run(["docker", "logs", container], "", merge=True).stdout


class Local:
    """The example's own files, run by the programs of a virtual environment."""

    def __init__(self, venv, example, image):
        self.folder = EXAMPLES / example
        self.command = image.get("entrypoint", []) + image.get("cmd", [])
        self.command = [word.replace("/app/", f"{self.folder}/") for word in self.command]
        path = f"{Path(venv).resolve()}/bin:/usr/bin:/bin"
        self.env = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        self.command[0] = subprocess.run(
            ["/bin/sh", "-c", 'command -v "$0"', self.command[0]],
            env=self.env, capture_output=True, text=True,
        ).stdout.strip() or self.command[0]

    def execute(self, args, env, stdin):
        return run(self.command + args, stdin, cwd=self.folder, env=self.env | env)

    @contextlib.contextmanager
    def serving(self, port):
        log = Path(os.environ.get("TMPDIR", "/tmp")) / f"check-image-{os.getpid()}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.env, stdout=out, stderr=out
            )
        try:
            yield port, lambda: None if process.poll() is None else log.read_text()
        finally:
            process.terminate()
            process.wait(10)
            log.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--no-tmp", action="store_true")
    parser.add_argument("--without", metavar="MODULE")
    parser.add_argument("--venv", metavar="DIR")
    parser.add_argument("archive", nargs="?")
    parser.add_argument("example")
    options = parser.parse_args()
    if bool(options.venv) == bool(options.archive):
        parser.error("give either an archive or --venv DIR")
    document = tomllib.loads((EXAMPLES / options.example / "checks.toml").read_text())
    checks, image = document["check"], document["image"]
    checks = [check for check in checks if check.get("needs", "") != options.without]
    try:
        if options.venv:
            target = Local(options.venv, options.example, image)
        else:
            target = DockerImage(options.archive, options.strict, not options.no_tmp)
        failed = sum(not ok for ok in results(target, checks, image))
    except Unusable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


def results(target, checks, image):
    """Runs every check in order, services' on one container, and prints."""
    for check in (check for check in checks if check["kind"] == "exec"):
        result = target.execute(check.get("args", []), check.get("env", {}), check.get("stdin", ""))
        yield say(check, judge(check, result.returncode, 0, result.stdout, result.stderr))
    requests = [check for check in checks if check["kind"] == "http"]
    if not requests:
        return
    with target.serving(image["expose"][0]) as (port, trouble):
        wait(port, trouble)
        for check in requests:
            try:
                status, body = ask(port, check)
            except (OSError, http.client.HTTPException) as error:
                yield say(check, [f"no answer: {error!r}\n{trouble() or ''}".strip()])
                continue
            yield say(check, judge(check, status, 200, body, ""))


def judge(check, status, usual, out, err):
    """What is wrong with an answer; nothing if it is right."""
    wrong = []
    expected = check.get("status", usual)
    if status != expected:
        wrong.append(f"status {status} instead of {expected}")
    wrong += [f"no {text!r} in the answer" for text in check.get("contains", []) if text not in out]
    wrong += [f"no {text!r} on stderr" for text in check.get("stderr", []) if text not in err]
    if wrong:
        wrong.append("it was: " + (out + err).strip()[-600:])
    return wrong


def say(check, wrong):
    label = check["name"] + ("" if check.get("probed", True) else " (not probed)")
    print(("ok   " if not wrong else "FAIL ") + label)
    for line in wrong:
        print("     " + line.replace("\n", "\n     "))
    sys.stdout.flush()
    return not wrong


def ask(port, check):
    body, headers = check.get("body"), dict(check.get("headers", {}))
    if "json" in check:
        body = json.dumps(check["json"])
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CHECK_SECONDS)
    try:
        connection.request(check.get("method", "GET"), check["path"], body, headers)
        answer = connection.getresponse()
        # Behind 101 another protocol begins, which has no end.
        text = "" if answer.status == 101 else answer.read().decode("utf-8", "replace")
        return answer.status, text
    finally:
        connection.close()


def wait(port, trouble):
    """Waits until the service answers anything at all."""
    end = time.monotonic() + START_SECONDS
    while True:
        log = trouble()
        if log is not None:
            raise Unusable(f"the service ended at once; its log:\n{log}")
        try:
            ask(port, {"path": "/"})
            return
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() > end:
                raise Unusable(f"no answer within {START_SECONDS} s: {error!r}") from None
        time.sleep(0.1)


def docker(*words):
    result = run(["docker", *words], "")
    if result.returncode:
        raise Unusable(f"docker {' '.join(words)}: {result.stderr.strip()}")
    return result.stdout


def run(words, stdin, merge=False, **options):
    err = subprocess.STDOUT if merge else subprocess.PIPE
    try:
        return subprocess.run(
            words, input=stdin, stdout=subprocess.PIPE, stderr=err, text=True,
            errors="replace", timeout=CHECK_SECONDS, **options,
        )
    except FileNotFoundError as error:
        raise Unusable(f"{words[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"no end within {CHECK_SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
