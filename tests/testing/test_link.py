"""The conformance kit must notice a connection that breaks its promises: here are some that do."""

from __future__ import annotations

import pytest

from openssl_iface import SSL
from openssl_iface.errors import Error, TruncatedError
from openssl_iface.testing import conformance
from openssl_iface.testing.link import Link, SpinError
from openssl_iface.values import EVENT_SIZE, Ending, Want


class Broken:
    """A connection behind a layer that does one thing wrong."""

    def __init__(self, connection):
        self.__dict__["connection"] = connection
        self.__dict__["state"] = {}

    def __getattr__(self, name):
        return getattr(self.connection, name)


class ForgetsToAskForWriting(Broken):
    @property
    def wants(self):
        return (
            self.connection.wants & ~Want.WRITE if self.connection.handshake_done else self.connection.wants
        )


class ForgetsToProceed(Broken):
    @property
    def wants(self):
        return (
            self.connection.wants & ~Want.PROCEED if self.connection.handshake_done else self.connection.wants
        )


class AlwaysProceeds(Broken):
    @property
    def wants(self):
        return self.connection.wants | Want.PROCEED


class AlwaysWrites(Broken):
    @property
    def wants(self):
        return self.connection.wants | Want.WRITE


class ForgetsToRead(Broken):
    @property
    def wants(self):
        return self.connection.wants & ~Want.READ


class LosesAByte(Broken):
    def event_feed(self, data):
        got = self.connection.event_feed(data)
        return got[:-1] if len(got) > 20_000 else got


class RepeatsAPiece(Broken):
    def event_proceed(self):
        got = self.connection.event_proceed()
        return got + got[:100] if 100 < len(got) < EVENT_SIZE - 100 else got


class GivesTooMuch(Broken):
    def event_feed(self, data):
        got = self.connection.event_feed(data)
        while self.connection.wants & Want.PROCEED and len(got) <= EVENT_SIZE:
            got += self.connection.event_proceed()
        return got


class ForgetsTheQueueBeforeTheHandshake(Broken):
    def event_write(self, data):
        if self.connection.handshake_done:
            self.connection.event_write(data)


class SwallowsTruncation(Broken):
    def event_feed(self, data):
        try:
            return self.connection.event_feed(data)
        except TruncatedError:
            return b""


class CallsTruncationClean(Broken):
    @property
    def ended(self):
        ended = self.connection.ended
        return Ending.CLEAN if ended is Ending.TRUNCATED else ended


class ClosesBeforeTheQueue(Broken):
    def event_write(self, data):
        self.state["kept"] = self.state.get("kept", b"") + bytes(data)
        if len(self.state["kept"]) < 150_000:
            self.connection.event_write(self.state.pop("kept"))

    def event_close(self):
        self.connection.event_close()


class TakesWritesAfterTheEnd(Broken):
    def event_write(self, data):
        try:
            self.connection.event_write(data)
        except Error:
            if self.connection.ended is Ending.ABORTED:
                raise


class ForgetsItsFailure(Broken):
    def event_proceed(self):
        try:
            return self.connection.event_proceed()
        except Error:
            if self.state.setdefault("told", False):
                return b""
            self.state["told"] = True
            raise

    def event_feed(self, data):
        try:
            return self.connection.event_feed(data)
        except Error:
            if self.state.setdefault("told", False):
                return b""
            self.state["told"] = True
            raise


class SendsNoAlert(Broken):
    def event_output(self, limit=EVENT_SIZE):
        data = self.connection.event_output(limit)
        return data if self.connection.ended is not Ending.ABORTED else b""

    @property
    def wants(self):
        aborted = self.connection.ended is Ending.ABORTED
        return self.connection.wants & ~Want.WRITE if aborted else self.connection.wants


class IgnoresTheLimit(Broken):
    def event_output(self, limit=EVENT_SIZE):
        return self.connection.event_output(EVENT_SIZE)


class ForgetsWhatWaitsWhenItWrites(Broken):
    @property
    def wants(self):
        return self.connection.wants & ~Want.PROCEED if self.state.get("written") else self.connection.wants

    def event_write(self, data):
        self.state["written"] = bool(data)
        self.connection.event_write(data)

    def event_proceed(self):
        self.state["written"] = False
        return self.connection.event_proceed()


BROKEN = [
    ForgetsToAskForWriting,
    ForgetsToProceed,
    AlwaysProceeds,
    AlwaysWrites,
    ForgetsToRead,
    LosesAByte,
    RepeatsAPiece,
    GivesTooMuch,
    ForgetsTheQueueBeforeTheHandshake,
    SwallowsTruncation,
    CallsTruncationClean,
    ClosesBeforeTheQueue,
    TakesWritesAfterTheEnd,
    ForgetsItsFailure,
    SendsNoAlert,
    IgnoresTheLimit,
    ForgetsWhatWaitsWhenItWrites,
]


@pytest.fixture
def make_sound_pair(pki):
    contexts = [SSL.Context(SSL.TLS_METHOD) for _ in range(2)]
    contexts[1].use_certificate(pki.good.certificate)
    contexts[1].use_privatekey(pki.good.key)

    def make():
        client, server = (SSL.Connection(context, None) for context in contexts)
        client.set_connect_state()
        server.set_accept_state()
        return client, server

    return make


# Either role by turns: the kit treats them alike.
@pytest.mark.parametrize(
    ("broken", "role"), [(each, ("client", "server")[index % 2]) for index, each in enumerate(BROKEN)]
)
def test_a_broken_connection_is_noticed(broken, role, make_sound_pair):
    def make_pair():
        client, server = make_sound_pair()
        return (broken(client), server) if role == "client" else (client, broken(server))

    with pytest.raises(AssertionError) as caught:
        conformance.check_connection(make_pair)
    assert any("in the conformance check" in note for note in caught.value.__notes__)


def test_a_sound_connection_passes(make_sound_pair):
    conformance.check_connection(make_sound_pair)


def test_a_link_says_how_things_stand(make_sound_pair):
    link = Link(*make_sound_pair())
    link.handshake()
    with pytest.raises(
        AssertionError, match=r"nothing goes on any more: <Link: <client: wants READ, handshake done"
    ):
        link.run(lambda: link.client.received)
    link.wire.a.close()
    link.run()
    with pytest.raises(AssertionError, match="TruncatedError"):
        link.sound()


def test_spinning_is_an_error(make_sound_pair):
    client, server = make_sound_pair()
    link = Link(AlwaysProceeds(client), server)
    with pytest.raises(SpinError, match="event_proceed does nothing"):
        link.run()


def test_patterns_do_not_repeat():
    data = conformance.pattern(100_000)
    assert len(data) == 100_000
    assert data != conformance.pattern(100_000, seed=1)
    assert len({data[i : i + 16] for i in range(0, 100_000, 16)}) == 6250
