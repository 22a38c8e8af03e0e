"""What the tests of the command share: running it as a user does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

PROGRAM = [sys.executable, "-P", "-m", "openssl_iface_twisted"]
# Far more than anything here takes.
PATIENCE = 120.0
# An editable install says when it looks whether it must be built again; NO_COLOR and the like are the user's.
ENVIRONMENT = {
    **{
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")
    },
    "SKBUILD_EDITABLE_VERBOSE": "0",
    "TERM": "xterm",
}


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end, without input unless ``input`` is given."""
    options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, **options.pop("environment", {})},
        timeout=PATIENCE,
        **options,
    )


def sentence(done: subprocess.CompletedProcess[bytes], status: int = 1) -> str:
    """What a command that failed has said: one sentence on standard error, and nothing else."""
    said = done.stderr.decode()
    assert done.returncode == status, said
    assert re.fullmatch(r"Error: [^\n]+\.\n", said), said
    assert done.stdout == b""
    return said


def rows(text: bytes) -> dict[str, str]:
    """The table, as it is written where there is no terminal."""
    lines = text.decode().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def heed_hangup() -> None:
    """Before the command begins: the tests may have been started by nohup(1), whose children ignore it."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Program:
    """The command at work; a context manager, which ends it for certain."""

    def __init__(self, *arguments: object, **options: Any) -> None:
        options.setdefault("preexec_fn", heed_hangup)
        self.process: Any = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=options.pop("stderr", subprocess.STDOUT),
            env=ENVIRONMENT,
            **options,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.decode().rstrip("\n"))
                self._changed.notify_all()

    def line(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """Wait for a line that matches."""

        def found() -> re.Match[str] | None:
            return next((match for match in (re.search(pattern, line) for line in self.lines) if match), None)

        with self._changed:
            match = self._changed.wait_for(found, timeout)
        assert match is not None, f"no line matched {pattern!r}: {self.lines}"
        return match

    def stop(self, number: int = signal.SIGINT) -> int:
        """Interrupt it; the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        status = self.process.wait(PATIENCE)
        self._thread.join(PATIENCE)
        return int(status)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join(PATIENCE)
        self.process.stdout.close()


class Server(Program):
    """``serve``, listening: ``port`` and ``ca``, the authority's file (``None`` if it is not ours)."""

    port: int
    ca: Path | None

    def __init__(self, directory: Path, *arguments: object, **options: Any) -> None:
        super().__init__("serve", directory, "--port", 0, *arguments, **options)

    def __enter__(self) -> Self:
        super().__enter__()
        self.line("offering")
        self.port = int(self.line(r"https://\S+:(\d+)/")[1])
        named = [line for line in self.lines if "curl --cacert" in line]
        self.ca = Path(named[0].split()[2]) if named else None
        return self
