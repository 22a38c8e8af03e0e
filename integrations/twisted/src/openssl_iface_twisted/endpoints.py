"""Endpoints, and their string forms with the prefix ``ossl``.

::

    ossl:8443:privateKey=key.pem:certKey=cert.pem
    ossl:port=8443:privateKey=key.pem:certKey=cert.pem:extraCertChain=chain.pem:interface=127.0.0.1:backlog=100:alpn=h2,http/1.1
    ossl:host=example.org:port=443
    ossl:example.org:443:cafile=ca.pem:hostname=www.example.org:timeout=10:alpn=http/1.1

A client verifies the chain and the name unless the program that it is in makes it
another context factory; a string cannot turn that off.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import alsoProvides, implementer

from openssl_iface.registry import get_backend
from openssl_iface.values import Method

from .contexts import ServerContextFactory, VerifyingClientContextFactory, check_factory
from .protocol import TLSWrapperFactory
from .transport import TLSConnection, connectSSL, listenSSL

__all__ = [
    "ClientStringParser",
    "ServerStringParser",
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


# -- string forms ------------------------------------------------------------------


def _protocols(alpn: str | None) -> tuple[bytes, ...]:
    return tuple(name.encode("ascii") for name in alpn.split(",") if name) if alpn else ()


def _server(
    reactor: Any,
    port: str,
    privateKey: str = "server.pem",
    certKey: str | None = None,
    sslmethod: str | None = None,
    interface: str = "",
    backlog: str = "50",
    extraCertChain: str | None = None,
    dhParameters: str | None = None,
    alpn: str | None = None,
    clientCA: str | None = None,
) -> TLSServerEndpoint:
    factory = ServerContextFactory(
        privateKey if certKey is None else certKey, privateKey, alpn=_protocols(alpn), clientCA=clientCA
    )
    context = factory.getContext()
    if sslmethod is not None:
        _bound(context, sslmethod)
    if extraCertChain is not None:
        for certificate in _certificates(extraCertChain):
            context.add_extra_chain_cert(certificate)
    if dhParameters is not None:
        context.load_tmp_dh(dhParameters)
    return TLSServerEndpoint(reactor, int(port), factory, int(backlog), interface)


def _client(
    reactor: Any,
    host: str,
    port: str = "443",
    timeout: str = "30",
    bindAddress: str | None = None,
    caCertsDir: str | None = None,
    cafile: str | None = None,
    hostname: str | None = None,
    certificate: str | None = None,
    privateKey: str | None = None,
    alpn: str | None = None,
) -> TLSClientEndpoint:
    factory = VerifyingClientContextFactory(
        host if hostname is None else hostname,
        cafile=cafile,
        capath=caCertsDir,
        alpn=_protocols(alpn),
        certificate=certificate,
        key=privateKey,
    )
    return TLSClientEndpoint(reactor, host, int(port), factory, float(timeout), bindAddress)


def _bound(context: Any, sslmethod: str) -> None:
    """Take the bounds of a method by its name, such as ``TLSv1_2_METHOD``."""
    method = Method.__members__.get(sslmethod.removesuffix("_METHOD"))
    if method is None:
        raise ValueError(f"sslmethod: {sslmethod!r} is not the name of a method, such as TLS_METHOD")
    bounds = get_backend().Context(method)
    context.set_min_proto_version(bounds.get_min_proto_version())
    context.set_max_proto_version(bounds.get_max_proto_version())


def _certificates(path: str) -> list[Any]:
    """The certificates of a PEM file."""
    import re
    from pathlib import Path

    from openssl_iface import crypto

    blocks = re.findall(
        rb"-----BEGIN CERTIFICATE-----\s.+?-----END CERTIFICATE-----", Path(path).read_bytes(), re.DOTALL
    )
    if not blocks:
        raise ValueError(f"extraCertChain: there is no certificate in {path}")
    return [crypto.load_certificate(crypto.FILETYPE_PEM, block + b"\n") for block in blocks]


@implementer(IPlugin, IStreamServerEndpointStringParser)
class ServerStringParser:
    """``ossl:PORT:privateKey=...:certKey=...`` and what else :func:`_server` takes."""

    prefix = "ossl"

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> TLSServerEndpoint:
        """The endpoint of a description (``twisted.internet.endpoints.serverFromString``)."""
        return _server(reactor, *args, **kwargs)


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class ClientStringParser:
    """``ossl:host=...:port=...`` and what else :func:`_client` takes."""

    prefix = "ossl"

    def parseStreamClient(self, reactor: Any, *args: Any, **kwargs: Any) -> TLSClientEndpoint:
        """The endpoint of a description (``twisted.internet.endpoints.clientFromString``)."""
        return _client(reactor, *args, **kwargs)
