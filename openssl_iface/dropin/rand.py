"""``OpenSSL.rand``: the manual's module, of which later releases have kept ``add`` and ``status``."""

from __future__ import annotations

import builtins
import warnings
from typing import Any

from .. import rand as _ours
from ..rand import *  # noqa: F403
from ._install import by_both_names
from ._translate import name_as_theirs, need

by_both_names(__name__)

# Below who imports it are the door's loader and importlib.
warnings.warn(
    "OpenSSL.rand is deprecated - you should use os.urandom instead", DeprecationWarning, stacklevel=4
)
name_as_theirs("rand", _ours.Error)


def add(buffer: builtins.bytes, entropy: int) -> None:  # type: ignore[no-redef]
    """Mix *buffer* into the state of the generator, *entropy* being how many bytes of it are unknown."""
    need(buffer, builtins.bytes, "buffer must be a byte string")
    need(entropy, int, "entropy must be an integer")
    _ours.add(buffer, entropy)


def seed(buffer: builtins.bytes) -> None:  # type: ignore[no-redef]
    """The same, *buffer* being unknown as a whole."""
    _ours.seed(buffer)


def load_file(filename: Any, maxbytes: int = -1) -> int:  # type: ignore[no-redef]
    """Mix in what a file has in it, up to *maxbytes*; returns how much was read."""
    return int(_ours.load_file(filename, maxbytes))


def write_file(filename: Any) -> int:  # type: ignore[no-redef]
    """Write random bytes to a file, for the next time; returns how many."""
    return int(_ours.write_file(filename))
