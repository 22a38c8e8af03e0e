#!/usr/bin/env python3
"""Run the tests of another project's release with openssl_iface in the place of pyOpenSSL.

    python tools/foreign_tests.py pyOpenSSL==23.2.0 --expect tests/dropin/expected/pyopenssl-23.2.txt
    python tools/foreign_tests.py pyOpenSSL==19.1.0 --date 2020-06-01 ...
    python tools/foreign_tests.py --runner trial twisted.test.test_sslverify ...
    python tools/foreign_tests.py PROJECT==VERSION --plain           on the pyOpenSSL that is installed

``PROJECT==VERSION`` is fetched by pip as a source distribution, once, into the user's cache directory,
and its tests run there, in a process of their own.  What is not of that form is run as it is: modules for
trial, paths or ``--pyargs`` packages for pytest.  What those tests import has to be installed.

The file that ``--expect`` names lists the tests that fail, one a line, with the reason:

    test id | where | reason

*where* is a dash, or the OpenSSL series in which it fails, separated by commas.  A test that fails and is not
listed, one that is listed and passes, and one that is listed and was not run all make the run a failure.
Skipped tests neither pass nor fail.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import build_openssl

ROOT = Path(__file__).resolve().parent.parent
DROPIN = ["-m", "openssl_iface.dropin"]
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
# What trial's verbose reporter says of a test.
TRIAL = {
    "OK": PASSED,
    "SKIPPED": SKIPPED,
    "TODO": PASSED,
    "FAIL": FAILED,
    "ERROR": FAILED,
    "SUCCESS!?!": FAILED,
}
LIBRARIES = Path(os.environ.get("FAKETIME_LIBRARIES", "/usr/lib"))
# Twisted's trial with Twisted's own TLS layer accelerated.
ACCELERATED = str(ROOT / "tools" / "accelerated_trial.py")
SERIES = ("1.1.1", "3.0", "3.5", "3.6", "4.0")


class ToolError(Exception):
    """Something that the caller can act on; its text is one sentence."""


# -- fetching ----------------------------------------------------------------------


def fetch(requirement: str) -> Path:
    """The directory of an unpacked source distribution, fetched if it is not there yet."""
    cache = build_openssl.cache_directory().parent / "foreign"
    target = cache / re.sub(r"[^\w.]+", "-", requirement).lower()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        name = requirement.partition("==")[0]
        with tempfile.TemporaryDirectory(dir=cache) as place:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name]
            if subprocess.run([*pip, "--dest", place, requirement]).returncode:
                raise ToolError(f"pip could not fetch the sources of {requirement}")
            archives = list(Path(place).glob("*.tar.gz"))
            if len(archives) != 1:
                raise ToolError(f"{requirement} has no source distribution")
            unpacked = Path(place) / "unpacked"
            with tarfile.open(archives[0]) as archive:
                archive.extractall(unpacked, filter="data")
            (top,) = unpacked.iterdir()
            shutil.move(top, target)
    return target


# -- running -----------------------------------------------------------------------


def pretended(date: str) -> dict[str, str]:
    """What makes a process believe that it is *date* (libfaketime; the clock goes on from there)."""
    for library in sorted(LIBRARIES.glob("*/faketime/libfaketimeMT.so.1")):
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME": f"@{date} 12:00:00",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    raise ToolError("--date needs libfaketime, which is not installed (Debian: apt-get install libfaketime)")


def run_pytest(arguments: list[str], where: Path, variables: dict[str, str], plain: bool) -> dict[str, str]:
    """Run pytest; the outcome of each test by its name."""
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        options = ["-p", "no:cacheprovider", "-p", "no:sybil", "-q", "--tb=short", f"--junitxml={report}"]
        command = [sys.executable, "-P", *([] if plain else DROPIN), "-m", "pytest", *options, *arguments]
        # An importable name for the tests' package, without what lies beside it (the project's own sources).
        subprocess.run(command, cwd=where, env=variables)
        if not report.is_file():
            raise ToolError("pytest has not come to an end")
        return read_report(report)


def read_report(report: Path) -> dict[str, str]:
    """What a JUnit report says of each test: an error in setting up or tearing down is a failure."""
    outcomes: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        test = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        kinds = {child.tag for child in case}
        outcome = FAILED if kinds & {"failure", "error"} else SKIPPED if "skipped" in kinds else PASSED
        if outcomes.get(test) != FAILED:
            outcomes[test] = outcome
    return outcomes


def run_trial(
    arguments: list[str],
    where: Path,
    variables: dict[str, str],
    plain: bool,
    start: Sequence[str] = ("-m", "twisted.trial"),
) -> dict[str, str]:
    """Run Twisted's trial, begun with *start*; the outcome of each test by its name."""
    options = ["--reporter=bwverbose", *(one for one in arguments if one.startswith("-"))]
    modules = [one for one in arguments if not one.startswith("-")]
    # Unbuffered: of a run that hangs, the last line tells where.
    command = [sys.executable, "-uP", *([] if plain else DROPIN), *start, *options, *modules]
    outcomes: dict[str, str] = {}
    process = subprocess.Popen(
        command,
        cwd=where,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    current, summing = "", False
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("====="):
            current, summing = "", True  # what follows tells of the failures once more
        if summing:
            continue
        started = re.match(r"(\w[\w.]*\.\w+\.test\w*) \.\.\.", line)
        if started:
            current = started[1]
        # A warning may follow on the same line.
        ended = re.search(r"(?:^| \.\.\. )\[([A-Z!?]+)\]", line)
        if ended and current and ended[1] in TRIAL and outcomes.get(current) != FAILED:
            outcomes[current] = TRIAL[ended[1]]
    process.wait()
    if not outcomes:
        raise ToolError("trial has run nothing")
    return outcomes


RUNNERS: dict[str, Callable[[list[str], Path, dict[str, str], bool], dict[str, str]]] = {
    "pytest": run_pytest,
    "trial": run_trial,
    "accelerated-trial": functools.partial(run_trial, start=(ACCELERATED,)),
}


# -- judging -----------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """One line of a list."""

    test: str
    series: frozenset[str]
    reason: str


def read_expected(path: Path) -> list[Expected]:
    """The lines of a list of tests that fail."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.rsplit(" | ", 2)]
        if len(parts) != 3 or not all(parts):
            raise ToolError(f"{path}:{number}: not of the form `test | where | reason`")
        series = frozenset(SERIES) if parts[1] == "-" else frozenset(re.split(r"\s*,\s*", parts[1]))
        if series - set(SERIES):
            raise ToolError(f"{path}:{number}: not among {', '.join(SERIES)}: {parts[1]}")
        found.append(Expected(parts[0], series, parts[2]))
    return found


def running_series() -> str:
    """The OpenSSL series that the tests run on."""
    code = "import openssl_iface; print('%d.%d.%d' % openssl_iface.get_backend().running.release)"
    version = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    for series in SERIES:
        if f"{version.strip()}.".startswith(f"{series}."):
            return series
    raise ToolError(f"OpenSSL {version.strip()} is of no series that is known here")


def judge(outcomes: dict[str, str], expected: list[Expected], series: str) -> list[str]:
    """What is not as the list says: one line each."""
    here = {item.test for item in expected if series in item.series}
    failed = {test for test, outcome in outcomes.items() if outcome == FAILED}
    wrong = [f"failed, and is not in the list: {test}" for test in sorted(failed - here)]
    for test in sorted(here - failed):
        said = outcomes.get(test)
        wrong.append(
            f"{said}, but is in the list: {test}" if said else f"in the list, but there is none: {test}"
        )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Run another project's tests on the drop-in.")
    parser.add_argument("what", help="PROJECT==VERSION, or what the runner takes")
    parser.add_argument("more", nargs="*", help="for the runner: paths, modules; after --, options")
    parser.add_argument("--expect", type=Path, metavar="FILE", help="the list of the tests that fail")
    parser.add_argument(
        "--write", action="store_true", help="write the failures into FILE, for the reasons to be filled in"
    )
    parser.add_argument("--runner", choices=tuple(RUNNERS), default="pytest")
    parser.add_argument("--date", metavar="YYYY-MM-DD", help="the day on which the tests believe to run")
    parser.add_argument(
        "--old-policy", action="store_true", help="allow the keys and ciphers that were good enough once"
    )
    parser.add_argument(
        "--at-least",
        type=int,
        default=0,
        metavar="COUNT",
        help="how many have to pass, for it to be a success",
    )
    parser.add_argument("--plain", action="store_true", help="without the drop-in: on what is installed")
    own: list[str] = sys.argv[1:]
    more: list[str] = []
    if "--" in own:
        own, more = own[: own.index("--")], own[own.index("--") + 1 :]
    arguments = parser.parse_args(own)
    arguments.more_given = bool(arguments.more)
    arguments.more += more
    try:
        return run(arguments)
    except ToolError as error:
        print(f"foreign_tests: {error}", file=sys.stderr)
        return 1


def run(arguments: argparse.Namespace) -> int:
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if arguments.date:
        variables.update(pretended(arguments.date))
    with contextlib.ExitStack() as stack:
        if arguments.old_policy:
            variables["OPENSSL_CONF"] = stack.enter_context(old_policy())
        return run_with(arguments, variables)


@contextlib.contextmanager
def old_policy() -> Iterator[str]:
    """The path of a configuration for OpenSSL that forbids nothing."""
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as file:
        file.write(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n"
            "[tls]\nCipherString = DEFAULT:@SECLEVEL=0\nMinProtocol = TLSv1\n"
        )
        file.flush()
        yield file.name


def run_with(arguments: argparse.Namespace, variables: dict[str, str]) -> int:
    more = list(arguments.more)
    expected = read_expected(arguments.expect) if arguments.expect and arguments.expect.is_file() else []
    runner = RUNNERS[arguments.runner]
    if "==" in arguments.what:
        where = fetch(arguments.what)
        if not arguments.more_given:
            more.append("tests")
        outcomes = runner(more, where, variables, arguments.plain)
    else:
        with tempfile.TemporaryDirectory() as empty:
            if arguments.runner == "pytest":
                # Neither the configuration nor a conftest.py of a project that the environment lies in.
                (Path(empty) / "pytest.ini").touch()
                more += [f"-c{empty}/pytest.ini", f"--confcutdir={sysconfig.get_path('purelib')}"]
            outcomes = runner([arguments.what, *more], Path(empty), variables, arguments.plain)
    counts = ", ".join(
        f"{sum(1 for one in outcomes.values() if one == kind)} {kind}" for kind in (PASSED, FAILED, SKIPPED)
    )
    series = running_series()
    print(f"foreign_tests: {arguments.what} on OpenSSL {series}: {counts}")
    if arguments.write and arguments.expect:
        failures = sorted(test for test, outcome in outcomes.items() if outcome == FAILED)
        arguments.expect.write_text("".join(f"{test} | - | ?\n" for test in failures))
        return 0
    wrong = judge(outcomes, expected, series)
    passed = sum(1 for outcome in outcomes.values() if outcome == PASSED)
    if passed < arguments.at_least:
        wrong.append(f"{passed} have passed, at least {arguments.at_least} should")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
