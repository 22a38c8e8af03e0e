"""TLS over any transport: ``startTLS``, proxies, TLS inside TLS.

The layered edge of a connection (see ``_stream.py``): a protocol to the transport
below, and a transport to the protocol above.  Bytes go through memory: the engine
is fed with what is received, and what it wants to send is written below.

Flow control goes both ways.  To the transport below we are a push producer: while
it is full, ciphertext and what was written stay in the engine, and the producer
above is paused.  When the protocol above pauses us, we pause the transport below.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    INegotiated,
    IPushProducer,
    ISystemHandle,
    ITLSTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer, providedBy

from openssl_iface.errors import SysCallError, TruncatedError
from openssl_iface.interfaces import IConnection
from openssl_iface.values import Ending

from ._batch import batch_of
from ._last_words import hear_last_words
from ._stream import DONE, TLSStream, unacknowledged
from ._writing import EVENT, OPEN, PROCEED, READ, WRITE, logged
from .contexts import check_factory, connection_for
from .errors import AbortedConnectionLost, TimedOutConnectionLost, reason_for
from .interfaces import IOpenSSLTransport

__all__ = ["TLSProtocol", "TLSWrapperFactory", "startTLS"]


@implementer(IPushProducer)
class _Feeder:
    """What we are to the transport below."""

    def __init__(self, stream: TLSProtocol) -> None:
        self._stream = stream

    def pauseProducing(self) -> None:
        self._stream._lowerFull = True

    def resumeProducing(self) -> None:
        self._stream._lowerFull = False
        self._stream._resumeBelow()

    def stopProducing(self) -> None:
        """The transport below is lost; its ``connectionLost`` says so as well."""


@implementer(IOpenSSLTransport, ITLSTransport, ISystemHandle)
class TLSProtocol(TLSStream, ProtocolWrapper):
    """TLS between the transport below and ``wrappedProtocol``.

    :param factory: the :class:`TLSWrapperFactory`.
    :param wrappedProtocol: the protocol above.
    :param connectWrapped: whether that is told of its connection; after ``startTLS`` it has been already.
    """

    wrappedProtocol: Any
    factory: Any
    transport: Any
    connected = 0
    _lowerFull: Any = False
    _lowerPaused = False
    _registered = False
    _lost = False
    _written = False
    _ending: Failure | None = None

    def __init__(self, factory: Any, wrappedProtocol: Any, connectWrapped: bool = True) -> None:
        ProtocolWrapper.__init__(self, factory, wrappedProtocol)
        self._connectWrapped = connectWrapped
        self.handshakeTimeout = factory.handshakeTimeout
        self.closeTimeout = factory.closeTimeout

    def _announce(self) -> None:
        for transport in _taken_over(self):
            if not isinstance(transport, TLSStream):
                transport.negotiatedProtocol = self.negotiatedProtocol
        TLSStream._announce(self)

    # -- the protocol below ------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        """The transport below is there: begin."""
        self.reactor = self.factory.clock or getattr(transport, "reactor", None) or _the_reactor()
        engine = connection_for(self.factory.contextFactory, self.factory.isClient, self, None)
        alsoProvides(self, providedBy(transport))
        hear_last_words(getattr(transport, "_transport", transport))
        self._feed = engine.event_feed
        self._begin(engine, batch_of(self.reactor))
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)
        if IConsumer.providedBy(transport):
            self._registered = True
            transport.registerProducer(_Feeder(self), True)
        self._collecting = (
            EVENT  # so that the hello is the first to leave, and what is written now follows it
        )
        if self._connectWrapped:
            self.wrappedProtocol.makeConnection(self)
        self._hello()

    def dataReceived(self, data: bytes) -> None:
        """Ciphertext has come."""
        if self._over:
            return
        self._collecting = EVENT
        try:
            data = self._feed(data)
        except Exception as error:
            self._engineFailed(error)
            return
        if data and self._flowing:
            self.wrappedProtocol.dataReceived(data)
            if self._out:
                self._flushOut()
            if self._flowing and self._engine.wants == READ:
                self._collecting = OPEN
                return
            data = b""
        self._advance(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport below is gone."""
        if self._lost:
            return
        self._lost = True
        if not self._over:
            # Not kept here: the traceback of what the engine raises leads to this frame, a cycle.
            self._tellLost(self._whyLost(reason))
        elif self._ending is None:
            self._tellLost(reason)
        else:
            self._tellLost(self._ending if self._ending is not DONE else self._whyEnded(reason))

    def _tellLost(self, reason: Failure) -> None:
        self._seal()
        self._ending = None  # its traceback leads to us
        self.connected = 0
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.factory.unregisterProtocol(self)
        protocol, self.wrappedProtocol = self.wrappedProtocol, None
        try:
            protocol.connectionLost(self._reason(reason))
        finally:
            if isinstance(self.transport, _Beneath):
                self.transport = None  # it has our methods: a cycle

    def _whyLost(self, reason: Failure) -> Failure:
        """What the end of the transport below means for us.  What came before it is delivered first."""
        engine = self._engine
        self._collecting = EVENT
        if not reason.check(ConnectionDone, ConnectionLost):
            return reason
        try:
            data = self._feed(b"")
        except Exception as error:
            return self._verdictOn(reason, error)
        try:
            while not self._over:
                if not self._announced and engine.handshake_done:
                    self._announce()
                self._deliver(data)
                if self._paused or self._over or not engine.wants & PROCEED:
                    break
                try:
                    data = engine.event_proceed()
                except Exception as error:
                    return self._verdictOn(reason, error)
        except BaseException:
            # What the protocol above has raised, treated as a reactor does.
            return logged()
        if self._ending is not None:
            return self._ending
        if engine.ended is Ending.CLEAN:
            return self._whyEnded(reason)
        return self._verdictOn(reason, TruncatedError(-1, "Unexpected EOF"))

    def _whyEnded(self, reason: Failure) -> Failure:
        """The same where both or the peer alone have said goodbye: did all leave that was before ours?"""
        if self._engine.queued or ((self._lossy or not self._closing) and self._waitsBelow()):
            return self._verdictOn(reason, TruncatedError(-1, "Unexpected EOF"))
        return DONE

    def _verdictOn(self, reason: Failure, error: BaseException) -> Failure:
        """The better of two reasons: the one from below, or the engine's."""
        if not isinstance(error, SysCallError) or reason.check(ConnectionDone):
            return Failure(reason_for(error))
        if reason.type is ConnectionLost:
            lost = AbortedConnectionLost(-1, "the transport below was lost")
            lost.__cause__ = reason.value
            return Failure(lost)
        return reason

    # -- what the state machine asks for -------------------------------------------

    _user = property(attrgetter("wrappedProtocol"))

    def _watchReading(self, reading: bool) -> None:
        if reading is self._lowerPaused and not self._lost:
            self._lowerPaused = not reading
            change = getattr(self.transport, "resumeProducing" if reading else "pauseProducing", None)
            if change is not None:
                change()

    def _drain(self) -> None:
        if self._lowerFull or self._lost:
            return
        output = self._engine.event_output
        write = self.transport.write
        while not self._lowerFull:
            data = output()
            if not data:
                break
            write(data)
        if self.producer is not None:  # also when what filled the transport below was the last
            self._produceSoon()

    def _resumeBelow(self) -> None:
        """The transport below has room again."""
        if not self._over and self._collecting != EVENT and self._engine.wants & WRITE:
            self._drain()
            self._guarded(self._advance, b"")

    def _handleBelow(self) -> Any:
        return self.transport.getHandle() if hasattr(self.transport, "getHandle") else None

    def _kernelQueue(self) -> int:
        # A socket below may be slow, and a TLS below may have much to send still.
        handle = self._handleBelow()
        if isinstance(handle, socket.socket):
            return unacknowledged(handle.fileno())
        if IConnection.providedBy(handle):
            return int(handle.queued)
        return 0

    def _send(self, data: bytes) -> None:
        self._written = True
        if self._lowerFull or self._lost:
            TLSStream._send(self, data)
            return
        try:
            ciphertext = self._engine.event_encrypt(data)
        except Exception as error:
            self._writeFailed(error)
            return
        if ciphertext:
            self.transport.write(ciphertext)
            if self.producer is not None:  # as in _drain
                self._produceSoon()
        self._sent()

    def _waitsBelow(self) -> bool:
        # Twisted's own transports keep it to themselves.  What TLS has to say by itself does not count.
        below = self.transport
        waits = getattr(below, "dataBuffer", b"") or getattr(below, "_tempDataBuffer", ())
        return self._written and bool(waits)

    def _finishEdge(self, reason: Failure) -> None:
        self._ending = reason
        try:
            self._drain()
        except Exception as error:
            self._ending = Failure(error)
        if self._lost:
            return
        self._forgetBelow()
        if isinstance(reason.value, TimedOutConnectionLost):
            self._abortBelow()
            return
        self.transport.loseConnection()
        if self._lost or self.closeTimeout is None:
            return
        if isinstance(self._handleBelow(), socket.socket):
            self._moved = -1, self.reactor.seconds()
            self._lookBelow()

    def _lookBelow(self) -> None:
        """What is below closes when it has sent all: give it up when the peer takes nothing any more."""
        self._timer = None
        if self._lost or self.closeTimeout is None:
            return
        # Its own buffer may fill the kernel's again: then that stays as it is while bytes leave.
        ahead = self._kernelQueue() + len(getattr(self.transport, "dataBuffer", b""))
        if self._stillMoves(ahead, ahead != self._moved[0], self._lookBelow):
            return
        message = f"The peer did not take what was sent within {self.closeTimeout:g} seconds"
        self._ending = Failure(TimedOutConnectionLost(errno.ETIMEDOUT, message))
        self._abortBelow()

    def _forgetBelow(self) -> None:
        if self._registered:
            self._registered = False
            self.transport.unregisterProducer()

    def _abortBelow(self) -> None:
        # ITransport has no abortConnection: that is ITCPTransport's.
        abort = getattr(self.transport, "abortConnection", None) or self.transport.loseConnection
        abort()

    # -- what the protocol above may ask for -------------------------------------------

    def abortConnection(self) -> None:
        """Drop the connection at once, and everything that has not left."""
        if self._over:
            # What is below may be closing, and wait to send what the peer does not take.
            if self._ending is not None and not self._lost and not self._ending.check(ConnectionAborted):
                if self._ending is DONE:
                    self._ending = Failure(ConnectionAborted())
                self._abortBelow()
            return
        self._seal()
        self._ending = Failure(ConnectionAborted())
        if not self._lost:
            self._forgetBelow()
            self._abortBelow()

    def resumeProducing(self) -> None:
        """Go on delivering, also when the transport below was paused before TLS began on it."""
        TLSStream.resumeProducing(self)
        if not (self._over or self._paused or self._lowerPaused):
            resume = getattr(self.transport, "resumeProducing", None)
            if resume is not None:
                resume()

    def startTLS(self, ctx: Any, normal: bool = True, received: bytes = b"") -> None:
        """Start another TLS inside this one; see :func:`startTLS`."""
        startTLS(self, ctx, normal, received)

    def getHandle(self) -> Any:
        """The engine (an ``IConnection``)."""
        return self._engine

    def logPrefix(self) -> str:
        """What the log says before each line about this connection."""
        return ProtocolWrapper.logPrefix(self)

    @property
    def _tlsClientDefault(self) -> bool:
        return bool(self.factory.isClient)


