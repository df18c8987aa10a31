"""Parts of an app that are included when they are asked for. FPM speaks
FastCGI, which no probe does: all that whit sees is that it starts."""

import json
import re
import socket
import struct


class Reply:
    def __init__(self, out, err):
        head, _, body = out.partition("\r\n\r\n")
        self.status = int((re.search(r"^Status: (\d+)", head, re.M) or [0, 200])[1])
        self.cookie = (re.search(r"^Set-Cookie: ([^;]+)", head, re.M) or [0, ""])[1]
        self.body, self.err = body, err

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r} {self.err[:300]!r}"


def ask(app, path, body="", script="/srv/app/index.php", **more):
    """One request of the FastCGI specification 1.0, as its responder role."""

    def record(kind, content):
        return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content

    values = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "SCRIPT_FILENAME": script,
        "SCRIPT_NAME": path,
        "SCRIPT_URL": path,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        **more,
    }
    pairs = b"".join(
        struct.pack("!BI", len(name), len(value) | 1 << 31) + name.encode() + value.encode()
        for name, value in values.items()
    )
    sent = record(1, struct.pack("!HB5x", 1, 0)) + record(4, pairs) + record(4, b"")
    sent += record(5, body.encode()) + record(5, b"") if body else record(5, b"")
    texts = {6: b"", 7: b""}
    with socket.create_connection(("127.0.0.1", app.port), 20) as line:
        line.sendall(sent)
        stream = line.makefile("rb")
        while header := stream.read(8):
            _, kind, _, length, padding, _ = struct.unpack("!BBHHBB", header)
            content = stream.read(length + padding)[:length]
            if kind == 3:
                break
            texts[kind] += content
    return Reply(*(texts[kind].decode("utf-8", "replace") for kind in (6, 7)))


def answers(app):
    return bool(ask(app, "/hello").body)


def checks(image):
    with image.serving(9000, ready=answers) as app:
        hello = ask(app, "/hello")
        yield "a page", hello.body.strip() == "Hello from fpm-fcgi" or hello
        missing = ask(app, "/nowhere")
        yield "an error page", missing.status == 404 and "Nothing at nowhere" in missing.body or missing
        first = ask(app, "/session")
        again = ask(app, "/session", HTTP_COOKIE=first.cookie)
        yield "a session", again.body == "2" or again
        sent = ask(app, "/body", "name=whit")
        yield "a body", sent.body == "whit 9" or sent
        standard = ask(app, "/standard")
        expected = {
            "upper": "STRASSE", "old": "352080", "zone": 7200, "digest": "aedd2a2c", "sodium": 32,
            "opcache": True, "user": "www-data", "type": "image/gif", "ctype": True,
            "mail": "a@b.example", "shell": "42",
        }
        yield "extensions", json.loads(standard.body or "{}") == expected or standard
        broken = ask(app, "/broken")
        yield "an error", broken.status == 500 and "as asked" in broken.err or broken
        none = ask(app, "/none", script="/srv/app/none.php")
        yield "no script", none.status == 404 or none
        yield "the end", app.stop() == 0 or app.log()

    settings = image.run("php-fpm8.2", "-i")
    yield "its settings", "/etc/php/8.2/fpm/php.ini" in settings.out or settings
    tested = image.run("php-fpm8.2", "--test")
    yield "a test of its settings", "test is successful" in tested.err or tested
