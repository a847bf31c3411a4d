"""Introductions as the database has them."""

from tests.storage.archive import OTHER, Archive, a_stranger, place


async def test_who_joins_after_it_was_looked_up_is_found(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        first, second = await place(uow, "S-000001"), await place(uow, "S-000002", owner=OTHER)
        await uow.introductions.look_up([first.id, second.id])
        assert not await uow.introductions.open_ones_of_signals([first.id])
        number = await uow.introductions.open("M-000001", uow.today)
        for signal in (first, second):
            await uow.introductions.join(number, signal.owner, signal.id)
        assert [joined.id for joined in await uow.introductions.open_ones_of_signals([first.id])] == [number]


async def test_who_takes_part_is_found_beside_who_was_looked_up_and_does_not(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        number = await uow.introductions.open("M-000001", uow.today)
        joins, alone = await place(uow, "S-000001"), await place(uow, "S-000002", a_stranger(1))
        await uow.introductions.join(number, joins.owner, joins.id)
        await uow.introductions.look_up([joins.id, alone.id])
        assert [joined.id for joined in await uow.introductions.open_ones_of_signals([joins.id, alone.id])] == [number]
        assert not await uow.introductions.open_ones_of_signals([alone.id])
