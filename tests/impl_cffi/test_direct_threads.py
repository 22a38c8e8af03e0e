"""Two threads on one blocking connection, of which either may read what the other waits for."""

from __future__ import annotations

import threading

import pytest

from openssl_iface import SSL
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
    return client, server


@pytest.fixture
def pair(contexts):
    """A client, whose thread sends back what it gets, and a server."""
    socks = socket_pair()
    client, server = (SSL.Connection(context, sock) for context, sock in zip(contexts, socks, strict=True))
    client.set_connect_state()
    server.set_accept_state()
    for sock in socks:
        sock.settimeout(30)

    def echo() -> None:
        try:
            client.do_handshake()
            while True:
                client.sendall(client.recv(1000))
        except SSL.ZeroReturnError:
            client.shutdown()

    thread = threading.Thread(target=echo)
    thread.start()
    server.do_handshake()
    yield client, server
    server.shutdown()
    thread.join()
    for sock in socks:
        sock.close()


def test_a_renegotiation_ends_without_application_data(pair):
    _, server = pair
    for _ in range(ROUNDS):
        server.renegotiate()
        server.do_handshake()
        server.sendall(b"hello")
        assert server.recv(5) == b"hello"


def test_one_thread_receives_while_another_renegotiates(pair):
    _, server = pair
    received = bytearray()

    def receive() -> None:
        while len(received) < 5 * ROUNDS:
            received.extend(server.recv(1000))

    thread = threading.Thread(target=receive)
    thread.start()
    for _ in range(ROUNDS):
        server.renegotiate()
        server.do_handshake()
        server.sendall(b"hello")
    thread.join()
    assert received == b"hello" * ROUNDS
