"""impl_cffi/rand.py: the generator, seed files, and entropy daemons."""

from __future__ import annotations

import errno
import math
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from openssl_iface.errors import RandError
from openssl_iface.impl_cffi import rand
from openssl_iface.interfaces import IRandom


def test_the_module_provides_the_contract() -> None:
    verifyObject(IRandom, rand)


class TestGenerator:
    def test_it_is_seeded(self) -> None:
        assert rand.status() == 1

    @pytest.mark.parametrize(
        "data", [b"", b"x", b"some bytes", bytearray(b"some"), memoryview(b"abcdef")[::2]]
    )
    def test_seed_and_add_take_any_bytes(self, data: bytes) -> None:
        assert rand.seed(bytes=data) is None
        assert rand.add(bytes=data, entropy=1) is None
        assert rand.status() == 1

    @pytest.mark.parametrize("entropy", [0, 0.5, 3, 10**400, math.inf])
    def test_add_takes_any_estimate_and_the_generator_goes_on(self, entropy: float) -> None:
        rand.add(b"hamburger" * 10, entropy)
        assert rand.status() == 1
        assert len(set(rand.bytes(64))) > 10

    def test_more_than_one_chunk_is_mixed_in(self) -> None:
        rand.add(bytes(200_001), 1000)
        assert rand.status() == 1

    @pytest.mark.parametrize("entropy", [-1, -0.001, math.nan, -math.inf])
    def test_an_estimate_out_of_range_is_refused(self, entropy: float) -> None:
        with pytest.raises(ValueError, match="entropy"):
            rand.add(b"x", entropy)

    def test_a_path_that_is_no_path(self) -> None:
        for call in (rand.load_file, rand.write_file, rand.egd):
            with pytest.raises(ValueError, match=r"^path: surrogates not allowed"):
                call("\ud800")

    def test_wrong_types_are_refused(self) -> None:
        with pytest.raises(TypeError, match="bytes: bytes expected"):
            rand.seed("text")
        with pytest.raises(TypeError, match="bytes: bytes expected"):
            rand.add(None, 3)
        with pytest.raises(TypeError, match="entropy"):
            rand.add(b"x", None)
        with pytest.raises(TypeError, match="num_bytes"):
            rand.bytes(None)
        with pytest.raises(TypeError, match="num_bytes"):
            rand.bytes(1.5)

    @pytest.mark.parametrize("size", [0, 1, 50, 100_000])
    def test_bytes_are_as_many_as_asked_for_and_differ(self, size: int) -> None:
        first, second = rand.bytes(size), rand.bytes(num_bytes=size)
        assert type(first) is bytes
        assert len(first) == len(second) == size
        assert size < 50 or first != second

    def test_sizes_out_of_range_are_refused(self) -> None:
        with pytest.raises(ValueError, match="num_bytes: must not be negative"):
            rand.bytes(-1)
        for size in (2**31, sys.maxsize, 10**30):
            with pytest.raises(MemoryError, match="num_bytes"):
                rand.bytes(size)

    def test_threads_get_different_bytes(self) -> None:
        results: list[bytes] = []

        def work() -> None:
            for _ in range(200):
                rand.seed(b"seed")
                results.append(rand.bytes(32))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(results)) == 800

    def test_a_forked_child_gets_other_bytes_than_its_parent(self) -> None:
        rand.bytes(1)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.write(writing, rand.bytes(32))
            os._exit(0)
        os.waitpid(child, 0)
        theirs = os.read(reading, 32)
        os.close(reading)
        os.close(writing)
        assert len(theirs) == 32
        assert theirs != rand.bytes(32)

    def test_cleanup_leaves_a_generator_that_works(self) -> None:
        assert rand.cleanup() is None
        assert len(rand.bytes(8)) == 8

    def test_screen_is_for_windows(self) -> None:
        assert hasattr(rand, "screen") == (sys.platform == "win32")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


