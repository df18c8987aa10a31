"""What a Python program may expect of the interpreter that runs it.

Each subcommand tries one field and prints JSON; scripts/behaviour.py runs them
all under the distribution's interpreter and under an executable that whit made,
and prints what differs. Answers are relations and names, never paths or numbers
that depend on where the app lies.
"""

import errno
import inspect
import io
import json
import mmap
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE / "sample" / "data"
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def tried(function, *args, **options):
    """What came back, or the error's name (of the system's, its number's)."""
    try:
        return function(*args, **options)
    except OSError as error:
        return f"{type(error).__name__} {errno.errorcode.get(error.errno, error.errno)}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def python(*args, stdin="", env=(), cwd=None):
    """Runs the interpreter that runs us; status, output and the last line of errors."""
    import subprocess

    done = subprocess.run(
        [sys.executable, *args], input=stdin, capture_output=True, text=True,
        env=os.environ | dict(env), cwd=cwd, timeout=60,
    )
    return [done.returncode, done.stdout, done.stderr.strip().split("\n")[-1]]


# Programs and processes.


@case
def executable():
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text("import sys, other; print(__name__, sys.argv[1:], other.x)")
        Path(folder, "other.py").write_text("x = 1")
        Path(folder, "__main__.py").write_text("print('the folder itself')")
        return {
            "absolute": os.path.isabs(sys.executable),
            "can be run": os.access(sys.executable, os.X_OK),
            "-c": python("-c", "import sys; print(sys.argv, __name__)", "a", "-b"),
            "-m": python("-m", "json.tool", stdin='{"a": 1}'),
            "-m of the app": python("-m", "sample.plugin", env={"PYTHONPATH": str(HERE)}),
            "-m of nothing": python("-m", "no_such_module")[0],
            "-": python("-", "x", stdin="import sys; print(sys.argv)"),
            "script": python(str(script), "--flag"),
            "folder": python(folder),
            "no such script": python(str(script) + "x")[0],
            "version": python("-V")[1].startswith("Python 3."),
            "same prefix": python("-c", "import sys; print(sys.prefix)")[1].strip() == sys.prefix,
            "child of a child": python(
                "-c", "import subprocess as s, sys; s.run([sys.executable, '-c', 'print(42)'])"
            ),
        }


@case
def flags():
    loud = "import warnings; warnings.warn('old', DeprecationWarning); print('after')"
    return {
        "-X importtime": "import time:" in python("-X", "importtime", "-c", "import json")[2],
        "-X dev": python("-X", "dev", "-c", "import sys; print(sys.flags.dev_mode)"),
        "-X utf8=0": python("-X", "utf8=0", "-c", "import sys; print(sys.flags.utf8_mode)"),
        "-W error": python("-W", "error", "-c", loud),
        "-O": python("-O", "-c", "assert False; print(__debug__)"),
        "-OO": python("-OO", "-c", "def f(): 'text'\nprint(f.__doc__)"),
        "-I": python("-I", "-c", "import sys; print(sys.flags.isolated, '' in sys.path)"),
        "-S": python("-S", "-c", "import sys; print('site' in sys.modules)"),
        "-E": python("-E", "-c", "import sys; print(sys.flags.ignore_environment)"),
        "-s": python("-s", "-c", "import sys; print(sys.flags.no_user_site)"),
        "-B": python("-B", "-c", "import sys; print(sys.dont_write_bytecode)"),
        "-P": python("-P", "-c", "import sys; print('' in sys.path)"),
        "-u": python("-u", "-c", "import os, sys; sys.stdout.write('x'); os._exit(0)"),
        "-v": python("-v", "-c", "import colorsys")[0],
        "-i": python("-i", "-c", "x = 6", stdin="print(x * 7)\n")[:2],
        "no flag": python("--no-such-flag", "-c", "")[0],
        "help": "usage:" in python("-h")[1],
    }


