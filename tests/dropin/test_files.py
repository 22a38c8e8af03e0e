"""What is said of files that are not there, or have something else in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openssl_iface.dropin import SSL, crypto
from openssl_iface.testing.pki import PKI


def said(call: Callable[..., Any], *arguments: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(SSL.Error) as raised:
        call(*arguments)
    (reasons,) = raised.value.args
    assert all(function == "" for _, function, _ in reasons)
    return [(library, function, reason) for library, function, reason in reasons]


SYSTEM, BIO, TLS = "system library", "BIO routines", "SSL routines"


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("use_certificate_file", [(BIO, "system lib"), (TLS, "system lib")]),
        ("use_certificate_chain_file", [(BIO, "system lib"), (TLS, "system lib")]),
        ("use_privatekey_file", [(BIO, "system lib"), (TLS, "system lib")]),
        ("load_client_ca", [(BIO, "system lib")]),
        ("load_tmp_dh", [(BIO, "no such file")]),
    ],
)
def test_a_file_that_is_not_there(tmp_path: Path, method: str, rest: list[tuple[str, str]]) -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    first, *others = said(getattr(context, method), bytes(tmp_path / "none.pem"))
    assert first[0] == SYSTEM
    assert [(library, reason) for library, _, reason in others] == rest


def test_trust_that_is_not_there(tmp_path: Path) -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    found = said(context.load_verify_locations, tmp_path / "none.pem")
    assert [library for library, _, _ in found] == [SYSTEM, BIO, "x509 certificate routines"]


@pytest.mark.parametrize(
    "method", ["use_certificate_file", "use_certificate_chain_file", "use_privatekey_file"]
)
def test_a_file_with_nothing_of_the_kind(tmp_path: Path, method: str) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_bytes(b"nothing")
    context = SSL.Context(SSL.TLS_METHOD)
    assert said(getattr(context, method), nothing)[-1] == (TLS, "", "PEM lib")


def test_a_file_with_nothing_in_der(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.der"
    nothing.write_bytes(b"nothing")
    context = SSL.Context(SSL.TLS_METHOD)
    assert said(context.use_certificate_file, nothing, SSL.FILETYPE_ASN1)[-1] == (TLS, "", "ASN1 lib")


def test_a_type_of_file_that_there_is_not(tmp_path: Path) -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    for call in (context.use_certificate_file, context.use_privatekey_file):
        assert said(call, tmp_path / "none.pem", 7) == [(TLS, "", "bad ssl filetype")]


def test_a_key_that_belongs_to_another_certificate(pki: PKI, tmp_path: Path) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(pki.good.chain_pem)
    key.write_bytes(PKI("localhost").good.key_pem)
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate_chain_file(chain)
    assert said(context.use_privatekey_file, key)[-1][::2] == (
        "x509 certificate routines",
        "key values mismatch",
    )


def test_a_directory_that_is_not_there(pki: PKI, tmp_path: Path) -> None:
    """OpenSSL takes it, and looks there for certificates once it needs them."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.load_verify_locations(None, tmp_path / "none")
    authority = tmp_path / "authority.pem"
    authority.write_bytes(pki.good.root_pem)
    context.load_verify_locations(authority, tmp_path / "none")
    store = context.get_cert_store()
    assert store is not None
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.root_pem)
    assert crypto.X509StoreContext(store, certificate).get_verified_chain() == [certificate]
