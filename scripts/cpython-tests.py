#!/usr/bin/env python3
"""Runs CPython's own tests with two interpreters and compares case by case.

    scripts/cpython-tests.py [--all] [--root DIR] COMMAND [MODULE…]
    scripts/cpython-tests.py [--all] [--root DIR] --linked PROGRAM [MODULE…]
    scripts/cpython-tests.py [--all] [--root DIR] --save FILE     the reference alone

COMMAND behaves as `python` when arguments follow. The reference is Debian's
python3.11 and the tests are those of its package libpython3.11-testsuite, on
this machine or in the Debian root DIR, which COMMAND's program is then copied
into. Both run in namespaces of their own with nothing but loopback, without
rights where this program has some to give up, each module in its own process
with its own temporary folder.

With --linked, PROGRAM is the interpreter of what `whit build --single` made of
crates/whit/tests/everything, tests included, or the image (*.tar) that has it.
It takes the reference's place. Not with `-o exe:`, whose app knows its own files
by names relative to any folder, which these tests see.

For CI: the quick list takes 70 seconds on two cores, both interpreters included.

    whit build crates/whit/tests/everything --single=fast --compress none -o everything.tar
    scripts/cpython-tests.py --root /var/tmp/cpython-root --jobs 2 --linked everything.tar

With musl it is 110 seconds. Debian's musl has no crypt, which is left out:

    whit build crates/whit/tests/everything --single \\
        --drop '/usr/lib/python3.11/lib-dynload/_crypt.*' --compress none -o everything.tar

A DIR that does not exist is made, in two minutes, with root's rights and debootstrap
from the host's apt sources. Python has the version there that is pinned in the
whit.lock which the build leaves in crates/whit/tests/everything: where that changes,
DIR has to be made anew.

A case differs if COMMAND fails it, skips it or does not have it while the
reference passes it. A module with differences is run once more, since some tests
depend on the machine's load. scripts/cpython-tests.toml has the modules and the
differences that are understood, each with its reason. Exit code 1 if there is one
that is not.
"""

import argparse
import contextlib
import fcntl
import fnmatch
import json
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

KNOWN = Path(__file__).with_suffix(".toml")
LOCK = Path(__file__).resolve().parent.parent / "crates/whit/tests/everything/whit.lock"
SUITE = "bookworm"
# The interpreter, its tests, and what some of them look for.
PACKAGES = [
    "python3.11", "python3.11-minimal", "libpython3.11-stdlib", "libpython3.11-minimal",
    "libpython3.11-testsuite", "python3.11-venv", "ca-certificates", "media-types", "net-tools",
    "netbase", "openssl", "tzdata",
]
TESTS = "/usr/lib/python3.11/test"
NOBODY = 65534
BAD = {"failed", "timeout", "crash"}

