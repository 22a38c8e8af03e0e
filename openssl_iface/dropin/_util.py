"""``OpenSSL._util``: private to pyOpenSSL, and used by programs all the same.

``lib`` and ``ffi`` are those of our binding.  Names that pyOpenSSL's binding has and ours does
not are looked up among OpenSSL's constants and pyOpenSSL's flags; for others there is an
``AttributeError`` that says so.  The pointers are those of the OpenSSL that this backend runs
on: they are never to be given to ``cryptography``, which has brought another one along.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn

from ..values import StorePurpose, X509StoreFlags, X509VerificationCodes
from ._translate import as_theirs, backend, bytes_of_text, path_bytes, reasons

__all__ = [
    "StrOrBytesPath",
    "UNSPECIFIED",
    "byte_string",
    "exception_from_error_queue",
    "ffi",
    "from_buffer",
    "lib",
    "make_assert",
    "native",
    "no_zero_allocator",
    "path_bytes",
    "path_string",
    "text",
    "text_to_bytes_and_warn",
]

StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
UNSPECIFIED = object()

_binding = backend.binding
if _binding is None:
    raise ImportError(f"the backend {backend.name!r} has no binding: there is no OpenSSL._util over it")

# What pyOpenSSL's binding says of itself, and what a program calls that has heard yes.
_FEATURES: dict[str, tuple[str, ...]] = {
    "CUSTOM_EXT": (
        "SSL_CTX_add_client_custom_ext",
        "SSL_CTX_add_server_custom_ext",
        "SSL_extension_supported",
    ),
    "DTLS_GET_DATA_MTU": ("DTLS_get_data_mtu",),
    "EVP_PKEY_DHX": ("EVP_PKEY_DHX",),
    "GET_EXTMS_SUPPORT": ("SSL_get_extms_support",),
    "KEYLOG": ("SSL_CTX_set_keylog_callback", "SSL_CTX_get_keylog_callback"),
    "PRIME_CHECKS": ("BN_prime_checks_for_size",),
    "PSK": (
        "SSL_CTX_use_psk_identity_hint",
        "SSL_CTX_set_psk_server_callback",
        "SSL_CTX_set_psk_client_callback",
    ),
    "PSK_TLSv1_3": (
        "SSL_CTX_set_psk_find_session_callback",
        "SSL_CTX_set_psk_use_session_callback",
        "Cryptography_SSL_SESSION_new",
        "SSL_CIPHER_find",
        "SSL_SESSION_set1_master_key",
        "SSL_SESSION_set_cipher",
        "SSL_SESSION_set_protocol_version",
    ),
    "SET_CERT_CB": ("SSL_CTX_set_cert_cb", "SSL_set_cert_cb"),
    "SIGALGS": ("SSL_CTX_set1_sigalgs_list",),
    "SRTP": ("SSL_CTX_set_tlsext_use_srtp", "SSL_set_tlsext_use_srtp", "SSL_get_selected_srtp_profile"),
    "SSL_COOKIE": (
        "SSL_OP_COOKIE_EXCHANGE",
        "DTLS1_COOKIE_LENGTH",
        "DTLSv1_listen",
        "SSL_CTX_set_cookie_generate_cb",
        "SSL_CTX_set_cookie_verify_cb",
    ),
    "SSL_GET0_GROUP_NAME": ("SSL_get0_group_name",),
    "SSL_OP_IGNORE_UNEXPECTED_EOF": ("SSL_OP_IGNORE_UNEXPECTED_EOF",),
    "SSL_VERIFY_CLIENT_POST_HANDSHAKE": ("SSL_verify_client_post_handshake",),
    "TLS_ST": ("TLS_ST_BEFORE", "TLS_ST_OK"),
    "TLSv1_3_FUNCTIONS": ("SSL_CTX_set_ciphersuites",),
    "TLSv1_3_HS_FUNCTIONS": (
        "SSL_VERIFY_POST_HANDSHAKE",
        "SSL_verify_client_post_handshake",
        "SSL_CTX_set_post_handshake_auth",
        "SSL_set_post_handshake_auth",
        "SSL_SESSION_get_max_early_data",
        "SSL_write_early_data",
        "SSL_read_early_data",
        "SSL_CTX_set_max_early_data",
    ),
    "UNEXPECTED_EOF_WHILE_READING": ("SSL_R_UNEXPECTED_EOF_WHILE_READING",),
    "VERIFIED_CHAIN": ("SSL_get0_verified_chain",),
    # of its earlier releases
    "ALPN": ("SSL_CTX_set_alpn_protos", "SSL_CTX_set_alpn_select_cb", "SSL_get0_alpn_selected"),
    "DTLS": ("DTLS_method", "DTLSv1_handle_timeout", "SSL_set_mtu"),
    "EC": ("EC_KEY_new_by_curve_name", "EC_KEY_free"),
    "ECDH": ("SSL_CTX_set_tmp_ecdh",),
    "GENERIC_DTLS_METHOD": ("DTLS_method", "DTLS_server_method", "DTLS_client_method"),
    "OP_NO_COMPRESSION": ("SSL_OP_NO_COMPRESSION",),
    "RELEASE_BUFFERS": ("SSL_MODE_RELEASE_BUFFERS",),
    "SET_ECDH_AUTO": ("SSL_CTX_set_ecdh_auto",),
    "TLSEXT_HOSTNAME": ("SSL_set_tlsext_host_name", "SSL_get_servername"),
    "TLSv1_1": ("TLSv1_1_method", "TLSv1_1_server_method", "TLSv1_1_client_method"),
    "TLSv1_2": ("TLSv1_2_method", "TLSv1_2_server_method", "TLSv1_2_client_method"),
    "TLSv1_3": ("TLS1_3_VERSION", "SSL_CTX_set_ciphersuites"),
    "TLS_METHOD": ("TLS_method", "TLS_server_method", "TLS_client_method"),
}
# Known, and not there.
_ABSENT = frozenset({"ENGINE", "NEXTPROTONEG", "SSL_ST", "SSL2", "EGD", "EC2M", "COMPRESSION"})
_ABSENT |= {"NPN_NEGOTIATED", "FIPS"}
# What its binding has named itself.
_ALIASES = {
    "Cryptography_DTLSv1_get_timeout": "oi_dtls_timeout",
    "Cryptography_SSL_SESSION_new": "SSL_SESSION_new",
}


class _Library:
    """The functions and constants of the binding, by the names that pyOpenSSL's has."""

    def __getattr__(self, name: str) -> Any:
        value = _lookup(name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*dir(_binding.lib), *super().__dir__()})


