"""The connection in another object, as programs extend it."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from openssl_iface.dropin import SSL, tsafe


class Extended(tsafe.Connection):
    """What Paste's server makes of it."""

    def settimeout(self, *args: Any) -> None:
        self._lock.acquire()
        try:
            self._ssl_conn.settimeout(*args)
        finally:
            self._lock.release()


def test_a_subclass_reaches_the_connection_and_its_lock() -> None:
    with socket.socket() as listening:
        server = Extended(SSL.Context(SSL.TLS_METHOD), listening)
        server.settimeout(7)
        assert listening.gettimeout() == 7
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        with socket.create_connection(server.getsockname()):
            accepted, _address = server.accept()
        assert isinstance(accepted, SSL.Connection)
        accepted.close()


def test_what_neither_has_is_an_attribute_error() -> None:
    connection = tsafe.Connection(SSL.Context(SSL.TLS_METHOD), None)
    assert connection.total_renegotiations() == 0
    for one in (connection, tsafe.Connection.__new__(tsafe.Connection)):
        with pytest.raises(AttributeError):
            one.nothing  # noqa: B018
