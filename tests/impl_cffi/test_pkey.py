"""impl_cffi/pkey.py: keys are made, read, written, and sign."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError, KeyHalfError
from openssl_iface.impl_cffi._errors import clear
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.keygen import get_elliptic_curve, get_elliptic_curves
from openssl_iface.impl_cffi.pkey import (
    PKey,
    dump_privatekey,
    dump_publickey,
    load_privatekey,
    load_publickey,
    sign,
    verify_with,
)
from openssl_iface.impl_cffi.providers import legacy_context
from openssl_iface.interfaces import IPKey
from openssl_iface.values import FileType, KeyType

PEM, DER, TEXT = FileType.PEM, FileType.ASN1, FileType.TEXT

# kind, bits to ask for, the type's number, bits that it has
KINDS = [
    ("RSA", 2048, KeyType.RSA, {2048}),
    ("RSA-PSS", 2048, KeyType.RSA_PSS, {2048}),
    ("DSA", 512, KeyType.DSA, {512}),
    ("DSA", 1024, KeyType.DSA, {1024}),
    ("DSA", 2048, KeyType.DSA, {2048}),
    ("EC", 256, KeyType.EC, {256}),
    ("EC", 521, KeyType.EC, {521}),
    ("ED25519", 0, KeyType.ED25519, {253, 256}),
    ("ED448", 0, KeyType.ED448, {456}),
    ("X25519", 0, KeyType.X25519, {253}),
    ("X448", 0, KeyType.X448, {448}),
]
POST_QUANTUM = ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]
KNOWS_ML_DSA = lib.OBJ_txt2nid(b"ML-DSA-65") != lib.NID_undef
clear()
ALL = [(kind, bits) for kind, bits, _, _ in KINDS] + ([(k, 0) for k in POST_QUANTUM] if KNOWS_ML_DSA else [])


def _has_legacy() -> bool:
    if not lib.HAS_OSSL_LIB_CTX_new:
        return True
    try:
        return bool(legacy_context())
    except CryptoError:
        return False


HAS_LEGACY = _has_legacy()

MakeKey = Callable[..., PKey]


class TestMaking:
    @pytest.mark.parametrize(("kind", "bits", "number", "sizes"), KINDS)
    def test_each_kind(self, key: MakeKey, kind: str, bits: int, number: int, sizes: set[int]) -> None:
        made = key(kind, bits)
        verifyObject(IPKey, made)
        assert made.type() == number
        assert made.bits() in sizes
        assert made.algorithm == kind
        assert f"{kind}, {made.bits()} bits, private" in repr(made)

    @pytest.mark.parametrize(("kind", "number"), [(k, n) for k, _, n, _ in KINDS if not k.endswith("SA")])
    def test_by_number_too(self, kind: str, number: int) -> None:
        made = PKey()
        made.generate_key(number, 1024 if kind == "RSA-PSS" else 256)
        assert made.type() == number

    @pytest.mark.parametrize("name", POST_QUANTUM)
    def test_post_quantum_keys_where_openssl_has_them(self, name: str) -> None:
        made = PKey()
        if KNOWS_ML_DSA:
            made.generate_key(name)
            assert made.algorithm == name
            again = PKey()
            again.generate_key(made.type())
            assert again.algorithm == name
            assert again != made
        else:
            with pytest.raises(CryptoError, match=f"{name}.*(needs OpenSSL|unsupported)"):
                made.generate_key(name)

    @pytest.mark.parametrize("curve", ["P-384", "secp384r1", b"secp384r1"])
    def test_a_curve_by_any_of_its_names(self, curve: Any) -> None:
        made = PKey()
        made.generate_key(KeyType.EC, curve=curve)
        assert made.bits() == 384

    def test_a_curve_as_an_object(self) -> None:
        made = PKey()
        made.generate_key(KeyType.EC, curve=get_elliptic_curve("secp256k1"))
        assert b"secp256k1" in dump_privatekey(TEXT, made)

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("RSA", 0), ValueError),
            (("RSA", -1), ValueError),
            (("RSA", 2**40), ValueError),
            (("RSA", 20000), ValueError),
            (("RSA", "2048"), TypeError),
            (("RSA", 2048.0), TypeError),
            (("RSA", None), TypeError),
            (("RSA", 2), CryptoError),
            (("DSA", 0), ValueError),
            (("EC", 255), ValueError),
            ((None, 2048), TypeError),
            ((b"RSA", 2048), TypeError),
            (("RSB", 2048), CryptoError),
            (("R\0SA", 2048), ValueError),
            ((-1, 2048), CryptoError),
            ((0, 2048), CryptoError),
            ((2**31 - 1, 2048), CryptoError),
            ((2**31, 2048), ValueError),
            ((KeyType.DH, 512), CryptoError),
            ((lib.OBJ_txt2nid(b"sha256"), 512), CryptoError),
        ],
    )
    def test_what_cannot_be_made_leaves_the_key_as_it_was(
        self, key: MakeKey, arguments: tuple[Any, Any], error: type[Exception]
    ) -> None:
        made = PKey._from_raw(key("EC", 256)._pkey)
        with pytest.raises(error):
            made.generate_key(*arguments)
        assert made == key("EC", 256)

    @pytest.mark.parametrize("curve", ["P-255", "", "a\0b", "prime256v1\n"])
    def test_an_unknown_curve_is_refused(self, curve: str) -> None:
        with pytest.raises((CryptoError, ValueError), match="curve"):
            PKey().generate_key("EC", curve=curve)

    def test_what_a_signal_handler_raises_ends_the_generation(self, key: MakeKey) -> None:
        """RSA with 16384 bits takes minutes: only the signal can end it."""

        class EnoughError(Exception):
            pass

        def handler(*_: Any) -> None:
            raise EnoughError

        before = signal.signal(signal.SIGUSR1, handler)
        made = PKey._from_raw(key("EC", 256)._pkey)
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
        try:
            timer.start()
            with pytest.raises(EnoughError):
                made.generate_key(KeyType.RSA, 16384)
        finally:
            timer.join()
            signal.signal(signal.SIGUSR1, before)
        assert made == key("EC", 256)
        made.generate_key(KeyType.RSA, 1024)
        assert made.bits() == 1024

    def test_a_signal_handler_that_returns_does_not(self) -> None:
        seen: list[float] = []
        before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(time.monotonic()))
        made = PKey()
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        try:
            timer.start()
            made.generate_key(KeyType.RSA, 3072)
            timer.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert len(seen) == 1
        assert made.check()

    def test_threads_make_keys_side_by_side(self) -> None:
        made = [PKey() for _ in range(4)]
        threads = [threading.Thread(target=key.generate_key, args=("RSA", 1024)) for key in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({dump_publickey(DER, key) for key in made}) == 4


class TestNothingYet:
    """A key without a key in it: each use is an ordinary error."""

    def test_it_says_so(self) -> None:
        empty = PKey()
        verifyObject(IPKey, empty)
        assert (empty.bits(), empty.type(), empty.algorithm) == (0, 0, "")
        assert repr(empty) == "<PKey, empty>"
        assert empty == empty
        assert empty != PKey()
        assert isinstance(hash(empty), int)

    @pytest.mark.parametrize(
        "use",
        [
            lambda key: key.check(),
            lambda key: key.to_cryptography_key(),
            lambda key: dump_privatekey(PEM, key),
            lambda key: dump_privatekey(DER, key),
            lambda key: dump_privatekey(TEXT, key),
            lambda key: dump_privatekey(PEM, key, "aes256", b"x"),
            lambda key: dump_publickey(PEM, key),
            lambda key: dump_publickey(TEXT, key),
            lambda key: sign(key, b"", "sha256"),
            lambda key: verify_with(key, b"", b"", "sha256"),
        ],
    )
    def test_each_use_is_an_error(self, use: Callable[[PKey], Any]) -> None:
        with pytest.raises(KeyHalfError, match="no key yet") as caught:
            use(PKey())
        # pyOpenSSL has one or another of these
        assert isinstance(caught.value, CryptoError)
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, TypeError)


class TestReadingAndWriting:
    @pytest.mark.parametrize(("kind", "bits"), ALL)
    def test_what_was_written_is_read_again(self, key: MakeKey, kind: str, bits: int) -> None:
        made = key(kind, bits)
        for filetype in (PEM, DER):
            again = load_privatekey(filetype, dump_privatekey(filetype, made))
            assert again == made
            assert hash(again) == hash(made)
            assert dump_privatekey(DER, again) == dump_privatekey(DER, made)
            public = load_publickey(filetype, dump_publickey(filetype, made))
            assert public == made
            assert "public" in repr(public)
        sealed = dump_privatekey(PEM, made, "aes-256-cbc", b"secret")
        assert load_privatekey(PEM, sealed, b"secret") == made
        assert dump_privatekey(TEXT, made)
        assert dump_publickey(TEXT, made)

    def test_text_and_other_buffers_are_taken(self, key: MakeKey) -> None:
        pem = dump_privatekey(PEM, key("EC", 256))
        for buffer in (pem.decode(), bytearray(pem), memoryview(pem)):
            assert load_privatekey(PEM, buffer) == key("EC", 256)

    def test_the_first_key_among_other_things_is_taken(self, key: MakeKey) -> None:
        pem = dump_privatekey(PEM, key("EC", 256))
        public = dump_publickey(PEM, key("RSA", 2048))
        assert load_privatekey(PEM, b"subject=x\n" + public + pem + b"more\n") == key("EC", 256)

    @pytest.mark.parametrize("filetype", [0, 3, -1, 2**70, TEXT])
    def test_an_unknown_form_is_refused(self, key: MakeKey, filetype: int) -> None:
        for load in (load_privatekey, load_publickey):
            with pytest.raises(ValueError, match="type"):
                load(filetype, b"")
        if filetype != TEXT:
            for dump in (dump_privatekey, dump_publickey):
                with pytest.raises(ValueError, match="type"):
                    dump(filetype, key("EC", 256))

    @pytest.mark.parametrize("buffer", [None, 5, 5.0, object(), ["a"]])
    def test_a_buffer_of_another_type_is_refused(self, buffer: Any) -> None:
        for load in (load_privatekey, load_publickey):
            with pytest.raises(TypeError, match="buffer"):
                load(PEM, buffer)

    def test_something_else_than_a_key_is_refused(self) -> None:
        for dump in (dump_privatekey, dump_publickey):
            with pytest.raises(TypeError, match="pkey"):
                dump(PEM, "key")

    @pytest.mark.parametrize("filetype", [PEM, DER])
    @pytest.mark.parametrize("data", [b"", b"\0", b"garbage", b"-----BEGIN PRIVATE KEY-----\n", b"0\x80\0\0"])
    def test_no_key_is_an_error(self, filetype: int, data: bytes) -> None:
        for load in (load_privatekey, load_publickey):
            with pytest.raises(CryptoError, match="buffer: not a"):
                load(filetype, data)

    @pytest.mark.parametrize("kind", ["RSA", "EC", "ED25519"])
    def test_der_with_something_missing_or_behind_it_is_an_error(self, key: MakeKey, kind: str) -> None:
        made = key(kind, {"RSA": 2048, "EC": 256}.get(kind, 0))
        for load, der in (
            (load_privatekey, dump_privatekey(DER, made)),
            (load_publickey, dump_publickey(DER, made)),
        ):
            with pytest.raises(CryptoError, match="1 bytes too many"):
                load(DER, der + b"\0")
            for cut in {1, 2, 3, len(der) // 2, len(der) - 1}:
                with pytest.raises(CryptoError):
                    load(DER, der[:cut])

    def test_a_public_key_is_no_private_one(self, key: MakeKey) -> None:
        public = load_publickey(PEM, dump_publickey(PEM, key("RSA", 2048)))
        for use in (
            lambda: dump_privatekey(PEM, public),
            lambda: dump_privatekey(DER, public),
            lambda: sign(public, b"", "sha256"),
            public.check,
        ):
            with pytest.raises(KeyHalfError, match="public key"):
                use()
        for filetype in (PEM, DER):
            with pytest.raises(CryptoError):
                load_privatekey(filetype, dump_publickey(filetype, public))

    def test_a_sound_key_checks(self, key: MakeKey) -> None:
        for kind, bits in [*ALL, ("EC", 384)]:
            assert key(kind, bits).check() is True

    def test_a_key_of_two_halves_that_do_not_belong_together_does_not_check(self, key: MakeKey) -> None:
        der = dump_privatekey(DER, key("DSA", 1024))
        # DSAPrivateKey: the private half is the last number of the six, the public one stands before it.
        at = len(der) - 40
        torn = load_privatekey(DER, der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :])
        with pytest.raises(CryptoError, match="not sound"):
            torn.check()


@pytest.fixture(scope="session")
def sealed(key: MakeKey) -> bytes:
    return dump_privatekey(PEM, key("EC", 256), "aes128", b"correct horse")


class TestPassphrases:
    def test_pbes2_it_is(self, openssl: Any, sealed: bytes) -> None:
        assert sealed.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        shown = openssl("asn1parse", stdin=sealed)
        assert b"PBES2" in shown
        assert b"hmacWithSHA256" in shown

    @pytest.mark.parametrize("passphrase", [b"correct horse", "correct horse", bytearray(b"correct horse")])
    def test_the_right_one_opens(self, key: MakeKey, sealed: bytes, passphrase: Any) -> None:
        assert load_privatekey(PEM, sealed, passphrase) == key("EC", 256)

    @pytest.mark.parametrize("passphrase", ["pässwörd", "密码", "a" * 1024, b"\0", b"a\0b", b"\xff\xfe", b""])
    def test_any_bytes_will_do(self, key: MakeKey, passphrase: Any) -> None:
        sealed = dump_privatekey(PEM, key("EC", 256), "aes256", passphrase)
        assert load_privatekey(PEM, sealed, passphrase) == key("EC", 256)
        assert load_privatekey(PEM, sealed, lambda _: passphrase) == key("EC", 256)
        with pytest.raises(CryptoError):
            load_privatekey(PEM, sealed, b"a")

    @pytest.mark.parametrize("passphrase", [b"wrong", b"", b"correct horse\0x", b"correct hors"])
    def test_a_wrong_one_is_an_error(self, sealed: bytes, passphrase: bytes) -> None:
        with pytest.raises(CryptoError, match="passphrase"):
            load_privatekey(PEM, sealed, passphrase)
        with pytest.raises(CryptoError, match="passphrase"):
            load_privatekey(PEM, sealed, lambda _: passphrase)

    def test_a_missing_one_is_an_error(self, sealed: bytes) -> None:
        with pytest.raises(CryptoError, match="passphrase: missing"):
            load_privatekey(PEM, sealed)

    def test_one_too_long_is_refused(self, key: MakeKey, sealed: bytes) -> None:
        for passphrase in (b"a" * 1025, lambda _: b"a" * 1025):
            with pytest.raises(ValueError, match="1024"):
                load_privatekey(PEM, sealed, passphrase)
            with pytest.raises(ValueError, match="1024"):
                dump_privatekey(PEM, key("EC", 256), "aes256", passphrase)

    @pytest.mark.parametrize("passphrase", [5, 5.0, ["a"], object()])
    def test_one_of_another_type_is_refused(self, key: MakeKey, sealed: bytes, passphrase: Any) -> None:
        with pytest.raises(TypeError, match="passphrase"):
            load_privatekey(PEM, sealed, passphrase)
        with pytest.raises(TypeError, match="passphrase"):
            dump_privatekey(PEM, key("EC", 256), "aes256", passphrase)
        with pytest.raises(ValueError, match="passphrase"):
            load_privatekey(PEM, sealed, lambda _: passphrase)

    def test_a_callback_is_told_whether_it_is_for_writing(self, key: MakeKey) -> None:
        asked = []

        def callback(writing: int) -> bytes:
            asked.append(writing)
            return b"x"

        sealed = dump_privatekey(PEM, key("EC", 256), "aes256", callback)
        load_privatekey(PEM, sealed, callback)
        assert asked == [1, 0]

    def test_a_callback_is_not_asked_without_need(self, key: MakeKey) -> None:
        plain = dump_privatekey(PEM, key("EC", 256), passphrase=lambda _: 1 / 0)
        assert load_privatekey(PEM, plain, lambda _: 1 / 0) == key("EC", 256)
        with pytest.raises(CryptoError):
            load_privatekey(PEM, b"garbage", lambda _: 1 / 0)

    def test_what_a_callback_raises_comes_through(self, key: MakeKey, sealed: bytes) -> None:
        with pytest.raises(ZeroDivisionError):
            load_privatekey(PEM, sealed, lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            dump_privatekey(PEM, key("EC", 256), "aes256", lambda _: 1 / 0)

    @pytest.mark.parametrize("cipher", ["blowfish", "des-cbc", "rc2-cbc", "aes-256-cbc", "des-ede3-cbc"])
    def test_old_ciphers_where_there_is_a_legacy_provider(self, key: MakeKey, cipher: str) -> None:
        if cipher in ("blowfish", "des-cbc", "rc2-cbc") and not HAS_LEGACY:
            with pytest.raises(CryptoError, match="legacy provider"):
                dump_privatekey(PEM, key("EC", 256), cipher, b"x")
            return
        sealed = dump_privatekey(PEM, key("EC", 256), cipher, b"x")
        again = load_privatekey(PEM, sealed, b"x")
        assert again == key("EC", 256)
        assert sign(again, b"data", "sha256")
        with pytest.raises(CryptoError, match="passphrase"):
            load_privatekey(PEM, sealed, b"y")

    @pytest.mark.parametrize("old", ["PBE-MD5-DES", "PBE-SHA1-RC2-40", "PBE-SHA1-RC4-128", "PBE-SHA1-3DES"])
    def test_old_files(self, openssl: Any, key: MakeKey, old: str) -> None:
        made = key("EC", 256)
        command = ["pkcs8", "-topk8", "-v1", old, "-passout", "pass:secret"]
        if not openssl.old:
            command += ["-provider", "default", "-provider", "legacy"]
        pem = openssl(*command, stdin=dump_privatekey(PEM, made))
        der = openssl("asn1parse", "-noout", "-out", "/dev/stdout", stdin=pem)
        for filetype, data in ((PEM, pem), (DER, der)):
            if old == "PBE-SHA1-3DES" or HAS_LEGACY:
                assert load_privatekey(filetype, data, b"secret") == made
            with pytest.raises(CryptoError, match="passphrase"):
                load_privatekey(filetype, data, b"wrong")

    def test_a_cipher_needs_a_passphrase(self, key: MakeKey) -> None:
        with pytest.raises(TypeError, match="passphrase"):
            dump_privatekey(PEM, key("EC", 256), "aes256")

    @pytest.mark.parametrize("cipher", ["nonsense", "", "a\0b", b"aes-256-cbc\0"])
    def test_an_unknown_cipher_is_refused(self, key: MakeKey, cipher: Any) -> None:
        with pytest.raises(ValueError, match="cipher"):
            dump_privatekey(PEM, key("EC", 256), cipher, b"x")

    def test_only_pem_is_encrypted(self, key: MakeKey) -> None:
        for filetype in (DER, TEXT):
            with pytest.raises(ValueError, match="FILETYPE_PEM"):
                dump_privatekey(filetype, key("EC", 256), "aes256", b"x")

    def test_nobody_asks_at_the_terminal(self, sealed: bytes) -> None:
        """The process has a terminal of its own; to ask there would be to wait for ever."""
        program = (
            "import sys\n"
            "from openssl_iface.errors import CryptoError\n"
            "from openssl_iface.impl_cffi import pkey, x509\n"
            "sealed = sys.stdin.buffer.read()\n"
            "headed = b'-----BEGIN %s-----\\nProc-Type: 4,ENCRYPTED\\nDEK-Info: AES-128-CBC,"
            "00112233445566778899AABBCCDDEEFF\\n\\nAAAAAAAAAAAAAAAAAAAAAA==\\n-----END %s-----\\n'\n"
            "for load, data in [(pkey.load_privatekey, sealed),\n"
            "                   (pkey.load_privatekey, headed % (b'RSA PRIVATE KEY', b'RSA PRIVATE KEY')),\n"
            "                   (pkey.load_publickey, headed % (b'PUBLIC KEY', b'PUBLIC KEY')),\n"
            "                   (x509.load_certificate, headed % (b'CERTIFICATE', b'CERTIFICATE'))]:\n"
            "    try:\n"
            "        load(1, data)\n"
            "    except CryptoError:\n"
            "        print('refused')\n"
        )
        master, slave = os.openpty()
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", _WITH_TERMINAL + program],
                input=sealed,
                capture_output=True,
                env={**os.environ, "TERMINAL": os.ttyname(slave)},
                start_new_session=True,
                timeout=120,
            )
        finally:
            os.close(master)
            os.close(slave)
        assert done.stdout.split()[-4:] == [b"refused"] * 4, done.stderr.decode()


# The first terminal that the leader of a session opens becomes its own.
_WITH_TERMINAL = "import os; os.open(os.environ['TERMINAL'], os.O_RDWR); open('/dev/tty').close()\n"


class TestSigning:
    @pytest.mark.parametrize(
        ("kind", "bits", "digest"),
        [("RSA", 2048, "sha256"), ("RSA", 2048, b"SHA512"), ("EC", 256, "sha384"), ("EC", 256, None)]
        + [("DSA", 2048, "sha256"), ("ED25519", 0, None), ("ED448", 0, None)]
        + ([("ML-DSA-65", 0, None)] if KNOWS_ML_DSA else []),
    )
    def test_a_signature_holds_for_its_data_only(
        self, key: MakeKey, kind: str, bits: int, digest: Any
    ) -> None:
        made = key(kind, bits)
        signature = sign(made, b"data", digest)
        public = load_publickey(PEM, dump_publickey(PEM, made))
        verify_with(public, signature, b"data", digest)
        for mark, data in ((signature, b"date"), (signature[:-1], b"data"), (b"", b"data"), (signature, b"")):
            with pytest.raises(CryptoError, match="signature: does not match"):
                verify_with(public, mark, data, digest)

    def test_an_unknown_digest_is_refused(self, key: MakeKey) -> None:
        with pytest.raises(ValueError, match="digest: OpenSSL has none by the name of 'strange'"):
            sign(key("RSA", 2048), b"", "strange")

    def test_a_key_that_cannot_sign_is_an_error(self, key: MakeKey) -> None:
        with pytest.raises(CryptoError):
            sign(key("X25519"), b"")
        with pytest.raises(CryptoError):
            sign(key("ED25519"), b"", "sha256")


class TestCurves:
    def test_they_have_names(self) -> None:
        names = {curve.name for curve in get_elliptic_curves()}
        assert {"prime256v1", "secp384r1", "secp521r1"} <= names

    def test_one_is_found_by_openssls_name_and_nists(self) -> None:
        assert get_elliptic_curve("prime256v1") == get_elliptic_curve("P-256")
        assert get_elliptic_curve("prime256v1") != get_elliptic_curve("secp384r1")
        assert len({get_elliptic_curve("P-256"), get_elliptic_curve("prime256v1")}) == 1
        assert repr(get_elliptic_curve("P-256")) == "<Curve 'prime256v1'>"

    @pytest.mark.parametrize("name", ["", "nonsense", "sha256", "P-\0"])
    def test_an_unknown_one_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="name"):
            get_elliptic_curve(name)


class TestExchange:
    """With the openssl command, GnuTLS and cryptography."""

    @pytest.mark.parametrize(
        ("kind", "bits"),
        [("RSA", 2048), ("RSA-PSS", 2048), ("DSA", 2048), ("EC", 256), ("ED25519", 0), ("X448", 0)],
    )
    def test_openssl_reads_what_is_written(self, openssl: Any, key: MakeKey, kind: str, bits: int) -> None:
        made = key(kind, bits)
        public = dump_publickey(PEM, made)
        assert openssl("pkey", "-pubout", stdin=dump_privatekey(PEM, made)) == public
        sealed = dump_privatekey(PEM, made, "aes256", b"secret")
        assert openssl("pkey", "-pubout", "-passin", "pass:secret", stdin=sealed) == public
        assert openssl("pkey", "-inform", "DER", "-pubout", stdin=dump_privatekey(DER, made)) == public

    @pytest.mark.parametrize(
        "options",
        [
            ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
            ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
            ("-algorithm", "ED25519"),
            ("-algorithm", "X25519"),
        ],
        ids=lambda options: options[1],
    )
    def test_what_openssl_writes_is_read(self, openssl: Any, options: tuple[str, ...]) -> None:
        plain = openssl("genpkey", *options)
        made = load_privatekey(PEM, plain)
        assert openssl("pkey", "-pubout", stdin=plain) == dump_publickey(PEM, made)
        der = openssl("pkey", "-outform", "DER", stdin=plain)
        assert load_privatekey(DER, der) == made
        for cipher in ("-aes256", "-aes-128-cbc"):
            sealed = openssl("pkey", cipher, "-passout", "pass:secret", stdin=plain)
            assert load_privatekey(PEM, sealed, b"secret") == made
            sealed = openssl(
                "pkcs8",
                "-topk8",
                "-v2",
                cipher[1:],
                "-passout",
                "pass:secret",
                "-outform",
                "DER",
                stdin=plain,
            )
            assert load_privatekey(DER, sealed, b"secret") == made
            with pytest.raises(CryptoError, match="passphrase: missing"):
                load_privatekey(DER, sealed)
            with pytest.raises(CryptoError, match="passphrase: wrong"):
                load_privatekey(DER, sealed, b"wrong")

    @pytest.mark.parametrize("kind", ["rsa", "ec", "dsa"])
    def test_the_old_forms_are_read(self, openssl: Any, key: MakeKey, kind: str) -> None:
        made = key(kind.upper(), {"ec": 256}.get(kind, 2048))
        pem = dump_privatekey(PEM, made)
        modern = openssl.run("pkey", "-traditional", stdin=pem)
        plain = modern.stdout if modern.returncode == 0 else openssl(kind, stdin=pem)
        assert b"BEGIN " + kind.upper().encode() + b" PRIVATE KEY" in plain
        assert load_privatekey(PEM, plain) == made
        sealed = openssl("pkey", "-traditional", "-aes128", "-passout", "pass:secret", stdin=pem)
        assert b"Proc-Type: 4,ENCRYPTED" in sealed
        assert load_privatekey(PEM, sealed, b"secret") == made
        with pytest.raises(CryptoError, match="passphrase: missing"):
            load_privatekey(PEM, sealed)

    @pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
    def test_gnutls(self, certtool: Any, kind: str, tmp_path: Any) -> None:
        pem = certtool("--generate-privkey", "--key-type", kind, "--pkcs8", "--password", "")
        made = load_privatekey(PEM, pem)
        file = tmp_path / "key.pem"
        file.write_bytes(dump_privatekey(PEM, made, "aes256", b"secret"))
        options = ("--password", "secret", "--pkcs-cipher", "aes-256", "--load-privkey", file)
        assert load_privatekey(PEM, certtool("--to-p8", *options), b"secret") == made

    @pytest.mark.parametrize(("kind", "bits"), [(k, b) for k, b in ALL if k != "RSA-PSS"])
    def test_cryptography(self, key: MakeKey, kind: str, bits: int) -> None:
        pytest.importorskip("cryptography")
        made = key(kind, bits)
        assert PKey.from_cryptography_key(made.to_cryptography_key()) == made
        public = load_publickey(PEM, dump_publickey(PEM, made))
        again = PKey.from_cryptography_key(public.to_cryptography_key())
        assert again == made
        with pytest.raises(CryptoError):
            dump_privatekey(PEM, again)

    def test_what_is_no_key_of_cryptography_is_refused(self) -> None:
        pytest.importorskip("cryptography")
        with pytest.raises(TypeError, match="crypto_key"):
            PKey.from_cryptography_key(object())
