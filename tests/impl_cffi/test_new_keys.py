from __future__ import annotations

import socket

import pytest

from openssl_iface.errors import (
    Error,
    WantReadError,
)
from openssl_iface.impl_cffi._native import lib
from openssl_iface.values import ProtocolVersion

BIG = bytes(range(256)) * 4096  # 1 MiB


class TestNewKeys:
    """New keys in the middle of everything: no byte is lost, repeated or out of place."""

    def churn(self, tls, server, client, change, rounds):
        size = len(BIG)

        def push(connection, data):
            for at in range(0, size, size // rounds):
                change(connection)
                connection.sendall(data[at : at + size // rounds])

        return tls.together(
            lambda: push(server, BIG),
            lambda: push(client, BIG[::-1]),
            lambda: tls.receive(server, size),
            lambda: tls.receive(client, size),
        )

    @pytest.mark.parametrize("ask", [False, True])
    def test_key_updates_both_ways_under_load(self, tls, ask):
        server, client = tls.over_sockets(ProtocolVersion.TLS1_3)
        results = self.churn(tls, server, client, lambda one: one.key_update(ask), 64)
        assert results[2:] == [BIG[::-1], BIG]

    def test_key_updates_one_after_another(self, tls):
        server, client = tls.over_sockets(ProtocolVersion.TLS1_3)
        for _ in range(20):
            client.key_update(True)
            server.key_update(True)
        server.sendall(b"s")
        client.sendall(b"c")
        assert (server.recv(1), client.recv(1)) == (b"c", b"s")

    @pytest.mark.parametrize("who", ["server", "client"])
    def test_renegotiation_under_load(self, tls, who):
        both = tls.over_sockets(ProtocolVersion.TLS1_2)
        mover = both[who == "client"]
        server, client = both
        if lib.OPENSSL_VERSION_NUMBER >= 0x30000000:
            server.set_options(lib.SSL_OP_ALLOW_CLIENT_RENEGOTIATION)
        results = self.churn(tls, server, client, lambda one: one.renegotiate() if one is mover else None, 8)
        assert results[2:] == [BIG[::-1], BIG], results[:2]
        assert mover.total_renegotiations() >= 1

    def test_renegotiation_in_steps_while_both_sides_have_sent(self, tls):
        server, client = tls.over_sockets(ProtocolVersion.TLS1_2)
        for one in (server, client):
            one.setblocking(False)
        received = at_server = b""
        server.sendall(b"before ")
        client.sendall(b"from the client")
        assert server.renegotiate() is True
        server.do_handshake()
        server.sendall(b"after ")
        for _ in range(10):
            for one in (client, server):
                try:
                    one.do_handshake()
                except WantReadError:
                    pass
            try:
                received += client.recv(100)
            except WantReadError:
                pass
            try:
                at_server += server.recv(100)
            except WantReadError:
                pass
            # The client's send has to wait for the handshake, and loses nothing of what comes.
            try:
                client.sendall(b"!")
            except WantReadError:
                pass
        assert received == b"before after "
        assert not server.renegotiate_pending()
        assert at_server.startswith(b"from the client!")

    @pytest.mark.parametrize("asker", ["client", "server"])
    def test_a_refused_renegotiation_names_its_alert(self, tls, asker):
        contexts = tls.contexts(ProtocolVersion.TLS1_2)
        contexts[asker == "server"].set_options(lib.SSL_OP_NO_RENEGOTIATION)
        server, client = ends = tls.connections(*contexts)
        tls.exchange(server, client, sound=True)
        one = ends[asker == "client"]
        one.renegotiate()
        both = tls.exchange(server, client)
        (error,) = [end.error for end in both if end.connection is one]
        assert "no renegotiation" in str(error.reasons)
        assert error.alert == 100
        assert "no_renegotiation" in str(error)

    def test_tls_1_3_has_no_renegotiation(self, tls):
        _server, client = tls.over_sockets(ProtocolVersion.TLS1_3)
        with pytest.raises(Error, match="key_update"):
            client.renegotiate()

    def test_tls_1_2_has_no_key_update(self, tls):
        server, client = tls.over_sockets(ProtocolVersion.TLS1_2)
        with pytest.raises(Error, match="wrong ssl version"):
            client.key_update()
        client.sendall(b"unharmed")
        assert server.recv(100) == b"unharmed"

    def test_nothing_to_renegotiate_before_the_handshake(self, tls):
        _server, client = tls.connections(*tls.contexts())
        with pytest.raises(Error, match="handshake"):
            client.renegotiate()

    def test_post_handshake_authentication(self, tls):
        server_context, client_context = tls.contexts(ProtocolVersion.TLS1_3)
        server_context.get_cert_store().add_cert(tls.pki.root.certificate)
        client_context.use_certificate_chain([tls.pki.client.certificate, *tls.pki.client.chain])
        client_context.use_privatekey(tls.pki.client.key)
        client_context.set_post_handshake_auth(True)
        sockets = socket.socketpair()
        server, client = tls.shake(*tls.connections(server_context, client_context, sockets))
        assert server.get_peer_certificate() is None
        server.set_verify(3)
        server.verify_client_post_handshake()
        server.sendall(b"who are you?")
        assert client.recv(100) == b"who are you?"
        client.sendall(b"me")
        assert server.recv(100) == b"me"
        assert server.get_peer_certificate().get_subject().CN == "client.test"
        assert server.get_verify_result() == 0

    def test_a_client_that_did_not_offer_it_is_not_asked_later(self, tls):
        server, client = tls.over_sockets(ProtocolVersion.TLS1_3)
        server.set_verify(1)
        with pytest.raises(Error, match="extension not received"):
            server.verify_client_post_handshake()
        server.sendall(b"all the same")
        assert client.recv(100) == b"all the same"
