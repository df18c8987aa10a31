# The start of executables whose program is compressed. It must not lie where
# the program will, and uses of the C library what needs no set-up: memcpy and
# the like.
#
#   RUNTIME  folder with unpacker.c

# shellcheck disable=SC2086 # flags is a list
musl-gcc -static -nostartfiles -no-pie $flags -O2 -fno-stack-protector -DZSTD_STATIC_LINKING_ONLY -w \
    -I"$RUNTIME" -L"$KIT/lib" -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noseparate-code \
    -Wl,-z,norelro -Wl,-z,noexecstack -Wl,-Ttext-segment=0x60000000 \
    -o "$OUT/unpacker" "$RUNTIME/unpacker.c" -lzstd
strip -s -R .comment "$OUT/unpacker"
