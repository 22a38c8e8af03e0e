"""``OpenSSL._util.lib``: OpenSSL's functions, called with the private pointers of the drop-in's objects."""

from __future__ import annotations

from typing import Any

import pytest

from openssl_iface import crypto as ours
from openssl_iface.dropin import SSL, _util, crypto
from openssl_iface.testing.pki import PKI

lib: Any = _util.lib
ffi: Any = _util.ffi

LARGE = 65536
Pair = tuple[SSL.Connection, SSL.Connection]


def authorities(pki: PKI) -> list[crypto.X509]:
    end = b"-----END CERTIFICATE-----"
    blocks = [block + end for block in pki.good.chain_pem.split(end)[:-1]]
    return [crypto.load_certificate(crypto.FILETYPE_PEM, block) for block in blocks][1:]


def server_context(pki: PKI) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem))
    for one in authorities(pki):
        context.add_extra_chain_cert(one)
    context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem))
    return context


def client_context(pki: PKI) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    root = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.root_pem)
    context.get_cert_store().add_cert(root)
    return context


def pair(server: SSL.Context, client: SSL.Context) -> Pair:
    ends = SSL.Connection(client), SSL.Connection(server)
    ends[0].set_connect_state()
    ends[1].set_accept_state()
    return ends


def carry(ends: Pair) -> None:
    for one, other in (ends, ends[::-1]):
        try:
            other.bio_write(one.bio_read(LARGE))
        except SSL.WantReadError:
            pass


def shake(ends: Pair) -> Pair:
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except SSL.WantReadError:
                pass
            carry(ends)
    return ends


@pytest.fixture
def ends(pki: PKI) -> Pair:
    context = client_context(pki)
    context.set_verify(SSL.VERIFY_PEER)
    return shake(pair(server_context(pki), context))


def der(pointer: Any) -> bytes:
    room = ffi.new("unsigned char **")
    size = lib.i2d_X509(pointer, room)
    assert size > 0
    content: bytes = ffi.buffer(room[0], size)[:]
    lib.OPENSSL_free(room[0])
    return content


def test_chains_of_a_connection(ends: Pair) -> None:
    client = ends[0]
    sent, verified = client.get_peer_cert_chain(), client.get_verified_chain()
    assert sent
    assert verified
    for stack, chain in (
        (lib.SSL_get_peer_cert_chain(client._ssl), sent),
        (lib.SSL_get0_verified_chain(client._ssl), verified),
    ):
        found = [der(lib.sk_X509_value(stack, index)) for index in range(lib.sk_X509_num(stack))]
        assert found == [crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in chain]


def test_the_chain_is_given_whatever_the_verdict_is(pki: PKI) -> None:
    """As by pyOpenSSL: who verifies nothing sees what OpenSSL has built all the same."""
    client, server = shake(pair(server_context(pki), SSL.Context(SSL.TLS_METHOD)))
    assert lib.SSL_get_verify_result(client._ssl) != lib.X509_V_OK
    chain = client.get_verified_chain()
    assert chain is not None
    assert chain[0] == client.get_peer_certificate()
    assert server.get_verified_chain() is None


def test_certificates_from_and_to_bios(pki: PKI) -> None:
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    for write, read in (
        (lib.PEM_write_bio_X509, lambda bio: lib.PEM_read_bio_X509(bio, ffi.NULL, ffi.NULL, ffi.NULL)),
        (lib.i2d_X509_bio, lambda bio: lib.d2i_X509_bio(bio, ffi.NULL)),
    ):
        bio = ffi.gc(lib.BIO_new(lib.BIO_s_mem()), lib.BIO_free)
        assert write(bio, certificate._x509) == 1
        again = ffi.gc(read(bio), lib.X509_free)
        assert der(again) == der(certificate._x509)
    serial = ffi.gc(
        lib.ASN1_INTEGER_to_BN(lib.X509_get_serialNumber(certificate._x509), ffi.NULL), lib.BN_free
    )
    text = lib.BN_bn2hex(serial)
    assert int(ffi.string(text), 16) == certificate.get_serial_number()
    lib.OPENSSL_free(text)


