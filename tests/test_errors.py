"""What an error says, to people and to programs."""

from __future__ import annotations

import pytest

from openssl_iface import SSL, crypto
from openssl_iface.errors import CryptoError, OpenSSLError


def test_reasons_of_openssl_stand_under_a_sentence() -> None:
    error = CryptoError.from_reasons([("PEM routines", "f", "no start line")], "buffer: not a key", codes=[7])
    assert error.args == ([("PEM routines", "f", "no start line")],)
    assert str(error) == "buffer: not a key: PEM routines: no start line"
    assert error.codes == (7,)


def test_an_error_of_our_own_has_a_reason_too() -> None:
    with pytest.raises(crypto.Error) as caught:
        crypto.load_certificate(crypto.FILETYPE_PEM, b"nothing of the kind")
    _library, _function, reason = caught.value.args[0][0]
    assert reason == str(caught.value)
    assert "buffer" in reason


def test_a_sentence_is_said_once() -> None:
    with pytest.raises(SSL.Error) as caught:
        SSL.Context(SSL.SSLv2_METHOD)
    assert str(caught.value).count("SSLv2") == 1


def test_one_root() -> None:
    assert issubclass(SSL.Error, OpenSSLError)
    assert issubclass(crypto.Error, OpenSSLError)
    assert not issubclass(crypto.Error, SSL.Error)
