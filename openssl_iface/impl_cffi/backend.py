"""The backend: which OpenSSL this is, what it can do, and the classes that do it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

from zope.interface import implementer

from ..interfaces import IBackend
from ..values import ProtocolVersion, Version
from . import _errors, crypto, rand
from ._encoding import INT_MAX, as_int
from ._native import ffi, lib
from .connection import Connection, event_connection
from .context import Context
from .crl import CRL, Revoked
from .extension import X509Extension
from .name import X509Name
from .pkcs7 import PKCS7
from .pkcs12 import PKCS12
from .pkey import PKey
from .ready import client_context, server_context
from .request import X509Req
from .session import Session
from .settings import speaks
from .spki import NetscapeSPKI
from .store import X509Store, X509StoreContext
from .x509 import X509


def _text(pointer: Any) -> str:
    return str(ffi.string(pointer).decode())


def _capabilities() -> frozenset[str]:
    """The names of optional symbols that this OpenSSL has, and of the protocols that it speaks."""
    capabilities = {
        name.removeprefix("HAS_").lower()
        for name in dir(lib)
        if name.startswith("HAS_") and getattr(lib, name)
    }
    for name, version in (
        ("ssl3", ProtocolVersion.SSL3),
        ("tls1", ProtocolVersion.TLS1),
        ("tls1_1", ProtocolVersion.TLS1_1),
        ("tls1_2", ProtocolVersion.TLS1_2),
        ("tls1_3", ProtocolVersion.TLS1_3),
    ):
        if speaks(version):
            capabilities.add(name)
    if lib.HAS_SSL_set_retry_verify:
        capabilities.add("retry_verify")
    return frozenset(capabilities)


def _constants() -> Mapping[str, int]:
    """libssl's constants by the names that the SSL module gives them."""
    found = {}
    for name in dir(lib):
        for prefix in (
            "SSL_OP_",
            "SSL_MODE_",
            "SSL_SESS_CACHE_",
            "SSL_SENT_SHUTDOWN",
            "SSL_RECEIVED_SHUTDOWN",
        ):
            if name.startswith(prefix):
                found[name.removeprefix("SSL_")] = int(getattr(lib, name))
        if name.startswith(("SSL_ST_", "SSL_CB_")):
            found[name] = int(getattr(lib, name))
    return MappingProxyType(found)


@implementer(IBackend)
class Backend:
    """OpenSSL through our own cffi binding."""

    name = "cffi"
    Context = Context
    Connection = Connection
    Session = Session
    PKey = PKey
    X509 = X509
    X509Name = X509Name
    X509Extension = X509Extension
    X509Req = X509Req
    CRL = CRL
    Revoked = Revoked
    X509Store = X509Store
    X509StoreContext = X509StoreContext
    PKCS7 = PKCS7
    PKCS12 = PKCS12
    NetscapeSPKI = NetscapeSPKI
    crypto = crypto
    rand = rand
    event_connection = staticmethod(event_connection)
    client_context = staticmethod(client_context)
    server_context = staticmethod(server_context)

    def __init__(self) -> None:
        self.built = Version(int(lib.OPENSSL_VERSION_NUMBER), _text(lib.OPENSSL_VERSION_TEXT))
        self.running = Version(
            int(lib.OpenSSL_version_num()), _text(lib.OpenSSL_version(lib.OPENSSL_VERSION))
        )
        self.capabilities = _capabilities()
        self.constants = _constants()
        self.binding = SimpleNamespace(ffi=ffi, lib=lib, take_errors=_errors.take)

    def openssl_version(self, what: int = 0) -> bytes:
        """OpenSSL's words about itself (*OpenSSL_version(3)*): *what* is one of its constants."""
        return bytes(ffi.string(lib.OpenSSL_version(as_int(what, "what", 0, INT_MAX))))


backend = Backend()
