"""What becomes of a write, and of those who write much: half of ``_stream.py``, where the theory is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.python import log
from twisted.python.failure import Failure

from openssl_iface.values import Want

from ._batch import Batch

__all__ = ["BATCH", "EVENT", "OPEN", "PROCEED", "READ", "WRITE", "Writing", "logged"]

# An enum's members cost more to combine than plain numbers.
READ = int(Want.READ)
WRITE = int(Want.WRITE)
PROCEED = int(Want.PROCEED)

OPEN, BATCH, EVENT = 0, 1, 2

# The largest TLS record: to collect more saves no record (RFC 8446, section 5.1).
LARGE = 16384
# How often a pull producer is asked before other connections get their turn.
PULLS = 8


class Writing:
    """Collects writes, gives them to the engine, and paces the producer."""

    #: Bytes that may wait to leave before a producer is paused, and below which it is resumed.
    bufferSize: int = 65536
    lowWaterMark: int = 16384

    disconnecting: Any = False
    producer: Any = None
    producerPaused: bool = False
    streamingProducer: Any = False

    # CPython shares the names of attributes among the dictionaries of all connections, up to 30 of them; with
    # more, each has 1.3 KiB of its own.  These are not in there, and the rest leave room for what others add.
    __slots__ = ("__dict__", "_batch", "_closeLeft", "_engineRead", "_engineWrite", "_held", "_out")

    reactor: Any
    _engine: Any = None
    _engineRead: Callable[[], bytes]
    _engineWrite: Callable[[bytes], None]
    _batch: Batch

    _announced = False  # the user knows that the handshake is complete
    _sealed = True  # writes are ignored
    _losingWrite = False
    _closing = False  # event_close has been called
    _over: Any = False
    _paused: Any = False  # the user wants nothing for now
    _collecting = OPEN
    _scheduled = False
    _producing = False
    _produceDue = False
    _out: list[bytes]
    _held: list[bytes]
    _closeLeft: bool  # close_notify left when it was due
    _outSize = 0

    # -- what the rest provides ------------------------------------------------

    def _drain(self) -> None:
        """The engine wants to write: send what it has, now or when that is possible."""
        raise NotImplementedError

    def _advance(self, data: bytes) -> None:
        """Do all that has become possible."""
        raise NotImplementedError

    def _closeSoon(self) -> None:
        """Nothing more is written: close our side."""
        raise NotImplementedError

    def _engineFailed(self, error: BaseException) -> None:
        """The engine has raised."""
        raise NotImplementedError

    def _finish(self, reason: Failure) -> None:
        """The end."""
        raise NotImplementedError

    # -- from the reactor --------------------------------------------------------

    def _later(self, function: Callable[..., None], *arguments: Any) -> None:
        self.reactor.callLater(0, self._guarded, function, *arguments)

    def _guarded(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run what may call the user from outside an event: what it raises ends this connection alone."""
        log.callWithLogger(self, self._guardedHere, function, *arguments)

    def _guardedHere(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._over:
            return
        try:
            function(*arguments)
        except BaseException:  # as the reactor takes it from an event
            self._finish(logged())

    # -- writing -------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send *data* (bytes) some time; ignored when the connection is lost, or given up by us."""
        if data.__class__ is not bytes:
            data = _as_bytes(data)
        if self._sealed or not data:
            return
        if self._collecting:
            if len(data) >= LARGE and not self._out:
                self._sendAll(data)  # there is nothing to collect
                return
            self._out.append(data)
            self._outSize += len(data)
            if self._outSize >= LARGE:
                self._flushOut()
            elif self._collecting == BATCH:
                self._batch.ensure()
        else:
            self._collecting = BATCH
            if not self._scheduled:
                self._scheduled = True
                self._batch.add(self)
            self._send(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send several pieces (an iterable of bytes) as one."""
        self.write(b"".join(iovec))

    def _flushOut(self) -> None:
        """Give the engine what has been collected."""
        self._sendAll(self._collected())

    def _sendAll(self, data: bytes) -> None:
        """Give the engine *data*, and what the producer writes meanwhile."""
        self._send(data)
        if self._out and self._collecting != BATCH:
            # The producer has had its turn: it is not asked again for what it has written in it.
            producing, self._producing = self._producing, True
            try:
                while self._out:
                    self._send(self._collected())
            finally:
                self._producing = producing

    def _collected(self) -> bytes:
        out = self._out
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self._outSize = 0
        return data

    def _send(self, data: bytes) -> None:
        try:
            self._engineWrite(data)
        except Exception as error:
            self._writeFailed(error)
            return
        self._sent()

    def _sent(self) -> None:
        """The engine has taken a write: do what follows from it."""
        wants = self._engine.wants
        if wants & WRITE:
            self._drain()
        elif (
            wants & PROCEED
            and self._collecting != EVENT
            and self._announced
            and (self.disconnecting or not self._paused)
        ):
            # The peer is gone; what it sent before is still to be read.
            self._later(self._advance, b"")
        if self.producer is not None:
            self._produce()

    def _endBatch(self) -> None:
        """The reactor begins its next iteration."""
        self._scheduled = False
        self._collecting = OPEN
        if self._out:
            self._guarded(self._flushOut)

    def _writeFailed(self, error: BaseException) -> None:
        """The engine takes nothing any more.  This may be inside of anything, so the end comes later."""
        if not self._sealed:
            self._sealed = True
            self._later(self._engineFailed, error)

    # -- producers ---------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let *producer* write; see ``IConsumer``.

        A pull producer is asked whenever little waits to leave."""
        if self.producer is not None:
            raise RuntimeError(
                f"Cannot register producer {producer}: producer {self.producer} was never unregistered."
            )
        if self._over:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = bool(streaming)
        self.producerPaused = False
        self._produce()

    def unregisterProducer(self) -> None:
        """The producer has written all; a ``loseConnection`` that waited for it goes on."""
        self.producer = None
        if self.disconnecting or self._losingWrite:
            self._closeSoon()

    def _produce(self) -> None:
        """Pause, resume or ask the producer, by what waits to leave."""
        if self._producing:
            return
        if self.streamingProducer:
            waiting = self._engine.queued + self._outSize
            if self.producerPaused:
                if waiting <= self.lowWaterMark:
                    self.producerPaused = False
                    self.producer.resumeProducing()
            elif waiting > self.bufferSize:
                self.producerPaused = True
                self.producer.pauseProducing()
            return
        self._producing = True
        try:
            for _ in range(PULLS):
                if self._engine.queued + self._outSize > self.lowWaterMark:
                    return
                self.producer.resumeProducing()
                if self.producer is None or self.streamingProducer or self._over:
                    return
        finally:
            self._producing = False
        self._produceSoon()

    def _produceSoon(self) -> None:
        if not self._produceDue:
            self._produceDue = True
            self._later(self._produceNow)

    def _produceNow(self) -> None:
        self._produceDue = False
        if self.producer is not None:
            self._produce()


def logged() -> Failure:
    """The exception at hand, which is logged.  A frame of its own traceback that keeps it makes a cycle."""
    failure = Failure()
    log.err(failure)
    return failure


def _as_bytes(data: Any) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"data: bytes are wanted, not {type(data).__name__}")