class TLSWrapperFactory(WrappingFactory):  # not generic in older Twisted
    """Makes protocols that speak TLS over their transport, and *wrappedFactory*'s protocol inside it.

    :param contextFactory: as for ``listenSSL`` and ``connectSSL``.
    :param isClient: whether the connections are the client's.
    :param wrappedFactory: makes the protocols above.
    :param clock: what delayed calls are made with; the transport's reactor if left out.
    """

    protocol = TLSProtocol
    handshakeTimeout: float | None = TLSStream.handshakeTimeout
    closeTimeout: float | None = TLSStream.closeTimeout
    noisy = False

    def __init__(self, contextFactory: Any, isClient: bool, wrappedFactory: Any, clock: Any = None) -> None:
        check_factory(contextFactory, client=isClient)
        super().__init__(wrappedFactory)
        self.contextFactory = contextFactory
        self.isClient = isClient
        self.clock = clock

    def buildProtocol(self, addr: Any) -> Any:
        """A :class:`TLSProtocol`, or ``None`` if the wrapped factory wants no connection."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


class _Beneath:
    """A transport as it was before ``startTLS`` took its methods over."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.__dict__.update((name, getattr(transport, name)) for name in _TAKEN if hasattr(transport, name))
        alsoProvides(self, providedBy(transport))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


