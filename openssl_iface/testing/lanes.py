"""Wires in memory: bytes in, bytes out, and everything that can go wrong between.

Theory of operation.  A :class:`Lane` is one direction of a wire.  Somebody pushes
bytes in at one end and somebody pulls *pieces* out at the other; a piece is what a
single ``recv`` would give.  What the lane does in between is set by its controls
(``hold``, ``chunk``, ``truncate`` ...), which may be changed at any moment and
from any thread.  All positions are offsets in the direction's stream, counted
from its first byte.

Time is virtual: a lane that delays looks at a :class:`Clock` that moves only when
it is told to, so that a test of a delay takes no time and has one outcome.  The
socket wires of :mod:`openssl_iface.testing.wires` put the same lanes between real
sockets.
"""

from __future__ import annotations

import bisect
import enum
import math
import os
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

__all__ = [
    "DEADLINE",
    "Clock",
    "End",
    "Lane",
    "MemoryEnd",
    "MemoryWire",
    "WireTimeoutError",
    "choose_seed",
]

# What every wait of this package allows itself, in seconds of real time.  Far more than
# anything needs: who runs into it has found a hang.
DEADLINE: Final = 30.0

SEED_VARIABLE: Final = "OPENSSL_IFACE_TESTING_SEED"


class WireTimeoutError(AssertionError):
    """Something that had to happen did not; the text says what, and how things stood."""


class End(enum.Enum):
    """How a direction ends, as the receiver sees it."""

    #: the end of file: ``recv`` returns ``b""``
    EOF = "end of file"
    #: the connection is reset: ``recv`` raises ``ConnectionResetError``
    RESET = "reset"


def say(sentence: str) -> None:
    """Tell who reads the output of a failed test."""
    sys.stderr.write(f"openssl_iface.testing: {sentence}\n")
    sys.stderr.flush()


def choose_seed(seed: int | None = None) -> int:
    """A seed for :meth:`Lane.chaos`, printed on standard error so that a run can be repeated.

    :param seed: the seed to use.  If left out, the environment variable
        ``OPENSSL_IFACE_TESTING_SEED`` gives it, else chance does.
    """
    if seed is None:
        given = os.environ.get(SEED_VARIABLE)
        try:
            seed = int(given, 0) if given else random.SystemRandom().getrandbits(32)
        except ValueError:
            raise ValueError(f"{SEED_VARIABLE}: a whole number is needed, not {given!r}") from None
    say(f"chaos with {SEED_VARIABLE}={seed}")
    return seed


class Clock:
    """Virtual time, in seconds since the clock was made.

    :param auto: whether time jumps to the next thing that is due whenever a wire has nothing else
        to do.  With ``False`` it moves by :meth:`advance` alone.
    """

    def __init__(self, *, auto: bool = False) -> None:
        self.auto = auto
        self._now = 0.0
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    @property
    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let *seconds* (not negative) pass; wires that are waiting notice at once."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds: time goes on, and does not go back ({seconds})")
        with self._lock:
            self._now += seconds
        for listener in tuple(self._listeners):
            listener()

    def advance_to(self, when: float) -> None:
        """Let time pass until *when*; nothing happens if that is over."""
        self.advance(max(0.0, when - self._now))

    def listen(self, listener: Callable[[], None]) -> None:
        """Call *listener* whenever time has passed."""
        self._listeners.append(listener)


class _Chaos:
    """A random way to cut and delay; never harms a byte."""

    def __init__(self, seed: int, name: str, delay: float) -> None:
        self.seed = seed
        self.delay = delay
        # Two generators, so that the order of pushes and pulls does not matter.
        self._random = random.Random(f"{seed} {name} sizes")  # noqa: S311
        self._times = random.Random(f"{seed} {name} times")  # noqa: S311

    def size(self) -> int:
        """The most bytes of the next piece: mostly small, sometimes everything."""
        pick = self._random.random()
        if pick < 0.3:
            return 1
        if pick < 0.6:
            return self._random.randint(2, 64)
        if pick < 0.85:
            return self._random.randint(65, 20_000)
        return 1 << 30

    def wait(self) -> float:
        """The delay of the next bytes: mostly none."""
        return self._times.random() * self.delay if self._times.random() < 0.3 else 0.0


