"""impl_cffi/pkcs7.py: signed and enveloped messages."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi.pkcs7 import PKCS7, dump_pkcs7_data, load_pkcs7_data
from openssl_iface.impl_cffi.pkey import PKey
from openssl_iface.impl_cffi.store import X509Store
from openssl_iface.impl_cffi.x509 import X509, dump_certificate, load_certificates
from openssl_iface.interfaces import IPKCS7
from openssl_iface.values import FileType, KeyType, PKCS7Flag

CONTENT = b"line one\nline two\r\n\0\xff end"
OLD_CIPHERS = ["rc2-cbc", "rc2-40-cbc", "rc2-64-cbc", "des-cbc"]


@pytest.fixture
def store(pki: Any) -> X509Store:
    made = X509Store()
    made.add_cert(pki.ca.certificate)
    return made


@pytest.fixture(scope="module")
def signed(pki: Any) -> PKCS7:
    return PKCS7.sign(pki.alice.certificate, pki.alice.key, CONTENT, [pki.ca.certificate])


@pytest.fixture(scope="module")
def enveloped(pki: Any) -> PKCS7:
    return PKCS7.encrypt([pki.alice.certificate, pki.bob.certificate], CONTENT)


def again(message: PKCS7, filetype: int = FileType.ASN1) -> PKCS7:
    return load_pkcs7_data(filetype, dump_pkcs7_data(filetype, message))


def types(message: PKCS7) -> tuple[bool, bool, bool, bool]:
    return (
        message.type_is_data(),
        message.type_is_signed(),
        message.type_is_enveloped(),
        message.type_is_signedAndEnveloped(),
    )


# DER by hand, for messages that no program makes
def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    assert len(content) < 0x100
    return bytes([tag, *([0x81] if len(content) > 0x7F else []), len(content)]) + content


def message_type(number: int) -> bytes:
    return der(0x06, bytes.fromhex("2a864886f70d0107"), bytes([number]))


class TestObject:
    def test_it_provides_the_contract(self, signed: PKCS7) -> None:
        verifyObject(IPKCS7, signed)

    def test_it_is_not_made_from_nothing(self) -> None:
        with pytest.raises(TypeError, match="load_pkcs7_data"):
            PKCS7()

    def test_types(self, signed: PKCS7, enveloped: PKCS7) -> None:
        assert types(signed) == (False, True, False, False)
        assert signed.get_type_name() == b"pkcs7-signedData"
        assert types(enveloped) == (False, False, True, False)
        assert enveloped.get_type_name() == b"pkcs7-envelopedData"
        data = load_pkcs7_data(FileType.ASN1, der(0x30, message_type(1), der(0xA0, der(0x04, b"hello"))))
        assert types(data) == (True, False, False, False)
        assert data.get_type_name() == b"pkcs7-data"
        with pytest.raises(AttributeError):
            _ = data.foo

    @pytest.mark.parametrize("filetype", [FileType.PEM, FileType.ASN1])
    def test_messages_come_back(
        self, signed: PKCS7, enveloped: PKCS7, store: X509Store, pki: Any, filetype: int
    ) -> None:
        assert again(signed, filetype).verify(store) == CONTENT
        assert again(enveloped, filetype).decrypt(pki.bob.key, pki.bob.certificate) == CONTENT
        assert b"pkcs7-signedData" in dump_pkcs7_data(FileType.TEXT, signed)

    def test_wrong_types(self, signed: PKCS7) -> None:
        with pytest.raises(TypeError, match="pkcs7"):
            dump_pkcs7_data(FileType.PEM, None)
        with pytest.raises(TypeError, match="buffer"):
            load_pkcs7_data(FileType.PEM, None)
        for filetype in (3, FileType.TEXT):
            with pytest.raises(ValueError, match="type"):
                load_pkcs7_data(filetype, b"")


class TestSigned:
    def test_the_certificates_that_it_carries(self, signed: PKCS7, pki: Any) -> None:
        found = signed.get_certificates()
        assert found == (pki.alice.certificate, pki.ca.certificate)
        message = again(signed)
        certificates = message.get_certificates()
        del message
        assert certificates[0].get_subject().CN == "Alice"
        assert (
            load_pkcs7_data(
                FileType.ASN1, der(0x30, message_type(1), der(0xA0, der(0x04, b"")))
            ).get_certificates()
            == ()
        )

    def test_what_is_trusted_verifies(self, signed: PKCS7, store: X509Store, pki: Any) -> None:
        assert signed.verify(store) == CONTENT
        mail = PKCS7.sign(pki.bob.certificate, pki.bob.key, b"")
        assert mail.verify(store) == b""

    def test_what_is_not_trusted_does_not(self, signed: PKCS7, pki: Any) -> None:
        stranger = X509Store()
        stranger.add_cert(pki.other_ca.certificate)
        for store in (X509Store(), stranger):
            with pytest.raises(CryptoError, match="certificate verify error"):
                signed.verify(store)
        assert signed.verify(X509Store(), flags=PKCS7Flag.NOVERIFY) == CONTENT

    def test_a_detached_signature(self, store: X509Store, pki: Any) -> None:
        message = PKCS7.sign(
            pki.alice.certificate, pki.alice.key, CONTENT, flags=PKCS7Flag.DETACHED | PKCS7Flag.BINARY
        )
        assert CONTENT not in dump_pkcs7_data(FileType.ASN1, message)
        assert again(message).verify(store, CONTENT) == CONTENT
        for data in (CONTENT + b"x", b"", CONTENT[:-1]):
            with pytest.raises(CryptoError, match="does not verify"):
                message.verify(store, data)
        with pytest.raises(CryptoError, match="no content"):
            message.verify(store)

    def test_a_signer_who_is_not_in_it(self, store: X509Store, pki: Any) -> None:
        message = PKCS7.sign(
            pki.alice.certificate, pki.alice.key, CONTENT, flags=PKCS7Flag.NOCERTS | PKCS7Flag.BINARY
        )
        assert message.get_certificates() == ()
        assert message.verify(store, certs=[pki.bob.certificate, pki.alice.certificate]) == CONTENT
        for certs in ([], [pki.bob.certificate]):
            with pytest.raises(CryptoError, match="signer certificate not found"):
                message.verify(store, certs=certs)

    @pytest.mark.parametrize(
        "flags",
        [PKCS7Flag.NOATTR, PKCS7Flag.NOSMIMECAP, PKCS7Flag.NOATTR | PKCS7Flag.DETACHED, PKCS7Flag.TEXT],
    )
    def test_flags(self, store: X509Store, pki: Any, flags: int) -> None:
        text = b"some text\r\n"
        message = again(PKCS7.sign(pki.alice.certificate, pki.alice.key, text, flags=flags))
        data = text if flags & PKCS7Flag.DETACHED else None
        assert message.verify(store, data, flags=flags & PKCS7Flag.TEXT) == text

    def test_an_elliptic_signer(self, pki: Any) -> None:
        key = PKey()
        key.generate_key(KeyType.EC, 256)
        certificate = X509()
        certificate.set_pubkey(key)
        certificate.get_subject().CN = "curve"
        certificate.set_issuer(certificate.get_subject())
        certificate.gmtime_adj_notBefore(-10)
        certificate.gmtime_adj_notAfter(100)
        certificate.sign(key, "sha256")
        store = X509Store()
        store.add_cert(certificate)
        assert again(PKCS7.sign(certificate, key, b"x")).verify(store) == b"x"

    def test_a_tampered_message(self, signed: PKCS7, store: X509Store) -> None:
        data = dump_pkcs7_data(FileType.ASN1, signed)
        assert CONTENT in data
        changed = load_pkcs7_data(FileType.ASN1, data.replace(CONTENT, CONTENT.replace(b"one", b"0ne")))
        with pytest.raises(CryptoError, match="digest failure"):
            changed.verify(store)
        assert signed.verify(store) == CONTENT

    def test_a_digest_of_another_type(self, signed: PKCS7, store: X509Store) -> None:
        """The attribute messageDigest as an integer, for which old releases read anywhere."""
        data = dump_pkcs7_data(FileType.ASN1, signed)
        mark = bytes.fromhex("06092a864886f70d0109043122")
        assert data.count(mark) == 1
        changed = load_pkcs7_data(FileType.ASN1, data.replace(mark + b"\x04", mark + b"\x02"))
        with pytest.raises(CryptoError, match="digest is malformed"):
            changed.verify(store)

    def test_other_types_are_not_verified(self, enveloped: PKCS7, store: X509Store) -> None:
        with pytest.raises(CryptoError, match="does not verify"):
            enveloped.verify(store)

    def test_a_bundle(self, pki: Any, store: X509Store) -> None:
        certificates = (pki.alice.certificate, pki.bob.certificate, pki.ca.certificate)
        bundle = again(PKCS7.bundle(certificates))
        assert bundle.get_certificates() == certificates
        assert bundle.type_is_signed()
        with pytest.raises(CryptoError, match="does not verify"):
            bundle.verify(store)
        with pytest.raises(CryptoError, match="does not verify"):
            bundle.verify(store, b"data", flags=PKCS7Flag.NOVERIFY)

    def test_wrong_arguments(self, signed: PKCS7, store: X509Store, pki: Any) -> None:
        certificate, key = pki.alice.certificate, pki.alice.key
        with pytest.raises(CryptoError, match="key: cannot sign"):
            PKCS7.sign(certificate, pki.bob.key, b"x")
        with pytest.raises(CryptoError, match="key"):
            PKCS7.sign(certificate, PKey(), b"x")
        with pytest.raises(CryptoError, match="key"):
            PKCS7.sign(certificate, certificate.get_pubkey(), b"x")
        with pytest.raises(CryptoError):
            PKCS7.sign(X509(), key, b"x")
        for flags in (PKCS7Flag.NOVERIFY, 0x1000, 0x4000, -1, 2**40):
            with pytest.raises(ValueError, match="flags"):
                PKCS7.sign(certificate, key, b"x", flags=flags)
        for arguments, name in (
            ((None, key, b"x"), "cert"),
            ((certificate, None, b"x"), "key"),
            ((certificate, key, 3), "data"),
            ((certificate, key, b"x", 3), "certs"),
            ((certificate, key, b"x", [3]), "certs"),
            ((certificate, key, b"x", (), "1"), "flags"),
        ):
            with pytest.raises(TypeError, match=name):
                PKCS7.sign(*arguments)
        for arguments, name in (((None,), "store"), ((store, 3), "data"), ((store, None, 3), "certs")):
            with pytest.raises(TypeError, match=name):
                signed.verify(*arguments)
        with pytest.raises(ValueError, match="flags"):
            signed.verify(store, flags=PKCS7Flag.DETACHED)


class TestEnveloped:
    def test_each_recipient_can_read_it(self, enveloped: PKCS7, pki: Any) -> None:
        for party in (pki.alice, pki.bob):
            assert enveloped.decrypt(party.key, party.certificate) == CONTENT

    def test_nobody_else_can(self, enveloped: PKCS7, pki: Any) -> None:
        with pytest.raises(CryptoError, match="no recipient matches certificate"):
            enveloped.decrypt(pki.ca.key, pki.ca.certificate)
        with pytest.raises(CryptoError, match="private key does not match"):
            enveloped.decrypt(pki.ca.key, pki.alice.certificate)

    @pytest.mark.parametrize("cipher", ["aes-128-cbc", b"AES-192-CBC", "des-ede3-cbc", *OLD_CIPHERS])
    @pytest.mark.parametrize("size", [0, 1, 16, 100_000])
    def test_ciphers(self, pki: Any, cipher: Any, size: int) -> None:
        content = os.urandom(size)
        message = PKCS7.encrypt([pki.alice.certificate], content, cipher)
        assert again(message).decrypt(pki.alice.key, pki.alice.certificate) == content

    def test_text(self, pki: Any) -> None:
        message = PKCS7.encrypt([pki.alice.certificate], b"text\r\n", flags=PKCS7Flag.TEXT)
        key, certificate = pki.alice.key, pki.alice.certificate
        assert message.decrypt(key, certificate, PKCS7Flag.TEXT) == b"text\r\n"
        assert message.decrypt(key, certificate).startswith(b"Content-Type: text/plain")

    def test_other_types_are_not_decrypted(self, signed: PKCS7, pki: Any) -> None:
        with pytest.raises(CryptoError, match="cannot be decrypted"):
            signed.decrypt(pki.alice.key, pki.alice.certificate)

    def test_wrong_arguments(self, enveloped: PKCS7, pki: Any) -> None:
        certificate, key = pki.alice.certificate, pki.alice.key
        for cipher in ("no such cipher", "aes-256-gcm", "aes-256-ctr", "chacha20-poly1305", "", "rc4"):
            with pytest.raises(ValueError, match="cipher"):
                PKCS7.encrypt([certificate], b"x", cipher)
        for flags in (PKCS7Flag.DETACHED, 0x1000, -1):
            with pytest.raises(ValueError, match="flags"):
                PKCS7.encrypt([certificate], b"x", flags=flags)
        with pytest.raises(ValueError, match="certs"):
            PKCS7.encrypt([], b"x")
        for arguments, name in (
            ((certificate, b"x"), "certs"),
            (([None], b"x"), "certs"),
            (([certificate], None), "data"),
            (([certificate], b"x", 3), "cipher"),
        ):
            with pytest.raises(TypeError, match=name):
                PKCS7.encrypt(*arguments)
        with pytest.raises(TypeError, match="key"):
            enveloped.decrypt(None, certificate)
        with pytest.raises(TypeError, match="cert"):
            enveloped.decrypt(key, None)
        with pytest.raises(CryptoError, match="key"):
            enveloped.decrypt(certificate.get_pubkey(), certificate)
        with pytest.raises(ValueError, match="flags"):
            enveloped.decrypt(key, certificate, PKCS7Flag.NOVERIFY)

    def test_keys_other_than_rsa_get_no_messages(self, pki: Any) -> None:
        key = PKey()
        key.generate_key(KeyType.EC, 256)
        certificate = X509()
        certificate.set_pubkey(key)
        certificate.get_subject().CN = "curve"
        certificate.set_issuer(certificate.get_subject())
        certificate.gmtime_adj_notBefore(0)
        certificate.gmtime_adj_notAfter(10)
        certificate.sign(key, "sha256")
        with pytest.raises(CryptoError, match="certs"):
            PKCS7.encrypt([certificate], b"x")


class TestHostile:
    @pytest.mark.parametrize("data", [b"", b"deadbeef", b"\0" * 50, b"0\x80", b"0\x84\xff\xff\xff\xff"])
    @pytest.mark.parametrize("filetype", [FileType.PEM, FileType.ASN1])
    def test_what_is_no_message_is_refused(self, data: bytes, filetype: int) -> None:
        with pytest.raises(CryptoError, match="buffer: not a PKCS#7 message"):
            load_pkcs7_data(filetype, data)

    def test_another_object_is_refused(self, pki: Any) -> None:
        data = dump_certificate(FileType.ASN1, pki.ca.certificate)
        with pytest.raises(CryptoError, match="buffer"):
            load_pkcs7_data(FileType.ASN1, data)
        with pytest.raises(CryptoError, match="buffer"):
            load_pkcs7_data(FileType.PEM, pki.ca.key_file.read_bytes())

    def test_an_encrypted_block_is_an_error_and_no_question(self, signed: PKCS7) -> None:
        lines = dump_pkcs7_data(FileType.PEM, signed).splitlines()
        lines[1:1] = [
            b"Proc-Type: 4,ENCRYPTED",
            b"DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF",
            b"",
        ]
        with pytest.raises(CryptoError, match="buffer"):
            load_pkcs7_data(FileType.PEM, b"\n".join(lines))

    @pytest.mark.parametrize("number", range(1, 8))
    def test_content_that_is_missing(self, number: int) -> None:
        with pytest.raises(CryptoError, match="buffer"):
            load_pkcs7_data(FileType.ASN1, der(0x30, message_type(number)))

    def test_encrypted_content_that_is_missing(self, pki: Any) -> None:
        algorithm = der(0x30, bytes.fromhex("06082a864886f70d0307"), der(0x04, bytes(8)))
        for inner in (
            der(0x30, message_type(1), algorithm),
            der(0x30, message_type(1), algorithm, der(0x80)),
        ):
            body = der(0x30, der(0x02, b"\0"), der(0x31), inner)
            message = load_pkcs7_data(FileType.ASN1, der(0x30, message_type(3), der(0xA0, body)))
            assert message.type_is_enveloped()
            with pytest.raises(CryptoError):
                message.decrypt(pki.alice.key, pki.alice.certificate)

    def test_signed_and_enveloped(self, pki: Any) -> None:
        algorithm = der(0x30, bytes.fromhex("06082a864886f70d0307"), der(0x04, bytes(8)))
        inner = der(0x30, message_type(1), algorithm, der(0x80, bytes(8)))
        body = der(0x30, der(0x02, b"\1"), der(0x31), der(0x31), inner, der(0x31))
        message = load_pkcs7_data(FileType.ASN1, der(0x30, message_type(4), der(0xA0, body)))
        assert types(message) == (False, False, False, True)
        assert message.get_type_name() == b"pkcs7-signedAndEnvelopedData"
        assert message.get_certificates() == ()
        with pytest.raises(CryptoError, match="signed and enveloped"):
            message.decrypt(pki.alice.key, pki.alice.certificate)
        with pytest.raises(CryptoError):
            message.verify(X509Store(), flags=PKCS7Flag.NOVERIFY)

    def test_an_unknown_type(self) -> None:
        message = load_pkcs7_data(
            FileType.ASN1, der(0x30, der(0x06, b"\x2a\x03\x04"), der(0xA0, der(0x04, b"content")))
        )
        assert types(message) == (False, False, False, False)
        assert message.get_type_name() == b"UNDEF"
        with pytest.raises(CryptoError):
            message.verify(X509Store())

    @pytest.mark.parametrize("kind", ["signed", "enveloped"])
    def test_damage_is_noticed_or_harmless(
        self, request: pytest.FixtureRequest, store: X509Store, pki: Any, kind: str
    ) -> None:
        data = dump_pkcs7_data(FileType.ASN1, request.getfixturevalue(kind))
        generator = random.Random(7)
        refused = 0
        for _ in range(2000):
            damaged = bytearray(data)
            for _ in range(generator.randint(1, 3)):
                damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
            if generator.random() < 0.1:
                start = generator.randrange(len(damaged))
                del damaged[start : start + generator.randint(1, 20)]
            try:
                message = load_pkcs7_data(FileType.ASN1, damaged)
                message.get_certificates()
                if kind == "signed":
                    assert message.verify(store) == CONTENT
                else:
                    message.decrypt(pki.alice.key, pki.alice.certificate)
            except CryptoError:
                refused += 1
        assert refused > 500

    @pytest.mark.memory
    def test_loading_and_failing_leak_nothing(
        self, signed: PKCS7, enveloped: PKCS7, store: X509Store, pki: Any
    ) -> None:
        data = dump_pkcs7_data(FileType.PEM, signed)

        def resident() -> int:
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

        def rounds(count: int) -> None:
            for _ in range(count):
                message = load_pkcs7_data(FileType.PEM, data)
                message.verify(store)
                message.get_certificates()
                with pytest.raises(CryptoError):
                    message.verify(X509Store())
                with pytest.raises(CryptoError):
                    load_pkcs7_data(FileType.PEM, data[:-100])
                with pytest.raises(CryptoError):
                    enveloped.decrypt(pki.ca.key, pki.ca.certificate)

        rounds(100)
        before = resident()
        rounds(1000)
        assert resident() - before < 4_000_000

    def test_several_threads(self, signed: PKCS7, enveloped: PKCS7, store: X509Store, pki: Any) -> None:
        failures: list[BaseException] = []

        def work() -> None:
            try:
                for _ in range(20):
                    assert signed.verify(store) == CONTENT
                    assert enveloped.decrypt(pki.bob.key, pki.bob.certificate) == CONTENT
                    old = PKCS7.encrypt([pki.alice.certificate], b"x", "rc2-cbc")
                    assert old.decrypt(pki.alice.key, pki.alice.certificate) == b"x"
                    assert len(signed.get_certificates()) == 2
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


# -- other programs ----------------------------------------------------------------


class TestOpenSSL:
    @pytest.mark.parametrize("form", ["PEM", "DER"])
    @pytest.mark.parametrize(
        "options", [("-nodetach",), (), ("-nodetach", "-noattr"), ("-nodetach", "-nocerts")]
    )
    def test_their_signatures(
        self, openssl: Any, pki: Any, store: X509Store, form: str, options: tuple[str, ...]
    ) -> None:
        data = openssl(
            "smime", "-sign", "-binary", "-outform", form, "-signer", pki.alice.certificate_file,
            "-inkey", pki.alice.key_file, *options, stdin=CONTENT,
        )  # fmt: skip
        message = load_pkcs7_data(FileType.PEM if form == "PEM" else FileType.ASN1, data)
        assert message.type_is_signed()
        content = None if "-nodetach" in options else CONTENT
        certs = [pki.alice.certificate]
        assert message.get_certificates() == (() if "-nocerts" in options else tuple(certs))
        assert message.verify(store, content, certs) == CONTENT
        with pytest.raises(CryptoError):
            message.verify(X509Store(), content, certs)

    def test_our_signatures(self, openssl: Any, pki: Any, signed: PKCS7, tmp_path: Path) -> None:
        data = dump_pkcs7_data(FileType.PEM, signed)
        verify = ("smime", "-verify", "-binary", "-inform", "PEM", "-CAfile")
        assert openssl(*verify, pki.ca.certificate_file, stdin=data) == CONTENT
        assert openssl.run(*verify, pki.other_ca.certificate_file, stdin=data).returncode != 0
        detached = PKCS7.sign(pki.bob.certificate, pki.bob.key, CONTENT, flags=0xC0)
        content = tmp_path / "content"
        content.write_bytes(CONTENT)
        data = dump_pkcs7_data(FileType.PEM, detached)
        assert openssl(*verify, pki.ca.certificate_file, "-content", content, stdin=data) == CONTENT

    @pytest.mark.parametrize("cipher", ["aes256", "aes128", "des3", "des", "rc2-40", "rc2-64", "rc2-128"])
    def test_their_envelopes(self, openssl: Any, pki: Any, cipher: str) -> None:
        legacy = ("-provider", "legacy", "-provider", "default")
        options = () if openssl.old or cipher in ("aes256", "aes128", "des3") else legacy
        data = openssl(
            "smime", "-encrypt", "-binary", "-outform", "DER", f"-{cipher}", *options,
            pki.alice.certificate_file, pki.bob.certificate_file, stdin=CONTENT,
        )  # fmt: skip
        message = load_pkcs7_data(FileType.ASN1, data)
        assert message.type_is_enveloped()
        for party in (pki.alice, pki.bob):
            assert message.decrypt(party.key, party.certificate) == CONTENT

    @pytest.mark.parametrize("cipher", ["aes-256-cbc", "des-ede3-cbc", *OLD_CIPHERS])
    def test_our_envelopes(self, openssl: Any, pki: Any, cipher: str) -> None:
        data = dump_pkcs7_data(FileType.ASN1, PKCS7.encrypt([pki.alice.certificate], CONTENT, cipher))
        legacy = ("-provider", "legacy", "-provider", "default")
        options = legacy if cipher in OLD_CIPHERS and not openssl.old else ()
        output = openssl(
            "smime", "-decrypt", "-binary", "-inform", "DER", *options,
            "-recip", pki.alice.certificate_file, "-inkey", pki.alice.key_file, stdin=data,
        )  # fmt: skip
        assert output == CONTENT

    def test_bundles(self, openssl: Any, pki: Any) -> None:
        certificates = (pki.alice.certificate, pki.ca.certificate)
        file = pki.file("bundle.pem", *certificates)
        for form, filetype in (("PEM", FileType.PEM), ("DER", FileType.ASN1)):
            data = openssl("crl2pkcs7", "-nocrl", "-certfile", file, "-outform", form)
            assert load_pkcs7_data(filetype, data).get_certificates() == certificates
            ours = dump_pkcs7_data(filetype, PKCS7.bundle(certificates))
            output = openssl("pkcs7", "-print_certs", "-inform", form, stdin=ours)
            assert load_certificates(output) == list(certificates)


class TestGnuTLS:
    @pytest.mark.parametrize("detached", [False, True])
    def test_theirs(self, certtool: Any, pki: Any, store: X509Store, tmp_path: Path, detached: bool) -> None:
        content = tmp_path / "content"
        content.write_bytes(CONTENT)
        data = certtool(
            "--p7-detached-sign" if detached else "--p7-sign", "--p7-include-cert", "--infile", content,
            "--load-certificate", pki.bob.certificate_file, "--load-privkey", pki.bob.key_file,
        )  # fmt: skip
        message = load_pkcs7_data(FileType.PEM, data)
        assert message.get_certificates() == (pki.bob.certificate,)
        assert message.verify(store, CONTENT if detached else None) == CONTENT

    def test_ours(self, certtool: Any, pki: Any, tmp_path: Path) -> None:
        message = PKCS7.sign(pki.bob.certificate, pki.bob.key, CONTENT, [pki.ca.certificate])
        data = dump_pkcs7_data(FileType.PEM, message)
        output = certtool("--p7-info", stdin=data)
        assert b"issuer DN: CN=Test CA" in output
        verify = ("--p7-verify", "--load-ca-certificate")
        done = certtool.run(*verify, pki.ca.certificate_file, stdin=data)
        assert done.returncode == 0
        assert b"Signature status: ok" in done.stderr
        assert certtool.run(*verify, pki.other_ca.certificate_file, stdin=data).returncode != 0

    def test_bundles(self, certtool: Any, pki: Any) -> None:
        certificates = (pki.alice.certificate, pki.ca.certificate)
        data = certtool("--p7-generate", "--load-certificate", pki.file("two.pem", *certificates))
        assert set(load_pkcs7_data(FileType.PEM, data).get_certificates()) == set(certificates)
        ours = dump_pkcs7_data(FileType.PEM, PKCS7.bundle(certificates))
        assert b"Number of certificates: 2" in certtool("--p7-info", stdin=ours)


class TestCryptography:
    def test_theirs(self, pki: Any, store: X509Store) -> None:
        pytest.importorskip("cryptography")
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.serialization import pkcs7

        key, certificate = pki.alice.key.to_cryptography_key(), pki.alice.certificate.to_cryptography()
        builder = pkcs7.PKCS7SignatureBuilder().set_data(CONTENT)
        builder = builder.add_signer(certificate, key, hashes.SHA256())
        data = builder.sign(form.Encoding.DER, [pkcs7.PKCS7Options.Binary])
        assert load_pkcs7_data(FileType.ASN1, data).verify(store) == CONTENT
        data = pkcs7.serialize_certificates([certificate], form.Encoding.PEM)
        assert load_pkcs7_data(FileType.PEM, data).get_certificates() == (pki.alice.certificate,)
        envelope = pkcs7.PKCS7EnvelopeBuilder().set_data(CONTENT).add_recipient(certificate)
        data = envelope.encrypt(form.Encoding.DER, [pkcs7.PKCS7Options.Binary])
        message = load_pkcs7_data(FileType.ASN1, data)
        assert message.decrypt(pki.alice.key, pki.alice.certificate) == CONTENT

    def test_ours(self, pki: Any, enveloped: PKCS7, signed: PKCS7) -> None:
        pytest.importorskip("cryptography")
        from cryptography.hazmat.primitives.serialization import pkcs7

        data = dump_pkcs7_data(FileType.ASN1, signed)
        found = [X509.from_cryptography(item) for item in pkcs7.load_der_pkcs7_certificates(data)]
        assert found == list(signed.get_certificates())
        key, certificate = pki.alice.key.to_cryptography_key(), pki.alice.certificate.to_cryptography()
        message = PKCS7.encrypt([pki.alice.certificate], CONTENT, "aes-128-cbc")
        data = dump_pkcs7_data(FileType.ASN1, message)
        assert pkcs7.pkcs7_decrypt_der(data, certificate, key, []) == CONTENT
