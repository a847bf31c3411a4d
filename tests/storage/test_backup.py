"""Backups: one consistent set while others write, whatever the database; and none that says more than it should."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from storage.backup import BackupFault, back_up, back_up_keys, reading_backup
from storage.database import Storage
from storage.engine import DatabaseFault
from storage.journal import Journal
from storage.keys import Keys, KeysFault
from storage.schema import audit
from tests.postgres import LocalPostgres
from tests.storage.archive import OTHER, START, Archive, a_child, contents, place
from tests.storage.test_journal import erase


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A second, empty database: of the same kind, or of the other one."""
    if request.param == "sqlite":
        (tmp_path / "other").mkdir()
        yield f"sqlite+aiosqlite:///{tmp_path / 'other' / 'wenk.db'}"
        return
    server: LocalPostgres = request.getfixturevalue("postgres_server")
    with server.fresh_database() as url:
        yield url


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where a backup goes: a directory of its own."""
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept" / "backup"


async def some_rows(archive: Archive) -> None:
    """Rows of many kinds: dates, bytes, truths, nothing, and what hangs on what."""
    async with archive.storage.unit() as uow:
        mine = await place(uow, "S-000001")
        theirs = await place(uow, "S-000002", a_child("Lotte"), OTHER)
        await uow.pairs.disclose(mine, OTHER, "match")
        number = await uow.introductions.open("M-000001", uow.today)
        await uow.introductions.join(number, OTHER, theirs.id)
        room = await uow.rooms.of_introduction(number)
        await uow.rooms.want(room.id, OTHER)
        await uow.outbox.post(room.id, "help", {"body": "…", "wenk": {}}, lifetime_ms=5)
        await uow.inbox.advance("s12_é", 7)


async def loaded(archive: Archive, url: str, backup: Path) -> Storage:
    """The backup, in another database."""
    storage = await Storage.open(url, archive.vault, lambda: archive.now, Journal.open(archive.journal_file))
    with reading_backup(backup) as source:
        async with storage.unit() as uow:
            assert await uow.backups.is_empty()
            await uow.backups.load(source)
    return storage


async def test_a_backup_holds_every_row_and_goes_into_a_database_of_either_kind(
    archive: Archive, other_url: str, kept: Path
) -> None:
    await some_rows(archive)
    before = await archive.contents()
    assert sum(map(bool, before.values())) > 12
    await back_up(archive.url, kept, archive.now)
    storage = await loaded(archive, other_url, kept)
    try:
        after = await contents(storage)
        assert after.pop("backup") == [(1, START.timestamp() * 1000, True)]
        assert before.pop("backup") == []
        assert after == before
        async with storage.unit() as uow:
            assert not await uow.backups.is_empty()
            assert await uow.audit.verify() == len(before["audit"])
            # Numbers are counted on from where they were.
            await place(uow, "S-000003")
            await uow.introductions.open("M-000002", uow.today)
            assert (await uow.signals.owned("@owner:localhost", "S-000001")) is not None
    finally:
        await storage.close()


async def test_a_backup_is_one_moment_of_the_database_however_much_is_written_meanwhile(
    archive: Archive, kept: Path
) -> None:
    """Each unit places two signals and takes away the two before: what is there at any moment fits together."""
    stop, units = asyncio.Event(), 0

    async def write() -> None:
        nonlocal units
        while not stop.is_set():
            async with archive.storage.unit() as uow:
                for half in ("A", "B"):
                    await place(uow, f"S-{half}{units:05}")
                if units:
                    await erase(uow, f"S-A{units - 1:05}", f"S-B{units - 1:05}")
            units += 1
            await asyncio.sleep(0)

    async def units_after(count: int) -> None:
        while units < count:
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    await units_after(3)
    for number in range(4):
        copy = kept.with_name(f"backup-{number}")
        before = units
        await back_up(archive.url, copy, archive.now)
        with closing(sqlite3.connect(copy)) as rows:
            (first, second) = [ref for (ref,) in rows.execute("SELECT ref FROM signal ORDER BY ref")]
            assert first[3:] == second[3:]
            assert int(first[3:]) >= before - 1
            assert rows.execute("SELECT count(*) FROM tag").fetchone()[0] % 2 == 0
            assert rows.execute("PRAGMA foreign_key_check").fetchall() == []
            # The journal's mark is of that moment, too: of the last unit that erased.
            assert rows.execute("SELECT seq FROM journal").fetchone()[0] == int(first[3:])
        await units_after(units + 2)
    stop.set()
    await writing


async def test_who_writes_does_not_wait_for_a_backup(archive: Archive, kept: Path) -> None:
    """Of a database that takes a while to copy: one unit of work after the other is committed meanwhile."""
    lines = [
        {"seq": seq, "region_id": 1, "at": 0, "who": "wenk", "what": "x" * 200, "subject": b"", "mac": b""}
        for seq in range(2, 40_002)
    ]
    async with archive.storage._engine.begin() as connection:
        await connection.execute(insert(audit), lines)
    backing_up = asyncio.create_task(back_up(archive.url, kept, archive.now))
    meanwhile = 0
    while not backing_up.done():
        async with archive.storage.unit() as uow:
            await place(uow, f"S-{meanwhile:06}")
        meanwhile += 1
    await backing_up
    assert meanwhile > 5, "the one that was waiting at the beginning, and the one at the end, show nothing"
    with closing(sqlite3.connect(kept)) as rows:
        assert rows.execute("SELECT count(*) FROM audit WHERE what LIKE 'xx%'").fetchone() == (40_000,)


async def test_a_backup_is_nobody_elses_to_read_and_holds_no_key(archive: Archive, kept: Path) -> None:
    await some_rows(archive)
    await back_up(archive.url, kept, archive.now)
    assert kept.stat().st_mode & 0o777 == 0o600
    content = kept.read_bytes()
    assert b"Sanne" not in content
    assert b"de Vries" not in content
    for key in (*archive.keys.master.values(), *archive.keys.tag.values(), archive.keys.audit):
        assert key not in content
    assert [file.name for file in kept.parent.iterdir()] == ["backup"], "nothing half-made is left"


async def test_what_was_deleted_before_is_not_in_a_backup(sqlite_archive: Archive, kept: Path) -> None:
    """Not even in SQLite's free pages, which a copy of the file would carry along."""
    await some_rows(sqlite_archive)
    async with sqlite_archive.storage.reading() as uow:
        signal = await uow.signals.by_ref("S-000001")
    assert signal is not None
    (row,) = await sqlite_archive.raw(text("SELECT sealed_child FROM signal WHERE ref = 'S-000001'"))
    async with sqlite_archive.storage.unit() as uow:
        await erase(uow, "S-000001")
    await back_up(sqlite_archive.url, kept, sqlite_archive.now)
    assert row.sealed_child not in kept.read_bytes()


