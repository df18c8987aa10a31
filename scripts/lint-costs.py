#!/usr/bin/env python3
"""Measures the table of crates/core/src/lint/costs/debian.rs.

Needs a Debian bookworm host with fresh apt lists and no other repositories
that have packages of the same names. For each package below it
asks apt what would be installed on top of a minimal system (as
`debootstrap --variant=minbase`, which is what debian:bookworm-slim holds),
with and without recommended packages, and adds up their Installed-Size.
Prints rows `package, kB without recommends, kB that the recommends add`.
"""

import re
import subprocess
import sys
import tempfile

PACKAGES = """
autoconf automake bash-completion bison build-essential bzip2 ca-certificates cargo chromium
clang cmake cron curl default-jdk default-jdk-headless default-jre default-jre-headless
default-libmysqlclient-dev dnsutils dumb-init emacs-nox ffmpeg file flex fonts-liberation g++
gcc gdb gettext gettext-base ghostscript git git-lfs gnupg gnupg2 golang golang-go
graphicsmagick graphviz gunicorn htop imagemagick inotify-tools iproute2 iputils-ping jq less
libc6-dev libcairo2-dev libcurl4-openssl-dev libffi-dev libfreetype6-dev libgdal-dev libgeos-dev
libgl1 libgl1-mesa-glx libglib2.0-0 libgomp1 libicu-dev libjpeg-dev libjpeg62-turbo-dev
libldap2-dev liblzma-dev libmagic1 libmagickwand-dev libmariadb-dev libmemcached-dev libonig-dev
libpango-1.0-0 libpangocairo-1.0-0 libpng-dev libpq-dev libpq5 libpython3-dev librdkafka-dev
libreadline-dev libreoffice libreoffice-writer libsasl2-dev libsm6 libsodium-dev libsqlite3-dev
libssl-dev libxml2-dev libxslt1-dev locales make nginx openssh-client openssl pkg-config
postgresql-client procps python3 python3-dev python3-pip supervisor tzdata unzip vim wget
zlib1g-dev
""".split()

# What the images that end in no `-slim` hold besides: github.com/docker-library/buildpack-deps,
# debian/bookworm/{curl,scm,.}/Dockerfile.
BUILDPACK = """
ca-certificates curl gnupg netbase sq wget tzdata git mercurial openssh-client subversion procps
autoconf automake bzip2 default-libmysqlclient-dev dpkg-dev file g++ gcc imagemagick libbz2-dev
libc6-dev libcurl4-openssl-dev libdb-dev libevent-dev libffi-dev libgdbm-dev libglib2.0-dev
libgmp-dev libjpeg-dev libkrb5-dev liblzma-dev libmagickcore-dev libmagickwand-dev
libmaxminddb-dev libncurses5-dev libncursesw5-dev libpng-dev libpq-dev libreadline-dev
libsqlite3-dev libssl-dev libtool libwebp-dev libxml2-dev libxslt-dev libyaml-dev make patch
unzip xz-utils zlib1g-dev
""".split()


def stanzas():
    text = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=True)
    for block in text.stdout.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", block, re.M))
        if fields.get("Architecture") in ("amd64", "all"):
            yield fields["Package"], fields, block


def simulate(status, packages, recommends):
    flag = "--install-recommends" if recommends else "--no-install-recommends"
    done = subprocess.run(
        ["apt-get", "-s", "-q", "-o", f"Dir::State::status={status}", flag, "install", *packages],
        capture_output=True, text=True)
    if done.returncode:
        return None
    return set(re.findall(r"^Inst (\S+)", done.stdout, re.M))


def main():
    size, minimal, blocks = {}, [], {}
    for name, fields, block in stanzas():
        size[name] = int(fields.get("Installed-Size", 0))
        blocks[name] = block
        if fields.get("Essential") == "yes" or fields.get("Priority") == "required":
            minimal.append(name)
    with tempfile.NamedTemporaryFile("w", suffix=".status") as empty:
        base = simulate(empty.name, [*minimal, "apt"], False)
    with tempfile.NamedTemporaryFile("w", suffix=".status") as status:
        for name in sorted(base):
            if name in blocks:
                block = re.sub(r"^(Package: .*)$", r"\1\nStatus: install ok installed",
                               blocks[name].strip(), count=1, flags=re.M)
                status.write(block + "\n\n")
        status.flush()
        print(f"// minbase: {sum(size.get(n, 0) for n in base)} kB", file=sys.stderr)
        for label, packages in [("buildpack-deps", BUILDPACK)]:
            added = simulate(status.name, packages, False)
            print(f"// {label}: {sum(size.get(n, 0) for n in added or [])} kB", file=sys.stderr)
        for name in PACKAGES:
            lean = simulate(status.name, [name], False)
            full = simulate(status.name, [name], True)
            if lean is None or full is None:
                print(f"// {name}: not in bookworm", file=sys.stderr)
                continue
            weigh = lambda names: sum(size.get(n, 0) for n in names)
            print(f'    ("{name}", {weigh(lean)}, {weigh(full - lean)}),', flush=True)


if __name__ == "__main__":
    main()
