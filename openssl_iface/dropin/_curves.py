"""The curves of ``OpenSSL.crypto``: one object for each that this OpenSSL knows."""

from __future__ import annotations

from typing import Any

from .. import crypto as _ours
from ._util import ffi as _ffi
from ._util import lib as _lib


class _EllipticCurve:
    """A curve; there is one object for each."""

    _curves: set[_EllipticCurve] | None = None

    def __init__(self, lib: Any, nid: int, name: str) -> None:
        self._lib = lib
        self._nid = nid
        self.name = name

    @classmethod
    def from_nid(cls, lib: Any, nid: int) -> _EllipticCurve:
        """The curve of a number of OpenSSL's."""
        return cls(lib, nid, _ffi.string(_lib.OBJ_nid2sn(nid)).decode())

    @classmethod
    def _load_elliptic_curves(cls, lib: Any) -> set[_EllipticCurve]:
        return {cls(lib, curve._nid, curve.name) for curve in _ours.get_elliptic_curves()}

    @classmethod
    def _get_elliptic_curves(cls, lib: Any) -> set[_EllipticCurve]:
        if cls._curves is None:
            cls._curves = cls._load_elliptic_curves(lib)
        return cls._curves

    def _to_EC_KEY(self) -> Any:
        return _ffi.gc(_lib.EC_KEY_new_by_curve_name(self._nid), _lib.EC_KEY_free)

    def __repr__(self) -> str:
        return f"<Curve {self.name!r}>"


def get_elliptic_curves() -> set[_EllipticCurve]:
    """The curves that this OpenSSL knows."""
    return _EllipticCurve._get_elliptic_curves(_lib)


def get_elliptic_curve(name: str) -> _EllipticCurve:
    """The curve of this name; a ValueError if there is none."""
    for curve in get_elliptic_curves():
        if curve.name == name:
            return curve
    raise ValueError("unknown curve name", name)
