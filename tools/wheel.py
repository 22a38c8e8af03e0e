#!/usr/bin/env python3
"""Build both distributions once for each OpenSSL, and install them where they are tried.

    python tools/wheel.py system                  build on the system's OpenSSL
    python tools/wheel.py 3.5 --install           ... on 3.5, and install into this Python
    python tools/wheel.py system --define OPENSSL_IFACE_SANITIZE=ON

The core's wheel is abi3: what one Python has built, the others install.  Wheels are
kept in ``build/wheels`` under the digest of what went into them, and are built again
only when that has changed.  The last line printed is the directory of the two wheels.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import build_openssl

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "wheels"
# What goes into the wheels, below ROOT.
INPUTS = (
    "pyproject.toml",
    "CMakeLists.txt",
    "README.md",
    "LICENSE",
    "openssl_iface",
    "integrations/twisted/pyproject.toml",
    "integrations/twisted/README.md",
    "integrations/twisted/src",
)


def system_version() -> str:
    """The version of the OpenSSL that pkg-config finds by itself, empty if there is none."""
    try:
        found = subprocess.run(["pkg-config", "--modversion", "openssl"], text=True, capture_output=True)
    except FileNotFoundError:
        return ""
    return found.stdout.strip()


def is_system(series: str) -> bool:
    """Whether the system's own OpenSSL is of *series*."""
    version = system_version()
    return series == "system" or version == series or version.startswith(f"{series}.")


def environment(series: str) -> dict[str, str]:
    """The environment for a build on *series*, which is built first if need be."""
    variables = dict(os.environ)
    if not is_system(series):
        prefix = build_openssl.build(series, jobs=os.cpu_count() or 2)
        variables["PKG_CONFIG_PATH"] = str(prefix / "lib" / "pkgconfig")
    return variables


def digest(series: str, defines: list[str]) -> str:
    """What tells one pair of wheels from another."""
    stamp = build_openssl.prefix_of(series) / build_openssl.STAMP
    version = stamp.read_text() if not is_system(series) and stamp.is_file() else system_version()
    sum_ = hashlib.sha256(repr((series, version, sorted(defines))).encode())
    for name in INPUTS:
        top = ROOT / name
        files = sorted(path for path in top.rglob("*") if path.is_file()) if top.is_dir() else [top]
        for path in files:
            if "__pycache__" not in path.parts and path.suffix not in {".so", ".pyc", ".cache"}:
                sum_.update(repr((str(path.relative_to(ROOT)), path.read_bytes())).encode())
    return sum_.hexdigest()[:16]


def build(series: str, defines: list[str]) -> Path:
    """The directory with both wheels for *series*; built unless that has been done."""
    KEPT.mkdir(parents=True, exist_ok=True)
    variables = environment(series)
    label = "-".join([series, *(define.partition("=")[0].lower() for define in sorted(defines))])
    with (KEPT / f"{label}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target = KEPT / label / digest(series, defines)
        if target.is_dir():
            return target
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir()
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        settings = [f"-Cbuild-dir={ROOT / 'build' / label}"]
        settings += [f"-Ccmake.define.{define}" for define in defines]
        with tempfile.TemporaryDirectory(dir=target.parent) as name:
            subprocess.run([*pip, "-w", name, *settings, str(ROOT)], env=variables, check=True)
            subprocess.run([*pip, "-w", name, str(ROOT / "integrations/twisted")], check=True)
            Path(name).chmod(0o755)
            shutil.copytree(name, target)
    return target


def install(wheels: Path) -> None:
    """Put both distributions, with their extras, into the Python that runs this."""
    stamp = Path(sys.prefix) / ".openssl-iface-wheels"
    if stamp.is_file() and stamp.read_text() == str(wheels):
        return
    stamp.unlink(missing_ok=True)
    pip = [sys.executable, "-m", "pip"]
    # pip takes a wheel of a version that is installed already for done.
    subprocess.run([*pip, "uninstall", "-qq", "--yes", "openssl-iface", "openssl-iface-twisted"], check=True)
    core, twisted = sorted(wheels.glob("*.whl"))
    subprocess.run([*pip, "install", "--quiet", str(core), f"{twisted}[cli]"], check=True)
    stamp.write_text(str(wheels))


def main() -> int:
    parser = argparse.ArgumentParser(description="Build, and perhaps install, both distributions.")
    parser.add_argument("series", help=f"system, or one of {', '.join(build_openssl.SUITES)}")
    parser.add_argument("--define", action="append", default=[], metavar="KEY=VALUE", help="a CMake option")
    parser.add_argument("--install", action="store_true", help="into the Python that runs this")
    arguments = parser.parse_args()
    try:
        wheels = build(arguments.series, arguments.define)
        if arguments.install:
            install(wheels)
    except build_openssl.BuildError as error:
        print(f"wheel: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    print(wheels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
