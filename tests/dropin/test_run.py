"""The second door: ``python -m openssl_iface.dropin``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from openssl_iface.dropin.version import __version__

Run = Callable[..., subprocess.CompletedProcess[str]]

DROPIN = ("-m", "openssl_iface.dropin")
TELL = "import sys, OpenSSL; print(OpenSSL.__name__, sys.argv, __name__)\n"


def test_a_script_gets_its_arguments_and_its_directory(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "bin"
    place.mkdir()
    (place / "beside.py").write_text("here = 1\n")
    script = place / "program.py"
    script.write_text(TELL)
    done = run(*DROPIN, str(script), "--check", "-m", "x")
    assert done.stderr == ""
    assert done.stdout == f"openssl_iface.dropin {[str(script), '--check', '-m', 'x']} __main__\n"


def test_a_module_gets_its_arguments(run: Run, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(TELL)
    done = run(*DROPIN, "-m", "program", "--help", PYTHONPATH=str(tmp_path))
    assert done.stderr == ""
    assert "openssl_iface.dropin" in done.stdout
    assert "'--help'] __main__" in done.stdout


def test_the_program_s_status_is_ours(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import sys; sys.exit(7)\n")
    assert run(*DROPIN, str(script)).returncode == 7


CHILD = """
import os, subprocess, sys
out = subprocess.run([sys.executable, "-c", "import OpenSSL; print(OpenSSL.__version__)"],
                     capture_output=True, text=True)
print(out.stdout.strip() or out.stderr.strip().splitlines()[-1])
"""


def test_children_are_left_alone_unless_asked_for(run: Run, tmp_path: Path, fake_pyopenssl: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(CHILD)
    assert run(*DROPIN, str(script), PYTHONPATH=str(fake_pyopenssl)).stdout.strip() == "1.2.3"
    asked = run(*DROPIN, "--children", str(script), PYTHONPATH=str(fake_pyopenssl))
    assert asked.stdout.strip() == __version__


def test_children_run_the_sitecustomize_that_was_there(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text("import os; os.environ['MARK'] = 'seen'\n")
    script = tmp_path / "program.py"
    script.write_text(CHILD.replace("OpenSSL.__version__", "__import__('os').environ['MARK']"))
    assert run(*DROPIN, "--children", str(script), PYTHONPATH=str(place)).stdout.strip() == "seen"


def test_what_was_done_for_children_is_undone() -> None:
    import os

    from openssl_iface.dropin import _children

    before = dict(os.environ)
    _children.request()
    _children.request()
    assert _children.requested()
    _children.withdraw()
    assert dict(os.environ) == before


def test_check_says_what_is_in_force(run: Run, fake_pyopenssl: Path) -> None:
    done = run(*DROPIN, "--check", PYTHONPATH=str(fake_pyopenssl))
    assert done.stderr == ""
    assert "import OpenSSL gives   openssl_iface.dropin" in done.stdout
    assert __version__ in done.stdout
    assert f"pyOpenSSL 1.2.3, from {fake_pyopenssl / 'OpenSSL'}" in done.stdout
    assert "children               no" in done.stdout
    assert "children               yes" in run(*DROPIN, "--children", "--check").stdout


def test_help_says_how(run: Run) -> None:
    done = run(*DROPIN, "--help")
    assert done.returncode == 0
    assert "-m MODULE" in done.stdout
    assert "--children" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which program?"),
        (("--check", "program.py"), "--check runs nothing"),
        (("--no-such",), "unrecognized arguments"),
    ],
)
def test_mistakes_are_named(run: Run, arguments: tuple[str, ...], said: str) -> None:
    done = run(*DROPIN, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
