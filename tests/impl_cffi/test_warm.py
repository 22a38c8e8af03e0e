"""Which connections keep libssl's buffers: those that were at it last (``c/warm.c``).

That idle ones give them back is weighed in ``test_lifetimes.py``.
"""

from __future__ import annotations

import os
import threading

MANY = 80  # more than keep their buffers at a time
LINE = bytes(range(256)) * 4


def make(tls, version, count=MANY):
    """So many pairs of connections that have shaken hands."""
    contexts = tls.contexts(version)
    pairs = [tls.connections(*contexts) for _ in range(count)]
    for pair in pairs:
        tls.exchange(*pair, sound=True)
    return pairs


def echo(server, client):
    client.event_write(LINE)
    server.event_write(server.event_feed(client.event_output()))
    return client.event_feed(server.event_output())


def test_in_the_midst_of_records(tls, version):
    """Each loses its place to others while a record has come in part: its header, some of its body."""
    pairs = make(tls, version)
    for cut in (3, 5, 6, 500, -1):
        waiting = []
        for server, client in pairs:
            client.event_write(LINE)
            record = client.event_output()
            assert server.event_feed(record[:cut]) == b""
            waiting.append(record[cut:])
        for (server, client), rest in zip(pairs, waiting, strict=True):
            assert server.event_feed(rest) == LINE
            assert echo(server, client) == LINE


def test_with_plaintext_that_nobody_has_asked_for_yet(tls, version):
    """The manual's face has read a byte of a record; the rest is libssl's, while others have their turn."""
    pairs = make(tls, version)
    for server, client in pairs:
        client.send(LINE)
        server.bio_write(client.bio_read(65536))
        assert server.recv(1) == LINE[:1]
    for server, client in pairs:
        assert server.recv(65536) == LINE[1:]
        server.send(LINE)
        client.bio_write(server.bio_read(65536))
        assert client.recv(65536) == LINE


def test_threads_take_each_others_places(tls, version):
    barrier = threading.Barrier(4)

    def work():
        pairs = make(tls, version, 20)
        barrier.wait(60)
        for _ in range(20):
            for pair in pairs:
                assert echo(*pair) == LINE
        return True

    assert tls.together(*[work] * 4) == [True] * 4


def test_from_within_a_callback(tls, version):
    """The one that is at it keeps its place, whatever happens in it to all others."""
    others = make(tls, version)
    server, client = tls.contexts(version)
    server.set_info_callback(lambda *_: [echo(*pair) for pair in others])
    pair = tls.connections(server, client)
    tls.exchange(*pair, sound=True)
    assert echo(*pair) == LINE


def test_a_child_goes_on(tls, version, forked):
    """What its parent's connections have is theirs in the child as well."""
    pairs = make(tls, version)

    def in_child():
        pairs.extend(make(tls, version))
        for _ in range(2):
            for pair in pairs:
                assert echo(*pair) == LINE
        pairs.clear()

    assert os.waitpid(forked(in_child), 0)[1] == 0
    assert echo(*pairs[0]) == echo(*pairs[-1]) == LINE
