"""An HTTPS server of the standard library for clients to ask, who may have a certificate."""

from __future__ import annotations

import http.server
import ssl
import threading

from common import AUTHORITY, BODY, CERTIFICATE, KEY


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        who = self.connection.getpeercert()
        self.answer(repr(who and who["subject"]).encode() if self.path == "/who" else BODY)

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["content-length"]))[::-1])

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # some of the connections are refused by who makes them


def serve():
    """A server that runs, on ``server_port``; end it with ``shutdown()``."""
    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(AUTHORITY))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(CERTIFICATE, KEY)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
