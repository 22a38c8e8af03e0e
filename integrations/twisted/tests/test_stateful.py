"""Two transports, and everything that their protocols may do, in any order and from within anything.

Hypothesis chooses what the two do and when: between the reactor's iterations, or from within a callback.
Whatever it chooses:

* no byte is lost, repeated or moved: what one has received is how what the other has written begins; it is
  all of it if it was told of a clean end, and, in the end, if nobody has closed yet;
* nothing is delivered to who has paused, has lost or aborted the connection, or was told of its end; a
  producer is told to pause and to resume in turn, and is stopped if it is still there at the end;
* every conversation ends, once for each side, and leaves nothing with the reactor;
* both agree how it ended, as far as they can know: without an abort it is a clean end for both, and one that
  has aborted is never told as a clean end to the other, unless its goodbye had left before.

The choices are the same in every run.  ``OPENSSL_IFACE_EXAMPLES`` makes more of them, and
``OPENSSL_IFACE_TESTING_SEED`` others.
"""

from __future__ import annotations

import itertools
import os
import time
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st
from transport_matrix import Once, Recorder, TransportCase, matrix
from twisted.internet import tcp
from twisted.internet.error import ConnectionAborted, ConnectionDone

from openssl_iface import SSL
from openssl_iface.testing.conformance import pattern
from openssl_iface.values import ProtocolVersion
from openssl_iface_twisted import AbortedConnectionLost, TruncatedConnectionLost
from openssl_iface_twisted.protocol import TLSProtocol

# One takes as long as three of those that stay in memory (tests/testing/test_stateful.py).
EXAMPLES = int(os.environ.get("OPENSSL_IFACE_EXAMPLES", "60")) // 3
SEED = os.environ.get("OPENSSL_IFACE_TESTING_SEED", "0")
SOURCES = {"client": pattern(6_000_000, 1), "server": pattern(6_000_000, 2)}
# What is written when nothing may leave any more: it begins nothing that was written before.
NEVER = bytes(1000)
WAIT = 0.05
# Iterations in a row in which nothing happened for so long, and all that a conversation may take: only a
# defect makes it reach them, as a loopback delivers at once, however busy the machine is.
IDLE = 60
MOST = 30_000


class Step(NamedTuple):
    """What *who* does: at once, in the next *data* that it is given, or in whatever it is *told* next."""

    who: str
    when: str
    deed: str
    size: int = 0
    count: int = 1


# Most talk, for there is nothing more to see when all is over.
TALK = (
    "write", "write", "write", "run", "run", "run", "pause", "resume", "sequence", "push", "pull",
    "unregister", "keys",
)  # fmt: skip
ENDINGS = ("lose", "loseWrite", "abort")


def step(deeds: tuple[str, ...]) -> st.SearchStrategy[Step]:
    return st.builds(
        Step,
        st.sampled_from(["client", "server"]),
        st.sampled_from(["now", "now", "data", "told"]),
        st.sampled_from(deeds),
        st.sampled_from([0, 1, 20_000, 300_000]),
        st.integers(1, 8),
    )


Script = tuple[list[Step], list[Step]]


def scripts() -> st.SearchStrategy[Script]:
    return st.tuples(st.lists(step(TALK), max_size=20), st.lists(step(ENDINGS + TALK), max_size=12))


class Producer:
    """Writes *count* pieces of *size*, and takes itself back."""

    def __init__(self, side: Side, streaming: bool, size: int, count: int) -> None:
        self.side = side
        self.streaming = streaming
        self.size = size
        self.left = count
        self.paused = self.inside = False
        self.stopped = 0

    def resumeProducing(self) -> None:
        self.side.hold(self.side.producer is self, "who was no producer was asked to produce")
        self.side.hold(not self.inside, "a producer was asked from within its answer")
        if self.streaming:
            self.side.hold(self.paused, "a producer was resumed that was not paused")
            self.paused = False
        self.produce()
        self.side.told()

    def produce(self) -> None:
        """Write a piece; who is streaming writes until it is told to pause."""
        self.inside = True
        while self.left and self.side.producer is self and not self.paused:
            self.left -= 1
            self.side.write(self.size)
            if not self.streaming:
                break
        self.inside = False
        if not self.left and self.side.producer is self:
            self.side.unregister()

    def pauseProducing(self) -> None:
        self.side.hold(self.side.producer is self, "who was no producer was told to pause")
        self.side.hold(not self.paused and self.streaming, "a producer was paused twice")
        self.paused = True
        self.side.told()

    def stopProducing(self) -> None:
        self.side.hold(self.side.producer is self, "who was no producer was told to stop")
        self.stopped += 1
        self.side.producer = None


