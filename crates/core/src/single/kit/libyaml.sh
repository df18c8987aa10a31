# By hand: the source package has no configure.
unpack libyaml
cd libyaml/src
version=$(dpkg-parsechangelog -l ../debian/changelog -S Version)
version=${version%%-*}
IFS=. read -r major minor patch <<V
$version
V
# shellcheck disable=SC2086 # flags is a list
for part in *.c; do
    $CC $flags $opt -I../include -DYAML_VERSION_STRING="\"$version\"" \
        -DYAML_VERSION_MAJOR="$major" -DYAML_VERSION_MINOR="$minor" \
        -DYAML_VERSION_PATCH="$patch" -c "$part"
done
ar rcsD "$OUT/lib/libyaml.a" ./*.o
cp ../include/yaml.h "$OUT/include/"
