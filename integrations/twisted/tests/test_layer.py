"""The memory-BIO protocol by itself: on transports that are not sockets, with time that is not real."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from transport_matrix import Once, Recorder, pki
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ITransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python import log
from twisted.python.failure import Failure
from zope.interface import implementer

from openssl_iface import SSL, errors
from openssl_iface.values import ProtocolVersion
from openssl_iface_twisted import (
    AbortedConnectionLost,
    ServerContextFactory,
    TimedOutConnectionLost,
    TLSWrapperFactory,
    TruncatedConnectionLost,
    VerifyingClientContextFactory,
)


def contexts() -> tuple[Any, Any]:
    return (
        ServerContextFactory(pki() / "server-both.pem"),
        VerifyingClientContextFactory("localhost", cafile=pki() / "ca.pem"),
    )


class Pair:
    """Two protocols with their TLS, between which bytes are carried by hand."""

    def __init__(
        self, server: Recorder, client: Recorder, transports: Any = StringTransport, factories: Any = None
    ) -> None:
        self.clock = Clock()
        self.tls = [
            TLSWrapperFactory(context, bool(number), Once(protocol), self.clock).buildProtocol(None)
            for number, (context, protocol) in enumerate(
                zip(factories or contexts(), (server, client), strict=True)
            )
        ]
        self.below = [transports(), transports()]
        for tls, below in zip(self.tls, self.below, strict=True):
            tls.makeConnection(below)

    def carry(self, number: int) -> bool:
        """Take what one has sent to the other."""
        data = self.below[number].value()
        if data:
            self.below[number].clear()
            self.tls[1 - number].dataReceived(data)
        return bool(data)

    def settle(self) -> None:
        """Carry until nothing moves."""
        moving = True
        while moving:
            moving = self.carry(0) | self.carry(1)
            if not moving and self.clock.getDelayedCalls():
                due = min(call.getTime() for call in self.clock.getDelayedCalls())
                if due <= self.clock.seconds():
                    self.clock.advance(0)
                    moving = True


def echo(server: Recorder) -> None:
    server.transport.write(bytes(server.data))
    server.data.clear()


def test_by_hand() -> None:
    server, client = Recorder().on("data", echo), Recorder()
    pair = Pair(server, client)
    client.transport.write(b"hello")
    pair.settle()
    assert client.data == b"hello"
    client.transport.loseConnection()
    pair.settle()
    assert [below.disconnecting for below in pair.below] == [True, True]
    for tls in pair.tls:
        tls.connectionLost(Failure(ConnectionDone()))
    assert server.reason.type is client.reason.type is ConnectionDone
    assert not pair.clock.getDelayedCalls()


@implementer(ITransport)
class Bare:
    """No more than ITransport asks for."""

    def __init__(self) -> None:
        self.sent = b""
        self.disconnecting = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.disconnecting = True

    def getPeer(self) -> Any: ...

    def getHost(self) -> Any: ...

    def value(self) -> bytes:
        return self.sent

    def clear(self) -> None:
        self.sent = b""


def test_bare_transport() -> None:
    """Without flow control, producers and abortConnection below, things still work."""
    server, client = Recorder().on("data", echo), Recorder()
    pair = Pair(server, client, Bare)
    client.transport.write(b"x" * 300_000)
    pair.settle()
    assert client.data == b"x" * 300_000
    client.transport.pauseProducing()
    client.transport.resumeProducing()
    client.transport.abortConnection()
    assert pair.below[1].disconnecting
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    assert client.reason.type is ConnectionAborted


class Producer:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.paused = self.resumed = 0

    def pauseProducing(self) -> None:
        self.paused += 1

    def resumeProducing(self) -> None:
        self.resumed += 1

    def stopProducing(self) -> None: ...


def test_flow_control_from_below() -> None:
    """A transport below that is full pauses who writes above, and the rest waits in the engine."""
    server, client = Recorder(), Recorder()
    pair = Pair(server, client)
    pair.settle()
    producer = Producer()
    client.transport.registerProducer(producer, True)
    feeder = pair.below[1].producer
    feeder.pauseProducing()
    client.transport.write(b"y" * 500_000)
    assert producer.paused == 1
    assert pair.below[1].value() == b""
    feeder.resumeProducing()
    pair.settle()
    assert producer.resumed == 1
    assert server.data == b"y" * 500_000


def test_the_last_piece_fills_the_transport_below() -> None:
    """Nothing waits in the engine then, and who was paused in the handshake is resumed all the same."""
    producer = Producer()

    def produce(server: Recorder) -> None:
        server.transport.registerProducer(producer, True)
        server.transport.write(b"y" * 70_000)

    server, client = Recorder().on("made", produce), Recorder()
    pair = Pair(server, client)
    assert producer.paused == 1
    below = pair.below[0]
    written = below.write

    def write(data: bytes) -> None:
        written(data)
        if server.transport.getHandle().queued == 0:
            below.producer.pauseProducing()

    below.write = write
    pair.carry(1)
    pair.clock.advance(0)
    pair.settle()
    below.producer.resumeProducing()
    pair.settle()
    assert client.data == b"y" * 70_000
    assert producer.resumed == 1


def test_a_transport_below_that_has_room_at_once() -> None:
    """It says so within each write; what has come and waits is not delivered from within the user's own."""

    class Quick(StringTransport):
        def write(self, data: bytes) -> None:
            super().write(data)
            if self.producer is not None:
                self.producer.pauseProducing()
                self.producer.resumeProducing()

    inside: list[int] = []

    def answer(client: Recorder) -> None:
        depths.append(len(inside))
        inside.append(client.pieces)
        client.transport.write(b"a" * 300_000)
        inside.pop()

    depths: list[int] = []
    server, client = Recorder(), Recorder().on("data", answer)
    pair = Pair(server, client, Quick)
    pair.settle()
    server.transport.write(b"r" * 300_000)
    pair.settle()
    assert client.data == b"r" * 300_000
    assert client.pieces > 1
    assert depths == [0] * client.pieces
    assert len(server.data) == 300_000 * client.pieces


