"""Files that a context is told of: read whole, before anything changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..errors import CryptoError, Error
from ._errors import translated

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def shown(path: Path) -> str:
    """A path for a message."""
    return repr(os.fsdecode(path))


def read_file(name: str, path: Path) -> bytes:
    """A whole file.

    :param name: of the argument.
    :raises Error: it cannot be read; names the argument and the system's reason.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{name}: a path expected, not {type(path).__name__}")
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Error.from_reasons(
            [("system library", "fopen", reason)], f"{name}: {shown(path)} cannot be read"
        ) from error


def from_file(name: str, path: Path, load: Callable[..., Any], *arguments: Any) -> Any:
    """What *load* makes of a file; an error names the argument and the file."""
    try:
        return load(*arguments)
    except CryptoError as error:
        raise translated(error, Error, f"{name}: {shown(path)}") from error
