"""Stands in for the C and C++ compilers while a source distribution is built.

Every object is compiled for a static executable. Where the build links a shared
object, it gets one relocatable object instead, in the same place and with the
same name, so that it travels through any build backend into the wheel as the
extension module would. Which libraries it needs stands in a section of it.

    record.py build TREE OUT COMMAND...  runs a build that installs into TREE
    record.py cc|c++ ARGUMENT...         as the compiler would be called, by the build
    record.py finish TREE OUT            what TREE has: OUT/objects.json and objects

Whatever is not a step towards an extension module (questions about the compiler,
tests of a configure script, programs) is answered by the real compiler.

Variables: WHIT_CC and WHIT_CXX are the real compilers (without the latter, C++ is
compiled by `build` with glibc's compiler and musl's headers),
WHIT_FLAGS replaces the build's own optimization (WHIT_C_FLAGS comes on top for C),
WHIT_INCLUDES are searched before everything else and WHIT_LIBRARIES by programs,
separated by colons. WHIT_MUSL=1 links programs statically and puts the kernel's
headers behind musl's. WHIT_PATH is where the real compilers are.
"""

import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

SECTION = ".whit.needs"

SOURCES = (".c", ".cc", ".cpp", ".cxx", ".c++", ".C", ".s", ".S", ".i", ".ii", ".m")
OBJECTS = (".o", ".obj", ".lo", ".os")

# Options whose value is the next argument.
VALUED = frozenset(
    "-o -I -L -l -D -U -x -T -u -z -e -h -include -imacros -isystem -iquote"
    " -idirafter -iprefix -isysroot -MF -MT -MQ -Xlinker -Xpreprocessor"
    " -Xassembler -Xclang --param -aux-info -wrapper --sysroot -rpath -soname".split()
)

# Questions, and steps that make no object.
PASSED = re.compile(
    r"-(E|S|M|MM|r|fsyntax-only|v|V|###|-version|version|-help.*|dump.*|print.*|-print.*)$"
)

# What a static executable is not compiled with, and what whit decides.
DROPPED = re.compile(
    r"-(g.*|O.*|f(PIC|pic|PIE|pie|no-PIC|no-pic|no-PIE|no-pie)|fno-lto|flto.*"
    r"|ffat-lto-objects|fuse-ld=.*|fno-semantic-interposition|fplt|fno-plt"
    r"|Werror.*|specs=.*|static-libgcc|static-libstdc\+\+|pie|no-pie|rdynamic)$"
)

PYTHON_HEADERS = re.compile(r"/include/(?:[^/]+-linux-gnu/)?python3\.\d+[a-z]*/?$")

# The headers of the distribution's own C library hide those of another.
SYSTEM_HEADERS = re.compile(r"/usr/(local/)?include(/[^/]+-linux-gnu)?/?$")

SYSTEM = re.compile(r"/(usr/)?(local/)?lib(32|64|x32)?(/|$)")

# Libraries that every static link has, or that are libc itself today.
IMPLIED = frozenset("c gcc gcc_s gcc_eh pthread".split())

# Builds that go on without their extension modules unless they are told not to.
DEMANDED = {
    "BUILD_EXTENSION": "yes",  # websockets
    "CBOR2_BUILD_C_EXTENSION": "1",
    "CHARSET_NORMALIZER_USE_CYTHON": "1",
    "CHARSET_NORMALIZER_USE_MYPYC": "1",
    "MATURIN_NO_INSTALL_RUST": "1",  # else it fetches a toolchain from anywhere
    "PYYAML_FORCE_LIBYAML": "1",
    "RAPIDFUZZ_BUILD_EXTENSION": "1",
    "REQUIRE_SQLALCHEMY_CEXT": "1",
    "TOMLI_USE_MYPYC": "1",
    "WRAPT_INSTALL_EXTENSIONS": "true",
}

# What C++'s headers, made for glibc, name in theirs and musl's do not have. None of
# the functions is called unless a program does it by that name.
FOR_MUSL = """\
#include <locale.h>
#include <pthread.h>
#include <time.h>
typedef locale_t __locale_t;
extern "C" {
int pthread_cond_clockwait(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
int pthread_mutex_clocklock(pthread_mutex_t *, clockid_t, const struct timespec *);
int pthread_rwlock_clockrdlock(pthread_rwlock_t *, clockid_t, const struct timespec *);
int pthread_rwlock_clockwrlock(pthread_rwlock_t *, clockid_t, const struct timespec *);
}
"""

# What cxx_on_musl.c and the interpreter have.
GIVEN = re.compile(
    r"(_?Py\w+|_dl_find_object|__cxa_thread_atexit_impl|__libc_single_threaded|__dso_handle)$"
)

