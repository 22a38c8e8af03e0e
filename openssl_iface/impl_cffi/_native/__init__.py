"""The compiled binding: ``ffi`` and ``lib``, and nothing else."""

from ._binding import ffi, lib

__all__ = ["ffi", "lib"]
