"""Which pyOpenSSL the drop-in is like: programs ask, and choose by it what they may call."""

from __future__ import annotations

__all__ = [
    "__author__",
    "__copyright__",
    "__email__",
    "__license__",
    "__summary__",
    "__title__",
    "__uri__",
    "__version__",
]

__version__ = "26.4.0"

__title__ = "pyOpenSSL"
__uri__ = "https://pyopenssl.org/"
__summary__ = "openssl_iface in the place of pyOpenSSL"
__author__ = "The openssl_iface developers"
__email__ = ""
__license__ = "Apache License, Version 2.0"
__copyright__ = f"Copyright {__author__}"
