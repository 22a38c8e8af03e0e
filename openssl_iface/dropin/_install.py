"""How the drop-in becomes what ``import OpenSSL`` gives.

A finder before all others answers for ``OpenSSL`` and the modules below it with the
modules of this package themselves, so that ``OpenSSL.SSL`` and ``openssl_iface.dropin.SSL``
are one object however they were imported.  It also answers those who ask the metadata of
installed distributions for pyOpenSSL's version.  Nothing is written anywhere: an installed
pyOpenSSL is neither used nor changed, and with the process all of it is gone.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from .version import __version__

THEIRS = "OpenSSL"
OURS = __package__
# The modules that are loaded with the package.
PARTS = ("SSL", "_util", "crypto", "version")
# Names of the distribution that provides OpenSSL, as they are compared (PEP 503).
DISTRIBUTION = "pyopenssl"


class InstallError(RuntimeError):
    """The drop-in cannot take the place of ``OpenSSL``; the text says what to do."""


class _Loader(importlib.abc.Loader):
    """Gives a module that has a name of its own already."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: Any = None

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The machinery has just written the alias over it; relative imports need the true one.
        module.__spec__ = self._spec
        module.__loader__ = self._spec.loader
        if self._name == OURS:
            _translate().take_names()
            # As after an import of pyOpenSSL, whose package imports these itself.
            for part in PARTS:
                importlib.import_module(f"{THEIRS}.{part}")

    def get_code(self, _name: str) -> Any:
        """The true module's code, for ``python -m``."""
        spec: Any = importlib.util.find_spec(self._name)
        return spec.loader.get_code(self._name)


class _Distribution(importlib.metadata.Distribution):
    """What the metadata say when somebody asks for pyOpenSSL."""

    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            summary = "openssl_iface in the place of pyOpenSSL"
            return f"Metadata-Version: 2.1\nName: pyOpenSSL\nVersion: {__version__}\nSummary: {summary}\n"
        return "OpenSSL\n" if filename == "top_level.txt" else None

    def locate_file(self, path: Any) -> Any:
        return Path(__file__).parent / path


class _Finder(importlib.abc.MetaPathFinder):
    """First in ``sys.meta_path``."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, dot, rest = fullname.partition(".")
        if package != THEIRS:
            return None
        name = f"{OURS}{dot}{rest}"
        # Only what pyOpenSSL has had: no other module of ours by another name, nor a second copy of it.
        if importlib.util.find_spec(name) is None or (rest.startswith("_") and rest != "_util"):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return importlib.machinery.ModuleSpec(fullname, _Loader(name), is_package=not dot, origin=name)

    def find_distributions(self, context: Any) -> Iterable[importlib.metadata.Distribution]:
        wanted = context.name
        if wanted is not None and re.sub(r"[-_.]+", "-", wanted).lower() == DISTRIBUTION:
            yield _Distribution()


_finder = _Finder()


def installed() -> bool:
    """Whether ``import OpenSSL`` gives the drop-in, or would."""
    return _finder in sys.meta_path


def _translate() -> Any:
    return importlib.import_module(f"{OURS}._translate")


def _names() -> list[str]:
    return [name for name in sys.modules if name == THEIRS or name.startswith(f"{THEIRS}.")]


def by_both_names(name: str) -> None:
    """Have the module *name* of this package in ``sys.modules`` by its other name, too.

    ``from OpenSSL import rand`` leaves only what it has imported by the package's own name.
    """
    if installed():
        sys.modules.setdefault(THEIRS + name.removeprefix(OURS), sys.modules[name])


def install() -> None:
    """Be ``OpenSSL`` to whoever imports it from now on in this process.

    :raises InstallError: another ``OpenSSL`` has been imported already.
    """
    if installed():
        return
    present = sys.modules.get(THEIRS)
    if present is not None:
        where = getattr(present, "__file__", None) or "somewhere unknown"
        raise InstallError(
            f"OpenSSL has been imported already, from {where}, and what has been taken from it stays: "
            "call openssl_iface.install_as_OpenSSL() before anything imports OpenSSL (Twisted, treq and "
            "service_identity do, for instance), or start the program with python -m openssl_iface.dropin"
        )
    sys.meta_path.insert(0, _finder)
    atexit.register(uninstall)


def uninstall() -> None:
    """Take it back: who imports ``OpenSSL`` from now on gets what is installed.

    Modules that have taken names from the drop-in keep them.
    """
    if not installed():
        return
    sys.meta_path.remove(_finder)
    atexit.unregister(uninstall)
    for name in _names():
        del sys.modules[name]
        if name == THEIRS:
            _translate().give_names_back()
