# For musl only: its own malloc takes ten times as long for blocks of 512 bytes and
# more, which Python does not pool itself. Linked in place of it when it is there.
unpack mimalloc
cd mimalloc
# shellcheck disable=SC2086 # flags is a list
$CC $flags $hot -std=gnu11 -DNDEBUG -DMI_MALLOC_OVERRIDE=1 -DMI_SECURE=0 -DMI_STAT=0 \
    -DMI_LIBC_MUSL=1 -ftls-model=local-exec -fno-builtin-malloc -w -Iinclude -c src/static.c
ar rcsD "$OUT/lib/libmimalloc.a" static.o
