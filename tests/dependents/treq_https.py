"""treq fetches from twisted.web, over HTTPS and HTTP/1.1, and refuses a stranger's certificate."""

from __future__ import annotations

import treq
from common import AUTHORITY, BODY, HOST, STRANGER, done, server_options, trust
from treq.client import HTTPClient
from twisted.internet import reactor, ssl
from twisted.internet.task import react
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool, ResponseNeverReceived
from twisted.web.resource import Resource
from twisted.web.server import Site


class Echo(Resource):
    isLeaf = True

    def render_GET(self, request):
        return BODY

    def render_POST(self, request):
        return request.content.read()[::-1]


async def main(_):
    port = reactor.listenSSL(0, Site(Echo()), server_options(), interface="127.0.0.1")
    url = f"https://{HOST}:{port.getHost().port}/"
    pool = HTTPConnectionPool(reactor)
    client = HTTPClient(Agent(reactor, BrowserLikePolicyForHTTPS(trust(AUTHORITY)), pool=pool))
    for _ in range(3):  # on one connection
        response = await client.get(url)
        assert response.code == 200
        assert await treq.content(response) == BODY
    response = await client.post(url, data=BODY)
    assert await treq.content(response) == BODY[::-1]
    try:
        await HTTPClient(Agent(reactor, BrowserLikePolicyForHTTPS(trust(STRANGER)))).get(url)
    except ResponseNeverReceived as error:
        (reason,) = error.reasons
        assert reason.check(ssl.SSL.Error), reason
        assert "certificate verify failed" in str(reason.value)
    else:
        raise AssertionError("a stranger was trusted")
    try:
        # The certificate is for localhost and 127.0.0.1.
        await client.get(url.replace(HOST, "127.1"))
    except Exception as error:
        assert not isinstance(error, AssertionError)
    else:
        raise AssertionError("another name was accepted")
    await pool.closeCachedConnections()
    await port.stopListening()
    done("GET", "POST", "a stranger refused", "another name refused")


react(main)
