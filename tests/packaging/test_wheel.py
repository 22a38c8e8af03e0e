"""One wheel, as it is built and as ``auditwheel`` repairs it, runs on every supported Python."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
SMOKE = Path(__file__).with_name("smoke.py")
VERSIONS = ("3.11", "3.12", "3.13")
# Versions that this machine is allowed to lack, such as "3.12 3.13".
ALLOWED = os.environ.get("OPENSSL_IFACE_ALLOW_MISSING", "").replace(",", " ").split()


def run(*command: str | Path, **variables: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **variables},
        cwd="/",
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def wheels() -> tuple[Path, Path]:
    """The wheels of the core and of the integration."""
    directory = Path(run(sys.executable, TOOLS / "wheel.py", "system").splitlines()[-1])
    core, twisted = sorted(directory.glob("*.whl"))
    return core, twisted


@pytest.fixture(scope="session")
def repaired(wheels: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core's wheel with its own OpenSSL inside."""
    target = tmp_path_factory.mktemp("repaired")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run(sys.executable, "-m", "auditwheel", "repair", "-w", target, wheels[0], PATH=tools)
    (wheel,) = target.glob("*.whl")
    return wheel


def interpreter(version: str) -> str:
    """Where Python *version* is; a machine that lacks it fails unless it is allowed to."""
    listed = run(sys.executable, TOOLS / "pythons.py")
    found = dict(line.split(maxsplit=1) for line in listed.splitlines())[version]
    if found == "missing":
        text = f"Python {version} is not on this machine"
        if version in ALLOWED:
            pytest.skip(f"{text} (OPENSSL_IFACE_ALLOW_MISSING names it)")
        pytest.fail(f"{text}: install it, or name it in OPENSSL_IFACE_ALLOW_MISSING")
    return found


def fresh(version: str, directory: Path, *wheels: str) -> Path:
    """A new virtual environment with *wheels*; nothing can be compiled while it is made."""
    run(interpreter(version), "-m", "venv", directory)
    python = directory / "bin" / "python"
    nothing = {"CC": "/nonexistent/cc", "PKG_CONFIG_LIBDIR": "/nonexistent", "PKG_CONFIG_PATH": ""}
    run(python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *wheels, **nothing)
    return python


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_as_built(version: str, wheels: tuple[Path, Path], tmp_path: Path) -> None:
    core, twisted = wheels
    python = fresh(version, tmp_path / "venv", str(core), f"{twisted}[cli]")
    print(run(python, "-P", SMOKE, "system"))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_repaired_wheel(version: str, wheels: tuple[Path, Path], repaired: Path, tmp_path: Path) -> None:
    python = fresh(version, tmp_path / "venv", str(repaired), f"{wheels[1]}[cli]")
    print(run(python, "-P", SMOKE, "own"))


def test_the_repaired_wheel_is_for_every_linux_of_its_age(repaired: Path) -> None:
    assert "manylinux" in repaired.name
    with zipfile.ZipFile(repaired) as archive:
        names = archive.namelist()
    assert [name for name in names if name.startswith("openssl_iface.libs/libssl")]
    assert [name for name in names if name.startswith("openssl_iface.libs/libcrypto")]


def test_the_extra_resolves_from_the_two_wheels(wheels: tuple[Path, Path], tmp_path: Path) -> None:
    python = fresh("3.11", tmp_path / "venv", f"{wheels[0]}[twisted]", str(wheels[1]))
    run(python, "-P", "-c", "import openssl_iface, openssl_iface_twisted")
