"""Wires between real sockets that break on purpose.

Theory of operation.  The sockets that a test gives away (``wire.a`` and ``wire.b``)
are not connected to each other.  Each is connected to a socket of ours, and a relay
thread moves the bytes between those two through a pair of lanes
(:class:`openssl_iface.testing.lanes.Lane`), whose controls decide what passes, when,
and in what pieces::

    a <--kernel--> [relay: read -> a_to_b lane -> write] <--kernel--> b

A piece that the relay has sent may still meet another one in the receiver's kernel
buffer.  With ``exact=True``, the relay therefore sends the next piece of a direction
only when the receiver has read the one before: then every ``recv`` of the test's socket
gives one piece, whatever the machine's load.

Nothing here waits for longer than a deadline, whose passing is an error that says
what was waited for and how the wire stood.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import selectors
import socket
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from typing import Literal, Self

from .lanes import DEADLINE, Clock, End, Lane, WireTimeoutError, choose_seed, say

__all__ = ["Proxy", "SocketWire", "WireTimeoutError", "abort", "choose_seed", "shrink_buffers", "socket_pair"]

Kind = Literal["tcp", "unix"]

# The least that Linux grants for either buffer, and what it makes of any smaller number.
_TINY = 1
_SEGMENT = 536
# How often an exact wire looks whether the receiver has read, in seconds; the kernel cannot tell us.
_GLANCE = 0.001
_READ = 65536


def shrink_buffers(sock: socket.socket) -> None:
    """Give *sock* the smallest kernel buffers there are (on Linux some 4.5 KiB and 2 KiB).

    For TCP, do it before ``connect`` or ``listen``: the window is agreed on there.
    """
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        # A window below one segment (64 KiB on the loopback device) moves by the kernel's probe timer
        # alone, which waits for minutes in the end.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _TINY)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _TINY)


def abort(sock: socket.socket) -> None:
    """Close a TCP socket so that its peer is sent a reset (*socket(7)*, ``SO_LINGER`` with 0 seconds)."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def socket_pair(kind: Kind = "tcp", *, tiny: bool = False) -> tuple[socket.socket, socket.socket]:
    """Two connected blocking sockets.

    :param kind: ``"tcp"`` (over the loopback address, without Nagle's delay) or ``"unix"``.
    :param tiny: with the smallest kernel buffers.
    """
    if kind == "unix":
        pair = socket.socketpair()
        if tiny:
            for sock in pair:
                shrink_buffers(sock)
        return pair
    if kind != "tcp":
        raise ValueError(f"kind: 'tcp' or 'unix' is needed, not {kind!r}")
    with socket.socket() as listener:
        client = socket.socket()
        try:
            if tiny:
                shrink_buffers(listener)
                shrink_buffers(client)
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            listener.settimeout(DEADLINE)
            client.settimeout(DEADLINE)
            client.connect(listener.getsockname())
            # A stranger on this machine may have connected first.
            while True:
                server, address = listener.accept()
                if address == client.getsockname():
                    break
                server.close()
        except BaseException:
            client.close()
            raise
    for sock in (client, server):
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def _in_flight(sock: socket.socket) -> int:
    """Bytes that were sent through *sock* and that the peer's kernel (or, Unix: program) has not got."""
    count: int = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]
    return count


def _unread(sock: socket.socket) -> int:
    """Bytes that were sent through *sock* and that the peer's program has not read."""
    count = _in_flight(sock)
    if count or sock.family == socket.AF_UNIX or not sys.platform.startswith("linux"):
        return count
    # All has been acknowledged, so it is in the peer's receive queue, or has been read.
    with contextlib.suppress(OSError):
        return _receive_queue(sock.getpeername(), sock.getsockname())
    return 0


