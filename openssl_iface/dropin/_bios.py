"""What pyOpenSSL reads from BIOs of memory, and writes to them, where the backend does otherwise.

Its text has names as ``X509_NAME_print`` writes them (``C=US, O=Example``), for programs that look for them
there; and of DER, it takes what comes first, whatever is behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..crypto import FILETYPE_ASN1
from ..errors import CryptoError
from ._util import ffi as _ffi
from ._util import lib as _lib
from ._util import make_assert

_openssl_assert = make_assert(CryptoError)


def _new_mem_buf(buffer: bytes | None = None) -> Any:
    """A BIO to write to; or one that reads *buffer*."""
    bio = _ffi.gc(_lib.BIO_new(_lib.BIO_s_mem()), _lib.BIO_free)
    _openssl_assert(bio != _ffi.NULL)
    if buffer:
        _openssl_assert(_lib.BIO_write(bio, buffer, len(buffer)) == len(buffer))
    return bio


def _bio_to_string(bio: Any) -> bytes:
    """What is in a BIO of memory."""
    start = _ffi.new("char **")
    size = _lib.BIO_get_mem_data(bio, start)
    return bytes(_ffi.buffer(start[0], size)) if size > 0 else b""


def shown(write: Callable[..., int], handle: Any, *arguments: Any) -> bytes:
    """What *write* writes of an object."""
    bio = _new_mem_buf()
    _openssl_assert(write(bio, handle, *arguments) == 1)
    _lib.ERR_clear_error()  # what could not be shown is shown as bytes, and is no error
    return _bio_to_string(bio)


def first(type: int, buffer: Any) -> Any:
    """The first object of a *buffer* of DER; the *buffer* itself if it is of another type, or damaged."""
    if type != FILETYPE_ASN1 or not isinstance(buffer, bytes | bytearray | memoryview):
        return buffer
    source = _ffi.from_buffer("unsigned char[]", buffer)
    cursor = _ffi.new("const unsigned char **", source)
    found = _lib.d2i_ASN1_TYPE(_ffi.NULL, cursor, len(source))
    if found == _ffi.NULL:
        _lib.ERR_clear_error()
        return buffer
    _lib.ASN1_TYPE_free(found)
    return bytes(source[0 : cursor[0] - _ffi.cast("const unsigned char *", source)])
