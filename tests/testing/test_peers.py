from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from openssl_iface.testing import peers
from openssl_iface.testing.wires import Proxy

pytestmark = pytest.mark.slow

MAKES = {make.name: make for make in peers.makes()}
SERVERS = [name for name, make in MAKES.items() if "server" in make.can]
CLIENTS = [name for name, make in MAKES.items() if "client" in make.can and "server" in make.can]
# Those that every other one meets; that all of them meet each other would say no more.
WIDELY = {"stdlib", "own", "openssl", "gnutls"}
PAIRS = [(one, other) for one in SERVERS for other in CLIENTS if {one, other} & WIDELY]
PROTOCOLS = ["TLSv1.2", "TLSv1.3"]


@pytest.fixture(scope="session")
def files(pki, tmp_path_factory):
    return pki.good.write(tmp_path_factory.mktemp("peers"), "server")


@pytest.fixture(scope="session")
def client_files(pki, tmp_path_factory):
    return pki.client.write(tmp_path_factory.mktemp("peers"), "client")


@pytest.fixture
def identity(files):
    return {"certificate": files.certificate, "key": files.key}


def client_of(make: str, server: peers.Peer, files, **settings) -> peers.Peer:
    settings = {"ca": files.ca, "server_name": "localhost", **settings}
    return MAKES[make].client(server.port, **settings)


@pytest.mark.parametrize(("server", "client"), PAIRS)
def test_every_client_talks_to_every_server(server, client, identity, files):
    # The protocols by turns: each make meets both.
    tls = PROTOCOLS[(SERVERS.index(server) + CLIENTS.index(client)) % 2]
    with (
        MAKES[server].server(**identity, echo=True, tls=tls) as there,
        client_of(client, there, files) as here,
    ):
        # With what programs might take for commands, where they are not to.
        here.send(b"hello\nQ\nR\nk\n")
        assert here.receive(12) == b"hello\nQ\nR\nk\n"
        here.send(b"Q\n")
        assert here.receive_until(b"\n") == b"Q\n"
        here.end()
        assert here.wait() == 0
        assert here.received == b"hello\nQ\nR\nk\nQ\n"
        if server != "gnutls":
            assert there.wait() == 0
            assert there.received == here.received


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("tls", PROTOCOLS)
def test_clients_refuse_who_they_do_not_trust(client, tls, identity, files):
    with MAKES["stdlib"].server(**identity, tls=tls, connections=2) as server:
        with client_of(client, server, files, ca=None) as here:
            assert here.wait() != 0
        with client_of(client, server, files, server_name="elsewhere.test") as here:
            assert here.wait() != 0


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_can_be_told_to_trust_anybody(client, identity, files):
    with (
        MAKES["stdlib"].server(**identity, echo=True) as server,
        client_of(client, server, files, ca=None, server_name=None, verify=False) as here,
    ):
        here.send(b"hello")
        assert here.receive(5) == b"hello"


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("tls", PROTOCOLS)
def test_servers_ask_for_certificates(server, tls, identity, files, client_files):
    settings = {**identity, "echo": True, "tls": tls, "ca": files.ca, "client_auth": "required"}
    with (
        MAKES[server].server(**settings) as there,
        client_of("stdlib", there, files, certificate=client_files.certificate, key=client_files.key) as here,
    ):
        here.send(b"it is me\n")
        assert here.receive(9) == b"it is me\n"
    with MAKES[server].server(**settings) as there, client_of("stdlib", there, files) as here:
        here.send(b"guess who\n")
        assert here.wait() == 1
        assert here.received == b""


@pytest.mark.parametrize("server", [name for name in SERVERS if "speak" in MAKES[name].can])
def test_servers_speak_and_end(server, identity, files):
    with MAKES[server].server(**identity) as there, client_of("stdlib", there, files) as here:
        there.send(bytes(range(256)) * 1000)
        there.end()
        assert here.receive_all() == bytes(range(256)) * 1000
        assert there.wait() == 0
        assert here.wait() == ("clean_end" not in MAKES[server].can), here.log


