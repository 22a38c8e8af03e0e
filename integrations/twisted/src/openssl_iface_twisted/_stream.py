"""The state machine of a connection: what sockets and layered protocols share.

Theory of operation
===================

The *engine* is an ``IConnection``; it knows TLS.  The *edge* is the subclass; it
knows where ciphertext comes from and goes to: a socket and the reactor
(``transport.py``), or another transport (``protocol.py``).  The *user* is the
application's protocol.  This file decides what the user is told and when, and
what the edge has to watch for.

**Events.**  The edge brings what the engine made of an event (plaintext, or an
exception) to ``_advance`` or ``_engineFailed``.  In the midst of an open
connection, the edge delivers plaintext itself: that is the hot path, and
``_flowing`` is the one flag that says so.  It is true while the handshake has
been announced and nothing is paused, held back, discarded or over.  Whatever
else there is happens in ``_advance``, a loop (announce, deliver, send, proceed)
around ``_settle``, which compares what the engine says with what has been told
already.  Both may be run at any time: they do what is due, once.

**Writing** (``_writing.py``).  ``_collecting`` says what becomes of a write::

    OPEN    it goes to the engine at once, which sends it; then _collecting = BATCH
    BATCH   it is kept until the reactor's next iteration (or 16 KiB are there)
    EVENT   it is kept until the end of the event

so an answer leaves at once, a hundred small writes make few records, and the
order is always that of the writes.  What the kernel or the lower transport does not take stays in the
engine: ``engine.queued``.

**Reading** is watched while the engine wants it and nothing is paused.  Plaintext
that appears while the user has paused (the handshake goes on, a renegotiation has to)
is held in ``_held``; more that the engine has is left there.  After
``resumeProducing`` it is delivered from the reactor, never from within that call.

**Ending.**  Each direction ends on its own::

    ours     open --lose(Write)Connection--> queued --event_close--> closing --sent--> closed
    theirs   open --close_notify, all delivered--> ended      (or an exception from the engine)

Both closed is a clean end.  Theirs ends and the user does not want half a
connection: ours is closed too, after all that is queued.  After
``loseConnection`` nothing is delivered any more, but we read on to see
close_notify.  A timer ends this if nothing moves.  Every way to end goes through ``_finish``,
which runs once; the edge closes what is below and tells the user.

**Re-entrancy.**  The user may call anything from anywhere.  No method that a user
calls ever calls the user back, except its producer; it leaves that to the end of the
event, or to ``_later``.
"""

from __future__ import annotations

import errno
import fcntl
import struct
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.logger import Logger
from twisted.python.failure import Failure

from openssl_iface.errors import AbortedError, OpenSSLError
from openssl_iface.values import Ending, ProtocolVersion

from ._batch import Batch
from ._deadlines import Deadlines
from ._writing import EVENT, OPEN, PROCEED, READ, WRITE, Writing
from .errors import TimedOutConnectionLost, reason_for

__all__ = ["DONE", "TLSStream", "unacknowledged"]

# What is held back at most when a renegotiation has to be read while the user has paused.
HELD_MAX = 262144
# So often within closeTimeout we look whether anything has moved: it lasts longer by this part at most.
LOOKS = 16
_logger = Logger()
# The reason for most ends; as with Twisted's own reasons of this kind, one serves all.
DONE = Failure(ConnectionDone())


