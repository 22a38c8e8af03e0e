"""Bytes from the wire that no honest peer sends: before and after the handshake, to a client and to a server.

Whatever comes, a connection gives nothing that was not sent, raises no more than this package's errors,
waits for something sensible or for nothing, leaves nothing in the error queue, and the process lives.
``tox run -e fuzz`` runs more cases; a case that fails says how to repeat it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from openssl_iface import SSL
from openssl_iface.errors import OpenSSLError
from openssl_iface.impl_cffi._native import lib
from openssl_iface.testing.damage import cases, damage
from openssl_iface.testing.pki import PKI
from openssl_iface.values import Ending, ProtocolVersion, Want

CASES = 25
VERSIONS = {"TLSv1.2": ProtocolVersion.TLS1_2, "TLSv1.3": ProtocolVersion.TLS1_3, "any": None}
SAID = bytes(range(256)) * 100
ALL_WANTS = sum(Want)
# It says "malformedRequest" (RFC 6960, section 4.2.1).
OCSP_RESPONSE = bytes.fromhex("30030a0101")


@pytest.fixture(scope="module")
def contexts() -> Callable[..., tuple[SSL.Context, SSL.Context]]:
    """A server, which asks for a certificate, and a client."""
    pki = PKI("localhost")
    made: dict[Any, Any] = {}

    def make(version: int | None, method: int = SSL.TLS_METHOD) -> tuple[SSL.Context, SSL.Context]:
        if (version, method) not in made:
            both = SSL.Context(method), SSL.Context(method)
            for context, identity in zip(both, (pki.good, pki.client), strict=True):
                context.use_certificate_chain([identity.certificate, *identity.chain])
                context.use_privatekey(identity.key)
                context.get_cert_store().add_cert(pki.root.certificate)
                context.set_verify(SSL.VERIFY_PEER, lambda *arguments: bool(arguments[-1]))
                context.set_alpn_protos([b"h2", b"http/1.1"])
                if version is not None:
                    context.set_min_proto_version(version)
                    context.set_max_proto_version(version)
            both[0].set_alpn_select_callback(lambda connection, offered: offered[0])
            both[0].set_tlsext_servername_callback(lambda connection: connection.get_servername())
            both[0].set_ocsp_server_callback(lambda *_: OCSP_RESPONSE)
            both[1].set_ocsp_client_callback(lambda connection, response, *_: type(response) is bytes)
            made[version, method] = both
        return made[version, method]  # type: ignore[no-any-return]

    return make


def pair(both: tuple[SSL.Context, SSL.Context]) -> tuple[SSL.Connection, SSL.Connection]:
    server, client = (SSL.Connection(context, None) for context in both)
    server.set_accept_state()
    client.set_connect_state()
    client.set_tlsext_host_name("localhost")
    client.request_ocsp()
    return server, client


class Victim:
    """A connection, and what has become of it."""

    def __init__(self, connection: SSL.Connection) -> None:
        self.connection = connection
        self.data = b""
        self.error: OpenSSLError | None = None

    def do(self, call: Callable[..., bytes], *arguments: Any) -> None:
        connection = self.connection
        for _ in range(1000):
            try:
                self.data += call(*arguments)
            except OpenSSLError as error:
                self.error = self.error or error
            assert not connection.wants & ~ALL_WANTS
            assert lib.ERR_peek_error() == 0
            if not connection.wants & Want.PROCEED:
                return
            call, arguments = connection.event_proceed, ()
        raise AssertionError("it asks to proceed for ever")

    def output(self) -> bytes:
        return b"".join(iter(self.connection.event_output, b""))

    def look(self) -> None:
        """Every question has an answer, also now."""
        connection = self.connection
        assert SAID.startswith(self.data)
        for question in (
            connection.get_peer_certificate, connection.get_peer_cert_chain, connection.get_cipher_name,
            connection.get_session, connection.get_alpn_proto_negotiated, connection.get_servername,
            connection.state_string, connection.get_client_ca_list, connection.get_protocol_version_name,
            connection.__repr__,
        ):  # fmt: skip
            question()
        connection.event_write(b"x") if not self.error else None
        connection.event_close()
        self.output()
        assert lib.ERR_peek_error() == 0


def spoilt(flights: list[bytes], chance: random.Random) -> list[bytes]:
    """What one side sends, with something done to it."""
    kind = chance.randrange(8)
    if kind == 0:
        return [chance.randbytes(chance.choice((1, 5, 100, 5000)))]
    if kind == 1:
        chance.shuffle(flights)
        return flights
    if kind == 2:
        return flights + flights
    if kind == 3:
        # A sound head of a record, and anything in it.
        size = chance.choice((0, 1, 2, 40, 16384, 18432, 65535))
        head = bytes([chance.randrange(20, 26), 3, chance.randrange(5)]) + size.to_bytes(2, "big")
        return [head + chance.randbytes(min(size, 20_000)), *flights]
    at = chance.randrange(len(flights))
    flights[at] = damage(flights[at], chance)
    return flights


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("version", VERSIONS)
def test_in_the_handshake(contexts: Any, version: str, role: str) -> None:
    """One flight of the peer's, whichever it is, is not what it was."""
    for chance in cases(f"handshake {version} {role}", CASES):
        ends = pair(contexts(VERSIONS[version]))
        victim, peer = (Victim(ends[role == "client"]), Victim(ends[role == "server"]))
        victim.connection.event_write(b"never before the handshake")
        for end in (victim, peer):
            end.do(end.connection.event_proceed)
        struck = chance.randrange(3)
        for turn in range(10):
            flight = peer.output()
            if flight and turn >= struck:
                for piece in spoilt([flight], chance):
                    victim.do(victim.connection.event_feed, piece)
                struck = 99
            elif flight:
                victim.do(victim.connection.event_feed, flight)
            answer = victim.output()
            if answer:
                peer.do(peer.connection.event_feed, answer)
            if not flight and not answer:
                break
        victim.do(victim.connection.event_feed, b"")
        assert victim.connection.ended is not None
        assert victim.connection.ended is not Ending.CLEAN
        assert victim.data == b""
        victim.look()


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_after_the_handshake(contexts: Any, version: str, role: str) -> None:
    """Records are changed, cut, lost, doubled, moved or made up: how it began arrives, or an error."""
    for chance in cases(f"data {version} {role}", CASES):
        ends = pair(contexts(VERSIONS[version]))
        victim, peer = (Victim(ends[role == "client"]), Victim(ends[role == "server"]))
        for _ in range(4):
            for end, other in ((peer, victim), (victim, peer)):
                end.do(end.connection.event_proceed)
                if flight := end.output():
                    other.do(other.connection.event_feed, flight)
        assert victim.connection.handshake_done
        records = []
        for at in range(0, len(SAID), 5000):
            peer.connection.event_write(SAID[at : at + 5000])
            if version == "TLSv1.3" and chance.random() < 0.3:
                peer.connection.key_update(chance.random() < 0.5)
                peer.do(peer.connection.event_proceed)
            records.append(peer.output())
        peer.connection.event_close()
        records.append(peer.output())
        for piece in spoilt(records, chance):
            victim.do(victim.connection.event_feed, piece)
        victim.do(victim.connection.event_feed, b"")
        assert SAID.startswith(victim.data)
        assert victim.connection.ended is not Ending.CLEAN or victim.data == SAID
        victim.look()


