from __future__ import annotations

import contextlib
import subprocess

import pytest
from zope.interface.verify import verifyClass, verifyObject

from openssl_iface.errors import Error
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.backend import backend
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.impl_cffi.context import Context
from openssl_iface.impl_cffi.pkey import PKey, dump_privatekey
from openssl_iface.impl_cffi.x509 import X509, dump_certificate
from openssl_iface.interfaces import IBackend, IConnection, IContext, IX509Store
from openssl_iface.values import Method, ProtocolVersion


def test_the_contracts(tls):
    assert verifyClass(IContext, Context)
    assert verifyClass(IConnection, Connection)
    context = tls.server_context()
    assert verifyObject(IContext, context)
    assert verifyObject(IConnection, Connection(context))
    assert verifyObject(IBackend, backend)
    assert verifyObject(IX509Store, context.get_cert_store())


class TestMethods:
    @pytest.mark.parametrize("method", [m for m in Method if m not in (Method.SSLv2, Method.SSLv3)])
    def test_each_makes_a_context(self, method):
        assert Context(method).method == method

    def test_ssl_2_is_gone(self):
        with pytest.raises(Error, match="SSLv2"):
            Context(Method.SSLv2)

    def test_ssl_3_is_there_or_said_to_be_missing(self):
        if "ssl3" in backend.capabilities:
            assert Context(Method.SSLv3).get_max_proto_version() == ProtocolVersion.SSL3
        else:
            with pytest.raises(Error, match="SSLv3 is not in this OpenSSL"):
                Context(Method.SSLv3)

    @pytest.mark.parametrize(
        ("wrong", "kind"), [("TLS", TypeError), (None, TypeError), (0, ValueError), (99, ValueError)]
    )
    def test_what_is_no_method(self, wrong, kind):
        with pytest.raises(kind, match="method"):
            Context(wrong)

    @pytest.mark.parametrize("method", [Method.TLSv1_2, Method.TLS_SERVER, Method.SSLv23])
    def test_the_protocol_is_what_the_method_says(self, tls, method):
        server = Context(method)
        server.use_certificate_chain([tls.pki.good.certificate, *tls.pki.good.chain])
        server.use_privatekey(tls.pki.good.key)
        both = tls.connections(server, tls.client_context())
        tls.exchange(*both, sound=True)
        wanted = ProtocolVersion.TLS1_2 if method == Method.TLSv1_2 else ProtocolVersion.TLS1_3
        assert both[1].get_protocol_version() == wanted

    def test_it_is_made_once(self):
        context = Context(Method.TLS)
        with pytest.raises(TypeError, match="once"):
            context.__init__(Method.TLS)

    def test_without_init_nothing_crashes(self, tls):
        context = Context.__new__(Context)
        for name in dir(Context):
            if name.startswith(("set_", "get_", "use_", "load_", "add_", "check_", "clear_")):
                for arguments in ((), (1,), (1, 2)):
                    with contextlib.suppress(AttributeError, TypeError, ValueError, Error):
                        getattr(context, name)(*arguments)
        with pytest.raises(AttributeError):
            Connection(context)
        _, client = tls.connections(*tls.contexts())
        with pytest.raises(AttributeError):
            client.set_context(context)


