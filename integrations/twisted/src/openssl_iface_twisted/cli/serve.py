"""``serve``: an HTTPS file server, twisted.web's over our transport."""

from __future__ import annotations

import os
import resource
import shlex
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.error import CannotListenError, ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.http import H2_ENABLED
from twisted.web.server import Request, Site
from twisted.web.static import File
from zope.interface import implementer

from openssl_iface import crypto
from openssl_iface.errors import CryptoError, Error

from ..contexts import ServerContextFactory
from ..errors import TruncatedConnectionLost
from ..transport import listenSSL
from .failures import explain_files, explain_listening, explain_lost
from .journal import Journal
from .messages import Refusal, printable
from .options import bound
from .table import moment_text, names_text, validity_text
from .throwaway import ORGANIZATION, make_throwaway

__all__ = ["Settings", "serve"]

# What clients are offered by ALPN.
PROTOCOLS = (b"h2", b"http/1.1") if H2_ENABLED else (b"http/1.1",)
BACKLOG = 1024
# Seconds that connections have to end when the server stops.
GOODBYE = 3
# The most descriptors that are worth having; and that select(2) can watch.
DESCRIPTORS, SELECTABLE = 1 << 20, 1024


@dataclass(frozen=True)
class Settings:
    """The arguments of the command; *many*: the reactor can watch any number of descriptors."""

    directory: Path
    port: int
    interface: str | None
    certificate: Path | None
    key: Path | None
    ca_file: Path | None
    tls: str | None
    many: bool


@implementer(IHandshakeListener, IHalfCloseableProtocol)
class Visit(Protocol):
    """One connection: the HTTP channel's, and what is logged of it."""

    transport: Any
    _established = _leaving = False

    def __init__(self, site: Files, channel: Any, address: Any) -> None:
        self.lost: Deferred[None] = Deferred()
        self.peer = address_text(address)
        #: requests that have no whole answer yet
        self.open = 0
        self._site = site
        self._channel = channel
        self._half = False

    def connectionMade(self) -> None:
        self._site.visits.add(self)
        self.transport.visit = self
        self._channel.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self._channel.dataReceived(data)

    def handshakeCompleted(self) -> None:
        self._established = True
        handle = self.transport.getHandle()
        name = handle.get_servername()
        self._site.journal.line(
            self.peer,
            ("cyan", handle.get_protocol_version_name()),
            ("", handle.get_cipher_name()),
            ("green", printable(handle.get_alpn_proto_negotiated() or b"no ALPN")),
            ("dim", "for " + printable(name) if name else "without a name"),
        )

    def answered(self) -> None:
        """A request has its answer."""
        self.open -= 1
        self._farewell()

    def readConnectionLost(self) -> None:
        """The client has nothing more to ask; it gets what it has asked for."""
        self._half = True
        self._farewell()

    def writeConnectionLost(self) -> None:
        """Our close_notify has left."""

    def _farewell(self) -> None:
        if self._half and self.open <= 0:
            self.leave()

    def leave(self) -> None:
        """End it, whatever is under way."""
        self._leaving = True
        transport = self.transport
        transport.closeTimeout = GOODBYE
        producer = transport.producer
        if producer is not None:
            # It is the channel, which has to stop the file that it sends.
            transport.unregisterProducer()
            producer.stopProducing()
        transport.loseConnection()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self._site.visits.discard(self)
        self._channel.connectionLost(reason)
        error: Any = reason.value
        if self._leaving or isinstance(error, ConnectionAborted):
            pass
        elif self._established and isinstance(error, TruncatedConnectionLost):
            # Many clients do, when they have all that they wanted.
            self._site.journal.line(self.peer, ("dim", "left without close_notify"))
        elif not isinstance(error, ConnectionDone):
            sentence = explain_lost(error, "the client", "", established=self._established)
            self._site.journal.line(self.peer, ("yellow", printable(sentence)))
        elif not self._established:
            self._site.journal.line(self.peer, ("dim", "left before the handshake"))
        self.lost.callback(None)


class Inquiry(Request):
    """A request that is logged also when it gets no whole answer."""

    site: Any

    def connectionLost(self, reason: Any) -> None:
        if self.site is not None:  # it had come as far as to be understood
            self.site.cut_off(self)
        super().connectionLost(reason)


