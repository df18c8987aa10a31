"""What the two programs take from the image; whit asks for / alone."""


def checks(image):
    with image.serving(8080) as app:
        yield from surroundings(app, "static")
    with image.serving(8080, "/app/dynamic") as app:
        yield from surroundings(app, "dynamic")


def surroundings(app, how):
    yield f"it answers, {how}", app.get("/").body == "ready\n"
    zone = app.get("/zone?name=Asia/Kathmandu")
    yield f"any time zone, {how}", zone.body.startswith("17:45") or zone
    trusted = app.get("/authorities")
    yield f"certificate authorities, {how}", trusted.body == "true\n" or trusted
    local = app.get("/host?name=localhost")
    yield f"a host's name, {how}", "127.0.0.1" in local.body or local
    port = app.get("/port")
    yield f"a port's name, {how}", port.body == "993\n" or port
    user = app.get("/user?name=games")
    yield f"a user's name, {how}", user.body == "5 /usr/games\n" or user
    written = app.get("/temporary")
    yield f"a temporary file, {how}", written.body == "written\n" or written
