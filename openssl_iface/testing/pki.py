"""A throwaway PKI: good certificates, and bad ones of every kind that matters.

::

    pki = PKI("localhost")
    files = pki.good.write(tmp_path)         # certificate with chain, key, authority, as PEM files
    pki.expired.certificate, pki.expired.key  # the same as objects

:class:`PKI` has the usual cases ready, each made when it is first asked for;
:class:`Authority` issues what else is needed.  Keys are on the curve P-256 unless
another kind is asked for: they take no time to make.  Nothing here is fit for
anything but tests.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from .. import crypto
from ..typing import CRL, X509, PKey, Revoked, X509Extension

__all__ = ["CASES", "PKI", "Authority", "Files", "Identity", "KeyKind", "new_key", "raw_dns_names"]

KeyKind = Literal["EC", "RSA", "ED25519"]

_DAY = timedelta(days=1)
# The most certificates between a root and a leaf that OpenSSL looks at, if nobody chooses
# (X509_VERIFY_PARAM_set_depth(3)).
_DEFAULT_DEPTH = 100


def new_key(kind: KeyKind = "EC") -> PKey:
    """A new private key: ``"EC"`` (P-256), ``"RSA"`` (2048 bits) or ``"ED25519"``."""
    key = crypto.PKey()
    if kind == "EC":
        key.generate_key(crypto.TYPE_EC, curve="prime256v1")
    elif kind == "RSA":
        key.generate_key(crypto.TYPE_RSA, 2048)
    elif kind == "ED25519":
        key.generate_key(crypto.TYPE_ED25519)
    else:
        raise ValueError(f"kind: 'EC', 'RSA' or 'ED25519' is needed, not {kind!r}")
    return key


@functools.cache
def _rsa_key() -> PKey:
    """One for all leaves: no two of them need different RSA keys, and the making takes long."""
    return new_key("RSA")


def raw_dns_names(*names: bytes) -> str:
    """A subjectAltName in OpenSSL's config syntax whose dNSNames are just these bytes, sound or not.

    For :meth:`Authority.issue`, as *alt_names* (RFC 5280, section 4.2.1.6: dNSName is ``[2] IA5String``).
    """
    content = b"".join(b"\x82" + _der_length(len(name)) + name for name in names)
    return "DER:" + (b"\x30" + _der_length(len(content)) + content).hex()


def _der_length(size: int) -> bytes:
    if size < 128:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([128 | len(octets)]) + octets


@dataclass(frozen=True, slots=True)
class Files:
    """Where :meth:`Identity.write` has written."""

    #: the certificate and the chain above it, without the root (PEM)
    certificate: Path
    #: the private key (PEM, PKCS#8, not encrypted, readable by its owner alone)
    key: Path
    #: the root to trust (PEM)
    ca: Path


@dataclass(frozen=True)
class Identity:
    """A certificate, its key and what stands above it."""

    #: the certificate (an IX509)
    certificate: X509
    #: its private key (an IPKey)
    key: PKey
    #: the certificates above it, the nearest first, without the root
    chain: tuple[X509, ...] = ()
    #: the root that it leads to
    root: X509 | None = None
    #: what a verifier that trusts the PKI's root says of it: any of these numbers
    #: (``X509_V_ERR_...``, *X509_STORE_CTX_get_error(3)*); empty: it is good
    verdicts: frozenset[int] = field(default=frozenset())

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return _pem(self.certificate)

    @property
    def chain_pem(self) -> bytes:
        """The certificate and the chain above it."""
        return b"".join(map(_pem, (self.certificate, *self.chain)))

    @property
    def key_pem(self) -> bytes:
        """The key, not encrypted."""
        return crypto.dump_privatekey(crypto.FILETYPE_PEM, self.key)

    @property
    def root_pem(self) -> bytes:
        """The root that it leads to (itself, if it is self-signed)."""
        return _pem(self.root if self.root is not None else self.certificate)

    def write(self, directory: Path | str, name: str = "identity") -> Files:
        """Write ``NAME.pem``, ``NAME.key`` and ``NAME-ca.pem`` into *directory*."""
        base = Path(directory)
        files = Files(base / f"{name}.pem", base / f"{name}.key", base / f"{name}-ca.pem")
        files.certificate.write_bytes(self.chain_pem)
        files.ca.write_bytes(self.root_pem)
        descriptor = os.open(files.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(self.key_pem)
        return files


def _pem(certificate: X509) -> bytes:
    return crypto.dump_certificate(crypto.FILETYPE_PEM, certificate)


class Authority:
    """A certificate authority.

    :param name: its common name.
    :param parent: who signs its certificate; a root, signed by itself, if left out.
    :param path_length: how many authorities may stand below it (RFC 5280, section 4.2.1.9).
    :param padding: bytes to make the certificate bigger by.

    :ivar certificate: its certificate (an IX509).
    :ivar key: its private key (an IPKey).
    """

    def __init__(
        self,
        name: str = "Throwaway Root",
        *,
        kind: KeyKind = "EC",
        parent: Authority | None = None,
        path_length: int | None = None,
        padding: int = 0,
    ) -> None:
        self.name = name
        self.parent = parent
        self.key = new_key(kind)
        self._revoked: list[Revoked] = []
        constraints = "CA:TRUE" if path_length is None else f"CA:TRUE,pathlen:{path_length}"
        self.certificate = _certificate(
            name,
            self.key,
            parent,
            [("basicConstraints", True, constraints), ("keyUsage", True, "keyCertSign,cRLSign")],
            padding=padding,
        )

    @property
    def root(self) -> Authority:
        """The authority at the top."""
        return self if self.parent is None else self.parent.root

    @property
    def chain(self) -> tuple[X509, ...]:
        """Its certificate and those above, without the root's."""
        return () if self.parent is None else (self.certificate, *self.parent.chain)

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return _pem(self.certificate)

    def intermediate(
        self, name: str = "Throwaway Intermediate", *, path_length: int | None = None, padding: int = 0
    ) -> Authority:
        """A new authority below this one."""
        return Authority(name, parent=self, path_length=path_length, padding=padding)

    def issue(
        self,
        *names: str,
        kind: KeyKind = "EC",
        key: PKey | None = None,
        common_name: str | None = None,
        usage: Literal["server", "client"] = "server",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        alt_names: str | None = None,
        extensions: Iterable[X509Extension] = (),
        verdicts: Iterable[int] = (),
    ) -> Identity:
        """A certificate for *names*: host names, with wildcards or not, and IP addresses, as text.

        :param kind: the kind of its key, if no *key* is given.
        :param common_name: the subject; the first of *names* if left out.
        :param not_before: the beginning of its validity; yesterday if left out.
        :param not_after: the end of its validity; in a month if left out.
        :param alt_names: the subjectAltName in OpenSSL's config syntax, instead of what *names* make.
        :param extensions: further extensions (IX509Extension).
        :param verdicts: see :class:`Identity`.
        :raises TypeError, ValueError: one of *names* is no name.
        """
        if key is None:
            key = _rsa_key() if kind == "RSA" else new_key(kind)
        if alt_names is None and names:
            alt_names = ",".join(map(_alt_name, names))
        values = [
            ("basicConstraints", True, "CA:FALSE"),
            ("keyUsage", True, "digitalSignature"),
            ("extendedKeyUsage", False, f"{usage}Auth"),
        ]
        if alt_names is not None:
            values.append(("subjectAltName", False, alt_names))
        certificate = _certificate(
            common_name if common_name is not None else names[0] if names else "nobody",
            key,
            self,
            values,
            not_before=not_before,
            not_after=not_after,
            extensions=extensions,
        )
        return Identity(certificate, key, self.chain, self.root.certificate, frozenset(verdicts))

    def revoke(self, certificate: X509 | Identity, reason: str | None = None) -> None:
        """Put a certificate of this authority on its list.

        :param reason: such as ``"Key Compromise"`` (RFC 5280, section 5.3.1).
        """
        if isinstance(certificate, Identity):
            certificate = certificate.certificate
        entry = crypto.Revoked()
        entry.set_serial(f"{certificate.get_serial_number():x}")
        entry.set_rev_date(datetime.now(UTC) - _DAY)
        entry.set_reason(reason)
        self._revoked.append(entry)

    def crl(self, *, last_update: datetime | None = None, next_update: datetime | None = None) -> CRL:
        """The list of what has been revoked by now (an ICRL), valid from yesterday for a month."""
        now = datetime.now(UTC)
        crl: CRL = crypto.CRL()
        crl.set_lastUpdate(last_update or now - _DAY)
        crl.set_nextUpdate(next_update or now + 30 * _DAY)
        for entry in self._revoked:
            crl.add_revoked(entry)
        crl.sign(self.certificate, self.key)
        return crl

    def crl_pem(self, *, last_update: datetime | None = None, next_update: datetime | None = None) -> bytes:
        """The same as PEM."""
        crl = self.crl(last_update=last_update, next_update=next_update)
        return crypto.dump_crl(crypto.FILETYPE_PEM, crl)


