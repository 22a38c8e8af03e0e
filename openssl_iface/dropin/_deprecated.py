"""The warnings of pyOpenSSL 26.4, for what it has still and would rather be without.

They come from the same calls, and begin and end as pyOpenSSL's do: filters of warnings go by their words.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

_BUILDER = "cryptography's CertificateBuilder instead"
_READER = "cryptography's X.509 APIs instead"
_CRYPTOGRAPHY = "the APIs in cryptography instead"
_INSTEAD = {
    "PKey.check": _CRYPTOGRAPHY,
    "PKey.generate_key": "the key generation APIs in cryptography instead",
    "X509.get_issuer": _READER,
    "X509.get_subject": _READER,
    "X509.gmtime_adj_notAfter": _BUILDER,
    "X509.gmtime_adj_notBefore": _BUILDER,
    "X509.set_issuer": _BUILDER,
    "X509.set_notAfter": _BUILDER,
    "X509.set_notBefore": _BUILDER,
    "X509.set_pubkey": _BUILDER,
    "X509.set_serial_number": _BUILDER,
    "X509.set_subject": _BUILDER,
    "X509.set_version": _BUILDER,
    "X509.sign": _BUILDER,
    "get_elliptic_curve": _CRYPTOGRAPHY,
    "get_elliptic_curves": _CRYPTOGRAPHY,
    "dump_privatekey": "the APIs in cryptography",
}
SAID: Mapping[str, str] = {
    **{name: f"{name} is deprecated. You should use {instead}." for name, instead in _INSTEAD.items()},
    "X509Name": "X509Name support in pyOpenSSL is deprecated. You should use the APIs in cryptography.",
    "Context.set_client_ca_list": (
        "Context.set_client_ca_list is deprecated. X509Name support in pyOpenSSL is deprecated."
    ),
    "Context.set_passwd_cb": (
        "Context.set_passwd_cb is deprecated. You should decrypt and load your private key yourself, with "
        "cryptography's key loading APIs, and then use Context.use_privatekey instead."
    ),
}
_PASSED = {
    "X509 objects": "a cryptography.x509.Certificate",
    "PKey objects": "a cryptography private key",
    "elliptic curves to set_tmp_ecdh": "cryptography's elliptic curve types",
}


def deprecated(name: str) -> Callable[[Any], Any]:
    """Decorate a function: who calls it is warned."""
    said = SAID[name]

    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def warning(*arguments: Any, **keywords: Any) -> Any:
            warnings.warn(said, DeprecationWarning, stacklevel=2)
            return function(*arguments, **keywords)

        return warning

    return decorate


def deprecating(kind: type) -> type:
    """Decorate a class: who calls one of its methods that are in :data:`SAID` is warned."""
    for name in SAID:
        holder, _, method = name.partition(".")
        if holder == kind.__name__ and method:
            setattr(kind, method, deprecated(name)(getattr(kind, method)))
    return kind


def passed(what: str, stacklevel: int = 4) -> None:
    """An object of pyOpenSSL's was given where one of cryptography's will do: warn who gave it."""
    said = f"Passing pyOpenSSL {what} is deprecated. You should use {_PASSED[what]} instead."
    warnings.warn(said, DeprecationWarning, stacklevel=stacklevel)
