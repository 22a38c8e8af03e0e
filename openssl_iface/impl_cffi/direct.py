"""The manual's face of a connection: on a socket, on memory BIOs, on a Python object.

On a socket nothing here ever waits inside libssl or under the connection's lock:
the engine tries without waiting, and where the socket is a blocking one (or has
a timeout) it is polled in between.  So one thread can wait in ``recv`` while
another sends, Ctrl-C is heard, and a timeout holds however slowly bytes trickle.
"""

from __future__ import annotations

import errno as errnos
import math
import os
import select
import socket as sockets
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import Error, SysCallError, TimedOutError, WantReadError, WantWriteError
from ..values import EVENT_SIZE, Ending
from ._encoding import INT_MAX, as_int
from ._handles import Guard
from ._native import ffi, lib
from ._waiting import Alarms, late, left, wait_for
from .carrier import READS, Carrier
from .datagram import Datagram
from .engine import (
    BUSY,
    LOOK,
    LOW,
    PROCEED,
    _begin,
    _done,
    _give,
    _pool,
    _take,
    new_workspace,
    take_workspace,
)
from .failures import ENDINGS, reentered, twin

# c/conn.h
HANDSHAKE, READ, PEEK, WRITE, SHUTDOWN, RENEGOTIATE, KEY_UPDATE, ASK_CERTIFICATE = range(8)
TLS1_3 = 0x0304
# As a deadline: how long to wait is asked for when there is something to wait for.
NOT_ASKED = -1.0
_fast_recv, _fast_send, _fast_put, _fast_take = (
    lib.oi_fast_recv,
    lib.oi_fast_send,
    lib.oi_fast_put,
    lib.oi_fast_take,
)
# What these say when libssl waits for what has not come: INT64_MIN.
WANT = -(2**63)
# What one call of send offers to libssl at most; it takes a record.
MOST = 2**30


def descriptor_of(transport: Any) -> int:
    """The descriptor of what an event loop watches."""
    fileno = transport.fileno()
    if type(fileno) is not int or not 0 <= fileno <= INT_MAX:
        return as_int(fileno, "transport: its fileno()", 0, INT_MAX)
    return fileno


