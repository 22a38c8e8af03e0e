"""The manual's module crypto, over the chosen backend: names only."""

from __future__ import annotations

from .errors import CryptoError, X509StoreContextError
from .registry import get_backend as _get_backend
from .values import FileType as _FileType
from .values import KeyType as _KeyType
from .values import PKCS7Flag, X509StoreFlags

_backend = _get_backend()
_crypto = _backend.crypto

Error = CryptoError

X509 = X509Type = _backend.X509
X509Name = X509NameType = _backend.X509Name
X509Req = X509ReqType = _backend.X509Req
X509Store = X509StoreType = _backend.X509Store
X509StoreContext = _backend.X509StoreContext
X509Extension = X509ExtensionType = _backend.X509Extension
PKey = PKeyType = _backend.PKey
PKCS7 = PKCS7Type = _backend.PKCS7
PKCS12 = PKCS12Type = _backend.PKCS12
NetscapeSPKI = NetscapeSPKIType = _backend.NetscapeSPKI
CRL = CRLType = _backend.CRL
Revoked = RevokedType = _backend.Revoked

FILETYPE_PEM = int(_FileType.PEM)
FILETYPE_ASN1 = int(_FileType.ASN1)
FILETYPE_TEXT = int(_FileType.TEXT)

TYPE_RSA = int(_KeyType.RSA)
TYPE_DSA = int(_KeyType.DSA)
TYPE_DH = int(_KeyType.DH)
TYPE_EC = int(_KeyType.EC)
TYPE_ED25519 = int(_KeyType.ED25519)
TYPE_ED448 = int(_KeyType.ED448)
TYPE_X25519 = int(_KeyType.X25519)
TYPE_X448 = int(_KeyType.X448)

X509_verify_cert_error_string = _crypto.X509_verify_cert_error_string
dump_certificate = _crypto.dump_certificate
dump_certificate_request = _crypto.dump_certificate_request
dump_crl = _crypto.dump_crl
dump_pkcs7_data = _crypto.dump_pkcs7_data
dump_privatekey = _crypto.dump_privatekey
dump_publickey = _crypto.dump_publickey
get_elliptic_curve = _crypto.get_elliptic_curve
get_elliptic_curves = _crypto.get_elliptic_curves
load_certificate = _crypto.load_certificate
load_certificate_request = _crypto.load_certificate_request
load_certificates = _crypto.load_certificates
load_crl = _crypto.load_crl
load_pkcs12 = _crypto.load_pkcs12
load_pkcs7_data = _crypto.load_pkcs7_data
load_privatekey = _crypto.load_privatekey
load_publickey = _crypto.load_publickey
sign = _crypto.sign
verify = _crypto.verify

__all__ = [
    "X509_verify_cert_error_string",
    "CRL",
    "CRLType",
    "Error",
    "FILETYPE_ASN1",
    "FILETYPE_PEM",
    "FILETYPE_TEXT",
    "NetscapeSPKI",
    "NetscapeSPKIType",
    "PKCS12",
    "PKCS12Type",
    "PKCS7",
    "PKCS7Flag",
    "PKCS7Type",
    "PKey",
    "PKeyType",
    "Revoked",
    "RevokedType",
    "TYPE_DH",
    "TYPE_DSA",
    "TYPE_EC",
    "TYPE_ED25519",
    "TYPE_ED448",
    "TYPE_RSA",
    "TYPE_X25519",
    "TYPE_X448",
    "X509",
    "X509Extension",
    "X509ExtensionType",
    "X509Name",
    "X509NameType",
    "X509Req",
    "X509ReqType",
    "X509Store",
    "X509StoreContext",
    "X509StoreContextError",
    "X509StoreFlags",
    "X509StoreType",
    "X509Type",
    "dump_certificate",
    "dump_certificate_request",
    "dump_crl",
    "dump_pkcs7_data",
    "dump_privatekey",
    "dump_publickey",
    "get_elliptic_curve",
    "get_elliptic_curves",
    "load_certificate",
    "load_certificate_request",
    "load_certificates",
    "load_crl",
    "load_pkcs12",
    "load_pkcs7_data",
    "load_privatekey",
    "load_publickey",
    "sign",
    "verify",
]
