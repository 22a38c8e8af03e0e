"""Certificates for the servers, made once: an authority, and what it has signed."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Any, NamedTuple

from .build import MissingError, cache

DAYS = 30
ISSUER = "benchmark authority"


class Files(NamedTuple):
    """Paths of PEM files."""

    authority: Path
    certificates: dict[str, Path]  # by the kind of key: EC (P-256), RSA (2048 bits), client (P-256)
    keys: dict[str, Path]


def files() -> Files:
    """The certificates, which are made anew when they are older than half their life."""
    place = cache() / "pki"
    names = ("EC", "RSA", "client")
    found = Files(
        place / "authority.pem",
        {name: place / f"{name}.pem" for name in names},
        {name: place / f"{name}.key" for name in names},
    )
    now = dt.datetime.now(dt.UTC)
    everything = [found.authority, *found.certificates.values(), *found.keys.values()]
    oldest = now.timestamp() - DAYS * 86400 / 2
    if not all(path.is_file() and path.stat().st_mtime > oldest for path in everything):
        place.mkdir(exist_ok=True)
        _make(found, now)
    return found


def _make(wanted: Files, now: dt.datetime) -> None:
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise MissingError("cryptography is missing: install the dependency group 'bench'") from None

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def sign(subject: str, public: Any, issuer: str, key: Any, authority: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=DAYS))
            .add_extension(x509.BasicConstraints(authority, None), True)
        )
        if not authority:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(key, hashes.SHA256())

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = sign(ISSUER, authority_key.public_key(), ISSUER, authority_key, True)
    wanted.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for kind, path in wanted.certificates.items():
        key: Any = (
            rsa.generate_private_key(65537, 2048)
            if kind == "RSA"
            else ec.generate_private_key(ec.SECP256R1())
        )
        certificate = sign(kind, key.public_key(), ISSUER, authority_key, False)
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        wanted.keys[kind].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
