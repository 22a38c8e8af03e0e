"""What our transports promise beyond Twisted's own interfaces."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer, INegotiated, IPushProducer
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

__all__ = ["IOpenSSLTransport", "ITLSSettings"]


class ITLSSettings(Interface):
    """What may be set on a transport, and on the port or connector that makes it."""

    handshakeTimeout = Attribute(
        """Seconds that a peer has to complete the handshake, ``None`` for ever.

        A transport's is read when it starts."""
    )
    closeTimeout = Attribute(
        """Seconds that ``loseConnection`` waits without any progress, ``None`` for ever.

        Progress is that bytes leave: however long a download takes, it is not cut off while the peer
        reads.  When everything has left, it is the time that the peer has to answer our close_notify."""
    )


class IOpenSSLTransport(INegotiated, IConsumer, IPushProducer, ITLSSettings):
    """A TLS connection as its protocol sees it, over a socket or over another transport."""

    def getHandle() -> Any:
        """The ``openssl_iface.interfaces.IConnection``: protocol, cipher, session and chain are there."""

    def getPeerCertificate() -> Any:
        """The peer's certificate (an ``IX509``), or ``None`` if it has none, or none yet."""

    def loseWriteConnection() -> None:
        """Send close_notify after everything that was written, and go on receiving.

        On TLS 1.3 the peer may go on sending (RFC 8446, section 6.1).  On TLS 1.2 and before it has to
        close as well (RFC 5246, section 7.2.1), so there this is another way to say goodbye.
        A protocol that provides ``IHalfCloseableProtocol`` is told by ``writeConnectionLost`` when
        close_notify has left, and on TLS 1.3 by ``readConnectionLost`` when the peer's arrives."""

    def abortConnection() -> None:
        """Drop the connection at once, and everything that has not left."""

    def startTLS(contextFactory: Any, normal: bool = True, received: bytes = b"") -> None:
        """Start TLS inside this connection; see :func:`openssl_iface_twisted.startTLS`."""

    def resumeHandshake() -> None:
        """Go on with a handshake that a callback has put off (it raised ``WantX509LookupError``,
        ``WantClientHelloError`` or ``WantVerificationError``), since its answer is there now.
        Also what to call after ``renegotiate()`` of the handle, when there is nothing to write.
        May be called from anywhere on the reactor's thread."""

    def failVerification(reason: Failure) -> None:
        """Abort the connection, and give *reason* (a ``Failure``) to ``connectionLost``."""
