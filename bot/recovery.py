"""After a restore, before anything is said: the server's rooms are brought back to what the database knows.

Everything here may be done again: a crash in the middle is repaired by the next start.
"""

import asyncio
import logging
from datetime import UTC, datetime
from itertools import count

from bot.emptying import redact
from bot.http import Homeserver, LoggedOut, MatrixError, backoff_after_s
from bot.live import look
from bot.metrics import Metrics
from bot.rooms import Reconciler
from bot.workers import describe
from domain.region import Region
from handlers.office import Office
from handlers.restored import announce
from storage.database import Storage

log = logging.getLogger(__name__)


class Recovery:
    """What `wenk restore` leaves to the first start, which has everything since the backup from the server."""

    def __init__(
        self, http: Homeserver, storage: Storage, rooms: Reconciler, region: Region, own_user: str, metrics: Metrics
    ) -> None:
        self._http = http
        self._storage = storage
        self._rooms = rooms
        self._region = region
        self._own_user = own_user
        self._metrics = metrics

    async def run(self) -> None:
        """Nothing, unless the database was restored; returns when all is set right, however long the server is away."""
        async with self._storage.reading() as uow:
            origin = await uow.backups.origin()
        if origin is None:
            return
        self._metrics.raise_alarm("restoring")
        for attempt in count():
            fault = await self._try(datetime.fromtimestamp(origin.made_at / 1000, UTC))
            if fault is None:
                break
            await asyncio.sleep(backoff_after_s(fault, attempt))
        log.info("the restored database and the server agree")
        self._metrics.raise_alarm("restoring", on=False)

    async def _try(self, backed_up_at: datetime) -> Exception | None:
        try:
            answer = await self._http.request("GET", "/_matrix/client/v3/joined_rooms")
            await self._settle_rooms(frozenset(answer["joined_rooms"]))
            await self._empty()
            async with self._storage.unit() as uow:
                await announce(Office(uow, self._region), backed_up_at)
                await uow.backups.set_right()
        except LoggedOut:
            raise
        except Exception as fault:  # noqa: BLE001 (reported; nothing is said until it could be done)
            log.error("after the restore: %s", describe(fault))  # noqa: TRY400 (no text: it could hold what it must not)
            self._metrics.faults.labels(part="recovery").inc()
            return fault
        return None

    async def _settle_rooms(self, joined: frozenset[str]) -> None:
        """What was made since is emptied and left; what we left since is made anew, as long as it is wanted."""
        async with self._storage.reading() as uow:
            made = await uow.rooms.made()
        for matrix_id in sorted(joined - set(made.values())):
            await self._leave_unknown(matrix_id)
        for room_id, matrix_id in made.items():
            if matrix_id not in joined:
                async with self._storage.unit() as uow:
                    number = await uow.rooms.make_anew(room_id)
                    if number is not None:
                        await uow.introductions.nobody_arrived(number)

    async def _leave_unknown(self, matrix_id: str) -> None:
        """A room that was made since the backup: a desk, or an introduction of people who have to meet again."""
        live = await look(self._http, matrix_id, self._own_user)
        if live.marker is None or live.creator != self._own_user:
            return  # not one of ours
        async with self._storage.reading() as uow:
            # One that was wanted then, and made since, will be found by its alias.
            is_known = await uow.rooms.get(live.marker) is not None
        if not is_known:
            await self._rooms.vacate(matrix_id, live)

    async def _empty(self) -> None:
        """What our other device said since the backup may hold a child's data, and nobody would take it away."""
        while True:
            async with self._storage.reading() as uow:
                found = await uow.outbox.next_redaction()
                room = await uow.rooms.get(found[1]) if found else None
            if found is None:
                return
            identity, _room_id, event_id = found
            if room is not None and room.matrix_id is not None:
                try:
                    await redact(self._http, room.matrix_id, event_id)
                except MatrixError as fault:
                    if fault.errcode != "M_FORBIDDEN":  # not in it any more
                        raise
            async with self._storage.unit() as uow:
                await uow.outbox.sent(identity, None)
