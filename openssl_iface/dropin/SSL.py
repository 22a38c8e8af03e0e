"""``OpenSSL.SSL``: contexts and connections, with pyOpenSSL's meaning.

Where it differs from the manual's module: ``check_privatekey`` raises, passphrases that are too
long are cut, a socket with a timeout does not make an operation wait (``WantReadError`` comes at
once, as from a non-blocking one), and text where bytes belong is taken with a warning.
"""

from __future__ import annotations

import errno
import functools
import os
import weakref
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NoReturn, TypeVar

from .. import SSL as _ours
from .. import values as _values
from ..errors import AbortedError, CertificateVerificationError, OpenSSLError, TimedOutError, TruncatedError
from ._arguments import _PassphraseHelper
from ._callbacks import _baking, _callable, _naming, _selecting, _stapling, _verifying
from ._deprecated import deprecating, passed
from ._files import asked_of_openssl, of_a_file
from ._keywords import NamedConnection as _NamedConnection
from ._translate import (
    adopt,
    as_theirs,
    backend,
    bytes_of_text,
    in_place_of,
    name_as_theirs,
    need,
    of_program,
    path_bytes,
    translated,
)
from ._util import exception_from_error_queue as _exception_from_error_queue
from ._util import ffi as _ffi
from ._util import lib as _lib
from ._util import make_assert as _make_assert
from .crypto import FILETYPE_ASN1 as _ASN1
from .crypto import FILETYPE_PEM as _PEM
from .crypto import X509, PKey, X509Name, X509Store, _certificate, _EllipticCurve, _key  # noqa: F401

# Constants, and what else needs no translation.
globals().update({name: getattr(_ours, name) for name in _ours.__all__})
__all__: list[str] = []
__all__ += _ours.__all__

Error = _ours.Error
SysCallError = _ours.SysCallError
WantReadError = _ours.WantReadError
WantWriteError = _ours.WantWriteError
WantX509LookupError = _ours.WantX509LookupError
ZeroReturnError = _ours.ZeroReturnError
name_as_theirs(
    "SSL", Error, SysCallError, WantReadError, WantWriteError, WantX509LookupError, ZeroReturnError
)
NO_OVERLAPPING_PROTOCOLS = _ours.NO_OVERLAPPING_PROTOCOLS
_NoOverlappingProtocols = type(NO_OVERLAPPING_PROTOCOLS)
_openssl_assert = _make_assert(Error)
_raise_current_error = functools.partial(_exception_from_error_queue, Error)
_text_to_bytes_and_warn = bytes_of_text
F = TypeVar("F")
# Where an OpenSSL that was built for wheels looks, and finds nothing; and where there is something.
_CRYPTOGRAPHY_MANYLINUX_CA_DIR = b"/opt/pyca/cryptography/openssl/certs"
_CRYPTOGRAPHY_MANYLINUX_CA_FILE = b"/opt/pyca/cryptography/openssl/cert.pem"
# as releases before 20.0 called them
_CRYPTOGRAPHY_MANYLINUX1_CA_DIR = _CRYPTOGRAPHY_MANYLINUX_CA_DIR
_CRYPTOGRAPHY_MANYLINUX1_CA_FILE = _CRYPTOGRAPHY_MANYLINUX_CA_FILE
_CERTIFICATE_PATH_LOCATIONS = ["/etc/ssl/certs"]
_CERTIFICATE_FILE_LOCATIONS = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
]
# cryptography's names of curves that OpenSSL calls otherwise
_NAMES = {"secp192r1": "prime192v1", "secp256r1": "prime256v1"}
# SSLv2 and SSLv3 have names, and no program of today gets them.
_METHODS = frozenset(int(method) for method in _values.Method if method > _values.Method.SSLv3)
_MOST = 2**31 - 1
_TLS_1_3 = 0x0304

_BaseContext: Any = _ours.Context
_BaseConnection: Any = _ours.Connection
_BaseSession: Any = _ours.Session
_BaseX509Name: Any = X509Name.__mro__[1]


def _make_requires(flag: object, error: str) -> Callable[[F], F]:
    """Decorate a function that needs something of OpenSSL: without *flag* it raises *error*."""

    def decorate(function: Any) -> Any:
        if flag:
            return function

        @functools.wraps(function)
        def explode(*_arguments: Any, **_keywords: Any) -> NoReturn:
            raise NotImplementedError(error)

        return explode

    return decorate


