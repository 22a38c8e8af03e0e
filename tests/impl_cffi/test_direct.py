from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import struct
import threading

import pytest

from openssl_iface import SSL
from openssl_iface.errors import (
    AbortedError,
    Error,
    SysCallError,
    TimedOutError,
    TruncatedError,
    WantReadError,
    WantWriteError,
    ZeroReturnError,
)
from openssl_iface.values import Ending, ProtocolVersion

BIG = bytes(range(256)) * 4096  # 1 MiB


def reset(connection):
    """Close the socket so that the peer's gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.fixture
def tcp(tls, version):
    """Over TCP, where there are resets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connecting = socket.create_connection(listener.getsockname())
        accepting = listener.accept()[0]
    sockets = accepting, connecting
    for one in sockets:
        one.settimeout(30)
    server, client = tls.shake(*tls.connections(*tls.contexts(version), sockets))
    yield server, client
    server.close()
    client.close()


@pytest.fixture
def narrow(tls, version):
    """Non-blocking sockets with little room."""
    sockets = socket.socketpair()
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        one.settimeout(30)
    server, client = tls.shake(*tls.connections(*tls.contexts(version), sockets))
    # What comes after the handshake (tickets) is out of the way.
    server.send(b"!")
    assert client.recv(1) == b"!"
    for one in sockets:
        one.setblocking(False)
    yield server, client
    server.close()
    client.close()


