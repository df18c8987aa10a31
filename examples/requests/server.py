"""A TLS server on loopback, for trying the client without a network."""

import gzip
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. "


class Handler(BaseHTTPRequestHandler):
    refusals = 2

    def do_GET(self):
        if self.path == "/moved":
            self.answer(302, b"", {"Location": "/", "Set-Cookie": "step=1"})
        elif self.path == "/packed":
            self.answer(200, gzip.compress(b"unpacked again"), {"Content-Encoding": "gzip"})
        elif self.path == "/czech":
            # No charset: the client has to guess.
            self.answer(200, (CZECH * 5).encode("cp1250"), {"Content-Type": "application/octet-stream"})
        elif self.path == "/busy" and Handler.refusals:
            Handler.refusals -= 1
            self.answer(503, b"busy", {})
        elif self.path == "/missing":
            self.answer(404, b"nothing here", {"Content-Type": "text/plain"})
        else:
            self.answer(200, b"hello over TLS", {"Content-Type": "text/plain; charset=utf-8"})

    def answer(self, status: int, body: bytes, headers: dict[str, str]):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def start(certs: Path) -> str:
    """Starts the server in a thread and returns its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "server.pem", certs / "server.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"https://127.0.0.1:{server.server_port}"
