"""Netscape's signed public key and challenge (SPKAC), which browsers once made; see ``INetscapeSPKI``."""

from __future__ import annotations

import base64
import binascii
import threading
from typing import Any

from zope.interface import implementer

from ..errors import CryptoError
from ..interfaces import INetscapeSPKI
from ._asn1 import algorithm_name, has_key, string_bytes
from ._encoding import as_bytes, as_instance, from_der, to_der
from ._errors import check, clear, take
from ._handles import Bound, own
from ._native import lib
from .pkey import PKey, signing_digest

NOT_ONE = "enc: not a Netscape SPKI in base64"


def _decode(enc: Any) -> Any:
    text = as_bytes(enc, "enc")
    try:
        der = base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise take(CryptoError, f"{NOT_ONE}: {error}") from None
    return from_der(lib.d2i_NETSCAPE_SPKI, lib.NETSCAPE_SPKI_free, der, NOT_ONE)


@implementer(INetscapeSPKI)
class NetscapeSPKI(Bound):
    """A public key that its owner has signed.

    :param enc: one in base64 (text or bytes; white space is passed over); an empty one is made if it is left
        out.
    """

    _spki: Any

    def __init__(self, enc: Any = None) -> None:
        if enc is None:
            self._setup(own(lib.NETSCAPE_SPKI_new(), lib.NETSCAPE_SPKI_free))
        else:
            self._setup(_decode(enc))

    def _setup(self, handle: Any) -> None:
        self._spki = handle
        self._lock = threading.Lock()

    @classmethod
    def _from_raw(cls, pointer: Any) -> NetscapeSPKI:
        made = cls.__new__(cls)
        made._setup(pointer)
        return made

    def b64_encode(self) -> bytes:
        """The object in base64, on one line."""
        with self._lock:
            message = "this SPKI cannot be written"
            try:
                der = to_der(lib.i2d_NETSCAPE_SPKI, self._spki, message)
            except CryptoError:
                missing = self._missing()
                if not missing:
                    raise
                raise take(CryptoError, f"{message}: {', '.join(missing)}") from None
        return base64.b64encode(der)

    def _has_key(self) -> bool:
        return has_key(lib.oi_spki_pubkey(self._spki))

    def _is_signed(self) -> bool:
        return bool(algorithm_name(lib.oi_spki_algorithm(self._spki)))

    def _missing(self) -> list[str]:
        parts = (("no public key", self._has_key()), ("no signature", self._is_signed()))
        return [words for words, there in parts if not there]

    def get_pubkey(self) -> PKey:
        """The public key."""
        message = "this SPKI has no public key that OpenSSL understands"
        with self._lock:
            if not self._has_key():
                raise take(CryptoError, "this SPKI has no public key yet")
            clear()
            key = own(lib.NETSCAPE_SPKI_get_pubkey(self._spki), lib.EVP_PKEY_free, message)
        # set_pubkey may have been given a private key: only its public half is handed out.
        key = from_der(lib.d2i_PUBKEY, lib.EVP_PKEY_free, to_der(lib.i2d_PUBKEY, key, message), message)
        return PKey._from_raw(key, only_public=True)

    def set_pubkey(self, pkey: PKey) -> None:
        """Put the public half of *pkey* in."""
        key = as_instance(pkey, PKey, "pkey")._need("pkey")
        with self._lock:
            clear()
            check(lib.NETSCAPE_SPKI_set_pubkey(self._spki, key), "pkey: cannot be used in an SPKI")
            clear()

    def get_challenge(self) -> bytes:
        """What the one who asked for the key wanted to see in it."""
        with self._lock:
            return string_bytes(lib.oi_spki_challenge(self._spki))

    def set_challenge(self, challenge: Any) -> None:
        """Put a challenge in (text or bytes, ASCII)."""
        text = as_bytes(challenge, "challenge")
        if not text.isascii():
            raise ValueError("challenge: must be ASCII")
        with self._lock:
            check(lib.ASN1_STRING_set(lib.oi_spki_challenge(self._spki), text, len(text)), "challenge")

    def sign(self, pkey: PKey, digest: str | bytes | None = None) -> None:
        """Sign with *pkey*."""
        key = as_instance(pkey, PKey, "pkey")._need_private("pkey")
        method = signing_digest(key, digest)
        with self._lock:
            clear()
            if lib.NETSCAPE_SPKI_sign(self._spki, key, method) <= 0:
                if not self._has_key():
                    clear()
                    raise take(CryptoError, "this SPKI cannot be signed: no public key")
                raise take(CryptoError, f"this SPKI cannot be signed with pkey and digest {digest!r}")
            clear()

    def verify(self, pkey: PKey) -> bool:
        """True if *pkey* has signed it."""
        key = as_instance(pkey, PKey, "pkey")._need("pkey")
        with self._lock:
            clear()
            if lib.NETSCAPE_SPKI_verify(self._spki, key) <= 0:
                if not self._is_signed():
                    clear()
                    raise take(CryptoError, "this SPKI has no signature yet")
                raise take(CryptoError, "pkey: the signature of this SPKI is not of this key")
            clear()
        return True

    def __repr__(self) -> str:
        return f"<NetscapeSPKI at {id(self):#x}>"
