"""Whose devices are proven: every user's cross-signing identity, pinned at first sight and kept until it changes."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from bot.crosssigning import Identity, read_identity
from bot.crypto import Machine
from bot.http import Homeserver, Unreachable
from storage.database import Storage


class ChangedIdentity(Exception):
    """A user's master key is not the pinned one: nothing is sent to them, nothing obeyed, until that is cleared up.

    Attributes:
        user_id: whose.
    """

    def __init__(self, user_id: str) -> None:
        super().__init__("a master key is not the one that was pinned")
        self.user_id = user_id


class ServerAway(Unreachable):
    """Our homeserver answers; the server of the user who was asked about does not."""


class Pins(Protocol):
    """Where the first master key of each user is kept."""

    async def get(self, user_id: str) -> str | None:
        """The pinned master key."""

    async def pin(self, user_id: str, master: str) -> None:
        """Keep this one, durably."""


class StoredPins:
    """Pinned identities, kept in the database."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def get(self, user_id: str) -> str | None:
        async with self._storage.reading() as uow:
            return await uow.people.pinned(user_id)

    async def pin(self, user_id: str, master: str) -> None:
        async with self._storage.unit() as uow:
            if await uow.people.pinned(user_id) is None:
                await uow.people.pin(user_id, master)


class Identities:
    """What `keys/query` proves, asked once and again only after the server said that something changed."""

    def __init__(self, http: Homeserver, machine: Machine, pins: Pins) -> None:
        self._http = http
        self._machine = machine
        self._pins = pins
        self._known: dict[str, Identity | None] = {}
        self._changes: defaultdict[str, int] = defaultdict(int)
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._early: set[asyncio.Task[Identity | None]] = set()

    async def of(self, user_id: str, *, fresh: bool = False) -> Identity | None:
        """A user's identity with the devices that it signed; None if the user has none.

        A master key that is seen for the first time is pinned. Which devices may get keys is told to the crypto
        machine anew with every answer: a device may have been signed since (FIELD-NOTES 12).

        Args:
            user_id: whose.
            fresh: ask the server even if nothing is said to have changed.

        Raises:
            ChangedIdentity: the master key is not the pinned one.
            ServerAway: the user's own server did not answer.
        """
        if not fresh and user_id in self._known:
            return self._known[user_id]
        async with self._asking[user_id]:
            if not fresh and user_id in self._known:
                return self._known[user_id]
            changes = self._changes[user_id]
            identity = await self._ask(user_id)
            if changes == self._changes[user_id]:  # else the answer may be older than the change
                self._known[user_id] = identity
            return identity

    def changed(self, user_ids: Iterable[str]) -> None:
        """The server says that these users' devices changed.

        Of whom we had to do with, they are asked for at once: something will be said to them, or by them, and then it
        need not wait for that.
        """
        for user_id in user_ids:
            self._changes[user_id] += 1
            if user_id in self._known:
                del self._known[user_id]
                task = asyncio.create_task(self.of(user_id), name="identity")
                self._early.add(task)
                task.add_done_callback(self._asked_early)

    def _asked_early(self, task: asyncio.Task[Identity | None]) -> None:
        """Whoever needs it asks again, and hears then what went wrong."""
        self._early.discard(task)
        if not task.cancelled():
            task.exception()

    async def _ask(self, user_id: str) -> Identity | None:
        body: dict[str, Any] = {"device_keys": {user_id: []}}
        answer = await self._http.request("POST", "/_matrix/client/v3/keys/query", body=body)
        identity = read_identity(answer, user_id)
        if identity is None and answer.get("failures"):
            raise ServerAway("keys/query")
        pinned = await self._pins.get(user_id)
        if identity and pinned is None:
            await self._pins.pin(user_id, identity.master)
        elif identity and pinned != identity.master:
            self._known.pop(user_id, None)
            self._machine.note_devices(user_id, ())
            raise ChangedIdentity(user_id)
        self._machine.note_devices(user_id, identity.devices if identity else ())
        return identity
