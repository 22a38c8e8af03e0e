from __future__ import annotations

import socket

import pytest

from openssl_iface.errors import (
    CertificateVerificationError,
    Error,
    WantClientHelloError,
    WantVerificationError,
    WantX509LookupError,
)
from openssl_iface.impl_cffi._native import lib
from openssl_iface.values import NO_OVERLAPPING_PROTOCOLS, ProtocolVersion, VerifyMode, Want

# An OCSPResponse (RFC 6960, section 4.2.1) that says "malformedRequest".
RESPONSE = bytes.fromhex("30030a0101")


def fail(*_):
    raise AssertionError("called")


class TestAskingAgain:
    def count(self, times, error, answer=True):
        calls = []

        def call(*arguments):
            calls.append(arguments)
            if len(calls) <= times:
                raise error
            return answer

        return calls, call

    def asked(self, tls, version, call):
        """A client that is asked for its certificate."""
        server, client = tls.contexts(version)
        server.get_cert_store().add_cert(tls.pki.root.certificate)
        server.set_verify(VerifyMode.PEER)
        server.set_cert_verify_callback(call)
        client.use_certificate_chain([tls.pki.client.certificate, *tls.pki.client.chain])
        client.use_privatekey(tls.pki.client.key)
        return tls.connections(server, client)

    def proceed(self, tls, server, client, waiting, want):
        tls.exchange(server, client, sound=True)
        rounds = 0
        while not waiting.handshake_done and waiting.wants & want:
            rounds += 1
            assert not waiting.wants & (Want.READ | Want.PROCEED)
            waiting.event_proceed()
        tls.exchange(server, client, sound=True)
        return rounds

    def test_certificate(self, tls, version):
        server, client = tls.contexts(version)
        calls, call = self.count(2, WantX509LookupError)
        server.set_cert_cb(call)
        both = tls.connections(server, client)
        assert self.proceed(tls, *both, both[0], Want.CERTIFICATE) == 2
        assert len(calls) == 3
        assert both[1].handshake_done

    def test_client_hello(self, tls, version):
        server, client = tls.contexts(version)
        calls, call = self.count(2, WantClientHelloError)
        server.set_client_hello_callback(call)
        both = tls.connections(server, client)
        assert self.proceed(tls, *both, both[0], Want.CLIENT_HELLO) == 2
        assert len(calls) == 3

    @pytest.mark.skipif(not lib.HAS_SSL_set_retry_verify, reason="this OpenSSL cannot wait for it")
    def test_verification(self, tls, version):
        server, client = tls.contexts(version)
        calls, call = self.count(2, WantVerificationError)
        client.set_cert_verify_callback(call)
        both = tls.connections(server, client)
        assert self.proceed(tls, *both, both[1], Want.VERIFICATION) == 2
        assert [arguments[1] for arguments in calls] == [True] * 3

    @pytest.mark.skipif(not lib.HAS_SSL_set_retry_verify, reason="this OpenSSL cannot wait for it")
    def test_verification_that_is_refused_in_the_end(self, tls, version):
        server, client = tls.contexts(version)
        calls, call = self.count(1, WantVerificationError, False)
        client.set_cert_verify_callback(call)
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        with pytest.raises(Error, match="application verification"):
            both[1].event_proceed()
        assert both[1].wants & Want.WRITE
        assert len(calls) == 2

    @pytest.mark.skipif(not lib.HAS_SSL_set_retry_verify, reason="this OpenSSL cannot wait for it")
    def test_what_openssl_refuses_is_not_put_off(self, tls, version):
        client = tls.client_context(version)
        calls, call = self.count(5, WantVerificationError)
        client.set_cert_verify_callback(call)
        both = tls.connections(tls.server_context(version, tls.pki.untrusted), client)
        _, end = tls.exchange(*both)
        assert type(end.error) is CertificateVerificationError
        assert [arguments[1] for arguments in calls] == [False]

    @pytest.mark.skipif(lib.HAS_SSL_set_retry_verify, reason="of older ones")
    def test_verification_cannot_wait_there(self, tls, version):
        server, client = tls.contexts(version)
        client.set_cert_verify_callback(self.count(1, WantVerificationError)[1])
        _, end = tls.exchange(*tls.connections(server, client))
        assert type(end.error) is Error
        assert "3.0.2" in str(end.error)

    def test_verification_of_a_client_cannot_wait(self, tls, version):
        server, client = self.asked(tls, version, self.count(1, WantVerificationError)[1])
        end, _ = tls.exchange(server, client)
        assert type(end.error) is Error
        assert "put off" in str(end.error)

    def test_on_blocking_sockets_the_caller_asks_again(self, tls, version):
        server, client = tls.contexts(version)
        _calls, call = self.count(2, WantX509LookupError)
        server.set_cert_cb(call)
        both = tls.connections(server, client, socket.socketpair())

        def serve():
            raised = 0
            while True:
                try:
                    both[0].do_handshake()
                except WantX509LookupError:
                    raised += 1
                else:
                    return raised

        assert tls.together(serve, both[1].do_handshake) == [2, None]

    def test_the_certificate_is_chosen_when_asked(self, tls, version):
        server, client = tls.contexts(version)
        other = tls.pki.ca.issue("chosen.test")

        def choose(connection):
            connection.use_certificate(other.certificate)
            connection.use_privatekey(other.key)

        server.set_cert_cb(choose)
        both = tls.connections(server, client, host=None)
        client.set_verify(VerifyMode.NONE)
        both = tls.connections(server, client, host=None)
        tls.exchange(*both, sound=True)
        assert both[1].get_peer_certificate().get_subject().CN == "chosen.test"


