"""A copy of the whole database while it is in use: one SQLite file, whatever the database is; and back again.

What is sealed stays sealed: the keys are not in it, nor is the crypto store. A copy knows that it is one, and a bot
does not run on it: first `wenk restore` erases again what was erased since.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, delete, insert, inspect, make_url, select
from sqlalchemy.exc import DBAPIError

from storage import database
from storage.durable import write_durably, written_durably
from storage.engine import DatabaseFault
from storage.engine import create_engine as create_async_engine
from storage.keys import Keys, is_keys_file
from storage.origin import copy_rows
from storage.schema import backup
from storage.session import finish
from storage.trouble import explain

_MAGIC: Final = b"SQLite format 3\0"


class BackupFault(Exception):
    """A backup cannot be made or loaded; the message says what to do."""


async def back_up(url: str, destination: Path, now: datetime) -> None:
    """Copy the database, which may be in use, to a new file: complete and on disk, or not there.

    The copy is the database at one moment after `now`. Nobody is kept from writing meanwhile. Raises FileExistsError,
    BackupFault, DatabaseFault.
    """
    _refuse_beside(destination, is_keys_file, "the keys")
    with written_durably(destination, new=True) as file:
        parsed = make_url(url)
        if parsed.drivername == "sqlite+aiosqlite":
            await finish(asyncio.to_thread(_copy_sqlite, Path(parsed.database or ""), file))
        else:
            await _copy_postgresql(url, file)
        with _opened(file, "rw") as engine, engine.begin() as connection:
            connection.execute(delete(backup))
            made_at = int(now.timestamp() * 1000)
            connection.execute(insert(backup).values(id=1, made_at=made_at, loaded=False))


def back_up_keys(keys_file: Path, destination: Path) -> None:
    """Copy the keys file to a new file. Raises FileExistsError, BackupFault, KeysFault."""
    _refuse_beside(destination, _is_sqlite, "a database")
    Keys.load(keys_file)
    write_durably(destination, keys_file.read_bytes(), new=True)


def _refuse_beside(destination: Path, kind: Callable[[Path], bool], what: str) -> None:
    if destination.exists():
        raise BackupFault(f"{destination} is there already: nothing is overwritten")
    if any(kind(file) for file in destination.parent.iterdir() if file.is_file()):
        msg = f"{destination.parent} holds {what}: who has keys and database can read everything; keep them apart"
        raise BackupFault(msg)


def _is_sqlite(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(_MAGIC)) == _MAGIC


def _copy_sqlite(source: Path, file: Path) -> None:
    if not source.is_file():
        raise DatabaseFault(f"there is no database {source}: check storage.url")
    # VACUUM INTO reads one snapshot beside the writers, and leaves out what was deleted.
    with closing(sqlite3.connect(f"file:{quote(str(source))}?mode=rw", uri=True, timeout=60)) as connection:
        connection.execute("VACUUM INTO ?", (str(file),))
    with _opened(file, "ro") as engine, engine.connect() as copied:
        _demand_this_version(copied)


async def _copy_postgresql(url: str, file: Path) -> None:
    source = create_async_engine(url, in_haste=False)
    try:
        async with source.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            await finish(connection.run_sync(_into_file, file))
    except DBAPIError as fault:
        raise DatabaseFault(f"the database cannot be read: {explain(fault)}") from fault
    finally:
        await source.dispose()


def _into_file(source: Connection, file: Path) -> None:
    _demand_this_version(source)
    with _opened(file, "rw") as engine, engine.begin() as target:
        database.migrate(target)
        copy_rows(source, target)


def _demand_this_version(connection: Connection) -> None:
    if database.revision(connection) != database.newest_revision():
        msg = "the database is of another version of Wenk: start `wenk run` of this version once, then back it up"
        raise DatabaseFault(msg)


@contextmanager
def _opened(file: Path, mode: str) -> Iterator[Engine]:
    """A SQLite file, which has to be there: `ro` or `rw`."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True),
        poolclass=NullPool,
        hide_parameters=True,
    )
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reading_backup(file: Path) -> Iterator[Connection]:
    """The rows of a backup, looked through for damage first; raises BackupFault."""
    damaged = f"{file} is no backup of Wenk, or is damaged: take another one"
    try:
        if not _is_sqlite(file):
            raise BackupFault(damaged)
    except FileNotFoundError:
        raise BackupFault(f"there is no backup {file}") from None
    with _opened(file, "ro") as engine, engine.connect() as connection:
        try:
            is_whole = _is_backup(connection)
        except DBAPIError:
            is_whole = False
        if not is_whole:
            raise BackupFault(damaged)
        if database.revision(connection) != database.newest_revision():
            msg = f"{file} was made by another version of Wenk: restore it with that one, then install this one"
            raise BackupFault(msg)
        yield connection


def _is_backup(connection: Connection) -> bool:
    if connection.exec_driver_sql("PRAGMA integrity_check").scalar() != "ok":
        return False
    if not inspect(connection).has_table(backup.name):
        return False
    return connection.execute(select(backup.c.loaded)).scalar() is False
