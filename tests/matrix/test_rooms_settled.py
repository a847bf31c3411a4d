"""Who is to be in a room comes in, who is not goes out, and a room that closes is left: whatever else goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from bot.demo.person import Person
from bot.demo.stage import Stage
from bot.demo.synapse import LocalSynapse
from bot.http import MatrixError
from bot.rooms import FAREWELL_MS
from storage.rooms import Room
from tests.matrix.proxy import Proxy, hold, standing_before
from tests.matrix.reconciling import Bot, prepared

NOBODY: Final = "@aaa:elsewhere.example"
"""Somebody whose server cannot be reached; their invitation is refused, and goes first."""


@pytest.fixture
async def proxy(synapse: LocalSynapse) -> AsyncIterator[Proxy]:
    async with standing_before(synapse.url) as between:
        yield between


@pytest.fixture
async def bot(synapse: LocalSynapse, proxy: Proxy, tmp_path: Path) -> AsyncIterator[Bot]:
    async with Stage(tmp_path / "stage", synapse=synapse, reached_at=proxy.url) as stage, prepared(stage) as bot:
        yield bot


async def test_one_invitation_that_is_refused_keeps_no_other_guest_out(bot: Bot) -> None:
    room, _anna = await bot.desk_with_anna()
    bert = await bot.stage.register("bert")
    async with bot.storage.unit() as uow:
        for guest in (NOBODY, bert):
            await uow.rooms.want(room.id, guest)
    with pytest.raises(MatrixError):
        await bot.settle(room)
    assert (await bot.look(room)).members[bert] == "invite"
    (unsettled,) = [who for who in (await bot.room(room)).members if who.to_invite]
    assert unsettled.user_id == NOBODY, "only that one is tried again"


async def test_an_invitation_that_is_refused_keeps_nobody_in(bot: Bot) -> None:
    room, anna = await bot.desk_with_anna()
    async with bot.storage.unit() as uow:
        await uow.rooms.want(room.id, NOBODY)
        await uow.rooms.unwant(room.id, anna.user_id)
    with pytest.raises(MatrixError):
        await bot.settle(room)
    assert (await bot.look(room)).members[anna.user_id] == "leave"


async def test_who_is_wanted_again_while_being_removed_is_invited_again(bot: Bot, proxy: Proxy) -> None:
    """They did not leave of their own accord, so there is nothing to respect."""
    room, anna = await bot.desk_with_anna()
    async with bot.storage.unit() as uow:
        await uow.rooms.unwant(room.id, anna.user_id)
    go_on = asyncio.Event()
    with proxy.rule("POST", "/kick", hold(go_on)) as removing:
        settling = asyncio.create_task(bot.settle(room))
        await removing.until()
        async with bot.storage.unit() as uow:
            assert await uow.rooms.want(room.id, anna.user_id) == "join"
        go_on.set()
        await settling
    await bot.settle(room)
    assert (await bot.look(room)).members[anna.user_id] in {"invite", "join"}


async def closing(bot: Bot) -> tuple[Room, Person]:
    """A room that is to close, with Anna in it and a last card that does not go out."""
    room, anna = await bot.desk_with_anna()
    async with bot.storage.unit() as uow:
        await uow.rooms.close(room.id)
        await uow.outbox.post(room.id, "match.closed", {"body": "closed", "wenk": {"kind": "match.closed"}})
    assert await bot.settle(room), "it waits for the last card"
    assert anna.user_id in (await bot.look(room)).joined
    return room, anna


async def is_left(bot: Bot, room: Room, anna: Person) -> bool:
    """Whether the room is closed in the database, and neither the bot nor Anna in it."""
    await anna.until(lambda: anna.members[room.matrix_id or ""].get(anna.user_id) == "leave")
    with pytest.raises(MatrixError, match="M_FORBIDDEN"):
        await bot.look(room)
    return (await bot.room(room)).state == "closed"


async def test_a_room_that_closes_does_not_wait_for_ever_for_its_last_card(bot: Bot) -> None:
    room, anna = await closing(bot)
    bot.late = timedelta(milliseconds=FAREWELL_MS)
    assert await bot.settle(room) is None
    assert await is_left(bot, room, anna)


async def test_a_room_that_closes_does_not_wait_beside_a_stranger(bot: Bot) -> None:
    room, anna = await closing(bot)
    stranger = await bot.stage.register("stranger")
    await bot.act(room, "invite", user_id=stranger)
    assert await bot.settle(room) is None
    assert await is_left(bot, room, anna)


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_room_that_was_left_before_that_was_written_down_is_closed(bot: Bot, *, forgotten: bool) -> None:
    """A crash may come after each request of closing."""
    room, anna = await closing(bot)
    await bot.act(room, "kick", user_id=anna.user_id)
    await bot.act(room, "leave")
    bot.late = timedelta(minutes=5)
    if forgotten:
        await bot.act(room, "forget")
    assert await bot.settle(room) is None
    assert (await bot.room(room)).state == "closed"
