"""Peers of other makes behind one interface.

::

    with peers.OpenSSL("3.5").server(certificate="server.pem", key="server.key", echo=True) as server:
        ...  # connect to server.port of 127.0.0.1

A :class:`Make` starts servers and clients, a :class:`Peer` is one of them, and
:class:`Settings` is what they may be told.  Every wait has a deadline, and an error
has what the peer itself said.
"""

from __future__ import annotations

from .base import ClientAuth, Make, Peer, PeerError, Settings, UnsupportedError
from .curl import Curl
from .gnutls import GnuTLS
from .openssl import OpenSSL, built_series
from .own import Own
from .stdlib import StandardLibrary

__all__ = [
    "ClientAuth",
    "Curl",
    "GnuTLS",
    "Make",
    "OpenSSL",
    "Own",
    "Peer",
    "PeerError",
    "Settings",
    "StandardLibrary",
    "UnsupportedError",
    "built_series",
    "makes",
]


def makes(*able: str, missing: bool = False) -> list[Make]:
    """All makes whose peers can do what is asked (words of :attr:`Make.can`).

    :param missing: whether to name those too that are not installed here.
    """
    every: list[Make] = [
        StandardLibrary(),
        Own(),
        OpenSSL(),
        *(OpenSSL(series) for series in built_series()),
        GnuTLS(),
        Curl(),
    ]
    return [make for make in every if set(able) <= make.can and (missing or not make.missing)]
