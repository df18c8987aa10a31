# Debian's choices: closures never in memory that is writable and executable at
# once where the kernel forbids it, and no trampolines of libffi's own library.
unpack libffi
cd libffi
./configure -q --prefix="$OUT" --disable-shared --disable-docs --without-gcc-arch \
    --enable-pax_emutramp --disable-exec-static-tramp --disable-multi-os-directory \
    CFLAGS="$flags $opt"
make -s -j"$jobs" install
rm -rf "$OUT/lib/"*.la "$OUT/lib/pkgconfig" "$OUT/share"
