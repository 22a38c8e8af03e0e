"""The programs in the README do what it says."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

from openssl_iface.testing.pki import PKI

README = Path(__file__).resolve().parents[3] / "README.md"
# What no run of these programs comes near, so that a hang is a failure (seconds).
PATIENCE = 60


def example(name: str, language: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```{language}\n(.*?)```", README.read_text(), re.S)
    assert found, f"the README has no example {name!r}"
    return found[1]


def program(name: str, port: str) -> list[str]:
    """The command that runs the example called *name* with another port."""
    text = example(name, "python")
    assert "8443" in text
    return [sys.executable, "-c", text.replace("8443", port)]


def test_server_and_client(tmp_path: Path) -> None:
    script = example("certificate", "sh")
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, check=True, timeout=PATIENCE)
    with subprocess.Popen(program("server", "0"), cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            said = next(line for line in server.stdout if line.startswith("listening on "))
            port = said.split()[-1]
            client = subprocess.run(
                program("client", port), cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE
            )
            assert server.stdout.readline() == "connected: TLSv1.3\n"
        finally:
            server.terminate()
    assert client.stderr == ""
    assert client.stdout.splitlines()[-2:] == ["echoed: b'hello'", "ended: Connection was closed cleanly."]


def test_client_without_a_server(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(PKI("localhost").good.root_pem)
    with socket.socket() as nobody:  # bound, and not listening
        nobody.bind(("127.0.0.1", 0))
        client = subprocess.run(
            program("client", str(nobody.getsockname()[1])),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert client.stdout.startswith("no connection: ")
