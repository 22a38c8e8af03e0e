from __future__ import annotations

import gc
import time

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import CertificateVerificationError, Error
from openssl_iface.impl_cffi._native import lib
from openssl_iface.impl_cffi.context import Context
from openssl_iface.impl_cffi.session import Session
from openssl_iface.interfaces import ISession
from openssl_iface.values import Method, ProtocolVersion, VerifyMode


@pytest.fixture
def contexts(tls, version):
    server, client = tls.contexts(version)
    server.set_session_id(b"tests")
    return server, client


def one(tls, server, client, host="localhost"):
    both = tls.connections(server, client, host=host)
    tls.exchange(*both, sound=True)
    return both


def resumed(tls, server, client, session, host="localhost"):
    both = tls.connections(server, client, host=host)
    both[1].set_session(session)
    tls.exchange(*both, sound=True)
    assert both[0].session_reused() == both[1].session_reused()
    return both[1].session_reused()


def test_what_a_session_says_of_itself(tls, contexts, version):
    before = int(time.time()) - 1
    session = one(tls, *contexts)[1].get_session()
    assert verifyObject(ISession, session)
    assert session.protocol_version == version
    assert before <= session.time <= time.time() + 1
    assert session.timeout > 0
    assert session.is_resumable is True
    assert session.has_ticket is True
    assert session.ticket_lifetime_hint > 0
    assert 0 <= len(session.session_id) <= 32
    assert "Session" in repr(session)
    with pytest.raises(TypeError, match="Session"):
        Session()


def test_tickets(tls, contexts):
    assert resumed(tls, *contexts, one(tls, *contexts)[1].get_session())


def test_identifiers(tls, contexts):
    contexts[0].set_options(lib.SSL_OP_NO_TICKET)
    session = one(tls, *contexts)[1].get_session()
    assert session.session_id
    assert resumed(tls, *contexts, session)


def test_not_without_a_cache(tls):
    server, client = tls.contexts(ProtocolVersion.TLS1_2)
    server.set_options(lib.SSL_OP_NO_TICKET)
    server.set_session_cache_mode(lib.SSL_SESS_CACHE_OFF)
    assert not resumed(tls, server, client, one(tls, server, client)[1].get_session())


def test_by_the_callback(tls, contexts, version):
    server, client = contexts
    got = []
    client.set_session_cache_mode(lib.SSL_SESS_CACHE_CLIENT)
    client.set_session_callback(lambda c, session: got.append((c, session)))
    both = one(tls, server, client)
    assert {c for c, _ in got} == {both[1]}
    assert len(got) == (2 if version == ProtocolVersion.TLS1_3 else 1)
    for _, session in tuple(got):
        assert session.is_resumable
        assert resumed(tls, server, client, session)


def test_of_a_connection_that_was_dropped(tls, contexts):
    server, client = contexts
    server.set_options(lib.SSL_OP_NO_TICKET)
    both = one(tls, server, client)
    session = both[1].get_session()
    del both
    gc.collect()
    assert session.is_resumable
    assert resumed(tls, server, client, session)


def test_of_a_connection_that_was_reset(tls, contexts):
    server, client = contexts
    both = one(tls, server, client)
    session = both[1].get_session()
    with pytest.raises(Error):
        both[1].event_feed(b"")
    del both
    gc.collect()
    assert resumed(tls, server, client, session)


def test_serialised(tls, contexts):
    session = one(tls, *contexts)[1].get_session()
    again = Session.from_bytes(session.to_bytes())
    assert again.to_bytes() == session.to_bytes()
    assert again.session_id == session.session_id
    assert resumed(tls, *contexts, again)


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d + b"x", lambda d: b"", lambda d: b"x" * 50])
def test_damaged(tls, damage):
    data = tls.pair()[1].get_session().to_bytes()
    with pytest.raises(Error, match="data"):
        Session.from_bytes(damage(data))


def test_wrong_arguments(tls):
    with pytest.raises(TypeError, match="data"):
        Session.from_bytes("text")
    _server, client = tls.connections(*tls.contexts())
    with pytest.raises(TypeError, match="session"):
        client.set_session(b"x")
    assert client.get_session() is None
    done = tls.pair()[1]
    with pytest.raises(Error, match="session"):
        done.set_session(done.get_session())


