from __future__ import annotations

import contextlib
import gc
import select
import socket
import struct

import pytest

from openssl_iface.errors import AbortedError, Error, TruncatedError, ZeroReturnError
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.testing.wires import shrink_buffers
from openssl_iface.values import EVENT_SIZE, Ending, ProtocolVersion, VerifyMode, Want

BIG = bytes(range(256)) * 4096  # 1 MiB


class Loop:
    """A select loop over connections with descriptors, which does what they want and no more."""

    def __init__(self, *connections):
        self.connections = connections
        self.data = dict.fromkeys(connections, b"")
        self.errors = {one: [] for one in connections}
        self.calls = 0

    def step(self, one, call):
        self.calls += 1
        try:
            result = call()
        except Error as error:
            self.errors[one].append(error)
        else:
            self.data[one] += result or b""

    def turn(self, timeout=0.0):
        """One round; whether anything happened."""
        busy = False
        for one in self.connections:
            while one.wants & Want.PROCEED:
                busy = True
                self.step(one, one.event_proceed)
        watched = [one for one in self.connections if one._conn.fd >= 0]
        reading = [one for one in watched if one.wants & Want.READ]
        writing = [one for one in watched if one.wants & Want.WRITE]
        readable, writable, _ = select.select(reading, writing, [], timeout)
        for one in readable:
            self.step(one, one.event_read)
        for one in writable:
            self.step(one, one.event_flush)
        return busy or bool(readable) or bool(writable)

    def run(self, until=None):
        for _ in range(100_000):
            if until is not None and until():
                return self
            if not self.turn(5.0 if until is not None else 0.02):
                assert until is None, "it waits for ever"
                return self
        raise AssertionError("it spins")


@pytest.fixture
def wired(tls, version):
    """A server and a client over TCP, shaken hands by a loop."""
    opened = []

    def make(server=None, client=None, *, small=False):
        contexts = tls.contexts(version)
        listener = socket.socket()
        if small:
            shrink_buffers(listener)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        connecting = socket.socket()
        if small:
            shrink_buffers(connecting)
        connecting.connect(listener.getsockname())
        sockets = listener.accept()[0], connecting
        listener.close()
        opened.extend(sockets)
        for one in sockets:
            one.setblocking(False)
        both = tls.connections(server or contexts[0], client or contexts[1], sockets)
        loop = Loop(*both)
        loop.run(lambda: all(one.handshake_done for one in both) or any(loop.errors.values()))
        return loop

    yield make
    for one in opened:
        one.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection._socket.close()


