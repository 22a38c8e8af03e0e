from __future__ import annotations

import os
import queue
import socket
import threading
import time

import pytest

from openssl_iface.errors import Error, TruncatedError, WantReadError, WantWriteError, ZeroReturnError
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.values import ProtocolVersion

BIG = bytes(range(256)) * 2048  # 512 KiB


class Blocking:
    """Two queues of chunks; recv waits."""

    def __init__(self):
        self.incoming = queue.SimpleQueue()
        self.rest = b""
        self.peer = None

    @classmethod
    def couple(cls):
        one, other = cls(), cls()
        one.peer, other.peer = other, one
        return one, other

    def recv(self, size):
        self.rest = self.rest or self.incoming.get(timeout=30)
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def send(self, data):
        self.peer.incoming.put(bytes(data))
        return len(data)


class Halves(Blocking):
    """Takes a half of what it is given."""

    def send(self, data):
        half = (len(data) + 1) // 2
        self.peer.incoming.put(bytes(data[:half]))
        return half


class Quiet(Blocking):
    """Does not say how much it took: all."""

    def send(self, data):
        super().send(data)


class Now(Blocking):
    """Never waits: raises when there is nothing, and when there is no room."""

    room = 1000
    later = BlockingIOError

    def recv(self, size):
        if not self.rest:
            try:
                self.rest = self.incoming.get_nowait()
            except queue.Empty:
                raise self.later from None
        data = super().recv(size)
        self.peer.room += len(data)
        return data

    def send(self, data):
        if not self.room:
            raise self.later
        taken = data[: self.room]
        self.room -= len(taken)
        super().send(taken)
        return len(taken)


class Zero(Now):
    """Takes nothing at times, and says so."""

    def send(self, data):
        return super().send(data) if self.room else 0


class Pipes:
    """Two pipes."""

    def __init__(self, reading, writing):
        self.reading, self.writing = reading, writing

    def recv(self, size):
        return os.read(self.reading, size)

    def send(self, data):
        return os.write(self.writing, data)


def converse(tls, server, client):
    got = tls.together(
        lambda: tls.receive(server, len(BIG)),
        lambda: tls.receive(client, len(BIG)),
        lambda: server.sendall(BIG),
        lambda: client.sendall(BIG[::-1]),
    )
    assert got[:2] == [BIG[::-1], BIG]


@pytest.mark.parametrize("kind", [Blocking, Halves, Quiet])
def test_blocking_ones(tls, version, kind):
    server, client = tls.shake(*tls.connections(*tls.contexts(version), kind.couple()))
    converse(tls, server, client)
    client.shutdown()
    with pytest.raises(ZeroReturnError):
        server.recv(1)


def test_new_keys_under_load(tls, version):
    server, client = tls.shake(*tls.connections(*tls.contexts(version), Blocking.couple()))
    for _ in range(5):
        if version == ProtocolVersion.TLS1_3:
            server.key_update(True)
            client.key_update(True)
        else:
            server.renegotiate()
        converse(tls, server, client)


def test_pipes(tls, version):
    there, back = os.pipe(), os.pipe()
    ends = Pipes(there[0], back[1]), Pipes(back[0], there[1])
    server, client = tls.shake(*tls.connections(*tls.contexts(version), ends))
    converse(tls, server, client)
    for number in (*there, *back):
        os.close(number)


@pytest.mark.parametrize("kind", [Now, Zero])
@pytest.mark.parametrize("later", [BlockingIOError, InterruptedError, WantReadError, WantWriteError])
def test_ones_that_never_wait(tls, version, kind, later, monkeypatch):
    monkeypatch.setattr(kind, "later", later)
    server, client = tls.connections(*tls.contexts(version), kind.couple())
    wants = set()
    for _ in range(100):
        for one in (client, server):
            try:
                one.do_handshake()
            except (WantReadError, WantWriteError) as want:
                wants.add(type(want))
    assert server.handshake_done
    assert client.handshake_done
    assert wants == {WantReadError, WantWriteError}
    received, done = b"", None
    while done is None:
        try:
            done = client.sendall(BIG)
        except WantWriteError:
            assert client.want_write()
        try:
            received += server.recv(65536)
        except (WantReadError, WantWriteError):
            pass
    while len(received) < len(BIG):
        try:
            received += server.recv(65536)
        except WantReadError:
            continue
    assert received == BIG
    assert not client.want_write()


def in_steps(tls, version):
    """A server and a client whose transports never wait, shaken hands."""
    server, client = tls.connections(*tls.contexts(version), Now.couple())
    for _ in range(100):
        for one in (client, server):
            try:
                one.do_handshake()
            except (WantReadError, WantWriteError):
                pass
    return server, client


