"""Every way to end, at every moment, on either side; every way that a handshake fails: who is told what."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

from transport_matrix import Once, Recorder, TransportCase, matrix, pki, throwaway
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol

from openssl_iface import crypto, errors
from openssl_iface.testing.pki import CASES, Identity
from openssl_iface.values import ProtocolVersion
from openssl_iface_twisted import (
    AbortedConnectionLost,
    ServerContextFactory,
    TimedOutConnectionLost,
    TruncatedConnectionLost,
    VerifyingClientContextFactory,
)

BLOB = os.urandom(300_000)
EDGES = ("socket", "layered", "endpoint", "starttls")
# The bad certificates; the alerts of those of which TLS has more to say than that they are bad
# (RFC 8446, section 6.2); and those whose fault may be found above them.
BAD = CASES[CASES.index("expired") :]
ALERTS = {"revoked": 44, "expired": 45, "untrusted": 48, "self_signed": 48}
ABOVE = ("untrusted", "path_length", "long_chain")


class Half(Protocol):
    """One side of a box."""

    other: Half
    box: Box

    def connectionMade(self) -> None:
        self.box.joined(self)

    def dataReceived(self, data: bytes) -> None:
        self.box.chunks += 1
        if self.box.chunks == self.box.last:
            self.box.reset()
        else:
            self.other.transport.write(data)


class Box:
    """Somebody on the way from a client to a server, who passes everything on, and resets both some time."""

    def __init__(self, reactor: Any, port: int, last: int) -> None:
        self.halves = Half(), Half()  # what faces the server, and the client
        self.chunks = 0
        self.last = last  # so many pieces are heard, and this one is not passed on
        self._connect = partial(reactor.connectTCP, "127.0.0.1", port, Once(self.halves[0]))
        self._over = False
        for half, other in itertools.permutations(self.halves):
            half.other, half.box = other, self

    def joined(self, half: Half) -> None:
        if half is self.halves[1]:
            half.transport.pauseProducing()
            self._connect()
            return
        half.other.transport.resumeProducing()
        if self._over:
            self.reset()

    def hold(self, who: int) -> None:
        """Pass nothing on from the server (0) or the client (1)."""
        self.halves[who].transport.pauseProducing()

    def reset(self) -> None:
        self._over = True
        if all(half.connected for half in self.halves):
            for half in self.halves:
                half.transport.abortConnection()


@cache
def bad_clients() -> dict[str, Identity]:
    """Clients' certificates that a server which trusts the throwaway root refuses."""
    issue, now, day = throwaway().ca.issue, datetime.now(UTC), timedelta(days=1)
    revoked = issue("client.test", usage="client", verdicts={23})
    throwaway().ca.revoke(revoked)
    return {
        "expired": issue(
            "client.test", usage="client", not_before=now - 9 * day, not_after=now - day, verdicts={10}
        ),
        "not_yet_valid": issue("client.test", usage="client", not_before=now + day, verdicts={9}),
        "wrong_usage": issue("client.test", verdicts={26}),
        "revoked": revoked,
    }


