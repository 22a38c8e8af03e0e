"""A server and a client on Twisted."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from openssl_iface_twisted import ServerContextFactory, clientContextFactory, connectSSL, listenSSL


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        # pyright has no plugin for zope.interface, mypy has.
        self.transport.write(data)  # pyright: ignore[reportAttributeAccessIssue]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        print(reason.getErrorMessage())


def main() -> None:
    port = listenSSL(reactor, 8443, Factory.forProtocol(Echo), ServerContextFactory("server.pem", "key.pem"))
    connectSSL(reactor, "localhost", 8443, ClientFactory.forProtocol(Echo), clientContextFactory("localhost"))
    print(port)
