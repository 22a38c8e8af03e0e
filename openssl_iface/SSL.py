"""The manual's module SSL, over the chosen backend: names only.

Everything that pyOpenSSL documents under these names, with the meaning that the
manual gives; see ``docs/`` for each with an example.
"""

from __future__ import annotations

from . import values as _values
from .errors import (
    AbortedError,
    CertificateVerificationError,
    Error,
    SysCallError,
    TimedOutError,
    TruncatedError,
    WantClientHelloError,
    WantReadError,
    WantVerificationError,
    WantWriteError,
    WantX509LookupError,
    ZeroReturnError,
)
from .registry import get_backend as _get_backend
from .values import NO_OVERLAPPING_PROTOCOLS, Ending, Want, X509VerificationCodes

_backend = _get_backend()
_constants = _backend.constants

Context = ContextType = _backend.Context
Connection = ConnectionType = _backend.Connection
Session = _backend.Session

SSLv2_METHOD = int(_values.Method.SSLv2)
SSLv3_METHOD = int(_values.Method.SSLv3)
SSLv23_METHOD = int(_values.Method.SSLv23)
TLSv1_METHOD = int(_values.Method.TLSv1)
TLSv1_1_METHOD = int(_values.Method.TLSv1_1)
TLSv1_2_METHOD = int(_values.Method.TLSv1_2)
TLS_METHOD = int(_values.Method.TLS)
TLS_SERVER_METHOD = int(_values.Method.TLS_SERVER)
TLS_CLIENT_METHOD = int(_values.Method.TLS_CLIENT)
DTLS_METHOD = int(_values.Method.DTLS)
DTLS_SERVER_METHOD = int(_values.Method.DTLS_SERVER)
DTLS_CLIENT_METHOD = int(_values.Method.DTLS_CLIENT)

SSL3_VERSION = int(_values.ProtocolVersion.SSL3)
TLS1_VERSION = int(_values.ProtocolVersion.TLS1)
TLS1_1_VERSION = int(_values.ProtocolVersion.TLS1_1)
TLS1_2_VERSION = int(_values.ProtocolVersion.TLS1_2)
TLS1_3_VERSION = int(_values.ProtocolVersion.TLS1_3)

FILETYPE_PEM = int(_values.FileType.PEM)
FILETYPE_ASN1 = int(_values.FileType.ASN1)

VERIFY_NONE = int(_values.VerifyMode.NONE)
VERIFY_PEER = int(_values.VerifyMode.PEER)
VERIFY_FAIL_IF_NO_PEER_CERT = int(_values.VerifyMode.FAIL_IF_NO_PEER_CERT)
VERIFY_CLIENT_ONCE = int(_values.VerifyMode.CLIENT_ONCE)
VERIFY_POST_HANDSHAKE = int(_values.VerifyMode.POST_HANDSHAKE)

SENT_SHUTDOWN: int = _constants["SENT_SHUTDOWN"]
RECEIVED_SHUTDOWN: int = _constants["RECEIVED_SHUTDOWN"]

