"""Contexts that are safe as they are."""

from __future__ import annotations

import pytest

from openssl_iface import Error, server_context
from openssl_iface.testing.pki import PKI


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
