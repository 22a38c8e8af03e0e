"""The manual's module rand, over the chosen backend: names only."""

from __future__ import annotations

from .errors import RandError
from .registry import get_backend as _get_backend

_rand = _get_backend().rand

Error = RandError
__all__ = ["Error", "add", "bytes", "cleanup", "egd", "load_file", "seed", "status", "write_file"]

add = _rand.add
bytes = _rand.bytes  # noqa: A001
cleanup = _rand.cleanup
egd = _rand.egd
load_file = _rand.load_file
seed = _rand.seed
status = _rand.status
write_file = _rand.write_file
if hasattr(_rand, "screen"):  # Windows
    screen = getattr(_rand, "screen")  # noqa: B009  the typed twin is of every system
    __all__ += ["screen"]
