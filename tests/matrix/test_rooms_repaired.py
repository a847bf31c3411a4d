"""createRoom has no transaction id: what became of it when its answer was lost is found out by the room's alias.

And the other way round: a room that is not as it should be is never spoken in.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo.stage import Stage
from bot.demo.synapse import LocalSynapse
from bot.http import MatrixError, quote
from bot.live import look
from tests.matrix.reconciling import Bot, prepared


@pytest.fixture
async def bot(synapse: LocalSynapse, tmp_path: Path) -> AsyncIterator[Bot]:
    async with Stage(tmp_path / "stage", synapse=synapse) as stage, prepared(stage) as bot:
        yield bot


async def test_a_room_whose_creation_was_never_answered_is_the_room(bot: Bot) -> None:
    desk = await bot.desk()
    made = await bot.create(bot.making._shape(desk))
    assert await bot.desks_of_anna() == {made}


async def test_a_half_built_room_is_retired_and_never_used(bot: Bot) -> None:
    desk = await bot.desk()
    half_built = await bot.create({"preset": "private_chat", "room_alias_name": desk.alias})
    (used,) = await bot.desks_of_anna()
    assert used != half_built
    assert (await look(bot.http, used, bot.user_id)).encrypted
    with pytest.raises(MatrixError, match="M_FORBIDDEN"):
        await look(bot.http, half_built, bot.user_id)


async def test_in_a_room_that_anybody_may_enter_nothing_is_said(bot: Bot) -> None:
    """Its rules were changed by somebody with the power to: the bot says nothing until they are mended, and tells."""
    (desk,) = await bot.desks_of_anna()
    anna = bot.stage._people[0]
    rules = f"/_matrix/client/v3/rooms/{quote(desk)}/state/m.room.join_rules"
    await bot.http.request("PUT", rules, body={"join_rule": "public"})
    asked = await anna.say(desk, "help")
    await anna.until(lambda: "not as it should be" in bot.stage.log_path.read_text())
    assert not any(card.wenk.get("re") == asked for card in anna.cards)
    await bot.http.request("PUT", rules, body={"join_rule": "invite"})
    await anna.wait_for(lambda card: card.wenk.get("re") == asked, timeout_s=60)
