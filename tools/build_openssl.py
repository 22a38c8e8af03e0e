#!/usr/bin/env python3
"""Build the OpenSSL series that this project supports and the system lacks.

    python tools/build_openssl.py 1.1.1 3.5 3.6 4.0     build (or reuse) these
    python tools/build_openssl.py --prefix 3.5           print where one is

The sources are Debian's source packages, fetched with apt from the mirror that
the system itself uses; the system's own package lists are not touched.  Every
build lives in the user's cache directory and is used again until it is deleted.

All of OpenSSL 3 has one soname, and Python's own ssl loads the system's: two of
one name cannot share a process.  A series of OpenSSL 3 is therefore built under
names of its own (``libssl-iface35.so.3``), as OpenSSL provides for.
Only the standard library is needed, so that this runs before anything else is
installed.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# series -> the suites that carry it, in the order in which they are asked.
SUITES: dict[str, tuple[str, ...]] = {
    "1.1.1": ("bullseye", "bullseye-security"),
    "3.0": ("bookworm", "bookworm-security"),
    "3.5": ("trixie",),
    "3.6": ("forky", "sid"),
    "4.0": ("experimental", "sid"),
}
# OpenSSL's own way to give libraries and symbol versions another name.
TARGET = """
my %targets = ("{name}" => {{ inherit_from => ["{base}"], shlib_variant => "{variant}" }});
"""
# A complete build carries this file; its text is Debian's version.
STAMP = ".built-from"


class BuildError(Exception):
    """Something that the caller can act on; its text is one sentence."""


def cache_directory() -> Path:
    """Where builds are kept: ``$XDG_CACHE_HOME/openssl-iface/openssl``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "openssl-iface" / "openssl"


def prefix_of(series: str) -> Path:
    """The installation prefix of one series, whether it is built yet or not."""
    return cache_directory() / f"{series}{variant_of(series)}"


def variant_of(series: str) -> str:
    """What is added to the libraries' names: nothing where the soname is not the system's."""
    return f"-iface{series.replace('.', '')}" if series.startswith("3.") else ""


def system_mirror() -> str:
    """The address of the Debian archive that the system's own sources name."""
    names = [Path("/etc/apt/sources.list")]
    parts = Path("/etc/apt/sources.list.d")
    if parts.is_dir():
        names += sorted(parts.glob("*.sources")) + sorted(parts.glob("*.list"))
    found: list[str] = []
    for name in names:
        if not name.is_file():
            continue
        text = name.read_text(errors="replace")
        if name.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                fields = dict(re.findall(r"^(\w[\w-]*):\s*(.+)$", stanza, re.M))
                suites = fields.get("Suites", "").split()
                if "main" in fields.get("Components", "").split() and suites:
                    uri = fields.get("URIs", "").split()
                    found += [uri[0]] if uri and not suites[0].endswith("-security") else []
        else:
            for line in text.splitlines():
                match = re.match(r"deb(?:-src)?\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
                if match and "main" in match[3].split() and "-security" not in match[2]:
                    found.append(match[1])
    if not found:
        raise BuildError("no Debian archive is named in /etc/apt: cannot fetch OpenSSL's source")
    return found[0]


def run(command: list[str], *, cwd: Path | None = None, log: Path | None = None) -> str:
    """Run one step; its output goes to *log* if given, else it is returned."""
    if log is None:
        done = subprocess.run(command, cwd=cwd, text=True, capture_output=True)
        if done.returncode:
            raise BuildError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-600:]}")
        return done.stdout
    with log.open("a") as stream:
        status = subprocess.run(command, cwd=cwd, stdout=stream, stderr=subprocess.STDOUT).returncode
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BuildError(f"{' '.join(command[:3])} failed; the end of {log}:\n{tail}")
    return ""


