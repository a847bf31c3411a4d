"""Connections to the database, SQLite or PostgreSQL, so that what is committed stays committed.

SQLite: WAL, synchronous FULL, foreign keys, secure_delete; writers begin with BEGIN IMMEDIATE. PostgreSQL: writers
take one advisory lock. Both make two professionals who signal at the same moment see each other.
"""

from pathlib import Path
from typing import Any, Final

import aiosqlite
from sqlalchemy import Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage import postgresql, sqlite

WRITES: Final = "wenk_writes"
"""The execution option of a connection that is to write."""
BUSY_TIMEOUT_MS = 10_000
_WRITER_LOCK: Final = 0x57454E4B
"""'WENK': the advisory lock that PostgreSQL's writers take."""


class DatabaseFault(Exception):
    """The database cannot be used; the message says what to do."""


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database, whose directory is there; None for PostgreSQL. Raises DatabaseFault."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql+psycopg":
        return None
    if parsed.drivername != "sqlite+aiosqlite":
        msg = f"storage.url begins with {parsed.drivername}: use sqlite+aiosqlite:/// or postgresql+psycopg://"
        raise DatabaseFault(msg)
    file = Path(parsed.database or "")
    if not file.parent.is_dir():
        msg = f"there is no directory {file.parent}: make it, or change storage.url"
        raise DatabaseFault(msg)
    return file


def create_engine(url: str, *, in_haste: bool = True) -> AsyncEngine:
    """An engine for either make; `in_haste`: no statement takes long. Raises DatabaseFault."""
    parsed = make_url(url)
    if sqlite_file(url) is None:

        async def connect_postgresql() -> postgresql.Connection:
            return await postgresql.connect(parsed, in_haste=in_haste)

        engine = create_async_engine(url, async_creator=connect_postgresql, pool_pre_ping=True, hide_parameters=True)
        event.listen(engine.sync_engine, "begin", _begin_postgresql)
        return engine

    async def connect_sqlite() -> aiosqlite.Connection:
        arguments, options = engine.dialect.create_connect_args(parsed)
        return await sqlite.connect(*arguments, **options)

    engine = create_async_engine(url, async_creator=connect_sqlite, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own type)
    # The driver must not begin transactions by itself: BEGIN IMMEDIATE is ours to say.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(WRITES, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
