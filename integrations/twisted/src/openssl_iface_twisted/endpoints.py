"""Endpoints: TLS where a Twisted program takes an ``IStreamServerEndpoint`` or an ``IStreamClientEndpoint``.

A client verifies the chain and the name unless it is given another context factory.  The string forms are
in :mod:`openssl_iface_twisted.strings`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from zope.interface import alsoProvides, implementer

from .contexts import VerifyingClientContextFactory, check_factory
from .protocol import TLSWrapperFactory, tell_half_close
from .transport import TLSConnection, connectSSL, listenSSL

__all__ = [
    "TLSClientEndpoint",
    "TLSServerEndpoint",
    "wrapClientTLS",
    "wrapServerTLS",
]


@implementer(IStreamServerEndpoint)
class TLSServerEndpoint:
    """Listens as :func:`listenSSL` does, whose arguments these are."""

    def __init__(
        self,
        reactor: Any,
        port: int,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
        *,
        handshakeTimeout: float | None = TLSConnection.handshakeTimeout,
        closeTimeout: float | None = TLSConnection.closeTimeout,
    ) -> None:
        check_factory(contextFactory, client=False)
        self._reactor = reactor
        self._port = port
        self._contextFactory = contextFactory
        self._options: dict[str, Any] = {
            "backlog": backlog,
            "interface": interface,
            "handshakeTimeout": handshakeTimeout,
            "closeTimeout": closeTimeout,
        }

    def listen(self, protocolFactory: Any) -> Any:
        """A Deferred with the listening port."""
        return defer.execute(
            listenSSL, self._reactor, self._port, protocolFactory, self._contextFactory, **self._options
        )


class _TLSReactor:
    """A reactor whose TCP connections are TLS connections: with it, Twisted's endpoints connect by
    :func:`connectSSL`, and what they know of names, addresses and attempts side by side is ours too."""

    def __init__(self, reactor: Any, contextFactory: Any, options: dict[str, Any]) -> None:
        self._reactor = reactor
        self._contextFactory = contextFactory
        self._options = options
        if IReactorPluggableNameResolver.providedBy(reactor):
            alsoProvides(self, IReactorPluggableNameResolver)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> Any:
        made = factory.buildProtocol

        def buildProtocol(addr: Any) -> Any:
            del factory.buildProtocol  # there is a cycle, else
            wrapping = made(addr)
            tell_half_close(wrapping)
            return wrapping

        factory.buildProtocol = buildProtocol
        return connectSSL(
            self._reactor, host, port, factory, self._contextFactory, timeout, bindAddress, **self._options
        )


@implementer(IStreamClientEndpoint)
class TLSClientEndpoint:
    """Connects to a name or an address, over IPv4 or IPv6, whichever is faster.

    The Deferred of ``connect`` fires when the TCP connection is there.  A certificate that is refused
    is the reason of the protocol's ``connectionLost``.

    :param contextFactory: left out, the certificate must be for *host* and from someone the system trusts.
    :param timeout: seconds for each attempt.
    :param bindAddress: our own address, or ``(address, port)``.
    """

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        contextFactory: Any = None,
        timeout: float = 30,
        bindAddress: Any = None,
        *,
        handshakeTimeout: float | None = TLSConnection.handshakeTimeout,
        closeTimeout: float | None = TLSConnection.closeTimeout,
    ) -> None:
        if contextFactory is None:
            contextFactory = VerifyingClientContextFactory(host)
        check_factory(contextFactory, client=True)
        options = {"handshakeTimeout": handshakeTimeout, "closeTimeout": closeTimeout}
        self._endpoint = HostnameEndpoint(
            _TLSReactor(reactor, contextFactory, options), host, port, timeout, bindAddress
        )

    def connect(self, protocolFactory: Any) -> Any:
        """A Deferred with the protocol."""
        return self._endpoint.connect(protocolFactory)


@implementer(IStreamClientEndpoint)
class _WrappedClient:
    def __init__(self, contextFactory: Any, endpoint: Any) -> None:
        check_factory(contextFactory, client=True)
        self._contextFactory = contextFactory
        self._endpoint = endpoint

    def connect(self, protocolFactory: Any) -> Any:
        connected = self._endpoint.connect(TLSWrapperFactory(self._contextFactory, True, protocolFactory))
        return connected.addCallback(lambda tls: tls.wrappedProtocol)


@implementer(IStreamServerEndpoint)
class _WrappedServer:
    def __init__(self, contextFactory: Any, endpoint: Any) -> None:
        check_factory(contextFactory, client=False)
        self._contextFactory = contextFactory
        self._endpoint = endpoint

    def listen(self, protocolFactory: Any) -> Any:
        return self._endpoint.listen(TLSWrapperFactory(self._contextFactory, False, protocolFactory))


def wrapClientTLS(contextFactory: Any, endpoint: Any) -> Any:
    """An endpoint that speaks TLS over the connections of another one (a proxy's, say)."""
    return _WrappedClient(contextFactory, endpoint)


def wrapServerTLS(contextFactory: Any, endpoint: Any) -> Any:
    """The same for a server."""
    return _WrappedServer(contextFactory, endpoint)
