"""Answers the web server in front of it."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/who":
            import pwd

            text = pwd.getpwuid(os.getuid()).pw_name
        elif self.path == "/csv":
            import csv
            import io

            out = io.StringIO()
            csv.writer(out).writerow(["a", "b,c"])
            text = out.getvalue().strip()
        else:
            text = "work"
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
