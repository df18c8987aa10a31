"""A web server: whit asks for the index alone."""

import gzip

# Six files of machine code that stay as they are have 9.8 of them.
LIMIT = 10.3


def checks(image):
    with image.serving(80) as app:
        yield from site(app, "as root")
        yield from more(app)
        reloaded = app.exec("nginx", "-s", "reload")
        yield "it reloads", reloaded.status == 0 or reloaded
        yield "it answers afterwards", app.get("/").status == 200
        yield "its log", app.said('"GET /style.css HTTP/1.1" 200') or app.log()
        yield "SIGQUIT ends it", app.stop() == 0
    with image.serving(80, options=("--user", "65532")) as app:
        yield from site(app, "as another user")
    with image.serving(80, options=("--read-only", "--tmpfs", "/tmp")) as app:
        yield "on a read-only root", app.get("/").status == 200
    with image.serving(9000) as app:
        answer = app.get("/style.css")
        yield "the stream module", answer.status == 200 and "rebecca" in answer.body or answer
    tested = image.run("nginx", "-t")
    yield "nginx -t", tested.status == 0 or tested


def site(app, who):
    index = app.get("/")
    yield f"the index {who}", index.status == 200 and "<h1>Small" in index.body or index
    style = app.get("/style.css")
    right = style.headers["Content-Type"] == "text/css"
    yield f"a style's type {who}", style.status == 200 and right or style.headers
    missing = app.get("/no/such/page")
    yield f"its own 404 page {who}", missing.status == 404 and "lives" in missing.body or missing
    part = app.get("/downloads/numbers.csv", Range="bytes=2-7")
    yield f"a range {who}", part.status == 206 and part.body == "square" or part
    posted = app.request("POST", "/form", body="x" * 9000)
    yield f"a body {who}", posted.body == "POST 9000\n" or posted


def more(app):
    numbers = app.get("/downloads/numbers.csv")
    yield "an aliased folder", "199,39601" in numbers.body or numbers
    listing = app.get("/downloads/")
    yield "a listing", 'href="numbers.csv"' in listing.body or listing
    small = app.get("/style.css", Accept_Encoding="gzip")
    right = small.headers.get("Content-Encoding") == "gzip"
    yield "gzip", right and b"rebecca" in gzip.decompress(small.bytes) or small.headers
    yield "a module's header", small.headers["Server"] == "tiny" or small.headers
    other = app.get("/", Host="other.example")
    yield "another host", "Welcome to nginx" in other.body or other
    inner = app.get("/inner/")
    yield "a proxied page", "Welcome to nginx" in inner.body or inner
    changed = app.get("/style.css", If_None_Match=app.get("/style.css").headers["ETag"])
    yield "not modified", changed.status == 304 or changed
    large = app.request("POST", "/form", body="x" * 20_000)
    yield "too large a body", large.status == 413 or large