# Runs regrtest, and writes a line for each case as it begins and as it ends, so
# that a crash has a name, and a failing subTest too (regrtest's XML has neither).
DRIVER = """
import json, sys, unittest
from test.support import testresult
out = open(sys.argv[1], "a", buffering=1)
def say(test, outcome, why=""):
    test = getattr(test, "test_case", test)
    name = test.id() if callable(getattr(test, "id", None)) else str(test)
    print(json.dumps([name, outcome, str(why)[-1500:]]), file=out)
class Result(testresult.RegressionTestResult):
    def startTest(self, test):
        say(test, "begun")
        super().startTest(test)
    def addSuccess(self, test):
        say(test, "passed")
        super().addSuccess(test)
    def addSkip(self, test, reason):
        say(test, "skipped", reason)
        super().addSkip(test, reason)
    def addExpectedFailure(self, test, err):
        say(test, "passed")
        super().addExpectedFailure(test, err)
    def addUnexpectedSuccess(self, test):
        say(test, "failed", "it was expected to fail")
        super().addUnexpectedSuccess(test)
    def addError(self, test, err):
        super().addError(test, err)
        say(test, "failed", self.errors[-1][1])
    def addFailure(self, test, err):
        super().addFailure(test, err)
        say(test, "failed", self.failures[-1][1])
    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            say(test, "failed", f"{subtest}: {err[1]!r}")
testresult.RegressionTestResult = Result
# What cannot be imported fails as one case, instead of all of a package.
unittest.TestLoader.errors = property(lambda self: [], lambda self, errors: None)
from test.libregrtest import main
del sys.argv[1]
main()
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="the modules of `more` too")
    parser.add_argument("--root", metavar="DIR", help="a Debian root with the interpreter and its tests")
    parser.add_argument("--reference", default="/usr/bin/python3.11", metavar="COMMAND")
    parser.add_argument("--tests", metavar="DIR",
                        help="Lib/test of CPython's sources, for test_sqlite3 and test_tomllib")
    parser.add_argument("--linked", action="store_true",
                        help="COMMAND is one executable and takes the reference's place")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="for COMMAND")
    parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="for a module")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--save", metavar="FILE", help="write the reference's results")
    parser.add_argument("--saved", metavar="FILE", help="take the reference's results from there")
    parser.add_argument("command", nargs="?", metavar="COMMAND")
    parser.add_argument("module", nargs="*", metavar="MODULE")
    options = parser.parse_args()
    if not (options.command or options.save):
        parser.error("give COMMAND or --save FILE")
    if "WHIT_TESTS_INSIDE" not in os.environ:
        if options.root and not os.path.exists(options.root):
            make_root(Path(options.root))
        enter()
    known = tomllib.loads(KNOWN.read_text())
    modules = options.module or known["modules"]["quick"] + known["modules"]["more"] * options.all
    place = Place(options)

    if options.saved:
        reference = json.loads(Path(options.saved).read_text())
        modules = [module for module in modules if module in reference]
    else:
        reference = run_all(place, "reference", options.reference, {}, modules, options, options.save)
        version = version_of(place, options.reference, {})
    if not options.command:
        failures(reference)
        return 0
    env = dict(entry.split("=", 1) for entry in options.env)
    if options.linked:
        command = options.reference
        env |= place.exchange(options.command, command)
    else:
        command = place.brought(options.command)
    if not options.saved and version_of(place, command, env) != version:
        print(f"note        another Python is compared with: {version}")
    candidate = run_all(place, "candidate", command, env, modules, options)
    again = [module for module in modules if differing(reference[module], candidate[module])]
    if again:
        second = run_all(place, "once more", command, env, again, options)
        for module in again:
            candidate[module] = better(candidate[module], second[module])
    return compare(modules, reference, candidate, known.get("difference", []))


# Where it runs.


def make_root(folder):
    """Makes a Debian root with the reference in it."""
    sources = subprocess.run(
        ["apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
         "Created-By: Packages", "Component: main"], check=True, capture_output=True, text=True)
    sources = sorted({line for line in sources.stdout.splitlines() if f" {SUITE}" in line})
    mirrors = [line.split()[1] for line in sources if line.split()[2] == SUITE]
    if not mirrors:
        sys.exit(f"error: the host's apt sources have no {SUITE}; run apt-get update on a Debian {SUITE} host")
    pinned = tomllib.loads(LOCK.read_text())["deb"] if LOCK.exists() else []
    versions = {package["name"]: package["version"] for package in pinned}
    wanted = [f"{name}={versions[name]}" if "python" in name and name in versions else name for name in PACKAGES]
    # Under another name until it is whole.
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    run = partial(subprocess.run, check=True, stdout=sys.stderr)
    run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, part, mirrors[0]])
    (part / "etc/apt/sources.list").write_text("\n".join(sources) + "\n")
    shutil.copy("/etc/resolv.conf", part / "etc/resolv.conf")
    # debootstrap makes none, and a hundred tests look for localhost.
    (part / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
    for words in (["update", "-q"], ["install", "-qy", "--no-install-recommends", "--allow-downgrades", *wanted]):
        run(["chroot", part, "apt-get", *words], env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    part.rename(folder)


def enter():
    """Becomes the first process of new namespaces."""
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid():
        words.append("--map-root-user")
    os.environ["WHIT_TESTS_INSIDE"] = "user" if os.geteuid() else "root"
    os.execvp("unshare", [*words, sys.executable, os.path.abspath(__file__), *sys.argv[1:]])


class Place:
    """The root in which both interpreters run."""

    def __init__(self, options):
        # SIOCSIFFLAGS with IFF_UP.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))
        self.gives_up_rights = os.environ["WHIT_TESTS_INSIDE"] == "root"
        self.root = os.path.realpath(options.root) if options.root else ""
        if self.root:
            mount("--rbind", "/dev", f"{self.root}/dev")
            mount("-t", "proc", "proc", f"{self.root}/proc")
            mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{self.root}/tmp")
        self.has_more_tests = bool(options.tests)
        if self.has_more_tests:
            # Over each other, since the tests insist on one folder.
            below = self.root + TESTS
            mount("-t", "overlay", "-o", f"lowerdir={below}:{options.tests}", "overlay", below)
        self.folder = tempfile.mkdtemp(prefix="t-", dir=f"{self.root}/tmp")
        os.chmod(self.folder, 0o755)

    def brought(self, command):
        """The command as it is called inside, its program brought along."""
        words = shlex.split(command)
        if self.root and os.path.exists(words[0]) and not os.path.exists(self.root + words[0]):
            shutil.copy(words[0], f"{self.root}/tmp/")
            words[0] = f"/tmp/{os.path.basename(words[0])}"
        elif not self.root and "/" in words[0]:
            words[0] = os.path.abspath(words[0])
        return shlex.join(words)

    def exchange(self, program, reference):
        """Puts a program into the reference's place; the variables that it needs."""
        if program.endswith(".tar"):
            program = self.unpack(program, reference)
        mount("--bind", program, self.root + reference)
        if not self.has_more_tests:
            return {}
        # They are where the program sees its own files only.
        folder = tempfile.mkdtemp(prefix="tests-", dir=f"{self.root}/tmp")
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/test")
        mount("--bind", self.root + TESTS, f"{folder}/test")
        return {"PYTHONPATH": folder.removeprefix(self.root)}

    def unpack(self, image, name):
        """A file of an image that whit wrote with -o docker-archive."""
        with tarfile.open(image) as archive:
            for layer in json.load(archive.extractfile("manifest.json"))[0]["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(layer)) as files:
                    for member in files:
                        if member.name.lstrip("./") == name.lstrip("/"):
                            program = f"{self.folder}/program"
                            with open(program, "wb") as out:
                                shutil.copyfileobj(files.extractfile(member), out)
                            os.chmod(program, 0o755)
                            return program
        sys.exit(f"error: {image} has no {name}")

    def start(self, words, env, folder, **options):
        def inside():
            # A shell's background jobs ignore it, and their children would.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if self.root:
                os.chroot(self.root)
            os.chdir(folder)
            if self.gives_up_rights:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)

        return subprocess.Popen(words, env=env, preexec_fn=inside, start_new_session=True, **options)

    def own_folder(self):
        """A fresh folder and its name as seen from inside."""
        folder = tempfile.mkdtemp(dir=self.folder)
        if self.gives_up_rights:
            os.chown(folder, NOBODY, NOBODY)
        return Path(folder), folder.removeprefix(self.root)


