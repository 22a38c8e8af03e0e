from __future__ import annotations

import pytest

from openssl_iface import SSL
from openssl_iface.testing.conformance import CHECKS

PROTOCOLS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}


@pytest.fixture(params=PROTOCOLS)
def make_pair(request, pki):
    contexts = [SSL.Context(SSL.TLS_METHOD) for _ in range(2)]
    for context in contexts:
        context.set_min_proto_version(PROTOCOLS[request.param])
        context.set_max_proto_version(PROTOCOLS[request.param])
    contexts[1].use_certificate_chain([pki.good.certificate, *pki.good.chain])
    contexts[1].use_privatekey(pki.good.key)

    def make():
        client, server = (SSL.Connection(context, None) for context in contexts)
        client.set_connect_state()
        server.set_accept_state()
        return client, server

    return make


@pytest.mark.parametrize("check", CHECKS)
def test_check(check, make_pair):
    CHECKS[check](make_pair)
