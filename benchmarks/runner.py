"""Rounds: in each, every peer does the same work, in an order that changes from round to round."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from . import HERE, machine, works
from .machine import Cores
from .pki import Files
from .serving import FailedError, Server, idle_memory, system_calls
from .works import OURS, PEERS, WORKS, Work

# One measurement of one peer; and all of a run: work -> peer -> one for each round.
Sample = dict[str, Any]
Samples = dict[str, dict[str, list[Sample]]]


class Plan(NamedTuple):
    """What is to be done."""

    names: list[str]
    peers: list[str]
    rounds: int
    seconds: float
    warmup: float
    idle_connections: int
    system_calls: bool


def _kind(work: Work) -> tuple[str, str, bool]:
    """What tells one server of a peer from another."""
    return work.server, work.key, work.client


class Runner:
    """Does the work of a plan; ``samples`` is what came of it."""

    def __init__(self, plan: Plan, programs: dict[str, Path], pki: Files) -> None:
        self.plan = plan
        self.programs = programs
        self.pki = pki
        self.cores: Cores = machine.cores()
        self.samples: Samples = {}
        self.descriptions: dict[str, str] = {}
        self.omitted: dict[str, str] = {}
        self._running: dict[tuple[str, str, bool], dict[str, Server]] = {}
        # The runner itself keeps out of the server's way.
        os.sched_setaffinity(0, {self.cores.load})

    def run(self) -> None:
        """All of it."""
        with ExitStack() as self._stack:
            for index, name in enumerate(self.plan.names):
                begin = time.monotonic()
                if name in WORKS:
                    self._served(name, WORKS[name])
                elif name == works.HTTPS:
                    self._https()
                elif name == works.MEMORY:
                    self._memory()
                else:
                    self._in_process(name)
                needed = {_kind(WORKS[one]) for one in self.plan.names[index + 1 :] if one in WORKS}
                for kind in set(self._running) - needed:
                    for server in self._running.pop(kind).values():
                        server.stop()
                print(f"  {name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)

    def _turns(self, peers: list[str]) -> list[list[str]]:
        """The order of the peers in each round: each begins in turn."""
        return [peers[i % len(peers) :] + peers[: i % len(peers)] for i in range(self.plan.rounds)]

    def _start(self, stack: ExitStack, peer: str, work: str, *options: str, **choice: Any) -> Server:
        server = stack.enter_context(
            Server(peer, work, self.programs, self.pki, self.cores, *options, **choice)
        )
        self.descriptions[peer] = f"C, {server.description}" if peer == "c" else server.description
        return server

    def _servers(self, work: Work) -> dict[str, Server]:
        """Those that do *work*; they stay for what comes next, if it is of the same kind."""
        found = self._running.setdefault(_kind(work), {})
        for one in self.plan.peers:
            if one not in found and work.server in PEERS[one].works:
                found[one] = self._start(self._stack, one, work.server, key=work.key, client=work.client)
        return found

    def _served(self, name: str, work: Work) -> None:
        servers = self._servers(work)
        peers = [one for one in servers if PEERS[one].tls or not work.tls_only]
        self.samples[name] = {one: [] for one in peers}
        for turn in self._turns(peers):
            for one in turn:
                self.samples[name][one].append(
                    servers[one].measure(work, self.plan.warmup, self.plan.seconds)
                )
        if self.plan.system_calls and work.unit == "operations":
            for one in peers:
                calls = system_calls(servers[one], work, self.plan.seconds)
                if calls is not None:
                    self.samples[name][one][0]["system_calls"] = calls

    def _https(self) -> None:
        if shutil.which("wrk") is None:
            self.omitted[works.HTTPS] = "wrk is missing (Debian: apt-get install wrk)"
            return
        peers = [one for one in self.plan.peers if "web" in PEERS[one].works]
        self.samples[works.HTTPS] = {one: [] for one in peers}
        with ExitStack() as stack:
            servers = {one: self._start(stack, one, "web") for one in peers}
            for one in peers:
                self._wrk(servers[one], 1)
            for turn in self._turns(peers):
                for one in turn:
                    self.samples[works.HTTPS][one].append(
                        self._wrk(servers[one], max(1, round(self.plan.seconds)))
                    )

    def _wrk(self, server: Server, seconds: int) -> Sample:
        scheme = "https" if server.peer.tls else "http"
        command = ["taskset", "-c", str(self.cores.load), "wrk", "-t1", "-c50", f"-d{seconds}s"]
        noise, spent = machine.Noise(self.cores), os.times()
        used, begin = machine.cpu_clock(server.pid), time.monotonic()
        result = subprocess.run(
            [*command, f"{scheme}://127.0.0.1:{server.port}/"], capture_output=True, text=True
        )
        used, wall, after = machine.cpu_clock(server.pid) - used, time.monotonic() - begin, os.times()
        found = re.search(r"(\d+) requests in", result.stdout)
        bad = re.search(r"(Non-2xx.*|Socket errors.*)", result.stdout)
        if found is None or bad:
            raise FailedError(f"wrk, {server.peer.title}: {bad[1] if bad else result.stderr}")
        children = after.children_user + after.children_system - spent.children_user - spent.children_system
        return {
            "per_cpu_second": int(found[1]) / used,
            "per_second": int(found[1]) / wall,
            "utilisation": used / wall,
            "load_utilisation": children / wall,
            "resident": machine.resident(server.pid),
            "others": noise.others(used + children),
        }

    def _memory(self) -> None:
        connections = self.plan.idle_connections
        peers = [one for one in self.plan.peers if "echo" in PEERS[one].works]
        self.samples[works.MEMORY] = {one: [] for one in peers}
        # It hardly varies, and takes long.
        for turn in self._turns(peers)[: 1 + self.plan.rounds // 4]:
            for one in turn:
                options = ("--release", "1") if one == "c" else ()
                with ExitStack() as stack:
                    server = self._start(stack, one, "echo", *options)
                    self.samples[works.MEMORY][one].append({"bytes": idle_memory(server, connections)})

    def _in_process(self, name: str) -> None:
        what = "context" if name == works.CONTEXT else "pump"
        pem = self.pki.certificates["EC"], self.pki.keys["EC"], self.pki.authority
        seconds = min(0.3, self.plan.seconds)
        numbers = works.PUMPS.get(name, 0), self.plan.rounds, seconds
        command = [
            "taskset",
            "-c",
            str(self.cores.server),
            sys.executable,
            "-P",
            str(HERE / "inprocess.py"),
            what,
        ]
        noise, before = machine.Noise(self.cores), os.times()
        result = subprocess.run(
            [*command, *map(str, numbers), *map(str, pem)], capture_output=True, text=True
        )
        if result.returncode:
            raise FailedError(f"{name}: {result.stderr}")
        after = os.times()
        others = noise.others(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
        rates = json.loads(result.stdout.splitlines()[-1])
        self.samples[name] = {
            one: [{"per_cpu_second": rate, "others": others} for rate in found]
            for one, found in rates.items()
        }


def choose(pattern: str | None, quick: bool) -> list[str]:
    """The names of the work that *pattern* (shell's, several with commas) means."""
    if pattern:
        wanted = pattern.split(",")
        return [name for name in works.ALL if any(fnmatch.fnmatch(name, one) for one in wanted)]
    if quick:
        return [name for name in works.ALL if name not in WORKS or WORKS[name].quick]
    return list(works.ALL)


def choose_peers(given: str | None) -> list[str]:
    """Ours, and those that are named (all of them, if none is)."""
    if not given:
        return list(PEERS)
    wanted = given.split(",")
    unknown = [one for one in wanted if one not in PEERS]
    if unknown:
        raise ValueError(f"--peers: there is no {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return [OURS, *(one for one in PEERS if one in wanted and one != OURS)]
