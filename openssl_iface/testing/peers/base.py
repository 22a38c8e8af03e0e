"""What every peer offers, whatever it is made of."""

from __future__ import annotations

import errno
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from ...errors import OpenSSLError
from ..lanes import DEADLINE

__all__ = ["ClientAuth", "Make", "Peer", "PeerError", "Settings", "UnsupportedError"]

ClientAuth = Literal["none", "wanted", "required"]
TLS = Literal["TLSv1.2", "TLSv1.3"]


class PeerError(AssertionError):
    """A peer did not do what was due; the text has what the peer itself says."""


class UnsupportedError(PeerError):
    """A peer of this make cannot do that: see :attr:`Make.can`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a peer is to be; each make takes what it can and refuses the rest."""

    #: a PEM file with the certificate to present, and the chain above it
    certificate: Path | str | None = None
    #: a PEM file with its key, not encrypted
    key: Path | str | None = None
    #: a PEM file with the authorities to trust
    ca: Path | str | None = None
    #: the only protocol to speak: ``"TLSv1.2"`` or ``"TLSv1.3"``; all that the make speaks if left out
    tls: TLS | None = None
    #: OpenSSL's cipher list, for TLS 1.2
    ciphers: str | None = None
    #: application protocols, best first (RFC 7301)
    alpn: tuple[str, ...] = ()
    #: a server's: whether clients are asked for a certificate, and turned away without one
    client_auth: ClientAuth = "none"
    #: a client's: the name to ask for and to verify; nothing is asked for if left out
    server_name: str | None = None
    #: a client's: whether the server is verified at all
    verify: bool = True
    #: a server's: send back whatever comes
    echo: bool = False
    #: when the other side has ended, go on sending until told to end (makes that can ``"half_close"``)
    half_open: bool = False
    #: a server's: leave after so many connections (0: never)
    connections: int = 1
    #: let the program obey its command letters, for the methods that need them; what is sent then
    #: must not begin with one
    commands: bool = False
    #: further arguments for the program
    arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, words in (
            ("tls", self.tls, (*get_args(TLS), None)),
            ("client_auth", self.client_auth, get_args(ClientAuth)),
        ):
            if value not in words:
                raise ValueError(f"{name}: one of {', '.join(map(repr, words))} is needed, not {value!r}")
        several: dict[str, Any] = {"alpn": self.alpn, "arguments": self.arguments}
        for name, texts in several.items():
            if isinstance(texts, (str, bytes)) or not all(isinstance(text, str) for text in texts):
                raise TypeError(f"{name}: a tuple of texts is needed, not {texts!r}")
        for name, path in (("certificate", self.certificate), ("key", self.key), ("ca", self.ca)):
            if path is not None and not Path(path).is_file():
                raise FileNotFoundError(errno.ENOENT, f"{name}: there is no such file", str(path))


class Inbox:
    """The bytes that a peer has received, filled by one thread and read by another."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._taken = 0
        self._closed = False
        self._condition = threading.Condition()

    def append(self, data: bytes) -> None:
        with self._condition:
            self._data += data
            self._condition.notify_all()

    def close(self) -> None:
        """Say that nothing more will come."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def everything(self) -> bytes:
        """All that has come so far, whether it has been taken or not."""
        with self._condition:
            return bytes(self._data)

    def take(self, size: Callable[[bytearray, int], int], timeout: float) -> bytes | None:
        """Wait until ``size(data, start)`` says how many bytes to take (-1: none yet); ``None``: never."""
        with self._condition:
            self._condition.wait_for(lambda: size(self._data, self._taken) >= 0 or self._closed, timeout)
            count = size(self._data, self._taken)
            if count < 0:
                return None
            start, self._taken = self._taken, self._taken + count
            return bytes(self._data[start : self._taken])

    def wait_closed(self, timeout: float) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._closed, timeout)


