"""The web tier: the shop's page, and the way to the application tier's balancer.

    python3 web.py             configured by the environment: APPLICATION (http://internal-…) PORT
"""
import http.client
import os
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aws import metadata

PAGE = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "index.html"), "rb").read()
APPLICATION = urllib.parse.urlsplit(os.environ["APPLICATION"])
PASSED = ("content-type", "content-length", "x-application")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    here = None
    kept = threading.local()

    def answer(self, code, body, headers):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("X-Web", self.here)
        self.end_headers()
        self.wfile.write(body)

    def pass_on(self):
        """A kept connection may have been closed meanwhile: once more on a new one. The shop's requests may be repeated."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        for attempt in range(3):
            connection = getattr(self.kept, "connection", None)
            try:
                connection = connection or http.client.HTTPConnection(APPLICATION.hostname, APPLICATION.port or 80, timeout=40)
                self.kept.connection = connection
                connection.request(self.command, self.path, body, {"Content-Type": "application/json",
                                                                   "X-Forwarded-For": self.headers.get("X-Forwarded-For", "")})
                r = connection.getresponse()
                content = r.read()
                if r.status in (502, 503, 504) and attempt < 2:
                    continue
                return self.answer(r.status, content, [(k, v) for k, v in r.getheaders() if k.lower() in PASSED])
            except (OSError, http.client.HTTPException) as e:
                self.kept.connection = None
                if attempt == 2:
                    message = f"the application does not answer: {e}".encode()
                    return self.answer(502, message, [("Content-Type", "text/plain"), ("Content-Length", str(len(message)))])

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, b"ok", [("Content-Length", "2")])
        if self.path.startswith(("/api/", "/pictures/")):
            return self.pass_on()
        self.answer(200, PAGE, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(PAGE)))])

    do_POST = pass_on

    def log_request(self, *_):
        pass


if __name__ == "__main__":
    Handler.here = f"{metadata('meta-data/instance-id')} {metadata('meta-data/placement/availability-zone')}"
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "80"))), Handler)
    server.daemon_threads = True
    print("web: ready", flush=True)
    server.serve_forever()
