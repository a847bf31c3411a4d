"""What the homeserver answers does not arrive, or arrives twice: rooms are made once, commands are executed once.

Each time two professionals find each other through a proxy that has such a fault; `Pair.meet` looks at what came of it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import pytest
import pytest_asyncio
from aiohttp import web

from bot.demo.synapse import LocalSynapse
from tests.matrix.killing import Keeper, Pair, a_pair
from tests.matrix.proxy import Forward, Proxy, at_first, hang_up

pytestmark = pytest.mark.asyncio(loop_scope="module")

_CREATE: Final = "/createRoom"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(synapse: LocalSynapse, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with a_pair(tmp_path_factory.mktemp("lost"), synapse, reached_at=proxy.url) as both:
        yield both


@dataclass
class Losing:
    """createRoom succeeds, or half, and nobody is told; if `killed`, the bot dies while it waits for the answer."""

    killed: bool
    half: bool
    made: list[str] = field(default_factory=list)
    _is_made: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: web.Request, forward: Forward) -> web.StreamResponse:
        body = await request.json()
        if self.half:
            # The homeserver binds the alias before it sets the initial state.
            body = {key: body[key] for key in ("preset", "room_alias_name")}
        answer = await forward(json.dumps(body).encode())
        assert isinstance(answer.body, bytes)
        self.made.append(json.loads(answer.body)["room_id"])
        self._is_made.set()
        if self.killed:
            await asyncio.Event().wait()  # until nobody is there any more
        return await hang_up(request, forward)

    async def kill(self, keeper: Keeper) -> None:
        await self._is_made.wait()
        if self.killed:
            keeper.kill()


@pytest.mark.parametrize("killed", [False, True], ids=["lives on", "killed"])
async def test_a_room_whose_creation_is_not_answered_is_made_once(pair: Pair, proxy: Proxy, *, killed: bool) -> None:
    losing = Losing(killed=killed, half=False)
    with proxy.rule("POST", _CREATE, at_first(1, losing)) as creating:
        met = await pair.meet(killer=losing.kill)
    assert len(met.deaths) == killed
    assert [met.room] == losing.made
    assert len(creating.seen) == 1 + killed


@pytest.mark.parametrize("killed", [False, True], ids=["lives on", "killed"])
async def test_a_room_that_is_half_built_is_retired_and_nothing_personal_was_in_it(
    pair: Pair, proxy: Proxy, *, killed: bool
) -> None:
    losing = Losing(killed=killed, half=True)
    with proxy.rule("POST", _CREATE, at_first(1, losing)):
        met = await pair.meet(killer=losing.kill)
    assert len(met.deaths) == killed
    (half_built,) = losing.made
    assert half_built != met.room
    assert half_built not in await pair.admin.joined(pair.play.bot)
    events = await pair.admin.events(half_built)
    assert all("state_key" in event for event in events)
    members = [event["state_key"] for event in events if event["type"] == "m.room.member"]
    assert members == [pair.play.bot, pair.play.bot], "came and went, and nobody else was ever invited"
    assert not {"m.room.name", "m.room.topic", "m.room.pinned_events"} & {event["type"] for event in events}


@dataclass
class Twice:
    """Each answer that brought something is given to the next request as well."""

    repeated: int = 0
    _again: bytes | None = None

    async def __call__(self, _request: web.Request, forward: Forward) -> web.StreamResponse:
        if self._again is not None:
            again, self._again = self._again, None
            self.repeated += 1
            return web.Response(body=again, content_type="application/json")
        answer = await forward()
        assert isinstance(answer.body, bytes)
        news = json.loads(answer.body)
        if "rooms" in news or "to_device" in news:
            self._again = answer.body
        return answer


async def test_what_the_same_sync_brings_twice_is_executed_once(pair: Pair, proxy: Proxy) -> None:
    twice = Twice()
    with proxy.rule("GET", "/sync", twice):
        await pair.meet()
    assert twice.repeated > 4
    assert await pair.play.metric('wenk_faults_total{part="session"}') == 0, "taken for what it is, not refused"
