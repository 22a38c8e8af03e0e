"""What unmodified programs import as ``OpenSSL``.

pyOpenSSL's newest interface with its exact meaning, and every name that it has ever had,
over this project's backend.  Calls are translated here; how TLS is done is none of its business.
:func:`openssl_iface.install_as_OpenSSL` and ``python -m openssl_iface.dropin`` put it in place.
"""

from __future__ import annotations

from . import SSL, crypto
from .version import (
    __author__,
    __copyright__,
    __email__,
    __license__,
    __summary__,
    __title__,
    __uri__,
    __version__,
)

__all__ = [
    "SSL",
    "__author__",
    "__copyright__",
    "__email__",
    "__license__",
    "__summary__",
    "__title__",
    "__uri__",
    "__version__",
    "crypto",
]
