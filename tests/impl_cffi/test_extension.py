"""impl_cffi/extension.py: extensions, and the alternative names in them."""

from __future__ import annotations

from typing import Any

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CryptoError
from openssl_iface.impl_cffi.extension import X509Extension
from openssl_iface.impl_cffi.pkey import PKey
from openssl_iface.impl_cffi.request import X509Req
from openssl_iface.impl_cffi.x509 import X509, dump_certificate, load_certificate
from openssl_iface.interfaces import IX509Extension


def tlv(tag: int, content: bytes) -> bytes:
    """One DER element."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


class TestFromText:
    @pytest.mark.parametrize(
        ("name", "critical", "value", "shown"),
        [
            ("basicConstraints", True, "CA:TRUE,pathlen:1", "CA:TRUE, pathlen:1"),
            ("keyUsage", True, "digitalSignature,keyCertSign", "Digital Signature, Certificate Sign"),
            ("extendedKeyUsage", False, "serverAuth,1.2.3.4", "TLS Web Server Authentication, 1.2.3.4"),
            ("subjectAltName", False, "DNS:a.example,IP:192.0.2.1", "DNS:a.example, IP Address:192.0.2.1"),
            ("nsComment", False, "hello", "hello"),
            ("crlDistributionPoints", False, "URI:http://a.example/", "URI:http://a.example/"),
            (b"nsCertType", False, b"client", "SSL Client"),
        ],
    )
    def test_what_it_is(self, name: Any, critical: bool, value: Any, shown: str) -> None:
        made = X509Extension(name, critical, value)
        assert verifyObject(IX509Extension, made)
        assert made.get_critical() == critical
        assert made.get_short_name() == (name if isinstance(name, bytes) else name.encode())
        assert shown in str(made)
        assert shown in repr(made)
        assert made == X509Extension(name, critical, value)
        assert hash(made) == hash(X509Extension(name, critical, value))
        assert made != X509Extension(name, not critical, value)
        assert made != shown

    def test_the_data_is_der(self) -> None:
        assert X509Extension("basicConstraints", True, "CA:TRUE").get_data() == bytes.fromhex("30030101ff")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("nonsense", "x"),
            ("", ""),
            ("basicConstraints", ""),
            ("basicConstraints", "CA:MAYBE"),
            ("keyUsage", "everything"),
            ("subjectAltName", "IP:300.1.1.1"),
            ("subjectAltName", "XYZ:a"),
            ("1.2.3.4", "x"),
            ("1.2.3.4", "DER:zz"),
            ("subjectKeyIdentifier", "hash"),
            ("authorityKeyIdentifier", "keyid:always"),
            ("proxyCertInfo", "language:id-ppl-anyLanguage,policy:file:/etc/passwd,@x"),
        ],
    )
    def test_what_openssl_does_not_take_is_an_error(self, name: str, value: str) -> None:
        with pytest.raises(CryptoError):
            X509Extension(name, False, value)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("subjectAltName", "@section"),
            ("subjectAltName", "dirName:section"),
            ("issuerAltName", "@section"),
            ("basicConstraints", "@section"),
            ("keyUsage", "@section"),
            ("nameConstraints", "@section"),
            ("nameConstraints", "permitted;dirName:section"),
            ("certificatePolicies", "@section"),
            ("certificatePolicies", "1.2.3.4,@section"),
            ("crlDistributionPoints", "@section"),
            ("crlDistributionPoints", "section"),
            ("issuingDistributionPoint", "@section"),
            ("policyConstraints", "@section"),
            ("policyMappings", "@section"),
            ("authorityInfoAccess", "@section"),
            ("extendedKeyUsage", "@section"),
            ("tlsfeature", "@section"),
            ("sbgp-ipAddrBlock", "@section"),
            ("sbgp-autonomousSysNum", "@section"),
            ("proxyCertInfo", "@section"),
            ("1.2.3.4", "ASN1:SEQUENCE:section"),
            ("1.2.3.4", "ASN1:SET:section"),
            ("subjectAltName", "otherName:1.2.3.4;SEQUENCE:section"),
        ],
    )
    def test_there_are_no_sections_to_refer_to(self, name: str, value: str) -> None:
        with pytest.raises(CryptoError):
            X509Extension(name, False, value)

    @pytest.mark.parametrize(("name", "value"), [("nsComment", "a\0b"), ("ns\0Comment", "a")])
    def test_nul_is_refused(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match="NUL"):
            X509Extension(name, False, value)

    @pytest.mark.parametrize(
        ("name", "value"), [(None, "x"), (5, "x"), ("nsComment", None), ("nsComment", 5)]
    )
    def test_another_type_is_refused(self, name: Any, value: Any) -> None:
        with pytest.raises(TypeError):
            X509Extension(name, False, value)

    def test_the_people_concerned(self, issue: Any, key: Any) -> None:
        ca = issue("authority", ca=True).cert
        subject = X509Extension("subjectKeyIdentifier", False, "hash", subject=ca)
        authority = X509Extension("authorityKeyIdentifier", False, "keyid:always,issuer:always", issuer=ca)
        assert str(subject) in str(authority)
        assert "/CN=authority" in str(authority) or "CN = authority" in str(authority)
        request = X509Req()
        request.set_pubkey(key("EC", 256))
        assert X509Extension("subjectKeyIdentifier", False, "hash", subject=request)

    @pytest.mark.parametrize("someone", [5, "x", object(), PKey()])
    def test_others_are_refused(self, someone: Any) -> None:
        for argument in ("subject", "issuer"):
            with pytest.raises(TypeError, match=argument):
                X509Extension("nsComment", False, "x", **{argument: someone})

    def test_people_without_a_key_are_an_error(self) -> None:
        for someone in (X509(), X509Req()):
            with pytest.raises(CryptoError):
                X509Extension("subjectKeyIdentifier", False, "hash", subject=someone)
        with pytest.raises(CryptoError):
            X509Extension("authorityKeyIdentifier", False, "keyid:always", issuer=X509())


class TestFromDer:
    def test_any_kind(self) -> None:
        made = X509Extension.from_der("1.2.3.4.5", True, b"\x0c\x02hi")
        assert made.get_short_name() == b"1.2.3.4.5"
        assert made.get_critical() == 1
        assert made.get_data() == b"\x0c\x02hi"
        assert "hi" in str(made)

    def test_what_openssl_cannot_read_is_shown_as_bytes(self) -> None:
        made = X509Extension.from_der("basicConstraints", False, b"\xff\xff\xff")
        assert "ff ff ff" in str(made)

    def test_text_with_nul_is_shown_as_a_whole(self) -> None:
        assert str(X509Extension.from_der("nsComment", False, b"\x16\x05ab\0cd")) == "ab\0cd"

    def test_an_unknown_name_is_an_error(self) -> None:
        with pytest.raises(CryptoError, match="type_name"):
            X509Extension.from_der("nonsense", False, b"")


class TestAlternativeNames:
    def carry(self, issue: Any, extensions: list[X509Extension]) -> X509:
        cert = issue("alternatives").cert
        copy = load_certificate(1, dump_certificate(1, cert))
        copy.add_extensions(extensions)
        return copy

    def names(self, issue: Any, *general_names: bytes) -> Any:
        der = tlv(0x30, b"".join(general_names))
        return self.carry(issue, [X509Extension.from_der("subjectAltName", False, der)])

    def test_none(self, issue: Any) -> None:
        assert issue("nothing").cert.get_subject_alt_names() == []

    def test_each_kind(self, issue: Any) -> None:
        text = (
            "DNS:a.example,DNS:*.b.example,IP:192.0.2.1,IP:2001:db8::1,email:who@a.example,"
            "URI:https://a.example/,RID:1.2.3.4,otherName:1.2.3.4;UTF8:x"
        )
        cert = self.carry(issue, [X509Extension("subjectAltName", False, text)])
        assert cert.get_subject_alt_names() == [
            ("DNS", "a.example"),
            ("DNS", "*.b.example"),
            ("IP Address", "192.0.2.1"),
            ("IP Address", "2001:db8::1"),
            ("email", "who@a.example"),
            ("URI", "https://a.example/"),
            ("Registered ID", "1.2.3.4"),
            ("othername", "<unsupported>"),
        ]

    def test_a_directory_name(self, issue: Any) -> None:
        name = X509().get_subject()
        name.C, name.CN = "SE", "räka"
        cert = self.names(issue, tlv(0xA4, name.der()))
        assert cert.get_subject_alt_names() == [
            ("DirName", ((("countryName", "SE"),), (("commonName", "räka"),)))
        ]

    def test_nul_stays_in(self, issue: Any) -> None:
        cert = self.names(issue, tlv(0x82, b"good.example\0.evil.example"), tlv(0x82, b"b\xe4d"))
        assert cert.get_subject_alt_names() == [
            ("DNS", "good.example\0.evil.example"),
            ("DNS", "b\xe4d"),
        ]
        shown = str(cert.get_extension(cert.get_extension_count() - 1))
        assert shown == "DNS:good.example\0.evil.example, DNS:b\xe4d"

    def test_every_kind_is_shown_around_a_nul(self, issue: Any) -> None:
        name = X509().get_subject()
        name.CN = "x"
        cert = self.names(
            issue,
            *(tlv(0x81, b"a\0@b"), tlv(0x86, b"http://a\0b/"), tlv(0xA4, name.der()), tlv(0x88, b"\x2a\3")),
            *(tlv(0x87, bytes([192, 0, 2, 1])), tlv(0x87, bytes.fromhex("20010db8" + "0" * 23 + "1"))),
        )
        assert str(cert.get_extension(cert.get_extension_count() - 1)) == (
            "email:a\0@b, URI:http://a\0b/, DirName:/commonName=x, Registered ID:1.2.3, "
            "IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1"
        )

    def test_an_address_of_no_known_size_is_shown_as_such(self, issue: Any) -> None:
        cert = self.names(issue, tlv(0x87, b"\1\2\3"), tlv(0x87, b""))
        assert cert.get_subject_alt_names() == [
            ("IP Address", "<invalid: 01:02:03>"),
            ("IP Address", "<invalid: >"),
        ]

    @pytest.mark.parametrize("der", [b"", b"\x30", b"garbage", b"\x30\x03\x82\x05a", b"\x04\x00"])
    def test_malformed_is_an_error(self, issue: Any, der: bytes) -> None:
        cert = self.carry(issue, [X509Extension.from_der("subjectAltName", False, der)])
        with pytest.raises(CryptoError, match="malformed"):
            cert.get_subject_alt_names()

    def test_twice_is_an_error(self, issue: Any) -> None:
        one = X509Extension("subjectAltName", False, "DNS:a.example")
        cert = self.carry(issue, [one, one])
        with pytest.raises(CryptoError, match="more than once"):
            cert.get_subject_alt_names()

    def test_no_file_is_read(self, tmp_path: Any) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"secret")
        policy = f"language:id-ppl-anyLanguage,policy:file:{secret}"
        with pytest.raises(CryptoError, match="policy is not read from a file"):
            X509Extension("proxyCertInfo", False, policy)
        made = X509Extension("proxyCertInfo", False, policy.replace("policy:file", "policy:text"))
        assert str(secret).encode() in made.get_data()
