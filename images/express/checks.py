"""A guest book: views of two engines, and reports that load what they need."""

# Debian's libnode (47.5 MB), ICU with its data (36.7) and OpenSSL (5.4) are 90 of
# it: they stay whole, for Intl may be asked for any locale.
LIMIT = 108.0


def checks(image):
    with image.serving(3000) as app:
        page = app.get("/")
        yield "a view with an include", "That is all." in page.body or page
        posted = app.request("POST", "/messages", document={"text": "good <day>"})
        yield "a JSON body", (posted.status, posted.json()) == (201, {"count": 1}) or posted
        page = app.get("/")
        yield "what was posted, escaped", "good &lt;day&gt;" in page.body or page
        wrong = app.request("POST", "/messages", body="{", headers={"Content-Type": "application/json"})
        yield "a JSON error with its stack", wrong.status == 400 and "body-parser" in wrong.body or wrong
        about = app.get("/about")
        yield "another engine, by a view's ending", "Runs on v" in about.body or about
        style = app.get("/static/style.css")
        yield "a static file", "teal" in style.body and "text/css" in style.headers["Content-Type"] or style
        missing = app.get("/nothing")
        yield "Express's 404", missing.status == 404 and "Cannot GET" in missing.body or missing
        broken = app.get("/broken")
        stack = "TypeError" in broken.body and "/srv/server.js" in broken.body
        yield "an error page with its stack", broken.status == 500 and stack or broken

        def report(name, query=""):
            answer = app.get(f"/report/{name}{query}")
            return answer.json() if answer.status == 200 else answer

        said = report("intl")
        expected = {
            "german": "Donnerstag, 15. Januar 2026 um 13:00",
            "japanese": "令和8年1月15日木曜日 21:00",
            "arabic": "١٬٢٣٤٫٥",
            "rupees": "₹12,34,567.00",
            "sorted": ["a", "z", "ä"],
            "plural": "few",
            "ago": "hier",
            "region": "Alemania",
            "list": "가 및 나",
        }
        for name, value in expected.items():
            yield f"Intl: {name}", isinstance(said, dict) and said[name] == value or said
        yield "Intl: words", isinstance(said, dict) and said["words"] > 1 or said
        yield "local time", isinstance(said, dict) and "GMT+0000" in said["local"] or said
        local = report("dns")
        yield "localhost", isinstance(local, dict) and local["address"] in ("127.0.0.1", "::1") or local
        unknown = app.get("/report/dns?name=nowhere.invalid")
        yield "an unknown name", "ENOTFOUND" in unknown.body or "EAI_AGAIN" in unknown.body or unknown
        codes = report("encodings")
        yield "encodings", codes == {
            "japanese": "93fa967b", "chinese": "中", "cyrillic": "f0d2c9d7c5d4", "decoder": "한",
        } or codes
        programs = report("programs")
        yield "programs and a forked module", programs == {
            "piped": "a", "user": "www-data", "answer": 144,
        } or programs
        yield "a thread", report("threads") == {"doubled": 42} or report("threads")
        yield "an addon", report("passwords") == {"same": True} or report("passwords")
        tls = report("tls")
        yield "TLS with an authority of its own", tls == {
            "trusted": "hello", "older": "hello", "untrusted": "DEPTH_ZERO_SELF_SIGNED_CERT",
        } or tls
        crypto = report("crypto")
        yield "crypto", isinstance(crypto, dict) and crypto["signed"] and crypto["roots"] and crypto[
            "scrypt"
        ] == "c0b515908e61334cae6d6003c00be60e" and len(crypto["hashes"]) == 3 or crypto
        modules = report("modules")
        yield "modules", modules == {"fetched": "fetched", "keys": True, "sum": 5} or modules
        unknown = app.get("/report/none")
        yield "a module that is not there", "Cannot find module" in unknown.body or unknown
        yield "an exit on SIGTERM", app.stop() == 0 or app.log()

    with image.serving(3000, options=["--env", "WORKERS=2"]) as app:
        yield "a cluster", app.get("/").status == 200 or app.log()
    with image.serving(3000, options=["--add-host", "guest.test:127.0.0.9", "--env", "TZ=Asia/Tokyo"]) as app:
        named = app.get("/report/dns?name=guest.test")
        yield "a name in /etc/hosts", "127.0.0.9" in named.body or named
        local = app.get("/report/intl").json()["local"]
        yield "TZ", "GMT+0900" in local or local
    printed = image.run("node", "-p", "require('express/package.json').version")
    yield "node -p", printed.out == "4.21.2\n" or printed
    checked = image.run("node", "--check", "server.js")
    yield "node --check", checked.status == 0 or checked
    wrong = image.run("node", "-e", "throw new Error('oh')")
    yield "an uncaught error", wrong.status == 1 and "Error: oh" in wrong.err or wrong
