"""Enums and small frozen records that cross the contracts; no behaviour.

The numbers are OpenSSL's own or a standard's, and the same for every backend.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = [
    "CRLReason",
    "EVENT_SIZE",
    "NO_OVERLAPPING_PROTOCOLS",
    "Alert",
    "CipherInfo",
    "Ending",
    "FileType",
    "KeyType",
    "Method",
    "NoOverlappingProtocols",
    "PKCS7Flag",
    "ProtocolVersion",
    "StorePurpose",
    "VerifyMode",
    "Version",
    "Want",
    "X509StoreFlags",
    "X509VerificationCodes",
]

# The most plaintext that one event gives, and the most that is read from a
# descriptor in one event (bytes).  A larger block would be mapped and faulted
# in afresh by the allocator every time.
EVENT_SIZE = 65536


class FileType(enum.IntEnum):
    """How an object is written in a file (``X509_FILETYPE_...``)."""

    PEM = 1
    ASN1 = 2
    TEXT = 65535


class KeyType(enum.IntEnum):
    """The kind of a key: OpenSSL's object number of its algorithm.

    Post-quantum keys have no fixed number before OpenSSL 3.5; they are made and
    compared by name (``"ML-DSA-65"``).
    """

    RSA = 6
    DSA = 116
    DH = 28
    EC = 408
    RSA_PSS = 912
    X25519 = 1034
    X448 = 1035
    ED25519 = 1087
    ED448 = 1088


class CRLReason(enum.IntEnum):
    """Why a certificate was revoked (RFC 5280, section 5.3.1)."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    REMOVE_FROM_CRL = 8
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10


class X509StoreFlags(enum.IntFlag):
    """How chains are verified (*X509_VERIFY_PARAM_set_flags(3)*)."""

    CB_ISSUER_CHECK = 0  # without effect since OpenSSL 1.1.0
    CRL_CHECK = 0x4
    CRL_CHECK_ALL = 0x8
    IGNORE_CRITICAL = 0x10
    X509_STRICT = 0x20
    ALLOW_PROXY_CERTS = 0x40
    POLICY_CHECK = 0x80
    EXPLICIT_POLICY = 0x100
    INHIBIT_ANY = 0x200
    INHIBIT_MAP = 0x400
    NOTIFY_POLICY = 0x800
    EXTENDED_CRL_SUPPORT = 0x1000
    USE_DELTAS = 0x2000
    CHECK_SS_SIGNATURE = 0x4000
    TRUSTED_FIRST = 0x8000
    PARTIAL_CHAIN = 0x80000
    NO_ALT_CHAINS = 0x100000
    NO_CHECK_TIME = 0x200000


class StorePurpose(enum.IntEnum):
    """What a certificate is verified for (``X509_PURPOSE_...``, *X509_check_purpose(3)*)."""

    SSL_CLIENT = 1
    SSL_SERVER = 2
    NS_SSL_SERVER = 3
    SMIME_SIGN = 4
    SMIME_ENCRYPT = 5
    CRL_SIGN = 6
    ANY = 7
    OCSP_HELPER = 8
    TIMESTAMP_SIGN = 9
    CODE_SIGN = 10


class PKCS7Flag(enum.IntFlag):
    """How PKCS#7 messages are made and read (*PKCS7_sign(3)*, *PKCS7_verify(3)*)."""

    #: the content has MIME headers for plain text
    TEXT = 0x1
    #: leave the signer's certificate out
    NOCERTS = 0x2
    #: do not check the signatures
    NOSIGS = 0x4
    #: the certificates in the message are no part of chains
    NOCHAIN = 0x8
    #: the certificates in the message are no signers
    NOINTERN = 0x10
    #: do not check the signers' certificates
    NOVERIFY = 0x20
    #: leave the content out
    DETACHED = 0x40
    #: the content is kept byte for byte, and not made into canonical text
    BINARY = 0x80
    #: sign no attributes
    NOATTR = 0x100
    #: leave the S/MIME capabilities out
    NOSMIMECAP = 0x200
    #: ignore the revocation lists in the message
    NOCRL = 0x2000


