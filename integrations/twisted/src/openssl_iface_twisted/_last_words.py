"""What a TCP transport of Twisted's has still to read when it is lost.

A reset takes nothing from what the kernel has received before it.  But a transport that notices it while it
writes, or while nobody reads, is lost at once, and what it has not read with it: often the alert that says
why the peer has gone.  So it reads that first.
"""

from __future__ import annotations

import select
from typing import Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from ._stream import TLSStream
from ._writing import logged

__all__ = ["hear_last_words"]


def hear_last_words(transport: Any) -> None:
    """Have *transport* read what has come before a reset, if it is a TCP transport of Twisted's own."""
    stock = isinstance(transport, tcp.Connection) and not isinstance(transport, TLSStream)
    if not stock or "connectionLost" in transport.__dict__:
        return

    def connectionLost(reason: Failure) -> None:
        del transport.connectionLost  # there is a cycle, else
        if reason.type is ConnectionLost and hasattr(transport, "socket") and _broken(transport.socket):
            try:
                _deliver(transport)
            except BaseException:
                # What the protocol above has raised, treated as a reactor does.
                transport.connectionLost(logged())
                return
        transport.connectionLost(reason)

    transport.connectionLost = connectionLost


def _broken(sock: Any) -> bool:
    """Whether the connection itself has ended, and not just the reactor."""
    poll = select.poll()
    poll.register(sock, 0)
    return bool(poll.poll(0))


def _deliver(transport: Any) -> None:
    """Pass on all that is there; nothing more can come."""
    while True:
        try:
            data = transport.socket.recv(transport.bufferSize)
        except OSError:
            return
        if not data:
            return
        transport.protocol.dataReceived(data)
