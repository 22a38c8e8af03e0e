from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path

import pytest

from openssl_iface.errors import Error, OpenSSLError
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.impl_cffi.context import Context
from openssl_iface.impl_cffi.session import Session
from openssl_iface.values import Method, ProtocolVersion

HARMLESS = (AttributeError, TypeError, ValueError, OpenSSLError, NotImplementedError)


def resident():
    """Bytes of resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def program(source, *arguments):
    return subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(source), *arguments],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


class TestCycles:
    def test_a_connection_that_its_callbacks_know_is_collected(self, tls, version):
        server, client = tls.contexts(version)
        both = tls.connections(server, client)
        mine = both[0]
        mine.set_info_callback(lambda *_, known=mine: None)
        mine.set_verify(1, lambda *_, known=(mine, server): True)
        server.set_tlsext_servername_callback(lambda c, known=(mine, server): None)
        mine.set_app_data(mine)
        server.set_app_data(server)
        tls.exchange(*both, sound=True)
        dead = [weakref.ref(mine), weakref.ref(server)]
        del both, mine, server
        gc.collect()
        assert [one() for one in dead] == [None, None]

    def test_without_cycles_nothing_waits_for_the_collector(self, tls, version):
        gc.collect()
        gc.disable()
        try:
            both = tls.pair(version)
            dead = [weakref.ref(one) for one in both]
            del both
            assert [one() for one in dead] == [None, None]
        finally:
            gc.enable()

    def test_failed_ones_do_not_wait_either(self, tls, version):
        gc.collect()
        gc.disable()
        try:
            # Nothing is kept of an exception here: its traceback would make cycles.
            failures = 0
            both = tls.connections(*tls.contexts(version), host="elsewhere.test")
            for _ in range(6):
                for one, other in (both, both[::-1]):
                    try:
                        one.event_proceed()
                    except Error:
                        failures += 1
                    try:
                        one.event_feed(other.event_output())
                    except Error:
                        failures += 1
            assert failures > 4
            dead = [weakref.ref(one) for one in both]
            del both, one, other
            assert [each() for each in dead] == [None, None]
        finally:
            gc.enable()

    def test_what_could_not_be_sent_is_collected_with_the_traceback_that_says_so(self):
        """CPython's collector crashes on a view that is lent while it is garbage."""
        done = program("""
            import gc
            from openssl_iface import SSL

            for kind in (bytes, bytearray, memoryview):
                for what in ("send", "sendall", "write"):
                    for _ in range(20):
                        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
                        connection.set_connect_state()
                        try:
                            getattr(connection, what)(kind(b"before the handshake"))
                        except SSL.WantReadError as error:
                            error.itself = error
                    gc.collect()
            print("alive")
        """)
        assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


class TestOwners:
    def test_objects_outlive_their_connection(self, tls, version):
        both = tls.pair(version)
        mine = both[1]
        certificate, chain = mine.get_peer_certificate(), mine.get_verified_chain()
        session, context, ssl = mine.get_session(), mine.get_context(), mine._ssl
        del both, mine
        gc.collect()
        assert certificate.get_subject().CN == "localhost"
        assert len(chain) == 3
        assert session.to_bytes()
        assert context.get_cipher_list()
        # Somebody else's reference: what it asks for goes nowhere, and crashes nothing.
        assert lib.SSL_is_init_finished(ssl)

    def test_what_somebody_else_begins_goes_nowhere(self, tls):
        connection = tls.connections(*tls.contexts())[1]
        ssl = connection._ssl
        del connection
        gc.collect()
        try:
            assert lib.SSL_get_error(ssl, lib.SSL_do_handshake(ssl)) == lib.SSL_ERROR_SYSCALL
        finally:
            lib.ERR_clear_error()

    def test_a_connection_outlives_its_context(self, tls, version):
        server, client = tls.contexts(version)
        both = tls.connections(server, client)
        del server, client
        gc.collect()
        tls.exchange(*both, sound=True)

    def test_a_store_outlives_its_context(self, tls):
        store = tls.client_context().get_cert_store()
        gc.collect()
        store.add_cert(tls.pki.root.certificate)
        assert lib.oi_store_size(store._store) == 1

    def test_certificates_given_are_kept(self, tls):
        identity = tls.pki.ca.issue("localhost")
        server = tls.server_context(None, identity)
        del identity
        gc.collect()
        tls.exchange(*tls.connections(server, tls.client_context()), sound=True)


