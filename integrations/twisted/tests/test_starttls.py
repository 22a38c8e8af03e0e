"""TLS that begins in the middle of a connection, and TLS inside TLS."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from transport_matrix import Once, Recorder, TransportCase, matrix
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Protocol
from zope.interface import alsoProvides

from openssl_iface_twisted import TruncatedConnectionLost, startTLS

BLOB = os.urandom(300_000)


class Upgrade(Recorder):
    """Says a word in the clear, and TLS after the peer's word."""

    def __init__(self, context: Any, word: bytes, start: Any) -> None:
        super().__init__()
        self.context = context
        self.word = word
        self.start = start
        self.clear = b""
        self.secure = False

    def connectionMade(self) -> None:
        super().connectionMade()
        if self.start == "first":
            self.transport.write(b"STARTTLS\n")

    def dataReceived(self, data: bytes) -> None:
        if self.secure:
            super().dataReceived(data)
            return
        self.clear += data
        _, found, rest = self.clear.partition(b"\n")
        if not found:
            return
        if self.start != "first":
            self.transport.write(b"OK\n")
        self.secure = True
        self.tls = startTLS(self.transport, self.context, received=rest)
        self.transport.write(self.word)


class StartTLS(TransportCase):
    """*socket*: on Twisted's plain transports.  *layered*: inside TLS of ours, which is on sockets."""

    def between(self, server: Any, client: Any) -> None:
        if self.edge == "socket":
            self.reactor.connectTCP("127.0.0.1", self.listenPlain(Once(server)), Once(client))
        else:
            self.edge = "socket"
            self.connect(self.listen(Once(server)), Once(client))
        self.runUntilLost(server, client)

    def pair(self) -> tuple[Upgrade, Upgrade]:
        server = Upgrade(self.serverContext(), b"from server" + BLOB, "second")
        client = Upgrade(self.clientContext(), b"from client" + BLOB, "first")
        return server, client

    def test_upgrade(self) -> None:
        """Both go on to speak to the transport that they had, and it is secure now."""
        server, client = self.pair()
        facts = []

        def full(client: Upgrade) -> None:
            if len(client.data) == len(BLOB) + 11:
                transport = client.transport
                facts.append(ISSLTransport.providedBy(transport))
                facts.append(transport.getPeerCertificate() is not None)
                facts.append(transport.getHandle() is client.tls.getHandle())
                transport.loseConnection()

        client.on("data", full)
        self.between(server, client)
        self.assertEqual(server.data, b"from client" + BLOB)
        self.assertEqual(client.data, b"from server" + BLOB)
        self.assertEqual(facts, [True, True, True])
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertIs(server.reason.type, ConnectionDone)
        self.assertEqual(client.events[-1], "lost")
        self.assertIn("handshake", client.events)

    def test_hello_in_the_same_segment(self) -> None:
        """A client that does not wait for the answer: the hello has been received with the word before it."""

        class Eager(Upgrade):
            def connectionMade(self) -> None:
                Protocol.connectionMade(self)
                self.transport.write(b"STARTTLS\n")
                self.secure = True
                startTLS(self.transport, self.context, client=True)
                self.transport.write(self.word)

        server = Upgrade(self.serverContext(), b"from server", "silent")
        server.dataReceived = lambda data: self.withoutAnswer(server, data)  # type: ignore[method-assign]
        client = Eager(self.clientContext(), b"from client", "first")
        client.on("data", lambda c: c.transport.loseConnection())
        self.between(server, client)
        self.assertEqual(server.data, b"from client")
        self.assertEqual(client.data, b"from server")

    @staticmethod
    def withoutAnswer(server: Upgrade, data: bytes) -> None:
        del server.dataReceived
        _, _, rest = data.partition(b"\n")
        server.secure = True
        startTLS(server.transport, server.context, received=rest)
        server.transport.write(server.word)

    def test_producer_moves(self) -> None:
        """A producer that was registered before writes through TLS afterwards."""

        class Producer:
            paused = 0

            def pauseProducing(self) -> None:
                self.paused += 1

            def resumeProducing(self) -> None:
                server.transport.unregisterProducer()
                server.transport.loseConnection()

            def stopProducing(self) -> None: ...

        producer = Producer()
        server, client = self.pair()
        server.on("made", lambda s: s.transport.registerProducer(producer, True))
        self.between(server, client)
        self.assertEqual(client.data, b"from server" + BLOB)
        self.assertEqual(producer.paused, 1)

    def test_paused_before(self) -> None:
        """Who has paused, to look something up perhaps, starts TLS and resumes: the hello is read."""

        def made(server: Recorder) -> None:
            server.transport.pauseProducing()
            self.reactor.callLater(0, begin, server)

        def begin(server: Recorder) -> None:
            startTLS(server.transport, self.serverContext(), client=False)
            server.transport.resumeProducing()

        def hello(client: Recorder) -> None:
            startTLS(client.transport, self.clientContext(), client=True)
            client.transport.write(b"hello")

        server = Recorder().on("made", made).on("data", lambda s: s.transport.loseConnection())
        client = Recorder().on("made", hello)
        self.between(server, client)
        self.assertEqual(server.data, b"hello")
        self.assertIs(client.reason.type, ConnectionDone)

    def test_truncated_below(self) -> None:
        """The transport below ends without the TLS above having said goodbye."""
        server, client = self.pair()

        def cut(client: Upgrade) -> None:
            if len(client.data) == len(BLOB) + 11:  # what has not been read would make it a reset
                below = client.tls.transport
                below.unregisterProducer()
                below.loseConnection()

        client.on("data", cut)
        self.between(server, client)
        self.assertIs(server.reason.type, TruncatedConnectionLost)
        self.assertTrue(server.reason.check(ConnectionLost))

    def test_other_way_round(self) -> None:
        """``normal=False``: who accepted is the TLS client."""
        server = Recorder()
        client = Recorder().on("made", lambda c: c.transport.startTLS(self.serverContext(), normal=False))

        def accepted(server: Recorder) -> None:
            server.transport.startTLS(self.clientContext(), normal=False)
            server.transport.write(b"x")

        if self.edge == "socket":
            return  # Twisted's own startTLS takes pyOpenSSL's contexts only

        server.on("made", accepted)
        client.on("data", lambda c: c.transport.loseConnection())
        self.between(server, client)
        self.assertEqual(client.data, b"x")

    def test_twice(self) -> None:
        """TLS in TLS: who holds the transport speaks to the innermost, and hears what that is about."""
        self.twice(lambda protocol: protocol.tls)

    def test_twice_on_one_transport(self) -> None:
        """The second TLS is within the first one, also for who names the transport again."""
        self.twice(lambda protocol: protocol.transport)

    def twice(self, second: Callable[[Recorder], Any]) -> None:
        facts = []

        def begin(protocol: Recorder, client: bool) -> None:
            context = self.clientContext if client else self.serverContext

            def inner(protocol: Recorder) -> None:
                startTLS(second(protocol), context(alpn=[b"inner"]), client=client)
                protocol.on("handshake", look)

            protocol.tls = startTLS(protocol.transport, context(alpn=[b"outer"]), client=client)
            protocol.on("handshake", inner)

        def look(protocol: Recorder) -> None:
            facts.append(protocol.transport.negotiatedProtocol)
            facts.append(protocol.transport.getHandle() is not protocol.tls._engine)
            protocol.transport.write(b"secret" + BLOB)

        def full(protocol: Recorder) -> None:
            if len(protocol.data) == 6 + len(BLOB):
                protocol.transport.loseConnection()

        server = Recorder().on("made", lambda s: begin(s, False))
        client = Recorder().on("made", lambda c: begin(c, True)).on("data", full)
        self.between(server, client)
        self.assertEqual(facts, [b"inner", True] * 2)
        self.assertEqual(client.data, b"secret" + BLOB)
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertIs(server.reason.type, ConnectionDone)

    def test_half_close_behind_an_endpoint(self) -> None:
        """Twisted's endpoints wrap a protocol; it is told of half a connection all the same."""
        server, client = self.pair()
        alsoProvides(client, IHalfCloseableProtocol)
        client.on("handshake", lambda c: c.transport.loseWriteConnection())
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.listenPlain(Once(server)))
        endpoint.connect(Once(client))
        self.runUntilLost(server, client)
        self.assertIn("writeLost", client.events)
        self.assertEqual(server.data, b"from client" + BLOB)
        self.assertIs(client.reason.type, ConnectionDone)

    def test_refused(self) -> None:
        """What cannot be told is asked for; a context factory of pyOpenSSL's is refused."""

        class Nothing: ...

        with self.assertRaises(TypeError):
            startTLS(Nothing(), self.serverContext())
        with self.assertRaises(TypeError):
            startTLS(Nothing(), self.serverContext(), client=False)
        with self.assertRaises(TypeError):
            startTLS(Nothing(), Nothing(), client=False)


matrix(StartTLS, globals())
