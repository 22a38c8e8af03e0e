"""Twisted's own TLS layer, accelerated: ``test_stock.py`` runs these cases with the drop-in in force.

What is asserted holds for stock Twisted too, but for the gears of a lane.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import random
import socket
import sys
from functools import cache
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_PEM, load_certificate, load_privatekey
from twisted.internet import endpoints, reactor, ssl
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.task import deferLater
from twisted.protocols import tls
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface import implementer

from openssl_iface.testing.pki import Authority
from openssl_iface_twisted import accelerate

loop: Any = reactor
BIG = random.Random(1).randbytes(6_000_000)


@cache
def contexts() -> tuple[Any, Any]:
    """Twisted's own options, for a server and for a client that verifies it."""
    authority = Authority("CA")
    identity = authority.issue("localhost")
    server = ssl.CertificateOptions(
        privateKey=load_privatekey(FILETYPE_PEM, identity.key_pem),
        certificate=load_certificate(FILETYPE_PEM, identity.chain_pem),
        acceptableProtocols=[b"one", b"two"],
    )
    trust = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(authority.pem)])
    return server, ssl.optionsForClientTLS("localhost", trust, acceptableProtocols=[b"two"])


@implementer(IHandshakeListener)
class Peer(Protocol):
    """Records, and does what its reactions say."""

    def __init__(self, **reactions: Any) -> None:
        self.reactions = reactions
        self.data = bytearray()
        self.events: list[str] = []
        self.reason: Any = None
        self.lost: Deferred[Any] = Deferred()
        self.ready: Deferred[Any] = Deferred()
        self.waiting: list[tuple[int, Deferred[Any]]] = []

    def tell(self, event: str) -> None:
        if not self.events or self.events[-1] != event:
            self.events.append(event)
        if event in self.reactions:
            self.reactions[event](self)

    def connectionMade(self) -> None:
        self.tell("made")

    def handshakeCompleted(self) -> None:
        self.tell("handshake")
        loop.callLater(0, self.ready.callback, self)

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.tell("data")
        for size, waiter in list(self.waiting):
            if len(self.data) >= size:
                self.waiting.remove((size, waiter))
                waiter.callback(None)

    def received(self, size: int) -> Deferred[Any]:
        """Fires when that many bytes are here."""
        waiter: Deferred[Any] = Deferred()
        self.waiting.append((size, waiter))
        if len(self.data) >= size:
            self.waiting.pop()
            waiter.callback(None)
        return waiter

    def connectionLost(self, reason: Any = None) -> None:
        self.reason = reason
        self.tell("lost")
        self.lost.callback(None)

    @property
    def lane(self) -> Any:
        started = not isinstance(self.transport, tls.TLSMemoryBIOProtocol)  # by startTLS
        return (self.transport.protocol if started else self.transport).__dict__.get("_lane")


class Once(ClientFactory):
    noisy = False

    def __init__(self, protocol: Any) -> None:
        self.given = protocol

    def buildProtocol(self, addr: Any) -> Any:
        return self.given


