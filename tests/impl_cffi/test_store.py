"""impl_cffi/store.py: trust stores, and chains verified against them."""

from __future__ import annotations

import gc
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError, X509StoreContextError
from openssl_iface.impl_cffi.crl import CRL, Revoked
from openssl_iface.impl_cffi.pkey import dump_privatekey
from openssl_iface.impl_cffi.store import X509Store, X509StoreContext
from openssl_iface.impl_cffi.x509 import X509, dump_certificate
from openssl_iface.interfaces import IX509Store, IX509StoreContext
from openssl_iface.values import StorePurpose, X509StoreFlags

# OpenSSL's verdicts (X509_STORE_CTX_get_error(3))
NO_LOCAL_ISSUER, SELF_SIGNED, EXPIRED, REVOKED, NO_CRL, BAD_PURPOSE = 20, 18, 10, 23, 3, 26


@pytest.fixture(scope="session")
def pki(issue: Any) -> SimpleNamespace:
    root = issue("root", ca=True)
    middle = issue("middle", root, ca=True, serial=2)
    leaf = issue("leaf", middle, serial=3, extensions=(("extendedKeyUsage", False, "serverAuth"),))
    return SimpleNamespace(root=root, middle=middle, leaf=leaf, other=issue("other", ca=True))


def store(*issued: Any) -> X509Store:
    made = X509Store()
    for item in issued:
        made.add_cert(item.cert)
    return made


def refusal(context: X509StoreContext) -> X509StoreContextError:
    with pytest.raises(X509StoreContextError) as caught:
        context.verify_certificate()
    error = caught.value
    assert error.args == (str(error),) == (error.errors[2],)
    assert error.errors[:2] == [error.verify_code, error.depth]
    return error


class TestChains:
    def test_the_contracts(self, pki: Any) -> None:
        assert verifyObject(IX509Store, X509Store())
        assert verifyObject(IX509StoreContext, X509StoreContext(X509Store(), pki.leaf.cert))

    def test_a_good_one(self, pki: Any) -> None:
        context = X509StoreContext(store(pki.root), pki.leaf.cert, [pki.middle.cert])
        assert context.verify_certificate() is None
        assert context.verify_certificate() is None
        assert context.get_verified_chain() == [pki.leaf.cert, pki.middle.cert, pki.root.cert]

    def test_the_chain_outlives_everything(self, pki: Any) -> None:
        context = X509StoreContext(store(pki.root), pki.leaf.cert, iter([pki.middle.cert]))
        chain = context.get_verified_chain()
        del context
        gc.collect()
        assert [cert.get_subject().CN for cert in chain] == ["leaf", "middle", "root"]

    def test_an_intermediate_is_missing(self, pki: Any) -> None:
        error = refusal(X509StoreContext(store(pki.root), pki.leaf.cert))
        assert (error.verify_code, error.depth) == (NO_LOCAL_ISSUER, 0)
        assert error.certificate == pki.leaf.cert
        assert "unable to get local issuer certificate" in str(error)

    def test_nobody_is_trusted(self, pki: Any) -> None:
        error = refusal(X509StoreContext(X509Store(), pki.root.cert))
        assert error.verify_code == SELF_SIGNED
        context = X509StoreContext(store(pki.other), pki.leaf.cert, [pki.middle.cert])
        assert refusal(context).verify_code == NO_LOCAL_ISSUER
        context.set_store(store(pki.root))
        context.verify_certificate()

    def test_expiry(self, issue: Any, pki: Any) -> None:
        old = issue("old", pki.root, start=-7200, end=-3600)
        error = refusal(X509StoreContext(store(pki.root), old.cert))
        assert (error.verify_code, error.depth) == (EXPIRED, 0)

    @pytest.mark.parametrize("days", [-1, 4000, 30000])
    def test_at_another_time(self, pki: Any, days: int) -> None:
        trusted = store(pki.root)
        trusted.set_time(datetime.now(UTC) + timedelta(days=days))
        assert refusal(X509StoreContext(trusted, pki.leaf.cert, [pki.middle.cert])).verify_code in (
            9,
            EXPIRED,
        )
        trusted.set_time(datetime.now(UTC))
        X509StoreContext(trusted, pki.leaf.cert, [pki.middle.cert]).verify_certificate()

    def test_the_purpose(self, pki: Any) -> None:
        trusted = store(pki.root)
        trusted.set_purpose(StorePurpose.SSL_SERVER)
        X509StoreContext(trusted, pki.leaf.cert, [pki.middle.cert]).verify_certificate()
        trusted.set_purpose(StorePurpose.SSL_CLIENT)
        error = refusal(X509StoreContext(trusted, pki.leaf.cert, [pki.middle.cert]))
        assert error.verify_code == BAD_PURPOSE

    def test_a_partial_chain(self, pki: Any) -> None:
        trusted = store(pki.middle)
        assert refusal(X509StoreContext(trusted, pki.leaf.cert)).verify_code == 2
        trusted.set_flags(X509StoreFlags.PARTIAL_CHAIN)
        X509StoreContext(trusted, pki.leaf.cert).verify_certificate()

    def test_revocation(self, pki: Any) -> None:
        crl = CRL()
        revoked = Revoked()
        revoked.set_serial(pki.leaf.cert.get_serial_number())
        revoked.set_rev_date(b"20260101000000Z")
        crl.add_revoked(revoked)
        crl.export(pki.middle.cert, pki.middle.key)
        trusted = store(pki.root)
        trusted.set_flags(X509StoreFlags.CRL_CHECK)
        context = X509StoreContext(trusted, pki.leaf.cert, [pki.middle.cert])
        assert refusal(context).verify_code == NO_CRL
        trusted.add_crl(crl)
        assert refusal(context).verify_code == REVOKED
        empty = CRL()
        empty.export(pki.middle.cert, pki.middle.key)
        fresh = store(pki.root)
        fresh.set_flags(X509StoreFlags.CRL_CHECK)
        fresh.add_crl(empty)
        X509StoreContext(fresh, pki.leaf.cert, [pki.middle.cert]).verify_certificate()

    def test_several_threads_use_one_store(self, pki: Any) -> None:
        trusted = store(pki.root)
        shared = X509StoreContext(trusted, pki.leaf.cert, [pki.middle.cert])
        failures: list[BaseException] = []

        def work() -> None:
            try:
                for _ in range(50):
                    trusted.add_cert(pki.other.cert)
                    assert len(shared.get_verified_chain()) == 3
                    X509StoreContext(trusted, pki.leaf.cert, [pki.middle.cert]).verify_certificate()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


