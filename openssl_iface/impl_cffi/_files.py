"""Files that a context is told of: read whole, before anything changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import CryptoError, Error
from ._errors import translated

T = TypeVar("T")

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def shown(path: Path) -> str:
    """A path for a message."""
    return repr(os.fsdecode(path))


def place(name: str, path: Path) -> str:
    """What the content of a file is called in messages: by the argument, and the path."""
    return f"{name}: {shown(path)}"


def read_file(name: str, path: Path) -> tuple[bytes, str]:
    """A whole file, and what its content is called in messages.

    :param name: of the argument.
    :raises Error: it cannot be read; names the argument and the system's reason.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{name}: a path expected, not {type(path).__name__}")
    try:
        with open(path, "rb") as stream:
            return stream.read(), place(name, path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Error.from_reasons(
            [("system library", "fopen", reason)], f"{place(name, path)} cannot be read"
        ) from error


def loaded(load: Callable[..., T], *arguments: Any) -> T:
    """What *load* makes of them; what it refuses is an ``SSL.Error``."""
    try:
        return load(*arguments)
    except CryptoError as error:
        raise translated(error, Error, "") from error
