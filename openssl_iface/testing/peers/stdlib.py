"""Peers made of the standard library's ssl, each a thread in this process."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable

from ..lanes import DEADLINE
from .base import Make, Peer, PeerError, Settings

__all__ = ["StandardLibrary"]

_PROTOCOLS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH = {"none": ssl.CERT_NONE, "wanted": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class StandardLibraryPeer(Peer):
    """A thread that works on one connection at a time.

    :ivar connection: the ``ssl.SSLSocket`` of the present or last connection, for questions about it.
    """

    make: StandardLibrary

    def __init__(
        self, make: StandardLibrary, settings: Settings, context: ssl.SSLContext, port: int | None
    ) -> None:
        super().__init__(make, settings)
        self.connection: ssl.SSLSocket | None = None
        self._context = context
        self._listener: socket.socket | None = None
        self._outbox: deque[bytes] = deque()
        self._ending = self._aborted = self._failed = False
        self._words: list[str] = []
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        if port is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = self._listener.getsockname()[1]
        else:
            self.port = port
        self._thread = threading.Thread(target=self._run, name=f"{make.name} {self.port}", daemon=True)
        self._thread.start()

    # -- the peer's face -----------------------------------------------------------

    def send(self, data: bytes) -> None:
        self._outbox.append(bytes(data))
        self._wake()

    def end(self) -> None:
        self._ending = True
        self._wake()

    def abort(self) -> None:
        self._aborted = True
        self._wake()

    def wait(self, timeout: float = DEADLINE) -> int:
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise self.error(f"it has not ended within {timeout:g} s")
        return int(self._failed)

    def close(self) -> None:
        self.abort()
        self.wait()
        for each in (self._wake_read, self._wake_write, self._listener):
            if each is not None:
                each.close()

    @property
    def log(self) -> str:
        return "\n".join(self._words)

    # -- the thread ------------------------------------------------------------------

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_write.send(b"!")

    def _wait(self, reading: socket.socket, writing: socket.socket | None = None) -> bool:
        """Wait for a socket, or for somebody who calls us; returns whether *reading* is ready."""
        readable, _, _ = select.select([reading, self._wake_read], [writing] if writing else [], [])
        with contextlib.suppress(BlockingIOError):
            self._wake_read.recv(65536)
        return reading in readable

    def _run(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._inbox.close)
            served = 0
            while (sock := self._next()) is not None:
                try:
                    self._talk(sock)
                except (OSError, ValueError) as error:  # an ssl.SSLError; a name that no host can have
                    self._fail(error)
                finally:
                    sock.close()  # it is not open any more if ssl has taken it over
                    if self.connection is not None:
                        self.connection.close()
                served += 1
                if self._listener is None or served == self.settings.connections:
                    break

    def _fail(self, error: Exception) -> None:
        self._failed = True
        self._words.append(f"{type(error).__name__}: {error}")

    def _next(self) -> socket.socket | None:
        """The next connection, or ``None``: it is time to stop."""
        if self._listener is None:
            try:
                return socket.create_connection(("127.0.0.1", self.port), DEADLINE)
            except OSError as error:
                self._fail(error)
                return None
        while not self._aborted:
            # Who has connected before the end was asked for is still served.
            if select.select([self._listener], [], [], 0)[0]:
                return self._listener.accept()[0]
            if self._ending and not self._outbox:
                break
            self._wait(self._listener)
        return None

    def _talk(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.connection = connection = self._context.wrap_socket(
            sock,
            server_side=self._listener is not None,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
            server_hostname=None if self._listener is not None else self.settings.server_name,
        )
        self._retry(connection, connection.do_handshake)
        while not self._aborted:
            writing: socket.socket | None = None
            try:
                data = connection.recv(65536)
                if not data:
                    break
                self._inbox.append(data)
                if self.settings.echo:
                    self._outbox.append(data)
                continue
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLWantWriteError:
                writing = connection
            if self._outbox:
                try:
                    rest = self._outbox[0][connection.send(self._outbox[0]) :]
                    if rest:
                        self._outbox[0] = rest
                    else:
                        self._outbox.popleft()
                    continue
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLWantWriteError:
                    writing = connection
            elif self._ending:
                break
            self._wait(connection, writing)
        if not self._aborted:
            # Our close_notify has left; that the peer's does not come, or comes late, is no failure of ours.
            with contextlib.suppress(OSError):
                self._retry(connection, connection.unwrap)

    def _retry(self, connection: ssl.SSLSocket, operation: Callable[[], object]) -> None:
        while not self._aborted:
            try:
                operation()
                return
            except ssl.SSLWantReadError:
                self._wait(connection)
            except ssl.SSLWantWriteError:
                self._wait(connection, connection)


class StandardLibrary(Make):
    """The ssl module of the Python that runs this, with the OpenSSL that it was built with."""

    name = "stdlib"
    can = frozenset({"server", "client", "speak", "clean_end"})
    missing = ""
    version = ssl.OPENSSL_VERSION

    def _serve(self, settings: Settings) -> Peer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = _CLIENT_AUTH[settings.client_auth]
        return StandardLibraryPeer(self, settings, self._prepare(context, settings), None)

    def _connect(self, port: int, settings: Settings) -> Peer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = settings.verify and settings.server_name is not None
        context.verify_mode = ssl.CERT_REQUIRED if settings.verify else ssl.CERT_NONE
        return StandardLibraryPeer(self, settings, self._prepare(context, settings), port)

    def _prepare(self, context: ssl.SSLContext, settings: Settings) -> ssl.SSLContext:
        if settings.arguments or settings.commands:
            raise PeerError(f"{self.name}: it is no program, and takes neither arguments nor commands")
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
        if settings.ca is not None:
            context.load_verify_locations(settings.ca)
        if settings.tls is not None:
            context.minimum_version = context.maximum_version = _PROTOCOLS[settings.tls]
        if settings.ciphers is not None:
            context.set_ciphers(settings.ciphers)
        if settings.alpn:
            context.set_alpn_protocols(list(settings.alpn))
        return context
