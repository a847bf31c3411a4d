"""SQLite on the spot: the event loop goes on while the database waits, and who gives up waiting spoils nothing."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import event

from storage import sqlite
from storage.database import Storage
from tests.storage.archive import OTHER, OWNER, Archive

HOLDS_THE_LOCK: Final = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
other.execute("ROLLBACK")
print("free", flush=True)
"""
Release = Callable[[], None]


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[Release]:
    """Another process writes, until it is told to stop: from here, so never while the event loop stands still."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDS_THE_LOCK, str(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    assert await process.stdout.readline() == b"locked\n"
    stdin = process.stdin
    try:
        yield lambda: stdin.write(b"\n")
    finally:
        stdin.close()
        await process.communicate()


def can_write(path: Path) -> bool:
    """Whether somebody else can write at this moment."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True


def file_of(archive: Archive) -> Path:
    return Path(archive.storage._engine.url.database or "")


async def add_desk(storage: Storage, user_id: str = OWNER) -> None:
    async with storage.unit() as uow:
        await uow.rooms.desk(user_id)


async def has_desk(storage: Storage, user_id: str = OWNER) -> bool:
    async with storage.reading() as uow:
        return await uow.rooms.desk_of(user_id) is not None


def asks_for_the_lock(storage: Storage) -> asyncio.Event:
    """Set when a writer is about to say BEGIN IMMEDIATE."""
    asked = asyncio.Event()

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement == "BEGIN IMMEDIATE":
            asked.set()

    event.listen(storage._engine.sync_engine, "before_cursor_execute", note)
    return asked


async def test_while_another_process_writes_everything_else_goes_on(sqlite_archive: Archive) -> None:
    storage, asked = sqlite_archive.storage, asks_for_the_lock(sqlite_archive.storage)
    async with locked(file_of(sqlite_archive)) as release:
        writing = asyncio.create_task(add_desk(storage))
        await asked.wait()
        assert not await has_desk(storage)
        assert not writing.done()
        release()
        await writing
    assert await has_desk(storage)


async def test_who_gives_up_waiting_for_the_lock_leaves_nothing_behind(sqlite_archive: Archive) -> None:
    storage, asked = sqlite_archive.storage, asks_for_the_lock(sqlite_archive.storage)
    async with locked(file_of(sqlite_archive)) as release:
        writing = asyncio.create_task(add_desk(storage))
        await asked.wait()
        writing.cancel()
        next_one = asyncio.create_task(add_desk(storage, OTHER))
        release()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await next_one
    assert not await has_desk(storage)
    assert await has_desk(storage, OTHER)
    assert can_write(file_of(sqlite_archive))


async def test_what_ends_a_transaction_waits_for_what_its_caller_gave_up(tmp_path: Path) -> None:
    """BEGIN IMMEDIATE may be under way in the thread still: ended before it, it would begin for nobody."""
    path = tmp_path / "some.db"
    connection = await sqlite.connect(str(path), isolation_level=None, check_same_thread=False)
    try:
        async with locked(path) as release:
            cursor: Any = connection.cursor()
            beginning = asyncio.create_task(cursor.execute("BEGIN IMMEDIATE"))
            await asyncio.sleep(0)
            beginning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await beginning
            ending = asyncio.create_task(connection.rollback())
            await asyncio.sleep(0)
            release()
            await ending
        await connection.execute("SELECT 1")  # behind all that is in the thread
        assert can_write(path)
    finally:
        await connection.close()


Ran = list[tuple[str, bool]]


@pytest.fixture
def ran(sqlite_archive: Archive) -> Ran:
    """What SQLite is told to do: the first word of it, and whether the event loop stands still meanwhile."""
    loop_thread, statements = threading.get_ident(), Ran()

    def note(statement: str) -> None:
        statements.append((statement.split(maxsplit=1)[0], threading.get_ident() == loop_thread))

    def trace(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 (SQLAlchemy's own)
        connection.driver_connection._conn.set_trace_callback(note)

    event.listen(sqlite_archive.storage._engine.sync_engine, "checkout", trace)
    return statements


async def test_what_waits_for_a_lock_or_the_disk_does_not_hold_up_the_loop(sqlite_archive: Archive, ran: Ran) -> None:
    await add_desk(sqlite_archive.storage)
    on_the_spot = dict(ran)
    assert not on_the_spot["BEGIN"]
    assert not on_the_spot["COMMIT"]
    ran.clear()

    async def fail() -> None:
        async with sqlite_archive.storage.unit() as uow:
            await uow.rooms.desk(OTHER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert ran[-1] == ("ROLLBACK", False)
