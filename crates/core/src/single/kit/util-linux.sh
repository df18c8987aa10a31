# Only libuuid.
unpack util-linux
cd util-linux
./configure -q --prefix="$OUT" --disable-shared --enable-static --disable-all-programs \
    --disable-nls --disable-asciidoc --disable-bash-completion --without-python \
    --without-systemd --without-ncurses --enable-libuuid CFLAGS="$flags $opt"
make -s -j"$jobs" libuuid.la
cp .libs/libuuid.a "$OUT/lib/"
mkdir -p "$OUT/include/uuid"
cp libuuid/src/uuid.h "$OUT/include/uuid/"
cp libuuid/src/uuid.h "$OUT/include/"
