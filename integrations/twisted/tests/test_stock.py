"""``accelerate()``: Twisted's own TLS layer on our engine.

Which OpenSSL Twisted imports is decided once in a process, so the cases run in processes of their own.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DROPIN = ("-m", "openssl_iface.dropin")


def run(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", *arguments], capture_output=True, text=True, timeout=300, cwd=cwd
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("reactor", ["select", "poll", "epoll", "asyncio"])
def test_twisted_with_the_drop_in(reactor, tmp_path):
    said = run(
        *DROPIN, "-m", "twisted.trial", f"--reactor={reactor}", str(HERE / "accelerated_cases.py"),
        cwd=tmp_path,
    )  # fmt: skip
    assert re.search(r"PASSED \(.*successes=\d+\)", said), said


PROGRAM = """
import sys
from twisted.internet import reactor, ssl
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.protocols import tls
from openssl_iface_twisted import accelerate

class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)

class Ask(Protocol):
    def connectionMade(self):
        self.transport.write(b"hello")
    def dataReceived(self, data):
        handle = self.transport.getHandle()
        print(data.decode(), type(handle).__module__, self.transport.__dict__.get("_lane"))
        reactor.stop()

accelerate()
port = reactor.listenSSL(0, Factory.forProtocol(Echo), ssl.DefaultOpenSSLContextFactory(*sys.argv[1:]))
clients = ClientFactory.forProtocol(Ask)
reactor.connectSSL("127.0.0.1", port.getHost().port, clients, ssl.ClientContextFactory())
reactor.run()
"""


@pytest.mark.skipif(not importlib.util.find_spec("OpenSSL"), reason="needs pyOpenSSL")
def test_pyopenssl_goes_as_before(tmp_path):
    from openssl_iface.testing.pki import Authority

    Authority("CA").issue("localhost").write(tmp_path, "server")
    said = run("-c", PROGRAM, str(tmp_path / "server.key"), str(tmp_path / "server.pem"), cwd=tmp_path)
    assert said.split()[-3:] == ["hello", "OpenSSL.SSL", "None"]


def test_without_any_openssl_there_is_nothing_to_accelerate(tmp_path):
    program = """
import sys
sys.modules["OpenSSL"] = None
from openssl_iface_twisted import accelerate
try:
    accelerate()
except ImportError as error:
    print(error)
"""
    assert "install_as_OpenSSL" in run("-c", program, cwd=tmp_path)
