"""``connect``: servers of other makes, good and bad; standard input and output of every kind."""

from __future__ import annotations

import os
import pty
import signal
import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
from command import ENVIRONMENT, PATIENCE, PROGRAM, Program, rows, run, sentence

from openssl_iface.testing.peers import OpenSSL, StandardLibrary
from openssl_iface.testing.pki import PKI
from openssl_iface.testing.wires import Proxy

REACTORS = ["select", "poll", "epoll", "asyncio"]


def connecting(port, root, *options, **streams):
    """The command at work, with the streams that ``subprocess`` takes; without input unless it is given."""
    return subprocess.Popen(
        [*PROGRAM, "connect", f"localhost:{port}", "--cafile", root, *options],
        env=ENVIRONMENT,
        **{"stdin": subprocess.DEVNULL, **streams},
    )


@pytest.fixture(scope="module")
def pki():
    return PKI("localhost")


@pytest.fixture(scope="module")
def root(pki, tmp_path_factory):
    return pki.write_root(tmp_path_factory.mktemp("root"))


@contextmanager
def server(identity, directory, make=None, **settings):
    files = identity.write(directory)
    make = make or StandardLibrary()
    with make.server(certificate=files.certificate, key=files.key, **settings) as peer:
        yield peer


# -- what it shows and relays ------------------------------------------------------


