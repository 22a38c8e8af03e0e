"""What the scenarios share: a throwaway authority, and a server certificate that it issued.

Each program beside this one is a real user of pyOpenSSL doing what it is for, over loopback, verified,
and asked to fail too.  ``tox run -m dependents`` runs them with ``python -m openssl_iface.dropin``.
A scenario ends with :func:`done`, or with a traceback.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

import OpenSSL

import openssl_iface.dropin
from openssl_iface.testing.pki import Authority

assert OpenSSL is openssl_iface.dropin, "run this with python -m openssl_iface.dropin"

HOST = "localhost"
DIRECTORY = Path(tempfile.mkdtemp(prefix="openssl-iface-dependents-"))
atexit.register(shutil.rmtree, DIRECTORY, True)

_authority = Authority("CA")
AUTHORITY = DIRECTORY / "authority.pem"
AUTHORITY.write_bytes(_authority.pem)
STRANGER = DIRECTORY / "stranger.pem"
STRANGER.write_bytes(Authority("stranger").pem)
_authority.issue(HOST, "127.0.0.1").write(DIRECTORY, "server")
_authority.issue("client", usage="client").write(DIRECTORY, "client")
CERTIFICATE, KEY = DIRECTORY / "server.pem", DIRECTORY / "server.key"
BODY = b"0123456789abcdef" * 20_000


def done(*what: str) -> None:
    """Say what has been seen to work."""
    print(f"{Path(sys.argv[0]).stem}: {', '.join(what)}")


def server_options():
    """Twisted's own options for the server."""
    from twisted.internet import ssl

    return ssl.PrivateCertificate.loadPEM(KEY.read_bytes() + CERTIFICATE.read_bytes()).options()


def trust(path: Path = AUTHORITY):
    """Twisted's own trust root."""
    from twisted.internet import ssl

    return ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(path.read_bytes())])
