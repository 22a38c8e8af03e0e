"""What the distributions hold."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest


def built(pip, source: Path, target: Path) -> zipfile.ZipFile:
    done = pip(source, target)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = target.glob("*.whl")
    return zipfile.ZipFile(wheel)


def metadata(wheel: zipfile.ZipFile):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


@pytest.fixture(scope="session")
def core(pip, root, tmp_path_factory):
    with built(pip, root, tmp_path_factory.mktemp("core")) as wheel:
        yield wheel


@pytest.fixture(scope="session")
def twisted(pip, root, tmp_path_factory):
    with built(pip, root / "integrations" / "twisted", tmp_path_factory.mktemp("twisted")) as wheel:
        yield wheel


@pytest.fixture(scope="session")
def sdist(root, tmp_path_factory):
    target = tmp_path_factory.mktemp("sdist")
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "-o", str(target), str(root)]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = target.glob("*.tar.gz")
    return archive


def test_one_wheel_serves_every_python(core):
    assert Path(core.filename).name.split("-")[2:4] == ["cp311", "abi3"]


def test_the_core_brings_its_binding_and_its_types(core):
    names = core.namelist()
    assert "openssl_iface/impl_cffi/_native/_binding.abi3.so" in names
    assert "openssl_iface/impl_cffi/_native/_binding.pyi" in names
    assert "openssl_iface/py.typed" in names
    assert [name for name in names if name.endswith("/licenses/LICENSE")]


def test_the_core_brings_no_sources_of_c(core):
    left = [name for name in core.namelist() if name.endswith((".c", ".h", "_build.py", "optional.txt"))]
    assert not left


def test_the_core_brings_nothing_else(core):
    tops = {name.split("/")[0] for name in core.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"openssl_iface"}


def test_the_core_needs_cffi_and_zope_interface_only(core):
    needs = [need for need in metadata(core).get_all("Requires-Dist") if "extra ==" not in need]
    assert sorted(need.split(">")[0].strip() for need in needs) == ["cffi", "zope.interface"]


def test_the_extra_names_the_integration(core):
    assert "twisted" in metadata(core).get_all("Provides-Extra")
    needs = [need for need in metadata(core).get_all("Requires-Dist") if "extra ==" in need]
    assert [
        need for need in needs if need.startswith("openssl-iface-twisted") and "twisted" in need.split(";")[1]
    ]


def test_the_twisted_distribution_leaves_twisted_alone(twisted):
    """One plugin file, and no ``__init__.py``, in Twisted's own directory."""
    names = [name for name in twisted.namelist() if name.startswith("twisted/")]
    assert names == ["twisted/plugins/openssl_iface_dropin.py"]
    assert "openssl_iface_twisted/py.typed" in twisted.namelist()


def test_the_source_distribution_can_be_built(sdist, pip, tmp_path):
    shutil.unpack_archive(sdist, tmp_path)
    (tree,) = [entry for entry in tmp_path.iterdir() if entry.is_dir()]
    with built(pip, tree, tmp_path / "out") as wheel:
        assert "openssl_iface/impl_cffi/_native/_binding.abi3.so" in wheel.namelist()


def test_another_openssl_is_taken_although_one_was_found_before(pip, root, tmp_path):
    """The build directory remembers nothing of the OpenSSL of an earlier build."""
    assert pip(root, tmp_path).returncode == 0
    done = pip(root, tmp_path, PKG_CONFIG_PATH="", PKG_CONFIG_LIBDIR=str(tmp_path / "nothing"))
    assert done.returncode != 0
    assert "the headers of OpenSSL" in done.stdout + done.stderr