@pytest.mark.parametrize("role", ["server", "client"])
def test_datagrams(contexts: Any, role: str) -> None:
    """DTLS: what is changed, lost, doubled or made up is dropped, or ends the handshake."""
    for chance in cases(f"datagrams {role}", CASES):
        ends = pair(contexts(None, SSL.DTLS_METHOD))
        for end in ends:
            end.set_ciphertext_mtu(chance.choice((300, 1400)))
        victim, peer = ends[role == "client"], ends[role == "server"]
        heard = b""
        struck = chance.randrange(6)
        for turn in range(12):
            for end, other in ((peer, victim), (victim, peer)):
                try:
                    end.do_handshake()
                    if turn > 6:
                        end.send(SAID[:100])
                        got = end.recv(1000)
                        assert SAID[:100].startswith(got)
                        heard += got
                except OpenSSLError:
                    pass
                assert lib.ERR_peek_error() == 0
                try:
                    datagram = end.bio_read(65536)
                except OpenSSLError:
                    continue
                pieces = spoilt([datagram], chance) if end is peer and turn >= struck else [datagram]
                for piece in pieces:
                    if piece:
                        other.bio_write(piece)
            if victim.DTLSv1_get_timeout() is not None:
                try:
                    victim.DTLSv1_handle_timeout()
                except OpenSSLError:
                    pass
        repr(victim)
        victim.get_cipher_name()
        victim.get_peer_certificate()


def test_datagrams_from_anyone(contexts: Any) -> None:
    """Who listens answers nobody that has not returned its cookie, and falls over nothing."""
    server_context, client_context = contexts(None, SSL.DTLS_METHOD)
    server_context.set_cookie_generate_callback(lambda connection: b"cookie")
    server_context.set_cookie_verify_callback(lambda connection, cookie: cookie == b"cookie")
    client = pair((server_context, client_context))[1]
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    hello = client.bio_read(65536)
    for chance in cases("listening", CASES):
        server = pair((server_context, client_context))[0]
        for piece in spoilt([hello], chance):
            if piece:
                server.bio_write(piece[:2000])
            try:
                server.DTLSv1_listen()
            except OpenSSLError:
                pass
            assert lib.ERR_peek_error() == 0
