"""impl_cffi/x509.py: certificates."""

from __future__ import annotations

import gc
import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi._asn1 import time_to_bytes
from openssl_iface.impl_cffi._handles import own
from openssl_iface.impl_cffi._native import ffi, lib
from openssl_iface.impl_cffi.crl import CRL
from openssl_iface.impl_cffi.extension import X509Extension
from openssl_iface.impl_cffi.name import X509Name
from openssl_iface.impl_cffi.pkey import PKey, dump_publickey, load_publickey, sign
from openssl_iface.impl_cffi.request import X509Req
from openssl_iface.impl_cffi.x509 import (
    X509,
    dump_certificate,
    load_certificate,
    load_certificates,
    verify,
)
from openssl_iface.interfaces import IX509
from openssl_iface.values import FileType

PEM, DER, TEXT = FileType.PEM, FileType.ASN1, FileType.TEXT

KINDS = [("RSA", 2048), ("RSA-PSS", 2048), ("DSA", 2048), ("EC", 256), ("ED25519", 0), ("ED448", 0)]
if lib.OBJ_txt2nid(b"ML-DSA-65"):
    KINDS.append(("ML-DSA-65", 0))
lib.ERR_clear_error()


@pytest.fixture
def cert(issue: Any) -> X509:
    """A complete certificate, of this test alone."""
    return load_certificate(DER, dump_certificate(DER, issue("subject").cert))


class TestFields:
    def test_version(self) -> None:
        cert = X509()
        assert cert.get_version() == 0
        cert.set_version(2)
        assert cert.get_version() == 2
        for wrong in ("2", 2.0, None):
            with pytest.raises(TypeError, match="version"):
                cert.set_version(wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="version"):
            cert.set_version(2**63)

    @pytest.mark.parametrize(
        "serial",
        [
            *(0, 1, 127, 128, 255, 256, 2**31, 2**32, 2**63, 2**64 + 1, 2**128 + 1, 2**159 - 1),
            *(-1, -127, -128, -129, -255, -256, -(2**32), -(2**63), -(2**64), -(2**159)),
        ],
    )
    def test_serial_numbers_of_up_to_20_octets(self, cert: X509, key: Any, serial: int) -> None:
        cert.set_serial_number(serial)
        assert cert.get_serial_number() == serial
        cert.sign(key("EC", 256), "sha256")
        again = load_certificate(DER, dump_certificate(DER, cert))
        assert again.get_serial_number() == serial

    @pytest.mark.parametrize(
        "serial", [2**159, -(2**159) - 1, 2**160, 2**4096, pytest.param(1 << 20000, id="no decimals")]
    )
    def test_longer_ones_are_refused(self, cert: X509, serial: int) -> None:
        before = cert.get_serial_number()
        with pytest.raises(ValueError, match="serial"):
            cert.set_serial_number(serial)
        assert cert.get_serial_number() == before

    @pytest.mark.parametrize("serial", ["1", 1.0, None, b"1"])
    def test_serial_numbers_are_integers(self, serial: Any) -> None:
        with pytest.raises(TypeError, match="serial"):
            X509().set_serial_number(serial)

    def test_longer_serial_numbers_are_read(self, cert: X509) -> None:
        der = dump_certificate(DER, cert)
        long = der.replace(
            b"\xa0\x03\x02\x01\x02\x02\x01\x01", b"\xa0\x03\x02\x01\x02\x02\x1e\x7f" + b"\x11" * 29
        )
        outer, inner = 29, 29
        assert der[:2] == b"\x30\x82"
        assert der[4:6] == b"\x30\x82"
        head = (
            b"\x30\x82"
            + (int.from_bytes(der[2:4], "big") + outer).to_bytes(2, "big")
            + b"\x30\x82"
            + (int.from_bytes(der[6:8], "big") + inner).to_bytes(2, "big")
        )
        assert load_certificate(DER, head + long[8:]).get_serial_number() == int("7f" + "11" * 29, 16)

    def test_names_are_names(self, cert: X509) -> None:
        for setter in (cert.set_subject, cert.set_issuer):
            for wrong in ("CN=x", None, cert):
                with pytest.raises(TypeError, match="X509Name"):
                    setter(wrong)  # type: ignore[arg-type]

    def test_a_public_key_will_do(self, key: Any) -> None:
        public = load_publickey(PEM, dump_publickey(PEM, key("RSA", 2048)))
        cert = X509()
        cert.set_pubkey(public)
        assert cert.get_pubkey() == key("RSA", 2048)

    def test_the_private_half_does_not_come_out_again(self, key: Any) -> None:
        cert = X509()
        cert.set_pubkey(key("RSA", 2048))
        with pytest.raises(CryptoError, match="public key"):
            sign(cert.get_pubkey(), b"x", "sha256")
        assert b"private" not in dump_publickey(TEXT, cert.get_pubkey()).lower()

    @pytest.mark.parametrize("wrong", [None, "key", 5, X509()])
    def test_a_key_is_a_key(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="pkey"):
            X509().set_pubkey(wrong)

    def test_no_key_is_an_error(self) -> None:
        with pytest.raises(CryptoError, match="no public key"):
            X509().get_pubkey()
        with pytest.raises(CryptoError, match="no key yet"):
            X509().set_pubkey(PKey())


