"""The manual's face of a connection: on a socket, on memory BIOs, on a Python object.

On a socket nothing here ever waits inside libssl or under the connection's lock:
the engine tries without waiting, and where the socket is a blocking one (or has
a timeout) it is polled in between.  So one thread can wait in ``recv`` while
another sends, Ctrl-C is heard, and a timeout holds however slowly bytes trickle.
"""

from __future__ import annotations

import errno as errnos
import ipaddress
import os
import select
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from ..errors import Error, SysCallError, TimedOutError, WantReadError, WantWriteError
from ..interfaces import IConnection
from ..values import EVENT_SIZE
from . import _errors
from ._encoding import INT_MAX, as_instance, as_int, as_name
from ._native import ffi, lib
from .context import Context, function, wire_protocols
from .datagram import Datagram
from .engine import ENDINGS, LOW, _pool, take_workspace
from .pkey import PKey
from .session import Session
from .x509 import X509

# c/conn.h
HANDSHAKE, READ, PEEK, WRITE, SHUTDOWN, RENEGOTIATE, KEY_UPDATE = range(7)
TLS1_3 = 0x0304


@implementer(IConnection)
class Connection(Datagram):
    """A TLS connection (*SSL_new(3)*).

    :param context: a :class:`Context`.
    :param socket: what to talk through: a socket or any object with ``fileno()``; an object with
        ``recv(size)`` and ``send(data)`` alone; or ``None``: the caller carries the ciphertext
        (``bio_read``, ``bio_write``, or the event-loop face).  Any attribute that a connection does
        not have is looked up on it.
    """

    def __init__(self, context: Context, socket: Any = None) -> None:
        as_instance(context, Context, "context")
        fileno = -1
        carrier: Any = None
        if socket is not None:
            if hasattr(socket, "fileno"):
                fileno = as_int(socket.fileno(), "socket: its fileno()", -1)
                if fileno < 0:
                    raise ValueError("socket: it is closed")
            elif hasattr(socket, "recv") and hasattr(socket, "send"):
                carrier = socket
            else:
                raise TypeError(f"socket: {type(socket).__name__} has neither fileno() nor recv() and send()")
        self._socket = socket
        self._carrier: Any = carrier
        super().__init__(context, fileno)
        self._app_data: Any = None
        self._unsent = b""
        self._own_callables: dict[str, Any] = {}
        # A record that is half sent must be finished before another begins.
        self._sending = threading.RLock()
        self._resume: tuple[Any, int] | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self.__dict__.get("_socket") is None:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}, and no socket to look it up on"
            )
        return getattr(self._socket, name)

    # -- performing an operation -----------------------------------------------------

    def _deadline(self) -> float | None:
        """Until when an operation may wait: 0 not at all, ``None`` for ever."""
        if self._conn.fd < 0:
            return 0.0
        ask = getattr(self._socket, "gettimeout", None)
        if ask is None:  # a descriptor of another kind says itself whether it blocks
            return None if os.get_blocking(self._conn.fd) else 0.0
        timeout = ask()
        return time.monotonic() + timeout if timeout else timeout

    def _wait(self, event: int, deadline: float | None) -> None:
        """Wait for the descriptor."""
        poll = select.poll()
        poll.register(self._conn.fd, event)
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        if not poll.poll(left):
            raise TimedOutError(errnos.ETIMEDOUT, "the peer did not answer within the socket's timeout")

    def _try(self, what: int, data: Any, size: int, keep: bool) -> Any:
        """Do one thing with libssl, once, without waiting."""
        space = take_workspace()
        work, plain = space
        conn = self._conn
        try:
            with self._lock:
                if self._fatal and self._failure is not None:
                    raise self._failure.with_traceback(None)
                code = lib.oi_operate(conn, work, what, plain if keep else data, size)
                error = code >> 32
                self.handshake_done = bool(conn.handshake_done)
                self.ended = ENDINGS[conn.ended]
                if not error and not conn.callback_failed:
                    done = code & LOW
                    return ffi.unpack(plain, done) if keep else done
                raise self._failed(error, work)
        finally:
            _pool.append(space)

    def _failed(self, error: int, work: Any) -> BaseException:
        """The exception for *error*.  (Never a variable where it is raised: that is a cycle.)"""
        failure = self._error_of(error, work)
        if self._conn.dead and (self._conn.callback_failed or not work.errors.count):
            # libssl does not know that this connection has failed.
            self._failure, self._fatal = failure, True
        return failure

    def _perform(self, what: int, data: Any = ffi.NULL, size: int = 0, *, keep: bool = False) -> Any:
        """Do one thing with libssl, as often as the transport makes it necessary.

        :param keep: give the plaintext (bytes) instead of the count of what was done.
        """
        if self._conn.fd >= 0 and self._socket.fileno() != self._conn.fd:
            raise SysCallError(errnos.EBADF, "the socket is closed")
        deadline: float | None = None
        asked = False
        while True:
            try:
                return self._try(what, data, size, keep)
            except (WantReadError, WantWriteError) as want:
                event = select.POLLIN if isinstance(want, WantReadError) else select.POLLOUT
                if not asked:
                    asked, deadline = True, self._deadline()
                if self._carrier is not None:
                    self._carry_out()
                    if event == select.POLLIN and not self._carry_in():
                        raise
                elif deadline == 0:
                    raise
            finally:
                if self._carrier is not None:
                    self._carry_out()
            if self._carrier is None:
                self._wait(event, deadline)

    # -- a transport that is a Python object -------------------------------------------

    def _carry_out(self) -> None:
        """Give the carrier what libssl has written; what it refuses is kept."""
        while True:
            if not self._unsent:
                self._unsent = self._take_out(EVENT_SIZE)
                if not self._unsent:
                    return
            try:
                sent = self._carrier.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                return
            self._unsent = self._unsent[sent:] if isinstance(sent, int) else b""

    def _carry_in(self) -> bool:
        """Bring what the carrier has; false if it has nothing yet."""
        try:
            data = self._carrier.recv(EVENT_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        with self._lock:
            if data:
                self._put_in(data)
            else:
                self._conn.eof = 1
        return True

    def _put_in(self, data: Any) -> None:
        if not lib.oi_put(self._conn, ffi.from_buffer(data), len(data)):
            raise MemoryError("ciphertext")

    def _take_out(self, size: int) -> bytes:
        space = take_workspace()
        try:
            with self._lock:
                count = lib.oi_take(self._conn, space[1], min(size, EVENT_SIZE))
                return ffi.unpack(space[1], count) if count else b""
        finally:
            _pool.append(space)

    # -- the manual ------------------------------------------------------------------

    def do_handshake(self) -> None:
        """As :meth:`IConnection.do_handshake` says."""
        self._perform(HANDSHAKE)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As :meth:`IConnection.recv` says."""
        wanted = min(as_int(size, "size", 0, 2**63), EVENT_SIZE)
        if not wanted:
            return b""
        data: bytes = self._perform(PEEK if flags & sockets.MSG_PEEK else READ, size=wanted, keep=True)
        return data

    read = recv

    def recv_into(self, buffer: Any, size: int | None = None, flags: int = 0) -> int:
        """As :meth:`IConnection.recv_into` says."""
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("buffer: it cannot be written to")
        room = len(view) if size is None else min(as_int(size, "size", 0, 2**63), len(view))
        if not room:
            return 0
        data = self.recv(room, flags)
        view[: len(data)] = data
        return len(data)

    def send(self, data: bytes, flags: int = 0) -> int:
        """As :meth:`IConnection.send` says."""
        del flags  # those of send(2) have no meaning for a record
        view = self._bytes_like("data", data)
        if not len(view):
            return 0
        with self._sending:
            return int(self._perform(WRITE, ffi.from_buffer(view), min(len(view), 2**30)))

    write = send

    def sendall(self, data: bytes, flags: int = 0) -> int:
        """As :meth:`IConnection.sendall` says; returns the size of *data*."""
        view = self._bytes_like("data", data)
        with self._sending:
            at = 0
            if self._resume is not None and self._resume[0] == view:
                at = self._resume[1]
            self._resume = None
            while at < len(view):
                try:
                    at += self.send(view[at:], flags)
                except (WantReadError, WantWriteError):
                    self._resume = (bytes(view), at)
                    raise
            return len(view)

    def pending(self) -> int:
        """As :meth:`IConnection.pending` says."""
        with self._lock:
            return int(lib.SSL_pending(self._ssl_borrowed))

    def shutdown(self) -> bool:
        """As :meth:`IConnection.shutdown` says."""
        return bool(self._perform(SHUTDOWN))

    def renegotiate(self) -> bool:
        """As :meth:`IConnection.renegotiate` says; returns true."""
        with self._lock:
            if not self.handshake_done:
                raise Error("there is nothing to renegotiate before the handshake is complete")
            if lib.SSL_version(self._ssl_borrowed) >= TLS1_3:
                raise Error("TLS 1.3 has no renegotiation; key_update changes the keys")
        self._perform(RENEGOTIATE)
        return True

    def key_update(self, request_peer: bool = False) -> None:
        """As :meth:`IConnection.key_update` says."""
        kind = lib.SSL_KEY_UPDATE_REQUESTED if request_peer else lib.SSL_KEY_UPDATE_NOT_REQUESTED
        self._perform(KEY_UPDATE, size=kind)

    def verify_client_post_handshake(self) -> None:
        """Ask a TLS 1.3 client for its certificate now (*SSL_verify_client_post_handshake(3)*)."""
        with self._lock:
            _errors.clear()
            if lib.SSL_verify_client_post_handshake(self._ssl_borrowed) != 1:
                raise _errors.take(Error, "post-handshake authentication")

    def accept(self) -> tuple[Connection, Any]:
        """Accept on the listening socket: ``(connection, address)``; the handshake is the caller's."""
        client, address = self._socket.accept()
        connection = type(self)(self.get_context(), client)
        connection.set_accept_state()
        return connection, address

    def connect(self, address: Any) -> None:
        """Connect the socket and be the client; the handshake is the caller's."""
        self._socket.connect(address)
        self.set_connect_state()

    def connect_ex(self, address: Any) -> int:
        """The same; returns the socket's ``errno``."""
        result = int(self._socket.connect_ex(address))
        self.set_connect_state()
        return result

    def sock_shutdown(self, how: int) -> None:
        """Shut the socket itself down, as ``socket.shutdown`` does."""
        self._socket.shutdown(how)

    def makefile(self, *arguments: Any, **keywords: Any) -> Any:
        """Not offered: the socket's own would give ciphertext."""
        raise NotImplementedError("a connection cannot be made into a file")

    def set_accept_state(self) -> None:
        """As :meth:`IConnection.set_accept_state` says."""
        self._choose_side(lib.SSL_set_accept_state)

    def set_connect_state(self) -> None:
        """As :meth:`IConnection.set_connect_state` says."""
        self._choose_side(lib.SSL_set_connect_state)

    def _choose_side(self, choose: Callable[[Any], None]) -> None:
        with self._lock:
            choose(self._ssl_borrowed)

    def want_read(self) -> bool:
        """As :meth:`IConnection.want_read` says."""
        with self._lock:
            return bool(lib.SSL_want(self._ssl_borrowed) == lib.SSL_READING)

    def want_write(self) -> bool:
        """As :meth:`IConnection.want_write` says."""
        with self._lock:
            return bool(self._unsent) or bool(lib.SSL_want(self._ssl_borrowed) == lib.SSL_WRITING)

    # -- memory BIOs -------------------------------------------------------------------

    def _need_memory(self) -> None:
        if self._socket is not None:
            raise TypeError("this connection has a socket: its ciphertext cannot be carried by hand")

    def bio_read(self, size: int) -> bytes:
        """As :meth:`IConnection.bio_read` says."""
        self._need_memory()
        data = self._take_out(as_int(size, "size", 1, 2**63))
        if not data:
            raise WantReadError
        return data

    def bio_write(self, data: bytes) -> int:
        """As :meth:`IConnection.bio_write` says."""
        self._need_memory()
        view = self._bytes_like("data", data)
        with self._lock:
            self._put_in(view)
        return len(view)

    def bio_shutdown(self) -> None:
        """As :meth:`IConnection.bio_shutdown` says."""
        self._need_memory()
        with self._lock:
            self._conn.eof = 1

    def event_attach(self, transport: Any) -> None:
        """As :meth:`IConnection.event_attach` says."""
        self._need_memory()
        fileno = as_int(transport.fileno(), "transport: its fileno()", 0)
        with self._lock:
            if self.handshake_done or lib.oi_buffered_out(self._conn) or lib.oi_buffered_in(self._conn):
                raise ValueError("transport: the connection has begun already")
            self._conn.fd = fileno
            self._socket = transport

    # -- before the handshake ------------------------------------------------------------

    def get_context(self) -> Context:
        """As :meth:`IConnection.get_context` says."""
        context: Context = self._context
        return context

    def set_context(self, context: Context) -> None:
        """As :meth:`IConnection.set_context` says."""
        as_instance(context, Context, "context")
        with self._lock, context._lock:
            _errors.clear()
            if lib.SSL_set_SSL_CTX(self._ssl_borrowed, context._context) == ffi.NULL:
                raise _errors.take(Error, "context")
            self._context = context
            self._hooks.callables = {**context._callables, **self._own_callables}

    def set_verify(self, mode: int, callback: Callable[..., Any] | None = None) -> None:
        """As :meth:`IConnection.set_verify` says."""
        value = as_int(mode, "mode", 0, 15)
        function("callback", callback)
        with self._lock:
            self._set_hook("verify", callback)
            lib.oi_set_verify(self._conn, value, callback is not None)

    def _set_hook(self, name: str, callback: Any) -> None:
        if callback is None:
            self._own_callables.pop(name, None)
            self._hooks.callables.pop(name, None)
        else:
            self._own_callables[name] = self._hooks.callables[name] = callback

    def set_verify_depth(self, depth: int) -> None:
        """As :meth:`IContext.set_verify_depth`, for this connection alone."""
        with self._lock:
            lib.SSL_set_verify_depth(self._ssl_borrowed, as_int(depth, "depth", 0, INT_MAX))

    def set_options(self, options: int) -> int:
        """Add ``OP_`` bits for this connection; returns all that are set (int)."""
        with self._lock:
            return int(lib.SSL_set_options(self._ssl_borrowed, as_int(options, "options", 0, 2**64 - 1)))

    def set_shutdown(self, state: int) -> None:
        """Set ``SENT_SHUTDOWN`` and ``RECEIVED_SHUTDOWN`` bits (*SSL_set_shutdown(3)*)."""
        with self._lock:
            lib.SSL_set_shutdown(self._ssl_borrowed, as_int(state, "state", 0, 3))

    def set_tlsext_host_name(self, name: str | bytes) -> None:
        """As :meth:`IConnection.set_tlsext_host_name` says."""
        value = as_name(host_name(name) if isinstance(name, str) else name, "name")
        if not 1 <= len(value) <= 255:
            raise ValueError(f"name: 1 to 255 bytes expected, not {len(value)}")
        with self._lock:
            _errors.clear()
            if not lib.SSL_set_tlsext_host_name(self._ssl_borrowed, value):
                raise _errors.take(Error, "name")

    def set_verify_host(self, name: str | bytes) -> None:
        """As :meth:`IConnection.set_verify_host` says."""
        value = as_name(name, "name")
        if not value:
            raise ValueError("name: it is empty")
        address = is_address(value.decode())
        if not address:
            value = host_name(value.decode()).removesuffix(".").encode()
        with self._lock:
            if not lib.oi_set_host(self._conn, value, address):
                raise _errors.take(Error, f"name: {name!r}")

    def set_alpn_protos(self, protocols: Iterable[bytes]) -> None:
        """As :meth:`IContext.set_alpn_protos`, for this connection alone."""
        wire = wire_protocols(protocols)
        with self._lock:
            _errors.clear()
            if lib.SSL_set_alpn_protos(self._ssl_borrowed, wire, len(wire)):
                raise _errors.take(Error, "protocols")

    def set_session(self, session: Session) -> None:
        """As :meth:`IConnection.set_session` says."""
        as_instance(session, Session, "session")
        with self._lock:
            _errors.clear()
            if not lib.SSL_set_session(self._ssl_borrowed, session._session):
                raise _errors.take(Error, "session")

    def use_certificate(self, certificate: X509) -> None:
        """Present *certificate* (an IX509) on this connection."""
        as_instance(certificate, X509, "certificate")
        with self._lock:
            _errors.clear()
            if not lib.SSL_use_certificate(self._ssl_borrowed, certificate._x509):
                raise _errors.take(Error, "certificate")

    def use_privatekey(self, key: PKey) -> None:
        """Use *key* (an IPKey) on this connection."""
        as_instance(key, PKey, "key")
        with self._lock:
            _errors.clear()
            if not lib.SSL_use_PrivateKey(self._ssl_borrowed, key._pkey):
                raise _errors.take(Error, "key")

    def request_ocsp(self) -> None:
        """Ask the server for the status of its certificate (RFC 6066, section 8).  A client's."""
        with self._lock:
            lib.SSL_set_tlsext_status_type(self._ssl_borrowed, lib.TLSEXT_STATUSTYPE_ocsp)

    def set_info_callback(self, callback: Callable[..., Any] | None) -> None:
        """As :meth:`IContext.set_info_callback`, for this connection alone."""
        function("callback", callback)
        with self._lock:
            self._set_hook("info", callback)
            lib.oi_info_on(self._conn, "info" in self._hooks.callables)

    def set_app_data(self, data: Any) -> None:
        """As :meth:`IConnection.set_app_data` says."""
        self._app_data = data

    def get_app_data(self) -> Any:
        """As :meth:`IConnection.get_app_data` says."""
        return self._app_data

    def __repr__(self) -> str:
        return f"<Connection {self.get_protocol_version_name()} {self.state_string().decode()}>"


def is_address(name: str) -> bool:
    """Whether *name* is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host_name(name: str) -> str:
    """The A-labels of a host name; ASCII is left as it is."""
    if name.isascii():
        return name
    try:
        import idna
    except ImportError:
        raise ValueError(f"name: {name!r} is not ASCII: install idna, or give its A-labels") from None
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"name: {name!r}: {error}") from None
