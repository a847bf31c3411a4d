"""The reconciler: makes the server's rooms match what the database wants.

A crash anywhere is repaired by running it again.
"""

import asyncio
import logging
from typing import Any

from bot.emptying import empty, empty_before
from bot.http import Homeserver, MatrixError, Unreachable, quote
from bot.live import MARKER, LiveRoom, look
from bot.metrics import Metrics
from domain.region import Region
from handlers.office import Office
from handlers.presence import saw
from handlers.words import line, say
from storage.database import Storage
from storage.rooms import Room

log = logging.getLogger(__name__)

FAREWELL_MS = 60_000
"""How long a room that closes waits for its last card to go out."""
_LOOK_AGAIN_S = 5.0

_POWER_LEVELS = {
    "users_default": 0, "events_default": 0, "state_default": 100, "events": {},
    "ban": 100, "kick": 100, "invite": 100, "redact": 100, "notifications": {"room": 100},
}  # fmt: skip
"""Only the bot may invite or change state.

In room version 12 the creator stands above all levels and must not be listed.
"""


class Reconciler:
    """Makes, fills, empties and leaves rooms."""

    def __init__(self, http: Homeserver, storage: Storage, region: Region, own_user: str, metrics: Metrics) -> None:
        self._http = http
        self._storage = storage
        self._region = region
        self._own_user = own_user
        self._metrics = metrics

    async def step(self, room_id: str) -> float | None:
        """One step for the room with our id `room_id`; a Workers step."""
        async with self._storage.reading() as uow:
            room = await uow.rooms.get(room_id)
            unsent = await uow.outbox.oldest_pending(room_id)
            waited_ms = int(uow.now.timestamp() * 1000) - unsent if unsent is not None else 0
        if room is None or room.state == "closed":
            return None
        if room.state == "wanted":
            made = await self._create(room)
            if made is None:
                return 0
            # Nobody can be in it yet: to look would tell nothing.
            await self._invite(made)
            return None
        if room.matrix_id is None:
            # Never made, and not wanted any more.
            await self._closed(room_id)
            return None
        if room.state == "closing":
            # The last card goes out first, if that can be.
            return await self._close(room, room.matrix_id, patient=unsent is not None and waited_ms < FAREWELL_MS)
        return await self._members(room, room.matrix_id, await look(self._http, room.matrix_id, self._own_user))

    async def _create(self, room: Room) -> Room | None:
        """The room as it was made just now, with whom to invite; None if it has to be looked at, or made anew."""
        fresh = True
        try:
            answer = await self._http.request(
                "POST", "/_matrix/client/v3/createRoom", body=self._shape(room), safe=False
            )
            matrix_id = str(answer["room_id"])
        except (MatrixError, Unreachable) as fault:
            if isinstance(fault, MatrixError) and fault.errcode != "M_ROOM_IN_USE":
                raise
            # It may have been made, and the answer lost: createRoom has no transaction id, the alias serves as one.
            fresh, matrix_id = False, await self._adopt(room)
            if not matrix_id and isinstance(fault, Unreachable):
                # It was not made: again, but not at once.
                raise
            if not matrix_id:
                return None
        async with self._storage.unit() as uow:
            await uow.rooms.created(room.id, matrix_id)
            made = await uow.rooms.get(room.id)
        return made if fresh and made and made.state == "open" else None

    async def _adopt(self, room: Room) -> str:
        """The room that has our alias, if it is whole; a half-built one is retired. Empty: make one anew."""
        server = self._own_user.partition(":")[2]
        alias = quote(f"#{room.alias}:{server}")
        try:
            found = await self._http.request("GET", f"/_matrix/client/v3/directory/room/{alias}")
        except MatrixError as fault:
            if fault.status == 404:  # noqa: PLR2004 (HTTP: not found)
                return ""
            raise
        matrix_id = str(found["room_id"])
        try:
            live: LiveRoom | None = await look(self._http, matrix_id, self._own_user)
        except MatrixError:
            live = None
        if live and live.creator == self._own_user and live.marker == room.id and live.encrypted and live.private:
            return matrix_id
        log.warning("a half-built room is retired")
        async with self._storage.unit() as uow:
            await uow.rooms.retire_alias(room.id)
        if live is not None:
            await self._leave(matrix_id)
        return ""

    def _shape(self, room: Room) -> dict[str, Any]:
        language = self._region.language
        if room.purpose == "desk":
            name, topic = self._region.index_name, say(line("topic"), language).plain
        else:
            name = say(line("room.introduction"), language).plain
            topic = say(line("room.introduction.topic"), language).plain
        return {
            "preset": "private_chat",
            "visibility": "private",
            "room_alias_name": room.alias,
            "name": name,
            "topic": topic,
            "power_level_content_override": _POWER_LEVELS,
            "initial_state": [
                {"type": kind, "state_key": "", "content": content}
                for kind, content in (
                    ("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}),
                    ("m.room.history_visibility", {"history_visibility": "joined"}),
                    ("m.room.guest_access", {"guest_access": "forbidden"}),
                    ("m.room.join_rules", {"join_rule": "invite"}),
                    (MARKER, {"id": room.id}),
                )
            ],
        }

    async def _members(self, room: Room, matrix_id: str, live: LiveRoom) -> float | None:
        """Take in what the server says of the members, then remove, empty what is to be emptied, and invite."""
        known = {who.user_id: who.membership for who in room.members}
        news = {who: now for who, now in live.members.items() if who in known and known[who] not in {now, "none"}}
        news |= {who: now for who, now in live.members.items() if known.get(who) == "none" and now != "leave"}
        if news:
            await self._saw(room, news)
            return 0
        for guest in sorted((live.present - room.wanted) & set(known)):
            await self._act(matrix_id, "kick", guest)
            async with self._storage.unit() as uow:
                await uow.rooms.removed(room.id, guest)
        if room.empty_until is not None:
            await self._empty(room, matrix_id, room.empty_until)
        await self._invite(room)
        return None

    async def _empty(self, room: Room, matrix_id: str, until_ms: int) -> None:
        """Who is not to read it is out already; who is invited after this finds nothing."""
        async with self._storage.reading() as uow:
            standing = await uow.clearing.standing(room.id)
        await empty_before(self._http, matrix_id, self._own_user, standing, until_ms)
        async with self._storage.unit() as uow:
            await uow.rooms.emptied(room.id, until_ms)

    async def _invite(self, room: Room) -> None:
        guests = [who.user_id for who in room.members if who.to_invite]
        if guests and room.matrix_id is not None:
            invitations = (self._act(room.matrix_id, "invite", user_id) for user_id in guests)
            outcomes = dict(zip(guests, await asyncio.gather(*invitations, return_exceptions=True), strict=True))
            await self._saw(room, {guest: "invite" for guest, fault in outcomes.items() if fault is None})
            for fault in outcomes.values():
                if fault is not None:
                    raise fault

    async def _saw(self, room: Room, memberships: dict[str, str]) -> None:
        async with self._storage.unit() as uow:
            for user_id, membership in memberships.items():
                await saw(Office(uow, self._region), room, user_id, membership)

    async def _close(self, room: Room, matrix_id: str, *, patient: bool) -> float | None:
        """See `vacate`; if `patient` after the last card."""
        try:
            live = await look(self._http, matrix_id, self._own_user)
        except MatrixError as fault:
            if fault.errcode != "M_FORBIDDEN":
                raise
            # Left already, before that could be written down.
            await self._closed(room.id)
            return None
        if patient and not live.present - {who.user_id for who in room.members}:
            return _LOOK_AGAIN_S
        await self.vacate(matrix_id, live)
        await self._closed(room.id)
        return None

    async def vacate(self, matrix_id: str, live: LiveRoom) -> None:
        """Remove everybody, empty what was written, by whomever, and go."""
        for guest in sorted(live.present):
            await self._act(matrix_id, "kick", guest)
        await empty(self._http, matrix_id)
        await self._leave(matrix_id)
        self._metrics.rooms_closed.inc()

    async def _closed(self, room_id: str) -> None:
        async with self._storage.unit() as uow:
            await uow.outbox.cancel(room_id)
            await uow.rooms.closed(room_id)

    async def _act(self, matrix_id: str, verb: str, user_id: str) -> None:
        path = f"/_matrix/client/v3/rooms/{quote(matrix_id)}/{verb}"
        try:
            await self._http.request("POST", path, body={"user_id": user_id})
        except MatrixError as fault:
            # Already so: they joined, or left, while we were looking.
            if fault.errcode != "M_FORBIDDEN":
                raise
            live = await look(self._http, matrix_id, self._own_user)
            if (user_id in live.present) is not (verb == "invite"):
                raise

    async def _leave(self, matrix_id: str) -> None:
        await self._http.request("POST", f"/_matrix/client/v3/rooms/{quote(matrix_id)}/leave", body={})
        await self._http.request("POST", f"/_matrix/client/v3/rooms/{quote(matrix_id)}/forget", body={})
