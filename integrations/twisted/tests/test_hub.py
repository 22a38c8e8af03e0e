"""The connections of an epoll reactor behind one descriptor: what can be seen of it is as without."""

from __future__ import annotations

import itertools
import select
import sys
import threading

import pytest
from transport_matrix import Once, Recorder, TransportCase, asyncio_reactor
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.threads import deferToThreadPool
from twisted.python import context, log
from twisted.python.reflect import namedAny
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase

from openssl_iface.values import ProtocolVersion
from openssl_iface_twisted._hub import BATCH, SHOWN, Hub, hub_of

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="there is no epoll")


class Fault(Exception):
    """What a protocol raises."""


class HubCase(TransportCase):
    """Several connections of one server, all of them open."""

    version = ProtocolVersion.TLS1_3
    edge = "socket"
    if sys.platform == "linux":
        reactorFactory = namedAny("twisted.internet.epollreactor.EPollReactor")

    def opened(self, count, then, make=Recorder):
        """Open *count* connections, and call *then* with the servers' and the clients' ends."""
        servers, clients = [make() for _ in range(count)], [Recorder() for _ in range(count)]
        left = set(servers + clients)

        def ready(one):
            left.discard(one)
            if not left:
                self.reactor.callLater(0, then, servers, clients)

        for one in servers + clients:
            one.on("handshake", ready)
        port = self.listen(Once(*servers))
        # The factory gives its protocols in the order of the connections: say hello by that.
        for client in clients:
            self.connect(port, Once(client))
        return servers, clients

    def run_(self):
        self.runReactor(self.reactor, timeout=self.deadline)

    def hubs(self):
        return [one for one in self.reactor.getReaders() if isinstance(one, Hub)]

    def at_once(self, clients, data=b"x"):
        """All *clients* write, and all of it arrives before the reactor looks."""
        for client in clients:
            client.transport.write(data)

    def until(self, condition, then=None):
        def look():
            if condition():
                (then or self.reactor.stop)()
            else:
                self.reactor.callLater(0.001, look)

        look()


class Served(HubCase):
    def test_one_reader_for_all(self):
        def look(servers, clients):
            self.assertEqual(len(self.hubs()), 1)
            for one in servers + clients:
                self.assertNotIn(one.transport, self.reactor.getReaders())
            self.at_once(clients, b"hello")
            self.until(lambda: all(one.data == b"hello" for one in servers))

        self.opened(5, look)
        self.run_()

    def test_more_than_a_batch(self):
        turns = []

        def look(servers, clients):
            self.at_once(clients)
            tick()
            self.until(lambda: all(one.data for one in servers))

        def tick():
            turns.append(sum(bool(one.data) for one in servers))
            self.reactor.callLater(0, tick)

        servers, _ = self.opened(2 * BATCH + 10, look)
        self.run_()
        steps = [after - before for before, after in itertools.pairwise(turns)]
        self.assertLessEqual(max(steps), BATCH)

    def test_what_is_shown_of_it(self):
        """Some of its connections, for those who find it left over."""

        def look(servers, clients):
            (hub,) = self.hubs()
            self.assertEqual(sum(repr(one.transport) in repr(hub) for one in servers + clients), SHOWN)
            self.assertIn(f"{2 * SHOWN} connections", repr(hub))
            self.assertIn("...", repr(hub))
            self.reactor.stop()

        self.opened(SHOWN, look)
        self.run_()

    def test_the_hub_is_gone_with_its_connections(self):
        def look(servers, clients):
            for client in clients:
                client.transport.loseConnection()
            self.until(lambda: all(one.reason for one in servers + clients), gone)

        def gone():
            self.assertEqual(self.hubs(), [])
            self.reactor.stop()

        servers, clients = self.opened(3, look)
        self.run_()
        for one in servers + clients:
            one.reason.trap(ConnectionDone)

    def test_a_slow_reader_moves_a_connection_to_the_reactor_and_back(self):
        data = bytes(8_000_000)

        def look(servers, clients):
            (server,), (client,) = servers, clients
            client.transport.pauseProducing()
            server.transport.write(data)
            self.assertIn(server.transport, self.reactor.getWriters())
            self.assertIn(server.transport, self.reactor.getReaders())
            client.transport.resumeProducing()
            self.until(lambda: len(client.data) == len(data), back)

        def back():
            transport = servers[0].transport
            self.assertNotIn(transport, self.reactor.getWriters())
            self.assertNotIn(transport, self.reactor.getReaders())
            clients[0].transport.write(b"still there?")
            self.until(lambda: servers[0].data == b"still there?")

        servers, clients = self.opened(1, look)
        self.run_()

    def test_what_came_before_a_hang_up_is_delivered(self):
        """Also where we have something to write that nobody takes."""

        def look(servers, clients):
            (server,), (client,) = servers, clients
            client.transport.pauseProducing()
            server.transport.write(bytes(8_000_000))
            server.on("data", lambda one: None)
            client.transport.write(b"last words")
            client.transport.loseConnection()
            client.transport.resumeProducing()
            self.until(lambda: server.reason is not None)

        servers, _ = self.opened(1, look)
        self.run_()
        self.assertEqual(servers[0].data, b"last words")

    def test_paused_within_the_batch(self):
        def look(servers, clients):
            def pause(one):
                for other in servers:
                    if other is not one and not other.data:
                        other.transport.pauseProducing()

            for server in servers:
                server.on("data", pause)
            self.at_once(clients)
            self.reactor.callLater(0.05, resume)

        def resume():
            self.assertEqual(sum(bool(one.data) for one in servers), 1)
            for one in servers:
                one.on("data", lambda one: None).transport.resumeProducing()
            self.until(lambda: all(one.data == b"x" for one in servers))

        servers, _ = self.opened(4, look)
        self.run_()

    def test_a_reactor_that_is_run_within_an_event(self):
        def look(servers, clients):
            for server in servers:
                server.on("data", lambda one: self.reactor.iterate(0))
            self.at_once(clients, b"once")
            self.until(lambda: all(one.data for one in servers))

        servers, _ = self.opened(6, look)
        self.run_()
        self.assertEqual([bytes(one.data) for one in servers], [b"once"] * 6)