class Direct(Datagram):
    """What a connection does when it is told to."""

    _socket: Any
    fileno: Callable[[], int]
    # What few connections need is made when they need it: there may be many that are idle.
    _carrier: Carrier | None = None
    # One send after another: each is said to have gone when its last byte has.
    _sending: Guard | None = None
    _resume: tuple[Any, int] | None = None
    # For threads that wait for what another one is to read.
    _moved: threading.Condition | None = None
    _waiting_threads = 0
    # For those that wait for the transport to take more.
    _alarms: Alarms | None = None

    def __init__(self, context: Any, socket: Any) -> None:
        if hasattr(self, "_conn"):
            raise TypeError("a connection is made once: __init__ has been called before")
        fileno = -1
        carrier = None
        if isinstance(socket, Direct):
            carrier = Carrier(socket)  # TLS in TLS: the descriptor below is not for us
        elif socket is not None:
            if hasattr(socket, "fileno"):
                fileno = as_int(socket.fileno(), "socket: its fileno()", -1, INT_MAX)
                if fileno < 0:
                    raise ValueError("socket: it is closed")
            elif hasattr(socket, "recv") and hasattr(socket, "send"):
                carrier = Carrier(socket)
            else:
                raise TypeError(f"socket: {type(socket).__name__} has neither fileno() nor recv() and send()")
        super().__init__(context, fileno)
        self._socket = socket
        if carrier is not None:
            self._carrier = carrier

    # -- performing an operation -----------------------------------------------------

    def _deadline(self) -> float | None:
        """Until when an operation may wait: 0 not at all, ``None`` for ever."""
        if self._conn.fd < 0:
            return 0.0
        ask = getattr(self._socket, "gettimeout", None)
        if ask is None:  # a descriptor of another kind says itself whether it blocks
            with self._lock:  # while something is written there, it does not (wire.c)
                return None if os.get_blocking(self._conn.fd) else 0.0
        timeout = ask()
        if timeout is None or timeout == math.inf:
            return None
        if not isinstance(timeout, int | float):
            raise TypeError(f"socket: its gettimeout() returned {type(timeout).__name__}, not a number")
        if not timeout >= 0:  # a NaN is not
            raise ValueError(f"socket: its gettimeout() returned {timeout}")
        return time.monotonic() + timeout if timeout else 0.0

    def _turns(self) -> Guard:
        with self._lock:
            if self._sending is None:
                self._sending = Guard()
            return self._sending

    def _condition(self) -> threading.Condition:
        with self._lock:
            if self._moved is None:
                self._moved = threading.Condition()
            return self._moved

    def _wait(self, event: int, deadline: float | None, arrived: int) -> None:
        """Wait until another attempt is worth it.

        One thread at a time watches for what comes, and meanwhile no other reads it: else it would
        wait for what another one has taken.  The others wait for that thread.

        :param arrived: how much had been read when the last attempt began.
        """
        conn = self._conn
        if not event & select.POLLIN:
            with self._lock:
                alarms = self._alarms = self._alarms or Alarms(self._lock)
            alarms.wait_for(conn.fd, event, deadline, lambda: self._fatal)
            return
        moved = self._condition()
        with moved:
            self._waiting_threads += 1
            try:
                while conn.watched and conn.arrived == arrived:
                    if not moved.wait(left(deadline)):
                        raise late()
            finally:
                self._waiting_threads -= 1
            with self._lock:  # no other thread is reading meanwhile
                if conn.arrived != arrived:
                    return
                conn.watched = 1
        try:
            wait_for(conn.fd, event, deadline)
        finally:
            with moved:
                with self._lock:
                    conn.watched = 0
                moved.notify_all()

    def _try(self, what: int, data: Any, size: int, keep: bool) -> Any:
        """Do one thing with libssl, once, without waiting."""
        space = take_workspace()
        work, plain, _view = space
        conn = self._conn
        try:
            _begin(conn, work)
            try:
                if self._fatal and not (what in READS and lib.oi_buffered_plain(conn)):
                    self._raise()
                return self._operated(
                    lib.oi_operate(conn, work, what, plain if keep else data, size), space, keep
                )
            finally:
                _done(conn, work, 0)
        except BaseException:
            _done(conn, work, 0)
            raise
        finally:
            _pool.append(space)

    def _operated(self, code: int, space: Any, keep: bool) -> Any:
        """What libssl has done (bytes or a count), or the exception for it; under the lock."""
        conn = self._conn
        if code & BUSY:
            raise reentered()
        error = code >> 32
        self.handshake_done = bool(conn.handshake_done)
        self.ended = ENDINGS[conn.ended]
        if not error and not conn.callback_failed:
            done = code & LOW
            return space[2][:done] if keep else done
        raise self._failed(error, space[0])

    def _rarely(self, code: int, space: Any, what: int, data: Any, size: int, keep: bool) -> Any:
        """Take in what is not the commonest result in memory.  The lock is held, up to here."""
        try:
            if code != LOOK:
                return self._operated(~code, space, keep)
        finally:
            _done(self._conn, space[0], 0)
        return self._perform(what, data, size, keep=keep)

    def _failed(self, error: int, work: Any) -> BaseException:
        """The exception for *error*.  (Never a variable where it is raised: that is a cycle.)"""
        failure = self._error_of(error, work)
        if self._conn.dead:
            self._failure, self._fatal, self._told = twin(failure), True, True
            if self.ended is None:
                self.ended = Ending.ABORTED
            if self._alarms is not None:
                self._alarms.ring()
        return failure

    def _closed(self) -> BaseException:
        """What is raised when the socket has been closed, or is another one by now."""
        return SysCallError(errnos.EBADF, "the socket is closed")

    def _perform(
        self,
        what: int,
        data: Any = ffi.NULL,
        size: int = 0,
        *,
        keep: bool = False,
        deadline: float | None = NOT_ASKED,
    ) -> Any:
        """Do one thing with libssl, as often as the transport makes it necessary.

        :param keep: give the plaintext (bytes) instead of the count of what was done.
        :param deadline: until when to wait, if that is settled already.
        """
        if self._carrier is not None:
            return self._carrier.perform(self, what, data, size, keep)
        while True:
            if self._conn.fd >= 0 and self._socket.fileno() != self._conn.fd:
                raise self._closed()
            arrived = self._conn.arrived
            try:
                return self._try(what, data, size, keep)
            except (WantReadError, WantWriteError) as want:
                if deadline == NOT_ASKED:
                    deadline = self._deadline()
                if deadline == 0:
                    raise
                event = select.POLLIN if isinstance(want, WantReadError) else select.POLLOUT
            finally:
                if self._waiting_threads and self._conn.arrived != arrived:
                    moved = self._condition()
                    with moved:
                        moved.notify_all()
            if what in READS:
                event |= select.POLLIN  # also while an answer of ours waits to leave
            self._wait(event, deadline, arrived)

    # -- the manual ------------------------------------------------------------------

    def do_handshake(self) -> None:
        """As :meth:`IConnection.do_handshake` says."""
        self._perform(HANDSHAKE)

    def recv(self, size: int, flags: int | None = 0) -> bytes:
        """As :meth:`IConnection.recv` says."""
        if type(size) is int and 0 < size <= MOST and not flags and self._socket is None:
            try:
                space = _take()
            except IndexError:
                space = new_workspace()
            try:
                done = _fast_recv(self._conn, space[0], size)
                if done >= 0:
                    return space[2][:done]
                if done != WANT:
                    found: bytes = self._rarely(done, space, READ, ffi.NULL, min(size, EVENT_SIZE), True)
                    return found
            except BaseException:
                _done(self._conn, space[0], 0)
                raise
            finally:
                _give(space)
            raise WantReadError
        wanted = min(as_int(size, "size", 0), EVENT_SIZE)
        what = PEEK if as_int(flags or 0, "flags") & sockets.MSG_PEEK else READ
        if not wanted:
            return b""
        data: bytes = self._perform(what, size=wanted, keep=True)
        return data

    read = recv

    def recv_into(self, buffer: Any, size: int | None = None, flags: int | None = 0) -> int:
        """As :meth:`IConnection.recv_into` says."""
        view = self._bytes_like("buffer", buffer)
        if view.readonly:
            raise TypeError("buffer: it cannot be written to")
        room = len(view) if size is None else min(as_int(size, "size", 0), len(view))
        if not room:
            return 0
        data = self.recv(room, flags)
        view[: len(data)] = data
        return len(data)

    def send(self, data: bytes, flags: int | None = 0) -> int:
        """As :meth:`IConnection.send` says."""
        del flags  # those of send(2) have no meaning for a record
        if type(data) is bytes and 0 < len(data) <= MOST and self._socket is None:
            try:
                space = _take()
            except IndexError:
                space = new_workspace()
            try:
                done = _fast_send(self._conn, space[0], data, len(data))
                if done >= 0:
                    return done
                if done != WANT:
                    block = ffi.from_buffer(data)
                    return int(self._rarely(done, space, WRITE, block, len(data), False))
            except BaseException:
                _done(self._conn, space[0], 0)
                raise
            finally:
                _give(space)
            raise WantReadError
        view = self._bytes_like("data", data)
        return self._send(view, NOT_ASKED) if len(view) else 0

    write = send

    def _send(self, view: Any, deadline: float | None) -> int:
        size = min(len(view), MOST)
        # Given back at once: in a traceback that is part of a cycle it would outlive the view, and
        # CPython's collector does not survive that.
        with self._turns(), ffi.from_buffer(view) as pointer:
            return int(self._perform(WRITE, pointer, size, deadline=deadline))

    def sendall(self, data: bytes, flags: int | None = 0) -> int:
        """As :meth:`IConnection.sendall` says; returns the size of *data*."""
        del flags
        view = self._bytes_like("data", data)
        with self._turns():
            kept, at = self._resume or (None, 0)
            self._resume = None
            if kept is not data and kept != view:
                kept, at = None, 0
            deadline = self._deadline()
            while at < len(view):
                try:
                    at += self._send(view[at:], deadline)
                except (WantReadError, WantWriteError, TimedOutError):
                    if kept is None:
                        kept = data if type(data) is bytes else bytes(view)
                    self._resume = kept, at
                    raise
            return len(view)

    def pending(self) -> int:
        """As :meth:`IConnection.pending` says."""
        with self._lock:
            return int(lib.SSL_pending(self._ssl_borrowed)) + int(lib.oi_buffered_plain(self._conn))

    def shutdown(self) -> bool:
        """As :meth:`IConnection.shutdown` says."""
        return bool(self._perform(SHUTDOWN))

    def renegotiate(self) -> bool:
        """As :meth:`IConnection.renegotiate` says; returns true."""
        with self._lock:
            if not self.handshake_done:
                raise Error("there is nothing to renegotiate before the handshake is complete")
            if lib.SSL_version(self._ssl_borrowed) >= TLS1_3:
                raise Error("TLS 1.3 has no renegotiation; key_update changes the keys")
        self._perform(RENEGOTIATE)
        self._proceed()
        return True

    def key_update(self, request_peer: bool = False) -> None:
        """As :meth:`IConnection.key_update` says."""
        kind = lib.SSL_KEY_UPDATE_REQUESTED if request_peer else lib.SSL_KEY_UPDATE_NOT_REQUESTED
        self._perform(KEY_UPDATE, size=kind)
        self._proceed()

    def verify_client_post_handshake(self) -> None:
        """Ask a TLS 1.3 client for its certificate now (*SSL_verify_client_post_handshake(3)*).

        What it answers is verified when it is read.
        """
        self._perform(ASK_CERTIFICATE)
        self._proceed()

    def _proceed(self) -> None:
        """In the event-loop face, what was asked for here goes on with the next event."""
        with self._lock:
            self.wants |= PROCEED

    def _own_socket(self) -> Any:
        if self._socket is None:
            raise TypeError("this connection has no socket: its ciphertext is carried by hand")
        return self._socket

    def connect(self, address: Any) -> None:
        """Connect the socket and be the client; the handshake is the caller's."""
        socket = self._own_socket()
        try:
            socket.connect(address)
        except BlockingIOError:  # it is on its way
            self.set_connect_state()
            raise
        self.set_connect_state()

    def connect_ex(self, address: Any) -> int:
        """The same; returns the socket's ``errno``."""
        result = int(self._own_socket().connect_ex(address))
        self.set_connect_state()
        return result

    def sock_shutdown(self, how: int) -> None:
        """Shut the socket itself down, as ``socket.shutdown`` does."""
        self._own_socket().shutdown(how)

    def makefile(self, *arguments: Any, **keywords: Any) -> Any:
        """Not offered: the socket's own would give ciphertext."""
        raise NotImplementedError("a connection cannot be made into a file")

    def set_accept_state(self) -> None:
        """As :meth:`IConnection.set_accept_state` says."""
        if not lib.oi_fast_side(self._conn, True):
            self._keep_side()

    def set_connect_state(self) -> None:
        """As :meth:`IConnection.set_connect_state` says."""
        if not lib.oi_fast_side(self._conn, False):
            self._keep_side()

    def _keep_side(self) -> None:
        with self._lock:
            if self._conn.busy:
                raise reentered()
        raise Error("the handshake has begun: the side cannot be changed")

    def want_read(self) -> bool:
        """As :meth:`IConnection.want_read` says."""
        with self._lock:
            return bool(self._conn.idle or lib.SSL_want(self._ssl_borrowed) == lib.SSL_READING)

    def want_write(self) -> bool:
        """As :meth:`IConnection.want_write` says."""
        with self._lock:
            if self._carrier is not None:
                return self._carrier.waits(self._conn)
            return bool(self._conn.fd >= 0 and lib.oi_buffered_out(self._conn))

    # -- memory BIOs -------------------------------------------------------------------

    def _need_memory(self) -> None:
        if self._socket is not None:
            raise TypeError("this connection has a socket: its ciphertext cannot be carried by hand")

    def bio_read(self, size: int) -> bytes:
        """As :meth:`IConnection.bio_read` says."""
        if self._socket is not None:
            self._need_memory()
        if type(size) is not int or not 0 < size <= MOST:
            size = min(as_int(size, "size", 1), MOST)
        try:
            space = _take()
        except IndexError:
            space = new_workspace()
        try:
            count = _fast_take(self._conn, space[0], size)
            if count:
                return space[2][:count]
        finally:
            _give(space)
        raise WantReadError

    def bio_write(self, data: bytes) -> int:
        """As :meth:`IConnection.bio_write` says."""
        if self._socket is not None:
            self._need_memory()
        block = data if type(data) is bytes else bytes(self._bytes_like("data", data))
        size = len(block)
        if not _fast_put(self._conn, block, size):
            raise MemoryError("ciphertext")
        return size

    def bio_shutdown(self) -> None:
        """As :meth:`IConnection.bio_shutdown` says."""
        self._need_memory()
        with self._lock:
            self._conn.eof = 1

    def event_attach(self, transport: Any) -> None:
        """As :meth:`IConnection.event_attach` says."""
        if self._socket is not None:
            self._need_memory()
        fileno = descriptor_of(transport)
        if self._fatal:
            with self._lock:
                self._raise()
        if self._waiting or not lib.oi_fast_attach(self._conn, fileno):
            raise ValueError("transport: ciphertext waits to leave another way; take it with event_output")
        self._socket = transport
        self.fileno = transport.fileno  # for select; the rest of a transport is its owner's affair

    def event_release(self) -> None:
        """As :meth:`IConnection.event_release` says."""
        with self._lock:
            self._conn.fd = -1
            self._socket = self._carrier = None
            self.__dict__.pop("fileno", None)