class TestHalfMade:
    @pytest.mark.parametrize("kind", [Connection, Session])
    def test_without_init_every_method_is_an_error(self, kind):
        half = kind.__new__(kind)
        for name in dir(kind):
            if name.startswith("__"):
                continue
            for arguments in ((), (1,), (b"x",), (1, 2), (lambda *_: None,)):
                try:
                    value = getattr(half, name)
                    if callable(value):
                        value(*arguments)
                except HARMLESS:
                    continue
        for turn in (repr, str):
            try:
                turn(half)
            except HARMLESS:
                continue

    def test_made_once(self, tls):
        server, client = tls.pair()
        with pytest.raises(TypeError, match="once"):
            client.__init__(client.get_context())
        client.event_write(b"alive")
        assert tls.exchange(server, client, sound=True)[0].data == b"alive"

    def test_an_init_that_failed_leaves_nothing_dangerous(self, tls):
        class Bad:
            def fileno(self):
                raise OSError("no")

        half = Connection.__new__(Connection)
        with pytest.raises(OSError, match="no"):
            half.__init__(tls.client_context(), Bad())
        for name in ("recv", "do_handshake", "event_proceed", "get_session"):
            with pytest.raises(HARMLESS):
                getattr(half, name)(*([1] if name == "recv" else []))

    def test_subclasses_that_forget_init(self, tls):
        class Mine(Connection):
            def __init__(self):
                pass

        with pytest.raises(AttributeError):
            Mine().do_handshake()

    @pytest.mark.parametrize("junk", [None, 5, "x", b"x", [], {}, object(), -1, 2**70, float("nan"), b"\0"])
    def test_junk_for_every_method_of_a_live_one(self, tls, junk):
        for _ in range(2):
            connection = Connection(tls.client_context())
            connection.set_connect_state()
            for name in dir(Connection):
                if name.startswith("_") or name in {"accept", "connect", "connect_ex"}:
                    continue
                value = getattr(connection, name)
                if not callable(value):
                    continue
                for arguments in ((), (junk,), (junk, junk), (junk, junk, junk)):
                    try:
                        value(*arguments)
                    except HARMLESS:
                        continue

    @pytest.mark.parametrize("junk", [None, 5, "x", b"x", [], {}, object(), -1, 2**70, float("nan"), b"\0"])
    def test_junk_for_every_setter_of_a_context(self, tls, junk):
        context = tls.client_context()
        for name in dir(Context):
            if name.startswith("_"):
                continue
            for arguments in ((junk,), (junk, junk), (junk, junk, junk)):
                try:
                    getattr(context, name)(*arguments)
                except HARMLESS:
                    continue


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_after_fork_the_child_drops_all_and_the_parent_goes_on(tls, version):
    server, client = tls.over_sockets(version)
    child = os.fork()
    if not child:
        status = 1
        try:
            tls.pair(version)  # a child makes its own
            del server, client
            gc.collect()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    client.sendall(b"parent")
    assert server.recv(100) == b"parent"


def test_the_interpreter_ends_with_live_connections(tls, tmp_path):
    files = tls.pki.good.write(tmp_path)
    done = program(
        """
        import sys, threading, socket
        from openssl_iface import SSL
        certificate, key, ca = sys.argv[1:]
        server, client = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
        server.use_certificate_chain_file(certificate)
        server.use_privatekey_file(key)
        client.load_verify_locations(ca)
        client.set_verify(SSL.VERIFY_PEER, lambda *a: a[-1])
        one, other = socket.socketpair()
        one, other = SSL.Connection(server, one), SSL.Connection(client, other)
        one.set_accept_state(); other.set_connect_state()
        one.set_info_callback(lambda *a: None)
        one.set_app_data(one)
        thread = threading.Thread(target=one.do_handshake)
        thread.start(); other.do_handshake(); thread.join()
        threading.Thread(target=other.recv, args=(1,), daemon=True).start()
        one.session = one.get_session()
        print("done")
        """,
        str(files.certificate), str(files.key), str(files.ca),
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is not known")
class TestMemory:
    def grows(self, work, rounds):
        """Bytes of growth from one half of the rounds to the other."""
        for _ in range(rounds):
            work()
        gc.collect()
        before = resident()
        for _ in range(rounds):
            work()
        gc.collect()
        return resident() - before

    def test_contexts(self, tls):
        def work():
            context = Context(Method.TLS)
            context.set_info_callback(lambda *_: None)
            Connection(context)
            context.set_cipher_list("ECDHE+AESGCM")
            context.get_cert_store().add_cert(tls.pki.root.certificate)
            Connection(context)

        assert self.grows(work, 300) < 4 << 20

    def test_connections(self, tls):
        context = tls.client_context()
        assert self.grows(lambda: Connection(context), 5000) < 4 << 20

    def test_handshakes(self, tls, version):
        server, client = tls.contexts(version)
        client.set_verify(1, lambda *a: a[-1])

        def work():
            both = tls.connections(server, client)
            tls.exchange(*both, sound=True)
            both[1].get_session()
            both[1].get_verified_chain()

        assert self.grows(work, 150) < 4 << 20

    def test_failures(self, tls, version):
        contexts = tls.contexts(version)
        assert self.grows(lambda: tls.exchange(*tls.connections(*contexts, host="no.test")), 150) < 4 << 20

    def test_an_idle_server_connection_is_small(self, tls, version):
        server, client = tls.contexts(version)
        server.set_options(lib.SSL_OP_NO_TICKET)

        def serve():
            both = tls.connections(server, client)
            tls.exchange(*both, sound=True)
            return both[0]

        warm = [serve() for _ in range(50)]
        gc.collect()
        before = resident()
        count = 300
        kept = [serve() for _ in range(count)]
        gc.collect()
        each = (resident() - before) / count
        print(f"{each / 1024:.1f} KiB for each idle {ProtocolVersion(version).name} connection")
        assert each < 40 * 1024
        assert len(warm) + len(kept) == 50 + count


def test_sockets_are_left_to_their_owners(tls):
    one, other = socket.socketpair()
    connection = Connection(tls.client_context(), one)
    del connection
    gc.collect()
    one.sendall(b"mine")
    assert other.recv(4) == b"mine"
    one.close()
    other.close()
