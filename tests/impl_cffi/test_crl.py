"""impl_cffi/crl.py: revocation lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError, X509StoreContextError
from openssl_iface.impl_cffi._asn1 import serial_from_int
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.crl import CRL, Revoked, dump_crl, load_crl
from openssl_iface.impl_cffi.extension import X509Extension
from openssl_iface.impl_cffi.pkey import PKey, dump_privatekey
from openssl_iface.impl_cffi.store import X509Store, X509StoreContext
from openssl_iface.impl_cffi.x509 import X509, dump_certificate, load_certificate
from openssl_iface.interfaces import ICRL, IRevoked
from openssl_iface.values import FileType, X509StoreFlags

PEM, DER, TEXT = FileType.PEM, FileType.ASN1, FileType.TEXT
NOW = b"20260101000000Z"


def entry(serial: Any = b"0A", reason: Any = None, when: Any = NOW) -> Revoked:
    revoked = Revoked()
    revoked.set_serial(serial)
    revoked.set_rev_date(when)
    revoked.set_reason(reason)
    return revoked


class TestRevoked:
    def test_the_contract(self) -> None:
        assert verifyObject(IRevoked, Revoked())

    def test_nothing_yet(self) -> None:
        revoked = Revoked()
        assert revoked.get_serial() == b"00"
        assert revoked.get_rev_date() is None
        assert revoked.get_reason() is None
        revoked.set_reason(None)
        with pytest.raises(CryptoError, match="not complete"):
            CRL().add_revoked(revoked)

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (b"3", b"03"),
            ("ff", b"FF"),
            (b"00123", b"0123"),
            (255, b"FF"),
            (b"-80", b"-80"),
            (b"7f" + b"0" * 38,) * 2,
            # as certificates of others have them, which can be revoked
            (b"80" + b"0" * 38,) * 2,
            (2**160 - 1, b"F" * 40),
            (-(2**199), b"-80" + b"0" * 48),
            (b"12" * 300,) * 2,
        ],
    )
    def test_serial_numbers(self, given: Any, kept: bytes) -> None:
        revoked = entry(given)
        assert revoked.get_serial() == kept.upper()
        assert repr(revoked) == f"<Revoked {kept.decode().upper()}>"

    @pytest.mark.parametrize(
        "serial",
        [
            b"",
            b"0x3",
            b"g",
            b" 3",
            b"3\0",
            b"3\n",
            "\uff13",
            pytest.param(b"f" * 131072, id="text too long"),
            pytest.param(1 << 2000000, id="too large"),
        ],
    )
    def test_bad_serial_numbers_are_refused(self, serial: Any) -> None:
        revoked = entry()
        with pytest.raises(ValueError, match="hex_str"):
            revoked.set_serial(serial)
        assert revoked.get_serial() == b"0A"

    @pytest.mark.parametrize("serial", [None, 1.5, ["3"]])
    def test_serial_numbers_of_another_type_are_refused(self, serial: Any) -> None:
        with pytest.raises(TypeError, match="hex_str"):
            Revoked().set_serial(serial)

    def test_each_reason(self) -> None:
        revoked = Revoked()
        for reason in revoked.all_reasons():
            for spelling in (reason, reason.decode(), reason.lower()):
                revoked.set_reason(spelling)
                shown = revoked.get_reason()
                assert shown is not None
                assert shown.replace(b" ", b"").lower() == reason.lower()
                revoked.set_reason(shown)
                assert revoked.get_reason() == shown
        revoked.set_reason(None)
        assert revoked.get_reason() is None

    @pytest.mark.parametrize("reason", [b"", b"nonsense", "key compromised", b"keyCompromise\0"])
    def test_an_unknown_reason_is_refused(self, reason: Any) -> None:
        revoked = entry(reason=b"superseded")
        with pytest.raises(ValueError, match="reason: not one of"):
            revoked.set_reason(reason)
        assert revoked.get_reason() == b"Superseded"
        with pytest.raises(TypeError, match="reason"):
            revoked.set_reason(5)  # type: ignore[arg-type]

    @pytest.mark.parametrize("when", [b"20260101000000Z", b"20491231235959Z", b"20500101000000Z"])
    def test_dates(self, when: bytes) -> None:
        assert entry(when=when).get_rev_date() == when
        with pytest.raises(ValueError, match="when"):
            Revoked().set_rev_date(b"tomorrow")


class TestList:
    def test_the_contract(self) -> None:
        assert verifyObject(ICRL, CRL())

    def test_it_is_made_signed_and_read(self, issue: Any) -> None:
        ca = issue("authority", ca=True)
        crl = CRL()
        crl.add_revoked(entry(b"0A", b"keyCompromise"))
        crl.add_revoked(entry(b"0B"))
        crl.add_extensions([X509Extension.from_der("crlNumber", False, b"\x02\x01\x07")])
        before = datetime.now(UTC)
        pem = crl.export(ca.cert, ca.key, PEM, days=3, digest=b"sha256")
        again = load_crl(PEM, pem)
        assert again == crl
        assert hash(again) == hash(crl)
        assert again.get_issuer() == ca.cert.get_subject()
        assert again.get_version() == 1
        assert again.verify(ca.key) is True
        assert again.get_signature_algorithm() == b"ecdsa-with-SHA256"
        assert [item.get_short_name() for item in again.get_extensions()] == [b"crlNumber"]
        first, second = sorted(again.get_revoked() or (), key=Revoked.get_serial)
        assert (first.get_serial(), first.get_reason(), first.get_rev_date()) == (
            b"0A",
            b"Key Compromise",
            NOW,
        )
        assert (second.get_serial(), second.get_reason()) == (b"0B", None)
        next_update = again.get_nextUpdate()
        assert next_update is not None
        end = datetime.strptime(next_update.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
        assert abs(end - before - timedelta(days=3)) < timedelta(minutes=5)
        assert repr(again) == "<CRL issuer '/CN=authority'>"
        assert b"Key Compromise" in dump_crl(TEXT, again)
        assert dump_crl(PEM, again) == pem

    def test_by_hand(self, issue: Any) -> None:
        ca = issue("authority", ca=True)
        crl = CRL()
        crl.set_version(1)
        crl.set_lastUpdate(b"20260101000000Z")
        crl.set_nextUpdate(b"20600101000000Z")
        crl.sign(ca.cert, ca.key, None)
        assert crl.get_revoked() is None
        again = load_crl(DER, dump_crl(DER, crl))
        assert (again.get_lastUpdate(), again.get_nextUpdate()) == (b"20260101000000Z", b"20600101000000Z")

    def test_entries_are_copies(self, issue: Any) -> None:
        ca = issue("authority", ca=True)
        revoked = entry()
        crl = CRL()
        crl.add_revoked(revoked)
        revoked.set_serial(b"0B")
        out = crl.get_revoked()
        assert out is not None
        assert out[0].get_serial() == b"0A"
        out[0].set_serial(b"0C")
        crl.export(ca.cert, ca.key)
        assert [item.get_serial() for item in crl.get_revoked() or ()] == [b"0A"]
        del crl
        assert out[0].get_serial() == b"0C"

    def test_a_list_may_grow_after_it_was_signed(self, issue: Any) -> None:
        ca = issue("authority", ca=True)
        crl = CRL()
        first = load_crl(PEM, crl.export(ca.cert, ca.key))
        first.add_revoked(entry(reason="superseded"))
        with pytest.raises(CryptoError):
            first.verify(ca.key)
        first.sign(ca.cert, ca.key, "sha256")
        assert first.verify(ca.key)
        assert len(load_crl(DER, dump_crl(DER, first)).get_revoked() or ()) == 1

    def test_the_issuer_is_live(self, issue: Any) -> None:
        ca = issue("authority", ca=True)
        crl = CRL()
        name = crl.get_issuer()
        name.CN = "other"
        assert crl.get_issuer().CN == "other"
        crl.export(ca.cert, ca.key)
        assert crl.get_issuer().CN == "authority"
        assert name.CN == "other"
        with pytest.raises(TypeError, match="X509Name"):
            crl.set_issuer("x")  # type: ignore[arg-type]

    def test_what_fails_changes_nothing(self, issue: Any, key: Any) -> None:
        ca = issue("authority", ca=True)
        signed, fresh = CRL(), CRL()
        signed.export(ca.cert, ca.key)
        fresh.get_issuer().CN = "before"
        fresh.set_lastUpdate(NOW)
        other = issue("other", ca=True).cert
        before = dump_crl(DER, signed)
        attempts: list[tuple[type[Exception], Callable[[CRL], Any]]] = [
            (ValueError, lambda crl: crl.export(other, ca.key, digest="nonsense")),
            (ValueError, lambda crl: crl.export(other, ca.key, 7)),
            (ValueError, lambda crl: crl.export(other, ca.key, days=10**9)),
            (TypeError, lambda crl: crl.export(other, ca.key, days="3")),  # type: ignore[arg-type]
            (CryptoError, lambda crl: crl.export(other, key("ED25519"), digest="sha256")),
            (CryptoError, lambda crl: crl.export(other, other.get_pubkey())),
            (CryptoError, lambda crl: crl.export(other, PKey())),
            (TypeError, lambda crl: crl.export(other, "key")),  # type: ignore[arg-type]
            (TypeError, lambda crl: crl.export("cert", ca.key)),  # type: ignore[arg-type]
            (TypeError, lambda crl: crl.add_revoked("entry")),  # type: ignore[arg-type]
            (TypeError, lambda crl: crl.add_extensions([None])),  # type: ignore[list-item]
            (ValueError, lambda crl: crl.set_lastUpdate(b"x")),
        ]
        for crl in (signed, fresh):
            for error, attempt in attempts:
                with pytest.raises(error):
                    attempt(crl)
        assert dump_crl(DER, signed) == before
        assert fresh.get_issuer().CN == "before"
        assert (fresh.get_lastUpdate(), fresh.get_nextUpdate()) == (NOW, None)

    @pytest.mark.parametrize(
        "use",
        [
            lambda crl, key: crl.verify(key),
            lambda crl, key: crl.to_cryptography(),
            lambda crl, key: dump_crl(PEM, crl),
            lambda crl, key: dump_crl(DER, crl),
        ],
    )
    def test_nothing_yet(self, key: Any, use: Callable[[CRL, PKey], Any]) -> None:
        crl = CRL()
        assert crl.get_revoked() is None
        assert crl.get_lastUpdate() is crl.get_nextUpdate() is None
        assert crl.get_extensions() == []
        assert repr(crl) == "<CRL issuer ''>"
        with pytest.raises(CryptoError):
            use(crl, key("EC", 256))

    def test_signing_what_is_not_complete_is_an_error(self, issue: Any) -> None:
        ca = issue("authority", ca=True)
        with pytest.raises(CryptoError):
            CRL().sign(ca.cert, ca.key, "sha256")

    def test_as_text_it_is_shown_or_refused(self) -> None:
        try:
            assert dump_crl(TEXT, CRL())
        except CryptoError:
            pass


@pytest.mark.parametrize("serial", [5, 2**160 - 1, 2**159, 2**400 + 7, -(2**159) - 1])
def test_a_certificate_of_another_maker_can_be_revoked_whatever_its_number(issue: Any, serial: int) -> None:
    """RFC 5280 wants CAs to keep to 20 octets, and users to take what they get."""
    authority = issue("an authority", ca=True)
    made = issue("another maker's", authority).cert
    with made._writing() as raw:
        lib.X509_set_serialNumber(raw, serial_from_int(serial, "serial", 64))
    made.sign(authority.key, "sha256")
    cert = load_certificate(DER, dump_certificate(DER, made))
    crl = CRL()
    for revoked in (False, True):
        if revoked:
            crl.add_revoked(entry(cert.get_serial_number()))
        store = X509Store()
        store.add_cert(authority.cert)
        store.set_flags(X509StoreFlags.CRL_CHECK)
        store.add_crl(load_crl(PEM, crl.export(authority.cert, authority.key, digest="sha256")))
        verification = X509StoreContext(store, cert)
        if not revoked:
            verification.verify_certificate()
        else:
            with pytest.raises(X509StoreContextError, match="revoked"):
                verification.verify_certificate()


class TestFiles:
    def test_what_is_none_is_an_error(self, issue: Any) -> None:
        ca = issue("authority", ca=True)
        der = CRL().export(ca.cert, ca.key, DER)
        assert load_crl(DER, der)
        for data in (b"", b"x", der[:-1], der + b"\0"):
            for filetype in (PEM, DER):
                with pytest.raises(CryptoError, match="buffer: not a revocation list"):
                    load_crl(filetype, data)
        with pytest.raises(TypeError, match="crl"):
            dump_crl(PEM, X509())  # type: ignore[arg-type]


class TestExchange:
    def test_openssl(self, openssl: Any, issue: Any, tmp_path: Any) -> None:
        ca = issue("authority", ca=True)
        file = tmp_path / "ca.pem"
        file.write_bytes(dump_certificate(PEM, ca.cert))
        crl = CRL()
        crl.add_revoked(entry(b"1234", b"certificateHold"))
        pem = crl.export(ca.cert, ca.key)
        done = openssl.run("crl", "-CAfile", file, "-text", stdin=pem)
        assert b"verify OK" in done.stderr
        assert b"Certificate Hold" in done.stdout
        # theirs
        (tmp_path / "key.pem").write_bytes(dump_privatekey(PEM, ca.key))
        (tmp_path / "index").write_text("R\t300101000000Z\t260101000000Z,keyCompromise\t77\tunknown\t/CN=x\n")
        (tmp_path / "config").write_text(
            f"[ca]\ndefault_ca = my\n[my]\ndatabase = {tmp_path}/index\ndefault_md = sha256\n"
            "default_crl_days = 5\ncrl_extensions = more\n[more]\nauthorityKeyIdentifier = keyid\n"
        )
        theirs = load_crl(
            PEM,
            openssl(
                *("ca", "-gencrl", "-config", tmp_path / "config"),
                *("-cert", file, "-keyfile", tmp_path / "key.pem"),
            ),
        )
        assert theirs.verify(ca.key)
        (revoked,) = theirs.get_revoked() or ()
        assert (revoked.get_serial(), revoked.get_reason()) == (b"77", b"Key Compromise")

    def test_gnutls(self, certtool: Any, issue: Any, tmp_path: Any) -> None:
        ca = issue("authority", ca=True)
        crl = CRL()
        crl.add_revoked(entry(b"1234", b"superseded"))
        shown = certtool("--crl-info", stdin=crl.export(ca.cert, ca.key))
        assert b"Serial Number (hex): 1234" in shown
        (tmp_path / "ca.pem").write_bytes(dump_certificate(PEM, ca.cert))
        (tmp_path / "key.pem").write_bytes(dump_privatekey(PEM, ca.key))
        (tmp_path / "template").write_text("crl_next_update = 5\ncrl_number = 3\n")
        theirs = certtool(
            *("--generate-crl", "--load-ca-privkey", tmp_path / "key.pem"),
            *("--load-ca-certificate", tmp_path / "ca.pem", "--template", tmp_path / "template"),
            *("--load-certificate", tmp_path / "ca.pem"),
        )
        again = load_crl(PEM, theirs)
        assert again.verify(ca.key)
        assert [item.get_serial() for item in again.get_revoked() or ()] == [b"01"]

    def test_cryptography(self, issue: Any) -> None:
        x509 = pytest.importorskip("cryptography.x509")
        ca = issue("authority", ca=True)
        crl = CRL()
        crl.add_revoked(entry(b"1234", b"keyCompromise"))
        crl.export(ca.cert, ca.key)
        theirs = crl.to_cryptography()
        assert theirs.is_signature_valid(ca.key.to_cryptography_key().public_key())
        (revoked,) = theirs
        assert revoked.serial_number == 0x1234
        assert revoked.extensions[0].value.reason is x509.ReasonFlags.key_compromise
        assert CRL.from_cryptography(theirs) == crl
        with pytest.raises(TypeError, match="crypto_crl"):
            CRL.from_cryptography(crl)
