# What every script of the kit begins with; whit puts this text before it.
#
#   LIBC     musl or glibc: what the executable is linked with
#   SOURCES  folder with Debian's source packages (.dsc and what they name)
#   KIT      prefix where earlier scripts left lib/, include/ and modules/
#   OUT      prefix for what this script makes (may be KIT itself)
#   WORK     folder to build in, emptied by the caller
#   JOBS     how many compilers may run at once
#   OPT      optimization of ordinary code, -Os unless told; HOT that of hot code

: "${LIBC:?}" "${OUT:?}" "${KIT:=$OUT}" "${WORK:=/tmp/kit}" "${JOBS:=1}"
: "${OPT:=-Os}" "${HOT:=-O2}"
# make takes variables of the environment for its own; LIBC is one of Python's.
libc=$LIBC opt=$OPT hot=$HOT jobs=$JOBS
unset LIBC OPT HOT JOBS
# Dates and locales of the machine must not reach what is built.
export LC_ALL=C.UTF-8 TZ=UTC0
mkdir -p "$OUT/lib" "$OUT/include" "$OUT/modules" "$WORK"
cd "$WORK"

multiarch=$(gcc -print-multiarch)

# A section for each function and variable lets the last link leave out what
# nothing calls. Tables for unwinding are read by debuggers and C++ only.
flags="-pipe -fno-pie -ffunction-sections -fdata-sections"
flags="$flags -fno-asynchronous-unwind-tables -fno-unwind-tables"
# At -Os gcc writes `rep scasb` where it could call strlen, which is ten times
# slower than any C library.
flags="$flags -fno-builtin-strlen -fno-builtin-memcmp -fno-builtin-strcmp"

case $libc in
musl)
    CC=musl-gcc
    # Debian compiled Python with the kernel's headers in reach. Only they may
    # be seen besides musl's own, hence the folder of links.
    mkdir -p "$WORK/kernel"
    ln -sfn /usr/include/linux "$WORK/kernel/linux"
    ln -sfn /usr/include/asm-generic "$WORK/kernel/asm-generic"
    ln -sfn "/usr/include/$multiarch/asm" "$WORK/kernel/asm"
    ln -sfn /usr/include/bluetooth "$WORK/kernel/bluetooth"
    flags="$flags -isystem $KIT/include -idirafter $WORK/kernel"
    ;;
glibc)
    CC=gcc
    flags="$flags -isystem $KIT/include"
    ;;
*) echo "unknown LIBC: $libc" >&2; exit 2 ;;
esac
# What configure scripts link to try things out must run without a loader.
export CC LDFLAGS="-static -no-pie"

# unpack NAME: the source package NAME, Debian's patches applied, in ./NAME.
# whit has checked the hashes already.
unpack() {
    dpkg-source --no-check -x "$SOURCES/$1"_*.dsc "$1" >/dev/null
    # make must not find a patched configure.ac newer, and ask for autotools.
    for name in aclocal.m4 configure config.h.in Makefile.in; do
        find "$1" -name "$name" -exec touch {} +
    done
}
