"""What the command says when it is not, or not rightly, told what to do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from command import ENVIRONMENT, PATIENCE, PROGRAM, run, sentence

import openssl_iface_twisted
from openssl_iface_twisted.cli import commands


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["demo", "--help"], ["serve", "-h"], ["connect", "-h"]]
)
def test_help(arguments):
    done = run(*arguments)
    assert done.returncode == 0
    assert done.stderr == b""
    assert done.stdout.startswith(b"Usage: python -m openssl_iface_twisted")


def test_version():
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith(b"openssl-iface-twisted ")


def test_help_comes_without_twisted():
    script = (
        "import sys, atexit, runpy; atexit.register(lambda: print('twisted' in sys.modules)); "
        "runpy.run_module('openssl_iface_twisted', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, "--help"], capture_output=True, env=ENVIRONMENT, timeout=PATIENCE
    )
    assert done.stdout.endswith(b"False\n"), done.stderr


def test_the_package_has_its_names():
    names: dict[str, object] = {}
    exec("from openssl_iface_twisted import *", names)
    assert {"listenSSL", "connectSSL", "startTLS"} <= set(names) & set(dir(openssl_iface_twisted))
    assert openssl_iface_twisted.listenSSL is names["listenSSL"]
    assert openssl_iface_twisted.transport.listenSSL is names["listenSSL"]
    with pytest.raises(AttributeError, match="nonesuch"):
        openssl_iface_twisted.nonesuch  # noqa: B018


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra(missing):
    script = (
        f"import sys, runpy; sys.modules[{missing!r}] = None; "
        "runpy.run_module('openssl_iface_twisted', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, "demo"], capture_output=True, env=ENVIRONMENT, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"pip install 'openssl-iface-twisted[cli]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (["frobnicate"], "frobnicate"),
        (["demo", "--size", "0"], "--size"),
        (["demo", "--size", "-1"], "--size"),
        (["demo", "--size", "many"], "--size"),
        (["demo", "--size", "1" * 40], "--size"),
        (["demo", "--tls", "1.1"], "--tls"),
        (["demo", "--reactor", "none"], "--reactor"),
        (["demo", "more"], "more"),
        (["serve"], "DIRECTORY"),
        (["serve", "/nonexistent/directory"], "/nonexistent/directory"),
        (["serve", __file__], "is a file"),
        (["serve", ".", "--port", "65536"], "--port"),
        (["serve", ".", "--port", "http"], "--port"),
        (["serve", ".", "--interface", "localhost"], "--interface"),
        (["serve", ".", "--certificate", "/nonexistent.pem"], "--certificate"),
        (["serve", ".", "--key", __file__], "--key needs --certificate"),
        (["serve", ".", "--certificate", __file__, "--ca-file", "ca.pem"], "--ca-file"),
        (["connect"], "HOST:PORT"),
        (["connect", ""], "HOST:PORT"),
        (["connect", "localhost:0"], "HOST:PORT"),
        (["connect", "localhost:65536"], "HOST:PORT"),
        (["connect", "localhost:https"], "HOST:PORT"),
        (["connect", "::1"], "[::1]:443"),
        (["connect", "[::1"], "[::1]:443"),
        (["connect", "[localhost]:443"], "HOST:PORT"),
        (["connect", "localhost", "--cafile", "/nonexistent.pem"], "--cafile"),
        (["connect", "localhost", "--alpn", "h2,,x"], "--alpn"),
        (["connect", "localhost", "--servername", ""], "--servername"),
        (["connect", "localhost", "--timeout", "0"], "--timeout"),
        (["connect", "localhost", "--key", __file__], "--key needs --certificate"),
    ],
)
def test_wrong_arguments(arguments, about, capfd):
    status = commands.run(arguments)
    done = subprocess.CompletedProcess(arguments, status, *map(str.encode, capfd.readouterr()))
    assert about in sentence(done, 2)


@pytest.mark.parametrize("arguments", [["frobnicate"], ["demo", "--size", "0"], ["connect", "::1"]])
def test_wrong_arguments_for_the_program(arguments):
    sentence(run(*arguments), 2)


def test_help_into_a_pipe_that_nobody_reads():
    reading, writing = os.pipe()
    os.close(reading)
    done = run("--help", stdout=writing)
    os.close(writing)
    assert done.returncode != 0
    assert done.stderr == b""


def test_a_backend_that_is_not_there():
    said = sentence(run("demo", environment={"OPENSSL_IFACE_BACKEND": "nonesuch"}))
    assert "nonesuch" in said
    assert "cffi" in said


def test_closed_standard_files():
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *PROGRAM, "demo", "--size", "1K"],
        env=ENVIRONMENT,
        timeout=PATIENCE,
    )
    assert done.returncode == 0
