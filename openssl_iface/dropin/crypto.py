"""``OpenSSL.crypto``: keys, certificates and what belongs to them, with pyOpenSSL's meaning.

What later releases have taken away (certificate requests, extensions, revocation lists, PKCS#7,
PKCS#12, Netscape's SPKI, the type names) is here, and means what it meant in the last
release that had it.
"""

from __future__ import annotations

import functools
import os
import re
import warnings
from collections.abc import Callable
from typing import Any

from .. import crypto as _ours
from ..errors import CryptoError as Error
from ..errors import X509StoreContextError as _Refused
from . import _curves
from ._arguments import _ascii, _PassphraseHelper, _reading_pem, _saying, _type
from ._bios import _bio_to_string, _new_mem_buf, first, shown  # noqa: F401
from ._deprecated import SAID, deprecated, deprecating, passed
from ._times import text_from_time, time_from_text
from ._translate import (
    adopt,
    as_theirs,
    bytes_of_text,
    in_place_of,
    name_as_theirs,
    need,
    path_bytes,
    translated,
)
from ._util import UNSPECIFIED
from ._util import exception_from_error_queue as _exception_from_error_queue
from ._util import ffi as _ffi
from ._util import lib as _lib
from ._util import make_assert as _make_assert

# Constants, and what else needs no translation.
globals().update({name: getattr(_ours, name) for name in _ours.__all__})
__all__ = ["PassphraseCallableT", "StrOrBytesPath"]
__all__ += _ours.__all__

FILETYPE_PEM = _ours.FILETYPE_PEM
FILETYPE_ASN1 = _ours.FILETYPE_ASN1
FILETYPE_TEXT = _ours.FILETYPE_TEXT
TYPE_RSA = _ours.TYPE_RSA
TYPE_DSA = _ours.TYPE_DSA
_KEY_TYPES = frozenset(getattr(_ours, name) for name in _ours.__all__ if name.startswith("TYPE_"))

_EllipticCurve = _curves._EllipticCurve
get_elliptic_curve = deprecated("get_elliptic_curve")(_curves.get_elliptic_curve)
get_elliptic_curves = deprecated("get_elliptic_curves")(_curves.get_elliptic_curves)

PassphraseCallableT = bytes | Callable[..., bytes]
StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
# The kinds of keys of cryptography: what is taken is asked what it can do, not what it is.
_PrivateKey = _PublicKey = _Key = Any

name_as_theirs("crypto", Error)


class X509StoreContextError(Exception):
    """A certificate was refused: no ``Error``, as in pyOpenSSL."""

    def __init__(self, message: str, errors: list[Any], certificate: Any) -> None:
        super().__init__(message)
        self.errors = errors
        self.certificate = certificate


X509StoreContextError.__module__ = "OpenSSL.crypto"

_raise_current_error = functools.partial(_exception_from_error_queue, Error)
_openssl_assert = _make_assert(Error)

_BasePKey: Any = _ours.PKey
_BaseX509: Any = _ours.X509
_BaseX509Name: Any = _ours.X509Name
_BaseX509Req: Any = _ours.X509Req
_BaseX509Extension: Any = _ours.X509Extension
_BaseX509Store: Any = _ours.X509Store
_BaseX509StoreContext: Any = _ours.X509StoreContext
_BaseCRL: Any = _ours.CRL
_BaseRevoked: Any = _ours.Revoked
_BasePKCS7: Any = _ours.PKCS7
_BasePKCS12: Any = _ours.PKCS12
_BaseNetscapeSPKI: Any = _ours.NetscapeSPKI


def _signable(pkey: Any) -> Any:
    """A key to sign with, or the ValueError that pyOpenSSL has for one that cannot."""
    need(pkey, _BasePKey, "pkey must be a PKey instance")
    if pkey._only_public:
        raise ValueError("Key only has public part")
    if not pkey._initialized:
        raise ValueError("Key is uninitialized")
    return pkey


_DIGEST = "No such digest method"


def _extensions(extensions: Any) -> list[Any]:
    found = list(extensions)
    for item in found:
        if not isinstance(item, _BaseX509Extension):
            raise ValueError("One of the elements is not an X509Extension")
    return found