class TestValidity:
    @pytest.mark.parametrize(
        ("when", "form"),
        [
            (b"19500101000000Z", b"\x17\x0d500101000000Z"),
            (b"19491231235959Z", b"\x18\x0f19491231235959Z"),
            (b"20380119031408Z", b"\x17\x0d380119031408Z"),
            (b"20491231235959Z", b"\x17\x0d491231235959Z"),
            (b"20500101000000Z", b"\x18\x0f20500101000000Z"),
            (b"21060207062816Z", b"\x18\x0f21060207062816Z"),
            (b"99991231235959Z", b"\x18\x0f99991231235959Z"),
            (b"00010101000000Z", b"\x18\x0f00010101000000Z"),
            (b"20240229120000Z", b"\x17\x0d240229120000Z"),
        ],
    )
    def test_the_form_is_chosen_by_the_year(self, cert: X509, key: Any, when: bytes, form: bytes) -> None:
        cert.set_notBefore(when)
        cert.set_notAfter(when)
        assert (cert.get_notBefore(), cert.get_notAfter()) == (when, when)
        cert.sign(key("EC", 256), "sha256")
        der = dump_certificate(DER, cert)
        assert der.count(form) == 2
        again = load_certificate(DER, der)
        assert (again.get_notBefore(), again.get_notAfter()) == (when, when)
        assert again.not_valid_after == datetime.strptime(when.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)

    @pytest.mark.parametrize(
        ("when", "meant"),
        [
            (b"20200101120000+0100", b"20200101110000Z"),
            (b"20200101000000-0130", b"20200101013000Z"),
            ("20200101120000Z", b"20200101120000Z"),
            (bytearray(b"20200101120000Z"), b"20200101120000Z"),
            (memoryview(b"20200101120000Z"), b"20200101120000Z"),
            (datetime(2020, 1, 1, 12), b"20200101120000Z"),  # noqa: DTZ001
            (datetime(2020, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))), b"20200101100000Z"),
            (datetime(2060, 1, 1, 12, 0, 0, 999999, tzinfo=UTC), b"20600101120000Z"),
        ],
    )
    def test_other_ways_to_say_it(self, when: Any, meant: bytes) -> None:
        cert = X509()
        cert.set_notAfter(when)
        assert cert.get_notAfter() == meant

    @pytest.mark.parametrize(
        "when",
        [
            *(b"", b"now", b"20200101120000", b"20200101120000z", b"200101120000Z", b" 20200101120000Z"),
            *(b"20201301120000Z", b"20200230000000Z", b"20200101250000Z", b"20200101120060Z"),
            *(b"20200101120000.5Z", b"20200101120000Z\0", b"20200101120000Z\n", b"2020010112000\xb2Z"),
            *(b"20260101000000+9999", b"20260101000000+2400", b"20260101000000-0060"),
            *(b"00000101000000Z", b"99991231235959-0001", "20200101120000Z".translate({48: 0xFF10})),
        ],
    )
    def test_what_is_no_time_is_refused(self, cert: X509, when: Any) -> None:
        before = cert.get_notBefore(), cert.get_notAfter()
        for setter in (cert.set_notBefore, cert.set_notAfter):
            with pytest.raises(ValueError, match="when"):
                setter(when)
        assert (cert.get_notBefore(), cert.get_notAfter()) == before

    @pytest.mark.parametrize("when", [None, 5, 5.0, ["x"]])
    def test_another_type_is_refused(self, when: Any) -> None:
        with pytest.raises(TypeError, match="when"):
            X509().set_notBefore(when)

    @pytest.mark.parametrize("seconds", [0, 1, -1, 86400, -86400, 2**31, 2**32, 3 * 10**9, -(10**9)])
    def test_seconds_from_now(self, seconds: int) -> None:
        cert = X509()
        # OpenSSL asks time(2), which is up to some milliseconds behind: it may be the second before there.
        first = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
        cert.gmtime_adj_notBefore(seconds)
        cert.gmtime_adj_notAfter(seconds)
        last = datetime.now(UTC)
        for end in (cert.not_valid_before, cert.not_valid_after):
            assert end is not None
            assert first <= end - timedelta(seconds=seconds) <= last

    @pytest.mark.parametrize("seconds", [2**62, 2**70, -(2**62), 10**12])
    def test_beyond_the_year_9999_is_refused(self, seconds: int) -> None:
        with pytest.raises(ValueError, match="amount"):
            X509().gmtime_adj_notAfter(seconds)

    @pytest.mark.parametrize("seconds", ["1", None, 1.5])
    def test_seconds_are_integers(self, seconds: Any) -> None:
        with pytest.raises(TypeError, match="amount"):
            X509().gmtime_adj_notBefore(seconds)

    def test_expiry(self) -> None:
        cert = X509()
        cert.gmtime_adj_notAfter(-2)
        assert cert.has_expired() is True
        cert.gmtime_adj_notAfter(3600)
        assert cert.has_expired() is False
        cert.set_notAfter(b"20700101000000Z")
        assert cert.has_expired() is False
        cert.set_notAfter(b"19400101000000Z")
        assert cert.has_expired() is True