@case
def execute():
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-c", "import sys; print('{\"new\": %d}' % len(sys.argv))"])


def square(number):
    return number * number


def answer(queue, number):
    queue.put([number, __name__ != "__main__", "sample" in sys.modules])


def fails():
    raise ValueError("on purpose")


def processes(method):
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=answer, args=(queue, 7))
    process.start()
    got = queue.get(timeout=60)
    process.join()
    stuck = context.Process(target=time.sleep, args=(60,))
    stuck.start()
    stuck.terminate()
    stuck.join()
    with context.Pool(2) as pool, context.Manager() as manager:
        squares = pool.map(square, range(4))
        error = tried(pool.apply, fails)
        shared = manager.dict(a=1).copy()
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        squares.append(executor.submit(square, 9).result())
    return {
        "answer": got if method != "fork" else got[:1], "exit": process.exitcode,
        "terminated": stuck.exitcode, "pool": squares, "error": error, "manager": shared,
    }


@case
def spawn():
    return processes("spawn")


@case
def forkserver():
    return processes("forkserver")


@case
def fork():
    return processes("fork")


def shout(name, text):
    from multiprocessing import shared_memory

    block = shared_memory.SharedMemory(name)
    block.buf[:] = text.upper().encode().ljust(len(block.buf), b"\0")
    block.close()


@case
def shared_memory():
    import multiprocessing
    from multiprocessing import shared_memory

    block = shared_memory.SharedMemory(create=True, size=64)
    block.buf[:2] = b"ok"
    other = shared_memory.SharedMemory(block.name)
    seen = {"here": bytes(other.buf[:2]).decode()}
    for method in ("fork", "spawn", "forkserver"):
        process = multiprocessing.get_context(method).Process(target=shout, args=(block.name, method))
        process.start()
        process.join()
        seen[method] = bytes(block.buf).rstrip(b"\0").decode()
    other.close()
    block.close()
    block.unlink()
    return {**seen, "gone": tried(shared_memory.SharedMemory, block.name)}


@case
def threads():
    def deep(level):
        # Through C, which uses the thread's own stack.
        return level if level == 0 else sorted([level], key=lambda _: deep(level - 1)) and level

    def run(level, size):
        found = []
        threading.stack_size(size)
        thread = threading.Thread(target=lambda: found.append(tried(deep, level)))
        thread.start()
        thread.join()
        threading.stack_size(0)
        return found[0]

    found = {"limit": sys.getrecursionlimit(), "default stack": run(450, 0), "too deep": run(5000, 0)[:14]}
    found["nested JSON"] = tried(json.loads, "[" * 100_000)[:14]
    sys.setrecursionlimit(20_000)
    found["large stack"] = run(9000, 256 * 2**20)
    return found


@case
def signals():
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
    time.sleep(0.1)
    return {
        "seen": seen,
        "pipe": signal.getsignal(signal.SIGPIPE).name,
        "int": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    }


# How it ends; the status and the errors are the answer.


@case
def end(how="0"):
    import atexit

    atexit.register(print, "at exit")
    print("begun", flush=True)
    if how == "raise":
        fails()
    elif how == "text":
        sys.exit("an end with a text")
    elif how == "abort":
        os.abort()
    elif how == "wait":
        time.sleep(60)
    elif how == "thread":
        threading.Thread(target=fails).start()
    elif how == "pipe":
        os.close(1)
        print("nobody reads this")
    elif how == "_exit":
        os._exit(5)
    else:
        sys.exit(int(how))


# Settings.


FLAGS = """debug inspect interactive optimize dont_write_bytecode no_user_site no_site
ignore_environment verbose bytes_warning hash_randomization isolated dev_mode utf8_mode
safe_path int_max_str_digits""".split()


