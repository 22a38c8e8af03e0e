"""The second door: any program, run unchanged with the drop-in in force."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

from . import _children, _install, _program

PROGRAM = "python -m openssl_iface.dropin"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage="%(prog)s [--children] -m MODULE [ARGS ...]\n"
        "       %(prog)s [--children] SCRIPT [ARGS ...]\n"
        "       %(prog)s --check",
        description="Run a program with openssl_iface in the place of OpenSSL (pyOpenSSL). "
        "Nothing is written: an installed pyOpenSSL stays as it is.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--check", action="store_true", help="say what `import OpenSSL` gives, with and without this, and end"
    )
    parser.add_argument(
        "--children", action="store_true", help="the Python programs that the program starts run so, too"
    )
    parser.add_argument("-m", dest="module", metavar="MODULE", help="run a module, as python -m does")
    parser.add_argument(
        "script",
        nargs="?",
        metavar="SCRIPT",
        help="run a file (or a directory, or a zip file; - is standard input)",
    )
    parser.add_argument("args", nargs=argparse.REMAINDER, metavar="ARGS", help="what the program is given")
    return parser


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and what the program gets: all that follows its name."""
    for index, argument in enumerate(arguments):
        if argument == "-m":
            return arguments[: index + 2], arguments[index + 2 :]
        if argument.startswith("-m") and len(argument) > 2:
            return arguments[: index + 1], arguments[index + 1 :]
        if argument == "--":
            return arguments[:index] + arguments[index + 1 : index + 2], arguments[index + 2 :]
        if argument == _program.STDIN or not argument.startswith("-"):
            return arguments[: index + 1], arguments[index + 1 :]
    return arguments, []


def _theirs() -> str:
    """What `import OpenSSL` gives without us."""
    active = _install.installed()
    _install.uninstall()
    try:
        spec = importlib.util.find_spec(_install.THEIRS)
        if spec is None:
            return "nothing, it is not installed"
        try:
            version = importlib.metadata.version("pyOpenSSL")
        except importlib.metadata.PackageNotFoundError:
            version = "of unknown version"
        return f"pyOpenSSL {version}, from {Path(spec.origin or '').parent}"
    finally:
        if active:
            _install.install()


def check(*, children: bool = False) -> str:
    """What is in force, in lines of text; *children*: whether that is asked for in this call."""
    without = _theirs()
    _install.install()
    theirs = importlib.import_module(_install.THEIRS)

    from ..registry import get_backend

    backend = get_backend()
    return "\n".join(
        (
            f"import OpenSSL gives   {theirs.__name__}, from {Path(theirs.__file__ or '').parent}",
            f"which is like          pyOpenSSL {theirs.__version__}",
            f"on                     {backend.running.text}, by the backend {backend.name}",
            f"without it             {without}",
            f"children               {'yes' if children or _children.requested() else 'no'}",
        )
    )


def main(arguments: list[str]) -> int | str | None:
    """Run what *arguments* ask for; what it returns is for ``sys.exit``."""
    parser = _parser()
    own, rest = _split(arguments)
    options = parser.parse_args(own)
    if options.check:
        if options.module or options.script:
            parser.error("--check runs nothing: leave the program out")
        print(check(children=options.children))
        return 0
    if not options.module and not options.script:
        parser.error("which program? -m MODULE, or SCRIPT, or --check")
    try:
        _install.install()
    except _install.InstallError as error:
        parser.error(str(error))
    if options.children:
        _children.request()
    if options.module:
        _program.run_module(options.module, rest)
        return 0
    try:
        _program.run_script(options.script, rest)
    except _program.Unreadable as error:
        print(f"{sys.executable}: {error}", file=sys.stderr)
        return 2
    return 0
