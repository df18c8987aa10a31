#!/bin/sh
# Makes base images like those that people use, from Debian packages, in Docker.
#
#   scripts/base-images.sh [TAG…]
#
# debian:bookworm-slim is debootstrap's minbase with the host's apt sources and
# the host's certificates, as behind a company's proxy. Each other image is a
# scripts/bases/*.Dockerfile whose first line names its tag ("# tag: NAME:TAG").
# Without arguments all of them are made; what exists already is kept. Needs
# root, debootstrap and Docker.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
suite=bookworm
minbase=debian:$suite-slim

exists() {
    docker image inspect "$1" >/dev/null 2>&1
}

make_minbase() {
    sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Component: main' | grep " $suite" | sort -u)
    mirror=$(echo "$sources" | awk -v suite=$suite '$3 == suite { print $2; exit }')
    if [ -z "$mirror" ]; then
        echo "error: the host's apt sources have no $suite; run apt-get update on a Debian $suite host" >&2
        exit 2
    fi
    work=$(mktemp -d)
    trap 'rm -rf --one-file-system "$work"' EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$work/context"
    debootstrap --variant=minbase --include=ca-certificates $suite "$work/root" "$mirror" >&2
    echo "$sources" >"$work/root/etc/apt/sources.list"
    # What Debian's own image does: no documentation, no lists, no archives.
    rm -rf "$work"/root/var/lib/apt/lists/* "$work"/root/var/cache/apt/*.bin \
        "$work"/root/var/cache/apt/archives/*.deb
    find "$work/root/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$work"/root/usr/share/man/* "$work"/root/usr/share/locale/*
    tar --numeric-owner --one-file-system -C "$work/root" -cf "$work/context/root.tar" .
    cp -L "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$work/context/host.pem"
    cat >"$work/context/Dockerfile" <<'DOCKERFILE'
FROM scratch
ADD root.tar /
COPY host.pem /etc/ssl/certs/ca-certificates.crt
CMD ["bash"]
DOCKERFILE
    DOCKER_BUILDKIT=0 docker build --quiet -t "$minbase" "$work/context" >&2
}

make_other() {
    tag=$(sed -n '1s/^# tag: //p' "$1")
    exists "$tag" && return
    echo "making $tag" >&2
    # A base may stand on another one.
    for parent in $(sed -n 's/^FROM \([^ ]*\).*/\1/p' "$1"); do
        [ "$parent" = scratch ] || exists "$parent" || (make_tag "$parent")
    done
    DOCKER_BUILDKIT=0 docker build --quiet --network host -t "$tag" -f "$1" "$root/scripts/bases" >&2
}

make_tag() {
    if [ "$1" = "$minbase" ]; then
        exists "$minbase" || make_minbase
        return
    fi
    file=$(grep -lx "# tag: $1" "$root"/scripts/bases/*.Dockerfile || true)
    if [ -z "$file" ]; then
        echo "error: no file in scripts/bases has the tag $1" >&2
        exit 2
    fi
    make_other "$file"
}

if [ $# -gt 0 ]; then
    for wanted in "$@"; do make_tag "$wanted"; done
else
    make_tag "$minbase"
    for file in "$root"/scripts/bases/*.Dockerfile; do
        [ ! -f "$file" ] || make_other "$file"
    done
fi