class Lane:
    """One direction of a wire.

    :param name: what error messages call it.
    :param clock: the virtual time that ``delay`` goes by.
    :param capacity: the most bytes that may be inside (``None``: any number).  A full lane takes no
        more, as a socket does whose peer's window is closed.

    :ivar offered: bytes that were pushed in so far.
    :ivar delivered: bytes that were pulled out so far.
    :ivar pieces: how many pieces they made.
    :ivar ended: the :class:`End` that the receiver has been given, or ``None``.

    Every control may be called from any thread at any time.
    """

    def __init__(
        self,
        name: str = "lane",
        *,
        clock: Clock | None = None,
        capacity: int | None = None,
        condition: threading.Condition | None = None,
    ) -> None:
        self.name = name
        self.clock = clock or Clock()
        self.capacity = None if capacity is None else _natural("capacity", capacity, least=1)
        self.offered = 0
        self.delivered = 0
        self.pieces = 0
        self.ended: End | None = None
        self.condition = condition or threading.Condition(threading.RLock())
        #: called after every change of a control, to wake who moves the bytes
        self.on_change: Callable[[], None] = lambda: None
        self._queue: deque[tuple[memoryview, float]] = deque()
        self._inside = 0
        self._end: End | None = None
        self._end_due = 0.0
        self._held = False
        self._allowance = 0
        self._chunk: int | None = None
        self._at_least = 0
        self._splits: list[int] = []
        self._limit: int | None = None
        self._limit_end = End.EOF
        self._masks: dict[int, int] = {}
        self._delay = 0.0
        self._chaos: _Chaos | None = None
        self._chaos_size: int | None = None

    # -- controls ----------------------------------------------------------

    def hold(self) -> None:
        """Let nothing pass any more, not even an end, until :meth:`release`."""
        with self.condition:
            self._held, self._allowance = True, 0
            self._changed()

    def release(self, count: int | None = None) -> None:
        """Let everything pass again, or just the next *count* bytes and then nothing more."""
        with self.condition:
            if count is None:
                self._held, self._allowance = False, 0
            else:
                self._allowance += _natural("count", count)
                self._held = True
            self._changed()

    def chunk(self, size: int | None) -> None:
        """Deliver pieces of *size* bytes at most (1: one byte at a time; ``None``: as they come)."""
        with self.condition:
            self._chunk = None if size is None else _natural("size", size, least=1)
            self._changed()

    def split(self, offsets: Iterable[int]) -> None:
        """End a piece at each of the *offsets*, besides where it would end anyway."""
        with self.condition:
            self._splits = sorted({*self._splits, *(_natural("offsets", n) for n in offsets)})
            self._changed()

    def coalesce(self, size: int) -> None:
        """Deliver nothing until *size* bytes are here (or the end), then all of them as one piece."""
        with self.condition:
            self._at_least = _natural("size", size)
            self._changed()

    def truncate(self, offset: int | None = None) -> None:
        """End the file after *offset* bytes, and lose the rest; now, if left out."""
        self._cut(offset, End.EOF)

    def reset(self, offset: int | None = None) -> None:
        """Reset the connection after *offset* bytes; now, if left out."""
        self._cut(offset, End.RESET)

    def corrupt(self, offset: int, mask: int = 0xFF) -> None:
        """Invert the bits *mask* (1 to 255) of the byte at *offset*, which must not have passed yet."""
        with self.condition:
            if not 0 < mask < 256:
                raise ValueError(f"mask: 1 to 255 is needed, not {mask}")
            if _natural("offset", offset) < self.delivered:
                raise ValueError(f"offset: byte {offset} has passed already ({self.delivered} are delivered)")
            self._masks[offset] = mask
            self._changed()

    def delay(self, seconds: float) -> None:
        """Let what is pushed from now on arrive *seconds* of virtual time later (0: at once)."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds: a delay is not negative, and ends ({seconds})")
        with self.condition:
            self._delay = seconds
            self._changed()

    def chaos(self, seed: int | None = None, *, delay: float = 0.0) -> int:
        """Cut pieces at random, and delay some by up to *delay* seconds; returns the seed.

        The same seed and the same pushes give the same pieces; lanes of different names differ.
        No byte is lost or changed.  The seed is part of every error message; if it is left out,
        :func:`choose_seed` chooses and prints it.
        """
        seed = choose_seed() if seed is None else _natural("seed", seed)
        if not 0 <= delay < math.inf:
            raise ValueError(f"delay: it is not negative, and ends ({delay})")
        with self.condition:
            self._chaos, self._chaos_size = _Chaos(seed, self.name, delay), None
            self._changed()
        return seed

    def calm(self) -> None:
        """Take back every control that cuts, delays or holds; harm that is due stays due."""
        with self.condition:
            self._held, self._allowance, self._chunk = False, 0, None
            self._at_least, self._delay, self._chaos, self._chaos_size = 0, 0.0, None, None
            self._splits.clear()
            self._changed()

    # -- the sender's end ---------------------------------------------------

    @property
    def inside(self) -> int:
        """Bytes that have been pushed in and neither pulled out nor lost."""
        return self._inside

    @property
    def room(self) -> int:
        """How many bytes :meth:`push` would take now."""
        with self.condition:
            if self._end is not None:
                return 0
            if self.capacity is None or self._is_past_limit():
                return 1 << 30
            return max(0, self.capacity - self._inside)

    def push(self, data: bytes | bytearray | memoryview) -> int:
        """Bring bytes; returns how many of them were taken."""
        with self.condition:
            if self._end is not None:
                raise ValueError(f"{self.name}: the sender has ended already")
            taken = bytes(memoryview(data)[: self.room])
            if not taken:
                return 0
            lost = self._is_past_limit()
            self.offered += len(taken)
            if not lost:
                late = self._delay + (self._chaos.wait() if self._chaos else 0.0)
                # A later byte never overtakes an earlier one.
                due = max(self.clock.now + late, self._queue[-1][1] if self._queue else 0.0)
                self._queue.append((memoryview(taken), due))
                self._inside += len(taken)
            self._changed()
            return len(taken)

    def push_end(self, end: End = End.EOF) -> None:
        """Say that the sender has ended; the receiver hears it after everything before it."""
        with self.condition:
            # A reset also overtakes an end of file that is still on its way.
            if self._end is None or (end is End.RESET and self.ended is None):
                self._end = end
                self._end_due = max(self.clock.now + self._delay, self._queue[-1][1] if self._queue else 0.0)
                self._changed()

    # -- the receiver's end ---------------------------------------------------

    def pull(self, size: int = 1 << 30) -> bytes | End | None:
        """The next piece of *size* bytes at most, or the end, or ``None``: nothing yet.

        After an end has been given, nothing comes any more.
        """
        with self.condition:
            if self.ended is not None:
                return None
            end = self._end_that_is_due()
            if end is not None:
                self.finish(end)
                return end
            count = self._ready(size)
            if count <= 0:
                return None
            piece = self._take(count)
            self._changed()
            return piece

    @property
    def end_due(self) -> End | None:
        """The end that :meth:`pull` would give now, if any."""
        with self.condition:
            return self._end_that_is_due() if self.ended is None else None

    @property
    def ready(self) -> bool:
        """Whether :meth:`pull` would give something now."""
        with self.condition:
            return self.ended is None and (self._end_that_is_due() is not None or self._ready(1 << 30) > 0)

    def finish(self, end: End) -> None:
        """Say that the receiver has learnt of an end by other means; what is inside is lost."""
        with self.condition:
            if self.ended is None:
                self.ended = end
                self._drop()
                self._changed()

    def pull_all(self) -> bytes:
        """Every piece that can be had now, joined; an end stays for the next :meth:`pull`."""
        pieces = []
        with self.condition:
            while self._end_that_is_due() is None and isinstance(piece := self.pull(), bytes):
                pieces.append(piece)
        return b"".join(pieces)

    def next_due(self) -> float | None:
        """The virtual time at which waiting bytes, or an end, are due; ``None`` if nothing waits for time."""
        with self.condition:
            if self._held and not self._allowance:
                return None
            due = self._queue[0][1] if self._queue else self._end_due if self._end else 0.0
            return due if due > self.clock.now and self.ended is None else None

    # -- waiting -------------------------------------------------------------

    def wait(self, until: Callable[[Lane], object], what: str, timeout: float = DEADLINE) -> None:
        """Wait until ``until(lane)`` is true.

        :param what: what is waited for, in words, for the message.
        :param timeout: seconds of real time.
        :raises WireTimeoutError: it did not come true.
        """
        with self.condition:
            if not self.condition.wait_for(lambda: bool(until(self)), timeout):
                raise WireTimeoutError(f"waited {timeout:g} s for {what}: {self!r}")

    def wait_offered(self, count: int, timeout: float = DEADLINE) -> None:
        """Wait until *count* bytes in all have been pushed in."""
        self.wait(lambda lane: lane.offered >= count, f"{count} bytes from the sender", timeout)

    def wait_delivered(self, count: int, timeout: float = DEADLINE) -> None:
        """Wait until *count* bytes in all have been pulled out."""
        self.wait(lambda lane: lane.delivered >= count, f"{count} bytes to the receiver", timeout)

    def wait_ended(self, timeout: float = DEADLINE) -> End:
        """Wait until the receiver has been given the end; returns it."""
        self.wait(lambda lane: lane.ended, "the end", timeout)
        assert self.ended is not None
        return self.ended

    def __repr__(self) -> str:
        facts = [f"{self.offered} bytes in, {self.delivered} out in {self.pieces} pieces"]
        facts.append(f"{self._inside} inside")
        if self._held:
            facts.append(f"held (next {self._allowance} may pass)" if self._allowance else "held")
        if self._limit is not None:
            facts.append(f"{self._limit_end.value} at {self._limit}")
        if (due := self.next_due()) is not None:
            facts.append(f"delayed until {due:g} (now {self.clock.now:g})")
        if self._chaos is not None:
            facts.append(f"chaos with {SEED_VARIABLE}={self._chaos.seed}")
        if self._end is not None:
            facts.append(f"sender ended: {self._end.value}")
        if self.ended is not None:
            facts.append(f"receiver has been told: {self.ended.value}")
        return f"<{self.name}: {'; '.join(facts)}>"

    # -- inside ----------------------------------------------------------------

    def _changed(self) -> None:
        self.condition.notify_all()
        self.on_change()

    def _cut(self, offset: int | None, end: End) -> None:
        with self.condition:
            offset = self.delivered if offset is None else _natural("offset", offset)
            if offset < self.delivered:
                raise ValueError(f"offset: {self.delivered} bytes have passed already, {offset} is too late")
            self._limit, self._limit_end = offset, end
            self._changed()

    def _is_past_limit(self) -> bool:
        return self.ended is not None or (self._limit is not None and self.offered >= self._limit)

    def _end_that_is_due(self) -> End | None:
        if self._held:
            return None
        if self._limit is not None and self.delivered >= self._limit:
            return self._limit_end
        if self._end is not None and not self._inside and self._end_due <= self.clock.now:
            return self._end
        return None

    def _ready(self, size: int) -> int:
        """How many bytes the next piece may have, at most *size*."""
        limit = self._limit - self.delivered if self._limit is not None else 1 << 62
        wanted = min(size, limit, self._inside)
        if self._held:
            wanted = min(wanted, self._allowance)
        if self._chunk is not None:
            wanted = min(wanted, self._chunk)
        if self._splits:
            index = bisect.bisect_right(self._splits, self.delivered)
            if index < len(self._splits):
                wanted = min(wanted, self._splits[index] - self.delivered)
        if self._chaos is not None:
            if self._chaos_size is None:
                self._chaos_size = self._chaos.size()
            wanted = min(wanted, self._chaos_size)
        due = self._due(max(wanted, self._at_least))
        # What cannot grow any more need not wait for company.
        complete = self._end is not None or due >= limit or self.room == 0
        return min(due, wanted) if due >= self._at_least or complete else 0

    def _due(self, enough: int) -> int:
        """How many bytes have arrived by now; counts up to *enough*."""
        due = 0
        for data, when in self._queue:
            if when > self.clock.now or due >= enough:
                break
            due += len(data)
        return due

    def _take(self, count: int) -> bytes:
        parts: list[memoryview] = []
        left = count
        while left:
            data, when = self._queue.popleft()
            if len(data) > left:
                self._queue.appendleft((data[left:], when))
                data = data[:left]
            parts.append(data)
            left -= len(data)
        piece = bytearray(b"".join(parts))
        for offset in [n for n in self._masks if self.delivered <= n < self.delivered + count]:
            piece[offset - self.delivered] ^= self._masks.pop(offset)
        self._inside -= count
        self.delivered += count
        self.pieces += 1
        self._chaos_size = None
        if self._held:
            self._allowance -= count
        return bytes(piece)

    def _drop(self) -> None:
        self._queue.clear()
        self._inside = 0


class MemoryEnd:
    """One end of a :class:`MemoryWire`: what a non-blocking socket would be."""

    def __init__(self, name: str, outgoing: Lane, incoming: Lane) -> None:
        self.name = name
        self.outgoing = outgoing
        self.incoming = incoming

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Send; returns how many bytes the wire took (0: it is full)."""
        return self.outgoing.push(data)

    def receive(self, size: int = 1 << 30) -> bytes | End | None:
        """The next piece, the end, or ``None``: nothing yet."""
        return self.incoming.pull(size)

    def close(self) -> None:
        """End this side's sending; receiving goes on."""
        self.outgoing.push_end(End.EOF)

    def reset(self) -> None:
        """End both directions at once; the other end hears of a reset."""
        self.outgoing.reset()
        self.incoming.reset()


