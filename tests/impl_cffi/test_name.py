"""impl_cffi/name.py: distinguished names."""

from __future__ import annotations

import copy
import gc
import threading
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi.name import X509Name
from openssl_iface.impl_cffi.x509 import X509
from openssl_iface.interfaces import IX509Name

# the manual's names of 0.6, long and short; and those of 0.5.1
SPELLINGS = [
    ("countryName", "C", ["country_name"], "SE"),
    ("stateOrProvinceName", "ST", ["state_or_province", "SP"], "Skåne"),
    ("localityName", "L", ["locality"], "Malmö"),
    ("organizationName", "O", ["organization"], "Rød grød"),
    ("organizationalUnitName", "OU", ["organizational_unit"], "部门"),
    ("commonName", "CN", ["common_name"], "пример.example"),
    ("emailAddress", "emailAddress", ["email"], "who@example.org"),
]


def make(**parts: Any) -> X509Name:
    name = X509Name()
    for key, value in parts.items():
        setattr(name, key, value)
    return name


class TestAttributes:
    @pytest.mark.parametrize(("long", "short", "older", "value"), SPELLINGS)
    def test_all_spellings_mean_the_same_part(
        self, long: str, short: str, older: list[str], value: str
    ) -> None:
        for written in (long, short, *older):
            name = X509Name()
            for read in (long, short, *older):
                assert getattr(name, read) is None
            setattr(name, written, value)
            for read in (long, short, *older):
                assert getattr(name, read) == value
            assert len(name.get_components()) == 1

    def test_cn_is_the_common_name(self) -> None:
        name = make(CN="a", C="SE")
        assert (name.CN, name.common_name, name.country_name) == ("a", "a", "SE")

    @pytest.mark.parametrize("value", ["a", "ä", "ß" * 64, "𓀀𓁐", "مثال", "x" * 64, "a/b=c, d+e\\"])
    def test_any_script_goes_in_and_comes_out(self, value: str) -> None:
        name = make(CN=value)
        assert value == name.CN
        assert name.get_components() == [(b"CN", value.encode())]
        assert value == X509Name.from_der(name.der()).CN

    def test_utf8_bytes_are_taken(self) -> None:
        assert make(CN="ä".encode()).CN == "ä"

    def test_what_openssl_knows_beyond_the_manual(self) -> None:
        name = make(serialNumber="1234", DC="example", SN="Svensson")
        assert (name.serialNumber, name.domainComponent, name.surname) == ("1234", "example", "Svensson")

    def test_a_new_value_takes_the_place_of_the_old_one(self) -> None:
        name = make(CN="a", O="b")
        name.CN = "c"
        assert name.get_components() == [(b"O", b"b"), (b"CN", b"c")]

    def test_none_takes_a_part_out(self) -> None:
        name = make(CN="a", O="b")
        name.CN = None
        assert name.CN is None
        del name.O
        assert name.get_components() == []
        name.O = None
        with pytest.raises(AttributeError):
            del name.O

    @pytest.mark.parametrize("attribute", ["nonsense", "cN_", "ö", "with space", "a\0b", ""])
    def test_an_unknown_one_is_an_attribute_error(self, attribute: str) -> None:
        name = X509Name()
        with pytest.raises(AttributeError):
            getattr(name, attribute)
        with pytest.raises(AttributeError):
            setattr(name, attribute, "x")
        with pytest.raises(AttributeError):
            delattr(name, attribute)

    def test_methods_cannot_be_written_over(self) -> None:
        name = X509Name()
        with pytest.raises(AttributeError):
            name.hash = "x"  # type: ignore[method-assign,assignment]

    @pytest.mark.parametrize(
        ("attribute", "value"),
        [
            ("C", "SWE"),
            ("C", "S"),
            ("C", ""),
            ("C", "ÅÄ"),
            ("CN", ""),
            ("CN", "x" * 65),
            ("CN", "ß" * 65),
            ("O", "x" * 65),
            ("emailAddress", "ä@example.org"),
            ("emailAddress", "x" * 129),
            ("CN", "a\0b"),
            ("CN", "\0"),
            ("CN", b"\xff\xfe"),
            ("CN", b"\xc3"),
        ],
    )
    def test_a_bad_value_is_an_error_and_changes_nothing(self, attribute: str, value: Any) -> None:
        name = make(CN="before", C="SE", emailAddress="a@example.org")
        der = name.der()
        with pytest.raises(CryptoError, match=attribute):
            setattr(name, attribute, value)
        assert name.der() == der

    @pytest.mark.parametrize("value", [5, 5.0, object(), ["x"]])
    def test_a_value_of_another_type_is_refused(self, value: Any) -> None:
        with pytest.raises(TypeError, match="CN"):
            make(CN=value)

    def test_text_that_is_no_unicode_is_refused(self) -> None:
        with pytest.raises(ValueError, match="CN"):
            make(CN="\ud800")


