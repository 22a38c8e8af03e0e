"""Handshakes that stand in a row for one timer."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from openssl_iface_twisted._deadlines import Deadlines


class Handshake:
    def __init__(self, deadlines: Deadlines, clock: Clock) -> None:
        self.reactor = clock
        self.late: float | None = None
        deadlines.add(self)

    def _handshakeTimedOut(self) -> None:
        self.late = self.reactor.seconds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deadlines() -> Deadlines:
    return Deadlines(10.0)


@pytest.fixture
def two(clock: Clock, deadlines: Deadlines) -> tuple[Handshake, Handshake]:
    """Begun three seconds apart."""
    first = Handshake(deadlines, clock)
    clock.advance(3)
    return first, Handshake(deadlines, clock)


def test_each_has_the_same_time_from_its_own_beginning(
    clock: Clock, two: tuple[Handshake, Handshake]
) -> None:
    first, second = two
    clock.pump([1] * 12)
    assert (first.late, second.late) == (10, 13)
    assert not clock.getDelayedCalls()


def test_one_timer_serves_all(clock: Clock, deadlines: Deadlines) -> None:
    for _ in range(5):
        Handshake(deadlines, clock)
        clock.advance(1)
    assert len(clock.getDelayedCalls()) == 1


def test_who_is_complete_is_not_late_and_those_behind_it_are(
    clock: Clock, deadlines: Deadlines, two: tuple[Handshake, Handshake]
) -> None:
    first, second = two
    deadlines.discard(first)
    clock.pump([1] * 12)
    assert (first.late, second.late) == (None, 13)


def test_nothing_is_left_in_the_reactor_when_all_are_complete(clock: Clock, deadlines: Deadlines) -> None:
    for one in [Handshake(deadlines, clock), Handshake(deadlines, clock)]:
        deadlines.discard(one)
    assert not clock.getDelayedCalls()


def test_one_that_is_late_may_end_another(clock: Clock, deadlines: Deadlines) -> None:
    first, second = Handshake(deadlines, clock), Handshake(deadlines, clock)
    first._handshakeTimedOut = lambda: deadlines.discard(second)  # type: ignore[method-assign]
    clock.advance(10)
    assert second.late is None
    assert not clock.getDelayedCalls()


def test_somebody_has_cancelled_all_delayed_calls(clock: Clock, deadlines: Deadlines) -> None:
    first = Handshake(deadlines, clock)
    for call in clock.getDelayedCalls():
        call.cancel()
    deadlines.ensure()
    second = Handshake(deadlines, clock)
    clock.advance(10)
    assert (first.late, second.late) == (10, 10)