class TestSeedFiles:
    def test_what_is_written_can_be_loaded(self, tmp_path: Path) -> None:
        path = tmp_path / "seed"
        assert rand.write_file(path) == 1024
        assert path.stat().st_size == 1024
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert rand.load_file(path) == 1024
        assert rand.load_file(path, -1) == 1024
        assert rand.load_file(str(path), 4) == 4
        assert rand.load_file(os.fsencode(path), bytes=10_000) == 1024
        assert rand.load_file(path, 0) == 0
        assert names(tmp_path) == ["seed"]

    def test_each_file_is_another(self, tmp_path: Path) -> None:
        path = tmp_path / "s\u00e9ed \u5370"
        contents = set()
        for _ in range(3):
            rand.write_file(str(path))
            contents.add(path.read_bytes())
        assert len(contents) == 3

    def test_in_the_current_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert rand.write_file("seed") == 1024
        assert rand.load_file("seed") == 1024

    @pytest.mark.parametrize("mask", [0, 0o777])
    def test_an_old_file_with_a_wider_mode_becomes_private(self, tmp_path: Path, mask: int) -> None:
        path = tmp_path / "seed"
        path.write_bytes(b"old")
        path.chmod(0o666)
        before = os.umask(mask)
        try:
            with path.open("rb") as reader:
                assert rand.write_file(path) == 1024
                # Who had opened the file while it was readable sees what it was.
                assert reader.read() == b"old"
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_size == 1024

    def test_nothing_but_a_regular_file_is_replaced(self, tmp_path: Path) -> None:
        directory, link, dangling, fifo = (tmp_path / n for n in ("directory", "link", "dangling", "fifo"))
        target = tmp_path / "target"
        target.write_bytes(b"precious")
        directory.mkdir()
        link.symlink_to(target)
        dangling.symlink_to(tmp_path / "nothing")
        os.mkfifo(fifo)
        for path, code in (
            (directory, errno.EISDIR),
            (f"{directory}/", errno.EISDIR),
            (link, errno.ELOOP),
            (dangling, errno.ELOOP),
            (fifo, errno.EINVAL),
            ("/dev/null", errno.EINVAL),
            (tmp_path / "missing" / "seed", errno.ENOENT),
            ("", errno.ENOENT),
        ):
            with pytest.raises(RandError, match="path: cannot write") as caught:
                rand.write_file(path)
            assert caught.value.errno == code, path
        assert target.read_bytes() == b"precious"
        assert names(tmp_path) == ["dangling", "directory", "fifo", "link", "target"]
        assert names(directory) == []

    def test_a_full_device_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "seed"
        path.write_bytes(b"old")
        program = (
            "import resource, signal, sys; from openssl_iface.impl_cffi import rand\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
            "try: rand.write_file(sys.argv[1])\n"
            "except rand.RandError as error: print(error)\n"
        )
        done = subprocess.run([sys.executable, "-P", "-c", program, path], capture_output=True, text=True)
        assert "path: cannot write" in done.stdout, done.stderr
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["seed"]

    def test_a_file_of_many_chunks(self, tmp_path: Path) -> None:
        path = tmp_path / "large"
        path.write_bytes(os.urandom(200_001))
        assert rand.load_file(path) == 200_001
        assert rand.load_file(path, 70_000) == 70_000

    def test_an_empty_file(self, tmp_path: Path) -> None:
        path = tmp_path / "empty"
        path.touch()
        assert rand.load_file(path) == 0

    def test_a_device_without_an_end(self) -> None:
        assert rand.load_file("/dev/urandom", 100) == 100
        assert rand.load_file("/dev/urandom", 100_000) == 100_000
        assert rand.load_file("/dev/urandom") == 256

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        for path, code in (
            (tmp_path / "missing", errno.ENOENT),
            (tmp_path, errno.EISDIR),
            ("", errno.ENOENT),
        ):
            with pytest.raises(RandError, match="path: cannot read") as caught:
                rand.load_file(path)
            assert caught.value.errno == code
            assert caught.value.args[0] == [("system library", "", os.strerror(code))]

    @pytest.mark.parametrize("function", [rand.load_file, rand.write_file, rand.egd])
    def test_wrong_paths_are_refused(self, function: Callable[..., int]) -> None:
        for path in (None, 3, ["x"]):
            with pytest.raises(TypeError, match="path"):
                function(path)
        for path in ("a\0b", b"a\0b"):
            with pytest.raises(ValueError, match="path"):
                function(path)

    def test_wrong_limits_are_refused(self) -> None:
        with pytest.raises(ValueError, match="bytes"):
            rand.load_file("/dev/urandom", -2)
        for limit in (None, "4", 1.5):
            with pytest.raises(TypeError, match="bytes"):
                rand.load_file("/dev/urandom", limit)


Serve = Callable[[socket.socket], None]


@contextmanager
def a_daemon(directory: Path, serve: Serve) -> Iterator[str]:
    """*serve* one client on a Unix socket."""
    path = str(directory / "egd")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def work() -> None:
            try:
                client, _ = listening.accept()
                with client:
                    serve(client)
            except OSError:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield path
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


class Pool:
    """An entropy daemon which keeps to the protocol."""

    def __init__(self, available: int, slices: int = 255) -> None:
        self.available, self.slices = available, slices
        self.requests: list[tuple[int, int]] = []

    def __call__(self, client: socket.socket) -> None:
        while request := client.recv(2, socket.MSG_WAITALL):
            command, size = request
            self.requests.append((command, size))
            if command == 1:
                size = min(size, self.available)
                self.available -= size
                client.sendall(bytes([size]))
            data = os.urandom(size)
            for start in range(0, size, self.slices):
                client.sendall(data[start : start + self.slices])


def answer(*parts: bytes) -> Serve:
    """A daemon that says *parts*, one for each request, and hangs up."""

    def serve(client: socket.socket) -> None:
        for part in parts:
            client.recv(2, socket.MSG_WAITALL)
            client.sendall(part)

    return serve


