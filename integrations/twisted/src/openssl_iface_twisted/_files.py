"""Why a PEM file that somebody has named cannot be used, in words for that person.

OpenSSL says in which of its routines it gave up, and the binding which argument it was; neither helps
who has mixed up two files.  So where one was refused, it is looked at again, step by step.

Without a backend this module can be imported, for the command has to say that there is none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from openssl_iface.errors import OpenSSLError
from openssl_iface.registry import get_backend
from openssl_iface.values import Method

__all__ = ["Problem", "authorities_problem", "identity_problem", "words"]

StrPath = str | os.PathLike[str]

# Labels as PEM_read_bio(3) knows them.
_CERTIFICATE = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)


class Problem(NamedTuple):
    """What is wrong with which file; *text* names it, and has no full stop."""

    file: Literal["certificate", "key"]
    text: str
    #: there is nothing of the kind in it, so perhaps another file is meant
    empty: bool = False


class _Found(Exception):
    @property
    def problem(self) -> Problem:
        return Problem(*self.args)


def words(error: OpenSSLError) -> str:
    """OpenSSL's own, without the library that they come from."""
    return "; ".join(dict.fromkeys(reason for _, _, reason in error.reasons)) or str(error)


def authorities_problem(path: StrPath) -> Problem | None:
    """Why the certificates in *path* cannot be used; ``None``: they can."""
    try:
        _certificates(path)
    except _Found as found:
        return found.problem
    return None


def identity_problem(certificate: StrPath, key: StrPath) -> Problem | None:
    """Why these files cannot be a certificate and its key; ``None``: they can."""
    try:
        _identity(certificate, key)
    except _Found as found:
        return found.problem
    return None


def _identity(certificate: StrPath, key: StrPath) -> None:
    from openssl_iface import crypto

    context = get_backend().Context(Method.TLS)
    first = _certificates(certificate)[0]
    _try("certificate", f"the certificate in {certificate} cannot be used", context.use_certificate, first)
    pem = _read("key", key)
    if not _KEY.search(pem):
        raise _Found("key", f"{key} has no private key in it (in PEM)", True)
    if _ENCRYPTED.search(pem):
        raise _Found("key", f"the private key in {key} is encrypted; one without a passphrase is needed")
    private = _try(
        "key", f"the private key in {key} cannot be used", crypto.load_privatekey, crypto.FILETYPE_PEM, pem
    )
    other = f"the private key in {key} does not belong to the certificate in {certificate}"
    try:
        context.use_privatekey(private)
        belongs = context.check_privatekey()
    except OpenSSLError:
        belongs = False
    if not belongs:
        raise _Found("key", other)


def _certificates(path: StrPath) -> list[Any]:
    from openssl_iface import crypto

    pem = _read("certificate", path)
    if not _CERTIFICATE.search(pem):
        raise _Found("certificate", f"{path} has no certificate in it (in PEM)", True)
    found: list[Any] = _try(
        "certificate", f"{path} has a damaged certificate in it", crypto.load_certificates, pem
    )
    return found


def _read(file: str, path: StrPath) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _Found(file, f"{path} cannot be read: {error.strerror}") from error


def _try(file: str, sentence: str, do: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return do(*arguments)
    except OpenSSLError as error:
        raise _Found(file, f"{sentence}: {words(error)}") from error
