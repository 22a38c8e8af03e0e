from __future__ import annotations

import errno
import functools
import math
import os
import pty
import socket
import sys
import threading
import tty

import pytest

from openssl_iface.errors import (
    Error,
    SysCallError,
    TruncatedError,
    WantReadError,
)
from openssl_iface.impl_cffi.connection import Connection

BIG = bytes(range(256)) * 4096  # 1 MiB


class Bare:
    """A transport with ``fileno()`` and nothing else."""

    def __init__(self, number):
        self.number = number

    def fileno(self):
        return self.number


class Moody:
    """A socket that says what it likes of its timeout."""

    def __init__(self, sock, timeout):
        self.socket = sock
        self.timeout = timeout

    def fileno(self):
        return self.socket.fileno()

    def gettimeout(self):
        return self.timeout

    def close(self):
        self.socket.close()


class TestTransports:
    def exercise(self, tls, transports, blocking=True):
        server, client = tls.connections(*tls.contexts(), transports)
        tls.shake(server, client)
        got = tls.together(
            lambda: tls.receive(server, 100_000),
            lambda: tls.receive(client, 100_000),
            lambda: server.sendall(BIG[:100_000]),
            lambda: client.sendall(BIG[100_000:200_000]),
        )
        assert got[:2] == [BIG[100_000:200_000], BIG[:100_000]]
        return server, client

    def test_only_fileno_of_a_socket(self, tls):
        sockets = socket.socketpair()
        self.exercise(tls, [Bare(one.fileno()) for one in sockets])
        for one in sockets:
            one.close()

    def test_a_bare_descriptor_says_itself_whether_it_blocks(self, tls):
        sockets = socket.socketpair()
        _server, client = self.exercise(tls, [Bare(one.fileno()) for one in sockets])
        os.set_blocking(sockets[1].fileno(), False)
        with pytest.raises(WantReadError):
            client.recv(1)

    @pytest.mark.skipif(sys.platform != "linux", reason="of Linux's terminals")
    def test_only_fileno_of_a_terminal(self, tls):
        controller, terminal = pty.openpty()
        tty.setraw(terminal)
        try:
            self.exercise(tls, [Bare(controller), Bare(terminal)])
        finally:
            os.close(controller)
            os.close(terminal)

    @pytest.mark.skipif(sys.platform != "linux", reason="of Linux's terminals")
    def test_a_terminal_blocks_also_while_another_thread_writes(self, tls):
        controller, terminal = pty.openpty()
        tty.setraw(terminal)
        server, client = tls.connections(*tls.contexts(), [Bare(controller), Bare(terminal)])
        tls.shake(server, client)
        written = threading.Event()

        def write():
            client.sendall(BIG[:100_000])
            written.set()

        def look():
            while not written.is_set():
                assert client._deadline() is None
            return True

        _none, received, blocks = tls.together(write, lambda: tls.receive(server, 100_000), look)
        assert received == BIG[:100_000]
        assert blocks is True
        os.close(controller)
        os.close(terminal)

    @pytest.mark.parametrize("wrong", [5, "socket", object(), b"x"])
    def test_what_is_no_transport_is_refused(self, tls, wrong):
        with pytest.raises(TypeError, match="socket"):
            Connection(tls.client_context(), wrong)

    def test_a_closed_socket_is_refused(self, tls):
        closed = socket.socket()
        closed.close()
        with pytest.raises(ValueError, match="socket"):
            Connection(tls.client_context(), closed)

    def test_other_attributes_are_the_sockets(self, pair):
        _server, client = pair
        assert client.getsockname() == client._socket.getsockname()
        assert client.fileno() == client._socket.fileno()
        assert client.family is socket.AF_UNIX
        client.setblocking(False)
        assert client.gettimeout() == 0
        with pytest.raises(AttributeError):
            client.no_such_thing  # noqa: B018
        with pytest.raises(AttributeError, match="getpeername"):
            Connection(client.get_context()).getpeername  # noqa: B018
        with pytest.raises(NotImplementedError):
            client.makefile("rb")

    @pytest.mark.parametrize(
        ("number", "said"), [(2**40, "not within"), ("5", "an integer expected"), (-2, "not within")]
    )
    def test_what_is_no_descriptor_is_refused(self, tls, number, said):
        with pytest.raises((TypeError, ValueError), match=rf"socket: its fileno\(\).*{said}"):
            Connection(tls.client_context(), Bare(number))

    @pytest.mark.parametrize("junk", ["1", b"", [], -1, math.nan])
    def test_a_timeout_that_is_none_is_named_and_nothing_hangs(self, tls, junk):
        ends = socket.socketpair()
        for end in ends:
            end.setblocking(False)
        with ends[0], ends[1]:
            client = Connection(tls.client_context(), Moody(ends[0], junk))
            client.set_connect_state()
            with pytest.raises((TypeError, ValueError), match=r"socket: its gettimeout\(\) returned"):
                client.do_handshake()
            client._socket.timeout = 0
            with pytest.raises(WantReadError):
                client.do_handshake()

    def test_a_timeout_may_be_without_end(self, tls):
        sockets = socket.socketpair()
        self.exercise(tls, [Moody(sockets[0], math.inf), Moody(sockets[1], 1e300)])

    @pytest.mark.parametrize(
        "call",
        [
            Connection.accept,
            lambda made: made.connect(("127.0.0.1", 1)),
            lambda made: made.connect_ex(("", 1)),
        ],
    )
    def test_without_a_socket_there_is_nobody_to_connect(self, tls, call):
        with pytest.raises(TypeError, match="this connection has no socket"):
            call(Connection(tls.client_context(), None))

    def test_accept_of_a_subclass(self, tls):
        """It is of the same class, unless that is made in another way."""

        class Same(Connection):
            pass

        class Named(Connection):
            def __init__(self, name, context, given):
                super().__init__(context, given)
                self.name = name

        class Refusing(Connection):
            def __init__(self, context, given):
                if given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0:
                    raise LookupError("not today")
                super().__init__(context, given)

        context = tls.server_context()
        for make, kind in ((Same, Same), (functools.partial(Named, "me"), Connection), (Refusing, None)):
            with socket.socket() as listening, socket.socket() as peer:
                listening.bind(("127.0.0.1", 0))
                listening.listen()
                listener = make(context, listening)
                peer.connect(listening.getsockname())
                if kind is None:
                    with pytest.raises(LookupError, match="not today"):
                        listener.accept()
                    assert peer.recv(1) == b"", "nobody has the accepted socket, and it is open"
                else:
                    accepted, address = listener.accept()
                    assert type(accepted).__name__ == kind.__name__
                    assert address == peer.getsockname()
                    accepted.close()

    def test_accept_connect_and_connect_ex(self, tls):
        server_context, client_context = tls.contexts()
        listener = Connection(server_context, socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        for connect in ("connect", "connect_ex"):
            client = Connection(client_context, socket.socket())
            client.set_verify_host("localhost")
            assert getattr(client, connect)(listener.getsockname()) in (None, 0)
            server, address = listener.accept()
            assert isinstance(server, Connection)
            assert address == client.getsockname()
            assert server.get_context() is server_context
            tls.shake(server, client)
            client.sock_shutdown(socket.SHUT_WR)
            with pytest.raises(TruncatedError):
                server.recv(1)
            server.close()
            client.close()
        listener.close()
        refused = Connection(client_context, socket.socket())
        assert refused.connect_ex(("127.0.0.1", 1)) == errno.ECONNREFUSED
        with pytest.raises(ConnectionRefusedError):
            refused.connect(("127.0.0.1", 1))


class TestMemory:
    """bio_read, bio_write, bio_shutdown."""

    def test_a_whole_conversation_by_hand(self, tls, version):
        server, client = tls.connections(*tls.contexts(version))
        with pytest.raises(WantReadError):
            server.bio_read(100)
        with pytest.raises(WantReadError):
            client.do_handshake()

        def carry(source, target):
            try:
                while True:
                    data = source.bio_read(7)
                    assert 0 < len(data) <= 7
                    assert target.bio_write(data) == len(data)
            except WantReadError:
                pass

        for _ in range(5):
            carry(client, server)
            carry(server, client)
            for one in (server, client):
                if not one.handshake_done:
                    try:
                        one.do_handshake()
                    except WantReadError:
                        pass
        assert server.handshake_done
        assert client.handshake_done
        assert client.sendall(BIG) == len(BIG)
        received = b""
        with pytest.raises(WantReadError):
            while True:
                try:
                    received += server.recv(65536)
                except WantReadError:
                    carry_all = client.bio_read(1 << 20)
                    server.bio_write(memoryview(carry_all))
        assert received == BIG
        client.bio_shutdown()
        server.bio_shutdown()
        with pytest.raises(TruncatedError):
            server.recv(1)
        with pytest.raises(SysCallError):
            client.recv(1)

    def test_only_without_a_socket(self, pair):
        server, _ = pair
        for call in (lambda: server.bio_read(1), lambda: server.bio_write(b""), server.bio_shutdown):
            with pytest.raises(TypeError, match="socket"):
                call()

    def test_wrong_arguments(self, tls):
        client = Connection(tls.client_context())
        with pytest.raises(TypeError, match="data"):
            client.bio_write("text")
        with pytest.raises(ValueError, match="size"):
            client.bio_read(0)
        with pytest.raises(TypeError, match="size"):
            client.bio_read("1")


class TestArguments:
    @pytest.mark.parametrize(
        ("call", "kind", "name"),
        [
            (lambda c: c.send("text"), TypeError, "data"),
            (lambda c: c.send(5), TypeError, "data"),
            (lambda c: c.send(memoryview(bytes(8))[::2]), ValueError, "data"),
            (lambda c: c.sendall(None), TypeError, "data"),
            (lambda c: c.recv("5"), TypeError, "size"),
            (lambda c: c.recv(-1), ValueError, "size"),
            (lambda c: c.recv(2**70), ValueError, "size"),
            (lambda c: c.recv(1, "peek"), TypeError, "flags"),
            (lambda c: c.recv_into(b"read-only"), TypeError, "buffer"),
            (lambda c: c.recv_into("text"), TypeError, "buffer"),
            (lambda c: c.recv_into(bytearray(5), -1), ValueError, "size"),
        ],
    )
    def test_wrong_ones_are_named_and_harmless(self, tls, call, kind, name):
        server, client = tls.over_sockets()
        with pytest.raises(kind, match=name):
            call(client)
        server.sendall(b"fine")
        assert client.recv(10) == b"fine"

    def test_the_side_cannot_be_changed_later(self, pair):
        server, client = pair
        client.set_connect_state()
        with pytest.raises(Error, match="side"):
            client.set_accept_state()
        client.sendall(b"still")
        assert server.recv(10) == b"still"

    def test_nobody_said_which_side(self, tls):
        connection = Connection(tls.client_context())
        for _ in range(2):
            with pytest.raises(Error, match="connection type not set"):
                connection.do_handshake()
        connection.set_connect_state()
        with pytest.raises(WantReadError):
            connection.do_handshake()

    def test_operations_before_the_handshake(self, tls):
        _, client = tls.connections(*tls.contexts())
        with pytest.raises(Error):
            client.shutdown()
        with pytest.raises(WantReadError):
            client.recv(1)
        with pytest.raises(WantReadError):
            client.send(b"x")
