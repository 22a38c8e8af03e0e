"""What pyOpenSSL says of files: libssl adds a word at each of its layers, and the backend has one in all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any

from ..errors import Error
from ..values import FileType
from ._translate import reasons
from ._util import exception_from_error_queue
from ._util import ffi as _ffi
from ._util import lib as _lib

Reasons = list[tuple[str, str, str]]
_SYSTEM = "system library"
_LAYER = "SSL routines"
# Errors that end so say what libssl itself has found, or the function that it called last.
_LAST = (_LAYER, "x509 certificate routines", "openssl_iface")


def _unopened(error: Error) -> bool:
    return len(error.reasons) == 1 and error.reasons[0][0] == _SYSTEM


@contextlib.contextmanager
def of_a_file(
    filetype: int = FileType.PEM, *, tail: bool = True, opened: str = "system lib"
) -> Iterator[None]:
    """Give errors of the block the list that libssl gives them.

    :param tail: whether libssl has a last word.
    :param opened: what the BIO says of a file that cannot be opened.
    """
    try:
        yield
    except Error as error:
        if getattr(error, "_of_program", False):
            raise
        said: Reasons = reasons(error)
        if _unopened(error):
            missing = said[0][2] == os.strerror(errno.ENOENT)
            said.append(("BIO routines", "", opened if missing else "system lib"))
            last = "system lib"
        else:
            last = "PEM lib" if filetype == FileType.PEM else "ASN1 lib"
        if tail and said[-1][0] not in _LAST:
            said.append((_LAYER, "", last))
        error.args = (said,)
        raise


@contextlib.contextmanager
def asked_of_openssl(file: bytes | None, directory: bytes | None) -> Iterator[None]:
    """Give errors of the block the list that OpenSSL gives when it is to trust what is there."""
    try:
        yield
    except Error as error:
        store: Any = _ffi.gc(_lib.X509_STORE_new(), _lib.X509_STORE_free)
        _lib.ERR_clear_error()
        paths = [_ffi.NULL if path is None else path for path in (file, directory)]
        if _lib.X509_STORE_load_locations(store, *paths) != 1:
            try:
                exception_from_error_queue(Error)
            except Error as theirs:
                error.args = theirs.args
        _lib.ERR_clear_error()
        raise
