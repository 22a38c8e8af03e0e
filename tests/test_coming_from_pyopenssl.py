"""The page "coming from pyOpenSSL" says the truth about every name."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from openssl_iface import SSL, crypto, rand

PAGE = Path(__file__).resolve().parent.parent / "docs" / "coming-from-pyopenssl.md"
MODULES = {"SSL": SSL, "crypto": crypto, "rand": rand}


def rows() -> list[tuple[str, str]]:
    """The dotted names with what the page says of each."""
    found: list[tuple[str, str]] = []
    head = ""
    for line in PAGE.read_text().splitlines():
        if match := re.match(r"##+ (?:The module )?([A-Za-z0-9.]+)$", line):
            head = match[1]
        elif match := re.match(r"\| `([\w.]+)` \| [^|]+ \| (.+) \|$", line):
            found.append((f"{head}.{match[1]}", match[2]))
    return found


def test_the_page_has_all_of_them() -> None:
    names = [name for name, _ in rows()]
    assert len(names) == len(set(names))
    assert {"SSL.Context.load_tmp_dh", "crypto.load_pkcs7_data", "rand.egd", "crypto.X509NameType"} <= set(
        names
    )
    assert len(names) > 400


@pytest.mark.parametrize(("name", "said"), rows())
def test_a_name_is_what_the_page_says(name: str, said: str) -> None:
    module, *path = name.split(".")
    thing: object = MODULES[module]
    absent = said.startswith(("**gone**", "`openssl_iface.typing.")) or (
        name == "rand.screen" and sys.platform != "win32"
    )
    for part in path[:-1]:
        thing = getattr(thing, part)
    assert hasattr(thing, path[-1]) is not absent