def test_flow_control_from_above() -> None:
    """Who pauses above pauses the transport below, after the handshake."""
    server, client = Recorder(), Recorder().on("made", lambda c: c.transport.pauseProducing())
    pair = Pair(server, client)
    assert pair.below[1].producerState == "producing"
    pair.settle()
    assert client.events == ["made", "handshake"]
    assert pair.below[1].producerState == "paused"
    client.transport.resumeProducing()
    assert pair.below[1].producerState == "producing"


def test_handshake_timeout() -> None:
    client = Recorder()
    pair = Pair(Recorder(), client)
    pair.clock.advance(59)
    assert not pair.below[1].disconnecting
    pair.clock.advance(2)
    pair.tls[1].connectionLost(Failure(ConnectionLost()))
    assert client.reason.type is TimedOutConnectionLost


def test_what_the_kernel_has_still_to_bring_there_does_not_double_the_time_to_answer() -> None:
    """Our goodbye is acknowledged at once, and not answered."""
    server, client = Recorder(), Recorder()
    pair = Pair(server, client)
    pair.settle()
    pair.tls[1]._kernelQueue = lambda: 31 if pair.clock.seconds() == 0 else 0  # type: ignore[method-assign]
    client.transport.closeTimeout = 16
    client.transport.loseConnection()
    pair.clock.pump([0.25] * 63)
    assert not pair.below[1].disconnecting
    pair.clock.pump([0.25] * 7)
    assert pair.below[1].disconnecting
    pair.tls[1].connectionLost(Failure(ConnectionLost()))
    assert client.reason.type is TimedOutConnectionLost
    assert "close_notify within 16 seconds" in client.reason.getErrorMessage()


def test_however_long_it_takes_to_send_what_is_queued_while_it_moves_it_is_not_cut_off() -> None:
    server, client = Recorder(), Recorder()
    pair = Pair(server, client)
    pair.settle()
    pair.tls[1]._kernelQueue = lambda: max(0, 100 - int(pair.clock.seconds()))  # type: ignore[method-assign]
    client.transport.closeTimeout = 16
    client.transport.loseConnection()
    pair.clock.pump([0.25] * 400)
    assert not pair.below[1].disconnecting
    pair.clock.pump([0.25] * 70)
    assert pair.below[1].disconnecting


