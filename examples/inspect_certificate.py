#!/usr/bin/env python3
"""Say what is in a file of certificates, or what a server shows.

    inspect_certificate.py FILE.pem
    inspect_certificate.py HOST:PORT

Nothing is verified: this looks at certificates, whatever they are.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from openssl_iface import SSL, crypto


def of_server(host: str, port: int) -> list[crypto.X509]:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    connection = SSL.Connection(context, socket.create_connection((host, port), timeout=30))
    connection.set_connect_state()
    connection.set_tlsext_host_name(host)
    connection.do_handshake()
    chain = connection.get_peer_cert_chain() or []
    connection.close()
    return chain


def name(given: crypto.X509Name) -> str:
    return (
        ", ".join(f"{part.decode()}={value.decode()}" for part, value in given.get_components()) or "(empty)"
    )


def show(certificate: crypto.X509) -> None:
    key = certificate.get_pubkey()
    rows = {
        "subject": name(certificate.get_subject()),
        "issuer": name(certificate.get_issuer()),
        "names": ", ".join(f"{kind}:{value}" for kind, value in certificate.get_subject_alt_names())
        or "none",
        "serial": f"{certificate.get_serial_number():x}",
        "valid": f"{certificate.not_valid_before:%Y-%m-%d %H:%M} UTC"
        f" to {certificate.not_valid_after:%Y-%m-%d %H:%M} UTC"
        + (" (expired)" if certificate.has_expired() else ""),
        "key": f"{key.algorithm}, {key.bits()} bits",
        "signed": certificate.get_signature_algorithm().decode(),
        "sha256": certificate.digest("sha256").decode(),
    }
    for label, value in rows.items():
        print(f"{label:>8}  {value}")
    for index in range(certificate.get_extension_count()):
        extension = certificate.get_extension(index)
        critical = " (critical)" if extension.get_critical() else ""
        print(f"{'':>8}  {extension.get_short_name().decode()}{critical}: {extension}")


def main(source: str) -> None:
    if Path(source).exists():
        certificates = crypto.load_certificates(Path(source).read_bytes())
    else:
        host, colon, port = source.rpartition(":")
        if not colon or not port.isdigit():
            sys.exit(f"inspect_certificate: {source}: neither a file nor HOST:PORT")
        certificates = of_server(host.strip("[]"), int(port))
    for index, certificate in enumerate(certificates):
        print(f"certificate {index}")
        show(certificate)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1])
    except (OSError, SSL.Error, crypto.Error) as error:
        sys.exit(f"inspect_certificate: {error}")
