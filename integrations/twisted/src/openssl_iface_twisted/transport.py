"""TLS over a socket, driven by the reactor: ``listenSSL`` and ``connectSSL``.

The engine reads and writes the socket itself: one call into it per event does all
the work (*recv*, decrypt, reply, send).  Twisted's own classes do the rest: they
listen, accept (and survive when descriptors run out), resolve, bind and connect.

TCP_NODELAY is on.  Writes are collected here already, so Nagle's algorithm would
join nothing more; it would only hold back the last part of an answer until the peer
acknowledges the first, which on many systems it does after 40 ms.
"""

from __future__ import annotations

import errno
import os
import socket
from operator import attrgetter
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ILoggingContext, ISystemHandle, ITLSTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ._batch import batch_of
from ._deadlines import Deadlines
from ._hub import Hub, hub_of
from ._stream import DONE, TLSStream, unacknowledged
from ._writing import EVENT, OPEN, PROCEED, READ, WRITE
from .contexts import check_factory, connection_for
from .errors import AbortedConnectionLost
from .interfaces import IOpenSSLTransport
from .protocol import startTLS

__all__ = ["TLSClient", "TLSConnection", "TLSConnector", "TLSPort", "TLSServer", "connectSSL", "listenSSL"]


# Bytes: an event that gives so many may have found as much ciphertext as is read at once.
# Then more is read, so many times in all, before other connections have their turn.
FULL = 49152
TURNS = 4
_new = object.__new__


