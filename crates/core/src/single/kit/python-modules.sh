# Extension modules of the standard library, each an archive of its own.
#
#   MODULES  names, separated by spaces, or * for all that need no library
#
# For each module NAME come modules/NAME.a and modules/NAME.link, one line:
#   NAME <tab> PyInit functions <tab> flags for the linker
# KIT must hold what python.sh made; for musl also the libraries asked for.

version=$(cat "$KIT/python/version")
src=$KIT/python/Modules
flags="$flags -std=c11 -DNDEBUG -fwrapv -fvisibility=hidden -w"
flags="$flags -I$KIT/include/python$version -I$KIT/include/python$version/internal -I$src"

# What configure finds out when a library is there. It ran without them, lest the
# interpreter depend on which libraries were installed when it was made.
readline="-DHAVE_RL_APPEND_HISTORY=1 -DHAVE_RL_CATCH_SIGNAL=1
    -DHAVE_RL_COMPLETION_APPEND_CHARACTER=1 -DHAVE_RL_COMPLETION_MATCHES=1
    -DHAVE_RL_COMPLETION_DISPLAY_MATCHES_HOOK=1 -DHAVE_RL_PRE_INPUT_HOOK=1
    -DHAVE_RL_COMPLETION_SUPPRESS_APPEND=1 -DHAVE_RL_RESIZE_TERMINAL=1"
curses="-DHAVE_NCURSESW=1 -DHAVE_CURSES_H=1 -DHAVE_NCURSES_H=1 -DHAVE_TERM_H=1
    -DHAVE_CURSES_FILTER=1 -DHAVE_CURSES_HAS_KEY=1 -DHAVE_CURSES_IMMEDOK=1
    -DHAVE_CURSES_IS_PAD=1 -DHAVE_CURSES_IS_TERM_RESIZED=1
    -DHAVE_CURSES_RESIZETERM=1 -DHAVE_CURSES_RESIZE_TERM=1
    -DHAVE_CURSES_SYNCOK=1 -DHAVE_CURSES_TYPEAHEAD=1 -DHAVE_CURSES_USE_ENV=1
    -DHAVE_CURSES_WCHGAT=1"
case $multiarch in
x86_64-*) mpd="-DCONFIG_64=1 -DASM=1" ;;
aarch64-* | riscv64-* | powerpc64* | s390x-*) mpd="-DCONFIG_64=1 -DANSI=1 -DHAVE_UINT128_T=1" ;;
*) mpd="-DCONFIG_32=1 -DANSI=1" ;;
esac

