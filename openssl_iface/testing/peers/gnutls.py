"""Peers that are ``gnutls-serv`` and ``gnutls-cli`` (Debian: ``gnutls-bin``).

The server is an echo of lines and nothing else, and serves until it is closed.  The client's own words
go to a file, so that its standard output is plaintext alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cached_property
from pathlib import Path

from .base import Make, PeerError, Settings
from .program import ProgramPeer, run

__all__ = ["GnuTLS"]

_PRIORITIES = {
    None: "NORMAL",
    "TLSv1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2",
    "TLSv1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3",
}
_CLIENT_AUTH = {
    "none": ["--disable-client-cert"],
    "wanted": ["--verify-client-cert"],
    "required": ["--require-client-cert", "--verify-client-cert"],
}


class GnuTLSPeer(ProgramPeer):
    """A running ``gnutls-serv`` or ``gnutls-cli``."""

    _directory: tempfile.TemporaryDirectory[str] | None = None

    @property
    def log(self) -> str:
        words = ""
        if self._directory is not None:
            path = Path(self._directory.name) / "log"
            words = path.read_text(errors="replace") if path.exists() else ""
        return words + super().log

    def renegotiate(self) -> None:
        self._command("renegotiate")

    def key_update(self, *, request_peer: bool = False) -> None:
        self._command("rekey" if request_peer else "rekey1")

    def _command(self, word: str) -> None:
        if not self.settings.commands:
            raise ValueError(f"{self.make.name}: start it with commands=True, then it obeys")
        self.send(f"^{word}^\n".encode())

    def end(self) -> None:
        if "gnutls-serv" in self.arguments:
            raise self._unsupported("end of a server")
        super().end()

    def close(self) -> None:
        super().close()
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None


class GnuTLS(Make):
    """GnuTLS's own programs."""

    name = "gnutls"
    can = frozenset({"server", "client", "renegotiate", "key_update"})

    @cached_property
    def version(self) -> str:
        return (run(["gnutls-cli", "--version"]).splitlines() or [""])[0]

    @property
    def missing(self) -> str:
        if shutil.which("gnutls-serv") and shutil.which("gnutls-cli"):
            return ""
        return "gnutls-serv and gnutls-cli are not installed"

    def _serve(self, settings: Settings) -> GnuTLSPeer:
        if not settings.echo:
            raise PeerError(f"{self.name}: its server is an echo and nothing else: start it with echo=True")
        arguments = ["gnutls-serv", "--port=0", "--echo", "--crlf", "--quiet", *self._common(settings)]
        arguments += _CLIENT_AUTH[settings.client_auth]
        return self._run(settings, arguments, None)

    def _connect(self, port: int, settings: Settings) -> GnuTLSPeer:
        arguments = ["gnutls-cli", f"--port={port}", *self._common(settings)]
        if settings.server_name is not None:
            arguments += [
                f"--sni-hostname={settings.server_name}",
                f"--verify-hostname={settings.server_name}",
            ]
        else:
            arguments += ["--disable-sni"]
        if not settings.verify:
            arguments += ["--insecure", "--no-ca-verification"]
        if settings.commands:
            arguments += ["--inline-commands"]
        return self._run(settings, arguments, port)

    def _run(self, settings: Settings, arguments: list[str], port: int | None) -> GnuTLSPeer:
        directory = tempfile.TemporaryDirectory(prefix="openssl_iface-peer-")
        if port is not None:
            arguments = [*arguments, f"--logfile={directory.name}/log"]
        try:
            peer = GnuTLSPeer(
                self,
                settings,
                [*arguments, *settings.arguments, *(["127.0.0.1"] if port is not None else [])],
                environment={**os.environ, "LC_ALL": "C"},
                port=port,
            )
        except BaseException:
            directory.cleanup()
            raise
        peer._directory = directory
        return peer

    @staticmethod
    def _common(settings: Settings) -> list[str]:
        arguments = [f"--priority={_PRIORITIES[settings.tls]}"]
        arguments += [f"--alpn={protocol}" for protocol in settings.alpn]
        for option, value in (
            ("x509certfile", settings.certificate),
            ("x509keyfile", settings.key),
            ("x509cafile", settings.ca),
        ):
            if value is not None:
                arguments.append(f"--{option}={value}")
        if settings.ciphers is not None:
            raise PeerError("gnutls: it has priority strings, not OpenSSL's cipher lists: use arguments=")
        return arguments
