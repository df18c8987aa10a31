#!/usr/bin/env python3
"""Makes the first inputs of every target: small, and as real tools write them.

Usage: fuzz/seeds.py FOLDER   (a folder per target is made in it)

Needs gcc and zstd beside Python 3.11 or newer.
"""

import gzip
import hashlib
import io
import json
import lzma
import pathlib
import struct
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zlib

LIMIT = 4096
ROOM = pathlib.Path(__file__).parent.parent
DEBIAN = ROOM / "crates/core/src/source/debian/testdata"


def main():
    out = pathlib.Path(sys.argv[1])
    for target, seeds in [
        ("layer", layer()),
        ("elf", elf()),
        ("packages", packages()),
        ("imports", imports()),
    ]:
        folder = out / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds:
            (folder / f"seed-{name}").write_bytes(content)


def tar(members, form=tarfile.GNU_FORMAT, pad=1024):
    """A tar of (name, kind, content or target, pax) without the padding to
    whole records."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form) as archive:
        for name, kind, content, pax in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.mode = 0o755
            info.pax_headers = pax
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = content
                archive.addfile(info)
            elif kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
                info.devmajor, info.devminor = content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        end = archive.offset
    return raw.getvalue()[:end] + bytes(pad)


def file(name, content=b"", **pax):
    return (name, tarfile.REGTYPE, content, {key.replace("__", "."): v for key, v in pax.items()})


def sparse_header(regions, size, stored):
    """GNU's own notation of a sparse file."""
    block = bytearray(512)
    block[:6] = b"sparse"
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = b"%011o\0" % stored
    block[136:148] = b"%011o\0" % 0
    block[156:157] = b"S"
    block[257:265] = b"ustar  \0"
    for nth, (offset, length) in enumerate(regions[:4]):
        block[386 + 24 * nth : 410 + 24 * nth] = b"%011o\0%011o\0" % (offset, length)
    block[482] = len(regions) > 4
    block[483:495] = b"%011o\0" % size
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def layer():
    small = [
        ("etc", tarfile.DIRTYPE, b"", {}),
        file("etc/a", b"content\n"),
        ("etc/link", tarfile.SYMTYPE, "../usr/lib/x", {}),
        ("etc/hard", tarfile.LNKTYPE, "etc/a", {}),
        file("etc/.wh.gone"),
        file("opt/.wh..wh..opq"),
    ]
    plain = tar(small)
    yield "gnu", plain
    yield "ustar", tar(small, tarfile.USTAR_FORMAT)
    yield "long", tar([file("d/" * 60 + "x", b"y"), ("l", tarfile.SYMTYPE, "t/" * 70, {})])
    yield "long-ustar", tar([file("d/" * 60 + "x", b"y")], tarfile.USTAR_FORMAT)
    yield "long-pax", tar([file("d/" * 60 + "\u00e9", b"y")], tarfile.PAX_FORMAT)
    yield "pax", tar(
        [
            file(
                "ping",
                b"x",
                SCHILY__xattr__security__capability="\1\0\0\2\0\x20\0\0\0\0",
                SCHILY__xattr__user__note="a\nb",
                mtime="1700000000.5",
                uid="70000",
            )
        ],
        tarfile.PAX_FORMAT,
    )
    yield "devices", tar(
        [
            ("dev/null", tarfile.CHRTYPE, (1, 3), {}),
            ("dev/sda", tarfile.BLKTYPE, (8, 0), {}),
            ("run/pipe", tarfile.FIFOTYPE, b"", {}),
        ]
    )
    yield "sparse-old", sparse_header([(0, 4), (512, 4)], 1024, 8) + b"datadata".ljust(512, b"\0") + bytes(1024)
    more = [(n * 8, 1) for n in range(6)]
    extension = b"".join(b"%011o\0%011o\0" % pair for pair in more[4:]).ljust(512, b"\0")
    yield "sparse-extended", sparse_header(more, 64, 6) + extension + b"abcdef".ljust(512, b"\0") + bytes(1024)
    numbers = dict(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__name="s", GNU__sparse__realsize="1024")
    content = b"2\n0\n4\n512\n4\n".ljust(512, b"\0") + b"datadata"
    yield "sparse-1.0", tar([file("GNUSparseFile.0/s", content, **numbers)], tarfile.PAX_FORMAT)
    numbers = dict(GNU__sparse__numblocks="2", GNU__sparse__map="0,4,512,4", GNU__sparse__size="1024")
    yield "sparse-0.1", tar([file("s", b"datadata", **numbers)], tarfile.PAX_FORMAT)
    # Base-256 numbers.
    big = bytearray(tar([file("big", b"x")]))
    big[108:116] = b"\x80" + (1 << 40).to_bytes(7, "big")
    big[148:156] = b"        "
    big[148:156] = b"%06o\0 " % sum(big[:512])
    yield "base256", bytes(big)
    yield "gzip", gzip.compress(plain, mtime=0)
    yield "gzip-two", gzip.compress(plain[:700], mtime=0) + gzip.compress(plain[700:], mtime=0)
    yield "zstd", command(["zstd", "-q"], plain)
    for packed, suffix in [(gzip.compress(tar(small[:2]), mtime=0), "+gzip"), (tar(small[1:2], pad=0), "")]:
        yield f"oci{suffix or '-plain'}", oci_archive(packed, tar(small[:2]) if suffix else packed, suffix)
        yield f"docker{suffix or '-plain'}", docker_archive(tar(small[:2]) if suffix else packed)


