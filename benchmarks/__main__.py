"""``python -m benchmarks``: run, print, write."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from . import machine, pki, report, works
from .build import MissingError, our_openssl, programs
from .picture import draw
from .runner import Plan, Runner, choose, choose_peers
from .serving import FailedError


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Our stack and its peers under one load."
    )
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run of less than a minute: its figures mean little"
    )
    parser.add_argument("--rounds", type=int, help="how often each peer does each work (5; quick: 1)")
    parser.add_argument("--seconds", type=float, help="how long each time (0.8; quick: 0.2)")
    parser.add_argument("--only", metavar="PATTERN", help="the work that matches, such as 'echo-*,bulk-in'")
    parser.add_argument("--peers", metavar="LIST", help=f"those alone, with commas: {','.join(works.PEERS)}")
    parser.add_argument(
        "--idle", type=int, metavar="N", help="idle connections for the memory (5000; quick: 300)"
    )
    parser.add_argument("--system-calls", action="store_true", help="count them with strace (slow)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw a picture")
    parser.add_argument("--list", action="store_true", help="the names of the work")
    parser.add_argument(
        "--guard", action="store_true", help="only look whether something has become much slower"
    )
    given = parser.parse_args()
    if given.list:
        print("\n".join(f"{name:28}{report.title_of(name)}" for name in works.ALL))
        return 0
    if given.guard:
        from .guard import guard

        return 0 if guard() else 1
    quick = given.quick
    plan = Plan(
        names=choose(given.only, quick),
        peers=choose_peers(given.peers),
        rounds=given.rounds or (1 if quick else 5),
        seconds=given.seconds or (0.2 if quick else 0.8),
        warmup=0.1 if quick else 0.3,
        idle_connections=given.idle or (300 if quick else 5000),
        system_calls=given.system_calls,
    )
    if not plan.names:
        parser.error(f"--only: nothing is called {given.only!r}; --list says what there is")
    begin = time.monotonic()
    runner = Runner(plan, programs(), pki.files())
    runner.run()
    summed = report.summary(runner.samples)
    lines = [f"{machine.description()}; ours on {our_openssl()[0]}", ""]
    lines += [f"  {works.PEERS[peer].title:24}{text}" for peer, text in runner.descriptions.items()]
    print("\n".join(lines))
    print(report.table(summed))
    print(f"\n{report.target_table(summed)}")
    for name, why in runner.omitted.items():
        print(f"\nLeft out: {report.title_of(name)}: {why}.")
    sentences = report.noise(runner.samples, summed)
    print("\n" + "\n".join(sentences or ["The machine was quiet enough."]))
    print(f"{plan.rounds} rounds, {time.monotonic() - begin:.0f} s in all")
    if given.json:
        everything = {
            "machine": machine.description(),
            "openssl": our_openssl()[0],
            "peers": runner.descriptions,
            "rounds": plan.rounds,
            "noise": sentences,
            "summary": summed,
            "samples": runner.samples,
        }
        given.json.write_text(json.dumps(everything, indent=1) + "\n")
    if given.svg:
        given.svg.write_text(draw(summed, f"{machine.description()}; {our_openssl()[0]}"))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (MissingError, FailedError, ValueError) as error:
        sys.exit(f"benchmarks: {error}")