def fetch(series: str, work: Path) -> tuple[Path, str]:
    """Unpack the newest obtainable source of *series* below *work*."""
    mirror = system_mirror()
    errors: list[str] = []
    for suite in SUITES[series]:
        state = work / f"apt-{suite}"
        (state / "lists" / "partial").mkdir(parents=True)
        (state / "cache" / "archives" / "partial").mkdir(parents=True)
        base = mirror.rstrip("/")
        if suite.endswith("-security"):
            base = re.sub(r"/debian$", "/debian-security", base)
        listing = state / "sources.list"
        listing.write_text(f"deb-src {base} {suite} main\n")
        options = [
            "-o", f"Dir::Etc::SourceList={listing}",
            "-o", "Dir::Etc::SourceParts=/dev/null",
            "-o", f"Dir::State::Lists={state / 'lists'}",
            "-o", f"Dir::Cache={state / 'cache'}",
            "-o", "APT::Sandbox::User=",
            # An old suite's Release file is past its date; its signature still holds.
            "-o", "Acquire::Check-Valid-Until=false",
        ]  # fmt: skip
        try:
            run(["apt-get", *options, "update"])
            listed = run(["apt-cache", *options, "showsrc", "openssl"])
        except BuildError as error:
            errors.append(f"{suite}: {error}")
            continue
        versions = re.findall(r"^Version: (\S+)$", listed, re.M)
        wanted = [v for v in dict.fromkeys(versions) if v.startswith(f"{series}.") or
                  re.match(re.escape(series) + r"[a-z]?[-~]", v)]  # fmt: skip
        # The newest version listed can be missing from the pool.
        for version in sorted(wanted, key=_version_key, reverse=True):
            target = work / "source"
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            try:
                run(["apt-get", *options, "source", f"openssl={version}"], cwd=target)
            except BuildError as error:
                errors.append(f"{suite} {version}: {error}")
                continue
            trees = [entry for entry in target.iterdir() if (entry / "Configure").is_file()]
            if trees:
                return trees[0], version
        errors.append(f"{suite}: lists no usable version of {series} ({', '.join(versions)})")
    raise BuildError(f"OpenSSL {series} could not be fetched: " + "; ".join(errors))


def _version_key(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1 if part == "~" else 0, part)
            for part in re.findall(r"\d+|[A-Za-z]+|~", version)]  # fmt: skip


def build(series: str, *, jobs: int) -> Path:
    """Build and install *series* unless that has been done; return its prefix."""
    if series not in SUITES:
        raise BuildError(f"unknown series {series!r}: choose from {', '.join(SUITES)}")
    prefix = prefix_of(series)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with (prefix.parent / f"{prefix.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (prefix / STAMP).is_file():
            return prefix
        for tool in ("apt-get", "dpkg-source", "make", "gcc", "perl"):
            if shutil.which(tool) is None:
                raise BuildError(f"{tool} is missing: apt-get install dpkg-dev build-essential perl")
        log = prefix.parent / f"{prefix.name}.log"
        log.write_text("")
        shutil.rmtree(prefix, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"openssl-{series}-") as name:
            tree, version = fetch(series, Path(name))
            print(f"building OpenSSL {version} (log: {log})", file=sys.stderr, flush=True)
            target = f"linux-{os.uname().machine}"
            if variant := variant_of(series):
                text = TARGET.format(name=f"{target}{variant}", base=target, variant=variant)
                (tree / "Configurations" / "90-iface.conf").write_text(text)
                target += variant
            configure = ["./Configure", target, "shared", "no-tests",
                         f"--prefix={prefix}", f"--openssldir={prefix}/ssl", "--libdir=lib"]  # fmt: skip
            if series == "1.1.1":  # knows neither no-docs nor build_sw
                run(configure, cwd=tree, log=log)
                run(["make", f"-j{jobs}"], cwd=tree, log=log)
            else:
                run([*configure, "no-docs"], cwd=tree, log=log)
                run(["make", f"-j{jobs}", "build_sw"], cwd=tree, log=log)
            run(["make", "install_sw"], cwd=tree, log=log)
        (prefix / STAMP).write_text(version + "\n")
    return prefix


def main() -> int:
    parser = argparse.ArgumentParser(description="Build OpenSSL series into the user's cache.")
    parser.add_argument("series", nargs="+", metavar="SERIES", help=", ".join(SUITES))
    parser.add_argument("--prefix", action="store_true", help="only print the prefixes")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 2)
    arguments = parser.parse_args()
    try:
        for series in arguments.series:
            if arguments.prefix and series in SUITES:
                print(prefix_of(series))
            else:
                print(build(series, jobs=arguments.jobs))
    except BuildError as error:
        print(f"build_openssl: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
