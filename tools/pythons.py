#!/usr/bin/env python3
"""Find the Pythons that this project supports: on PATH, or among pyenv's.

python tools/pythons.py               a line for each: version and path, or "missing"
python tools/pythons.py --discover    the paths, separated by the path separator, for TOX_DISCOVER
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13")


def candidates(version: str) -> Iterator[str]:
    """Where an interpreter of *version* may be, the likeliest first."""
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        yield getattr(sys, "_base_executable", sys.executable)
    found = shutil.which(f"python{version}")
    if found:
        yield found
    roots = [Path(root) for root in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv") if root]
    for root in dict.fromkeys(roots):
        for python in sorted(root.glob(f"versions/{version}.*/bin/python{version}"), reverse=True):
            yield str(python)


def find(version: str) -> str | None:
    """An interpreter of *version* that runs and can make virtual environments.

    A name on PATH is not enough: pyenv's shims are there for versions that are not chosen.
    """
    check = f"import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != {version!r})"
    for python in candidates(version):
        if subprocess.run([python, "-I", "-c", check], capture_output=True).returncode == 0:
            return python
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="Find the Pythons that this project supports.")
    parser.add_argument("--discover", action="store_true", help="only the paths, for TOX_DISCOVER")
    arguments = parser.parse_args()
    found = {version: find(version) for version in SUPPORTED}
    if arguments.discover:
        print(os.pathsep.join(python for python in found.values() if python))
    else:
        for version, python in found.items():
            print(version, python or "missing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
