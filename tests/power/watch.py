"""Writing down what becomes durable in a directory, in one order: by Python's `os`, and by SQLite (`tests/power/vfs.py`)."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.power.disk import Disk, Synced
from tests.power.vfs import watch_sqlite


def _watch_os(disk: Disk, patch: pytest.MonkeyPatch) -> None:
    """What Python does by itself; a file's content is looked at when it is synced or gets a name."""
    do_open, fsync, mkdir, unlink = os.open, os.fsync, os.mkdir, os.unlink

    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:  # noqa: ANN401 (os.open's own)
        there = os.path.lexists(path)
        handle = do_open(path, flags, *rest, **more)
        if flags & os.O_CREAT and not there and disk.holds(Path(path)):
            disk.created(Path(path))
        return handle

    def made(path: Any, *rest: Any, **more: Any) -> None:  # noqa: ANN401 (os.mkdir's own)
        mkdir(path, *rest, **more)
        if disk.holds(Path(path)):
            disk.created(Path(path))

    def removed(path: Any, **more: Any) -> None:  # noqa: ANN401 (os.unlink's own)
        unlink(path, **more)
        if disk.holds(Path(path)):
            disk.named(Path(path), None)

    def synced(handle: int) -> None:
        number = disk.number(os.fstat(handle).st_ino)
        if number is not None:
            disk.catch_up(number)
        fsync(handle)
        if number is not None:
            disk.note(number, Synced())

    def again(how: Callable[..., None], *, moves: bool) -> Callable[..., None]:
        def named(source: Any, target: Any, **more: Any) -> None:  # noqa: ANN401 (os.link's and os.replace's own)
            number = disk.number(Path(source).stat().st_ino)
            how(source, target, **more)
            if number is not None and disk.holds(Path(target)):
                disk.named(Path(target), number, instead_of=Path(source) if moves else None)
                disk.catch_up(number)

        return named

    for name, function in (
        ("open", opened), ("mkdir", made), ("unlink", removed), ("fsync", synced),
        ("link", again(os.link, moves=False)), ("replace", again(os.replace, moves=True)),
    ):  # fmt: skip
        patch.setattr(os, name, function)


@contextmanager
def watched(directory: Path) -> Iterator[Disk]:
    """Whatever is made durable in this empty directory from now on is written down; skips where that cannot be."""
    disk = Disk(directory.resolve())
    with pytest.MonkeyPatch.context() as patch, watch_sqlite(disk):
        _watch_os(disk, patch)
        yield disk
