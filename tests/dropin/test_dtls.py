"""DTLS 1.2 as programs for pyOpenSSL do it: cookies, timers, sizes."""

from __future__ import annotations

import hmac

import pytest

from openssl_iface.dropin import SSL, crypto
from openssl_iface.testing.pki import PKI

LARGE = 65536


def read(end: SSL.Connection) -> bytes:
    try:
        return end.bio_read(LARGE)
    except SSL.WantReadError:
        return b""


@pytest.fixture
def ends(pki: PKI) -> tuple[SSL.Connection, SSL.Connection]:
    server_context, client_context = SSL.Context(SSL.DTLS_METHOD), SSL.Context(SSL.DTLS_METHOD)
    server_context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem))
    server_context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem))
    secret = b"for cookies"

    def make(_connection: SSL.Connection) -> bytes:
        return hmac.digest(secret, b"the peer's address", "sha256")

    server_context.set_cookie_generate_callback(make)
    server_context.set_cookie_verify_callback(
        lambda connection, cookie: hmac.compare_digest(cookie, make(connection))
    )
    made = []
    for context, choose in (
        (server_context, SSL.Connection.set_accept_state),
        (client_context, SSL.Connection.set_connect_state),
    ):
        context.set_options(SSL.OP_NO_QUERY_MTU)
        connection = SSL.Connection(context)
        choose(connection)
        connection.set_ciphertext_mtu(1200)
        made.append(connection)
    return made[0], made[1]


def shake(ends: tuple[SSL.Connection, SSL.Connection]) -> None:
    """For contexts without cookies."""
    for _ in range(6):
        for one, other in (ends[::-1], ends):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            if data := read(one):
                other.bio_write(data)


def test_a_datagram_that_is_too_large_is_refused_and_others_go_on(
    ends: tuple[SSL.Connection, SSL.Connection],
) -> None:
    shake(ends)
    server, client = ends
    with pytest.raises(SSL.Error, match="dtls message too big"):
        client.send(b"z" * 20_000)
    assert client.send(b"two") == 3
    server.bio_write(read(client))
    assert server.recv(LARGE) == b"two"


def test_cookies_timers_and_data(ends: tuple[SSL.Connection, SSL.Connection]) -> None:
    server, client = ends
    assert client.DTLSv1_get_timeout() is None
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    assert 0 <= client.DTLSv1_get_timeout() <= 1
    assert client.DTLSv1_handle_timeout() is False  # it is not due
    server.bio_write(read(client))
    with pytest.raises(SSL.WantReadError):
        server.DTLSv1_listen()  # a cookie goes out
    client.bio_write(read(server))
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    server.bio_write(read(client))
    server.DTLSv1_listen()  # and has come back
    for _ in range(6):
        for one, other in ((server, client), (client, server)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            data = read(one)
            if data:
                other.bio_write(data)
    assert client.get_protocol_version_name() == "DTLSv1.2"
    assert 1000 < client.get_cleartext_mtu() < 1200
    client.send(b"hello")
    server.bio_write(read(client))
    assert server.recv(LARGE) == b"hello"


def test_sizes_and_timers_of_what_has_none(ends: tuple[SSL.Connection, SSL.Connection]) -> None:
    assert ends[0].get_cleartext_mtu() == 0  # the handshake has not begun
    stream = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
    assert stream.DTLSv1_get_timeout() is None
    assert stream.DTLSv1_handle_timeout() is False
    stream.set_ciphertext_mtu(1200)
    assert stream.get_cleartext_mtu() == 0


def test_a_cookie_that_is_too_long_is_an_error(pki: PKI) -> None:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_cookie_generate_callback(lambda _: bytes(256))
    context.set_cookie_verify_callback(lambda *_: True)
    server, client = SSL.Connection(context), SSL.Connection(SSL.Context(SSL.DTLS_METHOD))
    server.set_accept_state()
    client.set_connect_state()
    client.set_ciphertext_mtu(1200)
    server.set_ciphertext_mtu(1200)
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    server.bio_write(read(client))
    with pytest.raises(ValueError, match="Cookie too long"):
        server.DTLSv1_listen()
