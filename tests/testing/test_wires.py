from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from openssl_iface.testing.lanes import Clock, End, WireTimeoutError
from openssl_iface.testing.wires import Proxy, SocketWire, abort, socket_pair

KINDS = ["tcp", "unix"]
DATA = bytes(range(256)) * 400


def read_all(sock: socket.socket) -> list[bytes]:
    """What each ``recv`` gave, until the end of file."""
    got = []
    while data := sock.recv(65536):
        got.append(data)
    return got


def sender(sock: socket.socket, data: bytes) -> threading.Thread:
    def run() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def wire(kind):
    with SocketWire(kind, exact=True) as wire:
        wire.a.settimeout(30)
        wire.b.settimeout(30)
        yield wire


@pytest.mark.parametrize("tiny", [False, True])
def test_bytes_go_both_ways_and_end(kind, tiny):
    with SocketWire(kind, tiny=tiny) as wire:
        threads = [sender(wire.a, DATA), sender(wire.b, DATA[::-1])]
        reader = threading.Thread(target=lambda: answers.append(b"".join(read_all(wire.a))))
        answers: list[bytes] = []
        reader.start()
        assert b"".join(read_all(wire.b)) == DATA
        for thread in [*threads, reader]:
            thread.join()
        assert answers == [DATA[::-1]]


def test_tiny_buffers_are_soon_full(kind):
    with SocketWire(kind, tiny=True) as wire:
        wire.a_to_b.hold()
        wire.a.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 100_000:
                sent += wire.a.send(bytes(1000))
        assert sent < 60_000


@pytest.mark.parametrize("size", [1, 7])
def test_pieces_arrive_one_by_one(wire, size):
    wire.a_to_b.chunk(size)
    wire.a.sendall(DATA[:300])
    wire.a.shutdown(socket.SHUT_WR)
    expected = [DATA[i : i + size] for i in range(0, 300, size)]
    expected[-1] = DATA[:300][-(300 % size or size) :]
    assert read_all(wire.b) == expected


def test_split_and_coalesce(wire):
    wire.a_to_b.coalesce(10)
    wire.a_to_b.split([3])
    for _ in range(5):
        wire.a.sendall(b"ab")
    assert wire.b.recv(100) == b"aba"
    assert wire.a_to_b.offered == 10
    wire.a.shutdown(socket.SHUT_WR)
    assert read_all(wire.b) == [b"bababab"]


def test_hold_and_release(wire):
    wire.a_to_b.hold()
    wire.a.sendall(b"abcdef")
    wire.a_to_b.wait_offered(6)
    wire.b.setblocking(False)
    with pytest.raises(BlockingIOError):
        wire.b.recv(10)
    wire.b.settimeout(30)
    wire.a_to_b.release(4)
    assert wire.b.recv(10) == b"abcd"
    wire.a_to_b.release()
    assert wire.b.recv(10) == b"ef"


def test_truncate_is_an_end_of_file_and_leaves_the_other_direction(wire):
    wire.a_to_b.truncate(5)
    thread = sender(wire.a, DATA)
    assert b"".join(read_all(wire.b)) == DATA[:5]
    thread.join()  # the rest was taken, and lost
    wire.b.sendall(b"still here")
    assert wire.a.recv(100) == b"still here"


def test_corrupt(wire):
    wire.a_to_b.corrupt(2, 0x20)
    wire.a.sendall(b"abcd")
    assert wire.b.recv(100) == b"abCd"


def test_half_close(wire):
    wire.a.shutdown(socket.SHUT_WR)
    assert wire.b.recv(1) == b""
    wire.b.sendall(b"answer")
    assert wire.a.recv(100) == b"answer"
    assert wire.a_to_b.wait_ended() is End.EOF


def test_close_while_the_peer_sends_is_noticed(kind):
    with SocketWire(kind) as wire:
        wire.b.close()
        wire.a.settimeout(30)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            wire.a.sendall(DATA * 100)


def test_delay_goes_by_virtual_time(kind):
    clock = Clock()
    with SocketWire(kind, clock=clock) as wire:
        wire.a_to_b.delay(3600)
        wire.a.sendall(b"an hour later")
        wire.a_to_b.wait_offered(13)
        clock.advance(3599)
        wire.b.setblocking(False)
        with pytest.raises(BlockingIOError):
            wire.b.recv(100)
        clock.advance(1)
        wire.b.settimeout(30)
        assert wire.b.recv(100) == b"an hour later"