def digest(content):
    return hashlib.sha256(content).hexdigest()


def config(diff_id):
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/a"], "Env": ["A=b"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + diff_id]},
        }
    ).encode()


def oci_archive(packed, plain, suffix):
    kind = "application/vnd.oci.image."

    def of(media, content, **more):
        return {"mediaType": kind + media, "digest": "sha256:" + digest(content), "size": len(content), **more}

    documents = config(digest(plain))
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": of("config.v1+json", documents),
            "layers": [of("layer.v1.tar" + suffix, packed)],
        }
    ).encode()
    platform = {"architecture": "amd64", "os": "linux"}
    index = json.dumps({"schemaVersion": 2, "manifests": [of("manifest.v1+json", manifest, platform=platform)]}).encode()
    blobs = [file("blobs/sha256/" + digest(b), b) for b in (documents, manifest, packed)]
    return tar([file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), file("index.json", index), *blobs], pad=0)


def docker_archive(plain):
    documents = config(digest(plain))
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l/layer.tar"]}]).encode()
    return tar(
        [file("c.json", documents), file("l/layer.tar", plain), file("manifest.json", manifest)],
        pad=0,
    )


def command(words, content):
    return subprocess.run(words, input=content, stdout=subprocess.PIPE, check=True).stdout


C = r"""
int puts(const char *); void *iconv_open(const char *, const char *);
int getaddrinfo(void *, void *, void *, void *);
const char *where = "/usr/share/zoneinfo", *lib = "libdl.so.2", *set = "EUC-JP";
int f(int x) { puts(where); iconv_open(set, lib); return getaddrinfo(0, 0, 0, 0); }
int main() { return f(1); } void _start() { main(); }
"""
TIGHT = ["-nostdlib", "-Os", "-fno-asynchronous-unwind-tables", "-Wl,-z,noseparate-code", "-Wl,--build-id=none", "-Wl,-z,max-page-size=512", "-Wl,-z,common-page-size=512", "-Wl,-z,norelro"]


def build(*options, source=C):
    with tempfile.TemporaryDirectory() as folder:
        out = folder + "/out"
        words = ["gcc", "-x", "c", "-", "-o", out, "-Wl,--unresolved-symbols=ignore-all", *TIGHT, *options]
        words.append(f"-fdebug-prefix-map={folder}=/build/source")
        subprocess.run(words, input=source.encode(), check=True, stderr=subprocess.DEVNULL, cwd=folder)
        return pathlib.Path(out).read_bytes()


