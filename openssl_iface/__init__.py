"""OpenSSL for Python event loops: contracts, a cffi backend, any reactor outside.

The paved path is four names: :func:`get_backend` gives the OpenSSL at hand,
:func:`client_context` and :func:`server_context` make contexts that are safe as
they are, and :class:`Connection` is a connection on a socket, or on none::

    context = openssl_iface.client_context()
    connection = openssl_iface.Connection(context, socket)
    connection.set_connect_state()
    connection.set_tlsext_host_name("example.org")
    connection.set_verify_host("example.org")
    connection.do_handshake()

The *Python OpenSSL Manual* is in :mod:`openssl_iface.SSL`,
:mod:`openssl_iface.crypto` and :mod:`openssl_iface.rand`.
"""

from __future__ import annotations

from typing import Any

from .errors import Error, OpenSSLError
from .registry import backend_names, get_backend

__version__ = "0.1.0"

__all__ = [
    "Connection",
    "Error",
    "OpenSSLError",
    "backend_names",
    "client_context",
    "get_backend",
    "install_as_OpenSSL",
    "server_context",
]

_OF_THE_BACKEND = frozenset({"Connection", "client_context", "server_context"})


def install_as_OpenSSL() -> None:  # noqa: N802
    """Be ``OpenSSL`` to whoever imports it from now on in this process; see :mod:`openssl_iface.dropin`.

    It comes before the first import of ``OpenSSL``, and so before Twisted's.  An installed pyOpenSSL is left
    alone.  Calling it again does nothing.

    :raises RuntimeError: another ``OpenSSL`` has been imported already.
    """
    from .dropin._install import install

    install()


def __getattr__(name: str) -> Any:
    # Looked up late, so that importing the package chooses no backend yet.
    if name in _OF_THE_BACKEND:
        return getattr(get_backend(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
