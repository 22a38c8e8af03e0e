"""``OpenSSL.rand``: the manual's module, of which later releases have kept ``add`` and ``status``."""

from __future__ import annotations

import builtins

from .. import rand as _ours
from ..rand import *  # noqa: F403


def add(buffer: builtins.bytes, entropy: int) -> None:  # type: ignore[no-redef]
    """Mix *buffer* into the state of the generator, *entropy* being how many bytes of it are unknown."""
    _ours.add(buffer, entropy)
