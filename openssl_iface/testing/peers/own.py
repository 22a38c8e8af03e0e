"""Peers made of our own Connection in its blocking face: one thread receives, another one sends."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
from typing import Any

from ..lanes import DEADLINE
from .base import Make, Peer, PeerError, Settings

__all__ = ["Own"]

_PROTOCOLS = {"TLSv1.2": "TLS1_2_VERSION", "TLSv1.3": "TLS1_3_VERSION"}


class OwnPeer(Peer):
    """Two threads that work on one connection after another.

    :ivar connection: the IConnection of the present or last one, for questions about it.
    """

    make: Own

    def __init__(self, make: Own, settings: Settings, context: Any, port: int | None) -> None:
        super().__init__(make, settings)
        self.connection: Any = None
        self._context = context
        self._listener: socket.socket | None = None
        # What the sending thread is to do: bytes to send, or the name and arguments of a method.
        self._outbox: queue.SimpleQueue[bytes | tuple[Any, ...] | None] = queue.SimpleQueue()
        self._sock: socket.socket | None = None
        self._closed = threading.Event()
        self._failed = self._ending = self._aborted = False
        self._words: list[str] = []
        if port is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = self._listener.getsockname()[1]
        else:
            self.port = port
        self._thread = threading.Thread(target=self._run, name=f"{make.name} {self.port}", daemon=True)
        self._thread.start()

    # -- the peer's face -----------------------------------------------------------

    def send(self, data: bytes) -> None:
        self._outbox.put(bytes(data))

    def end(self) -> None:
        self._outbox.put(("shutdown", True))

    def half_close(self) -> None:
        self._outbox.put(("shutdown", False))

    def renegotiate(self) -> None:
        self._outbox.put(("renegotiate",))

    def key_update(self, *, request_peer: bool = False) -> None:
        self._outbox.put(("key_update", request_peer))

    def abort(self) -> None:
        self._aborted = True
        self._closed.set()
        for sock in (self._listener, self._sock):
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def wait(self, timeout: float = DEADLINE) -> int:
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise self.error(f"it has not ended within {timeout:g} s")
        return int(self._failed)

    def close(self) -> None:
        self.abort()
        self.wait()
        if self._listener is not None:
            self._listener.close()

    @property
    def log(self) -> str:
        return "\n".join(self._words)

    # -- the threads -----------------------------------------------------------------

    def _fail(self, error: Exception) -> None:
        # That the peer does not answer our end is no failure of ours.
        if not self._aborted and not self._ending:
            self._failed = True
        self._words.append(f"{type(error).__name__}: {error}")

    def _run(self) -> None:
        served = 0
        while not self._aborted and (not self._listener or served != (self.settings.connections or -1)):
            try:
                if self._listener is not None:
                    self._sock = self._listener.accept()[0]
                else:
                    self._sock = socket.create_connection(("127.0.0.1", self.port), DEADLINE)
                    self._sock.settimeout(None)
            except OSError as error:
                self._fail(error)
                break
            with self._sock:
                self._talk(self._sock)
            served += 1
            if self._listener is None or self._ending:
                break
        self._inbox.close()

    def _talk(self, sock: socket.socket) -> None:
        from ... import SSL  # the backend is not needed by who uses other peers

        if not self._aborted:
            self._closed.clear()
        self.connection = connection = SSL.Connection(self._context, sock)
        try:
            if self._listener is not None:
                connection.set_accept_state()
            else:
                connection.set_connect_state()
                if self.settings.server_name is not None:
                    connection.set_tlsext_host_name(self.settings.server_name)
                    if self.settings.verify:
                        connection.set_verify_host(self.settings.server_name)
            connection.do_handshake()
        except (SSL.Error, OSError, ValueError) as error:  # the last: a name that no host can have
            self._fail(error)
            return
        sender = threading.Thread(target=self._send, name=f"{self.make.name} {self.port} sends", daemon=True)
        sender.start()
        try:
            while data := connection.recv(65536):
                self._inbox.append(data)
                if self.settings.echo:
                    self._outbox.put(data)
        except SSL.ZeroReturnError:
            if self.settings.half_open:
                self._closed.wait()
            self._outbox.put(("shutdown", False))
        except (SSL.Error, OSError) as error:
            self._fail(error)
        self._outbox.put(None)
        sender.join()

    def _send(self) -> None:
        from ... import SSL

        while (item := self._outbox.get()) is not None:
            try:
                if isinstance(item, bytes):
                    self.connection.sendall(item)
                elif item[0] == "shutdown":
                    self._ending = self._ending or item[1]
                    if not self._closed.is_set():
                        self._closed.set()
                        self.connection.shutdown()
                else:
                    getattr(self.connection, item[0])(*item[1:])
                    self.connection.do_handshake()  # which sends what was only prepared
            except (SSL.Error, OSError) as error:
                self._fail(error)


class Own(Make):
    """This project's own Connection, over the chosen backend."""

    name = "own"
    missing = ""
    can = frozenset({"server", "client", "speak", "clean_end", "half_close", "renegotiate", "key_update"})

    @property
    def version(self) -> str:
        from ...registry import get_backend

        return str(get_backend().running.text)

    def _serve(self, settings: Settings) -> Peer:
        from ... import SSL

        context = self._prepare(settings)
        if settings.client_auth != "none":
            mode = SSL.VERIFY_PEER
            if settings.client_auth == "required":
                mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
            context.set_verify(mode)
        context.set_session_id(b"openssl_iface.testing")
        if settings.alpn:
            ours = [each.encode() for each in settings.alpn]
            context.set_alpn_select_callback(
                lambda _, theirs: next(
                    (each for each in ours if each in theirs), SSL.NO_OVERLAPPING_PROTOCOLS
                )
            )
        return OwnPeer(self, settings, context, None)

    def _connect(self, port: int, settings: Settings) -> Peer:
        from ... import SSL

        context = self._prepare(settings)
        context.set_verify(SSL.VERIFY_PEER if settings.verify else SSL.VERIFY_NONE)
        if settings.alpn:
            context.set_alpn_protos([each.encode() for each in settings.alpn])
        return OwnPeer(self, settings, context, port)

    def _prepare(self, settings: Settings) -> Any:
        from ... import SSL

        if settings.arguments or settings.commands:
            raise PeerError(f"{self.name}: it is no program, and takes neither arguments nor commands")
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        if settings.tls is not None:
            context.set_min_proto_version(getattr(SSL, _PROTOCOLS[settings.tls]))
            context.set_max_proto_version(getattr(SSL, _PROTOCOLS[settings.tls]))
        if settings.certificate is not None:
            context.use_certificate_chain_file(os.fspath(settings.certificate))
            context.use_privatekey_file(os.fspath(settings.key or settings.certificate))
        if settings.ca is not None:
            context.load_verify_locations(os.fspath(settings.ca))
        if settings.ciphers is not None:
            context.set_cipher_list(settings.ciphers)
        return context