@implementer(IOpenSSLTransport, ITLSTransport, ISystemHandle, ILoggingContext)
class TLSConnection(TLSStream, tcp.Connection):
    """The socket edge of a connection; see ``_stream.py``."""

    #: whether TCP_NODELAY is set when the connection is made
    noDelay = True

    TLS = True
    protocol: Any
    _reading = False
    _writing = False
    _hub: Hub | None = None
    _hubbed = -1  # our descriptor while the hub watches it

    # -- events from the reactor ----------------------------------------------

    def doRead(self) -> None:
        """The socket is readable."""
        self._collecting = EVENT
        turns = TURNS
        while True:
            try:
                data = self._engineRead()
            except Exception as error:
                self._engineFailed(error)
                return
            if not self._flowing:
                break
            # The hot path.  What the user raises here ends the connection, by the reactor.
            if data:
                self.protocol.dataReceived(data)
            out = self._out
            if out:
                if len(out) == 1 and self.producer is None:
                    # _flushOut, for an answer in one piece
                    self._outSize = 0
                    try:
                        self._engineWrite(out.pop())
                    except Exception as error:
                        self._writeFailed(error)
                else:
                    self._flushOut()
            full = len(data) >= FULL
            data = b""
            if not self._flowing or self._engine.wants != READ:
                break
            if self._losingWrite or (
                self.producer is not None and (self.producerPaused or not self.streamingProducer)
            ):
                break  # what waited for the peer, such as new keys, may have left
            turns -= 1
            if not full or not turns:
                self._collecting = OPEN
                return
        engine = self._engine
        if (
            not engine.handshake_done
            and engine.wants == READ
            and not (self._out or self._closing or self.disconnecting or self._losingWrite or self._paused)
            and self.producer is None
        ):
            self._collecting = OPEN  # nothing is due but the peer's next flight
        else:
            self._advance(data)

    def doWrite(self) -> None:
        """The socket is writable."""
        engine = self._engine
        self._collecting = EVENT
        engine.event_flush()
        wants = engine.wants
        if not wants & WRITE:
            self.stopWriting()
        elif self.producer is None and self._flowing and not wants & PROCEED and not self._out:
            self._collecting = OPEN
            return
        self._advance(b"")

    def readConnectionLost(self, reason: Failure) -> None:
        """The reactor has seen a hang-up and nothing to read: let the engine see it, and say what it was."""
        self._guardedHere(self.doRead)
        if not self._over:
            self.connectionLost(reason)

    # -- what the state machine asks for -----------------------------------------

    _user = property(attrgetter("protocol"))

    # Who only reads is with the hub (``_hub.py``), who writes as well with the reactor.

    def startReading(self) -> None:
        """Watch for arriving bytes."""
        self._reading = True
        hub = self._hub
        if hub is None or self._writing:
            self.reactor.addReader(self)
        elif self._hubbed < 0:
            hub.add(self)
            self._hubbed = self.fileno()

    def stopReading(self) -> None:
        """Watch for them no more."""
        self._reading = False
        if self._hubbed >= 0:
            self._outOfHub()
        else:
            self.reactor.removeReader(self)

    def startWriting(self) -> None:
        """Watch for writability."""
        self._writing = True
        if self._hubbed >= 0:
            self._outOfHub()
            self.reactor.addReader(self)
        self.reactor.addWriter(self)

    def stopWriting(self) -> None:
        """Watch for it no more."""
        if not self._writing:
            return
        self._writing = False
        self.reactor.removeWriter(self)
        if self._reading and self._hub is not None and self._hubbed < 0:
            self.reactor.removeReader(self)
            self.startReading()

    def _outOfHub(self) -> None:
        hub, descriptor, self._hubbed = self._hub, self._hubbed, -1
        if hub is not None:
            hub.remove(self, descriptor)

    def _leaveHub(self) -> None:
        """Be watched by the reactor from now on."""
        self._outOfHub()
        self._hub = None
        if self._reading:
            self.reactor.addReader(self)

    def _watchReading(self, reading: bool) -> None:
        if reading is not self._reading:
            if reading:
                self.startReading()
            else:
                self.stopReading()

    def _drain(self) -> None:
        if not self._writing and not self._over:
            self.startWriting()

    def _kernelQueue(self) -> int:
        return unacknowledged(self.fileno())

    def _finishEdge(self, reason: Failure) -> None:
        if self._writing and not reason.check(ConnectionAborted):
            # An alert, if the kernel takes it: the last thing that the peer may hear of us.
            try:
                self._engine.event_flush()
            except Exception:  # noqa: S110 - there is no one left to tell
                pass
        self.connectionLost(reason)

    # -- ending --------------------------------------------------------------------

    def abortConnection(self) -> None:
        """Drop the connection at once (with RST), and everything that has not left."""
        if self.disconnected or self._aborting:
            return
        self._seal()
        super(TLSStream, self).abortConnection()

    def connectionLost(self, reason: Failure) -> None:
        """The end, of our making or the reactor's: tell the protocol, close the socket."""
        if not self._over:
            self._seal()
        # The number of the descriptor may belong to another connection soon.
        self._engine.event_detach()
        # What Twisted's own would do, by way of three classes and the names of exceptions.
        self.disconnected = 1
        self.connected = 0
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        hub, descriptor, self._hubbed = self._hub, self._hubbed, -1
        if hub is not None and descriptor >= 0:
            self._reading = False
            hub.remove(self, descriptor)
        else:
            self.stopReading()
        if self._writing:
            self.stopWriting()
        self._closeSocket(reason is DONE or not reason.check(ConnectionAborted))
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        protocol.connectionLost(reason)

    def _why(self, reason: Failure) -> Failure:
        """The reason, more exactly than the reactor knows it."""
        if self._over:
            return self._reason(reason)
        if reason.type in (ConnectionLost, ConnectionDone):
            # A hang-up that was seen while nothing was read.
            number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number or reason.type is ConnectionDone:
                number = number or errno.ECONNRESET
                return Failure(AbortedConnectionLost(number, os.strerror(number)))
        return reason

    # -- TLS inside TLS ---------------------------------------------------------------

    def startTLS(self, ctx: Any, normal: bool = True, received: bytes = b"") -> None:
        """Start another TLS inside this connection; see :func:`startTLS`."""
        startTLS(self, ctx, normal, received)

    def getHandle(self) -> Any:
        """The engine (an ``IConnection``)."""
        return self._engine

    def logPrefix(self) -> str:
        """What the log says before each line about this connection."""
        return self.logstr


