"""The functions of the crypto module in one place: what ``ICrypto`` promises."""

from __future__ import annotations

from zope.interface import moduleProvides

from ..interfaces import ICrypto
from .crl import dump_crl, load_crl
from .keygen import get_elliptic_curve, get_elliptic_curves
from .pkcs7 import dump_pkcs7_data, load_pkcs7_data
from .pkcs12 import load_pkcs12
from .pkey import (
    dump_privatekey,
    dump_publickey,
    load_privatekey,
    load_publickey,
    sign,
)
from .request import dump_certificate_request, load_certificate_request
from .store import X509_verify_cert_error_string
from .x509 import dump_certificate, load_certificate, load_certificates, verify

moduleProvides(ICrypto)

__all__ = [
    "X509_verify_cert_error_string",
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
