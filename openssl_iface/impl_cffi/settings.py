"""An ``SSL_CTX`` that can be made again.

libssl copies most of a context into a connection when that is made, and goes back
to the context for the rest, all through the handshake and without a lock: the
ciphers, the names of authorities, the extra certificates of the chain, the trust
store.  To change one of those in a context that has connections would change them
too, and free what another thread reads at this moment.

So every setting is kept as the step that makes it.  A change of the dangerous kind
to a context that has been used is made to a new ``SSL_CTX``, after all the steps
before; connections keep the old one alive as long as they need it.  If the step
fails, nothing has happened.  What is lost on the way is libssl's own cache of
sessions; the keys of tickets are carried over.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..errors import Error
from ..values import Method, ProtocolVersion
from . import _errors
from ._callbacks import SWITCHES, hooked
from ._handles import Bound, Guard, own
from ._native import ffi, lib

Step = Callable[[Any], None]

METHODS: dict[int, tuple[Callable[[], Any], int]] = {
    # method: (libssl's, the only protocol version or 0)
    Method.SSLv3: (lib.TLS_method, ProtocolVersion.SSL3),
    Method.SSLv23: (lib.TLS_method, 0),
    Method.TLSv1: (lib.TLS_method, ProtocolVersion.TLS1),
    Method.TLSv1_1: (lib.TLS_method, ProtocolVersion.TLS1_1),
    Method.TLSv1_2: (lib.TLS_method, ProtocolVersion.TLS1_2),
    Method.TLS: (lib.TLS_method, 0),
    Method.TLS_SERVER: (lib.TLS_server_method, 0),
    Method.TLS_CLIENT: (lib.TLS_client_method, 0),
    Method.DTLS: (lib.DTLS_method, 0),
    Method.DTLS_SERVER: (lib.DTLS_server_method, 0),
    Method.DTLS_CLIENT: (lib.DTLS_client_method, 0),
}


def checked(result: int, message: str) -> None:
    """An ``SSL.Error`` unless *result* is positive."""
    if result <= 0:
        raise _errors.take(Error, message)


@functools.cache
def speaks(version: int) -> bool:
    """Whether this OpenSSL has a protocol: whether a client of it can begin.

    libssl takes a bound also for a protocol that was left out of it.
    """
    if not lib.oi_setup():
        raise MemoryError("openssl_iface: OpenSSL could not be set up")
    context = own(lib.SSL_CTX_new(lib.TLS_method()), lib.SSL_CTX_free, "context")
    work = own(lib.oi_work_new(), lib.oi_work_free, "context")
    said = False
    if (
        lib.SSL_CTX_set_min_proto_version(context, version)
        and lib.SSL_CTX_set_max_proto_version(context, version)
        and lib.SSL_CTX_set_cipher_list(context, b"ALL:@SECLEVEL=0")
    ):
        connection = own(lib.oi_conn_new(context, -1), lib.oi_conn_free, "context")
        lib.SSL_set_connect_state(connection.ssl)
        lib.oi_event_proceed(connection, work)
        said = not connection.dead
    _errors.clear()
    return said


class Settings(Bound):
    """The ``SSL_CTX`` and the steps that lead to it.

    :param method: a :class:`~openssl_iface.values.Method`.
    :raises Error: this OpenSSL does not have the protocol.
    """

    _context: Any

    def __init__(self, method: int) -> None:
        if "_context" in self.__dict__:
            raise TypeError("a context is made once: __init__ has been called before")
        if not isinstance(method, int):
            raise TypeError(f"method: an int expected, not {type(method).__name__}")
        if method == Method.SSLv2:
            raise Error.from_reasons([], "method: SSLv2 is gone from every OpenSSL since 1.1.0")
        if method not in METHODS:
            raise ValueError(f"method: {method} is not one of the method constants")
        self.method = int(method)
        self._lock = Guard()
        self._callables: dict[str, Any] = {}
        self._steps: dict[Any, Step] = {}
        # Whether there has been a connection of the present SSL_CTX.
        self._used = False
        self._context = self._made()

    def _made(self) -> Any:
        """A new ``SSL_CTX`` with every setting."""
        make, version = METHODS[self.method]
        _errors.clear()
        pointer = lib.SSL_CTX_new(make())
        if pointer == ffi.NULL:
            raise _errors.take(Error, "method")
        context = own(pointer, lib.SSL_CTX_free)
        if version and not (
            speaks(version)
            and lib.SSL_CTX_set_min_proto_version(context, version)
            and lib.SSL_CTX_set_max_proto_version(context, version)
        ):
            raise _errors.take(Error, f"method: {Method(self.method).name} is not in this OpenSSL")
        for step in self._steps.values():
            step(context)
        return context

    def _set(self, key: Any, step: Step, *, anew: bool = False) -> None:
        """Take a step, and keep it.

        :param key: a later step with the same key makes this one superfluous.
        :param step: raises an error and has changed nothing, or has done it all; it may be taken
            again for a new ``SSL_CTX``, also when some of the steps between have been dropped.
        :param anew: connections look at this in their context.
        """
        with self._lock:
            _errors.clear()
            if anew and self._used:
                context = self._made()
                step(context)
                size = lib.SSL_CTX_get_tlsext_ticket_keys(self._context, ffi.NULL, 0)
                keys = ffi.new("unsigned char[]", max(size, 1))
                if lib.SSL_CTX_get_tlsext_ticket_keys(self._context, keys, size) == 1:
                    lib.SSL_CTX_set_tlsext_ticket_keys(context, keys, size)
                    lib.OPENSSL_cleanse(keys, size)
                self._context, self._used = context, False
            else:
                step(self._context)
            self._steps.pop(key, None)
            self._steps[key] = step
            _errors.clear()

    def _tried(self, attempt: Callable[[Any], None]) -> None:
        """Try something that libssl does not undo on a connection for nothing but that."""
        _errors.clear()
        ssl = own(lib.SSL_new(self._context), lib.SSL_free, "context")
        attempt(ssl)

    def _switch(self, name: str, callback: Any) -> None:
        """Have a callback, or none; connections have copied those that they have."""
        with self._lock:
            if callback is None:
                self._callables.pop(name, None)
                return
            self._set(("on", name), lambda context: lib.oi_context_on(context, SWITCHES[name]))
            self._callables[name] = callback

    def _hooked(self) -> int:
        return hooked(self._callables)


def names(ask: Callable[[Any, int], Any], pointer: Any) -> list[str]:
    """The names that *ask* gives for 0, 1, 2 ... until NULL."""
    found: list[str] = []
    while (name := ask(pointer, len(found))) != ffi.NULL:
        found.append(ffi.string(name).decode())
    return found