class TLSServer(tcp.Server, TLSConnection):
    """An accepted connection."""

    def __init__(
        self, sock: Any, protocol: Any, client: Any, server: Any, sessionno: int, reactor: Any
    ) -> None:
        engine = connection_for(server.contextFactory, False, self, sock)
        # Only what is unusual is kept with the connection: there may be many.
        if server.handshakeTimeout != self.handshakeTimeout:
            self.handshakeTimeout = server.handshakeTimeout
        if server.closeTimeout != self.closeTimeout:
            self.closeTimeout = server.closeTimeout
        # What Twisted's own three constructors do.
        self.reactor = reactor
        self._tempDataBuffer: list[bytes] = []
        self._tempDataLen = 0
        sock.setblocking(False)
        self.socket = sock
        self.fileno = sock.fileno
        self.protocol = protocol
        if len(client) != 2:
            self._addressType = IPv6Address
        self.server = server
        self.client = client
        self.sessionno = sessionno
        self.hostname = client[0]
        if getattr(getattr(protocol, "logPrefix", None), "__func__", None) is Protocol.logPrefix:
            prefix = protocol.__class__.__name__
        else:
            prefix = self._getLogPrefix(protocol)
        self.logstr = f"{prefix},{sessionno},{client[0]}"
        self.repstr = f"<{protocol.__class__.__name__} #{sessionno} on {server._realPortNumber}>"
        hub = self._hub = server._hub or hub_of(reactor)
        if hub is None:
            self.startReading()
        else:
            hub.add(self)
            self._reading, self._hubbed = True, sock.fileno()
        self.connected = 1
        self._engineRead = engine.event_read
        if server._deadlines.seconds != self.handshakeTimeout:
            server._deadlines = Deadlines(self.handshakeTimeout)
        self._begin(engine, server._batch, server._deadlines)

    def connectionLost(self, reason: Failure) -> None:
        if hasattr(self, "socket"):
            if reason is not DONE or not self._over:
                reason = self._why(reason)
            TLSConnection.connectionLost(self, reason)


class TLSClient(tcp.Client, TLSConnection):
    """A connection that we make."""

    _base = TLSConnection
    _commonConnection = TLSConnection

    def __init__(self, host: str, port: int, bindAddress: Any, connector: Any, reactor: Any) -> None:
        self.handshakeTimeout = connector.handshakeTimeout
        self.closeTimeout = connector.closeTimeout
        tcp.Client.__init__(self, host, port, bindAddress, connector, reactor)

    def _connectDone(self) -> None:
        try:
            engine = connection_for(self.connector.contextFactory, True, self, self.socket)
        except Exception as error:
            self.failIfNotConnected(error)
            return
        if self.noDelay:
            self.setTcpNoDelay(True)
        protocol = self.connector.buildProtocol(self.getPeer())
        self.connected = 1
        self.protocol = Protocol() if protocol is None else protocol
        self.logstr = f"{self._getLogPrefix(protocol)},client"
        hub = self._hub = hub_of(self.reactor)
        if hub is not None:
            hub.ensure()
        self._engineRead = engine.event_read
        self._begin(engine, batch_of(self.reactor))
        if protocol is None:
            self.loseConnection()
            return
        self.startReading()
        self._collecting = (
            EVENT  # so that the hello is the first to leave, and what is written now follows it
        )
        protocol.makeConnection(self)
        self._hello()

    def connectionLost(self, reason: Failure) -> None:
        if not self.connected:
            tcp.Client.connectionLost(self, reason)
        elif hasattr(self, "socket"):
            tcp.Client.connectionLost(self, self._why(reason))


class _Listening(socket.socket):
    """Knows what kind of sockets it accepts; the standard library's asks anew for each, by way of enums."""

    __slots__ = ("_kind",)

    def __init__(self, family: int, kind: int, protocol: int, descriptor: int) -> None:
        super().__init__(family, kind, protocol, descriptor)
        self._kind = family, kind, protocol

    def accept(self) -> tuple[socket.socket, Any]:
        descriptor, address = self._accept()  # type: ignore[attr-defined]
        family, kind, protocol = self._kind
        return socket.socket(family, kind, protocol, descriptor), address


