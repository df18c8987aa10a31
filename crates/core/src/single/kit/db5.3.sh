# Berkeley DB, for the module _dbm: no C++, no tools, no replication.

unpack db5.3
mkdir db5.3/build
cd db5.3/build
../dist/configure -q CC="$CC" CFLAGS="$flags $opt" --prefix="$OUT" \
    --disable-shared --enable-static --disable-cxx --disable-replication \
    --enable-dbm
make -s -j"$jobs" library_build
make -s install_lib install_include
