"""What pyOpenSSL 26.4 warns of, the drop-in warns of, in the words that filters look for."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openssl_iface.dropin import SSL, crypto
from openssl_iface.testing.pki import PKI


def quietly(call: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


NAME = quietly(lambda: crypto.X509().get_subject())
DUMP = quietly(lambda: crypto.dump_privatekey)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("PKey.generate_key", lambda: crypto.PKey().generate_key(crypto.TYPE_RSA, 1024)),
        ("X509.get_subject", lambda: crypto.X509().get_subject()),
        ("X509.get_issuer", lambda: crypto.X509().get_issuer()),
        ("X509.set_subject", lambda: crypto.X509().set_subject(NAME)),
        ("X509.set_issuer", lambda: crypto.X509().set_issuer(NAME)),
        ("X509.set_version", lambda: crypto.X509().set_version(2)),
        ("X509.set_serial_number", lambda: crypto.X509().set_serial_number(1)),
        ("X509.set_notBefore", lambda: crypto.X509().set_notBefore(b"20200101000000Z")),
        ("X509.set_notAfter", lambda: crypto.X509().set_notAfter(b"20200101000000Z")),
        ("X509.gmtime_adj_notBefore", lambda: crypto.X509().gmtime_adj_notBefore(0)),
        ("X509.gmtime_adj_notAfter", lambda: crypto.X509().gmtime_adj_notAfter(0)),
        ("get_elliptic_curve", lambda: crypto.get_elliptic_curve("prime256v1")),
        ("get_elliptic_curves", crypto.get_elliptic_curves),
        ("dump_privatekey", lambda: crypto.dump_privatekey),
        ("Context.set_client_ca_list", lambda: SSL.Context(SSL.TLS_METHOD).set_client_ca_list([])),
        ("Context.set_passwd_cb", lambda: SSL.Context(SSL.TLS_METHOD).set_passwd_cb(lambda *_: b"")),
    ],
)
def test_a_call_warns_once_whoever_makes_it(name: str, call: Callable[[], Any]) -> None:
    with pytest.warns(DeprecationWarning, match=f"^{name} is deprecated") as caught:
        call()
    assert [one.filename for one in caught] == [__file__]


def test_a_name_warns_when_a_program_makes_it() -> None:
    with pytest.warns(DeprecationWarning, match="^X509Name support in pyOpenSSL is deprecated") as caught:
        crypto.X509Name(NAME)
    assert [one.filename for one in caught] == [__file__]


def test_objects_where_those_of_cryptography_will_do(pki: PKI) -> None:
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem)
    context = SSL.Context(SSL.TLS_METHOD)
    connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
    for call, argument, what in (
        (context.use_certificate, certificate, "X509"),
        (context.add_extra_chain_cert, certificate, "X509"),
        (context.add_client_ca, certificate, "X509"),
        (context.use_privatekey, key, "PKey"),
        (connection.use_certificate, certificate, "X509"),
        (connection.use_privatekey, key, "PKey"),
    ):
        with pytest.warns(
            DeprecationWarning, match=f"^Passing pyOpenSSL {what} objects is deprecated"
        ) as caught:
            call(argument)
        assert [one.filename for one in caught] == [__file__]
    curve = quietly(lambda: crypto.get_elliptic_curve("prime256v1"))
    with pytest.warns(
        DeprecationWarning, match="^Passing pyOpenSSL elliptic curves to set_tmp_ecdh"
    ) as caught:
        context.set_tmp_ecdh(curve)
    assert [one.filename for one in caught] == [__file__]


def test_what_a_program_does_not_ask_for_does_not_warn(pki: PKI, tmp_path: Path) -> None:
    chain, key, root = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "root.pem"
    chain.write_bytes(pki.good.chain_pem)
    key.write_bytes(pki.good.key_pem)
    root.write_bytes(pki.good.root_pem)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
        repr(certificate)
        certificate.get_notAfter()
        certificate.digest("sha256")
        for given in (
            crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem),
            certificate.get_pubkey(),
        ):
            assert (given.bits(), given.type()) == (certificate.get_pubkey().bits(), given.type())
        context = SSL.Context(SSL.TLS_METHOD)
        context.use_certificate_file(chain)
        context.use_certificate_chain_file(chain)
        context.use_privatekey_file(key)
        context.load_client_ca(bytes(root))
        context.load_verify_locations(root)
        assert SSL.Connection(context).get_client_ca_list()


def test_a_crl_is_made_without_a_word_of_names(pki: PKI) -> None:
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem)
    crl = quietly(lambda: crypto.CRL)()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert crl.export(certificate, key, digest=b"sha256")
