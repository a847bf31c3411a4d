"""The database is in trouble while many commands are under way: nothing is acknowledged that is not kept, there is an
alarm, and when the trouble is over all goes on by itself, each command answered once."""

import asyncio
import errno
import logging
import resource
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import event, make_url, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from bot.metrics import Metrics
from bot.watch import Watch
from domain.region import Region
from storage import engine, postgresql
from storage.database import Storage
from storage.schema import signal as signal_table
from storage.trouble import explain, is_trouble
from tests.postgres import LocalPostgres
from tests.storage.archive import OTHER, Archive, open_archive
from tests.storage.house import ANNA
from tests.storage.test_sqlite import locked
from tests.storage.wire import Machine, Wire, open_wire

PEOPLE: Final = {f"@{given.lower()}:localhost": given for given in ("Ada", "Bram", "Cem", "Dewi", "Ezra", "Femke")}
"""Who takes part, and the given name of the children that they signal."""
SIGNALS: Final = 4
"""How many each of them places."""
WITHIN_S: Final = 90
MINUTE_S: Final = 60

Trouble = Callable[[], AbstractAsyncContextManager[None]]


class Busy:
    """People who place signals one after the other, the bot that answers them, and the watch over its database."""

    def __init__(self, wire: Wire, desks: dict[str, str]) -> None:
        self.wire = wire
        self.metrics = Metrics()
        self.watch = Watch(wire.storage, wire.region, self.metrics)
        self.watch.on_recovery = self._recovered
        self._desks = desks
        self._heard = wire.storage.on_trouble
        wire.storage.on_trouble = self._notice
        self.in_trouble, self.well_again = asyncio.Event(), asyncio.Event()
        self._moved = asyncio.Condition()
        self.said: list[str] = []

    def _notice(self, fault: Exception) -> None:
        self._heard(fault)
        self.in_trouble.set()

    def _recovered(self) -> None:
        self.well_again.set()

    def placed(self) -> list[str]:
        """The references that people were told at their desks."""
        return [card["ref"] for _room, card in self.wire.cards if card["kind"] == "signal.placed"]

    def alarms(self) -> list[Machine]:
        return [card for _room, card in self.wire.cards if card["kind"] == "alarm"]

    def alarm(self) -> float | None:
        return self.metrics.registry.get_sample_value("wenk_alarm", {"code": "database"})

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S), self._moved:
            await self._moved.wait_for(condition)

    async def talk(self, who: str) -> None:
        """Somebody places signals, and waits for each answer."""
        for number in range(SIGNALS):
            for text in (f"signaal {PEOPLE[who]}; Achterberg; {number + 1:02}-05-2016; geen", "ja"):
                said = await self.wire.says(who, text, self._desks[who])
                self.said.append(said)
                await self.until(lambda said=said: bool(self.wire.answers(said)))  # type: ignore[misc]  # no type of a default

    async def work(self) -> None:
        """As the bot: side by side for different rooms, and again after a fault."""
        while True:
            try:
                await self._round()
            except Exception as fault:
                if not is_trouble(fault):
                    raise
            async with self._moved:
                self._moved.notify_all()
            await asyncio.sleep(0.02)  # the pace of trying again

    async def _round(self) -> None:
        await self.wire.take_in()
        async with self.wire.storage.reading() as uow:
            rooms = await uow.inbox.rooms_with_work()
        done = await asyncio.gather(*(self.wire.handle(room) for room in rooms), return_exceptions=True)
        await self.wire._send_all()
        for fault in done:
            if isinstance(fault, BaseException):
                raise fault


@asynccontextmanager
async def busy_on(url: str, directory: Path) -> AsyncIterator[Busy]:
    async with open_wire(url, directory, [ANNA]) as wire:
        for who, name in PEOPLE.items():
            await wire.admit(who, f"Organisatie {name}", name)
        busy = Busy(wire, {who: await wire.desk(who) for who in PEOPLE})
        try:
            yield busy
        finally:
            await busy.watch.stop()


