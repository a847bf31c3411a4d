"""An hour in which the homeserver cannot be reached: how often it is asked, and what is done when it is back.

The hour is lived through by the real parts of the bot, on a loop whose clock jumps; what stands between them and the
homeserver refuses, hangs up or keeps silent, and counts.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import pytest
from aiohttp import web

from bot.app import compose
from bot.config import load
from bot.demo.stage import Stage
from bot.demo.synapse import LocalSynapse
from bot.running import Wenk
from handlers.office import Office
from handlers.words import line
from tests.matrix.hurry import HurriedLoop
from tests.matrix.play import Seat, of_kind
from tests.matrix.proxy import Act, Forward, Proxy, hang_up, hold, refuse, standing_before

log = logging.getLogger(__name__)

MANY: Final = 20
MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
BEGINS: Final = ("help", "koffie", "matches", "taal nl", "help")
SYNC: Final = "/_matrix/client/v3/sync"
VERSIONS: Final = "/_matrix/client/versions"


class Weather:
    """Whether the homeserver can be reached; a storm cuts off those who wait for an answer."""

    def __init__(self, loop: HurriedLoop) -> None:
        self.trouble: Act | None = None
        self.asked: list[tuple[str, str]] = []
        self._loop = loop
        self._turned = asyncio.Event()

    def turn(self, trouble: Act | None) -> None:
        self.trouble = trouble
        self._turned.set()
        self._turned = asyncio.Event()

    async def act(self, request: web.Request, forward: Forward) -> web.StreamResponse:
        if self.trouble is None:
            if request.path == SYNC:
                # From now on another process answers: that takes its time. Not because of whatever else is asked
                # first, the minute hand say: the long poll would wait on for as long as that is, by our clock.
                self._loop.hurried = False
            going, turned = asyncio.ensure_future(forward()), asyncio.ensure_future(self._turned.wait())
            await asyncio.wait({going, turned}, return_when=asyncio.FIRST_COMPLETED)
            turned.cancel()
            if going.done():
                return going.result()
            going.cancel()
            if self.trouble is None:
                return web.json_response({}, status=502)
        self.asked.append((request.method, request.path))
        return await self.trouble(request, forward)


class Town:
    """The bot in this process, Anna at her desk, and many more coordinators who have not come yet."""

    def __init__(self, loop: HurriedLoop, wenk: Wenk, weather: Weather, anna: Seat) -> None:
        self.loop = loop
        self.wenk = wenk
        self.weather = weather
        self.anna = anna

    async def live(self, seconds: float) -> None:
        """So much time passes; the minute hand of the machine's clock goes with it."""
        self.loop.hurried = True
        until = self.loop.time() + seconds
        while self.loop.time() < until:
            await asyncio.sleep(MINUTE)
            await self.wenk.schedule.tick()
        self.loop.hurried = False

    async def tell_all(self) -> None:
        """Something is to be sent to everybody at once."""
        async with self.wenk.storage.unit() as uow:
            await Office(uow, self.wenk.region).alarm("room", line("alarm.room"))

    async def back(self) -> None:
        """The homeserver can be reached again: until the long poll has asked it."""
        self.weather.turn(None)
        self.loop.hurried = True
        minute_hand = asyncio.create_task(self.wenk.schedule.tick())  # it may ask before the long poll does
        while self.loop.hurried:
            await asyncio.sleep(0)
            await asyncio.sleep(1)
        await minute_hand


@asynccontextmanager
async def living(loop: HurriedLoop, stage: Stage, proxy: Proxy, weather: Weather) -> AsyncIterator[Town]:
    await stage.init()
    with (
        proxy.rule("GET", ".*", weather.act),
        proxy.rule("PUT", ".*", weather.act),
        proxy.rule("POST", ".*", weather.act),
    ):
        async with compose(load(stage.config)) as wenk:
            stop = asyncio.Event()
            running = asyncio.create_task(wenk.run(stop), name="wenk")
            try:
                person = await stage.person("anna")
                # Her client lives through the hour as well, in which nobody answers in time: its pauses grow, and
                # would last on by our clock when the hour is over.
                person.http._pause = lambda _seconds: asyncio.sleep(1)
                welcome = await person.wait_for(of_kind("welcome"))
                while not await _all_have_desks(wenk):
                    await asyncio.sleep(0.1)
                yield Town(loop, wenk, weather, Seat(person, welcome.room_id))
            finally:
                stop.set()
                await running


async def _all_have_desks(wenk: Wenk) -> bool:
    async with wenk.storage.reading() as uow:
        desks = [await uow.rooms.desk_of(user_id) for user_id in wenk.region.coordinators]
    return all(desk is not None and desk.matrix_id is not None for desk in desks)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        yield runner


@pytest.fixture(scope="module")
def town(runner: asyncio.Runner, synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    loop = runner.get_loop()
    assert isinstance(loop, HurriedLoop)

    async def enter() -> Town:
        proxy = await stack.enter_async_context(standing_before(synapse.url))
        many = [f"c{number}" for number in range(MANY)]
        folder = tmp_path_factory.mktemp("outage") / "stage"
        stage = Stage(folder, synapse=synapse, coordinators=("anna", *many), reached_at=proxy.url)
        await stack.enter_async_context(stage)
        return await stack.enter_async_context(living(loop, stage, proxy, Weather(loop)))

    stack = AsyncExitStack()
    try:
        yield runner.run(enter())
    finally:
        runner.run(stack.aclose())


TROUBLES: Final = {"refused": refuse(503), "cut off": hang_up, "silent": hold(asyncio.Event())}


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_in_an_hour_of_trouble_the_homeserver_is_spared_and_then_all_is_done_once_in_order(
    runner: asyncio.Runner, town: Town, trouble: str
) -> None:
    async def play() -> None:
        town.weather.asked.clear()
        alarms = len(town.anna.heard("alarm"))
        town.weather.turn(TROUBLES[trouble])
        await town.tell_all()
        await town.live(HOUR / 2)
        # People reach it, the bot does not.
        said = [await town.anna.who.say(town.anna.desk, text) for text in BEGINS]
        await town.tell_all()
        await town.live(HOUR / 2)
        asked = Counter(path if path in {SYNC, VERSIONS} else "other" for _method, path in town.weather.asked)
        log.info("%s: %d requests in an hour: %s", trouble, asked.total(), dict(asked))
        await town.back()
        await town.anna.who.until(lambda: len(town.anna.heard("alarm")) == alarms + 2)
        await town.anna.hear("help", re=said[-1])
        answered = [card.wenk["re"] for card in town.anna.who.cards if card.wenk.get("re") in said]
        assert answered == said
        # The long poll and the minute hand ask; all others stop once the long poll has found out, which takes it
        # longer where nobody answers. Where a connection ends without an answer, aiohttp itself asks a second time.
        times = 2 if trouble == "cut off" else 1
        assert asked[SYNC] <= times * (HOUR / MINUTE + 10)
        assert asked[VERSIONS] <= times * 2 * HOUR / MINUTE
        assert asked["other"] <= 2 * (MANY + 1)

    runner.run(play())
