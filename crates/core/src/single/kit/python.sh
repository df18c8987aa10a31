# The interpreter itself: Debian's source, Debian's choices, as one archive.
#
# Left out of the archive, because the executable brings its own: the program's
# main, the table of built-in modules and the loader of extension modules.
# Modules, except the few that the core cannot start without, are made by
# python-modules.sh, which finds headers and sources in OUT/python.
#
#   PYTHON   source package, e.g. python3.11
#   BUILD_DATE, BUILD_TIME  what sys.version shall say; else the changelog's

unpack "$PYTHON"
cd "$PYTHON"
export BUILD_DATE="${BUILD_DATE:-$(date -u -d "$(dpkg-parsechangelog -S Date)" +'%b %e %Y')}"
export BUILD_TIME="${BUILD_TIME:-$(date -u -d "$(dpkg-parsechangelog -S Date)" +'%H:%M:%S')}"

# No module but those of Setup.bootstrap becomes part of the archive.
: > Modules/Setup

# A musl build still calls itself x86_64-linux-gnu, else it would not find the
# distribution's own files, which have that in their names.
sed -i 's/sed .s.linux-gnu.linux-musl.*/cat`/' configure

# 166 kB of constants hold a second copy of the runtime's first state, for programs
# that end the interpreter and start it again, which this one does not, and for
# subinterpreters and threads. Those write the few values that are not zero.
perl -0pi -e 's/^static const _PyRuntimeState initial = .*?;$//m;
    s/memcpy\(runtime, &initial, sizeof\(\*runtime\)\);/abort();/;
    s/memcpy\(interp,\s*&initial\._main_interpreter,\s*sizeof\(\*interp\)\);/*interp = (PyInterpreterState)_PyInterpreterState_INIT;/;
    s/memcpy\(tstate,\s*&initial\._main_interpreter\._initial_thread,\s*sizeof\(\*tstate\)\);/*tstate = (PyThreadState)_PyThreadState_INIT;/;
    ' Python/pystate.c

./configure -q \
    CC="$CC" CFLAGS="$flags" \
    --prefix=/usr --libdir="/usr/lib/$multiarch" \
    --enable-ipv6 --enable-loadable-sqlite-extensions --with-computed-gotos \
    --without-ensurepip --with-system-expat --with-system-ffi \
    --with-ssl-default-suites=openssl --with-wheel-pkg-dir=/usr/share/python-wheels/ \
    ac_cv_file__dev_ptmx=yes ac_cv_file__dev_ptc=no ac_cv_have_decl_RTLD_DEEPBIND=yes

if [ "$libc" = musl ]; then
    # What the kernel can do and musl has no name for, or Python looks for in
    # glibc only: extended attributes, close_range, flags of preadv.
    cat > musl.h <<C
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>
#define USE_XATTRS 1
#define O_FSYNC O_SYNC
#define RTLD_DEEPBIND 8
#define RWF_HIPRI 1
#define RWF_DSYNC 2
#define RWF_SYNC 4
#define RWF_NOWAIT 8
#define RWF_APPEND 16
#define HAVE_CLOSE_RANGE 1
#define HAVE_PREADV2 1
#define HAVE_PWRITEV2 1
static inline int close_range(unsigned first, unsigned last, int flags)
{ return syscall(436, first, last, flags); }
static inline ssize_t preadv2(int fd, const struct iovec *v, int n, off_t at, int flags)
{ return syscall(SYS_preadv2, fd, v, n, (long)at, (long)(at >> 32), flags); }
static inline ssize_t pwritev2(int fd, const struct iovec *v, int n, off_t at, int flags)
{ return syscall(SYS_pwritev2, fd, v, n, (long)at, (long)(at >> 32), flags); }
C
    echo 'Modules/posixmodule.o Python/fileutils.o: EXTRA_CFLAGS += -include musl.h' >> Makefile
fi

# Where the time goes in nearly every program, size yields to speed.
cat >> Makefile <<MAKE
Python/ceval.o Python/getargs.o Python/marshal.o Python/specialize.o \\
Objects/abstract.o Objects/bytesobject.o Objects/call.o Objects/dictobject.o \\
Objects/floatobject.o Objects/frameobject.o Objects/funcobject.o \\
Objects/genobject.o Objects/listobject.o Objects/longobject.o \\
Objects/methodobject.o Objects/object.o Objects/obmalloc.o Objects/setobject.o \\
Objects/tupleobject.o Objects/typeobject.o Objects/unicodeobject.o \\
Modules/gcmodule.o Modules/_sre/sre.o: EXTRA_CFLAGS += $hot
MAKE

version=$(sed -n 's/^VERSION=[[:space:]]*//p' Makefile)
make -s -j"$jobs" OPT="-DNDEBUG -fwrapv $opt" "libpython$version.a"

cp "libpython$version.a" "$OUT/lib/libpython.a"
ar d "$OUT/lib/libpython.a" config.o dynload_shlib.o frozen.o deepfreeze.o
ranlib "$OUT/lib/libpython.a"

# The modules that are frozen into the interpreter, in three forms: as objects in
# memory (fast, 860 kB), as bytecode in memory (300 kB), and as files of bytecode
# with a list, for a runtime that brings a frozen.c of its own.
ar rcsD "$OUT/lib/frozen-deep.a" Python/frozen.o Python/deepfreeze/deepfreeze.o
mkdir -p "$OUT/python/frozen"
{
    for file in Python/frozen_modules/*.h; do
        case $file in */getpath.h) continue ;; esac
        echo "#include \"$file\""
        perl -ne 'print pack("C*", /\d+/g) if /^ *\d/' "$file" \
            > "$OUT/python/frozen/$(basename "$file" .h)"
    done
    sed -e '/^extern PyObject/d' Python/frozen.c -e \
        's/NULL, 0, \([a-z]*\), GET_CODE(\(.*\))/_Py_M__\2, (int)sizeof(_Py_M__\2), \1, NULL/'
    echo 'int _Py_Deepfreeze_Init(void) { return 0; }'
    echo 'void _Py_Deepfreeze_Fini(void) {}'
} > frozen-data.c
# shellcheck disable=SC2086 # flags is a list
$CC $flags $opt -DNDEBUG -DPy_BUILD_CORE -IInclude -IInclude/internal -I. \
    -c frozen-data.c
ar rcsD "$OUT/lib/frozen-data.a" frozen-data.o
cp Python/frozen.c "$OUT/python/frozen.c"

# Headers for extension modules, and what python-modules.sh compiles.
mkdir -p "$OUT/include/python$version" "$OUT/python/Objects"
cp -r Include/. pyconfig.h "$OUT/include/python$version/"
find Modules -name '*.o' -delete
cp -r Modules "$OUT/python/"
cp -r Objects/stringlib "$OUT/python/Objects/"
echo "$version" > "$OUT/python/version"
# What whit checks against the names that the distribution's interpreter has.
sed -n 's/^SOABI=[[:space:]]*//p' Makefile > "$OUT/python/soabi"
