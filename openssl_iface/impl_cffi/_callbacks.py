"""The table of callbacks: what libssl calls, and where in Python it ends.

Each function gets the handle of its connection, which leads to the connection's
:class:`Hooks`: the callables that its context had when the connection was made.
What a callable raises is kept there, and the C code is told (``OI_RAISED``) so
that it ends the handshake; the operation that caused it all raises it then.
Nothing here may be called with a default that means "go on": every entry has an
explicit value for failure and the same handler.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

from ..errors import Error, WantClientHelloError, WantVerificationError, WantX509LookupError
from ..values import NoOverlappingProtocols
from . import _errors
from ._handles import share
from ._native import ffi, lib
from .session import Session
from .x509 import X509

RAISED: int = lib.OI_RAISED
GO_ON, REFUSE, AGAIN, NONE = 1, 0, -1, -2
# No place in a list of ALPN protocols, which has 65,535 bytes at most: the handshake is refused.
NO_PROTOCOL = 65536


class Hooks:
    """The callables of one connection, and the first exception that one raised."""

    __slots__ = ("callables", "error", "in_client_hello", "reference")

    def __init__(self, connection: Any, callables: dict[str, Any]) -> None:
        # No strong reference: the connection owns the handle that leads here.
        self.reference = weakref.ref(connection)
        self.callables = callables
        self.error: BaseException | None = None
        # Only then may libssl be asked for the extensions as they came.
        self.in_client_hello = False

    @property
    def connection(self) -> Any:
        return self.reference()

    def take_error(self) -> BaseException | None:
        """The exception that a callback raised; it is given once."""
        error, self.error = self.error, None
        return error


def _keep(_kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Keep what a callback raised with the connection that it was for."""
    if trace is not None and "handle" in trace.tb_frame.f_locals:
        hooks = ffi.from_handle(trace.tb_frame.f_locals["handle"])
        if hooks.error is None:
            hooks.error = error.with_traceback(trace)  # where it was raised


def _verify(handle: Any, ok: int, store: Any) -> int:
    hooks = ffi.from_handle(handle)
    pointer = lib.X509_STORE_CTX_get_current_cert(store)
    certificate = None
    if pointer != ffi.NULL:
        certificate = X509._from_raw(share(pointer, lib.X509_up_ref, lib.X509_free))
    code = lib.X509_STORE_CTX_get_error(store)
    depth = lib.X509_STORE_CTX_get_error_depth(store)
    verdict = hooks.callables["verify"](hooks.connection, certificate, code, depth, ok)
    return GO_ON if verdict else REFUSE


def _chain(handle: Any, ok: int, _store: Any) -> int:
    hooks = ffi.from_handle(handle)
    try:
        return GO_ON if hooks.callables["chain"](hooks.connection, bool(ok)) else REFUSE
    except WantVerificationError:
        if not lib.HAS_SSL_set_retry_verify:
            raise Error(
                "the verification of the peer cannot be put off: that needs OpenSSL 3.0.2, this is "
                + ffi.string(lib.OpenSSL_version(lib.OPENSSL_VERSION)).decode()
            ) from None
        if lib.SSL_is_server(hooks.connection._ssl_borrowed):
            raise Error(
                "the verification of the peer cannot be put off: OpenSSL's servers cannot wait"
            ) from None
        return AGAIN


def _info(handle: Any, where: int, ret: int) -> int:
    hooks = ffi.from_handle(handle)
    hooks.callables["info"](hooks.connection, where, ret)
    return GO_ON


def _alpn(handle: Any, offered: Any, size: int) -> int:
    hooks = ffi.from_handle(handle)
    wire = ffi.buffer(offered, size)[:]
    places: dict[bytes, int] = {}
    at = 0
    while at < size:
        places.setdefault(wire[at + 1 : at + 1 + wire[at]], at)
        at += 1 + wire[at]
    chosen = hooks.callables["alpn"](hooks.connection, list(places))
    if isinstance(chosen, NoOverlappingProtocols):
        return NONE
    if not isinstance(chosen, bytes):
        raise TypeError(f"ALPN callback: bytes expected, not {type(chosen).__name__}")
    if not chosen:
        return NO_PROTOCOL
    if chosen not in places:
        raise ValueError(f"ALPN callback: {chosen!r} is not among what the client offers: {list(places)}")
    return places[chosen]


