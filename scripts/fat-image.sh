#!/bin/sh
# Makes the image that people have before they try whit: all of Debian bookworm,
# Python from apt, a compiler that nobody removed, and the example's
# requirements installed with pip.
#
#   scripts/fat-image.sh EXAMPLE OUT.tar
#
# EXAMPLE is a folder below examples/; what to start stands in its checks.toml
# under [image]. OUT.tar is what `docker save` writes. Needs root, debootstrap,
# Docker and a Python with tomllib. Debian comes from the host's apt sources.
# The base is made once and kept in $FAT_CACHE (default /var/tmp/fat).
set -eu

if [ $# -ne 2 ]; then
    echo "usage: scripts/fat-image.sh EXAMPLE OUT.tar" >&2
    exit 2
fi
example=$1
out=$2
root=$(cd "$(dirname "$0")/.." && pwd)
project=$root/examples/$example
cache=${FAT_CACHE:-/var/tmp/fat}
suite=bookworm
base_image=whit-fat-base:$suite
base_tar=$cache/base-$suite.tar

if [ ! -f "$project/checks.toml" ]; then
    echo "error: $project has no checks.toml" >&2
    exit 2
fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")

leave() {
    umount "$work/root/dev" "$work/root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM

# Runs a command inside $work/root with the host's resolver and certificates,
# which are taken away again: they are the surroundings', not the image's.
inside() {
    mount --bind /dev "$work/root/dev"
    mount -t proc proc "$work/root/proc"
    cp -L /etc/resolv.conf "$work/root/etc/resolv.conf"
    mkdir -p "$work/root/run/host"
    cp -L "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$work/root/run/host/ca.crt"
    status=0
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PIP_CERT=/run/host/ca.crt PIP_DISABLE_PIP_VERSION_CHECK=1 \
        ${PIP_INDEX_URL:+PIP_INDEX_URL="$PIP_INDEX_URL"} \
        chroot "$work/root" "$@" || status=$?
    rm -rf "$work/root/run/host" "$work/root/etc/resolv.conf"
    umount "$work/root/proc" "$work/root/dev"
    return $status
}

make_base() {
    sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Component: main' | grep " $suite" | sort -u)
    mirror=$(echo "$sources" | awk -v suite=$suite '$3 == suite { print $2; exit }')
    if [ -z "$mirror" ]; then
        echo "error: the host's apt sources have no $suite; run apt-get update on a Debian $suite host" >&2
        exit 2
    fi
    debootstrap --variant=minbase --include=ca-certificates $suite "$work/root" "$mirror" >&2
    echo "$sources" >"$work/root/etc/apt/sources.list"
    inside sh -ec 'apt-get update -q; apt-get upgrade -qy
        apt-get install -qy --no-install-recommends \
            python3 python3-venv python3-pip gcc libc6-dev
        apt-get clean; rm -rf /var/lib/apt/lists/*' >&2
    tar --numeric-owner --one-file-system -C "$work/root" -cf "$base_tar.part" .
    mv "$base_tar.part" "$base_tar"
    rm -rf --one-file-system "$work/root"
}

[ -f "$base_tar" ] || make_base
if ! docker image inspect "$base_image" >/dev/null 2>&1; then
    docker import "$base_tar" "$base_image" >/dev/null
fi

# The dependencies, installed in the base itself so that the paths are right.
mkdir "$work/root"
tar --numeric-owner -C "$work/root" -xf "$base_tar"
mkdir "$work/root/app"
cp -a "$project/." "$work/root/app"
inside sh -ec 'cd /app
    python3 -m venv /opt/venv
    if [ -f requirements.txt ]; then /opt/venv/bin/pip install -q --no-cache-dir -r requirements.txt; fi
    if [ -f pyproject.toml ]; then /opt/venv/bin/pip install -q --no-cache-dir .; rm -rf build ./*.egg-info; fi' >&2

mkdir "$work/context"
mv "$work/root/opt/venv" "$work/context/venv"
mv "$work/root/app" "$work/context/app"
python3 - "$project/checks.toml" "$base_image" >"$work/context/Dockerfile" <<'PYTHON'
import json, sys, tomllib
image = tomllib.load(open(sys.argv[1], "rb"))["image"]
print("FROM", sys.argv[2])
print("COPY venv /opt/venv")
print("WORKDIR /app")
print("COPY app /app")
print("ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
print("ENV PYTHONUNBUFFERED=1")
for port in image.get("expose", []):
    print("EXPOSE", port)
for word in ("entrypoint", "cmd"):
    if word in image:
        print(word.upper(), json.dumps(image[word]))
PYTHON
DOCKER_BUILDKIT=0 docker build -t "whit-fat/$example:latest" "$work/context" >"$work/build.log" 2>&1 || {
    cat "$work/build.log" >&2
    exit 1
}
docker save -o "$work/image.tar" "whit-fat/$example:latest"
chmod 644 "$work/image.tar"
mkdir -p "$(dirname "$out")"
mv "$work/image.tar" "$out"
echo "$out: $(stat -c %s "$out" | awk '{ printf "%.1f MB", $1 / 1e6 }')"
