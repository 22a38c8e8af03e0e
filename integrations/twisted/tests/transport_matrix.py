"""What the transport's tests share: the matrix of test cases, protocols that record, peers of another make.

The matrix is {select, poll, epoll, asyncio} x {TLS 1.2, 1.3} x {socket, layered, endpoint, starttls}:
:func:`matrix` makes a test case for each from one class.  *layered* is ``TLSProtocol`` over Twisted's own
TCP transports, *endpoint* what the endpoints make, *starttls* TLS that begins on a plain connection as soon
as that is made.  What is about transports runs on the first two with every reactor; the others are made of
these, so that one reactor shows what differs at their edges: the one that OPENSSL_IFACE_CELLS names in the
environment (tox.ini names another one for each OpenSSL).  All of them run on every reactor by

    OPENSSL_IFACE_CELLS=all tox run -e py312-openssl30

What is about one of two ends is written for one of them, and is marked by :func:`either`; :func:`matrix`
makes a second set of cells for it, whose names end with ``reversed``, where the other end listens.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import os
import shutil
import ssl
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface import alsoProvides, implementer

from openssl_iface.testing.pki import PKI, Authority
from openssl_iface.values import ProtocolVersion
from openssl_iface_twisted import (
    ServerContextFactory,
    TLSClientEndpoint,
    TLSServerEndpoint,
    TLSWrapperFactory,
    VerifyingClientContextFactory,
    connectSSL,
    listenSSL,
    startTLS,
)
from openssl_iface_twisted._hub import hub_of

# -- a throwaway PKI ------------------------------------------------------------------


@cache
def pki() -> Path:
    """A directory with ca.pem, other.pem, server.pem, server.key, client-both.pem ..."""
    directory = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, directory, True)
    ca, other = Authority("Test CA"), Authority("Other CA")
    (directory / "ca.pem").write_bytes(ca.pem)
    (directory / "other.pem").write_bytes(other.pem)
    for name, usage in (("server", "server"), ("client", "client")):
        identity = ca.issue("localhost", "127.0.0.1", "::1", usage=usage)
        identity.write(directory, name)
        (directory / f"{name}-both.pem").write_bytes(identity.chain_pem + identity.key_pem)
    return directory


@cache
def throwaway() -> PKI:
    """All kinds of certificates for localhost, good and bad."""
    return PKI("localhost")


# -- protocols -------------------------------------------------------------------------


@implementer(IHandshakeListener)
class Recorder(Protocol):
    """Records what it is told in ``events``; ``on(name, callable)`` adds a reaction.

    The events are made, handshake, data, readLost, writeLost and lost; the reaction gets the recorder.
    """

    def __init__(self, *, half_close: bool = False) -> None:
        self.events: list[str] = []
        self.data = bytearray()
        self.pieces = 0
        self.reason: Any = None
        self.lost: Deferred[Recorder] = Deferred()
        self._reactions: dict[str, Callable[[Any], object]] = {}
        if half_close:
            alsoProvides(self, IHalfCloseableProtocol)

    def on(self, event: str, reaction: Callable[[Any], object]) -> Recorder:
        self._reactions[event] = reaction
        return self

    def _tell(self, event: str) -> None:
        if not self.events or self.events[-1] != event:
            self.events.append(event)
        if event in self._reactions:
            self._reactions[event](self)

    def connectionMade(self) -> None:
        self._tell("made")

    def handshakeCompleted(self) -> None:
        self._tell("handshake")

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.pieces += 1
        self._tell("data")

    def readConnectionLost(self) -> None:
        self._tell("readLost")

    def writeConnectionLost(self) -> None:
        self._tell("writeLost")

    def connectionLost(self, reason: Any = None) -> None:
        assert self.reason is None, "connectionLost was called twice"
        self.reason = reason
        self._tell("lost")
        self.lost.callback(self)


class Once(ClientFactory):
    """A factory with the protocols that it gives, in turn."""

    noisy = False

    def __init__(self, *protocols: Any) -> None:
        self.protocols = list(protocols)
        self.failed: Deferred[Any] = Deferred()

    def buildProtocol(self, addr: Any) -> Any:
        return self.protocols.pop(0) if self.protocols else None

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        self.failed.callback(reason)


class Starting(ClientFactory):
    """Makes a factory's protocols start TLS on their connection before they hear of it."""

    noisy = False

    def __init__(self, factory: Any, context: Any, client: bool, options: Any) -> None:
        self._factory = factory
        self._context = context
        self._client = client
        self._options = options
        self.clientConnectionFailed = factory.clientConnectionFailed

    def buildProtocol(self, addr: Any) -> Any:
        protocol = self._factory.buildProtocol(addr)
        if protocol is None:
            return None
        told = protocol.makeConnection

        def makeConnection(transport: Any) -> None:
            startTLS(transport, self._context, client=self._client, **self._options)
            told(transport)

        protocol.makeConnection = makeConnection
        return protocol


