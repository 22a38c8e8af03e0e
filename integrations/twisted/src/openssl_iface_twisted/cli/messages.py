"""What is said to a person: on standard error, in one sentence; and text from strangers made harmless."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Refusal", "complain", "console", "die_by", "mend_standard_files", "printable", "size_text"]

#: whether what goes wrong is shown with where it went wrong
debug = False


class Refusal(Exception):
    """What was asked cannot be done: ``str()`` is the sentence that says why."""

    status = 1


def console(*, error: bool = False) -> Console:
    """A console on standard output or error, without rich's guesses about the text."""
    from rich.console import Console

    return Console(stderr=error, markup=False, highlight=False, emoji=False)


def complain(sentence: str) -> None:
    """Say on standard error what is wrong."""
    from rich.text import Text

    sentence = " ".join(sentence.split())
    if not sentence.endswith("."):
        sentence += "."
    try:
        there = console(error=True)
        there.print(
            Text.assemble(("Error: ", "bold red"), printable(sentence)), soft_wrap=not there.is_terminal
        )
    except OSError:
        pass  # no one listens


def printable(text: str | bytes) -> str:
    """*text* (bytes in UTF-8) with all that a terminal would obey, or that turns the line around, escaped.

    Names in certificates, host names and paths come from strangers.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def size_text(size: int) -> str:
    """*size* bytes in the unit that suits."""
    amount, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.4g} {unit}"


def die_by(number: int) -> int:
    """End by the signal *number*, as programs do that do not catch it, so that a shell sees why."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number  # a blocked signal


def mend_standard_files() -> None:
    """Put the null device where a standard file is closed, else the next socket would take its number."""
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:
        # The one that was closed is taken now.
        null = os.open(os.devnull, os.O_RDWR)
    os.close(null)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
