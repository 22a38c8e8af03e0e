"""The only reader of OpenSSL's error queue.

The queue belongs to the thread.  A call that may fail for reasons that the
caller is to hear of goes through :func:`check`, or clears the queue first and
raises :func:`take` afterwards; nothing is ever left over in the queue for
somebody else to find.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn, TypeVar

from ..errors import CryptoError, OpenSSLError
from ..values import Alert
from ._native import ffi, lib

T = TypeVar("T")

# The SSL library's reason codes from 1000 to 1255 are alerts that the peer sent
# (SSL_AD_REASON_OFFSET in OpenSSL's ssl.h).  Others that are larger are reasons
# that all libraries share (ERR_R_INTERNAL_ERROR ...).
ALERT_OFFSET = 1000


def alert_name(alert: int) -> str:
    """The name of a TLS alert, such as ``"unknown_ca"``."""
    try:
        return Alert(alert).name
    except ValueError:
        return "not known"


def clear() -> None:
    """Throw away what is in this thread's queue."""
    lib.ERR_clear_error()


def _text(pointer: Any) -> str:
    return "" if pointer == ffi.NULL else ffi.string(pointer).decode("utf-8", "replace")


def read(errors: Any, kind: type[OpenSSLError] = CryptoError, message: str = "") -> OpenSSLError:
    """Turn a drained queue (``oi_errors``) into an exception of class *kind*."""
    reasons: list[tuple[str, str, str]] = []
    codes: list[int] = []
    details: list[str] = []
    alert = None
    for index in range(errors.count):
        item = errors.item[index]
        code = int(item.code)
        library = _text(lib.ERR_lib_error_string(code))
        if lib.ERR_GET_LIB(code) == lib.ERR_LIB_SYS:
            library = library or "system library"
            reason = os.strerror(lib.ERR_GET_REASON(code))
        else:
            reason = _text(lib.ERR_reason_error_string(code))
            number = lib.ERR_GET_REASON(code) - ALERT_OFFSET
            if lib.ERR_GET_LIB(code) == lib.ERR_LIB_SSL and 0 <= number < 256:
                alert = number
                # OpenSSL 1.1.1 has no words for the newer ones.
                reason = reason or f"alert {alert_name(alert).replace('_', ' ')}"
        reasons.append((library, _text(item.function), reason or f"error {code:#x}"))
        codes.append(code)
        details.append(_text(item.data))
    return kind.from_reasons(reasons, message, codes=codes, details=details, alert=alert)


def take(kind: type[OpenSSLError] = CryptoError, message: str = "") -> OpenSSLError:
    """Empty this thread's queue into an exception; the caller raises it.

    :param message: names the argument and what was wrong with it.
    """
    errors = ffi.new("oi_errors *")
    lib.oi_drain_errors(errors)
    return read(errors, kind, message)


def fail(kind: type[OpenSSLError] = CryptoError, message: str = "") -> NoReturn:
    """Raise what :func:`take` gives."""
    raise take(kind, message)


def check(result: T, message: str = "", kind: type[OpenSSLError] = CryptoError) -> T:
    """Return *result*, unless it says failure: a NULL pointer, or 0 and less.

    For functions documented to return 1 (or a positive number) on success.
    """
    if isinstance(result, int):
        if result > 0:
            return result
    elif result != ffi.NULL:
        return result
    raise take(kind, message)


def translated(error: OpenSSLError, kind: type[OpenSSLError], message: str) -> OpenSSLError:
    """The same as *kind*, under *message*: for what another part of the backend has refused."""
    return kind.from_reasons(
        error.reasons,
        ": ".join(filter(None, (message, error.message))),
        codes=error.codes,
        details=error.details,
    )


def is_end_of_pem(error: OpenSSLError) -> bool:
    """Whether a reader of PEM failed because there is no further block."""
    if not error.codes:
        return False
    code = error.codes[-1]
    return lib.ERR_GET_LIB(code) == lib.ERR_LIB_PEM and lib.ERR_GET_REASON(code) == lib.PEM_R_NO_START_LINE
