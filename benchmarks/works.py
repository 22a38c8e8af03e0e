"""Tables: the peers, the work, and what is promised."""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    """A server, and how it is started."""

    title: str
    script: str  # in servers/; empty: the C program
    arguments: tuple[str, ...] = ()
    tls: bool = True
    works: tuple[str, ...] = ("echo", "sink", "source")


OURS = "ours"

PEERS: dict[str, Peer] = {
    OURS: Peer(
        "Twisted, ours", "twisted_server.py", ("--tls", "ours"), works=("echo", "sink", "source", "web")
    ),
    "c": Peer("C server", ""),
    "tcp": Peer(
        "Twisted, plain TCP",
        "twisted_server.py",
        ("--tls", "none"),
        tls=False,
        works=("echo", "sink", "source", "web"),
    ),
    "pyopenssl": Peer(
        "Twisted, pyOpenSSL",
        "twisted_server.py",
        ("--tls", "pyopenssl"),
        works=("echo", "sink", "source", "web"),
    ),
    "dropin": Peer(
        "Twisted, drop-in",
        "twisted_server.py",
        ("--tls", "dropin"),
        works=("echo", "sink", "source", "web"),
    ),
    "accelerated": Peer(
        "Twisted, accelerated",
        "twisted_server.py",
        ("--tls", "accelerated"),
        works=("echo", "sink", "source", "web"),
    ),
    "asyncio": Peer("asyncio, ssl", "asyncio_server.py", ("--loop", "asyncio")),
    "uvloop": Peer("uvloop, ssl", "asyncio_server.py", ("--loop", "uvloop")),
    "trio": Peer("trio, ssl", "trio_server.py"),
}


class Work(NamedTuple):
    """What is asked of a server."""

    title: str
    server: str  # its --work
    load: dict[str, str | int]  # the load's options
    unit: str = "operations"  # or bytes
    key: str = "EC"
    client: bool = False  # with client certificates
    tls_only: bool = False
    quick: bool = False


def _handshakes() -> dict[str, Work]:
    found = {}
    for kind, version, resume in (("full", "1.3", 0), ("resumed", "1.3", 1), ("tls12", "1.2", 0)):
        for key in ("EC", "RSA"):
            for client in (False, True):
                if resume and key == "RSA":
                    continue  # no certificate takes part
                title = {"full": "TLS 1.3, full", "resumed": "TLS 1.3, resumed", "tls12": "TLS 1.2, full"}[
                    kind
                ]
                algorithm = "" if resume else ", P-256" if key == "EC" else ", RSA-2048"
                name = (
                    f"handshake-{kind}"
                    + ("" if resume else f"-{key.lower()}")
                    + ("-client" if client else "")
                )
                found[name] = Work(
                    f"handshakes, {title}{algorithm}" + (", client verified" if client else ""),
                    "echo",
                    {"work": "handshake", "connections": 16, "tls": version, "resume": resume},
                    key=key,
                    client=client,
                    tls_only=True,
                    quick=not client and (kind, key) in {("full", "EC"), ("resumed", "EC")},
                )
    return found


WORKS: dict[str, Work] = {
    "echo-100": Work("echo, 100 B, 50 connections", "echo", {"work": "echo", "size": 100}, quick=True),
    "echo-1k": Work("echo, 1 KiB, 50 connections", "echo", {"work": "echo", "size": 1024}),
    "echo-16k": Work("echo, 16 KiB, 50 connections", "echo", {"work": "echo", "size": 16384}, quick=True),
    "echo-100-x1": Work("echo, 100 B, 1 connection", "echo", {"work": "echo", "size": 100, "connections": 1}),
    "echo-100-x1000": Work(
        "echo, 100 B, 1,000 connections", "echo", {"work": "echo", "size": 100, "connections": 1000}
    ),
    "bulk-in": Work("bulk in", "sink", {"work": "in", "connections": 4}, "bytes", quick=True),
    "bulk-out": Work("bulk out", "source", {"work": "out", "connections": 4}, "bytes", quick=True),
    "bulk-both": Work("bulk both ways", "echo", {"work": "both", "connections": 4}, "bytes"),
    **_handshakes(),
}

# Measured in other ways; see their modules.
HTTPS = "https"
MEMORY = "memory"
PUMPS = {"pump-100": 100, "pump-16k": 16384}
CONTEXT = "context"
ALL = (*WORKS, HTTPS, MEMORY, *PUMPS, CONTEXT)

# (work, peer, ratio ours to theirs: at least; memory: at most)
TARGETS: tuple[tuple[str, str, float], ...] = (
    ("echo-100", "tcp", 1.2),
    ("echo-100", "pyopenssl", 2.7),
    ("echo-100", "uvloop", 2.0),
    ("echo-100", "c", 0.65),
    ("echo-16k", "pyopenssl", 2.0),
    ("bulk-in", "pyopenssl", 2.0),
    ("bulk-out", "pyopenssl", 2.0),
    ("bulk-in", "c", 0.85),
    ("bulk-out", "c", 0.85),
    ("handshake-full-ec", "pyopenssl", 1.5),
    ("handshake-full-ec", "c", 0.8),
    ("handshake-resumed", "c", 0.7),
    (CONTEXT, "pyopenssl", 20),
    (MEMORY, "pyopenssl", 0.35),
    ("pump-100", "pyopenssl", 3.5),
)
