"""``OpenSSL.tsafe``: connections for several threads.  Every connection here is one."""

from __future__ import annotations

from .SSL import Connection

__all__ = ["Connection"]
