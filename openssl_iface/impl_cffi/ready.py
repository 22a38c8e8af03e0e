"""Contexts that are safe as they are; the low-level ``Context(method)`` stays what the manual says."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import Error
from ..values import Method, ProtocolVersion, VerifyMode
from ._encoding import as_instance
from ._errors import fail
from ._files import Path
from ._native import lib
from .context import Context
from .pkey import PKey
from .store import X509Store
from .x509 import X509


def _base(method: int, alpn: Sequence[bytes]) -> Context:
    """What every ready context has: TLS 1.2 and later, no compression, no renegotiation."""
    context = Context(method)
    context.set_min_proto_version(ProtocolVersion.TLS1_2)
    context.set_options(lib.SSL_OP_NO_COMPRESSION | lib.SSL_OP_NO_RENEGOTIATION)
    if alpn:
        context.set_alpn_protos(alpn)
    return context


@functools.cache
def _system_trust() -> X509Store:
    """What the system trusts, read once in a process and shared by all contexts."""
    context = Context(Method.TLS)
    context.set_default_verify_paths()
    return context.get_cert_store()


def client_context(
    cafile: Path | None = None,
    capath: Path | None = None,
    alpn: Sequence[bytes] = (),
    trust: Iterable[X509] | X509Store | None = None,
) -> Context:
    """As :meth:`IBackend.client_context` says."""
    context = _base(Method.TLS_CLIENT, alpn)
    if isinstance(trust, X509Store):
        if cafile is None and capath is None:
            context.set_cert_store(trust)
        else:
            context._borrow_store(trust)
    elif trust is not None:
        certificates = [as_instance(one, X509, "trust") for one in trust]
        store = context.get_cert_store()
        for certificate in certificates:
            store.add_cert(certificate)
    if cafile is not None or capath is not None:
        context.load_verify_locations(cafile, capath)
    elif trust is None:
        context._borrow_store(_system_trust())
    context.set_verify(VerifyMode.PEER)
    return context


def server_context(
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
        context.use_privatekey(key)
    if not context.check_privatekey():
        # A key of another kind: low-level contexts take it, as there may be a certificate for it to come.
        fail(Error, "key: it does not belong to the certificate")
    context._set("dh", lambda pointer: lib.SSL_CTX_set_dh_auto(pointer, 1))
    context.set_session_id(b"openssl_iface")
    context.set_options(lib.SSL_OP_CIPHER_SERVER_PREFERENCE)
    if alpn:
        context.set_alpn_select_callback(_Chooser(alpn))
    return context


class _Chooser:
    """The server's own order decides; without overlap the handshake is refused (RFC 7301, section 3.2)."""

    def __init__(self, protocols: Sequence[bytes]) -> None:
        self.protocols = list(protocols)

    def __call__(self, _connection: Any, offered: list[bytes]) -> Any:
        for protocol in self.protocols:
            if protocol in offered:
                return protocol
        return b""