def elf():
    yield "library", build("-shared", "-fPIC", "-Wl,-soname,libx.so.1", "-Wl,-s", "-Wl,-rpath,$ORIGIN/../lib")
    yield "library-symbols", build("-shared", "-fPIC", "-Wl,-rpath,/opt", "-Wl,--enable-new-dtags")
    yield "program", build("-pie", "-fPIE", "-Wl,-dynamic-linker,/lib64/ld-linux-x86-64.so.2")
    yield "program-debug", build("-no-pie", "-g1", source="void _start() {}")
    yield "static", build("-static", "-Wl,-s", source="void _start() {}")
    yield "cut", b"\x7fELF\2\1\1".ljust(64, b"\0")
    yield "class32", class32()
    strings = b"libz.so.1\0/opt/libz.so.1\0"
    cache = b"glibc-ld.so.cache1.1" + struct.pack("<II", 1, len(strings)) + bytes([2]) + bytes(19)
    cache += struct.pack("<iIIIQ", 3, 72, 82, 0, 0) + strings
    yield "cache", cache
    yield "cache-old", b"ld.so-1.7.0\0" + struct.pack("<I", 1) + bytes(12) + bytes(4) + cache
    yield "conf", b"# c\ninclude /etc/ld.so.conf.d/*.conf\n/usr/local/lib, /opt=libc6\nhwcap 0 x\n"
    yield "nsswitch", b"passwd: files systemd\nhosts: files mdns4_minimal [NOTFOUND=return] dns # x\n"
    yield "gconv", b"alias LATIN9// ISO-8859-15//\nmodule ISO-8859-15// INTERNAL ISO8859-15 1\n"


def class32():
    """A program for a 32-bit big-endian machine, by hand."""
    interp = b"/lib/ld.so.1\0\0\0\0"
    strings = b"\0libc.so.6\0\0"
    at = 52 + 3 * 32
    dynamic_at = at + len(interp) + len(strings)
    tags = [(1, 1), (5, 0x10000 + at + len(interp)), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack(">II", *tag) for tag in tags)
    total = dynamic_at + len(dynamic)

    def segment(kind, offset, size):
        return struct.pack(">8I", kind, offset, 0x10000 + offset, 0x10000 + offset, size, size, 5, 0x1000 if kind == 1 else 4)

    header = b"\x7fELF\1\2\1".ljust(16, b"\0")
    header += struct.pack(">HHIIIIIHHHHHH", 2, 20, 1, 0x10000, 52, 0, 0, 52, 32, 3, 40, 0, 0)
    header += segment(1, 0, total) + segment(3, at, len(interp)) + segment(2, dynamic_at, len(dynamic))
    return header + interp + strings + dynamic


STANZAS = """\
Package: libc6
Version: 2.36-9+deb12u10
Architecture: amd64
Priority: optional
Depends: libgcc-s1 (>= 3.0), libcrypt1:any (<< 1:4.4.10-10~) | x [amd64]
Pre-Depends: a
Provides: libc6-x (= 2.36), awk
Filename: pool/main/g/glibc/libc6_2.36-9_amd64.deb
Size: 2757000
SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
Description: words
 and: more
 .
 end

Package: mawk
Version: 1.3.4.20200120-3.1
Architecture: all
Provides: awk
Filename: pool/m.deb
Size: 1
SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

"""
RELEASE = """\
Origin: Debian
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC
Acquire-By-Hash: yes
Architectures: all amd64
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 738242 main/Contents
"""
SOURCES = """\
Types: deb deb-src
# between
URIs: http://one/debian http://two/debian
Suites: bookworm bookworm-updates
Components: main
Enabled: yes
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
"""
LIST = "deb [arch=amd64 signed-by=/k/a.gpg,/k/b.gpg] http://one/debian bookworm main # x\n"


def deb(name, packed):
    def member(name, content):
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        return header + content + b"\n" * (len(content) % 2)

    return b"!<arch>\n" + member("debian-binary", b"2.0\n") + member("control.tar" + name, packed[0]) + member("data.tar" + name, packed[1])