NAMES = {
    "cc": "cc gcc c99 clang {machine}-linux-gnu-gcc",
    "c++": "c++ g++ clang++ {machine}-linux-gnu-g++",
}

CXX_SYMBOL = re.compile(r"^(_Z|__cxa_|__gxx_personality|_Unwind_)")


def words(name):
    return shlex.split(os.environ.get(name, ""))


def folders(name):
    return [folder for folder in os.environ.get(name, "").split(":") if folder]


def stop(message):
    print(f"whit: {message}", file=sys.stderr)
    sys.exit(1)


def run(argv):
    # A compiler that is a script (musl-gcc) must not find its own stand-in.
    path = os.environ.get("WHIT_PATH") or os.environ.get("PATH", "")
    done = subprocess.run(argv, env={**os.environ, "PATH": path})
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else 1)


def expanded(arguments):
    """With the words of response files (`@FILE`) in place."""
    for argument in arguments:
        if argument.startswith("@") and os.path.isfile(argument[1:]):
            with open(argument[1:], encoding="utf-8", errors="surrogateescape") as file:
                yield from expanded(shlex.split(file.read()))
        else:
            yield argument


def options(arguments):
    """Pairs of an option and its separate value, or of an argument and None."""
    rest = iter(arguments)
    for argument in rest:
        yield argument, next(rest, None) if argument in VALUED else None


class Line:
    """A command line, read."""

    def __init__(self, arguments):
        self.output = None
        self.shared = self.compile = self.passed = False
        # What is compiled, archived or linked, with the linker's switches among it.
        self.members = []
        # What a compilation gets besides its source.
        self.flags = []
        self.search = []
        self.nostdlib = False
        for option, value in options(arguments):
            self.take(option, value)

    def take(self, option, value):
        if PASSED.match(option):
            self.passed = True
        elif option == "-o":
            self.output = value
        elif option.startswith("-o") and value is None and len(option) > 2:
            self.output = option[2:]
        elif option == "-c":
            self.compile = True
        elif option in ("-shared", "--shared", "-Wl,-shared", "-qmkshrobj"):
            self.shared = True
        elif option == "-L" or option.startswith("-L"):
            self.search.append(value if value is not None else option[2:])
        elif option == "-l" or option.startswith("-l"):
            self.members.append(("library", value if value is not None else option[2:]))
        elif option in ("-nostdlib", "-nodefaultlibs"):
            self.nostdlib = True
        elif option.startswith("-Wl,"):
            self.linker(option[4:].split(","))
        elif option == "-Xlinker":
            self.linker([value])
        elif not option.startswith("-"):
            self.members.append(("file", option))
        elif not DROPPED.match(option):
            self.include(option, value)

    def linker(self, options):
        for option in options:
            if option in ("--whole-archive", "--no-whole-archive"):
                self.members.append(("switch", option))
            elif option.startswith("-l"):
                self.members.append(("library", option[2:]))
            elif option.startswith("-L"):
                self.search.append(option[2:])

    def include(self, option, value):
        joined = option[2:] if option.startswith("-I") and value is None else value
        if option.startswith("-I") or option == "-isystem":
            own = folders("WHIT_INCLUDES")
            if own and joined and PYTHON_HEADERS.search(joined):
                return
            if joined and SYSTEM_HEADERS.match(joined):
                return
        self.flags.append(option)
        if value is not None:
            self.flags.append(value)


def compiler(role):
    command = words("WHIT_CXX" if role == "c++" else "WHIT_CC")
    if not command:
        stop("there is no compiler for C++")
    return command


def compiling(role):
    """What stands before and behind the build's own words."""
    before = [f"-I{folder}" for folder in folders("WHIT_INCLUDES")]
    behind = words("WHIT_FLAGS")
    if role == "cc":
        behind += words("WHIT_C_FLAGS")
    # The folder of the build has a name of chance.
    behind.append(f"-ffile-prefix-map={os.getcwd()}=.")
    return before, behind


def is_cxx(path):
    return path.endswith((".cc", ".cpp", ".cxx", ".c++", ".C", ".ii"))


def compile_one(role, line, source, output):
    role = "c++" if is_cxx(source) else role
    before, behind = compiling(role)
    run(compiler(role) + before + line.flags + behind + ["-c", source, "-o", output])


def program(role, line, arguments):
    """Programs are linked as the objects were compiled: configure scripts run them."""
    before, behind = compiling(role)
    kept = [
        word
        for option, value in options(arguments)
        if not DROPPED.match(option)
        for word in ([option] if value is None else [option, value])
    ]
    extra = [f"-L{folder}" for folder in folders("WHIT_LIBRARIES")]
    extra += ["-static"] if os.environ.get("WHIT_MUSL") else ["-no-pie"]
    run(compiler(role) + before + kept + behind + extra)


