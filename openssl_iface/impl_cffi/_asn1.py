"""ASN.1 values that certificates, requests and revocation lists have in common."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import CryptoError
from ._encoding import as_bytes, as_int, as_integer, copy_bytes
from ._errors import check, clear, fail, take
from ._handles import own
from ._native import ffi, lib

# RFC 5280, section 4.1.2.2: serial numbers have at most 20 octets.
SERIAL_OCTETS = 20
# There are certificates that do not keep to it, and they can be revoked; a bound all the same.
FOREIGN_SERIAL_OCTETS = 65536

_WHEN = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:Z|([+-])([01]\d|2[0-3])([0-5]\d))", re.ASCII)


def string_bytes(value: Any) -> bytes:
    """The contents of any kind of ASN1_STRING, NULs and all."""
    # another name: *value* may be all that keeps the string alive
    string = ffi.cast("ASN1_STRING *", value)
    return copy_bytes(lib.ASN1_STRING_get0_data(string), lib.ASN1_STRING_length(string))


def string_utf8(string: Any, message: str) -> bytes:
    """The contents as UTF-8, whatever kind of character string it is."""
    clear()
    start = ffi.new("unsigned char **")
    size = lib.ASN1_STRING_to_UTF8(start, string)
    if size < 0:
        fail(CryptoError, message)
    try:
        return copy_bytes(start[0], size)
    finally:
        lib.OPENSSL_free(start[0])


def object_name(obj: Any, *, long: bool = False) -> str:
    """OpenSSL's short (or long) name of an object identifier, or the number in dots."""
    nid = lib.OBJ_obj2nid(obj)
    if nid != lib.NID_undef:
        name = lib.OBJ_nid2ln(nid) if long else lib.OBJ_nid2sn(nid)
        if name != ffi.NULL:
            return ffi.string(name).decode()
    size = lib.OBJ_obj2txt(ffi.NULL, 0, obj, 1)
    if size <= 0:
        clear()
        return ""
    text = ffi.new("char[]", size + 1)
    lib.OBJ_obj2txt(text, size + 1, obj, 1)
    clear()
    return ffi.string(text).decode()


# -- what is there -------------------------------------------------------------

# In what OpenSSL makes new, each field is there and empty: these tell whether it was set.


def algorithm_name(algorithm: Any) -> str:
    """OpenSSL's long name of an algorithm (an X509_ALGOR), or its number; "" if there is none."""
    kind = ffi.new("const ASN1_OBJECT **")
    lib.X509_ALGOR_get0(kind, ffi.NULL, ffi.NULL, algorithm)
    return _name_if_any(kind[0])


def has_key(pubkey: Any) -> bool:
    """Whether there is a key in an X509_PUBKEY, of whatever kind."""
    kind = ffi.new("ASN1_OBJECT **")
    lib.X509_PUBKEY_get0_param(kind, ffi.NULL, ffi.NULL, ffi.NULL, pubkey)
    return bool(_name_if_any(kind[0]))


def _name_if_any(obj: Any) -> str:
    name = object_name(obj, long=True) if obj != ffi.NULL else ""
    return "" if name == "undefined" else name


def has_time(time: Any) -> bool:
    """Whether an ASN1_TIME was set, to whatever."""
    return time != ffi.NULL and bool(string_bytes(time))


# -- integers ----------------------------------------------------------------


def serial_from_int(value: Any, argument: str, octets: int = SERIAL_OCTETS) -> Any:
    """An owned ASN1_INTEGER for a serial number, which may be negative.

    :raises ValueError: it needs more than *octets*.
    """
    number = as_integer(value, argument)
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1  # with a bit for the sign
    if size > octets:
        raise ValueError(f"{argument}: a number of {size} octets, at most {octets} expected")
    magnitude = abs(number).to_bytes(size, "big")
    big = own(lib.BN_bin2bn(magnitude, len(magnitude), ffi.NULL), lib.BN_free)
    lib.BN_set_negative(big, number < 0)
    return own(lib.BN_to_ASN1_INTEGER(big, ffi.NULL), lib.ASN1_INTEGER_free)


