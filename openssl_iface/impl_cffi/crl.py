"""Revocation lists (RFC 5280, section 5); see ``ICRL`` and ``IRevoked``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError
from ..interfaces import ICRL, IRevoked
from ..values import CRLReason, FileType
from ._asn1 import (
    FOREIGN_SERIAL_OCTETS,
    as_time,
    from_now,
    has_time,
    integer_to_int,
    serial_from_int,
    time_from_datetime,
    time_to_bytes,
)
from ._encoding import Codec, as_bytes, as_filetype, as_instance, as_int
from ._errors import check, clear, fail, take
from ._handles import Bound, Guard, own
from ._native import ffi, lib
from ._signed import Signed
from .extension import X509Extension, as_extensions, decoded
from .name import X509Name
from .pkey import PKey
from .x509 import X509

# The version field counts from 0; entries and lists with extensions need version 2.
VERSION_2 = 1

# The spelling of the ASN.1 module, and the one for people, of each reason.
_REASONS = {
    CRLReason.UNSPECIFIED: (b"unspecified", b"Unspecified"),
    CRLReason.KEY_COMPROMISE: (b"keyCompromise", b"Key Compromise"),
    CRLReason.CA_COMPROMISE: (b"CACompromise", b"CA Compromise"),
    CRLReason.AFFILIATION_CHANGED: (b"affiliationChanged", b"Affiliation Changed"),
    CRLReason.SUPERSEDED: (b"superseded", b"Superseded"),
    CRLReason.CESSATION_OF_OPERATION: (b"cessationOfOperation", b"Cessation Of Operation"),
    CRLReason.CERTIFICATE_HOLD: (b"certificateHold", b"Certificate Hold"),
    CRLReason.REMOVE_FROM_CRL: (b"removeFromCRL", b"Remove From CRL"),
    CRLReason.PRIVILEGE_WITHDRAWN: (b"privilegeWithdrawn", b"Privilege Withdrawn"),
    CRLReason.AA_COMPROMISE: (b"aACompromise", b"AA Compromise"),
}
_CODES = {spelling[0].lower(): code for code, spelling in _REASONS.items()}


@implementer(IRevoked)
class Revoked(Bound):
    """One entry of a revocation list; see ``IRevoked``."""

    _revoked: Any
    _lock: Any

    def __init__(self) -> None:
        self._setup(own(lib.X509_REVOKED_new(), lib.X509_REVOKED_free))

    def _setup(self, handle: Any) -> None:
        self._revoked = handle
        self._lock = Guard()

    @classmethod
    def _from_raw(cls, pointer: Any) -> Revoked:
        """Wrap an owned handle."""
        revoked = cls.__new__(cls)
        revoked._setup(pointer)
        return revoked

    def _copy(self, argument: str) -> Any:
        with self._lock:
            message = f"{argument}: this entry is not complete"
            if not has_time(lib.X509_REVOKED_get0_revocationDate(self._revoked)):
                raise take(CryptoError, f"{message}: no revocation date")
            clear()
            return own(lib.X509_REVOKED_dup(self._revoked), lib.X509_REVOKED_free, message)

    def get_serial(self) -> bytes:
        """The serial number in hex digits, two for each octet."""
        with self._lock:
            number = integer_to_int(lib.X509_REVOKED_get0_serialNumber(self._revoked))
        digits = f"{abs(number):X}"
        sign = "-" if number < 0 else ""
        return f"{sign}{'0' * (len(digits) % 2)}{digits}".encode()

    def set_serial(self, hex_str: bytes | str | int) -> None:
        if isinstance(hex_str, int):
            number = hex_str
        else:
            text = as_bytes(hex_str, "hex_str")
            if not re.fullmatch(rb"-?[0-9A-Fa-f]+", text):
                raise ValueError(f"hex_str: not a number in hex digits: {text!r}")
            number = int(text, 16)
        serial = serial_from_int(number, "hex_str", FOREIGN_SERIAL_OCTETS)
        with self._lock:
            clear()
            check(lib.X509_REVOKED_set_serialNumber(self._revoked, serial), "hex_str")

    def get_rev_date(self) -> bytes | None:
        with self._lock:
            return time_to_bytes(lib.X509_REVOKED_get0_revocationDate(self._revoked), "revocationDate")

    def set_rev_date(self, when: Any) -> None:
        time = time_from_datetime(as_time(when, "when"), "when")
        with self._lock:
            clear()
            check(lib.X509_REVOKED_set_revocationDate(self._revoked, time), "when")

    def get_reason(self) -> bytes | None:
        with self._lock:
            value = decoded(
                lambda why: ffi.cast(
                    "ASN1_ENUMERATED *",
                    lib.X509_REVOKED_get_ext_d2i(self._revoked, lib.NID_crl_reason, why, ffi.NULL),
                ),
                lib.ASN1_ENUMERATED_free,
                "reasonCode",
            )
        if value is None:
            return None
        code = lib.ASN1_ENUMERATED_get(value)
        clear()
        return _REASONS[CRLReason(code)][1] if code in _REASONS else str(code).encode()

    def set_reason(self, reason: bytes | str | None) -> None:
        code = None
        if reason is not None:
            spelling = as_bytes(reason, "reason").replace(b" ", b"").lower()
            code = _CODES.get(spelling)
            if code is None:
                raise ValueError(f"reason: not one of {b', '.join(self.all_reasons()).decode()}: {reason!r}")
        with self._lock:
            if code is None:
                while (at := lib.X509_REVOKED_get_ext_by_NID(self._revoked, lib.NID_crl_reason, -1)) >= 0:
                    lib.X509_EXTENSION_free(lib.X509_REVOKED_delete_ext(self._revoked, at))
                return
            value = own(lib.ASN1_ENUMERATED_new(), lib.ASN1_ENUMERATED_free)
            clear()
            check(lib.ASN1_ENUMERATED_set(value, code), "reason")
            check(
                lib.X509_REVOKED_add1_ext_i2d(
                    self._revoked, lib.NID_crl_reason, value, 0, lib.X509V3_ADD_REPLACE
                ),
                "reason",
            )

    def all_reasons(self) -> list[bytes]:
        return [spelling[0] for spelling in _REASONS.values()]

    def __repr__(self) -> str:
        return f"<Revoked {self.get_serial().decode()}>"


def _show(bio: Any, handle: Any) -> int:
    return lib.X509_CRL_print_ex(bio, handle, lib.XN_FLAG_ONELINE & ~lib.ASN1_STRFLGS_ESC_MSB)


@implementer(ICRL)
class CRL(Signed):
    """A revocation list, or one in the making; see ``ICRL``."""

    _codec = Codec(
        "revocation list", b"X509 CRL", lib.d2i_X509_CRL, lib.i2d_X509_CRL, lib.X509_CRL_free, _show
    )
    _new = lib.X509_CRL_new
    _dup = lib.X509_CRL_dup
    _refresh = lib.i2d_re_X509_CRL_tbs
    _sign = lib.X509_CRL_sign
    _verify = lib.X509_CRL_verify
    _signature = lib.X509_CRL_get0_signature
    _parts = (("lastUpdate", lambda raw: has_time(lib.X509_CRL_get0_lastUpdate(raw))),)
    _may_lack = False

    @property
    def _crl(self) -> Any:
        return self._raw

    def get_version(self) -> int:
        with self._reading() as raw:
            return lib.X509_CRL_get_version(raw)

    def set_version(self, version: int) -> None:
        number = as_int(version, "version")
        with self._writing() as raw:
            check(lib.X509_CRL_set_version(raw, number), "version")

    def get_issuer(self) -> X509Name:
        return self._get_name("issuer", lib.X509_CRL_get_issuer, lib.X509_CRL_set_issuer_name)

    def set_issuer(self, issuer: X509Name) -> None:
        self._set_name("issuer", lib.X509_CRL_set_issuer_name, issuer)

    def get_lastUpdate(self) -> bytes | None:  # noqa: N802
        with self._reading() as raw:
            return time_to_bytes(lib.X509_CRL_get0_lastUpdate(raw), "lastUpdate")

    def get_nextUpdate(self) -> bytes | None:  # noqa: N802
        with self._reading() as raw:
            return time_to_bytes(lib.X509_CRL_get0_nextUpdate(raw), "nextUpdate")

    def set_lastUpdate(self, when: Any) -> None:  # noqa: N802
        time = time_from_datetime(as_time(when, "when"), "when")
        with self._writing() as raw:
            check(lib.X509_CRL_set1_lastUpdate(raw, time), "when")

    def set_nextUpdate(self, when: Any) -> None:  # noqa: N802
        time = time_from_datetime(as_time(when, "when"), "when")
        with self._writing() as raw:
            check(lib.X509_CRL_set1_nextUpdate(raw, time), "when")

    def get_revoked(self) -> tuple[Revoked, ...] | None:
        with self._reading() as raw:
            entries = lib.X509_CRL_get_REVOKED(raw)
            if entries == ffi.NULL:
                return None
            found = []
            for at in range(lib.sk_X509_REVOKED_num(entries)):
                copy = lib.X509_REVOKED_dup(lib.sk_X509_REVOKED_value(entries, at))
                found.append(Revoked._from_raw(own(copy, lib.X509_REVOKED_free)))
        return tuple(found) or None

    def add_revoked(self, revoked: Revoked) -> None:
        copy = as_instance(revoked, Revoked, "revoked")._copy("revoked")
        with self._writing() as raw:
            _give(raw, copy)

    def get_extensions(self) -> list[X509Extension]:
        with self._reading() as raw:
            return [
                X509Extension._from_borrowed(lib.X509_CRL_get_ext(raw, at))
                for at in range(lib.X509_CRL_get_ext_count(raw))
            ]

    def add_extensions(self, extensions: Iterable[X509Extension]) -> None:
        items = as_extensions(extensions)
        with self._writing() as raw:
            before = lib.X509_CRL_get_ext_count(raw)
            try:
                for item in items:
                    check(lib.X509_CRL_add_ext(raw, item._extension, -1), "extensions")
            except CryptoError:
                while lib.X509_CRL_get_ext_count(raw) > before:
                    lib.X509_EXTENSION_free(lib.X509_CRL_delete_ext(raw, before))
                raise

    def _before_signing(self, raw: Any) -> None:
        entries = lib.X509_CRL_get_REVOKED(raw)
        count = lib.sk_X509_REVOKED_num(entries) if entries != ffi.NULL else 0
        extended = lib.X509_CRL_get_ext_count(raw) or any(
            lib.X509_REVOKED_get_ext_count(lib.sk_X509_REVOKED_value(entries, at)) for at in range(count)
        )
        if extended and lib.X509_CRL_get_version(raw) < VERSION_2:
            check(lib.X509_CRL_set_version(raw, VERSION_2), "version")
        lib.X509_CRL_sort(raw)

    def sign(self, issuer_cert: X509, issuer_key: PKey, digest: str | bytes | None = None) -> None:
        self._issue(issuer_cert, issuer_key, digest)

    def _issue(self, cert: Any, key: Any, digest: Any, times: tuple[Any, Any] | None = None) -> None:
        """Set what :meth:`export` sets, and sign: all of it, or nothing."""
        issuer = X509.get_subject(as_instance(cert, X509, "issuer_cert"))
        with self._lock:
            draft = CRL.__new__(CRL)
            draft._setup(_clone(self._raw), sealed=False)
            draft.set_issuer(issuer)
            if times is not None:
                draft.set_lastUpdate(times[0])
                draft.set_nextUpdate(times[1])
            draft._sign_with(key, digest)
            self._raw, self._sealed = draft._raw, True
            self._forget_name("issuer")

    def verify(self, pkey: PKey) -> bool:
        self._check_signature(pkey)
        return True

    def export(
        self,
        cert: X509,
        key: PKey,
        type: int = FileType.PEM,  # noqa: A002
        days: int = 100,
        digest: str | bytes | None = None,
    ) -> bytes:
        as_filetype(type, text=True)
        first = from_now(0, "days")
        last = from_now(as_int(days, "days", 0, 10**7) * 86400, "days")
        self._issue(cert, key, digest, (first, last))
        return self._dump(type, "")

    def to_cryptography(self) -> Any:
        from cryptography.x509 import load_der_x509_crl

        return load_der_x509_crl(self._der())

    @classmethod
    def from_cryptography(cls, crypto_crl: Any) -> CRL:
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509 import CertificateRevocationList

        crl = as_instance(crypto_crl, CertificateRevocationList, "crypto_crl")
        return cls._load(FileType.ASN1, crl.public_bytes(Encoding.DER))

    def __repr__(self) -> str:
        return f"<CRL issuer '{self.get_issuer()}'>"


def _give(raw: Any, entry: Any) -> None:
    """Put an owned entry into a list, which owns it from then on."""
    ffi.gc(entry, None)
    if lib.X509_CRL_add0_revoked(raw, entry) <= 0:
        lib.X509_REVOKED_free(entry)
        fail(CryptoError, "revoked")


def _clone(raw: Any) -> Any:
    """A copy of a list that need not be complete (``X509_CRL_dup`` copies complete ones only)."""
    copy = own(lib.X509_CRL_new(), lib.X509_CRL_free)
    check(lib.X509_CRL_set_version(copy, lib.X509_CRL_get_version(raw)), "version")
    check(lib.X509_CRL_set_issuer_name(copy, lib.X509_CRL_get_issuer(raw)), "issuer")
    for getter, setter in (
        (lib.X509_CRL_get0_lastUpdate, lib.X509_CRL_set1_lastUpdate),
        (lib.X509_CRL_get0_nextUpdate, lib.X509_CRL_set1_nextUpdate),
    ):
        time = getter(raw)
        if time != ffi.NULL:
            check(setter(copy, time), "time")
    entries = lib.X509_CRL_get_REVOKED(raw)
    for at in range(lib.sk_X509_REVOKED_num(entries) if entries != ffi.NULL else 0):
        entry = lib.X509_REVOKED_dup(lib.sk_X509_REVOKED_value(entries, at))
        _give(copy, own(entry, lib.X509_REVOKED_free))
    for at in range(lib.X509_CRL_get_ext_count(raw)):
        check(lib.X509_CRL_add_ext(copy, lib.X509_CRL_get_ext(raw, at), -1), "extensions")
    return copy


def load_crl(type: int, buffer: Any) -> CRL:  # noqa: A002
    """See ``ICrypto.load_crl``."""
    return CRL._load(type, buffer)


def dump_crl(type: int, crl: CRL) -> bytes:  # noqa: A002
    """See ``ICrypto.dump_crl``."""
    return as_instance(crl, CRL, "crl")._dump(type, "crl")
