"""What is not complete: the error says what is missing, in the same words on every OpenSSL."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from openssl_iface import SSL
from openssl_iface.crypto import (
    CRL,
    FILETYPE_ASN1,
    FILETYPE_PEM,
    FILETYPE_TEXT,
    PKCS12,
    X509,
    Error,
    NetscapeSPKI,
    PKey,
    Revoked,
    X509Req,
    X509Store,
    X509StoreContext,
    dump_certificate,
    dump_certificate_request,
    dump_crl,
)

DATES = "no notBefore, no notAfter"
CERTIFICATE = "this certificate is not complete: "


def keyed() -> X509:
    made = X509()
    key = PKey()
    key.generate_key("ED25519")
    made.set_pubkey(key)
    return made


def unsigned() -> X509:
    made = keyed()
    made.gmtime_adj_notBefore(0)
    made.gmtime_adj_notAfter(60)
    return made


def context() -> SSL.Context:
    return SSL.Context(SSL.TLS_METHOD)


def refused(call: Callable[[], Any], kind: type[Exception] = Error) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def outcome(call: Callable[[], Any]) -> str:
    """What the error says; nothing if there is none."""
    try:
        call()
    except Error as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("make", "missing"),
    [
        (X509, f"{DATES}, no public key, no signature"),
        (keyed, f"{DATES}, no signature"),
        (unsigned, "no signature"),
    ],
)
class TestCertificates:
    @pytest.mark.parametrize("filetype", [FILETYPE_PEM, FILETYPE_ASN1])
    def test_written(self, make: Callable[[], X509], missing: str, filetype: int) -> None:
        said = refused(lambda: dump_certificate(filetype, make()))
        assert said == f"cert: {CERTIFICATE}{missing}"

    @pytest.mark.parametrize("use", [lambda made: made.digest("sha256"), X509.to_cryptography])
    def test_asked_itself(self, make: Callable[[], X509], missing: str, use: Any) -> None:
        assert refused(lambda: use(make())) == f"{CERTIFICATE}{missing}"

    @pytest.mark.parametrize(
        ("argument", "use"),
        [
            ("certificate", lambda made: context().use_certificate(made)),
            ("certificates", lambda made: context().use_certificate_chain([made])),
            ("certificate", lambda made: context().add_extra_chain_cert(made)),
            ("certificate", lambda made: context().add_client_ca(made)),
            ("certificate", lambda made: SSL.Connection(context(), None).use_certificate(made)),
        ],
    )
    def test_given_to_libssl(
        self, make: Callable[[], X509], missing: str, argument: str, use: Callable[[X509], Any]
    ) -> None:
        assert refused(lambda: use(make()), SSL.Error) == f"{argument}: {CERTIFICATE}{missing}"

    def test_given_to_a_store(self, make: Callable[[], X509], missing: str) -> None:
        assert refused(lambda: X509Store().add_cert(make())) == f"cert: {CERTIFICATE}{missing}"
        verification = X509StoreContext(X509Store(), make())
        assert refused(verification.verify_certificate) == f"certificate: {CERTIFICATE}{missing}"

    def test_exported(self, make: Callable[[], X509], missing: str) -> None:
        made = PKCS12()
        made.set_certificate(make())
        assert refused(lambda: made.export("secret")) == f"its certificate: {CERTIFICATE}{missing}"

    def test_verified(self, make: Callable[[], X509], missing: str, key: Any) -> None:
        assert refused(lambda: make().verify(key("EC", 256))) == "this certificate has no signature yet"


def test_a_certificate_without_dates_may_be_signed_but_not_written(key: Any) -> None:
    made = keyed()
    made.sign(key("EC", 256), "sha256")
    assert refused(lambda: dump_certificate(FILETYPE_PEM, made)) == f"cert: {CERTIFICATE}{DATES}"


def test_a_text_of_what_has_no_dates() -> None:
    """OpenSSL shows it, but for 1.1.1."""
    said = outcome(lambda: dump_certificate(FILETYPE_TEXT, X509()))
    assert said in ("", f"cert: {CERTIFICATE}{DATES}, no public key, no signature")


@pytest.mark.parametrize(
    ("make", "write", "prefix"),
    [
        (X509, lambda made: dump_certificate(FILETYPE_PEM, made), f"cert: {CERTIFICATE}{DATES}, "),
        (
            X509Req,
            lambda made: dump_certificate_request(FILETYPE_PEM, made),
            "req: this certificate request is not complete: ",
        ),
    ],
)
def test_without_a_public_key(make: Any, write: Any, prefix: str, key: Any) -> None:
    """Where OpenSSL signs what has no public key (1.1.1), it is missed when it is written."""
    assert re.fullmatch("this (certificate|request) has no public key yet", refused(make().get_pubkey))
    made = make()
    said = outcome(lambda: made.sign(key("EC", 256), "sha256"))
    if said:
        what = "certificate request" if make is X509Req else "certificate"
        assert said.startswith(f"this {what} cannot be signed with pkey and digest 'sha256': no public key")
        assert refused(lambda: write(made)) == f"{prefix}no public key, no signature"
    else:
        assert refused(lambda: write(made)) == f"{prefix}no public key"


def test_why_a_key_cannot_sign_is_not_hidden_by_what_is_missing(key: Any) -> None:
    assert "pass None" in refused(lambda: X509().sign(key("ED25519"), "sha256"))


def test_requests(key: Any) -> None:
    made = X509Req()
    made.set_pubkey(key("EC", 256))
    said = refused(lambda: dump_certificate_request(FILETYPE_PEM, made))
    assert said == "req: this certificate request is not complete: no signature"
    assert refused(made.to_cryptography) == "this certificate request is not complete: no signature"
    assert refused(lambda: made.verify(key("EC", 256))) == "this certificate request has no signature yet"


def test_revocation_lists(key: Any) -> None:
    made = CRL()
    what = "this revocation list "
    said = refused(lambda: made.sign(unsigned(), key("EC", 256), "sha256"))
    assert said == f"{what}cannot be signed yet: no lastUpdate"
    assert refused(lambda: made.verify(key("EC", 256))) == f"{what}has no signature yet"
    for call, argument in (
        (lambda: dump_crl(FILETYPE_PEM, made), "crl: "),
        (lambda: X509Store().add_crl(made), "crl: "),
        (made.to_cryptography, ""),
    ):
        assert refused(call) == f"{argument}{what}is not complete: no lastUpdate, no signature"
    made.set_lastUpdate(b"20260101000000Z")
    assert refused(lambda: dump_crl(FILETYPE_PEM, made)).endswith("not complete: no signature")


def test_entries_of_revocation_lists() -> None:
    said = refused(lambda: CRL().add_revoked(Revoked()))
    assert said == "revoked: this entry is not complete: no revocation date"


def test_spki(key: Any) -> None:
    made = NetscapeSPKI()
    assert refused(made.get_pubkey) == "this SPKI has no public key yet"
    assert refused(lambda: made.verify(key("EC", 256))) == "this SPKI has no signature yet"
    for call, said in (
        # OpenSSL 1.1.1 writes and signs what is empty.
        (made.b64_encode, "this SPKI cannot be written: no public key, no signature"),
        (lambda: made.sign(key("EC", 256), "sha256"), "this SPKI cannot be signed: no public key"),
    ):
        assert outcome(call) in ("", said)


def test_pkcs12() -> None:
    said = "this PKCS#12 cannot be written: neither a private key nor a certificate"
    assert refused(lambda: PKCS12().export("secret")) == said