class TestBlocking:
    def test_bytes_go_both_ways(self, pair, tls):
        server, client = pair
        sent = tls.together(
            lambda: server.sendall(BIG),
            lambda: client.sendall(BIG[::-1]),
            lambda: tls.receive(server, len(BIG)),
            lambda: tls.receive(client, len(BIG)),
        )
        assert sent == [len(BIG), len(BIG), BIG[::-1], BIG]

    def test_one_thread_waits_in_recv_while_another_sends(self, pair, tls):
        server, client = pair
        waiting = threading.Event()

        def wait():
            waiting.set()
            return client.recv(5)

        def send():
            waiting.wait(30)
            client.sendall(BIG)
            server.sendall(b"hello")

        got, _, at_server = tls.together(wait, send, lambda: tls.receive(server, len(BIG)))
        assert got == b"hello"
        assert at_server == BIG

    def test_recv_gives_what_is_there_and_keeps_the_rest(self, pair):
        server, client = pair
        server.sendall(b"0123456789")
        assert client.recv(3) == b"012"
        assert client.pending() == 7
        assert client.recv(100) == b"3456789"
        assert client.pending() == 0
        assert client.recv(0) == b""

    def test_peeking_takes_nothing(self, pair):
        server, client = pair
        server.sendall(b"peep")
        assert client.recv(2, socket.MSG_PEEK) == b"pe"
        assert client.recv(10, socket.MSG_PEEK) == b"peep"
        assert client.recv(10) == b"peep"

    def test_recv_into_fills_buffers_of_every_kind(self, pair):
        server, client = pair
        server.sendall(b"abcdefgh")
        buffer = bytearray(b"........")
        assert client.recv_into(buffer, 2) == 2
        assert buffer == b"ab......"
        assert client.recv_into(memoryview(buffer)[2:4]) == 2
        assert client.recv_into(buffer, 1, socket.MSG_PEEK) == 1
        assert buffer == b"ebcd...."
        assert client.recv_into(buffer) == 4
        assert buffer == b"efgh...."
        assert client.recv_into(bytearray()) == 0

    def test_read_and_write_are_recv_and_send(self, pair):
        server, client = pair
        assert client.write(b"x") == 1
        assert server.read(1) == b"x"

    def test_clean_end_both_ways(self, pair):
        server, client = pair
        client.sendall(b"last")
        assert client.shutdown() is False
        assert server.recv(10) == b"last"
        with pytest.raises(ZeroReturnError):
            server.recv(10)
        assert server.ended is Ending.CLEAN
        server.sendall(b"still here")
        assert client.recv(100) == b"still here"
        assert server.shutdown() is True
        assert client.shutdown() is True
        with pytest.raises(ZeroReturnError):
            client.recv(10)
        with pytest.raises(Error, match="shutdown"):
            client.send(b"too late")

    def test_shutdown_keeps_what_comes_before_the_peers(self, pair):
        server, client = pair
        server.sendall(b"unread")
        assert client.shutdown() is False
        assert server.shutdown() is False or server.ended is Ending.CLEAN
        assert client.shutdown() is True
        assert client.pending() == 6
        assert client.recv(100) == b"unread"
        with pytest.raises(ZeroReturnError):
            client.recv(100)

    def test_shutdown_in_the_midst_of_a_renegotiation(self, tls):
        """The peer has said goodbye: ours cannot be sent any more, and nobody waits for it."""
        server, client = tls.over_sockets(ProtocolVersion.TLS1_2)
        client.renegotiate()
        assert server.shutdown() is False
        assert client.shutdown() is True
        assert client.ended is Ending.CLEAN
        with pytest.raises(ZeroReturnError):
            client.recv(1)

    def test_end_without_close_notify_is_truncation(self, pair):
        server, client = pair
        server.sendall(b"cut ")
        server.close()
        assert client.recv(100) == b"cut "
        for _ in range(2):
            with pytest.raises(TruncatedError) as caught:
                client.recv(100)
        assert caught.value.args == (-1, "Unexpected EOF")
        assert client.ended is Ending.TRUNCATED

    def test_reset_is_aborted(self, tcp):
        server, client = tcp
        reset(server)
        with pytest.raises(AbortedError) as caught:
            client.recv(100)
        assert caught.value.errno == errno.ECONNRESET
        assert client.ended is Ending.ABORTED

    def test_sending_into_a_reset_socket_is_aborted_every_time(self, tcp):
        server, client = tcp
        reset(server)
        for _ in range(3):
            with pytest.raises(AbortedError):
                for _ in range(100):
                    client.sendall(b"x" * 16384)

    def test_an_alert_is_still_heard_when_sending_failed(self, tls):
        context, other = tls.contexts(ProtocolVersion.TLS1_3)
        context.set_verify(3)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            connecting = socket.create_connection(listener.getsockname())
            accepting = listener.accept()[0]
        server, client = tls.connections(context, other, (accepting, connecting))
        results = tls.together(server.do_handshake, client.do_handshake)
        assert "peer did not return a certificate" in str(results[0])
        assert results[1] is None
        # To a socket with unread data, closing is a reset.
        server.close()
        with pytest.raises(Error) as caught:
            while True:
                client.send(b"x" * 16384)
                client.recv(1)
        assert caught.value.alert == 116 or isinstance(caught.value, AbortedError)
        client.close()

    def test_timeouts_hold(self, pair):
        server, client = pair
        client.settimeout(0.01)
        with pytest.raises(TimedOutError) as caught:
            client.recv(1)
        assert caught.value.errno == errno.ETIMEDOUT
        with pytest.raises(TimedOutError):
            client.sendall(b"x" * 10_000_000)
        server.sendall(b"hello")
        assert client.recv(5) == b"hello"

    def test_the_handshake_times_out(self, tls):
        ours, mute = socket.socketpair()
        with ours, mute:
            ours.settimeout(0.01)
            _, client = tls.connections(*tls.contexts(), (None, ours))
            with pytest.raises(TimedOutError):
                client.do_handshake()

    def test_sendall_that_timed_out_goes_on_where_it_stopped(self, pair, tls):
        server, client = pair
        client.settimeout(0.05)
        with pytest.raises(TimedOutError):
            client.sendall(BIG * 4)
        client.settimeout(30)
        got, _ = tls.together(lambda: tls.receive(server, 4 * len(BIG)), lambda: client.sendall(BIG * 4))
        assert got == BIG * 4

    @pytest.mark.parametrize("operation", ["recv", "do_handshake"])
    def test_a_signal_is_heard_while_waiting(self, tls, operation):
        class Heard(Exception):
            pass

        def hear(*_):
            raise Heard

        if operation == "recv":
            server, client = tls.over_sockets(timeout=None)
        else:
            server, client = tls.connections(*tls.contexts(), socket.socketpair())
        before = signal.signal(signal.SIGALRM, hear)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
            with pytest.raises(Heard):
                client.recv(1) if operation == "recv" else client.do_handshake()
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, before)
        if operation == "do_handshake":
            tls.shake(server, client)
        server.sendall(b"after")
        assert client.recv(5) == b"after"

    def test_sockets_closed_under_it(self, pair):
        _server, client = pair
        client._socket.close()
        for call in (lambda: client.recv(1), lambda: client.send(b"x"), client.shutdown):
            with pytest.raises(SysCallError) as caught:
                call()
            assert caught.value.errno == errno.EBADF

    def test_a_number_that_became_anothers_is_left_alone(self, pair):
        _server, client = pair
        number = client.fileno()
        others = socket.socketpair()
        client._socket.close()
        moved = os.dup2(others[0].fileno(), number)
        try:
            with pytest.raises(SysCallError):
                client.send(b"x")
            others[1].setblocking(False)
            with pytest.raises(BlockingIOError):
                others[1].recv(1)
        finally:
            os.close(moved)
            for one in others:
                one.close()


