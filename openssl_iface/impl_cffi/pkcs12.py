"""PKCS#12 files: a private key, its certificate, and other certificates; see ``IPKCS12``.

Reading takes a file apart bag by bag (RFC 7292, section 4.2), and not by *PKCS12_parse(3)*:
that one reverses the order of the certificates in OpenSSL 1.1.1, refuses files without a
MAC there, and takes things for granted that a hostile file need not have.  Writing leaves it all
to *PKCS12_create(3)*.

The library context only matters to what decrypts; keys and certificates are made in the
default one, so that they can be used for everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError
from ..interfaces import IPKCS12
from ._asn1 import string_bytes
from ._encoding import as_bytes, as_instance, as_int, from_der, to_der
from ._errors import check, clear, take
from ._handles import own
from ._native import ffi, lib
from .pkey import PBKDF2_ROUNDS, PKey
from .providers import decode_in_context, with_legacy
from .x509 import X509, certificate_stack

NOT_ONE = "buffer: not a PKCS#12 file"
WRONG = "passphrase: wrong, or buffer: damaged"
# What PKCS12_parse would say of it.
MAC_FAILURE = ("PKCS12 routines", "PKCS12_parse", "mac verify failure")

# The most rounds of key derivation that are done for a file, or for its writer: some seconds.
# A file may ask for any number, and is believed before its passphrase can be checked.
ROUNDS_MAX = 10_000_000

# maciter: no MAC at all.
NO_MAC = -1

# A passphrase as OpenSSL takes it: a pointer, which may be NULL, and a length.
Secret = tuple[Any, int]


# -- reading -----------------------------------------------------------------


def _secrets(passphrase: Any) -> list[Secret]:
    """What *passphrase* may mean, to be tried in turn.

    An absent and an empty passphrase give different keys, and programs take the one for the
    other.  OpenSSL before 1.1.0 took each byte of UTF-8 for a character.
    """
    secret = b"" if passphrase is None else as_bytes(passphrase, "passphrase")
    if not secret:
        return [(ffi.NULL, 0), (b"", 0)]
    secrets: list[Secret] = [(secret, len(secret))]
    if not secret.isascii():
        twice = secret.decode("latin-1").encode()
        secrets.append((twice, len(twice)))
    return secrets


def _bounded(rounds: int) -> None:
    if rounds > ROUNDS_MAX:
        raise take(CryptoError, f"buffer: asks for more than {ROUNDS_MAX} rounds of key derivation")


@dataclass
class _Item:
    """A key or a certificate, with the attributes of its bag."""

    handle: Any
    name: bytes | None
    identity: bytes | None


@dataclass
class _Content:
    """What a file holds, in its order."""

    keys: list[_Item] = field(default_factory=list)
    certificates: list[_Item] = field(default_factory=list)


class _Reader:
    """Takes one file apart with one passphrase."""

    def __init__(self, secret: Secret, context: Any) -> None:
        self.secret = secret
        self.context = context
        self.content = _Content()

    def read(self, safes: Any) -> _Content:
        for index in range(lib.sk_PKCS7_num(safes)):
            self._safe(lib.sk_PKCS7_value(safes, index))
        return self.content

    def _safe(self, safe: Any) -> None:
        if not lib.oi_pkcs7_complete(safe):
            raise take(CryptoError, f"{NOT_ONE}: a part of it has no content")
        kind = lib.OBJ_obj2nid(lib.oi_pkcs7_type(safe))
        clear()
        if kind == lib.NID_pkcs7_data:
            bags = own(lib.PKCS12_unpack_p7data(safe), lib.oi_bags_free, NOT_ONE)
        elif kind == lib.NID_pkcs7_encrypted:
            _bounded(lib.oi_pkcs7_work(safe))
            clear()
            bags = own(lib.PKCS12_unpack_p7encdata(safe, *self.secret), lib.oi_bags_free, WRONG)
        else:
            raise take(CryptoError, "buffer: a part of it is encrypted with something else than a passphrase")
        self._bags(bags)

    def _bags(self, bags: Any) -> None:
        # safes in safes: OpenSSL's decoder has bounded how deep they go
        for index in range(lib.sk_PKCS12_SAFEBAG_num(bags)):
            bag = lib.sk_PKCS12_SAFEBAG_value(bags, index)
            kind = lib.PKCS12_SAFEBAG_get_nid(bag)
            if kind == lib.NID_safeContentsBag:
                self._bags(lib.PKCS12_SAFEBAG_get0_safes(bag))
            elif kind == lib.NID_keyBag:
                self._key(bag, lib.PKCS12_SAFEBAG_get0_p8inf(bag))
            elif kind == lib.NID_pkcs8ShroudedKeyBag:
                _bounded(lib.oi_bag_work(bag))
                clear()
                self._key(bag, own(self._decrypt(bag), lib.PKCS8_PRIV_KEY_INFO_free, WRONG))
            elif kind == lib.NID_certBag and lib.PKCS12_SAFEBAG_get_bag_nid(bag) == lib.NID_x509Certificate:
                self._certificate(bag)

    def _decrypt(self, bag: Any) -> Any:
        if self.context == ffi.NULL:
            return lib.PKCS12_decrypt_skey(bag, *self.secret)
        return lib.PKCS12_decrypt_skey_ex(bag, *self.secret, self.context, ffi.NULL)

    def _key(self, bag: Any, info: Any) -> None:
        clear()
        handle = own(
            lib.EVP_PKCS82PKEY(info),
            lib.EVP_PKEY_free,
            "buffer: OpenSSL does not know its kind of key",
        )
        self.content.keys.append(_item(bag, handle))

    def _certificate(self, bag: Any) -> None:
        clear()
        handle = own(
            lib.PKCS12_SAFEBAG_get1_cert(bag), lib.X509_free, "buffer: a certificate in it is malformed"
        )
        self.content.certificates.append(_item(bag, handle))


def _item(bag: Any, handle: Any) -> _Item:
    name = lib.oi_bag_attribute(bag, lib.NID_friendlyName, lib.V_ASN1_BMPSTRING)
    identity = lib.oi_bag_attribute(bag, lib.NID_localKeyID, lib.V_ASN1_OCTET_STRING)
    return _Item(
        handle,
        None if name == ffi.NULL else string_bytes(name).decode("utf-16-be", "replace").encode(),
        None if identity == ffi.NULL else string_bytes(identity),
    )


def _decode(data: bytes, context: Any) -> Any:
    file = from_der(lib.d2i_PKCS12, lib.PKCS12_free, data, NOT_ONE)
    if not lib.oi_pkcs12_complete(data, len(data)):
        raise take(CryptoError, f"{NOT_ONE}, or it has no content")
    if context != ffi.NULL:
        fresh = lib.PKCS12_init_ex(lib.NID_pkcs7_data, context, ffi.NULL)
        file = decode_in_context(lib.d2i_PKCS12, fresh, lib.PKCS12_free, data)
    clear()
    return file


def _verified(file: Any, secrets: list[Secret]) -> list[Secret]:
    """Those of *secrets* to decrypt with: the one that the MAC confirms."""
    if not lib.PKCS12_mac_present(file):
        return secrets
    _bounded(lib.oi_pkcs12_mac_work(file))
    clear()
    for secret in secrets:
        if lib.PKCS12_verify_mac(file, *secret) == 1:
            clear()
            return [secret]
    error = take(CryptoError, WRONG)
    # verifying says no without giving a reason
    raise error if error.codes else CryptoError.from_reasons([MAC_FAILURE], WRONG)


def _read(data: bytes, secrets: list[Secret], context: Any) -> _Content:
    file = _decode(data, context)
    safes = own(lib.PKCS12_unpack_authsafes(file), lib.oi_pkcs7s_free, NOT_ONE)
    *others, last = _verified(file, secrets)
    for secret in others:
        try:
            return _Reader(secret, context).read(safes)
        except CryptoError:
            pass
    return _Reader(last, context).read(safes)


def _own_certificate(key: _Item, certificates: list[_Item]) -> _Item | None:
    """The certificate of *key*: by its public key, and if several have it, by the identity."""
    matching = [item for item in certificates if lib.X509_check_private_key(item.handle, key.handle) == 1]
    clear()
    for item in matching:
        if item.identity is not None and item.identity == key.identity:
            return item
    return matching[0] if matching else None


def load_pkcs12(buffer: Any, passphrase: Any = None) -> PKCS12:
    """See ``ICrypto.load_pkcs12``."""
    data = as_bytes(buffer, "buffer")
    secrets = _secrets(passphrase)
    content = with_legacy(lambda context: _read(data, secrets, context), "buffer: this PKCS#12 file")
    clear()
    made = PKCS12()
    others = content.certificates
    if content.keys:
        key = content.keys[0]
        mine = _own_certificate(key, others)
        made._pkey = PKey._from_raw(key.handle)
        made._friendlyname = key.name
        if mine is not None:
            others = [item for item in others if item is not mine]
            made._cert = X509._from_raw(mine.handle)
            made._friendlyname = mine.name if mine.name is not None else key.name
    for item in others:
        if item.name and _is_bmp(item.name):
            # where PKCS12_create looks for it, when the certificate is written again
            check(lib.X509_alias_set1(item.handle, item.name, len(item.name)))
    if others:
        made._cacerts = tuple(X509._from_raw(item.handle) for item in others)
    return made


# -- writing -----------------------------------------------------------------


def _is_bmp(name: bytes) -> bool:
    """Whether the UTF-8 *name* can be written: a BMPString has 16 bits for a character."""
    return max(name.decode(), default="") <= "\uffff"


@dataclass(frozen=True)
class _Scheme:
    """How a file is encrypted and authenticated."""

    key: int
    certificates: int
    mac: bytes


_MODERN = _Scheme(lib.NID_aes_256_cbc, lib.NID_aes_256_cbc, b"sha256")
_LEGACY = _Scheme(lib.NID_pbe_WithSHA1And3_Key_TripleDES_CBC, lib.NID_pbe_WithSHA1And40BitRC2_CBC, b"sha1")


def _text(value: Any, argument: str) -> bytes | None:
    """UTF-8 for a function that takes it as a C string."""
    if value is None:
        return None
    text = as_bytes(value, argument)
    if b"\0" in text:
        raise ValueError(f"{argument}: contains a NUL")
    return text


@implementer(IPKCS12)
class PKCS12:
    """The content of a PKCS#12 file, or of one in the making; see ``IPKCS12``."""

    def __init__(self) -> None:
        self._pkey: PKey | None = None
        self._cert: X509 | None = None
        self._cacerts: tuple[X509, ...] | None = None
        self._friendlyname: bytes | None = None

    def get_certificate(self) -> X509 | None:
        return self._cert

    def set_certificate(self, cert: X509 | None) -> None:
        self._cert = None if cert is None else as_instance(cert, X509, "cert")

    def get_privatekey(self) -> PKey | None:
        return self._pkey

    def set_privatekey(self, pkey: PKey | None) -> None:
        self._pkey = None if pkey is None else as_instance(pkey, PKey, "pkey")

    def get_ca_certificates(self) -> tuple[X509, ...] | None:
        return self._cacerts

    def set_ca_certificates(self, cacerts: Iterable[X509] | None) -> None:
        if cacerts is None:
            self._cacerts = None
            return
        if isinstance(cacerts, X509) or not isinstance(cacerts, Iterable):
            raise TypeError(f"cacerts: an iterable of X509 expected, not {type(cacerts).__name__}")
        self._cacerts = tuple(as_instance(cert, X509, "cacerts") for cert in cacerts)

    def get_friendlyname(self) -> bytes | None:
        return self._friendlyname

    def set_friendlyname(self, name: str | bytes | None) -> None:
        text = _text(name, "name")
        if text is not None:
            try:
                writable = _is_bmp(text)
            except UnicodeDecodeError as error:
                raise ValueError(f"name: not UTF-8: {error.reason}") from None
            if not writable:
                raise ValueError("name: a character beyond U+FFFF, for which PKCS#12 has no room")
        self._friendlyname = text

    def export(
        self,
        passphrase: str | bytes | None = None,
        iter: int = PBKDF2_ROUNDS,  # noqa: A002
        maciter: int = PBKDF2_ROUNDS,
        *,
        legacy: bool = False,
    ) -> bytes:
        secret = _text(passphrase, "passphrase")
        name = self._friendlyname
        if name is not None and (b"\0" in name or not _is_bmp(name)):
            # Other software has written it; PKCS12_create takes it for a C string of 16-bit characters.
            raise ValueError("self: its friendly name has a NUL or a character beyond U+FFFF: set another")
        rounds = as_int(iter, "iter", 0, ROUNDS_MAX) or PBKDF2_ROUNDS
        # 0 is the default, as for PKCS12_create(3).
        mac_rounds = as_int(maciter, "maciter", NO_MAC, ROUNDS_MAX) or PBKDF2_ROUNDS
        scheme = _LEGACY if legacy else _MODERN
        key, cert = self._pkey, self._cert
        if key is None and cert is None and not self._cacerts:
            raise take(CryptoError, "this PKCS#12 cannot be written: neither a private key nor a certificate")
        private = ffi.NULL if key is None else key._need_private("its private key")
        mine = ffi.NULL if cert is None else cert._whole("its certificate")
        others = certificate_stack(self._cacerts or (), "its CA certificates")
        label = ffi.NULL if name is None else name
        word, size = (ffi.NULL, 0) if secret is None else (secret, len(secret))

        def create(context: Any) -> Any:
            # PKCS12_create would choose another digest for the MAC in each version.
            arguments = (
                word, label, private, mine, others, scheme.key, scheme.certificates, rounds, NO_MAC, 0,
            )  # fmt: skip
            clear()
            if context == ffi.NULL:
                made = lib.PKCS12_create(*arguments)
            else:
                made = lib.PKCS12_create_ex(*arguments, context, ffi.NULL)
            return own(made, lib.PKCS12_free, "this PKCS#12 cannot be written")

        file = with_legacy(create, "legacy: this form")
        if mac_rounds != NO_MAC:
            digest = lib.EVP_get_digestbyname(scheme.mac)
            check(
                lib.PKCS12_set_mac(file, word, size, ffi.NULL, 0, mac_rounds, digest),
                "this PKCS#12 cannot be authenticated",
            )
        clear()
        return to_der(lib.i2d_PKCS12, file, "this PKCS#12 cannot be written")
