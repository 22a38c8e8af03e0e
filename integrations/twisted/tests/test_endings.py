"""Every way to end is told apart by the reason that connectionLost receives."""

from __future__ import annotations

import os
import socket

from transport_matrix import Once, Recorder, StdlibPeer, TransportCase, either, pki, whole_matrix
from twisted.internet.error import ConnectError, ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from openssl_iface import errors
from openssl_iface.values import Ending, ProtocolVersion
from openssl_iface_twisted import AbortedConnectionLost, TimedOutConnectionLost, TruncatedConnectionLost

BLOB = os.urandom(1 << 20)


def lose(protocol: Recorder) -> None:
    protocol.transport.loseConnection()


def abort(protocol: Recorder) -> None:
    protocol.transport.abortConnection()


class Endings(TransportCase):
    # -- clean

    def test_crossed(self) -> None:
        """Both sides lose the connection at the same time."""
        server, client = Recorder().on("handshake", lose), Recorder().on("handshake", lose)
        self.runPair(server, client)
        self.assertIs(server.reason.type, ConnectionDone)
        self.assertIs(client.reason.type, ConnectionDone)

    @either
    def test_lose_from_everywhere(self) -> None:
        """loseConnection in each callback, twice, and writes after it: a clean end, and no byte more."""
        for event in ("handshake", "data"):
            with self.subTest(event=event):
                server = Recorder().on("handshake", lambda s: s.transport.write(b"x"))
                client = Recorder().on(
                    event,
                    lambda c: (
                        c.transport.loseConnection(),
                        c.transport.write(b"no"),
                        c.transport.loseConnection(),
                    ),
                )
                self.runPair(server, client)
                self.assertEqual(server.data, b"")
                self.assertIs(server.reason.type, ConnectionDone)
                self.assertIs(client.reason.type, ConnectionDone)
                self.again()

    def again(self) -> None:
        """A fresh reactor, for a test that runs twice."""
        self.doCleanups()
        self.reactor = self.buildReactor()

    @either
    def test_nothing_is_delivered_after_loseConnection(self) -> None:
        """A peer that goes on writing is read, but not heard."""
        server = Recorder().on("handshake", lambda s: s.transport.write(BLOB * 4))
        client = Recorder().on("data", lose)
        self.runPair(server, client)
        self.assertEqual(client.pieces, 1)
        self.assertIs(client.reason.type, ConnectionDone)

    @either
    def test_lose_while_paused(self) -> None:
        """Who has paused and gives up hears nothing more, and the end is clean all the same."""

        def give_up(client: Recorder) -> None:
            client.transport.pauseProducing()
            self.reactor.callLater(0.02, client.transport.loseConnection)

        server = Recorder().on("handshake", lambda s: (s.transport.write(BLOB * 4), lose(s)))
        client = Recorder().on("data", give_up)
        self.runPair(server, client)
        self.assertEqual(client.pieces, 1)
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertIs(server.reason.type, ConnectionDone)

    @either
    def test_clean_end_while_paused(self) -> None:
        """What came before the end is delivered before the end is told, when it is wanted."""

        def pause(client: Recorder) -> None:
            client.transport.pauseProducing()
            # With the last piece long enough for the end to come.
            wait = 0.05 if len(client.data) == len(BLOB) else 0
            self.reactor.callLater(wait, client.transport.resumeProducing)

        server = Recorder().on("handshake", lambda s: (s.transport.write(BLOB), lose(s)))
        client = Recorder().on("data", pause)
        self.runPair(server, client)
        self.assertEqual(client.data, BLOB)
        self.assertIs(client.reason.type, ConnectionDone)

    def test_lose_before_the_handshake(self) -> None:
        """With nothing written, there is nothing to wait for: the connection is closed at once."""
        server, client = Recorder().on("made", lose), Recorder()
        self.runPair(server, client)
        self.assertEqual(server.events, ["made", "lost"])
        self.assertIs(server.reason.type, ConnectionDone)
        self.assertTrue(client.reason.check(ConnectionLost), client.reason)
        self.assertNotIn("handshake", client.events)

    def test_client_loses_before_the_handshake(self) -> None:
        server, client = Recorder(), Recorder().on("made", lose)
        self.runPair(server, client)
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertTrue(server.reason.check(ConnectionLost), server.reason)

    @either
    def test_peer_closes_first(self) -> None:
        """A close_notify of another make is answered, after what is queued."""
        server = Recorder()
        client = self.stranger()
        client.on("handshake", lambda c: c.closeNotify())
        client.on("closed", lambda c: c.transport.loseConnection())
        self.runWith(server, client)
        self.assertTrue(client.closed)
        self.assertIs(server.reason.type, ConnectionDone)

    # -- truncated

    @either
    def test_truncated(self) -> None:
        """An end of the transport without close_notify is no clean end."""
        server = Recorder().on("data", lambda s: self.reactor.callLater(0, client.transport.loseConnection))
        client = self.stranger().on("handshake", lambda c: c.write(b"half"))
        self.runWith(server, client)
        self.assertEqual(server.data, b"half")
        self.assertIs(server.reason.type, TruncatedConnectionLost)
        self.assertTrue(server.reason.check(ConnectionLost))
        self.assertTrue(server.reason.check(errors.TruncatedError))
        self.assertIs(server.reason.value.ending, Ending.TRUNCATED)
        self.assertIn("close_notify", server.reason.getErrorMessage())

    def test_a_hang_up_that_the_reactor_sees_first(self) -> None:
        """It says nothing of what can still be read: we look."""
        if self.edge != "socket":
            return

        def vanish() -> None:
            peer.transport.setTcpNoDelay(True)
            peer.write(b"last words")
            peer.transport.doWrite()
            self.reactor._disconnectSelectable(client.transport, ConnectionDone(), True)

        def ready(_: Recorder) -> None:
            if peer.shaken and "handshake" in client.events:
                self.reactor.callLater(0, vanish)

        peer = StdlibPeer(self.stdlib(server=True), server=True).on("handshake", ready)
        client = Recorder().on("handshake", ready)
        self.connect(self.listenPlain(Once(peer)), Once(client))
        self.runUntilLost(client)
        self.assertEqual(client.data, b"last words")
        self.assertIs(client.reason.type, AbortedConnectionLost)

    @either
    def test_truncated_while_closing(self) -> None:
        """A peer that closes its transport instead of answering our close_notify."""
        server = Recorder().on("handshake", lose)
        client = self.stranger().on("closed", lose)
        client.closeNotify = None
        self.runWith(server, client)
        self.assertTrue(client.closed)
        self.assertIs(server.reason.type, TruncatedConnectionLost)

    def test_truncated_in_the_handshake(self) -> None:
        client = Recorder()
        server = Recorder().on("data", lose)
        self.connect(self.listenPlain(Once(server)), Once(client))
        self.runUntilLost(server, client)
        self.assertIs(client.reason.type, TruncatedConnectionLost)

    # -- aborted

    @either
    def test_abort(self) -> None:
        """abortConnection drops all; the reasons say who it was."""
        server = Recorder().on(
            "data", lambda s: (s.transport.write(BLOB), abort(s), s.transport.write(b"x"), abort(s))
        )
        client = Recorder().on("handshake", lambda c: c.transport.write(b"x"))
        self.runPair(server, client)
        self.assertIs(server.reason.type, ConnectionAborted)
        self.assertIs(client.reason.type, AbortedConnectionLost)
        self.assertIs(client.reason.value.ending, Ending.ABORTED)
        self.assertTrue(client.reason.check(ConnectionLost))
        self.assertEqual(len(server.data), 1)

    @either
    def test_nothing_is_delivered_after_an_abort_in_the_handshake(self) -> None:
        """Who aborts when told of the handshake does not hear what came along with its end."""
        actor = Recorder().on("handshake", abort)
        peer = Recorder().on("made", lambda p: p.transport.write(b"x"))
        self.runPair(actor, peer)
        self.assertEqual(actor.events, ["made", "handshake", "lost"])
        self.assertIs(actor.reason.type, ConnectionAborted)

    @either
    def test_abort_from_everywhere(self) -> None:
        for event in ("made", "handshake"):
            with self.subTest(event=event):
                server, client = Recorder(), Recorder().on(event, abort)
                self.runPair(server, client)
                self.assertIs(client.reason.type, ConnectionAborted)
                self.assertTrue(server.reason.check(ConnectionLost), server.reason)
                self.again()

    @either
    def test_reset_while_writing(self) -> None:
        """A reset met by a write ends the connection, and stops the producer."""

        class Producer:
            stopped = 0

            def resumeProducing(self) -> None:
                server.transport.write(BLOB)

            def pauseProducing(self) -> None: ...

            def stopProducing(self) -> None:
                self.stopped += 1

        producer = Producer()
        server = Recorder().on("handshake", lambda s: s.transport.registerProducer(producer, False))
        client = self.stranger().on("data", abort)
        self.runWith(server, client)
        self.assertIs(server.reason.type, AbortedConnectionLost)
        self.assertEqual(producer.stopped, 1)

    @either
    def test_reset_while_paused(self) -> None:
        """A connection that is neither read nor written ends when it is written, or read again."""

        def paused(server: Recorder) -> None:
            server.transport.pauseProducing()
            client.transport.abortConnection()
            client.lost.addCallback(lambda _: self.reactor.callLater(0.02, server.transport.write, b"x"))
            client.lost.addCallback(lambda _: self.reactor.callLater(0.04, server.transport.write, b"x"))
            client.lost.addCallback(lambda _: self.reactor.callLater(0.06, server.transport.resumeProducing))

        server = Recorder().on("data", paused)
        client = Recorder().on("handshake", lambda c: c.transport.write(b"x"))
        self.runPair(server, client)
        self.assertIs(server.reason.type, AbortedConnectionLost)

    @either
    def test_failVerification(self) -> None:
        """What Twisted's connection creators call when they refuse a peer."""
        client = Recorder().on(
            "handshake", lambda c: c.transport.failVerification(Failure(ValueError("not you")))
        )
        server = Recorder()
        self.runPair(server, client)
        self.assertIs(client.reason.type, ValueError)

    # -- timed out

    @either
    def test_silent_handshake(self) -> None:
        """A peer that says nothing is dropped."""
        server = Recorder()
        client = Recorder()
        self.runWith(server, client, handshakeTimeout=0.1)
        self.assertIs(server.reason.type, TimedOutConnectionLost)
        self.assertTrue(server.reason.check(ConnectionLost))
        self.assertIs(server.reason.value.ending, Ending.TIMED_OUT)
        self.assertIn("handshake", server.reason.getErrorMessage())

    @either
    def test_unanswered_close(self) -> None:
        """A peer that never answers close_notify."""
        server = Recorder().on("handshake", lambda s: (s.transport.write(b"bye"), lose(s)))
        client = self.stranger().on("handshake", self._hush)
        self.runWith(server, client, closeTimeout=0.1)
        self.assertIs(server.reason.type, TimedOutConnectionLost)
        self.assertIn("close_notify", server.reason.getErrorMessage())

    @staticmethod
    def _hush(client: StdlibPeer) -> None:
        client.silent = True

    @either
    def test_peer_that_does_not_read(self) -> None:
        """What cannot leave does not hold the connection for ever."""
        server = Recorder().on("handshake", lambda s: (s.transport.write(BLOB * 16), lose(s)))
        client = self.stranger()
        client.on("handshake", lambda c: c.transport.pauseProducing())
        server.lost.addCallback(lambda s: client.transport.abortConnection() or s)
        self.runWith(server, client, closeTimeout=0.2)
        self.assertIs(server.reason.type, TimedOutConnectionLost)
        self.assertIn("did not take", server.reason.getErrorMessage())

    # -- half-close

    @either
    def test_half_close(self) -> None:
        """TLS 1.3: one side is done, the other goes on.  TLS 1.2: the other side has to end as well."""

        def answer(server: Recorder) -> None:
            self.assertEqual(server.data, b"question")
            server.transport.write(BLOB)
            server.transport.loseConnection()

        server = Recorder(half_close=True).on("readLost", answer)
        client = Recorder(half_close=True).on(
            "handshake", lambda c: (c.transport.write(b"question"), c.transport.loseWriteConnection())
        )
        self.runPair(server, client)
        self.assertEqual(server.data, b"question")
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertIs(server.reason.type, ConnectionDone)
        self.assertIn("writeLost", client.events)
        if self.version == ProtocolVersion.TLS1_3:
            self.assertEqual(client.data, BLOB)
            self.assertEqual(client.events, ["made", "handshake", "writeLost", "data", "readLost", "lost"])
            self.assertEqual(server.events, ["made", "handshake", "data", "readLost", "lost"])
        else:
            self.assertEqual(server.events, ["made", "handshake", "data", "lost"])

    @either
    def test_half_close_after_much(self) -> None:
        """writeConnectionLost comes when all has left, and writes after loseWriteConnection are ignored."""
        client = Recorder(half_close=True).on(
            "handshake",
            lambda c: (
                c.transport.write(BLOB * 8),
                c.transport.loseWriteConnection(),
                c.transport.write(b"no"),
            ),
        )
        server = Recorder()
        self.runPair(server, client)
        self.assertEqual(server.data, BLOB * 8)
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertIs(server.reason.type, ConnectionDone)

    @either
    def test_fin_after_close_notify_does_not_spin(self) -> None:
        """While we go on writing after the peer's close_notify and FIN, reading costs nothing."""
        if self.edge != "socket" or self.version != ProtocolVersion.TLS1_3:
            return

        reads = []

        def readLost(server: Recorder) -> None:
            transport = server.transport
            real = transport.doRead
            transport.doRead = lambda: (reads.append(1), real())
            self.reactor.callLater(0.2, transport.loseConnection)

        server = Recorder(half_close=True).on("readLost", readLost)
        client = self.stranger()
        client.on("handshake", lambda c: (c.closeNotify(), c.transport.loseWriteConnection()))
        client.on("closed", lose)
        self.runWith(server, client)
        self.assertLess(len(reads), 5)

    # -- failed

    def test_plain_http(self) -> None:
        """Something that is not TLS: the error is OpenSSL's."""
        server = Recorder()
        client = Recorder().on("made", lambda c: c.transport.write(b"GET / HTTP/1.0\r\n\r\n"))
        self.runWith(server, client)
        self.assertTrue(server.reason.check(errors.Error), server.reason)
        self.assertFalse(server.reason.check(ConnectionLost, ConnectionDone))
        self.assertIn("http", str(server.reason.value).lower())

    def test_untrusted_certificate(self) -> None:
        """The client says why; the server learns it from the alert."""
        server, client = Recorder(), Recorder()
        self.runPair(server, client, clientContext=self.clientContext(cafile=pki() / "other.pem"))
        self.assertIs(client.reason.type, errors.CertificateVerificationError)
        self.assertEqual(client.reason.value.depth, 0)
        self.assertEqual(server.reason.value.alert, 48)  # unknown_ca
        self.assertNotIn("handshake", client.events)

    def test_wrong_name(self) -> None:
        server, client = Recorder(), Recorder()
        self.runPair(server, client, clientContext=self.clientContext("example.org"))
        self.assertIs(client.reason.type, errors.CertificateVerificationError)
        self.assertIn("hostname", str(client.reason.value).lower())

    def test_missing_client_certificate(self) -> None:
        """On TLS 1.3 the client takes the handshake for complete, writes, and must still hear the alert."""
        server = Recorder()
        client = Recorder().on("handshake", lambda c: c.transport.write(BLOB))
        self.runPair(server, client, serverContext=self.serverContext(clientCA=pki() / "ca.pem"))
        self.assertTrue(server.reason.check(errors.Error), server.reason)
        self.assertEqual(client.reason.value.alert, 116 if self.version == ProtocolVersion.TLS1_3 else 40)

    def test_raising_callback(self) -> None:
        """What a callback raises is the reason on its own connection."""
        context = self.serverContext()

        def select(connection: object, offered: object) -> bytes:
            raise ZeroDivisionError("in a callback")

        context.getContext().set_alpn_select_callback(select)
        server, client = Recorder(), Recorder()
        self.runPair(server, client, serverContext=context, clientContext=self.clientContext(alpn=[b"x"]))
        self.assertIs(server.reason.type, ZeroDivisionError)
        self.assertTrue(client.reason.check(errors.Error), client.reason)
        self.assertEqual(client.reason.value.alert, 120)  # no_application_protocol

    @either
    def test_raising_protocol(self) -> None:
        """What the protocol raises is logged, and ends this connection alone."""
        for event in ("handshake", "data"):
            with self.subTest(event=event):

                def bad(server: Recorder) -> None:
                    raise ZeroDivisionError("in a protocol")

                server = Recorder().on(event, bad)
                client = Recorder().on("handshake", lambda c: c.transport.write(b"x"))
                self.runPair(server, client)
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
                self.assertIs(server.reason.type, ZeroDivisionError)
                self.assertTrue(client.reason.check(ConnectionLost), client.reason)
                self.again()

    @either
    def test_raising_protocol_after_resume(self) -> None:
        """The same where the reactor is not there to catch it."""

        def bad(server: Recorder) -> None:
            raise ZeroDivisionError("in a protocol")

        def pause(server: Recorder) -> None:
            server.transport.pauseProducing()
            server.on("data", bad)
            self.reactor.callLater(0.05, server.transport.resumeProducing)

        server = Recorder().on("data", pause)
        client = Recorder().on("handshake", lambda c: c.transport.write(BLOB))
        self.runPair(server, client)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIs(server.reason.type, ZeroDivisionError)

    def test_refused(self) -> None:
        """Nobody listens: clientConnectionFailed, as with TCP."""
        probe = socket.create_server(("127.0.0.1", 0))
        number = probe.getsockname()[1]
        probe.close()
        factory = Once(Recorder())
        reasons = []
        factory.failed.addBoth(lambda reason: (reasons.append(reason), self.reactor.stop()))
        self.connect(number, factory)
        self.runReactor(self.reactor, timeout=self.deadline)
        self.assertTrue(reasons[0].check(ConnectError))

    def test_no_protocol(self) -> None:
        """A factory that wants no connection: it is closed."""
        client = Recorder()
        self.connect(self.listen(Once()), Once(client))
        self.runUntilLost(client)
        self.assertTrue(client.reason.check(ConnectionLost), client.reason)

    def test_reactor_stops(self) -> None:
        """Connections that are open when the reactor stops are told."""
        server = Recorder()
        client = Recorder().on("handshake", lambda c: self.reactor.callLater(0, self.reactor.stop))
        self.connect(self.listen(Once(server)), Once(client))
        self.runReactor(self.reactor, timeout=self.deadline)
        self.assertTrue(client.reason.check(ConnectionLost), client.reason)
        self.assertTrue(server.reason.check(ConnectionLost), server.reason)


whole_matrix(Endings, globals())