class StdlibPeer(Recorder):
    """TLS by Python's ssl module, over a plain TCP transport: a peer of another make that does as told."""

    def __init__(self, context: ssl.SSLContext, *, server: bool, **options: Any) -> None:
        super().__init__(**options)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server, None if server else "localhost")
        self.shaken = False
        self.wire = 0  # bytes that came after the handshake
        self.silent = False
        self.closed = False

    def connectionMade(self) -> None:
        self._tell("made")
        self._pump()

    def dataReceived(self, data: bytes) -> None:
        if self.shaken:
            self.wire += len(data)
        self._incoming.write(data)
        self._pump()

    def _pump(self) -> None:
        if self.silent:
            return
        try:
            if not self.shaken:
                self.tls.do_handshake()
                self.shaken = True
                self._send()
                self._tell("handshake")
            while not self.closed:
                data = self.tls.read(65536)
                if not data:
                    self.closed = True
                    self._tell("closed")
                    break
                self.data += data
                self._tell("data")
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
            self._tell("closed")
        except ssl.SSLError as error:
            self.error = error
            self._send()
            self.transport.loseConnection()
        self._send()

    def _send(self) -> None:
        data = self._outgoing.read()
        if data:
            self.transport.write(data)

    def write(self, data: bytes) -> None:
        while data:
            data = data[self.tls.write(data) :]
        self._send()

    def closeNotify(self) -> None:
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # the peer's has not come yet
        self._send()


# -- the matrix ----------------------------------------------------------------------------


def asyncio_reactor(case: Any) -> Any:
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    case.addCleanup(asyncio.set_event_loop, None)
    case.addCleanup(loop.close)
    return AsyncioSelectorReactor(loop)


def epoll_reactor(case: Any) -> Any:
    """Closed at the end: before they are collected, a thousand can be open, too many for select."""
    from twisted.internet.epollreactor import EPollReactor

    reactor = EPollReactor()
    case.addCleanup(reactor._poller.close)
    case.addCleanup(hub_of(reactor)._epoll.close)
    return reactor


REACTORS = {
    "select": "twisted.internet.selectreactor.SelectReactor",
    "poll": "twisted.internet.pollreactor.PollReactor",
    "epoll": epoll_reactor,
    "asyncio": asyncio_reactor,
}
VERSIONS = {"1.2": ProtocolVersion.TLS1_2, "1.3": ProtocolVersion.TLS1_3}


