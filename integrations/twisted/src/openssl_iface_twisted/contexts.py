"""Context factories: what ``listenSSL``, ``connectSSL``, endpoints and ``startTLS`` are given.

A context factory is any object with one of these methods:

``getContext()``
    gives an ``IContext``.  :class:`DefaultOpenSSLContextFactory` and :class:`ClientContextFactory`
    carry the names that Twisted's users know.
``clientConnectionForTLS(transport)``, ``serverConnectionForTLS(transport)``
    (Twisted's ``IOpenSSLClientConnectionCreator`` and ``IOpenSSLServerConnectionCreator``) give an
    ``IConnection`` that was made without a socket.  :class:`VerifyingClientContextFactory` and
    :class:`ServerContextFactory` are of this kind.

Twisted's own ``CertificateOptions`` and ``optionsForClientTLS`` give pyOpenSSL's objects; they are refused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLContextFactory,
    IOpenSSLServerConnectionCreator,
)
from zope.interface import implementer

from openssl_iface.errors import Error
from openssl_iface.interfaces import IConnection
from openssl_iface.registry import get_backend
from openssl_iface.values import Method, ProtocolVersion, VerifyMode

__all__ = [
    "ClientContextFactory",
    "ContextFactory",
    "DefaultOpenSSLContextFactory",
    "ServerContextFactory",
    "VerifyingClientContextFactory",
    "check_factory",
    "clientContextFactory",
    "connection_for",
]

# A path of a file, or of a directory.
StrPath = str | os.PathLike[str]


@implementer(IOpenSSLContextFactory)
class ContextFactory:
    """Gives contexts; override ``getContext``."""

    isClient = 0

    def getContext(self) -> Any:
        """An ``IContext``."""
        raise NotImplementedError


class DefaultOpenSSLContextFactory(ContextFactory):
    """A server's context from two PEM files; TLS 1.2 and later.

    :param privateKeyFileName: the key's.
    :param certificateFileName: the certificate's, with the chain above it if there is one.
    :param sslmethod: a ``openssl_iface.values.Method`` (``SSL.TLSv1_2_METHOD`` ...); one that is given
        sets the bounds.
    :raises openssl_iface.errors.Error: a file cannot be read, is not PEM, or the key is not the
        certificate's.
    """

    _context: Any = None

    def __init__(
        self, privateKeyFileName: StrPath, certificateFileName: StrPath, sslmethod: int | None = None
    ) -> None:
        self.privateKeyFileName = privateKeyFileName
        self.certificateFileName = certificateFileName
        self.sslmethod = sslmethod
        # At once, so that a wrong file is an error here and not at the first connection.
        self.cacheContext()

    def cacheContext(self) -> None:
        """Make the context, if it is not there yet."""
        if self._context is None:
            context = _new_context(self.sslmethod)
            _use_files(context, self.certificateFileName, self.privateKeyFileName)
            self._context = context

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_context"}

    def getContext(self) -> Any:
        """The context."""
        if self._context is None:
            self.cacheContext()
        return self._context


class ClientContextFactory(ContextFactory):
    """A client's context that does NOT verify the peer: anyone in between can read and change everything.

    It has the name and the behaviour of Twisted's.  Use :class:`VerifyingClientContextFactory`.
    """

    isClient = 1
    method: int | None = None

    def getContext(self) -> Any:
        """A new context, for TLS 1.2 and later unless ``method`` is set."""
        return _new_context(self.method)


@implementer(IOpenSSLClientConnectionCreator)
class VerifyingClientContextFactory:
    """For clients: the peer must have a certificate for *hostname* from someone we trust.

    TLS 1.2 and later.  The system's trust store counts unless a file, a directory or certificates are given.

    :param hostname: the name or IP address that the certificate must be for; also the name asked for (SNI).
    :param cafile: a PEM file of authorities.
    :param capath: a directory of them, by OpenSSL's hashes or any ``*.pem``.
    :param trust: authorities as objects (iterable of IX509).
    :param alpn: protocols to offer (iterable of bytes), best first.
    :param certificate: our own certificate with its chain, a PEM file.
    :param key: its key, a PEM file; the same file if left out.
    :raises openssl_iface.errors.Error: a file cannot be used.
    """

    def __init__(
        self,
        hostname: str,
        *,
        cafile: StrPath | None = None,
        capath: StrPath | None = None,
        trust: Iterable[Any] | None = None,
        alpn: Iterable[bytes] = (),
        certificate: StrPath | None = None,
        key: StrPath | None = None,
    ) -> None:
        if not isinstance(hostname, str):
            raise TypeError(f"hostname: text is wanted, not {type(hostname).__name__}")
        if not hostname:
            raise ValueError("hostname: it is empty, so no certificate would be for it")
        if key is not None and certificate is None:
            raise ValueError("key: it needs a certificate")
        self.hostname = hostname
        context = get_backend().client_context(cafile=cafile, capath=capath, alpn=tuple(alpn), trust=trust)
        if capath is not None:
            for path in sorted(Path(capath).glob("*.pem")):
                context.load_verify_locations(path, None)
        if certificate is not None:
            _use_files(context, certificate, certificate if key is None else key)
        self._context = context
        bare = hostname.rstrip(".")
        # RFC 6066, section 3: literal addresses are not permitted, and no trailing dot.
        self._servername = None if isIPAddress(bare) or isIPv6Address(bare) else bare

    def getContext(self) -> Any:
        """The context; it verifies the chain.

        The name is verified by the connections that this object makes."""
        return self._context

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """A connection that asks for the name and verifies it."""
        connection = _backend_of(self, self._context).Connection(self._context)
        if self._servername is not None:
            connection.set_tlsext_host_name(self._servername)
        connection.set_verify_host(self.hostname)
        return connection


def clientContextFactory(
    hostname: str, *, trust: Iterable[Any] | None = None, alpn: Iterable[bytes] = (), **options: Any
) -> VerifyingClientContextFactory:
    """A :class:`VerifyingClientContextFactory`, in the manner of Twisted's ``optionsForClientTLS``."""
    return VerifyingClientContextFactory(hostname, trust=trust, alpn=alpn, **options)


