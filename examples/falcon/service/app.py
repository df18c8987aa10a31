import logging
from pathlib import Path

import falcon

PUBLIC = Path(__file__).parent.parent / "public"
QUOTES = {
    1: {"text": "Simplicity is the ultimate sophistication.", "by": "unknown"},
    2: {"text": "Make it as simple as possible, but not simpler.", "by": "unknown"},
}
log = logging.getLogger("quotes")


class Index:
    def on_get(self, req, resp):
        resp.media = {"service": "quotes", "links": ["/quotes", "/public/index.html"]}


class Quotes:
    def on_get(self, req, resp):
        word = req.get_param("word", default="")
        resp.media = [quote for quote in QUOTES.values() if word in quote["text"]]

    def on_post(self, req, resp):
        quote = req.get_media()
        if not isinstance(quote, dict) or not quote.get("text"):
            raise falcon.HTTPUnprocessableEntity(title="A quote has a text")
        log.info("a new quote by %s", quote.get("by", "unknown"))
        resp.status = falcon.HTTP_201
        resp.media = {"text": quote["text"], "by": quote.get("by", "unknown")}


class Quote:
    def on_get(self, req, resp, number):
        if number not in QUOTES:
            raise falcon.HTTPNotFound(title="No such quote")
        resp.media = QUOTES[number]
        resp.set_cookie("seen", str(number), max_age=60)
        resp.etag = f"quote-{number}"


class Form:
    """A quote from an HTML form."""

    def on_post(self, req, resp):
        fields = {}
        for part in req.get_media():
            fields[part.name] = part.text
        resp.media = fields


class Digest:
    def on_get(self, req, resp, name):
        import hashlib

        try:
            hashed = hashlib.new(name, b"quotes")
        except ValueError:
            raise falcon.HTTPNotFound(title=f"No digest {name}") from None
        resp.text = hashed.hexdigest()


class Logs:
    """Where log lines go, and what a line looks like."""

    def on_get(self, req, resp):
        log.info("logs were read from %s", req.path)
        names = [type(handler).__module__ + "." + type(handler).__name__ for handler in log.handlers]
        recent = next((handler.lines[-1] for handler in log.handlers if hasattr(handler, "lines")), "")
        resp.media = {"handlers": names, "last": recent}


class Broken:
    def on_get(self, req, resp):
        raise RuntimeError("this page is broken")


def failed(req, resp, error, params):
    log.exception("%s %s failed", req.method, req.path)
    raise falcon.HTTPInternalServerError(title="Something went wrong", description=str(error))


application = falcon.App()
application.add_error_handler(RuntimeError, failed)
application.add_route("/", Index())
application.add_route("/quotes", Quotes())
application.add_route("/quotes/{number:int}", Quote())
application.add_route("/form", Form())
application.add_route("/digest/{name}", Digest())
application.add_route("/logs", Logs())
application.add_route("/broken", Broken())
application.add_static_route("/public", PUBLIC)