class TestSettings:
    def test_bounds(self, tls):
        context = Context(Method.TLS)
        for setter, getter in (
            (context.set_min_proto_version, context.get_min_proto_version),
            (context.set_max_proto_version, context.get_max_proto_version),
        ):
            setter(ProtocolVersion.TLS1_2)
            assert getter() == ProtocolVersion.TLS1_2
            with pytest.raises(Error, match="version"):
                setter(0x1234)
            assert getter() == ProtocolVersion.TLS1_2
            setter(0)
            assert getter() == 0

    def test_protocols_without_overlap(self, tls):
        server, client = (
            tls.server_context(ProtocolVersion.TLS1_2),
            tls.client_context(ProtocolVersion.TLS1_3),
        )
        ends = tls.exchange(*tls.connections(server, client))
        assert ends[1].error.alert == 70

    def test_ciphers(self, tls):
        server, client = tls.contexts(ProtocolVersion.TLS1_2)
        server.set_cipher_list("ECDHE-ECDSA-CHACHA20-POLY1305")
        client.set_cipher_list(b"ALL")
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        info = both[0].get_cipher_info()
        assert info.name == both[1].get_cipher_name() == "ECDHE-ECDSA-CHACHA20-POLY1305"
        assert info.standard_name == "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        assert (info.protocol, info.bits) == ("TLSv1.2", 256)

    def test_ciphersuites(self, tls):
        server, client = tls.contexts(ProtocolVersion.TLS1_3)
        server.set_tls13_ciphersuites("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256")
        client.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert both[1].get_cipher_name() == "TLS_AES_128_GCM_SHA256"

    @pytest.mark.parametrize(
        ("setter", "value"),
        [
            ("set_cipher_list", "no-such-cipher"), ("set_cipher_list", ""),
            ("set_tls13_ciphersuites", "TLS_NO_SUCH"),
            ("set_tls13_ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_NO_SUCH"),
            ("set_groups", "no-such-group"), ("set_groups", "X25519:no-such-group"),
            ("set_tmp_ecdh", "nonsense"), ("set_sigalgs", "nonsense"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("used", [False, True])
    def test_what_openssl_refuses_changes_nothing(self, tls, setter, value, used):
        server, client = tls.contexts()
        server.set_cipher_list("ECDHE+AESGCM")
        if used:
            Connection(server)
        before = server.get_cipher_list()
        with pytest.raises(Error) as caught:
            getattr(server, setter)(value)
        assert str(caught.value).split(":")[0] in {"ciphers", "ciphersuites", "groups", "algorithms"}
        assert server.get_cipher_list() == before
        tls.exchange(*tls.connections(server, client), sound=True)

    @pytest.mark.parametrize("group", ["x25519", "secp256r1", "secp384r1"])
    def test_groups(self, tls, version, group):
        server, client = tls.contexts(version)
        server.set_groups({"x25519": "X25519", "secp256r1": "P-256", "secp384r1": "P-384"}[group])
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert [one.get_group_name() for one in both] == [group, group]

    def test_tmp_ecdh(self, tls):
        class Curve:
            name = "secp521r1"

        server, client = tls.contexts(ProtocolVersion.TLS1_2)
        server.set_tmp_ecdh(Curve())
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert both[0].get_group_name() == "secp521r1"

    def test_signature_algorithms(self, tls, version):
        server, client = tls.contexts(version)
        server.set_sigalgs("ECDSA+SHA256")
        client.set_sigalgs(b"ECDSA+SHA256:RSA-PSS+SHA256")
        tls.exchange(*tls.connections(server, client), sound=True)
        client.set_sigalgs("RSA-PSS+SHA256")
        assert tls.exchange(*tls.connections(server, client))[0].error is not None

    def test_options_and_modes_are_bits(self):
        context = Context(Method.TLS)
        bit = lib.SSL_OP_NO_TICKET
        before = context.get_options()
        assert not before & bit
        assert context.set_options(bit) == before | bit
        assert context.set_options(0) == before | bit
        assert context.clear_options(bit) == before
        assert context.clear_options(bit) == before
        assert context.set_mode(lib.SSL_MODE_RELEASE_BUFFERS) & lib.SSL_MODE_RELEASE_BUFFERS
        assert not context.clear_mode(lib.SSL_MODE_RELEASE_BUFFERS) & lib.SSL_MODE_RELEASE_BUFFERS

    def test_old_values_come_back(self):
        context = Context(Method.TLS)
        default = context.get_timeout()
        assert default > 0
        assert context.set_timeout(5) == default
        assert (context.set_timeout(7), context.get_timeout()) == (5, 7)
        mode = context.get_session_cache_mode()
        assert context.set_session_cache_mode(0) == mode
        assert context.get_session_cache_mode() == 0
        assert context.get_app_data() is None
        context.set_app_data("anything")
        assert context.get_app_data() == "anything"

    @pytest.mark.parametrize(
        ("call", "kind", "name"),
        [
            (lambda c: c.set_options("1"), TypeError, "options"),
            (lambda c: c.set_options(-1), ValueError, "options"),
            (lambda c: c.clear_options(2**64), ValueError, "options"),
            (lambda c: c.set_mode(None), TypeError, "mode"),
            (lambda c: c.clear_mode(-1), ValueError, "mode"),
            (lambda c: c.set_min_proto_version("TLSv1"), TypeError, "version"),
            (lambda c: c.set_max_proto_version(-1), ValueError, "version"),
            (lambda c: c.set_cipher_list(5), TypeError, "ciphers"),
            (lambda c: c.set_cipher_list("A\0B"), ValueError, "ciphers"),
            (lambda c: c.set_cipher_list(b"\xff"), Error, "ciphers"),
            (lambda c: c.set_tls13_ciphersuites(None), TypeError, "ciphersuites"),
            (lambda c: c.set_groups(5), TypeError, "groups"),
            (lambda c: c.set_tmp_ecdh(5), TypeError, "curve"),
            (lambda c: c.set_sigalgs(5), TypeError, "algorithms"),
            (lambda c: c.set_timeout(-1), ValueError, "seconds"),
            (lambda c: c.set_timeout("1"), TypeError, "seconds"),
            (lambda c: c.set_session_cache_mode("x"), TypeError, "mode"),
            (lambda c: c.set_session_id("text"), TypeError, "name"),
            (lambda c: c.set_session_id(b"x" * 33), ValueError, "name"),
            (lambda c: c.set_num_tickets(-1), ValueError, "count"),
            (lambda c: c.set_alpn_protos(b"h2"), TypeError, "protocols"),
            (lambda c: c.set_alpn_protos(None), TypeError, "protocols: a sequence"),
            (lambda c: c.set_alpn_protos(5), TypeError, "protocols: a sequence"),
            (lambda c: c.set_alpn_protos(["h2"]), TypeError, "protocols"),
            (lambda c: c.set_alpn_protos([]), ValueError, "protocols"),
            (lambda c: c.set_alpn_protos([b""]), ValueError, "protocols"),
            (lambda c: c.set_alpn_protos([b"x" * 256]), ValueError, "protocols"),
            (lambda c: c.set_alpn_protos([b"x" * 255] * 257), ValueError, "protocols"),
            (lambda c: c.set_passwd_cb(5), TypeError, "callback"),
            (lambda c: c.use_certificate("x"), TypeError, "certificate"),
            (lambda c: c.use_certificate(X509()), Error, "certificate"),
            (lambda c: c.use_certificate_chain(5), TypeError, "certificates"),
            (lambda c: c.use_certificate_chain([]), ValueError, "certificates"),
            (lambda c: c.use_certificate_chain([5]), TypeError, "certificates"),
            (lambda c: c.use_certificate_file("/nonexistent"), Error, "path"),
            (lambda c: c.use_certificate_file(5), TypeError, "path"),
            (lambda c: c.use_certificate_file("x", 99), ValueError, "type"),
            (lambda c: c.use_certificate_chain_file("/nonexistent"), Error, "path"),
            (lambda c: c.add_extra_chain_cert(5), TypeError, "certificate"),
            (lambda c: c.add_extra_chain_cert(X509()), Error, "certificate"),
            (lambda c: c.use_privatekey(5), TypeError, "key"),
            (lambda c: c.use_privatekey(PKey()), Error, "key"),
            (lambda c: c.use_privatekey_file("/nonexistent"), Error, "path"),
            (lambda c: c.load_tmp_dh("/nonexistent"), Error, "dhfile"),
            (lambda c: c.load_tmp_dh(5), TypeError, "dhfile"),
        ],
    )
    @pytest.mark.parametrize("used", [False, True])
    def test_wrong_arguments_are_named_and_change_nothing(self, tls, call, kind, name, used):
        server, client = tls.contexts()
        if used:
            Connection(server)
        before = server.get_options(), server.get_cipher_list(), server.get_timeout()
        with pytest.raises(kind, match=name):
            call(server)
        assert (server.get_options(), server.get_cipher_list(), server.get_timeout()) == before
        assert server.check_privatekey()
        tls.exchange(*tls.connections(server, client), sound=True)


class TestCertificates:
    def test_from_files_of_every_kind(self, tls, tmp_path):
        files = tls.pki.good.write(tmp_path)
        der, key_der = tmp_path / "leaf.der", tmp_path / "key.der"
        der.write_bytes(dump_certificate(2, tls.pki.good.certificate))
        key_der.write_bytes(dump_privatekey(2, tls.pki.good.key))
        for path in (files.certificate, str(files.certificate), str(files.certificate).encode()):
            server = Context(Method.TLS)
            assert server.check_privatekey() is False
            server.use_certificate_chain_file(path)
            assert server.check_privatekey() is False
            server.use_privatekey_file(files.key)
            assert server.check_privatekey() is True
            both = tls.connections(server, tls.client_context())
            tls.exchange(*both, sound=True)
            assert len(both[1].get_peer_cert_chain()) == 2
            assert both[0].get_certificate().get_subject().CN == "localhost"
        server = Context(Method.TLS)
        server.use_certificate_file(der, 2)
        server.use_privatekey_file(key_der, 2)
        for one in tls.pki.good.chain:
            server.add_extra_chain_cert(one)
        tls.exchange(*tls.connections(server, tls.client_context()), sound=True)

    def test_a_key_of_another_is_refused(self, tls):
        server, client = tls.contexts()
        with pytest.raises(Error, match="key"):
            server.use_privatekey(tls.pki.client.key)
        assert server.check_privatekey()
        tls.exchange(*tls.connections(server, client), sound=True)

    def test_a_public_key_is_refused(self, tls):
        server, client = tls.contexts()
        with pytest.raises(Error, match="public"):
            server.use_privatekey(tls.pki.good.certificate.get_pubkey())
        tls.exchange(*tls.connections(server, client), sound=True)

    def test_two_kinds_side_by_side(self, tls):
        server = tls.server_context(ProtocolVersion.TLS1_2)
        rsa = tls.pki.rsa
        server.use_certificate_chain([rsa.certificate, *rsa.chain])
        server.use_privatekey(rsa.key)
        for ciphers in ("aRSA", "aECDSA"):
            client = tls.client_context(ProtocolVersion.TLS1_2)
            client.set_cipher_list(ciphers)
            both = tls.connections(server, client)
            tls.exchange(*both, sound=True)
            assert ciphers[1:] in both[1].get_cipher_name()

    def test_a_file_that_is_damaged(self, tls, tmp_path):
        bad = tmp_path / "bad.pem"
        bad.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for name in ("use_certificate_file", "use_certificate_chain_file", "use_privatekey_file"):
            with pytest.raises(Error, match="path") as caught:
                getattr(tls.server_context(), name)(bad)
            assert "bad.pem" in str(caught.value)


CHANGES = {
    "ciphers": lambda tls, c: c.set_cipher_list("ECDHE-ECDSA-CHACHA20-POLY1305"),
    "ciphersuites": lambda tls, c: c.set_tls13_ciphersuites("TLS_CHACHA20_POLY1305_SHA256"),
    "groups": lambda tls, c: c.set_groups("P-384"),
    "maximum": lambda tls, c: c.set_max_proto_version(ProtocolVersion.TLS1_2),
    "certificate": lambda tls, c: (
        c.use_certificate_chain([tls.pki.wrong_name.certificate, *tls.pki.wrong_name.chain]),
        c.use_privatekey(tls.pki.wrong_name.key),
    ),
    "extra": lambda tls, c: c.add_extra_chain_cert(tls.pki.root.certificate),
    "authorities": lambda tls, c: c.set_client_ca_list([tls.pki.ca.certificate.get_subject()] * 3),
    "authority": lambda tls, c: c.add_client_ca(tls.pki.ca.certificate),
    "verify": lambda tls, c: c.set_verify(3, lambda *_: False),
    "alpn": lambda tls, c: c.set_alpn_select_callback(lambda *_: b"x"),
    "options": lambda tls, c: c.set_options(lib.SSL_OP_NO_TLSv1_3),
    "store": lambda tls, c: c.set_cert_store(type(c.get_cert_store())()),
}


class TestUsedOnes:
    """What is changed on a context with connections changes later ones only."""

    @pytest.mark.parametrize("change", CHANGES)
    def test_connections_that_there_are_stay_as_they_were(self, tls, change):
        server, client = tls.contexts()
        server.set_verify(1)
        client.set_alpn_protos([b"x"])

        def facts(both):
            ends = tls.exchange(*both)
            one = both[1]
            return (
                [type(end.error) for end in ends], one.get_cipher_name(), one.get_group_name(),
                one.get_protocol_version(), len(one.get_peer_cert_chain() or []),
                len(one.get_client_ca_list()), one.get_alpn_proto_negotiated(),
                one.get_peer_certificate() and one.get_peer_certificate().get_subject().CN,
            )  # fmt: skip

        usual = facts(tls.connections(server, client))
        begun, waiting = tls.connections(server, client), tls.connections(server, client)
        begun[1].event_proceed()
        flight = begun[1].event_output()
        CHANGES[change](tls, server)
        begun[0].event_feed(flight)
        assert facts(begun) == usual
        assert facts(waiting) == usual
        later = facts(tls.connections(server, client))
        if change not in {"store", "verify", "ciphers", "extra", "options"}:
            assert later != usual

    def test_later_ones_have_everything_from_before(self, tls, tmp_path):
        """A context that had to be made anew is like the one that it replaces."""
        server, client = tls.contexts()
        server.set_session_id(b"same")
        server.set_timeout(77)
        server.set_options(lib.SSL_OP_NO_COMPRESSION)
        server.set_num_tickets(1)
        server.set_alpn_select_callback(lambda c, offered: offered[-1])
        client.set_alpn_protos([b"a", b"b"])
        first = tls.connections(server, client)
        tls.exchange(*first, sound=True)
        pointer = server._context
        server.set_cipher_list("ECDHE+AESGCM")
        assert server._context != pointer
        assert server.get_timeout() == 77
        assert server.get_options() & lib.SSL_OP_NO_COMPRESSION
        second = tls.connections(server, client)
        second[1].set_session(first[1].get_session())
        tls.exchange(*second, sound=True)
        assert second[1].session_reused(), "the keys of tickets are lost"
        assert second[1].get_alpn_proto_negotiated() == b"b"
        assert "ECDHE-ECDSA-CHACHA20-POLY1305" not in second[0].get_cipher_list()

    def test_switching_contexts_in_the_servername_callback(self, tls, version):
        plain, strict = tls.server_context(version), tls.server_context(version, tls.pki.wrong_name)
        called = []
        strict.set_verify(3)
        strict.set_info_callback(lambda *_: called.append("info"))
        plain.set_verify(1, lambda *_: called.append("verify") or True)
        plain.set_info_callback(lambda *_: None)
        plain.set_tlsext_servername_callback(
            lambda c: c.set_context(strict) if c.get_servername() == b"elsewhere.test" else None
        )
        client = tls.client_context(version)
        both = tls.connections(plain, client, host="elsewhere.test")
        both[1].set_tlsext_host_name("elsewhere.test")
        ends = tls.exchange(*both)
        assert both[0].get_context() is strict
        assert "peer did not return a certificate" in str(ends[0].error)
        assert "info" in called
        assert "verify" not in called
        tls.exchange(*tls.connections(plain, client), sound=True)
        with pytest.raises(TypeError, match="context"):
            both[0].set_context("x")


class TestDiffieHellman:
    @pytest.fixture
    def parameters(self, tmp_path):
        path = tmp_path / "dh.pem"
        done = subprocess.run(
            ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"],
            capture_output=True,
        )
        if done.returncode:
            pytest.skip("there is no openssl command that makes parameters")
        path.write_bytes(done.stdout)
        return path

    def test_a_file_of_parameters(self, tls, parameters):
        server, client = tls.server_context(ProtocolVersion.TLS1_2, tls.pki.rsa), tls.client_context()
        server.load_tmp_dh(parameters)
        client.set_cipher_list("DHE")
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert both[0].get_cipher_name().startswith("DHE-RSA")

    def test_what_is_no_parameters(self, tls, tmp_path):
        for content in (b"", b"nonsense", tls.pki.good.key_pem, tls.pki.root.pem):
            path = tmp_path / "bad"
            path.write_bytes(content)
            with pytest.raises(Error, match="dhfile"):
                tls.server_context().load_tmp_dh(path)
