# The decompressor only: the executable's own runtime reads its archive with it.
unpack libzstd
cd libzstd/lib
# shellcheck disable=SC2086 # flags is a list
for part in common/*.c decompress/*.[cS]; do
    # Speed: it is what each start waits for. No old formats, and of what is
    # there twice for other kinds of data the half that libraries are unpacked with.
    $CC $flags $hot -w -I. -Icommon -DZSTD_LEGACY_SUPPORT=0 \
        -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT=1 -DHUF_FORCE_DECOMPRESS_X1=1 \
        -DZSTD_STRIP_ERROR_STRINGS=1 -DZSTD_TRACE=0 -c "$part"
done
ar rcsD "$OUT/lib/libzstd.a" ./*.o
cp zstd.h zstd_errors.h "$OUT/include/"