def mount(*words):
    subprocess.run(["mount", *words], check=True)


# Running.


def run_all(place, label, command, env, modules, options, save=None):
    begun = time.monotonic()

    done = {}

    def one(module):
        begun = time.monotonic()
        cases = run_one(place, command, env, module, options.timeout)
        counts = {}
        for outcome, _ in cases.values():
            counts[outcome] = counts.get(outcome, 0) + 1
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        print(f"{label}: {module}: {said}, {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
        done[module] = cases
        if save:
            # After each, so that an interrupted run of an hour has been of use.
            Path(save).write_text(json.dumps(dict(done), indent=0) + "\n")

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, modules))
    print(f"{label}: {len(modules)} modules, {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return {module: done[module] for module in modules}


def version_of(place, command, env):
    _, name = place.own_folder()
    words = [*shlex.split(command), "-c", "import sys; print(sys.version)"]
    return place.start(words, env, name, stdout=subprocess.PIPE, text=True).communicate()[0].strip()


def run_one(place, command, env, module, timeout):
    """The cases of a module: its outcome and what was said, by id."""
    folder, name = place.own_folder()
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": name, "TMPDIR": name, "LC_ALL": "C.UTF-8",
    } | env
    words = [*shlex.split(command), "-c", DRIVER, f"{name}/events", module]
    with open(folder / "log", "w+", errors="replace") as log:
        process = place.start(words, env, name, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.seek(0)
        said = log.read()[-1500:]
    cases = read_events(folder / "events", status)
    shutil.rmtree(folder, ignore_errors=True)
    # regrtest: 0 well, 3 well but the surroundings have changed, 2 failed.
    if status not in (0, 3) and not any(outcome in BAD for outcome, _ in cases.values()):
        cases[module] = ("timeout" if status is None else "failed", f"exit code {status}\n{said}")
    elif not cases:
        cases[module] = ("skipped", said)
    return cases


def read_events(file, status):
    cases = {}
    lines = file.read_text().splitlines() if file.exists() else []
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):
            name, outcome, why = json.loads(line)
            if cases.get(name, ("", ""))[0] != "failed":
                cases[name] = (outcome, why)
    for name, (outcome, _) in list(cases.items()):
        if outcome != "begun":
            continue
        if status is None:
            cases[name] = ("timeout", "no end in time")
        elif status in (0, 2, 3):
            # A class that skips, a subTest that does: ended without a word.
            cases[name] = ("passed", "")
        else:
            cases[name] = ("crash", f"exit code {status}")
    return cases


