"""The part of a context that is about the peer: whom to trust, what to ask for.

A connection verifies with a copy of its context's trust store, made when the store
was last changed and shared by all connections since: what is added to the store
counts for those that are made afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import CryptoError, Error
from . import _errors, trust
from ._encoding import INT_MAX, as_instance, as_instances, as_int
from ._files import Path, loaded, read_file, shown
from ._handles import share
from ._native import ffi, lib
from .crl import CRL
from .name import X509Name
from .settings import Settings, checked
from .store import X509Store
from .x509 import X509, certificates_of


def function(name: str, value: Any) -> Any:
    """*value*, if it can be called or is ``None``."""
    if value is not None and not callable(value):
        raise TypeError(f"{name}: a callable or None expected, not {type(value).__name__}")
    return value


class Trusting(Settings):
    """A context's trust store, its demands on the peer and the authorities that it names."""

    def __init__(self, method: int) -> None:
        super().__init__(method)
        store = lib.SSL_CTX_get_cert_store(self._context)
        self._store = X509Store._from_raw(share(store, lib.X509_STORE_up_ref, lib.X509_STORE_free))
        # Whether the store is one that others have not shared with us knowingly.
        self._borrowed = False
        self._keep_store()

    def _keep_store(self) -> None:
        store = self._store._store

        def step(context: Any) -> None:
            if lib.SSL_CTX_get_cert_store(context) != store:
                _errors.check(lib.X509_STORE_up_ref(store))
                lib.SSL_CTX_set_cert_store(context, store)  # takes it over

        self._set("store", step, anew=True)

    # -- verification ---------------------------------------------------------------

    def set_verify(self, mode: int, callback: Callable[..., Any] | None = None) -> None:
        value = as_int(mode, "mode", 0, 15)
        function("callback", callback)
        with self._lock:
            self._set("verify", lambda context: lib.SSL_CTX_set_verify(context, value, ffi.NULL))
            if callback is None:
                self._callables.pop("verify", None)
            else:
                self._callables["verify"] = callback

    def get_verify_mode(self) -> int:
        return int(lib.SSL_CTX_get_verify_mode(self._context))

    def set_verify_depth(self, depth: int) -> None:
        value = as_int(depth, "depth", 0, INT_MAX)
        self._set("depth", lambda context: lib.SSL_CTX_set_verify_depth(context, value))

    def get_verify_depth(self) -> int:
        return int(lib.SSL_CTX_get_verify_depth(self._context))

    def set_cert_verify_callback(self, callback: Callable[..., Any] | None) -> None:
        self._switch("chain", function("callback", callback))

    def set_post_handshake_auth(self, enabled: bool) -> None:
        """Whether a client lets the server ask for its certificate later (RFC 8446, section 4.6.2)."""
        value = bool(enabled)
        self._set("later", lambda context: lib.SSL_CTX_set_post_handshake_auth(context, value))

    # -- trust ------------------------------------------------------------------------

    def load_verify_locations(self, cafile: Path | None, capath: Path | None = None) -> None:
        if cafile is None and capath is None:
            raise ValueError("cafile, capath: at least one of the two expected")
        certificates: list[X509] = []
        lists: list[CRL] = []
        if cafile is not None:
            content = read_file("cafile", cafile)
            certificates = [X509._from_raw(one) for one in loaded(X509._codec.load_all, *content)]
            lists = [CRL._from_raw(one) for one in loaded(CRL._codec.load_all, *content)]
            if not certificates and not lists:
                raise Error.from_reasons([], f"{content[1]}: no certificate in it")
        if capath is not None:
            if not isinstance(capath, (str, bytes, os.PathLike)):
                raise TypeError(f"capath: a path expected, not {type(capath).__name__}")
            if "\0" in os.fsdecode(capath):
                raise ValueError("capath: contains a NUL")
            if not os.path.isdir(capath):
                raise Error.from_reasons([], f"capath: {shown(capath)} is not a directory")
        with self._lock:
            store = self.get_cert_store()
            if capath is not None:
                loaded(store.load_locations, None, capath)
            for certificate in certificates:
                store.add_cert(certificate)
            for one in lists:
                store.add_crl(one)

    def set_default_verify_paths(self) -> None:
        with self._lock:
            for cafile, capath in trust.places():
                if cafile is None and capath is None:
                    try:
                        self.get_cert_store().set_default_paths()
                    except CryptoError as error:
                        raise _errors.translated(error, Error, "the system's trust store") from error
                else:
                    self.load_verify_locations(cafile, capath)

    def get_cert_store(self) -> X509Store:
        with self._lock:
            if self._borrowed:
                self._store = self._store.copy()
                self._borrowed = False
                self._keep_store()
            return self._store

    def set_cert_store(self, store: X509Store) -> None:
        """Trust what *store* (an IX509Store) trusts, and share it: what is added to it counts here."""
        as_instance(store, X509Store, "store")
        with self._lock:
            self._store = store
            self._borrowed = False
            self._keep_store()

    def _borrow_store(self, store: X509Store) -> None:
        """The same, but a change here leaves *store* alone."""
        with self._lock:
            self.set_cert_store(store)
            self._borrowed = True

    # -- the authorities that clients are asked for --------------------------------------

    def load_client_ca(self, pemfile: Path) -> None:
        certificates = loaded(certificates_of, *read_file("pemfile", pemfile))
        Trusting.set_client_ca_list(self, [one.get_subject() for one in certificates])

    def set_client_ca_list(self, names: Iterable[X509Name]) -> None:
        # Copies: the step may be taken again when the caller has changed the names.
        wanted = [X509Name(one) for one in as_instances(names, X509Name, "names")]

        def step(context: Any) -> None:
            pointers = ffi.new("X509_NAME *[]", [one._name for one in wanted])
            checked(lib.oi_set_client_ca(context, pointers, len(wanted)), "names")

        with self._lock:
            self._set("authorities", step, anew=True)
            self._forget_authorities()

    def add_client_ca(self, certificate: X509) -> None:
        as_instance(certificate, X509, "certificate")
        kept = self._complete("certificate", certificate)
        self._set(
            ("authority", object()),
            lambda context: checked(lib.SSL_CTX_add_client_CA(context, kept), "certificate"),
            anew=True,
        )

    def _forget_authorities(self) -> None:
        """Single ones that were added before a list took their place."""
        for key in [key for key in self._steps if isinstance(key, tuple) and key[0] == "authority"]:
            del self._steps[key]

    @staticmethod
    def _complete(argument: str, certificate: X509) -> Any:
        """The handle of a certificate as it is now, for libssl to keep."""
        return loaded(certificate._whole, argument)
