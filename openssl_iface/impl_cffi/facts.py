"""What is known of a connection: its peer, its session, its ciphers."""

from __future__ import annotations

from typing import Any

from ..errors import Error
from ..values import CipherInfo
from . import _errors
from ._encoding import as_int, as_name
from ._handles import own, share
from ._native import ffi, lib
from .engine import Engine
from .name import X509Name
from .session import Session
from .settings import names
from .x509 import X509

# The same name on every OpenSSL: the one of the TLS registry of groups.
GROUPS = {
    "prime256v1": "secp256r1",
    "P-256": "secp256r1",
    "P-384": "secp384r1",
    "P-521": "secp521r1",
    "X25519": "x25519",
    "X448": "x448",
}
# More certificates than this in a chain are looked at in a second round.
ROOM = 16


def _string(pointer: Any) -> str | None:
    return None if pointer == ffi.NULL else ffi.string(pointer).decode()


class Facts(Engine):
    """The questions that a connection answers; each takes the lock for one call."""

    def get_session(self) -> Session | None:
        with self._lock:
            if not self.handshake_done and not lib.SSL_in_before(self._ssl_borrowed):
                return None  # what there is now may still become another one
            pointer = lib.SSL_get1_session(self._ssl_borrowed)
        if pointer == ffi.NULL:
            return None
        return Session._from_raw(own(pointer, lib.SSL_SESSION_free))

    def session_reused(self) -> bool:
        with self._lock:
            return bool(lib.SSL_session_reused(self._ssl_borrowed))

    def get_peer_certificate(self) -> X509 | None:
        with self._lock:
            pointer = lib.oi_peer_certificate(self._ssl_borrowed)
        return None if pointer == ffi.NULL else X509._from_raw(own(pointer, lib.X509_free))

    def _chain(self, which: int) -> list[X509] | None:
        room = ROOM
        with self._lock:
            while True:
                place = ffi.new("X509 *[]", room)
                count = lib.oi_chain(self._ssl_borrowed, which, place, room)
                if count <= room:
                    break
                room = count
        if count < 0:
            return None
        return [X509._from_raw(own(place[index], lib.X509_free)) for index in range(count)]

    def get_peer_cert_chain(self) -> list[X509] | None:
        sent = self._chain(0)
        with self._lock:
            server = lib.SSL_is_server(self._ssl_borrowed)
        if server:
            # A server's libssl keeps the client's own certificate apart.
            first = self.get_peer_certificate()
            if first is not None:
                return [first, *(sent or [])]
        return sent

    def get_verified_chain(self) -> list[X509] | None:
        if self.get_verify_result() != lib.X509_V_OK:
            return None
        return self._chain(1)

    def get_certificate(self) -> X509 | None:
        with self._lock:
            pointer = lib.SSL_get_certificate(self._ssl_borrowed)
            if pointer == ffi.NULL:
                return None
            return X509._from_raw(share(pointer, lib.X509_up_ref, lib.X509_free))

    def get_client_ca_list(self) -> list[X509Name]:
        """The authorities whose client certificates are asked for (list of IX509Name)."""
        room = ROOM
        with self._lock:
            while True:
                place = ffi.new("X509_NAME *[]", room)
                count = lib.oi_client_ca(self._ssl_borrowed, place, room)
                if count <= room:
                    break
                room = count
        return [X509Name._from_raw(own(place[index], lib.X509_NAME_free)) for index in range(count)]

    def get_verify_result(self) -> int:
        with self._lock:
            return int(lib.SSL_get_verify_result(self._ssl_borrowed))

    def get_verify_mode(self) -> int:
        """The ``VerifyMode`` bits in force (int)."""
        with self._lock:
            return int(lib.SSL_get_verify_mode(self._ssl_borrowed))

    def get_servername(self) -> bytes | None:
        with self._lock:
            pointer = lib.SSL_get_servername(self._ssl_borrowed, 0)
            if pointer != ffi.NULL:
                return bytes(ffi.string(pointer))
            name = ffi.new("const char **")
            size = ffi.new("size_t *")
            # Within the client hello callback libssl has not read it yet.
            asked = self._hooks is not None and self._hooks.in_client_hello
            if asked and lib.oi_client_hello_servername(self._ssl_borrowed, name, size):
                return bytes(ffi.buffer(name[0], size[0]))
        return None

    def get_alpn_proto_negotiated(self) -> bytes:
        with self._lock:
            place = ffi.new("const unsigned char **")
            size = ffi.new("unsigned int *")
            lib.SSL_get0_alpn_selected(self._ssl_borrowed, place, size)
            return bytes(ffi.buffer(place[0], size[0])) if size[0] else b""

    def get_protocol_version(self) -> int:
        with self._lock:
            return int(lib.SSL_version(self._ssl_borrowed))

    def get_protocol_version_name(self) -> str:
        with self._lock:
            return _string(lib.SSL_get_version(self._ssl_borrowed)) or ""

    def get_cipher_info(self) -> CipherInfo | None:
        with self._lock:
            cipher = lib.SSL_get_current_cipher(self._ssl_borrowed)
            if cipher == ffi.NULL:
                return None
            return CipherInfo(
                name=_string(lib.SSL_CIPHER_get_name(cipher)) or "",
                standard_name=_string(lib.SSL_CIPHER_standard_name(cipher)) or "",
                protocol=_string(lib.SSL_CIPHER_get_version(cipher)) or "",
                bits=int(lib.SSL_CIPHER_get_bits(cipher, ffi.NULL)),
            )

    def get_cipher_name(self) -> str | None:
        info = self.get_cipher_info()
        return info.name if info else None

    def get_cipher_bits(self) -> int | None:
        """The secret bits of the cipher in force (int), or ``None``."""
        info = self.get_cipher_info()
        return info.bits if info else None

    def get_cipher_version(self) -> str | None:
        """The protocol of the cipher in force (text), or ``None``."""
        info = self.get_cipher_info()
        return info.protocol if info else None

    def get_cipher_list(self) -> list[str]:
        with self._lock:
            return names(lib.SSL_get_cipher_list, self._ssl_borrowed)

    def get_group_name(self) -> str | None:
        place = ffi.new("char[]", 64)
        with self._lock:
            if not self.handshake_done or not lib.oi_group(self._ssl_borrowed, place, 64):
                return None
        name = ffi.string(place).decode()
        return GROUPS.get(name, name)

    def export_keying_material(self, label: bytes, size: int, context: bytes | None = None) -> bytes:
        wanted = as_name(label, "label")
        if context is not None and not isinstance(context, bytes):
            raise TypeError(f"context: bytes or None expected, not {type(context).__name__}")
        place = ffi.new("unsigned char[]", as_int(size, "size", 1, 65535))
        with self._lock:
            if not self.handshake_done:
                raise Error("there is no keying material before the handshake is complete")
            _errors.clear()
            if not lib.SSL_export_keying_material(
                self._ssl_borrowed,
                place,
                size,
                wanted,
                len(wanted),
                ffi.NULL if context is None else context,
                len(context or b""),
                context is not None,
            ):
                raise _errors.take(Error, "label")
        return bytes(ffi.buffer(place))

    def _finished(self, ask: Any) -> bytes | None:
        place = ffi.new("char[]", 64)
        with self._lock:
            size = ask(self._ssl_borrowed, place, 64)
        return bytes(ffi.buffer(place, size)) if size else None

    def get_finished(self) -> bytes | None:
        return self._finished(lib.SSL_get_finished)

    def get_peer_finished(self) -> bytes | None:
        return self._finished(lib.SSL_get_peer_finished)

    def _secret(self, ask: Any, pointer: Any) -> bytes | None:
        size = ask(pointer, ffi.NULL, 0)
        place = ffi.new("unsigned char[]", size)
        return bytes(ffi.buffer(place, ask(pointer, place, size))) if size else None

    def client_random(self) -> bytes | None:
        """The client's random number of the handshake (32 bytes), or ``None`` before it."""
        with self._lock:
            if lib.SSL_get_session(self._ssl_borrowed) == ffi.NULL:
                return None
            return self._secret(lib.SSL_get_client_random, self._ssl_borrowed)

    def server_random(self) -> bytes | None:
        """The server's random number of the handshake (32 bytes), or ``None`` before it."""
        with self._lock:
            if lib.SSL_get_session(self._ssl_borrowed) == ffi.NULL:
                return None
            return self._secret(lib.SSL_get_server_random, self._ssl_borrowed)

    def master_key(self) -> bytes | None:
        """The session's master secret, or ``None`` before there is one.  A secret."""
        with self._lock:
            session = lib.SSL_get_session(self._ssl_borrowed)
            if session == ffi.NULL:
                return None
            return self._secret(lib.SSL_SESSION_get_master_key, session)

    def state_string(self) -> bytes:
        with self._lock:
            return bytes(ffi.string(lib.SSL_state_string_long(self._ssl_borrowed)))

    get_state_string = state_string

    def total_renegotiations(self) -> int:
        """How many renegotiations there have been (int)."""
        with self._lock:
            return int(lib.SSL_total_renegotiations(self._ssl_borrowed))

    def renegotiate_pending(self) -> bool:
        """Whether a renegotiation was asked for and is not complete (bool)."""
        with self._lock:
            return bool(lib.SSL_renegotiate_pending(self._ssl_borrowed))

    def get_shutdown(self) -> int:
        """``SENT_SHUTDOWN`` and ``RECEIVED_SHUTDOWN`` bits (int)."""
        with self._lock:
            return int(lib.SSL_get_shutdown(self._ssl_borrowed))
