"""The lines that a server writes about what happens, to standard output.

They are written by a thread: a terminal that is stopped, or a pipe that nobody
reads, must not stop the server.  What does not fit meanwhile is left out, and
counted.
"""

from __future__ import annotations

import io
import time
from typing import Any, cast

from rich.console import Console
from rich.text import Text
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from .messages import console
from .pipes import Writer

__all__ = ["Journal"]

# Bytes that may wait.
WAITING = 1 << 20


class Journal:
    """Writes to standard output."""

    def __init__(self, reactor: Any) -> None:
        self._writer = Writer(reactor, 1, self._drained)
        self._writer.failed.addErrback(self._broken)
        self._left_out = 0
        there = console()
        self._buffer = io.StringIO()
        self._console: Console | None = None
        if there.is_terminal:
            # Styles as for the terminal, into a buffer; it breaks the lines itself.
            self._console = Console(
                file=self._buffer,
                force_terminal=True,
                color_system=cast(Any, there.color_system),
                no_color=there.no_color,
                markup=False,
                highlight=False,
                emoji=False,
                soft_wrap=True,
            )

    def text(self, text: str) -> None:
        """A line that is not about a connection."""
        self._write(Text(text))

    def line(self, peer: str, *parts: tuple[str, str]) -> None:
        """A line about the connection to *peer*: parts are (style, text)."""
        line = Text.assemble((time.strftime("%H:%M:%S"), "dim"), "  ", f"{peer:<21}")
        for style, text in parts:
            line.append("  ").append(text, style)
        self._write(line)

    def flushed(self) -> Deferred[None]:
        """A Deferred that fires when all lines are written."""
        return self._writer.flushed()

    def _write(self, line: Text) -> None:
        if self._writer.waiting > WAITING:
            self._left_out += 1
        elif self._console is None:
            self._writer.write(f"{line.plain}\n".encode("utf-8", "backslashreplace"))
        else:
            self._console.print(line)
            self._writer.write(self._buffer.getvalue().encode("utf-8", "backslashreplace"))
            self._buffer.seek(0)
            self._buffer.truncate()

    def _drained(self) -> None:
        if self._left_out:
            count, self._left_out = self._left_out, 0
            self.text(f"... {count} lines left out, since nobody read them")

    def _broken(self, failure: Failure) -> None:
        """Standard output is closed: the server goes on, and says nothing more."""
        failure.trap(OSError)
