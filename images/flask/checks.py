"""Pages, sessions and parts that are imported late; only / is probed."""

# facts: mint made right by hand has 72.6.
LIMIT = 30


def checks(image):
    with image.serving(8000) as app:
        index = app.get("/")
        yield "a template", "&lt;Vase&gt;: 19.99 €" in index.body or index
        style = app.get("/static/style.css")
        yield "a static file", style.headers["Content-Type"] == "text/css; charset=utf-8" or style
        again = app.get("/static/style.css", If_None_Match=style.headers["ETag"])
        yield "not modified", again.status == 304 or again
        picture = app.get("/static/dot.gif")
        yield "a picture", picture.bytes[:6] == b"GIF89a" or picture

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        put = app.request("POST", "/basket", "name=Lamp", headers=form)
        yield "a form", put.status == 302 or put
        cookie = put.headers["Set-Cookie"].split(";")[0]
        basket = app.get("/basket", Cookie=cookie)
        yield "a session", "1 thing: LAMP" in basket.body and "is in your basket" in basket.body or basket
        yield "a filter for JSON", '["Lamp"]' in basket.body or basket
        wrong = app.request("POST", "/basket", "name=Boat", headers=form)
        yield "a bad request", wrong.status == 400 and "there is no Boat" in wrong.body or wrong

        missing = app.get("/nowhere/at%20all")
        yield "an error page", missing.status == 404 and "Nothing at /nowhere/at%20all" in missing.body or missing
        refused = app.request("DELETE", "/")
        yield "a method that is not allowed", refused.status == 405 or refused

        goods = app.get("/part/api/goods")
        yield "a module by name", goods.json()["Lamp"] == 4900 or goods
        zone = app.get("/part/api/time")
        yield "a time zone", zone.json() == {"offset": 7200.0} or zone
        mean = app.get("/part/api/mean")
        yield "decimals", mean.json()["mean"].startswith("43433") or mean
        xml = app.get("/part/api/xml")
        yield "XML", b"<good cents=\"4900\">Lamp</good>" in xml.bytes or xml
        table = app.get("/part/reports/goods.csv")
        yield "a stream", "Table,123400" in table.body or table
        old = app.get("/part/reports/price")
        yield "an old encoding", old.bytes.endswith(b"5 \x80") or old
        late = app.get("/late")
        yield "an import in a function", late.json()["ratio"] == 0.89 or late

        broken = app.get("/broken")
        yield "an error", broken.status == 500 or broken
        yield "a traceback with source", app.said('return {}["nothing"]') or app.log()
        yield "logging by strings", app.said("shop error: Exception on /broken") or app.log()
        yield "two workers", app.log().count("Booting worker") == 2 or app.log()
        yield "the end", app.stop() == 0 or app.log()

    check = image.run("gunicorn", "--check-config", "shop:create_app()")
    yield "gunicorn --check-config", check.status == 0 or check
    threads = ["gunicorn", "-k", "gthread", "--threads", "2", "--bind", "0.0.0.0:8000", "shop:create_app()"]
    with image.serving(8000, *threads) as app:
        yield "threads", app.get("/").status == 200