class Failing(HubCase):
    def test_what_is_raised_ends_one_connection_and_is_logged_as_its(self):
        seen = []
        log.addObserver(seen.append)
        self.addCleanup(log.removeObserver, seen.append)

        def fail(one):
            raise Fault(one.transport.logPrefix())

        def look(servers, clients):
            servers[1].on("data", fail)
            self.at_once(clients)
            self.until(lambda: servers[1].reason is not None and servers[0].data and servers[2].data, again)

        def again():
            servers[0].transport.write(b"I live")
            self.until(lambda: any(one.data == b"I live" for one in clients))

        servers, clients = self.opened(3, look)
        self.run_()
        servers[1].reason.trap(Fault)
        errors = self.flushLoggedErrors(Fault)
        self.assertEqual(len(errors), 1)
        (logged,) = [event for event in seen if event.get("isError") and event["failure"].check(Fault)]
        self.assertEqual(logged["system"], str(errors[0].value))

    def test_each_logs_in_its_own_context(self):
        seen = []
        log.addObserver(seen.append)
        self.addCleanup(log.removeObserver, seen.append)

        def look(servers, clients):
            for server in servers:
                server.on("data", lambda one: log.msg("got it", prefix=one.transport.logPrefix()))
            self.at_once(clients)
            self.until(lambda: all(one.data for one in servers))

        self.opened(4, look)
        self.run_()
        lines = [event for event in seen if "prefix" in event]
        self.assertEqual(len(lines), 4)
        self.assertEqual(len({event["prefix"] for event in lines}), 4)
        for event in lines:
            self.assertEqual(event["system"], event["prefix"])

    def test_threads_that_are_started_there_log_in_it(self):
        """Also when the thread runs after the events of other connections."""
        got = []
        all_came = threading.Event()

        def work():
            all_came.wait(self.deadline)
            return context.get(log.ILogContext)["system"]

        def start(one):
            started = deferToThreadPool(self.reactor, pool, work)
            started.addCallback(lambda system: got.append((system, one.transport.logPrefix())))

        def look(servers, clients):
            for server in servers:
                server.on("data", start)
            self.at_once(clients)
            self.until(lambda: all(one.data for one in servers), came)

        def came():
            all_came.set()
            self.until(lambda: len(got) == 4)

        pool = ThreadPool(4, 4)
        pool.start()
        self.addCleanup(pool.stop)
        self.addCleanup(all_came.set)
        self.opened(4, look)
        self.run_()
        self.assertEqual(len(set(got)), 4)
        for system, prefix in got:
            self.assertEqual(system, prefix)

    def test_the_context_is_as_before_when_it_is_over(self):
        seen = []

        def look(servers, clients):
            hub, outside = self.hubs()[0], context.get(log.ILogContext)
            self.at_once(clients)
            log.callWithLogger(
                hub, lambda: (hub.doRead(), seen.append(context.get(log.ILogContext)["system"]))
            )
            self.assertTrue(any(one.data for one in servers))
            self.assertIs(context.get(log.ILogContext), outside)
            self.reactor.stop()

        self.opened(2, look)
        self.run_()
        self.assertEqual(seen, ["TLS"])

    def test_what_a_reactor_adds_to_the_context_is_there(self):
        seen = []

        def look(servers, clients):
            hub = self.hubs()[0]
            for server in servers:
                server.on(
                    "data", lambda one: seen.append((context.get("added"), context.get(log.ILogContext)))
                )
            self.at_once(clients)
            logged = {"system": "-", "also": 2}
            context.call({"added": 1, log.ILogContext: logged}, hub.doRead)
            self.assertEqual(
                seen, [(1, {"system": one.transport.logPrefix(), "also": 2}) for one in servers if one.data]
            )
            self.assertTrue(seen)
            self.reactor.stop()

        self.opened(1, look)
        self.run_()

    def test_closed_within_the_batch(self):
        def look(servers, clients):
            def abort(one):
                for other in servers:
                    if other is not one:
                        other.transport.abortConnection()

            for server in servers:
                server.on("data", abort)
            self.at_once(clients)
            self.until(lambda: sum(bool(one.reason) for one in servers) == 3)

        servers, _ = self.opened(4, look)
        self.run_()
        self.assertEqual(sum(bool(one.data) for one in servers), 1)
        for one in servers:
            if not one.data:
                one.reason.trap(ConnectionAborted)

    def test_a_reactor_that_stops(self):
        servers, clients = self.opened(3, lambda *_: self.reactor.stop())
        self.run_()
        for one in servers + clients:
            one.reason.trap(ConnectionLost)
        self.assertEqual(self.hubs(), [])

    def test_a_peer_that_vanishes(self):
        def look(servers, clients):
            clients[0].transport.abortConnection()
            self.until(lambda: servers[0].reason is not None, others)

        def others():
            self.at_once(clients[1:])
            self.until(lambda: sum(one.data == b"x" for one in servers) == 2)

        servers, clients = self.opened(3, look)
        self.run_()


