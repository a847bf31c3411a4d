"""One unit of work: all of it or nothing, one writer at a time, and never without a line in the audit log."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from itertools import cycle

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.introducing import Pairing
from domain.life import State
from handlers.matching import tags_of
from storage.database import Storage
from storage.people import Person
from storage.schema import organisation
from storage.unit import Unaudited, UnitOfWork
from tests.storage.archive import OTHER, OWNER, START, Archive, a_child, place

CANCELLED = 80
"""How often a unit is cancelled somewhere."""


async def names(archive: Archive) -> set[str]:
    return {row.name for row in await archive.raw(select(organisation.c.name))}


async def found(organisation_name: str, uow: UnitOfWork) -> None:
    await uow.people.add_organisation(f"O-{organisation_name}", organisation_name, organisation_name)
    await uow.audit.write(OWNER, "organisation.added")


async def look_then_place(storage: Storage, number: int) -> int:
    """Look for the child and then place a signal on it; how many there were."""
    async with storage.unit() as uow:
        others = await uow.signals.found_by(tags_of(a_child()))
        await asyncio.sleep(0)
        await place(uow, f"S-{number:06}")
        return len(others)


async def test_who_signal_at_the_same_moment_see_each_other(archive: Archive) -> None:
    seen = await asyncio.gather(*(look_then_place(archive.storage, number) for number in range(8)))
    assert sorted(seen) == list(range(8))


async def test_two_processes_see_each_other_as_well(archive: Archive) -> None:
    second = await archive.open_another()
    storages = cycle((archive.storage, second))
    seen = await asyncio.gather(*(look_then_place(next(storages), number) for number in range(8)))
    await second.close()
    assert sorted(seen) == list(range(8))


async def test_a_unit_that_raises_leaves_nothing(archive: Archive) -> None:
    woken: list[frozenset[str]] = []
    archive.storage.wake = woken.append
    before = await archive.head()

    async def fail() -> None:
        async with archive.storage.unit() as uow:
            await found("gone", uow)
            await uow.rooms.desk(OWNER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await names(archive) == set()
    assert await archive.head() == before
    assert woken == []


async def test_a_fault_in_what_was_to_be_written_later_cannot_be_let_pass(archive: Archive) -> None:
    """Else the lines of the audit log that waited beside it would be missing, and all else committed."""
    before = await archive.head()

    async def let_pass() -> None:
        async with archive.storage.unit() as uow:
            await found("gone", uow)
            await uow.people.organisations()
            await uow.outbox.post("no such room", "help", {"wenk": {"kind": "help"}})
            await uow.audit.write(OWNER, "organisation.added")
            with suppress(DBAPIError):
                await uow.people.organisations()

    with pytest.raises(DBAPIError):
        await let_pass()
    assert await names(archive) == set()
    assert await archive.head() == before


async def test_what_is_new_is_announced_once_it_is_committed(archive: Archive) -> None:
    woken: list[frozenset[str]] = []
    archive.storage.wake = woken.append
    async with archive.storage.unit() as uow:
        desk = await uow.rooms.desk(OWNER)
        assert woken == []
    assert woken == [frozenset({desk.id})]


async def test_a_unit_cancelled_anywhere_happened_if_and_only_if_it_ran_to_its_end(archive: Archive) -> None:
    rng = random.Random(2026)
    woken: list[frozenset[str]] = []
    archive.storage.wake = woken.append
    ran: set[str] = set()

    async def unit(name: str) -> None:
        async with archive.storage.unit() as uow:
            await found(name, uow)
            uow.rooms_to_wake.add(name)
            ran.add(name)

    loop = asyncio.get_running_loop()
    begun = loop.time()
    await unit("whole")
    usual = loop.time() - begun
    for number in range(CANCELLED):
        task = asyncio.create_task(unit(f"cut {number}"))
        await asyncio.sleep(rng.uniform(0, 1.2 * usual))
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await names(archive) == ran
    assert set().union(*woken) == ran
    assert 0 < len(ran) <= CANCELLED, "none or all were cut: the test shows nothing"


@pytest.mark.parametrize("times", [1, 3])
async def test_a_commit_that_is_cancelled_is_finished_first(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    committing, go_on = asyncio.Event(), asyncio.Event()
    woken: list[frozenset[str]] = []
    commit = AsyncConnection.commit

    async def slow(self: AsyncConnection) -> None:
        committing.set()
        await go_on.wait()
        await commit(self)

    async def unit() -> None:
        async with archive.storage.unit() as uow:
            await found("kept", uow)

    monkeypatch.setattr(AsyncConnection, "commit", slow)
    archive.storage.wake = woken.append
    task = asyncio.create_task(unit())
    await committing.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    assert await names(archive) == {"kept"}
    assert len(woken) == 1


async def test_a_reader_neither_waits_for_the_writer_nor_sees_half_of_its_work(archive: Archive) -> None:
    async with archive.storage.unit() as writer:
        await found("half", writer)
        async with asyncio.timeout(5), archive.storage.reading() as reader:
            assert await reader.people.organisations() == []
    assert await names(archive) == {"half"}


async def test_only_units_of_work_change_anything(archive: Archive) -> None:
    async with archive.storage.reading() as uow:
        await found("never", uow)
        assert await uow.people.organisations()
    assert await names(archive) == set()


async def test_a_unit_has_one_moment(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        archive.now += timedelta(days=1)
        assert uow.now == START
        assert uow.today == START.date()


async def test_days_begin_in_amsterdam(archive: Archive) -> None:
    archive.now = START.replace(month=6, hour=22, minute=30)
    async with archive.storage.reading() as uow:
        assert uow.today == START.replace(month=6, day=3).date()


async def erase(uow: UnitOfWork) -> None:
    (signal,) = await uow.signals.of_owner(OWNER)
    await uow.signals.erase(signal)


async def freeze(uow: UnitOfWork) -> None:
    (signal,) = await uow.signals.of_owner(OWNER)
    await uow.signals.set_state(signal, State.FROZEN, None, uow.today)


async def pair(uow: UnitOfWork) -> None:
    (mine,), (theirs,) = await uow.signals.of_owner(OWNER), await uow.signals.of_owner(OTHER)
    await uow.pairs.decide(mine, theirs, Pairing.AUTO)


async def disclose(uow: UnitOfWork) -> None:
    (signal,) = await uow.signals.of_owner(OWNER)
    await uow.pairs.disclose(signal, OTHER, "match")


async def place_unaudited(uow: UnitOfWork) -> None:
    (known,) = await uow.signals.of_owner(OWNER)
    await uow.signals.add(
        ref="S-000003", owner=OWNER, basis="jeugdwet", child=known.child, active_until=uow.today, look_on=uow.today,
        tags=tags_of(known.child), remind_on=uow.today,
    )  # fmt: skip


async def admit(uow: UnitOfWork) -> None:
    await uow.people.save_professional(
        Person(
            user_id=OWNER, coordinator=False, professional="active", language="nl", organisation=None,
            full_name="Olga Owner", function="leraar", email="o@example.nl", phone="0512 123456",
        )
    )  # fmt: skip


EFFECTS: dict[str, Callable[[UnitOfWork], Awaitable[object]]] = {
    "a signal is placed": place_unaudited,
    "a signal is erased": erase,
    "a signal changes its state": freeze,
    "a pair is decided on": pair,
    "a signal is disclosed": disclose,
    "an introduction opens": lambda uow: uow.introductions.open("M-000002", uow.today),
    "somebody joins": lambda uow: uow.introductions.join(1, OTHER, 2),
    "somebody leaves": lambda uow: uow.introductions.leave(1, OWNER),
    "an introduction closes": lambda uow: uow.introductions.close(1),
    "a coordinator is made": lambda uow: uow.people.add_coordinator("@new:localhost", "nl"),
    "a professional is admitted": admit,
    "a professional is suspended": lambda uow: uow.people.set_standing(OWNER, "suspended"),
    "an organisation is added": lambda uow: uow.people.add_organisation("O-000001", "Halt", "halt"),
    "an identity is trusted anew": lambda uow: uow.people.unpin(OWNER),
}


@pytest.mark.parametrize("effect", EFFECTS)
async def test_nothing_happens_without_a_line_in_the_audit_log(sqlite_archive: Archive, effect: str) -> None:
    storage = sqlite_archive.storage
    async with storage.unit() as uow:
        mine = await place(uow, "S-000001")
        await place(uow, "S-000002", owner=OTHER)
        await uow.introductions.join(await uow.introductions.open("M-000001", uow.today), OWNER, mine.id)
    before = await sqlite_archive.contents()
    with pytest.raises(Unaudited):
        async with storage.unit() as uow:
            await EFFECTS[effect](uow)
    assert await sqlite_archive.contents() == before
    async with storage.unit() as uow:
        await EFFECTS[effect](uow)
        await uow.audit.write(OWNER, "done")
    assert await sqlite_archive.contents() != before
