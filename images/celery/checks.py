"""Tasks, and commands of Celery; GET / is probed, which asks for no task."""

import json
from urllib.parse import quote


def ask(app, task, *arguments):
    answer = app.get(f"/{task}?" + "&".join(quote(json.dumps(argument)) for argument in arguments))
    return answer.json() if answer.status == 200 else answer


def checks(image):
    with image.serving(8000) as app:
        added = ask(app, "jobs.sums.add", 40, 2)
        yield "a task", added == 42 or added
        words = ask(app, "jobs.texts.words", "a rose is a rose")
        yield "imports in a task", words == {"a": 2, "rose": 2, "is": 1} or words
        packed = ask(app, "jobs.texts.packed", "whit")
        yield "lzma", str(packed).startswith("/Td6WFo") or packed
        parsed = ask(app, "jobs.texts.parsed", "a = 1")
        yield "TOML and a property list", parsed[0] == {"a": 1} or parsed
        for canvas, expected in (("chain", 42), ("group", [0, 2, 4]), ("chord", {"a": 2, "b": 1})):
            answer = ask(app, canvas)
            yield f"a {canvas}", answer == expected or answer
        flaky = ask(app, "jobs.sums.flaky")
        yield "retries", flaky == 2 or flaky
        woken = ask(app, "jobs.sums.sleep")
        yield "a time limit", woken == "woken" or woken
        state = ask(app, "state", "jobs.sums.fail")
        yield "a failure", state[0] == "FAILURE" and "as asked" in state[1] or state
        yield "its traceback", 'raise LookupError("as asked")' in state[2] or state
        registered = ask(app, "registered")
        yield "registered tasks", "jobs.texts.words" in str(registered) or registered
        ping = ask(app, "ping")
        yield "a ping", "pong" in str(ping) or ping
        yield "beat", app.said("tick") or app.log()

        for args, expected in (
            (["inspect", "ping"], "pong"),
            (["inspect", "stats"], "prefork"),
            (["inspect", "registered"], "jobs.sums.add"),
            (["status"], "1 node online"),
            (["report"], "software -> celery:5.5.3"),
            (["call", "jobs.sums.add", "--args", "[1, 2]"], "-"),
            (["control", "pool_grow", "1"], "grow"),
            (["purge", "--force"], "No messages purged"),
            (["shell", "--python", "--help"], "Start shell session"),
        ):
            done = app.exec("celery", "--app", "jobs", *args)
            yield f"celery {args[0]} {args[1] if len(args) > 1 else ''}", (
                done.status == 0 and expected in done.out + done.err or done
            )

    for pool in ("solo", "threads"):
        shell = f"redis-server --daemonize yes >/dev/null; exec celery -A jobs worker -P {pool} --loglevel INFO"
        with image.running("sh", "-c", shell) as app:
            import time

            end = time.monotonic() + 30
            while " ready." not in app.log() and app.running() and time.monotonic() < end:
                time.sleep(0.2)
            added = app.exec("celery", "-A", "jobs", "call", "jobs.sums.add", "--args", "[1, 2]")
            yield f"the pool {pool}", app.said(" ready.") and added.status == 0 or (app.log(), added)