class TestNonBlocking:
    def test_a_connect_that_is_on_its_way_is_a_clients(self):
        """Whoever waits for it then goes on with the handshake."""
        with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as sock:
            sock.setblocking(False)
            client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), sock)
            with pytest.raises(BlockingIOError):
                client.connect(listening.getsockname())
            select.select([], [sock], [], 30)
            with pytest.raises(WantReadError):
                client.do_handshake()

    def test_recv_without_data_wants_to_read(self, narrow):
        _server, client = narrow
        with pytest.raises(WantReadError):
            client.recv(1)
        assert client.want_read()
        assert not client.want_write()

    def test_send_without_room_wants_to_write_and_repeats_nothing(self, narrow):
        server, client = narrow
        sent, received, full = 0, b"", 0
        while sent < len(BIG):
            try:
                sent += client.send(BIG[sent : sent + 30_000])
            except WantWriteError:
                full += 1
                assert client.want_write()
                with pytest.raises(WantReadError):
                    while True:
                        received += server.recv(50_000)
        assert full
        with pytest.raises(WantReadError):
            while True:
                received += server.recv(50_000)
        assert received == BIG

    def test_recv_waits_for_data_also_while_a_send_waits_for_room(self, narrow):
        """The room may come only when the peer, who waits for his own, has been read."""
        server, client = narrow
        with pytest.raises(WantWriteError):
            while True:
                client.send(b"c" * 16384)
        with pytest.raises(WantReadError):
            client.recv(1)
        server.send(b"!")
        assert client.recv(1) == b"!"

    @pytest.mark.parametrize("kind", [bytes, bytearray, "same"])
    def test_sendall_goes_on_where_it_stopped(self, narrow, kind):
        server, client = narrow
        same = BIG
        received, done, stops = b"", None, 0
        while done is None:
            try:
                done = client.sendall(same if kind == "same" else kind(BIG))
            except WantWriteError:
                stops += 1
            with pytest.raises(WantReadError):
                while True:
                    received += server.recv(65536)
        assert stops > 2
        assert done == len(BIG)
        assert received == BIG

    def test_less_of_the_same_data_may_be_sent_after_a_refusal(self, narrow):
        server, client = narrow
        sent = received = 0
        with pytest.raises(WantWriteError):
            while True:
                sent += client.send(b"a" * 10_000)
        pieces = 0
        while pieces < 10:
            try:
                pieces += client.send(b"a" * 1000) == 1000
            except WantWriteError:
                with contextlib.suppress(WantReadError):
                    received += len(server.recv(65536))
        with pytest.raises(WantReadError):
            while True:
                received += len(server.recv(65536))
        assert received == sent + 10_000

    @pytest.mark.parametrize("way", ["send", "sendall"])
    def test_other_data_after_a_refusal_is_not_lost(self, narrow, way):
        """What was begun goes first; nothing of what comes then is taken for it."""
        server, client = narrow
        sent = 0
        with pytest.raises(WantWriteError):
            while True:
                sent += client.send(b"a" * 10_000)
        received = b""
        with pytest.raises(WantReadError):
            while True:
                received += server.recv(65536)
        assert getattr(client, way)(b"important") == 9
        with pytest.raises(WantReadError):
            while True:
                received += server.recv(65536)
        assert received == b"a" * (sent + 10_000) + b"important"

    def test_shutdown_waits_for_room(self, narrow):
        server, client = narrow
        with pytest.raises(WantWriteError):
            while True:
                client.send(b"b" * 16384)
        with pytest.raises(WantWriteError):
            client.shutdown()
        said = None
        with pytest.raises(ZeroReturnError):
            while True:
                try:
                    server.recv(65536)
                except WantReadError:
                    try:
                        said = client.shutdown()
                    except WantWriteError:
                        pass
        assert said is False

    def test_the_handshake_in_steps(self, tls, version):
        sockets = socket.socketpair()
        for one in sockets:
            one.setblocking(False)
        both = tls.connections(*tls.contexts(version), sockets)
        with pytest.raises(WantReadError):
            both[0].do_handshake()
        for turn in range(20):
            try:
                both[1 - turn % 2].do_handshake()
            except WantReadError:
                continue
            if all(one.handshake_done for one in both):
                break
        assert all(one.handshake_done for one in both)
        for one in sockets:
            one.close()

    def test_a_flight_larger_than_the_kernel_takes(self, tls, version):
        server_context, client_context = tls.contexts(version)
        huge = tls.pki.huge_chain
        server_context.use_certificate_chain([huge.certificate, *huge.chain])
        server_context.use_privatekey(huge.key)
        sockets = socket.socketpair()
        for one in sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            one.setblocking(False)
        both = tls.connections(server_context, client_context, sockets)
        wants = set()
        for turn in range(400):
            try:
                both[turn % 2].do_handshake()
            except (WantReadError, WantWriteError) as want:
                wants.add(type(want))
        assert all(one.handshake_done for one in both)
        assert wants == {WantReadError, WantWriteError}