def packages():
    yield "packages", STANZAS.encode()
    line = "libc6\t2.36\tamd64\t3\tpool/l.deb\t7\t" + "0" * 64 + "\ta (>= 1), b\tawk (= 1)\n"
    yield "index", f"whit package index 1\n{line}\n\nawk\tlibc6\n".encode()
    yield "release", RELEASE.encode()
    yield "sources", SOURCES.encode()
    yield "list", LIST.encode()
    for signed in sorted(DEBIAN.glob("*.asc")) + sorted(DEBIAN.glob("*.gpg")):
        yield signed.stem + signed.suffix.replace(".", "-"), signed.read_bytes()
    control = tar(
        [
            file("./control", b"Package: a\nVersion: 1\nArchitecture: all\n"),
            file("./conffiles", b"/etc/a\nremove-on-upgrade /etc/b\n"),
            file("./md5sums", b"d41d8cd98f00b204e9800998ecf8427e  usr/x\n"),
        ],
        pad=0,
    )
    data = tar([file("./usr/x", b"content"), ("./usr/y", tarfile.SYMTYPE, "x", {})], pad=0)
    text = STANZAS.encode()
    for name, pack in [
        ("", lambda content: content),
        (".gz", lambda content: gzip.compress(content, mtime=0)),
        (".xz", lambda content: lzma.compress(content, check=lzma.CHECK_CRC32)),
        (".zst", lambda content: command(["zstd", "-q"], content)),
    ]:
        yield "deb" + name.replace(".", "-"), deb(name, (pack(control), pack(data)))
        if name:
            yield "text" + name.replace(".", "-"), pack(text)


PYTHON = '''\
from __future__ import annotations
import sys, os.path as path, importlib
from ..up import (a, b as c)
from . import *
__all__ = ["x", "y"]
if sys.platform == "win32" and not os.name != "nt" or sys.version_info[:2] >= (3, 8):
    import winreg
if TYPE_CHECKING: import typing
try:
    import fast
except ImportError:
    import slow as fast
else:
    pass
def __getattr__(name):
    if name in {"lazy"}:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError
class A(B, metaclass=C):
    @property
    async def f(self, *a, k: int = lambda x, y=1: x, **kw) -> "D":
        async with a as b, c: await d
        return [i async for i in j if not i], {**k}, {1: 2}, x[1:2, ...]
match x:
    case {"a": [1, *_]} | A(b=2) as q if q: pass
print(f"{x!r:>{width}} {{}} {'n' + "m"}", t"{y}", b"\\x00", 1_0j, r"\\")
subprocess.run(["python", "-m", "pip"]); os.system("ls | cat")
ctypes.CDLL(ctypes.util.find_library("c"))
x = `1`; exec "python 2"; print >>f, "x"
global y; del z; assert (w := 3)
if __name__ == "__main__": main()
'''
STDLIB = ["this", "keyword", "sched", "colorsys", "bisect", "stat", "struct", "token", "__future__", "copyreg", "opcode", "nturl2path", "pty", "tty", "sre_compile", "crypt", "antigravity", "imghdr"]


def imports():
    yield "all", PYTHON.encode()
    yield "latin", b"# -*- coding: latin-1 -*-\nimport caf\xe9\nx = '\xe9'\n"
    yield "deep", b"x = " + b"[-(not " * 60 + b"1" + b")]" * 60 + b"\n"
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    for name in STDLIB:
        source = library / f"{name}.py"
        if source.exists():
            yield name, source.read_bytes()[:LIMIT]
    for package in ["json", "concurrent/futures", "multiprocessing", "xml/sax", "importlib"]:
        yield package.replace("/", "-"), (library / package / "__init__.py").read_bytes()[:LIMIT]
    names = b"__test__ cline_in_traceback asyncio.coroutines pandas._libs numpy.core " * 8
    yield "cython", b"\x7fELF\0pyx_\0datetime\0pandas._libs\0asyncio.coroutines\0" + zlib.compress(names, 9) + bytes(32)
    # Eight literals, then references back.
    yield "lzss", b"pyx_\0\xff__test__" + b"\x00\x05" * 64 + b"\xffabcdefgh" * 40 + bytes(32)
    yield "glued", b"PanicException\0" + b"decimaluuidzoneinfo" * 40 + bytes(4)


if __name__ == "__main__":
    main()
