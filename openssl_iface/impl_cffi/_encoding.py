"""Arguments and encoded objects: bytes in, bytes out, PEM and DER.

Readers take all of their input or refuse it: DER with something behind it is an
error.  A question for a passphrase never reaches the terminal: every reader of PEM
is given ``oi_passphrase_answer`` (``c/passphrase.c``), which answers from memory or
refuses.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentKindError, CryptoError
from ..values import FileType
from ._errors import check, clear, fail, is_end_of_pem, take
from ._handles import own
from ._native import ffi, lib

ANSWER = ffi.addressof(lib, "oi_passphrase_answer")

# What a C int holds: the sizes that memory BIOs take.
INT_MAX = 2**31 - 1


# -- arguments ---------------------------------------------------------------


def as_bytes(value: Any, argument: str) -> bytes:
    """The bytes of a buffer, or of text (UTF-8)."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{argument}: {error.reason}") from None
    try:
        return bytes(memoryview(value))
    except TypeError:
        raise TypeError(f"{argument}: bytes expected, not {type(value).__name__}") from None


def as_name(value: Any, argument: str) -> bytes:
    """The same for a name that C takes as a string: it must not contain NUL."""
    if not isinstance(value, str | bytes):
        raise TypeError(f"{argument}: a name expected, not {type(value).__name__}")
    name = as_bytes(value, argument)
    if b"\0" in name:
        raise ValueError(f"{argument}: contains a NUL")
    return name


def as_integer(value: Any, argument: str) -> int:
    """An integer of any size."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{argument}: an integer expected, not {type(value).__name__}") from None


def as_int(value: Any, argument: str, low: int = -(2**63), high: int = 2**63 - 1) -> int:
    """An integer within *low* to *high*; the default is what a C long holds."""
    number = as_integer(value, argument)
    if not low <= number <= high:
        # Python writes no number of more than some thousand digits.
        shown = number if number.bit_length() <= 128 else f"a number of {number.bit_length()} bits"
        raise ValueError(f"{argument}: {shown} is not within {low} to {high}")
    return number


def as_instance(value: Any, kind: type, argument: str) -> Any:
    """*value*, if it is a *kind*."""
    if not isinstance(value, kind):
        raise TypeError(f"{argument}: {kind.__name__} expected, not {type(value).__name__}")
    return value


def as_instances(values: Any, kind: type, argument: str) -> list[Any]:
    """A list of *kind*, from any iterable of it."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{argument}: an iterable of {kind.__name__} expected, not {type(values).__name__}")
    return [as_instance(value, kind, argument) for value in values]


def as_filetype(value: Any, argument: str = "type", *, text: bool = False) -> FileType:
    """A ``FILETYPE_`` constant; ``FILETYPE_TEXT`` only where something is dumped."""
    if not isinstance(value, int):
        raise ArgumentKindError(f"{argument}: a FILETYPE_ constant expected, not {type(value).__name__}")
    if (value == FileType.TEXT and not text) or value not in set(FileType):
        names = "FILETYPE_PEM, FILETYPE_ASN1 or FILETYPE_TEXT" if text else "FILETYPE_PEM or FILETYPE_ASN1"
        raise ValueError(f"{argument}: must be {names}, not {value!r}")
    return FileType(value)


# -- memory ------------------------------------------------------------------


def copy_bytes(pointer: Any, size: int) -> bytes:
    """*size* bytes from *pointer*, which may be NULL if there are none."""
    return bytes(ffi.buffer(pointer, size)) if size > 0 else b""


def input_bio(data: bytes) -> Any:
    """A BIO that reads *data*; keep *data* as long as the BIO."""
    if len(data) > INT_MAX:
        raise ValueError("buffer: 2 GiB or more")
    return own(lib.BIO_new_mem_buf(ffi.from_buffer(data), len(data)), lib.BIO_free)


def written(write: Callable[[Any], int], message: str) -> bytes:
    """What *write* puts into a BIO."""
    bio = own(lib.BIO_new(lib.BIO_s_mem()), lib.BIO_free)
    check(write(bio), message)
    start = ffi.new("char **")
    size = lib.BIO_get_mem_data(bio, start)
    # what could not be shown is shown as bytes, and is no error
    clear()
    return copy_bytes(start[0], size)


