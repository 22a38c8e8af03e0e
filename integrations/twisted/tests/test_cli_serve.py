"""``serve``: files by HTTPS, for clients of other makes."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from command import ENVIRONMENT, PATIENCE, PROGRAM, Program, Server, run, sentence

from openssl_iface.testing.pki import PKI

REACTORS = ["select", "poll", "epoll", "asyncio"]


@pytest.fixture(scope="module")
def pki():
    return PKI("localhost")


@pytest.fixture
def site(tmp_path):
    directory = tmp_path / "site"
    (directory / "below").mkdir(parents=True)
    (directory / "hello.txt").write_text("hello\n")
    (directory / "page").write_bytes(b"\0\1\2")
    return directory


def curl(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "*", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def client(cafile=None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cafile)


def connected(server: Server, **options) -> ssl.SSLSocket:
    sock = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    return client(server.ca).wrap_socket(sock, server_hostname="localhost", **options)


def ask(sock: ssl.SSLSocket, path: str) -> bytes:
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    with sock.makefile("rb") as answer:
        return answer.read()


# -- at once usable ---------------------------------------------------------------


def test_the_curl_command_that_it_prints(site):
    with Server(site) as server:
        command = server.line(r"^\s+(curl --cacert .*)$")[1]
        done = subprocess.run(
            ["sh", "-c", f"{command}hello.txt -sS --noproxy '*'"], capture_output=True, timeout=PATIENCE
        )
        assert done.stdout == b"hello\n", done.stderr
        assert server.stop() == 0
        assert not server.ca.exists()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_names(site, host):
    if host == "[::1]" and not os.path.exists("/proc/net/if_inet6"):
        host = "localhost"
    with Server(site) as server:
        done = curl("--cacert", server.ca, f"https://{host}:{server.port}/hello.txt")
        assert done.stdout == "hello\n", done.stderr


def test_the_name_of_the_machine(site):
    name = socket.gethostname()
    with Server(site) as server:
        done = curl(
            "--cacert",
            server.ca,
            "--resolve",
            f"{name}:{server.port}:127.0.0.1",
            f"https://{name}:{server.port}/hello.txt",
        )
        assert done.stdout == "hello\n", done.stderr


def test_listing(site):
    with Server(site) as server:
        done = curl("--cacert", server.ca, f"https://localhost:{server.port}/")
        assert "hello.txt" in done.stdout
        assert "below/" in done.stdout
        done = curl(
            "--cacert",
            server.ca,
            "-o",
            os.devnull,
            "-w",
            "%{http_code}",
            f"https://localhost:{server.port}/no",
        )
        assert done.stdout == "404"


@pytest.mark.parametrize("reactor", REACTORS)
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_says_who_came(site, reactor, tls):
    with Server(site, "--reactor", reactor, "--tls", tls) as server:
        done = curl("--cacert", server.ca, "--http1.1", f"https://localhost:{server.port}/hello.txt")
        assert done.stdout == "hello\n", done.stderr
        server.line(rf"\d\d:\d\d:\d\d  127\.0\.0\.1:\d+ +TLSv{tls}  \S+(_|-)\S+  http/1\.1  for localhost$")
        server.line(r"127\.0\.0\.1:\d+ +GET  /hello\.txt  200  6 bytes$")
        assert server.stop() == 0


def test_openssl_verifies_it(site):
    with Server(site) as server:
        arguments = ["-connect", f"127.0.0.1:{server.port}", "-CAfile", server.ca, "-brief"]
        arguments += ["-verify_return_error", "-verify_hostname", "localhost"]
        done = subprocess.run(
            ["openssl", "s_client", *arguments], input=b"Q\n", capture_output=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        assert b"Verification: OK" in done.stderr


def test_a_strict_client(site):
    """RFC 5280 to the letter: what later Pythons ask for by default."""
    with Server(site) as server:
        context = client(server.ca)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with urlopen(
            f"https://localhost:{server.port}/hello.txt", context=context, timeout=PATIENCE
        ) as answer:
            assert answer.read() == b"hello\n"


# -- who must not get through -------------------------------------------------------


def test_a_client_that_trusts_someone_else(site, pki, tmp_path):
    with Server(site) as server:
        other = pki.write_root(tmp_path)
        done = curl("--cacert", other, f"https://localhost:{server.port}/hello.txt")
        assert done.returncode == 60
        server.line("refused the handshake with the alert unknown ca")
        with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urlopen(f"https://localhost:{server.port}/", context=client(other), timeout=PATIENCE)


def test_a_client_that_wants_another_name(site):
    with Server(site) as server:
        done = curl(
            "--cacert",
            server.ca,
            "--resolve",
            f"other.test:{server.port}:127.0.0.1",
            f"https://other.test:{server.port}/",
        )
        assert done.returncode == 60
        assert done.stdout == ""


def test_a_client_that_does_not_speak_tls(site):
    with Server(site) as server:
        done = curl(f"http://localhost:{server.port}/")
        assert done.returncode != 0
        server.line("the client does not speak TLS")
        assert curl("--cacert", server.ca, f"https://localhost:{server.port}/hello.txt").stdout == "hello\n"


def test_what_a_client_says_is_made_harmless(site):
    with Server(site) as server:
        arguments = ["-connect", f"127.0.0.1:{server.port}", "-servername", "\x1b[31m\n\xff"]
        subprocess.run(
            ["openssl", "s_client", *arguments], input=b"Q\n", capture_output=True, timeout=PATIENCE
        )
        server.line(r"for \\x1b\[31m\\n\S+$")


# -- certificates of one's own ----------------------------------------------------------


def test_a_certificate_that_is_given(site, pki, tmp_path):
    files = pki.good.write(tmp_path)
    with Server(site, "--certificate", files.certificate, "--key", files.key) as server:
        assert server.ca is None
        done = curl("--cacert", files.ca, f"https://localhost:{server.port}/hello.txt")
        assert done.stdout == "hello\n", done.stderr


def test_key_and_certificate_in_one_file(site, pki, tmp_path):
    files = pki.good.write(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    with Server(site, "--certificate", both) as server:
        done = curl("--cacert", files.ca, f"https://localhost:{server.port}/hello.txt")
        assert done.stdout == "hello\n", done.stderr


@pytest.mark.parametrize(
    ("command", "certificate", "key", "why"),
    [
        ("serve", "empty", "good.key", "empty has no certificate in it"),
        ("serve", "text", "good.key", "text has no certificate in it"),
        ("connect", "good.key", None, "good.key has no certificate in it"),
        ("serve", "damaged", "good.key", "damaged has a damaged certificate in it: "),
        ("connect", "good.pem", None, "good.pem has no private key in it (in PEM); say with --key where"),
        ("serve", "good.pem", "empty", "empty has no private key in it (in PEM)."),
        ("serve", "good.pem", "good.pem", "good.pem has no private key in it (in PEM)."),
        ("serve", "good.pem", "damaged.key", "the private key in damaged.key cannot be used: "),
        ("serve", "good.pem", "encrypted", "the private key in encrypted is encrypted"),
        (
            "connect",
            "good.pem",
            "rsa.key",
            "the private key in rsa.key does not belong to the certificate in ",
        ),
        ("serve", "good.pem", "client.key", "the private key in client.key does not belong to the"),
    ],
)
def test_files_that_are_wrong(site, pki, tmp_path, command, certificate, key, why):
    """The sentence names the file, in words of the command line."""
    good = pki.good.write(tmp_path, "good")
    pki.rsa.write(tmp_path, "rsa")  # another kind of key than the certificate's
    pki.client.write(tmp_path, "client")  # another key of the same kind
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "damaged").write_bytes(good.certificate.read_bytes()[:300])
    (tmp_path / "damaged.key").write_bytes(good.key.read_bytes()[:100])
    subprocess.run(
        ["openssl", "pkey", "-in", good.key, "-aes256", "-passout", "pass:x", "-out", tmp_path / "encrypted"],
        check=True,
        timeout=PATIENCE,
    )
    arguments = ["--certificate", certificate, *(["--key", key] if key else [])]
    said = sentence(run(command, site if command == "serve" else "localhost:1", *arguments, cwd=tmp_path))
    assert f"Error: {why}" in said
    assert "path:" not in said
    assert "buffer:" not in said


def test_a_directory_for_a_key(site, pki, tmp_path):
    files = pki.good.write(tmp_path)
    sentence(run("serve", site, "--certificate", files.certificate, "--key", tmp_path), 2)


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("expired", "has expired on"),
        ("not_yet_valid", "is not valid before"),
        ("no_san", "is for no name"),
        ("good", None),
    ],
)
def test_warns_of_a_certificate_that_clients_will_refuse(site, pki, tmp_path, case, why):
    files = getattr(pki, case).write(tmp_path)
    with Server(site, "--certificate", files.certificate, "--key", files.key) as server:
        warnings = [line for line in server.lines if line.startswith("Warning: ")]
    if why is None:
        assert warnings == []
    else:
        assert len(warnings) == 1
        assert why in warnings[0]


def test_the_authority_where_the_user_wants_it(site, tmp_path):
    path = tmp_path / "authority.pem"
    for _ in range(2):  # the second time it is there already, and is ours
        with Server(site, "--ca-file", path) as server:
            assert server.ca == path
            assert curl("--cacert", path, f"https://localhost:{server.port}/hello.txt").stdout == "hello\n"
            assert server.stop() == 0
        assert path.exists()


def test_nothing_of_the_users_is_overwritten(site, pki, tmp_path):
    path = pki.write_root(tmp_path)
    before = path.read_bytes()
    assert "there already" in sentence(run("serve", site, "--port", 0, "--ca-file", path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere/ca.pem", "there is no directory nowhere"),
        ("file/ca.pem", "there is no directory file"),
        ("/proc/ca.pem", "No such file or directory"),
    ],
)
def test_an_authority_that_cannot_be_written(site, tmp_path, path, why):
    (tmp_path / "file").touch()
    said = sentence(run("serve", site, "--port", 0, "--ca-file", path, cwd=tmp_path))
    assert said == f"Error: --ca-file: {path} cannot be written: {why}.\n"


# -- the port ---------------------------------------------------------------------------


def test_a_port_that_is_taken(site):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = sentence(run("serve", site, "--port", port, "--interface", "127.0.0.1"))
    assert said == f"Error: port {port} of 127.0.0.1 is taken by another program already.\n"


def test_a_port_that_is_taken_on_all_interfaces(site):
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        said = sentence(run("serve", site, "--port", port))
    assert said == f"Error: port {port} is taken by another program already.\n"


def test_an_address_that_is_not_ours(site):
    assert "no address of this machine" in sentence(
        run("serve", site, "--port", 0, "--interface", "192.0.2.1")
    )


def test_one_interface(site):
    with Server(site, "--interface", "127.0.0.1") as server:
        server.line(r"https://127\.0\.0\.1:")
        assert curl("--cacert", server.ca, f"https://127.0.0.1:{server.port}/hello.txt").stdout == "hello\n"
        with pytest.raises(OSError):  # noqa: PT011 - refused, or no IPv6 at all
            socket.create_connection(("::1", server.port), PATIENCE)


# -- much ---------------------------------------------------------------------------------


def large(path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size >> 20):
            block = os.urandom(1 << 20)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def peak(process) -> int:
    """The most resident memory that it ever had (MiB)."""
    with open(f"/proc/{process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) >> 10


@pytest.mark.memory
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_a_large_file(site, tls):
    size = 256 << 20
    expected = large(site / "large", size)
    with Server(site, "--tls", tls) as server:
        with connected(server) as sock:
            ask(sock, "/hello.txt")
        before = peak(server.process)
        digest = hashlib.sha256()
        with urlopen(
            f"https://localhost:{server.port}/large", context=client(server.ca), timeout=PATIENCE
        ) as answer:
            assert int(answer.headers["Content-Length"]) == size
            while piece := answer.read(65536):
                digest.update(piece)
        assert digest.hexdigest() == expected
        assert peak(server.process) < before + 30


def test_a_client_that_does_not_read(site):
    """It costs no memory, and keeps nobody waiting."""
    large(site / "large", 64 << 20)
    with Server(site) as server:
        before = peak(server.process)
        with connected(server) as lazy:
            lazy.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert lazy.recv(12) == b"HTTP/1.1 200"
            assert (
                curl("--cacert", server.ca, f"https://localhost:{server.port}/hello.txt").stdout == "hello\n"
            )
            assert peak(server.process) < before + 30
            assert server.stop() == 0


@pytest.mark.parametrize("reactor", ["poll", "epoll", "asyncio"])
def test_a_thousand_connections_at_once(site, reactor):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2500:
        pytest.skip(f"no process may have more than {hard} descriptors here")

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))

    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1 << 20, hard), hard))
    try:
        with Server(site, "--reactor", reactor, preexec_fn=few) as server, ExitStack() as stack:
            context = client(server.ca)
            socks = []
            for _ in range(1000):
                sock = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
                socks.append(stack.enter_context(context.wrap_socket(sock, server_hostname="localhost")))
            for sock in socks:
                sock.sendall(b"GET /hello.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            for sock in socks:
                answer = b""
                while not answer.endswith(b"hello\n"):
                    piece = sock.recv(4096)
                    assert piece
                    answer += piece
            server.process.send_signal(signal.SIGINT)
            for sock in socks:
                # close_notify, and not just an end
                sock.settimeout(PATIENCE)
                assert sock.recv(1) == b""
            server.line("Stopped; 1000 connections closed")
            for sock in socks:
                sock.close()
            assert server.wait() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- the end -------------------------------------------------------------------------------


@pytest.mark.parametrize("reactor", REACTORS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_in_the_midst_of_a_download(site, reactor, number):
    large(site / "large", 64 << 20)
    with Server(site, "--reactor", reactor) as server:
        with connected(server) as sock, connected(server) as idle:
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(12) == b"HTTP/1.1 200"
            ends = []

            def read_on() -> None:
                count = 0
                while piece := sock.recv(65536):
                    count += len(piece)
                ends.append(count)

            reading = threading.Thread(target=read_on, daemon=True)
            server.process.send_signal(number)
            reading.start()
            assert idle.recv(1) == b""
            reading.join(PATIENCE)
            assert 0 < ends[0] < 64 << 20
        assert server.wait() == 0
        server.line(r"GET  /large  200  cut off after at most [0-9,]+ of 67,108,864 bytes$")
        server.line("Stopped; 2 connections closed")
        assert not server.ca.exists()
        assert not any("Error" in line or "Traceback" in line for line in server.lines)


def test_a_second_signal(site):
    """It does not wait for clients that do not go; and what was made for the server is gone by then."""
    with Server(site) as server, connected(server) as lazy:
        server.process.send_signal(signal.SIGINT)
        assert lazy.recv(1) == b""  # and no word of its own, for which the server waits
        assert server.stop() in (0, -signal.SIGINT)
        assert not server.ca.exists()


def test_hanging_up_is_ignored_where_it_was(site):
    """As nohup(1) arranges it."""
    ignored = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    with Server(site, preexec_fn=ignored) as server:
        server.process.send_signal(signal.SIGHUP)
        assert curl("--cacert", server.ca, f"https://localhost:{server.port}/hello.txt").stdout == "hello\n"
        assert server.stop() == 0


def test_says_which_request_was_cut_off(site):
    """By a client that goes; and not those that had their answers, or were none."""
    size = 64 << 20
    large(site / "large", size)
    with Server(site) as server:
        with connected(server) as sock:
            sock.sendall(b"GET /hello.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"hello\n"):
                answer += sock.recv(4096)
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(12) == b"HTTP/1.1 200"
        said = server.line(r"GET  /large  200  cut off after at most ([0-9,]+) of 67,108,864 bytes$")
        # What a system takes for a client that does not read is a few MiB.
        assert int(said[1].replace(",", "")) < size // 2
        with connected(server) as sock:
            sock.sendall(b"GET /hello.txt HTTP/1.1\r\nHost: loc")
        assert server.stop() == 0
        assert len([line for line in server.lines if "cut off" in line]) == 1


def test_interrupted_before_a_handshake(site):
    with Server(site) as server, socket.create_connection(("127.0.0.1", server.port), PATIENCE) as silent:
        with connected(server):
            pass  # when this is logged, the silent one has been accepted
        server.line("TLSv1.3")
        assert server.stop() == 0
        silent.settimeout(PATIENCE)
        assert silent.recv(1) == b""


def test_interrupted_while_it_starts(site):
    for delay in (0.05, 0.2, 0.4):
        with Program("serve", site, "--port", 0) as program:
            time.sleep(delay)  # wherever it may be by then
            # Python itself may not have come so far as to have handlers.
            assert program.stop(signal.SIGTERM) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_a_client_that_has_nothing_more_to_say(site, tls):
    """It closes its side after its question, and TLS 1.3 lets it have the whole answer."""
    size = 8 << 20
    large(site / "large", size)
    with Server(site, "--tls", tls) as server:
        question = b"GET /large HTTP/1.0\r\n\r\n"
        done = run("connect", f"localhost:{server.port}", "--cafile", server.ca, input=question)
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        if tls == "1.3":
            assert head.startswith(b"HTTP/1.0 200")
            assert len(body) == size


@pytest.mark.parametrize("pipe", ["full", "closed"])
def test_a_log_that_nobody_reads(site, tmp_path, pipe):
    """It does not stop the server."""
    reading, writing = os.pipe()
    if pipe == "full":
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
    else:
        os.close(reading)
    ca = tmp_path / "ca.pem"
    process = subprocess.Popen(
        [*PROGRAM, "serve", site, "--port", "0", "--ca-file", ca],
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    os.close(writing)
    try:
        port = listening_port(process)
        for _ in range(3):
            done = curl("--cacert", ca, f"https://localhost:{port}/hello.txt")
            assert done.stdout == "hello\n", done.stderr
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE) == (None, b"")
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def listening_port(process) -> int:
    from openssl_iface.testing.peers.program import listening_port as find

    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None
        port = find(process.pid)
        if port:
            return port
        time.sleep(0.05)
    raise AssertionError("it does not listen")
