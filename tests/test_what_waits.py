"""The page that says what waits for what shows what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parent.parent / "tools" / "what_waits.py"


def test_the_page_is_what_the_code_says() -> None:
    if not TOOL.exists():
        pytest.skip("only in a checkout")
    done = subprocess.run([sys.executable, "-P", TOOL, "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