# What TLS takes over from the transport that it is started on.
_TAKEN = (
    "write", "writeSequence", "loseConnection", "loseWriteConnection", "abortConnection",
    "registerProducer", "unregisterProducer", "stopConsuming",
    "pauseProducing", "resumeProducing", "stopProducing",
    "startTLS", "resumeHandshake", "failVerification", "getHandle", "getPeerCertificate",
)  # fmt: skip


def _taken_over(transport: Any) -> Iterator[Any]:
    """*transport*, and those that it has itself taken over: who holds one of them means the innermost TLS."""
    yield transport
    while isinstance(transport, TLSProtocol) and isinstance(transport.transport, _Beneath):
        transport = transport.transport._transport
        yield transport


def _slot(transport: Any) -> str:
    """Where *transport* has what it delivers to."""
    return "wrappedProtocol" if isinstance(transport, TLSProtocol) else "protocol"


def _innermost(transport: Any) -> Any:
    """Who holds a transport that TLS has taken over means that TLS."""
    while True:
        above = getattr(transport, _slot(transport), None)
        beneath = above.transport if isinstance(above, TLSProtocol) else None
        if not isinstance(beneath, _Beneath) or beneath._transport is not transport:
            return transport
        transport = above


def _connected(transport: Any) -> bool | None:
    """Whether this side of *transport* is the one that connected, if that can be known."""
    # Twisted's own transports say it only where pyOpenSSL is installed.
    default = getattr(transport, "_tlsClientDefault", None)
    if default is not None:
        return bool(default)
    if isinstance(transport, tcp.BaseClient):
        return True
    return False if isinstance(transport, tcp.Server) else None