class TestExtensions:
    def test_they_are_counted_and_given(self, cert: X509) -> None:
        before = cert.get_extension_count()
        one, two = X509Extension("nsComment", False, "x"), X509Extension("nsCertType", True, "client")
        cert.add_extensions(iter([one, two]))
        assert cert.get_extension_count() == before + 2
        assert cert.get_extension(before) == one
        assert cert.get_extensions()[before:] == [one, two]

    @pytest.mark.parametrize("index", [-1, 100, 2**31, 2**40])
    def test_there_is_none_beyond(self, cert: X509, index: int) -> None:
        with pytest.raises(IndexError, match="index"):
            cert.get_extension(index)

    def test_all_or_none(self, cert: X509) -> None:
        good = X509Extension("nsComment", False, "x")
        before = dump_certificate(DER, cert)
        for wrong in ([good, None], [good, "x"], 5, None, good):
            with pytest.raises(TypeError):
                cert.add_extensions(wrong)  # type: ignore[arg-type]

        def breaking() -> Any:
            yield good
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            cert.add_extensions(breaking())
        assert dump_certificate(DER, cert) == before

    def test_an_extension_outlives_its_certificate(self, cert: X509) -> None:
        extension = cert.get_extension(0)
        shown = str(extension)
        del cert
        gc.collect()
        assert str(extension) == shown

    def test_they_make_it_version_3(self, key: Any) -> None:
        cert = X509()
        cert.get_subject().CN = cert.get_issuer().CN = "x"
        cert.gmtime_adj_notBefore(0)
        cert.gmtime_adj_notAfter(0)
        cert.set_pubkey(key("EC", 256))
        cert.sign(key("EC", 256), "sha256")
        assert cert.get_version() == 0
        cert.add_extensions([X509Extension("nsComment", False, "x")])
        cert.sign(key("EC", 256), "sha256")
        assert cert.get_version() == 2


