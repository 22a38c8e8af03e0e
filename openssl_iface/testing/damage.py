"""Bytes that are wrong on purpose: what a fuzz target feeds its loader or its connection with.

Everything comes from the generator that is handed in, so a seed and a number repeat a case::

    chance = random.Random(f"{seed} {number}")
    load(damage(good, chance))
"""

from __future__ import annotations

import base64
import os
import random
import re
import time
from collections.abc import Iterator

from .lanes import SEED_VARIABLE, say

__all__ = ["cases", "damage", "damage_pem"]

# Lengths, tags and numbers at which parsers are known to stumble.
SPECIAL = bytes.fromhex("000102030506 0c1317 1e24 3031 7f808182 8485 a0a3 feff")

_ARMOUR = re.compile(rb"(-----BEGIN [^-]+-----\n)(?:[^-:]+:[^\n]+\n)*\n?([^-]+)(-----END [^-]+-----\n?)")


def cases(name: str, count: int) -> Iterator[random.Random]:
    """A generator of numbers for each case of the target *name*, the same ones for the same seed.

    ``OPENSSL_IFACE_TESTING_SEED`` gives the seed (else it is chosen), ``OPENSSL_IFACE_CASES`` the number of
    cases instead of *count*, ``OPENSSL_IFACE_FUZZ_SECONDS`` a time after which no further one begins.
    When a case raises, the seed and its number are said on standard error.
    """
    seed = os.environ.get(SEED_VARIABLE) or str(random.SystemRandom().getrandbits(64))
    seconds = os.environ.get("OPENSSL_IFACE_FUZZ_SECONDS")
    end = time.monotonic() + float(seconds) if seconds else None
    number, finished = 0, False
    try:
        for number in range(int(os.environ.get("OPENSSL_IFACE_CASES") or count)):
            if end is not None and time.monotonic() > end:
                break
            yield random.Random(f"{seed} {name} {number}")  # noqa: S311
        finished = True
    finally:
        # An exception in the loop's body leaves the generator suspended; then this runs when it is dropped.
        if not finished and (end is None or time.monotonic() <= end):
            say(f"{SEED_VARIABLE}={seed}, target {name!r}, case {number}")


def damage(data: bytes, chance: random.Random) -> bytes:
    """*data* with one to four wounds: bytes changed, lost, doubled or put in, or cut off at the end."""
    wounded = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(wounded) or 1)
        kind = chance.randrange(7)
        if kind == 0:
            wounded[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            wounded[at : at + 1] = bytes([chance.choice(SPECIAL)])
        elif kind == 2 and wounded:
            wounded[at % len(wounded)] ^= 1 << chance.randrange(8)
        elif kind == 3:
            del wounded[at : at + chance.choice((1, 2, 8, 64))]
        elif kind == 4:
            wounded[at:at] = chance.randbytes(chance.choice((1, 2, 8, 64)))
        elif kind == 5:
            del wounded[at:]
        else:
            end = at + chance.choice((2, 16, 64))
            wounded[at:at] = wounded[at:end]
    return bytes(wounded)


def damage_pem(data: bytes, chance: random.Random) -> bytes:
    """The same for PEM: in half of the cases what the armour holds is wounded, and the armour is sound."""
    found = list(_ARMOUR.finditer(data))
    if not found or chance.random() < 0.5:
        return damage(data, chance)
    one = chance.choice(found)
    inside = damage(base64.b64decode(one[2]), chance)
    text = base64.encodebytes(inside)
    return data[: one.start(2)] + text + data[one.end(2) :]
