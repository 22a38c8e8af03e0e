"""Running a program as the interpreter itself runs one.

Its code runs in a new ``__main__`` that is the one of ``sys.modules``: what pickles, dataclasses and
processes that are spawned look up there is the program's.  Modules, directories and zip files go to the very
function that ``python -m`` calls.  A traceback begins where the program begins.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import io
import os
import pkgutil
import runpy
import sys
from types import ModuleType, TracebackType
from typing import Any

STDIN = "-"


class Unreadable(Exception):
    """There is no program; the text is the interpreter's own."""


def run_module(name: str, arguments: list[str]) -> None:
    """What ``python -m NAME ARGUMENTS...`` does."""
    sys.argv = ["-m", *arguments]
    _new_main()
    _run(_as_main, name)


def run_script(path: str, arguments: list[str]) -> None:
    """What ``python PATH ARGUMENTS...`` does: a file, a directory or zip file with a ``__main__``, or ``-``.

    :raises Unreadable: there is no such file, or it cannot be read.
    """
    sys.argv = [path, *arguments]
    if path == STDIN:
        _first_on_path("")
        builtin = importlib.machinery.BuiltinImporter
        main = _new_main(__file__="<stdin>", __cached__=None, __loader__=builtin)
        _run(_compile_and_execute, sys.stdin.buffer.read(), "<stdin>", main)
        return
    absolute = os.path.join(os.getcwd(), path)
    if pkgutil.get_importer(absolute) is not None:
        _first_on_path(absolute, always=True)
        _new_main()
        _run(_as_main, "__main__", False)
        return
    try:
        with io.open_code(absolute) as file:
            source = file.read()
    except OSError as error:
        raise Unreadable(f"can't open file {absolute!r}: [Errno {error.errno}] {error.strerror}") from None
    _first_on_path(os.path.dirname(os.path.realpath(path)))
    compiled = path.endswith(".pyc")
    loaders = importlib.machinery
    loader = (loaders.SourcelessFileLoader if compiled else loaders.SourceFileLoader)("__main__", absolute)
    main = _new_main(__file__=absolute, __cached__=None, __loader__=loader)
    if compiled:
        _run(_execute, loader.get_code("__main__"), main)
    else:
        _run(_compile_and_execute, source, absolute, main)


def _first_on_path(entry: str, *, always: bool = False) -> None:
    """*entry* in the place of what ``-m`` has put there for us: nothing if Python was started with -P."""
    if not sys.flags.safe_path:
        sys.path[0] = entry
    elif always:
        sys.path.insert(0, entry)


def _new_main(**names: Any) -> dict[str, Any]:
    main = ModuleType("__main__")
    names["__builtins__"] = builtins
    if "__annotations__" in vars(sys.modules["__main__"]):
        names["__annotations__"] = {}
    vars(main).update(names)
    sys.modules["__main__"] = main
    return vars(main)


# runpy has no public name for it; the interpreter calls it by this one.
_as_main: Any = getattr(runpy, "_run_module_as_main")  # noqa: B009


def _compile_and_execute(source: bytes, name: str, main: dict[str, Any]) -> None:
    _execute(compile(source, name, "exec", dont_inherit=True), main)


def _execute(code: Any, main: dict[str, Any]) -> None:
    exec(code, main)  # noqa: S102


_OURS = frozenset(function.__code__ for function in (_compile_and_execute, _execute))


def _run(function: Any, *arguments: Any) -> None:
    try:
        function(*arguments)
    except SystemExit:
        raise
    except BaseException:
        # Whoever calls the hook next is the interpreter itself, with this very error.
        hook = sys.excepthook

        def of_the_program(kind: Any, error: BaseException, trace: TracebackType | None) -> None:
            sys.excepthook = hook
            sys.last_traceback = error.__traceback__ = trace = _theirs(trace)
            hook(kind, error, trace)

        sys.excepthook = of_the_program
        raise


def _theirs(trace: TracebackType | None) -> TracebackType | None:
    """The part of *trace* that begins with the program."""
    whole = trace
    while trace is not None and trace.tb_frame.f_code is not _run.__code__:
        trace = trace.tb_next
    if trace is None:
        return whole
    trace = trace.tb_next
    while trace is not None and trace.tb_frame.f_code in _OURS:
        trace = trace.tb_next
    return trace