@case
def variables():
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        loud = tried(warnings.warn, "old", DeprecationWarning)
    return {
        "flags": {name: getattr(sys.flags, name) for name in FLAGS},
        "hash": hash("text") if os.environ.get("PYTHONHASHSEED", "random") != "random" else None,
        "path": [entry for entry in sys.path if "from-variable" in entry],
        "bytecode": sys.dont_write_bytecode,
        "warned": [loud, len(caught), sys.warnoptions],
        "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through] for s in (sys.stdout, sys.stderr)],
        "x options": sys._xoptions,
        "prefix": [sys.pycache_prefix, sys.platlibdir],
    }


@case
def encoding():
    import locale

    name = "Żółć.txt"
    with tempfile.TemporaryDirectory() as folder:
        made = tried(lambda: Path(folder, name).write_text("x"))
        listed = sorted(os.listdir(os.fsencode(folder)))
    return {
        "utf8 mode": sys.flags.utf8_mode,
        "file names": [sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()],
        "preferred": [locale.getpreferredencoding(False), locale.getencoding()],
        "set": {one: tried(locale.setlocale, locale.LC_ALL, one) for one in ["", "C", "C.UTF-8", "xx_XX"]},
        "streams": [s.encoding for s in (sys.stdin, sys.stdout, sys.stderr)],
        "file": [made, ascii(listed)],
        "arguments": ascii(sys.argv[2:]),
        "month": time.strftime("%B", (2024, 2, 1, 0, 0, 0, 0, 0, 0)),
    }


@case
def main_module():
    import __main__

    return {
        "name": __name__,
        "same": __main__.case is case,
        "file": os.path.basename(__file__),
        "spec": __main__.__spec__ is None,
        "package": __main__.__package__,
        "path": os.path.realpath(sys.path[0]) == str(HERE),
        "argv": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
        "builtins": [name in dir(__builtins__) for name in ("exit", "quit", "help", "license")],
        "site": "site" in sys.modules,
        "interactive": hasattr(sys, "ps1"),
        "frozen": getattr(sys, "frozen", False),
    }


# The network and users.


@case
def network():
    import socket
    import ssl

    paths = ssl.get_default_verify_paths()
    context = ssl.create_default_context()
    return {
        "localhost": sorted({entry[4][0] for entry in tried(socket.getaddrinfo, "localhost", 80)}),
        "number": tried(socket.getaddrinfo, "127.0.0.1", "http")[0][4] == ("127.0.0.1", 80),
        "service": tried(socket.getservbyname, "https"),
        "protocol": tried(socket.getprotobyname, "tcp"),
        "nobody": tried(socket.getaddrinfo, "no-such-name.invalid", 80).split(":")[0].split()[0],
        "name": socket.gethostname() == os.uname().nodename,
        "TLS": [paths.openssl_cafile, paths.openssl_capath, paths.openssl_cafile_env],
        "roots": len(context.get_ca_certs()) > 50,
        "versions": [ssl.HAS_TLSv1_3, context.minimum_version.name, ssl.HAS_ALPN],
        "ciphers": sorted(cipher["name"] for cipher in context.get_ciphers()),
    }


@case
def users():
    import getpass
    import grp
    import pwd

    return {
        "name": tried(getpass.getuser),
        "root": tried(lambda: pwd.getpwnam("root").pw_dir),
        "nobody": tried(pwd.getpwuid, 4_000_000),
        "group": tried(lambda: grp.getgrgid(0).gr_name),
        "home": [os.path.expanduser("~root"), os.path.expanduser("~no-such-user")],
    }


# The app's own files.