@pytest.mark.parametrize("make", [name for name in SERVERS if "half_close" in MAKES[name].can])
@pytest.mark.parametrize("tls", PROTOCOLS)
def test_half_close(make, tls, identity, files):
    with (
        MAKES[make].server(**identity, tls=tls, half_open=True) as there,
        client_of(make, there, files) as here,
    ):
        here.send(b"all my questions")
        here.half_close()
        assert there.receive(16) == b"all my questions"
        there.send(b"all my answers")
        there.end()
        assert here.receive_all() == b"all my answers"
        assert (here.wait(), there.wait()) == (0, 0), here.log + there.log


@pytest.mark.parametrize("server", SERVERS)
def test_an_abort_is_no_clean_end(server, identity, files):
    with MAKES[server].server(**identity, echo=True) as there, client_of("stdlib", there, files) as here:
        here.send(b"hello\n")
        here.receive(6)
        there.abort()
        assert here.wait() == 1
        assert "EOF" in here.log or "reset" in here.log


@pytest.mark.parametrize("server", SERVERS)
def test_alpn(server, identity, files):
    with (
        MAKES[server].server(**identity, echo=True, alpn=("b", "c")) as there,
        client_of("stdlib", there, files, alpn=("a", "b")) as here,
    ):
        here.send(b"x\n")
        here.receive(2)
        assert here.connection.selected_alpn_protocol() == "b"


@pytest.mark.parametrize("server", SERVERS)
def test_chains_are_presented_whole(server, pki, tmp_path):
    files = pki.chain_of(3).write(tmp_path)
    with (
        MAKES[server].server(certificate=files.certificate, key=files.key, echo=True) as there,
        client_of("stdlib", there, files) as here,
    ):
        here.send(b"x\n")
        assert here.receive(2) == b"x\n"


@pytest.mark.parametrize("client", [name for name in CLIENTS if "key_update" in MAKES[name].can])
@pytest.mark.parametrize("action", ["renegotiate", "key_update", "both keys"])
def test_new_keys(client, action, identity, files):
    tls = "TLSv1.2" if action == "renegotiate" else "TLSv1.3"
    # Python's own server allows no renegotiation, and the wire shows what has passed.
    server = next(name for name in SERVERS if name.startswith("openssl"))
    arguments = () if "1.1.1" in MAKES[server].version else ("-client_renegotiation",)
    with (
        MAKES[server].server(**identity, echo=True, tls=tls, arguments=arguments) as there,
        Proxy(there.port) as proxy,
        MAKES[client].client(
            proxy.port, ca=files.ca, server_name="localhost", commands=client != "own"
        ) as here,
    ):
        here.send(b"before\n")
        here.receive(7)
        wire = proxy.relay()
        size = wire.rightwards.delivered
        if action == "renegotiate":
            here.renegotiate()
        else:
            here.key_update(request_peer=action == "both keys")
        # Nothing of this is plaintext: the client sends it because it was told to.
        wire.rightwards.wait_delivered(size + 20)
        here.send(b"\nafter\n")
        assert here.receive_until(b"after\n") == b"\nafter\n"


def test_a_server_can_ask_for_a_certificate_later(identity, files, client_files):
    server = next((make for make in MAKES.values() if "request_certificate" in make.can), None)
    if server is None:
        pytest.skip("no peer asks for certificates after the handshake")
    certificate = {"certificate": client_files.certificate, "key": client_files.key}
    with (
        server.server(**identity, ca=files.ca, tls="TLSv1.3", commands=True) as there,
        Proxy(there.port) as proxy,
        server.client(
            proxy.port, ca=files.ca, server_name="localhost", arguments=("-enable_pha",), **certificate
        ) as here,
    ):
        here.send(b"hello\n")
        there.receive_until(b"hello\n")
        assert "client.test" not in there.log
        wire = proxy.relay()
        size = wire.rightwards.delivered
        there.request_certificate()
        wire.rightwards.wait_delivered(size + 500)
        here.send(b"and so on\n")
        there.receive_until(b"and so on\n")
        here.end()
        there.wait()
        assert "client.test" in there.log