class TestNothingToRead:
    """In memory, what libssl would not find is not asked of it."""

    def test_recv_waits_for_ciphertext(self, tls, version):
        server, client = tls.pair(version)
        server.send(b"ticket and all")
        client.bio_write(server.bio_read(65536))
        assert client.recv(100) == b"ticket and all"
        for _ in range(3):
            with pytest.raises(WantReadError):
                client.recv(100)
            assert client.want_read()
        assert client.pending() == 0
        assert client.send(b"x") == 1
        assert not client.want_read()
        server.send(b"later")
        whole = server.bio_read(65536)
        client.bio_write(whole[:7])
        with pytest.raises(WantReadError):
            client.recv(100)
        client.bio_write(whole[7:])
        assert client.recv(2) == b"la"
        assert client.recv(100) == b"ter"

    def test_the_end_is_heard_all_the_same(self, tls, version):
        server, client = tls.pair(version)
        with pytest.raises(WantReadError):
            client.recv(100)
        with pytest.raises(WantReadError):
            client.recv(100)
        client.bio_shutdown()
        with pytest.raises(TruncatedError):
            client.recv(100)
        server.shutdown()
        other = tls.pair(version)[1]
        with pytest.raises(WantReadError):
            other.recv(100)

    def test_sizes_of_any_kind(self, tls, version):
        server, client = tls.pair(version)
        server.send(b"abc")
        client.bio_write(bytearray(server.bio_read(2**40)))
        assert client.recv(2**40) == b"abc"
        assert client.send(memoryview(b"abc")) == 3
        with pytest.raises(ValueError, match="size"):
            client.bio_read(0)
        with pytest.raises(TypeError, match="size"):
            client.bio_read("1")
        assert client.recv(0) == b""
