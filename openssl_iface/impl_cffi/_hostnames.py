"""Names of hosts, as a caller gives them."""

from __future__ import annotations

import ipaddress
import re

# Letters, digits, hyphens, and underscores, which are in use.  A star or a dot in
# front would mean more names than one to OpenSSL.
LABELS = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*")


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


def reference_name(name: str) -> str:
    """The name that a peer's certificate must be for, in A-labels and without a dot at its end."""
    wanted = host_name(name).removesuffix(".")
    if len(wanted) > 253 or not LABELS.fullmatch(wanted):
        raise ValueError(f"name: {name!r} is neither the name of a host nor an IP address")
    return wanted
