"""Much at once, much in small pieces, and what TLS itself has to say in the midst of it."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from transport_matrix import Recorder, TransportCase, matrix, pki, whole_matrix
from twisted.internet.error import ConnectionDone

from openssl_iface import SSL
from openssl_iface.values import ProtocolVersion

BLOB = os.urandom(1 << 20)
SIZE = 4 * len(BLOB)


def memory(what: str) -> int:
    """VmRSS or VmHWM of this process (MiB)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith(what))


class Storms(TransportCase):
    """TLS reads when it is to write and writes when it is to read, while all buffers are full both ways."""

    def churn(self, serverContext: Any, clientContext: Any, shake: Any) -> tuple[Recorder, Recorder]:
        """Both send much; ``shake(server, client, count)`` is called in each iteration meanwhile."""
        counts: list[int] = []

        def again() -> None:
            if server.reason is None and client.reason is None and len(client.data) < SIZE:
                shake(server, client, len(counts))
                counts.append(1)
                self.reactor.callLater(0, again)

        def begin(protocol: Recorder) -> None:
            protocol.transport.write(BLOB * 4)
            if "handshake" in server.events and "handshake" in client.events:
                self.reactor.callLater(0, again)

        def done(_: Recorder) -> None:
            if len(server.data) == len(client.data) == SIZE:
                client.transport.loseConnection()

        server = Recorder().on("handshake", begin).on("data", done)
        client = Recorder().on("handshake", begin).on("data", done)
        self.runPair(server, client, serverContext=serverContext, clientContext=clientContext)
        self.assertEqual((bytes(server.data), bytes(client.data)), (BLOB * 4, BLOB * 4))
        self.assertIs(server.reason.type, ConnectionDone)
        self.assertIs(client.reason.type, ConnectionDone)
        return server, client

    def keys(self, *sides: int) -> Counter[str]:
        """The server (0), the client (1) or both ask for new keys; gives what libssl did, by its steps."""
        contexts = self.serverContext(), self.clientContext()
        done: Counter[str] = Counter()

        def note(connection: Any, where: int, _: int) -> None:
            if where & SSL.SSL_CB_LOOP:
                done[connection.get_state_string().decode()] += 1

        for factory in contexts:
            factory.getContext().clear_options(SSL.OP_NO_RENEGOTIATION)
            factory.getContext().set_info_callback(note)
        contexts[0].getContext().set_options(getattr(SSL, "OP_ALLOW_CLIENT_RENEGOTIATION", 0))

        def shake(server: Recorder, client: Recorder, count: int) -> None:
            for protocol in [(server, client)[side] for side in sides]:
                engine = protocol.transport.getHandle()
                if self.version == ProtocolVersion.TLS1_3:
                    for _ in range(5 if count < 100 else 0):
                        engine.key_update(True)
                elif count < 100 and not engine.renegotiate_pending():
                    engine.renegotiate()
                protocol.transport.resumeHandshake()

        self.churn(*contexts, shake)
        return done

    def test_new_keys_from_either_side(self) -> None:
        """TLS 1.3: a storm of KeyUpdates from one side or both.  TLS 1.2: renegotiations."""
        for sides in ((0,), (1,), (0, 1)):
            with self.subTest(sides=sides):
                done = self.keys(*sides)
                if self.version == ProtocolVersion.TLS1_3:
                    # The others answer, once for what came together (RFC 8446, section 4.6.3).
                    for role in [("server", "client")[side] for side in sides]:
                        self.assertGreater(done[f"TLSv1.3 write {role} key update"], 10)
                        self.assertGreater(done[f"TLSv1.3 read {role} key update"], 10)
                else:
                    # Both sides read the other's Finished in each handshake.
                    self.assertGreaterEqual(done["SSLv3/TLS read finished"], 4)
                    if sides == (0,):
                        self.assertGreater(done["SSLv3/TLS write hello request"], 0)
                self.doCleanups()
                self.reactor = self.buildReactor()

    def test_a_certificate_is_asked_for_later(self) -> None:
        """TLS 1.3, post-handshake authentication: the answer finds its way between the data."""
        if self.version != ProtocolVersion.TLS1_3:
            return
        client_context = self.clientContext(certificate=pki() / "client-both.pem")
        client_context.getContext().set_post_handshake_auth(True)
        server_context = self.serverContext()
        server_context.getContext().load_verify_locations(str(pki() / "ca.pem"))
        seen: list[Any] = []

        def shake(server: Recorder, client: Recorder, count: int) -> None:
            engine = server.transport.getHandle()
            if count == 0:
                seen.append(engine.get_peer_certificate())
                engine.set_verify(SSL.VERIFY_PEER)
                engine.verify_client_post_handshake()
                server.transport.resumeHandshake()

        server, _ = self.churn(server_context, client_context, shake)
        self.assertEqual(seen, [None])
        self.assertIsNotNone(server.transport.getHandle().get_peer_certificate())

    def test_late_tickets(self) -> None:
        """TLS 1.3: what comes after the handshake is taken in although the client only writes, or pauses."""
        for pauses in (False, True):
            with self.subTest(pauses=pauses):
                got: list[Any] = []
                context = self.clientContext()
                context.getContext().set_session_cache_mode(SSL.SESS_CACHE_CLIENT)
                context.getContext().set_session_callback(lambda _, session, got=got: got.append(session))

                def begin(client: Recorder, pauses: bool = pauses) -> None:
                    if pauses:
                        client.transport.pauseProducing()
                    client.transport.write(BLOB * 4)

                client = Recorder().on("handshake", begin).on("data", lambda c: c.transport.loseConnection())

                def full(server: Recorder, client: Recorder = client) -> None:
                    if len(server.data) == SIZE:
                        server.transport.write(b"x")
                        client.transport.resumeProducing()

                server = Recorder().on("data", full)
                self.runPair(server, client, clientContext=context)
                self.assertEqual(client.data, b"x")
                self.assertEqual(len(got), 2 if self.version == ProtocolVersion.TLS1_3 else 1)
                self.assertTrue(all(session.is_resumable for session in got))
                self.doCleanups()
                self.reactor = self.buildReactor()


