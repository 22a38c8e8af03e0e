"""What pyOpenSSL reads from BIOs, and writes to them, is read and written so here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from openssl_iface.dropin import SSL, crypto
from openssl_iface.dropin._util import ffi as _ffi
from openssl_iface.dropin._util import lib as _lib
from openssl_iface.testing.pki import PKI

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
lib: Any = _lib
ffi: Any = _ffi


def named(thing: Any) -> Any:
    name = thing.get_subject()
    name.C, name.CN = "NL", "example"
    return thing


def signed(pki: PKI) -> tuple[crypto.X509, crypto.X509Req, crypto.CRL, crypto.PKey]:
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem)
    certificate, request = named(crypto.X509()), named(crypto.X509Req())
    certificate.set_issuer(certificate.get_subject())
    certificate.gmtime_adj_notBefore(0)
    certificate.gmtime_adj_notAfter(60)
    for thing in (certificate, request):
        thing.set_pubkey(key)
        thing.sign(key, "sha256")
    revoked = crypto.CRL()
    revoked.set_lastUpdate(b"20200101000000Z")
    revoked.set_nextUpdate(b"20400101000000Z")
    revoked.sign(certificate, key, b"sha256")
    return certificate, request, revoked, key


def test_names_in_text(pki: PKI) -> None:
    certificate, request, revoked, _ = signed(pki)
    text = crypto.FILETYPE_TEXT
    assert b"Subject: C=NL, CN=example\n" in crypto.dump_certificate(text, certificate)
    assert b"Subject: C=NL, CN=example\n" in crypto.dump_certificate_request(text, request)
    assert b"CN" in crypto.dump_crl(text, revoked)
    assert b"CN = " not in crypto.dump_crl(text, revoked)


@pytest.mark.parametrize("dump", [crypto.dump_certificate, crypto.dump_certificate_request, crypto.dump_crl])
def test_only_what_it_is_for_is_shown(dump: Callable[..., bytes]) -> None:
    with pytest.raises(TypeError):
        dump(crypto.FILETYPE_TEXT, object())


def test_rsa_keys_in_text(pki: PKI) -> None:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    assert crypto.dump_privatekey(crypto.FILETYPE_TEXT, key).startswith(b"RSA Private-Key: (2048 bit")


BEHIND = b"\0\0 and more"


def test_what_is_behind_der_is_passed_over(pki: PKI) -> None:
    certificate, request, revoked, key = signed(pki)
    asn1 = crypto.FILETYPE_ASN1
    for load, content in (
        (crypto.load_certificate, crypto.dump_certificate(asn1, certificate)),
        (crypto.load_certificate_request, crypto.dump_certificate_request(asn1, request)),
        (crypto.load_crl, crypto.dump_crl(asn1, revoked)),
        (crypto.load_privatekey, crypto.dump_privatekey(asn1, key)),
        (crypto.load_publickey, crypto.dump_publickey(asn1, key)),
    ):
        assert type(load(asn1, content + BEHIND)) is type(load(asn1, bytearray(content)))
        for damaged in (b"", content[:-1], BEHIND + content):
            with pytest.raises(crypto.Error):
                load(asn1, damaged)
    bundle = crypto.PKCS12()
    bundle.set_certificate(certificate)
    bundle.set_privatekey(key)
    again = crypto.load_pkcs12(bundle.export(b"word") + BEHIND, b"word").get_certificate()
    assert again is not None
    assert again.digest("sha256") == certificate.digest("sha256")


def test_messages_are_signed_and_verified(pki: PKI) -> None:
    """As programs do it that have found no other way, with the library's private names."""
    certificate, _, _, key = signed(pki)
    content = crypto._new_mem_buf(b"hello")
    flags = lib.PKCS7_DETACHED | lib.PKCS7_BINARY
    made = lib.PKCS7_sign(certificate._x509, key._pkey, ffi.NULL, content, flags)
    message = ffi.gc(made, lib.PKCS7_free)
    out = crypto._new_mem_buf()
    assert lib.i2d_PKCS7_bio(out, message) == 1
    assert crypto.load_pkcs7_data(crypto.FILETYPE_ASN1, crypto._bio_to_string(out)).type_is_signed()
    store = crypto.X509Store()
    for said, verdict in ((b"hello", 1), (b"hullo", 0)):
        said_bio = crypto._new_mem_buf(said)
        arguments = (ffi.NULL, store._store, said_bio, ffi.NULL, lib.PKCS7_NOVERIFY)
        assert lib.PKCS7_verify(message, *arguments) == verdict
    with pytest.raises(SSL.Error):
        SSL._raise_current_error()


def test_pointers_are_given_to_what_new_has_made(pki: PKI) -> None:
    certificate, request, _, _ = signed(pki)
    copy: Any = crypto.X509.__new__(crypto.X509)
    copy._x509 = ffi.gc(lib.X509_dup(certificate._x509), lib.X509_free)
    assert copy == certificate
    assert copy.get_subject() == certificate.get_subject()
    again: Any = crypto.X509Req.__new__(crypto.X509Req)
    again._req = request._req
    assert again.get_subject().CN == "example"
    key: Any = crypto.PKey.__new__(crypto.PKey)
    key._pkey = ffi.gc(lib.X509_get_pubkey(certificate._x509), lib.EVP_PKEY_free)
    assert key.type() == certificate.get_pubkey().type()
    assert not crypto.PKey()._initialized
