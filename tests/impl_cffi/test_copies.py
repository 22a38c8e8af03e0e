"""Copies and pickles of what holds an object of OpenSSL."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from openssl_iface import SSL, crypto
from openssl_iface.crypto import X509, Error


def context() -> SSL.Context:
    return SSL.Context(SSL.TLS_METHOD)


MAKERS: list[Callable[[], Any]] = [
    crypto.Revoked,
    crypto.NetscapeSPKI,
    crypto.X509Store,
    lambda: crypto.X509StoreContext(crypto.X509Store(), X509()),
    lambda: crypto.X509Extension("basicConstraints", True, "CA:TRUE"),
    context,
    lambda: SSL.Connection(context(), None),
]
PICKLED: list[Callable[[], Any]] = [
    *MAKERS,
    X509,
    crypto.X509Req,
    crypto.CRL,
    crypto.PKey,
    lambda: X509().get_subject(),
]


@pytest.mark.parametrize("make", PICKLED)
def test_what_cannot_be_pickled_says_so(make: Callable[[], Any]) -> None:
    made = make()
    with pytest.raises(TypeError, match=f"^{type(made).__name__}: cannot be copied or pickled"):
        pickle.dumps(made)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy])
def test_what_cannot_be_copied_says_so(make: Callable[[], Any], how: Callable[[Any], Any]) -> None:
    made = make()
    with pytest.raises(TypeError, match=f"^{type(made).__name__}: cannot be copied or pickled"):
        how(made)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy])
def test_what_is_done_to_a_copy_leaves_the_other_alone(issue: Any, how: Callable[[Any], Any]) -> None:
    cert = issue("localhost").cert
    before = crypto.dump_certificate(crypto.FILETYPE_ASN1, cert)
    subject = cert.get_subject()
    other = how(cert)
    assert other == cert
    other.get_subject().CN = "another"
    other.set_serial_number(77)
    assert crypto.dump_certificate(crypto.FILETYPE_ASN1, cert) == before
    assert (subject.CN, other.get_subject().CN) == ("localhost", "another")
    with pytest.raises(Error, match="not complete: no notBefore"):
        how(X509())


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy])
def test_keys(key: Any, how: Callable[[Any], Any]) -> None:
    one = how(key("EC", 256))
    assert one == key("EC", 256)
    assert crypto.sign(one, b"data", "sha256")
    public = crypto.load_publickey(crypto.FILETYPE_PEM, crypto.dump_publickey(crypto.FILETYPE_PEM, one))
    with pytest.raises(Error, match="public key"):
        crypto.dump_privatekey(crypto.FILETYPE_PEM, how(public))
    one.generate_key("EC", 256)
    assert one != key("EC", 256)
