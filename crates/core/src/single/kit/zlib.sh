unpack zlib
cd zlib
CFLAGS="$flags $opt" ./configure --static --prefix="$OUT" >/dev/null
make -s -j"$jobs" libz.a
cp libz.a "$OUT/lib/"
cp zlib.h zconf.h "$OUT/include/"
