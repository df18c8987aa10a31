"""A server that starts as root, and its client by `docker exec`."""

from images import run, volume


def checks(image):
    with volume() as data:
        mount = ("--volume", f"{data}:/data")
        with image.serving(6379, options=mount, ready=pong) as app:
            who = run("docker", "top", app.container, "-o", "uid,args")
            left = [line.split()[0] != "0" for line in who.out.splitlines()[1:]]
            yield "it has left root", all(left) or who
            stored = app.exec("redis-cli", "SET", "name", "Ada")
            yield "SET", stored.out == "OK\n" or stored
            script = app.exec("redis-cli", "EVAL", "return cjson.encode({1,2,#ARGV})", "0", "x")
            yield "Lua", script.out == "[1,2,1]\n" or script
            app.exec("redis-cli", "HSET", "h", "a", "1", "b", "2")
            saved = app.exec("redis-cli", "SAVE")
            yield "SAVE", saved.out == "OK\n" or saved
            yield "SIGTERM ends it", app.stop() == 0
        with image.serving(6379, options=mount, ready=pong) as app:
            name = app.exec("redis-cli", "GET", "name")
            yield "what was saved is there again", name.out == "Ada\n" or name
            fields = app.exec("redis-cli", "HGETALL", "h")
            yield "a hash, too", fields.out.split() == ["a", "1", "b", "2"] or fields
    with image.serving(
        6379, "--appendonly", "yes", "--requirepass", "hush", ready=pong
    ) as app:
        refused = app.exec("redis-cli", "GET", "x")
        yield "arguments that begin with -", "NOAUTH" in refused.out + refused.err or refused
        written = app.exec("redis-cli", "-a", "hush", "SET", "x", "1")
        yield "a password", "OK" in written.out or written
        rewritten = app.exec("redis-cli", "-a", "hush", "BGREWRITEAOF")
        yield "a child writes the log anew", "started" in rewritten.out or rewritten
    with image.serving(6379, options=("--user", "65532", "--tmpfs", "/data:mode=1777"), ready=pong) as app:
        yield "as another user", app.exec("redis-cli", "SET", "y", "2").out == "OK\n"
    version = image.run("redis-server", "--version")
    yield "a command of one's own", "v=7" in version.out or version
    help = image.run("redis-cli", "--version")
    yield "the client as the command", help.out.startswith("redis-cli 7") or help


def pong(app):
    return "PONG" in app.exec("redis-cli", "PING").out or "NOAUTH" in app.exec("redis-cli", "PING").out
