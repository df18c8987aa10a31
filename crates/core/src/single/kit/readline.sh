# KIT must hold what ncurses.sh made.
unpack readline
cd readline
./configure -q --prefix="$OUT" --disable-shared --enable-multibyte --with-curses \
    bash_cv_termcap_lib=libtinfo CFLAGS="$flags $opt"
make -s -j"$jobs" static
cp libreadline.a "$OUT/lib/"
mkdir -p "$OUT/include/readline"
cp readline.h chardefs.h keymaps.h history.h tilde.h rlstdc.h rlconf.h rltypedefs.h \
    "$OUT/include/readline/"
