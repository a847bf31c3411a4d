"""`!anderkind` on a real homeserver: the room is emptied and stays open, also when the bot dies on the way."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from bot.demo.synapse import LocalSynapse
from tests.matrix.killing import Mortality, a_child, kept_alive
from tests.matrix.play import Admin, Play, Seat, administrator, playing

pytestmark = pytest.mark.asyncio(loop_scope="module")

_POINTS: Final = ("before commit bot.rooms._empty", "after PUT rooms/redact")
"""After all is emptied and before that is written down; and in the middle of it, in the process after that."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mortality(tmp_path_factory: pytest.TempPathFactory) -> Mortality:
    return Mortality(tmp_path_factory.mktemp("parting") / "mortality")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(
    synapse: LocalSynapse, mortality: Mortality, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Play]:
    folder = tmp_path_factory.mktemp("parted")
    async with playing(folder, synapse, program="tests.matrix.mortal", env=mortality.env) as play:
        yield play


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(synapse: LocalSynapse) -> AsyncIterator[Admin]:
    async with administrator(synapse) as everything:
        yield everything


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seats(play: Play) -> list[Seat]:
    return [await play.admit(name, "De Wilgen") for name in ("fatima", "joost", "lin")]


async def test_a_room_that_stays_open_is_emptied_once_whenever_the_bot_dies(
    play: Play, admin: Admin, mortality: Mortality, seats: list[Seat]
) -> None:
    fatima, joost, lin = seats
    for seat in seats:
        await seat.signals(a_child(1))
    introduction = await lin.hear("match.introduction")
    room = introduction.room_id
    for seat in seats:
        said = await seat.who.say(room, "Zullen we bellen?")
        for reader in seats:
            await reader.who.wait_for(lambda card, said=said: card.event_id == said)  # type: ignore[misc]  # no lambda default
    before = {event["event_id"] for event in await admin.events(room) if event["type"] == "m.room.encrypted"}
    mortality.light(*_POINTS)
    async with kept_alive(play, mortality) as keeper:
        command = await fatima.who.say(room, "!anderkind")
        answer = await fatima.hear("match.notsame")
        # There was one for two before, if they had come by the time that the third did.
        fresh = [
            await seat.who.wait_for(
                lambda card: card.wenk.get("kind") == "match.introduction" and card.event_id not in before
            )
            for seat in (joost, lin)
        ]
        await keeper.settled()
        await joost.who.until(lambda: before | {command} <= joost.who.redacted)
        await keeper.settled()
        assert not mortality.put_out(), "these did not come"
    assert (answer.room_id, answer.wenk["re"]) == (fatima.desk, command)
    events = await admin.events(room)
    contents = {event["event_id"]: event["content"] for event in events}
    assert all(contents[event] == {} for event in before | {command})
    standing = [event["event_id"] for event in events if event["type"] == "m.room.encrypted" and event["content"]]
    left = await lin.hear("match.left")
    assert standing == [left.event_id, fresh[0].event_id]
    pinned = [event["content"]["pinned"] for event in events if event["type"] == "m.room.pinned_events"]
    assert pinned[-1] == [fresh[0].event_id]
    said = await joost.who.say(room, "Dan bellen wij.")
    await lin.who.wait_for(lambda card: card.event_id == said)
    assert room not in fatima.who.rooms()
    await play.drained()
    assert said not in joost.who.redacted
