# Wide characters only, which is what Debian's Python is linked with; the terminal
# descriptions are looked for where Debian has them.
unpack ncurses
cd ncurses
./configure --prefix="$OUT" --enable-widec --without-shared --with-termlib=tinfo \
    --with-ticlib=tic --without-ada --without-cxx --without-cxx-binding --without-tests \
    --without-progs --without-manpages --without-debug --without-profile --without-gpm \
    --disable-stripping --enable-echo --enable-const --enable-symlinks --enable-overwrite \
    --disable-root-environ --disable-termcap --disable-wattr-macros --disable-db-install \
    --with-default-terminfo-dir=/etc/terminfo \
    --with-terminfo-dirs=/etc/terminfo:/lib/terminfo:/usr/share/terminfo \
    --with-xterm-kbs=del CFLAGS="$flags $opt" >/dev/null
make -s -j"$jobs" libs
make -s -C include install
for name in ncursesw panelw tinfo; do
    cp "lib/lib$name.a" "$OUT/lib/"
done
cp panel/panel.h "$OUT/include/"
