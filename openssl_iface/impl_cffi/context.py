"""Contexts: what many connections share (*SSL_CTX_new(3)*).

A setter on a used context affects later connections only: ``settings.py`` and
``trusting.py`` tell how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError, Error
from ..interfaces import IContext
from ..values import FileType
from . import _errors
from ._encoding import INT_MAX, as_filetype, as_instance, as_instances, as_int, as_name
from ._files import Path, loaded, read_file
from ._native import ffi, lib
from .pkey import PASSPHRASE_MAX, KeyWords, PKey, private_key_of
from .settings import checked, names
from .trusting import Trusting, function
from .x509 import X509, certificates_of

ALL_BITS = 2**64 - 1


def wire_protocols(protocols: Any) -> bytes:
    """ALPN names as they stand on the wire (RFC 7301, section 3.1)."""
    if isinstance(protocols, str | bytes) or not isinstance(protocols, Iterable):
        raise TypeError(f"protocols: a sequence of bytes expected, not one {type(protocols).__name__}")
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
class Context(Trusting):
    """A TLS context (*SSL_CTX_new(3)*).

    :param method: a :class:`~openssl_iface.values.Method`.
    :raises Error: this OpenSSL does not have the protocol.
    """

    def __init__(self, method: int) -> None:
        super().__init__(method)
        self._app_data: Any = None
        self._password: tuple[Callable[..., Any], Any] | None = None

    # -- protocols, ciphers ------------------------------------------------------

    def set_min_proto_version(self, version: int) -> None:
        value = as_int(version, "version", 0, INT_MAX)
        self._set(
            "lowest",
            lambda context: checked(
                lib.SSL_CTX_set_min_proto_version(context, value),
                f"version: {value:#06x} is not in this OpenSSL",
            ),
        )

    def set_max_proto_version(self, version: int) -> None:
        value = as_int(version, "version", 0, INT_MAX)
        self._set(
            "highest",
            lambda context: checked(
                lib.SSL_CTX_set_max_proto_version(context, value),
                f"version: {value:#06x} is not in this OpenSSL",
            ),
        )

    def get_min_proto_version(self) -> int:
        return int(lib.SSL_CTX_get_min_proto_version(self._context))

    def get_max_proto_version(self) -> int:
        return int(lib.SSL_CTX_get_max_proto_version(self._context))

    def set_cipher_list(self, ciphers: str | bytes) -> None:
        value = as_name(ciphers, "ciphers")
        message = f"ciphers: {value.decode(errors='replace')!r}"
        with self._lock:
            # libssl takes an empty list over before it says that it is empty.
            self._tried(lambda ssl: checked(lib.SSL_set_cipher_list(ssl, value), message))
            self._set(
                "ciphers",
                lambda context: checked(lib.SSL_CTX_set_cipher_list(context, value), message),
                anew=True,
            )

    def set_tls13_ciphersuites(self, ciphersuites: str | bytes) -> None:
        value = as_name(ciphersuites, "ciphersuites")
        message = f"ciphersuites: {value.decode(errors='replace')!r}"

        def attempt(ssl: Any) -> None:
            checked(lib.SSL_set_ciphersuites(ssl, value), message)
            # From OpenSSL 3.0 on, names that it does not know are passed over.
            known = set(names(lib.SSL_get_cipher_list, ssl))
            for name in filter(None, value.decode(errors="replace").split(":")):
                if name not in known:
                    raise Error.from_reasons([], f"ciphersuites: {name!r} is not in this OpenSSL")

        with self._lock:
            self._tried(attempt)
            self._set(
                "ciphersuites",
                lambda context: checked(lib.SSL_CTX_set_ciphersuites(context, value), message),
                anew=True,
            )

    def get_cipher_list(self) -> list[str]:
        with self._lock:
            return names(lib.oi_context_cipher, self._context)

    def set_groups(self, groups: str | bytes) -> None:
        value = as_name(groups, "groups")
        message = f"groups: {value.decode(errors='replace')!r}"
        self._set("groups", lambda context: checked(lib.SSL_CTX_set1_groups_list(context, value), message))

    def set_tmp_ecdh(self, curve: Any) -> None:
        """Use one curve for the key exchange: an object with a ``name``, or the name."""
        self.set_groups(as_name(getattr(curve, "name", curve), "curve"))

    def set_sigalgs(self, algorithms: str | bytes) -> None:
        value = as_name(algorithms, "algorithms")
        message = f"algorithms: {value.decode(errors='replace')!r}"
        self._set(
            "algorithms",
            lambda context: checked(lib.SSL_CTX_set1_sigalgs_list(context, value), message),
        )

    def set_options(self, options: int) -> int:
        return self._have_options(as_int(options, "options", 0, ALL_BITS), 0)

    def clear_options(self, options: int) -> int:
        return self._have_options(0, as_int(options, "options", 0, ALL_BITS))

    def get_options(self) -> int:
        """The ``OP_`` bits that are set (int)."""
        return int(lib.SSL_CTX_get_options(self._context))

    def _have_options(self, more: int, less: int) -> int:
        with self._lock:
            bits = (self.get_options() | more) & ~less

            def step(context: Any) -> None:
                lib.SSL_CTX_clear_options(context, ALL_BITS & ~bits)
                lib.SSL_CTX_set_options(context, bits)

            self._set("options", step)
            return self.get_options()

    def set_mode(self, mode: int) -> int:
        return self._have_mode(as_int(mode, "mode", 0, INT_MAX), 0)

    def clear_mode(self, mode: int) -> int:
        return self._have_mode(0, as_int(mode, "mode", 0, INT_MAX))

    def _have_mode(self, more: int, less: int) -> int:
        with self._lock:
            bits = (int(lib.SSL_CTX_get_mode(self._context)) | more) & ~less

            def step(context: Any) -> None:
                lib.SSL_CTX_clear_mode(context, INT_MAX & ~bits)
                lib.SSL_CTX_set_mode(context, bits)

            self._set("mode", step)
            return int(lib.SSL_CTX_get_mode(self._context))

    # -- certificate and key -----------------------------------------------------

    def use_certificate(self, certificate: X509) -> None:
        self._present(as_instance(certificate, X509, "certificate"), "certificate")

    def use_certificate_file(self, path: Path, filetype: int = FileType.PEM) -> None:
        kind = as_filetype(filetype, "filetype")
        data, where = read_file("path", path)
        self._present(loaded(X509._load, kind, data, where), where)

    def _present(self, certificate: X509, argument: str) -> None:
        leaf = self._complete(argument, certificate)
        self._set(
            ("certificate", self._kind(certificate)),
            lambda context: checked(lib.SSL_CTX_use_certificate(context, leaf), argument),
        )

    def use_certificate_chain_file(self, path: Path) -> None:
        data, where = read_file("path", path)
        self._present_chain(loaded(certificates_of, data, where), where)

    def use_certificate_chain(self, certificates: Iterable[X509]) -> None:
        chain = as_instances(certificates, X509, "certificates")
        if not chain:
            raise ValueError("certificates: at least one expected")
        self._present_chain(chain, "certificates")

    def _present_chain(self, chain: list[X509], argument: str) -> None:
        leaf, *above = [self._complete(argument, one) for one in chain]

        def attempt(ssl: Any) -> None:
            checked(lib.SSL_use_certificate(ssl, leaf), argument)
            for one in above:
                checked(lib.SSL_add1_chain_cert(ssl, one), argument)

        def step(context: Any) -> None:
            checked(lib.SSL_CTX_use_certificate(context, leaf), argument)
            lib.SSL_CTX_clear_chain_certs(context)
            for one in above:
                checked(lib.SSL_CTX_add1_chain_cert(context, one), argument)

        with self._lock:
            self._tried(attempt)
            self._set(("chain", self._kind(chain[0])), step)

    @staticmethod
    def _kind(certificate: X509) -> Any:
        """Which of a context's certificates it takes the place of."""
        try:
            return certificate.get_pubkey().algorithm or object()
        except CryptoError:
            return object()

    def add_extra_chain_cert(self, certificate: X509) -> None:
        as_instance(certificate, X509, "certificate")
        kept = self._complete("certificate", certificate)

        def step(context: Any) -> None:
            _errors.check(lib.X509_up_ref(kept))
            if not lib.SSL_CTX_add_extra_chain_cert(context, kept):
                lib.X509_free(kept)
                raise _errors.take(Error, "certificate")

        self._set(("extra", object()), step, anew=True)

    def use_privatekey(self, key: PKey) -> None:
        self._use_key(as_instance(key, PKey, "key"), "key")

    def _use_key(self, key: PKey, argument: str) -> None:
        handle = loaded(key._need_private, argument)
        with self._lock:
            _errors.clear()
            present = lib.SSL_CTX_get0_certificate(self._context)
            if present != ffi.NULL and not self._belongs(present, handle):
                raise _errors.take(Error, f"{argument}: it does not belong to the certificate")
            self._set(
                ("key", key.algorithm),
                lambda context: checked(lib.SSL_CTX_use_PrivateKey(context, handle), argument),
            )

    @staticmethod
    def _belongs(certificate: Any, handle: Any) -> bool:
        """Whether a key fits, or is of another kind and so for another certificate."""
        public = lib.X509_get0_pubkey(certificate)
        if public != ffi.NULL and lib.EVP_PKEY_base_id(public) != lib.EVP_PKEY_base_id(handle):
            return True
        return bool(lib.X509_check_private_key(certificate, handle) == 1)

    def use_privatekey_file(self, path: Path, filetype: int = FileType.PEM) -> None:
        kind = as_filetype(filetype, "filetype")
        data, where = read_file("path", path)
        passphrase: Callable[[int], Any] | None = None
        if self._password is not None:
            ask, userdata = self._password

            def passphrase(writing: int) -> Any:
                return ask(PASSPHRASE_MAX, writing, userdata)

        words = KeyWords(
            damaged=f"{where}: not a private key",
            missing=f"{where}: the key is encrypted, and set_passwd_cb has set no passphrase",
            wrong=f"{where}: the passphrase is wrong, or it is not a private key",
        )
        self._use_key(loaded(private_key_of, kind, data, passphrase, words), where)

    def check_privatekey(self) -> bool:
        with self._lock:
            good = lib.SSL_CTX_check_private_key(self._context) == 1
            _errors.clear()
            return good

    def set_passwd_cb(self, callback: Callable[..., bytes], userdata: Any = None) -> None:
        if not callable(callback):
            raise TypeError(f"callback: a callable expected, not {type(callback).__name__}")
        self._password = (callback, userdata)

    # -- key exchange, sessions --------------------------------------------------------

    def load_tmp_dh(self, dhfile: Path) -> None:
        data, where = read_file("dhfile", dhfile)
        message = f"{where} has no Diffie-Hellman parameters that can be used"
        self._set("dh", lambda context: checked(lib.oi_load_dh(context, data, len(data)), message))

    def set_session_id(self, name: bytes) -> None:
        if not isinstance(name, bytes):
            raise TypeError(f"name: bytes expected, not {type(name).__name__}")
        if len(name) > lib.SSL_MAX_SID_CTX_LENGTH:
            raise ValueError(f"name: {len(name)} bytes, at most {lib.SSL_MAX_SID_CTX_LENGTH} expected")
        self._set(
            "id",
            lambda context: checked(lib.SSL_CTX_set_session_id_context(context, name, len(name)), "name"),
        )

    def set_session_cache_mode(self, mode: int) -> int:
        value = as_int(mode, "mode", 0, INT_MAX)
        with self._lock:
            before = self.get_session_cache_mode()
            self._set("cache", lambda context: lib.SSL_CTX_set_session_cache_mode(context, value))
            return before

    def get_session_cache_mode(self) -> int:
        return int(lib.SSL_CTX_get_session_cache_mode(self._context))

    def set_timeout(self, seconds: int) -> int:
        value = as_int(seconds, "seconds", 0, INT_MAX)
        with self._lock:
            before = self.get_timeout()
            self._set("timeout", lambda context: lib.SSL_CTX_set_timeout(context, value))
            return before

    def get_timeout(self) -> int:
        return int(lib.SSL_CTX_get_timeout(self._context))

    def set_num_tickets(self, count: int) -> None:
        """How many tickets a TLS 1.3 server sends after a full handshake (*SSL_CTX_set_num_tickets(3)*)."""
        value = as_int(count, "count", 0, INT_MAX)
        self._set("tickets", lambda context: checked(lib.SSL_CTX_set_num_tickets(context, value), "count"))

    # -- extensions and callbacks --------------------------------------------------------

    def set_alpn_protos(self, protocols: Iterable[bytes]) -> None:
        wire = wire_protocols(protocols)

        def step(context: Any) -> None:
            # 0 is a success.
            if lib.SSL_CTX_set_alpn_protos(context, wire, len(wire)):
                raise _errors.take(Error, "protocols")

        self._set("alpn", step)

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

    def set_ocsp_server_callback(self, callback: Callable[..., bytes] | None, data: Any = None) -> None:
        """Staple an OCSP response (RFC 6066, section 8).

        :param callback: a callable with ``(connection, data)`` that returns the response in DER, or ``b""``.
        """
        self._switch("status_server", None if function("callback", callback) is None else (callback, data))

    def set_ocsp_client_callback(self, callback: Callable[..., Any] | None, data: Any = None) -> None:
        """Judge the OCSP response that a server has stapled.

        :param callback: a callable with ``(connection, response, data)``, *response* ``b""`` if there
            is none; false refuses the server.
        """
        self._switch("status_client", None if function("callback", callback) is None else (callback, data))

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
            self._set(name, lambda context: lib.oi_cookie_on(context, name == "cookie_check"))
            self._callables[name] = callback

    def set_tlsext_use_srtp(self, profiles: bytes) -> None:
        """Offer keys for SRTP (RFC 5764): profile names separated by colons."""
        value = as_name(profiles, "profiles")

        def step(context: Any) -> None:
            # 0 is a success.
            if lib.SSL_CTX_set_tlsext_use_srtp(context, value):
                raise _errors.take(Error, f"profiles: {value.decode(errors='replace')!r}")

        self._set("srtp", step)

    def set_app_data(self, data: Any) -> None:
        self._app_data = data

    def get_app_data(self) -> Any:
        return self._app_data
