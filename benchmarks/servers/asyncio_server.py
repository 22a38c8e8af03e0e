"""asyncio's protocols with the standard library's ssl, on its own loop or on uvloop."""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import Any

from common import BACKLOG, BURST, PATTERN, Counter, announce, options, standard_context


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Sink(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.counter = Counter()

    def data_received(self, data: bytes) -> None:
        due = self.counter.due(len(data))
        if due:
            self.transport.write(due)


class Source(asyncio.Protocol):
    paused = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.pour()

    def pour(self) -> None:
        for _ in range(BURST):
            if self.paused:
                return
            self.transport.write(PATTERN)
        self.loop.call_soon(self.pour)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        if self.paused:
            self.paused = False
            self.pour()

    def connection_lost(self, error: Exception | None) -> None:
        self.paused = True


async def main(given: Any, name: str) -> None:
    loop = asyncio.get_running_loop()
    protocol = {"echo": Echo, "sink": Sink, "source": Source}[given.work]
    context = standard_context(given)
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context, backlog=BACKLOG)
    # What a load that has enough leaves behind is no news.
    loop.set_exception_handler(lambda loop, context: None)
    announce(server.sockets[0].getsockname()[1], f"{name}, {ssl.OPENSSL_VERSION}")
    over = asyncio.Event()

    def read_input() -> None:
        if not sys.stdin.buffer.read1(1):
            over.set()

    loop.add_reader(0, read_input)
    await over.wait()


given = options(loop="asyncio or uvloop")
if given.loop == "uvloop":
    import uvloop

    uvloop.run(main(given, f"uvloop {uvloop.__version__}"))
else:
    asyncio.run(main(given, f"asyncio of Python {sys.version.split()[0]}"))
