"""Klein serves over an ``ssl:`` endpoint; the standard library's client asks."""

from __future__ import annotations

import http.client
import ssl

from common import AUTHORITY, BODY, CERTIFICATE, HOST, KEY, done
from klein import Klein
from twisted.internet import endpoints, reactor
from twisted.internet.task import react
from twisted.internet.threads import deferToThread
from twisted.web.server import Site

app = Klein()


@app.route("/hello/<name>")
def hello(request, name):
    return f"hello {name}".encode()


@app.route("/upload", methods=["POST"])
def upload(request):
    return str(len(request.content.read())).encode()


@app.route("/large")
async def large(request):
    return BODY


def ask(port):
    context = ssl.create_default_context(cafile=str(AUTHORITY))
    context.set_alpn_protocols(["http/1.1"])
    connection = http.client.HTTPSConnection(HOST, port, context=context, timeout=20)

    def answer(method, path, body=None):
        connection.request(method, path, body)
        return connection.getresponse().read()

    assert answer("GET", "/hello/you") == b"hello you"
    assert answer("POST", "/upload", BODY) == str(len(BODY)).encode()
    assert answer("GET", "/large") == BODY
    connection.close()
    try:
        http.client.HTTPSConnection(HOST, port, timeout=20).request("GET", "/large")
    except ssl.SSLCertVerificationError:
        pass
    else:
        raise AssertionError("the standard library trusts a throwaway authority")


async def main(_):
    description = f"ssl:0:interface=127.0.0.1:privateKey={KEY}:certKey={CERTIFICATE}"
    port = await endpoints.serverFromString(reactor, description).listen(Site(app.resource()))
    await deferToThread(ask, port.getHost().port)
    await port.stopListening()
    done("GET", "POST", "a large page", "the server verified")


react(main)