# Comparing.


def differing(reference, candidate):
    """Cases that the reference does better: their ids, with what the candidate says."""
    found = {}
    for name, (outcome, _) in reference.items():
        if name not in candidate and not_imported(name, candidate):
            continue
        here, why = candidate.get(name, ("missing", ""))
        if outcome not in BAD and here in BAD or outcome == "passed" and here != "passed":
            found[name] = (here, why)
    for name, (outcome, why) in candidate.items():
        if name not in reference and outcome in BAD:
            found[name] = (outcome, why)
    return found


def not_imported(name, candidate):
    """True if the case's file could not be imported, which is told as a case of its own."""
    parts = name.split(".")
    return any(f"unittest.loader._FailedTest.{'.'.join(parts[:end])}" in candidate for end in range(1, len(parts)))


def better(first, second):
    """Of two runs what went well in one of them."""
    rank = ["passed", "skipped"]
    merged = dict(first)
    for name, case in second.items():
        if name not in merged or merged[name][0] not in rank or case[0] == "passed":
            merged[name] = case
    # The module's own failure holds only if it is there in both.
    return {name: case for name, case in merged.items() if "." in name or name in second}


def compare(modules, reference, candidate, known):
    explained, unexplained, used = 0, 0, set()
    for module in modules:
        groups = {}
        for name, (outcome, why) in differing(reference[module], candidate[module]).items():
            reason = next((entry for entry in known if matches(entry, name, why)), None)
            if reason:
                explained += 1
                used.add(known.index(reason))
                groups.setdefault(reason["why"], []).append(name)
            else:
                unexplained += 1
                print(f"UNEXPLAINED {name}: {outcome}{last_line(why)}")
        for why, names in groups.items():
            print(f"known       {names[0]}{more(names)}: {why}")
        only = [
            name for name, (outcome, _) in reference[module].items()
            if outcome in BAD and candidate[module].get(name, ("missing", ""))[0] == "passed"
        ]
        for name in only:
            print(f"better      {name}: the reference alone fails it{last_line(reference[module][name][1])}")
    for number, entry in enumerate(known):
        of_modules = {pattern.split(".")[1] for pattern in patterns(entry)}
        if number not in used and of_modules <= set(modules):
            print(f"gone        {patterns(entry)[0]}: nothing differs there (any more, or with this C library)")
    cases = [case for module in modules for case in reference[module].values()]
    both = sum(
        outcome in BAD and candidate[module].get(name, ("", ""))[0] in BAD
        for module in modules for name, (outcome, _) in reference[module].items()
    )
    print(f"{len(modules)} modules, {len(cases)} cases, {both} failed by both, {explained} explained, {unexplained} unexplained")
    return 1 if unexplained else 0


def patterns(entry):
    return [entry["tests"]] if isinstance(entry["tests"], str) else entry["tests"]


def matches(entry, name, why):
    named = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns(entry))
    return named and entry.get("says", "") in why


def failures(results):
    for module, cases in results.items():
        for name, (outcome, why) in cases.items():
            if outcome in BAD or name == module:
                print(f"{outcome} {name}{last_line(why)}")


def last_line(text):
    lines = text.strip().splitlines()
    return f": {lines[-1][:200]}" if lines else ""


def more(names):
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


if __name__ == "__main__":
    sys.exit(main())
