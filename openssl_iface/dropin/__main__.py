"""Run a program with the drop-in in the place of ``OpenSSL``.

python -m openssl_iface.dropin [--children] -m MODULE ARGS...
python -m openssl_iface.dropin [--children] SCRIPT ARGS...
python -m openssl_iface.dropin --check
"""

from __future__ import annotations

import sys

from ._run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
