from __future__ import annotations

import gc
import re
import socket
import threading
from pathlib import Path

import pytest

from openssl_iface.errors import Error
from openssl_iface.impl_cffi import _callbacks
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.connection import Connection
from openssl_iface.values import ProtocolVersion, VerifyMode, Want

# The sources: an installed package has no C.
HERE = Path(__file__).resolve().parents[2] / "openssl_iface" / "impl_cffi"


# An OCSPResponse (RFC 6960, section 4.2.1) that says "malformedRequest".
RESPONSE = bytes.fromhex("30030a0101")


class Boom(Exception):
    pass


class Stop(BaseException):
    """Like KeyboardInterrupt: no Exception."""


def install(name, server, client, call):
    """Put a callback where its name says, and what it takes to have it called."""
    side, what = name.split(" ")
    context = server if side == "server" else client
    client.set_alpn_protos([b"one", b"two"])
    if what == "verify":
        if context is server:
            context.get_cert_store()
        context.set_verify(VerifyMode.PEER, call)
    elif what == "ocsp":
        server.set_ocsp_server_callback(call if context is server else lambda *_: RESPONSE)
        if context is client:
            client.set_ocsp_client_callback(call)
    else:
        method = {
            "info": "set_info_callback",
            "keylog": "set_keylog_callback",
            "certificate": "set_cert_cb",
            "session": "set_session_callback",
            "chain": "set_cert_verify_callback",
            "alpn": "set_alpn_select_callback",
            "servername": "set_tlsext_servername_callback",
            "hello": "set_client_hello_callback",
        }[what]
        getattr(context, method)(call)
    if what == "session":
        context.set_session_cache_mode(lib.SSL_SESS_CACHE_BOTH)
    return context


EVERY = [
    "server info", "client info", "server keylog", "client keylog", "server certificate", "client verify",
    "client chain", "server alpn", "server servername", "server hello", "server ocsp", "client ocsp",
    "server verify", "server chain", "client certificate",
]  # fmt: skip
SAYS_SO = {  # callbacks whose failure TLS has an alert for
    "server alpn", "server servername", "server hello", "server certificate", "client verify", "client chain",
    "server verify", "server chain", "client ocsp", "server ocsp", "client certificate",
}  # fmt: skip


FAILS_CLOSED = (
    "server alpn", "server servername", "server hello", "server certificate", "client certificate",
    "client ocsp",
)  # fmt: skip


def prepare(tls, version, name, call):
    server, client = tls.contexts(version)
    if name in ("server verify", "server chain", "client certificate"):
        server.get_cert_store().add_cert(tls.pki.root.certificate)
        server.set_verify(VerifyMode.PEER)
        client.use_certificate_chain([tls.pki.client.certificate, *tls.pki.client.chain])
        client.use_privatekey(tls.pki.client.key)
    install(name, server, client, call)
    both = tls.connections(server, client)
    if name.endswith("ocsp"):
        both[1].request_ocsp()
    return both


def raise_boom(*_):
    raise Boom("in a callback")


class TestOrphans:
    """Somebody else has the SSL still: who wanted to be asked is gone, and may have wanted to refuse."""

    @pytest.mark.parametrize("name", [*FAILS_CLOSED, "server info"])
    def test_the_handshake_fails_where_it_was_for_the_callback_to_say(self, tls, version, name):
        both = prepare(tls, version, name, raise_boom)
        mine, other = both if name.startswith("server") else both[::-1]
        ssl = mine._ssl
        del both, mine
        gc.collect()
        sockets = socket.socketpair()
        other.event_attach(sockets[1])
        with sockets[0], sockets[1]:
            for one in sockets:
                one.settimeout(30)
            sockets[0].setblocking(True)
            assert lib.SSL_set_fd(ssl, sockets[0].fileno()) == 1

            def shake():
                try:
                    return lib.SSL_do_handshake(ssl)
                finally:
                    lib.ERR_clear_error()
                    sockets[0].shutdown(socket.SHUT_RDWR)

            results = tls.together(shake, other.do_handshake)
        assert (results[0] == 1) is (name not in FAILS_CLOSED)


