#!/usr/bin/env python3
"""Measures shrink of an image of 2 GB in ten layers against `skopeo copy`.

    bench/large.py [ROUNDS]

Makes the image with Docker from bench/large (once, into the cache folder),
copies it to an OCI folder with skopeo and shrinks it with the release build, in
turn. Prints seconds, processor seconds with those of all children, and memory.
The processor's time tells more than the clock's where other work goes on.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WHIT = ROOT / "target/release/whit"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
ARCHIVE = CACHE / "whit-bench/large.tar"
IMAGE = "whit-bench/large"


def make():
    ARCHIVE.parent.mkdir(parents=True, exist_ok=True)
    build = ["docker", "build", "--quiet", "--network", "host", "-t", IMAGE, ROOT / "bench/large"]
    subprocess.run(build, check=True, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    subprocess.run(["docker", "save", IMAGE, "-o", ARCHIVE], check=True)
    subprocess.run(["docker", "rmi", "-f", IMAGE], check=True, stdout=subprocess.DEVNULL)


def measured(command, folder):
    """Seconds, processor seconds, megabytes."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command[0]} failed")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if not ARCHIVE.exists():
        make()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=ARCHIVE.parent) as folder:
            folder = pathlib.Path(folder)
            copy = ["skopeo", "copy", "-q", f"docker-archive:{ARCHIVE}", "oci:copy:x"]
            theirs = measured(copy, folder)
            shutil.rmtree(folder / "copy")
            ours = measured([WHIT, "shrink", ARCHIVE, "-o", "small.tar"], folder)
            report = json.loads((folder / "small.whit.json").read_text())
        phases = {phase["name"]: phase["seconds"] for phase in report["phases"]}
        for name, (seconds, processor, memory) in [("skopeo", theirs), ("whit", ours)]:
            print(f"{name:7} {seconds:6.1f} s  processor {processor:6.1f} s  {memory:4.0f} MB")
        print("       ", ", ".join(f"{name} {taken:.1f}" for name, taken in phases.items()))
        print(f"         {ours[0] / theirs[0]:.2f} by the clock, {ours[1] / theirs[1]:.2f} by the processor")


if __name__ == "__main__":
    main()
