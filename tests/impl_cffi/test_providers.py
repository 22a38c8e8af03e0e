"""impl_cffi/providers.py: the algorithms that OpenSSL 3 put aside."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi import _errors
from openssl_iface.impl_cffi._native import ffi, lib
from openssl_iface.impl_cffi.context import Context
from openssl_iface.impl_cffi.pkcs7 import PKCS7
from openssl_iface.impl_cffi.providers import legacy_context, with_legacy
from openssl_iface.values import Method

providers = pytest.mark.skipif(not lib.HAS_OSSL_PROVIDER_load, reason="this OpenSSL has no providers")


@providers
def test_everybody_gets_the_same_context() -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(legacy_context())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [legacy_context()] * 4
    assert lib.OSSL_PROVIDER_available(legacy_context(), b"legacy")


def test_tls_and_the_default_context_stay_as_they_were(pki: Any) -> None:
    def offered() -> list[str]:
        context = Context(Method.TLS)
        context.set_cipher_list("ALL:@SECLEVEL=0")
        return list(context.get_cipher_list())

    before = offered()
    old = PKCS7.encrypt([pki.alice.certificate], b"x", "rc2-40-cbc")
    assert old.decrypt(pki.alice.key, pki.alice.certificate) == b"x"
    assert offered() == before
    if lib.HAS_OSSL_PROVIDER_available:
        assert lib.OSSL_PROVIDER_available(ffi.NULL, b"legacy") == 0
        assert lib.OSSL_PROVIDER_available(ffi.NULL, b"default") == 1


def test_what_works_is_done_once() -> None:
    contexts = []
    assert with_legacy(lambda context: contexts.append(context) or 3, "it") == 3
    assert contexts == [ffi.NULL]


def test_other_failures_are_not_tried_again() -> None:
    contexts = []

    def operation(context: Any) -> None:
        contexts.append(context)
        _errors.fail(CryptoError, "wrong")

    with pytest.raises(CryptoError, match="wrong"):
        with_legacy(operation, "it")
    assert contexts == [ffi.NULL]