# What follows goes into OpenSSL's config syntax, where a comma would begin another name.
_HOST_NAME = re.compile(r"[\w*-]+(\.[\w*-]+)*", re.ASCII)


def _alt_name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"names: text is needed, not {type(name).__name__}")
    if _HOST_NAME.fullmatch(name) and not name.replace(".", "").isdigit():
        return f"DNS:{name}"
    try:
        if "%" in name:  # an IPv6Address has a scope, a certificate's has none
            raise ValueError
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        raise ValueError(f"names: {name!r} is no host name (A-labels, ASCII) and no IP address") from None


def _certificate(
    name: str,
    key: PKey,
    issuer: Authority | None,
    values: Sequence[tuple[str, bool, str]],
    *,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    extensions: Iterable[X509Extension] = (),
    padding: int = 0,
) -> X509:
    """A signed certificate; by its own key if there is no *issuer*."""
    now = datetime.now(UTC)
    certificate: X509 = crypto.X509()
    certificate.set_version(2)
    certificate.set_serial_number(secrets.randbits(64) | 1)
    certificate.get_subject().CN = name
    above = issuer.certificate if issuer is not None else certificate
    certificate.set_issuer(above.get_subject())
    certificate.set_notBefore(not_before or now - _DAY)
    certificate.set_notAfter(not_after or now + 30 * _DAY)
    certificate.set_pubkey(key)
    certificate.add_extensions(crypto.X509Extension(*value) for value in values)
    certificate.add_extensions(
        [crypto.X509Extension("subjectKeyIdentifier", False, "hash", subject=certificate)]
    )
    certificate.add_extensions(
        [crypto.X509Extension("authorityKeyIdentifier", False, "keyid:always", issuer=above)]
    )
    if padding:
        certificate.add_extensions([crypto.X509Extension("nsComment", False, "x" * padding)])
    certificate.add_extensions(extensions)
    certificate.sign(issuer.key if issuer is not None else key)
    return certificate


