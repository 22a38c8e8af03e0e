"""The programs in examples/ do what they say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openssl_iface import crypto

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# What no run of these programs comes near, so that a hang is a failure (seconds).
PATIENCE = 60


def run(name: str, *arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE)


def verify(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", "verify", *map(str, arguments)], capture_output=True, timeout=PATIENCE)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    directory = tmp_path / "ca"
    assert run("simple_ca.py", directory, "init", "Example CA").returncode == 0
    done = run("simple_ca.py", directory, "pair", "localhost")
    assert done.returncode == 0, done.stderr
    (directory / "passphrase").write_bytes(done.stdout.split()[-1])
    return directory


@pytest.fixture
def port(authority: Path) -> Iterator[int]:
    command = [sys.executable, str(EXAMPLES / "echo_server.py"), "0"]
    command += [str(authority / "localhost.pem"), str(authority / "localhost.key")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline().split()[-1])
        finally:
            server.terminate()


def test_ca_issues_what_openssl_verifies(authority: Path) -> None:
    done = verify(
        "-CAfile", authority / "ca.pem", "-verify_hostname", "localhost", authority / "localhost.pem"
    )
    assert done.returncode == 0, done.stderr
    assert (authority / "ca.key").stat().st_mode & 0o777 == 0o600


def test_ca_signs_requests(authority: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        [
            *("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=www.example.org"),
            *("-addext", "subjectAltName=DNS:www.example.org"),
            *("-keyout", str(tmp_path / "k.pem"), "-out", str(tmp_path / "r.pem")),
        ],
        capture_output=True,
        timeout=PATIENCE,
    )
    assert made.returncode == 0, made.stderr
    done = run("simple_ca.py", authority, "issue", tmp_path / "r.pem", tmp_path / "c.pem")
    assert done.returncode == 0, done.stderr
    assert verify("-CAfile", authority / "ca.pem", tmp_path / "c.pem").returncode == 0


def test_ca_revokes(authority: Path) -> None:
    assert run("simple_ca.py", authority, "revoke", authority / "localhost.pem").returncode == 0
    options = ["-crl_check", "-CRLfile", authority / "crl.pem", "-CAfile", authority / "ca.pem"]
    done = verify(*options, authority / "localhost.pem")
    assert done.returncode != 0
    assert b"revoked" in done.stderr + done.stdout
    assert run("simple_ca.py", authority, "pair", "other.example").returncode == 0
    assert verify(*options, authority / "other.example.pem").returncode == 0


def test_ca_writes_pkcs12(authority: Path) -> None:
    data = (authority / "localhost.p12").read_bytes()
    bundle = crypto.load_pkcs12(data, (authority / "passphrase").read_bytes())
    assert bundle.get_certificate().get_subject().CN == "localhost"
    assert [one.get_subject().CN for one in bundle.get_ca_certificates()] == ["Example CA"]


def test_ca_refuses_in_a_sentence(authority: Path) -> None:
    done = run("simple_ca.py", authority, "revoke", authority / "ca.key")
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert done.stderr.startswith(b"simple_ca: ")


def test_echo(authority: Path, port: int) -> None:
    data = bytes(range(256)) * 4000
    done = run("echo_client.py", "localhost", port, authority / "ca.pem", stdin=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data


def test_echo_client_refuses_another_authority(port: int, authority: Path, tmp_path: Path) -> None:
    assert run("simple_ca.py", tmp_path / "other", "init", "Another CA").returncode == 0
    done = run("echo_client.py", "localhost", port, tmp_path / "other" / "ca.pem", stdin=b"secret")
    assert done.returncode != 0
    assert b"refused" in done.stderr
    assert b"Traceback" not in done.stderr


def test_inspector(authority: Path, port: int) -> None:
    from_file = run("inspect_certificate.py", authority / "localhost.pem")
    assert from_file.returncode == 0, from_file.stderr
    for expected in (b"CN=localhost", b"CN=Example CA", b"DNS:localhost", b"256 bits"):
        assert expected in from_file.stdout
    assert b"extendedKeyUsage: TLS Web Server Authentication" in from_file.stdout
    from_server = run("inspect_certificate.py", f"localhost:{port}")
    assert from_server.stdout == from_file.stdout, from_server.stderr