class Files(Site):
    """The site: twisted.web's, with a :class:`Visit` around each channel."""

    noisy = False
    requestFactory = Inquiry

    def __init__(self, directory: Path, journal: Journal) -> None:
        root = File(str(directory), defaultType="application/octet-stream")
        super().__init__(root)
        self.journal = journal
        self.visits: set[Visit] = set()

    def buildProtocol(self, addr: Any) -> Any:
        return Visit(self, super().buildProtocol(addr), addr)

    def getResourceFor(self, request: Any) -> Any:
        """The resource; a request has begun."""
        visit = visit_of(request)
        if visit is not None:
            visit.open += 1
        return super().getResourceFor(request)

    def log(self, request: Any) -> None:
        """A request has its answer."""
        visit = visit_of(request)
        self._note(request, "green" if request.code < 400 else "yellow", f"{request.sentLength:,} bytes")
        if visit is not None:
            visit.answered()

    def cut_off(self, request: Any) -> None:
        """The connection of a request is lost before it has its answer."""
        (length,) = request.responseHeaders.getRawHeaders(b"content-length") or (b"?",)
        of = f"{int(length):,}" if length.isdigit() else "?"
        # The last of them may have been on their way.
        self._note(request, "yellow", f"cut off after at most {request.sentLength:,} of {of} bytes")

    def _note(self, request: Any, style: str, end: str) -> None:
        self.journal.line(
            address_text(request.getClientAddress()),
            ("bold", printable(request.method)),
            ("", printable(request.uri)),
            (style, str(request.code)),
            ("dim", end),
        )


def visit_of(request: Any) -> Visit | None:
    """Whose request it is; ``None`` where the connection is gone, or HTTP/2 carries it."""
    transport = getattr(request.channel, "transport", None)
    return getattr(transport, "visit", None)


def address_text(address: Any) -> str:
    """A peer's address; IPv4 in IPv6's clothes (RFC 4291, section 2.5.5.2) as what it is."""
    host = address.host.removeprefix("::ffff:")
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"


async def serve(reactor: Any, settings: Settings) -> int:
    """Serve until interrupted; 0 then.

    :raises Refusal: it cannot be begun.
    """
    raise_descriptors(DESCRIPTORS if settings.many else SELECTABLE)
    journal = Journal(reactor)
    site = Files(settings.directory, journal)
    port: Any = None
    try:
        # What is made for the server is gone before its clients are, which may take long.
        with _context(settings) as (contexts, ca_file):
            bound(contexts.getContext(), settings.tls)
            port = _listen(reactor, settings, site, contexts)
            _announce(settings, journal, port.getHost().port, contexts, ca_file)
            await Deferred()  # until it is cancelled
    except CancelledError:
        await port.stopListening()
        count = len(site.visits)
        await _end(reactor, site)
        journal.text(f"Stopped; {count} connection{'s' * (count != 1)} closed.")
        # Nobody may be reading; then there is nothing to wait for.
        await journal.flushed().addTimeout(1, reactor, lambda *_: None)
    except BaseException:
        if port is not None:
            await port.stopListening()
        raise
    return 0


def _listen(reactor: Any, settings: Settings, site: Files, contexts: Any) -> Any:
    # "::" is both families where the system has IPv6.
    interfaces = [settings.interface] if settings.interface else ["::", ""]
    while True:
        interface = interfaces.pop(0)
        try:
            return listenSSL(reactor, settings.port, site, contexts, BACKLOG, interface)
        except CannotListenError as error:
            if not interfaces or not _no_ipv6(error):
                raise Refusal(explain_listening(error, settings.interface)) from error


def _no_ipv6(error: Any) -> bool:
    import errno

    return getattr(error.socketError, "errno", None) in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


async def _end(reactor: Any, site: Files) -> None:
    """Close every connection, and wait for their ends."""
    visits = list(site.visits)

    def insist() -> None:
        for visit in visits:
            visit.transport.abortConnection()

    insisting = reactor.callLater(GOODBYE, insist)
    for visit in visits:
        visit.leave()
    await DeferredList([visit.lost for visit in visits])
    if insisting.active():
        insisting.cancel()


# -- certificates --------------------------------------------------------------------


