"""Autobahn: secure WebSocket, server and client, text and large binary messages, a clean close."""

from __future__ import annotations

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
    connectWS,
)
from common import AUTHORITY, BODY, HOST, STRANGER, done, server_options, trust
from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred
from twisted.internet.task import react


class Server(WebSocketServerProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)


class Client(WebSocketClientProtocol):
    def onOpen(self):
        self.got = []
        for number in range(20):
            self.sendMessage(f"message {number}".encode())
        self.sendMessage(BODY, isBinary=True)

    def onMessage(self, payload, isBinary):
        self.got.append(payload)
        if isBinary:
            self.sendClose(1000, "enough")

    def onClose(self, wasClean, code, reason):
        self.factory.closed.callback((getattr(self, "got", None), wasClean, code))


async def main(_):
    factory = WebSocketServerFactory()
    factory.protocol = Server
    port = reactor.listenSSL(0, factory, server_options(), interface="127.0.0.1")

    def connect(authority):
        client = WebSocketClientFactory(f"wss://{HOST}:{port.getHost().port}")
        client.protocol = Client
        client.closed = Deferred()
        connectWS(client, ssl.optionsForClientTLS(HOST, trust(authority)))
        return client.closed

    got, clean, code = await connect(AUTHORITY)
    assert got == [f"message {number}".encode() for number in range(20)] + [BODY]
    assert clean
    assert code == 1000
    got, clean, code = await connect(STRANGER)
    assert got is None, "a stranger was trusted"
    assert not clean
    await port.stopListening()
    done("text", "binary", "a clean close", "a stranger refused")


react(main)
