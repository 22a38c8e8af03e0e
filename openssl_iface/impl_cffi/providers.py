"""The algorithms that OpenSSL 3 put aside: RC2, RC4, DES and their like.

They are in a module of their own, the legacy provider (*OSSL_PROVIDER-legacy(7)*), which
may be installed or not.  Old files need them; TLS must not get them.  So the provider is
loaded when the first old file turns up, and into a library context that nothing else in the
process uses; the default context, with TLS and all else, stays as it was.

OpenSSL 1.1.1 has no providers, and these algorithms always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import CryptoError, OpenSSLError
from ._errors import check, take
from ._handles import own
from ._native import ffi, lib

T = TypeVar("T")

# The library context with the legacy provider, once it was needed.
_loaded: dict[str, Any] = {}


def legacy_context() -> Any:
    """The library context that has the default and the legacy algorithms.

    :raises CryptoError: the provider cannot be loaded; OpenSSL's reasons say why.
    """
    if "context" not in _loaded:
        context = own(lib.OSSL_LIB_CTX_new(), lib.OSSL_LIB_CTX_free, "no library context")
        for name in (b"default", b"legacy"):
            check(lib.OSSL_PROVIDER_load(context, name), f"no {name.decode()} provider")
        # No lock, which a fork could leave held: of two threads one drops its own.
        _loaded.setdefault("context", context)
    return _loaded["context"]


def is_unsupported(error: OpenSSLError) -> bool:
    """Whether OpenSSL knows what it was asked for, but has no provider for it."""
    return any(lib.ERR_GET_REASON(code) == lib.ERR_R_UNSUPPORTED for code in error.codes)


def with_legacy(operation: Callable[[Any], T], what: str) -> T:
    """Run *operation* with the default library context (NULL); once more with
    :func:`legacy_context` if the default one lacks an algorithm.

    :param what: names the argument, in the message when there is no legacy provider.
    """
    try:
        return operation(ffi.NULL)
    except CryptoError as error:
        if not lib.HAS_OSSL_LIB_CTX_new or not is_unsupported(error):
            raise
        try:
            context = legacy_context()
        except CryptoError as missing:
            message = (
                f"{what} needs an algorithm which this OpenSSL does not have, or keeps in its legacy "
                "provider; and that is not available here"
            )
            raise CryptoError.from_reasons(
                error.reasons + missing.reasons,
                message,
                codes=error.codes + missing.codes,
                details=error.details + missing.details,
            ) from None
    return operation(context)


def decode_in_context(d2i: Callable[..., Any], fresh: Any, free: Callable[[Any], Any], der: bytes) -> Any:
    """An owned object from *der*, which goes on to use the library context of *fresh*.

    :param fresh: an empty object of the kind, made in that context, which is used up.
    """
    place = ffi.new("void **", check(fresh))
    cursor = ffi.new("const unsigned char **", ffi.from_buffer("unsigned char[]", der))
    slot = ffi.cast(f"{ffi.typeof(fresh).cname} *", place)
    if d2i(slot, cursor, len(der)) == ffi.NULL:
        # It frees what it was given, and says so, in most releases.
        if place[0] != ffi.NULL:
            free(fresh)
        raise take(CryptoError, "buffer: cannot be decoded a second time")
    return own(slot[0], free)
