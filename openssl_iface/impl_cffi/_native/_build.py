"""Write the C source of the binding; run by CMake through ``cffi.gen_src``.

The declarations are the files in ``cdef/``, one for each part of OpenSSL, and
the tables ``optional.txt`` and ``constants.txt``.  The C that is our own is compiled beside the
generated file, and is never included in it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from cffi import FFI

HERE = Path(__file__).resolve().parent
MODULE = "openssl_iface.impl_cffi._native._binding"

PRELUDE = """
#include "outsiders.h"
"""

STUB = """
#if {condition}
static const int HAS_{name} = 1;
#else
static const int HAS_{name} = 0;
static {prototype} {{ {unused} oi_missing("{name}", "{requirement}"); return{value}; }}
#endif
"""


class Optional(NamedTuple):
    """One line of ``optional.txt``."""

    since: str
    until: str
    value: str
    prototype: str

    @property
    def name(self) -> str:
        match = re.search(r"(\w+)\s*\(", self.prototype)
        if match is None:
            raise ValueError(f"optional.txt: not a prototype: {self.prototype!r}")
        return match[1]

    @property
    def condition(self) -> str:
        tests = []
        if self.since != "-":
            tests.append(f"OPENSSL_VERSION_NUMBER >= {_number(self.since)}")
        if self.until != "-":
            tests.append(f"OPENSSL_VERSION_NUMBER < {_number(self.until)}")
        return " && ".join(tests)

    @property
    def requirement(self) -> str:
        words = []
        if self.since != "-":
            words.append(f"OpenSSL {self.since}")
        if self.until != "-":
            words.append(f"an OpenSSL before {self.until}")
        return " and ".join(words)

    def stub(self) -> str:
        arguments = self.prototype[self.prototype.index("(") + 1 : self.prototype.rindex(")")]
        names = [] if arguments.strip() == "void" else [
            re.findall(r"\w+", part)[-1] for part in arguments.split(",")]  # fmt: skip
        return STUB.format(
            condition=self.condition,
            name=self.name,
            prototype=self.prototype,
            requirement=self.requirement,
            unused=" ".join(f"(void){name};" for name in names),
            value=f" {self.value}" if self.value != "-" else "",
        )


def _number(version: str) -> str:
    major, minor, patch = ([int(part) for part in version.split(".")] + [0, 0])[:3]
    if major < 3:
        return f"0x{major:x}{minor:02x}{patch:02x}000L"
    return f"0x{major:x}{minor:02x}{0:02x}{patch:02x}0L"


def read_optional() -> list[Optional]:
    """The table, without its comments."""
    rows = []
    for line in (HERE / "optional.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            cells = [cell.strip() for cell in line.split("|", 3)]
            if len(cells) != 4:
                raise ValueError(f"optional.txt: four columns expected: {line!r}")
            rows.append(Optional(*cells))
    return rows


def read_constants() -> list[str]:
    """The names in ``constants.txt``."""
    lines = (HERE / "constants.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def make_ffi() -> FFI:
    """The builder that ``cffi.gen_src`` looks for under the name ffibuilder."""
    optional = read_optional()
    builder = FFI()
    # types.h first: the other declarations use its names.
    files = sorted((HERE / "cdef").glob("*.h"), key=lambda path: (path.name != "types.h", path.name))
    for path in files:
        builder.cdef(path.read_text())
    for row in optional:
        builder.cdef(f"static const int HAS_{row.name};\n{row.prototype};")
    constants = read_constants()
    for name in constants:
        builder.cdef(f"#define {name} ...")
    builder.set_source(
        MODULE,
        PRELUDE
        + "".join(f"#ifndef {name}\n#define {name} 0\n#endif\n" for name in constants)
        + "".join(row.stub() for row in optional),
        py_limited_api=True,
    )
    return builder


ffibuilder = make_ffi()
