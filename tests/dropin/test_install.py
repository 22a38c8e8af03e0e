"""The first door: ``openssl_iface.install_as_OpenSSL()``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from openssl_iface.dropin.version import __version__

Run = Callable[..., subprocess.CompletedProcess[str]]

INSTALL = "import openssl_iface; openssl_iface.install_as_OpenSSL(); "


def test_everything_that_pyopenssl_has_is_ours(run: Run) -> None:
    done = run(
        "-Wignore:OpenSSL.rand is deprecated",
        "-c",
        INSTALL
        + """
import OpenSSL, OpenSSL.SSL, OpenSSL.crypto, OpenSSL.rand, OpenSSL.version, OpenSSL.debug, OpenSSL._util
import OpenSSL.tsafe
from openssl_iface.dropin import SSL
assert OpenSSL.SSL is SSL
assert OpenSSL.SSL.__spec__.name == "openssl_iface.dropin.SSL"
assert {"SSL", "crypto", "__version__"} <= set(OpenSSL.__all__)
print(OpenSSL.__version__)
""",
    )
    assert (done.stdout.strip(), done.stderr) == (__version__, "")


def test_an_installed_one_is_left_alone_and_is_back_afterwards(run: Run, fake_pyopenssl: Path) -> None:
    before = sorted(fake_pyopenssl.rglob("*"))
    done = run(
        "-c",
        INSTALL
        + """
import sys, importlib.metadata as metadata
import OpenSSL.SSL
assert hasattr(OpenSSL.SSL, "Context")
assert metadata.version("pyOpenSSL") == metadata.version("pyopenssl") == OpenSSL.__version__
from openssl_iface.dropin._install import uninstall
uninstall()
assert "OpenSSL" not in sys.modules and "OpenSSL.SSL" not in sys.modules
import OpenSSL.SSL
print(OpenSSL.SSL.mark, metadata.version("pyOpenSSL"))
""",
        PYTHONPATH=str(fake_pyopenssl),
    )
    assert (done.stdout.strip(), done.stderr) == ("installed 1.2.3", "")
    after = sorted(path for path in fake_pyopenssl.rglob("*") if "__pycache__" not in path.parts)
    assert after == before


def test_the_package_brings_its_modules(run: Run) -> None:
    """Programs look them up in ``sys.modules``, and pickles by their names."""
    done = run(
        "-c",
        INSTALL
        + """
import sys
from OpenSSL import SSL
assert sys.modules["OpenSSL.SSL"] is SSL
assert {"OpenSSL.crypto", "OpenSSL.version", "OpenSSL._util"} <= set(sys.modules)
assert SSL.__spec__.name == "openssl_iface.dropin.SSL"
import openssl_iface.dropin.SSL
assert openssl_iface.dropin.SSL is SSL
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_module_that_is_asked_for_later_has_both_names(run: Run) -> None:
    done = run(
        "-Wignore:OpenSSL.rand is deprecated",
        "-c",
        INSTALL
        + """
import sys
from OpenSSL import rand, tsafe
assert sys.modules["OpenSSL.rand"] is rand
assert sys.modules["OpenSSL.tsafe"] is tsafe
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_drop_in_none_has(run: Run) -> None:
    done = run(
        "-W",
        "ignore",
        "-c",
        "import sys, openssl_iface.dropin.rand; assert 'OpenSSL.rand' not in sys.modules",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_twice_is_once(run: Run) -> None:
    done = run("-c", INSTALL + INSTALL + "import sys; print(len(sys.meta_path))")
    once = run("-c", INSTALL + "import sys; print(len(sys.meta_path))")
    assert done.stdout == once.stdout


def test_too_late_is_said(run: Run, fake_pyopenssl: Path) -> None:
    done = run("-c", "import OpenSSL; " + INSTALL, PYTHONPATH=str(fake_pyopenssl))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert str(fake_pyopenssl) in last
    assert "before anything imports OpenSSL" in last


def test_modules_that_pyopenssl_never_had_are_not_there(run: Run) -> None:
    done = run("-c", INSTALL + "import OpenSSL._translate")
    assert "No module named 'OpenSSL._translate'" in done.stderr


def test_nothing_of_it_is_loaded_unasked(run: Run) -> None:
    done = run(
        "-c", "import sys, openssl_iface.SSL; print([name for name in sys.modules if '.dropin' in name])"
    )
    assert done.stdout.strip() == "[]"
