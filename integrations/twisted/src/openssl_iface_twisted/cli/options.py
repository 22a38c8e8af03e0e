"""The types of arguments that click does not have."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import click

__all__ = ["ADDRESS", "ALPN", "HOST_AND_PORT", "SIZE", "Target", "bound"]

# Generic in later versions of click only.
_Type: Any = click.ParamType

_UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d{1,18})\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_TARGET = re.compile(r"(?:\[(?P<literal>[^\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>\d{1,5}))?")


class Target(NamedTuple):
    """Where to connect."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Size(_Type):
    """Bytes: ``64`` and ``64M`` are 64 MiB, ``512K``, ``2G``."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(value.strip())
        size = int(match[1]) * _UNITS[match[2].upper()] if match else 0
        if not size:
            self.fail(f"{value!r} is not a size, such as 64 (MiB), 512K or 2G.", param, ctx)
        return size


class HostAndPort(_Type):
    """``HOST``, ``HOST:PORT`` or ``[IPv6]:PORT``; the port is 443 if left out."""

    name = "host:port"

    def convert(self, value: Any, param: Any, ctx: Any) -> Target:
        if isinstance(value, Target):
            return value
        match = _TARGET.fullmatch(value)
        if match is None:
            return self.fail(f"{value!r} is not HOST:PORT; an IPv6 address is written [::1]:443.", param, ctx)
        host = match["literal"] if match["host"] is None else match["host"]
        port = int(match["port"] or 443)
        if not host or not 0 < port < 65536:
            what = "no host" if not host else "no port from 1 to 65535"
            self.fail(f"{value!r} has {what}.", param, ctx)
        if match["literal"] is not None:
            ADDRESS.convert(host, param, ctx)
        return Target(host, port)


class Address(_Type):
    """An IPv4 or IPv6 address."""

    name = "address"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        import ipaddress

        try:
            ipaddress.ip_address(value)
        except ValueError:
            self.fail(f"{value!r} is not an IP address.", param, ctx)
        return str(value)


class Alpn(_Type):
    """Protocols with commas between them."""

    name = "alpn"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[bytes, ...]:
        if isinstance(value, tuple):
            return value
        protocols = tuple(part.strip().encode() for part in value.split(","))
        if not all(0 < len(protocol) < 256 for protocol in protocols):
            self.fail(f"{value!r} is not a list of protocols, such as h2,http/1.1.", param, ctx)
        return protocols


SIZE = Size()
HOST_AND_PORT = HostAndPort()
ADDRESS = Address()
ALPN = Alpn()


def bound(context: Any, tls: str | None) -> None:
    """Let *context* (an ``IContext``) speak *tls* (``"1.2"``, ``"1.3"``) and nothing else, if it is given."""
    from openssl_iface.values import ProtocolVersion

    if tls is not None:
        version = ProtocolVersion.TLS1_2 if tls == "1.2" else ProtocolVersion.TLS1_3
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
