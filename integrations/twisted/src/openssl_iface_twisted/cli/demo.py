"""``demo``: a server and a client in this process, over a real socket, and what can be said of them."""

from __future__ import annotations

import hashlib
import os
import resource
import time
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from ..contexts import ServerContextFactory, VerifyingClientContextFactory
from ..transport import connectSSL, listenSSL
from .messages import Refusal, console, size_text
from .options import bound
from .table import connection_rows, openssl_rows, show
from .throwaway import make_throwaway

if TYPE_CHECKING:
    from .progress import Bars

    _ClientFactory = ClientFactory[Any]
else:  # which has no [] before Twisted 25
    _ClientFactory = ClientFactory

__all__ = ["demo"]

NAME = "localhost"
CHUNK = 65536
# Seconds without a byte after which something must be wrong.
STALLED = 30


@implementer(IPushProducer)
class Sender:
    """Writes *size* bytes to *transport* while it takes them, and digests them.

    Each chunk begins with its number, so that one that is lost, doubled or out of order changes the digest.
    """

    def __init__(self, transport: Any, size: int) -> None:
        self.digest = hashlib.sha256()
        self._transport = transport
        self._left = size
        self._number = 0
        self._filling = os.urandom(CHUNK - 8)
        self._flowing = False

    def start(self) -> None:
        """Begin."""
        self._transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        """There is room."""
        self._flowing = True
        while self._flowing and self._left:
            chunk = self._number.to_bytes(8, "big") + self._filling
            if self._left < CHUNK:
                chunk = chunk[: self._left]
            self._number += 1
            self._left -= len(chunk)
            self.digest.update(chunk)
            self._transport.write(chunk)
            if not self._left:
                self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """Enough waits to leave."""
        self._flowing = False

    def stopProducing(self) -> None:
        """The connection is lost."""
        self._flowing = False
        self._left = 0


@implementer(IHandshakeListener)
class End(Protocol):
    """One end of the connection.  ``ready`` and ``lost`` are Deferreds."""

    transport: Any
    reason: Failure

    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred()
        self.lost: Deferred[None] = Deferred()
        self.received = 0
        self.seconds = 0.0
        self._expected = 0
        self._digest = hashlib.sha256()
        self._complete: Deferred[bytes] | None = None

    def connectionMade(self) -> None:
        self._began = time.perf_counter()

    def handshakeCompleted(self) -> None:
        self.seconds = time.perf_counter() - self._began
        self.ready.callback(None)

    def expect(self, size: int) -> Deferred[bytes]:
        """A Deferred with the digest of the next *size* bytes."""
        self.received, self._expected = 0, size
        self._digest = hashlib.sha256()
        self._complete = Deferred()
        return self._complete

    def dataReceived(self, data: bytes) -> None:
        self._digest.update(data)
        self.received += len(data)
        if self.received == self._expected and self._complete is not None:
            complete, self._complete = self._complete, None
            complete.callback(self._digest.digest())
        elif self.received > self._expected:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        for waiting in (self.ready, self._complete):
            if waiting is not None and not waiting.called:
                waiting.errback(reason)
        self.reason = reason
        self.lost.callback(None)


class Client(_ClientFactory):
    """Makes *end* the client's protocol; its ``ready`` fails when there is no connection."""

    noisy = False

    def __init__(self, end: End) -> None:
        self._end = end

    def buildProtocol(self, _address: Any) -> End:
        return self._end

    def clientConnectionFailed(self, _connector: Any, reason: Failure) -> None:
        self._end.ready.errback(reason)


async def demo(reactor: Any, *, size: int, tls: str | None) -> int:
    """Run it, and print the table.

    :raises Refusal: something did not hold.
    """
    made = make_throwaway([NAME, "127.0.0.1", "::1"], days=1)
    for_server = ServerContextFactory([made.certificate], made.key)
    for_client = VerifyingClientContextFactory(NAME, trust=[made.authority])
    bound(for_client.getContext(), tls)
    server, client = End(), End()
    factory = Factory.forProtocol(lambda: server)
    factory.noisy = False
    port = listenSSL(reactor, 0, factory, for_server, interface="127.0.0.1")
    address = port.getHost()
    bars = _bars(size)
    try:
        connectSSL(reactor, address.host, address.port, Client(client), for_client, timeout=STALLED)
        await client.ready
        await server.ready
        handle = client.transport.getHandle()
        rows = connection_rows(handle, client.seconds)
        _check_peer(handle, made)
        rates = []
        with bars:
            for way, source, sink in (
                ("client to server", client, server),
                ("server to client", server, client),
            ):
                rates.append((way, await _transfer(reactor, bars, way, source, sink, size)))
        client.transport.loseConnection()
        for name, end in (("client", client), ("server", server)):
            await end.lost
            if not end.reason.check(ConnectionDone):
                raise Refusal(f"the {name}'s connection did not end cleanly: {end.reason.getErrorMessage()}")
    except (Refusal, CancelledError):
        raise
    except Exception as error:
        raise Refusal(f"the demonstration failed: {error}") from error
    finally:
        await port.stopListening()

    rows.insert(-1, ("Verified", f"chain and host name {NAME}, inside OpenSSL"))
    rows += [
        (way.capitalize(), f"{size / seconds / 1e6:,.0f} MB/s ({size_text(size)}, digests agree)")
        for way, seconds in rates
    ]
    rows += [
        ("Measured", "one way after the other; both ends and their SHA-256 in this one thread"),
        ("Peak memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"),
        ("Reactor", type(reactor).__name__),
        *openssl_rows(),
    ]
    show(console(), "A TLS connection between listenSSL and connectSSL", rows)
    return 0


def _check_peer(handle: Any, made: Any) -> None:
    """What the handshake must have made certain, once more from the outside."""
    if handle.get_verify_result() != 0 or handle.get_peer_certificate() != made.certificate:
        raise Refusal("the client was shown another certificate than the server's, or did not verify it")
    if (handle.get_verified_chain() or [None])[-1] != made.authority:
        raise Refusal("the chain does not end at the authority that the client trusts")


async def _transfer(reactor: Any, bars: Bars, way: str, source: End, sink: End, size: int) -> float:
    """Send *size* bytes from *source* to *sink*; the seconds that it took."""
    arrived = sink.expect(size)
    sender = Sender(source.transport, size)
    seen, since = 0, time.monotonic()

    def look() -> None:
        nonlocal seen, since
        bars.update(way, sink.received)
        if sink.received != seen:
            seen, since = sink.received, time.monotonic()
        elif time.monotonic() - since > STALLED and not arrived.called:
            arrived.errback(Failure(Refusal(f"nothing has arrived for {STALLED} seconds, {way}")))

    looking = LoopingCall(look)
    looking.clock = reactor
    bars.begin(way)
    looking.start(0.1)
    began = time.perf_counter()
    sender.start()
    try:
        digest = await arrived
    finally:
        seconds = time.perf_counter() - began
        looking.stop()
    bars.update(way, size)
    if digest != sender.digest.digest():
        raise Refusal(f"what arrived is not what was sent, {way}: the digests differ")
    return seconds


def _bars(size: int) -> Bars:
    where = console(error=True)
    if where.is_terminal:
        from .progress import RichBars

        return RichBars(where, size)
    from .progress import Bars

    return Bars()
