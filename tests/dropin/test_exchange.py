"""Objects of the classes here, private names, and exchange with cryptography."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from openssl_iface import crypto as ours
from openssl_iface.dropin import SSL, _util, crypto
from openssl_iface.testing.pki import PKI

cryptography = pytest.importorskip("cryptography")
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519  # noqa: E402
from cryptography.x509.oid import NameOID  # noqa: E402

KEYS = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "dsa": lambda: dsa.generate_private_key(2048),
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
}


def spki(key: Any) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", KEYS)
def test_keys_go_there_and_back(kind: str) -> None:
    key = KEYS[kind]()
    mine = crypto.PKey.from_cryptography_key(key)
    assert type(mine) is crypto.PKey
    assert spki(mine.to_cryptography_key().public_key()) == spki(key.public_key())
    public = crypto.PKey.from_cryptography_key(key.public_key())
    assert spki(public.to_cryptography_key()) == spki(key.public_key())


def test_keys_that_pyopenssl_does_not_take_are_refused() -> None:
    for key in (x25519.X25519PrivateKey.generate(), object()):
        with pytest.raises(TypeError):
            crypto.PKey.from_cryptography_key(key)


def certificate() -> tuple[x509.Certificate, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.test")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + dt.timedelta(1))
    return builder.sign(key, hashes.SHA256()), key


def test_certificates_go_there_and_back() -> None:
    theirs, _ = certificate()
    mine = crypto.X509.from_cryptography(theirs)
    assert type(mine) is crypto.X509
    assert mine.to_cryptography() == theirs


def test_contexts_and_connections_take_those_of_cryptography() -> None:
    theirs, key = certificate()
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(theirs)
    context.use_privatekey(key)
    context.check_privatekey()
    context.add_client_ca(theirs)
    connection = SSL.Connection(context, None)
    connection.use_certificate(theirs)
    connection.use_privatekey(key)
    assert connection.get_certificate(as_cryptography=True) == theirs
    assert type(connection.get_certificate()) is crypto.X509


def test_what_objects_give_are_objects_of_these_classes(pki: PKI) -> None:
    mine = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    assert type(mine) is crypto.X509
    assert isinstance(mine, ours.X509)
    assert type(mine.get_subject()) is crypto.X509Name
    assert type(mine.get_pubkey()) is crypto.PKey
    context = SSL.Context(SSL.TLS_METHOD)
    assert type(context.get_cert_store()) is crypto.X509Store
    assert context.get_cert_store() is context.get_cert_store()
    mine.get_subject().CN = "other"
    assert mine.get_subject().CN == "other"


def test_a_store_s_verdict_has_a_certificate_of_these_classes(pki: PKI) -> None:
    mine = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    with pytest.raises(crypto.X509StoreContextError) as raised:
        crypto.X509StoreContext(crypto.X509Store(), mine).verify_certificate()
    assert type(raised.value.certificate) is crypto.X509
    assert raised.value.errors[1:] == [0, raised.value.args[0]]


@pytest.mark.filterwarnings("ignore:.*has been removed from pyOpenSSL")
def test_pkcs12_holds_objects_of_these_classes(pki: PKI) -> None:
    box = crypto.PKCS12()
    box.set_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem))
    box.set_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem))
    again = crypto.load_pkcs12(box.export(b"word", iter=1, maciter=1), b"word")
    assert type(again) is crypto.PKCS12
    assert type(again.get_certificate()) is crypto.X509
    assert type(again.get_privatekey()) is crypto.PKey


def test_private_names_lead_to_openssl(pki: PKI, tmp_path: Path) -> None:
    lib, ffi = _util.lib, _util.ffi
    context = SSL.Context(SSL.TLS_METHOD)
    assert lib.SSL_CTX_set_ecdh_auto(context._context, 1) == 1
    SSL._openssl_assert(lib.SSL_CTX_set1_curves_list(context._context, b"P-256") == 1)
    assert lib.SSL_CTX_get_verify_mode(context._context) == SSL.VERIFY_NONE
    connection = SSL.Connection(context, None)
    assert connection._socket is None
    assert lib.SSL_get_SSL_CTX(connection._ssl) == context._context
    mine = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    assert lib.X509_get_ext_count(mine._x509) == mine.to_cryptography().extensions.__len__()
    room = ffi.new("char[]", 200)
    assert lib.X509_NAME_oneline(mine.get_subject()._name, room, 200) != ffi.NULL
    assert SSL._lib is lib
    assert SSL._ffi is ffi
    parameters = lib.SSL_get0_param(connection._ssl)
    assert lib.X509_VERIFY_PARAM_set1_host(parameters, b"a.test", 6) == 1
    assert lib.X509_VERIFY_PARAM_set1_ip(parameters, b"\x7f\0\0\1", 4) == 1
    lib.X509_VERIFY_PARAM_set_hostflags(parameters, lib.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)
    assert lib.SSL_VERIFY_PEER == SSL.VERIFY_PEER
    assert lib.X509_V_ERR_CERT_HAS_EXPIRED == SSL.X509VerificationCodes.ERR_CERT_HAS_EXPIRED
    assert lib.Cryptography_HAS_TLSv1_3 == 1
    assert lib.Cryptography_HAS_NEXTPROTONEG == 0
    with pytest.raises(AttributeError, match="no_such_function"):
        lib.no_such_function  # noqa: B018


def test_a_store_loads_a_directory_that_counts_for_connections(pki: PKI, tmp_path: Path) -> None:
    root = tmp_path / "root.pem"
    root.write_bytes(pki.good.root_pem)
    store = crypto.X509Store()
    store.load_locations(str(root))
    mine = crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem)
    between = [crypto.load_certificate(crypto.FILETYPE_PEM, pem) for pem in pems(pki.good.chain_pem)[1:]]
    assert crypto.X509StoreContext(store, mine, between).get_verified_chain()
    with pytest.raises(crypto.Error):
        store.load_locations(tmp_path / "none.pem")
    with pytest.raises(crypto.Error):
        store.load_locations(None)


def pems(text: bytes) -> list[bytes]:
    end = b"-----END CERTIFICATE-----\n"
    return [part + end for part in text.split(end) if part.strip()]


def test_the_temporary_key_of_a_handshake_can_be_asked_for(pki: PKI) -> None:
    """As crawlers do, who log it."""
    lib, ffi = _util.lib, _util.ffi
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, pki.good.certificate_pem))
    context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, pki.good.key_pem))
    with pytest.warns(DeprecationWarning, match="elliptic curves"):
        context.set_tmp_ecdh(crypto.get_elliptic_curve("prime256v1"))
    server, client = SSL.Connection(context, None), SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    place = ffi.new("EVP_PKEY **")
    assert lib.SSL_get_server_tmp_key(client._ssl, place) == 1
    key = ffi.gc(place[0], lib.EVP_PKEY_free)
    assert lib.EVP_PKEY_id(key) == lib.EVP_PKEY_EC
    curve = ffi.gc(lib.EVP_PKEY_get1_EC_KEY(key), lib.EC_KEY_free)
    number = lib.EC_GROUP_get_curve_name(lib.EC_KEY_get0_group(curve))
    assert ffi.string(lib.OBJ_nid2sn(number)) == b"prime256v1"