class TestRaising:
    @pytest.mark.parametrize("name", EVERY)
    @pytest.mark.parametrize("kind", [Boom, Stop])
    def test_the_handshake_fails_and_the_exception_reaches_its_own_side(self, tls, version, name, kind):
        calls = []

        def fail(connection, *_):
            calls.append(connection)
            raise kind("in a callback")

        server, client = prepare(tls, version, name, fail)
        ends = tls.exchange(server, client)
        mine, other = ends if name.startswith("server") else ends[::-1]
        assert calls[0] is mine.connection
        assert type(mine.error) is kind
        assert not mine.connection.handshake_done
        assert mine.error.__traceback__ is not None
        frames = []
        trace = mine.error.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        assert frames[-1] == "fail", "it does not say where it was raised"
        assert not isinstance(other.error, kind)
        if name in SAYS_SO:
            assert isinstance(other.error, Error)
            assert other.error.alert is not None
            if name in ("server servername", "server hello"):
                assert other.error.alert == 80  # internal_error: it says nothing of the name
        elif name == "server info":
            assert not other.connection.handshake_done
        # It is said again, and nobody is asked to ask.
        assert not mine.connection.wants & Want.PROCEED
        for _ in range(2):
            with pytest.raises(kind):
                mine.connection.event_proceed()

    @pytest.mark.parametrize("name", EVERY)
    def test_on_blocking_sockets(self, tls, version, name):
        sockets = socket.socketpair()
        server, client = tls.contexts(version)
        if name in ("server verify", "server chain", "client certificate"):
            server.get_cert_store().add_cert(tls.pki.root.certificate)
            server.set_verify(VerifyMode.PEER)
            client.use_certificate_chain([tls.pki.client.certificate, *tls.pki.client.chain])
            client.use_privatekey(tls.pki.client.key)
        install(name, server, client, raise_boom)
        both = tls.connections(server, client, sockets)
        both[1].request_ocsp()

        def go(connection):
            try:
                connection.do_handshake()
                connection.recv(1)
            finally:
                connection.close()

        results = tls.together(lambda: go(both[0]), lambda: go(both[1]))
        mine, other = results if name.startswith("server") else results[::-1]
        assert isinstance(mine, Boom), results
        assert isinstance(other, Error), results

    def test_an_exception_later_leaves_the_connection_and_the_data_alone(self, tls):
        server, client = tls.contexts(ProtocolVersion.TLS1_3)
        server.set_num_tickets(1)
        client.set_session_cache_mode(lib.SSL_SESS_CACHE_CLIENT)
        client.set_session_callback(raise_boom)
        both = tls.over_sockets.__func__  # noqa: F841
        sockets = socket.socketpair()
        server, client = tls.shake(*tls.connections(server, client, sockets))
        server.sendall(b"data")
        with pytest.raises(Boom):
            client.recv(4)
        assert client.recv(4) == b"data"
        client.sendall(b"more")
        assert server.recv(4) == b"more"

    def test_an_exception_later_in_the_event_loop_face(self, tls):
        contexts = tls.contexts(ProtocolVersion.TLS1_3)
        contexts[1].set_session_cache_mode(lib.SSL_SESS_CACHE_CLIENT)
        contexts[1].set_session_callback(raise_boom)
        server, client = tls.connections(*contexts)
        ends = tls.exchange(server, client)
        assert isinstance(ends[1].error, Boom)
        assert client.handshake_done
        server.event_write(b"data")
        client.event_write(b"more")
        ends = tls.exchange(server, client, sound=True)
        assert (ends[0].data, ends[1].data) == (b"more", b"data")

    def test_a_passphrase_callback(self, tls, tmp_path):
        from openssl_iface.impl_cffi.pkey import dump_privatekey

        path = tmp_path / "key.pem"
        path.write_bytes(dump_privatekey(1, tls.pki.good.key, "aes256", b"secret"))
        context = tls.server_context()
        context.set_passwd_cb(raise_boom)
        with pytest.raises(Boom):
            context.use_privatekey_file(path)
        asked = []
        context.set_passwd_cb(lambda *arguments: asked.append(arguments) or b"secret", "userdata")
        context.use_privatekey_file(path)
        assert asked == [(1024, 0, "userdata")]
        assert context.check_privatekey()
        context.set_passwd_cb(lambda *_: b"wrong")
        with pytest.raises(Error, match="passphrase"):
            context.use_privatekey_file(path)
        context.set_passwd_cb(lambda *_: 5)
        with pytest.raises(ValueError, match="passphrase"):
            context.use_privatekey_file(path)


