"""A house on each database, or only its storage."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.storage.archive import Archive, open_archive
from tests.storage.house import House, open_house


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
