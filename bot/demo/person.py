"""A person with a real, encrypted Matrix client, for the demo and the tests.

It behaves as an Element-class client does in the mode that excludes unsigned devices: it signs its own devices,
gives room keys to signed devices only, and marks what comes from others.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from bot.crosssigning import CrossSigningKeys, publish, sign_device
from bot.crypto import Machine
from bot.http import Homeserver, quote
from bot.identities import ChangedIdentity, Identities
from bot.login import log_in
from bot.sync import LONG_POLL_MS, Poll, event_filter, poll
from bot.timeline import TimelineEvent, read_event

_HEARD: Final = ("m.room.encrypted", "m.room.message", "m.reaction", "m.room.member", "m.room.redaction")
_WAIT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Something that appeared on the screen.

    Attributes:
        sender: as the server says.
        content: decrypted; of a plain message or a reaction as it was sent.
        encrypted: False for plain messages and reactions.
        verified: it came from a device that the sender's identity has signed.
    """

    room_id: str
    event_id: str
    sender: str
    content: Mapping[str, Any] = field(repr=False)
    encrypted: bool
    verified: bool

    @property
    def body(self) -> str:
        return str(self.content.get("body", ""))

    @property
    def wenk(self) -> Mapping[str, Any]:
        """The machine-readable part; empty if there is none."""
        part = self.content.get("wenk")
        return part if isinstance(part, dict) else {}


class _FirstSeen:
    """Pins in memory: a person's client lives as long as the demo."""

    def __init__(self) -> None:
        self._pins: dict[str, str] = {}

    async def get(self, user_id: str) -> str | None:
        return self._pins.get(user_id)

    async def pin(self, user_id: str, master: str) -> None:
        self._pins[user_id] = master


