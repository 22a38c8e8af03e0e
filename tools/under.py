#!/usr/bin/env python3
"""Run a command of this environment under a checker of memory.

python tools/under.py asan pytest ...       AddressSanitizer (the module must be built with it)
python tools/under.py valgrind pytest ...
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PEERS = ("openssl", "curl", "certtool", "gnutls-cli", "gnutls-serv")
SUPPRESSIONS = Path(__file__).with_name("valgrind.supp")


def without_preload() -> str:
    """A directory of wrappers for the tests' peers: some of them hang under AddressSanitizer's runtime."""
    directory = Path(tempfile.mkdtemp(prefix="openssl-iface-peers-"))
    for name in PEERS:
        found = shutil.which(name)
        if found is not None:
            wrapper = directory / name
            wrapper.write_text(f'#!/bin/sh\nunset LD_PRELOAD\nexec {found} "$@"\n')
            wrapper.chmod(0o755)
    return str(directory)


def asan(command: list[str]) -> list[str]:
    """The interpreter has no AddressSanitizer: its runtime must be there before all else."""
    compiler = os.environ.get("CC", "gcc")
    runtime = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], text=True, capture_output=True, check=True
    )
    os.environ["LD_PRELOAD"] = str(Path(runtime.stdout.strip()).resolve(strict=True))
    os.environ["PATH"] = f"{without_preload()}{os.pathsep}{os.environ['PATH']}"
    # CPython leaves its own blocks to the end of the process: leaks are valgrind's and the tests' to find.
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1"
    os.environ["PYTHONMALLOC"] = "malloc"
    return command


def valgrind(command: list[str]) -> list[str]:
    """Bad reads, bad writes and bad frees end with a status of its own, after all tests have run."""
    os.environ["PYTHONMALLOC"] = "malloc"
    return [
        "valgrind", "--quiet", "--error-exitcode=97", "--exit-on-first-error=no", "--leak-check=no",
        "--undef-value-errors=no", "--trace-children=no", "--num-callers=30",
        f"--suppressions={SUPPRESSIONS}", *command,
    ]  # fmt: skip


def main() -> int:
    checkers = {"asan": asan, "valgrind": valgrind}
    if len(sys.argv) < 3 or sys.argv[1] not in checkers:
        print(__doc__, file=sys.stderr)
        return 2
    # The environment's scripts begin with `#!`, so it is its Python that is checked, not a shell.
    script = shutil.which(sys.argv[2])
    if script is None:
        print(f"under: {sys.argv[2]} is not in this environment", file=sys.stderr)
        return 2
    command = checkers[sys.argv[1]]([sys.executable, script, *sys.argv[3:]])
    return os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
