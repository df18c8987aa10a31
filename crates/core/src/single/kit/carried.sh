# The two parts of the carried form that are not the app's: the static program
# that begins ($OUT/carrier) and the library that is loaded first
# ($OUT/runtime.so). Both read the archive, and so both have zstd's decoder.

dpkg-source --no-check -x "$SOURCES"/libzstd_*.dsc zstd >/dev/null
decoder=$(ls zstd/lib/common/*.c zstd/lib/decompress/*.[cS] | grep -v -e pool.c -e threading.c)
flags="-O3 -Izstd/lib -I$IN -DZSTD_LEGACY_SUPPORT=0 -ffunction-sections -fdata-sections"

# shellcheck disable=SC2086 # lists of words
musl-gcc -static -s $flags -Wl,--gc-sections -Wl,-z,stack-size=1048576 -o "$OUT/carrier" \
    "$IN"/carrier.c "$IN"/archive.c "$IN"/frames.c "$IN"/files.c "$IN"/start.c $decoder

# shellcheck disable=SC2086
gcc -shared -fPIC -fvisibility=hidden -s $flags -Wl,--gc-sections \
    -Wl,-soname,whit-runtime.so -DWHIT_CARRIED -o "$OUT/runtime.so" \
    "$IN"/carried.c "$IN"/archive.c "$IN"/frames.c "$IN"/files.c "$IN"/start.c \
    "$IN"/open.c "$IN"/changes.c "$IN"/statx.c "$IN"/folders.c "$IN"/exec.c $decoder