def _servername(handle: Any) -> int:
    hooks = ffi.from_handle(handle)
    hooks.callables["servername"](hooks.connection)
    return GO_ON


def _keylog(handle: Any, line: Any) -> int:
    hooks = ffi.from_handle(handle)
    hooks.callables["keylog"](hooks.connection, ffi.string(line))
    return GO_ON


def _certificate(handle: Any) -> int:
    hooks = ffi.from_handle(handle)
    try:
        hooks.callables["certificate"](hooks.connection)
    except WantX509LookupError:
        return AGAIN
    return GO_ON


def _client_hello(handle: Any) -> int:
    hooks = ffi.from_handle(handle)
    hooks.in_client_hello = True
    try:
        hooks.callables["client_hello"](hooks.connection)
    except WantClientHelloError:
        return AGAIN
    finally:
        hooks.in_client_hello = False
    return GO_ON


def _session(handle: Any, session: Any) -> int:
    hooks = ffi.from_handle(handle)
    kept = Session._from_raw(share(session, lib.SSL_SESSION_up_ref, lib.SSL_SESSION_free))
    hooks.callables["session"](hooks.connection, kept)
    return GO_ON


def _status(handle: Any) -> int:
    hooks = ffi.from_handle(handle)
    connection = hooks.connection
    ssl = connection._ssl_borrowed
    if lib.SSL_is_server(ssl):
        call, data = hooks.callables["status_server"]
        answer = call(connection, data)
        if not isinstance(answer, bytes):
            raise TypeError(f"OCSP callback: bytes expected, not {type(answer).__name__}")
        if not answer:
            return REFUSE  # nothing is stapled
        if not lib.oi_set_status(ssl, answer, len(answer)):
            raise _errors.take(Error, "OCSP callback: what it returned is no OCSP response")
        return GO_ON
    call, data = hooks.callables["status_client"]
    place = ffi.new("const unsigned char **")
    size = lib.oi_get_status(ssl, place)
    answer = ffi.buffer(place[0], size)[:] if size > 0 else b""
    return GO_ON if call(connection, answer, data) else REFUSE


def _cookie_make(handle: Any, cookie: Any, room: int) -> int:
    hooks = ffi.from_handle(handle)
    made = hooks.callables["cookie_make"](hooks.connection)
    if not isinstance(made, bytes):
        raise TypeError(f"cookie callback: bytes expected, not {type(made).__name__}")
    if len(made) > room:
        raise ValueError(f"cookie callback: {len(made)} bytes, at most {room} expected")
    ffi.memmove(cookie, made, len(made))
    return len(made)


def _cookie_check(handle: Any, cookie: Any, size: int) -> int:
    hooks = ffi.from_handle(handle)
    good = hooks.callables["cookie_check"](hooks.connection, ffi.buffer(cookie, size)[:])
    return GO_ON if good else REFUSE


# name of the C declaration -> the function it ends in
TABLE: dict[str, Callable[..., int]] = {
    "oi_py_verify": _verify,
    "oi_py_chain": _chain,
    "oi_py_info": _info,
    "oi_py_alpn": _alpn,
    "oi_py_servername": _servername,
    "oi_py_keylog": _keylog,
    "oi_py_certificate": _certificate,
    "oi_py_client_hello": _client_hello,
    "oi_py_session": _session,
    "oi_py_status": _status,
    "oi_py_cookie_make": _cookie_make,
    "oi_py_cookie_check": _cookie_check,
}

for _name, _function in TABLE.items():
    ffi.def_extern(name=_name, error=RAISED, onerror=_keep)(_function)

# the callback's name in Hooks -> its number in c/conn.h
SWITCHES: dict[str, int] = {
    "info": 0,
    "alpn": 1,
    "servername": 2,
    "keylog": 3,
    "certificate": 4,
    "client_hello": 5,
    "session": 6,
    "chain": 7,
    "status_server": 8,
    "verify": 9,
    "status_client": 10,
    "cookie_make": 11,
    "cookie_check": 12,
}


def hooked(callables: dict[str, Any]) -> int:
    """The bits that tell the C code which callbacks there are."""
    return sum(1 << SWITCHES[name] for name in callables)
