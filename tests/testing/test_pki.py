from __future__ import annotations

import re
import stat
import subprocess

import pytest

from openssl_iface import crypto
from openssl_iface.testing import peers
from openssl_iface.testing.pki import CASES, PKI, Authority, new_key, raw_dns_names

# What openssl verify is asked beside the host.
QUESTIONS = {
    "wildcard": ["-verify_hostname", "www.localhost.test"],
    "ip": ["-verify_ip", "127.0.0.1"],
    # It still reads the common name where there is no subjectAltName.
    "no_san": ["-verify_hostname", "elsewhere.test"],
}


@pytest.fixture(scope="module")
def openssl():
    make = peers.OpenSSL()
    if make.missing:
        pytest.skip(make.missing)
    return make


@pytest.mark.parametrize("case", CASES)
def test_openssl_says_of_each_case_what_it_is_for(pki, openssl, case, tmp_path):
    identity = getattr(pki, case)
    files = identity.write(tmp_path)
    arguments = [
        "-CAfile",
        pki.write_root(tmp_path),
        "-purpose",
        "sslserver",
        "-untrusted",
        files.certificate,
    ]
    arguments += QUESTIONS.get(case, ["-verify_hostname", "localhost"])
    if case == "revoked":
        (tmp_path / "crl.pem").write_bytes(pki.crl_pem)
        arguments += ["-crl_check", "-CRLfile", tmp_path / "crl.pem"]
    done = subprocess.run(
        [openssl.program, "verify", *arguments, files.certificate],
        capture_output=True,
        text=True,
        env=openssl.environment,
    )
    found = {int(number) for number in re.findall(r"^error (\d+)", done.stdout + done.stderr, re.MULTILINE)}
    assert (done.returncode == 0) == (not identity.verdicts)
    assert found <= identity.verdicts, done.stderr


def test_the_good_ones_are_good_for_every_kind_of_key(pki):
    assert [identity.key.algorithm for identity in (pki.good, pki.rsa, pki.ed25519)] == [
        "EC",
        "RSA",
        "ED25519",
    ]
    for identity in (pki.good, pki.rsa, pki.ed25519):
        assert identity.certificate.get_subject_alt_names() == [("DNS", "localhost")]
        assert identity.certificate.verify(pki.ca.key)
        assert identity.certificate.get_pubkey() == identity.key


def test_what_is_asked_for_twice_is_made_once(pki):
    assert pki.good is pki.good
    assert pki.good is not PKI().good


def test_files_are_what_programs_read(pki, tmp_path):
    files = pki.good.write(tmp_path, "server")
    assert files.certificate.name == "server.pem"
    chain = crypto.load_certificates(files.certificate.read_bytes())
    assert [each.get_subject().CN for each in chain] == ["localhost", "Throwaway Intermediate"]
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, files.key.read_bytes())
    assert key == pki.good.key
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    root = crypto.load_certificate(crypto.FILETYPE_PEM, files.ca.read_bytes())
    assert root.get_subject().CN == "Throwaway Root"


def test_the_huge_chain_takes_more_than_one_buffer_of_64_kib(pki):
    certificates = (pki.huge_chain.certificate, *pki.huge_chain.chain)
    size = sum(len(crypto.dump_certificate(crypto.FILETYPE_ASN1, each)) for each in certificates)
    assert 65536 < size < 100 * 1024


def test_the_long_chain_is_longer_than_the_default_depth(pki):
    assert len(pki.long_chain.chain) > 100


@pytest.mark.parametrize("case", ["nul_san", "non_ascii_san", "broken_san"])
def test_malformed_names_are_in_the_certificate_as_they_are(pki, case):
    data = b"".join(
        extension.get_data()
        for extension in getattr(pki, case).certificate.get_extensions()
        if extension.get_short_name() == b"subjectAltName"
    )
    expected = {
        "nul_san": b"localhost\0.elsewhere.test",
        "non_ascii_san": b"localhost\xff\xfe",
        "broken_san": b"abc",
    }
    assert data.endswith(expected[case])


def test_raw_dns_names_writes_long_forms_too():
    extension = crypto.X509Extension(
        "subjectAltName", False, raw_dns_names(b"a" * 127, b"b" * 128, b"c" * 300)
    )
    names = str(extension).split(", ")
    assert names == ["DNS:" + "a" * 127, "DNS:" + "b" * 128, "DNS:" + "c" * 300]


def test_a_list_names_what_was_revoked(pki):
    (entry,) = pki.crl.get_revoked()
    assert int(entry.get_serial(), 16) == pki.revoked.certificate.get_serial_number()
    assert entry.get_reason() == b"Key Compromise"
    assert pki.crl.verify(pki.ca.key)
    assert Authority().crl().get_revoked() is None


def test_an_authority_issues_what_is_asked():
    authority = Authority("My Root").intermediate("My Intermediate")
    key = new_key("ED25519")
    extension = crypto.X509Extension("tlsfeature", False, "status_request")
    identity = authority.issue("a.test", "192.0.2.1", "*.b.test", key=key, extensions=[extension])
    assert identity.certificate.get_subject_alt_names() == [
        ("DNS", "a.test"),
        ("IP Address", "192.0.2.1"),
        ("DNS", "*.b.test"),
    ]
    assert identity.key is key
    assert identity.certificate.get_issuer().CN == "My Intermediate"
    assert identity.root.get_subject().CN == "My Root"
    assert extension in identity.certificate.get_extensions()


@pytest.mark.parametrize(
    "name",
    [
        "a.test,DNS:b.test",
        "a.test\nb.test",
        "a.test\n",
        "a..test",
        "",
        "@section",
        "email:copy",
        "300.0.0.1",
        "fe80::1%lo,DNS:b.test",
        "b\u00fccher.test",
        b"a.test",
        2130706433,
    ],
)
def test_what_is_no_name_is_refused(pki, name):
    with pytest.raises((TypeError, ValueError), match="names: "):
        pki.ca.issue("localhost", name)


def test_unknown_kinds_of_keys_are_refused():
    with pytest.raises(ValueError, match="kind"):
        new_key("DSA")  # type: ignore[arg-type]
