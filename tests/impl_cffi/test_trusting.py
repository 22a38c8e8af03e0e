from __future__ import annotations

import threading

import pytest

from openssl_iface.errors import CertificateVerificationError, CryptoError, Error
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.backend import backend
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.impl_cffi.context import Context
from openssl_iface.impl_cffi.store import X509Store
from openssl_iface.impl_cffi.x509 import X509
from openssl_iface.testing.pki import CASES, Authority, raw_dns_names
from openssl_iface.values import Method, ProtocolVersion, VerifyMode

DEMAND = VerifyMode.PEER | VerifyMode.FAIL_IF_NO_PEER_CERT
HOSTS = {"wildcard": "www.localhost.test", "ip": "127.0.0.1"}
# X509_V_ERR_...
INVALID_EXTENSION, APPLICATION_VERIFICATION, HOSTNAME_MISMATCH = 41, 50, 62
# What OpenSSL has to be told to look for.
NEEDS_MORE = {"revoked"}


def attempt(tls, identity, host, *, version=None, client=None):
    both = tls.connections(
        tls.server_context(version, identity), client or tls.client_context(version), host=host
    )
    return tls.exchange(*both)


class TestServersCertificates:
    @pytest.mark.parametrize("case", [case for case in CASES if case not in NEEDS_MORE])
    def test_each_case_is_judged_as_it_must_be(self, tls, version, case):
        identity = getattr(tls.pki, case)
        server, client = attempt(tls, identity, HOSTS.get(case, "localhost"), version=version)
        if not identity.verdicts:
            assert client.error is None, client.error
            assert client.connection.get_verify_result() == 0
            chain = client.connection.get_verified_chain()
            assert chain[0].digest("sha256") == identity.certificate.digest("sha256")
            assert chain[-1].digest("sha256") == tls.pki.root.certificate.digest("sha256")
            return
        error = client.error
        assert not client.connection.handshake_done
        if case == "broken_san" and server.error.alert is None:
            return  # OpenSSL's server would not present it
        assert type(error) is CertificateVerificationError
        # A malformed name is called invalid where it is looked at before the name.
        assert error.verify_code in identity.verdicts | {INVALID_EXTENSION}
        assert error.verify_message
        assert error.depth >= 0
        assert isinstance(error.certificate, X509)
        assert error.verify_message in str(error)
        assert not client.connection.handshake_done
        assert client.connection.get_verified_chain() is None
        assert f"the peer sent the alert {server.error.alert} (" in str(server.error)
        if error.depth == 0:
            assert error.certificate.digest("sha256") == identity.certificate.digest("sha256")

    def test_revoked_ones_with_a_list(self, tls):
        client = tls.client_context()
        store = client.get_cert_store()
        store.add_crl(tls.pki.crl)
        store.set_flags(4)
        _, end = attempt(tls, tls.pki.revoked, "localhost", client=client)
        assert end.error.verify_code == 23

    @pytest.mark.parametrize(
        ("names", "host", "good"),
        [
            (["localhost"], "LOCALHOST", True),
            (["localhost"], "localhost.", True),
            (["localhost"], b"localhost", True),
            (["a.example.test"], "b.example.test", False),
            (["*.example.test"], "a.example.test", True),
            (["*.example.test"], "example.test", False),
            (["*.example.test"], "a.b.example.test", False),
            (["w*.example.test"], "www.example.test", False),
            (["*.test"], "example.test", False),
            (["xn--bcher-kva.example"], "bücher.example", True),
            (["xn--bcher-kva.example"], "BÜCHER.example.", True),
            (["127.0.0.1"], "127.0.0.1", True),
            (["127.0.0.1"], "127.0.0.2", False),
            (["::1"], "::1", True),
            (["::1"], "0:0:0:0:0:0:0:1", True),
            (["127.0.0.1"], "localhost", False),
            (["localhost"], "127.0.0.1", False),
        ],
    )
    def test_names(self, tls, names, host, good):
        identity = tls.pki.ca.issue(*names, common_name="nobody")
        _, end = attempt(tls, identity, host)
        assert (end.error is None) is good, end.error
        if not good:
            assert end.error.verify_code in {62, 64}

    def test_an_address_in_a_dns_name_does_not_count(self, tls):
        identity = tls.pki.ca.issue(alt_names="DNS:127.0.0.1", common_name="x")
        assert attempt(tls, identity, "127.0.0.1")[1].error.verify_code == 64

    @pytest.mark.parametrize(
        ("names", "host"), [("IP:127.0.0.1", "localhost"), ("DNS:other.test", "127.0.0.1")]
    )
    def test_a_common_name_does_not_count(self, tls, version, names, host):
        """Whatever names of other kinds there are; nor where a session of nobody in particular is resumed."""
        server = tls.server_context(version, tls.pki.ca.issue(alt_names=names, common_name=host))
        client = tls.client_context(version)
        before = tls.connections(server, client, host=None)
        tls.exchange(*before, sound=True)
        session = before[1].get_session()
        for resuming in (False, True):
            both = tls.connections(server, client, host=host)
            if resuming:
                both[1].set_session(session)
            assert tls.exchange(*both)[1].error.verify_code in {62, 64}

    @pytest.mark.parametrize("bad", [b"a b", b"localhost ", b"a\0b", b"\0", b"a\x7f", b"\xe9", b"\n"])
    def test_a_name_that_cannot_be_meant_spoils_a_good_one(self, tls, version, bad):
        """Also where a session of nobody in particular is resumed."""
        identity = tls.pki.ca.issue(alt_names=raw_dns_names(b"localhost", bad), common_name="x")
        _, end = attempt(tls, identity, "localhost", version=version)
        assert end.error.verify_code == INVALID_EXTENSION
        server, client = tls.server_context(version, identity), tls.client_context(version)
        before = tls.connections(server, client, host=None)
        tls.exchange(*before, sound=True)
        both = tls.connections(server, client)
        both[1].set_session(before[1].get_session())
        assert tls.exchange(*both)[1].error.verify_code == INVALID_EXTENSION

    @pytest.mark.parametrize(
        "name",
        [
            "", ".", "..", ".example.test", "*.example.test", "a b", "a\0b", "exa mple", "-a.test", "a..b",
            "https://a.test", "a.test:443", "fe80::1%eth0", "a" * 64 + ".test", "x." * 130, b"\xff", "\udc80",
        ],
    )  # fmt: skip
    def test_what_is_no_name_is_refused_and_changes_nothing(self, tls, name):
        server, client = tls.connections(*tls.contexts(), host="elsewhere.test")
        with pytest.raises((ValueError, Error), match="name"):
            client.set_verify_host(name)
        assert tls.exchange(server, client)[1].error.verify_code == 62

    @pytest.mark.parametrize("hosts", [("127.0.0.1", "localhost"), ("localhost", "127.0.0.1")])
    def test_the_last_name_counts(self, tls, hosts):
        for good, host in enumerate(hosts):
            identity = tls.pki.ca.issue(host, common_name="nobody")
            both = tls.connections(tls.server_context(None, identity), tls.client_context(), host=hosts[0])
            both[1].set_verify_host(hosts[1])
            assert (tls.exchange(*both)[1].error is None) is bool(good)

    def test_a_name_alone_is_enough_to_verify(self, tls):
        client = Context(Method.TLS)
        client.get_cert_store().add_cert(tls.pki.root.certificate)
        assert attempt(tls, tls.pki.wrong_name, "localhost", client=client)[1].error.verify_code == 62
        assert attempt(tls, tls.pki.good, "localhost", client=client)[1].error is None
        assert attempt(tls, tls.pki.wrong_name, None, client=client)[1].error is None

    def test_who_has_no_certificate_has_not_that_name(self, tls):
        server, client = tls.contexts(ProtocolVersion.TLS1_2)
        for context in (server, client):
            context.set_cipher_list(b"aNULL:@SECLEVEL=0")
        for host in (None, "localhost"):
            accepting, connecting = tls.exchange(*tls.connections(server, client, host=host))
            assert connecting.connection.get_peer_certificate() is None
            if host is None:
                assert accepting.error is connecting.error is None
                assert connecting.connection.handshake_done
        assert type(connecting.error) is CertificateVerificationError
        assert connecting.error.verify_code == HOSTNAME_MISMATCH
        with pytest.raises(Error):
            connecting.connection.send(b"to whom?")

    def test_a_name_that_comes_too_late_is_an_error(self, tls):
        _, client = tls.pair()
        with pytest.raises(Error, match="handshake"):
            client.set_verify_host("localhost")

    def test_the_depth(self, tls):
        client = tls.client_context()
        assert client.get_verify_depth() == -1
        client.set_verify_depth(0)
        assert client.get_verify_depth() == 0
        assert attempt(tls, tls.pki.good, "localhost", client=client)[1].error.verify_code in {20, 22}
        client.set_verify_depth(1)
        assert attempt(tls, tls.pki.good, "localhost", client=client)[1].error is None
        both = tls.connections(tls.server_context(), tls.client_context())
        both[1].set_verify_depth(0)
        assert tls.exchange(*both)[1].error.verify_code in {20, 22}


