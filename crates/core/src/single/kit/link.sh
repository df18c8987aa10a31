# The executable: runtime, interpreter, and of the modules those that are asked for.
#
#   RUNTIME  folder with the runtime's *.c and what was generated for this app:
#            main, _PyImport_Inittab, _PyImport_FindSharedFuncptr,
#            _PyImport_DynLoadFiletab
#   MODULES  names of the standard library's modules to link
#   OBJECTS  more objects and archives (extension modules of packages), or nothing
#   LIBS     flags for the linker that they need, e.g. -lyaml
#   FROZEN   deep: Python's frozen modules as ready objects, 860 kB, fastest;
#            data: as bytecode, 440 kB, 2 ms slower; own: RUNTIME brings a frozen.c
#            (see python/frozen.c), which may take them from the archive
#   WRAP     functions of the C library that the runtime stands in for
#   EXE      file to write; EXE.map tells what is in it and why

version=$(cat "$KIT/python/version")
rm -rf "$WORK/link"
mkdir -p "$WORK/link"
flags="$flags -std=gnu11 -DNDEBUG -fwrapv"
flags="$flags -I$KIT/include/python$version -I$KIT/include/python$version/internal"

# The packer turns one PT_NOTE into a PT_LOAD for the archive; this one is for it,
# whatever notes the C library brings.
cat > "$WORK/link/note.s" <<S
.section .note.whit, "a", %note
.balign 4
.long 5, 4, 1
.asciz "whit"
.balign 4
.long 0
.section .note.GNU-stack, "", %progbits
S
# shellcheck disable=SC2086 # flags and lists
$CC -c "$WORK/link/note.s" -o "$WORK/link/note.o"
# shellcheck disable=SC2086
printf '%s\n' "$RUNTIME"/*.c | xargs -P "$jobs" -I{} sh -ec '
    object=$1/$(basename "$2" .c).o
    source=$2
    shift 2
    exec "$@" -c "$source" -o "$object"' sh "$WORK/link" {} $CC $flags $hot

archives= libs=
for module in $MODULES; do
    archives="$archives $KIT/modules/$module.a"
    libs="$libs $(cut -f3 "$KIT/modules/$module.link")"
done
case ${FROZEN:-deep} in
deep | data) frozen=$KIT/lib/frozen-${FROZEN:-deep}.a ;;
own) frozen= ;;
esac
wrap=
for name in $WRAP; do
    wrap="$wrap -Wl,--wrap=$name"
done
case $libc in
# musl asks the executable how much stack a thread gets; else it is 128 KiB, in
# which Python's recursion limit is not reached. With glibc it is 8 MiB mostly.
musl)
    stack=-Wl,-z,stack-size=0x800000
    # C++'s library is Debian's, made for glibc: RUNTIME has what it lacks then.
    case " $LIBS " in
    *" -lstdc++ "*)
        LIBS="$(printf '%s' "$LIBS" | sed 's/-lstdc++//') -Wl,--eh-frame-hdr"
        for name in stdc++ gcc_eh; do
            LIBS="$LIBS $(g++ -print-file-name="lib$name.a")"
        done ;;
    esac
    # Before C++'s library: it has operators new and delete of its own.
    [ ! -f "$KIT/lib/libmimalloc.a" ] || LIBS="-lmimalloc $LIBS" ;;
glibc) stack= ;;
esac
# One segment less to align and no read-only relocations: nothing is relocated.
# shellcheck disable=SC2086
$CC -static -no-pie $flags $opt $stack $wrap \
    -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,norelro \
    -Wl,-z,noexecstack -Wl,-O1 -Wl,-Map="$EXE.map" -L"$KIT/lib" \
    -o "$EXE" "$WORK/link"/*.o $OBJECTS \
    -Wl,--start-group $archives "$KIT/lib/libpython.a" $frozen $LIBS $libs -Wl,--end-group -lm
strip -s -R .comment "$EXE"
