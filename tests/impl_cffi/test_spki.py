"""impl_cffi/spki.py: signed public keys and challenges."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi.pkey import PKey, dump_publickey, load_publickey
from openssl_iface.impl_cffi.spki import NetscapeSPKI
from openssl_iface.interfaces import INetscapeSPKI
from openssl_iface.values import FileType, KeyType


def a_key(kind: int = KeyType.RSA, bits: int = 2048) -> PKey:
    key = PKey()
    key.generate_key(kind, bits)
    return key


@pytest.fixture(scope="module")
def signed() -> tuple[PKey, bytes]:
    key = a_key()
    spki = NetscapeSPKI()
    spki.set_pubkey(key)
    spki.set_challenge("hello")
    spki.sign(key, "sha256")
    return key, spki.b64_encode()


def test_it_provides_the_contract() -> None:
    verifyObject(INetscapeSPKI, NetscapeSPKI())


@pytest.mark.parametrize(
    ("kind", "bits", "digest"),
    [
        (KeyType.RSA, 2048, "sha256"),
        (KeyType.RSA, 2048, b"sha512"),
        (KeyType.RSA, 2048, None),
        (KeyType.DSA, 2048, "sha256"),
        (KeyType.EC, 256, "sha384"),
        (KeyType.ED25519, 0, None),
        (KeyType.ED448, 0, None),
    ],
)
def test_what_is_signed_verifies_after_a_round_trip(kind: int, bits: int, digest: Any) -> None:
    key = a_key(kind, bits)
    spki = NetscapeSPKI()
    spki.set_pubkey(key)
    spki.sign(key, digest)
    assert spki.verify(key) is True
    text = spki.b64_encode()
    assert type(text) is bytes
    again = NetscapeSPKI(text)
    assert again.get_pubkey() == key
    assert again.verify(again.get_pubkey()) is True
    assert again.b64_encode() == text
    assert again.get_challenge() == b""


def test_the_base64_may_be_text_and_have_line_breaks(signed: tuple[PKey, bytes]) -> None:
    key, text = signed
    for form in (text.decode(), base64.encodebytes(base64.b64decode(text)), b" " + text + b"\r\n"):
        assert NetscapeSPKI(form).verify(key)


def test_the_challenge_is_signed_too(signed: tuple[PKey, bytes]) -> None:
    key, text = signed
    spki = NetscapeSPKI(text)
    assert spki.get_challenge() == b"hello"
    spki.set_challenge(b"a\0b")
    assert spki.get_challenge() == b"a\0b"
    with pytest.raises(CryptoError, match="pkey"):
        spki.verify(key)
    with pytest.raises(ValueError, match="challenge"):
        spki.set_challenge("\u00e9")


def test_another_key_does_not_verify(signed: tuple[PKey, bytes]) -> None:
    spki = NetscapeSPKI(signed[1])
    for other in (a_key(), a_key(KeyType.EC, 256), a_key(KeyType.ED25519, 0)):
        with pytest.raises(CryptoError, match="pkey: the signature"):
            spki.verify(other)
    assert spki.verify(signed[0])


def test_the_key_that_it_gives_has_no_private_half(signed: tuple[PKey, bytes]) -> None:
    spki = NetscapeSPKI()
    spki.set_pubkey(signed[0])
    public = spki.get_pubkey()
    with pytest.raises(CryptoError, match="public key"):
        spki.sign(public, "sha256")
    del spki
    assert dump_publickey(FileType.PEM, public) == dump_publickey(FileType.PEM, signed[0])


def test_an_empty_one() -> None:
    spki = NetscapeSPKI()
    with pytest.raises(CryptoError, match="no public key"):
        spki.get_pubkey()
    with pytest.raises(CryptoError):
        spki.verify(a_key())


def test_keys_that_cannot_be_used(signed: tuple[PKey, bytes]) -> None:
    spki = NetscapeSPKI(signed[1])
    for method in (spki.set_pubkey, spki.verify, lambda key: spki.sign(key, "sha256")):
        with pytest.raises(CryptoError, match="pkey: has no key yet"):
            method(PKey())
        with pytest.raises(TypeError, match="pkey"):
            method(None)
    public = load_publickey(FileType.PEM, dump_publickey(FileType.PEM, signed[0]))
    with pytest.raises(CryptoError, match="pkey"):
        spki.sign(public, "sha256")
    with pytest.raises(ValueError, match="digest"):
        spki.sign(signed[0], "no such digest")
    assert spki.verify(signed[0])


@pytest.mark.parametrize(
    "enc", [b"", b"AAAA", b"not base64!", b"MIIB", "\u00e9", b"MAwA\0MAwA", b"A" * 5, b"=" * 8, b"MAA="]
)
def test_what_is_none_is_refused(enc: bytes) -> None:
    with pytest.raises(CryptoError, match="enc: not a Netscape SPKI"):
        NetscapeSPKI(enc)


def test_wrong_types_are_refused() -> None:
    with pytest.raises(TypeError, match="enc"):
        NetscapeSPKI(3)
    with pytest.raises(AttributeError):
        _ = NetscapeSPKI().foo


def test_damaged_ones_are_refused_or_do_not_verify(signed: tuple[PKey, bytes]) -> None:
    """But for the parameters of the signature's algorithm, which nothing signs and RSA does not read."""
    key, text = signed
    der = base64.b64decode(text)
    oid = der.rindex(bytes.fromhex("06092a864886f70d01010b"))  # sha256WithRSAEncryption
    parameters = oid + 11  # 05 00: of no value

    def verifies(damaged: bytes) -> bool:
        try:
            return NetscapeSPKI(base64.b64encode(damaged)).verify(key)
        except CryptoError:
            return False

    generator = random.Random(20)
    for _ in range(3000):
        damaged = bytearray(der)
        for _ in range(generator.randint(1, 3)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        if generator.random() < 0.2:
            del damaged[generator.randrange(len(damaged)) :]
        elsewhere = bytearray(damaged)
        elsewhere[parameters : parameters + 1] = der[parameters : parameters + 1]
        if elsewhere != der:
            assert not verifies(damaged), damaged.hex()
    assert verifies(der)


class TestOpenSSL:
    def test_theirs(self, openssl: Any, pki: Any) -> None:
        output = openssl("spkac", "-key", pki.alice.key_file, "-challenge", "marco")
        name, _, text = output.partition(b"=")
        assert name == b"SPKAC"
        spki = NetscapeSPKI(text)
        assert spki.get_challenge() == b"marco"
        assert spki.get_pubkey() == pki.alice.key
        assert spki.verify(pki.alice.key)

    def test_ours(self, openssl: Any, signed: tuple[PKey, bytes]) -> None:
        output = openssl("spkac", "-verify", stdin=b"SPKAC=" + signed[1] + b"\n")
        assert b"Challenge String: hello" in output
