"""Peers of other makes, each as a client and a server: much goes both ways, and every end is told apart."""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from transport_matrix import REACTORS, Once, Recorder, TransportCase, either, matrix, pki
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SkipTest

from openssl_iface import errors
from openssl_iface.testing import peers
from openssl_iface.testing.lanes import DEADLINE
from openssl_iface.values import ProtocolVersion
from openssl_iface_twisted import TruncatedConnectionLost

pytestmark = pytest.mark.slow

# Lines of text, since one make's server sends back nothing else.
OURS, THEIRS = (base64.encodebytes(os.urandom(225_000)) for _ in range(2))
LAST = b"and that was all\n"
PROTOCOLS = {ProtocolVersion.TLS1_2: "TLSv1.2", ProtocolVersion.TLS1_3: "TLSv1.3"}


class Strangers(TransportCase):
    make: peers.Make

    def begin(self, ours: Recorder) -> peers.Peer:
        """Have *ours* and a stranger connect; who connects verifies."""
        if self.reversed:
            stranger = self.server()
            self.connect(stranger.port, Once(ours))
        else:
            stranger = self.make.client(
                self.listen(Once(ours)),
                ca=pki() / "ca.pem",
                server_name="localhost",
                tls=PROTOCOLS[self.version],
            )
            self.addCleanup(stranger.close)
        return stranger

    def server(self) -> peers.Peer:
        stranger = self.make.server(
            certificate=pki() / "server.pem",
            key=pki() / "server.key",
            tls=PROTOCOLS[self.version],
            echo="speak" not in self.make.can,
        )
        self.addCleanup(stranger.close)
        return stranger

    @property
    def speaks(self) -> bool:
        """Whether the stranger says something of its own; who does not sends back what it is told."""
        return not self.reversed or "speak" in self.make.can

    @property
    def answers(self) -> bool:
        """Whether the stranger answers our goodbye, rather than just leave."""
        if self.make.name == "gnutls":
            return self.reversed
        return not self.reversed or "clean_end" in self.make.can

    def talk(
        self,
        they: Callable[[peers.Peer], object] = lambda _: None,
        we: Callable[[Recorder], object] = lambda _: None,
    ) -> tuple[Recorder, peers.Peer]:
        """Both send much at once.  When all has come, *they* end it (in a thread), or *we* do."""
        expected = THEIRS if self.speaks else OURS
        all_is_heard = threading.Event()

        def heard(ours: Recorder) -> None:
            if len(ours.data) == len(expected):
                all_is_heard.set()
                we(ours)

        def live(stranger: peers.Peer) -> None:
            if self.speaks:
                stranger.send(THEIRS)
                stranger.receive(len(OURS))
            if not all_is_heard.wait(DEADLINE):
                raise stranger.error("not all of what it was told to send has come")
            they(stranger)

        ours = Recorder().on("handshake", lambda o: o.transport.write(OURS)).on("data", heard)
        stranger = self.begin(ours)
        with ThreadPoolExecutor(1) as pool:
            life: Future[None] = pool.submit(live, stranger)
            self.runUntilLost(ours)
            life.result(DEADLINE)
        self.assertEqual(ours.data, expected)
        return ours, stranger

    def content(self, stranger: peers.Peer, received: bytes) -> None:
        """It has heard what it was to hear, and has found nothing wrong."""
        if self.speaks:
            self.assertEqual(stranger.receive_all(), received, stranger.log)
            self.assertEqual(stranger.wait(), 0, stranger.log)

    @either
    def test_they_say_goodbye(self) -> None:
        if not self.speaks:
            raise SkipTest("this server never ends by itself")
        ours, stranger = self.talk(they=lambda stranger: stranger.end())
        self.content(stranger, b"")
        # One make's server has no goodbye: it has ended, and we cannot know that it meant to.
        said = not self.reversed or "clean_end" in self.make.can
        self.assertIs(ours.reason.type, ConnectionDone if said else TruncatedConnectionLost)

    @either
    def test_they_are_cut_off(self) -> None:
        """All had come, and still it is no clean end."""
        ours, _ = self.talk(they=lambda stranger: stranger.abort())
        self.assertIs(ours.reason.type, TruncatedConnectionLost)

    @either
    def test_we_lose_the_connection(self) -> None:
        """What was written at the last is heard, and that this was the end."""

        def lose(ours: Recorder) -> None:
            ours.transport.write(LAST)
            ours.transport.loseConnection()

        ours, stranger = self.talk(we=lose)
        self.content(stranger, LAST)
        self.assertIs(ours.reason.type, ConnectionDone if self.answers else TruncatedConnectionLost)

    def test_we_refuse_who_we_do_not_trust(self) -> None:
        """As we are told: nothing that we had to say is heard."""
        for options in ({"cafile": pki() / "other.pem"}, {"hostname": "elsewhere.test"}):
            with self.subTest(options=options):
                stranger = self.server()
                ours = Recorder().on("made", lambda o: o.transport.write(OURS))
                self.connect(stranger.port, Once(ours), self.clientContext(**options))
                self.runUntilLost(ours)
                self.assertEqual(ours.events, ["made", "lost"])
                self.assertIs(ours.reason.type, errors.CertificateVerificationError)
                if "speak" in self.make.can:  # the others serve until they are closed
                    self.assertEqual(stranger.receive_all(), b"")
                self.doCleanups()
                self.reactor = self.buildReactor()


for make in peers.makes("client", "server"):
    if make.name == "own":
        continue
    # One of them meets every reactor and edge; that all of them do would say no more.
    kind = type(f"Strangers_{re.sub(r'[^a-z0-9]', '', make.name)}", (Strangers,), {"make": make})
    everywhere = make.name == "stdlib"
    matrix(kind, globals(), ("socket",), tuple(REACTORS) if everywhere else ("epoll",))
    if everywhere:
        matrix(kind, globals(), ("layered", "endpoint"), ("epoll",))
