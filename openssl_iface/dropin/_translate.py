"""How our classes become pyOpenSSL's.

The classes here are subclasses of the backend's, so that the rest of this project takes
their instances as they are.  Two things are translated for all of them at once:

* What a method of the backend returns is made an instance of the subclass here
  (:func:`adopt`): an object that was made for the caller, and has nobody else who knows it,
  changes its class.  Names that an object gives out live are of that object, which is of
  our class itself.
* What it raises has the shape that pyOpenSSL gives it (:func:`as_theirs`): ``args[0]`` is the
  list of ``(library, function, reason)``, *function* always ``""``, as it is in pyOpenSSL since
  OpenSSL 3 took the functions out of its error codes.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

from ..errors import CryptoError, Error, KeyHalfError, OpenSSLError, RandError, X509StoreContextError
from ..registry import get_backend

T = TypeVar("T")

backend = get_backend()
# What the backend says of a code that OpenSSL has no words for.
NUMBER = "error 0x"
# How it says that a file has nothing of the kind in it; OpenSSL has another way.
NO_START = " in it"

# the backend's class -> the one here
_classes: dict[type, type] = {}


def adopt(value: Any) -> Any:
    """*value*, or what is in it if it is a list or a tuple, as an object of the classes here."""
    kind = _classes.get(type(value))
    if kind is not None:
        value.__class__ = kind
    elif type(value) in (list, tuple) and value:
        for item in value:
            adopt(item)
    return value


def reasons(error: OpenSSLError) -> list[tuple[str, str, str]]:
    """The list of an error in the shape that pyOpenSSL gives it."""
    found = error.reasons
    if not found and error.args and isinstance(error.args[0], str):
        return [("openssl_iface", "", error.args[0])]
    if len(found) == 1 and found[0][0] == "openssl_iface" and found[0][2].endswith(NO_START):
        return [("PEM routines", "", "no start line")]
    return [(library, "", "" if reason.startswith(NUMBER) else reason) for library, _, reason in found]


_CALLED: dict[type, str] = {CryptoError: "Error", RandError: "Error"}
_named: list[tuple[type[OpenSSLError], str]] = []
_before: dict[type[OpenSSLError], tuple[str, str]] = {}


def as_theirs(error: T) -> T:
    """*error* itself, its ``args`` in pyOpenSSL's shape."""
    if type(error) is KeyHalfError:
        error.__class__ = CryptoError  # type: ignore[assignment]
    kind = type(error)
    if (
        isinstance(error, OpenSSLError)
        and not getattr(error, "_of_program", False)
        and kind is not X509StoreContextError
        and error.args
    ):
        first = error.args[0]
        if isinstance(first, list) or (isinstance(first, str) and kind in (Error, CryptoError, RandError)):
            error.args = (reasons(error),)
            error._bare = True  # programs look for "'bad decrypt'" in the text of the list
    return error


def of_program(error: BaseException) -> None:
    """*error* was raised by a callback of the program: it comes out as it is."""
    if isinstance(error, OpenSSLError):
        error.__dict__["_of_program"] = True


def name_as_theirs(module: str, *kinds: type[OpenSSLError]) -> None:
    """Have classes of errors named as pyOpenSSL's while the drop-in is ``OpenSSL``.

    They are the backend's classes themselves: what it raises is caught by either name.
    """
    _named.extend((kind, module) for kind in kinds)
    if _before:  # in force already
        take_names()


def take_names() -> None:
    """From now on the errors have pyOpenSSL's names, by which Twisted's ``Failure.check`` goes."""
    for kind, module in _named:
        if kind not in _before:
            _before[kind] = kind.__module__, kind.__name__
            kind.__module__ = "OpenSSL." + module
            kind.__name__ = kind.__qualname__ = _CALLED.get(kind, kind.__name__)
            kind._bare = True  # str() of one that the program makes is that of its list


def give_names_back() -> None:
    """The errors have the names again that they have without the drop-in."""
    for kind, (module, name) in _before.items():
        kind.__module__ = module
        kind.__name__ = kind.__qualname__ = name
        del kind._bare
    _before.clear()


def translated(function: Callable[..., Any]) -> Callable[..., Any]:
    """*function* of the backend, with results and errors of the classes here."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        try:
            return adopt(function(*arguments, **keywords))
        except OpenSSLError as error:
            as_theirs(error)
            raise

    return wrapper


def in_place_of(base: type, *, as_is: frozenset[str] = frozenset()) -> Callable[[type], type]:
    """Decorate the class that stands for *base*: every public method that it inherits is translated.

    :param as_is: methods that are not: they give nothing to adopt, and their errors come from a place that
        is translated already.
    """

    def decorate(kind: type) -> type:
        _classes[base] = kind
        # Some (trustme) know a pyOpenSSL object by the module of its class.
        kind.__module__ = "OpenSSL." + kind.__module__.rpartition(".")[2]
        for name in dir(base):
            if name.startswith("_") or name in kind.__dict__ or name in as_is:
                continue
            for owner in kind.__mro__:
                if name in owner.__dict__:
                    _translate(kind, name, owner.__dict__[name])
                    break
        if "__repr__" not in kind.__dict__:
            kind.__repr__ = object.__repr__  # type: ignore[assignment]
        return kind

    return decorate


def _translate(kind: type, name: str, method: Any) -> None:
    if isinstance(method, FunctionType):
        setattr(kind, name, translated(method))
    elif isinstance(method, classmethod):
        setattr(kind, name, classmethod(translated(method.__func__)))


def bytes_of_text(label: str, obj: Any) -> Any:
    """Bytes for text, with the warning that pyOpenSSL gives; anything else as it is."""
    if isinstance(obj, str):
        warnings.warn(f"str for {label} is no longer accepted, use bytes", DeprecationWarning, stacklevel=3)
        return obj.encode()
    return obj


def need(value: Any, kind: type | tuple[type, ...], message: str) -> Any:
    """*value*, if it is of *kind*; else the TypeError that pyOpenSSL has for it."""
    if not isinstance(value, kind):
        raise TypeError(message)
    return value


def path_bytes(s: Any) -> bytes:
    """A path as bytes."""
    return os.fsencode(s)
