"""The bot's account, database and reconciler, without the process: a test takes each step itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.app import session_file
from bot.config import Config, load
from bot.demo.person import Person
from bot.demo.stage import Stage
from bot.http import Homeserver, quote
from bot.live import LiveRoom, look
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
    """The bot before its process is started. `late`: how far its clock is ahead."""

    def __init__(self, stage: Stage, http: Homeserver, account: Account, config: Config) -> None:
        self.stage = stage
        self.http = http
        self.user_id = account.user_id
        self.config = config
        self.late = timedelta()
        self.storage: Storage
        self.making: Reconciler

    async def desk(self) -> Room:
        """Anna's desk, as it is wanted."""
        async with self.storage.unit() as uow:
            await admit_coordinators(Office(uow, self.config.region))
            return await uow.rooms.desk(self.stage.user_id("anna"))

    async def desk_with_anna(self) -> tuple[Room, Person]:
        """Her desk once it is made, and she in it."""
        wanted = await self.desk()
        anna = await self.stage.person("anna")
        await self.settle(wanted)
        room = await self.room(wanted)
        await anna.until(lambda: room.matrix_id in anna.rooms())
        await self.settle(room)
        return await self.room(room), anna

    async def room(self, room: Room) -> Room:
        """As it stands in the database now."""
        async with self.storage.reading() as uow:
            found = await uow.rooms.get(room.id)
        assert found is not None
        return found

    async def settle(self, room: Room) -> float | None:
        """Step by step, until there is nothing to do (None) or only after so many seconds."""
        while (pause := await self.making.step(room.id)) == 0:
            pass
        return pause

    async def look(self, room: Room) -> LiveRoom:
        """As the homeserver has it now; raises MatrixError if the bot is not in it."""
        return await look(self.http, room.matrix_id or "", self.user_id)

    async def act(self, room: Room, verb: str, **body: str) -> None:
        """What the bot's account did, whoever made it do so."""
        await self.http.request("POST", f"/_matrix/client/v3/rooms/{quote(room.matrix_id or '')}/{verb}", body=body)

    async def create(self, body: dict[str, Any]) -> str:
        """What a createRoom did whose answer never came."""
        return str((await self.http.request("POST", "/_matrix/client/v3/createRoom", body=body, safe=False))["room_id"])

    async def desks_of_anna(self) -> set[str]:
        """The rooms to which Anna is invited once the bot is ready."""
        await self.stage.start()
        anna = await self.stage.person("anna")
        await anna.wait_for(lambda card: card.wenk.get("kind") == "welcome")
        return set(anna.rooms()) | anna.invitations


@asynccontextmanager
async def prepared(stage: Stage) -> AsyncIterator[Bot]:
    """After `wenk init`."""
    await stage.init()
    config = load(stage.config)
    account = Account.load(session_file(config))
    http = Homeserver(config.matrix.homeserver, account.access_token)
    bot = Bot(stage, http, account, config)
    vault = Vault(Keys.load(config.storage.keys_file))
    bot.storage = await Storage.open(config.storage.url, vault, lambda: datetime.now(UTC) + bot.late)
    bot.making = Reconciler(http, bot.storage, config.region, account.user_id, Metrics())
    try:
        yield bot
    finally:
        await http.close()
        await bot.storage.close()
