"""``OpenSSL.debug``: what a report of a bug should say."""

from __future__ import annotations

import importlib.metadata
import ssl
import sys

import cffi

# Absolute: as `python -m OpenSSL.debug` it is in another package.
from openssl_iface import __version__ as _our_version
from openssl_iface.dropin._translate import backend as _backend
from openssl_iface.dropin.version import __version__ as _their_version


def _cryptography() -> str:
    try:
        return importlib.metadata.version("cryptography")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


_env_info = "\n".join(
    (
        f"openssl_iface: {_our_version}, in the place of pyOpenSSL: {_their_version}",
        f"backend: {_backend.name}",
        f"built on OpenSSL: {_backend.built.text}",
        f"running OpenSSL: {_backend.running.text}",
        f"Python's OpenSSL: {ssl.OPENSSL_VERSION}",
        f"cryptography: {_cryptography()}",
        f"cffi: {cffi.__version__}",
        f"Python executable: {sys.executable}",
        f"Python version: {sys.version}",
        f"Platform: {sys.platform}",
        f"sys.path: {sys.path}",
    )
)

if __name__ == "__main__":
    print(_env_info)
