"""Certificates; see ``IX509``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError
from ..interfaces import IX509
from ..values import FileType
from ._asn1 import (
    algorithm_name,
    as_time,
    datetime_from_bytes,
    format_time,
    from_now,
    has_key,
    has_time,
    integer_to_int,
    now,
    serial_from_int,
    time_from_datetime,
    time_to_bytes,
)
from ._encoding import Codec, as_bytes, as_instance, as_int, copy_bytes, from_der, to_der
from ._errors import check, clear, take
from ._handles import own
from ._native import ffi, lib
from ._signed import Signed
from .extension import X509Extension, as_extensions, decoded, general_names
from .name import X509Name
from .pkey import PKey, digest_by_name, verify_with

# The version field counts from 0 (RFC 5280, section 4.1.2.1).
VERSION_3 = 2


def _show(bio: Any, handle: Any) -> int:
    return lib.X509_print_ex(bio, handle, lib.XN_FLAG_ONELINE & ~lib.ASN1_STRFLGS_ESC_MSB, 0)


def _signature(raw: Any, bits: Any, algorithm: Any) -> None:
    lib.X509_get0_signature(bits, algorithm, raw)


def _has_key(raw: Any) -> bool:
    return has_key(lib.X509_get_X509_PUBKEY(raw))


@implementer(IX509)
class X509(Signed):
    """A certificate, or one in the making; see ``IX509``."""

    # "TRUSTED CERTIFICATE" makes OpenSSL read the other spellings too.
    _codec = Codec(
        "certificate", b"CERTIFICATE", lib.d2i_X509, lib.i2d_X509, lib.X509_free, _show,
        read_label=b"TRUSTED CERTIFICATE", readers=((b"TRUSTED CERTIFICATE", lib.d2i_X509_AUX),),
    )  # fmt: skip
    _new = lib.X509_new
    _dup = lib.X509_dup
    _refresh = lib.i2d_re_X509_tbs
    _sign = lib.X509_sign
    _verify = lib.X509_verify
    _signature = _signature
    _parts = (
        ("notBefore", lambda raw: has_time(lib.X509_get0_notBefore(raw))),
        ("notAfter", lambda raw: has_time(lib.X509_get0_notAfter(raw))),
        ("public key", _has_key),
    )

    @property
    def _x509(self) -> Any:
        return self._raw

    # -- the fields ----------------------------------------------------------

    def get_version(self) -> int:
        with self._reading() as raw:
            return lib.X509_get_version(raw)

    def set_version(self, version: int) -> None:
        number = as_int(version, "version")
        with self._writing() as raw:
            check(lib.X509_set_version(raw, number), "version")

    def get_serial_number(self) -> int:
        with self._reading() as raw:
            return integer_to_int(lib.X509_get0_serialNumber(raw))

    def set_serial_number(self, serial: int) -> None:
        number = serial_from_int(serial, "serial")
        with self._writing() as raw:
            check(lib.X509_set_serialNumber(raw, number), "serial")

    def get_subject(self) -> X509Name:
        return self._get_name("subject", lib.X509_get_subject_name, lib.X509_set_subject_name)

    def set_subject(self, subject: X509Name) -> None:
        self._set_name("subject", lib.X509_set_subject_name, subject)

    def get_issuer(self) -> X509Name:
        return self._get_name("issuer", lib.X509_get_issuer_name, lib.X509_set_issuer_name)

    def set_issuer(self, issuer: X509Name) -> None:
        self._set_name("issuer", lib.X509_set_issuer_name, issuer)

    def subject_name_hash(self) -> int:
        with self._reading() as raw:
            number = lib.X509_subject_name_hash(raw)
            clear()
            return number

    def get_pubkey(self) -> PKey:
        message = "this certificate has no public key that OpenSSL understands"
        with self._reading() as raw:
            if not _has_key(raw):
                raise take(CryptoError, "this certificate has no public key yet")
            clear()
            key = own(lib.X509_get_pubkey(raw), lib.EVP_PKEY_free, message)
        if not self._sealed:
            # what set_pubkey was given, which may be a private key
            key = from_der(lib.d2i_PUBKEY, lib.EVP_PKEY_free, to_der(lib.i2d_PUBKEY, key, message), message)
        return PKey._from_raw(key, only_public=True)

    def set_pubkey(self, pkey: PKey) -> None:
        key = as_instance(pkey, PKey, "pkey")._need("pkey")
        with self._writing() as raw:
            check(lib.X509_set_pubkey(raw, key), "pkey: cannot be used in a certificate")

    def get_signature_algorithm(self) -> bytes:
        name = super().get_signature_algorithm()
        # RFC 5280, section 4.1.1.2: the one that is signed must say the same.
        with self._reading() as raw:
            signed = algorithm_name(lib.X509_get0_tbs_sigalg(raw))
        if name != signed.encode():
            raise ValueError("this certificate names two signature algorithms")
        return name

    # -- validity ------------------------------------------------------------

    def get_notBefore(self) -> bytes | None:  # noqa: N802
        with self._reading() as raw:
            return time_to_bytes(lib.X509_get0_notBefore(raw), "notBefore")

    def get_notAfter(self) -> bytes | None:  # noqa: N802
        with self._reading() as raw:
            return time_to_bytes(lib.X509_get0_notAfter(raw), "notAfter")

    def set_notBefore(self, when: Any) -> None:  # noqa: N802
        self._set_time(lib.X509_set1_notBefore, as_time(when, "when"), "when")

    def set_notAfter(self, when: Any) -> None:  # noqa: N802
        self._set_time(lib.X509_set1_notAfter, as_time(when, "when"), "when")

    def gmtime_adj_notBefore(self, amount: int) -> None:  # noqa: N802
        self._set_time(lib.X509_set1_notBefore, from_now(amount, "amount"), "amount")

    def gmtime_adj_notAfter(self, amount: int) -> None:  # noqa: N802
        self._set_time(lib.X509_set1_notAfter, from_now(amount, "amount"), "amount")

    def _set_time(self, setter: Any, moment: datetime, argument: str) -> None:
        time = time_from_datetime(moment, argument)
        with self._writing() as raw:
            check(setter(raw, time), argument)

    @property
    def not_valid_before(self) -> datetime | None:
        return datetime_from_bytes(self.get_notBefore(), "notBefore")

    @property
    def not_valid_after(self) -> datetime | None:
        return datetime_from_bytes(self.get_notAfter(), "notAfter")

    def has_expired(self) -> bool:
        end = self.get_notAfter()
        if end is None:
            raise take(CryptoError, "this certificate has no notAfter yet")
        return format_time(now()) > end

    # -- extensions ----------------------------------------------------------

    def add_extensions(self, extensions: Iterable[X509Extension]) -> None:
        items = as_extensions(extensions)
        with self._writing() as raw:
            before = lib.X509_get_ext_count(raw)
            try:
                for item in items:
                    check(lib.X509_add_ext(raw, item._extension, -1), "extensions")
            except CryptoError:
                while lib.X509_get_ext_count(raw) > before:
                    lib.X509_EXTENSION_free(lib.X509_delete_ext(raw, before))
                raise

    def get_extension_count(self) -> int:
        with self._reading() as raw:
            return lib.X509_get_ext_count(raw)

    def get_extension(self, index: int) -> X509Extension:
        number = as_int(index, "index")
        with self._reading() as raw:
            if not 0 <= number < lib.X509_get_ext_count(raw):
                raise IndexError(f"index: there is no extension {number}")
            return X509Extension._from_borrowed(lib.X509_get_ext(raw, number))

    def get_extensions(self) -> list[X509Extension]:
        with self._reading() as raw:
            return [
                X509Extension._from_borrowed(lib.X509_get_ext(raw, at))
                for at in range(lib.X509_get_ext_count(raw))
            ]

    def get_subject_alt_names(self) -> list[tuple[str, Any]]:
        with self._reading() as raw:
            names = decoded(
                lambda why: ffi.cast(
                    "GENERAL_NAMES *", lib.X509_get_ext_d2i(raw, lib.NID_subject_alt_name, why, ffi.NULL)
                ),
                lib.GENERAL_NAMES_free,
                "subjectAltName",
            )
        return general_names(names) if names is not None else []

    # -- the signature -------------------------------------------------------

    def sign(self, pkey: PKey, digest: str | bytes | None = None) -> None:
        self._sign_with(pkey, digest)

    def _before_signing(self, raw: Any) -> None:
        if lib.X509_get_ext_count(raw) and lib.X509_get_version(raw) < VERSION_3:
            check(lib.X509_set_version(raw, VERSION_3), "version")

    def verify(self, pkey: PKey) -> bool:
        self._check_signature(pkey)
        return True

    def digest(self, digest_name: str | bytes) -> bytes:
        method = digest_by_name(digest_name)
        room = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE)
        size = ffi.new("unsigned int *")
        handle = self._whole()
        clear()
        check(lib.X509_digest(handle, method, room, size), "digest_name: cannot be used")
        clear()
        return copy_bytes(room, size[0]).hex(":").upper().encode()

    # -- exchange ------------------------------------------------------------

    def to_cryptography(self) -> Any:
        from cryptography.x509 import load_der_x509_certificate

        return load_der_x509_certificate(self._der())

    @classmethod
    def from_cryptography(cls, crypto_cert: Any) -> X509:
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509 import Certificate

        der = as_instance(crypto_cert, Certificate, "crypto_cert").public_bytes(Encoding.DER)
        return cls._load(FileType.ASN1, der)

    def __repr__(self) -> str:
        return f"<X509 subject '{self.get_subject()}', issuer '{self.get_issuer()}'>"


def load_certificate(type: int, buffer: Any) -> X509:  # noqa: A002
    """See ``ICrypto.load_certificate``."""
    return X509._load(type, buffer)


def load_certificates(buffer: Any) -> list[X509]:
    """All certificates of a PEM file, in their order.

    :raises CryptoError: there is none, or one of them is damaged.
    """
    return certificates_of(buffer, "buffer")


def certificates_of(data: Any, argument: str) -> list[X509]:
    """The same; *argument* is what the data are called in messages."""
    found = [X509._from_raw(handle) for handle in X509._codec.load_all(data, argument)]
    if not found:
        raise take(CryptoError, f"{argument}: no certificate in it")
    return found


def certificate_stack(certificates: Any, argument: str) -> Any:
    """An owned stack of complete certificates (iterable of X509), for OpenSSL; NULL if there are none."""
    if not isinstance(certificates, Iterable):
        raise TypeError(f"{argument}: an iterable of X509 expected, not {type(certificates).__name__}")
    handles = [as_instance(item, X509, argument)._whole(argument) for item in certificates]
    if not handles:
        return ffi.NULL
    stack = own(lib.sk_X509_new_null(), lib.oi_certificates_free)
    for handle in handles:
        check(lib.X509_up_ref(handle))
        check(lib.sk_X509_push(stack, handle))
    return stack


def dump_certificate(type: int, cert: X509) -> bytes:  # noqa: A002
    """See ``ICrypto.dump_certificate``."""
    return as_instance(cert, X509, "cert")._dump(type, "cert")


def verify(cert: Any, signature: Any, data: Any, digest: Any = None) -> None:
    """Check a signature of ``crypto.sign`` with a certificate's key (an X509), or with a key (a PKey).

    :raises CryptoError: it does not match.
    """
    key = cert if isinstance(cert, PKey) else as_instance(cert, X509, "cert").get_pubkey()
    verify_with(key, as_bytes(signature, "signature"), data, digest)
