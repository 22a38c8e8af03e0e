"""What the backend's tests share: keys made once, a small PKI, and the programs to exchange files with."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.extension import X509Extension
from openssl_iface.impl_cffi.pkey import PKey, dump_privatekey
from openssl_iface.impl_cffi.x509 import X509, dump_certificate
from openssl_iface.values import FileType, KeyType

# Where tools/build_openssl.py keeps the OpenSSLs that the system lacks.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openssl-iface" / "openssl"


@pytest.fixture(autouse=True)
def _no_error_is_left_over() -> Iterator[None]:
    yield
    assert lib.ERR_peek_error() == 0, "an error was left in OpenSSL's queue"


@dataclass(frozen=True)
class Program:
    """An openssl command."""

    path: str
    libraries: str | None

    def run(self, *arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = dict(os.environ, LC_ALL="C.UTF-8")
        if self.libraries is not None:
            environment["LD_LIBRARY_PATH"] = self.libraries
        return subprocess.run(
            [self.path, *map(str, arguments)], input=stdin, capture_output=True, env=environment, timeout=60
        )

    def __call__(self, *arguments: object, stdin: bytes = b"") -> bytes:
        """What the command writes; it must succeed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    @property
    def old(self) -> bool:
        """Whether it is from before 3.0, where the old algorithms are the default."""
        return self("version").startswith(b"OpenSSL 1.")


def _programs() -> dict[str, Program]:
    found = {}
    system = shutil.which("openssl")
    if system is not None:
        found["system"] = Program(system, None)
    for path in sorted(CACHE.glob("*/bin/openssl")):
        found[path.parent.parent.name] = Program(str(path), str(path.parent.parent / "lib"))
    return found


PROGRAMS = _programs()


@pytest.fixture(params=list(PROGRAMS) or [None])
def openssl(request: pytest.FixtureRequest) -> Program:
    """The openssl command of each version that there is."""
    if request.param is None:
        pytest.skip("there is no openssl command")
    return PROGRAMS[request.param]


@pytest.fixture(scope="session")
def certtool() -> Program:
    """GnuTLS's command."""
    path = shutil.which("certtool")
    if path is None:
        pytest.skip("there is no certtool")
    return Program(path, None)


@dataclass(frozen=True)
class Party:
    """A certificate and its key; their files in PEM."""

    certificate: X509
    key: PKey
    certificate_file: Path
    key_file: Path


class PKI:
    """An authority, and those that it has certified."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.serial = 1
        self.ca = self.issue("Test CA", authority=True)
        self.alice = self.issue("Alice")
        self.bob = self.issue("Bob", mail=True)
        self.other_ca = self.issue("Another CA", authority=True)

    def issue(self, name: str, *, authority: bool = False, mail: bool = False) -> Party:
        key = PKey()
        key.generate_key(KeyType.RSA, 2048)
        certificate = X509()
        certificate.set_version(2)
        certificate.set_serial_number(self.serial)
        self.serial += 1
        certificate.get_subject().CN = name
        certificate.gmtime_adj_notBefore(-3600)
        certificate.gmtime_adj_notAfter(86400)
        certificate.set_pubkey(key)
        extensions = [X509Extension("basicConstraints", True, "CA:TRUE" if authority else "CA:FALSE")]
        if mail:
            extensions.append(X509Extension("extendedKeyUsage", False, "emailProtection"))
        certificate.add_extensions(extensions)
        certificate.set_issuer(certificate.get_subject() if authority else self.ca.certificate.get_subject())
        certificate.sign(key if authority else self.ca.key, "sha256")
        stem = name.replace(" ", "")
        files = self.directory / f"{stem}.crt", self.directory / f"{stem}.key"
        files[0].write_bytes(dump_certificate(FileType.PEM, certificate))
        files[1].write_bytes(dump_privatekey(FileType.PEM, key))
        return Party(certificate, key, *files)

    def file(self, name: str, *certificates: X509) -> Path:
        """A PEM file of several certificates."""
        path = self.directory / name
        path.write_bytes(b"".join(dump_certificate(FileType.PEM, item) for item in certificates))
        return path


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> PKI:
    return PKI(tmp_path_factory.mktemp("pki"))


@functools.cache
def _key(kind: str, bits: int = 0, number: int = 0) -> PKey:
    key = PKey()
    key.generate_key(kind, bits)
    return key


@pytest.fixture(scope="session")
def key() -> Callable[..., PKey]:
    """A key of a kind; the same one each time for the same arguments."""
    return _key


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    cert: X509
    key: PKey


def _issue(
    name: str = "localhost",
    issuer: Issued | None = None,
    *,
    ca: bool = False,
    serial: int = 1,
    start: int = -3600,
    end: int = 365 * 86400,
    extensions: tuple[tuple[str, bool, str], ...] = (),
) -> Issued:
    mine = _key("EC", 256, hash(name))
    cert = X509()
    cert.set_version(2)
    cert.set_serial_number(serial)
    cert.get_subject().CN = name
    above = issuer or Issued(cert, mine)
    cert.set_issuer(above.cert.get_subject())
    cert.gmtime_adj_notBefore(start)
    cert.gmtime_adj_notAfter(end)
    cert.set_pubkey(mine)
    usage = "keyCertSign,cRLSign" if ca else "digitalSignature"
    cert.add_extensions(
        [
            X509Extension("basicConstraints", True, "CA:TRUE" if ca else "CA:FALSE"),
            X509Extension("keyUsage", True, usage),
            X509Extension("subjectKeyIdentifier", False, "hash", subject=cert),
        ]
    )
    cert.add_extensions([X509Extension("authorityKeyIdentifier", False, "keyid", issuer=above.cert)])
    cert.add_extensions([X509Extension(*extension) for extension in extensions])
    cert.sign(above.key, None)
    return Issued(cert, mine)


@pytest.fixture(scope="session")
def issue() -> Callable[..., Issued]:
    """Make a certificate with its key, signed by itself or by another."""
    return _issue
