"""A disk that loses its power: what was synced is there; the rest is lost, torn or there, as it happens.

A `Disk` is the log of what was done in a directory (`tests/power/watch.py` writes it). A `Platter` follows it as far as
one likes, and makes the directory as a power cut at that moment may leave it: any number of cuts for one run.

A sector of a file is there as it was after some one of the writes since the last sync, each sector for itself, and so
is the file's size; in a directory the changes of names go to disk in their order. That is what SQLite relies on
("powersafe overwrite"), and no more than that.
"""

import random
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

SECTOR: Final = 512
_ROOT: Final = 0

Luck = Callable[[int], int]
"""Of so many changes that were not synced, how many are on disk all the same."""


class Written(NamedTuple):
    """Bytes in a file."""

    offset: int
    data: bytes


class Resized(NamedTuple):
    """A file that ends elsewhere."""

    size: int


class Named(NamedTuple):
    """What the names in a directory stand for now; None: for nothing."""

    names: dict[str, int | None]


class Synced(NamedTuple):
    """All that was changed so far is on disk."""


Change = Written | Resized | Named | Synced


def unlucky(_changes: int) -> int:
    """Nothing is on disk that had not to be."""
    return 0


def lucky(changes: int) -> int:
    """All is on disk, as when only the process was killed."""
    return changes


class Disk:
    """The log of what happened in a directory, each file and directory by a number of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log: list[tuple[int, Change]] = []
        self.directories = {_ROOT}
        self._numbers = {directory.stat().st_ino: _ROOT}
        self._paths: dict[int, Path] = {}
        self._seen: defaultdict[int, bytes] = defaultdict(bytes)
        self._lock = threading.RLock()

    @property
    def now(self) -> int:
        """The moment: how much has happened."""
        return len(self.log)

    def holds(self, path: Path) -> bool:
        return path.is_relative_to(self.directory)

    def number(self, inode: int) -> int | None:
        return self._numbers.get(inode)

    def note(self, number: int, change: Change) -> None:
        with self._lock:
            self.log.append((number, change))

    def named(self, path: Path, number: int | None, *, instead_of: Path | None = None) -> None:
        parent = self._numbers[path.parent.stat().st_ino]
        with self._lock:
            if number is not None:
                self._paths[number] = path
            self.note(parent, Named({path.name: number} | ({instead_of.name: None} if instead_of else {})))

    def created(self, path: Path) -> int:
        """A file or directory is there that was not."""
        with self._lock:
            number = self._numbers[path.stat().st_ino] = len(self._paths) + 1
            if path.is_dir():
                self.directories.add(number)
            self.named(path, number)
        return number

    def catch_up(self, number: int) -> None:
        """Note what was written to a file past SQLite, by whatever means."""
        if number in self.directories:
            return
        content = self._paths[number].read_bytes()
        if content != self._seen[number]:
            self._seen[number] = content
            self.note(number, Written(0, content))
            self.note(number, Resized(len(content)))


class _File:
    """What is on disk of a file, and what happened since."""

    def __init__(self) -> None:
        self.safe = bytearray()
        self.since: list[Written | Resized] = []

    def sync(self) -> None:
        for change in self.since:
            if isinstance(change, Resized):
                del self.safe[change.size :]
                self.safe.extend(bytes(change.size - len(self.safe)))
            else:
                self.safe.extend(bytes(max(0, change.offset - len(self.safe))))
                self.safe[change.offset : change.offset + len(change.data)] = change.data
        self.since.clear()

    def survives(self, luck: Luck) -> bytearray:
        content, sizes = bytearray(self.safe), [len(self.safe)]
        reached: defaultdict[int, int] = defaultdict(lambda: luck(len(self.since)))
        for number, change in enumerate(self.since, 1):
            if isinstance(change, Resized):
                start, data = change.size, bytes(max(0, len(content) - change.size))
                sizes.append(change.size)
            else:
                start, data = change
                sizes.append(max(sizes[-1], start + len(data)))
            content.extend(bytes(max(0, start + len(data) - len(content))))
            at = start
            while at < start + len(data):
                end = min(start + len(data), (at // SECTOR + 1) * SECTOR)
                if number <= reached[at // SECTOR]:
                    content[at:end] = data[at - start : end - start]
                at = end
        size = sizes[luck(len(self.since))]
        return content[:size] + bytes(max(0, size - len(content)))


class _Directory:
    """What is on disk of a directory's names, and what happened since."""

    def __init__(self) -> None:
        self.safe: dict[str, int] = {}
        self.since: list[Named] = []

    def sync(self) -> None:
        self.safe = self.survives(lucky)
        self.since.clear()

    def survives(self, luck: Luck) -> dict[str, int]:
        names: dict[str, int | None] = dict(self.safe)
        for change in self.since[: luck(len(self.since))]:
            names |= change.names
        return {name: number for name, number in names.items() if number is not None}


class Platter:
    """What is on disk at a moment, and at later ones."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._at = 0
        self._files: defaultdict[int, _File] = defaultdict(_File)
        self._directories: defaultdict[int, _Directory] = defaultdict(_Directory)

    def advance(self, moment: int) -> None:
        for number, change in self._disk.log[self._at : moment]:
            if isinstance(change, Synced):
                (self._directories if number in self._disk.directories else self._files)[number].sync()
            elif isinstance(change, Named):
                self._directories[number].since.append(change)
            else:
                self._files[number].since.append(change)
        self._at = max(self._at, moment)

    def cut(self, target: Path, luck: Luck, directory: int = _ROOT) -> None:
        """The power goes; make the directory `target` as it is found afterwards."""
        target.mkdir()
        for name, number in self._directories[directory].survives(luck).items():
            if number in self._disk.directories:
                self.cut(target / name, luck, number)
            else:
                (target / name).write_bytes(self._files[number].survives(luck))
                (target / name).chmod(0o600)


def cuts(disk: Disk, when: Iterable[tuple[int, Luck]], target: Path) -> Iterator[int]:
    """At each of these moments the power goes; `target` is what is found afterwards, until the next one."""
    platter = Platter(disk)
    for moment, luck in sorted(when, key=lambda cut: cut[0]):
        platter.advance(moment)
        platter.cut(target, luck)
        yield moment
        shutil.rmtree(target)


def anywhere(disk: Disk, since: int = 0, times: int = 150) -> list[tuple[int, Luck]]:
    """So often at some moment from this one on, and at the last of all: with no luck, or as it happens."""
    rng = random.Random(2026)
    lucks: list[Luck] = [unlucky, partial(rng.randint, 0)]
    return [*((rng.randint(since, disk.now), rng.choice(lucks)) for _ in range(times)), (disk.now, unlucky)]
