"""The plugins that this distribution gives to Twisted: instances, and nothing else."""

from __future__ import annotations

from openssl_iface_twisted.endpoints import ClientStringParser, ServerStringParser

clientEndpoint = ClientStringParser()
serverEndpoint = ServerStringParser()
