"""Noting what becomes durable in a directory, in one order: Python's `os` here, SQLite in `tests/power/vfs.py`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.power.disk import Disk, Synced
from tests.power.vfs import watch_sqlite

_WATCHED: Final = ("open", "mkdir", "unlink", "link", "replace", "fsync")


class _Python:
    """Some functions of `os`; what was written to a file is looked at when it is synced or given a name."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._real: dict[str, Any] = {name: getattr(os, name) for name in _WATCHED}

    def open(self, path: Any, flags: int, *rest: Any, **more: Any) -> int:  # noqa: ANN401 (as all here: as in `os`)
        there = os.path.lexists(path)
        handle: int = self._real["open"](path, flags, *rest, **more)
        if flags & os.O_CREAT and not there and self._disk.holds(Path(path)):
            self._disk.created(Path(path))
        return handle

    def mkdir(self, path: Any, *rest: Any, **more: Any) -> None:  # noqa: ANN401
        self._real["mkdir"](path, *rest, **more)
        if self._disk.holds(Path(path)):
            self._disk.created(Path(path))

    def unlink(self, path: Any, **more: Any) -> None:  # noqa: ANN401
        self._real["unlink"](path, **more)
        if self._disk.holds(Path(path)):
            self._disk.named(Path(path), None)

    def link(self, source: Any, target: Any, **more: Any) -> None:  # noqa: ANN401
        self._real["link"](source, target, **more)
        self._named(Path(target))

    def replace(self, source: Any, target: Any, **more: Any) -> None:  # noqa: ANN401
        self._real["replace"](source, target, **more)
        self._named(Path(target), instead_of=Path(source))

    def _named(self, path: Path, instead_of: Path | None = None) -> None:
        number = self._disk.number(path.stat().st_ino)
        if number is not None:
            self._disk.named(path, number, instead_of=instead_of)
            self._disk.catch_up(number)

    def fsync(self, handle: int) -> None:
        number = self._disk.number(os.fstat(handle).st_ino)
        if number is not None:
            self._disk.catch_up(number)
        self._real["fsync"](handle)
        if number is not None:
            self._disk.note(number, Synced())


@contextmanager
def watched(directory: Path) -> Iterator[Disk]:
    """Whatever happens in this empty directory from now on is noted; skips the test where that cannot be done."""
    disk = Disk(directory.resolve())
    python = _Python(disk)
    with pytest.MonkeyPatch.context() as patch, watch_sqlite(disk):
        for name in _WATCHED:
            patch.setattr(os, name, getattr(python, name))
        yield disk