def test_less_of_the_same_data_may_be_sent_after_a_refusal(tls, version):
    server, client = in_steps(tls, version)
    client._socket.room = 5
    with pytest.raises(WantWriteError):
        client.send(b"a" * 10_000)
    client._socket.room = 1_000_000
    for _ in range(10):
        assert client.send(b"a" * 1000) == 1000
    received = b""
    with pytest.raises(WantReadError):
        while True:
            received += server.recv(65536)
    assert received == b"a" * 10_000


def test_shutdown_that_waits_for_room_is_said_once(tls, version):
    server, client = in_steps(tls, version)
    client._socket.room = 5
    with pytest.raises(WantWriteError):
        client.shutdown()
    with pytest.raises(WantWriteError):
        client.shutdown()
    client._socket.room = 1000
    assert client.shutdown() is False
    with pytest.raises(ZeroReturnError):
        server.recv(1)


def test_the_end_of_the_transport(tls, version):
    server, client = tls.shake(*tls.connections(*tls.contexts(version), Blocking.couple()))
    client._socket.send(b"")
    with pytest.raises(TruncatedError):
        server.recv(1)


def test_errors_of_the_transport_come_through(tls, version):
    class Broken(Blocking):
        broken = False

        def send(self, data):
            if self.broken:
                raise BrokenPipeError("gone")
            return super().send(data)

        def recv(self, size):
            if self.broken:
                raise ConnectionResetError("gone")
            return super().recv(size)

    server, client = tls.shake(*tls.connections(*tls.contexts(version), Broken.couple()))
    server.sendall(b"x")
    client.recv(1)
    client._socket.broken = True
    with pytest.raises(BrokenPipeError):
        client.send(b"x")
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_reader_hears_that_its_own_bytes_cannot_leave(tls, version):
    """Where nothing has come: it would wait for ever for what is not asked for.  The last words go first."""

    class Broken(Now):
        def send(self, data):
            raise BrokenPipeError("gone")

    transport = Broken.couple()[0]
    client = Connection(tls.client_context(version), transport)
    client.set_connect_state()
    for _ in range(2):
        with pytest.raises(BrokenPipeError):
            client.recv(1)
    transport.incoming.put(b"\x15\x03\x03\x00\x02\x02\x28")
    with pytest.raises(Error) as caught:
        client.recv(1)
    assert caught.value.alert == 40


def test_the_alert_of_a_failure_leaves(tls, version):
    server, client = tls.connections(*tls.contexts(version), Blocking.couple(), host="elsewhere.test")
    results = tls.together(server.do_handshake, client.do_handshake)
    assert "hostname mismatch" in str(results[1]).lower()
    if version == ProtocolVersion.TLS1_3:
        with pytest.raises(Error) as caught:
            server.recv(1)
        results[0] = caught.value
    assert results[0].alert == 42


@pytest.mark.parametrize("lie", [10**6, -1])
def test_a_send_that_lies_is_found_out(tls, lie):
    class Liar(Blocking):
        def send(self, data):
            return lie

    client = tls.connections(*tls.contexts(), Liar.couple())[1]
    with pytest.raises(ValueError, match="send"):
        client.do_handshake()


@pytest.mark.parametrize("lie", [None, "text", 5, [1], object()])
def test_a_recv_that_gives_no_bytes_is_named_and_nothing_hangs(tls, lie):
    class Liar(Blocking):
        lies = True

        def recv(self, size):
            return lie if self.lies else b""

        def send(self, data):
            return len(data)

    made = Connection(tls.client_context(), Liar())
    made.set_connect_state()
    for _ in range(2):
        with pytest.raises(
            TypeError, match=rf"socket: its recv\(\) returned {type(lie).__name__}, not bytes"
        ):
            made.do_handshake()
    Liar.lies = False
    with pytest.raises(TruncatedError):
        made.do_handshake()


def test_a_recv_may_give_any_bytes(tls, version):
    class Other(Blocking):
        def recv(self, size):
            return memoryview(bytearray(super().recv(size)))

    converse(tls, *tls.connections(*tls.contexts(version), Other.couple()))


@pytest.mark.parametrize("lie", ["5", 1.5, b"5", [1]])
def test_a_send_that_gives_no_count_is_named(tls, lie):
    class Liar(Blocking):
        def send(self, data):
            return lie

    made = Connection(tls.client_context(), Liar())
    made.set_connect_state()
    for _ in range(2):
        with pytest.raises(
            TypeError, match=rf"socket: its send\(\) returned {type(lie).__name__}, not a count"
        ):
            made.do_handshake()


