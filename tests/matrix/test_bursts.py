"""200 commands sent at once into one desk: each is answered exactly once, in order, whatever happens to the process."""

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle, islice
from typing import Final

import pytest
import pytest_asyncio

from bot.demo.synapse import LocalSynapse
from tests.matrix.play import Admin, Play, Seat, administrator, of_kind, playing, unread

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY: Final = 200
COMMANDS: Final = tuple(islice(cycle(("help", "signalen", "!matches", "koffie", "ja", "taal nl")), MANY))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    async with playing(tmp_path_factory.mktemp("bursts"), synapse) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(synapse: LocalSynapse) -> AsyncIterator[Admin]:
    async with administrator(synapse) as everything:
        yield everything


async def _say_all(seat: Seat) -> list[str]:
    return await asyncio.gather(*(seat.who.say(seat.desk, command) for command in COMMANDS))


def _answers(seat: Seat, said: list[str]) -> dict[str, str]:
    """What each card answers, by the card's event id."""
    return {card.event_id: str(card.wenk["re"]) for card in seat.who.cards if card.wenk.get("re") in said}


async def _all_answered(play: Play, admin: Admin, seat: Seat, said: list[str]) -> None:
    await seat.who.until(lambda: set(said) == set(_answers(seat, said).values()), timeout_s=90)
    await play.drained()
    events = await admin.events(seat.desk)
    answers = _answers(seat, said)
    asked = [event["event_id"] for event in events if event["event_id"] in said]
    assert [answers[event["event_id"]] for event in events if event["event_id"] in answers] == asked
    contents = {event["event_id"]: event["content"] for event in events}
    assert [event_id for event_id in said if contents[event_id]] == []


async def test_each_is_answered_once_though_the_process_is_killed_in_between(play: Play, admin: Admin) -> None:
    seat = await play.admit("joost")
    sending = asyncio.create_task(_say_all(seat))
    # Killed while they still come in, and again while they are being answered.
    for answered in (1, MANY // 3):
        await seat.who.until(lambda answered=answered: len(_heard(seat)) > answered)  # type: ignore[misc]  # no type of a default
        await play.stage.kill()
        await play.stage.start()
    await _all_answered(play, admin, seat, await sending)
    assert not unread([seat.who])  # type: ignore[list-item]  # a Person here


def _heard(seat: Seat) -> list[str]:
    return [card.event_id for card in seat.who.cards if "re" in card.wenk]


async def test_and_with_a_client_of_another_make(
    play: Play,
    admin: Admin,
    js_client: None,  # noqa: ARG001 - asked for its effect
) -> None:
    await play.allow("lin")
    client = await play.client("lin", js=True)
    seat = Seat(client, (await client.wait_for(of_kind("welcome"))).room_id)
    await _all_answered(play, admin, seat, await _say_all(seat))
    assert not unread([client])
