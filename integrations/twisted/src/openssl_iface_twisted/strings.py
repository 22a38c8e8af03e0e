"""The string forms of endpoints, with the prefix ``ossl``.

::

    ossl:8443:privateKey=key.pem:certKey=cert.pem
    ossl:port=8443:privateKey=key.pem:certKey=cert.pem:extraCertChain=chain.pem:interface=127.0.0.1:backlog=100:alpn=h2,http/1.1
    ossl:host=example.org:port=443
    ossl:example.org:443:cafile=ca.pem:hostname=www.example.org:timeout=10:alpn=http/1.1

A client verifies the chain and the name; a string cannot turn that off.  What is wrong in a string is
said of the part by its name: strings come from command lines and configuration files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

from openssl_iface import crypto
from openssl_iface.errors import Error
from openssl_iface.registry import get_backend
from openssl_iface.values import Method

from ._files import Problem, authorities_problem, identity_problem, words
from .contexts import ServerContextFactory, VerifyingClientContextFactory
from .endpoints import TLSClientEndpoint, TLSServerEndpoint

__all__ = ["ClientStringParser", "ServerStringParser"]


class _UnusableFileError(Error, ValueError):
    """A file that a string names cannot be used."""


def _text(value: str) -> str:
    if not value:
        raise ValueError("a value is wanted")
    return value


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(value: str) -> int:
        if not (value.isascii() and value.isdigit() and least <= int(value[:20]) <= most):
            raise ValueError(f"a number from {least} to {most} is wanted")
        return int(value)

    return number


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise ValueError("a number of seconds above 0 is wanted")
    return seconds


def _protocols(value: str) -> tuple[bytes, ...]:
    names = tuple(name for name in value.split(",") if name)
    # RFC 7301, section 3.1: the length of each is one octet.
    if not all(name.isascii() and len(name) < 256 for name in names):
        raise ValueError(
            "names of protocols with commas between are wanted, in ASCII, each of at most 255 bytes"
        )
    return tuple(name.encode() for name in names)


def _method(value: str) -> Method:
    method = Method.__members__.get(value.removesuffix("_METHOD"))
    if method is None:
        raise ValueError("the name of a method is wanted, such as TLS_METHOD")
    return method


_Parts = dict[str, Callable[[str], Any]]

# What each part of a string is made of it; those that come first need no name.
_SERVER_PARTS: _Parts = {
    "port": _number(0, 65535),
    "privateKey": _text,
    "certKey": _text,
    "extraCertChain": _text,
    "interface": str,
    "backlog": _number(0, 2**31 - 1),
    "alpn": _protocols,
    "clientCA": _text,
    "dhParameters": _text,
    "sslmethod": _method,
}
_CLIENT_PARTS: _Parts = {
    "host": _text,
    "port": _number(1, 65535),
    "hostname": _text,
    "cafile": _text,
    "caCertsDir": _text,
    "certificate": _text,
    "privateKey": _text,
    "alpn": _protocols,
    "timeout": _seconds,
    "bindAddress": _text,
}


def _values(
    side: str, parts: _Parts, unnamed: int, args: tuple[str, ...], named: dict[str, str]
) -> dict[str, Any]:
    """The parts of a description as values.

    :param unnamed: how many may be given without a name; the first has to be there.
    :raises TypeError: there is no such part, or it is there twice, or not at all.
    :raises ValueError: a part cannot have that value.
    """
    if len(args) > unnamed:
        raise TypeError(
            f"ossl: {args[unnamed]!r} is no part of a {side}'s description: NAME=VALUE is wanted "
            r"(a colon in a value is written \:)"
        )
    given = dict(zip(parts, args, strict=False))
    for name, value in named.items():
        if name not in parts:
            raise TypeError(f"ossl: a {side} has no part {name!r}; it has {', '.join(parts)}")
        if name in given:
            raise TypeError(f"ossl: {name} is there twice, as {given[name]!r} and as {value!r}")
        given[name] = value
    first = next(iter(parts))
    if first not in given:
        raise TypeError(f"ossl: a {side} needs the part {first}")
    values = {}
    for name, value in given.items():
        try:
            values[name] = parts[name](value)
        except ValueError as error:
            raise ValueError(f"ossl: {name}: {error}, not {value!r}") from None
    return values


def _server(
    reactor: Any,
    port: int,
    privateKey: str | None = None,
    certKey: str | None = None,
    sslmethod: Method | None = None,
    interface: str = "",
    backlog: int = 50,
    extraCertChain: str | None = None,
    dhParameters: str | None = None,
    alpn: tuple[bytes, ...] = (),
    clientCA: str | None = None,
) -> TLSServerEndpoint:
    if privateKey is None:
        privateKey = "server.pem"
        if not os.path.exists(privateKey):
            which = "certKey and privateKey are" if certKey is None else "privateKey is"
            raise ValueError(
                f"ossl: {which} wanted, PEM files with the server's certificate and its key (left out, "
                "server.pem is taken, which is not there)"
            )
    if certKey is None:
        certKey = privateKey
    try:
        factory = ServerContextFactory(certKey, privateKey, alpn=alpn, clientCA=clientCA)
    except Error as error:
        raise _refused(
            error, clientCA=clientCA, identity=(certKey, privateKey), names=("certKey", "privateKey")
        ) from error
    context = factory.getContext()
    if sslmethod is not None:
        bounds = get_backend().Context(sslmethod)
        context.set_min_proto_version(bounds.get_min_proto_version())
        context.set_max_proto_version(bounds.get_max_proto_version())
    if extraCertChain is not None:
        problem = authorities_problem(extraCertChain)
        if problem is not None:
            raise _unusable("extraCertChain", problem.text)
        for certificate in crypto.load_certificates(Path(extraCertChain).read_bytes()):
            context.add_extra_chain_cert(certificate)
    if dhParameters is not None:
        try:
            context.load_tmp_dh(dhParameters)
        except Error as error:
            text = f"{dhParameters} has no Diffie-Hellman parameters that can be used: {words(error)}"
            raise _unusable("dhParameters", text) from error
    return TLSServerEndpoint(reactor, port, factory, backlog, interface)


def _client(
    reactor: Any,
    host: str,
    port: int = 443,
    timeout: float = 30,
    bindAddress: str | None = None,
    caCertsDir: str | None = None,
    cafile: str | None = None,
    hostname: str | None = None,
    certificate: str | None = None,
    privateKey: str | None = None,
    alpn: tuple[bytes, ...] = (),
) -> TLSClientEndpoint:
    if privateKey is not None and certificate is None:
        raise ValueError("ossl: privateKey is of no use without certificate")
    try:
        factory = VerifyingClientContextFactory(
            host if hostname is None else hostname,
            cafile=cafile,
            capath=caCertsDir,
            alpn=alpn,
            certificate=certificate,
            key=privateKey,
        )
    except Error as error:
        identity = None if certificate is None else (certificate, privateKey or certificate)
        raise _refused(
            error,
            cafile=cafile,
            caCertsDir=caCertsDir,
            identity=identity,
            names=("certificate", "privateKey"),
        ) from error
    return TLSClientEndpoint(reactor, host, port, factory, timeout, bindAddress)


def _unusable(part: str, text: str) -> Exception:
    return _UnusableFileError.from_reasons([], f"ossl: {part}: {text}")


def _directory_problem(path: str) -> Problem | None:
    if not os.path.isdir(path):
        return Problem("certificate", f"there is no directory {path}")
    problems = map(authorities_problem, sorted(Path(path).glob("*.pem")))
    return next(filter(None, problems), None)


def _refused(
    error: Error,
    *,
    identity: tuple[str, str] | None,
    names: tuple[str, str],
    caCertsDir: str | None = None,
    **authorities: str | None,
) -> Exception:
    """What to say of a factory's *error*: the part of the string, and what is wrong with its file."""
    if identity is not None:
        problem = identity_problem(*identity)
        if problem is not None:
            return _unusable(names[problem.file == "key"], problem.text)
    for part, path in authorities.items():
        problem = None if path is None else authorities_problem(path)
        if problem is not None:
            return _unusable(part, problem.text)
    problem = None if caCertsDir is None else _directory_problem(caCertsDir)
    return error if problem is None else _unusable("caCertsDir", problem.text)