class TestDescriptors:
    def test_no_one_is_told_another_ones_error(self, tls, wired):
        """The workspace of an event is everybody's: what one has failed of stays with it."""
        server, client = wired().connections
        _server, other = tls.connections(*tls.contexts())
        other.event_proceed()
        server.event_close()
        while not client.wants & Want.WRITE:
            client.event_write(BIG)
        client.event_read()
        assert client.ended is Ending.CLEAN
        reset(server)
        poll = select.poll()
        poll.register(client.fileno(), 0)
        assert poll.poll(20_000)  # it has heard of the reset
        with pytest.raises(Error) as raised:
            other.event_feed(b"\x15\x03\x03\x00\x02\x02\x28")
        assert raised.value.alert == 40
        client.event_flush()
        with pytest.raises(AbortedError) as raised:
            client.event_proceed()
        assert raised.value.alert is None

    def test_a_conversation(self, wired):
        loop = wired()
        server, client = loop.connections
        server.event_write(BIG)
        client.event_write(BIG[::-1])
        loop.run(lambda: len(loop.data[server]) == len(loop.data[client]) == len(BIG))
        assert (loop.data[server], loop.data[client]) == (BIG[::-1], BIG)
        assert server.queued == client.queued == 0

    def test_waiting_costs_nothing(self, wired):
        loop = wired()
        # The tickets of TLS 1.3 come later.
        server, client = loop.connections
        server.event_write(b"!")
        loop.run(lambda: loop.data[client] == b"!")
        calls = loop.calls
        assert [one.wants for one in loop.connections] == [Want.READ, Want.READ]
        for _ in range(10):
            assert not loop.turn()
        assert loop.calls == calls

    def test_what_the_kernel_refuses_stays_queued_and_no_copy_is_made(self, wired):
        loop = wired(small=True)
        server, client = loop.connections
        server.event_write(bytes(20_000_000))
        assert server.wants & Want.WRITE
        assert 19_000_000 < server.queued < 20_100_000
        assert lib.oi_buffered_out(server._conn) < 4 * EVENT_SIZE
        server.event_write(b"end")
        server.event_close()
        assert not server.close_sent
        for _ in range(50):
            loop.turn(1.0)
        assert lib.oi_buffered_out(server._conn) < 4 * EVENT_SIZE
        assert loop.data[client]

    def test_half_close(self, wired):
        loop = wired()
        server, client = loop.connections
        client.event_write(b"request")
        client.event_close()
        client.event_close()
        with pytest.raises(Error, match="event_close"):
            client.event_write(b"more")
        loop.run(lambda: server.ended is Ending.CLEAN)
        assert client.close_sent
        assert client.ended is None
        server.event_write(BIG)
        server.event_close()
        loop.run(lambda: client.ended is Ending.CLEAN)
        assert loop.data[client] == BIG
        assert loop.errors == {server: [], client: []}
        loop.run(lambda: [one.wants for one in (server, client)] == [0, 0])

    def test_crossing_ends(self, wired):
        loop = wired()
        for one in loop.connections:
            one.event_close()
        loop.run(lambda: all(one.ended is Ending.CLEAN for one in loop.connections))
        assert all(one.close_sent for one in loop.connections)

    def test_truncation_is_told_once_and_writing_goes_on(self, wired):
        loop = wired()
        server, client = loop.connections
        server.event_write(b"last")
        server._socket.shutdown(socket.SHUT_WR)
        loop.run(lambda: loop.errors[client])
        [error] = loop.errors[client]
        assert type(error) is TruncatedError
        assert loop.data[client] == b"last"
        assert client.ended is Ending.TRUNCATED
        client.event_write(b"heard")
        loop.run(lambda: loop.data[server] == b"heard")
        assert len(loop.errors[client]) == 1

    def test_reset_is_told_after_what_came_before(self, wired):
        loop = wired()
        server, client = loop.connections
        server.event_write(b"before")
        loop.run(lambda: loop.data[client] == b"before")
        reset(server)
        only = Loop(client)
        only.run(lambda: only.errors[client])
        assert type(only.errors[client][0]) is AbortedError
        assert client.ended is Ending.ABORTED
        for call in (client.event_read, client.event_proceed, lambda: client.event_write(b"x")):
            with pytest.raises(AbortedError):
                call()
        assert not client.wants

    def test_a_reset_behind_a_goodbye(self, wired):
        """Theirs is closed, and stays so; that we could not go on is an error, told once."""
        loop = wired()
        server, client = loop.connections
        server.event_close()
        loop.run(lambda: client.ended is Ending.CLEAN)
        reset(server)
        for _ in range(50):
            client.event_write(b"x" * 10_000)
            if client.wants & Want.PROCEED:
                break
        only = Loop(client).run()
        assert [type(error) for error in only.errors[client]] == [AbortedError]
        assert client.ended is Ending.CLEAN
        assert not client.wants

    def test_writing_into_a_reset_socket_raises_nothing(self, wired):
        loop = wired()
        server, client = loop.connections
        reset(server)
        for _ in range(50):
            if client.ended is not None:
                break
            client.event_write(b"x" * 10_000)
        assert client.ended is Ending.ABORTED
        assert client.wants & Want.PROCEED
        only = Loop(client)
        only.turn()
        assert [type(error) for error in only.errors[client]] == [AbortedError]
        assert not client.wants & Want.PROCEED

    def test_the_peers_alert_is_found_behind_a_failed_write(self, tls, wired, version):
        if version != ProtocolVersion.TLS1_3:
            pytest.skip("the server refuses before the client is done")
        server, client = tls.contexts(version)
        server.set_verify(VerifyMode.PEER | VerifyMode.FAIL_IF_NO_PEER_CERT)
        loop = wired(server, client)
        accepting, connecting = loop.connections
        loop.run(lambda: loop.errors[accepting])
        accepting._socket.close()
        error = None
        for _ in range(100):
            try:
                connecting.event_write(b"x" * 1000)
                if connecting.wants & Want.PROCEED:
                    connecting.event_proceed()
            except Error as caught:
                error = caught
                break
        assert isinstance(error, AbortedError) or error.alert == 116

    def test_new_keys_asked_for_by_hand(self, wired, version):
        loop = wired()
        server, client = loop.connections
        for rounds in range(1, 6):
            if version == ProtocolVersion.TLS1_3:
                client.key_update(True)
                server.key_update(True)
            else:
                server.renegotiate()
            server.event_write(b"s")
            client.event_write(b"c")
            wanted = {server: b"c" * rounds, client: b"s" * rounds}
            loop.run(lambda wanted=wanted: loop.data == wanted)
        assert loop.errors == {server: [], client: []}

    def test_new_keys_while_much_waits_to_leave(self, wired, version):
        """What is asked for goes behind what has not left; nobody has to ask again."""
        loop = wired(small=True)
        server, client = loop.connections
        loop.run()
        for one, data in ((server, BIG), (client, BIG[::-1])):
            one.event_write(data)
            assert one.wants & Want.WRITE
        for _ in range(3):
            if version == ProtocolVersion.TLS1_3:
                client.key_update(True)
                server.key_update(True)
            else:
                assert server.renegotiate() is True
        loop.run(lambda: len(loop.data[server]) == len(loop.data[client]) == len(BIG))
        assert loop.data == {server: BIG[::-1], client: BIG}
        assert loop.errors == {server: [], client: []}
        if version == ProtocolVersion.TLS1_2:
            assert server.total_renegotiations() == 1

    def test_a_goodbye_in_the_midst_of_a_renegotiation(self, wired, version):
        """The handshake is never completed: what waits for it is dropped, and both ends are closed."""
        if version != ProtocolVersion.TLS1_2:
            pytest.skip("TLS 1.3 has no renegotiation")
        loop = wired()
        server, client = loop.connections
        client.renegotiate()
        assert client.renegotiate() is True
        client.event_write(b"never sent")
        assert client.queued
        client.event_close()
        server.event_close()
        only = Loop(client)
        only.run(lambda: client.ended is Ending.CLEAN)
        assert only.errors == {client: []}
        assert client.close_sent
        assert client.queued == 0
        assert client.wants == 0

    def test_detaching(self, wired):
        loop = wired()
        _server, client = loop.connections
        client.event_write(b"x")
        number = client.fileno()
        client.event_detach()
        client.event_detach()
        assert client.wants == 0
        assert client.ended is Ending.ABORTED
        assert client.queued == 0
        for call in (client.event_read, client.event_proceed, lambda: client.event_write(b"x")):
            with pytest.raises(Error, match="detached"):
                call()
        client.event_flush()
        client.event_close()
        assert client.fileno() == number
        gc.collect()

    def test_attaching(self, tls, version):
        sockets = socket.socketpair()
        for one in sockets:
            one.setblocking(False)
        both = tls.connections(*tls.contexts(version))
        for one, transport in zip(both, sockets, strict=True):
            one.event_attach(transport)
        loop = Loop(*both)
        loop.run(lambda: all(one.handshake_done for one in both))
        with pytest.raises(TypeError, match="socket"):
            both[0].event_attach(sockets[0])
        begun = tls.connections(*tls.contexts(version))[1]
        begun.event_proceed()
        with pytest.raises(ValueError, match="waits to leave"):
            begun.event_attach(sockets[1])
        for wrong in (5, None, object()):
            with pytest.raises((TypeError, AttributeError)):
                tls.connections(*tls.contexts(version))[1].event_attach(wrong)
        for one in sockets:
            one.close()

    def test_releasing_and_attaching_in_the_midst(self, tls, version):
        """Ciphertext is carried now by hand, now by the descriptor; the stream is one."""
        server, client = tls.pair(version)
        sockets = socket.socketpair()
        for one in sockets:
            one.setblocking(False)
        for turn in range(3):
            server.event_attach(sockets[0])
            client.event_write(b"by hand %d" % turn)
            sockets[1].send(client.event_output())
            assert server.event_read() == b"by hand %d" % turn
            server.event_write(b"by itself")
            assert not server.wants & Want.WRITE
            assert client.event_feed(sockets[1].recv(65536)) == b"by itself"
            server.event_write(bytes(5_000_000))  # more than the kernel takes
            assert server.wants & Want.WRITE
            with pytest.raises(TypeError, match="socket"):
                server.event_attach(sockets[0])
            server.event_release()
            assert server.wants & Want.WRITE
            with pytest.raises(ValueError, match="waits to leave"):
                server.event_attach(sockets[0])
            got = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    got += len(client.event_feed(sockets[1].recv(65536)))
            while output := server.event_output():
                got += len(client.event_feed(output))
                while client.wants & Want.PROCEED:
                    got += len(client.event_proceed())
            assert got == 5_000_000
        for one in sockets:
            one.close()


