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
# What valgrind leaves alone: all but Python.
OTHERS = ",".join(f"*/{name}" for name in (*PEERS, "sh", "dash", "gcc", "uname", "ldconfig*", "git"))
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


def asan(command: list[str]) -> int:
    """The interpreter has no AddressSanitizer: its runtime must be there before all else."""
    compiler = os.environ.get("CC", "gcc")
    runtime = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], text=True, capture_output=True, check=True
    )
    os.environ["LD_PRELOAD"] = str(Path(runtime.stdout.strip()).resolve(strict=True))
    os.environ["PATH"] = f"{without_preload()}{os.pathsep}{os.environ['PATH']}"
    # CPython leaves its own blocks to the end of the process: leaks are the tests' to find.
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1"
    return subprocess.run(command).returncode


def valgrind(command: list[str]) -> int:
    """Bad reads, bad writes and bad frees, in every Python that the command starts."""
    with tempfile.TemporaryDirectory(prefix="openssl-iface-valgrind-") as logs:
        prefix = [
            "valgrind", "--quiet", "--leak-check=no", "--undef-value-errors=no", "--num-callers=30",
            "--fair-sched=yes", "--trace-children=yes", f"--trace-children-skip={OTHERS}",
            f"--suppressions={SUPPRESSIONS}", f"--log-file={logs}/%p",
        ]  # fmt: skip
        status = subprocess.run([*prefix, *command]).returncode
        found = [text for text in (path.read_text() for path in Path(logs).iterdir()) if text.strip()]
    print("".join(found), end="")
    print(f"valgrind: {len(found)} processes with errors")
    return status or (97 if found else 0)


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
    os.environ["PYTHONMALLOC"] = "malloc"
    return checkers[sys.argv[1]]([sys.executable, script, *sys.argv[3:]])


if __name__ == "__main__":
    sys.exit(main())
