"""Renegotiation on a socket: with one thread, or with two of which either may read what the other needs."""

from __future__ import annotations

import select
import threading
import time

import pytest

from openssl_iface import SSL
from openssl_iface.errors import TimedOutError
from openssl_iface.testing.pki import PKI
from openssl_iface.testing.wires import socket_pair

ROUNDS = 20


@pytest.fixture(scope="module")
def contexts():
    pki = PKI()
    client, server = (SSL.Context(SSL.TLS_METHOD) for _ in range(2))
    server.use_certificate_chain([pki.good.certificate, *pki.good.chain])
    server.use_privatekey(pki.good.key)
    for context in (client, server):
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
    # OpenSSL 1.1.1 needs no leave for it.
    server.set_options(getattr(SSL, "OP_ALLOW_CLIENT_RENEGOTIATION", 0))
    return client, server


@pytest.fixture(params=["client", "server"])
def here(request, contexts):
    """A connection in that role, whose peer is a thread that sends back what it gets."""
    socks = socket_pair()
    client, server = (SSL.Connection(context, sock) for context, sock in zip(contexts, socks, strict=True))
    client.set_connect_state()
    server.set_accept_state()
    for sock in socks:
        sock.settimeout(30)
    here, there = (client, server) if request.param == "client" else (server, client)

    def echo() -> None:
        try:
            there.do_handshake()
            while True:
                there.sendall(there.recv(1000))
        except SSL.ZeroReturnError:
            there.shutdown()

    thread = threading.Thread(target=echo)
    thread.start()
    here.do_handshake()
    yield here
    here.shutdown()
    thread.join()
    for sock in socks:
        sock.close()


def test_a_renegotiation_ends_without_application_data(here):
    for _ in range(ROUNDS):
        here.renegotiate()
        here.do_handshake()
        here.sendall(b"hello")
        assert here.recv(5) == b"hello"


def test_a_renegotiation_without_waiting_asks_for_nothing_that_does_not_come(here):
    here.setblocking(False)
    for _ in range(ROUNDS):
        here.renegotiate()
        while True:
            try:
                here.do_handshake()
                break
            except SSL.WantReadError:
                readable, _, _ = select.select([here], [], [], 10)
                assert readable, "the handshake waits for something that nobody sends"
    here.settimeout(30)
    here.sendall(b"hello")
    assert here.recv(5) == b"hello"


def test_one_thread_receives_while_another_renegotiates(here):
    received = bytearray()

    def receive() -> None:
        while len(received) < 5 * ROUNDS:
            received.extend(here.recv(1000))

    thread = threading.Thread(target=receive)
    thread.start()
    for _ in range(ROUNDS):
        here.renegotiate()
        here.do_handshake()
        here.sendall(b"hello")
    thread.join()
    assert received == b"hello" * ROUNDS


def test_who_watches_and_gives_up_leaves_it_to_the_next(here):
    """Another thread that waits for the same takes over, and hears what comes later."""
    received = []

    def receive() -> None:
        try:
            received.append(here.recv(100))
        except SSL.Error as error:
            received.append(type(error))

    here._socket.settimeout(0.5)
    first = threading.Thread(target=receive)
    first.start()
    while first.is_alive() and not here._conn.watched:
        time.sleep(0.001)
    here._socket.settimeout(30)
    second = threading.Thread(target=receive)
    second.start()
    first.join()
    here.sendall(b"later")
    second.join()
    assert received == [TimedOutError, b"later"]
