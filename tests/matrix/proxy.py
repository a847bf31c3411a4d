"""What may stand between the bot and its homeserver: it loses answers, refuses, keeps waiting, and counts."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import aiohttp
from aiohttp import web
from yarl import URL


class Forward(Protocol):
    """Has the homeserver do what it was asked for, or (`body`) something else; its answer."""

    async def __call__(self, body: bytes | None = None) -> web.Response: ...


SEND: Final = r"/send/m\.room\.encrypted/[^/]+"
"""The path of a card."""
Act = Callable[[web.Request, Forward], Awaitable[web.StreamResponse]]
_OF_ONE_HOP: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "content-encoding"})


@dataclass(slots=True)
class Rule:
    """Requests of one kind, and what becomes of them; `seen` is when they came, in seconds of the monotonic clock."""

    method: str
    path: re.Pattern[str]
    act: Act
    seen: list[float] = field(default_factory=list)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self) -> None:
        self.seen.append(time.monotonic())
        async with self._came:
            self._came.notify_all()

    async def until(self, times: int = 1, timeout_s: float = 60) -> None:
        """Until so many of these requests have come."""
        async with asyncio.timeout(timeout_s), self._came:
            await self._came.wait_for(lambda: len(self.seen) >= times)


class Proxy:
    """A homeserver seen through rules; what no rule is about passes.

    Attributes:
        url: what the bot takes for its homeserver.
        asked: method and path of all that came, in order.
    """

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self.url = ""
        self.asked: list[tuple[str, str]] = []
        self._upstream = upstream
        self._session = session
        self._rules: list[Rule] = []

    @contextmanager
    def rule(self, method: str, path: str, act: Act) -> Iterator[Rule]:
        """As long as this lasts, such requests (`path`: a pattern of its end) are treated so."""
        rule = Rule(method, re.compile(f"{path}$"), act)
        self._rules.append(rule)
        try:
            yield rule
        finally:
            self._rules.remove(rule)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = await request.read()
        path = request.rel_url.raw_path
        self.asked.append((request.method, path))

        async def forward(body: bytes | None = None) -> web.Response:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
            url = URL(self._upstream + request.raw_path, encoded=True)
            async with self._session.request(
                request.method, url, data=asked if body is None else body, headers=headers
            ) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)

        for rule in self._rules:
            if rule.method == request.method and rule.path.search(path):
                await rule.note()
                return await rule.act(request, forward)
        return await forward()


@asynccontextmanager
async def standing_before(upstream: str) -> AsyncIterator[Proxy]:
    """Something in front of this homeserver."""
    # As many long polls side by side as there are clients, each for as long as it takes.
    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=patience, auto_decompress=True) as session:
        proxy = Proxy(upstream, session)
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{any:.*}", proxy.handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield proxy
        finally:
            await runner.cleanup()


def refuse(status: int, errcode: str = "", headers: Mapping[str, str] | None = None, **more: object) -> Act:
    """Refuse, without asking the homeserver."""
    body = ({"errcode": errcode} if errcode else {}) | more

    async def act(_request: web.Request, _forward: Forward) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return act


async def hang_up(request: web.Request, _forward: Forward) -> web.StreamResponse:
    """No answer at all, as after a timeout, without asking the homeserver."""
    assert request.transport
    request.transport.close()
    return web.Response()


async def lose_the_answer(request: web.Request, forward: Forward) -> web.StreamResponse:
    """The homeserver does what it was asked for, and whoever asked never hears of it."""
    await forward()
    return await hang_up(request, forward)


async def never_answer(_request: web.Request, forward: Forward) -> web.StreamResponse:
    """The same, and whoever asked waits on."""
    await forward()
    await asyncio.Event().wait()
    return web.Response()


def at_first(times: int, act: Act) -> Act:
    """So many times, then no more."""
    left = times

    async def act_or_pass(request: web.Request, forward: Forward) -> web.StreamResponse:
        nonlocal left
        left -= 1
        return await (forward() if left < 0 else act(request, forward))

    return act_or_pass


def hold(until: asyncio.Event) -> Act:
    """Keep it waiting before the homeserver is asked."""

    async def act(_request: web.Request, forward: Forward) -> web.StreamResponse:
        await until.wait()
        return await forward()

    return act


def away(user_id: str, inviting: Act) -> Act:
    """The server of this user cannot be reached: their keys are not to be had, and they are not invited."""

    async def act(request: web.Request, forward: Forward) -> web.StreamResponse:
        asked = await request.json()
        if request.path.endswith("/invite"):
            return await (inviting(request, forward) if asked["user_id"] == user_id else forward())
        of_whom = asked["device_keys" if "device_keys" in asked else "one_time_keys"]
        if of_whom.pop(user_id, None) is None:
            return await forward()
        answer = json.loads((await forward(json.dumps(asked).encode())).text or "")
        return web.json_response(answer | {"failures": {user_id.partition(":")[2]: {"status": 503}}})

    return act


def put_off(until: asyncio.Event) -> Act:
    """Say that it is done, and have it done only then."""
    doing: set[asyncio.Task[object]] = set()

    async def act(_request: web.Request, forward: Forward) -> web.StreamResponse:
        async def later() -> None:
            await until.wait()
            await forward()

        task = asyncio.create_task(later(), name="put off")
        doing.add(task)
        task.add_done_callback(doing.discard)
        return web.json_response({})

    return act