class TestArguments:
    def test_info_follows_the_handshake(self, tls, version):
        seen = []
        server, client = tls.contexts(version)
        server.set_info_callback(lambda c, where, ret: seen.append((c, where, ret)))
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert {c for c, _, _ in seen} == {both[0]}
        wheres = [where for _, where, _ in seen]
        assert wheres[0] == lib.SSL_CB_HANDSHAKE_START
        assert lib.SSL_CB_HANDSHAKE_DONE in wheres
        assert lib.SSL_CB_ACCEPT_LOOP in wheres

    def test_info_of_one_connection_alone(self, tls, version):
        seen = []
        server, client = tls.contexts(version)
        both = tls.connections(server, client)
        both[0].set_info_callback(lambda *arguments: seen.append(arguments))
        tls.exchange(*both, sound=True)
        assert seen
        count = len(seen)
        tls.exchange(*tls.connections(server, client), sound=True)
        both[0].set_info_callback(None)
        both[0].event_close()
        tls.exchange(*both, sound=True)
        assert len(seen) == count

    def test_alpn(self, tls, version):
        offered = []
        server, client = tls.contexts(version)
        client.set_alpn_protos([b"two", b"one"])
        server.set_alpn_select_callback(lambda c, names: offered.append(names) or b"one")
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert offered == [[b"two", b"one"]]
        assert [one.get_alpn_proto_negotiated() for one in both] == [b"one", b"one"]

    def test_alpn_without_overlap(self, tls, version):
        server, client = tls.contexts(version)
        client.set_alpn_protos([b"two"])
        server.set_alpn_select_callback(lambda *_: NO_OVERLAPPING_PROTOCOLS)
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert [one.get_alpn_proto_negotiated() for one in both] == [b"", b""]

    def test_alpn_refused(self, tls, version):
        server, client = tls.contexts(version)
        client.set_alpn_protos([b"two"])
        server.set_alpn_select_callback(lambda *_: b"")
        end, other = tls.exchange(*tls.connections(server, client))
        assert type(end.error) is Error
        assert "no application protocol" in str(end.error)
        assert other.error.alert == 120

    @pytest.mark.parametrize(("answer", "kind"), [("two", TypeError), (None, TypeError), (b"x", ValueError)])
    def test_alpn_answers_that_are_none(self, tls, version, answer, kind):
        server, client = tls.contexts(version)
        client.set_alpn_protos([b"two"])
        server.set_alpn_select_callback(lambda *_: answer)
        end, other = tls.exchange(*tls.connections(server, client))
        assert type(end.error) is kind
        assert "ALPN callback" in str(end.error)
        assert other.error.alert == 120

    def test_alpn_and_servername_are_called_once_also_on_resumption(self, tls, version):
        calls = []
        server, client = tls.contexts(version)
        client.set_alpn_protos([b"one"])
        server.set_session_id(b"test")
        server.set_alpn_select_callback(lambda c, names: calls.append("alpn") or b"one")
        server.set_tlsext_servername_callback(lambda c: calls.append("name"))
        client.set_tlsext_servername_callback(lambda c: calls.append("not a client's"))
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert sorted(calls) == ["alpn", "name"]
        calls.clear()
        session = both[1].get_session()
        both = tls.connections(server, client)
        both[1].set_session(session)
        tls.exchange(*both, sound=True)
        assert both[1].session_reused()
        assert sorted(calls) == ["alpn", "name"]

    def test_keylog_is_what_both_sides_say(self, tls, version):
        lines = {"server": set(), "client": set()}
        server, client = tls.contexts(version)
        server.set_keylog_callback(lambda c, line: lines["server"].add(line))
        client.set_keylog_callback(lambda c, line: lines["client"].add(line))
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert lines["server"] >= lines["client"] > set()
        random = both[1].client_random().hex().encode()
        assert all(line.split()[1] == random for line in lines["server"])
        if version == ProtocolVersion.TLS1_2:
            [line] = lines["client"]
            assert line == b"CLIENT_RANDOM " + random + b" " + both[0].master_key().hex().encode()
        else:
            assert {line.split()[0] for line in lines["client"]} >= {
                b"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                b"SERVER_HANDSHAKE_TRAFFIC_SECRET",
                b"CLIENT_TRAFFIC_SECRET_0",
                b"SERVER_TRAFFIC_SECRET_0",
            }

    def test_ocsp(self, tls, version):
        seen = []
        server, client = tls.contexts(version)
        server.set_ocsp_server_callback(lambda c, data: data, RESPONSE)
        client.set_ocsp_client_callback(
            lambda c, response, data: seen.append((response, data)) or True, "mine"
        )
        both = tls.connections(server, client)
        both[1].request_ocsp()
        tls.exchange(*both, sound=True)
        assert seen == [(RESPONSE, "mine")]
        server.set_ocsp_server_callback(lambda c, data: b"")
        both = tls.connections(server, client)
        both[1].request_ocsp()
        tls.exchange(*both, sound=True)
        assert seen[1:] == [(b"", "mine")]

    def test_ocsp_refusal(self, tls, version):
        server, client = tls.contexts(version)
        server.set_ocsp_server_callback(lambda *_: RESPONSE)
        client.set_ocsp_client_callback(lambda *_: False)
        both = tls.connections(server, client)
        both[1].request_ocsp()
        server_end, client_end = tls.exchange(*both)
        assert "invalid status response" in str(client_end.error)
        assert server_end.error.alert == 113

    def test_ocsp_of_the_other_side_is_not_mistaken_for_ours(self, tls, version):
        server, client = tls.contexts(version)
        # Both callbacks on one context used for both sides.
        for context in (server, client):
            context.set_ocsp_server_callback(lambda *_: RESPONSE)
        both = tls.connections(server, client)
        both[1].request_ocsp()
        tls.exchange(*both, sound=True)


@pytest.mark.parametrize(
    "name",
    [
        "set_info_callback", "set_keylog_callback", "set_cert_cb", "set_session_callback",
        "set_cert_verify_callback", "set_alpn_select_callback", "set_tlsext_servername_callback",
        "set_client_hello_callback", "set_ocsp_server_callback", "set_ocsp_client_callback",
    ],
)  # fmt: skip
def test_what_cannot_be_called_is_refused_and_none_takes_it_away(tls, name):
    server, client = tls.contexts()
    for context in (server, client):
        with pytest.raises(TypeError, match="callback"):
            getattr(context, name)(5)
        getattr(context, name)(fail)
        getattr(context, name)(None)
    both = tls.connections(server, client)
    both[1].request_ocsp()
    tls.exchange(*both, sound=True)
