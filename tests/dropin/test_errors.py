"""What is raised has pyOpenSSL's classes, and its shape of ``args``."""

from __future__ import annotations

import errno
import pickle
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openssl_iface.dropin import SSL, _translate, crypto
from openssl_iface.testing.pki import PKI

Pair = tuple[SSL.Connection, SSL.Connection]


@pytest.fixture(autouse=True)
def in_force() -> Iterator[None]:
    """The errors are named as they are while the drop-in is ``OpenSSL``."""
    _translate.take_names()
    yield
    _translate.give_names_back()


def test_the_names_are_given_back() -> None:
    _translate.give_names_back()
    assert SSL.Error.__module__ == "openssl_iface.errors"
    assert crypto.Error.__name__ == "CryptoError"
    assert str(SSL.Error([("a", "b", "c")])) == "a: c"
    assert type(pickle.loads(pickle.dumps(SSL.Error([("a", "b", "c")])))) is SSL.Error


def contexts(pki: PKI) -> tuple[SSL.Context, SSL.Context]:
    server = SSL.Context(SSL.TLS_METHOD)
    server.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem))
    server.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem))
    return server, SSL.Context(SSL.TLS_METHOD)


def move(source: SSL.Connection, target: SSL.Connection) -> None:
    while True:
        try:
            target.bio_write(source.bio_read(65536))
        except SSL.WantReadError:
            return


def handshake(server: SSL.Connection, client: SSL.Connection) -> None:
    for _ in range(5):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            finally:
                move(one, other)


@pytest.fixture
def pair(pki: PKI) -> Pair:
    ends = tuple(SSL.Connection(context, None) for context in contexts(pki))
    ends[0].set_accept_state()
    ends[1].set_connect_state()
    handshake(*ends)
    return ends


def shape(error: BaseException) -> list[tuple[str, str, str]]:
    """The list of an error, if it is one of triples of text."""
    (found,) = error.args
    assert found
    assert type(found) is list
    for triple in found:
        assert [type(part) for part in triple] == [str, str, str]
    return found


def test_an_end_without_goodbye_is_exactly_this(pair: Pair) -> None:
    _, client = pair
    client.bio_shutdown()
    with pytest.raises(SSL.SysCallError) as raised:
        client.recv(1)
    assert type(raised.value) is SSL.SysCallError
    assert raised.value.args == (-1, "Unexpected EOF")


def test_a_clean_end_has_no_arguments(pair: Pair) -> None:
    server, client = pair
    server.shutdown()
    move(server, client)
    with pytest.raises(SSL.ZeroReturnError) as raised:
        client.recv(1)
    assert raised.value.args == ()


def test_errors_of_the_system_have_number_and_name() -> None:
    one, other = socket.socketpair()
    with one:
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), one)
        connection.set_connect_state()
        other.close()
        with pytest.raises(SSL.SysCallError) as raised:
            connection.do_handshake()
    assert type(raised.value) is SSL.SysCallError
    assert raised.value.args == (errno.EPIPE, "EPIPE")


def test_a_refused_certificate_is_an_error_of_tls(pki: PKI) -> None:
    server_context, client_context = contexts(pki)
    client_context.set_verify(SSL.VERIFY_PEER)
    server, client = SSL.Connection(server_context, None), SSL.Connection(client_context, None)
    server.set_accept_state()
    client.set_connect_state()
    with pytest.raises(SSL.Error) as raised:
        handshake(server, client)
    assert type(raised.value) is SSL.Error
    assert shape(raised.value)[-1][::2] == ("SSL routines", "certificate verify failed")
    assert str(raised.value) == str(raised.value.args[0])


def test_functions_are_never_named() -> None:
    with pytest.raises(crypto.Error) as raised:
        crypto.load_certificate(crypto.FILETYPE_PEM, b"nothing")
    assert shape(raised.value) == [("PEM routines", "", "no start line")]
    with pytest.raises(crypto.Error) as raised:
        crypto.load_certificate(crypto.FILETYPE_ASN1, b"nothing")
    assert {function for _, function, _ in shape(raised.value)} == {""}


