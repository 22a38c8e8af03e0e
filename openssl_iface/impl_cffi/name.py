"""Distinguished names.

A ``X509Name`` owns its X509_NAME, and never changes it: a modification is made on a
copy, which then takes the old one's place.  A name that a certificate (or a request,
or a revocation list) gave out hands each new value to that owner first, which may
refuse; so name and owner agree at all times, and a failed write changes neither.
The name keeps its owner alive, not the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError
from ..interfaces import IX509Name
from ._asn1 import object_name, string_bytes, string_utf8
from ._encoding import as_bytes, as_instance, from_der, to_der
from ._errors import check, clear, take
from ._handles import Bound, Guard, own
from ._native import ffi, lib

# The attributes as release 0.5.1 of the manual spells them.
_ALIASES = {
    "country_name": "C",
    "state_or_province": "ST",
    "SP": "ST",
    "locality": "L",
    "organization": "O",
    "organizational_unit": "OU",
    "common_name": "CN",
    "email": "emailAddress",
}


def _number(attribute: str) -> int:
    """OpenSSL's object number of an attribute, or NID_undef."""
    name = _ALIASES.get(attribute, attribute)
    try:
        text = name.encode("ascii")
    except UnicodeEncodeError:
        return lib.NID_undef
    if b"\0" in text:
        return lib.NID_undef
    number = lib.OBJ_txt2nid(text)
    clear()
    return number


