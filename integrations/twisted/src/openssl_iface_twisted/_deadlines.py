"""The handshakes of a port that must be complete in time.

Most are, long before.  A delayed call for each would be made, sorted in and taken out again for nothing; but
all have equally long, so they stand in a row, and one delayed call is for the first of them.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Deadlines"]

# Seconds: who is due so soon is due now.  Clocks add up with an error.
SLACK = 0.001


class Deadlines:
    """Those who have *seconds* from when they are added; their ``_handshakeTimedOut`` must not raise."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._due: dict[Any, float] = {}
        self._call: Any = None

    def add(self, who: Any) -> None:
        """From now on."""
        assert self.seconds is not None
        reactor = who.reactor
        self._due[who] = reactor.seconds() + self.seconds
        if self._call is None:
            self._call = reactor.callLater(self.seconds, self._run, reactor)

    def ensure(self) -> None:
        """See to it that somebody is due, also if all delayed calls of the reactor have been cancelled."""
        call = self._call
        if call is not None and not call.active():
            self._call = None

    def discard(self, who: Any) -> None:
        """Not any more."""
        due = self._due
        due.pop(who, None)
        if not due:
            call, self._call = self._call, None
            if call is not None and call.active():
                call.cancel()

    def _run(self, reactor: Any) -> None:
        now = reactor.seconds()
        self._call = None
        late = []
        for who, when in self._due.items():
            if when > now + SLACK:
                self._call = reactor.callLater(when - now, self._run, reactor)
                break
            late.append(who)
        for who in late:
            if self._due.pop(who, None) is not None:
                who._handshakeTimedOut()
