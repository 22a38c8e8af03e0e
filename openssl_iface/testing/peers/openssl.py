"""Peers that are ``openssl s_server`` and ``openssl s_client``, of any version.

Both run with ``-quiet``, which makes their standard output plaintext and nothing else,
and with ``-no_ign_eof``, which makes the end of their standard input a close_notify.
Their command letters are off unless ``commands=True`` turns them on (a server then
mixes its own words with the plaintext: use ``receive_until``).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from functools import cached_property
from pathlib import Path

from .base import Make, Settings
from .program import ProgramPeer, run

__all__ = ["OpenSSL", "built_series"]

_PROTOCOLS = {"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}
_CLIENT_AUTH = {"wanted": "-verify", "required": "-Verify"}
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.S)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "openssl-iface" / "openssl"


def built_series() -> list[str]:
    """The series that ``tools/build_openssl.py`` has built in the user's cache, oldest first."""
    found = [path.parent.parent.name for path in _cache().glob("*/bin/openssl")]
    return sorted(found, key=lambda series: [int(n) for n in re.findall(r"\d+", series)])


class OpenSSLPeer(ProgramPeer):
    """A running ``s_server`` or ``s_client``."""

    make: OpenSSL
    is_server = False
    _directory: tempfile.TemporaryDirectory[str] | None = None

    def renegotiate(self) -> None:
        self._command("r\n" if self.is_server else "R\n")

    def key_update(self, *, request_peer: bool = False) -> None:
        self._command("K\n" if request_peer else "k\n")

    def request_certificate(self) -> None:
        if not self.is_server:
            raise self._unsupported("request_certificate")
        self._command("c\n")

    def _command(self, letter: str) -> None:
        if not self.settings.commands:
            raise ValueError(f"{self.make.name}: start it with commands=True, then it obeys")
        self.send(letter.encode())

    def close(self) -> None:
        super().close()
        if self._directory is not None:
            self._directory.cleanup()


class OpenSSL(Make):
    """OpenSSL's own programs.

    :param series: a series that was built in the user's cache (``"3.5"``), or ``None``: the system's.
    :param program: the path of a binary, instead.
    :param libraries: the directory of its shared libraries.
    """

    def __init__(
        self,
        series: str | None = None,
        *,
        program: Path | str | None = None,
        libraries: Path | str | None = None,
    ) -> None:
        self.name = f"openssl-{series}" if series else "openssl"
        if program is None and series is not None:
            program = _cache() / series / "bin" / "openssl"
            libraries = _cache() / series / "lib"
        self.program = str(program or shutil.which("openssl") or "openssl")
        self.environment = dict(os.environ)
        # What a test run was given for its own OpenSSL must not become this one's.
        self.environment.pop("LD_LIBRARY_PATH", None)
        if libraries is not None:
            self.environment["LD_LIBRARY_PATH"] = str(libraries)

    @cached_property
    def version(self) -> str:
        return run([self.program, "version"], self.environment)

    @property
    def can(self) -> frozenset[str]:
        words = {"server", "client", "speak", "clean_end", "renegotiate", "key_update", "request_certificate"}
        if self.version.startswith("OpenSSL 1."):
            words.remove("clean_end")  # its server leaves without close_notify
        return frozenset(words)

    @property
    def missing(self) -> str:
        return "" if self.version else f"{self.program} cannot be run"

    def _serve(self, settings: Settings) -> OpenSSLPeer:
        # A blocking s_server hangs if there is something to send before the client is there: it then
        # completes the handshake while it writes, and reads what is not there any more.
        arguments = ["s_server", "-nbio", "-accept", "127.0.0.1:0", *self._common(settings)]
        if settings.client_auth != "none":
            # In this order: from OpenSSL 4.0 on, the first one alone means "wanted" to a server.
            arguments += ["-verify_return_error", _CLIENT_AUTH[settings.client_auth], "9"]
        if settings.connections:
            arguments += ["-naccept", str(settings.connections)]
        if not settings.commands:
            arguments += ["-quiet", "-no_ign_eof"]
        return self._run(settings, arguments, None)

    def _connect(self, port: int, settings: Settings) -> OpenSSLPeer:
        arguments = [
            "s_client",
            "-connect",
            f"127.0.0.1:{port}",
            *self._common(settings),
            "-quiet",
            "-no_ign_eof",
        ]
        if settings.server_name is not None:
            arguments += ["-servername", settings.server_name]
        else:
            arguments += ["-noservername"]
        if settings.verify:
            arguments += ["-verify", "9", "-verify_return_error", "-verify_quiet"]
            if settings.server_name is not None:
                arguments += ["-verify_hostname", settings.server_name]
        if not settings.commands:
            arguments += ["-nocommands"]
        return self._run(settings, arguments, port)

    def _run(self, settings: Settings, arguments: list[str], port: int | None) -> OpenSSLPeer:
        directory = tempfile.TemporaryDirectory(prefix="openssl_iface-peer-")
        try:
            peer = OpenSSLPeer(
                self,
                settings,
                [
                    self.program,
                    *arguments,
                    *self._identity(settings, Path(directory.name)),
                    *settings.arguments,
                ],
                environment=self.environment,
                port=port,
                echo=settings.echo,
            )
        except BaseException:
            directory.cleanup()
            raise
        peer._directory = directory
        peer.is_server = port is None
        return peer

    @staticmethod
    def _common(settings: Settings) -> list[str]:
        arguments: list[str] = []
        if settings.tls is not None:
            arguments += [_PROTOCOLS[settings.tls]]
        if settings.ciphers is not None:
            arguments += ["-cipher", settings.ciphers]
        if settings.alpn:
            arguments += ["-alpn", ",".join(settings.alpn)]
        if settings.ca is not None:
            arguments += ["-CAfile", str(settings.ca)]
        return arguments

    @staticmethod
    def _identity(settings: Settings, directory: Path) -> list[str]:
        """The arguments for certificate and key: ``-cert`` reads the first of a file alone."""
        arguments: list[str] = []
        if settings.certificate is not None:
            arguments += ["-cert", str(settings.certificate)]
            chain = _CERTIFICATE.findall(Path(settings.certificate).read_text())[1:]
            if chain:
                rest = directory / "chain.pem"
                rest.write_text("".join(chain))
                arguments += ["-cert_chain", str(rest)]
        if settings.key is not None:
            arguments += ["-key", str(settings.key)]
        return arguments
