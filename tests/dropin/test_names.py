"""Every name that pyOpenSSL has ever had, as the page about them lists them."""

from __future__ import annotations

import importlib
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
