"""crypto.py: the manual's names, and later ones, are all there."""

from __future__ import annotations

import pytest

from openssl_iface import crypto

# release 0.6 of the manual
MANUAL = [
    "X509Type",
    "X509NameType",
    "X509ReqType",
    "X509StoreType",
    "PKeyType",
    "PKCS7Type",
    "PKCS12Type",
    "X509ExtensionType",
    "NetscapeSPKIType",
    "X509",
    "X509Name",
    "X509Req",
    "PKey",
    "X509Extension",
    "NetscapeSPKI",
    "X509Store",
    "FILETYPE_PEM",
    "FILETYPE_ASN1",
    "TYPE_RSA",
    "TYPE_DSA",
    "Error",
    "dump_certificate",
    "dump_certificate_request",
    "dump_privatekey",
    "load_certificate",
    "load_certificate_request",
    "load_privatekey",
    "load_pkcs7_data",
    "load_pkcs12",
]

# what later releases of pyOpenSSL added
LATER = [
    "FILETYPE_TEXT",
    "TYPE_DH",
    "TYPE_EC",
    "get_elliptic_curves",
    "get_elliptic_curve",
    "load_publickey",
    "dump_publickey",
    "X509StoreFlags",
    "X509StoreContext",
    "X509StoreContextError",
    "CRL",
    "CRLType",
    "Revoked",
    "PKCS7",
    "PKCS12",
    "load_crl",
    "dump_crl",
    "sign",
    "verify",
]


@pytest.mark.parametrize("name", MANUAL + LATER)
def test_the_name_is_there(name: str) -> None:
    assert hasattr(crypto, name)
    assert name in crypto.__all__


@pytest.mark.parametrize("name", [name for name in MANUAL if name.endswith("Type")])
def test_the_type_names_are_the_classes(name: str) -> None:
    assert isinstance(getattr(crypto, name), type)
    assert getattr(crypto, name) is getattr(crypto, name.removesuffix("Type"))


def test_the_numbers() -> None:
    assert (crypto.FILETYPE_PEM, crypto.FILETYPE_ASN1, crypto.FILETYPE_TEXT) == (1, 2, 65535)
    assert (crypto.TYPE_RSA, crypto.TYPE_DSA) == (6, 116)
    assert crypto.X509StoreFlags.CRL_CHECK == 4


def test_errors_are_one_tree() -> None:
    assert issubclass(crypto.X509StoreContextError, crypto.Error)