def _npn(*_arguments: Any) -> NoReturn:
    """Negotiate by NPN, which no OpenSSL does any more."""
    raise NotImplementedError("NPN not available: use ALPN")


def _filetype(filetype: Any) -> None:
    """A type of file that libssl knows."""
    if need(filetype, int, "filetype must be an integer") not in (_PEM, _ASN1):
        raise as_theirs(Error([("SSL routines", "", "bad ssl filetype")]))


def _protocols(protos: Any) -> Any:
    """The list of ALPN protocols, refused as pyOpenSSL does."""
    if not protos:
        raise ValueError("at least one protocol must be specified")
    return [bytes(one) if isinstance(one, bytearray | memoryview) else one for one in protos]


@in_place_of(_ours.Session)
class Session(_BaseSession):
    """A session that a connection may resume."""

    def __init__(self) -> None:
        # pyOpenSSL lets one be made, though nothing can be done with it.
        self._session: Any = None


@deprecating
@in_place_of(_ours.Context)
class Context(_BaseContext):
    """What connections share."""

    _methods = dict.fromkeys(_METHODS)

    def __init__(self, method: int) -> None:
        need(method, int, "method must be an integer")
        if method not in _METHODS:
            raise ValueError("No such protocol")
        try:
            super().__init__(method)
        except OpenSSLError as error:
            raise as_theirs(error) from None
        adopt(self._store)
        # Connections that may not have begun, and look at the context as it is when they do.
        self._waiting: weakref.WeakValueDictionary[int, Connection] = weakref.WeakValueDictionary()
        # Connections have these modes whatever a context says; programs read back what it says.
        super().set_mode(_ours.MODE_ENABLE_PARTIAL_WRITE | _ours.MODE_ACCEPT_MOVING_WRITE_BUFFER)

    # -- certificate and key

    def use_certificate(self, cert: Any) -> None:
        """Use a certificate (an X509, or one of cryptography)."""
        translated(_BaseContext.use_certificate)(self, _certificate(cert))

    def add_extra_chain_cert(self, certobj: Any) -> None:
        """Send a certificate (an X509, or one of cryptography) along with the chain."""
        translated(_BaseContext.add_extra_chain_cert)(self, _certificate(certobj))

    def add_client_ca(self, certificate_authority: Any) -> None:
        """Name a certificate (an X509, or one of cryptography) among the authorities."""
        translated(_BaseContext.add_client_ca)(self, _certificate(certificate_authority))
        self._tell_the_waiting()

    def use_privatekey(self, pkey: Any) -> None:
        """Use a private key (a PKey, or one of cryptography)."""
        translated(_BaseContext.use_privatekey)(self, _key(pkey))

    def use_certificate_file(self, certfile: Any, filetype: int = _PEM) -> None:
        """Use the certificate in a file."""
        path = path_bytes(certfile)
        _filetype(filetype)
        with of_a_file(filetype):
            translated(_BaseContext.use_certificate_file)(self, path, filetype)

    def use_certificate_chain_file(self, certfile: Any) -> None:
        """Use the chain of certificates in a file."""
        path = path_bytes(certfile)
        with of_a_file():
            translated(_BaseContext.use_certificate_chain_file)(self, path)

    def use_privatekey_file(self, keyfile: Any, filetype: int = _PEM) -> None:
        """Use the private key in a file."""
        path = path_bytes(keyfile)
        _filetype(filetype)
        with of_a_file(filetype):
            translated(_BaseContext.use_privatekey_file)(self, path, filetype)

    def check_privatekey(self) -> None:
        """Raise an Error unless the key belongs to the certificate."""
        _openssl_assert(_lib.SSL_CTX_check_private_key(self._context) == 1)

    def set_passwd_cb(self, callback: Callable[..., Any], userdata: Any = None) -> None:
        """Ask *callback* (size, whether it is to be verified, *userdata*) for passphrases."""
        need(callback, Callable, "callback must be callable")  # type: ignore[arg-type]
        helper = _PassphraseHelper(_PEM, callback, more_args=True, truncate=True)
        super().set_passwd_cb(helper.ask, userdata)

    # -- trust

    def load_verify_locations(self, cafile: Any, capath: Any = None) -> None:
        """Trust the certificates of a file, or of a directory as ``openssl rehash`` makes it."""
        if cafile is None and capath is None:
            raise as_theirs(Error([]))
        file = None if cafile is None else path_bytes(cafile)
        directory = None if capath is None else path_bytes(capath)
        with asked_of_openssl(file, directory):
            missing = directory is not None and not os.path.isdir(directory)
            if file is not None or not missing:
                translated(_BaseContext.load_verify_locations)(self, file, None if missing else directory)
            if missing:  # which is no error of OpenSSL's: it looks there once it needs to
                self.get_cert_store().load_locations(None, directory)

    def load_client_ca(self, cafile: Any) -> None:
        """Name the certificates of a file as the authorities that clients are asked for."""
        path = bytes_of_text("cafile", cafile)
        with of_a_file(tail=False):
            translated(_BaseContext.load_client_ca)(self, path)
        self._tell_the_waiting()

    def load_tmp_dh(self, dhfile: Any) -> None:
        """Use the parameters for Diffie-Hellman in a file."""
        path = path_bytes(dhfile)
        with of_a_file(tail=False, opened="no such file"):
            translated(_BaseContext.load_tmp_dh)(self, path)

    def set_client_ca_list(self, certificate_authorities: Any) -> None:
        """Name these authorities (X509Name) to clients."""
        names = list(certificate_authorities)
        for name in names:
            kind = type(name).__name__
            need(name, _BaseX509Name, f"client CAs must be X509Name objects, not {kind} objects")
        translated(_BaseContext.set_client_ca_list)(self, names)
        self._tell_the_waiting()

    def _tell_the_waiting(self) -> None:
        """Have connections that have not begun name the authorities that the context has now."""
        for reference in self._waiting.valuerefs():
            connection = reference()
            # Without its lock, which one in a handshake holds, whose callbacks may wait for another's.
            if (
                connection is not None
                and connection._context is self
                and _lib.SSL_in_before(connection._ssl_borrowed)
            ):
                connection.set_context(self)

    def set_verify(self, mode: int, callback: Callable[..., Any] | None = None) -> None:
        """What to ask of the peer; *callback* (connection, X509, code, depth, ok) gives the verdict."""
        need(mode, int, "mode must be an integer")
        super().set_verify(mode, _verifying(_callable(callback)))

    def set_verify_depth(self, depth: int) -> None:
        """How long a chain may be."""
        need(depth, int, "depth must be an integer")
        super().set_verify_depth(depth)

    def set_default_verify_paths(self) -> None:
        """Trust whom the system trusts."""
        translated(_BaseContext.set_default_verify_paths)(self)
        if (
            not self._check_env_vars_set("SSL_CERT_DIR", "SSL_CERT_FILE")
            and _ffi.string(_lib.X509_get_default_cert_dir())
            in (_CRYPTOGRAPHY_MANYLINUX_CA_DIR, _CRYPTOGRAPHY_MANYLINUX1_CA_DIR)
            and _ffi.string(_lib.X509_get_default_cert_file())
            in (_CRYPTOGRAPHY_MANYLINUX_CA_FILE, _CRYPTOGRAPHY_MANYLINUX1_CA_FILE)
        ):
            self._fallback_default_verify_paths(_CERTIFICATE_FILE_LOCATIONS, _CERTIFICATE_PATH_LOCATIONS)

    def _fallback_default_verify_paths(self, file_path: list[str], dir_path: list[str]) -> None:
        """Trust the first of the files that exists, and the first of the directories."""
        for path in filter(os.path.isfile, file_path):
            self.load_verify_locations(path)
            break
        for path in filter(os.path.isdir, dir_path):
            self.load_verify_locations(None, path)
            break

    def _check_env_vars_set(self, dir_env_var: str, file_env_var: str) -> bool:
        """Whether one of the variables is there that name other places for trusted certificates."""
        return file_env_var in os.environ or dir_env_var in os.environ

    # -- what is negotiated

    def set_session_id(self, buf: Any) -> None:
        """In which context sessions may be resumed."""
        value = bytes_of_text("buf", buf)
        try:
            super().set_session_id(value)
        except ValueError:
            function = "SSL_CTX_set_session_id_context"
            error = Error.from_reasons([("SSL routines", function, "ssl session id context too long")])
            raise as_theirs(error) from None

    def set_session_cache_mode(self, mode: int) -> int:
        """What libssl keeps of sessions; returns what it was."""
        need(mode, int, "mode must be an integer")
        return int(super().set_session_cache_mode(mode))

    def set_cipher_list(self, cipher_list: Any) -> None:
        """The ciphers up to TLS 1.2."""
        value = need(bytes_of_text("cipher_list", cipher_list), bytes, "cipher_list must be a byte string.")
        translated(_BaseContext.set_cipher_list)(self, value)

    def set_tls13_ciphersuites(self, ciphersuites: bytes) -> None:
        """The ciphers of TLS 1.3."""
        value = need(ciphersuites, bytes, "ciphersuites must be a byte string.")
        translated(_BaseContext.set_tls13_ciphersuites)(self, value)

    def set_tmp_ecdh(self, curve: Any) -> None:
        """Use one curve for the key exchange (of :func:`crypto.get_elliptic_curves`, or cryptography's)."""
        if isinstance(curve, _EllipticCurve):
            passed("elliptic curves to set_tmp_ecdh", stacklevel=3)
        try:
            translated(_BaseContext.set_tmp_ecdh)(self, curve)
        except Error:
            # A curve that TLS does not have: nothing is changed, and nothing said.
            name = getattr(curve, "name", curve)
            if _lib.OBJ_txt2nid(_NAMES.get(name, name).encode()) == _lib.NID_undef:
                raise

    def set_timeout(self, timeout: int) -> int:
        """How long sessions are good, in seconds; returns what it was."""
        need(timeout, int, "timeout must be an integer")
        return int(super().set_timeout(timeout))

    def set_options(self, options: int) -> int:
        """Add ``OP_`` bits; returns all that are set."""
        need(options, int, "options must be an integer")
        return int(super().set_options(options))

    def set_mode(self, mode: int) -> int:
        """Add ``MODE_`` bits; returns all that are set."""
        need(mode, int, "mode must be an integer")
        return int(super().set_mode(mode))

    def clear_mode(self, mode_to_clear: int) -> int:
        """Take ``MODE_`` bits away; returns all that are set."""
        need(mode_to_clear, int, "mode must be an integer")
        return int(super().clear_mode(mode_to_clear))

    def set_alpn_protos(self, protos: Iterable[bytes]) -> None:
        """The protocols that a client offers."""
        super().set_alpn_protos(_protocols(protos))

    def set_tlsext_use_srtp(self, profiles: bytes) -> None:
        """Offer keys for SRTP."""
        need(profiles, bytes, "profiles must be a byte string.")
        translated(_BaseContext.set_tlsext_use_srtp)(self, profiles)

    def set_alpn_select_callback(self, callback: Any) -> None:
        """Choose a protocol: (connection, list of what is offered)."""
        super().set_alpn_select_callback(_selecting(callback))

    def set_tlsext_servername_callback(self, callback: Any) -> None:
        """Hear of the name that the client asks for: (connection)."""
        super().set_tlsext_servername_callback(_naming(callback))

    def set_cookie_generate_callback(self, callback: Any) -> None:
        """Make the cookies of a DTLS server: (connection)."""
        super().set_cookie_generate_callback(_baking(callback))

    set_npn_advertise_callback = set_npn_select_callback = _npn

    def set_info_callback(self, callback: Any) -> None:
        """Hear of what the handshake does: (connection, where, return code)."""
        super().set_info_callback(_callable(callback))

    def set_ocsp_server_callback(self, callback: Any, data: Any = None) -> None:
        """Staple what (connection, data) returns."""
        super().set_ocsp_server_callback(_stapling(_callable(callback)), data)

    def set_ocsp_client_callback(self, callback: Any, data: Any = None) -> None:
        """Judge what is stapled: (connection, response, data)."""
        super().set_ocsp_client_callback(_callable(callback), data)