def _lookup(name: str) -> Any:
    name = _ALIASES.get(name, name)
    if not getattr(_binding.lib, f"HAS_{name}", True):
        # There is a stub in its place, for our own use.
        raise AttributeError(f"{backend.running.text} has no {name}")
    try:
        return getattr(_binding.lib, name)
    except AttributeError:
        pass
    if name.startswith("Cryptography_HAS_"):
        feature = name.removeprefix("Cryptography_HAS_")
        if feature == "IMPLICIT_RSA_REJECTION":
            return int(_binding.lib.OPENSSL_VERSION_NUMBER >= 0x30200000)
        if feature in _ABSENT:
            return 0
        if feature in _FEATURES:
            return int(all(map(_is_there, _FEATURES[feature])))
    if name.startswith("X509_V_"):
        code = getattr(X509VerificationCodes, name.removeprefix("X509_V_"), None)
        if code is not None:
            return int(code)
    if name in _MORE:
        return _MORE[name]
    raise AttributeError(f"the binding of openssl_iface has no {name}")


def _is_there(name: str) -> bool:
    try:
        value = _lookup(name)
    except AttributeError:
        return False
    # An option that this OpenSSL does not have is 0.
    return bool(value) or not name.startswith("SSL_OP_")


_MORE: dict[str, Any] = {
    "SSL_VERIFY_NONE": 0,
    "SSL_VERIFY_PEER": 1,
    "SSL_VERIFY_FAIL_IF_NO_PEER_CERT": 2,
    "SSL_VERIFY_CLIENT_ONCE": 4,
    "SSL_VERIFY_POST_HANDSHAKE": 8,
    "SSL_FILETYPE_PEM": 1,
    "SSL_FILETYPE_ASN1": 2,
    "X509_FILETYPE_PEM": 1,
    "X509_FILETYPE_ASN1": 2,
    "SSL3_VERSION": 0x0300,
    "TLS1_VERSION": 0x0301,
    "TLS1_1_VERSION": 0x0302,
    "TLS1_2_VERSION": 0x0303,
    "TLS1_3_VERSION": 0x0304,
    "TLSEXT_NAMETYPE_host_name": 0,
    **{f"X509_V_FLAG_{name}": int(flag) for name, flag in X509StoreFlags.__members__.items()},
    "X509_V_FLAG_USE_CHECK_TIME": 0x2,
    "X509_V_FLAG_SUITEB_128_LOS_ONLY": 0x10000,
    "X509_V_FLAG_SUITEB_192_LOS": 0x20000,
    "X509_V_FLAG_SUITEB_128_LOS": 0x30000,
    **{f"X509_PURPOSE_{name}": int(purpose) for name, purpose in StorePurpose.__members__.items()},
    "SSL_TLSEXT_ERR_OK": 0,
    "SSL_TLSEXT_ERR_ALERT_WARNING": 1,
    "SSL_TLSEXT_ERR_ALERT_FATAL": 2,
    "SSL_TLSEXT_ERR_NOACK": 3,
    "SSL_R_UNEXPECTED_EOF_WHILE_READING": 294,
    "DTLS1_COOKIE_LENGTH": 255,
    "X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT": 0x1,
    "X509_CHECK_FLAG_NO_WILDCARDS": 0x2,
    "X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS": 0x4,
    "X509_CHECK_FLAG_MULTI_LABEL_WILDCARDS": 0x8,
    "X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS": 0x10,
    "X509_CHECK_FLAG_NEVER_CHECK_SUBJECT": 0x20,
}

