"""Pages rendered by a server that Vite built, started by npm."""

import re


def checks(image):
    with image.serving(5173, seconds=120) as app:
        home = app.get("/")
        yield "a rendered page", home.status == 200 and "0 in the basket" in home.body or home
        prices = app.get("/prices")
        yield "a page loaded on request", "1.234,50" in prices.body and "₹1,234.50" in prices.body or prices
        asset = re.search(r'src="(/assets/[^"]+\.js)"', home.body)
        script = app.get(asset[1]) if asset else home
        yield "a built script", script.status == 200 and "javascript" in script.headers["Content-Type"] or script
        packed = app.request("GET", "/prices", headers={"Accept_Encoding": "gzip"})
        yield "compressed", packed.headers.get("Content-Encoding") == "gzip" or packed
        brotli = app.request("GET", "/prices", headers={"Accept_Encoding": "br"})
        yield "brotli", brotli.headers.get("Content-Encoding") == "br" or brotli
        missing = app.get("/nothing")
        yield "an own 404", missing.status == 404 and "no such page" in missing.body or missing
        broken = app.get("/broken")
        traced = "broken on purpose" in broken.body and "dist/server" in broken.body
        yield "an error with its stack", broken.status == 500 and traced or broken
        app.stop()
        yield "it ends when it is stopped", not app.running() or app.log()
    direct = image.run("node", "-e", "import('vue/server-renderer').then(m => console.log(typeof m.renderToString))")
    yield "a package's other entry", direct.out == "function\n" or direct
    scripts = image.run("npm", "run")
    yield "npm's list of scripts", "vite build" in scripts.out and scripts.status == 0 or scripts
