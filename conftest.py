"""What holds for every test: which backend, on which OpenSSL; and the examples in the pages."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import pytest

# The series that was chosen, such as "3.5"; tox sets it.
EXPECTED = os.environ.get("OPENSSL_IFACE_EXPECT", "")
# The tests of the build itself run without the package.
INSTALLED = importlib.util.find_spec("openssl_iface") is not None


def pytest_report_header() -> list[str]:
    if not INSTALLED:
        return ["openssl_iface: not installed"]
    from openssl_iface import get_backend

    backend = get_backend()
    return [
        f"openssl_iface: backend {backend.name}, running on {backend.running.text}, "
        f"built against {backend.built.text}"
    ]


def pytest_sessionstart() -> None:
    """Stop before the first test when another OpenSSL runs than the one that was chosen.

    A library of the same soname that something has loaded first (Python's own ``ssl``) is the
    one that runs, whatever the module's rpath says.  LD_LIBRARY_PATH settles it for both.
    """
    if not INSTALLED:
        return
    from openssl_iface import get_backend

    backend = get_backend()
    built, running = backend.built, backend.running
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
        # The programs in the README run for ever; test_readme.py runs them.
        patterns=["docs/*.md", "docs/*/*.md"],
        setup=in_a_directory_of_its_own,
        teardown=back_again,
    ).pytest()