def test_no_timeout_after_the_handshake() -> None:
    """It was for the handshake: a connection may then be idle for ever."""
    server, client = Recorder(), Recorder()
    pair = Pair(server, client)
    pair.settle()
    pair.clock.advance(1000)
    assert not pair.clock.getDelayedCalls()
    client.transport.write(b"still here")
    pair.settle()
    assert server.data == b"still here"


def paused_amid_much() -> tuple[Recorder, Pair]:
    """A client that pauses at each delivery, and 300,000 bytes that have come for it in one piece."""
    server = Recorder()
    client = Recorder().on("data", lambda c: c.transport.pauseProducing())
    pair = Pair(server, client)
    pair.settle()
    server.transport.write(b"r" * 300_000)
    pair.clock.advance(0)
    pair.carry(0)
    return client, pair


def test_resuming_delivers_later() -> None:
    """Much has come in one piece: the rest of it is delivered from the reactor, never from inside."""
    client, pair = paused_amid_much()
    for count in range(1, 5):
        assert client.pieces == count
        client.transport.resumeProducing()
        assert client.pieces == count
        pair.settle()
    client.on("data", lambda c: None)
    client.transport.resumeProducing()
    pair.settle()
    assert client.data == b"r" * 300_000


def test_the_end_is_not_told_while_paused() -> None:
    """Also when it came in one piece with what made the protocol pause."""
    server = Recorder()
    client = Recorder(half_close=True).on("data", lambda c: c.transport.pauseProducing())
    pair = Pair(server, client)
    pair.settle()
    server.transport.write(b"last words")
    server.transport.loseConnection()
    pair.clock.advance(0)
    pair.carry(0)
    assert client.events[-1] == "data"
    client.transport.resumeProducing()
    pair.clock.advance(0)
    assert client.events[-1] == "readLost"


def test_lost_below_right_after_resuming() -> None:
    """What was held back until then is delivered before the end is told."""
    client, pair = paused_amid_much()
    assert client.pieces == 1
    client.on("data", lambda c: None)
    client.transport.resumeProducing()
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    assert client.data == b"r" * 300_000
    assert client.reason.type is TruncatedConnectionLost


@pytest.mark.parametrize("aborts", [False, True])
def test_raising_after_resuming(aborts: bool) -> None:
    """What the protocol raises where no reactor catches it: logged, and the end, if that has not come."""

    def bad(client: Recorder) -> None:
        if aborts:
            client.transport.abortConnection()
        raise ZeroDivisionError("in a protocol")

    def pause(client: Recorder) -> None:
        client.transport.pauseProducing()
        client.on("data", bad)

    server, client = Recorder(), Recorder().on("data", pause)
    pair = Pair(server, client)
    pair.settle()
    server.transport.write(b"r" * 300_000)
    pair.clock.advance(0)
    pair.carry(0)
    logged: list[Any] = []
    log.addObserver(logged.append)
    try:
        client.transport.resumeProducing()
        pair.clock.advance(0)
    finally:
        log.removeObserver(logged.append)
    assert len([event for event in logged if event["isError"]]) == 1
    assert pair.below[1].disconnecting
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    assert client.reason.type is (ConnectionAborted if aborts else ZeroDivisionError)


def test_lost_below_with_something_still_to_send() -> None:
    """The peer has said goodbye, and goes before it has taken the answer: that is no clean end."""
    server = Recorder(half_close=True).on("readLost", lambda s: s.transport.write(b"a" * 500_000))
    client = Recorder(half_close=True)
    pair = Pair(server, client)
    pair.settle()
    pair.below[0].producer.pauseProducing()
    client.transport.loseWriteConnection()
    pair.settle()
    assert "readLost" in server.events
    pair.tls[0].connectionLost(Failure(ConnectionDone()))
    assert server.reason.type is TruncatedConnectionLost


