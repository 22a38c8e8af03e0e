"""impl_cffi/pkcs12.py: files with a key, its certificate and others."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi import pkcs12 as module
from openssl_iface.impl_cffi._encoding import to_der
from openssl_iface.impl_cffi._handles import own
from openssl_iface.impl_cffi._native import ffi, lib
from openssl_iface.impl_cffi.pkcs12 import PKCS12, load_pkcs12
from openssl_iface.impl_cffi.pkey import PKey, dump_publickey, load_publickey, sign, verify_with
from openssl_iface.impl_cffi.x509 import X509, dump_certificate, load_certificates
from openssl_iface.interfaces import IPKCS12
from openssl_iface.values import FileType, KeyType

# Rounds for files whose safety does not matter.
FEW = {"iter": 1, "maciter": 1}


@pytest.fixture(scope="module")
def alice(pki: Any) -> PKCS12:
    """A key, its certificate, and two others; nobody changes it."""
    made = PKCS12()
    made.set_privatekey(pki.alice.key)
    made.set_certificate(pki.alice.certificate)
    made.set_ca_certificates([pki.ca.certificate, pki.other_ca.certificate, pki.bob.certificate])
    made.set_friendlyname("Alice")
    return made


def assert_same(left: PKCS12, right: PKCS12) -> None:
    assert left.get_privatekey() == right.get_privatekey()
    assert left.get_certificate() == right.get_certificate()
    assert left.get_ca_certificates() == right.get_ca_certificates()
    assert left.get_friendlyname() == right.get_friendlyname()


# -- DER by hand, for files that no program makes -----------------------------


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def sequence(*parts: bytes) -> bytes:
    return der(0x30, *parts)


def octets(content: bytes) -> bytes:
    return der(0x04, content)


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    content = bytes([first * 40 + second])
    for number in rest:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.insert(0, number & 0x7F | 0x80)
        content += bytes(digits)
    return der(0x06, content)


PKCS7_TYPE = "1.2.840.113549.1.7."
DATA, SIGNED, ENVELOPED, ENCRYPTED = (oid(PKCS7_TYPE + number) for number in ("1", "2", "3", "6"))
CERT_BAG, SAFE_BAG = oid("1.2.840.113549.1.12.10.1.3"), oid("1.2.840.113549.1.12.10.1.6")
KEY_BAG = oid("1.2.840.113549.1.12.10.1.1")
X509_CERTIFICATE = oid("1.2.840.113549.1.9.22.1")
FRIENDLY_NAME, LOCAL_KEY_ID = oid("1.2.840.113549.1.9.20"), oid("1.2.840.113549.1.9.21")


def _pkcs8(key: PKey) -> Any:
    return own(lib.EVP_PKEY2PKCS8(key._pkey), lib.PKCS8_PRIV_KEY_INFO_free)


def explicit(content: bytes) -> bytes:
    return der(0xA0, content)


def a_file(*safes: bytes) -> bytes:
    """A PFX without a MAC."""
    return sequence(der(0x02, b"\3"), sequence(DATA, explicit(octets(sequence(*safes)))))


def a_safe(*bags: bytes) -> bytes:
    return sequence(DATA, explicit(octets(sequence(*bags))))


def certificate_bag(certificate: X509, *attributes: bytes) -> bytes:
    content = octets(dump_certificate(FileType.ASN1, certificate))
    parts = [CERT_BAG, explicit(sequence(X509_CERTIFICATE, explicit(content)))]
    if attributes:
        parts.append(der(0x31, *attributes))
    return sequence(*parts)


def attribute(kind: bytes, *values: bytes) -> bytes:
    return sequence(kind, der(0x31, *values))


# -- the object ------------------------------------------------------------------


class TestObject:
    def test_it_provides_the_contract(self) -> None:
        verifyObject(IPKCS12, PKCS12())

    def test_an_empty_one(self) -> None:
        empty = PKCS12()
        assert empty.get_certificate() is None
        assert empty.get_privatekey() is None
        assert empty.get_ca_certificates() is None
        assert empty.get_friendlyname() is None
        with pytest.raises(CryptoError, match="cannot be written"):
            empty.export()

    def test_parts_are_put_in_and_taken_out(self, pki: Any) -> None:
        item = PKCS12()
        item.set_certificate(pki.alice.certificate)
        item.set_privatekey(pki.alice.key)
        item.set_ca_certificates(iter([pki.ca.certificate]))
        item.set_friendlyname(b"name")
        assert item.get_certificate() is pki.alice.certificate
        assert item.get_privatekey() is pki.alice.key
        assert item.get_ca_certificates() == (pki.ca.certificate,)
        assert item.get_friendlyname() == b"name"
        item.set_ca_certificates([])
        assert item.get_ca_certificates() == ()
        for setter in (
            item.set_certificate, item.set_privatekey, item.set_ca_certificates, item.set_friendlyname,
        ):  # fmt: skip
            setter(None)
        assert item.get_certificate() is None
        assert item.get_privatekey() is None
        assert item.get_ca_certificates() is None
        assert item.get_friendlyname() is None

    def test_wrong_types_change_nothing(self, pki: Any) -> None:
        item = PKCS12()
        item.set_ca_certificates([pki.ca.certificate])
        for setter, argument, values in (
            (item.set_certificate, "cert", (3, "x", PKey(), pki.alice.key)),
            (item.set_privatekey, "pkey", (3, "x", X509())),
            (
                item.set_ca_certificates,
                "cacerts",
                (3, [3], pki.ca.certificate, [pki.ca.certificate, None], "x"),
            ),
            (item.set_friendlyname, "name", (3, [])),
        ):
            for value in values:
                with pytest.raises(TypeError, match=argument):
                    setter(value)
        assert item.get_ca_certificates() == (pki.ca.certificate,)
        for name in (b"a\0b", "a\0b", b"\xff", "\U0001f511"):
            with pytest.raises(ValueError, match="name"):
                item.set_friendlyname(name)


class TestRoundTrip:
    @pytest.mark.parametrize("legacy", [False, True])
    @pytest.mark.parametrize(
        "passphrase",
        [None, "", b"", "password", b"\x80\xff", "p\u00e4ssw\u00f6rt \u5370 \U0001f511", "x" * 500],
    )
    def test_everything_comes_back_in_its_order(self, alice: PKCS12, passphrase: Any, legacy: bool) -> None:
        data = alice.export(passphrase, **FEW, legacy=legacy)
        assert type(data) is bytes
        assert_same(load_pkcs12(data, passphrase), alice)
        for wrong in ("wrong", "password ", None if passphrase else "x"):
            with pytest.raises(CryptoError, match="passphrase: wrong") as caught:
                load_pkcs12(data, wrong)
            assert caught.value.args[0][0][2] == "mac verify failure"

    @pytest.mark.parametrize("legacy", [False, True])
    def test_absent_and_empty_passphrases_are_the_same(self, alice: PKCS12, legacy: bool) -> None:
        for maciter in (1, -1):
            for made in (None, "", b""):
                data = alice.export(made, iter=1, maciter=maciter, legacy=legacy)
                for given in (None, "", b""):
                    assert_same(load_pkcs12(data, given), alice)

    def test_the_defaults_are_todays(self, alice: PKCS12) -> None:
        data = alice.export("secret")
        assert_same(load_pkcs12(data, "secret"), alice)
        assert oid("1.2.840.113549.1.5.13") in data  # PBES2
        assert oid("2.16.840.1.101.3.4.1.42") in data  # AES-256-CBC
        assert oid("1.2.840.113549.2.9") in data  # HMAC-SHA-256
        assert oid("2.16.840.1.101.3.4.2.1") in data  # SHA-256

    @pytest.mark.parametrize("name", [None, "x", "N\u00e4me", "\u5370 \uffff", "y" * 1000])
    def test_names(self, pki: Any, name: str | None) -> None:
        item = PKCS12()
        item.set_privatekey(pki.alice.key)
        item.set_certificate(pki.alice.certificate)
        item.set_friendlyname(name)
        again = load_pkcs12(item.export("x", **FEW), "x")
        assert again.get_friendlyname() == (None if name is None else name.encode())

    @pytest.mark.parametrize("there", ["\0\0\0b", "\ud83d\ude00"])
    def test_a_name_that_cannot_be_written_again_is_not_cut_off(self, pki: Any, there: str) -> None:
        item = PKCS12()
        item.set_privatekey(pki.alice.key)
        item.set_friendlyname("aXYb")
        data = item.export("x", iter=1, maciter=-1)
        name = "XY".encode("utf-16be")
        odd = data.replace(name, there.encode("utf-16be", "surrogatepass")[-4:])
        assert odd != data
        again = load_pkcs12(odd, "x")
        with pytest.raises(ValueError, match="friendly name"):
            again.export("x")
        again.set_friendlyname("ab")
        assert load_pkcs12(again.export("x", **FEW), "x").get_friendlyname() == b"ab"

    @pytest.mark.parametrize(("kind", "bits"), [(KeyType.EC, 256), (KeyType.ED25519, 0), (KeyType.DSA, 2048)])
    def test_a_key_alone(self, kind: int, bits: int) -> None:
        key = PKey()
        key.generate_key(kind, bits)
        item = PKCS12()
        item.set_privatekey(key)
        item.set_friendlyname("lonely")
        for passphrase, maciter in (("x", 1), ("x", -1), (None, 1)):
            again = load_pkcs12(item.export(passphrase, iter=1, maciter=maciter), passphrase)
            assert again.get_privatekey() == key
            verify_with(again.get_privatekey(), sign(again.get_privatekey(), b"data"), b"data")
            assert again.get_certificate() is None
            assert again.get_ca_certificates() is None
            assert again.get_friendlyname() == b"lonely"

    def test_certificates_without_a_key_are_all_others(self, pki: Any) -> None:
        item = PKCS12()
        item.set_certificate(pki.alice.certificate)
        item.set_ca_certificates([pki.ca.certificate])
        again = load_pkcs12(item.export("x", **FEW), "x")
        assert again.get_privatekey() is None
        assert again.get_certificate() is None
        assert again.get_ca_certificates() == (pki.alice.certificate, pki.ca.certificate)

    def test_the_certificate_is_the_keys_wherever_it_stands(self, pki: Any) -> None:
        item = PKCS12()
        item.set_privatekey(pki.alice.key)
        item.set_ca_certificates([pki.ca.certificate, pki.alice.certificate, pki.bob.certificate])
        again = load_pkcs12(item.export("x", **FEW), "x")
        assert again.get_certificate() == pki.alice.certificate
        assert again.get_ca_certificates() == (pki.ca.certificate, pki.bob.certificate)

    def test_what_was_loaded_outlives_the_rest_and_works(self, alice: PKCS12, pki: Any) -> None:
        again = load_pkcs12(alice.export("x", **FEW, legacy=True), "x")
        key, certificate = again.get_privatekey(), again.get_certificate()
        del again
        made = X509()
        made.set_pubkey(key)
        made.get_subject().CN = "new"
        made.gmtime_adj_notBefore(0)
        made.gmtime_adj_notAfter(10)
        made.sign(key, "sha256")
        assert made.verify(certificate.get_pubkey())
        assert_same(load_pkcs12(alice.export("y", **FEW), "y"), alice)


class TestExport:
    def test_a_certificate_of_another_key_is_refused(self, pki: Any) -> None:
        item = PKCS12()
        item.set_certificate(pki.alice.certificate)
        item.set_privatekey(pki.bob.key)
        with pytest.raises(CryptoError, match="key values mismatch"):
            item.export("x")

    def test_keys_and_certificates_that_are_not_complete(self, pki: Any) -> None:
        item = PKCS12()
        item.set_privatekey(PKey())
        with pytest.raises(CryptoError, match="private key"):
            item.export("x")
        item.set_privatekey(load_publickey(FileType.PEM, dump_publickey(FileType.PEM, pki.alice.key)))
        with pytest.raises(CryptoError, match="private key"):
            item.export("x")
        item = PKCS12()
        item.set_certificate(X509())
        with pytest.raises(CryptoError):
            item.export("x")
        item.set_certificate(None)
        item.set_ca_certificates([X509()])
        with pytest.raises(CryptoError):
            item.export("x")

    def test_no_rounds_are_the_usual_ones(self, alice: PKCS12) -> None:
        usual = alice.export("x")
        data = alice.export("x", iter=0, maciter=0)
        assert abs(len(data) - len(usual)) < 32
        assert load_pkcs12(data, "x").get_privatekey() == alice.get_privatekey()

    def test_wrong_arguments(self, alice: PKCS12) -> None:
        for name, values in (
            ("iter", (-1, 10**8, 2**70)),
            ("maciter", (-2, 10**8)),
            ("passphrase", ("a\0b", b"a\0b")),
        ):
            for value in values:
                with pytest.raises(ValueError, match=name):
                    alice.export(**{name: value})
        for arguments, argument in (({"iter": None}, "iter"), ({"passphrase": 3}, "passphrase")):
            with pytest.raises(TypeError, match=argument):
                alice.export(**arguments)

    def test_without_a_mac(self, alice: PKCS12) -> None:
        data = alice.export("x", iter=1, maciter=-1)
        assert_same(load_pkcs12(data, "x"), alice)
        with pytest.raises(CryptoError):
            load_pkcs12(data, "wrong")
        with pytest.raises(CryptoError):
            load_pkcs12(data)


# -- hostile files -------------------------------------------------------------


class TestHostile:
    @pytest.mark.parametrize(
        "data", [b"", b"fruit loops", b"\0" * 100, b"0\x80", b"0\x84\xff\xff\xff\xff", "text"]
    )
    def test_what_is_no_file_is_refused(self, data: Any) -> None:
        with pytest.raises(CryptoError, match="buffer: not a PKCS#12 file") as caught:
            load_pkcs12(data, "x")
        assert caught.value.args[0][0][0] == "asn1 encoding routines"

    def test_another_object_is_refused(self, pki: Any) -> None:
        for data in (
            dump_certificate(FileType.ASN1, pki.ca.certificate),
            dump_certificate(FileType.PEM, pki.ca.certificate),
        ):
            with pytest.raises(CryptoError, match="buffer: not a PKCS#12 file"):
                load_pkcs12(data, "x")

    def test_wrong_types_are_refused(self, alice: PKCS12) -> None:
        data = alice.export("x", **FEW)
        for buffer in (None, 3, [data]):
            with pytest.raises(TypeError, match="buffer"):
                load_pkcs12(buffer, "x")
        for passphrase in (3, ["x"], lambda: "x"):
            with pytest.raises(TypeError, match="passphrase"):
                load_pkcs12(data, passphrase)
        assert_same(load_pkcs12(memoryview(bytearray(data)), bytearray(b"x")), alice)

    def test_every_truncation_is_refused(self, alice: PKCS12) -> None:
        data = alice.export("x", **FEW)
        for size in range(0, len(data), 7):
            with pytest.raises(CryptoError, match="buffer"):
                load_pkcs12(data[:size], "x")
        with pytest.raises(CryptoError, match="buffer"):
            load_pkcs12(data + b"\0", "x")

    @pytest.mark.parametrize(
        ("maciter", "legacy", "passphrase"),
        [(1, False, "x"), (1, True, "x"), (-1, False, "x"), (-1, True, None)],
    )
    def test_damage_is_noticed_or_harmless(
        self, alice: PKCS12, maciter: int, legacy: bool, passphrase: Any
    ) -> None:
        data = alice.export(passphrase, iter=1, maciter=maciter, legacy=legacy)
        generator = random.Random(12)
        refused = 0
        for _ in range(1000):
            damaged = bytearray(data)
            for _ in range(generator.randint(1, 3)):
                damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
            if generator.random() < 0.1:
                start = generator.randrange(len(damaged))
                del damaged[start : start + generator.randint(1, 20)]
            try:
                again = load_pkcs12(damaged, passphrase)
            except CryptoError:
                refused += 1
            else:
                again.export("y", **FEW) if again.get_privatekey() else None
        assert refused > (900 if maciter > 0 else 1)

    def test_damage_where_nothing_is_encrypted(self, pki: Any) -> None:
        """So that it reaches what stands behind the encryption, mostly."""
        identity = attribute(LOCAL_KEY_ID, octets(b"1"))
        name = attribute(FRIENDLY_NAME, der(0x1E, "Alice".encode("utf-16-be")))
        bag = certificate_bag(pki.alice.certificate, name, identity)
        info = to_der(lib.i2d_PKCS8_PRIV_KEY_INFO, _pkcs8(pki.alice.key), "")
        key = sequence(KEY_BAG, explicit(info), der(0x31, identity))
        data = a_file(a_safe(bag, key), a_safe(sequence(SAFE_BAG, explicit(sequence(bag)))))
        whole = load_pkcs12(data)
        assert whole.get_privatekey() == pki.alice.key
        assert whole.get_certificate() == pki.alice.certificate
        assert whole.get_ca_certificates() == (pki.alice.certificate,)
        assert whole.get_friendlyname() == b"Alice"
        generator = random.Random(3)
        for _ in range(1500):
            damaged = bytearray(data)
            for _ in range(generator.randint(1, 3)):
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
            try:
                load_pkcs12(damaged)
            except CryptoError:
                pass

    @pytest.mark.parametrize("kind", [DATA, SIGNED, ENVELOPED, ENCRYPTED, oid("1.2.3.4")])
    def test_content_that_is_missing(self, kind: bytes) -> None:
        bare = sequence(kind)
        for data in (sequence(der(0x02, b"\3"), bare), a_file(bare), a_file(a_safe(), bare)):
            for passphrase in (None, "x"):
                with pytest.raises(CryptoError, match="buffer"):
                    load_pkcs12(data, passphrase)

    def test_encrypted_content_that_is_missing(self) -> None:
        salt = sequence(octets(b"12345678"), der(0x02, b"\1"))
        algorithm = sequence(oid("1.2.840.113549.1.12.1.3"), salt)
        content = sequence(DATA, algorithm)
        with pytest.raises(CryptoError, match="no content"):
            load_pkcs12(a_file(sequence(ENCRYPTED, explicit(sequence(der(0x02, b"\0"), content)))), "x")

    def test_the_empty_file(self) -> None:
        empty = load_pkcs12(a_file())
        assert empty.get_privatekey() is None
        assert empty.get_ca_certificates() is None

    @pytest.mark.parametrize(
        ("value", "name"),
        [
            (der(0x1E, "na\u00efve \u5370".encode("utf-16-be")), "na\u00efve \u5370".encode()),
            (der(0x1E, "\U0001f511".encode("utf-16-be")), None),
            (der(0x1E, "a\0b".encode("utf-16-be")), b"a\0b"),
            (der(0x1E), b""),
            (der(0x1E, b"\xd8\x3d"), b"\xef\xbf\xbd"),
            (der(0x0C, b"not a BMPString"), None),
            (octets(b"x" * 1000), None),
            (der(0x02, b"\x7f" * 8), None),
            (der(0x05), None),
            (sequence(der(0x02, b"\1")), None),
        ],
    )
    def test_names_of_any_type(self, pki: Any, value: bytes, name: bytes | None) -> None:
        bag = certificate_bag(
            pki.alice.certificate, attribute(FRIENDLY_NAME, value), attribute(LOCAL_KEY_ID, value)
        )
        item = load_pkcs12(a_file(a_safe(bag)))
        assert item.get_ca_certificates() == (pki.alice.certificate,)
        alias = load_pkcs12(item.export("x", **FEW), "x").get_ca_certificates()[0]
        size = ffi.new("int *")
        pointer = lib.X509_alias_get0(alias._x509, size)
        found = None if pointer == ffi.NULL else bytes(ffi.buffer(pointer, size[0]))
        assert found == name or (name == b"" and found is None)

    def test_attributes_without_values(self, pki: Any) -> None:
        bag = certificate_bag(pki.alice.certificate, attribute(FRIENDLY_NAME), attribute(LOCAL_KEY_ID))
        assert load_pkcs12(a_file(a_safe(bag))).get_ca_certificates() == (pki.alice.certificate,)

    def test_safes_in_safes(self, pki: Any) -> None:
        bag = certificate_bag(pki.alice.certificate)
        for _ in range(3):
            bag = sequence(SAFE_BAG, explicit(sequence(bag)))
        assert load_pkcs12(a_file(a_safe(bag))).get_ca_certificates() == (pki.alice.certificate,)
        for _ in range(2000):
            bag = sequence(SAFE_BAG, explicit(sequence(bag)))
        with pytest.raises(CryptoError, match="buffer"):
            load_pkcs12(a_file(a_safe(bag)))

    def test_other_bags_are_passed_over(self, pki: Any) -> None:
        secret = sequence(
            oid("1.2.840.113549.1.12.10.1.5"), explicit(sequence(oid("1.2.3"), explicit(octets(b"x"))))
        )
        sdsi = sequence(
            CERT_BAG, explicit(sequence(oid("1.2.840.113549.1.9.22.2"), explicit(der(0x16, b"x"))))
        )
        bag = certificate_bag(pki.alice.certificate)
        item = load_pkcs12(a_file(a_safe(secret, sdsi, bag)))
        assert item.get_ca_certificates() == (pki.alice.certificate,)

    def test_a_malformed_certificate_in_a_bag(self) -> None:
        bag = sequence(CERT_BAG, explicit(sequence(X509_CERTIFICATE, explicit(octets(b"junk")))))
        with pytest.raises(CryptoError, match="buffer: a certificate in it is malformed"):
            load_pkcs12(a_file(a_safe(bag)))

    @pytest.mark.parametrize("legacy", [False, True])
    def test_endless_key_derivation_is_refused(
        self, pki: Any, monkeypatch: pytest.MonkeyPatch, legacy: bool
    ) -> None:
        key, certificates = PKCS12(), PKCS12()
        key.set_privatekey(pki.alice.key)
        certificates.set_ca_certificates([pki.ca.certificate])
        files = [
            key.export("x", 5000, -1, legacy=legacy),
            certificates.export("x", 5000, -1, legacy=legacy),
            certificates.export("x", 1, 5000, legacy=legacy),
        ]
        monkeypatch.setattr(module, "ROUNDS_MAX", 4999)
        for data in files:
            with pytest.raises(CryptoError, match="buffer: asks for more than 4999 rounds"):
                load_pkcs12(data, "x")
        monkeypatch.setattr(module, "ROUNDS_MAX", 5000)
        for data in files:
            load_pkcs12(data, "x")

    @pytest.mark.parametrize("rounds", [b"\x7f" * 4, b"\x7f" * 40, b"\xff"])
    def test_absurd_numbers_of_rounds(self, rounds: bytes) -> None:
        digest = sequence(sequence(oid("1.3.14.3.2.26"), der(0x05)), octets(b"0" * 20))
        mac = sequence(digest, octets(b"12345678"), der(0x02, rounds))
        content = sequence(DATA, explicit(octets(sequence())))
        with pytest.raises(CryptoError, match="rounds"):
            load_pkcs12(sequence(der(0x02, b"\3"), content, mac), "x")
        pbes1 = sequence(oid("1.2.840.113549.1.12.1.3"), sequence(octets(b"12345678"), der(0x02, rounds)))
        pbkdf2 = sequence(oid("1.2.840.113549.1.5.12"), sequence(octets(b"12345678"), der(0x02, rounds)))
        scrypt = sequence(
            oid("1.3.6.1.4.1.11591.4.11"),
            sequence(octets(b"12345678"), der(0x02, rounds), der(0x02, b"\1"), der(0x02, b"\1")),
        )
        cipher = sequence(oid("2.16.840.1.101.3.4.1.42"), octets(b"0" * 16))
        for algorithm in (
            pbes1,
            *(sequence(oid("1.2.840.113549.1.5.13"), sequence(kdf, cipher)) for kdf in (pbkdf2, scrypt)),
        ):
            encrypted = sequence(DATA, algorithm, der(0x80, b"0" * 16))
            safe = sequence(ENCRYPTED, explicit(sequence(der(0x02, b"\0"), encrypted)))
            shrouded = sequence(
                oid("1.2.840.113549.1.12.10.1.2"), explicit(sequence(algorithm, octets(b"0" * 16)))
            )
            for part in (safe, a_safe(shrouded)):
                with pytest.raises(CryptoError, match="rounds"):
                    load_pkcs12(a_file(part), "x")

    @pytest.mark.memory
    def test_loading_and_failing_leak_nothing(self, alice: PKCS12) -> None:
        data = alice.export("x", **FEW)

        def resident() -> int:
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

        def rounds(count: int) -> None:
            for _ in range(count):
                load_pkcs12(data, "x")
                for broken, passphrase in (
                    (data, "y"),
                    (data[:-9], "x"),
                    (data[:50] + b"\0" + data[51:], "x"),
                ):
                    with pytest.raises(CryptoError):
                        load_pkcs12(broken, passphrase)

        rounds(100)
        before = resident()
        rounds(1000)
        assert resident() - before < 4_000_000

    def test_several_threads(self, alice: PKCS12) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for _ in range(10):
                    data = alice.export(str(number), **FEW, legacy=number % 2 == 1)
                    assert_same(load_pkcs12(data, str(number)), alice)
                    with pytest.raises(CryptoError):
                        load_pkcs12(data, "wrong")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


# -- the legacy provider -----------------------------------------------------------


@pytest.mark.skipif(not lib.HAS_OSSL_PROVIDER_load, reason="this OpenSSL has the old algorithms itself")
def test_without_a_legacy_provider_one_error_says_so(alice: PKCS12, tmp_path: Path) -> None:
    file = tmp_path / "old.p12"
    file.write_bytes(alice.export("x", **FEW, legacy=True))
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_LEGACY, file],
        env=dict(os.environ, OPENSSL_MODULES=str(tmp_path)),
        input=dump_certificate(FileType.PEM, alice.get_certificate()),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    first, second, wrong, written, count = json.loads(done.stdout.splitlines()[-1])
    assert first == second
    assert first.startswith("buffer: this PKCS#12 file needs an algorithm")
    assert "legacy provider" in first
    assert wrong.startswith("passphrase: wrong")
    assert written.startswith("legacy: this form needs")
    assert count == 1


WITHOUT_LEGACY = """
import json, pathlib, sys
from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi.pkcs12 import PKCS12, load_pkcs12
from openssl_iface.impl_cffi.x509 import load_certificates

