"""PKCS#7 messages: reading, signing, verifying, encrypting, decrypting; see ``IPKCS7``."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError
from ..interfaces import IPKCS7
from ..values import PKCS7Flag
from ._encoding import Codec, as_bytes, as_instance, as_int, as_name, input_bio, to_der, written
from ._errors import clear, take
from ._handles import Bound, own, share
from ._native import ffi, lib
from .pkey import PKey
from .providers import decode_in_context, with_legacy
from .store import X509Store
from .x509 import X509, certificate_stack

_SIGN = (
    PKCS7Flag.TEXT | PKCS7Flag.NOCERTS | PKCS7Flag.DETACHED | PKCS7Flag.BINARY
    | PKCS7Flag.NOATTR | PKCS7Flag.NOSMIMECAP
)  # fmt: skip
_VERIFY = (
    PKCS7Flag.TEXT | PKCS7Flag.NOSIGS | PKCS7Flag.NOCHAIN | PKCS7Flag.NOINTERN | PKCS7Flag.NOVERIFY
    | PKCS7Flag.BINARY | PKCS7Flag.NOCRL
)  # fmt: skip
_ENCRYPT = PKCS7Flag.TEXT | PKCS7Flag.BINARY
_DECRYPT = PKCS7Flag.TEXT


def _flags(flags: Any, allowed: PKCS7Flag) -> int:
    number = as_int(flags, "flags", 0, 2**31 - 1)
    others = number & ~int(allowed)  # the complement of a Flag has none but its own bits
    if others:
        raise ValueError(f"flags: {others:#x} cannot be used here")
    return number


def _show(bio: Any, handle: Any) -> int:
    return lib.PKCS7_print_ctx(bio, handle, 0, ffi.NULL)


@implementer(IPKCS7)
class PKCS7(Bound):
    """A PKCS#7 message.  ``load_pkcs7_data``, :meth:`sign`, :meth:`encrypt` and :meth:`bundle` make one."""

    _codec = Codec(
        "PKCS#7 message", b"PKCS7", lib.d2i_PKCS7, lib.i2d_PKCS7, lib.PKCS7_free, _show
    )  # fmt: skip

    _pkcs7: Any

    def __init__(self) -> None:
        raise TypeError("PKCS7: made by load_pkcs7_data, sign, encrypt and bundle")

    @classmethod
    def _from_raw(cls, pointer: Any) -> PKCS7:
        """Wrap an owned handle of a complete message."""
        made = cls.__new__(cls)
        made._pkcs7 = pointer
        # Verifying and decrypting leave traces in the structure.
        made._lock = threading.Lock()
        return made

    _lock: Any

    # -- what it is ------------------------------------------------------------

    def type_is_signed(self) -> bool:
        """Whether its content is signed."""
        return bool(lib.PKCS7_type_is_signed(self._pkcs7))

    def type_is_enveloped(self) -> bool:
        """Whether its content is encrypted for recipients."""
        return bool(lib.PKCS7_type_is_enveloped(self._pkcs7))

    def type_is_signedAndEnveloped(self) -> bool:  # noqa: N802
        """Whether its content is both."""
        return bool(lib.PKCS7_type_is_signedAndEnveloped(self._pkcs7))

    def type_is_data(self) -> bool:
        """Whether it is plain data."""
        return bool(lib.PKCS7_type_is_data(self._pkcs7))

    def get_type_name(self) -> bytes:
        """OpenSSL's short name of its type, such as ``b"pkcs7-signedData"``."""
        return ffi.string(lib.OBJ_nid2sn(lib.OBJ_obj2nid(lib.oi_pkcs7_type(self._pkcs7))))

    def get_certificates(self) -> tuple[X509, ...]:
        """The certificates that it carries, in their order."""
        stack = lib.oi_pkcs7_certificates(self._pkcs7)
        return tuple(
            X509._from_raw(share(lib.sk_X509_value(stack, index), lib.X509_up_ref, lib.X509_free))
            for index in range(lib.sk_X509_num(stack))
        )

    # -- signed messages ---------------------------------------------------------

    @classmethod
    def sign(
        cls,
        cert: X509,
        key: PKey,
        data: Any,
        certs: Iterable[X509] = (),
        flags: int = PKCS7Flag.BINARY,
    ) -> PKCS7:
        """A signed message; see ``IPKCS7``."""
        signer = as_instance(cert, X509, "cert")._whole("cert")
        private = as_instance(key, PKey, "key")._need_private("key")
        content = as_bytes(data, "data")
        stack = certificate_stack(certs, "certs")
        number = _flags(flags, _SIGN)
        clear()
        made = own(
            lib.PKCS7_sign(signer, private, stack, input_bio(content), number),
            lib.PKCS7_free,
            "key: cannot sign, or not with cert",
        )
        clear()
        return cls._from_raw(made)

    @classmethod
    def bundle(cls, certs: Iterable[X509]) -> PKCS7:
        """Certificates alone, nothing signed; see ``IPKCS7``."""
        stack = certificate_stack(certs, "certs")
        clear()
        made = own(
            lib.PKCS7_sign(ffi.NULL, ffi.NULL, stack, input_bio(b""), PKCS7Flag.DETACHED),
            lib.PKCS7_free,
            "certs: cannot be bundled",
        )
        clear()
        return cls._from_raw(made)

    def verify(self, store: X509Store, data: Any = None, certs: Iterable[X509] = (), flags: int = 0) -> bytes:
        """The signed content, if the signatures hold; see ``IPKCS7``."""
        trust = as_instance(store, X509Store, "store")._store
        content = None if data is None else as_bytes(data, "data")
        source = ffi.NULL if content is None else input_bio(content)
        stack = certificate_stack(certs, "certs")
        number = _flags(flags, _VERIFY)
        message = "this PKCS#7 message does not verify"
        with self._lock:
            clear()
            if not lib.oi_pkcs7_digests_typed(self._pkcs7):
                raise take(CryptoError, f"{message}: a signer's digest is malformed")
            result = written(
                lambda bio: lib.PKCS7_verify(self._pkcs7, stack, trust, source, bio, number), message
            )
            clear()
        return result

    # -- enveloped messages --------------------------------------------------------

    @classmethod
    def encrypt(
        cls,
        certs: Iterable[X509],
        data: Any,
        cipher: str | bytes = "aes-256-cbc",
        flags: int = PKCS7Flag.BINARY,
    ) -> PKCS7:
        """A message for the owners of *certs*; see ``IPKCS7``."""
        stack = certificate_stack(certs, "certs")
        content = as_bytes(data, "data")
        name = as_name(cipher, "cipher")
        number = _flags(flags, _ENCRYPT)
        if stack == ffi.NULL:
            raise ValueError("certs: there must be at least one")
        clear()
        method = lib.EVP_get_cipherbyname(name)
        clear()
        # Others than CBC make messages that nobody can read: PKCS#7 has no place for a tag.
        if method == ffi.NULL or lib.EVP_CIPHER_mode(method) != lib.EVP_CIPH_CBC_MODE:
            raise ValueError(f"cipher: OpenSSL has no CBC cipher by the name of {cipher!r}")

        def attempt(context: Any) -> Any:
            source = input_bio(content)
            if context == ffi.NULL:
                made = lib.PKCS7_encrypt(stack, source, method, number)
            else:
                made = lib.PKCS7_encrypt_ex(stack, source, method, number, context, ffi.NULL)
            return own(made, lib.PKCS7_free, f"certs: cannot be encrypted for with {cipher!r}")

        made = with_legacy(attempt, f"cipher: {cipher!r}")
        clear()
        return cls._from_raw(made)

    def decrypt(self, key: PKey, cert: X509, flags: int = 0) -> bytes:
        """The content, for one of the recipients; see ``IPKCS7``."""
        private = as_instance(key, PKey, "key")._need_private("key")
        recipient = as_instance(cert, X509, "cert")._whole("cert")
        number = _flags(flags, _DECRYPT)
        if self.type_is_signedAndEnveloped():
            # OpenSSL 4.0 would, and says nothing when the end is cut off; those before refuse as well.
            clear()
            raise take(CryptoError, "this PKCS#7 message is signed and enveloped in one: it is not decrypted")

        def attempt(context: Any) -> bytes:
            message = self._pkcs7
            if context != ffi.NULL:
                der = to_der(lib.i2d_PKCS7, message, "this PKCS#7 message cannot be copied")
                message = decode_in_context(
                    lib.d2i_PKCS7, lib.PKCS7_new_ex(context, ffi.NULL), lib.PKCS7_free, der
                )
            clear()
            return written(
                lambda bio: lib.PKCS7_decrypt(message, private, recipient, bio, number),
                "this PKCS#7 message cannot be decrypted with key and cert",
            )

        with self._lock:
            result = with_legacy(attempt, "this PKCS#7 message")
            clear()
        return result

    def __repr__(self) -> str:
        return f"<PKCS7 {self.get_type_name().decode()}>"


def load_pkcs7_data(type: int, buffer: Any) -> PKCS7:  # noqa: A002
    """See ``ICrypto.load_pkcs7_data``."""
    handle = PKCS7._codec.load(type, buffer)
    if not lib.oi_pkcs7_complete(handle):
        raise take(CryptoError, "buffer: a PKCS#7 message without content")
    return PKCS7._from_raw(handle)


def dump_pkcs7_data(type: int, pkcs7: PKCS7) -> bytes:  # noqa: A002
    """See ``ICrypto.dump_pkcs7_data``."""
    return PKCS7._codec.dump(type, as_instance(pkcs7, PKCS7, "pkcs7")._pkcs7, "pkcs7")