async def all_goes_well(busy: Busy, trouble: Trouble, caplog: pytest.LogCaptureFixture) -> None:
    """People talk, trouble comes in the middle and goes: what must have come of it."""
    with caplog.at_level(logging.WARNING):
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(busy.work())
            talking = [tasks.create_task(busy.talk(who)) for who in PEOPLE]
            await busy.until(lambda: len(busy.placed()) >= len(PEOPLE))
            assert busy.alarm() == 0
            async with trouble():
                async with asyncio.timeout(WITHIN_S):
                    await busy.in_trouble.wait()
                assert busy.alarm() == 1
                told = len(busy.wire.cards)
                (said,) = [record.getMessage() for record in caplog.records if record.name == "bot.watch"]
            await asyncio.gather(*talking)
            async with asyncio.timeout(WITHIN_S):
                await busy.well_again.wait()
            await busy.until(lambda: bool(busy.alarms()))
            working.cancel()
    assert said.startswith("the database: ")
    assert told < len(busy.wire.cards), "all had been said before the trouble: the test shows nothing"
    assert busy.alarm() == 0
    assert [alarm["code"] for alarm in busy.alarms()] == ["database"]
    assert [len(busy.wire.answers(said)) for said in busy.said] == [1] * (2 * SIGNALS * len(PEOPLE))
    async with busy.wire.storage.reading() as uow:
        await uow.audit.verify()
        kept = [row.ref for row in await uow._session.all(select(signal_table.c.ref))]
    assert sorted(kept) == sorted(busy.placed())
    assert len(kept) == SIGNALS * len(PEOPLE)


@asynccontextmanager
async def disk_full() -> AsyncIterator[None]:
    """No file of this process can grow any more: the kernel itself refuses, as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def read_only(storage: Storage) -> Trouble:
    """SQLite refuses to write on any connection, with the error of a read-only disk; rights bind no root."""
    switch = ["OFF"]

    def checkout(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 (SQLAlchemy's own)
        connection.cursor().execute(f"PRAGMA query_only={switch[0]}")

    event.listen(storage._engine.sync_engine, "checkout", checkout)

    @asynccontextmanager
    async def trouble() -> AsyncIterator[None]:
        switch[0] = "ON"
        yield
        switch[0] = "OFF"

    return trouble


@pytest.mark.parametrize("what", ["locked", "full", "read-only"])
async def test_sqlite_in_trouble(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Ten seconds in real life: how long it waits for a lock before it is trouble.
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 100)
    file = tmp_path / "wenk.db"
    async with busy_on(f"sqlite+aiosqlite:///{file}", tmp_path) as busy:

        @asynccontextmanager
        async def locked_by_another() -> AsyncIterator[None]:
            async with locked(file):
                yield

        troubles: dict[str, Trouble] = {
            "locked": locked_by_another,
            "full": disk_full,
            "read-only": read_only(busy.wire.storage),
        }
        await all_goes_well(busy, troubles[what], caplog)
    assert {"locked": "SQLITE_BUSY", "full": "its disk is full", "read-only": "SQLITE_READONLY"}[what] in caplog.text


async def test_sqlite_locked_for_a_minute(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same with the patience of real life, as long as an administrator's copy program may take."""
    file = tmp_path / "wenk.db"
    async with busy_on(f"sqlite+aiosqlite:///{file}", tmp_path) as busy:

        @asynccontextmanager
        async def locked_by_another() -> AsyncIterator[None]:
            async with locked(file):
                until = time.monotonic() + MINUTE_S
                yield
                assert busy.alarm() == 1
                await asyncio.sleep(until - time.monotonic())
                assert busy.alarm() == 1

        await all_goes_well(busy, locked_by_another, caplog)


def stopped(server: LocalPostgres, how: signal.Signals) -> Trouble:
    @asynccontextmanager
    async def trouble() -> AsyncIterator[None]:
        await asyncio.to_thread(server.stop, how)
        try:
            yield
        finally:
            await asyncio.to_thread(server.start)

    return trouble


def standby(server: LocalPostgres) -> Trouble:
    """Every new transaction is read-only, as on a standby, or where a host does so before the disk is full."""

    @asynccontextmanager
    async def trouble() -> AsyncIterator[None]:
        with server.connect() as connection:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")
            try:
                yield
            finally:
                connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
                connection.execute("SELECT pg_reload_conf()")

    return trouble


def lock_taken(server: LocalPostgres, url: str) -> Trouble:
    """Somebody else holds the writers' lock."""

    @asynccontextmanager
    async def trouble() -> AsyncIterator[None]:
        with server.connect(str(make_url(url).database)) as other:
            await asyncio.to_thread(other.execute, f"SELECT pg_advisory_lock({engine._WRITER_LOCK})")
            yield

    return trouble


