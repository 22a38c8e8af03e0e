"""What is known of a connection, as a table; as plain lines where no one looks at it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from openssl_iface.errors import CryptoError
from openssl_iface.registry import get_backend

from .messages import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Row",
    "chain_rows",
    "connection_rows",
    "moment_text",
    "name_text",
    "names_text",
    "openssl_rows",
    "show",
    "validity_text",
]

Row = tuple[str, str]


def connection_rows(connection: Any, seconds: float, offered: Iterable[bytes] = ()) -> list[Row]:
    """Of an ``IConnection`` whose handshake took *seconds*, and in which *offered* was, by ALPN."""
    cipher = connection.get_cipher_info()
    alpn = connection.get_alpn_proto_negotiated()
    rows = [
        ("Protocol", connection.get_protocol_version_name()),
        ("Cipher", f"{cipher.name} ({cipher.bits} bits)" if cipher else "none"),
        ("Group", connection.get_group_name() or "none (no key exchange, or one without a group)"),
        ("ALPN", printable(alpn) if alpn else _no_alpn(offered)),
    ]
    peer = connection.get_peer_certificate()
    if peer is not None:
        rows += [
            ("Peer", name_text(peer.get_subject())),
            ("Names", names_text(peer)),
            ("Issuer", name_text(peer.get_issuer())),
            ("Valid", validity_text(peer)),
            ("Fingerprint", f"SHA-256 {peer.digest('sha256').decode()}"),
        ]
    resumed = ", resumed" if connection.session_reused() else ""
    rows.append(("Handshake", f"{seconds * 1000:.1f} ms{resumed}"))
    return rows


def _no_alpn(offered: Iterable[bytes]) -> str:
    names = ", ".join(map(printable, offered))
    return f"none (the peer took nothing of what was offered: {names})" if names else "none"


def openssl_rows() -> list[Row]:
    """Of the backend."""
    backend = get_backend()
    return [
        ("Backend", backend.name),
        ("OpenSSL built", backend.built.text),
        ("OpenSSL running", backend.running.text),
    ]


def chain_rows(connection: Any) -> list[Row]:
    """Of the chain as it was verified, from the peer's certificate up to what we trust."""
    chain = connection.get_verified_chain() or ()
    return [
        (f"Chain {depth}", f"{name_text(certificate.get_subject())}; {validity_text(certificate)}")
        for depth, certificate in enumerate(chain)
    ]


def name_text(name: Any) -> str:
    """An ``IX509Name`` in one line."""
    parts = [f"{printable(key)}={printable(value)}" for key, value in name.get_components()]
    return ", ".join(parts) or "(empty)"


def names_text(certificate: Any) -> str:
    """What a certificate is for."""
    try:
        names = certificate.get_subject_alt_names()
    except CryptoError:
        return "(malformed)"
    return (
        ", ".join(f"{kind}:{printable(value)}" for kind, value in names).replace("IP Address:", "IP:")
        or "none"
    )


def validity_text(certificate: Any) -> str:
    """From when until when."""
    return f"{moment_text(certificate.not_valid_before)} to {moment_text(certificate.not_valid_after)} UTC"


def moment_text(moment: datetime | None) -> str:
    """To the minute, in UTC."""
    return "?" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def show(where: Console, title: str, rows: Iterable[Row]) -> None:
    """Draw *rows* on a terminal; write them as lines ``name: value``, each whole, to a file or a pipe."""
    rows = list(rows)
    if not where.is_terminal:
        width = max(len(name) for name, _ in rows) + 1
        lines = [f"{name + ':':<{width}} {value}\n" for name, value in rows]
        where.file.write("".join(lines))
        where.file.flush()
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, "bold"),
        title_justify="left",
        show_header=False,
        box=box.ROUNDED,
        border_style="dim",
    )
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    where.print(table)
