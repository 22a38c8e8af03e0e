"""The machine: which core is whose, what else ran on it, and what a process is using."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Cores(NamedTuple):
    """The server's and the load's."""

    server: int
    load: int


def cores() -> Cores:
    """Two that we may use; one for both, if there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[1] if len(allowed) > 1 else allowed[0])


def description() -> str:
    """The processor, the kernel, the Python."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    processor = found[1] if found else platform.processor()
    return (
        f"{processor}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    )


def cpu_clock(pid: int) -> float:
    """The CPU time of a process (seconds, user and system), by its own clock: *clock_getcpuclockid(3)*."""
    return time.clock_gettime(~pid << 3 | 2)


def resident(pid: int) -> int:
    """Resident memory of a process (bytes)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def busy(core: int) -> float:
    """Seconds that *core* has spent on processes since it started, and those that the host took from it.

    Interrupts are left out: those of the loopback are the work itself.
    """
    line = next(one for one in Path("/proc/stat").read_text().splitlines() if one.startswith(f"cpu{core} "))
    user, nice, system, _idle, _wait, _irq, _softirq, steal = (int(one) for one in line.split()[1:9])
    return (user + nice + system + steal) / TICKS


class Noise:
    """What others did on our two cores while something was measured."""

    # Of an interval: what is more is noise.
    LIMIT = 0.08

    def __init__(self, cores: Cores) -> None:
        self._cores = cores
        self._start = time.monotonic(), self._busy()

    def _busy(self) -> float:
        return sum(busy(core) for core in set(self._cores))

    def others(self, ours: float) -> float:
        """The part of the two cores (0 to 1) that went to others, given what we used (seconds)."""
        begin, before = self._start
        spent = (time.monotonic() - begin) * len(set(self._cores))
        return max(0.0, (self._busy() - before - ours) / spent)
