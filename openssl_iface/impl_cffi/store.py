"""Trust stores, and chains verified against them; see ``IX509Store``, ``IX509StoreContext``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError, X509StoreContextError
from ..interfaces import IX509Store, IX509StoreContext
from ._asn1 import as_time
from ._encoding import as_instance, as_instances, as_int
from ._errors import check, clear, take
from ._files import place
from ._handles import Bound, Guard, own, share
from ._native import ffi, lib
from .crl import CRL
from .x509 import X509, certificate_stack


@implementer(IX509Store)
class X509Store(Bound):
    """Certificates that are trusted, and how chains to them are verified; see ``IX509Store``.

    OpenSSL locks its stores: several threads may use one.
    """

    _store: Any
    # What verifies connections is a copy; it is made anew after a change.
    _changes = 0
    _copied: tuple[Any, X509Store] | None = None
    # Where certificates are looked up when they are needed: no part of what can be copied.
    _directories: tuple[bytes, ...] = ()

    def __init__(self) -> None:
        self._store = own(lib.X509_STORE_new(), lib.X509_STORE_free)

    @classmethod
    def _from_raw(cls, pointer: Any) -> X509Store:
        """Wrap an owned handle."""
        store = cls.__new__(cls)
        store._store = pointer
        return store

    def copy(self) -> X509Store:
        """Another store with the same content: what is done to either leaves the other alone."""
        clear()
        other = self._from_raw(own(lib.oi_store_copy(self._store), lib.X509_STORE_free, "this store"))
        for directory in self._directories:
            check(lib.X509_STORE_load_locations(other._store, ffi.NULL, directory), "this store")
        other._directories = self._directories
        clear()
        return other

    def _as_it_is(self) -> X509Store:
        """A copy that is never changed, shared by all who ask until there is a change."""
        state = self._changes, lib.oi_store_size(self._store)
        copied = self._copied
        if copied is None or copied[0] != state:
            self._copied = copied = state, self.copy()
        return copied[1]

    def add_cert(self, cert: X509) -> None:
        handle = as_instance(cert, X509, "cert")._whole("cert")
        clear()
        check(lib.X509_STORE_add_cert(self._store, handle), "cert")
        self._changes += 1
        clear()

    def add_crl(self, crl: CRL) -> None:
        handle = as_instance(crl, CRL, "crl")._whole("crl")
        clear()
        check(lib.X509_STORE_add_crl(self._store, handle), "crl")
        self._changes += 1
        clear()

    def set_flags(self, flags: int) -> None:
        number = as_int(flags, "flags", 0, 2**32 - 1)
        clear()
        check(lib.X509_STORE_set_flags(self._store, number), "flags")
        self._changes += 1

    def set_purpose(self, purpose: int) -> None:
        number = as_int(purpose, "purpose", 0, 2**31 - 1)
        clear()
        check(lib.X509_STORE_set_purpose(self._store, number), "purpose: unknown to OpenSSL")
        self._changes += 1

    def set_time(self, vfy_time: datetime) -> None:
        seconds = int(as_time(as_instance(vfy_time, datetime, "vfy_time"), "vfy_time").timestamp())
        # X509_STORE_set1_param would leave a time that was set before as it is
        lib.X509_VERIFY_PARAM_set_time(lib.X509_STORE_get0_param(self._store), seconds)
        self._changes += 1

    def load_locations(self, cafile: Any, capath: Any = None) -> None:
        if cafile is None and capath is None:
            raise take(CryptoError, "cafile, capath: one of them is needed")
        file, directory = _path(cafile, "cafile"), _path(capath, "capath")
        clear()
        places = (("cafile", cafile), ("capath", capath))
        where = ", ".join(place(name, path) for name, path in places if path is not None)
        check(
            lib.X509_STORE_load_locations(self._store, file, directory), f"{where}: nothing could be loaded"
        )
        self._loaded(None if capath is None else os.fsencode(capath))
        clear()

    def _loaded(self, directory: bytes | None) -> None:
        """Something has been loaded into the store, or will be from *directory*."""
        if directory is not None:
            self._directories += (directory,)
        self._changes += 1

    def set_default_paths(self) -> None:
        clear()
        check(lib.X509_STORE_set_default_paths(self._store), "the system's certificates cannot be loaded")
        directory = os.environb.get(b"SSL_CERT_DIR") or ffi.string(lib.X509_get_default_cert_dir())
        self._loaded(directory)
        clear()


def _path(path: Any, argument: str) -> Any:
    if path is None:
        return ffi.NULL
    try:
        name = os.fsencode(path)
    except TypeError:
        raise TypeError(f"{argument}: a path expected, not {type(path).__name__}") from None
    except UnicodeEncodeError as error:
        raise ValueError(f"{argument}: {error.reason}") from None
    if b"\0" in name:
        raise ValueError(f"{argument}: contains a NUL")
    return ffi.from_buffer(name + b"\0")


@implementer(IX509StoreContext)
class X509StoreContext(Bound):
    """One verification: a certificate, and others to build its chain from; see ``IX509StoreContext``."""

    _store_ctx: Any

    def __init__(self, store: X509Store, certificate: X509, chain: Iterable[X509] | None = None) -> None:
        self._store = as_instance(store, X509Store, "store")
        self._cert = as_instance(certificate, X509, "certificate")
        self._chain = as_instances(() if chain is None else chain, X509, "chain")
        self._store_ctx = own(lib.X509_STORE_CTX_new(), lib.X509_STORE_CTX_free)
        self._lock = Guard()

    def set_store(self, store: X509Store) -> None:
        self._store = as_instance(store, X509Store, "store")

    def verify_certificate(self) -> None:
        self._verify()

    def get_verified_chain(self) -> list[X509]:
        return self._verify()

    def _verify(self) -> list[X509]:
        store = self._store._store
        leaf = self._cert._whole("certificate")
        stack = certificate_stack(self._chain, "chain")
        with self._lock:
            context = self._store_ctx
            clear()
            check(lib.X509_STORE_CTX_init(context, store, leaf, stack), "store, certificate")
            try:
                if lib.X509_verify_cert(context) <= 0:
                    raise _refusal(context)
                chain = lib.X509_STORE_CTX_get0_chain(context)
                return [_shared(lib.sk_X509_value(chain, at)) for at in range(lib.sk_X509_num(chain))]
            finally:
                lib.X509_STORE_CTX_cleanup(context)
                clear()


def _shared(pointer: Any) -> X509:
    return X509._from_raw(share(pointer, lib.X509_up_ref, lib.X509_free))


def _refusal(context: Any) -> X509StoreContextError:
    # without a verdict: memory ran out, or the arguments make no sense
    code = lib.X509_STORE_CTX_get_error(context) or lib.X509_V_ERR_UNSPECIFIED
    depth = lib.X509_STORE_CTX_get_error_depth(context)
    text = X509_verify_cert_error_string(code)
    current = lib.X509_STORE_CTX_get_current_cert(context)
    certificate = _shared(current) if current != ffi.NULL else None
    return X509StoreContextError(text, [code, depth, text], certificate)


def X509_verify_cert_error_string(code: int) -> str:  # noqa: N802
    """See ``ICrypto.X509_verify_cert_error_string``."""
    return str(
        ffi.string(lib.X509_verify_cert_error_string(as_int(code, "code", -(2**31), 2**31 - 1))).decode()
    )
