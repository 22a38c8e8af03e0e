"""Two connections, and everything that may happen to them, in any order.

Hypothesis chooses what the two sides do and what becomes of the wire.  Whatever it chooses:

* no byte is lost, repeated or moved: at every moment, what one side has received is how what the other has
  written begins, and all of it in the end, if the wire did no harm;
* every operation ends: when the wire is calm again, a bounded number of calls leaves nothing to do; and when
  the transport ends, both sides have ended;
* both sides agree how it ended.

The choices are the same in every run.  ``OPENSSL_IFACE_EXAMPLES`` makes more of them, and
``OPENSSL_IFACE_TESTING_SEED`` others.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from openssl_iface import SSL
from openssl_iface.errors import TruncatedError
from openssl_iface.testing.conformance import pattern
from openssl_iface.testing.lanes import Clock, MemoryWire
from openssl_iface.testing.link import Link, Side
from openssl_iface.testing.pki import PKI
from openssl_iface.values import Ending, ProtocolVersion, Want

EXAMPLES = int(os.environ.get("OPENSSL_IFACE_EXAMPLES", "60"))
SEED = os.environ.get("OPENSSL_IFACE_TESTING_SEED")
VERSIONS = {"TLSv1.2": ProtocolVersion.TLS1_2, "TLSv1.3": ProtocolVersion.TLS1_3}
# Around what matters: nothing, a byte, a record, what one event gives.
SIZES = (0, 1, 2, 100, 5000, 16383, 16384, 16385, 65535, 65536, 65537, 200_000)
SOURCE = pattern(4_000_000)

SIDES = st.sampled_from(["client", "server"])
LANES = st.sampled_from(["a_to_b", "b_to_a"])


def contexts(version: int, pki: PKI) -> tuple[SSL.Context, SSL.Context]:
    """For a client, which may be asked for its certificate later, and for a server."""
    client, server = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
    for context, identity in ((client, pki.client), (server, pki.good)):
        context.use_certificate_chain([identity.certificate, *identity.chain])
        context.use_privatekey(identity.key)
        context.get_cert_store().add_cert(pki.root.certificate)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    # On OpenSSL 3 a server refuses a client's renegotiation, unless it is told not to.
    server.set_options(getattr(SSL, "OP_ALLOW_CLIENT_RENEGOTIATION", 0))
    if version == ProtocolVersion.TLS1_3:
        client.set_post_handshake_auth(True)
    return client, server


class Conversation(RuleBasedStateMachine):
    """What two sides may do, and what may be done to the wire between them."""

    version: int
    contexts: tuple[SSL.Context, SSL.Context]

    # Less holds of a wire that was harmed, and soon nothing goes on there: most are sound.
    @initialize(
        capacity=st.sampled_from([None, None, 100_000, 1000, 50]), sound=st.sampled_from([True, True, False])
    )
    def connect(self, capacity: int | None, sound: bool) -> None:
        client, server = (SSL.Connection(context, None) for context in self.contexts)
        client.set_connect_state()
        server.set_accept_state()
        self.narrow = capacity is not None and capacity < 5000
        self.link = Link(client, server, MemoryWire(capacity=capacity, clock=Clock()))
        self.written = {"client": 0, "server": 0}
        self.closed = {"client": False, "server": False}
        self.harmed: set[str] = set()
        self.sound = sound

    def side(self, name: str) -> Side:
        return getattr(self.link, name)  # type: ignore[no-any-return]

    def lane_from(self, name: str) -> str:
        return "a_to_b" if name == "client" else "b_to_a"

    def other(self, name: str) -> str:
        return "server" if name == "client" else "client"

    def usable(self, name: str) -> bool:
        """Whether this side may be asked for something new."""
        side = self.side(name)
        truncated = side.connection.handshake_done and side.connection.ended is Ending.TRUNCATED
        return not self.closed[name] and (truncated or not side.failures)

    # -- what the sides do

    @rule(name=SIDES, size=st.sampled_from(SIZES), kind=st.sampled_from([bytes, bytearray, memoryview]))
    def write(self, name: str, size: int, kind: Any) -> None:
        at = self.written[name]
        if self.narrow:
            size = min(size, 5000)
        if not self.usable(name) or at + size > len(SOURCE) or self.side(name).connection.queued > 1_000_000:
            return
        data = kind(SOURCE[at : at + size])
        self.written[name] += size
        self.side(name).write(data)
        if kind is bytearray:
            data[:] = bytes(size)

    @rule(name=SIDES)
    def close(self, name: str) -> None:
        if self.usable(name):
            self.closed[name] = True
            self.side(name).close()

    @rule(name=SIDES)
    def pause(self, name: str) -> None:
        self.side(name).paused = True

    @rule(name=SIDES)
    def resume(self, name: str) -> None:
        self.side(name).paused = False

    @rule(name=SIDES, limit=st.sampled_from([1, 5, 1000, 65536]))
    def step(self, name: str, limit: int) -> None:
        side = self.side(name)
        before = self.link.wire.lanes[0].offered, self.link.wire.lanes[1].offered
        side.output_limit = 65536 if sum(before) > 1_000_000 else limit
        side.act()
        side.output_limit = 65536

    @rule()
    def run(self) -> None:
        self.link.run()

    @precondition(lambda self: self.version == ProtocolVersion.TLS1_3)
    @rule(name=SIDES, ask=st.booleans(), times=st.sampled_from([1, 1, 30]))
    def new_keys(self, name: str, ask: bool, times: int) -> None:
        connection = self.side(name).connection
        if connection.handshake_done and self.usable(name) and connection.ended is None:
            for _ in range(times):
                connection.key_update(ask)

    @precondition(lambda self: self.version == ProtocolVersion.TLS1_2)
    @rule(name=SIDES)
    def renegotiate(self, name: str) -> None:
        connection = self.side(name).connection
        if connection.handshake_done and self.usable(name) and connection.ended is None:
            self.renegotiated = True
            connection.renegotiate()

    renegotiated = False

    @precondition(lambda self: self.version == ProtocolVersion.TLS1_3)
    @rule()
    def ask_for_a_certificate(self) -> None:
        connection: Any = self.link.server.connection
        if (
            connection.handshake_done
            and self.usable("server")
            and connection.ended is None
            and connection.get_peer_certificate() is None
            and not self.asked
        ):
            self.asked = True
            connection.set_verify(SSL.VERIFY_PEER)
            connection.verify_client_post_handshake()

    asked = False

    # -- what becomes of the wire

    @rule(lane=LANES)
    def hold(self, lane: str) -> None:
        getattr(self.link.wire, lane).hold()

    @rule(lane=LANES, count=st.sampled_from([None, 1, 5, 1000]))
    def release(self, lane: str, count: int | None) -> None:
        getattr(self.link.wire, lane).release(count)

    @rule(lane=LANES, size=st.sampled_from([None, 1, 3, 500]))
    def chunk(self, lane: str, size: int | None) -> None:
        wire = getattr(self.link.wire, lane)
        wire.chunk(size if wire.offered < 20_000 else None)

    @rule(lane=LANES, seconds=st.sampled_from([0.0, 1.0]))
    def delay(self, lane: str, seconds: float) -> None:
        getattr(self.link.wire, lane).delay(seconds)

    @rule()
    def time(self) -> None:
        self.link.wire.clock.advance(1.0)

    @precondition(lambda self: not self.sound)
    @rule(lane=LANES, later=st.sampled_from([0, 1, 20, 2000]), how=st.sampled_from(["truncate", "reset"]))
    def cut(self, lane: str, later: int, how: str) -> None:
        wire = getattr(self.link.wire, lane)
        if lane not in self.harmed and wire.ended is None:
            self.harmed.add(lane)
            getattr(wire, how)(wire.delivered + later)

    @precondition(lambda self: not self.sound)
    @rule(lane=LANES, later=st.sampled_from([0, 1, 4, 7, 100, 3000]), mask=st.sampled_from([1, 0x80, 0xFF]))
    def corrupt(self, lane: str, later: int, mask: int) -> None:
        wire = getattr(self.link.wire, lane)
        if lane not in self.harmed and wire.ended is None:
            self.harmed.add(lane)
            wire.corrupt(wire.delivered + later, mask)

    # -- what holds whatever happens

    @invariant()
    def nothing_is_lost_repeated_or_moved(self) -> None:
        if not hasattr(self, "link"):
            return
        for name in ("client", "server"):
            received = self.side(name).received
            assert len(received) <= self.written[self.other(name)]
            assert received == SOURCE[: len(received)], f"{name} has received what was not sent"
            assert self.side(name).connection.queued >= 0

    def teardown(self) -> None:
        if hasattr(self, "link"):
            self.nothing_is_lost_repeated_or_moved()
            self.come_to_rest()
            self.come_to_an_end()

    def come_to_rest(self) -> None:
        """The wire is calm again: everything that is due happens, in a bounded number of calls."""
        link = self.link
        for side in link.sides:
            side.paused = False
            side.calls = 0
        for lane in link.wire.lanes:
            lane.calm()
        link.wire.clock.auto = True
        moved = [lane.delivered for lane in link.wire.lanes]
        link.run()
        # Two calls for each piece that went, and a few for what was held up.
        pieces = sum(
            2 + (lane.delivered - was) // 50 for lane, was in zip(link.wire.lanes, moved, strict=True)
        )
        for side in link.sides:
            assert side.calls < 60 + 4 * pieces, f"so many calls for {pieces} pieces: {link!r}"
        self.nothing_is_lost_repeated_or_moved()
        if self.harmed:
            return
        link.settle()
        link.sound()
        for name in ("client", "server"):
            side, other = self.side(name), self.other(name)
            assert side.connection.handshake_done
            if not (self.renegotiated and self.closed[name]):
                assert len(side.received) == self.written[other], f"{name} lacks something: {link!r}"
            assert side.connection.queued == 0, f"{side!r}"
            assert side.connection.close_sent is self.closed[name], f"{side!r}"
            ended = Ending.CLEAN if self.closed[other] else None
            # Who hears the peer's goodbye in the midst of a renegotiation can send none.
            assert side.connection.ended is ended or self.renegotiated, f"{side!r}"

    def come_to_an_end(self) -> None:
        """The transport ends: so does everything, and both sides know how."""
        link = self.link
        for side in link.sides:
            side.end.close()
        link.run()
        self.nothing_is_lost_repeated_or_moved()
        for name in ("client", "server"):
            side, other = self.side(name), self.side(self.other(name))
            connection, peer = side.connection, other.connection
            assert connection.ended is not None, f"{side!r}"
            assert not connection.wants & ~Want.WRITE, f"{side!r}"
            assert len(side.failures) <= 1 or not connection.handshake_done, f"{side!r}"
            if connection.ended is Ending.CLEAN:
                # Never without the other's having said goodbye, and never with anything missing.
                assert self.closed[self.other(name)]
                if not self.renegotiated:
                    assert len(side.received) == self.written[self.other(name)]
                assert not side.failures
            elif connection.ended is Ending.TRUNCATED:
                assert [type(error) for error in side.failures] == [TruncatedError], f"{side!r}"
            else:
                # One that failed has told the other, if that could be heard.
                assert side.failures, f"{side!r}"
                assert self.harmed
                if self.lane_from(name) not in self.harmed and peer.ended is not Ending.CLEAN:
                    assert other.failures, f"{link!r}"


@pytest.fixture(scope="module")
def authority() -> PKI:
    return PKI("localhost")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_conversation(version: str, authority: PKI) -> None:
    number = VERSIONS[version]
    machine: Any = type(
        "Conversation",
        (Conversation,),
        {"version": number, "contexts": contexts(number, authority)},
    )
    if SEED is not None:
        machine = seed(SEED)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            derandomize=SEED is None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
