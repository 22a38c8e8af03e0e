"""What a run has shown: ratios, their spread, the targets, and whether it may be believed."""

from __future__ import annotations

import statistics
from typing import Any

from . import machine, works
from .runner import Sample, Samples
from .works import OURS, PEERS, TARGETS, WORKS

# A ratio's spread (the middle half of the rounds over the median) beyond which it is not to be quoted.
SPREAD_LIMIT = 0.15
# So many of the measurements may be disturbed before the run is called too noisy.
DISTURBED_LIMIT = 0.2

TITLES = {
    works.HTTPS: "HTTPS requests, twisted.web, 50 connections",
    works.MEMORY: "memory per idle connection",
    works.CONTEXT: "verifying client context, second and later",
    "pump-100": "in-memory pump, 100 B",
    "pump-16k": "in-memory pump, 16 KiB",
}
# Competitors without a server.
NAMES = {"ours": "ours", "ours-manual": "ours, the manual's face", "standard": "standard library"}


def title_of(work: str) -> str:
    """What a work is called."""
    return WORKS[work].title if work in WORKS else TITLES[work]


def name_of(peer: str, work: str) -> str:
    """What a peer is called."""
    if work in works.PUMPS or work == works.CONTEXT:
        return NAMES.get(peer, "pyOpenSSL")
    return PEERS[peer].title


def _figure(sample: Sample, measure: str) -> float:
    return float(sample[measure])


def ratios(samples: dict[str, list[Sample]], peer: str, measure: str) -> list[float]:
    """Ours over theirs, round by round."""
    return [
        _figure(one, measure) / _figure(other, measure)
        for one, other in zip(samples[OURS], samples[peer], strict=True)
        if measure in one and measure in other
    ]


def spread(values: list[float]) -> float:
    """The middle half of *values*, as a part of their median."""
    if len(values) < 3:
        return 0.0
    quarters = statistics.quantiles(values, n=4, method="inclusive")
    return (quarters[2] - quarters[0]) / statistics.median(values)


def summary(samples: Samples) -> dict[str, Any]:
    """Medians and spreads, for the JSON, the table and the picture."""
    found: dict[str, Any] = {}
    for work, by_peer in samples.items():
        measures = ("bytes",) if work == works.MEMORY else ("per_cpu_second", "per_second")
        found[work] = {}
        for peer, taken in by_peer.items():
            entry: dict[str, Any] = {}
            for measure in (*measures, "utilisation", "resident", "system_calls"):
                values = [_figure(one, measure) for one in taken if measure in one]
                if values:
                    entry[measure] = statistics.median(values)
            if peer != OURS:
                for measure in measures:
                    values = ratios(by_peer, peer, measure)
                    if values:
                        entry[f"ratio_{measure}"] = {
                            "median": statistics.median(values),
                            "least": min(values),
                            "most": max(values),
                            "spread": spread(values),
                        }
            found[work][peer] = entry
    return found


def noise(samples: Samples, summed: dict[str, Any]) -> list[str]:
    """Sentences that say why this run should not be believed; none for a quiet one."""
    sentences = []
    every = [one for by_peer in samples.values() for few in by_peer.values() for one in few]
    taken = [one["others"] for one in every if "others" in one]
    disturbed = [part for part in taken if part > machine.Noise.LIMIT]
    if taken and len(disturbed) > DISTURBED_LIMIT * len(taken):
        sentences.append(
            f"The machine was too noisy: in {len(disturbed)} of {len(taken)} measurements other processes"
            f" took more than {machine.Noise.LIMIT:.0%} of the two cores"
            f" (the median {statistics.median(disturbed):.0%})."
            " Do not quote these figures."
        )
    wide = [
        f"{work} to {peer} ({entry['ratio_per_cpu_second']['spread']:.0%})"
        for work, by_peer in summed.items()
        for peer, entry in by_peer.items()
        if entry.get("ratio_per_cpu_second", {}).get("spread", 0) > SPREAD_LIMIT
    ]
    if wide:
        sentences.append(f"Ratios that vary too much from round to round to be quoted: {', '.join(wide)}.")
    return sentences


def _number(value: float, work: str) -> str:
    if work in WORKS and WORKS[work].unit == "bytes":
        return f"{value / 1e6:,.0f} MB"
    if work == works.MEMORY:
        return f"{value / 1024:,.1f} KiB"
    return f"{value:,.0f}"


def _ratio(entry: dict[str, Any], measure: str) -> str:
    found = entry.get(f"ratio_{measure}")
    return f"{found['median']:.2f} ({found['least']:.2f}-{found['most']:.2f})" if found else ""


def table(summed: dict[str, Any]) -> str:
    """All figures, one block for each work."""
    lines = []
    for work, by_peer in summed.items():
        memory = work == works.MEMORY
        lines.append("")
        lines.append(title_of(work))
        head = (
            "",
            "per connection" if memory else "per CPU-s",
            "ours/theirs",
            "per s",
            "ours/theirs",
            "busy",
            "RSS",
            "calls/op",
        )
        lines.append("  {:26}{:>15}{:>20}{:>12}{:>20}{:>6}{:>9}{:>9}".format(*head).rstrip())
        for peer, entry in by_peer.items():
            measure = "bytes" if memory else "per_cpu_second"
            cells = (
                name_of(peer, work),
                _number(entry[measure], work),
                _ratio(entry, measure),
                _number(entry["per_second"], work) if "per_second" in entry else "",
                _ratio(entry, "per_second"),
                f"{entry['utilisation']:.0%}" if "utilisation" in entry else "",
                f"{entry['resident'] / 2**20:.0f} MiB" if "resident" in entry else "",
                f"{entry['system_calls']:.2f}" if "system_calls" in entry else "",
            )
            lines.append("  {:26}{:>15}{:>20}{:>12}{:>20}{:>6}{:>9}{:>9}".format(*cells).rstrip())
    return "\n".join(lines)


def targets(summed: dict[str, Any]) -> list[tuple[str, str, float, float, bool]]:
    """For each target that was measured: work, peer, what is promised, what is, whether it holds."""
    found = []
    for work, peer, promised in TARGETS:
        entry = summed.get(work, {}).get(peer, {})
        measured = entry.get("ratio_bytes" if work == works.MEMORY else "ratio_per_cpu_second")
        if measured:
            value = measured["median"]
            holds = value <= promised if work == works.MEMORY else value >= promised
            found.append((work, peer, promised, value, holds))
    return found


def target_table(summed: dict[str, Any]) -> str:
    """The targets, a line each."""
    lines = ["Targets: work per CPU-second of the server, ours over theirs"]
    for work, peer, promised, value, holds in targets(summed):
        bound = "at most" if work == works.MEMORY else "at least"
        lines.append(
            f"  {title_of(work):44}{name_of(peer, work):22}{bound} {promised:5.2f}  measured {value:6.2f}"
            f"  {'met' if holds else 'MISSED'}"
        )
    return "\n".join(lines) if len(lines) > 1 else ""
