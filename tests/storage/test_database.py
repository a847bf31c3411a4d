"""Opening a database: how it stands afterwards, and which ones are refused."""

import asyncio
from datetime import date
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from domain.notice import Notice
from storage.database import Storage, _migrations
from storage.engine import DatabaseFault
from storage.keys import Keys
from storage.schema import metadata, person, region, signal
from storage.signals import pack
from storage.vault import Vault
from tests.storage.archive import OWNER, Archive, a_child, place

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "secure_delete": 1,
    "busy_timeout": 10_000,
}


async def test_every_connection_to_sqlite_is_safe(sqlite_archive: Archive) -> None:
    storage = sqlite_archive.storage
    async with storage.reading() as one, storage.reading() as two, storage.unit() as three:
        for uow in (one, two, three):
            for pragma, value in PRAGMAS.items():
                assert await uow._session.value(text(f"PRAGMA {pragma}")) == value, pragma


async def test_scrubbing_leaves_the_connection_as_it_was(sqlite_archive: Archive) -> None:
    assert await sqlite_archive.storage.scrub()
    async with sqlite_archive.storage.unit() as uow:
        for pragma, value in PRAGMAS.items():
            assert await uow._session.value(text(f"PRAGMA {pragma}")) == value, pragma


async def test_a_row_cannot_hang_on_nothing(archive: Archive) -> None:
    with pytest.raises(IntegrityError):
        async with archive.storage.unit() as uow:
            await place(uow, "S-000001", owner="@nobody:localhost")


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


async def test_migrating_from_nothing_gives_exactly_the_schema(archive: Archive) -> None:
    async with archive.storage._engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_opening_again_changes_nothing(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await place(uow, "S-000001")
    again = await archive.open_another()
    async with again.reading() as uow:
        assert await uow.signals.exists("S-000001")
    await again.close()


async def test_two_processes_may_open_an_empty_database_together(database_url: str, tmp_path: Path) -> None:
    vault = Vault(Keys.create(tmp_path / "keys.json"))
    both = await asyncio.gather(*(Storage.open(database_url, vault) for _ in range(2)))
    for storage in both:
        await storage.ping()
        await storage.close()


def _before_reminders(connection: Connection) -> None:
    """What a version of before would have left."""
    config = _migrations()
    config.attributes["connection"] = connection
    every = ScriptDirectory.from_config(config).walk_revisions()
    (reminders,) = [each for each in every if each.path.endswith("_reminders.py")]
    assert isinstance(reminders.down_revision, str)
    command.downgrade(config, reminders.down_revision)


async def test_signals_of_before_reminders_are_kept_and_looked_at_in_time(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        placed = await place(uow, "S-000001")
    async with archive.storage._engine.begin() as connection:
        await connection.run_sync(_before_reminders)
    again = await archive.open_another()
    async with again.reading() as uow:
        (found,) = await uow.signals.to_look_at(placed.placed_on, 10)
        assert found == placed
        assert not found.reminded
    await again.close()


async def test_a_newer_database_is_refused_and_left_alone(archive: Archive) -> None:
    await archive.raw(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseFault, match="newer than this Wenk"):
        await archive.open_another()
    assert [row.version_num for row in await archive.raw(text("SELECT version_num FROM alembic_version"))] == ["9999"]


async def test_a_migration_that_fails_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    engine = create_async_engine(database_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE tag (in_the_way INTEGER)"))
        with pytest.raises(DatabaseFault):
            await Storage.open(database_url, Vault(Keys.create(tmp_path / "keys.json")))
        async with engine.connect() as connection:
            assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == ["tag"]
    finally:
        await engine.dispose()


@pytest.mark.parametrize(
    ("url", "what_to_do"),
    [
        ("mysql://localhost/wenk", "use sqlite"),
        ("sqlite:///wenk.db", "use sqlite"),
        ("sqlite+aiosqlite:////nowhere/at/all/wenk.db", "no directory /nowhere/at/all"),
        ("postgresql+psycopg://wenk@/wenk?host=/nowhere/at/all", "check storage.url"),
    ],
)
async def test_what_cannot_be_opened_says_what_to_do(url: str, what_to_do: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseFault, match=what_to_do):
        await Storage.open(url, Vault(Keys.create(tmp_path / "keys.json")))


def test_migrations_are_found_in_any_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.database.__file__", "/100%sure/storage/database.py")
    assert _migrations().get_main_option("script_location") == "/100%sure/storage/migrations"


async def test_signals_of_the_first_version_are_kept_and_their_families_are_asked_about(
    database_url: str, tmp_path: Path
) -> None:
    """Of before it was sealed who must be told: the rows go, and the signals and whom to tell are the same."""
    vault = Vault(Keys.create(tmp_path / "keys.json"))
    child = a_child()
    key, wrapped = vault.new_signal_key("S-000001")
    engine = create_async_engine(database_url)

    def make(connection: Connection) -> None:
        config = _migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")

    try:
        async with engine.begin() as connection:
            await connection.run_sync(make)
            await connection.execute(insert(region).values(id=1, name="Smallingerland"))
            await connection.execute(
                insert(person).values(
                    user_id=OWNER, region_id=1, coordinator=False, professional="active", full_name="", function="",
                    email="", phone="", language="nl",
                )
            )  # fmt: skip
            await connection.execute(
                insert(signal).values(
                    id=7, region_id=1, ref="S-000001", owner=OWNER, state="active", basis="jeugdwet",
                    placed_on=date(2026, 3, 2), active_until=date(2028, 3, 2), look_on=date(2028, 3, 2),
                    key_version=vault.master_version, wrapped_key=wrapped, sealed_child=key.seal(pack(child)),
                )
            )  # fmt: skip
            await connection.execute(text("INSERT INTO notice (signal_id, addressee) VALUES (7, 'parents')"))
    finally:
        await engine.dispose()
    storage = await Storage.open(database_url, vault)
    async with storage.reading() as uow:
        found = await uow.signals.get(7)
        assert found is not None
        assert found.child == child
        assert await uow.notices.get(found) == Notice(must=("parents",), since=date(2026, 3, 2))
        assert await uow.notices.to_look_at(date(2026, 3, 2), 10) == [[7]]
    await storage.close()
