"""``OpenSSL.tsafe``: connections for several threads.  Every connection here is one."""

from __future__ import annotations

from ._install import by_both_names
from .SSL import Connection

by_both_names(__name__)
__all__ = ["Connection"]
