"""``OpenSSL.tsafe``: a connection for several threads, which every connection here is.

Programs make subclasses of it (Paste does), whose methods hold ``_lock`` and ask ``_ssl_conn``.
"""

from __future__ import annotations

import threading
from typing import Any

from ._install import by_both_names
from .SSL import Connection as _Connection

__all__ = ["Connection"]

by_both_names(__name__)


class Connection:
    """A connection in another object, to which everything goes."""

    def __init__(self, *args: Any) -> None:
        self._ssl_conn = _Connection(*args)
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        if name == "_ssl_conn":  # it is not made yet
            raise AttributeError(name)
        return getattr(self._ssl_conn, name)