class Side(Recorder):
    """One end: does what it is told, keeps account of it, and of all that may not happen."""

    other: Side

    def __init__(self, name: str, half_close: bool) -> None:
        super().__init__(half_close=half_close)
        self.name = name
        self.source = SOURCES[name]
        self.faults: list[str] = []
        self.armed: dict[str, list[Step]] = {"data": [], "told": []}
        self.producer: Producer | None = None
        self.at = 0  # what was written
        self.promised = 0  # what of it has to arrive, if the end is clean
        self.paused = self.losing = self.losingWrite = self.left = False
        self.aborted = self.saidBefore = False
        self.renegotiated = False
        self.losts = 0

    def __repr__(self) -> str:
        kind = None if self.reason is None else self.reason.value
        return (
            f"{self.name}: {self.events}, wrote {self.at} (promised {self.promised}), received "
            f"{len(self.data)}, {kind!r}, producer {self.producer and self.producer.left}"
        )

    def hold(self, true: object, what: str) -> None:
        """What is raised in a callback is the transport's to deal with: so faults are kept."""
        if not true:
            self.faults.append(f"{self.name}: {what}")

    @property
    def tls(self) -> Any:
        """What has the state of its TLS; after startTLS that is not the transport."""
        above = getattr(self.transport, "protocol", None)
        return above if isinstance(above, TLSProtocol) else self.transport

    # -- what it hears

    def dataReceived(self, data: bytes) -> None:
        self.hold(data, "nothing was delivered")
        self.hold(not self.paused, "data was delivered while paused")
        self.hold(not self.losing, "data was delivered after loseConnection")
        self.hold(not self.aborted, "data was delivered after abortConnection")
        self.hold("handshake" in self.events, "data was delivered before the handshake")
        self.hold("readLost" not in self.events, "data was delivered after its end")
        super().dataReceived(data)

    def _tell(self, event: str) -> None:
        self.hold(self.reason is None or event == "lost", f"{event} after the end")
        if event in ("handshake", "readLost", "writeLost"):
            self.hold(event not in self.events, f"{event} twice")
        if event == "readLost":
            silent = self.paused or self.losing or self.aborted
            self.hold(not silent, "its end was told out of turn")
        if event == "writeLost":
            self.hold(self.losingWrite, "writing was lost, and nobody has asked for it")
        super()._tell(event)
        if event == "data" and self.armed["data"]:
            self.do(self.armed["data"].pop(0))
        self.told()

    def told(self) -> None:
        if self.armed["told"]:
            self.do(self.armed["told"].pop(0))

    def connectionLost(self, reason: Any = None) -> None:
        self.losts += 1
        self.hold(self.losts == 1, "connectionLost twice")
        self.hold(self.producer is None, "a producer was not stopped")
        self.reason = reason
        self._tell("lost")

    # -- what it does

    def do(self, step: Step) -> None:
        if self.reason is not None or self.transport is None:
            return
        what = getattr(self, step.deed)
        if step.deed == "write":
            what(step.size)
        elif step.deed in ("sequence", "push", "pull"):
            what(step.size, step.count)
        elif step.deed == "keys":
            what(step.count > 4)
        else:
            what()

    @property
    def sealed(self) -> bool:
        """Whether it may write no more, by its own doing."""
        closed = (self.losing or self.losingWrite) and self.producer is None
        return closed or self.aborted or self.reason is not None

    def piece(self, size: int) -> bytes:
        if self.sealed:
            return NEVER[:size]
        data = self.source[self.at : self.at + size]
        self.at += len(data)
        # When the other's goodbye has come, nobody says whether this still leaves.
        if self.losing or not self.tls.disconnecting:
            self.promised = self.at
        return data

    def write(self, size: int) -> None:
        self.transport.write(self.piece(size))

    def sequence(self, size: int, count: int) -> None:
        self.transport.writeSequence([self.piece(size) for _ in range(count)])

    def pause(self) -> None:
        self.paused = True
        self.transport.pauseProducing()

    def resume(self) -> None:
        self.paused = False
        self.transport.resumeProducing()

    def push(self, size: int, count: int) -> None:
        self.register(Producer(self, True, size, count))

    def pull(self, size: int, count: int) -> None:
        self.register(Producer(self, False, size, count))

    def register(self, producer: Producer) -> None:
        if self.producer is None and not self.sealed and not self.tls.disconnecting:
            self.producer = producer
            self.transport.registerProducer(producer, producer.streaming)
            if producer.streaming:
                producer.produce()

    def unregister(self) -> None:
        if self.producer is not None:
            self.leaves()
            self.producer = None
            self.transport.unregisterProducer()

    def lose(self) -> None:
        self.losing = True
        if self.producer is None:
            self.leaves()
        self.transport.loseConnection()

    def loseWrite(self) -> None:
        if not self.losing:
            self.losingWrite = True
        self.transport.loseWriteConnection()

    @property
    def unanswered(self) -> bool:
        """Whether its goodbye may have met a renegotiation: that ends then, and the other can say nothing."""
        return self.renegotiated and (self.losing or self.losingWrite)

    def leaves(self) -> None:
        """Who gives up before the handshake, and has written nothing, goes without one."""
        early = not self.transport.getHandle().handshake_done
        if self.losing and not self.losingWrite and not self.at and early:
            self.left = True

    def abort(self) -> None:
        self.aborted = True
        self.saidBefore = self.transport.getHandle().close_sent
        self.transport.abortConnection()

    def keys(self, ask: bool) -> None:
        engine = self.transport.getHandle()
        if not engine.handshake_done or engine.ended is not None or self.sealed or self.tls.disconnecting:
            return
        if engine.get_protocol_version() == ProtocolVersion.TLS1_3:
            engine.key_update(ask)
        else:
            self.renegotiated = self.other.renegotiated = True
            engine.renegotiate()
        self.transport.resumeHandshake()


