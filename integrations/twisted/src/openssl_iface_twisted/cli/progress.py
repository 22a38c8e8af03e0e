"""How far it is: bars on a terminal, nothing elsewhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

__all__ = ["Bars", "RichBars"]


class Bars:
    """Shows nothing."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """The end, of whatever kind: leave the terminal in order."""

    def begin(self, name: str) -> None:
        """Another bar."""

    def update(self, name: str, done: int) -> None:
        """That bar has come to *done* bytes."""


class RichBars(Bars):
    """Bars of *size* bytes each.  They are drawn when they are updated, so no thread is needed."""

    def __init__(self, where: Console, size: int) -> None:
        self._size = size
        self._tasks: dict[str, Any] = {}
        self._progress = Progress(
            TextColumn("{task.description}", style="cyan"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=where,
            auto_refresh=False,
        )

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, name: str) -> None:
        """Another bar."""
        self._tasks[name] = self._progress.add_task(name, total=self._size)

    def update(self, name: str, done: int) -> None:
        """That bar has come to *done* bytes."""
        self._progress.update(self._tasks[name], completed=done, refresh=True)