def test_across_contexts(tls, contexts, version):
    server, client = contexts
    session = one(tls, server, client)[1].get_session()
    assert resumed(tls, server, tls.client_context(version), session)


def test_another_servers_context_does_not_take_it(tls, contexts, version):
    server, client = contexts
    session = one(tls, server, client)[1].get_session()
    assert not resumed(tls, tls.server_context(version), client, session)


def test_another_name_is_refused(tls, contexts):
    server, client = contexts
    session = one(tls, server, client)[1].get_session()
    ends = tls.connections(server, client, host="elsewhere.test")
    ends[1].set_session(session)
    error = tls.exchange(*ends)[1].error
    assert type(error) is CertificateVerificationError
    assert error.verify_code == 62
    assert error.certificate.get_subject().CN == "localhost"
    assert not ends[1].handshake_done or ends[1].ended is not None


def test_an_address_is_one_on_resumption_too(tls, version):
    identity = tls.pki.ca.issue("127.0.0.1", common_name="x")
    server, client = tls.server_context(version, identity), tls.client_context(version)
    assert resumed(
        tls, server, client, one(tls, server, client, host="127.0.0.1")[1].get_session(), "127.0.0.1"
    )
    both = tls.connections(server, client, host="127.0.0.2")
    both[1].set_session(one(tls, server, client, host="127.0.0.1")[1].get_session())
    assert tls.exchange(*both)[1].error.verify_code == 64


@pytest.mark.parametrize("case", ["untrusted", "wrong_name", "expired"])
def test_one_that_was_never_verified_is_refused_where_it_must_be(tls, version, case):
    server, careless = tls.server_context(version, getattr(tls.pki, case)), tls.client_context(version)
    server.set_session_id(b"tests")
    careless.set_verify(VerifyMode.NONE)
    session = one(tls, server, careless, host=None)[1].get_session()
    assert resumed(tls, server, careless, session, host=None)
    session = one(tls, server, careless, host=None)[1].get_session()
    both = tls.connections(server, tls.client_context(version))
    both[1].set_session(session)
    error = tls.exchange(*both)[1].error
    assert type(error) is CertificateVerificationError
    assert error.verify_code in getattr(tls.pki, case).verdicts


def test_one_without_a_certificate_is_nobodys(tls):
    """Of a cipher suite that knows none (anonymous Diffie-Hellman)."""
    server, careless, client = Context(Method.TLS), Context(Method.TLS), tls.client_context()
    for context in (server, careless, client):
        context.set_max_proto_version(ProtocolVersion.TLS1_2)
        context.set_cipher_list("AECDH-AES128-SHA:@SECLEVEL=0")
    session = one(tls, server, careless, host=None)[1].get_session()
    assert resumed(tls, server, careless, session, host=None)
    both = tls.connections(server, client)
    both[1].set_session(session)
    assert isinstance(tls.exchange(*both)[1].error, CertificateVerificationError)


def test_a_malformed_name_is_refused_on_resumption_too(tls, version):
    server, careless = tls.server_context(version, tls.pki.nul_san), tls.client_context(version)
    session = one(tls, server, careless, host=None)[1].get_session()
    both = tls.connections(server, tls.client_context(version))
    both[1].set_session(session)
    assert isinstance(tls.exchange(*both)[1].error, CertificateVerificationError)


def test_a_server_that_demands_a_certificate_takes_no_session_without(tls, contexts):
    server, client = contexts
    session = one(tls, server, client)[1].get_session()
    both = tls.connections(server, client)
    both[0].set_verify(VerifyMode.PEER | VerifyMode.FAIL_IF_NO_PEER_CERT)
    both[1].set_session(session)
    ends = tls.exchange(*both)
    assert ends[0].error is not None
    assert not ends[0].data


def test_the_peers_certificate_is_still_known(tls, contexts):
    server, client = contexts
    session = one(tls, server, client)[1].get_session()
    both = tls.connections(server, client)
    both[1].set_session(session)
    tls.exchange(*both, sound=True)
    assert both[1].get_peer_certificate().get_subject().CN == "localhost"
    assert both[1].get_verify_result() == 0
