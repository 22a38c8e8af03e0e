"""Peers that are programs: their standard input is sent, their standard output was received."""

from __future__ import annotations

import atexit
import contextlib
import queue
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from ..lanes import DEADLINE
from .base import Inbox, Make, Peer, PeerError, Settings

__all__ = ["ProgramPeer", "listening_port", "run"]

_LISTEN = "0A"
_alive: weakref.WeakSet[ProgramPeer] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for peer in list(_alive):
        peer.abort()
        peer.process.wait()


def run(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a short command prints; an empty text if it cannot be run."""
    try:
        done = subprocess.run(
            arguments,
            env=environment,
            capture_output=True,
            timeout=DEADLINE,
            stdin=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip()


def listening_port(pid: int) -> int | None:
    """The TCP port that a process listens on, IPv4 before IPv6 (Linux: *proc(5)*).

    The kernel chose it (the program bound port 0), so nobody else can have taken it, and no program
    needs to print it.
    """
    sockets = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(str(descriptor.readlink()))
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines():
                fields = line.split()
                if fields[3] == _LISTEN and f"socket:[{fields[9]}]" in sockets:
                    return int(fields[1].rpartition(":")[2], 16)
    return None


class ProgramPeer(Peer):
    """A peer that is a program.

    :param arguments: the command.
    :param environment: all of its environment.
    :param port: where a client connects to; ``None`` for a server, whose port is found.
    :param echo: write what is read back to the program.
    """

    def __init__(
        self,
        make: Make,
        settings: Settings,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        echo: bool = False,
    ) -> None:
        super().__init__(make, settings)
        self._errors = Inbox()
        self._echo = echo
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.arguments = list(arguments)
        try:
            # A session of its own, so that a key typed at a terminal does not end it.
            self.process = subprocess.Popen(
                self.arguments,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise PeerError(f"{make.name}: {arguments[0]} cannot be run: {error}") from error
        _alive.add(self)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._threads = [
            threading.Thread(target=target, args=args, name=f"{make.name} {args[-1]}", daemon=True)
            for target, args in (
                (self._read, (self.process.stdout, self._inbox, "output")),
                (self._read, (self.process.stderr, self._errors, "errors")),
                (self._write, ("input",)),
            )
        ]
        for thread in self._threads:
            thread.start()
        try:
            self.port = self._find_port() if port is None else port
        except BaseException:
            self.close()
            raise

    # -- the peer's face ---------------------------------------------------------

    def send(self, data: bytes) -> None:
        self._outbox.put(bytes(data))

    def end(self) -> None:
        self._outbox.put(None)

    def abort(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def wait(self, timeout: float = DEADLINE) -> int:
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.error(f"it has not ended within {timeout:g} s") from None
        self._inbox.wait_closed(timeout)
        self._errors.wait_closed(timeout)
        return code

    def close(self) -> None:
        self.abort()
        self.process.wait()
        self._outbox.put(None)
        for thread in self._threads:
            thread.join(DEADLINE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        _alive.discard(self)

    @property
    def log(self) -> str:
        state = "running" if (code := self.process.poll()) is None else f"exit code {code}"
        return f"{self._errors.everything.decode(errors='replace')}\n({state}: {' '.join(self.arguments)})"

    # -- the threads ---------------------------------------------------------------

    def _read(self, stream: IO[bytes], inbox: Inbox, _name: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := stream.read(65536):
                inbox.append(data)
                if self._echo and inbox is self._inbox:
                    self._outbox.put(data)
        inbox.close()

    def _write(self, _name: str) -> None:
        stream = self.process.stdin
        assert stream is not None
        with contextlib.suppress(OSError, ValueError):
            while (data := self._outbox.get()) is not None:
                rest = memoryview(data)
                while rest:
                    rest = rest[stream.write(rest) or 0 :]
        with contextlib.suppress(OSError):
            stream.close()

    def _find_port(self) -> int:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            port = listening_port(self.process.pid)
            if port is not None:
                return port
            if self.process.poll() is not None:
                self._errors.wait_closed(DEADLINE)
                raise self.error("it has ended before it listened")
            # Nothing tells us when a stranger begins to listen.
            time.sleep(0.005)
        raise self.error(f"it does not listen after {DEADLINE:g} s")