def _receive_queue(local: tuple[str, int], remote: tuple[str, int]) -> int:
    """Bytes in the receive queue of a TCP socket of this machine, by its addresses (*sock_diag(7)*)."""
    identity = struct.pack(
        "!HH4s12x4s12xIII", local[1], remote[1], socket.inet_aton(local[0]), socket.inet_aton(remote[0]), 0,
        0xFFFFFFFF, 0xFFFFFFFF,
    )  # fmt: skip
    request = struct.pack("BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + identity
    header = struct.pack("=IHHII", 16 + len(request), 20, 1, 0, 0)  # SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 4) as diagnosis:
        diagnosis.send(header + request)
        answer = diagnosis.recv(4096)
    kind = struct.unpack_from("=H", answer, 4)[0]
    # An error says that there is no such socket: its program has closed it.
    count: int = struct.unpack_from("=I", answer, 16 + 56)[0] if kind == 20 else 0
    return count


class _Direction:
    """What the relay knows of one direction."""

    def __init__(self, lane: Lane, source: _Port, target: _Port) -> None:
        self.lane = lane
        self.source = source
        self.target = target
        self.unsent = b""
        #: the lane of the other direction
        self.reverse: Lane = lane


class _Port:
    """One of the relay's two sockets."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.events = 0
        self.reading = True


class Relay:
    """A thread that moves bytes between two connected sockets, through two lanes.

    It owns the sockets, and ends when both directions have ended or :meth:`close` is called.

    :param left: the socket that :attr:`rightwards` reads from.
    :param right: the socket that :attr:`leftwards` reads from.
    :param capacity: the most bytes inside each lane.
    :param exact: send a piece only when the receiver has read the one before; for TCP the kernel must
        offer *sock_diag(7)*, else ``OSError`` is raised.
    :param prepare: called with the relay before it moves anything, to set its lanes' controls.

    :ivar rightwards, leftwards: the two :class:`~openssl_iface.testing.lanes.Lane`.
    :ivar failure: what broke the thread, if anything did; :meth:`close` raises it.
    """

    def __init__(
        self,
        left: socket.socket,
        right: socket.socket,
        *,
        clock: Clock | None = None,
        capacity: int | None = _READ,
        exact: bool = False,
        names: tuple[str, str] = ("a", "b"),
        prepare: Callable[[Relay], object] | None = None,
    ) -> None:
        if exact and left.family != socket.AF_UNIX:
            _receive_queue(("127.0.0.1", 0), ("127.0.0.1", 0))
        self.clock = clock or Clock(auto=True)
        self.exact = exact
        self.failure: BaseException | None = None
        self._condition = threading.Condition(threading.RLock())
        lanes = [
            Lane(f"{one} to {other}", clock=self.clock, capacity=capacity, condition=self._condition)
            for one, other in (names, names[::-1])
        ]
        self.rightwards, self.leftwards = lanes
        self._left, self._right = _Port(left), _Port(right)
        there = _Direction(self.rightwards, self._left, self._right)
        back = _Direction(self.leftwards, self._right, self._left)
        there.reverse, back.reverse = back.lane, there.lane
        self._directions = (there, back)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._stop = self._abort = False
        for lane in lanes:
            lane.on_change = self._wake
        self.clock.listen(self._wake)
        self._thread = threading.Thread(target=self._run, name=f"relay {names[0]}-{names[1]}", daemon=True)
        if prepare is not None:
            prepare(self)
        self._thread.start()

    def reset(self) -> None:
        """Send both ends a reset at once; what has not been delivered is lost."""
        self._abort = True
        self.close()

    def close(self, timeout: float = DEADLINE) -> None:
        """Stop, and close both sockets; raises what broke the thread, if anything did."""
        with self._condition:
            self._stop = True
            self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise WireTimeoutError(f"the relay did not stop within {timeout:g} s: {self!r}")
            if self.failure is not None:
                raise self.failure

    def __repr__(self) -> str:
        return f"<Relay: {self.rightwards!r}, {self.leftwards!r}>"

    # -- the thread ------------------------------------------------------------

    def _wake(self) -> None:
        if threading.current_thread() is self._thread:
            return
        with self._condition:
            if self._wake_write >= 0:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._wake_write, b"!")

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake_read, selectors.EVENT_READ)
                while not self._stop and not self._finished():
                    self._turn(selector)
        except BaseException as error:
            self.failure = error
            say(f"the relay broke: {error!r}")
        finally:
            with self._condition:
                for port in (self._left, self._right):
                    (abort if self._abort else socket.socket.close)(port.sock)
                for way in self._directions:
                    way.lane.finish(End.RESET)
                os.close(self._wake_read)
                os.close(self._wake_write)
                self._wake_write = -1
                self._condition.notify_all()

    def _finished(self) -> bool:
        # A source is drained until it ends, even if nobody hears it any more: to close a socket
        # with unread bytes would send a reset that the test did not ask for.
        return all(
            way.lane.ended is not None and not way.unsent and not way.source.reading
            for way in self._directions
        )

    def _turn(self, selector: selectors.BaseSelector) -> None:
        """One round: move what can be moved, then wait until something else can be."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass
        # What was said before the pipe was emptied must be looked at after it.
        if self._stop:
            return
        # Every attempt, so that neither direction waits for the other.
        moved = [step(way) for way in self._directions for step in (self._take, self._give)]
        if any(moved):
            return
        for port in (self._left, self._right):
            wanted = 0
            for way in self._directions:
                if way.source is port and port.reading and way.lane.room:
                    wanted |= selectors.EVENT_READ
                if way.target is port and way.unsent:
                    wanted |= selectors.EVENT_WRITE
            self._watch(selector, port, wanted)
        due = [when for way in self._directions if (when := way.lane.next_due()) is not None]
        if due and self.clock.auto:
            # Look once more at the sockets: time passes only when there is nothing else to do.
            if not selector.select(0):
                self.clock.advance_to(min(due))
            return
        # What is ready and has not gone waits for the receiver to read, of which nothing tells us.
        blocked = any(way.lane.ready and not way.unsent for way in self._directions)
        selector.select(_GLANCE if blocked else None)

    @staticmethod
    def _watch(selector: selectors.BaseSelector, port: _Port, wanted: int) -> None:
        if wanted == port.events:
            return
        if not port.events:
            selector.register(port.sock, wanted)
        elif not wanted:
            selector.unregister(port.sock)
        else:
            selector.modify(port.sock, wanted)
        port.events = wanted

    def _take(self, way: _Direction) -> bool:
        """Read from the source into the lane."""
        port = way.source
        room = way.lane.room
        if not port.reading or not room:
            return False
        try:
            data = port.sock.recv(min(room, _READ))
        except BlockingIOError:
            return False
        except OSError as error:
            port.reading = False
            way.lane.push_end(_ending(error))
            return True
        if data:
            way.lane.push(data)
        else:
            port.reading = False
            way.lane.push_end(End.EOF)
        return True

    def _give(self, way: _Direction) -> bool:
        """Send what the lane lets pass to the target."""
        sock = way.target.sock
        if not way.unsent:
            if not way.lane.ready or (self.exact and _unread(sock)):
                return False
            if way.lane.end_due is End.RESET and _in_flight(sock):
                return False  # a reset would take back what the receiver's kernel has not got yet
            piece = way.lane.pull()
            if piece is None:
                return False
            if piece is End.RESET:
                self._abort = self._stop = True
                return True
            if piece is End.EOF:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
                return True
            way.unsent = piece
        try:
            sent = sock.send(way.unsent)
        except BlockingIOError:
            return False
        except OSError as error:
            # The receiver has gone.  The sender is told as its kernel would: after what the
            # receiver sent before it went.
            end = _ending(error)
            way.unsent = b""
            way.lane.finish(end)
            if way.reverse.ended is not None:
                self._abort = self._stop = True
            way.reverse.push_end(end)
            way.target.reading = False
            return True
        way.unsent = way.unsent[sent:]
        return True


def _ending(error: OSError) -> End:
    if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ETIMEDOUT):
        return End.RESET
    raise error