# sources NAME: sets `files`, `own` (flags of the compiler), `libs` and `inits`.
sources() {
    own= libs= inits=PyInit_$1
    case $1 in
    # The file is named as the module, with `module` behind it or not.
    _csv | _json | _opcode | _pickle | _posixsubprocess | _struct | _zoneinfo | \
        _testbuffer | _testclinic | _testinternalcapi | _testmultiphase | \
        audioop | binascii | _elementtree | ossaudiodev | resource | termios | xxlimited | \
        xxlimited_35 | xxsubtype | unicodedata) files=$1.c ;;
    _lsprof) files="_lsprof.c rotatingtree.c" ;;
    _md5 | _sha1 | _sha256 | _sha512) files=${1#_}module.c ;;
    _sha3) files=_sha3/sha3module.c ;;
    _blake2) files="_blake2/blake2module.c _blake2/blake2b_impl.c _blake2/blake2s_impl.c" ;;
    # Debian compiled it with libbluetooth-dev, of which only headers are used.
    _socket) files=socketmodule.c own=-DHAVE_BLUETOOTH_BLUETOOTH_H=1 ;;
    _codecs_* | _multibytecodec)
        files=cjkcodecs/$1.c
        [ "$1" != _multibytecodec ] || files=cjkcodecs/multibytecodec.c ;;
    _posixshmem) files=_multiprocessing/posixshmem.c ;;
    _multiprocessing)
        files="_multiprocessing/multiprocessing.c _multiprocessing/semaphore.c"
        own=-I$src/_multiprocessing ;;
    _decimal)
        files=_decimal/_decimal.c own="$mpd -I$src/_decimal/libmpdec"
        for part in basearith constants context convolute crt difradix2 fnt \
            fourstep io mpalloc mpdecimal numbertheory sixstep transpose; do
            files="$files _decimal/libmpdec/$part.c"
        done ;;
    # Debian's musl comes without crypt: such an app takes glibc.
    _crypt)
        [ "$libc" = glibc ] || { echo "_crypt needs glibc" >&2; exit 3; }
        files=_cryptmodule.c own=-DHAVE_CRYPT_H=1 libs=-lcrypt ;;
    _testcapi) files=_testcapimodule.c ;;
    _testimportmultiple)
        files=_testimportmultiple.c
        inits="$inits PyInit__testimportmultiple_foo PyInit__testimportmultiple_bar" ;;
    _xxtestfuzz) files="_xxtestfuzz/_xxtestfuzz.c _xxtestfuzz/fuzzer.c" ;;
    _ctypes_test) files=_ctypes/_ctypes_test.c ;;

    # These need a library.
    zlib) files=zlibmodule.c own=-DHAVE_ZLIB_COPY=1 libs=-lz ;;
    _bz2) files=_bz2module.c libs=-lbz2 ;;
    _lzma) files=_lzmamodule.c libs=-llzma ;;
    pyexpat) files=pyexpat.c libs=-lexpat ;;
    _ssl) files=_ssl.c libs="-lssl -lcrypto" ;;
    _hashlib) files=_hashopenssl.c libs=-lcrypto ;;
    _uuid) files=_uuidmodule.c own="-DHAVE_UUID_GENERATE_TIME_SAFE=1 -DHAVE_UUID_UUID_H=1 -idirafter /usr/include/uuid" libs=-luuid ;;
    _ctypes)
        files="_ctypes/_ctypes.c _ctypes/callbacks.c _ctypes/callproc.c _ctypes/stgdict.c _ctypes/cfield.c"
        own="-DHAVE_FFI_PREP_CIF_VAR=1 -DHAVE_FFI_PREP_CLOSURE_LOC=1 -DHAVE_FFI_CLOSURE_ALLOC=1"
        libs=-lffi ;;
    _sqlite3)
        own=-DPY_SQLITE_ENABLE_LOAD_EXTENSION=1 files= libs=-lsqlite3
        for part in blob connection cursor microprotocols module \
            prepare_protocol row statement util; do
            files="$files _sqlite/$part.c"
        done
        # Python asks SQLite's version at configure time for this one.
        own="$own -DPY_SQLITE_HAVE_SERIALIZE=1" ;;
    readline) files=readline.c own=$readline libs="-lreadline -ltinfo" ;;
    _curses) files=_cursesmodule.c own=$curses libs="-lncursesw -ltinfo" ;;
    _curses_panel) files=_curses_panel.c own=$curses libs="-lpanelw -lncursesw -ltinfo" ;;
    _dbm) files=_dbmmodule.c own="-DUSE_BERKDB -DHAVE_DB_H" libs=-ldb ;;
    _gdbm) files=_gdbmmodule.c libs=-lgdbm ;;
    *) files=$1module.c ;;
    esac
}

# shellcheck disable=SC2086 # flags and files are lists
build() {
    sources "$1"
    case $1 in
    # They test what an extension module of the outside sees.
    xxlimited* | _testclinic | _testmultiphase | _testimportmultiple | _ctypes_test) core= ;;
    *) core=-DPy_BUILD_CORE_BUILTIN ;;
    esac
    rm -rf "$WORK/$1"
    mkdir -p "$WORK/$1"
    for file in $files; do
        printf '%s\n' "$src/$file"
    done | xargs -P "$jobs" -I{} sh -ec '
        object=$1/$(basename "$2" .c).o
        shift
        source=$1
        shift
        exec "$@" -c "$source" -o "$object"' sh "$WORK/$1" {} $CC $flags $opt $core $own
    rm -f "$OUT/modules/$1.a"
    ar rcsD "$OUT/modules/$1.a" "$WORK/$1"/*.o
    printf '%s\t%s\t%s\n' "$1" "$inits" "$libs" > "$OUT/modules/$1.link"
}

if [ "$MODULES" = '*' ]; then
    MODULES="_asyncio _bisect _blake2 _codecs_cn _codecs_hk _codecs_iso2022
        _codecs_jp _codecs_kr _codecs_tw _contextvars _csv _datetime
        _decimal _heapq _json _lsprof _md5 _multibytecodec _multiprocessing
        _opcode _pickle _posixshmem _posixsubprocess _queue _random _sha1
        _sha256 _sha3 _sha512 _socket _statistics _struct _typing
        _xxsubinterpreters _zoneinfo array audioop binascii cmath fcntl grp
        math mmap ossaudiodev resource select spwd syslog termios unicodedata
        xxsubtype"
fi
for module in $MODULES; do
    build "$module"
done