def test_what_openssl_has_not_said_has_the_shape_too() -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    for attempt in (
        lambda: context.load_verify_locations(None),
        context.check_privatekey,
        lambda: context.set_tls13_ciphersuites(b"NO_SUCH"),
    ):
        with pytest.raises(SSL.Error) as raised:
            attempt()
        assert type(raised.value.args[0]) is list
    with pytest.raises(SSL.Error) as raised:
        SSL.Connection(context, None).renegotiate()
    shape(raised.value)


def test_check_privatekey_raises(pki: PKI) -> None:
    server, client = contexts(pki)
    assert server.check_privatekey() is None
    with pytest.raises(SSL.Error):
        client.check_privatekey()


def test_nothing_is_left_in_the_queue() -> None:
    from openssl_iface.dropin import _util

    SSL._openssl_assert(True)
    _util.lib.ERR_put_error(_util.lib.ERR_LIB_EVP, 0, 1112, b"", 10)
    with pytest.raises(SSL.Error) as raised:
        SSL._openssl_assert(False)
    assert shape(raised.value)[0][2] == ""
    with pytest.raises(SSL.Error, match=r"^\[\]$") as raised:
        SSL._openssl_assert(False)
    assert raised.value.args == ([],)


def test_a_closed_socket_has_its_number_and_name() -> None:
    one, other = socket.socketpair()
    connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), one)
    connection.set_connect_state()
    connection.close()
    other.close()
    for call in (lambda: connection.recv(1), lambda: connection.send(b"x"), connection.shutdown):
        with pytest.raises(SSL.SysCallError) as raised:
            call()
        assert raised.value.args == (errno.EBADF, "EBADF")


def test_ciphertext_is_not_carried_past_a_socket() -> None:
    one, other = socket.socketpair()
    with one, other:
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), one)
        for call in (
            lambda: connection.bio_read(1),
            lambda: connection.bio_write(b"x"),
            connection.bio_shutdown,
        ):
            with pytest.raises(TypeError, match=r"^Connection sock was not None$"):
                call()


def test_tls_1_3_has_no_renegotiation(pair: Pair) -> None:
    with pytest.raises(SSL.Error) as raised:
        pair[1].renegotiate()
    assert shape(raised.value) == [("SSL routines", "", "wrong ssl version")]


def test_a_socket_with_a_timeout_is_a_non_blocking_one() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.settimeout(60)
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), one)
        connection.set_connect_state()
        with pytest.raises(SSL.WantReadError):
            connection.do_handshake()


@pytest.mark.parametrize(
    "call",
    [
        lambda connection: connection.send("xy"),
        lambda connection: connection.sendall("xy"),
        lambda connection: connection.bio_write("xy"),
        lambda connection: connection.get_context().set_cipher_list("DEFAULT"),
        lambda connection: connection.get_context().set_session_id("xy"),
    ],
)
def test_text_for_bytes_is_taken_with_a_warning(pair: Pair, call: Any) -> None:
    with pytest.warns(DeprecationWarning, match="str for .* is no longer accepted, use bytes"):
        call(pair[0])


@pytest.mark.parametrize(
    "call",
    [
        lambda: SSL.Context("3"),
        lambda: SSL.Connection(object()),
        lambda: SSL.Context(SSL.TLS_METHOD).set_options(None),
        lambda: SSL.Context(SSL.TLS_METHOD).set_verify(None),
        lambda: SSL.Context(SSL.TLS_METHOD).set_verify(0, "no callable"),
        lambda: SSL.Context(SSL.TLS_METHOD).set_timeout(None),
        lambda: SSL.Context(SSL.TLS_METHOD).use_certificate("x"),
        lambda: SSL.Context(SSL.TLS_METHOD).use_privatekey("x"),
        lambda: SSL.Connection(SSL.Context(SSL.TLS_METHOD), None).set_tlsext_host_name("text"),
        lambda: SSL.Connection(SSL.Context(SSL.TLS_METHOD), None).set_tlsext_host_name(b"a\0b"),
        lambda: crypto.X509().set_notBefore("20200101000000Z"),
        lambda: crypto.PKey().generate_key(None, 2048),
    ],
)
def test_wrong_types_are_type_errors(call: Any) -> None:
    with pytest.raises(TypeError):
        call()


