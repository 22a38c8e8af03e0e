"""Certificate requests (PKCS#10, RFC 2986); see ``IX509Req``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError
from ..interfaces import IX509Req
from ..values import FileType
from ._asn1 import has_key
from ._encoding import Codec, as_instance, as_int, from_der, to_der
from ._errors import check, clear, take
from ._handles import own
from ._native import lib
from ._signed import Signed
from .extension import X509Extension, as_extensions
from .name import X509Name
from .pkey import PKey


def _show(bio: Any, handle: Any) -> int:
    return lib.X509_REQ_print_ex(bio, handle, lib.XN_FLAG_ONELINE & ~lib.ASN1_STRFLGS_ESC_MSB, 0)


def _has_key(raw: Any) -> bool:
    return has_key(lib.X509_REQ_get_X509_PUBKEY(raw))


def _free_extensions(stack: Any) -> None:
    for at in range(lib.sk_X509_EXTENSION_num(stack)):
        lib.X509_EXTENSION_free(lib.sk_X509_EXTENSION_value(stack, at))
    lib.sk_X509_EXTENSION_free(stack)


def _extensions(raw: Any) -> list[X509Extension]:
    kinds = (lib.NID_ext_req, lib.NID_ms_ext_req)
    if all(lib.X509_REQ_get_attr_by_NID(raw, kind, -1) < 0 for kind in kinds):
        return []
    clear()
    stack = own(
        lib.X509_REQ_get_extensions(raw), _free_extensions, "the extensions of this request are malformed"
    )
    clear()
    return [
        X509Extension._from_borrowed(lib.sk_X509_EXTENSION_value(stack, at))
        for at in range(lib.sk_X509_EXTENSION_num(stack))
    ]


@implementer(IX509Req)
class X509Req(Signed):
    """A certificate request, or one in the making; see ``IX509Req``."""

    _codec = Codec(
        "certificate request",
        b"CERTIFICATE REQUEST",
        lib.d2i_X509_REQ,
        lib.i2d_X509_REQ,
        lib.X509_REQ_free,
        _show,
    )
    _new = lib.X509_REQ_new
    _dup = lib.X509_REQ_dup
    _refresh = lib.i2d_re_X509_REQ_tbs
    _sign = lib.X509_REQ_sign
    _verify = lib.X509_REQ_verify
    _signature = lib.X509_REQ_get0_signature
    _parts = (("public key", _has_key),)

    def __init__(self) -> None:
        super().__init__()
        # OpenSSL leaves the field empty, which is no valid encoding
        self.set_version(0)

    @property
    def _req(self) -> Any:
        return self._raw

    def get_version(self) -> int:
        with self._reading() as raw:
            return lib.X509_REQ_get_version(raw)

    def set_version(self, version: int) -> None:
        number = as_int(version, "version")
        with self._writing() as raw:
            check(lib.X509_REQ_set_version(raw, number), "version")

    def get_subject(self) -> X509Name:
        return self._get_name("subject", lib.X509_REQ_get_subject_name, lib.X509_REQ_set_subject_name)

    def set_subject(self, subject: X509Name) -> None:
        self._set_name("subject", lib.X509_REQ_set_subject_name, subject)

    def get_pubkey(self) -> PKey:
        message = "this request has no public key that OpenSSL understands"
        with self._reading() as raw:
            if not _has_key(raw):
                raise take(CryptoError, "this request has no public key yet")
            clear()
            key = own(lib.X509_REQ_get_pubkey(raw), lib.EVP_PKEY_free, message)
        if not self._sealed:
            # what set_pubkey was given, which may be a private key
            key = from_der(lib.d2i_PUBKEY, lib.EVP_PKEY_free, to_der(lib.i2d_PUBKEY, key, message), message)
        return PKey._from_raw(key, only_public=True)

    def set_pubkey(self, pkey: PKey) -> None:
        key = as_instance(pkey, PKey, "pkey")._need("pkey")
        with self._writing() as raw:
            check(lib.X509_REQ_set_pubkey(raw, key), "pkey: cannot be used in a request")

    def get_extensions(self) -> list[X509Extension]:
        with self._reading() as raw:
            return _extensions(raw)

    def add_extensions(self, extensions: Iterable[X509Extension]) -> None:
        items = as_extensions(extensions)
        if not items:
            return
        with self._writing() as raw:
            # A reader looks into one attribute only, so what was there before is
            # taken out and put in again together with the new ones.
            stack = own(lib.sk_X509_EXTENSION_new_null(), lib.sk_X509_EXTENSION_free)
            everything = [*_extensions(raw), *items]
            for item in everything:
                check(lib.sk_X509_EXTENSION_push(stack, item._extension), "extensions")
            before = []
            for kind in (lib.NID_ext_req, lib.NID_ms_ext_req):
                while (at := lib.X509_REQ_get_attr_by_NID(raw, kind, -1)) >= 0:
                    before.append(own(lib.X509_REQ_delete_attr(raw, at), lib.X509_ATTRIBUTE_free))
            try:
                check(lib.X509_REQ_add_extensions(raw, stack), "extensions")
            except CryptoError:
                for attribute in before:
                    lib.X509_REQ_add1_attr(raw, attribute)
                raise

    def sign(self, pkey: PKey, digest: str | bytes | None = None) -> None:
        self._sign_with(pkey, digest)

    def verify(self, pkey: PKey) -> bool:
        self._check_signature(pkey)
        return True

    def to_cryptography(self) -> Any:
        from cryptography.x509 import load_der_x509_csr

        return load_der_x509_csr(self._der())

    @classmethod
    def from_cryptography(cls, crypto_req: Any) -> X509Req:
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509 import CertificateSigningRequest

        request = as_instance(crypto_req, CertificateSigningRequest, "crypto_req")
        return cls._load(FileType.ASN1, request.public_bytes(Encoding.DER))

    def __repr__(self) -> str:
        return f"<X509Req subject '{self.get_subject()}'>"


def load_certificate_request(type: int, buffer: Any) -> X509Req:  # noqa: A002
    """See ``ICrypto.load_certificate_request``."""
    return X509Req._load(type, buffer)


def dump_certificate_request(type: int, req: X509Req) -> bytes:  # noqa: A002
    """See ``ICrypto.dump_certificate_request``."""
    return as_instance(req, X509Req, "req")._dump(type, "req")
