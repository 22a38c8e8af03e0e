from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import openssl_iface
from openssl_iface import registry
from openssl_iface.interfaces import IBackend


@pytest.fixture
def others(monkeypatch):
    """More backends: one that cannot be imported, one that is none."""
    real = registry._found()
    more = {
        "aaa": EntryPoint("aaa", "no_such_module_at_all:backend", registry.GROUP),
        "bbb": EntryPoint("bbb", "os:path", registry.GROUP),
    }
    monkeypatch.setattr(registry, "_found", lambda: {**real, **more})
    monkeypatch.setattr(registry, "_loaded", {})
    monkeypatch.delenv(registry.VARIABLE, raising=False)


def test_the_one_that_there_is():
    backend = openssl_iface.get_backend()
    assert IBackend.providedBy(backend)
    assert backend is openssl_iface.get_backend("cffi")
    assert registry.backend_names()[0] == "cffi"


def test_a_wrong_name_lists_what_exists(others):
    with pytest.raises(ImportError, match=r"aaa.*bbb") as caught:
        registry.get_backend("nonsense")
    assert "'nonsense'" in str(caught.value)
    assert "cffi" in str(caught.value)


def test_the_environment_chooses(others, monkeypatch):
    monkeypatch.setenv(registry.VARIABLE, "cffi")
    assert registry.get_backend().name == "cffi"
    monkeypatch.setenv(registry.VARIABLE, "nonsense")
    with pytest.raises(ImportError, match=registry.VARIABLE):
        registry.get_backend()
    assert registry.get_backend("cffi").name == "cffi"


def test_one_that_cannot_be_loaded_says_why(others):
    with pytest.raises(ImportError, match="no_such_module_at_all"):
        registry.get_backend("aaa")
    with pytest.raises(ImportError, match="does not provide IBackend"):
        registry.get_backend("bbb")


def test_when_none_can_be_loaded_every_attempt_is_listed(others, monkeypatch):
    found = {name: entry for name, entry in registry._found().items() if name != "cffi"}
    monkeypatch.setattr(registry, "_found", lambda: found)
    with pytest.raises(ImportError, match=r"aaa.*no_such_module_at_all.*bbb.*IBackend"):
        registry.get_backend()
    monkeypatch.setattr(registry, "_found", dict)
    with pytest.raises(ImportError, match="none is installed"):
        registry.get_backend()


@pytest.mark.parametrize("wrong", [5, b"cffi", ["cffi"]])
def test_a_name_is_text(wrong):
    with pytest.raises(TypeError, match="name"):
        registry.get_backend(wrong)


def test_a_program_is_told_in_the_environment():
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import openssl_iface; openssl_iface.get_backend()"],
        env={"PATH": "", registry.VARIABLE: "nonsense"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "there is no backend 'nonsense'; installed: cffi" in done.stderr
