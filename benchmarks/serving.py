"""Servers as processes, pinned to their core, and the load that is put on them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from . import HERE, machine
from .machine import Cores
from .pki import Files
from .works import PEERS, Work


class FailedError(Exception):
    """A server or the load did not do what it should; the text is what it said."""


class Server:
    """One server: a context manager that ends it."""

    def __init__(
        self,
        peer: str,
        work: str,
        programs: dict[str, Path],
        pki: Files,
        cores: Cores,
        *options: str,
        **choice: Any,
    ) -> None:
        """*choice*: ``key`` (EC or RSA) and ``client`` (whether it demands certificates)."""
        self.peer = PEERS[peer]
        self.cores = cores
        self.pki = pki
        self.programs = programs
        self.key = choice.get("key", "EC")
        self.client = choice.get("client", False)
        command = [str(programs["server"])]
        if self.peer.script:
            command = [sys.executable, str(HERE / "servers" / self.peer.script), *self.peer.arguments]
        command += ["--work", work]
        if self.peer.tls:
            command += ["--cert", str(pki.certificates[self.key]), "--key", str(pki.keys[self.key])]
            if self.client:
                command += ["--client-ca", str(pki.authority)]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the server
        self.process = subprocess.Popen(
            [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self.pid = self.process.pid
        os.sched_setaffinity(self.pid, {cores.server})
        assert self.process.stdout is not None
        port = None
        for line in self.process.stdout:  # an editable install may speak first
            port = re.match(r"PORT (\d+)", line)
            if port is not None:
                break
        if port is None:
            raise FailedError(f"{self.peer.title} does not start:\n{self.log()}")
        self.port = int(port[1])
        self.description = self.process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def log(self) -> str:
        """The end of what it has written on standard error."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-3000:]

    def stop(self) -> None:
        """End it, once."""
        if self.process.stdout is None or self.process.stdout.closed:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._log.close()

    def load_command(self, options: dict[str, Any]) -> list[str]:
        """The load's command line against this server."""
        given = {"ca": self.pki.authority, "key": self.key, "port": self.port, "pid": self.pid, **options}
        if not self.peer.tls:
            given["tls"] = "none"
        if self.client:
            given["client-cert"] = self.pki.certificates["client"]
            given["client-key"] = self.pki.keys["client"]
        return [str(self.programs["load"])] + [
            word for name, value in given.items() for word in (f"--{name}", str(value))
        ]

    def measure(self, work: Work, warmup: float, seconds: float) -> dict[str, Any]:
        """Put *work* on it once; the load's own report, with rates and what others took of the machine."""
        noise = machine.Noise(self.cores)
        used = machine.cpu_clock(self.pid)
        result = run_load(self, {**work.load, "warmup": warmup, "seconds": seconds})
        done = result["bytes" if work.unit == "bytes" else "operations"]
        used = machine.cpu_clock(self.pid) - used
        result["others"] = noise.others(used + result.pop("children"))
        result["per_cpu_second"] = done / result["cpu"]
        result["per_second"] = done / result["wall"]
        result["utilisation"] = result["cpu"] / result["wall"]
        result["load_utilisation"] = result["own"] / result["wall"]
        result["resident"] = machine.resident(self.pid)
        return result


def run_load(server: Server, options: dict[str, Any]) -> dict[str, Any]:
    """Run the load once on its core; its report, and its CPU time as ``children``."""
    before = os.times()
    load = subprocess.Popen(
        server.load_command(options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(load.pid, {server.cores.load})
    out, err = load.communicate(timeout=120)
    if load.returncode:
        raise FailedError(f"{server.peer.title}, {options}: {err.strip()}\nthe server says: {server.log()}")
    after = os.times()
    result: dict[str, Any] = json.loads(out)
    result["children"] = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return result


def idle_memory(server: Server, connections: int) -> float:
    """Resident bytes for each of *connections* that have echoed once and now do nothing."""
    run_load(server, {"work": "echo", "connections": 20, "warmup": 0.1, "seconds": 0.1})
    time.sleep(0.2)
    before = machine.resident(server.pid)
    command = server.load_command({"work": "idle", "connections": connections})
    load = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert load.stdout is not None
    os.sched_setaffinity(load.pid, {server.cores.load})
    if load.stdout.readline().strip() != "idle":
        raise FailedError(f"{server.peer.title}, {connections} idle connections: {load.communicate()[1]}")
    grown = machine.resident(server.pid) - before
    load.communicate()
    return grown / connections


def system_calls(server: Server, work: Work, seconds: float) -> float | None:
    """System calls of the server for each operation; ``None`` without *strace*.

    The load is on from before strace looks to after it: a share of the operations, by
    time, belongs to it.
    """
    if shutil.which("strace") is None:
        return None
    with tempfile.NamedTemporaryFile("r") as report:
        command = ["strace", "-f", "-c", "-o", report.name, "-p", str(server.pid)]
        strace = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert strace.stderr is not None
        if "attached" not in strace.stderr.readline():
            strace.kill()
            strace.communicate()
            return None
        try:
            result = run_load(server, {**work.load, "warmup": 0, "seconds": seconds})
        finally:
            strace.send_signal(signal.SIGINT)
            strace.communicate()
        total = re.search(r"^\s*100\.00\s+\S+\s+\S+\s+(\d+)", report.read(), re.M)
    return int(total[1]) / result["all"] if total else None
