"""Rooms as they should be: who is wanted, who is there, and who is not asked again."""

import pytest

from storage.rooms import Member, Room
from storage.unit import UnitOfWork
from tests.storage.archive import OTHER, OWNER, Archive

THIRD = "@third:localhost"


async def known(uow: UnitOfWork, identity: str) -> Room:
    room = await uow.rooms.get(identity)
    assert room is not None
    return room


async def member(uow: UnitOfWork, identity: str, user_id: str = OTHER) -> Member:
    return next(who for who in (await known(uow, identity)).members if who.user_id == user_id)


async def test_a_desk_is_made_once(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        assert await uow.rooms.desk_of(OWNER) is None
        desk = await uow.rooms.desk(OWNER)
    async with archive.storage.unit() as uow:
        assert await uow.rooms.desk(OWNER) == desk == await uow.rooms.desk_of(OWNER)
        assert await uow.rooms.desk(OTHER) != desk
        assert desk.wanted == {OWNER}
        assert (desk.purpose, desk.state, desk.matrix_id) == ("desk", "wanted", None)


async def test_a_desk_that_was_looked_up_is_the_same_and_who_had_none_has_one(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        desk = await uow.rooms.desk(OWNER)
    async with archive.storage.unit() as uow:
        await uow.rooms.look_up_desks([OWNER, OTHER])
        assert await uow.rooms.desk_id(OWNER) == desk.id
        other = await uow.rooms.desk_id(OTHER)
        assert desk.id != other == await uow.rooms.desk_id(OTHER) == (await uow.rooms.desk(OTHER)).id


async def test_a_rooms_name_is_random_and_says_nothing(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        number = await uow.introductions.open("M-000001", uow.today)
        await uow.audit.write("wenk", "introduction.opened")
        rooms = [await uow.rooms.desk(OWNER), await uow.rooms.desk(OTHER), await uow.rooms.of_introduction(number)]
        assert await uow.rooms.of_introduction(number) == rooms[2]
    assert len({room.alias for room in rooms}) == 3
    for room in rooms:
        assert room.alias.removeprefix("wenk-").isalnum()
        assert len(room.alias) == len("wenk-") + 32


@pytest.mark.parametrize(
    ("story", "invited_again"),
    [
        ([], True),
        (["invite"], False),
        (["invite", "join"], False),
        (["invite", "join", "leave"], False),
        (["invite", "leave"], False),
        (["invite", "join", "leave", "want"], True),
        (["invite", "leave", "want"], True),
        (["invite", "join", "want"], False),
        (["invite", "join", "unwant"], False),
        (["invite", "join", "unwant", "leave"], False),
        (["invite", "join", "unwant", "leave", "want"], True),
        (["unwant"], False),
        (["unwant", "want"], True),
        (["invite", "join", "leave", "want", "invite", "leave"], False),
    ],
)
async def test_who_left_is_not_invited_again_unless_asked_anew(
    archive: Archive, story: list[str], *, invited_again: bool
) -> None:
    async with archive.storage.unit() as uow:
        desk = await uow.rooms.desk(OWNER)
        assert await uow.rooms.want(desk.id, OTHER) == "none"
        for step in story:
            if step == "want":
                await uow.rooms.want(desk.id, OTHER)
            elif step == "unwant":
                await uow.rooms.unwant(desk.id, OTHER)
            else:
                assert await uow.rooms.saw(desk.id, OTHER, step)
                assert not await uow.rooms.saw(desk.id, OTHER, step), "nothing new"
        assert (await member(uow, desk.id)).to_invite is invited_again


async def test_who_was_never_meant_to_be_there_is_no_member(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        desk = await uow.rooms.desk(OWNER)
        assert not await uow.rooms.saw(desk.id, THIRD, "join")
        assert (await known(uow, desk.id)).wanted == {OWNER}


async def settled(uow: UnitOfWork, identity: str) -> bool:
    return identity not in await uow.rooms.unsettled()


async def test_a_room_is_unsettled_as_long_as_there_is_work(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        desk = (await uow.rooms.desk(OWNER)).id
        assert not await settled(uow, desk), "to be made"
        await uow.rooms.created(desk, "!desk")
        assert not await settled(uow, desk), "to be invited to"
        await uow.rooms.saw(desk, OWNER, "invite")
        assert await settled(uow, desk)
        await uow.rooms.saw(desk, OWNER, "leave")
        assert await settled(uow, desk), "who left stays away"
        card = await uow.outbox.post(desk, "help", {"body": "help", "wenk": {"kind": "help"}})
        assert not await settled(uow, desk), "to be posted in"
        await uow.outbox.sent(card, "$card")
        await uow.rooms.want(desk, OTHER)
        await uow.rooms.saw(desk, OTHER, "join")
        assert await settled(uow, desk)
        await uow.rooms.unwant(desk, OTHER)
        assert not await settled(uow, desk), "somebody is to go"
        await uow.rooms.saw(desk, OTHER, "leave")
        assert await settled(uow, desk)


async def test_a_room_that_closes_wants_nobody_and_is_then_left_alone(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        desk = (await uow.rooms.desk(OWNER)).id
        await uow.rooms.created(desk, "!desk")
        await uow.rooms.saw(desk, OWNER, "join")
        await uow.outbox.post(desk, "help", {"wenk": {"kind": "help"}})
        assert await uow.rooms.with_unsent_for(OWNER) == [desk]
        await uow.rooms.close(desk)
        assert (await known(uow, desk)).wanted == frozenset()
        assert await uow.rooms.with_unsent_for(OWNER) == []
        assert not await settled(uow, desk), "to be emptied"
        await uow.rooms.closed(desk)
        assert await settled(uow, desk)


async def test_a_half_built_room_is_not_used(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        desk = await uow.rooms.desk(OWNER)
        fresh = await uow.rooms.retire_alias(desk.id)
        assert fresh not in {desk.alias, desk.id}
        room = await known(uow, desk.id)
        assert (room.alias, room.matrix_id, room.state) == (fresh, None, "wanted")
        await uow.rooms.created(desk.id, "!desk")
        assert await uow.rooms.by_matrix_id("!desk") == await known(uow, desk.id)
        assert await uow.rooms.by_matrix_id("!another") is None


async def test_whatever_changes_in_a_room_wakes_it(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        desk = (await uow.rooms.desk(OWNER)).id
    for change in ("want", "unwant"):
        async with archive.storage.unit() as uow:
            assert uow.rooms_to_wake == set()
            await getattr(uow.rooms, change)(desk, OTHER)
            assert uow.rooms_to_wake == {desk}
    async with archive.storage.unit() as uow:
        await uow.rooms.saw(desk, OTHER, "join")
        assert uow.rooms_to_wake == {desk}
    async with archive.storage.unit() as uow:
        await uow.rooms.saw(desk, OTHER, "join")
        assert uow.rooms_to_wake == set(), "known already"
