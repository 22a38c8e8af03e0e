"""The thread's queue of errors: nothing is left in it, and what others left does no harm."""

from __future__ import annotations

import gc
import socket

import pytest

from openssl_iface.errors import Error, WantReadError
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.impl_cffi.session import Session


def stale():
    lib.oi_missing(b"something stale", b"nobody")


class Litter:
    """Leaves an error when it is destroyed, and reads all of the queue."""

    def __del__(self):
        stale()


@pytest.fixture(autouse=True)
def _swept():
    yield
    lib.ERR_clear_error()


def test_a_conversation_among_stale_errors(tls, version):
    both = tls.connections(*tls.contexts(version))
    for _ in range(4):
        for one in both:
            stale()
            data = one.event_proceed()
            stale()
            other = both[one is both[0]]
            while output := one.event_output():
                stale()
                other.event_feed(output)
    assert all(one.handshake_done for one in both)
    for one, other in (both, both[::-1]):
        stale()
        one.event_write(b"hello")
        data = b""
        while output := one.event_output():
            stale()
            data += other.event_feed(output)
        assert data == b"hello"


def test_blocking_sockets_among_stale_errors(tls, version):
    server, client = tls.over_sockets(version)
    stale()
    client.sendall(b"hello")
    stale()
    assert server.recv(5) == b"hello"
    client.setblocking(False)
    stale()
    with pytest.raises(WantReadError):
        client.recv(1)
    stale()
    assert client.shutdown() is False


def test_destructors_in_between(tls, version):
    server, client = tls.contexts(version)

    def litter(connection, *_):
        cycle = [Litter()]
        cycle.append(cycle)
        del cycle
        gc.collect()

    server.set_tlsext_servername_callback(litter)
    server.set_info_callback(litter)
    client.set_verify(1, lambda c, x, code, depth, ok: litter(c) or ok)
    both = tls.connections(server, client)
    tls.exchange(*both, sound=True)
    assert both[0].handshake_done


def test_callbacks_that_leave_errors(tls, version):
    server, client = tls.contexts(version)
    server.set_alpn_select_callback(lambda c, offered: stale() or offered[0])
    client.set_alpn_protos([b"x"])
    server.set_session_callback(lambda *_: stale())
    both = tls.connections(server, client)
    tls.exchange(*both, sound=True)
    assert both[1].get_alpn_proto_negotiated() == b"x"


FAILING = {
    "ciphers": lambda c, k: c.set_cipher_list("nonsense"),
    "suites": lambda c, k: c.set_tls13_ciphersuites("nonsense"),
    "groups": lambda c, k: c.set_groups("nonsense"),
    "curve": lambda c, k: c.set_tmp_ecdh("nonsense"),
    "algorithms": lambda c, k: c.set_sigalgs("nonsense"),
    "version": lambda c, k: c.set_min_proto_version(0x1234),
    "dh": lambda c, k: c.load_tmp_dh(__file__),
    "trust": lambda c, k: c.load_verify_locations(__file__),
    "authorities": lambda c, k: c.load_client_ca(__file__),
    "certificate": lambda c, k: c.use_certificate_file(__file__),
    "key": lambda c, k: c.use_privatekey_file(__file__),
    "chain": lambda c, k: c.use_certificate_chain_file(__file__),
    "session": lambda c, k: Session.from_bytes(b"nonsense"),
    "export": lambda c, k: k.export_keying_material(b"label", 10),
    "shutdown": lambda c, k: k.shutdown(),
    "handshake": lambda c, k: (k.bio_write(b"HTTP/1.0 400 Bad request\r\n\r\n"), k.do_handshake()),
    "renegotiate": lambda c, k: k.renegotiate(),
    "key_update": lambda c, k: k.key_update(),
    "post": lambda c, k: k.verify_client_post_handshake(),
    "address": lambda c, k: k.set_verify_host("fe80::1%eth0"),
    "check": lambda c, k: (_ for _ in ()).throw(Error()) if not c.check_privatekey() else None,
}


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("before", [False, True])
def test_nothing_is_left_after_a_failure_and_nothing_stale_is_told(tls, name, before):
    context = tls.client_context()
    connection = Connection(context)
    connection.set_connect_state()
    if before:
        stale()
    with pytest.raises((Error, ValueError, WantReadError)) as caught:
        FAILING[name](context, connection)
    assert "stale" not in str(caught.value)
    if not before:
        assert lib.ERR_peek_error() == 0


def test_questions_leave_nothing(tls, version):
    for one in (*tls.pair(version), *tls.connections(*tls.contexts(version))):
        for name in dir(one):
            if name.startswith("get_") or name in {"client_random", "server_random", "master_key", "pending"}:
                try:
                    getattr(one, name)()
                except (Error, AttributeError):
                    pass
                assert lib.ERR_peek_error() == 0, name


def test_two_connections_do_not_hear_of_each_others_errors(tls, version):
    good, bad = tls.over_sockets(version), tls.connections(*tls.contexts(version), socket.socketpair())
    bad[0]._socket.settimeout(30)
    bad[1]._socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with pytest.raises(Error, match="http request"):
        bad[0].do_handshake()
    good[0].sendall(b"fine")
    assert good[1].recv(4) == b"fine"
