"""Routes that require what they use when they are asked; only / is probed."""


def checks(image):
    with image.serving(9292) as app:
        index = app.get("/")
        yield "a view in a layout", "&lt;Vase&gt;: 19.99 €" in index.body and "<title>" in index.body or index
        style = app.get("/style.css")
        yield "a static file", style.headers["Content-Type"].startswith("text/css") or style
        missing = app.get("/nowhere")
        yield "an error page", missing.status == 404 and "Nothing at &#x2F;nowhere" in missing.body or missing

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        put = app.request("POST", "/basket", "name=Lamp", headers=form)
        yield "a form", put.status in (302, 303) or put
        basket = app.get("/basket", Cookie=put.headers["Set-Cookie"].split(";")[0])
        yield "a session", basket.body == "In your basket: Lamp" or basket

        goods = app.get("/goods.json")
        yield "JSON", goods.json()["Table"] == 123400 or goods
        total = app.request("POST", "/sum", document=[1, 2, 39])
        yield "JSON in a body", total.body == "42" or total
        late = app.get("/late")
        yield "autoload", late.body == "LATE" or late
        for name, expected in (("Windows-1252", "352080"), ("Shift_JIS", "93fa967b"), ("UTF-16LE", "35002000ac20")):
            answer = app.get(f"/encoding/{name}")
            yield f"encoding {name}", answer.body == expected or answer
        zone = app.get("/zone")
        yield "a time zone", zone.body == "1969-12-31T19:00:00-05:00 EST" or zone
        digest = app.get("/digest")
        yield "OpenSSL", digest.body == "aedd2a2c true" or digest
        standard = app.get("/standard")
        yield "the standard library", "0.33333" in standard.body and "false" in standard.body or standard
        gems = app.get("/gems")
        yield "gems' specifications", gems.body in ("sinatra 2", "true 2") or gems
        markdown = app.get("/markdown")
        yield "a gem that nothing loaded before", "<em>late</em>" in markdown.body or markdown
        shell = app.get("/shell")
        yield "a shell", shell.body == "42\n" or shell
        broken = app.get("/broken")
        yield "an error", broken.status == 500 or broken
        yield "its traceback", app.said("as asked") or app.log()
        ended = app.stop()
        yield "the end", ended in (0, 1, 143) or ended

    two = image.run("puma", "--version")
    yield "puma --version", two.out.startswith("puma version") or two
    irb = image.run("ruby", "-rjson", "-e", 'puts({"a" => RUBY_ENGINE}.to_json)')
    yield "ruby -e", irb.out == '{"a":"ruby"}\n' or irb
    syntax = image.run("ruby", "-c", "app.rb")
    yield "ruby -c", syntax.out == "Syntax OK\n" or syntax
    traceback = image.run("ruby", "-e", "nil.nonsense")
    yield "did_you_mean and error_highlight", "undefined method" in traceback.err or traceback
    rake = image.run("ruby", "-e", 'require "rack"; puts Rack::Mime.mime_type(".svg")')
    yield "a gem", rake.out == "image/svg+xml\n" or rake
    threads = ["puma", "--workers", "2", "--bind", "tcp://0.0.0.0:9292", "config.ru"]
    with image.serving(9292, *threads) as app:
        yield "two workers", app.get("/").status == 200