class TestSignature:
    @pytest.mark.parametrize(("kind", "bits"), KINDS)
    def test_each_kind_of_key_signs(self, cert: X509, key: Any, kind: str, bits: int) -> None:
        made = key(kind, bits)
        cert.set_pubkey(made)
        cert.sign(made, None)
        assert cert.verify(made) is True
        assert cert.verify(cert.get_pubkey()) is True
        assert cert.get_signature_algorithm()
        with pytest.raises(CryptoError, match="signature"):
            cert.verify(key("EC", 384))
        again = load_certificate(PEM, dump_certificate(PEM, cert))
        assert again == cert
        assert again.verify(made) is True

    @pytest.mark.parametrize(
        ("kind", "bits", "digest", "algorithm"),
        [
            ("RSA", 2048, "sha256", b"sha256WithRSAEncryption"),
            ("RSA", 2048, b"SHA512", b"sha512WithRSAEncryption"),
            ("RSA", 2048, "sha1", b"sha1WithRSAEncryption"),
            ("RSA", 2048, None, b"sha256WithRSAEncryption"),
            ("EC", 256, "sha384", b"ecdsa-with-SHA384"),
            ("DSA", 2048, "sha256", b"dsa_with_SHA256"),
            ("ED25519", 0, None, b"ED25519"),
        ],
    )
    def test_the_algorithm(
        self, cert: X509, key: Any, kind: str, bits: int, digest: Any, algorithm: bytes
    ) -> None:
        cert.sign(key(kind, bits), digest)
        assert cert.get_signature_algorithm() == algorithm

    def test_two_algorithms_are_none(self, cert: X509, key: Any) -> None:
        """RFC 5280, section 4.1.1.2: both places must say the same."""
        cert.set_pubkey(key("EC", 256))
        cert.sign(key("EC", 256), "sha256")
        der = dump_certificate(DER, cert)
        sha256, sha384 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040303")
        assert der.count(sha256) == 2
        with pytest.raises(ValueError, match="two signature algorithms"):
            load_certificate(DER, der.replace(sha256, sha384, 1)).get_signature_algorithm()

    def test_no_signature_has_no_algorithm(self) -> None:
        with pytest.raises(ValueError, match="no signature"):
            X509().get_signature_algorithm()

    @pytest.mark.parametrize("digest", ["nonsense", "", b"sha256\0", "sha\0256"])
    def test_an_unknown_digest_is_refused(self, cert: X509, key: Any, digest: Any) -> None:
        before = dump_certificate(DER, cert)
        with pytest.raises(ValueError, match="digest"):
            cert.sign(key("RSA", 2048), digest)
        with pytest.raises(ValueError, match="digest"):
            cert.digest(digest)
        assert dump_certificate(DER, cert) == before

    @pytest.mark.parametrize("digest", [5, 5.0, ["sha256"]])
    def test_a_digest_is_a_name(self, cert: X509, key: Any, digest: Any) -> None:
        with pytest.raises(TypeError, match="digest"):
            cert.sign(key("RSA", 2048), digest)
        with pytest.raises(TypeError, match="digest"):
            cert.digest(digest)

    @pytest.mark.parametrize(
        ("kind", "digest"), [("ED25519", "sha256"), ("X25519", None), ("X448", "sha256")]
    )
    def test_a_key_that_cannot_sign_so_is_an_error(
        self, cert: X509, key: Any, kind: str, digest: Any
    ) -> None:
        before = dump_certificate(DER, cert)
        with pytest.raises(CryptoError):
            cert.sign(key(kind), digest)
        assert dump_certificate(DER, cert) == before
        assert cert.verify(cert.get_pubkey())

    @pytest.mark.parametrize("wrong", [None, 5, True])
    def test_extensions_are_iterable(self, wrong: Any) -> None:
        for made in (X509(), X509Req(), CRL()):
            with pytest.raises(TypeError, match=r"^extensions: an iterable of X509Extension"):
                made.add_extensions(wrong)

    def test_what_is_not_complete_can_be_signed(self, key: Any) -> None:
        """As in the manual's days; what is missing is missed when the certificate is written."""
        made = X509()
        made.set_pubkey(key("EC", 256))
        made.sign(key("EC", 256), "sha256")
        assert made.verify(key("EC", 256))
        with pytest.raises(CryptoError, match="not complete"):
            dump_certificate(PEM, made)
        made.gmtime_adj_notBefore(0)
        made.gmtime_adj_notAfter(60)
        made.sign(key("EC", 256), "sha256")
        assert load_certificate(PEM, dump_certificate(PEM, made)).verify(key("EC", 256))

    def test_only_a_private_key_signs(self, cert: X509) -> None:
        with pytest.raises(CryptoError, match="pkey: is a public key"):
            cert.sign(cert.get_pubkey(), "sha256")
        with pytest.raises(CryptoError, match="pkey: has no key yet"):
            cert.sign(PKey(), "sha256")
        with pytest.raises(TypeError, match="pkey"):
            cert.sign("key", "sha256")  # type: ignore[arg-type]

    def test_what_is_changed_after_signing_no_longer_verifies(self, cert: X509, key: Any) -> None:
        made = key("RSA", 2048)
        cert.sign(made, "sha256")
        changes: list[Callable[[], Any]] = [
            lambda: cert.set_serial_number(77),
            lambda: cert.set_notAfter(b"20300101000000Z"),
            lambda: setattr(cert.get_subject(), "CN", "other"),
            lambda: cert.add_extensions([X509Extension("nsComment", False, "x")]),
            lambda: cert.set_pubkey(key("ED25519")),
            lambda: cert.set_issuer(X509Name()),
        ]
        for change in changes:
            before = dump_certificate(DER, cert), cert.digest("sha1")
            cert.verify(made)
            change()
            assert dump_certificate(DER, cert) != before[0]
            assert cert.digest("sha1") != before[1]
            with pytest.raises(CryptoError):
                cert.verify(made)
            cert.sign(made, "sha256")

    @pytest.mark.parametrize("name", ["md5", "sha1", b"SHA256", "sha512", "SHA3-256"])
    def test_the_fingerprint(self, cert: X509, name: Any) -> None:
        der = dump_certificate(DER, cert)
        text = name.decode() if isinstance(name, bytes) else name
        expected = hashlib.new(text.lower().replace("-", "_"), der).hexdigest().upper()
        assert (
            cert.digest(name) == ":".join(expected[at : at + 2] for at in range(0, len(expected), 2)).encode()
        )

    def test_data_is_verified_with_a_certificate(self, issue: Any) -> None:
        issued = issue("signer")
        mark = sign(issued.key, b"data", "sha256")
        assert verify(issued.cert, mark, b"data", "sha256") is None
        assert verify(issued.key, mark, b"data", "sha256") is None
        with pytest.raises(CryptoError):
            verify(issued.cert, mark, b"date", "sha256")
        with pytest.raises(TypeError, match="cert"):
            verify("cert", mark, b"data", "sha256")


