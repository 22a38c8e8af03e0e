"""The plugins that this distribution gives to Twisted: instances, and nothing else."""

from __future__ import annotations
