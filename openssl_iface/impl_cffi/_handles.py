"""Owning pointers: freed exactly once, and never by a child after fork.

What a parent made is left alone in the child: another thread of the parent may
have held a lock of OpenSSL at the moment of the fork, and freeing would wait
for it for ever.  The memory is the parent's to give back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from ._errors import check
from ._native import ffi

_generation = 0


def _in_child() -> None:
    global _generation, _renewing
    _generation += 1
    _renewing = threading.Lock()


os.register_at_fork(after_in_child=_in_child)


def generation() -> int:
    """How many forks lie between this process and the first one."""
    return _generation


class _Free:
    """A destructor that remembers in which process the pointer was made."""

    __slots__ = ("free", "generation")

    def __init__(self, free: Callable[[Any], Any]) -> None:
        self.free = free
        self.generation = _generation

    def __call__(self, pointer: Any) -> None:
        if self.generation == _generation:
            self.free(pointer)


def own(pointer: Any, free: Callable[[Any], Any], message: str = "") -> Any:
    """Take over *pointer*; *free* is called on it when the result is dropped.

    :raises CryptoError: *pointer* is NULL: *message* over what OpenSSL says.
    """
    return ffi.gc(check(pointer, message), _Free(free))


def share(pointer: Any, up_ref: Callable[[Any], int], free: Callable[[Any], Any]) -> Any:
    """Take a reference of our own to a *pointer* that somebody else owns."""
    check(up_ref(check(pointer)))
    return ffi.gc(pointer, _Free(free))


class Bound:
    """What holds an object of OpenSSL: its state is no Python object that could be copied or pickled."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        kind = type(self).__name__
        raise TypeError(f"{kind}: cannot be copied or pickled here, for it holds an object of OpenSSL")


_renewing = threading.Lock()


class Guard:
    """A reentrant lock; in a child after fork it is free, whatever thread of the parent had it.

    That thread does not live in the child, and could not let go.
    """

    __slots__ = ("_generation", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._generation = _generation

    def __enter__(self) -> None:
        if self._generation != _generation:
            with _renewing:
                if self._generation != _generation:
                    self._lock = threading.RLock()
                    self._generation = _generation
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