class ProtocolVersion(enum.IntEnum):
    """A protocol version as it stands on the wire (RFC 8446, section 4.2.1)."""

    SSL3 = 0x0300
    TLS1 = 0x0301
    TLS1_1 = 0x0302
    TLS1_2 = 0x0303
    TLS1_3 = 0x0304
    DTLS1 = 0xFEFF
    DTLS1_2 = 0xFEFD


class VerifyMode(enum.IntFlag):
    """What is asked of the peer's certificate (*SSL_CTX_set_verify(3)*)."""

    NONE = 0
    PEER = 1
    FAIL_IF_NO_PEER_CERT = 2
    CLIENT_ONCE = 4
    POST_HANDSHAKE = 8


class Want(enum.IntFlag):
    """What a connection waits for, in the event-loop face."""

    NOTHING = 0
    #: bytes from the peer
    READ = 1
    #: the transport to take bytes: there is ciphertext that has not left yet
    WRITE = 2
    #: nothing from outside: call ``event_proceed``, there is more to deliver
    PROCEED = 4
    #: the answer of the certificate callback; then ``event_proceed``
    CERTIFICATE = 8
    #: the answer of the client hello callback; then ``event_proceed``
    CLIENT_HELLO = 16
    #: the verdict on the peer's certificate; then ``event_proceed``
    VERIFICATION = 32


class Ending(enum.Enum):
    """How the peer's side of a connection has ended."""

    #: close_notify arrived (RFC 8446, section 6.1): everything was received
    CLEAN = "clean"
    #: the transport ended without close_notify: something may be missing
    TRUNCATED = "truncated"
    #: the connection was reset, or an error ended it
    ABORTED = "aborted"
    #: the peer did not do what was due in time
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Version:
    """The OpenSSL that a backend was built against, or runs on."""

    #: OpenSSL's version number (*OPENSSL_VERSION_NUMBER(3)*)
    number: int
    #: OpenSSL's own words, such as ``"OpenSSL 3.0.19 27 Jan 2026"``
    text: str

    @property
    def release(self) -> tuple[int, int, int]:
        """``(major, minor, patch)``, such as ``(3, 0, 19)`` or ``(1, 1, 1)``."""
        number = self.number
        if number >> 28 < 3:
            return number >> 28, number >> 20 & 0xFF, number >> 12 & 0xFF
        return number >> 28, number >> 20 & 0xFF, number >> 4 & 0xFF


@dataclass(frozen=True, slots=True)
class CipherInfo:
    """The cipher in force (*SSL_get_current_cipher(3)*)."""

    #: OpenSSL's name
    name: str
    #: the standard's name, such as ``"TLS_AES_256_GCM_SHA384"``
    standard_name: str
    #: the protocol that introduced it, such as ``"TLSv1.3"``
    protocol: str
    #: secret bits
    bits: int


class Method(enum.IntEnum):
    """The manual's choice of a protocol, for ``Context``; the last ones came later."""

    SSLv2 = 1
    SSLv3 = 2
    SSLv23 = 3
    TLSv1 = 4
    TLSv1_1 = 5
    TLSv1_2 = 6
    TLS = 7
    TLS_SERVER = 8
    TLS_CLIENT = 9
    DTLS = 10
    DTLS_SERVER = 11
    DTLS_CLIENT = 12


class Alert(enum.IntEnum):
    """TLS alerts (RFC 8446, section 6; the IANA registry of TLS alerts)."""

    close_notify = 0
    unexpected_message = 10
    bad_record_mac = 20
    decryption_failed = 21
    record_overflow = 22
    decompression_failure = 30
    handshake_failure = 40
    no_certificate = 41
    bad_certificate = 42
    unsupported_certificate = 43
    certificate_revoked = 44
    certificate_expired = 45
    certificate_unknown = 46
    illegal_parameter = 47
    unknown_ca = 48
    access_denied = 49
    decode_error = 50
    decrypt_error = 51
    export_restriction = 60
    protocol_version = 70
    insufficient_security = 71
    internal_error = 80
    inappropriate_fallback = 86
    user_canceled = 90
    no_renegotiation = 100
    missing_extension = 109
    unsupported_extension = 110
    certificate_unobtainable = 111
    unrecognized_name = 112
    bad_certificate_status_response = 113
    bad_certificate_hash_value = 114
    unknown_psk_identity = 115
    certificate_required = 116
    no_application_protocol = 120


