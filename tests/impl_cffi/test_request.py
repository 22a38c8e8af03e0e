"""impl_cffi/request.py: certificate requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.extension import X509Extension
from openssl_iface.impl_cffi.pkey import PKey, dump_privatekey, sign
from openssl_iface.impl_cffi.request import X509Req, dump_certificate_request, load_certificate_request
from openssl_iface.interfaces import IX509Req
from openssl_iface.values import FileType

PEM, DER, TEXT = FileType.PEM, FileType.ASN1, FileType.TEXT

KINDS = [("RSA", 2048), ("DSA", 2048), ("EC", 256), ("ED25519", 0), ("ED448", 0)]
if lib.OBJ_txt2nid(b"ML-DSA-65"):
    KINDS.append(("ML-DSA-65", 0))
lib.ERR_clear_error()


def make(key: PKey, *extensions: X509Extension) -> X509Req:
    request = X509Req()
    request.get_subject().CN = "räka"
    request.set_pubkey(key)
    request.add_extensions(extensions)
    request.sign(key, None)
    return request


class TestContents:
    def test_the_contract(self, key: Any) -> None:
        assert verifyObject(IX509Req, make(key("EC", 256)))

    def test_subject_and_version(self) -> None:
        request = X509Req()
        assert request.get_version() == 0
        request.set_version(0)
        assert request.get_version() == 0
        request.get_subject().CN = "a"
        assert request.get_subject().CN == "a"
        assert repr(request) == "<X509Req subject '/CN=a'>"

    def test_the_private_half_does_not_come_out_again(self, key: Any) -> None:
        request = X509Req()
        request.set_pubkey(key("RSA", 2048))
        assert request.get_pubkey() == key("RSA", 2048)
        with pytest.raises(CryptoError, match="public key"):
            sign(request.get_pubkey(), b"x", "sha256")

    def test_extensions_add_up(self, key: Any) -> None:
        one = X509Extension("basicConstraints", True, "CA:FALSE")
        two = X509Extension("subjectAltName", False, "DNS:a.example")
        three = X509Extension("nsComment", False, "x")
        request = X509Req()
        assert request.get_extensions() == []
        request.add_extensions([one])
        request.add_extensions([])
        request.add_extensions(iter([two, three]))
        assert request.get_extensions() == [one, two, three]
        request.set_pubkey(key("EC", 256))
        request.sign(key("EC", 256), "sha256")
        again = load_certificate_request(DER, dump_certificate_request(DER, request))
        assert again.get_extensions() == [one, two, three]

    def test_all_or_none(self, key: Any) -> None:
        good = X509Extension("nsComment", False, "x")
        request = make(key("EC", 256), good)
        before = dump_certificate_request(DER, request)
        for wrong in ([good, None], [good, "x"], 5, None):
            with pytest.raises(TypeError):
                request.add_extensions(wrong)  # type: ignore[arg-type]
        assert dump_certificate_request(DER, request) == before

    def test_malformed_extensions_are_an_error(self, key: Any) -> None:
        """The attribute's value becomes something else than a sequence."""
        request = make(key("EC", 256), X509Extension("nsComment", False, "abcdefgh"))
        der = dump_certificate_request(DER, request)
        extension_request = bytes.fromhex("06092a864886f70d01090e")
        at = der.index(extension_request) + len(extension_request)
        assert der[at] == 0x31
        assert der[at + 2] == 0x30
        broken = load_certificate_request(DER, der[: at + 2] + b"\x04" + der[at + 3 :])
        with pytest.raises(CryptoError, match="malformed"):
            broken.get_extensions()
        with pytest.raises(CryptoError, match="malformed"):
            broken.add_extensions([X509Extension("nsComment", False, "x")])


class TestSignature:
    @pytest.mark.parametrize(("kind", "bits"), KINDS)
    def test_each_kind_of_key_signs(self, key: Any, kind: str, bits: int) -> None:
        request = make(key(kind, bits))
        assert request.verify(key(kind, bits)) is True
        assert request.verify(request.get_pubkey()) is True
        assert request.get_signature_algorithm()
        with pytest.raises(CryptoError, match="signature"):
            request.verify(key("EC", 384))

    def test_what_is_changed_no_longer_verifies(self, key: Any) -> None:
        made = key("EC", 256)
        changes: list[Callable[[X509Req], Any]] = [
            lambda request: setattr(request.get_subject(), "CN", "b"),
            lambda request: request.add_extensions([X509Extension("nsComment", False, "x")]),
            lambda request: request.set_pubkey(key("RSA", 2048)),
        ]
        for change in changes:
            request = load_certificate_request(DER, dump_certificate_request(DER, make(made)))
            change(request)
            with pytest.raises(CryptoError):
                request.verify(made)

    def test_a_bad_digest_or_key_is_refused(self, key: Any) -> None:
        request = make(key("EC", 256))
        before = dump_certificate_request(DER, request)
        with pytest.raises(ValueError, match="digest"):
            request.sign(key("RSA", 2048), "nonsense")
        with pytest.raises(CryptoError, match="digest"):
            request.sign(key("ED25519"), "sha256")
        with pytest.raises(CryptoError, match="public key"):
            request.sign(request.get_pubkey(), "sha256")
        assert dump_certificate_request(DER, request) == before


