"""Twisted: with our TLS, with its own on pyOpenSSL or on the drop-in, or over plain TCP."""

from __future__ import annotations

import sys
from typing import Any

from common import BACKLOG, BURST, PATTERN, Counter, announce, options

if not {"dropin", "accelerated"}.isdisjoint(sys.argv):
    import openssl_iface

    openssl_iface.install_as_OpenSSL()  # before Twisted imports OpenSSL

from twisted.internet import reactor, stdio
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

import twisted

loop: Any = reactor


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.transport.write(data)


class Sink(Protocol):
    def connectionMade(self) -> None:  # noqa: N802
        self.counter = Counter()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        due = self.counter.due(len(data))
        if due:
            self.transport.write(due)


@implementer(IPushProducer)
class Source(Protocol):
    paused = True

    def connectionMade(self) -> None:  # noqa: N802
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:  # noqa: N802
        if self.paused:
            self.paused = False
            self.pour()

    def pauseProducing(self) -> None:  # noqa: N802
        self.paused = True

    def stopProducing(self) -> None:  # noqa: N802
        self.paused = True

    def pour(self) -> None:
        for _ in range(BURST):
            if self.paused:
                return
            self.transport.write(PATTERN)
        loop.callLater(0, self.pour)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        self.paused = True


class Input(Protocol):
    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        loop.stop()


def factory_for(work: str) -> Any:
    if work == "web":
        from twisted.web.resource import Resource
        from twisted.web.server import Site

        class Page(Resource):
            isLeaf = True  # noqa: N815

            def render_GET(self, request: Any) -> bytes:  # noqa: N802
                request.setHeader(b"content-type", b"text/plain")
                return b"x" * 100

        return Site(Page())
    return Factory.forProtocol({"echo": Echo, "sink": Sink, "source": Source}[work])


def listen_ours(factory: Any, given: Any) -> tuple[Any, str]:
    from openssl_iface.registry import get_backend
    from openssl_iface_twisted import DefaultOpenSSLContextFactory, ServerContextFactory, listenSSL

    contexts: Any = DefaultOpenSSLContextFactory(given.key, given.cert)
    if given.client_ca:
        contexts = ServerContextFactory(given.cert, given.key, clientCA=given.client_ca)
    port = listenSSL(loop, 0, factory, contexts, BACKLOG, "127.0.0.1")
    return port, f"openssl_iface, {get_backend().running.text}"


def listen_pyopenssl(factory: Any, given: Any) -> tuple[Any, str]:
    import OpenSSL
    from OpenSSL import SSL
    from twisted.internet.ssl import DefaultOpenSSLContextFactory

    contexts = DefaultOpenSSLContextFactory(given.key, given.cert)
    if given.client_ca:
        context = contexts.getContext()
        context.load_verify_locations(given.client_ca)
        context.set_session_id(b"bench")
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    port = loop.listenSSL(0, factory, contexts, BACKLOG, "127.0.0.1")
    return port, f"pyOpenSSL {OpenSSL.__version__}, {SSL.SSLeay_version(0).decode()}"


def listen_dropin(factory: Any, given: Any) -> tuple[Any, str]:
    if given.tls == "accelerated":
        from openssl_iface_twisted import accelerate

        accelerate()
    port, library = listen_pyopenssl(factory, given)
    return port, library.replace("pyOpenSSL", f"{given.tls}, as pyOpenSSL")


def main() -> None:
    given = options(tls="ours, dropin, accelerated, pyopenssl or none")
    factory = factory_for(given.work)
    factory.noisy = False
    if given.tls == "ours":
        port, library = listen_ours(factory, given)
    elif given.tls == "pyopenssl":
        port, library = listen_pyopenssl(factory, given)
    elif given.tls in ("dropin", "accelerated"):
        port, library = listen_dropin(factory, given)
    else:
        port, library = loop.listenTCP(0, factory, BACKLOG, "127.0.0.1"), "plain TCP"
    stdio.StandardIO(Input())
    announce(port.getHost().port, f"Twisted {twisted.__version__}, {library}")
    loop.run()


main()
