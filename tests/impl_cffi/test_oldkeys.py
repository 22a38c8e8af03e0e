"""impl_cffi/oldkeys.py: keys encrypted in PEM's own old way."""

from __future__ import annotations

from typing import Any

import pytest

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.pkey import dump_privatekey, load_privatekey, sign
from openssl_iface.impl_cffi.providers import legacy_context
from openssl_iface.values import FileType

PEM, DER = FileType.PEM, FileType.ASN1


def has(cipher: str) -> bool:
    if cipher not in ("-des", "-bf", "-rc2") or not lib.HAS_OSSL_LIB_CTX_new:
        return True
    try:
        return bool(legacy_context())
    except CryptoError:
        return False


@pytest.mark.parametrize("cipher", ["-aes256", "-des3", "-des", "-bf", "-rc2"])
@pytest.mark.parametrize("kind", [("RSA", 2048), ("EC", 256), ("DSA", 1024)], ids=lambda kind: kind[0])
def test_each_cipher(openssl: Any, key: Any, kind: tuple[str, int], cipher: str) -> None:
    made = key(*kind)
    command = [kind[0].lower(), cipher, "-passout", "pass:secret"]
    if not openssl.old:
        command += ["-provider", "default", "-provider", "legacy"]
        command += ["-traditional"] if kind[0] == "RSA" else []
    pem = openssl(*command, stdin=dump_privatekey(PEM, made))
    assert b"DEK-Info" in pem
    if not has(cipher):
        with pytest.raises(CryptoError):
            load_privatekey(PEM, pem, b"secret")
        return
    for passphrase in (b"secret", "secret", lambda writing: b"secret"):
        again = load_privatekey(PEM, b"text before it\n" + pem, passphrase)
        assert again == made
        assert sign(again, b"data", "sha256")
    for wrong in (b"", b"Secret", b"secret\0"):
        with pytest.raises(CryptoError, match="passphrase: wrong"):
            load_privatekey(PEM, pem, wrong)
    with pytest.raises(CryptoError, match="passphrase: missing"):
        load_privatekey(PEM, pem)


@pytest.mark.parametrize(
    "header",
    ["DES-CBC,", "DES-CBC,00", "DES-CBC,0011223344556677889900", "DES-CBC", "AES-256-CBC,0011223344556677",
     "DES-CBC,xx11223344556677", "NO-SUCH,0011223344556677", "DES-CBC,0011223344556677"],
)  # fmt: skip
@pytest.mark.parametrize("body", ["", "AAAA", "AAAAAAAAAAA=", "MIIB" * 20])
def test_what_is_none_is_an_error(header: str, body: str) -> None:
    pem = (
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        f"DEK-Info: {header}\n\n{body}\n-----END EC PRIVATE KEY-----\n"
    )
    with pytest.raises(CryptoError):
        load_privatekey(PEM, pem, b"secret")