def library_name(path):
    """`yaml` of `/usr/lib/x86_64-linux-gnu/libyaml.so.2`."""
    found = re.match(r"lib(.+?)\.(?:a|so(?:\.[\d.]+)?)$", os.path.basename(path))
    return found and found[1]


def found_in(line, name):
    """The build's own library of that name; those of the system have only names."""
    names = [name[1:]] if name.startswith(":") else [f"lib{name}.a", f"lib{name}.so"]
    for folder in line.search:
        if SYSTEM.match(os.path.realpath(folder)):
            continue
        for file in names:
            path = os.path.join(folder, file)
            if os.path.isfile(path):
                return path
    return None


def link(role, line):
    """One relocatable object of what would have been a shared one."""
    output = line.output or "a.out"
    members, needs = [], []

    def need(name):
        if name and name not in IMPLIED and not name.startswith("python3"):
            if name not in needs:
                needs.append(name)

    def take(path):
        if path.endswith((".a",) + OBJECTS):
            members.append(path)
        else:
            stop(f"{output} is linked to {path}, which other modules can share")

    with tempfile.TemporaryDirectory() as made:
        for kind, value in line.members:
            if kind == "switch":
                members.append(value)
            elif kind == "library":
                own = found_in(line, value)
                if own:
                    take(own)
                else:
                    need(library_name(value[1:]) if value.startswith(":") else value)
            elif value.endswith(SOURCES):
                path = os.path.join(made, f"{len(members)}.o")
                compile_one(role, line, value, path)
                members.append(path)
            elif not value.endswith(OBJECTS) and SYSTEM.match(os.path.realpath(value)):
                need(library_name(value))
            else:
                take(value)
        if role == "c++" and not line.nostdlib:
            need("stdc++")
        # Sections stay apart for --gc-sections. Groups are dissolved: two modules
        # may have the same inline function, each as a local one.
        run(["ld", "-r", "--unique", "--force-group-allocation", "-o", output] + members)
        note = os.path.join(made, "needs")
        with open(note, "w", encoding="utf-8") as file:
            json.dump(needs, file)
        run(["objcopy", f"--add-section={SECTION}={note}", output])


def drive(role, arguments):
    arguments = list(expanded(arguments))
    line = Line(arguments)
    if line.passed or not line.members:
        run(compiler(role) + arguments)
    elif line.shared:
        link(role, line)
    elif line.compile:
        sources = [value for kind, value in line.members if kind == "file"]
        role = "c++" if any(map(is_cxx, sources)) else role
        before, behind = compiling(role)
        named = ["-o", line.output] if line.output else []
        run(compiler(role) + before + line.flags + behind + ["-c"] + sources + named)
    else:
        program(role, line, arguments)


# What an installed tree has.


def elf_type(path):
    with open(path, "rb") as file:
        head = file.read(18)
    if head[:4] != b"\x7fELF" or len(head) < 18:
        return None
    return int.from_bytes(head[16:18], "little")


def symbols(path, *which):
    listed = subprocess.run(
        ["nm", "--format=posix", *which, path], capture_output=True, text=True, check=True
    )
    return {line.split(" ", 1)[0] for line in listed.stdout.splitlines() if line}


def exported(module):
    """A C name that only this module has: `falcon.app_helpers` becomes
    `whit_init_falcon_app_1helpers`."""
    def letter(char):
        if char.isascii() and char.isalnum():
            return char
        return {".": "_", "_": "_1"}.get(char, f"_0{ord(char):x}_")

    return "whit_init_" + "".join(map(letter, module))


def init_name(name):
    """The function that the import system would look up (PEP 489)."""
    if name.isascii():
        return f"PyInit_{name}"
    return "PyInitU_" + name.encode("punycode").decode().replace("-", "_")


