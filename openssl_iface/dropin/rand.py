"""``OpenSSL.rand``: the manual's module, of which later releases have kept ``add`` and ``status``."""

from __future__ import annotations

from ..rand import *  # noqa: F403
