unpack bzip2
cd bzip2
make -s -j"$jobs" libbz2.a CC="$CC" CFLAGS="$flags $opt -D_FILE_OFFSET_BITS=64"
cp libbz2.a "$OUT/lib/"
cp bzlib.h "$OUT/include/"
