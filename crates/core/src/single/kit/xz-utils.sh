unpack xz-utils
cd xz-utils
./configure -q --prefix="$OUT" --disable-shared --disable-nls --enable-threads \
    --disable-xz --disable-xzdec --disable-lzmadec --disable-lzmainfo \
    --disable-scripts --disable-doc CFLAGS="$flags $opt"
make -s -j"$jobs" -C src/liblzma install
rm -rf "$OUT/lib/"*.la "$OUT/lib/pkgconfig" "$OUT/share"
