# Compiles modules of the image with the image's own interpreter. Arguments:
# a file of paths (as seen here, each ended by a NUL), a folder for results, and
# the level of optimization. In the folder,
# N.code is the marshalled code of path N, N.error says why there is none.
import marshal, sys
listing, out, level = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(listing, "rb") as f:
    paths = f.read().split(b"\0")[:-1]
for number, path in enumerate(paths):
    name = path.decode("utf-8", "surrogateescape")
    try:
        with open(path, "rb") as f:
            source = f.read()
        data = marshal.dumps(compile(source, name, "exec", 0, True, level))
        target = "%s/%d.code" % (out, number)
    except Exception as error:
        data = ("%s: %s" % (type(error).__name__, error)).encode("utf-8", "replace")
        target = "%s/%d.error" % (out, number)
    with open(target, "wb") as f:
        f.write(data)