class TestNothingYet:
    @pytest.mark.parametrize(
        "use",
        [
            lambda request, key: request.get_pubkey(),
            lambda request, key: request.verify(key),
            lambda request, key: request.set_pubkey(PKey()),
            lambda request, key: request.sign(PKey(), "sha256"),
            lambda request, key: request.to_cryptography(),
            lambda request, key: dump_certificate_request(PEM, request),
            lambda request, key: dump_certificate_request(DER, request),
        ],
    )
    def test_what_it_cannot_do_is_an_error(self, key: Any, use: Callable[[X509Req, PKey], Any]) -> None:
        with pytest.raises(CryptoError):
            use(X509Req(), key("EC", 256))

    def test_as_text_it_is_shown_or_refused(self) -> None:
        try:
            assert b"Request" in dump_certificate_request(TEXT, X509Req())
        except CryptoError:
            pass


class TestFiles:
    def test_round_trip(self, key: Any) -> None:
        request = make(key("EC", 256))
        for filetype in (PEM, DER):
            again = load_certificate_request(filetype, dump_certificate_request(filetype, request))
            assert again == request
            assert hash(again) == hash(request)
        assert "räka" in dump_certificate_request(TEXT, request).decode()
        old = dump_certificate_request(PEM, request).replace(b"CERTIFICATE", b"NEW CERTIFICATE")
        assert load_certificate_request(PEM, old) == request

    def test_what_is_none_is_an_error(self, key: Any) -> None:
        der = dump_certificate_request(DER, make(key("EC", 256)))
        for data in (b"", b"x", der[:-1], der + b"\0"):
            for filetype in (PEM, DER):
                with pytest.raises(CryptoError, match="buffer: not a certificate request"):
                    load_certificate_request(filetype, data)
        with pytest.raises(TypeError, match="req"):
            dump_certificate_request(PEM, "x")  # type: ignore[arg-type]


class TestExchange:
    def test_openssl(self, openssl: Any, key: Any, tmp_path: Any) -> None:
        config = tmp_path / "openssl.cnf"
        config.write_text("[req]\ndistinguished_name = name\n[name]\n")
        request = make(key("RSA", 2048), X509Extension("subjectAltName", False, "DNS:a.example"))
        pem = dump_certificate_request(PEM, request)
        shown = openssl("req", "-verify", "-text", "-config", config, stdin=pem)
        assert b"DNS:a.example" in shown
        private = tmp_path / "key.pem"
        private.write_bytes(dump_privatekey(PEM, key("EC", 256)))
        theirs = load_certificate_request(
            PEM,
            openssl(
                *("req", "-new", "-key", private, "-subj", "/C=SE/CN=b.example", "-config", config),
                *("-addext", "subjectAltName=DNS:b.example"),
            ),
        )
        assert theirs.verify(key("EC", 256))
        assert theirs.get_subject().CN == "b.example"
        assert str(theirs.get_extensions()[0]) == "DNS:b.example"

    def test_gnutls(self, certtool: Any, key: Any, tmp_path: Any) -> None:
        shown = certtool("--crq-info", stdin=dump_certificate_request(PEM, make(key("EC", 256))))
        assert "räka".encode() in shown
        (tmp_path / "key.pem").write_bytes(dump_privatekey(PEM, key("EC", 256)))
        (tmp_path / "template").write_text('cn = "krabba"\ndns_name = "b.example"\n')
        theirs = load_certificate_request(
            PEM,
            certtool(
                *("--generate-request", "--load-privkey", tmp_path / "key.pem"),
                *("--template", tmp_path / "template"),
            ),
        )
        assert theirs.verify(key("EC", 256))
        assert theirs.get_subject().CN == "krabba"

    def test_cryptography(self, key: Any) -> None:
        x509 = pytest.importorskip("cryptography.x509")
        request = make(key("EC", 256))
        theirs = request.to_cryptography()
        assert isinstance(theirs, x509.CertificateSigningRequest)
        assert theirs.is_signature_valid
        assert X509Req.from_cryptography(theirs) == request
        with pytest.raises(TypeError, match="crypto_req"):
            X509Req.from_cryptography(request)
