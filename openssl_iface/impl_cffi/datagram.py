"""What a connection over datagrams has besides (DTLS: RFC 6347)."""

from __future__ import annotations

from typing import Any

from ..errors import Error, WantReadError
from . import _errors
from ._encoding import as_int
from ._native import ffi, lib
from .engine import _pool, take_workspace
from .facts import Facts
from .failures import reentered

# The largest payload of a UDP datagram, and the least that a handshake needs (bytes).
MTU_MAX, MTU_MIN = 65507, 256


class Datagram(Facts):
    """Timers, cookies and sizes; the caller carries the datagrams (``bio_read``, ``bio_write``)."""

    def DTLSv1_get_timeout(self) -> float | None:  # noqa: N802
        """Seconds until ``DTLSv1_handle_timeout`` is due, ``None`` if no timer runs (float)."""
        seconds, microseconds = ffi.new("long *"), ffi.new("long *")
        with self._lock:
            if not lib.oi_dtls_timeout(self._ssl_borrowed, seconds, microseconds):
                return None
        return float(seconds[0]) + microseconds[0] / 1e6

    def _need_datagrams(self) -> None:
        """Most of it is a wild pointer in libssl otherwise."""
        if not lib.SSL_is_dtls(self._ssl_borrowed):
            raise Error("this connection is not one of DTLS")

    def _step(self, step: Any) -> int:
        self._need_datagrams()
        space = take_workspace()
        try:
            with self._lock:
                if self._conn.busy:
                    raise reentered()
                result = int(step(self._conn, space[0]))
                if self._conn.callback_failed or result < 0:
                    raise self._error_of(space[0].ssl_error, space[0])
                return result
        finally:
            _pool.append(space)

    def DTLSv1_handle_timeout(self) -> bool:  # noqa: N802
        """Send a flight again whose answer is overdue (*DTLSv1_handle_timeout(3)*); whether one was.

        :raises Error: it has been sent too often.
        """
        return bool(self._step(lib.oi_dtls_handle_timeout))

    def DTLSv1_listen(self) -> None:  # noqa: N802
        """Wait for a client that returns its cookie (*DTLSv1_listen(3)*); then do the handshake.

        :raises WantReadError: another datagram is needed.
        """
        if not self._step(lib.oi_dtls_listen):
            raise WantReadError

    def set_ciphertext_mtu(self, mtu: int) -> None:
        """The most bytes of ciphertext in a datagram (256 to 65507); set it before the handshake."""
        size = as_int(mtu, "mtu", MTU_MIN, MTU_MAX)
        self._need_datagrams()
        with self._lock:
            lib.SSL_set_options(self._ssl_borrowed, lib.SSL_OP_NO_QUERY_MTU)
            lib.oi_set_mtu(self._ssl_borrowed, size)

    def get_cleartext_mtu(self) -> int:
        """The most bytes of plaintext in a datagram, with the cipher in force (int)."""
        self._need_datagrams()
        with self._lock:
            _errors.clear()
            size = int(lib.DTLS_get_data_mtu(self._ssl_borrowed))
        if not size:
            raise Error("there is no size before the handshake is complete, or without a ciphertext MTU")
        return size

    def get_selected_srtp_profile(self) -> bytes:
        """The SRTP profile agreed on (RFC 5764), ``b""`` if none (bytes)."""
        with self._lock:
            pointer = lib.oi_srtp_profile(self._ssl_borrowed)
            return b"" if pointer == ffi.NULL else bytes(ffi.string(pointer))
