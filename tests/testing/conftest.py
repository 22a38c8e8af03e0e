from __future__ import annotations

import pytest

from openssl_iface.testing.pki import PKI


@pytest.fixture(scope="session")
def pki():
    return PKI()