def test_times_are_those_of_the_certificate() -> None:
    certificate = crypto.X509()
    assert lib.X509_gmtime_adj(lib.X509_getm_notBefore(certificate._x509), 0)
    assert lib.ASN1_TIME_set_string(lib.X509_getm_notAfter(certificate._x509), b"20400101000000Z") == 1
    assert certificate.get_notAfter() == b"20400101000000Z"


def test_parameters_of_verification(pki: PKI) -> None:
    store = crypto.X509Store()
    parameters = ffi.gc(lib.X509_VERIFY_PARAM_new(), lib.X509_VERIFY_PARAM_free)
    assert lib.X509_VERIFY_PARAM_set_flags(parameters, lib.X509_V_FLAG_CRL_CHECK) == 1
    assert lib.X509_STORE_set1_param(store._store, parameters) == 1
    store.add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.root_pem))
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    with pytest.raises(crypto.X509StoreContextError, match="CRL"):
        crypto.X509StoreContext(store, certificate, authorities(pki)).verify_certificate()


WRONG = [
    ("SSL_get_peer_cert_chain", ("X509 *",)),
    ("SSL_read", ("X509 *", "void *", 1)),
    ("SSL_set_verify", ("SSL *", 1, "X509 *")),
    ("SSL_CTX_set_verify", ("SSL_CTX *", 1, "X509 *")),
    ("SSL_CTX_set_keylog_callback", ("SSL_CTX *", "int(*)(SSL *, void *)")),
    ("SSL_CTX_set_default_passwd_cb", ("SSL_CTX *", "SSL_CTX *")),
    ("i2d_X509_bio", ("X509 *", "BIO *")),
    ("PEM_read_bio_X509", ("BIO *", "X509 *", "int(*)(char *, int, int, void *)", "void *")),
    ("X509_getm_notBefore", ("SSL *",)),
    ("X509_STORE_set1_param", ("X509_STORE *", "X509_STORE *")),
    ("sk_X509_NAME_value", ("struct stack_st_X509 *", 0)),
]


@pytest.mark.parametrize(("name", "arguments"), WRONG, ids=[name for name, _ in WRONG])
def test_a_pointer_to_something_else_is_refused(name: str, arguments: tuple[Any, ...]) -> None:
    given = [ffi.cast(one, 0) if isinstance(one, str) else one for one in arguments]
    with pytest.raises(TypeError):
        getattr(lib, name)(*given)


def test_functions_that_this_openssl_lacks_are_not_there() -> None:
    assert hasattr(lib, "TLSv1_2_method") == bool(lib.Cryptography_HAS_TLSv1_2)


def test_the_group_of_the_key_exchange(ends: Pair) -> None:
    client, server = (ffi.string(lib.SSL_get0_group_name(end._ssl)) for end in ends)
    assert client == server != b""
    fresh = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
    assert lib.SSL_get0_group_name(fresh._ssl) == ffi.NULL


@pytest.mark.parametrize("feature", sorted(_util._FEATURES))
def test_what_a_feature_promises_is_there(feature: str) -> None:
    there = [hasattr(lib, name) for name in _util._FEATURES[feature]]
    if getattr(lib, f"Cryptography_HAS_{feature}"):
        assert all(there)


MOVES = {
    "SSL_do_handshake": (),
    "SSL_connect": (),
    "SSL_accept": (),
    "SSL_renegotiate": (),
    "SSL_shutdown": (),
    "SSL_read": ("room", 10),
    "SSL_peek": ("room", 10),
    "SSL_write": ("room", 10),
    "SSL_read_early_data": ("room", 10, "size"),
    "SSL_write_early_data": ("room", 10, "size"),
    "DTLSv1_listen": ("peer",),
    "DTLSv1_handle_timeout": (),
    "SSL_set_fd": (0,),
}


