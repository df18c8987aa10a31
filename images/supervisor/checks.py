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
        yield "supervisorctl", "worker" in status.out and "RUNNING" in status.out or status
        job = app.exec("supervisorctl", "start", "job")
        yield "a job that waited", "started" in job.out or job
        time.sleep(0.5)
        told = app.exec("supervisorctl", "status", "job")
        yield "it ended well", "EXITED" in told.out or told
        sums = app.exec("supervisorctl", "start", "sums")
        yield "a program that only the configuration names", "started" in sums.out or sums
        again = app.exec("supervisorctl", "restart", "worker")
        yield "a restart", "worker: started" in again.out or again
        yield "SIGTERM ends it", app.stop() == 0
