"""The engine of a connection and its event-loop face.

The work is done in ``_native/c/pump.c``, one call per event.  What is left for
Python is to lend the workspace, to hand over the plaintext, to keep what cannot
be encrypted yet, and to raise what went wrong, each once and in order: plaintext
first, then the failure.

Locks.  ``_lock`` guards the SSL and is held for the length of one C call, none
of which waits; it is reentrant, since callbacks ask things of their connection.  It is
in C: the commonest events take it and let go of it themselves (``c/fast.c``).

Workspaces are pooled in a deque, whose ``pop`` and ``append`` are atomic: code
that runs in the middle of an event (a callback, a signal handler) finds another.
(A list of one would give its memory back and ask for it again with every event.)
"""

from __future__ import annotations

from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..errors import (
    Error,
    TruncatedError,
)
from ..values import EVENT_SIZE, Ending, Want
from ._callbacks import Hooks, hooked
from ._encoding import as_int
from ._errors import check
from ._handles import Bound, share
from ._native import ffi, lib
from .failures import ENDINGS, Failures, reentered, twin

if not lib.oi_setup():
    raise MemoryError("openssl_iface: OpenSSL could not be set up")

LOW = 0xFFFFFFFF
NEWS = 64 << 32
BUSY = lib.OI_BUSY << 32
COMPLETE = lib.OI_COMPLETE << 32
GOODBYE = lib.OI_GOODBYE << 32
READ, WRITE, PROCEED = int(Want.READ), int(Want.WRITE), int(Want.PROCEED)
# Pieces below this size are joined before they are encrypted (bytes).
JOIN_BELOW = 16384
# Workspaces: the C structure, its block of plaintext, and that as something to cut bytes from.
_pool: deque[tuple[Any, Any, Any]] = deque()
# Looked up once: these run for every event.
_take, _give = _pool.pop, _pool.append
_event_read, _event_feed = lib.oi_event_read, lib.oi_event_feed
_event_write, _event_output = lib.oi_event_write, lib.oi_event_output
_fast_read, _fast_feed, _fast_write, _fast_output = (
    lib.oi_fast_read,
    lib.oi_fast_feed,
    lib.oi_fast_write,
    lib.oi_fast_output,
)
_fast_encrypt = lib.oi_fast_encrypt
_fast_close, _fast_detach = lib.oi_fast_close, lib.oi_fast_detach
_lock, _unlock = lib.oi_lock, lib.oi_unlock
_begin, _done = lib.oi_begin, lib.oi_done
_conn_open, _conn_free = lib.oi_conn_open, lib.oi_conn_free
LOOK: int = lib.OI_LOOK


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


class Lock:
    """A connection's lock, which is in C (``c/fast.c``): reentrant, and free in a child after fork."""

    __slots__ = ("_conn",)

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    def __enter__(self) -> None:
        try:
            _lock(self._conn)
        except BaseException:  # a signal's handler, just after it
            _unlock(self._conn)
            raise

    def __exit__(self, *_: object) -> None:
        _unlock(self._conn)


