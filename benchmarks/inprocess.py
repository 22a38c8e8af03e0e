"""Without sockets: a pump of messages through two connections in memory, and the making of contexts.

Run as a script by the runner, on the server's core: ``inprocess.py pump|context SIZE ROUNDS
SECONDS CERTIFICATE KEY AUTHORITY``.  Prints JSON: for each competitor a list with the rate of
each round (operations per second of CPU).  The competitors take turns in slices of a
few milliseconds, so that whatever slows the machine slows them all.

``count COMPETITOR SIZE TIMES CERTIFICATE KEY AUTHORITY`` does one competitor's work so often.
"""

from __future__ import annotations

import gc
import json
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

Operation = Callable[[], object]
# Seconds of CPU for each competitor in a round, and in a slice of it.
ROUND = 0.3
SLICE = 0.02


class Files(NamedTuple):
    """Paths of PEM files."""

    certificate: str
    key: str
    authority: str


def ours_events(files: Files, message: bytes) -> Operation:
    """Our event-loop face: one call for what came, one for what goes."""
    from openssl_iface.registry import get_backend

    backend = get_backend()
    server = backend.Connection(backend.server_context(files.certificate, files.key))
    client = backend.Connection(backend.client_context(cafile=files.authority))
    server.set_accept_state()
    client.set_connect_state()
    client.event_proceed()
    while not (client.handshake_done and server.handshake_done):
        server.event_feed(client.event_output())
        client.event_feed(server.event_output())

    def echo() -> bytes:
        request = client.event_encrypt(message)
        return client.event_feed(server.event_encrypt(server.event_feed(request)))

    assert echo() == message
    return echo


def ours_manual(files: Files, message: bytes) -> Operation:
    """Our other face, called as pyOpenSSL is."""
    from openssl_iface.errors import WantReadError
    from openssl_iface.registry import get_backend

    backend = get_backend()
    server = backend.Connection(backend.server_context(files.certificate, files.key))
    client = backend.Connection(backend.client_context(cafile=files.authority))
    return _manual(client, server, message, WantReadError)


def pyopenssl(files: Files, message: bytes) -> Operation:
    """pyOpenSSL on its memory BIOs."""
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(files.certificate)
    context.use_privatekey_file(files.key)
    server = SSL.Connection(context)
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
    return _manual(client, server, message, SSL.WantReadError)


def _manual(client: Any, server: Any, message: bytes, want: type[Exception]) -> Operation:
    server.set_accept_state()
    client.set_connect_state()

    def carry(one: Any, other: Any) -> None:
        try:
            while True:
                other.bio_write(one.bio_read(65536))
        except want:
            pass

    def receive(one: Any) -> bytes:
        got = []
        try:
            while True:
                got.append(one.recv(65536))
        except want:
            pass
        return b"".join(got)

    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except want:
                pass
            carry(one, other)

    def echo() -> bytes:
        client.send(message)
        carry(client, server)
        server.send(receive(server))
        carry(server, client)
        return receive(client)

    assert echo() == message
    return echo


def standard(files: Files, message: bytes) -> Operation:
    """The standard library's SSLObject and MemoryBIO."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(files.certificate, files.key)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.check_hostname = False
    ours.verify_mode = ssl.CERT_NONE
    server_in, server_out, client_in, client_out = (ssl.MemoryBIO() for _ in range(4))
    server = theirs.wrap_bio(server_in, server_out, server_side=True)
    client = ours.wrap_bio(client_in, client_out)
    for _ in range(4):
        for one in (client, server):
            try:
                one.do_handshake()
            except ssl.SSLWantReadError:
                pass
            server_in.write(client_out.read())
            client_in.write(server_out.read())

    def receive(one: ssl.SSLObject) -> bytes:
        got = []
        try:
            while True:
                got.append(one.read(65536))
        except ssl.SSLWantReadError:
            pass
        return b"".join(got)

    def echo() -> bytes:
        client.write(message)
        server_in.write(client_out.read())
        server.write(receive(server))
        client_in.write(server_out.read())
        return receive(client)

    assert echo() == message
    return echo


def our_context() -> Operation:
    from openssl_iface.registry import get_backend

    return get_backend().client_context


def pyopenssl_context() -> Operation:
    from OpenSSL import SSL

    def make() -> object:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_default_verify_paths()
        context.set_verify(SSL.VERIFY_PEER)
        return context

    return make


def standard_context() -> Operation:
    return ssl.create_default_context


def rates(competitors: dict[str, Operation], rounds: int, seconds: float = ROUND) -> dict[str, list[float]]:
    """Operations per second of CPU time, for each round."""
    size = {}
    for name, operation in competitors.items():
        operation()  # the first may be slower than all others: loading, caching
        count, spent = 1, 0.0
        while spent < SLICE / 4:
            count *= 2
            spent = _time(operation, count)
        size[name] = max(1, int(count * SLICE / spent))
    found: dict[str, list[float]] = {name: [] for name in competitors}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        spent_by = dict.fromkeys(competitors, 0.0)
        done = dict.fromkeys(competitors, 0)
        while min(spent_by.values()) < seconds:
            for name, operation in competitors.items():
                spent_by[name] += _time(operation, size[name])
                done[name] += size[name]
        for name in competitors:
            found[name].append(done[name] / spent_by[name])
    return found


def _time(operation: Operation, count: int) -> float:
    start = time.thread_time()
    for _ in range(count):
        operation()
    return time.thread_time() - start


PUMPS: dict[str, Callable[[Files, bytes], Operation]] = {
    "ours": ours_events,
    "ours-manual": ours_manual,
    "pyopenssl": pyopenssl,
    "standard": standard,
}


def pumps(files: Files, size: int) -> dict[str, Operation]:
    """The competitors with messages of *size* bytes."""
    message = (b"0123456789" * (size // 10 + 1))[:size]
    return {name: make(files, message) for name, make in PUMPS.items()}


def contexts() -> dict[str, Operation]:
    """The competitors at making a verifying client context on the system's trust store."""
    return {"ours": our_context(), "pyopenssl": pyopenssl_context(), "standard": standard_context()}


def count(name: str, size: int, times: int, files: Files) -> None:
    """Do one competitor's work so often: for those who count the instructions."""
    message = (b"0123456789" * (size // 10 + 1))[:size]
    operation: Operation
    if name in PUMPS:
        operation = PUMPS[name](files, message)
    else:
        from .events import twisted

        operation = twisted(files, message, ours=name == "twisted-ours")
    for _ in range(100):  # until the interpreter knows its ways
        operation()
    for _ in range(times):
        operation()


def main() -> None:
    if sys.argv[1] == "count":
        name, counted, times, *paths = sys.argv[2:]
        count(name, int(counted), int(times), Files(*paths))
        return
    what, size, rounds, seconds, *files = sys.argv[1:]
    competitors = pumps(Files(*files), int(size)) if what == "pump" else contexts()
    json.dump(rates(competitors, int(rounds), float(seconds)), sys.stdout)


if __name__ == "__main__":
    main()
