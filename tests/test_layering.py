"""The rules about rooms that the import linter cannot see."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "openssl_iface"
BACKEND = CORE / "impl_cffi"
TWISTED = ROOT / "integrations" / "twisted" / "src"
SOURCES = sorted([*CORE.rglob("*.py"), *TWISTED.rglob("*.py")])


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def attributes_of(path: Path, variable: str) -> set[str]:
    """The names that *path* takes from *variable*, such as ``lib.NAME``."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == variable
    }


@pytest.mark.parametrize("path", [p for p in SOURCES if not p.is_relative_to(BACKEND)], ids=name)
def test_only_the_backend_calls_openssl(path: Path) -> None:
    assert not attributes_of(path, "lib")
    assert not attributes_of(path, "ffi")


@pytest.mark.parametrize("path", sorted(BACKEND.rglob("*.py")), ids=name)
def test_only_one_module_reads_the_error_queue(path: Path) -> None:
    # ERR_GET_REASON and its like take a code apart; they read no queue.
    readers = {attribute for attribute in attributes_of(path, "lib") if re.match("ERR_[a-z]", attribute)}
    assert path.name == "_errors.py" or not readers


@pytest.mark.parametrize("path", sorted((BACKEND / "_native" / "c").glob("*")), ids=name)
def test_the_native_core_knows_nothing_of_python(path: Path) -> None:
    assert not re.search(r"#\s*include\s*[<\"]Python\.h", path.read_text())


def test_no_integration_is_taken_for_a_package() -> None:
    """With an ``__init__.py`` here, tools would call that package ``twisted``."""
    top = ROOT / "integrations"
    assert not [name(path) for path in (*top.glob("__init__.py"), *top.glob("*/__init__.py"))]


def test_nothing_lies_beside_the_plugin() -> None:
    """Twisted takes ``twisted/plugins`` of another distribution only without an ``__init__.py``."""
    files = {path.name for path in (TWISTED / "twisted").rglob("*.py")}
    assert files == {"openssl_iface_dropin.py"}