class TestEntropyDaemon:
    @pytest.mark.parametrize("available", [10_000, 100, 0])
    @pytest.mark.parametrize("slices", [255, 7])
    def test_it_gives_what_is_asked_for(self, tmp_path: Path, available: int, slices: int) -> None:
        pool = Pool(available, slices)
        with a_daemon(tmp_path, pool) as path:
            assert rand.egd(path) == 255
        missing = 255 - min(available, 255)
        assert pool.requests == [(1, 255), (2, missing)][: 1 + bool(missing)]

    @pytest.mark.parametrize("size", [1, 16, 255, 256, 1000])
    def test_any_number_of_bytes(self, tmp_path: Path, size: int) -> None:
        pool = Pool(300)
        with a_daemon(tmp_path, pool) as path:
            assert rand.egd(os.fsencode(path), size) == size
        assert all(asked <= 255 for _, asked in pool.requests)

    def test_nothing_asked_for(self, tmp_path: Path) -> None:
        with a_daemon(tmp_path, Pool(10)) as path:
            assert rand.egd(path, 0) == 0

    def test_no_daemon(self, tmp_path: Path) -> None:
        with pytest.raises(RandError, match="path: no entropy from") as caught:
            rand.egd(tmp_path / "missing")
        assert caught.value.errno == errno.ENOENT

    def test_a_file_and_a_path_too_long(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch()
        for path in (file, tmp_path, tmp_path / ("x" * 200)):
            with pytest.raises(RandError, match="path: no entropy from"):
                rand.egd(path)

    def test_nobody_listens_any_more(self, tmp_path: Path) -> None:
        path = tmp_path / "egd"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
        with pytest.raises(RandError) as caught:
            rand.egd(path)
        assert caught.value.errno == errno.ECONNREFUSED

    @pytest.mark.parametrize("parts", [(), (b"",), (b"\x00",)])
    def test_it_hangs_up_without_giving_anything(self, tmp_path: Path, parts: tuple[bytes, ...]) -> None:
        with a_daemon(tmp_path, answer(*parts)) as path, pytest.raises(RandError, match="path: no entropy"):
            rand.egd(path)

    @pytest.mark.parametrize(
        ("parts", "count"),
        [((b"\xff" + bytes(10),), 10), ((b"\x05" + bytes(5),), 5), ((b"\x05" + bytes(5), bytes(20)), 25)],
    )
    def test_it_hangs_up_early(self, tmp_path: Path, parts: tuple[bytes, ...], count: int) -> None:
        with a_daemon(tmp_path, answer(*parts)) as path:
            assert rand.egd(path, 255) == count

    def test_it_announces_more_than_was_asked_for(self, tmp_path: Path) -> None:
        with a_daemon(tmp_path, answer(b"\xc8" + bytes(200))) as path, pytest.raises(RandError, match="200"):
            rand.egd(path, 100)

    def test_it_says_more_than_it_announced(self, tmp_path: Path) -> None:
        with a_daemon(tmp_path, answer(b"\x64" + bytes(5000))) as path:
            assert rand.egd(path, 100) == 100

    @pytest.mark.parametrize(("said", "count"), [(b"", None), (b"\x64", None), (b"\x64" + bytes(30), 30)])
    def test_it_falls_silent(self, tmp_path: Path, said: bytes, count: int | None) -> None:
        asked = threading.Event()

        def serve(client: socket.socket) -> None:
            answer(said)(client)
            asked.wait()

        with a_daemon(tmp_path, serve) as path:
            try:
                if count is None:
                    with pytest.raises(RandError, match="path: no entropy"):
                        rand.egd(path, 100, timeout=0.2)
                else:
                    assert rand.egd(path, 100, timeout=0.2) == count
            finally:
                asked.set()

    @pytest.mark.parametrize("timeout", [None, 1e300, math.inf])
    def test_it_may_wait_as_long_as_it_takes(self, tmp_path: Path, timeout: float | None) -> None:
        with a_daemon(tmp_path, Pool(20)) as path:
            assert rand.egd(path, 40, timeout=timeout) == 40

    def test_wrong_arguments_are_refused(self) -> None:
        for size in (-1, 65537):
            with pytest.raises(ValueError, match="bytes"):
                rand.egd("x", size)
        with pytest.raises(TypeError, match="bytes"):
            rand.egd("x", None)
        for timeout in (0, -1, math.nan):
            with pytest.raises(ValueError, match="timeout"):
                rand.egd("x", timeout=timeout)
        with pytest.raises(TypeError, match="timeout"):
            rand.egd("x", timeout="1")

    def test_several_threads_at_once(self, tmp_path: Path) -> None:
        results = []

        def work(number: int) -> None:
            directory = tmp_path / str(number)
            directory.mkdir()
            with a_daemon(directory, Pool(100)) as path:
                results.append(rand.egd(path, 300))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [300] * 4
