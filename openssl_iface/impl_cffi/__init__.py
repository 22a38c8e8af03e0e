"""The backend on our own cffi binding; the entry point ``cffi`` names :data:`backend`."""

from .backend import backend

__all__ = ["backend"]
