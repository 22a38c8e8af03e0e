"""What our transports promise beyond Twisted's own interfaces."""

# zope.interface methods have no self.
# ruff: noqa: N805
# mypy: disable-error-code="no-self-argument,no-method-argument"

from __future__ import annotations

from twisted.internet.interfaces import IConsumer, INegotiated, IPushProducer
from zope.interface import Attribute, Interface

__all__ = ["IOpenSSLTransport", "ITLSSettings"]


class ITLSSettings(Interface):
    """What may be set on a transport, and on the port or connector that makes it."""

    handshakeTimeout = Attribute(
        "Seconds that a peer has to complete the handshake, ``None`` for ever.  A transport's is read when it starts."
    )
    closeTimeout = Attribute(
        """Seconds that ``loseConnection`` waits without any progress, ``None`` for ever.

        Progress is that bytes leave: however long a download takes, it is not cut off while the peer
        reads.  When everything has left, it is the time that the peer has to answer our close_notify."""
    )


class IOpenSSLTransport(INegotiated, IConsumer, IPushProducer, ITLSSettings):
    """A TLS connection as its protocol sees it, over a socket or over another transport."""

    def getHandle():
        """The ``openssl_iface.interfaces.IConnection``: protocol, cipher, session and chain are found there."""

    def getPeerCertificate():
        """The peer's certificate (an ``IX509``), or ``None`` if it has none or the handshake has not come so far."""

    def loseWriteConnection():
        """Send close_notify after everything that was written, and go on receiving.

        On TLS 1.3 the peer may go on sending (RFC 8446, section 6.1).  On TLS 1.2 and before it has to
        close as well (RFC 5246, section 7.2.1), so there this is another way to say goodbye.
        A protocol that provides ``IHalfCloseableProtocol`` is told by ``writeConnectionLost`` when
        close_notify has left, and on TLS 1.3 by ``readConnectionLost`` when the peer's arrives."""

    def abortConnection():
        """Drop the connection at once, and everything that has not left."""

    def startTLS(contextFactory, normal=True, received=b""):
        """Start TLS inside this connection; see :func:`openssl_iface_twisted.startTLS`."""

    def resumeHandshake():
        """Go on with a handshake that a callback has put off (it raised ``WantX509LookupError``,
        ``WantClientHelloError`` or ``WantVerificationError``), since its answer is there now.
        May be called from anywhere on the reactor's thread."""

    def failVerification(reason):
        """Abort the connection, and give *reason* (a ``Failure``) to ``connectionLost``."""
