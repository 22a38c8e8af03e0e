"""Loaders with damaged input: an error each time, or an object whose every method holds.

``tox run -e fuzz`` runs more cases; one that fails says how to repeat it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from openssl_iface.errors import CryptoError, Error
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.crl import CRL, Revoked, dump_crl, load_crl
from openssl_iface.impl_cffi.extension import X509Extension
from openssl_iface.impl_cffi.name import X509Name
from openssl_iface.impl_cffi.pkcs7 import PKCS7, dump_pkcs7_data, load_pkcs7_data
from openssl_iface.impl_cffi.pkcs12 import PKCS12, load_pkcs12
from openssl_iface.impl_cffi.pkey import (
    PKey,
    dump_privatekey,
    dump_publickey,
    load_privatekey,
    load_publickey,
    sign,
)
from openssl_iface.impl_cffi.request import X509Req, dump_certificate_request, load_certificate_request
from openssl_iface.impl_cffi.session import Session
from openssl_iface.impl_cffi.spki import NetscapeSPKI
from openssl_iface.impl_cffi.store import X509Store, X509StoreContext
from openssl_iface.impl_cffi.x509 import X509, dump_certificate, load_certificate, load_certificates
from openssl_iface.testing.damage import cases, damage, damage_pem
from openssl_iface.values import FileType

PEM, DER, TEXT = FileType.PEM, FileType.ASN1, FileType.TEXT

CASES = 300


def attempt(call: Callable[[], Any]) -> Any:
    """What *call* gives; an ordinary refusal is as good."""
    try:
        return call()
    except (CryptoError, Error, ValueError):
        return None


def look_at_name(name: X509Name) -> None:
    attempt(lambda: name.CN)
    attempt(name.get_components)
    attempt(name.hash)
    attempt(name.der)
    attempt(lambda: name == X509Name())
    repr(name)


def look_at_extensions(extensions: list[X509Extension] | None) -> None:
    for extension in extensions or ():
        str(extension)
        repr(extension)
        extension.get_short_name()
        extension.get_data()
        extension.get_critical()


def look_at_key(key: PKey | None) -> None:
    if key is not None:
        key.type()
        key.bits()
        repr(key)
        attempt(lambda: dump_publickey(PEM, key))
        attempt(lambda: dump_publickey(TEXT, key))


def look_at_private_key(key: PKey) -> None:
    look_at_key(key)
    attempt(lambda: dump_privatekey(PEM, key))
    attempt(lambda: dump_privatekey(DER, key))
    attempt(lambda: dump_privatekey(TEXT, key))
    # A damaged key may make signing slow, but it must come back.
    if key.bits() <= 4096:
        attempt(lambda: sign(key, b"x", None))


def look_at_certificate(cert: X509) -> None:
    look_at_name(cert.get_subject())
    look_at_name(cert.get_issuer())
    look_at_key(attempt(cert.get_pubkey))
    look_at_extensions(attempt(cert.get_extensions))
    for look in (
        cert.get_version, cert.get_serial_number, cert.get_notBefore, cert.get_notAfter, cert.has_expired,
        cert.subject_name_hash, cert.get_signature_algorithm, cert.get_subject_alt_names, cert.__repr__,
        lambda: cert.not_valid_after, lambda: cert.digest("sha256"), lambda: cert.verify(cert.get_pubkey()),
        lambda: dump_certificate(PEM, cert), lambda: dump_certificate(TEXT, cert), lambda: hash(cert),
        lambda: cert.set_serial_number(5), lambda: setattr(cert.get_subject(), "CN", "x"),
    ):  # fmt: skip
        attempt(look)
    store = X509Store()
    attempt(lambda: store.add_cert(cert))
    attempt(lambda: X509StoreContext(store, cert, [cert]).verify_certificate())


def look_at_request(request: X509Req) -> None:
    look_at_name(request.get_subject())
    look_at_key(attempt(request.get_pubkey))
    look_at_extensions(attempt(request.get_extensions))
    for look in (
        request.get_version, request.get_signature_algorithm, lambda: request.verify(request.get_pubkey()),
        lambda: dump_certificate_request(DER, request), lambda: dump_certificate_request(TEXT, request),
        lambda: request.add_extensions([X509Extension("nsComment", False, "x")]),
    ):  # fmt: skip
        attempt(look)


def look_at_list(crl: CRL) -> None:
    look_at_name(crl.get_issuer())
    look_at_extensions(attempt(crl.get_extensions))
    for revoked in attempt(crl.get_revoked) or ():
        for look in (revoked.get_serial, revoked.get_reason, revoked.get_rev_date):
            attempt(look)
    for look in (
        crl.get_version, crl.get_lastUpdate, crl.get_nextUpdate, crl.get_signature_algorithm,
        lambda: dump_crl(DER, crl), lambda: dump_crl(TEXT, crl), lambda: X509Store().add_crl(crl),
        lambda: crl.add_revoked(Revoked()), lambda: crl.set_nextUpdate(b"20300101000000Z"),
    ):  # fmt: skip
        attempt(look)


def look_at_message(message: PKCS7) -> None:
    repr(message)
    message.get_type_name()
    for cert in attempt(message.get_certificates) or ():
        look_at_name(cert.get_subject())
    attempt(lambda: message.verify(X509Store(), b"content"))
    attempt(lambda: message.verify(X509Store()))
    attempt(lambda: dump_pkcs7_data(DER, message))
    attempt(lambda: dump_pkcs7_data(TEXT, message))


def look_at_bundle(bundle: PKCS12) -> None:
    repr(bundle)
    attempt(bundle.get_friendlyname)
    for cert in (attempt(bundle.get_certificate), *(attempt(bundle.get_ca_certificates) or ())):
        if cert is not None:
            look_at_name(cert.get_subject())
    look_at_key(attempt(bundle.get_privatekey))


def look_at_signed_key(spki: NetscapeSPKI) -> None:
    repr(spki)
    look_at_key(attempt(spki.get_pubkey))
    attempt(spki.get_challenge)
    attempt(lambda: spki.verify(spki.get_pubkey()))
    attempt(spki.b64_encode)


def look_at_session(session: Session) -> None:
    for look in (
        lambda: session.session_id, lambda: session.protocol_version, lambda: session.timeout,
        lambda: session.time, lambda: session.is_resumable, lambda: session.has_ticket, session.to_bytes,
    ):  # fmt: skip
        attempt(look)
    repr(session)


@pytest.fixture(scope="module")
def files(key: Any, issue: Any, tls: Any) -> dict[str, list[bytes]]:
    """Good files of each kind in DER, for the damage to be done to."""
    alternatives = "DNS:a.example,IP:192.0.2.1,IP:2001:db8::1,email:a@a.example,URI:http://a/,RID:1.2.3"
    issued = issue(
        "hostile räka",
        ca=True,
        extensions=(
            ("subjectAltName", False, alternatives + ",otherName:1.2.3;UTF8:x"),
            ("certificatePolicies", False, "1.2.3.4"),
            ("nameConstraints", True, "permitted;DNS:a.example,excluded;IP:10.0.0.0/255.0.0.0"),
            ("crlDistributionPoints", False, "URI:http://a.example/crl"),
            ("authorityInfoAccess", False, "OCSP;URI:http://a.example/"),
            ("policyConstraints", False, "requireExplicitPolicy:3"),
        ),
    )
    kinds = [("RSA", 2048), ("DSA", 1024), ("EC", 256), ("ED25519", 0), ("X25519", 0), ("RSA-PSS", 2048)]
    keys = [key(*kind) for kind in kinds]
    request = X509Req()
    request.get_subject().CN = "räka"
    request.set_pubkey(issued.key)
    request.add_extensions([X509Extension("subjectAltName", False, alternatives)])
    request.sign(issued.key, "sha256")
    crl = CRL()
    for number in range(3):
        revoked = Revoked()
        revoked.set_serial(number)
        revoked.set_rev_date(b"20260101000000Z")
        revoked.set_reason("superseded")
        crl.add_revoked(revoked)
    crl.export(issued.cert, issued.key)
    certificates = [dump_certificate(DER, issued.cert)]
    for made in keys:
        copy = load_certificate(DER, certificates[0])
        copy.set_pubkey(made)
        copy.sign(issued.key, "sha256")
        certificates.append(dump_certificate(DER, copy))
    content = PKCS7.sign(issued.cert, issued.key, b"content")
    sealed_content = PKCS7.encrypt([load_certificate(DER, certificates[1])], b"content")
    bundle = PKCS12()
    bundle.set_certificate(issued.cert)
    bundle.set_privatekey(issued.key)
    bundle.set_friendlyname("räka")
    spki = NetscapeSPKI()
    spki.set_pubkey(keys[0])
    spki.set_challenge("challenge")
    spki.sign(keys[0], "sha256")
    sessions = [tls.pair(number)[1].get_session().to_bytes() for number in (0x0303, 0x0304)]
    sealed = dump_privatekey(PEM, keys[2], "aes256", b"x")
    return {
        "certificate": certificates,
        "request": [dump_certificate_request(DER, request)],
        "list": [dump_crl(DER, crl)],
        "private key": [dump_privatekey(DER, made) for made in keys],
        "private key in PEM": [*(dump_privatekey(PEM, made) for made in keys), sealed],
        "public key": [dump_publickey(DER, made) for made in keys],
        "certificates in PEM": [dump_certificate(PEM, issued.cert) * 2],
        "request in PEM": [dump_certificate_request(PEM, request)],
        "list in PEM": [dump_crl(PEM, crl)],
        "public key in PEM": [dump_publickey(PEM, made) for made in keys],
        "message": [dump_pkcs7_data(DER, one) for one in (content, sealed_content)],
        "message in PEM": [dump_pkcs7_data(PEM, one) for one in (content, sealed_content)],
        "bundle": [bundle.export("x", 1, 1), bundle.export(None, 1, 1)],
        "signed key": [base64.b64decode(spki.b64_encode())],
        "signed key in base64": [spki.b64_encode()],
        "session": sessions,
        "name": [issued.cert.get_subject().der()],
    }


LOADERS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], None]]] = {
    "certificate": (lambda data: load_certificate(DER, data), look_at_certificate),
    "request": (lambda data: load_certificate_request(DER, data), look_at_request),
    "list": (lambda data: load_crl(DER, data), look_at_list),
    "private key": (lambda data: load_privatekey(DER, data, b"x"), look_at_private_key),
    "private key in PEM": (lambda data: load_privatekey(PEM, data, b"x"), look_at_private_key),
    "public key": (lambda data: load_publickey(DER, data), look_at_key),
    "certificates in PEM": (load_certificates, lambda found: [look_at_certificate(cert) for cert in found]),
    "request in PEM": (lambda data: load_certificate_request(PEM, data), look_at_request),
    "list in PEM": (lambda data: load_crl(PEM, data), look_at_list),
    "public key in PEM": (lambda data: load_publickey(PEM, data), look_at_key),
    "message": (lambda data: load_pkcs7_data(DER, data), look_at_message),
    "message in PEM": (lambda data: load_pkcs7_data(PEM, data), look_at_message),
    "bundle": (lambda data: load_pkcs12(data, b"x"), look_at_bundle),
    "signed key": (lambda data: NetscapeSPKI(base64.b64encode(data)), look_at_signed_key),
    "signed key in base64": (NetscapeSPKI, look_at_signed_key),
    "session": (Session.from_bytes, look_at_session),
    "name": (X509Name.from_der, look_at_name),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_damaged_files(files: dict[str, list[bytes]], kind: str) -> None:
    load, look = LOADERS[kind]
    for chance in cases(kind, CASES):
        spoil = damage_pem if kind.endswith("PEM") else damage
        data = spoil(chance.choice(files[kind]), chance)
        try:
            found = attempt(lambda data=data: load(data))  # type: ignore[misc]
            if found is not None:
                look(found)
        except BaseException:
            print(f"{kind}: {data.hex()}")
            raise
        assert lib.ERR_peek_error() == 0


@pytest.mark.parametrize("kind", LOADERS)
def test_noise(kind: str) -> None:
    load, _ = LOADERS[kind]
    for chance in cases(f"noise {kind}", CASES):
        data = chance.randbytes(chance.choice((0, 1, 5, 20, 100, 5000)))
        with pytest.raises((CryptoError, Error)):
            load(data)
        with pytest.raises((CryptoError, Error)):
            # a name may be empty; this is not
            load(b"\x30\x82" + (len(data) + 1).to_bytes(2, "big") + data + b"\xff")