class Person:
    """One device of one person.

    Attributes:
        url: of the homeserver.
        user_id: whose.
        keys: their cross-signing keys; a second device takes them over.
        cards: what appeared on the screen, in order, their own messages included.
        invitations: rooms to which they are invited.
        redacted: events that were taken away.
        members: memberships by user, by room.
        unread: events whose key has not come, by event id.
    """

    def __init__(self, url: str, http: Homeserver, user_id: str, machine: Machine, keys: CrossSigningKeys) -> None:
        self.url = url
        self.http = http
        self.machine = machine
        self.identities = Identities(http, machine, _FirstSeen())
        self.user_id = user_id
        self.keys = keys
        self.cards: list[Card] = []
        self.invitations: set[str] = set()
        self.redacted: set[str] = set()
        self.members: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.unread: dict[str, tuple[str, dict[str, Any]]] = {}
        self._news = asyncio.Condition()
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def enter(
        cls,
        url: str,
        user_id: str,
        password: str,
        directory: Path,
        *,
        keys: CrossSigningKeys | None = None,
        signed: bool = True,
        joins: bool = True,
    ) -> Self:
        """Log in on a new device and begin to listen.

        Args:
            url: the homeserver.
            user_id: whose account.
            password: of the account.
            directory: where the device keeps its keys.
            keys: of the person's first device (`Person.keys`), if this is another; else new ones are made.
            signed: False leaves the device unsigned, as after a login that was never confirmed.
            joins: accept every invitation.
        """
        http = Homeserver(url)
        account = await log_in(http, user_id, password, display_name="Wenk demo")
        machine = Machine.open(user_id, account.device_id, directory, secrets.token_bytes(32))
        person = cls(url, http, user_id, machine, keys or CrossSigningKeys.generate())
        await machine.maintain(http)
        if signed:
            await publish(http, person.keys, user_id, password)
            await person.sign()
        first = await poll(http, machine, None, event_filter(_HEARD), 0)
        await person._take(first, joins=joins)
        person._listening = asyncio.create_task(person._listen(first.token, joins=joins), name="person")
        return person

    async def close(self) -> None:
        """Stop listening; the device stays logged in."""
        if self._listening:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self.http.close()
        self.machine.close()

    async def sign(self) -> None:
        """Confirm this device with the person's identity, which is published already."""
        await sign_device(self.http, self.keys, self.machine.device_keys())

    def rooms(self) -> tuple[str, ...]:
        """The rooms they are in."""
        return tuple(room for room, members in self.members.items() if members.get(self.user_id) == "join")

    async def state(self, room_id: str, kind: str) -> dict[str, Any]:
        """The content of a room's state event, such as `m.room.topic`."""
        answer: dict[str, Any] = await self.http.request("GET", f"{_room(room_id)}/state/{quote(kind)}")
        return answer

    async def join(self, room_id: str) -> None:
        await self.http.request("POST", f"/_matrix/client/v3/join/{quote(room_id)}", body={})

    async def leave(self, room_id: str) -> None:
        await self.http.request("POST", f"{_room(room_id)}/leave", body={})

    async def say(self, room_id: str, text: str, *, reply_to: str | None = None, encrypted: bool = True) -> str:
        """Send a text message and return its event id."""
        content: dict[str, Any] = {"msgtype": "m.text", "body": text}
        if reply_to:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
        return await self.send(room_id, content, encrypted=encrypted)

    async def react(self, room_id: str, event_id: str, key: str) -> str:
        """React to an event, in cleartext as all clients do, and return the reaction's event id."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self.send(room_id, {"m.relates_to": relation}, kind="m.reaction", encrypted=False)

    async def send(
        self, room_id: str, content: Mapping[str, Any], *, kind: str = "m.room.message", encrypted: bool = True
    ) -> str:
        """Send any event, to the signed devices of all who have joined; its event id."""
        if encrypted:
            answer = await self.http.request("GET", f"{_room(room_id)}/joined_members")
            identities = [await self.identities.of(user_id) for user_id in answer["joined"]]
            devices = [device for identity in identities if identity for device in identity.devices]
            content = await self.machine.encrypt(self.http, room_id, devices, kind, content)
            kind = "m.room.encrypted"
        path = f"{_room(room_id)}/send/{quote(kind)}/{quote(secrets.token_urlsafe(12))}"
        answer = await self.http.request("PUT", path, body=content)
        return str(answer["event_id"])

    async def wait_for(self, predicate: Callable[[Card], bool], timeout_s: float = _WAIT_S) -> Card:
        """The first card, of those received and those to come, that is meant; raises TimeoutError."""
        await self.until(lambda: any(map(predicate, self.cards)), timeout_s)
        return next(filter(predicate, self.cards))

    async def until(self, condition: Callable[[], bool], timeout_s: float = _WAIT_S) -> None:
        """Wait until what was received makes this true; raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(lambda: condition() or self._is_deaf())
        if self._is_deaf() and self._listening:
            await self._listening

    def _is_deaf(self) -> bool:
        return self._listening is None or self._listening.done()

    async def _listen(self, token: str, *, joins: bool) -> None:
        try:
            while True:
                news = await poll(self.http, self.machine, token, event_filter(_HEARD), LONG_POLL_MS)
                token = news.token
                await self._take(news, joins=joins)
                await self.machine.maintain(self.http)
        finally:
            async with self._news:
                self._news.notify_all()

    async def _take(self, news: Poll, *, joins: bool) -> None:
        self.identities.changed(news.devices_changed)
        for key in news.room_keys:
            waiting = [(room, raw) for room, raw in self.unread.values() if room == key.room_id]
            for room_id, raw in waiting:
                await self._see(room_id, raw)
        for room in news.rooms:
            for raw in room.events:
                await self._see(room.room_id, raw)
        self.invitations |= set(news.invites)
        async with self._news:
            self._news.notify_all()
        for room_id in news.invites if joins else ():
            await self.join(room_id)

    async def _see(self, room_id: str, raw: dict[str, Any]) -> None:
        kind, content = raw["type"], raw.get("content", {})
        if kind == "m.room.member":
            self.members[room_id][raw["state_key"]] = content["membership"]
            if raw["state_key"] == self.user_id:
                self.invitations.discard(room_id)
        elif kind == "m.room.redaction":
            self.redacted.add(str(content.get("redacts") or raw.get("redacts")))
        elif event := read_event(self.machine, "", room_id, raw):
            self.unread.pop(event.event_id, None)
            if event.raw:
                self.unread[event.event_id] = (room_id, event.raw)
            else:
                self.cards.append(await self._card(event))

    async def _card(self, event: TimelineEvent) -> Card:
        try:
            identity = await self.identities.of(event.sender)
        except ChangedIdentity:
            identity = None
        own = (event.sender_key, event.ed25519) == (self.machine.device.curve25519, self.machine.device.ed25519)
        return Card(
            room_id=event.room_id,
            event_id=event.event_id,
            sender=event.sender,
            content=event.content,
            encrypted=event.sender_key is not None,
            verified=own or bool(identity and identity.device(event.sender_key, event.ed25519)),
        )


def _room(room_id: str) -> str:
    return f"/_matrix/client/v3/rooms/{quote(room_id)}"
