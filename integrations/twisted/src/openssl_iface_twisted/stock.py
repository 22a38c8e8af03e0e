"""Twisted's own TLS layer on our engine: :func:`accelerate`.

Theory of operation
===================

Twisted's ``TLSMemoryBIOProtocol`` asks its connection for one thing at a time: take this, is there
plaintext, is there more, is there something to send.  All of that stays as it is for the handshake,
for the end and for everything out of the ordinary.  Between them, while a connection is established,
a *lane* does the same with one call of the engine for each event.  It has two gears:

    carried   over any transport: what comes is fed to the engine, what leaves is given to the transport
    direct    over a TCP transport of Twisted's: the engine itself receives and sends on the socket

A lane is direct while the transport below has nothing to send.  What the kernel does not take is
given to that transport, with all its rules of producers and of closing, and the lane is carried until
the transport has sent it.  Whatever else happens (an error, close_notify, ``loseConnection``) makes it
carried first; then Twisted's code runs, and finds what it would have found.

Small writes during an event leave at its end, together.  Outside an event they are collected until
the reactor's next iteration, as Twisted does it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from twisted.internet import endpoints, main, tcp
from twisted.python.failure import Failure

from openssl_iface.errors import OpenSSLError, SysCallError
from openssl_iface.interfaces import IConnection
from openssl_iface.values import ProtocolVersion

from ._writing import PROCEED, READ, WRITE

__all__ = ["accelerate"]

# What collects at most before it is written (bytes): Twisted's own measure.
COLLECT = 64_000
# What the lane does itself; who overrides one of them keeps Twisted's path.
TAKEN = ("dataReceived", "_write", "_flushSendBIO")
# What must be the transport's own, so that nobody misses bytes that pass by it.
BELOW = ("doRead", "doWrite", "write", "writeSomeData", "_dataReceived")

_lock = threading.Lock()
_undo: Callable[[], None] | None = None
_lanes: WeakSet[Lane] = WeakSet()


class Lane:
    """The established part of one connection; also what collects its small writes."""

    def __init__(self, protocol: Any, connection: Any) -> None:
        self.protocol = protocol
        self.connection = connection
        self.direct = False
        self._clock = protocol.factory._clock
        self._busy = False
        self._pieces: list[bytes] = []
        self._size = 0
        self._scheduled: Any = None
        # In TLS 1.2, what is written may have to wait for a renegotiation.
        self._may_wait = connection.get_protocol_version() < ProtocolVersion.TLS1_3
        self._tcp = _tcp_below(protocol)
        if self._tcp is not None:
            self._above = self._tcp.protocol
            self._stock_read = self._tcp.doRead
            self._tcp.doRead = self._doRead

    # -- the two gears -----------------------------------------------------------

    def attach(self) -> None:
        """Go direct, if nothing is in the way."""
        tls, below, connection = self.protocol, self._tcp, self.connection
        if (
            below is not None
            and below.connected
            and below.protocol is self._above
            and not (below.dataBuffer or below._tempDataBuffer)
            and not (below.disconnecting or below._writeDisconnecting or below._writeDisconnected)
            and not (tls.disconnecting or tls._lostTLSConnection or tls._aborted or tls._appSendBuffer)
            and not connection.queued
        ):
            connection.event_attach(below.socket)
            self.direct = True

    def release(self) -> None:
        """Be carried from now on."""
        if self.direct:
            self.direct = False
            self.connection.event_release()

    def close(self) -> None:
        """Leave the protocol and its transport as they were."""
        self.release()
        below, self._tcp = self._tcp, None
        if below is not None and below.__dict__.get("doRead") == self._doRead:
            del below.doRead

    def _superseded(self) -> bool:
        """Whether somebody has come between us and the socket: ``startTLS`` over TLS does."""
        below = self._tcp
        return below.connected and below.protocol is not self._above  # a lost one has no protocol

    # -- what comes -----------------------------------------------------------------

    def _doRead(self) -> Any:
        """The reactor says that the socket is readable."""
        stock_read = self._stock_read
        if self._superseded():
            self.close()
        if not self.direct:
            return stock_read()
        self._busy = True
        try:
            try:
                data = self.connection.event_read()
            except OpenSSLError as error:
                return self._failed(error)
            self._deliver(data)
            if self.connection.wants != READ:
                return self._settle()
        finally:
            self._busy = False
        return None

    def received(self, data: bytes) -> None:
        """The transport below has brought ciphertext."""
        self._busy = True
        try:
            try:
                data = self.connection.event_feed(data)
            except OpenSSLError as error:
                self._failed(error)
                return
            self._deliver(data)
            self._settle()
        finally:
            self._busy = False
        if self._tcp is not None and not self.direct:
            self.attach()

    def _deliver(self, data: bytes) -> None:
        """Let go what waited for an event, pass its plaintext on, and send what is said to that."""
        tls = self.protocol
        self._let_go()
        if data and not tls._aborted:
            tls.wrappedProtocol.dataReceived(data)
        if self._pieces:
            self.flush()

    def _let_go(self) -> None:
        """Nothing waits for a renegotiation any more: resume the producer, or close."""
        if self.protocol._appSendBuffer and not self.connection.queued:
            self.protocol._unbufferPendingWrites()

    def _settle(self) -> Any:
        """Do what the event has left; returns why the transport below is lost, if it is."""
        tls, connection = self.protocol, self.connection
        while not tls._lostTLSConnection and tls._tlsConnection is connection:
            if connection.wants & WRITE:
                tls._flushSendBIO()
                self._let_go()
            if connection.wants & PROCEED:
                try:
                    data = connection.event_proceed()
                except OpenSSLError as error:
                    return self._failed(error)
                self._deliver(data)
                continue
            if connection.ended is not None:
                tls._shutdownTLS()
                tls._tlsShutdownFinished(None)
            break
        return None

    def _failed(self, error: OpenSSLError) -> Any:
        tls = self.protocol
        if self.direct:
            self.release()
            if isinstance(error, SysCallError):  # an end without close_notify, too
                tls._lostTLSConnection = True
                return main.CONNECTION_LOST
        tls._tlsShutdownFinished(Failure(error))
        return None

    # -- what leaves ------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Encrypt *data*, and send it."""
        if self._tcp is not None and self._superseded():
            self.close()
        tls, connection, below = self.protocol, self.connection, self._tcp
        if self.direct:
            if not below.connected or below._writeDisconnecting:
                self.release()
        else:
            self.attach()
        try:
            connection.event_write(data)
        except OpenSSLError as error:
            self.release()
            tls._tlsShutdownFinished(Failure(error))
            return
        wants = connection.wants
        if wants & PROCEED:
            self._clock.callLater(0, self._after_failure)
        if wants & WRITE:
            tls._flushSendBIO()
        if self._may_wait and connection.queued:
            tls._bufferedWrite(b"")

    def _after_failure(self) -> None:
        """Something happened while sending: read what the peer has left, then say so."""
        if not self.direct:
            self._settle()
            return
        below = self._tcp
        reason = self._doRead()
        if reason is not None and below.connected:
            below.connectionLost(Failure(reason))

    def take(self) -> None:
        """Give the transport below what waits to leave."""
        self.release()
        output, write = self.connection.event_output, self.protocol.transport.write
        while data := output():
            write(data)

    # -- collecting small writes, in the place of Twisted's _AggregateSmallWrites ------------

    def write(self, data: bytes) -> None:
        """Send *data* some time soon."""
        if data.__class__ is not bytes:
            data = data + b""  # a TypeError for text; a copy of what may change
        self._pieces.append(data)
        self._size += len(data)
        if self._size > COLLECT:
            self.flush()
        elif not self._busy and self._scheduled is None:
            self._scheduled = self._clock.callLater(0, self._scheduled_flush)

    def _scheduled_flush(self) -> None:
        self._scheduled = None
        self.flush()

    def flush(self) -> None:
        """Write what has been collected."""
        pieces, tls = self._pieces, self.protocol
        if not pieces:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        if not tls.disconnecting or tls._producer is not None:
            tls._write(data)

    def cease(self) -> None:
        """Write it now, and be called no more."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        self.flush()


class _Collector:
    """A lane as what a ``BufferingTLSTransport`` collects its writes in."""

    def __init__(self, lane: Lane) -> None:
        self.write = lane.write
        self.flush = lane.flush
        self.close = lane.cease


def _tcp_below(protocol: Any) -> Any:
    """The TCP transport below *protocol*, if it is one of Twisted's own with nothing in between."""
    below = protocol.transport
    below = getattr(below, "_connection", below)  # what startTLS puts before it
    kind = type(below)
    if not isinstance(below, tcp.Connection):
        return None
    above = below.protocol
    if type(above) is endpoints._WrappingProtocol:  # client endpoints put it there, and it passes all on
        above = above._wrappedProtocol
    if (
        above is protocol
        and all(getattr(kind, name) is getattr(tcp.Connection, name) for name in BELOW)
        and not any(name in below.__dict__ for name in BELOW)
    ):
        return below
    return None


