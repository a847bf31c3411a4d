"""Who is there to read what is said in a room, and whether anything may be said there at all."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Final

from bot.crosssigning import DeviceKeys
from bot.identities import ChangedIdentity, Identities, ServerAway
from bot.live import Lookout
from bot.metrics import Metrics
from domain.region import Region
from handlers.office import Office
from handlers.words import line
from storage.database import Storage
from storage.rooms import Room

log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 30.0
_SETTLE_S: Final = 0.2
_FRESH_S: Final = 0.15
"""So old a look at a desk may be: the one by which a command was proven serves for its answer. Only we may invite."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: again after so many seconds, or (None) when woken."""

    seconds: float | None


class Audience:
    """Fails closed: who should not be there keeps everything from being said."""

    def __init__(
        self, lookout: Lookout, identities: Identities, storage: Storage, region: Region, metrics: Metrics
    ) -> None:
        self._lookout = lookout
        self._identities = identities
        self._storage = storage
        self._region = region
        self._metrics = metrics
        self._odd_rooms: set[str] = set()

    async def recipients(self, room: Room, matrix_id: str) -> frozenset[str] | Wait:
        """Who is there to read it; or to wait, because nothing may be said there now."""
        age_s = _FRESH_S if room.purpose == "desk" else 0.0
        live = await self._lookout.since(time.monotonic() - age_s, matrix_id)
        known = frozenset(who.user_id for who in room.members)
        expected = known if room.state == "closing" else room.wanted
        unexpected = live.present - expected
        if not live.encrypted or not live.private or not unexpected <= known:
            await self._alarm(room)
            return Wait(LOOK_AGAIN_S)
        self._odd_rooms.discard(room.id)
        self._metrics.raise_alarm("room", on=bool(self._odd_rooms))
        if unexpected:
            # The reconciler knows, and takes them out.
            return Wait(_SETTLE_S)
        recipients = live.joined & expected
        if not recipients and room.state != "closing":
            # What is said before somebody has joined could never be read by them; joining wakes this room.
            return Wait(None)
        return recipients

    async def _alarm(self, room: Room) -> None:
        """Fail closed: nothing is said in this room until it is as it should be."""
        log.error("a room is not as it should be: nothing is said in it")
        self._odd_rooms.add(room.id)
        self._metrics.raise_alarm("room")
        async with self._storage.unit() as uow:
            if await uow.tasks.claim_today(f"odd {room.id}"):
                await Office(uow, self._region).alarm("room", line("alarm.room"))

    async def devices(self, users: frozenset[str]) -> tuple[list[DeviceKeys], bool]:
        """The devices that their owners' pinned identities have signed; keys go to no others.

        And whether that is all: somebody whose own server is away keeps the others waiting for nothing.
        """
        signed = await asyncio.gather(*map(self._signed_devices, sorted(users)))
        return [device for devices in signed for device in devices or ()], None not in signed

    async def _signed_devices(self, user_id: str) -> tuple[DeviceKeys, ...] | None:
        try:
            identity = await self._identities.of(user_id)
        except ChangedIdentity:
            return ()
        except ServerAway:
            return None
        return identity.devices if identity else ()
