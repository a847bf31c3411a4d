"""The journal of erasures: on disk before the erasure is committed, and never taken for more than it is."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from storage.database import Storage
from storage.journal import Journal, JournalFault, Mark, Word
from storage.unit import UnitOfWork
from tests.storage.archive import Archive, place

HERE = Path(__file__).parents[2]
DAY_MS = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def written(path: Path, days: int = 3) -> Journal:
    """A journal with a line for each day."""
    journal = Journal.create(path)
    for day in range(1, days + 1):
        journal.append("erased", (f"S-00000{day}", f"S-10000{day}"), day * DAY_MS)
    return journal


async def erase(uow: UnitOfWork, *refs: str) -> None:
    for ref in refs:
        which = await uow.signals.by_ref(ref)
        assert which is not None
        await uow.signals.erase(which)
    await uow.audit.write("wenk", "signal.erased")


def test_what_was_written_is_read_again(path: Path) -> None:
    journal = written(path)
    again = Journal.open(path)
    assert again.mark == journal.mark
    assert again.erased() == {"S-000001", "S-100001", "S-000002", "S-100002", "S-000003", "S-100003"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_signal_that_was_kept_counts_as_erased_only_when_it_is_named_again(path: Path) -> None:
    journal = written(path)
    journal.append("kept", ("S-000002",), 4 * DAY_MS)
    assert "S-000002" not in Journal.open(path).erased()
    journal.append("erased", ("S-000002",), 5 * DAY_MS)
    assert "S-000002" in Journal.open(path).erased()


def test_a_journal_knows_what_came_after_a_mark(path: Path) -> None:
    journal = Journal.create(path)
    marks = [journal.mark, journal.append("erased", ("S-000001",), 1), journal.append("erased", ("S-000002",), 2)]
    again = Journal.open(path)
    assert [[entry.refs for entry in again.since(mark)] for mark in marks] == [
        [("S-000001",), ("S-000002",)],
        [("S-000002",)],
        [],
    ]


def test_wherever_a_power_cut_tears_the_last_line_all_lines_before_count_and_the_next_one_follows_them(
    path: Path,
) -> None:
    journal = written(path, 2)
    whole = path.read_bytes()
    journal.append("erased", ("S-000003",), 3 * DAY_MS)
    longer = path.read_bytes()
    for length in range(len(whole), len(longer)):
        for rest in (b"", b"\0" * 40, b"\r\x85garbage"):
            path.write_bytes(longer[:length] + rest)
            torn = Journal.open(path)
            assert torn.mark.seq == 2, (length, rest)
            torn.append("erased", ("S-000004",), 4 * DAY_MS)
            again = Journal.open(path)
            assert (again.mark, again.mark.seq) == (torn.mark, 3)
            assert "S-000004" in again.erased()


def test_a_line_that_is_changed_or_missing_is_damage(path: Path) -> None:
    written(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    for number in range(1, 4):
        for wrong in (b"", lines[number].replace(b"S-0", b"S-2"), lines[number].replace(b"erased", b"kept")):
            path.write_bytes(b"".join([*lines[:number], wrong, *lines[number + 1 :]]))
            with pytest.raises(JournalFault, match="damaged"):
                Journal.open(path)


@pytest.mark.parametrize("content", [b"", b"wenk-journal 1", b"some other file\n", b"\0" * 200])
def test_a_file_that_is_no_journal_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalFault, match="no journal"):
        Journal.open(path)


def test_a_changed_first_line_is_refused(path: Path) -> None:
    written(path)
    header, rest = path.read_bytes().split(b"\n", 1)
    for at in range(len(header)):
        path.write_bytes(header[:at] + bytes([header[at] ^ 1]) + header[at + 1 :] + b"\n" + rest)
        with pytest.raises(JournalFault):
            Journal.open(path)


def test_a_missing_journal_is_refused_and_never_begun_in_passing(path: Path) -> None:
    with pytest.raises(JournalFault, match="no journal of erasures"):
        Journal.open(path)
    journal = written(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        journal.append("erased", ("S-000009",), 9 * DAY_MS)
    assert not path.exists()


def test_a_new_one_takes_nobodys_place(path: Path) -> None:
    written(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        Journal.create(path)
    assert path.read_bytes() == before


def test_the_wrong_journal_and_an_old_copy_are_told_apart(path: Path, tmp_path: Path) -> None:
    journal = written(path, 2)
    copy = path.read_bytes()
    mark = journal.append("erased", ("S-000003",), 3 * DAY_MS)
    with pytest.raises(JournalFault, match="another database"):
        written(tmp_path / "other").since(mark)
    path.write_bytes(copy)
    with pytest.raises(JournalFault, match="old copy"):
        Journal.open(path).since(mark)
    # As long again, but with another past.
    other = Journal.open(path)
    other.append("erased", ("S-000009",), 3 * DAY_MS)
    with pytest.raises(JournalFault, match="old copy"):
        other.since(mark)


def test_a_compacted_journal_forgets_the_oldest_and_knows_that_it_did(path: Path) -> None:
    journal = Journal.create(path)
    marks = [journal.append("erased", (f"S-00000{day}",), day * DAY_MS) for day in (1, 2, 3, 4)]
    assert journal.compact(3 * DAY_MS) == 2
    assert journal.compact(3 * DAY_MS) == 0
    journal.append("erased", ("S-000005",), 5 * DAY_MS)
    again = Journal.open(path)
    assert again.mark == journal.mark
    assert again.erased() == {"S-000003", "S-000004", "S-000005"}
    assert len(again.since(marks[1])) == 3
    with pytest.raises(JournalFault, match="backup_days"):
        again.since(marks[0])
    assert again.compact(100 * DAY_MS) == 3
    assert Journal.open(path).mark == journal.mark


def test_a_write_that_failed_leaves_no_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = written(path, 2)

    def full(handle: int) -> None:
        os.ftruncate(handle, os.fstat(handle).st_size - 7)
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            journal.append("erased", ("S-000003",), 3 * DAY_MS)
    assert Journal.open(path).mark == journal.mark
    journal.append("erased", ("S-000004",), 4 * DAY_MS)
    assert "S-000003" not in Journal.open(path).erased()
    assert Journal.open(path).mark.seq == 3


async def test_the_line_is_on_disk_before_the_erasure_is_committed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the moment at which the journal's file is synced the line is in it, and the signal is still there."""
    async with archive.storage.unit() as uow:
        await place(uow, "S-000001")
    other = await archive.open_another()
    loop = asyncio.get_running_loop()
    seen: list[tuple[bool, bool]] = []
    sync = os.fsync

    async def is_there() -> bool:
        async with other.reading() as uow:
            return await uow.signals.exists("S-000001")

    def look(handle: int) -> None:
        sync(handle)
        named = "S-000001" in Journal.open(archive.journal_file).erased()
        seen.append((named, asyncio.run_coroutine_threadsafe(is_there(), loop).result(60)))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", look)
        async with archive.storage.unit() as uow:
            await erase(uow, "S-000001")
    assert seen == [(True, True)]
    assert not await is_there()
    await other.close()


