"""People at their desks, with the bot as a real process; all is said and read through the documented interfaces."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp

from bot.crosssigning import Identity, read_identity
from bot.demo.person import Card, Person
from bot.demo.stage import Stage
from bot.demo.synapse import LocalSynapse
from bot.http import Homeserver, MatrixError, quote
from bot.login import log_in
from tests.js_person import JsPerson

_numbers = count(1)
CLIENT: Final = "/_matrix/client/v3/rooms"
ADMIN: Final = "/_synapse/admin/v1/rooms"


class Actor(Protocol):
    """Somebody with a client, of whatever make."""

    user_id: str
    cards: list[Card]
    redacted: set[str]

    async def say(self, room_id: str, text: str, *, reply_to: str | None = None) -> str:
        """Send an encrypted text; its event id."""

    async def react(self, room_id: str, event_id: str, key: str) -> str:
        """React to an event."""

    async def wait_for(self, predicate: Callable[[Card], bool], timeout_s: float = 30) -> Card:
        """The first card, past or to come, that is meant."""

    async def until(self, condition: Callable[[], bool], timeout_s: float = 30) -> None:
        """Until what was received makes this true."""

    def rooms(self) -> tuple[str, ...]:
        """The rooms they are in."""


def of_kind(kind: str, **fields: object) -> Callable[[Card], bool]:
    """Whether a card is of this kind, with these fields."""
    wanted = {"kind": kind, **fields}
    return lambda card: all(card.wenk.get(name) == value for name, value in wanted.items())


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody at their desk; `said` is what they said there, by event id."""

    who: Actor
    desk: str
    said: list[str] = field(default_factory=list)

    @property
    def user_id(self) -> str:
        return self.who.user_id

    async def ask(self, text: str, *, room: str = "", timeout_s: float = 30) -> Card:
        """Say something, and the card that answers it."""
        said = await self.who.say(room or self.desk, text)
        if not room:
            self.said.append(said)
        return await self.who.wait_for(lambda card: card.wenk.get("re") == said, timeout_s)

    async def hear(self, kind: str, *, timeout_s: float = 30, **fields: object) -> Card:
        """The first card of a kind, past or to come."""
        return await self.who.wait_for(of_kind(kind, **fields), timeout_s)

    def heard(self, kind: str, **fields: object) -> list[Card]:
        """All cards of a kind so far."""
        return list(filter(of_kind(kind, **fields), self.who.cards))

    async def signals(self, child: str) -> str:
        """Place a signal; its reference."""
        proposed = await self.ask(f"!signaal {child}")
        assert proposed.wenk["kind"] == "signal.proposed", proposed.body
        placed = await self.ask("ja")
        assert placed.wenk["kind"] == "signal.placed", placed.body
        return str(placed.wenk["ref"])


