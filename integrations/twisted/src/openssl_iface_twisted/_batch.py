"""The end of a reactor iteration, shared by all connections of the reactor.

Small writes that follow each other outside an event are collected and sent as
few records.  One delayed call per iteration serves every connection: one each
would cost more than the sending.
"""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakKeyDictionary, ref

__all__ = ["Batch", "batch_of"]


class _Collecting(Protocol):
    def _endBatch(self) -> None: ...


class Batch:
    """Those who want to be called when the reactor begins its next iteration."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = ref(reactor)
        self._members: list[_Collecting] = []
        self._call: Any = None

    def add(self, member: _Collecting) -> None:
        """Call ``member._endBatch()`` then, which must not raise."""
        self._members.append(member)
        self.ensure()

    def ensure(self) -> None:
        """See to it that the call comes, also if somebody has cancelled all delayed calls of the reactor."""
        call = self._call
        if call is None or not call.active():
            reactor = self._reactor()
            if reactor is not None:
                self._call = reactor.callLater(0, self._run)

    def _run(self) -> None:
        self._call = None
        members, self._members = self._members, []
        for member in members:
            member._endBatch()


_batches: WeakKeyDictionary[Any, Batch] = WeakKeyDictionary()


def batch_of(reactor: Any) -> Batch:
    """The batch of *reactor*."""
    batch = _batches.get(reactor)
    if batch is None:
        batch = _batches[reactor] = Batch(reactor)
    return batch
