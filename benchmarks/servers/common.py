"""What every server in Python shares: its options, and the work besides its loop."""

from __future__ import annotations

import argparse
import resource
import ssl
import sys

# Bytes: the period of the pattern that a source sends, and what a sink acknowledges one byte for.
BLOCK = 65536
ACKNOWLEDGED = 1 << 20
BACKLOG = 1024

PATTERN = bytes((i * 167 + (i >> 8) * 13) & 0xFF for i in range(BLOCK))
# A source gives the loop its turn after so many blocks.
BURST = 16


def options(**more: str) -> argparse.Namespace:
    """The command line, and as many descriptors as one may have."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", choices=["echo", "sink", "source", "web"], default="echo")
    parser.add_argument("--cert", help="a PEM file; without it: plain TCP")
    parser.add_argument("--key")
    parser.add_argument("--client-ca")
    for name, text in more.items():
        parser.add_argument(f"--{name}", help=text)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return parser.parse_args()


def announce(port: int, description: str) -> None:
    """Tell the runner where, and what this is."""
    sys.stdout.write(f"PORT {port}\n{description}\n")
    sys.stdout.flush()


def standard_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    """The standard library's server context."""
    if options.cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    if options.client_ca is not None:
        context.load_verify_locations(options.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Counter:
    """A sink's: how many acknowledgements are due after so many bytes more."""

    def __init__(self) -> None:
        self.got = 0

    def due(self, size: int) -> bytes:
        before = self.got // ACKNOWLEDGED
        self.got += size
        return b"k" * (self.got // ACKNOWLEDGED - before)