@implementer(IOpenSSLServerConnectionCreator)
class ServerContextFactory:
    """For servers; TLS 1.2 and later.

    :param certificate: an IX509, a sequence with its chain, or the path of a PEM file.
    :param key: an IPKey or a path; the certificate's file if left out.
    :param alpn: protocols that we speak (iterable of bytes), best first.  A client that offers others only is
        refused, with the alert no_application_protocol (RFC 7301, section 3.2).
    :param clientCA: a PEM file of authorities: clients must show a certificate from one of them.
    :raises openssl_iface.errors.Error: a file cannot be used, or the key is not the certificate's.
    """

    def __init__(
        self,
        certificate: Any,
        key: Any = None,
        *,
        alpn: Iterable[bytes] = (),
        clientCA: StrPath | None = None,
    ) -> None:
        if key is None:
            if not isinstance(certificate, (str, bytes, os.PathLike)):
                raise TypeError(
                    "key: it is wanted, unless certificate is the path of a file that contains it"
                )
            key = certificate
        self._context = get_backend().server_context(certificate, key, alpn=tuple(alpn))
        if clientCA is not None:
            self._context.load_verify_locations(clientCA, None)
            self._context.load_client_ca(clientCA)
            self._context.set_verify(VerifyMode.PEER | VerifyMode.FAIL_IF_NO_PEER_CERT, None)
            # Sessions must not come from a context that asks for less (SSL_CTX_set_session_id_context(3)).
            self._context.set_session_id(b"openssl_iface_twisted")

    def getContext(self) -> Any:
        """The context."""
        return self._context

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """A connection of it."""
        return _backend_of(self, self._context).Connection(self._context)