class Engine(Bound, Failures):
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
        "_pending",
        "_ssl_borrowed",
        "_told",
        "_waiting",
        "_waiting_size",
        "ended",
        "handshake_done",
    )

    if TYPE_CHECKING:
        wants: int
    else:

        def _set_wants(self, wants):
            self._conn.wants = wants

        # In C, where the event sets it under the lock that it has; and no call of Python to read it.
        wants = property(attrgetter("_conn.wants"), _set_wants)

    def __init__(self, context: Any, fileno: int, side: int = -1) -> None:
        """*side*: 1 the server's, 0 the client's, -1 nobody has said."""
        self._context = context
        self._hooks: Hooks | None = None
        with context._lock:
            context._used = True
            conn = _conn_open(context._context, fileno, side, context._store._as_it_is()._store)
            # No call of Python to make or free one: oi_conn_free itself leaves a child's inheritance alone.
            self._conn = conn = ffi.gc(conn or check(conn, "context"), _conn_free)
            self._ssl_borrowed = conn.ssl
            if context._callables:
                self._adopt(context._callables.copy())
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
    def _lock(self) -> Lock:
        return Lock(self._conn)

    @property
    def _ssl(self) -> Any:
        """The ``SSL *``, with a reference of its own; for those who must touch it."""
        return share(self._ssl_borrowed, lib.SSL_up_ref, lib.SSL_free)

    @property
    def _callables(self) -> dict[str, Any]:
        """The callbacks; not to be changed."""
        return {} if self._hooks is None else self._hooks.callables

    def _adopt(self, callables: dict[str, Any]) -> None:
        """Have these callbacks, and no others; under the lock."""
        if self._hooks is None:
            self._hooks = Hooks(self, callables)
            self._handle = self._conn.handle = ffi.new_handle(self._hooks)
        self._hooks.callables = callables
        lib.oi_hook(self._conn, hooked(callables))

    def _verify_as(self, context: Any) -> None:
        """Ask of the peer what *context* asks now, and trust whom it trusts now; under both locks."""
        lib.oi_verify_as(self._conn, context._context)
        self._trust_as(context)

    def _trust_as(self, context: Any) -> None:
        lib.SSL_set1_verify_cert_store(self._ssl_borrowed, context._store._as_it_is()._store)

    # -- events --------------------------------------------------------------

    def _note(self, work: Any) -> None:
        """Something rare has happened: take it in."""
        conn = self._conn
        self.handshake_done = bool(conn.handshake_done)
        ended, self.ended = self.ended, ENDINGS[conn.ended]
        if conn.callback_failed:
            self._failure = self._callback_error()
            self._fatal = bool(conn.dead)
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

    def _blocked(self) -> bool:
        """Whether the transport has not taken what was sent: the next comes behind it."""
        conn = self._conn
        return bool(conn.wants & WRITE and not conn.put_off)

    def _drop_waiting(self) -> None:
        if self._waiting:
            self._waiting.clear()
        self._waiting_size = 0

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
        if code & BUSY:
            raise reentered()
        self._conn.wants = code >> 32 & 63
        if code >= NEWS:
            self._note(work)
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
        if self._closing and not conn.close_sent:
            code = lib.oi_event_close(conn, work)
            conn.wants = conn.wants & ~(READ | WRITE) | code >> 32 & 63
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

    # The next four run for every event: short cuts first (``c/fast.c``), and no call of Python in them.
    # A signal's handler may raise between any two steps, while the lock is held: hence a second _done.

    def event_read(self) -> bytes:
        """As :meth:`IConnection.event_read` says."""
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        try:
            size = _fast_read(self._conn, space[0])
            if size >= 0:
                return space[2][:size]
            return self._received(size, space, _event_read)
        except BaseException:
            _done(self._conn, space[0], 0)
            raise
        finally:
            _give(space)

    def event_feed(self, data: bytes) -> bytes:
        """As :meth:`IConnection.event_feed` says."""
        # A copy: what is lent, and kept by a traceback in a cycle, CPython's collector does not survive.
        block = data if type(data) is bytes else bytes(self._bytes_like("data", data))
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        try:
            size = _fast_feed(self._conn, space[0], block, len(block))
            if size >= 0:
                return space[2][:size]
            return self._received(size, space, _event_feed, block, len(block))
        except BaseException:
            _done(self._conn, space[0], 0)
            raise
        finally:
            _give(space)

    def _received(self, code: int, space: Any, event: Any, *arguments: Any) -> bytes:
        """Take in what is not the commonest case of reading.  The lock is held, up to here."""
        work, _plain, view = space
        try:
            if code == LOOK:
                if self._failure is not None:
                    self._raise()
                return self._receive(event(self._conn, work, *arguments), work, view)
            code = ~code
            if not code & COMPLETE or self._pending or self._failure is not None:
                return self._receive(code, work, view)
            # _receive, for the news that every connection has.
            self._conn.wants = code >> 32 & 63
            self.handshake_done = True
            if code & GOODBYE:
                self.ended = Ending.CLEAN
            data: bytes = view[: code & LOW]
            return data
        finally:
            _done(self._conn, work, not self._pending and self._failure is None)

    def _done(self, work: Any) -> None:
        """Let go of the lock, and say whether the next event can take the short cut."""
        _done(self._conn, work, not self._pending and self._failure is None)

    def event_proceed(self) -> bytes:
        """As :meth:`IConnection.event_proceed` says."""
        space = take_workspace()
        work, _plain, view = space
        conn = self._conn
        try:
            _begin(conn, work)
            try:
                if self._failure is not None:
                    self._raise()
                return self._receive(lib.oi_event_proceed(conn, work), work, view)
            finally:
                self._done(work)
        except BaseException:
            _done(conn, work, 0)
            raise
        finally:
            _pool.append(space)

    def event_write(self, data: bytes) -> None:
        """As :meth:`IConnection.event_write` says."""
        if type(data) is not bytes:
            data = self._bytes_like("data", data)
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        try:
            code = (
                _fast_write(self._conn, space[0], data, len(data))
                if type(data) is bytes
                else _fast_write(self._conn, space[0], ffi.from_buffer(data), len(data))
            )
            if code < 0:
                try:
                    if code == LOOK:
                        self._write(data, space[0])
                    else:
                        self._written(~code, space[0], data, len(data))
                finally:
                    self._done(space[0])
        except BaseException:
            _done(self._conn, space[0], 0)
            raise
        finally:
            _give(space)

    def _write(self, piece: Any, work: Any) -> None:
        """What is not the commonest case of writing."""
        if self._closing:
            raise Error("data: event_close has been called, nothing can be sent after close_notify")
        if self._fatal:
            self._raise()
        size = len(piece)
        if self._waiting or self._blocked():
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
        conn = self._conn
        try:
            code = _fast_output(conn, space[0], wanted)
            if code >= 0:
                return space[2][:code]
            try:
                return self._output(_event_output(conn, space[0], wanted) if code == LOOK else ~code, space)
            finally:
                self._done(space[0])
        except BaseException:
            _done(conn, space[0], 0)
            raise
        finally:
            _give(space)

    def _output(self, code: int, space: Any) -> bytes:
        """What an output has taken; under the lock."""
        size = code & LOW
        data: bytes = space[2][:size]
        if size and not lib.oi_buffered_out(self._conn):
            self._flush(space[0])  # there is room again
        return data

    def event_encrypt(self, data: bytes) -> bytes:
        """As :meth:`IConnection.event_encrypt` says."""
        # Whatever else can be cut bytes from is copied: who has that does not count the calls.
        block = data if type(data) is bytes else bytes(self._bytes_like("data", data))
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        conn = self._conn
        try:
            size = _fast_encrypt(conn, space[0], block, len(block))
            if size >= 0:
                return space[2][:size]
            try:
                if size == LOOK:
                    self._write(block, space[0])
                else:
                    self._written(~size, space[0], block, len(block))
                if conn.busy or conn.fd >= 0:
                    # From a callback: what its operation has made so far may never leave, if that refuses.
                    return b""
                return self._output(_event_output(conn, space[0], EVENT_SIZE), space)
            finally:
                self._done(space[0])
        except BaseException:
            _done(conn, space[0], 0)
            raise
        finally:
            _give(space)

    def event_close(self) -> bool:
        """As :meth:`IConnection.event_close` says."""
        if self._closing:
            return self.close_sent
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        conn = self._conn
        try:
            code = _fast_close(conn, space[0])
            self._closing = self._pending = True
            if code >= 0:
                return bool(code & LOW) and not code >> 32 & WRITE
            if code == LOOK:
                if not self._fatal and not self._blocked():
                    self._drain(space[0])
            else:
                conn.wants = conn.wants & ~(READ | WRITE) | ~code >> 32 & 63
                self._note(space[0])
            return self.close_sent
        finally:
            if conn.close_sent:  # a signal's handler may have raised just after it
                self._closing = self._pending = True
            _done(conn, space[0], 0)
            _give(space)

    @property
    def close_sent(self) -> bool:
        """As :attr:`IConnection.close_sent` says."""
        return bool(lib.oi_fast_close_sent(self._conn))

    @property
    def queued(self) -> int:
        """As :attr:`IConnection.queued` says."""
        return self._waiting_size + int(lib.oi_fast_queued(self._conn))

    def event_detach(self) -> None:
        """As :meth:`IConnection.event_detach` says."""
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        conn = self._conn
        try:
            _fast_detach(conn, space[0])
            if self._waiting:
                self._drop_waiting()
            if self.ended is None:
                self.ended = Ending.ABORTED
            if not self._fatal:
                self._failure = Error("the connection was detached from its transport")
                self._fatal = True
        finally:
            _done(conn, space[0], 0)
            _pool.append(space)

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
