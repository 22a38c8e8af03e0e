"""Connections: the class itself, and what can be set on one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from ..errors import Error
from ..interfaces import IConnection
from ..values import VerifyMode
from . import _errors
from ._encoding import INT_MAX, as_instance, as_int, as_name
from ._files import loaded
from ._hostnames import host_name, is_address, reference_name
from ._native import ffi, lib
from .context import ALL_BITS, Context, wire_protocols
from .direct import Direct, descriptor_of
from .engine import Engine
from .pkey import PKey
from .session import Session
from .trusting import function
from .x509 import X509


@implementer(IConnection)
class Connection(Direct):
    """A TLS connection (*SSL_new(3)*).

    :param context: a :class:`Context`.
    :param socket: what to talk through: a socket or any object with ``fileno()``; an object with
        ``recv(size)`` and ``send(data)`` alone; or ``None``: the caller carries the ciphertext
        (``bio_read``, ``bio_write``, or the event-loop face).  Any attribute that a connection does
        not have is looked up on it (by a subclass of the same name, which such connections are of).
    """

    _app_data: Any = None
    # What was set for this connection alone stays when it goes on with another context.
    _own_callables: dict[str, Any] | None = None
    _own_verify = False
    _own_options = 0
    # Whether another context may change what is asked of the peer: libssl itself would leave it as it was.
    _asks_anew = True

    def __init__(self, context: Context, socket: Any = None) -> None:
        if type(context) is not Context:
            as_instance(context, Context, "context")
        super().__init__(context, socket)
        if socket is not None:
            kind: Any = type(self)
            if not issubclass(kind, _SocketAttributes):
                self.__class__ = _with_attributes(kind)

    def accept(self) -> tuple[Connection, Any]:
        """Accept on the listening socket: ``(connection, address)``; the handshake is the caller's.

        The connection is of this one's class; where that class is made of something else than a context
        and a socket, it is of the first of its bases that is not.  If it cannot be made, the peer is
        hung up on.
        """
        kind: Any = type(self)
        client, address = self._own_socket().accept()
        try:
            connection: Connection = _class_of_accepted(kind)(self.get_context(), client)
            connection.set_accept_state()
        except BaseException:
            client.close()
            raise
        return connection, address

    # -- before the handshake ------------------------------------------------------------

    def get_context(self) -> Context:
        """As :meth:`IConnection.get_context` says."""
        context: Context = self._context
        return context

    def set_context(self, context: Context) -> None:
        """As :meth:`IConnection.set_context` says.

        The certificate, the callbacks, the options, the trust store and what is asked of the peer are the
        new context's then, but for what was set for this connection alone.
        """
        as_instance(context, Context, "context")
        with self._lock, context._lock:
            _errors.clear()
            if lib.SSL_set_SSL_CTX(self._ssl_borrowed, context._context) == ffi.NULL:
                raise _errors.take(Error, "context")
            self._context = context
            context._used = True
            before = self._callables
            stay = {"session"}  # libssl caches sessions in the context that it began with
            if self._asks_anew:
                bits = context.get_options() | self._own_options
                lib.SSL_clear_options(self._ssl_borrowed, ALL_BITS & ~bits)
                lib.SSL_set_options(self._ssl_borrowed, bits)
            elif "info" in before:
                stay.add("info")
            if self._own_verify or not self._asks_anew:
                stay.add("verify")
                if not self._asks_anew:
                    self._trust_as(context)
            else:
                self._verify_as(context)
                lib.SSL_set_verify_depth(self._ssl_borrowed, context.get_verify_depth())
            callables = {name: call for name, call in context._callables.items() if name not in stay}
            callables.update({name: before[name] for name in stay if name in before})
            self._adopt({**callables, **(self._own_callables or {})})

    def set_verify(self, mode: int, callback: Callable[..., Any] | None = None) -> None:
        """As :meth:`IConnection.set_verify` says."""
        value = as_int(mode, "mode", 0, 15)
        function("callback", callback)
        with self._lock:
            self._own_verify = True
            self._set_hook("verify", callback)
            lib.oi_set_verify(self._conn, value)

    def _set_hook(self, name: str, callback: Any) -> None:
        callables = self._callables.copy()
        callables.pop(name, None)
        own = self._own_callables = self._own_callables or {}
        own.pop(name, None)
        if callback is not None:
            own[name] = callables[name] = callback
        self._adopt(callables)

    def set_verify_depth(self, depth: int) -> None:
        """As :meth:`IContext.set_verify_depth`, for this connection alone."""
        with self._lock:
            lib.SSL_set_verify_depth(self._ssl_borrowed, as_int(depth, "depth", 0, INT_MAX))

    def set_options(self, options: int) -> int:
        """Add ``OP_`` bits for this connection; returns all that are set (int)."""
        bits = as_int(options, "options", 0, ALL_BITS)
        with self._lock:
            self._own_options |= bits
            return int(lib.SSL_set_options(self._ssl_borrowed, bits))

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
        try:
            text = as_name(name, "name").decode()
        except UnicodeDecodeError:
            raise ValueError(f"name: {name!r} is not text") from None
        address = is_address(text)
        value = text if address else reference_name(text)
        with self._lock:
            if self.handshake_done:
                raise Error("name: the handshake is complete, the peer has been verified without it")
            if not lib.oi_set_host(self._conn, value.encode(), address):
                raise _errors.take(Error, f"name: {name!r}")
            if not lib.SSL_get_verify_mode(self._ssl_borrowed) & VerifyMode.PEER:
                # A name that is not looked at would be worse than none.
                self._own_verify = True
                lib.oi_demand_certificate(self._conn)

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
            if not lib.SSL_in_before(self._ssl_borrowed):
                raise Error("session: the handshake has begun")
            _errors.clear()
            if not lib.SSL_set_session(self._ssl_borrowed, session._session):
                raise _errors.take(Error, "session")

    def use_certificate(self, certificate: X509) -> None:
        """Present *certificate* (an IX509) on this connection."""
        as_instance(certificate, X509, "certificate")
        with self._lock:
            _errors.clear()
            leaf = Context._complete("certificate", certificate)
            if not lib.SSL_use_certificate(self._ssl_borrowed, leaf):
                raise _errors.take(Error, "certificate")

    def use_privatekey(self, key: PKey) -> None:
        """Use *key* (an IPKey) on this connection."""
        handle = loaded(as_instance(key, PKey, "key")._need_private, "key")
        with self._lock:
            _errors.clear()
            if not lib.SSL_use_PrivateKey(self._ssl_borrowed, handle):
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

    def set_app_data(self, data: Any) -> None:
        """As :meth:`IConnection.set_app_data` says."""
        self._app_data = data

    def get_app_data(self) -> Any:
        """As :meth:`IConnection.get_app_data` says."""
        return self._app_data

    def __repr__(self) -> str:
        return f"<Connection {self.get_protocol_version_name()} {self.state_string().decode()}>"


def event_connection(context: Context, transport: Any, server: bool) -> Connection:
    """As :meth:`IBackend.event_connection` says."""
    if type(context) is not Context:
        as_instance(context, Context, "context")
    fileno = -1 if transport is None else descriptor_of(transport)
    # Connection.__init__ looks at what else a socket may be, and leaves the side open.
    connection = Connection.__new__(Connection)
    Engine.__init__(connection, context, fileno, 1 if server else 0)
    connection._socket = transport
    if transport is not None:
        connection.fileno = transport.fileno
    return connection


class _SocketAttributes:
    """What a connection on a socket does not have is looked up on that.

    Apart from Connection, since a class with ``__getattr__`` finds every attribute slowly, and the
    connections of an event loop have no socket object.
    """

    __slots__ = ()
    _socket: Any

    def __getattr__(self, name: str) -> Any:
        # Private names too, such as the standard library's SocketIO asks for.
        socket = self.__dict__.get("_socket")
        if socket is None or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(socket, name)


@functools.cache
def _class_of_accepted(kind: Any) -> Any:
    """*kind*, or the first of its bases that is made of a context and a socket alone."""
    for one in kind.__mro__:
        try:
            inspect.signature(one).bind(None, None)
        except (TypeError, ValueError):  # or it has none that can be told
            continue
        return one
    raise AssertionError("Connection itself is made so")


@functools.cache
def _with_attributes(kind: Any) -> Any:
    """The class *kind*, but for that."""
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (_SocketAttributes, kind), names)
