"""A program started by the second door and one started by Python itself are told apart by nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from openssl_iface.dropin.version import __version__

Run = Callable[..., subprocess.CompletedProcess[str]]

DROPIN = ("-m", "openssl_iface.dropin")

PROGRAMS = {
    "names.py": """
        import sys
        print(__name__, globals().get("__file__"), __package__, __spec__ and (__spec__.name, __spec__.origin))
        print(sorted(globals()), type(__loader__), __builtins__, sys.argv, sys.path[0])
        print(vars(sys.modules["__main__"]) is globals())
        """,
    "kept.py": """
        import dataclasses, pickle, typing
        @dataclasses.dataclass
        class First:
            one: "typing.ClassVar[int]" = 1
            two: "Second" = None
        class Second:
            pass
        print(pickle.loads(pickle.dumps(First())), typing.get_type_hints(First))
        """,
    "spawned.py": """
        import multiprocessing
        class Box:
            def __init__(self, value):
                self.value = value
        def more(box):
            return Box(box.value + 1)
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(more, [Box(1)])[0].value)
        """,
    "raises.py": """
        def inner():
            try:
                1 / 0
            except ZeroDivisionError as error:
                raise ValueError("no") from error
        inner()
        """,
    "group.py": "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])",
    "broken.py": "x = (\n1 1\n",
    "interrupted.py": "raise KeyboardInterrupt",
    "says.py": "import sys; sys.exit('goodbye')",
    "seven.py": "raise SystemExit(7)",
    "hook.py": """
        import atexit, sys, traceback
        def hook(kind, error, trace):
            names = [frame.name for frame in traceback.extract_tb(trace)]
            print(kind, error, names, error.__traceback__ is trace)
        sys.excepthook = hook
        atexit.register(lambda: print(sys.excepthook is hook))
        def fail():
            raise RuntimeError(1)
        fail()
        """,
    "thread.py": """
        import threading
        def late():
            threading.main_thread().join()
            print("late")
        threading.Thread(target=late).start()
        raise RuntimeError("main")
        """,
    "typed.py": "def f(x: int): pass\nprint(f.__annotations__)\ny: int = 1\nprint(__annotations__)\n",
    "warns.py": "import warnings\nwarnings.warn('careful')\n",
    "moves.py": "import os\nos.chdir('/')\nprint(open(__file__).read())\n",
    "source.py": "import inspect\ndef f(): pass\nprint(inspect.getsource(f))\n",
    "latin.py": "# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n",
    "needs.py": "import no_such_thing",
}


@pytest.fixture
def both(tmp_path: Path) -> Callable[..., None]:
    """Run Python with and without the drop-in, and compare all that can be seen from outside."""
    place = tmp_path / "place"
    package = place / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    for name, text in PROGRAMS.items():
        lines = text.removeprefix("\n").split("\n")
        margin = len(lines[0]) - len(lines[0].lstrip())
        text = "\n".join(line[margin:] for line in lines)
        (place / name).write_bytes(text.encode("latin-1"))
        (package / name).write_bytes(text.encode("latin-1"))
    (package / "__main__.py").write_bytes((place / "names.py").read_bytes())
    refuses = place / "refuses"
    refuses.mkdir()
    (refuses / "__init__.py").write_text("import no_such_thing")
    (refuses / "part.py").touch()
    (place / "empty").mkdir()
    with zipfile.ZipFile(place / "zipped.zip", "w") as file:
        file.write(place / "names.py", "__main__.py")

    def run(*arguments: str, safe: bool = False, given: str = "") -> None:
        def outcome(*door: str) -> tuple[int, str, str]:
            done = subprocess.run(
                [sys.executable, *(("-P",) if safe else ()), *door, *arguments],
                cwd=place,
                input=given,
                capture_output=True,
                text=True,
                timeout=120,
            )
            return done.returncode, done.stdout, re.sub(r"0x[0-9a-f]+", "0x", done.stderr)

        assert outcome(*DROPIN) == outcome()

    return run


@pytest.mark.parametrize("name", PROGRAMS)
def test_scripts(both: Callable[..., None], name: str) -> None:
    both(name, "-m", "--check")


@pytest.mark.parametrize("name", ["names", "raises", "needs", "spawned", "no_such"])
def test_modules(both: Callable[..., None], name: str) -> None:
    both("-m", f"package.{name}", "-x")


@pytest.mark.parametrize(
    "arguments",
    [
        ("./package/../names.py",),
        ("package", "a"),
        ("./zipped.zip",),
        ("empty",),
        ("nowhere.py",),
        ("-m", "package"),
        ("-mpackage.names", "b"),
        ("-m", "names"),
        ("-m", "nowhere"),
        ("-m", "refuses.part"),
    ],
)
def test_other_ways_to_name_one(both: Callable[..., None], arguments: tuple[str, ...]) -> None:
    both(*arguments)


@pytest.mark.parametrize("name", ["names.py", "zipped.zip"])
def test_without_its_directory_on_the_path(both: Callable[..., None], name: str) -> None:
    both(name, safe=True)


def test_a_link_has_its_target_s_directory(both: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to(tmp_path / "place" / "names.py")
    both("../link.py")


@pytest.mark.parametrize("name", ["names.py", "raises.py", "broken.py", "kept.py"])
def test_standard_input(both: Callable[..., None], tmp_path: Path, name: str) -> None:
    both("-", "a", given=(tmp_path / "place" / name).read_text())


def test_compiled(both: Callable[..., None], tmp_path: Path) -> None:
    import py_compile

    py_compile.compile(str(tmp_path / "place" / "names.py"), str(tmp_path / "place" / "compiled.pyc"))
    both("compiled.pyc")


def test_the_report_on_the_environment(run: Run) -> None:
    done = run(*DROPIN, "-m", "OpenSSL.debug")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"in the place of pyOpenSSL: {__version__}" in done.stdout