@case
def resources():
    import importlib.metadata as metadata
    import importlib.resources as resources
    import pkgutil

    import sample

    files = resources.files("sample")
    with resources.as_file(files / "data" / "text.txt") as path:
        real = [path.read_text(), os.path.exists(path), path.stat().st_size]
    with resources.as_file(files / "data" / "nested") as path:
        folder = sorted(os.listdir(path))
    points = metadata.entry_points(group="behaviour.plugins")
    return {
        "text": files.joinpath("data/text.txt").read_text("utf-8"),
        "listed": sorted(entry.name for entry in (files / "data").iterdir()),
        "kinds": [(files / "data").is_dir(), (files / "data").is_file(), (files / "none").is_file()],
        "missing": tried((files / "none.txt").read_text),
        "file": real, "folder": folder,
        "old": [resources.read_text("sample", "__init__.py")[:3], resources.is_resource("sample", "plugin.py")],
        "get_data": len(pkgutil.get_data("sample", "data/blob.bin")),
        "modules": sorted(module.name for module in pkgutil.iter_modules(sample.__path__)),
        "version": [metadata.version("behaviour"), metadata.version("tzdata").count(".")],
        "metadata": metadata.metadata("behaviour")["Summary"],
        "files": len(metadata.files("tzdata")) > 500,
        "nobody": tried(metadata.version, "no-such-package"),
        "plugins": [point.load()("x") for point in points],
        "spec": [sample.__spec__.name, bool(sample.__spec__.has_location), os.path.basename(sample.__file__)],
        "loader": hasattr(sample.__loader__, "get_data"),
    }


@case
def files():
    import sqlite3
    import zipfile

    text = DATA / "text.txt"
    with open(DATA / "blob.bin", "rb") as blob, mmap.mmap(blob.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapping = [len(mapped), mapped[1000], mapped.find(bytes([7, 8]))]
    with zipfile.ZipFile(DATA / "words.zip") as archive:
        words = archive.read("a.txt").decode()
    base = sqlite3.connect(f"file:{DATA / 'table.db'}?mode=ro", uri=True)
    rows = base.execute("select * from words order by 1").fetchall()
    with open(text, "rb") as file:
        file.seek(-4, os.SEEK_END)
        tail = [file.read().decode("ascii"), file.tell(), file.seekable(), os.fstat(file.fileno()).st_size]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(DATA, Path(folder, "copy"))
        copied = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))
        shutil.copy(text, folder)
        copied.append(Path(folder, "text.txt").read_text())
    descriptor = os.open(text, os.O_RDONLY)
    raw = [ascii(os.read(descriptor, 5)), ascii(os.pread(descriptor, 4, 5))]
    os.close(descriptor)
    folder = os.open(DATA, os.O_RDONLY | os.O_DIRECTORY)
    relative = tried(os.stat, "text.txt", dir_fd=folder)
    os.close(folder)
    here = os.getcwd()
    moved = tried(os.chdir, DATA) or open("text.txt").read()
    os.chdir(here)
    return {
        "open": open(text, encoding="utf-8").read(),
        "by module": len(open(os.path.join(os.path.dirname(inspect.getfile(case)), "main.py")).read()) > 1000,
        "listed": sorted(os.listdir(DATA)),
        "scanned": sorted((entry.name, entry.is_dir()) for entry in os.scandir(DATA)),
        "walked": sorted(name for _, folders, names in os.walk(DATA) for name in folders + names),
        "globbed": sorted(path.name for path in DATA.glob("**/*.txt")),
        "stat": [os.stat(text).st_size, text.is_file(), oct(os.stat(text).st_mode)[:4], text.stat().st_mtime > 0],
        "mapped": mapping, "zip": words, "rows": rows, "tail": tail, "copied": copied,
        "raw": raw, "relative": getattr(relative, "st_size", relative), "moved": moved,
        "exists": [os.path.exists(DATA / "none"), os.path.lexists(DATA / "none"), (DATA / "nested").exists()],
        "access": [os.access(text, os.R_OK), os.access(text, os.X_OK), os.access(DATA / "none", os.F_OK)],
        "dots": open(DATA / "nested" / ".." / "text.txt").read() == open(text).read(),
        "same": os.path.samefile(text, DATA / "nested" / ".." / "text.txt"),
        "real": os.path.realpath(text) == str(text),
        "url": __import__("urllib.request").request.urlopen(text.as_uri()).read().decode(),
        "child": python("-c", f"print(open({str(text)!r}).read())"),
    }