OP_ALL: int = _constants["OP_ALL"]
OP_ALLOW_CLIENT_RENEGOTIATION: int = _constants["OP_ALLOW_CLIENT_RENEGOTIATION"]
OP_ALLOW_NO_DHE_KEX: int = _constants["OP_ALLOW_NO_DHE_KEX"]
OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION: int = _constants["OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION"]
OP_CIPHER_SERVER_PREFERENCE: int = _constants["OP_CIPHER_SERVER_PREFERENCE"]
OP_CISCO_ANYCONNECT: int = _constants["OP_CISCO_ANYCONNECT"]
OP_CLEANSE_PLAINTEXT: int = _constants["OP_CLEANSE_PLAINTEXT"]
OP_COOKIE_EXCHANGE: int = _constants["OP_COOKIE_EXCHANGE"]
OP_CRYPTOPRO_TLSEXT_BUG: int = _constants["OP_CRYPTOPRO_TLSEXT_BUG"]
OP_DISABLE_TLSEXT_CA_NAMES: int = _constants["OP_DISABLE_TLSEXT_CA_NAMES"]
OP_DONT_INSERT_EMPTY_FRAGMENTS: int = _constants["OP_DONT_INSERT_EMPTY_FRAGMENTS"]
OP_ECH_GREASE: int = _constants["OP_ECH_GREASE"]
OP_ECH_GREASE_RETRY_CONFIG: int = _constants["OP_ECH_GREASE_RETRY_CONFIG"]
OP_ECH_IGNORE_CID: int = _constants["OP_ECH_IGNORE_CID"]
OP_ECH_TRIALDECRYPT: int = _constants["OP_ECH_TRIALDECRYPT"]
OP_ENABLE_KTLS: int = _constants["OP_ENABLE_KTLS"]
OP_ENABLE_KTLS_TX_ZEROCOPY_SENDFILE: int = _constants["OP_ENABLE_KTLS_TX_ZEROCOPY_SENDFILE"]
OP_ENABLE_MIDDLEBOX_COMPAT: int = _constants["OP_ENABLE_MIDDLEBOX_COMPAT"]
OP_EPHEMERAL_RSA: int = _constants["OP_EPHEMERAL_RSA"]
OP_IGNORE_UNEXPECTED_EOF: int = _constants["OP_IGNORE_UNEXPECTED_EOF"]
OP_LEGACY_EC_POINT_FORMATS: int = _constants["OP_LEGACY_EC_POINT_FORMATS"]
OP_LEGACY_SERVER_CONNECT: int = _constants["OP_LEGACY_SERVER_CONNECT"]
OP_MICROSOFT_BIG_SSLV3_BUFFER: int = _constants["OP_MICROSOFT_BIG_SSLV3_BUFFER"]
OP_MICROSOFT_SESS_ID_BUG: int = _constants["OP_MICROSOFT_SESS_ID_BUG"]
OP_MSIE_SSLV2_RSA_PADDING: int = _constants["OP_MSIE_SSLV2_RSA_PADDING"]
OP_NETSCAPE_CA_DN_BUG: int = _constants["OP_NETSCAPE_CA_DN_BUG"]
OP_NETSCAPE_CHALLENGE_BUG: int = _constants["OP_NETSCAPE_CHALLENGE_BUG"]
OP_NETSCAPE_DEMO_CIPHER_CHANGE_BUG: int = _constants["OP_NETSCAPE_DEMO_CIPHER_CHANGE_BUG"]
OP_NETSCAPE_REUSE_CIPHER_CHANGE_BUG: int = _constants["OP_NETSCAPE_REUSE_CIPHER_CHANGE_BUG"]
OP_NO_ANTI_REPLAY: int = _constants["OP_NO_ANTI_REPLAY"]
OP_NO_COMPRESSION: int = _constants["OP_NO_COMPRESSION"]
OP_NO_DTLS_MASK: int = _constants["OP_NO_DTLS_MASK"]
OP_NO_DTLSv1: int = _constants["OP_NO_DTLSv1"]
OP_NO_DTLSv1_2: int = _constants["OP_NO_DTLSv1_2"]
OP_NO_ENCRYPT_THEN_MAC: int = _constants["OP_NO_ENCRYPT_THEN_MAC"]
OP_NO_EXTENDED_MASTER_SECRET: int = _constants["OP_NO_EXTENDED_MASTER_SECRET"]
OP_NO_QUERY_MTU: int = _constants["OP_NO_QUERY_MTU"]
OP_NO_RENEGOTIATION: int = _constants["OP_NO_RENEGOTIATION"]
OP_NO_RX_CERTIFICATE_COMPRESSION: int = _constants["OP_NO_RX_CERTIFICATE_COMPRESSION"]
OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION: int = _constants["OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION"]
OP_NO_SSLv2: int = _constants["OP_NO_SSLv2"]
OP_NO_SSLv3: int = _constants["OP_NO_SSLv3"]
OP_NO_TICKET: int = _constants["OP_NO_TICKET"]
OP_NO_TLSv1: int = _constants["OP_NO_TLSv1"]
OP_NO_TLSv1_1: int = _constants["OP_NO_TLSv1_1"]
OP_NO_TLSv1_2: int = _constants["OP_NO_TLSv1_2"]
OP_NO_TLSv1_3: int = _constants["OP_NO_TLSv1_3"]
OP_NO_TX_CERTIFICATE_COMPRESSION: int = _constants["OP_NO_TX_CERTIFICATE_COMPRESSION"]
OP_PKCS1_CHECK_1: int = _constants["OP_PKCS1_CHECK_1"]
OP_PKCS1_CHECK_2: int = _constants["OP_PKCS1_CHECK_2"]
OP_PREFER_NO_DHE_KEX: int = _constants["OP_PREFER_NO_DHE_KEX"]
OP_PRIORITIZE_CHACHA: int = _constants["OP_PRIORITIZE_CHACHA"]
OP_SAFARI_ECDHE_ECDSA_BUG: int = _constants["OP_SAFARI_ECDHE_ECDSA_BUG"]
OP_SERVER_PREFERENCE: int = _constants["OP_SERVER_PREFERENCE"]
OP_SINGLE_DH_USE: int = _constants["OP_SINGLE_DH_USE"]
OP_SINGLE_ECDH_USE: int = _constants["OP_SINGLE_ECDH_USE"]
OP_SSLEAY_080_CLIENT_DH_BUG: int = _constants["OP_SSLEAY_080_CLIENT_DH_BUG"]
OP_SSLREF2_REUSE_CERT_TYPE_BUG: int = _constants["OP_SSLREF2_REUSE_CERT_TYPE_BUG"]
OP_TLSEXT_PADDING: int = _constants["OP_TLSEXT_PADDING"]
OP_TLS_BLOCK_PADDING_BUG: int = _constants["OP_TLS_BLOCK_PADDING_BUG"]
OP_TLS_D5_BUG: int = _constants["OP_TLS_D5_BUG"]
OP_TLS_ROLLBACK_BUG: int = _constants["OP_TLS_ROLLBACK_BUG"]