class TestMemory:
    def test_a_hundred_megabytes_at_once(self, tls):
        server, client = tls.pair(ProtocolVersion.TLS1_3)
        data = bytes(100_000_000)
        server.event_write(data)
        assert lib.oi_buffered_out(server._conn) < 4 * EVENT_SIZE
        assert server.queued >= len(data)
        count = 0
        while output := server.event_output():
            assert len(output) <= EVENT_SIZE
            count += len(client.event_feed(output))
            while client.wants & Want.PROCEED:
                count += len(client.event_proceed())
        assert count == len(data)
        assert server.queued == 0

    def test_reading_is_wanted_again_when_the_output_has_gone(self, tls):
        """A peer that provokes replies and does not take them is not listened to meanwhile."""
        server, client = tls.pair(ProtocolVersion.TLS1_3)
        told = False
        for _ in range(20_000):
            client.key_update(True)
            server.event_feed(client.event_output())
            if not server.wants & Want.READ:
                told = True
                break
        assert told
        assert server.wants & Want.WRITE
        while server.event_output():
            pass
        assert server.wants == Want.READ

    def test_output_is_limited(self, tls):
        server, client = tls.pair()
        server.event_write(bytes(1000))
        pieces = []
        while piece := server.event_output(7):
            pieces.append(piece)
        assert {len(piece) for piece in pieces[:-1]} == {7}
        assert client.event_feed(b"".join(pieces)) == bytes(1000)

    def test_writes_keep_their_order_while_output_is_taken_in_parts(self, tls, version):
        """There is room in the buffer again, but others are first."""
        server, client = tls.pair(version)
        server.event_write(BIG)
        outputs = []
        for number in range(10):
            outputs.append(server.event_output(10_000))
            server.event_write(b"%d" % number)
        while output := server.event_output():
            outputs.append(output)
        received = client.event_feed(b"".join(outputs))
        while client.wants & Want.PROCEED:
            received += client.event_proceed()
        assert received == BIG + b"0123456789"

    def test_a_write_waits_for_a_renegotiation_though_data_are_unread(self, tls):
        """libssl would take them for an error if it were the write that went on with the handshake."""
        server, client = tls.pair(ProtocolVersion.TLS1_2)
        server.set_options(getattr(lib, "SSL_OP_ALLOW_CLIENT_RENEGOTIATION", 0))
        server.event_write(BIG[:300_000])
        data = b"".join(iter(server.event_output, b""))
        client.renegotiate()
        received = client.event_feed(data)
        assert client.wants & Want.PROCEED
        client.event_write(b"with new keys")
        assert client.queued >= 13
        while client.wants & Want.PROCEED:
            received += client.event_proceed()
        assert received == BIG[:300_000]
        at_server, at_client = tls.exchange(server, client, sound=True)
        assert (at_server.data, at_client.data) == (b"with new keys", b"")
        assert client.total_renegotiations() == 1

    def test_a_descriptors_event_without_one_is_harmless(self, tls):
        server, client = tls.pair()
        assert client.event_read() == b""
        client.event_write(b"fine")
        assert tls.exchange(server, client, sound=True)[0].data == b"fine"

    def test_no_record_is_lost_around_the_size_of_an_event(self, tls, version):
        server, client = tls.pair(version)
        for size in (EVENT_SIZE - 1, EVENT_SIZE, EVENT_SIZE + 1, 2 * EVENT_SIZE, 16384, 16385, 1, 0):
            data = BIG[:size]
            server.event_write(data)
            received = b""
            while output := server.event_output():
                received += client.event_feed(output)
                while client.wants & Want.PROCEED:
                    received += client.event_proceed()
            assert received == data

    def test_the_end_is_told_after_what_came_before_it(self, tls, version):
        """It is known already while more waits than one event gives."""
        server, client = tls.pair(version)
        server.event_write(BIG)
        client.event_output()
        data, records = b"", b""
        while piece := server.event_output():
            records += piece
        data += client.event_feed(records)
        data += client.event_feed(b"")
        while client.wants & Want.PROCEED and len(data) < len(BIG):
            assert client.ended is None
            data += client.event_proceed()
        assert data == BIG
        with pytest.raises(TruncatedError):
            while client.wants & Want.PROCEED:
                client.event_proceed()
        assert client.ended is Ending.TRUNCATED

    def test_a_failure_is_told_after_what_came_before_it(self, tls, version):
        """Also when both come in one piece."""
        server, client = tls.pair(version)
        server.event_write(b"sound")
        sound = server.event_output()
        server.event_write(b"spoilt")
        spoilt = bytearray(server.event_output())
        spoilt[-1] ^= 1
        assert client.event_feed(sound + spoilt) == b"sound"
        assert client.wants & Want.PROCEED
        with pytest.raises(Error):
            client.event_proceed()
        assert client.ended is Ending.ABORTED
        with pytest.raises(Error):
            server.event_feed(client.event_output())  # its alert

    def test_what_a_callback_writes_and_closes_waits_for_its_event(self, tls, version):
        """Nothing of it is done within, and nothing is forgotten."""
        seen = []

        def write(connection):
            connection.event_write(b"early")
            connection.event_close()
            seen.append((connection.wants, connection.queued, connection.close_sent))

        contexts = tls.contexts(version)
        contexts[0].set_tlsext_servername_callback(write)
        server, client = tls.connections(*contexts)
        server.event_proceed()
        before = server.wants
        ends = tls.exchange(server, client, sound=True)
        assert seen == [(before, 5, False)]
        assert ends[1].data == b"early"
        assert client.ended is Ending.CLEAN
        assert server.close_sent

    @pytest.mark.parametrize("cut", [0, 1, 4, 5, 6, 50, -1])
    def test_the_beginning_of_a_record_is_no_reason_to_come_back(self, tls, version, cut):
        server, client = tls.pair(version)
        full = BIG[:EVENT_SIZE]
        server.event_write(full)
        first = b""
        while more := server.event_output():
            first += more
        last = b"the next record, of which the beginning comes with those before"
        server.event_write(last)
        second = server.event_output()
        assert client.event_feed(first + second[:cut]) == full
        assert client.wants == Want.READ
        assert client.event_feed(second[cut:]) == last

    def test_a_whole_record_behind_a_full_event_is_not_forgotten(self, tls, version):
        server, client = tls.pair(version)
        server.event_write(BIG[:EVENT_SIZE])
        server.event_write(b"more")
        sent = b""
        while more := server.event_output():
            sent += more
        assert client.event_feed(sent) == BIG[:EVENT_SIZE]
        assert client.wants & Want.PROCEED
        assert client.event_proceed() == b"more"
        assert client.wants == Want.READ

    def test_what_is_no_record_behind_a_full_event_is_told(self, tls, version):
        server, client = tls.pair(version)
        server.event_write(BIG[:EVENT_SIZE])
        sent = b""
        while more := server.event_output():
            sent += more
        assert client.event_feed(sent + b"\x17\x03\x03\xff\xff") == BIG[:EVENT_SIZE]
        assert client.wants & Want.PROCEED
        with pytest.raises(Error):
            client.event_proceed()

    def test_a_failing_handshake_is_told_again_and_again_without_being_asked(self, tls):
        server = Connection(tls.server_context())
        server.set_accept_state()
        with pytest.raises(Error, match="http request"):
            server.event_feed(b"GET / HTTP/1.0\r\n\r\n")
        assert server.event_output()[:1] in {b"\x15", b""}
        server.event_flush()
        assert server.wants == 0
        for _ in range(2):
            with pytest.raises(Error, match="http request"):
                server.event_proceed()

    def test_a_goodbye_in_the_handshake_is_no_clean_end(self, tls):
        client = Connection(tls.client_context())
        client.set_connect_state()
        client.event_write(b"waits for the handshake")
        client.event_proceed()
        client.event_output()
        for _ in range(2):
            with pytest.raises(ZeroReturnError, match="during the handshake") as raised:
                client.event_feed(b"\x15\x03\x03\x00\x02\x01\x00")
            assert raised.value.alert == 0
            assert client.ended is Ending.ABORTED
            assert (client.wants, client.queued) == (0, 0)
