"""Half a connection, and what becomes of it: who goes on writing, who goes away, who was still to write."""

from __future__ import annotations

import itertools
import os
from typing import Any

from transport_matrix import Once, Recorder, StdlibPeer, TransportCase, either, whole_matrix
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from openssl_iface import SSL
from openssl_iface.errors import Error
from openssl_iface.values import ProtocolVersion
from openssl_iface_twisted import AbortedConnectionLost

BLOB = os.urandom(1 << 20)


class Idle:
    """A push producer that has nothing to say yet, and counts what it is told."""

    def __init__(self) -> None:
        self.stopped = self.paused = self.resumed = 0

    def pauseProducing(self) -> None:
        self.paused += 1

    def resumeProducing(self) -> None:
        self.resumed += 1

    def stopProducing(self) -> None:
        self.stopped += 1


class Goodbyes(TransportCase):
    @either
    def test_half_a_connection_stays_open(self) -> None:
        """Who was told readConnectionLost may write as long as it likes: TLS 1.3."""
        if self.version != ProtocolVersion.TLS1_3:
            return

        def readLost(server: Recorder) -> None:
            self.reactor.callLater(0.02, server.transport.write, b"later")
            self.reactor.callLater(0.04, server.transport.write, BLOB)
            self.reactor.callLater(0.06, server.transport.loseConnection)

        server = Recorder(half_close=True).on("readLost", readLost)
        client = Recorder(half_close=True).on("handshake", lambda c: c.transport.loseWriteConnection())
        self.runPair(server, client)
        self.assertEqual(client.data, b"later" + BLOB)
        self.assertEqual(client.events, ["made", "handshake", "writeLost", "data", "readLost", "lost"])
        self.assertIs(server.reason.type, ConnectionDone)
        self.assertIs(client.reason.type, ConnectionDone)

    @either
    def test_loseWriteConnection_goes_on_receiving(self) -> None:
        """It is not loseConnection: what the peer sends is delivered (TLS 1.3)."""
        if self.version != ProtocolVersion.TLS1_3:
            return
        client = Recorder(half_close=True).on("handshake", lambda c: c.transport.loseWriteConnection())
        client.on("writeLost", lambda c: server.transport.write(BLOB))
        client.on("data", lambda c: len(c.data) == len(BLOB) and server.transport.loseConnection())
        server = Recorder(half_close=True)
        self.runPair(server, client)
        self.assertEqual(client.data, BLOB)
        self.assertIs(client.reason.type, ConnectionDone)

    def leaving(self, then: Any) -> tuple[Recorder, StdlibPeer]:
        """A peer that says goodbye, and is gone with a reset before the answer; *then* the server acts."""
        server = Recorder(half_close=True)
        client = self.stranger()
        client.on("handshake", lambda c: c.closeNotify())
        server.on("readLost", lambda s: client.transport.abortConnection())
        client.on("lost", lambda c: self.reactor.callLater(0.02, then, server))
        self.runWith(server, client)
        return server, client

    @either
    def test_reset_after_both_goodbyes(self) -> None:
        """All was said: that the answer to a goodbye was not waited for is no failure."""
        if self.version != ProtocolVersion.TLS1_3 or self.edge != "socket":
            return  # a transport of Twisted's that is lost says so at once
        server, _ = self.leaving(lambda server: server.transport.loseConnection())
        self.assertIs(server.reason.type, ConnectionDone)

    @either
    def test_reset_while_answering_a_goodbye(self) -> None:
        """Somebody who wrote on, to a peer that was gone, learns that it did not arrive."""
        if self.version != ProtocolVersion.TLS1_3 or self.edge != "socket":
            return

        def write(server: Recorder) -> None:
            if server.reason is None:
                server.transport.write(b"an answer")
                self.reactor.callLater(0.01, write, server)

        server, _ = self.leaving(write)
        self.assertIs(server.reason.type, AbortedConnectionLost)

    @either
    def test_reset_before_everything_has_left(self) -> None:
        """A goodbye has come and ours is queued behind much: a reset then is a loss."""
        if self.version != ProtocolVersion.TLS1_3 or self.edge != "socket":
            return

        def readLost(server: Recorder) -> None:
            server.transport.write(BLOB * 16)
            server.transport.loseConnection()
            self.reactor.callLater(0.05, client.transport.abortConnection)

        server = Recorder(half_close=True).on("readLost", readLost)
        client = self.stranger()
        client.on("handshake", lambda c: (c.closeNotify(), c.transport.pauseProducing()))
        self.runWith(server, client)
        self.assertIs(server.reason.type, AbortedConnectionLost)

    def crossed(self, said: bytes) -> Recorder:
        """The server says *said* and goodbye, to a peer whose goodbye and reset it has not read yet."""

        def both() -> None:
            client.transport.setTcpNoDelay(True)
            client.closeNotify()
            client.transport.doWrite()
            client.transport.connectionLost(Failure(ConnectionAborted()))
            server.transport.write(said)
            server.transport.loseConnection()

        def ready(_: Recorder) -> None:
            if client.shaken and "handshake" in server.events:
                self.reactor.callLater(0, both)

        server = Recorder().on("handshake", ready)
        client = self.stranger().on("handshake", ready)
        self.meet(server, client)
        self.runUntilLost(server)
        return server

    @either
    def test_reset_behind_a_crossed_goodbye(self) -> None:
        """Both have said all that they had to say: that the peer did not wait for it is no failure."""
        self.assertIs(self.crossed(b"").reason.type, ConnectionDone)

    @either
    def test_reset_behind_a_crossed_goodbye_with_something_queued(self) -> None:
        """The same, but for what has not arrived."""
        self.assertIs(self.crossed(BLOB * 16).reason.type, AbortedConnectionLost)

    @either
    def test_reset_behind_a_goodbye_with_something_queued(self) -> None:
        """What was on its way to a peer that says goodbye, and is gone, has not arrived."""
        if self.edge != "socket":
            return

        def write(server: Recorder) -> None:
            while not server.transport.getHandle().queued:
                server.transport.write(bytes(8000))
            client.transport.setTcpNoDelay(True)
            client.closeNotify()
            client.transport.doWrite()
            client.transport.connectionLost(Failure(ConnectionAborted()))

        def ready(_: Recorder) -> None:
            if client.shaken and "handshake" in server.events:
                client.transport.pauseProducing()
                self.reactor.callLater(0, write, server)

        server = Recorder().on("handshake", ready)
        client = self.stranger().on("handshake", ready)
        self.meet(server, client)
        self.runUntilLost(server)
        self.assertIs(server.reason.type, AbortedConnectionLost)

    @either
    def test_reset_behind_a_goodbye_with_the_last_flight(self) -> None:
        """Nothing but tickets could not be sent: nobody misses them."""
        if self.version != ProtocolVersion.TLS1_3 or self.edge != "socket" or self.reversed:
            return  # only who is complete first can say goodbye with its last flight

        def gone(server: Recorder) -> None:
            self.assertIsNotNone(server.transport.getHandle().get_cipher_name())
            client.transport.connectionLost(Failure(ConnectionAborted()))

        server = Recorder().on("handshake", gone)
        client = self.stranger().on("handshake", lambda c: c.closeNotify())
        self.runWith(server, client)
        self.assertIs(server.reason.type, ConnectionDone)

    @either
    def test_producer_of_a_connection_that_the_peer_closes(self) -> None:
        """It is told to stop, once, although it was waiting for nothing."""
        producer = Idle()
        server = Recorder().on("handshake", lambda s: s.transport.registerProducer(producer, True))
        client = Recorder().on(
            "handshake", lambda c: self.reactor.callLater(0.02, c.transport.loseConnection)
        )
        self.runPair(server, client)
        self.assertEqual((producer.stopped, producer.paused), (1, 0))
        self.assertIs(server.reason.type, ConnectionDone)
        self.assertIs(client.reason.type, ConnectionDone)

    def test_nothing_is_sent_by_who_leaves_at_once(self) -> None:
        """loseConnection in connectionMade, with nothing written: not even a hello."""
        if self.edge == "starttls":
            return  # it has begun before the protocol is told
        server, client = Recorder(), Recorder().on("made", lambda c: c.transport.loseConnection())
        self.connect(self.listenPlain(Once(server)), Once(client))
        self.runUntilLost(server, client)
        self.assertEqual(server.data, b"")
        self.assertIs(client.reason.type, ConnectionDone)

    def test_who_leaves_before_the_handshake_is_told_later(self) -> None:
        """Not from inside of the call."""
        told: list[bool] = []

        def leave(client: Recorder) -> None:
            client.transport.loseConnection()
            told.append(client.reason is not None)

        server = Recorder()
        client = Recorder().on("made", lambda c: self.reactor.callLater(0, leave, c))
        self.connect(self.listenPlain(Once(server)), Once(client))
        self.runUntilLost(server, client)
        self.assertEqual(told, [False])
        self.assertIs(client.reason.type, ConnectionDone)

    def test_nothing_is_delivered_after_abortConnection(self) -> None:
        """Though more of it is there already."""

        def resume(_: Recorder) -> None:
            if len(pair[0].events) == len(pair[1].events) == 2:
                pair[0].transport.write(BLOB)
                self.reactor.callLater(0.05, pair[1].transport.resumeProducing)

        pair = Recorder().on("handshake", resume), Recorder()
        pair[1].on("handshake", lambda c: (c.transport.pauseProducing(), resume(c)))
        pair[1].on("data", lambda c: c.transport.abortConnection())
        self.runPair(*pair)
        self.assertEqual(pair[1].pieces, 1)

    @either
    def test_write_to_an_engine_that_has_failed(self) -> None:
        """The reason is told, later and once: never from inside of the write."""
        order: list[str] = []

        def fail(client: Recorder) -> None:
            client.transport.getHandle().event_detach()
            client.transport.write(b"x")
            if twice:
                client.transport.write(b"y")
            order.append("written")

        for inside, twice in itertools.product((False, True), repeat=2):
            with self.subTest(inside=inside, twice=twice):
                order.clear()
                client = Recorder().on("lost", lambda c: order.append("lost"))
                server = Recorder()
                if inside:
                    server.on("handshake", lambda s: s.transport.write(b"now"))
                    client.on("data", fail)
                else:
                    client.on("handshake", lambda c: self.reactor.callLater(0.02, fail, c))
                self.runPair(server, client)
                self.assertEqual(order, ["written", "lost"])
                self.assertIs(client.reason.type, Error)
                self.assertIn("detached", str(client.reason.value))
                self.assertTrue(server.reason.check(ConnectionLost), server.reason)
                self.doCleanups()
                self.reactor = self.buildReactor()

    @either
    def test_an_engine_is_harmless_when_its_connection_is_lost(self) -> None:
        """The number of its descriptor may be another connection's: it forgets it before that is closed."""
        if self.edge != "socket":
            return
        seen: list[Any] = []
        client = Recorder().on("handshake", lambda c: c.transport.loseConnection())

        def lost(client: Recorder) -> None:
            engine = client.transport.getHandle()
            seen.append(engine.wants)
            for call in (engine.event_read, engine.event_proceed):
                try:
                    call()
                except Error as error:
                    seen.append("detached" in str(error))

        self.runPair(Recorder(), client.on("lost", lost))
        self.assertEqual(seen, [0, True, True])

    @either
    def test_reset_while_paused_and_full(self) -> None:
        """Nothing is read and nothing can be written: a reset is one, however the reactor notices it."""

        def full(server: Recorder) -> None:
            server.transport.pauseProducing()
            server.transport.write(BLOB * 16)
            self.reactor.callLater(0.05, client.transport.abortConnection)

        def resume(client: Recorder) -> None:
            self.reactor.callLater(0.05, server.transport.resumeProducing)

        server = Recorder().on("data", full)
        client = self.stranger().on("lost", resume)
        client.on("handshake", lambda c: (c.write(b"x"), c.transport.pauseProducing()))
        self.runWith(server, client)
        self.assertIs(server.reason.type, AbortedConnectionLost)

    def test_goodbye_within_a_renegotiation(self) -> None:
        """TLS 1.2: libssl can answer nothing then.  The connection ends at once, not by a timeout."""
        if self.version != ProtocolVersion.TLS1_2:
            return

        def cross(client: Recorder) -> None:
            client.transport.getHandle().renegotiate()
            client.transport.resumeHandshake()
            server.transport.loseConnection()

        server = Recorder()
        client = Recorder().on("handshake", lambda c: self.reactor.callLater(0.02, cross, c))
        contexts = self.serverContext(), self.clientContext()
        for context in contexts:
            context.getContext().clear_options(SSL.OP_NO_RENEGOTIATION)
        self.runPair(server, client, serverContext=contexts[0], clientContext=contexts[1])
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertTrue(server.reason.check(ConnectionDone, ConnectionLost), server.reason)

    def test_loseWriteConnection_within_a_renegotiation(self) -> None:
        """TLS 1.2: the goodbye leaves with the peer's answer, and that it has is told then."""
        if self.version != ProtocolVersion.TLS1_2:
            return

        def cross(client: Recorder) -> None:
            client.transport.getHandle().renegotiate()
            client.transport.write(b"with new keys")
            client.transport.loseWriteConnection()
            client.transport.resumeHandshake()

        client = Recorder(half_close=True)
        client.on("handshake", lambda c: self.reactor.callLater(0, cross, c))
        server = Recorder()
        contexts = self.serverContext(), self.clientContext()
        for context in contexts:
            context.getContext().clear_options(SSL.OP_NO_RENEGOTIATION)
            context.getContext().set_options(getattr(SSL, "OP_ALLOW_CLIENT_RENEGOTIATION", 0))
        self.runPair(server, client, serverContext=contexts[0], clientContext=contexts[1])
        self.assertEqual(server.data, b"with new keys")
        self.assertEqual(client.events, ["made", "handshake", "writeLost", "lost"])
        self.assertIs(client.reason.type, ConnectionDone)


whole_matrix(Goodbyes, globals())