MODE_ACCEPT_MOVING_WRITE_BUFFER: int = _constants["MODE_ACCEPT_MOVING_WRITE_BUFFER"]
MODE_ASYNC: int = _constants["MODE_ASYNC"]
MODE_AUTO_RETRY: int = _constants["MODE_AUTO_RETRY"]
MODE_DTLS_SCTP_LABEL_LENGTH_BUG: int = _constants["MODE_DTLS_SCTP_LABEL_LENGTH_BUG"]
MODE_ENABLE_PARTIAL_WRITE: int = _constants["MODE_ENABLE_PARTIAL_WRITE"]
MODE_NO_AUTO_CHAIN: int = _constants["MODE_NO_AUTO_CHAIN"]
MODE_RELEASE_BUFFERS: int = _constants["MODE_RELEASE_BUFFERS"]
MODE_SEND_CLIENTHELLO_TIME: int = _constants["MODE_SEND_CLIENTHELLO_TIME"]
MODE_SEND_FALLBACK_SCSV: int = _constants["MODE_SEND_FALLBACK_SCSV"]
MODE_SEND_SERVERHELLO_TIME: int = _constants["MODE_SEND_SERVERHELLO_TIME"]

SESS_CACHE_BOTH: int = _constants["SESS_CACHE_BOTH"]
SESS_CACHE_CLIENT: int = _constants["SESS_CACHE_CLIENT"]
SESS_CACHE_NO_AUTO_CLEAR: int = _constants["SESS_CACHE_NO_AUTO_CLEAR"]
SESS_CACHE_NO_INTERNAL: int = _constants["SESS_CACHE_NO_INTERNAL"]
SESS_CACHE_NO_INTERNAL_LOOKUP: int = _constants["SESS_CACHE_NO_INTERNAL_LOOKUP"]
SESS_CACHE_NO_INTERNAL_STORE: int = _constants["SESS_CACHE_NO_INTERNAL_STORE"]
SESS_CACHE_OFF: int = _constants["SESS_CACHE_OFF"]
SESS_CACHE_SERVER: int = _constants["SESS_CACHE_SERVER"]
SESS_CACHE_UPDATE_TIME: int = _constants["SESS_CACHE_UPDATE_TIME"]

SSL_CB_ACCEPT_EXIT: int = _constants["SSL_CB_ACCEPT_EXIT"]
SSL_CB_ACCEPT_LOOP: int = _constants["SSL_CB_ACCEPT_LOOP"]
SSL_CB_ALERT: int = _constants["SSL_CB_ALERT"]
SSL_CB_CONNECT_EXIT: int = _constants["SSL_CB_CONNECT_EXIT"]
SSL_CB_CONNECT_LOOP: int = _constants["SSL_CB_CONNECT_LOOP"]
SSL_CB_EXIT: int = _constants["SSL_CB_EXIT"]
SSL_CB_HANDSHAKE_DONE: int = _constants["SSL_CB_HANDSHAKE_DONE"]
SSL_CB_HANDSHAKE_START: int = _constants["SSL_CB_HANDSHAKE_START"]
SSL_CB_LOOP: int = _constants["SSL_CB_LOOP"]
SSL_CB_READ: int = _constants["SSL_CB_READ"]
SSL_CB_READ_ALERT: int = _constants["SSL_CB_READ_ALERT"]
SSL_CB_WRITE: int = _constants["SSL_CB_WRITE"]
SSL_CB_WRITE_ALERT: int = _constants["SSL_CB_WRITE_ALERT"]
SSL_ST_ACCEPT: int = _constants["SSL_ST_ACCEPT"]
SSL_ST_CONNECT: int = _constants["SSL_ST_CONNECT"]
SSL_ST_MASK: int = _constants["SSL_ST_MASK"]
SSL_ST_READ_BODY: int = _constants["SSL_ST_READ_BODY"]
SSL_ST_READ_DONE: int = _constants["SSL_ST_READ_DONE"]
SSL_ST_READ_HEADER: int = _constants["SSL_ST_READ_HEADER"]

