"""Waiting for a descriptor, until a deadline, in a way that another thread can end."""

from __future__ import annotations

import errno as errnos
import os
import select
import time
from typing import Any

from ..errors import TimedOutError
from ._encoding import INT_MAX


def left(deadline: float | None) -> float | None:
    """Seconds until *deadline*; ``None`` for ever."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def late() -> TimedOutError:
    """The error for who has waited until then."""
    return TimedOutError(errnos.ETIMEDOUT, "the peer did not answer within the socket's timeout")


def wait_for(descriptor: int, event: int, deadline: float | None, alarm: int = -1) -> None:
    """Wait for *event* (``select.POLLIN``, ``POLLOUT``), or until something can be read from *alarm*.

    :raises TimedOutError: it is later than *deadline*.
    """
    poll = select.poll()
    poll.register(descriptor, event)
    if alarm >= 0:
        poll.register(alarm, select.POLLIN)
    seconds = left(deadline)
    if not poll.poll(None if seconds is None else min(seconds * 1000, INT_MAX)):
        raise late()


class Alarms:
    """One for each thread that waits for the transport to take more.

    What ends its wait may be something of which the descriptor says nothing: another thread has read the
    peer's alert, say, and the peer stays.
    """

    __slots__ = ("_bells", "_lock")

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._bells: set[int] = set()

    def wait_for(self, descriptor: int, event: int, deadline: float | None, over: Any) -> None:
        """As :func:`wait_for`, until :meth:`ring`; not at all if *over* says that it has rung."""
        try:
            alarm, bell = os.pipe()
        except OSError:  # descriptors are short: then only the transport ends it
            wait_for(descriptor, event, deadline)
            return
        try:
            with self._lock:
                if over():
                    return
                self._bells.add(bell)
            try:
                wait_for(descriptor, event, deadline, alarm)
            finally:
                with self._lock:
                    self._bells.remove(bell)
        finally:
            os.close(alarm)
            os.close(bell)

    def ring(self) -> None:
        """End all waits; under the lock, so that none of the pipes is closed meanwhile."""
        for bell in self._bells:
            os.write(bell, b"!")
