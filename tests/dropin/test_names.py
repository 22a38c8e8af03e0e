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


# What pyOpenSSL 26.4 calls the parameters of all that is public in it, as a program may give them by name.
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
