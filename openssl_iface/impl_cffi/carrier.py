"""A transport that is a Python object with ``recv`` and ``send``, and no descriptor.

It may block or not, and be used by several threads: one may wait in its ``recv`` while
another sends.  Bytes leave in the order in which libssl made them, since only one
thread at a time sends; who finds another at it leaves the work to that one, who looks
again before it stops.
"""

from __future__ import annotations

import threading
from typing import Any

from ..errors import WantReadError, WantWriteError
from ..values import EVENT_SIZE
from ._native import ffi, lib
from .engine import _pool, take_workspace

# c/conn.h
READS = (1, 2)
# What a transport raises that takes nothing now, or has nothing.
LATER = (BlockingIOError, InterruptedError, WantReadError, WantWriteError)


def put_in(conn: Any, data: Any) -> None:
    """Ciphertext has come; under the connection's lock."""
    if not lib.oi_put(conn, ffi.from_buffer(data), len(data)):
        raise MemoryError("ciphertext")


def take_out(conn: Any, size: int) -> bytes:
    """Up to *size* bytes of ciphertext that are to leave; under the connection's lock."""
    space = take_workspace()
    try:
        count = lib.oi_take(conn, space[1], min(size, EVENT_SIZE))
        return space[2][:count]
    finally:
        _pool.append(space)


class Carrier:
    """Carries the ciphertext of one connection, which it is given with every call."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._sending = threading.Lock()
        # One thread at a time waits in the transport's recv, the others for that thread.
        self._moved = threading.Condition()
        self._receiving = False
        self._unsent = b""
        self._arrivals = 0
        # What libssl has done, but was not said since the transport had not taken all of it.
        self._unsaid: tuple[int, Any] | None = None

    def waits(self, conn: Any) -> bool:
        """Whether ciphertext waits for the transport to take it."""
        return bool(self._unsent or lib.oi_buffered_out(conn))

    def perform(self, connection: Any, what: int, data: Any, size: int, keep: bool) -> Any:
        """As ``Direct._perform``; a transport that does not block makes it raise a ``Want...Error``."""
        reads = what in READS
        if not reads:
            if not self._send_all(connection):
                raise WantWriteError
            said, self._unsaid = self._unsaid, None
            if said is not None and said[0] == what:
                return said[1]
        while True:
            arrivals = self._arrivals
            try:
                done = connection._try(what, data, size, keep)
            except WantReadError:
                failure = None
                try:
                    if not self._send_all(connection):
                        raise WantWriteError from None
                except OSError as error:
                    if not reads:
                        raise
                    failure = error  # the peer's last words may be there
                if not self._receive(connection, arrivals):
                    if failure is not None:
                        raise failure from None
                    raise
            except BaseException:
                self._last_words(connection)
                raise
            else:
                if not self._send_all(connection) and not reads:
                    self._unsaid = what, done
                    raise WantWriteError
                return done

    def _send_all(self, connection: Any) -> bool:
        """Give the transport what libssl has written; false if it does not take all of it."""
        conn, lock = connection._conn, connection._lock
        while self._sending.acquire(blocking=False):
            try:
                while True:
                    if not self._unsent:
                        with lock:
                            self._unsent = take_out(conn, EVENT_SIZE)
                    if not self._unsent:
                        break
                    try:
                        sent = self._transport.send(self._unsent)
                    except LATER:
                        return False
                    if sent is None:
                        sent = len(self._unsent)
                    if not 0 <= sent <= len(self._unsent):
                        raise ValueError(f"socket: its send() of {len(self._unsent)} bytes returned {sent!r}")
                    self._unsent = self._unsent[sent:]
                    if not sent:
                        return False
            finally:
                self._sending.release()
            with lock:
                if not lib.oi_buffered_out(conn):
                    return True
        return True

    def _last_words(self, connection: Any) -> None:
        """Send what there is, an alert above all, while an error is on its way up."""
        try:
            self._send_all(connection)
        except Exception:
            return

    def _receive(self, connection: Any, arrivals: int) -> bool:
        """Bring what the transport has; false if it has nothing yet."""
        with self._moved:
            self._moved.wait_for(lambda: not self._receiving or self._arrivals != arrivals)
            if self._arrivals != arrivals:
                return True  # another thread has brought something meanwhile
            self._receiving = True
        try:
            data = self._transport.recv(EVENT_SIZE)
            with connection._lock:
                if data:
                    put_in(connection._conn, data)
                else:
                    connection._conn.eof = 1
            self._arrivals += 1
            return True
        except LATER:
            return False
        finally:
            with self._moved:
                self._receiving = False
                self._moved.notify_all()