def test_a_failure_waits_for_what_came_before_it() -> None:
    """Who pauses is told of nothing meanwhile: first all of the data, then the reason."""
    server = Recorder()
    client = Recorder().on("data", lambda c: c.transport.pauseProducing())
    pair = Pair(server, client)
    pair.settle()
    server.transport.write(b"f" * 300_000)
    pair.clock.advance(0)
    records = bytearray(pair.below[0].value())
    pair.below[0].clear()
    server.transport.write(b"spoilt")
    pair.clock.advance(0)
    spoilt = bytearray(pair.below[0].value())
    spoilt[-1] ^= 1
    pair.tls[1].dataReceived(bytes(records + spoilt))
    pair.clock.advance(0)
    assert not pair.below[1].disconnecting
    while not pair.below[1].disconnecting:
        pieces = client.pieces
        client.transport.resumeProducing()
        pair.clock.advance(0)
        assert client.pieces > pieces or pair.below[1].disconnecting
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    assert client.data == b"f" * 300_000
    assert client.reason.check(errors.Error), client.reason
    assert not client.reason.check(ConnectionLost)


def renegotiating(server: Recorder, client: Recorder) -> Pair:
    """TLS 1.2: the client has paused, asks for new keys and writes, which has to wait for the answer."""
    factories = contexts()
    for factory in factories:
        context = factory.getContext()
        context.set_max_proto_version(ProtocolVersion.TLS1_2)
        context.clear_options(SSL.OP_NO_RENEGOTIATION)
        context.set_options(getattr(SSL, "OP_ALLOW_CLIENT_RENEGOTIATION", 0))
    pair = Pair(server, client, factories=factories)
    pair.settle()
    client.transport.pauseProducing()
    client.transport.getHandle().renegotiate()
    client.transport.write(b"with new keys")
    client.transport.resumeHandshake()
    return pair


def test_a_renegotiation_while_paused() -> None:
    """A write may wait for what the peer answers: to pause does not stop that; nothing is delivered."""
    server, client = Recorder(), Recorder()
    pair = renegotiating(server, client)
    server.transport.write(b"before the answer")
    pair.settle()
    assert server.data == b"with new keys"
    assert client.data == b""
    assert pair.below[1].producerState == "paused"
    client.transport.resumeProducing()
    pair.settle()
    assert client.data == b"before the answer"


def test_what_is_held_meanwhile_is_bounded() -> None:
    """A peer that sends and sends, and does not answer, is not read for ever."""
    server, client = Recorder(), Recorder()
    pair = renegotiating(server, client)
    pair.clock.advance(0)
    piece = b"m" * 30_000
    sent = b""
    while pair.below[1].producerState != "paused" and len(sent) < 3_000_000:
        sent += piece
        server.transport.write(piece)
        pair.clock.advance(0)
        pair.carry(0)
    assert pair.below[1].producerState == "paused"
    assert 100_000 < len(sent) < 600_000
    client.transport.resumeProducing()
    pair.settle()
    assert client.data == sent
    assert server.data == b"with new keys"


class Narrow(StringTransport):
    """Is full after each piece, from the time that it is told to be."""

    narrow = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.narrow:
            self.producer.pauseProducing()


def test_close_timeout_and_progress() -> None:
    """As long as bytes leave, loseConnection waits; then only as long as is allowed."""
    server, client = Recorder(), Recorder()
    pair = Pair(server, client, Narrow)
    pair.settle()
    below = pair.below[1]
    below.narrow = True
    client.transport.write(b"z" * 1_000_000)
    client.transport.loseConnection()
    for _ in range(5):
        pair.clock.advance(10)
        below.producer.resumeProducing()
        below.producer.resumeProducing()
        pair.clock.advance(10)
        assert not below.disconnected
    pair.clock.advance(31)
    pair.clock.advance(31)
    assert below.disconnected
    pair.tls[1].connectionLost(Failure(ConnectionLost()))
    assert client.reason.type is TimedOutConnectionLost


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        (ConnectionDone(), TruncatedConnectionLost),
        (ConnectionLost(), AbortedConnectionLost),
        (ConnectionAborted(), ConnectionAborted),
        (ValueError("from below"), ValueError),
    ],
)
def test_reasons_from_below(below: Exception, expected: type) -> None:
    """An end of the transport below, in the midst of TLS."""
    client = Recorder()
    pair = Pair(Recorder(), client)
    pair.settle()
    pair.tls[1].connectionLost(Failure(below))
    assert client.reason.type is expected