def test_curl_makes_a_request(identity, files):
    if "curl" not in MAKES:
        pytest.skip("curl is not installed")
    with MAKES["stdlib"].server(**identity) as there, client_of("curl", there, files) as here:
        assert there.receive_until(b"\r\n\r\n").startswith(b"GET / HTTP/1.1\r\n")
        there.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")
        there.end()
        assert here.receive_all() == b"hello"
        assert here.wait() == 0


def test_peers_say_what_went_wrong(identity, files, tmp_path):
    missing = tmp_path / "missing.pem"
    missing.write_text("nothing")
    for name in SERVERS:
        if name in ("stdlib", "own"):
            continue
        with pytest.raises(
            peers.PeerError, match=rf"(?s)^{name}: it has ended before it listened.*exit code 1"
        ):
            MAKES[name].server(certificate=missing, key=missing, echo=True)
    with MAKES["stdlib"].server(**identity) as there, client_of("stdlib", there, files) as here:
        here.send(b"abc")
        assert there.receive(3) == b"abc"
        with pytest.raises(
            peers.PeerError, match=r"stdlib: 5 bytes were awaited for 0.01 s; 3 bytes came in all"
        ):
            there.receive(5, timeout=0.01)
        with pytest.raises(peers.PeerError, match="has not ended"):
            there.wait(timeout=0.01)
        with pytest.raises(peers.UnsupportedError, match="half_close"):
            there.half_close()


def test_settings_that_nobody_can_have(identity, files, tmp_path):
    """They are refused before anything starts, by every make in the same words."""
    missing = {**identity, "certificate": tmp_path / "missing.pem"}
    junk = tmp_path / "junk.pem"
    junk.write_text("nothing")
    for name in SERVERS:
        start = MAKES[name].server
        with pytest.raises(ValueError, match=r"^tls: one of 'TLSv1.2', 'TLSv1.3', None is needed, not '1.3'"):
            start(**identity, echo=True, tls="1.3")
        with pytest.raises(ValueError, match=r"^client_auth: one of 'none', 'wanted', 'required' is needed"):
            start(**identity, echo=True, client_auth="yes")
        for setting in ("alpn", "arguments"):
            with pytest.raises(TypeError, match=rf"^{setting}: a tuple of texts is needed, not 'h2'"):
                start(**identity, echo=True, **{setting: "h2"})
        with pytest.raises(peers.PeerError, match=rf"^{name}: .*certificate: there is no.*missing.pem"):
            start(**missing, echo=True)
        with pytest.raises(peers.PeerError, match=rf"^{name}: "):
            start(certificate=junk, key=junk, echo=True)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_cannot_say_it_is_content(client, identity, files):
    """Neither one that finds nobody, nor one that was given a name that no host can have."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nobody = probe.getsockname()[1]
    with MAKES[client].client(nobody, ca=files.ca, server_name="localhost") as here:
        assert here.wait() != 0
    with (
        MAKES["stdlib"].server(**identity, echo=True) as there,
        client_of(client, there, files, server_name=".localhost") as here,
    ):
        assert here.wait() != 0


def test_makes_are_chosen_by_what_they_can():
    assert {make.name for make in peers.makes("speak")} >= {"stdlib"}
    assert "curl" not in {make.name for make in peers.makes("server")}
    assert peers.makes("no such thing") == []
    absent = peers.OpenSSL("0.9.7")
    assert absent.missing
    with pytest.raises(peers.PeerError, match="cannot be run"):
        absent.server()
    with pytest.raises(peers.UnsupportedError, match="half_open"):
        MAKES["stdlib"].server(half_open=True)
    with pytest.raises(TypeError, match="colour"):
        MAKES["stdlib"].server(colour="blue")


def test_nothing_is_left_behind(identity, files):
    before = threading.active_count()
    for name in SERVERS:
        with MAKES[name].server(**identity, echo=True) as there, client_of(name, there, files) as here:
            here.send(b"x\n")
            here.receive(2)
    assert threading.active_count() == before


def test_programs_do_not_outlive_the_tests(files):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    code = (
        "import sys; from openssl_iface.testing import peers\n"
        f"server = peers.OpenSSL().server(certificate={str(files.certificate)!r}, key={str(files.key)!r})\n"
        "print(server.process.pid)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)
    pid = int(done.stdout.split()[-1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
