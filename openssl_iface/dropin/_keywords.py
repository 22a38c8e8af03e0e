"""Methods whose parameters pyOpenSSL calls otherwise: programs give them as keywords."""

from __future__ import annotations

from typing import Any

from .. import SSL as _ours

_Connection: Any = _ours.Connection


class NamedConnection(_Connection):
    """The backend's connection, with pyOpenSSL's names of parameters."""

    def connect(self, addr: Any) -> None:
        """Connect the socket, and be the client."""
        super().connect(addr)

    def connect_ex(self, addr: Any) -> int:
        """The same; returns the socket's ``errno``."""
        return int(super().connect_ex(addr))

    def sock_shutdown(self, *args: Any, **kwargs: Any) -> None:
        """Shut the socket itself down."""
        super().sock_shutdown(*args, **kwargs)

    def export_keying_material(self, label: bytes, olen: int, context: bytes | None = None) -> bytes:
        """Keys for another protocol (RFC 5705), *olen* bytes of them."""
        material: bytes = super().export_keying_material(label, olen, context)
        return material