def test_nothing_after_the_end() -> None:
    """Late calls, from above and from below, do nothing."""
    client = Recorder()
    pair = Pair(Recorder(), client)
    pair.settle()
    transport = client.transport
    transport.abortConnection()
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    pair.tls[1].dataReceived(b"late")
    pair.below[1].clear()
    transport.write(b"late")
    transport.loseConnection()
    transport.loseWriteConnection()
    transport.abortConnection()
    transport.pauseProducing()
    transport.resumeProducing()
    transport.unregisterProducer()
    transport.resumeHandshake()
    pair.clock.advance(100)
    assert client.reason.type is ConnectionAborted
    assert pair.below[1].value() == b""
    assert client.data == b""


def test_factory_without_a_protocol() -> None:
    context = ServerContextFactory(pki() / "server-both.pem")
    assert TLSWrapperFactory(context, False, Once()).buildProtocol(None) is None


class Counted:
    """A producer that does something when it is asked, and counts how often it is."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.act = act
        self.asked = self.paused = self.stopped = 0

    def resumeProducing(self) -> None:
        self.asked += 1
        self.act()

    def pauseProducing(self) -> None:
        self.paused += 1

    def stopProducing(self) -> None:
        self.stopped += 1


def settled(*, half_close: bool = False, factories: Any = None) -> tuple[Recorder, Recorder, Pair]:
    server, client = Recorder(half_close=half_close), Recorder(half_close=half_close)
    pair = Pair(server, client, factories=factories)
    pair.settle()
    return server, client, pair


def test_abort_while_what_is_below_closes() -> None:
    """Both have said goodbye, and the peer does not take what waits there: who waits no longer may abort."""
    _, client, pair = settled()
    aborted: list[bool] = []
    pair.below[1].abortConnection = lambda: aborted.append(True)
    client.transport.loseConnection()
    pair.settle()
    assert pair.below[1].disconnecting
    assert not aborted
    for _ in range(2):
        client.transport.abortConnection()
    assert aborted == [True]
    pair.tls[1].connectionLost(Failure(ConnectionAborted()))
    assert client.events[-1] == "lost"
    assert client.reason.type is ConnectionAborted
    client.transport.abortConnection()


def test_what_is_below_does_not_close_for_ever() -> None:
    """Both have said goodbye; the peer goes on taking what waits below, and then takes nothing any more."""
    ours, theirs = socket.socketpair()

    class OnSocket(StringTransport):
        aborted = False

        def getHandle(self) -> Any:
            return ours

        def abortConnection(self) -> None:
            self.aborted = True

    client = Recorder()
    pair = Pair(Recorder(), client, OnSocket)
    pair.settle()
    for _ in range(3):
        ours.send(b"s" * 10_000)
    client.transport.loseConnection()
    pair.settle()
    below, timeout = pair.below[1], client.transport.closeTimeout
    assert below.disconnecting
    for _ in range(2):
        pair.clock.pump([timeout / 10] * 9)
        theirs.recv(10_000)
    pair.clock.pump([timeout / 10] * 9)
    assert not below.aborted
    pair.clock.pump([timeout / 10] * 2)
    assert below.aborted
    pair.tls[1].connectionLost(Failure(ConnectionAborted()))
    assert client.reason.type is TimedOutConnectionLost
    assert "did not take" in str(client.reason.value)
    assert not pair.clock.getDelayedCalls()
    ours.close()
    theirs.close()


def test_no_producer_is_asked_after_abortConnection() -> None:
    """Neither by what was due before, nor from within."""
    _, client, pair = settled()
    producer = Counted()
    client.transport.registerProducer(producer, False)
    asked = producer.asked
    client.transport.abortConnection()
    pair.clock.advance(0)
    assert producer.asked == asked

    _, client, pair = settled()
    producer = Counted(client.transport.abortConnection)
    client.transport.registerProducer(producer, False)
    pair.clock.advance(0)
    assert producer.asked == 1


def test_a_producer_that_makes_room_for_another() -> None:
    """The next one is of another kind, and is not asked in its place."""
    _, client, pair = settled()
    push = Counted()

    def give_way() -> None:
        client.transport.unregisterProducer()
        client.transport.registerProducer(push, True)

    client.transport.registerProducer(Counted(give_way), False)
    pair.clock.advance(0)
    assert push.asked == 0


def test_a_pull_producer_leaves_turns_to_others_within_an_event() -> None:
    server, client, pair = settled()

    def write() -> None:
        server.transport.write(b"little")
        if producer.asked == 1000:
            server.transport.unregisterProducer()

    producer = Counted(write)
    server.on("data", lambda s: s.transport.registerProducer(producer, False))
    client.transport.write(b"begin")
    pair.carry(1)
    assert 0 < producer.asked < 100
    pair.settle()
    assert client.data == b"little" * 1000


def test_loseWriteConnection_waits_for_a_producer() -> None:
    """And goes on as soon as that has written all, whatever else happens."""
    server, client, pair = settled(half_close=True)
    client.transport.registerProducer(Counted(), True)
    client.transport.loseWriteConnection()
    client.transport.write(b"still")
    pair.settle()
    assert (server.data, "readLost" in server.events) == (b"still", False)
    client.transport.unregisterProducer()
    pair.settle()
    assert "readLost" in server.events
    assert client.reason is None


def test_loseConnection_after_loseWriteConnection_is_timed_as_well() -> None:
    _, client, pair = settled(half_close=True)
    client.transport.loseWriteConnection()
    pair.settle()
    client.transport.loseConnection()
    pair.clock.advance(0)
    pair.clock.advance(client.transport.closeTimeout + 1)
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    assert client.reason.type is TimedOutConnectionLost


def test_who_has_aborted_is_told_of_no_handshake() -> None:
    """Though it may be complete with the very event in which a callback did so."""
    factories = contexts()

    def refuse(*_: Any) -> bool:
        pair.tls[1].abortConnection()
        return True

    factories[1].getContext().set_verify(SSL.VERIFY_PEER, refuse)
    client = Recorder()
    server = Recorder().on("made", lambda s: None)
    pair = Pair(server, client, factories=factories)
    pair.settle()
    pair.tls[1].connectionLost(Failure(ConnectionAborted()))
    assert client.events == ["made", "lost"]
    assert client.reason.type is ConnectionAborted


def test_loseConnection_while_paused_hears_the_peers_goodbye_behind_much() -> None:
    """What is decrypted already, and nobody wants, is no reason to stop there."""
    server, client, pair = settled()
    client.transport.pauseProducing()
    server.transport.write(b"u" * 300_000)
    server.transport.loseConnection()
    pair.settle()
    client.transport.loseConnection()
    pair.settle()
    assert pair.below[1].disconnecting
    assert client.data == b""


@pytest.mark.parametrize(("data", "ends"), [(b"", True), (b"held", False)])
def test_resuming_from_within_a_producer(data: bytes, ends: bool) -> None:
    """What a relay does whose other side has room again: what was held back comes, and the end as well."""
    server, client, pair = settled()
    producer = Counted(client.transport.resumeProducing)
    client.transport.registerProducer(producer, True)
    feeder = pair.below[1].producer
    feeder.pauseProducing()
    client.transport.write(b"w" * 500_000)
    assert producer.paused == 1
    client.transport.pauseProducing()
    server.transport.write(data)
    if ends:
        server.transport.loseConnection()
    pair.settle()
    assert client.data == b""
    feeder.resumeProducing()
    assert producer.asked == 1
    assert client.data == data
    pair.settle()
    assert pair.below[1].disconnecting is ends


def test_what_is_held_meanwhile_keeps_its_order_and_is_forgotten_after() -> None:
    server, client = Recorder(), Recorder()
    pair = renegotiating(server, client)
    sent = b""
    for turn in range(3):
        for number in range(20):
            piece = b"%d " % number * 3000
            sent += piece
            server.transport.write(piece)
            pair.clock.advance(0)
            pair.carry(0)
            assert pair.below[1].producerState == "producing"
        pair.settle()
        assert server.data == b"with new keys" * (turn + 1)
        assert client.data != sent
        client.transport.resumeProducing()
        pair.settle()
        assert client.data == sent
        client.transport.pauseProducing()
        client.transport.getHandle().renegotiate()
        client.transport.write(b"with new keys")
        client.transport.resumeHandshake()


def test_nothing_leaves_after_abortConnection_in_a_producers_turn() -> None:
    """Not even a goodbye, which would call it a clean end, though loseConnection came before."""
    server, client, pair = settled()

    def give_up() -> None:
        client.transport.unregisterProducer()
        client.transport.abortConnection()

    producer = Counted()
    client.transport.registerProducer(producer, False)
    client.transport.loseConnection()
    producer.act = give_up
    server.transport.write(b"an event")
    pair.carry(0)
    assert pair.below[1].value() == b""
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    assert client.reason.type is ConnectionAborted


def test_paused_and_blocked_reads_nothing() -> None:
    """A peer that takes nothing gets nothing read either, though a write waits to leave."""
    _, client, pair = settled()
    pair.below[1].producer.pauseProducing()
    client.transport.write(b"v" * 500_000)
    client.transport.pauseProducing()
    pair.clock.advance(0)
    assert pair.below[1].producerState == "paused"


def test_nothing_is_delivered_after_loseConnection_that_waits_for_a_producer() -> None:
    server, client, pair = settled()
    client.transport.registerProducer(Counted(), True)
    client.transport.loseConnection()
    server.transport.write(b"too late")
    pair.settle()
    assert client.data == b""


def test_loseWriteConnection_within_an_event() -> None:
    """The goodbye leaves with that event, and waits for no other."""
    server, client, pair = settled(half_close=True)
    server.on("data", lambda s: s.transport.loseWriteConnection())
    client.transport.write(b"now")
    pair.settle()
    assert client.events[-1] == "readLost"


def ask_for_new_keys(engine: Any) -> None:
    for _ in range(3):
        engine.key_update(True)
        engine.event_write(b"with new keys")


def ask_for_a_certificate(engine: Any) -> None:
    engine.set_verify(SSL.VERIFY_PEER)
    engine.verify_client_post_handshake()
    engine.event_proceed()


@pytest.mark.parametrize("ask", [ask_for_new_keys, ask_for_a_certificate])
def test_TLS_answers_nothing_after_our_goodbye(ask: Callable[[Any], None]) -> None:
    """What the peer asks for right before its own comes too late (RFC 8446, section 6.1), and all is over."""
    factories = contexts()
    factories[0].getContext().load_verify_locations(str(pki() / "ca.pem"))
    factories[0].getContext().set_session_id(b"asks")
    factories[1].getContext().use_certificate_chain_file(str(pki() / "client-both.pem"))
    factories[1].getContext().use_privatekey_file(str(pki() / "client-both.pem"))
    factories[1].getContext().set_post_handshake_auth(True)
    server, client, pair = settled(half_close=True, factories=factories)
    client.transport.loseWriteConnection()
    pair.clock.advance(0)
    assert client.events[-1] == "writeLost"
    pair.below[1].clear()
    ask(server.transport.getHandle())
    server.transport.loseConnection()
    pair.clock.advance(0)
    pair.carry(0)
    assert client.events[-1] == "readLost"
    assert pair.below[1].value() == b""
    assert pair.below[1].disconnecting


def test_who_has_lost_the_connection_is_told_of_no_half() -> None:
    server, client, pair = settled(half_close=True)
    client.transport.loseConnection()
    pair.settle()
    assert server.events[-1] == "readLost"
    server.transport.loseConnection()
    pair.settle()
    assert pair.below[1].disconnecting
    assert client.events == ["made", "handshake"]


def test_a_callback_that_raises_is_logged() -> None:
    """Many users do not look at the reason."""
    fault = RuntimeError("a callback's own")

    def fail(*_: Any) -> bool:
        raise fault

    factories = contexts()
    factories[1].getContext().set_verify(SSL.VERIFY_PEER, fail)
    logged: list[Any] = []
    globalLogPublisher.addObserver(logged.append)
    try:
        _, client, pair = settled(factories=factories)
    finally:
        globalLogPublisher.removeObserver(logged.append)
    assert [event["error"] for event in logged if "error" in event] == [fault]
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    assert client.reason.value is fault


def test_the_first_verdict_counts() -> None:
    _, client, pair = settled()
    first, second = Failure(ValueError("first")), Failure(ValueError("second"))
    client.transport.failVerification(first)
    client.transport.failVerification(second)
    pair.tls[1].connectionLost(Failure(ConnectionAborted()))
    assert client.reason is first


def test_what_was_written_before_abortConnection_in_an_event() -> None:
    """It has not left, and does not."""
    server, client, pair = settled()

    def abort(server: Recorder) -> None:
        server.transport.write(b"never")
        server.transport.abortConnection()

    server.on("data", abort)
    client.transport.write(b"go")
    pair.carry(1)
    assert pair.below[0].value() == b""


def test_nothing_that_is_held_is_delivered_after_abortConnection() -> None:
    server, client = Recorder(), Recorder()
    pair = renegotiating(server, client)
    for piece in (b"one", b"two"):
        server.transport.write(piece)
        pair.clock.advance(0)
        pair.carry(0)
    client.on("data", lambda c: c.transport.abortConnection())
    client.transport.resumeProducing()
    pair.clock.advance(0)
    assert client.data == b"one"


def test_a_hello_that_cannot_be_made() -> None:
    """It is told at once, and not by the handshake's timeout."""
    factories = contexts()
    context = factories[1].getContext()
    context.set_min_proto_version(ProtocolVersion.TLS1_3)
    context.set_max_proto_version(ProtocolVersion.TLS1_2)
    _, client, pair = settled(factories=factories)
    assert pair.below[1].disconnecting
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    assert client.reason.check(errors.Error), client.reason


