"""``demo``: a server and a client in one process."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess

import pytest
from command import ENVIRONMENT, PATIENCE, PROGRAM, Program, rows, run

from openssl_iface import get_backend

REACTORS = ["select", "poll", "epoll", "asyncio"]


def test_shows_what_was_done():
    done = run("demo", "--size", "5M")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    table = rows(done.stdout)
    assert table["Protocol"] == "TLSv1.3"
    assert table["Cipher"].startswith("TLS_")
    assert table["Group"] not in ("", "None")
    assert "CN=localhost" in table["Peer"]
    assert table["Names"] == "DNS:localhost, IP:127.0.0.1, IP:::1"
    assert "CN=" in table["Issuer"]
    assert re.fullmatch(r"[\d-]+ [\d:]+ to [\d-]+ [\d:]+ UTC", table["Valid"])
    assert re.fullmatch(r"SHA-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}", table["Fingerprint"])
    assert "localhost" in table["Verified"]
    assert re.fullmatch(r"[\d.]+ ms", table["Handshake"])
    for way in ("Client to server", "Server to client"):
        assert re.fullmatch(r"[\d,]+ MB/s \(5 MiB, digests agree\)", table[way])
    backend = get_backend()
    assert table["Backend"] == backend.name
    assert table["OpenSSL built"] == backend.built.text
    assert table["OpenSSL running"] == backend.running.text


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
@pytest.mark.parametrize("reactor", REACTORS)
def test_every_reactor_and_protocol(reactor, tls):
    done = run("demo", "--size", "1", "--tls", tls, "--reactor", reactor)
    assert done.returncode == 0, done.stderr
    table = rows(done.stdout)
    assert table["Protocol"] == f"TLSv{tls}"
    assert reactor in table["Reactor"].lower()


@pytest.mark.parametrize(("size", "said"), [("1K", "1 KiB"), ("65537K", "64 MiB"), ("0002m", "2 MiB")])
def test_sizes(size, said):
    done = run("demo", "--size", size)
    assert done.returncode == 0, done.stderr
    assert f"({said}, digests agree)".encode() in done.stdout


def test_memory_stays_flat():
    def peak(size: str) -> int:
        done = run("demo", "--size", size)
        assert done.returncode == 0, done.stderr
        return int(rows(done.stdout)["Peak memory"].split()[0])

    # In a direction that was not held back, the whole of it would be there.
    assert peak("200M") < peak("1M") + 50


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number):
    with Program("--debug", "demo", "--size", "1T") as program:
        program.line("starting on")
        assert program.stop(number) == -number
        assert not any("Traceback" in line for line in program.lines)


def test_on_a_terminal():
    """There are bars and a frame, no colours beyond what the terminal has, and the cursor comes back."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "demo", "--size", "3M"], stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        shown += piece
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    text = shown.decode()
    assert "client to server" in text
    assert "3.0/3.0 MiB" in text
    assert "╭" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