class TestSharing:
    """An object that was handed out is not changed behind anybody's back."""

    def test_a_loaded_certificate_is_copied_before_it_is_changed(self, cert: X509) -> None:
        handle = cert._x509
        same = X509._from_raw(handle)
        before = dump_certificate(DER, cert)
        cert.get_subject().CN = "other"
        assert dump_certificate(DER, same) == before
        assert same.get_subject().CN == "subject"
        assert cert._x509 is not handle

    def test_equality(self, issue: Any) -> None:
        one = issue("a").cert
        two = load_certificate(DER, dump_certificate(DER, one))
        assert one == two
        assert hash(one) == hash(two)
        assert one != issue("b").cert
        assert one != "certificate"
        assert X509() != X509()
        assert len({one, two, X509(), X509()}) == 3

    def test_repr_names_subject_and_issuer(self, issue: Any) -> None:
        shown = repr(issue("räka", issue("krabba", ca=True)).cert)
        assert shown == "<X509 subject '/CN=räka', issuer '/CN=krabba'>"

    def test_threads_may_read_and_change_one(self, cert: X509, key: Any) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(60):
                    cert.set_serial_number(number * 1000 + turn)
                    cert.get_subject().CN = str(turn)
                    cert.sign(key("EC", 256), "sha256")
                    cert.get_issuer().get_components()
                    cert.get_extensions()
                    cert.get_subject_alt_names()
                    cert.digest("sha256")
                    load_certificate(DER, dump_certificate(DER, cert))
                    X509Extension("authorityKeyIdentifier", False, "keyid", issuer=cert)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