def soon(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """One of the server's limits is half a second, instead of its tens of seconds."""
    begin, _, rest = postgresql._HASTE.partition(f"{setting} = '")
    monkeypatch.setattr(postgresql, "_HASTE", f"{begin}{setting} = '500ms'{rest[rest.index(chr(39)) + 1 :]}")


@pytest.mark.parametrize("what", ["restarted", "crashed", "read-only", "locked"])
async def test_postgresql_in_trouble(
    what: str, server: LocalPostgres, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    soon(monkeypatch, "lock_timeout")
    troubles: dict[str, Trouble] = {
        "restarted": stopped(server, signal.SIGINT),
        "crashed": stopped(server, signal.SIGQUIT),
        "read-only": standby(server),
        "locked": lock_taken(server, url),
    }
    async with busy_on(url, tmp_path) as busy:
        await all_goes_well(busy, troubles[what], caplog)
    words = {"read-only": "25006", "locked": "55P03"}
    assert words.get(what, "it does not answer") in caplog.text


@pytest.fixture
async def archive(url: str, tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(url, tmp_path) as archive:
        yield archive


async def test_a_server_that_hangs_holds_nobody_up_for_long(
    archive: Archive, server: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "ANSWER_WITHIN_S", 1.0)
    monkeypatch.setitem(postgresql._LINE, "connect_timeout", 2)
    await archive.storage.close()  # its connections still have the limits of real life
    heard: list[Exception] = []
    archive.storage.on_trouble = heard.append

    async def in_the_middle() -> None:
        async with archive.storage.unit() as uow:
            with server.standing_still():
                await uow.rooms.desk(OTHER)

    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(DBAPIError):
            await in_the_middle()
        with server.standing_still(), pytest.raises(DBAPIError):
            await archive.desk()
        await archive.desk()
    assert len(heard) == 2


async def test_who_stands_still_in_a_unit_of_work_loses_the_lock(
    archive: Archive, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is suspended, or whose machine is gone, has the writers' lock: not for ever."""
    soon(monkeypatch, "idle_in_transaction_session_timeout")
    suspended = await postgresql.connect(make_url(url), in_haste=True)
    try:
        await suspended.execute(f"SELECT pg_advisory_xact_lock({engine._WRITER_LOCK})")
        async with asyncio.timeout(WITHIN_S):
            await archive.desk()
    finally:
        await suspended.close()


async def test_migrations_and_backups_may_take_long(url: str) -> None:
    for in_haste, limit in ((True, "15s"), (False, "0")):
        connection = await postgresql.connect(make_url(url), in_haste=in_haste)
        answer = await (await connection.execute("SHOW statement_timeout")).fetchone()
        await connection.close()
        assert answer == (limit,)
        assert (connection.answer_within_s is None) is not in_haste


async def test_a_database_that_is_ill_again_and_again_writes_no_card_each_time(
    sqlite_archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    storage, sleep = sqlite_archive.storage, asyncio.sleep

    async def note(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr("bot.watch.asyncio.sleep", note)
    watch = Watch(storage, Region(name="Smallingerland", coordinators=(ANNA,)), Metrics())
    for _ in range(14):
        recovered = asyncio.Event()
        watch.on_recovery = recovered.set
        watch.failed(OSError())
        await recovered.wait()
    assert slept[:4] == [1, 2, 4, 8]
    assert slept[-1] == 3600


def test_what_was_asked_of_the_database_is_no_trouble_of_its_own() -> None:
    """Else a message that makes a handler break a rule of the tables would be tried for ever, and never answered."""
    assert not is_trouble(IntegrityError("INSERT", {}, sqlite3.IntegrityError()))
    assert not is_trouble(ValueError())
    for fault in (
        OperationalError("INSERT", {}, sqlite3.OperationalError()),
        sqlite3.OperationalError(),
        OSError(28, ""),
    ):
        assert is_trouble(fault)


def test_the_words_for_it_hold_nothing_of_what_was_said() -> None:
    for fault in (
        OperationalError("INSERT Sanne", {"given": "Sanne"}, sqlite3.OperationalError("Sanne")),
        OperationalError("INSERT Sanne", {"given": "Sanne"}, psycopg.OperationalError("Sanne")),
        OSError(errno.ENOSPC, "Sanne", "Sanne"),
    ):
        assert "Sanne" not in explain(fault)
