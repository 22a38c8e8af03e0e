"""Our stack and its peers under one load, on loopback: see docs/performance.md.

``python -m benchmarks`` puts the checkout, whose binding is not compiled, in front of
what is installed; importing this package takes it away again.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != ROOT]