@pytest.mark.parametrize("name", MOVES)
def test_the_engine_s_bytes_are_not_moved_past_it(ends: Pair, name: str) -> None:
    client, server = ends
    server.send(b"for the engine")
    carry(ends)
    things = {
        "room": ffi.new("char[]", 10),
        "size": ffi.new("size_t *"),
        "peer": ffi.gc(lib.BIO_ADDR_new(), lib.BIO_ADDR_free),
    }
    arguments = [things.get(one, one) for one in MOVES[name]]
    result = getattr(lib, name)(client._ssl, *arguments)
    assert result <= 0
    if name in ("SSL_read", "SSL_write", "SSL_do_handshake"):
        assert lib.SSL_get_error(client._ssl, result) == lib.SSL_ERROR_SSL
    with pytest.raises(SSL.Error, match="the connection is its engine's"):
        SSL._openssl_assert(False)
    assert client.recv(LARGE) == b"for the engine"
    client.send(b"and back")
    carry(ends)
    assert server.recv(LARGE) == b"and back"


def test_the_engine_keeps_its_bios_and_its_modes(ends: Pair) -> None:
    client, server = ends
    bio = ffi.gc(lib.BIO_new(lib.BIO_s_mem()), lib.BIO_free)
    lib.SSL_set_bio(client._ssl, bio, bio)
    with pytest.raises(SSL.Error, match="the connection is its engine's"):
        SSL._openssl_assert(False)
    before = lib.SSL_set_mode(client._ssl, 0)
    assert lib.SSL_clear_mode(client._ssl, lib.SSL_MODE_ENABLE_PARTIAL_WRITE) == before
    client.send(b"all the same")
    carry(ends)
    assert server.recv(LARGE) == b"all the same"


def test_a_connection_of_the_program_s_own(pki: PKI) -> None:
    contexts = client_context(pki), server_context(pki)
    own = [ffi.gc(lib.SSL_new(context._context), lib.SSL_free) for context in contexts]
    bios = [lib.BIO_new(lib.BIO_s_mem()) for _ in range(2)]
    for ssl, read, write in ((own[0], 0, 1), (own[1], 1, 0)):
        for bio in bios:
            lib.BIO_set_mem_eof_return(bio, -1)
        assert lib.BIO_up_ref(bios[0]) == lib.BIO_up_ref(bios[1]) == 1
        lib.SSL_set_bio(ssl, bios[read], bios[write])
    for bio in bios:
        lib.BIO_free(bio)
    lib.SSL_set_connect_state(own[0])
    lib.SSL_set_accept_state(own[1])
    for _ in range(6):
        for ssl in own:
            if (result := lib.SSL_do_handshake(ssl)) != 1:
                assert lib.SSL_get_error(ssl, result) == lib.SSL_ERROR_WANT_READ
    assert lib.SSL_write(own[0], b"hello", 5) == 5
    room = ffi.new("char[]", 10)
    assert lib.SSL_peek(own[1], room, 10) == lib.SSL_read(own[1], room, 10) == 5
    assert ffi.buffer(room, 5)[:] == b"hello"


@pytest.mark.parametrize("on", ["connection", "context"])
@pytest.mark.parametrize("verdict", [0, 1])
def test_a_callback_of_the_program_s_verifies(pki: PKI, on: str, verdict: int) -> None:
    asked = []

    @ffi.callback("int(int, X509_STORE_CTX *)")
    def verify(ok: int, store: Any) -> int:
        asked.append((ok, lib.X509_STORE_CTX_get_error_depth(store)))
        return ok and verdict

    context = client_context(pki)
    if on == "context":
        lib.SSL_CTX_set_verify(context._context, SSL.VERIFY_PEER, verify)
    client, server = pair(server_context(pki), context)
    if on == "connection":
        lib.SSL_set_verify(client._ssl, SSL.VERIFY_PEER, verify)
    if verdict:
        shake((client, server))
        assert asked[-1] == (1, 0)
        return
    with pytest.raises(SSL.Error):
        shake((client, server))
    assert len(asked) == 1