def failure(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except CryptoError as error:
        return str(error)

data = pathlib.Path(sys.argv[1]).read_bytes()
item = PKCS12()
item.set_ca_certificates(load_certificates(sys.stdin.buffer.read()))
print(json.dumps([
    failure(load_pkcs12, data, "x"), failure(load_pkcs12, data, "x"), failure(load_pkcs12, data, "wrong"),
    failure(item.export, "x", legacy=True), len(load_pkcs12(item.export("x"), "x").get_ca_certificates()),
]))
"""


# -- other programs ------------------------------------------------------------------


class TestOpenSSL:
    """Files of the openssl commands."""

    @pytest.mark.parametrize("passphrase", ["", "secret", "p\u00e4ss \u5370"])
    @pytest.mark.parametrize(
        "options",
        [
            (),
            ("-legacy",),
            ("-descert",),
            ("-nomac",),
            ("-keypbe", "NONE", "-certpbe", "NONE"),
            ("-keypbe", "AES-128-CBC", "-certpbe", "AES-192-CBC", "-macalg", "sha512", "-iter", "10"),
            ("-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-RC2-128"),
            ("-noiter", "-nomaciter"),
        ],
        ids=" ".join,
    )
    def test_theirs(
        self, openssl: Any, pki: Any, tmp_path: Path, options: tuple[str, ...], passphrase: str
    ) -> None:
        if openssl.old:
            options = tuple(option for option in options if option not in ("-legacy", "-iter", "10"))
        elif "PBE-SHA1-RC4-128" in options:
            options = ("-legacy", *options)
        chain = pki.file("chain.pem", pki.ca.certificate, pki.other_ca.certificate, pki.bob.certificate)
        data = openssl(
            "pkcs12", "-export", "-inkey", pki.alice.key_file, "-in", pki.alice.certificate_file,
            "-certfile", chain, "-name", "\u00c4lice \u5370", "-passout", f"pass:{passphrase}", *options,
        )  # fmt: skip
        item = load_pkcs12(data, passphrase)
        assert item.get_privatekey() == pki.alice.key
        assert item.get_certificate() == pki.alice.certificate
        assert item.get_ca_certificates() == (
            pki.ca.certificate, pki.other_ca.certificate, pki.bob.certificate,
        )  # fmt: skip
        if not openssl.old:  # which took each byte of the name for a character
            assert item.get_friendlyname() == "\u00c4lice \u5370".encode()
        if options != ("-keypbe", "NONE", "-certpbe", "NONE") or passphrase:
            with pytest.raises(CryptoError):
                load_pkcs12(data, "wrong")

    def test_theirs_without_a_key_or_a_certificate(self, openssl: Any, pki: Any) -> None:
        data = openssl(
            "pkcs12", "-export", "-nokeys", "-in", pki.alice.certificate_file, "-passout", "pass:x"
        )
        item = load_pkcs12(data, "x")
        assert item.get_privatekey() is None
        assert item.get_ca_certificates() == (pki.alice.certificate,)
        done = openssl.run(
            "pkcs12", "-export", "-nocerts", "-inkey", pki.alice.key_file, "-passout", "pass:x"
        )
        if not openssl.old:  # which insists on a certificate
            item = load_pkcs12(done.stdout, "x")
            assert item.get_privatekey() == pki.alice.key
            assert item.get_certificate() is None

    def test_theirs_with_pbmac1(self, openssl: Any, pki: Any) -> None:
        if b"pbmac1" not in openssl.run("pkcs12", "-help").stderr:
            pytest.skip("this openssl command makes no PBMAC1")
        data = openssl(
            "pkcs12", "-export", "-inkey", pki.alice.key_file, "-in", pki.alice.certificate_file,
            "-passout", "pass:x", "-pbmac1_pbkdf2",
        )  # fmt: skip
        if lib.OPENSSL_VERSION_NUMBER < 0x30400000:  # and a clear error
            with pytest.raises(CryptoError, match="passphrase: wrong, or buffer: damaged"):
                load_pkcs12(data, "x")
            return
        assert load_pkcs12(data, "x").get_privatekey() == pki.alice.key
        with pytest.raises(CryptoError, match="passphrase: wrong"):
            load_pkcs12(data, "y")

    @pytest.mark.parametrize("legacy", [False, True])
    @pytest.mark.parametrize("passphrase", [None, "", "secret", "p\u00e4ss \u5370"])
    def test_ours(self, openssl: Any, alice: PKCS12, passphrase: str | None, legacy: bool) -> None:
        data = alice.export(passphrase, 100, 100, legacy=legacy)
        options = ["-legacy"] if legacy and not openssl.old else []
        output = openssl("pkcs12", "-nodes", "-passin", f"pass:{passphrase or ''}", *options, stdin=data)
        assert b"friendlyName: Alice" in output
        assert b"PRIVATE KEY" in output
        ours = load_certificates(output)
        assert ours == [alice.get_certificate(), *(alice.get_ca_certificates() or ())]
        assert openssl.run("pkcs12", "-nodes", "-passin", "pass:no", *options, stdin=data).returncode != 0


class TestGnuTLS:
    @pytest.mark.parametrize("cipher", ["aes-256", "3des-pkcs12", "arcfour", "rc2-40"])
    @pytest.mark.parametrize("passphrase", ["secret", "p\u00e4ss \u5370"])
    def test_theirs(self, certtool: Any, pki: Any, cipher: str, passphrase: str) -> None:
        data = certtool(
            "--to-p12", "--load-privkey", pki.alice.key_file,
            "--load-certificate", pki.alice.certificate_file,
            "--load-ca-certificate", pki.ca.certificate_file, "--p12-name", "Alice", "--password", passphrase,
            "--outder", "--pkcs-cipher", cipher,
        )  # fmt: skip
        item = load_pkcs12(data, passphrase)
        assert item.get_privatekey() == pki.alice.key
        assert item.get_certificate() == pki.alice.certificate
        assert item.get_ca_certificates() == (pki.ca.certificate,)
        assert item.get_friendlyname() == b"Alice"
        with pytest.raises(CryptoError):
            load_pkcs12(data, "wrong")

    @pytest.mark.parametrize("option", ["--null-password", "--empty-password"])
    def test_theirs_without_a_passphrase(self, certtool: Any, pki: Any, option: str) -> None:
        data = certtool(
            "--to-p12", "--load-privkey", pki.alice.key_file,
            "--load-certificate", pki.alice.certificate_file,
            "--p12-name", "Alice", option, "--outder",
        )  # fmt: skip
        for passphrase in (None, ""):
            assert load_pkcs12(data, passphrase).get_privatekey() == pki.alice.key

    @pytest.mark.parametrize("legacy", [False, True])
    @pytest.mark.parametrize("passphrase", ["secret", "p\u00e4ss \u5370"])
    def test_ours(self, certtool: Any, alice: PKCS12, passphrase: str, legacy: bool) -> None:
        data = alice.export(passphrase, 100, 100, legacy=legacy)
        output = certtool("--p12-info", "--inder", "--password", passphrase, stdin=data)
        assert b"PRIVATE KEY" in output
        assert b"Friendly name: Alice" in output
        found = load_certificates(output)
        assert set(found) == {alice.get_certificate(), *(alice.get_ca_certificates() or ())}


class TestCryptography:
    @pytest.mark.parametrize("passphrase", [None, b"secret", "p\u00e4ss \u5370".encode()])
    def test_theirs(self, pki: Any, passphrase: bytes | None) -> None:
        pytest.importorskip("cryptography")
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.serialization import pkcs12

        data = pkcs12.serialize_key_and_certificates(
            "\u00c4lice".encode(),
            pki.alice.key.to_cryptography_key(),
            pki.alice.certificate.to_cryptography(),
            [pki.ca.certificate.to_cryptography(), pki.bob.certificate.to_cryptography()],
            form.NoEncryption() if passphrase is None else form.BestAvailableEncryption(passphrase),
        )
        item = load_pkcs12(data, passphrase)
        assert item.get_privatekey() == pki.alice.key
        assert item.get_certificate() == pki.alice.certificate
        assert item.get_ca_certificates() == (pki.ca.certificate, pki.bob.certificate)
        assert item.get_friendlyname() == "\u00c4lice".encode()

    @pytest.mark.parametrize("legacy", [False, True])
    @pytest.mark.parametrize("passphrase", [b"secret", "p\u00e4ss \u5370".encode()])
    def test_ours(self, alice: PKCS12, passphrase: bytes, legacy: bool) -> None:
        pytest.importorskip("cryptography")
        from cryptography.hazmat.primitives.serialization import pkcs12

        loaded = pkcs12.load_pkcs12(alice.export(passphrase, legacy=legacy), passphrase)
        assert PKey.from_cryptography_key(loaded.key) == alice.get_privatekey()
        assert loaded.cert is not None
        assert X509.from_cryptography(loaded.cert.certificate) == alice.get_certificate()
        assert loaded.cert.friendly_name == b"Alice"
        others = {X509.from_cryptography(item.certificate) for item in loaded.additional_certs}
        assert others == set(alice.get_ca_certificates() or ())
