"""What callers may give to ``OpenSSL.crypto``: types of files, text for PEM, passphrases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..crypto import FILETYPE_ASN1, FILETYPE_PEM, FILETYPE_TEXT
from ..errors import CryptoError, OpenSSLError
from ._translate import of_program

# As PEM_read_bio_PrivateKey(3) has room for.
_PASSPHRASE_MAX = 1024


class _PassphraseHelper:
    """A passphrase, or a callable that is asked for it, checked as pyOpenSSL does."""

    def __init__(self, type: int, passphrase: Any, more_args: bool = False, truncate: bool = False) -> None:
        if type != FILETYPE_PEM and passphrase is not None:
            raise ValueError("only FILETYPE_PEM key format supports encryption")
        if passphrase is not None and not isinstance(passphrase, bytes) and not callable(passphrase):
            raise TypeError("Last argument must be a byte string or a callable.")
        self._passphrase = passphrase
        self._more_args = more_args
        self._truncate = truncate

    @property
    def passphrase(self) -> Any:
        """For the backend: ``None``, bytes, or a callable."""
        return self.ask if callable(self._passphrase) else self._passphrase

    def ask(self, *arguments: Any) -> bytes:
        """What the callable answers."""
        try:
            answer = self._passphrase(*arguments)
        except OpenSSLError as error:
            of_program(error)
            raise
        if not isinstance(answer, bytes):
            raise ValueError("Bytes expected")
        if len(answer) > _PASSPHRASE_MAX:
            if not self._truncate:
                raise ValueError("passphrase returned by callback is too long")
            answer = answer[:_PASSPHRASE_MAX]
        return answer


_EITHER = "type argument must be FILETYPE_PEM or FILETYPE_ASN1"
_ANY = "type argument must be FILETYPE_PEM, FILETYPE_ASN1, or FILETYPE_TEXT"


def _type(value: Any, *, text: bool = False) -> int:
    """A type of file, or the ValueError that pyOpenSSL has for anything else."""
    known = {FILETYPE_PEM, FILETYPE_ASN1, *([FILETYPE_TEXT] if text else [])}
    if not isinstance(value, int) or value not in known:
        raise ValueError(_ANY if text else _EITHER)
    return value


def _ascii(buffer: Any) -> Any:
    return buffer.encode("ascii") if isinstance(buffer, str) else buffer


@contextlib.contextmanager
def _saying(kind: type[Exception], message: str) -> Iterator[None]:
    """A mistake of the caller, as the backend says it, in pyOpenSSL's words."""
    try:
        yield
    except OpenSSLError:  # half a key is of all these kinds
        raise
    except kind:
        raise kind(message) from None


@contextlib.contextmanager
def _reading_pem(type: int) -> Iterator[None]:
    """The last word of what reads PEM on an error of ASN.1, which the backend leaves out."""
    try:
        yield
    except CryptoError as error:
        said = error.reasons
        if type == FILETYPE_PEM and said and said[-1][0] == "asn1 encoding routines":
            error.args = ([*said, ("PEM routines", "", "ASN1 lib")],)
        raise
