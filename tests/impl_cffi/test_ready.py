"""Contexts that are safe as they are."""

from __future__ import annotations

import pytest

from openssl_iface import Error, client_context, server_context
from openssl_iface.errors import CertificateVerificationError
from openssl_iface.impl_cffi._native import lib
from openssl_iface.testing.pki import PKI
from openssl_iface.values import ProtocolVersion, VerifyMode


@pytest.mark.parametrize("other", ["good", "rsa", "ed25519"])
@pytest.mark.parametrize("form", ["objects", "files"])
def test_a_server_needs_the_key_of_its_certificate(other, form, tmp_path):
    """Also one of another kind is wrong: low-level contexts take it, for another certificate."""
    ours, theirs = PKI().good, getattr(PKI(), other)
    certificate, key = ours.certificate, theirs.key
    if form == "files":
        certificate, key = ours.write(tmp_path, "ours").certificate, theirs.write(tmp_path, "theirs").key
    with pytest.raises(Error, match="does not belong to the certificate"):
        server_context(certificate, key)
    server_context(ours.certificate, ours.key)


def test_what_every_ready_context_is(tls):
    """TLS 1.2 and later, without compression and renegotiation; a client verifies, with a name or without."""
    good = tls.pki.good
    server = server_context([good.certificate, *good.chain], good.key)
    client = client_context(trust=[tls.pki.root.certificate])
    for context in (server, client):
        assert context.get_min_proto_version() == ProtocolVersion.TLS1_2
        for option in (lib.SSL_OP_NO_COMPRESSION, lib.SSL_OP_NO_RENEGOTIATION):
            assert context.set_options(0) & option == option
    assert client.get_verify_mode() == VerifyMode.PEER
    tls.exchange(*tls.connections(server, client, host=None), sound=True)
    stranger = client_context(trust=[PKI().root.certificate])
    error = tls.exchange(*tls.connections(server, stranger, host=None))[1].error
    assert isinstance(error, CertificateVerificationError)


@pytest.mark.parametrize("version", [ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3])
def test_a_server_that_asks_for_certificates_resumes(tls, version):
    """libssl wants to be told whose sessions they are (SSL_CTX_set_session_id_context(3))."""
    good, mine = tls.pki.good, tls.pki.client
    server = server_context([good.certificate, *good.chain], good.key)
    server.get_cert_store().add_cert(tls.pki.root.certificate)
    server.set_verify(VerifyMode.PEER)
    client = tls.client_context(version)
    client.use_certificate_chain([mine.certificate, *mine.chain])
    client.use_privatekey(mine.key)
    before = tls.connections(server, client)
    tls.exchange(*before, sound=True)
    both = tls.connections(server, client)
    both[1].set_session(before[1].get_session())
    tls.exchange(*both, sound=True)
    assert both[0].session_reused()
    assert both[0].get_peer_certificate().get_subject().CN == "client.test"


@pytest.mark.parametrize("version", [ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3])
@pytest.mark.parametrize(
    ("offered", "agreed"),
    [([b"h2", b"http/1.1"], b"http/1.1"), ([], b""), ([b"h2", b"http/1"], None)],
    ids=["overlap", "nothing offered", "no overlap"],
)
def test_a_server_with_protocols_refuses_who_speaks_others(tls, version, offered, agreed):
    """RFC 7301, section 3.2; who offers none at all goes on without."""
    identity = tls.pki.good
    server = server_context(
        [identity.certificate, *identity.chain], identity.key, alpn=[b"echo", b"http/1.1"]
    )
    client = client_context(trust=[tls.pki.root.certificate], alpn=offered)
    for context in (server, client):
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    end, other = tls.exchange(*tls.connections(server, client))
    if agreed is None:
        assert "no application protocol" in str(end.error)
        assert other.error.alert == 120
    else:
        assert (end.error, other.error) == (None, None)
        assert {one.connection.get_alpn_proto_negotiated() for one in (end, other)} == {agreed}