class TestNothingYet:
    """A certificate with nothing in it: every method answers or is an ordinary error."""

    def test_what_it_says(self) -> None:
        cert = X509()
        assert verifyObject(IX509, cert)
        assert cert.get_version() == 0
        assert cert.get_serial_number() == 0
        assert cert.get_subject().get_components() == []
        assert cert.get_notBefore() is cert.get_notAfter() is None
        assert cert.not_valid_before is cert.not_valid_after is None
        assert cert.get_extension_count() == 0
        assert cert.get_extensions() == cert.get_subject_alt_names() == []
        assert isinstance(cert.subject_name_hash(), int)
        assert repr(cert) == "<X509 subject '', issuer ''>"

    @pytest.mark.parametrize(
        "use",
        [
            lambda cert, key: cert.get_pubkey(),
            lambda cert, key: cert.has_expired(),
            lambda cert, key: cert.digest("sha256"),
            lambda cert, key: cert.verify(key),
            lambda cert, key: cert.to_cryptography(),
            lambda cert, key: dump_certificate(PEM, cert),
            lambda cert, key: dump_certificate(DER, cert),
            lambda cert, key: verify(cert, b"", b"", "sha256"),
        ],
    )
    def test_what_it_cannot_do_is_an_error(self, key: Any, use: Callable[[X509, PKey], Any]) -> None:
        with pytest.raises(CryptoError):
            use(X509(), key("EC", 256))

    def test_as_text_it_is_shown_or_refused(self) -> None:
        try:
            assert b"Certificate" in dump_certificate(TEXT, X509())
        except CryptoError:
            pass