# States that OpenSSL had before 1.1.0; an info callback of today never sees them.
SSL_ST_OK = 0x03
SSL_ST_INIT = SSL_ST_CONNECT | SSL_ST_ACCEPT
SSL_ST_BEFORE = 0x4000
SSL_ST_RENEGOTIATE = 0x04 | SSL_ST_INIT

# what OpenSSL_version is asked for
OPENSSL_VERSION_NUMBER: int = _backend.running.number
SSLEAY_VERSION = OPENSSL_VERSION = 0
SSLEAY_CFLAGS = OPENSSL_CFLAGS = 1
SSLEAY_BUILT_ON = OPENSSL_BUILT_ON = 2
SSLEAY_PLATFORM = OPENSSL_PLATFORM = 3
SSLEAY_DIR = OPENSSL_DIR = 4
OpenSSL_version = SSLeay_version = _backend.openssl_version

__all__ = [
    "AbortedError",
    "CertificateVerificationError",
    "Connection",
    "ConnectionType",
    "Context",
    "ContextType",
    "DTLS_CLIENT_METHOD",
    "DTLS_METHOD",
    "DTLS_SERVER_METHOD",
    "Ending",
    "Error",
    "FILETYPE_ASN1",
    "FILETYPE_PEM",
    "MODE_ACCEPT_MOVING_WRITE_BUFFER",
    "MODE_ASYNC",
    "MODE_AUTO_RETRY",
    "MODE_DTLS_SCTP_LABEL_LENGTH_BUG",
    "MODE_ENABLE_PARTIAL_WRITE",
    "MODE_NO_AUTO_CHAIN",
    "MODE_RELEASE_BUFFERS",
    "MODE_SEND_CLIENTHELLO_TIME",
    "MODE_SEND_FALLBACK_SCSV",
    "MODE_SEND_SERVERHELLO_TIME",
    "NO_OVERLAPPING_PROTOCOLS",
    "OPENSSL_BUILT_ON",
    "OPENSSL_CFLAGS",
    "OPENSSL_DIR",
    "OPENSSL_PLATFORM",
    "OPENSSL_VERSION",
    "OPENSSL_VERSION_NUMBER",
    "OP_ALL",
    "OP_ALLOW_CLIENT_RENEGOTIATION",
    "OP_ALLOW_NO_DHE_KEX",
    "OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION",
    "OP_CIPHER_SERVER_PREFERENCE",
    "OP_CISCO_ANYCONNECT",
    "OP_CLEANSE_PLAINTEXT",
    "OP_COOKIE_EXCHANGE",
    "OP_CRYPTOPRO_TLSEXT_BUG",
    "OP_DISABLE_TLSEXT_CA_NAMES",
    "OP_DONT_INSERT_EMPTY_FRAGMENTS",
    "OP_ECH_GREASE",
    "OP_ECH_GREASE_RETRY_CONFIG",
    "OP_ECH_IGNORE_CID",
    "OP_ECH_TRIALDECRYPT",
    "OP_ENABLE_KTLS",
    "OP_ENABLE_KTLS_TX_ZEROCOPY_SENDFILE",
    "OP_ENABLE_MIDDLEBOX_COMPAT",
    "OP_EPHEMERAL_RSA",
    "OP_IGNORE_UNEXPECTED_EOF",
    "OP_LEGACY_EC_POINT_FORMATS",
    "OP_LEGACY_SERVER_CONNECT",
    "OP_MICROSOFT_BIG_SSLV3_BUFFER",
    "OP_MICROSOFT_SESS_ID_BUG",
    "OP_MSIE_SSLV2_RSA_PADDING",
    "OP_NETSCAPE_CA_DN_BUG",
    "OP_NETSCAPE_CHALLENGE_BUG",
    "OP_NETSCAPE_DEMO_CIPHER_CHANGE_BUG",
    "OP_NETSCAPE_REUSE_CIPHER_CHANGE_BUG",
    "OP_NO_ANTI_REPLAY",
    "OP_NO_COMPRESSION",
    "OP_NO_DTLS_MASK",
    "OP_NO_DTLSv1",
    "OP_NO_DTLSv1_2",
    "OP_NO_ENCRYPT_THEN_MAC",
    "OP_NO_EXTENDED_MASTER_SECRET",
    "OP_NO_QUERY_MTU",
    "OP_NO_RENEGOTIATION",
    "OP_NO_RX_CERTIFICATE_COMPRESSION",
    "OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION",
    "OP_NO_SSLv2",
    "OP_NO_SSLv3",
    "OP_NO_TICKET",
    "OP_NO_TLSv1",
    "OP_NO_TLSv1_1",
    "OP_NO_TLSv1_2",
    "OP_NO_TLSv1_3",
    "OP_NO_TX_CERTIFICATE_COMPRESSION",
    "OP_PKCS1_CHECK_1",
    "OP_PKCS1_CHECK_2",
    "OP_PREFER_NO_DHE_KEX",
    "OP_PRIORITIZE_CHACHA",
    "OP_SAFARI_ECDHE_ECDSA_BUG",
    "OP_SERVER_PREFERENCE",
    "OP_SINGLE_DH_USE",
    "OP_SINGLE_ECDH_USE",
    "OP_SSLEAY_080_CLIENT_DH_BUG",
    "OP_SSLREF2_REUSE_CERT_TYPE_BUG",
    "OP_TLSEXT_PADDING",
    "OP_TLS_BLOCK_PADDING_BUG",
    "OP_TLS_D5_BUG",
    "OP_TLS_ROLLBACK_BUG",
    "OpenSSL_version",
    "RECEIVED_SHUTDOWN",
    "SENT_SHUTDOWN",
    "SESS_CACHE_BOTH",
    "SESS_CACHE_CLIENT",
    "SESS_CACHE_NO_AUTO_CLEAR",
    "SESS_CACHE_NO_INTERNAL",
    "SESS_CACHE_NO_INTERNAL_LOOKUP",
    "SESS_CACHE_NO_INTERNAL_STORE",
    "SESS_CACHE_OFF",
    "SESS_CACHE_SERVER",
    "SESS_CACHE_UPDATE_TIME",
    "SSL3_VERSION",
    "SSLEAY_BUILT_ON",
    "SSLEAY_CFLAGS",
    "SSLEAY_DIR",
    "SSLEAY_PLATFORM",
    "SSLEAY_VERSION",
    "SSL_CB_ACCEPT_EXIT",
    "SSL_CB_ACCEPT_LOOP",
    "SSL_CB_ALERT",
    "SSL_CB_CONNECT_EXIT",
    "SSL_CB_CONNECT_LOOP",
    "SSL_CB_EXIT",
    "SSL_CB_HANDSHAKE_DONE",
    "SSL_CB_HANDSHAKE_START",
    "SSL_CB_LOOP",
    "SSL_CB_READ",
    "SSL_CB_READ_ALERT",
    "SSL_CB_WRITE",
    "SSL_CB_WRITE_ALERT",
    "SSL_ST_ACCEPT",
    "SSL_ST_BEFORE",
    "SSL_ST_INIT",
    "SSL_ST_OK",
    "SSL_ST_RENEGOTIATE",
    "SSL_ST_CONNECT",
    "SSL_ST_MASK",
    "SSL_ST_READ_BODY",
    "SSL_ST_READ_DONE",
    "SSL_ST_READ_HEADER",
    "SSLeay_version",
    "SSLv23_METHOD",
    "SSLv2_METHOD",
    "SSLv3_METHOD",
    "Session",
    "SysCallError",
    "TLS1_1_VERSION",
    "TLS1_2_VERSION",
    "TLS1_3_VERSION",
    "TLS1_VERSION",
    "TLS_CLIENT_METHOD",
    "TLS_METHOD",
    "TLS_SERVER_METHOD",
    "TLSv1_1_METHOD",
    "TLSv1_2_METHOD",
    "TLSv1_METHOD",
    "TimedOutError",
    "TruncatedError",
    "VERIFY_CLIENT_ONCE",
    "VERIFY_FAIL_IF_NO_PEER_CERT",
    "VERIFY_NONE",
    "VERIFY_PEER",
    "VERIFY_POST_HANDSHAKE",
    "Want",
    "WantClientHelloError",
    "WantReadError",
    "WantVerificationError",
    "WantWriteError",
    "WantX509LookupError",
    "X509VerificationCodes",
    "ZeroReturnError",
]
