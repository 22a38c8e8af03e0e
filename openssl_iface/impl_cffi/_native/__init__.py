"""The compiled binding: ``ffi`` and ``lib``, and nothing else."""

from __future__ import annotations

from ._binding import ffi, lib

__all__ = ["ffi", "lib"]