class Peer(ABC):
    """One running peer; a context manager, which ends it for certain.

    :ivar make: the :class:`Make` that it is of.
    :ivar port: the port that a server listens on (127.0.0.1), or that a client has connected to.
    """

    make: Make
    port: int

    def __init__(self, make: Make, settings: Settings) -> None:
        self.make = make
        self.settings = settings
        self._inbox = Inbox()

    # -- what every make does its own way --------------------------------------

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send *data*; does not wait until it has gone."""

    @abstractmethod
    def end(self) -> None:
        """Send close_notify after everything that was sent, and leave; does not wait."""

    @abstractmethod
    def abort(self) -> None:
        """Leave at once, without close_notify."""

    @abstractmethod
    def wait(self, timeout: float = DEADLINE) -> int:
        """Wait until the peer has finished; returns 0 if it is content (a program's exit code).

        :raises PeerError: it did not finish in time.
        """

    @abstractmethod
    def close(self) -> None:
        """End the peer in whatever state it is, and give everything back."""

    @property
    @abstractmethod
    def log(self) -> str:
        """What the peer has said about itself so far."""

    def half_close(self) -> None:
        """Send close_notify after everything that was sent, and go on receiving."""
        raise self._unsupported("half_close")

    def renegotiate(self) -> None:
        """Begin a new handshake (TLS 1.2)."""
        raise self._unsupported("renegotiate")

    def key_update(self, *, request_peer: bool = False) -> None:
        """Change the sending keys (TLS 1.3), and ask us to change ours."""
        raise self._unsupported("key_update")

    def request_certificate(self) -> None:
        """Ask for a certificate after the handshake (TLS 1.3; a server)."""
        raise self._unsupported("request_certificate")

    # -- what is the same for all ------------------------------------------------

    @property
    def received(self) -> bytes:
        """All plaintext that has come so far, of all connections one after another."""
        return self._inbox.everything

    def receive(self, count: int, timeout: float = DEADLINE) -> bytes:
        """Wait for exactly *count* more bytes of plaintext."""
        got = self._inbox.take(lambda data, start: count if len(data) - start >= count else -1, timeout)
        if got is None:
            raise self.error(f"{count} bytes were awaited for {timeout:g} s")
        return got

    def receive_until(self, marker: bytes, timeout: float = DEADLINE) -> bytes:
        """Wait for plaintext that ends with *marker*; returns it, *marker* included."""

        def size(data: bytearray, start: int) -> int:
            found = data.find(marker, start)
            return -1 if found < 0 else found + len(marker) - start

        got = self._inbox.take(size, timeout)
        if got is None:
            raise self.error(f"{marker!r} was awaited for {timeout:g} s")
        return got

    def receive_all(self, timeout: float = DEADLINE) -> bytes:
        """Wait until nothing more can come; returns what has not been taken yet."""
        if not self._inbox.wait_closed(timeout):
            raise self.error(f"the end was awaited for {timeout:g} s")
        return self._inbox.take(lambda data, start: len(data) - start, 0) or b""

    def error(self, what: str) -> PeerError:
        """An error about this peer which has everything that is known of it."""
        received = self._inbox.everything
        return PeerError(
            f"{self.make.name}: {what}; {len(received)} bytes came in all, the last {received[-80:]!r}; "
            f"it says: {self.log.strip()[-2000:] or 'nothing'}"
        )

    def _unsupported(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"{self.make.name} cannot do {what!r}; it can: {', '.join(sorted(self.make.can))}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Make(ABC):
    """A make of peers: starts servers and clients of its kind.

    :ivar name: such as ``"openssl-3.5"``; fit for a test's identifier.
    :ivar can: what its peers can do, as a set of words:

        - ``"server"``, ``"client"``: there are such peers;
        - ``"speak"``: a server can send what it is told, not just an echo;
        - ``"clean_end"``: a server can end by close_notify (every client can);
        - ``"half_close"``, ``"renegotiate"``, ``"key_update"``, ``"request_certificate"``: the
          methods of these names work (the last three may need ``commands=True``).
    """

    name: str

    @property
    @abstractmethod
    def can(self) -> frozenset[str]:
        """What its peers can do."""

    @property
    @abstractmethod
    def missing(self) -> str:
        """Why there are no peers of this make here; ``""`` if there are."""

    @property
    @abstractmethod
    def version(self) -> str:
        """What the make says of its version."""

    def server(self, **settings: Any) -> Peer:
        """Start a server with :class:`Settings`; it listens on a free port when this returns.

        :raises PeerError: it did not start.
        """
        return self._start("server", 0, settings)

    def client(self, port: int, **settings: Any) -> Peer:
        """Start a client with :class:`Settings`, which connects to *port* of 127.0.0.1.

        :raises PeerError: it did not start.  That it could not connect, :meth:`Peer.wait` tells.
        """
        return self._start("client", port, settings)

    def _start(self, role: str, port: int, settings: dict[str, Any]) -> Peer:
        if self.missing:
            raise PeerError(f"{self.name}: {self.missing}")
        if role not in self.can:
            raise UnsupportedError(f"{self.name} has no {role}")
        try:
            checked = Settings(**settings)
        except FileNotFoundError as error:
            raise PeerError(f"{self.name}: {error}") from error
        if checked.half_open and "half_close" not in self.can:
            raise UnsupportedError(
                f"{self.name} always answers an end with its own: half_open is not possible"
            )
        try:
            return self._serve(checked) if role == "server" else self._connect(port, checked)
        except (OSError, OpenSSLError) as error:  # as what is in the files is not what it should be
            raise PeerError(f"{self.name}: {error}") from error

    def _serve(self, settings: Settings) -> Peer:
        raise NotImplementedError

    def _connect(self, port: int, settings: Settings) -> Peer:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<Make {self.name}: {self.missing or self.version}>"