@case
def descriptors():
    """What is changed by its descriptor, as servers touch a heartbeat file."""
    with tempfile.TemporaryFile() as file:
        number = file.fileno()
        os.write(number, b"0123456789")
        os.ftruncate(number, 5)
        os.fchmod(number, 0o640)
        return {
            "times": tried(os.utime, number, (1, 2)) or os.fstat(number).st_mtime,
            "now": tried(os.utime, number) or os.fstat(number).st_mtime > 2,
            "mode": oct(os.fstat(number).st_mode),
            "size": os.stat(number).st_size,
            "space": os.fstatvfs(number).f_bsize > 0,
        }


@case
def refused():
    """What does not go, and the error that says so."""
    text = DATA / "text.txt"
    made = tried(open, DATA / "new", "x")
    if not isinstance(made, str):
        os.unlink(DATA / "new")
        return "the app's own files can be written: the rest would do it"
    return {
        "a new file": made,
        "a folder": tried(open, DATA),
        "nothing": tried(open, DATA / "none"),
        "in no folder": tried(open, DATA / "none/new", "w"),
        "below a file": tried(open, text / "x"),
        "listing a file": tried(os.listdir, text),
        "listing nothing": tried(os.listdir, DATA / "none"),
        "writing": tried(open, text, "w"),
        "adding": tried(open, text, "a"),
        "a new folder": tried(os.mkdir, DATA / "new"),
        "removing": tried(os.unlink, text),
        "removing a folder": tried(os.rmdir, DATA / "nested"),
        "renaming": tried(os.rename, text, DATA / "new"),
        "renaming a folder": tried(os.rename, DATA / "nested", DATA / "new"),
        "replacing": tried(os.replace, text, DATA / "table.db"),
        "cutting": tried(os.truncate, text, 1),
        "another name": tried(os.link, text, DATA / "new"),
        "a new link": tried(os.symlink, "text.txt", DATA / "new"),
        "mode": tried(os.chmod, text, 0o600),
        "times": tried(os.utime, text),
        "a link": tried(os.readlink, text),
        "writable": os.access(DATA, os.W_OK),
        "a module": tried(__import__, "sample.none"),
    }


# Sources.


@case
def source():
    import linecache

    import sample.plugin

    out = io.StringIO()
    try:
        sample.plugin.shout(None)
    except AttributeError:
        traceback.print_exc(file=out)
    lines = [line.strip() for line in out.getvalue().splitlines()]
    return {
        "function": inspect.getsource(square),
        "module": inspect.getsource(sample.plugin)[:40],
        "line": inspect.getsourcelines(sample.plugin.shout)[1],
        "linecache": linecache.getline(sample.plugin.__file__, 1),
        "traceback": [line for line in lines if not line.startswith("File")],
        "places": [line.rsplit("/", 1)[-1] for line in lines if line.startswith("File")],
        "doc": sample.plugin.shout.__doc__,
    }


# The library.


