"""eventlet's green OpenSSL, server and client, each with the other and with eventlet's green ``ssl``."""

from __future__ import annotations

import eventlet
from common import AUTHORITY, BODY, CERTIFICATE, DIRECTORY, HOST, KEY, STRANGER, done
from eventlet.green import socket, ssl
from eventlet.green.OpenSSL import SSL, crypto, version

assert version.__version__ and crypto.FILETYPE_PEM == 1


def context(certificate, key, authority=AUTHORITY):
    made = SSL.Context(SSL.TLS_METHOD)
    made.use_certificate_file(str(certificate))
    made.use_privatekey_file(str(key))
    made.load_verify_locations(str(authority))
    made.set_verify(SSL.VERIFY_PEER, lambda connection, certificate, code, depth, ok: bool(ok))
    return made


def bound():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def end(connection):
    """Say that this is the end, and hear the peer say so."""
    if not connection.shutdown():
        try:
            connection.recv(1)
        except SSL.ZeroReturnError:
            pass
        else:
            raise AssertionError("no clean end")
    connection.close()


def echo(connection, refused):
    """All that comes, back, and a clean end after a clean end."""
    try:
        while data := connection.recv(65536):
            connection.sendall(data)
    except SSL.ZeroReturnError:
        end(connection)
    except SSL.Error as error:
        refused.append(error)


def serve():
    """The address of a green server of OpenSSL, and the errors of those that it has refused."""
    listening = SSL.Connection(context(CERTIFICATE, KEY), bound())
    listening.listen(50)
    refused = []

    def run():
        while True:
            connection, _ = listening.accept()
            eventlet.spawn_n(echo, connection, refused)

    eventlet.spawn_n(run)
    return listening.getsockname(), refused


def serve_by_ssl():
    """The same, without OpenSSL: the standard library's, green."""
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(AUTHORITY))
    theirs.verify_mode = ssl.CERT_REQUIRED
    theirs.load_cert_chain(CERTIFICATE, KEY)

    def run(sock):
        with theirs.wrap_socket(sock, server_side=True) as connection:
            while data := connection.recv(65536):
                connection.sendall(data)
            connection.unwrap().close()

    listening = bound()
    listening.listen(50)

    def accept():
        while True:
            eventlet.spawn_n(run, listening.accept()[0])

    eventlet.spawn_n(accept)
    return listening.getsockname()


def connect(address, authority=AUTHORITY):
    chosen = context(DIRECTORY / "client.pem", DIRECTORY / "client.key", authority)
    made = SSL.Connection(chosen, socket.socket())
    made.set_tlsext_host_name(HOST.encode())
    made.connect(address)
    made.do_handshake()
    return made


def talk(connection):
    """Send and receive at once."""
    sender = eventlet.spawn(connection.sendall, BODY)
    got = b""
    while len(got) < len(BODY):
        got += connection.recv(65536)
    assert got == BODY
    sender.wait()


def ask(address):
    connection = connect(address)
    assert connection.get_peer_certificate() is not None
    talk(connection)
    end(connection)


def ask_by_ssl(address):
    theirs = ssl.create_default_context(cafile=str(AUTHORITY))
    theirs.load_cert_chain(DIRECTORY / "client.pem", DIRECTORY / "client.key")
    connection = theirs.wrap_socket(socket.create_connection(address), server_hostname=HOST)
    talk(connection)
    connection.unwrap().close()


def main():
    address, refused = serve()
    crowd = [eventlet.spawn(ask, address) for _ in range(10)]
    crowd += [eventlet.spawn(ask_by_ssl, address) for _ in range(3)]
    for one in crowd:
        one.wait()
    ask(serve_by_ssl())
    assert not refused, refused

    silent = connect(address)
    silent.settimeout(0.1)
    try:
        silent.recv(1)
    except socket.timeout:
        pass
    else:
        raise AssertionError("data that nobody sent")
    silent.close()
    try:
        connect(address, STRANGER)
    except SSL.Error as error:
        assert "certificate verify failed" in str(error), error
    else:
        raise AssertionError("a stranger was trusted")
    while not refused:
        eventlet.sleep(0.01)
    assert "unknown ca" in str(refused), refused
    done("ten at once", "both ways at once", "green ssl on either side", "a timeout", "a stranger refused")


with eventlet.Timeout(60):
    main()
