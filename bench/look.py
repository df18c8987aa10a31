#!/usr/bin/env python3
"""Measures size and explore against `gzip -dc | wc -c` of the same layers.

    bench/look.py ARCHIVE [ROUNDS]

ARCHIVE is what `docker save` wrote; skopeo makes an OCI archive with gzip layers
of it. The best round counts, the largest memory too.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WHIT = ROOT / "target/release/whit"


def measured(command):
    """Seconds, processor seconds, megabytes."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command} failed")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def layers(folder):
    blobs = folder / "blobs/sha256"

    def document(descriptor):
        return json.loads((blobs / descriptor["digest"].split(":")[1]).read_text())

    index = json.loads((folder / "index.json").read_text())
    found = document(index["manifests"][0])["layers"]
    return [str(blobs / layer["digest"].split(":")[1]) for layer in found]


def main():
    plain = pathlib.Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        packed, layout = f"{folder}/packed.tar", pathlib.Path(folder, "layout")
        source = f"docker-archive:{plain}"
        subprocess.run(["skopeo", "copy", "-q", source, f"oci:{layout}:x"], check=True)
        subprocess.run(["skopeo", "copy", "-q", f"oci:{layout}:x", f"oci-archive:{packed}:x"], check=True)
        unpack = ["sh", "-c", 'for layer; do gzip -dc <"$layer" | wc -c; done', "sh", *layers(layout)]
        commands = {"gzip -dc | wc -c": unpack}
        for archive, what in [(packed, "gzip layers"), (plain, "plain layers")]:
            for command in ["size", "explore"]:
                commands[f"{command}, {what}"] = [WHIT, command, archive, "--quiet"]
        results = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                results[name].append(measured(command))
    base = min(one[0] for one in results["gzip -dc | wc -c"])
    for name, all_rounds in results.items():
        seconds, processor = (min(one[i] for one in all_rounds) for i in (0, 1))
        memory = max(one[2] for one in all_rounds)
        print(f"{name:24} {seconds:6.2f} s  {seconds / base:.2f}  processor {processor:6.2f} s  {memory:4.0f} MB")


if __name__ == "__main__":
    main()
