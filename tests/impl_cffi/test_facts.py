from __future__ import annotations

import contextlib
import re
import socket
import ssl

import pytest

from openssl_iface.errors import Error
from openssl_iface.values import ProtocolVersion


def test_before_the_handshake_little_is_known(tls):
    for one in tls.connections(*tls.contexts()):
        assert one.get_peer_certificate() is None
        assert one.get_peer_cert_chain() is None
        assert one.get_verified_chain() is None
        assert one.get_session() is None
        assert one.get_cipher_info() is one.get_cipher_name() is one.get_cipher_bits() is None
        assert one.get_group_name() is None
        assert one.get_servername() is None
        assert one.get_alpn_proto_negotiated() == b""
        assert one.get_finished() is one.get_peer_finished() is None
        assert one.session_reused() is False
        assert one.get_cipher_list()
        with pytest.raises(Error, match="handshake"):
            one.export_keying_material(b"label", 10)


def test_after_the_handshake_both_sides_agree(tls, version):
    both = tls.connections(*tls.contexts(version))
    both[1].set_tlsext_host_name("Localhost")
    tls.exchange(*both, sound=True)
    server, client = both
    for question in (
        "get_cipher_info",
        "get_group_name",
        "get_protocol_version",
        "client_random",
        "master_key",
    ):
        assert getattr(server, question)() == getattr(client, question)()
    assert server.server_random() == client.server_random()
    assert len(server.client_random()) == 32
    assert server.get_finished() == client.get_peer_finished()
    assert client.get_finished() == server.get_peer_finished()
    assert server.get_protocol_version() == version
    assert server.get_protocol_version_name() == (
        "TLSv1.3" if version == ProtocolVersion.TLS1_3 else "TLSv1.2"
    )
    assert server.get_servername().lower() == b"localhost"
    assert client.get_peer_certificate().digest("sha256") == server.get_certificate().digest("sha256")
    assert server.get_peer_certificate() is None
    assert client.get_certificate() is None
    assert isinstance(client.state_string(), bytes)


def test_keying_material_is_the_same_on_both_sides(tls, version):
    server, client = tls.pair(version)
    seen = set()
    for label, size, context in (
        (b"EXPORTER-one", 20, None), (b"EXPORTER-two", 20, None), (b"EXPORTER-one", 20, b"context"),
        ("EXPORTER-text", 100, b""),
    ):  # fmt: skip
        mine = server.export_keying_material(label, size, context)
        assert mine == client.export_keying_material(label, size, context)
        assert len(mine) == size
        seen.add(mine)
    assert len(seen) == 4
    for arguments, kind, name in (
        ((5, 10), TypeError, "label"),
        ((b"x", 0), ValueError, "size"),
        ((b"x", "5"), TypeError, "size"),
        ((b"x", 10, "text"), TypeError, "context"),
    ):
        with pytest.raises(kind, match=name):
            server.export_keying_material(*arguments)


def test_keying_material_is_what_the_command_says(tls, version, openssl, tmp_path):
    files = tls.pki.good.write(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        port = listener.getsockname()[1]

        def command():
            return openssl(
                "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", files.ca, "-servername", "localhost",
                "-keymatexport", "EXPORTER-mine", "-keymatexportlen", "24",
            )  # fmt: skip

        def serve():
            sock = listener.accept()[0]
            sock.settimeout(30)
            server = tls.connections(tls.server_context(version), tls.client_context(), (sock, None))[0]
            server.do_handshake()
            material = server.export_keying_material(b"EXPORTER-mine", 24)
            with contextlib.suppress(Error):
                server.recv(1)
            server.close()
            return material

        said, mine = tls.together(command, serve)
    assert isinstance(said, bytes), said
    found = re.search(rb"Keying material: ([0-9A-F]+)", said)
    assert found is not None, said
    assert bytes.fromhex(found[1].decode()) == mine


def test_the_keylog_is_what_the_standard_library_writes(tls, version, tmp_path):
    """Both ends of one connection, each by another library, log the same secrets."""
    lines = set()
    server_context = tls.server_context(version)
    server_context.set_keylog_callback(lambda c, line: lines.add(line))
    server = tls.connections(server_context, tls.client_context())[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tls.pki.write_root(tmp_path))
    context.keylog_filename = str(tmp_path / "keys")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    other = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    for _ in range(5):
        try:
            other.do_handshake()
        except ssl.SSLWantReadError:
            pass
        if data := outgoing.read():
            server.event_feed(data)
        incoming.write(server.event_output())
    assert server.handshake_done
    theirs = {
        line.encode() for line in (tmp_path / "keys").read_text().splitlines() if line and line[0] != "#"
    }
    assert theirs
    assert theirs <= lines
    assert other.version() == server.get_protocol_version_name()