class TestFiles:
    def test_round_trip(self, cert: X509) -> None:
        for filetype in (PEM, DER):
            assert load_certificate(filetype, dump_certificate(filetype, cert)) == cert
        pem = dump_certificate(PEM, cert)
        for buffer in (pem.decode(), bytearray(pem), memoryview(pem)):
            assert load_certificate(PEM, buffer) == cert
        assert b"Subject: CN = subject" in dump_certificate(TEXT, cert).replace(b"CN=", b"CN = ")

    def test_text_shows_every_script(self, issue: Any) -> None:
        assert "räka" in dump_certificate(TEXT, issue("räka").cert).decode()

    def test_only_certificates_are_dumped(self) -> None:
        for wrong in (None, "x", PKey()):
            with pytest.raises(TypeError, match="cert"):
                dump_certificate(PEM, wrong)  # type: ignore[arg-type]

    @pytest.mark.parametrize("filetype", [0, 3, TEXT, -1])
    def test_an_unknown_form_is_refused(self, filetype: int) -> None:
        with pytest.raises(ValueError, match="type"):
            load_certificate(filetype, b"")

    def test_the_older_labels(self, cert: X509) -> None:
        pem = dump_certificate(PEM, cert)
        for label in (b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"):
            assert load_certificate(PEM, pem.replace(b"CERTIFICATE", label)) == cert

    def test_all_of_a_file(self, issue: Any, key: Any) -> None:
        from openssl_iface.impl_cffi.pkey import dump_privatekey

        certs = [issue(name).cert for name in "abc"]
        parts = [b"# text\n", dump_certificate(PEM, certs[0]), dump_privatekey(PEM, key("EC", 256))]
        parts += [dump_certificate(PEM, certs[1]), b"\r\n\r\n", dump_certificate(PEM, certs[2]), b"end"]
        assert load_certificates(b"".join(parts)) == certs
        assert load_certificate(PEM, b"".join(parts)) == certs[0]

    def test_a_file_with_none_or_a_damaged_one(self, issue: Any) -> None:
        good = dump_certificate(PEM, issue("a").cert)
        for bad in (b"", b"text", good[: len(good) // 2], good + good[:-30], good + good.replace(b"M", b"!")):
            with pytest.raises(CryptoError, match="buffer"):
                load_certificates(bad)

    @pytest.mark.parametrize("filetype", [PEM, DER])
    @pytest.mark.parametrize(
        "data",
        [b"", b"\0", b"x" * 1000, b"-----BEGIN CERTIFICATE-----", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff"],
    )
    def test_no_certificate_is_an_error(self, filetype: int, data: bytes) -> None:
        with pytest.raises(CryptoError, match="buffer: not a certificate"):
            load_certificate(filetype, data)

    def test_der_has_exactly_one(self, cert: X509) -> None:
        der = dump_certificate(DER, cert)
        with pytest.raises(CryptoError, match="3 bytes too many"):
            load_certificate(DER, der + b"abc")
        for size in range(0, len(der), 7):
            with pytest.raises(CryptoError):
                load_certificate(DER, der[:size])


class TestExchange:
    """With the openssl command, GnuTLS and cryptography."""

    @pytest.mark.parametrize(("kind", "bits"), [("RSA", 2048), ("EC", 256), ("ED25519", 0)])
    def test_openssl_reads_what_is_written(
        self, openssl: Any, cert: X509, key: Any, kind: str, bits: int
    ) -> None:
        cert.set_pubkey(key(kind, bits))
        cert.set_issuer(cert.get_subject())
        cert.set_notAfter(b"20990101000000Z")
        cert.set_serial_number(2**159 - 1)
        cert.sign(key(kind, bits), None)
        pem = dump_certificate(PEM, cert)
        shown = openssl("x509", "-noout", "-serial", "-fingerprint", "-enddate", stdin=pem)
        assert b"serial=7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF" in shown
        assert b"Jan  1 00:00:00 2099 GMT" in shown
        assert cert.digest("sha1") in shown
        assert openssl("x509", "-outform", "DER", stdin=pem) == dump_certificate(DER, cert)

    def test_what_openssl_writes_is_read(self, openssl: Any, tmp_path: Any) -> None:
        file = tmp_path / "key.pem"
        pem = openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", file, "-days", "9999"),
            *("-subj", "/C=SE/O=Räksmörgås/CN=a.example", "-utf8", "-addext", "subjectAltName=DNS:a.example"),
            *("-config", _config(tmp_path), "-set_serial", "-5", "-sha256"),
        )
        cert = load_certificate(PEM, pem)
        assert cert.get_subject().get_components() == [
            (b"C", b"SE"), (b"O", "Räksmörgås".encode()), (b"CN", b"a.example")
        ]  # fmt: skip
        assert cert.get_serial_number() == -5
        assert cert.get_subject_alt_names() == [("DNS", "a.example")]
        assert cert.verify(cert.get_pubkey())
        assert not cert.has_expired()

    def test_trusted_certificates_are_read(self, openssl: Any, cert: X509) -> None:
        pem = dump_certificate(PEM, cert)
        trusted = openssl("x509", "-trustout", "-addtrust", "serverAuth", stdin=pem)
        assert b"TRUSTED CERTIFICATE" in trusted
        assert load_certificate(PEM, trusted).digest("sha256") == cert.digest("sha256")

    def test_gnutls(self, certtool: Any, issue: Any, tmp_path: Any) -> None:
        issued = issue("a.example", extensions=(("subjectAltName", False, "DNS:a.example,IP:192.0.2.1"),))
        shown = certtool("--certificate-info", stdin=dump_certificate(PEM, issued.cert)).decode()
        assert "DNSname: a.example" in shown
        assert "IPAddress: 192.0.2.1" in shown
        (tmp_path / "key.pem").write_bytes(certtool("--generate-privkey", "--key-type", "ecdsa"))
        (tmp_path / "template").write_text('cn = "räka"\ndns_name = "b.example"\nserial = 77\nca\n')
        made = load_certificate(
            PEM,
            certtool(
                *("--generate-self-signed", "--load-privkey", tmp_path / "key.pem"),
                *("--template", tmp_path / "template"),
            ),
        )
        assert made.get_subject().CN == "räka"
        assert made.get_serial_number() == 77
        assert made.get_subject_alt_names() == [("DNS", "b.example")]
        assert made.verify(made.get_pubkey())

    def test_cryptography(self, cert: X509) -> None:
        x509 = pytest.importorskip("cryptography.x509")
        theirs = cert.to_cryptography()
        assert isinstance(theirs, x509.Certificate)
        assert theirs.not_valid_after_utc == cert.not_valid_after
        assert X509.from_cryptography(theirs) == cert
        with pytest.raises(TypeError, match="crypto_cert"):
            X509.from_cryptography(cert)


def _config(directory: Any) -> Any:
    """openssl req wants a configuration, if only an empty one."""
    path = directory / "openssl.cnf"
    path.write_text("[req]\ndistinguished_name = name\n[name]\n")
    return path


class TestFork:
    def run(self, program: str) -> None:
        done = subprocess.run([sys.executable, "-P", "-c", program], timeout=120, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    def test_a_child_frees_nothing_of_its_parent(self) -> None:
        self.run(
            "import gc, os\n"
            "from openssl_iface.impl_cffi.x509 import X509\n"
            "from openssl_iface.impl_cffi.pkey import PKey\n"
            "things = [X509(), PKey()]; things.append(things[0].get_subject())\n"
            "things[1].generate_key('EC', 256)\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    del things; gc.collect(); X509().get_subject().CN = 'x'; os._exit(7)\n"
            "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
            "things[2].CN = 'x'\n"
        )

    def test_a_child_is_not_locked_out_by_a_thread_that_it_does_not_have(self) -> None:
        self.run(
            "import os, signal, threading\n"
            "from openssl_iface.impl_cffi.x509 import X509\n"
            "cert = X509(); held = threading.Event(); done = threading.Event()\n"
            "def hold():\n"
            "    with cert._lock: held.set(); done.wait()\n"
            "thread = threading.Thread(target=hold); thread.start(); held.wait()\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    signal.alarm(60)\n"
            "    cert.get_subject().CN = 'x'; cert.set_version(2); os._exit(7)\n"
            "status = os.waitpid(child, 0)[1]; done.set(); thread.join()\n"
            "assert os.waitstatus_to_exitcode(status) == 7\n"
        )


def test_what_begins_now_has_begun() -> None:
    """OpenSSL verifies by the clock of *time(2)*, which turns to the next second later than Python's."""
    cert = X509()
    seconds = set()
    while len(seconds) < 2:  # across the end of a second
        cert.gmtime_adj_notBefore(0)
        seconds.add(cert.get_notBefore())
        present = own(lib.X509_gmtime_adj(ffi.NULL, 0), lib.ASN1_TIME_free)
        assert cert.get_notBefore() <= time_to_bytes(present, "the present")
