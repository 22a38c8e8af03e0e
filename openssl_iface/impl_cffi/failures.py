"""What a failure of a connection is called: from libssl's code and errors to the exception."""

from __future__ import annotations

import copy
import errno as errnos
import os
from typing import Any, cast

from ..errors import (
    AbortedError,
    CertificateVerificationError,
    Error,
    SysCallError,
    TimedOutError,
    TruncatedError,
    WantClientHelloError,
    WantReadError,
    WantVerificationError,
    WantWriteError,
    WantX509LookupError,
    ZeroReturnError,
)
from ..values import Alert, Ending
from . import _errors
from ._callbacks import Hooks
from ._handles import generation, share
from ._native import ffi, lib
from .x509 import X509

ENDINGS = (None, Ending.CLEAN, Ending.TRUNCATED, Ending.ABORTED)
RESET = {errnos.ECONNRESET, errnos.EPIPE, errnos.ECONNABORTED, errnos.ESHUTDOWN, errnos.ENOTCONN}
WANTS: dict[int, type[Error]] = {
    lib.SSL_ERROR_WANT_READ: WantReadError,
    lib.SSL_ERROR_WANT_WRITE: WantWriteError,
    lib.SSL_ERROR_WANT_X509_LOOKUP: WantX509LookupError,
    lib.SSL_ERROR_WANT_CLIENT_HELLO_CB: WantClientHelloError,
}
if lib.SSL_ERROR_WANT_RETRY_VERIFY:
    WANTS[lib.SSL_ERROR_WANT_RETRY_VERIFY] = WantVerificationError


def transport_error(number: int) -> SysCallError:
    """The exception for an ``errno`` of the transport."""
    if number == errnos.ETIMEDOUT:
        return TimedOutError(number, os.strerror(number))
    if number in RESET:
        return AbortedError(number, os.strerror(number))
    return SysCallError(number, os.strerror(number))


def twin(error: BaseException) -> BaseException:
    """Another exception of the same kind and content, without a traceback.

    One that is kept and raised leads through its traceback to the connection that keeps it.
    """
    try:
        other = copy.copy(error)
    except Exception:
        return error
    return other if type(other) is type(error) else error


def reentered() -> Error:
    """The error for an operation on a connection from within its own callback.

    Or in a child: a thread that does not live there was in the midst of an operation at the fork.
    """
    if generation():
        return Error(
            "this connection was in use when the process forked, or a callback has called back into it"
        )
    return Error("a callback of this connection has called back into it: that cannot be done from there")


class Failures:
    """Makes the exceptions of a connection."""

    __slots__ = ()

    _conn: Any
    _hooks: Hooks | None
    ended: Ending | None

    def _callback_error(self) -> BaseException:
        """What a callback has raised."""
        return (self._hooks and self._hooks.take_error()) or Error("a callback failed")

    def _error_of(self, ssl_error: int, work: Any) -> BaseException:
        """The exception for an operation that did not succeed."""
        conn = self._conn
        if conn.callback_failed:
            return self._callback_error()
        if ssl_error == lib.SSL_ERROR_WANT_READ and conn.sys_errno:
            return transport_error(conn.sys_errno)
        if ssl_error == lib.SSL_ERROR_WANT_READ and conn.eof:
            if self.ended is Ending.CLEAN:
                return ZeroReturnError()
            return TruncatedError(-1, "Unexpected EOF")
        if ssl_error in WANTS:
            return WANTS[ssl_error]()
        if ssl_error == lib.SSL_ERROR_ZERO_RETURN and not conn.handshake_done:
            what = "the peer closed the connection during the handshake"
            return ZeroReturnError.from_reasons([], what, alert=0)
        if ssl_error == lib.SSL_ERROR_ZERO_RETURN:
            # Who hears of it as an error, and not as an end, had still something to send.
            return transport_error(conn.sys_errno) if conn.dead and conn.sys_errno else ZeroReturnError()
        if conn.refused_late or (conn.verify_error and self._refused(work)):
            return self._verification_error(work)
        if ssl_error == lib.SSL_ERROR_SYSCALL and not work.errors.count:
            number = conn.sys_errno or work.sys_errno
            return transport_error(number) if number else TruncatedError(-1, "Unexpected EOF")
        if conn.sys_errno and not work.errors.count:
            return transport_error(conn.sys_errno)
        error = _errors.read(work.errors, Error)
        if conn.dead and [lib.ERR_GET_REASON(code) for code in error.codes] == [lib.SSL_R_NO_RENEGOTIATION]:
            error.alert = int(Alert.no_renegotiation)  # the one alert that libssl has a reason of its own for
        if error.alert is not None:
            name = _errors.alert_name(error.alert)
            error.message = f"the peer sent the alert {error.alert} ({name})"
        return error

    @staticmethod
    def _refused(work: Any) -> bool:
        """Whether the errors are those of a refused certificate."""
        for index in range(work.errors.count):
            code = work.errors.item[index].code
            if lib.ERR_GET_LIB(code) == lib.ERR_LIB_SSL:
                return bool(lib.ERR_GET_REASON(code) == lib.SSL_R_CERTIFICATE_VERIFY_FAILED)
        return False

    def _verification_error(self, work: Any) -> Error:
        conn = self._conn
        error = cast(CertificateVerificationError, _errors.read(work.errors, CertificateVerificationError))
        code = conn.verify_error
        words = ffi.string(lib.X509_verify_cert_error_string(code)).decode()
        error.message = f"the peer's certificate was refused at depth {conn.verify_depth}: {words}"
        certificate = None
        if conn.verify_cert != ffi.NULL:
            certificate = X509._from_raw(share(conn.verify_cert, lib.X509_up_ref, lib.X509_free))
        error.verify_code = code
        error.verify_message = words
        error.depth = conn.verify_depth
        error.certificate = certificate
        return error