@pytest.mark.slow
class Masses(TransportCase):
    def test_a_hundred_megabytes_at_once(self) -> None:
        """Written in one piece: it arrives whole, and what is made of it at a time is little."""
        piece = BLOB * 100
        digest = hashlib.sha256()
        sizes: Counter[str] = Counter()
        before: list[int] = []

        def data(client: Recorder) -> None:
            digest.update(client.data)
            sizes["all"] += len(client.data)
            client.data.clear()

        def write(server: Recorder) -> None:
            before.append(memory("VmRSS"))
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew (proc(5))
            server.transport.write(piece)
            server.transport.loseConnection()

        client = Recorder().on("data", data)
        self.runPair(Recorder().on("handshake", write), client)
        # Another copy, or the whole of it encrypted, would be a hundred.
        self.assertLess(memory("VmHWM"), before[0] + 30)
        self.assertEqual(sizes["all"], len(piece))
        self.assertEqual(digest.digest(), hashlib.sha256(piece).digest())
        self.assertIs(client.reason.type, ConnectionDone)

    def test_a_byte_a_million_times(self) -> None:
        """In order, and in records as few as if it had been written at once, or not many more."""
        count = 1_000_000
        expected = BLOB[:count]

        def write(client: Recorder) -> None:
            send = client.transport.write
            for number in range(count):
                send(expected[number : number + 1])
                if number % 1000 == 0:
                    send(b"")
            client.transport.loseConnection()

        server = Recorder()
        client = Recorder().on("handshake", lambda c: self.reactor.callLater(0, write, c))
        self.runPair(server, client)
        self.assertEqual(server.data, expected)
        self.assertLess(server.pieces, 400)


whole_matrix(Storms, globals())
matrix(Masses, globals(), reactors=("epoll",))
