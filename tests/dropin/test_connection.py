"""Connections mean what they mean in pyOpenSSL, where the backend's own would mean something else."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from openssl_iface.dropin import SSL, crypto
from openssl_iface.testing.pki import PKI, Identity

Pair = tuple[SSL.Connection, SSL.Connection]
DEMAND = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT


def context_of(identity: Identity | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    if identity is not None:
        context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, identity.certificate_pem))
        end = b"-----END CERTIFICATE-----"
        for block in identity.chain_pem.split(end)[1:-1]:
            context.add_extra_chain_cert(crypto.load_certificate(crypto.FILETYPE_PEM, block + end))
        context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, identity.key_pem))
    return context


def ends_of(server: SSL.Context, client: SSL.Context) -> Pair:
    ends = SSL.Connection(server), SSL.Connection(client)
    ends[0].set_accept_state()
    ends[1].set_connect_state()
    ends[1].set_tlsext_host_name(b"localhost")
    return ends


def shake(ends: Pair) -> None:
    for _ in range(6):
        for one, other in (ends[::-1], ends):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(one.bio_read(65536))
            except SSL.WantReadError:
                pass


def root(pki: PKI) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.root_pem)


class TestAnotherContext:
    """SSL_set_SSL_CTX(3): the certificate is another one, what is asked of the peer is not."""

    def test_who_demands_a_certificate_goes_on_demanding_it(self, pki: PKI) -> None:
        first, site = context_of(pki.good), context_of(pki.good)
        first.set_verify(DEMAND, lambda *arguments: bool(arguments[-1]))
        first.set_tlsext_servername_callback(lambda connection: connection.set_context(site))
        ends = ends_of(first, context_of(None))
        with pytest.raises(SSL.Error, match="peer did not return a certificate"):
            shake(ends)
        assert ends[0].get_verify_mode() == DEMAND

    def test_who_demands_none_goes_on_demanding_none(self, pki: PKI) -> None:
        first, site = context_of(pki.good), context_of(pki.good)
        site.set_verify(DEMAND)
        first.set_tlsext_servername_callback(lambda connection: connection.set_context(site))
        ends = ends_of(first, context_of(None))
        shake(ends)
        assert ends[0].get_verify_mode() == SSL.VERIFY_NONE

    @pytest.mark.parametrize("verdict", [True, False])
    def test_the_first_one_s_callbacks_are_asked_and_the_other_one_s_store(
        self, pki: PKI, verdict: bool
    ) -> None:
        first, site = context_of(pki.good), context_of(pki.good)
        asked: list[str] = []

        def verify(name: str) -> object:
            return lambda _connection, _x509, _code, _depth, ok: asked.append(name) or (bool(ok) and verdict)

        for name, context in (("first", first), ("site", site)):
            context.set_verify(DEMAND, verify(name))
            context.set_info_callback(lambda *_, name=name: asked.append(f"info of {name}"))
        site.get_cert_store().add_cert(root(pki))
        first.set_tlsext_servername_callback(lambda connection: connection.set_context(site))
        ends = ends_of(first, context_of(pki.client))
        if verdict:
            shake(ends)
            assert ends[0].get_peer_certificate() == pki.client.certificate
        else:
            with pytest.raises(SSL.Error):
                shake(ends)
        assert set(asked) == {"first", "info of first"}

    def test_options_stay(self, pki: PKI) -> None:
        first, site = context_of(pki.good), context_of(pki.good)
        site.set_options(SSL.OP_NO_TICKET)
        ends = ends_of(first, context_of(None))
        ends[0].set_context(site)
        assert not ends[0].set_options(0) & SSL.OP_NO_TICKET


class TestTheStore:
    """It is asked when the peer is verified, whenever the connection was made."""

    def test_what_is_added_counts(self, pki: PKI) -> None:
        client = context_of(None)
        client.set_verify(SSL.VERIFY_PEER)
        ends = ends_of(context_of(pki.good), client)
        client.get_cert_store().add_cert(root(pki))
        shake(ends)
        assert ends[1].get_peer_certificate() is not None

    def test_what_is_revoked_is_refused(self, pki: PKI) -> None:
        client = context_of(None)
        client.set_verify(SSL.VERIFY_PEER)
        store = client.get_cert_store()
        store.add_cert(root(pki))
        ends = ends_of(context_of(pki.good), client)
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK)  # and there is no list
        with pytest.raises(SSL.Error, match="certificate verify failed"):
            shake(ends)

    def test_by_way_of_the_context(self, pki: PKI, tmp_path: Path) -> None:
        file = tmp_path / "root.pem"
        file.write_bytes(pki.good.root_pem)
        client = context_of(None)
        client.set_verify(SSL.VERIFY_PEER)
        ends = ends_of(context_of(pki.good), client)
        client.load_verify_locations(file)
        shake(ends)
        assert ends[1].get_peer_certificate() is not None


def test_a_server_has_what_the_client_sent_above_its_certificate(pki: PKI) -> None:
    """Programs put the certificate itself in front of it."""
    server = context_of(pki.good)
    server.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    for identity, above in ((pki.client, len(pki.client.chain)), (None, 0)):
        ends = ends_of(server, context_of(identity))
        shake(ends)
        chain = ends[0].get_peer_cert_chain() or []
        assert len(chain) == above
        assert ends[0].get_peer_certificate() not in chain
        assert ends[1].get_peer_cert_chain()[0] == ends[1].get_peer_certificate()


def test_on_the_number_of_a_descriptor(pki: PKI) -> None:
    one, other = socket.socketpair()
    with one, other:
        for each in (one, other):
            each.setblocking(False)
        server = SSL.Connection(context_of(pki.good), one.fileno())
        client = SSL.Connection(context_of(None), other.fileno())
        server.set_accept_state()
        client.set_connect_state()
        until = time.monotonic() + 60
        done = set()
        while len(done) < 2 and time.monotonic() < until:
            for end in (client, server):
                try:
                    end.do_handshake()
                    done.add(end)
                except SSL.WantReadError:
                    pass
        client.send(b"hello")
        assert server.recv(100) == b"hello"


@pytest.mark.parametrize("name", [b"", b"x" * 256])
def test_a_name_that_cannot_be_asked_for_is_not_asked_for(pki: PKI, name: bytes) -> None:
    """And the one before it is forgotten."""
    ends = ends_of(context_of(pki.good), context_of(None))
    ends[1].set_tlsext_host_name(name)
    shake(ends)
    assert ends[0].get_servername() is None
    assert ends[0].get_peer_finished()


def test_what_is_said_to_have_come_is_not_waited_for(pki: PKI) -> None:
    ends = ends_of(context_of(pki.good), context_of(None))
    shake(ends)
    with pytest.raises(SSL.WantReadError):
        ends[1].recv(1)
    ends[1].set_shutdown(SSL.RECEIVED_SHUTDOWN)
    for _ in range(2):
        with pytest.raises(SSL.ZeroReturnError):
            ends[1].recv(1)


def test_an_error_of_the_program_s_own_comes_out_as_it_was_raised(pki: PKI, tmp_path: Path) -> None:
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem)
    file = tmp_path / "key.pem"
    file.write_bytes(crypto.dump_privatekey(crypto.FILETYPE_PEM, key, "aes256", b"secret"))
    context = SSL.Context(SSL.TLS_METHOD)
    mine = SSL.Error("no passphrase today")

    def refuse(*_: object) -> bytes:
        raise mine

    with pytest.deprecated_call():
        context.set_passwd_cb(refuse)
    with pytest.raises(SSL.Error) as raised:
        context.use_privatekey_file(file)
    assert raised.value is mine
    assert mine.args == ("no passphrase today",)


def test_protocols_may_be_any_bytes(pki: PKI) -> None:
    ends = ends_of(context_of(pki.good), context_of(None))
    ends[0].get_context().set_alpn_select_callback(lambda _connection, offered: offered[-1])
    ends[1].set_alpn_protos([bytearray(b"h2"), memoryview(b"http/1.1")])
    ends = (SSL.Connection(ends[0].get_context()), ends[1])
    ends[0].set_accept_state()
    shake(ends)
    assert ends[1].get_alpn_proto_negotiated() == b"http/1.1"
