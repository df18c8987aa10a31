"""GET /TASK?ARGUMENT&ARGUMENT waits for a task; arguments are JSON."""

import json
from urllib.parse import unquote

from celery import chain, chord, group

from . import app


def call(name, args):
    add = app.signature("jobs.sums.add")
    match name:
        case "":
            return "ready"
        case "ping":
            return app.control.inspect(timeout=2).ping()
        case "registered":
            return app.control.inspect(timeout=2).registered()
        case "chain":
            return chain(add.clone((1, 2)), add.clone((3,)), add.clone((36,)))().get(timeout=20)
        case "group":
            return group(add.clone((n, n)) for n in range(3))().get(timeout=20)
        case "chord":
            from .sums import add as adding

            return chord([adding.s(1, 1), adding.s(2, 2)], app.signature("jobs.texts.words", args=("a b a",), immutable=True))().get(timeout=20)
        case "state":
            result = app.send_task(args[0])
            result.get(timeout=20, propagate=False)
            return [result.state, repr(result.result), (result.traceback or "")[-400:]]
        case _:
            return app.send_task(name, args=args).get(timeout=20)


def application(environ, start_response):
    words = [unquote(word) for word in environ["QUERY_STRING"].split("&") if word]
    answer = json.dumps(call(environ["PATH_INFO"][1:], [json.loads(word) for word in words]))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer.encode()]