@implementer(IX509Name)
class X509Name(Bound):
    """A distinguished name (RFC 5280, section 4.1.2.4); see ``IX509Name``."""

    _name: Any
    _owner: Callable[[Any], None] | None
    _lock: Any
    # Some take a NUL in a value for its end, so none is written.
    _takes_nul = False

    def __init__(self, name: X509Name | None = None) -> None:
        if name is None:
            handle = empty_name()
        else:
            handle = copy_name(as_instance(name, X509Name, "name")._name)
        self._setup(handle, None, Guard())

    def _setup(self, handle: Any, owner: Callable[[Any], None] | None, lock: Any) -> None:
        set_plain = super().__setattr__
        set_plain("_name", handle)
        set_plain("_owner", owner)
        set_plain("_lock", lock)

    @classmethod
    def _from_raw(
        cls, pointer: Any, owner: Callable[[Any], None] | None = None, lock: Any = None
    ) -> X509Name:
        """Wrap an owned handle.

        :param owner: is given the handle of each modified name before it is taken; it may raise.
        :param lock: the owner's, so that there is one lock for both, and no order to keep.
        """
        name = cls.__new__(cls)
        name._setup(pointer, owner, lock or Guard())
        return name

    def _detach(self) -> None:
        """The owner has another name now: from here on this one stands alone."""
        with self._lock:
            super().__setattr__("_owner", None)

    def _store(self, attribute: str, number: int, value: bytes | None) -> None:
        with self._lock:
            changed = copy_name(self._name)
            at = lib.X509_NAME_get_index_by_NID(changed, number, -1)
            if at >= 0:
                lib.X509_NAME_ENTRY_free(lib.X509_NAME_delete_entry(changed, at))
            if value is not None:
                clear()
                check(
                    lib.X509_NAME_add_entry_by_NID(
                        changed, number, lib.MBSTRING_UTF8, value, len(value), -1, 0
                    ),
                    attribute,
                )
            _settle(changed)
            if self._owner is not None:
                self._owner(changed)
            super().__setattr__("_name", changed)

    def __setattr__(self, attribute: str, value: Any) -> None:
        if attribute.startswith("_"):
            super().__setattr__(attribute, value)
            return
        number = _number(attribute)
        if number == lib.NID_undef or hasattr(type(self), attribute):
            raise AttributeError(f"{attribute}: a name has no such attribute")
        if value is not None:
            value = as_bytes(value, attribute)
            if b"\0" in value and not self._takes_nul:
                raise take(CryptoError, f"{attribute}: contains a NUL")
        self._store(attribute, number, value)

    def __delattr__(self, attribute: str) -> None:
        if getattr(self, attribute) is None:
            raise AttributeError(f"{attribute}: not in this name")
        self._store(attribute, _number(attribute), None)

    def __getattr__(self, attribute: str) -> str | None:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        number = _number(attribute)
        if number == lib.NID_undef:
            raise AttributeError(f"{attribute}: a name has no such attribute")
        name = self._name
        at = lib.X509_NAME_get_index_by_NID(name, number, -1)
        if at < 0:
            return None
        value = lib.X509_NAME_ENTRY_get_data(lib.X509_NAME_get_entry(name, at))
        return string_utf8(value, f"{attribute}: not a character string").decode("utf-8", "surrogateescape")

    def get_components(self) -> list[tuple[bytes, bytes]]:
        """All parts in their order: OpenSSL's short name (or the number in dots), and the value in UTF-8."""
        name = self._name
        parts = []
        for at in range(lib.X509_NAME_entry_count(name)):
            entry = lib.X509_NAME_get_entry(name, at)
            value = lib.X509_NAME_ENTRY_get_data(entry)
            try:
                text = string_utf8(value, "")
            except CryptoError:
                text = string_bytes(value)
            parts.append((object_name(lib.X509_NAME_ENTRY_get_object(entry)).encode(), text))
        return parts

    def der(self) -> bytes:
        """The name in DER."""
        return to_der(lib.i2d_X509_NAME, self._name, "this name cannot be written")

    @classmethod
    def from_der(cls, data: Any) -> X509Name:
        """The name that *data* is the DER of."""
        message = "data: not a name"
        return cls._from_raw(from_der(lib.d2i_X509_NAME, lib.X509_NAME_free, as_bytes(data, "data"), message))

    def hash(self) -> int:
        """What OpenSSL names files in a directory of trusted certificates by (*openssl-rehash(1)*)."""
        number = lib.X509_NAME_hash(self._name)
        clear()
        return number

    def _compare(self, other: X509Name) -> int:
        mine, theirs = self._name, other._name
        clear()
        result = lib.X509_NAME_cmp(mine, theirs)
        clear()
        if result == -2:
            raise take(CryptoError, "these names cannot be compared")
        return result

    def __eq__(self, other: object) -> bool:
        return self._compare(other) == 0 if isinstance(other, X509Name) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._compare(other) < 0 if isinstance(other, X509Name) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self._compare(other) <= 0 if isinstance(other, X509Name) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self._compare(other) > 0 if isinstance(other, X509Name) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self._compare(other) >= 0 if isinstance(other, X509Name) else NotImplemented

    # It can change, so it is no key for a dict; use der() or hash().
    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        parts = self.get_components()
        return "".join(f"/{key.decode()}={value.decode('utf-8', 'backslashreplace')}" for key, value in parts)

    def __repr__(self) -> str:
        return f"<X509Name object '{self}'>"

    def __copy__(self) -> X509Name:
        return type(self)(self)

    def __deepcopy__(self, _memo: Any) -> X509Name:
        return type(self)(self)


def _settle(handle: Any) -> None:
    """Encode a new or modified name, which OpenSSL would do, and keep, at the first look at it:
    from then on it is only read, by any number of threads."""
    clear()
    check(lib.i2d_X509_NAME(handle, ffi.NULL), "name: cannot be encoded")


def empty_name() -> Any:
    """An owned name with nothing in it."""
    handle = own(lib.X509_NAME_new(), lib.X509_NAME_free)
    _settle(handle)
    return handle


def copy_name(pointer: Any) -> Any:
    """An owned copy of an X509_NAME."""
    clear()
    handle = own(lib.X509_NAME_dup(pointer), lib.X509_NAME_free, "name: cannot be copied")
    _settle(handle)
    return handle
