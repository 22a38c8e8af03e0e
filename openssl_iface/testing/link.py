"""Two connections over a wire in memory, driven as an event loop would drive them.

A :class:`Side` does exactly what its connection's ``wants`` ask for, and nothing
more: it takes output only when there is said to be some, and proceeds only when it
is told to.  So a connection that forgets to ask is found by what does not arrive,
and one that asks for nothing in earnest by :class:`SpinError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import OpenSSLError
from ..typing import Connection
from ..values import EVENT_SIZE, Want
from .lanes import DEADLINE, End, MemoryEnd, MemoryWire, WireTimeoutError, deadline

__all__ = ["Link", "Side", "SpinError"]

_ALL_WANTS = sum(Want)
# Calls of event_proceed that may change nothing before they count as spinning.
_PATIENCE = 3


class SpinError(AssertionError):
    """A connection asks to be called, and does nothing when it is."""


class Side:
    """One connection with its end of the wire.

    :ivar connection: the IConnection.
    :ivar received: all plaintext so far.
    :ivar failures: what its calls have raised, in order (:class:`OpenSSLError` alone).
    :ivar calls: how many calls of the event-loop face were made.
    :ivar paused: no plaintext is asked for while this is true; output goes on.
    """

    def __init__(self, name: str, connection: Connection, end: MemoryEnd) -> None:
        self.name = name
        self.connection = connection
        self.end = end
        self.received = bytearray()
        self.failures: list[OpenSSLError] = []
        self.calls = 0
        self.paused = False
        #: the most bytes of one ``event_output``
        self.output_limit = EVENT_SIZE
        #: called with each piece of plaintext
        self.on_data: Callable[[bytes], object] = lambda data: None

    @property
    def wants(self) -> int:
        wants = self.connection.wants
        assert isinstance(wants, int), f"{self.name}: wants is {wants!r}, not an int"
        assert not wants & ~_ALL_WANTS, f"{self.name}: wants has unknown bits: {wants:#x}"
        return wants

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the event-loop face, and check what it gives."""
        self.calls += 1
        try:
            result = getattr(self.connection, method)(*arguments)
        except OpenSSLError as error:
            if any(type(each) is type(error) and str(each) == str(error) for each in self.failures):
                raise SpinError(
                    f"{self.name}: {method} was asked for, to raise what is known: {self!r}"
                ) from error
            self.failures.append(error)
            return b""
        if method in ("event_feed", "event_read", "event_proceed"):
            assert type(result) is bytes, f"{self.name}: {method} gave {type(result).__name__}, not bytes"
            assert len(result) <= EVENT_SIZE, f"{self.name}: {method} gave {len(result)} bytes at once"
            if result:
                self.received += result
                self.on_data(result)
        return result

    def write(self, data: Any) -> None:
        """``event_write``; it must not fail."""
        self.calls += 1
        self.connection.event_write(data)

    def close(self) -> None:
        """``event_close``; it must not fail."""
        self.calls += 1
        self.connection.event_close()

    def act(self) -> bool:
        """Do what can be done now, once each; returns whether anything was done."""
        return any([self._send(), self._receive(), self._proceed()])

    def _send(self) -> bool:
        done = False
        while self.wants & Want.WRITE and self.end.outgoing.room and self.end.outgoing.ended is None:
            room = min(self.end.outgoing.room, self.output_limit)
            data = self.call("event_output", room)
            assert type(data) is bytes, f"{self.name}: event_output gave {type(data).__name__}, not bytes"
            assert len(data) <= room, f"{self.name}: event_output({room}) gave {len(data)} bytes"
            if not data:
                raise SpinError(f"{self.name}: wants says WRITE, but event_output has nothing: {self!r}")
            self.end.send(data)
            done = True
        return done

    def _receive(self) -> bool:
        # What has been fed must be delivered before more is fed: a transport does not read then.
        if self.paused or self.failures or self.wants & Want.PROCEED:
            return False
        piece = self.end.receive()
        if piece is None:
            return False
        if isinstance(piece, End):
            self.call("event_feed", b"")
        else:
            self.call("event_feed", piece)
        return True

    def _proceed(self) -> bool:
        if self.paused or not self.wants & Want.PROCEED:
            return False
        for _ in range(_PATIENCE):
            before = self._standing()
            self.call("event_proceed")
            if self._standing() != before or not self.wants & Want.PROCEED:
                return True
        raise SpinError(f"{self.name}: wants says PROCEED, but event_proceed does nothing: {self!r}")

    def _standing(self) -> tuple[object, ...]:
        connection = self.connection
        return (len(self.received), len(self.failures), connection.queued, connection.handshake_done,
                connection.ended, connection.wants & Want.WRITE)  # fmt: skip

    def __repr__(self) -> str:
        connection = self.connection
        return (
            f"<{self.name}: wants {Want(connection.wants).name}, handshake "
            f"{'done' if connection.handshake_done else 'not done'}, {len(self.received)} bytes received, "
            f"{connection.queued} queued, ended {connection.ended}, failures {self.failures}, "
            f"{self.calls} calls>"
        )


class Link:
    """A client and a server, and the wire between them.

    :ivar client, server: the two :class:`Side`.
    :ivar wire: the :class:`~openssl_iface.testing.lanes.MemoryWire`; ``a`` is the client.
    """

    def __init__(self, client: Connection, server: Connection, wire: MemoryWire | None = None) -> None:
        self.wire = wire or MemoryWire()
        self.client = Side("client", client, self.wire.a)
        self.server = Side("server", server, self.wire.b)

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.client, self.server

    def other(self, side: Side) -> Side:
        return self.server if side is self.client else self.client

    def run(self, until: Callable[[], object] | None = None, timeout: float = DEADLINE) -> None:
        """Go on until nothing can be done any more, or until ``until()`` is true.

        :raises AssertionError: ``until`` never became true.
        """
        left = deadline(timeout)
        while until is None or not until():
            if not left():
                raise WireTimeoutError(f"still busy after {timeout:g} s: {self!r}")
            done = [side.act() for side in self.sides]
            if not any(done) and not self.wire.idle():
                assert until is None, f"nothing goes on any more: {self!r}"
                return

    def settle(self) -> None:
        """Run until nothing can be done, and check that both sides wait for something sensible."""
        self.run()
        for side in self.sides:
            wants = side.wants
            full = side.end.outgoing.room == 0 or side.end.outgoing.ended is not None
            assert full or not wants & Want.WRITE, f"{side!r} still wants to write"
            assert side.paused or not wants & Want.PROCEED, f"{side!r} still wants to proceed"
            if not full:
                forgotten = side.connection.event_output(EVENT_SIZE)
                assert not forgotten, f"{side!r}: {len(forgotten)} bytes of output that wants did not tell of"
            if side.connection.ended is None and not side.failures:
                assert wants & ~Want.WRITE, f"{side!r} is open, but waits for nothing"

    def handshake(self) -> None:
        """Run until both sides have completed the handshake and nothing is under way."""
        self.run(lambda: all(side.connection.handshake_done for side in self.sides))
        self.settle()
        self.sound()

    def sound(self) -> None:
        """Check that nothing has failed."""
        for side in self.sides:
            assert not side.failures, f"{side!r}"

    def __repr__(self) -> str:
        return f"<Link: {self.client!r}, {self.server!r}, {self.wire!r}>"
