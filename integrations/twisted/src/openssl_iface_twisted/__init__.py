"""TLS for Twisted, on any backend of :mod:`openssl_iface`."""

from __future__ import annotations