class Removed(HubCase):
    def test_who_removes_all_can_end_all(self):
        def look(servers, clients):
            for one in self.reactor.removeAll():
                one.connectionLost(log.failure.Failure(ConnectionLost()))
            for one in servers + clients:
                one.reason.trap(ConnectionLost)
            self.reactor.stop()

        self.opened(3, look)
        self.run_()

    def test_who_removes_all_can_put_it_back(self):
        def look(servers, clients):
            removed = self.reactor.removeAll()
            self.at_once(clients)
            for one in removed:
                self.reactor.addReader(one)
            self.until(lambda: all(one.data for one in servers))

        self.opened(3, look)
        self.run_()

    def test_a_new_connection_after_that(self):
        def look(servers, clients):
            port = self.ports[-1]
            self.reactor.removeAll()
            self.reactor.addReader(port)
            port.factory.protocols.append(late[0])
            late[1].on("handshake", lambda one: one.transport.write(b"new"))
            self.connect(port.getHost().port, Once(late[1]))
            self.until(lambda: late[0].data == b"new")

        late = [Recorder(), Recorder()]
        self.opened(2, look)
        self.run_()

    def test_a_strangers_connection_after_that(self):
        """It is not an end of ours at the other side that brings the hub back."""

        def look(servers, clients):
            self.reactor.removeAll()
            self.meet(ours, stranger)
            stranger.on("handshake", lambda one: one.write(b"new"))
            self.until(lambda: ours.data == b"new")

        ours, stranger = Recorder(), self.stranger()
        self.opened(2, look)
        self.run_()

    def test_a_connection_to_a_stranger_after_that(self):
        self.reversed = True
        self.test_a_strangers_connection_after_that()


class TestServed(Served, SynchronousTestCase):
    pass


class TestFailing(Failing, SynchronousTestCase):
    pass


class TestRemoved(Removed, SynchronousTestCase):
    pass


@pytest.mark.parametrize("kind", [SelectReactor, PollReactor, asyncio_reactor])
def test_other_reactors_have_none(kind):
    class Case:
        def addCleanup(self, function, *arguments):
            undo.append((function, arguments))

    undo = []
    reactor = kind(Case()) if kind is asyncio_reactor else kind()
    try:
        assert hub_of(reactor) is None
    finally:
        reactor.removeAll()
        for function, arguments in reversed(undo):
            function(*arguments)
