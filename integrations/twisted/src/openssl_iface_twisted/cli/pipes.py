"""Standard input and output beside a reactor.

Each is read or written by a thread of its own, with plain blocking calls.  That
works alike for files, pipes, terminals and the null device, on every reactor, and
leaves the descriptor as it was: to make it non-blocking would do so for every
program that shares it, the shell included.  The threads are daemons, so one that
waits for a terminal or a full pipe keeps nobody from leaving.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Reader", "Writer"]

CHUNK = 65536

Result = TypeVar("Result")


def _patiently(descriptor: int, event: int, do: Callable[[int, Any], Result], argument: Any) -> Result:
    """Do what waits: also where another program has made the descriptor non-blocking."""
    while True:
        try:
            return do(descriptor, argument)
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(descriptor, event)
            waiting.poll()


@implementer(IPushProducer)
class Reader:
    """Gives what can be read from *descriptor* to *received*, piece by piece, on the reactor's thread.

    ``ended`` is a Deferred that fires at the end of the file, or fails with an OSError.  A piece is read when
    the one before has been received and nothing is paused, so no more than one is under way.
    """

    def __init__(self, reactor: Any, descriptor: int, received: Callable[[bytes], object]) -> None:
        self.ended: Deferred[None] = Deferred()
        self._reactor = reactor
        self._descriptor = descriptor
        self._received = received
        self._paused = self._stopped = False
        self._idle = True
        self._ready = threading.Semaphore(0)
        threading.Thread(target=self._run, name=f"reader of {descriptor}", daemon=True).start()

    def resumeProducing(self) -> None:
        """Begin, or go on."""
        self._paused = False
        self._next()

    def pauseProducing(self) -> None:
        """Read no more for now; a piece that is under way comes."""
        self._paused = True

    def stopProducing(self) -> None:
        """Read no more, ever."""
        self._stopped = True

    def _next(self) -> None:
        if self._idle and not self._paused and not self._stopped:
            self._idle = False
            self._ready.release()

    def _arrived(self, data: bytes, error: OSError | None) -> None:
        if self._stopped:
            return
        if data:
            self._idle = True
            self._received(data)
            self._next()
            return
        self._stopped = True
        if error is None:
            self.ended.callback(None)
        else:
            self.ended.errback(Failure(error))

    def _run(self) -> None:
        data = b"."
        while data:
            self._ready.acquire()
            error = None
            try:
                data = _patiently(self._descriptor, select.POLLIN, os.read, CHUNK)
            except OSError as caught:
                data, error = b"", caught
            self._reactor.callFromThread(self._arrived, data, error)


class Writer:
    """Writes to *descriptor*; never waits.

    ``waiting`` is how many bytes have not been written yet.  When it falls to *low*, *drained* is called, on
    the reactor's thread.  ``failed`` is a Deferred that fails with the OSError that ended it all; what is
    written after it is dropped.
    """

    def __init__(
        self, reactor: Any, descriptor: int, drained: Callable[[], object] = lambda: None, low: int = CHUNK
    ) -> None:
        self.waiting = 0
        self.failed: Deferred[None] = Deferred()
        self._reactor = reactor
        self._descriptor = descriptor
        self._drained = drained
        self._low = low
        self._queue: deque[bytes] = deque()
        self._broken = False
        self._changed = threading.Condition()
        self._flushed: list[Deferred[None]] = []
        threading.Thread(target=self._run, name=f"writer to {descriptor}", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Write *data* some time, after what was written before."""
        if data and not self._broken:
            with self._changed:
                self._queue.append(data)
                self.waiting += len(data)
                self._changed.notify()

    def flushed(self) -> Deferred[None]:
        """A Deferred that fires when everything has been written, or nothing can be any more."""
        done: Deferred[None] = Deferred()
        with self._changed:
            self._flushed.append(done)
            if not self.waiting or self._broken:
                self._reactor.callLater(0, self._report)
        return done

    def _report(self) -> None:
        self._drained()
        if not self.waiting or self._broken:
            done, self._flushed = self._flushed, []
            for deferred in done:
                if not deferred.called:
                    deferred.callback(None)

    def _fail(self, error: OSError) -> None:
        self._broken = True
        # First, so that who waits for ``flushed`` knows why.
        self.failed.errback(Failure(error))
        self._report()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                # Many small pieces are one call.
                data = b"".join(self._queue) if self.waiting <= CHUNK else self._queue[0]
                if self.waiting <= CHUNK:
                    self._queue.clear()
                else:
                    self._queue.popleft()
            view = memoryview(data)
            try:
                while view:
                    view = view[_patiently(self._descriptor, select.POLLOUT, os.write, view) :]
            except OSError as error:
                self._reactor.callFromThread(self._fail, error)
                return
            with self._changed:
                before = self.waiting
                self.waiting -= len(data)
                report = self.waiting <= self._low < before or not self.waiting
            if report:
                self._reactor.callFromThread(self._report)
