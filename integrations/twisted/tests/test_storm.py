"""A thousand at once on one port, most of whom mean no good; and no descriptors for those who come."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import socket
import ssl
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from transport_matrix import Once, Recorder, StdlibPeer, TransportCase, matrix
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol

from openssl_iface import errors
from openssl_iface_twisted import AbortedConnectionLost, TimedOutConnectionLost

STORM = 1000
# Who comes, by turns.
KINDS = ("honest", "honest", "garbage", "HTTP", "silent", "silent", "half a hello", "half and gone")
# Descriptors that are open besides those of the storm, or will be.
BESIDES = 150
LIVE = 5
BLOB = os.urandom(20_000)


class Echo(Protocol):
    factory: Echoes

    def connectionMade(self) -> None:
        self.factory.made += 1
        self.factory.transports.add(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        # What libssl says of garbage depends on what it begins with.
        wrong = reason.check(errors.Error) and not reason.check(ConnectionLost)
        self.factory.lost[errors.Error if wrong else reason.type] += 1


class Echoes(Factory):
    """Sends everything back, and knows how many it has had, and why they went."""

    noisy = False
    protocol = Echo

    def __init__(self) -> None:
        self.made = 0
        self.lost: Counter[type] = Counter()
        self.transports: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def open(self) -> int:
        return self.made - self.lost.total()


class Live(Recorder):
    """Says something, hears it again, and says something else, until it may go."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds = 0
        self.wrong = 0
        self.may_go = False
        self.on("handshake", lambda _: self.say()).on("data", lambda _: self.hear())

    def say(self) -> None:
        self.said = BLOB[self.rounds % 1000 :]
        self.data.clear()
        self.transport.write(self.said)

    def hear(self) -> None:
        if len(self.data) < len(self.said):
            return
        self.wrong += self.data != self.said
        self.rounds += 1
        if self.may_go:
            self.transport.loseConnection()
        else:
            self.say()


class Crowded(TransportCase):
    """An echo server, and a few connections that go on whatever else there is."""

    remains: list[Any]

    def setUp(self) -> None:
        super().setUp()
        self.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, self.limits)

    def until(self, condition: Callable[[], object], then: Callable[[], object]) -> None:
        """When *condition* holds, do *then*."""
        if condition():
            then()
        else:
            self.reactor.callLater(0.001, self.until, condition, then)

    def go_on(self, rounds: int, then: Callable[[], object]) -> None:
        """When each of the live ones has gone so many rounds more, do *then*."""
        before = [each.rounds for each in self.live]
        self.until(
            lambda: all(each.rounds - old >= rounds for each, old in zip(self.live, before, strict=True)),
            then,
        )

    def begin(self, then: Callable[[], object], **options: Any) -> None:
        """Run with an echo server and live connections, and do *then* when they live; that calls `end`."""
        self.echoes = Echoes()
        self.number = self.listen(self.echoes, **options)
        self.live = [Live() for _ in range(LIVE)]

        def running() -> None:
            self.before = self.open()
            for each in self.live:
                self.connect(self.number, Once(each))
            self.go_on(1, then)

        self.reactor.callWhenRunning(running)
        try:
            self.runReactor(self.reactor, timeout=self.deadline)
        except BaseException:
            print(self.echoes.made, self.echoes.lost, [each.rounds for each in self.live], self.left())
            raise
        self.assertEqual([each.wrong for each in self.live], [0] * LIVE)
        self.assertEqual([each.reason.type for each in self.live], [ConnectionDone] * LIVE)
        self.assertEqual(self.late.data, BLOB)
        self.assertIs(self.late.reason.type, ConnectionDone)
        self.assertEqual(self.remains, [])
        gc.collect()
        self.assertEqual(list(self.echoes.transports), [])

    def end(self) -> None:
        """The server serves another one, the live ones go, and nothing is left."""

        def heard(late: Recorder) -> None:
            if len(late.data) == len(BLOB):
                late.transport.loseConnection()

        def go() -> None:
            for each in self.live:
                each.may_go = True
            self.until(lambda: not self.echoes.open and all(each.reason for each in self.live), look)

        def look() -> None:
            # In the next iteration, and not when it is gone: a timer would be, some time.
            self.reactor.callLater(0, lambda: (remains.extend(self.left()), self.reactor.stop()))

        remains = self.remains = []
        self.late = Recorder().on("handshake", lambda late: late.transport.write(BLOB)).on("data", heard)
        self.connect(self.number, Once(self.late))
        self.until(lambda: self.late.reason is not None, go)

    def open(self) -> Counter[Any]:
        """The descriptors of the process (by number), and what the reactor watches and has to do later."""
        return Counter(
            [
                *os.listdir("/dev/fd"),
                *self.reactor.getReaders(),
                *self.reactor.getWriters(),
                *self.reactor.getDelayedCalls(),
            ]
        )

    def left(self) -> list[Any]:
        """What is open now and was not before."""
        return list((self.open() - self.before).elements())