class SocketWire:
    """A wire between two real sockets, ``a`` and ``b``; a context manager.

    :param kind: ``"tcp"`` (loopback) or ``"unix"`` (no resets there).
    :param tiny: the smallest kernel buffers for every socket, and 1 KiB inside each lane.
    :param exact: each ``recv`` of ``a`` or ``b`` gives one piece of the lane (Linux).
    :param clock: the virtual time of ``delay``; an ``auto`` one if left out.

    :ivar a, b: blocking sockets, for the test to use and to close.
    :ivar a_to_b, b_to_a: the two :class:`~openssl_iface.testing.lanes.Lane`.
    """

    def __init__(
        self,
        kind: Kind = "tcp",
        *,
        tiny: bool = False,
        exact: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.kind = kind
        self.a, left = socket_pair(kind, tiny=tiny)
        self.b, right = socket_pair(kind, tiny=tiny)
        self.relay = Relay(left, right, clock=clock, exact=exact, capacity=1024 if tiny else _READ)
        self.clock = self.relay.clock
        self.a_to_b = self.relay.rightwards
        self.b_to_a = self.relay.leftwards

    def reset(self) -> None:
        """Send both ends a reset; what has not been delivered is lost."""
        if self.kind != "tcp":
            raise ValueError("a reset needs kind='tcp': Unix sockets have none")
        self.relay.reset()

    def chaos(self, seed: int | None = None, *, delay: float = 1.0) -> int:
        """Both directions as :meth:`Lane.chaos`; returns the seed."""
        return self.b_to_a.chaos(self.a_to_b.chaos(seed, delay=delay), delay=delay)

    def close(self) -> None:
        """Close everything, the sockets ``a`` and ``b`` too."""
        self.a.close()
        self.b.close()
        self.relay.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SocketWire {self.kind}: {self.a_to_b!r}, {self.b_to_a!r}>"


class Proxy:
    """A listening port whose connections go to another port, each through a relay; a context manager.

    It puts a wire that misbehaves before a server, or a client, of any make.

    :param target: the port, or the address, to connect to.
    :param tiny: as for :class:`SocketWire`.
    :param exact: as for :class:`SocketWire`.
    :param prepare: called with each new :class:`Relay` before it moves anything.

    :ivar port: where to connect to, on 127.0.0.1.
    :ivar relays: one for each connection so far; ``a`` is the client and ``b`` the server.
    """

    def __init__(
        self,
        target: int | tuple[str, int],
        *,
        tiny: bool = False,
        exact: bool = False,
        clock: Clock | None = None,
        prepare: Callable[[Relay], object] | None = None,
    ) -> None:
        self.target = ("127.0.0.1", target) if isinstance(target, int) else target
        self.tiny, self.exact, self.prepare = tiny, exact, prepare
        self.clock = clock or Clock(auto=True)
        self.relays: list[Relay] = []
        self._condition = threading.Condition()
        self._listener = socket.socket()
        if tiny:
            shrink_buffers(self._listener)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=f"proxy {self.port}", daemon=True)
        self._thread.start()

    def relay(self, index: int = -1, timeout: float = DEADLINE) -> Relay:
        """The relay of a connection; waits until there is one."""
        count = index + 1 if index >= 0 else -index
        with self._condition:
            if not self._condition.wait_for(lambda: len(self.relays) >= count, timeout):
                came = len(self.relays)
                raise WireTimeoutError(
                    f"waited {timeout:g} s for connection {count} to port {self.port}; {came} came"
                )
            return self.relays[index]

    def close(self) -> None:
        """Stop listening and end all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)
        self._listener.close()
        for relay in self.relays:
            relay.close()

    def _run(self) -> None:
        for client in self._accepted():
            server = socket.socket()
            if self.tiny:
                shrink_buffers(server)
            server.settimeout(DEADLINE)
            try:
                server.connect(self.target)
            except OSError:
                # As the client would see it without us.
                abort(client)
                server.close()
                continue
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            relay = Relay(
                client,
                server,
                clock=self.clock,
                exact=self.exact,
                capacity=1024 if self.tiny else _READ,
                names=("client", "server"),
                prepare=self.prepare,
            )
            with self._condition:
                self.relays.append(relay)
                self._condition.notify_all()

    def _accepted(self) -> Iterator[socket.socket]:
        while True:
            try:
                yield self._listener.accept()[0]
            except OSError:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
