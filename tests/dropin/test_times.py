"""Times of a certificate are kept as they are written."""

from __future__ import annotations

import pytest

from openssl_iface.dropin import crypto

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("which", ["notBefore", "notAfter"])
@pytest.mark.parametrize("when", [b"20200101000000+0530", b"20200101000000-0115", b"20200101000000Z"])
def test_what_is_set_is_read(which: str, when: bytes) -> None:
    certificate = crypto.X509()
    getattr(certificate, f"set_{which}")(when)
    assert getattr(certificate, f"get_{which}")() == when
    assert certificate.get_notAfter() == (when if which == "notAfter" else None)


def test_a_time_in_utc_is_a_utctime_as_rfc_5280_wants_it() -> None:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    certificate = crypto.X509()
    certificate.set_notBefore(b"20200101000000Z")
    certificate.set_notAfter(b"20500101000000Z")
    certificate.set_pubkey(key)
    certificate.sign(key, "sha256")
    der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
    assert b"\x17\x0d200101000000Z\x18\x0f20500101000000Z" in der


@pytest.mark.parametrize(
    "when", [b"", b"foo bar", b"20201301000000Z", b"20200101000000Z\0", b"20200101000000+05"]
)
def test_what_is_no_time_changes_nothing(when: bytes) -> None:
    certificate = crypto.X509()
    certificate.set_notAfter(b"20300101000000Z")
    with pytest.raises(ValueError, match=r"^Invalid string$"):
        certificate.set_notAfter(when)
    assert certificate.get_notAfter() == b"20300101000000Z"
