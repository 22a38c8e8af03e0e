"""TLS for Twisted, on any backend of :mod:`openssl_iface`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._api import *  # noqa: F403


def __getattr__(name: str) -> Any:
    # Looked up late: the command, which is in this package, says what it can do without loading Twisted.
    api = import_module("._api", __name__)
    if name == "__all__" or name in api.__all__:
        return getattr(api, name)
    if name in globals():
        return globals()[name]  # a module of this package, loaded by now
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(import_module("._api", __name__).__all__)
