"""What holds for every test: which backend, on which OpenSSL; and the examples in the pages."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from openssl_iface.values import Version

# The series that was chosen, such as "3.5"; tox sets it.
EXPECTED = os.environ.get("OPENSSL_IFACE_EXPECT", "")
# The tests of the build itself run without the package.
INSTALLED = importlib.util.find_spec("openssl_iface") is not None


def versions() -> tuple[str, Version, Version]:
    """The backend's name, the OpenSSL that it was built against and the one that it runs on."""
    from openssl_iface.impl_cffi._native import ffi, lib
    from openssl_iface.values import Version

    built = Version(lib.OPENSSL_VERSION_NUMBER, ffi.string(lib.OPENSSL_VERSION_TEXT).decode())
    running = Version(
        lib.OpenSSL_version_num(), ffi.string(lib.OpenSSL_version(lib.OPENSSL_VERSION)).decode()
    )
    return "cffi", built, running


def pytest_report_header() -> list[str]:
    if not INSTALLED:
        return ["openssl_iface: not installed"]
    name, built, running = versions()
    return [f"openssl_iface: backend {name}, running on {running.text}, built against {built.text}"]


def pytest_sessionstart() -> None:
    """Stop before the first test when another OpenSSL runs than the one that was chosen.

    A library of the same soname that something has loaded first (Python's own ``ssl``) is the
    one that runs, whatever the module's rpath says.  LD_LIBRARY_PATH settles it for both.
    """
    if not INSTALLED:
        return
    _, built, running = versions()
    if built.release[:2] != running.release[:2]:
        raise pytest.UsageError(
            f"built against {built.text}, but {running.text} is running: put the lib directory of the "
            "OpenSSL that is meant into LD_LIBRARY_PATH"
        )
    wanted = tuple(int(part) for part in EXPECTED.split(".")) if EXPECTED else ()
    if running.release[: len(wanted)] != wanted:
        raise pytest.UsageError(f"OpenSSL {EXPECTED} was chosen, but {running.text} is running")


def in_a_directory_of_its_own(namespace: dict[str, object]) -> None:
    namespace["_directory"] = directory = tempfile.TemporaryDirectory(prefix="openssl-iface-page-")
    namespace["_before"] = Path.cwd()
    os.chdir(directory.name)


def back_again(namespace: dict[str, object]) -> None:
    os.chdir(namespace["_before"])  # type: ignore[arg-type]
    namespace["_directory"].cleanup()  # type: ignore[attr-defined]


if INSTALLED:
    from sybil import Sybil
    from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

    # The blocks of a page run one after another, in one namespace.
    pytest_collect_file = Sybil(
        parsers=[PythonCodeBlockParser(), SkipParser()],
        patterns=["README.md", "docs/*.md", "docs/*/*.md"],
        setup=in_a_directory_of_its_own,
        teardown=back_again,
    ).pytest()