@implementer(IPlugin, IStreamServerEndpointStringParser)
class ServerStringParser:
    """``ossl:PORT:privateKey=...:certKey=...`` and what else :func:`_server` takes."""

    prefix = "ossl"

    # Positional, so that "reactor" is no part of a string.
    def parseStreamServer(  # type: ignore[override]
        self, reactor: Any, /, *args: str, **kwargs: str
    ) -> TLSServerEndpoint:
        """The endpoint of a description (``twisted.internet.endpoints.serverFromString``).

        :raises TypeError: a part is not known, not there, or there twice.
        :raises ValueError: a part's value is wrong; also an ``openssl_iface.errors.Error`` if it is a file.
        """
        return _server(reactor, **_values("server", _SERVER_PARTS, 1, args, kwargs))


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class ClientStringParser:
    """``ossl:host=...:port=...`` and what else :func:`_client` takes."""

    prefix = "ossl"

    def parseStreamClient(  # type: ignore[override]
        self, reactor: Any, /, *args: str, **kwargs: str
    ) -> TLSClientEndpoint:
        """The endpoint of a description (``twisted.internet.endpoints.clientFromString``).

        :raises TypeError: a part is not known, not there, or there twice.
        :raises ValueError: a part's value is wrong; also an ``openssl_iface.errors.Error`` if it is a file.
        """
        return _client(reactor, **_values("client", _CLIENT_PARTS, 2, args, kwargs))
