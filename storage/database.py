"""Opening the database, SQLite or PostgreSQL, so that what is committed stays committed.

SQLite: WAL, synchronous FULL, foreign keys, secure_delete; writers begin with BEGIN IMMEDIATE. PostgreSQL: writers
take one advisory lock. Both make two professionals who signal at the same moment see each other.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiosqlite
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage import sqlite
from storage.journal import Journal, JournalFault, Word
from storage.session import finish
from storage.unit import UnitOfWork
from storage.vault import Vault

Clock = Callable[[], datetime]
Wake = Callable[[frozenset[str]], None]

_BUSY_TIMEOUT_MS = 10_000
_SCRUB_TIMEOUT_MS = 100
_WRITER_LOCK = 0x57454E4B
"""'WENK': the advisory lock that PostgreSQL's writers take."""
_WRITES = "wenk_writes"


class DatabaseFault(Exception):
    """The database cannot be used; the message says what to do."""


def system_clock() -> datetime:
    """The process's clock, the only one in production."""
    return datetime.now(UTC)


def _migrations() -> Config:
    config = Config()
    # Alembic reads its options as Python's configparser does, where a single % would begin a name.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def revision(connection: Connection) -> str | None:
    """Of which version the tables are; None: there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """The version that this Wenk works with."""
    return ScriptDirectory.from_config(_migrations()).get_current_head()


def _refuse_newer(connection: Connection) -> None:
    script = ScriptDirectory.from_config(_migrations())
    known = {each.revision for each in script.walk_revisions()}
    current = revision(connection)
    if current is not None and current not in known:
        msg = f"the database ({current}) is newer than this Wenk: install the Wenk that wrote it, or a later one"
        raise DatabaseFault(msg)


def migrate(connection: Connection) -> None:
    """Make the tables, or bring them up to date; raises DatabaseFault if they are newer than this Wenk."""
    _refuse_newer(connection)
    config = _migrations()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own type)
    # The driver must not begin transactions by itself: BEGIN IMMEDIATE is ours to say.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")


def create_engine(url: str) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite:///...` or `postgresql+psycopg://...`; raises DatabaseFault."""
    parsed = make_url(url)
    driver = parsed.drivername
    if driver == "sqlite+aiosqlite":
        directory = Path(parsed.database or "").parent
        if not directory.is_dir():
            msg = f"there is no directory {directory}: make it, or change storage.url"
            raise DatabaseFault(msg)

        async def connect() -> aiosqlite.Connection:
            arguments, options = engine.dialect.create_connect_args(parsed)
            return await sqlite.connect(*arguments, **options)

        engine = create_async_engine(url, async_creator=connect, hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    elif driver == "postgresql+psycopg":
        engine = create_async_engine(url, pool_pre_ping=True, hide_parameters=True)
        event.listen(engine.sync_engine, "begin", _begin_postgresql)
    else:
        msg = f"storage.url begins with {driver}: use sqlite+aiosqlite:/// or postgresql+psycopg://"
        raise DatabaseFault(msg)
    return engine


async def _bring_up_to_date(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(**{_WRITES: True})
        async with connection.begin():
            await connection.run_sync(migrate)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Storage:
    """The database of one bot process.

    `wake` is called after every commit with the rooms it concerns (our own ids), so that what waits in the outbox
    goes out at once; `settle` with those whose members are not as they should be.
    """

    def __init__(
        self, engine: AsyncEngine, vault: Vault, clock: Clock = system_clock, journal: Journal | None = None
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._clock = clock
        self._journal = journal
        # BEGIN IMMEDIATE polls when it has to wait; among our own tasks a queue is fair and quick.
        self._writer = asyncio.Lock()
        self.wake: Wake = lambda _rooms: None
        self.settle: Wake = lambda _rooms: None

    @classmethod
    async def open(
        cls, url: str, vault: Vault, clock: Clock = system_clock, journal: Journal | None = None
    ) -> "Storage":
        """Open the database and bring it up to date; raises DatabaseFault. Without a journal nothing can be erased."""
        engine = create_engine(url)
        try:
            await finish(_bring_up_to_date(engine))
        except DBAPIError as fault:
            await engine.dispose()
            msg = f"the database cannot be opened ({type(fault.orig).__name__}): check storage.url"
            raise DatabaseFault(msg) from fault
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, vault, clock, journal)

    async def close(self) -> None:
        await self._engine.dispose()

    @property
    def clock(self) -> Clock:
        return self._clock

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[UnitOfWork]:
        """One unit of work: everything in it is committed together, or nothing is.

        Cancelled in its body, it never happened. Once its body has run to its end it is committed (and `wake` is
        called) even if this task is cancelled meanwhile: a commit cut short would leave open whether it happened.
        """
        async with self._writer, self._transaction(writes=True) as connection:
            unit = UnitOfWork(connection, self._vault, self._clock())
            yield unit
            unit.check()
            await finish(self._commit(connection, unit))

    async def _commit(self, connection: AsyncConnection, unit: UnitOfWork) -> None:
        if unit.erased:
            await self._write_down(await self._settle(unit), unit, "erased", unit.erased)
        await connection.commit()
        self.settle(frozenset(unit.rooms_to_settle))
        self.wake(frozenset(unit.rooms_to_wake))

    async def begin(self) -> None:
        """Make sure of what a bot relies on, before anything is due; raises DatabaseFault, JournalFault.

        It is no bare copy of a backup, and what the journal names but is there still is known as kept (`_settle`).
        """
        async with self.unit() as uow:
            origin = await uow.backups.origin()
            if origin is not None and not origin.loaded:
                raise DatabaseFault("the database is a backup: move it away, and bring it back with `wenk restore`")
            await self._settle(uow)

    async def _settle(self, unit: UnitOfWork) -> Journal:
        """What the journal names after the last commit, but is there still, was kept: say so in the journal.

        Raises JournalFault if it is not this database's journal, or an old copy of it.
        """
        if self._journal is None:
            raise JournalFault("without its journal nothing is erased")
        mark = await unit.journaled.mark()
        if mark is None:
            raise JournalFault("the database has no journal of erasures yet: run `wenk init`, which begins one")
        named = {ref for entry in self._journal.since(mark) for ref in entry.refs}
        kept = [ref for ref in sorted(named) if await unit.signals.exists(ref)]
        if kept:
            await self._write_down(self._journal, unit, "kept", tuple(kept))
        return self._journal

    async def _write_down(self, journal: Journal, unit: UnitOfWork, word: Word, refs: tuple[str, ...]) -> None:
        """A line in the journal, on disk before this unit is committed."""
        mark = await asyncio.to_thread(journal.append, word, refs, _ms(self._clock()))
        await unit.journaled.reached(mark)

    async def compact_journal(self, older_than: timedelta) -> None:
        """Drop from the journal what is of use to no backup any more."""
        if self._journal is not None:
            async with self._writer:
                await finish(asyncio.to_thread(self._journal.compact, _ms(self._clock() - older_than)))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work that only reads, beside the writer; what it should write is rolled back."""
        async with self._transaction(writes=False) as connection:
            yield UnitOfWork(connection, self._vault, self._clock())

    @asynccontextmanager
    async def _transaction(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        """A transaction that is rolled back unless it was committed."""
        connection = self._engine.connect()
        try:
            await finish(connection.start())
            await connection.execution_options(**{_WRITES: writes})
            await finish(connection.begin())
            yield connection
        finally:
            if connection.sync_connection is not None:
                await finish(connection.close())

    async def scrub(self) -> bool:
        """Make SQLite forget what was deleted: copy the write-ahead log back and empty it.

        A reader in between makes it answer "busy" without an error; then False, and it is to be tried again. On
        PostgreSQL that is the work of VACUUM and of the server's own log keeping.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        async with self._writer:
            return await finish(self._empty_log())

    async def _empty_log(self) -> bool:
        async with self._engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            if driver is None:
                return False
            # While it waits for a reader nobody can write.
            await driver.execute(f"PRAGMA busy_timeout={_SCRUB_TIMEOUT_MS}")
            try:
                cursor = await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                (busy, _log, _done) = await cursor.fetchone()
                await cursor.close()
            finally:
                await driver.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
            return not busy

    async def ping(self) -> None:
        """Raises if the database does not answer."""
        async with self._transaction(writes=False) as connection:
            await finish(connection.execute(text("SELECT 1")))