class TestAsAWhole:
    def test_the_contract(self) -> None:
        assert verifyObject(IX509Name, make(CN="x"))

    def test_a_copy_stands_alone(self) -> None:
        one = make(CN="a")
        for two in (X509Name(one), copy.copy(one), copy.deepcopy(one)):
            two.CN = "b"
            assert one.CN == "a"

    @pytest.mark.parametrize("name", ["x", None, 5])
    def test_only_a_name_is_copied(self, name: Any) -> None:
        if name is None:
            assert X509Name(None).get_components() == []
        else:
            with pytest.raises(TypeError, match="name"):
                X509Name(name)

    def test_comparison_has_no_regard_for_case_and_spacing(self) -> None:
        assert make(CN="Some  Body") == make(CN="some body")
        assert make(CN="a") != make(CN="b")
        assert make(CN="a") != "a"
        assert make(CN="a", O="b") != make(O="b", CN="a")
        assert (make(CN="Some  Body").hash(), make(CN="x").hash()) == (
            make(CN="some body").hash(),
            make(CN="X").hash(),
        )

    def test_order(self) -> None:
        one, two = sorted([make(CN="b"), make(CN="a")])
        assert one < two
        assert one <= two
        assert two > one
        assert two >= one
        assert one <= X509Name(one)
        with pytest.raises(TypeError):
            assert one < "a"

    def test_it_is_no_key_for_a_dict(self) -> None:
        with pytest.raises(TypeError, match="unhashable"):
            hash(make(CN="a"))

    def test_hash_is_openssls(self, openssl: Any, issue: Any) -> None:
        from openssl_iface.impl_cffi.x509 import dump_certificate

        cert = issue("hash me", ca=True).cert
        shown = openssl("x509", "-noout", "-subject_hash", stdin=dump_certificate(1, cert))
        assert int(shown, 16) == cert.get_subject().hash() == cert.subject_name_hash()

    def test_repr_is_readable(self) -> None:
        assert repr(make(C="SE", O="Räksmörgås")) == "<X509Name object '/C=SE/O=Räksmörgås'>"
        assert repr(X509Name()) == "<X509Name object ''>"

    def test_unknown_parts_are_shown_by_number(self) -> None:
        der = bytes.fromhex("3012 3110 300e 0605 2a03 0405 06 0c05 68656c6c6f".replace(" ", ""))
        name = X509Name.from_der(der)
        assert name.get_components() == [(b"1.2.3.4.5.6", b"hello")]

    @pytest.mark.parametrize(
        ("tag", "value", "text"),
        [
            (0x1E, "Ångström".encode("utf-16-be"), "Ångström"),
            (0x1C, "𓀀".encode("utf-32-be"), "𓀀"),
            (0x14, "é".encode("latin-1"), "é"),
            (0x0C, b"a\0b", "a\0b"),
            (0x13, b"a\0b", "a\0b"),
        ],
    )
    def test_every_kind_of_string_comes_out_whole(self, tag: int, value: bytes, text: str) -> None:
        inner = bytes([6, 3, 0x55, 4, 3, tag, len(value)]) + value
        der = bytes([0x30, len(inner) + 4, 0x31, len(inner) + 2, 0x30, len(inner)]) + inner
        name = X509Name.from_der(der)
        assert text == name.CN
        assert name.get_components() == [(b"CN", text.encode())]

    @pytest.mark.parametrize("data", [b"", b"\x30", b"garbage", b"\x30\x00\x00", b"\x31\x00"])
    def test_der_that_is_no_name(self, data: bytes) -> None:
        with pytest.raises(CryptoError, match="data: not a name"):
            X509Name.from_der(data)


class TestLiveNames:
    def test_writing_changes_the_certificate(self) -> None:
        cert = X509()
        cert.get_subject().CN = "a"
        cert.get_subject().O = "b"
        cert.get_issuer().CN = "c"
        assert cert.get_subject().get_components() == [(b"CN", b"a"), (b"O", b"b")]
        assert cert.get_issuer().CN == "c"

    def test_two_of_them_agree(self) -> None:
        cert = X509()
        one, two = cert.get_subject(), cert.get_subject()
        one.CN = "a"
        two.O = "b"
        assert one.get_components() == two.get_components() == cert.get_subject().get_components()
        assert len(one.get_components()) == 2

    def test_it_outlives_the_certificate(self) -> None:
        cert = X509()
        name = cert.get_subject()
        del cert
        gc.collect()
        name.CN = "still here"
        assert name.CN == "still here"

    def test_a_name_taken_over_is_a_copy(self) -> None:
        cert, name = X509(), make(CN="a")
        cert.set_subject(name)
        name.CN = "b"
        assert cert.get_subject().CN == "a"

    def test_a_name_whose_place_was_taken_stands_alone(self) -> None:
        cert = X509()
        old = cert.get_subject()
        cert.set_subject(make(CN="new"))
        old.CN = "old"
        assert cert.get_subject().CN == "new"
        assert old.CN == "old"

    def test_subject_and_issuer_do_not_mix(self) -> None:
        cert = X509()
        cert.get_subject().CN = "a"
        cert.set_issuer(cert.get_subject())
        cert.get_issuer().CN = "b"
        assert (cert.get_subject().CN, cert.get_issuer().CN) == ("a", "b")

    def test_setting_the_live_name_itself_changes_nothing(self) -> None:
        cert = X509()
        name = cert.get_subject()
        name.CN = "a"
        cert.set_subject(name)
        name.CN = "b"
        assert cert.get_subject().CN == "b"

    def test_a_refused_value_changes_neither(self) -> None:
        cert = X509()
        name = cert.get_subject()
        name.C = "SE"
        with pytest.raises(CryptoError):
            name.C = "SWE"
        assert name.C == cert.get_subject().C == "SE"

    def test_threads_may_read_and_write_one_name(self) -> None:
        cert = X509()
        name = cert.get_subject()
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(200):
                    name.CN = f"{number}-{turn}"
                    assert name.CN
                    assert name.der()
                    name.hash()
                    if turn % 50 == 0:
                        cert.set_subject(X509Name(name))
                    cert.get_subject().get_components()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
