"""A house on each database, or only its storage."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.postgres import LocalPostgres, local_postgres
from tests.storage.archive import Archive, open_archive
from tests.storage.house import House, open_house


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPostgres]:
    """A PostgreSQL of a module's own, to be maltreated."""
    with local_postgres() as server:
        yield server


@pytest.fixture
def url(server: LocalPostgres) -> Iterator[str]:
    """An empty database on it."""
    with server.fresh_database() as url:
        yield url


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(database_url, tmp_path) as house:
        yield house


@pytest.fixture
async def archive(database_url: str, tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(database_url, tmp_path) as archive:
        yield archive


@pytest.fixture
async def sqlite_archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(f"sqlite+aiosqlite:///{tmp_path / 'wenk.db'}", tmp_path) as archive:
        yield archive