class Stateful(TransportCase):
    def setUp(self) -> None:
        super().setUp()
        self.reactor.startRunning(installSignalHandlers=False)
        self.accepted = Once()
        server, self.client = self.serverContext(), self.clientContext()
        for factory in (server, self.client):
            context = factory.getContext()
            context.clear_options(SSL.OP_NO_RENEGOTIATION)
            # On OpenSSL 3 a server refuses a client's renegotiation, unless it is told not to.
            context.set_options(getattr(SSL, "OP_ALLOW_CLIENT_RENEGOTIATION", 0))
        self.port = self.listen(self.accepted, server)

    # -- running

    def iterate(self, until: Callable[[], object]) -> None:
        """Run the reactor until something is so."""
        idle = 0
        for _ in range(MOST):
            if until():
                return
            due = self.reactor.timeout()
            wait = WAIT if due is None else min(due, WAIT)
            before = time.monotonic()
            self.reactor.iterate(wait)
            if wait == WAIT and time.monotonic() - before >= WAIT:
                idle += 1
                if idle == IDLE:
                    raise AssertionError("nothing happens any more")
            else:
                idle = 0
        raise AssertionError("this does not end")

    def test_a_conversation(self) -> None:
        number = zlib.crc32(f"{type(self).__name__} {SEED}".encode())

        @seed(number)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )
        @given(
            shaken=st.booleans(),
            half_close=st.tuples(st.booleans(), st.booleans()),
            script=scripts(),
            last=st.tuples(step(("lose", "loseWrite")), step(("lose", "loseWrite"))),
        )
        def converse(shaken: bool, half_close: tuple[bool, bool], script: Script, last: Any) -> None:
            sides = {name: Side(name, half) for name, half in zip(SOURCES, half_close, strict=True)}
            try:
                self.converse(sides, shaken, script, last)
            except BaseException:
                self.give_up(list(sides.values()))
                raise

        converse()

    def converse(self, sides: dict[str, Side], shaken: bool, script: Script, last: Any) -> None:
        both = client, server = sides["client"], sides["server"]
        client.other, server.other = server, client
        self.accepted.protocols[:] = [server]
        self.connect(self.port, Once(client), self.client)
        self.iterate(lambda: all(("handshake" if shaken else "made") in side.events for side in both))
        for step in itertools.chain(*script):
            if step.deed == "run":
                for _ in range(step.count):
                    self.reactor.iterate(0)
            elif step.when == "now":
                sides[step.who].do(step)
            else:
                sides[step.who].armed[step.when].append(step)

        # All that is due happens, without anybody's doing anything more.
        for side in both:
            side.armed = {"data": [], "told": []}
            if side.reason is None:
                side.resume()
        self.iterate(lambda: all(side.reason is not None or self.at_rest(side) for side in both))
        # Who is still there closes.  One closes its half at least, the other all that it has.
        for one in last:
            if sides[one.who].reason is None:
                sides[one.who].do(one)
            for _ in range(one.count - 1):
                self.reactor.iterate(0)
        for side in both:
            if side.reason is None and not side.losing:
                side.lose()
        self.iterate(lambda: all(side.reason is not None for side in both))
        for side in both:
            self.look_at(side)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.iterate(lambda: not self.left_behind())

    def give_up(self, sides: list[Side]) -> None:
        """After a fault: the next conversation, with which hypothesis looks for less, finds nothing of it."""
        for side in sides:
            note(repr(side))
            side.armed = {"data": [], "told": []}
            if side.transport is not None and side.reason is None:
                side.transport.abortConnection()
        for _ in range(10):
            self.reactor.iterate(0)
        self.flushLoggedErrors()

    def at_rest(self, side: Side) -> bool:
        """Whether nothing more is owed to it, and it owes its producer nothing."""
        if side.producer is not None:
            return False
        other = side.other
        if side.losing or side.unanswered or other.aborted or other.reason is not None or other.left:
            return True
        return len(side.data) >= other.promised

    def left_behind(self) -> list[Any]:
        watched = [*self.reactor.getReaders(), *self.reactor.getWriters()]
        calls = [call for call in self.reactor.getDelayedCalls() if call.active()]
        return [*calls, *(each for each in watched if isinstance(each, tcp.Connection))]

    # -- what holds whatever happens

    def look_at(self, side: Side) -> None:
        other = side.other
        self.assertEqual(side.faults, [])
        self.assertLessEqual(len(side.data), other.at)
        self.assertTrue(other.source.startswith(side.data), f"{side.name} received what was not sent")
        clean = side.reason.check(ConnectionDone) is not None
        if clean and not side.losing and not side.unanswered:
            self.assertGreaterEqual(len(side.data), other.promised, "clean, but not all has come")
        if side.aborted:
            self.assertIs(side.reason.type, ConnectionAborted)
        elif clean and not side.left:
            if other.aborted:
                self.assertTrue(other.saidBefore, "an abort was told as a clean end")
            self.assertFalse(other.left, "who has left said no goodbye")
        elif not clean:
            broken = other.aborted or other.left or side.unanswered
            self.assertTrue(broken, f"nobody has broken it: {side.reason}")
            kinds = (AbortedConnectionLost, TruncatedConnectionLost)
            self.assertTrue(side.reason.check(*kinds), side.reason)


matrix(Stateful, globals(), ("socket", "layered", "starttls"), ("epoll",))
matrix(Stateful, globals(), ("socket", "layered"), ("poll",))
