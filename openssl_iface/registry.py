"""Which backend: entry points, an environment variable, and one error that tells all."""

from __future__ import annotations

import os
import threading
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from .interfaces import IBackend
from .typing import Backend

GROUP = "openssl_iface.backends"
VARIABLE = "OPENSSL_IFACE_BACKEND"
# Tried first where nobody has chosen; others follow in the order of their names.
PREFERRED = "cffi"

_lock = threading.Lock()
_loaded: dict[str, Backend] = {}


def backend_names() -> list[str]:
    """The names of the backends that are installed, the preferred one first (list of text)."""
    return sorted(_found(), key=lambda name: (name != PREFERRED, name))


def _found() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> Backend:
    with _lock:
        if entry.name not in _loaded:
            backend = entry.load()
            if not IBackend.providedBy(backend):
                raise ImportError(f"{entry.value} does not provide IBackend")
            _loaded[entry.name] = cast(Backend, backend)
        return _loaded[entry.name]


def get_backend(name: str | None = None) -> Backend:
    """The backend called *name*, an :class:`~openssl_iface.interfaces.IBackend`.

    :param name: an entry point of the group ``openssl_iface.backends``; if it is left out, what
        the environment variable ``OPENSSL_IFACE_BACKEND`` names, else the first that can be loaded.
    :raises ImportError: there is none by that name (those that exist are listed), or it cannot be
        loaded, or none can (every attempt is listed).
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name: text or None expected, not {type(name).__name__}")
    source = "name"
    if name is None:
        name = os.environ.get(VARIABLE) or None
        source = VARIABLE
    if name is not None and name in _loaded:
        return _loaded[name]
    if name is None and PREFERRED in _loaded:
        return _loaded[PREFERRED]
    found = _found()
    if name is not None:
        if name not in found:
            there = ", ".join(backend_names()) or "none; is openssl-iface installed?"
            raise ImportError(f"{source}: there is no backend {name!r}; installed: {there}")
        try:
            return _load(found[name])
        except Exception as error:
            raise ImportError(
                f"the backend {name!r} ({found[name].value}) cannot be loaded: {error}"
            ) from error
    attempts = []
    for candidate in backend_names():
        try:
            return _load(found[candidate])
        except Exception as error:
            attempts.append(f"{candidate} ({found[candidate].value}): {error}")
    raise ImportError(
        "no backend of openssl_iface can be loaded: " + ("; ".join(attempts) or "none is installed")
    )
