"""What the package offers, in one place: the names of :mod:`openssl_iface_twisted`."""

from __future__ import annotations

from .contexts import (
    ClientContextFactory,
    ContextFactory,
    DefaultOpenSSLContextFactory,
    ServerContextFactory,
    VerifyingClientContextFactory,
    clientContextFactory,
)
from .endpoints import TLSClientEndpoint, TLSServerEndpoint, wrapClientTLS, wrapServerTLS
from .errors import AbortedConnectionLost, TimedOutConnectionLost, TruncatedConnectionLost
from .interfaces import IOpenSSLTransport
from .protocol import TLSProtocol, TLSWrapperFactory, startTLS
from .stock import accelerate
from .transport import connectSSL, listenSSL

__all__ = [
    "AbortedConnectionLost",
    "ClientContextFactory",
    "ContextFactory",
    "DefaultOpenSSLContextFactory",
    "IOpenSSLTransport",
    "ServerContextFactory",
    "TLSClientEndpoint",
    "TLSProtocol",
    "TLSServerEndpoint",
    "TLSWrapperFactory",
    "TimedOutConnectionLost",
    "TruncatedConnectionLost",
    "VerifyingClientContextFactory",
    "accelerate",
    "clientContextFactory",
    "connectSSL",
    "listenSSL",
    "startTLS",
    "wrapClientTLS",
    "wrapServerTLS",
]
