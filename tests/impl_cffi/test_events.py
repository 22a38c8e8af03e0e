"""What an event leaves to the next one: nothing of it is forgotten, and nothing is said twice."""

from __future__ import annotations

import contextlib
import socket

import pytest

from openssl_iface import SSL
from openssl_iface.errors import AbortedError, Error, TruncatedError, WantReadError, WantWriteError
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.testing.wires import shrink_buffers
from openssl_iface.values import EVENT_SIZE, Ending, ProtocolVersion, Want

BIG = bytes(range(256)) * 4096  # 1 MiB


def output(connection):
    return b"".join(iter(connection.event_output, b""))


def behind_a_full_event(tls, version):
    """A client that has much, of which it has told a part."""
    server, client = tls.pair(version)
    server.event_write(BIG[:200_000])
    received = client.event_feed(output(server))
    assert len(received) == EVENT_SIZE
    assert client.wants & Want.PROCEED
    return server, client, received


@pytest.mark.parametrize(
    "call",
    [
        lambda one: (one.event_write(b"to leave"), one.event_flush()),
        lambda one: (one.event_write(b"to leave"), one.event_output(10)),
        lambda one: one.event_write(b"short"),
        lambda one: one.event_write(BIG),
        lambda one: (one.event_write(BIG), one.event_write(b"behind it")),
        lambda one: one.event_close(),
        lambda one: (one.event_write(BIG), one.event_close()),
    ],
    ids=["flush", "output", "write", "much", "blocked", "close", "close behind much"],
)
def test_what_is_still_to_be_read_is_not_forgotten(tls, version, call):
    """Whatever is done in between."""
    _, client, received = behind_a_full_event(tls, version)
    call(client)
    assert client.wants & Want.PROCEED
    while client.wants & Want.PROCEED:
        received += client.event_proceed()
    assert received == BIG[:200_000]


@pytest.mark.parametrize("call", ["feed", "nothing", "read", "proceed"])
def test_a_failure_is_raised_by_whatever_comes_next(tls, version, call):
    """Once, behind what came before it; what does not survive it says so again to who asks."""
    server, client = tls.pair(version)
    server.event_write(b"sound")
    sound = server.event_output()
    server.event_write(b"spoilt")
    spoilt = bytearray(server.event_output())
    spoilt[-1] ^= 1
    client.event_write(BIG)
    assert client.event_feed(sound + spoilt) == b"sound"
    client.event_flush()
    assert client.wants & Want.PROCEED
    calls = {
        "feed": lambda: client.event_feed(b"more"),
        "nothing": lambda: client.event_feed(b""),
        "read": client.event_read,
        "proceed": client.event_proceed,
    }
    for _ in range(2):
        with pytest.raises(Error):
            calls[call]()
        assert not client.wants & Want.PROCEED
    assert client.ended is Ending.ABORTED


def test_nothing_is_queued_behind_a_failure(tls):
    """What can never leave is given back."""
    client = Connection(tls.client_context())
    client.set_connect_state()
    client.event_write(b"waits for the handshake")
    assert client.queued == 23
    with pytest.raises(Error):
        client.event_feed(b"no TLS at all")
    output(client)
    assert client.queued == 0


def test_nothing_is_queued_once_detached(tls):
    client = Connection(tls.client_context())
    client.set_connect_state()
    client.event_write(b"waits for the handshake")
    client.event_detach()
    assert client.queued == 0


def test_truncation_is_not_told_again_for_another_failure(tls, version):
    """What is written after it is another affair."""
    server, client = tls.pair(version)
    ours, theirs = socket.socketpair()
    client.event_attach(ours)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(TruncatedError):
        client.event_read()
    client.event_write(b"fine")
    assert server.event_feed(theirs.recv(1000)) == b"fine"
    theirs.close()
    client.event_write(b"lost")
    assert client.wants & Want.PROCEED
    with pytest.raises(AbortedError):
        client.event_proceed()
    client.event_detach()
    ours.close()


def test_without_a_side_nothing_begins(tls):
    """That is said, and it is no harm: it may be chosen then."""
    client = Connection(tls.client_context())
    server = Connection(tls.server_context())
    server.set_accept_state()
    with pytest.raises(Error):
        client.event_proceed()
    client.set_connect_state()
    tls.exchange(server, client, sound=True)
    assert client.handshake_done


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
def test_what_waits_is_not_changed_by_its_owner(tls, version, kind):
    """A buffer may be used again as soon as it is written."""
    server, client = tls.connections(*tls.contexts(version))
    data = kind(BIG[:100_000])
    client.event_write(data)
    data[:] = bytes(len(data))
    client.event_write(b"!")
    at_server, _ = tls.exchange(server, client, sound=True)
    assert at_server.data == BIG[:100_000] + b"!"


