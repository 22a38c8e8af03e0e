from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from openssl_iface.errors import Error, SysCallError, TimedOutError, TruncatedError, WantReadError
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.values import ProtocolVersion

LINE = b"0123456789abcdef" * 64  # 1 KiB


class TestOneConnection:
    def test_several_senders_and_receivers(self, pair, tls):
        """Each send is whole in one piece of the stream, and everything is received by somebody."""
        server, client = pair
        count, got, lock = 50, [], threading.Lock()
        total = 4 * count * len(LINE)

        def send(letter):
            for _ in range(count):
                client.sendall(letter * len(LINE))

        def receive():
            while True:
                with lock:
                    if sum(map(len, got)) >= total:
                        return True
                try:
                    data = server.recv(len(LINE))
                except (TimedOutError, TruncatedError):
                    continue
                with lock:
                    got.append(data)

        server.settimeout(0.2)
        results = tls.together(
            *(lambda letter=letter: send(letter) for letter in (b"a", b"b", b"c", b"d")), receive, receive
        )
        assert results[4:] == [True, True], results
        assert sorted(b"".join(got)) == sorted(b"abcd" * count * len(LINE))
        assert all(len(set(piece)) == 1 for piece in got)

    def test_questions_while_others_work(self, pair, tls):
        server, client = pair
        stop = threading.Event()

        def ask():
            while not stop.is_set():
                client.get_cipher_info()
                client.get_peer_certificate().get_subject()
                client.get_verified_chain()
                client.pending()
                client.want_read()
                assert client.get_session() is not None
                client.export_keying_material(b"EXPORTER-test", 16)
                repr(client)
            return True

        def work():
            try:
                for _ in range(200):
                    client.sendall(LINE)
                    tls.receive(client, len(LINE))
            finally:
                stop.set()
            return True

        def echo():
            for _ in range(200):
                server.sendall(tls.receive(server, len(LINE)))
            return True

        assert tls.together(ask, ask, work, echo) == [True] * 4

    def two_who_wait(self, client, tls, then):
        """What two get who wait for a byte each, when *then* has happened."""
        ready = threading.Barrier(3, timeout=20)

        def wait():
            ready.wait()
            return client.recv(1)

        def happen():
            ready.wait()
            then()

        return tls.together(wait, wait, happen)[:2]

    def test_two_who_wait_are_both_woken(self, pair, tls):
        server, client = pair

        def send():
            server.sendall(b"1")
            server.sendall(b"2")

        assert sorted(self.two_who_wait(client, tls, send)) == [b"1", b"2"]

    def test_two_who_wait_are_both_late(self, pair, tls):
        server, client = pair
        client.settimeout(0.05)
        results = tls.together(lambda: client.recv(1), lambda: client.recv(1))
        assert [type(each) for each in results] == [TimedOutError, TimedOutError]
        server.sendall(b"x")
        assert client.recv(1) == b"x"

    def test_two_who_wait_both_hear_of_the_end(self, pair, tls):
        server, client = pair
        results = self.two_who_wait(client, tls, lambda: server.sock_shutdown(socket.SHUT_RDWR))
        assert all(isinstance(each, SysCallError) for each in results), results

    def test_two_who_shake_hands_on_one(self, tls, version):
        server, client = tls.connections(*tls.contexts(version), socket.socketpair())
        results = tls.together(
            server.do_handshake, client.do_handshake, client.do_handshake, server.do_handshake
        )
        assert results == [None] * 4
        client.sendall(b"x")
        assert server.recv(1) == b"x"

    def test_the_event_loop_face_from_two_threads(self, tls, version):
        server, client = tls.pair(version)

        def write(letter):
            for _ in range(200):
                server.event_write(letter * 100)

        received, done = bytearray(), threading.Event()

        def carry():
            while not (done.is_set() and not server.wants & 2):
                output = server.event_output()
                if output:
                    received.extend(client.event_feed(output))

        def both():
            try:
                tls.together(lambda: write(b"a"), lambda: write(b"b"))
            finally:
                done.set()

        assert tls.together(carry, both) == [None, None]
        assert sorted(received) == sorted(b"ab" * 20_000)


