"""Pages that use one extension each; only / is probed."""


def pages(get, upload):
    """What both servers have to answer."""
    index = get("/")
    yield "a template", "&lt;Vase&gt;: 19,99 €" in index.body or index
    missing = get("/nowhere")
    yield "an error page", missing.status == 404 and "Nothing at /nowhere" in missing.body or missing
    goods = get("/goods")
    yield "JSON", goods.json()["Table"] == 123400 or goods
    for page, expected in (
        ("text", "STRASSE 2 93fa967b"),
        ("iconv", "352080 93fa967b cafe"),
        ("zone", "2024-07-01T06:00:00-04:00"),
        ("intl", "1.234,50\u00a0€ 1 janvier 1970 é"),
        ("database", "130299"),
        ("xml", "3 <Vase> xsl"),
        ("crypto", "aedd2a2c 1 32"),
        ("shell", "42\n"),
    ):
        answer = get(f"/{page}")
        yield page, answer.body == expected or answer
    first = get("/basket?name=Lamp")
    again = get("/basket?name=Table", Cookie=first.headers["Set-Cookie"].split(";")[0])
    yield "a session", again.body == "Lamp, Table" or again
    form = (
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        "Content-Type: text/plain\r\n\r\nwhit\r\n--x--\r\n"
    )
    sent = upload("/upload", form, {"Content-Type": "multipart/form-data; boundary=x"})
    yield "an upload", sent.body == "a.txt 723fb86a" or sent
    total = upload("/sum", "[1, 2, 39]", {"Content-Type": "application/json"})
    yield "a body", total.body == "42" or total
    broken = get("/broken")
    yield "an error", broken.status == 500 or broken
    extensions = get("/extensions")
    known = set(extensions.body.split())
    yield "extensions", known >= {"mbstring", "intl", "dom", "xsl", "pdo_sqlite", "Phar"} or extensions


def checks(image):
    with image.serving(8000) as app:
        upload = lambda path, body, headers: app.request("POST", path, body, headers=headers)
        yield from pages(app.get, upload)
        style = app.get("/style.css")
        yield "a static file", style.headers["Content-Type"].startswith("text/css") or style
        yield "an error's log", app.said("as asked") or app.log()

    one = image.run("php", "-r", "echo ucfirst('whit');")
    yield "php -r", one.out == "Whit" or one
    lint = image.run("php", "-l", "src/Pages.php")
    yield "php -l", lint.out.startswith("No syntax errors") or lint
    settings = image.run("php", "-i")
    yield "its settings", "/etc/php/8.2/cli/php.ini" in settings.out or settings
    modules = image.run("php", "-m")
    yield "no warnings", modules.err == "" and "Warning" not in modules.out or modules
    readline = image.run("php", "-a", stdin="echo 6 * 7;\n")
    yield "php -a", "42" in readline.out or readline