def _pointer() -> property:
    """The pointer of an object that is signed; programs give theirs to what they have made by ``__new__``."""

    def give(self: Any, handle: Any) -> None:
        vars(self).update(vars(type(self)._from_raw(handle)))

    return property(lambda self: self._raw, give)


@deprecating
@in_place_of(_ours.PKey)
class PKey(_BasePKey):
    """A key."""

    # of one whose pointer a program sets
    _initialized = True
    _only_public = False

    def generate_key(self, type: Any, bits: Any = None, **more: Any) -> None:
        """Make a key of ``TYPE_RSA`` or ``TYPE_DSA`` (or what else the backend makes)."""
        if not isinstance(type, str) or (bits is not None and not more):  # a name goes without bits
            need(type, int, "type must be an integer")
            if bits is not None or not more:
                need(bits, int, "bits must be an integer")
            bits = bits or 0
            if type == TYPE_RSA and bits <= 0:
                raise ValueError("Invalid number of bits")
            if type not in _KEY_TYPES:
                raise Error("No such key type")
        try:
            translated(_BasePKey.generate_key)(self, type, bits or 0, **more)
        except ValueError as error:
            raise as_theirs(Error([("openssl_iface", "", str(error))])) from None

    def check(self) -> bool:
        """Whether an RSA key is sound; it is an Error if not."""
        if self._only_public:
            raise TypeError("public key only")
        if self.type() != TYPE_RSA:
            raise TypeError("Only RSA keys can currently be checked.")
        return bool(translated(_BasePKey.check)(self))

    @classmethod
    def from_cryptography_key(cls, crypto_key: Any) -> Any:
        """The same key, from one of cryptography."""
        if type(crypto_key).__name__.startswith(("X25519", "X448", "DHP")):
            raise TypeError("Unsupported key type")  # they cannot sign, and pyOpenSSL does not take them
        try:
            return translated(_BasePKey.from_cryptography_key.__func__)(cls, crypto_key)
        except TypeError:
            raise TypeError("Unsupported key type") from None


PKeyType = PKey


@in_place_of(_ours.X509Name)
class X509Name(_BaseX509Name):
    """A distinguished name."""

    _takes_nul = True

    def __init__(self, name: Any) -> None:
        if type(self) is X509Name:
            warnings.warn(SAID["X509Name"], DeprecationWarning, stacklevel=2)
        super().__init__(name)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            raise AttributeError("No such attribute") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if type(name) is not str:
            raise TypeError(f"attribute name must be string, not '{type(value).__name__:.200}'")
        if not name.startswith("_"):
            need(value, (str, bytes, type(None)), "the value of an attribute must be text")
        try:
            super().__setattr__(name, value)
        except AttributeError:
            raise AttributeError("No such attribute") from None
        except Error as error:
            raise as_theirs(error) from None

    def __repr__(self) -> str:
        room = _ffi.new("char[]", 512)
        _openssl_assert(_lib.X509_NAME_oneline(self._name, room, len(room)) != _ffi.NULL)
        return f"<X509Name object '{_ffi.string(room).decode()}'>"

    __str__ = __repr__


X509NameType = X509Name


@in_place_of(_ours.X509Extension)
class X509Extension(_BaseX509Extension):
    """An extension."""

    def __init__(
        self, type_name: bytes, critical: bool, value: bytes, subject: Any = None, issuer: Any = None
    ) -> None:
        for given, name in ((issuer, "issuer"), (subject, "subject")):
            if given is not None:
                need(given, _BaseX509, f"{name} must be an X509 instance")
        if type_name in (b"proxyCertInfo", "proxyCertInfo"):
            raise as_theirs(
                Error([("X509 V3 routines", "", "no config database")])
            )  # which pyOpenSSL never had
        try:
            super().__init__(type_name, critical, value, subject, issuer)
        except Error as error:
            raise as_theirs(error) from None

    def get_short_name(self) -> bytes:
        """OpenSSL's short name, ``b"UNDEF"`` if it has none."""
        name: bytes = super().get_short_name()
        return b"UNDEF" if name.replace(b".", b"").isdigit() else name


X509ExtensionType = X509Extension


