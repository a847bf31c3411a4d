"""Nothing is said where it is not certain who hears it, whoever made it so: not even where the server itself did."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.http import quote
from tests.matrix.play import ADMIN, Admin, Play, Seat, administrator, playing
from tests.matrix.proxy import Forward, Proxy

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMAND = "!signaal Sanne; de Vries; 14-03-2015; 9203 ZX 95a"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    async with playing(tmp_path_factory.mktemp("who-hears"), synapse, reached_at=proxy.url) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(synapse: LocalSynapse) -> AsyncIterator[Admin]:
    async with administrator(synapse) as everything:
        yield everything


async def _said(play: Play, admin: Admin, seat: Seat) -> list[str]:
    """What the bot has said at a desk, in whatever way."""
    events = [event for event in await admin.events(seat.desk) if event["sender"] == play.bot]
    return [event["event_id"] for event in events if "state_key" not in event and event["type"] != "m.room.redaction"]


async def _alarms(play: Play, number: int) -> None:
    """Until the coordinator has heard so many times that something is wrong with a room."""
    await play.anna.who.until(lambda: len(play.anna.heard("alarm", code="room")) >= number)


async def _without_encryption(_request: web.Request, forward: Forward) -> web.StreamResponse:
    answer = await forward()
    assert isinstance(answer.body, bytes)
    events = json.loads(answer.body)
    return web.json_response([event for event in events if event["type"] != "m.room.encryption"])


async def test_in_a_room_whose_encryption_was_taken_away_nothing_is_said(
    play: Play, proxy: Proxy, admin: Admin
) -> None:
    """FIELD-NOTES 3: a server that does not know, or says that it does not."""
    joost = await play.admit("joost")
    await play.drained()
    before = await _said(play, admin, joost)
    with proxy.rule("GET", f"/{quote(joost.desk)}/state", _without_encryption):
        asked = await joost.who.say(joost.desk, COMMAND)
        await _alarms(play, 1)
        assert await play.metric('wenk_alarm{code="room"}') == 1
        assert await _said(play, admin, joost) == before
    answer = await joost.ask("ja")
    assert answer.encrypted
    assert answer.wenk["code"] == "unknown_command", "nothing was begun"
    await joost.hear("error", re=asked, code="not_allowed")
    assert await play.metric('wenk_alarm{code="room"}') == 0


async def test_beside_somebody_who_got_in_all_the_same_nothing_is_said(play: Play, admin: Admin) -> None:
    """Only the bot may invite; the homeserver's administrator can make it invite, in its name, whom they like."""
    fatima = await play.admit("fatima")
    stranger: Person = await play.client("stranger")
    await play.drained()
    before, alarms = await _said(play, admin, fatima), len(play.anna.heard("alarm", code="room"))
    await admin.http.request(
        "POST", f"{ADMIN}/{quote(fatima.desk)}/make_room_admin", body={"user_id": stranger.user_id}
    )
    await stranger.until(lambda: fatima.desk in stranger.rooms())

    asked = await fatima.who.say(fatima.desk, COMMAND)
    await play.anna.hear("alarm", code="stranger", user_id=fatima.user_id)
    await _alarms(play, alarms + 1)
    await fatima.who.until(lambda: asked in fatima.who.redacted)
    assert await _said(play, admin, fatima) == before

    await stranger.leave(fatima.desk)
    assert (await fatima.ask("ja")).wenk["code"] == "unknown_command", "nothing was begun"
    await fatima.hear("error", re=asked, code="not_allowed")
    assert not [card for card in stranger.cards if card.sender == play.bot]
