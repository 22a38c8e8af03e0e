"""mitmdump as its users start it, between the standard library's client and server."""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl
import subprocess
import sys
from pathlib import Path

from common import AUTHORITY, BODY, DIRECTORY, HOST, STRANGER, done
from served import serve

CONFIGURATION = DIRECTORY / "mitmproxy"
MITMDUMP = Path(sys.executable).with_name("mitmdump")


@contextlib.contextmanager
def mitmdump(*options, trusted=AUTHORITY):
    """A proxy; the port that it listens on."""
    command = [sys.executable, "-uP", "-m", "openssl_iface.dropin", MITMDUMP, "--listen-host", "127.0.0.1"]
    settings = {"confdir": CONFIGURATION, "ssl_verify_upstream_trusted_ca": trusted, "listen_port": 0}
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"listening at 127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("".join(said))
        yield int(found[1])
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def connected(proxy, port, latest=None):
    """A connection through *proxy* to the server at *port*; without one, to a reverse proxy."""
    context = ssl.create_default_context(cafile=str(CONFIGURATION / "mitmproxy-ca-cert.pem"))
    context.set_alpn_protocols(["http/1.1"])
    if latest:
        context.maximum_version = latest
    connection = http.client.HTTPSConnection(HOST, proxy, context=context, timeout=20)
    if port:
        connection.set_tunnel(HOST, port)
    with contextlib.closing(connection):
        yield connection


def ask(connection, method="GET", path="/", body=None):
    connection.request(method, path, body)
    response = connection.getresponse()
    return response.status, response.read()


def main():
    server = serve()
    port = server.server_port
    both = DIRECTORY / "both.pem"
    both.write_bytes((DIRECTORY / "client.key").read_bytes() + (DIRECTORY / "client.pem").read_bytes())

    with mitmdump("--set", f"client_certs={both}", "--set", "request_client_cert=true") as proxy:
        for latest in (None, ssl.TLSVersion.TLSv1_2):
            with connected(proxy, port, latest) as connection:
                assert ask(connection) == (200, BODY)
                assert ask(connection, "POST", "/", BODY) == (200, BODY[::-1])
                assert b"client" in ask(connection, "GET", "/who")[1]
                issued = connection.sock.getpeercert()
                assert "mitmproxy" in str(issued["issuer"]), issued
                assert HOST in str(issued["subjectAltName"]), issued
        stranger = http.client.HTTPSConnection(HOST, proxy, timeout=20)
        stranger.set_tunnel(HOST, port)
        try:
            stranger.request("GET", "/")
        except ssl.SSLCertVerificationError:
            pass
        else:
            raise AssertionError("the standard library trusts a throwaway authority")
    reverse = f"reverse:https://{HOST}:{port}"
    with mitmdump("--mode", reverse) as proxy, connected(proxy, None) as connection:
        assert ask(connection) == (200, BODY)
    with mitmdump(trusted=STRANGER) as proxy, connected(proxy, port) as connection:
        status, text = ask(connection)
        assert status == 502 and b"Certificate verify failed" in text, (status, text)
    server.shutdown()
    done("a forward proxy", "a reverse proxy", "a client's certificate", "a stranger refused")


main()