def test_chaos_harms_nothing(kind):
    with SocketWire(kind, tiny=True) as wire:
        wire.chaos()
        thread = sender(wire.a, DATA)
        assert b"".join(read_all(wire.b)) == DATA, repr(wire)
        thread.join()


def test_the_same_chaos_gives_the_same_pieces():
    def run() -> list[bytes]:
        with SocketWire("unix", exact=True) as wire:
            wire.a_to_b.hold()
            wire.chaos(99)
            wire.a.sendall(DATA[:20_000])
            wire.a.shutdown(socket.SHUT_WR)
            # What the relay reads at once is the machine's choice, so let it read all before it begins.
            wire.a_to_b.wait_offered(20_000)
            wire.a_to_b.release()
            return read_all(wire.b)

    assert run() == run()


@pytest.mark.parametrize("offset", [0, 5, 5000])
def test_reset_after_some_bytes(offset):
    with SocketWire("tcp") as wire:
        wire.a_to_b.hold()
        wire.a.sendall(DATA[:8000])
        wire.a_to_b.wait_offered(8000)
        wire.a_to_b.reset(offset)
        wire.a_to_b.release()
        wire.a_to_b.wait_ended()
        wire.b.settimeout(30)
        got = b""
        while len(got) < offset:
            got += wire.b.recv(100)
        assert got == DATA[:offset]
        with pytest.raises(ConnectionResetError):
            wire.b.recv(100)
        wire.a.settimeout(30)
        with pytest.raises(ConnectionResetError):
            wire.a.recv(100)


def test_reset_now():
    with SocketWire("tcp") as wire:
        wire.a_to_b.hold()
        wire.a.sendall(b"lost")
        wire.a_to_b.wait_offered(4)
        wire.reset()
        for sock in (wire.a, wire.b):
            with pytest.raises(ConnectionResetError):
                sock.recv(100)
    with SocketWire("unix") as wire, pytest.raises(ValueError, match="tcp"):
        wire.reset()


def test_a_reset_passes_through():
    with SocketWire("tcp") as wire:
        wire.a.sendall(b"last words")
        wire.a_to_b.wait_offered(10)
        abort(wire.a)
        wire.b.settimeout(30)
        assert wire.b.recv(100) == b"last words"
        with pytest.raises(ConnectionResetError):
            wire.b.recv(100)
        assert wire.a_to_b.wait_ended() is End.RESET


def test_a_wait_that_fails_says_how_things_stand():
    with SocketWire("unix") as wire, pytest.raises(WireTimeoutError, match=r"a to b: 0 bytes in"):
        wire.a_to_b.wait_offered(1, timeout=0.01)


def test_closing_leaves_no_thread_and_no_descriptor(kind):
    before = threading.active_count()
    with SocketWire(kind) as wire:
        wire.a.sendall(b"abc")
    assert threading.active_count() == before
    assert wire.a.fileno() == -1
    wire.close()  # once more does no harm


def test_socket_pair_refuses_other_kinds():
    with pytest.raises(ValueError, match="kind"):
        socket_pair("udp")  # type: ignore[arg-type]


@pytest.fixture
def echo_port():
    """A plain server which sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(sock: socket.socket) -> None:
            with sock, contextlib.suppress(ConnectionResetError):
                while data := sock.recv(65536):
                    sock.sendall(data)

        def accept() -> None:
            while True:
                try:
                    sock = listener.accept()[0]
                except OSError:
                    return
                threading.Thread(target=serve, args=(sock,), daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("tiny", [False, True])
def test_proxy_puts_a_wire_before_a_server(echo_port, tiny):
    with (
        Proxy(echo_port, tiny=tiny, exact=True, prepare=lambda relay: relay.leftwards.chunk(2)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as client,
    ):
        client.sendall(b"hello")
        assert [client.recv(100) for _ in range(3)] == [b"he", b"ll", b"o"]
        relay = proxy.relay(0)
        assert relay.rightwards.delivered == 5
        relay.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(100)


def test_proxy_without_a_server_resets():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Proxy(port) as proxy:
        with (
            pytest.raises(ConnectionResetError),
            socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as client,
        ):
            client.recv(1)
        with pytest.raises(WireTimeoutError, match="connection 1 to port"):
            proxy.relay(0, timeout=0.01)