class EveryEnd(TransportCase):
    boxed: int | None = None  # whether there is a box, and after how many pieces it resets by itself
    box: Box

    def connect(self, port: int, *arguments: Any, **options: Any) -> None:
        if self.boxed is not None:
            self.box = Box(self.reactor, port, self.boxed)
            port = self.listenPlain(Once(self.box.halves[1]))
        super().connect(port, *arguments, **options)

    def again(self) -> None:
        """A fresh reactor, for a test that runs more than once."""
        self.doCleanups()
        self.reactor = self.buildReactor()

    def at(self, moment: str, way: str | Callable[[Recorder], None], who: int) -> tuple[Recorder, Recorder]:
        """Two that both write much when they may; one of them ends it, and is returned first."""
        pair = Recorder(), Recorder()
        self.peers = dict(zip(pair, pair[::-1], strict=True))
        for protocol in pair:
            protocol.on("handshake", lambda p: p.transport.write(BLOB))
        actor, peer = pair[who], pair[1 - who]

        def end(protocol: Recorder) -> None:
            protocol.on(moment, lambda _: None)
            if moment == "handshake":
                protocol.transport.write(BLOB)
            if callable(way):
                way(protocol)
            else:
                getattr(protocol.transport, way)()

        if moment == "later":
            # Both have all: nothing is queued any more.
            def all_is_said(_: Recorder) -> None:
                if len(actor.data) == len(peer.data) == len(BLOB):
                    self.reactor.callLater(0.01, end, actor)

            actor.on("data", all_is_said)
            peer.on("data", all_is_said)
        else:
            actor.on(moment, end)
        self.runPair(*pair)
        return actor, peer

    def test_loseConnection(self) -> None:
        """Clean on both sides, and what the actor has written has arrived; at the beginning nothing has."""
        for moment, who in itertools.product(("made", "handshake", "data", "later"), (0, 1)):
            with self.subTest(moment=moment, who=who):
                actor, peer = self.at(moment, "loseConnection", who)
                self.assertIs(actor.reason.type, ConnectionDone)
                if moment == "made":
                    self.assertTrue(peer.reason.check(ConnectionLost), peer.reason)
                    self.assertEqual((bytes(actor.data), bytes(peer.data)), (b"", b""))
                else:
                    self.assertIs(peer.reason.type, ConnectionDone)
                    self.assertEqual(peer.data, BLOB)
                self.again()

    def test_loseWriteConnection(self) -> None:
        """Between protocols that do not want half a connection it is another loseConnection."""
        for moment, who in itertools.product(("handshake", "data", "later"), (0, 1)):
            with self.subTest(moment=moment, who=who):
                actor, peer = self.at(moment, "loseWriteConnection", who)
                self.assertIs(actor.reason.type, ConnectionDone)
                self.assertIs(peer.reason.type, ConnectionDone)
                self.assertEqual(peer.data, BLOB)
                self.again()

    def test_abortConnection(self) -> None:
        """The actor knows that it was itself; the peer is told of a loss, never of a clean end."""
        for moment, who in itertools.product(("made", "handshake", "data", "later"), (0, 1)):
            with self.subTest(moment=moment, who=who):
                actor, peer = self.at(moment, "abortConnection", who)
                self.assertIs(actor.reason.type, ConnectionAborted)
                kinds = (AbortedConnectionLost, TruncatedConnectionLost)
                self.assertTrue(peer.reason.check(*kinds), peer.reason)
                if moment == "later":
                    self.assertIs(peer.reason.type, AbortedConnectionLost)
                self.again()

    # -- what nobody has asked for

    def below(self, protocol: Recorder) -> Any:
        """The TCP transport of *protocol*."""
        return protocol.transport.transport if self.edge == "layered" else protocol.transport

    def tls(self, protocol: Recorder) -> Any:
        """What has the settings of its TLS."""
        return protocol.transport.protocol if self.edge == "starttls" else protocol.transport

    def test_truncated(self) -> None:
        """TCP ends without close_notify: never a clean end, whatever was said before."""
        for moment, who in itertools.product(("made", "handshake", "data", "later"), (0, 1)):
            with self.subTest(moment=moment, who=who):
                actor, peer = self.at(moment, self.cut, who)
                kinds = (TruncatedConnectionLost, AbortedConnectionLost)
                self.assertTrue(actor.reason.check(*kinds), actor.reason)
                self.assertTrue(peer.reason.check(*kinds), peer.reason)
                self.assertEqual(BLOB[: len(peer.data)], peer.data)
                if moment in ("made", "later"):
                    # Nothing was under way: no answer to it can come back as a reset.
                    self.assertIs(peer.reason.type, TruncatedConnectionLost)
                self.again()

    def cut(self, protocol: Recorder) -> None:
        self.below(protocol).socket.shutdown(socket.SHUT_WR)

    # -- what somebody on the way does

    def reset_by_another(self, *lost: Recorder) -> None:
        """It was told as such, and what was received until then is right."""
        for protocol in lost:
            self.assertIs(protocol.reason.type, AbortedConnectionLost)
            self.assertTrue(BLOB.startswith(protocol.data))
        self.again()

    def test_reset_within_the_handshake(self) -> None:
        for self.boxed in range(1, 5):
            with self.subTest(piece=self.boxed):
                pair = Recorder(), Recorder()
                self.runPair(*pair)
                self.reset_by_another(*pair)

    def test_reset(self) -> None:
        """Both are told, whatever is on its way or queued."""
        self.boxed = 0
        for moment, who in itertools.product(("made", "handshake", "data", "later"), (0, 1)):
            with self.subTest(moment=moment, who=who):
                self.reset_by_another(*self.at(moment, lambda _: self.box.reset(), who))

    def test_reset_while_nothing_moves(self) -> None:
        """More is queued on both sides than the kernel takes."""
        self.boxed = 0

        def much(_: Recorder) -> None:
            if all("handshake" in each.events for each in pair):
                for who, each in enumerate(pair):
                    self.box.hold(who)
                    each.transport.write(BLOB * 16)
                self.reactor.callLater(0.01, self.box.reset)

        pair = Recorder().on("handshake", much), Recorder().on("handshake", much)
        self.runPair(*pair)
        self.reset_by_another(*pair)

    def test_reset_behind_a_goodbye(self) -> None:
        """Who has heard of no goodbye is told of the reset; who has, and has answered it, of a clean end."""
        self.boxed = 0

        def unheard(actor: Recorder) -> None:
            self.box.hold(who)
            actor.transport.loseConnection()
            self.reactor.callLater(0.01, self.box.reset)

        def answered(actor: Recorder) -> None:
            self.box.hold(1 - who)
            self.peers[actor].lost.addCallback(lambda peer: (self.box.reset(), peer)[1])
            actor.transport.loseConnection()

        for who in (0, 1):
            with self.subTest(heard=False, who=who):
                self.reset_by_another(*self.at("later", unheard, who))
            with self.subTest(heard=True, who=who):
                actor, peer = self.at("later", answered, who)
                self.assertIs(peer.reason.type, ConnectionDone)
                self.reset_by_another(actor)

    def test_reset_of_half_a_connection(self) -> None:
        """One has said goodbye and the other has more to say: neither is told of a clean end."""
        self.boxed = 0
        if self.version != ProtocolVersion.TLS1_3:
            return  # there are no such halves before
        for who in (0, 1):
            with self.subTest(who=who):
                pair = Recorder(half_close=True), Recorder(half_close=True)
                actor, peer = pair[who], pair[1 - who]

                def speak(peer: Recorder) -> None:
                    peer.transport.write(BLOB)
                    self.box.reset()
                    on(peer)

                def on(peer: Recorder) -> None:
                    # As with plain TCP, who has heard all and says nothing is told nothing.
                    if peer.reason is None:
                        peer.transport.write(b"x")
                        self.reactor.callLater(0.01, on, peer)

                actor.on("handshake", lambda actor: actor.transport.loseWriteConnection())
                peer.on("readLost", speak)
                self.runPair(*pair)
                self.reset_by_another(*pair)

    def test_silent(self) -> None:
        """One stays and does nothing more, the other gives it up: that ends, and says why."""
        for moment, who in itertools.product(("handshake", "data", "later"), (0, 1)):
            with self.subTest(moment=moment, who=who):
                _, peer = self.at(moment, self.hush, who)
                self.assertIs(peer.reason.type, TimedOutConnectionLost)
                self.again()

    def hush(self, protocol: Recorder) -> None:
        below, peer = self.below(protocol), self.peers[protocol]
        if "handshake" not in peer.events:
            peer.on("handshake", lambda _: self.hush(protocol))
            return
        below.stopReading()
        below.stopWriting()
        below.startReading = below.startWriting = lambda: None

        def wake(peer: Recorder) -> Recorder:
            del below.startReading, below.startWriting
            protocol.transport.abortConnection()
            return peer

        peer.lost.addCallback(wake)
        self.tls(peer).closeTimeout = 0.05
        peer.transport.loseConnection()

    # -- handshakes that fail

    def refused(self, server: Any, client: Any, alert: int | None, *, by: str) -> Any:
        """Both fail, and who refuses hears of no handshake; gives its reason.  The other's has the alert."""
        ends = {"server": Recorder(), "client": Recorder()}
        self.runPair(ends["server"], ends["client"], serverContext=server, clientContext=client)
        other = ends["client" if by == "server" else "server"]
        refuses = ends[by]
        self.assertNotIn("handshake", refuses.events)
        self.assertTrue(refuses.reason.check(errors.Error), refuses.reason)
        self.assertFalse(refuses.reason.check(ConnectionLost), refuses.reason)
        self.assertTrue(other.reason.check(errors.Error), other.reason)
        self.assertIn(other.reason.value.alert, range(1, 256) if alert is None else (alert,))
        self.again()
        return refuses.reason.value

    def test_nothing_in_common(self) -> None:
        """No cipher: the server refuses and says why, the client is told by the alert."""
        server, client = self.serverContext(), self.clientContext()
        if self.version == ProtocolVersion.TLS1_3:
            server.getContext().set_tls13_ciphersuites("TLS_AES_128_GCM_SHA256")
            client.getContext().set_tls13_ciphersuites("TLS_AES_256_GCM_SHA384")
        else:
            server.getContext().set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256")
            client.getContext().set_cipher_list("ECDHE-ECDSA-AES256-GCM-SHA384")
        error = self.refused(server, client, 40, by="server")
        self.assertIn("no shared cipher", str(error))

    def test_bad_certificates(self) -> None:
        """The client's reason has the verify error, depth and certificate; the server's has the alert."""
        root = throwaway().root.certificate
        for name in BAD:
            if name == "broken_san" and self.version == ProtocolVersion.TLS1_2:
                continue  # a server of libssl's presents no such thing there
            with self.subTest(name=name):
                identity = getattr(throwaway(), name)
                server = ServerContextFactory([identity.certificate, *identity.chain], identity.key)
                client = VerifyingClientContextFactory("localhost", trust=[root])
                if name == "revoked":
                    self.look_at_revocations(client)
                for factory in (server, client):
                    self.bound(factory.getContext())
                error = self.refused(server, client, ALERTS.get(name), by="client")
                self.assertIs(type(error), errors.CertificateVerificationError)
                self.assertIn(error.verify_code, identity.verdicts)
                self.assertIn(f"depth {error.depth}", str(error))
                if name not in ABOVE:
                    self.assertEqual(error.depth, 0)
                    self.assertEqual(error.certificate, identity.certificate)

    def test_bad_client_certificate(self) -> None:
        """The other way: the server refuses, for a reason with depth; on TLS 1.3 the client is told later."""
        server = self.serverContext(clientCA=pki() / "other.pem")
        client = self.clientContext(certificate=pki() / "client-both.pem")
        error = self.refused(server, client, 48, by="server")
        self.assertIs(type(error), errors.CertificateVerificationError)
        self.assertIn(f"depth {error.depth}", str(error))
        root = throwaway().write_root(pki())
        for name, identity in bad_clients().items():
            with self.subTest(name=name):
                server = self.serverContext(clientCA=root)
                if name == "revoked":
                    self.look_at_revocations(server)
                client = self.clientContext()
                client.getContext().use_certificate_chain([identity.certificate, *identity.chain])
                client.getContext().use_privatekey(identity.key)
                error = self.refused(server, client, ALERTS.get(name), by="server")
                self.assertIs(type(error), errors.CertificateVerificationError)
                self.assertIn(error.verify_code, identity.verdicts)
                self.assertEqual(error.depth, 0)
                self.assertEqual(error.certificate, identity.certificate)

    def test_no_protocol_in_common(self) -> None:
        """ALPN: the server refuses (RFC 7301, section 3.2), and both say so."""
        error = self.refused(
            self.serverContext(alpn=[b"h2"]), self.clientContext(alpn=[b"spdy"]), 120, by="server"
        )
        self.assertIn("no application protocol", str(error).lower())

    def look_at_revocations(self, factory: Any) -> None:
        store = factory.getContext().get_cert_store()
        bad_clients()  # one of which is on the list
        throwaway().revoked  # noqa: B018
        store.add_crl(throwaway().ca.crl())
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK)

    def test_garbage(self) -> None:
        """What is no TLS, to a server and to a client: an error of libssl's, and never a handshake."""
        for data in (b"\x00" * 50, b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 20_000):
            with self.subTest(data=data[:10]):
                server = Recorder()
                stranger = Recorder().on("made", lambda s, data=data: s.transport.write(data))
                self.reactor.connectTCP("127.0.0.1", self.listen(Once(server)), Once(stranger))
                self.runUntilLost(server, stranger)
                self.assertEqual(server.events, ["made", "lost"])
                self.assertTrue(server.reason.check(errors.Error), server.reason)
                self.again()
        client, stranger = (
            Recorder(),
            Recorder().on("data", lambda s: s.transport.write(b"HTTP/1.1 400 \r\n\r\n")),
        )
        self.connect(self.listenPlain(Once(stranger)), Once(client))
        self.runUntilLost(stranger, client)
        self.assertTrue(client.reason.check(errors.Error), client.reason)
        self.assertEqual(client.events, ["made", "lost"])

    def test_goodbye_in_the_handshake(self) -> None:
        """Anybody can have said it: it is no clean end, and what was written waits no longer."""
        goodbye = b"\x15\x03\x03\x00\x02\x01\x00"
        for written in (b"", b"x"):
            with self.subTest(written=written):
                client = Recorder().on("made", lambda c, written=written: c.transport.write(written))
                stranger = Recorder().on("data", lambda s: s.transport.write(goodbye))
                self.connect(self.listenPlain(Once(stranger)), Once(client))
                self.runUntilLost(stranger, client)
                self.assertEqual(client.events, ["made", "lost"])
                self.assertIs(client.reason.type, errors.ZeroReturnError)
                self.assertIn("during the handshake", str(client.reason.value))
                self.again()


matrix(EveryEnd, globals(), EDGES)
