"""Where the system keeps the certificates that it trusts.

OpenSSL has one place compiled in, and looks at ``SSL_CERT_FILE`` and
``SSL_CERT_DIR``.  An OpenSSL that came in a wheel, or was built into a directory
of its own, has a place where nothing is; then the usual ones are looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

from ._native import ffi, lib

# Each distribution's bundle; the first that is there counts.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # CentOS, RHEL
    "/etc/ssl/cert.pem",  # Alpine, macOS, BSD
)

Place = tuple[str | None, str | None]


def places() -> list[Place]:
    """What to load: ``(None, None)`` is OpenSSL's own place, else a file or a directory."""
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return [(None, None)]
    file = Path(ffi.string(lib.X509_get_default_cert_file()).decode())
    directory = Path(ffi.string(lib.X509_get_default_cert_dir()).decode())
    if file.is_file() or (directory.is_dir() and any(directory.iterdir())):
        return [(None, None)]
    for bundle in BUNDLES:
        if Path(bundle).is_file():
            return [(bundle, None)]
    return [(None, None)]
