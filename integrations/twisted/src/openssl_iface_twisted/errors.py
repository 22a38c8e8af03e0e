"""The reasons that ``connectionLost`` receives.

=====================================  =====================================================================
reason                                 what has happened
=====================================  =====================================================================
``ConnectionDone`` (Twisted's)         a clean end: the peer's close_notify has arrived and ours has left; or
                                       ``loseConnection`` before the handshake, with nothing written
:class:`TruncatedConnectionLost`       the peer's side ended without close_notify: something may be missing,
                                       and it may be an attacker who cut it off (RFC 8446, section 6.1)
:class:`AbortedConnectionLost`         the peer reset the connection, or it broke
:class:`TimedOutConnectionLost`        no handshake, or no answer to our close_notify, in time
``ConnectionAborted`` (Twisted's)      ``abortConnection`` was called on this side
``openssl_iface.errors.Error``         TLS failed: the error itself, with its alert and verify attributes
``ZeroReturnError``                    the same: the peer has said goodbye before the handshake was complete
``CertificateVerificationError``       the same, and the peer's certificate is why
any other exception                    what a callback of the context, or the protocol itself, has raised
=====================================  =====================================================================

The three that are ours are both an ``openssl_iface.errors.Error`` and Twisted's
``ConnectionLost``, so either habit of checking a reason works.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.error import TimeoutError as TwistedTimeoutError

from openssl_iface import errors
from openssl_iface.values import Ending

__all__ = ["AbortedConnectionLost", "TimedOutConnectionLost", "TruncatedConnectionLost", "reason_for"]


class TruncatedConnectionLost(errors.TruncatedError, ConnectionLost):
    """The connection ended without close_notify: what was received may be incomplete.

    :ivar ending: ``Ending.TRUNCATED``.
    """

    ending = Ending.TRUNCATED

    def __str__(self) -> str:
        return "The connection ended without close_notify: what was received may be incomplete."


class AbortedConnectionLost(errors.AbortedError, ConnectionLost):
    """The connection was reset by the peer, or broke; ``args`` is ``(errno, message)``.

    :ivar ending: ``Ending.ABORTED``.
    """

    ending = Ending.ABORTED

    def __str__(self) -> str:
        return f"The connection was reset or broken: {self.args[-1] if self.args else 'no reason is known'}."


class TimedOutConnectionLost(errors.TimedOutError, ConnectionLost, TwistedTimeoutError):
    """The peer did not do what was due in time; ``args`` is ``(ETIMEDOUT, message)``.

    :ivar ending: ``Ending.TIMED_OUT``.
    """

    ending = Ending.TIMED_OUT

    def __str__(self) -> str:
        return f"{self.args[-1] if self.args else 'The peer did not answer in time'}."


def reason_for(error: BaseException) -> BaseException:
    """The reason to give for what the engine has raised: *error* itself, or one of ours caused by it."""
    kind: Any
    if isinstance(error, ConnectionLost) or not isinstance(error, errors.SysCallError):
        return error
    if isinstance(error, errors.TruncatedError):
        kind = TruncatedConnectionLost
    elif isinstance(error, errors.TimedOutError) or error.errno == errno.ETIMEDOUT:
        kind = TimedOutConnectionLost
    else:
        kind = AbortedConnectionLost
    reason: BaseException = kind(*error.args)
    reason.__cause__ = error
    return reason