class X509VerificationCodes(enum.IntEnum):
    """OpenSSL's verdicts on a certificate (``X509_V_...``, *X509_STORE_CTX_get_error(3)*)."""

    OK = 0
    ERR_UNABLE_TO_GET_ISSUER_CERT = 2
    ERR_UNABLE_TO_GET_CRL = 3
    ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE = 4
    ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE = 5
    ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY = 6
    ERR_CERT_SIGNATURE_FAILURE = 7
    ERR_CRL_SIGNATURE_FAILURE = 8
    ERR_CERT_NOT_YET_VALID = 9
    ERR_CERT_HAS_EXPIRED = 10
    ERR_CRL_NOT_YET_VALID = 11
    ERR_CRL_HAS_EXPIRED = 12
    ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD = 13
    ERR_ERROR_IN_CERT_NOT_AFTER_FIELD = 14
    ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD = 15
    ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD = 16
    ERR_OUT_OF_MEM = 17
    ERR_DEPTH_ZERO_SELF_SIGNED_CERT = 18
    ERR_SELF_SIGNED_CERT_IN_CHAIN = 19
    ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY = 20
    ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE = 21
    ERR_CERT_CHAIN_TOO_LONG = 22
    ERR_CERT_REVOKED = 23
    ERR_PATH_LENGTH_EXCEEDED = 25
    ERR_INVALID_PURPOSE = 26
    ERR_CERT_UNTRUSTED = 27
    ERR_CERT_REJECTED = 28
    ERR_SUBJECT_ISSUER_MISMATCH = 29
    ERR_AKID_SKID_MISMATCH = 30
    ERR_AKID_ISSUER_SERIAL_MISMATCH = 31
    ERR_KEYUSAGE_NO_CERTSIGN = 32
    ERR_UNABLE_TO_GET_CRL_ISSUER = 33
    ERR_UNHANDLED_CRITICAL_EXTENSION = 34
    ERR_KEYUSAGE_NO_CRL_SIGN = 35
    ERR_UNHANDLED_CRITICAL_CRL_EXTENSION = 36
    ERR_INVALID_NON_CA = 37
    ERR_PROXY_PATH_LENGTH_EXCEEDED = 38
    ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE = 39
    ERR_PROXY_CERTIFICATES_NOT_ALLOWED = 40
    ERR_INVALID_EXTENSION = 41
    ERR_INVALID_POLICY_EXTENSION = 42
    ERR_NO_EXPLICIT_POLICY = 43
    ERR_DIFFERENT_CRL_SCOPE = 44
    ERR_UNSUPPORTED_EXTENSION_FEATURE = 45
    ERR_UNNESTED_RESOURCE = 46
    ERR_PERMITTED_VIOLATION = 47
    ERR_EXCLUDED_VIOLATION = 48
    ERR_SUBTREE_MINMAX = 49
    ERR_APPLICATION_VERIFICATION = 50
    ERR_UNSUPPORTED_CONSTRAINT_TYPE = 51
    ERR_UNSUPPORTED_CONSTRAINT_SYNTAX = 52
    ERR_UNSUPPORTED_NAME_SYNTAX = 53
    ERR_CRL_PATH_VALIDATION_ERROR = 54
    ERR_HOSTNAME_MISMATCH = 62
    ERR_EMAIL_MISMATCH = 63
    ERR_IP_ADDRESS_MISMATCH = 64
    ERR_INVALID_CA = 79


class NoOverlappingProtocols:
    """The type of ``NO_OVERLAPPING_PROTOCOLS``."""

    def __repr__(self) -> str:
        return "NO_OVERLAPPING_PROTOCOLS"


#: What an ALPN callback returns to go on without a protocol.
NO_OVERLAPPING_PROTOCOLS = NoOverlappingProtocols()
