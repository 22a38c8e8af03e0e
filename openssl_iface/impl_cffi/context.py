"""Contexts: what many connections share (*SSL_CTX_new(3)*).

A setter on a used context affects later connections only.  libssl copies most
of a context into a connection when that is made; for the rest,

* the callables are copied into the connection's hooks;
* the trust store is pinned by each connection that verifies, and replaced here,
  not changed, once it has been used or is shared with other contexts.
"""

from __future__ import annotations

import os
import pathlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError, Error
from ..interfaces import IContext
from ..values import FileType, Method, ProtocolVersion
from . import _errors, trust
from ._callbacks import SWITCHES
from ._encoding import INT_MAX, as_filetype, as_instance, as_int, as_name
from ._handles import own, share
from ._native import ffi, lib
from .name import X509Name
from .pkey import PKey, load_privatekey
from .store import X509Store
from .x509 import X509, load_certificate, load_certificates

# What a password callback is told as the maximum length (PEM_BUFSIZE).
PASSPHRASE_MAX = 1024

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]

METHODS: dict[int, tuple[Callable[[], Any], int]] = {
    # method: (libssl's, the only protocol version or 0)
    Method.SSLv3: (lib.TLS_method, ProtocolVersion.SSL3),
    Method.SSLv23: (lib.TLS_method, 0),
    Method.TLSv1: (lib.TLS_method, ProtocolVersion.TLS1),
    Method.TLSv1_1: (lib.TLS_method, ProtocolVersion.TLS1_1),
    Method.TLSv1_2: (lib.TLS_method, ProtocolVersion.TLS1_2),
    Method.TLS: (lib.TLS_method, 0),
    Method.TLS_SERVER: (lib.TLS_server_method, 0),
    Method.TLS_CLIENT: (lib.TLS_client_method, 0),
    Method.DTLS: (lib.DTLS_method, 0),
    Method.DTLS_SERVER: (lib.DTLS_server_method, 0),
    Method.DTLS_CLIENT: (lib.DTLS_client_method, 0),
}


def function(name: str, value: Any) -> Any:
    """*value*, if it can be called or is ``None``."""
    if value is not None and not callable(value):
        raise TypeError(f"{name}: a callable or None expected, not {type(value).__name__}")
    return value


