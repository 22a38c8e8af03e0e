"""Keys: reading, writing, signing.

A ``PKey`` holds a handle that is never changed: ``generate_key`` puts a new one in
its place, at the end and in one step.  So a key may be used by several threads, and
a generation that fails or is interrupted leaves the old key.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from zope.interface import implementer

from ..errors import CryptoError, KeyHalfError
from ..interfaces import IPKey
from ..values import FileType
from ._encoding import (
    ANSWER,
    as_bytes,
    as_filetype,
    as_instance,
    as_name,
    copy_bytes,
    from_der,
    input_bio,
    to_der,
    to_pem,
    written,
)
from ._errors import check, clear, fail, take
from ._handles import Bound, own
from ._native import ffi, lib
from .keygen import NAMES, generate
from .oldkeys import read_old
from .providers import is_unsupported, with_legacy

#: A passphrase, or a callable that is asked for it with 1 when a key is written
#: and 0 when it is read.
Passphrase: TypeAlias = bytes | str | Callable[[int], bytes | str]

# PEM_BUFSIZE: what OpenSSL has room for when it asks (PEM_read_bio_PrivateKey(3)).
PASSPHRASE_MAX = 1024

# What EVP_PKEY_check returns for a type that it cannot check (EVP_PKEY_check(3)).
NO_CHECK = -2

# Rounds of PBKDF2 for the keys that we encrypt: some tens of milliseconds.
# OpenSSL's own default, 2048, dates from 1999.
PBKDF2_ROUNDS = 100_000


@implementer(IPKey)
class PKey(Bound):
    """A private key with its public half, or a public key alone, or nothing yet.

    Two keys are equal when their public halves are.
    """

    _pkey: Any
    _initialized: bool
    _only_public: bool

    def __init__(self) -> None:
        self._pkey = own(lib.EVP_PKEY_new(), lib.EVP_PKEY_free)
        self._initialized = False
        self._only_public = False

    @classmethod
    def _from_raw(cls, pointer: Any, *, only_public: bool = False) -> PKey:
        """Wrap an owned handle of an EVP_PKEY that holds a key."""
        key = cls.__new__(cls)
        key._pkey = pointer
        key._initialized = True
        key._only_public = only_public
        return key

    def generate_key(self, type: int | str, bits: int = 0, *, curve: Any = None) -> None:  # noqa: A002
        """Make a new key; see ``IPKey.generate_key``."""
        self._pkey = generate(type, bits, curve)
        self._initialized = True
        self._only_public = False

    def bits(self) -> int:
        if not self._initialized:
            return 0
        size = lib.EVP_PKEY_bits(self._pkey)
        clear()
        return max(size, 0)

    def type(self) -> int:
        if not self._initialized:
            return lib.NID_undef
        number = lib.EVP_PKEY_base_id(self._pkey)
        if number <= 0 and lib.HAS_EVP_PKEY_get0_type_name:
            name = lib.EVP_PKEY_get0_type_name(self._pkey)
            number = lib.OBJ_txt2nid(name) if name != ffi.NULL else 0
        clear()
        return max(number, 0)

    @property
    def algorithm(self) -> str:
        if not self._initialized:
            return ""
        number = self.type()
        if number in NAMES:
            return NAMES[number]
        name = lib.EVP_PKEY_get0_type_name(self._pkey)
        clear()
        if name == ffi.NULL:
            name = lib.OBJ_nid2sn(number)
        return "" if name == ffi.NULL else ffi.string(name).decode()

    def check(self) -> bool:
        self._need_private("this key")
        context = own(lib.EVP_PKEY_CTX_new(self._pkey, ffi.NULL), lib.EVP_PKEY_CTX_free)
        clear()
        # -2: OpenSSL has no check for this type (1.1.1: all but RSA and EC).  What PKCS#8 keeps of
        # such a key is its private half, from which the public one is made anew.
        result = lib.EVP_PKEY_check(context)
        if result == NO_CHECK:
            clear()
            again = load_privatekey(FileType.ASN1, _private_info(self))
            if again._public_der() != self._public_der():
                raise take(CryptoError, "this key is not sound: its halves do not belong together")
            return True
        check(result, "this key is not sound, or cannot be checked")
        clear()
        return True

    def _need(self, argument: str) -> Any:
        """The handle, if there is a key in it."""
        if not self._initialized:
            raise take(KeyHalfError, f"{argument}: has no key yet")
        return self._pkey

    def _need_private(self, argument: str) -> Any:
        """The handle, if there is a private key in it."""
        handle = self._need(argument)
        if self._only_public:
            raise take(KeyHalfError, f"{argument}: is a public key, and a private one is needed")
        return handle

    def _public_der(self) -> bytes:
        return to_der(lib.i2d_PUBKEY, self._need("key"), "key: its public half cannot be written")

    def to_cryptography_key(self) -> Any:
        from cryptography.hazmat.primitives import serialization

        if self._only_public:
            return serialization.load_der_public_key(dump_publickey(FileType.ASN1, self))
        if self.algorithm.startswith("ML-DSA-"):
            # cryptography reads PKCS#8 with the seed alone; OpenSSL writes the expanded key too
            from cryptography.hazmat.primitives.asymmetric import mldsa

            name = self.algorithm.replace("-", "") + "PrivateKey"
            return getattr(mldsa, name).from_seed_bytes(self._seed())
        return serialization.load_der_private_key(_private_info(self), None)

    def _seed(self) -> bytes:
        """The seed of a post-quantum key (FIPS 204, section 3.6.3)."""
        room = ffi.new("unsigned char[]", 64)
        size = ffi.new("size_t *")
        clear()
        found = lib.EVP_PKEY_get_octet_string_param(
            self._need_private("this key"), b"seed", room, len(room), size
        )
        check(found, "this key: its seed is not known")
        return copy_bytes(room, size[0])

    @classmethod
    def from_cryptography_key(cls, crypto_key: Any) -> PKey:
        from cryptography.hazmat.primitives import serialization as form

        if hasattr(crypto_key, "private_bytes"):
            der = crypto_key.private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())
            key = load_privatekey(FileType.ASN1, der)
        elif hasattr(crypto_key, "public_bytes") and not hasattr(crypto_key, "subject"):
            der = crypto_key.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
            key = load_publickey(FileType.ASN1, der)
        else:
            raise TypeError(f"crypto_key: a key of cryptography expected, not {type(crypto_key).__name__}")
        return cls._from_raw(key._pkey, only_public=key._only_public)

    def __copy__(self) -> PKey:
        return self._from_raw(self._need("this key"), only_public=self._only_public)

    def __deepcopy__(self, _memo: Any) -> PKey:
        return self.__copy__()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PKey):
            return NotImplemented
        if self is other:
            return True
        if not (self._initialized and other._initialized):
            return False
        return self._public_der() == other._public_der()

    def __hash__(self) -> int:
        return hash(self._public_der()) if self._initialized else id(self)

    def __repr__(self) -> str:
        if not self._initialized:
            return "<PKey, empty>"
        half = "public" if self._only_public else "private"
        return f"<PKey {self.algorithm}, {self.bits()} bits, {half}>"


# -- reading -----------------------------------------------------------------


def _secret(passphrase: Any, writing: int) -> bytes:
    """The passphrase itself."""
    if callable(passphrase):
        passphrase = passphrase(writing)
        if not isinstance(passphrase, bytes | bytearray | str):
            raise ValueError(f"passphrase: the callback returned {type(passphrase).__name__}, not bytes")
    secret = as_bytes(passphrase, "passphrase")
    if len(secret) > PASSPHRASE_MAX:
        raise ValueError(f"passphrase: longer than {PASSPHRASE_MAX} bytes")
    return secret


def _check_passphrase(passphrase: Any) -> None:
    if passphrase is not None and not callable(passphrase):
        _secret(passphrase, 0)


@dataclass(frozen=True)
class KeyWords:
    """What is said of a key that cannot be read."""

    damaged: str = "buffer: not a private key"
    missing: str = "passphrase: missing, and the key is encrypted"
    wrong: str = "passphrase: wrong, or buffer: not a private key"


def _read_encrypted(read: Callable[..., Any], data: bytes, passphrase: Any, words: KeyWords) -> Any:
    """An owned key from *read*, one of OpenSSL's functions that may ask for a passphrase.

    A callback is asked only if the key turns out to be encrypted, and by us, when
    OpenSSL has returned: what it raises goes its ordinary way.
    """
    answer = ffi.new("oi_passphrase *")
    secret = None
    if passphrase is not None and not callable(passphrase):
        secret = _secret(passphrase, 0)
    while True:
        room = ffi.from_buffer(secret) if secret is not None else ffi.NULL
        answer.data, answer.size, answer.asked = room, len(secret or b""), 0
        bio = input_bio(data)
        clear()
        pointer = read(bio, ffi.NULL, ANSWER, answer)
        if pointer != ffi.NULL or not answer.asked or secret is not None or passphrase is None:
            break
        clear()
        secret = _secret(passphrase, 0)
    if pointer == ffi.NULL and answer.asked:
        if secret is None:
            fail(CryptoError, words.missing)
        error = take(CryptoError, words.wrong)
        old = read_old(data, secret) if is_unsupported(error) else None
        if old is None:
            raise error
        return old
    handle = own(pointer, lib.EVP_PKEY_free, words.damaged)
    clear()
    return handle


def load_privatekey(type: int, buffer: Any, passphrase: Passphrase | None = None) -> PKey:  # noqa: A002
    """See ``ICrypto.load_privatekey``."""
    kind = as_filetype(type)
    data = as_bytes(buffer, "buffer")
    _check_passphrase(passphrase)
    return private_key_of(kind, data, passphrase, KeyWords())


def private_key_of(kind: FileType, data: bytes, passphrase: Passphrase | None, words: KeyWords) -> PKey:
    """The key, or an error in these words."""
    if kind is FileType.PEM:
        handle = _read_encrypted(lib.PEM_read_bio_PrivateKey, data, passphrase, words)
    elif _is_encrypted(data):
        handle = _read_encrypted(lib.d2i_PKCS8PrivateKey_bio, data, passphrase, words)
    else:
        handle = from_der(lib.d2i_AutoPrivateKey, lib.EVP_PKEY_free, data, words.damaged)
    return PKey._from_raw(handle)


def _is_encrypted(data: bytes) -> bool:
    """Whether it is an EncryptedPrivateKeyInfo (RFC 5958, section 3)."""
    try:
        from_der(lib.d2i_X509_SIG, lib.X509_SIG_free, data, "buffer")
    except CryptoError:
        return False
    return True


def load_publickey(type: int, buffer: Any) -> PKey:  # noqa: A002
    """See ``ICrypto.load_publickey``."""
    kind = as_filetype(type)
    data = as_bytes(buffer, "buffer")
    what = "buffer: not a public key"
    if kind is FileType.ASN1:
        handle = from_der(lib.d2i_PUBKEY, lib.EVP_PKEY_free, data, what)
    else:
        handle = _read_encrypted(lib.PEM_read_bio_PUBKEY, data, None, KeyWords(damaged=what))
    return PKey._from_raw(handle, only_public=True)


# -- writing -----------------------------------------------------------------


def _private_info(pkey: PKey, cipher: Any = None, secret: bytes = b"") -> bytes:
    """The key as PrivateKeyInfo (RFC 5958), encrypted with PBES2 (RFC 8018) if there is a *cipher*."""
    message = "pkey: this key cannot be written"
    clear()
    info = own(lib.EVP_PKEY2PKCS8(pkey._need_private("pkey")), lib.PKCS8_PRIV_KEY_INFO_free, message)
    if cipher is None:
        return to_der(lib.i2d_PKCS8_PRIV_KEY_INFO, info, message)
    sealed = with_legacy(functools.partial(_seal, info, cipher, secret), "cipher")
    return to_der(lib.i2d_X509_SIG, sealed, message)


def _seal(info: Any, cipher: Any, secret: bytes, context: Any) -> Any:
    message = "cipher: keys cannot be encrypted with it"
    clear()
    if context != ffi.NULL:
        name = lib.EVP_CIPHER_name(cipher)
        cipher = own(lib.EVP_CIPHER_fetch(context, name, ffi.NULL), lib.EVP_CIPHER_free, message)
    arguments = (-1, cipher, secret, len(secret), ffi.NULL, 0, PBKDF2_ROUNDS, info)
    if lib.HAS_PKCS8_encrypt_ex:
        pointer = lib.PKCS8_encrypt_ex(*arguments, context, ffi.NULL)
    else:
        pointer = lib.PKCS8_encrypt(*arguments)
    return own(pointer, lib.X509_SIG_free, message)


def dump_privatekey(
    type: int,  # noqa: A002
    pkey: PKey,
    cipher: str | bytes | None = None,
    passphrase: Passphrase | None = None,
) -> bytes:
    """See ``ICrypto.dump_privatekey``."""
    kind = as_filetype(type, text=True)
    as_instance(pkey, PKey, "pkey")
    handle = pkey._need_private("pkey")
    _check_passphrase(passphrase)
    if cipher is not None:
        if kind is not FileType.PEM:
            raise ValueError("cipher: only keys in FILETYPE_PEM are encrypted")
        if passphrase is None:
            raise TypeError("passphrase: needed with a cipher")
        method = lib.EVP_get_cipherbyname(as_name(cipher, "cipher"))
        clear()
        if method == ffi.NULL:
            raise ValueError(f"cipher: OpenSSL has none by the name of {cipher!r}")
        der = _private_info(pkey, method, _secret(passphrase, 1))
        return to_pem(b"ENCRYPTED PRIVATE KEY", der, "pkey")
    if kind is FileType.PEM:
        return to_pem(b"PRIVATE KEY", _private_info(pkey), "pkey")
    message = "pkey: this key cannot be written"
    if kind is FileType.ASN1:
        return to_der(lib.i2d_PrivateKey, handle, message)
    return written(lambda bio: lib.EVP_PKEY_print_private(bio, handle, 0, ffi.NULL), message)


def dump_publickey(type: int, pkey: PKey) -> bytes:  # noqa: A002
    """See ``ICrypto.dump_publickey``."""
    kind = as_filetype(type, text=True)
    handle = as_instance(pkey, PKey, "pkey")._need("pkey")
    if kind is FileType.TEXT:
        return written(
            lambda bio: lib.EVP_PKEY_print_public(bio, handle, 0, ffi.NULL),
            "pkey: this key cannot be written",
        )
    der = pkey._public_der()
    return der if kind is FileType.ASN1 else to_pem(b"PUBLIC KEY", der, "pkey")


# -- signing -----------------------------------------------------------------


def digest_by_name(digest: Any) -> Any:
    """The EVP_MD of a name such as ``"sha256"``.

    :raises ValueError: OpenSSL has no digest of that name.
    """
    method = lib.EVP_get_digestbyname(as_name(digest, "digest"))
    clear()
    if method == ffi.NULL:
        raise ValueError(f"digest: OpenSSL has none by the name of {digest!r}")
    return method


def signing_digest(handle: Any, digest: Any) -> Any:
    """The EVP_MD to sign or verify with; NULL for keys that use no separate digest.

    :param digest: a name, or None: the key's own choice (none for Ed25519, Ed448 and
        ML-DSA; OpenSSL's default, SHA-256, for others).
    """
    if digest is not None:
        return digest_by_name(digest)
    number = ffi.new("int *")
    clear()
    known = lib.EVP_PKEY_get_default_digest_nid(handle, number)
    name = lib.OBJ_nid2sn(number[0]) if known > 0 and number[0] > 0 else ffi.NULL
    method = lib.EVP_get_digestbyname(name) if name != ffi.NULL else ffi.NULL
    clear()
    return method


def sign(pkey: PKey, data: Any, digest: Any = None) -> bytes:
    """See ``ICrypto.sign``."""
    handle = as_instance(pkey, PKey, "pkey")._need_private("pkey")
    message = as_bytes(data, "data")
    method = signing_digest(handle, digest)
    context = own(lib.EVP_MD_CTX_new(), lib.EVP_MD_CTX_free)
    clear()
    check(
        lib.EVP_DigestSignInit(context, ffi.NULL, method, ffi.NULL, handle),
        f"digest: this key cannot sign with {digest!r}",
    )
    size = ffi.new("size_t *")
    check(lib.EVP_DigestSign(context, ffi.NULL, size, message, len(message)), "pkey: cannot sign")
    signature = ffi.new("unsigned char[]", size[0])
    check(lib.EVP_DigestSign(context, signature, size, message, len(message)), "pkey: cannot sign")
    return copy_bytes(signature, size[0])


def verify_with(pkey: PKey, signature: Any, data: Any, digest: Any = None) -> None:
    """Check a signature of :func:`sign`.

    :raises CryptoError: it does not match.
    """
    handle = as_instance(pkey, PKey, "pkey")._need("pkey")
    mark = as_bytes(signature, "signature")
    message = as_bytes(data, "data")
    method = signing_digest(handle, digest)
    context = own(lib.EVP_MD_CTX_new(), lib.EVP_MD_CTX_free)
    clear()
    check(
        lib.EVP_DigestVerifyInit(context, ffi.NULL, method, ffi.NULL, handle),
        f"digest: this key cannot verify with {digest!r}",
    )
    check(
        lib.EVP_DigestVerify(context, mark, len(mark), message, len(message)),
        "signature: does not match",
    )
    clear()