@case
def native():
    import ctypes
    import ctypes.util

    numbers = (ctypes.c_int * 3)(3, 1, 2)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))

    def sort():
        ctypes.CDLL(None).qsort(numbers, 3, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
        return list(numbers)

    return {
        "own": tried(lambda: ctypes.CDLL(None).getpid() == os.getpid()),
        "callback": tried(sort),
        "api": tried(lambda: ctypes.pythonapi.Py_IsInitialized()),
        "nothing": tried(ctypes.CDLL, "libno-such.so.1").split(":")[0],
        "libc": tried(lambda: ctypes.CDLL("libc.so.6").abs(-3)),
    }


@case
def logs():
    import logging.config

    logging.config.dictConfig({
        "version": 1,
        "formatters": {"own": {"()": "sample.plugin.Formatter"}, "plain": {"format": "%(name)s %(message)s"}},
        "handlers": {
            "out": {"class": "logging.StreamHandler", "formatter": "own", "stream": "ext://sys.stdout"},
            "memory": {"class": "logging.handlers.MemoryHandler", "capacity": 1, "target": "out"},
        },
        "root": {"level": "INFO", "handlers": ["memory"]},
    })
    logging.getLogger("app").info("a %s", "line")
    record = logging.getLogger("app").makeRecord("app", 20, *logging.getLogger("app").findCaller()[:2], "", (), None)
    return [record.filename, record.module]


@case
def times():
    import datetime
    import zoneinfo

    found = {}
    for zone in ["Europe/Berlin", "Pacific/Chatham", "CET-1CEST,M3.5.0,M10.5.0/3", "Mars/Base", "UTC"]:
        os.environ["TZ"] = zone
        time.tzset()
        there = time.localtime(1_720_000_000)
        found[zone] = [time.tzname, there.tm_hour, time.timezone, time.strftime("%Z %z", there)]
    july = datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("America/New_York"))
    return {
        "libc": found, "zoneinfo": july.isoformat(),
        "child": python("-c", "import time; print(time.localtime(1_720_000_000).tm_hour)", env={"TZ": "Asia/Tokyo"}),
        "zones": len(zoneinfo.available_timezones()) > 400,
        "none": tried(zoneinfo.ZoneInfo, "Mars/Base").split(":")[0],
        "parsed": datetime.datetime.strptime("1 Feb 2024", "%d %b %Y").isoformat(),
    }


@case
def letters():
    import encodings.aliases
    import unicodedata

    sample = "Zażółć gęślą jaźń, ñ, ß, €, 漢字, кот"
    trips = {}
    for name in sorted(set(encodings.aliases.aliases.values())):
        if name == "mbcs" or name == "oem":
            continue
        trips[name] = tried(lambda: __import__("zlib").crc32(sample.encode(name, "replace")))
        trips[name + " back"] = tried(lambda: b"abc".decode(name, "replace"))
    return {
        "codecs": trips,
        "idna": "bücher.example".encode("idna").decode(),
        "names": [unicodedata.lookup("SNOWMAN"), unicodedata.name("ß"), unicodedata.unidata_version],
        "normal": [ascii(unicodedata.normalize(form, "ﬁ Å 한")) for form in ("NFC", "NFD", "NFKC", "NFKD")],
        "escape": "\N{GREEK SMALL LETTER ALPHA}",
        "case": ["Straße".casefold(), "İ".lower(), "ǆ".title()],
    }


@case
def digests():
    import hashlib

    def digest(name):
        hashed = hashlib.new(name, b"text", usedforsecurity=False)
        return hashed.hexdigest(16) if hashed.digest_size == 0 else hashed.hexdigest()

    return {
        "available": {name: tried(digest, name) for name in sorted(hashlib.algorithms_available)},
        "guaranteed": sorted(hashlib.algorithms_guaranteed),
        "scrypt": hashlib.scrypt(b"a", salt=b"b", n=4, r=8, p=1).hex()[:16],
        "pbkdf2": hashlib.pbkdf2_hmac("sha256", b"a", b"b", 9).hex()[:16],
    }


@case
def library():
    """Every module of the standard library: does it import?"""
    import importlib
    import warnings

    warnings.simplefilter("ignore")
    skipped = {"antigravity", "this", "idlelib", "lib2to3", "turtledemo", "test"}
    names = sorted(name for name in sys.stdlib_module_names if name not in skipped)
    return {name: tried(lambda: importlib.import_module(name) and "ok") for name in names}


def main():
    if len(sys.argv) == 1:
        print("\n".join(CASES))
        return
    name, *args = sys.argv[1:]
    takes = inspect.signature(CASES[name]).parameters
    print(json.dumps(CASES[name](*args[: len(takes)]), indent=1, sort_keys=True, default=str))


if __name__ == "__main__":
    main()
