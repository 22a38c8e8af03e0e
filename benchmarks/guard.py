"""A guard against changes that halve the speed: ratios within one process, with generous bounds.

``python -m benchmarks --guard``.  CPU time of this thread, ours and the standard library's by
turns, so that it holds on any machine and beside anything; the best of a few attempts
counts, since noise makes a ratio worse or better but a slow change makes it worse always.
"""

from __future__ import annotations

import statistics

from .inprocess import Files, contexts, pumps, rates
from .pki import files

# ours over the other's: at least.  About two thirds of what was measured on OpenSSL 3.0, where
# they are least: 0.87, 1.94, 0.94, 36.
BOUNDS = (
    ("pump of 100 B", 100, "standard", 0.6),
    ("pump of 100 B", 100, "pyopenssl", 1.3),
    ("pump of 16 KiB", 16384, "standard", 0.65),
    ("verifying client context", 0, "pyopenssl", 15.0),
)
ATTEMPTS = 3


def measure(size: int, other: str) -> float:
    """The median ratio to *other* of some short rounds."""
    made = files()
    pem = Files(str(made.certificates["EC"]), str(made.keys["EC"]), str(made.authority))
    competitors = pumps(pem, size) if size else contexts()
    chosen = {name: competitors[name] for name in ("ours", other)}
    found = rates(chosen, rounds=5, seconds=0.1)
    return statistics.median(one / two for one, two in zip(found["ours"], found[other], strict=True))


def guard() -> bool:
    """Whether all bounds hold; says each."""
    good = True
    for title, size, other, bound in BOUNDS:
        best = 0.0
        for _ in range(ATTEMPTS):
            best = max(best, measure(size, other))
            if best >= bound:
                break
        holds = best >= bound
        good = good and holds
        verdict = "good" if holds else "TOO SLOW"
        print(f"{title}, ours over {other}: {best:.2f}, at least {bound:.2f}: {verdict}")
    return good
