"""Bytes go through, whole and in order, whatever is called from wherever."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from typing import Any

from transport_matrix import Once, Recorder, StdlibPeer, TransportCase, either, pki, throwaway, whole_matrix
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IConsumer,
    INegotiated,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
    ITLSTransport,
    ITransport,
)
from zope.interface.verify import verifyObject

from openssl_iface.errors import WantX509LookupError
from openssl_iface.testing.wires import shrink_buffers
from openssl_iface_twisted import IOpenSSLTransport, ServerContextFactory

PROVIDED = (
    IOpenSSLTransport,
    ITransport,
    ITCPTransport,
    ISSLTransport,
    ITLSTransport,
    INegotiated,
    IConsumer,
    IPushProducer,
)
BLOB = os.urandom(1 << 20)


def last_words(protocol: Recorder, data: bytes) -> None:
    """Write, and lose the connection."""
    protocol.transport.write(data)
    protocol.transport.loseConnection()


class Flow(TransportCase):
    def test_echo_and_facts(self) -> None:
        """The handshake is announced before data, and the transport says what it is."""
        facts = {}

        def look(client: Recorder) -> None:
            transport = client.transport
            # A plain transport that TLS was started on is all but ours.
            for interface in PROVIDED[self.edge == "starttls" :]:
                assert interface.providedBy(transport), interface
                if self.edge == "socket":
                    verifyObject(interface, transport)
            facts["alpn"] = transport.negotiatedProtocol
            facts["certificate"] = transport.getPeerCertificate()
            facts["version"] = transport.getHandle().get_protocol_version()
            facts["peer"] = transport.getPeer().port
            facts["host"] = transport.getHost().host
            facts["nodelay"] = transport.getTcpNoDelay()
            transport.write(b"hello")

        server = Recorder().on("data", lambda server: server.transport.write(b"HELLO"))
        client = Recorder().on("handshake", look).on("data", lambda client: client.transport.loseConnection())
        self.runPair(
            server,
            client,
            serverContext=self.serverContext(alpn=[b"h2", b"echo"]),
            clientContext=self.clientContext(alpn=[b"echo"]),
        )
        self.assertEqual(server.data, b"hello")
        self.assertEqual(client.data, b"HELLO")
        self.assertEqual(client.events, ["made", "handshake", "data", "lost"])
        self.assertEqual(server.events, ["made", "handshake", "data", "lost"])
        self.assertEqual(facts["alpn"], b"echo")
        self.assertIsNotNone(facts["certificate"])
        self.assertEqual(facts["version"], self.version)
        self.assertEqual(facts["host"], "127.0.0.1")
        self.assertEqual(facts["nodelay"], self.edge in ("socket", "endpoint"))
        self.assertIs(server.reason.type, ConnectionDone)
        self.assertIs(client.reason.type, ConnectionDone)

    @either
    def test_without_alpn(self) -> None:
        """No ALPN: ``negotiatedProtocol`` is None, as INegotiated says."""
        seen = []
        client = Recorder().on(
            "handshake", lambda c: (seen.append(c.transport.negotiatedProtocol), c.transport.loseConnection())
        )
        self.runPair(Recorder(), client)
        self.assertEqual(seen, [None])

    @either
    def test_big_both_ways(self) -> None:
        """Sixteen MiB at once in each direction, then both close: all of it arrives."""
        blob = BLOB * 16

        def send(protocol: Recorder) -> None:
            protocol.transport.write(blob)

        def full(protocol: Recorder) -> None:
            if len(protocol.data) == len(blob):
                protocol.transport.loseConnection()

        server = Recorder().on("made", send)
        client = Recorder().on("made", send).on("data", full)
        self.runPair(server, client)
        self.assertEqual(len(client.data), len(blob))
        self.assertEqual(hashlib.sha256(client.data).digest(), hashlib.sha256(blob).digest())

    @either
    def test_whole_flight_is_flushed(self) -> None:
        """What was written before loseConnection arrives, however much it is; both ends are clean."""
        server = Recorder().on(
            "handshake", lambda s: (s.transport.write(BLOB * 8), s.transport.loseConnection())
        )
        client = Recorder()
        self.runPair(server, client)
        self.assertEqual(client.data, BLOB * 8)
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertIs(server.reason.type, ConnectionDone)

    def test_a_handshake_that_the_kernel_does_not_take_at_once(self) -> None:
        """A certificate's chain is larger than what it takes: the rest follows by itself."""
        chain = throwaway().huge_chain
        context = ServerContextFactory([chain.certificate, *chain.chain], chain.key)
        self.bound(context.getContext())
        trusting = self.stdlib(server=False)
        trusting.load_verify_locations(cadata=throwaway().root.pem.decode())
        server = Recorder().on("handshake", lambda s: last_words(s, b"done"))
        port = self.listen(Once(server), context)
        shrink_buffers(self.ports[-1].socket)
        narrow = socket.socket()
        shrink_buffers(narrow)
        narrow.settimeout(self.deadline)
        received: list[bytes] = []

        def shake() -> None:
            narrow.connect(("127.0.0.1", port))
            with trusting.wrap_socket(narrow, server_hostname="localhost") as client:
                received.append(client.recv(100))

        thread = threading.Thread(target=shake)
        thread.start()
        try:
            self.runUntilLost(server)
        finally:
            thread.join()
        self.assertEqual(received, [b"done"])

    @either
    def test_written_before_the_handshake(self) -> None:
        """connectionMade may write and lose the connection: the handshake is completed for it."""
        for_server = b"first" + BLOB[:100000]
        server = Recorder()
        client = Recorder().on(
            "made", lambda c: (c.transport.write(for_server), c.transport.loseConnection())
        )
        self.runPair(server, client)
        self.assertEqual(server.data, for_server)
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertIs(server.reason.type, ConnectionDone)

    @either
    def test_order_of_writes(self) -> None:
        """Small, large and empty writes, from events, delayed calls and sequences, arrive in their order."""
        pieces: list[bytes] = []

        def write(transport: object, data: bytes) -> None:
            pieces.append(data)
            transport.write(data)

        def more(transport: object, count: int) -> None:
            write(transport, b"%d," % count)
            write(transport, BLOB[: count * 997])
            write(transport, b"")
            pieces.extend([b"a", b"bc", BLOB[:count]])
            transport.writeSequence([b"a", b"bc", BLOB[:count]])
            if count:
                self.reactor.callLater(0, more, transport, count - 1)
            else:
                transport.loseConnection()

        server = Recorder()
        client = Recorder().on("made", lambda c: write(c.transport, b"made"))
        client.on("handshake", lambda c: (write(c.transport, b"handshake"), more(c.transport, 40)))
        self.runPair(server, client)
        self.assertEqual(server.data, b"".join(pieces))

    @either
    def test_a_hundred_thousand_bytes(self) -> None:
        """One at a time, outside any event: they arrive in order, and in few records."""
        count = 100_000

        def write(client: Recorder) -> None:
            for number in range(count):
                client.transport.write(bytes([number % 251]))
            client.transport.loseConnection()

        server = Recorder()
        client = Recorder().on("handshake", lambda c: self.reactor.callLater(0, write, c))
        self.runPair(server, client)
        self.assertEqual(server.data, bytes(number % 251 for number in range(count)))
        self.assertLess(server.pieces, 200)

    def test_the_first_write_leaves_at_once(self) -> None:
        """A write outside an event is not put off to the next iteration; those after it make one record."""
        queued = []

        def write(client: Recorder) -> None:
            client.transport.write(b"1")
            queued.append(client.transport.getHandle().queued)
            for _ in range(50):
                client.transport.write(b"2")
            self.reactor.callLater(0, lambda: self.reactor.callLater(0, client.transport.loseConnection))

        server = StdlibPeer(self.stdlib(server=True), server=True)
        server.on("closed", lambda s: s.closeNotify())
        client = Recorder().on("handshake", lambda c: self.reactor.callLater(0, write, c))
        self.connect(self.listenPlain(Once(server)), Once(client))
        self.runUntilLost(server, client)
        self.assertEqual(server.data, b"1" + b"2" * 50)
        self.assertEqual(queued, [0])
        # Two records and close_notify; fifty more would be ten times that.
        self.assertLess(server.wire, 51 + 6 * 60)

    def test_writes_in_later_iterations_leave_too(self) -> None:
        """Nothing else happens on the connection: each write arrives without another one after it."""
        queued = []

        def write(client: Recorder, count: int) -> None:
            client.transport.write(b"%d" % count)
            queued.append(client.transport.getHandle().queued)
            client.transport.write(b"%d" % count)

        def more(server: StdlibPeer) -> None:
            # Long enough for the iteration in which the last one was written to be over.
            count = len(server.data) // 2
            if len(server.data) == 2 * count < 10:
                self.reactor.callLater(0.01, write, client, count)
            elif count == 5:
                server.closeNotify()

        server = StdlibPeer(self.stdlib(server=True), server=True).on("data", more)
        client = Recorder().on("handshake", lambda c: self.reactor.callLater(0.01, write, c, 0))
        self.connect(self.listenPlain(Once(server)), Once(client))
        client.lost.addCallback(lambda c: server.transport.loseConnection() or c)
        self.runUntilLost(server, client)
        self.assertEqual(server.data, b"0011223344")
        self.assertEqual(queued, [0] * 5)

    @either
    def test_only_bytes_are_written(self) -> None:
        """Text is a TypeError; other buffers are taken as they are now."""
        errors = []

        def write(client: Recorder) -> None:
            buffer = bytearray(b"buffer")
            client.transport.write(buffer)
            buffer[:] = b"change"
            for wrong in ("text", 5, None, ""):
                try:
                    client.transport.write(wrong)
                except TypeError as error:
                    errors.append(error)
            client.transport.write(memoryview(b"view"))
            client.transport.loseConnection()
            client.transport.write(b"too late")

        server = Recorder()
        self.runPair(server, Recorder().on("handshake", write))
        self.assertEqual(server.data, b"bufferview")
        self.assertEqual(len(errors), 4)

    @either
    def test_pause_inside_dataReceived(self) -> None:
        """After pauseProducing nothing is delivered, whatever is decrypted; the peer's TCP window closes."""
        states = []

        def first(client: Recorder) -> None:
            client.on("data", lambda c: states.append("delivered while paused"))
            client.transport.pauseProducing()
            # The server stops when nothing more can leave: then we know that the window is closed.
            self.reactor.callLater(0, stalled, client, -1)

        def stalled(client: Recorder, before: int) -> None:
            now = server.transport.getHandle().queued
            if not server.filled or now != before:
                self.reactor.callLater(0.05, stalled, client, now)
                return
            states.append(len(client.data) < len(BLOB))
            states.append(now > 0)
            client.on("data", full)
            client.transport.resumeProducing()
            states.append(len(client.data) < len(BLOB))

        def full(client: Recorder) -> None:
            if len(client.data) == 16 * len(BLOB):
                client.transport.loseConnection()

        def fill(server: Recorder) -> None:
            server.transport.write(BLOB * 16)
            server.filled = True

        server = Recorder().on("handshake", fill)
        server.filled = False
        client = Recorder().on("data", first)
        self.runPair(server, client)
        self.assertEqual(states, [True, True, True])
        self.assertEqual(client.data, BLOB * 16)

    @either
    def test_pause_and_resume_every_time(self) -> None:
        """A reader that takes one piece at a time gets all, never from inside of resumeProducing."""
        inside = []

        def data(client: Recorder) -> None:
            assert not inside
            client.transport.pauseProducing()
            self.reactor.callLater(0, resume, client)

        def resume(client: Recorder) -> None:
            inside.append(1)
            client.transport.resumeProducing()
            client.transport.resumeProducing()
            inside.pop()

        server = Recorder().on(
            "handshake", lambda s: (s.transport.write(BLOB * 2), s.transport.loseConnection())
        )
        client = Recorder().on("data", data)
        self.runPair(server, client)
        self.assertEqual(client.data, BLOB * 2)
        self.assertIs(client.reason.type, ConnectionDone)

    def test_paused_from_the_beginning(self) -> None:
        """The handshake needs no permission: it completes; data is held back until resumeProducing."""
        order = []

        def shaken(client: Recorder) -> None:
            order.append("resumed")
            client.transport.resumeProducing()

        server = Recorder().on("made", lambda s: s.transport.write(b"early"))
        server.on("handshake", lambda s: self.reactor.callLater(0.05, shaken, client))
        client = Recorder().on("made", lambda c: c.transport.pauseProducing())
        client.on("data", lambda c: (order.append("data"), c.transport.loseConnection()))
        self.runPair(server, client)
        self.assertEqual(order, ["resumed", "data"])
        self.assertEqual(client.data, b"early")

    def test_server_paused_from_the_beginning(self) -> None:
        """The same on the server's side."""
        server = Recorder().on("made", lambda s: s.transport.pauseProducing())
        client = Recorder().on("made", lambda c: c.transport.write(b"early"))
        client.on("handshake", lambda c: self.reactor.callLater(0.05, server.transport.resumeProducing))
        server.on("data", lambda s: s.transport.loseConnection())
        self.runPair(server, client)
        self.assertEqual(server.data, b"early")

    @either
    def test_protocol_switched_in_dataReceived(self) -> None:
        """The next data goes to the protocol that the transport has then."""
        second = Recorder()

        def switch(server: Recorder) -> None:
            second.transport = server.transport
            transport: Any = server.transport
            if self.edge in ("socket", "endpoint"):
                transport.protocol = second
            else:
                (transport.protocol if self.edge == "starttls" else transport).wrappedProtocol = second
            server.transport.write(b"switched")

        second.on("data", lambda s: s.transport.loseConnection())
        server = Recorder().on("data", switch)
        client = Recorder().on("handshake", lambda c: c.transport.write(b"one"))
        client.on("data", lambda c: c.transport.write(b"two"))
        listening, connecting = (client, server) if self.reversed else (server, client)
        self.connect(self.listen(Once(listening)), Once(connecting))
        self.runUntilLost(second, client)
        self.assertEqual((bytes(server.data), bytes(second.data)), (b"one", b"two"))

    @either
    def test_stranger(self) -> None:
        """A peer of another make gets its echo, and a clean end."""
        server = Recorder().on("data", lambda s: s.transport.write(bytes(s.data)))
        client = self.stranger()
        client.on("handshake", lambda c: c.write(b"echo"))
        client.on("data", lambda c: c.closeNotify())
        client.on("closed", lambda c: c.transport.loseConnection())
        self.runWith(server, client)
        self.assertEqual(client.data, b"echo")
        self.assertIs(server.reason.type, ConnectionDone)

    def test_certificate_callback_puts_the_handshake_off(self) -> None:
        """A callback that has no answer yet stops the handshake; resumeHandshake goes on with it."""
        calls = []
        context = self.serverContext()

        def choose(connection: object) -> None:
            calls.append(connection)
            if len(calls) == 1:
                self.reactor.callLater(0, server.transport.resumeHandshake)
                raise WantX509LookupError

        context.getContext().set_cert_cb(choose)
        server = Recorder()
        client = Recorder().on("handshake", lambda c: last_words(c, b"x"))
        self.runPair(server, client, serverContext=context)
        self.assertEqual(len(calls), 2)
        self.assertEqual(server.data, b"x")

    def test_client_certificate(self) -> None:
        """A server that asks for one sees the client's certificate."""
        seen = []
        server = Recorder().on(
            "data", lambda s: (seen.append(s.transport.getPeerCertificate()), s.transport.loseConnection())
        )
        client = Recorder().on("made", lambda c: c.transport.write(b"x"))
        self.runPair(
            server,
            client,
            serverContext=self.serverContext(clientCA=pki() / "ca.pem"),
            clientContext=self.clientContext(certificate=pki() / "client-both.pem"),
        )
        self.assertEqual(len(seen), 1)
        self.assertIsNotNone(seen[0])


whole_matrix(Flow, globals())
