"""An authority and a server's certificate that live as long as the command does.

The authority's key never leaves the memory of this process, and signs one
certificate.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, NamedTuple

from openssl_iface.crypto import X509, PKey, X509Extension
from openssl_iface.values import KeyType

__all__ = ["ORGANIZATION", "Throwaway", "make_throwaway"]

#: by which a file of ours is known
ORGANIZATION = "openssl_iface throwaway"

# What may stand in a subjectAltName as it is; others (with a comma, say) would be read as several.
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


class Throwaway(NamedTuple):
    """A certificate with its key, and the authority that signed it."""

    authority: Any
    certificate: Any
    key: Any


def make_throwaway(names: Iterable[str], *, days: int = 30) -> Throwaway:
    """Make a certificate for *names* (host names, IP addresses), good for *days* from now.

    Names that cannot stand in a certificate are left out.

    :raises ValueError: none is left.
    """
    alternatives = list(dict.fromkeys(filter(None, map(_alternative, names))))
    if not alternatives:
        raise ValueError("names: there is none that a certificate can be for")
    common = alternatives[0].partition(":")[2]
    above, key = _new_key(), _new_key()

    authority = _begin(above, "Throwaway CA", days)
    authority.set_issuer(authority.get_subject())
    authority.add_extensions(
        [
            X509Extension("basicConstraints", True, "CA:TRUE,pathlen:0"),
            X509Extension("keyUsage", True, "keyCertSign,cRLSign"),
            X509Extension("subjectKeyIdentifier", False, "hash", subject=authority),
        ]
    )
    authority.sign(above, "sha256")

    certificate = _begin(key, common[:64], days)
    certificate.set_issuer(authority.get_subject())
    certificate.add_extensions(
        [
            X509Extension("basicConstraints", True, "CA:FALSE"),
            X509Extension("keyUsage", True, "digitalSignature"),
            X509Extension("extendedKeyUsage", False, "serverAuth"),
            X509Extension("subjectAltName", False, ",".join(alternatives)),
            X509Extension("subjectKeyIdentifier", False, "hash", subject=certificate),
            X509Extension("authorityKeyIdentifier", False, "keyid:always", issuer=authority),
        ]
    )
    certificate.sign(above, "sha256")
    return Throwaway(authority, certificate, key)


def _new_key() -> Any:
    key = PKey()
    key.generate_key(KeyType.EC, 256)
    return key


def _begin(key: Any, name: str, days: int) -> Any:
    certificate = X509()
    certificate.set_version(2)
    # RFC 5280, section 4.1.2.2: positive, at most 20 octets.
    certificate.set_serial_number(secrets.randbits(126) | 1 << 126)
    subject = certificate.get_subject()
    subject.organizationName = ORGANIZATION
    subject.commonName = name
    # Clocks differ: an hour of grace.
    now = datetime.now(UTC).replace(microsecond=0)
    certificate.set_notBefore(now - timedelta(hours=1))
    certificate.set_notAfter(now + timedelta(days=days))
    certificate.set_pubkey(key)
    return certificate


def _alternative(name: str) -> str | None:
    try:
        return f"IP:{ip_address(name.partition('%')[0])}"
    except ValueError:
        return f"DNS:{name}" if _HOST.fullmatch(name) else None
