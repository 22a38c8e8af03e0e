#!/usr/bin/env python3
"""An echo server for many clients in one thread, on select and non-blocking sockets.

    echo_server.py PORT certificate.pem key.pem

Each connection says by an exception what it waits for; select waits for all.
"""

from __future__ import annotations

import select
import socket
import sys

from openssl_iface import SSL


class Client:
    """One connection, and what is still to be sent to it."""

    def __init__(self, connection: SSL.Connection) -> None:
        self.connection = connection
        self.waiting = b""
        self.closing = False
        self.wants_write = False

    def fileno(self) -> int:
        return self.connection.fileno()

    def work(self) -> bool:
        """Do all that can be done without waiting; false once the connection is over."""
        self.wants_write = False
        try:
            while True:
                if self.waiting:
                    sent = self.connection.send(self.waiting)
                    self.waiting = self.waiting[sent:]
                elif self.closing:
                    self.connection.shutdown()
                    return False
                else:
                    self.waiting = self.connection.recv(65536)
        except SSL.WantReadError:
            return True
        except SSL.WantWriteError:
            self.wants_write = True
            return True
        except SSL.ZeroReturnError:
            self.closing = True
            return self.work()
        except SSL.Error as error:
            print(f"a connection failed: {error}", file=sys.stderr)
            return False


def main(port: str, certificate: str, key: str) -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate_chain_file(certificate)
    context.use_privatekey_file(key)
    listener = SSL.Connection(context, socket.create_server(("127.0.0.1", int(port))))
    listener.setblocking(False)
    print("listening on", listener.getsockname()[1], flush=True)
    clients: set[Client] = set()
    while True:
        writing = [one for one in clients if one.wants_write]
        reading = [one for one in clients if not one.wants_write]
        readable, writable, _ = select.select([listener, *reading], writing, [])
        for one in [*readable, *writable]:
            if one is listener:
                connection, _address = listener.accept()
                connection.setblocking(False)
                clients.add(Client(connection))
            elif not one.work():
                clients.discard(one)
                one.connection.close()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
    except (OSError, SSL.Error) as error:
        sys.exit(f"echo_server: {error}")