@in_place_of(_ours.X509Req)
class X509Req(_BaseX509Req):
    """A certificate request."""

    _req = _pointer()

    def set_version(self, version: int) -> None:
        """0 is the only version that there is."""
        need(version, int, "version must be an int")
        if version != 0:
            raise ValueError("Invalid version. The only valid version for X509Req is 0.")
        super().set_version(version)

    def add_extensions(self, extensions: Any) -> None:
        """Ask for extensions."""
        translated(_BaseX509Req.add_extensions)(self, _extensions(extensions))

    def sign(self, pkey: PKey, digest: Any) -> None:
        """Sign."""
        signable = _signable(pkey)
        with _saying(ValueError, _DIGEST):
            translated(_BaseX509Req.sign)(self, signable, digest)

    def verify(self, pkey: PKey) -> int:
        """1 if it is signed with *pkey*."""
        return int(translated(_BaseX509Req.verify)(self, pkey))


X509ReqType = X509Req


@deprecating
@in_place_of(_ours.X509)
class X509(_BaseX509):
    """A certificate."""

    _x509 = _pointer()

    @classmethod
    def _from_raw_x509_ptr(cls, x509: Any) -> X509:
        return cls._from_raw(x509)

    @classmethod
    def from_cryptography(cls, crypto_cert: Any) -> Any:
        """The same certificate, from one of cryptography."""
        with _saying(TypeError, "Must be a certificate"):
            return translated(_BaseX509.from_cryptography.__func__)(cls, crypto_cert)

    def digest(self, digest_name: Any) -> bytes:
        """The digest, as hex digits with colons."""
        with _saying(ValueError, _DIGEST):
            return translated(_BaseX509.digest)(self, digest_name)

    def set_pubkey(self, pkey: PKey) -> None:
        """The public key."""
        translated(_BaseX509.set_pubkey)(self, need(pkey, _BasePKey, "pkey must be a PKey instance"))

    def set_subject(self, subject: Any) -> None:
        """The subject."""
        translated(_BaseX509.set_subject)(self, need(subject, _BaseX509Name, "name must be an X509Name"))

    def set_issuer(self, issuer: Any) -> None:
        """The issuer."""
        translated(_BaseX509.set_issuer)(self, need(issuer, _BaseX509Name, "name must be an X509Name"))

    def set_version(self, version: int) -> None:
        """The version: 2 says 3."""
        need(version, int, "version must be an integer")
        translated(_BaseX509.set_version)(self, version)

    def has_expired(self) -> bool:
        """Whether its end lies in the past."""
        if self.get_notAfter() is None:
            raise ValueError("Unable to determine notAfter")
        return bool(translated(_BaseX509.has_expired)(self))

    def get_signature_algorithm(self) -> bytes:
        """How it is signed, in OpenSSL's words; a ValueError if it has none for that."""
        kind = _ffi.new("const ASN1_OBJECT **")
        _lib.X509_ALGOR_get0(kind, _ffi.NULL, _ffi.NULL, _lib.X509_get0_tbs_sigalg(self._x509))
        number = _lib.OBJ_obj2nid(kind[0])
        if number == _lib.NID_undef:
            raise ValueError("Undefined signature algorithm")
        name: bytes = _ffi.string(_lib.OBJ_nid2ln(number))
        return name

    def set_serial_number(self, serial: int) -> None:
        """The serial number."""
        need(serial, int, "serial must be an integer")
        translated(_BaseX509.set_serial_number)(self, serial)

    def sign(self, pkey: PKey, digest: Any) -> None:
        """Sign."""
        signable = _signable(pkey)
        with _saying(ValueError, _DIGEST):
            translated(_BaseX509.sign)(self, signable, digest)

    def add_extensions(self, extensions: Any) -> None:
        """Add extensions."""
        translated(_BaseX509.add_extensions)(self, _extensions(extensions))

    def gmtime_adj_notAfter(self, amount: int) -> None:
        """Valid until so many seconds from now."""
        need(amount, int, "amount must be an integer")
        translated(_BaseX509.gmtime_adj_notAfter)(self, amount)

    def gmtime_adj_notBefore(self, amount: int) -> None:
        """Valid from so many seconds from now on."""
        need(amount, int, "amount must be an integer")
        translated(_BaseX509.gmtime_adj_notBefore)(self, amount)

    def set_notAfter(self, when: bytes) -> None:
        """Valid until *when*, which is kept as it is written."""
        self._set_when(_lib.X509_set1_notAfter, when)

    def set_notBefore(self, when: bytes) -> None:
        """Valid from *when* on, which is kept as it is written."""
        self._set_when(_lib.X509_set1_notBefore, when)

    def _set_when(self, setter: Callable[[Any, Any], int], when: bytes) -> None:
        time = time_from_text(need(when, bytes, "when must be a byte string"))
        with self._writing() as raw:
            _openssl_assert(setter(raw, time) == 1)

    def get_notAfter(self) -> bytes | None:
        """Until when it is valid, as it is written."""
        with self._reading() as raw:
            written = text_from_time(_lib.X509_get0_notAfter(raw))
        return super().get_notAfter() if written is None else written

    def get_notBefore(self) -> bytes | None:
        """From when on it is valid, as it is written."""
        with self._reading() as raw:
            written = text_from_time(_lib.X509_get0_notBefore(raw))
        return super().get_notBefore() if written is None else written


