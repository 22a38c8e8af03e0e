"""DTLS over memory: handshake, lost flights, cookies, sizes, keys for SRTP."""

from __future__ import annotations

import hmac
import time

import pytest

from openssl_iface import SSL
from openssl_iface.testing.pki import PKI

GOOD = PKI("localhost").good


def contexts() -> tuple[SSL.Context, SSL.Context]:
    server = SSL.Context(SSL.DTLS_METHOD)
    server.use_certificate(GOOD.certificate)
    server.use_privatekey(GOOD.key)
    return server, SSL.Context(SSL.DTLS_METHOD)


def pair(server: SSL.Context, client: SSL.Context) -> tuple[SSL.Connection, SSL.Connection]:
    ends = SSL.Connection(server, None), SSL.Connection(client, None)
    ends[0].set_accept_state()
    ends[1].set_connect_state()
    for end in ends:
        end.set_ciphertext_mtu(1400)
    return ends


def step(end: SSL.Connection) -> bool:
    """Whether *end* has completed its handshake."""
    try:
        end.do_handshake()
    except SSL.WantReadError:
        return False
    return True


def datagrams(end: SSL.Connection) -> bytes:
    try:
        return end.bio_read(65536)
    except SSL.WantReadError:
        return b""


def handshake(server: SSL.Connection, client: SSL.Connection) -> None:
    for _ in range(20):
        done = [step(client), step(server)]
        for source, target in ((client, server), (server, client)):
            if data := datagrams(source):
                target.bio_write(data)
        if all(done):
            return
    raise AssertionError("the handshake does not end")


def test_talks() -> None:
    server, client = pair(*contexts())
    handshake(server, client)
    assert client.get_protocol_version_name() == "DTLSv1.2"
    client.send(b"hello")
    server.bio_write(datagrams(client))
    assert server.recv(100) == b"hello"
    assert 1200 < client.get_cleartext_mtu() < 1400


def test_a_lost_flight_is_sent_again() -> None:
    server, client = pair(*contexts())
    assert client.DTLSv1_get_timeout() is None
    assert not step(client)
    lost = datagrams(client)
    left = client.DTLSv1_get_timeout()
    assert left is not None
    assert 0 < left <= 1
    assert client.DTLSv1_handle_timeout() is False, "not due yet"
    while left := client.DTLSv1_get_timeout():
        time.sleep(left)
    assert client.DTLSv1_handle_timeout() is True
    again = datagrams(client)
    assert again[13:] == lost[13:], "the same flight under a new record number"
    server.bio_write(again)
    handshake(server, client)


def test_cookies() -> None:
    server_context, client_context = contexts()
    seen = []

    def make(connection: SSL.Connection) -> bytes:
        return hmac.digest(b"secret", b"the client's address", "sha256")

    def check(connection: SSL.Connection, cookie: bytes) -> bool:
        seen.append(cookie)
        return hmac.compare_digest(cookie, make(connection))

    server_context.set_cookie_generate_callback(make)
    server_context.set_cookie_verify_callback(check)
    server, client = pair(server_context, client_context)
    step(client)
    server.bio_write(datagrams(client))
    with pytest.raises(SSL.WantReadError):
        server.DTLSv1_listen()
    client.bio_write(datagrams(server))
    step(client)
    server.bio_write(datagrams(client))
    server.DTLSv1_listen()
    assert len(seen) == 1
    handshake(server, client)


def test_who_makes_the_cookies_himself_only_says_that_they_are_good() -> None:
    server_context, client_context = contexts()
    maker, _ = contexts()
    maker.set_cookie_generate_callback(lambda connection: b"made elsewhere")
    maker.set_cookie_verify_callback(lambda connection, cookie: True)
    seen = []
    server_context.set_cookie_verify_callback(lambda connection, cookie: bool(seen.append(cookie)) or True)
    elsewhere, client = pair(maker, client_context)
    server, _ = pair(server_context, client_context)
    step(client)
    elsewhere.bio_write(datagrams(client))
    with pytest.raises(SSL.WantReadError):
        elsewhere.DTLSv1_listen()
    client.bio_write(datagrams(elsewhere))
    step(client)
    server.bio_write(datagrams(client))
    server.DTLSv1_listen()
    assert seen == [b"made elsewhere"]


@pytest.mark.parametrize("which", ["make", "check"])
def test_a_cookie_callback_that_raises_is_heard(which: str) -> None:
    """Each time, and no longer; the client has shown nothing then."""
    server_context, client_context = contexts()
    broken = [which]

    def make(connection: SSL.Connection) -> bytes:
        if "make" in broken:
            raise LookupError("no secret")
        return b"a cookie"

    def check(connection: SSL.Connection, cookie: bytes) -> bool:
        if "check" in broken:
            raise LookupError("no secret")
        return cookie == b"a cookie"

    server_context.set_cookie_generate_callback(make)
    server_context.set_cookie_verify_callback(check)
    server, client = pair(server_context, client_context)
    for turn in ("make", "check"):
        step(client)
        shown = datagrams(client)
        if turn == which:
            for _ in range(2):
                server.bio_write(shown)
                with pytest.raises(LookupError, match="no secret"):
                    server.DTLSv1_listen()
            broken.clear()
            datagrams(server)
        server.bio_write(shown)
        if turn == "make":
            with pytest.raises(SSL.WantReadError):
                server.DTLSv1_listen()
            client.bio_write(datagrams(server))
    server.DTLSv1_listen()
    handshake(server, client)


def test_a_cookie_callback_that_calls_back_into_its_connection() -> None:
    server_context, client_context = contexts()
    refused = []

    def make(connection: SSL.Connection) -> bytes:
        for again in (connection.DTLSv1_listen, connection.DTLSv1_handle_timeout, connection.do_handshake):
            with pytest.raises(SSL.Error, match="called back into it") as caught:
                again()
            refused.append(type(caught.value))
        return b"a cookie"

    server_context.set_cookie_generate_callback(make)
    server_context.set_cookie_verify_callback(lambda connection, cookie: True)
    server, client = pair(server_context, client_context)
    step(client)
    server.bio_write(datagrams(client))
    with pytest.raises(SSL.WantReadError):
        server.DTLSv1_listen()
    assert refused == [SSL.Error] * 3


def test_srtp() -> None:
    server_context, client_context = contexts()
    for context in (server_context, client_context):
        context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    server, client = pair(server_context, client_context)
    assert client.get_selected_srtp_profile() == b""
    handshake(server, client)
    assert (
        client.get_selected_srtp_profile() == server.get_selected_srtp_profile() == b"SRTP_AES128_CM_SHA1_80"
    )
    with pytest.raises(SSL.Error, match="profiles"):
        client_context.set_tlsext_use_srtp(b"NONE_SUCH")


@pytest.mark.parametrize("mtu", [0, 255, 65508, -1])
def test_an_impossible_mtu_is_refused(mtu: int) -> None:
    connection = pair(*contexts())[0]
    with pytest.raises(ValueError, match="mtu"):
        connection.set_ciphertext_mtu(mtu)


def test_no_size_before_the_handshake() -> None:
    with pytest.raises(SSL.Error, match="handshake"):
        pair(*contexts())[0].get_cleartext_mtu()
