"""The engine of a connection and its event-loop face.

The work is done in ``_native/c/pump.c``, one call per event.  What is left for
Python is to lend the workspace, to hand over the plaintext, to keep what cannot
be encrypted yet, and to raise what went wrong, each once and in order: plaintext
first, then the failure.

Locks.  ``_lock`` guards the SSL and is held for the length of one C call, none
of which waits; it is reentrant, since callbacks ask things of their connection.

Workspaces are pooled in a list, whose ``pop`` and ``append`` are atomic: code
that runs in the middle of an event (a callback, a signal handler) finds another.
"""

from __future__ import annotations

import copy
import errno as errnos
import os
from collections import deque
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
from ..values import EVENT_SIZE, Ending, Want
from . import _errors, _handles
from ._callbacks import Hooks, hooked
from ._encoding import as_int
from ._handles import Guard, own, share
from ._native import ffi, lib
from .x509 import X509

if not lib.oi_setup():
    raise MemoryError("openssl_iface: OpenSSL could not be set up")

LOW = 0xFFFFFFFF
NEWS = 64 << 32
BUSY = lib.OI_BUSY << 32
READ, WRITE, PROCEED = int(Want.READ), int(Want.WRITE), int(Want.PROCEED)
ENDINGS = (None, Ending.CLEAN, Ending.TRUNCATED, Ending.ABORTED)
# Pieces below this size are joined before they are encrypted (bytes).
JOIN_BELOW = 16384
RESET = {errnos.ECONNRESET, errnos.EPIPE, errnos.ECONNABORTED, errnos.ESHUTDOWN, errnos.ENOTCONN}
WANTS: dict[int, type[Error]] = {
    lib.SSL_ERROR_WANT_READ: WantReadError,
    lib.SSL_ERROR_WANT_WRITE: WantWriteError,
    lib.SSL_ERROR_WANT_X509_LOOKUP: WantX509LookupError,
    lib.SSL_ERROR_WANT_CLIENT_HELLO_CB: WantClientHelloError,
}
if lib.SSL_ERROR_WANT_RETRY_VERIFY:
    WANTS[lib.SSL_ERROR_WANT_RETRY_VERIFY] = WantVerificationError

# The commonest result of an event, which the fast paths below look for: so many bytes (up to the
# most), nothing new, and the connection waits for what comes next.
PLAIN = READ << 32
PLAIN_MOST = PLAIN + EVENT_SIZE

# Workspaces: the C structure, its block of plaintext, and that as something to cut bytes from.
_pool: list[tuple[Any, Any, Any]] = []
# Looked up once: these run for every event.
_take, _give = _pool.pop, _pool.append
_event_read, _event_feed = lib.oi_event_read, lib.oi_event_feed
_event_write, _event_output = lib.oi_event_write, lib.oi_event_output


def new_workspace() -> tuple[Any, Any, Any]:
    """A workspace for the pool."""
    work = lib.oi_work_new()
    if work == ffi.NULL:
        raise MemoryError("a connection's workspace") from None
    work = ffi.gc(work, lib.oi_work_free)
    return work, work.plain, ffi.buffer(work.plain, EVENT_SIZE)


def take_workspace() -> tuple[Any, Any, Any]:
    """A workspace from the pool, or a new one; give it back with ``_pool.append``."""
    try:
        return _pool.pop()
    except IndexError:
        return new_workspace()


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
    """The error for an operation on a connection from within its own callback."""
    return Error("a callback of this connection has called back into it: that cannot be done from there")