class Case(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.undo = accelerate()
        self.addCleanup(self.undo)

    def connect(self, server: Peer, client: Peer) -> Deferred[Any]:
        """A pair over ``listenSSL`` and ``connectSSL``, past their handshake."""
        port = loop.listenSSL(0, Once(server), contexts()[0], interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        loop.connectSSL("127.0.0.1", port.getHost().port, Once(client), contexts()[1])
        self.addCleanup(self.end, server, client)
        return gatherResults([server.ready, client.ready])

    def end(self, *peers: Peer) -> Deferred[Any]:
        for peer in peers:
            if peer.reason is None and peer.transport is not None:
                peer.transport.abortConnection()
        return gatherResults([peer.lost for peer in peers if peer.transport is not None])


def echo(peer: Peer) -> None:
    peer.transport.write(bytes(peer.data))
    peer.data.clear()


class Established(Case):
    @inlineCallbacks
    def test_echo_goes_with_one_call_each_way(self):
        server, client = Peer(data=echo), Peer()
        yield self.connect(server, client)
        client.transport.write(b"warm")
        yield client.received(4)
        self.assertTrue(server.lane.direct)
        self.assertTrue(client.lane.direct)
        calls: list[str] = []
        counted = ("oi_event", "oi_fast", "oi_take", "oi_operate", "SSL_", "BIO_")

        def profile(frame: Any, event: str, function: Any) -> None:
            name = getattr(function, "__name__", "")
            if event == "c_call" and name.startswith(counted):
                calls.append(name)

        sys.setprofile(profile)
        try:
            for turn in range(10):
                client.transport.write(b"x" * 100)
                yield client.received(4 + (turn + 1) * 100)
        finally:
            sys.setprofile(None)
        self.assertEqual(calls.count("oi_fast_write"), 20)
        self.assertEqual(set(calls), {"oi_fast_read", "oi_fast_write"})
        self.assertIn(calls.count("oi_fast_read"), (20, 21))  # a session ticket may come by itself

    @inlineCallbacks
    def test_who_only_receives_goes_direct_too(self):
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        for size in (1, 2):
            client.transport.write(b"x")
            yield server.received(size)
        self.assertTrue(server.lane.direct)

    @inlineCallbacks
    def test_small_writes_leave_together(self):
        """Also after large ones; with one call of the reactor's, and with none in an event."""
        waiting: list[int] = []

        def answer(peer: Peer) -> None:
            before = len(loop.getDelayedCalls())
            peer.transport.write(b"a")
            waiting.append(len(loop.getDelayedCalls()) - before)

        server, client = Peer(data=answer), Peer()
        yield self.connect(server, client)
        for peer in (server, client):
            peer.transport.write(b"x" * 50_000)
            peer.transport.write(b"x" * 50_000)
        yield server.received(100_000)
        yield client.received(100_000 + len(waiting))
        yield deferLater(loop, 0)
        asked, answered = len(server.data), len(client.data)
        before = len(loop.getDelayedCalls())
        waiting.clear()
        calls: list[str] = []

        def profile(frame: Any, event: str, function: Any) -> None:
            if event == "c_call" and getattr(function, "__name__", "") == "oi_fast_write":
                calls.append("write")

        sys.setprofile(profile)
        try:
            for _ in range(3):
                client.transport.write(b"y")
            self.assertEqual(len(loop.getDelayedCalls()) - before, 1)
            yield server.received(asked + 3)
            yield client.received(answered + 1)
        finally:
            sys.setprofile(None)
        self.assertEqual(len(calls), 2)
        self.assertEqual(waiting, [0])

    @inlineCallbacks
    def test_what_is_written_may_change(self):
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        data = bytearray(b"as it was")
        client.transport.write(data)
        data[:] = b"xxxxxxxxx"
        yield server.received(9)
        self.assertEqual(server.data, b"as it was")
        with self.assertRaises(TypeError):
            client.transport.write("text")

    @inlineCallbacks
    def test_what_was_collected_in_the_handshake_comes_first(self):
        def begin(peer: Peer) -> None:
            loop.callLater(0, lambda: peer.transport.write(b"2" * 100_000))
            peer.transport.write(b"1")

        server, client = Peer(handshake=begin), Peer(handshake=begin)
        yield self.connect(server, client)
        yield gatherResults([server.received(100_001), client.received(100_001)])
        for peer in (server, client):
            self.assertEqual(peer.data, b"1" + b"2" * 100_000)

    @inlineCallbacks
    def test_nothing_is_delivered_after_aborting(self):
        sizes: list[int] = []

        def abort(peer: Peer) -> None:
            peer.transport.abortConnection()
            sizes.append(len(peer.data))

        server, client = Peer(), Peer(data=abort)
        yield self.connect(server, client)
        server.transport.write(BIG)
        yield gatherResults([server.lost, client.lost])
        self.assertEqual(sizes, [len(client.data)])

    @inlineCallbacks
    def test_what_comes_before_a_broken_record_is_delivered(self):
        """Both in one segment."""
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        client.transport.write(b"warm")
        yield server.received(4)
        client.lane.release()
        handle = client.transport.getHandle()
        handle.event_write(b"good")
        client.transport.transport.socket.send(handle.event_output() + b"\x17\x03\x03\x00\x20" + bytes(32))
        yield server.lost
        self.assertEqual(server.data, b"warmgood")
        self.assertIsInstance(server.reason.value, SSL.Error)

    @inlineCallbacks
    def test_large_amounts_arrive_whole_and_in_order(self):
        """The kernel's buffers fill, also while the peer does not read; small writes come in between."""
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        client.transport.pauseProducing()
        sizes = random.Random(2)
        sent = hashlib.sha256()
        total = 0
        while total < len(BIG):
            size = sizes.choice((1, 100, 5000, 40_000, 300_000))
            sent.update(BIG[total : total + size])
            server.transport.write(BIG[total : total + size])
            total += size
            if sizes.random() < 0.2:
                yield deferLater(loop, 0)
        total = min(total, len(BIG))
        self.assertFalse(server.lane.direct)
        client.transport.resumeProducing()
        yield client.received(total)
        self.assertEqual(hashlib.sha256(client.data).digest(), sent.digest())
        server.transport.write(b"again")
        yield client.received(total + 5)
        self.assertTrue(server.lane.direct)

    @inlineCallbacks
    def test_both_ways_at_once(self):
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        for peer in (server, client):
            for at in range(0, len(BIG), 60_000):
                peer.transport.write(BIG[at : at + 60_000])
        yield gatherResults([server.received(len(BIG)), client.received(len(BIG))])
        self.assertEqual(server.data, BIG)
        self.assertEqual(client.data, BIG)

    @inlineCallbacks
    def test_closing_sends_everything_first(self):
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        server.transport.write(BIG)
        server.transport.write(b"the end")
        server.transport.loseConnection()
        server.transport.write(b"not this")
        yield gatherResults([server.lost, client.lost])
        self.assertEqual(client.data, BIG + b"the end")
        for peer in (server, client):
            self.assertIsInstance(peer.reason.value, ConnectionDone)

    @inlineCallbacks
    def test_closing_in_the_midst_of_an_event(self):
        server = Peer(data=lambda peer: (peer.transport.write(b"bye"), peer.transport.loseConnection()))
        client = Peer()
        yield self.connect(server, client)
        client.transport.write(b"hello")
        yield gatherResults([server.lost, client.lost])
        self.assertEqual(client.data, b"bye")
        self.assertIsInstance(client.reason.value, ConnectionDone)
        self.assertEqual(client.events, ["made", "handshake", "data", "lost"])

    @inlineCallbacks
    def test_the_end_of_the_transport_is_not_a_clean_end(self):
        """An end without close_notify, and a reset."""
        for way in ("shutdown", "reset"):
            server, client = Peer(), Peer()
            yield self.connect(server, client)
            client.transport.write(b"last words")
            yield server.received(10)
            below = client.transport.transport
            if way == "shutdown":
                below.socket.shutdown(socket.SHUT_WR)
            else:
                below.abortConnection()
            yield server.lost
            self.assertIsInstance(server.reason.value, ConnectionLost, way)
            yield self.end(client)

    @inlineCallbacks
    def test_a_peer_that_is_gone_while_we_write(self):
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        client.transport.transport.abortConnection()
        server.transport.pauseProducing()  # so that only writing can tell
        for _ in range(200):
            if server.reason is not None:
                break
            server.transport.write(b"x" * 50_000)
            yield deferLater(loop, 0.005)
        yield server.lost
        self.assertIsInstance(server.reason.value, ConnectionLost)

    @inlineCallbacks
    def test_what_is_written_last_is_lost_with_the_transport_below(self):
        """Not yet sent when it is lost: the protocol hears of that, and nothing is raised."""
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        client.transport.transport.abortConnection()
        client.transport.write(b"too late")
        yield gatherResults([server.lost, client.lost])
        self.assertIsInstance(client.reason.value, ConnectionLost)

    @inlineCallbacks
    def test_a_broken_record_ends_the_connection(self):
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        client.transport.transport.socket.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        yield server.lost
        self.assertIsInstance(server.reason.value, SSL.Error)
        self.assertTrue(server.reason.value.args[0][0][2])

    @inlineCallbacks
    def test_what_the_protocol_raises_ends_its_connection(self):
        server, client = Peer(data=lambda _: 1 / 0), Peer()
        yield self.connect(server, client)
        client.transport.write(b"x")
        yield gatherResults([server.lost, client.lost])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @inlineCallbacks
    def test_pausing(self):
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        client.transport.pauseProducing()
        server.transport.write(b"x" * 1000)
        yield deferLater(loop, 0.05)
        self.assertEqual(client.data, b"")
        client.transport.resumeProducing()
        yield client.received(1000)

    @inlineCallbacks
    def test_what_is_known_of_the_connection(self):
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        self.assertEqual(client.transport.negotiatedProtocol, b"two")
        self.assertEqual(server.transport.negotiatedProtocol, b"two")
        certificate = client.transport.getPeerCertificate()
        self.assertEqual(certificate.get_subject().CN, "localhost")
        self.assertIsInstance(client.transport.getHandle(), SSL.Connection)
        self.assertEqual(ssl.Certificate.peerFromTransport(client.transport).getSubject().CN, b"localhost")

    @inlineCallbacks
    def test_nothing_is_left_for_the_collector(self):
        if not hasattr(tls, "_NullAggregator"):
            raise SkipTest("this Twisted leaves its own TLS protocols to the collector")
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        client.transport.write(b"x")
        yield server.received(1)
        gc.collect()
        gc.disable()
        try:
            client.transport.loseConnection()
            yield gatherResults([server.lost, client.lost])
            server.transport = client.transport = None
            yield deferLater(loop, 0.01)
            left = [one for one in gc.get_objects() if type(one).__name__ == "Lane"]
        finally:
            gc.enable()
        self.assertEqual(left, [])

    @inlineCallbacks
    def test_a_renegotiation_holds_writes_up(self):
        """TLS 1.2: what is written meanwhile follows, and closing waits for it."""
        server, client = Peer(), Peer()
        own = contexts()[0].getContext()
        own.set_max_proto_version(SSL.TLS1_2_VERSION)
        self.addCleanup(own.set_max_proto_version, 0)
        yield self.connect(server, client)
        handle = server.transport.getHandle()
        self.assertEqual(handle.get_protocol_version_name(), "TLSv1.2")
        with contextlib.suppress(SSL.Error):  # Twisted's contexts may refuse to renegotiate
            handle.renegotiate()
        server.transport.write(BIG)
        server.transport.loseConnection()
        yield gatherResults([server.lost, client.lost])
        self.assertEqual(client.data, BIG)


class Renegotiation(Case):
    """TLS 1.2: what the client writes waits for the server's answer."""

    def factories(self) -> tuple[Any, Any]:
        server, client = (SSL.Context(SSL.TLSv1_2_METHOD) for _ in range(2))
        authority = Authority("CA").issue("localhost")
        server.use_certificate(load_certificate(FILETYPE_PEM, authority.chain_pem))
        server.use_privatekey(load_privatekey(FILETYPE_PEM, authority.key_pem))
        server.set_options(getattr(SSL, "OP_ALLOW_CLIENT_RENEGOTIATION", 0))
        return Given(server), Given(client)

    @inlineCallbacks
    def carried_out(self, server: Peer, client: Peer) -> Any:
        yield gatherResults([server.ready, client.ready])
        client.transport.write(b"warm")
        yield server.received(4)
        self.assertIsNotNone(client.lane)
        for turn in range(3):
            client.transport.getHandle().renegotiate()
            client.transport.write(b"x" * 70_000)
            client.transport.write(b"y")
            server.transport.write(b"meanwhile")
            yield server.received(4 + (turn + 1) * 70_001)
        self.assertEqual(server.data, b"warm" + 3 * (b"x" * 70_000 + b"y"))
        client.transport.getHandle().renegotiate()
        client.transport.write(b"z" * 70_000)
        client.transport.loseConnection()
        yield gatherResults([server.lost, client.lost])
        self.assertEqual(server.data[-70_000:], b"z" * 70_000)
        self.assertEqual(client.data, b"meanwhile" * 3)

    @inlineCallbacks
    def test_over_the_socket(self):
        own, other = self.factories()
        server, client = Peer(), Peer()
        port = loop.listenSSL(0, Once(server), own, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        loop.connectSSL("127.0.0.1", port.getHost().port, Once(client), other)
        yield self.carried_out(server, client)

    @inlineCallbacks
    def test_within_TLS(self):
        own, other = self.factories()
        server, client = Peer(), Peer()
        inner = tls.TLSMemoryBIOFactory(own, False, Factory.forProtocol(lambda: server))
        port = yield endpoints.TCP4ServerEndpoint(loop, 0, interface="127.0.0.1").listen(
            tls.TLSMemoryBIOFactory(contexts()[0], False, inner)
        )
        self.addCleanup(port.stopListening)
        below = endpoints.TCP4ClientEndpoint(loop, "127.0.0.1", port.getHost().port)
        outer = tls.TLSMemoryBIOFactory(other, True, Factory.forProtocol(lambda: client))
        yield endpoints.wrapClientTLS(contexts()[1], below).connect(outer)
        yield self.carried_out(server, client)


class Given(ssl.ContextFactory):
    """Gives this context."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def getContext(self) -> Any:
        return self.context


class Producer:
    """Push or pull: BIG in blocks."""

    def __init__(self, consumer: Any, streaming: bool) -> None:
        self.consumer, self.streaming, self.at = consumer, streaming, 0
        self.paused = True
        self.pauses = 0
        consumer.registerProducer(self, streaming)
        if streaming:
            self.resumeProducing()

    def resumeProducing(self) -> None:
        if not self.streaming:
            self.block()
        elif self.paused:
            self.paused = False
            self.pour()

    def pauseProducing(self) -> None:
        self.paused = True
        self.pauses += 1

    def stopProducing(self) -> None:
        self.paused = True
        self.at = len(BIG)

    def pour(self) -> None:
        while not self.paused and self.at < len(BIG):
            self.block()

    def block(self) -> None:
        if self.at < len(BIG):
            self.consumer.write(BIG[self.at : self.at + 50_000])
            self.at += 50_000
            if self.at >= len(BIG):
                self.consumer.unregisterProducer()
                self.consumer.loseConnection()


class Producers(Case):
    @inlineCallbacks
    def produce(self, streaming: bool) -> Any:
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        client.transport.pauseProducing()
        producer = Producer(server.transport, streaming)
        yield deferLater(loop, 0.05)
        self.assertLess(producer.at, len(BIG))
        client.transport.resumeProducing()
        yield gatherResults([server.lost, client.lost])
        self.assertEqual(client.data, BIG)
        return producer

    @inlineCallbacks
    def test_push(self):
        producer = yield self.produce(True)
        self.assertGreater(producer.pauses, 0)

    def test_pull(self):
        return self.produce(False)

    @inlineCallbacks
    def test_closing_waits_for_the_producer(self):
        """Which goes on in small pieces, also when the connection is closing."""
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        producer = Producer(server.transport, True)
        producer.pauseProducing()
        producer.resumeProducing = lambda: None  # type: ignore[method-assign]
        server.transport.loseConnection()
        server.transport.write(b"the end")
        yield deferLater(loop, 0)
        server.transport.unregisterProducer()
        yield gatherResults([server.lost, client.lost])
        self.assertTrue(client.data.endswith(b"the end"))
        self.assertIsInstance(client.reason.value, ConnectionDone)


class OtherTransports(Case):
    @inlineCallbacks
    def test_startTLS(self):
        def upgrade(context: Any, word: bytes) -> Any:
            def react(peer: Peer) -> None:
                if bytes(peer.data) == word:
                    peer.data.clear()
                    if word == b"go":
                        peer.transport.write(b"ok")
                    peer.transport.startTLS(context)
                    peer.reactions.pop("data")
                    peer.transport.write(b"inside")

            return react

        server = Peer(data=upgrade(contexts()[0], b"go"))
        client = Peer(data=upgrade(contexts()[1], b"ok"), made=lambda peer: peer.transport.write(b"go"))
        port = loop.listenTCP(0, Once(server), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        loop.connectTCP("127.0.0.1", port.getHost().port, Once(client))
        yield gatherResults([server.received(6), client.received(6)])
        self.assertEqual((server.data, client.data), (b"inside", b"inside"))
        server.transport.write(BIG)
        yield client.received(6 + len(BIG))
        self.assertEqual(client.data[6:], BIG)
        server.transport.write(b"again")
        yield client.received(11 + len(BIG))
        self.assertTrue(server.lane.direct)
        client.transport.loseConnection()
        yield gatherResults([server.lost, client.lost])
        self.assertIsInstance(server.reason.value, ConnectionDone)

    @inlineCallbacks
    def test_startTLS_over_TLS(self):
        """From then on the socket carries what the second one makes; the first must not pass it by."""
        server, client = Peer(), Peer()
        yield self.connect(server, client)
        client.transport.write(b"warm")
        server.transport.write(b"warm")
        yield gatherResults([server.received(4), client.received(4)])
        self.assertTrue(server.lane.direct and client.lane.direct)
        server.transport.startTLS(contexts()[0])
        client.transport.startTLS(contexts()[1])
        client.transport.write(b"inside")
        yield server.received(10)
        server.transport.write(b"answer")
        yield client.received(10)
        self.assertEqual((server.data, client.data), (b"warminside", b"warmanswer"))
        client.transport.loseConnection()
        yield gatherResults([server.lost, client.lost])
        self.assertIsInstance(server.reason.value, ConnectionDone)

    @inlineCallbacks
    def test_TLS_in_TLS_through_endpoints(self):
        server, client = Peer(data=echo), Peer()
        inner = tls.TLSMemoryBIOFactory(contexts()[0], False, Factory.forProtocol(lambda: server))
        port = yield endpoints.TCP4ServerEndpoint(loop, 0, interface="127.0.0.1").listen(
            tls.TLSMemoryBIOFactory(contexts()[0], False, inner)
        )
        self.addCleanup(port.stopListening)
        below = endpoints.TCP4ClientEndpoint(loop, "127.0.0.1", port.getHost().port)
        twice = endpoints.wrapClientTLS(contexts()[1], endpoints.wrapClientTLS(contexts()[1], below))
        yield twice.connect(Factory.forProtocol(lambda: client))
        yield gatherResults([server.ready, client.ready])
        client.transport.write(b"through two")
        yield client.received(11)
        yield deferLater(loop, 0)
        client.transport.write(b"again")
        yield client.received(16)
        self.assertFalse(client.lane.direct)
        self.assertTrue(client.transport.transport.__dict__["_lane"].direct)
        client.transport.write(BIG)
        yield client.received(16 + len(BIG))
        self.assertEqual(client.data, b"through twoagain" + BIG)
        client.transport.loseConnection()
        yield gatherResults([server.lost, client.lost])


class Limits(Case):
    @inlineCallbacks
    def test_undoing_leaves_open_connections_open(self):
        server, client = Peer(data=echo), Peer()
        yield self.connect(server, client)
        client.transport.write(b"before")
        yield client.received(6)
        self.undo()
        self.undo()
        self.assertNotIn("doRead", server.transport.transport.__dict__)
        client.transport.write(BIG)
        yield client.received(6 + len(BIG))
        self.assertEqual(client.data, b"before" + BIG)
        client.transport.loseConnection()
        yield gatherResults([server.lost, client.lost])
        self.assertIsInstance(server.reason.value, ConnectionDone)

    def test_undoing_restores_every_method(self):
        self.undo()
        before = dict(vars(tls.TLSMemoryBIOProtocol))
        undo = accelerate()
        self.assertIs(undo, accelerate())
        self.assertNotEqual(before, dict(vars(tls.TLSMemoryBIOProtocol)))
        undo()
        self.assertEqual(before, dict(vars(tls.TLSMemoryBIOProtocol)))

    def test_an_old_undo_undoes_nothing_new(self):
        self.undo()
        before = dict(vars(tls.TLSMemoryBIOProtocol))
        undo = accelerate()
        self.addCleanup(undo)
        self.undo()
        self.assertNotEqual(before, dict(vars(tls.TLSMemoryBIOProtocol)))

    @inlineCallbacks
    def test_who_replaces_a_method_of_one_keeps_it(self):
        """Of the TLS layer, of its ``write``, or of the transport below."""
        for which, name in (("above", "dataReceived"), ("above", "write"), ("below", "writeSomeData")):
            seen: list[int] = []

            def replace(peer: Peer, which: str = which, name: str = name, seen: list[int] = seen) -> None:
                one: Any = peer.transport if which == "above" else peer.transport.transport
                own = getattr(one, name)
                setattr(one, name, lambda data: (seen.append(len(data)), own(data))[1])

            server, client = Peer(data=echo), Peer(made=replace)
            yield self.connect(server, client)
            for turn in range(3):
                count = len(seen)
                client.transport.write(b"x" * 100)
                yield client.received(100 * turn + 100)
                self.assertGreater(len(seen), count, name)
            yield self.end(server, client)

    @inlineCallbacks
    def test_who_stands_between_is_not_passed_by(self):
        """A protocol that hands its transport on, and what comes."""
        seen: list[int] = []

        class Between(Protocol):
            def __init__(self, above: Any) -> None:
                self.above = above

            def connectionMade(self) -> None:
                self.above.makeConnection(self.transport)

            def dataReceived(self, data: bytes) -> None:
                seen.append(len(data))
                self.above.dataReceived(data)

            def connectionLost(self, reason: Any = None) -> None:
                self.above.connectionLost(reason)

        server, client = Peer(data=echo), Peer()
        port = loop.listenSSL(0, Once(server), contexts()[0], interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        above = tls.TLSMemoryBIOFactory(contexts()[1], True, Once(client))
        between = Between(above.buildProtocol(None))
        loop.connectTCP("127.0.0.1", port.getHost().port, Once(between))
        self.addCleanup(self.end, server, client)
        yield gatherResults([server.ready, client.ready])
        for turn in range(3):
            count = len(seen)
            client.transport.write(b"x" * 100)
            yield client.received(100 * turn + 100)
            self.assertGreater(len(seen), count)

    @inlineCallbacks
    def test_who_overrides_something_keeps_it(self):
        seen: list[int] = []

        class Counting(tls.BufferingTLSTransport):
            def dataReceived(self, bytes: bytes) -> None:  # noqa: A002
                seen.append(len(bytes))
                super().dataReceived(bytes)

        self.patch(tls.TLSMemoryBIOFactory, "protocol", Counting)
        server, client = Peer(data=echo), Peer()
        yield self.connect(server, client)
        count = len(seen)
        client.transport.write(b"x" * 100)
        yield client.received(100)
        self.assertGreater(len(seen), count)
        self.assertIsNone(client.lane)
        client.transport.loseConnection()
        yield gatherResults([server.lost, client.lost])