async def test_nothing_is_overwritten(archive: Archive, kept: Path) -> None:
    kept.write_text("something")
    with pytest.raises(BackupFault, match="there already"):
        await back_up(archive.url, kept, archive.now)
    with pytest.raises(BackupFault, match="there already"):
        back_up_keys(archive.keys.path, kept)
    assert kept.read_text() == "something"


async def test_a_backup_that_fails_leaves_nothing(
    archive: Archive, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        await back_up(archive.url, kept, archive.now)
    assert list(kept.parent.iterdir()) == []


async def test_keys_and_database_do_not_go_to_one_place(archive: Archive, kept: Path) -> None:
    await back_up(archive.url, kept, archive.now)
    with pytest.raises(BackupFault, match="holds a database"):
        back_up_keys(archive.keys.path, kept.with_name("keys"))
    elsewhere = kept.parent.parent / "elsewhere"
    elsewhere.mkdir()
    back_up_keys(archive.keys.path, elsewhere / "keys")
    assert (elsewhere / "keys").stat().st_mode & 0o777 == 0o600
    assert Keys.load(elsewhere / "keys").master == archive.keys.master
    with pytest.raises(BackupFault, match="holds the keys"):
        await back_up(archive.url, elsewhere / "backup", archive.now)
    assert [file.name for file in elsewhere.iterdir()] == ["keys"]


def test_only_a_keys_file_is_backed_up_as_one(tmp_path: Path, kept: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "keys.json").chmod(0o600)
    with pytest.raises(KeysFault, match="damaged"):
        back_up_keys(tmp_path / "keys.json", kept)
    assert not kept.exists()


async def test_a_database_of_another_version_is_not_backed_up(archive: Archive, kept: Path) -> None:
    await archive.raw(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(DatabaseFault, match="another version"):
        await back_up(archive.url, kept, archive.now)
    assert not kept.exists()


async def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, kept: Path) -> None:
    with pytest.raises(DatabaseFault, match="no database"):
        await back_up(f"sqlite+aiosqlite:///{tmp_path / 'missing.db'}", kept, START)
    assert not (tmp_path / "missing.db").exists()


async def test_what_is_no_whole_backup_is_not_loaded(archive: Archive, kept: Path, tmp_path: Path) -> None:
    def refused(file: Path, what: str) -> None:
        with pytest.raises(BackupFault, match=what), reading_backup(file):
            pass

    refused(kept, "no backup")
    kept.write_text("something else")
    refused(kept, "no backup of Wenk")
    kept.unlink()
    await some_rows(archive)
    await back_up(archive.url, kept, archive.now)
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    refused(kept, "damaged")
    kept.write_bytes(whole[:40_000] + b"x" * 3_000 + whole[43_000:])
    refused(kept, "damaged")
    kept.write_bytes(whole)
    with closing(sqlite3.connect(kept)) as rows:
        rows.execute("UPDATE alembic_version SET version_num = '0000'")
        rows.commit()
    refused(kept, "another version")
    plain = tmp_path / "plain.db"
    with closing(sqlite3.connect(plain)) as rows:
        rows.execute("CREATE TABLE something (id)")
    refused(plain, "no backup of Wenk")


async def test_a_backup_put_in_the_place_of_the_database_is_no_database(sqlite_archive: Archive, kept: Path) -> None:
    """Nothing would have been erased again."""
    await some_rows(sqlite_archive)
    await back_up(sqlite_archive.url, kept, sqlite_archive.now)
    journal = Journal.open(sqlite_archive.journal_file)
    storage = await Storage.open(f"sqlite+aiosqlite:///{kept}", sqlite_archive.vault, journal=journal)
    with pytest.raises(DatabaseFault, match="wenk restore"):
        await storage.begin()
    await storage.close()
