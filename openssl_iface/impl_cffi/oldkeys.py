"""Private keys that are encrypted with what OpenSSL 3 has put aside.

Two forms: PKCS#8, and the older one of PEM alone (*PEM_read_bio_PrivateKey(3)*, "PEM
encryption format"), whose cipher stands in a header and whose key comes from one round of
MD5.  OpenSSL decrypts the latter with the default library context, whatever context it is
given; so that is done here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import CryptoError
from ._encoding import copy_bytes, from_der, input_bio, read_pem, to_der
from ._errors import clear
from ._handles import own
from ._native import ffi, lib
from .providers import legacy_context

_HEADER = re.compile(rb"^DEK-Info: *([\w-]+) *, *((?:[0-9A-Fa-f]{2})+)\s*$", re.MULTILINE)


def read_old(data: bytes, secret: bytes) -> Any | None:
    """An owned EVP_PKEY, or None: it is something else, or the legacy provider does not help."""
    for plain in _plain(data, secret):
        try:
            # read anew, it belongs to the default library context
            return from_der(lib.d2i_AutoPrivateKey, lib.EVP_PKEY_free, plain(), "buffer")
        except CryptoError:
            continue
    return None


def _plain(data: bytes, secret: bytes) -> Iterator[Callable[[], bytes]]:
    """What to try: each gives the DER of a key, or raises a CryptoError."""
    for _, der in [*read_pem(b"ENCRYPTED PRIVATE KEY", data, "buffer"), (b"", data)]:
        yield functools.partial(_open_pkcs8, der, secret)
    for header, sealed in _blocks(data):
        found = _HEADER.search(header)
        if found is not None:
            vector = bytes.fromhex(found[2].decode())
            yield functools.partial(_open_pem, found[1], vector, sealed, secret)


def _open_pkcs8(der: bytes, secret: bytes) -> bytes:
    sealed = from_der(lib.d2i_X509_SIG, lib.X509_SIG_free, der, "buffer")
    info = own(
        lib.PKCS8_decrypt_ex(sealed, secret, len(secret), legacy_context(), ffi.NULL),
        lib.PKCS8_PRIV_KEY_INFO_free,
    )
    return to_der(lib.i2d_PKCS8_PRIV_KEY_INFO, info, "buffer")


def _open_pem(name: bytes, vector: bytes, sealed: bytes, secret: bytes) -> bytes:
    cipher = own(lib.EVP_CIPHER_fetch(legacy_context(), name, ffi.NULL), lib.EVP_CIPHER_free)
    room = ffi.new("unsigned char[]", sealed)
    clear()
    size = lib.oi_open_pem(cipher, vector, len(vector), secret, len(secret), room, len(sealed))
    clear()
    if size < 0:
        raise CryptoError.from_reasons([], "passphrase: wrong")
    return copy_bytes(room, size)


def _blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All blocks of PEM, as (header, what is in it, still encrypted)."""
    bio = input_bio(data)
    while True:
        name, header = ffi.new("char **"), ffi.new("char **")
        start, size = ffi.new("unsigned char **"), ffi.new("long *")
        clear()
        if lib.PEM_read_bio(bio, name, header, start, size) <= 0:
            clear()
            return
        try:
            block = ffi.string(header[0]), copy_bytes(start[0], size[0])
        finally:
            for pointer in (name[0], header[0], start[0]):
                lib.OPENSSL_free(pointer)
        yield block
