"""Who of a family was told: sealed, the same on the outside for every family."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from domain.birth import BirthDate
from domain.child import Child
from domain.notice import ADDRESSEES, Notice
from storage.approvals import Decision, Subject
from storage.schema import approval, notice
from storage.vault import Unsealable
from tests.storage.archive import OWNER, Archive, a_child, place

YOUNG, BETWEEN, OLD = 2020, 2013, 2008


def born_in(year: int) -> Child:
    child = a_child()
    return Child(child.given, child.surname, BirthDate(year, 1, 1), child.address)


async def put(archive: Archive, changed: Notice, number: int = 0) -> None:
    async with archive.storage.unit() as uow:
        signal = (await uow.signals.of_owner(OWNER))[number]
        await uow.notices.put(signal, changed, uow.today)
        await uow.audit.write(OWNER, "notice.told", signal.key)


async def test_what_is_put_is_got(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        signal = await place(uow, "S-000001", born_in(BETWEEN))
        fresh = await uow.notices.get(signal)
    assert fresh == Notice(must=ADDRESSEES, since=signal.placed_on)
    for changed in (
        fresh.tick(("child",), date(2026, 3, 1)),
        fresh.tick(ADDRESSEES, date(2026, 3, 5)).tick(("parents",), date(2026, 2, 1)),
        fresh.postpone(date(2026, 4, 1)),
    ):
        await put(archive, changed)
        async with archive.storage.reading() as uow:
            assert await uow.notices.get(signal) == changed


async def test_the_database_does_not_tell_whom_one_must_tell(archive: Archive) -> None:
    """Whatever happened to it, and whoever had to be told: one row, as long, and the day says nothing."""
    async with archive.storage.unit() as uow:
        for number, year in enumerate((YOUNG, BETWEEN, OLD)):
            await place(uow, f"S-00000{number}", born_in(year))
        signals = await uow.signals.of_owner(OWNER)
        notices = await uow.notices.of(signals)
    assert [notices[signal.id].must for signal in signals] == [("parents",), ADDRESSEES, ("child",)]
    untouched = await archive.raw(select(notice.c.look_on, notice.c.sealed))
    for number, signal in enumerate(signals):
        known = notices[signal.id]
        await put(
            archive, known.tick(known.must, date(2026, 3, 1)) if number else known.postpone(date(2026, 4, 1)), number
        )
    rows = await archive.raw(select(notice.c.look_on, notice.c.sealed))
    assert len(rows) == len(signals)
    assert len({(row.look_on, len(row.sealed)) for row in (*untouched, *rows)}) == 1
    assert set(notice.c.keys()) == {"signal_id", "look_on", "sealed"}


async def test_a_notice_cannot_be_moved_to_another_signal(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        signals = [
            await place(uow, f"S-00000{number}", a_child(given)) for number, given in enumerate(("Sanne", "Tim"))
        ]
        fresh = await uow.notices.get(signals[0])
    await put(archive, fresh.tick(("parents",), date(2026, 3, 1)))
    sealed = (await archive.raw(select(notice.c.sealed).where(notice.c.signal_id == signals[0].id)))[0].sealed
    await archive.raw(update(notice).values(sealed=sealed))
    async with archive.storage.reading() as uow:
        with pytest.raises(Unsealable):
            await uow.notices.get(signals[1])


async def test_what_is_due_is_found_by_its_day(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        signals = [
            await place(uow, f"S-00000{number}", a_child(given)) for number, given in enumerate(("Sanne", "Tim"))
        ]
        await uow.notices.look_again(signals[0], uow.today + timedelta(days=3))
        await uow.notices.look_again(signals[1], None)
        for ahead, due in ((2, []), (3, [signals[0].id]), (400, [signals[0].id])):
            day = uow.today + timedelta(days=ahead)
            assert await uow.notices.to_look_at(day, 10) == ([due] if due else [])
            assert await uow.notices.count_to_look_at(day) == len(due)


async def test_what_is_due_is_found_by_whose_it_is_and_none_of_theirs_is_left(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        numbers = [(await place(uow, f"S-00000{number}", a_child())).id for number in range(5)]
        day = uow.today + timedelta(days=400)
        for limit in (1, 4, 5, 6):
            assert await uow.notices.to_look_at(day, limit) == [numbers]


async def test_an_approval_does_not_tell_what_is_asked_and_forgets_it_once_decided(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await uow.approvals.open("A-000001", OWNER, Subject("postpone", 1, "S-000001"))
        await uow.audit.write(OWNER, "notice.postponing")
    (row,) = await archive.raw(select(approval))
    assert not [value for value in row if isinstance(value, str) and ("postpone" in value or "S-" in value)]
    assert b"postpone" not in row.sealed
    async with archive.storage.unit() as uow:
        (waiting,) = await uow.approvals.open_ones()
        assert waiting.subject == Subject("postpone", 1, "S-000001")
        await uow.approvals.decide(waiting, Decision.YES)
        await uow.audit.write(OWNER, "postpone.yes")
    (row,) = await archive.raw(select(approval))
    assert (row.decision, row.sealed, row.lapses_at) == ("yes", None, None)