class TestRightConnection:
    def test_two_in_one_thread(self, tls, version):
        server, client = tls.contexts(version)

        def fail(connection, *_):
            if connection.get_app_data() == "bad":
                raise Boom
            return connection.get_alpn_proto_negotiated() or b"one"

        server.set_alpn_select_callback(fail)
        client.set_alpn_protos([b"one"])
        pairs = [tls.connections(server, client) for _ in range(2)]
        pairs[0][0].set_app_data("bad")
        for _, one in pairs:
            one.event_proceed()
        flights = [one.event_output() for _, one in pairs]
        with pytest.raises(Boom):
            pairs[0][0].event_feed(flights[0])
        pairs[1][0].event_feed(flights[1])
        with pytest.raises(Boom):
            pairs[0][0].event_proceed()
        tls.exchange(*pairs[1], sound=True)
        assert pairs[1][1].get_alpn_proto_negotiated() == b"one"

    def test_a_failing_one_inside_anothers_callback(self, tls, version):
        server, client = tls.contexts(version)
        inner_server = tls.server_context(version)
        inner_server.set_tlsext_servername_callback(raise_boom)
        seen = []

        def nested(connection):
            ends = tls.exchange(*tls.connections(inner_server, tls.client_context(version)))
            seen.append(type(ends[0].error))

        server.set_tlsext_servername_callback(nested)
        tls.exchange(*tls.connections(server, client), sound=True)
        assert seen == [Boom]

    def test_many_in_threads(self, tls, version):
        server, client = tls.contexts(version)
        client.set_alpn_protos([b"one"])

        def choose(connection, offered):
            if connection.get_app_data() % 2:
                raise Boom(connection.get_app_data())
            return offered[0]

        server.set_alpn_select_callback(choose)

        def run(number):
            for _ in range(10):
                both = tls.connections(server, client)
                both[0].set_app_data(number)
                end = tls.exchange(*both)[0]
                if number % 2:
                    assert isinstance(end.error, Boom)
                    assert end.error.args == (number,)
                else:
                    assert end.error is None
            return True

        assert tls.together(*(lambda number=number: run(number) for number in range(4))) == [True] * 4


class TestWhatTheyMayDo:
    @pytest.mark.parametrize(
        "call",
        [
            lambda c: c.recv(1),
            lambda c: c.send(b"x"),
            lambda c: c.do_handshake(),
            lambda c: c.shutdown(),
            lambda c: c.event_proceed(),
            lambda c: c.event_feed(b"x"),
            lambda c: c.event_read(),
        ],
    )
    def test_calling_back_into_the_connection_is_an_error(self, tls, version, call):
        server, client = tls.contexts(version)
        server.set_tlsext_servername_callback(call)
        end, _ = tls.exchange(*tls.connections(server, client))
        assert "called back" in str(end.error)

    def test_writing_and_closing_from_a_callback_is_done_later(self, tls, version):
        server, client = tls.contexts(version)

        def greet(connection):
            connection.event_write(b"hello ")
            connection.event_write(bytearray(b"and "))
            connection.event_flush()
            assert connection.event_output() == b""
            assert connection.event_encrypt(b"good") == b""
            connection.event_write(b"bye")
            connection.event_close()

        server.set_tlsext_servername_callback(greet)
        _, end = tls.exchange(*tls.connections(server, client), sound=True)
        assert end.data == b"hello and goodbye"
        assert end.connection.ended.value == "clean"

    def test_what_a_callback_encrypts_leaves_after_its_verdict(self, tls, version):
        given = []

        def refuse(connection, where, _result):
            if where & lib.SSL_CB_HANDSHAKE_DONE:
                given.append(connection.event_encrypt(b"x" * 20_000) + connection.event_output())
                raise LookupError("not this one")

        server, client = tls.contexts(version)
        client.set_info_callback(refuse)
        both = tls.connections(server, client)
        _, end = tls.exchange(*both)
        assert isinstance(end.error, LookupError)
        assert given == [b""]
        if version == ProtocolVersion.TLS1_3:  # where the client's Finished is the last
            assert not both[0].handshake_done

    def test_questions_may_be_asked(self, tls, version):
        asked = []

        def ask(connection):
            asked.append(
                (connection.get_servername(), connection.get_cipher_list()[0], connection.get_session())
            )
            assert connection.state_string()
            assert connection.get_context() is server
            assert repr(connection)

        server, client = tls.contexts(version)
        server.set_tlsext_servername_callback(ask)
        both = tls.connections(server, client)
        both[1].set_tlsext_host_name("localhost")
        tls.exchange(*both, sound=True)
        assert asked[0][0] == b"localhost"
        assert asked[0][2] is None

    @pytest.mark.parametrize("name", ["server servername", "server info", "client info"])
    def test_choosing_a_side_in_a_callback_is_an_error_and_changes_nothing(self, tls, version, name):
        said = []

        def change(connection, *_):
            for choose in (connection.set_accept_state, connection.set_connect_state):
                try:
                    choose()
                except Error as error:
                    said.append(str(error))

        server, client = tls.contexts(version)
        install(name, server, client, change)
        both = tls.connections(server, client)
        tls.exchange(*both, sound=True)
        both[1].event_write(b"all the same")
        assert tls.exchange(*both)[0].data == b"all the same"
        assert said
        assert all("has called back into it" in text for text in said)

    @pytest.mark.parametrize("name", ["server servername", "client verify", "client info"])
    def test_detaching_from_a_callback(self, tls, version, name):
        sockets = socket.socketpair()
        server, client = tls.contexts(version)
        install(name, server, client, lambda connection, *_: connection.event_detach())
        both = tls.connections(server, client, sockets)
        for one in sockets:
            one.setblocking(False)
        mine = both[0] if name.startswith("server") else both[1]
        error = None
        for _ in range(10):
            for one in both:
                try:
                    one.event_read()
                    one.event_flush()
                except Error as caught:
                    if one is mine:
                        error = caught
        assert "detached" in str(error)
        assert mine.wants == 0
        for one in sockets:
            one.close()

    def test_closing_the_socket_from_a_callback(self, tls, version):
        sockets = socket.socketpair()
        server, client = tls.contexts(version)
        server.set_tlsext_servername_callback(lambda connection: connection.close())
        both = tls.connections(server, client, sockets)
        results = tls.together(both[0].do_handshake, both[1].do_handshake)
        assert all(isinstance(each, Error) for each in results)

    def test_dropping_everything_from_a_callback(self, tls, version):
        server, client = tls.contexts(version)
        kept = {"contexts": (server, client)}

        def drop(connection):
            kept.clear()
            connection.set_app_data(None)
            gc.collect()

        server.set_tlsext_servername_callback(drop)
        both = tls.connections(server, client)
        del server, client
        tls.exchange(*both, sound=True)
        assert not kept

    def test_changing_the_context_from_a_callback(self, tls, version):
        server, client = tls.contexts(version)
        calls = []

        def change(connection):
            calls.append("first")
            server.set_tlsext_servername_callback(lambda c: calls.append("second"))
            server.set_cipher_list("ECDHE+AESGCM")
            server.set_info_callback(raise_boom)
            server.add_extra_chain_cert(tls.pki.root.certificate)
            server.set_client_ca_list([])
            server.set_verify(VerifyMode.PEER | VerifyMode.FAIL_IF_NO_PEER_CERT)

        server.set_tlsext_servername_callback(change)
        tls.exchange(*tls.connections(server, client), sound=True)
        assert calls == ["first"]
        server.set_info_callback(None)
        server.set_verify(VerifyMode.NONE)
        tls.exchange(*tls.connections(server, client), sound=True)
        assert calls == ["first", "second"]


