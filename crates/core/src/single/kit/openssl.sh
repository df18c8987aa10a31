# Debian's configuration, as its debian/rules has it, with these differences:
#   no-shared, no-module, no-dso, no-dynamic-engine: nothing can be loaded into a
#     static executable; a provider or engine that openssl.cnf names is missing, as
#     where its file does not exist
#   no-legacy: in Debian a file that is not loaded unless asked for
#   no-async: needs ucontext, which musl has not; Python never uses it
# Assembler stays: without it AES would leak its key through the cache's timing.
unpack openssl
cd openssl
debian=$(sed -n 's/^CONFARGS *= *//p' debian/rules | tr ' ' '\n' | grep '^\(no\|enable\)-' | grep -v unit-test)
case $multiarch in
x86_64-*) debian="$debian enable-ec_nistp_64_gcc_128" target=debian-amd64 ;;
aarch64-*) target=debian-arm64 ;;
*) echo "no OpenSSL for $multiarch" >&2; exit 2 ;;
esac
export CFLAGS="$flags $opt"
# Its configuration takes -static for a system without threads.
unset LDFLAGS
# shellcheck disable=SC2086
./Configure --prefix=/usr --openssldir=/usr/lib/ssl --libdir="lib/$multiarch" $debian \
    no-shared no-module no-legacy no-dso no-dynamic-engine no-async no-tests \
    "$target" >/dev/null
make -s -j"$jobs" build_generated
make -s -j"$jobs" libcrypto.a libssl.a
# The assembler's tables for unwinding, which no flag leaves out.
for name in crypto ssl; do
    objcopy -R .eh_frame -R .rela.eh_frame "lib$name.a" "$OUT/lib/lib$name.a"
done
cp -r include/openssl "$OUT/include/"
