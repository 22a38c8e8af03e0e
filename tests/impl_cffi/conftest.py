"""What the backend's tests share: keys made once, a small PKI, and the programs to exchange files with."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.impl_cffi.context import Context
from openssl_iface.impl_cffi.extension import X509Extension
from openssl_iface.impl_cffi.pkey import PKey, dump_privatekey
from openssl_iface.impl_cffi.x509 import X509, dump_certificate
from openssl_iface.testing.pki import PKI as ThrowawayPKI
from openssl_iface.values import FileType, KeyType, Method, ProtocolVersion, VerifyMode, Want

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
        # what the tests run on is not for the programs of the system
        environment.pop("LD_LIBRARY_PATH", None)
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


# -- connections -----------------------------------------------------------------------------


@dataclass
class End:
    """What one side of an exchange has come to."""

    connection: Connection
    data: bytes = b""
    error: BaseException | None = None


class Tls:
    """Contexts and pairs of connections, and what drives them."""

    host = "localhost"

    def __init__(self) -> None:
        self.pki = ThrowawayPKI(self.host)

    def server_context(self, version: int | None = None, identity: Any = None) -> Context:
        identity = identity or self.pki.good
        context = Context(Method.TLS)
        context.use_certificate_chain([identity.certificate, *identity.chain])
        context.use_privatekey(identity.key)
        return self._only(context, version)

    def client_context(self, version: int | None = None) -> Context:
        context = Context(Method.TLS)
        context.get_cert_store().add_cert(self.pki.root.certificate)
        context.set_verify(VerifyMode.PEER)
        return self._only(context, version)

    def contexts(self, version: int | None = None) -> tuple[Context, Context]:
        """For a server and for a client that trusts it."""
        return self.server_context(version), self.client_context(version)

    @staticmethod
    def _only(context: Context, version: int | None) -> Context:
        if version is not None:
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
        return context

    def connections(
        self, server: Context, client: Context, sockets: Any = (None, None), host: str | None = host
    ) -> tuple[Connection, Connection]:
        """A server and a client, over two sockets or in memory; nothing has been done yet."""
        accepting, connecting = Connection(server, sockets[0]), Connection(client, sockets[1])
        accepting.set_accept_state()
        connecting.set_connect_state()
        if host is not None:
            connecting.set_verify_host(host)
        return accepting, connecting

    def pair(self, version: int | None = None) -> tuple[Connection, Connection]:
        """A server and a client in memory, shaken hands."""
        server, client = self.connections(*self.contexts(version))
        self.exchange(server, client, sound=True)
        return server, client

    def exchange(self, server: Connection, client: Connection, *, sound: bool = False) -> tuple[End, End]:
        """Carry everything between two connections in memory, by the event-loop face, until nothing moves.

        :param sound: whether errors are raised, and not kept.
        """
        ends = End(server), End(client)
        for end in ends:
            self._step(end, end.connection.event_proceed)
        moved = True
        while moved:
            moved = False
            for end, other in (ends, ends[::-1]):
                while output := end.connection.event_output():
                    moved = True
                    self._step(other, other.connection.event_feed, output)
                    while other.connection.wants & Want.PROCEED:
                        self._step(other, other.connection.event_proceed)
        for end in ends:
            if sound and end.error is not None:
                raise end.error
        return ends

    @staticmethod
    def _step(end: End, call: Callable[..., bytes], *arguments: Any) -> None:
        try:
            end.data += call(*arguments)
        except BaseException as error:
            if end.error is None:
                end.error = error

    @staticmethod
    def ask(server: Connection) -> None:
        """Have a server ask for what the client's libssl answers by itself.

        It is a certificate, where the client's context lets it be asked for later, or on TLS 1.2 another
        handshake.
        """
        if server.get_protocol_version() >= ProtocolVersion.TLS1_3:
            server.set_verify(VerifyMode.PEER)
            server.verify_client_post_handshake()
        else:
            server.renegotiate()

    @staticmethod
    def receive(connection: Connection, size: int) -> bytes:
        """Exactly *size* bytes, on a blocking socket."""
        data = bytearray()
        while len(data) < size:
            data += connection.recv(65536)
        return bytes(data)

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """Run calls in threads of their own; what each returns, or the exception that it raises."""
        results: list[Any] = [None] * len(calls)

        def run(index: int, call: Callable[[], Any]) -> None:
            try:
                results[index] = call()
            except BaseException as error:
                results[index] = error

        threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive(), "a thread does not come to its end"
        return results

    def shake(self, server: Connection, client: Connection) -> tuple[Connection, Connection]:
        """The handshake of two connections on blocking sockets."""
        for result in self.together(server.do_handshake, client.do_handshake):
            if isinstance(result, BaseException):
                raise result
        return server, client

    def over_sockets(
        self, version: int | None = None, kind: int = socket.AF_UNIX, timeout: float | None = 30
    ) -> tuple[Connection, Connection]:
        """A server and a client on a pair of blocking sockets, shaken hands."""
        sockets = socket.socketpair(kind)
        for one in sockets:
            one.settimeout(timeout)
        return self.shake(*self.connections(*self.contexts(version), sockets))


@pytest.fixture(scope="session")
def tls() -> Tls:
    return Tls()


@pytest.fixture(params=[ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3], ids=["TLSv1.2", "TLSv1.3"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def forked() -> Callable[[Callable[[], object]], int]:
    """Forks: what is given runs in the child, who fails if that raises or waits; gives the child's number."""

    def fork(function: Callable[[], object]) -> int:
        child = os.fork()
        if not child:
            status = 1
            try:
                signal.alarm(20)
                function()
                status = 0
            finally:
                os._exit(status)
        return child

    return fork


@pytest.fixture
def pair(tls: Tls, version: int) -> Iterator[tuple[Connection, Connection]]:
    """A server and a client on blocking sockets, shaken hands."""
    server, client = tls.over_sockets(version)
    yield server, client
    server.close()
    client.close()