async def test_the_database_knows_how_far_the_journal_was(archive: Archive) -> None:
    for number in (1, 2):
        async with archive.storage.unit() as uow:
            await place(uow, f"S-00000{number}")
        async with archive.storage.unit() as uow:
            await erase(uow, f"S-00000{number}")
        async with archive.storage.reading() as uow:
            mark = await uow.journaled.mark()
        assert mark == Journal.open(archive.journal_file).mark
        assert mark.seq == number


async def test_nothing_is_erased_when_the_journal_cannot_be_written(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await place(uow, "S-000001")
    before = await archive.contents()
    archive.journal_file.unlink()
    with pytest.raises(FileNotFoundError):
        async with archive.storage.unit() as uow:
            await erase(uow, "S-000001")
    assert await archive.contents() == before


async def test_nothing_is_erased_without_a_journal(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await place(uow, "S-000001")
    bare = await Storage.open(archive.url, archive.vault)
    with pytest.raises(JournalFault, match="without its journal"):
        async with bare.unit() as uow:
            await erase(uow, "S-000001")
    async with bare.reading() as uow:
        assert await uow.signals.exists("S-000001")
    await bare.close()


async def _killed_between_journal_and_commit(archive: Archive, ref: str) -> None:
    """A process of its own erases a signal, and dies by SIGKILL when the line is on disk."""
    code = f"""
import asyncio, os, signal
from pathlib import Path
from storage.database import Storage
from storage.journal import Journal
from storage.keys import Keys
from storage.vault import Vault
from tests.storage.test_journal import erase

class Cut(Journal):
    def append(self, *line):
        super().append(*line)
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    vault = Vault(Keys.load(Path({str(archive.keys.path)!r})))
    storage = await Storage.open({archive.url!r}, vault, journal=Cut.open(Path({str(archive.journal_file)!r})))
    async with storage.unit() as uow:
        await erase(uow, {ref!r})

asyncio.run(main())
"""
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], cwd=HERE, check=False, capture_output=True, text=True
    )
    assert run.returncode == -signal.SIGKILL, run.stderr


