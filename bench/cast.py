"""One Synapse; on it Wenk and the echo bot, each a process of its own, and people who know both."""

import asyncio
import sys
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from bot.demo.person import Card, Person
from bot.demo.stage import Stage
from bot.http import quote

ENCRYPTED: Final = {
    "type": "m.room.encryption",
    "state_key": "",
    "content": {"algorithm": "m.megolm.v1.aes-sha2"},
}
_PATIENCE_S: Final = 120.0
_POLL_S: Final = 0.05
_CALM_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Player:
    """A professional: `desk` is their room with Wenk, `echo` the one with the echo bot."""

    person: Person
    desk: str
    echo: str


class Cast:
    """Everybody who takes part, and what they need to be there.

    Attributes:
        echo_pid: the process of the echo bot.
    """

    def __init__(self, directory: Path) -> None:
        self.stage = Stage(directory, region={"daily_cap": 100_000})
        self.echo_pid = 0
        self._stack = AsyncExitStack()
        self._coordinator: tuple[Person, str] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._stack.enter_async_context(self.stage)
            await self.stage.init()
            await self.stage.start()
            await self._start_echo()
            anna = await self.stage.person("anna")
            self._coordinator = anna, (await anna.wait_for(is_kind("welcome"))).room_id
            await self._order("organisatie toevoegen De Wilgen")
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def admit(self, names: Iterable[str]) -> None:
        """Have these accounts admitted as professionals, in chat; returns when all were."""
        for name in names:
            user_id = self.stage.user_id(name)
            await self._order(
                f"professional toevoegen {user_id}; De Wilgen; Vera Proef; begeleider; v@proef.nl; 0512 123456"
            )

    async def player(self, name: str) -> Player:
        """A professional who was admitted, with a client, at their desk and in a room with the echo bot."""
        person = await self.stage.person(name)
        welcome = await person.wait_for(is_kind("welcome"), _PATIENCE_S)
        echo = await make_room(person, [self.stage.user_id("echo")])
        await person.until(lambda: person.members[echo].get(self.stage.user_id("echo")) == "join", _PATIENCE_S)
        return Player(person, welcome.room_id, echo)

    async def settled(self) -> None:
        """Wait until Wenk has nothing left to do."""
        async with asyncio.timeout(_PATIENCE_S), aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{self.stage.web}/metrics") as answer:
                    lines = (await answer.text()).splitlines()
                if {"wenk_inbox_waiting 0.0", "wenk_outbox_waiting 0.0"} <= set(lines):
                    return
                await asyncio.sleep(_POLL_S)

    async def _order(self, command: str) -> None:
        assert self._coordinator is not None  # noqa: S101 (set when the cast is complete)
        anna, desk = self._coordinator
        answer = await ask(anna, desk, command)
        if answer.wenk["kind"] == "error":
            raise RuntimeError(answer.body)

    async def _start_echo(self) -> None:
        await self.stage.register("echo")
        directory = self.stage.directory / "echo"
        directory.mkdir()
        with (self.stage.directory / "echo.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.echo", self.stage.synapse.url, self.stage.user_id("echo"), str(directory),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self._stack.push_async_callback(_end, process)
        assert process.stdin is not None  # noqa: S101 (a pipe, see above)
        assert process.stdout is not None  # noqa: S101 (as above)
        process.stdin.write(self.stage.passwords["echo"].encode() + b"\n")
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError("the echo bot did not start; see echo.log")
        self.echo_pid = process.pid


async def calm() -> None:
    """Let the homeserver finish what the measurement before left behind: long polls that end, caches to fill."""
    await asyncio.sleep(_CALM_S)


async def ask(person: Person, room_id: str, text: str) -> Card:
    """Say something to Wenk; its answer."""
    event_id = await person.say(room_id, text)
    return await person.wait_for(lambda card: card.wenk.get("re") == event_id, _PATIENCE_S)


async def make_room(person: Person, invited: Iterable[str]) -> str:
    """An encrypted room, into which these are invited one by one; its id."""
    body: dict[str, Any] = {"preset": "private_chat", "initial_state": [ENCRYPTED]}
    answer = await person.http.request("POST", "/_matrix/client/v3/createRoom", body=body, safe=False)
    room_id = str(answer["room_id"])
    for user_id in invited:
        path = f"/_matrix/client/v3/rooms/{quote(room_id)}/invite"
        await person.http.request("POST", path, body={"user_id": user_id})
    return room_id


def is_kind(kind: str) -> Callable[[Card], bool]:
    """Cards of this kind."""
    return lambda card: card.wenk.get("kind") == kind


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
