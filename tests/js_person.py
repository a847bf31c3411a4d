"""A person whose client is of another make: matrix-js-sdk in Node.js (tests/js/person.mjs), driven from here."""

import asyncio
import json
import os
import subprocess
from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Final, Self

from bot.demo.person import Card

DRIVER: Final = Path(__file__).parent / "js" / "person.mjs"
ANSWER_WITHIN_S: Final = 60
LINE_LIMIT: Final = 1 << 20  # bytes; an encrypted event is 64 KiB at most, its JSON can be longer


class DriverError(Exception):
    """The JavaScript client refused, or ended."""


class JsPerson:
    """One device of one person, as `bot.demo.person.Person`; a signed one ignores devices that are not.

    Attributes:
        user_id: whose.
        cards: what appeared on the screen, in the order of decryption, except their own messages.
        redacted: events that were taken away.
        members: memberships by user, by room.
        unread: why an event could not be read at first, by event id (a later card may mend it).
    """

    def __init__(self, process: Process) -> None:
        self.user_id = ""
        self.cards: list[Card] = []
        self.redacted: set[str] = set()
        self.members: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.unread: dict[str, str] = {}
        self._process = process
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        url: str,
        user_id: str,
        password: str,
        log: Path,
        *,
        signed: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> Self:
        """Log in on a new device; `signed` makes the account's cross-signing keys (anew) and signs the device.

        `env` is added to the client's environment: an outside clock, say.
        """
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                "node", str(DRIVER), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, limit=LINE_LIMIT,
                env={**os.environ, **(env or {})},
            )  # fmt: skip
        person = cls(process)
        try:
            account = await person._do("login", url=url, user=user_id, password=password, sign=signed)
        except BaseException:
            await person.close()
            raise
        person.user_id = account["user_id"]
        return person

    async def create_room(self, *invited: str) -> str:
        """Make an encrypted room."""
        return str((await self._do("create", invite=invited))["room"])

    async def join(self, room_id: str) -> None:
        """Be in the room; returns when the client knows that it is encrypted. Invitations are accepted unasked."""
        await self._do("join", room=room_id)

    async def leave(self, room_id: str) -> None:
        await self._do("leave", room=room_id)

    async def say(self, room_id: str, text: str, *, reply_to: str | None = None) -> str:
        """Send an encrypted m.text and return its event id."""
        return str((await self._do("say", room=room_id, text=text, reply_to=reply_to))["event_id"])

    async def react(self, room_id: str, event_id: str, key: str) -> str:
        return str((await self._do("react", room=room_id, target=event_id, key=key))["event_id"])

    async def redact(self, room_id: str, event_id: str) -> str:
        return str((await self._do("redact", room=room_id, target=event_id))["event_id"])

    def rooms(self) -> tuple[str, ...]:
        """The rooms they are in."""
        return tuple(room for room, who in self.members.items() if who.get(self.user_id) == "join")

    async def wait_for(self, predicate: Callable[[Card], bool], timeout_s: float = 30) -> Card:
        """The first card, past ones included, for which the predicate holds; TimeoutError if none comes."""
        await self.until(lambda: any(map(predicate, self.cards)), timeout_s)
        return next(filter(predicate, self.cards))

    async def until(self, condition: Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait for a condition over what this person has seen; TimeoutError if it does not come about."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(lambda: self._reading.done() or condition())
        if not condition():
            raise DriverError("the JavaScript client ended")

    async def close(self) -> None:
        """End the client; the device stays on the account."""
        if self._process.stdin:
            self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def _do(self, verb: str, **wishes: object) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        if self._process.stdin is None or self._reading.done():
            raise DriverError("the JavaScript client ended")
        self._process.stdin.write(json.dumps({"id": number, "do": verb, **wishes}).encode() + b"\n")
        async with asyncio.timeout(ANSWER_WITHIN_S):
            result: dict[str, Any] = await answer
        return result

    async def _read(self) -> None:
        if self._process.stdout is None:
            raise DriverError("no standard output")
        async for line in self._process.stdout:
            said = json.loads(line)
            if "id" in said:
                self._answered(said)
            else:
                self._saw(said)
            async with self._news:
                self._news.notify_all()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(DriverError("the JavaScript client ended"))
        async with self._news:
            self._news.notify_all()

    def _answered(self, said: dict[str, Any]) -> None:
        answer = self._asked.pop(said["id"])
        if answer.done():  # given up by a timeout
            return
        if "error" in said:
            answer.set_exception(DriverError(said["error"]))
        else:
            answer.set_result(said["ok"])

    def _saw(self, said: dict[str, Any]) -> None:
        kind = said.pop("event")
        if kind == "message" and said["sender"] != self.user_id:
            self.cards.append(Card(room_id=said.pop("room"), **said))
        elif kind == "undecryptable":
            self.unread[said["event_id"]] = said["reason"]
        elif kind == "redaction":
            self.redacted.add(said["redacts"])
        elif kind == "membership":
            self.members[said["room"]][said["user"]] = said["membership"]
