"""Callbacks of programs for pyOpenSSL, in the form in which the backend calls them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from ..errors import Error
from ..values import NoOverlappingProtocols as _NoOverlappingProtocols
from ._translate import adopt, as_theirs


def _verifying(callback: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A verify callback that is given a certificate of the class here."""
    if callback is None:
        return None
    call = callback

    @functools.wraps(call, updated=())
    def verify(connection: Any, certificate: Any, code: int, depth: int, ok: int) -> Any:
        return call(connection, adopt(certificate), code, depth, ok)

    return verify


def _said(*error: str) -> Error:
    return as_theirs(Error([error]))


def _selecting(callback: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """An ALPN callback that may choose what was not offered, which nobody agrees to then."""
    if callback is None:
        return None
    call = callback

    @functools.wraps(call, updated=())
    def select(connection: Any, offered: list[bytes]) -> Any:
        chosen = call(connection, offered)
        if not isinstance(chosen, bytes | _NoOverlappingProtocols):
            raise TypeError(
                "ALPN callback must return a bytestring or the special NO_OVERLAPPING_PROTOCOLS "
                "sentinel value."
            )
        if isinstance(chosen, bytes) and chosen not in offered:
            raise _said("SSL routines", "", "no application protocol")
        return chosen

    return select


def _naming(callback: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A callback for the server's name: what it raises is shown, and fails the handshake."""
    if callback is None:
        return None
    call = callback

    @functools.wraps(call, updated=())
    def name(connection: Any) -> None:
        try:
            call(connection)
        except Exception:
            sys.excepthook(*sys.exc_info())
            raise _said("SSL routines", "", "callback failed") from None

    return name


def _stapling(callback: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """An OCSP callback of a server, which has to give bytes."""
    if callback is None:
        return None
    call = callback

    @functools.wraps(call, updated=())
    def staple(connection: Any, data: Any) -> Any:
        response = call(connection, data)
        if not isinstance(response, bytes):
            raise TypeError("OCSP callback must return a bytestring.")
        return response

    return staple


def _baking(callback: Callable[..., Any]) -> Callable[..., Any]:
    """A callback that makes a cookie of at most 255 bytes."""

    @functools.wraps(callback, updated=())
    def bake(connection: Any) -> Any:
        cookie = callback(connection)
        if len(cookie) > 255:
            raise ValueError(f"Cookie too long (got {len(cookie)} bytes, max 255)")
        return cookie

    return bake


def _callable(callback: Any) -> Any:
    if callback is not None and not callable(callback):
        raise TypeError("callback must be callable")
    return callback