X509Type = X509


class X509StoreFlags:
    """How chains are verified."""

    # Without effect since OpenSSL 1.1.0.
    CB_ISSUER_CHECK = 0


for _flag in _ours.X509StoreFlags:
    setattr(X509StoreFlags, str(_flag.name), int(_flag))


@in_place_of(_ours.X509Store)
class X509Store(_BaseX509Store):
    """Whom to trust."""

    def _as_it_is(self) -> Any:
        """Connections ask the store itself: what is added counts also for those that are made already."""
        return self

    def add_cert(self, cert: Any) -> None:
        """Trust a certificate."""
        if not isinstance(cert, _BaseX509):
            raise TypeError
        translated(_BaseX509Store.add_cert)(self, cert)

    def add_crl(self, crl: Any) -> None:
        """Consider a revocation list (a CRL, or one of cryptography)."""
        if not isinstance(crl, _BaseCRL):
            if not hasattr(crl, "public_bytes"):
                raise TypeError("CRL must be of type cryptography.x509.CertificateRevocationList")
            crl = _BaseCRL.from_cryptography(crl)
        translated(_BaseX509Store.add_crl)(self, crl)

    def load_locations(self, cafile: Any, capath: Any = None) -> None:
        """Trust the certificates of a file, or of a directory."""
        file = _ffi.NULL if cafile is None else path_bytes(cafile)
        directory = _ffi.NULL if capath is None else path_bytes(capath)
        for path in (file, directory):
            if path != _ffi.NULL and b"\0" in path:
                raise ValueError("embedded null byte")
        # By way of _util.lib, where programs look on.
        _openssl_assert(_lib.X509_STORE_load_locations(self._store, file, directory) == 1)
        self._loaded(None if capath is None else directory)


X509StoreType = X509Store


@in_place_of(_ours.X509StoreContext)
class X509StoreContext(_BaseX509StoreContext):
    """A verification."""

    def __init__(self, store: Any, certificate: Any, chain: Any = None) -> None:
        elements = chain if chain is None or isinstance(chain, _BaseX509) else list(chain)
        for element in elements if isinstance(elements, list) else ():
            need(element, _BaseX509, "One of the elements is not an X509 instance")
        super().__init__(store, certificate, elements)

    def verify_certificate(self) -> None:
        """Verify."""
        self.get_verified_chain()

    def get_verified_chain(self) -> Any:
        """Verify; the chain (list)."""
        try:
            return adopt(super().get_verified_chain())
        except _Refused as error:
            raise X509StoreContextError(error.args[0], error.errors, adopt(error.certificate)) from None


@in_place_of(_ours.Revoked)
class Revoked(_BaseRevoked):
    """An entry of a revocation list."""

    def set_serial(self, hex_str: bytes) -> None:
        """The serial number: the hex digits that *hex_str* begins with."""
        digits = re.match(rb"-?[0-9A-Fa-f]+", need(hex_str, bytes, "hex_str must be a byte string"))
        if digits is None:
            raise ValueError("bad hex string")
        translated(_BaseRevoked.set_serial)(self, digits[0])

    def set_reason(self, reason: bytes | None) -> None:
        """Why: one of :meth:`all_reasons`, or ``None``."""
        if reason is not None:
            need(reason, bytes, "reason must be None or a byte string")
        translated(_BaseRevoked.set_reason)(self, reason)


