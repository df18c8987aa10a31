"""A language without an analyzer: whit asks for / alone."""

PAGES = {
    "/": "ready",
    "/json": '{"list":[1,2],"name":"Ada"}',
    "/encode": "82a0",
    "/posix": "1970-01-02",
    "/view": "Hello, GRACE!\n",
    "/digest": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "/csv": 'a,"b c","d""e"',
    "/own": "2",
    "/unicode": "Greek other",
    "/name": "GREEK SMALL LETTER ALPHA",
    "/big": "1180591620717411303424",
    "/time": "86400",
    "/program": "42",
}


def checks(image):
    with image.serving(8080) as app:
        for path, wanted in PAGES.items():
            answer = app.get(path)
            yield path, answer.status == 200 and answer.body == wanted or answer
        broken = app.get("/broken")
        yield "an error", broken.status == 500 and "on purpose" in broken.body or broken
        yield "a page that is not there", app.get("/nowhere").status == 404
