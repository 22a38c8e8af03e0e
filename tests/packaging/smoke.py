"""What a user's first program does, in a Python that has the wheels and nothing else.

python smoke.py own       the OpenSSL that runs must be the one inside the wheel
python smoke.py system    ... must not be
"""

from __future__ import annotations

import sys
from pathlib import Path

from openssl_iface import get_backend

backend = get_backend()
loaded = {
    Path(line.split(maxsplit=5)[5].strip())
    for line in Path("/proc/self/maps").read_text().splitlines()
    if "libssl" in line or "libcrypto" in line
}
assert loaded, "no OpenSSL is loaded"
inside = {path.is_relative_to(sys.prefix) for path in loaded}
assert inside == {sys.argv[1] == "own"}, f"not the OpenSSL that is meant: {loaded}"
assert backend.running.release[:2] == backend.built.release[:2]

version = ".".join(str(part) for part in sys.version_info[:3])
print(f"Python {version}: {backend.running.text} from {min(loaded).parent}")
