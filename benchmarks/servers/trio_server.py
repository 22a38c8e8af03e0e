"""trio's streams with the standard library's ssl."""

from __future__ import annotations

import ssl
import sys
from typing import Any

import trio
from common import BACKLOG, BLOCK, PATTERN, Counter, announce, options, standard_context

Stream = Any


async def echo(stream: Stream) -> None:
    while data := await stream.receive_some(BLOCK):
        await stream.send_all(data)


async def sink(stream: Stream) -> None:
    counter = Counter()
    while data := await stream.receive_some(BLOCK):
        due = counter.due(len(data))
        if due:
            await stream.send_all(due)


async def source(stream: Stream) -> None:
    while True:
        await stream.send_all(PATTERN)


async def main() -> None:
    given = options()
    work = {"echo": echo, "sink": sink, "source": source}[given.work]
    context = standard_context(given)

    async def serve(stream: Stream) -> None:
        try:
            await work(stream)
            await stream.aclose()
        except (trio.BrokenResourceError, ssl.SSLError):
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        if context is None:
            listeners: Any = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=BACKLOG)
            port = listeners[0].socket.getsockname()[1]
        else:
            listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1", backlog=BACKLOG)
            port = listeners[0].transport_listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        announce(port, f"trio {trio.__version__}, {ssl.OPENSSL_VERSION}")
        async with trio.lowlevel.FdStream(0) as input_stream:
            while await input_stream.receive_some(1):
                pass
        nursery.cancel_scope.cancel()


sys.exit(trio.run(main))
