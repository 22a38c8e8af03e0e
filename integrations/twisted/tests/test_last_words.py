"""A reset that a transport of Twisted's notices while it writes: what came before it is read nevertheless."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Callable
from typing import Any

from transport_matrix import Once, Recorder, StdlibPeer, TransportCase, matrix
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from openssl_iface_twisted import AbortedConnectionLost

HANDSHAKE_FAILURE = b"\x15\x03\x03\x00\x02\x02\x28"


class Fault(Exception):
    """What a protocol raises."""


class LastWords(TransportCase):
    def below(self, protocol: Recorder) -> Any:
        """The TCP transport."""
        return protocol.transport.transport if self.edge == "layered" else protocol.transport

    def writable(self, protocol: Recorder) -> None:
        """The reactor has seen that the socket is writable, and nothing else of it yet."""
        below = self.below(protocol)
        why = type(below).doWrite(below)
        self.assertIsInstance(why, ConnectionLost)
        self.reactor._disconnectSelectable(below, why, False)

    def test_an_alert(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def vanish(client: Recorder) -> None:
            stranger, _ = listener.accept()
            stranger.sendall(HANDSHAKE_FAILURE)
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stranger.close()
            self.writable(client)

        client = Recorder().on("made", lambda c: self.reactor.callLater(0, vanish, c))
        self.connect(listener.getsockname()[1], Once(client))
        self.runUntilLost(client)
        self.assertEqual(client.reason.value.alert, 40)
        self.assertEqual(client.events, ["made", "lost"])

    def words(self, client: Recorder, gone: Any) -> None:
        """The peer says something, *gone(peer)* happens, and the client notices only that it can write."""

        def vanish() -> None:
            peer.transport.setTcpNoDelay(True)
            peer.write(b"last words")
            peer.transport.doWrite()
            gone(peer)

        def ready(_: Recorder) -> None:
            if peer.shaken and "handshake" in client.events:
                self.reactor.callLater(0, vanish)

        peer = StdlibPeer(self.stdlib(server=True), server=True).on("handshake", ready)
        self.connect(self.listenPlain(Once(peer)), Once(client.on("handshake", ready)))
        self.runUntilLost(client)

    def reset(self, peer: StdlibPeer) -> None:
        peer.transport.connectionLost(Failure(ConnectionAborted()))

    def test_application_data(self) -> None:
        client = Recorder()
        self.words(client, lambda peer: (self.reset(peer), self.writable(client)))
        self.assertEqual(client.data, b"last words")
        self.assertIs(client.reason.type, AbortedConnectionLost)

    def goodbye(self, client: Recorder, before: Callable[[Recorder], object]) -> None:
        """The last words are a goodbye.  *before* it the client acts, and nothing of that has left."""

        def gone(peer: StdlibPeer) -> None:
            before(client)
            peer.closeNotify()
            peer.transport.doWrite()
            self.reset(peer)
            self.writable(client)

        self.words(client, gone)
        self.assertTrue(b"last words".startswith(client.data), client.data)

    def test_a_goodbye_and_nothing_to_say(self) -> None:
        """All was said, but for the answer to the goodbye, which nobody waits for."""
        client = Recorder()
        self.goodbye(client, lambda c: None)
        self.assertIs(client.reason.type, ConnectionDone)

    def test_a_goodbye_before_all_has_left(self) -> None:
        """What the transport below still had is lost, whoever has said goodbye."""

        def write(client: Recorder) -> None:
            client.transport.write(bytes(30_000))

        def finish(client: Recorder) -> None:
            write(client)
            client.transport.loseConnection()

        for half_close, before in itertools.product((False, True), (write, finish)):
            with self.subTest(half_close=half_close, before=before.__name__):
                client = Recorder(half_close=half_close)
                self.goodbye(client, before)
                self.assertIs(client.reason.type, AbortedConnectionLost)
                self.doCleanups()
                self.reactor = self.buildReactor()

    def test_a_goodbye_after_all_has_left(self) -> None:
        """Both have said goodbye, and nothing is lost, though it was still to leave when we said ours."""

        def finish(client: Recorder) -> None:
            client.transport.write(bytes(30_000))
            client.transport.loseConnection()

        def vanish() -> None:
            peer.transport.setTcpNoDelay(True)
            peer.closeNotify()
            peer.transport.doWrite()
            self.reset(peer)
            self.writable(client)

        client = Recorder().on("handshake", finish)
        peer = StdlibPeer(self.stdlib(server=True), server=True)
        peer.on("closed", lambda _: self.reactor.callLater(0, vanish))
        self.connect(self.listenPlain(Once(peer)), Once(client))
        self.runUntilLost(client)
        self.assertEqual(len(peer.data), 30_000)
        self.assertIs(client.reason.type, ConnectionDone)

    def test_who_raises_is_told_so(self) -> None:
        def fail(client: Recorder) -> None:
            raise Fault

        client = Recorder().on("data", fail)
        self.words(client, lambda peer: (self.reset(peer), self.writable(client)))
        self.assertIs(client.reason.type, Fault)
        self.assertEqual(len(self.flushLoggedErrors(Fault)), 1)

    def test_a_reactor_that_ends_reads_nothing_more(self) -> None:
        """The connection is not broken then, and the peer might go on for ever."""
        client = Recorder()
        self.words(client, lambda peer: self.below(client).connectionLost(Failure(ConnectionLost())))
        self.assertEqual(client.data, b"")
        self.assertIs(client.reason.type, AbortedConnectionLost)


matrix(LastWords, globals(), ("layered", "starttls"))