# Exact classes: programs may ask for the type of an error.
_PLAIN: dict[type, type] = {
    AbortedError: SysCallError,
    TimedOutError: SysCallError,
    TruncatedError: SysCallError,
    CertificateVerificationError: Error,
}


def _plain(error: BaseException) -> BaseException:
    """An error of the backend as pyOpenSSL would raise it; what it knows besides stays on it."""
    kind = _PLAIN.get(type(error))
    if kind is not None:
        error.__class__ = kind
    if type(error) is SysCallError and error.args[0] > 0:
        number = error.args[0]
        error.args = (number, errno.errorcode.get(number))
    adopt(getattr(error, "certificate", None))
    return as_theirs(error)


class _Descriptor:
    """A number of a file descriptor as what a connection talks through."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


# Methods of a connection that are called for every event: what they raise comes from _failed.
_HOT = frozenset(
    {"recv", "read", "send", "write", "sendall", "recv_into", "pending", "bio_read", "bio_write"}
    | {
        "event_read",
        "event_feed",
        "event_proceed",
        "event_write",
        "event_output",
        "event_encrypt",
        "event_flush",
        "event_close",
    }
)


@in_place_of(_ours.Connection, as_is=_HOT)
class Connection(_NamedConnection):
    """A connection, on a socket or on memory BIOs (``None``)."""

    _failure: BaseException | None
    # As SSL_set_SSL_CTX(3) has it: a servername callback that chooses a context chooses a certificate.
    _asks_anew = False
    # gevent_openssl takes it for its own class; callbacks find their connection without it.
    _reverse_mapping: ClassVar[weakref.WeakValueDictionary[Any, Any]] = weakref.WeakValueDictionary()

    def __init__(self, context: Context, socket: Any = None) -> None:
        need(context, _BaseContext, "context must be a Context instance")
        if isinstance(socket, str | bytes):
            raise TypeError("argument must be an int, or have a fileno() method.")
        super().__init__(context, _Descriptor(socket) if type(socket) is int else socket)
        if isinstance(context, Context):
            context._waiting[id(self)] = self

    # -- errors and waiting: the backend's hooks

    def _failed(self, error: int, work: Any) -> BaseException:
        failure = super()._failed(error, work)
        if failure.__traceback__ is not None and type(failure) not in _PLAIN:
            # It has been raised before, so by a callback: the backend's own come fresh.
            of_program(failure)
            if self._failure is not None:
                of_program(self._failure)
            return failure
        failure = _plain(failure)
        if self._failure is not None:
            self._failure = _plain(self._failure)
        return failure

    def _closed(self) -> BaseException:
        return _plain(super()._closed())

    def _need_memory(self) -> None:
        if self._socket is not None:
            raise TypeError("Connection sock was not None")

    def _deadline(self) -> float | None:
        # A socket with a timeout is a non-blocking one below: pyOpenSSL's callers wait themselves.
        deadline: float | None = super()._deadline()
        return deadline if deadline is None else 0.0

    # -- data

    def send(self, buf: Any, flags: int = 0) -> int:
        """Send; returns how much was taken."""
        if isinstance(buf, str):
            buf = bytes_of_text("buf", buf)
        if len(buf) > _MOST:
            raise ValueError("Cannot send more than 2**31-1 bytes at once.")
        return int(super().send(buf, flags))

    write = send

    def sendall(self, buf: Any, flags: int = 0) -> int:
        """Send all of it."""
        if isinstance(buf, str):
            buf = bytes_of_text("buf", buf)
        return int(super().sendall(buf, flags))

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Receive up to *bufsiz* bytes."""
        data: bytes = super().recv(bufsiz, flags)
        return data

    read = recv

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int | None = None) -> int:
        """Receive into a buffer; returns how much."""
        return int(super().recv_into(buffer, nbytes, flags))

    def bio_read(self, bufsiz: int) -> bytes:
        """Ciphertext that is to leave, of a connection without a socket."""
        need(bufsiz, int, "bufsiz must be an integer")
        data: bytes = super().bio_read(bufsiz)
        return data

    def bio_write(self, buf: Any) -> int:
        """Ciphertext that has come, of a connection without a socket."""
        return int(super().bio_write(bytes_of_text("buf", buf)))

    def want_read(self) -> int:
        """Whether it waits for data to come."""
        return int(super().want_read())

    def want_write(self) -> int:
        """Whether it waits for room to send."""
        return int(super().want_write())

    def renegotiate(self) -> bool:
        """Begin a renegotiation, unless one is under way; whether it was begun."""
        if self.renegotiate_pending():
            return False
        try:
            return bool(translated(_BaseConnection.renegotiate)(self))
        except Error as error:
            if self.get_protocol_version() == _TLS_1_3:
                error.args = ([("SSL routines", "", "wrong ssl version")],)
            raise

    # -- what can be set

    def set_context(self, context: Context) -> None:
        """Go on with another context."""
        need(context, _BaseContext, "context must be a Context instance")
        super().set_context(context)

    def set_verify(self, mode: int, callback: Callable[..., Any] | None = None) -> None:
        """As :meth:`Context.set_verify`, for this connection."""
        need(mode, int, "mode must be an integer")
        super().set_verify(mode, _verifying(_callable(callback)))

    def use_certificate(self, cert: Any) -> None:
        """As :meth:`Context.use_certificate`, for this connection."""
        translated(_BaseConnection.use_certificate)(self, _certificate(cert))
        self._stay()

    def use_privatekey(self, pkey: Any) -> None:
        """As :meth:`Context.use_privatekey`, for this connection."""
        translated(_BaseConnection.use_privatekey)(self, _key(pkey))
        self._stay()

    def _stay(self) -> None:
        """Do not go to the context again, whose certificate and key would take the place of our own."""
        if isinstance(self._context, Context):
            self._context._waiting.pop(id(self), None)

    def set_tlsext_host_name(self, name: bytes) -> None:
        """The name that the server is asked for."""
        need(name, bytes, "name must be a byte string")
        if b"\0" in name:
            raise TypeError("name must not contain NUL byte")
        if 1 <= len(name) <= 255:
            translated(_BaseConnection.set_tlsext_host_name)(self, name)
        else:  # libssl refuses it, forgets the name it had, and pyOpenSSL does not look
            with self._lock:
                _lib.SSL_set_tlsext_host_name(self._ssl_borrowed, _ffi.NULL)

    def set_alpn_protos(self, protos: Iterable[bytes]) -> None:
        """The protocols that a client offers."""
        super().set_alpn_protos(_protocols(protos))

    def set_shutdown(self, state: int) -> None:
        """Set ``SENT_SHUTDOWN`` and ``RECEIVED_SHUTDOWN``."""
        need(state, int, "state must be an integer")
        super().set_shutdown(state)

    def set_session(self, session: Session) -> None:
        """Resume a session."""
        need(session, _BaseSession, "session must be a Session instance")
        if getattr(session, "_context", None) is not self._context:
            raise ValueError(
                "session must have been created by a Connection using the same Context as this one"
            )
        translated(_BaseConnection.set_session)(self, session)

    # -- datagrams: on other connections these do nothing

    def _is_datagram(self) -> bool:
        return bool(_lib.SSL_is_dtls(self._ssl_borrowed))

    def DTLSv1_handle_timeout(self) -> bool:
        """Send again what is overdue; whether something was."""
        return self._is_datagram() and bool(translated(_BaseConnection.DTLSv1_handle_timeout)(self))

    def set_ciphertext_mtu(self, mtu: int) -> None:
        """The most bytes of ciphertext in a datagram."""
        need(mtu, int, "an integer is required")
        if self._is_datagram():
            super().set_ciphertext_mtu(mtu)

    def get_cleartext_mtu(self) -> int:
        """The most bytes of plaintext in a datagram; 0 before the handshake is complete."""
        try:
            return int(super().get_cleartext_mtu())
        except Error:
            return 0

    # -- what is known

    def get_session(self) -> Any:
        """The session, to be resumed by another connection of the same context; or ``None``."""
        session = translated(_BaseConnection.get_session)(self)
        if session is not None:
            session._context = self._context
        return session

    def get_certificate(self, *, as_cryptography: bool = False) -> Any:
        """Our certificate, or ``None``."""
        return _given(translated(_BaseConnection.get_certificate)(self), as_cryptography)

    def get_peer_certificate(self, *, as_cryptography: bool = False) -> Any:
        """The peer's certificate, or ``None``."""
        return _given(translated(_BaseConnection.get_peer_certificate)(self), as_cryptography)

    def get_peer_cert_chain(self, *, as_cryptography: bool = False) -> Any:
        """The certificates that the peer sent (list), or ``None``; on a server without the client's own."""
        return _given(translated(_BaseConnection._chain)(self, 0), as_cryptography)

    def get_verified_chain(self, *, as_cryptography: bool = False) -> Any:
        """The chain that OpenSSL has built (list), or ``None``: whatever its verdict is."""
        return _given(translated(_BaseConnection._chain)(self, 1), as_cryptography)

    def get_client_ca_list(self, *, as_cryptography: bool = False) -> Any:
        """The authorities whose client certificates are asked for (list of X509Name)."""
        names = translated(_BaseConnection.get_client_ca_list)(self)
        if not as_cryptography:
            return names
        from cryptography.x509 import Name

        return [Name.from_bytes(name.der()) for name in names] if hasattr(Name, "from_bytes") else names

    get_next_proto_negotiated = _npn

    def makefile(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not there: it never was."""
        raise NotImplementedError("Cannot make file object of OpenSSL.SSL.Connection")


def _given(found: Any, as_cryptography: bool) -> Any:
    """A certificate, or a list of them, in the form that was asked for."""
    if not as_cryptography or found is None:
        return found
    return [one.to_cryptography() for one in found] if isinstance(found, list) else found.to_cryptography()


ContextType = Context
ConnectionType = Connection


def OpenSSL_version(type: int) -> bytes:
    """OpenSSL's words about itself."""
    return backend.openssl_version(type)


SSLeay_version = OpenSSL_version
