"""Every name that pyOpenSSL has ever had, as the page about them lists them."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "coming-from-pyopenssl.md"
# The C interface of the old extension module, and what a module had imported for itself.
GONE = {"SSL._C_API", "crypto._C_API", "crypto.deprecated"}


def names() -> list[str]:
    found = []
    holder = ""
    for line in PAGE.read_text().splitlines():
        if heading := re.match(r"##+ (?:The module )?([\w.]+)$", line):
            holder = heading[1]
        elif row := re.match(r"\| `(\w+)` \|", line):
            found.append(f"{holder}.{row[1]}")
    return found


def test_the_page_is_read() -> None:
    assert len(names()) > 400


@pytest.mark.parametrize("name", sorted(set(names()) - GONE))
def test_is_there(name: str) -> None:
    module, *rest = name.split(".")
    if name == "rand.screen":
        pytest.skip("on Windows only")
    thing = importlib.import_module(f"openssl_iface.dropin.{module}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for part in rest:
            thing = getattr(thing, part)


# What pyOpenSSL 26.4 calls the parameters of all that is public in it, as a program may give them by name,
# and earlier releases those of what they had besides, where ours have other names.
SIGNATURES = (Path(__file__).parent / "parameters.txt").read_text().splitlines()
ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
STARS = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_parameters_have_their_names(signature: str) -> None:
    path, _, listed = signature.removesuffix(")").partition("(")
    module, *rest = path.split(".")
    thing = importlib.import_module(f"openssl_iface.dropin.{module}")
    for part in rest:
        thing = getattr(thing, part)
    expected = listed.split(", ")
    found = list(inspect.signature(thing).parameters.values())
    assert [STARS.get(one.kind, "") + one.name for one in found[: len(expected)]] == expected
    # What is ours besides must not be asked for.
    assert all(one.default is not one.empty or one.kind in ANY for one in found[len(expected) :])


@pytest.mark.parametrize("name", ["PKey", "X509", "X509Name", "X509Store"])
def test_ssl_has_the_classes_of_crypto_that_it_works_with(name: str) -> None:
    from openssl_iface.dropin import SSL, crypto

    assert getattr(SSL, name) is getattr(crypto, name)


def test_a_feature_is_said_to_be_there_only_if_it_is() -> None:
    from openssl_iface.dropin._util import lib

    assert lib.Cryptography_HAS_KEYLOG == lib.Cryptography_HAS_TLSv1_3 == 1
    assert lib.Cryptography_HAS_PSK == int(hasattr(lib, "SSL_CTX_set_psk_client_callback"))
    assert lib.Cryptography_HAS_NEXTPROTONEG == 0
    assert not hasattr(lib, "Cryptography_HAS_WINGS")


def test_constants_have_openssl_s_values() -> None:
    from openssl_iface.dropin._util import lib

    assert (lib.X509_V_FLAG_CRL_CHECK, lib.X509_V_FLAG_PARTIAL_CHAIN) == (0x4, 0x80000)
    assert (lib.X509_PURPOSE_SSL_CLIENT, lib.X509_PURPOSE_ANY) == (1, 7)
    assert (lib.SSL_TLSEXT_ERR_OK, lib.SSL_TLSEXT_ERR_NOACK) == (0, 3)
    assert (lib.SSL_R_UNEXPECTED_EOF_WHILE_READING, lib.DTLS1_COOKIE_LENGTH) == (294, 255)


# What the backend asks of whoever stands on it.
MEANT = {f"Connection.{name}" for name in ("_closed", "_deadline", "_failed", "_need_memory")}
MEANT |= {"Connection._asks_anew", "X509Store._as_it_is"}
MEANT |= {"X509Name._takes_nul", "X509._x509", "X509Req._req", "CRL._crl"}


def test_private_names_of_the_backend_are_not_taken_by_accident() -> None:
    """The drop-in's classes stand on the backend's: a method of theirs would be called in its place."""
    from openssl_iface.dropin import SSL, crypto

    taken = {
        f"{kind.__name__}.{name}"
        for module in (SSL, crypto)
        for kind in vars(module).values()
        if inspect.isclass(kind)
        for index, holder in enumerate(kind.__mro__)
        if holder.__module__.startswith(("OpenSSL", "openssl_iface.dropin"))
        for name in vars(holder)
        if re.match(r"_(?!_)", name)
        for base in kind.__mro__[index + 1 :]
        if base.__module__.startswith("openssl_iface.impl_cffi") and name in vars(base)
    }
    assert taken == MEANT
