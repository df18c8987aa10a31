"""What the two programs take from the image; whit asks for / alone."""


def checks(image):
    with image.serving(8080) as app:
        yield from surroundings(app, "dynamic")
        status = app.stop()
        yield "dumb-init hands the signal on", status == 143 or status
    with image.serving(8080, "static") as app:
        yield from surroundings(app, "static")


def surroundings(app, how):
    yield f"it answers, {how}", app.get("/").body == "ready"
    host = app.get("/host")
    yield f"a host's name, {how}", host.body == "Ok(true)" or host
    panic = app.get("/panic")
    yield f"a panic is caught, {how}", panic.body == "caught: true" or panic
    thread = app.get("/thread")
    yield f"a thread, {how}", thread.body == "1000" or thread
    shell = app.get("/shell")
    yield f"a shell, {how}", shell.body == "42\n" or shell