@pytest.mark.parametrize("data", [b"", b"before it"])
def test_closing_waits_for_a_renegotiation(tls, data):
    """libssl can send no goodbye within one: it follows, with nobody asking again."""
    server, client = tls.pair(ProtocolVersion.TLS1_2)
    server.set_options(getattr(lib, "SSL_OP_ALLOW_CLIENT_RENEGOTIATION", 0))
    client.renegotiate()
    client.event_write(data)
    client.event_close()
    assert not client.close_sent
    at_server, _ = tls.exchange(server, client, sound=True)
    assert at_server.data == data
    assert client.close_sent
    assert server.ended is Ending.CLEAN
    assert client.total_renegotiations() == 1


def test_closing_waits_for_what_does_not_leave(tls, version):
    """Everything is encrypted and nobody takes it; the goodbye follows when they do."""
    server, client = tls.pair(version)
    client.event_write(bytes(30_000))
    assert client.wants & Want.WRITE
    client.event_close()
    at_server, _ = tls.exchange(server, client, sound=True)
    assert len(at_server.data) == 30_000
    assert server.ended is Ending.CLEAN
    assert client.close_sent


def test_what_libssl_has_begun_to_give_is_not_forgotten(tls, version):
    """An event may end within a record, and with everything that has come."""
    server, client = tls.pair(version)
    for _ in range(7):
        server.event_write(BIG[:10_000])
    received = client.event_feed(output(server))
    assert client.wants & Want.PROCEED
    while client.wants & Want.PROCEED:
        received += client.event_proceed()
    assert received == BIG[:10_000] * 7


def test_the_end_behind_what_is_still_to_be_read(tls, version):
    _, client, received = behind_a_full_event(tls, version)
    received += client.event_feed(b"")
    while len(received) < 200_000:
        assert client.wants & Want.PROCEED
        received += client.event_proceed()
    assert received == BIG[:200_000]
    assert client.ended is Ending.TRUNCATED
    assert client.wants & Want.PROCEED
    with pytest.raises(TruncatedError):
        client.event_proceed()


def test_an_alert_wants_to_leave(tls):
    """Though nothing else can be done any more."""
    client = Connection(tls.client_context())
    client.set_connect_state()
    client.event_proceed()
    with pytest.raises(Error):
        client.event_feed(b"no TLS at all")
    assert client.wants == Want.WRITE
    output(client)
    assert client.wants == 0


def test_a_failed_write_is_told_though_nothing_comes(tls, version):
    """The peer's last words are looked for once; a descriptor that has none may have none for ever."""
    _, client = tls.pair(version)
    ours, theirs = socket.socketpair()
    client.event_attach(ours)
    ours.shutdown(socket.SHUT_WR)
    client.event_write(b"cannot leave")
    assert client.wants & Want.PROCEED
    with pytest.raises(AbortedError):
        client.event_proceed()
    client.event_detach()
    ours.close()
    theirs.close()


def test_a_goodbye_is_found_behind_a_failed_write(tls, version):
    """All was received that the peer had to say; that ours was lost is an error all the same."""
    server, client = tls.pair(version)
    ours, theirs = socket.socketpair()
    client.event_attach(ours)
    server.event_write(b"last words")
    server.event_close()
    theirs.sendall(output(server))
    theirs.close()
    client.event_write(b"cannot leave")
    received = b""
    with pytest.raises(AbortedError):
        while client.wants & Want.PROCEED:
            received += client.event_proceed()
    assert received == b"last words"
    assert client.ended is Ending.CLEAN
    assert client.wants == 0
    client.event_detach()
    ours.close()


def test_an_answer_that_cannot_leave_keeps_nothing_from_being_read(tls, version):
    """The peer has gone, and asked for something before; what it has sent behind that is there to be read."""
    contexts = tls.contexts(version)
    contexts[1].set_post_handshake_auth(True)
    server, client = tls.connections(*contexts)
    tls.exchange(server, client, sound=True)
    ours, theirs = socket.socketpair()
    client.event_attach(ours)
    server.event_write(b"before it, ")
    tls.ask(server)
    server.event_proceed()
    server.event_write(b"behind it")
    theirs.sendall(output(server))
    theirs.close()
    client.event_write(b"cannot leave")
    received = b""
    with pytest.raises(AbortedError):
        while client.wants & Want.PROCEED:
            received += client.event_proceed()
    assert received == b"before it, behind it"
    client.event_detach()
    ours.close()


