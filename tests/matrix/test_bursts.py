"""Hundreds of commands at once in one desk: each is executed and answered once, in order, whatever happens.

The language of a desk is what is executed: every answer shows in which order.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from itertools import cycle, islice
from typing import Final

import pytest
import pytest_asyncio

from bot.demo.person import Card
from bot.demo.synapse import LocalSynapse
from tests.matrix.play import Admin, Play, Seat, administrator, of_kind, playing, unread

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY: Final = 500
FEWER: Final = 200
COMMANDS: Final = ("help", "signalen", "!matches", "taal en", "koffie", "ja", "help", "taal nl")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    async with playing(tmp_path_factory.mktemp("bursts"), synapse) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(synapse: LocalSynapse) -> AsyncIterator[Admin]:
    async with administrator(synapse) as everything:
        yield everything


async def _say(seat: Seat, number: int) -> dict[str, str]:
    """So many commands, as quickly as they can be sent; what was said, by event id."""
    commands = list(islice(cycle(COMMANDS), number))
    said = await asyncio.gather(*(seat.who.say(seat.desk, command) for command in commands))
    return dict(zip(said, commands, strict=True))


def _answers(seat: Seat, said: Collection[str]) -> dict[str, Card]:
    """The cards that answer one of these, by their event ids."""
    return {card.event_id: card for card in seat.who.cards if card.wenk.get("re") in said}


async def _all_answered(play: Play, admin: Admin, seat: Seat, said: dict[str, str]) -> None:
    await seat.who.until(lambda: len(_answers(seat, said)) >= len(said), timeout_s=90)
    await play.drained()
    events = await admin.events(seat.desk)
    answers = _answers(seat, said)
    asked = [event["event_id"] for event in events if event["event_id"] in said]
    in_order = [answers[event["event_id"]] for event in events if event["event_id"] in answers]
    assert [card.wenk["re"] for card in in_order] == asked
    _executed_in_order([(said[event_id], card.body) for event_id, card in zip(asked, in_order, strict=True)])
    contents = {event["event_id"]: event["content"] for event in events}
    assert [event_id for event_id in said if contents[event_id]] == []


def _executed_in_order(answered: list[tuple[str, str]]) -> None:
    """Each was answered in the language that was asked for last."""
    language, bodies = "nl", defaultdict[tuple[str, str], set[str]](set)
    for command, body in answered:
        language = command.removeprefix("taal ") if command.startswith("taal ") else language
        bodies[language, command].add(body)
    assert all(len(alike) == 1 for alike in bodies.values())
    assert all(bodies["nl", command] != bodies["en", command] for command in COMMANDS)


async def test_each_is_answered_once_though_the_process_is_killed_in_between(play: Play, admin: Admin) -> None:
    seat = await play.admit("joost")
    sending = asyncio.create_task(_say(seat, MANY))
    # Killed while they still come in; then all the others are there, and again while they are being answered.
    await seat.who.until(lambda: len(_heard(seat)) > 1)
    await play.stage.kill()
    said = await sending
    await play.stage.start()
    await seat.who.until(lambda: len(_heard(seat)) > MANY // 3)
    await play.stage.kill()
    await play.stage.start()
    await _all_answered(play, admin, seat, said)
    assert max(_gaps(play)) > MANY // 4, "more than one page of the timeline"
    assert not unread([seat.who])  # type: ignore[list-item]  # a Person here


def _heard(seat: Seat) -> list[str]:
    return [card.event_id for card in seat.who.cards if "re" in card.wenk]


def _gaps(play: Play) -> list[int]:
    """How much the homeserver left out of its answers, and was asked for."""
    return [int(gap) for gap in re.findall(r"filled a gap of (\d+) events", play.stage.log_path.read_text())]


async def test_and_with_a_client_of_another_make(
    play: Play,
    admin: Admin,
    js_client: None,  # noqa: ARG001 - asked for its effect
) -> None:
    await play.allow("lin")
    client = await play.client("lin", js=True)
    seat = Seat(client, (await client.wait_for(of_kind("welcome"))).room_id)
    await _all_answered(play, admin, seat, await _say(seat, FEWER))
    assert not unread([client])
