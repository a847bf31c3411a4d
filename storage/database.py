"""Opening the database, bringing it up to date, and the units of work in it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.weights import Frequencies
from storage.engine import BUSY_TIMEOUT_MS, WRITES, DatabaseFault, create_engine
from storage.journal import Journal, JournalFault, Word
from storage.keys import Keys, KeysFault
from storage.session import finish
from storage.trouble import explain, is_trouble
from storage.unit import UnitOfWork
from storage.vault import Vault

Clock = Callable[[], datetime]
Wake = Callable[[frozenset[str]], None]

_SCRUB_TIMEOUT_MS = 100


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


async def _bring_up_to_date(url: str) -> None:
    engine = create_engine(url, in_haste=False)
    try:
        async with engine.connect() as connection:
            await connection.execution_options(**{WRITES: True})
            async with connection.begin():
                await connection.run_sync(migrate)
    except DBAPIError as fault:
        raise DatabaseFault(f"the database cannot be opened: {explain(fault)}") from fault
    finally:
        await engine.dispose()


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Storage:
    """The database of one bot process.

    `wake` is called after every commit with the rooms it concerns (our own ids), so that what waits in the outbox
    goes out at once; `settle` with those whose members are not as they should be. `on_trouble` hears of every unit of
    work that failed because the database is not well. `often`: how common names are among the signals; in memory only,
    for what is stored of it would tell names.
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
        self.often: Frequencies | None = None
        self.on_trouble: Callable[[Exception], None] = lambda _fault: None

    @classmethod
    async def open(
        cls, url: str, vault: Vault, clock: Clock = system_clock, journal: Journal | None = None
    ) -> "Storage":
        """Open the database and bring it up to date; raises DatabaseFault. Without a journal nothing can be erased."""
        await finish(_bring_up_to_date(url))
        return cls(create_engine(url), vault, clock, journal)

    async def close(self) -> None:
        await self._engine.dispose()

    @property
    def clock(self) -> Clock:
        return self._clock

    async def take(self, keys: Keys) -> None:
        """Work with these keys from the next unit of work on.

        Raises KeysFault, and goes on with the old, if they lack one that is needed or are keys of something else. Who
        only reads meanwhile is not disturbed: the new keys open all that there is.
        """
        async with self._writer:
            async with self._transaction(writes=False) as connection:
                unit = UnitOfWork(connection, self._vault, self._clock(), self.often)
                if not keys.agree(self._vault.keys) or await unit.rotation.lacks(keys):
                    msg = "the keys file has changed, and lacks a key that is in use: put back its newest backup"
                    raise KeysFault(msg)
            self._vault.use(keys)

    @property
    def keys(self) -> Keys:
        """The keys in use."""
        return self._vault.keys

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[UnitOfWork]:
        """One unit of work: everything in it is committed together, or nothing is.

        Cancelled in its body, it never happened. Once its body has run to its end it is committed (and `wake` is
        called) even if this task is cancelled meanwhile: a commit cut short would leave open whether it happened.
        """
        async with self._writer, self._transaction(writes=True) as connection:
            unit = UnitOfWork(connection, self._vault, self._clock(), self.often)
            yield unit
            unit.check()
            await finish(self._commit(connection, unit))

    async def _commit(self, connection: AsyncConnection, unit: UnitOfWork) -> None:
        await unit.flush()
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
            yield UnitOfWork(connection, self._vault, self._clock(), self.often)

    @asynccontextmanager
    async def _transaction(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        """A transaction that is rolled back unless it was committed."""
        with self._noticing():
            connection = self._engine.connect()
            try:
                await finish(connection.start())
                await connection.execution_options(**{WRITES: writes})
                await finish(connection.begin())
                yield connection
            finally:
                if connection.sync_connection is not None:
                    await finish(connection.close())

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except Exception as fault:
            if is_trouble(fault):
                self.on_trouble(fault)
            raise

    async def scrub(self) -> bool:
        """Make SQLite forget what was deleted: copy the write-ahead log back and empty it.

        A reader in between makes it answer "busy" without an error; then False, and it is to be tried again. On
        PostgreSQL that is the work of VACUUM and of the server's own log keeping.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        with self._noticing():
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
                await driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            return not busy

    async def ping(self) -> None:
        """Raises if the database does not answer."""
        async with self._transaction(writes=False) as connection:
            await finish(connection.execute(text("SELECT 1")))
