"""Storage by itself, without handlers: what the tests of its promises put in, and look at from outside."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Row, select

from domain.address import parse_address
from domain.birth import BirthDate
from domain.child import Child
from handlers.matching import tags_of
from storage.audit import Head
from storage.database import Storage
from storage.journal import Journal
from storage.keys import Keys
from storage.schema import metadata
from storage.signals import Signal
from storage.unit import UnitOfWork
from storage.vault import Vault

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OWNER = "@owner:localhost"
OTHER = "@other:localhost"


def a_child(given: str = "Sanne", surname: str = "de Vries", day: int = 14) -> Child:
    return Child(given, surname, BirthDate(2015, 3, day), parse_address("9203 ZX 95a"))


def a_stranger(at: int) -> Child:
    """A child that shares no tag with one of another number."""
    letters = chr(ord("a") + at // 26) + chr(ord("a") + at % 26)
    born = date(2010, 1, 1) + timedelta(days=at)
    address = parse_address(f"{1000 + at} AB {1 + at}")
    return Child(f"Sanne{letters}", f"Vries{letters}", BirthDate(born.year, born.month, born.day), address)


async def place(uow: UnitOfWork, ref: str, child: Child | None = None, owner: str = OWNER) -> Signal:
    """Place a signal in a unit of work, and write it down."""
    child = child or a_child()
    signal = await uow.signals.add(
        ref=ref, owner=owner, basis="jeugdwet", child=child, active_until=date(2028, 3, 2), look_on=date(2028, 2, 1),
        tags=tags_of(child), remind_on=uow.today,
    )  # fmt: skip
    await uow.audit.write(owner, "signal.placed", signal.key)
    return signal


def on_disk(storage: Storage) -> bytes:
    """All bytes of SQLite's files: the database, its write-ahead log, its shared memory."""
    if storage._engine.dialect.name != "sqlite":
        return b""
    path = Path(storage._engine.url.database or "")
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))


async def contents(storage: Storage) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    async with storage._engine.begin() as connection:
        return {
            table.name: sorted((tuple(row) for row in await connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


class Archive:
    """One database with two people, its keys, and a clock that the test moves."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.keys = Keys.create(directory / "keys.json")
        self.vault = Vault(self.keys)
        self.journal_file = directory / "erased.journal"
        self.now = START
        self.storage: Storage

    async def open_another(self) -> Storage:
        """A second Storage on the same database, as a second process would have."""
        journal = Journal.open(self.journal_file) if self.journal_file.exists() else Journal.create(self.journal_file)
        return await Storage.open(self.url, self.vault, lambda: self.now, journal)

    async def raw(self, statement: Executable) -> Sequence[Row[Any]]:
        """Past all repositories, as somebody with access to the database could."""
        async with self.storage._engine.begin() as connection:
            result = await connection.execute(statement)
            return result.all() if result.returns_rows else []

    def on_disk(self) -> bytes:
        return on_disk(self.storage)

    async def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        return await contents(self.storage)

    async def head(self) -> Head:
        """The newest line of the audit log."""
        async with self.storage.reading() as uow:
            return await uow.audit.head()

    async def desk(self, user_id: str = OWNER) -> str:
        """Our id of somebody's desk."""
        async with self.storage.unit() as uow:
            return (await uow.rooms.desk(user_id)).id


@asynccontextmanager
async def open_archive(url: str, directory: Path) -> AsyncIterator[Archive]:
    archive = Archive(url, directory)
    archive.storage = await archive.open_another()
    try:
        async with archive.storage.unit() as uow:
            await uow.people.ensure_region("Smallingerland")
            await uow.journaled.reached(Journal.open(archive.journal_file).mark)
            for user_id in (OWNER, OTHER):
                await uow.people.add_coordinator(user_id, "nl")
            await uow.audit.write("wenk", "coordinator.added")
        yield archive
    finally:
        await archive.storage.close()
