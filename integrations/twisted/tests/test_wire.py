"""Wires and peers that are not nice: slow, cut, spoilt; long flights, and new keys in the midst of data."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import socket
import weakref
from typing import Any

from transport_matrix import Once, Recorder, StdlibPeer, TransportCase, either, pki, whole_matrix
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import ClientFactory, Factory, Protocol

from openssl_iface import crypto, errors
from openssl_iface.testing.pki import Authority
from openssl_iface.values import ProtocolVersion
from openssl_iface_twisted import ServerContextFactory, TruncatedConnectionLost

OP_NO_RENEGOTIATION = 0x40000000
BLOB = os.urandom(1 << 20)


class Dribble(Protocol):
    """Passes on what it receives byte by byte, each in its own segment, and stops where it is told to."""

    other: Any = None

    def __init__(self, case: TransportCase, limit: int | None = None) -> None:
        self.case = case
        self.limit = limit
        self.waiting = bytearray()
        self.ended = self.due = False

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.other.pass_on()

    def dataReceived(self, data: bytes) -> None:
        self.waiting += data
        self.pass_on()

    def pass_on(self) -> None:
        if self.due or not self.other.connected:
            return
        self.due = True
        self.case.reactor.callLater(0, self.pass_one)

    def pass_one(self) -> None:
        self.due = False
        other = self.other
        if self.waiting and self.limit != 0:
            other.transport.write(bytes(self.waiting[:1]))
            del self.waiting[:1]
            if self.limit is not None:
                self.limit -= 1
        if self.limit == 0:
            other.transport.loseConnection()
            self.transport.loseConnection()
        elif self.waiting:
            self.pass_on()
        elif self.ended:
            other.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self.ended = True
        self.pass_on()


class Wire(TransportCase):
    def dribble(self, port: int, limit: int | None = None) -> int:
        """A port that leads to *port*, byte by byte; after *limit* bytes to the client it ends."""

        class Relay(Factory):
            noisy = False

            def buildProtocol(_, addr: Any) -> Protocol:
                near, far = Dribble(self), Dribble(self, limit)
                near.other, far.other = far, near
                factory = ClientFactory()
                factory.noisy = False
                factory.buildProtocol = lambda addr: far  # type: ignore[method-assign]
                self.reactor.connectTCP("127.0.0.1", port, factory)
                return near

        return self.listenPlain(Relay())

    def test_byte_by_byte(self) -> None:
        """Handshake, data and close_notify in segments of one byte."""
        server = Recorder().on("data", lambda s: s.transport.write(b"HELLO" if len(s.data) == 5 else b""))
        client = Recorder().on("handshake", lambda c: c.transport.write(b"hello"))
        client.on("data", lambda c: c.transport.loseConnection() if len(c.data) == 5 else None)
        self.connect(self.dribble(self.listen(Once(server))), Once(client))
        self.runUntilLost(server, client)
        self.assertEqual(client.data, b"HELLO")
        self.assertIs(client.reason.type, ConnectionDone)
        self.assertIs(server.reason.type, ConnectionDone)

    def test_cut_in_the_handshake(self) -> None:
        """In the middle of a record, in the middle of the handshake."""
        for limit in (1, 3, 100):
            with self.subTest(limit=limit):
                server, client = Recorder(), Recorder()
                self.connect(self.dribble(self.listen(Once(server)), limit), Once(client))
                self.runUntilLost(server, client)
                self.assertIs(client.reason.type, TruncatedConnectionLost)
                self.assertTrue(server.reason.check(ConnectionLost), server.reason)
                self.doCleanups()
                self.reactor = self.buildReactor()

    @either
    def test_cut_in_a_record(self) -> None:
        """Half a record is not delivered, and the end is not a clean one."""
        server = Recorder()

        def half(client: StdlibPeer) -> None:
            client.tls.write(b"x" * 1000)
            client.transport.write(client._outgoing.read()[:500])
            client.transport.loseConnection()

        client = self.stranger().on("handshake", half)
        self.runWith(server, client)
        self.assertEqual(server.data, b"")
        self.assertIs(server.reason.type, TruncatedConnectionLost)

    @either
    def test_corrupted(self) -> None:
        """A record that was changed on its way: the alert goes out, the error comes up."""
        server = Recorder()

        def spoil(client: StdlibPeer) -> None:
            client.tls.write(b"x" * 1000)
            record = bytearray(client._outgoing.read())
            record[600] ^= 1
            client.transport.write(bytes(record))

        client = self.stranger().on("handshake", spoil)
        self.runWith(server, client)
        self.assertEqual(server.data, b"")
        self.assertTrue(server.reason.check(errors.Error), server.reason)
        self.assertFalse(server.reason.check(ConnectionLost), server.reason)
        self.assertIn("BAD_RECORD_MAC", str(client.error))

    def test_long_flight(self) -> None:
        """A handshake flight of more than 64 KiB: hundreds of client authorities and a big certificate."""
        root = Authority("Big root")
        server_identity = root.intermediate(padding=30_000).issue("localhost")
        context = ServerContextFactory(
            [server_identity.certificate, *server_identity.chain],
            server_identity.key,
            clientCA=pki() / "ca.pem",
        )
        self.bound(context.getContext())
        names = []
        for number in range(250):
            name = crypto.X509().get_subject()
            name.O, name.OU, name.CN = "x" * 60, "y" * 60, f"authority {number} {'z' * 40}"
            names.append(name)
        context.getContext().set_client_ca_list(names)
        server = Recorder().on("data", lambda s: s.transport.loseConnection())
        client = Recorder().on("made", lambda c: c.transport.write(b"x"))
        self.runPair(
            server,
            client,
            serverContext=context,
            clientContext=self.clientContext(
                cafile=None, trust=[root.certificate], certificate=pki() / "client-both.pem"
            ),
        )
        self.assertEqual(server.data, b"x")
        self.assertIs(client.reason.type, ConnectionDone)

    def test_new_keys_under_load(self) -> None:
        """TLS 1.3 KeyUpdate, TLS 1.2 renegotiation, with full buffers both ways: not a byte is lost."""
        context = self.serverContext()
        if self.version == ProtocolVersion.TLS1_2:
            context.getContext().clear_options(OP_NO_RENEGOTIATION)
        size = 4 * len(BLOB)

        def change(server: Recorder, count: int) -> None:
            if server.reason is None and count:
                engine = server.transport.getHandle()
                if self.version == ProtocolVersion.TLS1_3:
                    engine.key_update(True)
                elif count == 3:
                    engine.renegotiate()
                server.transport.resumeHandshake()
                self.reactor.callLater(0, change, server, count - 1)

        def begin(protocol: Recorder) -> None:
            protocol.transport.write(BLOB * 4)

        def done(protocol: Recorder) -> None:
            if len(server.data) == len(client.data) == size:
                client.transport.loseConnection()

        server = Recorder().on("data", done)
        server.on("handshake", lambda s: (begin(s), self.reactor.callLater(0, change, s, 20)))
        client = Recorder().on("handshake", begin).on("data", done)
        client_context = self.clientContext()
        client_context.getContext().clear_options(OP_NO_RENEGOTIATION)
        self.runPair(server, client, serverContext=context, clientContext=client_context)
        self.assertEqual(server.data, BLOB * 4)
        self.assertEqual(client.data, BLOB * 4)

    def test_wake_ups_are_bounded(self) -> None:
        """Much goes both ways, with new keys between: no more events than pieces, none when it is said."""
        wakes = {"doRead": 0, "doWrite": 0}
        size = 4 * len(BLOB)

        contexts = self.serverContext(), self.clientContext()
        for context in contexts:
            context.getContext().clear_options(OP_NO_RENEGOTIATION)

        def watch(protocol: Recorder) -> None:
            # Whom the reactor wakes.
            below = protocol.transport.transport if self.edge == "layered" else protocol.transport
            for name in wakes:
                setattr(below, name, count(name, getattr(below, name)))
            protocol.transport.write(BLOB * 4)
            if self.version == ProtocolVersion.TLS1_2 and protocol is server:
                self.reactor.callLater(0, protocol.transport.getHandle().renegotiate)
                self.reactor.callLater(0, protocol.transport.resumeHandshake)
            if self.version == ProtocolVersion.TLS1_3:
                for _ in range(20):
                    protocol.transport.getHandle().key_update(True)
                protocol.transport.resumeHandshake()

        def count(name: str, real: Any) -> Any:
            def counted() -> Any:
                wakes[name] += 1
                return real()

            return counted

        def done(_: Recorder) -> None:
            if len(server.data) == len(client.data) == size:
                self.reactor.callLater(0.02, idle, dict(wakes))

        def idle(before: dict[str, int]) -> None:
            # What was under way then (tickets, the last answers to key updates) has come.
            self.reactor.callLater(0.1, over, dict(wakes))

        def over(before: dict[str, int]) -> None:
            quiet.append((before, dict(wakes)))
            if before != wakes and len(quiet) < 50:  # on a busy machine it comes late
                self.reactor.callLater(0.1, over, dict(wakes))
                return
            client.transport.loseConnection()

        quiet: list[Any] = []
        server = Recorder().on("handshake", watch).on("data", done)
        client = Recorder().on("handshake", watch).on("data", done)
        self.runPair(server, client, serverContext=contexts[0], clientContext=contexts[1])
        self.assertEqual((bytes(server.data), bytes(client.data)), (BLOB * 4, BLOB * 4))
        self.assertEqual(*quiet[-1])
        self.assertGreater(wakes["doRead"], 0)
        # A wake-up brings at least a record or so; most bring much more.
        self.assertLess(wakes["doRead"], 2 * size // 8192)
        self.assertLess(wakes["doWrite"], 2 * size // 8192)

    def test_renegotiation_while_paused(self) -> None:
        """TLS 1.2: writing waits for the peer's answer, which is read although nothing may be delivered."""
        if self.version != ProtocolVersion.TLS1_2:
            return
        contexts = self.serverContext(), self.clientContext()
        for context in contexts:
            context.getContext().clear_options(OP_NO_RENEGOTIATION)

        def begin(server: Recorder) -> None:
            server.transport.pauseProducing()
            server.transport.getHandle().renegotiate()
            server.transport.resumeHandshake()
            server.transport.write(BLOB)

        def full(client: Recorder) -> None:
            if client.pieces == 1:
                client.transport.write(BLOB[:5000])
            if len(client.data) == len(BLOB):
                heard.append(bytes(server.data))
                server.transport.resumeProducing()
                client.transport.loseConnection()

        heard: list[bytes] = []
        server = Recorder().on("handshake", lambda s: self.reactor.callLater(0, begin, s))
        client = Recorder().on("data", full)
        self.runPair(server, client, serverContext=contexts[0], clientContext=contexts[1])
        self.assertEqual(heard, [b""])
        self.assertEqual(client.data, BLOB)
        self.assertEqual(server.data, BLOB[:5000])

    def test_a_callback_fails_while_the_peer_takes_little(self) -> None:
        """TLS 1.2: a renegotiation begins between what waits to leave; the failure waits for none of that."""
        if self.version != ProtocolVersion.TLS1_2:
            return
        fault = RuntimeError("a callback's own")

        def begin(server: Recorder) -> None:
            client.transport.pauseProducing()
            server.transport.write(BLOB * 16)
            engine = server.transport.getHandle()
            engine.renegotiate()
            engine.set_info_callback(fail)
            client.transport.resumeProducing()

        def fail(*_: Any) -> None:
            client.transport.pauseProducing()
            raise fault

        server = Recorder().on("handshake", lambda s: self.reactor.callLater(0, begin, s))
        server.on("lost", lambda s: client.transport.abortConnection())
        client = Recorder()
        context = self.serverContext()
        context.getContext().clear_options(OP_NO_RENEGOTIATION)
        self.runPair(server, client, serverContext=context)
        self.assertIs(server.reason.value, fault)
        self.assertLess(len(client.data), len(BLOB) * 16)

    def test_many_at_once(self) -> None:
        """Two hundred connections in one go, each with its own echo."""
        servers = [Recorder() for _ in range(200)]
        clients = [Recorder() for _ in range(200)]
        for server in servers:
            server.on("data", lambda s: s.transport.write(bytes(s.data)))
        port = self.listen(Once(*servers), backlog=len(clients))
        context = self.clientContext()
        for number, client in enumerate(clients):
            client.on("made", lambda c, number=number: c.transport.write(b"%d" % number))
            client.on("data", lambda c: c.transport.loseConnection())
            self.connect(port, Once(client), context)
        self.runUntilLost(*servers, *clients)
        for number, client in enumerate(clients):
            self.assertEqual(client.data, b"%d" % number, client.reason)
            self.assertIs(client.reason.type, ConnectionDone)

    def test_out_of_descriptors(self) -> None:
        """A server that has run out of descriptors drops who comes then, and serves those who come later.

        It does not spin meanwhile.
        """
        turns: list[int] = []
        served = Recorder().on("data", lambda s: s.transport.loseConnection())
        port = self.listen(Once(served))
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        hungry = socket.socket()
        dropped = []
        fillers: list[int] = []

        def starve() -> None:
            gc.collect()  # what closes by itself later would leave room
            # The spare descriptor that Twisted lets go of to accept with must lie below the limit.
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[0], 1024), limits[1]))
            with contextlib.suppress(OSError):
                while True:
                    fillers.append(os.dup(hungry.fileno()))
            accept = self.ports[-1].doRead
            self.ports[-1].doRead = lambda: (turns.append(1), accept())[1]
            hungry.setblocking(False)
            hungry.connect_ex(("127.0.0.1", port))
            self.reactor.callLater(0.05, feed)

        def feed() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            while fillers:
                os.close(fillers.pop())
            try:
                dropped.append(hungry.recv(1))
            except BlockingIOError:
                dropped.append(None)
            except OSError as error:
                dropped.append(error)
            hungry.close()
            self.connect(port, Once(client))

        client = Recorder().on("made", lambda c: c.transport.write(b"x"))
        self.reactor.callWhenRunning(starve)
        try:
            self.runUntilLost(client)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        self.assertEqual(len(dropped), 1)
        self.assertLess(len(turns), 10)  # spinning would make it thousands
        self.assertEqual(served.data, b"x")
        self.assertIs(client.reason.type, ConnectionDone)

    def leave(self, end: Any, **options: Any) -> None:
        """Have a client end a connection; nothing of it is to be left.

        The engines, with libssl's memory, go without the collector of cycles: a server may be busy for long
        before that runs.  Twisted's own clients wait for it, with the TLS that was started on them.
        """
        engines: dict[Recorder, Any] = {}
        transports: list[Any] = []

        def note(protocol: Recorder) -> None:
            transports.append(weakref.ref(protocol.transport))
            engines[protocol] = weakref.ref(protocol.transport.getHandle())

        server = Recorder().on("made", note)
        client = Recorder().on("made", note).on("data", lambda c: end(c.transport))
        server.on("handshake", lambda s: s.transport.write(b"x"))
        gc.collect()
        gc.disable()
        try:
            port = self.listen(Once(server))
            self.connect(port, Once(client), self.clientContext(**options))
            self.runUntilLost(server, client)
            for protocol in (server, client):
                # Reasons have tracebacks, which lead to everything.
                protocol.transport = protocol.reason = None  # type: ignore[assignment]
            self.assertIs(engines[server](), None)
            if self.edge != "starttls":
                self.assertIs(engines[client](), None)
        finally:
            gc.enable()
        gc.collect()
        self.assertEqual([kept() for kept in transports], [None, None])
        self.assertIs(engines[client](), None)
        self.assertEqual([c for c in self.reactor.getDelayedCalls() if "TLS" in repr(c)], [])

    def test_nothing_is_left(self) -> None:
        """Of a connection that ends cleanly."""
        self.leave(lambda transport: transport.loseConnection())

    def test_nothing_is_left_of_an_aborted_one(self) -> None:
        self.leave(lambda transport: transport.abortConnection())

    def test_nothing_is_left_of_a_truncated_one(self) -> None:
        self.leave(lambda transport: transport.socket.shutdown(socket.SHUT_RDWR))

    def test_nothing_is_left_of_a_refused_one(self) -> None:
        self.leave(None, cafile=pki() / "other.pem")

    def test_no_shared_protocol(self) -> None:
        """The server's alert reaches the client; both know."""
        other = {
            ProtocolVersion.TLS1_2: ProtocolVersion.TLS1_3,
            ProtocolVersion.TLS1_3: ProtocolVersion.TLS1_2,
        }[self.version]
        context = self.clientContext()
        context.getContext().set_max_proto_version(other)
        context.getContext().set_min_proto_version(other)
        context.getContext().set_max_proto_version(other)
        server, client = Recorder(), Recorder()
        self.runPair(server, client, clientContext=context)
        self.assertEqual(client.reason.value.alert, 70)  # protocol_version
        self.assertTrue(server.reason.check(errors.Error), server.reason)
        self.assertFalse(server.reason.check(ConnectionLost), server.reason)

    def test_session_survives_an_abrupt_end(self) -> None:
        """A connection that was cut off does not take its session with it."""
        sessions: list[Any] = []
        reused: list[bool] = []
        base = self.clientContext()

        class Resuming:
            def clientConnectionForTLS(_, transport: Any) -> Any:
                connection = base.clientConnectionForTLS(transport)
                if sessions:
                    connection.set_session(sessions[0])
                return connection

        def first(client: Recorder) -> None:
            sessions.append(client.transport.getHandle().get_session())
            client.transport.abortConnection()

        def second(client: Recorder) -> None:
            reused.append(client.transport.getHandle().session_reused())
            client.transport.loseConnection()

        servers = [Recorder().on("made", lambda s: s.transport.write(b"x")) for _ in range(2)]
        clients = [Recorder().on("data", first), Recorder().on("data", second)]
        port = self.listen(Once(*servers), self.serverContext())

        def again(_: Any) -> None:
            # OpenSSL drops the session of a connection when that is freed, not before.
            gone.append(engines.pop()())
            self.connect(port, Once(clients[1]), Resuming())

        def lost(client: Recorder) -> Recorder:
            engines.append(weakref.ref(client.transport.getHandle()))
            client.transport = None  # type: ignore[assignment]
            client.reason.cleanFailure()
            self.reactor.callLater(0.02, lambda: (gc.collect(), again(None)))
            return client

        engines: list[Any] = []
        gone: list[Any] = []
        clients[0].lost.addCallback(lost)
        self.connect(port, Once(clients[0]), Resuming())
        self.runUntilLost(*clients)
        self.assertEqual(gone, [None])
        self.assertEqual(reused, [True])


whole_matrix(Wire, globals())
