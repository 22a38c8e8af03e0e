"""A guard against changes that halve the speed: ratios of instructions, with generous bounds.

``python -m benchmarks --guard``.  *callgrind* counts the instructions of one process that does a work
so often, and of one that does it more often: the difference does not depend on what else the machine does.
Without valgrind it is CPU time within one process, by turns; the best of a few attempts counts then,
since noise makes a ratio worse or better but a slow change makes it worse always.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from .inprocess import Files, contexts, pumps, rates
from .pki import files


class Bound(NamedTuple):
    """What must not take more: *ours*, against *other*."""

    title: str
    size: int
    ours: str
    other: str
    least: float  # work of ours for one of the other's


# About two thirds of what was counted on OpenSSL 3.0, where they are least: 2.9, 1.67, 1.17, 3.4.
BOUNDS = (
    Bound("pump of 100 B", 100, "ours", "pyopenssl", 1.9),
    Bound("pump of 100 B, the manual's face", 100, "ours-manual", "pyopenssl", 1.1),
    Bound("pump of 100 B", 100, "ours", "standard", 0.76),
    Bound("event under Twisted, 100 B", 100, "twisted-ours", "twisted-pyopenssl", 2.2),
)
# By CPU time, which has no place for a reactor, and knows the context's trust store.
TIMES = (*BOUNDS[:3], Bound("verifying client context", 0, "ours", "pyopenssl", 15.0))
FEW, MANY = 100, 500
ATTEMPTS = 3


def instructions(name: str, size: int) -> float:
    """How many instructions one operation of competitor *name* takes."""
    with ThreadPoolExecutor(2) as threads:
        few, many = threads.map(lambda count: _counted(name, size, count), (FEW, MANY))
    return (many - few) / (MANY - FEW)


def _counted(name: str, size: int, count: int) -> int:
    command = [
        "valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}",
        sys.executable, "-P", "-m", "benchmarks.inprocess", "count", name, str(size), str(count), *_pem(),
    ]  # fmt: skip
    # The order of dictionaries and sets is a matter of the seed, and so is what building them takes.
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(f"{name}: it could not be counted:\n{done.stderr[-2000:]}")
    return int(found[1])


def _pem() -> Files:
    made = files()
    return Files(str(made.certificates["EC"]), str(made.keys["EC"]), str(made.authority))


def _by_counting() -> bool:
    taken: dict[tuple[str, int], float] = {}
    good = True
    for bound in BOUNDS:
        for name in (bound.ours, bound.other):
            if (name, bound.size) not in taken:
                taken[name, bound.size] = instructions(name, bound.size)
        mine, theirs = taken[bound.ours, bound.size], taken[bound.other, bound.size]
        good = _say(bound, theirs / mine, f"{mine:,.0f} instructions to {theirs:,.0f}") and good
    return good


def _by_time() -> bool:
    print("valgrind is not here: CPU time is compared, which is less certain")
    good = True
    for bound in TIMES:
        best = 0.0
        for _ in range(ATTEMPTS):
            best = max(best, _timed(bound))
            if best >= bound.least:
                break
        good = _say(bound, best, "by CPU time") and good
    return good


def _timed(bound: Bound) -> float:
    """The median ratio of some short rounds."""
    competitors = pumps(_pem(), bound.size) if bound.size else contexts()
    found = rates({name: competitors[name] for name in (bound.ours, bound.other)}, rounds=5, seconds=0.1)
    pairs = zip(found[bound.ours], found[bound.other], strict=True)
    return statistics.median(one / two for one, two in pairs)


def _say(bound: Bound, ratio: float, how: str) -> bool:
    holds = ratio >= bound.least
    verdict = "good" if holds else "TOO SLOW"
    what = f"{bound.title}, {bound.ours} over {bound.other}"
    print(f"{what}: {ratio:.2f} ({how}), at least {bound.least:.2f}: {verdict}", flush=True)
    return holds


def guard() -> bool:
    """Whether all bounds hold; says each."""
    return _by_counting() if shutil.which("valgrind") else _by_time()
