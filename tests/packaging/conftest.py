"""Tests of the build: they need pip and the build's own tools, and no network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def pip() -> Callable[..., subprocess.CompletedProcess[str]]:
    """pip's ``wheel`` with the tools that are installed here; the environment can be changed."""

    def wheel(
        source: Path, target: Path, *options: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(target),
        ]
        # A build directory of its own: what another build has found must not be used again.
        command += [f"-Cbuild-dir={target / 'build'}", *options, str(source)]
        return subprocess.run(command, env={**os.environ, **variables}, text=True, capture_output=True)

    return wheel