class TestVerifyCallback:
    def test_it_hears_of_each_certificate_from_the_root_down(self, tls, version):
        heard = []
        server, client = tls.contexts(version)
        client.set_verify(VerifyMode.PEER, lambda *arguments: heard.append(arguments) or arguments[4])
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert [(one[2], one[3], one[4]) for one in heard] == [(0, 2, 1), (0, 1, 1), (0, 0, 1)]
        assert {one[0] for one in heard} == {both[1]}
        assert heard[-1][1].get_subject().CN == "localhost"

    def test_it_may_refuse_what_is_good(self, tls, version):
        server, client = tls.contexts(version)
        client.set_verify(VerifyMode.PEER, lambda c, cert, code, depth, ok: depth != 1)
        _, end = tls.exchange(*tls.connections(server, client))
        assert type(end.error) is CertificateVerificationError
        assert (end.error.verify_code, end.error.depth) == (APPLICATION_VERIFICATION, 1)

    def test_its_verdict_is_what_the_manual_says_it_is(self, tls, version):
        client = tls.client_context(version)
        client.set_verify(VerifyMode.PEER, lambda *_: True)
        _, end = attempt(tls, tls.pki.untrusted, "localhost", version=version, client=client)
        assert end.error is None
        assert end.connection.get_verify_result() == 0

    def test_without_verification_a_refusal_is_only_noted(self, tls, version):
        client = tls.client_context(version)
        client.set_verify(VerifyMode.NONE)
        server, end = attempt(tls, tls.pki.untrusted, None, version=version, client=client)
        assert end.error is None
        assert end.connection.get_verify_result() in tls.pki.untrusted.verdicts
        assert end.connection.get_verified_chain() is None
        # ... and not taken for the reason of what happens later.
        with pytest.raises(Error) as caught:
            end.connection.event_feed(b"\x17\x03\x03\x00\x05fouls")
        assert type(caught.value) is Error
        server.connection.event_detach()

    def test_the_chain_callback_cannot_accept_what_openssl_refuses(self, tls, version):
        heard = []
        client = tls.client_context(version)
        client.set_cert_verify_callback(lambda c, ok: heard.append(ok) or True)
        _, end = attempt(tls, tls.pki.untrusted, "localhost", version=version, client=client)
        assert type(end.error) is CertificateVerificationError
        assert end.error.verify_code in tls.pki.untrusted.verdicts
        assert heard == [False]

    def test_the_chain_callback_is_not_asked_once_the_other_has_raised(self, tls, version):
        heard = []

        def fail(*_):
            raise ZeroDivisionError

        client = tls.client_context(version)
        client.set_verify(VerifyMode.PEER, fail)
        client.set_cert_verify_callback(lambda c, ok: heard.append(ok) or True)
        _, end = attempt(tls, tls.pki.good, "localhost", version=version, client=client)
        assert type(end.error) is ZeroDivisionError
        assert heard == []

    def test_the_chain_callback_may_refuse(self, tls, version):
        client = tls.client_context(version)
        client.set_cert_verify_callback(lambda c, ok: False)
        server, end = attempt(tls, tls.pki.good, "localhost", version=version, client=client)
        assert end.error.verify_code == APPLICATION_VERIFICATION
        assert end.connection.get_verify_result() == APPLICATION_VERIFICATION
        assert end.error.certificate.get_subject().CN == "localhost"
        assert server.error.alert is not None


