#!/usr/bin/env python3
"""Twisted's trial with Twisted's own TLS layer accelerated: as ``python -m openssl_iface.dropin`` runs it."""

from __future__ import annotations

from twisted.scripts.trial import run

from openssl_iface_twisted import accelerate

accelerate()
run()
