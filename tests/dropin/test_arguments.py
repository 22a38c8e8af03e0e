"""What callers get wrong, in the words that pyOpenSSL has for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from openssl_iface.dropin import SSL, crypto
from openssl_iface.testing.pki import PKI

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def context() -> SSL.Context:
    return SSL.Context(SSL.TLS_METHOD)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: context().use_certificate(1), "Must be a certificate"),
        (lambda: context().add_extra_chain_cert(1), "Must be a certificate"),
        (lambda: context().add_client_ca(1), "Must be a certificate"),
        (lambda: context().use_privatekey(1), "Unsupported key type"),
        (lambda: context().set_client_ca_list([1]), "client CAs must be X509Name objects, not int objects"),
        (lambda: SSL.Connection(context(), "x"), "argument must be an int, or have a fileno() method."),
        (lambda: crypto.X509.from_cryptography(1), "Must be a certificate"),
        (lambda: crypto.X509().set_pubkey(1), "pkey must be a PKey instance"),
        (lambda: crypto.X509().set_subject(1), "name must be an X509Name"),
        (lambda: crypto.X509().set_issuer(None), "name must be an X509Name"),
        (lambda: crypto.PKey().generate_key("RSA", 2048), "type must be an integer"),
        (lambda: crypto.PKey().generate_key(crypto.TYPE_RSA), "bits must be an integer"),
        (
            lambda: crypto.X509StoreContext(crypto.X509Store(), crypto.X509(), [1]),
            "One of the elements is not an X509 instance",
        ),
        (lambda: crypto.X509Store().add_cert(1), ""),
    ],
)
def test_types(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(TypeError) as raised:
        call()
    assert str(raised.value) == said


def test_a_store_has_no_words() -> None:
    with pytest.raises(TypeError) as raised:
        crypto.X509Store().add_cert(1)
    assert raised.value.args == ()


def test_digests(pki: PKI) -> None:
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem)
    attempts: list[Callable[[], Any]] = [
        lambda: certificate.digest("none"),
        lambda: certificate.sign(key, "none"),
        lambda: crypto.X509Req().sign(key, "none"),
        lambda: crypto.NetscapeSPKI().sign(key, "none"),
        lambda: crypto.CRL().export(certificate, key, digest=b"none"),
        lambda: crypto.sign(key, b"data", "none"),
        lambda: crypto.verify(certificate, b"", b"data", "none"),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match=r"^No such digest method$"):
            attempt()


def test_signatures_that_hold() -> None:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    request, spki = crypto.X509Req(), crypto.NetscapeSPKI()
    for one in (request, spki):
        one.set_pubkey(key)
        one.sign(key, "sha256")
    assert repr(request.verify(key)) == "1"
    assert repr(spki.verify(key)) == "True"


def test_attributes_of_names() -> None:
    name = crypto.X509().get_subject()
    with pytest.raises(AttributeError, match=r"^No such attribute$"):
        name.nothing  # noqa: B018
    with pytest.raises(AttributeError, match=r"^No such attribute$"):
        name.nothing = "x"


def test_random_bytes() -> None:
    from openssl_iface.dropin import rand

    with pytest.raises(TypeError, match=r"^buffer must be a byte string$"):
        rand.add("text", 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^entropy must be an integer$"):
        rand.add(b"bytes", "three")  # type: ignore[arg-type]


def test_a_damaged_block_of_pem() -> None:
    damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    with pytest.raises(crypto.Error) as raised:
        crypto.load_certificate(crypto.FILETYPE_PEM, damaged)
    assert raised.value.args[0][0][0] == "asn1 encoding routines"
    assert raised.value.args[0][-1] == ("PEM routines", "", "ASN1 lib")


def test_a_staple_has_to_be_bytes(pki: PKI) -> None:
    server_context, client_context = context(), context()
    server_context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem))
    server_context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem))
    server_context.set_ocsp_server_callback(lambda *_: "text")
    client_context.set_ocsp_client_callback(lambda *_: True)
    server, client = SSL.Connection(server_context), SSL.Connection(client_context)
    server.set_accept_state()
    client.set_connect_state()
    client.request_ocsp()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    server.bio_write(client.bio_read(65536))
    with pytest.raises(TypeError, match=r"^OCSP callback must return a bytestring\.$"):
        server.do_handshake()


@pytest.mark.parametrize(
    "thing",
    [
        context(),
        SSL.Connection(context()),
        crypto.X509(),
        crypto.PKey(),
        crypto.X509Req(),
        crypto.CRL(),
        crypto.Revoked(),
        crypto.X509Store(),
    ],
)
def test_objects_are_shown_as_any(thing: object) -> None:
    assert repr(thing) == object.__repr__(thing)
    assert repr(thing).startswith("<OpenSSL.")


def test_modes_are_those_that_programs_read_back() -> None:
    assert context().set_mode(0) & 0b11 == 0b11  # partial writes, and from another place
