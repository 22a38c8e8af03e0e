"""The conformance kit: what every backend's IConnection must do in its event-loop face.

::

    def make_pair():
        client, server = Connection(client_context, None), Connection(server_context, None)
        client.set_connect_state()
        server.set_accept_state()
        return client, server

    check_connection(make_pair)

``make_pair`` gives a new client and a new server without descriptors, which can
complete a handshake with each other.  Every check takes it and raises
``AssertionError`` (:class:`~openssl_iface.testing.link.SpinError` for wake-ups without end) when a promise of
:class:`~openssl_iface.interfaces.IConnection` is broken.  :data:`CHECKS` has them by name, for runners that
want one test for each.  Nothing is left to the clock or to chance, but for the seed
of :func:`chaos`, which is printed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import Error, OpenSSLError, TruncatedError
from ..typing import Connection
from ..values import EVENT_SIZE, Ending, ProtocolVersion, Want
from .lanes import MemoryWire
from .link import Link, Side

__all__ = ["CHECKS", "MakePair", "check_connection", "pattern"]

MakePair = Callable[[], tuple[Connection, Connection]]
Check = Callable[[MakePair], None]

#: every check by its name
CHECKS: dict[str, Check] = {}

# Sizes around what matters: nothing, a byte, a record, what one event gives.
SIZES = (0, 1, 100, 16383, 16384, 16385, EVENT_SIZE - 1, EVENT_SIZE, EVENT_SIZE + 1, 300_000)
MEGABYTE = 1 << 20


def check_connection(make_pair: MakePair) -> None:
    """Run every check; the first one that fails says its name.

    :raises AssertionError: a promise is broken.
    """
    for name, check in CHECKS.items():
        try:
            check(make_pair)
        except AssertionError as error:
            error.add_note(f"in the conformance check {name!r}")
            raise


def pattern(size: int, seed: int = 0) -> bytes:
    """*size* bytes which repeat nowhere near, so that a lost, doubled or moved block shows."""
    return hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


def _link(make_pair: MakePair, wire: MemoryWire | None = None) -> Link:
    client, server = make_pair()
    return Link(client, server, wire)


def _open(make_pair: MakePair, wire: MemoryWire | None = None) -> Link:
    link = _link(make_pair, wire)
    link.handshake()
    return link


def _expect(side: Side, data: bytes) -> None:
    """All of *data* and nothing else has arrived; says where it goes wrong, not megabytes."""
    got = bytes(side.received)
    if got != data:
        same = next((i for i, (one, other) in enumerate(zip(got, data, strict=False)) if one != other), None)
        where = "a part is missing or too much" if same is None else f"different from byte {same} on"
        raise AssertionError(f"{side!r}: {len(data)} bytes were expected; {where}")


def _exchange(link: Link, size: int) -> None:
    """Send *size* bytes both ways at once, and wait for them."""
    data = [pattern(size, seed) for seed in (1, 2)]
    for side, piece in zip(link.sides, data, strict=True):
        side.write(piece)
    link.settle()
    link.sound()
    _expect(link.server, data[0])
    _expect(link.client, data[1])


def _raises(expected: type[BaseException], function: Callable[..., object], *arguments: Any) -> BaseException:
    try:
        function(*arguments)
    except expected as error:
        return error
    raise AssertionError(
        f"{getattr(function, '__name__', function)}{arguments!r:.60} raises no {expected.__name__}"
    )


# -- the handshake -----------------------------------------------------------


@_check
def handshake(make_pair: MakePair) -> None:
    """It completes, both sides agree, and then they wait for the peer alone."""
    link = _link(make_pair)
    for side in link.sides:
        assert side.wants & Want.PROCEED, f"{side!r} does not say that it can begin"
        assert not side.connection.handshake_done
        assert side.connection.ended is None
    link.handshake()
    one, other = (side.connection for side in link.sides)
    assert one.get_protocol_version() == other.get_protocol_version()
    assert one.get_cipher_name() == other.get_cipher_name()
    for side in link.sides:
        assert side.wants == Want.READ, f"{side!r} is idle and wants more than to read"
        assert side.connection.queued == 0
        assert not side.connection.close_sent
        assert side.calls < 60, f"{side!r}: so many calls for one handshake"


@_check
def idle_stays_idle(make_pair: MakePair) -> None:
    """Calls with nothing to do change nothing, send nothing, and raise nothing."""
    link = _open(make_pair)
    for side in link.sides:
        for _ in range(3):
            assert side.call("event_proceed") == b""
            side.call("event_flush")
            side.write(b"")
            assert side.call("event_output", EVENT_SIZE) == b""
            assert side.wants == Want.READ, f"{side!r}"
    link.sound()
    _exchange(link, 1000)


@_check
def handshake_byte_by_byte(make_pair: MakePair) -> None:
    """One byte at a time, both ways: the same, with one call for each byte and few more."""
    link = _link(make_pair)
    for lane in link.wire.lanes:
        lane.chunk(1)
    link.handshake()
    for side in link.sides:
        pieces = side.end.incoming.pieces
        assert side.calls <= pieces + 60, f"{side!r}: {pieces} bytes"


@_check
def writes_before_the_handshake(make_pair: MakePair) -> None:
    """What is written before the handshake is queued, and arrives after it, in order."""
    for first in (0, 1):
        link = _link(make_pair)
        parts = [pattern(size, size) for size in (5, 0, 1, 20_000)]
        for side in link.sides:
            if first:
                side.call("event_proceed")
            for part in parts:
                side.write(part)
            assert side.connection.queued >= 20_006, f"{side!r}"
        link.handshake()
        for side in link.sides:
            _expect(side, b"".join(parts))
            assert side.connection.queued == 0


@_check
def closing_before_the_handshake(make_pair: MakePair) -> None:
    """What is written and closed before the handshake arrives all the same, and then the end."""
    link = _link(make_pair)
    link.client.write(b"all that there is")
    link.client.close()
    link.settle()
    link.sound()
    _expect(link.server, b"all that there is")
    assert link.server.connection.ended is Ending.CLEAN, f"{link!r}"
    assert link.client.connection.close_sent


# -- bytes ---------------------------------------------------------------------


@_check
def bytes_both_ways(make_pair: MakePair) -> None:
    """Writes of every size arrive whole and in order, both ways at once."""
    link = _open(make_pair)
    for side in link.sides:
        for size in SIZES:
            side.write(pattern(size, size))
    link.settle()
    link.sound()
    for side in link.sides:
        _expect(side, b"".join(pattern(size, size) for size in SIZES))
        assert side.connection.queued == 0


@_check
def many_small_writes(make_pair: MakePair) -> None:
    """Ten thousand writes of one byte arrive in order."""
    link = _open(make_pair)
    data = pattern(10_000)
    for index in range(len(data)):
        link.client.write(data[index : index + 1])
    link.settle()
    link.sound()
    _expect(link.server, data)


@_check
def buffers_of_every_kind(make_pair: MakePair) -> None:
    """Bytes, bytearrays and memoryviews are taken, and may change afterwards."""
    link = _open(make_pair)
    data = bytearray(pattern(50_000))
    expected = bytes(data) * 2 + bytes(data)[10:20]
    link.wire.a_to_b.hold()
    for buffer in (data, memoryview(data), memoryview(data)[10:20]):
        link.client.write(buffer)
    data[:] = bytes(len(data))
    link.wire.a_to_b.release()
    link.settle()
    _expect(link.server, expected)


@_check
def fragmentation(make_pair: MakePair) -> None:
    """However the ciphertext is cut, the same plaintext comes out."""
    for size in (1, 2, 3, 5, 6, 29, 1000, 16389):
        link = _link(make_pair)
        for lane in link.wire.lanes:
            lane.chunk(size)
        link.handshake()
        _exchange(link, 3000 if size < 29 else 100_000)


@_check
def split_anywhere(make_pair: MakePair) -> None:
    """A record that is cut in two at each of its bytes arrives, and only when it is whole."""
    link = _open(make_pair)
    lane = link.wire.a_to_b
    sent = b""
    for offset in range(1, 60):
        data = pattern(20, offset)
        start = lane.delivered
        lane.hold()
        link.client.write(data)
        link.run()
        assert lane.inside, "no ciphertext"
        cut = min(offset, lane.inside - 1)
        lane.release(cut)
        link.run()
        assert lane.delivered == start + cut
        _expect(link.server, sent)
        lane.release()
        link.settle()
        sent += data
        _expect(link.server, sent)
    link.sound()


@_check
def coalesced(make_pair: MakePair) -> None:
    """A megabyte of ciphertext in one call is taken; the plaintext comes by and by."""
    link = _open(make_pair)
    data = pattern(MEGABYTE)
    link.wire.a_to_b.hold()
    link.client.write(data)
    link.run()
    link.wire.a_to_b.release()
    link.settle()
    link.sound()
    _expect(link.server, data)


@_check
def narrow_wires(make_pair: MakePair) -> None:
    """Both sides send a megabyte through wires that take a few bytes: no deadlock, nothing lost."""
    for capacity in (100, 4096):
        link = _link(make_pair, MemoryWire(capacity=capacity))
        link.handshake()
        _exchange(link, MEGABYTE if capacity > 1000 else 30_000)


@_check
def output_is_bounded(make_pair: MakePair) -> None:
    """``event_output`` keeps its limit, and what has been written is counted until it has left."""
    for limit in (1, 7, 1000, EVENT_SIZE):
        link = _open(make_pair)
        link.client.output_limit = limit
        size = 5000 if limit < 1000 else 2 * MEGABYTE
        link.wire.a_to_b.hold()
        link.wire.a_to_b.capacity = 1000
        link.client.write(pattern(size))
        link.run()
        queued = link.client.connection.queued
        assert queued >= size - 1000, f"{link.client!r}: of {size} bytes, 1000 at most have left"
        link.wire.a_to_b.release()
        link.settle()
        link.sound()
        assert link.client.connection.queued == 0
        _expect(link.server, pattern(size))


@_check
def encrypted_in_one_step(make_pair: MakePair) -> None:
    """``event_encrypt`` is ``event_write``, and the ``event_output`` that follows."""
    link = _link(make_pair)
    early = [side.connection.event_encrypt(f"of the {side.name}".encode()) for side in link.sides]
    assert early == [b"", b""], "before the handshake there is nothing to encrypt with"
    link.handshake()
    link.settle()
    _expect(link.server, b"of the client")
    _expect(link.client, b"of the server")
    likes: list[Any] = [bytearray(pattern(1000)), memoryview(pattern(1000))]
    # A record more than EVENT_SIZE of ciphertext, from less of plaintext.
    for data in (*map(pattern, (*SIZES, EVENT_SIZE - 40)), *likes):
        for before in (b"", b"waits, "):
            for side, other in (link.sides, link.sides[::-1]):
                _encrypted(side, other, before, data)


def _encrypted(side: Side, other: Side, before: bytes, data: bytes) -> None:
    """Write *data*, behind *before* which has not left, and have *other* receive it."""
    connection = side.connection
    other.received.clear()
    if before:
        connection.event_write(before)
    ciphertext = connection.event_encrypt(data)
    assert len(ciphertext) <= EVENT_SIZE, f"{side!r}: {len(ciphertext)} bytes"
    assert ciphertext or not (data or before), f"{side!r}: nothing of {len(data)} bytes leaves"
    while connection.wants & Want.WRITE:
        more = connection.event_output()
        assert 0 < len(more) <= EVENT_SIZE, f"{side!r}: WRITE is wanted for {len(more)} bytes"
        ciphertext += more
    assert connection.wants == Want.READ, f"{side!r}"
    assert not connection.queued, f"{side!r}"
    for place in range(0, len(ciphertext), EVENT_SIZE):
        other.call("event_feed", ciphertext[place : place + EVENT_SIZE])
        while other.wants & Want.PROCEED:
            other.call("event_proceed")
    _expect(other, before + bytes(data))
    assert not other.failures, f"{other!r}"


@_check
def chaos(make_pair: MakePair) -> None:
    """Pieces and delays at random, both ways; the seed is printed."""
    link = _link(make_pair, MemoryWire(capacity=20_000))
    link.wire.chaos()
    link.handshake()
    for _ in range(5):
        for side in link.sides:
            side.received.clear()
        _exchange(link, 200_000)


# -- pauses --------------------------------------------------------------------


@_check
def pauses(make_pair: MakePair) -> None:
    """A side that stops asking gets nothing, loses nothing, and can still send."""
    link = _open(make_pair, MemoryWire(capacity=200_000))
    data = pattern(MEGABYTE)

    def pause(_data: bytes) -> None:
        link.server.paused = True

    link.server.on_data = pause
    link.client.write(data)
    stops = 0
    while len(link.server.received) < len(data):
        before = len(link.server.received)
        link.run()
        assert link.server.paused, f"nothing more arrives: {link!r}"
        assert 0 < len(link.server.received) - before <= EVENT_SIZE
        stops += 1
        link.server.write(b"still here")
        link.run()
        link.server.paused = False
    link.settle()
    link.sound()
    _expect(link.server, data)
    _expect(link.client, b"still here" * stops)


@_check
def writing_does_not_forget_what_waits(make_pair: MakePair) -> None:
    """While plaintext waits to be asked for, writing and sending leave PROCEED standing."""
    link = _open(make_pair)
    data = pattern(3 * EVENT_SIZE)
    link.wire.a_to_b.hold()
    link.client.write(data)
    link.run()
    link.wire.a_to_b.release()
    link.server.on_data = lambda _: setattr(link.server, "paused", True)
    link.run()
    server = link.server
    assert server.wants & Want.PROCEED, f"{server!r} has more to give and does not say so"
    for action in (
        lambda: server.write(b"x" * 100),
        lambda: server.call("event_flush"),
        lambda: link.wire.b.send(server.call("event_output", 50)),
        lambda: link.wire.b.send(server.call("event_output", EVENT_SIZE)),
        lambda: server.call("event_output", EVENT_SIZE),
        server.close,
    ):
        action()
        assert server.wants & Want.PROCEED, f"{server!r} has forgotten that it has more to give"
    server.on_data = lambda _: None
    server.paused = False
    link.settle()
    link.sound()
    _expect(server, data)
    _expect(link.client, b"x" * 100)


# -- endings -------------------------------------------------------------------


def _both(make_pair: MakePair) -> Iterable[tuple[Link, Side, Side]]:
    """A new open link for either side; the side that acts, and the other one."""
    for index in (0, 1):
        link = _open(make_pair)
        yield link, link.sides[index], link.sides[1 - index]


@_check
def clean_end(make_pair: MakePair) -> None:
    """close_notify comes after everything that was written; the other side may go on sending."""
    for link, side, other in _both(make_pair):
        side.write(pattern(200_000))
        side.close()
        link.settle()
        link.sound()
        _expect(other, pattern(200_000))
        assert other.connection.ended is Ending.CLEAN, f"{other!r}"
        assert side.connection.ended is None
        assert side.connection.close_sent
        assert not other.connection.close_sent
        other.write(b"the rest")
        link.settle()
        link.sound()
        _expect(side, b"the rest")
        other.close()
        link.settle()
        # An end of the transport after close_notify says nothing new.
        for each in link.sides:
            each.end.close()
        link.settle()
        link.sound()
        for each in link.sides:
            assert each.connection.ended is Ending.CLEAN, f"{each!r}"
            assert each.connection.close_sent


@_check
def crossed_ends(make_pair: MakePair) -> None:
    """Both sides close at once, with data under way both ways: everything arrives."""
    link = _open(make_pair)
    for side in link.sides:
        side.write(pattern(100_000))
        side.close()
        side.connection.event_close()  # once more does no harm
    link.settle()
    link.sound()
    for side in link.sides:
        _expect(side, pattern(100_000))
        assert side.connection.ended is Ending.CLEAN, f"{side!r}"


@_check
def nothing_is_written_after_the_end(make_pair: MakePair) -> None:
    """``event_write`` after ``event_close`` is an error, and harms nothing."""
    for link, side, other in _both(make_pair):
        side.write(b"before")
        side.close()
        _raises(Error, side.connection.event_write, b"after")
        _raises(Error, side.connection.event_encrypt, b"after")
        link.settle()
        link.sound()
        _expect(other, b"before")
        assert other.connection.ended is Ending.CLEAN


@_check
def truncated_end(make_pair: MakePair) -> None:
    """An end of file without close_notify is told, once, after the plaintext; writing goes on."""
    for link, side, other in _both(make_pair):
        side.write(b"last words")
        link.settle()
        side.end.close()
        link.settle()
        _expect(other, b"last words")
        assert other.connection.ended is Ending.TRUNCATED, f"{other!r}"
        assert [type(error) for error in other.failures] == [TruncatedError], f"{other!r}"
        assert other.connection.event_proceed() == b""
        other.failures.clear()
        other.write(b"an answer")
        link.settle()
        link.sound()
        _expect(side, b"an answer")


@_check
def truncated_record(make_pair: MakePair) -> None:
    """An end of file within a record, whichever byte it is: what was whole arrives, then the failure."""
    for back in (1, 5, 16, 17, 22, 29):
        for link, side, other in _both(make_pair):
            lane = side.end.outgoing
            lane.hold()
            side.write(b"whole")
            link.run()
            side.write(b"cut")
            link.run()
            lane.truncate(lane.offered - back)
            lane.release()
            link.settle()
            assert bytes(other.received) in (b"whole", b""), f"{other!r}"
            assert bytes(other.received) == b"whole" or back > 24
            assert other.connection.ended is Ending.TRUNCATED, f"{other!r}"
            assert [type(error) for error in other.failures] == [TruncatedError], f"{other!r}"


@_check
def truncated_handshake(make_pair: MakePair) -> None:
    """An end of file within the handshake is a failure on the side that sees it, and never a clean end."""
    whole = _open(make_pair).wire
    for lane in ("a_to_b", "b_to_a"):
        size = getattr(whole, lane).offered
        for offset in sorted({0, 1, 4, 5, 6, 50, size // 2}):
            link = _link(make_pair)
            getattr(link.wire, lane).truncate(offset)
            link.settle()
            victim = link.server if lane == "a_to_b" else link.client
            if victim.connection.handshake_done:
                continue  # the client's last flight may stand before the middle
            assert len(victim.failures) >= 1, f"{offset} bytes: {victim!r}"
            assert isinstance(victim.failures[0], Error)
            assert victim.connection.ended in (Ending.TRUNCATED, Ending.ABORTED), f"{victim!r}"
            assert victim.received == b""


# -- failures ------------------------------------------------------------------


def _failed(side: Side) -> OpenSSLError:
    """The one failure of *side*, which every later call raises again."""
    assert len(side.failures) == 1, f"{side!r}"
    error = side.failures[0]
    assert isinstance(error, Error), f"{error!r}"
    assert side.connection.ended is Ending.ABORTED, f"{side!r}"
    assert not side.wants & Want.PROCEED, f"{side!r} has failed and asks for more"
    for method in ("event_proceed", "event_feed", "event_write", "event_encrypt"):
        arguments = () if method == "event_proceed" else (b"more",)
        again = _raises(Error, getattr(side.connection, method), *arguments)
        assert type(again) is type(error), f"{method} raises {again!r} and not {error!r}"
        assert str(again) == str(error)
    assert side.connection.event_output(EVENT_SIZE) == b""
    return error


@_check
def corrupted_record(make_pair: MakePair) -> None:
    """A changed byte: what came before it is given, the failure stays, its alert reaches the peer."""
    for link, side, other in _both(make_pair):
        lane = side.end.outgoing
        lane.hold()
        side.write(b"sound")
        link.run()
        side.write(b"not sound")
        link.run()
        lane.corrupt(lane.offered - 1)
        lane.release()
        link.settle()
        _expect(other, b"sound")
        _failed(other)
        assert _failed(side).alert == 20, f"the peer was sent no bad_record_mac: {side!r}"


@_check
def corrupted_handshake(make_pair: MakePair) -> None:
    """A changed byte within the handshake: at least one side fails, neither takes it for done and well."""
    whole = _open(make_pair).wire
    for lane in ("a_to_b", "b_to_a"):
        size = getattr(whole, lane).offered
        for offset in range(6, size, max(1, size // 12)):
            link = _link(make_pair)
            getattr(link.wire, lane).corrupt(offset, 0x55)
            link.run()
            if all(side.connection.handshake_done and not side.failures for side in link.sides):
                # It may have struck what came after: a ticket, or padding of an old record layer.
                for side in link.sides:
                    side.write(b"?")
                link.run()
                continue
            failed = [side for side in link.sides if side.failures]
            waiting = [side for side in link.sides if not side.failures and side.wants & Want.READ]
            assert failed or waiting, f"byte {offset} of {lane}: {link!r}"


@_check
def garbage(make_pair: MakePair) -> None:
    """What is no TLS at all is a failure that stays."""
    for data in (b"GET / HTTP/1.0\r\n\r\n", b"\r\n" * 50, bytes(100), b"\xff" * 100, b"SSH-2.0-test\r\n"):
        for index in (0, 1):
            side = _link(make_pair).sides[index]
            side._proceed()
            side.call("event_feed", data)
            while side.wants & Want.WRITE:
                side.call("event_output", EVENT_SIZE)
            if not side.failures:
                side.call("event_feed", b"")  # a record that never comes whole
                while side.wants & Want.PROCEED and not side.failures:
                    side.call("event_proceed")
            while side.wants & Want.WRITE:
                side.call("event_output", EVENT_SIZE)
            assert len(side.failures) == 1, f"{data[:20]!r}: {side!r}"
            assert side.connection.ended is not Ending.CLEAN
            assert not side.connection.handshake_done
            assert side.received == b""
            _raises(Error, side.connection.event_proceed)


@_check
def wrong_arguments(make_pair: MakePair) -> None:
    """They are named, and nothing has changed."""
    link = _open(make_pair)
    connection: Any = link.client.connection
    for method, argument, expected in (
        ("event_feed", "text", TypeError),
        ("event_feed", None, TypeError),
        ("event_write", "text", TypeError),
        ("event_write", 5, TypeError),
        ("event_encrypt", "text", TypeError),
        ("event_encrypt", 5, TypeError),
        ("event_output", 0, ValueError),
        ("event_output", -1, ValueError),
        ("event_output", "5", TypeError),
    ):
        error = _raises(expected, getattr(connection, method), argument)
        name = "limit" if method == "event_output" else "data"
        assert name in str(error), f"{method}({argument!r}) does not name its argument: {error}"
    _exchange(link, 1000)


# -- new keys ------------------------------------------------------------------


@_check
def new_keys_under_load(make_pair: MakePair) -> None:
    """Key updates (TLS 1.3) or renegotiation (TLS 1.2) in the middle of data both ways."""
    link = _open(make_pair, MemoryWire(capacity=10_000))
    modern = link.client.connection.get_protocol_version() >= ProtocolVersion.TLS1_3
    data = pattern(400_000)
    for round_ in range(8):
        for side in link.sides:
            side.write(data[round_ * 50_000 : (round_ + 1) * 50_000])
        if modern:
            for side in link.sides:
                side.connection.key_update(bool(round_ % 2))
        elif not round_:
            link.server.connection.renegotiate()
        for _ in range(3):
            for side in link.sides:
                side.act()
    link.settle()
    link.sound()
    for side in link.sides:
        _expect(side, data)
