"""``OpenSSL.rand``: the manual's module, of which later releases have kept ``add`` and ``status``."""

from __future__ import annotations

import builtins
import warnings

from .. import rand as _ours
from ..rand import *  # noqa: F403
from ._translate import name_as_theirs, need

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
