"""``connect``: a verified connection between standard input and output and a peer."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionDone, DNSLookupError
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from openssl_iface.errors import Error

from ..contexts import VerifyingClientContextFactory
from ..endpoints import TLSClientEndpoint
from .failures import explain_connecting, explain_files, explain_lost
from .messages import Refusal, console, die_by, printable
from .options import Target, bound
from .pipes import Reader, Writer
from .table import chain_rows, connection_rows, openssl_rows, show

__all__ = ["Settings", "connect"]

# Bytes that may wait for standard output before the peer has to wait.
WAITING = 262144
# Seconds for the peer's close_notify once there is nothing more to say or to hear.
GOODBYE = 3


@dataclass(frozen=True)
class Settings:
    """The arguments of the command."""

    target: Target
    cafile: Path | None
    servername: str | None
    alpn: tuple[bytes, ...]
    certificate: Path | None
    key: Path | None
    ignore_eof: bool
    timeout: float
    tls: str | None

    @property
    def name(self) -> str:
        """Which the peer's certificate must be for."""
        return self.servername or self.target.host


@implementer(IHandshakeListener, IHalfCloseableProtocol)
class Relay(Protocol):
    """Connects standard input and output to the peer, from the end of the handshake on.

    ``over`` is a Deferred that fires at the end, when *reason* is there and everything is written.
    """

    transport: Any
    reason: Any = None
    established = False
    _reader: Reader | None = None

    def __init__(self, reactor: Any, settings: Settings) -> None:
        self.over: Deferred[None] = Deferred()
        self.trouble: OSError | None = None
        self._reactor = reactor
        self._settings = settings
        self._writer = Writer(reactor, 1, self._drained)
        self._writer.failed.addErrback(self._unread)
        self._paused = False

    def connectionMade(self) -> None:
        self._began = time.perf_counter()

    def handshakeCompleted(self) -> None:
        seconds = time.perf_counter() - self._began
        self.established = True
        self._describe(seconds)
        self._reader = Reader(self._reactor, 0, self.transport.write)
        self._reader.ended.addCallbacks(self._ended, self._broken)
        self.transport.registerProducer(self._reader, True)
        self._reader.resumeProducing()

    def _describe(self, seconds: float) -> None:
        handle = self.transport.getHandle()
        rows = [
            ("Connected to", f"{printable(str(self._settings.target))} ({self.transport.getPeer().host})")
        ]
        rows += connection_rows(handle, seconds, self._settings.alpn)
        rows.insert(-1, ("Verified", f"chain and host name {printable(self._settings.name)}, inside OpenSSL"))
        try:
            show(console(error=True), "Connected", [*rows, *openssl_rows(), *chain_rows(handle)])
        except OSError:
            pass  # standard error has no reader; the data may have

    # -- from here to there ----------------------------------------------------

    def _ended(self, _: None) -> None:
        """The end of standard input."""
        self.transport.unregisterProducer()
        if not self._settings.ignore_eof:
            self.transport.loseWriteConnection()

    def _broken(self, failure: Failure) -> None:
        """Standard input cannot be read."""
        assert isinstance(failure.value, OSError)
        self.trouble = failure.value
        self.leave()

    def _unread(self, failure: Failure) -> None:
        """Standard output cannot be written.

        To wait for the peer's close_notify would be to receive, for nobody, all that it still has to say.
        """
        assert isinstance(failure.value, OSError)
        self.trouble = failure.value
        if self._reader is not None:
            self._reader.stopProducing()
        self.transport.abortConnection()

    def leave(self) -> None:
        """Say goodbye."""
        if self._reader is not None:
            self._reader.stopProducing()
        self.transport.closeTimeout = GOODBYE
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    # -- from there to here ----------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        self._writer.write(data)
        if self._writer.waiting > WAITING and not self._paused:
            self._paused = True
            self.transport.pauseProducing()

    def _drained(self) -> None:
        if self._paused and self._writer.waiting <= WAITING:
            self._paused = False
            self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        """The peer has closed its side: what it has said is all."""
        self.leave()

    def writeConnectionLost(self) -> None:
        """Our close_notify has left."""

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        if self._reader is not None:
            self._reader.stopProducing()
        self.reason = reason.value
        self._writer.flushed().addCallback(self.over.callback)


async def connect(reactor: Any, settings: Settings) -> int:
    """Connect and relay; 0 when the peer has ended cleanly.

    :raises Refusal: there is no connection, it is not trusted, or it ended otherwise.
    """
    target, peer = settings.target, printable(str(settings.target))
    factory = _context(settings)
    bound(factory.getContext(), settings.tls)
    endpoint = TLSClientEndpoint(
        reactor,
        target.host,
        target.port,
        factory,
        timeout=settings.timeout,
        handshakeTimeout=settings.timeout,
    )
    made: Any = Factory.forProtocol(lambda: Relay(reactor, settings))
    made.noisy = False
    try:
        relay = await endpoint.connect(made)
    except (ConnectError, DNSLookupError, ValueError) as error:
        raise Refusal(explain_connecting(error, peer, settings.timeout)) from error
    try:
        await relay.over
    except CancelledError:
        relay.transport.abortConnection()
        raise
    if relay.trouble is not None:
        if isinstance(relay.trouble, BrokenPipeError):
            # Whoever read our output has what they wanted.
            return die_by(signal.SIGPIPE)
        raise Refusal(f"standard input or output: {relay.trouble.strerror}.")
    if not isinstance(relay.reason, ConnectionDone):
        sentence = explain_lost(relay.reason, peer, settings.name, established=relay.established)
        raise Refusal(sentence) from relay.reason
    return 0


def _context(settings: Settings) -> VerifyingClientContextFactory:
    try:
        factory = VerifyingClientContextFactory(
            settings.name,
            cafile=settings.cafile,
            alpn=settings.alpn,
            certificate=settings.certificate,
            key=settings.key,
        )
    except Error as error:
        files = {"certificate": settings.certificate, "key": settings.key, "cafile": settings.cafile}
        raise Refusal(explain_files(error, **files)) from error
    try:
        # Here, and not when somebody has been connected to.
        factory.clientConnectionForTLS(None)
    except ValueError as error:
        raise Refusal(
            f"{settings.name!r} is no host name or address that a certificate can be for."
        ) from error
    return factory
