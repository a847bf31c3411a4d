"""Nothing is said that nobody could read: a card waits for a device that can be given its key."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.http import quote
from tests.matrix.play import Play, Seat, playing
from tests.matrix.proxy import Forward, standing_before

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    async with playing(tmp_path_factory.mktemp("readers"), synapse) as running:
        yield running


async def _only_the_device(request: web.Request, forward: Forward) -> web.StreamResponse:
    """A device whose one-time keys are all used up: it can be written to by nobody."""
    body = json.loads(await request.read())
    return await forward(json.dumps({"device_keys": body["device_keys"]} if "device_keys" in body else {}).encode())


async def _rename(person: Person) -> None:
    """The server says to all who share a room that this person's devices changed."""
    path = f"/_matrix/client/v3/devices/{quote(person.machine.device.device_id)}"
    await person.http.request("PUT", path, body={"display_name": "phone"})


async def test_a_card_waits_for_a_device_that_can_be_given_its_key(
    play: Play, synapse: LocalSynapse, tmp_path: Path
) -> None:
    await play.allow("lin")
    async with standing_before(synapse.url) as proxy, AsyncExitStack() as closing:
        with proxy.rule("POST", "/keys/upload", _only_the_device):
            lin = await Person.enter(proxy.url, play.stage.user_id("lin"), play.stage.passwords["lin"], tmp_path)
            closing.push_async_callback(lin.close)
            # The first welcome goes out all the same, to hang a warning on.
            warning = await lin.wait_for(lambda card: not card.encrypted and card.sender == play.bot)
            seat, unreadable = Seat(lin, warning.room_id), set(lin.unread)
            assert unreadable == {warning.content["m.relates_to"]["event_id"]}
            asked = await lin.say(seat.desk, "signalen")
            # Emptied after the answer went out, or was looked at and left for later.
            await lin.until(lambda: asked in lin.redacted)
            assert set(lin.unread) == unreadable
        await lin.machine.maintain(lin.http)
        assert (await seat.ask("help")).wenk["kind"] == "help"
        assert [card.wenk["kind"] for card in lin.cards if card.wenk.get("re") == asked] == ["signal.list"]

        # Of each card it is known whether anybody could read it: what nobody could is said again, once.
        await _rename(lin)
        await seat.hear("welcome")
        await _rename(lin)
        await seat.ask("help")
        await play.drained()
        assert len(seat.heard("welcome")) == 1
