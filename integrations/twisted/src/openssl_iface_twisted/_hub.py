"""One descriptor for all TLS connections of an epoll reactor that wait for what comes.

Theory of operation
===================

For every descriptor that is ready, a reactor looks the object up, makes a log context, and goes through three
calls of its own before it comes to ``doRead``: as much work as the decryption of a small message.  An epoll
descriptor can itself be watched by another one (*epoll(7)*).  So the connections that only read are in one
of the hub's, the reactor watches that one as a reader, and ``doRead`` of the hub calls ``doRead`` of each.

What a connection can see of it is the same as without:

* **Log context.**  The reactor makes one for the hub; each connection has a copy in its place, as long as its
  event lasts.  A copy, since threads that are started there (``deferToThread``) take it with them.
* **What is raised** is logged in that context, and ends that connection alone.
* **Order and fairness.**  Ready connections are at it in turns (level-triggered, as the reactor's), at most
  ``BATCH`` before everything else that the reactor has to do.
* **A connection that leaves while its event is under way** is looked up when its turn comes: it is not there.
* **Everything else**, which is rare, is left to the reactor's own code.  A connection that also wants to
  write is moved to the reactor until all is written, since only who watches for both can tell a hang-up with
  something left to read from one without.  One with a hang-up or an error goes there for good.
* **reactor.removeAll** gives the hub in place of its connections; ``connectionLost`` of the hub, which is
  what is done with what that gives, is passed on to them.

Other reactors than Twisted's own epoll reactor have no hub.
"""

from __future__ import annotations

import select
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary, ref

from twisted.internet.interfaces import ILoggingContext, IReadDescriptor
from twisted.python import context, log
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Hub", "hub_of"]

# So many connections have their turn before the reactor has its own: timers, accepts, other descriptors.
BATCH = 64
# So many connections are named where the hub is shown.
SHOWN = 5
# What a reactor says in the context of an event.
USUAL = {"system"}


@implementer(IReadDescriptor, ILoggingContext)
class Hub:
    """The connections of *reactor* that only wait for bytes."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = ref(reactor)
        self._epoll = select.epoll()
        self._table: dict[int, Any] = {}

    def add(self, connection: Any) -> None:
        """Watch *connection* for bytes."""
        descriptor = connection.fileno()
        self._epoll.register(descriptor, select.EPOLLIN)
        first = not self._table
        self._table[descriptor] = connection
        if first:
            self.ensure()

    def ensure(self) -> None:
        """Have the reactor watch, also if somebody has removed all; to be called before connections come."""
        reactor = self._reactor()
        if reactor is not None and self._table:
            reactor.addReader(self)

    def remove(self, connection: Any, descriptor: int) -> None:
        """Watch *connection*, which was added with that *descriptor*, no more."""
        if self._table.get(descriptor) is not connection:
            return
        del self._table[descriptor]
        try:
            self._epoll.unregister(descriptor)
        except OSError:
            pass  # closed by somebody: the kernel has forgotten it
        if not self._table:
            reactor = self._reactor()
            if reactor is not None:
                reactor.removeReader(self)

    # -- what the reactor asks -------------------------------------------------

    def fileno(self) -> int:
        """The descriptor that is ready when one of the connections is."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """What the log says of events of no connection in particular: none are known."""
        return "TLS"

    def doRead(self) -> None:
        """Some connections are readable."""
        table = self._table
        # context.call for each would cost more than all of this.
        contexts = context.theContextTracker.currentContext().contexts
        made = contexts[-1]
        kind = log.ILogContext
        logged = context.get(kind)
        # Where nobody has added anything to it, it is written down anew: to copy it takes longer.
        usual = len(made) == 1 and logged.keys() == USUAL
        try:
            for descriptor, event in self._epoll.poll(0, BATCH):
                connection = table.get(descriptor)
                if connection is None:
                    continue
                if event != select.EPOLLIN:
                    connection._leaveHub()
                    continue
                contexts[-1] = (
                    {kind: {"system": connection.logstr}}
                    if usual
                    else {**made, kind: {**logged, "system": connection.logstr}}
                )
                try:
                    why = connection.doRead()
                except BaseException as error:  # as the reactor does it
                    log.err()
                    why = error
                if why:
                    log.callWithLogger(connection, _lose, connection, why)
        finally:
            contexts[-1] = made

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, and all its descriptors."""
        for descriptor, connection in list(self._table.items()):
            self.remove(connection, descriptor)
            log.callWithLogger(connection, connection.connectionLost, reason)

    def __repr__(self) -> str:
        some = [*map(repr, islice(self._table.values(), SHOWN)), *["..."] * (len(self._table) > SHOWN)]
        return f"<TLS hub of {len(self._table)} connections: {', '.join(some)}>"


def _lose(connection: Any, why: BaseException) -> None:
    connection.stopReading()
    connection.stopWriting()
    connection.connectionLost(Failure(why))


_hubs: WeakKeyDictionary[Any, Hub | None] = WeakKeyDictionary()


def hub_of(reactor: Any) -> Hub | None:
    """The hub of *reactor*, if it is of the kind that can have one."""
    try:
        return _hubs[reactor]
    except KeyError:
        kind = type(reactor)
        epoll = (kind.__module__, kind.__qualname__) == ("twisted.internet.epollreactor", "EPollReactor")
        try:
            hub = _hubs[reactor] = Hub(reactor) if epoll else None
        except OSError:  # descriptors are short: this one does without, and a later one may have it
            return None
        return hub
    except TypeError:  # a reactor that cannot be referred to weakly
        return None