def integer_to_int(integer: Any) -> int:
    """An ASN1_INTEGER of any size."""
    big = own(lib.ASN1_INTEGER_to_BN(integer, ffi.NULL), lib.BN_free)
    size = lib.BN_num_bytes(big)
    magnitude = ffi.new("unsigned char[]", size + 1)
    lib.BN_bn2bin(big, magnitude)
    number = int.from_bytes(ffi.buffer(magnitude, size), "big")
    return -number if lib.BN_is_negative(big) else number


# -- times -------------------------------------------------------------------


def as_time(when: Any, argument: str) -> datetime:
    """A time in UTC from the manual's form, or from a datetime (a naive one is UTC).

    :param when: ``b"YYYYMMDDhhmmssZ"``, or with ``+hhmm`` or ``-hhmm`` for the ``Z``; bytes-like or text.
    """
    if isinstance(when, datetime):
        moment = when if when.tzinfo else when.replace(tzinfo=UTC)
    else:
        try:
            when = as_bytes(when, argument)
        except TypeError:
            kind = type(when).__name__
            raise TypeError(f"{argument}: bytes or a datetime expected, not {kind}") from None
        match = _WHEN.fullmatch(when)
        if match is None:
            raise ValueError(f"{argument}: not of the form YYYYMMDDhhmmssZ: {when!r}")
        try:
            moment = datetime(*(int(part) for part in match.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type,misc]
        except ValueError as error:
            raise ValueError(f"{argument}: {error}: {when!r}") from None
        sign, hours, minutes = match.groups()[6:]
        if sign:
            away = timedelta(hours=int(hours), minutes=int(minutes))
            moment = shift(moment, -away if sign == b"+" else away, argument)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{argument}: {error}") from None


def shift(moment: datetime, by: timedelta, argument: str) -> datetime:
    """*moment* + *by*, within the years 1 to 9999."""
    try:
        return moment + by
    except OverflowError:
        raise ValueError(f"{argument}: beyond the year 9999, or before the year 1") from None


def now() -> datetime:
    """What time it is to OpenSSL, in UTC, whole seconds.

    It asks *time(2)*, which may be some milliseconds behind Python's clock: what is made by the one may not
    be valid yet by the other.
    """
    moment = own(lib.X509_gmtime_adj(ffi.NULL, 0), lib.ASN1_TIME_free, "the time")
    return as_time(time_to_bytes(moment, "the time"), "the time")


def from_now(seconds: Any, argument: str) -> datetime:
    """The time *seconds* from now."""
    number = as_int(seconds, argument)
    try:
        by = timedelta(seconds=number)
    except OverflowError:
        raise ValueError(f"{argument}: beyond the year 9999, or before the year 1") from None
    return shift(now(), by, argument)


def format_time(moment: datetime) -> bytes:
    """``b"YYYYMMDDhhmmssZ"`` for a time in UTC."""
    # strftime's %Y does not pad on every system
    return f"{moment.year:04}{moment:%m%d%H%M%S}Z".encode()


def time_from_datetime(moment: datetime, argument: str) -> Any:
    """An owned ASN1_TIME: UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280, section 4.1.2.5)."""
    time = own(lib.ASN1_TIME_new(), lib.ASN1_TIME_free)
    check(lib.ASN1_TIME_set_string_X509(time, format_time(moment)), argument)
    return time


def time_to_bytes(time: Any, what: str) -> bytes | None:
    """``b"YYYYMMDDhhmmssZ"`` of an ASN1_TIME; None if it was never set."""
    if not has_time(time):
        return None
    clear()
    general = own(
        lib.ASN1_TIME_to_generalizedtime(time, ffi.NULL), lib.ASN1_GENERALIZEDTIME_free, f"{what}: not a time"
    )
    return string_bytes(general)


def datetime_from_bytes(when: bytes | None, what: str) -> datetime | None:
    """What :func:`time_to_bytes` gives, as an aware datetime."""
    if when is None:
        return None
    try:
        return as_time(when, what)
    except ValueError as error:
        raise take(CryptoError, str(error)) from None