def read_file(name: str, path: Path) -> bytes:
    """A whole file; an ``Error`` that names the argument and the system's reason."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{name}: a path expected, not {type(path).__name__}")
    try:
        return pathlib.Path(os.fsdecode(path)).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Error.from_reasons(
            [("system library", "fopen", reason)], f"{name}: {os.fsdecode(path)!r} cannot be read"
        ) from error


def wire_protocols(protocols: Iterable[bytes]) -> bytes:
    """ALPN names as they stand on the wire (RFC 7301, section 3.1)."""
    if isinstance(protocols, str | bytes):  # type: ignore[unreachable]
        raise TypeError("protocols: a sequence of bytes expected, not one")
    wire = b""
    for protocol in protocols:
        if not isinstance(protocol, bytes):
            raise TypeError(f"protocols: bytes expected, not {type(protocol).__name__}")
        if not 1 <= len(protocol) <= 255:
            raise ValueError(f"protocols: {protocol!r} is not 1 to 255 bytes long")
        wire += bytes([len(protocol)]) + protocol
    if not wire:
        raise ValueError("protocols: at least one protocol expected")
    if len(wire) > 65535:
        raise ValueError("protocols: more than 65535 bytes in all")
    return wire


@implementer(IContext)
class Context:
    """A TLS context (*SSL_CTX_new(3)*).

    :param method: a :class:`~openssl_iface.values.Method`.
    :raises Error: this OpenSSL does not have the protocol.
    """

    def __init__(self, method: int) -> None:
        if not isinstance(method, int):
            raise TypeError(f"method: an int expected, not {type(method).__name__}")
        if method == Method.SSLv2:
            raise Error.from_reasons([], "method: SSLv2 is gone from every OpenSSL since 1.1.0")
        if method not in METHODS:
            raise ValueError(f"method: {method} is not one of the method constants")
        make, version = METHODS[method]
        _errors.clear()
        pointer = lib.SSL_CTX_new(make())
        if pointer == ffi.NULL:
            raise _errors.take(Error, "method")
        self._context = own(pointer, lib.SSL_CTX_free)
        if version and not (
            lib.SSL_CTX_set_min_proto_version(pointer, version)
            and lib.SSL_CTX_set_max_proto_version(pointer, version)
        ):
            raise _errors.take(Error, f"method: {Method(method).name} is not in this OpenSSL")
        self.method = int(method)
        self._lock = threading.RLock()
        self._callables: dict[str, Any] = {}
        self._app_data: Any = None
        self._password: tuple[Callable[..., Any], Any] | None = None
        # The trust store may be changed only while it is ours alone.
        self._store_shared = False
        self._directories: list[bytes | None] = []
        # Secure renegotiation can still be asked for; partial writes and
        # moving buffers are how both faces of Connection work.
        lib.SSL_CTX_set_default_passwd_cb(pointer, ffi.NULL)

    # -- for connections -------------------------------------------------------

    def _adopt(self, connection: Any) -> None:
        """Give a new connection what libssl does not copy; under the lock."""
        connection._hooks.callables = self._callables.copy()
        ssl = connection._ssl_borrowed
        mode = lib.SSL_CTX_get_verify_mode(self._context)
        if mode:
            self._store_shared = True
            lib.SSL_set1_verify_cert_store(ssl, lib.SSL_CTX_get_cert_store(self._context))
        lib.oi_set_verify(connection._conn, mode, "verify" in self._callables)

    def _switch(self, name: str, callback: Any) -> None:
        with self._lock:
            if callback is None:
                self._callables.pop(name, None)
            else:
                self._callables[name] = callback
            lib.oi_context_on(self._context, SWITCHES[name], callback is not None)

    def _check(self, result: int, message: str = "") -> None:
        if result <= 0:
            raise _errors.take(Error, message)

    # -- protocols, ciphers ------------------------------------------------------

    def set_min_proto_version(self, version: int) -> None:
        with self._lock:
            _errors.clear()
            self._check(
                lib.SSL_CTX_set_min_proto_version(self._context, as_int(version, "version", 0, INT_MAX)),
                f"version: {version:#06x} is not in this OpenSSL",
            )

    def set_max_proto_version(self, version: int) -> None:
        with self._lock:
            _errors.clear()
            self._check(
                lib.SSL_CTX_set_max_proto_version(self._context, as_int(version, "version", 0, INT_MAX)),
                f"version: {version:#06x} is not in this OpenSSL",
            )

    def get_min_proto_version(self) -> int:
        return int(lib.SSL_CTX_get_min_proto_version(self._context))

    def get_max_proto_version(self) -> int:
        return int(lib.SSL_CTX_get_max_proto_version(self._context))

    def set_cipher_list(self, ciphers: str | bytes) -> None:
        value = as_name(ciphers, "ciphers")
        with self._lock:
            before = [name for name in self.get_cipher_list() if not name.startswith("TLS_")]
            _errors.clear()
            if not lib.SSL_CTX_set_cipher_list(self._context, value):
                error = _errors.take(Error, f"ciphers: {value.decode()!r}")
                # libssl has taken the empty list over by then.
                lib.SSL_CTX_set_cipher_list(self._context, ":".join(before).encode())
                _errors.clear()
                raise error

    def set_tls13_ciphersuites(self, ciphersuites: str | bytes) -> None:
        value = as_name(ciphersuites, "ciphersuites")
        with self._lock:
            _errors.clear()
            self._check(
                lib.SSL_CTX_set_ciphersuites(self._context, value), f"ciphersuites: {value.decode()!r}"
            )

    def get_cipher_list(self) -> list[str]:
        with self._lock:
            return names(lib.oi_context_cipher, self._context)

    def set_groups(self, groups: str | bytes) -> None:
        value = as_name(groups, "groups")
        with self._lock:
            _errors.clear()
            self._check(lib.SSL_CTX_set1_groups_list(self._context, value), f"groups: {value.decode()!r}")

    def set_tmp_ecdh(self, curve: Any) -> None:
        """Use one curve for the key exchange: an object with a ``name``, or the name."""
        self.set_groups(getattr(curve, "name", curve))

    def set_sigalgs(self, algorithms: str | bytes) -> None:
        value = as_name(algorithms, "algorithms")
        with self._lock:
            _errors.clear()
            self._check(
                lib.SSL_CTX_set1_sigalgs_list(self._context, value), f"algorithms: {value.decode()!r}"
            )

    def set_options(self, options: int) -> int:
        value = as_int(options, "options", 0, 2**64 - 1)
        with self._lock:
            return int(lib.SSL_CTX_set_options(self._context, value))

    def clear_options(self, options: int) -> int:
        value = as_int(options, "options", 0, 2**64 - 1)
        with self._lock:
            return int(lib.SSL_CTX_clear_options(self._context, value))

    def get_options(self) -> int:
        """The ``OP_`` bits that are set (int)."""
        return int(lib.SSL_CTX_get_options(self._context))

    def set_mode(self, mode: int) -> int:
        with self._lock:
            return int(lib.SSL_CTX_set_mode(self._context, as_int(mode, "mode", 0, INT_MAX)))

    def clear_mode(self, mode: int) -> int:
        with self._lock:
            return int(lib.SSL_CTX_clear_mode(self._context, as_int(mode, "mode", 0, INT_MAX)))

    # -- certificate and key -----------------------------------------------------

    def use_certificate(self, certificate: X509) -> None:
        as_instance(certificate, X509, "certificate")
        with self._lock:
            _errors.clear()
            self._check(lib.SSL_CTX_use_certificate(self._context, certificate._x509), "certificate")

    def use_certificate_file(self, path: Path, filetype: int = FileType.PEM) -> None:
        data = read_file("path", path)
        self.use_certificate(_load("path", path, load_certificate, as_filetype(filetype), data))

    def use_certificate_chain_file(self, path: Path) -> None:
        self.use_certificate_chain(_load("path", path, load_certificates, read_file("path", path)))

    def use_certificate_chain(self, certificates: Iterable[X509]) -> None:
        chain = [as_instance(one, X509, "certificates") for one in certificates]
        if not chain:
            raise ValueError("certificates: at least one expected")
        with self._lock:
            _errors.clear()
            self._check(lib.SSL_CTX_use_certificate(self._context, chain[0]._x509), "certificates")
            lib.SSL_CTX_clear_chain_certs(self._context)
            for one in chain[1:]:
                self._check(lib.SSL_CTX_add1_chain_cert(self._context, one._x509), "certificates")

    def add_extra_chain_cert(self, certificate: X509) -> None:
        as_instance(certificate, X509, "certificate")
        with self._lock:
            _errors.clear()
            _errors.check(lib.X509_up_ref(certificate._x509))
            if not lib.SSL_CTX_add_extra_chain_cert(self._context, certificate._x509):
                lib.X509_free(certificate._x509)
                raise _errors.take(Error, "certificate")

    def use_privatekey(self, key: PKey) -> None:
        as_instance(key, PKey, "key")
        with self._lock:
            _errors.clear()
            present = lib.SSL_CTX_get0_certificate(self._context)
            if present != ffi.NULL and not self._belongs(present, key):
                raise _errors.take(Error, "key: it does not belong to the certificate")
            self._check(lib.SSL_CTX_use_PrivateKey(self._context, key._pkey), "key")

    def _belongs(self, certificate: Any, key: PKey) -> bool:
        """Whether *key* fits, or is of another kind and so for another certificate."""
        public = lib.X509_get0_pubkey(certificate)
        if public != ffi.NULL and lib.EVP_PKEY_base_id(public) != lib.EVP_PKEY_base_id(key._pkey):
            return True
        return bool(lib.X509_check_private_key(certificate, key._pkey) == 1)

    def use_privatekey_file(self, path: Path, filetype: int = FileType.PEM) -> None:
        data = read_file("path", path)
        passphrase = None
        if self._password is not None:
            call, userdata = self._password
            passphrase = lambda verify: call(PASSPHRASE_MAX, verify, userdata)  # noqa: E731
        self.use_privatekey(_load("path", path, load_privatekey, as_filetype(filetype), data, passphrase))

    def check_privatekey(self) -> bool:
        with self._lock:
            good = lib.SSL_CTX_check_private_key(self._context) == 1
            _errors.clear()
            return good

    def set_passwd_cb(self, callback: Callable[..., bytes], userdata: Any = None) -> None:
        if not callable(callback):
            raise TypeError(f"callback: a callable expected, not {type(callback).__name__}")
        self._password = (callback, userdata)

    # -- the peer's certificate -----------------------------------------------------

    def set_verify(self, mode: int, callback: Callable[..., Any] | None = None) -> None:
        value = as_int(mode, "mode", 0, 15)
        function("callback", callback)
        with self._lock:
            lib.SSL_CTX_set_verify(self._context, value, ffi.NULL)
            if callback is None:
                self._callables.pop("verify", None)
            else:
                self._callables["verify"] = callback

    def get_verify_mode(self) -> int:
        return int(lib.SSL_CTX_get_verify_mode(self._context))

    def set_verify_depth(self, depth: int) -> None:
        with self._lock:
            lib.SSL_CTX_set_verify_depth(self._context, as_int(depth, "depth", 0, INT_MAX))

    def get_verify_depth(self) -> int:
        return int(lib.SSL_CTX_get_verify_depth(self._context))

    def _own_store(self) -> Any:
        """The trust store, copied first if somebody else looks at it."""
        if self._store_shared:
            _errors.clear()
            store = lib.oi_store_copy(lib.SSL_CTX_get_cert_store(self._context))
            self._check(store != ffi.NULL, "the trust store")
            lib.SSL_CTX_set_cert_store(self._context, store)  # takes it over
            self._store_shared = False
            for directory in self._directories:
                self._look_in(directory)
        return lib.SSL_CTX_get_cert_store(self._context)

    def _look_in(self, directory: bytes | None) -> None:
        if directory is None:
            self._check(lib.SSL_CTX_set_default_verify_paths(self._context), "the system's trust store")
        else:
            self._check(lib.SSL_CTX_load_verify_locations(self._context, ffi.NULL, directory), "capath")

    def load_verify_locations(self, cafile: Path | None, capath: Path | None = None) -> None:
        if cafile is None and capath is None:
            raise ValueError("cafile, capath: at least one of the two expected")
        certificates: list[X509] = []
        if cafile is not None:
            certificates = _load("cafile", cafile, load_certificates, read_file("cafile", cafile))
        directory = None
        if capath is not None:
            directory = os.fsencode(capath)
            if not pathlib.Path(os.fsdecode(directory)).is_dir():
                raise Error.from_reasons([], f"capath: {os.fsdecode(capath)!r} is not a directory")
        with self._lock:
            store = self._own_store()
            _errors.clear()
            for certificate in certificates:
                self._check(lib.X509_STORE_add_cert(store, certificate._x509), "cafile")
            if directory is not None:
                self._look_in(directory)
                self._directories.append(directory)

    def set_default_verify_paths(self) -> None:
        for cafile, capath in trust.places():
            if cafile is None and capath is None:
                with self._lock:
                    self._own_store()
                    _errors.clear()
                    self._look_in(None)
                    self._directories.append(None)
            else:
                self.load_verify_locations(cafile, capath)

    def get_cert_store(self) -> X509Store:
        with self._lock:
            store = self._own_store()
            return X509Store._from_raw(share(store, lib.X509_STORE_up_ref, lib.X509_STORE_free))

    def set_cert_store(self, store: X509Store) -> None:
        """Trust what *store* (an IX509Store) trusts, and share it."""
        as_instance(store, X509Store, "store")
        with self._lock:
            _errors.check(lib.X509_STORE_up_ref(store._store))
            lib.SSL_CTX_set_cert_store(self._context, store._store)
            self._store_shared = True
            self._directories = []

    def load_client_ca(self, pemfile: Path) -> None:
        certificates = _load("pemfile", pemfile, load_certificates, read_file("pemfile", pemfile))
        self.set_client_ca_list([one.get_subject() for one in certificates])

    def set_client_ca_list(self, names: Iterable[X509Name]) -> None:
        wanted = [as_instance(one, X509Name, "names") for one in names]
        pointers = ffi.new("X509_NAME *[]", [one._name for one in wanted])
        with self._lock:
            _errors.clear()
            self._check(lib.oi_set_client_ca(self._context, pointers, len(wanted)), "names")

    def add_client_ca(self, certificate: X509) -> None:
        as_instance(certificate, X509, "certificate")
        with self._lock:
            _errors.clear()
            self._check(lib.SSL_CTX_add_client_CA(self._context, certificate._x509), "certificate")

    # -- key exchange, sessions --------------------------------------------------------

    def load_tmp_dh(self, dhfile: Path) -> None:
        data = read_file("dhfile", dhfile)
        with self._lock:
            _errors.clear()
            self._check(
                lib.oi_load_dh(self._context, data, len(data)),
                f"dhfile: {os.fsdecode(dhfile)!r} has no Diffie-Hellman parameters that can be used",
            )

    def set_session_id(self, name: bytes) -> None:
        if not isinstance(name, bytes):
            raise TypeError(f"name: bytes expected, not {type(name).__name__}")
        if len(name) > lib.SSL_MAX_SID_CTX_LENGTH:
            raise ValueError(f"name: {len(name)} bytes, at most {lib.SSL_MAX_SID_CTX_LENGTH} expected")
        with self._lock:
            _errors.clear()
            self._check(lib.SSL_CTX_set_session_id_context(self._context, name, len(name)), "name")

    def set_session_cache_mode(self, mode: int) -> int:
        with self._lock:
            return int(lib.SSL_CTX_set_session_cache_mode(self._context, as_int(mode, "mode", 0, INT_MAX)))

    def get_session_cache_mode(self) -> int:
        return int(lib.SSL_CTX_get_session_cache_mode(self._context))

    def set_timeout(self, seconds: int) -> int:
        with self._lock:
            return int(lib.SSL_CTX_set_timeout(self._context, as_int(seconds, "seconds", 0, INT_MAX)))

    def get_timeout(self) -> int:
        return int(lib.SSL_CTX_get_timeout(self._context))

    def set_num_tickets(self, count: int) -> None:
        """How many tickets a TLS 1.3 server sends after a full handshake (*SSL_CTX_set_num_tickets(3)*)."""
        with self._lock:
            self._check(
                lib.SSL_CTX_set_num_tickets(self._context, as_int(count, "count", 0, INT_MAX)), "count"
            )

    # -- extensions and callbacks --------------------------------------------------------

    def set_alpn_protos(self, protocols: Iterable[bytes]) -> None:
        wire = wire_protocols(protocols)
        with self._lock:
            _errors.clear()
            # The one function of libssl here that returns 0 on success.
            if lib.SSL_CTX_set_alpn_protos(self._context, wire, len(wire)):
                raise _errors.take(Error, "protocols")

    def set_alpn_select_callback(self, callback: Callable[..., Any] | None) -> None:
        self._switch("alpn", function("callback", callback))

    def set_tlsext_servername_callback(self, callback: Callable[..., Any] | None) -> None:
        self._switch("servername", function("callback", callback))

    def set_info_callback(self, callback: Callable[..., Any] | None) -> None:
        self._switch("info", function("callback", callback))

    def set_keylog_callback(self, callback: Callable[..., Any] | None) -> None:
        self._switch("keylog", function("callback", callback))

    def set_cert_cb(self, callback: Callable[..., Any] | None) -> None:
        self._switch("certificate", function("callback", callback))

    def set_client_hello_callback(self, callback: Callable[..., Any] | None) -> None:
        self._switch("client_hello", function("callback", callback))

    def set_session_callback(self, callback: Callable[..., Any] | None) -> None:
        self._switch("session", function("callback", callback))

    def set_cert_verify_callback(self, callback: Callable[..., Any] | None) -> None:
        self._switch("chain", function("callback", callback))

    def set_ocsp_server_callback(self, callback: Callable[..., bytes], data: Any = None) -> None:
        self._switch("status_server", (callback, data) if function("callback", callback) else None)

    def set_ocsp_client_callback(self, callback: Callable[..., Any], data: Any = None) -> None:
        self._switch("status_client", (callback, data) if function("callback", callback) else None)

    # -- DTLS ------------------------------------------------------------------------------

    def set_cookie_generate_callback(self, callback: Callable[..., bytes]) -> None:
        """Make the cookies of a DTLS server (RFC 6347, section 4.2.1): a callable with
        ``(connection)`` that returns at most 255 bytes."""
        self._cookie("cookie_make", callback)

    def set_cookie_verify_callback(self, callback: Callable[..., Any]) -> None:
        """Check them: a callable with ``(connection, cookie)`` that returns the verdict."""
        self._cookie("cookie_check", callback)

    def _cookie(self, name: str, callback: Any) -> None:
        if not callable(callback):
            raise TypeError(f"callback: a callable expected, not {type(callback).__name__}")
        with self._lock:
            self._callables[name] = callback
            if {"cookie_make", "cookie_check"} <= self._callables.keys():
                lib.oi_cookie_on(self._context, 1)

    def set_tlsext_use_srtp(self, profiles: bytes) -> None:
        """Offer keys for SRTP (RFC 5764): profile names separated by colons."""
        value = as_name(profiles, "profiles")
        with self._lock:
            _errors.clear()
            # 0 is a success.
            if lib.SSL_CTX_set_tlsext_use_srtp(self._context, value):
                raise _errors.take(Error, f"profiles: {value.decode()!r}")

    def set_app_data(self, data: Any) -> None:
        self._app_data = data

    def get_app_data(self) -> Any:
        return self._app_data


def _load(name: str, path: Path, load: Callable[..., Any], *arguments: Any) -> Any:
    """What is in a file; an error names the argument and the file, as ``SSL.Error``."""
    try:
        return load(*arguments)
    except CryptoError as error:
        raise Error.from_reasons(
            error.reasons,
            f"{name}: {os.fsdecode(path)!r}: {error.message}"
            if error.message
            else f"{name}: {os.fsdecode(path)!r}",
            codes=error.codes,
            details=error.details,
        ) from error


def names(ask: Callable[[Any, int], Any], pointer: Any) -> list[str]:
    """The names that *ask* gives for 0, 1, 2 ... until NULL."""
    found: list[str] = []
    while (name := ask(pointer, len(found))) != ffi.NULL:
        found.append(ffi.string(name).decode())
    return found
