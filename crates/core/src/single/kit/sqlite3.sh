# Debian's flags, as its debian/rules has them. Needs tclsh, which writes the one
# large file that SQLite is compiled from; the flags shape its grammar too.
unpack sqlite3
cd sqlite3
features="$(grep -o -e '-DSQLITE_[A-Z0-9_]*\(=[0-9]*\)\?' debian/rules | tr '\n' ' ')"
./configure -q --prefix="$OUT" --disable-shared --disable-tcl --disable-readline \
    --enable-threadsafe --enable-load-extension --enable-json --enable-fts4 --enable-fts5 \
    CFLAGS="$flags $opt $features -no-pie"
make -s sqlite3.c
# shellcheck disable=SC2046,SC2086 # flags are lists
$CC $flags $opt $features -fno-strict-aliasing -w \
    $(sed -n 's/^OPT_FEATURE_FLAGS *= *//p' Makefile) \
    -DHAVE_ISNAN=1 -D_HAVE_SQLITE_CONFIG_H=1 -D_FILE_OFFSET_BITS=64 -I. -c sqlite3.c
ar rcsD "$OUT/lib/libsqlite3.a" sqlite3.o
cp sqlite3.h sqlite3ext.h "$OUT/include/"
