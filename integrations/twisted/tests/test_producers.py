"""Who writes much is told when to stop, so that memory stays bounded."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

from transport_matrix import Once, Recorder, TransportCase, either, whole_matrix
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.protocols.basic import FileSender
from zope.interface import implementer

from openssl_iface import SSL
from openssl_iface.values import ProtocolVersion

CHUNK = os.urandom(10_000)
# More than two kernels' buffers hold.
COUNT = 2_000


@implementer(IPushProducer)
class Push:
    """Writes whenever it may, and keeps account."""

    def __init__(self, transport: Any, count: int = COUNT) -> None:
        self.transport = transport
        self.left = count
        self.paused = True
        self.pauses = 0
        self.most = 0
        self.stopped = False

    def begin(self) -> None:
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        while self.left and not self.paused:
            self.left -= 1
            self.transport.write(CHUNK)
            self.most = max(self.most, self.transport.getHandle().queued)
        if not self.left and not self.paused:
            self.transport.unregisterProducer()
            self.transport.loseConnection()
            self.paused = True

    def pauseProducing(self) -> None:
        self.paused = True
        self.pauses += 1

    def stopProducing(self) -> None:
        self.stopped = True


@implementer(IPullProducer)
class Pull:
    """Writes one piece each time that it is asked."""

    def __init__(self, transport: Any, count: int) -> None:
        self.transport = transport
        self.left = count
        self.most = 0
        self.inside = self.stopped = False

    def resumeProducing(self) -> None:
        assert not self.inside
        self.inside = True
        self.left -= 1
        self.transport.write(CHUNK)
        self.most = max(self.most, self.transport.getHandle().queued)
        if not self.left:
            self.transport.unregisterProducer()
        self.inside = False

    def stopProducing(self) -> None:
        self.stopped = True


class Producers(TransportCase):
    def slow(self, client: Recorder) -> None:
        """Read a piece, pause, go on later."""
        client.transport.pauseProducing()
        self.reactor.callLater(0, client.transport.resumeProducing)

    @either
    def test_push(self) -> None:
        """A push producer is paused when much waits to leave, and resumed when little does."""
        producers = []

        def begin(server: Recorder) -> None:
            producers.append(Push(server.transport))
            producers[0].begin()

        server = Recorder().on("made", begin)
        client = Recorder().on("data", self.slow)
        self.runPair(server, client)
        self.assertEqual(client.data, CHUNK * COUNT)
        self.assertGreater(producers[0].pauses, 2)
        self.assertLess(producers[0].most, 400_000)
        self.assertFalse(producers[0].stopped)
        self.assertIs(server.reason.type, ConnectionDone)

    @either
    def test_pull(self) -> None:
        """A pull producer is asked until it is through; loseConnection waits for it."""
        producers = []

        def begin(server: Recorder) -> None:
            producers.append(Pull(server.transport, COUNT))
            server.transport.registerProducer(producers[0], False)
            server.transport.loseConnection()

        server = Recorder().on("handshake", begin)
        client = Recorder().on("data", self.slow)
        self.runPair(server, client)
        self.assertEqual(client.data, CHUNK * COUNT)
        self.assertLess(producers[0].most, 200_000)
        self.assertFalse(producers[0].stopped)
        self.assertIs(server.reason.type, ConnectionDone)

    def test_what_has_left_does_not_count(self) -> None:
        """Answers that left long ago are no reason to pause who writes little."""
        producer = Push(None, 0)

        def answer(server: Recorder) -> None:
            server.transport.write(CHUNK)
            if server.pieces == 20:
                server.transport.registerProducer(producer, True)
                server.transport.unregisterProducer()
                server.transport.loseConnection()

        server = Recorder().on("data", answer)
        client = Recorder().on("handshake", lambda c: c.transport.write(b"?"))
        client.on("data", lambda c: len(c.data) % len(CHUNK) == 0 and c.transport.write(b"?"))
        self.runPair(server, client)
        self.assertEqual(producer.pauses, 0)
        self.assertEqual(client.data, CHUNK * 20)

    def pullSmall(self, count: int) -> None:
        """Small pieces leave in their order, and the last one leaves, too."""
        pieces = [b"%d " % number for number in range(count)]
        whole = b"".join(pieces)

        @implementer(IPullProducer)
        class Small:
            def __init__(self, server: Recorder) -> None:
                self.server = server

            def resumeProducing(self) -> None:
                self.server.transport.write(pieces.pop(0))
                if not pieces:
                    self.server.transport.unregisterProducer()

            def stopProducing(self) -> None:
                pass

        def arrived(client: Recorder) -> None:
            if len(client.data) >= len(whole):
                client.transport.loseConnection()

        server = Recorder().on("data", lambda s: s.transport.registerProducer(Small(s), False))
        client = Recorder().on("handshake", lambda c: c.transport.write(b"x")).on("data", arrived)
        self.runPair(server, client)
        self.assertEqual(client.data, whole)

    @either
    def test_pull_of_small_pieces(self) -> None:
        """More than one turn's, begun within an event."""
        self.pullSmall(39)

    @either
    def test_pull_that_ends_with_a_turn(self) -> None:
        """Nothing is written after it."""
        self.pullSmall(32)

    @either
    def test_cancelling_what_is_delayed_silences_nobody(self) -> None:
        """Some programs cancel all delayed calls of a reactor, as test runners do between two tests."""

        def begin(client: Recorder) -> None:
            client.transport.write(b"1")
            client.transport.write(b"2")
            for call in self.reactor.getDelayedCalls():
                if "_run" in str(call):
                    call.cancel()
            self.reactor.callLater(0, on, client)

        def on(client: Recorder) -> None:
            client.transport.write(b"3")
            client.transport.write(b"4")

        def arrived(server: Recorder) -> None:
            if len(server.data) == 4:
                server.transport.loseConnection()

        server = Recorder().on("data", arrived)
        client = Recorder().on("handshake", lambda c: self.reactor.callLater(0, begin, c))
        self.runPair(server, client)
        self.assertEqual(server.data, b"1234")

    @either
    def test_pull_leaves_turns_to_others(self) -> None:
        """However much is taken, a pull producer is asked a few times in each iteration of the reactor."""
        pulls = []

        class Source(Pull):
            def resumeProducing(self) -> None:
                pulls[-1] += 1
                super().resumeProducing()

        def turn(server: Recorder) -> None:
            pulls.append(0)
            if server.reason is None:
                self.reactor.callLater(0, turn, server)

        def begin(server: Recorder) -> None:
            turn(server)
            server.transport.registerProducer(Source(server.transport, 500), False)
            server.transport.loseConnection()

        server, client = Recorder().on("handshake", begin), Recorder()
        self.runPair(server, client)
        self.assertEqual(client.data, CHUNK * 500)
        self.assertLess(max(pulls), 50)

    @either
    def test_file_sender(self) -> None:
        """Twisted's own."""

        def begin(server: Recorder) -> None:
            sent = FileSender().beginFileTransfer(io.BytesIO(CHUNK * 300), server.transport)
            sent.addCallback(lambda _: server.transport.loseConnection())

        server = Recorder().on("made", begin)
        client = Recorder()
        self.runPair(server, client)
        self.assertEqual(client.data, CHUNK * 300)

    def test_relay(self) -> None:
        """One transport as the producer of the other: a peer that does not read makes the source wait."""
        relayed = Recorder()
        sink = Recorder().on("data", self.slow)

        def connected(server: Recorder) -> None:
            # server.transport -> relayed.transport: what the server receives goes to the sink.
            server.transport.pauseProducing()
            relayed.transport.registerProducer(server.transport, True)
            server.transport.resumeProducing()

        def forward(server: Recorder) -> None:
            relayed.transport.write(bytes(server.data))
            server.data.clear()

        def lost(server: Recorder) -> None:
            relayed.transport.unregisterProducer()
            relayed.transport.loseConnection()

        server = Recorder().on("made", connected).on("data", forward).on("lost", lost)
        source = Recorder().on(
            "handshake", lambda c: (c.transport.write(CHUNK * 1000), c.transport.loseConnection())
        )

        outer = self.listen(Once(server))
        inner = self.listen(Once(relayed.on("handshake", lambda _: self.connect(outer, Once(source)))))
        self.connect(inner, Once(sink))
        self.runUntilLost(server, source, relayed, sink)
        self.assertEqual(sink.data, CHUNK * 1000)
        self.assertIs(sink.reason.type, ConnectionDone)

    @either
    def test_second_producer(self) -> None:
        """Two at a time are refused; one after the other is fine; too late, it is stopped at once."""
        seen = []

        def begin(server: Recorder) -> None:
            transport = server.transport
            transport.registerProducer(Push(transport), True)
            try:
                transport.registerProducer(Push(transport), True)
            except RuntimeError as error:
                seen.append(error)
            transport.unregisterProducer()
            transport.registerProducer(Push(transport), True)
            transport.unregisterProducer()
            transport.loseConnection()

        def late(server: Recorder) -> None:
            producer = Push(server.transport)
            server.transport.registerProducer(producer, True)
            seen.append(producer.stopped)

        server = Recorder().on("handshake", begin).on("lost", late)
        self.runPair(server, Recorder())
        self.assertEqual(len(seen), 2)
        self.assertIs(seen[1], True)

    @either
    def test_stopped(self) -> None:
        """A producer learns that the connection is lost."""
        producers = []

        def begin(server: Recorder) -> None:
            producers.append(Push(server.transport))
            producers[0].begin()

        server = Recorder().on("handshake", begin)
        client = Recorder().on("data", lambda c: c.transport.abortConnection())
        self.runPair(server, client)
        self.assertTrue(producers[0].stopped)

    @either
    def test_waits_for_who_writes_later(self) -> None:
        """A producer that has written nothing when its connection is begun, and given up."""

        class Later(Push):
            def resumeProducing(self) -> None: ...

        def made(server: Recorder) -> None:
            server.transport.registerProducer(Later(server.transport), True)
            server.transport.loseConnection()

        def write(server: Recorder) -> None:
            server.transport.write(CHUNK)
            server.transport.unregisterProducer()

        server, client = Recorder().on("made", made).on("handshake", write), Recorder()
        self.runPair(server, client)
        self.assertEqual(client.data, CHUNK)
        self.assertIs(server.reason.type, ConnectionDone)

    @either
    def test_what_is_collected_counts(self) -> None:
        """What waits to be joined with more is on its way as well: who comes then is paused at once."""
        producer = Push(None, 0)
        pauses = []

        def made(server: Recorder) -> None:
            producer.transport = server.transport
            server.transport.write(CHUNK * 6)
            server.transport.write(CHUNK)
            server.transport.registerProducer(producer, True)
            pauses.append(producer.pauses)

        server, client = Recorder().on("made", made), Recorder()
        self.runPair(server, client)
        self.assertEqual(pauses, [1])
        self.assertEqual(client.data, CHUNK * 7)

    def renegotiate(self, begin: Callable[[Any], None], asked: Callable[[], int]) -> None:
        """TLS 1.2: what is written in a renegotiation waits for new keys, and leaves with the peer's answer.

        The producer is *asked* again by then, not when the peer has something to say the next time.
        """
        if self.version != ProtocolVersion.TLS1_2:
            return
        contexts = self.serverContext(), self.clientContext()
        for context in contexts:
            context.getContext().clear_options(SSL.OP_NO_RENEGOTIATION)
            context.getContext().set_options(getattr(SSL, "OP_ALLOW_CLIENT_RENEGOTIATION", 0))
        waiting: list[int] = []
        counts: list[int] = []

        def ask(client: Recorder) -> None:
            client.transport.getHandle().renegotiate()
            begin(client.transport)
            waiting.append(client.transport.getHandle().queued)
            counts.append(asked())
            client.transport.resumeHandshake()

        def arrived(server: Recorder) -> None:
            if len(server.data) >= waiting[0]:
                server.on("data", lambda s: None).transport.write(b"is there more?")

        def look(client: Recorder) -> None:
            counts.append(asked())
            client.transport.unregisterProducer()
            client.transport.loseConnection()

        server = Recorder().on("data", arrived)
        client = Recorder().on("handshake", lambda c: self.reactor.callLater(0, ask, c)).on("data", look)
        self.runPair(server, client, serverContext=contexts[0], clientContext=contexts[1])
        self.assertGreater(waiting[0], 0)
        self.assertGreater(counts[1], counts[0])

    def test_push_in_a_renegotiation(self) -> None:
        """It was paused by what waits, and is resumed when that has left."""

        class Idle(Push):
            resumes = 0

            def resumeProducing(self) -> None:
                self.resumes += 1

        def begin(transport: Any) -> None:
            transport.registerProducer(producer, True)
            transport.write(CHUNK * 7)
            self.assertEqual(producer.pauses, 1)

        producer = Idle(None)
        self.renegotiate(begin, lambda: producer.resumes)

    def test_pull_in_a_renegotiation(self) -> None:
        """It is asked for a little that waits, and for more when that has left."""
        producer = Pull(None, COUNT)

        def begin(transport: Any) -> None:
            producer.transport = transport
            transport.registerProducer(producer, False)

        self.renegotiate(begin, lambda: COUNT - producer.left)


whole_matrix(Producers, globals())
