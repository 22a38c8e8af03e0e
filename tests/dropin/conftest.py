from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from openssl_iface.testing.pki import PKI

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def pki() -> PKI:
    return PKI("localhost")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python in a process of its own: doors can be entered once in each."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        return subprocess.run(
            [sys.executable, "-P", *arguments],
            cwd=tmp_path,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def fake_pyopenssl(tmp_path: Path) -> Path:
    """A directory with something that is installed as pyOpenSSL."""
    top = tmp_path / "site"
    package = top / "OpenSSL"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '1.2.3'\n")
    (package / "SSL.py").write_text("mark = 'installed'\n")
    info = top / "pyOpenSSL-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pyOpenSSL\nVersion: 1.2.3\n")
    return top