def accelerate() -> Callable[[], None]:
    """Make Twisted's own TLS layer use our engine, with one C call for each event.

    That is what ``reactor.listenSSL``, ``reactor.connectSSL``, ``ssl:`` and ``tls:`` endpoints,
    ``wrapClientTLS`` and ``startTLS`` make, as Twisted ships them.  Connections of the drop-in
    (:func:`openssl_iface.install_as_OpenSSL`, called before Twisted's TLS was imported) go faster from
    their handshake on; pyOpenSSL's, and protocols that override what would be replaced, go as before.

    :return: a function that undoes it.  Connections that are open stay open then, and go Twisted's way.
    :raises ImportError: there is no ``OpenSSL`` for Twisted to use.
    """
    global _undo
    try:
        from twisted.protocols import tls
    except ImportError as error:
        raise ImportError(
            "Twisted's TLS layer needs OpenSSL: call openssl_iface.install_as_OpenSSL() before anything "
            "imports Twisted, or install pyOpenSSL"
        ) from error

    with _lock:
        if _undo is None:
            _undo = _install(tls)
        return _undo


def _install(tls: Any) -> Callable[[], None]:
    stock = tls.TLSMemoryBIOProtocol
    buffering = getattr(tls, "BufferingTLSTransport", stock)
    before = {name: stock.__dict__[name] for name in (*TAKEN, "_shutdownTLS", "connectionLost")}
    stock_received, stock_write, stock_flush, stock_shutdown, stock_lost = before.values()

    def lane_of(protocol: Any) -> Lane | None:
        lane: Lane | None = protocol.__dict__.get("_lane")
        # Somebody may have put another connection in its place.
        return lane if lane is not None and protocol._tlsConnection is lane.connection else None

    def open_lane(protocol: Any) -> None:
        connection = protocol._tlsConnection
        kind = type(protocol)
        protocol._lane = None  # and so it stays, unless all is as Twisted ships it
        if (
            not IConnection.providedBy(connection)
            or any(getattr(kind, name) is not getattr(stock, name) for name in TAKEN)
            or any(name in protocol.__dict__ for name in TAKEN)
        ):
            return
        protocol._lane = lane = Lane(protocol, connection)
        _lanes.add(lane)
        if isinstance(protocol, buffering) and type(protocol._aggregator) is tls._AggregateSmallWrites:
            protocol._aggregator.flush()
            if protocol.__dict__.get("write") == protocol._aggregator.write:
                protocol._aggregator = _Collector(lane)
                protocol.write = lane.write

    def dataReceived(self: Any, bytes: bytes) -> None:  # noqa: A002  (their name)
        lane = lane_of(self)
        if lane is not None:
            lane.received(bytes)
            return
        stock_received(self, bytes)
        if self._handshakeDone and "_lane" not in self.__dict__ and not self._lostTLSConnection:
            open_lane(self)

    def _write(self: Any, bytes: bytes) -> None:  # noqa: A002
        lane = lane_of(self)
        if lane is None:
            stock_write(self, bytes)
        elif bytes and not self._lostTLSConnection:
            lane.send(bytes)

    def _flushSendBIO(self: Any) -> None:
        lane = lane_of(self)
        if lane is None:
            stock_flush(self)
        else:
            lane.take()

    def _shutdownTLS(self: Any) -> None:
        lane = lane_of(self)
        if lane is not None:
            lane.release()
        stock_shutdown(self)

    def connectionLost(self: Any, reason: Any) -> None:
        lane = self.__dict__.get("_lane")
        if lane is not None:
            lane.close()
        stock_lost(self, reason)
        self._lane = None

    taken = (dataReceived, _write, _flushSendBIO, _shutdownTLS, connectionLost)
    for name, function in zip(before, taken, strict=True):
        setattr(stock, name, function)

    def undo() -> None:
        """Let Twisted's TLS layer be as it was."""
        global _undo
        with _lock:
            if _undo is not undo:
                return
            _undo = None
            for name, function in before.items():
                setattr(stock, name, function)
            for lane in list(_lanes):
                lane.close()

    return undo