def test_bytes_that_leave_the_kernel_are_progress() -> None:
    """loseConnection waits as long as the peer takes something, be it from the socket's buffer alone."""
    ours, theirs = socket.socketpair()

    class OnSocket(StringTransport):
        def getHandle(self) -> Any:
            return ours

    client = Recorder()
    pair = Pair(Recorder(), client, OnSocket)
    pair.settle()
    ours.send(b"s" * 10_000)
    ours.send(b"s" * 10_000)
    client.transport.loseConnection()
    pair.clock.advance(0)
    theirs.recv(10_000)
    pair.clock.advance(client.transport.closeTimeout)
    assert not pair.below[1].disconnecting
    pair.clock.advance(client.transport.closeTimeout)
    assert pair.below[1].disconnected or pair.below[1].disconnecting
    pair.tls[1].connectionLost(Failure(ConnectionDone()))
    assert client.reason.type is TimedOutConnectionLost
    assert "did not take" in str(client.reason.value)
    ours.close()
    theirs.close()


@pytest.mark.parametrize("aborts", [False, True])
def test_raising_when_lost_below(aborts: bool) -> None:
    """The same with the last data of a connection that is lost: what the protocol did comes first."""

    def bad(client: Recorder) -> None:
        if aborts:
            client.transport.abortConnection()
        else:
            raise ZeroDivisionError("in a protocol")

    client, pair = paused_amid_much()
    client.on("data", bad)
    client.transport.resumeProducing()
    logged: list[Any] = []
    log.addObserver(logged.append)
    try:
        pair.tls[1].connectionLost(Failure(ConnectionDone()))
    finally:
        log.removeObserver(logged.append)
    assert [event for event in logged if event["isError"]] == logged[: not aborts]
    assert client.pieces == 2
    assert client.reason.type is (ConnectionAborted if aborts else ZeroDivisionError)


def test_pausing_outside_of_an_event() -> None:
    """Nothing more is read from then on, not one event more."""
    _, client, pair = settled()
    client.transport.pauseProducing()
    assert pair.below[1].producerState == "paused"
    client.transport.resumeProducing()
    assert pair.below[1].producerState == "producing"


def test_what_a_callback_writes_waits_for_its_verdict() -> None:
    """Much is written by a callback that then refuses the peer, who must not hear that all is well."""
    server, client = Recorder(), Recorder()
    factories = contexts()
    left = []

    def refuse(_connection: Any, where: int, _result: int) -> None:
        if where & SSL.SSL_CB_HANDSHAKE_DONE:
            before = len(pair.below[1].value())
            client.transport.write(bytes(20_000))
            left.append(len(pair.below[1].value()) - before)
            raise LookupError("not this one")

    factories[1].getContext().set_info_callback(refuse)
    pair = Pair(server, client, factories=factories)
    pair.settle()
    assert left == [0]
    assert "handshake" not in server.events