class Engine:
    """A connection's SSL with its descriptor, buffers and event-loop face."""

    # Found faster than in a dictionary, by every event.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_closing",
        "_conn",
        "_context",
        "_failure",
        "_fatal",
        "_handle",
        "_hooks",
        "_lock",
        "_pending",
        "_ssl_borrowed",
        "_told",
        "_waiting",
        "_waiting_size",
        "ended",
        "handshake_done",
        "wants",
    )

    def __init__(self, context: Any, fileno: int) -> None:
        if hasattr(self, "_conn"):
            raise TypeError("a connection is made once: __init__ has been called before")
        self._lock = Guard()
        self._context = context
        self._hooks = Hooks(self, {})
        self._handle = ffi.new_handle(self._hooks)
        with context._lock:
            pointer = context._pointer()
            self._conn = own(lib.oi_conn_new(pointer, self._handle, fileno), lib.oi_conn_free, "context")
            self._ssl_borrowed = self._conn.ssl
            self._adopt(context._callables.copy())
            self._verify_as(context)
        self.wants = PROCEED
        self.handshake_done = False
        self.ended: Ending | None = None
        # What is to be encrypted, oldest first; the last one may be growing.
        self._waiting: deque[Any] | tuple[()] = ()
        self._waiting_size = 0
        self._closing = False
        # Whether one of the two is so.
        self._pending = False
        self._failure: BaseException | None = None
        self._fatal = False
        # Whether a fatal failure has been raised: who asks again gets it again, but nobody is asked to.
        self._told = False

    @property
    def _ssl(self) -> Any:
        """The ``SSL *``, with a reference of its own; for those who must touch it."""
        return share(self._ssl_borrowed, lib.SSL_up_ref, lib.SSL_free)

    def _adopt(self, callables: dict[str, Any]) -> None:
        """Have these callbacks, and no others; under the lock."""
        self._hooks.callables = callables
        lib.oi_hook(self._conn, hooked(callables))

    def _verify_as(self, context: Any) -> None:
        """Ask of the peer what *context* asks now, and trust whom it trusts now; under both locks."""
        lib.oi_set_verify(self._conn, lib.SSL_CTX_get_verify_mode(context._context))
        lib.SSL_set1_verify_cert_store(self._ssl_borrowed, context._store._as_it_is()._store)

    # -- what went wrong ---------------------------------------------------

    def _error_of(self, ssl_error: int, work: Any) -> BaseException:
        """The exception for an operation that did not succeed."""
        conn = self._conn
        if conn.callback_failed:
            return self._hooks.take_error() or Error("a callback failed")
        if ssl_error == lib.SSL_ERROR_WANT_READ and conn.sys_errno:
            return transport_error(conn.sys_errno)
        if ssl_error == lib.SSL_ERROR_WANT_READ and conn.eof:
            if self.ended is Ending.CLEAN:
                return ZeroReturnError()
            return TruncatedError(-1, "Unexpected EOF")
        if ssl_error in WANTS:
            return WANTS[ssl_error]()
        if ssl_error == lib.SSL_ERROR_ZERO_RETURN:
            return ZeroReturnError()
        if conn.resumption_refused or (conn.verify_error and self._refused(work)):
            return self._verification_error(work)
        if ssl_error == lib.SSL_ERROR_SYSCALL and not work.errors.count:
            number = conn.sys_errno or work.sys_errno
            return transport_error(number) if number else TruncatedError(-1, "Unexpected EOF")
        if conn.sys_errno and not work.errors.count:
            return transport_error(conn.sys_errno)
        error = _errors.read(work.errors, Error)
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

    # -- events --------------------------------------------------------------

    def _note(self, work: Any) -> None:
        """Something rare has happened: take it in."""
        conn = self._conn
        self.handshake_done = bool(conn.handshake_done)
        ended, self.ended = self.ended, ENDINGS[conn.ended]
        if conn.callback_failed:
            self._failure = self._hooks.take_error() or Error("a callback failed")
            self._fatal = bool(conn.dead)
            self._told = False
        elif self._failure is not None:
            pass
        elif conn.dead:
            self._failure = self._error_of(work.ssl_error, work)
            self._fatal = True
        elif conn.failed:
            self._failure = self._error_of(work.ssl_error, work)
        elif self.ended is not ended and self.ended is Ending.TRUNCATED:
            self._failure = TruncatedError(-1, "Unexpected EOF")
        if conn.dead and self.ended is None:
            self.ended = Ending.ABORTED
        if conn.dead:
            self._drop_waiting()

    def _drop_waiting(self) -> None:
        if self._waiting:
            self._waiting.clear()
        self._waiting_size = 0
        self._pending = self._closing

    def _raise(self) -> None:
        """Raise the failure: once, or again and again if the connection does not survive it."""
        error = self._failure
        assert error is not None
        if self._told:
            error = error.with_traceback(None)
        self._failure = twin(error) if self._fatal else None
        self._told = self._fatal
        self.wants &= ~PROCEED
        try:
            raise error
        finally:
            del error  # a cycle through the traceback, else

    def _finish(self, code: int, work: Any) -> None:
        """The end of every event: wants, news, and what was held up."""
        if code >= NEWS:
            if code & BUSY:
                raise reentered()
            self.wants = code >> 32 & 63
            self._note(work)
        else:
            self.wants = code >> 32 & 63
        if self._pending and not self._failure:
            self._drain(work)

    def _drain(self, work: Any) -> None:
        """Encrypt what waits, as far as libssl and the transport take it."""
        conn, waiting = self._conn, self._waiting
        if conn.busy:
            return
        while isinstance(waiting, deque) and waiting:
            piece = waiting[0]
            size = len(piece)
            if type(piece) is bytearray:
                # A callback may write more, and it cannot grow while it is lent.
                waiting[0] = piece = memoryview(piece)
            code = lib.oi_event_write(conn, work, ffi.from_buffer(piece), size)
            taken = code & LOW
            self.wants = self.wants & ~(READ | WRITE) | code >> 32 & 63
            self._waiting_size -= taken
            if code >= NEWS:
                self._note(work)
                if self._failure:
                    return
            if taken < size:
                if taken:
                    waiting[0] = memoryview(piece)[taken:]
                return
            waiting.popleft()
        self._waiting = ()
        self._pending = self._closing
        if self._closing and not conn.close_sent and not self._fatal:
            code = lib.oi_event_close(conn, work)
            self.wants = self.wants & ~(READ | WRITE) | code >> 32 & 63
            if code >= NEWS:
                self._note(work)

    def _receive(self, code: int, work: Any, view: Any) -> bytes:
        size = code & LOW
        data: bytes = view[:size]
        self._finish(code, work)
        if self._failure is not None:
            if size:
                self.wants |= PROCEED
            else:
                self._raise()
        return data

    # The next four run for every event: short cuts first, and no call of Python in them.

    def event_read(self) -> bytes:
        """As :meth:`IConnection.event_read` says."""
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        work, _plain, view = space
        guard = self._lock
        if guard.generation != _handles._generation:
            guard.renew()
        try:
            with guard.lock:
                if self._failure is not None:
                    self._raise()
                code = _event_read(self._conn, work)
                if PLAIN <= code <= PLAIN_MOST and not self._pending:
                    self.wants = READ
                    return view[: code - PLAIN]
                return self._receive(code, work, view)
        finally:
            _give(space)

    def event_feed(self, data: bytes) -> bytes:
        """As :meth:`IConnection.event_feed` says."""
        block: Any = data if type(data) is bytes else ffi.from_buffer(self._bytes_like("data", data))
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        work, _plain, view = space
        guard = self._lock
        if guard.generation != _handles._generation:
            guard.renew()
        try:
            with guard.lock:
                if self._failure is not None:
                    self._raise()
                code = _event_feed(self._conn, work, block, len(block))
                if PLAIN <= code <= PLAIN_MOST and not self._pending:
                    self.wants = READ
                    return view[: code - PLAIN]
                return self._receive(code, work, view)
        finally:
            _give(space)

    def event_proceed(self) -> bytes:
        """As :meth:`IConnection.event_proceed` says."""
        space = take_workspace()
        work, _plain, view = space
        try:
            with self._lock:
                if self._failure is not None:
                    self._raise()
                return self._receive(lib.oi_event_proceed(self._conn, work), work, view)
        finally:
            _pool.append(space)

    def event_write(self, data: bytes) -> None:
        """As :meth:`IConnection.event_write` says."""
        piece: Any = data if type(data) is bytes else self._bytes_like("data", data)
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        guard = self._lock
        if guard.generation != _handles._generation:
            guard.renew()
        try:
            with guard.lock:
                if self.wants == READ and not self._pending and piece is data:
                    size = len(piece)
                    code = _event_write(self._conn, space[0], piece, size)
                    if code != PLAIN + size:
                        self._written(code, space[0], piece, size)
                else:
                    self._write(piece, space[0])
        finally:
            _give(space)

    def _write(self, piece: Any, work: Any) -> None:
        """What is not the commonest case of writing."""
        if self._closing:
            raise Error("data: event_close has been called, nothing can be sent after close_notify")
        if self._fatal:
            self._raise()
        size = len(piece)
        if self._waiting or self.wants & WRITE:
            if size:
                self._keep(piece, 0)
        else:
            self._written(_event_write(self._conn, work, ffi.from_buffer(piece), size), work, piece, size)

    def _written(self, code: int, work: Any, piece: Any, size: int) -> None:
        """Take in what became of writing."""
        taken = code & LOW
        if code < BUSY:
            self.wants = self.wants & PROCEED | code >> 32 & 63
        if BUSY > code >= NEWS:
            self._note(work)
            self.wants |= PROCEED
            if self._fatal:
                return
        if taken < size:
            self._keep(piece, taken)

    def _keep(self, piece: Any, taken: int) -> None:
        """Queue what libssl did not take; small pieces are joined."""
        size = len(piece) - taken
        self._waiting_size += size
        self._pending = True
        waiting = self._waiting
        if not isinstance(waiting, deque):
            self._waiting = waiting = deque()
        if size < JOIN_BELOW:
            rest = memoryview(piece)[taken:] if taken else piece
            if waiting and type(waiting[-1]) is bytearray and len(waiting[-1]) < JOIN_BELOW:
                waiting[-1] += rest
            else:
                waiting.append(bytearray(rest))
        elif type(piece) is bytes:
            waiting.append(memoryview(piece)[taken:])
        else:
            waiting.append(bytes(piece[taken:]))  # it may change under our hands

    def event_flush(self) -> None:
        """As :meth:`IConnection.event_flush` says."""
        space = take_workspace()
        work = space[0]
        try:
            with self._lock:
                self._flush(work)
        finally:
            _pool.append(space)

    def _flush(self, work: Any) -> None:
        if self._conn.busy:
            return
        proceed = self.wants & PROCEED
        self._finish(lib.oi_event_flush(self._conn, work), work)
        self.wants |= proceed
        if self._failure is not None and not self._told:
            self.wants |= PROCEED

    def event_output(self, limit: int = EVENT_SIZE) -> bytes:
        """As :meth:`IConnection.event_output` says."""
        wanted = EVENT_SIZE if limit == EVENT_SIZE else min(as_int(limit, "limit", 1), EVENT_SIZE)
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        work, _plain, view = space
        guard = self._lock
        if guard.generation != _handles._generation:
            guard.renew()
        try:
            with guard.lock:
                code = _event_output(self._conn, work, wanted)
                if PLAIN <= code <= PLAIN_MOST and not self._pending and not self.wants & PROCEED:
                    self.wants = READ
                    return view[: code - PLAIN]
                size = code & LOW
                data: bytes = view[:size]
                if size and not lib.oi_buffered_out(self._conn):
                    self._flush(work)  # there is room again
                return data
        finally:
            _give(space)

    def event_close(self) -> None:
        """As :meth:`IConnection.event_close` says."""
        if self._closing:
            return
        space = take_workspace()
        try:
            with self._lock:
                self._closing = self._pending = True
                if not self._fatal and not self.wants & WRITE:
                    self._drain(space[0])
        finally:
            _pool.append(space)

    @property
    def close_sent(self) -> bool:
        """As :attr:`IConnection.close_sent` says."""
        with self._lock:
            return bool(self._conn.close_sent) and not lib.oi_buffered_out(self._conn)

    @property
    def queued(self) -> int:
        """As :attr:`IConnection.queued` says."""
        with self._lock:
            return self._waiting_size + int(lib.oi_buffered_out(self._conn))

    def event_detach(self) -> None:
        """As :meth:`IConnection.event_detach` says."""
        with self._lock:
            lib.oi_detach(self._conn)
            self._drop_waiting()
            self.wants = 0
            if self.ended is None:
                self.ended = Ending.ABORTED
            if not self._fatal:
                self._failure = Error("the connection was detached from its transport")
                self._fatal = True

    @staticmethod
    def _bytes_like(name: str, data: Any) -> Any:
        """A contiguous view of bytes, or a TypeError that names the argument."""
        if isinstance(data, str):
            raise TypeError(f"{name}: bytes expected, not str")
        try:
            view = memoryview(data)
        except TypeError:
            raise TypeError(f"{name}: bytes expected, not {type(data).__name__}") from None
        if not view.c_contiguous:
            raise ValueError(f"{name}: a contiguous buffer expected")
        return view.cast("B") if view.format != "B" or view.ndim != 1 else view
