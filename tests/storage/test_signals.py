"""How signals are found, and what their owner gets to see of them."""

from datetime import date

from sqlalchemy import select

from domain.address import Address
from domain.birth import BirthDate
from domain.child import Child
from domain.life import State
from handlers.matching import tags_of
from storage.schema import tag
from tests.storage.archive import OTHER, OWNER, Archive, a_child, place


async def stored_tags(archive: Archive, number: int) -> set[bytes]:
    return {row.tag for row in await archive.raw(select(tag.c.tag).where(tag.c.signal_id == number))}


async def test_tags_are_of_combined_fields_only(archive: Archive) -> None:
    """One field alone in common, and no row of the tags says so."""
    anna = a_child("Anna", "de Vries", 1)
    others = {
        "surname": Child("Bert", "de Vries", BirthDate(2014, 5, 2), Address("home", "1011AB", 1)),
        "given name": Child("Anna", "Jansen", BirthDate(2013, 5, 3), Address("home", "2011AB", 2)),
        "birth date": Child("Chris", "Bakker", anna.born, Address("home", "3011AB", 3)),
        "address": Child("Daan", "Mulder", BirthDate(2012, 5, 4), anna.address),
    }
    async with archive.storage.unit() as uow:
        first = await place(uow, "S-000001", anna)
        rest = [await place(uow, f"S-1{at:05}", child, OTHER) for at, child in enumerate(others.values())]
    known = await stored_tags(archive, first.id)
    assert known
    for field, signal in zip(others, rest, strict=True):
        assert not known & await stored_tags(archive, signal.id), field


async def test_the_same_child_is_found_whoever_typed_it(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        mine = await place(uow, "S-000001", a_child("Sanne", "de Vries"))
        theirs = await place(uow, "S-000002", a_child("SANNE", "Vries, de"), OTHER)
        await place(uow, "S-000003", Child("Lotte", "de Vries", BirthDate(2012, 5, 4), Address("none")), OTHER)
    async with archive.storage.reading() as uow:
        assert [one.ref for one in await uow.signals.found_by(tags_of(a_child()))] == [mine.ref, theirs.ref]
        assert await uow.signals.found_by(()) == []


async def test_a_child_without_tags_can_be_placed(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        child = a_child()
        signal = await uow.signals.add(
            ref="S-000001", owner=OWNER, basis="jeugdwet", child=child, active_until=uow.today, look_on=uow.today,
            tags=(), remind_on=uow.today,
        )  # fmt: skip
        await uow.audit.write(OWNER, "signal.placed", signal.key)
    assert await stored_tags(archive, signal.id) == set()


async def test_what_was_typed_comes_back_as_it_was(archive: Archive) -> None:
    child = Child("Zoë-Anne", "van 't Øst", BirthDate(2015, 3), a_child().address)
    async with archive.storage.unit() as uow:
        placed = await place(uow, "S-000001", child)
    async with archive.storage.reading() as uow:
        assert await uow.signals.get(placed.id) == placed
        assert placed.child == child
        assert await uow.signals.get(placed.id + 1) is None


async def test_somebody_elses_reference_does_not_exist(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await place(uow, "S-000001")
        assert await uow.signals.owned(OTHER, "S-000001") is None
        assert await uow.signals.owned(OWNER, "S-000001") is not None


async def test_what_is_to_be_looked_at_is_found_by_its_day(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        late, early = await place(uow, "S-000001"), await place(uow, "S-000002", a_child("Lotte"))
        await uow.signals.look_again(late, date(2026, 5, 2))
        early = await uow.signals.set_state(early, State.INACTIVE, date(2026, 4, 1), date(2026, 5, 1))
        await uow.audit.write("wenk", "signal.expired", early.key)
        assert await uow.signals.to_look_at(date(2026, 4, 30), 10) == []
        assert await uow.signals.to_look_at(date(2026, 5, 1), 10) == [early]
        assert await uow.signals.to_look_at(date(2026, 5, 2), 10) == [early, late]
        assert await uow.signals.to_look_at(date(2026, 5, 2), 1) == [early]
