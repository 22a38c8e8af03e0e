"""What certificates, requests and revocation lists have in common: a body under a signature.

The handle of an object that was loaded or signed is *sealed*: it is never changed,
for a store, a context or a connection may hold it too, and other threads read it.
The first modification makes a copy, and goes on with that.  A handle that is not
sealed is our own alone, and read and changed under the object's lock.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

from ..errors import CryptoError, OpenSSLError
from ..values import FileType
from ._asn1 import algorithm_name, string_bytes
from ._encoding import Codec, as_filetype, as_instance, to_der
from ._errors import check, clear, take
from ._handles import Bound, Guard, own
from ._native import ffi
from .name import X509Name, copy_name, empty_name
from .pkey import PKey, signing_digest


class Signed(Bound):
    """The common part; each subclass says which functions of OpenSSL are its own."""

    _codec: ClassVar[Codec]
    _new: ClassVar[Callable[[], Any]]
    _dup: ClassVar[Callable[[Any], Any]]
    _refresh: ClassVar[Callable[[Any, Any], int]]
    _sign: ClassVar[Callable[[Any, Any, Any], int]]
    _verify: ClassVar[Callable[[Any, Any], int]]
    # Finds the signature and its algorithm.
    _signature: ClassVar[Callable[[Any, Any, Any], None]]
    # What must be there before it can be written, but for the signature, and what tells whether it is.
    _parts: ClassVar[tuple[tuple[str, Callable[[Any], bool]], ...]]
    # Whether it may be signed before everything is there, as the manual's library does.
    _may_lack: ClassVar[bool] = True

    _raw: Any
    _sealed: bool
    _lock: Any
    _names: dict[str, weakref.ref[X509Name]]

    def __init__(self) -> None:
        self._setup(own(type(self)._new(), self._codec.free), sealed=False)

    def _setup(self, handle: Any, *, sealed: bool) -> None:
        self._raw = handle
        self._sealed = sealed
        self._lock = Guard()
        self._names = {}

    @classmethod
    def _from_raw(cls, pointer: Any) -> Self:
        """Wrap an owned handle of a complete object; it is never changed."""
        made = cls.__new__(cls)
        made._setup(pointer, sealed=True)
        return made

    def __copy__(self) -> Self:
        """Another object; what is not complete cannot be copied."""
        return self._from_raw(self._whole())

    def __deepcopy__(self, _memo: Any) -> Self:
        return self.__copy__()

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """A handle to change, which counts when the block has ended well."""
        with self._lock:
            handle = self._raw
            if self._sealed:
                clear()
                handle = own(type(self)._dup(handle), self._codec.free, f"this {self._codec.what}: no copy")
            clear()
            yield handle
            # OpenSSL before 3.0 goes on to write what it has read once, if it is
            # not told; an object that is not complete yet is no error here.
            type(self)._refresh(handle, ffi.NULL)
            clear()
            # In this order: see _reading.
            self._sealed = False
            self._raw = handle

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """The handle, which nobody changes meanwhile."""
        # A handle that is read here before the object is found to be sealed is sealed
        # itself, or was left behind by sign: either way it is not changed any more.
        raw = self._raw
        if self._sealed:
            yield raw
        else:
            with self._lock:
                yield self._raw

    def _get_name(
        self, which: str, getter: Callable[[Any], Any], setter: Callable[[Any, Any], int]
    ) -> X509Name:
        """The live name *which*; the same object as long as somebody has it."""
        with self._lock:
            reference = self._names.get(which)
            name = reference() if reference is not None else None
            if name is None:
                pointer = getter(self._raw)
                handle = copy_name(pointer) if pointer != ffi.NULL else empty_name()

                def write(changed: Any) -> None:
                    with self._writing() as raw:
                        check(setter(raw, changed), which)

                name = X509Name._from_raw(handle, write, self._lock)
                self._names[which] = weakref.ref(name)
            return name

    def _set_name(self, which: str, setter: Callable[[Any, Any], int], name: Any) -> None:
        handle = as_instance(name, X509Name, which)._name
        with self._lock:
            reference = self._names.get(which)
            if reference is not None and reference() is name:
                return
            with self._writing() as raw:
                check(setter(raw, handle), which)
            self._forget_name(which)

    def _forget_name(self, which: str) -> None:
        """Another name has taken its place: the one given out stands alone from here on."""
        reference = self._names.pop(which, None)
        old = reference() if reference is not None else None
        if old is not None:
            old._detach()

    def _sign_with(self, pkey: PKey, digest: str | bytes | None) -> None:
        key = as_instance(pkey, PKey, "pkey")._need_private("pkey")
        method = signing_digest(key, digest)
        with self._lock:
            with self._writing() as raw:
                self._before_signing(raw)
                if type(self)._sign(raw, key, method) <= 0:
                    raise take(CryptoError, self._sign_message(raw, pkey, digest))
            # A fresh copy has none of the digests and flags that OpenSSL keeps with
            # an object that it has looked at before.  There is none of an object that
            # lacks something: it has been signed as it is, and stays open.
            whole = type(self)._dup(self._raw)
            if whole != ffi.NULL:
                self._raw = own(whole, self._codec.free)
                self._sealed = True
            elif not self._may_lack:
                missing = self._missing(self._raw)
                raise self._refusal(missing, f"this {self._codec.what} cannot be signed yet")
        clear()

    def _before_signing(self, raw: Any) -> None:
        """What a subclass sees to when everything is there."""

    def _sign_message(self, raw: Any, pkey: PKey, digest: Any) -> str:
        if digest is not None and signing_digest(pkey._pkey, None) == ffi.NULL:
            return f"digest: {pkey.algorithm} keys sign without a separate digest: pass None"
        message = f"this {self._codec.what} cannot be signed with pkey and digest {digest!r}"
        # From OpenSSL 3.0 on; dates may be missing in all versions.
        without = "no public key"
        return f"{message}: {without}" if without in self._missing(raw) else message

    def _check_signature(self, pkey: Any) -> None:
        key = as_instance(pkey, PKey, "pkey")._need("pkey")
        with self._reading() as raw:
            clear()
            if type(self)._verify(raw, key) <= 0:
                if not self._algorithm(raw):
                    clear()
                    raise take(CryptoError, f"this {self._codec.what} has no signature yet")
                raise take(CryptoError, f"pkey: the signature of this {self._codec.what} is not of this key")
            clear()

    def _algorithm(self, raw: Any) -> str:
        """The name of the signature algorithm, or "" if there is no signature yet."""
        bits = ffi.new("const ASN1_BIT_STRING **")
        algorithm = ffi.new("const X509_ALGOR **")
        type(self)._signature(raw, bits, algorithm)
        # OpenSSL begins with the name, and leaves it there when it cannot sign; but what was loaded
        # may have a signature of no bits (RFC 9925).
        if not self._sealed and (bits[0] == ffi.NULL or not string_bytes(bits[0])):
            return ""
        return algorithm_name(algorithm[0])

    def _missing(self, raw: Any) -> list[str]:
        return [f"no {name}" for name, is_there in self._parts if not is_there(raw)]

    @staticmethod
    def _refusal(missing: list[str], message: str) -> OpenSSLError:
        """The error for what OpenSSL has refused: what is missing, if anything is, or else its own reasons.

        Those tell which function of OpenSSL stumbled over what is missing, in each version another one.
        """
        if missing:
            clear()
            message = f"{message}: {', '.join(missing)}"
        return take(CryptoError, message)

    def _whole(self, argument: str = "") -> Any:
        """A handle that is never changed, to be shared with OpenSSL's own structures.

        :param argument: its name in messages; none for the object whose method was called.
        :raises CryptoError: the object is not complete.
        """
        with self._reading() as raw:
            if self._sealed:
                return raw
            clear()
            copy = type(self)._dup(raw)
            if copy == ffi.NULL:
                raise self._incomplete(raw, argument)
            return own(copy, self._codec.free)

    def _incomplete(self, raw: Any, argument: str) -> OpenSSLError:
        missing = self._missing(raw)
        if not self._algorithm(raw):
            missing.append("no signature")
        where = f"{argument}: " if argument else ""
        return self._refusal(missing, f"{where}this {self._codec.what} is not complete")

    def get_signature_algorithm(self) -> bytes:
        with self._reading() as raw:
            name = self._algorithm(raw)
        if not name:
            raise ValueError(f"this {self._codec.what} has no signature yet")
        return name.encode()

    def _der(self) -> bytes:
        return to_der(self._codec.i2d, self._whole(), f"this {self._codec.what} cannot be written")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        if self is other:
            return True
        return self._sealed and other._sealed and self._der() == other._der()

    def __hash__(self) -> int:
        return hash(self._der()) if self._sealed else id(self)

    def _dump(self, filetype: Any, argument: str) -> bytes:
        kind = as_filetype(filetype, text=True)
        if kind is not FileType.TEXT:
            return self._codec.dump(kind, self._whole(argument), argument)
        with self._reading() as raw:
            try:
                return self._codec.dump(kind, raw, argument)
            except CryptoError:
                # OpenSSL 1.1.1 shows nothing that has no date.
                if not self._missing(raw):
                    raise
                raise self._incomplete(raw, argument) from None

    @classmethod
    def _load(cls, filetype: Any, buffer: Any, argument: str = "buffer") -> Self:
        return cls._from_raw(cls._codec.load(filetype, buffer, argument))
