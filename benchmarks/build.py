"""The C programs: compiled when they have changed, against the libssl that our binding runs on."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from . import HERE

SOURCES = HERE / "c"
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")

# Loads the binding alone, so that no other module's libssl is in the map.
ASK = """
from openssl_iface.registry import get_backend
print(get_backend().running.text)
print(open("/proc/self/maps").read())
"""


class MissingError(Exception):
    """Something that has to be installed; the text is one sentence that says what."""


def cache() -> Path:
    """Where the programs and the certificates are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "openssl-iface" / "benchmarks"
    path.mkdir(parents=True, exist_ok=True)
    return path


def our_openssl() -> tuple[str, Path | None]:
    """The OpenSSL that our binding runs on: its version, and its pkg-config directory if it has its own."""
    asked = subprocess.run([sys.executable, "-P", "-c", ASK], capture_output=True, text=True)
    if asked.returncode:
        raise MissingError(f"openssl_iface cannot be loaded: {asked.stderr.strip().splitlines()[-1]}")
    version = asked.stdout.splitlines()[0]
    found = re.search(r"(/\S+)/libssl\.so", asked.stdout)
    own = Path(found[1]) / "pkgconfig" if found else None
    return version, own if own is not None and (own / "openssl.pc").is_file() else None


def _flags(packages: Path | None) -> list[str]:
    environment = dict(os.environ)
    if packages is not None:
        environment["PKG_CONFIG_PATH"] = str(packages)
    command = ["pkg-config", "--cflags", "--libs", "openssl"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, env=environment)
    except FileNotFoundError:
        raise MissingError("pkg-config is missing (Debian: apt-get install pkg-config)") from None
    if asked.returncode:
        raise MissingError("the headers of OpenSSL are missing (Debian: apt-get install libssl-dev)")
    flags = shlex.split(asked.stdout)
    return flags + [f"-Wl,-rpath,{flag[2:]}" for flag in flags if flag.startswith("-L")]


def programs() -> dict[str, Path]:
    """``load`` and ``server``, ready to run."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise MissingError("a C compiler is missing (Debian: apt-get install build-essential)")
    version, packages = our_openssl()
    flags = [*FLAGS, *_flags(packages)]
    digest = hashlib.sha256(repr((compiler, version, flags)).encode())
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.read_bytes())
    place = cache() / digest.hexdigest()[:16]
    made = {name: place / name for name in ("load", "server")}
    for name, path in made.items():
        if path.exists():
            continue
        place.mkdir(exist_ok=True)
        part = place / f"{name}.{os.getpid()}"
        command = [compiler, "-o", str(part), str(SOURCES / f"{name}.c"), *flags]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise MissingError(f"{name}.c cannot be compiled: {shlex.join(command)}\n{result.stderr}")
        part.replace(path)
    return made