@pytest.mark.slow
class Storm(Crowded):
    # Whatever else takes long, nobody is late before the test says so.
    handshake = 60
    deadline = 2 * handshake + 30

    def setUp(self) -> None:
        super().setUp()
        hard = self.limits[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1 << 20, hard), hard))
        room = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if type(self.reactor).__name__ == "SelectReactor":
            room = min(room, 1024)  # select(2) knows no others
        # Both ends are here.
        self.count = min(STORM, (room - BESIDES) // 2) // len(KINDS) * len(KINDS)

    def pass_time(self, seconds: float) -> None:
        """Have the reactor believe that so much time has passed."""
        clock = self.reactor.seconds
        self.reactor.seconds = lambda: clock() + seconds

    def hello(self) -> bytes:
        """What a client says first."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.stdlib(server=False).wrap_bio(incoming, outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        return outgoing.read()

    def test_storm(self) -> None:
        """Each is told what it was, the honest ones are served, and the live ones do not even notice."""
        context, hello = self.stdlib(server=False), self.hello()
        crowd: dict[str, list[Recorder]] = {kind: [] for kind in KINDS}
        some = BLOB[:2000]

        def heard(honest: Any) -> None:
            if len(honest.data) == len(some):
                honest.closeNotify()

        def say(data: bytes) -> Callable[[Recorder], object]:
            return lambda each: each.transport.socket.send(data)  # at once, and not when it is gone

        def one(kind: str) -> Recorder:
            if kind == "honest":
                return (
                    StdlibPeer(context, server=False)
                    .on("handshake", lambda honest: honest.write(some))
                    .on("data", heard)
                    .on("closed", lambda honest: honest.transport.loseConnection())
                )
            if kind == "garbage":
                return Recorder().on("made", say(b"SSH-2.0-x\r\n" * 50))
            if kind == "HTTP":
                return Recorder().on("made", say(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            if kind == "silent":
                return Recorder()
            half = say(hello[: len(hello) // 2])
            if kind == "half a hello":
                return Recorder().on("made", half)
            return Recorder().on("made", lambda each: (half(each), each.transport.abortConnection()))

        def gone(*kinds: str) -> bool:
            return all(each.reason is not None for kind in kinds for each in crowd[kind])

        def begin() -> None:
            for number in range(self.count):
                kind = KINDS[number % len(KINDS)]
                crowd[kind].append(one(kind))
                self.reactor.connectTCP("127.0.0.1", self.number, Once(crowd[kind][-1]))
            self.until(lambda: self.echoes.made == self.count + LIVE, lambda: self.go_on(1, reset))

        def reset() -> None:
            for each in crowd["half a hello"]:
                each.transport.abortConnection()
            stay = LIVE + len(crowd["silent"])
            self.until(
                lambda: gone(*set(KINDS) - {"silent"}) and self.echoes.open == stay,
                lambda: self.go_on(3, too_late),
            )

        def too_late() -> None:
            stayed.extend(each for each in crowd["silent"] if each.reason is None)
            self.pass_time(self.handshake)
            self.until(lambda: gone("silent") and self.echoes.open == LIVE, self.end)

        stayed: list[Recorder] = []
        self.begin(begin, backlog=self.count, handshakeTimeout=self.handshake)
        quarter = self.count // 4
        self.assertEqual(
            self.echoes.lost,
            {
                ConnectionDone: quarter + LIVE + 1,  # the honest, the live, and who came late
                errors.Error: quarter,
                TimedOutConnectionLost: quarter,
                AbortedConnectionLost: quarter,
            },
        )
        for each in crowd["honest"]:
            self.assertEqual(each.data, some)
        self.assertEqual(len(stayed), quarter)


class Starved(Crowded):
    def test_out_of_descriptors(self) -> None:
        """Who comes meanwhile is turned away, and not left waiting; who is there already goes on."""
        hungry = [socket.socket() for _ in range(8)]
        fillers: list[int] = []
        turned_away: list[socket.socket] = []

        def starve() -> None:
            gc.collect()  # what closes by itself later would leave room
            # The spare descriptor that Twisted lets go of to accept with must lie below the limit.
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(self.limits[0], 1024), self.limits[1]))
            with contextlib.suppress(OSError):
                while True:
                    fillers.append(os.dup(hungry[0].fileno()))
            for each in hungry:
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", self.number))
            self.until(over, lambda: self.go_on(20, feed))

        def over() -> bool:
            for each in set(hungry) - set(turned_away):
                with contextlib.suppress(BlockingIOError):
                    try:
                        self.assertEqual(each.recv(1), b"")
                    except ConnectionResetError:
                        pass
                    turned_away.append(each)
            return len(turned_away) == len(hungry)

        def feed() -> None:
            self.make_room(fillers)
            for each in hungry:
                each.close()
            self.end()

        self.addCleanup(self.make_room, fillers)
        self.begin(starve)
        # Nobody above has heard of those who were turned away.
        self.assertEqual(self.echoes.made, LIVE + 1)
        self.assertEqual(self.echoes.lost, {ConnectionDone: LIVE + 1})

    def make_room(self, fillers: list[int]) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)
        while fillers:
            os.close(fillers.pop())


for base in (Storm, Starved):
    matrix(base, globals(), ("socket",))
    matrix(base, globals(), ("layered",), ("epoll",))