class TestClientsCertificates:
    def contexts(self, tls, version, identity):
        server, client = tls.contexts(version)
        server.get_cert_store().add_cert(tls.pki.root.certificate)
        server.set_verify(DEMAND)
        if identity is not None:
            client.use_certificate_chain([identity.certificate, *identity.chain])
            client.use_privatekey(identity.key)
        return server, client

    def test_a_good_one(self, tls, version):
        both = tls.connections(*self.contexts(tls, version, tls.pki.client))
        tls.exchange(*both, sound=True)
        assert both[0].get_peer_certificate().get_subject().CN == "client.test"
        assert next(one.get_subject().CN for one in both[0].get_peer_cert_chain()) == "client.test"
        assert len(both[0].get_verified_chain()) == 3

    @pytest.mark.parametrize("case", ["none", "good", "untrusted"])
    def test_bad_ones(self, tls, version, case):
        identity = None if case == "none" else getattr(tls.pki, case)
        server, client = tls.exchange(*tls.connections(*self.contexts(tls, version, identity)))
        assert isinstance(server.error, Error)
        assert (
            client.error.alert
            == ({"none": 116 if version == ProtocolVersion.TLS1_3 else 40, "good": 43, "untrusted": 48}[case])
        )
        if case != "none":
            assert type(server.error) is CertificateVerificationError

    def test_names_of_authorities(self, tls, version, tmp_path):
        server, client = tls.contexts(version)
        server.set_verify(VerifyMode.PEER)
        root = tls.pki.root.certificate
        path = tmp_path / "ca.pem"
        path.write_bytes(tls.pki.root.pem)
        heard = []
        client.set_cert_cb(lambda c: heard.append([name.CN for name in c.get_client_ca_list()]))
        for configure in (
            lambda: server.load_client_ca(path),
            lambda: server.set_client_ca_list([root.get_subject()] * 2),
            lambda: server.add_client_ca(root),
            lambda: server.set_client_ca_list([]),
        ):
            configure()
            tls.exchange(*tls.connections(server, client), sound=True)
        assert [len(names) for names in heard] == [1, 2, 3, 0]
        assert heard[0] == [root.get_subject().CN]

    def test_a_great_many_names(self, tls, version):
        server, client = tls.contexts(version)
        server.set_verify(VerifyMode.PEER)
        names = []
        for number in range(1000):
            certificate = X509()
            certificate.get_subject().CN = f"authority {number} of a great many"
            names.append(certificate.get_subject())
        server.set_client_ca_list(names)
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        assert len(both[1].get_client_ca_list()) == 1000
        assert all(one.handshake_done for one in both)


