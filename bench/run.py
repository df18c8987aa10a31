#!/usr/bin/env python3
"""Measures `whit build` of an example and `whit shrink` of its fat image, warm.

    bench/run.py [--runs N] [EXAMPLE]       (default: 3 runs, fastapi)

Prints the seconds of each phase, the total and the peak memory, the sizes
before and after, and how the times compare with two things measured in the same
minute: skopeo copying the same archive into a layout, and the app's own start
up to its open port. Each command runs once beforehand so that caches are warm;
of the measured runs the fastest is printed. The fat archive is made by
scripts/fat-image.sh where it is missing (that needs root and Docker), in
$FAT_CACHE (default /var/tmp/fat).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHIT = ROOT / "target/release/whit"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("example", nargs="?", default="fastapi")
    options = parser.parse_args()
    if not WHIT.exists():
        subprocess.run(["cargo", "build", "--release", "-p", "whit"], cwd=ROOT, check=True)
    fat = fat_archive(options.example)
    with tempfile.TemporaryDirectory(prefix="whit-bench-") as folder:
        folder = Path(folder)
        project = folder / options.example
        shutil.copytree(ROOT / "examples" / options.example, project)
        build = best(["build", str(project)], "built.tar", folder, options.runs)
        shrink = best(["shrink", str(fat)], "shrunk.tar", folder, options.runs)
        copy = skopeo(fat, folder, options.runs)
    show(f"build of examples/{options.example}", build, copy)
    show(f"shrink of {fat.name}", shrink, copy)


def fat_archive(example):
    fat = Path(os.environ.get("FAT_CACHE", "/var/tmp/fat")) / f"{example}.tar"
    if not fat.exists():
        subprocess.run([str(ROOT / "scripts/fat-image.sh"), example, str(fat)], check=True)
    return fat


def best(words, output, folder, runs):
    """The fastest of the runs after one that warms the caches."""
    command = [str(WHIT), *words, "-o", output]
    found = []
    for number in range(runs + 1):
        seconds, memory = measured(command, folder)
        if number:
            report = json.loads((folder / output).with_suffix(".whit.json").read_bytes())
            found.append((seconds, memory, report))
    return min(found, key=lambda run: run[0])


def measured(command, folder):
    """Wall seconds and the largest resident memory of one process, in bytes."""
    with open(folder / "log", "w+") as log:
        begun = time.monotonic()
        child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        # Not through Popen.wait, which keeps the usage to itself.
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            log.seek(0)
            sys.exit(f"error: {' '.join(command)} ended with {child.returncode}\n{log.read()}")
    return seconds, usage.ru_maxrss * 1024


def skopeo(fat, folder, runs):
    if not shutil.which("skopeo"):
        return None
    times = []
    for number in range(runs):
        layout = folder / f"skopeo-{number}"
        words = ["skopeo", "copy", "--quiet", f"docker-archive:{fat}", f"oci:{layout}:latest"]
        times.append(measured(words, folder)[0])
        shutil.rmtree(layout)
    return min(times)


def show(what, run, copy):
    seconds, memory, report = run
    before, after, proof = report["before"], report["after"], report["proof"]
    print(f"{what}: {seconds:.1f} s, {memory / 1e6:.0f} MB at most, {proof['rounds']} round(s)")
    print("  " + ", ".join(f"{phase['name']} {phase['seconds']:.2f}" for phase in report["phases"]))
    for name, key in [("uncompressed", "bytes"), ("compressed", "compressed")]:
        print(f"  {name} {before[key] / 1e6:.1f} -> {after[key] / 1e6:.1f} MB, 1/{before[key] / after[key]:.0f}")
    if copy:
        print(f"  {seconds / copy:.2f} times skopeo's copy of the fat archive ({copy:.1f} s)")
    if proof["startup_before"]:
        start = proof["startup_before"] / 1e3
        print(f"  {seconds / start:.1f} times the app's own start ({start:.2f} s)")


if __name__ == "__main__":
    main()
