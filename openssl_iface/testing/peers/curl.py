"""A peer that is ``curl``: an HTTPS client which makes one request."""

from __future__ import annotations

import shutil
from functools import cached_property

from .base import Make, Settings
from .program import ProgramPeer, run

__all__ = ["Curl"]

_PROTOCOLS = {
    "TLSv1.2": ["--tlsv1.2", "--tls-max", "1.2"],
    "TLSv1.3": ["--tlsv1.3", "--tls-max", "1.3"],
}


class Curl(Make):
    """curl, with the TLS library that it was built with.

    What is received is the body.  The request is ``GET /``; ``arguments`` may change everything.
    """

    name = "curl"
    can = frozenset({"client"})

    @cached_property
    def version(self) -> str:
        return (run(["curl", "--version"]).splitlines() or [""])[0]

    @property
    def missing(self) -> str:
        return "" if shutil.which("curl") else "curl is not installed"

    def _connect(self, port: int, settings: Settings) -> ProgramPeer:
        host = settings.server_name or "127.0.0.1"
        arguments = [
            "curl", "--silent", "--show-error", "--no-buffer", "--max-time", "60", "--noproxy", "*",
            "--resolve", f"{host}:{port}:127.0.0.1", f"https://{host}:{port}/",
        ]  # fmt: skip
        if settings.tls is not None:
            arguments += _PROTOCOLS[settings.tls]
        if not settings.verify:
            arguments += ["--insecure"]
        arguments += ["--http2" if "h2" in settings.alpn else "--http1.1"]
        for option, value in (
            ("--cacert", settings.ca),
            ("--cert", settings.certificate),
            ("--key", settings.key),
            ("--ciphers", settings.ciphers),
        ):
            if value is not None:
                arguments += [option, str(value)]
        return ProgramPeer(self, settings, [*arguments, *settings.arguments], port=port)
