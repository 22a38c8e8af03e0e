"""Connections that are made for an event loop in one step, and how they part in one."""

from __future__ import annotations

import os
import select
import socket
import threading

import pytest

from openssl_iface.errors import AbortedError, Error
from openssl_iface.impl_cffi.backend import backend
from openssl_iface.impl_cffi.context import Context
from openssl_iface.values import Method, ProtocolVersion, Want

# The type of an alert's record (RFC 8446, section 5.1); under TLS 1.3 it is inside of another.
ALERT = 21
only_tickets = pytest.mark.parametrize("version", [ProtocolVersion.TLS1_3], ids=["TLSv1.3"])


@pytest.fixture
def sockets():
    pair = socket.socketpair()
    for one in pair:
        one.setblocking(False)
    yield pair
    for one in pair:
        one.close()


def shaken(server, client, wire):
    """Go on until the client is complete, whose last flight is given and not sent."""
    client.event_proceed()
    while not client.handshake_done:
        wire.sendall(client.event_output())
        server.event_read()
        client.event_feed(wire.recv(65536))
    return client.event_output()


class TestMade:
    def test_as_by_the_three_steps(self, tls, version, sockets):
        ours, wire = sockets
        server_context, client_context = tls.contexts(version)
        server = backend.event_connection(server_context, ours, True)
        client = backend.event_connection(client_context, None, False)
        assert server.get_context() is server_context
        assert server.fileno() == ours.fileno()
        assert server.wants == client.wants == Want.PROCEED
        wire.sendall(shaken(server, client, wire))
        server.event_read()
        assert server.handshake_done
        server.event_write(b"hello")
        assert client.event_feed(wire.recv(65536)) == b"hello"

    def test_the_side_is_kept(self, tls, version):
        server_context, client_context = tls.contexts(version)
        server = backend.event_connection(server_context, None, True)
        client = backend.event_connection(client_context, None, False)
        client.event_proceed()
        server.event_feed(client.event_output())
        with pytest.raises(Error, match="the side cannot be changed"):
            server.set_connect_state()

    def test_callbacks_are_the_contexts(self, tls, version, sockets):
        server_context, client_context = tls.contexts(version)
        told = []
        server_context.set_info_callback(lambda connection, where, how: told.append(connection))
        ours, wire = sockets
        server = backend.event_connection(server_context, ours, True)
        client = backend.event_connection(client_context, None, False)
        wire.sendall(shaken(server, client, wire))
        server.event_read()
        assert set(told) == {server}

    def test_what_is_no_context(self, sockets):
        for wrong in (None, object(), "context"):
            with pytest.raises(TypeError, match="context"):
                backend.event_connection(wrong, sockets[0], True)

    def test_what_has_no_descriptor(self):
        class Odd:
            def fileno(self):
                return "3"

        context = Context(Method.TLS)
        closed = socket.socket()
        closed.close()
        with pytest.raises(ValueError, match=r"transport: its fileno\(\)"):
            backend.event_connection(context, closed, True)
        with pytest.raises(TypeError, match=r"transport: its fileno\(\)"):
            backend.event_connection(context, Odd(), True)
        with pytest.raises(AttributeError, match="fileno"):
            backend.event_connection(context, object(), True)