ffi: Any = _binding.ffi
lib: Any = _Library()
no_zero_allocator: Any = getattr(ffi, "new_allocator")(should_clear_after_alloc=False)  # noqa: B009
_string: Callable[[Any], bytes] = getattr(ffi, "string")  # noqa: B009


def text(charp: Any) -> str:
    """A C string as text, ``""`` for NULL."""
    return _string(charp).decode() if charp else ""


def exception_from_error_queue(exception_type: type[Exception]) -> NoReturn:
    """Raise *exception_type* with the list of what is in this thread's error queue, which is empty then."""
    raise as_theirs(exception_type(reasons(_binding.take_errors())))


def make_assert(error: type[Exception]) -> Callable[[Any], None]:
    """A function that raises *error*, as above, unless it is given true."""

    def openssl_assert(ok: Any) -> None:
        if ok is not True:
            exception_from_error_queue(error)

    return openssl_assert


def native(value: Any) -> str:
    """Text from text or from bytes in UTF-8."""
    if not isinstance(value, bytes | str):
        raise TypeError(f"{value!r} is neither bytes nor unicode")
    return value.decode() if isinstance(value, bytes) else value


path_string = path_bytes


def byte_string(s: str) -> bytes:
    """Bytes from text, each character being one."""
    return s.encode("charmap")


def from_buffer(value: Any) -> Any:
    """A pointer to the content of a buffer."""
    return getattr(ffi, "from_buffer")(value)  # noqa: B009


text_to_bytes_and_warn = bytes_of_text
