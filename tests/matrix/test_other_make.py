"""A client of another make, which ignores unsigned devices, hears our parts and is heard by them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo.synapse import LocalSynapse
from tests.matrix.conftest import JsPersonFactory
from tests.matrix.people import Town


@pytest.fixture
async def town(synapse: LocalSynapse, tmp_path: Path, new_name: str) -> AsyncIterator[Town]:
    async with Town(synapse, tmp_path, new_name) as town:
        yield town


async def test_both_hear_each_other(town: Town, js_person_factory: JsPersonFactory, new_name: str) -> None:
    """With a stock nio bot this client withholds its keys and shows nothing: no device of it is signed."""
    js = await js_person_factory(f"{new_name}-js")
    bot = await town.person("bot")
    room = await js.create_room(bot.user_id)
    await bot.until(lambda: room in bot.rooms())
    await js.until(lambda: js.members[room].get(bot.user_id) == "join")

    asked = await js.say(room, "Wie ben jij?")
    question = await bot.wait_for(lambda card: card.event_id == asked)
    assert (question.body, question.verified) == ("Wie ben jij?", True)
    answered = await bot.say(room, "Wenk.", reply_to=asked)
    answer = await js.wait_for(lambda card: card.event_id == answered)
    assert (answer.body, answer.encrypted, answer.verified) == ("Wenk.", True, True)
    assert answer.content["m.relates_to"] == {"m.in_reply_to": {"event_id": asked}}


async def test_an_unsigned_device_of_ours_is_not_heard(
    town: Town, js_person_factory: JsPersonFactory, new_name: str
) -> None:
    js = await js_person_factory(f"{new_name}-js")
    stray = await town.person("stray", signed=False)
    room = await js.create_room(stray.user_id)
    await stray.until(lambda: room in stray.rooms())
    await js.until(lambda: js.members[room].get(stray.user_id) == "join")
    withheld = await js.say(room, "Alleen voor ondertekende apparaten.")
    await stray.until(lambda: withheld in stray.unread)
    unheard = await stray.say(room, "Hoort iemand mij?")
    await js.until(lambda: js.unread.get(unheard) == "UNSIGNED_SENDER_DEVICE")