class TestGoodbye:
    @pytest.fixture
    def parting(self, tls, version, sockets):
        """A server that gets the client's last flight and its goodbye at once; ``(server, client, wire)``."""
        ours, wire = sockets
        server_context, client_context = tls.contexts(version)
        server = backend.event_connection(server_context, ours, True)
        client = backend.event_connection(client_context, None, False)
        last = shaken(server, client, wire)
        assert client.event_close() is False  # it waits to be carried
        wire.sendall(last + client.event_output())
        assert client.close_sent
        assert server.event_read() == b""
        assert server.handshake_done
        return server, client, wire

    def records(self, data):
        """The types of the records of *data*."""
        kinds = []
        while data:
            kinds.append(data[0])
            data = data[5 + int.from_bytes(data[3:5]) :]
        return kinds

    def test_all_that_is_due_leaves_with_ours(self, parting, version):
        server, client, wire = parting
        tickets = version >= ProtocolVersion.TLS1_3
        if tickets:
            assert server.wants == Want.WRITE
            assert not server.queued  # nothing of its owner's
            with pytest.raises(BlockingIOError):
                wire.recv(1)
        assert server.event_close() is True
        assert not server.wants & Want.WRITE
        assert server.close_sent
        assert not server.queued
        data = wire.recv(65536)
        if tickets:
            assert len(self.records(data)) == 3  # two tickets; ours
        else:
            assert self.records(data) == [ALERT]
        client.event_feed(data)
        assert client.ended is not None

    @only_tickets
    def test_also_after_it_has_been_asked_for_something(self, parting, version):
        """What takes its lock, takes nothing from that."""
        server, client, wire = parting
        assert server.get_cipher_name()
        server.event_write(b"still here")
        assert server.get_cipher_name()
        assert server.event_close() is True
        data = wire.recv(65536)
        assert len(self.records(data)) == (4 if version >= ProtocolVersion.TLS1_3 else 2)
        assert client.event_feed(data) == b"still here"

    @only_tickets
    def test_the_goodbye_too(self, parting):
        server, _, wire = parting
        assert server.get_cipher_name()
        assert server.event_close() is True
        assert len(self.records(wire.recv(65536))) == 3

    @only_tickets
    def test_it_is_sent_by_those_who_only_flush(self, parting):
        server, _, wire = parting
        server.event_flush()
        assert not server.wants & Want.WRITE
        assert len(self.records(wire.recv(65536))) == 2

    def test_it_is_sent_before_what_is_written(self, parting, version):
        server, client, wire = parting
        server.event_write(b"still here")
        data = wire.recv(65536)
        assert len(self.records(data)) == (3 if version >= ProtocolVersion.TLS1_3 else 1)
        assert client.event_feed(data) == b"still here"
        assert server.event_close() is True

    @only_tickets
    def test_it_is_sent_when_the_event_comes_again(self, parting):
        server, _, wire = parting
        assert server.event_read() == b""
        assert not server.wants & Want.WRITE
        assert len(self.records(wire.recv(65536))) == 2

    def test_a_second_time_says_whether_it_has_left(self, parting):
        server = parting[0]
        assert server.event_close() is True
        assert server.event_close() is True

    def test_what_could_not_be_sent_is_not_said_to_have_left(self, tls, version):
        """The peer says goodbye, and resets the connection when it is sent more."""
        listening = socket.create_server(("127.0.0.1", 0))
        wire = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
        ours.setblocking(False)
        server_context, client_context = tls.contexts(version)
        server = backend.event_connection(server_context, ours, True)
        client = backend.event_connection(client_context, None, False)
        wire.sendall(shaken(server, client, wire))
        server.event_read()
        while not server.queued:
            server.event_write(bytes(16384))
        client.event_close()
        wire.sendall(client.event_output())
        wire.close()  # there is more to read: a reset
        with pytest.raises(AbortedError):
            while True:
                select.select([ours], [], [], 10)
                server.event_read()
                assert server.event_close() is False
                assert not server.close_sent
                server.event_proceed()
        listening.close()
        ours.close()

    def test_what_waits_is_not_said_to_have_left(self, tls, version):
        server, client = tls.pair(version)
        assert server.event_close() is False
        assert server.event_close() is False
        client.event_feed(server.event_output())
        assert server.event_close() is True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("mine", [False, True])
def test_a_context_that_was_busy_at_a_fork_is_free_in_the_child(forked, mine):
    context = Context(Method.TLS)
    held, done = threading.Event(), threading.Event()

    def hold():
        with context._lock:
            held.set()
            done.wait(30)

    def in_child():
        context.set_options(0)
        backend.event_connection(context, None, True)

    thread = threading.Thread(target=hold)
    if mine:
        with context._lock:
            child = forked(in_child)
    else:
        thread.start()
        held.wait(30)
        child = forked(in_child)
    done.set()
    if not mine:
        thread.join()
    assert os.waitpid(child, 0)[1] == 0
    context.set_options(0)