@pytest.mark.parametrize("own", [True, False])
def test_a_callback_of_the_program_s_verifies_behind_another_name(pki: PKI, own: bool) -> None:
    """The servername callback chooses another context: its own callback is asked, or else the first one's."""
    asked = []

    @ffi.callback("int(int, X509_STORE_CTX *)")
    def refuse(ok: int, _store: Any) -> int:
        asked.append(ok)
        return 0

    contexts = server_context(pki), server_context(pki)
    for context in contexts:
        context.get_cert_store().add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, pki.client.root_pem))
        if own or context is contexts[0]:
            lib.SSL_CTX_set_verify(context._context, SSL.VERIFY_PEER, refuse)
        else:
            context.set_verify(SSL.VERIFY_PEER)
    contexts[0].set_tlsext_servername_callback(lambda connection: connection.set_context(contexts[1]))
    context = client_context(pki)
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, pki.client.certificate_pem))
    context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, pki.client.key_pem))
    client, server = pair(contexts[0], context)
    client.set_tlsext_host_name(b"localhost")
    with pytest.raises(SSL.Error):
        shake((client, server))
    assert asked
    assert server.get_peer_certificate() is None


def test_a_callback_of_the_program_s_goes_on_refusing_where_a_name_is_to_be_verified(pki: PKI) -> None:
    asked = []

    @ffi.callback("int(int, X509_STORE_CTX *)")
    def refuse(ok: int, _store: Any) -> int:
        asked.append(ok)
        return 0

    client, server = pair(server_context(pki), client_context(pki))
    lib.SSL_set_verify(client._ssl, SSL.VERIFY_NONE, refuse)
    client.set_verify_host("localhost")
    with pytest.raises(SSL.Error):
        shake((client, server))
    assert asked == [1]


def test_certificates_are_found_in_a_message_of_pkcs7(pki: PKI) -> None:
    """By its structure, as programs do: pyOpenSSL never had a method for it."""
    authority, *_ = authorities(pki)
    made = ours.PKCS7.sign(pki.good.certificate, pki.good.key, b"said", pki.good.chain)
    message = crypto.load_pkcs7_data(ours.FILETYPE_ASN1, ours.dump_pkcs7_data(ours.FILETYPE_ASN1, made))
    assert message.type_is_signed()
    stack = message._pkcs7.d.sign.cert
    found = []
    for index in range(lib.sk_X509_num(stack)):
        one = crypto.X509.__new__(crypto.X509)
        one._x509 = lib.X509_dup(lib.sk_X509_value(stack, index))
        found.append(one.get_subject().CN)
    assert found == ["localhost", authority.get_subject().CN]


def test_keys_that_both_know_beforehand() -> None:
    """PSK, which pyOpenSSL has no methods for: programs set the callbacks themselves."""

    @ffi.callback("unsigned int(SSL *, const char *, char *, unsigned int, unsigned char *, unsigned int)")
    def of_client(_ssl: Any, _hint: Any, identity: Any, _room: int, key: Any, _size: int) -> int:
        ffi.memmove(identity, b"me\0", 3)
        ffi.memmove(key, b"k" * 16, 16)
        return 16

    @ffi.callback("unsigned int(SSL *, const char *, unsigned char *, unsigned int)")
    def of_server(_ssl: Any, identity: Any, key: Any, _size: int) -> int:
        assert ffi.string(identity) == b"me"
        ffi.memmove(key, b"k" * 16, 16)
        return 16

    contexts = []
    for _ in range(2):
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(b"PSK")
        contexts.append(context)
    lib.SSL_CTX_set_psk_server_callback(contexts[0]._context, of_server)
    lib.SSL_CTX_set_psk_client_callback(contexts[1]._context, of_client)
    client, server = shake(pair(contexts[0], contexts[1]))
    client.send(b"known")
    carry((client, server))
    assert server.recv(LARGE) == b"known"
    assert "PSK" in client.get_cipher_name()


def test_a_connection_has_the_mapping_that_gevent_openssl_takes() -> None:
    assert not SSL.Connection._reverse_mapping
