"""Child processes: they find ``children/sitecustomize.py`` on their path, and install the drop-in.

Only this process's environment is changed, and put back at exit.
"""

from __future__ import annotations

import atexit
import os
from pathlib import Path

VARIABLE = "PYTHONPATH"
DIRECTORY = str(Path(__file__).parent / "children")


def requested() -> bool:
    """Whether Python programs started from here install the drop-in."""
    return DIRECTORY in os.environ.get(VARIABLE, "").split(os.pathsep)


def request() -> None:
    """Have Python programs started from here install it (those without -I or -E)."""
    if requested():
        return
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = DIRECTORY + (os.pathsep + before if before else "")
    atexit.register(withdraw)


def withdraw() -> None:
    """No longer."""
    atexit.unregister(withdraw)
    parts = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part != DIRECTORY]
    if parts and parts != [""]:
        os.environ[VARIABLE] = os.pathsep.join(parts)
    else:
        os.environ.pop(VARIABLE, None)
