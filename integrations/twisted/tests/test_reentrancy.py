"""Whatever is called from within whatever callback: nothing breaks, nothing is lost, and all of it ends.

One end, the actor, does something to its transport from within one callback: its protocol's, its producer's,
or one that libssl calls in the midst of a handshake.  The conversation around it is always the same: both say
much, the actor then closes its half, and the other end answers that by closing, too.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any

from transport_matrix import Recorder, TransportCase, either, pki, whole_matrix
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

from openssl_iface import SSL
from openssl_iface.values import ProtocolVersion

BLOB = os.urandom(300_000)
WORD = b"a word in between"


def write(actor: Actor) -> None:
    actor.say(WORD)


def lose(actor: Actor) -> None:
    actor.transport.unregisterProducer()  # which would be waited for
    actor.transport.loseConnection()
    actor.silent = True


def lose_writing(actor: Actor) -> None:
    actor.transport.loseWriteConnection()
    actor.silent = True


def abort(actor: Actor) -> None:
    actor.transport.abortConnection()
    actor.silent = True


def pause(actor: Actor) -> None:
    actor.transport.pauseProducing()
    actor.later(actor.transport.resumeProducing)


def resume(actor: Actor) -> None:
    actor.transport.resumeProducing()


def produce(actor: Actor) -> None:
    """Register a producer, which has nothing to say, and take it back."""
    if actor.transport.getHandle() is not None and actor.producer is None:
        actor.transport.registerProducer(actor, True)
        actor.transport.unregisterProducer()


OPERATIONS: tuple[Callable[[Actor], None], ...] = (
    write, lose, lose_writing, abort, pause, resume, produce,
)  # fmt: skip
BEGINNINGS = ("made", "handshake", "data", "pauseProducing", "resumeProducing")
# Here all may have been said already, so that even an abort comes too late.
ENDS = ("writeLost", "readLost", "stopProducing", "lost")


class Actor(Recorder):
    """Acts once; keeps account of what it has said."""

    def __init__(self, case: TransportCase, event: str, operation: Callable[[Actor], None]) -> None:
        super().__init__(half_close=event != "stopProducing")
        self.case = case
        self.event = event
        self.operation = operation
        self.said = b""
        #: nothing that it says now is to be sent
        self.silent = False
        self.acted = False
        self.producer: Any = None
        self.paused = False

    def act(self, *_: Any) -> None:
        if not self.acted and self.events:
            self.acted = True
            self.operation(self)

    def say(self, data: bytes) -> None:
        if not self.silent and "writeLost" not in self.events and self.reason is None:
            self.said += data
        self.transport.write(data)

    def later(self, call: Callable[[], object]) -> None:
        self.case.reactor.callLater(0.01, call)

    def _tell(self, event: str) -> None:
        super()._tell(event)
        if event == self.event:
            self.act()
        if event == "handshake":
            self.say(BLOB)
            if self.event.endswith("Producing"):
                self.fill()
        if event in ("handshake", "data") and len(self.data) == len(BLOB):
            self.said_all()

    def fill(self) -> None:
        """Write as a producer until it is told to wait: the peer reads nothing meanwhile."""
        self.producer = self
        self.transport.registerProducer(self, True)
        for _ in range(100):
            if not self.paused and not self.silent:
                self.say(BLOB)

    def said_all(self) -> None:
        if self.event == "stopProducing" or (self.event == "resumeProducing" and not self.acted):
            return  # it is stopped when the peer closes; it is resumed when some has left
        if self.producer is not None:
            self.producer = None
            self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self.silent = True

    # -- a producer's

    def pauseProducing(self) -> None:
        self.paused = True
        if self.event == "pauseProducing":
            self.act()

    def resumeProducing(self) -> None:
        if self.event == "resumeProducing":
            self.act()
            if len(self.data) == len(BLOB):
                self.said_all()

    def stopProducing(self) -> None:
        self.silent = True
        if self.event == "stopProducing":
            self.act()


# What libssl calls in a handshake, on either side: what installs *call* in a context.
CALLBACKS: dict[str, Callable[[Any, Callable[[], object]], None]] = {
    "info": lambda context, call: context.set_info_callback(lambda *_: call()),
    "keylog": lambda context, call: context.set_keylog_callback(lambda *_: call()),
    # Without tickets, so that a server has sessions of its own on TLS 1.2, too.
    "session": lambda context, call: (
        context.set_options(SSL.OP_NO_TICKET),
        context.set_session_cache_mode(SSL.SESS_CACHE_BOTH),
        context.set_session_callback(lambda *_: call()),
    ),
    "verify": lambda context, call: context.set_verify(
        SSL.VERIFY_PEER, lambda *found: (call(), bool(found[-1]))[1]
    ),
    "certificate": lambda context, call: context.set_cert_cb(lambda _: call()),
    "client hello": lambda context, call: context.set_client_hello_callback(lambda _: call()),
    "server name": lambda context, call: context.set_tlsext_servername_callback(lambda _: call()),
    "ALPN": lambda context, call: context.set_alpn_select_callback(
        lambda _, offered: (call(), offered[0])[1]
    ),
}
SERVERS = ("certificate", "client hello", "server name", "ALPN")


class Reentrancy(TransportCase):
    def converse(self, actor: Actor, **contexts: Any) -> Recorder:
        """The conversation; gives the other end, when both have lost the connection."""
        peer = Recorder(half_close=True).on("handshake", lambda p: p.transport.write(BLOB))
        peer.on("readLost", lambda p: p.transport.loseConnection())
        if actor.event == "stopProducing":
            peer.on("data", lambda p: len(p.data) == len(actor.said) and p.transport.loseConnection())
        self.runPair(actor, peer, **contexts)
        return peer

    def check(self, actor: Actor, peer: Recorder) -> None:
        self.assertTrue(actor.acted)
        self.assertEqual(self.flushLoggedErrors(), [])
        if actor.operation is abort and actor.event != "lost":
            self.assertTrue(actor.said.startswith(peer.data))
            if actor.event not in ENDS:
                self.assertIs(actor.reason.type, ConnectionAborted)
                self.assertTrue(peer.reason.check(ConnectionLost), peer.reason)
        elif "handshake" not in actor.events:
            # It has given up before there was anything to lose.
            self.assertIs(actor.operation, lose)
            self.assertIs(actor.reason.type, ConnectionDone)
            self.assertTrue(peer.reason.check(ConnectionLost), peer.reason)
        else:
            self.assertIs(actor.reason.type, ConnectionDone)
            self.assertTrue(actor.said == peer.data, (len(actor.said), len(peer.data)))
            if actor.operation is not lose:
                self.assertEqual(actor.data, BLOB)

    def again(self) -> None:
        self.doCleanups()
        self.reactor = self.buildReactor()

    @either
    def test_callbacks_of_protocols_and_producers(self) -> None:
        for event, operation in itertools.product((*BEGINNINGS, *ENDS), OPERATIONS):
            if event == "readLost" and self.version == ProtocolVersion.TLS1_2:
                continue  # there, one side does not end alone
            with self.subTest(event=event, operation=operation.__name__):
                actor = Actor(self, event, operation)
                peer = self.converse(actor)
                self.check(actor, peer)
                self.again()

    def test_callbacks_of_libssl(self) -> None:
        """The engine is in the midst of a handshake then, in one of its own calls."""
        for who, callback, operation in itertools.product((0, 1), CALLBACKS, OPERATIONS):
            if operation is produce or (who and callback in SERVERS):
                continue
            with self.subTest(who=who, callback=callback, operation=operation.__name__):
                self.within(who, callback, operation)

    def within(self, who: int, callback: str, operation: Callable[[Actor], None]) -> None:
        contexts = (
            self.serverContext(clientCA=pki() / "ca.pem"),
            self.clientContext(alpn=[b"x"], certificate=pki() / "client-both.pem"),
        )
        actor = Actor(self, callback, operation)
        CALLBACKS[callback](contexts[who].getContext(), actor.act)
        ends = actor, Recorder(half_close=True).on("handshake", lambda p: p.transport.write(BLOB))
        peer = ends[1].on("readLost", lambda p: p.transport.loseConnection())
        server, client = ends[::-1] if who else ends
        self.runPair(server, client, serverContext=contexts[0], clientContext=contexts[1])
        self.check(actor, peer)
        self.again()


whole_matrix(Reentrancy, globals())
