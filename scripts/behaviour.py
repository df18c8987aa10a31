#!/usr/bin/env python3
"""Compares what an app sees under plain Python and as one executable.

    scripts/behaviour.py [--only NAME] COMMAND        prints what differs
    scripts/behaviour.py [--only NAME] --show         prints plain Python's answers

COMMAND starts crates/whit/tests/behaviour as `python3.11 main.py` would, from any
folder: the executable that `whit build --single` made of it, say. Each of the
app's subcommands is run both ways, with the same surroundings, a read-only copy
of the app, and loopback for a network; so are some ends and settings that only a
caller can see. Differences named in --known FILE (TOML: [[difference]] with
`where`, a pattern of what is printed, and `why`) are told with their reason. Exit
code 1 if another one is left.
"""

import argparse
import fcntl
import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

APP = Path(__file__).resolve().parent.parent / "crates/whit/tests/behaviour"
PYTHON = "/usr/bin/python3.11"
TIMEOUT = 180

# Beyond the subcommands alone: label, arguments, variables, and a signal that
# is sent once `begun` was read.
ENDS = [
    *((f"end {how}", ["end", how], {}, None) for how in
      ["0", "3", "256", "-1", "raise", "text", "abort", "thread", "pipe", "_exit"]),
    *((f"end by {number.name}", ["end", "wait"], {}, number) for number in
      [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT]),
]
SETTINGS = [
    (f"variables {name}={value}", ["variables"], {name: value}, None)
    for name, value in [
        ("PYTHONUNBUFFERED", "1"), ("PYTHONPATH", "/from-variable"), ("PYTHONDONTWRITEBYTECODE", ""),
        ("PYTHONUTF8", "0"), ("PYTHONUTF8", "1"), ("PYTHONHASHSEED", "0"), ("PYTHONHASHSEED", "7"),
        ("PYTHONHASHSEED", "nonsense"), ("PYTHONWARNINGS", "error"), ("PYTHONWARNINGS", "ignore"),
        ("PYTHONIOENCODING", "latin-1:replace"), ("PYTHONOPTIMIZE", "1"), ("PYTHONSAFEPATH", "1"),
        ("PYTHONDEVMODE", "1"), ("PYTHONFAULTHANDLER", "1"), ("PYTHONNOUSERSITE", "1"),
        ("PYTHONPYCACHEPREFIX", "/from-variable"), ("PYTHONINTMAXSTRDIGITS", "700"),
        ("PYTHONMALLOC", "malloc"), ("PYTHONVERBOSE", ""), ("PYTHONPROFILEIMPORTTIME", ""),
    ]
]
LOCALES = [
    (f"encoding {' '.join(f'{name}={value}' for name, value in env.items()) or 'alone'}",
     ["encoding", "Żółć"], {"LC_ALL": ""} | env, None)
    for env in [
        {}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "C.UTF-8"}, {"LANG": "en_US.UTF-8"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C", "PYTHONUTF8": "0"},
        {"LC_CTYPE": "de_DE.ISO-8859-1"},
    ]
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", help="the subcommand, or the beginning of a label")
    parser.add_argument("--known", metavar="FILE")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--python", default=PYTHON, help=f"the plain interpreter ({PYTHON})")
    parser.add_argument("command", nargs="?", metavar="COMMAND")
    options = parser.parse_args()
    if not (options.command or options.show):
        parser.error("give COMMAND or --show")
    if "WHIT_BEHAVIOUR_APP" not in os.environ:
        with tempfile.TemporaryDirectory(prefix="whit-behaviour-") as folder:
            return enter(Path(folder), options.python)
    app = os.environ["WHIT_BEHAVIOUR_APP"]
    surroundings(app)
    known = tomllib.loads(Path(options.known).read_text())["difference"] if options.known else []
    plain = [f"{app}-venv/bin/python", f"{app}/main.py"]
    names = subprocess.run(plain, capture_output=True, text=True, check=True).stdout.split()
    trials = [(name, [name], {}, None) for name in names if name not in ("end", "encoding")]
    left = 0
    for label, args, env, number in trials + ENDS + SETTINGS + LOCALES:
        if options.only and not (label + " ").startswith(options.only + " "):
            continue
        expected = run(plain, args, env, number)
        if options.show:
            print(json.dumps({label: expected}, indent=1, ensure_ascii=False))
            continue
        found = run(shlex.split(options.command), args, env, number)
        for where, before, after in differences(label, expected, found):
            reason = next((one["why"] for one in known if fnmatch.fnmatchcase(where, one["where"])), None)
            if reason:
                print(f"known  {where}: {reason}")
            else:
                left += 1
                print(f"DIFFER {where}\n       plain {short(before)}\n       here  {short(after)}")
        sys.stdout.flush()
    if not options.show:
        print(f"{left} differences without a reason")
    return 1 if left else 0


def enter(folder, python):
    """Makes the app's copy and its environment, and starts again beside them."""
    app = folder / "app"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    venv = f"{app}-venv"
    subprocess.run([python, "-m", "venv", venv], check=True)
    pip = [f"{venv}/bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(app / "requirements.txt")], check=True)
    words = ["unshare", "--mount", "--net"] + (["--map-root-user"] if os.geteuid() else [])
    words += [sys.executable, os.path.abspath(__file__), *sys.argv[1:]]
    return subprocess.run(words, env=os.environ | {"WHIT_BEHAVIOUR_APP": str(app)}).returncode


def surroundings(app):
    """Loopback switched on (SIOCSIFFLAGS, IFF_UP), and the app's files read-only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))
    subprocess.run(["mount", "--bind", app, app], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", app], check=True)


def run(command, args, env, number):
    """Status, output (as JSON where it is) and errors of one start."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"} | env
    env = {name: value for name, value in env.items() if value}
    words = [*command, *args]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            words, env=env, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="backslashreplace",
            # A shell's background jobs ignore SIGINT, and their children would.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            begun = process.stdout.readline() if number else ""
            if number:
                time.sleep(0.3)
                process.send_signal(number)
            out, err = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            err += f"\nno end within {TIMEOUT} s"
        out = begun + out
    try:
        out = json.loads(out)
    except ValueError:
        out = out.splitlines()
    return {"status": process.returncode, "out": out, "err": [place(line) for line in err.splitlines()]}


def place(line):
    """A line of a traceback or a warning without the folder that the file is in."""
    return re.sub(r"(?:/[^/ \"]+)*/([\w.]+\.py\b)", r"\1", line)


def differences(where, before, after):
    if type(before) is type(after) and isinstance(before, dict):
        for key in {**before, **after}:
            yield from differences(f"{where} / {key}", before.get(key), after.get(key))
    elif before != after:
        yield where, before, after


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 700 else f"{text[:450]} … {text[-200:]}"


if __name__ == "__main__":
    sys.exit(main())