class TestManyConnections:
    def test_handshakes_at_once(self, tls, version):
        server, client = tls.contexts(version)
        client.set_verify(1, lambda c, x, code, depth, ok: ok)
        server.set_tlsext_servername_callback(lambda c: c.get_servername())

        def work():
            for _ in range(25):
                both = tls.connections(server, client)
                tls.exchange(*both, sound=True)
                both[1].event_write(LINE)
                assert tls.exchange(*both, sound=True)[0].data == LINE
            return True

        assert tls.together(*[work] * 4) == [True] * 4

    def test_failures_and_successes_at_once(self, tls, version):
        contexts = tls.contexts(version)

        def work(host):
            kinds = set()
            for _ in range(25):
                kinds.add(type(tls.exchange(*tls.connections(*contexts, host=host))[1].error).__name__)
            return kinds

        hosts = ["localhost", "elsewhere.test"] * 2
        results = tls.together(*(lambda host=host: work(host) for host in hosts))
        assert results == [{"NoneType"}, {"CertificateVerificationError"}] * 2

    def test_made_and_dropped_at_once(self, tls):
        context = tls.client_context()

        def work():
            for _ in range(300):
                connection = Connection(context)
                connection.set_connect_state()
                connection.event_proceed()
            return True

        assert tls.together(*[work] * 4) == [True] * 4


def test_one_thread_fails_and_the_other_hears_of_it(tls):
    """A receiver finds the record damaged; who sends afterwards is told the same."""
    server, client = tls.over_sockets(ProtocolVersion.TLS1_3)
    server._socket.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(Error) as first:
        client.recv(1)
    with pytest.raises(Error) as second:
        client.send(b"x")
    assert str(first.value) == str(second.value)


def test_one_thread_fails_while_the_other_waits_to_send(tls):
    """The peer takes nothing and stays: of the failure the socket says nothing to who waits for room."""
    server, client = tls.over_sockets(ProtocolVersion.TLS1_3)

    def receive():
        while not client.want_write():
            time.sleep(0.001)
        server._socket.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        return client.recv(1)

    sending, receiving = tls.together(lambda: client.sendall(bytes(1 << 26)), receive)
    assert type(sending) is type(receiving) is Error
    assert str(sending) == str(receiving)


def test_the_lock_is_free_whatever_has_been_raised(tls, version):
    """Another thread is not locked out: neither after a failure nor after what is refused because of one."""
    server, client = tls.pair(version)

    def free():
        (pending,) = tls.together(client.pending)
        assert pending == 0

    server.event_write(LINE)
    spoilt = bytearray(server.event_output())
    spoilt[-1] ^= 1
    free()
    for call in (
        lambda: client.event_feed(spoilt),
        lambda: client.event_feed(b"more"),
        client.event_proceed,
        client.event_read,
        lambda: client.event_write(LINE),
        client.event_output,
        client.event_flush,
        client.event_close,
        lambda: client.event_write(LINE),
        lambda: client.recv(1),
        lambda: client.send(LINE),
    ):
        try:
            call()
        except Error:
            pass
        free()
    with pytest.raises(Error):
        client.event_proceed()


def test_the_lock_is_free_whatever_has_not_come(tls, version):
    """In memory nothing waits: who finds nothing leaves the connection to other threads."""
    server, client = tls.pair(version)
    for call in (
        lambda: client.recv(1),
        lambda: client.recv(1),  # libssl need not be asked a second time
        lambda: client.recv(1, socket.MSG_PEEK),
        lambda: client.recv_into(bytearray(1)),
        lambda: client.bio_read(1),
    ):
        with pytest.raises(WantReadError):
            call()
        (sent,) = tls.together(lambda: client.send(LINE))
        assert sent == len(LINE)
        server.bio_write(client.bio_read(65536))
        assert server.recv(65536) == LINE


def test_events_wait_for_the_lock(tls, version):
    """Also those that need no other call to take it."""
    server, client = tls.pair(version)
    client.event_write(LINE)
    data, got = client.event_output(), []
    thread = threading.Thread(target=lambda: got.append(server.event_feed(data)))
    with server._lock:
        thread.start()
        thread.join(0.1)
        assert not got
    thread.join(30)
    assert got == [LINE]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("taken", [False, True])
def test_a_lock_is_free_in_the_child_whoever_had_it(tls, version, forked, taken):
    server, client = tls.pair(version)
    client.event_write(LINE)
    data = client.event_output()
    held, done = threading.Event(), threading.Event()

    def hold():
        with server._lock:
            held.set()
            done.wait(30)

    def in_child():
        assert server.event_feed(data) == LINE
        with server._lock:
            assert not server.queued
        other = threading.Thread(target=server.event_write, args=(LINE,))
        other.start()
        other.join()
        assert server.queued > len(LINE)

    thread = threading.Thread(target=hold)
    if taken:
        thread.start()
        held.wait(30)
    child = forked(in_child)
    done.set()
    if taken:
        thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert server.event_feed(data) == LINE
