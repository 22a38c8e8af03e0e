"""What a checker must refuse: an ignore that is not needed is an error in itself."""

from __future__ import annotations

from openssl_iface import crypto, get_backend, typing


def mistakes(connection: typing.Connection, context: typing.Context) -> None:
    connection.recv("many")  # type: ignore[arg-type]
    connection.bytes_pending()  # type: ignore[attr-defined]
    context.use_privatekey(crypto.X509())  # type: ignore[arg-type]
    number: int = connection.get_protocol_version_name()  # type: ignore[assignment]
    get_backend(7)  # type: ignore[arg-type]
    crypto.load_certificate("PEM", b"")  # type: ignore[arg-type]
    print(number)
