#!/usr/bin/env python3
"""Send standard input to a TLS server and print what comes back, on select.

    echo_client.py HOST PORT ca.pem

The server's certificate must be for HOST and from the authority in the file.
"""

from __future__ import annotations

import select
import socket
import sys

import openssl_iface
from openssl_iface import SSL


def main(host: str, port: str, cafile: str) -> None:
    sock = socket.create_connection((host, int(port)), timeout=30)
    connection = SSL.Connection(openssl_iface.client_context(cafile), sock)
    connection.set_connect_state()
    connection.set_tlsext_host_name(host)
    connection.set_verify_host(host)
    connection.do_handshake()
    print(connection.get_protocol_version_name(), connection.get_cipher_name(), file=sys.stderr)
    sock.setblocking(False)
    waiting, asked, sent, open_ended = b"", select.POLLIN, False, True
    while True:
        inputs = [sys.stdin.buffer] if open_ended and not waiting else []
        readable, _, _ = select.select([sock, *inputs], [sock] if asked == select.POLLOUT else [], [])
        if sys.stdin.buffer in readable:
            waiting = sys.stdin.buffer.read1(65536)
            open_ended = bool(waiting)
        asked = select.POLLIN
        try:
            while waiting:
                waiting = waiting[connection.send(waiting) :]
            if not open_ended and not sent:
                connection.shutdown()
                sent = True
            while True:
                sys.stdout.buffer.write(connection.recv(65536))
                sys.stdout.buffer.flush()
        except SSL.WantReadError:
            pass
        except SSL.WantWriteError:
            asked = select.POLLOUT
        except SSL.ZeroReturnError:
            break
    connection.close()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (OSError, SSL.Error) as error:
        sys.exit(f"echo_client: {error}")
