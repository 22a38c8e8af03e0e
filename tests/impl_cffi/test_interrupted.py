"""What a signal's handler raises in the midst of an operation: the connection is there for other threads.

A handler of Python's runs between two instructions of the interpreter.  So the exception is
raised at each of them in turn, by what debuggers use.
"""

from __future__ import annotations

import dis
import socket
import sys
import threading
from contextlib import ExitStack, contextmanager

import pytest

from openssl_iface.errors import Error
from openssl_iface.impl_cffi import direct, engine

# What the with statement does with a lock that is Python's own is not ours to interrupt.
LEFT_ALONE = {"__enter__", "__exit__"}
# Nobody's handler runs there, and it may belong to no try statement.
NOP = dis.opmap["NOP"]


class Interruption(Exception):
    """What the handler raises."""


if sys.version_info >= (3, 12):

    @contextmanager
    def stepping(step):
        """Call *step* with the code and the offset of each instruction."""
        monitoring = sys.monitoring
        tool, instructions = monitoring.DEBUGGER_ID, monitoring.events.INSTRUCTION
        monitoring.use_tool_id(tool, __name__)
        monitoring.register_callback(tool, instructions, step)
        monitoring.set_events(tool, instructions)
        try:
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)

else:

    @contextmanager
    def stepping(step):
        """Call *step* with the code and the offset of each instruction."""

        def trace(frame, event, _argument):
            frame.f_trace_opcodes = True
            if event == "opcode":
                step(frame.f_code, frame.f_lasti)
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(before)


def interrupted(operation, at, first=lambda: None):
    """Whether *operation* was still at work at the instruction *at* of our code, and so was interrupted.

    :param first: what the handler does before it raises.
    """
    count = 0
    handling = False

    def step(code, offset):
        nonlocal count, handling
        if (
            handling
            or code.co_filename not in (engine.__file__, direct.__file__)
            or code.co_name in LEFT_ALONE
        ):
            return
        if code.co_code[offset] != NOP:
            count += 1
            if count == at:
                handling = True
                first()
                raise Interruption

    outcome = []

    def run():
        try:
            with stepping(step):
                operation()
        except Interruption:
            outcome.append(True)
        except Error:
            outcome.append(False)
        else:
            outcome.append(False)

    # What is raised as an except clause ends stays that thread's "current" exception (Python 3.11): it would
    # be the context of all that later tests raise.
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return outcome[0]


def free(connection):
    """Whether another thread gets an answer of it."""
    done = threading.Event()

    def ask():
        connection.pending()
        done.set()

    threading.Thread(target=ask, daemon=True).start()
    return done.wait(20)


def pass_on(sender, receiver):
    receiver.event_feed(sender.event_output())


def begun(server, client):
    """The server knows the client's hello."""
    client.event_proceed()
    pass_on(client, server)


def nearly_done(server, client):
    begun(server, client)
    pass_on(server, client)


def half_known(server, client):
    """The client has the server's answer, and has not looked at it."""
    begun(server, client)
    client.bio_write(server.event_output())


def complete(server, client):
    """Nothing of the client's waits to leave."""
    nearly_done(server, client)
    pass_on(client, server)


def waiting(server, client):
    client.event_proceed()
    client.event_write(b"for later")


def refused(server, client):
    server.bio_write(b"\x15\x03\x01\x00\x02\x02\x28")  # an alert: handshake_failure


OPERATIONS = {
    "event_proceed": (lambda *_: None, lambda _server, client: client.event_proceed()),
    "event_read": (
        lambda _server, client: client.event_proceed(),
        lambda server, _client: server.event_read(),
    ),
    "event_output": (waiting, lambda _server, client: client.event_output()),
    "event_feed": (nearly_done, lambda server, client: server.event_feed(client.event_output())),
    "event_write": (begun, lambda server, _client: server.event_write(b"too early")),
    "event_encrypt": (complete, lambda _server, client: client.event_encrypt(b"at once")),
    "event_encrypt, late": (nearly_done, lambda _server, client: client.event_encrypt(b"behind it")),
    "do_handshake": (half_known, lambda _server, client: client.do_handshake()),
    "recv": (refused, lambda server, _client: server.recv(1)),
    "send": (half_known, lambda _server, client: client.send(b"done by the way")),
}


def test_a_handler_that_uses_the_connection(tls):
    """One event within another one, on the same thread."""
    contexts = tls.contexts()
    at = 0
    going = True
    while going:
        at += 1
        server, client = tls.connections(*contexts)
        nearly_done(server, client)

        def farewell(server=server):
            server.event_write(b"bye")

        going = interrupted(lambda: server.event_feed(client.event_output()), at, farewell)  # noqa: B023
        assert free(server), at
        assert free(client), at


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_signal_at_every_instruction(tls, name):
    prepare, operate = OPERATIONS[name]
    contexts = tls.contexts()
    at = 0
    going = True
    while going:
        at += 1
        with ExitStack() as stack:
            sockets = (None, None)
            if name == "event_read":
                sockets = tuple(stack.enter_context(each) for each in socket.socketpair())
                for each in sockets:
                    each.setblocking(False)
            server, client = tls.connections(*contexts, sockets)
            prepare(server, client)
            going = interrupted(lambda: operate(server, client), at)  # noqa: B023 - called at once
            assert free(server), at
            assert free(client), at
    assert at > 20  # it was our code that was interrupted
