"""A client with a blocking socket: the paved path, as a user annotates it."""

from __future__ import annotations

import socket

import openssl_iface
from openssl_iface import errors, typing, values


def fetch(host: str, port: int = 443) -> bytes:
    backend: typing.Backend = openssl_iface.get_backend()
    context: typing.Context = backend.client_context(cafile="ca.pem", alpn=[b"http/1.1"])
    with socket.create_connection((host, port)) as plain:
        connection: typing.Connection = backend.Connection(context, plain)
        connection.set_connect_state()
        connection.set_tlsext_host_name(host)
        connection.set_verify_host(host)
        try:
            connection.do_handshake()
        except errors.Error as error:
            raise SystemExit(str(error)) from error
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer: bytes = connection.recv(4096)
    certificate: typing.X509 | None = connection.get_peer_certificate()
    if certificate is not None:
        name: typing.X509Name = certificate.get_subject()
        common_name: str | None = name.CN
        print(common_name)
    protocol: str = connection.get_protocol_version_name()
    print(protocol, backend.running.release >= (3, 0, 0), backend.running.text)
    return answer


def event_loop(connection: typing.Connection, arrived: bytes) -> bytes:
    plaintext: bytes = connection.event_feed(arrived)
    if connection.wants & values.Want.WRITE:
        print(connection.event_output())
    ending: values.Ending | None = connection.ended
    if ending is values.Ending.CLEAN:
        connection.event_close()
    return plaintext
