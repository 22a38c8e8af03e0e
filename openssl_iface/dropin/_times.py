"""Times of certificates that are no UTC: pyOpenSSL writes, and reads, what its caller has written."""

from __future__ import annotations

from typing import Any

from ._util import ffi as _ffi
from ._util import lib as _lib

_V_ASN1_GENERALIZEDTIME = 24


def time_from_text(when: bytes) -> Any:
    """An ASN1_TIME: by RFC 5280 if it can be, else as it stands (``20200101000000+0530``)."""
    time = _ffi.gc(_lib.ASN1_TIME_new(), _lib.ASN1_TIME_free)
    setters = (_lib.ASN1_TIME_set_string_X509, _lib.ASN1_TIME_set_string)
    done = b"\0" not in when and any(setter(time, when) == 1 for setter in setters)
    _lib.ERR_clear_error()
    if not done:
        raise ValueError("Invalid string")
    return time


def text_from_time(time: Any) -> bytes | None:
    """What a GeneralizedTime has in it; ``None`` of what is none."""
    text = _ffi.cast("ASN1_STRING *", time)
    if text == _ffi.NULL or _lib.ASN1_STRING_type(text) != _V_ASN1_GENERALIZEDTIME:
        return None
    return bytes(_ffi.buffer(_lib.ASN1_STRING_get0_data(text), _lib.ASN1_STRING_length(text))) or None
