"""Several programs in one container, two of which start only when told to."""

import time


def checks(image):
    with image.serving(80, ready=lambda app: app.get("/").status == 200) as app:
        yield "the worker behind the server", app.get("/").body == "work"
        who = app.get("/who")
        yield "the worker's user", who.body == "www-data" or who
        csv = app.get("/csv")
        yield "a module that no run imported", csv.body == 'a,"b,c"' or csv
        health = app.get("/health")
        yield "the server's own page", health.body == "fine\n" or health
        status = app.exec("supervisorctl", "status")
        yield "supervisorctl", "worker " in status.out and "ERROR" not in status.out or status
        for name in ("job", "sums"):
            app.exec("supervisorctl", "start", name)
            told = ended(app, name)
            yield f"{name}, which waited", "EXITED" in told.out or told
        again = app.exec("supervisorctl", "restart", "worker")
        yield "a restart", "worker: started" in again.out or again
        yield "SIGTERM ends it", app.stop() == 0


def ended(app, name):
    """The status of a job, as soon as it has one."""
    end = time.monotonic() + 10
    while True:
        told = app.exec("supervisorctl", "status", name)
        if "EXITED" in told.out or "FATAL" in told.out or time.monotonic() > end:
            return told
        time.sleep(0.2)
