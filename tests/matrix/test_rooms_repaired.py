"""createRoom has no transaction id: what became of it when its answer was lost is found out by the room's alias.

And the other way round: a room that is not as it should be is never spoken in.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.app import session_file
from bot.config import Config, load
from bot.demo.stage import Stage
from bot.demo.synapse import LocalSynapse
from bot.http import Homeserver, MatrixError, quote
from bot.live import look
from bot.login import Account
from bot.metrics import Metrics
from bot.rooms import Reconciler
from handlers.office import Office
from handlers.people import admit_coordinators
from storage.database import Storage
from storage.keys import Keys
from storage.rooms import Room
from storage.vault import Vault


class Bot:
    """The bot's account and database, before the process is started."""

    def __init__(self, stage: Stage, storage: Storage, http: Homeserver, account: Account, config: Config) -> None:
        self.stage = stage
        self.storage = storage
        self.http = http
        self.user_id = account.user_id
        self.config = config
        self.making = Reconciler(http, storage, config.region, account.user_id, Metrics())

    async def desk(self) -> Room:
        """Anna's desk, as it is wanted."""
        async with self.storage.unit() as uow:
            await admit_coordinators(Office(uow, self.config.region))
            return await uow.rooms.desk(self.stage.user_id("anna"))

    async def create(self, body: dict[str, Any]) -> str:
        """What a createRoom did whose answer never came."""
        return str((await self.http.request("POST", "/_matrix/client/v3/createRoom", body=body, safe=False))["room_id"])

    async def desks_of_anna(self) -> set[str]:
        """The rooms to which Anna is invited once the bot is ready."""
        await self.stage.start()
        anna = await self.stage.person("anna")
        await anna.wait_for(lambda card: card.wenk.get("kind") == "welcome")
        return set(anna.rooms()) | anna.invitations


@pytest.fixture
async def bot(synapse: LocalSynapse, tmp_path: Path) -> AsyncIterator[Bot]:
    async with Stage(tmp_path / "stage", synapse=synapse) as stage:
        await stage.init()
        config = load(stage.config)
        account = Account.load(session_file(config))
        storage = await Storage.open(config.storage.url, Vault(Keys.load(config.storage.keys_file)))
        http = Homeserver(synapse.url, account.access_token)
        try:
            yield Bot(stage, storage, http, account, config)
        finally:
            await http.close()
            await storage.close()


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
