"""PyMongo's TLS context on pyOpenSSL (``pymongo.pyopenssl_context``), as its connections use it."""

from __future__ import annotations

import socket
import ssl
import threading

from common import AUTHORITY, BODY, CERTIFICATE, DIRECTORY, HOST, KEY, STRANGER, done
from OpenSSL import SSL
from pymongo import pyopenssl_context, ssl_support

assert ssl_support.HAVE_PYSSL

listening = socket.create_server(("127.0.0.1", 0))
theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(AUTHORITY))
theirs.verify_mode = ssl.CERT_REQUIRED
theirs.load_cert_chain(CERTIFICATE, KEY)


def serve():
    while True:
        try:
            sock, _ = listening.accept()
        except OSError:
            return
        sock.settimeout(20)
        try:
            with theirs.wrap_socket(sock, server_side=True) as connection:
                left = len(BODY)
                while left:
                    data = connection.recv(65536)
                    if not data:
                        break
                    left -= len(data)
                    connection.sendall(data)
        except OSError:
            sock.close()


threading.Thread(target=serve, daemon=True).start()


def connect(name, authority):
    options = ssl_support.get_ssl_context(
        str(DIRECTORY / "client-both.pem"), None, str(authority), None, False, name is None, True, True
    )
    assert isinstance(options, pyopenssl_context.SSLContext)
    sock = socket.create_connection(listening.getsockname(), 20)
    try:
        return options.wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise


(DIRECTORY / "client-both.pem").write_bytes(
    (DIRECTORY / "client.pem").read_bytes() + (DIRECTORY / "client.key").read_bytes()
)
connection = connect(HOST, AUTHORITY)
sender = threading.Thread(target=connection.sendall, args=(BODY,))
sender.start()
got = bytearray()
part = bytearray(10_000)
while len(got) < len(BODY):
    count = connection.recv_into(part)
    got += part[:count]
sender.join()
assert got == BODY
connection.close()
for name, authority, kind in (
    (HOST, STRANGER, SSL.Error),
    ("example.com", AUTHORITY, ssl.SSLCertVerificationError),
):
    try:
        connect(name, authority)
    except kind as error:
        assert kind is ssl.SSLCertVerificationError or "certificate verify failed" in str(error), error
    else:
        raise AssertionError(f"accepted: {name}")
listening.close()
done("a client's certificate", "both ways at once", "a stranger refused", "another name refused")