def _new_context(method: int | None) -> Any:
    if method is not None:
        return get_backend().Context(method)
    context = get_backend().Context(Method.TLS)
    context.set_min_proto_version(ProtocolVersion.TLS1_2)
    return context


def _use_files(context: Any, certificate: StrPath, key: StrPath) -> None:
    """Use a certificate and its key; one of another kind is not taken for another certificate's."""
    context.use_certificate_chain_file(certificate)
    context.use_privatekey_file(key)
    if not context.check_privatekey():
        raise Error.from_reasons(
            [], f"key: {os.fsdecode(key)!r} does not belong to {os.fsdecode(certificate)!r}"
        )


# Makes connections that are nothing special: they are made in one step.
_ORDINARY = ServerContextFactory.serverConnectionForTLS
_CREATORS: Sequence[str] = ("serverConnectionForTLS", "clientConnectionForTLS")


def check_factory(factory: Any, *, client: bool) -> None:
    """Refuse what cannot be a context factory for this side, before there is a connection.

    :raises TypeError: and why.
    """
    if hasattr(factory, _CREATORS[client]):
        # Twisted's make whatever the package OpenSSL has, which it has imported then; this may be ours.
        package = sys.modules.get("OpenSSL.SSL")
        if type(factory).__module__.startswith("twisted.") and not (
            package and IConnection.implementedBy(package.Connection)
        ):
            raise TypeError(f"contextFactory: {_name(factory)} makes connections of pyOpenSSL{_HINT}")
        return
    if hasattr(factory, _CREATORS[not client]):
        side, other = ("client", "server") if client else ("server", "client")
        raise TypeError(f"contextFactory: {_name(factory)} makes {other} connections; a {side}'s is wanted")
    if hasattr(factory, "getContext"):
        _check_context(factory, factory.getContext())
        return
    raise TypeError(
        f"contextFactory: {_name(factory)} has neither getContext() nor {_CREATORS[client]}(transport)"
    )


def connection_for(factory: Any, client: bool, transport: Any, sock: Any) -> Any:
    """A connection for *transport* (an IConnection in its role), on *sock* or on nothing.

    :raises TypeError: the factory gave something that is not ours.
    """
    create = getattr(factory, _CREATORS[client], None)
    ordinary = getattr(create, "__func__", None) is _ORDINARY
    if create is None or ordinary:
        context = factory._context if ordinary else factory.getContext()
        return _backend_of(factory, context).event_connection(context, sock, not client)
    connection = create(transport)
    if not IConnection.providedBy(connection):
        raise TypeError(
            f"contextFactory: {_name(factory)} made a {_name(connection)}, which is not a connection of "
            f"openssl_iface{_HINT}"
        )
    if sock is not None:
        connection.event_attach(sock)
    if client:
        connection.set_connect_state()
    else:
        connection.set_accept_state()
    return connection


# The backend of a kind of contexts: to ask the registry each time, which looks at the environment, takes
# longer than to make a connection.
_backends: dict[type, Any] = {}


def _backend_of(factory: Any, context: Any) -> Any:
    """What makes the connections of *context*."""
    backend = _backends.get(context.__class__)
    if backend is None:
        _check_context(factory, context)
        backend = _backends[type(context)] = get_backend()
    return backend


_HINT = (
    " (Twisted's CertificateOptions and optionsForClientTLS make pyOpenSSL's; see ServerContextFactory and "
    "VerifyingClientContextFactory)"
)


def _check_context(factory: Any, context: Any) -> None:
    if not isinstance(context, get_backend().Context):
        raise TypeError(
            f"contextFactory: {_name(factory)} has a {_name(context)}, which is not a Context of "
            f"openssl_iface{_HINT}"
        )


def _name(thing: Any) -> str:
    kind = type(thing)
    return f"{kind.__module__}.{kind.__qualname__}"