def to_der(i2d: Callable[[Any, Any], int], handle: Any, message: str) -> bytes:
    """The DER of an object, by its ``i2d_`` function."""
    clear()
    start = ffi.new("unsigned char **")
    size = i2d(handle, start)
    if size <= 0 or start[0] == ffi.NULL:
        fail(CryptoError, message)
    try:
        return copy_bytes(start[0], size)
    finally:
        lib.OPENSSL_free(start[0])


def from_der(d2i: Callable[..., Any], free: Callable[[Any], Any], data: bytes, message: str) -> Any:
    """An owned object from all of *data*, by its ``d2i_`` function."""
    clear()
    source = ffi.from_buffer("unsigned char[]", data)
    cursor = ffi.new("const unsigned char **", source)
    handle = own(d2i(ffi.NULL, cursor, len(data)), free, message)
    left = len(data) - (cursor[0] - ffi.cast("const unsigned char *", source))
    if left:
        raise take(CryptoError, f"{message}: {left} bytes too many behind it")
    clear()
    return handle


def to_pem(label: bytes, der: bytes, message: str) -> bytes:
    """*der* in PEM (RFC 7468)."""
    return written(lambda bio: lib.PEM_write_bio(bio, label, b"", der, len(der)), message)


def read_pem(label: bytes, data: bytes, message: str) -> Iterator[tuple[bytes, bytes]]:
    """The blocks of *data* that OpenSSL takes for *label*, as (label, DER), in their order.

    Text between blocks and blocks of other kinds are passed over.

    :raises CryptoError: a block is damaged.
    """
    bio = input_bio(data)
    while True:
        clear()
        start = ffi.new("unsigned char **")
        size = ffi.new("long *")
        found = ffi.new("char **")
        if not lib.PEM_bytes_read_bio(start, size, found, label, bio, ANSWER, ffi.NULL):
            error = take(CryptoError, message)
            if is_end_of_pem(error):
                return
            raise error
        try:
            block = ffi.string(found[0]), copy_bytes(start[0], size[0])
        finally:
            lib.OPENSSL_free(start[0])
            lib.OPENSSL_free(found[0])
        yield block


# -- objects -----------------------------------------------------------------


@dataclass(frozen=True)
class Codec:
    """How one kind of object is read and written.

    :ivar what: its name in messages.
    :ivar label: the label of its PEM blocks; OpenSSL reads older spellings too.
    :ivar readers: ``d2i_`` functions for labels that have one of their own.
    """

    what: str
    label: bytes
    d2i: Callable[..., Any]
    i2d: Callable[[Any, Any], int]
    free: Callable[[Any], Any]
    show: Callable[[Any, Any], int]
    read_label: bytes = b""
    readers: tuple[tuple[bytes, Callable[..., Any]], ...] = ()

    def load(self, filetype: Any, buffer: Any, argument: str = "buffer") -> Any:
        """An owned handle from *buffer*: the first PEM block of the kind, or DER.

        :param argument: what it is called in messages.
        """
        kind = as_filetype(filetype)
        data = as_bytes(buffer, argument)
        message = f"{argument}: not a {self.what}"
        if kind is FileType.ASN1:
            return from_der(self.d2i, self.free, data, message)
        for handle in self._pem(data, argument):
            return handle
        raise take(CryptoError, f"{message} in PEM: no block {self.label.decode()!r} in it")

    def load_all(self, buffer: Any, argument: str = "buffer") -> list[Any]:
        """Owned handles of all PEM blocks of the kind."""
        return list(self._pem(as_bytes(buffer, argument), argument))

    def _pem(self, data: bytes, argument: str) -> Iterator[Any]:
        message = f"{argument}: not a {self.what}"
        for label, der in read_pem(self.read_label or self.label, data, message):
            yield from_der(dict(self.readers).get(label, self.d2i), self.free, der, message)

    def dump(self, filetype: Any, handle: Any, argument: str) -> bytes:
        """*handle* as PEM, DER or text."""
        kind = as_filetype(filetype, text=True)
        message = f"{argument}: this {self.what} cannot be written"
        if kind is FileType.TEXT:
            clear()
            return written(lambda bio: self.show(bio, handle), message)
        der = to_der(self.i2d, handle, message)
        return der if kind is FileType.ASN1 else to_pem(self.label, der, message)
