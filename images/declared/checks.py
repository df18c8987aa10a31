"""What the engine does by itself with what an image declares."""

import time

from images import volume


def checks(image):
    config = image.config
    yield "USER", config["User"] == "counter" or config["User"]
    yield "VOLUME", list(config["Volumes"]) == ["/var/lib/counter"] or config["Volumes"]
    yield "STOPSIGNAL", config["StopSignal"] == "SIGUSR1" or config["StopSignal"]
    with volume() as data:
        mount = ("--volume", f"{data}:/var/lib/counter")
        with image.serving(8080, options=mount, ready="/health") as app:
            first = app.get("/")
            yield "the volume is filled, and the user's", first.body == "42 counter /home/counter\n" or first
            yield "the health check", healthy(app) or app.health()
            status = app.stop()
            yield "the signal's own status", status == 3 or status
        with image.serving(8080, options=mount, ready="/health") as app:
            again = app.get("/")
            yield "the volume again", again.body.startswith("43 ") or again
    with image.serving(8080, options=("--user", "0"), ready="/health") as app:
        yield "as root", "root /root" in app.get("/").body or app.get("/")
    unknown = image.run("x", "y", "z")
    yield "arguments are added", unknown.status == 2 or unknown


def healthy(app):
    end = time.monotonic() + 40
    while app.health() != "healthy" and time.monotonic() < end:
        time.sleep(0.2)
    return app.health() == "healthy"