class TestArguments:
    def test_a_certificate_may_come_twice(self, pki: Any) -> None:
        trusted = store(pki.root, pki.root)
        trusted.add_cert(pki.root.cert)

    def test_what_is_trusted_is_not_changed_later(self, issue: Any) -> None:
        issued = issue("changing", ca=True)
        cert = X509._from_raw(issued.cert._x509)
        trusted = store(SimpleNamespace(cert=cert))
        cert.get_subject().CN = "other"
        X509StoreContext(trusted, issued.cert).verify_certificate()

    @pytest.mark.parametrize("wrong", [None, "x", 5, object()])
    def test_other_types_are_refused(self, pki: Any, wrong: Any) -> None:
        made = X509Store()
        for call in (
            lambda: made.add_cert(wrong),
            lambda: made.add_crl(wrong),
            lambda: made.set_time(wrong),
            lambda: X509StoreContext(wrong, pki.leaf.cert),
            lambda: X509StoreContext(made, wrong),
            lambda: X509StoreContext(made, pki.leaf.cert, [wrong]),
            lambda: X509StoreContext(made, pki.leaf.cert).set_store(wrong),
        ):
            with pytest.raises(TypeError):
                call()
        for call in (lambda: made.set_flags(wrong), lambda: made.set_purpose(wrong)):
            if wrong != 5:
                with pytest.raises(TypeError):
                    call()

    @pytest.mark.parametrize("chain", [5, True, 0, b"", "x", [None]])
    def test_what_is_no_chain_is_refused(self, chain: Any) -> None:
        with pytest.raises(TypeError, match=r"^chain: "):
            X509StoreContext(X509Store(), X509(), chain)

    def test_what_is_not_complete_is_refused(self) -> None:
        with pytest.raises(CryptoError, match=r"cert: .*not complete"):
            X509Store().add_cert(X509())
        with pytest.raises(CryptoError, match=r"crl: .*not complete"):
            X509Store().add_crl(CRL())
        with pytest.raises(CryptoError, match=r"certificate: .*not complete"):
            X509StoreContext(X509Store(), X509()).verify_certificate()

    @pytest.mark.parametrize("purpose", [-1, 2**31, 999])
    def test_an_unknown_purpose_is_refused(self, purpose: int) -> None:
        with pytest.raises((ValueError, CryptoError), match="purpose"):
            X509Store().set_purpose(purpose)

    @pytest.mark.parametrize("flags", [-1, 2**70])
    def test_flags_have_a_range(self, flags: int) -> None:
        with pytest.raises(ValueError, match="flags"):
            X509Store().set_flags(flags)


class TestLocations:
    def test_a_file(self, pki: Any, tmp_path: Path) -> None:
        file = tmp_path / "räka.pem"
        file.write_bytes(dump_certificate(1, pki.other.cert) + dump_certificate(1, pki.root.cert))
        for path in (file, str(file), os.fsencode(file)):
            trusted = X509Store()
            trusted.load_locations(path)
            X509StoreContext(trusted, pki.leaf.cert, [pki.middle.cert]).verify_certificate()

    def test_a_directory(self, pki: Any, tmp_path: Path) -> None:
        name = f"{pki.root.cert.subject_name_hash():08x}.0"
        (tmp_path / name).write_bytes(dump_certificate(1, pki.root.cert))
        trusted = X509Store()
        trusted.load_locations(None, tmp_path)
        X509StoreContext(trusted, pki.leaf.cert, [pki.middle.cert]).verify_certificate()

    def test_what_cannot_be_read(self, key: Any, tmp_path: Path) -> None:
        empty, wrong = tmp_path / "empty", tmp_path / "wrong"
        empty.write_bytes(b"")
        wrong.write_bytes(dump_privatekey(1, key("EC", 256)))
        for file in (tmp_path / "missing", empty, wrong, tmp_path):
            with pytest.raises(CryptoError, match="cafile"):
                X509Store().load_locations(file)
        with pytest.raises(CryptoError, match="one of them"):
            X509Store().load_locations(None)
        with pytest.raises(ValueError, match="NUL"):
            X509Store().load_locations("a\0b")
        with pytest.raises(TypeError, match="cafile"):
            X509Store().load_locations(5)
        with pytest.raises(TypeError, match="capath"):
            X509Store().load_locations(None, object())

    def test_the_systems_certificates(self) -> None:
        X509Store().set_default_paths()