@pytest.mark.parametrize("reactor", REACTORS)
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_data_on_standard_output_and_facts_on_standard_error(pki, root, tmp_path, reactor, tls):
    with server(pki.good, tmp_path, alpn=("x/1",)) as peer:
        peer.send(b"good day\n")
        peer.end()
        target = f"localhost:{peer.port}"
        with subprocess.Popen(
            [
                *PROGRAM,
                "connect",
                target,
                "--cafile",
                root,
                "--reactor",
                reactor,
                "--tls",
                tls,
                "--alpn",
                "y,x/1",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as process:
            # Standard input stays open: it is the peer that ends it.
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.read() == b"good day\n"
            table = rows(process.stderr.read())
            assert process.wait(PATIENCE) == 0
    assert table["Protocol"] == f"TLSv{tls}"
    assert table["ALPN"] == "x/1"
    assert table["Names"] == "DNS:localhost"
    assert "localhost" in table["Verified"]
    assert len([name for name in table if name.startswith("Chain")]) == 3
    assert table["Connected to"] == f"{target} (127.0.0.1)"


@pytest.mark.parametrize("kind", ["file", "pipe", "nothing"])
@pytest.mark.parametrize("reactor", REACTORS)
def test_the_end_of_standard_input_closes_our_side(pki, root, tmp_path, kind, reactor):
    """What was said is all there, then close_notify; what the peer answers is still received."""
    said = b"" if kind == "nothing" else b"all that there is to say\n" * 40_000
    path = tmp_path / "input"
    path.write_bytes(said)
    with server(pki.good, tmp_path) as peer:
        peer.send(b"welcome\n")
        arguments = ["connect", f"localhost:{peer.port}", "--cafile", root, "--reactor", reactor]
        if kind == "pipe":
            done = run(*arguments, input=said)
        else:
            with (path if kind == "file" else type(path)(os.devnull)).open("rb") as file:
                done = run(*arguments, stdin=file)
        assert done.returncode == 0, done.stderr
        assert peer.wait() == 0, peer.log
        assert peer.received == said


def test_both_ways_at_once(pki, root, tmp_path):
    said = os.urandom(20 << 20)
    with server(pki.good, tmp_path, OpenSSL(), echo=False) as peer, Proxy(peer.port, tiny=True) as proxy:
        peer.send(said)
        peer.end()
        done = run("connect", f"localhost:{proxy.port}", "--cafile", root, "--ignore-eof", input=said)
        assert done.returncode == 0, done.stderr
        assert done.stdout == said


def test_output_into_a_file(pki, root, tmp_path):
    path = tmp_path / "output"
    said = os.urandom(3 << 20)
    with server(pki.good, tmp_path) as peer, path.open("wb") as file:
        peer.send(said)
        peer.end()
        done = run("connect", f"localhost:{peer.port}", "--cafile", root, "--ignore-eof", stdout=file)
        assert done.returncode == 0, done.stderr
    assert path.read_bytes() == said


def test_a_reader_that_leaves(pki, root, tmp_path):
    """``connect ... | head``: it ends quietly, as programs do."""
    reading, writing = os.pipe()
    with server(pki.good, tmp_path) as peer:
        peer.send(b"y\n" * 4_000_000)
        with connecting(peer.port, root, "--ignore-eof", stdout=writing, stderr=subprocess.PIPE) as process:
            os.close(writing)
            assert os.read(reading, 2) == b"y\n"
            os.close(reading)
            assert process.stderr is not None
            said = process.stderr.read()
            assert process.wait(PATIENCE) == -signal.SIGPIPE
    assert b"Error" not in said
    assert b"Traceback" not in said


def test_a_reader_that_leaves_a_peer_that_never_ends(pki, root, tmp_path):
    """What is left to receive is not received for nobody."""
    files = pki.good.write(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    sent = []

    def flood() -> None:
        sock, _ = listener.accept()
        try:
            with context.wrap_socket(sock, server_side=True) as tls:
                while sum(sent) < 4 << 30:
                    sent.append(tls.send(b"y" * 65536))
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        flooding = threading.Thread(target=flood, daemon=True)
        flooding.start()
        with connecting(
            listener.getsockname()[1], root, "--ignore-eof", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            assert process.stdout.read(2) == b"yy"
            process.stdout.close()
            assert process.wait(PATIENCE) == -signal.SIGPIPE
        flooding.join(PATIENCE)
    assert sum(sent) < 64 << 20


@pytest.mark.parametrize("where", ["pipe", "full"])
def test_a_reader_that_leaves_after_the_peer(pki, root, tmp_path, where):
    """All has been received, and could not be written: that is no success."""
    with server(pki.good, tmp_path) as peer, ExitStack() as stack:
        reading, writing = os.pipe()
        if where == "full":
            os.close(writing)
            writing = os.open("/dev/full", os.O_WRONLY)
        peer.send(b"y" * 200_000)  # more than a pipe takes, less than what the peer has to wait for
        peer.end()
        process = stack.enter_context(connecting(peer.port, root, stdout=writing, stderr=subprocess.PIPE))
        os.close(writing)
        peer.wait()
        os.close(reading)
        assert process.stderr is not None
        said = process.stderr.read()
        if where == "pipe":
            assert process.wait(PATIENCE) == -signal.SIGPIPE
        else:
            assert process.wait(PATIENCE) == 1
            assert said.endswith(b"Error: standard input or output: No space left on device.\n")


@pytest.mark.memory
def test_a_reader_that_does_not_read(pki, root, tmp_path):
    """The peer has to wait; nothing piles up here."""
    with server(pki.good, tmp_path) as peer:
        peer.send(b"y" * (100 << 20))
        with connecting(
            peer.port, root, "--ignore-eof", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            assert process.stdout.read(1 << 20) == b"y" * (1 << 20)
            with open(f"/proc/{process.pid}/status") as status:
                peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
            assert peak >> 10 < 120
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == -signal.SIGINT


def test_at_a_terminal(pki, root, tmp_path):
    """Line by line, until Ctrl-D; the terminal's settings are left alone."""
    ours, theirs = pty.openpty()
    with server(pki.good, tmp_path, echo=True) as peer:
        with connecting(
            peer.port, root, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True
        ) as process:
            shown = b""
            while b"\xe2\x95\xaf" not in shown:  # the corner of the table's frame
                shown += os.read(ours, 65536)
            os.write(ours, b"one\n")
            assert process.stdout is not None
            assert process.stdout.readline() == b"one\n"
            os.write(ours, b"\x04")
            assert process.wait(PATIENCE) == 0
        assert os.get_blocking(theirs)
        assert peer.received == b"one\n"
    os.close(ours)
    os.close(theirs)


def test_an_address(pki, root, tmp_path):
    with server(pki.ip, tmp_path) as peer:
        done = run("connect", f"127.0.0.1:{peer.port}", "--cafile", root)
        assert done.returncode == 0, done.stderr


def test_ipv6(pki, root, tmp_path):
    with server(pki.ip, tmp_path) as peer:
        try:
            listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            pytest.skip("there is no IPv6 here")
        with listener:
            port = listener.getsockname()[1]

            def splice() -> None:
                sock, _ = listener.accept()
                with sock, socket.create_connection(("127.0.0.1", peer.port)) as other:
                    ways = [
                        threading.Thread(target=copy, args=ends) for ends in ((sock, other), (other, sock))
                    ]
                    for way in ways:
                        way.start()
                    for way in ways:
                        way.join()

            thread = threading.Thread(target=splice, daemon=True)
            thread.start()
            done = run("connect", f"[::1]:{port}", "--cafile", root)
            thread.join(PATIENCE)
        assert done.returncode == 0, done.stderr
        assert rows(done.stderr)["Connected to"] == f"[::1]:{port} (::1)"


def copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def test_another_name(pki, root, tmp_path):
    with server(pki.wrong_name, tmp_path) as peer:
        done = run("connect", f"127.0.0.1:{peer.port}", "--cafile", root, "--servername", "elsewhere.test")
        assert done.returncode == 0, done.stderr


def test_a_certificate_of_our_own(pki, root, tmp_path):
    ours = pki.client.write(tmp_path, "ours")
    with server(pki.good, tmp_path, ca=root, client_auth="required") as peer:
        done = run(
            "connect",
            f"localhost:{peer.port}",
            "--cafile",
            root,
            "--certificate",
            ours.certificate,
            "--key",
            ours.key,
        )
        assert done.returncode == 0, done.stderr


# -- who is not trusted --------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("expired", "has expired on"),
        ("not_yet_valid", "is not valid before"),
        ("wrong_name", "is not for localhost, but for DNS:elsewhere.test"),
        ("no_san", "is not for localhost"),
        ("untrusted", "no authority that is trusted here"),
        ("self_signed", "no authority that is trusted here"),
        ("wrong_usage", "is not trusted"),
    ],
)
def test_a_bad_certificate(pki, root, tmp_path, case, why):
    with server(getattr(pki, case), tmp_path) as peer:
        said = sentence(run("connect", f"localhost:{peer.port}", "--cafile", root, input=b"secret"))
        assert why in said
        assert f"localhost:{peer.port}" in said
        assert peer.received == b""


def test_what_the_system_does_not_trust(pki, tmp_path):
    with server(pki.good, tmp_path) as peer:
        assert "no authority that is trusted here" in sentence(run("connect", f"localhost:{peer.port}"))


def test_an_authority_that_is_none(tmp_path):
    path = tmp_path / "text.pem"
    path.write_text("hello\n")
    said = sentence(run("connect", "localhost:1", "--cafile", "text.pem", cwd=tmp_path))
    assert said == "Error: text.pem has no certificate in it (in PEM).\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["localhost:1", "--servername=a..b"],
        ["localhost:1", "--servername=*.example"],
        ["localhost:1", "--servername=" + "a" * 300],
        [".:1"],
        ["a" * 250 + ":1"],
    ],
)
def test_a_name_that_no_certificate_can_be_for(arguments):
    """It is said before anybody is connected to."""
    said = sentence(run("connect", *arguments))
    assert "is no host name or address that a certificate can be for" in said


def test_protocols_of_which_the_peer_takes_none(pki, root, tmp_path):
    with server(pki.good, tmp_path) as peer:
        done = run("connect", f"localhost:{peer.port}", "--cafile", root, "--alpn", "x/1,y")
        assert done.returncode == 0, done.stderr
        assert rows(done.stderr)["ALPN"] == "none (the peer took nothing of what was offered: x/1, y)"


# -- who cannot be reached, or does not behave ------------------------------------------


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert f"127.0.0.1:{port} refused the connection" in sentence(run("connect", f"127.0.0.1:{port}"))


def test_a_host_that_does_not_exist():
    assert "there is no host by the name of nonesuch.invalid" in sentence(
        run("connect", "nonesuch.invalid:443")
    )


@pytest.mark.parametrize(
    ("greeting", "why"),
    [
        (b"220 mail.test ESMTP\r\n", "does not speak TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
        (b"\0" * 100, "does not speak TLS"),
        (b"", "hung up during the handshake"),
        (None, "within 1 seconds"),
    ],
)
def test_a_peer_that_does_not_speak_tls(greeting, why):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def greet() -> None:
            sock, _ = listener.accept()
            with sock:
                if greeting is None:
                    done.wait(PATIENCE)
                else:
                    sock.recv(65536)
                    sock.sendall(greeting)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        said = sentence(run("connect", f"127.0.0.1:{listener.getsockname()[1]}", "--timeout", 1))
        done.set()
        thread.join(PATIENCE)
    assert why in said


def test_a_peer_that_wants_another_version(pki, root, tmp_path):
    with server(pki.good, tmp_path, tls="TLSv1.2") as peer:
        said = sentence(run("connect", f"localhost:{peer.port}", "--cafile", root, "--tls", "1.3"))
        assert "refused the handshake with the alert protocol version" in said


def test_a_peer_that_wants_a_certificate(pki, root, tmp_path):
    with server(pki.good, tmp_path, ca=root, client_auth="required", tls="TLSv1.2") as peer:
        said = sentence(run("connect", f"localhost:{peer.port}", "--cafile", root))
        assert "refused the handshake with the alert" in said


def failure(process_output: bytes) -> str:
    return process_output.decode().splitlines()[-1]


def test_an_end_without_close_notify(pki, root, tmp_path):
    def prepare(relay) -> None:
        relays.append(relay)

    relays: list = []
    with server(pki.good, tmp_path) as peer, Proxy(peer.port, prepare=prepare) as proxy:
        peer.send(b"beginning")
        with connecting(
            proxy.port, root, "--ignore-eof", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.read(9) == b"beginning"
            peer.abort()
            assert process.stdout.read() == b""
            said = failure(process.stderr.read())
            assert process.wait(PATIENCE) == 1
    assert said.startswith("Error: ")
    assert "without close_notify: what was received may be incomplete" in said


def test_a_connection_that_breaks(pki, root, tmp_path):
    with server(pki.good, tmp_path) as peer, Proxy(peer.port) as proxy:
        peer.send(b"beginning")
        with connecting(
            proxy.port, root, "--ignore-eof", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.read(9) == b"beginning"
            proxy.relay().reset()
            said = failure(process.stderr.read())
            assert process.wait(PATIENCE) == 1
    assert "broke" in said


# -- interrupted ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["connecting", "handshake", "relaying"])
def test_interrupted(pki, root, tmp_path, moment, number):
    """It ends by the signal, at once and without a word, whatever it waits for."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        port = listener.getsockname()[1]
        if moment == "connecting":
            # The queue is full: the kernel lets nobody in any more.
            waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        with (
            server(pki.good, tmp_path) as peer,
            Program(
                "--debug",
                "connect",
                f"localhost:{peer.port if moment == 'relaying' else port}",
                "--cafile",
                root,
                "--ignore-eof",
            ) as program,
        ):
            if moment == "relaying":
                program.line("Chain 0")
            elif moment == "handshake":
                silent, _ = listener.accept()  # and open until the end, else that is why it ends
                silent.recv(1)
            else:
                wait_for_syn(port)
            assert program.stop(number) == -number
            assert not any("Traceback" in line or "Error" in line for line in program.lines)
        if moment == "handshake":
            silent.close()
        if moment == "connecting":
            for sock in waiting:
                sock.close()


def wait_for_syn(port: int) -> None:
    """Until somebody is making a connection to *port* (state 02 in /proc/net/tcp)."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with open("/proc/net/tcp") as table:
            rows = [line.split() for line in list(table)[1:]]
        if any(row[2].endswith(f":{port:04X}") and row[3] == "02" for row in rows):
            return
        time.sleep(0.02)
    raise AssertionError("it does not connect")
