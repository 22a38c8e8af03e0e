from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_iface.testing import lanes
from openssl_iface.testing.lanes import Clock, End, Lane, MemoryWire, WireTimeoutError


def pieces(lane: Lane) -> list[bytes | End]:
    """Everything that can be pulled out now."""
    got: list[bytes | End] = []
    while (piece := lane.pull()) is not None:
        got.append(piece)
    return got


def filled(data: bytes = b"abcdefgh", *, ended: bool = True) -> Lane:
    lane = Lane()
    lane.push(data)
    if ended:
        lane.push_end()
    return lane


def test_what_goes_in_comes_out_once_with_its_end():
    lane = filled()
    assert pieces(lane) == [b"abcdefgh", End.EOF]
    assert pieces(lane) == []
    assert (lane.offered, lane.delivered, lane.pieces, lane.ended) == (8, 8, 1, End.EOF)


def test_pull_gives_no_more_than_is_asked():
    lane = filled()
    assert lane.pull(3) == b"abc"
    assert lane.pull(100) == b"defgh"


def test_one_byte_at_a_time():
    lane = filled()
    lane.chunk(1)
    assert pieces(lane) == [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h", End.EOF]
    assert lane.pieces == 8


def test_split_ends_a_piece_anywhere():
    lane = filled(ended=False)
    lane.split([1, 6])
    lane.split([3])
    lane.push(b"ij")
    assert pieces(lane) == [b"a", b"bc", b"def", b"ghij"]


def test_coalesce_waits_for_company_but_not_for_ever():
    lane = Lane()
    lane.coalesce(5)
    lane.push(b"abc")
    assert lane.pull() is None
    lane.push(b"def")
    assert lane.pull() == b"abcdef"
    lane.push(b"gh")
    assert lane.pull() is None
    lane.push_end()
    assert pieces(lane) == [b"gh", End.EOF]


def test_a_full_lane_does_not_wait_for_company_that_cannot_come():
    lane = Lane(capacity=4)
    lane.coalesce(100)
    assert lane.push(b"abcdef") == 4
    assert lane.pull() == b"abcd"


def test_hold_stops_everything_even_the_end():
    lane = filled()
    lane.hold()
    assert pieces(lane) == []
    lane.release(3)
    assert pieces(lane) == [b"abc"]
    lane.release(100)
    assert pieces(lane) == [b"defgh"]
    lane.release()
    assert pieces(lane) == [End.EOF]


def test_truncate_loses_the_rest():
    lane = filled(ended=False)
    lane.truncate(5)
    assert pieces(lane) == [b"abcde", End.EOF]
    assert lane.push(b"more") == 4  # as a network would: accepted, and lost
    assert pieces(lane) == []
    assert lane.inside == 0


def test_truncate_now():
    lane = filled(ended=False)
    lane.pull(2)
    lane.truncate()
    assert pieces(lane) == [End.EOF]


def test_truncation_before_the_bytes_are_there():
    lane = Lane()
    lane.truncate(3)
    lane.push(b"ab")
    assert pieces(lane) == [b"ab"]
    lane.push(b"cdef")
    assert pieces(lane) == [b"c", End.EOF]


def test_reset_at_a_byte_and_now():
    lane = filled(ended=False)
    lane.reset(2)
    assert pieces(lane) == [b"ab", End.RESET]
    wire = MemoryWire()
    wire.a.send(b"lost")
    wire.b.reset()
    assert wire.a.receive() is End.RESET
    assert wire.b.receive() is End.RESET


def test_corrupt_changes_that_byte_alone():
    lane = filled(b"\x00" * 6)
    lane.corrupt(0)
    lane.corrupt(4, 0x01)
    lane.chunk(2)
    assert pieces(lane) == [b"\xff\x00", b"\x00\x00", b"\x01\x00", End.EOF]


@pytest.mark.parametrize("control", ["corrupt", "truncate", "reset"])
def test_what_has_passed_cannot_be_harmed(control):
    lane = filled()
    lane.pull(4)
    with pytest.raises(ValueError, match="offset"):
        getattr(lane, control)(3)
    assert pieces(lane) == [b"efgh", End.EOF]


def test_delay_goes_by_virtual_time():
    clock = Clock()
    lane = Lane(clock=clock)
    lane.delay(2.5)
    lane.push(b"slow")
    lane.delay(0)
    lane.push(b"fast")  # but it cannot overtake
    lane.push_end()
    assert lane.pull() is None
    assert lane.next_due() == 2.5
    clock.advance(2.4)
    assert pieces(lane) == []
    clock.advance(0.2)
    assert pieces(lane) == [b"slowfast", End.EOF]
    assert lane.next_due() is None


def test_idle_lets_time_pass_if_that_helps():
    wire = MemoryWire()
    wire.b_to_a.delay(60)
    wire.b.send(b"late")
    assert wire.a.receive() is None
    assert wire.idle()
    assert wire.a.receive() == b"late"
    assert not wire.idle()


def test_a_full_lane_takes_no_more():
    wire = MemoryWire(capacity=10)
    assert wire.a.send(b"x" * 15) == 10
    assert wire.a.send(b"x") == 0
    assert wire.b.receive(4) == b"xxxx"
    assert wire.a.send(b"y" * 9) == 4


def test_half_close_leaves_the_other_direction():
    wire = MemoryWire()
    wire.a.send(b"question")
    wire.a.close()
    assert wire.b.receive() == b"question"
    assert wire.b.receive() is End.EOF
    wire.b.send(b"answer")
    assert wire.a.receive() == b"answer"
    with pytest.raises(ValueError, match="ended already"):
        wire.a.send(b"more")


@given(st.binary(max_size=5000), st.lists(st.integers(1, 999), max_size=20), st.integers(0, 2**64))
def test_chaos_harms_nothing_and_can_be_repeated(data, sizes, seed):
    def run() -> list[bytes | End]:
        wire = MemoryWire()
        wire.chaos(seed)
        rest = data
        for size in sizes:
            wire.a.send(rest[:size])
            rest = rest[size:]
        wire.a.send(rest)
        wire.a.close()
        got: list[bytes | End] = []
        while wire.a_to_b.ended is None:
            piece = wire.b.receive()
            if piece is not None:
                got.append(piece)
            else:
                assert wire.idle()
        return got

    first = run()
    assert first[-1] is End.EOF
    assert b"".join(first[:-1]) == data
    assert run() == first


def test_the_two_directions_have_a_chaos_of_their_own():
    wire = MemoryWire()
    wire.chaos(7, delay=0)
    sizes = []
    for end, other in ((wire.a, wire.b), (wire.b, wire.a)):
        end.send(bytes(100_000))
        sizes.append([len(piece) for piece in pieces(other.incoming)])
    assert sizes[0] != sizes[1]


def test_the_seed_is_printed_and_can_be_given(capfd, monkeypatch):
    seed = Lane().chaos()
    assert f"OPENSSL_IFACE_TESTING_SEED={seed}" in capfd.readouterr().err
    monkeypatch.setenv("OPENSSL_IFACE_TESTING_SEED", "4711")
    lane = Lane()
    assert lane.chaos() == 4711
    assert "4711" in repr(lane)
    assert lanes.choose_seed(3) == 3


def test_calm_takes_back_what_cuts_and_holds():
    lane = filled()
    lane.hold()
    lane.chunk(1)
    lane.split([2])
    lane.coalesce(100)
    lane.chaos(1)
    lane.calm()
    assert pieces(lane) == [b"abcdefgh", End.EOF]


def test_a_wait_that_fails_says_for_what():
    lane = filled(ended=False)
    lane.hold()
    with pytest.raises(WireTimeoutError, match=r"8 bytes to the receiver: <lane: 8 bytes in, 0 out.*held"):
        lane.wait_delivered(8, timeout=0.01)


def test_a_wait_ends_when_another_thread_does_its_part():
    lane = Lane()
    thread = threading.Thread(target=lambda: (lane.push(b"12345"), lane.pull(), lane.push_end(), lane.pull()))
    thread.start()
    lane.wait_offered(5)
    lane.wait_delivered(5)
    assert lane.wait_ended() is End.EOF
    thread.join()


@pytest.mark.parametrize(
    ("control", "argument", "error"),
    [
        ("chunk", 0, ValueError),
        ("chunk", 1.5, TypeError),
        ("release", -1, ValueError),
        ("split", [-1], ValueError),
        ("delay", -1, ValueError),
        ("delay", math.nan, ValueError),
        ("delay", math.inf, ValueError),
        ("chaos", "7", TypeError),
        ("truncate", "1", TypeError),
    ],
)
def test_controls_refuse_what_makes_no_sense(control, argument, error):
    lane = filled()
    with pytest.raises(error):
        getattr(lane, control)(argument)
    assert pieces(lane) == [b"abcdefgh", End.EOF]


@pytest.mark.parametrize(("capacity", "error"), [(0, ValueError), (-1, ValueError), ("many", TypeError)])
def test_a_wire_has_room_for_something(capacity, error):
    with pytest.raises(error, match="capacity"):
        MemoryWire(capacity=capacity)


def test_a_seed_that_is_none_is_named(monkeypatch):
    monkeypatch.setenv(lanes.SEED_VARIABLE, "abc")
    with pytest.raises(ValueError, match=rf"{lanes.SEED_VARIABLE}: a whole number is needed, not 'abc'"):
        MemoryWire().chaos()


def test_time_does_not_go_back():
    clock = Clock()
    clock.advance(3)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    for never in (math.nan, math.inf):
        with pytest.raises(ValueError, match="seconds"):
            clock.advance(never)
    clock.advance_to(1)
    assert clock.now == 3
