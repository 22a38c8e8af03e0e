"""Scrapy crawls a local site over HTTPS, with its own TLS contexts (which do not verify)."""

from __future__ import annotations

import http.server
import ssl
import threading

import scrapy
from common import BODY, CERTIFICATE, HOST, KEY, done
from scrapy.crawler import CrawlerProcess


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        links = (
            "".join(f'<a href="/page{number}">page</a>' for number in range(5)) if self.path == "/" else ""
        )
        body = f"<html><body>{links}<p>{BODY.decode()}</p></body></html>".encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=server.serve_forever, daemon=True).start()
pages = {}


class Spider(scrapy.Spider):
    name = "local"
    start_urls = (f"https://{HOST}:{server.server_port}/",)

    def parse(self, response):
        assert response.certificate is not None
        pages[response.url] = response.css("p::text").get()
        yield from response.follow_all(css="a")


process = CrawlerProcess({"LOG_LEVEL": "WARNING", "TELNETCONSOLE_ENABLED": False, "ROBOTSTXT_OBEY": False})
process.crawl(Spider)
process.start()
assert len(pages) == 6, pages.keys()
assert set(pages.values()) == {BODY.decode()}
server.shutdown()
done("a crawl of six pages", "the certificate on the response")
