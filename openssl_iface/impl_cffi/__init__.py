"""The backend on our own cffi binding; the entry point ``cffi`` names :data:`backend`."""

from __future__ import annotations

from .backend import backend

__all__ = ["backend"]
