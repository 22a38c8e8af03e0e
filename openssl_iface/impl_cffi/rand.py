"""The manual's ``rand`` module: OpenSSL's random number generator.

OpenSSL seeds itself from the system, so nothing here is needed for security;
programs that feed it from files or daemons of their own keep working.

Files are read and written by us and not by OpenSSL: *RAND_write_file(3)* makes a
file private only after it has opened it, says nothing about why it failed, and
writes another number of bytes in each version.  EGD, the entropy gathering
daemon, is spoken here because OpenSSL is mostly built without it.

The module itself provides :class:`~openssl_iface.interfaces.IRandom`.  All
functions may be called from several threads at once.
"""

# The manual calls functions and arguments `bytes`; paths may be bytes, which pathlib does not take.
# ruff: noqa: A001, A002

from __future__ import annotations

import builtins
import errno
import os
import socket
import stat
import sys
import tempfile
import time
from typing import Any

from zope.interface import moduleProvides

from .. import interfaces
from ..errors import RandError
from . import _errors
from ._encoding import INT_MAX, as_int
from ._native import ffi, lib

moduleProvides(interfaces.IRandom)

__all__ = ["add", "bytes", "cleanup", "egd", "load_file", "seed", "status", "write_file"]

# How much is mixed in at a time, and read from a file at a time (bytes).
CHUNK = 65536
# What load_file takes from a device or a pipe if no limit is given: these have no end.
UNLIMITED_DEVICE = 256
# What write_file writes (the manual's number).
SEED_FILE_SIZE = 1024
# EGD's commands; the most that one of them can ask for; the most that we ask for in a call.
EGD_READ_AVAILABLE = 1
EGD_READ_ALL = 2
EGD_REQUEST_MAX = 255
EGD_MAX = 65536
# The most seconds that the system waits in one piece.
TIMEOUT_MAX = 1e6


def _bytes(name: str, data: Any) -> builtins.bytes:
    try:
        return memoryview(data).tobytes()
    except TypeError:
        raise TypeError(f"{name}: bytes expected, not {type(data).__name__}") from None


def _path(path: Any) -> str:
    try:
        path = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path: text, bytes or a path expected, not {type(path).__name__}") from None
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise ValueError(f"path: {error.reason}") from None
    if "\0" in path:
        raise ValueError("path: contains a NUL")
    return str(path)


def _failure(error: OSError, doing: str) -> RandError:
    """The system's error *error* as ours; *doing* says what failed, and names the argument."""
    reason = error.strerror or str(error)
    failure = RandError.from_reasons([("system library", "", reason)], doing, errno=error.errno)
    assert isinstance(failure, RandError)
    return failure


def add(bytes: Any, entropy: float) -> None:
    """Mix *bytes* into the generator (*RAND_add(3)*).

    :param bytes: any bytes-like object.
    :param entropy: how many bytes of randomness they hold, at least (int or float, not negative).
        More than the length of *bytes* counts as that length.
    """
    data = _bytes("bytes", bytes)
    if not isinstance(entropy, (int, float)):
        raise TypeError(f"entropy: a number expected, not {type(entropy).__name__}")
    if not entropy >= 0:  # a NaN is not
        raise ValueError(f"entropy: {entropy} is not 0 or more")
    # OpenSSL 1.1.1 breaks its generator when more is claimed than there can be.
    density = min(entropy, len(data)) / max(len(data), 1)
    for start in range(0, len(data), CHUNK):
        piece = data[start : start + CHUNK]
        lib.RAND_add(ffi.from_buffer(piece), len(piece), density * len(piece))
    _errors.clear()


def seed(bytes: Any) -> None:
    """:func:`add` of bytes that are random throughout (*RAND_seed(3)*)."""
    data = _bytes("bytes", bytes)
    add(data, len(data))


def status() -> int:
    """1 if the generator has been seeded enough, else 0 (*RAND_status(3)*)."""
    good = int(lib.RAND_status() == 1)
    _errors.clear()
    return good


def bytes(num_bytes: int) -> builtins.bytes:
    """Random bytes, fit for keys (*RAND_bytes(3)*).

    :param num_bytes: how many, from 0 to 2**31 - 1.
    :raises MemoryError: more are asked for.
    :raises RandError: the generator cannot be seeded.
    """
    if not isinstance(num_bytes, int):
        raise TypeError(f"num_bytes: an integer expected, not {type(num_bytes).__name__}")
    if num_bytes < 0:
        raise ValueError("num_bytes: must not be negative")
    if num_bytes > INT_MAX:
        raise MemoryError(f"num_bytes: must not be more than {INT_MAX}")
    return _random(lib.RAND_bytes, num_bytes)


def _random(generate: Any, size: int) -> builtins.bytes:
    result = bytearray(size)
    if size:
        _errors.check(generate(ffi.from_buffer(result), size), "no random bytes", RandError)
    return builtins.bytes(result)


