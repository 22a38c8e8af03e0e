"""A transport that is a Python object with ``recv`` and ``send``, and no descriptor.

It may block or not, and be used by several threads: one may wait in its ``recv`` while
another sends.  Bytes leave in the order in which libssl made them, since only one
thread at a time sends.

A thread that reads may have to send, too: an answer of libssl's.  On a transport that blocks it
must not do that while others write, or it would soon be sending *their* data; with both peers at
that, nobody reads, and none comes to an end.  So it leaves its answers to a thread that writes
wherever there is one, and that one looks again before it stops.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from ..errors import WantReadError, WantWriteError
from ..values import EVENT_SIZE
from ._native import ffi, lib
from .engine import _pool, take_workspace

# c/conn.h
READS = (1, 2)
WRITE = 3
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
        self._sender = 0
        # Threads in the midst of writing, and whether one that reads has left them something to send.
        self._writers = 0
        self._left = False
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
            with self._writing(connection):
                if not self._send_all(connection):
                    raise WantWriteError
            said, self._unsaid = self._unsaid, None
            if said is not None and said[0] == what:
                if what != WRITE:
                    return said[1]
                # The beginning of the caller's repetition; other data is new, and follows it.
                told = min(size, len(said[1]))
                if ffi.buffer(data, told)[:] == said[1][:told]:
                    if told < len(said[1]):
                        self._unsaid = what, said[1][told:]
                    return told
        while True:
            arrivals = self._arrivals
            with nullcontext() if reads else self._writing(connection):
                finished, result = self._attempt(connection, what, data, size, keep)
            if finished:
                return result
            if not self._receive(connection, arrivals):
                try:
                    raise result
                finally:
                    del result  # which would be a cycle

    def _attempt(self, connection: Any, what: int, data: Any, size: int, keep: bool) -> tuple[bool, Any]:
        """Do it once, and send what comes of it.

        :returns: true and the result, or false and what to raise unless something arrives.
        """
        reads = what in READS
        try:
            done = connection._try(what, data, size, keep)
        except WantReadError as want:
            failure: Exception = want
            try:
                if not self._send_all(connection, reads):
                    raise WantWriteError from None
            except OSError as error:
                if not reads:
                    raise
                failure = error  # the peer's last words may be there
            return False, failure.with_traceback(None)
        except BaseException:
            self._last_words(connection, reads)
            raise
        if not self._send_all(connection, reads) and not reads:
            self._unsaid = what, ffi.buffer(data, done)[:] if what == WRITE else done
            raise WantWriteError
        return True, done

    @contextmanager
    def _writing(self, connection: Any) -> Iterator[None]:
        """This thread sends whatever there is to send, also what others leave to it."""
        with self._moved:
            self._writers += 1
        try:
            yield
        finally:
            with self._moved:
                self._writers -= 1
                mine = self._left and not self._writers
                if mine:
                    self._left = False
            if mine:
                self._last_words(connection)

    def _leave(self) -> bool:
        """Leave what is to be sent to a thread that writes, if there is one."""
        with self._moved:
            if self._writers:
                self._left = True
            return self._writers > 0

    def _send_all(self, connection: Any, reads: bool = False) -> bool:
        """Give the transport what libssl has written; false if it does not take all of it.

        :param reads: this thread is one that reads.
        """
        conn, lock = connection._conn, connection._lock
        while self.waits(conn):
            if reads and self._leave():
                return True
            if not self._sending.acquire(blocking=False):
                if reads or self._sender == threading.get_ident():
                    return True
                self._sending.acquire()
            self._sender = threading.get_ident()
            try:
                while not (reads and self._leave()):
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
                    if not isinstance(sent, int):
                        raise TypeError(f"socket: its send() returned {type(sent).__name__}, not a count")
                    if not 0 <= sent <= len(self._unsent):
                        raise ValueError(f"socket: its send() of {len(self._unsent)} bytes returned {sent!r}")
                    self._unsent = self._unsent[sent:]
                    if not sent:
                        return False
            finally:
                self._sender = 0
                self._sending.release()
        return True

    def _last_words(self, connection: Any, reads: bool = False) -> None:
        """Send what there is, an alert above all, while an error is on its way up."""
        try:
            self._send_all(connection, reads)
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
            if type(data) is not bytes:
                try:
                    data = bytes(memoryview(data))
                except TypeError:
                    kind = type(data).__name__
                    raise TypeError(f"socket: its recv() returned {kind}, not bytes") from None
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