@in_place_of(_ours.CRL)
class CRL(_BaseCRL):
    """A revocation list."""

    _crl = _pointer()

    def export(
        self, cert: Any, key: Any, type: int = FILETYPE_PEM, days: int = 100, digest: Any = UNSPECIFIED
    ) -> bytes:
        """Date, sign and dump it."""
        need(cert, _BaseX509, "cert must be an X509 instance")
        need(key, _BasePKey, "key must be a PKey instance")
        need(type, int, "type must be an integer")
        if digest is UNSPECIFIED:
            raise TypeError("digest must be provided")
        kind = _type(type, text=True)
        with _saying(ValueError, _DIGEST):
            return translated(_BaseCRL.export)(self, cert, key, kind, days, digest)


@in_place_of(_ours.PKCS7)
class PKCS7(_BasePKCS7):
    """A PKCS#7 message."""


@in_place_of(_ours.PKCS12)
class PKCS12(_BasePKCS12):
    """A PKCS#12 file."""

    def export(self, passphrase: Any = None, iter: int | None = None, maciter: int | None = None) -> bytes:
        """The file, encrypted and authenticated as this project does it; fewer rounds are for the asking."""
        word = bytes_of_text("passphrase", passphrase)
        rounds = {"iter": iter, "maciter": maciter}
        chosen = {name: number for name, number in rounds.items() if number}
        return translated(_BasePKCS12.export)(self, word, **chosen)


@in_place_of(_ours.NetscapeSPKI)
class NetscapeSPKI(_BaseNetscapeSPKI):
    """A signed public key as browsers made it."""

    def sign(self, pkey: PKey, digest: Any) -> None:
        """Sign."""
        signable = _signable(pkey)
        with _saying(ValueError, _DIGEST):
            translated(_BaseNetscapeSPKI.sign)(self, signable, digest)

    def verify(self, key: PKey) -> bool:
        """Whether it is signed with *key*."""
        return bool(translated(_BaseNetscapeSPKI.verify)(self, key))


RevokedType = Revoked
CRLType = CRL
PKCS7Type = PKCS7
PKCS12Type = PKCS12
NetscapeSPKIType = NetscapeSPKI


# -- what a caller may give --------------------------------------------------------------


def _certificate(cert: Any) -> Any:
    """An X509, from one of ours (with a warning) or of cryptography."""
    if not isinstance(cert, _BaseX509):
        return X509.from_cryptography(cert)
    passed("X509 objects")
    return cert


def _key(pkey: Any) -> Any:
    """A PKey, from one of ours (with a warning) or of cryptography."""
    if not isinstance(pkey, _BasePKey):
        return PKey.from_cryptography_key(pkey)
    passed("PKey objects")
    return pkey


# -- functions -----------------------------------------------------------------------------


def load_privatekey(type: int, buffer: Any, passphrase: Any = None) -> PKey:
    """The private key in *buffer*."""
    helper = _PassphraseHelper(type, passphrase)
    return translated(_ours.load_privatekey)(_type(type), first(type, _ascii(buffer)), helper.passphrase)


def dump_privatekey(type: int, pkey: PKey, cipher: Any = None, passphrase: Any = None) -> bytes:
    """The private key as bytes."""
    need(pkey, _BasePKey, "pkey must be a PKey")
    if cipher is not None and passphrase is None:
        raise TypeError("if a value is given for cipher one must also be given for passphrase")
    if cipher is not None and not _lib.EVP_get_cipherbyname(os.fsencode(cipher)):
        raise ValueError("Invalid cipher name")
    helper = _PassphraseHelper(type, passphrase)
    if type == FILETYPE_TEXT and pkey.type() != TYPE_RSA:
        raise TypeError("Only RSA keys are supported for FILETYPE_TEXT")
    if type == FILETYPE_TEXT:
        rsa = _ffi.gc(_lib.EVP_PKEY_get1_RSA(pkey._pkey), _lib.RSA_free)
        _openssl_assert(rsa != _ffi.NULL)
        return shown(_lib.RSA_print, rsa, 0)
    return translated(_ours.dump_privatekey)(_type(type, text=True), pkey, cipher, helper.passphrase)


def load_publickey(type: int, buffer: Any) -> PKey:
    """The public key in *buffer*."""
    return translated(_ours.load_publickey)(_type(type), first(type, _ascii(buffer)))