def load_file(path: Any, bytes: int = -1) -> int:
    """Mix the content of a file into the generator (*RAND_load_file(3)*).

    :param path: text, bytes or a path.
    :param bytes: how many bytes to read at most; -1 reads a regular file to its end, and 256 bytes from
        anything else, such as ``/dev/urandom``.
    :return: how many bytes were read.
    :raises RandError: the file cannot be read; ``errno`` says why.
    """
    name, limit = _path(path), as_int(bytes, "bytes", -1)
    total = 0
    try:
        descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0))
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            if limit < 0 and not stat.S_ISREG(mode):
                limit = UNLIMITED_DEVICE
            while limit < 0 or total < limit:
                data = os.read(descriptor, CHUNK if limit < 0 else min(CHUNK, limit - total))
                if not data:
                    break
                seed(data)
                total += len(data)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _failure(error, f"path: cannot read {name!r}") from error
    return total


def write_file(path: Any) -> int:
    """Write 1024 random bytes to a file, for :func:`load_file` in a later run (*RAND_write_file(3)*).

    Only its owner can read the file, at any moment, also if it existed and others could: it is written
    beside its place and then moved there, so that a failure leaves an old file as it was.

    :param path: text, bytes or a path: of a regular file, or of none yet.  Anything else that has this
        name (a directory, a symbolic link, a device) is left alone.
    :return: how many bytes were written.
    :raises RandError: that cannot be done; ``errno`` says why.
    """
    name = _path(path)
    data = _random(lib.RAND_priv_bytes, SEED_FILE_SIZE)
    try:
        _check_replaceable(name)
        # mkstemp: mode 0600 and O_EXCL from the first moment on.
        descriptor, temporary = tempfile.mkstemp(prefix=".rnd-", dir=os.path.dirname(name) or os.curdir)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, 0o600)  # the umask may have taken some of it
                file.write(data)
            os.replace(temporary, name)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise _failure(error, f"path: cannot write {name!r}") from error
    return len(data)


def _check_replaceable(name: str) -> None:
    """:raises OSError: there is something at *name* which is not a regular file."""
    if not os.path.basename(name):
        code = errno.EISDIR if name else errno.ENOENT
        raise OSError(code, os.strerror(code))
    try:
        mode = os.lstat(name).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.ELOOP if stat.S_ISLNK(mode) else errno.EINVAL
        raise OSError(code, os.strerror(code))


def egd(path: Any, bytes: int = 255, *, timeout: float | None = 10.0) -> int:
    """Ask an entropy gathering daemon for random bytes, and mix them in.

    The protocol: command 1 and a count (one byte each) are answered by the number of bytes that the
    daemon has at hand, at most that count, and these bytes; command 2 and a count by that many bytes, when
    the daemon has them.

    :param path: of the daemon's Unix socket (text, bytes or a path).
    :param bytes: how many to ask for, from 0 to 65536.
    :param timeout: seconds that all of it may take, or ``None`` for as long as it takes.
    :return: how many bytes were read and mixed in.  Fewer than asked for, if the daemon ended the
        conversation or did not give more in time.
    :raises RandError: the daemon cannot be reached, gave nothing, or does not keep to the protocol.
    """
    name, size = _path(path), as_int(bytes, "bytes", 0, EGD_MAX)
    if timeout is not None:
        if not isinstance(timeout, (int, float)):
            raise TypeError(f"timeout: a number or None expected, not {type(timeout).__name__}")
        if not timeout > 0:
            raise ValueError(f"timeout: must be more than 0, not {timeout}")
    if not hasattr(socket, "AF_UNIX"):
        raise RandError.from_reasons([], "path: this system has no Unix sockets")
    daemon = _Daemon(timeout)
    try:
        daemon.query(name, size)
    except OSError as error:
        if not daemon.received:
            raise _failure(error, f"path: no entropy from {name!r}") from error
    return daemon.received


class _Daemon:
    """One conversation with an entropy gathering daemon."""

    def __init__(self, timeout: float | None) -> None:
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.received = 0

    def query(self, name: str, size: int) -> None:
        """Receive *size* bytes and mix them in; an ``OSError`` says why there are fewer."""
        with socket.socket(socket.AF_UNIX) as sock:
            self.limit(sock)
            sock.connect(name)
            while self.received < size:
                missing = min(size - self.received, EGD_REQUEST_MAX)
                self.request(sock, EGD_READ_AVAILABLE, missing)
                available = self.receive(sock, 1)[0]
                if available > missing:
                    raise RandError.from_reasons(
                        [], f"path: the daemon announced {available} bytes when {missing} were asked for"
                    )
                self.mix(sock, available)
                if available < missing:
                    self.request(sock, EGD_READ_ALL, missing - available)
                    self.mix(sock, missing - available)

    def limit(self, sock: socket.socket) -> None:
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            sock.settimeout(min(left, TIMEOUT_MAX))

    def request(self, sock: socket.socket, command: int, size: int) -> None:
        self.limit(sock)
        sock.sendall(builtins.bytes((command, size)))

    def receive(self, sock: socket.socket, size: int) -> builtins.bytes:
        self.limit(sock)
        data = sock.recv(size)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the daemon has ended the connection")
        return data

    def mix(self, sock: socket.socket, size: int) -> None:
        while size:
            data = self.receive(sock, size)
            seed(data)
            size -= len(data)
            self.received += len(data)


def cleanup() -> None:
    """Nothing: OpenSSL erases its generator by itself when the process ends."""


if sys.platform == "win32":

    def screen() -> None:
        """Seed the generator from the system (what the screen's content once was for)."""
        lib.RAND_poll()
        _errors.clear()

    __all__ += ["screen"]
