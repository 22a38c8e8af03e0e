"""Says the seed before the first case: a crash of the process leaves nobody to say it afterwards."""

from __future__ import annotations

import os
import random

import pytest

SEED = "OPENSSL_IFACE_TESTING_SEED"
LONG = "OPENSSL_IFACE_FUZZ_SECONDS" in os.environ


def pytest_configure(config: pytest.Config) -> None:
    if LONG:
        os.environ.setdefault(SEED, str(random.SystemRandom().getrandbits(64)))


def pytest_report_header() -> list[str]:
    return [f"{SEED}={os.environ[SEED]}"] if LONG else []