class TestStores:
    """A change counts for later connections, and for no other."""

    def good(self, tls, server, client):
        return tls.exchange(*tls.connections(server, client))[1].error is None

    def test_what_is_added_counts_from_then_on(self, tls):
        server, client = tls.server_context(), Context(Method.TLS)
        client.set_verify(VerifyMode.PEER)
        store = client.get_cert_store()
        assert client.get_cert_store() is store
        early = tls.connections(server, client)
        assert not self.good(tls, server, client)
        store.add_cert(tls.pki.root.certificate)
        assert self.good(tls, server, client)
        assert isinstance(tls.exchange(*early)[1].error, CertificateVerificationError)

    @pytest.mark.parametrize("way", ["cafile", "capath", "both", "set_cert_store", "default"])
    def test_every_way_to_trust(self, tls, tmp_path, monkeypatch, way):
        server, client = tls.server_context(), Context(Method.TLS)
        client.set_verify(VerifyMode.PEER)
        early = tls.connections(server, client)
        assert not self.good(tls, server, client)
        file = tls.pki.write_root(tmp_path)
        directory = tmp_path / "hashed"
        directory.mkdir()
        name = f"{tls.pki.root.certificate.get_subject().hash():08x}.0"
        (directory / name).write_bytes(tls.pki.root.pem)
        if way == "cafile":
            client.load_verify_locations(file)
        elif way == "capath":
            client.load_verify_locations(None, str(directory))
        elif way == "both":
            client.load_verify_locations(str(file).encode(), directory)
        elif way == "set_cert_store":
            store = X509Store()
            store.load_locations(None, directory)
            client.set_cert_store(store)
        else:
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
            monkeypatch.setenv("SSL_CERT_DIR", str(directory))
            client.set_default_verify_paths()
        assert self.good(tls, server, client)
        # A further change does not lose it.
        client.get_cert_store().add_cert(Authority("another").certificate)
        assert self.good(tls, server, client)
        assert isinstance(tls.exchange(*early)[1].error, CertificateVerificationError)

    def test_a_shared_store_is_shared(self, tls):
        store, server = X509Store(), tls.server_context()
        clients = [Context(Method.TLS) for _ in range(2)]
        for client in clients:
            client.set_verify(VerifyMode.PEER)
            client.set_cert_store(store)
        store.add_cert(tls.pki.root.certificate)
        assert all(self.good(tls, server, client) for client in clients)
        assert clients[0].get_cert_store() is store

    def test_the_systems_store_is_never_added_to(self, tls):
        server = tls.server_context()
        first, second = backend.client_context(), backend.client_context()
        first.get_cert_store().add_cert(tls.pki.root.certificate)
        assert self.good(tls, server, first)
        assert not self.good(tls, server, second)
        assert not self.good(tls, server, backend.client_context())

    def test_flags_and_times_count_too(self, tls):
        from datetime import UTC, datetime, timedelta

        server, client = tls.contexts()
        assert self.good(tls, server, client)
        client.get_cert_store().set_time(datetime.now(UTC) + timedelta(days=365))
        assert tls.exchange(*tls.connections(server, client))[1].error.verify_code == 10

    def test_revocation_lists_in_a_file(self, tls, tmp_path):
        path = tmp_path / "both.pem"
        path.write_bytes(tls.pki.root.pem + tls.pki.crl_pem)
        client = Context(Method.TLS)
        client.set_verify(VerifyMode.PEER)
        client.load_verify_locations(path)
        client.get_cert_store().set_flags(4)
        assert attempt(tls, tls.pki.revoked, "localhost", client=client)[1].error.verify_code == 23
        assert attempt(tls, tls.pki.good, "localhost", client=client)[1].error is None

    def test_bad_files_change_nothing(self, tls, tmp_path):
        client = tls.client_context()
        bad = tmp_path / "bad.pem"
        bad.write_bytes(
            tls.pki.root.pem + b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"
        )
        size = lib.oi_store_size(client.get_cert_store()._store)
        for arguments, kind in (
            ((bad,), Error),
            ((tmp_path / "none",), Error),
            ((tmp_path,), Error),
            ((None, tmp_path / "none"), Error),
            ((None, bad), Error),
            ((None, None), ValueError),
            ((5,), TypeError),
            ((None, 5), TypeError),
            (("a\0b",), Error),
            ((None, "a\0b"), ValueError),
        ):
            with pytest.raises(kind, match=r"cafile|capath"):
                client.load_verify_locations(*arguments)
        (tmp_path / "empty").write_bytes(b"")
        with pytest.raises(Error, match="cafile"):
            client.load_verify_locations(tmp_path / "empty")
        assert lib.oi_store_size(client.get_cert_store()._store) == size
        for wrong in (5, None, "x"):
            with pytest.raises(TypeError, match="store"):
                client.set_cert_store(wrong)

    def test_changes_while_others_shake_hands(self, tls):
        server, client = tls.contexts()
        stop = threading.Event()

        def change():
            number = 0
            while not stop.is_set():
                number += 1
                client.get_cert_store().add_cert(tls.pki.ca.certificate)
                client.get_cert_store().set_flags(0)
                server.set_cipher_list("ECDHE+AESGCM" if number % 2 else "ECDHE+CHACHA20:ECDHE+AESGCM")
                server.set_client_ca_list([tls.pki.root.certificate.get_subject()] * (number % 5))
                server.add_client_ca(tls.pki.root.certificate)
                server.set_verify(VerifyMode.PEER if number % 3 else VerifyMode.NONE)
                if number % 10 == 0:
                    server.add_extra_chain_cert(tls.pki.root.certificate)
                    client.set_cert_store(client.get_cert_store().copy())
            return number

        def shake():
            try:
                for _ in range(60):
                    tls.exchange(*tls.connections(server, client), sound=True)
            finally:
                stop.set()
            return True

        assert tls.together(change, shake, shake)[1:] == [True, True]


