"""A build that lacks something says in one sentence, on one line, what to install."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

PACKAGES = "(Debian: apt-get install build-essential pkg-config libssl-dev python3-dev)."


def the_sentence(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if "openssl-iface cannot be built" in line]
    assert len(lines) == 1, output
    return lines[0]


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH with nothing on it but the tools that pip brings into a build by itself."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("cmake", "ninja"):
        found = shutil.which(name)
        assert found is not None, name
        (directory / name).symlink_to(found)
    return str(directory)


def test_no_compiler(pip, root, tmp_path, bare_path):
    done = pip(root, tmp_path, PATH=bare_path, CC="")
    assert done.returncode != 0
    assert the_sentence(done.stdout + done.stderr) == (
        f"openssl-iface cannot be built: a C compiler is missing, install gcc or clang {PACKAGES}"
    )


def test_a_compiler_that_does_not_exist(pip, root, tmp_path):
    done = pip(root, tmp_path, CC="/nonexistent/cc")
    assert done.returncode != 0
    assert "a C compiler is missing" in the_sentence(done.stdout + done.stderr)


def test_no_pkg_config(pip, root, tmp_path):
    done = pip(root, tmp_path, "-Ccmake.define.CMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON")
    assert done.returncode != 0
    assert "pkg-config, which finds OpenSSL, is missing" in the_sentence(done.stdout + done.stderr)


def test_no_headers_of_openssl(pip, root, tmp_path):
    done = pip(root, tmp_path, PKG_CONFIG_PATH="", PKG_CONFIG_LIBDIR=str(tmp_path))
    assert done.returncode != 0
    sentence = the_sentence(done.stdout + done.stderr)
    assert "the headers of OpenSSL 1.1.1 or later are missing" in sentence
    assert sentence.endswith(PACKAGES)


def test_an_openssl_that_is_too_old(pip, root, tmp_path):
    (tmp_path / "openssl.pc").write_text("Name: OpenSSL\nDescription: old\nVersion: 1.0.2u\nLibs: -lssl\n")
    done = pip(root, tmp_path, PKG_CONFIG_PATH="", PKG_CONFIG_LIBDIR=str(tmp_path))
    assert done.returncode != 0
    assert "the headers of OpenSSL 1.1.1 or later are missing" in the_sentence(done.stdout + done.stderr)


def test_no_headers_of_python(pip, root, tmp_path):
    done = pip(root, tmp_path, f"-Ccmake.define.Python_INCLUDE_DIR={tmp_path / 'nothing'}")
    assert done.returncode != 0
    assert "the headers of Python are missing" in the_sentence(done.stdout + done.stderr)
