"""The plugins that this distribution gives to Twisted: instances, and nothing else."""

from __future__ import annotations

from openssl_iface_twisted.strings import ClientStringParser, ServerStringParser

clientEndpoint = ClientStringParser()
serverEndpoint = ServerStringParser()