class TransportCase(ReactorBuilder):
    """One cell of the matrix."""

    version: ProtocolVersion
    edge: str
    #: whether the first protocol of a pair is the one that connects
    reversed = False
    #: how long a test may take; only a defect makes one take it
    deadline = 30

    def setUp(self) -> None:
        super().setUp()
        self.reactor = self.buildReactor()
        self.ports: list[Any] = []

    def buildReactor(self) -> Any:
        """As Twisted's; one that cannot be made is a failure: no cell is left out in silence."""
        try:
            return super().buildReactor()
        except SkipTest as reason:
            raise AssertionError(f"there is no such reactor: {reason}") from reason

    # -- contexts

    def serverContext(self, **options: Any) -> Any:
        factory = ServerContextFactory(pki() / "server.pem", pki() / "server.key", **options)
        self.bound(factory.getContext())
        return factory

    def clientContext(self, hostname: str = "localhost", **options: Any) -> Any:
        options.setdefault("cafile", pki() / "ca.pem")
        factory = VerifyingClientContextFactory(hostname, **options)
        self.bound(factory.getContext())
        return factory

    def bound(self, context: Any) -> None:
        context.set_min_proto_version(self.version)
        context.set_max_proto_version(self.version)

    def stdlib(self, *, server: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        if server:
            context.load_cert_chain(pki() / "server.pem", pki() / "server.key")
        else:
            context.load_verify_locations(pki() / "ca.pem")
        context.minimum_version = context.maximum_version = (
            ssl.TLSVersion.TLSv1_2 if self.version == ProtocolVersion.TLS1_2 else ssl.TLSVersion.TLSv1_3
        )
        return context

    # -- the two edges

    def listen(self, factory: Any, context: Any = None, backlog: int = 50, **options: Any) -> int:
        """Listen with TLS; the port's number.

        :param backlog: how many may wait to be accepted; of more, the kernel drops or resets some.
        """
        context = context or self.serverContext()
        if self.edge == "socket":
            port = listenSSL(self.reactor, 0, factory, context, backlog, "127.0.0.1", **options)
        elif self.edge == "endpoint":
            endpoint = TLSServerEndpoint(self.reactor, 0, context, backlog, interface="127.0.0.1", **options)
            made: list[Any] = []
            endpoint.listen(factory).addCallback(made.append)
            port = made[0]
        elif self.edge == "starttls":
            starting = Starting(factory, context, False, options)
            port = self.reactor.listenTCP(0, starting, backlog, "127.0.0.1")
        else:
            wrapper = TLSWrapperFactory(context, False, factory)
            self._apply(wrapper, options)
            port = self.reactor.listenTCP(0, wrapper, backlog, "127.0.0.1")
        self.ports.append(port)
        return port.getHost().port

    def connect(self, port: int, factory: Any, context: Any = None, **options: Any) -> None:
        context = context or self.clientContext()
        if self.edge == "socket":
            connectSSL(self.reactor, "127.0.0.1", port, factory, context, **options)
        elif self.edge == "endpoint":
            endpoint = TLSClientEndpoint(self.reactor, "127.0.0.1", port, context, **options)
            endpoint.connect(factory).addErrback(lambda reason: factory.clientConnectionFailed(None, reason))
        elif self.edge == "starttls":
            self.reactor.connectTCP("127.0.0.1", port, Starting(factory, context, True, options))
        else:
            wrapper = TLSWrapperFactory(context, True, factory)
            self._apply(wrapper, options)
            self.reactor.connectTCP("127.0.0.1", port, wrapper)

    @staticmethod
    def _apply(wrapper: Any, options: dict[str, Any]) -> None:
        for name, value in options.items():
            setattr(wrapper, name, value)

    def listenPlain(self, factory: Any) -> int:
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.ports.append(port)
        return port.getHost().port

    # -- running

    def runUntilLost(self, *protocols: Recorder) -> None:
        """Run the reactor until each of *protocols* has lost its connection."""
        waiting = set(protocols)

        def lost(protocol: Recorder) -> None:
            waiting.discard(protocol)
            if not waiting:
                self.reactor.callLater(0, self.reactor.stop)

        for protocol in protocols:
            protocol.lost.addCallback(lost)
        try:
            self.runReactor(self.reactor, timeout=self.deadline)
        except BaseException:
            for protocol in protocols:
                print(type(protocol).__name__, protocol.events, len(protocol.data), protocol.reason)
            raise

    def stranger(self, **options: Any) -> StdlibPeer:
        """The other end for :meth:`meet`."""
        return StdlibPeer(self.stdlib(server=self.reversed), server=self.reversed, **options)

    def meet(self, ours: Recorder, stranger: Recorder, **options: Any) -> None:
        """Connect *ours*, which listens, with a stranger on plain TCP; what is *reversed* has it connect."""
        if self.reversed:
            self.connect(self.listenPlain(Once(stranger)), Once(ours), **options)
        else:
            self.reactor.connectTCP("127.0.0.1", self.listen(Once(ours), **options), Once(stranger))

    def runWith(self, ours: Recorder, stranger: Recorder, **options: Any) -> None:
        """The same, and run until both have lost the connection."""
        self.meet(ours, stranger, **options)
        self.runUntilLost(ours, stranger)

    def runPair(self, server: Recorder, client: Recorder, **options: Any) -> None:
        """Connect the two through TLS, and run until both have lost the connection."""
        if self.reversed:
            assert not options, "what is given to one role is not for either"
            server, client = client, server
        port = self.listen(
            Once(server), options.pop("serverContext", None), **options.pop("serverOptions", {})
        )
        self.connect(
            port, Once(client), options.pop("clientContext", None), **options.pop("clientOptions", {})
        )
        assert not options
        self.runUntilLost(server, client)


def either(test: Any) -> Any:
    """Mark a test as being about one end of a pair, whichever that is."""
    test.either = True
    return test


def matrix(
    base: type[TransportCase],
    into: dict[str, Any],
    edges: tuple[str, ...] = ("socket", "layered"),
    reactors: tuple[str, ...] = tuple(REACTORS),
) -> None:
    """Put a test case for each of these cells of the matrix *into* a module's names."""
    tests = [name for name in dir(base) if name.startswith("test_")]
    one_sided = {name: None for name in tests if not hasattr(getattr(base, name), "either")}
    roles = (False, True) if len(one_sided) < len(tests) else (False,)
    for reactor, (version, number), edge, backwards in itertools.product(
        reactors, VERSIONS.items(), edges, roles
    ):
        name = f"{base.__name__}_{reactor}_{version.replace('.', '')}_{edge}{'_reversed' * backwards}"
        factory = REACTORS[reactor]
        cell = {
            "reactorFactory": namedAny(factory) if isinstance(factory, str) else factory,
            "version": number,
            "edge": edge,
            "reversed": backwards,
            "__module__": base.__module__,
            **(one_sided if backwards else {}),
        }
        into[name] = type(name, (base, SynchronousTestCase), cell)


def whole_matrix(base: type[TransportCase], into: dict[str, Any]) -> None:
    """The same for every cell; in a short run, what the other edges are made of is tried with one reactor."""
    matrix(base, into)
    chosen = os.environ.get("OPENSSL_IFACE_CELLS", "epoll")
    matrix(base, into, ("endpoint", "starttls"), tuple(REACTORS) if chosen == "all" else (chosen,))