def load_certificate(type: int, buffer: Any) -> X509:
    """The certificate in *buffer*."""
    with _reading_pem(type):
        return translated(_ours.load_certificate)(_type(type), first(type, _ascii(buffer)))


def load_certificate_request(type: int, buffer: Any) -> X509Req:
    """The certificate request in *buffer*."""
    with _reading_pem(type):
        return translated(_ours.load_certificate_request)(_type(type), first(type, _ascii(buffer)))


def load_crl(type: int, buffer: Any) -> CRL:
    """The revocation list in *buffer*."""
    with _reading_pem(type):
        return translated(_ours.load_crl)(_type(type), first(type, _ascii(buffer)))


def load_pkcs7_data(type: int, buffer: Any) -> PKCS7:
    """The PKCS#7 message in *buffer*."""
    return translated(_ours.load_pkcs7_data)(_type(type), first(type, _ascii(buffer)))


def load_pkcs12(buffer: Any, passphrase: Any = None) -> PKCS12:
    """The content of a PKCS#12 file."""
    word = bytes_of_text("passphrase", passphrase)
    made = translated(_ours.load_pkcs12)(first(FILETYPE_ASN1, _ascii(buffer)), word)
    for part in (made.get_certificate(), made.get_privatekey(), made.get_ca_certificates()):
        adopt(part)
    return made


def sign(pkey: PKey, data: Any, digest: Any) -> bytes:
    """A signature."""
    with _saying(ValueError, _DIGEST):
        return translated(_ours.sign)(pkey, bytes_of_text("data", data), digest)


def verify(cert: Any, signature: bytes, data: Any, digest: Any) -> None:
    """Check a signature of :func:`sign`."""
    with _saying(ValueError, _DIGEST):
        translated(_ours.verify)(cert, signature, bytes_of_text("data", data), digest)


def dump_certificate(type: int, cert: Any) -> bytes:
    """A certificate as bytes."""
    if type == FILETYPE_TEXT and isinstance(cert, _BaseX509):
        with cert._reading() as raw:
            return shown(_lib.X509_print_ex, raw, 0, 0)
    return translated(_ours.dump_certificate)(_type(type, text=True), cert)


def dump_certificate_request(type: int, req: Any) -> bytes:
    """A certificate request as bytes."""
    if type == FILETYPE_TEXT and isinstance(req, _BaseX509Req):
        with req._reading() as raw:
            return shown(_lib.X509_REQ_print_ex, raw, 0, 0)
    return translated(_ours.dump_certificate_request)(_type(type, text=True), req)


def dump_crl(type: int, crl: Any) -> bytes:
    """A revocation list as bytes."""
    if type == FILETYPE_TEXT and isinstance(crl, _BaseCRL):
        with crl._reading() as raw:
            return shown(_lib.X509_CRL_print_ex, raw, 0)
    return translated(_ours.dump_crl)(_type(type, text=True), crl)


def dump_publickey(type: int, pkey: Any) -> bytes:
    """A public key as bytes."""
    return translated(_ours.dump_publickey)(_type(type), pkey)


dump_pkcs7_data = translated(_ours.dump_pkcs7_data)
load_certificates = translated(_ours.load_certificates)


# What the later releases have taken away: the last ones that had it said so when it was asked for.
_REMOVED = (
    "CRL",
    "NetscapeSPKI",
    "PKCS12",
    "PKCS7",
    "Revoked",
    "X509Extension",
    "X509Req",
    "dump_certificate_request",
    "dump_crl",
    "load_certificate_request",
    "load_crl",
    "load_pkcs12",
    "load_pkcs7_data",
    "sign",
    "verify",
)
_GONE = "{} has been removed from pyOpenSSL; openssl_iface has it for programs that need it still"
# name -> (what is said to who takes it from the module, what it is)
_SAYING = {
    "dump_privatekey": (SAID["dump_privatekey"], globals().pop("dump_privatekey")),
    **{name: (_GONE.format(name), globals().pop(name)) for name in _REMOVED},
}


def __getattr__(name: str) -> Any:
    if name not in _SAYING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    said, value = _SAYING[name]
    warnings.warn(said, DeprecationWarning, stacklevel=2)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_SAYING})