class TLSStream(Writing):
    """A TLS connection, but for what is below it."""

    handshakeTimeout: float | None = 60.0
    closeTimeout: float | None = 30.0
    # Any: to a type checker these would be constant between two looks, but the user is called in between.
    _flowing: Any = False
    _closeTold = False  # the user knows that ours has left
    _endTold: Any = False  # the user knows that theirs has come
    _leaving: Any = False  # no handshake, no close_notify
    _lossy = False  # something had not left when we closed
    _heldSize = 0
    _verdict: Failure | None = None
    _timer: Any = None
    # While it closes: the bytes that the peer had not acknowledged when they last became fewer, and when.
    _moved: tuple[int, float] = (0, 0.0)

    # -- what the edge provides ---------------------------------------------

    #: the application's protocol
    _user: Any

    def _watchReading(self, reading: bool) -> None:
        """Watch for arriving bytes, or stop it."""
        raise NotImplementedError

    def _kernelQueue(self) -> int:
        """Bytes that the engine has got rid of and the peer has not acknowledged, as far as is known."""
        return 0

    #: whether the transport below has something to send still of what was written, as far as is known
    _waitsBelow: Callable[[], bool] | None = None

    def _finishEdge(self, reason: Failure) -> None:
        """Close what is below, and tell the user (now or when it is closed)."""
        raise NotImplementedError

    # -- beginning -----------------------------------------------------------

    def _begin(self, engine: Any, batch: Batch, deadlines: Deadlines | None = None) -> None:
        """Take the *engine*, whose role is set; *deadlines* are those of many with this handshakeTimeout."""
        self._engine = engine
        self._engineWrite = engine.event_write
        self._batch = batch
        self._out = []
        self._held = []
        self._sealed = self._closeLeft = False
        if self.handshakeTimeout is None:
            return
        if deadlines is None:
            self._timer = self.reactor.callLater(self.handshakeTimeout, self._handshakeTimedOut)
        else:
            self._timer = deadlines
            deadlines.add(self)

    def _hello(self) -> None:
        """The user has been told of the connection: begin the handshake, unless it has given up already."""
        waited_for = self._over or self._out or self._engine.queued or self.producer is not None
        if self.disconnecting and not waited_for:
            self._leave()
        else:
            self._proceed()

    def _proceed(self) -> None:
        """Go on with what the engine can do by itself."""
        if self._over:
            return
        self._collecting = EVENT
        try:
            data = self._engine.event_proceed()
        except Exception as error:
            self._engineFailed(error)
        else:
            self._advance(data)

    def resumeHandshake(self) -> None:
        """Go on with a handshake that a callback has put off; see ``IOpenSSLTransport``."""
        self._later(self._proceed)

    def _announce(self) -> None:
        self._announced = True
        if self._timer is not None:
            self._stopTimer()
        user = self._user
        if IHandshakeListener.providedBy(user):
            user.handshakeCompleted()

    # -- events --------------------------------------------------------------

    def _advance(self, data: bytes) -> None:
        """Do all that the last event has made possible; *data* is the plaintext that it gave."""
        if self._over:
            return
        self._collecting = EVENT
        engine = self._engine
        while not self._leaving:
            if not self._announced and engine.handshake_done:
                self._announce()
            if data or self._held:
                self._deliver(data)
            self._settle()
            if self._over:
                return
            data = b""
            if engine.wants & PROCEED and (self.disconnecting or not (self._paused and self._announced)):
                try:
                    data = engine.event_proceed()
                except Exception as error:
                    self._engineFailed(error)
                    return
            elif self._paused or not (self._held or (engine.ended is Ending.CLEAN and not self._endTold)):
                break
        self._collecting = OPEN
        self._update()

    def _deliver(self, data: bytes) -> None:
        """Give plaintext to the user, or keep it while it has paused, in its order."""
        if self._over:
            return  # told of the handshake, the user has aborted
        held = self._held
        if data:
            held.append(data)
            self._heldSize += len(data)
        while held:
            if self.disconnecting:
                held.clear()
                self._heldSize = 0
            elif self._paused:
                return
            else:
                data = held.pop(0)
                self._heldSize -= len(data)
                self._user.dataReceived(data)

    def _settle(self) -> None:
        """Within an event: compare what the engine says with what has been told and done."""
        if self._over:
            return
        engine = self._engine
        if (
            engine.ended is Ending.CLEAN  # any other end is an exception, which PROCEED brings
            and not self._endTold
            and not engine.wants & PROCEED
            and (self.disconnecting or not self._paused)
        ):
            self._peerEnded()
        if self._out:
            self._flushOut()
        if self.producer is not None:
            self._produce()
            if self._out:
                self._flushOut()
        if self._over:
            return
        if self._closing:
            if self.disconnecting and self._timer is None:
                self._startClosing()
        elif (self.disconnecting or self._losingWrite) and self.producer is None:
            self._close()
        if self._closing and (self._closeLeft or engine.close_sent):
            if not self._closeTold:
                self._closeTold = True
                if not self.disconnecting:
                    user = self._user
                    if IHalfCloseableProtocol.providedBy(user):
                        user.writeConnectionLost()
            if self._endTold:
                self._finish(DONE)

    def _update(self) -> None:
        """Make the edge watch for what is wanted now, and decide whether the hot path is open."""
        engine = self._engine
        wants = engine.wants
        if wants & WRITE:
            self._drain()
            wants = engine.wants
            if self._closing and engine.close_sent and not self._closeTold:
                self._later(self._advance, b"")
        reading = wants & READ != 0 or (wants & PROCEED != 0 and not self._announced)
        if self._leaving:
            return
        flowing = self._announced and not (self._endTold or self.disconnecting)
        if self._paused and not self.disconnecting:
            flowing = False
            if self._announced and reading:
                # A write may wait for the peer's answer (a renegotiation): to pause must not stop that.
                reading = self._heldSize < HELD_MAX and not wants & WRITE and engine.queued > 0
        self._flowing = flowing
        self._watchReading(reading)

    # -- being a producer -----------------------------------------------------------

    def pauseProducing(self) -> None:
        """Deliver nothing more, not even what is decrypted already, until ``resumeProducing``."""
        if self._over or self._paused or self._engine is None:
            return
        self._paused = True
        self._flowing = False
        if not self.disconnecting:
            self._update()

    def resumeProducing(self) -> None:
        """Go on delivering: what was held back first, from the reactor's next iteration."""
        if self._over or not self._paused:
            return
        self._paused = False
        if self._collecting == EVENT:
            return  # its end sees to it
        engine = self._engine
        if self._held or engine.wants & PROCEED or engine.ended is not None:
            self._later(self._advance, b"")
        else:
            self._update()

    def stopProducing(self) -> None:
        """As ``loseConnection``."""
        self.loseConnection()

    def stopConsuming(self) -> None:
        """Forget the producer, and lose the connection."""
        self.unregisterProducer()
        self.loseConnection()

    # -- ending ----------------------------------------------------------------------

    def loseConnection(self, *_: Any) -> None:
        """Send everything, then close_notify; wait for the peer's, and close.

        With a producer, not before it is unregistered.  Nothing more is delivered from now on.
        Before the handshake is complete, it is completed if something was written; else the connection
        ends at once.
        """
        if self.disconnecting or self._over or self._engine is None:
            return
        self.disconnecting = True
        self._flowing = False
        if self.producer is None:
            self._sealed = True
            self._closeSoon()

    def loseWriteConnection(self) -> None:
        """Send everything, then close_notify, and go on receiving; see ``IOpenSSLTransport``."""
        if self._sealed or self._losingWrite or self._over:
            return
        self._losingWrite = True
        if self.producer is None:
            self._sealed = True
            self._closeSoon()

    def _closeSoon(self) -> None:
        self._flowing = False  # so that the end of an event looks closer
        if self._collecting != EVENT:
            if not self._closing:
                self._close()
            self._later(self._advance, b"")

    def _close(self) -> None:
        """Ours is closed: close_notify follows what is queued."""
        self._sealed = True
        if self._out:
            self._flushOut()
        engine = self._engine
        if self.disconnecting and not engine.handshake_done:
            if engine.wants & WRITE:
                self._drain()
            if not engine.queued:
                self._leave()
                return
        self._closing = True
        waits = self._waitsBelow
        # PROCEED: the transport has failed, with something that was written before.
        waiting = engine.queued > 0 or engine.wants & PROCEED or (waits is not None and waits())
        self._closeLeft = engine.event_close()
        self._lossy = bool(waiting) and not self._closeLeft
        if engine.wants & WRITE:
            self._drain()
        if (
            self.disconnecting
            and (self._announced or self._timer is None)
            and not (self._endTold and (self._closeLeft or engine.close_sent))  # nothing to wait for
        ):
            self._startClosing()

    def _leave(self) -> None:
        """Go before TLS has come to anything."""
        self._closing = self._leaving = True
        self._watchReading(False)
        self._later(self._finish, DONE)

    def _peerEnded(self) -> None:
        """The peer has said goodbye, and all that it sent is delivered."""
        self._endTold = True
        self._flowing = False
        if self.disconnecting:
            return
        user = self._user
        engine = self._engine
        if (
            IHalfCloseableProtocol.providedBy(user)
            and engine.get_protocol_version() >= ProtocolVersion.TLS1_3
        ):
            if engine.wants & WRITE:
                engine.event_flush()  # what would have left with our goodbye
            user.readConnectionLost()
            return
        self.disconnecting = True
        if self.producer is not None:
            # It would never be told to stop while it waits for room.
            producer, self.producer = self.producer, None
            producer.stopProducing()

    def _startClosing(self) -> None:
        """From now on something has to move: what waits to leave, or the peer's close_notify."""
        if self.closeTimeout is not None and not self._over:
            self._moved = self._engine.queued + self._kernelQueue(), self.reactor.seconds()
            self._lookLater(self.closeTimeout, self._lookAtClosing)

    def _lookLater(self, left: float, look: Callable[[], None]) -> None:
        """Nobody tells when the kernel's last byte is acknowledged, so we look now and then."""
        assert self.closeTimeout is not None
        self._timer = self.reactor.callLater(min(left, self.closeTimeout / LOOKS), look)

    def _stillMoves(self, left: int, moved: bool, look: Callable[[], None]) -> bool:
        """Whether closeTimeout is not over since *left* bytes *moved*; then *look* is called again."""
        assert self.closeTimeout is not None
        now = self.reactor.seconds()
        if moved:
            self._moved = left, now
        time = self._moved[1] + self.closeTimeout - now
        if time > 0:
            self._lookLater(time, look)
        return time > 0

    def _lookAtClosing(self) -> None:
        self._timer = None
        if self.closeTimeout is None:
            return
        unsent = self._engine.queued + self._kernelQueue()
        if self._stillMoves(unsent, unsent < self._moved[0], self._lookAtClosing):
            return
        what = "did not take what was sent" if unsent else "did not answer close_notify"
        self._timedOut(f"The peer {what} within {self.closeTimeout:g} seconds")

    def _handshakeTimedOut(self) -> None:
        self._timer = None
        self._timedOut(f"The peer did not complete the handshake within {self.handshakeTimeout:g} seconds")

    def _timedOut(self, message: str) -> None:
        self._guarded(self._finish, Failure(TimedOutConnectionLost(errno.ETIMEDOUT, message)))

    def _stopTimer(self) -> None:
        timer = self._timer
        if timer is not None:
            self._timer = None
            if timer.__class__ is Deadlines:
                timer.discard(self)
            elif timer.active():
                timer.cancel()

    def _engineFailed(self, error: BaseException) -> None:
        """The engine has raised *error*: the connection is at its end, whatever else was due."""
        if self._over:
            return
        said = self._closing and not self._lossy
        if isinstance(error, AbortedError) and self._engine.ended is Ending.CLEAN and said:
            # A reset after the peer's goodbye, in answer to ours: all was said.
            error = ConnectionDone()
        if not isinstance(error, (OpenSSLError, ConnectionDone)):
            # A callback has raised.  The user is told; but many users do not look.
            _logger.warn(
                "A TLS callback of {transport} has raised {error!r}", transport=self.logPrefix(), error=error
            )
        self._finish(Failure(reason_for(error)))

    def failVerification(self, reason: Failure) -> None:
        """Abort the connection, and give *reason* to ``connectionLost``."""
        if self._verdict is None:
            self._verdict = reason
        self.abortConnection()

    def _finish(self, reason: Failure) -> None:
        """The end."""
        if not self._over:
            self._seal()
            self._finishEdge(reason)

    def _seal(self) -> None:
        """Nothing happens any more, on either side."""
        self._over = self._sealed = True
        self._flowing = False
        if self._timer is not None:
            self._stopTimer()
        self._out.clear()
        self._held.clear()

    def _reason(self, reason: Failure) -> Failure:
        """What the user is told in place of *reason*."""
        if self._verdict is not None and reason.check(ConnectionAborted):
            return self._verdict
        return reason

    # -- what is known of it ------------------------------------------------------

    def getHandle(self) -> Any:
        """The engine (an ``IConnection``)."""
        return self._engine

    def getPeerCertificate(self) -> Any:
        """The peer's certificate (an ``IX509``), or ``None``."""
        return self._engine.get_peer_certificate()

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """What ALPN has agreed on (bytes), or ``None``."""
        # By way of getHandle, which startTLS takes over: it is the innermost TLS that is asked.
        return self.getHandle().get_alpn_proto_negotiated() or None

    # -- what the edge has as well ---------------------------------------------------

    def abortConnection(self) -> None:
        raise NotImplementedError

    def logPrefix(self) -> str:
        raise NotImplementedError


def unacknowledged(descriptor: int) -> int:
    """What the kernel has taken and the peer has not (*tcp(7)*, SIOCOUTQ); 0 where it is not told."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0