@contextmanager
def _context(settings: Settings) -> Iterator[tuple[Any, Path | None]]:
    """The context factory, and where the authority is, if it is ours."""
    if settings.certificate is not None:
        given: Any = {"certificate": settings.certificate, "key": settings.key}
        try:
            contexts = ServerContextFactory(**given, alpn=PROTOCOLS)
        except Error as error:
            raise Refusal(explain_files(error, **given)) from error
        yield contexts, None
        return
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname()]
    if settings.interface and not _is_any(settings.interface):
        names.append(settings.interface)
    made = make_throwaway(names)
    contexts = ServerContextFactory([made.certificate], made.key, alpn=PROTOCOLS)
    pem = crypto.dump_certificate(crypto.FILETYPE_PEM, made.authority)
    if settings.ca_file is not None:
        _write_kept(settings.ca_file, pem)
        yield contexts, settings.ca_file
        return
    number, name = tempfile.mkstemp(prefix="openssl-iface-ca-", suffix=".pem")
    try:
        with os.fdopen(number, "wb") as file:
            # It is no secret: whoever may connect may read it.
            os.fchmod(number, 0o644)
            file.write(pem)
        yield contexts, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _write_kept(path: Path, pem: bytes) -> None:
    """Write the authority where the user wants it, but over nothing else than an earlier one of ours."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not _is_ours(path):
            raise Refusal(f"{path} is there already, and is not an authority that was made here.")
        try:
            partial.write_bytes(pem)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror if path.parent.is_dir() else f"there is no directory {path.parent}"
        raise Refusal(f"--ca-file: {path} cannot be written: {why}.") from error


def _is_ours(path: Path) -> bool:
    try:
        (certificate,) = crypto.load_certificates(path.read_bytes())
    except (CryptoError, ValueError):
        return False
    return bool(certificate.get_subject().organizationName == ORGANIZATION)


def _is_any(interface: str) -> bool:
    return interface.strip("0.:") == ""


# -- the machine ------------------------------------------------------------------------


def raise_descriptors(most: int) -> None:
    """Let this process have as many descriptors as the system lets it, at most *most*."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
    if soft == resource.RLIM_INFINITY or wanted > soft or most == SELECTABLE < soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _announce(settings: Settings, journal: Journal, port: int, contexts: Any, ca_file: Path | None) -> None:
    """Say where it is and how to get at it."""
    host = settings.interface
    if host is None or _is_any(host):
        host = "localhost"
    elif ":" in host:
        host = f"[{host}]"
    url = f"https://{host}:{port}/"
    where = (
        "all interfaces" if settings.interface is None or _is_any(settings.interface) else settings.interface
    )
    journal.text(f"Serving {printable(str(settings.directory))} at {url} on {where}; Ctrl-C stops it.")
    if ca_file is None:
        certificate = contexts.serverConnectionForTLS(None).get_certificate()
        journal.text(
            f"Its certificate, {printable(str(settings.certificate))}, is for {names_text(certificate)}, "
            f"valid {validity_text(certificate)}."
        )
        for warning in _warnings(certificate):
            journal.text(f"Warning: {warning}")
    else:
        kept = "" if settings.ca_file is not None else " (removed at the end)"
        journal.text(f"Its authority is in {printable(str(ca_file))}{kept}; try:")
        journal.text(f"  curl --cacert {shlex.quote(str(ca_file))} {url}")
    offered = " and ".join(protocol.decode() for protocol in PROTOCOLS)
    journal.text(f"Connections and requests from {time.strftime('%Y-%m-%d')} on, offering {offered} by ALPN:")


def _warnings(certificate: Any) -> Iterator[str]:
    """Why clients will not trust *certificate*, whomever they trust."""
    now = datetime.now(UTC)
    begin, end = certificate.not_valid_before, certificate.not_valid_after
    if end is not None and end < now:
        yield f"the certificate has expired on {moment_text(end)} UTC; clients will refuse it."
    if begin is not None and begin > now:
        yield f"the certificate is not valid before {moment_text(begin)} UTC; clients will refuse it."
    if names_text(certificate) == "none":
        # RFC 9525, section 6.3: the subject's common name is no name of a server any more.
        yield "the certificate is for no name (it has no subjectAltName); most clients will refuse it."
