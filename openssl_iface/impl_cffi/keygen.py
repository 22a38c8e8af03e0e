"""Making keys.

How a generation is interrupted: OpenSSL calls ``oi_keygen_progress`` between its
attempts, on the thread that asked.  Running Python code is where pending signals are
handled; what a handler raises (KeyboardInterrupt) is kept, the generation is told to
stop, and the exception is raised again once OpenSSL has returned.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..errors import CryptoError
from ..values import KeyType
from ._encoding import as_int, as_name
from ._errors import check, clear, take
from ._handles import own
from ._native import ffi, lib

# The largest keys that OpenSSL goes on to use (OPENSSL_RSA_MAX_MODULUS_BITS,
# OPENSSL_DSA_MAX_MODULUS_BITS); without a limit a slip of the pen takes for ever.
RSA_BITS_MAX = 16384
DSA_BITS_MAX = 10000

_CURVE_OF_BITS = {192: "P-192", 224: "P-224", 256: "P-256", 384: "P-384", 521: "P-521"}

NAMES: dict[int, str] = {
    KeyType.RSA: "RSA",
    KeyType.RSA_PSS: "RSA-PSS",
    KeyType.DSA: "DSA",
    KeyType.DH: "DH",
    KeyType.EC: "EC",
    KeyType.X25519: "X25519",
    KeyType.X448: "X448",
    KeyType.ED25519: "ED25519",
    KeyType.ED448: "ED448",
}
_TYPES = {name: KeyType(number) for number, name in NAMES.items()}


_generation = threading.local()


def _keep(_kind: Any, error: BaseException, _traceback: Any) -> int:
    _generation.error = error
    return 0


@ffi.def_extern(name="oi_keygen_progress", error=0, onerror=_keep)  # type: ignore[untyped-decorator]
def _progress(_context: Any) -> int:
    return 0 if _generation.error is not None else 1


def _interruptible(step: Callable[[Any, Any], int], context: Any, message: str) -> Any:
    """Run keygen or paramgen; returns the owned result."""
    made = ffi.new("EVP_PKEY **")
    lib.EVP_PKEY_CTX_set_cb(context, lib.oi_keygen_progress)
    _generation.error = None
    clear()
    result = step(context, made)
    error, _generation.error = _generation.error, None
    if error is not None:
        if made[0] != ffi.NULL:
            lib.EVP_PKEY_free(made[0])
        clear()
        raise error
    check(result, message)
    return own(made[0], lib.EVP_PKEY_free, message)


def _context(kind: int | str, message: str) -> Any:
    """A context to make keys of a kind that OpenSSL knows by number or by name."""
    clear()
    if isinstance(kind, KeyType):
        pointer = lib.EVP_PKEY_CTX_new_id(kind, ffi.NULL)
    elif isinstance(kind, str):
        name = as_name(kind, "type")
        if not lib.HAS_EVP_PKEY_CTX_new_from_name:
            raise take(CryptoError, f"{message}: what is not {', '.join(_TYPES)} needs OpenSSL 3.0 or later")
        pointer = lib.EVP_PKEY_CTX_new_from_name(ffi.NULL, name, ffi.NULL)
    else:
        name = lib.OBJ_nid2sn(kind)
        pointer = ffi.NULL
        if lib.HAS_EVP_PKEY_CTX_new_from_name and kind > 0 and name != ffi.NULL:
            pointer = lib.EVP_PKEY_CTX_new_from_name(ffi.NULL, name, ffi.NULL)
    return own(pointer, lib.EVP_PKEY_CTX_free, message)


def _choose(context: Any, options: dict[str, str], message: str) -> None:
    for name, value in options.items():
        check(lib.EVP_PKEY_CTX_ctrl_str(context, name.encode(), value.encode()), message)


def generate(kind: Any, bits: Any, curve: Any) -> Any:
    """An owned handle of a new key; see ``IPKey.generate_key``."""
    if isinstance(kind, str):
        kind = _TYPES.get(kind.upper(), kind)
    else:
        number = as_int(kind, "type", -(2**31), 2**31 - 1)
        kind = KeyType(number) if number in NAMES else number
    label = NAMES.get(kind, kind) if isinstance(kind, int) else kind
    message = f"type: no key of type {label!r} can be made"
    options: dict[str, str] = {}
    parameters: dict[str, str] = {}
    if kind in (KeyType.RSA, KeyType.RSA_PSS):
        options["rsa_keygen_bits"] = str(_bits(bits, RSA_BITS_MAX))
    elif kind == KeyType.DSA:
        size = _bits(bits, DSA_BITS_MAX)
        parameters["dsa_paramgen_bits"] = str(size)
        if size < 2048:
            # FIPS 186-4 knows no such size; what 186-2 had for it is still there
            parameters["dsa_paramgen_q_bits"] = "160"
            if lib.HAS_EVP_PKEY_get0_type_name:
                options["type"] = "fips186_2"
    elif kind == KeyType.EC:
        options["ec_paramgen_curve"] = _curve(bits, curve)
        options["ec_param_enc"] = "named_curve"
    else:
        as_int(bits, "bits")
    context = _context(kind, message)
    if parameters:
        check(lib.EVP_PKEY_paramgen_init(context), message)
        _choose(context, parameters, "bits")
        model = _interruptible(lib.EVP_PKEY_paramgen, context, "bits: no DSA parameters of that size")
        context = own(lib.EVP_PKEY_CTX_new(model, ffi.NULL), lib.EVP_PKEY_CTX_free)
    check(lib.EVP_PKEY_keygen_init(context), message)
    _choose(context, options, "curve" if curve is not None else "bits")
    if bits:
        message = f"bits: no key of type {label!r} can be made so"
    return _interruptible(lib.EVP_PKEY_keygen, context, message)


def _bits(bits: Any, most: int) -> int:
    number = as_int(bits, "bits")
    if not 0 < number <= most:
        raise ValueError(f"bits: {number} is not within 1 to {most}")
    return number


def _curve(bits: Any, curve: Any) -> str:
    if curve is not None:
        return as_name(getattr(curve, "name", curve), "curve").decode()
    number = as_int(bits, "bits")
    if number not in _CURVE_OF_BITS:
        raise ValueError(f"bits: must be one of {', '.join(map(str, _CURVE_OF_BITS))} for EC, not {number}")
    return _CURVE_OF_BITS[number]


# -- curves ------------------------------------------------------------------


class EllipticCurve:
    """A curve that OpenSSL knows; give it to ``PKey.generate_key(TYPE_EC, curve=...)``."""

    __slots__ = ("_nid", "name")

    def __init__(self, name: str, nid: int) -> None:
        self.name = name
        self._nid = nid

    def __eq__(self, other: object) -> bool:
        return self._nid == other._nid if isinstance(other, EllipticCurve) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._nid)

    def __repr__(self) -> str:
        return f"<Curve {self.name!r}>"


def get_elliptic_curves() -> set[EllipticCurve]:
    """All curves that this OpenSSL knows."""
    count = lib.EC_get_builtin_curves(ffi.NULL, 0)
    curves = ffi.new("EC_builtin_curve[]", count)
    lib.EC_get_builtin_curves(curves, count)
    return {EllipticCurve(ffi.string(lib.OBJ_nid2sn(item.nid)).decode(), item.nid) for item in curves}


def get_elliptic_curve(name: str) -> EllipticCurve:
    """The curve by the *name*, OpenSSL's (``"prime256v1"``) or NIST's (``"P-256"``).

    :raises ValueError: OpenSSL does not know it.
    """
    wanted = as_name(name, "name")
    number = lib.EC_curve_nist2nid(wanted) or lib.OBJ_txt2nid(wanted)
    clear()
    for curve in get_elliptic_curves():
        if curve._nid == number:
            return curve
    raise ValueError(f"name: OpenSSL has no curve {name!r}")
