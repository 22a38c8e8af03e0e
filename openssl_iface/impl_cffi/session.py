"""Sessions: what a later connection may resume."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from ..errors import Error
from ..interfaces import ISession
from . import _errors
from ._handles import Bound, own
from ._native import ffi, lib


@implementer(ISession)
class Session(Bound):
    """A TLS session (*SSL_get1_session(3)*); made by a connection or by :meth:`from_bytes`."""

    _session: Any

    def __init__(self) -> None:
        raise TypeError("Session: comes from Connection.get_session or Session.from_bytes")

    @classmethod
    def _from_raw(cls, pointer: Any) -> Session:
        self = cls.__new__(cls)
        self._session = pointer
        return self

    @classmethod
    def from_bytes(cls, data: bytes) -> Session:
        """Read what :meth:`to_bytes` gave (*d2i_SSL_SESSION(3)*).

        :raises Error: *data* is no session, or has something behind it.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"data: bytes expected, not {type(data).__name__}")
        _errors.clear()
        buffer = ffi.new("unsigned char[]", data)
        place = ffi.new("const unsigned char **", buffer)
        pointer = lib.d2i_SSL_SESSION(ffi.NULL, place, len(data))
        if pointer == ffi.NULL:
            raise _errors.take(Error, "data: not a session")
        session = cls._from_raw(own(pointer, lib.SSL_SESSION_free))
        if place[0] - ffi.cast("const unsigned char *", buffer) != len(data):
            raise Error.from_reasons([], "data: more follows behind the session")
        return session

    def to_bytes(self) -> bytes:
        """The session as ASN.1 (*i2d_SSL_SESSION(3)*); it contains secrets."""
        size = _errors.check(lib.i2d_SSL_SESSION(self._session, ffi.NULL))
        buffer = ffi.new("unsigned char[]", size)
        lib.i2d_SSL_SESSION(self._session, ffi.new("unsigned char **", buffer))
        return bytes(ffi.buffer(buffer))

    @property
    def session_id(self) -> bytes:
        size = ffi.new("unsigned int *")
        pointer = lib.SSL_SESSION_get_id(self._session, size)
        return ffi.buffer(pointer, size[0])[:]

    @property
    def protocol_version(self) -> int:
        return int(lib.SSL_SESSION_get_protocol_version(self._session))

    @property
    def timeout(self) -> int:
        return int(lib.SSL_SESSION_get_timeout(self._session))

    @property
    def time(self) -> int:
        return int(lib.oi_session_time(self._session))

    @property
    def is_resumable(self) -> bool:
        return bool(lib.SSL_SESSION_is_resumable(self._session))

    @property
    def has_ticket(self) -> bool:
        return bool(lib.SSL_SESSION_has_ticket(self._session))

    @property
    def ticket_lifetime_hint(self) -> int:
        return int(lib.SSL_SESSION_get_ticket_lifetime_hint(self._session))

    def __repr__(self) -> str:
        return f"<Session {self.session_id.hex()[:16] or 'without an identifier'}>"