def test_tls_in_tls(tls, version):
    outer = tls.over_sockets(version)
    inner = tls.shake(*tls.connections(*tls.contexts(version), outer))
    converse(tls, *inner)
    inner[0].shutdown()
    with pytest.raises(ZeroReturnError):
        inner[1].recv(1)
    outer[0].sendall(b"outside again")
    assert outer[1].recv(100) == b"outside again"


def test_one_thread_waits_while_another_sends(tls):
    server, client = tls.shake(*tls.connections(*tls.contexts(), Blocking.couple()))
    waiting = threading.Event()

    def wait():
        waiting.set()
        return client.recv(10)

    def send():
        waiting.wait(30)
        client.sendall(b"question")
        assert server.recv(100) == b"question"
        server.sendall(b"answer")

    assert tls.together(wait, send) == [b"answer", None]


def test_what_a_reader_leaves_to_a_writer_that_fails_leaves_all_the_same(tls, version):
    """One thread is in the midst of sending when another one has to answer what the peer has asked for."""

    class Late(Blocking):
        late = False

        def send(self, data):
            if self.late:
                self.late = False
                sending.set()
                assert answered.wait(30)
                raise TimeoutError("no room")
            return super().send(data)

    contexts = tls.contexts(version)
    contexts[1].set_post_handshake_auth(True)
    server, client = tls.shake(*tls.connections(*contexts, Late.couple()))
    sending, answered = threading.Event(), threading.Event()

    def read():
        assert sending.wait(30)
        tls.ask(server)
        server.send(b"x")
        data = client.recv(1)
        answered.set()
        return data

    client._socket.late = True
    got, failure = tls.together(read, lambda: client.send(b"y"))
    assert got == b"x"
    assert isinstance(failure, TimeoutError)
    assert not client.want_write()
    assert server.recv(1) == b"y"


def test_a_transport_that_writes_on_its_connection_while_it_sends(tls, version):
    """It would wait for itself; what it writes follows."""

    class Talkative(Blocking):
        connection = None

        def send(self, data):
            connection, self.connection = self.connection, None
            if connection is not None:
                connection.send(b"within")
            return super().send(data)

    server, client = tls.shake(*tls.connections(*tls.contexts(version), Talkative.couple()))
    client._socket.connection = client
    assert tls.together(lambda: client.send(b"around")) == [6]
    assert tls.receive(server, 12) == b"aroundwithin"


def test_a_reader_does_not_wait_for_another_ones_answer_to_leave(tls, version):
    """The transport is slow to take it; what the other one has come for is there."""

    class Slow(Blocking):
        slow = False

        def send(self, data):
            if self.slow:
                self.slow = False
                server.send(b"2")
                answering.set()
                assert told.wait(10)
            return super().send(data)

    contexts = tls.contexts(version)
    contexts[1].set_post_handshake_auth(True)
    server, client = tls.shake(*tls.connections(*contexts, Slow.couple()))
    answering, told = threading.Event(), threading.Event()
    tls.ask(server)
    server.send(b"1")
    client._socket.slow = True

    def second():
        assert answering.wait(10)
        data = client.recv(1)
        told.set()
        return data

    assert sorted(tls.together(lambda: client.recv(1), second)) == [b"1", b"2"]


def test_a_reader_leaves_its_answer_to_a_writer_that_comes(tls, version):
    """In the midst of it: else it would be sending for that one, and read nothing."""

    class Slow(Halves):
        slow = 0

        def send(self, data):
            self.slow -= 1
            if self.slow == 1:
                answering.set()
                until = time.monotonic() + 10
                while not client._carrier._writers and time.monotonic() < until:
                    time.sleep(0.001)
            elif self.slow == 0:
                assert told.wait(10)
            return super().send(data)

    contexts = tls.contexts(version)
    contexts[1].set_post_handshake_auth(True)
    server, client = tls.shake(*tls.connections(*contexts, Slow.couple()))
    answering, told = threading.Event(), threading.Event()
    tls.ask(server)
    server.send(b"1")
    client._socket.slow = 2

    def read():
        data = client.recv(1)
        told.set()
        return data

    def write():
        assert answering.wait(10)
        return client.send(b"2")

    assert tls.together(read, write, lambda: server.recv(1)) == [b"1", 1, b"2"]


def test_a_socket_is_used_by_its_descriptor_all_the_same(tls):
    class Counting(socket.socket):
        calls = 0

        def recv(self, *arguments):
            Counting.calls += 1
            return super().recv(*arguments)

    one, other = socket.socketpair()
    sockets = [Counting(fileno=each.detach()) for each in (one, other)]
    server, client = tls.shake(*tls.connections(*tls.contexts(), sockets))
    client.sendall(b"x")
    assert server.recv(1) == b"x"
    assert not Counting.calls
    assert isinstance(server, Connection)