def test_detaching_within_a_callback(tls, version):
    """What libssl goes on to write goes nowhere, and is not waited for."""
    contexts = tls.contexts(version)
    contexts[0].set_tlsext_servername_callback(lambda connection: connection.event_detach())
    server, client = tls.connections(*contexts)
    client.event_proceed()
    with pytest.raises(Error, match="detached"):
        server.event_feed(output(client))
    assert server.wants == 0
    assert server.queued == 0
    assert server.event_output() == b""


def test_a_handshake_step_by_step_that_does_not_leave_at_once(tls, version):
    """It is room that the server waits for, not the peer, who waits for the rest."""
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        one.setblocking(False)
        shrink_buffers(one)
    contexts = tls.server_context(version, tls.pki.huge_chain), tls.client_context(version)
    server, client = tls.connections(*contexts, (ours, theirs))
    with pytest.raises(WantReadError):
        client.do_handshake()
    with pytest.raises(WantWriteError):
        server.do_handshake()
    for _ in range(1000):
        with contextlib.suppress(WantReadError, WantWriteError):
            client.do_handshake()
        with contextlib.suppress(WantReadError, WantWriteError):
            server.do_handshake()
        if client.handshake_done and server.handshake_done:
            break
    assert client.handshake_done
    assert server.handshake_done
    ours.close()
    theirs.close()


@pytest.mark.parametrize("first", ["send", "shutdown"])
def test_sending_to_who_is_gone_is_told_at_once(tls, version, first):
    """In the manual's face, by the very call whose bytes cannot leave, and by those that follow."""
    _, client = tls.pair(version)
    ours, theirs = socket.socketpair()
    client.event_attach(ours)
    theirs.close()
    calls = {"send": lambda: client.send(b"cannot leave"), "shutdown": client.shutdown}
    for call in (first, "send", "shutdown"):
        with pytest.raises(AbortedError):
            calls[call]()
    client.event_detach()
    ours.close()


def test_the_last_words_of_who_is_gone_already(tls):
    """Our hello cannot leave; why the peer has gone is there to be read."""
    ours, theirs = socket.socketpair()
    client = Connection(tls.client_context(), ours)
    client.set_connect_state()
    theirs.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
    theirs.close()
    with pytest.raises(Error) as caught:
        client.do_handshake()
    assert caught.value.alert == 40
    ours.close()


def test_the_last_words_of_who_goes_meanwhile(tls, version):
    """They come when libssl has looked for them, and our hello has not left yet."""
    ours, theirs = socket.socketpair()

    def go(connection, where, result):
        if where == SSL.SSL_CB_CONNECT_EXIT and theirs.fileno() >= 0:
            theirs.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
            theirs.close()

    context = tls.client_context(version)
    context.set_info_callback(go)
    client = Connection(context, ours)
    client.set_connect_state()
    with pytest.raises(Error) as caught:
        client.do_handshake()
    assert caught.value.alert == 40
    ours.close()


def test_nothing_follows_our_goodbye(tls, version):
    """Whatever the peer asks for: it was the last message (RFC 8446, section 6.1; RFC 5246, 7.2.1).

    The peer may have closed its socket by then, and would answer with a reset.
    """

    def ask_for_new_keys(server):
        if version == ProtocolVersion.TLS1_3:
            server.key_update(True)
        server.event_write(b"with new keys")

    contexts = tls.contexts(version)
    contexts[1].use_certificate(tls.pki.client.certificate)
    contexts[1].use_privatekey(tls.pki.client.key)
    contexts[1].set_post_handshake_auth(True)
    server, client = tls.connections(*contexts)
    tls.exchange(server, client, sound=True)
    client.event_close()
    goodbye = output(client)
    assert client.close_sent
    for ask in (ask_for_new_keys, ask_for_new_keys, tls.ask):
        ask(server)
        server.event_proceed()
        client.event_feed(output(server))
        while client.wants & Want.PROCEED:
            client.event_proceed()
        assert (client.queued, client.event_output()) == (0, b"")
    server.event_feed(goodbye)
    assert server.ended is Ending.CLEAN
    server.event_close()
    client.event_feed(output(server))
    assert client.ended is Ending.CLEAN


def test_who_takes_its_goodbye_back_goes_on(tls, version):
    """Some programs do so: set_shutdown(0)."""
    server, client = tls.pair(version)
    client.shutdown()
    client.bio_read(100)
    client.set_shutdown(0)
    client.send(b"and goes on")
    server.bio_write(client.bio_read(65536))
    with pytest.raises(Error):  # a record is missing; but it has left
        server.recv(100)
