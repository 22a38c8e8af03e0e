"""One tree of exceptions for every backend.

The manual has three exceptions by the name of ``Error``, in three modules.  Here
they are three leaves of one root::

    OpenSSLError                    what every one of them is
      CryptoError                   crypto.Error
        X509StoreContextError       a chain was refused by a store
        KeyHalfError                a key is empty, or public where a private one is needed
      RandError                     rand.Error
      Error                         SSL.Error
        ZeroReturnError             a clean end: close_notify has arrived
        WantReadError               call again when the transport is readable
        WantWriteError              call again when the transport is writable
        WantX509LookupError         call again when the certificate callback has an answer
        WantClientHelloError        ... when the client hello callback has one
        WantVerificationError       ... when the verification has one
        SysCallError                the transport failed: (errno, message)
          TruncatedError            an end without close_notify
          AbortedError              the peer reset the connection
          TimedOutError             nothing came in time
        CertificateVerificationError    the peer's certificate was refused

A mistake of the caller is a ``TypeError`` or a ``ValueError``, and no part of the tree; where
pyOpenSSL has the other one of the two, it is both (``ArgumentKindError``).

``args[0]`` of an error that OpenSSL reported is the manual's list of
``(library, function, reason)``; ``str()`` of it is a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "AbortedError",
    "ArgumentKindError",
    "CertificateVerificationError",
    "CryptoError",
    "Error",
    "KeyHalfError",
    "OpenSSLError",
    "RandError",
    "SysCallError",
    "TimedOutError",
    "TruncatedError",
    "WantClientHelloError",
    "WantReadError",
    "WantVerificationError",
    "WantWriteError",
    "WantX509LookupError",
    "X509StoreContextError",
    "ZeroReturnError",
]


class OpenSSLError(Exception):
    """The root of the tree.

    :ivar message: what was being done when it failed, and to which argument
        (``""`` if OpenSSL's own words are all there is).
    :ivar codes: OpenSSL's numeric error codes, oldest first.
    :ivar details: the text that OpenSSL attached to each code (``""`` if none).
    :ivar alert: the TLS alert that the peer sent (RFC 8446, section 6), else
        ``None``.
    """

    message: str = ""
    codes: tuple[int, ...] = ()
    details: tuple[str, ...] = ()
    alert: int | None = None
    # Whether str() gives the list itself, as an exception of pyOpenSSL does.
    _bare: bool = False

    @classmethod
    def from_reasons(
        cls,
        reasons: Sequence[tuple[str, str, str]],
        message: str = "",
        *,
        codes: Sequence[int] = (),
        details: Sequence[str] = (),
        **attributes: Any,
    ) -> OpenSSLError:
        """An error with the manual's list of reasons, and a sentence over it.

        Where OpenSSL has given no reason, *message* is the one: the list is never empty then.
        """
        error = cls(list(reasons) or ([("openssl_iface", "", message)] if message else []))
        error.message = message
        error.codes = tuple(codes)
        error.details = tuple(details)
        for name, value in attributes.items():
            setattr(error, name, value)
        return error

    @property
    def reasons(self) -> list[tuple[str, str, str]]:
        """The manual's list of ``(library, function, reason)``; may be empty."""
        if self.args and isinstance(self.args[0], list):
            return self.args[0]
        return []

    def __str__(self) -> str:
        if self._bare or not self.args or not isinstance(self.args[0], list):
            return super().__str__()
        parts = []
        for index, (library, _function, reason) in enumerate(self.args[0]):
            if reason in self.message:
                continue  # it is the message itself
            part = f"{library}: {reason}" if library else reason
            if index < len(self.details) and self.details[index]:
                part += f" ({self.details[index]})"
            parts.append(part)
        causes = "; ".join(parts)
        if self.message and causes:
            return f"{self.message}: {causes}"
        return self.message or causes


class ArgumentKindError(TypeError, ValueError):
    """An argument of a type that cannot be meant, where pyOpenSSL raises ``ValueError``."""


class CryptoError(OpenSSLError):
    """``crypto.Error``: a key, a certificate or another object could not be used."""


class KeyHalfError(CryptoError, ValueError, TypeError):
    """A key has nothing in it yet, or not the half that is needed.

    pyOpenSSL raises ``Error``, ``ValueError`` and ``TypeError`` for this, each in other methods;
    programs that catch any of them catch this.
    """


class X509StoreContextError(CryptoError):
    """A certificate was refused by a store: ``args`` is ``(message,)``.

    :ivar errors: ``[code, depth, text]``: the number of OpenSSL's verdict
        (``X509_V_ERR_...``, *X509_STORE_CTX_get_error(3)*), where in the chain (0
        is the certificate that was to be verified), and the verdict in words.
    :ivar certificate: the certificate concerned (an ``IX509``), or ``None``.
    """

    def __init__(self, message: str, errors: list[Any], certificate: Any) -> None:
        super().__init__(message)
        self.message = message
        self.errors = errors
        self.certificate = certificate

    @property
    def verify_code(self) -> int:
        return int(self.errors[0])

    @property
    def depth(self) -> int:
        return int(self.errors[1])


class RandError(OpenSSLError):
    """``rand.Error``: the random number generator could not do as asked."""


class Error(OpenSSLError):
    """``SSL.Error``: TLS failed; also the base of what is below."""


class ZeroReturnError(Error):
    """The peer has closed its sending side with close_notify: a clean end."""


class WantReadError(Error):
    """Nothing is wrong: call again once the transport is readable."""


class WantWriteError(Error):
    """Nothing is wrong: call again once the transport is writable."""


class WantX509LookupError(Error):
    """Nothing is wrong: the certificate callback has asked to be called again."""


class WantClientHelloError(Error):
    """Nothing is wrong: the client hello callback has asked to be called again."""


class WantVerificationError(Error):
    """Nothing is wrong: the verification of the peer has been put off."""


class SysCallError(Error):
    """The transport failed: ``args`` is ``(errno, message)``.

    :ivar errno: the system's error number, or -1 if there is none.
    """

    @property
    def errno(self) -> int:
        return int(self.args[0]) if self.args else -1


class TruncatedError(SysCallError):
    """The transport ended without close_notify: what was received may be
    incomplete.  ``args`` is ``(-1, "Unexpected EOF")``."""


class AbortedError(SysCallError):
    """The transport was reset or broken: ``ECONNRESET``, ``EPIPE`` and the like."""


class TimedOutError(SysCallError):
    """The peer did not answer in time: ``args`` is ``(ETIMEDOUT, message)``."""


class CertificateVerificationError(Error):
    """The peer's certificate was refused, here, by OpenSSL or by a callback.

    :ivar verify_code: the number of OpenSSL's verdict (``X509_V_ERR_...``,
        *X509_STORE_CTX_get_error(3)*).
    :ivar verify_message: the same in words.
    :ivar depth: where in the chain: 0 is the peer's own certificate.
    :ivar certificate: the certificate concerned (an ``IX509``), or ``None``.
    """

    verify_code: int = 0
    verify_message: str = ""
    depth: int = -1
    certificate: Any = None