def of_glibc(file, symbol):
    """What an object in C++ would still lack in a link with musl."""

    def library(name):
        asked = subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        )
        return asked.stdout.strip()

    archives = [library(f"lib{name}.a") for name in ("stdc++", "gcc_eh", "gcc")]
    archives += glob.glob("/usr/lib/*-linux-musl/libc.a")
    with tempfile.TemporaryDirectory() as made:
        linked = subprocess.run(
            ["ld", "-static", "--gc-sections", "-e", symbol, "-o", os.path.join(made, "all")]
            + [file, "--start-group", *archives, "--end-group"],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    names = re.findall(r"undefined reference to `([^']+)'", linked.stderr)
    return sorted({name for name in names if not GIVEN.match(name)})


def finish_one(path, relative, file):
    kind = elf_type(path)
    if kind is None:
        return {"reason": f"{relative} is no program code"}
    if kind != 1:
        return {"reason": f"its build links {relative} without the compiler that it is given"}
    folder, base = os.path.split(relative)
    name = base.split(".", 1)[0]
    init = init_name(name)
    if init not in symbols(path, "--defined-only", "--extern-only"):
        return {"reason": f"{relative} has no {init}: it is a library, not a module"}
    symbol = exported(".".join([part for part in folder.split("/") if part] + [name]))
    with tempfile.TemporaryDirectory() as made:
        note = os.path.join(made, "needs")
        scratch = os.path.join(made, "scratch")
        run(["objcopy", f"--dump-section={SECTION}={note}", path, scratch])
        with open(note, encoding="utf-8") as text:
            needs = json.load(text)
    run(
        ["objcopy", f"--remove-section={SECTION}", "--remove-section=.comment"]
        + [f"--redefine-sym={init}={symbol}", f"--keep-global-symbol={symbol}"]
        + [f"--keep-global-symbol={init}", path, file]
    )
    has_cxx = any(map(CXX_SYMBOL.match, symbols(file, "--undefined-only")))
    needs = [need for need in needs if need != "stdc++"]
    if has_cxx and os.environ.get("WHIT_MUSL") and not set(needs) - {"m", "rt", "dl"}:
        lacks = of_glibc(file, symbol)
        if lacks:
            return {"reason": f"{relative} needs {lacks[0]} of glibc's C++ library"}
    needs += ["stdc++"] * has_cxx
    return {"symbol": symbol, "file": os.path.basename(file), "libraries": needs}


def finish(tree, out):
    os.makedirs(out, exist_ok=True)
    found = []
    for folder, inner, files in os.walk(tree):
        inner.sort()
        for name in sorted(files):
            if not re.search(r"\.so(\.[\d.]+)?$", name):
                continue
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, tree)
            file = os.path.join(out, f"{len(found)}.o")
            found.append({"module": relative, **finish_one(path, relative, file)})
    with open(os.path.join(out, "objects.json"), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)


# The build around it.


def install(folder):
    """Puts the compilers' stand-ins into a folder of their own."""
    os.makedirs(folder)
    for role, names in NAMES.items():
        for name in names.format(machine=os.uname().machine).split():
            path = os.path.join(folder, name)
            call = shlex.join([sys.executable, "-IS", os.path.abspath(__file__), role])
            with open(path, "w", encoding="utf-8") as file:
                file.write(f'#!/bin/sh\nexec {call} "$@"\n')
            os.chmod(path, 0o755)


def kernel_headers(folder):
    """They lie among the C library's, which another one must not see."""
    os.makedirs(folder)
    for name in ("linux", "asm-generic", "mtd", "asm"):
        found = glob.glob(f"/usr/include/{name}") + glob.glob(f"/usr/include/*/{name}")
        if found:
            os.symlink(found[0], os.path.join(folder, name))


def cxx_with_musl(header):
    """The words for g++ to see musl's headers in the place of glibc's."""
    if not shutil.which("g++"):
        return ""
    asked = subprocess.run(
        ["g++", "-E", "-v", "-x", "c++", "/dev/null"], capture_output=True, text=True
    )
    listed = re.findall(r"^ (/\S+)$", asked.stderr, re.MULTILINE)
    own = [folder for folder in listed if "/c++/" in folder]
    compilers = [folder for folder in listed if "/gcc/" in folder]
    musl = glob.glob("/usr/include/*-linux-musl")
    if asked.returncode or not own or not musl:
        return ""
    with open(header, "w", encoding="utf-8") as file:
        file.write(FOR_MUSL)
    system = [f"-isystem{folder}" for folder in own + musl + compilers]
    words = ["/usr/bin/g++", "-nostdinc", "-nostdinc++", *system, "-include", header]
    return shlex.join(words + ["-D__GLIBC_PREREQ(major,minor)=0"])


def build(tree, out, *command):
    with tempfile.TemporaryDirectory() as made:
        tools = os.path.join(made, "bin")
        install(tools)
        environment = {**DEMANDED, **os.environ}
        if environment.get("WHIT_MUSL"):
            kernel = os.path.join(made, "include")
            kernel_headers(kernel)
            environment["WHIT_FLAGS"] += f" -idirafter {kernel}"
            environment["WHIT_CXX"] = cxx_with_musl(os.path.join(made, "cxx_on_musl.h"))
        cc, cxx = (os.path.join(tools, name) for name in ("cc", "c++"))
        environment.update(
            PATH=f"{tools}:{environment['PATH']}",
            WHIT_PATH=environment["PATH"],
            CC=cc,
            CXX=cxx,
            LDSHARED=f"{cc} -shared",
            LDCXXSHARED=f"{cxx} -shared",
        )
        done = subprocess.run(command, env=environment)
        if done.returncode:
            sys.exit(1)
    finish(tree, out)


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(*sys.argv[2:])
    elif sys.argv[1] == "finish":
        finish(*sys.argv[2:])
    else:
        drive(sys.argv[1], sys.argv[2:])