class TestArguments:
    @pytest.mark.parametrize(
        ("call", "kind", "name"),
        [
            (lambda c: c.set_verify("1"), TypeError, "mode"),
            (lambda c: c.set_verify(16), ValueError, "mode"),
            (lambda c: c.set_verify(1, 5), TypeError, "callback"),
            (lambda c: c.set_verify_depth(-1), ValueError, "depth"),
            (lambda c: c.set_verify_depth("1"), TypeError, "depth"),
            (lambda c: c.set_client_ca_list(5), TypeError, "names"),
            (lambda c: c.set_client_ca_list("abc"), TypeError, "names"),
            (lambda c: c.set_client_ca_list([5]), TypeError, "names"),
            (lambda c: c.add_client_ca(5), TypeError, "certificate"),
            (lambda c: c.add_client_ca(X509()), Error, "certificate"),
            (lambda c: c.load_client_ca("/nonexistent"), Error, "pemfile"),
            (lambda c: c.load_client_ca(5), TypeError, "pemfile"),
        ],
    )
    def test_wrong_ones_are_named_and_change_nothing(self, tls, call, kind, name):
        client = tls.client_context()
        with pytest.raises(kind, match=name) as caught:
            call(client)
        assert not isinstance(caught.value, CryptoError)
        assert client.get_verify_mode() == VerifyMode.PEER
        assert attempt(tls, tls.pki.good, "localhost", client=client)[1].error is None

    def test_a_connection_of_its_own_mind(self, tls):
        server, client = tls.contexts()
        both = tls.connections(server, client, host=None)
        both[1].set_verify(VerifyMode.NONE)
        assert both[1].get_verify_mode() == VerifyMode.NONE
        assert client.get_verify_mode() == VerifyMode.PEER
        assert isinstance(both[1], Connection)
