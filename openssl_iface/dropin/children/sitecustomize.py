"""Run by Python as it starts in a child process of ``python -m openssl_iface.dropin --children``."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys


def _go_on() -> None:
    """Run the sitecustomize that this one hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _install() -> None:
    try:
        from openssl_iface import install_as_OpenSSL

        install_as_OpenSSL()
    except (ImportError, RuntimeError) as error:
        print(f"openssl_iface.dropin: not in this child, {error}", file=sys.stderr)


_install()
_go_on()
