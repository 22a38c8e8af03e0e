"""impl_cffi/_files.py: what is wrong with a file is said with its argument and its path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openssl_iface.errors import CryptoError, Error
from openssl_iface.impl_cffi.context import Context
from openssl_iface.impl_cffi.pkey import dump_privatekey
from openssl_iface.impl_cffi.store import X509Store
from openssl_iface.impl_cffi.x509 import dump_certificate
from openssl_iface.values import FileType, Method

PEM, DER = FileType.PEM, FileType.ASN1
DAMAGED = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def context() -> Context:
    return Context(Method.TLS)


READERS: list[tuple[str, Callable[[Path], Any]]] = [
    ("path", lambda path: context().use_certificate_file(path)),
    ("path", lambda path: context().use_certificate_file(path, DER)),
    ("path", lambda path: context().use_certificate_chain_file(path)),
    ("path", lambda path: context().use_privatekey_file(path)),
    ("path", lambda path: context().use_privatekey_file(path, DER)),
    ("cafile", lambda path: context().load_verify_locations(path)),
    ("pemfile", lambda path: context().load_client_ca(path)),
    ("dhfile", lambda path: context().load_tmp_dh(path)),
]


@pytest.mark.parametrize("content", [b"", b"nothing of the kind\n", DAMAGED])
@pytest.mark.parametrize(("argument", "read"), READERS)
def test_the_argument_and_the_path_are_named(
    tmp_path: Path, argument: str, read: Callable[[Path], Any], content: bytes
) -> None:
    path = tmp_path / "some.file"
    path.write_bytes(content)
    with pytest.raises(Error) as caught:
        read(path)
    said = str(caught.value)
    assert said.startswith(f"{argument}: '{path}'")
    assert "buffer" not in said


def test_a_store_names_what_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "some.file"
    path.write_bytes(DAMAGED)
    with pytest.raises(CryptoError) as caught:
        X509Store().load_locations(str(path))
    assert str(caught.value).startswith(f"cafile: '{path}': nothing could be loaded: ")
    with pytest.raises(ValueError, match="cafile: surrogates not allowed"):
        X509Store().load_locations("\ud800")


def test_a_damaged_certificate_is_no_damaged_revocation_list(tmp_path: Path) -> None:
    path = tmp_path / "some.file"
    path.write_bytes(DAMAGED.replace(b"MIIB", b"M"))
    with pytest.raises(Error, match="not a certificate"):
        context().load_verify_locations(path)


@pytest.mark.parametrize("filetype", [None, "1", 1.0, 5, FileType.TEXT])
@pytest.mark.parametrize("method", ["use_certificate_file", "use_privatekey_file"])
def test_the_format_is_called_as_in_the_signature(tmp_path: Path, method: str, filetype: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^filetype: "):
        getattr(context(), method)(tmp_path / "some.file", filetype)


def test_passphrases(tmp_path: Path, key: Any) -> None:
    path = tmp_path / "some.key"
    path.write_bytes(dump_privatekey(PEM, key("EC", 256), "aes-256-cbc", "secret"))
    made = context()
    with pytest.raises(Error) as caught:
        made.use_privatekey_file(path)
    assert str(caught.value).startswith(f"path: '{path}': the key is encrypted, and set_passwd_cb has set no")
    made.set_passwd_cb(lambda *_: b"another")
    with pytest.raises(Error) as caught:
        made.use_privatekey_file(path)
    assert str(caught.value).startswith(
        f"path: '{path}': the passphrase is wrong, or it is not a private key"
    )


def test_what_libssl_refuses(tmp_path: Path, key: Any, issue: Any) -> None:
    issued = issue("localhost")
    made = context()
    made.use_certificate(issued.cert)
    path = tmp_path / "another.key"
    path.write_bytes(dump_privatekey(PEM, key("EC", 256, "another")))
    with pytest.raises(Error) as caught:
        made.use_privatekey_file(path)
    assert str(caught.value).startswith(f"path: '{path}': it does not belong to the certificate")
    # By default 1024 bits of RSA are too few from OpenSSL 3 on; libssl's own judgement is asked for.
    made.set_cipher_list("DEFAULT@SECLEVEL=5")
    path.write_bytes(dump_certificate(PEM, issued.cert))
    for use in (made.use_certificate_file, made.use_certificate_chain_file):
        with pytest.raises(Error) as caught:
            use(path)
        assert str(caught.value).startswith(f"path: '{path}': SSL routines")