class TLSPort(tcp.Port):
    """A port that is listened on; what ``listenSSL`` gives.

    ``handshakeTimeout`` and ``closeTimeout`` are for the connections to come; see ``ITLSSettings``.
    """

    transport = TLSServer
    _type = "TLS"
    _hub: Hub | None = None

    def __init__(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
        reactor: Any = None,
        handshakeTimeout: float | None = TLSConnection.handshakeTimeout,
        closeTimeout: float | None = TLSConnection.closeTimeout,
    ) -> None:
        check_factory(contextFactory, client=False)
        tcp.Port.__init__(self, port, factory, backlog, interface, reactor)
        self.contextFactory = contextFactory
        self.handshakeTimeout = handshakeTimeout
        self.closeTimeout = closeTimeout
        self._batch = batch_of(self.reactor)
        self._deadlines = Deadlines(handshakeTimeout)

    def createInternetSocket(self) -> Any:
        """A socket to listen on; accepted ones inherit TCP_NODELAY from it."""
        with tcp.Port.createInternetSocket(self) as made:
            sock = _Listening(made.family, made.type, made.proto, made.detach())
        sock.setblocking(False)
        if TLSConnection.noDelay:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def doRead(self) -> None:
        """Accept."""
        hub = self._hub = hub_of(self.reactor)
        if hub is not None:
            hub.ensure()
        self._deadlines.ensure()
        tcp.Port.doRead(self)

    def _buildAddr(self, address: Any) -> Any:
        kind = self._addressType
        if kind is not IPv4Address:
            return kind("TCP", *address)
        # Without the validator, which looks whether "TCP" is a type.
        made = _new(IPv4Address)
        made.type = "TCP"
        made.host, made.port = address
        return made

    def _getLogPrefix(self, factory: Any) -> str:
        return f"{tcp.Port._getLogPrefix(self, factory)} (TLS)"


class TLSConnector(tcp.Connector):
    """What ``connectSSL`` gives; it may ``connect`` again."""

    def __init__(
        self,
        host: str,
        port: int | str,
        factory: Any,
        contextFactory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
        reactor: Any = None,
        handshakeTimeout: float | None = TLSConnection.handshakeTimeout,
        closeTimeout: float | None = TLSConnection.closeTimeout,
    ) -> None:
        check_factory(contextFactory, client=True)
        tcp.Connector.__init__(self, host, port, factory, timeout, bindAddress, reactor)
        self.contextFactory = contextFactory
        self.handshakeTimeout = handshakeTimeout
        self.closeTimeout = closeTimeout

    def _makeTransport(self) -> Any:
        return TLSClient(self.host, self.port, self.bindAddress, self, self.reactor)

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone; the factory may have us make another."""
        lost = self.transport
        tcp.Connector.connectionLost(self, reason)
        if getattr(self, "transport", None) is lost:
            # The two know each other: libssl's memory would wait for the collector of cycles.
            self.transport = None


def listenSSL(
    reactor: Any,
    port: int,
    factory: Any,
    contextFactory: Any,
    backlog: int = 50,
    interface: str = "",
    *,
    handshakeTimeout: float | None = TLSConnection.handshakeTimeout,
    closeTimeout: float | None = TLSConnection.closeTimeout,
) -> TLSPort:
    """Listen for TLS connections; ``reactor.listenSSL``, on this library.

    :param port: the number, 0 for any that is free.
    :param contextFactory: an object with ``getContext()`` (:class:`DefaultOpenSSLContextFactory`, your
        own), or one with ``serverConnectionForTLS(transport)`` (:class:`ServerContextFactory`).
    :param interface: the address to listen on: an IPv4 or IPv6 address, ``""`` for all of IPv4.
    :param handshakeTimeout: see ``ITLSSettings``.
    :param closeTimeout: see ``ITLSSettings``.
    :raises CannotListenError: the port is taken, or may not be had.
    :raises TypeError: *contextFactory* is none.
    """
    listening = TLSPort(
        port, factory, contextFactory, backlog, interface, reactor, handshakeTimeout, closeTimeout
    )
    listening.startListening()
    return listening


def connectSSL(
    reactor: Any,
    host: str,
    port: int,
    factory: Any,
    contextFactory: Any,
    timeout: float = 30,
    bindAddress: Any = None,
    *,
    handshakeTimeout: float | None = TLSConnection.handshakeTimeout,
    closeTimeout: float | None = TLSConnection.closeTimeout,
) -> TLSConnector:
    """Make a TLS connection; ``reactor.connectSSL``, on this library.

    :param host: a name or an IPv4 or IPv6 address.  It is *not* what the certificate is verified for: that is
        said to the *contextFactory*, :class:`VerifyingClientContextFactory`.
    :param contextFactory: an object with ``getContext()``, or one with ``clientConnectionForTLS(transport)``.
    :param timeout: seconds until the TCP connection has to be there.
    :param bindAddress: our own address, or ``(address, port)``.
    :raises TypeError: *contextFactory* is none.
    """
    if isinstance(bindAddress, str):
        bindAddress = (bindAddress, 0)
    connector = TLSConnector(
        host, port, factory, contextFactory, timeout, bindAddress, reactor, handshakeTimeout, closeTimeout
    )
    connector.connect()
    return connector