# The numbers of OpenSSL's verdicts (x509_vfy.h).
_LOCAL_ISSUER, _SELF_SIGNED, _SELF_SIGNED_ROOT, _NO_ISSUER = 20, 18, 19, 21
_NOT_YET, _EXPIRED, _REVOKED, _TOO_LONG, _PATH_LENGTH = 9, 10, 23, 22, 25
_PURPOSE = 26
_NAME = frozenset({62, 64})  # a host's, or an address


class PKI:
    """A root, an intermediate authority, and a certificate for every usual case.

    :param host: the name that the good ones are for.

    Every attribute is made when it is first asked for, and kept; see :data:`CASES` for their names.
    """

    def __init__(self, host: str = "localhost") -> None:
        self.host = host

    @functools.cached_property
    def root(self) -> Authority:
        """The root that all but :attr:`untrusted` and :attr:`self_signed` lead to."""
        return Authority()

    @functools.cached_property
    def ca(self) -> Authority:
        """The intermediate authority that signs the certificates."""
        return self.root.intermediate()

    def write_root(self, directory: Path | str, name: str = "root.pem") -> Path:
        """Write the root's certificate into *directory*; returns the path."""
        path = Path(directory) / name
        path.write_bytes(self.root.pem)
        return path

    # -- good ------------------------------------------------------------------

    @functools.cached_property
    def good(self) -> Identity:
        """For the host, with a key on P-256."""
        return self.ca.issue(self.host)

    @functools.cached_property
    def rsa(self) -> Identity:
        """For the host, with an RSA key of 2048 bits."""
        return self.ca.issue(self.host, kind="RSA")

    @functools.cached_property
    def ed25519(self) -> Identity:
        """For the host, with an Ed25519 key."""
        return self.ca.issue(self.host, kind="ED25519")

    @functools.cached_property
    def wildcard(self) -> Identity:
        """For ``*.HOST.test``: OpenSSL wants two labels behind the star."""
        return self.ca.issue(f"*.{self.host}.test")

    @functools.cached_property
    def ip(self) -> Identity:
        """For the addresses 127.0.0.1 and ::1, and for no name."""
        return self.ca.issue("127.0.0.1", "::1")

    @functools.cached_property
    def client(self) -> Identity:
        """A client's."""
        return self.ca.issue("client.test", usage="client")

    @functools.cached_property
    def huge_chain(self) -> Identity:
        """Good, but the chain has some 80 KiB: more than 64 KiB, less than the 100 KiB that OpenSSL takes."""
        authority = self.root
        for index in range(4):
            authority = authority.intermediate(f"Throwaway Big Intermediate {index}", padding=20_000)
        return authority.issue(self.host)

    # -- bad -------------------------------------------------------------------

    @functools.cached_property
    def expired(self) -> Identity:
        """Its validity ended yesterday."""
        now = datetime.now(UTC)
        return self.ca.issue(self.host, not_before=now - 30 * _DAY, not_after=now - _DAY, verdicts={_EXPIRED})

    @functools.cached_property
    def not_yet_valid(self) -> Identity:
        """Its validity begins tomorrow."""
        return self.ca.issue(self.host, not_before=datetime.now(UTC) + _DAY, verdicts={_NOT_YET})

    @functools.cached_property
    def wrong_name(self) -> Identity:
        """For another host."""
        return self.ca.issue("elsewhere.test", verdicts=_NAME)

    @functools.cached_property
    def no_san(self) -> Identity:
        """The host stands in the common name alone; there is no subjectAltName.

        ``openssl verify`` takes it, who follows RFC 6125 does not.
        """
        return self.ca.issue(common_name=self.host, verdicts=_NAME)

    @functools.cached_property
    def nul_san(self) -> Identity:
        """Its dNSName is the host, a NUL, and the name of another host."""
        name = self.host.encode() + b"\0.elsewhere.test"
        return self.ca.issue(common_name="elsewhere.test", alt_names=raw_dns_names(name), verdicts=_NAME)

    @functools.cached_property
    def non_ascii_san(self) -> Identity:
        """Its dNSName is the host and bytes that an IA5String cannot have."""
        name = self.host.encode() + b"\xff\xfe"
        return self.ca.issue(common_name=self.host, alt_names=raw_dns_names(name), verdicts=_NAME)

    @functools.cached_property
    def broken_san(self) -> Identity:
        """Its subjectAltName is no valid DER: a name that is longer than what contains it."""
        return self.ca.issue(
            common_name=self.host, alt_names="DER:30058240616263", verdicts={_LOCAL_ISSUER, *_NAME}
        )

    @functools.cached_property
    def untrusted(self) -> Identity:
        """For the host, but from another root of the same name."""
        return (
            Authority()
            .intermediate()
            .issue(self.host, verdicts={_LOCAL_ISSUER, _SELF_SIGNED_ROOT, _NO_ISSUER})
        )

    @functools.cached_property
    def self_signed(self) -> Identity:
        """For the host, signed by itself."""
        key = new_key()
        certificate = _certificate(self.host, key, None, [("subjectAltName", False, _alt_name(self.host))])
        return Identity(certificate, key, verdicts=frozenset({_SELF_SIGNED}))

    @functools.cached_property
    def revoked(self) -> Identity:
        """For the host, and on :attr:`crl`: refused by who looks there."""
        identity = self.ca.issue(self.host, verdicts={_REVOKED})
        self.ca.revoke(identity, "Key Compromise")
        return identity

    @functools.cached_property
    def crl(self) -> CRL:
        """The list of the intermediate authority (an ICRL) with :attr:`revoked` on it."""
        self.revoked  # noqa: B018  which puts it on the list
        return self.ca.crl()

    @functools.cached_property
    def crl_pem(self) -> bytes:
        """The same as PEM."""
        return crypto.dump_crl(crypto.FILETYPE_PEM, self.crl)

    @functools.cached_property
    def long_chain(self) -> Identity:
        """More authorities stand above it than OpenSSL looks at if nobody chooses (100)."""
        return self.chain_of(_DEFAULT_DEPTH + 2, verdicts={_TOO_LONG, _LOCAL_ISSUER})

    @functools.cached_property
    def path_length(self) -> Identity:
        """It stands two authorities below one that allows none below itself."""
        below = self.root.intermediate("Throwaway Last", path_length=0).intermediate("Throwaway Too Low")
        return below.issue(self.host, verdicts={_PATH_LENGTH})

    @functools.cached_property
    def wrong_usage(self) -> Identity:
        """For the host, but a client's."""
        return self.ca.issue(self.host, usage="client", verdicts={_PURPOSE})

    def chain_of(self, count: int, *, verdicts: Iterable[int] = ()) -> Identity:
        """For the host, with *count* authorities between the root and it."""
        authority = self.root
        for index in range(count):
            authority = authority.intermediate(f"Throwaway {index}")
        return authority.issue(self.host, verdicts=verdicts)


#: The names of the cases of :class:`PKI`: servers' certificates, good ones first.
CASES: tuple[str, ...] = (
    "good",
    "rsa",
    "ed25519",
    "huge_chain",
    "wildcard",
    "ip",
    "expired",
    "not_yet_valid",
    "wrong_name",
    "no_san",
    "nul_san",
    "non_ascii_san",
    "broken_san",
    "untrusted",
    "self_signed",
    "revoked",
    "long_chain",
    "path_length",
    "wrong_usage",
)
