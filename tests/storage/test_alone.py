"""One Wenk per database, wherever its data directory is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from storage import alone as module
from storage.alone import AlreadyRunning, alone
from storage.engine import DatabaseFault
from tests.postgres import LocalPostgres

WITHIN_S = 60


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT", "300ms")


async def is_refused(url: str) -> bool:
    try:
        async with alone(url):
            return False
    except AlreadyRunning:
        return True


async def test_the_second_is_refused_until_the_first_has_ended(database_url: str) -> None:
    async with alone(database_url):
        assert await is_refused(database_url)
    assert not await is_refused(database_url)


async def test_a_symbolic_link_leads_to_the_same_database(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "wenk.db").touch()
    (tmp_path / "linked.db").symlink_to(tmp_path / "real" / "wenk.db")
    async with alone(f"sqlite+aiosqlite:///{tmp_path / 'real' / 'wenk.db'}"):
        assert await is_refused(f"sqlite+aiosqlite:///{tmp_path / 'linked.db'}")


async def test_a_database_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(DatabaseFault, match=r"check storage\.url"):
        async with alone("postgresql+psycopg://wenk@/wenk?host=/nowhere/at/all"):
            pass


def holder(server: LocalPostgres, url: str) -> int | None:
    """The process of the server that has the lock."""
    with server.connect(str(make_url(url).database)) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
        ).fetchone()
    return row[0] if row else None


@asynccontextmanager
async def kept(url: str) -> AsyncIterator[asyncio.Task[object]]:
    """Held, and kept so, as by a process that works."""
    async with alone(url) as keep:
        task = asyncio.create_task(keep())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_server_that_was_restarted_is_held_again(server: LocalPostgres, url: str) -> None:
    async with kept(url) as keeping:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(WITHIN_S):
            while holder(server, url) is None:
                await asyncio.sleep(0.05)
        assert await is_refused(url)
        assert not keeping.done()


async def test_who_lost_its_hold_to_another_ends(server: LocalPostgres, url: str) -> None:
    async with kept(url) as keeping:
        pid = holder(server, url)
        other = await psycopg.AsyncConnection.connect(
            host=str(server.directory), user="wenk", dbname=str(make_url(url).database), autocommit=True
        )
        async with other, asyncio.timeout(WITHIN_S):
            waiting = asyncio.create_task(other.execute(f"SELECT pg_advisory_lock({module._ONLY_ONE})"))
            with server.connect() as connection:
                while not connection.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'").fetchone():
                    await asyncio.sleep(0.01)
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
            await waiting
            with pytest.raises(AlreadyRunning):
                await keeping
