"""Why something failed, in a sentence: what Twisted and OpenSSL say is put in the words of a user."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import error as twisted_errors

from openssl_iface.errors import CertificateVerificationError, Error, OpenSSLError
from openssl_iface.values import Alert

from .._files import authorities_problem, identity_problem, words
from ..errors import AbortedConnectionLost, TimedOutConnectionLost, TruncatedConnectionLost
from .table import moment_text, name_text, names_text

__all__ = ["explain", "explain_connecting", "explain_files", "explain_listening", "explain_lost"]

# Verdicts of X509_STORE_CTX_get_error(3), by what there is to say about them.
_NOT_TRUSTED = frozenset({2, 18, 19, 20, 21, 27, 28})
_NOT_YET_VALID = 9
_EXPIRED = 10
_WRONG_NAME = frozenset({62, 64})


def explain(error: BaseException) -> str:
    """Of any error: the end of the line."""
    if isinstance(error, OpenSSLError):
        return f"{error}."
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return f"{where}{error.strerror or error}."
    if isinstance(error, ImportError):
        return f"{error}."
    return f"{type(error).__name__}: {error} (this should not happen; --debug shows more)."


def explain_files(
    error: OpenSSLError,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    cafile: Path | None = None,
) -> str:
    """Of files that a context factory has refused with *error*: those of the options."""
    problem = None if cafile is None else authorities_problem(cafile)
    if problem is None and certificate is not None:
        problem = identity_problem(certificate, certificate if key is None else key)
        if problem is not None and problem.empty and problem.file == "key" and key is None:
            return f"{problem.text}; say with --key where the certificate's key is."
    named = ", ".join(str(path) for path in (cafile, certificate, key) if path is not None)
    return f"{problem.text}." if problem is not None else f"{named}: {words(error)}."


def explain_listening(error: Any, interface: str | None) -> str:
    """Of a ``CannotListenError`` for *interface*; ``None``: all of them, whatever they are called."""
    cause = error.socketError
    what = f"port {error.port}" + (f" of {interface}" if interface else "")
    number = getattr(cause, "errno", None)
    if number == errno.EADDRINUSE:
        return f"{what} is taken by another program already."
    if number == errno.EACCES:
        return f"{what} may not be listened on without more rights."
    if number == errno.EADDRNOTAVAIL:
        return f"{error.interface} is no address of this machine."
    return f"{what} cannot be listened on: {getattr(cause, 'strerror', None) or cause}."


def explain_connecting(error: BaseException, peer: str, timeout: float) -> str:
    """Of a TCP connection to *peer* (text) that did not come to be."""
    if isinstance(error, twisted_errors.DNSLookupError | ValueError):
        return f"there is no host by the name of {peer.rpartition(':')[0]}."
    if isinstance(error, twisted_errors.ConnectionRefusedError):
        return f"{peer} refused the connection: nothing listens there."
    if isinstance(error, twisted_errors.TimeoutError):
        return f"{peer} did not answer within {timeout:g} seconds."
    if isinstance(error, twisted_errors.NoRouteError):
        return f"there is no way to {peer}."
    cause = getattr(error, "osError", None)
    return f"{peer} cannot be connected to: {getattr(cause, 'strerror', None) or error}."


def explain_lost(error: BaseException, peer: str, name: str, *, established: bool) -> str:
    """Of a connection to *peer* (text) that ended otherwise than cleanly.

    :param name: which the peer's certificate had to be for.
    :param established: whether the handshake was complete.
    """
    if isinstance(error, CertificateVerificationError):
        return _refused(error, peer, name)
    if isinstance(error, Error) and error.alert is not None:
        alert = Alert(error.alert).name if error.alert in list(Alert) else str(error.alert)
        what = "ended the connection" if established else "refused the handshake"
        return f"{peer} {what} with the alert {alert.replace('_', ' ')}."
    for kind, sentence in _ESTABLISHED if established else _IN_HANDSHAKE:
        if isinstance(error, kind):
            return sentence(error, peer)
    return explain(error)


def _refused(error: Any, peer: str, name: str) -> str:
    """The certificate is why."""
    certificate = error.certificate
    whose = "its certificate" if error.depth <= 0 else f"the certificate above it ({error.depth})"
    if certificate is not None:
        subject = name_text(certificate.get_subject())
        if error.verify_code in _WRONG_NAME:
            return f"{peer} is not trusted: {whose} is not for {name}, but for {names_text(certificate)}."
        if error.verify_code == _EXPIRED:
            when = moment_text(certificate.not_valid_after)
            return f"{peer} is not trusted: {whose}, {subject}, has expired on {when} UTC."
        if error.verify_code == _NOT_YET_VALID:
            when = moment_text(certificate.not_valid_before)
            return f"{peer} is not trusted: {whose}, {subject}, is not valid before {when} UTC."
        if error.verify_code in _NOT_TRUSTED:
            return (
                f"{peer} is not trusted: no authority that is trusted here stands behind {whose}, {subject}, "
                f"issued by {name_text(certificate.get_issuer())} ({error.verify_message})."
            )
    return f"{peer} is not trusted: {error.verify_message or error}."


_Sentences = tuple[tuple[type[BaseException], Callable[[Any, str], str]], ...]

_ESTABLISHED: _Sentences = (
    (
        TruncatedConnectionLost,
        lambda _, peer: (
            f"{peer} ended the connection without close_notify: what was received may be incomplete."
        ),
    ),
    (AbortedConnectionLost, lambda error, peer: f"the connection to {peer} broke: {error.args[-1]}."),
    (TimedOutConnectionLost, lambda error, peer: f"{peer}: {error.args[-1]}."),
    (Error, lambda error, peer: f"the connection to {peer} failed: {words(error)}."),
)

_IN_HANDSHAKE: _Sentences = (
    (
        TruncatedConnectionLost,
        lambda _, peer: f"{peer} hung up during the handshake; it may not speak TLS.",
    ),
    (
        AbortedConnectionLost,
        lambda error, peer: f"{peer} broke the connection during the handshake: {error.args[-1]}.",
    ),
    (TimedOutConnectionLost, lambda error, peer: f"{peer}: {error.args[-1]}; it may not speak TLS."),
    (Error, lambda error, peer: f"{peer} does not speak TLS, or none that we accept: {words(error)}."),
)
