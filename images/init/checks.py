"""An init process, and what it starts."""

import time


def checks(image):
    default = image.run()
    yield "the default command", default.out == "hello world\n" or default
    with image.running("child", "serve") as app:
        yield "a command that stays", said(app, "hello serving as a child") or app.log()
        status = app.stop()
        yield "the signal arrives, the status comes back", status == 7 or status
        yield "the child saw it", app.said("ended") or app.log()
    status = image.run("child")
    yield "its status", status.status == 5 or status
    greeting = image.run("child", "world", options=("--env", "GREETING="))
    yield "a default of the sourced file", greeting.out == "good day world\n" or greeting
    missing = image.run("no-such-program")
    yield "a program that is not there", missing.status in (126, 127) or missing


def said(app, text):
    end = time.monotonic() + 10
    while text not in app.log() and time.monotonic() < end:
        time.sleep(0.1)
    return text in app.log()