class MemoryWire:
    """A wire in memory, between the ends ``a`` and ``b``.

    :param capacity: the most bytes inside each direction (``None``: any number).
    :param clock: the virtual time; :meth:`idle` moves it if it is an ``auto`` one.

    :ivar a_to_b: the :class:`Lane` of what ``a`` sends.
    :ivar b_to_a: the :class:`Lane` of what ``b`` sends.
    """

    def __init__(self, *, capacity: int | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock(auto=True)
        condition = threading.Condition(threading.RLock())
        self.a_to_b = Lane("a to b", clock=self.clock, capacity=capacity, condition=condition)
        self.b_to_a = Lane("b to a", clock=self.clock, capacity=capacity, condition=condition)
        self.a = MemoryEnd("a", self.a_to_b, self.b_to_a)
        self.b = MemoryEnd("b", self.b_to_a, self.a_to_b)

    @property
    def lanes(self) -> tuple[Lane, Lane]:
        return self.a_to_b, self.b_to_a

    def idle(self) -> bool:
        """Nothing can be done now: let time pass if that helps; returns whether it did."""
        due = [when for lane in self.lanes if (when := lane.next_due()) is not None]
        if not due or not self.clock.auto:
            return False
        self.clock.advance_to(min(due))
        return True

    def chaos(self, seed: int | None = None, *, delay: float = 1.0) -> int:
        """Both directions as :meth:`Lane.chaos`; returns the seed."""
        return self.b_to_a.chaos(self.a_to_b.chaos(seed, delay=delay), delay=delay)

    def __repr__(self) -> str:
        return f"<MemoryWire at {self.clock.now:g}: {self.a_to_b!r}, {self.b_to_a!r}>"


def deadline(timeout: float = DEADLINE) -> Callable[[], float]:
    """A function that returns the seconds that are left, and 0 when there are none."""
    end = time.monotonic() + timeout
    return lambda: max(0.0, end - time.monotonic())


def _natural(name: str, value: int, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: an int is needed, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name}: at least {least} is needed, not {value}")
    return value