def test_removed_names_are_there_and_say_so() -> None:
    for name in ("X509Req", "CRL", "Revoked", "PKCS12", "PKCS7", "NetscapeSPKI", "X509Extension", "sign"):
        with pytest.warns(DeprecationWarning, match=f"{name} has been removed from pyOpenSSL"):
            assert getattr(crypto, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert crypto.X509ReqType is not None
        assert crypto.load_certificate


def test_setters_work_on_a_used_context(pki: PKI, tmp_path: Path) -> None:
    server, client = contexts(pki)
    SSL.Connection(server, None)
    before = server.set_options(0)
    assert server.set_options(SSL.OP_NO_TICKET) == before | SSL.OP_NO_TICKET
    assert server.set_options(0) == before | SSL.OP_NO_TICKET
    server.set_cipher_list(b"ECDHE+AESGCM")
    server.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    root = tmp_path / "root.pem"
    root.write_bytes(pki.good.root_pem)
    server.load_client_ca(bytes(root))
    server.load_verify_locations(root)
    ends = SSL.Connection(server, None), SSL.Connection(client, None)
    ends[0].set_accept_state()
    ends[1].set_connect_state()
    handshake(*ends)
    assert len(ends[1].get_client_ca_list()) == 1


def authority(pki: PKI) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.root_pem)


def test_authorities_are_named_by_connections_that_have_not_begun(pki: PKI) -> None:
    context, client_context = contexts(pki)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    begun, waiting = SSL.Connection(context, None), SSL.Connection(context, None)
    client = SSL.Connection(client_context, None)
    for connection in (begun, waiting):
        connection.set_accept_state()
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    begun.bio_write(client.bio_read(65536)[:16])
    with pytest.raises(SSL.WantReadError):
        begun.do_handshake()
    context.add_client_ca(authority(pki))
    assert [len(one.get_client_ca_list()) for one in (begun, waiting)] == [0, 1]
    with pytest.deprecated_call():
        context.set_client_ca_list([])
    assert waiting.get_client_ca_list() == []
    elsewhere = SSL.Context(SSL.TLS_METHOD)
    waiting.set_context(elsewhere)
    context.add_client_ca(authority(pki))
    assert waiting.get_context() is elsewhere
    assert waiting.get_client_ca_list() == []


def test_a_certificate_of_a_connection_s_own_outlives_new_authorities(pki: PKI) -> None:
    context, _ = contexts(pki)
    other = PKI("other.test")
    connection = SSL.Connection(context, None)
    own = crypto.load_certificate(crypto.FILETYPE_PEM, other.good.certificate_pem)
    connection.use_certificate(own)
    connection.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, other.good.key_pem))
    context.add_client_ca(authority(pki))
    assert connection.get_certificate() == own


