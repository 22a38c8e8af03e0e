"""A server's connections under Twisted's reactor, with their clients, in one process: to be counted."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from .inprocess import Files

CONNECTIONS = 20


def twisted(files: Files, message: bytes, *, ours: bool) -> Callable[[], object]:
    """An operation: one connection's *message* there and back.  All connections are asked in turns."""
    from twisted.internet import epollreactor

    install: Any = epollreactor.install
    install()
    from twisted.internet import reactor
    from twisted.internet.protocol import Factory, Protocol

    from openssl_iface.registry import get_backend

    class Echo(Protocol):
        def dataReceived(self, data: bytes) -> None:  # noqa: N802
            transport: Any = self.transport
            transport.write(data)

    loop: Any = reactor
    factory = Factory.forProtocol(Echo)
    factory.noisy = False
    if ours:
        from openssl_iface_twisted import DefaultOpenSSLContextFactory, listenSSL

        context: Any = DefaultOpenSSLContextFactory(files.key, files.certificate)
        port: Any = listenSSL(loop, 0, factory, context, interface="127.0.0.1")
    else:
        from twisted.internet import ssl

        theirs: Any = ssl
        context = theirs.DefaultOpenSSLContextFactory(files.key, files.certificate)
        port = loop.listenSSL(0, factory, context, interface="127.0.0.1")
    loop.startRunning(installSignalHandlers=False)
    backend = get_backend()
    trusting = backend.client_context(cafile=files.authority)
    clients = []
    for _ in range(CONNECTIONS):
        connection = backend.Connection(trusting)
        connection.set_connect_state()
        sock = socket.create_connection(("127.0.0.1", port.getHost().port))
        sock.setblocking(False)
        connection.event_attach(sock)
        connection.event_proceed()
        clients.append(connection)
    while not all(one.handshake_done for one in clients):
        loop.iterate(0.01)
        for one in clients:
            one.event_read()
    due: list[Any] = []

    def echo() -> object:
        if not due:
            for one in clients:
                one.event_write(message)
            due.extend(clients)
        one = due.pop()
        got = b""
        while len(got) < len(message):
            loop.iterate(0)
            got += one.event_read()
        return got

    for _ in range(CONNECTIONS):
        assert echo() == message
    return echo