class TestTheTable:
    """Every way up from C is declared to fail closed."""

    def declared(self):
        names = set()
        for path in (HERE / "_native" / "cdef").glob("*.h"):
            for block in re.findall(r'extern "Python[^"]*"\s*\{(.*?)\}', path.read_text(), re.DOTALL):
                names |= set(re.findall(r"(\w+)\s*\(", block))
            names |= set(re.findall(r'extern "Python[^"]*"[^{;(]*?(\w+)\s*\(', path.read_text()))
        return names

    def test_every_declaration_has_an_end_in_python(self):
        defined = set(_callbacks.TABLE)
        for path in HERE.glob("*.py"):
            for call in re.findall(r"def_extern\(([^)]*)\)", path.read_text()):
                assert "error=" in call, f"{path.name}: def_extern without error="
                assert "onerror=" in call, f"{path.name}: def_extern without onerror="
                defined |= set(re.findall(r'name="(\w+)"', call))
        assert self.declared() == defined
        assert len(defined) > 10

    def test_raising_is_no_answer(self):
        assert _callbacks.RAISED not in {
            _callbacks.GO_ON,
            _callbacks.REFUSE,
            _callbacks.AGAIN,
            _callbacks.NONE,
        }

    def test_every_callback_has_a_number_of_its_own(self):
        numbers = list(_callbacks.SWITCHES.values())
        assert len(set(numbers)) == len(numbers)
        header = (HERE / "_native" / "c" / "conn.h").read_text()
        constants = dict(re.findall(r"#define OI_ON_(\w+) (\d+)", header))
        named = {"client_hello": "CLIENT_HELLO", **{name: name.upper() for name in _callbacks.SWITCHES}}
        assert {named[name]: str(number) for name, number in _callbacks.SWITCHES.items()} == constants

    def test_nothing_is_printed(self, tls, capfd):
        server, client = tls.contexts()
        server.set_info_callback(raise_boom)
        tls.exchange(*tls.connections(server, client))
        out, err = capfd.readouterr()
        assert (out, err) == ("", "")


def test_a_thread_that_is_interrupted_in_a_callback_says_so(tls):
    """KeyboardInterrupt comes out of the operation."""
    server, client = tls.contexts()

    def interrupt(*_):
        raise KeyboardInterrupt

    server.set_info_callback(interrupt)
    both = tls.connections(server, client, socket.socketpair())
    done = threading.Event()

    def other():
        with pytest.raises(Error):
            both[1].do_handshake()
        done.set()

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        both[0].do_handshake()
    both[0].close()
    assert done.wait(30)
    thread.join(30)
    assert isinstance(both[0], Connection)
