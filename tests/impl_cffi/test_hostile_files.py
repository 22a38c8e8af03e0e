"""Loaders with damaged input: an error each time, or an object whose every method holds.

The number of cases for each loader is ``OPENSSL_IFACE_CASES`` (hundreds, if it is not
set); the seed is printed on failure, and taken from ``OPENSSL_IFACE_TESTING_SEED``.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi.crl import CRL, Revoked, dump_crl, load_crl
from openssl_iface.impl_cffi.extension import X509Extension
from openssl_iface.impl_cffi.name import X509Name
from openssl_iface.impl_cffi.pkey import (
    PKey,
    dump_privatekey,
    dump_publickey,
    load_privatekey,
    load_publickey,
    sign,
)
from openssl_iface.impl_cffi.request import X509Req, dump_certificate_request, load_certificate_request
from openssl_iface.impl_cffi.store import X509Store, X509StoreContext
from openssl_iface.impl_cffi.x509 import X509, dump_certificate, load_certificate, load_certificates
from openssl_iface.values import FileType

PEM, DER, TEXT = FileType.PEM, FileType.ASN1, FileType.TEXT

CASES = int(os.environ.get("OPENSSL_IFACE_CASES", "300"))
SEED = os.environ.get("OPENSSL_IFACE_TESTING_SEED") or str(random.SystemRandom().getrandbits(64))

# Lengths, tags and numbers at which parsers are known to stumble.
SPECIAL = (0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x0C, 0x13, 0x17, 0x1E, 0x24, 0x30, 0x31, 0x7F, 0x80, 0x81)
SPECIAL += (0x82, 0x84, 0x85, 0xA0, 0xA3, 0xFE, 0xFF)


def damage(data: bytes, chance: random.Random) -> bytes:
    """*data* with one to four wounds."""
    wounded = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(wounded) or 1)
        kind = chance.randrange(7)
        if kind == 0:
            wounded[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            wounded[at : at + 1] = bytes([chance.choice(SPECIAL)])
        elif kind == 2 and wounded:
            wounded[at % len(wounded)] ^= 1 << chance.randrange(8)
        elif kind == 3:
            del wounded[at : at + chance.choice((1, 2, 8, 64))]
        elif kind == 4:
            wounded[at:at] = chance.randbytes(chance.choice((1, 2, 8, 64)))
        elif kind == 5:
            del wounded[at:]
        else:
            end = at + chance.choice((2, 16, 64))
            wounded[at:at] = wounded[at:end]
    return bytes(wounded)


def attempt(call: Callable[[], Any]) -> Any:
    """What *call* gives; an ordinary refusal is as good."""
    try:
        return call()
    except (CryptoError, ValueError):
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


@pytest.fixture(scope="module")
def files(key: Any, issue: Any) -> dict[str, list[bytes]]:
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
    sealed = dump_privatekey(PEM, keys[2], "aes256", b"x")
    return {
        "certificate": certificates,
        "request": [dump_certificate_request(DER, request)],
        "list": [dump_crl(DER, crl)],
        "private key": [dump_privatekey(DER, made) for made in keys],
        "private key in PEM": [*(dump_privatekey(PEM, made) for made in keys), sealed],
        "public key": [dump_publickey(DER, made) for made in keys],
        "certificates in PEM": [dump_certificate(PEM, issued.cert) * 2],
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
    "name": (X509Name.from_der, look_at_name),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_damaged_files(files: dict[str, list[bytes]], kind: str) -> None:
    load, look = LOADERS[kind]
    for number in range(CASES):
        chance = random.Random(f"{SEED} {kind} {number}")
        data = damage(chance.choice(files[kind]), chance)
        try:
            found = attempt(lambda data=data: load(data))  # type: ignore[misc]
            if found is not None:
                look(found)
        except BaseException:
            print(f"OPENSSL_IFACE_TESTING_SEED={SEED}, {kind}, case {number}: {data.hex()}")
            raise


@pytest.mark.parametrize("kind", LOADERS)
def test_noise(kind: str) -> None:
    load, _ = LOADERS[kind]
    chance = random.Random(f"{SEED} noise {kind}")
    for _ in range(CASES):
        data = chance.randbytes(chance.choice((0, 1, 5, 20, 100, 5000)))
        with pytest.raises(CryptoError):
            load(data)
        with pytest.raises(CryptoError):
            # a name may be empty; this is not
            load(b"\x30\x82" + (len(data) + 1).to_bytes(2, "big") + data + b"\xff")