class Play:
    """One bot, its coordinator Anna, and whom she admits."""

    def __init__(self, stage: Stage, folder: Path, *, js: bool, js_env: Mapping[str, str] | None = None) -> None:
        """`js`: whether people have a client of another make; `js_env`: added to its environment."""
        self.stage = stage
        self._folder = folder
        self._js = js
        self._js_env = js_env
        self._closing = AsyncExitStack()
        self._organisations: set[str] = set()
        self._anna: Seat | None = None

    @property
    def anna(self) -> Seat:
        """The coordinator."""
        assert self._anna is not None
        return self._anna

    @property
    def bot(self) -> str:
        return self.stage.user_id("wenk")

    async def begin(self) -> None:
        """The bot is ready, and Anna at her desk."""
        await self.stage.init()
        await self.stage.start()
        self._anna = await self.sit("anna")

    async def close(self) -> None:
        await self._closing.aclose()

    async def client(self, name: str, *, signed: bool = True, js: bool | None = None) -> Any:  # noqa: ANN401 (of either make)
        """A further device of somebody."""
        if not (self._js if js is None else js):
            return await self.stage.person(name, signed=signed)
        if name not in self.stage.passwords:
            await self.stage.register(name)
        log = self._folder / f"{name}-{next(_numbers)}.log"
        user_id, password = self.stage.user_id(name), self.stage.passwords[name]
        url = self.stage.synapse.url
        person = await JsPerson.start(url, user_id, password, log, signed=signed, env=self._js_env)
        self._closing.push_async_callback(person.close)
        return person

    async def sit(self, name: str) -> Seat:
        """Log in on a first device and come to the desk."""
        who: Person | JsPerson = await self.client(name)
        welcome = await who.wait_for(of_kind("welcome"))
        return Seat(who, welcome.room_id)

    async def allow(self, name: str, organisation: str = "De Wilgen", full_name: str = "") -> None:
        """The coordinator admits somebody, who need not have logged in yet."""
        if organisation not in self._organisations:
            added = await self.anna.ask(f"!organisatie toevoegen {organisation}")
            assert added.wenk["kind"] == "organisation.added", added.body
            self._organisations.add(organisation)
        if name not in self.stage.passwords:
            await self.stage.register(name)
        person = f"{self.stage.user_id(name)}; {organisation}; {full_name or name.title()}"
        said = f"!professional toevoegen {person}; begeleider; {name}@voorbeeld.nl; 0512 123456"
        added = await self.anna.ask(said)
        assert added.wenk["kind"] == "professional.added", added.body

    async def admit(self, name: str, organisation: str = "De Wilgen", full_name: str = "") -> Seat:
        """The same, and they sit down at their desk."""
        await self.allow(name, organisation, full_name)
        return await self.sit(name)

    async def web(self, page: str) -> tuple[int, str]:
        """Status and text of a page of the bot's own."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.stage.web}/{page}") as answer:
            return answer.status, await answer.text()

    async def identity(self) -> Identity:
        """Who the bot is, as anybody can see it."""
        anna = self.anna.who
        assert isinstance(anna, Person)
        body: dict[str, Any] = {"device_keys": {self.bot: []}}
        identity = read_identity(await anna.http.request("POST", "/_matrix/client/v3/keys/query", body=body), self.bot)
        assert identity is not None
        return identity

    async def drained(self, timeout_s: float = 120) -> None:
        """Until nothing waits any more: all is answered, and what is to be redacted is redacted."""
        async with asyncio.timeout(timeout_s):
            while await self.metric("wenk_inbox_waiting") or await self.metric("wenk_outbox_waiting"):
                await asyncio.sleep(0.1)

    async def metric(self, name: str) -> float:
        """One number of `/metrics`; 0 if it is not there yet."""
        _status, text = await self.web("metrics")
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(name))
        return next((float(value) for key, value in lines if key == name), 0.0)


@asynccontextmanager
async def playing(
    folder: Path,
    synapse: LocalSynapse | None,
    *,
    js: bool = False,
    js_env: Mapping[str, str] | None = None,
    **options: Any,  # noqa: ANN401 (Stage's)
) -> AsyncIterator[Play]:
    """A bot that runs, with its coordinator."""
    async with Stage(folder / "stage", synapse=synapse, **options) as stage:
        play = Play(stage, folder, js=js, js_env=js_env)
        try:
            await play.begin()
            yield play
        finally:
            await play.close()


class Admin:
    """The homeserver's administrator: sees everything that the server has."""

    def __init__(self, http: Homeserver) -> None:
        self.http = http

    async def rooms(self, creator: str) -> list[dict[str, Any]]:
        """All rooms that somebody made and that still have members."""
        answer = await self.http.request("GET", ADMIN, query={"limit": "1000"})
        return [room for room in answer["rooms"] if room["creator"] == creator]

    async def joined(self, user_id: str) -> set[str]:
        """The rooms in which somebody is."""
        answer = await self.http.request("GET", f"/_synapse/admin/v1/users/{quote(user_id)}/joined_rooms")
        return set(answer["joined_rooms"])

    async def state(self, room_id: str) -> list[dict[str, Any]]:
        answer = await self.http.request("GET", f"{ADMIN}/{quote(room_id)}/state")
        return list(answer["state"])

    async def events(self, room_id: str) -> list[dict[str, Any]]:
        """Everything that happened in a room, oldest first, redacted as it is now."""
        events: list[dict[str, Any]] = []
        token = ""
        while True:
            query = {"dir": "b", "limit": "1000"} | ({"from": token} if token else {})
            page = await self.http.request("GET", f"{ADMIN}/{quote(room_id)}/messages", query=query)
            events.extend(page["chunk"])
            token = page.get("end", "")
            if not token or not page["chunk"]:
                return events[::-1]


@asynccontextmanager
async def administrator(synapse: LocalSynapse) -> AsyncIterator[Admin]:
    user_id = await synapse.register(f"admin{next(_numbers)}", "secret", admin=True)
    http = Homeserver(synapse.url)
    try:
        await log_in(http, user_id, "secret")
        yield Admin(http)
    finally:
        await http.close()


async def refused(http: Homeserver, method: str, path: str, body: dict[str, Any]) -> bool:
    """Whether the server forbids this; raises MatrixError for other refusals."""
    try:
        await http.request(method, path, body=body)
    except MatrixError as fault:
        if fault.errcode != "M_FORBIDDEN":
            raise
        return True
    return False


def unread(actors: Iterable[Person | JsPerson]) -> set[str]:
    """What any of them was sent, and cannot read."""
    return {
        event_id for who in actors for event_id in who.unread if event_id not in {card.event_id for card in who.cards}
    }
