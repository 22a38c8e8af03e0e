"""The backend: which OpenSSL this is, what it can do, and the classes that do it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from zope.interface import implementer

from ..interfaces import IBackend
from ..values import NO_OVERLAPPING_PROTOCOLS, Method, ProtocolVersion, VerifyMode, Version
from ._encoding import as_instance
from ._native import ffi, lib
from .connection import Connection
from .context import Context, Path
from .pkey import PKey
from .session import Session
from .store import X509Store
from .x509 import X509


def _text(pointer: Any) -> str:
    return str(ffi.string(pointer).decode())


# capability -> whether this OpenSSL has it
def _capabilities() -> frozenset[str]:
    capabilities = {
        name.removeprefix("HAS_").lower()
        for name in dir(lib)
        if name.startswith("HAS_") and getattr(lib, name)
    }
    context = lib.SSL_CTX_new(lib.TLS_method())
    try:
        for name, version in (
            ("ssl3", ProtocolVersion.SSL3),
            ("tls1", ProtocolVersion.TLS1),
            ("tls1_1", ProtocolVersion.TLS1_1),
            ("tls1_2", ProtocolVersion.TLS1_2),
            ("tls1_3", ProtocolVersion.TLS1_3),
        ):
            if lib.SSL_CTX_set_min_proto_version(context, version):
                capabilities.add(name)
    finally:
        lib.SSL_CTX_free(context)
        lib.ERR_clear_error()
    if lib.HAS_SSL_set_retry_verify:
        capabilities.add("retry_verify")
    return frozenset(capabilities)


def _constants() -> Mapping[str, int]:
    """libssl's constants by the names that the SSL module gives them."""
    found = {}
    for name in dir(lib):
        for prefix in ("SSL_OP_", "SSL_MODE_", "SSL_SESS_CACHE_", "SSL_SENT_SHUTDOWN", "SSL_RECEIVED_SHUTDOWN"):
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
    X509Store = X509Store

    def __init__(self) -> None:
        self.built = Version(int(lib.OPENSSL_VERSION_NUMBER), _text(lib.OPENSSL_VERSION_TEXT))
        self.running = Version(
            int(lib.OpenSSL_version_num()), _text(lib.OpenSSL_version(lib.OPENSSL_VERSION))
        )
        self.capabilities = _capabilities()
        self.constants = _constants()
        self._system_store: X509Store | None = None
        self._lock = threading.Lock()

    def openssl_version(self, what: int = 0) -> str:
        """OpenSSL's words about itself (*OpenSSL_version(3)*): *what* is one of its constants."""
        return _text(lib.OpenSSL_version(what))

    def _system_trust(self) -> X509Store:
        """What the system trusts, read once in a process and shared."""
        with self._lock:
            if self._system_store is None:
                context = Context(Method.TLS)
                context.set_default_verify_paths()
                self._system_store = context.get_cert_store()
            return self._system_store

    def client_context(
        self,
        cafile: Path | None = None,
        capath: Path | None = None,
        alpn: Sequence[bytes] = (),
        trust: Iterable[X509] | X509Store | None = None,
    ) -> Context:
        """As :meth:`IBackend.client_context` says."""
        context = _base(Method.TLS_CLIENT, alpn)
        if isinstance(trust, X509Store):
            context.set_cert_store(trust)
        elif trust is not None:
            store = context.get_cert_store()
            for certificate in trust:
                store.add_cert(as_instance(certificate, X509, "trust"))
        if cafile is not None or capath is not None:
            context.load_verify_locations(cafile, capath)
        elif trust is None:
            context.set_cert_store(self._system_trust())
        context.set_verify(VerifyMode.PEER)
        return context

    def server_context(
        self,
        certificate: X509 | Sequence[X509] | Path,
        key: PKey | Path,
        alpn: Sequence[bytes] = (),
    ) -> Context:
        """As :meth:`IBackend.server_context` says."""
        context = _base(Method.TLS_SERVER, ())
        if isinstance(certificate, X509):
            context.use_certificate(certificate)
        elif isinstance(certificate, str | bytes | os.PathLike):
            context.use_certificate_chain_file(certificate)
        else:
            context.use_certificate_chain(certificate)
        if isinstance(key, str | bytes | os.PathLike):
            context.use_privatekey_file(key)
        else:
            context.use_privatekey(as_instance(key, PKey, "key"))
        lib.SSL_CTX_set_dh_auto(context._context, 1)
        context.set_session_id(b"openssl_iface")
        context.set_options(self.constants["OP_CIPHER_SERVER_PREFERENCE"])
        if alpn:
            context.set_alpn_select_callback(_Chooser(alpn))
        return context


class _Chooser:
    """The server's own order decides; without overlap the handshake goes on without ALPN."""

    def __init__(self, protocols: Sequence[bytes]) -> None:
        self.protocols = list(protocols)

    def __call__(self, connection: Connection, offered: list[bytes]) -> Any:
        for protocol in self.protocols:
            if protocol in offered:
                return protocol
        return NO_OVERLAPPING_PROTOCOLS


def _base(method: int, alpn: Sequence[bytes]) -> Context:
    """What every ready context has: TLS 1.2 and later, no compression, no renegotiation."""
    context = Context(method)
    context.set_min_proto_version(ProtocolVersion.TLS1_2)
    context.set_options(lib.SSL_OP_NO_COMPRESSION | lib.SSL_OP_NO_RENEGOTIATION)
    if alpn:
        context.set_alpn_protos(alpn)
    return context


backend = Backend()
