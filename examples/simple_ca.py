#!/usr/bin/env python3
"""A small certification authority in a directory.

    simple_ca.py DIRECTORY init "Example CA"
    simple_ca.py DIRECTORY issue request.pem certificate.pem
    simple_ca.py DIRECTORY pair www.example.org        makes NAME.key, NAME.pem and NAME.p12
    simple_ca.py DIRECTORY revoke certificate.pem      and writes crl.pem

The authority's key is not encrypted: keep the directory to yourself.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from openssl_iface import crypto

PEM = crypto.FILETYPE_PEM
DAY = 24 * 3600


def write_secret(path: Path, data: bytes) -> None:
    """A file that only its owner may read, from the first moment on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def new_key() -> crypto.PKey:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_EC, curve="prime256v1")
    return key


class Authority:
    """What is in the directory: ca.key, ca.pem, crl.pem."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def load(self) -> tuple[crypto.PKey, crypto.X509]:
        key = crypto.load_privatekey(PEM, (self.directory / "ca.key").read_bytes())
        return key, crypto.load_certificate(PEM, (self.directory / "ca.pem").read_bytes())

    def init(self, name: str) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        key, certificate = new_key(), crypto.X509()
        certificate.set_version(2)
        certificate.set_serial_number(secrets.randbits(128))
        certificate.get_subject().CN = name
        certificate.set_issuer(certificate.get_subject())
        certificate.gmtime_adj_notBefore(0)
        certificate.gmtime_adj_notAfter(10 * 365 * DAY)
        certificate.set_pubkey(key)
        certificate.add_extensions(
            [
                crypto.X509Extension("basicConstraints", True, "CA:TRUE, pathlen:0"),
                crypto.X509Extension("keyUsage", True, "keyCertSign, cRLSign"),
                crypto.X509Extension("subjectKeyIdentifier", False, "hash", subject=certificate),
            ]
        )
        certificate.sign(key, "sha256")
        write_secret(self.directory / "ca.key", crypto.dump_privatekey(PEM, key))
        (self.directory / "ca.pem").write_bytes(crypto.dump_certificate(PEM, certificate))

    def sign(self, request: crypto.X509Req) -> crypto.X509:
        """A certificate for a server, with the names that the request asks for."""
        if not request.verify(request.get_pubkey()):
            raise SystemExit("the request is not signed with its own key")
        names = [one for one in request.get_extensions() if one.get_short_name() == b"subjectAltName"]
        if not names:
            raise SystemExit("the request asks for no name (subjectAltName)")
        key, issuer = self.load()
        certificate = crypto.X509()
        certificate.set_version(2)
        certificate.set_serial_number(secrets.randbits(128))
        certificate.set_subject(request.get_subject())
        certificate.set_issuer(issuer.get_subject())
        certificate.gmtime_adj_notBefore(0)
        certificate.gmtime_adj_notAfter(90 * DAY)
        certificate.set_pubkey(request.get_pubkey())
        certificate.add_extensions(
            [
                *names,
                crypto.X509Extension("basicConstraints", True, "CA:FALSE"),
                crypto.X509Extension("keyUsage", True, "digitalSignature"),
                crypto.X509Extension("extendedKeyUsage", False, "serverAuth"),
                crypto.X509Extension("authorityKeyIdentifier", False, "keyid", issuer=issuer),
            ]
        )
        certificate.sign(key, "sha256")
        return certificate

    def issue(self, request: Path, target: Path) -> None:
        made = self.sign(crypto.load_certificate_request(PEM, request.read_bytes()))
        target.write_bytes(crypto.dump_certificate(PEM, made))

    def pair(self, name: str) -> None:
        key, request = new_key(), crypto.X509Req()
        request.get_subject().CN = name
        request.set_pubkey(key)
        request.add_extensions([crypto.X509Extension("subjectAltName", False, f"DNS:{name}")])
        request.sign(key, "sha256")
        certificate = self.sign(request)
        bundle = crypto.PKCS12()
        bundle.set_privatekey(key)
        bundle.set_certificate(certificate)
        bundle.set_ca_certificates([self.load()[1]])
        bundle.set_friendlyname(name)
        passphrase = secrets.token_urlsafe(12)
        write_secret(self.directory / f"{name}.key", crypto.dump_privatekey(PEM, key))
        write_secret(self.directory / f"{name}.p12", bundle.export(passphrase=passphrase))
        (self.directory / f"{name}.pem").write_bytes(crypto.dump_certificate(PEM, certificate))
        print(f"the passphrase of {name}.p12 is {passphrase}")

    def revoke(self, certificate: Path) -> None:
        key, issuer = self.load()
        old = self.directory / "crl.pem"
        entries = list(crypto.load_crl(PEM, old.read_bytes()).get_revoked() or ()) if old.exists() else []
        now = datetime.now(UTC)
        entry = crypto.Revoked()
        entry.set_serial(f"{crypto.load_certificate(PEM, certificate.read_bytes()).get_serial_number():x}")
        entry.set_rev_date(now)
        entry.set_reason("cessationOfOperation")
        crl = crypto.CRL()
        crl.set_version(1)
        crl.set_lastUpdate(now)
        crl.set_nextUpdate(now + timedelta(days=30))
        for one in [*entries, entry]:
            crl.add_revoked(one)
        crl.sign(issuer, key, "sha256")
        old.write_bytes(crypto.dump_crl(PEM, crl))


def main() -> None:
    parser = argparse.ArgumentParser(description="A small certification authority in a directory.")
    parser.add_argument("directory", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("name")
    issue = commands.add_parser("issue")
    issue.add_argument("request", type=Path)
    issue.add_argument("target", type=Path)
    commands.add_parser("pair").add_argument("name")
    commands.add_parser("revoke").add_argument("certificate", type=Path)
    arguments = vars(parser.parse_args())
    authority = Authority(arguments.pop("directory"))
    try:
        getattr(authority, arguments.pop("command"))(**arguments)
    except (OSError, crypto.Error) as error:
        sys.exit(f"simple_ca: {error}")


if __name__ == "__main__":
    main()
