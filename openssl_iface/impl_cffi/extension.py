"""Extensions of certificates, requests and revocation lists."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from zope.interface import implementer

from ..errors import ArgumentKindError, CryptoError
from ..interfaces import IX509Extension
from ._asn1 import object_name, string_bytes, string_utf8
from ._encoding import as_bytes, as_name, from_der, written
from ._errors import check, clear, take
from ._handles import Bound, own
from ._native import ffi, lib
from ._signed import Signed

# What OpenSSL makes of "subjectKeyIdentifier", "hash" for a subject without a key: the
# SHA-1 digest of nothing.
_HASH_OF_NO_KEY = bytes.fromhex("0414da39a3ee5e6b4b0d3255bfef95601890afd80709")
# proxyCertInfo alone has that in OpenSSL's syntax.
_READS_A_FILE = re.compile(rb"\bpolicy\s*:\s*file\s*:")


@implementer(IX509Extension)
class X509Extension(Bound):
    """One extension (RFC 5280, section 4.2); see ``IX509Extension``.  It never changes."""

    _extension: Any

    def __init__(
        self,
        type_name: str | bytes,
        critical: bool,
        value: str | bytes,
        subject: Any = None,
        issuer: Any = None,
    ) -> None:
        name = as_name(type_name, "type_name")
        text = as_name(value, "value")
        if _READS_A_FILE.search(text):
            clear()
            raise take(CryptoError, "value: a policy is not read from a file; give it as text: or hex:")
        if critical:
            text = b"critical," + text
        with _at_rest(subject, issuer):
            people = {"_x509": ffi.NULL, "_req": ffi.NULL}
            if subject is not None:
                kind = "_req" if hasattr(subject, "_req") else "_x509"
                people[kind] = _handle(subject, kind, "subject")
            above = _handle(issuer, "_x509", "issuer") if issuer is not None else ffi.NULL
            clear()
            self._extension = own(
                lib.oi_extension(name, text, people["_x509"], above, people["_req"]),
                lib.X509_EXTENSION_free,
                f"{name.decode('utf-8', 'replace')}: OpenSSL takes no such extension",
            )
            clear()
        if self.get_data() == _HASH_OF_NO_KEY:
            raise take(CryptoError, "subject: has no public key yet")

    @classmethod
    def _from_raw(cls, pointer: Any) -> X509Extension:
        """Wrap an owned handle."""
        extension = cls.__new__(cls)
        extension._extension = pointer
        return extension

    @classmethod
    def _from_borrowed(cls, pointer: Any) -> X509Extension:
        """Copy an extension that belongs to something else."""
        message = "this extension cannot be copied"
        return cls._from_raw(own(lib.X509_EXTENSION_dup(pointer), lib.X509_EXTENSION_free, message))

    @classmethod
    def from_der(cls, type_name: str | bytes, critical: bool, data: Any) -> X509Extension:
        """An extension from the DER of its value.

        :param type_name: OpenSSL's name, or the number in dots.
        """
        name = as_name(type_name, "type_name")
        content = as_bytes(data, "data")
        clear()
        kind = own(lib.OBJ_txt2obj(name, 0), lib.ASN1_OBJECT_free, "type_name: not an object identifier")
        octets = own(lib.ASN1_OCTET_STRING_new(), lib.ASN1_OCTET_STRING_free)
        check(lib.ASN1_STRING_set(ffi.cast("ASN1_STRING *", octets), content, len(content)), "data")
        pointer = lib.X509_EXTENSION_create_by_OBJ(ffi.NULL, kind, bool(critical), octets)
        return cls._from_raw(own(pointer, lib.X509_EXTENSION_free, "type_name"))

    def get_critical(self) -> int:
        return lib.X509_EXTENSION_get_critical(self._extension)

    def get_short_name(self) -> bytes:
        return object_name(lib.X509_EXTENSION_get_object(self._extension)).encode()

    def get_data(self) -> bytes:
        return string_bytes(lib.X509_EXTENSION_get_data(self._extension))

    def __str__(self) -> str:
        whole = self._with_nul()
        if whole is not None:
            return whole
        # What OpenSSL does not understand, it shows as a dump of the bytes.
        for style in (0, lib.X509V3_EXT_DUMP_UNKNOWN):
            clear()
            try:
                text = written(functools.partial(_print, self._extension, style), "")
            except CryptoError:
                continue
            return text.decode("utf-8", "backslashreplace")
        return self.get_data().hex(":").upper()

    def _with_nul(self) -> str | None:
        """Strings with a NUL in them, which OpenSSL does not show, or not as a whole."""
        data = self.get_data()
        if b"\0" not in data:
            return None
        kind = lib.OBJ_obj2nid(lib.X509_EXTENSION_get_object(self._extension))
        try:
            if kind in (lib.NID_subject_alt_name, lib.NID_issuer_alt_name):
                names = general_names(from_der(lib.d2i_GENERAL_NAMES, lib.GENERAL_NAMES_free, data, ""))
                return ", ".join(f"{label}:{_shown(value)}" for label, value in names)
            text = string_bytes(from_der(lib.d2i_ASN1_IA5STRING, lib.ASN1_IA5STRING_free, data, ""))
            return text.decode("latin-1")
        except CryptoError:
            return None

    def __repr__(self) -> str:
        critical = ", critical" if self.get_critical() else ""
        return f"<X509Extension {self.get_short_name().decode()}{critical}: {self}>"

    def _identity(self) -> tuple[str, int, bytes]:
        kind = lib.X509_EXTENSION_get_object(self._extension)
        return object_name(kind), self.get_critical(), self.get_data()

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, X509Extension) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())


def _print(handle: Any, style: int, bio: Any) -> int:
    return lib.X509V3_EXT_print(bio, handle, style, 0)


@contextmanager
def _at_rest(*holders: Any) -> Iterator[None]:
    """Nobody changes these objects meanwhile.  Locks are taken in one order everywhere."""
    with ExitStack() as stack:
        for holder in sorted({id(item): item for item in holders if isinstance(item, Signed)}.items()):
            stack.enter_context(holder[1]._reading())
        yield


def _handle(holder: Any, attribute: str, argument: str) -> Any:
    handle = getattr(holder, attribute, None)
    if handle is None:
        kind = "an X509" if argument == "issuer" else "an X509 or X509Req"
        raise TypeError(f"{argument}: {kind} expected, not {type(holder).__name__}")
    return handle


def as_extensions(extensions: Any) -> list[X509Extension]:
    """The argument of ``add_extensions``, all of it looked at before anything is done."""
    if not isinstance(extensions, Iterable):
        kind = type(extensions).__name__
        raise ArgumentKindError(f"extensions: an iterable of X509Extension expected, not {kind}")
    items = list(extensions)
    for item in items:
        if not isinstance(item, X509Extension):
            raise ArgumentKindError(f"extensions: X509Extension expected, not {type(item).__name__}")
    return items


# -- alternative names -------------------------------------------------------


def general_names(names: Any) -> list[tuple[str, Any]]:
    """GENERAL_NAMES in the form that the standard library's ssl module uses.

    A name is text.  NULs and bytes that are not ASCII stay in it, the latter as the
    characters of the same number, so two different names never look the same.
    """
    return [
        _general_name(lib.sk_GENERAL_NAME_value(names, at)) for at in range(lib.sk_GENERAL_NAME_num(names))
    ]


_LABELS = {lib.GEN_DNS: "DNS", lib.GEN_EMAIL: "email", lib.GEN_URI: "URI"}


def _general_name(name: Any) -> tuple[str, Any]:
    kind = ffi.new("int *")
    value = lib.GENERAL_NAME_get0_value(name, kind)
    if kind[0] in _LABELS:
        return _LABELS[kind[0]], string_bytes(value).decode("latin-1")
    if kind[0] == lib.GEN_IPADD:
        packed = string_bytes(value)
        if len(packed) in (4, 16):
            return "IP Address", str(ipaddress.ip_address(packed))
        return "IP Address", f"<invalid: {packed.hex(':')}>"
    if kind[0] == lib.GEN_DIRNAME:
        return "DirName", _directory_name(ffi.cast("X509_NAME *", value))
    if kind[0] == lib.GEN_RID:
        return "Registered ID", object_name(ffi.cast("ASN1_OBJECT *", value))
    return {lib.GEN_OTHERNAME: "othername", lib.GEN_X400: "X400Name", lib.GEN_EDIPARTY: "EdiPartyName"}.get(
        kind[0], "unknown"
    ), "<unsupported>"


def _shown(value: Any) -> str:
    """A general name as OpenSSL shows it."""
    if isinstance(value, tuple):
        return "".join(f"/{key}={part}" for ((key, part),) in value)
    try:
        packed = ipaddress.IPv6Address(value).packed
    except ValueError:
        return str(value)
    return ":".join(f"{int.from_bytes(packed[at : at + 2], 'big'):X}" for at in range(0, 16, 2))


def _directory_name(name: Any) -> tuple[tuple[tuple[str, str], ...], ...]:
    parts = []
    for at in range(lib.X509_NAME_entry_count(name)):
        entry = lib.X509_NAME_get_entry(name, at)
        text = string_utf8(lib.X509_NAME_ENTRY_get_data(entry), "").decode("utf-8", "backslashreplace")
        parts.append(((object_name(lib.X509_NAME_ENTRY_get_object(entry), long=True), text),))
    return tuple(parts)


def decoded(find: Any, free: Any, what: str) -> Any:
    """What ``X509_get_ext_d2i`` or its like finds: an owned structure, or None if there is none.

    :param find: is given where to say why there is nothing.
    :raises CryptoError: the extension is malformed, or there twice.
    """
    why = ffi.new("int *")
    clear()
    pointer = find(why)
    if pointer != ffi.NULL:
        clear()
        return own(pointer, free)
    if why[0] == -1:
        clear()
        return None
    raise take(CryptoError, f"{what}: there more than once" if why[0] == -2 else f"{what}: malformed")
