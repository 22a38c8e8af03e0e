"""A server and a CA in the manual's names."""

from __future__ import annotations

from openssl_iface import SSL, crypto, rand, typing


def authority() -> tuple[typing.X509, typing.PKey]:
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    certificate = crypto.X509()
    certificate.set_version(2)
    certificate.set_serial_number(int.from_bytes(rand.bytes(8), "big"))
    certificate.get_subject().CN = "An authority"
    certificate.set_issuer(certificate.get_subject())
    certificate.gmtime_adj_notBefore(0)
    certificate.gmtime_adj_notAfter(3600)
    certificate.set_pubkey(key)
    certificate.add_extensions([crypto.X509Extension(b"basicConstraints", True, b"CA:TRUE")])
    certificate.sign(key, "sha256")
    pem: bytes = crypto.dump_certificate(crypto.FILETYPE_PEM, certificate)
    return crypto.load_certificate(crypto.FILETYPE_PEM, pem), key


def verify(connection: typing.Connection, certificate: typing.X509, error: int, depth: int, ok: int) -> bool:
    return bool(ok) and depth < 3


def server() -> typing.Context:
    certificate, key = authority()
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.check_privatekey()
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
    return context


def receive(connection: typing.Connection) -> bytes | None:
    try:
        return connection.recv(1024)
    except SSL.WantReadError:
        return None
    except SSL.ZeroReturnError:
        return b""
    except SSL.SysCallError as error:
        print(error.args[0], error.args[1])
        raise