def startTLS(
    transport: Any,
    contextFactory: Any,
    normal: bool = True,
    received: bytes = b"",
    client: bool | None = None,
    *,
    handshakeTimeout: float | None = TLSStream.handshakeTimeout,
    closeTimeout: float | None = TLSStream.closeTimeout,
) -> TLSProtocol:
    """Speak TLS from now on, over a connection that exists: a plain one of Twisted's, or one of ours.

    *transport* stays what its protocol writes to.  What was written before leaves as it was, before TLS.

    :param contextFactory: as for ``listenSSL`` and ``connectSSL``.
    :param normal: who connected is the TLS client; false: the other way round.
    :param received: bytes of the TLS stream that the protocol has received already, after those that
        made it start TLS.
    :param client: whether this side is the TLS client, if the transport does not know who connected.
    :param handshakeTimeout: see ``ITLSSettings``.
    :param closeTimeout: see ``ITLSSettings``.
    :return: the :class:`TLSProtocol` between the transport and its protocol.
    """
    transport = _innermost(transport)
    if client is None:
        connected = _connected(transport)
        if connected is None:
            raise TypeError("transport: it does not know who connected; say client=True or client=False")
        client = connected is bool(normal)
    slot = _slot(transport)
    user = getattr(transport, slot, None)
    if user is None:
        raise TypeError("transport: it has no protocol; use TLSWrapperFactory over it")
    tell_half_close(user)
    factory = TLSWrapperFactory(contextFactory, client, Factory())
    factory.handshakeTimeout, factory.closeTimeout = handshakeTimeout, closeTimeout
    tls = TLSProtocol(factory, user, connectWrapped=False)
    producer, streaming = getattr(transport, "producer", None), getattr(transport, "streamingProducer", True)
    if producer is not None:
        transport.unregisterProducer()
    beneath = _Beneath(transport)
    setattr(transport, slot, tls)
    for each in _taken_over(transport):
        for name in _TAKEN:
            setattr(each, name, getattr(tls, name))
    # Without pyOpenSSL, Twisted's own transports do not say that they have a startTLS: now they have.
    if not ITLSTransport.providedBy(transport):
        alsoProvides(transport, ITLSTransport)
    if not INegotiated.providedBy(transport):
        alsoProvides(transport, INegotiated)
        transport.negotiatedProtocol = None
    tls.makeConnection(beneath)
    if producer is not None:
        tls.registerProducer(producer, streaming)
    if received:
        tls.dataReceived(received)
    return tls


def tell_half_close(protocol: Any) -> None:
    """Twisted's endpoints wrap a protocol; their wrapper provides but one of its interfaces: add this one."""
    if IHalfCloseableProtocol.providedBy(getattr(protocol, "_wrappedProtocol", None)):
        alsoProvides(protocol, IHalfCloseableProtocol)


def _the_reactor() -> Any:
    from twisted.internet import reactor

    return reactor