async def test_a_kill_between_journal_and_commit_is_found_out_and_the_signal_was_kept(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        for number in (1, 2):
            await place(uow, f"S-00000{number}")
    async with archive.storage.unit() as uow:
        await erase(uow, "S-000002")
    await _killed_between_journal_and_commit(archive, "S-000001")
    assert Journal.open(archive.journal_file).erased() == {"S-000001", "S-000002"}, "else this shows nothing"

    started = await archive.open_another()
    await started.begin()
    assert Journal.open(archive.journal_file).erased() == {"S-000002"}
    lines = archive.journal_file.read_bytes()
    await started.begin()
    assert archive.journal_file.read_bytes() == lines, "said once"
    async with started.unit() as uow:
        await erase(uow, "S-000001")
    assert Journal.open(archive.journal_file).erased() == {"S-000001", "S-000002"}
    await started.close()


class Unlucky(Journal):
    """The database fails after the line was written."""

    fails = True

    def append(self, word: Word, refs: tuple[str, ...], at_ms: int) -> Mark:
        mark = super().append(word, refs, at_ms)
        if self.fails and word == "erased":
            raise DBAPIError("COMMIT", None, Exception())
        return mark


async def test_a_commit_that_failed_is_settled_before_the_next_erasure(archive: Archive) -> None:
    """Else the next commit's mark would stand behind a line that nobody looks at any more."""
    async with archive.storage.unit() as uow:
        for number in (1, 2):
            await place(uow, f"S-00000{number}")
    journal = Unlucky.open(archive.journal_file)
    assert isinstance(journal, Unlucky)
    storage = await Storage.open(archive.url, archive.vault, lambda: archive.now, journal)
    with pytest.raises(DBAPIError):
        async with storage.unit() as uow:
            await erase(uow, "S-000001")
    journal.fails = False
    async with storage.unit() as uow:
        await erase(uow, "S-000002")
    assert Journal.open(archive.journal_file).erased() == {"S-000002"}
    await storage.close()


Damage = Callable[[Archive, bytes], Any]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda archive, old: archive.journal_file.write_bytes(old), "old copy"),
        (lambda archive, _old: (archive.journal_file.unlink(), written(archive.journal_file)), "another database"),
    ],
    ids=["old", "other"],
)
async def test_a_database_refuses_a_journal_that_is_not_its_own(archive: Archive, damage: Damage, what: str) -> None:
    old = archive.journal_file.read_bytes()
    async with archive.storage.unit() as uow:
        await place(uow, "S-000001")
        await place(uow, "S-000002")
    async with archive.storage.unit() as uow:
        await erase(uow, "S-000001")
    damage(archive, old)
    again = await archive.open_another()
    with pytest.raises(JournalFault, match=what):
        await again.begin()
    with pytest.raises(JournalFault, match=what):
        async with again.unit() as uow:
            await erase(uow, "S-000002")
    await again.close()


async def test_what_was_erased_long_ago_leaves_the_journal(archive: Archive) -> None:
    for number in (1, 2):
        async with archive.storage.unit() as uow:
            await place(uow, f"S-00000{number}")
        async with archive.storage.unit() as uow:
            await erase(uow, f"S-00000{number}")
        archive.now += timedelta(days=20)
    await archive.storage.compact_journal(timedelta(days=30))
    assert Journal.open(archive.journal_file).erased() == {"S-000002"}
    await archive.storage.begin()