def test_a_callback_for_names_that_raises_is_shown_and_fails_the_handshake(
    pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    monkeypatch.setattr("sys.excepthook", lambda *what: shown.append(what[1]))
    server_context, client_context = contexts(pki)
    raised = RuntimeError("no such name")

    def named(_connection: SSL.Connection) -> None:
        raise raised

    server_context.set_tlsext_servername_callback(named)
    server, client = SSL.Connection(server_context, None), SSL.Connection(client_context, None)
    server.set_accept_state()
    client.set_connect_state()
    client.set_tlsext_host_name(b"a.test")
    with pytest.raises(SSL.Error):
        handshake(server, client)
    assert shown == [raised]


def test_what_a_verify_callback_raises_comes_through(pki: PKI) -> None:
    server_context, client_context = contexts(pki)
    seen = []

    def verify(_connection: SSL.Connection, certificate: crypto.X509, *_: int) -> bool:
        seen.append(type(certificate))
        raise ZeroDivisionError("mine")

    client_context.set_verify(SSL.VERIFY_PEER, verify)
    server, client = SSL.Connection(server_context, None), SSL.Connection(client_context, None)
    server.set_accept_state()
    client.set_connect_state()
    with pytest.raises(ZeroDivisionError, match="mine"):
        handshake(server, client)
    assert seen == [crypto.X509]


@pytest.mark.parametrize(
    "mine",
    [
        SSL.Error([("lib", "func", "reason")]),
        SSL.Error("my text"),
        SSL.SysCallError(5, "mine"),
        crypto.Error([("lib", "func", "reason")]),
        crypto.Error("my text"),
    ],
)
def test_an_error_of_a_callback_is_not_touched(pki: PKI, mine: Exception) -> None:
    kind, arguments, text = type(mine), mine.args, str(mine)

    def verify(*_: Any) -> bool:
        raise mine

    server_context, client_context = contexts(pki)
    client_context.set_verify(SSL.VERIFY_PEER, verify)
    server, client = SSL.Connection(server_context, None), SSL.Connection(client_context, None)
    server.set_accept_state()
    client.set_connect_state()
    with pytest.raises(kind) as raised:
        handshake(server, client)
    assert raised.value is mine
    assert (type(mine), mine.args, str(mine)) == (kind, arguments, text)
    with pytest.raises(kind) as raised:
        client.do_handshake()
    assert (type(raised.value), raised.value.args) == (kind, arguments)


def test_an_error_of_a_passphrase_callback_is_not_touched() -> None:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    sealed = crypto.dump_privatekey(crypto.FILETYPE_PEM, key, "aes256", b"secret")
    mine = crypto.Error("my text")

    def ask(*_: Any) -> bytes:
        raise mine

    with pytest.raises(crypto.Error) as raised:
        crypto.load_privatekey(crypto.FILETYPE_PEM, sealed, ask)
    assert raised.value is mine
    assert mine.args == ("my text",)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (SSL.Error, "SSL.Error"),
        (SSL.SysCallError, "SSL.SysCallError"),
        (SSL.WantReadError, "SSL.WantReadError"),
        (SSL.WantWriteError, "SSL.WantWriteError"),
        (SSL.WantX509LookupError, "SSL.WantX509LookupError"),
        (SSL.ZeroReturnError, "SSL.ZeroReturnError"),
        (crypto.Error, "crypto.Error"),
        (crypto.X509StoreContextError, "crypto.X509StoreContextError"),
    ],
)
def test_errors_have_the_names_that_programs_ask_for(kind: type[Exception], name: str) -> None:
    assert f"{kind.__module__}.{kind.__qualname__}" == f"OpenSSL.{name}"
    assert kind.__name__ == kind.__qualname__


def test_the_text_of_an_error_that_a_program_makes_is_that_of_its_list() -> None:
    assert str(SSL.Error([("a", "b", "c")])) == str(crypto.Error([("a", "b", "c")])) == "[('a', 'b', 'c')]"


def test_a_refused_chain_is_no_error_of_openssl(pki: PKI) -> None:
    assert not issubclass(crypto.X509StoreContextError, crypto.Error)
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    for attempt in ("verify_certificate", "get_verified_chain"):
        with pytest.raises(crypto.X509StoreContextError) as raised:
            getattr(crypto.X509StoreContext(crypto.X509Store(), certificate), attempt)()
        assert [type(part) for part in raised.value.errors] == [int, int, str]
        assert type(raised.value.certificate) is crypto.X509


def test_half_a_key_is_an_error_like_others() -> None:
    with pytest.raises(crypto.Error) as raised:
        crypto.dump_privatekey(crypto.FILETYPE_PEM, crypto.PKey())
    assert type(raised.value) is crypto.Error


@pytest.mark.parametrize("method", [SSL.SSLv2_METHOD, SSL.SSLv3_METHOD, 99])
def test_protocols_of_the_past_are_none(method: int) -> None:
    with pytest.raises(ValueError, match=r"^No such protocol$"):
        SSL.Context(method)


def test_keys_of_no_known_type() -> None:
    with pytest.raises(TypeError, match="type must be an integer"):
        crypto.PKey().generate_key("x", 512)
    with pytest.raises(crypto.Error) as raised:
        crypto.PKey().generate_key(99, 512)
    assert raised.value.args == ("No such key type",)
    key = crypto.PKey()
    key.generate_key("ED25519")
    assert b"PRIVATE KEY" in crypto.dump_privatekey(crypto.FILETYPE_PEM, key)


def test_what_an_alpn_callback_may_return_is_said(pki: PKI) -> None:
    server_context, client_context = contexts(pki)
    server_context.set_alpn_select_callback(lambda *_: "text")
    server, client = SSL.Connection(server_context, None), SSL.Connection(client_context, None)
    server.set_accept_state()
    client.set_connect_state()
    client.set_alpn_protos([b"h2"])
    said = "ALPN callback must return a bytestring or the special NO_OVERLAPPING_PROTOCOLS sentinel value."
    with pytest.raises(TypeError) as raised:
        handshake(server, client)
    assert str(raised.value) == said
